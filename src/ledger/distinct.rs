//! How many different addresses: exactly as long as they are few, then by a sketch whose error is known.
//!
//! Two counts become one without counting an address twice, whichever way each is kept, and the result is that of one count
//! that saw both. Sums of counts are wrong.

use std::net::{IpAddr, Ipv6Addr};

use datasketches::hll::{HllSketch, HllType, HllUnion};
use hashbrown::HashSet;

/// Addresses that are counted exactly, at most.
pub const EXACT: usize = 1 << 18;

/// The binary logarithm of the sketch's registers: 16 KiB.
const REGISTERS: u8 = 14;

/// The standard error of a sketch with 2^14 registers (P. Flajolet, E. Fusy, O. Gandouet, F. Meunier, "HyperLogLog", 2007),
/// and what its interval of 95 % reaches to.
const ERROR: f64 = 1.04 / 128.0;
const Z: f64 = 1.959_964;

/// A count of different addresses. Of IPv6 each /64 counts once: a host has many addresses in one.
pub struct Distinct {
    kept: Kept,
    /// What addresses are hashed with, so that nobody can choose addresses that collide. Counts are merged under one key.
    key: u64,
    exact: usize,
}

enum Kept {
    Exact(HashSet<IpAddr>),
    Sketch(Box<HllSketch>),
}

/// How many there are: between low and high with 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// The lower bound.
    pub low: f64,
    /// The likeliest.
    pub best: f64,
    /// The upper bound.
    pub high: f64,
}

impl Count {
    /// Without error.
    pub const fn exactly(count: usize) -> Self {
        let count = count as f64;
        Self { low: count, best: count, high: count }
    }
}

impl Distinct {
    /// None yet, with up to `exact` of them counted exactly, at most [`EXACT`].
    pub fn new(key: u64, exact: usize) -> Self {
        Self { kept: Kept::Exact(HashSet::new()), key, exact: exact.min(EXACT) }
    }

    /// One more, which may be known.
    pub fn add(&mut self, address: IpAddr) {
        let address = counted_as(address);
        match &mut self.kept {
            Kept::Sketch(sketch) => sketch.update((self.key, address)),
            Kept::Exact(addresses) => {
                addresses.insert(address);
                if addresses.len() > self.exact {
                    self.kept = Kept::Sketch(Box::new(sketch(self.key, addresses)));
                }
            }
        }
    }

    /// Takes all of another count of the same key. Nothing changes when the keys differ.
    ///
    /// # Errors
    /// When they do.
    pub fn merge(&mut self, other: &Self) -> Result<(), OtherKey> {
        if self.key != other.key {
            return Err(OtherKey);
        }
        if let Kept::Exact(addresses) = &other.kept {
            addresses.iter().for_each(|address| self.add(*address));
            return Ok(());
        }
        let mut union = HllUnion::new(REGISTERS).expect("the number of registers is one that there is");
        for count in [&*self, other] {
            match &count.kept {
                Kept::Exact(addresses) => union.update(&sketch(count.key, addresses)),
                Kept::Sketch(sketch) => union.update(sketch),
            }
        }
        self.kept = Kept::Sketch(Box::new(union.to_sketch(HllType::Hll8)));
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> Count {
        match &self.kept {
            Kept::Exact(addresses) => Count::exactly(addresses.len()),
            Kept::Sketch(sketch) => {
                // Not the estimate that depends on the order in which addresses came.
                let best = sketch.composite_estimate();
                Count { low: best * (1.0 - Z * ERROR), best, high: best * (1.0 + Z * ERROR) }
            }
        }
    }

    /// Whether each address is known.
    pub const fn is_exact(&self) -> bool {
        matches!(self.kept, Kept::Exact(_))
    }
}

/// Counts under different keys have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherKey;

fn sketch(key: u64, addresses: &HashSet<IpAddr>) -> HllSketch {
    let mut sketch = HllSketch::new(REGISTERS, HllType::Hll8).expect("the number of registers is one that there is");
    addresses.iter().for_each(|address| sketch.update((key, *address)));
    sketch
}

/// What an address is counted as.
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// Different addresses, spread over all.
    fn addresses(seed: u32, count: u32) -> impl Iterator<Item = IpAddr> {
        (0..count).map(move |n| IpAddr::V4(Ipv4Addr::from(n.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(0x9E37_79B9))))
    }

    fn of(key: u64, exact: usize, addresses: impl Iterator<Item = IpAddr>) -> Distinct {
        let mut distinct = Distinct::new(key, exact);
        addresses.for_each(|address| distinct.add(address));
        distinct
    }

    #[test]
    fn few_are_exact_and_many_nearly() {
        let distinct = of(1, EXACT, addresses(0, EXACT as u32).chain(addresses(0, 1_000)));
        assert!(distinct.is_exact());
        assert_eq!(distinct.count(), Count { low: 262_144.0, best: 262_144.0, high: 262_144.0 });
        let mut distinct = distinct;
        addresses(0, EXACT as u32 + 1).for_each(|address| distinct.add(address));
        let Count { low, best, high } = distinct.count();
        assert!(!distinct.is_exact() && low < 262_145.0 && 262_145.0 < high && (best / 262_145.0 - 1.0).abs() < 0.035);
    }

    #[test]
    fn the_error_of_a_sketch_is_what_it_says() {
        let mut squares = 0.0;
        for key in 0..60 {
            let error = of(key, 0, addresses(key as u32, 20_000)).count().best / 20_000.0 - 1.0;
            assert!(error.abs() < 0.035, "{key}: {error}");
            squares += error * error;
        }
        assert!(f64::sqrt(squares / 60.0) < 0.01);
    }

    #[test]
    fn merged_is_what_one_would_have_counted() {
        for (exact, other) in [(EXACT, EXACT), (EXACT, 0), (0, EXACT), (0, 0)] {
            let mut merged = of(7, exact, addresses(0, 60_000));
            merged.merge(&of(7, other, addresses(0, 90_000).skip(40_000))).unwrap();
            let one = of(7, exact.min(other), addresses(0, 90_000));
            assert_eq!((merged.count(), merged.is_exact()), (one.count(), one.is_exact()), "{exact} {other}");
        }
        let mut distinct = of(7, 10, addresses(0, 5));
        assert_eq!(distinct.merge(&of(8, 10, addresses(0, 9))), Err(OtherKey));
        assert_eq!(distinct.count().best, 5.0);
    }

    #[test]
    fn networks_of_ipv6_count_once() {
        let addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"];
        assert_eq!(of(0, 10, addresses.into_iter().map(|address| address.parse().unwrap())).count().best, 4.0);
    }
}
