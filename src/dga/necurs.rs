//! Necurs, 2012: the rootkit and spam botnet, with 2,048 names for every four days.
//!
//! One mixing function of 64 bits makes everything: the date, the index and a magic number are stirred in one after
//! the other, then each letter is drawn from a further state, and the last state chooses among 43 suffixes.
//!
//! * Facts: J. Bader, "The DGAs of Necurs", 2015 (bin.re), third set; github baderj/domain_generation_algorithms,
//!   `necurs`, commit 4921fb4; github pchaigno/dga-collection.
//! * Parameters: magic numbers 9, which is published, and 5, 7 and 11, which were found by search: of 26 names in a feed of
//!   2018 (Netlab's, in github chrmor/DGA_domains_dataset) 14 are those of 2018-04-24 under one of the four, and none is under
//!   another below 4,000. 12 are not explained.
//! * Proof: `tests/worms/necurs-*.txt`.
//! * Status: infrastructure taken over in March 2020 (Microsoft).

use super::generator::{Each, Generator};
use super::{About, Calendar, Period};
use crate::day::Day;

pub(super) const M9: Generator = Generator {
    id: "necurs-9",
    worm: "necurs",
    // The oldest list that is known to be right: the malware is older, its names were first described in 2015.
    since: Day::of(2015, 2, 16),
    calendar: Calendar::of(Period::Days(4)),
    about: About {
        until: None,
        status: "taken over in March 2020, hosts that were never cleaned",
        verified: "published list of 2015-08-28 (2,048 names), 6 names of 2015-02-19, 6 of 26 names of Necurs in a feed of 2018",
    },
    count: COUNT,
    first_label: (7, 21),
    suffixes: &[
        "tj", "in", "jp", "tw", "ac", "cm", "la", "mn", "so", "sh", "sc", "nu", "nf", "mu", "ms", "mx", "ki", "im", "cx", "cc",
        "tv", "bz", "me", "eu", "de", "ru", "co", "su", "pw", "kz", "sx", "us", "ug", "ir", "to", "ga", "com", "net", "org",
        "biz", "xxx", "pro", "bit",
    ],
    labels: |day, each| labels(day, each, 9),
};

pub(super) const M5: Generator = Generator {
    id: "necurs-5",
    about: About {
        verified: "2 of 26 names of Necurs in a feed of 2018; the magic number alone differs from necurs-9",
        ..M9.about
    },
    labels: |day, each| labels(day, each, 5),
    ..M9
};

pub(super) const M7: Generator = Generator {
    id: "necurs-7",
    about: About {
        verified: "2 of 26 names of Necurs in a feed of 2018; the magic number alone differs from necurs-9",
        ..M9.about
    },
    labels: |day, each| labels(day, each, 7),
    ..M9
};

pub(super) const M11: Generator = Generator {
    id: "necurs-11",
    about: About {
        verified: "4 of 26 names of Necurs in a feed of 2018; the magic number alone differs from necurs-9",
        ..M9.about
    },
    labels: |day, each| labels(day, each, 11),
    ..M9
};

const COUNT: u32 = 2_048;

fn labels(day: Day, each: Each<'_>, magic: u64) {
    let (year, month, of_month) = day.date();
    let month = mix(mix(year.into()) + u64::from(month) + 43_690);
    let block = mix(month.wrapping_add(u64::from(of_month / 4)));
    let mut label = [0; 21];
    for index in 0..u64::from(COUNT) {
        let mut state = mix(mix(block.wrapping_add(index)).wrapping_add(magic));
        let label = &mut label[..7 + (state % 15) as usize];
        for (place, letter) in (0..).zip(&mut *label) {
            state = mix(state.wrapping_add(place));
            // `z` is never drawn.
            *letter = b'a' + (state % 25) as u8;
            state = mix(state.wrapping_add(0xAB_BEDF));
        }
        each(label, (state % 43) as usize);
    }
}

/// 21 to 148 rounds, as many as the number says itself.
fn mix(number: u64) -> u64 {
    (0..21 + (number & 0x7F)).fold(number, |state, round| {
        let stirred = state.wrapping_mul(7) ^ (state << 15);
        state.wrapping_add(stirred).wrapping_add(8 * round).wrapping_sub(state >> 5)
    })
}
