//! All evidence, by source, family and list day.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::ahead::AHEAD;
use super::askers::Popularity;
use super::evidence::FEW_TO_SET_ASIDE;
use super::names::{Inserted, Names};
use super::rendezvous::LiveNames;
use super::role::Servers;
use super::rows::{INFECTED, Rows, WEIGHTS};
use super::rule::{Rules, Standard};
use super::sightings::Sightings;
use super::trace::{TRACE, Trace};
use super::{Evidence, Hit, Key, Recent, Rule, Seen, Sighting, Verdict};
use crate::day::{Day, Timestamp};
use crate::dga::FamilyId;
use crate::watchlist::PatternId;

/// Evidence that is kept, up to a bound, all memory for it set aside at once.
///
/// Sources can be forged, so their number is the sender's choice. When it is full, the weakest evidence makes room:
/// fewest names that nobody owns, then not heard of for longest. No infected source is given up for a newcomer. Two
/// shares ([`SHARE`]) stay with those who asked for one name and for two: whoever floods the table with sources of some
/// weight still leaves others the time to get past it. Which ones are kept depends on the order of hits alone.
///
/// Names beyond the first few of a source take memory of their own, [`NAMES`] octets a row on average at most, and the
/// traces of infected sources [`TRACES`]. Beyond, no more are noted, which no verdict depends on.
pub struct Ledger {
    pub(super) rows: Rows,
    /// Octets that names may still take.
    pub(super) room: usize,
    /// Octets that traces may still take.
    pub(super) trace_room: usize,
    pub(super) saturation: Saturation,
    pub(super) sightings: Sightings,
    /// By family.
    rules: Vec<Rule>,
    pub(super) popularity: Popularity,
    pub(super) servers: Servers,
    recent: Recent,
    pub(super) live: LiveNames,
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

/// Sources with names of a placebo from which chance is measured.
const ENOUGH_TO_MEASURE: u64 = 20;

/// The part of the rows that the suspects of each weight keep, whatever comes.
const SHARE: usize = 32;

/// Octets for names beyond the first few: of so many a row, and for at least so many rows.
const NAMES: usize = 256;
const LEAST_NAMED: usize = 1 << 14;

/// Octets for traces, of so many a row; for as many rows.
const TRACES: usize = 64;

impl Ledger {
    /// An empty one that keeps evidence of at most `bound` sources, each counted once a family and list day, and for each
    /// set of patterns as many, each counted once a pattern.
    pub fn new(bound: usize) -> Self {
        let room = bound.max(LEAST_NAMED).saturating_mul(NAMES);
        Self {
            rows: Rows::new(bound),
            room,
            trace_room: bound.max(LEAST_NAMED).saturating_mul(TRACES),
            saturation: Saturation::default(),
            sightings: Sightings::new(bound),
            rules: vec![],
            popularity: Popularity::default(),
            servers: Servers::default(),
            recent: Recent::default(),
            live: LiveNames::default(),
        }
    }

    /// Takes rules, one a family; without them each verdict takes three names. `whole` where a source is one address.
    pub fn judge_by(&mut self, rules: Vec<Rule>, whole: bool) {
        self.rules = rules;
        self.servers.blind = !whole;
    }

    pub(super) fn rule(&self, family: FamilyId) -> Rule {
        self.rules.get(usize::from(family)).copied().unwrap_or_default()
    }

    /// Adds hits in their order; tells when one makes a verdict.
    pub fn add_all(&mut self, hits: &[Hit], mut tell: impl FnMut(&News<'_>)) {
        for hits in hits.chunks(AHEAD) {
            let places = self.fetch(hits);
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
        let evidence = self.rows.hear(place);
        let inserted = evidence.add(hit, &mut self.room);
        if let Some(trace) = &mut evidence.trace {
            let is_lookup = !hit.response || evidence.matches == 0;
            let pace = self.rules.get(usize::from(key.family)).map_or_else(|| Rule::default().pace(), Rule::pace);
            trace.add(hit, inserted == Inserted::New, is_lookup, pace, &mut self.trace_room);
        }
        if let Some(server) = hit.server {
            self.servers.add(server);
        }
        match inserted {
            Inserted::Known => return None,
            Inserted::NoRoom => {
                self.saturation.names_refused += 1;
                return None;
            }
            Inserted::New => {}
        }
        let rule = self.rule(key.family);
        self.ask(&key, place, hit, &rule);
        let (before, now) = self.rows.weigh(place);
        if before >= INFECTED || now < INFECTED {
            return None;
        }
        if self.trace_room >= TRACE {
            self.trace_room -= TRACE;
            let mut trace = Trace::default();
            trace.add(hit, true, !hit.response, rule.pace(), &mut self.trace_room);
            self.rows.judge(place).1.trace = Some(Box::new(trace));
        }
        if self.rows.is_full() {
            self.keep_shares(place);
        }
        Some(News { key, verdict: Verdict::Infected, evidence: self.rows.row(place).1 })
    }

    /// Counts a source that asks for a name that is new to it, and judges the source where that decides.
    fn ask(&mut self, key: &Key, place: u32, hit: &Hit, rule: &Rule) {
        let (_, evidence) = self.rows.row(place);
        let (distinct, many) = (evidence.distinct_names(), u64::from(rule.needed));
        self.popularity.add((key.family, key.list_day, hit.matched.index), distinct >= many);
        if distinct == many {
            for index in evidence.names().filter(|index| *index != hit.matched.index) {
                self.popularity.promote((key.family, key.list_day, index));
            }
        }
        // Whoever is infected is judged again when somebody wants to know.
        if distinct >= many && distinct <= FEW_TO_SET_ASIDE && self.rows.weight(place) < INFECTED {
            let (key, evidence) = self.rows.judge(place);
            evidence.judge(key, rule, &self.popularity, &self.servers, false);
        }
    }

    /// Judges the row at a place by what is known now.
    fn judge_at(&mut self, place: u32, rules: &Rules) {
        let (key, evidence) = self.rows.row(place);
        let upstream = evidence.trace.as_ref().and_then(|trace| trace.server);
        let forwards = upstream.is_some_and(|source| self.rows.find(&Key { source, ..*key }).is_some());
        let (key, evidence) = self.rows.judge(place);
        evidence.judge(key, &rules.of(key.family, key.list_day), &self.popularity, &self.servers, forwards);
    }

    /// Adds the first hit of a source.
    fn add_new(&mut self, key: Key, hit: &Hit) -> Option<News<'_>> {
        if let Some(server) = hit.server {
            self.servers.add(server);
        }
        if self.rows.is_full() && !self.make_room() {
            self.saturation.refused += 1;
            return None;
        }
        let rule = self.rule(key.family);
        let mut evidence = Evidence::before(hit, &rule);
        evidence.add(hit, &mut self.room);
        let place = self.rows.insert(key, evidence);
        self.ask(&key, place, hit, &rule);
        Some(News { key, verdict: Verdict::Suspect, evidence: self.rows.row(place).1 })
    }

    /// Adds one name of a pattern.
    pub fn note(&mut self, sighting: &Sighting) {
        self.sightings.add(sighting);
    }

    /// What the source of a hit is taken for, where its evidence is kept.
    pub fn verdict(&self, hit: &Hit) -> Option<Verdict> {
        self.rows.find(&Key::of(hit)).map(|place| Verdict::of(self.rows.row(place).1))
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

    /// Octets set aside for rows, and those that names and traces take beyond.
    pub fn size(&self) -> (usize, usize) {
        let room = self.bound().max(LEAST_NAMED).saturating_mul(NAMES + TRACES);
        (self.rows.size(), room - self.room - self.trace_room)
    }

    /// All rows, the weakest first.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, &Evidence)> {
        self.rows.iter()
    }

    /// Who asked lately, as far as [`Self::note_recent`] noted it.
    pub const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Notes who asked until `now`, before evidence of it goes.
    pub fn note_recent(&mut self, now: Timestamp) {
        let rows = self.rows.iter().map(|(key, evidence)| (key, Verdict::of(evidence), evidence.last_seen));
        self.recent.note(rows, now);
    }

    /// Where sources that were written down are put back.
    pub(super) const fn recent_mut(&mut self) -> &mut Recent {
        &mut self.recent
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
        let rules = self.measured_rules();
        places.iter().for_each(|place| self.judge_at(*place, &rules));
        let mut retired: Vec<_> = places.into_iter().map(|place| self.take(place)).collect();
        retired.sort_unstable_by_key(|(key, _)| *key);
        self.sightings.retire(before);
        self.live.retire(first_open, before);
        retired
    }

    /// Takes what was noted of patterns, by pattern, then source.
    pub fn take_sightings(&mut self) -> Vec<(PatternId, IpAddr, Seen)> {
        self.sightings.take_sorted()
    }

    /// All evidence in the order of its keys, judged by what is known in the end.
    pub fn into_sorted(mut self) -> Vec<(Key, Evidence)> {
        self.judge();
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
            let of_many = evidence.distinct_names() >= evidence.names_needed();
            for index in evidence.names() {
                self.popularity.add((key.family, key.list_day, index), of_many);
            }
            self.rows.insert(key, evidence);
        }
        Some(())
    }

    /// Puts back what was kept of a source past suspicion.
    pub(super) fn restore_trace(
        &mut self,
        mut trace: Trace,
        lookups: impl Iterator<Item = u64>,
        lifetimes: impl Iterator<Item = u16>,
    ) -> Option<Box<Trace>> {
        self.trace_room = self.trace_room.checked_sub(TRACE)?;
        lifetimes.enumerate().for_each(|(name, lifetime)| trace.restore_lifetime(name, lifetime, &mut self.trace_room));
        lookups.for_each(|lookup| trace.restore(lookup, &mut self.trace_room));
        Some(Box::new(trace))
    }

    /// Who was seen to answer.
    pub(super) const fn servers(&mut self) -> &mut Servers {
        &mut self.servers
    }

    /// Who was seen to answer, in no order.
    pub(super) fn answered(&self) -> impl ExactSizeIterator<Item = &IpAddr> {
        self.servers.iter()
    }

    /// Judges all evidence by what is known now.
    pub fn judge(&mut self) {
        let rules = self.measured_rules();
        for place in 0..self.rows.places_used() {
            if self.rows.is_kept(place) {
                self.judge_at(place, &rules);
                self.rows.weigh(place);
            }
        }
    }

    /// The rules as far as a placebo measures what chance does: of the sources with one of its names, how many have two.
    fn measured_rules(&self) -> Rules {
        let mut met: BTreeMap<(FamilyId, Day), (u32, u64, u64)> = BTreeMap::new();
        let any = self.rules.iter().any(|rule| rule.placebo_of.is_some());
        for (key, evidence) in any.then(|| self.rows.iter_as_they_lie()).into_iter().flatten() {
            if let Some((of, times)) = self.rule(key.family).placebo_of {
                let (all, one, more) = met.entry((of, key.list_day)).or_insert((times, 0, 0));
                (*all, *one) = (times, *one + 1);
                *more += u64::from(evidence.distinct_names() > 1);
            }
        }
        let enough = met.into_iter().filter(|(_, (_, one, _))| *one >= ENOUGH_TO_MEASURE);
        let measured = enough.map(|((family, day), (times, one, more))| {
            // A Poisson variable of small mean is above one half as often as the mean says, when it is above none.
            let background = 2.0 * (more + 1) as f64 / one as f64 / f64::from(times);
            ((family, day), self.rule(family).measured(background))
        });
        let fewest = self.rules.iter().map(|rule| rule.clients as usize).min().unwrap_or(usize::MAX);
        let mut sources: BTreeMap<(FamilyId, Day), u64> = BTreeMap::new();
        if self.len() > fewest {
            self.rows.iter_as_they_lie().for_each(|(key, _)| *sources.entry((key.family, key.list_day)).or_default() += 1);
        }
        Rules { measured: measured.collect(), sources, usual: self.rules.clone() }
    }

    /// Names of a list that are set aside.
    fn set_aside(&self, family: FamilyId, list_day: Day) -> u32 {
        self.popularity.set_aside(family, list_day, self.rule(family).list)
    }

    /// What verdicts on a list rest on, by what is known now.
    pub fn standards(&self) -> BTreeMap<(FamilyId, Day), Standard> {
        let rules = self.measured_rules();
        let lists: BTreeSet<(FamilyId, Day)> = self.rows.iter_as_they_lie().map(|(key, _)| (key.family, key.list_day)).collect();
        let standard = |(family, list_day)| {
            let rule = rules.of(family, list_day);
            Standard {
                needed: rule.needed,
                needed_of_crowd: rule.needed_of_crowd,
                names: rule.list,
                background: rule.background,
                habit: rule.habit,
                clients: rule.clients as u64,
                expected_false: rule.expected_false(),
                set_aside: self.set_aside(family, list_day),
                measured: rules.is_measured(family, list_day),
            }
        };
        lists.into_iter().map(|list| (list, standard(list))).collect()
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
        self.trace_room += evidence.trace.as_ref().map_or(0, |trace| trace.charged());
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
        let (key, evidence) = &row;
        let of_many = evidence.distinct_names() >= self.rule(key.family).needed.into();
        for index in evidence.names() {
            self.popularity.remove((key.family, key.list_day, index), of_many);
        }
        row
    }
}

#[cfg(test)]
mod tests;
