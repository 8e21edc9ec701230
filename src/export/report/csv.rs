//! The sources of a report as CSV (RFC 4180), one row a source, family and list day.

use std::io::{self, Write};

use super::Report;
use crate::ledger::{Hosts, Verdict};

/// The columns, named like the members of the JSON report.
const COLUMNS: [&str; 21] = [
    "source",
    "family",
    "list_day",
    "matches",
    "responses",
    "distinct_names",
    "first_seen",
    "last_seen",
    "verdict",
    "names",
    "known_collisions",
    "role",
    "hosts_low",
    "hosts_best",
    "hosts_high",
    "hosts_method",
    "refused",
    "names_needed",
    "set_aside",
    "reader",
    "exposed",
];

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    for group in report.groups() {
        for (key, evidence, hosts) in group.iter() {
            let [low, best, high, method, refused] = counted(hosts);
            let names: Vec<String> = evidence.names().map(|place| group.names.name(place).to_string()).collect();
            let mut names = names.join(" ");
            // A spreadsheet would take such a cell for a formula; only a user's own list can bring one.
            if names.starts_with(['=', '+', '-', '@']) {
                names.insert(0, '\'');
            }
            table.write_record([
                key.source.to_string(),
                report.catalog.family(key.family).id().to_owned(),
                key.list_day.to_string(),
                evidence.matches.to_string(),
                evidence.responses.to_string(),
                evidence.distinct_names().to_string(),
                evidence.first_seen.to_string(),
                evidence.last_seen.to_string(),
                Verdict::of(evidence).label().to_owned(),
                names,
                evidence.collisions().to_string(),
                evidence.role().label().to_owned(),
                low,
                best,
                high,
                method,
                refused,
                evidence.names_needed().to_string(),
                evidence.set_aside().to_string(),
                evidence.is_reader().to_string(),
                report.is_exposed(key).to_string(),
            ])?;
        }
    }
    table.flush()
}

/// Low, best, high, method; else the last, why there are none. Without upper bound high is empty.
fn counted(hosts: &Hosts) -> [String; 5] {
    match hosts {
        Ok(estimate) => {
            let (low, best, high) = estimate.figures();
            let high = high.map_or_else(String::new, |high| high.to_string());
            [low.to_string(), best.to_string(), high, estimate.method().label().to_owned(), String::new()]
        }
        Err(why) => [String::new(), String::new(), String::new(), String::new(), why.text().to_owned()],
    }
}
