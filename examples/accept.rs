//! `make accept`: every bar that estimates and verdicts have to clear, with what was measured, as the table of
//! docs/ACCURACY.md. Fails when one is missed.

#[path = "../tests/support/bars.rs"]
mod bars;
#[path = "../tests/support/hosts.rs"]
mod hosts;

use std::process::ExitCode;

fn main() -> ExitCode {
    const HOSTS: [usize; 7] = [1, 3, 10, 30, 100, 300, 1_000];
    let mut all = bars::occupancy_bars(400, &[1, 3, 10, 30, 100, 300, 600, 850]);
    all.push(bars::floor_bar(143, &HOSTS));
    all.extend(bars::hazard_bars(400, &HOSTS));
    all.extend(bars::silence_bars());
    all.push(bars::verdict_bar("conficker-c", 50_000, 175, 20));
    all.push(bars::verdict_bar("synthetic:25000000", 25_000_000, 87_500, 3));
    all.extend(bars::delay_bars(2_000));
    all.push(bars::distinct_bar(300, &[1_000, 10_000, 100_000, 1_000_000]));
    all.extend(bars::churn_bars());
    println!("| bar | asked | measured | |\n| --- | --- | --- | --- |");
    for bar in &all {
        println!("| {} | {} | {} | {} |", bar.number, bar.asked, bar.measured, if bar.cleared { "cleared" } else { "MISSED" });
    }
    if all.iter().all(|bar| bar.cleared) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
