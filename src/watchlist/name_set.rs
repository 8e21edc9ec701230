//! A set of names, exact and small: the names one behind the other, and a table of their places.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::name::{Name, RawName};

/// Names, each once, with a place in the order in which they came.
#[derive(Default)]
pub struct NameSet {
    octets: Vec<u8>,
    starts: Vec<u32>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl NameSet {
    /// Adds a name. Its place, and whether it is new.
    ///
    /// # Errors
    /// When the names take over 4 GiB.
    pub fn insert(&mut self, name: &Name) -> Result<(u32, bool), String> {
        let hash = self.hasher.hash_one(name.as_wire());
        if let Some(place) = self.find(hash, name) {
            return Ok((place, false));
        }
        let start = u32::try_from(self.octets.len()).map_err(|_| "the names take over 4 GiB of memory".to_owned())?;
        // Fewer names than octets.
        let place = self.starts.len() as u32;
        self.octets.extend_from_slice(name.as_wire());
        self.starts.push(start);
        let Self { octets, starts, places, hasher } = self;
        places.insert_unique(hash, place, |&place| hasher.hash_one(wire(octets, starts, place)));
        Ok((place, true))
    }

    /// The place of a name that is in it.
    pub fn place(&self, name: &Name) -> Option<u32> {
        if self.starts.is_empty() {
            return None;
        }
        self.find(self.hasher.hash_one(name.as_wire()), name)
    }

    /// The name at a place.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn name(&self, place: u32) -> RawName<'_> {
        RawName::take(wire(&self.octets, &self.starts, place)).expect("only names were put in")
    }

    /// Names in it.
    pub const fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    fn find(&self, hash: u64, name: &Name) -> Option<u32> {
        self.places.find(hash, |&place| wire(&self.octets, &self.starts, place) == name.as_wire()).copied()
    }
}

fn wire<'a>(octets: &'a [u8], starts: &[u32], place: u32) -> &'a [u8] {
    let place = place as usize;
    let end = starts.get(place + 1).map_or(octets.len(), |end| *end as usize);
    &octets[starts[place] as usize..end]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn as_a_map() {
        let mut set = NameSet::default();
        let mut map: HashMap<String, u32> = HashMap::new();
        for number in (0..5_000).chain(2_000..8_000) {
            let text = format!("n{}.example", number % 6_000);
            let name = Name::parse(&text).unwrap();
            let next = map.len() as u32;
            let new = !map.contains_key(&text);
            let place = *map.entry(text).or_insert(next);
            assert_eq!(set.insert(&name), Ok((place, new)));
        }
        assert_eq!((set.len(), set.is_empty()), (map.len(), false));
        for (text, place) in &map {
            let name = Name::parse(text).unwrap();
            assert_eq!(set.place(&name), Some(*place));
            assert_eq!(set.name(*place).to_string(), *text);
        }
        assert_eq!(set.place(&Name::root()), None);
        assert_eq!(NameSet::default().place(&Name::root()), None);
    }
}
