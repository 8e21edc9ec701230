//! The lists that hosts ask from, and what else a sensor takes a name for: a name may be on the lists of several days and
//! families, and twice on one.

use std::collections::HashMap;

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use crate::day::Day;
use crate::dga::{Catalog, FamilyId};
use crate::name::RawName;

/// A list of one family and day, by number in the order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ListId(pub(super) u32);

/// A place on a list of a family and day.
pub(super) type Place = (FamilyId, Day, u32);

/// All lists in use.
pub(super) struct Lists {
    pub(super) catalog: Catalog,
    skew: i32,
    hasher: DefaultHashBuilder,
    by_day: HashMap<(FamilyId, Day), ListId>,
    lists: Vec<Listed>,
}

struct Listed {
    family: FamilyId,
    day: Day,
    names: Option<Names>,
    /// The last day on which somebody asked for a name of it.
    used: Day,
    /// By the day of a packet: where else names of it stand that a sensor looks for on that day.
    elsewhere: HashMap<Day, HashMap<u32, Vec<Place>>>,
}

/// The names of a list in memory.
struct Names {
    octets: Vec<u8>,
    /// Where each name begins.
    starts: Vec<u32>,
    /// The first place of each name.
    first: HashTable<u32>,
}

impl Names {
    fn get(&self, index: u32) -> &[u8] {
        let start = self.starts[index as usize] as usize;
        RawName::take(&self.octets[start..]).map_or(&[0], RawName::as_wire)
    }

    fn find(&self, hasher: &DefaultHashBuilder, wire: &[u8]) -> Option<u32> {
        self.first.find(hasher.hash_one(wire), |index| self.get(*index) == wire).copied()
    }
}

impl Lists {
    /// For a sensor that looks `skew` list days around each packet's own.
    pub(super) fn new(catalog: Catalog, skew: u16) -> Self {
        Self { catalog, skew: skew.into(), hasher: DefaultHashBuilder::default(), by_day: HashMap::new(), lists: vec![] }
    }

    /// The list of a family and day.
    pub(super) fn id(&mut self, family: FamilyId, day: Day) -> ListId {
        let next = ListId(self.lists.len() as u32);
        let id = *self.by_day.entry((family, day)).or_insert(next);
        if id == next {
            self.lists.push(Listed { family, day, names: None, used: day, elsewhere: HashMap::new() });
        }
        id
    }

    /// Whose list it is, and of which day.
    pub(super) fn key(&self, id: ListId) -> (FamilyId, Day) {
        let list = &self.lists[id.0 as usize];
        (list.family, list.day)
    }

    /// A name in wire form.
    pub(super) fn name(&mut self, id: ListId, index: u32) -> &[u8] {
        self.load(id).get(index)
    }

    /// Where a sensor finds a name that is asked for on a day: on its own list and others, in each at its first place.
    pub(super) fn places(&mut self, id: ListId, index: u32, today: Day, each: &mut dyn FnMut(Place)) {
        let (hasher, skew) = (self.hasher.clone(), self.skew);
        let names = self.load(id);
        let first = names.find(&hasher, names.get(index)).unwrap_or(index);
        if !self.lists[id.0 as usize].elsewhere.contains_key(&today) {
            let elsewhere = self.look_elsewhere(id, today);
            self.lists[id.0 as usize].elsewhere.insert(today, elsewhere);
        }
        let list = &mut self.lists[id.0 as usize];
        list.used = list.used.max(today);
        if (list.day.number() - today.number()).abs() <= skew {
            each((list.family, list.day, first));
        }
        list.elsewhere[&today].get(&first).into_iter().flatten().for_each(|place| each(*place));
    }

    /// Forgets names that nobody asked for since the day before.
    pub(super) fn tidy(&mut self, today: Day) {
        for list in self.lists.iter_mut().filter(|list| list.used < today.plus(-1)) {
            list.names = None;
            list.elsewhere.clear();
        }
    }

    fn load(&mut self, id: ListId) -> &Names {
        let Self { catalog, hasher, lists, .. } = self;
        let list = &mut lists[id.0 as usize];
        list.names.get_or_insert_with(|| {
            let mut names = Names { octets: vec![], starts: vec![], first: HashTable::new() };
            catalog.family(list.family).names(list.day, &mut |name| {
                let wire = name.as_wire();
                let index = names.starts.len() as u32;
                // At most 100 million names of at most 17 octets.
                names.starts.push(names.octets.len() as u32);
                names.octets.extend_from_slice(wire);
                let Names { octets, starts, first } = &mut names;
                let get =
                    |index: &u32| RawName::take(&octets[starts[*index as usize] as usize..]).map_or(&[0][..], RawName::as_wire);
                let rehash = |index: &u32| hasher.hash_one(get(index));
                first.entry(hasher.hash_one(wire), |known| get(known) == wire, rehash).or_insert(index);
            });
            names
        })
    }

    fn look_elsewhere(&self, id: ListId, today: Day) -> HashMap<u32, Vec<Place>> {
        let list = &self.lists[id.0 as usize];
        let mut found: HashMap<u32, Vec<Place>> = HashMap::new();
        let Some(names) = &list.names else { return found };
        for (family, generator) in self.catalog.iter() {
            for day in today.plus(-self.skew).through(today.plus(self.skew)) {
                if (family, day) == (list.family, list.day) {
                    continue;
                }
                let mut index = 0;
                generator.names(day, &mut |name| {
                    if let Some(here) = names.find(&self.hasher, name.as_wire()) {
                        let places = found.entry(here).or_default();
                        if !places.iter().any(|place| (place.0, place.1) == (family, day)) {
                            places.push((family, day, index));
                        }
                    }
                    index += 1;
                });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Against maps of strings: lists that are so dense that names meet.
    #[test]
    fn places_are_those_of_every_list() {
        let mut catalog = Catalog::default();
        for id in ["conficker-b", "synthetic:30000", "synthetic:20000", "conficker-c"] {
            catalog.add(id).unwrap();
        }
        let names = |catalog: &Catalog, family, day| {
            let mut names = vec![];
            catalog.family(family).names(day, &mut |name| names.push(name.to_string()));
            names
        };
        let day = Day::of(2009, 4, 1);
        let mut expected: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for family in 0..4 {
            for day in day.plus(-1).through(day.plus(1)) {
                for (index, name) in names(&catalog, family, day).into_iter().enumerate() {
                    let places = expected.entry(name).or_default();
                    if !places.iter().any(|place| (place.0, place.1) == (family, day)) {
                        places.push((family, day, index as u32));
                    }
                }
            }
        }
        let mut lists = Lists::new(catalog, 1);
        let mut several = 0;
        for family in [1, 3] {
            let id = lists.id(family, day);
            for (index, name) in names(&lists.catalog, family, day).iter().enumerate() {
                assert_eq!(RawName::take(lists.name(id, index as u32)).unwrap().to_string(), *name);
                let mut places = vec![];
                lists.places(id, index as u32, day, &mut |place| places.push(place));
                places.sort_unstable();
                several += usize::from(places.len() > 1);
                assert_eq!(&places, &expected[name], "{name}");
            }
        }
        assert!(several > 20_000, "{several}");
        // A clock that is wrong by more than a sensor looks for.
        let id = lists.id(0, day);
        lists.places(id, 0, day.plus(2), &mut |place| panic!("{place:?}"));
        lists.tidy(day.plus(9));
        assert_eq!(RawName::take(lists.name(id, 0)).unwrap().to_string(), names(&lists.catalog, 0, day)[0]);
    }
}
