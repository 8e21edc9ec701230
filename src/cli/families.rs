//! Choosing families and lists, alike for every command.

use std::fs;
#[cfg(feature = "live")]
use std::path::Path;

use clap::Args;
use dgawatch::dga::Catalog;

use super::Failure;

/// Which names to look for.
#[derive(Args)]
pub(super) struct Families {
    /// Families: those that `dgawatch families` lists, a worm for all of its families, synthetic:N (N made-up names a day, for tests)
    #[arg(long = "family", value_name = "FAMILY", value_delimiter = ',', default_value = "conficker")]
    families: Vec<String>,

    /// A list of your own as a further family: lines of `name[,from[,until]]`, days inclusive, absent for always
    #[arg(long = "list", value_name = "NAME=FILE")]
    lists: Vec<String>,
}

impl Families {
    /// The files of lists.
    #[cfg(feature = "live")]
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.lists.iter().filter_map(|list| Some(Path::new(list.split_once('=')?.1)))
    }

    /// Loads them.
    pub(super) fn load(&self) -> Result<Catalog, Failure> {
        let mut catalog = Catalog::default();
        for id in &self.families {
            catalog.add(id).map_err(Failure::Usage)?;
        }
        for list in &self.lists {
            let (name, path) = list.split_once('=').ok_or_else(|| Failure::Usage(format!("--list {list}: write NAME=FILE")))?;
            let text = fs::read(path).map_err(|error| Failure::Said(format!("list {path} cannot be read: {error}")))?;
            catalog.add_list(name, &text).map_err(|why| Failure::Said(format!("list {path}: {why}")))?;
        }
        Ok(catalog)
    }
}
