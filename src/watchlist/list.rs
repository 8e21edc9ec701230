//! One family's names of one day, to be looked up: exact, and nothing in it depends on a stranger.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::{Hasher, known_collision};
use crate::day::Day;
use crate::dga::Family;
use crate::name::{Name, RawName};

/// The names of a list day. A name that the list holds twice is found at its first place.
pub struct List {
    /// The names in wire form, one behind the other.
    octets: Vec<u8>,
    /// Where each name begins.
    starts: Vec<u32>,
    /// Places of names, by the hash of the name.
    places: HashTable<u32>,
    /// Places of names that honest people own, ascending.
    collisions: Vec<u32>,
}

impl List {
    /// Computes the list of a day. Lookups must hash with the same `hasher`.
    ///
    /// # Panics
    /// When the names take over 4 GiB.
    pub fn build(family: &dyn Family, day: Day, hasher: &Hasher) -> Self {
        let count = family.count(day) as usize;
        let mut list = Self {
            // Generated names take 9 to 18 octets, 13 on average.
            octets: Vec::with_capacity(14 * count),
            starts: Vec::with_capacity(count),
            places: HashTable::with_capacity(count),
            collisions: vec![],
        };
        family.names(day, &mut |name| {
            let place = list.starts.len() as u32;
            let start = u32::try_from(list.octets.len()).expect("a list of over 4 GiB of names was asked for");
            if known_collision(name).is_some() {
                list.collisions.push(place);
            }
            list.starts.push(start);
            list.octets.extend_from_slice(name.as_wire());
            let hash = Self::hash(hasher, name);
            if list.find(hash, name).is_none() {
                let Self { octets, starts, places, .. } = &mut list;
                places.insert_unique(hash, place, |&place| hasher.hash_one(wire(octets, starts, place)));
            }
        });
        list
    }

    /// The hash of a name, as [`Self::find`] wants it.
    #[inline]
    pub fn hash(hasher: &Hasher, name: &Name) -> u64 {
        hasher.hash_one(name.as_wire())
    }

    /// The first place of `name`, if the list holds it.
    #[inline]
    pub fn find(&self, hash: u64, name: &Name) -> Option<u32> {
        self.places.find(hash, |&place| wire(&self.octets, &self.starts, place) == name.as_wire()).copied()
    }

    /// Whether honest people own the name at a place.
    pub fn is_collision(&self, place: u32) -> bool {
        self.collisions.binary_search(&place).is_ok()
    }

    /// The name at a place.
    ///
    /// # Panics
    /// When the list has no such place.
    pub fn name(&self, place: u32) -> RawName<'_> {
        RawName::take(&self.octets[self.starts[place as usize] as usize..]).expect("only names were put in")
    }

    /// Names in it, repeated ones included.
    pub const fn count(&self) -> usize {
        self.starts.len()
    }

    /// Octets that it takes in memory.
    pub fn size(&self) -> usize {
        self.octets.capacity() + 4 * self.starts.capacity() + self.places.allocation_size()
    }
}

#[inline]
fn wire<'a>(octets: &'a [u8], starts: &[u32], place: u32) -> &'a [u8] {
    let place = place as usize;
    let end = starts.get(place + 1).map_or(octets.len(), |end| *end as usize);
    &octets[starts[place] as usize..end]
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
        for (_, family) in catalog.iter() {
            let list = List::build(family, day, &hasher);
            let mut oracle: HashMap<String, u32> = HashMap::new();
            let mut names = vec![];
            family.names(day, &mut |name| {
                oracle.entry(name.to_string()).or_insert(names.len() as u32);
                names.push(name.to_string());
            });
            for (place, text) in names.iter().enumerate() {
                assert_eq!(list.name(place as u32).to_string(), *text);
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
}
