//! ArcSight's Common Event Format, version 0, one event a line ("Implementing ArcSight Common Event Format", version 26).

use std::io::{self, Write};

use super::Incident;
use crate::day::Timestamp;
use crate::ledger::Verdict;

pub(super) fn write(incident: &Incident<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Incident { key, evidence, origin, .. } = incident;
    let version = env!("CARGO_PKG_VERSION");
    let (class, severity) = (incident.verdict.label(), if incident.verdict == Verdict::Infected { 8 } else { 3 });
    let title = header(&format!("Source asked for generated names of {}", incident.family.id()));
    write!(out, "CEF:0|dgawatch|dgawatch|{version}|{class}|{title}|{severity}|")?;
    // `src` holds IPv4 only.
    let source = if key.source.is_ipv4() { "src" } else { "c6a2Label=Source IPv6 Address c6a2" };
    write!(out, "rt={} {source}={} spt={}", milliseconds(evidence.last_seen), key.source, evidence.port)?;
    write!(out, " proto={} app=DNS", evidence.transport.label().to_ascii_uppercase())?;
    write!(out, " start={} end={}", milliseconds(evidence.first_seen), milliseconds(evidence.last_seen))?;
    write!(out, " cnt={} msg={}", incident.count(), value(&incident.sentence()))?;
    write!(out, " cn1Label=confidence cn1={}", incident.confidence())?;
    write!(out, " cn2Label=distinctNames cn2={}", evidence.distinct_names())?;
    write!(out, " cs1Label=family cs1={}", value(incident.family.id()))?;
    write!(out, " cs2Label=names cs2={}", value(&incident.names()))?;
    write!(out, " cs3Label=vantage cs3={}", value(&incident.desk.vantage))?;
    write!(out, " cs4Label=listDay cs4={}", key.list_day)?;
    write!(out, " flexString1Label=role flexString1={}", evidence.role().label())?;
    write!(out, " flexString2Label=reader flexString2={}", evidence.is_reader())?;
    write!(out, " flexNumber1Label=namesNeeded flexNumber1={}", evidence.names_needed())?;
    if let Some(network) = &origin.network {
        write!(out, " cs5Label=network cs5={}", value(network))?;
    }
    if let Some(number) = origin.asn {
        write!(out, " cn3Label=asn cn3={number}")?;
    }
    if let Some(country) = &origin.country {
        write!(out, " cs6Label=country cs6={country}")?;
    }
    writeln!(out)
}

/// Since 1970.
const fn milliseconds(time: Timestamp) -> u64 {
    time.as_nanos() / 1_000_000
}

/// A field of the header: a bar would begin the next.
fn header(text: &str) -> String {
    escaped(text, '|')
}

/// A value of the extension: an equals sign would make a key of what is before it.
fn value(text: &str) -> String {
    escaped(text, '=')
}

fn escaped(text: &str, meaning: char) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            _ if c == '\\' || c == meaning => safe.extend(['\\', c]),
            _ => safe.push(c),
        }
    }
    safe
}
