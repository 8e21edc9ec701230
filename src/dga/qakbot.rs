//! Qakbot (Qbot, Pinkslipbot), the years before 2016 and after: 5,000 names for each third of a month.
//!
//! A Mersenne Twister is seeded with the CRC-32 of a text such as `2.feb.2016.00000000`: the third of the month, the
//! month, the year, the seed of the configuration. It draws the suffix, the length, the letters.
//!
//! * Facts: J. Bader, "The DGA of Qakbot", 2016 (bin.re); github baderj/domain_generation_algorithms, `qakbot`, commit
//!   53b3971.
//! * Parameters: seed 0. Seed 1, and the decoys that hosts ask for when they believe that they are watched (the checksum
//!   plus one), are left out: no published list was found to hold them against.
//! * Proof: `tests/worms/qakbot.txt`.
//! * Status: infrastructure taken over in August 2023 (FBI and partners).

use rand_mt::Mt;

use super::generator::{Each, Generator};
use super::{About, Calendar, Period};
use crate::day::Day;

pub(super) const QAKBOT: Generator = Generator {
    id: "qakbot",
    worm: "qakbot",
    // The day of the list that was published; the names are older.
    since: Day::of(2016, 2, 21),
    calendar: Calendar::of(Period::ThirdOfMonth),
    about: About {
        until: None,
        status: "taken over in August 2023, hosts that were never cleaned",
        verified: "published list of 2016-02-21 (5,000 names)",
    },
    count: COUNT,
    first_label: (8, 25),
    suffixes: &["com", "net", "org", "info", "biz", "org"],
    labels,
};

const COUNT: u32 = 5_000;
const SEED: u32 = 0;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn labels(day: Day, each: Each<'_>) {
    let (year, month, of_month) = day.date();
    let third = ((of_month - 1) / 10).min(2);
    let text = format!("{third}.{}.{year}.{SEED:08x}", MONTHS[usize::from(month) - 1]);
    let mut twister = Mt::new(crc32fast::hash(text.as_bytes()));
    // The malware scales 28 bits in floating point, which is exact here.
    let mut draw = |first: u64, last: u64| first + ((u64::from(twister.next_u32() & 0x0FFF_FFFF) * (last - first + 1)) >> 28);
    let mut label = [0; 25];
    for _ in 0..COUNT {
        let suffix = draw(0, 5);
        let label = &mut label[..draw(8, 25) as usize];
        label.fill_with(|| b'a' + draw(0, 25) as u8);
        each(label, suffix as usize);
    }
}
