//! From evidence to hosts: which method each source allows, which sources are the same hosts seen once more on the way up,
//! and what it comes to for a family.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::estimate::{
    Caches, Caveat, Cycle, Estimate, Refused, Sampling, cycle, floor, hazard, hosts_of_rounds, missing, occupancy,
    without_repeats,
};
use super::suffixes::{Complete, Suffixes};
use super::trace::Trace;
use super::{Evidence, Key, Role, Rule, Verdict, tiers};
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId, Habit};

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
    /// Rounds that hosts began, in whole and in part, at each list of a family whose hosts sample it.
    pub rounds: BTreeMap<(FamilyId, Day), Estimate>,
}

/// Names that may be missing of a list because they are on it twice.
const NEARLY_ALL: u64 = 64;

/// Loss that is worth a word.
const NOTABLE_LOSS: f64 = 0.01;

/// Names that are missing from rounds, beyond what the ends of a capture cut off.
const NOTABLE_GAPS: f64 = 0.02;

/// A day, in seconds.
const DAY: f64 = 86_400.0;

/// How far a lifetime that answers announce may be off, and one that is seen from gaps.
const LIFETIME_ERROR: f64 = 1.0;
const LEARNED_ERROR: f64 = 2.0;

impl Census {
    /// Counts the hosts behind rows that are sorted by key and judged.
    pub fn take(rows: &[Row<'_>], catalog: &Catalog, watched: &Watched) -> Self {
        let rules = Rule::of_all(catalog);
        let mut hosts: Vec<Hosts> = Vec::with_capacity(rows.len());
        let mut families = vec![Err(Refused::NoSource); rules.len()];
        let mut cycles = vec![None; rules.len()];
        let mut rounds = BTreeMap::new();
        for of_family in rows.chunk_by(|(a, _), (b, _)| a.family == b.family) {
            let family = of_family[0].0.family;
            let rule = rules.get(usize::from(family)).copied().unwrap_or_default();
            let (counted, cycle) = Counting { rule: &rule, watched, catalog, by_names: RefCell::default() }.rows(of_family);
            if let (Some(total), Some(of_family_cycle)) =
                (families.get_mut(usize::from(family)), cycles.get_mut(usize::from(family)))
            {
                *total = total_of(of_family, &counted, &rule, watched);
                *of_family_cycle = cycle;
            }
            if matches!(rule.habit, Some(Habit::Sample { .. })) {
                rounds.extend(rounds_of(of_family, &counted).into_iter().map(|(list_day, rounds)| ((family, list_day), rounds)));
            }
            hosts.extend(counted);
        }
        Self { rows: hosts, families, cycles, rounds }
    }
}

struct Counting<'a> {
    rule: &'a Rule,
    watched: &'a Watched,
    /// Hosts behind so many names of so many, a share of which was seen, once they were worked out: most sources have one of a
    /// few hundred numbers.
    by_names: RefCell<HashMap<(u64, u64, u64), Estimate>>,
    catalog: &'a Catalog,
}

/// The suffixes of lists, as far as they were looked at.
type KnownSuffixes = BTreeMap<Day, Option<Suffixes>>;

impl Counting<'_> {
    fn rows(&self, rows: &[Row<'_>]) -> (Vec<Hosts>, Option<Cycle>) {
        let infected: Vec<bool> = rows.iter().map(|(_, evidence)| Verdict::of(evidence) == Verdict::Infected).collect();
        let mut times: Vec<Vec<Vec<f64>>> = rows
            .iter()
            .zip(&infected)
            .map(|((key, evidence), infected)| match &evidence.trace {
                Some(trace) if *infected && self.rule.step > 0 => trace.times(key.list_day),
                _ => vec![],
            })
            .collect();
        times.iter_mut().for_each(|times| without_repeats(times));
        let (cycle, missing) = self.rounds(rows, &times);
        let upstream = tiers::upstream(rows, &infected, &times);
        let mut suffixes = KnownSuffixes::new();
        let place = |place: usize| {
            let (key, evidence) = rows[place];
            match () {
                () if evidence.is_reader() => Err(Refused::Reader),
                () if !infected[place] => Err(Refused::NotInfected),
                () if upstream[place] => Err(Refused::Upstream),
                () => self.row((key, evidence), &times[place], (cycle.as_ref(), missing), &mut suffixes),
            }
        };
        ((0..rows.len()).map(place).collect(), cycle)
    }

    fn row(
        &self,
        row: Row<'_>,
        times: &[Vec<f64>],
        (cycle, missing): (Option<&Cycle>, f64),
        suffixes: &mut KnownSuffixes,
    ) -> Hosts {
        let (key, evidence) = row;
        let estimate = match self.rule.habit {
            None => return Err(Refused::UnknownBehaviour),
            Some(Habit::Sample { names, .. }) => {
                if self.watched.names_refused {
                    return Err(Refused::NotKept);
                }
                self.sampled(row, names, suffixes)?
            }
            Some(Habit::All { .. }) => {
                let Some(trace) = evidence.trace.as_ref().filter(|trace| trace.lost == 0) else {
                    return Err(Refused::NotKept);
                };
                let cycle = cycle.expect("a family whose hosts ask for all names has a cycle");
                self.cyclic(key, evidence, trace, times, (cycle, missing))?
            }
        };
        Ok(if self.watched.lost > NOTABLE_LOSS { estimate.with(Caveat::CaptureLoss) } else { estimate })
    }

    /// The share of packets that is seen.
    fn seen(&self) -> f64 {
        1.0 - self.watched.lost.clamp(0.0, 0.99)
    }

    /// Hosts that draw so many names of the list.
    fn sampled(&self, (key, evidence): Row<'_>, names: u32, known: &mut KnownSuffixes) -> Hosts {
        let list = u64::from(self.rule.list);
        let above_cache = matches!(evidence.role(), Role::Forwarder | Role::Resolver);
        let mut complete = Complete { seen: evidence.distinct_names(), names: list };
        // Some names are twice on the list: nearly all that were seen may be all.
        if above_cache || list.saturating_sub(complete.seen) < NEARLY_ALL {
            let family = self.catalog.family(key.family);
            if let Some(suffixes) = known.entry(key.list_day).or_insert_with(|| Suffixes::of(family, key.list_day)) {
                complete.names = suffixes.distinct();
                if above_cache {
                    complete = suffixes.complete(evidence.names()).ok_or(Refused::AggressiveNsec)?;
                }
            }
        }
        // Suffixes that are signed all alike lack names alike.
        let maybe_gaps = above_cache && evidence.trace.as_ref().is_some_and(|trace| trace.is_told_gaps());
        let whole = complete.seen == evidence.distinct_names();
        let hosts = |seen: f64| {
            let sampling = Sampling { list, drawn: names.into(), seen, among: complete.names };
            let mut known = self.by_names.borrow_mut();
            let counted = known.entry((complete.seen, complete.names, seen.to_bits()));
            counted.or_insert_with(|| occupancy(complete.seen, &sampling)).clone()
        };
        let (lost, both_ways) =
            (1.0 - self.seen(), evidence.matches.min(evidence.responses) * 2 >= evidence.matches.max(evidence.responses));
        // A lookup is missed where query and response are; if packets are lost in a row, as often as one of them.
        let estimate = if both_ways { hosts(1.0 - lost * lost).with_bounds_of(&hosts(1.0 - lost)) } else { hosts(1.0 - lost) };
        let estimate = if whole { estimate } else { estimate.with(Caveat::SignedGaps) };
        Ok(if maybe_gaps { estimate.without_bound().with(Caveat::MaybeGaps) } else { estimate })
    }

    /// Hosts that ask for all names each cycle.
    fn cyclic(
        &self,
        key: &Key,
        evidence: &Evidence,
        trace: &Trace,
        times: &[Vec<f64>],
        (cycle, missing): (&Cycle, f64),
    ) -> Hosts {
        let (start, span) = self.span(key.list_day, evidence);
        // Names that nobody asked for count too.
        let names = self.rule.list.div_ceil(self.rule.step) as usize;
        let mut relative: Vec<Vec<f64>> =
            times.iter().map(|times| times.iter().map(|time| (time - start).clamp(0.0, span)).collect()).collect();
        relative.resize(names.max(relative.len()), vec![]);
        if matches!(evidence.role(), Role::Client | Role::Unknown) {
            let estimate = floor(&relative, span, cycle, self.seen().min(1.0 - missing));
            return Ok(if missing > 0.0 { estimate.with(Caveat::CaptureLoss) } else { estimate });
        }
        // Names that others of their zone may hide say less than those that only caches do.
        let in_gap = |name: usize| trace.is_in_gap(name);
        let unsigned = (0..relative.len()).filter(|name| !in_gap(*name)).count();
        let (left_out, maybe_gaps) = (unsigned >= ENOUGH_NAMES && unsigned < relative.len(), unsigned < ENOUGH_NAMES);
        let told = |estimate: Estimate| match () {
            () if maybe_gaps => estimate.without_bound().with(Caveat::MaybeGaps),
            () if left_out => estimate.with(Caveat::SignedGaps),
            () => estimate,
        };
        let mut announced: Vec<u16> = trace.lifetimes().to_vec();
        announced.resize(relative.len(), 0);
        if left_out {
            let mut name = 0..;
            relative.retain(|_| name.next().is_some_and(|name| !in_gap(name)));
            let mut name = 0..;
            announced.retain(|_| name.next().is_some_and(|name| !in_gap(name)));
        }
        if let Some(lifetime) = usual_lifetime(&announced) {
            // Names of other zones are kept for another time: those of one are enough.
            let same = |place: usize| announced.get(place).is_some_and(|other| usual(*other, lifetime));
            let mut place = 0..;
            relative.retain(|_| place.next().is_some_and(same));
            let caches = Caches { lifetime: lifetime.into(), error: LIFETIME_ERROR, seen: self.seen() };
            return Ok(told(hazard(&relative, span, cycle, &caches)?.at_least(1.0)));
        }
        let lifetime = edge(&relative).ok_or(Refused::UnknownLifetime)?;
        let caches = Caches { lifetime, error: LEARNED_ERROR, seen: self.seen() };
        Ok(told(hazard(&relative, span, cycle, &caches)?.at_least(1.0).with(Caveat::LearnedLifetime)))
    }

    /// From when on, and for how many seconds, hosts could have asked for the names of a list day and been seen.
    fn span(&self, list_day: Day, evidence: &Evidence) -> (f64, f64) {
        let (first, last) = (as_seconds(evidence.first_seen), as_seconds(evidence.last_seen));
        // Wrong clocks shift the day in which a list is asked for by whole days.
        let middle = f64::midpoint(first, last);
        let midnight = f64::from(list_day.number()) * DAY;
        let midnight = midnight + ((middle - midnight) / DAY).floor() * DAY;
        let (from, to) = self.watched.span.map_or((first, last), |(from, to)| (as_seconds(from), as_seconds(to)));
        let (start, end) = (from.max(midnight).min(first), to.min(midnight + DAY).max(last));
        (start, (end - start).max(1.0))
    }

    /// The cycle as sources show it, else as it is known of the family; and which share of lookups is missing.
    fn rounds(&self, rows: &[Row<'_>], times: &[Vec<Vec<f64>>]) -> (Option<Cycle>, f64) {
        let Some(Habit::All { cycle: known, range, round }) = self.rule.habit else { return (None, 0.0) };
        let asking = || rows.iter().zip(times).filter(|(_, times)| !times.is_empty());
        let is_client = |evidence: &Evidence| matches!(evidence.role(), Role::Client | Role::Unknown);
        let clients: Vec<&[Vec<f64>]> =
            asking().filter(|((_, evidence), _)| is_client(evidence)).map(|(_, times)| times.as_slice()).collect();
        // A cache that is asked often keeps time of its own.
        let (first, last) = asking().fold((f64::INFINITY, 0.0_f64), |(first, last), ((_, evidence), _)| {
            (first.min(as_seconds(evidence.first_seen)), last.max(as_seconds(evidence.last_seen)))
        });
        let span = (last - first).clamp(1.0, DAY);
        let rarely = |(key, evidence): &Row<'_>, times: &[Vec<f64>]| {
            let announced = evidence.trace.as_ref().and_then(|trace| usual_lifetime(trace.lifetimes()));
            let lookups = times.iter().map(Vec::len).sum::<usize>() as f64 / times.len() as f64;
            let (_, span) = self.span(key.list_day, evidence);
            announced.is_some_and(|lifetime| 4.0 * lookups * f64::from(lifetime) < span)
        };
        let clear = asking().filter(|((key, evidence), times)| is_client(evidence) || rarely(&(key, evidence), times));
        let clear: Vec<&[Vec<f64>]> = clear.map(|(_, times)| times.as_slice()).collect();
        let missing = missing(&clients);
        let known = Cycle { length: known, range, once: range.0 - round - 120.0, learned: false };
        let learned = cycle(&clear, span, known.length).map(|length| {
            // Other hosts may be a little off the ones that were seen.
            let range = (0.99 * length, 1.01 * length);
            Cycle { length, range, once: range.0 - round - 60.0, learned: true }
        });
        (Some(learned.unwrap_or(known)), if missing > NOTABLE_GAPS { missing } else { 0.0 })
    }
}

fn as_seconds(time: Timestamp) -> f64 {
    time.as_nanos() as f64 / 1e9
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
fn total_of(rows: &[Row<'_>], hosts: &[Hosts], rule: &Rule, watched: &Watched) -> Hosts {
    let mut sources: Vec<(IpAddr, (&Evidence, &Estimate))> = Vec::with_capacity(rows.len());
    let mut reasons: HashMap<Refused, usize> = HashMap::new();
    for ((key, evidence), hosts) in rows.iter().zip(hosts) {
        match hosts {
            Ok(estimate) => sources.push((key.source, (evidence, estimate))),
            Err(Refused::NotInfected | Refused::Reader | Refused::Upstream) => {}
            Err(why) => *reasons.entry(*why).or_default() += 1,
        }
    }
    // Rows of a source stay in the order of their list days.
    sources.sort_by_key(|(source, _)| *source);
    let total = if let Some(Habit::All { cycle, .. }) = rule.habit {
        let of_source = sources.chunk_by(|(a, _), (b, _)| a == b);
        let parts: Vec<Estimate> = of_source.filter_map(|of_source| busiest(of_source, cycle)).collect();
        Estimate::total(&parts)
    } else {
        let rounds = Estimate::total(sources.iter().map(|(_, (_, rounds))| *rounds));
        let span = watched.span.map_or(DAY, |(from, to)| to.as_nanos().saturating_sub(from.as_nanos()) as f64 / 1e9);
        rounds.map(|rounds| hosts_of_rounds(rounds, span))
    };
    let Some(total) = total else {
        let most = reasons.into_iter().max_by_key(|(why, count)| (*count, *why));
        return Err(most.map_or(Refused::NoSource, |(why, _)| why));
    };
    Ok(if reasons.is_empty() { total } else { total.with(Caveat::RefusedLeftOut) })
}

/// Rounds at each list, of all sources whose hosts are counted there.
fn rounds_of(rows: &[Row<'_>], hosts: &[Hosts]) -> Vec<(Day, Estimate)> {
    let mut of_day: BTreeMap<Day, Vec<&Estimate>> = BTreeMap::new();
    for ((key, _), hosts) in rows.iter().zip(hosts) {
        if let Ok(rounds) = hosts {
            of_day.entry(key.list_day).or_default().push(rounds);
        }
    }
    let total = |rounds: Vec<&Estimate>| Estimate::total(rounds).map(Estimate::as_rounds);
    of_day.into_iter().filter_map(|(day, rounds)| Some((day, total(rounds)?))).collect()
}

/// The hosts of one source at the time when they are most. Rows of different list days that overlap are hosts with
/// different clocks; rows that follow each other are the same hosts on the next day.
fn busiest(rows: &[(IpAddr, (&Evidence, &Estimate))], margin: f64) -> Option<Estimate> {
    let overlap = |a: &Evidence, b: &Evidence| {
        let (from, to) = (a.first_seen.max(b.first_seen), a.last_seen.min(b.last_seen));
        to.as_nanos().saturating_sub(from.as_nanos()) as f64 / 1e9
    };
    let at_once = rows.iter().enumerate().filter_map(|(place, (_, (row, estimate)))| {
        let others = rows.iter().enumerate().filter(|(other, (_, (with, _)))| *other != place && overlap(row, with) > margin);
        Estimate::total(std::iter::once(*estimate).chain(others.map(|(_, (_, (_, estimate)))| *estimate)))
    });
    at_once.max_by_key(Estimate::figures)
}
