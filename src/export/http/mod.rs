//! The sensor's HTTP server: metrics, health, the API. One thread, whose load the capture never feels.
//!
//! ```text
//!  listener -> Connections (bounded) -> TLS -> hyper -> routes -> Board (the pipeline) -> Snapshot
//!                    ^                                    | `-- events: the page as it changes, made once for all
//!                    `-- sweep: who is too slow goes      `-- what takes long goes to a thread aside
//! ```
//!
//! Invariants
//! * The number of connections is bounded. When all are taken, the one that has waited longest without a request goes,
//!   so that thousands of idle ones keep no scrape out.
//! * Whoever dribbles a header, sits idle or does not read its answer is cut.
//! * No request body is read; headers are bounded by hyper (16 kB).
//! * All paths but none else need the password, where there is one.

mod api;
mod aside;
#[cfg(feature = "top")]
pub mod client;
mod connection;
mod events;
mod losses;
mod page;
mod reply;
mod routes;
mod server;
mod web;

pub use self::server::Server;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Snapshot;
use crate::day::{Day, Timestamp};
use crate::ledger::Verdict;
use crate::name::Name;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to listen on, each `HOST:PORT`; without a host, all.
    pub listen: Vec<String>,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// TLS, passwords and headers, with the keys of Prometheus' exporter-toolkit.
    pub web_config: Option<PathBuf>,
    /// Connections at a time.
    pub max_connections: usize,
    /// Answers of `/metrics` and the API that are in the making or on their way at a time; further ones get 503.
    pub max_requests: usize,
    /// How long to wait for others.
    pub timeouts: Timeouts,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:9353".to_owned()],
            telemetry_path: "/metrics".to_owned(),
            web_config: None,
            max_connections: 512,
            max_requests: 40,
            timeouts: Timeouts::default(),
        }
    }
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the connection or the first octet of a header to its end; also for the TLS handshake.
    pub header: Duration,
    /// Between requests.
    pub idle: Duration,
    /// For an answer to be taken.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { header: Duration::from_secs(10), idle: Duration::from_secs(120), write: Duration::from_secs(30) }
    }
}

/// What the server asks the rest of the program for. None of it may wait for a worker.
pub trait Board: Send + Sync {
    /// The latest state. Called on the server's thread: it must be there already, or nearly.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// Whether the sensor does its work.
    ///
    /// # Errors
    /// Why it does not, in one sentence.
    fn is_ready(&self) -> Result<(), String>;

    /// Reads configuration and lists again, and tells what changed; `force` takes lists that shrank. May take long.
    ///
    /// # Errors
    /// Why all stays as it was, in one sentence.
    fn reload(&self, force: bool) -> Result<String, String>;

    /// A page of evidence; nothing when nobody has time to look. May take long.
    fn sources(&self, query: &SourceQuery) -> Option<SourcePage>;

    /// The lists around today that hold `name`. May take long.
    fn explain(&self, name: &Name) -> Vec<Listed>;

    /// Takes what the operator should know of the server, in one sentence.
    fn say(&self, sentence: &str);
}

/// Which rows of evidence are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceQuery {
    /// Only of this family.
    pub family: Option<String>,
    /// Only with this verdict.
    pub verdict: Option<Verdict>,
    /// Only of this source, as it is shown.
    pub source: Option<IpAddr>,
    /// Only with this name.
    pub name: Option<Listed>,
    /// Names told of each row, at most.
    pub names: usize,
    /// The weightiest first (verdict, distinct names, messages), not in the order of reports.
    pub weightiest_first: bool,
    /// At most so many; never more than 1,000.
    pub limit: usize,
    /// After so many.
    pub offset: usize,
}

/// The place of a name on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Family.
    pub family: String,
    /// The list's day.
    pub list_day: Day,
    /// The name's place on it, from 0.
    pub index: u32,
}

/// A page of evidence.
#[derive(Clone, Debug, Default)]
pub struct SourcePage {
    /// Rows that match in all.
    pub total: usize,
    /// Those of the page.
    pub rows: Vec<SourceRow>,
}

/// Evidence on one source, as in the report.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// An address, a prefix or a pseudonym.
    pub source: String,
    /// Family.
    pub family: String,
    /// Day whose list holds the names.
    pub list_day: Day,
    /// Matching queries.
    pub matches: u64,
    /// Responses to them.
    pub responses: u64,
    /// Distinct names.
    pub distinct_names: u64,
    /// Earliest.
    pub first_seen: Timestamp,
    /// Latest.
    pub last_seen: Timestamp,
    /// What it comes to.
    pub verdict: Verdict,
    /// The first of the names, in the order of the list: as many as were asked for.
    pub names: Vec<String>,
}
