//! The second look at a name: whether a pattern could match it, before anything is lower-cased or hashed whole.

use super::Patterns;
use super::shape::word;

/// Beginnings and ends of patterns, hashed into a few bits each; wrong in one direction only.
#[derive(Debug, Default)]
pub(super) struct Outlines {
    /// The first octets of whole names.
    heads: Bits,
    /// Last octets of a name that are compared with those of suffixes: as many as the shortest has, at most eight; 0
    /// where there is no suffix.
    reach: usize,
    /// Which of these occur.
    tails: Bits,
    /// Whether any name could match.
    all: bool,
}

impl Outlines {
    pub(super) fn new(patterns: &Patterns) -> Self {
        let mut outlines = Self { all: patterns.has_texts(), ..Self::default() };
        patterns.names().for_each(|wire| outlines.heads.insert(head(wire)));
        outlines.reach = patterns.suffixes().map(|wire| wire.len().min(8)).min().unwrap_or(0);
        patterns.suffixes().for_each(|wire| outlines.tails.insert(word(wire, outlines.reach)));
        outlines
    }

    /// Whether a pattern could match a name of wire form, in any case.
    #[inline]
    pub(super) fn fit(&self, wire: &[u8]) -> bool {
        self.all || self.heads.holds(head(wire)) || self.reach > 0 && self.tails.holds(word(wire, self.reach))
    }
}

/// The first octets of a name, at most eight, as a number, in lower case.
#[inline]
fn head(wire: &[u8]) -> u64 {
    let octets = wire.len().min(8);
    word(&wire[..octets], octets)
}

/// A set of numbers, each a bit among 4,096. They are the user's own, so the mixing (2^64 over the golden ratio) needs no key.
#[derive(Debug)]
struct Bits(Box<[u64; 64]>);

impl Default for Bits {
    fn default() -> Self {
        Self(Box::new([0; 64]))
    }
}

impl Bits {
    fn insert(&mut self, number: u64) {
        let (place, bit) = Self::slot(number);
        self.0[place] |= bit;
    }

    #[inline]
    fn holds(&self, number: u64) -> bool {
        let (place, bit) = Self::slot(number);
        self.0[place] & bit > 0
    }

    #[inline]
    const fn slot(number: u64) -> (usize, u64) {
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}
