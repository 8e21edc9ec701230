//! Conficker C: 50,000 names a day of 4 to 9 letters under country-code suffixes.

use super::rng::Seed;
use super::{About, STATUS, Variant};
use crate::day::Day;
use crate::dga::Habit;

/// From 2009-04-01 by the host's clock, which was already that day while UTC was still 31 March: hosts then asked
/// for the list of 31 March (F-Secure weblog, 31 March 2009).
pub(in crate::dga) const C: Variant = Variant {
    id: "conficker-c",
    seed: Seed { multiplier: 0x2_682D_10B7, divisor: TWO_DAYS, addend: 0xF1E3_4A09, step: 0x4F3D_859E },
    names_a_day: 50_000,
    length: |number| 4 + (number.unsigned_abs() % 6) as usize,
    lengths: (4, 9),
    suffix: |number| (number.unsigned_abs() % 116) as usize,
    suffixes: &SUFFIXES,
    since: Day::of(2009, 3, 31),
    // 500 of 50,000, drawn anew by each host (Leder and Werner, section 7), one in 10 to 50 s (SRI International, "Conficker C Analysis", 2009).
    habit: Habit::Sample { names: 500, pace: 10.0 },
    placebo: ("placebo:conficker-c", 1),
    about: About { until: None, status: STATUS, verified: "reference lists of 7 days" },
};

/// 100 ns steps.
const TWO_DAYS: u64 = 0x192_54D3_8000;

/// In the order of their index; ag, bo, hn, lc, pe and tw stand twice, alone and under com, as two suffixes of one code.
const SUFFIXES: [&str; 116] = [
    "ac", "ae", "ag", "am", "as", "at", "be", "bo", "bz", "ca", "cd", "ch", "cl", "cn", "co.cr", "co.id", "co.il", "co.ke",
    "co.kr", "co.nz", "co.ug", "co.uk", "co.vi", "co.za", "com.ag", "com.ai", "com.ar", "com.bo", "com.br", "com.bs", "com.co",
    "com.do", "com.fj", "com.gh", "com.gl", "com.gt", "com.hn", "com.jm", "com.ki", "com.lc", "com.mt", "com.mx", "com.ng",
    "com.ni", "com.pa", "com.pe", "com.pr", "com.pt", "com.py", "com.sv", "com.tr", "com.tt", "com.tw", "com.ua", "com.uy",
    "com.ve", "cx", "cz", "dj", "dk", "dm", "ec", "es", "fm", "fr", "gd", "gr", "gs", "gy", "hk", "hn", "ht", "hu", "ie", "im",
    "in", "ir", "is", "kn", "kz", "la", "lc", "li", "lu", "lv", "ly", "md", "me", "mn", "ms", "mu", "mw", "my", "nf", "nl", "no",
    "pe", "pk", "pl", "ps", "ro", "ru", "sc", "sg", "sh", "sk", "su", "tc", "tj", "tl", "tn", "to", "tw", "us", "vc", "vn",
];
