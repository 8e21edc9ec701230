//! One family's names of one day, to be looked up: exact, and nothing in it depends on a stranger.
//!
//! | form | for | names | to look one up |
//! | --- | --- | --- | --- |
//! | held | lists that are small, or whose family makes names only one after the other | in memory | one probe of a hash table whose control octets are a filter of their own |
//! | drawn | large lists whose family makes any name alone | made again to be compared | [`Filter`], then [`Table`], then the name |
//! | mapped | lists of a compiled file | made again, or in the file | the same, out of the file |

use hashbrown::HashTable;

use super::Hasher;
use super::collision::KNOWN;
use super::fetch::fetch;
use super::filter::Filter;
use super::names::{Held, Names};
use super::pages::{Memory, Part};
use super::table::{Counting, Table};
use crate::day::Day;
use crate::dga::{Draw, Family};
use crate::name::Name;

/// The names of a list day. A name that the list holds twice is found at its first place.
pub struct List {
    names: Names,
    index: Index,
    /// Places of names that honest people own, ascending.
    collisions: Vec<u32>,
}

/// How a list is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 25 octets a name, found with one fetch from memory or two.
    Held,
    /// 6 octets a name, for families that [draw](Family::draw); others are held all the same.
    Drawn,
}

/// From so many names on a list is drawn where it can be: what is held of fewer stays in the processor's cache.
const DRAWN_FROM: u32 = 65_536;

enum Index {
    /// Places of names, by the hash of the name.
    Held(HashTable<u32>),
    Drawn(Filter, Table),
    Mapped(Filter<Part>, Table<Part>),
}

impl List {
    /// Computes the list of a day. Lookups must hash with the same `hasher`.
    ///
    /// # Panics
    /// When names that must be held take over 4 GiB.
    pub fn build(family: &dyn Family, day: Day, hasher: &Hasher) -> Self {
        Self::build_as(if family.count(day) < DRAWN_FROM { Form::Held } else { Form::Drawn }, family, day, hasher)
    }

    /// Whether [`Self::build_all`] takes less time for these than [`Self::build`] for each: none is drawn.
    pub fn are_made_together(family: &dyn Family, days: &[Day]) -> bool {
        days.iter().all(|day| family.count(*day) < DRAWN_FROM)
    }

    /// The same of several days, in their order.
    ///
    /// # Panics
    /// As [`Self::build`].
    pub fn build_all(family: &dyn Family, days: &[Day], hasher: &Hasher) -> Vec<Self> {
        if !Self::are_made_together(family, days) {
            return days.iter().map(|day| Self::build(family, *day, hasher)).collect();
        }
        let mut lists: Vec<Building> = days.iter().map(|day| Building::new(family, *day)).collect();
        family.names_of(days, &mut |place, name| lists[place].add(name, hasher));
        lists.into_iter().map(|list| Self::of(Names::Held(list.names), Index::Held(list.places), hasher)).collect()
    }

    /// The same in a given form.
    ///
    /// # Panics
    /// As [`Self::build`].
    pub fn build_as(form: Form, family: &dyn Family, day: Day, hasher: &Hasher) -> Self {
        let draw = if form == Form::Drawn { family.draw(day) } else { None };
        let (names, index) = match draw {
            Some(draw) => drawn(draw, family, day, hasher),
            None => held(family, day, hasher),
        };
        Self::of(names, index, hasher)
    }

    /// A list of a compiled file, which was hashed with `hasher`.
    pub(super) fn mapped(draw: Box<dyn Draw>, count: u32, filter: Filter<Part>, table: Table<Part>, hasher: &Hasher) -> Self {
        Self::of(Names::Drawn { draw, count }, Index::Mapped(filter, table), hasher)
    }

    fn of(names: Names, index: Index, hasher: &Hasher) -> Self {
        let mut list = Self { names, index, collisions: vec![] };
        let known = KNOWN.iter().map(|collision| Name::parse(collision.name).expect("known collisions are names"));
        list.collisions = known.filter_map(|name| list.find(Self::hash(hasher, &name), &name)).collect();
        list.collisions.sort_unstable();
        list
    }

    /// The hash of a name, as [`Self::find`] wants it.
    #[inline]
    pub fn hash(hasher: &Hasher, name: &Name) -> u64 {
        hasher.hash(name.as_wire())
    }

    /// Whether a name of this hash is worth [`Self::find`], which asks this itself: few that the list does not hold are.
    #[inline]
    pub fn may_hold(&self, hash: u64) -> bool {
        match &self.index {
            Index::Held(_) => true,
            Index::Drawn(filter, _) => filter.may_hold(hash),
            Index::Mapped(filter, _) => filter.may_hold(hash),
        }
    }

    /// Whether lookups in it wait for memory, which [`Self::fetch`] can begin.
    pub(super) const fn is_large(&self) -> bool {
        matches!(self.index, Index::Drawn(..) | Index::Mapped(..))
    }

    /// Begins to fetch what a lookup will read first.
    #[inline]
    pub(super) fn fetch(&self, hash: u64) {
        match &self.index {
            Index::Held(_) => {}
            Index::Drawn(filter, _) => fetch(filter.octet(hash)),
            Index::Mapped(filter, _) => fetch(filter.octet(hash)),
        }
    }

    /// What a lookup in a held list will read next: its names, and the place of one that may have this hash, which is not read
    /// yet.
    #[inline]
    pub(super) fn held(&self, hash: u64) -> Option<(&Held, &u32)> {
        match (&self.index, &self.names) {
            (Index::Held(places), Names::Held(names)) => Some((names, places.find(hash, |_| true)?)),
            _ => None,
        }
    }

    /// Whether a held name is the one at a place.
    #[inline]
    pub(super) fn is_at(&self, place: u32, name: &Name) -> bool {
        match &self.names {
            Names::Held(names) => (place as usize) < self.names.count() && names.is(place, name.as_wire()),
            Names::Drawn { .. } => false,
        }
    }

    /// The first place of `name`, if the list holds it.
    #[inline]
    pub fn find(&self, hash: u64, name: &Name) -> Option<u32> {
        match (&self.index, &self.names) {
            (Index::Held(places), Names::Held(names)) => places.find(hash, |place| names.wire(*place) == name.as_wire()).copied(),
            (Index::Drawn(filter, table), Names::Drawn { draw, count }) if filter.may_hold(hash) => {
                look_up(table, &**draw, *count, hash, name)
            }
            (Index::Mapped(filter, table), Names::Drawn { draw, count }) if filter.may_hold(hash) => {
                look_up(table, &**draw, *count, hash, name)
            }
            _ => None,
        }
    }

    /// Whether honest people own the name at a place, its first.
    pub fn is_collision(&self, place: u32) -> bool {
        self.collisions.binary_search(&place).is_ok()
    }

    /// The names by their places.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Octets that it takes in memory, or of a file that are mapped for lookups.
    pub fn size(&self) -> usize {
        self.names.size()
            + match &self.index {
                Index::Held(places) => places.allocation_size(),
                Index::Drawn(filter, table) => size(filter, table),
                Index::Mapped(filter, table) => size(filter, table),
            }
    }
}

fn size<M: Memory>(filter: &Filter<M>, table: &Table<M>) -> usize {
    let (ends, entries) = table.octets();
    filter.octets().len() + ends.len() + entries.len()
}

/// Looks up what passed the filter. Not inlined: few names do.
#[inline(never)]
fn look_up<M: Memory>(table: &Table<M>, draw: &dyn Draw, count: u32, hash: u64, name: &Name) -> Option<u32> {
    let mut drawn = Name::root();
    table.find(hash, |place| {
        // A damaged file may say any place.
        if place >= count {
            return false;
        }
        draw.draw(place, &mut drawn);
        // The root is drawn where a damaged file has no name; no list holds it.
        drawn == *name && drawn != Name::root()
    })
}

fn held(family: &dyn Family, day: Day, hasher: &Hasher) -> (Names, Index) {
    let mut list = Building::new(family, day);
    family.names(day, &mut |name| list.add(name, hasher));
    (Names::Held(list.names), Index::Held(list.places))
}

/// A held list to which names come.
struct Building {
    names: Held,
    places: HashTable<u32>,
}

impl Building {
    fn new(family: &dyn Family, day: Day) -> Self {
        let count = family.count(day) as usize;
        Self { names: Held::with_capacity(count), places: HashTable::with_capacity(count) }
    }

    #[inline]
    fn add(&mut self, name: &Name, hasher: &Hasher) {
        let Self { names, places } = self;
        let place = names.push(name);
        let hash = List::hash(hasher, name);
        let is_it = |place: &u32| names.wire(*place) == name.as_wire();
        places.entry(hash, is_it, |place| hasher.hash(names.wire(*place))).or_insert(place);
    }
}

fn drawn(draw: Box<dyn Draw>, family: &dyn Family, day: Day, hasher: &Hasher) -> (Names, Index) {
    let (filter, table) = index(family, day, hasher);
    (Names::Drawn { draw, count: family.count(day) }, Index::Drawn(filter, table))
}

/// What a list is looked up in, without its names. Makes all names twice: to keep 25 million hashes between the passes would
/// take more memory than the list.
pub(super) fn index(family: &dyn Family, day: Day, hasher: &Hasher) -> (Filter, Table) {
    let count = family.count(day);
    let (mut filter, mut table) = (Filter::new(count), Counting::new(count));
    hashes(family, day, hasher, &mut |hashes| {
        filter.insert(hashes);
        table.count(hashes);
    });
    let (mut table, mut place) = (table.counted(), 0);
    hashes(family, day, hasher, &mut |hashes| {
        table.fill(hashes, place);
        place += hashes.len() as u32;
    });
    (filter, table.filled())
}

/// The hashes of a day's names in their order, some at a time.
fn hashes(family: &dyn Family, day: Day, hasher: &Hasher, each: &mut dyn FnMut(&[u64])) {
    // Twice as many lines as a processor core waits for at once.
    let mut hashes = [0; 128];
    let mut count = 0;
    family.names(day, &mut |name| {
        hashes[count] = List::hash(hasher, name);
        count += 1;
        if count == hashes.len() {
            each(&hashes);
            count = 0;
        }
    });
    each(&hashes[..count]);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::dga::Catalog;

    /// Against a map of strings, for every name and near misses of it.
    #[test]
    fn finds_just_what_it_holds() {
        let mut catalog = Catalog::default();
        catalog.add("conficker").unwrap();
        catalog.add("synthetic:20000").unwrap();
        catalog.add_list("ours", b"praat.org\nx.y.example\npraat.org\n").unwrap();
        let hasher = Hasher::default();
        let day = Day::of(2009, 3, 31);
        for (family, form) in catalog.iter().flat_map(|(_, family)| [Form::Held, Form::Drawn].map(|form| (family, form))) {
            let list = List::build_as(form, family, day, &hasher);
            let mut oracle: HashMap<String, u32> = HashMap::new();
            let mut names = vec![];
            family.names(day, &mut |name| {
                oracle.entry(name.to_string()).or_insert(names.len() as u32);
                names.push(name.to_string());
            });
            for (place, text) in names.iter().enumerate() {
                assert_eq!(list.names().name(place as u32).to_string(), *text);
                for near in [
                    text.clone(),
                    format!("a{text}"),
                    text[1..].to_owned(),
                    format!("{text}.x"),
                    format!("x.{text}"),
                    text.replace('a', "b"),
                ] {
                    let Ok(name) = Name::parse(&near) else { continue };
                    let found = list.find(List::hash(&hasher, &name), &name);
                    assert_eq!(found, oracle.get(&near).copied(), "{near}");
                }
            }
            let collision = oracle.get("praat.org").copied();
            let marked: Vec<u32> = (0..names.len() as u32).filter(|place| list.is_collision(*place)).collect();
            assert_eq!(marked.first().copied(), collision);
        }
    }

    #[test]
    fn several_together_are_each_alone() {
        let mut catalog = Catalog::default();
        ["conficker-b", "conficker-c", "synthetic:70000"].iter().for_each(|id| catalog.add(id).unwrap());
        let hasher = Hasher::default();
        let days = [30, 31].map(|day| Day::of(2009, 3, day));
        for (_, family) in catalog.iter() {
            let together = List::build_all(family, &days, &hasher);
            assert_eq!(together.len(), days.len());
            for (list, day) in together.iter().zip(days) {
                let alone = List::build(family, day, &hasher);
                assert_eq!((list.names().count(), list.is_large()), (alone.names().count(), alone.is_large()));
                for place in 0..alone.names().count() as u32 {
                    let name = alone.names().name(place);
                    assert_eq!(list.names().name(place), name);
                    let hash = List::hash(&hasher, &name);
                    assert_eq!(list.find(hash, &name), alone.find(hash, &name));
                }
            }
        }
    }
}
