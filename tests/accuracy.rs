//! Estimates against simulated truth: a part of the bars that `make accept` runs in full.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/bars.rs"]
mod bars;
#[path = "support/hosts.rs"]
mod hosts;

use bars::Bar;

#[track_caller]
fn cleared(bars: impl IntoIterator<Item = Bar>) {
    let (cleared, missed): (Vec<Bar>, Vec<Bar>) = bars.into_iter().partition(|bar| bar.cleared);
    let missed: Vec<String> = missed.iter().map(|bar| format!("{}: {}: {}", bar.number, bar.asked, bar.measured)).collect();
    assert!(missed.is_empty() && !cleared.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn occupancy_finds_the_hosts_of_a_sampling_worm() {
    cleared(bars::occupancy_bars(40, &[1, 10, 100]));
}

#[test]
fn the_floor_is_never_above_the_truth() {
    cleared([bars::floor_bar(25, &[1, 3, 30, 300])]);
}

#[test]
fn the_hazard_finds_hosts_above_caches() {
    cleared(bars::hazard_bars(60, &[1, 10, 100]));
}

#[test]
fn no_number_where_none_is_honest() {
    cleared(bars::silence_bars());
}

#[test]
fn verdicts_are_honest_and_soon() {
    cleared([bars::verdict_bar("conficker-c", 50_000, 175, 2), bars::verdict_bar("synthetic:25000000", 25_000_000, 2_000, 1)]);
    cleared(bars::delay_bars(100));
}

#[test]
fn addresses_are_counted_once() {
    cleared([bars::distinct_bar(20, &[1_000, 30_000])]);
    cleared(bars::churn_bars());
}
