//! Where in a list a name is: places by the hash of their names, five octets a name, without the names themselves.
//!
//! ```text
//!   ends      | 7 | 16 | 22 | ...              one for each bucket of eight names, more or less
//!   entries   | e0 ... e6 | e7 ... e15 | ...   tag (what bits the place leaves) and place, in 32 bits
//! ```
//!
//! The hash chooses a bucket and a tag. Who wants to be sure compares the names at the places whose tags agree.

use super::fetch::touch;
use super::pages::{Memory, Pages};

/// Names for each bucket, on average.
const NAMES_A_BUCKET: usize = 8;

/// Places of names. Built in two passes over the same hashes: [`Counting`], then [`Filling`].
#[derive(Debug)]
pub(super) struct Table<M = Pages> {
    /// Where the entries of each bucket end; those of the next begin there.
    ends: M,
    entries: M,
    /// Low bits of an entry that are a place.
    place_bits: u32,
}

/// A table that learns how many names each bucket has.
pub(super) struct Counting(Table);

/// A table that takes the places.
pub(super) struct Filling(Table);

impl Counting {
    /// For so many names.
    pub(super) fn new(names: u32) -> Self {
        let (ends, entries) = Table::octets_for(names);
        Self(Table { ends: Pages::new(ends), entries: Pages::new(entries), place_bits: place_bits(names) })
    }

    /// The hashes of the next names.
    pub(super) fn count(&mut self, hashes: &[u64]) {
        let ends = self.0.ends.groups_mut::<4>();
        touch(hashes.iter().map(|hash| ends[bucket(*hash, ends.len())][0]));
        for &hash in hashes {
            let bucket = bucket(hash, ends.len());
            add(&mut ends[bucket], 1);
        }
    }

    /// After all names.
    pub(super) fn counted(mut self) -> Filling {
        // Until a bucket is filled, its end is where it begins.
        let mut before = 0_u32;
        for end in self.0.ends.groups_mut::<4>() {
            let count = u32::from_le_bytes(*end);
            *end = before.to_le_bytes();
            before += count;
        }
        Filling(self.0)
    }
}

impl Filling {
    /// The same hashes again, of places from `first` on.
    ///
    /// # Panics
    /// When they are others.
    pub(super) fn fill(&mut self, hashes: &[u64], first: u32) {
        let Table { ends, entries, place_bits } = &mut self.0;
        let (ends, entries) = (ends.groups_mut::<4>(), entries.groups_mut::<4>());
        touch(hashes.iter().map(|hash| ends[bucket(*hash, ends.len())][0]));
        touch(hashes.iter().map(|hash| {
            let entry = u32::from_le_bytes(ends[bucket(*hash, ends.len())]) as usize;
            // A full bucket at the end of all has nothing behind it.
            entries.get(entry).map_or(0, |entry| entry[0])
        }));
        for (&hash, place) in hashes.iter().zip(first..) {
            let bucket = bucket(hash, ends.len());
            let entry = add(&mut ends[bucket], 1) as usize;
            entries[entry] = (tag(hash, *place_bits) | place).to_le_bytes();
        }
    }

    /// After all names.
    pub(super) fn filled(self) -> Table {
        self.0
    }
}

impl Table {
    /// Octets that the ends and the entries of one for so many names take: at least a group of each.
    pub(super) fn octets_for(names: u32) -> (usize, usize) {
        (4 * (names as usize).div_ceil(NAMES_A_BUCKET).max(1), 4 * (names as usize).max(1))
    }
}

impl<M: Memory> Table<M> {
    /// One that was made before for so many names, of as many octets as [`Table::octets_for`] says. What they hold may be
    /// anything: then it finds other places, or none.
    pub(super) const fn over(names: u32, ends: M, entries: M) -> Self {
        Self { ends, entries, place_bits: place_bits(names) }
    }

    /// Its ends and its entries, which are part of the format of compiled files: what is changed here makes another version
    /// of it.
    pub(super) fn octets(&self) -> (&[u8], &[u8]) {
        (self.ends.octets(), self.entries.octets())
    }

    /// The first place, among those whose names may have this hash, that `is` it.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let ends = self.ends.groups::<4>();
        let bucket = bucket(hash, ends.len());
        let start = bucket.checked_sub(1).map_or(0, |before| u32::from_le_bytes(ends[before]));
        let end = u32::from_le_bytes(ends[bucket]);
        let wanted = tag(hash, self.place_bits);
        let mask = (1_u64 << self.place_bits) as u32;
        // A damaged file may say anything of where a bucket begins and ends.
        let bucket = self.entries.groups::<4>().get(start as usize..end as usize).unwrap_or_default();
        let places = bucket.iter().filter_map(|entry| {
            let differs = u32::from_le_bytes(*entry) ^ wanted;
            // What differs is the place alone where the tag agrees.
            (u64::from(differs) >> self.place_bits == 0).then_some(differs & mask.wrapping_sub(1))
        });
        // Entries of a bucket stand in the order of their places.
        places.into_iter().find(|place| is(*place))
    }
}

/// Low bits of an entry that tell one of so many places.
const fn place_bits(names: u32) -> u32 {
    u32::BITS - names.saturating_sub(1).leading_zeros()
}

#[inline(always)]
const fn bucket(hash: u64, buckets: usize) -> usize {
    (((hash >> 32) * buckets as u64) >> 32) as usize
}

/// As many low bits of the hash as a place leaves free, above it.
#[inline(always)]
const fn tag(hash: u64, place_bits: u32) -> u32 {
    (hash << place_bits) as u32
}

/// Adds to a number and returns what it was.
#[inline(always)]
fn add(number: &mut [u8; 4], more: u32) -> u32 {
    let before = u32::from_le_bytes(*number);
    *number = (before + more).to_le_bytes();
    before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchlist::Hasher;

    #[test]
    fn places_in_order() {
        let hasher = Hasher::default();
        for names in [0_u32, 1, 2, 3, 8, 9, 255, 256, 257, 100_000] {
            // Every third hash comes twice.
            let hash = |place: u32| hasher.hash(&(if place % 3 == 2 { place - 1 } else { place }).to_le_bytes());
            let hashes: Vec<u64> = (0..names).map(hash).collect();
            let mut table = Counting::new(names);
            hashes.chunks(7).for_each(|hashes| table.count(hashes));
            let mut table = table.counted();
            hashes.chunks(7).zip((0..).step_by(7)).for_each(|(hashes, first)| table.fill(hashes, first));
            let table = table.filled();
            let mut others = 0;
            for place in 0..names {
                let mut asked = vec![];
                let found = table.find(hash(place), |candidate| {
                    asked.push(candidate);
                    candidate == place
                });
                assert_eq!(found, Some(place));
                assert!(asked.is_sorted());
                others += asked.iter().filter(|candidate| hash(**candidate) != hash(place)).count();
                assert_eq!(table.find(hash(place), |_| false), None);
            }
            // A tag has 15 bits left at 100,000 names, of which few share a bucket.
            assert!(others <= 100, "{others} of {names}");
        }
    }
}
