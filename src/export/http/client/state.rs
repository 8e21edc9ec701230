//! What a sensor says of itself, read back from its JSON. Members that are not known are passed over, so that a later
//! sensor can be read as well.

use serde::{Deserialize, Deserializer};

use crate::day::Timestamp;

/// What a sensor knows.
#[derive(Clone, Debug)]
pub struct State {
    /// How it does.
    pub summary: Summary,
    /// What a person wants to know first.
    pub overview: Overview,
    /// What was found, by family.
    pub families: Vec<Family>,
}

/// How a sensor does: a part of `/api/v1/summary`.
#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    /// The program's version.
    pub version: String,
    /// When it started.
    #[serde(deserialize_with = "moment")]
    pub started: Timestamp,
    /// When it last looked.
    #[serde(deserialize_with = "moment")]
    pub taken: Timestamp,
    /// Why it does not do its work, where it does not.
    pub not_ready: Option<String>,
    /// What it listens to.
    pub interfaces: Vec<Interface>,
    /// Memory of the lists, in octets.
    pub list_bytes: u64,
    /// The table of evidence.
    pub source_table: Table,
    /// What was written.
    pub outputs: Vec<Output>,
    /// Reloads of configuration and lists.
    pub reloads: Reloads,
    /// Steps of the system's clock.
    pub clock_steps: u64,
}

/// One interface.
#[derive(Clone, Debug, Deserialize)]
pub struct Interface {
    /// Its name.
    pub interface: String,
    /// Packets handed to the sensor.
    pub packets: u64,
    /// When the latest was captured.
    #[serde(deserialize_with = "perhaps")]
    pub last_packet: Option<Timestamp>,
}

/// A bounded table.
#[derive(Clone, Debug, Deserialize)]
pub struct Table {
    /// Rows in use.
    pub used: u64,
    /// Rows that there are.
    pub capacity: u64,
    /// Rows that went for others.
    pub evicted: u64,
}

/// What was written to an output.
#[derive(Clone, Debug, Deserialize)]
pub struct Output {
    /// What it is.
    pub output: String,
    /// Lines or files that were written.
    pub written: u64,
    /// Those that could not be.
    pub failed: u64,
}

/// Reloads of configuration and lists.
#[derive(Clone, Debug, Deserialize)]
pub struct Reloads {
    /// Those that took effect.
    pub done: u64,
    /// Those that were refused.
    pub failed: u64,
}

/// What a person wants to know first: `/api/v1/overview`.
#[derive(Clone, Debug, Deserialize)]
pub struct Overview {
    /// Infected sources that were heard within the last hour.
    pub infected_now: u64,
    /// Infected sources that were heard since midnight UTC.
    pub infected_today: u64,
    /// All infected sources.
    pub infected: u64,
    /// Sources that are suspect and no more.
    pub suspect: u64,
    /// Packets a second over the last minute.
    pub packets_per_second: Option<f64>,
    /// The hours since the start, 48 at most, the earliest first.
    pub hours: Vec<Hour>,
    /// The sources with the weightiest evidence, the weightiest first.
    pub top: Vec<TopSource>,
    /// What was lost, in the order of the way.
    pub losses: Vec<Loss>,
}

/// What was counted in an hour.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Hour {
    /// When it began.
    #[serde(deserialize_with = "moment")]
    pub start: Timestamp,
    /// Queries for listed names.
    pub matches: u64,
    /// Infected sources.
    pub infected: u64,
}

/// A source with weighty evidence, all of it added up.
#[derive(Clone, Debug, Deserialize)]
pub struct TopSource {
    /// An address, or what is kept in its place.
    pub source: String,
    /// The weightiest verdict.
    pub verdict: String,
    /// Families it has evidence of.
    pub families: Vec<String>,
    /// Distinct names of each list, added up.
    pub distinct_names: u64,
    /// Matching queries.
    pub matches: u64,
    /// Responses to it.
    pub responses: u64,
    /// Earliest.
    #[serde(deserialize_with = "moment")]
    pub first_seen: Timestamp,
    /// Latest.
    #[serde(deserialize_with = "moment")]
    pub last_seen: Timestamp,
}

/// One kind of loss.
#[derive(Clone, Debug, Deserialize)]
pub struct Loss {
    /// Where.
    pub stage: String,
    /// What was lost.
    pub what: String,
    /// How much.
    pub count: u64,
    /// Of how much.
    pub of: u64,
}

/// What was found of a family: a row of `/api/v1/families`.
#[derive(Clone, Debug, Deserialize)]
pub struct Family {
    /// Its identifier.
    pub family: String,
    /// Queries for its names.
    pub matches: u64,
    /// Responses about its names.
    pub responses: u64,
    /// Sources that are infected now.
    pub infected: u64,
    /// Sources that are suspect now.
    pub suspect: u64,
    /// Hosts behind the sources, where there is an honest number.
    pub hosts: Option<Hosts>,
}

/// A number of hosts.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Hosts {
    /// At least.
    pub low: u64,
    /// Most likely.
    pub best: u64,
    /// At most, where there is an upper bound.
    pub high: Option<u64>,
}

/// A page of evidence: an answer of `/api/v1/sources`.
#[derive(Clone, Debug, Deserialize)]
pub struct Page {
    /// Rows that there are in all.
    pub total: u64,
    /// Those of the page.
    #[serde(rename = "sources")]
    pub rows: Vec<EvidenceRow>,
}

/// Evidence on one source: a row of `/api/v1/sources`.
#[derive(Clone, Debug, Deserialize)]
pub struct EvidenceRow {
    /// An address, or what is kept in its place.
    pub source: String,
    /// Family.
    pub family: String,
    /// Day whose list holds the names.
    pub list_day: String,
    /// Matching queries.
    pub matches: u64,
    /// Responses to them.
    pub responses: u64,
    /// Distinct names.
    pub distinct_names: u64,
    /// Earliest.
    #[serde(deserialize_with = "moment")]
    pub first_seen: Timestamp,
    /// Latest.
    #[serde(deserialize_with = "moment")]
    pub last_seen: Timestamp,
    /// What it comes to.
    pub verdict: String,
    /// The names, 250 at most; none where more than one source was asked for.
    #[serde(default)]
    pub names: Vec<String>,
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

fn perhaps<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}
