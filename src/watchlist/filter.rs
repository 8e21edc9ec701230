//! Whether a list could hold a name: one cache line says no to nearly all that it does not hold.
//!
//! A Bloom filter in blocks (F. Putze, P. Sanders, J. Singler, "Cache-, hash- and space-efficient Bloom filters", 2007):
//! the hash of a name chooses a line of 64 octets and six of its 512 bits. Of 1,000 other names about six pass.

use super::fetch::touch;
use super::pages::{Memory, Pages};

/// Bits for each name, and how many of them each name sets.
const BITS_A_NAME: usize = 12;
const PROBES: u32 = 6;

/// Octets that a processor fetches at once.
const LINE: usize = 64;

/// Names of a list, approximately: wrong in one direction only.
#[derive(Debug)]
pub(super) struct Filter<M = Pages> {
    lines: M,
}

impl Filter {
    /// An empty one for so many names.
    pub(super) fn new(names: u32) -> Self {
        Self { lines: Pages::new(Self::octets_for(names)) }
    }

    /// Octets that one for so many names takes: at least a line.
    pub(super) fn octets_for(names: u32) -> usize {
        (names as usize * BITS_A_NAME).div_ceil(8 * LINE).max(1) * LINE
    }

    /// Takes the hashes of some names: many at once, so that their lines come from memory beside each other.
    pub(super) fn insert(&mut self, hashes: &[u64]) {
        let lines = self.lines.groups_mut::<LINE>();
        touch(hashes.iter().map(|hash| lines[place(*hash, lines.len()).0][0]));
        for &hash in hashes {
            let (place, mut bits) = place(hash, lines.len());
            let line = &mut lines[place];
            for _ in 0..PROBES {
                line[(bits >> 3) as usize % LINE] |= 1 << (bits & 7);
                bits >>= 9;
            }
        }
    }
}

impl<M: Memory> Filter<M> {
    /// One that was made before, of as many octets as [`Filter::octets_for`] says.
    pub(super) const fn over(lines: M) -> Self {
        Self { lines }
    }

    /// An octet of the line of a hash.
    #[inline(always)]
    pub(super) fn octet(&self, hash: u64) -> &u8 {
        let lines = self.lines.groups::<LINE>();
        &lines[place(hash, lines.len()).0][0]
    }

    /// Whether a name with this hash may be among those inserted.
    #[inline(always)]
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let lines = self.lines.groups::<LINE>();
        let (place, mut bits) = place(hash, lines.len());
        let line = &lines[place];
        // All six at once: a branch after each would be guessed wrong half of the time.
        let mut all = 1;
        for _ in 0..PROBES {
            all &= line[(bits >> 3) as usize % LINE] >> (bits & 7);
            bits >>= 9;
        }
        all & 1 > 0
    }

    /// Its octets, which are part of the format of compiled files: what is changed here makes another version of it.
    pub(super) fn octets(&self) -> &[u8] {
        self.lines.octets()
    }
}

/// A line out of so many, and 54 bits that choose six of its bits.
#[inline(always)]
const fn place(hash: u64, lines: usize) -> (usize, u64) {
    // Bits of 2^64 over the golden ratio and of pi: any odd numbers that share nothing do.
    let line = fold(hash, 0x9E37_79B9_7F4A_7C15) >> 32;
    (((line * lines as u64) >> 32) as usize, fold(hash, 0x2437_6A88_85A3_08D3))
}

/// Mixes every bit of a hash into every bit: that of the lists is good for its own table, and for no more.
#[inline(always)]
const fn fold(hash: u64, factor: u64) -> u64 {
    let product = hash as u128 * factor as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchlist::Hasher;

    #[test]
    fn holds_all_and_lets_few_others_pass() {
        let hasher = Hasher::default();
        for names in [0_u32, 1, 250, 50_000, 1_000_000] {
            let mut filter = Filter::new(names);
            let hashes: Vec<u64> = (0..names).map(|number| hasher.hash(&number.to_le_bytes())).collect();
            filter.insert(&hashes);
            assert!(hashes.iter().all(|hash| filter.may_hold(*hash)));
            let others = (names..names + 100_000).filter(|number| filter.may_hold(hasher.hash(&number.to_le_bytes())));
            assert!(others.count() < 1_500, "{names}");
            assert!(filter.octets().len() as u32 <= 12 * names / 8 + 64);
        }
    }
}
