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
//! Of a file that comes in [`Parts`] each worker takes the next one, reads and decodes it, and waits for nobody; the clerk
//! sees to it that each part begins where the one before ended. Of other inputs they take turns at reading: whose turn it is
//! reads a block, finds where its last whole record ends, and decodes it where it lies, in the cache of its core, while the
//! next reads on. The clerk takes what they found in the order of parts and blocks, so that nothing depends on which thread was
//! faster. The calling thread is the clerk, and between that a worker. Batches go round: their number bounds how far one
//! thread can be ahead of another.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::{hint, thread};

use crossbeam_channel::{Sender, bounded, unbounded};

use super::clerk::Clerk;
use super::shelf::Shelf;
use super::shortlist::Shortlist;
use super::worker::{Batch, Worker};
use super::{Progress, Settings};
use crate::dga::Catalog;
use crate::export::Report;
use crate::source::{Capture, Failure, Input, Layout, Parts, Reached, Stretch};

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
    let workers = workers(inputs, threads);
    if workers == 1 {
        let mut alone = Alone::new(worker(), stop);
        for (place, input) in inputs.iter().enumerate() {
            let done = &mut |octets, batch: &_| clerk.take(place, octets, batch);
            let outcome = match input.parts() {
                Some(parts) => alone.read_all_parts(&parts, done),
                None => alone.read_blocks(input, done),
            };
            clerk.end(place, outcome.err().map(|failure| failure.to_string()));
        }
    } else {
        let source = Mutex::new(Source { inputs, place: 0, open: Open::None, failure: None, sequence: 0 });
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
                    })
                })
                .collect();
            // Only the others hold the other end now: when they end, so does the channel.
            drop(give_event);
            let alone = &|| Alone::new(worker(), stop);
            let mut order =
                Order { clerk: &mut clerk, give_batch, early: BTreeMap::new(), next: 0, reached: Some(0), alone, again: None };
            let mut turn = Turn::new(worker(), &source, stop);
            // Without a batch others have them all, and events to come.
            let next = || take_batch.try_recv().map_or_else(|_| take_event.recv().ok(), |spare| turn.take(spare));
            let events = std::iter::from_fn(next).flat_map(|event| std::iter::once(event).chain(take_event.try_iter()));
            let _ = events.chain(&take_event).try_for_each(|(sequence, event)| order.take(sequence, event));
            // Ends those that still wait for a batch.
            drop(order);
            for other in others {
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
        });
    }
    clerk.report(catalog, settings)
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
    /// What came of a part; nothing where no record seems to begin in it.
    Part {
        input: usize,
        parts: Arc<Parts>,
        reached: Option<Reached>,
        /// Where the part ends.
        until: u64,
        batch: Batch,
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

/// Takes how many octets were read, and what came of them.
type Done<'d> = dyn FnMut(u64, &Batch) + 'd;

/// Reads, decodes and matches in one thread.
struct Alone<'a, 's> {
    worker: Worker<'a>,
    stop: &'s AtomicBool,
    block: Vec<u8>,
    spare: Batch,
}

impl<'a, 's> Alone<'a, 's> {
    fn new(worker: Worker<'a>, stop: &'s AtomicBool) -> Self {
        Self { worker, stop, block: vec![], spare: Batch::default() }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A whole file. Its parts are those of several threads, as what comes in pieces is put together after each.
    fn read_all_parts(&mut self, parts: &Parts, done: &mut Done<'_>) -> Result<(), Failure> {
        let mut at = parts.begin();
        for until in (0..parts.count()).map(|number| parts.until(number)) {
            let Some(reached) = self.read_part(parts, (at, until), done)? else { break };
            at = reached;
        }
        Ok(())
    }

    /// What begins with a record in this range of a file; where the next one begins, unless the file ends.
    fn read_part(&mut self, parts: &Parts, (mut at, until): (u64, u64), done: &mut Done<'_>) -> Result<Option<u64>, Failure> {
        while at < until && !self.is_stopped() {
            let stretch = parts.stretch(at, until, &mut self.block);
            let (Reached { from, to, outcome }, batch) =
                walk(&mut self.worker, parts, stretch, &self.block, std::mem::take(&mut self.spare));
            done(to - from, &batch);
            self.spare = batch.emptied();
            at = to;
            if !outcome? {
                return Ok(None);
            }
        }
        Ok(Some(at))
    }

    /// Any input.
    fn read_blocks(&mut self, input: &Input, done: &mut Done<'_>) -> Result<(), Failure> {
        let mut capture = input.open()?;
        while !self.is_stopped() && capture.fill(&mut self.block)? {
            let mut shortlist = Shortlist::new();
            let mut at_block = self.worker.at_block(&mut shortlist);
            let (octets, outcome) = capture.walk_into(&self.block, &mut at_block);
            let batch = at_block.finish(std::mem::take(&mut self.spare));
            done(capture.advanced(octets), &batch);
            self.spare = batch.emptied();
            outcome?;
        }
        Ok(())
    }
}

/// Decodes and matches a stretch of a file that is in a block.
fn walk(worker: &mut Worker<'_>, parts: &Parts, stretch: Stretch, block: &[u8], spare: Batch) -> (Reached, Batch) {
    let mut shortlist = Shortlist::new();
    let mut at_block = worker.at_block(&mut shortlist);
    let reached = parts.walk(stretch, block, &mut at_block);
    (reached, at_block.finish(spare))
}

/// The inputs, of which whoever has the turn takes what is next.
struct Source<'i> {
    inputs: &'i [Input],
    /// The input that is read.
    place: usize,
    open: Open,
    /// What is wrong behind the block that was read last.
    failure: Option<Failure>,
    /// Events so far.
    sequence: u64,
}

/// The input that is read.
enum Open {
    /// It is not open yet.
    None,
    Capture(Capture<Box<dyn Read + Send>>),
    /// And the part to be read next.
    Parts(Arc<Parts>, u64),
}

/// What is next.
enum Next {
    /// A block of whole records, laid out so; so many octets of the file were read for it.
    Block(Layout, u64),
    /// A part that is still to be read.
    Part(Arc<Parts>, u64),
    /// An input is over.
    End(Option<Failure>),
}

impl Source<'_> {
    /// What is next, into `block` where it is one; also tells which event it is, of which input. `None` when all inputs are read,
    /// or as soon as it is to `stop`.
    fn next(&mut self, block: &mut Vec<u8>, stop: &AtomicBool) -> Option<(u64, usize, Next)> {
        let (place, input) = (self.place, self.inputs.get(self.place)?);
        let next = if stop.load(Ordering::Relaxed) {
            self.inputs = &[];
            Next::End(None)
        } else {
            self.read(input, block).unwrap_or_else(|failure| Next::End(Some(failure)))
        };
        if matches!(next, Next::End(_)) {
            (self.place, self.open) = (place + 1, Open::None);
        }
        self.sequence += 1;
        Some((self.sequence - 1, place, next))
    }

    fn read(&mut self, input: &Input, block: &mut Vec<u8>) -> Result<Next, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if matches!(self.open, Open::None) {
            self.open = match input.parts() {
                Some(parts) => Open::Parts(Arc::new(parts), 0),
                None => Open::Capture(input.open()?),
            };
        }
        match &mut self.open {
            Open::Parts(parts, next) if *next < parts.count() => {
                *next += 1;
                Ok(Next::Part(Arc::clone(parts), *next - 1))
            }
            Open::Capture(capture) => {
                if !capture.fill(block)? {
                    return Ok(Next::End(None));
                }
                let layout = capture.layout().clone();
                // Whoever takes it walks it again: here it is only found where it ends.
                let (octets, outcome) = capture.walk(block, |_| {});
                block.truncate(octets);
                self.failure = outcome.err();
                Ok(Next::Block(layout, capture.advanced(octets)))
            }
            _ => Ok(Next::End(None)),
        }
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

    /// Reads, decodes and matches what is next; `spare` is for what is found in the one after. `None` when there is no more.
    fn take(&mut self, spare: Batch) -> Option<(u64, Event)> {
        let Self { worker, source, stop, block } = self;
        let (sequence, input, next) = lock(source).next(block, stop)?;
        let event = match next {
            Next::Block(mut layout, octets) => {
                let mut shortlist = Shortlist::new();
                let mut at_block = worker.at_block(&mut shortlist);
                // It was found that all of it is whole.
                let _ = layout.walk_into(block, &mut at_block);
                Event::Batch { input, batch: at_block.finish(spare), octets }
            }
            Next::Part(parts, number) => {
                let until = parts.until(number);
                let (reached, batch) = match parts.part(number, block) {
                    Some(stretch) => {
                        let (reached, batch) = walk(worker, &parts, stretch, block, spare);
                        (Some(reached), batch)
                    }
                    None => (None, spare),
                };
                Event::Part { input, parts, reached, until, batch }
            }
            Next::End(failure) => Event::End { input, failure },
        };
        Some((sequence, event))
    }
}

/// Hands events to the clerk in the order of their sequence.
struct Order<'o, 'a, 's, 'p> {
    clerk: &'o mut Clerk<'a, 'p>,
    give_batch: Sender<Batch>,
    early: BTreeMap<u64, Event>,
    next: u64,
    /// Where the next record begins of an input that comes in parts; nothing once there are no more.
    reached: Option<u64>,
    alone: &'o dyn Fn() -> Alone<'a, 's>,
    /// Reads again what was read from a wrong place on; nothing before it has to.
    again: Option<Alone<'a, 's>>,
}

impl Order<'_, '_, '_, '_> {
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
                Event::Part { input, parts, reached, until, batch } => {
                    let begin = self.reached.map(|at| at.max(parts.begin()));
                    let outcome = self.read_part(input, &parts, begin, reached.map(|reached| (reached, &batch)), until);
                    self.reached = outcome.unwrap_or_else(|failure| {
                        self.clerk.end(input, Some(failure.to_string()));
                        None
                    });
                    batch.emptied()
                }
                Event::End { input, failure } => {
                    self.clerk.end(input, failure.map(|failure| failure.to_string()));
                    self.reached = Some(0);
                    Batch::default()
                }
                Event::Panic => unreachable!("it has no place in the order"),
            };
            // Nobody takes it once everything is read.
            let _ = self.give_batch.send(spare);
        }
        ControlFlow::Continue(())
    }

    /// Takes what came of a part, as far as it begins where the one before ended, and reads the rest again; where the next record
    /// begins, unless there is none.
    fn read_part(
        &mut self,
        input: usize,
        parts: &Parts,
        begin: Option<u64>,
        came: Option<(Reached, &Batch)>,
        until: u64,
    ) -> Result<Option<u64>, Failure> {
        let Some(mut at) = begin else { return Ok(None) };
        if let Some((Reached { from, to, outcome }, batch)) = came.filter(|(reached, _)| reached.from == at) {
            self.clerk.take(input, to - from, batch);
            at = to;
            if !outcome? {
                return Ok(None);
            }
        }
        if at >= until {
            return Ok(Some(at));
        }
        let Self { clerk, alone, again, .. } = self;
        again.get_or_insert_with(alone).read_part(parts, (at, until), &mut |octets, batch| clerk.take(input, octets, batch))
    }
}
