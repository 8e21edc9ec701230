//! One direction of a TCP connection: puts segments in order, once each, and hands their octets to the [`Reader`].
//!
//! ```text
//!            passed        next          ahead
//!      ...|- - - - -|=======|           |======|    |==|
//!            given up  read     hole             hole
//! ```
//!
//! Places in the stream are 64 bits wide, their lower half being the sequence number, so nothing here wraps around.
//! The octets that came first stand: a retransmission cannot change what was said.
//!
//! Invariants
//! * What is held ahead neither overlaps nor touches `next`.
//! * The work on a segment is bounded by its octets and by what it sets free.
//!
//! Sources: RFC 9293 §3.4 (sequence numbers), RFC 7413 (data with the SYN).

use std::collections::BTreeMap;
use std::ops::Range;

use super::loss::StreamLoss;
use super::reader::{self, Reader, Sink, Stamp};
use super::{FIN, Flow, SYN, Segment};

/// Segments farther from the next octet than this belong to another connection whose SYN was not seen: receive
/// windows end far below (Linux: 6 MiB unless told otherwise).
const WINDOW: i32 = 1 << 24;

/// Octets before a start without handshake that count as late, not as repeated.
const BEFORE: u64 = 1 << 16;

/// What a direction takes in memory besides what it holds: itself, its flow, its places in slots, queue and table, and as much again
/// of what is not itself as tables keep free. Closed it takes less.
pub(super) const OVERHEAD: usize = size_of::<Half>() + 2 * size_of::<Flow>() + 72;
const _: () = assert!(2 * (size_of::<Flow>() + size_of::<Closed>()) < OVERHEAD);

/// What the tree of pieces takes as soon as it has one: a leaf has room for eleven.
const TREE_OVERHEAD: usize = 12 * (size_of::<u64>() + size_of::<Piece>());

/// What a piece takes besides its octets: a leaf of eleven places may hold five, and the allocator has its share.
const PIECE_OVERHEAD: usize = 5 * (size_of::<u64>() + size_of::<Piece>()) / 2 + 32;

/// What is held, of one direction or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Octets of memory.
    pub(super) memory: usize,
    /// Octets of payload.
    pub(super) octets: usize,
    /// Segments, or parts of them, and FINs that wait for a hole to be filled.
    pub(super) waiting: usize,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Half {
    /// The sequence number of the SYN, when it was seen.
    syn: Option<u32>,
    /// The place of the octet to be read next.
    next: u64,
    /// The newest places that were given up; what lies before the start, when there was no SYN.
    passed: Range<u64>,
    reader: Reader,
    ahead: BTreeMap<u64, Piece>,
    /// Octets of payload in `ahead`.
    ahead_octets: usize,
    /// The place behind the last octet.
    fin: Option<u64>,
    /// A FIN was reached or a RST seen.
    closed: bool,
    /// When its latest segment came: the greatest time that any packet had had by then.
    pub(super) used: u64,
}

/// What a direction is that closed and holds nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    syn: Option<u32>,
    next: u64,
    passed: (u64, u64),
    reader: reader::Mode,
    fin: Option<u64>,
    /// When its latest segment came.
    pub(super) used: u64,
}

/// A segment that came too early, or a part of it.
#[derive(Debug)]
struct Piece {
    octets: Box<[u8]>,
    missing: u32,
    stamp: Stamp,
}

impl Piece {
    fn extent(&self) -> u64 {
        self.octets.len() as u64 + u64::from(self.missing)
    }
}

/// The part of a segment that is still to be placed.
#[derive(Clone, Copy)]
struct Rest<'a> {
    at: u64,
    octets: &'a [u8],
    missing: u32,
}

impl<'a> Rest<'a> {
    const fn is_empty(self) -> bool {
        self.octets.is_empty() && self.missing == 0
    }

    const fn end(self) -> u64 {
        self.at + self.octets.len() as u64 + self.missing as u64
    }

    /// Splits off what lies before `place`.
    fn split(&mut self, place: u64) -> Self {
        let before = place.saturating_sub(self.at);
        let octets = before.min(self.octets.len() as u64);
        let missing = (before - octets).min(u64::from(self.missing));
        // Both are at most what they were cut from.
        let (head, tail) = self.octets.split_at(octets as usize);
        let taken = Rest { at: self.at, octets: head, missing: missing as u32 };
        *self = Rest { at: self.at + octets + missing, octets: tail, missing: self.missing - missing as u32 };
        taken
    }
}

impl Half {
    /// Starts with this segment, the first one seen.
    pub(super) fn new(segment: &Segment<'_>) -> Self {
        let seen = segment.flags & SYN > 0;
        // Room below, for what may come from before.
        let next = 1 << 32 | u64::from(segment.first());
        Self {
            syn: seen.then_some(segment.sequence),
            next,
            passed: if seen { next..next } else { next - BEFORE..next },
            reader: Reader::new(seen),
            ahead: BTreeMap::new(),
            ahead_octets: 0,
            fin: None,
            closed: false,
            used: 0,
        }
    }

    /// Whether it is closed and holds nothing, so that [`Self::closed`] is all of it.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.closed && self.ahead.is_empty() && self.reader.held() == 0
    }

    /// What it is when closed.
    pub(super) const fn closed(&self) -> Closed {
        let Self { syn, next, ref passed, ref reader, fin, used, .. } = *self;
        Closed { syn, next, passed: (passed.start, passed.end), reader: reader.mode(), fin, used }
    }

    /// As it was when it closed.
    pub(super) fn of(closed: Closed) -> Self {
        let Closed { syn, next, passed: (start, end), reader, fin, used } = closed;
        let (reader, ahead) = (Reader::in_mode(reader), BTreeMap::new());
        Self { syn, next, passed: start..end, reader, ahead, ahead_octets: 0, fin, closed: true, used }
    }

    /// Whether this segment starts another connection between the same ports.
    pub(super) fn ends_before(&self, segment: &Segment<'_>) -> bool {
        let Some(place) = self.place(segment.first()) else { return true };
        match self.syn {
            _ if segment.flags & SYN == 0 => false,
            Some(syn) => syn != segment.sequence || self.closed,
            // It may have been overtaken by the data.
            None => place < self.passed.start || place > self.passed.end,
        }
    }

    /// Takes a segment of this connection. More than `limit` octets of memory are not kept for it.
    #[inline]
    pub(super) fn take(&mut self, segment: &Segment<'_>, limit: usize, sink: &mut Sink<'_>) {
        // Near enough, or `ends_before` had said so.
        let Some(at) = self.place(segment.first()) else { return };
        let stamp = Stamp { frame: segment.frame, time: segment.time };
        let rest = Rest { at, octets: segment.payload, missing: segment.missing };
        if segment.flags & SYN > 0 {
            self.syn = Some(segment.sequence);
        }
        if segment.flags & FIN > 0 && rest.end() >= self.next {
            self.fin = Some(rest.end());
        }
        if at == self.next && self.ahead.is_empty() {
            self.read(rest, stamp, sink);
        } else {
            self.place_all(rest, stamp, sink);
        }
        self.bound(limit, sink);
        self.close(sink);
    }

    /// The receiver says that it has all octets before this sequence number: holes among them will not be filled.
    pub(super) fn acknowledged(&mut self, acknowledgment: u32, limit: usize, sink: &mut Sink<'_>) {
        if let Some(place) = self.place(acknowledgment) {
            self.give_up_holes(place, sink);
            self.bound(limit, sink);
        }
    }

    /// Gives up what waits. `true` when a message was lost that had begun.
    pub(super) fn finish(&mut self, loss: StreamLoss, sink: &mut Sink<'_>) -> bool {
        self.give_up_holes(u64::MAX, sink);
        self.reader.end(loss, sink)
    }

    /// A RST, from either side. Should it be a forgery and the connection go on, so does the reading.
    pub(super) fn reset(&mut self, sink: &mut Sink<'_>) {
        self.finish(StreamLoss::Unfinished, sink);
        self.closed = true;
    }

    /// Whether no more is expected.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn load(&self) -> Load {
        Load {
            memory: OVERHEAD + self.buffered(),
            octets: self.reader.held() + self.ahead_octets,
            waiting: self.ahead.len() + usize::from(self.fin.is_some_and(|fin| fin > self.next)),
        }
    }

    /// Octets of memory that the bound of one direction is for.
    fn buffered(&self) -> usize {
        let tree = if self.ahead.is_empty() { 0 } else { TREE_OVERHEAD };
        self.reader.cost() + tree + self.ahead.len() * PIECE_OVERHEAD + self.ahead_octets
    }

    /// The place of a sequence number, if it is near enough to be of this connection.
    fn place(&self, sequence: u32) -> Option<u64> {
        // The lower half of a place is a sequence number; the difference is a signed one.
        let distance = sequence.wrapping_sub(self.next as u32) as i32;
        (-WINDOW..=WINDOW).contains(&distance).then(|| self.next.saturating_add_signed(distance.into()))
    }

    /// Reads octets that are next.
    #[inline]
    fn read(&mut self, rest: Rest<'_>, stamp: Stamp, sink: &mut Sink<'_>) {
        self.reader.octets(rest.octets, stamp, sink);
        if rest.missing > 0 {
            self.reader.gap(rest.missing.into(), StreamLoss::Cut, sink);
        }
        self.next = rest.end();
    }

    /// Reads what is next, keeps what is ahead, drops what is there.
    fn place_all(&mut self, mut rest: Rest<'_>, stamp: Stamp, sink: &mut Sink<'_>) {
        loop {
            let old = rest.split(self.next);
            self.drop_old(old, sink);
            if rest.is_empty() {
                return;
            }
            if rest.at > self.next {
                return self.keep(rest, stamp, sink);
            }
            let first = self.ahead.first_key_value().map_or(u64::MAX, |(place, _)| *place);
            let news = rest.split(first);
            self.read(news, stamp, sink);
            self.read_ahead(sink);
        }
    }

    /// Counts octets before the next one: as repeated, or as late where their place was given up. A keep-alive probe,
    /// one octet just before the next, ends here too (RFC 9293 §3.8.4).
    fn drop_old(&self, old: Rest<'_>, sink: &mut Sink<'_>) {
        let octets = old.octets.len() as u64;
        let end = old.at + octets;
        let late = end.min(self.passed.end).saturating_sub(old.at.max(self.passed.start));
        sink.octets.repeated += octets - late;
        if late > 0 {
            sink.lose(StreamLoss::Late, late);
        }
    }

    /// Keeps what is ahead, where nothing is yet.
    fn keep(&mut self, mut rest: Rest<'_>, stamp: Stamp, sink: &mut Sink<'_>) {
        if let Some((place, piece)) = self.ahead.range(..=rest.at).next_back() {
            let known = rest.split(place + piece.extent());
            sink.octets.repeated += known.octets.len() as u64;
        }
        while !rest.is_empty() {
            let following = self.ahead.range(rest.at..).next().map(|(place, piece)| (*place, place + piece.extent()));
            let (start, end) = following.unwrap_or((u64::MAX, u64::MAX));
            let news = rest.split(start);
            if !news.is_empty() {
                self.ahead_octets += news.octets.len();
                self.ahead.insert(news.at, Piece { octets: news.octets.into(), missing: news.missing, stamp });
            }
            if rest.octets.is_empty() {
                // Octets that the snap length cut off are not worth a walk over all that is there: a short packet may
                // claim 64 KiB of them. Between the pieces behind they count as a hole.
                return;
            }
            let known = rest.split(end);
            sink.octets.repeated += known.octets.len() as u64;
        }
    }

    /// Reads what was ahead and is next now.
    fn read_ahead(&mut self, sink: &mut Sink<'_>) {
        while let Some(entry) = self.ahead.first_entry()
            && *entry.key() == self.next
        {
            let piece = entry.remove();
            self.ahead_octets -= piece.octets.len();
            self.read(Rest { at: self.next, octets: &piece.octets, missing: piece.missing }, piece.stamp, sink);
        }
    }

    /// Gives up the holes that end at `place` or before, and reads what lies behind them.
    fn give_up_holes(&mut self, place: u64, sink: &mut Sink<'_>) {
        while let Some((&first, _)) = self.ahead.first_key_value()
            && first <= place
        {
            self.give_up_hole(first, sink);
        }
        if let Some(fin) = self.fin
            && self.next < fin
            && fin <= place
        {
            self.give_up_hole(fin, sink);
        }
        self.close(sink);
    }

    /// Gives up the hole that ends at `end`.
    fn give_up_hole(&mut self, end: u64, sink: &mut Sink<'_>) {
        self.reader.gap(end - self.next, StreamLoss::Hole, sink);
        self.passed = self.next..end;
        self.next = end;
        self.read_ahead(sink);
    }

    /// Gives up the oldest hole until what is held fits, and then the message that was begun.
    #[inline]
    fn bound(&mut self, limit: usize, sink: &mut Sink<'_>) {
        while self.buffered() > limit {
            match self.ahead.first_key_value() {
                Some((&first, _)) => self.give_up_hole(first, sink),
                None => return self.reader.abandon(sink),
            }
        }
    }

    /// Ends the stream if its FIN is reached.
    fn close(&mut self, sink: &mut Sink<'_>) {
        if !self.closed && self.fin.is_some_and(|fin| fin <= self.next) {
            self.closed = true;
            self.reader.end(StreamLoss::Unfinished, sink);
        }
    }
}
