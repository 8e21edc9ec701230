//! A capture file or pipe, read in blocks that hold whole records as far as they go.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pcapng::Section;
use super::{Each, Failure, Kind, Layout, Record, Walk, classic, dnstap, snoop};
use crate::day::Timestamp;

/// Octets that tell what an input is, and hold the longest header of one: that of a stream of dnstap.
pub(super) const HEAD: usize = 42;

/// Octets read at a time: large enough that calls and turns do not count, small enough to stay in a core's second-level
/// cache between reading, splitting and decoding (benches/README.md).
pub(super) const BLOCK: usize = 512 << 10;

/// Octets read at a time where the first record is all that is wanted, and in all until it is given up.
const FIRST: usize = 4 << 10;
const FIRST_WITHIN: u64 = 32 << 20;

/// An input whose records can be read.
pub struct Capture<R> {
    input: R,
    layout: Layout,
    /// Octets read but not given away yet: the record that the last block ended in.
    tail: Vec<u8>,
    /// Octets that this record takes, as far as is known.
    wanted: usize,
    /// Octets to read at a time.
    block: usize,
    /// Where `tail` begins in the input.
    offset: u64,
    ended: bool,
    /// Whether it may be written to while it is read: its end is the end for now.
    growing: bool,
    /// Why reading ended, when not at the end of the input.
    failed: Option<io::Error>,
    /// Where `input` is compressed: octets of the file that were read, and how many of them were told of.
    packed: Option<(Arc<AtomicU64>, u64)>,
}

impl<R: Read> Capture<R> {
    /// Recognises the format by the first octets.
    ///
    /// # Errors
    /// When it is none that we read.
    pub fn new(mut input: R) -> Result<Self, Failure> {
        Self::begun(head(&mut input)?, input)
    }

    /// The same, when the first octets, at least [`HEAD`] if there are so many, were read already.
    pub(super) fn begun(mut head: Vec<u8>, input: R) -> Result<Self, Failure> {
        let (layout, header) = if let Some((header, length)) = classic::Header::read(&head) {
            (Kind::Classic(header), length)
        } else if let Some((header, length)) = snoop::Header::read(&head) {
            (Kind::Snoop(header), length)
        } else if Section::begins(&head) {
            (Kind::Blocks(Section::default()), 0)
        } else if dnstap::Stream::begins(&head) {
            (Kind::Dnstap(dnstap::Stream::default()), 0)
        } else {
            return Err(unknown(&head));
        };
        head.drain(..header);
        Ok(Self {
            input,
            layout: Layout(layout),
            tail: head,
            wanted: 0,
            block: BLOCK,
            offset: header as u64,
            ended: false,
            growing: false,
            failed: None,
            packed: None,
        })
    }

    /// Like [`Self::new`], of what compressed input unpacks to; `meter` counts the octets read of that.
    pub(super) fn unpacked(input: R, meter: Arc<AtomicU64>) -> Result<Self, Failure> {
        let capture = Self::new(input).map_err(inside)?;
        Ok(Self { packed: Some((meter, 0)), ..capture })
    }

    /// When the first packet was captured, if there is one.
    pub(super) fn first_time(mut self) -> Option<Timestamp> {
        self.block = FIRST;
        let (mut first, mut block) = (None, vec![]);
        while first.is_none() && self.offset < FIRST_WITHIN && matches!(self.fill(&mut block), Ok(true)) {
            let (_, outcome) = self.walk(&block, |record| first = first.or(Some(record.time)));
            if outcome.is_err() {
                break;
            }
        }
        first
    }

    /// From now on, the end of the input is the end for now: a record that it cuts may be completed.
    pub(super) const fn wait_for_more(&mut self) {
        self.growing = true;
    }

    /// The record that the end of the input cuts, where it was not waited for.
    pub(super) fn cut(&self) -> Option<Failure> {
        (!self.tail.is_empty()).then_some(Failure::Cut(self.offset))
    }

    /// Octets of the file that were read for `octets` octets just handed over: fewer, where it is compressed.
    pub fn advanced(&mut self, octets: usize) -> u64 {
        let Some((meter, told)) = &mut self.packed else { return octets as u64 };
        let read = meter.load(Ordering::Relaxed);
        read - std::mem::replace(told, read)
    }

    /// The layout as it is before the next walk.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Fills `block` with the octets that come next; false at the end.
    ///
    /// # Errors
    /// When the input cannot be read, or ends inside a record. Nothing can be read after that.
    pub fn fill(&mut self, block: &mut Vec<u8>) -> Result<bool, Failure> {
        if let Some(error) = self.failed.take() {
            block.clear();
            return Err(error.into());
        }
        if self.ended {
            block.clear();
            return Ok(false);
        }
        let known = self.tail.len();
        let goal = self.block.max(self.wanted).max(known + 1);
        // A huge record is rare: its room is not kept.
        block.truncate(goal);
        block.shrink_to(4 * BLOCK);
        // What the block held stays until it is written over: clearing it each time would cost a tenth of reading.
        block.resize(goal, 0);
        block[..known].copy_from_slice(&self.tail);
        self.tail.clear();
        let (read, failed) = read_all(&mut self.input, &mut block[known..]);
        // What a read gave before it failed stays in the block, and is handed over before the failure is.
        self.failed = failed;
        block.truncate(known + read);
        if self.growing && self.failed.is_none() && read == 0 {
            self.tail.append(block);
            return Ok(false);
        }
        self.ended = block.len() < goal && !self.growing;
        Ok(!block.is_empty() || self.failed.is_some())
    }

    /// Hands over the whole records of a block just filled, and keeps the rest for the next; returns the octets handed over.
    ///
    /// # Errors
    /// When what follows the last of them is damaged, or the input ends inside it. Nothing can be read after that.
    pub fn walk<'b>(&mut self, block: &'b [u8], each: impl FnMut(Record<'b>)) -> (usize, Result<(), Failure>) {
        let walk = self.layout.walk(block, each);
        self.keep(block, walk)
    }

    /// The same, for the hot loop.
    ///
    /// # Errors
    /// As [`Self::walk`].
    pub fn walk_into<'b>(&mut self, block: &'b [u8], each: &mut impl Each<'b>) -> (usize, Result<(), Failure>) {
        let walk = self.layout.walk_into(block, each);
        self.keep(block, walk)
    }

    fn keep(&mut self, block: &[u8], walk: Walk) -> (usize, Result<(), Failure>) {
        self.offset += walk.consumed as u64;
        let rest = &block[walk.consumed..];
        let failure = match walk.damage {
            Some(why) => Some(Failure::Damaged(self.offset, why)),
            None if self.ended && self.failed.is_none() && !rest.is_empty() => Some(Failure::Cut(self.offset)),
            None => None,
        };
        if let Some(failure) = failure {
            self.ended = true;
            return (walk.consumed, Err(if self.packed.is_some() { inside(failure) } else { failure }));
        }
        self.tail.extend_from_slice(rest);
        self.wanted = walk.wanted;
        (walk.consumed, Ok(()))
    }
}

/// The first octets of an input, [`HEAD`] if there are so many.
pub(super) fn head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = vec![];
    input.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Reads until `room` is full, the input ends or fails; how many octets came. In as few calls as can be: those of the standard
/// library begin with 8 kB each time.
pub(super) fn read_all(input: &mut impl Read, room: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut read = 0;
    while read < room.len() {
        match input.read(&mut room[read..]) {
            Ok(0) => break,
            Ok(octets) => read += octets,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (read, Some(error)),
        }
    }
    (read, None)
}

/// A failure that lies in what compressed input unpacks to.
fn inside(failure: Failure) -> Failure {
    match failure {
        Failure::Read(_) | Failure::Unpack(_) => failure,
        failure => Failure::Inside(Box::new(failure)),
    }
}

/// Says what an input that begins like this is instead of a capture.
fn unknown(head: &[u8]) -> Failure {
    // The second is lz4's old format.
    let compressed = [(&b"BZh"[..], "bzip2"), (&[0x02, 0x21, 0x4C, 0x18], "lz4")];
    let program = compressed.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, program)| *program);
    match program {
        Some(program) => Failure::Compressed(program),
        None if head.is_empty() => Failure::Empty,
        None => Failure::Unknown,
    }
}
