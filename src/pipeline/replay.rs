//! Replays captures through any number of threads, with one result for each number.
//!
//! ```text
//!   .-> worker 1: read | decode, match ---.  batches
//!   |-> worker 2:      read | decode, ... |----------> clerk: ledger, summaries
//!   `-------------------------------------'              |
//!     ^                                                  |
//!     `----------------- emptied batches ----------------'
//! ```
//!
//! Workers take turns at reading: whose turn it is reads a block, finds where its last whole record ends, and decodes it
//! where it lies, in the cache of its core, while the next reads on. The clerk takes what they found in the order of the
//! blocks, so that nothing depends on which thread was faster. The calling thread is the clerk, and between that a worker.
//! Batches go round: their number bounds how far one thread can be ahead of another.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::{hint, thread};

use crossbeam_channel::{Sender, bounded, unbounded};

use super::clerk::{Clerk, Total};
use super::shelf::Shelf;
use super::shortlist::Shortlist;
use super::worker::{Batch, Worker};
use super::{Progress, Settings};
use crate::dga::Catalog;
use crate::export::Report;
use crate::source::{Capture, Failure, Input, Layout};

/// Batches in the round for each worker: one at work, one waiting, one on its way back.
const BATCHES_A_WORKER: usize = 3;

/// How often to try for a turn before sleeping until it is there: some tens of microseconds, as a turn takes.
const PATIENCE: usize = 2_000;

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
            let failure = alone(input, &mut worker, stop, &mut |octets, batch| clerk.take(place, octets, batch));
            clerk.end(place, failure.map(|failure| failure.to_string()));
        }
        total.add(worker);
    } else {
        let source = Mutex::new(Source { inputs, place: 0, capture: None, failure: None, sequence: 0 });
        thread::scope(|scope| {
            let batches = BATCHES_A_WORKER * workers;
            let (give_batch, take_batch) = bounded::<Batch>(batches);
            let (give_event, take_event) = unbounded::<(u64, Event)>();
            (0..batches).for_each(|_| give_batch.send(Batch::default()).expect("the channel holds them all"));
            let others: Vec<_> = (1..workers)
                .map(|_| {
                    let (mut turn, take_batch) = (Turn::new(worker(), &source, stop), take_batch.clone());
                    let give_event = Alarm(give_event.clone());
                    scope.spawn(move || {
                        // Whoever has the turn has a batch for it, so that the clerk gets the next one in order, whoever waits.
                        for spare in take_batch {
                            let Some(event) = turn.take(spare) else { break };
                            if give_event.0.send(event).is_err() {
                                break;
                            }
                        }
                        turn.worker
                    })
                })
                .collect();
            // Only the others hold the other end now: when they end, so does the channel.
            drop(give_event);
            let mut order = Order { clerk: &mut clerk, give_batch, early: BTreeMap::new(), next: 0 };
            let mut turn = Turn::new(worker(), &source, stop);
            // Without a batch others have them all, and events to come.
            let next = || take_batch.try_recv().map_or_else(|_| take_event.recv().ok(), |spare| turn.take(spare));
            let events = std::iter::from_fn(next).flat_map(|event| std::iter::once(event).chain(take_event.try_iter()));
            let _ = events.chain(&take_event).try_for_each(|(sequence, event)| order.take(sequence, event));
            // Ends those that still wait for a batch.
            drop(order);
            total.add(turn.worker);
            for other in others {
                total.add(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
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

/// What the clerk is told.
enum Event {
    Batch {
        input: usize,
        batch: Batch,
        octets: u64,
    },
    End {
        input: usize,
        failure: Option<Failure>,
    },
    /// A worker panicked: what it had read will never come.
    Panic,
}

/// Tells the clerk when its thread panics.
struct Alarm(Sender<(u64, Event)>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send((0, Event::Panic));
        }
    }
}

/// Reads, decodes and matches one input in one thread.
fn alone(input: &Input, worker: &mut Worker<'_>, stop: &AtomicBool, done: &mut dyn FnMut(u64, &Batch)) -> Option<Failure> {
    let (mut block, mut spare) = (vec![], Batch::default());
    let mut read = || {
        let mut capture = input.open()?;
        while !stop.load(Ordering::Relaxed) && capture.fill(&mut block)? {
            let mut shortlist = Shortlist::new();
            let (octets, outcome) = capture.walk(&block, |record| worker.take(record, &mut shortlist));
            let batch = worker.finish_block(shortlist, std::mem::take(&mut spare));
            done(capture.advanced(octets), &batch);
            spare = batch.emptied();
            outcome?;
        }
        Ok(())
    };
    read().err()
}

/// The inputs, of which whoever has the turn reads the next block.
struct Source<'i> {
    inputs: &'i [Input],
    /// The input that is read.
    place: usize,
    capture: Option<Capture<Box<dyn Read + Send>>>,
    /// What is wrong behind the block that was read last.
    failure: Option<Failure>,
    /// Events so far.
    sequence: u64,
}

/// What is next.
enum Next {
    /// A block of whole records, laid out so; so many octets of the file were read for it.
    Block(Layout, u64),
    /// An input is over.
    End(Option<Failure>),
}

impl Source<'_> {
    /// Reads the next block; also tells which event it is, of which input. `None` when all inputs are read, or as soon as it
    /// is to `stop`.
    fn next(&mut self, block: &mut Vec<u8>, stop: &AtomicBool) -> Option<(u64, usize, Next)> {
        let (place, input) = (self.place, self.inputs.get(self.place)?);
        let next = if stop.load(Ordering::Relaxed) {
            self.inputs = &[];
            Next::End(None)
        } else {
            self.read(input, block).map_or_else(|failure| Next::End(Some(failure)), |read| read.unwrap_or(Next::End(None)))
        };
        if matches!(next, Next::End(_)) {
            (self.place, self.capture) = (place + 1, None);
        }
        self.sequence += 1;
        Some((self.sequence - 1, place, next))
    }

    fn read(&mut self, input: &Input, block: &mut Vec<u8>) -> Result<Option<Next>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let capture = match &mut self.capture {
            Some(capture) => capture,
            none => none.insert(input.open()?),
        };
        if !capture.fill(block)? {
            return Ok(None);
        }
        let layout = capture.layout().clone();
        let (octets, outcome) = capture.split(block);
        block.truncate(octets);
        self.failure = outcome.err();
        Ok(Some(Next::Block(layout, capture.advanced(octets))))
    }
}

/// Takes the turn, as soon as who has it is through: to be put to sleep and woken takes longer than most turns.
fn lock<'a, 's>(source: &'a Mutex<Source<'s>>) -> MutexGuard<'a, Source<'s>> {
    for _ in 0..PATIENCE {
        match source.try_lock() {
            Ok(source) => return source,
            Err(TryLockError::Poisoned(source)) => return source.into_inner(),
            Err(TryLockError::WouldBlock) => hint::spin_loop(),
        }
    }
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker that takes its turns at a source.
struct Turn<'a, 's> {
    worker: Worker<'a>,
    source: &'s Mutex<Source<'s>>,
    stop: &'s AtomicBool,
    block: Vec<u8>,
}

impl<'a, 's> Turn<'a, 's> {
    const fn new(worker: Worker<'a>, source: &'s Mutex<Source<'s>>, stop: &'s AtomicBool) -> Self {
        Self { worker, source, stop, block: vec![] }
    }

    /// Reads, decodes and matches the next block; `spare` is for what is found in the one after. `None` when there is no more.
    fn take(&mut self, spare: Batch) -> Option<(u64, Event)> {
        let Self { worker, source, stop, block } = self;
        let (sequence, input, next) = lock(source).next(block, stop)?;
        let event = match next {
            Next::Block(mut layout, octets) => {
                let mut shortlist = Shortlist::new();
                // It was found that all of it is whole.
                let _ = layout.walk(block, |record| worker.take(record, &mut shortlist));
                Event::Batch { input, batch: worker.finish_block(shortlist, spare), octets }
            }
            Next::End(failure) => Event::End { input, failure },
        };
        Some((sequence, event))
    }
}

/// Hands events to the clerk in the order of their sequence.
struct Order<'c, 'a, 'p> {
    clerk: &'c mut Clerk<'a, 'p>,
    give_batch: Sender<Batch>,
    early: BTreeMap<u64, Event>,
    next: u64,
}

impl Order<'_, '_, '_> {
    /// Takes an event; breaks off when what others wait for will not come.
    fn take(&mut self, sequence: u64, event: Event) -> ControlFlow<()> {
        if matches!(event, Event::Panic) {
            return ControlFlow::Break(());
        }
        self.early.insert(sequence, event);
        while let Some(event) = self.early.remove(&self.next) {
            self.next += 1;
            let spare = match event {
                Event::Batch { input, batch, octets } => {
                    self.clerk.take(input, octets, &batch);
                    batch.emptied()
                }
                Event::End { input, failure } => {
                    self.clerk.end(input, failure.map(|failure| failure.to_string()));
                    Batch::default()
                }
                Event::Panic => unreachable!("it has no place in the order"),
            };
            // Nobody takes it once everything is read.
            let _ = self.give_batch.send(spare);
        }
        ControlFlow::Continue(())
    }
}
