//! What listed names resolved to, in the Common Output Format of passive DNS (draft-dulaunoy-dnsop-passive-dns-cof-13), a JSON
//! object a line: one for each name and type of record.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::json;
use crate::day::Timestamp;

/// What responses said of one name, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The name, in presentation form without the final dot.
    pub name: String,
    /// Its addresses in all responses.
    pub addresses: Vec<IpAddr>,
    /// Its name servers, as far as they were told, in the same form as the name.
    pub servers: Vec<String>,
    /// The first response with an address.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// Responses with an address.
    pub answers: u64,
}

/// The members, in the draft's order: those that it demands (§3.3), count (§3.4), sensor and milliseconds (§3.5).
#[derive(Serialize)]
struct Record<'a> {
    rrname: &'a str,
    rrtype: &'a str,
    rdata: Vec<String>,
    time_first: u64,
    time_last: u64,
    /// Of addresses alone: how often servers were told is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    sensor_id: &'a str,
    time_first_ms: u64,
    time_last_ms: u64,
}

/// Writes resolutions, seen by `sensor`.
///
/// # Errors
/// When `out` does not take it.
pub fn write_cof<'a>(resolutions: impl IntoIterator<Item = &'a Resolution>, sensor: &str, out: &mut dyn Write) -> io::Result<()> {
    for resolution in resolutions {
        let Resolution { name, addresses, servers, first_seen, last_seen, answers } = resolution;
        let addresses =
            |four: bool| addresses.iter().filter(|address| address.is_ipv4() == four).map(ToString::to_string).collect();
        let sets: [(&str, Vec<String>, Option<u64>); 3] = [
            ("A", addresses(true), Some(*answers)),
            ("AAAA", addresses(false), Some(*answers)),
            ("NS", servers.iter().map(|server| absolute(server)).collect(), None),
        ];
        let name = absolute(name);
        for (rrtype, rdata, count) in sets.into_iter().filter(|(_, rdata, _)| !rdata.is_empty()) {
            let milliseconds = |time: &Timestamp| time.as_nanos() / 1_000_000;
            let record = Record {
                rrname: &name,
                rrtype,
                rdata,
                time_first: first_seen.parts().0,
                time_last: last_seen.parts().0,
                count,
                sensor_id: sensor,
                time_first_ms: milliseconds(first_seen),
                time_last_ms: milliseconds(last_seen),
            };
            json::write(&record, out)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// With the final dot, as zone files have names that are whole.
fn absolute(name: &str) -> String {
    if name == "." { name.to_owned() } else { format!("{name}.") }
}
