//! Files of names that users bring to `names` and `collisions`, read line by line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use dgawatch::dga::{Layout, NameFile};
use dgawatch::name::Name;
use dgawatch::watchlist::NameSet;

use super::Failure;
use super::families::{HEAD, layout};

/// Octets of a line, at most: no line of names is as long.
const MOST_LINE: usize = 1 << 20;

/// Hands over the names in a file, with the number of the line; the layout is told by its content unless `LAYOUT:` stands in front.
/// What a zone file owns counts where `owners` says so, otherwise what a policy zone refuses.
pub(super) fn each_name(
    file: &Path,
    owners: bool,
    each: &mut dyn FnMut(u64, &Name) -> Result<(), String>,
) -> Result<(), Failure> {
    let told = file.to_str().map_or((None, ""), layout);
    let path = if told.0.is_some() { PathBuf::from(told.1) } else { file.to_owned() };
    let fail = |why: String| Failure::Said(format!("{}: {why}", path.display()));
    let unread = |error| Failure::Said(format!("{} cannot be read: {error}", path.display()));
    let mut lines = BufReader::with_capacity(HEAD, File::open(&path).map_err(unread)?);
    let layout = match told.0 {
        Some(layout) => layout,
        None => match Layout::detect(lines.fill_buf().map_err(unread)?) {
            Layout::Policy if owners => Layout::Zone,
            Layout::Zone if !owners => Layout::Policy,
            layout => layout,
        },
    };
    let mut names = NameFile::new(layout);
    let mut line = vec![];
    loop {
        line.clear();
        let length = std::io::Read::take(&mut lines, MOST_LINE as u64).read_until(b'\n', &mut line).map_err(unread)?;
        if length == 0 {
            return Ok(());
        }
        if length == MOST_LINE {
            return Err(fail(format!("line {} is longer than {MOST_LINE} octets", names.lines() + 1)));
        }
        let number = names.lines() + 1;
        let mut outcome = Ok(());
        names
            .line(&line, &mut |name| {
                if outcome.is_ok() {
                    outcome = each(number, name);
                }
            })
            .map_err(fail)?;
        outcome.map_err(fail)?;
    }
}

/// The names in files, each once.
pub(super) fn name_set(files: &[PathBuf]) -> Result<NameSet, Failure> {
    let mut set = NameSet::default();
    for file in files {
        each_name(file, false, &mut |_, name| set.insert(name).map(|_| ()))?;
    }
    Ok(set)
}
