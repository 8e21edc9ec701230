//! Lists in a file, made once and mapped by many: what is looked up in stands in it as it does in memory.
//!
//! | part | octets | what it is |
//! | --- | --- | --- |
//! | header | 64 | `dgalists`, the version (4), 4 of zero, the key of the hash (16), 32 of zero |
//! | lists | | of each in the order of the table: filter, ends and entries of its table; where the family cannot make names alone, names and where each begins. Each part is filled up with zeros to a multiple of 64 |
//! | table | | the days, the families and the lists, see [`layout`] |
//! | end | 32 | where the table begins (8), its length (8), the length of the file (8), CRC-32 of header, table and the octets of this part before (4), `ends` |
//!
//! All numbers stand with their lowest octet first. Where a list is in the file follows from the lengths of those before it, so that
//! none overlap; their sum must be what is there.
//!
//! Opening reads header, table and end, whatever the size of the lists. Lists themselves are believed by nobody: every access is
//! checked, and what a lookup finds is held against the name itself, so that damage costs names and invents none.
//! [`Image::check`] reads all of it.

mod compile;
mod family;
mod layout;

pub use self::compile::compile;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;

use self::family::{Compiled, Written};
use self::layout::{Contents, Entry, HEADER, Kind, VERSION};
use super::filter::Filter;
use super::hasher::Hasher;
use super::list::List;
use super::pages::Part;
use super::table::Table;
use crate::day::Day;
use crate::dga::{Catalog, Draw, Family};

/// Names of a list that are held against what this program makes, when a file is opened.
const SAMPLES: u32 = 64;

/// Compiled lists.
pub struct Image {
    map: Arc<Mmap>,
    hasher: Hasher,
    contents: Contents,
    /// The families that are built in, as this program knows them, by their place.
    built_in: Vec<Option<Arc<dyn Family>>>,
    /// Where lists are, by family and edition.
    lists: BTreeMap<(usize, Day), Place>,
}

/// A list in the file.
#[derive(Clone)]
struct Place {
    entry: Entry,
    filter: Range<usize>,
    ends: Range<usize>,
    entries: Range<usize>,
    names: Range<usize>,
    starts: Range<usize>,
    /// All of it.
    whole: Range<usize>,
}

impl Image {
    /// Opens what is in a file.
    ///
    /// # Errors
    /// One clause that says why these are no lists, or none for this program.
    pub fn open(map: Mmap) -> Result<Self, String> {
        let contents = Contents::read(&map)?;
        let mut lists = BTreeMap::new();
        let mut at = HEADER;
        for entry in &contents.lists {
            let place = Place::new(entry, at).ok_or(DAMAGED)?;
            at = place.whole.end;
            if lists.insert((entry.family, entry.edition), place).is_some() {
                return Err(DAMAGED.to_owned());
            }
        }
        if at != contents.table_at {
            return Err(DAMAGED.to_owned());
        }
        let built_in = contents.families.iter().map(|family| match family.kind {
            Kind::BuiltIn => known(&family.id).map(Some),
            Kind::List { .. } => Catalog::default().check_list_id(&family.id).map(|()| None),
        });
        let built_in = built_in.collect::<Result<_, _>>()?;
        let image = Self { hasher: Hasher::of(&contents.key), map: Arc::new(map), contents, built_in, lists };
        image.check_families()?;
        Ok(image)
    }

    /// Adds the families of the file to others, with the lists of the file in the place of those that they would make.
    ///
    /// # Errors
    /// One sentence when there is a family of such a name already.
    pub fn add_to(self: &Arc<Self>, catalog: &mut Catalog) -> Result<(), String> {
        (0..self.contents.families.len()).try_for_each(|place| catalog.add_family(Arc::new(Compiled::new(self, place))))
    }

    /// What its lists are hashed with.
    pub fn hasher(&self) -> Hasher {
        self.hasher.clone()
    }

    /// The list of a family, if it is here.
    pub fn list(&self, family: &str, edition: Day) -> Option<List> {
        let family = self.contents.families.iter().position(|known| known.id == family)?;
        let place = self.lists.get(&(family, edition))?;
        let part = |range: &Range<usize>| Part::new(&self.map, range.clone());
        let count = place.entry.count;
        let filter = Filter::over(part(&place.filter));
        let table = Table::over(count, part(&place.ends), part(&place.entries));
        Some(List::mapped(self.draw(family, edition)?, count, filter, table, &self.hasher))
    }

    /// What makes the names of a list that is here.
    fn draw(&self, family: usize, edition: Day) -> Option<Box<dyn Draw>> {
        let place = self.lists.get(&(family, edition))?;
        if place.entry.drawn {
            return self.built_in[family].as_ref()?.draw(edition);
        }
        let part = |range: &Range<usize>| Part::new(&self.map, range.clone());
        Some(Box::new(Written { names: part(&place.names), starts: part(&place.starts) }))
    }

    /// The days of packets that all lists are here for, when clocks of hosts are up to so many days wrong.
    pub const fn days(&self) -> (Day, Day, u16) {
        let Contents { days: (first, last), skew, .. } = self.contents;
        (first, last, skew)
    }

    /// What is missing on packets of a day, if anything is that nobody can build: a clause.
    pub fn gap(&self, day: Day) -> Option<String> {
        let (first, last) = self.contents.days;
        let lists = self.contents.families.iter().filter(|family| matches!(family.kind, Kind::List { .. }));
        let lists: Vec<&str> = lists.map(|family| &*family.id).collect();
        let is_missing = !lists.is_empty() && !(first..=last).contains(&day);
        is_missing.then(|| format!("holds {} for packets from {first} to {last}, and none of it for {day}", lists.join(", ")))
    }

    /// The lists: of each the family, the first day on which it is current, how many names it holds, and the octets it takes.
    pub fn lists(&self) -> impl Iterator<Item = (&str, Day, u32, usize)> {
        let lists = self.lists.values();
        lists.map(|Place { entry, whole, .. }| (self.id(entry), entry.edition, entry.count, whole.len()))
    }

    fn id(&self, entry: &Entry) -> &str {
        &self.contents.families[entry.family].id
    }

    /// Octets of the file.
    pub fn size(&self) -> usize {
        self.map.len()
    }

    /// Reads all of the lists and holds them against their checksums, which find accidents, not forgers.
    ///
    /// # Errors
    /// One clause that says which list is damaged.
    pub fn check(&self) -> Result<(), String> {
        let damaged = self.lists.values().find(|place| crc32fast::hash(&self.map[place.whole.clone()]) != place.entry.checksum);
        if let Some(Place { entry, .. }) = damaged {
            return Err(format!("is damaged: the list of {} of {} is not what was written", self.id(entry), entry.edition));
        }
        Ok(())
    }

    /// Whether this program makes the names that the file leaves to it, and users' lists have what they say.
    fn check_families(&self) -> Result<(), String> {
        for Place { entry, .. } in self.lists.values().filter(|place| place.entry.drawn) {
            let family = self.built_in[entry.family].as_ref().ok_or(DAMAGED)?;
            if family.count(entry.edition) != entry.count || samples(&**family, entry.edition) != Some(entry.samples) {
                let (id, edition) = (family.id(), entry.edition);
                return Err(format!(
                    "holds another list of {id} of {edition} than this version makes: compile it with this version"
                ));
            }
        }
        for (place, family) in self.contents.families.iter().enumerate() {
            let Kind::List { editions, .. } = &family.kind else { continue };
            let has = |(edition, count): &(Day, u32)| match self.lists.get(&(place, *edition)) {
                Some(Place { entry, .. }) => entry.count == *count,
                None => *count == 0,
            };
            if !editions.iter().all(has) {
                return Err(DAMAGED.to_owned());
            }
        }
        Ok(())
    }
}

/// What is said of a file whose checksum is right and whose parts do not fit: nobody but a forger makes one.
const DAMAGED: &str = "is damaged: its parts do not fit together";

impl Place {
    /// `None` when it reaches further than anything can.
    fn new(entry: &Entry, start: usize) -> Option<Self> {
        let mut at = start;
        let mut next = |octets: usize| {
            let range = at..at.checked_add(octets)?;
            at = layout::filled_up(range.end)?;
            Some(range)
        };
        let (ends, entries) = Table::octets_for(entry.count);
        let (filter, ends, entries) = (next(Filter::octets_for(entry.count))?, next(ends)?, next(entries)?);
        let (mut names, mut starts) = (start..start, start..start);
        if !entry.drawn {
            names = next(usize::try_from(entry.names).ok()?)?;
            starts = next((entry.count as usize).checked_mul(4)?)?;
        }
        Some(Self { entry: entry.clone(), filter, ends, entries, names, starts, whole: start..at })
    }
}

/// A family of this program.
fn known(id: &str) -> Result<Arc<dyn Family>, String> {
    let mut catalog = Catalog::default();
    catalog.add(id).ok();
    match catalog.iter().collect::<Vec<_>>()[..] {
        [(place, family)] if family.id() == id => Ok(catalog.shared(place)),
        _ => Err(format!(
            "holds names of `{}`, a family that this version ({}) does not know",
            id.escape_debug(),
            env!("CARGO_PKG_VERSION")
        )),
    }
}

/// CRC-32 of some names of a list, far from each other; `None` where the family cannot make them alone.
fn samples(family: &dyn Family, edition: Day) -> Option<u32> {
    let (draw, count) = (family.draw(edition)?, family.count(edition));
    let mut checksum = crc32fast::Hasher::new();
    let mut name = crate::name::Name::root();
    for sample in 0..SAMPLES.min(count) {
        // Below the count, since the sample is below `SAMPLES` or the count.
        draw.draw((u64::from(sample) * u64::from(count) / u64::from(SAMPLES.min(count))) as u32, &mut name);
        checksum.update(name.as_wire());
    }
    Some(checksum.finalize())
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image(version {VERSION}, {} octets)", self.size())
    }
}
