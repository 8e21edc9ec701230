//! Lookups that are one: for each type of address, or sent again under another id.

/// Lookups for several types come within so many seconds.
const TYPES: f64 = 1.0;

/// Whoever hears nothing asks again within so many seconds.
const PATIENCE: f64 = 10.0;

/// Leaves one of each run of lookups of a name that are the same, where there are such runs: names are given as the
/// ascending times of their lookups, in seconds.
pub fn without_repeats(names: &mut [Vec<f64>]) {
    let window = if in_types(names) {
        TYPES
    } else if are_sent_again(names) {
        PATIENCE
    } else {
        return;
    };
    for times in names {
        let mut last = f64::NEG_INFINITY;
        times.retain(|time| {
            let is_new = time - last >= window;
            last = if is_new { *time } else { last };
            is_new
        });
    }
}

/// Whether most lookups come in runs of one size, as IPv4 and IPv6 addresses are asked for together. Hosts that ask at
/// about the same time make runs of all sizes.
fn in_types(names: &[Vec<f64>]) -> bool {
    const SIZES: usize = 5;
    let mut runs = [0_usize; SIZES];
    for times in names {
        for run in times.chunk_by(|earlier, later| later - earlier < TYPES) {
            runs[run.len().min(SIZES) - 1] += 1;
        }
    }
    let all: usize = runs.iter().sum();
    runs[1..SIZES - 1].iter().any(|of_size| 10 * of_size >= 7 * all && all > 0)
}

/// Whether there are more short gaps than those next to them in length foretell: of hosts that ask at times of their own, or
/// all at once, the number of gaps falls evenly with their length, or hardly any is long.
fn are_sent_again(names: &[Vec<f64>]) -> bool {
    let mut gaps = [0.0; 3];
    let mut all = 0.0;
    for pair in names.iter().flat_map(|times| times.windows(2)) {
        let place = (pair[1] - pair[0]) / PATIENCE;
        all += 1.0;
        if place < 3.0 {
            gaps[place as usize] += 1.0;
        }
    }
    let [short, next, longer] = gaps;
    (0.02 * all..=0.5 * all).contains(&short) && short >= 10.0 && short * longer >= 3.0 * next * next && short > 2.0 * next
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many lookups of each of ten names at times that are spread evenly over a day.
    fn spread(lookups: u64) -> Vec<Vec<f64>> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / 2_147_483_648.0 * 86_400.0
        };
        let mut names: Vec<Vec<f64>> = (0..10).map(|_| (0..lookups).map(|_| next()).collect()).collect();
        names.iter_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
        names
    }

    /// The same with those for which `again` says so asked for once more after some seconds.
    fn with(names: &[Vec<f64>], again: impl Fn(usize) -> bool, after: f64) -> Vec<Vec<f64>> {
        let of = |times: &Vec<f64>| {
            let more = times.iter().enumerate().filter(|(place, _)| again(*place)).map(|(_, time)| time + after);
            let mut times: Vec<f64> = times.iter().copied().chain(more).collect();
            times.sort_unstable_by(f64::total_cmp);
            times
        };
        names.iter().map(of).collect()
    }

    fn lookups(names: &[Vec<f64>]) -> usize {
        names.iter().map(Vec::len).sum()
    }

    #[test]
    fn what_is_one_counts_once() {
        for often in [8, 80, 800] {
            let names = spread(often);
            let mut plain = names.clone();
            without_repeats(&mut plain);
            assert_eq!(plain, names, "{often}");
            let mut in_pairs = with(&names, |_| true, 0.02);
            without_repeats(&mut in_pairs);
            assert!(lookups(&names) - lookups(&in_pairs) <= lookups(&names) / 50, "{often}");
        }
        // One in five is sent again.
        for often in [20, 80] {
            let names = spread(often);
            let mut resent = with(&names, |place| place % 5 == 0, 2.0);
            without_repeats(&mut resent);
            assert!(lookups(&resent).abs_diff(lookups(&names)) <= lookups(&names) / 30, "{often}");
        }
    }

    /// Hosts that are switched on within minutes of each other ask close together, and are not one.
    #[test]
    fn many_at_once_are_many() {
        let storm: Vec<Vec<f64>> =
            spread(300).into_iter().map(|times| times.into_iter().map(|time| time / 300.0).collect()).collect();
        let mut kept = storm.clone();
        without_repeats(&mut kept);
        assert_eq!(kept, storm);
        without_repeats(&mut []);
    }
}
