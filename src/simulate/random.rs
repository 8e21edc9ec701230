//! Chance from a seed: the same numbers on every machine.
//!
//! The generator is PCG XSL 128/64 (MCG) of M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
//! Algorithms for Random Number Generation", 2014. What is drawn from it is computed here, with IEEE 754 arithmetic and
//! `libm`, because other crates' distributions may change between versions.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A stream of random numbers.
pub(super) struct Random(Pcg64Mcg);

impl Random {
    /// The stream of one part of a simulation: `path` tells parts apart, so that adding one changes no other.
    pub(super) fn new(seed: u64, path: &[u64]) -> Self {
        Self(Pcg64Mcg::seed_from_u64(path.iter().fold(mix(seed), |seed, step| mix(seed ^ step.wrapping_mul(STEP)))))
    }

    /// 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// At least 0, below 1.
    pub(super) fn unit(&mut self) -> f64 {
        // 53 bits, as many as a float holds.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `bound`, 0 if that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product; no number is preferred by more than bound / 2^64.
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// At least `range.0`, below `range.1`.
    pub(super) fn between(&mut self, range: (f64, f64)) -> f64 {
        range.0 + (range.1 - range.0) * self.unit()
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Exponentially distributed.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// Normally distributed (G. Box and M. Muller, 1958; of the two numbers, one).
    pub(super) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        mean + deviation * radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Poisson distributed, by counting exponential steps; from 1,000 on, by the normal distribution.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 1_000.0 {
            return self.normal(mean, libm::sqrt(mean)).max(0.0) as u64;
        }
        let mut steps = 0;
        let mut sum = self.exponential(1.0);
        while sum < mean {
            steps += 1;
            sum += self.exponential(1.0);
        }
        steps
    }
}

/// A random order of the numbers below `size`, without memory: a Feistel network over the next larger power of four,
/// walked until it comes back into the range (J. Black and P. Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
#[derive(Clone, Copy)]
pub(super) struct Shuffle {
    key: u64,
    size: u64,
    /// Bits of each half.
    half: u32,
}

/// Four would do against chance; more cost little.
const ROUNDS: u64 = 7;

impl Shuffle {
    /// The order that belongs to a key.
    pub(super) fn new(key: u64, size: u64) -> Self {
        let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
        Self { key, size, half: bits.div_ceil(2).max(1) }
    }

    /// How many numbers there are.
    pub(super) const fn size(self) -> u64 {
        self.size
    }

    /// The number at a place, which must be below the size.
    pub(super) fn at(self, place: u64) -> u64 {
        debug_assert!(place < self.size);
        let mut number = place;
        loop {
            number = self.turn(number);
            if number < self.size {
                return number;
            }
        }
    }

    fn turn(self, number: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ mix(self.key ^ (right << 3 | round)) & mask);
        }
        left << self.half | right
    }
}

/// What follows a number in SplitMix64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A number made from another, every bit from all bits: SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable
/// pseudorandom number generators", 2014).
pub(super) fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A share in [0, 1) that belongs to a number.
pub(super) fn share_of(number: u64) -> f64 {
    (mix(number) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream is part of what a seed means: captures made earlier must come out again.
    #[test]
    fn the_same_everywhere() {
        let mut random = Random::new(1, &[2, 3]);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, EXPECTED);
        assert_ne!(Random::new(1, &[3, 2]).bits(), drawn[0]);
    }

    const EXPECTED: [u64; 3] = [4_409_571_684_167_737_653, 3_181_227_277_740_588_993, 8_215_191_129_806_922_080];

    #[test]
    fn every_number_once() {
        for size in [1_u64, 2, 3, 5, 250, 256, 257, 50_000] {
            let mut seen = vec![false; size as usize];
            let shuffle = Shuffle::new(7, size);
            for place in 0..size {
                let number = shuffle.at(place) as usize;
                assert!(!std::mem::replace(&mut seen[number], true), "{number} of {size} twice");
            }
        }
    }

    /// Draws without replacement are those of chance: the mean number of names that two draws share, and its spread.
    #[test]
    fn draws_overlap_by_chance() {
        let (size, drawn, pairs) = (50_000_u64, 500_u64, 400_u64);
        let draw = |key: u64| -> Vec<bool> {
            let shuffle = Shuffle::new(mix(key), size);
            let mut taken = vec![false; size as usize];
            (0..drawn).for_each(|place| taken[shuffle.at(place) as usize] = true);
            taken
        };
        let shared: Vec<f64> = (0..pairs)
            .map(|pair| draw(2 * pair).iter().zip(draw(2 * pair + 1)).filter(|(one, other)| **one && *other).count() as f64)
            .collect();
        let mean = shared.iter().sum::<f64>() / pairs as f64;
        let variance = shared.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / pairs as f64;
        // Hypergeometric: mean 5, variance 4.90; the mean of 400 has a deviation of 0.11, the variance one of 0.35.
        assert!((mean - 5.0).abs() < 0.45, "{mean}");
        assert!((variance - 4.9).abs() < 1.4, "{variance}");
    }

    #[test]
    fn distributions() {
        let mut random = Random::new(5, &[]);
        let mut moments = |draw: &mut dyn FnMut(&mut Random) -> f64| {
            let drawn: Vec<f64> = (0..20_000).map(|_| draw(&mut random)).collect();
            let mean = drawn.iter().sum::<f64>() / 20_000.0;
            (mean, drawn.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 20_000.0)
        };
        type Row = (&'static str, f64, f64, fn(&mut Random) -> f64);
        let rows: [Row; 7] = [
            ("unit", 0.5, 1.0 / 12.0, Random::unit),
            ("below", 4.5, 8.25, |random| random.below(10) as f64),
            ("between", 30.0, 1_600.0 / 12.0, |random| random.between((10.0, 50.0))),
            ("exponential", 3.0, 9.0, |random| random.exponential(3.0)),
            ("normal", 13.0, 9.0, |random| random.normal(13.0, 3.0)),
            ("poisson", 4.0, 4.0, |random| random.poisson(4.0) as f64),
            ("many", 5_000.0, 5_000.0, |random| random.poisson(5_000.0) as f64),
        ];
        for (name, mean, variance, mut draw) in rows {
            let got = moments(&mut draw);
            assert!(
                (got.0 - mean).abs() < 5.0 * (variance / 20_000.0_f64).sqrt() + 0.5 * f64::from(name == "many"),
                "{name} {got:?}"
            );
            assert!((got.1 / variance - 1.0).abs() < 0.1, "{name} {got:?}");
        }
        assert!(!random.chance(0.0) && random.chance(1.0));
    }
}
