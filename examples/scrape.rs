//! How long a scrape takes with a million tracked sources: from the query that is counted to the last octet over HTTP.
//!
//! ```text
//! cargo run --release --example scrape
//! ```
//!
//! Fails when a scrape does not hold exactly the series that it should.

#![allow(clippy::unwrap_used, reason = "a tool for measuring may panic")]

#[path = "../tests/support/sensor.rs"]
#[allow(unreachable_pub, missing_docs, reason = "made for tests")]
mod sensor;
#[path = "../tests/support/web.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "made for tests, of which this uses a part")]
mod web;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dgawatch::export::Snapshot;
use dgawatch::export::http::Config;
use dgawatch::export::series::{Series, SeriesConfig};
use web::{Running, Sensor, ask};

const SOURCES: u32 = 1_000_000;
const SERIES: usize = 1_000;

fn main() {
    let families = ["conficker-a", "conficker-b", "conficker-c"].map(str::to_owned).to_vec();
    let mut series = Series::new(SeriesConfig { max_sources: SERIES, prefix: None }, families);
    let begin = Instant::now();
    (0..SOURCES).for_each(|n| series.add(Ipv4Addr::from_bits(0x0A00_0000 + n).into(), n as usize % 3, 1));
    println!("count a query        {:>9.1?}", begin.elapsed() / SOURCES);
    let mut rows = vec![];
    println!("settle               {:>9.1?}", fastest(|| rows = series.settle()));

    let snapshot = Mutex::new(Arc::new(Snapshot { series: rows, ..sensor::snapshot() }));
    let server = Running::start(Config::default(), Sensor { snapshot, ..Sensor::default() });
    let mut stream = server.connect();
    let mut scrape = |headers: &[(&str, &str)]| {
        let mut answer = None;
        let time = fastest(|| answer = Some(ask(&mut stream, "GET", "/metrics", headers)));
        (time, answer.unwrap())
    };
    let (time, plain) = scrape(&[]);
    let lines = plain.text().lines().filter(|line| line.starts_with("dgawatch_source_matches_total{")).count();
    assert_eq!(lines, SERIES + 3, "the most active sources, and `other` of each family");
    println!("scrape               {time:>9.1?} {:>8} octets", plain.body.len());
    let (time, packed) = scrape(&[("Accept-Encoding", "gzip")]);
    println!("scrape, with gzip    {time:>9.1?} {:>8} octets", packed.body.len());
}

fn fastest(mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    (0..20).map(once).min().unwrap()
}
