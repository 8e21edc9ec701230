//! Many sensors and archives on Apache Spark (deploy/spark), held against one process that reads it all.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
use serde_json::{Value, json};
use support::captures::{Packet, USUAL};
use support::simulated::frames;
use support::{dgawatch, names, printed, root};

/// A week in which Conficker C wakes up, among honest sites that many visit; each host is at work some hours a day.
const WEEK: &str = r#"
start = "2009-03-29"
duration = "168h"
answers.negative_ttl = 900

[[resolver]]
name = "isp"
addresses = ["198.51.100.53", "2001:db8:ffff::53"]
sees = "both"

[[resolver]]
name = "office"
addresses = ["192.0.2.1"]
upstream = "isp"
sees = "both"

[[infected]]
family = "conficker-b"
count = 3
addresses = "10.1.0.0/16"
resolver = "isp"
duty = { hours = 5 }

[[infected]]
family = "conficker-b"
count = 1
addresses = "2001:db8:1::/48"
resolver = "isp"
duty = { hours = 5 }
clocks = [{ days = 1, share = 1.0 }]

[[infected]]
family = "conficker-c"
count = 6
addresses = "10.3.0.0/16"
resolver = "isp"

[[infected]]
family = "conficker-a"
count = 1
addresses = "192.0.2.10"
resolver = "office"
duty = { hours = 5 }

[[clean]]
count = 300
addresses = "10.2.0.0/16"
resolver = "isp"
rate = 0.1

[[clean.collisions]]
family = "conficker-b"
shares = [0.1, 0.08]
stray = 0.01

[[reader]]
address = "10.4.0.1"
resolver = "isp"
family = "conficker-b"
at = "84h"
"#;

const SENSORS: usize = 7;
const SHARDS: usize = 64;
/// Those that the first run is told of, which one is damaged, and at which start of the program its caller is killed.
const FIRST: usize = 40;
const DAMAGED: usize = 23;
const KILLED: usize = 20;

const FAMILIES: [&str; 4] = ["--family", "conficker", "--family", "placebo:conficker-b"];

/// Who asks in a packet, or is answered.
fn client(frame: &[u8]) -> IpAddr {
    let packet = PacketHeaders::from_ethernet_slice(frame).unwrap();
    let Some(TransportHeader::Udp(udp)) = packet.transport else { panic!("no UDP") };
    let (source, destination): (IpAddr, IpAddr) = match packet.net.unwrap() {
        NetHeaders::Ipv4(ip, _) => (ip.source.into(), ip.destination.into()),
        NetHeaders::Ipv6(ip, _) => (ip.source.into(), ip.destination.into()),
        NetHeaders::Arp(_) => panic!("no IP"),
    };
    if udp.destination_port == 53 { source } else { destination }
}

/// Sensors that see a packet: who asks is on a way of its own each day, and every eighth is seen at two places.
fn sensors(time: u64, client: IpAddr) -> Vec<usize> {
    let octets: Vec<u8> = match client {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let day = time / 86_400_000_000_000;
    let way = octets.iter().fold(day, |sum, octet| sum.wrapping_mul(131).wrapping_add(u64::from(*octet))) as usize;
    if way.is_multiple_of(8) { vec![way % SENSORS, (way + 1) % SENSORS] } else { vec![way % SENSORS] }
}

struct Work(tempfile::TempDir);

impl Work {
    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        self.at(path).to_str().unwrap().to_owned()
    }

    fn capture(&self, path: &str, packets: &[Packet]) -> String {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), USUAL.file(packets)).unwrap();
        self.text(path)
    }
}

fn replay(arguments: &[&str], captures: &[String]) -> Value {
    let mut all = vec!["replay", "--format", "json", "--quiet"];
    all.extend(FAMILIES);
    all.extend(arguments);
    all.extend(captures.iter().map(String::as_str));
    serde_json::from_str(&printed(&dgawatch(&all), 0).0).unwrap()
}

const MEMBERS: [&str; 14] = [
    "source",
    "family",
    "list_day",
    "matches",
    "responses",
    "distinct_names",
    "known_collisions",
    "first_seen",
    "last_seen",
    "verdict",
    "names_needed",
    "set_aside",
    "reader",
    "role",
];

type Row = BTreeMap<String, Value>;

fn key(row: &Row) -> String {
    format!("{} {} {}", row["family"], row["list_day"], row["source"])
}

/// Rows of a report, their names as places in the list.
fn of_report(report: &Value) -> Vec<Row> {
    let mut lists: HashMap<(String, String), HashMap<String, usize>> = HashMap::new();
    let mut rows: Vec<Row> = vec![];
    for row in report["sources"].as_array().unwrap() {
        let text = |member: &str| row[member].as_str().unwrap().to_owned();
        let list = lists.entry((text("family"), text("list_day"))).or_insert_with(|| {
            // A name that stands twice has its first place, which is put in last.
            let names = names(&text("family"), &text("list_day"));
            names.into_iter().enumerate().rev().map(|(place, name)| (name, place)).collect()
        });
        let places: Vec<usize> = row["names"].as_array().unwrap().iter().map(|name| list[name.as_str().unwrap()]).collect();
        let mut found: Row = MEMBERS.iter().map(|member| ((*member).to_owned(), row[*member].clone())).collect();
        found.insert("names".to_owned(), json!(places));
        rows.push(found);
    }
    rows.sort_by_key(key);
    rows
}

fn of_spark(rows: &Value) -> Vec<Row> {
    let wanted = |row: &Value| {
        let member = |member: &&str| ((*member).to_owned(), row[*member].clone());
        MEMBERS.iter().chain(&["names"]).map(member).collect::<Row>()
    };
    let mut rows: Vec<Row> = rows.as_array().unwrap().iter().map(wanted).collect();
    rows.sort_by_key(key);
    rows
}

/// Rows and counts of sources are those of one process.
#[track_caller]
fn agree(merged: &Value, report: &Value) {
    let (got, expected) = (of_spark(&merged["rows"]), of_report(report));
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got, expected);
    }
    let of = |family: &Value| {
        let distinct = &family["distinct"];
        let exact = |scope: &Value| scope.get("best").unwrap_or(scope).as_f64().unwrap();
        let counts = ["matches", "responses", "sources", "infected", "suspect"].map(|member| family[member].as_u64().unwrap());
        (family["family"].to_string(), counts, exact(&distinct["seen"]), exact(&distinct["infected"]))
    };
    let there = |family: &&Value| family["sources"] != 0;
    let expected: Vec<_> = report["families"].as_array().unwrap().iter().filter(there).map(of).collect();
    let mut got: Vec<_> = merged["summary"]["families"].as_array().unwrap().iter().map(of).collect();
    got.sort_by_key(|(family, ..)| expected.iter().position(|(other, ..)| other == family));
    assert_eq!(got, expected);
    let list = |row: &Value| {
        let standard = row.get("verdicts").unwrap_or(row);
        [&row["family"], &row["list_day"], &standard["names_needed"], &standard["set_aside"]].map(ToString::to_string)
    };
    let mut expected: Vec<_> =
        report["lists"].as_array().unwrap().iter().filter(|row| row["verdicts"].is_object()).map(list).collect();
    let mut got: Vec<_> = merged["summary"]["lists"].as_array().unwrap().iter().map(list).collect();
    expected.sort();
    got.sort();
    assert_eq!(got, expected);
}

/// Sketches say how many sources there are, to their error: those of all hours and sensors, of which most count the same.
#[track_caller]
fn sketches_agree(summary: &Value) {
    for family in summary["families"].as_array().unwrap() {
        let exact = family["distinct"]["seen"].as_f64().unwrap();
        let sketch = &family["sketched"]["seen"];
        let bound = |member: &str| sketch[member].as_f64().unwrap();
        assert!(bound("low") <= exact && exact <= bound("high"), "{family}");
    }
}

/// Python with pyspark, and Java for it.
fn python() -> Option<PathBuf> {
    let quiet =
        |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let java = quiet(Command::new("java").arg("-version"));
    let has = |python: &PathBuf| quiet(Command::new(python).args(["-c", "import pyspark"]));
    let found = [root().join("target/spark/bin/python3"), PathBuf::from("python3")].into_iter().find(has).filter(|_| java);
    if found.is_none() {
        // Not through the test harness, which would keep it to itself.
        let _ =
            writeln!(std::io::stderr(), "WARNING: no pyspark with Java 17: deploy/spark was not tested (deploy/setup --tests)");
    }
    found
}

#[test]
fn rule_in_python_is_the_rule() {
    let Ok(output) = Command::new("python3")
        .args(["-m", "unittest", "-q", "test_rule", "test_shard"])
        .current_dir(root().join("deploy/spark"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
    else {
        let _ = writeln!(std::io::stderr(), "WARNING: no python3: the rule of deploy/spark was not tested");
        return;
    };
    let (_, said) = printed(&output, 0);
    assert!(said.contains("Ran ") && said.contains("OK"), "{said}");
}

/// Traffic of the week, in order of time, with what each sensor saw.
fn week(work: &Work) -> Vec<Packet> {
    let mut all: Vec<Packet> = vec![];
    let mut of_sensors: Vec<Vec<Packet>> = vec![vec![]; SENSORS];
    frames(WEEK, 7, &mut |time, frame| {
        for sensor in sensors(time, client(frame)) {
            let packet = (time, frame.to_vec());
            of_sensors[sensor].push(packet.clone());
            all.push(packet);
        }
    });
    for (sensor, packets) in of_sensors.iter().enumerate() {
        let capture = work.capture(&format!("seen/{sensor}.pcap"), packets);
        let (folder, name) = (work.text(&format!("sensors/{sensor}")), format!("sensor-{sensor}"));
        replay(&["--parquet", &folder, "--sensor", &name], &[capture]);
    }
    all
}

/// The same traffic as 64 captures, one of them cut, and one of them twice; the program, which kills its caller once.
fn archive(work: &Work, all: &[Packet]) -> Vec<String> {
    let mut captures = vec![];
    for (number, packets) in all.chunks(all.len().div_ceil(SHARDS)).enumerate() {
        captures.push(work.capture(&format!("captures/{number:02}.pcap"), packets));
    }
    assert_eq!(captures.len(), SHARDS);
    let damaged = fs::read(&captures[DAMAGED]).unwrap();
    fs::write(&captures[DAMAGED], &damaged[..damaged.len() / 2 + 5]).unwrap();
    fs::copy(&captures[3], work.at("captures/99-again.pcap")).unwrap();
    // What stands behind a scheme is read through Hadoop.
    let first: Vec<String> = captures[..FIRST]
        .iter()
        .enumerate()
        .map(|(n, path)| if n == 1 { format!("file://{path}") } else { path.clone() })
        .collect();
    fs::write(work.at("first.txt"), first.join("\n") + "\n").unwrap();
    let program = format!(
        "#!/bin/sh\necho started >> {started}\n{program} \"$@\" || exit $?\n\
         if [ \"$(wc -l < {started})\" -ge {KILLED} ] && mkdir {killed} 2>/dev/null; then kill -9 $PPID; fi\n",
        started = work.text("started"),
        program = env!("CARGO_BIN_EXE_dgawatch"),
        killed = work.text("killed"),
    );
    fs::write(work.at("dgawatch"), program).unwrap();
    let executable = Command::new("chmod").args(["+x", &work.text("dgawatch")]).status().unwrap();
    assert!(executable.success());
    captures
}

/// The vectors but for those with networks, which cannot be merged with addresses.
fn vectors(work: &Work) -> Vec<Value> {
    let vectors: Value = serde_json::from_slice(&fs::read(root().join("tests/vectors/verdicts.json")).unwrap()).unwrap();
    let cases: Vec<Value> =
        vectors["cases"].as_array().unwrap().iter().filter(|case| case["name"] != "networks").cloned().collect();
    fs::write(work.at("vectors.json"), json!(cases).to_string()).unwrap();
    cases
}

#[test]
fn spark_says_what_one_process_says() {
    let Some(python) = python() else { return };
    let work = Work(tempfile::tempdir().unwrap());
    let all = week(&work);
    let captures = archive(&work, &all);
    let cases = vectors(&work);
    let output = Command::new(python)
        .arg(root().join("tests/support/spark_job.py"))
        .arg(work.0.path())
        .env("PYTHONPATH", root().join("deploy/spark"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYSPARK_SUBMIT_ARGS", SUBMIT)
        .env("SPARK_LOCAL_IP", "127.0.0.1")
        .output()
        .unwrap();
    ended_well(&output);
    let results: Value = serde_json::from_slice(&fs::read(work.at("results.json")).unwrap()).unwrap();

    let whole = work.capture("whole.pcap", &all);
    agree(&results["sensors"], &replay(&[], &[whole]));
    sketches_agree(&results["sensors"]["summary"]);

    archive_is_whole(&work, &results, &captures);
    vectors_agree(&results["vectors"], &cases);
}

/// Two tasks at once, each tried four times at most. Most of what a short run takes is Java's compiler, so it compiles plainly.
const SUBMIT: &str = "--master local[2,4] --driver-memory 1g --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=2 \
                      --conf spark.driver.bindAddress=127.0.0.1 \
                      --driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell";

#[track_caller]
fn ended_well(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    let end: Vec<&str> = said.lines().rev().take(40).collect();
    assert!(output.status.success(), "{}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
}

fn archive_is_whole(work: &Work, results: &Value, captures: &[String]) {
    let (first, second) = (&results["first"], &results["second"]);
    assert!(work.at("killed").is_dir());
    // Each run tries the program once. The first has one more than there are, for the task that was killed; the second those
    // that are new, the capture that is there twice and the one that is named otherwise than before.
    let of_first = 1 + FIRST + 1;
    assert_eq!(first["started"], of_first);
    assert_eq!(second["started"], of_first + 1 + (SHARDS - FIRST) + 2);
    assert_eq!(first["summary"]["captures"], FIRST - 1);
    let summary = &second["summary"];
    assert_eq!(summary["captures"], SHARDS - 1);
    assert_eq!(summary["duplicates"], json!([{"path": work.text("captures/99-again.pcap"), "same_as": captures[3]}]));
    let [failed] = &summary["failed_shards"].as_array().unwrap()[..] else { panic!("{}", summary["failed_shards"]) };
    assert_eq!((&failed["path"], &failed["counted"]), (&json!(captures[DAMAGED]), &json!(false)));
    assert_eq!((&summary["unread_shards"], &first["summary"]["unread_shards"]), (&json!([]), &json!([])));
    let good: Vec<String> = captures.iter().filter(|path| **path != captures[DAMAGED]).cloned().collect();
    let report = replay(&[], &good);
    let damaged = dgawatch(&["replay", "--format", "json", "--quiet", &captures[DAMAGED]]);
    let damaged: Value = serde_json::from_str(&printed(&damaged, 1).0).unwrap();
    assert_eq!(failed["error"], damaged["captures"][0]["error"]);
    assert_eq!(summary["packets"], report["packets"]["read"]);
    agree(second, &report);
    let written: Value = serde_json::from_slice(&fs::read(work.at("archive/report/summary.json")).unwrap()).unwrap();
    assert_eq!(&written, summary);
}

fn vectors_agree(got: &Value, cases: &[Value]) {
    let mut expected = vec![];
    for (number, case) in cases.iter().enumerate() {
        for row in case["merged"].as_array().unwrap() {
            let mut row = row.clone();
            let day: dgawatch::day::Day = row["list_day"].as_str().unwrap().parse().unwrap();
            row["list_day"] = json!(day.plus(10 * number as i32).to_string());
            row["source"] = json!(row["source"].as_str().unwrap().replacen("192", &(10 + number).to_string(), 1));
            expected.push(row);
        }
    }
    let sorted = |rows: &[Value]| {
        let mut rows: Vec<Value> = rows.to_vec();
        rows.sort_by_key(|row| format!("{} {} {}", row["family"], row["list_day"], row["source"]));
        rows
    };
    let (got, expected) = (sorted(got.as_array().unwrap()), sorted(&expected));
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(&expected) {
        for (member, value) in got.as_object().unwrap() {
            assert_eq!(value, &expected[member], "{member} of {expected}");
        }
    }
}
