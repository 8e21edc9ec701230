//! CSV with the columns of Shadowserver's report `event4_sinkhole_dns`, in their order (their report_schema, reports.json).
//!
//! What their columns have no place for is in `tag`, whose parts are separated by semicolons. Columns that a passive sensor
//! knows nothing about stay empty.

use std::io::{self, Write};

use super::{Incident, Report};
use crate::ledger::Verdict;

const COLUMNS: [&str; 21] = [
    "timestamp",
    "protocol",
    "src_ip",
    "src_port",
    "src_asn",
    "src_geo",
    "src_region",
    "src_city",
    "src_hostname",
    "src_naics",
    "src_sector",
    "device_vendor",
    "device_type",
    "device_model",
    "severity",
    "infection",
    "family",
    "tag",
    "query_type",
    "query",
    "count",
];

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    report.incidents(&mut |incident| Ok(table.write_record(row(incident))?))?;
    table.flush()
}

fn row(incident: &Incident<'_>) -> [String; COLUMNS.len()] {
    let Incident { key, evidence, origin, .. } = incident;
    let nothing = String::new;
    [
        moment(&evidence.last_seen.to_string()),
        evidence.transport.label().to_owned(),
        key.source.to_string(),
        evidence.port.to_string(),
        origin.asn.map_or_else(nothing, |number| number.to_string()),
        origin.country.clone().unwrap_or_default(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        (if incident.verdict == Verdict::Infected { "high" } else { "info" }).to_owned(),
        cell(incident.malware()),
        cell(incident.family.id()),
        tag(incident),
        nothing(),
        cell(&incident.names()),
        incident.count().to_string(),
    ]
}

/// `2009-03-31 20:06:40`, of `2009-03-31T20:06:40.128732Z`.
fn moment(time: &str) -> String {
    time.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn tag(incident: &Incident<'_>) -> String {
    let mut parts = vec![
        "dga".to_owned(),
        incident.verdict.label().to_owned(),
        format!("confidence={}", incident.confidence()),
        format!("list_day={}", incident.key.list_day),
        format!("names={}", incident.evidence.distinct_names()),
        format!("names_needed={}", incident.evidence.names_needed()),
        format!("role={}", incident.evidence.role().label()),
        format!("reader={}", incident.evidence.is_reader()),
        format!("vantage={}", incident.desk.vantage),
    ];
    parts.extend(incident.origin.network.iter().map(|network| format!("network={network}")));
    // What an operator wrote must not look like another part.
    parts.iter().map(|part| part.replace(';', ",")).collect::<Vec<_>>().join(";")
}

/// A spreadsheet would take such a cell for a formula; only a user's own list can bring one.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() }
}
