//! What one thread of the sensor does: take packets, decode, match, until told to stop.
//!
//! Packets never leave it. What was found travels to the clerk in buffers that go round: their number bounds memory, and a
//! clerk who is behind makes findings be counted as lost, not packets wait. Nothing here waits for another thread.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Settings;
use super::tally::{Slot, Tally};
use super::worker::{Asker, Findings, Resting, Worker};
use crate::day::Day;
use crate::source::{Intake, Tap};
use crate::watchlist::Watchlist;

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

/// What a listener is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    GoOn,
    /// Stop where it is: others lists are to be looked into.
    Rest,
    /// Take what is on its way still, and end.
    Stop,
}

/// Where a listener listens, with what it counted so far.
pub(super) struct Station<T> {
    tap: T,
    resting: Resting,
    tally: Tally,
}

impl<T> Station<T> {
    pub(super) fn new(tap: T, settings: &Settings) -> Self {
        Self { tap, resting: Resting::new(settings), tally: Tally::default() }
    }
}

impl<T: Intake> Station<T> {
    /// See [`Intake::accepts`].
    pub(super) fn accepts(&self) -> bool {
        self.tap.accepts()
    }
}

/// What is left of a listener.
pub(super) struct Ended<T> {
    pub(super) station: Station<T>,
    /// Days of packets.
    pub(super) days: BTreeSet<Day>,
    /// Why the interface is gone for good, if it is.
    pub(super) why: Option<String>,
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
        station: Station<T>,
        watchlist: Watchlist<'a, Asker>,
        round: &Round,
        give_notice: Sender<String>,
        slot: &'s Slot,
        name: &'s str,
    ) -> Self {
        let Station { tap, resting, tally } = station;
        let (take_empty, give_full) = (round.take_empty.clone(), round.give_full.clone());
        Self { tap, worker: Worker::go_on(resting, watchlist), take_empty, give_full, give_notice, slot, tally, name }
    }

    /// Goes on until it is ordered not to, or until the interface is gone for good.
    pub(super) fn run(mut self, order: &dyn Fn(Instant) -> Order) -> Ended<T> {
        let outcome = self.listen(order);
        if outcome != Ok(Order::Rest) {
            self.worker.give_up();
        }
        self.tally.tap = self.tap.counts();
        self.tally.read(&mut self.worker);
        self.slot.put(&self.tally);
        // Nothing is taken any more that waiting could cost.
        let findings = std::mem::take(&mut self.worker.batch().findings);
        if findings.len() > 0 {
            // The other end outlives this one.
            let _ = self.give_full.send(findings);
        }
        let (resting, days) = self.worker.rest();
        Ended { station: Station { tap: self.tap, resting, tally: self.tally }, days, why: outcome.err() }
    }

    /// The hot loop; returns the order that ended it.
    fn listen(&mut self, order: &dyn Fn(Instant) -> Order) -> Result<Order, String> {
        let start = Instant::now();
        let (mut tick, mut look) = (start, start);
        let mut told = None;
        loop {
            let worker = &mut self.worker;
            let taken = self.tap.take(TURN, |record| worker.take_at_once(record))?;
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
            }
            match told {
                Some(told) if taken == 0 && now >= told + DRAIN || now >= told + DRAIN_MOST => return Ok(Order::Stop),
                Some(_) => {}
                None => match order(now) {
                    Order::GoOn => {}
                    Order::Rest => return Ok(Order::Rest),
                    Order::Stop => told = Some(now),
                },
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
