//! Replays captures through any number of threads, with one result for each number.
//!
//! ```text
//!             blocks              batches
//!  splitter ----------> workers ----------> clerk (the calling thread): ledger, summaries
//!     ^                                       |
//!     `------------ emptied blocks <----------'
//! ```
//!
//! The splitter reads a block, finds where its last whole record ends, and gives it away. Workers decode and match.
//! The clerk takes what they found in the order of the blocks, so that nothing depends on which thread was faster.
//! Blocks go round: their number bounds both memory and how far one thread can be ahead of another. With one thread
//! the caller does everything itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::shelf::Shelf;
use super::worker::{Batch, Worker};
use crate::day::Day;
use crate::decode::{Counts, Decoder};
use crate::dga::Catalog;
use crate::export::{CaptureSummary, Report};
use crate::ledger::Ledger;
use crate::source::{Failure, Input, Layout};
use crate::watchlist::Watchlist;

/// Blocks in the round for each worker: one at work, one waiting, one on its way back.
const BLOCKS_A_WORKER: usize = 3;

/// How to replay.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that decode, at least 1.
    pub threads: usize,
    /// List days before and after a packet's own that it is held against.
    pub skew: u16,
    /// Sources of a family and list day whose evidence is kept.
    pub max_sources: usize,
    /// Ports to look for DNS on beside the usual.
    pub ports: Vec<u16>,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Octets of the inputs that were read.
    pub octets: u64,
    /// Packets that were read.
    pub packets: u64,
}

/// Replays `inputs` in their order. `progress` is called after each block; `stop` ends the reading early, with what
/// was found so far in the report.
pub fn replay<'a>(
    catalog: &'a Catalog,
    inputs: &[Input],
    options: &Options,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Progress),
) -> Report<'a> {
    let shelf = Shelf::new(catalog);
    let worker = || Worker::new(&options.ports, Watchlist::new(catalog, &shelf, shelf.hasher(), options.skew));
    let mut clerk = Clerk::new(inputs, options.max_sources, progress);
    let mut total = Total::default();
    if options.threads == 1 {
        let mut worker = worker();
        for (place, input) in inputs.iter().enumerate() {
            let failure = alone(input, &mut worker, stop, &mut |octets, batch| clerk.take(place, octets, &batch));
            clerk.end(place, failure);
        }
        total.add(worker);
    } else {
        thread::scope(|scope| {
            let blocks = BLOCKS_A_WORKER * options.threads;
            let (give_block, take_block) = bounded::<Vec<u8>>(blocks);
            let (give_work, take_work) = bounded::<Work>(blocks);
            let (give_event, take_event) = unbounded::<(u64, Event)>();
            (0..blocks).for_each(|_| give_block.send(vec![]).expect("the channel holds them all"));
            let workers: Vec<_> = (0..options.threads)
                .map(|_| {
                    let (take_work, give_event) = (take_work.clone(), give_event.clone());
                    scope.spawn(move || work(worker(), &take_work, &give_event))
                })
                .collect();
            // Only workers and splitter hold the other ends now: when they end, so do the channels.
            drop(take_work);
            scope.spawn(move || split(inputs, stop, &take_block, &give_work, &give_event));
            clerk.run(&take_event, &give_block);
            for worker in workers {
                total.add(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        });
    }
    let Total { counts, days } = total;
    Report::new(catalog, clerk.captures, counts, &days, options.skew, clerk.ledger)
}

/// A block for a worker.
struct Work {
    /// Its place among all events.
    sequence: u64,
    input: usize,
    layout: Layout,
    block: Vec<u8>,
}

/// What the clerk is told.
enum Event {
    Batch { input: usize, batch: Batch, block: Vec<u8> },
    End { input: usize, failure: Option<Failure> },
}

/// Reads, decodes and matches one input in one thread.
fn alone(input: &Input, worker: &mut Worker<'_>, stop: &AtomicBool, done: &mut dyn FnMut(u64, Batch)) -> Option<Failure> {
    let mut block = vec![];
    let mut read = || {
        let mut capture = input.open()?;
        while !stop.load(Ordering::Relaxed) && capture.fill(&mut block)? {
            let (octets, outcome) = capture.walk(&block, |record| worker.take(record));
            done(octets as u64, worker.finish_block());
            outcome?;
        }
        Ok(())
    };
    read().err()
}

/// Reads inputs and gives their blocks away. Ends early when nobody takes them any more.
#[expect(clippy::explicit_counter_loop, reason = "blocks are counted too, not inputs alone")]
fn split(
    inputs: &[Input],
    stop: &AtomicBool,
    take_block: &Receiver<Vec<u8>>,
    give_work: &Sender<Work>,
    give_event: &Sender<(u64, Event)>,
) {
    let mut sequence = 0;
    // A block taken for an input that had ended.
    let mut spare = None;
    for (place, input) in inputs.iter().enumerate() {
        let mut read = || {
            let mut capture = input.open()?;
            while !stop.load(Ordering::Relaxed) {
                let Ok(block) = spare.take().map_or_else(|| take_block.recv(), Ok) else { break };
                let block = spare.insert(block);
                if !capture.fill(block)? {
                    break;
                }
                let layout = capture.layout().clone();
                let (octets, outcome) = capture.walk(block, |_| {});
                block.truncate(octets);
                let block = std::mem::take(block);
                spare = None;
                if give_work.send(Work { sequence, input: place, layout, block }).is_err() {
                    break;
                }
                sequence += 1;
                outcome?;
            }
            Ok(())
        };
        let failure = read().err();
        if give_event.send((sequence, Event::End { input: place, failure })).is_err() {
            return;
        }
        sequence += 1;
    }
}

/// Decodes and matches blocks until there are no more.
fn work<'a>(mut worker: Worker<'a>, take_work: &Receiver<Work>, give_event: &Sender<(u64, Event)>) -> Worker<'a> {
    for Work { sequence, input, mut layout, block } in take_work {
        // The splitter found that all of it is whole.
        let _ = layout.walk(&block, |record| worker.take(record));
        if give_event.send((sequence, Event::Batch { input, batch: worker.finish_block(), block })).is_err() {
            break;
        }
    }
    worker
}

/// Owns what is found.
struct Clerk<'p> {
    captures: Vec<CaptureSummary>,
    ledger: Ledger,
    so_far: Progress,
    progress: &'p mut dyn FnMut(Progress),
}

impl<'p> Clerk<'p> {
    fn new(inputs: &[Input], max_sources: usize, progress: &'p mut dyn FnMut(Progress)) -> Self {
        let captures = inputs.iter().map(|input| CaptureSummary { path: input.path(), ..CaptureSummary::default() }).collect();
        Self { captures, ledger: Ledger::new(max_sources), so_far: Progress::default(), progress }
    }

    /// Takes events in the order of their sequence until no more come.
    fn run(&mut self, take_event: &Receiver<(u64, Event)>, give_block: &Sender<Vec<u8>>) {
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (sequence, event) in take_event {
            early.insert(sequence, event);
            while let Some(event) = early.remove(&next) {
                next += 1;
                match event {
                    Event::Batch { input, batch, block } => {
                        self.take(input, block.len() as u64, &batch);
                        // Nobody takes it once the splitter has read everything.
                        let _ = give_block.send(block);
                    }
                    Event::End { input, failure } => self.end(input, failure),
                }
            }
        }
    }

    fn take(&mut self, input: usize, octets: u64, batch: &Batch) {
        let capture = &mut self.captures[input];
        capture.packets += batch.packets;
        capture.bytes += batch.bytes;
        capture.span = match (capture.span, batch.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        if let Some(link) = batch.unknown_link.filter(|link| !Decoder::reads(*link)) {
            capture.error.get_or_insert_with(|| format!("holds packets of link type {}, which are not read", link.0));
        }
        batch.hits.iter().for_each(|hit| self.ledger.add(hit));
        self.so_far.octets += octets;
        self.so_far.packets += batch.packets;
        (self.progress)(self.so_far);
    }

    fn end(&mut self, input: usize, failure: Option<Failure>) {
        if let Some(failure) = failure {
            self.captures[input].error = Some(failure.to_string());
        }
    }
}

/// What all workers counted.
#[derive(Default)]
struct Total {
    counts: Counts,
    days: BTreeSet<Day>,
}

impl Total {
    fn add(&mut self, worker: Worker<'_>) {
        let (counts, watchlist) = worker.finish();
        self.counts.merge(&counts);
        self.days.extend(watchlist.days());
    }
}
