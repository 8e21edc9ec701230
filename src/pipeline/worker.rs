//! The hot loop: record to message to match. One worker a thread, sharing nothing but lists.

use std::net::IpAddr;

use super::Settings;
use crate::day::Timestamp;
use crate::decode::{Counts, Decoder, Outcome};
use crate::ledger::{Hit, Sighting};
use crate::name::RawName;
use crate::source::{LinkType, Record};
use crate::watchlist::{Listed, Watchlist};

/// What one thread needs and counts.
pub(super) struct Worker<'a> {
    decoder: Decoder,
    watchlist: Watchlist<'a>,
    counts: Counts,
    batch: Batch,
}

/// What came of one block.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) packets: u64,
    /// Octets captured.
    pub(super) bytes: u64,
    /// Earliest and latest packet.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// The first link type that cannot be read.
    pub(super) unknown_link: Option<LinkType>,
    pub(super) hits: Vec<Hit>,
    pub(super) sightings: Vec<Sighting>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(settings: &Settings, watchlist: Watchlist<'a>) -> Self {
        Self { decoder: Decoder::new(&settings.ports), watchlist, counts: Counts::default(), batch: Batch::default() }
    }

    /// Takes one packet.
    #[inline]
    pub(super) fn take(&mut self, record: Record<'_>) {
        let Self { decoder, watchlist, counts, batch } = self;
        batch.packets += 1;
        batch.bytes += record.data.len() as u64;
        let (first, last) = batch.span.get_or_insert((record.time, record.time));
        *first = record.time.min(*first);
        *last = record.time.max(*last);
        let message = match decoder.message(record) {
            Ok(message) => message,
            Err(outcome) => {
                if outcome == Outcome::UnknownLink {
                    batch.unknown_link.get_or_insert(record.link);
                }
                return counts.add(outcome);
            }
        };
        counts.add(message.outcome);
        let Some(question) = message.question else { return };
        let response = message.header.is_response();
        let worth_more = watchlist.find(message.time, question.name, |matched| {
            // A response counts for the one who is answered.
            let source = if response { message.destination() } else { message.source() };
            batch.hits.push(Hit { source, time: message.time, response, matched });
        });
        if let Some(listed) = worth_more {
            let source = if response { message.destination() } else { message.source() };
            find_others(watchlist, batch, listed, question.name, (source, message.time, response));
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

/// Looks for what few names are. Takes what it needs of the message and no reference to it, so that the hot loop can keep
/// the message in registers.
#[cold]
#[inline(never)]
fn find_others(
    watchlist: &mut Watchlist<'_>,
    batch: &mut Batch,
    listed: Listed,
    name: RawName<'_>,
    (source, time, response): (IpAddr, Timestamp, bool),
) {
    watchlist.find_others(
        listed,
        name,
        &mut |matched| batch.hits.push(Hit { source, time, response, matched }),
        &mut |pattern| batch.sightings.push(Sighting { source, time, response, pattern }),
    );
}
