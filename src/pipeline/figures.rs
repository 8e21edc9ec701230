//! What the sensor counts when it looks through all evidence: sources by verdict, and the hosts behind them.

use std::collections::HashMap;
use std::net::IpAddr;

use super::live_state::{LiveState, lost};
use crate::day::Timestamp;
use crate::dga::{Family, FamilyId, Habit};
use crate::export::snapshot::{RecentSources, WindowCounts};
use crate::ledger::estimate::{Refused, churn, live};
use crate::ledger::{Census, Count, Ledger, Recent, Verdict, Watched};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// The windows through whose counts the line is laid that is read at one cycle.
const LINE: [u64; 4] = [4 * HOUR, 6 * HOUR, 12 * HOUR, DAY];

/// How far the line may be too high: 7 % low to 1 % high in simulations of hosts that keep or change their addresses.
const LINE_ERROR: f64 = 0.1;

/// Low, best and high of a family's hosts, and infected sources that they leave out, by reason.
type HostCounts = (Option<(u64, u64, Option<u64>)>, Vec<(&'static str, u64)>);

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

/// Of each family of the catalog; nothing before the first look.
#[derive(Default)]
pub(super) struct Figures {
    /// Suspect and infected sources.
    pub(super) sources: Vec<(u64, u64)>,
    /// Hosts, and sources left out by reason; nothing while there are too many to look through.
    pub(super) hosts: Vec<HostCounts>,
    /// Different sources lately.
    pub(super) recent: Vec<RecentSources>,
}

impl Figures {
    pub(super) fn of(state: &LiveState<'_, '_>, sources: &Sources) -> Self {
        let recent = state.plan.catalog().iter().map(|(id, family)| count_recent(id, family, state.ledger().recent()));
        let families = state.plan.catalog.iter().len();
        Self { sources: count_sources(families, sources), hosts: count_hosts(state), recent: recent.collect() }
    }
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
