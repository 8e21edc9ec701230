//! `/api/v1/…`: the snapshot and pages of evidence as JSON, with the names of the report.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::losses::{Loss, losses};
use super::{Listed, SourcePage, SourceQuery};
use crate::decode::{GivenUp, Kind, Outcome, Transport};
use crate::export::{Snapshot, snapshot};
use crate::ledger::Verdict;
use crate::name::Name;
use crate::watchlist::known_collision;

/// Rows of a page where the request does not say.
const DEFAULT_LIMIT: usize = 100;

/// Rows of a page at most.
const MAX_LIMIT: usize = 1_000;

/// Names of each row that are told of a source, and rows that are told of a name.
pub(super) const NAMES_TOLD: usize = 250;

#[derive(Serialize)]
pub(super) struct Failure<'a> {
    pub(super) error: &'a str,
}

#[derive(Serialize)]
pub(super) struct Summary<'a> {
    version: &'a str,
    revision: &'a str,
    started: String,
    taken: String,
    ready: bool,
    not_ready: Option<String>,
    interfaces: Vec<Interface<'a>>,
    packets: Packets,
    messages: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    given_up: BTreeMap<&'static str, u64>,
    lists: Vec<List<'a>>,
    list_bytes: u64,
    source_table: Table,
    outputs: Vec<Output>,
    clock_steps: u64,
    reloads: Reloads,
}

#[derive(Serialize)]
struct Interface<'a> {
    interface: &'a str,
    packets: u64,
    dropped: Dropped,
    startup_discarded: u64,
    last_packet: Option<String>,
}

#[derive(Serialize)]
struct Dropped {
    nic: u64,
    kernel: u64,
    queue: u64,
}

#[derive(Serialize)]
struct Packets {
    outcomes: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct List<'a> {
    family: &'a str,
    list_day: String,
    names: u64,
}

#[derive(Serialize)]
struct Table {
    used: u64,
    capacity: u64,
    evicted: u64,
}

#[derive(Serialize)]
struct Output {
    output: &'static str,
    written: u64,
    failed: u64,
}

#[derive(Serialize)]
struct Reloads {
    done: u64,
    failed: u64,
}

/// What the sensor does.
pub(super) fn summary(snapshot: &Snapshot, ready: Result<(), String>) -> Summary<'_> {
    let interfaces = snapshot.interfaces.iter().map(|interface| Interface {
        interface: &interface.name,
        packets: interface.packets,
        dropped: Dropped {
            nic: interface.dropped_by_nic,
            kernel: interface.dropped_by_kernel,
            queue: interface.dropped_by_queue,
        },
        startup_discarded: interface.startup_discarded,
        last_packet: interface.last_packet.map(|time| time.to_string()),
    });
    let lists =
        snapshot.lists.iter().map(|list| List { family: &list.family, list_day: list.list_day.to_string(), names: list.names });
    let of_kinds = |transport| Kind::ALL.into_iter().map(move |kind| (kind.label(), snapshot.messages.of(transport, kind)));
    let outcomes = Outcome::ALL.into_iter().map(|outcome| (outcome.label(), snapshot.outcomes.of(outcome)));
    let outputs = snapshot.outputs.iter();
    Summary {
        version: &snapshot.version,
        revision: &snapshot.revision,
        started: snapshot.started.to_string(),
        taken: snapshot.taken.to_string(),
        ready: ready.is_ok(),
        not_ready: ready.err(),
        interfaces: interfaces.collect(),
        packets: Packets { outcomes: outcomes.collect() },
        messages: Transport::ALL.into_iter().map(|transport| (transport.label(), of_kinds(transport).collect())).collect(),
        given_up: GivenUp::ALL.into_iter().map(|why| (why.label(), snapshot.given_up.of(why))).collect(),
        lists: lists.collect(),
        list_bytes: snapshot.list_bytes,
        source_table: Table { used: snapshot.table.used, capacity: snapshot.table.capacity, evicted: snapshot.table.evicted },
        outputs: outputs.map(|output| Output { output: output.name, written: output.written, failed: output.failed }).collect(),
        clock_steps: snapshot.clock_steps,
        reloads: Reloads { done: snapshot.reloads.done, failed: snapshot.reloads.failed },
    }
}

#[derive(Serialize)]
pub(super) struct Overview<'a> {
    infected_now: u64,
    infected_today: u64,
    infected: u64,
    suspect: u64,
    packets_per_second: Option<f64>,
    hours: Vec<Hour>,
    top: Vec<Top<'a>>,
    losses: Vec<Loss>,
}

#[derive(Serialize)]
struct Hour {
    start: String,
    packets: u64,
    matches: u64,
    infected: u64,
}

#[derive(Serialize)]
struct Top<'a> {
    source: String,
    verdict: &'static str,
    families: &'a [String],
    distinct_names: u64,
    matches: u64,
    responses: u64,
    first_seen: String,
    last_seen: String,
}

/// What a person wants to know first: what the page shows.
pub(super) fn overview(snapshot: &Snapshot) -> Overview<'_> {
    let overview = &snapshot.overview;
    let hour = |hour: &snapshot::Hour| Hour {
        start: hour.start.to_string(),
        packets: hour.packets,
        matches: hour.matches,
        infected: hour.infected,
    };
    let top = overview.top.iter().map(|source| Top {
        source: source.source.to_string(),
        verdict: source.verdict.label(),
        families: &source.families,
        distinct_names: source.names,
        matches: source.matches,
        responses: source.responses,
        first_seen: source.first_seen.to_string(),
        last_seen: source.last_seen.to_string(),
    });
    Overview {
        infected_now: overview.infected_now,
        infected_today: overview.infected_today,
        infected: overview.infected,
        suspect: overview.suspect,
        packets_per_second: overview.packet_rate,
        hours: overview.hours.iter().map(hour).collect(),
        top: top.collect(),
        losses: losses(snapshot),
    }
}

#[derive(Serialize)]
pub(super) struct Families<'a> {
    families: Vec<Family<'a>>,
}

#[derive(Serialize)]
struct Family<'a> {
    family: &'a str,
    matches: u64,
    responses: u64,
    sources: u64,
    infected: u64,
    suspect: u64,
    hosts: Option<Hosts>,
    answers: BTreeMap<&'static str, u64>,
    rendezvous: u64,
    unsolicited: u64,
    exposed: u64,
}

#[derive(Serialize)]
struct Hosts {
    low: u64,
    best: u64,
    /// Null where there is no upper bound.
    high: Option<u64>,
}

/// What was found, by family.
pub(super) fn families(snapshot: &Snapshot) -> Families<'_> {
    let families = snapshot.families.iter().map(|found| Family {
        family: &found.family,
        matches: found.matches,
        responses: found.responses,
        sources: found.suspect + found.infected,
        infected: found.infected,
        suspect: found.suspect,
        hosts: found.hosts.map(|(low, best, high)| Hosts { low, best, high }),
        answers: found.answers.iter().copied().collect(),
        rendezvous: found.rendezvous,
        unsolicited: found.unsolicited,
        exposed: found.exposed,
    });
    Families { families: families.collect() }
}

#[derive(Serialize)]
pub(super) struct Rendezvous<'a> {
    rendezvous: Vec<LiveName<'a>>,
    /// How many there are in all.
    total: u64,
}

#[derive(Serialize)]
struct LiveName<'a> {
    family: &'a str,
    list_day: String,
    name: &'a str,
    addresses: Vec<String>,
    ttl: u32,
    name_servers: &'a [String],
    first_seen: String,
    last_seen: String,
    answers: u64,
    unsolicited: u64,
    asked: u32,
    exposed: u64,
    exposed_infected: u64,
    /// The first of these.
    infected: Vec<String>,
}

/// Names that lead to somebody who is not known.
pub(super) fn rendezvous(snapshot: &Snapshot) -> Rendezvous<'_> {
    let texts = |addresses: &[IpAddr]| addresses.iter().map(ToString::to_string).collect();
    let names = snapshot.rendezvous.iter().map(|name| LiveName {
        family: &name.family,
        list_day: name.list_day.to_string(),
        name: &name.name,
        addresses: texts(&name.addresses),
        ttl: name.ttl,
        name_servers: &name.name_servers,
        first_seen: name.first_seen.to_string(),
        last_seen: name.last_seen.to_string(),
        answers: name.answers,
        unsolicited: name.unsolicited,
        asked: name.asked,
        exposed: name.exposed,
        exposed_infected: name.infected_count,
        infected: texts(&name.infected),
    });
    Rendezvous { rendezvous: names.collect(), total: snapshot.families.iter().map(|family| family.rendezvous).sum() }
}

#[derive(Serialize)]
pub(super) struct Sources<'a> {
    total: usize,
    limit: usize,
    offset: usize,
    next_offset: Option<usize>,
    sources: Vec<Source<'a>>,
}

#[derive(Serialize)]
struct Source<'a> {
    source: &'a str,
    family: &'a str,
    list_day: String,
    matches: u64,
    responses: u64,
    distinct_names: u64,
    first_seen: String,
    last_seen: String,
    verdict: &'static str,
    /// Where one source is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<&'a [String]>,
}

/// A page of evidence.
pub(super) fn sources<'a>(query: &SourceQuery, page: &'a SourcePage) -> Sources<'a> {
    let rows = page.rows.iter().take(query.limit).map(|row| Source {
        source: &row.source,
        family: &row.family,
        list_day: row.list_day.to_string(),
        matches: row.matches,
        responses: row.responses,
        distinct_names: row.distinct_names,
        first_seen: row.first_seen.to_string(),
        last_seen: row.last_seen.to_string(),
        verdict: row.verdict.label(),
        names: query.source.is_some().then_some(row.names.as_slice()),
    });
    let sources: Vec<Source<'_>> = rows.collect();
    let next = query.offset.saturating_add(sources.len());
    let next_offset = (!sources.is_empty() && next < page.total).then_some(next);
    Sources { total: page.total, limit: query.limit, offset: query.offset, next_offset, sources }
}

/// Reads the query of `/api/v1/sources`.
///
/// # Errors
/// One sentence when it cannot be meant.
pub(super) fn source_query(text: &str) -> Result<SourceQuery, String> {
    let mut query = SourceQuery { limit: DEFAULT_LIMIT, ..SourceQuery::default() };
    let mut seen = vec![];
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).ok_or_else(|| format!("the value of `{key}` is not text in UTF-8, percent-encoded"))?;
        if seen.contains(&key) {
            return Err(format!("`{key}` is there twice"));
        }
        seen.push(key);
        match key {
            "family" => query.family = Some(value),
            "verdict" => query.verdict = Some(verdict(&value)?),
            "source" => {
                query.source = Some(value.parse().map_err(|_| "`source` is an address, as it is shown".to_owned())?);
                query.names = NAMES_TOLD;
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                query.limit = limit.ok_or_else(|| format!("`limit` is a number from 1 to {MAX_LIMIT}"))?;
            }
            "order" => query.weightiest_first = weightiest_first(&value)?,
            "offset" => query.offset = value.parse().map_err(|_| "`offset` is a number from 0 on".to_owned())?,
            _ => return Err(format!("there is no `{key}`: choose from family, verdict, source, order, limit, offset")),
        }
    }
    Ok(query)
}

fn weightiest_first(text: &str) -> Result<bool, String> {
    match text {
        "report" => Ok(false),
        "weight" => Ok(true),
        _ => Err("`order` is report or weight".to_owned()),
    }
}

fn verdict(text: &str) -> Result<Verdict, String> {
    let known = [Verdict::Suspect, Verdict::Infected].into_iter().find(|verdict| verdict.label() == text);
    known.ok_or_else(|| "`verdict` is suspect or infected".to_owned())
}

#[derive(Serialize)]
pub(super) struct Explained<'a> {
    name: String,
    lists: Vec<Place<'a>>,
    owner: Option<&'static str>,
}

#[derive(Serialize)]
struct Place<'a> {
    family: &'a str,
    list_day: String,
    index: u32,
}

/// Which lists hold a name, and whether honest people own it.
pub(super) fn explained<'a>(name: &Name, lists: &'a [Listed]) -> Explained<'a> {
    let place = |list: &'a Listed| Place { family: &list.family, list_day: list.list_day.to_string(), index: list.index };
    let owner = known_collision(name).map(|collision| collision.owner);
    Explained { name: name.to_string(), lists: lists.iter().map(place).collect(), owner }
}

/// Reads the query of `/api/v1/explain`.
///
/// # Errors
/// One sentence when it cannot be meant.
pub(super) fn explain_query(text: &str) -> Result<Name, String> {
    let name = text.strip_prefix("name=").and_then(decoded).ok_or_else(|| "this takes `name=`, a name".to_owned())?;
    Name::parse(&name).map_err(|why| format!("`{}` {why}", name.escape_debug()))
}

/// Undoes percent-encoding, and `+` for a space.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut octets = vec![];
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit()? << 4 | digit()?
            }
            b'+' => b' ',
            plain => plain,
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let usual = SourceQuery { limit: 100, ..SourceQuery::default() };
        assert_eq!(source_query(""), Ok(usual.clone()));
        let all = source_query("family=my%20l%C3%A4st+x&verdict=infected&limit=1000&offset=18446744073709551615");
        let expected = SourceQuery {
            family: Some("my läst x".to_owned()),
            verdict: Some(Verdict::Infected),
            limit: 1000,
            offset: usize::MAX,
            ..SourceQuery::default()
        };
        assert_eq!(all, Ok(expected));
        assert_eq!(source_query("order=weight"), Ok(SourceQuery { weightiest_first: true, ..usual.clone() }));
        assert_eq!(source_query("order=report"), Ok(usual.clone()));
        let one = SourceQuery { source: Some("2001:db8::7".parse().unwrap()), names: NAMES_TOLD, ..usual };
        assert_eq!(source_query("source=2001%3Adb8::7"), Ok(one));
        for wrong in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=",
            "limit=99999999999999999999",
            "offset=x",
            "offset=18446744073709551616",
            "verdict=Infected",
            "source=x",
            "source=192.0.2.0/24",
            "family=%",
            "family=%f",
            "family=%zz",
            "family=%+1",
            "family=%ff",
            "limit=1&limit=1",
            "order=up",
        ] {
            assert!(source_query(wrong).is_err(), "{wrong}");
        }
    }
}
