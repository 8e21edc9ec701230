//! A capture file or pipe, read in blocks that hold whole records as far as they go.

use std::io::{self, Read};

use super::classic::{self, Header};
use super::pcapng::Section;
use super::{Failure, Kind, Layout, Record};

/// Octets read at a time: large enough that calls do not count, small enough to stay in a core's second-level cache
/// between reading, splitting and decoding (benches/README.md).
const BLOCK: usize = 256 << 10;

/// An input whose records can be read.
pub struct Capture<R> {
    input: R,
    layout: Layout,
    /// Octets read but not given away yet: the record that the last block ended in.
    tail: Vec<u8>,
    /// Octets that this record takes, as far as is known.
    wanted: usize,
    /// Where `tail` begins in the input.
    offset: u64,
    ended: bool,
    /// Why reading ended, when not at the end of the input.
    failed: Option<io::Error>,
}

impl<R: Read> Capture<R> {
    /// Recognises the format by the first octets.
    ///
    /// # Errors
    /// When it is none that we read.
    pub fn new(mut input: R) -> Result<Self, Failure> {
        let mut tail = vec![];
        (&mut input).take(classic::HEADER as u64).read_to_end(&mut tail).map_err(Failure::Read)?;
        let (layout, header) = if let Some(header) = Header::read(&tail) {
            (Kind::Classic(header), classic::HEADER)
        } else if Section::begins(&tail) {
            (Kind::Blocks(Section::default()), 0)
        } else {
            return Err(unknown(&tail));
        };
        tail.drain(..header);
        Ok(Self { input, layout: Layout(layout), tail, wanted: 0, offset: header as u64, ended: false, failed: None })
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
        block.clear();
        // A huge record is rare: its room is not kept.
        block.shrink_to(4 * BLOCK);
        if let Some(error) = self.failed.take() {
            return Err(Failure::Read(error));
        }
        if self.ended {
            return Ok(false);
        }
        block.append(&mut self.tail);
        let goal = BLOCK.max(self.wanted);
        // Room for the rest of a block and one octet, so that reading to its end never has to grow the buffer.
        block.reserve(goal + 1 - block.len());
        let missing = (goal - block.len()) as u64;
        // What a read gave before it failed stays in the block, and is handed over before the failure is.
        self.failed = (&mut self.input).take(missing).read_to_end(block).err();
        self.ended = block.len() < goal;
        Ok(!block.is_empty() || self.failed.is_some())
    }

    /// Hands over the whole records of a block just filled, and keeps the rest for the next; returns the octets handed over.
    ///
    /// # Errors
    /// When what follows the last of them is damaged, or the input ends inside it. Nothing can be read after that.
    pub fn walk(&mut self, block: &[u8], each: impl FnMut(Record<'_>)) -> (usize, Result<(), Failure>) {
        let walk = self.layout.walk(block, each);
        self.offset += walk.consumed as u64;
        let rest = &block[walk.consumed..];
        let failure = match walk.damage {
            Some(why) => Some(Failure::Damaged(self.offset, why)),
            None if self.ended && self.failed.is_none() && !rest.is_empty() => Some(Failure::Cut(self.offset)),
            None => None,
        };
        if failure.is_some() {
            self.ended = true;
        } else {
            self.tail.extend_from_slice(rest);
            self.wanted = walk.wanted;
        }
        (walk.consumed, failure.map_or(Ok(()), Err))
    }
}

/// Says what an input that begins like this is instead of a capture.
fn unknown(head: &[u8]) -> Failure {
    let compressed = [
        (&[0x1F, 0x8B][..], "gzip"),
        (&[0x28, 0xB5, 0x2F, 0xFD], "zstd"),
        (&[0xFD, b'7', b'z', b'X', b'Z'], "xz"),
        (&[0x04, 0x22, 0x4D, 0x18], "lz4"),
        (b"BZh", "bzip2"),
    ];
    let program = compressed.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, program)| *program);
    match program {
        Some(program) => Failure::Compressed(program),
        None if head.is_empty() => Failure::Empty,
        None => Failure::Unknown,
    }
}
