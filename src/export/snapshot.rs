//! What the sensor knows at a moment, as plain values: metrics, the API and pages are built from it, and from nothing else.
//!
//! The pipeline makes one and shares it (`Arc`); whoever reads it holds up nobody who counts. All counts run from the
//! start of the process.

use std::net::IpAddr;

use crate::day::{Day, Timestamp};
use crate::decode::{Counts, GivenUpCounts, Messages};
use crate::ledger::Verdict;

/// What the sensor knows.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The program's version.
    pub version: String,
    /// The revision it was built from; `unknown` where nobody told.
    pub revision: String,
    /// When the process started.
    pub started: Timestamp,
    /// When the snapshot was taken.
    pub taken: Timestamp,
    /// What is listened to.
    pub interfaces: Vec<Interface>,
    /// What became of packets.
    pub outcomes: Counts,
    /// What the messages in them were.
    pub messages: Messages,
    /// What was given up of messages in several packets.
    pub given_up: GivenUpCounts,
    /// The lists that packets of today are held against.
    pub lists: Vec<OpenList>,
    /// Memory of the matching structure, in octets.
    pub list_bytes: u64,
    /// Lists that were built.
    pub list_builds: Builds,
    /// What was found, by family.
    pub families: Vec<FamilyCounts>,
    /// Sources by network, where networks are known: a row for each of them and each family from the start.
    pub networks: Vec<NetworkSources>,
    /// Matches by source, as [`super::series::Series`] picked them.
    pub series: Vec<SourceSeries>,
    /// Names that lead to somebody who is not known, those that most infected sources were told of first; the first of them.
    pub rendezvous: Vec<LiveName>,
    /// Answers about names, and to clients, that were not noted for want of room.
    pub answers_not_kept: (u64, u64),
    /// The table of evidence.
    pub table: Table,
    /// What was written to files, by what it was (`events`, `state`).
    pub outputs: Vec<Output>,
    /// What became of records for others, by what they are sent to (`nats`, `kafka`).
    pub streams: Vec<(&'static str, StreamCounts)>,
    /// Steps of the system's clock that were noticed.
    pub clock_steps: u64,
    /// Reloads of configuration and lists.
    pub reloads: Reloads,
    /// What a person wants to know first.
    pub overview: Overview,
}

/// What a person wants to know first. Sources are each counted once here, however many families and list days they have
/// evidence of; evidence of days that are not open any more is gone.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Infected sources that were heard within the last hour.
    pub infected_now: u64,
    /// Infected sources that were heard since midnight UTC.
    pub infected_today: u64,
    /// All infected sources.
    pub infected: u64,
    /// Sources that are suspect and no more.
    pub suspect: u64,
    /// Packets a second over the last minute; none while there is nothing to compare with.
    pub packet_rate: Option<f64>,
    /// The hours since the start, 48 at most, the earliest first. Hours in which the sensor did not count are not there.
    pub hours: Vec<Hour>,
    /// The sources with the weightiest evidence, the weightiest first.
    pub top: Vec<TopSource>,
}

/// What was counted in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it began, by the sensor's clock.
    pub start: Timestamp,
    /// Packets.
    pub packets: u64,
    /// Queries for listed names.
    pub matches: u64,
    /// Infected sources that were heard in the hour before it was last looked at.
    pub infected: u64,
}

/// A source with weighty evidence, all of it added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopSource {
    /// An address, or what is kept in its place.
    pub source: IpAddr,
    /// The weightiest verdict.
    pub verdict: Verdict,
    /// Families it has evidence of, the weightiest first.
    pub families: Vec<String>,
    /// Distinct names of each list, added up.
    pub names: u64,
    /// Matching queries.
    pub matches: u64,
    /// Responses to it.
    pub responses: u64,
    /// Earliest.
    pub first_seen: Timestamp,
    /// Latest.
    pub last_seen: Timestamp,
}

/// One interface.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Packets handed to us.
    pub packets: u64,
    /// Packets that the network card lost.
    pub dropped_by_nic: u64,
    /// Packets for which the kernel's ring had no room.
    pub dropped_by_kernel: u64,
    /// Packets that were lost inside the sensor, between its threads.
    pub dropped_by_queue: u64,
    /// Packets from before all workers had joined, thrown away because several workers saw them.
    pub startup_discarded: u64,
    /// When the latest packet was captured.
    pub last_packet: Option<Timestamp>,
    /// Connections of servers that send dnstap.
    pub connections: u64,
    /// Those of them that were broken off.
    pub connections_broken: u64,
}

/// A list that is open.
#[derive(Clone, Debug)]
pub struct OpenList {
    /// Whose.
    pub family: String,
    /// Of which day.
    pub list_day: Day,
    /// How many names.
    pub names: u64,
}

/// Lists that were built.
#[derive(Clone, Debug, Default)]
pub struct Builds {
    /// Finished.
    pub done: u64,
    /// Given up.
    pub failed: u64,
    /// Time that they took together, in seconds.
    pub seconds: f64,
}

/// What was found of a family.
#[derive(Clone, Debug, Default)]
pub struct FamilyCounts {
    /// Its identifier.
    pub family: String,
    /// Queries for its names.
    pub matches: u64,
    /// Responses about its names.
    pub responses: u64,
    /// Sources that are suspect now.
    pub suspect: u64,
    /// Sources that are infected now.
    pub infected: u64,
    /// Hosts behind the sources (low, best, and high where there is an upper bound), where there is an honest number.
    pub hosts: Option<(u64, u64, Option<u64>)>,
    /// Infected sources whose hosts are not counted, by reason. All reasons are here with 0 from the start.
    pub hosts_refused: Vec<(&'static str, u64)>,
    /// Different sources lately.
    pub recent: RecentSources,
    /// What its names resolved to: a kind and how often. Kinds that are known are here with 0 from the start.
    pub answers: Vec<(&'static str, u64)>,
    /// Names that lead to somebody who is not known.
    pub rendezvous: u64,
    /// Those of them of which no answer has a query that was seen.
    pub unsolicited: u64,
    /// Infected sources that were told where one of them leads.
    pub exposed: u64,
}

/// A listed name that leads to somebody who is not known.
#[derive(Clone, Debug)]
pub struct LiveName {
    /// Family.
    pub family: String,
    /// The day whose list holds it.
    pub list_day: Day,
    /// The name.
    pub name: String,
    /// Where it leads, ascending.
    pub addresses: Vec<IpAddr>,
    /// For how many seconds that may be kept.
    pub ttl: u32,
    /// Its name servers, as far as they were told.
    pub name_servers: Vec<String>,
    /// The first time that a response said so.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// How often.
    pub answers: u64,
    /// Those of the answers whose query was not seen.
    pub unsolicited: u64,
    /// Sources that asked for it, or were answered.
    pub asked: u32,
    /// How many clients were told where it leads.
    pub exposed: u64,
    /// Those of them that are infected, ascending; the first of them.
    pub infected: Vec<IpAddr>,
    /// How many these are.
    pub infected_count: u64,
}

/// The sources of a family in one of the operator's networks, or in none of them (`other`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSources {
    /// Its label.
    pub network: String,
    /// Family.
    pub family: String,
    /// Sources that are suspect now.
    pub suspect: u64,
    /// Sources that are infected now.
    pub infected: u64,
}

/// Different sources of a family in windows that end with the latest packet. They are never added up.
#[derive(Clone, Debug, Default)]
pub struct RecentSources {
    /// How many, in each window.
    pub windows: Vec<WindowCounts>,
    /// Infected addresses that are live at once, low and high, where a day was watched and a cycle is known.
    pub at_once: Option<(u64, u64)>,
    /// Infected addresses of a week for each of a day, where a week was watched.
    pub growth: Option<f64>,
}

/// Different sources in one window: low, best, high, all the same where it is kept of each.
#[derive(Clone, Debug)]
pub struct WindowCounts {
    /// Its length, as a label.
    pub window: &'static str,
    /// Those that asked for a listed name.
    pub seen: [u64; 3],
    /// Those of them with a verdict.
    pub infected: [u64; 3],
}

/// The matches of a source that has a series of its own, or of `other` sources together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSeries {
    /// An address, a prefix or [`SourceSeries::OTHER`].
    pub source: String,
    /// Family.
    pub family: String,
    /// Matching queries.
    pub matches: u64,
}

impl SourceSeries {
    /// What stands for all sources without a series.
    pub const OTHER: &'static str = "other";
}

/// A bounded table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Rows in use.
    pub used: u64,
    /// Rows that there are.
    pub capacity: u64,
    /// Rows that went for others.
    pub evicted: u64,
}

/// What was written to an output.
#[derive(Clone, Debug)]
pub struct Output {
    /// What it is.
    pub name: &'static str,
    /// Lines or files that were written.
    pub written: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// What became of events, where it is events that it takes.
    pub lines: Option<EventLines>,
}

/// What became of the events that an output was given: those that were written, were dropped and wait are all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventLines {
    /// Events that it was given.
    pub told: u64,
    /// Those that were given up.
    pub dropped: u64,
    /// Those that wait.
    pub waiting: u64,
}

/// What became of records: those that were offered and found are those that were sent, were dropped and wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// Records that were to be sent.
    pub offered: u64,
    /// Records that an earlier run left in the spool.
    pub found: u64,
    /// Records that the receiver acknowledged.
    pub sent: u64,
    /// Records that went: there was no room, the disk did not take them or give them back, or the receiver will never take
    /// them.
    pub dropped: u64,
    /// Records that wait, in memory and in the spool.
    pub waiting: u64,
    /// Attempts to connect and to send that failed.
    pub failures: u64,
    /// Octets of the spool on disk.
    pub spool_bytes: u64,
    /// Whether there is a connection, as far as is known.
    pub is_connected: bool,
}

/// Reloads of configuration and lists.
#[derive(Clone, Debug, Default)]
pub struct Reloads {
    /// Those that took effect.
    pub done: u64,
    /// Those that were refused, the old state staying.
    pub failed: u64,
}
