//! Where findings are entered: addresses are masked, evidence added, news told, matches counted.

#[cfg(feature = "live")]
use std::collections::BTreeSet;
#[cfg(feature = "live")]
use std::sync::Arc;

use super::Settings;
#[cfg(feature = "live")]
use super::plan::Plan;
use super::shelf::Shelf;
use super::worker::Findings;
use crate::decode::Told;
use crate::export::series::Series;
use crate::export::{Events, Timeline};
use crate::ledger::{Answer, AnswerCounts, AnswerKind, Hit, Hourly, Ledger, Masking, Rule, Sighting, Sinkholes};
#[cfg(feature = "live")]
use crate::{
    day::Day,
    dga::FamilyId,
    ledger::{Evidence, Key, LiveList},
};

/// The ledger and what goes with it: no address goes past it unmasked.
pub(super) struct Book<'a> {
    pub(super) ledger: Ledger,
    /// Matches by source, for metrics.
    pub(super) series: Option<Series>,
    /// Matching queries and responses of each family.
    pub(super) matched: Vec<(u64, u64)>,
    /// What responses said about the names of each family.
    pub(super) answers: Vec<AnswerCounts>,
    sinkholes: &'a Sinkholes,
    /// Matches by hour, where they are wanted.
    timeline: Option<Timeline>,
    /// Sources by hour, where they are wanted.
    pub(super) hourly: Option<Hourly>,
    masking: &'a Masking,
    events: Option<Events<'a>>,
}

impl<'a> Book<'a> {
    /// One that goes on from `ledger`.
    pub(super) fn new(settings: &'a Settings, shelf: &'a Shelf, mut ledger: Ledger) -> Self {
        ledger.judge_by(Rule::of_network(shelf.catalog(), settings.clients), settings.masking.tells_hosts_apart());
        ledger.reconsider(&settings.sinkholes);
        let families = shelf.catalog().ids();
        Self {
            ledger,
            matched: vec![(0, 0); families.len()],
            answers: vec![AnswerCounts::default(); families.len()],
            sinkholes: &settings.sinkholes,
            series: settings.series.map(|config| Series::new(config, families)),
            timeline: settings.timeline.then(Timeline::default),
            hourly: settings.sketches.then(Hourly::default),
            masking: &settings.masking,
            events: shelf.events(settings),
        }
    }

    pub(super) fn enter(&mut self, findings: &Findings) {
        let Self { ledger, series, matched, answers, sinkholes, timeline, hourly, masking, events } = self;
        let masked: Vec<Hit>;
        let hits = if masking.is_none() {
            &findings.hits
        } else {
            let mask = |address| masking.mask(address);
            let mask = |hit: &Hit| Hit { source: mask(hit.source), server: hit.server.map(mask), ..*hit };
            masked = findings.hits.iter().map(mask).collect();
            &masked
        };
        // Which of the answers were asked for, and queries that came after their answers.
        let (mut solicited, mut late) = (Vec::with_capacity(findings.answers.len()), vec![]);
        ledger.pair(hits, |hit, is_second| {
            let family = usize::from(hit.matched.family);
            let (queries, responses) = &mut matched[family];
            if hit.response {
                *responses += 1;
                match hit.told {
                    Some(Told::Addresses) => solicited.push(is_second),
                    Some(told) => answers[family][AnswerKind::of(told) as usize] += 1,
                    None => {}
                }
            } else {
                *queries += 1;
                if is_second {
                    late.push(hit);
                }
                if let Some(series) = series {
                    series.add(hit.source, family, 1);
                }
            }
        });
        if let Some(timeline) = timeline {
            timeline.add(hits);
        }
        ledger.add_all(hits, |news| {
            if let Some(events) = events {
                events.news(news);
            }
        });
        if let Some(hourly) = hourly {
            hourly.add(hits, |hit| ledger.verdict(hit));
        }
        debug_assert_eq!(findings.answers.len(), solicited.len(), "each hit that tells addresses has an answer");
        for (answer, solicited) in findings.answers.iter().zip(solicited) {
            let masked: Answer;
            let answer = if masking.is_none() {
                answer
            } else {
                masked = Answer { source: masking.mask(answer.source), ..answer.clone() };
                &masked
            };
            let (kind, revelation) = ledger.answer(answer, solicited, sinkholes);
            answers[usize::from(answer.matched.family)][kind as usize] += 1;
            if let (Some(events), Some(revelation)) = (events.as_mut(), revelation) {
                events.revelation(&revelation);
            }
        }
        for query in late {
            if let (Some(revelation), Some(events)) = (ledger.solicit(query), events.as_mut()) {
                events.revelation(&revelation);
            }
        }
        for sighting in &findings.sightings {
            ledger.note(&Sighting { source: masking.mask(sighting.source), ..*sighting });
        }
    }

    /// Streams evidence that changed, where anybody streams; tells whether that was all.
    #[cfg(feature = "stream")]
    pub(super) fn stream_evidence(&mut self, shelf: &Shelf) -> bool {
        let Self { ledger, events, .. } = self;
        events.as_mut().is_none_or(|events| events.evidence(ledger, &shelf.lists()))
    }

    /// Takes out the evidence of list days before those in `first_open`, one for each family, and sums it up as events.
    #[cfg(feature = "live")]
    pub(super) fn retire(&mut self, first_open: &[Day], before: Day) -> Vec<(Key, Evidence)> {
        let over = |family: FamilyId, list_day| first_open.get(usize::from(family)).is_some_and(|first| list_day < *first);
        let live = LiveList::of_all(self.ledger.live_names().filter(|(name, _)| over(name.family, name.list_day)));
        let rows = self.ledger.retire(first_open, before);
        let mut lists: BTreeSet<(FamilyId, Day)> = rows.iter().map(|(key, _)| (key.family, key.list_day)).collect();
        lists.extend(live.keys());
        if let Some(events) = &mut self.events {
            events.summaries(lists, &rows, &live);
        }
        rows
    }

    /// What goes over to another plan. This one followed `plan`.
    #[cfg(feature = "live")]
    pub(super) fn keep(self, plan: &Arc<Plan>) -> Kept {
        let Self { ledger, series, matched, answers, hourly, .. } = self;
        Kept { plan: Arc::clone(plan), ledger, series, matched, answers, hourly }
    }

    /// What it came to.
    pub(super) fn close(self) -> Closed<'a> {
        let Self { ledger, timeline, hourly, events, answers, .. } = self;
        Closed { ledger, timeline, hourly, events, answers }
    }
}

/// What a book came to.
pub(super) struct Closed<'a> {
    pub(super) ledger: Ledger,
    pub(super) timeline: Option<Timeline>,
    pub(super) hourly: Option<Hourly>,
    pub(super) events: Option<Events<'a>>,
    pub(super) answers: Vec<AnswerCounts>,
}

/// What is in a book, under the numbers that a plan gives to families, lists and patterns.
#[cfg(feature = "live")]
pub(super) struct Kept {
    plan: Arc<Plan>,
    ledger: Ledger,
    /// None at the start.
    series: Option<Series>,
    /// None at the start.
    matched: Vec<(u64, u64)>,
    /// None at the start.
    answers: Vec<AnswerCounts>,
    /// None at the start.
    hourly: Option<Hourly>,
}

#[cfg(feature = "live")]
impl Kept {
    /// Evidence that was found by `plan`, or is numbered as if it was.
    pub(super) const fn new(plan: Arc<Plan>, ledger: Ledger) -> Self {
        Self { plan, ledger, series: None, matched: vec![], answers: vec![], hourly: None }
    }

    /// The book of a plan that goes on from it, and what had to be left out: a sentence each.
    pub(super) fn go_on(self, plan: &Plan) -> (Book<'_>, Vec<String>) {
        let Self { plan: before, ledger, series, matched, answers, hourly } = self;
        let Plan { catalog, settings, shelf } = plan;
        if std::ptr::eq(&*before, plan) {
            return (Book::new(settings, shelf, ledger), vec![]);
        }
        let mut written = vec![];
        before.context().write(&ledger, &mut written).expect("memory takes everything");
        // Its memory first: there would be two of them.
        drop(ledger);
        let restored = plan.context().read(&written, settings.max_sources).expect("what was written just now can be read");
        let mut book = Book::new(settings, shelf, restored.ledger);
        for (id, family) in catalog.iter() {
            let same = before.catalog.iter().find(|(_, before)| before.id() == family.id());
            if let Some((same, _)) = same {
                book.matched[usize::from(id)] = matched[usize::from(same)];
                book.answers[usize::from(id)] = answers[usize::from(same)];
            }
        }
        let number =
            |of: FamilyId| catalog.iter().find(|(_, family)| family.id() == before.catalog.family(of).id()).map(|(id, _)| id);
        book.hourly = hourly.map(|hourly| hourly.renumbered(number));
        book.series = series.map(|series| series.with_families(catalog.ids()));
        (book, restored.left_out)
    }
}
