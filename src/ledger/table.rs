//! All evidence, by source, family and list day.

use std::net::IpAddr;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::sightings::Sightings;
use super::{Evidence, Hit, Seen, Sighting};
use crate::day::Day;
use crate::dga::FamilyId;
use crate::watchlist::PatternId;

/// Whose evidence it is; sorts as reports do: family, list day, then source by number, IPv4 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The family's place in the catalog.
    pub family: FamilyId,
    /// The day whose list was met.
    pub list_day: Day,
    /// Who asked, or was answered.
    pub source: IpAddr,
}

/// Evidence that is kept, up to a bound.
///
/// Sources can be forged, so their number is the sender's choice: beyond the bound a new source is counted, not kept.
/// Which ones are kept depends on the order of hits alone. The map is keyed by a random seed of each process.
pub struct Ledger {
    rows: HashMap<Key, Evidence>,
    bound: usize,
    refused: u64,
    sightings: Sightings,
}

impl Ledger {
    /// An empty one that keeps evidence of at most `bound` sources, each counted once a family and list day, and for each
    /// set of patterns as many, each counted once a pattern.
    pub fn new(bound: usize) -> Self {
        Self { rows: HashMap::new(), bound, refused: 0, sightings: Sightings::new(bound) }
    }

    /// Adds one hit.
    pub fn add(&mut self, hit: &Hit) {
        let full = self.rows.len() >= self.bound;
        let key = Key { family: hit.matched.family, list_day: hit.matched.list_day, source: hit.source };
        match self.rows.entry(key) {
            Entry::Occupied(row) => row.into_mut().add(hit),
            Entry::Vacant(_) if full => self.refused += 1,
            Entry::Vacant(place) => place.insert(Evidence::before(hit)).add(hit),
        }
    }

    /// Adds one name of a pattern.
    pub fn note(&mut self, sighting: &Sighting) {
        self.sightings.add(sighting);
    }

    /// Hits of sources that came when the table was full.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Names of patterns that came from sources for which there was no room.
    pub const fn sightings_refused(&self) -> u64 {
        self.sightings.refused()
    }

    /// Takes what was noted of patterns, by pattern, then source.
    pub fn take_sightings(&mut self) -> Vec<(PatternId, IpAddr, Seen)> {
        self.sightings.take_sorted()
    }

    /// All evidence in the order of its keys.
    pub fn into_sorted(self) -> Vec<(Key, Evidence)> {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Timestamp;
    use crate::ledger::Verdict;
    use crate::watchlist::Match;

    fn hit(source: &str, index: u32, second: u64) -> Hit {
        Hit {
            source: source.parse().unwrap(),
            time: Timestamp::from_parts(second, 0),
            response: index.is_multiple_of(2),
            matched: Match { family: 0, list_day: Day::EPOCH, index, collision: index == 9 },
        }
    }

    #[test]
    fn evidence_adds_up_in_any_order() {
        let mut hits: Vec<Hit> =
            (0..200).map(|n: u32| hit(&format!("192.0.2.{}", n % 7), n % 11, (n * 31 % 17).into())).collect();
        let report = |hits: &[Hit]| {
            let mut ledger = Ledger::new(100);
            hits.iter().for_each(|hit| ledger.add(hit));
            assert_eq!(ledger.refused(), 0);
            format!("{:?}", ledger.into_sorted())
        };
        let expected = report(&hits);
        hits.reverse();
        assert_eq!(report(&hits), expected);
    }

    #[test]
    fn three_names_that_nobody_owns() {
        let rows: [(&[u32], Verdict); 6] = [
            (&[1], Verdict::Suspect),
            (&[1, 1, 1, 1], Verdict::Suspect),
            (&[1, 2], Verdict::Suspect),
            (&[1, 2, 3], Verdict::Infected),
            (&[1, 2, 9], Verdict::Suspect),
            (&[1, 2, 9, 3], Verdict::Infected),
        ];
        for (indices, expected) in rows {
            let mut ledger = Ledger::new(1);
            indices.iter().for_each(|index| ledger.add(&hit("192.0.2.1", *index, 5)));
            let rows = ledger.into_sorted();
            assert_eq!(Verdict::of(&rows[0].1), expected, "{indices:?}");
        }
    }

    #[test]
    fn the_bound_holds_and_tells() {
        let mut ledger = Ledger::new(2);
        for (source, index) in [("192.0.2.1", 1), ("2001:db8::1", 2), ("192.0.2.2", 3), ("192.0.2.1", 4), ("192.0.2.2", 5)] {
            ledger.add(&hit(source, index, 5));
        }
        assert_eq!(ledger.refused(), 2);
        let sources: Vec<String> =
            ledger.into_sorted().iter().map(|(key, evidence)| format!("{} {}", key.source, evidence.distinct_names())).collect();
        assert_eq!(sources, ["192.0.2.1 2", "2001:db8::1 1"]);
    }
}
