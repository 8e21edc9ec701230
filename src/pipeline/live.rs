//! Listens to interfaces, one thread each, until told to stop; then there is one report of all.
//!
//! A worker runs to completion: take, decode, match. Only what it found travels, to the calling thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};

use super::clerk::{Clerk, Total};
use super::shelf::Shelf;
use super::worker::{Batch, Worker};
use super::{Progress, Settings};
use crate::dga::Catalog;
use crate::export::Report;
use crate::source::{Live, LiveCounts};

/// How long to wait where nothing came: short against the time in which the ring fills.
const PAUSE: Duration = Duration::from_millis(10);

/// How long to go on when told to stop: the kernel holds packets back until a block is full or [`Live::HOLD`] is over.
const DRAIN: Duration = Live::HOLD.saturating_mul(2);

/// Listens on `interfaces` until `stop` is raised, or `limit` has passed. Calls `ready` once all are open.
///
/// # Errors
/// One sentence when an interface cannot be opened. One that fails later has its error in the report.
pub fn live<'a>(
    catalog: &'a Catalog,
    interfaces: &[String],
    settings: &Settings,
    limit: Option<Duration>,
    stop: &AtomicBool,
    ready: impl FnOnce(),
) -> Result<Report<'a>, String> {
    let mut captures = vec![];
    for interface in interfaces {
        captures.push(Live::open(interface).map_err(|why| format!("interface {interface} {why}"))?);
    }
    ready();
    let shelf = Shelf::new(catalog);
    let mut ignore = |_: Progress| {};
    let mut clerk = Clerk::new(interfaces.to_vec(), settings, &shelf, &mut ignore);
    let mut total = Total::default();
    let until = limit.map(|limit| Instant::now() + limit);
    thread::scope(|scope| {
        let (give_batch, take_batch) = unbounded();
        let mut listeners = vec![];
        for (place, mut capture) in captures.into_iter().enumerate() {
            let (worker, give_batch) = (Worker::new(settings, shelf.watchlist(settings)), give_batch.clone());
            listeners.push(scope.spawn(move || {
                let mut worker = worker;
                let outcome = listen(&mut capture, &mut worker, until, stop, &mut |batch| send(&give_batch, place, batch));
                let lost = capture.counts().and_then(losses);
                (worker, outcome.and(lost))
            }));
        }
        drop(give_batch);
        for (place, batch) in take_batch {
            clerk.take(place, 0, &batch);
        }
        for (place, listener) in listeners.into_iter().enumerate() {
            let (worker, outcome) = listener.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            total.add(worker);
            clerk.end(place, outcome.err());
        }
    });
    Ok(clerk.report(catalog, total, settings))
}

/// The hot loop of one interface.
fn listen(
    capture: &mut Live,
    worker: &mut Worker<'_>,
    until: Option<Instant>,
    stop: &AtomicBool,
    done: &mut dyn FnMut(Batch),
) -> Result<(), String> {
    let mut drained = None;
    loop {
        let now = Instant::now();
        if drained.is_none() && (stop.load(Ordering::Relaxed) || until.is_some_and(|until| now >= until)) {
            drained = Some(now + DRAIN);
        }
        if capture.take(|record| worker.take(record))? > 0 {
            done(worker.finish_block());
        } else {
            thread::sleep(PAUSE);
        }
        if drained.is_some_and(|drained| now >= drained) {
            return Ok(());
        }
    }
}

fn send(give_batch: &Sender<(usize, Batch)>, place: usize, batch: Batch) {
    // The other end outlives the listeners.
    let _ = give_batch.send((place, batch));
}

/// An error where packets were lost before we saw them.
fn losses(counts: LiveCounts) -> Result<(), String> {
    let LiveCounts { received, dropped, dropped_by_interface } = counts;
    if dropped == 0 && dropped_by_interface == 0 {
        return Ok(());
    }
    Err(format!("lost {dropped} of {received} packets in the kernel and {dropped_by_interface} in the network card"))
}
