//! What a person wants to know first of a sensor: infected sources, each once; the weightiest; the hours gone by.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::figures::Sources;
use super::live_state::LiveState;
use crate::day::Timestamp;
use crate::dga::FamilyId;
use crate::export::snapshot::{Hour, Overview, TopSource};
use crate::ledger::{Evidence, Key, Ledger, Verdict};

/// Hours that are remembered: two days.
const HOURS: usize = 48;

/// Sources that are shown.
const TOP: usize = 25;

/// Rows among which the weightiest sources are looked for: a source seldom has weighty ones of more than four lists.
const TOP_ROWS: usize = 4 * TOP;

/// Over how long packets a second are counted.
const RATE: Duration = Duration::from_secs(60);

const NANOS_PER_HOUR: u64 = 3_600_000_000_000;

/// Counts that are made now and then, and those that go by the hour.
#[derive(Default)]
pub(super) struct Lookout {
    /// What was counted last; hours and rate are put in when it is handed over.
    counted: Overview,
    hours: VecDeque<Hour>,
    /// Packets and matches so far, when last looked at.
    before: (u64, u64),
    /// When how many packets had come, over the last minute.
    moments: VecDeque<(Instant, u64)>,
}

impl Lookout {
    /// Counts sources of any family, and finds the weightiest. Takes long when there is much evidence.
    pub(super) fn count(&mut self, state: &LiveState<'_, '_>, of_families: &Sources, now: Timestamp) {
        let (ledger, catalog) = (state.ledger(), &state.plan.catalog);
        let mut sources: HashMap<IpAddr, (Verdict, Timestamp)> = HashMap::new();
        for ((_, address), &(verdict, heard)) in of_families {
            let source = sources.entry(*address).or_insert((verdict, heard));
            *source = (source.0.max(verdict), source.1.max(heard));
        }
        let hour_ago = Timestamp::from_nanos(now.as_nanos().saturating_sub(NANOS_PER_HOUR));
        let infected = || sources.values().filter(|(verdict, _)| *verdict == Verdict::Infected).map(|(_, heard)| *heard);
        let name = |id: FamilyId| catalog.family(id).id().to_owned();
        self.counted = Overview {
            infected_now: infected().filter(|heard| *heard >= hour_ago).count() as u64,
            infected_today: infected().filter(|heard| heard.day() >= now.day()).count() as u64,
            infected: infected().count() as u64,
            suspect: (sources.len() - infected().count()) as u64,
            top: weightiest(ledger, &name),
            ..Overview::default()
        };
    }

    /// Lets time pass: so many packets and matches have come by now. A clock that was set back stays in the later hour.
    pub(super) fn pass(&mut self, now: Timestamp, instant: Instant, packets: u64, matches: u64) {
        let start = now.as_nanos() / NANOS_PER_HOUR * NANOS_PER_HOUR;
        let start = Timestamp::from_nanos(start);
        if self.hours.back().is_none_or(|hour| hour.start < start) {
            self.hours.push_back(Hour { start, packets: 0, matches: 0, infected: 0 });
            if self.hours.len() > HOURS {
                self.hours.pop_front();
            }
        }
        if let Some(hour) = self.hours.back_mut() {
            // Counts of matches fall when a reload drops a family.
            hour.packets += packets.saturating_sub(self.before.0);
            hour.matches += matches.saturating_sub(self.before.1);
            hour.infected = self.counted.infected_now;
        }
        self.before = (packets, matches);
        self.moments.push_back((instant, packets));
        while self.moments.front().is_some_and(|(then, _)| instant.saturating_duration_since(*then) > RATE) {
            self.moments.pop_front();
        }
    }

    /// What is known.
    pub(super) fn overview(&self) -> Overview {
        Overview { packet_rate: self.rate(), hours: self.hours.iter().copied().collect(), ..self.counted.clone() }
    }

    fn rate(&self) -> Option<f64> {
        let (&(first, before), &(last, after)) = (self.moments.front()?, self.moments.back()?);
        let seconds = last.saturating_duration_since(first).as_secs_f64();
        (seconds >= 1.0).then(|| after.saturating_sub(before) as f64 / seconds)
    }
}

/// How weighty evidence is, as the reports order it.
pub(super) type Weight = (Verdict, u64, u64, Reverse<Key>);

pub(super) fn weight(key: &Key, evidence: &Evidence) -> Weight {
    (Verdict::of(evidence), evidence.distinct_names(), evidence.matches + evidence.responses, Reverse(*key))
}

/// The sources with the weightiest rows, with all their rows added up.
fn weightiest(ledger: &Ledger, name: &dyn Fn(FamilyId) -> String) -> Vec<TopSource> {
    let mut rows: BinaryHeap<Reverse<Weight>> = BinaryHeap::with_capacity(TOP_ROWS + 1);
    for (key, evidence) in ledger.rows() {
        let weight = Reverse(weight(key, evidence));
        if rows.len() < TOP_ROWS {
            rows.push(weight);
        } else if rows.peek().is_some_and(|least| weight < *least) {
            rows.pop();
            rows.push(weight);
        }
    }
    let mut order: Vec<IpAddr> = vec![];
    for Reverse((.., Reverse(key))) in rows.into_sorted_vec() {
        if order.len() < TOP && !order.contains(&key.source) {
            order.push(key.source);
        }
    }
    let mut of: HashMap<IpAddr, Vec<(&Key, &Evidence)>> = order.iter().map(|source| (*source, vec![])).collect();
    for (key, evidence) in ledger.rows() {
        if let Some(rows) = of.get_mut(&key.source) {
            rows.push((key, evidence));
        }
    }
    let mut top: Vec<TopSource> =
        order.iter().map(|source| together(*source, of.remove(source).unwrap_or_default(), name)).collect();
    top.sort_by_key(|source| Reverse((source.verdict, source.names, source.matches + source.responses, Reverse(source.source))));
    top
}

fn together(source: IpAddr, mut rows: Vec<(&Key, &Evidence)>, name: &dyn Fn(FamilyId) -> String) -> TopSource {
    rows.sort_by_key(|(key, evidence)| Reverse(weight(key, evidence)));
    let mut families: Vec<String> = vec![];
    for (key, _) in &rows {
        let family = name(key.family);
        if !families.contains(&family) {
            families.push(family);
        }
    }
    let all = || rows.iter().map(|(_, evidence)| *evidence);
    TopSource {
        source,
        verdict: all().map(Verdict::of).max().unwrap_or(Verdict::Suspect),
        families,
        names: all().map(Evidence::distinct_names).sum(),
        matches: all().map(|evidence| evidence.matches).sum(),
        responses: all().map(|evidence| evidence.responses).sum(),
        first_seen: all().map(|evidence| evidence.first_seen).min().unwrap_or_default(),
        last_seen: all().map(|evidence| evidence.last_seen).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_rate() {
        let (mut lookout, begin) = (Lookout::default(), Instant::now());
        assert_eq!(lookout.overview().packet_rate, None);
        let hour = 3_600;
        // Ten minutes a step, 600 packets and 6 matches each, for 60 hours; the first hour is entered in its middle.
        for step in 0..360_u64 {
            let now = Timestamp::from_parts(hour / 2 + step * 600, 0);
            lookout.pass(now, begin + Duration::from_secs(step), step * 600, step * 6);
        }
        let overview = lookout.overview();
        assert_eq!(overview.hours.len(), HOURS);
        assert!(overview.hours.windows(2).all(|pair| pair[1].start.parts().0 == pair[0].start.parts().0 + hour));
        assert!(overview.hours[..47].iter().all(|hour| (hour.packets, hour.matches) == (3_600, 36)), "{:?}", overview.hours);
        assert!(overview.packet_rate.is_some_and(|rate| (rate - 600.0).abs() < 1e-6), "{:?}", overview.packet_rate);
        // The clock is set back, and counts fall: nothing is lost, nothing is negative.
        lookout.pass(Timestamp::from_parts(9, 0), begin + Duration::from_secs(360), 216_000, 0);
        let hours = lookout.overview().hours;
        assert_eq!((hours.len(), hours[47].start), (HOURS, overview.hours[47].start));
        assert_eq!(hours[47].matches, overview.hours[47].matches);
    }
}
