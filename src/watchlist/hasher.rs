//! What names are hashed with: keyed, so that strangers cannot choose names that meet in one bucket.

use std::hash::{BuildHasher, RandomState};

use hashbrown::DefaultHashBuilder;
use siphasher::sip::SipHasher13;

/// A keyed hash. Two of the same key hash alike, whatever machine they are on.
#[derive(Clone, Debug)]
pub struct Hasher(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// By a random seed that nobody else knows; other versions may hash otherwise.
    Own(DefaultHashBuilder),
    /// SipHash-1-3 by the key of a file, the same everywhere and always.
    Filed(SipHasher13),
}

/// The key of a file.
pub(super) type Key = [u8; 16];

impl Default for Hasher {
    /// One by a random seed.
    fn default() -> Self {
        Self(Kind::Own(DefaultHashBuilder::default()))
    }
}

impl Hasher {
    /// That of a file.
    pub(super) fn of(key: &Key) -> Self {
        Self(Kind::Filed(SipHasher13::new_with_key(key)))
    }

    /// The hash of some octets.
    #[inline]
    pub fn hash(&self, octets: &[u8]) -> u64 {
        match &self.0 {
            Kind::Own(seed) => seed.hash_one(octets),
            Kind::Filed(keyed) => keyed.hash(octets),
        }
    }
}

/// A random key.
pub(super) fn random_key() -> Key {
    // The standard library asks the system for a random key, and hides it behind SipHash.
    let random = RandomState::new();
    let mut key = [0; 16];
    key[..8].copy_from_slice(&random.hash_one(0).to_le_bytes());
    key[8..].copy_from_slice(&random.hash_one(1).to_le_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and input of appendix A in J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012. The value is
    /// SipHash-1-3's by a plain program that gives the paper's own for SipHash-2-4. It is part of the format of compiled files.
    #[test]
    fn hashes_alike_everywhere() {
        let key: Key = std::array::from_fn(|place| place as u8);
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(Hasher::of(&key).hash(&input), 0xD320_D86D_2A51_9956);
        assert_ne!(random_key(), random_key());
        assert_ne!(Hasher::default().hash(b"a"), Hasher::default().hash(b"a"));
    }
}
