//! Events of IntelMQ's data harmonisation (version 3), one JSON object a line, as its JSON parser reads them.

use std::io::{self, Write};

use serde::Serialize;

use super::{Incident, write_line};
use crate::ledger::Verdict;

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "__type")]
    of: &'a str,
    #[serde(rename = "feed.name")]
    feed: &'a str,
    #[serde(rename = "time.source")]
    time: String,
    #[serde(rename = "source.ip")]
    ip: String,
    #[serde(rename = "source.port", skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(rename = "source.asn", skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(rename = "source.as_name", skip_serializing_if = "Option::is_none")]
    as_name: Option<&'a str>,
    #[serde(rename = "source.geolocation.cc", skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(rename = "protocol.transport")]
    transport: &'a str,
    #[serde(rename = "protocol.application")]
    application: &'a str,
    #[serde(rename = "classification.taxonomy")]
    taxonomy: &'a str,
    #[serde(rename = "classification.type")]
    kind: &'a str,
    #[serde(rename = "classification.identifier")]
    identifier: &'a str,
    #[serde(rename = "malware.name")]
    malware: String,
    #[serde(rename = "event_description.text")]
    description: String,
    #[serde(rename = "extra.verdict")]
    verdict: &'a str,
    #[serde(rename = "extra.confidence")]
    confidence: u8,
    #[serde(rename = "extra.vantage")]
    vantage: &'a str,
    #[serde(rename = "extra.list_day")]
    list_day: String,
    #[serde(rename = "extra.dns_query")]
    names: &'a [String],
    #[serde(rename = "extra.distinct_names")]
    distinct_names: u64,
    #[serde(rename = "extra.names_needed")]
    names_needed: u64,
    #[serde(rename = "extra.role")]
    role: &'a str,
    #[serde(rename = "extra.reader")]
    reader: bool,
    #[serde(rename = "extra.count")]
    count: u64,
    #[serde(rename = "extra.first_seen")]
    first_seen: String,
    #[serde(rename = "extra.network", skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
}

pub(super) fn write(incident: &Incident<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Incident { key, evidence, origin, .. } = incident;
    // Of a suspect nobody may say that it is infected.
    let (taxonomy, kind) = match incident.verdict {
        Verdict::Infected => ("malicious-code", "infected-system"),
        Verdict::Suspect => ("other", "other"),
    };
    let event = Event {
        of: "Event",
        feed: "dgawatch",
        time: moment(&evidence.last_seen.to_string()),
        ip: key.source.to_string(),
        port: Some(evidence.port).filter(|port| *port > 0),
        asn: origin.asn.filter(|number| *number > 0),
        as_name: origin.as_name.as_deref().filter(|name| !name.is_empty()),
        country: origin.country.as_deref(),
        transport: evidence.transport.label(),
        application: "dns",
        taxonomy,
        kind,
        identifier: incident.family.id(),
        malware: incident.malware().to_lowercase(),
        description: incident.sentence(),
        verdict: incident.verdict.label(),
        confidence: incident.confidence(),
        vantage: &incident.desk.vantage,
        list_day: key.list_day.to_string(),
        names: &incident.names,
        distinct_names: evidence.distinct_names(),
        names_needed: evidence.names_needed(),
        role: evidence.role().label(),
        reader: evidence.is_reader(),
        count: incident.count(),
        first_seen: evidence.first_seen.to_string(),
        network: origin.network.as_deref(),
    };
    write_line(&event, out)
}

/// The zone as a number, which is the only way in which IntelMQ writes it.
fn moment(time: &str) -> String {
    format!("{}+00:00", time.trim_end_matches('Z'))
}
