//! Simulated hosts as they ask for names, and what caches let pass: what the estimators are held against. Fixed seeds.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::collections::HashMap;

use dgawatch::ledger::estimate::Cycle;

pub const DAY: f64 = 86_400.0;

/// Numbers from a seed.
pub struct Random(u64);

impl Random {
    pub fn of(seed: [u64; 3]) -> Self {
        let mut random = Self(seed[0]);
        for part in seed {
            random.0 = random.next() ^ part;
        }
        random
    }

    /// SplitMix64 (G. Steele, D. Lea, C. Flood, 2014).
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// From 0 up to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        (high - low).mul_add(self.unit(), low)
    }

    /// Normal, by Box and Muller.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        deviation.mul_add((-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos(), mean)
    }

    /// Poisson, by counting exponential waits.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let (mut count, mut waited) = (0, 0.0);
        loop {
            waited -= (1.0 - self.unit()).ln();
            if waited > mean {
                return count;
            }
            count += 1;
        }
    }

    /// So many different numbers below a bound.
    pub fn sample(&mut self, count: usize, bound: u64) -> Vec<u32> {
        let mut kept = std::collections::HashSet::with_capacity(count);
        while kept.len() < count {
            kept.insert(self.below(bound) as u32);
        }
        let mut kept: Vec<u32> = kept.into_iter().collect();
        kept.sort_unstable();
        kept
    }
}

/// Conficker C on one list day: each host draws 500 of 50,000 names and asks one in 10 to 50 s. Names and times.
pub fn sampling(random: &mut Random, hosts: usize) -> Vec<(u32, f64)> {
    let mut lookups = vec![];
    for _ in 0..hosts {
        let mut time = random.between(0.0, DAY);
        for name in random.sample(500, 50_000) {
            time += random.between(10.0, 50.0);
            lookups.push((name, time));
        }
    }
    lookups
}

/// What passes a cache that keeps names for so long.
pub fn passes(mut lookups: Vec<(u32, f64)>, lifetime: impl Fn(u32) -> f64) -> Vec<(u32, f64)> {
    lookups.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut free: HashMap<u32, f64> = HashMap::new();
    lookups.retain(|(name, time)| {
        let until = free.entry(*name).or_insert(f64::NEG_INFINITY);
        let passes = time >= until;
        if passes {
            *until = time + lifetime(*name);
        }
        passes
    });
    lookups
}

/// How hosts of A and B ask.
pub struct Rounds {
    pub cycle: f64,
    /// Standard deviation of that.
    pub jitter: f64,
    /// Names asked at once, and the time from one batch to the next.
    pub batch: usize,
    pub step: f64,
    /// Whether each round has an order of its own.
    pub shuffled: bool,
}

/// As measured in traffic of 2021.
pub const MEASURED: Rounds = Rounds { cycle: 11_010.0, jitter: 12.0, batch: 10, step: 7.3, shuffled: true };

/// As described in 2009.
pub const LITERATURE: Rounds = Rounds { cycle: 8_450.0, jitter: 60.0, batch: 1, step: 5.0, shuffled: false };

impl Rounds {
    /// What an estimator that knows them is told.
    pub fn known(&self) -> Cycle {
        let round = if self.shuffled { 250.0 / self.batch as f64 * self.step } else { 180.0 };
        Cycle { length: self.cycle, range: (self.cycle, self.cycle), once: self.cycle - round - 120.0, learned: true }
    }

    /// The starts of rounds of always-on hosts.
    pub fn always_on(&self, random: &mut Random, hosts: usize) -> Vec<Vec<f64>> {
        let start = |random: &mut Random| {
            let mut at = random.between(0.0, self.cycle) - self.cycle;
            let mut starts = vec![];
            while at < DAY {
                starts.push(at);
                at += random.normal(self.cycle, self.jitter);
            }
            starts
        };
        (0..hosts).map(|_| start(random)).collect()
    }

    /// Of hosts that are on for eight hours about 13:00.
    pub fn by_day(&self, random: &mut Random, hosts: usize) -> Vec<Vec<f64>> {
        let start = |random: &mut Random| {
            let on = random.normal(9.0 * 3_600.0, 2.0 * 3_600.0);
            let mut at = on + random.between(0.0, 300.0);
            let mut starts = vec![];
            while at < on + 8.0 * 3_600.0 {
                starts.push(at);
                at += random.normal(self.cycle, self.jitter);
            }
            starts
        };
        (0..hosts).map(|_| start(random)).collect()
    }

    /// The lookups of some of the 250 names, ascending, within the day.
    pub fn lookups(&self, random: &mut Random, starts: &[Vec<f64>], names: usize) -> Vec<Vec<f64>> {
        let of = random.sample(names, 250);
        of.into_iter()
            .map(|name| {
                let mut times = vec![];
                for start in starts.iter().flatten() {
                    let slots = (250 / self.batch) as u64;
                    let slot = if self.shuffled { random.below(slots) } else { u64::from(name) / self.batch as u64 };
                    times.push((slot as f64).mul_add(self.step, start + random.unit()));
                }
                times.retain(|time| (0.0..DAY).contains(time));
                times.sort_unstable_by(f64::total_cmp);
                times
            })
            .collect()
    }
}

/// What passes so many caches, each lookup going to one of them at random.
pub fn pass(random: &mut Random, names: &[Vec<f64>], lifetime: f64, caches: u64) -> Vec<Vec<f64>> {
    let one = |times: &Vec<f64>, random: &mut Random| {
        let mut free = vec![f64::NEG_INFINITY; caches as usize];
        let mut passed = times.clone();
        passed.retain(|time| {
            let free = &mut free[if caches > 1 { random.below(caches) as usize } else { 0 }];
            let passes = *time >= *free;
            *free = if passes { time + lifetime } else { *free };
            passes
        });
        passed
    };
    names.iter().map(|times| one(times, random)).collect()
}

/// Numbers against the truth.
#[derive(Default)]
pub struct Errors {
    relative: Vec<f64>,
    covered: usize,
}

impl Errors {
    pub fn add(&mut self, truth: f64, (low, best, high): (u64, u64, Option<u64>)) {
        self.relative.push(best as f64 / truth - 1.0);
        let covered = low as f64 <= truth + 1e-9 && high.is_none_or(|high| high as f64 >= truth - 1e-9);
        self.covered += usize::from(covered);
    }

    pub fn runs(&self) -> usize {
        self.relative.len()
    }

    /// So much of the errors, sizes ascending, lies below.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sizes: Vec<f64> = self.relative.iter().map(|error| error.abs()).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        sizes[((sizes.len() as f64 * share) as usize).min(sizes.len() - 1)]
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn bias(&self) -> f64 {
        self.relative.iter().sum::<f64>() / self.relative.len() as f64
    }

    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.relative.len() as f64
    }
}
