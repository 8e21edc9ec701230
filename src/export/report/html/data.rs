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
    for (place, group) in report.groups().enumerate() {
        let told = told(group.rows, most).into_iter();
        let names: Vec<String> = told.map(|index| group.names.name(index).to_string()).collect();
        let (key, _) = &group.rows[0];
        let row = (report.catalog.family(key.family).id(), key.list_day.to_string(), names);
        write!(out, "{}", if place > 0 { "," } else { "" })?;
        serde_json::to_writer(&mut *out, &row)?;
    }
    write!(out, "],\n\"rows\":[")?;
    let mut written = false;
    for (place, group) in report.groups().enumerate() {
        let told: BTreeMap<u32, usize> =
            told(group.rows, most).into_iter().enumerate().map(|(place, index)| (index, place)).collect();
        for (key, evidence) in group.rows {
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
