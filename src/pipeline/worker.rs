//! The hot loop: record to message to match. One worker a thread, sharing nothing but lists.

use std::net::IpAddr;

use super::Settings;
use crate::day::Timestamp;
use crate::decode::{Counts, Decoder, Message, Outcome, Pieces, Reading, Transport};
use crate::ledger::{Hit, Sighting};
use crate::name::RawName;
use crate::source::{LinkType, Record};
use crate::watchlist::{Listed, Match, Watchlist};

/// What one thread needs and counts.
pub(super) struct Worker<'a> {
    decoder: Decoder,
    watchlist: Watchlist<'a>,
    counts: Counts,
    batch: Batch,
}

/// What came of one block.
pub(super) struct Batch {
    pub(super) packets: u64,
    /// Octets captured.
    pub(super) bytes: u64,
    /// The earliest packet; later than all where there is none.
    first: Timestamp,
    /// The latest packet.
    last: Timestamp,
    /// The first link type that cannot be read.
    pub(super) unknown_link: Option<LinkType>,
    pub(super) findings: Findings,
    /// What must be put together with packets of other blocks.
    pub(super) pieces: Pieces,
}

impl Default for Batch {
    fn default() -> Self {
        let (first, last) = (Timestamp::MAX, Timestamp::default());
        Self { packets: 0, bytes: 0, first, last, unknown_link: None, findings: Findings::default(), pieces: Pieces::default() }
    }
}

impl Batch {
    /// Earliest and latest packet.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        (self.packets > 0).then_some((self.first, self.last))
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(settings: &Settings, watchlist: Watchlist<'a>) -> Self {
        Self { decoder: Decoder::new(settings.decode.clone()), watchlist, counts: Counts::default(), batch: Batch::default() }
    }

    /// Takes one packet.
    #[inline]
    pub(super) fn take(&mut self, record: Record<'_>) {
        let Self { decoder, watchlist, counts, batch } = self;
        batch.packets += 1;
        batch.bytes += record.data.len() as u64;
        batch.first = record.time.min(batch.first);
        batch.last = record.time.max(batch.last);
        match decoder.quick(record) {
            Some(Reading::Message(message)) => {
                counts.add(message.outcome());
                look_up(&message, watchlist, &mut batch.findings);
            }
            Some(reading) => counts.add(reading.outcome()),
            None => self.take_thoroughly(record),
        }
    }

    /// Takes a packet that is not of the usual kind.
    #[inline(never)]
    fn take_thoroughly(&mut self, record: Record<'_>) {
        let Self { decoder, watchlist, counts, batch } = self;
        let reading = decoder.thorough(record);
        counts.add(reading.outcome());
        match reading {
            Reading::Message(message) => look_up(&message, watchlist, &mut batch.findings),
            Reading::Piece(piece) => batch.pieces.push(&piece),
            Reading::Nothing(Outcome::UnknownLink) => {
                batch.unknown_link.get_or_insert(record.link);
            }
            Reading::Nothing(_) => {}
        }
    }

    /// What came since the last call.
    pub(super) fn finish_block(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// What is counted over all blocks: outcomes, and the days of the packets in the watchlist.
    pub(super) fn finish(self) -> (Counts, Watchlist<'a>) {
        (self.counts, self.watchlist)
    }
}

/// What messages are evidence of.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) hits: Vec<Hit>,
    pub(super) sightings: Vec<Sighting>,
}

/// Finds out which listed names and patterns a message asks for or answers.
#[inline(always)]
pub(super) fn look_up(message: &Message<'_>, watchlist: &mut Watchlist<'_>, findings: &mut Findings) {
    let Some(question) = message.question else { return };
    let asker = || Asker::of(message);
    let worth_more = watchlist.find(message.time, question.name, |matched| findings.hits.push(asker().hit(matched)));
    if let Some(listed) = worth_more {
        find_others(watchlist, findings, listed, question.name, asker());
    }
}

/// Who asked, or is answered, by what message.
#[derive(Clone, Copy)]
struct Asker {
    source: IpAddr,
    port: u16,
    time: Timestamp,
    response: bool,
    transport: Transport,
}

impl Asker {
    #[inline(always)]
    fn of(message: &Message<'_>) -> Self {
        let (time, transport, response) = (message.time, message.transport, message.header.is_response());
        // A response counts for the one who is answered.
        let (source, port) =
            if response { (message.destination(), message.destination_port) } else { (message.source(), message.source_port) };
        Self { source, port, time, response, transport }
    }

    const fn hit(self, matched: Match) -> Hit {
        let Self { source, port, time, response, transport } = self;
        Hit { source, time, response, port, transport, matched }
    }
}

/// Looks for what few names are. Takes what it needs of the message and no reference to it, so that the hot loop can keep
/// the message in registers.
#[cold]
#[inline(never)]
fn find_others(watchlist: &mut Watchlist<'_>, findings: &mut Findings, listed: Listed, name: RawName<'_>, asker: Asker) {
    let Findings { hits, sightings } = findings;
    let Asker { source, time, response, .. } = asker;
    watchlist.find_others(listed, name, &mut |matched| hits.push(asker.hit(matched)), &mut |pattern| {
        sightings.push(Sighting { source, time, response, pattern })
    });
}
