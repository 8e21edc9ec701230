//! All sources for the script of the page, as columns: JSON, packed (gzip), in base64. Row by row and as it is, a hundred
//! thousand sources would take four times as much.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Serialize, Serializer};

use super::super::Report;
use crate::day::Timestamp;
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

/// A time as the page shows it: minutes since 1970.
fn minutes(time: Timestamp) -> u64 {
    time.parts().0 / 60
}

/// A source: IPv4 as its distance from the one before, whichever row that is in; rows are sorted by it.
#[derive(Serialize)]
#[serde(untagged)]
enum Source {
    V4(i64),
    V6(Ipv6Addr),
}

/// Writes the sources.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut packer = GzEncoder::new(vec![], Compression::best());
    columns(report, &mut packer)?;
    out.write_all(STANDARD.encode(packer.finish()?).as_bytes())
}

/// Writes `{"since": MINUTES, "lists": [[family, day, [name, …], rows], …], …}`, then a column each. Rows are those of the first
/// list, then those of the next. `queries` are those beyond one a name, `first` is in minutes after `since`, `last` in minutes
/// after `first`; `told` are places in the names of the list, each after the first as its distance from the one before.
fn columns(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let most = names_told(report.rows.len());
    let since = report.rows.iter().map(|(_, evidence)| minutes(evidence.first_seen)).min().unwrap_or_default();
    write!(out, "{{\"since\":{since}")?;
    let lists = report.groups().map(|group| {
        let names: Vec<String> = told(group.rows, most).into_iter().map(|index| group.names.name(index).to_string()).collect();
        let (key, _) = &group.rows[0];
        (report.catalog.family(key.family).id(), key.list_day.to_string(), names, group.rows.len())
    });
    column("lists", lists, out)?;
    let mut before = 0;
    let sources = report.rows.iter().map(|(key, _)| match key.source {
        IpAddr::V4(address) => {
            Source::V4(i64::from(u32::from(address)) - std::mem::replace(&mut before, u32::from(address).into()))
        }
        IpAddr::V6(address) => Source::V6(address),
    });
    column("source", sources, out)?;
    let repeats = report.rows.iter().map(|(_, evidence)| i128::from(evidence.matches) - i128::from(evidence.distinct_names()));
    column("queries", repeats, out)?;
    let mut counts =
        |name, of: &dyn Fn(&Evidence) -> u64| column(name, report.rows.iter().map(|(_, evidence)| of(evidence)), out);
    counts("infected", &|evidence| u64::from(Verdict::of(evidence) == Verdict::Infected))?;
    counts("names", &|evidence| evidence.distinct_names())?;
    counts("responses", &|evidence| evidence.responses)?;
    counts("first", &|evidence| minutes(evidence.first_seen) - since)?;
    counts("last", &|evidence| minutes(evidence.last_seen).saturating_sub(minutes(evidence.first_seen)))?;
    counts("collisions", &|evidence| evidence.collisions().into())?;
    let places = report.groups().flat_map(|group| {
        let place: BTreeMap<u32, usize> =
            told(group.rows, most).into_iter().enumerate().map(|(place, index)| (index, place)).collect();
        group.rows.iter().map(move |(_, evidence)| {
            let mut before = 0;
            let distance = |place: &usize| place - std::mem::replace(&mut before, *place);
            evidence.names().take(most).filter_map(|index| place.get(&index)).map(distance).collect::<Vec<usize>>()
        })
    });
    column("told", places, out)?;
    write!(out, "}}")
}

fn column<T: Serialize>(name: &str, values: impl Iterator<Item = T>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, ",\n\"{name}\":")?;
    serde_json::Serializer::new(out).collect_seq(values).map_err(io::Error::from)
}
