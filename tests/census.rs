//! Hosts counted through the whole path: packets in, report out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/hosts.rs"]
mod hosts;
mod support;

use std::collections::BTreeMap;

use hosts::{DAY, MEASURED, Random, pass, passes, sampling};
use serde_json::{Value, json};
use support::captures::{Packet, USUAL};
use support::packets::{at, ethernet, message, query, udp, wire};
use support::{dgawatch, names, printed};

const LIST_DAY: &str = "2009-04-01";
/// 2009-04-01T00:00:00Z.
const MIDNIGHT: f64 = 1_238_544_000.0;

/// A capture in the making.
#[derive(Default)]
struct Traffic(Vec<Packet>);

/// Who asks whom, and how.
#[derive(Clone, Copy)]
struct Way<'a> {
    from: &'a str,
    to: &'a str,
    recursive: bool,
    lifetime: u32,
}

impl Traffic {
    /// A query, and its answer that there is no such name.
    fn ask(&mut self, way: Way<'_>, name: &str, seconds: f64) {
        let nanos = ((MIDNIGHT + seconds) * 1e9) as u64;
        let id = (nanos / 1_000_003) as u16;
        let mut question = query(id, name, 1);
        if !way.recursive {
            question[2] &= !1;
        }
        let (client, server) = (at(way.from, 1_024 + id % 60_000), at(way.to, 53));
        self.0.push((nanos, ethernet(&[], &udp(client, server, &question))));
        let mut answer = message(id, 0x8083 | u16::from(way.recursive) << 8, &wire(name), 1);
        answer[9] = 1;
        // The zone's SOA record: root for its names, four times; it lives longer than what it says of absence.
        answer.extend(b"\xC0\x0C\x00\x06\x00\x01");
        answer.extend(86_400_u32.to_be_bytes());
        answer.extend(22_u16.to_be_bytes());
        answer.extend([0; 18]);
        answer.extend(way.lifetime.to_be_bytes());
        self.0.push((nanos + 9_000_000, ethernet(&[], &udp(server, client, &answer))));
    }

    /// What the program says of it, the same for any number of threads.
    fn report(mut self) -> Value {
        self.0.sort_by_key(|(time, _)| *time);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), USUAL.file(&self.0)).unwrap();
        let path = file.path().to_str().unwrap();
        let of = |threads| printed(&dgawatch(&["replay", "--format", "json", "--threads", threads, path]), 0).0;
        let report = of("1");
        assert_eq!(of("3"), report);
        serde_json::from_str(&report).unwrap()
    }
}

fn rows<'r>(report: &'r Value, table: &str, family: &str) -> Vec<&'r Value> {
    report[table].as_array().unwrap().iter().filter(|row| row["family"] == family).collect()
}

#[track_caller]
fn holds(hosts: &Value, truth: u64) {
    let figure = |name: &str| hosts[name].as_u64().unwrap();
    assert!(figure("low") <= truth && truth <= figure("high"), "{truth}: {hosts}");
}

const NAT: Way<'_> = Way { from: "192.0.2.7", to: "198.51.100.53", recursive: true, lifetime: 900 };
const RESOLVER: Way<'_> = Way { from: "198.51.100.53", to: "203.0.113.1", recursive: false, lifetime: 900 };

/// Hosts of B as measured that ask for all names of the day, seen through caches of a lifetime, or none.
fn b_hosts(hosts: usize, way: Way<'_>, cached: bool) -> Traffic {
    let random = &mut Random::of([5, hosts as u64, way.lifetime.into()]);
    let starts = MEASURED.always_on(random, hosts);
    let mut lookups = MEASURED.lookups(random, &starts, 250);
    if cached {
        lookups = pass(random, &lookups, way.lifetime.into(), 1);
    }
    let mut traffic = Traffic::default();
    for (name, times) in names("conficker-b", LIST_DAY).iter().zip(lookups) {
        times.into_iter().for_each(|time| traffic.ask(way, name, time));
    }
    traffic
}

#[test]
fn hosts_of_b_behind_one_address() {
    for hosts in [1, 30] {
        let report = b_hosts(hosts, NAT, false).report();
        let row = rows(&report, "sources", "conficker-b")[0];
        assert_eq!((&row["role"], &row["hosts"]["method"]), (&"client".into(), &"floor".into()));
        assert_eq!(row["hosts"]["best"], hosts);
        holds(&row["hosts"], hosts as u64);
        let family = rows(&report, "families", "conficker-b")[0];
        assert_eq!(family["hosts"], row["hosts"]);
        assert_eq!((&family["roles"], &family["days_ahead"]), (&json!({"client": 1}), &json!({"0": 1})));
        let one = json!({"low": 1, "best": 1, "high": 1});
        assert_eq!(family["distinct"], json!({"seen": one, "infected": one}));
        assert_eq!(family["cycle"]["learned"], true);
        let seconds = family["cycle"]["seconds"].as_f64().unwrap();
        assert!((10_980.0..11_100.0).contains(&seconds), "{seconds}");
    }
}

/// A clock that is a day behind, beside one that is right.
#[test]
fn wrong_clocks() {
    let (mut late, right) = (b_hosts(1, Way { from: "192.0.2.8", ..NAT }, false), b_hosts(1, NAT, false));
    late.0.iter_mut().for_each(|(time, _)| *time += 86_400_000_000_000);
    late.0.extend(right.0);
    let report = late.report();
    assert_eq!(rows(&report, "families", "conficker-b")[0]["days_ahead"], json!({"-1": 1, "0": 1}));
}

#[test]
fn hosts_of_b_behind_a_cache() {
    for (hosts, lifetime) in [(10, 300), (100, 900)] {
        let report = b_hosts(hosts, Way { lifetime, ..RESOLVER }, true).report();
        let row = rows(&report, "sources", "conficker-b")[0];
        assert_eq!((&row["role"], &row["hosts"]["method"]), (&"resolver".into(), &"hazard".into()));
        holds(&row["hosts"], hosts as u64);
    }
    let report = b_hosts(30, Way { lifetime: 7_200, ..RESOLVER }, true).report();
    let row = rows(&report, "sources", "conficker-b")[0];
    let why = "caches keep the names for more than half a cycle";
    assert_eq!((&row["verdict"], &row["hosts"], &row["refused"]), (&"infected".into(), &Value::Null, &why.into()));
    let family = rows(&report, "families", "conficker-b")[0];
    assert_eq!((&family["hosts"], &family["refused"]), (&Value::Null, &why.into()));
}

#[test]
fn hosts_of_c_whatever_is_in_between() {
    let list = names("conficker-c", LIST_DAY);
    let random = &mut Random::of([6, 0, 0]);
    let lookups = sampling(random, 30);
    let mut found = vec![];
    for way in [NAT, RESOLVER] {
        let mut traffic = Traffic::default();
        let seen = if way.recursive { lookups.clone() } else { passes(lookups.clone(), |_| 10_800.0) };
        seen.into_iter().filter(|(_, time)| *time < DAY).for_each(|(name, time)| traffic.ask(way, &list[name as usize], time));
        let report = traffic.report();
        let row = rows(&report, "sources", "conficker-c")[0];
        assert_eq!(row["hosts"]["method"], "occupancy");
        // Some rounds run past the end of the day.
        let best = row["hosts"]["best"].as_u64().unwrap();
        assert!((26..=30).contains(&best), "{row}");
        found.push(row["hosts"].clone());
    }
    assert_eq!(found[0], found[1]);
}

/// Two hosts of B, seen at five addresses: one behind a forwarder and its resolver, one behind another resolver. The second
/// time only a sixth of the packets are there, at each address others.
#[test]
fn five_addresses_are_two_infections() {
    for seen in [1.0, 0.17] {
        let list = names("conficker-b", LIST_DAY);
        let random = &mut Random::of([7, 1, 0]);
        let mut traffic = Traffic::default();
        let (stub, forwarder, resolver) = ("10.0.0.5", "10.0.0.1", "198.51.100.53");
        let (other, beyond) = ("192.0.2.9", "198.51.100.54");
        let authority = "203.0.113.1";
        let up = |from, to, recursive| Way { from, to, recursive, lifetime: 900 };
        let ways: [&[Way<'_>]; 2] = [
            &[up(stub, forwarder, true), up(forwarder, resolver, true), up(resolver, authority, false)],
            &[up(other, beyond, true), up(beyond, authority, false)],
        ];
        for (ways, phase) in ways.into_iter().zip([2_800.0, 6_000.0]) {
            for round in 0..6 {
                for name in &list {
                    let slot = random.below(25) as f64;
                    let time = slot.mul_add(7.3, f64::from(round).mul_add(11_010.0, phase)) + random.unit();
                    for (tier, way) in ways.iter().enumerate() {
                        if random.unit() < seen {
                            traffic.ask(*way, name, time + 0.002 * tier as f64);
                        }
                    }
                }
            }
        }
        let report = traffic.report();
        let sources = rows(&report, "sources", "conficker-b");
        assert!(sources.len() == 5 && sources.iter().all(|row| row["verdict"] == "infected"), "{seen}");
        let roles: BTreeMap<&str, &str> =
            sources.iter().map(|row| (row["source"].as_str().unwrap(), row["role"].as_str().unwrap())).collect();
        let expected =
            [(stub, "client"), (forwarder, "forwarder"), (other, "client"), (resolver, "resolver"), (beyond, "resolver")];
        assert_eq!(roles, BTreeMap::from(expected));
        let upstream = sources.iter().filter(|row| row["refused"] == "counted at its clients").count();
        let family = rows(&report, "families", "conficker-b")[0];
        assert_eq!((upstream, &family["hosts"]["best"]), (3, &2.into()), "{seen}: {family}");
        assert_eq!((&family["infected"], &family["hosts"]["low"]), (&5.into(), &2.into()));
        assert_eq!(family["roles"], json!({"client": 2, "forwarder": 1, "resolver": 2}));
        let minutes = family["cycle"]["seconds"].as_f64().unwrap() / 60.0;
        assert!((183.0..185.0).contains(&minutes), "{minutes}");
    }
}
