//! The hot loop: record to message to match. One worker a thread, sharing nothing but lists.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Settings;
use super::shortlist::{Entry, Shortlist};
use crate::day::{Day, Timestamp};
use crate::decode::{
    Assembler, Counts, Decoder, Message, Outcome, Piece, Pieces, Question, Reading, Reply, Told, Transport, lifetime, told,
};
use crate::ledger::{Answer, Hit, Sighting};
use crate::name::RawName;
use crate::source::{Each, LinkType, Record};
use crate::watchlist::{Found, TOGETHER, Watchlist, ones};

/// What one thread needs and counts.
pub(super) struct Worker<'a> {
    decoder: Decoder,
    watchlist: Watchlist<'a, Asker>,
    batch: Batch,
    /// Puts together what comes in pieces, where no other worker has some of them.
    assembler: Option<Assembler>,
}

/// A worker without lists: what it found, and what waits to be put together.
#[cfg(feature = "live")]
pub(super) struct Resting {
    decoder: Decoder,
    batch: Batch,
    assembler: Assembler,
}

#[cfg(feature = "live")]
impl Resting {
    /// One that has done nothing yet.
    pub(super) fn new(settings: &Settings) -> Self {
        let (decoder, assembler) = (Decoder::new(settings.decode.clone()), Assembler::new(settings.decode.clone()));
        Self { decoder, batch: Batch::default(), assembler }
    }
}

/// What came of one block.
pub(super) struct Batch {
    pub(super) packets: u64,
    /// The earliest packet; later than all where there is none.
    first: Timestamp,
    /// The latest packet.
    last: Timestamp,
    /// Octets captured. Beside `packets`, both would be added to at once, by three times the instructions.
    pub(super) bytes: u64,
    /// The first link type that cannot be read.
    pub(super) unknown_link: Option<LinkType>,
    /// What became of the packets. Live, this is counted over all of them.
    pub(super) counts: Counts,
    /// Days of the packets in the watchlist.
    pub(super) days: BTreeSet<Day>,
    pub(super) findings: Findings,
    /// What must be put together with packets of other blocks.
    pub(super) pieces: Pieces,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            first: Timestamp::MAX,
            last: Timestamp::default(),
            unknown_link: None,
            counts: Counts::default(),
            days: BTreeSet::new(),
            findings: Findings::default(),
            pieces: Pieces::default(),
        }
    }
}

impl Batch {
    /// One without anything in it that has the room of this one: what findings and pieces take need not grow each time.
    pub(super) fn emptied(mut self) -> Self {
        self.findings.clear();
        self.pieces.clear();
        Self { findings: self.findings, pieces: self.pieces, ..Self::default() }
    }

    /// Earliest and latest packet.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        (self.packets > 0).then_some((self.first, self.last))
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(settings: &Settings, watchlist: Watchlist<'a, Asker>) -> Self {
        let decoder = Decoder::new(settings.decode.clone());
        Self { decoder, watchlist, batch: Batch::default(), assembler: None }
    }

    /// One that goes on where another, or none, stopped; leaves no pieces to others.
    #[cfg(feature = "live")]
    pub(super) fn go_on(resting: Resting, watchlist: Watchlist<'a, Asker>) -> Self {
        let Resting { decoder, batch, assembler } = resting;
        Self { decoder, watchlist, batch, assembler: Some(assembler) }
    }

    /// Stops for a while; also tells the days of the packets.
    ///
    /// # Panics
    /// When it leaves pieces to others.
    #[cfg(feature = "live")]
    pub(super) fn rest(self) -> (Resting, BTreeSet<Day>) {
        let Self { decoder, mut watchlist, batch, assembler } = self;
        let assembler = assembler.expect("only workers that leave nothing to others rest");
        (Resting { decoder, batch, assembler }, watchlist.take_days())
    }

    /// Sits down before a block.
    pub(super) fn at_block<'w, 'o>(&'w mut self, shortlist: &'w mut Shortlist<'o>) -> AtBlock<'w, 'a, 'o> {
        AtBlock { worker: self, shortlist }
    }

    /// Takes one packet that is gone when the next comes.
    #[inline]
    pub(super) fn take_at_once(&mut self, record: Record<'_>) {
        self.count(record);
        match self.decoder.quick(record) {
            Some(Reading::Message(message)) => {
                self.batch.counts.add(message.outcome());
                look_up(&message, &mut self.watchlist, &mut self.batch.findings);
            }
            Some(reading) => self.batch.counts.add(reading.outcome()),
            None => {
                if !self.take_segment(record) {
                    self.take_by_layers(record);
                }
            }
        }
    }

    #[inline(always)]
    fn count(&mut self, record: Record<'_>) {
        let Self { batch, .. } = self;
        batch.packets += 1;
        batch.bytes += record.data.len() as u64;
        // Guessed, as packets mostly come in the order of their times.
        if record.time < batch.first {
            batch.first = record.time;
        }
        if record.time > batch.last {
            batch.last = record.time;
        }
    }

    /// Looks up the names of a shortlist.
    #[inline(never)]
    fn look_up_all(&mut self, shortlist: &mut Shortlist<'_>) {
        let Self { decoder, watchlist, batch, .. } = self;
        let entries = shortlist.take();
        let worth = watchlist.sift(entries.iter().map(|entry| (entry.record.time, entry.name)));
        for place in ones(worth) {
            let Entry { record, name } = entries[place];
            if let Some(Reading::Message(message)) = decoder.quick(record) {
                look_closer(watchlist, &mut batch.findings, name, message);
            }
        }
    }

    /// Takes a TCP segment like nearly all are; tells whether it is one.
    #[inline(never)]
    fn take_segment(&mut self, record: Record<'_>) -> bool {
        let Self { decoder, watchlist, batch, assembler } = self;
        match decoder.segment(record) {
            // Not one way for both: what a segment says goes from here straight to where it is kept.
            Some(Reading::Piece(piece)) => take_piece(&piece, watchlist, batch, assembler),
            Some(reading) => batch.counts.add(reading.outcome()),
            None => return false,
        }
        true
    }

    /// Takes a packet of any kind.
    #[inline(never)]
    fn take_by_layers(&mut self, record: Record<'_>) {
        let Self { decoder, watchlist, batch, assembler } = self;
        match decoder.thorough(record) {
            Reading::Message(message) => {
                batch.counts.add(message.outcome());
                look_up(&message, watchlist, &mut batch.findings);
            }
            Reading::Piece(piece) => take_piece(&piece, watchlist, batch, assembler),
            Reading::Nothing(outcome) => {
                batch.counts.add(outcome);
                if outcome == Outcome::UnknownLink {
                    batch.unknown_link.get_or_insert(record.link);
                }
            }
        }
    }

    /// What came so far, where blocks are not told apart.
    #[cfg(feature = "live")]
    pub(super) fn batch(&mut self) -> &mut Batch {
        settle(&mut self.watchlist, &mut self.batch.findings);
        &mut self.batch
    }

    /// What puts pieces together here.
    #[cfg(feature = "live")]
    pub(super) const fn assembler(&self) -> Option<&Assembler> {
        self.assembler.as_ref()
    }

    /// Gives up what waits to be put together here.
    #[cfg(feature = "live")]
    pub(super) fn give_up(&mut self) {
        let Self { watchlist, batch, assembler, .. } = self;
        if let Some(assembler) = assembler {
            assembler.finish(&mut |_, message| look_up(message, watchlist, &mut batch.findings));
        }
    }
}

/// A worker with a block before it, whose packets stay where they are until it is through.
pub(super) struct AtBlock<'w, 'a, 'o> {
    worker: &'w mut Worker<'a>,
    shortlist: &'w mut Shortlist<'o>,
}

impl<'o> Each<'o> for AtBlock<'_, '_, 'o> {
    /// Takes one packet of the block. Its name may wait for others.
    #[inline(always)]
    fn take(&mut self, record: Record<'o>) {
        let Self { worker, shortlist } = self;
        worker.count(record);
        match worker.decoder.quick(record) {
            Some(Reading::Message(message)) => {
                worker.batch.counts.add(message.outcome());
                let Some(Question { name, .. }) = message.question else { return };
                if shortlist.write(Entry { record, name }, worker.watchlist.opens(record.time, name)) {
                    worker.look_up_all(shortlist);
                }
            }
            Some(reading) => worker.batch.counts.add(reading.outcome()),
            None => {
                if !worker.take_segment(record) {
                    // What is found is told in the order of packets.
                    worker.look_up_all(shortlist);
                    worker.take_by_layers(record);
                }
            }
        }
    }

    #[inline(always)]
    fn lend(&mut self) -> impl Each<'o> {
        AtBlock { worker: self.worker, shortlist: self.shortlist }
    }
}

impl AtBlock<'_, '_, '_> {
    /// What came of the block, or since the last one; what comes next goes into `next`, for which an empty one will do.
    pub(super) fn finish(self, next: Batch) -> Batch {
        let Self { worker, shortlist } = self;
        worker.look_up_all(shortlist);
        settle(&mut worker.watchlist, &mut worker.batch.findings);
        worker.batch.days = worker.watchlist.take_days();
        std::mem::replace(&mut worker.batch, next)
    }
}

/// Puts a piece together with others, or keeps it for who does.
#[inline(always)]
fn take_piece(piece: &Piece<'_>, watchlist: &mut Watchlist<'_, Asker>, batch: &mut Batch, assembler: &mut Option<Assembler>) {
    batch.counts.add(piece.outcome());
    match assembler {
        Some(assembler) => {
            // Its number among this worker's: which packet came last decides the time of a message.
            let (number, findings) = (batch.packets, &mut batch.findings);
            assembler.take(number, piece, &mut |_, message| look_up(message, watchlist, findings));
        }
        None => batch.pieces.push(piece),
    }
}

/// What messages are evidence of.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) hits: Vec<Hit>,
    pub(super) sightings: Vec<Sighting>,
    /// Those of the hits that lead somewhere.
    pub(super) answers: Vec<Answer>,
    /// Responses whose names wait to be looked up: one of the two that a lookup calls keeps a response, the other reads it,
    /// never at the same time.
    waiting: RefCell<Responses>,
}

/// Octets of a response that are kept while its name waits: more no message has.
const MOST_KEPT: usize = u16::MAX as usize;

/// Responses whose names wait: the latest, of which no more wait.
#[derive(Default)]
struct Responses {
    kept: Vec<Vec<u8>>,
    next: usize,
}

impl Responses {
    /// Keeps a response in the place of the one [`TOGETHER`] before it; returns where.
    fn keep(&mut self, message: &[u8]) -> u8 {
        if self.kept.len() < TOGETHER {
            self.kept.resize_with(TOGETHER, Vec::new);
        }
        let place = self.next;
        self.next = (place + 1) % TOGETHER;
        self.kept[place].clear();
        self.kept[place].extend_from_slice(&message[..message.len().min(MOST_KEPT)]);
        place as u8
    }
}

impl Findings {
    /// Room for so many.
    #[cfg(feature = "live")]
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { hits: Vec::with_capacity(count), ..Self::default() }
    }

    /// How many there are.
    #[cfg(feature = "live")]
    pub(super) const fn len(&self) -> usize {
        self.hits.len() + self.sightings.len()
    }

    /// Forgets them, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.hits.clear();
        self.sightings.clear();
        self.answers.clear();
    }
}

/// Finds out which listed names and patterns a message asks for or answers.
#[inline(always)]
pub(super) fn look_up(message: &Message<'_>, watchlist: &mut Watchlist<'_, Asker>, findings: &mut Findings) {
    let Some(question) = message.question else { return };
    if watchlist.opens(message.time, question.name) {
        look_closer(watchlist, findings, question.name, *message);
    }
}

/// Who asked, or is answered, by what message.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    source: IpAddr,
    port: u16,
    time: Timestamp,
    response: bool,
    transport: Transport,
    id: u16,
    recursive: bool,
    /// Who answers, of a response.
    server: IpAddr,
    /// Where the response is kept: only of few it is read what it says.
    kept: Option<u8>,
}

impl Asker {
    fn of(message: &Message<'_>, waiting: &RefCell<Responses>) -> Self {
        // Evidence speaks of what IP carried: a port is of that.
        let (time, transport, response) = (message.time, message.transport.carrier(), message.header.is_response());
        // A response counts for the one who is answered.
        let (source, port) =
            if response { (message.destination(), message.destination_port) } else { (message.source(), message.source_port) };
        let (id, recursive) = (message.header.id, message.header.wants_recursion());
        let (server, kept) = (message.source(), response.then(|| waiting.borrow_mut().keep(message.octets())));
        Self { source, port, time, response, transport, id, recursive, server, kept }
    }

    /// Enters what was found for a name that it asked for.
    fn enter(self, found: Found, waiting: &Responses, hits: &mut Vec<Hit>, others: (&mut Vec<Answer>, &mut Vec<Sighting>)) {
        let Self { source, port, time, response, transport, id, recursive, server, kept } = self;
        let (server, octets) = (response.then_some(server), kept.map(|kept| &waiting.kept[usize::from(kept)][..]));
        let (answers, sightings) = others;
        let mut said = None;
        let matched = match found {
            Found::Listed(matched) => {
                said = octets.map(told);
                if let Some(octets) = octets.filter(|_| said == Some(Told::Addresses)) {
                    match Reply::read(octets) {
                        Ok(reply) => answers.push(Answer { source, port, transport, time, matched, reply }),
                        Err(instead) => said = Some(instead),
                    }
                }
                matched
            }
            // What is answered is about another name.
            Found::Appended(matched) => matched,
            Found::Watched(pattern) => return sightings.push(Sighting { source, time, response, pattern }),
        };
        let lifetime = octets.and_then(lifetime);
        hits.push(Hit { source, time, response, port, transport, id, recursive, server, lifetime, told: said, matched });
    }
}

/// Takes the message and no reference to it, so that the hot loop can keep it in registers. Who asked is read of it only
/// where something is found: what few packets need should cost the others no branches.
#[inline(never)]
fn look_closer(watchlist: &mut Watchlist<'_, Asker>, findings: &mut Findings, name: RawName<'_>, message: Message<'_>) {
    let Findings { hits, sightings, answers, waiting } = findings;
    let asker = || Asker::of(&message, waiting);
    let take = &mut |asker: Asker, found| asker.enter(found, &waiting.borrow(), hits, (answers, sightings));
    watchlist.find(message.time, name, asker, take);
}

/// Looks up what waits to be looked up with others.
pub(super) fn settle(watchlist: &mut Watchlist<'_, Asker>, findings: &mut Findings) {
    let Findings { hits, sightings, answers, waiting } = findings;
    watchlist.flush(&mut |asker, found| asker.enter(found, waiting.get_mut(), hits, (answers, sightings)));
}
