//! DNS messages out of TCP segments: puts each direction in order and cuts it at its length octets.
//!
//! ```text
//!   Segment -> Streams ---> Half ------------> Reader ------------> Found
//!              who, bounds  order, once each   lengths, searching   a message
//! ```
//!
//! Made for a sensor that sees what a span port delivers: segments twice, late, never, from the middle of a
//! connection, cut by the snap length. What is lost is lost for a counted reason, and reading goes on behind it.
//!
//! * A hole is given up when the receiver acknowledges what lies behind it, at a RST, when the direction falls silent,
//!   when there is no room to wait, at the end of input. A FIN behind a hole waits like any other octet.
//! * A message that goes on behind a hole or a cut is left by its length, and the next one is found there. Only when
//!   a boundary is lost is the next message searched for.
//! * A message says in which frame its own last octets came, however long it waited for a hole before it.
//! * Memory, with what the containers take, is bounded for a direction and for all. The least recently used goes first.
//!
//! Sources: RFC 1035 §4.2.2 and RFC 7766 (DNS over TCP), RFC 9293 (TCP).

mod closed;
mod half;
mod loss;
mod open;
mod reader;

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use hashbrown::DefaultHashBuilder;

use self::closed::ClosedDirections;
use self::half::{Half, Load, OVERHEAD};
pub(super) use self::loss::{Losses, Octets, StreamLoss};
use self::open::OpenDirections;
use self::reader::Sink;
use crate::day::Timestamp;

const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// Who sent a segment to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
}

/// A few words at once: field after field takes several times as long.
impl Hash for Flow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                state.write_u64(u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits()));
            }
            (source, destination) => {
                for address in [source, destination] {
                    let bits = match address {
                        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
                        IpAddr::V6(address) => address.to_bits(),
                    };
                    state.write_u128(bits);
                }
            }
        }
        state.write_u32(u32::from(self.source_port) << 16 | u32::from(self.destination_port));
    }
}

impl Flow {
    /// The other direction.
    pub(super) const fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) time: Timestamp,
    /// Number of the packet in its capture.
    pub(super) frame: u64,
    pub(super) flow: &'a Flow,
    pub(super) sequence: u32,
    pub(super) acknowledgment: u32,
    /// The octet of flags.
    pub(super) flags: u8,
    /// What was captured.
    pub(super) payload: &'a [u8],
    /// Octets behind it that the snap length cut off.
    pub(super) missing: u32,
}

impl Segment<'_> {
    /// The sequence number of its first octet. A SYN takes one itself.
    const fn first(&self) -> u32 {
        self.sequence.wrapping_add((self.flags & SYN > 0) as u32)
    }
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    /// When `frame` came.
    pub(super) time: Timestamp,
    /// The latest packet that carried some of it.
    pub(super) frame: u64,
    pub(super) flow: &'a Flow,
    /// Without its length octets.
    pub(super) octets: &'a [u8],
    /// `false` when the rest of it will never come. One that the snap length cut is `true`, as it is over UDP.
    pub(super) whole: bool,
}

/// What may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Octets of memory for what a direction holds.
    pub(super) connection_octets: usize,
    /// Directions.
    pub(super) connections: usize,
    /// Octets of memory for everything, the state of directions that hold nothing included.
    pub(super) total_octets: usize,
    /// Nanoseconds after which a silent direction is forgotten.
    pub(super) idle: u64,
    /// The same of one that is closed.
    pub(super) linger: u64,
}

/// Room for four of the longest messages in a direction, and for 50,000 connections. RFC 7766 §6.2.3 speaks of idle
/// times of seconds. What is sent again after the end comes in the first seconds, thrice where the timer starts at a second
/// (RFC 6298); what is kept no longer stays in the processor's cache.
impl Default for Limits {
    fn default() -> Self {
        Self {
            connection_octets: 256 << 10,
            connections: 100_000,
            total_octets: 64 << 20,
            idle: 120_000_000_000,
            linger: 8_000_000_000,
        }
    }
}

/// Puts streams together.
#[derive(Debug)]
pub(super) struct Streams {
    limits: Limits,
    /// Strangers choose the flows: hashed with a random seed.
    hasher: DefaultHashBuilder,
    open: OpenDirections,
    closed: ClosedDirections,
    /// The greatest time of any segment: packets may lie about theirs, and time must not go back.
    now: u64,
    load: Load,
    losses: Losses,
    octets: Octets,
}

impl Streams {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            hasher: DefaultHashBuilder::default(),
            open: OpenDirections::new(limits.connections),
            closed: ClosedDirections::new(limits.linger),
            now: 0,
            load: Load::default(),
            losses: Losses::default(),
            octets: Octets::default(),
        }
    }

    /// Takes the next segment of the capture; `found` is called for each message that it completes or sets free.
    pub(super) fn take(&mut self, segment: &Segment<'_>, found: &mut dyn FnMut(Found<'_>)) {
        self.octets.taken += segment.payload.len() as u64;
        self.now = self.now.max(segment.time.as_nanos());
        self.forget_silent(found);
        self.closed.forget_old(self.now);
        if segment.flags & ACK > 0 && self.load.waiting > 0 {
            let (place, limit) = (segment.acknowledgment, self.limits.connection_octets);
            self.change(&segment.flow.reversed(), found, |half, sink| half.acknowledged(place, limit, sink));
        }
        if segment.flags & RST > 0 {
            // Its payload, if any, is a text for people (RFC 9293 §3.5.3).
            self.octets.repeated += segment.payload.len() as u64;
            self.change(segment.flow, found, Half::reset);
            self.change(&segment.flow.reversed(), found, Half::reset);
            return;
        }
        // An acknowledgment alone brings nothing, and what it acknowledges was told above.
        if !segment.payload.is_empty() || segment.missing > 0 || segment.flags & (SYN | FIN) > 0 {
            self.place(segment, found);
        }
        while self.memory() > self.limits.total_octets && self.evict(found) {}
    }

    /// The end of all input: gives up what waits.
    pub(super) fn finish(&mut self, found: &mut dyn FnMut(Found<'_>)) {
        // In the order in which they would be forgotten, but at once: to take them out one by one costs as much as all else.
        let mut next = self.open.oldest().map(|(place, _)| place);
        while let Some(place) = next {
            self.give_up(place, StreamLoss::Unfinished, found);
            next = self.open.after(place);
        }
        self.open.clear();
        self.closed = ClosedDirections::new(self.limits.linger);
        let Octets { taken, delivered, repeated } = self.octets;
        let accounted = delivered + repeated + self.losses.seen_octets() + self.held() as u64;
        debug_assert_eq!(taken, accounted, "octets of a stream went astray");
    }

    /// What was lost so far.
    pub(super) const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Where the octets went: with [`Losses::seen_octets`] and [`Self::held`], every octet taken is accounted for.
    #[cfg(test)]
    pub(super) const fn octets(&self) -> &Octets {
        &self.octets
    }

    /// Octets of payload held. At 0 nothing can be delivered late, not even the beginning of a message.
    pub(super) const fn held(&self) -> usize {
        self.load.octets
    }

    /// Octets of memory in use, by estimate.
    pub(super) fn memory(&self) -> usize {
        self.load.memory + self.closed.len() * OVERHEAD
    }

    /// Segments held because something before them is missing. At 0 no whole message can be delivered late.
    pub(super) const fn waiting(&self) -> usize {
        self.load.waiting
    }

    /// Hands the segment to its direction.
    fn place(&mut self, segment: &Segment<'_>, found: &mut dyn FnMut(Found<'_>)) {
        let flow = segment.flow;
        let hash = self.hasher.hash_one(flow);
        let mut before = Load::default();
        let place = match self.open.find(hash, flow) {
            Some(place) => {
                let (.., half) = self.open.at(place);
                before = half.load();
                self.open.hear(place);
                place
            }
            None => {
                let half = match self.closed.take(hash, flow, self.now) {
                    Some(closed) => Half::of(closed),
                    // Nothing to remember: the end of a connection of which nothing else is seen.
                    None if segment.payload.is_empty() && segment.missing == 0 && segment.flags & SYN == 0 => return,
                    None => Half::new(segment),
                };
                while self.open.len() + self.closed.len() >= self.limits.connections.max(1) && self.evict(found) {}
                self.open.insert(hash, *flow, half)
            }
        };
        let (.., half) = self.open.at(place);
        let mut sink = Sink { flow, losses: &mut self.losses, octets: &mut self.octets, found };
        if half.ends_before(segment) {
            half.finish(StreamLoss::Unfinished, &mut sink);
            *half = Half::new(segment);
        }
        half.used = self.now;
        half.take(segment, self.limits.connection_octets, &mut sink);
        self.load.replace(before, half.load());
        if half.is_done() {
            self.close(place);
        }
    }

    /// Does something to a direction, if it is known and not closed, that is no use of it.
    fn change(&mut self, flow: &Flow, found: &mut dyn FnMut(Found<'_>), change: impl FnOnce(&mut Half, &mut Sink<'_>)) {
        let Some(place) = self.open.find(self.hasher.hash_one(flow), flow) else { return };
        let (.., half) = self.open.at(place);
        let before = half.load();
        change(half, &mut Sink { flow, losses: &mut self.losses, octets: &mut self.octets, found });
        self.load.replace(before, half.load());
        if half.is_done() {
            self.close(place);
        }
    }

    /// Moves a direction to those that closed.
    fn close(&mut self, place: u32) {
        let (hash, flow, half) = self.open.at(place);
        self.load.replace(half.load(), Load::default());
        self.closed.insert(hash, *flow, half.closed());
        self.open.remove(place);
    }

    /// Forgets the directions that were silent for too long. The least recently used is the longest silent, because
    /// their times never go back.
    fn forget_silent(&mut self, found: &mut dyn FnMut(Found<'_>)) {
        while let Some((place, half)) = self.open.oldest()
            && self.now - half.used > self.limits.idle
        {
            self.give_up(place, StreamLoss::Idle, found);
            self.open.remove(place);
        }
    }

    /// Forgets some of the closed directions, or the least recently used of the others. `false` when there is none.
    fn evict(&mut self, found: &mut dyn FnMut(Found<'_>)) -> bool {
        if self.closed.len() > 0 {
            self.closed.forget_older();
            return true;
        }
        let Some((place, half)) = self.open.oldest() else { return false };
        let open = !half.is_closed();
        let counted = self.give_up(place, StreamLoss::Evicted, found);
        self.open.remove(place);
        if open && !counted {
            self.losses.add_event(StreamLoss::Evicted);
        }
        true
    }

    /// Gives up what a direction holds. `true` when a message was lost that had begun.
    fn give_up(&mut self, place: u32, loss: StreamLoss, found: &mut dyn FnMut(Found<'_>)) -> bool {
        let (_, flow, half) = self.open.at(place);
        self.load.replace(half.load(), Load::default());
        half.finish(loss, &mut Sink { flow, losses: &mut self.losses, octets: &mut self.octets, found })
    }
}

impl Load {
    /// Counts one direction's load anew.
    const fn replace(&mut self, before: Self, after: Self) {
        self.memory = self.memory - before.memory + after.memory;
        self.octets = self.octets - before.octets + after.octets;
        self.waiting = self.waiting - before.waiting + after.waiting;
    }
}

#[cfg(test)]
mod tests;
