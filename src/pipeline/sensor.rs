//! What the sensor shows and keeps while it listens: snapshots for whoever asks over HTTP, state for the next start.
//!
//! ```text
//!  clerk (Live) -> Sensor::look -> Board: the latest snapshot, pages of evidence   <- http
//!                         `------> keeper: the ledger as octets -> state file
//! ```
//!
//! The clerk is never kept waiting: a snapshot is handed over, a state that is still being written is not written twice.

use std::collections::HashMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::Settings;
use super::almanac::Clock;
use super::live::LiveState;
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId};
use crate::export::http::{self, SourcePage, SourceQuery, SourceRow};
use crate::export::snapshot::{Builds, FamilyCounts, Interface, OpenList, Output, Snapshot, Table};
use crate::export::{EventLog, StateFile};
use crate::ledger::estimate::Refused;
use crate::ledger::{Census, Context, Key, Ledger, Rule, Verdict, Watched};

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

/// The longest state file that is read.
const MAX_STATE: u64 = 8 << 30;

/// Low, best and high of a family's hosts, and infected sources that they leave out, by reason.
type HostCounts = (Option<(u64, u64, Option<u64>)>, Vec<(&'static str, u64)>);

/// Infected sources behind which hosts are counted while packets wait; of more the report at the end speaks.
const MOST_COUNTED: usize = 20_000;

/// A question, and where the answer goes.
type Question = (SourceQuery, Sender<SourcePage>);

/// Takes one sentence for the operator.
pub type Say = dyn Fn(&str) + Send + Sync;

/// What others see of the sensor.
pub struct Board {
    snapshot: Mutex<Arc<Snapshot>>,
    ready: AtomicBool,
    ask: Sender<Question>,
    /// Raised to start the log of events anew.
    rotate: Arc<AtomicBool>,
    say: Arc<Say>,
}

/// Looks at the clerk's evidence now and then.
pub struct Sensor<'a> {
    catalog: &'a Catalog,
    settings: &'a Settings,
    board: Arc<Board>,
    questions: Receiver<Question>,
    clock: Box<Clock>,
    keeper: Option<Keeper>,
    started: Timestamp,
    retired_before: Option<Day>,
    sources: Vec<(u64, u64)>,
    /// Hosts of each family, and sources left out by reason; nothing while there are too many to look through.
    hosts: Vec<HostCounts>,
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

#[derive(Default)]
struct Kept {
    written: AtomicU64,
    failed: AtomicU64,
}

/// Where state is kept, and how often it is written.
#[derive(Clone, Debug)]
pub struct StateConfig {
    /// A directory.
    pub directory: PathBuf,
    /// How often.
    pub interval: Duration,
}

impl StateConfig {
    fn file(&self) -> StateFile {
        StateFile::new(&self.directory.join("evidence"))
    }

    /// The evidence that an earlier run left, if it left any that can be used; what an operator should know goes to `say`.
    pub fn restore(&self, catalog: &Catalog, settings: &Settings, say: &Say) -> Option<Ledger> {
        let context = Context { catalog, patterns: &settings.patterns, masking: &settings.masking };
        let (restored, warning) = self.file().load(MAX_STATE, |octets| context.read(octets, settings.max_sources));
        warning.iter().for_each(|warning| say(warning));
        let restored = restored?;
        restored.left_out.iter().for_each(|sentence| say(sentence));
        Some(restored.ledger)
    }
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

    fn reload(&self) -> Result<String, String> {
        self.rotate.store(true, Ordering::Relaxed);
        Ok("the log of events is begun anew; the web configuration is read whenever it changes; families, lists and patterns \
            are read at the start"
            .to_owned())
    }

    fn sources(&self, query: &SourceQuery) -> Option<SourcePage> {
        let (give, take) = bounded(1);
        self.ask.try_send((query.clone(), give)).ok()?;
        take.recv_timeout(PATIENCE).ok()
    }

    fn say(&self, sentence: &str) {
        (self.say)(sentence);
    }
}

impl<'a> Sensor<'a> {
    /// One that shows itself on the board that is returned. `rotate` tells to begin the log of events anew.
    pub fn new(
        catalog: &'a Catalog,
        settings: &'a Settings,
        clock: Box<Clock>,
        rotate: Arc<AtomicBool>,
        say: Arc<Say>,
    ) -> (Self, Arc<Board>) {
        let (ask, questions) = bounded(QUESTIONS);
        let (snapshot, ready) = (Mutex::default(), AtomicBool::new(false));
        let board = Arc::new(Board { snapshot, ready, ask, rotate, say });
        let (started, now) = (clock(), Instant::now());
        let sensor = Self {
            catalog,
            settings,
            board: Arc::clone(&board),
            questions,
            clock,
            keeper: None,
            started,
            retired_before: None,
            sources: vec![(0, 0); catalog.iter().len()],
            hosts: vec![],
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

    /// Looks at what the clerk has.
    pub fn look(&mut self, state: &mut LiveState<'_, '_>) {
        // Each is told once.
        state.notices.iter().for_each(|notice| (self.board.say)(notice));
        while let Ok((query, answer)) = self.questions.try_recv() {
            // Who asked may have gone.
            let _ = answer.send(self.page(state.ledger(), &query));
        }
        let now = Instant::now();
        if now < self.next && !state.last {
            return;
        }
        self.next = now + SNAPSHOT;
        self.watch_clock(now);
        self.close_days(state);
        if self.board.rotate.swap(false, Ordering::Relaxed) {
            self.rotate();
        }
        if now >= self.next_count {
            state.judge();
            self.count_sources(state.ledger());
            self.count_hosts(state.ledger(), lost(state));
            self.next_count = now + now.elapsed() * COUNTING_SHARE;
        }
        if now >= self.next_age {
            self.next_age = now + AGE;
            state.series().into_iter().for_each(|series| series.age());
        }
        let snapshot = Arc::new(self.snapshot(state));
        let today = (self.clock)().day();
        let listed = |id| state.lists.iter().any(|list| list.family == id && list.list_day == today);
        self.board.ready.store(!state.last && self.catalog.iter().all(|(id, _)| listed(id)), Ordering::Relaxed);
        *self.board.snapshot_place() = snapshot;
        self.save(state, now);
    }

    /// Lets go of list days that no packet is held against any more, by the time of packets.
    fn close_days(&mut self, state: &mut LiveState<'_, '_>) {
        let Some(latest) = state.interfaces.iter().filter_map(|interface| interface.last_packet).max() else { return };
        // A day longer than the lists are open: packets of two interfaces need not come in order.
        let before = latest.day().plus(-i32::from(self.settings.skew) - 1);
        if self.retired_before.is_none_or(|retired| before > retired) {
            self.retired_before = Some(before);
            state.retire(before);
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

    fn rotate(&self) {
        if let Some(mut log) = self.events()
            && let Err(why) = log.reopen()
        {
            (self.board.say)(&why);
        }
    }

    fn events(&self) -> Option<std::sync::MutexGuard<'_, EventLog>> {
        self.settings.events.as_ref().map(|log| log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Suspect and infected sources of each family, each once.
    fn count_sources(&mut self, ledger: &Ledger) {
        let mut verdicts: HashMap<(FamilyId, IpAddr), Verdict> = HashMap::new();
        for (key, evidence) in ledger.rows() {
            let verdict = verdicts.entry((key.family, key.source)).or_insert(Verdict::Suspect);
            *verdict = (*verdict).max(Verdict::of(evidence));
        }
        self.sources.fill((0, 0));
        for ((family, _), verdict) in verdicts {
            let (suspect, infected) = &mut self.sources[usize::from(family)];
            *(if verdict == Verdict::Infected { infected } else { suspect }) += 1;
        }
    }

    /// The hosts behind infected sources.
    fn count_hosts(&mut self, ledger: &Ledger, lost: f64) {
        let infected = ledger.rows().filter(|(_, evidence)| Verdict::of(evidence) == Verdict::Infected);
        let mut rows: Vec<_> = infected.take(MOST_COUNTED + 1).collect();
        self.hosts.clear();
        if rows.len() > MOST_COUNTED {
            return;
        }
        rows.sort_unstable_by_key(|(key, _)| **key);
        let span = rows.iter().map(|(_, evidence)| (evidence.first_seen, evidence.last_seen));
        let span = span.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let watched = Watched { span, lost, names_refused: ledger.saturation().names_refused > 0 };
        let census = Census::take(&rows, &Rule::of_all(self.catalog), &watched);
        self.hosts.extend(census.families.into_iter().map(|hosts| (hosts.ok().map(|hosts| hosts.figures()), vec![])));
        for (_, reasons) in &mut self.hosts {
            reasons.extend(Refused::ALL.map(|why| (why.label(), 0)));
        }
        for ((key, _), hosts) in rows.iter().zip(census.rows) {
            let place = Refused::ALL.iter().position(|why| hosts == Err(*why));
            if let Some(place) = place {
                self.hosts[usize::from(key.family)].1[place].1 += 1;
            }
        }
    }

    fn snapshot(&self, state: &mut LiveState<'_, '_>) -> Snapshot {
        let family = |id: FamilyId| self.catalog.family(id).id().to_owned();
        let families = self.catalog.iter().zip(state.matched()).zip(&self.sources);
        let families = families.map(|(((id, family), &(matches, responses)), &(suspect, infected))| {
            let (hosts, hosts_refused) = self.hosts.get(usize::from(id)).cloned().unwrap_or_default();
            let (family, answers) = (family.id().to_owned(), vec![]);
            FamilyCounts { family, matches, responses, suspect, infected, hosts, hosts_refused, answers }
        });
        let saturation = state.ledger().saturation();
        let mut outputs = vec![];
        if let Some(log) = self.events() {
            let counts = log.counts();
            outputs.push(Output { name: "events", written: counts.written, failed: counts.failures });
        }
        if let Some(keeper) = &self.keeper {
            let (written, failed) = (keeper.counts.written.load(Ordering::Relaxed), keeper.counts.failed.load(Ordering::Relaxed));
            outputs.push(Output { name: "state", written, failed });
        }
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("DGAWATCH_REVISION").unwrap_or("unknown").to_owned(),
            started: self.started,
            taken: (self.clock)(),
            interfaces: state.interfaces.iter().map(interface).collect(),
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
            table: Table {
                used: state.ledger().len() as u64,
                capacity: state.ledger().bound() as u64,
                evicted: saturation.evicted + saturation.evicted_infected,
            },
            series: state.series().map(|series| series.settle()).unwrap_or_default(),
            outputs,
            clock_steps: self.clock_steps,
            ..Snapshot::default()
        }
    }

    /// Hands the state to the keeper when it is time, and writes it here when there will be no other time.
    fn save(&mut self, state: &LiveState<'_, '_>, now: Instant) {
        let Some(keeper) = &mut self.keeper else { return };
        if now < keeper.next && !state.last {
            return;
        }
        keeper.next = now + keeper.interval;
        let Settings { patterns, masking, .. } = self.settings;
        let mut octets = vec![];
        let context = Context { catalog: self.catalog, patterns, masking };
        context.write(state.ledger(), &mut octets).expect("memory takes everything");
        if state.last {
            save(&keeper.file, &octets, &keeper.counts, &self.board.say);
        } else if let Err(TrySendError::Full(_)) = keeper.give.try_send(octets) {
            // The one before is still being written.
            keeper.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The rows that a query asks for, in the order of reports.
    fn page(&self, ledger: &Ledger, query: &SourceQuery) -> SourcePage {
        let id = |key: &Key| self.catalog.family(key.family).id();
        let mut rows: Vec<_> = ledger
            .rows()
            .filter(|(key, _)| query.family.as_deref().is_none_or(|family| id(key) == family))
            .filter(|(_, evidence)| query.verdict.is_none_or(|verdict| Verdict::of(evidence) == verdict))
            .collect();
        rows.sort_unstable_by_key(|(key, _)| **key);
        let total = rows.len();
        let page = rows.into_iter().skip(query.offset).take(query.limit).map(|(key, evidence)| SourceRow {
            source: key.source.to_string(),
            family: id(key).to_owned(),
            list_day: key.list_day,
            matches: evidence.matches,
            responses: evidence.responses,
            distinct_names: evidence.distinct_names(),
            first_seen: evidence.first_seen,
            last_seen: evidence.last_seen,
            verdict: Verdict::of(evidence),
        });
        SourcePage { total, rows: page.collect() }
    }
}

/// Writes the state, and tells of a failure when it is the first.
fn save(file: &StateFile, octets: &[u8], counts: &Kept, say: &Arc<Say>) {
    match file.save(|out| out.write_all(octets)) {
        Ok(()) => counts.written.fetch_add(1, Ordering::Relaxed),
        Err(why) => {
            let before = counts.failed.fetch_add(1, Ordering::Relaxed);
            if before == 0 {
                say(&format!("{why}; it is tried again, and counted"));
            }
            before
        }
    };
}

/// The share of packets that were lost before they were looked at.
fn lost(state: &LiveState<'_, '_>) -> f64 {
    let sum = |of: fn(&super::live::InterfaceCounts) -> u64| state.interfaces.iter().map(of).sum::<u64>() as f64;
    let lost = sum(|counts| counts.dropped_nic + counts.dropped_kernel + counts.dropped_queue);
    lost / (lost + sum(|counts| counts.received)).max(1.0)
}

fn interface(counts: &super::live::InterfaceCounts) -> Interface {
    Interface {
        name: counts.name.clone(),
        packets: counts.received,
        dropped_by_nic: counts.dropped_nic,
        dropped_by_kernel: counts.dropped_kernel,
        dropped_by_queue: counts.dropped_queue,
        startup_discarded: counts.startup_discarded,
        last_packet: counts.last_packet,
    }
}
