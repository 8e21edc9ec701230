//! What a generated name can look like: tells most names apart before any list is touched.
//!
//! A generated name is one label of letters and digits under one of a few suffixes. In wire form nearly all of these take
//! at most eight octets (`\x03com\x02tw\0`), so they fit a word and are found with one probe of a table of a few kilobytes.
//! Of a longer one the last eight octets are looked at: that lets other names pass, never keeps one out.

use super::glance::Shapes;
use crate::dga::{Catalog, Shape};
use crate::name::{MAX_LABEL, RawName};

/// Slots of the suffix table, a power of two several times the number of suffixes that any families bring.
const SLOTS: usize = 1024;

/// Which families could generate a name.
pub(super) struct Gate {
    /// Suffixes as words with the families that use them, where the probe finds them; 0 is a free slot.
    suffixes: Box<[(u64, u64); SLOTS]>,
    /// Families whose first label may have so many letters.
    by_length: [u64; MAX_LABEL + 1],
    /// The most octets of a suffix in wire form, eight at least.
    longest_suffix: usize,
    /// Families that may generate anything.
    any: u64,
}

/// Octets of a suffix that the table tells apart.
const WORD: usize = 8;

impl Gate {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let mut gate = Self { suffixes: Box::new([(0, 0); SLOTS]), by_length: [0; MAX_LABEL + 1], longest_suffix: WORD, any: 0 };
        for (id, family) in catalog.iter() {
            let bit = 1 << id;
            match family.shape() {
                Shape::Generated { first_label: (shortest, longest), suffixes } => {
                    gate.by_length[shortest..=longest.min(MAX_LABEL)].iter_mut().for_each(|families| *families |= bit);
                    for suffix in suffixes {
                        let suffix = suffix.as_wire();
                        gate.longest_suffix = gate.longest_suffix.max(suffix.len());
                        gate.insert(word(suffix, suffix.len().min(WORD)), bit);
                    }
                }
                Shape::Any => gate.any |= bit,
            }
        }
        gate
    }

    /// The shapes of names for which families are not ruled out by lengths alone.
    pub(super) fn shapes(&self) -> Shapes {
        let mut shapes = [if self.any > 0 { u64::MAX } else { 0 }; 256];
        for first in (0..=MAX_LABEL).filter(|first| self.by_length[*first] > 0) {
            // 1 + 63 + the longest suffix: far below 256, as far as suffixes are built in.
            (1..=self.longest_suffix).for_each(|suffix| shapes[1 + first + suffix] |= 1 << first);
        }
        shapes
    }

    /// The families that could generate `name`, as a set of bits.
    #[inline]
    pub(super) fn families(&self, name: RawName<'_>) -> u64 {
        let wire = name.as_wire();
        let first = usize::from(wire[0]);
        let possible = self.by_length[first % self.by_length.len()];
        // The suffix is what follows the first label: its length octet, the label.
        let suffix = wire.len().wrapping_sub(1 + first);
        if possible == 0 || suffix > self.longest_suffix {
            return self.any;
        }
        self.any | possible & self.probe(word(wire, suffix.min(WORD)))
    }

    fn insert(&mut self, suffix: u64, bit: u64) {
        let slot = self.slots(suffix).find(|slot| matches!(self.suffixes[*slot].0, 0) || self.suffixes[*slot].0 == suffix);
        let slot = slot.expect("families bring a few hundred suffixes at most");
        self.suffixes[slot] = (suffix, self.suffixes[slot].1 | bit);
    }

    #[inline]
    fn probe(&self, suffix: u64) -> u64 {
        for slot in self.slots(suffix) {
            match self.suffixes[slot] {
                (0, _) => return 0,
                (found, families) if found == suffix => return families,
                _ => {}
            }
        }
        0
    }

    /// The order in which slots are tried. The suffixes are ours, so the mixing (2^64 over the golden ratio) needs no key.
    fn slots(&self, suffix: u64) -> impl Iterator<Item = usize> + use<> {
        let start = (suffix.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize;
        (0..SLOTS).map(move |step| (start + step) % SLOTS)
    }
}

/// The last `length` octets of a name, at most eight, as a number that is the same in either case: a name is told by it in one
/// direction only, as the bit that sets letters apart is taken from all octets alike.
#[inline]
pub(super) fn word(wire: &[u8], length: usize) -> u64 {
    /// The bit of each octet that is set in small letters and clear in large ones.
    const SMALL: u64 = 0x2020_2020_2020_2020;
    debug_assert!((1..=8).contains(&length));
    let octets = wire.last_chunk().copied().unwrap_or_else(|| {
        let mut octets = [0; 8];
        octets[8 - wire.len()..].copy_from_slice(wire);
        octets
    });
    (u64::from_be_bytes(octets) | SMALL) & u64::MAX >> (64 - 8 * length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Day;
    use crate::name::Name;

    #[test]
    fn gate_opens_for_what_families_generate() {
        let mut catalog = Catalog::default();
        catalog.add("conficker").unwrap();
        let gate = Gate::new(&catalog);
        let (a, b, c) = (1, 2, 4);
        let rows = [
            ("abcde.com", a | b),
            ("ABCDE.Com", a | b),
            ("abcd.com", 0),
            ("abcdefghijk.org", a | b),
            ("abcdefghijkl.org", 0),
            ("abcde.cn", b | c),
            ("abcd.cn", c),
            ("abcdefghij.cn", b),
            ("abcd.com.tw", c),
            ("abcd.co.uk", c),
            ("www.abcde.com", 0),
            ("abcde.museum", 0),
            ("abcde", 0),
            (".", 0),
            ("abcde.co.com.tw", 0),
        ];
        for (text, families) in rows {
            let mut wire = Name::parse(text).unwrap().as_wire().to_vec();
            if text.starts_with('A') {
                wire.make_ascii_uppercase();
            }
            assert_eq!(gate.families(RawName::take(&wire).unwrap()), families, "{text}");
        }
    }

    #[test]
    fn words_are_the_same_in_either_case() {
        for octet in 0..=255_u8 {
            let words = [octet, octet.to_ascii_lowercase(), octet.to_ascii_uppercase()].map(|octet| word(&[1, octet, 0], 3));
            assert_eq!(words, [words[0]; 3], "{octet}");
        }
        assert_ne!(word(b"\x03com\0", 5), word(b"\x03con\0", 5));
        assert_eq!(word(b"\x03www\x03com\0", 5), word(b"\x03COM\0", 5));
    }

    #[test]
    fn gate_never_closes_on_a_listed_name() {
        let mut catalog = Catalog::default();
        catalog.add("synthetic:20000").unwrap();
        catalog.add("conficker").unwrap();
        catalog.add_list("ours", b"a.very.long.name.example\nx\n").unwrap();
        Catalog::built_in().iter().for_each(|(_, family)| catalog.add(family.id()).unwrap());
        let gate = Gate::new(&catalog);
        let shapes = gate.shapes();
        for (id, family) in catalog.iter() {
            family.names(Day::of(2012, 2, 29), &mut |name| {
                let wire = name.as_wire();
                assert!(gate.families(name.as_raw()) & 1 << id > 0, "{name}");
                assert!(shapes[wire.len()] & 1 << wire[0] > 0, "{name}");
            });
        }
        assert_eq!(gate.families(Name::root().as_raw()), 1 << 4);
    }
}
