//! One look for all open lists of a family, in front of looks into each: most names that could be on one are on none.
//!
//! A Bloom filter of one word a name. It is made when the lists of a day are opened and gone with them, so that lists stay
//! parts of their own.

use super::{Hasher, List};

/// Names for each word: 2 bits of 64 for each of 4 let one of a hundred others pass.
const NAMES_A_WORD: usize = 4;

/// More names are not put in front of: the filter would not stay in the processor's cache.
const MOST_NAMES: usize = 1 << 19;

/// Which hashes lists may hold.
pub(super) struct Front {
    words: Box<[u64]>,
}

impl Front {
    /// Of lists whose lookups hash with `hasher`; nothing where it would not pay.
    pub(super) fn of(lists: &[&List], hasher: &Hasher) -> Option<Self> {
        let count: usize = lists.iter().map(|list| list.names().count()).sum();
        if count > MOST_NAMES || lists.iter().any(|list| list.is_large()) {
            return None;
        }
        let mut front = Self { words: vec![0; (count / NAMES_A_WORD).max(1).next_power_of_two()].into() };
        lists.iter().for_each(|list| list.names().hash(hasher, &mut |hash| front.add(hash)));
        Some(front)
    }

    /// Whether a list may hold a name of this hash; wrong in this direction only.
    #[inline]
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let bits = bits(hash);
        self.words[self.place(hash)] & bits == bits
    }

    fn add(&mut self, hash: u64) {
        let place = self.place(hash);
        self.words[place] |= bits(hash);
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        (hash >> 12) as usize & (self.words.len() - 1)
    }
}

/// Two bits of a word by the twelve lowest of a hash.
#[inline]
const fn bits(hash: u64) -> u64 {
    1 << (hash & 63) | 1 << (hash >> 6 & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Day;
    use crate::dga::Catalog;
    use crate::name::Name;

    #[test]
    fn all_that_lists_hold_passes_and_little_else() {
        let mut catalog = Catalog::default();
        catalog.add("conficker").unwrap();
        catalog.add_list("none", b"a.example,2001-01-01").unwrap();
        let (hasher, day) = (Hasher::default(), Day::of(2009, 3, 31));
        for (_, family) in catalog.iter() {
            let lists = [-1, 0, 1].map(|days| List::build(family, day.plus(days), &hasher));
            let front = Front::of(&lists.each_ref(), &hasher).unwrap();
            for list in &lists {
                for place in 0..list.names().count() as u32 {
                    assert!(front.may_hold(List::hash(&hasher, &list.names().name(place))));
                }
            }
            let other = |number: u32| Name::parse(&format!("x{number}.example")).unwrap();
            let passed = (0..100_000).filter(|number| front.may_hold(List::hash(&hasher, &other(*number)))).count();
            assert!(passed < 2_000, "{passed} of 100,000 pass for {}", family.id());
        }
    }

    #[test]
    fn large_lists_have_filters_of_their_own() {
        let mut catalog = Catalog::default();
        catalog.add("synthetic:100000").unwrap();
        let hasher = Hasher::default();
        let list = List::build(catalog.family(0), Day::of(2009, 3, 31), &hasher);
        assert!(Front::of(&[&list], &hasher).is_none());
    }
}
