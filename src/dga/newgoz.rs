//! newGOZ, 2014: Gameover Zeus after its takedown, without its peers, with 1,000 names a day of letters and digits.
//!
//! A name is four 32-bit numbers in base 36 behind each other: the MD5 of its index, the date and a key. The index
//! chooses the suffix. Hosts start at an index by chance and go on until one answers.
//!
//! * Facts: J. Bader, "The DGA of newGOZ", 2014 (bin.re); github baderj/domain_generation_algorithms, `newgoz`, commit
//!   878d2e4; D. Schwarz and D. Loftus, "Five Sinkholes of newGOZ", Arbor Networks, 2014 (two configurations).
//! * Parameters: key 0x35190501, 1,000 names. The second configuration (0x52E645, 10,000 names) is left out: no
//!   published list was found to hold it against.
//! * Proof: `tests/worms/newgoz.txt`.
//! * Status: first seen on 2014-07-10 (Malcovery); its sinkholes counted 12,353 addresses in July 2014.

use md5::{Digest, Md5};

use super::generator::{Each, Generator};
use super::{About, Calendar};
use crate::day::Day;

pub(super) const NEWGOZ: Generator = Generator {
    id: "newgoz",
    worm: "newgoz",
    since: Day::of(2014, 7, 10),
    calendar: Calendar::DAILY,
    about: About {
        until: None,
        status: "hosts that were never cleaned",
        verified: "published list of 2015-08-31 (1,000 names), a name in the news of 2014-07-10",
    },
    count: COUNT,
    // Four numbers of one to seven digits.
    first_label: (4, 28),
    suffixes: &["com", "org", "biz", "net"],
    labels,
};

const COUNT: u32 = 1_000;
const KEY: [u8; 4] = 0x3519_0501_u32.to_le_bytes();

fn labels(day: Day, each: Each<'_>) {
    let (year, month, of_month) = day.date();
    let mut label = Vec::with_capacity(28);
    for index in 0..COUNT {
        let mut hash = Md5::new_with_prefix(index.to_le_bytes());
        for number in [year, month.into(), of_month.into()] {
            hash.update(number.to_le_bytes());
            hash.update(KEY);
        }
        label.clear();
        for octets in hash.finalize().as_chunks::<4>().0 {
            push_base36(u32::from_le_bytes(*octets), &mut label);
        }
        each(&label, [4, 3, 2, 1].iter().position(|divisor| index % divisor == 0).unwrap_or(0));
    }
}

/// Appends a number, its highest digit first.
fn push_base36(number: u32, label: &mut Vec<u8>) {
    let start = label.len();
    let mut left = number;
    loop {
        label.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(left % 36) as usize]);
        left /= 36;
        if left == 0 {
            break;
        }
    }
    label[start..].reverse();
}
