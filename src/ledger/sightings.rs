//! Who asked for names of patterns: what is reported beside evidence, and never judged.

use std::net::IpAddr;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::day::Timestamp;
use crate::watchlist::PatternId;

/// A name of a pattern met in traffic.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Who asked, or was answered.
    pub source: IpAddr,
    /// When.
    pub time: Timestamp,
    /// Whether the message was a response.
    pub response: bool,
    /// Which pattern.
    pub pattern: PatternId,
}

/// What one source did with the names of one pattern. The names are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Queries, repeated ones included.
    pub queries: u64,
    /// Responses that were sent to the source.
    pub responses: u64,
    /// The earliest of them all.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
}

/// What was seen, by pattern and source; of each set of patterns up to a bound, so that names that all the world asks
/// for take no room from another set.
pub(super) struct Sightings {
    rows: HashMap<(PatternId, IpAddr), Seen>,
    /// Rows of each set.
    kept: Vec<usize>,
    bound: usize,
    refused: u64,
}

impl Sightings {
    pub(super) fn new(bound: usize) -> Self {
        Self { rows: HashMap::new(), kept: vec![], bound, refused: 0 }
    }

    pub(super) fn add(&mut self, sighting: &Sighting) {
        let Sighting { source, time, response, pattern } = *sighting;
        let set = usize::from(pattern.set);
        if self.kept.len() <= set {
            self.kept.resize(set + 1, 0);
        }
        let seen = match self.rows.entry((pattern, source)) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(_) if self.kept[set] >= self.bound => {
                self.refused += 1;
                return;
            }
            Entry::Vacant(place) => {
                self.kept[set] += 1;
                place.insert(Seen { queries: 0, responses: 0, first_seen: time, last_seen: time })
            }
        };
        *(if response { &mut seen.responses } else { &mut seen.queries }) += 1;
        seen.first_seen = seen.first_seen.min(time);
        seen.last_seen = seen.last_seen.max(time);
    }

    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes all, by pattern, then source by number, IPv4 first.
    pub(super) fn take_sorted(&mut self) -> Vec<(PatternId, IpAddr, Seen)> {
        self.kept.clear();
        let mut rows: Vec<_> = self.rows.drain().map(|((pattern, source), seen)| (pattern, source, seen)).collect();
        rows.sort_unstable_by_key(|(pattern, source, _)| (*pattern, *source));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_its_bound() {
        let mut sightings = Sightings::new(2);
        let mut add = |set, source: &str, second, response| {
            let pattern = PatternId { set, row: 7 };
            sightings.add(&Sighting {
                source: source.parse().unwrap(),
                time: Timestamp::from_parts(second, 0),
                response,
                pattern,
            });
        };
        for (set, source, second, response) in [
            (1, "2001:db8::1", 5, false),
            (1, "192.0.2.1", 5, false),
            (1, "192.0.2.2", 5, false),
            (1, "192.0.2.1", 3, true),
            (0, "192.0.2.2", 9, true),
        ] {
            add(set, source, second, response);
        }
        assert_eq!(sightings.refused(), 1);
        let rows: Vec<String> = sightings
            .take_sorted()
            .iter()
            .map(|(pattern, source, seen)| {
                let second = |time: Timestamp| time.to_string()[18..19].to_owned();
                let times = (second(seen.first_seen), second(seen.last_seen));
                format!("{} {source} {} {} {} {}", pattern.set, seen.queries, seen.responses, times.0, times.1)
            })
            .collect();
        assert_eq!(rows, ["0 192.0.2.2 0 1 9 9", "1 192.0.2.1 1 1 3 5", "1 2001:db8::1 1 0 5 5"]);
    }
}
