//! Where findings are entered: addresses are masked, evidence added, news told.

use super::Settings;
use super::shelf::Shelf;
use super::worker::Findings;
use crate::export::Events;
use crate::ledger::{Hit, Ledger, Masking, Sighting};

/// The ledger and what goes with it: no address goes past it unmasked.
pub(super) struct Book<'a> {
    pub(super) ledger: Ledger,
    masking: &'a Masking,
    events: Option<Events<'a>>,
}

impl<'a> Book<'a> {
    pub(super) fn new(settings: &'a Settings, shelf: &'a Shelf<'_>) -> Self {
        Self { ledger: Ledger::new(settings.max_sources), masking: &settings.masking, events: shelf.events(settings) }
    }

    pub(super) fn enter(&mut self, findings: &Findings) {
        let Self { ledger, masking, events } = self;
        let masked: Vec<Hit>;
        let hits = if masking.is_none() {
            &findings.hits
        } else {
            masked = findings.hits.iter().map(|hit| Hit { source: masking.mask(hit.source), ..*hit }).collect();
            &masked
        };
        ledger.add_all(hits, |news| {
            if let Some(events) = events {
                events.news(news);
            }
        });
        for sighting in &findings.sightings {
            ledger.note(&Sighting { source: masking.mask(sighting.source), ..*sighting });
        }
    }

    /// What it came to.
    pub(super) fn close(self) -> (Ledger, Option<Events<'a>>) {
        (self.ledger, self.events)
    }
}
