//! What chance alone would do: tails of the Poisson distribution, and the number of names that it does not explain.

use libm::{exp, log};

/// P(X >= k) of a Poisson variable of mean `mu`, exact to rounding for the smallest tails.
pub fn poisson_tail(mu: f64, k: u64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if mu <= 0.0 {
        return 0.0;
    }
    // Far below the mean the tail is all there is; above, terms fall at least as a geometric series.
    if (k as f64) < mu {
        return 1.0 - poisson_head(mu, k - 1);
    }
    let mut term = exp((k as f64).mul_add(log(mu), -mu - ln_factorial(k)));
    let (mut sum, mut next) = (term, k);
    while term > sum * 1e-16 && next < k + 2_000 {
        next += 1;
        term *= mu / next as f64;
        sum += term;
    }
    sum.min(1.0)
}

/// P(X <= k).
pub(super) fn poisson_head(mu: f64, k: u64) -> f64 {
    let terms = (0..=k).map(|k| exp((k as f64).mul_add(log(mu), -mu - ln_factorial(k))));
    terms.sum::<f64>().min(1.0)
}

fn ln_factorial(k: u64) -> f64 {
    if k < 256 {
        return (2..=k).map(|k| log(k as f64)).sum();
    }
    // Stirling's series; the next term is below 1e-12 here.
    let k = k as f64;
    k.mul_add(log(k) - 1.0, 0.5 * log(2.0 * std::f64::consts::PI * k)) + 1.0 / (12.0 * k) - 1.0 / (360.0 * k * k * k)
}

/// How many of `sources` that meet `mu` names of a list by chance meet `k` or more: false verdicts to expect.
pub fn expected_false(mu: f64, sources: f64, k: u64) -> f64 {
    sources * poisson_tail(mu, k)
}

/// The fewest distinct names that `sources` sources, each meeting `mu` of them a list day by chance, give at most `allowed`
/// false verdicts for.
///
/// Names of a list day only add up, so watching all the time gives no more false alarms than looking once at the end.
pub fn threshold(mu: f64, sources: f64, allowed: f64) -> u64 {
    (1..10_000).find(|k| expected_false(mu, sources, *k) <= allowed).unwrap_or(10_000)
}
