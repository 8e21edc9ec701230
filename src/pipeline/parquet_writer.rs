//! Evidence as Parquet files while a sensor listens: handed over now and then, counted and written on a thread of its own.
//!
//! What is open is written again and again, each list day under the same name; what is closed is written once more, and
//! then stays.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::keeper::{Kept, StateConfig};
use super::live_state::{LiveState, lost};
use super::sensor::Say;
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId};
use crate::export::parquet::{Contribution, ParquetFolder, write_sketches};
use crate::export::{Networks, StateFile};
use crate::ledger::{Census, Evidence, HourSketch, Key, Standard, Watched};

/// Hours of which sketches are kept, before the latest packet.
const KEPT: u64 = 8 * 86_400;

/// Where Parquet files go, and how often.
#[derive(Clone, Debug)]
pub struct ParquetConfig {
    /// A folder.
    pub folder: PathBuf,
    /// The name of the sensor.
    pub sensor: String,
    /// How often what is open is written.
    pub interval: Duration,
    /// When the evidence begins: see [`Self::began`].
    pub began: Timestamp,
    /// When this process began.
    pub now: Timestamp,
}

impl ParquetConfig {
    /// When the evidence begins that a run goes on with: files that another run wrote of it are replaced, all others stay. That
    /// is when the first of these runs began, which is kept beside the state.
    pub fn began(state: Option<&StateConfig>, restored: bool, now: Timestamp, say: &Say) -> Timestamp {
        let Some(state) = state else { return now };
        let file = StateFile::new(&state.directory.join("parquet-run"));
        let read = |octets: &[u8]| {
            let text = str::from_utf8(octets).ok().and_then(|text| text.trim().parse().ok());
            text.ok_or_else(|| "holds no time".to_owned())
        };
        if restored {
            let (began, warning) = file.load(64, read);
            warning.iter().for_each(|warning| say(warning));
            if let Some(began) = began {
                return began;
            }
        }
        if let Err(why) = file.save(|out| writeln!(out, "{now}")) {
            say(&why);
        }
        now
    }
}

/// Hands evidence to the thread that writes it.
pub(super) struct ParquetWriter {
    /// Gone when nothing more will come.
    give: Option<Sender<Load>>,
    thread: Option<JoinHandle<()>>,
    /// What the thread had no time for yet, and must not be lost.
    waiting: VecDeque<Load>,
    interval: Duration,
    next: Instant,
    pub(super) counts: Arc<Kept>,
}

/// Evidence to be written.
struct Load {
    catalog: Catalog,
    networks: Option<Arc<Networks>>,
    masking: Option<u64>,
    rows: Vec<(Key, Evidence)>,
    standards: BTreeMap<(FamilyId, Day), Standard>,
    answering: Vec<std::net::IpAddr>,
    watched: Watched,
    sketches: Vec<HourSketch>,
    /// Whether nothing more will come of these list days.
    is_closed: bool,
}

impl Load {
    fn of(state: &LiveState<'_, '_>, rows: Vec<(Key, Evidence)>, standards: BTreeMap<(FamilyId, Day), Standard>) -> Self {
        let (ledger, settings) = (state.ledger(), &state.plan.settings);
        let span = rows.iter().map(|(_, evidence)| (evidence.first_seen, evidence.last_seen));
        let span = span.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let names_refused = ledger.saturation().names_refused > 0;
        Self {
            catalog: state.plan.catalog.clone(),
            networks: settings.networks.clone(),
            masking: settings.masking.told(),
            rows,
            standards,
            answering: ledger.answering(),
            watched: Watched { span, lost: lost(&state.interfaces), names_refused },
            sketches: vec![],
            is_closed: false,
        }
    }
}

impl ParquetWriter {
    /// Starts the thread, which does `begin` first.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn new(
        config: &ParquetConfig,
        begin: impl FnOnce() -> Result<(), String> + Send + 'static,
        say: Arc<Say>,
    ) -> Result<Self, String> {
        let (give, take) = bounded(1);
        let (counts, interval) = (Arc::<Kept>::default(), config.interval);
        let (config, told) = (config.clone(), Arc::clone(&counts));
        let write = move || match begin() {
            Ok(()) => serve(&config, &take, &told, &*say),
            Err(why) => say(&format!("the evidence is not written as Parquet: {why}")),
        };
        let thread = thread::Builder::new().name("parquet".to_owned()).spawn(write);
        let thread = thread.map_err(|error| format!("no thread to write Parquet: {error}"))?;
        let next = Instant::now() + interval;
        Ok(Self { give: Some(give), thread: Some(thread), waiting: VecDeque::new(), interval, next, counts })
    }

    /// Takes list days that are over.
    pub(super) fn close(
        &mut self,
        state: &LiveState<'_, '_>,
        rows: Vec<(Key, Evidence)>,
        standards: BTreeMap<(FamilyId, Day), Standard>,
    ) {
        if !rows.is_empty() {
            self.waiting.push_back(Load { is_closed: true, ..Load::of(state, rows, standards) });
        }
    }

    /// Hands over what waits, and what is open when it is time, or when these numbers of families will mean nothing any more.
    pub(super) fn look(&mut self, state: &mut LiveState<'_, '_>, now: Instant, changes: bool) {
        let Some(give) = &self.give else { return };
        if now >= self.next || changes || state.last {
            // Where the thread is behind, what is open can wait, unless there is no later.
            if self.waiting.is_empty() || changes || state.last {
                self.next = now + self.interval;
                self.waiting.push_back(open(state));
            }
        }
        while let Some(load) = self.waiting.pop_front() {
            if state.last {
                // A thread that died has said so.
                let _ = give.send(load);
            } else if let Err(TrySendError::Full(load)) = give.try_send(load) {
                self.waiting.push_front(load);
                break;
            }
        }
        if state.last {
            self.give = None;
            if let Some(thread) = self.thread.take()
                && thread.join().is_err()
            {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// All evidence there is, by what is known now.
fn open(state: &mut LiveState<'_, '_>) -> Load {
    state.judge();
    let rows = state.ledger().rows().map(|(key, evidence)| (*key, evidence.clone())).collect();
    let standards = state.ledger().standards();
    let latest = state.latest();
    let hourly = state.book.hourly.as_mut();
    let sketches = hourly.map(|hourly| {
        let sketches = hourly.take_changed();
        let oldest = latest.map_or(0, |latest| latest.parts().0.saturating_sub(KEPT));
        hourly.retire(Timestamp::from_parts(oldest, 0));
        sketches
    });
    Load { sketches: sketches.unwrap_or_default(), ..Load::of(state, rows, standards) }
}

/// Loads of closed list days that are kept when they cannot be written.
const UNWRITTEN: usize = 8;

fn serve(config: &ParquetConfig, take: &Receiver<Load>, counts: &Kept, say: &Say) {
    let mut files = Files {
        folder: ParquetFolder::new(&config.folder, &config.sensor, config.began, None),
        of_process: ParquetFolder::new(&config.folder, &config.sensor, config.now, None),
        sensor: &config.sensor,
        closed: BTreeMap::new(),
    };
    let mut unwritten: VecDeque<Load> = VecDeque::new();
    for load in take {
        unwritten.push_back(load);
        for _ in 0..unwritten.len() {
            let Some(mut load) = unwritten.pop_front() else { break };
            let Err(error) = files.write(&mut load) else {
                counts.written.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            if counts.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                say(&format!("the evidence cannot be written as Parquet: {error}; it is tried again, and counted"));
            }
            // What is open comes again.
            if load.is_closed && unwritten.len() < UNWRITTEN {
                unwritten.push_back(load);
            }
        }
    }
}

/// The files of a process.
struct Files<'c> {
    folder: ParquetFolder,
    /// Sketches of a restart are further ones: those before know hours that these do not.
    of_process: ParquetFolder,
    sensor: &'c str,
    /// How often a list day was closed: a packet that is very late opens it again.
    closed: BTreeMap<(String, Day), u32>,
}

impl Files<'_> {
    fn write(&mut self, load: &mut Load) -> io::Result<()> {
        load.rows.sort_unstable_by_key(|(key, _)| *key);
        let rows: Vec<_> = load.rows.iter().map(|(key, evidence)| (key, evidence)).collect();
        let census = Census::take(&rows, &load.catalog, &load.watched);
        let contribution = Contribution {
            sensor: self.sensor,
            catalog: &load.catalog,
            rows: &load.rows,
            hosts: &census.rows,
            standards: &load.standards,
            answering: &load.answering,
            networks: load.networks.as_deref(),
            capture_loss: Some(load.watched.lost),
            masking: load.masking,
        };
        let part = |family: &str, day| self.closed.get(&(family.to_owned(), day)).copied().unwrap_or(0);
        let outcome = contribution.write(&self.folder, part);
        let sketches = write_sketches(&self.of_process, self.sensor, &load.catalog, &load.sketches);
        outcome.and(sketches)?;
        if load.is_closed {
            let mut lists: Vec<(FamilyId, Day)> = load.rows.iter().map(|(key, _)| (key.family, key.list_day)).collect();
            lists.dedup();
            for (family, day) in lists {
                *self.closed.entry((load.catalog.family(family).id().to_owned(), day)).or_default() += 1;
            }
        }
        Ok(())
    }
}
