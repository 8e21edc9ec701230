//! Follows captures that are still being written, until told to stop; then there is one report of all.
//!
//! One thread takes, decodes and matches: a capture is written by one, and slower.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::clerk::Clerk;
use super::shelf::Shelf;
use super::shortlist::Shortlist;
use super::worker::{Batch, Worker};
use super::{Progress, Settings};
use crate::dga::Catalog;
use crate::export::Report;
use crate::source::Follow;

/// How long to wait between looks at the folders, and how often to ask meanwhile whether to stop.
const PAUSE: Duration = Duration::from_millis(250);
const STEP: Duration = Duration::from_millis(25);

/// Reads what `follow` finds until `stop` is raised. A capture that nothing new was read of is not in the report.
pub fn follow(catalog: &Catalog, follow: &mut Follow, settings: &Settings, stop: &AtomicBool) -> Report {
    let shelf = Shelf::new(catalog, settings.compiled.as_ref());
    let mut worker = Worker::new(settings, shelf.watchlist(settings));
    let mut ignore = |_: Progress| {};
    let mut clerk = Clerk::new(vec![], settings, &shelf, &mut ignore);
    let (mut block, mut spare) = (vec![], Batch::default());
    let stopped = || stop.load(Ordering::Relaxed);
    while !stopped() {
        follow.scan();
        while let Some(capture) = follow.due().filter(|_| !stopped()) {
            let mut more = true;
            while more && !stopped() {
                // A failure is told at the end, unless it has passed by then.
                more = capture.read(&mut block, |record| worker.take_at_once(record)).unwrap_or(false);
                let batch = worker.at_block(&mut Shortlist::new()).finish(std::mem::take(&mut spare));
                if batch.packets > 0 {
                    let place = capture.place(|path| clerk.open(path));
                    clerk.take(place, 0, &batch);
                }
                spare = batch.emptied();
            }
        }
        let mut waited = Duration::ZERO;
        while waited < PAUSE && !stopped() {
            thread::sleep(STEP);
            waited += STEP;
        }
    }
    for (place, path, failure) in follow.failures() {
        let place = place.unwrap_or_else(|| clerk.open(path));
        clerk.end(place, Some(failure.to_owned()));
    }
    clerk.report(catalog, settings)
}
