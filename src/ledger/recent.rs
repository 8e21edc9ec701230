//! Which sources asked for listed names lately: different addresses within an hour, a cycle, a day, a week, up to now.
//!
//! As long as they are few, it is kept of each when it was heard of last, which answers for any window that ends now. Beyond
//! [`EXACT`] addresses of a family there is a sketch for each hour instead, whose union is that of the hours.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::{DefaultHashBuilder, HashMap};

use super::distinct::{Count, Distinct, EXACT, counted_as};
use super::{Key, Verdict};
use crate::day::Timestamp;
use crate::dga::FamilyId;

/// The longest window, in seconds.
const LONGEST: u64 = 7 * 86_400;

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// The sources of all families that were heard of within a week.
pub struct Recent {
    families: BTreeMap<FamilyId, OfFamily>,
    /// What sketches are hashed with.
    key: u64,
    /// The seconds since 1970 when the first source was heard of, and of the latest packet.
    span: Option<(u64, u64)>,
    exact: usize,
}

enum OfFamily {
    Exact(HashMap<IpAddr, Heard>),
    /// By the hour since 1970.
    Hourly(BTreeMap<u64, Hour>),
}

/// When a source was heard of last, in minutes since 1970: at all, and since it is infected (0 if it is not).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) seen: u32,
    pub(super) infected: u32,
}

struct Hour {
    seen: Distinct,
    infected: Distinct,
}

/// Different sources within a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Within {
    /// Those that asked for a listed name.
    pub seen: Count,
    /// Those of them with a verdict.
    pub infected: Count,
}

impl Default for Recent {
    fn default() -> Self {
        Self { families: BTreeMap::new(), key: DefaultHashBuilder::default().hash_one(0_u8), span: None, exact: EXACT }
    }
}

impl Recent {
    /// Notes all evidence of a moment, and forgets what is older than a week at `now`. Times that are later count as now.
    pub(super) fn note<'r>(&mut self, rows: impl Iterator<Item = (&'r Key, Verdict, Timestamp)>, now: Timestamp) {
        let (now, _) = now.parts();
        let (mut first, latest) = self.span.unwrap_or((now, now));
        for (key, verdict, last_seen) in rows {
            first = first.min(last_seen.parts().0);
            let minute = (last_seen.parts().0.min(now) / MINUTE).min(u32::MAX.into()) as u32;
            let infected = if verdict == Verdict::Infected { minute } else { 0 };
            self.add(key.family, key.source, Heard { seen: minute, infected });
        }
        self.span = Some((first.min(now), latest.max(now)));
        let oldest = now.saturating_sub(LONGEST);
        self.families.retain(|_, family| match family {
            OfFamily::Exact(sources) => {
                sources.retain(|_, heard| u64::from(heard.seen) * MINUTE >= oldest);
                !sources.is_empty()
            }
            OfFamily::Hourly(hours) => {
                hours.retain(|hour, _| *hour >= oldest / HOUR);
                !hours.is_empty()
            }
        });
    }

    /// Notes a source.
    pub(super) fn add(&mut self, family: FamilyId, source: IpAddr, heard: Heard) {
        let family = self.families.entry(family).or_insert_with(|| OfFamily::Exact(HashMap::new()));
        match family {
            OfFamily::Hourly(hours) => add_to(hours, self.key, source, heard),
            OfFamily::Exact(sources) => {
                let known = sources.entry(counted_as(source)).or_default();
                *known = Heard { seen: known.seen.max(heard.seen), infected: known.infected.max(heard.infected) };
                if sources.len() > self.exact {
                    let mut hours = BTreeMap::new();
                    sources.iter().for_each(|(source, heard)| add_to(&mut hours, self.key, *source, *heard));
                    *family = OfFamily::Hourly(hours);
                }
            }
        }
    }

    /// Different sources of a family in the last `seconds`, to the minute; to whole hours where there are too many to keep
    /// each.
    pub fn within(&self, family: FamilyId, seconds: u64) -> Within {
        let from = self.span.map_or(0, |(_, latest)| latest.saturating_sub(seconds));
        match self.families.get(&family) {
            None => Within { seen: Count::exactly(0), infected: Count::exactly(0) },
            Some(OfFamily::Exact(sources)) => {
                let from = from.div_ceil(MINUTE);
                let count = |minute: fn(&Heard) -> u32| sources.values().filter(|heard| u64::from(minute(heard)) >= from).count();
                // One that was never infected has the minute 0, which is in no window.
                let infected = sources.values().filter(|heard| heard.infected > 0 && u64::from(heard.infected) >= from);
                Within { seen: Count::exactly(count(|heard| heard.seen)), infected: Count::exactly(infected.count()) }
            }
            Some(OfFamily::Hourly(hours)) => {
                let union = |of: fn(&Hour) -> &Distinct| {
                    let mut union = Distinct::new(self.key, 0);
                    hours.range(from / HOUR..).for_each(|(_, hour)| union.merge(of(hour)).expect("hours share a key"));
                    union.count()
                };
                Within { seen: union(|hour| &hour.seen), infected: union(|hour| &hour.infected) }
            }
        }
    }

    /// Seconds from the first source that was heard of to the latest packet: windows that are longer are not full yet.
    pub fn watched(&self) -> u64 {
        self.span.map_or(0, |(first, latest)| latest - first)
    }

    /// From when to when, in seconds since 1970.
    pub(super) const fn span(&self) -> Option<(u64, u64)> {
        self.span
    }

    /// Puts back what [`Self::span`] said.
    pub(super) const fn restore_span(&mut self, span: (u64, u64)) {
        self.span = Some(span);
    }

    /// The sources of each family, in no order; nothing where there are too many to keep each.
    pub(super) fn kept(&self) -> impl Iterator<Item = (FamilyId, Option<&HashMap<IpAddr, Heard>>)> {
        self.families.iter().map(|(id, family)| match family {
            OfFamily::Exact(sources) => (*id, Some(sources)),
            OfFamily::Hourly(_) => (*id, None),
        })
    }
}

fn add_to(hours: &mut BTreeMap<u64, Hour>, key: u64, source: IpAddr, heard: Heard) {
    let mut add = |minute: u32, of: fn(&mut Hour) -> &mut Distinct| {
        let empty = || Hour { seen: Distinct::new(key, 0), infected: Distinct::new(key, 0) };
        of(hours.entry(u64::from(minute) * MINUTE / HOUR).or_insert_with(empty)).add(source);
    };
    add(heard.seen, |hour| &mut hour.seen);
    if heard.infected > 0 {
        add(heard.infected, |hour| &mut hour.infected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Day;

    fn key(source: u32) -> Key {
        Key { family: 3, list_day: Day::EPOCH, source: IpAddr::V4(source.into()) }
    }

    /// Against a list of all sightings, with sources that come, go and become infected.
    #[test]
    fn as_a_list_of_all_would_have_it() {
        for (exact, error) in [(EXACT, 0.0_f64), (50, 0.05)] {
            let mut recent = Recent { exact, ..Recent::default() };
            let mut all: Vec<(u64, u32, bool)> = vec![];
            let mut state = 5_u64;
            for hour in 1..400_u64 {
                let now = hour * HOUR + 600;
                let rows: Vec<_> = (0..30_u64)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let (source, second) = ((state >> 33) as u32 % 2_000, now - (state >> 50) % 600);
                        all.push((second, source, source.is_multiple_of(3)));
                        let verdict = if source.is_multiple_of(3) { Verdict::Infected } else { Verdict::Suspect };
                        (key(source), verdict, Timestamp::from_parts(second, 0))
                    })
                    .collect();
                recent.note(rows.iter().map(|(key, verdict, time)| (key, *verdict, *time)), Timestamp::from_parts(now, 0));
                if hour % 37 != 0 {
                    continue;
                }
                for window in [HOUR, 4 * HOUR, 24 * HOUR, LONGEST] {
                    let within = recent.within(3, window);
                    let expected = |infected: bool| {
                        let in_time = all.iter().filter(|(second, _, sure)| *second + window >= now && (*sure || !infected));
                        let sources: std::collections::BTreeSet<u32> = in_time.map(|(_, source, _)| *source).collect();
                        sources.len() as f64
                    };
                    // An hour's sketch tells no minutes, so that the first hour of a window counts whole.
                    let near =
                        |count: Count, expected: f64| (count.best - expected).abs() <= error.mul_add(expected, 600.0 * error);
                    assert!(
                        near(within.seen, expected(false)) && near(within.infected, expected(true)),
                        "{hour} {window} {within:?}"
                    );
                    assert!(within.seen.low <= within.seen.best && within.infected.best <= within.seen.best.mul_add(1.05, 1.0));
                }
            }
            assert_eq!(recent.watched() / HOUR, 398);
            let kept: Vec<bool> = recent.kept().map(|(_, sources)| sources.is_some()).collect();
            assert_eq!(kept, [exact == EXACT]);
            // A week on nothing is left.
            recent.note(std::iter::empty(), Timestamp::from_parts(400 * HOUR + 8 * 86_400, 0));
            assert!(recent.families.is_empty());
            assert_eq!(recent.within(3, LONGEST).seen.best, 0.0);
        }
    }

    #[test]
    fn clocks_that_jump() {
        let mut recent = Recent::default();
        let far = Timestamp::from_parts(u64::from(u32::MAX) * 200, 0);
        recent.note([(&key(1), Verdict::Infected, far)].into_iter(), Timestamp::from_parts(100 * HOUR, 0));
        recent.note([(&key(2), Verdict::Infected, far)].into_iter(), Timestamp::from_parts(99 * HOUR, 0));
        assert_eq!(recent.within(3, HOUR).infected.best, 2.0);
        assert_eq!(recent.watched(), HOUR);
    }
}
