//! Different sources of each hour as sketches that leave a sensor: whoever unites those of many sensors counts each once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use datasketches::hll::{HllSketch, HllType};

use super::distinct::counted_as;
use super::{Hit, Verdict};
use crate::day::Timestamp;
use crate::dga::FamilyId;

/// What addresses are hashed with, as by [`Distinct`](super::Distinct): the same everywhere, or sketches of two sensors had
/// nothing in common.
pub const SHARED_KEY: u64 = 0;

/// The binary logarithm of a sketch's registers: 4 KiB, and a standard error of 1.6 % (1.04 divided by the root of 4,096).
const REGISTERS: u8 = 12;

/// Hours of families that are told apart: of ten families two months. They take 128 MiB at most.
const MOST: usize = 1 << 14;

const HOUR: u64 = 3_600;

/// Which sources were heard of in which hour.
#[derive(Default)]
pub struct Hourly {
    hours: BTreeMap<(FamilyId, u64), Hour>,
    /// Hits of hours for which there was no room.
    left_out: u64,
}

struct Hour {
    seen: HllSketch,
    infected: HllSketch,
    /// Whether it has changed since it was last written.
    is_new: bool,
}

/// A sketch of an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct HourSketch {
    /// The family.
    pub family: FamilyId,
    /// When the hour begins.
    pub hour: Timestamp,
    /// `seen`, or `infected`: those that had a verdict when they were heard of.
    pub scope: &'static str,
    /// In the format of Apache DataSketches.
    pub octets: Vec<u8>,
    /// Different sources, about.
    pub estimate: f64,
}

impl Hourly {
    /// Notes hits; `verdict` knows what their sources are taken for.
    pub fn add(&mut self, hits: &[Hit], verdict: impl Fn(&Hit) -> Option<Verdict>) {
        for hit in hits {
            let key = (hit.matched.family, hit.time.parts().0 / HOUR);
            if self.hours.len() >= MOST && !self.hours.contains_key(&key) {
                self.left_out += 1;
                continue;
            }
            let hour = self.hours.entry(key).or_insert_with(|| {
                let [seen, infected] =
                    [(); 2].map(|()| HllSketch::new(REGISTERS, HllType::Hll8).expect("there are such sketches"));
                Hour { seen, infected, is_new: true }
            });
            hour.is_new = true;
            let counted = (SHARED_KEY, counted_as(hit.source));
            hour.seen.update::<(u64, IpAddr)>(counted);
            if verdict(hit) == Some(Verdict::Infected) {
                hour.infected.update(counted);
            }
        }
    }

    /// Hits that are in no sketch.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All sketches of days with a sketch that changed since this was asked last; by family, then hour.
    pub fn take_changed(&mut self) -> Vec<HourSketch> {
        let day = |(family, hour): (FamilyId, u64)| (family, hour / 24);
        let mut changed: Vec<(FamilyId, u64)> =
            self.hours.iter().filter(|(_, hour)| hour.is_new).map(|(key, _)| day(*key)).collect();
        changed.dedup();
        let mut sketches = vec![];
        for (key, hour) in &mut self.hours {
            if changed.binary_search(&day(*key)).is_err() {
                continue;
            }
            hour.is_new = false;
            for (scope, sketch) in [("seen", &hour.seen), ("infected", &hour.infected)] {
                if !sketch.is_empty() {
                    let (octets, estimate) = (sketch.serialize(), sketch.composite_estimate());
                    let hour = Timestamp::from_parts(key.1 * HOUR, 0);
                    sketches.push(HourSketch { family: key.0, hour, scope, octets, estimate });
                }
            }
        }
        sketches
    }

    /// Forgets hours before a time.
    pub fn retire(&mut self, before: Timestamp) {
        self.hours.retain(|(_, hour), _| (hour + 1) * HOUR > before.parts().0);
    }

    /// The same under other numbers of families; what has none is left out.
    #[must_use]
    pub fn renumbered(self, number: impl Fn(FamilyId) -> Option<FamilyId>) -> Self {
        let hours = self.hours.into_iter().filter_map(|((family, hour), of)| Some(((number(family)?, hour), of)));
        Self { hours: hours.collect(), left_out: self.left_out }
    }
}

#[cfg(test)]
mod tests {
    use datasketches::hll::HllUnion;

    use super::*;
    use crate::day::Day;
    use crate::decode::Transport;
    use crate::watchlist::Match;

    fn hit(family: FamilyId, seconds: u64, source: u32) -> Hit {
        let matched = Match { family, list_day: Day::EPOCH, index: 0, collision: false };
        Hit {
            source: IpAddr::V4(source.into()),
            time: Timestamp::from_parts(seconds, 0),
            response: false,
            port: 0,
            transport: Transport::Udp,
            id: 0,
            recursive: true,
            server: None,
            lifetime: None,
            told: None,
            matched,
        }
    }

    fn verdict(hit: &Hit) -> Option<Verdict> {
        let IpAddr::V4(source) = hit.source else { return None };
        Some(if source.to_bits().is_multiple_of(4) { Verdict::Infected } else { Verdict::Suspect })
    }

    #[test]
    fn sketches_of_sensors_unite() {
        let [mut one, mut other, mut both] = [(); 3].map(|()| Hourly::default());
        for source in 0..30_000_u32 {
            let hit = [hit(3, 7_200 + u64::from(source) % 3_600, source)];
            both.add(&hit, verdict);
            if source % 3 < 2 {
                one.add(&hit, verdict);
            }
            if source % 3 > 0 {
                other.add(&hit, verdict);
            }
        }
        let [one, other, both] = [one, other, both].map(|mut hourly| hourly.take_changed());
        for (scope, expected) in [("seen", 30_000.0), ("infected", 7_500.0)] {
            let of = |sketches: &[HourSketch]| sketches.iter().find(|sketch| sketch.scope == scope).unwrap().clone();
            let mut union = HllUnion::new(REGISTERS).unwrap();
            for sketch in [of(&one), of(&other)] {
                union.update(&HllSketch::deserialize(&sketch.octets).unwrap());
            }
            let united = union.to_sketch(HllType::Hll8).composite_estimate();
            assert!((united / expected - 1.0).abs() < 0.05, "{scope}: {united}");
            assert!((united / of(&both).estimate - 1.0).abs() < 1e-9, "{scope}: {united}");
        }
    }

    #[test]
    fn by_hour_as_far_as_there_is_room() {
        let mut hourly = Hourly::default();
        hourly.add(&[hit(0, 10, 1), hit(0, 86_399, 4), hit(0, 86_400, 1), hit(2, 5, 1)], verdict);
        let words = |sketches: Vec<HourSketch>| -> Vec<(FamilyId, u64, &str)> {
            sketches.into_iter().map(|sketch| (sketch.family, sketch.hour.parts().0 / HOUR, sketch.scope)).collect()
        };
        let all = [(0, 0, "seen"), (0, 23, "seen"), (0, 23, "infected"), (0, 24, "seen"), (2, 0, "seen")];
        assert_eq!(words(hourly.take_changed()), all);
        assert_eq!(hourly.take_changed(), []);
        // A day is written as a whole.
        hourly.add(&[hit(0, 11, 8)], verdict);
        assert_eq!(words(hourly.take_changed()), [(0, 0, "seen"), (0, 0, "infected"), (0, 23, "seen"), (0, 23, "infected")]);
        hourly.retire(Timestamp::from_parts(3_600, 0));
        let mut hourly = hourly.renumbered(|family| (family == 0).then_some(7));
        hourly.add(&[hit(7, 90_000, 1)], verdict);
        hourly.add(&[hit(7, 4_000, 1)], verdict);
        let hours: Vec<u64> =
            words(hourly.take_changed()).iter().map(|(family, hour, _)| u64::from(*family) * 100 + hour).collect();
        assert_eq!(hours, [701, 723, 723, 724, 725]);
        (0..MOST as u64 + 5).for_each(|number| hourly.add(&[hit(1, number * HOUR, 1)], verdict));
        assert_eq!((hourly.hours.len(), hourly.left_out()), (MOST, 9));
    }
}
