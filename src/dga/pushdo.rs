//! Pushdo, names under kz: 30 names a day, and hosts that ask for those of many days around their own.
//!
//! A chain of MD5s that begins with the number of the day: each gives the next link, the length and the letters of a
//! name, which can be spoken: consonant, vowel, and mostly a third letter.
//!
//! Hosts ask for the names of 45 days, from 30 before their own to 14 after it. How they number days is told in two ways,
//! which differ by one to three: github baderj/domain_generation_algorithms counts the days of the current month for those
//! of January, github andrewaeva/DGA those of the months before; both have a leap year begin a day early. Here days are
//! simply counted, so that the example's day has its number, and lists of 33 days before to 15 after are open: whichever is
//! right, no name is missed.
//!
//! * Facts: github baderj/domain_generation_algorithms, `pushdo`, commit 878d2e4.
//! * Parameters: first letter tables (`kz_v1`). The second (`kz_v2`, 2025), and names under com and ru, are left out: no
//!   published list was found to hold them against.
//! * Proof: `tests/worms/pushdo.txt`.
//! * Status: the spam bot of 2007 has generated names since 2013; new letter tables were published in April 2025.

use md5::{Digest, Md5};

use super::generator::{Each, Generator};
use super::{About, Calendar};
use crate::day::Day;

pub(super) const PUSHDO: Generator = Generator {
    id: "pushdo",
    worm: "pushdo",
    // The year of the published list; names under kz are older.
    since: Day::of(2019, 1, 1),
    calendar: Calendar::DAILY.reaching(33, 15),
    about: About {
        until: None,
        status: "new letter tables were published in April 2025",
        verified: "published list of 2019-12-06 (1,350 names of 45 list days)",
    },
    count: COUNT,
    first_label: (9, 12),
    suffixes: &["kz"],
    labels,
};

const COUNT: u32 = 30;

/// The number of 1970-01-01.
const EPOCH: u32 = 719_543;

fn labels(day: Day, each: Each<'_>) {
    let mut link = EPOCH.wrapping_add_signed(day.number());
    let mut label = Vec::with_capacity(48);
    for _ in 0..COUNT {
        let hash = Md5::digest(link.to_le_bytes());
        link = u32::from_le_bytes(*hash.first_chunk().expect("an MD5 has 16 octets"));
        let length = 9 + (link & 3) as usize;
        label.clear();
        // Each octet gives two letters at least.
        hash.iter().take(length).for_each(|octet| syllable((*octet).into(), &mut label));
        each(&label[..length], 0);
        link = link.wrapping_add(1);
    }
}

/// Two or three letters from an octet.
fn syllable(octet: usize, label: &mut Vec<u8>) {
    let vowel = b"aeiou"[((octet + 1) & 0xFF) % 5];
    label.extend([b"bcdfghjklmnpqrstvwx"[octet % 19], vowel]);
    let third = octet + 2;
    if vowel == b'e' && third & 7 != 0 {
        label.push(b"aio"[third % 3]);
    } else if third & 1 != 0 {
        label.push(b"zxtsrqpnmlkgfdc"[(third + 1) % 15]);
    }
}
