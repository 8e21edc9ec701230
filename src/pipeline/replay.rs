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

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::clerk::{Clerk, Total};
use super::shelf::Shelf;
use super::worker::{Batch, Worker};
use super::{Progress, Settings};
use crate::dga::Catalog;
use crate::export::Report;
use crate::source::{Failure, Input, Layout};

/// Blocks in the round for each worker: one at work, one waiting, one on its way back.
const BLOCKS_A_WORKER: usize = 3;

/// Replays `inputs` in their order. `progress` is called after each block; `stop` ends the reading early, with what
/// was found so far in the report.
pub fn replay(
    catalog: &Catalog,
    inputs: &[Input],
    settings: &Settings,
    threads: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Progress),
) -> Report {
    let shelf = Shelf::new(catalog, settings.compiled.as_ref());
    let worker = || Worker::new(settings, shelf.watchlist(settings));
    let mut clerk = Clerk::new(inputs.iter().map(Input::path).collect(), settings, &shelf, progress);
    let mut total = Total::default();
    let workers = workers(inputs, threads);
    if workers == 1 {
        let mut worker = worker();
        for (place, input) in inputs.iter().enumerate() {
            let failure = alone(input, &mut worker, stop, &mut |octets, batch| clerk.take(place, octets, &batch));
            clerk.end(place, failure.map(|failure| failure.to_string()));
        }
        total.add(worker);
    } else {
        thread::scope(|scope| {
            let blocks = BLOCKS_A_WORKER * workers;
            let (give_block, take_block) = bounded::<Vec<u8>>(blocks);
            let (give_work, take_work) = bounded::<Work>(blocks);
            let (give_event, take_event) = unbounded::<(u64, Event)>();
            (0..blocks).for_each(|_| give_block.send(vec![]).expect("the channel holds them all"));
            let workers: Vec<_> = (0..workers)
                .map(|_| {
                    let (take_work, give_event) = (take_work.clone(), give_event.clone());
                    scope.spawn(move || work(worker(), &take_work, &give_event))
                })
                .collect();
            // Only workers and splitter hold the other ends now: when they end, so do the channels.
            drop(take_work);
            scope.spawn(move || split(inputs, stop, &take_block, &give_work, &give_event));
            collect(&mut clerk, &take_event, &give_block);
            for worker in workers {
                total.add(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        });
    }
    clerk.report(catalog, total, settings)
}

/// How many of `threads` read packets: where most octets are compressed, one of them is busy unpacking.
fn workers(inputs: &[Input], threads: usize) -> usize {
    let octets = |of: &dyn Fn(&&Input) -> bool| inputs.iter().filter(of).filter_map(Input::size).sum::<u64>();
    let packed = threads > 1 && 2 * octets(&|input| input.is_packed()) > octets(&|_| true);
    threads - usize::from(packed)
}

/// A block for a worker.
struct Work {
    /// Its place among all events.
    sequence: u64,
    input: usize,
    layout: Layout,
    block: Vec<u8>,
    /// Octets of the file that were read for it.
    octets: u64,
}

/// What the clerk is told.
enum Event {
    Batch { input: usize, batch: Batch, block: Vec<u8>, octets: u64 },
    End { input: usize, failure: Option<Failure> },
}

/// Reads, decodes and matches one input in one thread.
fn alone(input: &Input, worker: &mut Worker<'_>, stop: &AtomicBool, done: &mut dyn FnMut(u64, Batch)) -> Option<Failure> {
    let mut block = vec![];
    let mut read = || {
        let mut capture = input.open()?;
        while !stop.load(Ordering::Relaxed) && capture.fill(&mut block)? {
            let (octets, outcome) = capture.walk(&block, |record| worker.take(record));
            done(capture.advanced(octets), worker.finish_block());
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
                let octets = capture.advanced(octets);
                let block = std::mem::take(block);
                spare = None;
                if give_work.send(Work { sequence, input: place, layout, block, octets }).is_err() {
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
    for Work { sequence, input, mut layout, block, octets } in take_work {
        // The splitter found that all of it is whole.
        let _ = layout.walk(&block, |record| worker.take(record));
        if give_event.send((sequence, Event::Batch { input, batch: worker.finish_block(), block, octets })).is_err() {
            break;
        }
    }
    worker
}

/// Takes events in the order of their sequence until no more come.
fn collect(clerk: &mut Clerk<'_, '_>, take_event: &Receiver<(u64, Event)>, give_block: &Sender<Vec<u8>>) {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (sequence, event) in take_event {
        early.insert(sequence, event);
        while let Some(event) = early.remove(&next) {
            next += 1;
            match event {
                Event::Batch { input, batch, block, octets } => {
                    clerk.take(input, octets, &batch);
                    // Nobody takes it once the splitter has read everything.
                    let _ = give_block.send(block);
                }
                Event::End { input, failure } => clerk.end(input, failure.map(|failure| failure.to_string())),
            }
        }
    }
}
