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
//!
//! A reload brings another [`Plan`]. Workers then rest for the moment that it takes to give them other lists, with all that
//! they counted and put together so far, while the kernel keeps packets in the rings.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Settings;
use super::almanac::{self, Clock};
use super::book::{Book, Closed, Kept};
use super::listener::{Listener, Order, Round, Station};
use super::live_state::{InterfaceCounts, LiveState, OpenList, Total, summary};
use super::plan::Plan;
use super::tally::{Slot, Tally};
use super::worker::Findings;
use crate::day::{Day, Timestamp};
use crate::export::{Found, Report};
use crate::ledger::Ledger;
use crate::process::pin;
use crate::source::{DnstapAddress, DnstapListener, Feed, Intake, LiveConfig, Tap};

/// How often the observer is called: often enough to answer whoever asks for evidence.
const OBSERVE: Duration = Duration::from_millis(250);

/// Notices that can wait to be told.
const NOTICES: usize = 16;

/// How the sensor's threads are set up.
pub struct Threads {
    /// Processors to pin workers to, one after the other, over and over; none to pin none.
    pub cpus: Vec<usize>,
    /// What the time is, for the lists that are built ahead. Which list a packet is held against is its own time's doing.
    pub clock: Arc<Clock>,
    /// Called on each thread before it does anything: to give up what it will not need.
    pub begin: Box<dyn Fn(Thread) -> Result<(), String> + Send + Sync>,
}

impl Default for Threads {
    fn default() -> Self {
        let clock = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_parts(since.as_secs(), since.subsec_nanos().into())
        };
        Self { cpus: vec![], clock: Arc::new(clock), begin: Box::new(|_| Ok(())) }
    }
}

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// Takes packets.
    Worker,
    /// Takes in connections, and frames of dnstap from them.
    Receiver,
    /// Builds lists.
    Builder,
}

/// Interfaces being listened to, and what for.
pub struct Live<T = Feed> {
    plan: Arc<Plan>,
    interfaces: Vec<(String, Vec<T>)>,
    threads: Threads,
    ledger: Ledger,
    goes_on: bool,
}

impl Live {
    /// Opens `interfaces`.
    ///
    /// # Errors
    /// One sentence when an interface cannot be opened.
    pub fn open(plan: Arc<Plan>, interfaces: &[String], capture: &LiveConfig, threads: Threads) -> Result<Self, String> {
        let mut live = Self::of(plan, vec![], threads);
        for interface in interfaces {
            let taps = Tap::open(interface, capture).map_err(|why| format!("interface {interface} {why}"))?;
            live.interfaces.push((interface.clone(), taps.into_iter().map(Feed::Tap).collect()));
        }
        Ok(live)
    }

    /// Listens for servers that send dnstap to `address`, too.
    ///
    /// # Errors
    /// One sentence when that cannot be listened to.
    pub fn receive(&mut self, address: &DnstapAddress) -> Result<(), String> {
        let name = format!("dnstap:{address}");
        let listener = DnstapListener::open(address).map_err(|why| format!("{name} {why}"))?;
        self.interfaces.push((name, vec![Feed::Dnstap(Box::new(listener))]));
        Ok(())
    }
}

impl<T: Intake> Live<T> {
    /// Listens to anything that packets can be taken from.
    pub fn of(plan: Arc<Plan>, interfaces: Vec<(String, Vec<T>)>, threads: Threads) -> Self {
        let ledger = Ledger::new(plan.settings.max_sources);
        Self { plan, interfaces, threads, ledger, goes_on: false }
    }

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

    /// Listens until `stop` is raised or `limit` has passed. `observer` is called several times a second, and at the end; it
    /// may have another plan followed ([`LiveState::replace_plan`]).
    ///
    /// An interface that is gone for good and a worker that dies end it too: the report has why, as the interface's error.
    pub fn run(self, stop: &AtomicBool, limit: Option<Duration>, observer: &mut dyn FnMut(&mut LiveState<'_, '_>)) -> Report {
        let Self { mut plan, interfaces, threads, ledger, goes_on } = self;
        let until = limit.map(|limit| Instant::now() + limit);
        let (names, taps): (Vec<String>, Vec<Vec<T>>) = interfaces.into_iter().unzip();
        let places: Vec<usize> = taps.iter().enumerate().flat_map(|(place, taps)| taps.iter().map(move |_| place)).collect();
        let slots: Vec<Slot> = places.iter().map(|_| Slot::default()).collect();
        let over = AtomicBool::new(false);
        let post = Post { stop, over: &over, until, threads: &threads, names: &names, places: &places, slots: &slots };
        let mut shift = Shift {
            stations: taps.into_iter().flatten().map(|tap| Some(Station::new(tap, &plan.settings))).collect(),
            kept: Kept::new(Arc::clone(&plan), ledger),
            errors: vec![None; names.len()],
            days: BTreeSet::new(),
            builds: (0, Duration::ZERO),
        };
        loop {
            match post.stand(&plan, shift, observer, goes_on) {
                Ended::ForOther(next, again) => (plan, shift) = (next, *again),
                Ended::ForGood(report) => return *report,
            }
        }
    }
}

/// What stays the same while plans change.
struct Post<'s> {
    stop: &'s AtomicBool,
    /// Raised when a worker ended that was not told to.
    over: &'s AtomicBool,
    until: Option<Instant>,
    threads: &'s Threads,
    /// The interfaces.
    names: &'s [String],
    /// The interface of each worker.
    places: &'s [usize],
    slots: &'s [Slot],
}

/// What goes over from plan to plan.
struct Shift<T> {
    /// Those of workers that did not end.
    stations: Vec<Option<Station<T>>>,
    kept: Kept,
    /// Why interfaces are not listened to any more.
    errors: Vec<Option<String>>,
    /// Days of packets.
    days: BTreeSet<Day>,
    /// Lists that were built, and how long that took.
    builds: (u64, Duration),
}

enum Ended<T> {
    /// Another plan is to be followed.
    ForOther(Arc<Plan>, Box<Shift<T>>),
    ForGood(Box<Report>),
}

impl Post<'_> {
    fn order(&self, now: Instant, exchange: &AtomicBool) -> Order {
        let told = self.stop.load(Ordering::Relaxed) || self.over.load(Ordering::Relaxed);
        if told || self.until.is_some_and(|until| now >= until) {
            Order::Stop
        } else if exchange.load(Ordering::Relaxed) {
            Order::Rest
        } else {
            Order::GoOn
        }
    }

    /// Follows one plan.
    fn stand<T: Intake>(
        &self,
        plan: &Arc<Plan>,
        shift: Shift<T>,
        observer: &mut dyn FnMut(&mut LiveState<'_, '_>),
        goes_on: bool,
    ) -> Ended<T> {
        let Shift { stations, kept, mut errors, mut days, builds } = shift;
        let Plan { catalog, settings, shelf } = &**plan;
        let Self { over, threads, names, places, slots, .. } = self;
        let exchange = AtomicBool::new(false);
        let order = |now| self.order(now, &exchange);
        let round = Round::new(places.len());
        let (give_notice, take_notice) = bounded(NOTICES);
        thread::scope(|scope| {
            let (still_there, until_gone) = bounded(0);
            let build = move || {
                if (threads.begin)(Thread::Builder).is_ok() {
                    almanac::keep_ahead(shelf, catalog, settings.skew, &*threads.clock, &until_gone);
                }
            };
            // Without it, workers build lists when they need them.
            let builder = thread::Builder::new().name("builder".to_owned()).spawn_scoped(scope, build).ok();
            let mut workers = vec![];
            for (number, (station, place)) in stations.into_iter().zip(*places).enumerate() {
                let Some(station) = station else { continue };
                let (slot, name, give_notice) = (&slots[number], &names[*place], give_notice.clone());
                let thread = if station.accepts() { Thread::Receiver } else { Thread::Worker };
                let listener = Listener::new(station, shelf.watchlist(settings), &round, give_notice, slot, name);
                let order = &order;
                let work = move || {
                    let end = EndOfAll(over);
                    let cpu = threads.cpus.iter().cycle().nth(number % threads.cpus.len().max(1));
                    cpu.map_or(Ok(()), |cpu| pin(*cpu)).and_then(|()| (threads.begin)(thread))?;
                    let ended = listener.run(order);
                    if ended.why.is_none() {
                        end.not_so();
                    }
                    Ok::<_, String>(ended)
                };
                let worker = thread::Builder::new().name(format!("worker {number}")).spawn_scoped(scope, work);
                if worker.is_err() {
                    drop(EndOfAll(over));
                }
                workers.push((number, *place, worker));
            }
            let Round { give_full, take_full, give_empty, .. } = round;
            drop(give_full);

            // Workers are at work already: what they find meanwhile waits in buffers.
            let (book, left_out) = kept.go_on(plan);
            for sentence in left_out {
                // One that finds no room is one of many.
                let _ = give_notice.try_send(sentence);
            }
            let (exchange, take_notice) = (&exchange, &take_notice);
            let is_building = || builder.as_ref().is_some_and(|builder| !builder.is_finished());
            let mut clerk = Clerk {
                plan,
                book,
                names,
                places,
                slots,
                take_notice,
                still_there: Some(still_there),
                is_building: &is_building,
                builds,
                exchange,
                next: None,
                observer,
            };
            clerk.work(&take_full, &give_empty);
            clerk.still_there = None;
            let mut stations: Vec<Option<Station<T>>> = places.iter().map(|_| None).collect();
            for (number, place, worker) in workers {
                let why = match worker.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(Ok(ended))) => {
                        days.extend(ended.days);
                        if ended.why.is_none() {
                            stations[number] = Some(ended.station);
                        }
                        ended.why
                    }
                    Ok(Ok(Err(why))) => Some(format!("is not listened to: {why}")),
                    Ok(Err(_)) => Some(format!("was listened to until worker {number} died: a fault of dgawatch, told above")),
                    Err(error) => Some(format!("is not listened to: no thread can be started: {error}")),
                };
                errors[place] = errors[place].take().or(why);
            }
            match clerk.next.take() {
                Some(next) => {
                    let builds = clerk.builds();
                    let kept = clerk.book.keep(plan);
                    Ended::ForOther(next, Box::new(Shift { stations, kept, errors, days, builds }))
                }
                None => Ended::ForGood(Box::new(clerk.close(errors, &days, goes_on))),
            }
        })
    }
}

/// However a worker ends, the others are to end too, unless it says otherwise.
struct EndOfAll<'s>(&'s AtomicBool);

impl EndOfAll<'_> {
    fn not_so(self) {
        std::mem::forget(self);
    }
}

impl Drop for EndOfAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Owns the evidence.
struct Clerk<'p, 's, 'o> {
    plan: &'p Plan,
    book: Book<'p>,
    names: &'s [String],
    places: &'s [usize],
    slots: &'s [Slot],
    take_notice: &'s Receiver<String>,
    /// Gone, it has the builder end.
    still_there: Option<Sender<()>>,
    /// Whether the builder is there.
    is_building: &'s dyn Fn() -> bool,
    /// Lists that were built for other plans before.
    builds: (u64, Duration),
    /// Raised to have workers rest.
    exchange: &'s AtomicBool,
    /// What is to be looked for instead.
    next: Option<Arc<Plan>>,
    observer: &'o mut dyn FnMut(&mut LiveState<'_, '_>),
}

impl Clerk<'_, '_, '_> {
    /// Takes findings until no worker is left.
    fn work(&mut self, take_full: &Receiver<Findings>, give_empty: &Sender<Findings>) {
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

    fn builds(&self) -> (u64, Duration) {
        let (built, took) = self.plan.shelf.builds();
        (self.builds.0 + built, self.builds.1 + took)
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
        let Total { counts, messages, given_up, .. } = Total::of(&tallies);
        let list = |(family, list_day, names, octets)| OpenList { family, list_day, names, octets };
        let lists = self.plan.shelf.built().into_iter().map(list).collect();
        let (builds, notices) = (self.builds(), self.take_notice.try_iter().collect());
        let Self { plan, book, next, .. } = self;
        (self.observer)(&mut LiveState {
            plan,
            book,
            next,
            last,
            interfaces,
            counts,
            messages,
            given_up,
            lists,
            builds,
            notices,
        });
        if self.next.is_some() {
            // A list that is being built is finished first: workers must not rest for so long.
            self.still_there = None;
            self.exchange.store(!(self.is_building)(), Ordering::Relaxed);
        }
    }

    /// What it came to.
    fn close(mut self, errors: Vec<Option<String>>, days: &BTreeSet<Day>, goes_on: bool) -> Report {
        self.observe(true);
        let tallies = self.tallies();
        let Closed { ledger, events, answers, .. } = self.book.close();
        let total = Total::of(&tallies);
        let captures = self.names.iter().cloned().zip(errors).enumerate().map(|(place, (name, error))| {
            let of_interface = tallies.iter().zip(self.places).filter(|(_, of)| **of == place).map(|(tally, _)| tally);
            summary(name, error, of_interface)
        });
        let found = Found { counts: total.counts, messages: total.messages, given_up: total.given_up, answers, lost: total.lost };
        let Plan { catalog, settings: Settings { skew, patterns, .. }, .. } = self.plan;
        let report = Report::new(catalog, captures.collect(), found, days, *skew, ledger, Arc::clone(patterns));
        if let Some(mut events) = events.filter(|_| !goes_on) {
            report.tell(&mut events);
        }
        report
    }
}
