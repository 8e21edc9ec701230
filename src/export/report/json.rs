//! The report as one JSON object; docs/REPORT.md describes its members.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::evidence::Carried;
use super::{Report, caveats, rendezvous};
use crate::day::Day;
use crate::decode::{GivenUp, Kind, Outcome, Transport};
use crate::dga::{FamilyId, Shape};
use crate::export::Origin;
use crate::ledger::estimate::Estimate;
use crate::ledger::{Count, Hosts, Portable, Verdict, mark_of};
use crate::watchlist::known_collision;

#[derive(Serialize)]
struct Capture<'a> {
    path: &'a str,
    packets: u64,
    bytes: u64,
    first_packet: Option<String>,
    last_packet: Option<String>,
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_loss: Option<f64>,
}

#[derive(Serialize)]
struct List<'a> {
    family: &'a str,
    list_day: String,
    names: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdicts: Option<Verdicts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<Figures>,
}

/// What verdicts on a list rest on.
#[derive(Serialize)]
struct Verdicts {
    names_needed: u16,
    expected_false: f64,
    set_aside: u32,
    background: &'static str,
}

#[derive(Serialize)]
struct Family<'a> {
    family: &'a str,
    matches: u64,
    responses: u64,
    sources: usize,
    infected: usize,
    suspect: usize,
    #[serde(flatten)]
    counted: Counted,
    distinct: DistinctSources,
    roles: BTreeMap<&'static str, usize>,
    days_ahead: BTreeMap<i32, usize>,
    cycle: Option<CycleLength>,
    answers: BTreeMap<&'static str, u64>,
    exposed: u64,
}

/// Different sources, an IPv6 /64 once.
#[derive(Serialize)]
struct DistinctSources {
    seen: Bounds,
    infected: Bounds,
}

#[derive(Serialize)]
struct Bounds {
    low: u64,
    best: u64,
    high: u64,
}

impl Bounds {
    fn of(count: Count) -> Self {
        Self { low: count.low.floor() as u64, best: count.best.round() as u64, high: count.high.ceil() as u64 }
    }
}

/// From the start of a round to that of the next.
#[derive(Serialize)]
struct CycleLength {
    seconds: f64,
    learned: bool,
}

/// The hosts of a row: three figures that stay together, or why there are none.
#[derive(Serialize)]
struct Counted {
    hosts: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
}

#[derive(Serialize)]
struct Figures {
    low: u64,
    best: u64,
    /// Null where there is no upper bound.
    high: Option<u64>,
    method: &'static str,
    caveats: Vec<&'static str>,
}

impl Figures {
    fn of(estimate: &Estimate) -> Self {
        let (low, best, high) = estimate.figures();
        let (method, caveats) = (estimate.method().label(), caveats(estimate));
        Self { low, best, high, method, caveats }
    }
}

impl Counted {
    fn of(hosts: &Hosts) -> Self {
        match hosts {
            Ok(estimate) => Self { hosts: Some(Figures::of(estimate)), refused: None },
            Err(why) => Self { hosts: None, refused: Some(why.text()) },
        }
    }
}

#[derive(Serialize)]
struct Source<'a> {
    source: String,
    family: &'a str,
    list_day: String,
    matches: u64,
    responses: u64,
    distinct_names: u64,
    known_collisions: u32,
    first_seen: String,
    last_seen: String,
    verdict: &'static str,
    exposed: bool,
    names_needed: u64,
    set_aside: u64,
    reader: bool,
    role: &'static str,
    #[serde(flatten)]
    counted: Counted,
    names: Vec<String>,
    #[serde(flatten)]
    carried: Carried,
    #[serde(flatten)]
    origin: Option<Origin>,
}

#[derive(Serialize)]
struct Indicator<'a> {
    source: String,
    set: &'a str,
    pattern: &'a str,
    label: Option<&'a str>,
    queries: u64,
    responses: u64,
    first_seen: String,
    last_seen: String,
}

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"schema\": 1,\n \"sensor\": ")?;
    crate::export::json::write(&report.desk.sensor, out)?;
    write!(out, ",\n \"capture_loss\": ")?;
    crate::export::json::write(&report.found.lost, out)?;
    write!(out, ",\n \"captures\": [")?;
    let captures = report.captures.iter().map(|capture| Capture {
        path: &capture.path,
        packets: capture.packets,
        bytes: capture.bytes,
        first_packet: capture.span.map(|(first, _)| first.to_string()),
        last_packet: capture.span.map(|(_, last)| last.to_string()),
        error: capture.error.as_deref(),
        sensor: capture.seen_by.as_ref().and_then(|seen_by| seen_by.sensor.as_deref()),
        capture_loss: capture.seen_by.as_ref().map(|seen_by| seen_by.lost),
    });
    rows(out, captures)?;

    write!(out, "],\n \"packets\": {{\"read\": {}, \"outcomes\": {{", report.found.counts.total())?;
    for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        write!(out, "{comma}\"{}\": {}", outcome.label(), report.found.counts.of(outcome))?;
    }

    write!(out, "}}}},\n \"messages\": {{")?;
    for (place, transport) in Transport::ALL.into_iter().enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        let of = Kind::ALL.map(|kind| format!("\"{}\": {}", kind.label(), report.found.messages.of(transport, kind)));
        write!(out, "{comma}\"{}\": {{{}}}", transport.label(), of.join(", "))?;
    }
    write!(out, "}},\n \"given_up\": {{")?;
    for (place, why) in GivenUp::ALL.into_iter().enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        write!(out, "{comma}\"{}\": {}", why.label(), report.found.given_up.of(why))?;
    }
    write!(out, "}},\n \"matches_not_kept\": {},\n \"names_not_kept\": {}", report.refused, report.names_refused)?;
    rendezvous::write_json(report, out)?;
    write!(out, ",\n \"lists\": [")?;
    let mut marks: BTreeMap<(FamilyId, Day), String> = BTreeMap::new();
    let lists = report.lists.iter().map(|&(id, list_day)| {
        let family = report.catalog.family(id);
        let own = matches!(family.shape(), Shape::Any);
        let mark = own.then(|| {
            let edition = family.edition(list_day);
            marks.entry((id, edition)).or_insert_with(|| format!("{:016x}", mark_of(family, edition))).clone()
        });
        let verdicts = report.standards.get(&(id, list_day)).map(|standard| Verdicts {
            names_needed: standard.needed,
            expected_false: standard.expected_false,
            set_aside: standard.set_aside,
            background: if standard.measured { "measured" } else { "assumed" },
        });
        let rounds = report.census.rounds.get(&(id, list_day)).map(Figures::of);
        List { family: family.id(), list_day: list_day.to_string(), names: family.count(list_day), mark, verdicts, rounds }
    });
    rows(out, lists)?;

    write!(out, "],\n \"families\": [")?;
    let families = report.catalog.iter().map(|(id, family)| {
        let totals = report.family_totals(id);
        Family {
            family: family.id(),
            matches: totals.matches,
            responses: totals.responses,
            sources: totals.sources,
            infected: totals.infected,
            suspect: totals.sources - totals.infected,
            counted: Counted::of(report.hosts_of(id)),
            distinct: DistinctSources { seen: Bounds::of(totals.distinct.0), infected: Bounds::of(totals.distinct.1) },
            roles: totals.roles.iter().map(|(role, sources)| (role.label(), *sources)).collect(),
            days_ahead: totals.ahead,
            cycle: report.cycle_of(id).map(|cycle| CycleLength { seconds: cycle.length, learned: cycle.learned }),
            answers: report.answers_of(id).collect(),
            exposed: report.infected_and_exposed(Some(id)),
        }
    });
    rows(out, families)?;

    write!(out, "],\n \"sources\": [")?;
    let mut written = false;
    for group in report.groups() {
        write!(out, "{}", if written { "," } else { "" })?;
        written = true;
        let sources = group.iter().map(|(key, evidence, hosts)| Source {
            source: key.source.to_string(),
            family: report.catalog.family(key.family).id(),
            list_day: key.list_day.to_string(),
            matches: evidence.matches,
            responses: evidence.responses,
            distinct_names: evidence.distinct_names(),
            known_collisions: evidence.collisions(),
            first_seen: evidence.first_seen.to_string(),
            last_seen: evidence.last_seen.to_string(),
            verdict: Verdict::of(evidence).label(),
            exposed: report.is_exposed(key),
            names_needed: evidence.names_needed(),
            set_aside: evidence.set_aside(),
            reader: evidence.is_reader(),
            role: evidence.role().label(),
            counted: Counted::of(hosts),
            names: evidence.names().map(|place| group.names.name(place).to_string()).collect(),
            carried: {
                let owned = |place| known_collision(&group.names.name(place)).is_some();
                let answers = report.servers.binary_search(&key.source).is_ok();
                Carried::of(Portable::of(key, evidence, answers, owned))
            },
            origin: report.origin(key.source),
        });
        rows(out, sources)?;
    }
    write!(out, "],\n \"servers\": ")?;
    crate::export::json::write(&report.servers, out)?;
    write!(out, ",\n \"indicators_not_kept\": {},\n \"indicators\": [", report.sightings_refused)?;
    let indicators = report.sightings.iter().map(|(id, source, seen)| {
        let pattern = report.patterns.pattern(*id);
        Indicator {
            source: source.to_string(),
            set: &report.patterns.set(*id).name,
            pattern: &pattern.text,
            label: pattern.label.as_deref(),
            queries: seen.queries,
            responses: seen.responses,
            first_seen: seen.first_seen.to_string(),
            last_seen: seen.last_seen.to_string(),
        }
    });
    rows(out, indicators)?;
    write!(out, "]")?;
    report.write_desk_members(out)?;
    writeln!(out, "}}")
}

/// The members of an array, each on a line of its own.
pub(super) fn rows<T: Serialize>(out: &mut dyn Write, rows: impl Iterator<Item = T>) -> io::Result<()> {
    for (place, row) in rows.enumerate() {
        write!(out, "{}\n  ", if place > 0 { "," } else { "" })?;
        crate::export::json::write(&row, out)?;
    }
    Ok(())
}
