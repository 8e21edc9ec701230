//! A downloader of Monero miners, 2020: 500 labels of 13 hexadecimal digits a day, each under five suffixes.
//!
//! A label is the beginning of the MD5 of a text: a magic word, the day, the index. The first label is always the
//! same, so a question for it is found in the lists of all open days.
//!
//! * Facts: github baderj/domain_generation_algorithms, `monerodownloader`, commit 255ee6b.
//! * Parameters: the magic word.
//! * Proof: `tests/worms/monerodownloader.txt`.
//! * Status: not known; the malware has no better name.

use md5::{Digest, Md5};

use super::generator::{Each, Generator};
use super::{About, Calendar};
use crate::day::Day;

pub(super) const MONERODOWNLOADER: Generator = Generator {
    id: "monerodownloader",
    worm: "monerodownloader",
    // The day of the list that was published.
    since: Day::of(2020, 1, 12),
    calendar: Calendar::DAILY,
    about: About { until: None, status: "not known", verified: "published list of 2020-01-12 (2,500 names)" },
    count: LABELS * 5,
    first_label: (13, 13),
    suffixes: &["org", "tickets", "blackfriday", "hosting", "feedback"],
    labels,
};

const LABELS: u32 = 500;

fn labels(day: Day, each: Each<'_>) {
    for index in 0..LABELS {
        let mut label = *b"31b4bd31fg1x2";
        if index > 0 {
            let hash = Md5::digest(format!("jkhhksugrhtijys78g46-{}-{index}", day.number()));
            let digits = hash.iter().flat_map(|octet| [octet >> 4, octet & 0xF]);
            label.iter_mut().zip(digits).for_each(|(letter, digit)| *letter = b"0123456789abcdef"[usize::from(digit)]);
        }
        (0..5).for_each(|suffix| each(&label, suffix));
    }
}
