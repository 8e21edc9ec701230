//! What rounds of hosts that ask for all names give away: the length of a cycle, and how many lookups are missing.

/// Cycles are looked for between these lengths, in bins of so many seconds: twice the shorter ones is beyond.
const SHORTEST: f64 = 4_320.0;
const LONGEST: f64 = 15_120.0;
const BIN: f64 = 30.0;

/// A peak reaches so many bins to either side: the order of names differs from round to round, which takes three minutes.
const PEAK: usize = 6;

/// What a peak stands out from reaches so many bins to either side, the nearest ones left out.
const AROUND: usize = 50;
const APART: usize = 14;

/// Lookups of one name within the longest cycle, beyond which a source shows nothing and takes too long.
const MOST: usize = 200;

/// By how many standard deviations a peak stands out, and how often a name came back at least.
const CLEAR: f64 = 4.0;
const ENOUGH: f64 = 0.3;

/// By what the highest peak is above all others.
const ABOVE: f64 = 1.4;

/// How far off what is known a cycle may be and be taken for it, and how much lower its peak.
const NEAR: f64 = 0.03;
const LOWER: f64 = 0.7;

/// Lookups of a name from which on they tell what is missing, and what the spread owes to a round that the beginning of a
/// capture cut off, and another that its end did: each is 1/4 at most.
const SEVERAL: f64 = 3.0;
const CUT: f64 = 0.5;

/// The time after which names are asked for again, found in the lookups of each name of each source, ascending, in seconds,
/// from so long a span; nothing where none stands out. Near `known` is believed before others.
///
/// One source with two hosts may look like one host with half the cycle; others do not look like that at the same time.
pub fn cycle(sources: &[&[Vec<f64>]], span: f64, known: f64) -> Option<f64> {
    let mut bins = [0.0; ((LONGEST - SHORTEST) / BIN) as usize];
    for names in sources {
        let lookups: usize = names.iter().map(Vec::len).sum();
        if lookups as f64 * LONGEST / span > (MOST * names.len()) as f64 {
            continue;
        }
        for times in *names {
            for (place, time) in times.iter().enumerate() {
                let lags = times[place + 1..].iter().map(|later| later - time);
                for lag in lags.skip_while(|lag| *lag < SHORTEST).take_while(|lag| *lag < LONGEST) {
                    bins[((lag - SHORTEST) / BIN) as usize] += 1.0 / names.len() as f64;
                }
            }
        }
    }
    let sum = |from: usize, to: usize| bins[from..to.min(bins.len())].iter().sum::<f64>();
    let base = |bin: usize| {
        let (first, last) = (bin.saturating_sub(AROUND), (bin + AROUND + 1).min(bins.len()));
        let (near, nearest) = (bin.saturating_sub(APART), (bin + APART + 1).min(bins.len()));
        (sum(first, near) + sum(nearest, last)) / ((near - first) + (last - nearest)) as f64
    };
    let width = (2 * PEAK + 1) as f64;
    let excess = |bin: usize| sum(bin - PEAK, bin + PEAK + 1) - width * base(bin);
    let highest = |among: &dyn Fn(f64) -> bool| {
        let lag = |bin: usize| BIN.mul_add(bin as f64 + 0.5, SHORTEST);
        let peaks = (PEAK..bins.len() - PEAK).filter(|bin| among(lag(*bin))).map(|bin| (excess(bin), bin));
        peaks.max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (most, at) = highest(&|_| true)?;
    let is_near = |lag: f64, other: f64, share: f64| (lag - other).abs() <= share * other;
    let as_known = highest(&|lag| is_near(lag, known, NEAR)).filter(|(height, _)| *height >= LOWER * most);
    let (height, bin) = as_known.unwrap_or((most, at));
    let middle = BIN.mul_add(bin as f64 + 0.5, SHORTEST);
    let next = highest(&|lag| !is_near(lag, middle, 2.0 * NEAR)).map_or(0.0, |(height, _)| height);
    let noise = (span / middle * width * base(bin)).sqrt();
    if height < ENOUGH || height < CLEAR * noise || as_known.is_none() && height < ABOVE * next {
        return None;
    }
    let floor = base(bin);
    let (mut weight, mut moment) = (0.0, 0.0);
    for (place, count) in bins.iter().enumerate().skip(bin - PEAK).take(2 * PEAK + 1) {
        let above = (count - floor).max(0.0);
        weight += above;
        moment += above * (place as f64 + 0.5);
    }
    Some(BIN.mul_add(moment / weight, SHORTEST))
}

/// The share of lookups that nobody saw: each round has all names, so that sources ask for all alike; what is lost by chance
/// makes some rarer than others.
pub fn missing(sources: &[&[Vec<f64>]]) -> f64 {
    let (mut spread, mut sum) = (0.0, 0.0);
    for names in sources.iter().filter(|names| names.len() > 1) {
        let count = names.len() as f64;
        let mean = names.iter().map(Vec::len).sum::<usize>() as f64 / count;
        if mean < SEVERAL {
            continue;
        }
        let squares = names.iter().map(|times| super::square(times.len() as f64 - mean)).sum::<f64>();
        spread += (squares / (count - 1.0) - CUT).max(0.0);
        sum += mean;
    }
    // A binomial variable with the chance p of being seen has the variance (1 - p) times its mean.
    if sum > 0.0 { (spread / sum).min(0.95) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400.0;

    struct Congruent(u64);

    impl Congruent {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    /// Hosts at these phases, of which a share of lookups is seen.
    fn source(random: &mut Congruent, phases: &[f64], cycle: f64, seen: f64) -> Vec<Vec<f64>> {
        let of_name = |random: &mut Congruent| {
            let mut times = vec![];
            for phase in phases {
                let rounds = ((DAY - phase) / cycle) as u32;
                times.extend((0..=rounds).map(|round| f64::from(round).mul_add(cycle, phase + 175.0 * random.next())));
            }
            times.retain(|_| random.next() < seen);
            times.sort_unstable_by(f64::total_cmp);
            times
        };
        (0..63).map(|_| of_name(random)).collect()
    }

    #[test]
    fn cycles_stand_out() {
        for (hosts, sources, length) in [(1, 1, 11_010.0), (1, 5, 8_450.0), (3, 10, 8_450.0), (30, 6, 8_450.0), (30, 6, 11_010.0)]
        {
            let random = &mut Congruent(5);
            let all: Vec<Vec<Vec<f64>>> = (0..sources)
                .map(|_| {
                    let phases: Vec<f64> = (0..hosts).map(|_| random.next() * length).collect();
                    source(random, &phases, length, 1.0)
                })
                .collect();
            let all: Vec<&[Vec<f64>]> = all.iter().map(Vec::as_slice).collect();
            let found = cycle(&all, DAY, 11_010.0).unwrap_or(0.0);
            assert!((found / length - 1.0).abs() < 0.005, "{hosts} hosts, {sources} sources, {length}: {found}");
        }
    }

    #[test]
    fn two_hosts_are_not_one_of_twice_the_pace() {
        let random = &mut Congruent(6);
        let opposite = source(random, &[1_000.0, 6_505.0], 11_010.0, 1.0);
        let found = cycle(&[&opposite], DAY, 11_010.0).unwrap_or(0.0);
        assert!((found - 11_010.0).abs() < 60.0, "{found}");
        // Nor are lookups at random times, or none.
        let scattered: Vec<Vec<f64>> = (0..63)
            .map(|_| {
                let mut times: Vec<f64> = (0..80).map(|_| random.next() * DAY).collect();
                times.sort_unstable_by(f64::total_cmp);
                times
            })
            .collect();
        assert_eq!((cycle(&[&scattered], DAY, 11_010.0), cycle(&[], DAY, 11_010.0)), (None, None));
    }

    #[test]
    fn what_is_missing_shows() {
        let random = &mut Congruent(7);
        for (hosts, seen) in [(1, 1.0), (30, 1.0), (30, 0.9), (30, 0.7), (5, 0.5)] {
            let phases: Vec<f64> = (0..hosts).map(|_| random.next() * 11_010.0).collect();
            let all = source(random, &phases, 11_010.0, seen);
            let found = missing(&[&all]);
            assert!((found - (1.0 - seen)).abs() < 0.3 * (1.0 - seen) + 0.01, "{hosts} {seen}: {found}");
        }
        assert_eq!(missing(&[]), 0.0);
    }
}
