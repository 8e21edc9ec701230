//! Owns what is found: the ledger, and what was read of each capture.

use std::collections::BTreeSet;

use super::worker::{Batch, Worker};
use crate::day::Day;
use crate::decode::Counts;
use crate::dga::Catalog;
use crate::export::{CaptureSummary, Report};
use crate::ledger::Ledger;

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Octets of the inputs that were read.
    pub octets: u64,
    /// Packets that were read.
    pub packets: u64,
}

/// Takes what workers found, in one order.
pub(super) struct Clerk<'p> {
    captures: Vec<CaptureSummary>,
    ledger: Ledger,
    so_far: Progress,
    progress: &'p mut dyn FnMut(Progress),
}

impl<'p> Clerk<'p> {
    /// For captures of these names.
    pub(super) fn new(paths: Vec<String>, max_sources: usize, progress: &'p mut dyn FnMut(Progress)) -> Self {
        let captures = paths.into_iter().map(|path| CaptureSummary { path, ..CaptureSummary::default() }).collect();
        Self { captures, ledger: Ledger::new(max_sources), so_far: Progress::default(), progress }
    }

    /// One capture more, of this name; returns its place.
    pub(super) fn open(&mut self, path: String) -> usize {
        self.captures.push(CaptureSummary { path, ..CaptureSummary::default() });
        self.captures.len() - 1
    }

    /// Takes what came of `octets` octets of the capture at a place.
    pub(super) fn take(&mut self, place: usize, octets: u64, batch: &Batch) {
        let capture = &mut self.captures[place];
        capture.packets += batch.packets;
        capture.bytes += batch.bytes;
        capture.span = match (capture.span, batch.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        if let Some(link) = batch.unknown_link {
            capture.error.get_or_insert_with(|| format!("holds packets of link type {}, which are not read", link.0));
        }
        batch.hits.iter().for_each(|hit| self.ledger.add(hit));
        self.so_far.octets += octets;
        self.so_far.packets += batch.packets;
        (self.progress)(self.so_far);
    }

    /// Notes how the reading of the capture at a place ended, unless it went well.
    pub(super) fn end(&mut self, place: usize, failure: Option<String>) {
        if failure.is_some() {
            self.captures[place].error = failure;
        }
    }

    /// The report of it all.
    pub(super) fn report(self, catalog: &Catalog, total: Total, skew: u16) -> Report<'_> {
        Report::new(catalog, self.captures, total.counts, &total.days, skew, self.ledger)
    }
}

/// What all workers counted.
#[derive(Default)]
pub(super) struct Total {
    counts: Counts,
    days: BTreeSet<Day>,
}

impl Total {
    pub(super) fn add(&mut self, worker: Worker<'_>) {
        let (counts, watchlist) = worker.finish();
        self.counts.merge(&counts);
        self.days.extend(watchlist.days());
    }
}
