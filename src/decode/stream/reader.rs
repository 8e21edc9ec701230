//! Messages out of consecutive octets: follows the lengths, and finds the next message when their thread is lost.
//!
//! ```text
//!            a length below 12, a hole over a boundary
//!          .------------------------------------------.
//!          |                                          v
//!      Reading <------ a plausible message ------ Searching <--- a start without handshake
//!          |  ^                                       ^
//!   a hole |  | its end                               |
//!          v  |                                       |
//!      Skipping the rest of a message  ---------------' a hole over its end
//! ```
//!
//! Whoever starts at the first octet of a connection trusts its lengths. Whoever starts in the middle does not: an
//! arbitrary pair of octets would swallow up to 65,535 good ones.
//!
//! Invariants
//! * A message that lies in one segment is delivered from there: no copy, no allocation.
//! * In a search each offset is refused once, and at most [`CANDIDATE`] octets wait for a decision.
//!
//! Sources: RFC 1035 §4.2.2, RFC 7766 §8 (two length octets), RFC 1035 §4.1.1 and RFC 2136 §2.2 (headers).

use super::loss::{Losses, Octets, StreamLoss};
use super::{Flow, Found};
use crate::day::Timestamp;
use crate::name::{MAX_LABEL, MAX_OCTETS};

/// The length octets before a message.
const PREFIX: usize = 2;

/// Octets of a DNS header, and so of the shortest message.
const HEADER: usize = 12;

/// What a message needs to have to be told from noise: lengths, header, the longest question.
const CANDIDATE: usize = PREFIX + HEADER + MAX_OCTETS + 4;

/// The shortest question: the root's, with type and class.
const MIN_QUESTION: usize = 5;

/// The shortest resource record: the root's, without data (RFC 1035 §4.1.3).
const MIN_RECORD: usize = 11;

/// Which segment, and when. The greater is the later in the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) frame: u64,
    pub(super) time: Timestamp,
}

/// Where messages and losses of one flow go.
pub(super) struct Sink<'a> {
    pub(super) flow: &'a Flow,
    pub(super) losses: &'a mut Losses,
    pub(super) octets: &'a mut Octets,
    pub(super) found: &'a mut dyn FnMut(Found<'_>),
}

impl Sink<'_> {
    #[inline]
    fn deliver(&mut self, prefixed: &[u8], stamp: Stamp, whole: bool) {
        self.octets.delivered += prefixed.len() as u64;
        let octets = &prefixed[PREFIX..];
        (self.found)(Found { time: stamp.time, frame: stamp.frame, flow: self.flow, octets, whole });
    }

    pub(super) fn lose(&mut self, loss: StreamLoss, octets: u64) {
        self.losses.add_event(loss);
        self.losses.add_octets(loss, octets);
    }
}

/// Reads one direction of a connection.
#[derive(Debug)]
pub(super) struct Reader {
    mode: Mode,
    /// The beginning of a message with its length octets; in a search, of what may be one.
    held: Vec<u8>,
    /// The latest segment that `held` came from.
    stamp: Stamp,
}

/// What it does with the next octet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    /// It is of a message.
    Reading,
    /// So many octets are left of a message that was given up or delivered already; never 0.
    Skipping(usize),
    /// A message may begin with it.
    Searching {
        /// Whether this search is counted: one that succeeds at its first octet is no loss.
        counted: bool,
    },
}

impl Reader {
    /// Starts at a message when the start of the connection was `seen`, anywhere when not.
    pub(super) const fn new(seen: bool) -> Self {
        let mode = if seen { Mode::Reading } else { Mode::Searching { counted: false } };
        Self::in_mode(mode)
    }

    /// One that holds nothing.
    pub(super) const fn in_mode(mode: Mode) -> Self {
        Self { mode, held: vec![], stamp: Stamp { frame: 0, time: Timestamp::from_nanos(0) } }
    }

    /// What tells one that holds nothing from another.
    pub(super) const fn mode(&self) -> Mode {
        self.mode
    }

    /// Reads the next octets of the stream.
    #[inline]
    pub(super) fn octets(&mut self, mut octets: &[u8], stamp: Stamp, sink: &mut Sink<'_>) {
        while !octets.is_empty() {
            octets = match self.mode {
                Mode::Reading => self.read(octets, stamp, sink),
                Mode::Skipping(left) => {
                    let (skipped, rest) = octets.split_at(left.min(octets.len()));
                    sink.losses.add_octets(StreamLoss::Torn, skipped.len() as u64);
                    self.skip(left - skipped.len());
                    rest
                }
                Mode::Searching { .. } => self.search(octets, stamp, sink),
            };
        }
    }

    /// Octets that were sent and will never be seen, at least one. When the snap length is to blame, their message is
    /// as good as one over UDP that was cut, and delivered as such.
    pub(super) fn gap(&mut self, octets: u64, loss: StreamLoss, sink: &mut Sink<'_>) {
        sink.lose(loss, octets);
        let left = match self.mode {
            Mode::Reading => {
                // Octets that the message lacks, as far as its length is known.
                let left = whole(&self.held).map_or(0, |whole| whole - self.held.len());
                self.give_up(StreamLoss::Torn, loss == StreamLoss::Cut, sink);
                left
            }
            Mode::Skipping(left) => left,
            Mode::Searching { .. } => return self.pass(self.held.len(), sink),
        };
        match (left as u64).checked_sub(octets) {
            // At most a message's length.
            Some(left) => self.skip(left as usize),
            None => self.mode = Mode::Searching { counted: false },
        }
    }

    /// Gives up the message that was begun, because the connection ends for this reason. Whether there was one.
    /// Should more come, which nothing promises, the next message is searched for.
    pub(super) fn end(&mut self, loss: StreamLoss, sink: &mut Sink<'_>) -> bool {
        match self.mode {
            Mode::Reading if self.held.is_empty() => return false,
            Mode::Reading => self.give_up(loss, false, sink),
            Mode::Skipping(_) => {}
            Mode::Searching { .. } => {
                self.pass(self.held.len(), sink);
                return false;
            }
        }
        self.mode = Mode::Searching { counted: false };
        true
    }

    /// Gives up the message that was begun, because there is no room for it.
    pub(super) fn abandon(&mut self, sink: &mut Sink<'_>) {
        match self.mode {
            Mode::Reading if !self.held.is_empty() => {
                let left = whole(&self.held).map(|whole| whole - self.held.len());
                self.give_up(StreamLoss::Evicted, false, sink);
                match left {
                    Some(left) => self.skip(left),
                    None => self.mode = Mode::Searching { counted: false },
                }
            }
            Mode::Searching { .. } => self.pass(self.held.len(), sink),
            _ => {}
        }
    }

    /// Octets of payload held.
    pub(super) const fn held(&self) -> usize {
        self.held.len()
    }

    /// Octets of memory that they take.
    pub(super) const fn cost(&self) -> usize {
        self.held.capacity()
    }

    /// Reads a message, or its beginning; returns what follows.
    #[inline]
    fn read<'a>(&mut self, octets: &'a [u8], stamp: Stamp, sink: &mut Sink<'_>) -> &'a [u8] {
        if !self.held.is_empty() {
            return self.read_on(octets, stamp, sink);
        }
        match whole(octets) {
            Some(whole) if whole < PREFIX + HEADER => self.mode = Mode::Searching { counted: false },
            Some(whole) if whole <= octets.len() => {
                sink.deliver(&octets[..whole], stamp, true);
                return &octets[whole..];
            }
            _ => {
                self.stamp = stamp;
                self.hold(octets);
                return &[];
            }
        }
        octets
    }

    /// The same, for a message that began in an earlier segment.
    fn read_on<'a>(&mut self, octets: &'a [u8], stamp: Stamp, sink: &mut Sink<'_>) -> &'a [u8] {
        self.stamp = self.stamp.max(stamp);
        let wanted = whole(&self.held).unwrap_or(PREFIX) - self.held.len();
        let (more, rest) = octets.split_at(wanted.min(octets.len()));
        self.hold(more);
        match whole(&self.held) {
            Some(whole) if whole < PREFIX + HEADER => self.mode = Mode::Searching { counted: false },
            Some(whole) if whole == self.held.len() => {
                sink.deliver(&self.held, self.stamp, true);
                self.held = vec![];
            }
            _ => {}
        }
        rest
    }

    /// Passes over octets until a message is plausible, which is then to be read; returns what follows.
    fn search<'a>(&mut self, octets: &'a [u8], stamp: Stamp, sink: &mut Sink<'_>) -> &'a [u8] {
        if self.held.is_empty() {
            let (at, plausible) = seek(octets);
            self.pass(at, sink);
            let rest = &octets[at..];
            if plausible {
                self.mode = Mode::Reading;
                return rest;
            }
            self.stamp = stamp;
            self.hold(rest);
            return &[];
        }
        // What is held began as a candidate and needs no more than these to be decided.
        let (more, rest) = octets.split_at(CANDIDATE.min(octets.len()));
        let (before, earlier) = (self.held.len(), self.stamp);
        self.hold(more);
        let (at, plausible) = seek(&self.held);
        self.stamp = if at < before { earlier.max(stamp) } else { stamp };
        if !plausible {
            self.pass(at, sink);
            return rest;
        }
        let held = std::mem::take(&mut self.held);
        self.pass(at, sink);
        self.mode = Mode::Reading;
        if at >= before {
            return &octets[at - before..];
        }
        // Calls itself once at most: nothing is held before the end of these.
        self.octets(&held[at..before], earlier, sink);
        octets
    }

    /// Counts the next octets as passed over, and forgets them where they are held.
    fn pass(&mut self, octets: usize, sink: &mut Sink<'_>) {
        if octets == 0 {
            return;
        }
        sink.losses.add_octets(StreamLoss::Desync, octets as u64);
        if let Mode::Searching { counted: counted @ false } = &mut self.mode {
            *counted = true;
            sink.losses.add_event(StreamLoss::Desync);
        }
        if octets < self.held.len() {
            self.held.drain(..octets);
        } else {
            self.held = vec![];
        }
    }

    /// Ends the message that was begun, if one was: delivers it if its header is there.
    fn give_up(&mut self, loss: StreamLoss, whole: bool, sink: &mut Sink<'_>) {
        let held = std::mem::take(&mut self.held);
        if held.len() >= PREFIX + HEADER {
            sink.deliver(&held, self.stamp, whole);
            if !whole {
                sink.losses.add_event(loss);
            }
        } else if !held.is_empty() {
            sink.lose(loss, held.len() as u64);
        }
    }

    const fn skip(&mut self, left: usize) {
        self.mode = if left == 0 { Mode::Reading } else { Mode::Skipping(left) };
    }

    /// Holds more octets. Room grows with what came, not with what is announced: a stranger's two octets must not take 64 KiB.
    fn hold(&mut self, octets: &[u8]) {
        let needed = self.held.len() + octets.len();
        if needed > self.held.capacity() {
            let room = needed.max((2 * self.held.capacity()).min(PREFIX + usize::from(u16::MAX)));
            self.held.reserve_exact(room - self.held.len());
        }
        self.held.extend_from_slice(octets);
    }
}

/// Octets of the message that `octets` begin with, length octets included, as far as those are there.
#[inline]
fn whole(octets: &[u8]) -> Option<usize> {
    octets.first_chunk().map(|prefix| PREFIX + usize::from(u16::from_be_bytes(*prefix)))
}

/// Where the first message begins that is plausible, or may turn out to be: with `false`, more octets must tell.
fn seek(octets: &[u8]) -> (usize, bool) {
    let places = (0..octets.len()).map(|at| (at, plausible(&octets[at..])));
    let mut places = places.filter_map(|(at, verdict)| match verdict {
        Ok(()) => Some((at, true)),
        Err(Doubt::TooFew) => Some((at, false)),
        Err(Doubt::No) => None,
    });
    places.next().unwrap_or((octets.len(), false))
}

enum Doubt {
    No,
    TooFew,
}

/// Whether a message begins here, length octets first. Stricter than the reader of messages: what is refused here is
/// passed over, what is accepted by mistake may swallow good messages. Each field is judged as soon as it is there.
fn plausible(octets: &[u8]) -> Result<(), Doubt> {
    let field = |at: usize| {
        let octets = octets.get(at..).and_then(<[u8]>::first_chunk).ok_or(Doubt::TooFew)?;
        Ok(u16::from_be_bytes(*octets))
    };
    let sure = |so: bool| so.then_some(()).ok_or(Doubt::No);
    let length = usize::from(field(0)?);
    sure(length >= HEADER + MIN_QUESTION)?;
    let flags = field(4)?;
    // Query, notify, update; the others are dead or hold no question. A query has no response code.
    sure(matches!(flags >> 11 & 15, 0 | 4 | 5) && (flags & 0x8000 > 0 || flags & 15 == 0))?;
    sure(field(6)? == 1)?;
    let mut records = 0;
    for at in [8, 10, 12] {
        records += usize::from(field(at)?);
        sure(HEADER + MIN_QUESTION + MIN_RECORD * records <= length)?;
    }
    let name = PREFIX + HEADER;
    let mut at = name;
    loop {
        let label = usize::from(*octets.get(at).ok_or(Doubt::TooFew)?);
        at += 1 + label;
        sure(label <= MAX_LABEL && at - name <= MAX_OCTETS)?;
        if label == 0 {
            break;
        }
    }
    sure(at + 4 <= PREFIX + length)?;
    sure(field(at)? > 0)?;
    // Internet, Chaos, Hesiod; none and any (RFC 2136 §1.3, RFC 1035 §3.2.5).
    sure(matches!(field(at + 2)?, 1 | 3 | 4 | 254 | 255))
}
