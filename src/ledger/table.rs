//! All evidence, by source, family and list day.

use std::net::IpAddr;

use super::names::{Inserted, Names};
use super::rows::{INFECTED, Rows, WEIGHTS};
use super::sightings::Sightings;
use super::{Evidence, Hit, Seen, Sighting, Verdict};
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

impl Key {
    const fn of(hit: &Hit) -> Self {
        Self { family: hit.matched.family, list_day: hit.matched.list_day, source: hit.source }
    }
}

/// Evidence that is kept, up to a bound, all memory for it set aside at once.
///
/// Sources can be forged, so their number is the sender's choice. When it is full, the weakest evidence makes room:
/// fewest names that nobody owns, then not heard of for longest. No infected source is given up for a newcomer. Two
/// shares ([`SHARE`]) stay with those who asked for one name and for two: whoever floods the table with sources of some
/// weight still leaves others the time to get past it. Which ones are kept depends on the order of hits alone.
///
/// Names beyond the first few of a source take memory of their own, [`NAMES`] octets a row on average at most. Beyond,
/// no more names are noted, which no verdict depends on.
pub struct Ledger {
    rows: Rows,
    /// Octets that names may still take.
    room: usize,
    saturation: Saturation,
    sightings: Sightings,
}

/// What did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saturation {
    /// Hits of new sources for which there was no room.
    pub refused: u64,
    /// Rows of suspects that made room.
    pub evicted: u64,
    /// Rows of infected sources that made room, for others that became infected.
    pub evicted_infected: u64,
    /// Hits that these rows spoke of.
    pub evicted_hits: u64,
    /// Names that were not noted: the room for them was full.
    pub names_refused: u64,
}

/// A source has a verdict that it did not have.
pub struct News<'a> {
    /// Whose.
    pub key: Key,
    /// Which.
    pub verdict: Verdict,
    /// What it rests on.
    pub evidence: &'a Evidence,
}

/// Hits whose rows are looked for together.
const AHEAD: usize = 16;

/// The part of the rows that the suspects of each weight keep, whatever comes.
const SHARE: usize = 32;

/// Octets for names beyond the first few: of so many a row, and for at least so many rows.
const NAMES: usize = 256;
const LEAST_NAMED: usize = 1 << 14;

impl Ledger {
    /// An empty one that keeps evidence of at most `bound` sources, each counted once a family and list day, and for each
    /// set of patterns as many, each counted once a pattern.
    pub fn new(bound: usize) -> Self {
        let room = bound.max(LEAST_NAMED).saturating_mul(NAMES);
        Self { rows: Rows::new(bound), room, saturation: Saturation::default(), sightings: Sightings::new(bound) }
    }

    /// Adds hits in their order; tells when one makes a verdict.
    pub fn add_all(&mut self, hits: &[Hit], mut tell: impl FnMut(&News<'_>)) {
        for hits in hits.chunks(AHEAD) {
            // Rows lie anywhere in a large table, and fetching one takes longer than all else. Looked for together, they are
            // fetched together.
            let mut places = [None; AHEAD];
            for (place, hit) in places.iter_mut().zip(hits) {
                *place = self.rows.find(&Key::of(hit));
            }
            for (place, hit) in places.into_iter().zip(hits) {
                if let Some(news) = self.add_at(place, hit) {
                    tell(&news);
                }
            }
        }
    }

    /// Adds one hit; tells when it makes a verdict.
    pub fn add(&mut self, hit: &Hit) -> Option<News<'_>> {
        self.add_at(None, hit)
    }

    /// Adds a hit whose row may be at `place`, if nothing has moved since.
    #[inline]
    fn add_at(&mut self, place: Option<u32>, hit: &Hit) -> Option<News<'_>> {
        let key = Key::of(hit);
        let place = place.filter(|place| self.rows.is_at(*place, &key)).or_else(|| self.rows.find(&key));
        let Some(place) = place else { return self.add_new(key, hit) };
        match self.rows.hear(place).add(hit, &mut self.room) {
            Inserted::Known => return None,
            Inserted::NoRoom => {
                self.saturation.names_refused += 1;
                return None;
            }
            Inserted::New => {}
        }
        let (before, now) = self.rows.weigh(place);
        if before >= INFECTED || now < INFECTED {
            return None;
        }
        if self.rows.is_full() {
            self.keep_shares(place);
        }
        Some(News { key, verdict: Verdict::Infected, evidence: self.rows.row(place).1 })
    }

    /// Adds the first hit of a source.
    fn add_new(&mut self, key: Key, hit: &Hit) -> Option<News<'_>> {
        if self.rows.is_full() && !self.make_room() {
            self.saturation.refused += 1;
            return None;
        }
        let mut evidence = Evidence::before(hit);
        evidence.add(hit, &mut self.room);
        let place = self.rows.insert(key, evidence);
        Some(News { key, verdict: Verdict::Suspect, evidence: self.rows.row(place).1 })
    }

    /// Adds one name of a pattern.
    pub fn note(&mut self, sighting: &Sighting) {
        self.sightings.add(sighting);
    }

    /// Hits that the rows do not speak of.
    pub const fn not_kept(&self) -> u64 {
        self.saturation.refused + self.saturation.evicted_hits
    }

    /// What did not fit.
    pub const fn saturation(&self) -> Saturation {
        self.saturation
    }

    /// Names of patterns that came from sources for which there was no room.
    pub const fn sightings_refused(&self) -> u64 {
        self.sightings.refused()
    }

    /// Rows.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows that there may be.
    pub const fn bound(&self) -> usize {
        self.rows.bound()
    }

    /// Octets set aside for rows, and those that names take beyond.
    pub fn size(&self) -> (usize, usize) {
        let room = self.bound().max(LEAST_NAMED).saturating_mul(NAMES);
        (self.rows.size(), room - self.room)
    }

    /// All rows, the weakest first.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, &Evidence)> {
        self.rows.iter()
    }

    /// What was noted of patterns, in no order.
    pub fn sightings(&self) -> impl Iterator<Item = (PatternId, IpAddr, &Seen)> {
        self.sightings.iter()
    }

    /// Takes out the evidence of list days before those in `first_open`, one for each family of the catalog, in the order
    /// of its keys, and forgets what was noted of patterns before the day `before`.
    pub fn retire(&mut self, first_open: &[Day], before: Day) -> Vec<(Key, Evidence)> {
        let over = |key: &Key| first_open.get(usize::from(key.family)).is_some_and(|first| key.list_day < *first);
        let places = self.rows.places(over);
        let mut retired: Vec<_> = places.into_iter().map(|place| self.take(place)).collect();
        retired.sort_unstable_by_key(|(key, _)| *key);
        self.sightings.retire(before);
        retired
    }

    /// Takes what was noted of patterns, by pattern, then source.
    pub fn take_sightings(&mut self) -> Vec<(PatternId, IpAddr, Seen)> {
        self.sightings.take_sorted()
    }

    /// All evidence in the order of its keys.
    pub fn into_sorted(self) -> Vec<(Key, Evidence)> {
        let mut rows = self.rows.into_rows();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }

    /// Puts back a row that was written down; nothing when there is one already.
    pub(super) fn restore(&mut self, key: Key, evidence: Evidence) -> Option<()> {
        if self.rows.find(&key).is_some() {
            return None;
        }
        if self.rows.is_full() && !self.make_room() {
            self.saturation.refused += evidence.matches + evidence.responses;
            self.release(&evidence);
        } else {
            self.rows.insert(key, evidence);
        }
        Some(())
    }

    /// Puts back a name that was written down.
    pub(super) fn restore_name(&mut self, names: &mut Names, index: u32) {
        if names.insert(index, &mut self.room) == Inserted::NoRoom {
            self.saturation.names_refused += 1;
        }
    }

    /// Puts back what was noted of a pattern.
    pub(super) fn restore_sighting(&mut self, pattern: PatternId, source: IpAddr, seen: Seen) {
        self.sightings.restore(pattern, source, seen);
    }

    /// Adds what did not fit before.
    pub(super) const fn restore_counts(&mut self, before: Saturation, sightings_refused: u64) {
        self.saturation.refused += before.refused;
        self.saturation.evicted += before.evicted;
        self.saturation.evicted_infected += before.evicted_infected;
        self.saturation.evicted_hits += before.evicted_hits;
        self.saturation.names_refused += before.names_refused;
        self.sightings.add_refused(sightings_refused);
    }

    /// Gives back what the names of evidence take, which is not kept.
    pub(super) fn release(&mut self, evidence: &Evidence) {
        self.room += evidence.names.charged();
    }

    /// Gives up the weakest row for a newcomer; tells whether there is room now.
    fn make_room(&mut self) -> bool {
        let share = self.rows.bound() / SHARE;
        let suspects = 0..INFECTED;
        let beyond_share = suspects.clone().find(|weight| self.rows.queued(*weight) > share);
        let victim = beyond_share.or_else(|| suspects.clone().find(|weight| self.rows.queued(*weight) > 0));
        let Some(place) = victim.and_then(|weight| self.rows.oldest(weight, None)) else { return false };
        self.saturation.evicted += 1;
        self.evict(place);
        true
    }

    /// Gives up the weakest infected source where the one at `newest` would else take from the shares of suspects.
    #[cold]
    fn keep_shares(&mut self, newest: u32) {
        let infected = (INFECTED..WEIGHTS).map(|weight| self.rows.queued(weight)).sum::<usize>();
        if infected + 2 * (self.rows.bound() / SHARE) <= self.rows.bound() {
            return;
        }
        if let Some(place) = (INFECTED..WEIGHTS).find_map(|weight| self.rows.oldest(weight, Some(newest))) {
            self.saturation.evicted_infected += 1;
            self.evict(place);
        }
    }

    fn evict(&mut self, place: u32) {
        let (_, evidence) = self.take(place);
        self.saturation.evicted_hits += evidence.matches + evidence.responses;
    }

    fn take(&mut self, place: u32) -> (Key, Evidence) {
        let row = self.rows.remove(place);
        self.release(&row.1);
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Timestamp;
    use crate::decode::Transport;
    use crate::watchlist::Match;

    /// A hit of the source with this number.
    fn by(source: u32, index: u32, second: u64) -> Hit {
        Hit {
            source: IpAddr::V4(source.into()),
            time: Timestamp::from_parts(second, 0),
            response: index.is_multiple_of(2),
            port: 1_000 + second as u16,
            transport: Transport::ALL[second as usize % 2],
            matched: Match { family: 0, list_day: Day::EPOCH, index, collision: index == 9 },
        }
    }

    fn hit(source: &str, index: u32, second: u64) -> Hit {
        Hit { source: source.parse().unwrap(), ..by(0, index, second) }
    }

    fn kept(ledger: Ledger) -> Vec<String> {
        let rows = ledger.into_sorted();
        rows.iter().map(|(key, evidence)| format!("{} {}", key.source, evidence.distinct_names())).collect()
    }

    #[test]
    fn evidence_adds_up_in_any_order() {
        let mut hits: Vec<Hit> =
            (0..200).map(|n: u32| hit(&format!("192.0.2.{}", n % 7), n % 11, (n * 31 % 17).into())).collect();
        let report = |hits: &[Hit]| {
            let mut ledger = Ledger::new(100);
            hits.iter().for_each(|hit| {
                ledger.add(hit);
            });
            assert_eq!(ledger.saturation(), Saturation::default());
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
            let mut news = vec![];
            for index in indices {
                news.extend(ledger.add(&hit("192.0.2.1", *index, 5)).map(|news| news.verdict));
            }
            let rows = ledger.into_sorted();
            assert_eq!(Verdict::of(&rows[0].1), expected, "{indices:?}");
            // Each verdict is news once.
            let told: &[Verdict] = &[Verdict::Suspect, Verdict::Infected];
            assert_eq!(news, told[..1 + usize::from(expected == Verdict::Infected)]);
        }
    }

    #[test]
    fn the_weakest_makes_room() {
        let mut ledger = Ledger::new(2);
        for (source, index) in [("192.0.2.1", 1), ("2001:db8::1", 2), ("192.0.2.2", 3), ("192.0.2.2", 4), ("192.0.2.1", 5)] {
            ledger.add(&hit(source, index, 5));
        }
        // The second made room for the third's return, the first for the second time; what is lost is told.
        assert_eq!((ledger.not_kept(), ledger.saturation().evicted), (2, 2));
        assert_eq!(kept(ledger), ["192.0.2.1 1", "192.0.2.2 2"]);
        // The infected stay, and newcomers are only counted.
        let mut ledger = Ledger::new(2);
        for source in [1, 2, 3] {
            (0..3).for_each(|index| {
                ledger.add(&by(source, index, 5));
            });
        }
        assert_eq!((ledger.not_kept(), ledger.saturation().refused), (3, 3));
        assert_eq!(kept(ledger), ["0.0.0.1 3", "0.0.0.2 3"]);
    }

    #[test]
    fn who_is_heard_of_is_not_the_oldest() {
        let mut ledger = Ledger::new(4);
        for source in [1, 2, 3, 4, 1, 1, 5, 6] {
            ledger.add(&by(source, 1, 5));
        }
        assert_eq!(kept(ledger), ["0.0.0.1 1", "0.0.0.4 1", "0.0.0.5 1", "0.0.0.6 1"]);
    }

    /// Sources of two names each, forged, in any number: who asks for one name after the other still gets past them.
    #[test]
    fn each_weight_keeps_its_share() {
        let bound = 1 << 12;
        let mut ledger = Ledger::new(bound);
        for forged in 0..10 * bound as u32 {
            (0..2).for_each(|index| {
                ledger.add(&by(1 << 24 | forged, index, 1));
            });
            // Asks once in a while, slower than the forged come.
            if forged % 50 == 0 {
                ledger.add(&by(7, forged / 50, 1));
            }
        }
        // And forged ones of three names.
        for forged in 0..10 * bound as u32 {
            (0..3).for_each(|index| {
                ledger.add(&by(2 << 24 | forged, index, 1));
            });
            if forged % 25 == 0 {
                ledger.add(&by(8, forged / 25, 1));
            }
        }
        assert!(ledger.len() >= bound - 1 && ledger.saturation().evicted_infected > 0);
        let rows = ledger.into_sorted();
        for source in [7, 8] {
            let row = rows.iter().find(|(key, _)| key.source == IpAddr::V4(source.into()));
            assert_eq!(row.map(|(_, evidence)| Verdict::of(evidence)), Some(Verdict::Infected), "{source}");
        }
    }

    #[test]
    fn many_at_once_are_one_after_the_other() {
        let mut state = 3_u64;
        let hits = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            by((state >> 33) as u32 % 40, (state >> 50) as u32 % 6, state >> 60)
        });
        let hits: Vec<Hit> = hits.take(5_000).collect();
        // Full nearly always, so that rows are taken out and put in while they are looked for.
        for bound in [0, 1, 7, 30, 100] {
            let (mut one, mut all) = (Ledger::new(bound), Ledger::new(bound));
            let (mut told_one, mut told_all) = (vec![], vec![]);
            for hit in &hits {
                told_one.extend(one.add(hit).map(|news| (news.key, news.verdict)));
            }
            all.add_all(&hits, |news| told_all.push((news.key, news.verdict)));
            assert_eq!((told_one, one.saturation()), (told_all, all.saturation()));
            assert_eq!(format!("{:?}", one.into_sorted()), format!("{:?}", all.into_sorted()));
        }
    }

    #[test]
    fn days_close() {
        let mut ledger = Ledger::new(100);
        for n in 0..60 {
            let mut hit = by(n % 20, n, 5);
            hit.matched.list_day = Day::EPOCH.plus(n as i32 % 3);
            ledger.add(&hit);
        }
        let retired = ledger.retire(&[Day::EPOCH.plus(2)], Day::EPOCH.plus(2));
        assert!(retired.is_sorted_by_key(|(key, _)| *key) && retired.iter().all(|(key, _)| key.list_day < Day::EPOCH.plus(2)));
        assert_eq!((retired.len(), ledger.len()), (40, 20));
        (0..80).for_each(|n| {
            ledger.add(&by(1_000 + n, 1, 5));
        });
        assert_eq!((ledger.len(), ledger.saturation()), (100, Saturation::default()));
        assert_eq!(ledger.retire(&[Day::LAST], Day::LAST).len(), 100);
        assert_eq!(ledger.size().1, 0);
    }

    /// Against a map that keeps all, with random sources, names and days to retire.
    #[test]
    fn rows_are_found_whatever_was_taken_out() {
        use std::collections::BTreeMap;
        let mut ledger = Ledger::new(300);
        let mut oracle: BTreeMap<Key, u64> = BTreeMap::new();
        let mut state = 7_u64;
        for step in 0..30_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut hit = by((state >> 33) as u32 % 90, (state >> 50) as u32 % 20, 5);
            hit.matched.list_day = Day::EPOCH.plus(step / 1_000 + (state >> 40) as i32 % 3);
            ledger.add(&hit);
            *oracle.entry(Key { family: 0, list_day: hit.matched.list_day, source: hit.source }).or_default() += 1;
            if step % 1_000 == 999 {
                let before = Day::EPOCH.plus(step / 1_000 + 1);
                for (key, evidence) in ledger.retire(&[before], before) {
                    assert_eq!(oracle.remove(&key), Some(evidence.matches + evidence.responses));
                }
                assert!(oracle.keys().all(|key| key.list_day >= before));
            }
        }
        assert_eq!(ledger.not_kept(), 0);
        let rows: BTreeMap<Key, u64> = ledger.rows().map(|(key, row)| (*key, row.matches + row.responses)).collect();
        assert_eq!(rows, oracle);
    }
}
