//! Who asked for names of patterns: what is reported beside evidence, and never judged.

use std::net::IpAddr;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::day::{Day, Timestamp};
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

/// What was seen, by set, then pattern and source; of each set of patterns up to a bound, so that names that all the
/// world asks for take no room from another set. The room of a set is taken at its first sighting and does not grow.
pub(super) struct Sightings {
    sets: Vec<HashMap<(u32, IpAddr), Seen>>,
    bound: usize,
    refused: u64,
}

impl Sightings {
    pub(super) const fn new(bound: usize) -> Self {
        Self { sets: vec![], bound, refused: 0 }
    }

    pub(super) fn add(&mut self, sighting: &Sighting) {
        let Sighting { source, time, response, pattern } = *sighting;
        let fresh = Seen { queries: 0, responses: 0, first_seen: time, last_seen: time };
        let Some(seen) = self.place(pattern, source, fresh) else {
            self.refused += 1;
            return;
        };
        *(if response { &mut seen.responses } else { &mut seen.queries }) += 1;
        seen.first_seen = seen.first_seen.min(time);
        seen.last_seen = seen.last_seen.max(time);
    }

    /// Puts back a row that was written down.
    pub(super) fn restore(&mut self, pattern: PatternId, source: IpAddr, seen: Seen) {
        if self.place(pattern, source, seen).is_none() {
            self.refused += seen.queries + seen.responses;
        }
    }

    /// Adds what was noted elsewhere.
    pub(super) fn absorb(&mut self, pattern: PatternId, source: IpAddr, other: Seen) {
        let Some(seen) = self.place(pattern, source, Seen { queries: 0, responses: 0, ..other }) else {
            self.refused += other.queries + other.responses;
            return;
        };
        seen.queries = seen.queries.saturating_add(other.queries);
        seen.responses = seen.responses.saturating_add(other.responses);
        seen.first_seen = seen.first_seen.min(other.first_seen);
        seen.last_seen = seen.last_seen.max(other.last_seen);
    }

    pub(super) const fn add_refused(&mut self, refused: u64) {
        self.refused += refused;
    }

    /// The row of a source, which is `fresh` where there was none; nothing when there is no room.
    fn place(&mut self, pattern: PatternId, source: IpAddr, fresh: Seen) -> Option<&mut Seen> {
        let set = usize::from(pattern.set);
        if self.sets.len() <= set {
            self.sets.resize_with(set + 1, HashMap::new);
        }
        let rows = &mut self.sets[set];
        if rows.capacity() == 0 {
            rows.reserve(self.bound);
        }
        let full = rows.len() >= self.bound;
        match rows.entry((pattern.row, source)) {
            Entry::Occupied(row) => Some(row.into_mut()),
            Entry::Vacant(_) if full => None,
            Entry::Vacant(place) => Some(place.insert(fresh)),
        }
    }

    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PatternId, IpAddr, &Seen)> {
        let sets = self.sets.iter().enumerate();
        sets.flat_map(|(set, rows)| {
            rows.iter().map(move |((row, source), seen)| (PatternId { set: set as u16, row: *row }, *source, seen))
        })
    }

    /// Forgets what was last seen before a day.
    pub(super) fn retire(&mut self, before: Day) {
        for rows in &mut self.sets {
            if rows.values().any(|seen| seen.last_seen.day() < before) {
                // Into new room, because what is taken out leaves marks, and cleaning up would stop everything later.
                let mut kept = HashMap::with_capacity(self.bound);
                kept.extend(rows.drain().filter(|(_, seen)| seen.last_seen.day() >= before));
                *rows = kept;
            }
        }
    }

    /// Takes all, by pattern, then source by number, IPv4 first.
    pub(super) fn take_sorted(&mut self) -> Vec<(PatternId, IpAddr, Seen)> {
        let mut rows: Vec<_> = self.iter().map(|(pattern, source, seen)| (pattern, source, *seen)).collect();
        self.sets.clear();
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
