//! What the union over sensors comes to, as files that other programs are held against: `tests/vectors/verdicts.json`.
//!
//! Each case is a made-up network seen by some sensors. What goes in are the records of each sensor, counted here one hit at a
//! time; what comes out is what one ledger says that saw the hits of all sensors.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::Transport;
use dgawatch::dga::Catalog;
use dgawatch::ledger::{Evidence, Hit, Key, Ledger, Rule, Verdict};
use dgawatch::watchlist::Match;
use serde_json::{Value, json};
use support::{Rng, expect, root};

/// Families in the order of their ids: names of a list, names that make a verdict (of clients, of resolvers), seconds in
/// which new names are counted.
const FAMILIES: [(&str, u32, u16, u16, u64); 4] = [
    ("conficker-a", 250, 3, 3, 60),
    ("conficker-b", 250, 3, 3, 60),
    ("conficker-c", 50_000, 4, 10, 10),
    ("placebo:conficker-b", 10_000, u16::MAX, u16::MAX, 10),
];
const A: u16 = 0;
const B: u16 = 1;
const C: u16 = 2;
const PLACEBO: u16 = 3;

/// 2009-03-31T00:00:00Z, and its number.
const MIDNIGHT: u64 = 1_238_457_600;
const TODAY: i32 = 14_334;

/// A network, and which sensor saw what.
struct Case {
    name: &'static str,
    /// Whether sources are addresses.
    whole: bool,
    sensors: usize,
    hits: Vec<(usize, Hit)>,
}

/// One who asks.
#[derive(Clone, Copy)]
struct Asker {
    source: IpAddr,
    server: Option<IpAddr>,
    recursive: bool,
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xC000_0200 + number).into()
}

fn client(number: u32) -> Asker {
    Asker { source: address(number), server: Some(address(0xF000)), recursive: true }
}

impl Case {
    fn new(name: &'static str, sensors: usize) -> Self {
        Self { name, whole: true, sensors, hits: vec![] }
    }

    /// A query for a name and its answer, in view of a sensor, so many milliseconds after midnight.
    fn ask(&mut self, sensor: usize, asker: Asker, (family, day): (u16, i32), index: u32, millis: u64) {
        let matched = Match { family, list_day: Day::EPOCH.plus(TODAY + day), index, collision: index % 97 == 13 };
        for response in [false, true] {
            let micros = millis * 1_000 + u64::from(response) * 350;
            self.hits.push((
                sensor,
                Hit {
                    source: asker.source,
                    time: Timestamp::from_parts(MIDNIGHT + micros / 1_000_000, micros % 1_000_000 * 1_000),
                    response,
                    port: 1_024 + (millis % 60_000) as u16,
                    transport: Transport::ALL[usize::from(millis.is_multiple_of(17))],
                    id: millis as u16,
                    recursive: asker.recursive,
                    server: asker.server.filter(|_| response),
                    lifetime: None,
                    told: None,
                    matched,
                },
            ));
        }
    }

    /// What each sensor knows, and what one knows that sees what they see.
    fn vectors(mut self) -> Value {
        self.hits.sort_by_key(|(_, hit)| hit.time);
        let lists: BTreeSet<(u16, Day)> = self.hits.iter().map(|(_, hit)| (hit.matched.family, hit.matched.list_day)).collect();
        let lists: Vec<Value> = lists.into_iter().map(|(family, day)| list(family, day)).collect();
        let sensors: Vec<Value> = (0..self.sensors)
            .map(|sensor| {
                let seen: Vec<Hit> = self.hits.iter().filter(|(by, _)| *by == sensor).map(|(_, hit)| *hit).collect();
                sensor_file(sensor, &seen, self.whole)
            })
            .collect();
        let all: Vec<Hit> = self.hits.iter().map(|(_, hit)| *hit).collect();
        let merged: Vec<Value> = judged(&all, self.whole).iter().map(|(key, evidence)| merged(key, evidence)).collect();
        assert!(!merged.is_empty());
        json!({"name": self.name, "lists": lists, "sensors": sensors, "merged": merged})
    }
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.add("conficker").unwrap();
    catalog.add("placebo:conficker-b").unwrap();
    for (id, (name, count, ..)) in FAMILIES.iter().enumerate() {
        let family = catalog.family(id as u16);
        assert_eq!((family.id(), family.usual_count()), (*name, *count));
    }
    catalog
}

fn ledger(whole: bool) -> Ledger {
    let mut ledger = Ledger::new(4_096);
    ledger.judge_by(Rule::of_all(&catalog()), whole);
    ledger
}

fn judged(hits: &[Hit], whole: bool) -> Vec<(Key, Evidence)> {
    let mut ledger = ledger(whole);
    ledger.add_all(hits, |_| {});
    ledger.into_sorted()
}

fn list(family: u16, day: Day) -> Value {
    let (name, names, needed, of_crowd, ..) = &FAMILIES[usize::from(family)];
    let (habit, drawn, pace) = match family {
        A | B => (json!("all"), Value::Null, Value::Null),
        C => (json!("sample"), json!(500), json!(10.0)),
        _ => (Value::Null, Value::Null, Value::Null),
    };
    json!({
        "family": name, "list_day": day.to_string(), "names": names, "names_needed": needed, "names_needed_of_crowd": of_crowd,
        "measured": false, "habit": habit, "habit_names": drawn, "habit_pace": pace,
    })
}

/// What is kept of a source, family and list day, counted without cleverness.
#[derive(Default)]
struct Counted {
    matches: u64,
    responses: u64,
    times: Vec<(Timestamp, u16, bool)>,
    names: BTreeMap<u32, bool>,
    recursive: u64,
    iterative: u64,
    /// Since the verdict: start of a window and new names in it, most in one, who answered.
    since: Option<(u64, u32, u32, Option<IpAddr>)>,
}

impl Counted {
    fn add(&mut self, hit: &Hit, is_sure: bool) {
        *(if hit.response { &mut self.responses } else { &mut self.matches }) += 1;
        *(if hit.recursive { &mut self.recursive } else { &mut self.iterative }) += 1;
        self.times.push((hit.time, hit.port, hit.transport == Transport::Tcp));
        let is_new = self.names.insert(hit.matched.index, hit.matched.collision).is_none();
        if is_sure {
            assert!(self.since.is_none(), "one verdict a source");
            self.since = Some((0, 0, 0, None));
        }
        if let Some((start, count, most, server)) = &mut self.since {
            *server = [*server, hit.server].into_iter().flatten().min();
            let (second, _) = hit.time.parts();
            if is_new {
                if second - *start >= FAMILIES[usize::from(hit.matched.family)].4 {
                    (*start, *count) = (second, 0);
                }
                *count += 1;
                *most = (*most).max(*count);
            }
        }
    }
}

fn sensor_file(sensor: usize, hits: &[Hit], whole: bool) -> Value {
    let mut ledger = ledger(whole);
    let mut counted: BTreeMap<Key, Counted> = BTreeMap::new();
    let mut servers: BTreeSet<IpAddr> = BTreeSet::new();
    for hit in hits {
        let key = Key { family: hit.matched.family, list_day: hit.matched.list_day, source: hit.source };
        let is_sure = ledger.add(hit).is_some_and(|news| news.verdict == Verdict::Infected);
        counted.entry(key).or_default().add(hit, is_sure);
        servers.extend(hit.server.filter(|_| whole));
    }
    let rows: Vec<Value> = ledger
        .into_sorted()
        .iter()
        .map(|(key, evidence)| {
            let counted = &counted[key];
            assert!(evidence.names().eq(counted.names.keys().copied()));
            record(key, counted, evidence, servers.contains(&key.source))
        })
        .collect();
    json!({"sensor": format!("sensor-{sensor}"), "servers": servers, "sources": rows})
}

fn names_of(key: &Key) -> (&'static str, String, String) {
    (FAMILIES[usize::from(key.family)].0, key.list_day.to_string(), key.source.to_string())
}

fn record(key: &Key, counted: &Counted, evidence: &Evidence, answers: bool) -> Value {
    let (family, list_day, source) = names_of(key);
    let (last_seen, port, is_tcp) = counted.times.iter().max().unwrap();
    let (_, _, most, server) = counted.since.unwrap_or_default();
    let collisions: Vec<u32> = counted.names.iter().filter(|(_, owned)| **owned).map(|(index, _)| *index).collect();
    json!({
        "source": source, "family": family, "list_day": list_day, "matches": counted.matches, "responses": counted.responses,
        "names": counted.names.keys().collect::<Vec<_>>(), "collisions": collisions,
        "first_seen": counted.times.iter().min().unwrap().0.to_string(), "last_seen": last_seen.to_string(), "port": port,
        "transport": if *is_tcp { "tcp" } else { "udp" }, "recursive": counted.recursive.min(255),
        "iterative": counted.iterative.min(255), "most": most, "answers_others": answers, "server": server,
        "role": evidence.role().label(), "verdict": Verdict::of(evidence).label(),
    })
}

fn merged(key: &Key, evidence: &Evidence) -> Value {
    let (family, list_day, source) = names_of(key);
    json!({
        "source": source, "family": family, "list_day": list_day, "matches": evidence.matches, "responses": evidence.responses,
        "names": evidence.names().collect::<Vec<_>>(), "known_collisions": evidence.collisions(),
        "first_seen": evidence.first_seen.to_string(), "last_seen": evidence.last_seen.to_string(), "port": evidence.port,
        "transport": evidence.transport.label(), "verdict": Verdict::of(evidence).label(), "role": evidence.role().label(),
        "reader": evidence.is_reader(), "set_aside": evidence.set_aside(), "names_needed": evidence.names_needed(),
    })
}

/// Sources spread over sensors, names that many ask for, as many as make a verdict and one less or more.
fn random(name: &'static str, seed: u64, pool: u64) -> Case {
    let (mut case, mut rng) = (Case::new(name, 3), Rng(seed));
    for number in 0..40 {
        let list = ([A, B, C][rng.below(3) as usize], rng.below(2) as i32 - 1);
        let asker = Asker { recursive: rng.below(8) > 0, ..client(number) };
        let home = rng.below(3) as usize;
        for _ in 0..=rng.below(7) {
            let (index, millis) = (rng.below(pool) as u32, rng.below(86_000_000));
            case.ask(home, asker, list, index, millis);
            match rng.below(5) {
                // The same packets at another sensor; the same name asked for again; another name there.
                0 => case.ask((home + 1) % 3, asker, list, index, millis),
                1 => case.ask((home + 2) % 3, asker, list, index, rng.below(86_000_000)),
                2 => case.ask((home + 1) % 3, asker, list, rng.below(pool) as u32, rng.below(86_000_000)),
                _ => {}
            }
        }
    }
    case
}

/// Names that people mean: by so many who ask for nothing else, and so many who ask for three more, spread over sensors.
fn popular() -> Case {
    let mut case = Case::new("popular names", 2);
    let mut number = 0;
    // Family and day, names, askers of nothing else, askers of more. Six names are too many for B to be set aside; all but
    // the last are of days of their own.
    for (list, names, only, more) in
        [((B, 0), 1, 5, 0), ((B, -1), 1, 4, 0), ((B, 1), 1, 3, 3), ((A, 0), 5, 6, 1), ((A, 1), 6, 6, 0), ((C, 0), 30, 5, 2)]
    {
        for index in 0..names {
            for asker in 0..only + more {
                number += 1;
                let millis = u64::from(number) * 61_007;
                case.ask(number as usize % 2, client(number), list, index, millis);
                for other in 0..if asker < only { 0 } else { 3 } {
                    case.ask(
                        (number as usize + 1) % 2,
                        client(number),
                        list,
                        100 + other + 3 * asker,
                        millis + 7 + u64::from(other),
                    );
                }
            }
        }
        // Two of them, and as many names of their own as it takes, or one less.
        for own in 1..=4 {
            number += 1;
            for index in (0..names.min(2)).chain((0..own).map(|own| 200 + own)) {
                case.ask(index as usize % 2, client(number), list, index, u64::from(number) * 61_007 + u64::from(index));
            }
        }
    }
    case
}

/// Who reads lists, and hosts that only look like it; each at one sensor, as a pace is seen at one place.
fn readers() -> Case {
    let mut case = Case::new("readers", 2);
    (0..250).for_each(|index| case.ask(0, client(1), (B, 0), index, 1_000 + u64::from(index) * 100));
    (0..250).for_each(|index| case.ask(1, client(2), (B, 0), index, 1_000 + u64::from(index) * 720));
    // Each name twice more: many hosts.
    (0..750)
        .for_each(|step| case.ask(0, client(3), (A, 0), step % 250, 1_000 + u64::from(step % 250) * 100 + u64::from(step / 250)));
    (0..300).for_each(|index| case.ask(1, client(4), (C, 0), index, 1_000 + u64::from(index) * 20));
    (0..60).for_each(|index| case.ask(0, client(5), (C, 0), index * 7, 1_000 + u64::from(index) * 12_000));
    // The rest of what it reads is seen elsewhere.
    (250..300).for_each(|index| case.ask(0, client(4), (C, 0), index, 90_000 + u64::from(index) * 20));
    case
}

/// Resolvers and forwarders, each at one sensor; counts of messages go further than is kept.
fn roles() -> Case {
    let mut case = Case::new("roles", 3);
    let at = |number| address(number);
    let forwarder = Asker { source: at(53), server: Some(at(54)), recursive: true };
    let resolver = Asker { source: at(54), server: Some(at(0xF00)), recursive: false };
    let hidden = Asker { source: at(55), server: Some(at(0xF00)), recursive: true };
    for index in 0..12 {
        let millis = 5_000_000 * u64::from(index);
        for list in [(B, 0), (C, 0)] {
            case.ask(0, Asker { server: Some(at(53)), ..client(1) }, list, index, millis);
            case.ask(0, forwarder, list, index, millis + 1);
            case.ask(1, resolver, list, index, millis + 2);
            case.ask(2, Asker { server: Some(at(55)), ..client(2) }, list, index, millis + 3);
            case.ask(1, hidden, list, index, millis + 4);
        }
    }
    // As many names as it takes of a resolver, and one less, which two sensors know together.
    for (number, names) in [(56, 10), (57, 9)] {
        let other = Asker { source: at(number), ..resolver };
        (0..names).for_each(|index| {
            case.ask(1 + index as usize % 2, other, (C, 0), 20 + index, 60_000_000 + u64::from(number + 20_000 * index))
        });
    }
    // Which of both it wants cannot be told any more.
    for step in 0..300 {
        case.ask(0, Asker { recursive: false, ..client(3) }, (B, 0), step % 3, 70_000_000 + u64::from(step));
        case.ask(1, client(3), (B, 0), step % 3, 71_000_000 + u64::from(step));
        case.ask(2, client(3), (B, 0), step % 4, 72_000_000 + u64::from(step));
    }
    case
}

/// Each sensor knows of too few who met the placebo to measure anything; together they do, where there are so many.
fn placebo(name: &'static str, visitors: u32) -> Case {
    let mut case = Case::new(name, 2);
    for number in 0..visitors {
        (0..=number % 3).for_each(|index| {
            let name = number * 31 + index * 7;
            case.ask(number as usize % 2, client(number), (PLACEBO, 0), name, u64::from(number * 3 + index) * 977);
        });
    }
    for number in 0..7 {
        (0..number).for_each(|index| {
            case.ask(
                index as usize % 2,
                client(100 + number),
                (B, 0),
                20 + 9 * number + index,
                u64::from(number * 9 + index) * 1_013,
            );
        });
    }
    case
}

/// The same where sources are networks.
fn masked() -> Case {
    Case { whole: false, ..roles_named("networks") }
}

fn roles_named(name: &'static str) -> Case {
    Case { name, ..roles() }
}

#[test]
fn what_sensors_know_together() {
    let cases = [
        random("spread over sensors, few names", 1, 30),
        random("spread over sensors, as few", 2, 20),
        random("spread over sensors, many names", 3, 250),
        popular(),
        readers(),
        roles(),
        masked(),
        placebo("a placebo of nineteen", 19),
        placebo("a placebo of twenty", 20),
    ];
    let cases: Vec<Value> = cases.into_iter().map(Case::vectors).collect();
    let count = |what: &dyn Fn(&Value) -> bool| {
        cases.iter().flat_map(|case| case["merged"].as_array().unwrap()).filter(|row| what(row)).count()
    };
    // What no sensor says alone, or what each says otherwise, is among them.
    assert!(count(&|row| row["verdict"] == "infected") > 30 && count(&|row| row["verdict"] == "suspect") > 30);
    assert!(count(&|row| row["reader"] == true) >= 2 && count(&|row| row["set_aside"] != 0) > 10);
    for role in ["client", "forwarder", "resolver", "unknown"] {
        assert!(count(&|row| row["role"] == role) >= 2, "{role}");
    }
    assert_ne!(count(&|row| row["names_needed"].as_u64().is_some_and(|needed| needed > 4 && needed != 10 && needed < 1_000)), 0);
    let alone = |case: &Value, merged: &Value| {
        let rows = case["sensors"].as_array().unwrap().iter().flat_map(|sensor| sensor["sources"].as_array().unwrap());
        let same = |row: &&Value| ["source", "family", "list_day"].iter().all(|member| row[member] == merged[member]);
        rows.filter(same).all(|row| row["verdict"] == "suspect")
    };
    let together = cases.iter().flat_map(|case| {
        let infected = case["merged"].as_array().unwrap().iter().filter(|row| row["verdict"] == "infected");
        infected.filter(|row| alone(case, row))
    });
    assert!(together.count() > 5);
    expect(&root().join("tests/vectors/verdicts.json"), by_line(&cases).as_bytes());
}

/// One record a line, so that changes can be read.
fn by_line(cases: &[Value]) -> String {
    let rows = |rows: &Value| rows.as_array().unwrap().iter().map(|row| format!("   {row}")).collect::<Vec<_>>().join(",\n");
    let sensor = |sensor: &Value| {
        let (name, servers) = (&sensor["sensor"], &sensor["servers"]);
        format!("   {{\"sensor\": {name}, \"servers\": {servers}, \"sources\": [\n{}\n   ]}}", rows(&sensor["sources"]))
    };
    let case = |case: &Value| {
        let sensors: Vec<String> = case["sensors"].as_array().unwrap().iter().map(sensor).collect();
        let (name, lists, merged) = (&case["name"], rows(&case["lists"]), rows(&case["merged"]));
        format!(
            " {{\"name\": {name},\n  \"lists\": [\n{lists}\n  ],\n  \"sensors\": [\n{}\n  ],\n  \"merged\": [\n{merged}\n  ]}}",
            sensors.join(",\n")
        )
    };
    let cases: Vec<String> = cases.iter().map(case).collect();
    format!("{{\"schema\": 1, \"cases\": [\n{}\n]}}\n", cases.join(",\n"))
}
