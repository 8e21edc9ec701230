//! What one thread of the sensor does: take packets, decode, match, until told to stop.
//!
//! Packets never leave it. What was found travels to the clerk in buffers that go round: their number bounds memory, and a
//! clerk who is behind makes findings be counted as lost, not packets wait. Nothing here waits for another thread.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::tally::{Slot, Tally};
use super::worker::{Findings, Worker};
use crate::source::{Intake, Tap};

/// Packets taken between two looks at the clock.
const TURN: usize = 1024;

/// How often counters are published and findings are handed over.
const TICK: Duration = Duration::from_millis(100);

/// How often the kernel's counters are read: long before 32 bits wrap.
const LOOK: Duration = Duration::from_secs(1);

/// How long to go on when told to stop: the kernel holds packets back until a block is full or [`Tap::HOLD`] is over.
const DRAIN: Duration = Tap::HOLD.saturating_mul(2);

/// How long to go on at most, where packets come without end.
const DRAIN_MOST: Duration = Duration::from_secs(2);

/// Findings that fill a buffer.
const FULL: usize = 1024;

/// Buffers in the round for each worker.
const BUFFERS: usize = 32;

/// The buffers' way from workers to the clerk and back.
pub(super) struct Round {
    pub(super) give_full: Sender<Findings>,
    pub(super) take_full: Receiver<Findings>,
    pub(super) give_empty: Sender<Findings>,
    pub(super) take_empty: Receiver<Findings>,
}

impl Round {
    /// For so many workers.
    pub(super) fn new(workers: usize) -> Self {
        let buffers = BUFFERS * workers.max(1);
        let (give_full, take_full) = bounded(buffers + workers);
        let (give_empty, take_empty) = bounded(buffers + workers);
        for _ in 0..buffers {
            give_empty.send(Findings::with_capacity(2 * FULL)).expect("the channel holds them all");
        }
        Self { give_full, take_full, give_empty, take_empty }
    }
}

/// One worker and what it reads from.
pub(super) struct Listener<'a, 's, T> {
    tap: T,
    worker: Worker<'a>,
    take_empty: Receiver<Findings>,
    give_full: Sender<Findings>,
    give_notice: Sender<String>,
    slot: &'s Slot,
    tally: Tally,
    /// The interface.
    name: &'s str,
}

impl<'a, 's, T: Intake> Listener<'a, 's, T> {
    pub(super) fn new(
        tap: T,
        worker: Worker<'a>,
        round: &Round,
        give_notice: Sender<String>,
        slot: &'s Slot,
        name: &'s str,
    ) -> Self {
        let (take_empty, give_full) = (round.take_empty.clone(), round.give_full.clone());
        Self { tap, worker, take_empty, give_full, give_notice, slot, tally: Tally::default(), name }
    }

    /// Goes on until `stopped`, or until the interface is gone for good: then says why.
    pub(super) fn run(mut self, stopped: &dyn Fn() -> bool) -> (Worker<'a>, Option<String>) {
        let outcome = self.listen(stopped);
        self.worker.give_up();
        self.tally.tap = self.tap.counts();
        self.tally.read(&mut self.worker);
        self.slot.put(&self.tally);
        // Nothing is taken any more that waiting could cost.
        let findings = std::mem::take(&mut self.worker.batch().findings);
        if findings.len() > 0 {
            // The other end outlives this one.
            let _ = self.give_full.send(findings);
        }
        (self.worker, outcome.err())
    }

    /// The hot loop.
    fn listen(&mut self, stopped: &dyn Fn() -> bool) -> Result<(), String> {
        let start = Instant::now();
        let (mut tick, mut look) = (start, start);
        let mut told = None;
        loop {
            let worker = &mut self.worker;
            let taken = self.tap.take(TURN, |record| worker.take(record))?;
            let now = Instant::now();
            let due = now >= tick;
            if due || self.worker.batch().findings.len() >= FULL {
                self.hand_over();
            }
            if due {
                tick = now + TICK;
                if now >= look {
                    look = now + LOOK;
                    self.tally.tap = self.tap.counts();
                    self.pass_on_notice();
                }
                self.tally.read(&mut self.worker);
                self.slot.offer(&self.tally);
                if told.is_none() && stopped() {
                    told = Some(now);
                }
            }
            if let Some(told) = told
                && (taken == 0 && now >= told + DRAIN || now >= told + DRAIN_MOST)
            {
                return Ok(());
            }
            if taken == 0 {
                self.tap.wait(tick.saturating_duration_since(now));
            }
        }
    }

    /// Exchanges what was found for an empty buffer. Where there is none, it can wait until the buffer is full.
    #[inline(never)]
    fn hand_over(&mut self) {
        let findings = &mut self.worker.batch().findings;
        if findings.len() == 0 {
            return;
        }
        if let Ok(empty) = self.take_empty.try_recv() {
            // There is room for all buffers that there are, and the other end outlives this one.
            let _ = self.give_full.try_send(std::mem::replace(findings, empty));
        } else if findings.len() >= FULL {
            self.tally.dropped_queue += findings.len() as u64;
            findings.clear();
        }
    }

    fn pass_on_notice(&mut self) {
        if let Some(what) = self.tap.notice() {
            // One that finds no room is one of many.
            let _ = self.give_notice.try_send(format!("interface {} {what}", self.name));
        }
    }
}
