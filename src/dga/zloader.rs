//! ZLoader (Silent Night, Terdot), the names of 2020 to 2022: 32 a day of 20 letters, for each key of a configuration.
//!
//! The time of midnight, as seconds since 1970 in 32 bits, is encrypted with RC4; from there each letter feeds on the one
//! before it. Hosts ask for the names when no server of their configuration answers. The sequence may run into a circle, so a
//! list may hold a name more than once.
//!
//! * Facts: J. Bader, "The DGA of ZLoader", 2020 (bin.re); github baderj/domain_generation_algorithms, `zloader`,
//!   commits 00ab7b8, 390e5f4, 9de540c.
//! * Parameters: three keys. Two further ones (41997b4a…, 03d5ae30…) are left out: the file that is named for the first
//!   holds the names of q23Cud3xsNf3 at the commit read, and there is none for the second.
//! * Proof: `tests/worms/zloader-*.txt`.
//! * Status: infrastructure taken over in April 2022 (Microsoft); back since 2023 in another form.

use rc4::{KeyInit, Rc4, StreamCipher};

use super::generator::{Each, Generator};
use super::{About, Calendar};
use crate::day::Day;

pub(super) const Q23: Generator = Generator {
    id: "zloader-q23",
    worm: "zloader",
    since: Day::of(2020, 1, 1),
    calendar: Calendar::DAILY,
    about: About {
        until: Some(Day::of(2022, 4, 13)),
        status: "taken over in April 2022",
        verified: "published list of 2022-09-26 (32 names), 10 published names of 2020-04-24",
    },
    count: COUNT,
    first_label: (LETTERS, LETTERS),
    suffixes: &["com"],
    labels: |day, each| labels(day, each, b"q23Cud3xsNf3"),
};

pub(super) const KZIE: Generator = Generator {
    id: "zloader-kzie",
    about: About { verified: DATED, ..Q23.about },
    labels: |day, each| labels(day, each, b"kZieCw23gffpe43Sd"),
    ..Q23
};

pub(super) const TS72: Generator = Generator {
    id: "zloader-ts72",
    about: About { verified: DATED, ..Q23.about },
    labels: |day, each| labels(day, each, b"Ts72YjsjO5TghE6m"),
    ..Q23
};

const DATED: &str = "published list of 2022-09-26 (32 names)";
const COUNT: u32 = 32;
const LETTERS: usize = 20;

fn labels(day: Day, each: Each<'_>, key: &[u8]) {
    let midnight = u32::try_from(i64::from(day.number()) * 86_400).unwrap_or(u32::MAX);
    let mut octets = midnight.to_le_bytes();
    Rc4::new_from_slice(key).expect("1 to 256 octets are a key").apply_keystream(&mut octets);
    let seed = u32::from_le_bytes(octets);
    let mut state = seed;
    let mut label = [0; LETTERS];
    for _ in 0..COUNT {
        label.fill_with(|| {
            let letter = b'a' + (state % 25) as u8;
            state = seed ^ state.wrapping_add(letter.into());
            letter
        });
        each(&label, 0);
    }
}
