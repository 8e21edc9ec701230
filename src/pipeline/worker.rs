//! The hot loop: record to message to match. One worker a thread, sharing nothing but lists.

use std::net::IpAddr;

use super::Settings;
use crate::day::Timestamp;
use crate::decode::{Assembler, Counts, Decoder, Message, Outcome, Pieces, Reading, Transport};
use crate::ledger::{Hit, Sighting};
use crate::name::RawName;
use crate::source::{LinkType, Record};
use crate::watchlist::{Match, Watchlist};

/// What one thread needs and counts.
pub(super) struct Worker<'a> {
    decoder: Decoder,
    watchlist: Watchlist<'a>,
    counts: Counts,
    batch: Batch,
    /// Puts together what comes in pieces, where no other worker has some of them.
    assembler: Option<Assembler>,
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
        let decoder = Decoder::new(settings.decode.clone());
        Self { decoder, watchlist, counts: Counts::default(), batch: Batch::default(), assembler: None }
    }

    /// One that leaves no pieces to others.
    #[cfg(feature = "live")]
    pub(super) fn alone(settings: &Settings, watchlist: Watchlist<'a>) -> Self {
        Self { assembler: Some(Assembler::new(settings.decode.clone())), ..Self::new(settings, watchlist) }
    }

    /// Takes one packet.
    #[inline]
    pub(super) fn take(&mut self, record: Record<'_>) {
        let Self { decoder, watchlist, counts, batch, .. } = self;
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
        let Self { decoder, watchlist, counts, batch, assembler } = self;
        let reading = decoder.thorough(record);
        counts.add(reading.outcome());
        match reading {
            Reading::Message(message) => look_up(&message, watchlist, &mut batch.findings),
            Reading::Piece(piece) => match assembler {
                Some(assembler) => {
                    // Its number among this worker's: which packet came last decides the time of a message.
                    let (number, findings) = (batch.packets, &mut batch.findings);
                    assembler.take(number, &piece, &mut |_, message| look_up(message, watchlist, findings));
                }
                None => batch.pieces.push(&piece),
            },
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

    /// What came so far, where blocks are not told apart.
    #[cfg(feature = "live")]
    pub(super) const fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// What is counted of packets and of what is put together here.
    #[cfg(feature = "live")]
    pub(super) const fn counted(&self) -> (&Counts, Option<&Assembler>) {
        (&self.counts, self.assembler.as_ref())
    }

    /// Gives up what waits to be put together here.
    #[cfg(feature = "live")]
    pub(super) fn give_up(&mut self) {
        let Self { watchlist, batch, assembler, .. } = self;
        if let Some(assembler) = assembler {
            assembler.finish(&mut |_, message| look_up(message, watchlist, &mut batch.findings));
        }
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

#[cfg(feature = "live")]
impl Findings {
    /// Room for so many.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { hits: Vec::with_capacity(count), sightings: vec![] }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.hits.len() + self.sightings.len()
    }

    /// Forgets them, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.hits.clear();
        self.sightings.clear();
    }
}

/// Finds out which listed names and patterns a message asks for or answers.
#[inline(always)]
pub(super) fn look_up(message: &Message<'_>, watchlist: &mut Watchlist<'_>, findings: &mut Findings) {
    let Some(question) = message.question else { return };
    if watchlist.opens(message.time, question.name) {
        look_closer(watchlist, findings, question.name, Asker::of(message));
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
    id: u16,
    recursive: bool,
    server: Option<IpAddr>,
    lifetime: Option<u32>,
}

impl Asker {
    #[inline]
    fn of(message: &Message<'_>) -> Self {
        let (time, transport, response) = (message.time, message.transport, message.header.is_response());
        // A response counts for the one who is answered.
        let (source, port) =
            if response { (message.destination(), message.destination_port) } else { (message.source(), message.source_port) };
        let server = response.then(|| message.source());
        let (id, recursive) = (message.header.id, message.header.wants_recursion());
        Self { source, port, time, response, transport, id, recursive, server, lifetime: message.lifetime() }
    }

    const fn hit(self, matched: Match) -> Hit {
        let Self { source, port, time, response, transport, id, recursive, server, lifetime } = self;
        Hit { source, time, response, port, transport, id, recursive, server, lifetime, matched }
    }
}

/// Takes what it needs of the message and no reference to it, so that the hot loop can keep the message in registers.
#[inline(never)]
fn look_closer(watchlist: &mut Watchlist<'_>, findings: &mut Findings, name: RawName<'_>, asker: Asker) {
    let Findings { hits, sightings } = findings;
    let Asker { source, time, response, .. } = asker;
    watchlist.find(name, &mut |matched| hits.push(asker.hit(matched)), &mut |pattern| {
        sightings.push(Sighting { source, time, response, pattern })
    });
}
