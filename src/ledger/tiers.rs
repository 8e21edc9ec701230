//! The same infection seen at several places on its way up: stub, forwarder, resolver. Counted where it is nearest to the
//! host.

use std::collections::{BTreeSet, HashMap};

use roaring::RoaringBitmap;

use super::census::Row;
use super::trace::PAUSE;
use super::{Evidence, Role};

/// What a resolver asks for its clients it asks within so many seconds.
const FOLLOWS: f64 = 3.0;

/// Of two hosts whose rounds fall together by chance each asks within that time after the other for one name in 25: it is
/// that long in 180 s of a round, on either side.
const FOLLOWS_AT_ALL: f64 = 0.08;

/// Rounds of one host start at the same time wherever they are seen, to so many seconds. Those of two hosts may, and then do
/// so again and again.
const SAME_START: f64 = 15.0;
const SAME_ROUNDS: usize = 3;

/// Which of the infected rows of one family, sorted by list day, are counted elsewhere. `times` are the lookups of each
/// watched name, where they are kept.
pub(super) fn upstream(rows: &[Row<'_>], infected: &[bool], times: &[Vec<Vec<f64>>]) -> Vec<bool> {
    let mut upstream = vec![false; rows.len()];
    let mut first = 0;
    for of_day in rows.chunk_by(|(a, _), (b, _)| a.list_day == b.list_day) {
        let places: Vec<usize> = (first..first + of_day.len()).filter(|place| infected[*place]).collect();
        first += of_day.len();
        if places.len() > 1 {
            by_names(rows, &places, times, &mut upstream);
            let following = by_lookups(rows, &places, times, &mut upstream);
            by_rounds(rows, &places, &following, &mut upstream);
        }
    }
    upstream
}

const fn is_server(evidence: &Evidence) -> bool {
    matches!(evidence.role(), Role::Forwarder | Role::Resolver)
}

/// Where no lookups are kept: a server most of whose names its clients asked for, more than chance would have it.
fn by_names(rows: &[Row<'_>], places: &[usize], times: &[Vec<Vec<f64>>], upstream: &mut [bool]) {
    let servers: Vec<usize> =
        places.iter().copied().filter(|place| times[*place].is_empty() && is_server(rows[*place].1)).collect();
    if servers.is_empty() {
        return;
    }
    let clients = places.iter().filter(|place| !is_server(rows[**place].1));
    let asked: RoaringBitmap = clients.flat_map(|place| rows[*place].1.names()).collect();
    for place in servers {
        let evidence = rows[place].1;
        let known = evidence.names().filter(|index| asked.contains(*index)).count() as f64;
        let names = evidence.distinct_names() as f64;
        // As many of any other names would be among those asked for.
        let highest = asked.max().max(evidence.names().last()).unwrap_or(0);
        let chance = asked.len() as f64 / (f64::from(highest) + 1.0);
        upstream[place] = known >= 0.5 * names && known / names > (chance + 0.3).min(0.99);
    }
}

/// Whoever asks within seconds after others, for half of its lookups, asks for them. Tells also who does so for some, more
/// than chance would have it: more of its clients' lookups may be missing.
fn by_lookups(rows: &[Row<'_>], places: &[usize], times: &[Vec<Vec<f64>>], upstream: &mut [bool]) -> BTreeSet<usize> {
    let names = places.iter().map(|place| times[*place].len()).max().unwrap_or(0);
    let mut total: HashMap<usize, (usize, usize)> = HashMap::new();
    let (mut earliest, mut latest, mut all) = (f64::INFINITY, f64::NEG_INFINITY, 0_usize);
    for name in 0..names {
        let of_name = places.iter().flat_map(|place| times[*place].get(name).into_iter().flatten().map(|time| (*time, *place)));
        let mut lookups: Vec<(f64, usize)> = of_name.collect();
        lookups.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        all += lookups.len();
        let mut oldest = 0;
        for (at, (time, place)) in lookups.iter().enumerate() {
            (earliest, latest) = (earliest.min(*time), latest.max(*time));
            while *time - lookups[oldest].0 > FOLLOWS {
                oldest += 1;
            }
            // At the same moment the client is first.
            let leads = |(earlier, other): &(f64, usize)| {
                other != place && (earlier < time || is_server(rows[*place].1) && !is_server(rows[*other].1))
            };
            let before = lookups[oldest..at].iter().rev().take(16);
            let beside = lookups[at + 1..].iter().take_while(|(other, _)| other == time).take(16);
            let led = before.chain(beside).any(leads);
            let (followed, count) = total.entry(*place).or_default();
            *followed += usize::from(led);
            *count += 1;
        }
    }
    let mut following = BTreeSet::new();
    for place in places {
        let Some((followed, count)) = total.get(place) else { continue };
        // What others ask for anyway within that time.
        let others = (all - count) as f64 / names.max(1) as f64;
        let chance = (others * FOLLOWS / (latest - earliest).max(FOLLOWS)).min(1.0);
        let share = *followed as f64 / *count as f64;
        let above_chance = (share - chance) / (1.0 - chance).max(1e-9);
        upstream[*place] |= above_chance >= 0.5;
        if above_chance >= FOLLOWS_AT_ALL && share >= 2.0 * chance {
            following.insert(*place);
        }
    }
    following
}

/// Whoever starts its rounds when another does, again and again, is the same host seen from further away.
fn by_rounds(rows: &[Row<'_>], places: &[usize], following: &BTreeSet<usize>, upstream: &mut [bool]) {
    let starts: Vec<(usize, Vec<f64>)> = places
        .iter()
        .filter(|place| !upstream[**place])
        .map(|place| (*place, round_starts(rows[*place].1)))
        .filter(|(_, starts)| starts.len() >= SAME_ROUNDS)
        .collect();
    let mut by_time: HashMap<i64, Vec<usize>> = HashMap::new();
    let bucket = |start: f64| (start / SAME_START).floor() as i64;
    for (at, (_, starts)) in starts.iter().enumerate() {
        for start in starts {
            by_time.entry(bucket(*start)).or_default().push(at);
        }
    }
    for (at, (place, own)) in starts.iter().enumerate() {
        let mut common: HashMap<usize, usize> = HashMap::new();
        for start in own {
            let near = (-1..=1).filter_map(|step| by_time.get(&(bucket(*start) + step))).flatten();
            // Many that start at one moment are a flood, and no tiers.
            let others: BTreeSet<usize> = near.take(64).copied().filter(|other| *other != at).collect();
            for other in others {
                if starts[other].1.iter().any(|theirs| (theirs - start).abs() <= SAME_START) {
                    *common.entry(other).or_default() += 1;
                }
            }
        }
        // The nearest to the host is no server, and asks first.
        let nearness = |at: usize| (is_server(rows[starts[at].0].1), starts[at].1[0], rows[starts[at].0].0.source);
        let nearer = |other: &usize| nearness(*other).partial_cmp(&nearness(at)) == Some(std::cmp::Ordering::Less);
        if following.contains(place) && common.iter().any(|(other, rounds)| *rounds >= SAME_ROUNDS && nearer(other)) {
            upstream[*place] = true;
        }
    }
}

/// When rounds started, in seconds. The trace begins with the verdict, a few names into the first.
fn round_starts(evidence: &Evidence) -> Vec<f64> {
    let mut starts: Vec<f64> = evidence.trace.iter().flat_map(|trace| trace.starts()).map(|start| f64::from(*start)).collect();
    // What one sensor took for a start may be within a round that another saw begin.
    let mut latest = f64::NEG_INFINITY;
    starts.retain(|start| {
        let is_start = *start - latest > f64::from(PAUSE);
        latest = if is_start { *start } else { latest };
        is_start
    });
    let first = evidence.first_seen.as_nanos() as f64 / 1e9;
    if let Some(start) = starts.first_mut().filter(|start| **start - first < 60.0) {
        *start = first.floor();
    }
    starts
}
