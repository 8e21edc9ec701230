//! Any capture file: the same records in whatever pieces it is read, whoever walks its blocks, and an end.

#![no_main]

use std::io::{self, Read};

use dgawatch::source::{Capture, Failure, Record};
use libfuzzer_sys::fuzz_target;

/// Octets that the library reads at a time: `BLOCK` in `src/source/capture.rs`.
const BLOCK: usize = 512 << 10;

/// Octets that [`Capture::new`] looks at: `HEAD` in `src/source/capture.rs`.
const HEAD: usize = 42;

/// Octets of pcap's header.
const PCAP: usize = 24;

/// What opens a pcapng file.
const SECTION: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

/// What opens a pcap file: microseconds and nanoseconds, both byte orders.
const MAGICS: [[u8; 4]; 4] =
    [[0xA1, 0xB2, 0xC3, 0xD4], [0xD4, 0xC3, 0xB2, 0xA1], [0xA1, 0xB2, 0x3C, 0x4D], [0x4D, 0x3C, 0xB2, 0xA1]];

/// Time, link type, octets.
type Records = Vec<(u64, u32, Vec<u8>)>;

fuzz_target!(|octets: &[u8]| {
    let whole = read(octets);
    assert_eq!(shown(&read(Pieces(octets))), shown(&whole));
    let Ok((records, end)) = whole else { return };
    assert!(records.iter().map(|(_, _, data)| data.len()).sum::<usize>() <= octets.len());
    if octets.len() < HEAD {
        return;
    }
    // What came before the input broke off is read all the same; damage in it would end the reading earlier.
    let (before, broken) = read(octets.chain(Broken)).expect("it begins as before");
    assert_eq!(before, records);
    match &end {
        Some(Failure::Damaged(..)) => assert_eq!(text(broken.as_ref()), text(end.as_ref())),
        _ => assert!(matches!(broken, Some(Failure::Read(_)))),
    }
    // Relatives of pcap have headers of their own, and are read by the same loops.
    if !octets.starts_with(&SECTION) && !MAGICS.iter().any(|magic| octets.starts_with(magic)) {
        return;
    }
    // Inputs are far shorter than a block: with filler in front, a block ends in the middle of the same records.
    let (fillers, length, input) = behind_filler(octets);
    let (moved, end_moved) = read(input).expect("it begins as before");
    assert_eq!(moved[fillers..], records);
    let end = end.map(|failure| match failure {
        Failure::Damaged(at, why) => Failure::Damaged(at + length, why),
        Failure::Cut(at) => Failure::Cut(at + length),
        other => other,
    });
    assert_eq!(text(end_moved.as_ref()), text(end.as_ref()));
});

/// The records and why the reading ended, if not at the end of the input; or why it could not begin.
fn read(input: impl Read) -> Result<(Records, Option<Failure>), Failure> {
    let mut capture = Capture::new(input)?;
    let mut records = vec![];
    let mut block = vec![];
    // Each block but the last has octets that none before it had, nearly all of them 512 KiB.
    for _ in 0..1_000 {
        let failure = match capture.fill(&mut block) {
            Ok(true) => {
                let mut layout = capture.layout().clone();
                let known = records.len();
                let (consumed, outcome) = capture.walk(&block, |record| records.push(owned(record)));
                // As a thread does that was given the whole records of a block, and the layout before them.
                let mut again = vec![];
                let walk = layout.walk(&block[..consumed], |record| again.push(owned(record)));
                assert_eq!(walk.consumed, consumed);
                assert_eq!(again, records[known..]);
                match outcome {
                    Ok(()) => continue,
                    Err(failure) => Some(failure),
                }
            }
            Ok(false) => None,
            Err(failure) => Some(failure),
        };
        for _ in 0..2 {
            assert!(!matches!(capture.fill(&mut block), Ok(true)) && block.is_empty(), "nothing can be read after the end");
        }
        return Ok((records, failure));
    }
    panic!("reading does not end");
}

fn owned(record: Record<'_>) -> (u64, u32, Vec<u8>) {
    (record.time.as_nanos(), record.link.0, record.data.to_vec())
}

/// In a form that can be compared: a [`Failure`] cannot, because of the system's errors.
fn shown(outcome: &Result<(Records, Option<Failure>), Failure>) -> Result<(&Records, String), String> {
    match outcome {
        Ok((records, end)) => Ok((records, text(end.as_ref()))),
        Err(failure) => Err(failure.to_string()),
    }
}

fn text(end: Option<&Failure>) -> String {
    end.map_or_else(String::new, Failure::to_string)
}

/// A capture with filler before its first record, so long that a block ends halfway between there and its end; also
/// how many records the filler is, and how many octets.
fn behind_filler(octets: &[u8]) -> (usize, u64, impl Read) {
    let pcapng = octets.starts_with(&SECTION);
    let (head, rest) = octets.split_at(if pcapng { 0 } else { PCAP });
    let length = BLOCK.saturating_sub(rest.len() / 2).max(64);
    let (front, zeros, behind) = if pcapng {
        // A section of its own with one block of a type that nobody knows; what stands behind opens another section.
        let length = length & !3;
        let block = (length as u32 - 28).to_le_bytes();
        let mut front = SECTION.to_vec();
        front.extend([28, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0]);
        front.extend([0xFF; 8]);
        front.extend([28, 0, 0, 0, 0xAD, 0x0B, 0, 0]);
        front.extend(block);
        (front, length - 28 - 12, block.to_vec())
    } else {
        // Two records of the year 1970, their numbers in the byte order of the file: one can have half a block at most.
        let zeros = length / 2 - 16;
        let captured = if head[0] == 0xA1 { (zeros as u32).to_be_bytes() } else { (zeros as u32).to_le_bytes() };
        let header = [[0; 4], [0; 4], captured, captured].concat();
        ([&header[..], &vec![0; zeros], &header].concat(), zeros, vec![])
    };
    let length = front.len() + zeros + behind.len();
    let input =
        head.chain(io::Cursor::new(front)).chain(io::repeat(0).take(zeros as u64)).chain(io::Cursor::new(behind)).chain(rest);
    (if pcapng { 0 } else { 2 }, length as u64, input)
}

/// Gives at most seven octets at a time.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(7);
        self.0.read(&mut buffer[..length])
    }
}

/// Cannot be read.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("broken"))
    }
}
