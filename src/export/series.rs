//! Which sources have a series of their own in `/metrics`, so that their number is bounded whoever floods us.
//!
//! ```text
//!  matching query --> has the source a series? -- yes --> its counter
//!                                  | no
//!                                  +--> `other` of its family
//!                                  `--> candidates: who among the rest is active
//!
//!  settle: while the best candidate clearly beats the weakest series, they change places
//! ```
//!
//! Invariants
//! * For each family the counters of all series and of `other` sum to its matching queries, always.
//! * A counter never goes down while its series stays. A series that goes adds its counts to `other`, which so never goes
//!   down either. A source that comes back begins at 0: what it asked for before stays in `other`.
//! * At most [`SeriesConfig::max_sources`] sources have series, one for each family that they asked for. Memory is fixed at the start.
//! * A newcomer must have more than twice the weakest one's activity, so a source that stays active keeps its series.
//!
//! Activity is matching queries, halved by each [`Series::age`]. Candidates are counted as in HeavyKeeper (Gong et al.,
//! USENIX ATC 2018): one place a hash, whose count a stranger lowers with a probability that falls with the count. A count
//! is never more than its source's own queries, so 14 million sources of one query each displace nobody.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::snapshot::SourceSeries;

/// How sources become series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesConfig {
    /// How many sources have series of their own; 0 for no series at all.
    pub max_sources: usize,
    /// Networks instead of addresses.
    pub prefix: Option<SourcePrefix>,
}

/// Octets of addresses that are kept, v4 and v6: `24,56`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePrefix {
    v4: u8,
    v6: u8,
}

impl FromStr for SourcePrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let length = |text: &str, most: u8| text.parse().ok().filter(|length| *length <= most);
        let parts = text.split_once(',').and_then(|(v4, v6)| Some(Self { v4: length(v4, 32)?, v6: length(v6, 128)? }));
        parts.ok_or_else(|| "write two prefix lengths, of IPv4 and of IPv6, such as 24,56".to_owned())
    }
}

/// A source as it is told apart: an address, or the network it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    address: IpAddr,
    length: Option<u8>,
}

impl Place {
    fn new(address: IpAddr, prefix: Option<SourcePrefix>) -> Self {
        let Some(prefix) = prefix else { return Self { address, length: None } };
        match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix.v4)).unwrap_or(0);
                Self { address: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), length: Some(prefix.v4) }
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix.v6)).unwrap_or(0);
                Self { address: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), length: Some(prefix.v6) }
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        self.length.map_or(Ok(()), |length| write!(f, "/{length}"))
    }
}

/// A source with series of its own.
struct Kept {
    activity: u64,
    /// Matching queries by family, by its place among the families.
    matches: Box<[u64]>,
}

/// A source that may get them.
#[derive(Clone, Copy)]
struct Candidate {
    place: Place,
    activity: u64,
}

/// Picks the sources that have series.
pub struct Series {
    config: SeriesConfig,
    families: Vec<String>,
    kept: HashMap<Place, Kept>,
    other: Box<[u64]>,
    candidates: Box<[Option<Candidate>]>,
    hasher: RandomState,
    /// The state of a small generator of chance (xorshift).
    chance: u64,
}

/// Places for candidates per series: few enough to stay in cache, enough that two active ones seldom meet.
const CANDIDATES: usize = 8;

/// From so much activity on a candidate is practically never lowered by others: 1.08^-64 is under one in a hundred.
const FIRM: usize = 64;

impl Series {
    /// None yet. Families are told apart by their place in `families`.
    pub fn new(config: SeriesConfig, families: Vec<String>) -> Self {
        let hasher = RandomState::new();
        let places = if config.max_sources == 0 { 0 } else { (config.max_sources * CANDIDATES).next_power_of_two() };
        Self {
            config,
            kept: HashMap::with_capacity(config.max_sources),
            other: vec![0; families.len()].into(),
            candidates: vec![None; places].into(),
            chance: hasher.hash_one(0) | 1,
            hasher,
            families,
        }
    }

    /// The same for other families, in their order: those that are new have no matches yet, those that are gone are left out.
    #[must_use]
    pub fn with_families(self, families: Vec<String>) -> Self {
        let places: Vec<Option<usize>> =
            families.iter().map(|family| self.families.iter().position(|before| before == family)).collect();
        let counts = |before: &[u64]| places.iter().map(|place| place.map_or(0, |place| before[place])).collect();
        let other = counts(&self.other);
        let kept = self.kept.into_iter().map(|(place, kept)| (place, Kept { matches: counts(&kept.matches), ..kept })).collect();
        Self { families, other, kept, ..self }
    }

    /// Counts matching queries of a source for names of a family.
    pub fn add(&mut self, source: IpAddr, family: usize, queries: u64) {
        if self.config.max_sources == 0 {
            return;
        }
        let place = Place::new(source, self.config.prefix);
        if let Some(kept) = self.kept.get_mut(&place) {
            kept.activity = kept.activity.saturating_add(queries);
            kept.matches[family] += queries;
        } else if self.kept.len() < self.config.max_sources {
            let mut matches: Box<[u64]> = vec![0; self.families.len()].into();
            matches[family] = queries;
            self.kept.insert(place, Kept { activity: queries, matches });
        } else {
            self.other[family] += queries;
            self.consider(place, queries);
        }
    }

    /// Lets time pass: old activity counts half. Call it at even intervals; an hour suits worms, which ask in bursts.
    pub fn age(&mut self) {
        self.kept.values_mut().for_each(|kept| kept.activity /= 2);
        for candidate in &mut self.candidates {
            if let Some(Candidate { activity, .. }) = candidate {
                *activity /= 2;
                if *activity == 0 {
                    *candidate = None;
                }
            }
        }
    }

    /// Gives series to those who have become more active, and tells all, sorted. For the making of a snapshot.
    pub fn settle(&mut self) -> Vec<SourceSeries> {
        self.exchange();
        let mut kept: Vec<_> = self.kept.iter().collect();
        kept.sort_unstable_by_key(|(place, _)| **place);
        let mut rows = vec![];
        for (place, kept) in kept {
            let source = place.to_string();
            for (family, matches) in self.families.iter().zip(&kept.matches).filter(|(_, matches)| **matches > 0) {
                rows.push(SourceSeries { source: source.clone(), family: family.clone(), matches: *matches });
            }
        }
        if self.config.max_sources > 0 {
            let other = self.families.iter().zip(&self.other);
            let source = SourceSeries::OTHER;
            rows.extend(other.map(|(family, matches)| SourceSeries {
                source: source.to_owned(),
                family: family.clone(),
                matches: *matches,
            }));
        }
        rows
    }

    fn exchange(&mut self) {
        let mut best: Vec<Candidate> = self.candidates.iter().flatten().copied().collect();
        if best.is_empty() {
            return;
        }
        best.sort_unstable_by_key(|candidate| (std::cmp::Reverse(candidate.activity), candidate.place));
        let mut weakest: Vec<(u64, Place)> = self.kept.iter().map(|(place, kept)| (kept.activity, *place)).collect();
        weakest.sort_unstable();
        for (newcomer, (activity, place)) in best.iter().zip(weakest) {
            if newcomer.activity <= activity.saturating_mul(2) {
                break;
            }
            if let Some(gone) = self.kept.remove(&place) {
                self.other.iter_mut().zip(&gone.matches).for_each(|(other, matches)| *other += matches);
            }
            let matches = vec![0; self.families.len()].into();
            self.kept.insert(newcomer.place, Kept { activity: newcomer.activity, matches });
            let at = self.index(newcomer.place);
            self.candidates[at] = None;
        }
    }

    /// Remembers who is active without having series.
    fn consider(&mut self, place: Place, queries: u64) {
        let at = self.index(place);
        match &mut self.candidates[at] {
            Some(candidate) if candidate.place == place => candidate.activity = candidate.activity.saturating_add(queries),
            Some(candidate) => {
                let activity = usize::try_from(candidate.activity).unwrap_or(usize::MAX).min(FIRM);
                // Lowered with a probability of 1.08^-activity.
                self.chance ^= self.chance << 13;
                self.chance ^= self.chance >> 7;
                self.chance ^= self.chance << 17;
                if activity == FIRM || (self.chance >> 11) as f64 * f64::powi(2.0, -53) >= f64::powi(1.08, -(activity as i32)) {
                    return;
                }
                candidate.activity = candidate.activity.saturating_sub(queries);
                if candidate.activity == 0 {
                    *candidate = Candidate { place, activity: queries };
                }
            }
            free => *free = Some(Candidate { place, activity: queries }),
        }
    }

    fn index(&self, place: Place) -> usize {
        // The number of candidates is a power of two; the hash's low bits suffice.
        self.hasher.hash_one(place) as usize & (self.candidates.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(max_sources: usize) -> Series {
        Series::new(SeriesConfig { max_sources, prefix: None }, vec!["a".to_owned(), "b".to_owned()])
    }

    fn of(rows: &[SourceSeries], source: &str, family: &str) -> Option<u64> {
        rows.iter().find(|row| row.source == source && row.family == family).map(|row| row.matches)
    }

    fn v4(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn the_sum_is_what_was_added_and_no_counter_falls() {
        let mut series = series(16);
        let mut added = [0; 2];
        let mut before: HashMap<(String, String), u64> = HashMap::new();
        let mut state = 7_u64;
        for round in 0_u32..300 {
            for _ in 0..200 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (family, source) = ((state >> 40) as usize % 2, (state >> 33) as u32 % 61 + round / 50 * 20);
                let queries = u64::from(source % 5);
                series.add(v4(source), family, queries);
                added[family] += queries;
            }
            if round % 20 == 0 {
                series.age();
            }
            let rows = series.settle();
            for (family, name) in ["a", "b"].into_iter().enumerate() {
                let sum: u64 = rows.iter().filter(|row| row.family == name).map(|row| row.matches).sum();
                assert_eq!(sum, added[family]);
            }
            let mut sources: Vec<&String> = rows.iter().map(|row| &row.source).collect();
            sources.dedup();
            assert!(sources.len() <= 17, "{}", sources.len());
            let now: HashMap<_, _> = rows.into_iter().map(|row| ((row.source, row.family), row.matches)).collect();
            // A source that lost its place and had it again within one round would begin anew; one round is one settle.
            for (key, matches) in &now {
                assert!(before.get(key).is_none_or(|before| before <= matches), "{key:?} fell in round {round}");
            }
            before = now;
        }
    }

    #[test]
    fn whoever_stays_active_stays() {
        let mut series = series(10);
        for round in 0..50_u32 {
            (0..10).for_each(|n| series.add(v4(n), 0, 10));
            // Others are half as active again: not clearly more.
            (100..140).for_each(|n| series.add(v4(n), 0, 15));
            let rows = series.settle();
            for n in 0..10 {
                assert_eq!(of(&rows, &v4(n).to_string(), "a"), Some(10 * u64::from(round + 1)));
            }
            series.age();
        }
    }

    #[test]
    fn whoever_falls_silent_goes() {
        let mut series = series(2);
        [1, 2].into_iter().for_each(|n| series.add(v4(n), 0, 100));
        for _ in 0..7 {
            series.age();
        }
        series.add(v4(3), 1, 5);
        let rows = series.settle();
        assert_eq!(of(&rows, "0.0.0.3", "a"), None);
        series.add(v4(3), 1, 5);
        let rows = series.settle();
        assert_eq!(of(&rows, "0.0.0.3", "b"), Some(5));
        assert_eq!((of(&rows, "other", "a"), of(&rows, "other", "b")), (Some(100), Some(5)));
    }

    #[test]
    fn a_flood_of_made_up_sources_displaces_nobody_and_hides_nobody_active() {
        let mut series = series(100);
        (0..1_000_000_u32).for_each(|n| series.add(v4(0x0A00_0000 + n), 0, 1));
        // Their places go to those who really ask.
        for _ in 0..100 {
            (0..100).for_each(|n| series.add(v4(n), 0, 1));
        }
        series.settle();
        (0..1_000_000_u32).for_each(|n| series.add(v4(0x0B00_0000 + n), 0, 1));
        (0..100).for_each(|n| series.add(v4(n), 0, 1));
        let rows = series.settle();
        let real = rows.iter().filter(|row| row.source.starts_with("0.0.0.")).count();
        assert!(real >= 80, "{real} of 100 have a series");
    }

    #[test]
    fn networks_and_none() {
        let prefix: SourcePrefix = "24,56".parse().unwrap();
        let mut series = Series::new(SeriesConfig { max_sources: 9, prefix: Some(prefix) }, vec!["a".to_owned()]);
        for source in ["192.0.2.7", "192.0.2.200", "192.0.3.1", "2001:db8:0:1ff::1", "2001:db8:0:100::9"] {
            series.add(source.parse().unwrap(), 0, 2);
        }
        let rows = series.settle();
        let rows: Vec<(&str, u64)> = rows.iter().map(|row| (row.source.as_str(), row.matches)).collect();
        assert_eq!(rows, [("192.0.2.0/24", 4), ("192.0.3.0/24", 2), ("2001:db8:0:100::/56", 4), ("other", 0)]);

        let all: SourcePrefix = "0,0".parse().unwrap();
        assert_eq!(Place::new(v4(77), Some(all)).to_string(), "0.0.0.0/0");
        assert_eq!(Place::new("2001:db8::1".parse().unwrap(), Some(all)).to_string(), "::/0");
        for wrong in ["", "24", "33,56", "24,129", "24,56,1", "-1,0"] {
            assert!(wrong.parse::<SourcePrefix>().is_err(), "{wrong}");
        }

        let mut none = Series::new(SeriesConfig { max_sources: 0, prefix: None }, vec!["a".to_owned()]);
        none.add(v4(1), 0, 1);
        none.age();
        assert_eq!(none.settle(), []);
    }
}
