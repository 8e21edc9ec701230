//! The number generator of all Conficker variants, exact to the bit on every platform.
//!
//! The state is a 64-bit word that is read as an integer, run through floating point, and kept as the bit pattern
//! of the result, a double of about 1e57:
//!
//! ```text
//! x = state as double                 y = (state * step mod 2^64) as double
//! y = y + sin(x)                      z = (y*x + constant) * x + ln(x)
//! state = bits of z                   number = low 32 bits of state, signed
//! ```
//!
//! Three facts decide whether the lists come out right:
//! * The worm computes with 53-bit precision (Windows' x87 control word 0x27F), so plain binary64 operations,
//!   each rounded alone and never fused, are exact. Rust never fuses on its own.
//! * `z` is never below 2.8e37, half a unit in its last place is far above `constant` and `ln(x)`, so both vanish
//!   in rounding; they are left out here and kept in the oracle below.
//! * The sine counts only when `y < 2^54` (one step in 1,024), and then `x` is near 2^62, where the reduction of the
//!   angle is everything. The lists follow the x87 instruction FSIN, which reduces with a 66-bit pi. A correctly
//!   reduced sine gives other lists on 2 % of the days of A and B and on nearly every day of C.
//!
//! Sources: Leder and Werner 2009, figure 9 (order of operations); Intel 64 and IA-32 Architectures Software Developer's
//! Manual, vol. 1, §8.3.8 (FSIN's pi). `tests/conficker.rs` compares whole lists.

use crate::day::Day;

/// The constants of one variant (Leder and Werner 2009, table 2).
#[derive(Clone, Copy)]
pub(super) struct Seed {
    pub(super) multiplier: u64,
    pub(super) divisor: u64,
    pub(super) addend: u64,
    pub(super) step: u64,
}

/// The generator at one point of its sequence.
#[derive(Clone, Copy)]
pub(super) struct Rng {
    state: u64,
    step: u64,
}

impl Rng {
    /// Starts the sequence of `day`.
    pub(super) const fn new(seed: &Seed, day: Day) -> Self {
        let quotient = day.filetime().wrapping_mul(seed.multiplier) / seed.divisor;
        Self { state: quotient.wrapping_add(seed.addend), step: seed.step }
    }

    /// The next number.
    #[inline]
    pub(super) fn next(&mut self) -> i32 {
        // 2^54: from here on adding a sine changes nothing.
        const SINE_COUNTS_BELOW: f64 = 18_014_398_509_481_984.0;
        // The state is below 2^63: at first by far, then because `z` is positive and so has no sign bit. A signed
        // conversion gives the same double as an unsigned one and is a single instruction.
        let x = self.state as i64 as f64;
        let mut y = self.state.wrapping_mul(self.step) as f64;
        if y < SINE_COUNTS_BELOW {
            y += fsin(self.state);
        }
        let z = (y * x) * x;
        self.state = z.to_bits();
        self.state as i32
    }
}

/// The sine of `state as f64`, an integer below 2^63, as the x87 instruction FSIN computes it.
#[cold]
fn fsin(state: u64) -> f64 {
    /// floor(pi * 2^64): the pi of FSIN, 66 bits long.
    const PI: u128 = 0x3_243F_6A88_85A3_08D3;
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let x = state as f64 as u128;
    let angle = (x << 64) % (2 * PI);
    let (angle, sign) = if angle > PI { (2 * PI - angle, -1.0) } else { (angle, 1.0) };
    // Between 0 and pi, where libm's sine is within a unit in the last place: far below what rounding of `y` lets through.
    sign * libm::sin(angle as f64 / TWO_TO_64)
}

#[cfg(test)]
mod tests {
    use super::super::{Variant, ab, c};
    use super::*;

    /// Every operation of the original, in its order.
    fn naive(state: u64, step: u64, constant: f64) -> u64 {
        let x = state as f64;
        let y = state.wrapping_mul(step) as f64
            + if state.wrapping_mul(step) as f64 >= 18_014_398_509_481_984.0 { 0.0 } else { fsin(state) };
        let z = (y * x + constant) * x;
        (z + x.ln()).to_bits()
    }

    #[test]
    fn what_is_left_out_changes_nothing() {
        for (variant, constant) in [(&ab::A, 0.737565675), (&ab::B, 0.626454564), (&c::C, 0.946270391)] {
            for day in (0..30_000).step_by(977) {
                let mut rng = Rng::new(&variant.seed, Day::EPOCH.plus(day));
                for step in 0..3_000 {
                    let expected = naive(rng.state, rng.step, constant);
                    rng.next();
                    assert_eq!(rng.state, expected, "{} day {day} step {step}", variant.id);
                }
            }
        }
    }

    #[test]
    fn trace() {
        let variants: [(&str, &Variant); 3] = [("a", &ab::A), ("b", &ab::B), ("c", &c::C)];
        let mut rng = None;
        let mut steps = 0;
        for line in include_str!("../../../tests/vectors/prng-trace.txt").lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["variant", id, "day", day, "filetime", filetime, "seed_state", state] => {
                    let day: Day = day.parse().unwrap();
                    let (_, variant) = variants.iter().find(|(name, _)| *name == id).unwrap();
                    let started = Rng::new(&variant.seed, day);
                    assert_eq!(day.filetime().to_string(), filetime);
                    assert_eq!(format!("{:#x}", started.state), state);
                    rng = Some(started);
                }
                ["call", _, "state", state, "i32", number] => {
                    let rng = rng.as_mut().unwrap();
                    assert_eq!(rng.next().to_string(), number, "{line}");
                    assert_eq!(format!("{:#x}", rng.state), state, "{line}");
                    steps += 1;
                }
                _ => panic!("what is `{line}`?"),
            }
        }
        assert!(steps >= 12);
    }
}
