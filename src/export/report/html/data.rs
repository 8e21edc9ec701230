//! All sources as JSON for the script of the page: rows are arrays, names are places in a table of each list.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::super::Report;
use crate::ledger::{Evidence, Key, Verdict};

/// Names told of each source; fewer where there are many sources, so that the page stays small.
fn names_told(rows: usize) -> usize {
    match rows {
        0..=2_000 => 50,
        2_001..=20_000 => 10,
        _ => 3,
    }
}

/// The names of a list that are told of any of its sources.
fn told(group: &[(Key, Evidence)], most: usize) -> BTreeSet<u32> {
    group.iter().flat_map(|(_, evidence)| evidence.names().take(most)).collect()
}

/// Writes `{"lists": [[family, day, [name, …]], …], "rows": [[source, list, infected, names, queries, responses, first, last,
/// collisions, [place, …]], …]}`, times in seconds since 1970.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let most = names_told(report.rows.len());
    write!(out, "{{\"lists\":[")?;
    for (place, (group, list)) in report.groups().enumerate() {
        let names: Vec<String> = told(group, most).into_iter().map(|index| list.name(index).to_string()).collect();
        let (key, _) = &group[0];
        let row = (report.catalog.family(key.family).id(), key.list_day.to_string(), names);
        write!(out, "{}", if place > 0 { "," } else { "" })?;
        serde_json::to_writer(&mut *out, &row)?;
    }
    write!(out, "],\n\"rows\":[")?;
    let mut written = false;
    for (place, (group, _)) in report.groups().enumerate() {
        let told: BTreeMap<u32, usize> = told(group, most).into_iter().enumerate().map(|(place, index)| (index, place)).collect();
        for (key, evidence) in group {
            let names: Vec<usize> = evidence.names().take(most).filter_map(|index| told.get(&index).copied()).collect();
            let row = (
                key.source,
                place,
                u8::from(Verdict::of(evidence) == Verdict::Infected),
                evidence.distinct_names(),
                evidence.matches,
                evidence.responses,
                evidence.first_seen.parts().0,
                evidence.last_seen.parts().0,
                evidence.collisions(),
                names,
            );
            writeln!(out, "{}", if written { "," } else { "" })?;
            written = true;
            serde_json::to_writer(&mut *out, &row)?;
        }
    }
    write!(out, "]}}")
}
