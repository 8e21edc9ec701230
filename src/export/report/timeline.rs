//! What was found by hour: queries, responses, and sources that differ. Only counted where somebody asks for it.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::ledger::Hit;

/// Hours that are told apart; those of two years. Captures with wild times have more, and are counted without a time.
const MOST_HOURS: usize = 17_544;

/// Sources that are told apart, in all hours and in all days: 24 octets each, some 100 MB at most.
const MOST_SOURCES: usize = 2_000_000;

const SECONDS_PER_HOUR: u64 = 3_600;
const HOURS_PER_DAY: u64 = 24;

/// What was found by hour.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    hours: BTreeMap<u64, Found>,
    days: BTreeMap<u64, u64>,
    in_hours: HashSet<(u32, IpAddr)>,
    in_days: HashSet<(u32, IpAddr)>,
    /// Hits of hours for which there was no room.
    left_out: u64,
    /// Whether some sources are not counted.
    pub(super) crowded: bool,
}

/// What was found in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Queries and responses.
    pub(super) hits: u64,
    /// Sources of them, each once; nothing where the stretch is neither an hour nor a day.
    pub(super) sources: Option<u64>,
}

impl Timeline {
    /// Counts hits.
    pub fn add(&mut self, hits: &[Hit]) {
        for hit in hits {
            let hour = hit.time.parts().0 / SECONDS_PER_HOUR;
            if self.hours.len() >= MOST_HOURS && !self.hours.contains_key(&hour) {
                self.left_out += 1;
                continue;
            }
            let found = self.hours.entry(hour).or_default();
            found.hits += 1;
            let sources = found.sources.get_or_insert_default();
            let day = hour / HOURS_PER_DAY;
            // Times end in the year 2554: there are under five million hours.
            let (of_hour, of_day) = ((hour as u32, hit.source), (day as u32, hit.source));
            let room = self.in_hours.len() < MOST_SOURCES;
            if room && self.in_hours.insert(of_hour) {
                *sources += 1;
                if self.in_days.insert(of_day) {
                    *self.days.entry(day).or_default() += 1;
                }
            }
            self.crowded |= !room && !self.in_hours.contains(&of_hour);
        }
    }

    /// Hits that are in no hour.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The first and the last hour with a hit, since 1970.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        Some((*self.hours.first_key_value()?.0, *self.hours.last_key_value()?.0))
    }

    /// What was found in `hours` hours from `first` on.
    pub(super) fn found(&self, first: u64, hours: u64) -> Found {
        let hits = self.hours.range(first..first.saturating_add(hours)).map(|(_, found)| found.hits).sum();
        let sources = match hours {
            1 => Some(self.hours.get(&first).and_then(|found| found.sources).unwrap_or(0)),
            HOURS_PER_DAY if first.is_multiple_of(HOURS_PER_DAY) => {
                Some(self.days.get(&(first / HOURS_PER_DAY)).copied().unwrap_or(0))
            }
            _ => None,
        };
        Found { hits, sources }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::day::{Day, Timestamp};
    use crate::decode::Transport;
    use crate::watchlist::Match;

    fn hit(seconds: u64, source: u32) -> Hit {
        let matched = Match { family: 0, list_day: Day::EPOCH, index: 0, collision: false };
        let time = Timestamp::from_parts(seconds, 0);
        let (source, transport) = (IpAddr::V4(source.into()), Transport::Udp);
        let (response, port, id, recursive, server, lifetime, told) = (false, 0, 0, true, None, None, None);
        Hit { source, time, response, port, transport, id, recursive, server, lifetime, told, matched }
    }

    #[test]
    fn hours_and_days_as_counted_by_hand() {
        let mut timeline = Timeline::default();
        let mut state = 1_u64;
        let mut hits = vec![];
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            hits.push(hit((state >> 33) % 400_000, (state >> 50) as u32 % 40));
        }
        hits.chunks(777).for_each(|hits| timeline.add(hits));
        for (length, most) in [(1, 112), (24, 5)] {
            for at in 0..most {
                let within = |hit: &&Hit| hit.time.parts().0 / SECONDS_PER_HOUR / length == at;
                let sources: BTreeSet<IpAddr> = hits.iter().filter(within).map(|hit| hit.source).collect();
                let expected = Found { hits: hits.iter().filter(within).count() as u64, sources: Some(sources.len() as u64) };
                assert_eq!(timeline.found(at * length, length), expected);
            }
        }
        assert_eq!(timeline.found(0, 48).sources, None);
        assert_eq!((timeline.span(), timeline.left_out(), timeline.crowded), (Some((0, 111)), 0, false));
    }

    #[test]
    fn wild_times_are_bounded() {
        let mut timeline = Timeline::default();
        let hits: Vec<Hit> = (0..20_000).map(|n| hit(n * 900_000, 1)).chain([hit(u64::MAX / 1_000_000_000, 1)]).collect();
        timeline.add(&hits);
        let kept: u64 = timeline.found(0, u64::MAX).hits;
        assert_eq!((timeline.hours.len(), kept + timeline.left_out()), (MOST_HOURS, 20_001));
    }
}
