//! The report of a replay: who is infected, what was read, what was lost.

mod abuse;
#[cfg(feature = "parquet")]
mod columns;
mod csv;
mod desk;
mod evidence;
mod html;
mod json;
mod rendezvous;
mod text;
mod timeline;

pub use self::abuse::AbuseFormat;
pub(super) use self::abuse::Incident;
pub use self::desk::{Desk, Reporter};
pub use self::text::{grouped, printable, size};
pub use self::timeline::Timeline;

use self::rendezvous::Live;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use super::Events;
use crate::day::{Day, Timestamp};
use crate::decode::{Counts, GivenUp, GivenUpCounts, Messages, Outcome};
use crate::dga::{Catalog, FamilyId, Period};
#[cfg(feature = "parquet")]
use crate::ledger::HourSketch;
use crate::ledger::estimate::{Cycle, Estimate};
use crate::ledger::{
    AnswerCounts, Census, Count, Distinct, EXACT, Evidence, Hosts, Key, Ledger, Role, Seen, Standard, Verdict, Watched,
};
use crate::watchlist::{List, Names, PatternId, Patterns};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person; at most so many sources of each family and list day, 0 for all.
    Text {
        /// The bound.
        top: usize,
    },
    /// One object, everything in it.
    Json,
    /// The sources.
    Csv,
    /// What names resolved to, in the Common Output Format of passive DNS.
    Cof,
}

/// All that a replay found.
pub struct Report {
    catalog: Catalog,
    captures: Vec<CaptureSummary>,
    found: Found,
    lists: BTreeSet<(FamilyId, Day)>,
    rows: Vec<(Key, Evidence)>,
    /// The hosts behind them.
    census: Census,
    /// What verdicts on each list rest on.
    standards: BTreeMap<(FamilyId, Day), Standard>,
    /// Where names lead.
    live: Live,
    refused: u64,
    names_refused: u64,
    /// Who was seen to answer for listed names.
    servers: Vec<IpAddr>,
    /// Addresses that no sensor took for sinkholes, and all together do.
    learned_together: BTreeSet<(FamilyId, IpAddr)>,
    patterns: Arc<Patterns>,
    sightings: Vec<(PatternId, IpAddr, Seen)>,
    sightings_refused: u64,
    desk: Desk,
    timeline: Option<Timeline>,
    /// Different sources by hour, where they are counted.
    #[cfg(feature = "parquet")]
    sketches: Vec<HourSketch>,
    /// Lists whose names need not be computed again.
    built: BTreeMap<(FamilyId, Day), Arc<List>>,
}

/// What became of packets, and of the messages in them.
pub struct Found {
    /// Packets, by outcome.
    pub counts: Counts,
    /// Messages, by kind.
    pub messages: Messages,
    /// What was given up of messages in several packets.
    pub given_up: GivenUpCounts,
    /// What responses said about the names of each family.
    pub answers: Vec<AnswerCounts>,
    /// The share of packets that nobody saw, as far as that is known.
    pub lost: f64,
}

impl Found {
    /// What may have held a message that was missed, for a person: how much, of what.
    pub fn losses(&self) -> impl Iterator<Item = (u64, &'static str)> {
        let packets = Outcome::ALL.into_iter().filter_map(|outcome| Some((self.counts.of(outcome), outcome.loss()?)));
        let pieces = GivenUp::ALL.into_iter().map(|why| (self.given_up.of(why), why.loss()));
        packets.chain(pieces).filter(|(count, _)| *count > 0)
    }
}

/// What was read of one capture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CaptureSummary {
    /// As given by the user.
    pub path: String,
    /// Packets.
    pub packets: u64,
    /// Octets captured, without what the file adds to each packet.
    pub bytes: u64,
    /// Earliest and latest packet.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Why it was not read, or not to its end.
    pub error: Option<String>,
    /// Where it was read, in a report of several sensors.
    pub seen_by: Option<SeenBy>,
}

/// The sensor that read a capture.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenBy {
    /// What it is called, where it has a name.
    pub sensor: Option<String>,
    /// The share of packets that it lacked.
    pub lost: f64,
}

/// The rows of one family and list day.
struct Group<'r> {
    rows: &'r [(Key, Evidence)],
    /// The hosts behind each.
    hosts: &'r [Hosts],
    names: ListNames,
    standard: Option<&'r Standard>,
}

/// The names of a list.
enum ListNames {
    Built(Arc<List>),
    Made(Names),
}

impl Deref for ListNames {
    type Target = Names;

    fn deref(&self) -> &Names {
        match self {
            Self::Built(list) => list.names(),
            Self::Made(names) => names,
        }
    }
}

impl<'r> Group<'r> {
    /// Each row with its hosts.
    fn iter(&self) -> impl Iterator<Item = (&'r Key, &'r Evidence, &'r Hosts)> + use<'r> {
        self.rows.iter().zip(self.hosts).map(|((key, evidence), hosts)| (key, evidence, hosts))
    }
}

/// From when to when packets of captures are.
fn span_of(captures: &[CaptureSummary]) -> Option<(Timestamp, Timestamp)> {
    let spans = captures.iter().filter_map(|capture| capture.span);
    spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The caveats of an estimate as sentences.
fn caveats(estimate: &Estimate) -> Vec<&'static str> {
    estimate.caveats().iter().map(|caveat| caveat.text()).collect()
}

/// How many days a list is ahead of the day on which a source asked for most of it: 0 where its clock is right.
fn days_ahead(key: &Key, evidence: &Evidence) -> i32 {
    let middle = evidence.first_seen.as_nanos().midpoint(evidence.last_seen.as_nanos());
    key.list_day.number() - Timestamp::from_nanos(middle).day().number()
}

/// What the evidence of one family comes to.
#[derive(Default)]
struct FamilyTotals {
    matches: u64,
    responses: u64,
    sources: usize,
    infected: usize,
    /// Infected sources by what they are to others.
    roles: BTreeMap<Role, usize>,
    /// Infected sources by how many days the list is ahead of the day on which they asked.
    ahead: BTreeMap<i32, usize>,
    /// Different sources, of IPv6 networks of /64: all, and the infected.
    distinct: (Count, Count),
}

impl Report {
    /// Puts a report together. `days` are those of the packets, `skew` says how wrong hosts' clocks may be;
    /// `patterns` those that `ledger` has sightings of.
    pub fn new(
        catalog: &Catalog,
        captures: Vec<CaptureSummary>,
        found: Found,
        days: &BTreeSet<Day>,
        skew: u16,
        ledger: Ledger,
        patterns: Arc<Patterns>,
    ) -> Self {
        let mut lists = BTreeSet::new();
        for (id, family) in catalog.iter() {
            for day in days {
                lists.extend(family.calendar().open(*day, *day, skew).map(|list_day| (id, list_day)));
            }
        }
        Self::of_lists(catalog, captures, found, lists, ledger, patterns)
    }

    /// The same where it is known against which lists packets were held.
    pub(super) fn of_lists(
        catalog: &Catalog,
        captures: Vec<CaptureSummary>,
        found: Found,
        lists: BTreeSet<(FamilyId, Day)>,
        mut ledger: Ledger,
        patterns: Arc<Patterns>,
    ) -> Self {
        let (refused, sightings_refused) = (ledger.not_kept(), ledger.sightings_refused());
        let (names_refused, servers) = (ledger.saturation().names_refused, ledger.answering());
        let watched = Watched { span: span_of(&captures), lost: found.lost, names_refused: names_refused > 0 };
        let standards = ledger.standards();
        let live = Live::take(&mut ledger);
        let (mut sightings, rows) = (ledger.take_sightings(), ledger.into_sorted());
        // Whoever asked for a worm's indicators and for no generated name of it is nobody's business.
        let mut suspects: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
        for (key, _) in rows.iter().filter(|_| !sightings.is_empty()) {
            if let Some(worm) = catalog.family(key.family).worm() {
                suspects.entry(worm).or_default().insert(key.source);
            }
        }
        sightings.retain(|(pattern, source, _)| {
            patterns.set(*pattern).context_of.is_none_or(|worm| suspects.get(worm).is_some_and(|of| of.contains(source)))
        });
        let refs: Vec<_> = rows.iter().map(|(key, evidence)| (key, evidence)).collect();
        let census = Census::take(&refs, catalog, &watched);
        let catalog = catalog.clone();
        let (desk, timeline, built) = (Desk::default(), None, BTreeMap::new());
        Self {
            catalog,
            captures,
            found,
            lists,
            rows,
            census,
            standards,
            live,
            refused,
            names_refused,
            servers,
            learned_together: BTreeSet::new(),
            patterns,
            sightings,
            sightings_refused,
            desk,
            timeline,
            #[cfg(feature = "parquet")]
            sketches: vec![],
            built,
        }
    }

    /// Takes lists that are at hand, by family and edition: names of others are computed again.
    pub fn set_lists(&mut self, built: BTreeMap<(FamilyId, Day), Arc<List>>) {
        self.built = built;
    }

    /// Says which addresses only all sensors together take for sinkholes.
    pub(super) fn set_learned_together(&mut self, learned: BTreeSet<(FamilyId, IpAddr)>) {
        self.learned_together = learned;
    }

    /// Adds what was counted by hour, for the page and the pictures.
    pub fn set_timeline(&mut self, timeline: Option<Timeline>) {
        self.timeline = timeline;
    }

    /// Adds sketches of the sources of each hour, for Parquet.
    #[cfg(feature = "parquet")]
    pub fn set_sketches(&mut self, sketches: Vec<HourSketch>) {
        self.sketches = sketches;
    }

    /// Writes it as one HTML page that needs nothing else.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        html::write(self, out)
    }

    /// Its pictures as SVG, each with the name of its file.
    pub fn plots(&self) -> Vec<(&'static str, String)> {
        html::plots(self)
    }

    /// Sums up each of its lists as an event.
    pub fn tell(&self, events: &mut Events<'_>) {
        events.summaries(self.lists.iter().copied(), &self.rows);
    }

    /// From when to when packets are.
    #[cfg(feature = "parquet")]
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        span_of(&self.captures)
    }

    /// What was read of each capture.
    pub fn captures(&self) -> &[CaptureSummary] {
        &self.captures
    }

    /// What became of the packets.
    pub const fn found(&self) -> &Found {
        &self.found
    }

    /// Writes it.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Text { top } => text::write(self, top, out),
            Format::Json => json::write(self, out),
            Format::Csv => csv::write(self, out),
            Format::Cof => self.write_cof(out),
        }
    }

    /// The rows of each family and list day.
    fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let mut first = 0;
        self.rows.chunk_by(|(a, _), (b, _)| (a.family, a.list_day) == (b.family, b.list_day)).map(move |rows| {
            let key = rows[0].0;
            let hosts = &self.census.rows[first..first + rows.len()];
            first += rows.len();
            let names = self.names_of(key.family, key.list_day);
            Group { rows, hosts, names, standard: self.standards.get(&(key.family, key.list_day)) }
        })
    }

    /// The names of a list.
    fn names_of(&self, id: FamilyId, list_day: Day) -> ListNames {
        let family = self.catalog.family(id);
        let edition = family.edition(list_day);
        let list = self.built.get(&(id, edition)).map(Arc::clone);
        // Others are not kept: a list takes milliseconds to compute and megabytes to hold.
        list.map_or_else(|| ListNames::Made(Names::new(family, edition)), ListNames::Built)
    }

    /// The hosts of a family.
    fn hosts_of(&self, id: FamilyId) -> &Hosts {
        &self.census.families[usize::from(id)]
    }

    /// The cycle of a family, where its hosts have one and a source was there.
    fn cycle_of(&self, id: FamilyId) -> Option<&Cycle> {
        self.census.cycles[usize::from(id)].as_ref()
    }

    fn family_totals(&self, id: FamilyId) -> FamilyTotals {
        let mut totals = FamilyTotals::default();
        let (mut sources, mut infected) = (Vec::<IpAddr>::new(), vec![]);
        let (mut roles, mut ahead) = (vec![], vec![]);
        // Reports of the same packets are the same: the key is none to keep.
        let [mut seen, mut sure] = [(); 2].map(|()| Distinct::new(0, EXACT));
        let calendar = self.catalog.family(id).calendar();
        let one_list_a_day = calendar.period() == Period::Day && calendar.reach() == (0, 0);
        for (key, evidence) in self.rows.iter().filter(|(key, _)| key.family == id) {
            totals.matches += evidence.matches;
            totals.responses += evidence.responses;
            sources.push(key.source);
            seen.add(key.source);
            if Verdict::of(evidence) == Verdict::Infected {
                infected.push(key.source);
                sure.add(key.source);
                roles.push((evidence.role(), key.source));
                if one_list_a_day {
                    ahead.push((days_ahead(key, evidence), key.source));
                }
            }
        }
        // Once a source, which has a row for each list day.
        for addresses in [&mut sources, &mut infected] {
            addresses.sort_unstable();
            addresses.dedup();
        }
        (totals.sources, totals.infected) = (sources.len(), infected.len());
        roles.sort_unstable();
        roles.dedup();
        ahead.sort_unstable();
        ahead.dedup();
        roles.iter().for_each(|(role, _)| *totals.roles.entry(*role).or_default() += 1);
        ahead.iter().for_each(|(days, _)| *totals.ahead.entry(*days).or_default() += 1);
        totals.distinct = (seen.count(), sure.count());
        totals
    }
}
