//! A capture file in parts, which several threads read beside each other without waiting for one another.
//!
//! ```text
//!   records   |----|--|------|---|-------|--|-----|---|--
//!   parts     |              0     |         1    :   |
//!                                  |--| looked for: where the first record of part 1 begins
//! ```
//!
//! A record is of the part in which it begins. Where the first of a part does is told by looks, and looks deceive: what was
//! read of a part counts only when the part before ends where it began. Else it is read again, from there on.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use super::capture::{BLOCK, read_all};
use super::classic::{self, MAX_RECORD};
use super::{Each, Failure, Kind, Layout};

/// Octets behind a part that are read with it, for the record that begins in it and ends there: those of most packets.
const BEHIND: usize = 4 << 10;

/// A file whose records can be found from anywhere in it.
#[derive(Debug)]
pub struct Parts {
    file: File,
    header: classic::Header,
    /// Where its first record begins.
    begin: u64,
    /// Octets of a part.
    part: usize,
    count: u64,
}

/// Octets of a file in which records begin.
#[derive(Debug)]
pub struct Stretch {
    /// Where in the file the block with them begins.
    block_at: u64,
    /// Where in the block the first record begins.
    first: usize,
    /// Where in the file the stretch ends.
    until: u64,
    /// Whether the file ends with the block.
    ended: bool,
    /// Why no more of it was read.
    failed: Option<io::Error>,
}

/// How far the reading of a stretch came.
#[derive(Debug)]
pub struct Reached {
    /// Where in the file its first record begins, or seems to.
    pub from: u64,
    /// Where the next record does.
    pub to: u64,
    /// Why nothing behind can be read; `Ok` with whether there is something.
    pub outcome: Result<bool, Failure>,
}

impl Parts {
    /// Those of a file of so many octets that begins with `head`; nothing where records can be found only one after the other.
    pub(super) fn of(head: &[u8], file: File, octets: u64) -> Option<Self> {
        Self::of_size(BLOCK, head, file, octets)
    }

    fn of_size(part: usize, head: &[u8], file: File, octets: u64) -> Option<Self> {
        let (header, begin) = classic::Header::read(head)?;
        let count = octets.saturating_sub(begin as u64).div_ceil(part as u64).max(1);
        Some(Self { file, header, begin: begin as u64, part, count })
    }

    /// How many there are. All that follows is of the last: the file may have grown.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Where the first record begins.
    pub const fn begin(&self) -> u64 {
        self.begin
    }

    /// Reads the part of a number into `block`, as far as it goes; nothing where no record seems to begin in it.
    pub fn part(&self, number: u64, block: &mut Vec<u8>) -> Option<Stretch> {
        let at = self.begin + number * self.part as u64;
        let until = self.until(number);
        let (ended, failed) = self.read(at, self.part + BEHIND, block);
        let first = if number == 0 { 0 } else { self.header.look_for_one(&block[..block.len().min(self.part)])? };
        Some(Stretch { block_at: at, first, until, ended, failed })
    }

    /// Where the part of a number ends.
    pub const fn until(&self, number: u64) -> u64 {
        if number + 1 < self.count { self.begin + (number + 1) * self.part as u64 } else { u64::MAX }
    }

    /// Reads into `block` what begins with a record at `at`: as far as [`Self::part`] would have read, where that is one record
    /// at least.
    pub fn stretch(&self, at: u64, until: u64, block: &mut Vec<u8>) -> Stretch {
        let octets = usize::try_from(until - at).map_or(self.part, |octets| octets.min(self.part));
        let (mut ended, mut failed) = self.read(at, octets + BEHIND, block);
        if self.header.first(block).is_some_and(|first| first > block.len()) && !ended && failed.is_none() {
            (ended, failed) = self.read(at, MAX_RECORD, block);
        }
        Stretch { block_at: at, first: 0, until, ended, failed }
    }

    /// Hands over the records that begin in a stretch, as far as they are whole in its block.
    pub fn walk<'b>(&self, stretch: Stretch, block: &'b [u8], each: &mut impl Each<'b>) -> Reached {
        let Stretch { block_at, first, until, ended, failed } = stretch;
        let own = usize::try_from(until - block_at).map_or(block.len(), |own| own.min(block.len()));
        let mut layout = Layout(Kind::Classic(self.header.clone()));
        let (mut end, mut octets) = (first, &block[first..own]);
        let walk = loop {
            let walk = layout.walk_into(octets, each);
            end += walk.consumed;
            // One more may begin in the stretch and end behind it.
            match block.get(end..end + walk.wanted) {
                Some(record) if end < own && walk.damage.is_none() => octets = record,
                _ => break walk,
            }
        };
        let to = block_at + end as u64;
        let outcome = match (walk.damage, failed) {
            (Some(why), _) => Err(Failure::Damaged(to, why)),
            (None, Some(error)) => Err(error.into()),
            (None, None) if ended && end < own => Err(Failure::Cut(to)),
            (None, None) => Ok(!ended || to < block_at + block.len() as u64),
        };
        Reached { from: block_at + first as u64, to, outcome }
    }

    /// Reads octets into `block`; tells whether the file ends with them, and what failed.
    fn read(&self, at: u64, octets: usize, block: &mut Vec<u8>) -> (bool, Option<io::Error>) {
        block.resize(octets, 0);
        let (read, failed) = read_all(&mut At { file: &self.file, at }, block);
        block.truncate(read);
        (read < octets && failed.is_none(), failed)
    }
}

/// A file from an offset on, which no other reader of it moves.
struct At<'f> {
    file: &'f File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(room, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::source::{Capture, Record};

    const SECONDS: u32 = 1_238_500_000;

    /// The header of a file in each layout, and of a record in it.
    fn headers(swapped: bool, long: bool, numbers: [u32; 4]) -> (Vec<u8>, Vec<u8>) {
        let octets = |numbers: &[u32]| -> Vec<u8> {
            numbers.iter().flat_map(|number| if swapped { number.to_be_bytes() } else { number.to_le_bytes() }).collect()
        };
        let magic = if long { 0xA1B2_CD34 } else { 0xA1B2_C3D4 };
        let mut record = octets(&numbers);
        record.resize(if long { 24 } else { 16 }, 0);
        (octets(&[magic, 0, 0, 0, 0, 1]), record)
    }

    fn file(octets: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        file
    }

    /// Times and octets of records, and how the reading ended.
    type Records = (Vec<(u64, Vec<u8>)>, String);

    struct Kept<'k>(&'k mut Vec<(u64, Vec<u8>)>);

    impl<'o> Each<'o> for Kept<'_> {
        fn take(&mut self, record: Record<'o>) {
            self.0.push(owned(record));
        }

        fn lend(&mut self) -> impl Each<'o> {
            Kept(self.0)
        }
    }

    fn owned(record: Record<'_>) -> (u64, Vec<u8>) {
        (record.time.as_nanos(), record.data.to_vec())
    }

    /// One after the other.
    fn in_a_row(octets: &[u8]) -> Records {
        let (mut records, mut block) = (vec![], vec![]);
        let mut capture = Capture::new(octets).unwrap();
        let failure = loop {
            match capture.fill(&mut block) {
                Ok(true) => {
                    let (_, outcome) = capture.walk(&block, |record| records.push(owned(record)));
                    if let Err(failure) = outcome {
                        break failure.to_string();
                    }
                }
                Ok(false) => break String::new(),
                Err(failure) => break failure.to_string(),
            }
        };
        (records, failure)
    }

    /// What came of it: records, where stretches with some ended, how many parts began where they seemed to.
    #[derive(Debug, PartialEq)]
    struct Came {
        records: Records,
        ends: Vec<u64>,
        right: u64,
    }

    /// By parts, `guessing` the last first, or one after the other.
    fn by_parts(parts: &Parts, guessing: bool) -> Came {
        let mut block = vec![];
        let mut read = |stretch: &mut dyn FnMut(&mut Vec<u8>) -> Option<Stretch>| {
            let (stretch, mut records) = (stretch(&mut block)?, vec![]);
            let reached = parts.walk(stretch, &block, &mut Kept(&mut records));
            Some((reached, records))
        };
        let mut guess = |number| if guessing { read(&mut |block| parts.part(number, block)) } else { None };
        let mut guessed: Vec<_> = (0..parts.count()).rev().map(&mut guess).collect();
        let (mut all, mut ends, mut at, mut right) = (vec![], vec![], parts.begin(), 0);
        for number in 0..parts.count() {
            let until = parts.until(number);
            let mut next = guessed.pop().unwrap().filter(|(reached, _)| reached.from == at);
            right += u64::from(next.is_some());
            while at < until {
                let (reached, records) = next.take().unwrap_or_else(|| {
                    let (reached, records) = read(&mut |block| Some(parts.stretch(at, until, block))).unwrap();
                    assert!(reached.from == at && (reached.to > at || !matches!(reached.outcome, Ok(true))), "no end");
                    (reached, records)
                });
                ends.extend((!records.is_empty()).then_some(reached.to));
                all.extend(records);
                at = reached.to;
                match reached.outcome {
                    Ok(true) => {}
                    Ok(false) => return Came { records: (all, String::new()), ends, right },
                    Err(failure) => return Came { records: (all, failure.to_string()), ends, right },
                }
            }
        }
        unreachable!("the last part has no end");
    }

    proptest! {
        /// Parts hold what the file holds, whatever packets hold that looks like a record, however long they are, and wherever the
        /// file is damaged or cut.
        #[test]
        fn parts_are_the_file(
            swapped in any::<bool>(),
            long in any::<bool>(),
            part in 1_000_usize..20_000,
            packets in prop::collection::vec((0_u32..1_500, 0_u32..4, any::<u16>()), 1..80),
            long_one in prop::option::of((any::<prop::sample::Index>(), 0..MAX_RECORD as u32 - 24)),
            odd in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in prop::option::of(0_usize..2_000),
        ) {
            let (mut octets, _) = headers(swapped, long, [0; 4]);
            let long_one = long_one.map(|(place, length)| (place.index(packets.len()), length));
            for (number, (length, kind, other)) in packets.into_iter().enumerate() {
                let length = long_one.filter(|(place, _)| *place == number).map_or(length, |(_, length)| length);
                let mut data = vec![0; length as usize];
                if kind > 1 {
                    // Packets full of records: such as lead astray, and such as lead back.
                    let claimed = if kind == 2 { other.into() } else { 4 };
                    let (_, fake) = headers(swapped, long, [SECONDS, 7, claimed, claimed]);
                    data.iter_mut().zip(fake.iter().cycle()).for_each(|(octet, fake)| *octet = *fake);
                }
                octets.extend(headers(swapped, long, [SECONDS + u32::from(other), 7, length, length.max(60)]).1);
                octets.extend(data);
            }
            let header = octets.len().min(24);
            for (place, value) in odd {
                let place = header + place.index(octets.len() - header);
                octets[place] = value;
            }
            octets.truncate(octets.len().saturating_sub(cut.unwrap_or(0)).max(header));
            let parts = Parts::of_size(part, &octets[..header], file(&octets), octets.len() as u64).unwrap();
            let (came, guessed) = (by_parts(&parts, false), by_parts(&parts, true));
            prop_assert_eq!(&came.records, &in_a_row(&octets));
            prop_assert_eq!((guessed.records, guessed.ends), (came.records, came.ends));
        }
    }

    /// Of what nearly all captures hold, no part is read twice.
    #[test]
    fn usual_captures_are_read_once() {
        for (swapped, long) in [(false, false), (true, false), (false, true), (true, true)] {
            let (mut octets, _) = headers(swapped, long, [0; 4]);
            for number in 0..60_000_u32 {
                let length = 60 + number * 7 % 90;
                octets.extend(headers(swapped, long, [SECONDS + number / 100, number % 100 * 10_000, length, length]).1);
                octets.extend((0..length).map(|place| (place ^ number) as u8));
            }
            let parts = Parts::of(&octets[..24], file(&octets), octets.len() as u64).unwrap();
            let Came { records, right, .. } = by_parts(&parts, true);
            assert_eq!(records, in_a_row(&octets));
            assert!(parts.count() > 10 && right == parts.count(), "{right} of {}", parts.count());
        }
    }

    /// A file that grows after it was opened is read to its end, and one that was cut since ends there.
    #[test]
    fn files_that_change() {
        let (mut octets, record) = headers(false, false, [SECONDS, 7, 40, 40]);
        let header = octets.len();
        (0..1_000).for_each(|_| octets.extend([&record[..], &[b'x'; 40]].concat()));
        let half = header + 500 * 56;
        let mut file = file(&octets[..half]);
        let parts = Parts::of_size(2_000, &octets[..header], file.try_clone().unwrap(), half as u64).unwrap();
        assert_eq!(by_parts(&parts, true).records, in_a_row(&octets[..half]));
        file.write_all(&octets[half..]).unwrap();
        assert_eq!(by_parts(&parts, true).records, in_a_row(&octets));
        for length in [half, 9_000, header] {
            file.set_len(length as u64).unwrap();
            assert_eq!(by_parts(&parts, true).records, in_a_row(&octets[..length]), "{length}");
        }
    }
}
