//! From evidence to hosts: which method each source allows, which sources are the same hosts seen once more on the way up,
//! and what it comes to for a family.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::estimate::{Caches, Caveat, Cycle, Estimate, Refused, Sampling, floor, hazard, occupancy};
use super::{Evidence, Key, Role, Rule, Verdict, tiers};
use crate::day::{Day, Timestamp};
use crate::dga::Habit;

/// A row of the ledger.
pub(super) type Row<'a> = (&'a Key, &'a Evidence);

/// Hosts of a row, or why they are not counted.
pub type Hosts = Result<Estimate, Refused>;

/// What was watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    /// Earliest and latest packet.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Share of the packets that were lost before they were looked at.
    pub lost: f64,
    /// Whether names went unnoted because the room for them was full.
    pub names_refused: bool,
}

/// The hosts behind all sources.
#[derive(Debug)]
pub struct Census {
    /// Of each row, in their order.
    pub rows: Vec<Hosts>,
    /// Of each family, by its place in the catalog.
    pub families: Vec<Hosts>,
    /// The cycle of each family whose hosts have one, as it was used.
    pub cycles: Vec<Option<Cycle>>,
}

/// Loss that is worth a word.
const NOTABLE_LOSS: f64 = 0.01;

/// A day, in seconds.
const DAY: f64 = 86_400.0;

/// Rows of two list days of a sampling family are the same hosts when they overlap for no longer than a round, in seconds.
const LONGEST_ROUND: f64 = 8.0 * 3_600.0;

/// How far a lifetime that answers announce may be off, and one that is seen from gaps.
const LIFETIME_ERROR: f64 = 1.0;
const LEARNED_ERROR: f64 = 2.0;

impl Census {
    /// Counts the hosts behind rows that are sorted by key and judged.
    pub fn take(rows: &[Row<'_>], rules: &[Rule], watched: &Watched) -> Self {
        let mut hosts: Vec<Hosts> = Vec::with_capacity(rows.len());
        let mut families = vec![Err(Refused::NoSource); rules.len()];
        let mut cycles = vec![None; rules.len()];
        for of_family in rows.chunk_by(|(a, _), (b, _)| a.family == b.family) {
            let family = of_family[0].0.family;
            let rule = rules.get(usize::from(family)).copied().unwrap_or_default();
            let (counted, cycle) = Counting { rule: &rule, watched, by_names: RefCell::default() }.rows(of_family);
            if let (Some(total), Some(of_family_cycle)) =
                (families.get_mut(usize::from(family)), cycles.get_mut(usize::from(family)))
            {
                *total = total_of(of_family, &counted, &rule);
                *of_family_cycle = cycle;
            }
            hosts.extend(counted);
        }
        Self { rows: hosts, families, cycles }
    }
}

struct Counting<'a> {
    rule: &'a Rule,
    watched: &'a Watched,
    /// Hosts behind so many distinct names, once they were worked out: most sources have one of a few hundred numbers.
    by_names: RefCell<HashMap<u64, Estimate>>,
}

impl Counting<'_> {
    fn rows(&self, rows: &[Row<'_>]) -> (Vec<Hosts>, Option<Cycle>) {
        let infected: Vec<bool> = rows.iter().map(|(_, evidence)| Verdict::of(evidence) == Verdict::Infected).collect();
        let times: Vec<Vec<Vec<f64>>> = rows
            .iter()
            .zip(&infected)
            .map(|((key, evidence), infected)| match &evidence.trace {
                Some(trace) if *infected && self.rule.step > 0 => trace.times(key.list_day),
                _ => vec![],
            })
            .collect();
        let cycle = self.cycle(&times);
        let upstream = tiers::upstream(rows, &infected, &times);
        let place = |place: usize| {
            let (key, evidence) = rows[place];
            match () {
                () if evidence.is_reader() => Err(Refused::Reader),
                () if !infected[place] => Err(Refused::NotInfected),
                () if upstream[place] => Err(Refused::Upstream),
                () => self.row(key, evidence, &times[place], cycle.as_ref()),
            }
        };
        ((0..rows.len()).map(place).collect(), cycle)
    }

    fn row(&self, key: &Key, evidence: &Evidence, times: &[Vec<f64>], cycle: Option<&Cycle>) -> Hosts {
        let estimate = match self.rule.habit {
            None => return Err(Refused::UnknownBehaviour),
            Some(Habit::Sample { names, .. }) => {
                if self.watched.names_refused {
                    return Err(Refused::NotKept);
                }
                let seen = 1.0 - self.watched.lost.clamp(0.0, 0.99);
                let sampling = Sampling { list: self.rule.list.into(), drawn: names.into(), seen };
                let distinct = evidence.distinct_names();
                self.by_names.borrow_mut().entry(distinct).or_insert_with(|| occupancy(distinct, &sampling)).clone()
            }
            Some(Habit::All { .. }) => {
                let Some(trace) = evidence.trace.as_ref().filter(|trace| trace.lost == 0) else {
                    return Err(Refused::NotKept);
                };
                let cycle = cycle.expect("a family whose hosts ask for all names has a cycle");
                self.cyclic(key, evidence, trace.lifetimes(), times, cycle)?
            }
        };
        Ok(if self.watched.lost > NOTABLE_LOSS { estimate.with(Caveat::CaptureLoss) } else { estimate })
    }

    /// Hosts that ask for all names each cycle.
    fn cyclic(&self, key: &Key, evidence: &Evidence, announced: &[u16], times: &[Vec<f64>], cycle: &Cycle) -> Hosts {
        let (start, span) = self.span(key.list_day, evidence);
        // Names that nobody asked for count too.
        let names = self.rule.list.div_ceil(self.rule.step) as usize;
        let mut relative: Vec<Vec<f64>> =
            times.iter().map(|times| times.iter().map(|time| (time - start).clamp(0.0, span)).collect()).collect();
        relative.resize(names.max(relative.len()), vec![]);
        if matches!(evidence.role(), Role::Client | Role::Unknown) {
            return Ok(floor(&relative, span, cycle));
        }
        if let Some(lifetime) = usual_lifetime(announced) {
            // Names of other zones are kept for another time: those of one are enough.
            let same = |place: usize| announced.get(place).is_some_and(|other| usual(*other, lifetime));
            let mut place = 0..;
            relative.retain(|_| place.next().is_some_and(same));
            let caches = Caches { lifetime: lifetime.into(), error: LIFETIME_ERROR };
            return Ok(hazard(&relative, span, cycle, &caches)?.at_least(1.0));
        }
        let lifetime = edge(&relative).ok_or(Refused::UnknownLifetime)?;
        let caches = Caches { lifetime, error: LEARNED_ERROR };
        Ok(hazard(&relative, span, cycle, &caches)?.at_least(1.0).with(Caveat::LearnedLifetime))
    }

    /// From when on, and for how many seconds, hosts could have asked for the names of a list day and been seen.
    fn span(&self, list_day: Day, evidence: &Evidence) -> (f64, f64) {
        let seconds = |time: Timestamp| time.as_nanos() as f64 / 1e9;
        let (first, last) = (seconds(evidence.first_seen), seconds(evidence.last_seen));
        // Wrong clocks shift the day in which a list is asked for by whole days.
        let middle = f64::midpoint(first, last);
        let midnight = f64::from(list_day.number()) * DAY;
        let midnight = midnight + ((middle - midnight) / DAY).floor() * DAY;
        let (from, to) = self.watched.span.map_or((first, last), |(from, to)| (seconds(from), seconds(to)));
        let (start, end) = (from.max(midnight).min(first), to.min(midnight + DAY).max(last));
        (start, (end - start).max(1.0))
    }

    /// The cycle, as sources show it behind which there is one host, else as it is known of the family.
    fn cycle(&self, times: &[Vec<Vec<f64>>]) -> Option<Cycle> {
        let Some(Habit::All { cycle, range, round }) = self.rule.habit else { return None };
        let mut gaps: Vec<f64> = times.iter().filter_map(|times| regular_gaps(times, round)).flatten().collect();
        if gaps.len() < ENOUGH_GAPS {
            let once = range.0 - round - 120.0;
            return Some(Cycle { length: cycle, range, once, learned: false });
        }
        gaps.sort_unstable_by(f64::total_cmp);
        let (length, shortest) = (gaps[gaps.len() / 2], gaps[0]);
        // Other hosts may be a little off the ones that were seen.
        Some(Cycle { length, range: (0.99 * length, 1.01 * length), once: shortest - 60.0, learned: true })
    }
}

/// The shortest lifetime that enough names share, if any.
fn usual_lifetime(announced: &[u16]) -> Option<u16> {
    let mut known: Vec<u16> = announced.iter().copied().filter(|lifetime| *lifetime > 0).collect();
    known.sort_unstable();
    let share = |lifetime: u16| known.iter().filter(|other| usual(**other, lifetime)).count();
    known.iter().copied().find(|lifetime| share(*lifetime) >= ENOUGH_NAMES.min(known.len()))
}

/// Whether a lifetime is another, but for the seconds that pass on the way.
fn usual(lifetime: u16, other: u16) -> bool {
    lifetime > 0 && lifetime.abs_diff(other) <= 2
}

/// Names of one zone that are enough.
const ENOUGH_NAMES: usize = 6;

/// Gaps between lookups of one name that tell the length of a cycle.
const ENOUGH_GAPS: usize = 20;

/// The gaps between lookups of the same name, where they are all of one length as a host alone makes them: within two
/// rounds or a twentieth, nine of ten.
fn regular_gaps(times: &[Vec<f64>], round: f64) -> Option<Vec<f64>> {
    let mut gaps: Vec<f64> = times.iter().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0])).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let median = *gaps.get(gaps.len() / 2)?;
    let near = |gap: &f64| (gap - median).abs() <= f64::max(2.0 * round, 0.05 * median);
    let regular = gaps.iter().filter(|gap| near(gap)).count();
    // Shorter ones would be of another host; longer ones are rounds that were missed.
    let alone = median > 10.0 * round && 10 * regular >= 9 * gaps.len() && near(&gaps[0]);
    gaps.retain(near);
    alone.then_some(gaps)
}

/// The time for which a cache keeps names, where many lookups come as soon as it lets go: the shortest gaps, if two of a
/// hundred gaps are hardly longer.
fn edge(times: &[Vec<f64>]) -> Option<f64> {
    let mut gaps: Vec<f64> = times.iter().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0])).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let shortest = *gaps.get(gaps.len() / 1_000)?;
    let close = gaps.iter().filter(|gap| **gap <= shortest + 10.0).count();
    (gaps.len() >= 200 && shortest >= 30.0 && 50 * close >= gaps.len()).then_some(shortest)
}

/// All sources of a family added up, each once.
fn total_of(rows: &[Row<'_>], hosts: &[Hosts], rule: &Rule) -> Hosts {
    let margin = match rule.habit {
        Some(Habit::All { cycle, .. }) => cycle,
        _ => LONGEST_ROUND,
    };
    let mut sources: BTreeMap<IpAddr, Vec<(&Evidence, &Estimate)>> = BTreeMap::new();
    let mut reasons: HashMap<Refused, usize> = HashMap::new();
    for ((key, evidence), hosts) in rows.iter().zip(hosts) {
        match hosts {
            Ok(estimate) => sources.entry(key.source).or_default().push((evidence, estimate)),
            Err(Refused::NotInfected | Refused::Reader | Refused::Upstream) => {}
            Err(why) => *reasons.entry(*why).or_default() += 1,
        }
    }
    let parts: Vec<Estimate> = sources.into_values().filter_map(|of_source| busiest(&of_source, margin)).collect();
    let Some(total) = Estimate::total(&parts) else {
        let most = reasons.into_iter().max_by_key(|(why, count)| (*count, *why));
        return Err(most.map_or(Refused::NoSource, |(why, _)| why));
    };
    Ok(if reasons.is_empty() { total } else { total.with(Caveat::RefusedLeftOut) })
}

/// The hosts of one source at the time when they are most. Rows of different list days that overlap are hosts with
/// different clocks; rows that follow each other are the same hosts on the next day.
fn busiest(rows: &[(&Evidence, &Estimate)], margin: f64) -> Option<Estimate> {
    let overlap = |a: &Evidence, b: &Evidence| {
        let (from, to) = (a.first_seen.max(b.first_seen), a.last_seen.min(b.last_seen));
        to.as_nanos().saturating_sub(from.as_nanos()) as f64 / 1e9
    };
    let at_once = rows.iter().enumerate().filter_map(|(place, (row, estimate))| {
        let others = rows.iter().enumerate().filter(|(other, (with, _))| *other != place && overlap(row, with) > margin);
        Estimate::total(std::iter::once(*estimate).chain(others.map(|(_, (_, estimate))| *estimate)))
    });
    at_once.max_by_key(Estimate::figures)
}
