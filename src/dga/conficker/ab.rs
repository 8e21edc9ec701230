//! Conficker A and B: 250 names a day of 5 to 11 letters under a handful of generic suffixes.
//!
//! The published description gives lengths of 8 to 11 and seven suffixes for B; the lists themselves show 5 to 11
//! (the remainder keeps the sign of a negative number) and eight.

use super::rng::Seed;
use super::{About, STATUS, Variant};
use crate::day::Day;
use crate::dga::Habit;

/// From 2008-11-26, when it stopped lying dormant (SRI International, "An Analysis of Conficker's Logic", 2009).
pub(in crate::dga) const A: Variant = Variant {
    id: "conficker-a",
    seed: Seed { multiplier: 0x4_63DA_5676, divisor: SEVEN_DAYS, addend: 0xB46A_7637, step: 0x6423_6735 },
    names_a_day: 250,
    length,
    lengths: LENGTHS,
    // Unsigned, unlike the length.
    suffix: |number| (number as u32 % 5) as usize,
    suffixes: &["com", "net", "org", "info", "biz"],
    since: Day::of(2008, 11, 26),
    // "Every three hours" (Microsoft Security Response Center, 12 February 2009, which names no variant); taken to be like B's.
    habit: Habit::All { cycle: 11_010.0, range: (10_400.0, 11_600.0), round: 183.0 },
    placebo: ("placebo:conficker-a", 40),
    about: ABOUT,
};

/// From 2009-01-01, when it stopped lying dormant (same source).
pub(in crate::dga) const B: Variant = Variant {
    id: "conficker-b",
    seed: Seed { multiplier: 0x3_52C9_4565, divisor: SEVEN_DAYS, addend: 0xA359_6526, step: 0x5312_5624 },
    names_a_day: 250,
    length,
    lengths: LENGTHS,
    suffix: |number| (number & 7) as usize,
    suffixes: &["cc", "cn", "ws", "com", "net", "org", "info", "biz"],
    since: Day::of(2009, 1, 1),
    // Measured in a public log of 2021: 183.3 to 184.6 minutes from start to start, of which a round takes three.
    habit: Habit::All { cycle: 11_010.0, range: (10_980.0, 11_100.0), round: 183.0 },
    placebo: ("placebo:conficker-b", 40),
    about: ABOUT,
};

const ABOUT: About =
    About { until: None, status: STATUS, verified: "reference lists of 7 days, names in the press of March 2009" };

/// 100 ns steps.
const SEVEN_DAYS: u64 = 0x580_28E4_4000;

const LENGTHS: (usize, usize) = (5, 11);

fn length(number: i32) -> usize {
    // The remainder lies between -3 and 3.
    (8 + number % 4) as usize
}
