//! Choosing families and lists, alike for every command.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use dgawatch::day::Day;
use dgawatch::dga::{Catalog, Layout};
use dgawatch::source::map;
use dgawatch::watchlist::Image;

use super::Failure;

/// Which names to look for.
#[derive(Args)]
pub(super) struct Families {
    /// Families: those that `dgawatch families` lists, a worm for all of its families, synthetic:N (N made-up names a day, for tests)
    #[arg(long = "family", value_name = "FAMILY", value_delimiter = ',', default_value = "conficker")]
    families: Vec<String>,

    /// A list of your own as a further family: lines of `name[,from[,until]]`, days inclusive, absent for always
    ///
    /// Response policy zones and hosts files are known by what they hold; NAME=rpz:FILE, hosts:, csv: (rank,name) and list: say it.
    #[arg(long = "list", value_name = "NAME=FILE")]
    lists: Vec<String>,
}

impl Families {
    /// The files of lists.
    #[cfg(feature = "live")]
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.lists.iter().filter_map(|list| Some(Path::new(layout(list.split_once('=')?.1).1)))
    }

    /// Loads them.
    pub(super) fn load(&self) -> Result<Catalog, Failure> {
        self.load_into(Catalog::default())
    }

    /// Loads them beside others.
    fn load_into(&self, mut catalog: Catalog) -> Result<Catalog, Failure> {
        for id in &self.families {
            catalog.add(id).map_err(Failure::Usage)?;
        }
        self.lists.iter().try_for_each(|list| load_list(list, &mut catalog))?;
        Ok(catalog)
    }
}

/// Adds a list that is given as NAME=FILE.
pub(super) fn load_list(list: &str, catalog: &mut Catalog) -> Result<(), Failure> {
    let (name, file) = list.split_once('=').ok_or_else(|| Failure::Usage(format!("--list {list}: write NAME=FILE")))?;
    let (layout, path) = layout(file);
    let text = fs::read(path).map_err(|error| Failure::Said(format!("list {path} cannot be read: {error}")))?;
    let refuse = |why| Failure::Said(format!("list {path}: {why}"));
    let layout = layout.unwrap_or_else(|| detected(&text));
    catalog.add_list(name, &layout.to_list(&text).map_err(refuse)?).map_err(refuse)
}

/// Which names `replay` and `live` look for.
#[derive(Args)]
pub(super) struct Watched {
    #[command(flatten)]
    families: Families,

    /// Lists that `dgawatch compile` has put into a file, beside those of --family and --list: mapped, not built
    ///
    /// What the file holds of a family is taken from there, other days are built. To be replaced as a whole, never written to.
    #[arg(long, value_name = "FILE")]
    watchlist: Option<PathBuf>,
}

impl Watched {
    /// The files of lists.
    #[cfg(feature = "live")]
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.families.files().chain(self.watchlist.as_deref())
    }

    /// Loads them, those that are compiled first.
    pub(super) fn load(&self) -> Result<(Catalog, Option<Arc<Image>>), Failure> {
        let mut catalog = Catalog::default();
        let image = self.watchlist.as_deref().map(open).transpose()?.map(Arc::new);
        if let Some((image, path)) = image.as_ref().zip(self.watchlist.as_ref()) {
            let refuse = |why| Failure::Said(format!("watchlist {}: {why}", path.display()));
            image.add_to(&mut catalog).map_err(refuse)?;
        }
        Ok((self.families.load_into(catalog)?, image))
    }
}

/// What a compiled watchlist lacks for packets of some days, if anything: a sentence.
pub(super) fn gap(image: Option<&Arc<Image>>, mut days: impl Iterator<Item = Day>) -> Option<String> {
    let gap = days.find_map(|day| image?.gap(day))?;
    Some(format!("the watchlist {gap}: `dgawatch compile` it for those days"))
}

/// Opens a compiled watchlist.
pub(super) fn open(path: &Path) -> Result<Image, Failure> {
    let open = || Image::open(map(path)?);
    open().map_err(|why| Failure::Said(format!("watchlist {} {why}", path.display())))
}

/// `rpz:FILE` in two; nothing in front where it is only a file.
pub(super) fn layout(file: &str) -> (Option<Layout>, &str) {
    let told = file.split_once(':').and_then(|(layout, path)| Some((Layout::by_name(layout)?, path)));
    told.map_or((None, file), |(layout, path)| (Some(layout), path))
}

/// Tables and plain lists are read as lists with days, which have cells of their own.
fn detected(text: &[u8]) -> Layout {
    match Layout::detect(&text[..text.len().min(HEAD)]) {
        Layout::Policy | Layout::Zone => Layout::Policy,
        Layout::Hosts => Layout::Hosts,
        Layout::List | Layout::Table(_) => Layout::List,
    }
}

/// Octets at the beginning of a file that tell its layout.
pub(super) const HEAD: usize = 1 << 16;
