//! `dgawatch explain --report`: what the verdict on a source rests on, in words.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;

use super::Failure;

/// What is read of a report, see docs/REPORT.md.
#[derive(Deserialize)]
struct Report {
    schema: u64,
    lists: Vec<List>,
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct List {
    family: String,
    list_day: String,
    names: u64,
    verdicts: Option<Verdicts>,
}

#[derive(Deserialize)]
struct Verdicts {
    expected_false: f64,
    background: String,
}

#[derive(Deserialize)]
struct Source {
    source: String,
    family: String,
    list_day: String,
    matches: u64,
    responses: u64,
    distinct_names: u64,
    known_collisions: u64,
    first_seen: String,
    last_seen: String,
    verdict: String,
    names_needed: u64,
    set_aside: u64,
    reader: bool,
    role: String,
    hosts: Option<Hosts>,
    refused: Option<String>,
    names: Vec<String>,
}

#[derive(Deserialize)]
struct Hosts {
    low: u64,
    best: u64,
    high: Option<u64>,
    method: String,
    caveats: Vec<String>,
}

/// Names of a source that are shown.
const NAMES_SHOWN: usize = 5;

/// Explains the verdicts on `sources` in the JSON report at `path`. The exit code is 1 where one is not in it.
pub(super) fn run(path: &Path, sources: &[String]) -> Result<ExitCode, Failure> {
    let refuse = |why: String| Failure::Said(format!("report {}: {why}", path.display()));
    let text = fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let report: Report = serde_json::from_slice(&text)
        .map_err(|error| refuse(format!("is none that `dgawatch replay --format json` writes: {error}")))?;
    if report.schema != 1 {
        return Err(refuse(format!("is of schema {}, and this program reads schema 1", report.schema)));
    }
    let mut out = io::stdout().lock();
    let mut all = true;
    for source in sources {
        let mut rows = report.sources.iter().filter(|row| row.source == *source).peekable();
        if rows.peek().is_none() {
            all = false;
            writeln!(out, "{}: asked for no listed name", printable(source))?;
        }
        for row in rows {
            let list = report.lists.iter().find(|list| list.family == row.family && list.list_day == row.list_day);
            explain(row, list, &mut out)?;
        }
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn explain(row: &Source, list: Option<&List>, out: &mut dyn Write) -> io::Result<()> {
    let [source, family, day, verdict] = [&row.source, &row.family, &row.list_day, &row.verdict].map(|text| printable(text));
    writeln!(out, "{source}, {family}, list of {day}: {verdict}")?;
    let of = list.map_or_else(String::new, |list| format!(" of {}", list.names));
    let (first, last) = (printable(&row.first_seen), printable(&row.last_seen));
    writeln!(
        out,
        "  It asked for {}{of} names in {} queries and got {} responses, from {first} to {last}.",
        row.distinct_names, row.matches, row.responses
    )?;
    let owned = row.known_collisions.saturating_add(row.set_aside);
    let telling = row.distinct_names.saturating_sub(owned);
    if owned > 0 {
        writeln!(
            out,
            "  Names that honest people own: {}; that many ask for who ask for little else: {}; that count: {telling}.",
            row.known_collisions, row.set_aside
        )?;
    }
    let than = if telling >= row.names_needed { "as many as that are there" } else { "fewer are there" };
    writeln!(out, "  A verdict takes {} names: {than}.", row.names_needed)?;
    if row.reader {
        writeln!(out, "  It asks for more new names at once than the hosts do that its names allow for: it reads lists.")?;
    }
    if let Some(verdicts) = list.and_then(|list| list.verdicts.as_ref()) {
        writeln!(
            out,
            "  In a network of a million clients chance makes {:.1e} such verdicts on this list ({} background).",
            verdicts.expected_false,
            printable(&verdicts.background)
        )?;
    }
    let role = printable(&row.role);
    match (&row.hosts, &row.refused) {
        (Some(hosts), _) => {
            let to = hosts.high.map_or_else(|| "or more".to_owned(), |high| format!("to {high}"));
            let method = printable(&hosts.method);
            writeln!(out, "  It is a {role}; behind it are {} {to} hosts, likely {} ({method}).", hosts.low, hosts.best)?;
            hosts.caveats.iter().try_for_each(|caveat| writeln!(out, "    {}", printable(caveat)))?;
        }
        (None, Some(why)) => writeln!(out, "  It is a {role}; its hosts are not counted: {}.", printable(why))?,
        (None, None) => writeln!(out, "  It is a {role}.")?,
    }
    let shown: Vec<String> = row.names.iter().take(NAMES_SHOWN).map(|name| printable(name)).collect();
    let more = if row.names.len() > NAMES_SHOWN { ", …" } else { "" };
    writeln!(out, "  Names: {}{more}", shown.join(", "))
}

/// A report may come from others: what would move a terminal's cursor is shown escaped.
fn printable(text: &str) -> String {
    text.chars().flat_map(|letter| letter.escape_debug()).collect()
}
