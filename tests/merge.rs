//! `dgawatch merge`: one view from many sensors, exact where it can be; and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use dgawatch::ledger::{Distinct, OtherKey};
use serde_json::{Value, json};
use support::{Rng, dgawatch, printed, root};
use tempfile::TempDir;

/// A week of A, B and C in a network in which sensors see clients, a forwarder and what a resolver asks.
const WEEK: &str = r#"
start = "2009-03-28T00:00:00Z"
duration = "168h"
watch = ["conficker-a", "conficker-b", "conficker-c"]

[answers]
negative_ttl = [60, 3600]
rendezvous = { share = 0.0001, addresses = ["203.0.113.66", "203.0.113.67", "203.0.113.68", "203.0.113.69"] }

[[resolver]]
name = "isp"
addresses = ["198.51.100.53", "2001:db8:ffff::53"]
sees = "both"
negative_ttl = [30, 1800]

[[resolver]]
name = "office"
addresses = ["192.0.2.1", "2001:db8:ffff::1"]
upstream = "isp"
sees = "clients"

[[infected]]
family = "conficker-a"
count = 2
addresses = "192.0.2.16/28"
resolver = "office"

[[infected]]
family = "conficker-b"
count = 2
addresses = "10.1.0.0/16"
resolver = "isp"
clocks = [{ days = 1, share = 0.5 }]

[[infected]]
family = "conficker-c"
count = 8
addresses = "2001:db8::/32"
resolver = "office"
completed = [0.02, 1]
renumber = { mean = "24h" }

[[clean]]
count = 300
addresses = "10.2.0.0/16"
resolver = "isp"
rate = 0.2
names = 500

[[clean.collisions]]
family = "conficker-b"
shares = [0.2, 0.1, 0.05, 0.02]
others = 20
other_shares = [0.001, 0.01]
"#;

/// Sensors of the test.
const SENSORS: usize = 7;

/// A folder for a test's files.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), octets).unwrap();
        self.path(name)
    }

    /// The JSON report of captures, in a file.
    fn replay(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let (out, _) = printed(&dgawatch(&[&["replay", "--quiet", "--format", "json"], arguments].concat()), 0);
        self.write(name, out)
    }

    /// Merges reports into a file.
    fn merge(&self, name: &str, reports: &[PathBuf]) -> PathBuf {
        self.write(name, merged(reports, &["--format", "json"]))
    }
}

/// What a merge prints.
fn merged(reports: &[PathBuf], more: &[&str]) -> String {
    printed(&dgawatch(&arguments(reports, more)), 0).0
}

fn arguments<'a>(reports: &'a [PathBuf], more: &[&'a str]) -> Vec<&'a str> {
    let reports = reports.iter().map(|path| path.to_str().unwrap());
    ["merge"].into_iter().chain(more.iter().copied()).chain(reports).collect()
}

/// What a merge is refused with.
fn refused(reports: &[PathBuf], more: &[&str], code: i32) -> String {
    let (out, err) = printed(&dgawatch(&arguments(reports, more)), code);
    assert!(out.is_empty() && err.lines().count() == 1, "{out}{err}");
    err
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Deals the packets of a capture out to sensors; `to` says to which each goes.
fn dealt(capture: &[u8], mut to: impl FnMut() -> Vec<usize>) -> Vec<Vec<u8>> {
    let mut captures = vec![capture[..24].to_vec(); SENSORS];
    let mut at = 24;
    while at < capture.len() {
        let end = at + 16 + u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap()) as usize;
        to().into_iter().for_each(|sensor| captures[sensor].extend(&capture[at..end]));
        at = end;
    }
    captures
}

/// What the union must have exactly: all but what traces tell, which begin with a sensor's own verdict, and but what names a
/// capture.
fn exact(report: &Value, messages: bool) -> Value {
    let mut report = report.clone();
    let members = report.as_object_mut().unwrap();
    for member in ["captures", "sensor", "capture_loss"] {
        members.remove(member);
    }
    if !messages {
        for member in ["packets", "messages", "given_up"] {
            members.remove(member);
        }
    }
    let without = |row: &mut Value, names: &[&str]| {
        names.iter().for_each(|name| {
            row.as_object_mut().unwrap().remove(*name);
        });
    };
    let counts: &[&str] = if messages { &[] } else { &["matches", "responses", "answers"] };
    for row in members["sources"].as_array_mut().unwrap() {
        // C's hosts follow from its names; those of A and B from lookups.
        if row["family"] != "conficker-c" || !messages {
            without(row, &["hosts", "refused"]);
        }
        if row["role"] == "forwarder" {
            row["role"] = json!("resolver");
        }
        without(row, &["evidence"]);
        without(row, counts);
    }
    for row in members["families"].as_array_mut().unwrap() {
        if row["family"] != "conficker-c" || !messages {
            without(row, &["hosts", "refused"]);
        }
        without(row, &["cycle", "roles"]);
        without(row, counts);
    }
    for row in members["lists"].as_array_mut().unwrap().iter_mut().filter(|_| !messages) {
        without(row, &["rounds"]);
    }
    for row in members["rendezvous"].as_array_mut().unwrap() {
        for client in row["exposed"].as_array_mut().unwrap() {
            without(client, &["role", "unsolicited"]);
            without(client, counts);
        }
        // The query may be with another sensor.
        without(row, &["unsolicited"]);
        without(row, counts);
    }
    report
}

/// The first thing in which two differ, for a person.
#[track_caller]
fn assert_same(one: &Value, other: &Value, what: &str) {
    for (member, value) in one.as_object().unwrap() {
        let theirs = &other[member];
        if let (Some(rows), Some(others)) = (value.as_array(), theirs.as_array()) {
            assert_eq!(rows.len(), others.len(), "{what}: {member}");
            rows.iter().zip(others).for_each(|(row, other)| assert_eq!(row, other, "{what}: {member}"));
        }
        assert_eq!(value, theirs, "{what}: {member}");
    }
    assert_eq!(one.as_object().unwrap().len(), other.as_object().unwrap().len(), "{what}");
}

fn sources(report: &Value) -> BTreeSet<IpAddr> {
    report["sources"].as_array().unwrap().iter().map(|row| row["source"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn seven_sensors_are_one() {
    let folder = Folder::new();
    let week = folder.path("week.pcap");
    let description = folder.write("week.toml", WEEK);
    printed(&dgawatch(&["simulate", description.to_str().unwrap(), "-o", week.to_str().unwrap()]), 0);
    let capture = fs::read(&week).unwrap();
    let whole = read(&folder.replay("whole.json", &[week.to_str().unwrap()]));
    let infected = |report: &Value| {
        let rows = report["sources"].as_array().unwrap().clone();
        rows.iter().filter(|row| row["verdict"] == "infected").count()
    };
    assert!(infected(&whole) > 30 && infected(&whole) < whole["sources"].as_array().unwrap().len(), "{}", infected(&whole));

    // Each packet to one sensor, those of a source to all; then a fifth of them to two.
    let mut random = Rng(7);
    let one_each = dealt(&capture, || vec![random.below(SENSORS as u64) as usize]);
    let some_twice = dealt(&capture, || {
        let first = random.below(SENSORS as u64) as usize;
        let second = (first + 1) % SENSORS;
        if random.below(5) == 0 { vec![first, second] } else { vec![first] }
    });
    for (way, captures) in [("one-each", one_each), ("some-twice", some_twice)] {
        let reports: Vec<PathBuf> = (0..)
            .zip(&captures)
            .map(|(sensor, octets)| {
                let path = folder.write(&format!("{way}-{sensor}.pcap"), octets);
                let name = format!("tap{sensor}");
                folder.replay(&format!("{way}-{sensor}.json"), &["--sensor", &name, path.to_str().unwrap()])
            })
            .collect();
        let all = folder.merge("all.json", &reports);
        let merged = read(&all);
        let messages = way == "one-each";
        assert_same(&exact(&merged, messages), &exact(&whole, messages), way);
        // No sensor alone comes to it.
        let alone: Vec<Value> = reports.iter().map(|report| read(report)).collect();
        assert!(alone.iter().all(|report| infected(report) < infected(&merged)));
        hosts_are_near(&merged, &whole);

        // Packets and messages add up, those that two sensors saw twice.
        let packets = captures.iter().map(|octets| read_packets(octets)).sum::<u64>();
        assert_eq!(merged["packets"]["read"], json!(packets));
        let sum: u64 = alone.iter().map(|report| report["families"][1]["matches"].as_u64().unwrap()).sum();
        assert_eq!(merged["families"][1]["matches"], json!(sum));

        // In any order and step by step it is the same.
        let backwards: Vec<PathBuf> = reports.iter().rev().cloned().collect();
        assert!(fs::read(folder.merge("backwards.json", &backwards)).unwrap() == fs::read(&all).unwrap());
        let some = [folder.merge("some.json", &reports[2..5])];
        let steps = [&reports[5..], &some, &reports[..2]].concat();
        assert!(fs::read(folder.merge("steps.json", &steps)).unwrap() == fs::read(&all).unwrap());

        // Sketches under one key, each with no more than its sensor saw, come to the sources within their bound.
        let sketch = |sources: &BTreeSet<IpAddr>, key| {
            let mut distinct = Distinct::new(key, 0);
            sources.iter().for_each(|source| distinct.add(*source));
            distinct
        };
        let mut union = Distinct::new(99, 0);
        alone.iter().for_each(|report| union.merge(&sketch(&sources(report), 99)).unwrap());
        let of_one = sketch(&sources(&whole), 99);
        assert_eq!(union.count(), of_one.count());
        let (count, truth) = (union.count(), of_networks(&sources(&whole)));
        assert!(count.low <= truth && truth <= count.high, "{count:?} {truth}");
        assert_eq!(union.merge(&sketch(&sources(&whole), 100)), Err(OtherKey));
    }
}

/// What Parquet files hold of a report: the sources, but what depends on where names lead.
#[cfg(feature = "parquet")]
fn evidence_of(report: &Value) -> Value {
    let mut report = exact(report, true);
    for row in report["sources"].as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("exposed");
    }
    for row in report["families"].as_array_mut().unwrap() {
        for member in ["answers", "exposed"] {
            row.as_object_mut().unwrap().remove(member);
        }
    }
    serde_json::json!({ "sources": report["sources"], "families": report["families"], "servers": report["servers"] })
}

#[cfg(feature = "parquet")]
#[test]
fn folders_are_merged_like_reports() {
    let folder = Folder::new();
    let week = folder.path("week.pcap");
    let description = folder.write("week.toml", WEEK);
    printed(&dgawatch(&["simulate", description.to_str().unwrap(), "-o", week.to_str().unwrap()]), 0);
    let whole = read(&folder.replay("whole.json", &[week.to_str().unwrap()]));
    let mut random = Rng(8);
    let captures = dealt(&fs::read(&week).unwrap(), || vec![random.below(SENSORS as u64) as usize]);
    let (mut folders, mut reports) = (vec![], vec![]);
    for (sensor, octets) in captures.iter().enumerate() {
        let path = folder.write(&format!("{sensor}.pcap"), octets);
        // Three sensors write into one folder.
        let lake = folder.path(&format!("lake{}", sensor.max(2)));
        let (name, lake_text, path) = (format!("tap{sensor}"), lake.to_str().unwrap(), path.to_str().unwrap());
        reports.push(folder.replay(&format!("{sensor}.json"), &["--sensor", &name, "--parquet", lake_text, path]));
        folders.push(lake);
    }
    folders.dedup();
    let all = folder.merge("all.json", &folders);
    let merged_folders = read(&all);
    assert_same(&evidence_of(&merged_folders), &evidence_of(&whole), "folders");
    assert_same(&evidence_of(&merged_folders), &evidence_of(&read(&folder.merge("reports.json", &reports))), "reports");
    assert_eq!(merged_folders["packets"]["read"], json!(0));
    // A folder and reports of the others, in any order; and what was merged goes on.
    let mixed = [&reports[3..], &folders[..1]].concat();
    assert_same(&evidence_of(&read(&folder.merge("mixed.json", &mixed))), &evidence_of(&whole), "mixed");
    let backwards: Vec<PathBuf> = mixed.iter().rev().cloned().collect();
    assert_same(&evidence_of(&read(&folder.merge("backwards.json", &backwards))), &evidence_of(&whole), "backwards");
    let steps = [folder.merge("some.json", &folders[1..]), folders[0].clone()];
    assert_same(&evidence_of(&read(&folder.merge("steps.json", &steps))), &evidence_of(&whole), "steps");

    // What does not go together, and what is none.
    assert!(refused(&[folders[0].clone(), folders[0].join(".")], &[], 2).contains("is given twice"));
    let empty = folder.path("empty");
    fs::create_dir(&empty).unwrap();
    assert!(refused(std::slice::from_ref(&empty), &[], 1).contains("holds no evidence"));
    fs::create_dir_all(empty.join("evidence")).unwrap();
    fs::write(empty.join("evidence/a.parquet"), "PAR1 and no more").unwrap();
    assert!(refused(&[empty], &[], 1).contains("a.parquet"));
}

/// Packets of a capture.
fn read_packets(capture: &[u8]) -> u64 {
    let mut count = 0;
    let _ = dealt(capture, || {
        count += 1;
        vec![]
    });
    count
}

/// How many they are where an IPv6 /64 counts once.
fn of_networks(sources: &BTreeSet<IpAddr>) -> f64 {
    let network = |source: &IpAddr| match source {
        IpAddr::V4(source) => u128::from(source.to_bits()),
        IpAddr::V6(source) => source.to_bits() >> 64 << 64,
    };
    sources.iter().map(network).collect::<BTreeSet<u128>>().len() as f64
}

/// Estimates of A and B, which rest on lookups, lie within each other's bounds.
#[track_caller]
fn hosts_are_near(merged: &Value, whole: &Value) {
    for (row, other) in merged["families"].as_array().unwrap().iter().zip(whole["families"].as_array().unwrap()) {
        let figure = |row: &Value, of: &str| row["hosts"][of].as_u64().unwrap_or(u64::MAX);
        assert!(row["hosts"].is_object() && other["hosts"].is_object(), "{row} {other}");
        let within = |a: &Value, b: &Value| figure(a, "low") <= figure(b, "high");
        assert!(within(row, other) && within(other, row), "{row} {other}");
    }
}

#[test]
fn one_report_is_itself() {
    let folder = Folder::new();
    let (labels, own) =
        (folder.write("labels.csv", "192.0.2.0/27,pool one\n"), folder.write("own.txt", "praat.org\nx.example\n"));
    let key = folder.write("key", [7; 16]);
    let list = format!("ours={}", own.display());
    let cases: [(&str, &[&str]); 7] = [
        ("subscribers.pcap", &[]),
        ("subscribers.pcap", &["--sensor", "tap1", "--lost", "0.02", "--networks", labels.to_str().unwrap()]),
        ("subscribers.pcap", &["--pseudonymise", key.to_str().unwrap()]),
        ("subscribers.pcap", &["--prefix", "24,56"]),
        ("carried.pcap", &["--family", "conficker-b", "--list", &list]),
        ("loopback.pcap", &["--max-sources", "1"]),
        ("hostile.pcap", &["--family", "synthetic:1000,conficker"]),
    ];
    for (capture, arguments) in cases {
        let path = root().join("pcaps").join(capture);
        let report = folder.replay("one.json", &[arguments, &[path.to_str().unwrap()]].concat());
        let more: &[&str] = if arguments.contains(&&*list) { &["--list", &list] } else { &[] };
        let again = merged(std::slice::from_ref(&report), &[&["--format", "json"], more].concat());
        assert_eq!(again, fs::read_to_string(&report).unwrap(), "{arguments:?}");
        for format in ["text", "csv"] {
            let all = [&["replay", "--quiet", "--format", format], arguments, &[path.to_str().unwrap()]].concat();
            let expected = printed(&dgawatch(&all), 0).0;
            assert_eq!(merged(std::slice::from_ref(&report), &[&["--format", format], more].concat()), expected, "{arguments:?}");
        }
        // The same twice is the same once, and told.
        let (out, err) =
            printed(&dgawatch(&self::arguments(&[report.clone(), report], &[&["--format", "json"], more].concat())), 0);
        assert!(out == again && err.contains("is of the same captures as one before: left out"), "{err}");
    }
}

#[test]
fn what_does_not_go_together() {
    let folder = Folder::new();
    let capture = root().join("pcaps/subscribers.pcap");
    let (capture, other) = (capture.to_str().unwrap(), root().join("pcaps/loopback.pcap"));
    let other = other.to_str().unwrap();
    let plain = folder.replay("plain.json", &[capture]);
    let prefix = folder.replay("prefix.json", &["--prefix", "24,56", other]);
    let both = folder.replay("both.json", &[capture, other]);
    let (own, changed) =
        (folder.write("own.txt", "praat.org\nx.example\n"), folder.write("changed.txt", "praat.org\ny.example\n"));
    let (own, changed) = (format!("ours={}", own.display()), format!("ours={}", changed.display()));
    let listed = folder.replay("listed.json", &["--list", &own, other]);
    let number = Cell::new(0);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut report = read(&plain);
        change(&mut report);
        number.set(number.get() + 1);
        folder.write(&format!("changed-{}.json", number.get()), report.to_string())
    };
    let second = |path: &PathBuf| vec![plain.clone(), path.clone()];
    let row = |change: fn(&mut Value)| with(&|report| change(&mut report["sources"][0]));
    for (reports, arguments, code, why) in [
        (second(&prefix), &[][..], 1, "stands for sources in another way than the first"),
        (second(&both), &[], 1, "of the same packets as a report before, and others beside"),
        (second(&listed), &[], 1, "give it as the sensors had it: --list ours=FILE"),
        (second(&listed), &["--list", &changed], 1, "means other names by ours, list of "),
        (vec![plain.clone()], &["--list", &own], 2, "write NAME=FILE, NAME as in the reports"),
        (vec![prefix.clone()], &["--format", "shadowserver"], 2, "what stands for sources in these reports is no address"),
        (vec![folder.path("none.json")], &[], 1, "none.json cannot be read: No such file"),
        (
            vec![folder.write("empty", "")],
            &[],
            1,
            "empty is no whole report that `dgawatch replay --format json` of this version",
        ),
        (vec![folder.write("cut", &fs::read(&plain).unwrap()[..3_000])], &[], 1, "is no whole report"),
        (vec![with(&|report| report["schema"] = json!(2))], &[], 1, "is of schema 2, and this program reads schema 1"),
        (vec![with(&|report| report["capture_loss"] = json!(1))], &[], 1, "has a `capture_loss` that is no share"),
        (
            vec![with(&|report| report["packets"]["outcomes"]["odd"] = json!(1))],
            &[],
            1,
            "has the outcome `odd`, which this version",
        ),
        (vec![with(&|report| report["matches_not_kept"] = json!(u64::MAX))], &[], 1, "is too much to be counted"),
        (vec![with(&|report| report["lists"][0]["names"] = json!(7))], &[], 1, "means other names by conficker-a"),
        (vec![row(|row| row["indices"] = json!([250, 251]))], &[], 1, "cannot be merged: row 1 of `sources` has "),
        (vec![row(|row| row["indices"][0] = json!(249))], &[], 1, "has no names, or not in ascending order"),
        (vec![row(|row| row["indices"][0] = json!(-1))], &[], 1, "cannot be merged: invalid value"),
        (vec![row(|row| row["list_day"] = json!("2009-02-31"))], &[], 1, "is not a day"),
        (vec![row(|row| row["family"] = json!("stuxnet"))], &[], 1, "speaks of family `stuxnet`"),
        (vec![row(|row| row["matches"] = json!(1_u64 << 50))], &[], 1, "is too much to be counted"),
        (
            vec![row(|row| {
                row.as_object_mut().unwrap().remove("indices");
            })],
            &[],
            1,
            "missing field `indices`",
        ),
        (vec![row(|row| row["evidence"]["lookups"] = json!([u64::MAX, 1]))], &[], 1, "has `lookups` that cannot be"),
    ] {
        let said = refused(&reports, arguments, code);
        assert!(said.contains(why), "{said}\n{why}");
    }
    // Of another sensor the same path is another capture.
    let named = folder.replay("named.json", &["--sensor", "b", capture]);
    let union = read(&folder.merge("union.json", &[named, plain.clone()]));
    assert_eq!(union["captures"][1]["sensor"], json!("b"));
    assert_eq!(
        (union["sources"].as_array().unwrap().len(), &union["sensor"]),
        (read(&plain)["sources"].as_array().unwrap().len(), &json!(null))
    );
    // Written as a whole, to a file.
    let file = folder.path("out.txt");
    let (out, _) = printed(&dgawatch(&arguments(std::slice::from_ref(&plain), &["--output", file.to_str().unwrap()])), 0);
    assert!(out.is_empty() && fs::read_to_string(&file).unwrap() == printed(&dgawatch(&["replay", capture]), 0).0);
}
