//! The spool against a queue in memory, whatever happens to it.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// What is done to a spool.
#[derive(Clone, Debug)]
enum Deed {
    /// A record of so many octets is appended.
    Append(usize),
    /// So many are taken, and of these so many acknowledged.
    Send(usize, usize),
    /// It is closed and opened again.
    Reopen,
    /// The process dies in the middle of a write: so many octets of a record are there.
    Die(usize),
    /// The mark is lost.
    LoseMark,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        // Up to half a segment, so that the bound is soon reached.
        6 => (0..(LEAST / SEGMENTS / 2) as usize).prop_map(Deed::Append),
        3 => (1_usize..12, 0_usize..12).prop_map(|(take, of)| Deed::Send(take, of)),
        1 => Just(Deed::Reopen),
        1 => (0_usize..100).prop_map(Deed::Die),
        1 => Just(Deed::LoseMark),
    ]
}

/// Octets that tell who they are.
fn content(serial: u64, length: usize) -> Vec<u8> {
    serial.to_le_bytes().iter().copied().cycle().take(length.max(8)).collect()
}

fn all(spool: &mut Spool) -> Vec<Record> {
    spool.first(usize::MAX, usize::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn as_a_queue_in_memory(deeds in prop::collection::vec(deed(), 1..120)) {
        let folder = TempDir::new().unwrap();
        let mut spool = Spool::open(folder.path(), 0).unwrap().0;
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        let (mut serial, mut last_number, mut dropped, mut died) = (0, 0, 0, false);
        for deed in deeds {
            match deed {
                Deed::Append(length) => {
                    serial += 1;
                    let octets = content(serial, length);
                    spool.append(&octets).unwrap();
                    let went = spool.dropped() - dropped;
                    spool.sync().unwrap();
                    model.push_back(octets);
                    // The oldest go, and only when there is no room.
                    let held: u64 = model.iter().map(|record| HEAD + record.len() as u64).sum();
                    prop_assert!(went == 0 || held > LEAST - LEAST / SEGMENTS, "{went} went of {held} octets");
                    model.drain(..went as usize);
                    dropped += went;
                }
                Deed::Send(take, of) => {
                    let batch = spool.first(take, usize::MAX);
                    prop_assert_eq!(batch.len(), take.min(model.len()));
                    let of = of.min(batch.len());
                    if of > 0 {
                        let number = batch[of - 1].number;
                        prop_assert_eq!(spool.acknowledge(number + 1), of as u64);
                        prop_assert_eq!(spool.acknowledge(number + 1), 0);
                        model.drain(..of);
                    }
                }
                Deed::Reopen | Deed::Die(_) | Deed::LoseMark => {
                    let (identity, newest) = (spool.identity(), path(folder.path(), spool.last().first));
                    let before = all(&mut spool);
                    drop(spool);
                    if let Deed::Die(octets) = &deed {
                        let record: Vec<u8> = [200_u32.to_le_bytes(), 7_u32.to_le_bytes()].concat();
                        let record: Vec<u8> = record.into_iter().chain([b'x'; 100]).take(*octets).collect();
                        OpenOptions::new().append(true).open(&newest).unwrap().write_all(&record).unwrap();
                    }
                    let lost = matches!(deed, Deed::LoseMark);
                    if lost {
                        fs::write(folder.path().join("acknowledged"), "nothing of use to anybody").unwrap();
                    }
                    let (opened, told) = Spool::open(folder.path(), 0).unwrap();
                    spool = opened;
                    // Told at each start, as long as the segment stays.
                    let dies = matches!(deed, Deed::Die(octets) if octets > 0);
                    died |= dies;
                    prop_assert!(!dies || !told.is_empty());
                    prop_assert!(died || told.is_empty());
                    prop_assert_eq!(spool.identity() != identity, lost);
                    let after = all(&mut spool);
                    if lost {
                        // All of the oldest segment comes again, under another identity.
                        prop_assert!(after.ends_with(&before));
                        model = after.into_iter().map(|record| record.octets).collect();
                    } else {
                        prop_assert_eq!(after, before);
                    }
                    dropped = 0;
                }
            }
            let held = all(&mut spool);
            prop_assert!(held.iter().map(|record| &record.octets).eq(model.iter()));
            prop_assert!(held.windows(2).all(|pair| pair[0].number < pair[1].number));
            if let Some(newest) = held.last() {
                last_number = last_number.max(newest.number);
                prop_assert!(newest.number == last_number, "a number is given twice");
            }
            prop_assert_eq!((spool.waiting(), spool.dropped()), (model.len() as u64, dropped));
            prop_assert!(spool.octets() <= LEAST);
            let on_disk: u64 = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
            // Beside the records the mark, and what was left of records that were cut.
            prop_assert!(on_disk <= LEAST + 20 * 120 + 100 * 120, "{on_disk} octets on disk");
        }
    }
}

#[test]
fn one_at_a_time_and_nobody_elses() {
    let folder = TempDir::new().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), LEAST).unwrap();
    let why = Spool::open(folder.path(), LEAST).unwrap_err();
    assert!(why.ends_with("is used by another dgawatch"), "{why}");
    let error = spool.append(&vec![0; (LEAST / SEGMENTS) as usize]).unwrap_err();
    assert_eq!((error.kind(), spool.waiting()), (ErrorKind::FileTooLarge, 0));
    assert!(Spool::open(&folder.path().join("acknowledged"), LEAST).unwrap_err().contains("cannot be used"));
}

/// A record that is damaged in the middle: those before it are given, those behind it in its segment are dropped and counted.
#[test]
fn damage_in_the_middle() {
    let folder = TempDir::new().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), LEAST).unwrap();
    let length = (LEAST / SEGMENTS / 4) as usize;
    (1..=9).for_each(|serial| spool.append(&content(serial, length)).unwrap());
    let first = path(folder.path(), 1);
    let file = OpenOptions::new().write(true).open(first).unwrap();
    file.write_all_at(b"damage", HEAD + length as u64 + HEAD + 5).unwrap();
    let batch = all(&mut spool);
    assert_eq!(batch.iter().map(|record| record.number).collect::<Vec<_>>(), [1]);
    spool.acknowledge(2);
    // Three fit a segment: 2 and 3 are gone.
    assert_eq!(all(&mut spool), []);
    assert_eq!((spool.dropped(), spool.waiting()), (2, 6));
    assert_eq!(all(&mut spool).iter().map(|record| record.number).collect::<Vec<_>>(), (4..=9).collect::<Vec<_>>());
}
