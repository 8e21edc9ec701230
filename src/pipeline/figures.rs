//! What the sensor counts when it looks through all evidence: sources by verdict, and the hosts behind them.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::live_state::{LiveState, lost};
use crate::day::Timestamp;
use crate::dga::{Family, FamilyId, Habit};
use crate::export::snapshot::{LiveName, RecentSources, WindowCounts};
use crate::ledger::estimate::{Refused, churn, live};
use crate::ledger::{Census, Count, Key, Ledger, Recent, Verdict, Watched};
use crate::watchlist::Lists;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// The windows through whose counts the line is laid that is read at one cycle.
const LINE: [u64; 4] = [4 * HOUR, 6 * HOUR, 12 * HOUR, DAY];

/// How far the line may be too high: 7 % low to 1 % high in simulations of hosts that keep or change their addresses.
const LINE_ERROR: f64 = 0.1;

/// Low, best and high of a family's hosts, and infected sources that they leave out, by reason.
type HostCounts = (Option<(u64, u64, Option<u64>)>, Vec<(&'static str, u64)>);

/// Names that lead somewhere, and sources of each, that a snapshot holds.
const NAMES_SHOWN: usize = 100;
const SOURCES_SHOWN: usize = 20;

/// Infected sources behind which hosts are counted while packets wait; of more the report at the end speaks.
const MOST_COUNTED: usize = 20_000;

/// Sources by family: their weightiest verdict on any list day, and when they were last heard of.
pub(super) type Sources = HashMap<(FamilyId, IpAddr), (Verdict, Timestamp)>;

/// Looks through all evidence.
pub(super) fn sources(ledger: &Ledger) -> Sources {
    let mut sources = Sources::new();
    for (key, evidence) in ledger.rows() {
        let (verdict, heard) = (Verdict::of(evidence), evidence.last_seen);
        let source = sources.entry((key.family, key.source)).or_insert((verdict, heard));
        *source = (source.0.max(verdict), source.1.max(heard));
    }
    sources
}

/// Names of a family that lead to somebody who is not known.
#[derive(Clone, Copy, Default)]
pub(super) struct Live {
    /// How many.
    pub(super) rendezvous: u64,
    /// Those of which no answer has a query that was seen.
    pub(super) unsolicited: u64,
    /// Infected sources that were told of one.
    pub(super) exposed: u64,
}

/// Of each family of the catalog; nothing before the first look.
#[derive(Default)]
pub(super) struct Figures {
    /// Suspect and infected sources.
    pub(super) sources: Vec<(u64, u64)>,
    /// Hosts, and sources left out by reason; nothing while there are too many to look through.
    pub(super) hosts: Vec<HostCounts>,
    /// Different sources lately.
    pub(super) recent: Vec<RecentSources>,
    /// Names that lead to somebody who is not known.
    pub(super) live: Vec<Live>,
    /// The names themselves, the first of them.
    pub(super) names: Vec<LiveName>,
}

impl Figures {
    pub(super) fn of(state: &LiveState<'_, '_>, sources: &Sources) -> Self {
        let recent = state.plan.catalog().iter().map(|(id, family)| count_recent(id, family, state.ledger().recent()));
        let families = state.plan.catalog.iter().len();
        let (live, names) = live_names(state);
        Self { sources: count_sources(families, sources), hosts: count_hosts(state), recent: recent.collect(), live, names }
    }
}

/// How many names of each family lead to somebody who is not known, how many infected sources were told so, and the names
/// that most of them were told of.
fn live_names(state: &LiveState<'_, '_>) -> (Vec<Live>, Vec<LiveName>) {
    // Lists that are open are built: nothing else was matched.
    let (ledger, catalog, lists) = (state.ledger(), &state.plan.catalog, &state.plan.shelf);
    let mut exposed: Vec<HashSet<IpAddr>> = vec![HashSet::new(); catalog.iter().len()];
    let mut counts = vec![Live::default(); exposed.len()];
    let mut names = vec![];
    for (name, rendezvous) in ledger.live_names().filter(|(name, _)| name.is_alarming()) {
        let (family, list_day) = (name.family, name.list_day);
        let is_infected = |source: &IpAddr| {
            let evidence = ledger.evidence(&Key { family, list_day, source: *source });
            evidence.is_some_and(|evidence| Verdict::of(evidence) == Verdict::Infected)
        };
        let infected: Vec<IpAddr> = rendezvous.exposed().map(|(source, _)| source).filter(is_infected).collect();
        counts[usize::from(family)].rendezvous += 1;
        counts[usize::from(family)].unsolicited += u64::from(rendezvous.is_unsolicited());
        exposed[usize::from(family)].extend(&infected);
        names.push((infected, name, rendezvous));
    }
    counts.iter_mut().zip(exposed).for_each(|(counts, exposed)| counts.exposed = exposed.len() as u64);
    names.sort_by_key(|(infected, _, rendezvous)| (Reverse(infected.len()), Reverse(rendezvous.exposed().len())));
    names.truncate(NAMES_SHOWN);
    let shown = names.into_iter().map(|(mut infected, name, rendezvous)| {
        let infected_count = infected.len() as u64;
        infected.truncate(SOURCES_SHOWN);
        let family = catalog.family(name.family);
        LiveName {
            family: family.id().to_owned(),
            list_day: name.list_day,
            name: lists.get(name.family, family.edition(name.list_day)).names().name(name.index).to_string(),
            addresses: rendezvous.addresses().to_vec(),
            ttl: rendezvous.lifetime,
            name_servers: rendezvous.servers().to_vec(),
            first_seen: rendezvous.first_seen,
            last_seen: rendezvous.last_seen,
            answers: rendezvous.answers,
            unsolicited: rendezvous.unsolicited,
            asked: name.asked,
            exposed: rendezvous.exposed().len() as u64,
            infected,
            infected_count,
        }
    });
    (counts, shown.collect())
}

/// Suspect and infected sources of so many families, each once.
fn count_sources(families: usize, sources: &Sources) -> Vec<(u64, u64)> {
    let mut counts = vec![(0, 0); families];
    for ((family, _), (verdict, _)) in sources {
        let (suspect, infected) = &mut counts[usize::from(*family)];
        *(if *verdict == Verdict::Infected { infected } else { suspect }) += 1;
    }
    counts
}

/// The hosts behind infected sources.
fn count_hosts(state: &LiveState<'_, '_>) -> Vec<HostCounts> {
    let ledger = state.ledger();
    let infected = ledger.rows().filter(|(_, evidence)| Verdict::of(evidence) == Verdict::Infected);
    let mut rows: Vec<_> = infected.take(MOST_COUNTED + 1).collect();
    if rows.len() > MOST_COUNTED {
        return vec![];
    }
    rows.sort_unstable_by_key(|(key, _)| **key);
    let span = rows.iter().map(|(_, evidence)| (evidence.first_seen, evidence.last_seen));
    let span = span.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let watched = Watched { span, lost: lost(&state.interfaces), names_refused: ledger.saturation().names_refused > 0 };
    let census = Census::take(&rows, &state.plan.catalog, &watched);
    let none = Refused::ALL.map(|why| (why.label(), 0)).to_vec();
    let counted = census.families.into_iter().map(|hosts| (hosts.ok().map(|hosts| hosts.figures()), none.clone()));
    let mut counted: Vec<HostCounts> = counted.collect();
    for ((key, _), hosts) in rows.iter().zip(census.rows) {
        if let Some(place) = Refused::ALL.iter().position(|why| hosts == Err(*why)) {
            counted[usize::from(key.family)].1[place].1 += 1;
        }
    }
    counted
}

/// Different sources of a family in windows that end now, and what these say of addresses that change.
fn count_recent(id: FamilyId, family: &dyn Family, recent: &Recent) -> RecentSources {
    let cycle = match family.habit() {
        Some(Habit::All { cycle, .. }) => Some(cycle),
        _ => None,
    };
    let bounds = |count: Count| [count.low.floor(), count.best.round(), count.high.ceil()].map(|bound| bound as u64);
    let window = |(window, seconds)| {
        let within = recent.within(id, seconds);
        WindowCounts { window, seen: bounds(within.seen), infected: bounds(within.infected) }
    };
    let of_cycle = cycle.map(|cycle| ("cycle", cycle.ceil() as u64));
    let windows = [("1h", HOUR)].into_iter().chain(of_cycle).chain([("24h", DAY), ("7d", WEEK)]).map(window).collect();
    let infected = |seconds| recent.within(id, seconds).infected.best;
    let at_once = cycle.filter(|_| recent.watched() >= DAY).and_then(|cycle| {
        let line = live(&LINE.map(|window| (window as f64, infected(window))), cycle)?;
        let most = infected(DAY);
        Some(((line * (1.0 - LINE_ERROR)).clamp(0.0, most).round() as u64, most.ceil() as u64))
    });
    let growth = if recent.watched() >= WEEK { churn(infected(WEEK), infected(DAY)) } else { None };
    RecentSources { windows, at_once, growth }
}
