//! Names in the packets of a block that want a closer look, until some are together.
//!
//! Which of them do cannot be guessed. Decided packet by packet, a processor guesses wrong for one of six, and throws away what it
//! had begun to do for the packets behind. So every name is written down, and the next one over it unless it is to stay.

use crate::day::Timestamp;
use crate::name::RawName;
use crate::source::{LinkType, Record};
use crate::watchlist::SIFTED;

/// Names with the packets that hold them, in the order of these.
pub(super) struct Shortlist<'o> {
    /// Those that stay, and places for others.
    entries: [Entry<'o>; SIFTED],
    /// How many stay.
    count: usize,
}

/// A name, and a packet that the decoder reads at once.
#[derive(Clone, Copy)]
pub(super) struct Entry<'o> {
    pub(super) record: Record<'o>,
    pub(super) name: RawName<'o>,
}

impl<'o> Shortlist<'o> {
    pub(super) fn new() -> Self {
        let record = Record { time: Timestamp::default(), link: LinkType::NULL, data: &[] };
        Self { entries: [Entry { record, name: RawName::ROOT }; SIFTED], count: 0 }
    }

    /// Writes down a name, to stay or not; tells whether there are enough now.
    #[inline(always)]
    pub(super) fn write(&mut self, entry: Entry<'o>, stays: bool) -> bool {
        self.entries[self.count % SIFTED] = entry;
        self.count += usize::from(stays);
        self.count == SIFTED
    }

    /// Those that stay, for the last time.
    pub(super) fn take(&mut self) -> &[Entry<'o>] {
        &self.entries[..std::mem::take(&mut self.count)]
    }
}
