//! Hosts that each ask for every name once a cycle, seen behind caches: lookups that pass, per time in which they could.
//!
//! After a pass a name is hidden for the cache's lifetime. What passes in the rest of the time is a sample of all lookups;
//! taken in blocks, because hosts sleep at night and a cache hides most when most are awake.

use libm::{exp, expm1, log};

use super::floor::most_within;
use super::{Caveat, Cycle, Estimate, Method, Refused, Z, square};

/// Passes are counted in blocks of so many seconds.
const BLOCK: f64 = 7_200.0;

/// Up to this lifetime an interval is honest; beyond, up to half a cycle, the order of magnitude.
const SHORT_LIFETIME: f64 = 1_800.0;

/// Beyond [`SHORT_LIFETIME`], how far a count may be too high because hosts fall in step with the cache, as a power of e for
/// each cycle that the lifetime takes; how much of that it is on average; and from how many hosts a lifetime on it fades. Fitted to
/// simulated populations of 1 to 1,000 hosts and lifetimes of half an hour to half a cycle, whatever part of it.
const STEP: f64 = 3.0;
const USUAL_STEP: f64 = 0.3;
const MANY: f64 = 40.0;

/// How far resolvers may be off when they let go of a name, in seconds.
const SLACK: f64 = 2.0;

/// Cycles whose phases, drawn once, can hide a host behind another all day: fitted to simulated populations of 1 to 1,000
/// hosts and lifetimes of 5 minutes to an hour, like [`RHYTHM`].
const CAPTURE: f64 = 5.0;

/// What a daily rhythm may shift a count by, of the share that the cache swallows.
const RHYTHM: f64 = 0.12;

/// What stands between hosts and sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caches {
    /// How long a name stays cached, in seconds.
    pub lifetime: f64,
    /// How far that may be off, in seconds.
    pub error: f64,
    /// The share of lookups that the sensor sees.
    pub seen: f64,
}

/// Hosts behind the passes of names, given as the ascending times of each in seconds from the start of a span of so many
/// seconds.
///
/// # Errors
/// Why there is no honest number.
pub fn hazard(names: &[Vec<f64>], span: f64, cycle: &Cycle, caches: &Caches) -> Result<Estimate, Refused> {
    let Caches { lifetime, error, seen } = *caches;
    if lifetime > cycle.length / 2.0 {
        return Err(Refused::LongLifetime);
    }
    let count = how_many(names, lifetime);
    let best = rate(names, span, cycle.length, count as f64, caches);
    let passes: usize = names.iter().map(Vec::len).sum();
    let gaps = passes as f64 / names.len().max(1) as f64;
    let mut estimate = interval(best, gaps, span, cycle, lifetime, error);
    if lifetime > SHORT_LIFETIME {
        let step = in_step(best, cycle.length, lifetime);
        estimate.low *= exp(-step);
        estimate.best *= exp(-USUAL_STEP * step);
    }
    if count == 1
        && is_steady(names, span, cycle.length)
        && let Some(hosts) = apart(gaps / seen, span / cycle.length, lifetime / cycle.length)
    {
        estimate.best = hosts.clamp(estimate.low, estimate.high);
    }
    for (caveat, holds) in [
        (Caveat::SeveralCaches, count > 1),
        (Caveat::OrderOfMagnitude, lifetime > SHORT_LIFETIME),
        (Caveat::AssumedCycle, !cycle.learned),
        (Caveat::ShortSpan, span < cycle.length),
    ] {
        if holds {
            estimate = estimate.with(caveat);
        }
    }
    Ok(estimate)
}

/// Caches behind the address: the most passes of one name within their lifetime, if more than a few come before one cache
/// would let go of the name.
fn how_many(names: &[Vec<f64>], lifetime: f64) -> usize {
    let held = lifetime - SLACK;
    let gaps = || names.iter().flat_map(|times| times.windows(2)).map(|pair| pair[1] - pair[0]);
    let short = gaps().filter(|gap| *gap < held).count();
    if 20 * short <= gaps().count() {
        return 1;
    }
    names.iter().map(|times| most_within(times, held)).max().unwrap_or(0).max(1)
}

/// Whether each cycle has about as many passes as any other: hosts that sleep at night are more in the day than on average.
fn is_steady(names: &[Vec<f64>], span: f64, cycle: f64) -> bool {
    const UNEVEN: f64 = 0.3;
    let mut passes = vec![0.0; ((span / cycle) as usize).max(1)];
    for time in names.iter().flatten() {
        if let Some(passes) = passes.get_mut((time / cycle) as usize) {
            *passes += 1.0;
        }
    }
    let mean = passes.iter().sum::<f64>() / passes.len() as f64;
    passes.iter().all(|passes| (passes - mean).abs() <= UNEVEN * mean)
}

/// So many hosts, if the passes of a name in so many cycles are those of so few that none is likely to hide behind another:
/// at random phases n are all further apart than a share `rho` of the cycle with the chance (1 - n rho)^(n - 1).
fn apart(passes: f64, cycles: f64, rho: f64) -> Option<f64> {
    const OFF: f64 = 0.02;
    let hosts = (passes / cycles).round();
    let chance = libm::pow((1.0 - hosts * rho).max(0.0), hosts - 1.0);
    // The ends cut a cycle off, or do not.
    let whole = hosts * cycles.floor() * (1.0 - OFF)..=hosts * cycles.ceil() * (1.0 + OFF);
    (hosts >= 1.0 && whole.contains(&passes) && chance >= 0.5).then_some(hosts)
}

/// Lookups of a name per cycle, hosts that is, averaged over the span.
pub(super) fn rate(names: &[Vec<f64>], span: f64, cycle: f64, count: f64, caches: &Caches) -> f64 {
    let Caches { lifetime, seen, .. } = *caches;
    let blocks = ((span / BLOCK).ceil() as usize).max(1);
    let ends = |block: usize| (block as f64 * BLOCK, ((block + 1) as f64 * BLOCK).min(span));
    let mut passes = vec![0.0; blocks];
    let mut risk: Vec<f64> = (0..blocks).map(|block| (ends(block).1 - ends(block).0) * count * names.len() as f64).collect();
    for time in names.iter().flatten() {
        let mut block = ((time / BLOCK) as usize).min(blocks - 1);
        passes[block] += 1.0 / seen;
        while block < blocks && ends(block).0 < time + lifetime {
            let (from, to) = ends(block);
            risk[block] -= ((time + lifetime).min(to) - time.max(from)).max(0.0) / seen;
            block += 1;
        }
    }
    risk.iter_mut().for_each(|risk| *risk = risk.max(1e-6));
    let all = passes.iter().sum::<f64>() / risk.iter().sum::<f64>() * cycle * count;
    if all < 4.0 {
        return few(all, (lifetime / cycle).min(0.999));
    }
    let weighted = (0..blocks).map(|block| passes[block] / risk[block] * (ends(block).1 - ends(block).0));
    weighted.sum::<f64>() * cycle * count / span
}

/// How far a count may be too high, as a power of e. Hosts keep time: a lookup passes, a lifetime later the next, and so on round
/// the cycle, until one of the first host passes again. Passes that are so few seconds apart as are left of the cycle when
/// lifetimes fill it lead back to themselves, and once in, others are never seen. Up to as many hosts as would come by in these
/// seconds by chance, the count is drawn to that number.
fn in_step(hosts: f64, cycle: f64, lifetime: f64) -> f64 {
    if hosts <= 1.2 {
        return 0.0;
    }
    let rho = lifetime / cycle;
    let fitting = (cycle / lifetime).floor();
    let left = (cycle - fitting * lifetime).max(1.0);
    let drawn_to = fitting * cycle / left;
    let few = 1.0 / (1.0 + square(hosts * rho / MANY));
    let below = 1.0 / (1.0 + square(square(hosts / drawn_to)));
    STEP * rho * few.max(below)
}

/// The number of hosts `n` at which n / (1 - rho^n) is what was seen: a host does not hide behind itself, so that one
/// alone comes out as one.
fn few(seen: f64, rho: f64) -> f64 {
    let excess = |hosts: f64| hosts / -expm1(hosts * log(rho)) - seen;
    let (mut low, mut high) = (1e-9, seen.max(1e-9));
    if excess(low) >= 0.0 {
        return seen;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if excess(middle) > 0.0 { high = middle } else { low = middle }
    }
    low
}

/// A log-normal interval. Its relative variance adds up: phases that are drawn once and then stay, and finitely many gaps,
/// as far as the cache swallows lookups; hosts that hide behind another all day; cycles that the ends cut; the error of the
/// lifetime; the rhythm of the day.
fn interval(best: f64, gaps: f64, span: f64, cycle: &Cycle, lifetime: f64, error: f64) -> Estimate {
    let (hosts, rho) = (best.max(1e-3), lifetime / cycle.length);
    let shadow = hosts * rho;
    let swallowed = shadow / (1.0 + shadow);
    let alone = hosts <= 1.2;
    let phases = if alone { 0.0 } else { 1.0 / hosts };
    let captured = if alone { 0.0 } else { CAPTURE * rho * rho / (shadow / 5.0).mul_add(shadow / 5.0, 1.0) };
    let cycles = span / cycle.length;
    let cut = 0.25 / (hosts * cycles * cycles);
    let variance = swallowed * (phases + 1.0 / gaps.max(1.0))
        + captured
        + cut
        + square(hosts * error / cycle.length)
        + square(swallowed * RHYTHM);
    let factor = exp(Z * variance.sqrt());
    let mut high = hosts * factor;
    if hosts < 2.0 {
        // Others may be hidden in the shadow of the one that is seen.
        high = high.max(hosts + log(0.05) / log(rho.clamp(1e-6, 0.9)));
    }
    Estimate::new(Method::Hazard, (hosts / factor, hosts, high))
        .shared(cycle.range.0 / cycle.length, cycle.range.1 / cycle.length)
}
