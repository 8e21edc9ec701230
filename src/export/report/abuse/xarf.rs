//! Reports of XARF 4, category `infrastructure`, type `botnet`, one JSON object a line: each is a report of its own, because
//! the format bundles nothing (xarf-spec 4.2, xarf-core.json and types/infrastructure-botnet.json).
//!
//! The same source, list and last message give the same `report_id`, so that a report that is written twice is one.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Incident, write_line};

/// Identifiers of reports are UUIDs of version 5 in it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b1d_93ce_0f27_4c58_a1c4_8e52_d7f0_3b96);

/// Of whom there is nothing to be asked: no domain ends so (RFC 2606 §2).
const NOBODY: Contact<'_> = Contact { org: "unspecified", contact: "unspecified@dgawatch.invalid", domain: "dgawatch.invalid" };

#[derive(Clone, Copy, Serialize)]
struct Contact<'a> {
    org: &'a str,
    contact: &'a str,
    domain: &'a str,
}

#[derive(Serialize)]
struct EvidenceItem {
    content_type: &'static str,
    description: &'static str,
    payload: String,
    hash: String,
    size: usize,
}

#[derive(Serialize)]
struct XarfReport<'a> {
    xarf_version: &'a str,
    report_id: Uuid,
    timestamp: String,
    reporter: Contact<'a>,
    sender: Contact<'a>,
    source_identifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    category: &'a str,
    r#type: &'a str,
    malware_family: &'a str,
    compromise_evidence: String,
    first_seen: String,
    last_seen: String,
    description: String,
    evidence_source: &'a str,
    evidence: [EvidenceItem; 1],
    confidence: f64,
    transport: &'a str,
    family: &'a str,
    verdict: &'a str,
    list_day: String,
    names: &'a [String],
    distinct_names: u64,
    names_needed: u64,
    role: &'a str,
    reader: bool,
    count: u64,
    vantage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

pub(super) fn write(incident: &Incident<'_>, out: &mut dyn Write) -> io::Result<()> {
    let crate::ledger::Evidence { first_seen, last_seen, port, .. } = incident.evidence;
    let (source, family, list_day) = (incident.key.source, incident.family.id(), incident.key.list_day);
    let reporter = incident.desk.reporter.as_ref().map_or(NOBODY, |reporter| Contact {
        org: &reporter.organisation,
        contact: &reporter.contact,
        domain: reporter.domain(),
    });
    let what = format!("{source} {port} {family} {list_day} {last_seen} {}", incident.desk.vantage);
    let report = XarfReport {
        xarf_version: "4.2.0",
        report_id: Uuid::new_v5(&NAMESPACE, what.as_bytes()),
        timestamp: last_seen.to_string(),
        reporter,
        sender: reporter,
        source_identifier: source.to_string(),
        source_port: Some(*port).filter(|port| *port > 0),
        category: "infrastructure",
        r#type: "botnet",
        malware_family: incident.malware(),
        compromise_evidence: incident.sentence(),
        first_seen: first_seen.to_string(),
        last_seen: last_seen.to_string(),
        description: format!("{}; seen from: {}", incident.sentence(), incident.desk.vantage),
        evidence_source: "traffic_analysis",
        evidence: [evidence(&incident.names)],
        confidence: f64::from(incident.confidence()) / 100.0,
        transport: incident.evidence.transport.label(),
        family,
        verdict: incident.verdict.label(),
        list_day: list_day.to_string(),
        names: &incident.names,
        distinct_names: incident.evidence.distinct_names(),
        names_needed: incident.evidence.names_needed(),
        role: incident.evidence.role().label(),
        reader: incident.evidence.is_reader(),
        count: incident.count(),
        vantage: &incident.desk.vantage,
        network: incident.origin.network.as_deref(),
        asn: incident.origin.asn,
        country: incident.origin.country.as_deref(),
    };
    write_line(&report, out)
}

fn evidence(names: &[String]) -> EvidenceItem {
    let text: String = names.iter().flat_map(|name| [name, "\n"]).collect();
    let hash: String = Sha256::digest(text.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect();
    EvidenceItem {
        content_type: "text/plain",
        description: "Generated names that the source asked for, one a line",
        payload: STANDARD.encode(&text),
        hash: format!("sha256:{hash}"),
        size: text.len(),
    }
}
