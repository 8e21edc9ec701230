//! Hosts that each draw a sample of the list: how many draws leave so many names unseen.
//!
//! The first lookup of a name passes every cache, so the count of distinct names is the same with and without caches,
//! repeats and retransmissions.

use libm::{exp, expm1, log, log1p};

use super::chance::{poisson_head, poisson_tail};
use super::{Caveat, Estimate, Method, Z};

/// Rounds that an always-on host starts a list day, at least: its cycle is a day and a round of up to 6.3 hours.
const LEAST_ROUNDS: f64 = 0.79;

/// A day, in seconds.
const DAY: f64 = 86_400.0;

/// With fewer unseen names than this, their number is taken for a Poisson variable.
const NEARLY_ALL: u64 = 10;

/// How names are drawn, and seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Distinct names of the list.
    pub list: u64,
    /// Names that a host draws, without putting back.
    pub drawn: u64,
    /// Share of the lookups that the sensor sees, above 0 up to 1.
    pub seen: f64,
    /// Names of the list that are looked at: all, or those of suffixes of which none go missing on the way.
    pub among: u64,
}

impl Sampling {
    /// Chance that a given name is drawn by a given host and seen.
    fn hit(&self) -> f64 {
        self.seen * self.drawn as f64 / self.list as f64
    }

    /// Names that `hosts` are expected to show.
    fn mean(&self, hosts: f64) -> f64 {
        self.among as f64 * -expm1(hosts * log1p(-self.hit()))
    }

    /// The exact variance of that: pairs of names are drawn together less often than chance would have it.
    fn variance(&self, hosts: f64) -> f64 {
        let (list, drawn, hit) = (self.list as f64, self.drawn as f64, self.hit());
        let unseen = exp(hosts * log1p(-hit));
        let both = (self.seen * self.seen * drawn * (drawn - 1.0) / (list * (list - 1.0)) - 2.0 * hit) + 1.0;
        let both = if both > 0.0 { exp(hosts * log(both)) } else { 0.0 };
        let among = self.among as f64;
        let variance = among * unseen * (1.0 - unseen) + among * (among - 1.0) * unseen.mul_add(-unseen, both);
        variance.max(0.0)
    }

    /// The number of hosts that leaves `unseen` names on average.
    fn hosts(&self, unseen: f64) -> f64 {
        log(unseen / self.among as f64) / log1p(-self.hit())
    }
}

/// Hosts behind `distinct` names: the number whose expectation that is, with all numbers from which it is within 1.96
/// standard deviations.
pub fn occupancy(distinct: u64, sampling: &Sampling) -> Estimate {
    let unseen = sampling.among.saturating_sub(distinct);
    let (low, best, high) = if sampling.drawn >= sampling.list || unseen == 0 {
        // 3 unseen names on average leave none in 5 % of cases.
        let low = if sampling.hit() >= 1.0 { 1.0 } else { sampling.hosts(3.0) };
        (low, low, f64::INFINITY)
    } else if unseen < NEARLY_ALL {
        let (least, most) = poisson_limits(unseen);
        (sampling.hosts(most), sampling.hosts(unseen as f64), sampling.hosts(least))
    } else {
        interval(distinct as f64, sampling)
    };
    let estimate = Estimate::new(Method::Occupancy, (low.max(0.0), best.max(0.0), high)).with(Caveat::Rounds);
    let estimate = estimate.shared(1.0, 1.0 / LEAST_ROUNDS);
    if high.is_finite() { estimate } else { estimate.with(Caveat::Saturated) }
}

/// Hosts that asked, by the rounds, and parts of rounds, which were counted within so many seconds on any list days.
///
/// A host begins a round a day if it is switched on each day, and one in a day and a round if it always is: within a shorter
/// time rounds are of different hosts, cut off at the ends; within a longer time some are of the same host.
pub fn hosts_of_rounds(rounds: Estimate, span: f64) -> Estimate {
    let span = span.max(1.0);
    let longest = DAY / LEAST_ROUNDS;
    let (least, best) = ((DAY / span).min(1.0), (longest / span).min(1.0));
    let most = match span {
        _ if span <= DAY => 1.0 + (longest - DAY) / span,
        _ if span < 2.0 * DAY => (longest / span).max(1.0),
        _ => longest / span,
    };
    let Estimate { low, best: counted, high, .. } = rounds;
    Estimate { low: low * best, best: counted * best, high: high * best, ..rounds }.shared(least / best, most / best)
}

fn interval(distinct: f64, sampling: &Sampling) -> (f64, f64, f64) {
    let best = sampling.hosts(sampling.among as f64 - distinct);
    let off = |hosts: f64| distinct - sampling.mean(hosts);
    let inside = |hosts: f64| off(hosts) * off(hosts) <= (Z * Z).mul_add(sampling.variance(hosts), 1e-9);
    let (mut outside, mut low) = (0.0, best);
    for _ in 0..60 {
        let middle = f64::midpoint(outside, low);
        if inside(middle) { low = middle } else { outside = middle }
    }
    let (mut high, mut outside) = (best, (2.0 * best).max(4.0));
    while inside(outside) && outside < 1e9 {
        outside *= 2.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(high, outside);
        if inside(middle) { high = middle } else { outside = middle }
    }
    (low, best, high)
}

/// The means between which a Poisson count is no surprise at 95 % (F. Garwood, "Fiducial limits for the Poisson
/// distribution", Biometrika 28, 1936), for a count of 1 or more.
fn poisson_limits(count: u64) -> (f64, f64) {
    let solve = |too_small: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (1e-9, 100.0);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if too_small(middle) { low = middle } else { high = middle }
        }
        high
    };
    (solve(&|mean| poisson_tail(mean, count) < 0.025), solve(&|mean| poisson_head(mean, count) > 0.025))
}
