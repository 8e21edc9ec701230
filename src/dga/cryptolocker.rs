//! CryptoLocker, 2013 and 2014: 1,000 names a day of 12 to 15 letters.
//!
//! Three words, of the day, the month and the year plus index, go through a step of three shifts each at every letter.
//!
//! * Facts: S. Yazdi, "A Closer Look at CryptoLocker's DGA", Fortinet, 2014; github pchaigno/dga-collection, commit 830d1c0.
//! * Parameters: none.
//! * Proof: `tests/worms/cryptolocker.txt`.
//! * Status: first seen on 2013-09-05 (Dell SecureWorks); its servers were taken over with Gameover Zeus on 2014-06-02. Names
//!   stood in a feed of 2018 still (Netlab's, in github chrmor/DGA_domains_dataset).

use super::generator::{Each, Generator};
use super::{About, Calendar};
use crate::day::Day;

pub(super) const CRYPTOLOCKER: Generator = Generator {
    id: "cryptolocker",
    worm: "cryptolocker",
    since: Day::of(2013, 9, 5),
    calendar: Calendar::DAILY,
    about: About {
        until: Some(Day::of(2014, 6, 2)),
        status: "taken over in June 2014",
        verified: "4 published names of 2013-12-19, 3 of 24 names in a feed of 2018",
    },
    count: COUNT,
    first_label: (12, 15),
    suffixes: &["com", "net", "biz", "ru", "org", "co.uk", "info"],
    labels,
};

const COUNT: u32 = 1_000;

fn labels(day: Day, each: Each<'_>) {
    let (year, month, of_month) = day.date();
    // The same number in both halves.
    let word = |number: u32| number.wrapping_mul(0x1_0001);
    let mut label = [0; 15];
    for index in 0..COUNT {
        let (mut d, mut m, mut y) = (word(of_month.into()), word(month.into()), word(u32::from(year) + index));
        let label = &mut label[..12 + (((d >> 3) ^ (y >> 8) ^ (y >> 11)) & 3) as usize];
        label.fill_with(|| {
            d = ((d << 13) >> 19) ^ ((d >> 1) << 13) ^ (d >> 19);
            m = ((m << 2) >> 25) ^ ((m >> 3) << 7) ^ (m >> 25);
            y = ((y << 3) >> 11) ^ ((y >> 4) << 21) ^ (y >> 11);
            // `z` is never drawn.
            b'a' + ((y ^ m ^ d) % 25) as u8
        });
        each(label, (index % 7) as usize);
    }
}
