//! How many infected hosts stand behind a source: an interval with its method, or the reason why there is none.
//!
//! What can be counted depends on how a worm chooses names and on what stands between its hosts and the sensor:
//!
//! | names asked for | in between | method |
//! | --- | --- | --- |
//! | a sample of the list | whatever | [`occupancy()`]: names seen at least once |
//! | all of the list, each cycle | no cache | [`floor()`]: most lookups of one name within one cycle |
//! | all of the list, each cycle | caches | [`hazard()`]: lookups per time in which the name was not cached |
//!
//! All are pure functions of what was seen. Logarithms and the like are those of the libm crate, so that the last digit is
//! the same on every machine.

mod chance;
mod churn;
mod floor;
mod hazard;
mod occupancy;
mod repeats;
mod rounds;

pub use self::chance::{expected_false, poisson_tail, threshold};
pub use self::churn::{churn, live};
pub use self::floor::floor;
pub use self::hazard::{Caches, hazard};
pub use self::occupancy::{Sampling, hosts_of_rounds, occupancy};
pub use self::repeats::without_repeats;
pub use self::rounds::{cycle, missing};

use std::fmt;

/// The 97.5 % point of the normal distribution: what a two-sided interval of 95 % reaches to.
const Z: f64 = 1.959_964;

const fn square(number: f64) -> f64 {
    number * number
}

/// How a worm's hosts ask for the names of a list day, times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cycle {
    /// From the start of a round to the start of the next.
    pub length: f64,
    /// The shortest and the longest that it may be.
    pub range: (f64, f64),
    /// Within so long no host asks for a name twice.
    pub once: f64,
    /// Whether it was seen in this traffic.
    pub learned: bool,
}

/// How an estimate came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Names seen of those that hosts draw from.
    Occupancy,
    /// Most lookups of one name within a cycle.
    Floor,
    /// Lookups that pass caches, per time in which they can.
    Hazard,
    /// Sources added up whose methods differ.
    Sum,
}

impl Method {
    /// The word in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Occupancy => "occupancy",
            Self::Floor => "floor",
            Self::Hazard => "hazard",
            Self::Sum => "sum",
        }
    }
}

/// What a reader of an estimate has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caveat {
    /// So many names were seen that there is no upper bound.
    Saturated,
    /// What is counted are rounds: a host makes between 0.79 and 1 of them a list day, a part where it was off meanwhile.
    Rounds,
    /// More than 1 % of the packets were lost. It is reckoned with, as if each packet were as likely to be.
    CaptureLoss,
    /// The length of a cycle is assumed, not seen in this traffic.
    AssumedCycle,
    /// Less than a cycle was watched: hosts that slept were not seen.
    ShortSpan,
    /// The cache keeps names so long that only the order of magnitude is known.
    OrderOfMagnitude,
    /// Several caches share the address.
    SeveralCaches,
    /// How long caches keep a name is seen from the lookups, not from answers.
    LearnedLifetime,
    /// Sources whose number could not be told are left out.
    RefusedLeftOut,
    /// Suffixes of which a resolver answers from signed gaps (RFC 8198) are left out.
    SignedGaps,
    /// Most zones are signed such that a resolver can deny names from their gaps (RFC 8198): whether it does cannot be seen.
    MaybeGaps,
}

impl Caveat {
    /// The sentence in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Saturated => "nearly all names were seen: no upper bound",
            Self::Rounds => "counts rounds: a host that was off part of the day counts as a part",
            Self::CaptureLoss => "more than 1 % of packets were lost: reckoned with, but less sure",
            Self::AssumedCycle => "length of a cycle assumed",
            Self::ShortSpan => "watched for less than a cycle: hosts that slept are missing",
            Self::OrderOfMagnitude => "names are cached for long: order of magnitude only",
            Self::SeveralCaches => "several caches behind the address",
            Self::LearnedLifetime => "cache lifetime seen from lookups, not from answers",
            Self::RefusedLeftOut => "sources whose number is not known are left out",
            Self::SignedGaps => "suffixes that lack names, as if answered from signed gaps (RFC 8198), are left out",
            Self::MaybeGaps => "zones are signed: if the resolver answers from their gaps (RFC 8198), hosts are more",
        }
    }
}

/// Why there is no honest number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// No verdict: nothing to count.
    NotInfected,
    /// It expands lists and runs no worm.
    Reader,
    /// Nobody knows how the hosts of this family choose names.
    UnknownBehaviour,
    /// Caches keep names for more than half a cycle.
    LongLifetime,
    /// How long caches keep names is not known.
    UnknownLifetime,
    /// Names of some suffixes are missing as a resolver makes them that answers from signed gaps (RFC 8198).
    AggressiveNsec,
    /// The lookups were not kept: the room for them was full.
    NotKept,
    /// The hosts are counted at the clients of this resolver.
    Upstream,
    /// No source of the family has a number.
    NoSource,
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NotInfected,
        Self::Reader,
        Self::UnknownBehaviour,
        Self::LongLifetime,
        Self::UnknownLifetime,
        Self::AggressiveNsec,
        Self::NotKept,
        Self::Upstream,
        Self::NoSource,
    ];

    /// The sentence in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotInfected => "no verdict of infection",
            Self::Reader => "reads lists, runs no worm",
            Self::UnknownBehaviour => "how hosts of this family choose names is not known",
            Self::LongLifetime => "caches keep the names for more than half a cycle",
            Self::UnknownLifetime => "how long caches keep the names is not known",
            Self::AggressiveNsec => "the resolver answers from signed gaps (RFC 8198)",
            Self::NotKept => "its lookups were not kept: no room",
            Self::Upstream => "counted at its clients",
            Self::NoSource => "no infected source whose hosts can be counted",
        }
    }

    /// The label of metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotInfected => "not_infected",
            Self::Reader => "reader",
            Self::UnknownBehaviour => "unknown_behaviour",
            Self::LongLifetime => "long_lifetime",
            Self::UnknownLifetime => "unknown_lifetime",
            Self::AggressiveNsec => "aggressive_nsec",
            Self::NotKept => "not_kept",
            Self::Upstream => "upstream",
            Self::NoSource => "no_source",
        }
    }
}

/// A number of hosts as far as it can be known. It cannot be had without its interval: there is no way to turn it into
/// one plain number.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    low: f64,
    best: f64,
    /// Infinite where there is no upper bound.
    high: f64,
    /// What all numbers of the kind are uncertain by together, so that it does not average out: factors of low and high.
    shared: (f64, f64),
    method: Method,
    caveats: Vec<Caveat>,
}

impl Estimate {
    fn new(method: Method, (low, best, high): (f64, f64, f64)) -> Self {
        Self { low: low.min(best), best, high: high.max(best), shared: (1.0, 1.0), method, caveats: vec![] }
    }

    fn shared(mut self, low: f64, high: f64) -> Self {
        self.shared = (low, high);
        self
    }

    /// What was counted, where that are rounds, without what they say of hosts.
    #[must_use]
    pub fn as_rounds(self) -> Self {
        self.shared(1.0, 1.0)
    }

    /// The same with an interval that holds another's.
    #[must_use]
    pub fn with_bounds_of(self, other: &Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high), ..self }
    }

    /// The same with a caveat more.
    #[must_use]
    pub fn with(mut self, caveat: Caveat) -> Self {
        if let Err(place) = self.caveats.binary_search(&caveat) {
            self.caveats.insert(place, caveat);
        }
        self
    }

    /// The same without upper bound: there may be any number more.
    #[must_use]
    pub fn without_bound(self) -> Self {
        Self { high: f64::INFINITY, ..self }
    }

    /// The same, which is at least `hosts`: each of them was seen.
    #[must_use]
    pub fn at_least(mut self, hosts: f64) -> Self {
        self.low = self.low.max(hosts);
        self.best = self.best.max(hosts);
        self.high = self.high.max(hosts);
        self
    }

    /// Low, best and high, in whole hosts rounded outwards: the three together. Without upper bound the last is none, and
    /// best is the lowest that is certain.
    pub fn figures(&self) -> (u64, u64, Option<u64>) {
        let whole = |hosts: f64| hosts.max(1.0) as u64;
        let low = whole((self.low * self.shared.0 + 1e-6).floor());
        let best = whole(self.best.round()).max(low);
        let high = self.high.is_finite().then(|| whole((self.high * self.shared.1 - 1e-6).ceil()).max(best));
        (low, best, high)
    }

    /// How it came about.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// What has to be known with it.
    pub fn caveats(&self) -> &[Caveat] {
        &self.caveats
    }

    /// Independent numbers added up: their squared distances add, what they share is counted once. Nothing for none.
    pub fn total<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut total: Option<Self> = None;
        let (mut below, mut above) = (0.0, 0.0);
        for part in parts {
            let to = total.get_or_insert_with(|| Self { low: 0.0, best: 0.0, high: 0.0, ..part.clone() });
            to.best += part.best;
            below += square(part.best - part.low);
            above += square(part.high - part.best);
            to.shared = (to.shared.0.min(part.shared.0), to.shared.1.max(part.shared.1));
            if to.method != part.method {
                to.method = Method::Sum;
            }
            *to = part.caveats.iter().fold(to.clone(), |to, caveat| to.with(*caveat));
        }
        total.map(|total| Self { low: total.best - f64::sqrt(below), high: total.best + f64::sqrt(above), ..total })
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.figures() {
            (low, _, None) => write!(f, "at least {low} ({})", self.method.label()),
            (low, best, Some(high)) => write!(f, "{low} to {high}, likely {best} ({})", self.method.label()),
        }
    }
}

#[cfg(test)]
mod tests;
