//! Which names are written, and into which file.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{About, Entry, Layout, NameList, NamesFormat, Registry, Repeats, misp};
use crate::export::target::{Out, at};
use crate::name::{MAX_TEXT, Name};
use crate::watchlist::NameSet;

/// Files that names are spread over, at most: each is open until the end.
const MOST_FILES: usize = 500;

/// Which names are written.
#[derive(Default)]
pub struct Selection {
    /// Suffixes that they end in; all if there is none.
    pub suffixes: Vec<Name>,
    /// Names that are not.
    pub exclude: NameSet,
    /// An older list: what is written are the changes since.
    pub older: Option<NameSet>,
}

/// Where they are written to.
pub enum Target {
    /// Here.
    Stream(Box<dyn Write>),
    /// A file, or the folder of a feed where the format is that of one.
    File(PathBuf),
    /// A folder with a file a part.
    Folder(PathBuf, Part),
}

/// How names are parted.
pub enum Part {
    /// By suffix: of these, or the last label.
    Suffix(Vec<Name>),
    /// By who runs the suffix.
    Registry(Vec<Registry>),
}

/// What became of the names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameCounts {
    /// Written.
    pub written: u64,
    /// Written as names that are no longer listed.
    pub released: u64,
    /// Of other suffixes.
    pub elsewhere: u64,
    /// Excluded.
    pub excluded: u64,
    /// Left out because the format holds each name once.
    pub repeated: u64,
    /// Left out because the format has no way to write them.
    pub inexpressible: u64,
}

/// Writes names as they come.
pub struct NameWriter {
    format: NamesFormat,
    about: About,
    suffixes: HashSet<Box<[u8]>>,
    exclude: NameSet,
    /// The older list, and which of its names came again.
    older: Option<(NameSet, Vec<bool>)>,
    /// What was written already, where each name counts once.
    seen: Option<NameSet>,
    /// What may come again, where that is known: nothing else needs to be remembered.
    repeats: Option<Repeats>,
    sheets: Sheets,
    /// The folder of the feed that the one file belongs to.
    feed: Option<PathBuf>,
    counts: NameCounts,
}

/// The files.
struct Sheets {
    /// The folder that they are in, with the part that a suffix belongs to; nothing where there is just one sheet.
    folder: Option<(PathBuf, Parts)>,
    open: Vec<Sheet>,
    /// Their place by title.
    titles: HashMap<String, usize>,
}

enum Parts {
    /// Suffixes, and their sheet once there is one.
    Suffix(HashMap<Box<[u8]>, Option<usize>>),
    /// Suffixes and the title of who runs them.
    Registry(HashMap<Box<[u8]>, String>),
}

struct Sheet {
    layout: Box<dyn Layout>,
    out: Out,
}

impl NameWriter {
    /// Begins an output.
    ///
    /// # Errors
    /// When there is no place to write to, or the format cannot tell changes.
    pub fn new(format: NamesFormat, about: About, selection: Selection, target: Target) -> io::Result<Self> {
        let changes = selection.older.is_some();
        let mut feed = None;
        let mut sheets = Sheets { folder: None, open: vec![], titles: HashMap::new() };
        let out = match target {
            Target::Stream(out) => Some(Out::Given(out)),
            Target::File(path) if format == NamesFormat::Misp => {
                fs::create_dir_all(&path).map_err(|error| at(&path, &error))?;
                let event = path.join(format!("{}.json", misp::event_id(&about)));
                feed = Some(path);
                Some(Out::file(&event)?)
            }
            Target::File(path) => Some(Out::file(&path)?),
            Target::Folder(path, part) => {
                fs::create_dir_all(&path).map_err(|error| at(&path, &error))?;
                sheets.folder = Some((path, Parts::of(part)));
                None
            }
        };
        if let Some(out) = out {
            sheets.begin(format, changes, &about, out)?;
        }
        Ok(Self {
            format,
            suffixes: selection.suffixes.iter().map(|suffix| suffix.as_wire().into()).collect(),
            exclude: selection.exclude,
            older: selection.older.map(|older| {
                let came = vec![false; older.len()];
                (older, came)
            }),
            seen: (format.holds_once() || changes).then(NameSet::default),
            repeats: None,
            sheets,
            feed,
            about,
            counts: NameCounts::default(),
        })
    }

    /// Tells which names may come more than once, so that no others have to be remembered.
    pub fn expect(&mut self, repeats: Repeats) {
        self.repeats = Some(repeats);
    }

    /// Takes the next name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, list: &NameList<'_>, index: u32, name: &Name) -> io::Result<()> {
        if !self.is_chosen(name) {
            self.counts.elsewhere += 1;
            return Ok(());
        }
        if self.exclude.place(name).is_some() {
            self.counts.excluded += 1;
            return Ok(());
        }
        if let Some(seen) = &mut self.seen
            && self.repeats.as_ref().is_none_or(|repeats| repeats.may_hold(name))
            && !seen.insert(name).map_err(io::Error::other)?.1
        {
            self.counts.repeated += 1;
            return Ok(());
        }
        if let Some((older, came)) = &mut self.older
            && let Some(place) = older.place(name)
        {
            came[place as usize] = true;
            return Ok(());
        }
        let mut room = [0; MAX_TEXT];
        let entry = Entry { list, index, name, text: text(name, &mut room)? };
        let sheet = self.sheets.of(name, self.format, self.older.is_some(), &self.about)?;
        let written = sheet.layout.name(&entry, &mut sheet.out)?;
        *(if written { &mut self.counts.written } else { &mut self.counts.inexpressible }) += 1;
        Ok(())
    }

    /// Ends the output; only now do files take their places.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<NameCounts> {
        if let Some((older, came)) = self.older.take() {
            let mut name = Name::root();
            let mut room = [0; MAX_TEXT];
            for place in (0..older.len() as u32).filter(|place| !came[*place as usize]) {
                name.set(older.name(place));
                if self.is_chosen(&name) {
                    let sheet = self.sheets.of(&name, self.format, true, &self.about)?;
                    sheet.layout.release(text(&name, &mut room)?, &mut sheet.out)?;
                    self.counts.released += 1;
                }
            }
        }
        for sheet in &mut self.sheets.open {
            sheet.layout.end(&mut sheet.out)?;
        }
        self.sheets.open.into_iter().try_for_each(|sheet| sheet.out.commit())?;
        // What points to the event comes after it.
        if let Some(folder) = &self.feed {
            let mut out = Out::file(&folder.join("manifest.json"))?;
            serde_json::to_writer(&mut out, &misp::manifest(&self.about))?;
            out.write_all(b"\n")?;
            out.commit()?;
        }
        Ok(self.counts)
    }

    /// Whether a name ends in one of the suffixes.
    fn is_chosen(&self, name: &Name) -> bool {
        self.suffixes.is_empty() || endings(name).any(|ending| self.suffixes.contains(ending))
    }
}

impl Parts {
    fn of(part: Part) -> Self {
        match part {
            Part::Suffix(known) => Self::Suffix(known.iter().map(|suffix| (suffix.as_wire().into(), None)).collect()),
            Part::Registry(table) => {
                let suffixes = |row: &Registry| -> Vec<_> {
                    let title = title(&row.operator);
                    row.suffixes.iter().map(|suffix| (suffix.as_wire().into(), title.clone())).collect()
                };
                Self::Registry(table.iter().flat_map(suffixes).collect())
            }
        }
    }
}

impl Sheets {
    /// The sheet that a name belongs on, begun if need be.
    fn of(&mut self, name: &Name, format: NamesFormat, changes: bool, about: &About) -> io::Result<&mut Sheet> {
        let Some((path, parts)) = &mut self.folder else { return Ok(&mut self.open[0]) };
        let (title, cache) = match parts {
            Parts::Suffix(known) => {
                let ending = endings(name).nth(1).filter(|ending| known.contains_key(*ending));
                let ending = ending.or_else(|| endings(name).last()).unwrap_or(b"\0");
                if let Some(place) = known.get(ending).copied().flatten() {
                    return Ok(&mut self.open[place]);
                }
                (suffix_title(ending), Some((known, ending)))
            }
            Parts::Registry(titles) => {
                let title = endings(name).find_map(|ending| titles.get(ending));
                (title.cloned().unwrap_or_else(|| "unassigned".to_owned()), None)
            }
        };
        let place = match self.titles.get(&title) {
            Some(place) => *place,
            None if self.open.len() == MOST_FILES => {
                return Err(io::Error::other(format!("there are more than {MOST_FILES} parts, each a file")));
            }
            None => {
                let out = Out::file(&path.join(format!("{title}.{}", format.extension())))?;
                let about = About { part: Some(title.clone()), ..about.clone() };
                self.titles.insert(title, self.open.len());
                begin(&mut self.open, format, changes, &about, out)?;
                self.open.len() - 1
            }
        };
        if let Some((known, ending)) = cache.filter(|(known, _)| known.len() < MOST_FILES) {
            known.insert(ending.into(), Some(place));
        }
        Ok(&mut self.open[place])
    }

    fn begin(&mut self, format: NamesFormat, changes: bool, about: &About, out: Out) -> io::Result<()> {
        begin(&mut self.open, format, changes, about, out)
    }
}

fn begin(open: &mut Vec<Sheet>, format: NamesFormat, changes: bool, about: &About, mut out: Out) -> io::Result<()> {
    let layout = if changes { format.changes() } else { Some(format.layout()) };
    let mut layout = layout.ok_or_else(|| io::Error::other("changes are told as plain, csv or json only"))?;
    layout.begin(about, &mut out)?;
    open.push(Sheet { layout, out });
    Ok(())
}

/// The name itself and what is left without its first label, and so on, in wire form; without the root.
fn endings(name: &Name) -> impl Iterator<Item = &[u8]> {
    let mut rest = name.as_wire();
    std::iter::from_fn(move || {
        let ending = rest;
        let length = usize::from(*ending.first()?);
        rest = &ending[1 + length..];
        (length > 0).then_some(ending)
    })
}

/// A suffix as the name of a file: what could lead elsewhere is none.
fn suffix_title(ending: &[u8]) -> String {
    let text = crate::name::RawName::take(ending).map(|suffix| suffix.to_string()).unwrap_or_default();
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    if text.bytes().all(plain) && !text.starts_with('.') && !text.is_empty() { text } else { "other".to_owned() }
}

/// The name of an operator as that of a file: its letters and digits, lower case, joined by `-`.
fn title(operator: &str) -> String {
    let words = operator.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let title = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if title.is_empty() { "unnamed".to_owned() } else { title.chars().take(100).collect() }
}

fn text<'t>(name: &Name, room: &'t mut [u8; MAX_TEXT]) -> io::Result<&'t str> {
    std::str::from_utf8(name.write_text(room)).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::day::{Day, Timestamp};
    use crate::dga::Catalog;
    use crate::export::RepeatFinder;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// With the repeats known beforehand the same is written, and of the names hardly any is kept.
    #[test]
    fn what_repeats_is_kept_and_nothing_else() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-c").unwrap();
        let family = catalog.family(0);
        let days = (Day::of(2009, 4, 1), Day::of(2009, 4, 6));
        let mut finder = RepeatFinder::new().unwrap();
        days.0.through(days.1).for_each(|day| family.names(day, &mut |name| finder.add(name).unwrap()));
        let write = |repeats: Option<Repeats>| {
            let about = About { families: vec![], days, made: Timestamp::from_parts(0, 0), part: None };
            let out = Shared::default();
            let target = Target::Stream(Box::new(out.clone()));
            let mut writer = NameWriter::new(NamesFormat::Rpz, about, Selection::default(), target).unwrap();
            repeats.into_iter().for_each(|repeats| writer.expect(repeats));
            for day in days.0.through(days.1) {
                let list = NameList::new(family, day, 1);
                let mut index = 0;
                family.names(day, &mut |name| {
                    writer.add(&list, index, name).unwrap();
                    index += 1;
                });
            }
            let kept = writer.seen.as_ref().map_or(0, NameSet::len);
            (writer.finish().unwrap(), kept, out.0.take())
        };
        let (all, kept_of_all, octets) = write(None);
        let (few, kept_of_few, same_octets) = write(Some(finder.finish().unwrap()));
        assert!(octets == same_octets);
        assert_eq!((all, all.written + all.repeated, kept_of_all as u64), (few, 300_000, all.written));
        assert!(all.repeated > 0 && kept_of_few as u64 <= all.repeated, "{kept_of_few} of {all:?}");
    }
}
