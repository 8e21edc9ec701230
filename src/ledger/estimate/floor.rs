//! Hosts that each ask for every name once a cycle, no cache between: one name's lookups within a cycle are so many hosts.
//!
//! Never above the truth, as a host asks for a name at most once within [`Cycle::once`]; with many names hardly below. A host
//! that is switched on anew asks out of turn: the median over all cycles does not notice.

use super::{Caveat, Cycle, Estimate, Method, Z};

/// Hosts behind the lookups of names, given as the ascending times of each in seconds from the start of a span of so many
/// seconds, resends left out. `seen` is the share of lookups that the sensor sees.
pub fn floor(names: &[Vec<f64>], span: f64, cycle: &Cycle, seen: f64) -> Estimate {
    let most = names.iter().map(|times| most_within(times, cycle.once)).max().unwrap_or(0).max(1) as f64;
    let estimate = if span < cycle.range.1 {
        Estimate::new(Method::Floor, (most, most, f64::INFINITY)).with(Caveat::ShortSpan)
    } else {
        // By volume: a host makes span / length lookups of a name, one more or less for the cycles that the ends cut.
        let lookups: usize = names.iter().map(Vec::len).sum();
        let cycles = span / cycle.length;
        let volume = lookups as f64 / (names.len().max(1) as f64 * cycles * seen);
        let cut = cycles.fract();
        let error = Z * (volume.max(1.0) * cut * (1.0 - cut)).sqrt() / cycles;
        let usual = usual(names, cycle, cycles as usize).max(1) as f64;
        let high = (volume + error) * cycle.range.1 / cycle.length;
        Estimate::new(Method::Floor, (usual, usual.max(volume - error), high.max(most)))
    };
    if cycle.learned { estimate } else { estimate.with(Caveat::AssumedCycle) }
}

/// The most lookups of one name within [`Cycle::once`] from a moment of a cycle on: the median over so many whole cycles.
fn usual(names: &[Vec<f64>], cycle: &Cycle, cycles: usize) -> usize {
    let mut of_cycle = vec![0; cycles.max(1)];
    for times in names {
        let mut end = 0;
        for (first, time) in times.iter().enumerate() {
            while times.get(end).is_some_and(|later| later - time < cycle.once) {
                end += 1;
            }
            if let Some(most) = of_cycle.get_mut((time / cycle.length) as usize) {
                *most = (end - first).max(*most);
            }
        }
    }
    of_cycle.sort_unstable();
    of_cycle[of_cycle.len() / 2]
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
