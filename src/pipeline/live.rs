//! The sensor: listens to interfaces until told to stop, and tells meanwhile what it knows.
//!
//! ```text
//!  tap -> worker --.  buffers of findings
//!  tap -> worker ---+---------------------> clerk (the calling thread): ledger, once a second the observer
//!  tap -> worker --'  <-- emptied buffers
//!           |  `--> slots: counters -------------^
//!           v
//!         shelf <-- almanac: builds lists ahead
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::Settings;
use super::almanac::{self, Clock};
use super::book::Book;
use super::listener::{Listener, Round};
use super::shelf::Shelf;
use super::tally::{Slot, Tally};
use super::worker::{Findings, Worker};
use crate::day::{Day, Timestamp};
use crate::decode::{Counts, GivenUpCounts, Messages};
use crate::dga::{Catalog, FamilyId};
use crate::export::series::Series;
use crate::export::{CaptureSummary, Found, Report};
use crate::ledger::Ledger;
use crate::process::pin;
use crate::source::{Intake, LiveConfig, Tap, TapCounts};

/// How often the observer is called: often enough to answer whoever asks for evidence.
const OBSERVE: Duration = Duration::from_millis(250);

/// Notices that can wait to be told.
const NOTICES: usize = 16;

/// How the sensor's threads are set up.
pub struct Threads {
    /// Processors to pin workers to, one after the other, over and over; none to pin none.
    pub cpus: Vec<usize>,
    /// What the time is, for the lists that are built ahead. Which list a packet is held against is its own time's doing.
    pub clock: Box<Clock>,
    /// Called on each thread before it does anything: to give up what it will not need.
    pub begin: Box<dyn Fn(Thread) -> Result<(), String> + Send + Sync>,
}

impl Default for Threads {
    fn default() -> Self {
        let clock = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_parts(since.as_secs(), since.subsec_nanos().into())
        };
        Self { cpus: vec![], clock: Box::new(clock), begin: Box::new(|_| Ok(())) }
    }
}

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// Takes packets.
    Worker,
    /// Builds lists.
    Builder,
}

/// Interfaces being listened to, and the lists of today.
pub struct Live<'a, T = Tap> {
    catalog: &'a Catalog,
    settings: &'a Settings,
    shelf: Shelf<'a>,
    interfaces: Vec<(String, Vec<T>)>,
    threads: Threads,
    ledger: Ledger,
    goes_on: bool,
}

/// What there is to be known at a moment.
pub struct LiveState<'s, 'b> {
    /// The families that are looked for.
    pub catalog: &'s Catalog,
    /// All evidence.
    book: &'s mut Book<'b>,
    /// Set when nothing more will come.
    pub last: bool,
    /// Packets by interface, in the order in which they were asked for.
    pub interfaces: Vec<InterfaceCounts>,
    /// Packets by outcome. They sum to `received` of all interfaces.
    pub counts: Counts,
    /// Messages by kind.
    pub messages: Messages,
    /// What was given up of messages in several packets.
    pub given_up: GivenUpCounts,
    /// The lists around now that are built.
    pub lists: Vec<OpenList>,
    /// How many lists were built, and how long that took in all.
    pub builds: (u64, Duration),
    /// What an operator should know, one sentence each; told once.
    pub notices: Vec<String>,
}

impl LiveState<'_, '_> {
    /// All evidence.
    pub fn ledger(&self) -> &Ledger {
        &self.book.ledger
    }

    /// Matching queries and responses of each family of the catalog.
    pub fn matched(&self) -> &[(u64, u64)] {
        &self.book.matched
    }

    /// Matches by source, where they are counted.
    pub fn series(&mut self) -> Option<&mut Series> {
        self.book.series.as_mut()
    }

    /// Judges all sources by what is known now.
    pub fn judge(&mut self) {
        self.book.ledger.judge();
    }

    /// Lets go of the evidence of list days before `before`, which sums it up as events.
    pub fn retire(&mut self, before: Day) {
        self.book.retire(before);
    }
}

/// Packets of an interface by where they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounts {
    /// As asked for.
    pub name: String,
    /// Handed to us: each has an outcome.
    pub received: u64,
    /// Octets of them.
    pub octets: u64,
    /// Lost by the network card or its driver.
    pub dropped_nic: u64,
    /// Lost because a ring was full.
    pub dropped_kernel: u64,
    /// Findings, not packets, that were lost because the clerk was behind.
    pub dropped_queue: u64,
    /// Copies of packets that another worker has, from before a worker was in the group.
    pub startup_discarded: u64,
    /// Counted by the kernel: `received`, `dropped_kernel`, `startup_discarded` and what still waits in rings.
    pub offered: u64,
    /// Times it was opened again, by all workers.
    pub reopened: u64,
    /// The latest packet.
    pub last_packet: Option<Timestamp>,
}

/// A list that packets are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenList {
    /// Whose.
    pub family: FamilyId,
    /// The day.
    pub list_day: Day,
    /// Names in it.
    pub names: usize,
    /// Octets of memory.
    pub octets: usize,
}

impl<'a> Live<'a> {
    /// Builds the lists of today, then opens `interfaces`.
    ///
    /// # Errors
    /// One sentence when an interface cannot be opened.
    pub fn open(
        catalog: &'a Catalog,
        settings: &'a Settings,
        interfaces: &[String],
        capture: &LiveConfig,
        threads: Threads,
    ) -> Result<Self, String> {
        let mut live = Self::of(catalog, settings, vec![], threads);
        for interface in interfaces {
            let taps = Tap::open(interface, capture).map_err(|why| format!("interface {interface} {why}"))?;
            live.interfaces.push((interface.clone(), taps));
        }
        Ok(live)
    }
}

impl<'a, T: Intake> Live<'a, T> {
    /// What each thread does first, now that all is open: to give up what it will not need.
    pub fn begin_threads_with(&mut self, begin: impl Fn(Thread) -> Result<(), String> + Send + Sync + 'static) {
        self.threads.begin = Box::new(begin);
    }

    /// Goes on from evidence that was found before, if any was. List days that are open at the end are not summed up as
    /// events then: the next run goes on.
    pub fn go_on_from(&mut self, ledger: Option<Ledger>) {
        self.goes_on = true;
        if let Some(ledger) = ledger {
            self.ledger = ledger;
        }
    }

    /// Builds the lists of today, to listen to anything that packets can be taken from.
    pub fn of(catalog: &'a Catalog, settings: &'a Settings, interfaces: Vec<(String, Vec<T>)>, threads: Threads) -> Self {
        let shelf = Shelf::new(catalog);
        almanac::prepare(&shelf, catalog, settings.skew, (threads.clock)(), &|| false);
        let ledger = Ledger::new(settings.max_sources);
        Self { catalog, settings, shelf, interfaces, threads, ledger, goes_on: false }
    }

    /// Listens until `stop` is raised or `limit` has passed. `observer` is called about once a second, and at the end.
    ///
    /// An interface that is gone for good and a worker that dies end it too: the report has why, as the interface's error.
    pub fn run(self, stop: &AtomicBool, limit: Option<Duration>, observer: &mut dyn FnMut(&mut LiveState<'_, '_>)) -> Report<'a> {
        let Self { catalog, settings, shelf, interfaces, threads, ledger, goes_on } = self;
        let until = limit.map(|limit| Instant::now() + limit);
        let over = AtomicBool::new(false);
        let stopped = || {
            let told = stop.load(Ordering::Relaxed) || over.load(Ordering::Relaxed);
            told || until.is_some_and(|until| Instant::now() >= until)
        };
        let (names, taps): (Vec<String>, Vec<Vec<T>>) = interfaces.into_iter().unzip();
        let places: Vec<usize> = taps.iter().enumerate().flat_map(|(place, taps)| taps.iter().map(move |_| place)).collect();
        let slots: Vec<Slot> = places.iter().map(|_| Slot::default()).collect();
        let round = Round::new(places.len());
        let (give_notice, take_notice) = bounded(NOTICES);
        let mut clerk = Clerk {
            catalog,
            shelf: &shelf,
            book: Book::new(settings, &shelf, ledger),
            names: &names,
            places: &places,
            slots: &slots,
            take_notice: &take_notice,
            observer,
        };
        let mut errors = vec![None; names.len()];
        let mut days = BTreeSet::new();
        thread::scope(|scope| {
            let (still_there, until_gone) = bounded(0);
            let builder = thread::Builder::new().name("builder".to_owned());
            let (shelf, threads, over, stopped, slots, names) = (&shelf, &threads, &over, &stopped, &slots, &names);
            let build = move || {
                if (threads.begin)(Thread::Builder).is_ok() {
                    almanac::keep_ahead(shelf, catalog, settings.skew, &threads.clock, &until_gone);
                }
            };
            // Without it, workers build lists when they need them.
            let _ = builder.spawn_scoped(scope, build);
            let mut workers = vec![];
            for (number, (tap, place)) in taps.into_iter().flatten().zip(&places).enumerate() {
                let worker = Worker::alone(settings, shelf.watchlist(settings));
                let slot = &slots[number];
                let listener = Listener::new(tap, worker, &round, give_notice.clone(), slot, &names[*place]);
                let work = move || {
                    let _end = EndOfAll(over);
                    let cpu = threads.cpus.iter().cycle().nth(number % threads.cpus.len().max(1));
                    cpu.map_or(Ok(()), |cpu| pin(*cpu)).and_then(|()| (threads.begin)(Thread::Worker))?;
                    Ok::<_, String>(listener.run(stopped))
                };
                let worker = thread::Builder::new().name(format!("worker {number}")).spawn_scoped(scope, work);
                if worker.is_err() {
                    drop(EndOfAll(over));
                }
                workers.push((*place, worker));
            }
            let Round { give_full, take_full, give_empty, .. } = round;
            drop(give_full);
            clerk.work(&take_full, &give_empty);
            drop(still_there);
            for (number, (place, worker)) in workers.into_iter().enumerate() {
                let ended = match worker.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(Ok((worker, error)))) => {
                        days.extend(worker.finish().1.days());
                        error
                    }
                    Ok(Ok(Err(why))) => Some(format!("is not listened to: {why}")),
                    Ok(Err(_)) => Some(format!("was listened to until worker {number} died: a fault of dgawatch, told above")),
                    Err(error) => Some(format!("is not listened to: no thread can be started: {error}")),
                };
                errors[place] = errors[place].take().or(ended);
            }
        });
        clerk.observe(true);
        let tallies = clerk.tallies();
        let (ledger, events) = clerk.book.close();
        let total = Total::of(&tallies);
        let captures = names.iter().cloned().zip(errors).enumerate().map(|(place, (name, error))| {
            let of_interface = tallies.iter().zip(&places).filter(|(_, of)| **of == place).map(|(tally, _)| tally);
            summary(name, error, of_interface)
        });
        let found = Found { counts: total.counts, messages: total.messages, given_up: total.given_up };
        let patterns = Arc::clone(&settings.patterns);
        let report = Report::new(catalog, captures.collect(), found, &days, settings.skew, ledger, patterns);
        if let Some(mut events) = events.filter(|_| !goes_on) {
            report.tell(&mut events);
        }
        report
    }
}

/// However a worker ends, the others are to end too.
struct EndOfAll<'s>(&'s AtomicBool);

impl Drop for EndOfAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Owns the evidence.
struct Clerk<'a, 's, 'o> {
    catalog: &'a Catalog,
    shelf: &'s Shelf<'a>,
    book: Book<'s>,
    names: &'s [String],
    /// The interface of each worker.
    places: &'s [usize],
    slots: &'s [Slot],
    take_notice: &'s Receiver<String>,
    observer: &'o mut dyn FnMut(&mut LiveState<'_, '_>),
}

impl Clerk<'_, '_, '_> {
    /// Takes findings until no worker is left.
    fn work(&mut self, take_full: &Receiver<Findings>, give_empty: &crossbeam_channel::Sender<Findings>) {
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                self.observe(false);
                next = Instant::now() + OBSERVE;
            }
            match take_full.recv_deadline(next) {
                Ok(mut findings) => {
                    self.book.enter(&findings);
                    findings.clear();
                    // There is room for all of them; a last one that was not in the round may find none.
                    let _ = give_empty.try_send(findings);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tallies(&self) -> Vec<Tally> {
        self.slots.iter().map(Slot::read).collect()
    }

    fn observe(&mut self, last: bool) {
        let tallies = self.tallies();
        let mut interfaces: Vec<InterfaceCounts> =
            self.names.iter().map(|name| InterfaceCounts { name: name.clone(), ..InterfaceCounts::default() }).collect();
        for (tally, place) in tallies.iter().zip(self.places) {
            interfaces[*place].add(tally);
        }
        let Total { counts, messages, given_up } = Total::of(&tallies);
        let list = |(family, list_day, names, octets)| OpenList { family, list_day, names, octets };
        let lists = self.shelf.built().into_iter().map(list).collect();
        let (builds, notices) = (self.shelf.builds(), self.take_notice.try_iter().collect());
        let (catalog, book) = (self.catalog, &mut self.book);
        (self.observer)(&mut LiveState { catalog, book, last, interfaces, counts, messages, given_up, lists, builds, notices });
    }
}

impl InterfaceCounts {
    fn add(&mut self, tally: &Tally) {
        let TapCounts { received, dropped_kernel, dropped_nic, startup_discarded, reopened } = tally.tap;
        self.received += tally.packets;
        self.octets += tally.octets;
        self.dropped_nic += dropped_nic;
        self.dropped_kernel += dropped_kernel;
        self.dropped_queue += tally.dropped_queue;
        self.startup_discarded += startup_discarded;
        self.offered += received;
        self.reopened += reopened;
        self.last_packet = self.last_packet.max(tally.span.map(|(_, last)| last));
    }
}

/// What all workers counted.
#[derive(Default)]
struct Total {
    counts: Counts,
    messages: Messages,
    given_up: GivenUpCounts,
}

impl Total {
    fn of(tallies: &[Tally]) -> Self {
        let mut total = Self::default();
        for tally in tallies {
            total.counts.merge(&tally.counts);
            total.messages.merge(&tally.messages);
            total.given_up.merge(&tally.given_up);
        }
        total
    }
}

/// What the report says of an interface.
fn summary<'t>(name: String, error: Option<String>, tallies: impl Iterator<Item = &'t Tally>) -> CaptureSummary {
    let mut counts = InterfaceCounts::default();
    let mut capture = CaptureSummary { path: name, error, ..CaptureSummary::default() };
    for tally in tallies {
        counts.add(tally);
        capture.span = match (capture.span, tally.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        if let Some(link) = tally.unknown_link {
            capture.error.get_or_insert_with(|| format!("has packets of link type {}, which are not read", link.0));
        }
    }
    (capture.packets, capture.bytes) = (counts.received, counts.octets);
    capture.error = capture.error.or_else(|| losses(&counts));
    capture
}

/// An error where something was lost.
fn losses(counts: &InterfaceCounts) -> Option<String> {
    let InterfaceCounts { offered, dropped_kernel, dropped_nic, dropped_queue, .. } = counts;
    let mut parts = vec![];
    if *dropped_kernel > 0 || *dropped_nic > 0 {
        parts.push(format!("{dropped_kernel} of {offered} packets in the kernel and {dropped_nic} in the network card"));
    }
    if *dropped_queue > 0 {
        parts.push(format!("{dropped_queue} findings for which there was no time"));
    }
    (!parts.is_empty()).then(|| format!("lost {}", parts.join(", and ")))
}
