//! Owns what is found: the ledger, what was read of each capture, and what must be put together in the order of packets.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Settings;
use super::book::{Book, Closed};
use super::shelf::Shelf;
use super::worker::{Asker, Batch, Findings, look_up, settle};
use crate::day::Day;
use crate::decode::{Assembler, Counts, Messages};
use crate::dga::Catalog;
use crate::export::{CaptureSummary, Found, Report};
use crate::ledger::Ledger;
use crate::watchlist::Watchlist;

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Octets of the inputs that were read.
    pub octets: u64,
    /// Packets that were read.
    pub packets: u64,
}

/// Takes what workers found, in one order.
pub(super) struct Clerk<'a, 'p> {
    captures: Vec<CaptureSummary>,
    shelf: &'a Shelf,
    book: Book<'a>,
    assembler: Assembler,
    /// Pieces that the assembler took.
    pieces: u64,
    watchlist: Watchlist<'a, Asker>,
    counts: Counts,
    /// Days of the packets.
    days: BTreeSet<Day>,
    so_far: Progress,
    progress: &'p mut dyn FnMut(Progress),
}

impl<'a, 'p> Clerk<'a, 'p> {
    /// For captures of these names.
    pub(super) fn new(
        paths: Vec<String>,
        settings: &'a Settings,
        shelf: &'a Shelf,
        progress: &'p mut dyn FnMut(Progress),
    ) -> Self {
        let captures = paths.into_iter().map(|path| CaptureSummary { path, ..CaptureSummary::default() }).collect();
        let (book, assembler) =
            (Book::new(settings, shelf, Ledger::new(settings.max_sources)), Assembler::new(settings.decode.clone()));
        let watchlist = shelf.watchlist(settings);
        Self {
            captures,
            shelf,
            book,
            assembler,
            pieces: 0,
            watchlist,
            counts: Counts::default(),
            days: BTreeSet::new(),
            so_far: Progress::default(),
            progress,
        }
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
        capture.span = match (capture.span, batch.span()) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        if let Some(link) = batch.unknown_link {
            capture.error.get_or_insert_with(|| format!("holds packets of link type {}, which are not read", link.0));
        }
        let Self { book, assembler, pieces, watchlist, counts, days, .. } = self;
        counts.merge(&batch.counts);
        days.extend(&batch.days);
        book.enter(&batch.findings);
        let mut findings = Findings::default();
        for piece in batch.pieces.iter() {
            // Which packet completed a message decides its time, so that later ones need a higher number.
            *pieces += 1;
            assembler.take(*pieces, piece, &mut |_, message| look_up(message, watchlist, &mut findings));
        }
        settle(watchlist, &mut findings);
        book.enter(&findings);
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
    pub(super) fn report(self, catalog: &Catalog, settings: &Settings) -> Report {
        let Self { captures, shelf, mut book, mut assembler, mut watchlist, counts, mut days, so_far, .. } = self;
        let mut findings = Findings::default();
        assembler.finish(&mut |_, message| look_up(message, &mut watchlist, &mut findings));
        settle(&mut watchlist, &mut findings);
        book.enter(&findings);
        debug_assert_eq!(counts.total(), so_far.packets, "each packet has one outcome");
        days.append(&mut watchlist.take_days());
        let mut messages = Messages::in_packets(&counts);
        messages.merge(assembler.messages());
        let Closed { ledger, timeline, hourly, events, answers } = book.close();
        let found = Found { counts, messages, given_up: assembler.given_up(), answers, lost: settings.lost };
        let mut report = Report::new(catalog, captures, found, &days, settings.skew, ledger, Arc::clone(&settings.patterns));
        report.set_lists(shelf.lists());
        report.set_timeline(timeline);
        #[cfg(not(feature = "parquet"))]
        drop(hourly);
        #[cfg(feature = "parquet")]
        report.set_sketches(hourly.map(|mut hourly| hourly.take_changed()).unwrap_or_default());
        if let Some(mut events) = events {
            report.tell(&mut events);
        }
        report
    }
}
