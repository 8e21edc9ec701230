//! Evidence as plain values that leave a ledger, and how another ledger takes them: the union over sensors.
//!
//! One record speaks of one source, family and list day, as one sensor saw them. A ledger that absorbs the records of all
//! sensors has what one ledger that saw all packets would have, so that the code that judges and counts for one sensor
//! serves many. Records can be absorbed in any order, and what a ledger gives out again can be absorbed again.
//!
//! What the union cannot know is what no sensor kept: traces (lookups, [`Portable::most`], [`Portable::server`]) begin with
//! a sensor's own verdict, so that estimates of hosts that rest on lookups, and readers, may differ where a source is
//! spread over sensors. Verdicts but those of readers, names and all sums do not.

mod names;

pub use self::names::PortableName;

use std::net::IpAddr;

use super::names::{Inserted, Names};
use super::trace::{MOST_STARTS, Trace, WATCHED};
use super::{Evidence, Key, Ledger, Role};
use crate::day::{Day, Timestamp};
use crate::decode::Transport;
use crate::dga::Catalog;
use crate::watchlist::{self, known_collision};

/// What a count may come to: as much can be added to it without end.
const MOST: u64 = 1 << 48;

/// Lookups of one record, at most: a host of the busiest worm makes a few hundred a day, a resolver some ten thousand.
pub const MOST_LOOKUPS: usize = 1 << 20;

/// The evidence of one source, family and list day, as one sensor has it, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portable {
    /// Whose it is.
    pub key: Key,
    /// Queries for a listed name, repeated ones included.
    pub matches: u64,
    /// Responses with a listed name that were sent to the source.
    pub responses: u64,
    /// The earliest of them all.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// Places in the list of the names in either, ascending.
    pub names: Vec<u32>,
    /// Those of them that are known collisions, ascending.
    pub collisions: Vec<u32>,
    /// The source's port in the latest.
    pub port: u16,
    /// What carried the latest.
    pub transport: Transport,
    /// Messages in which recursion was wanted, up to 255.
    pub recursive: u8,
    /// Those in which it was not, up to 255.
    pub iterative: u8,
    /// Whether the source was seen to answer for listed names.
    pub answers_others: bool,
    /// The most names that were new within one window of the family, since the verdict.
    pub most: u32,
    /// Who answered since the verdict: of several the lowest address.
    pub server: Option<IpAddr>,
    /// Lookups since the verdict, where they are kept.
    pub trace: Option<Lookups>,
}

/// The lookups of one source. The numbers mean something to a [`Ledger`] only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Time, message id and name of each, ascending, at most [`MOST_LOOKUPS`].
    pub times: Vec<u64>,
    /// How many there was no room for.
    pub lost: u64,
    /// When rounds started, in seconds since 1970, ascending.
    pub starts: Vec<u32>,
    /// When the latest lookup was, in seconds since 1970.
    pub latest: u32,
    /// The longest time for which answers let caches keep each watched name, in seconds; 0 where none told.
    pub lifetimes: Vec<u16>,
}

impl Portable {
    /// What a ledger's row says. `is_collision` tells it of a place in the list.
    pub fn of(key: &Key, evidence: &Evidence, answers_others: bool, is_collision: impl Fn(u32) -> bool) -> Self {
        let collisions = match evidence.collisions {
            0 => vec![],
            _ => evidence.names().filter(|index| is_collision(*index)).collect(),
        };
        let trace = evidence.trace.as_ref();
        Self {
            key: *key,
            matches: evidence.matches,
            responses: evidence.responses,
            first_seen: evidence.first_seen,
            last_seen: evidence.last_seen,
            names: evidence.names().collect(),
            collisions,
            port: evidence.port,
            transport: evidence.transport,
            recursive: evidence.recursive,
            iterative: evidence.iterative,
            answers_others,
            most: trace.map_or(0, |trace| trace.most),
            server: trace.and_then(|trace| trace.server),
            trace: trace.map(|trace| Lookups::of(trace)),
        }
    }

    /// Why this cannot be, if it cannot.
    fn fault(&self, catalog: &Catalog) -> Option<String> {
        let Key { family, list_day, .. } = self.key;
        if usize::from(family) >= catalog.iter().len() || !(Day::EPOCH..=Day::LAST).contains(&list_day) {
            return Some("is of a family or a day that there is not".to_owned());
        }
        let (family, ascending) = (catalog.family(family), |numbers: &[u32]| numbers.is_sorted_by(|a, b| a < b));
        let count = family.count(list_day);
        if let Some(beyond) = self.names.iter().find(|index| **index >= count) {
            return Some(format!("has name {beyond} of {}, whose list of {list_day} has {count}", family.id()));
        }
        if self.names.is_empty() || !ascending(&self.names) || !ascending(&self.collisions) {
            return Some("has no names, or not in ascending order".to_owned());
        }
        if let Some(other) = self.collisions.iter().find(|index| self.names.binary_search(index).is_err()) {
            return Some(format!("has collision {other}, which is none of its names"));
        }
        if self.matches >= MOST || self.responses >= MOST || self.first_seen > self.last_seen {
            return Some("has counts or times that cannot be".to_owned());
        }
        let lookups = self.trace.as_ref()?;
        let too_many = lookups.times.len() > MOST_LOOKUPS || lookups.starts.len() > MOST_STARTS;
        (too_many || lookups.lifetimes.len() > WATCHED || lookups.lost >= MOST)
            .then(|| "has more lookups than are kept of a source".to_owned())
    }
}

impl Lookups {
    fn of(trace: &Trace) -> Self {
        let mut times = trace.packed().to_vec();
        times.sort_unstable();
        times.dedup();
        let (starts, lifetimes) = (trace.starts().to_vec(), trace.lifetimes().to_vec());
        Self { times, lost: trace.lost, starts, latest: trace.latest(), lifetimes }
    }
}

impl Ledger {
    /// A ledger for the union of so many records, which takes all names and lookups that they have: whoever absorbs them
    /// has held them before.
    pub fn for_union(records: usize) -> Self {
        let mut ledger = Self::new(records);
        (ledger.room, ledger.trace_room) = (usize::MAX >> 1, usize::MAX >> 1);
        ledger
    }

    /// All evidence, in the order of its keys.
    pub fn portable<'l>(&'l self, catalog: &'l Catalog) -> impl Iterator<Item = Portable> + 'l {
        let mut rows: Vec<(&Key, &Evidence)> = self.rows.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| **key);
        let mut list: Option<(Key, watchlist::Names)> = None;
        rows.into_iter().map(move |(key, evidence)| {
            if evidence.collisions > 0
                && list.as_ref().is_none_or(|(of, _)| (of.family, of.list_day) != (key.family, key.list_day))
            {
                let family = catalog.family(key.family);
                list = Some((*key, watchlist::Names::new(family, family.edition(key.list_day))));
            }
            let owned = |index| list.as_ref().is_some_and(|(_, names)| known_collision(&names.name(index)).is_some());
            Portable::of(key, evidence, self.servers.has(key.source), owned)
        })
    }

    /// Who was seen to answer for listed names, ascending.
    pub fn answering(&self) -> Vec<IpAddr> {
        let mut servers: Vec<IpAddr> = self.answered().copied().collect();
        servers.sort_unstable();
        servers
    }

    /// Adds that somebody was seen to answer.
    pub fn absorb_answering(&mut self, server: IpAddr) {
        self.servers.add(server);
    }

    /// Adds what another ledger gave out. [`Self::judge`] and [`Self::into_sorted`] judge by it.
    ///
    /// # Errors
    /// One clause that says why the record cannot be of these families; nothing is added then.
    pub fn absorb(&mut self, record: &Portable, catalog: &Catalog) -> Result<(), String> {
        if let Some(fault) = record.fault(catalog) {
            return Err(fault);
        }
        if record.answers_others {
            self.servers.add(record.key.source);
        }
        let Some(place) = self.rows.find(&record.key) else {
            let evidence = self.evidence_of(record);
            self.restore(record.key, evidence).expect("there was no row");
            return Ok(());
        };
        let many = u64::from(self.rule(record.key.family).needed);
        let evidence = self.rows.hear(place);
        let before = evidence.distinct_names();
        let mut new = vec![];
        evidence.add_record(record);
        for index in &record.names {
            match evidence.names.insert(*index, &mut self.room) {
                Inserted::Known => {}
                Inserted::NoRoom => self.saturation.names_refused += 1,
                Inserted::New => {
                    evidence.collisions += u32::from(record.collisions.binary_search(index).is_ok());
                    new.push(*index);
                }
            }
        }
        if let Some(lookups) = &record.trace {
            match &mut evidence.trace {
                Some(trace) => trace.absorb(lookups, &mut self.trace_room),
                none => *none = Trace::of(lookups, &mut self.trace_room).map(Box::new),
            }
        }
        if let Some(trace) = &mut evidence.trace {
            trace.most = trace.most.max(record.most);
            trace.server = [trace.server, record.server].into_iter().flatten().min();
        }
        // Who asks for each name is kept as if the names had come one by one.
        let of_many = evidence.distinct_names() >= many;
        if of_many && before < many {
            for index in evidence.names().filter(|index| new.binary_search(index).is_err()) {
                self.popularity.promote((record.key.family, record.key.list_day, index));
            }
        }
        for index in new {
            self.popularity.add((record.key.family, record.key.list_day, index), of_many);
        }
        self.rows.weigh(place);
        Ok(())
    }

    /// A row that has what a record has.
    fn evidence_of(&mut self, record: &Portable) -> Evidence {
        let mut names = Names::NONE;
        record.names.iter().for_each(|index| self.restore_name(&mut names, *index));
        let kept = record.collisions.iter().filter(|index| names.contains(**index)).count();
        let mut trace = record.trace.as_ref().and_then(|lookups| Trace::of(lookups, &mut self.trace_room)).map(Box::new);
        if let Some(trace) = &mut trace {
            (trace.most, trace.server) = (record.most, record.server);
        }
        Evidence {
            matches: record.matches,
            responses: record.responses,
            first_seen: record.first_seen,
            last_seen: record.last_seen,
            names,
            collisions: kept as u32,
            port: record.port,
            transport: record.transport,
            needed: self.rule(record.key.family).needed,
            aside: 0,
            recursive: record.recursive,
            iterative: record.iterative,
            role: Role::Client,
            reader: false,
            trace,
        }
    }
}

impl Evidence {
    /// Adds what a record says, but for its names.
    fn add_record(&mut self, record: &Portable) {
        self.matches = self.matches.saturating_add(record.matches);
        self.responses = self.responses.saturating_add(record.responses);
        self.recursive = self.recursive.saturating_add(record.recursive);
        self.iterative = self.iterative.saturating_add(record.iterative);
        self.first_seen = self.first_seen.min(record.first_seen);
        self.hear_latest(record.last_seen, record.port, record.transport);
    }
}

#[cfg(test)]
mod tests;
