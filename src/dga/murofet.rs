//! Murofet (LICAT), 2010: a ZeuS with names, in three variants that share their seed and differ in their letters.
//!
//! ```text
//!      seed under MD5                               letters of an octet of the MD5                  a list
//! v1   year, month, day / 7 * 7, index              low 5 bits, high 5 bits, unless the same, to z  7 days
//! v2   year, month, day, 0, index / 2 * 2, XOR key  the sum of its halves, to z                     1 day
//! v3   as v1                                        a to p; q to z or 1 to 6 and a digit            7 days
//! ```
//!
//! The year is one octet, plus 0x30. Hosts begin at index 17 times the minute and ask for 800 of 1,020 names, round the end.
//! The index chooses the suffix by the first of the numbers from six (v2: five) down that divides it.
//!
//! * Facts: J. Bader, "Three Variants of Murofet's DGA", 2015 (bin.re); github baderj/domain_generation_algorithms,
//!   `murofet`, commits 6ab108e, 878d2e4, 7173161.
//! * Parameters: v2 without a key, and with 0xDEADC2DE, which gave names of a feed of 2018. Two further known keys
//!   (0xD6D7A4BE, 0xD6D7A4B1) are left out: no published name was found to hold them against.
//! * Proof: `tests/worms/murofet-*.txt`.
//! * Status: first seen in October 2010 (Trend Micro); when v2 and v3 came is not known, so they have v1's first day. Names
//!   of all three stood in a feed of 2018 (Netlab's, in github chrmor/DGA_domains_dataset).

use md5::{Digest, Md5};

use super::generator::{Each, Generator};
use super::{About, Calendar, Period};
use crate::day::Day;

pub(super) const V1: Generator = Generator {
    id: "murofet-v1",
    worm: "murofet",
    since: Day::of(2010, 10, 1),
    calendar: WEEKS,
    about: About {
        until: None,
        status: STATUS,
        verified: "published list of 2015-09-01 (1,000 of the 1,020 names), 2 of 7 names of its kind in a feed of 2018",
    },
    count: COUNT,
    // Whatever the octets are: none gives more than two letters.
    first_label: (1, 32),
    suffixes: &["ru", "biz", "info", "org", "net", "com"],
    labels: |day, each| {
        weekly(day, each, |octet, label| {
            let (low, high) = (b'a' + (octet & 0x1F), b'a' + (octet >> 3));
            if low != high {
                label.extend([low, high].into_iter().filter(u8::is_ascii_lowercase));
            }
        });
    },
};

pub(super) const V2: Generator = Generator {
    id: "murofet-v2",
    worm: "murofet",
    since: Day::of(2010, 10, 1),
    calendar: Calendar::DAILY,
    about: About { until: None, status: STATUS, verified: "published list of 2015-09-03 (1,020 names)" },
    count: COUNT,
    first_label: (1, 16),
    suffixes: &["biz", "info", "org", "net", "com"],
    labels: |day, each| daily(day, each, 0),
};

pub(super) const V2_DEADC2DE: Generator = Generator {
    id: "murofet-v2-deadc2de",
    about: About {
        verified: "2 of 14 names of its kind in a feed of 2018; a key of murofet-v2, whose list is published",
        ..V2.about
    },
    labels: |day, each| daily(day, each, 0xDEAD_C2DE),
    ..V2
};

pub(super) const V3: Generator = Generator {
    id: "murofet-v3",
    worm: "murofet",
    since: Day::of(2010, 10, 1),
    calendar: WEEKS,
    about: About {
        until: None,
        status: STATUS,
        verified: "the first 10 published names of 2015-08-28, 5 of 16 names of its kind in a feed of 2018",
    },
    count: COUNT,
    first_label: (32, 48),
    suffixes: V1.suffixes,
    labels: |day, each| {
        weekly(day, each, |octet, label| {
            let (low, high) = (octet & 0xF, octet >> 4);
            label.push(b'a' + low);
            match high {
                0..10 => label.push(b'q' + high),
                _ => label.extend([b'1' + (high - 10), b'0' + (b'a' + low) % 10]),
            }
        });
    },
};

const COUNT: u32 = 1_020;
const WEEKS: Calendar = Calendar::of(Period::Days(7));
const STATUS: &str = "hosts that were never cleaned";

/// The names of v1 and v3, which differ in the letters of an octet.
fn weekly(day: Day, each: Each<'_>, letters: fn(u8, &mut Vec<u8>)) {
    let [year, month, of_month] = date(day);
    let seed = |index: u32| Md5::new().chain_update([year, month, of_month / 7 * 7]).chain_update(index.to_le_bytes());
    list(each, seed, 6, letters);
}

/// The names of v2 under a key.
fn daily(day: Day, each: Each<'_>, key: u32) {
    let [year, month, of_month] = date(day);
    let first = u32::from_le_bytes([year, month, of_month, 0]) ^ key;
    let seed = |index: u32| Md5::new().chain_update(first.to_le_bytes()).chain_update(((index & !1) ^ key).to_le_bytes());
    list(each, seed, 5, |octet, label| label.extend(Some(b'a' + (octet & 0xF) + (octet >> 4)).filter(u8::is_ascii_lowercase)));
}

fn list(each: Each<'_>, seed: impl Fn(u32) -> Md5, suffixes: u32, letters: fn(u8, &mut Vec<u8>)) {
    let mut label = Vec::with_capacity(48);
    for index in 0..COUNT {
        label.clear();
        seed(index).finalize().iter().for_each(|octet| letters(*octet, &mut label));
        // One divides all.
        each(&label, (1..=suffixes).rev().position(|divisor| index % divisor == 0).unwrap_or(0));
    }
}

/// Octets of the date: the year loses what is above 255.
fn date(day: Day) -> [u8; 3] {
    let (year, month, of_month) = day.date();
    [(year as u8).wrapping_add(0x30), month, of_month]
}
