//! What each worker counted, where others can read it: a copy that it puts there ten times a second.
//!
//! Workers count in plain integers of their own. A copy is a few hundred octets under a lock that nobody holds for longer
//! than it takes to copy them; a worker that finds it taken tries again later.

use std::sync::{Mutex, PoisonError};

use super::worker::Worker;
use crate::day::Timestamp;
use crate::decode::{Counts, GivenUpCounts, Messages};
use crate::source::{LinkType, TapCounts};

/// What one worker counted. All of it was so at one moment.
#[derive(Clone, Default)]
pub(super) struct Tally {
    pub(super) tap: TapCounts,
    /// Findings for which there was no room.
    pub(super) dropped_queue: u64,
    /// Packets taken: each has an outcome.
    pub(super) packets: u64,
    /// Octets of them.
    pub(super) octets: u64,
    pub(super) span: Option<(Timestamp, Timestamp)>,
    pub(super) unknown_link: Option<LinkType>,
    pub(super) counts: Counts,
    pub(super) messages: Messages,
    pub(super) given_up: GivenUpCounts,
}

impl Tally {
    /// Copies what `worker` counted.
    pub(super) fn read(&mut self, worker: &mut Worker<'_>) {
        let batch = worker.batch();
        (self.packets, self.octets, self.span, self.unknown_link) =
            (batch.packets, batch.bytes, batch.span(), batch.unknown_link);
        self.counts = batch.counts.clone();
        self.messages = Messages::in_packets(&self.counts);
        if let Some(assembler) = worker.assembler() {
            self.messages.merge(assembler.messages());
            self.given_up = assembler.given_up();
        }
    }
}

/// A place for a tally, on cache lines of its own: processors fetch two at a time.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Slot(Mutex<Tally>);

impl Slot {
    /// Puts a copy there, unless somebody reads just now.
    pub(super) fn offer(&self, tally: &Tally) {
        if let Ok(mut place) = self.0.try_lock() {
            place.clone_from(tally);
        }
    }

    /// Puts a copy there.
    pub(super) fn put(&self, tally: &Tally) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(tally);
    }

    /// What was put there last.
    pub(super) fn read(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
