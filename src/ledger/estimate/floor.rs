//! Hosts that each ask for every name once a cycle, no cache between: one name's lookups within a cycle are so many hosts.
//!
//! Never above the truth, as a host asks for a name at most once within [`Cycle::once`]; with many names hardly below.

use super::{Caveat, Cycle, Estimate, Method, Z};

/// Hosts behind the lookups of names, given as the ascending times of each, in seconds, resends left out, from a span of
/// so many seconds.
pub fn floor(names: &[Vec<f64>], span: f64, cycle: &Cycle) -> Estimate {
    let least = names.iter().map(|times| most_within(times, cycle.once)).max().unwrap_or(0).max(1) as f64;
    let estimate = |high| Estimate::new(Method::Floor, (least, least, high));
    let estimate = if span < cycle.range.1 {
        estimate(f64::INFINITY).with(Caveat::ShortSpan)
    } else {
        // By volume: a host makes span / length lookups of a name, one more or less for the cycles that the ends cut.
        let lookups: usize = names.iter().map(Vec::len).sum();
        let cycles = span / cycle.length;
        let volume = lookups as f64 / (names.len().max(1) as f64 * cycles);
        let cut = cycles.fract();
        let error = (volume.max(1.0) * cut * (1.0 - cut)).sqrt() / cycles;
        estimate((volume + Z * error) * cycle.range.1 / cycle.length)
    };
    if cycle.learned { estimate } else { estimate.with(Caveat::AssumedCycle) }
}

/// The most of ascending `times` within `span`.
pub(super) fn most_within(times: &[f64], span: f64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, time) in times.iter().enumerate() {
        while *time - times[first] >= span {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}
