//! One look for all open lists of a family, in front of looks into each: most names that could be on one are on none, and
//! those that are on one are on no other.
//!
//! A Bloom filter, and one more of the same size: bits of one stand for a name, of the other for a name and its list. They are made
//! when the lists of a day are opened and gone with them, so that lists stay parts of their own.

use super::List;
use super::shape::word;

/// Names for each word, at most: 2 bits of 64 for each of 8 let one of sixteen others pass, and fewer where the number of words
/// was rounded up.
const NAMES_A_WORD: usize = 8;

/// More names are not put in front of: the filter would not stay in the processor's cache.
const MOST_NAMES: usize = 1 << 19;

/// Which names lists may hold.
pub(super) struct Front {
    names: Box<[u64]>,
    /// Apart, as few names are looked for in both.
    lists: Box<[u64]>,
}

impl Front {
    /// Of lists; nothing where it would not pay.
    pub(super) fn of(lists: &[&List]) -> Option<Self> {
        let count: usize = lists.iter().map(|list| list.names().count()).sum();
        if count > MOST_NAMES || lists.iter().any(|list| list.is_large()) {
            return None;
        }
        let words = vec![0; (count / NAMES_A_WORD).max(1).next_power_of_two()];
        let mut front = Self { names: words.clone().into(), lists: words.into() };
        for (place, list) in lists.iter().enumerate() {
            list.names().each(&mut |wire| front.add(place, gist(wire)));
        }
        Some(front)
    }

    /// Whether any list may hold a name of this [`gist`]; wrong in this direction only.
    #[inline]
    pub(super) fn may_hold(&self, gist: u64) -> bool {
        let bits = bits(gist);
        self.names[self.place(gist)] & bits == bits
    }

    /// The same of the list at a place.
    #[inline]
    pub(super) fn may_be_on(&self, list: usize, gist: u64) -> bool {
        let bits = turned(bits(gist), list);
        self.lists[self.place(gist)] & bits == bits
    }

    /// An octet of what the questions read.
    #[inline]
    pub(super) fn peek(&self, gist: u64) -> u8 {
        let place = self.place(gist);
        (self.names[place] ^ self.lists[place]) as u8
    }

    fn add(&mut self, list: usize, gist: u64) {
        let place = self.place(gist);
        self.names[place] |= bits(gist);
        self.lists[place] |= turned(bits(gist), list);
    }

    #[inline]
    fn place(&self, gist: u64) -> usize {
        (gist >> 12) as usize & (self.names.len() - 1)
    }
}

/// The bits of a name of the list at a place: an odd number further for each, so that 64 lists differ.
#[inline]
const fn turned(bits: u64, list: usize) -> u64 {
    bits.rotate_left(11 * list as u32)
}

/// Two bits of a word by the twelve lowest of a gist.
#[inline]
const fn bits(gist: u64) -> u64 {
    1 << (gist & 63) | 1 << (gist >> 6 & 63)
}

/// What can be said of a name where it stands, before it is copied and all of it hashed: its first and its last eight
/// octets, in lower case, and its length, mixed. That is all of most generated names.
///
/// Names that share it cost a look into a list, as all did without it, so that it needs no key.
#[inline]
pub(super) fn gist(wire: &[u8]) -> u64 {
    /// Digits of pi behind the point, as words.
    const PI: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344];
    let octets = wire.len().min(8);
    let (first, last) = (word(&wire[..octets], octets), word(wire, octets));
    let product = u128::from(first ^ PI[0]) * u128::from(last ^ PI[1] ^ wire.len() as u64);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::super::Hasher;
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
            let front = Front::of(&lists.each_ref()).unwrap();
            let mut elsewhere = 0;
            for (at, list) in lists.iter().enumerate() {
                for place in 0..list.names().count() as u32 {
                    let gist = gist(list.names().name(place).as_wire());
                    assert!(front.may_hold(gist) && front.may_be_on(at, gist));
                    elsewhere += usize::from(front.may_be_on((at + 1) % lists.len(), gist));
                }
            }
            let names: usize = lists.iter().map(|list| list.names().count()).sum();
            assert!(elsewhere <= names / 10 + 10, "{elsewhere} of {names} pass for another list of {}", family.id());
            let other = |number: u32| gist(Name::parse(&format!("x{number}.example")).unwrap().as_wire());
            let passed = (0..100_000).filter(|number| front.may_hold(other(*number))).count();
            assert!(passed < 6_000, "{passed} of 100,000 pass for {}", family.id());
        }
    }

    #[test]
    fn large_lists_have_filters_of_their_own() {
        let mut catalog = Catalog::default();
        catalog.add("synthetic:100000").unwrap();
        let hasher = Hasher::default();
        let list = List::build(catalog.family(0), Day::of(2009, 3, 31), &hasher);
        assert!(Front::of(&[&list]).is_none());
    }
}
