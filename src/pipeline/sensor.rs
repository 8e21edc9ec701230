//! What the sensor shows and keeps while it listens: snapshots for whoever asks over HTTP, state for the next start.
//!
//! ```text
//!  clerk (Live) -> Sensor::look -> Board: the latest snapshot, pages of evidence   <- http
//!                         `------> keeper: the ledger as octets -> state file
//! ```
//!
//! The clerk is never kept waiting: a snapshot is handed over, a state that is still being written is not written twice.

#[cfg(feature = "parquet")]
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::almanac::Clock;
use super::figures::{Figures, sources};
use super::keeper::{Kept, StateConfig, save};
use super::live_state::{InterfaceCounts, LiveState};
use super::networks::NetworkCount;
use super::overview::Lookout;
use super::pages::{self, Unnamed};
#[cfg(feature = "parquet")]
use super::parquet_writer::{ParquetConfig, ParquetWriter};
use super::plan::Plan;
use super::reload::{Desk, Load, Loader};
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, Family, FamilyId};
use crate::export::http::{self, Listed, SourcePage, SourceQuery};
use crate::export::snapshot::{Builds, EventLines, FamilyCounts, OpenList, Output, Reloads, Snapshot, Table};
use crate::export::{EventCounts, EventLog, StateFile};
use crate::ledger::AnswerKind;
use crate::name::Name;

/// How often a snapshot is made.
const SNAPSHOT: Duration = Duration::from_secs(1);

/// Looking through all evidence may take this share of the clerk's time, no more.
const COUNTING_SHARE: u32 = 20;

/// Sources' series forget old activity so often.
const AGE: Duration = Duration::from_secs(3_600);

/// A system clock that differs by this much from the time that went by was set.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// Questions for evidence that can wait.
const QUESTIONS: usize = 8;

/// How long somebody waits for evidence: the clerk looks several times a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// A question, and where the answer goes.
type Question = (SourceQuery, Sender<Unnamed>);

/// Families, and the list days around now that are built.
type Open = (Catalog, Vec<(FamilyId, Day)>);

/// Takes one sentence for the operator.
pub type Say = dyn Fn(&str) + Send + Sync;

/// What others see of the sensor.
pub struct Board {
    snapshot: Mutex<Arc<Snapshot>>,
    ready: AtomicBool,
    open: Mutex<Open>,
    ask: Sender<Question>,
    desk: Desk,
    say: Arc<Say>,
}

/// Looks at the clerk's evidence now and then.
pub struct Sensor {
    board: Arc<Board>,
    questions: Receiver<Question>,
    /// Until there is a thread that reads again what is asked for.
    loader: Option<Loader>,
    /// Raised to start the log of events anew.
    rotate: Arc<AtomicBool>,
    clock: Arc<Clock>,
    keeper: Option<Keeper>,
    #[cfg(feature = "parquet")]
    parquet: Option<ParquetWriter>,
    started: Timestamp,
    retired_before: Option<Day>,
    figures: Figures,
    networks: NetworkCount,
    lookout: Lookout,
    next: Instant,
    next_count: Instant,
    next_age: Instant,
    /// The system's clock and the time that went by, when last looked at.
    clocks: (Timestamp, Instant),
    clock_steps: u64,
}

/// Writes the state, on a thread of its own.
struct Keeper {
    give: Sender<Vec<u8>>,
    file: StateFile,
    interval: Duration,
    next: Instant,
    counts: Arc<Kept>,
}

impl Board {
    fn snapshot_place(&self) -> std::sync::MutexGuard<'_, Arc<Snapshot>> {
        // A whole Arc is put in or taken out: nothing is left half done.
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http::Board for Board {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot_place())
    }

    fn is_ready(&self) -> Result<(), String> {
        if self.ready.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("capture has not begun, or today's lists are not built".to_owned())
        }
    }

    fn reload(&self, force: bool) -> Result<String, String> {
        self.desk.ask_and_wait(force)
    }

    fn sources(&self, query: &SourceQuery) -> Option<SourcePage> {
        let (give, take) = bounded(1);
        self.ask.try_send((query.clone(), give)).ok()?;
        take.recv_timeout(PATIENCE).ok().map(Unnamed::named)
    }

    fn explain(&self, name: &Name) -> Vec<Listed> {
        let (catalog, open) = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pages::explain(&catalog, &open, name)
    }

    fn say(&self, sentence: &str) {
        (self.say)(sentence);
    }
}

impl Sensor {
    /// One that shows itself on the board that is returned. `rotate` tells to begin the log of events anew.
    pub fn new(clock: Arc<Clock>, rotate: Arc<AtomicBool>, say: Arc<Say>) -> (Self, Arc<Board>) {
        let (ask, questions) = bounded(QUESTIONS);
        let (desk, loader) = Desk::new();
        let (snapshot, open, ready) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        let board = Arc::new(Board { snapshot, ready, open, ask, desk, say });
        let (started, now) = (clock(), Instant::now());
        let sensor = Self {
            board: Arc::clone(&board),
            questions,
            loader: Some(loader),
            rotate,
            clock,
            keeper: None,
            #[cfg(feature = "parquet")]
            parquet: None,
            started,
            retired_before: None,
            figures: Figures::default(),
            networks: NetworkCount::default(),
            lookout: Lookout::default(),
            next: now,
            next_count: now,
            next_age: now + AGE,
            clocks: (started, now),
            clock_steps: 0,
        };
        (sensor, board)
    }

    /// Writes the state as `config` says, on a thread that does `begin` first.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn keep_state(
        &mut self,
        config: &StateConfig,
        begin: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let (give, take) = bounded::<Vec<u8>>(1);
        let (file, counts) = (config.file(), Arc::<Kept>::default());
        let (say, told) = (Arc::clone(&self.board.say), Arc::clone(&counts));
        let keep = {
            let file = file.clone();
            move || {
                if let Err(why) = begin() {
                    return say(&format!("state is not written: {why}"));
                }
                for octets in take {
                    save(&file, &octets, &told, &say);
                }
            }
        };
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(keep)
            .map_err(|error| format!("no thread for the state: {error}"))?;
        self.keeper = Some(Keeper { give, file, interval: config.interval, next: Instant::now() + config.interval, counts });
        Ok(())
    }

    /// Writes the evidence as Parquet as `config` says, on a thread that does `begin` first.
    ///
    /// # Errors
    /// When the thread cannot be started.
    #[cfg(feature = "parquet")]
    pub fn write_parquet(
        &mut self,
        config: &ParquetConfig,
        begin: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        self.parquet = Some(ParquetWriter::new(config, begin, Arc::clone(&self.board.say))?);
        Ok(())
    }

    /// Reads again with `load` what is looked for, whenever that is asked for, on a thread that does `begin` first. `plan` is
    /// what is looked for now.
    ///
    /// # Errors
    /// When the thread cannot be started.
    ///
    /// # Panics
    /// When there is such a thread already.
    pub fn reload_with(
        &mut self,
        plan: Arc<Plan>,
        load: Box<Load>,
        begin: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let loader = self.loader.take().expect("one thread reads, no more");
        let (clock, say) = (Arc::clone(&self.clock), Arc::clone(&self.board.say));
        let serve = move || match begin() {
            Ok(()) => loader.serve(plan, &*load, &*clock, &*say),
            Err(why) => say(&format!("lists are not read again: {why}")),
        };
        let thread = thread::Builder::new().name("loader".to_owned()).spawn(serve);
        thread.map(drop).map_err(|error| format!("no thread to read lists again: {error}"))
    }

    /// Has all that is looked for read again; the operator is told what came of it.
    pub fn reload(&self) {
        // Where others wait for it already, they get what is there now.
        let _ = self.board.desk.ask(false);
    }

    /// Whether something is being read again.
    pub fn is_reloading(&self) -> bool {
        self.board.desk.is_busy()
    }

    /// Looks at what the clerk has.
    pub fn look(&mut self, state: &mut LiveState<'_, '_>) {
        // Each is told once.
        state.notices.iter().for_each(|notice| (self.board.say)(notice));
        while let Ok((query, answer)) = self.questions.try_recv() {
            // Who asked may have gone.
            let _ = answer.send(pages::page(state, &query));
        }
        let now = Instant::now();
        if let Some(plan) = self.board.desk.next() {
            #[cfg(feature = "parquet")]
            self.parquet.iter_mut().for_each(|parquet| parquet.look(state, now, true));
            state.replace_plan(plan);
            // What was counted is numbered like the families of the plan before.
            (self.next, self.next_count) = (now, now);
            if !state.last {
                return;
            }
        }
        if now < self.next && !state.last {
            return;
        }
        self.next = now + SNAPSHOT;
        self.watch_clock(now);
        self.close_days(state);
        if self.rotate.swap(false, Ordering::Relaxed)
            && let Some(mut log) = events(state)
            && let Err(why) = log.reopen()
        {
            (self.board.say)(&why);
        }
        if now >= self.next_count {
            state.judge();
            state.note_recent();
            let sources = sources(state.ledger());
            self.figures = Figures::of(state, &sources);
            self.networks = NetworkCount::by(state.plan.settings.networks.clone());
            self.networks.count(state.plan.catalog.iter().len(), sources.iter().map(|(source, (verdict, _))| (source, verdict)));
            self.lookout.count(state, &sources, (self.clock)());
            self.next_count = now + now.elapsed() * COUNTING_SHARE;
        }
        if now >= self.next_age {
            self.next_age = now + AGE;
            state.series().into_iter().for_each(|series| series.age());
        }
        let packets = state.interfaces.iter().map(|interface| interface.received).sum();
        let matches = state.matched().iter().map(|(matches, _)| matches).sum();
        self.lookout.pass((self.clock)(), now, packets, matches);
        let snapshot = Arc::new(self.snapshot(state));
        let today = (self.clock)().day();
        let listed = |(id, family): (FamilyId, &dyn Family)| {
            let edition = family.edition(family.calendar().list_day(today));
            state.lists.iter().any(|list| list.family == id && list.list_day == edition)
        };
        self.board.ready.store(!state.last && state.plan.catalog.iter().all(listed), Ordering::Relaxed);
        *self.board.snapshot_place() = snapshot;
        let open = (state.plan.catalog.clone(), state.lists.iter().map(|list| (list.family, list.list_day)).collect());
        *self.board.open.lock().unwrap_or_else(PoisonError::into_inner) = open;
        self.save(state, now);
        #[cfg(feature = "parquet")]
        self.parquet.iter_mut().for_each(|parquet| parquet.look(state, now, false));
    }

    /// Lets go of list days that no packet is held against any more, by the time of packets.
    fn close_days(&mut self, state: &mut LiveState<'_, '_>) {
        let Some(latest) = state.latest() else { return };
        // A day longer than the lists are open: packets of two interfaces need not come in order.
        let (day, skew) = (latest.day().plus(-1), state.plan.settings.skew);
        let before = day.plus(-i32::from(skew));
        // In the end once more: what workers find comes after what they counted.
        if state.last || self.retired_before.is_none_or(|retired| before > retired) {
            self.retired_before = Some(before);
            let first_open = |(_, family): (_, &dyn Family)| family.calendar().open(day, day, skew).next().unwrap_or(day);
            let first_open: Vec<Day> = state.plan.catalog.iter().map(first_open).collect();
            state.note_recent();
            #[cfg(feature = "parquet")]
            let standards = if self.parquet.is_some() { state.ledger().standards() } else { BTreeMap::new() };
            let _retired = state.retire(&first_open, before);
            #[cfg(feature = "parquet")]
            if let Some(parquet) = &mut self.parquet {
                parquet.close(state, _retired, standards);
            }
        }
    }

    fn watch_clock(&mut self, now: Instant) {
        let ((before, then), clock) = (self.clocks, (self.clock)());
        let by_clock = Duration::from_nanos(clock.as_nanos().saturating_sub(before.as_nanos()));
        let backwards = clock < before;
        if backwards || by_clock.abs_diff(now - then) > CLOCK_STEP {
            self.clock_steps += 1;
        }
        self.clocks = (clock, now);
    }

    fn snapshot(&self, state: &mut LiveState<'_, '_>) -> Snapshot {
        let catalog = &state.plan.catalog;
        let family = |id: FamilyId| catalog.family(id).id().to_owned();
        let families = catalog.iter().zip(state.matched()).zip(&self.figures.sources);
        let families = families.map(|(((id, family), &(matches, responses)), &(suspect, infected))| {
            let (hosts, hosts_refused) = self.figures.hosts.get(usize::from(id)).cloned().unwrap_or_default();
            let recent = self.figures.recent.get(usize::from(id)).cloned().unwrap_or_default();
            let (rendezvous, exposed) = self.figures.live.get(usize::from(id)).copied().unwrap_or_default();
            let answers = AnswerKind::ALL.map(|kind| (kind.label(), state.answers()[usize::from(id)][kind as usize])).to_vec();
            let family = family.id().to_owned();
            FamilyCounts {
                family,
                matches,
                responses,
                suspect,
                infected,
                hosts,
                hosts_refused,
                recent,
                answers,
                rendezvous,
                exposed,
            }
        });
        let (saturation, unkept) = (state.ledger().saturation(), state.ledger().unkept());
        let reloads = self.board.desk.counts();
        let mut outputs = vec![];
        if let Some(mut log) = events(state) {
            if log.is_written() {
                let EventCounts { told, written, failures, lost } = log.counts();
                let lines = Some(EventLines { told, dropped: lost, waiting: told.saturating_sub(written + lost) });
                outputs.push(Output { name: "events", written, failed: failures, lines });
            }
            if let Some(syslog) = log.syslog() {
                let counts = syslog.queue().counts();
                let lines = Some(EventLines { told: counts.told, dropped: counts.dropped, waiting: counts.waiting() });
                outputs.push(Output { name: "syslog", written: counts.sent, failed: counts.failures, lines });
            }
        }
        if let Some(keeper) = &self.keeper {
            let (written, failed) = (keeper.counts.written.load(Ordering::Relaxed), keeper.counts.failed.load(Ordering::Relaxed));
            outputs.push(Output { name: "state", written, failed, lines: None });
        }
        #[cfg(feature = "parquet")]
        if let Some(ParquetWriter { counts, .. }) = &self.parquet {
            let (written, failed) = (counts.written.load(Ordering::Relaxed), counts.failed.load(Ordering::Relaxed));
            outputs.push(Output { name: "parquet", written, failed, lines: None });
        }
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("DGAWATCH_REVISION").unwrap_or("unknown").to_owned(),
            started: self.started,
            taken: (self.clock)(),
            interfaces: state.interfaces.iter().map(InterfaceCounts::shown).collect(),
            outcomes: state.counts.clone(),
            messages: state.messages.clone(),
            given_up: state.given_up.clone(),
            lists: state
                .lists
                .iter()
                .map(|list| OpenList { family: family(list.family), list_day: list.list_day, names: list.names as u64 })
                .collect(),
            list_bytes: state.lists.iter().map(|list| list.octets as u64).sum(),
            list_builds: Builds { done: state.builds.0, seconds: state.builds.1.as_secs_f64(), ..Builds::default() },
            families: families.collect(),
            rendezvous: self.figures.names.clone(),
            answers_not_kept: (unkept.names, unkept.exposed),
            table: Table {
                used: state.ledger().len() as u64,
                capacity: state.ledger().bound() as u64,
                evicted: saturation.evicted + saturation.evicted_infected,
            },
            networks: self.networks.rows(catalog),
            series: state.series().map(|series| series.settle()).unwrap_or_default(),
            outputs,
            clock_steps: self.clock_steps,
            reloads: Reloads { done: reloads.0, failed: reloads.1 },
            overview: self.lookout.overview(),
        }
    }

    /// Hands the state to the keeper when it is time, and writes it here when there will be no other time.
    fn save(&mut self, state: &LiveState<'_, '_>, now: Instant) {
        let Some(keeper) = &mut self.keeper else { return };
        if now < keeper.next && !state.last {
            return;
        }
        keeper.next = now + keeper.interval;
        let mut octets = vec![];
        state.plan.context().write(state.ledger(), &mut octets).expect("memory takes everything");
        if state.last {
            save(&keeper.file, &octets, &keeper.counts, &self.board.say);
        } else if let Err(TrySendError::Full(_)) = keeper.give.try_send(octets) {
            // The one before is still being written.
            keeper.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The log of events, where there is one.
fn events<'s>(state: &'s LiveState<'_, '_>) -> Option<std::sync::MutexGuard<'s, EventLog>> {
    state.plan.settings.events.as_ref().map(|log| log.lock().unwrap_or_else(PoisonError::into_inner))
}
