//! Events: as docs/EVENTS.md has them, once each, whatever the names, beside any number of threads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use support::answers::each_kind_and_a_crowd;
use support::captures::USUAL;
use support::packets::{at, ethernet, nxdomain, query, udp};
use support::{dgawatch, printed, root};
use tempfile::TempDir;

/// The events of a replay, and its report.
#[track_caller]
fn events(arguments: &[&str], threads: &str) -> (Vec<String>, Value) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events");
    let common = ["replay", "--format", "json", "--threads", threads, "--events", path.to_str().unwrap()];
    let (report, errors) = printed(&dgawatch(&[&common, arguments].concat()), 0);
    assert_eq!(errors, "");
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    (text.lines().map(str::to_owned).collect(), serde_json::from_str(&report).unwrap())
}

fn parsed(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Those that docs/EVENTS.md has, in its order.
const EVENTS: [&str; 6] = ["suspect", "infected", "rendezvous", "exposed", "sinkhole_learned", "daily_summary"];

#[test]
fn documented_and_true() {
    let text = fs::read_to_string(root().join("docs/EVENTS.md")).unwrap();
    let (lines, report) = events(&["pcaps/subscribers.pcap"], "1");
    let examples: Vec<&str> = text.split("```json\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("capture");
    fs::write(&path, each_kind_and_a_crowd().file()).unwrap();
    let leading = ["--family", "conficker-b", path.to_str().unwrap()];
    let leads = events(&leading, "1").0;
    let all: Vec<&String> = lines.iter().chain(&leads).collect();
    let of = |event: &str| all.iter().filter(|line| line.contains(&format!("\"event\":\"{event}\""))).collect::<Vec<_>>();
    for (example, event) in examples.iter().zip(EVENTS) {
        assert!(
            of(event).iter().any(|line| line.as_str() == *example),
            "{event}: the example is not what is written: {:?}",
            of(event)
        );
    }
    assert_eq!(examples.len(), EVENTS.len());
    // Each name is told of once, each client once a name, each sinkhole once.
    assert_eq!(["rendezvous", "exposed", "sinkhole_learned"].map(|event| of(event).len()), [10, 11, 1]);
    assert_eq!(events(&leading, "3").0, leads);

    // As the report has it.
    let summary = |lines: &[String]| {
        let of = parsed(lines).into_iter().filter(|event| event["event"] == "daily_summary");
        of.map(|day| ["rendezvous", "unsolicited", "exposed"].map(|member| day[member].as_u64().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!((summary(&leads), summary(&lines)), (vec![[0; 3], [1, 0, 1], [1, 0, 0]], vec![[0; 3]; summary(&lines).len()]));

    // Every member has its row, every row its member.
    let words: BTreeSet<&str> = text.lines().filter(|line| line.starts_with("| `")).flat_map(code).collect();
    let members: BTreeSet<String> = parsed(&[lines.clone(), leads].concat())
        .iter()
        .flat_map(|event| event.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
        .collect();
    let values = ["udp", "tcp", "--prefix", "--pseudonymise"];
    let documented: BTreeSet<String> = words.into_iter().filter(|word| !values.contains(word)).map(str::to_owned).collect();
    assert_eq!(documented, members);

    // Events and report agree.
    let text = |event: &Value, member: &str| event[member].as_str().unwrap().to_owned();
    let mut last: BTreeMap<(String, String, String), String> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for event in parsed(&lines).iter().filter(|event| event["event"] != "daily_summary") {
        let key = (text(event, "family"), text(event, "list_day"), text(event, "source"));
        assert!(seen.insert((key.clone(), text(event, "event"))), "told twice: {event}");
        assert!(event["source_port"].as_u64().unwrap() > 0);
        last.insert(key, text(event, "event"));
    }
    let rows: BTreeMap<(String, String, String), String> = report["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ((text(row, "family"), text(row, "list_day"), text(row, "source")), text(row, "verdict")))
        .collect();
    assert_eq!(last, rows);
    let lists: Vec<(String, String)> =
        report["lists"].as_array().unwrap().iter().map(|list| (text(list, "family"), text(list, "list_day"))).collect();
    let summaries: Vec<Value> = parsed(&lines).into_iter().filter(|event| event["event"] == "daily_summary").collect();
    assert_eq!(summaries.iter().map(|day| (text(day, "family"), text(day, "list_day"))).collect::<Vec<_>>(), lists);
    let sum = |member: &str| summaries.iter().map(|day| day[member].as_u64().unwrap()).sum::<u64>();
    let total =
        |member: &str| report["families"].as_array().unwrap().iter().map(|row| row[member].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("matches"), sum("responses")), (total("matches"), total("responses")));
    assert_eq!(sum("sources"), rows.len() as u64);

    for threads in ["2", "5"] {
        assert_eq!(events(&["pcaps/subscribers.pcap"], threads).0, lines);
    }
}

/// Words in code in a row's first and second cells that name members.
fn code(row: &str) -> impl Iterator<Item = &str> {
    row.split('`').skip(1).step_by(2)
}

#[test]
fn hostile_names_and_the_port_of_the_latest() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let hostile = "a\"}\u{1b}[2J\n,<script>.example";
    let escaped: String =
        hostile.bytes().map(|octet| if octet == b'.' { ".".to_owned() } else { format!("\\{octet:03}") }).collect();
    fs::write(path("list"), format!("{escaped}\nb.example\nc.example\n")).unwrap();
    let (client, resolver) = (|port| at("2001:db8::7", port), at("2001:db8::53", 53));
    let at_second = |second: u64, packet: Vec<u8>| (1_238_493_600_000_000_000 + second * 1_000_000_000, ethernet(&[], &packet));
    let packets = [
        at_second(1, udp(client(5_001), resolver, &query(1, hostile, 1))),
        // Earlier, though it comes later.
        at_second(0, udp(client(5_000), resolver, &query(1, "b.example", 1))),
        at_second(2, udp(resolver, client(5_002), &nxdomain(1, "c.example", 1))),
    ];
    fs::write(path("capture"), USUAL.file(&packets)).unwrap();
    let (lines, _) = events(&["--family", "conficker-b", "--list", &format!("ours={}", path("list")), &path("capture")], "1");
    assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
    let told = parsed(&lines);
    assert_eq!((&told[0]["event"], &told[0]["source_port"]), (&"suspect".into(), &5_001.into()));
    assert_eq!((&told[1]["event"], &told[1]["source_port"]), (&"infected".into(), &5_002.into()));
    assert_eq!(told[1]["time"], "2009-03-31T10:00:02.000000Z");
    assert_eq!(told[1]["first_seen"], "2009-03-31T10:00:00.000000Z");
    let name = told[1]["names"][0].as_str().unwrap();
    assert!(name.ends_with(".example") && name.contains("\\027") && name.contains("<script>"), "{name}");
}

/// What cannot be written is said, and takes nothing from the report.
#[test]
fn events_that_cannot_be_written() {
    let (report, errors) = printed(&dgawatch(&["replay", "--events", "/dev/full", "pcaps/subscribers.pcap"]), 1);
    assert!(report.contains(" infected, "), "{report}");
    assert!(errors.starts_with("dgawatch: events were lost: they could not be written "), "{errors}");
    let (_, errors) = printed(&dgawatch(&["replay", "--events", "/nowhere/events", "pcaps/subscribers.pcap"]), 1);
    assert!(errors.contains("events /nowhere/events cannot be opened: No such file"), "{errors}");
}
