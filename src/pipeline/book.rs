//! Where findings are entered: addresses are masked, evidence added, news told, matches counted.

use super::Settings;
use super::shelf::Shelf;
use super::worker::Findings;
use crate::export::Events;
use crate::export::series::Series;
use crate::ledger::{Hit, Ledger, Masking, Rule, Sighting};
#[cfg(feature = "live")]
use crate::{day::Day, dga::FamilyId};

/// The ledger and what goes with it: no address goes past it unmasked.
pub(super) struct Book<'a> {
    pub(super) ledger: Ledger,
    /// Matches by source, for metrics.
    pub(super) series: Option<Series>,
    /// Matching queries and responses of each family.
    pub(super) matched: Vec<(u64, u64)>,
    masking: &'a Masking,
    events: Option<Events<'a>>,
}

impl<'a> Book<'a> {
    /// One that goes on from `ledger`.
    pub(super) fn new(settings: &'a Settings, shelf: &'a Shelf<'_>, mut ledger: Ledger) -> Self {
        ledger.judge_by(Rule::of_all(shelf.catalog()), settings.masking.tells_hosts_apart());
        let families: Vec<String> = shelf.catalog().iter().map(|(_, family)| family.id().to_owned()).collect();
        Self {
            ledger,
            matched: vec![(0, 0); families.len()],
            series: settings.series.map(|config| Series::new(config, families)),
            masking: &settings.masking,
            events: shelf.events(settings),
        }
    }

    pub(super) fn enter(&mut self, findings: &Findings) {
        let Self { ledger, series, matched, masking, events } = self;
        let masked: Vec<Hit>;
        let hits = if masking.is_none() {
            &findings.hits
        } else {
            let mask = |address| masking.mask(address);
            let mask = |hit: &Hit| Hit { source: mask(hit.source), server: hit.server.map(mask), ..*hit };
            masked = findings.hits.iter().map(mask).collect();
            &masked
        };
        for hit in hits {
            let family = usize::from(hit.matched.family);
            let (queries, responses) = &mut matched[family];
            if hit.response {
                *responses += 1;
            } else {
                *queries += 1;
                if let Some(series) = series {
                    series.add(hit.source, family, 1);
                }
            }
        }
        ledger.add_all(hits, |news| {
            if let Some(events) = events {
                events.news(news);
            }
        });
        for sighting in &findings.sightings {
            ledger.note(&Sighting { source: masking.mask(sighting.source), ..*sighting });
        }
    }

    /// Lets go of the evidence of list days before `before`, and sums it up as events.
    #[cfg(feature = "live")]
    pub(super) fn retire(&mut self, before: Day) {
        let rows = self.ledger.retire(before);
        let mut lists: Vec<(FamilyId, Day)> = rows.iter().map(|(key, _)| (key.family, key.list_day)).collect();
        lists.dedup();
        if let Some(events) = &mut self.events {
            events.summaries(lists, &rows);
        }
    }

    /// What it came to.
    pub(super) fn close(self) -> (Ledger, Option<Events<'a>>) {
        (self.ledger, self.events)
    }
}
