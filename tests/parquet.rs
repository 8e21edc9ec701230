//! `--parquet`: what the files say is what the report says, for us, for DuckDB and for ClickHouse's engine; and what seven
//! sensors wrote comes to what one says that saw all.
//!
//! Needs the Python packages duckdb, chdb and datasketches: `deploy/setup --tests` installs them. Says aloud what it did without.

#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dgawatch::day::Timestamp;
use dgawatch::dga::Catalog;
use dgawatch::export::parquet::{EvidenceRow, read_evidence, read_lists, read_servers, read_sketches};
use dgawatch::ledger::{Ledger, Rule, Verdict};
use serde_json::{Value, json};
use support::captures::USUAL;
use support::population::Network;
use support::{Rng, dgawatch, printed, python, root, simulated};
use tempfile::TempDir;

const UNREAD: &str = "Parquet files were not read by them";

/// What a script prints, given that it ends well.
fn by_python(python: &Path, script: &str, arguments: &[&str]) -> String {
    let script = root().join("tests/support").join(script);
    printed(&Command::new(python).arg(script).args(arguments).output().unwrap(), 0).0
}

/// Replays a capture as a sensor, with more arguments; returns its report.
fn replay(capture: &Path, folder: &Path, sensor: &str, more: &[&str]) -> Value {
    let (capture, folder) = (capture.to_str().unwrap(), folder.to_str().unwrap());
    let arguments = ["replay", "--format", "json", "--parquet", folder, "--sensor", sensor, capture];
    serde_json::from_str(&printed(&dgawatch(&[&arguments[..], more].concat()), 0).0).unwrap()
}

fn evidence(folder: &Path) -> Vec<EvidenceRow> {
    let mut rows = vec![];
    read_evidence(folder, &mut |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    rows
}

fn micros(time: &Value) -> u64 {
    time.as_str().unwrap().parse::<Timestamp>().unwrap().as_nanos() / 1_000
}

/// What a row of the report says, as far as both have it.
fn of_report(row: &Value) -> Value {
    let counted = row["hosts"].as_object();
    let hosts = counted.map(|hosts| [&hosts["low"], &hosts["best"], &hosts["high"]].map(|of| of.as_f64()));
    json!([
        row["family"],
        row["list_day"],
        row["source"],
        row["matches"],
        row["responses"],
        row["distinct_names"],
        row["known_collisions"],
        micros(&row["first_seen"]),
        micros(&row["last_seen"]),
        row["role"],
        row["verdict"],
        row["set_aside"],
        row["reader"],
        hosts,
        counted.map(|hosts| &hosts["method"]),
        row.get("refused"),
        row.get("network"),
    ])
}

/// The same of a row that an engine read.
fn of_engine(row: &Value) -> Value {
    let length = |of: &Value| of.as_array().unwrap().len();
    let hosts = row["hosts_low"].as_f64().map(|low| [Some(low), row["hosts_best"].as_f64(), row["hosts_high"].as_f64()]);
    json!([
        row["family"],
        row["list_day"],
        row["source"],
        row["matches"],
        row["responses"],
        length(&row["names"]),
        length(&row["collisions"]),
        row["first_seen"],
        row["last_seen"],
        row["role"],
        row["verdict"],
        row["set_aside"],
        row["reader"],
        hosts,
        row["hosts_method"],
        row["hosts_refused"],
        row["network"],
    ])
}

/// The same of a row that we read.
fn of_ours(row: &EvidenceRow) -> Value {
    let hosts = row.hosts.as_ref();
    let micros = |time: Timestamp| time.as_nanos() / 1_000;
    json!([
        row.family,
        row.list_day.to_string(),
        row.source,
        row.matches,
        row.responses,
        row.names.len(),
        row.collisions.len(),
        micros(row.first_seen),
        micros(row.last_seen),
        row.role.label(),
        row.verdict.label(),
        row.set_aside,
        row.reader,
        hosts.ok().map(|hosts| [Some(hosts.0), Some(hosts.1), hosts.2]),
        hosts.ok().map(|hosts| &hosts.3),
        hosts.err(),
        row.network,
    ])
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(ToString::to_string);
    rows
}

fn watched(place: &TempDir) -> PathBuf {
    let capture = place.path().join("watched.pcap");
    fs::write(&capture, USUAL.file(&Network::watched())).unwrap();
    capture
}

#[test]
fn files_say_what_the_report_says() {
    let place = TempDir::new().unwrap();
    let (folder, networks) = (place.path().join("lake"), place.path().join("networks.csv"));
    fs::write(&networks, "192.0.2.0/25,pool one\n").unwrap();
    let capture = watched(&place);
    let more = ["--lost", "0.02", "--networks", networks.to_str().unwrap()];
    let report = replay(&capture, &folder, "north", &more);
    let expected = sorted(report["sources"].as_array().unwrap().iter().map(of_report).collect());
    assert!(expected.len() > 10);
    let rows = evidence(&folder);
    assert_eq!(sorted(rows.iter().map(of_ours).collect()), expected);
    assert!(rows.iter().all(|row| row.sensor == "north" && row.capture_loss == Some(0.02)));
    // Names are those at these places of the list.
    for row in rows.iter().filter(|row| row.verdict == Verdict::Infected) {
        let of_list = support::names(&row.family, &row.list_day.to_string());
        let names: Vec<&str> = row.names.iter().map(|place| &*of_list[*place as usize]).collect();
        let same = |of: &&Value| of["source"] == json!(row.source) && of["list_day"] == json!(row.list_day.to_string());
        let mut of_report =
            report["sources"].as_array().unwrap().iter().filter(same).filter(|of| of["family"] == json!(row.family));
        assert_eq!(of_report.next().unwrap()["names"], json!(names));
    }
    // A second run of the same captures replaces the files of the first.
    let before = files(&folder);
    assert_eq!(replay(&capture, &folder, "north", &more), report);
    assert_eq!((files(&folder), evidence(&folder)), (before, rows.clone()));
    let mut lists = BTreeMap::new();
    read_lists(&folder, &mut |row| {
        lists.insert((row.family.clone(), row.list_day.to_string()), row);
        Ok(())
    })
    .unwrap();
    let with_rows: Vec<&Value> =
        report["lists"].as_array().unwrap().iter().filter(|list| list.get("verdicts").is_some()).collect();
    assert_eq!(with_rows.len(), lists.len());
    for list in with_rows {
        let key = (list["family"].as_str().unwrap().to_owned(), list["list_day"].as_str().unwrap().to_owned());
        let row = &lists[&key];
        assert_eq!((&list["names"], &list["verdicts"]["names_needed"]), (&json!(row.names), &json!(row.names_needed)));
    }
    let mut servers = vec![];
    read_servers(&folder, &mut |row| {
        servers.push(row.server.to_string());
        Ok(())
    })
    .unwrap();
    assert!(servers.contains(&support::population::RESOLVER.to_owned()), "{servers:?}");

    let Some(python) = python("duckdb, chdb", UNREAD) else { return };
    let path = folder.to_str().unwrap();
    for engine in ["duckdb", "chdb"] {
        let read = |kind: &str| -> (Value, Vec<Value>) {
            let text = by_python(&python, "read_parquet.py", &[engine, path, kind]);
            let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            (lines.next().unwrap(), lines.collect())
        };
        let (types, read_rows) = read("evidence");
        assert_eq!(sorted(read_rows.iter().map(of_engine).collect()), expected, "{engine}");
        let expected_types = match engine {
            "duckdb" => ["DATE", "INTEGER[]", "TIMESTAMP WITH TIME ZONE", "DOUBLE", "VARCHAR"],
            _ => ["Date32", "Array(Int32)", "DateTime64(6, 'UTC')", "Nullable(Float64)", "Nullable(String)"],
        };
        let got = ["list_day", "names", "first_seen", "capture_loss", "network"].map(|column| types[column].as_str().unwrap());
        assert_eq!(got, expected_types, "{engine}: {types}");
        assert_eq!(read("lists").1.len(), lists.len());
        assert_eq!(read("servers").1.len(), servers.len());
        let of_ours = {
            let mut sketches = vec![];
            read_sketches(&folder, &mut |row| {
                let hex: String = row.sketch.iter().map(|octet| format!("{octet:02X}")).collect();
                sketches.push(json!([row.family, row.hour.as_nanos() / 1_000, row.scope, hex, row.estimate]));
                Ok(())
            })
            .unwrap();
            sorted(sketches)
        };
        let sketches = read("sketches").1;
        let of_engine = |row: &Value| json!([row["family"], row["hour"], row["scope"], row["sketch"], row["estimate"].as_f64()]);
        assert!(of_ours.len() > 8);
        assert_eq!(sorted(sketches.iter().map(of_engine).collect()), of_ours, "{engine}");
    }
}

/// All files below a folder, by their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// A week of an access network: clients, an office behind a forwarder, the resolver seen from both sides, honest sites that
/// collide with generated names, somebody who reads a list.
const WEEK: &str = r#"
start = "2009-03-28T00:00:00Z"
duration = "168h"
watch = ["conficker-a", "conficker-b", "conficker-c"]

[answers]
negative_ttl = 900

[[resolver]]
name = "isp"
addresses = ["198.51.100.53"]
sees = "both"

[[resolver]]
name = "office"
addresses = ["192.0.2.1"]
upstream = "isp"
sees = "clients"

[[infected]]
family = "conficker-b"
count = 2
addresses = "10.1.0.0/16"
resolver = "isp"
duty = { hours = 9, centre = 14, spread = 3 }

[[infected]]
family = "conficker-b"
count = 1
addresses = "192.0.2.16/28"
resolver = "office"
duty = { hours = 5, centre = 10, spread = 1 }

[[infected]]
family = "conficker-c"
count = 6
addresses = "10.3.0.0/16"
resolver = "isp"
completed = [0.1, 1]
renumber = { mean = "24h" }

# So few names that no sensor has enough of them.
[[infected]]
family = "conficker-c"
count = 8
addresses = "10.5.0.0/16"
resolver = "isp"
completed = [0.012, 0.03]

[[clean]]
count = 150
addresses = "10.1.0.0/16"
resolver = "isp"
rate = 1
names = 500

[[clean.collisions]]
family = "conficker-c"
shares = [0.2, 0.05, 0.02]
others = 20
stray = 0.02

[[clean.collisions]]
family = "conficker-b"
shares = [0.1]
"#;

#[test]
fn seven_sensors_come_to_what_one_says() {
    let place = TempDir::new().unwrap();
    let path = |name: &str| place.path().join(name);
    // Packet by packet to one of seven: no sensor sees a round, or both query and response.
    let (mut all, mut dealt, mut rng) = (vec![], vec![vec![]; 7], Rng(20_090_328));
    simulated::frames(WEEK, 7, &mut |time, frame| {
        // Parquet has microseconds.
        let packet = (time / 1_000 * 1_000, frame.to_vec());
        dealt[rng.below(7) as usize].push(packet.clone());
        all.push(packet);
    });
    fs::write(path("all.pcap"), USUAL.file(&all)).unwrap();
    let families = ["--family", "conficker"];
    let one = replay(&path("all.pcap"), &path("one"), "one", &families);
    let mut alone = 0;
    for (number, packets) in dealt.iter().enumerate() {
        fs::write(path("part.pcap"), USUAL.file(packets)).unwrap();
        let part = replay(&path("part.pcap"), &path("seven"), &format!("sensor-{number}"), &families);
        alone += part["sources"].as_array().unwrap().iter().filter(|row| row["verdict"] == "infected").count();
    }
    let of_one = one["sources"].as_array().unwrap();
    let infected = of_one.iter().filter(|row| row["verdict"] == "infected").count();
    assert!(infected > 20 && of_one.len() > 3 * infected, "{infected} of {}", of_one.len());
    assert!(of_one.iter().any(|row| row["set_aside"] != 0) && of_one.iter().any(|row| row["role"] == "forwarder"));
    assert!(alone > 0 && alone < 7 * infected, "{alone} {infected}");

    // Absorbed by a ledger.
    let mut catalog = Catalog::default();
    catalog.add("conficker").unwrap();
    let rows = evidence(&path("seven"));
    let mut ledger = Ledger::for_union(rows.len());
    ledger.judge_by(Rule::of_all(&catalog), true);
    read_servers(&path("seven"), &mut |row| {
        ledger.absorb_answering(row.server);
        Ok(())
    })
    .unwrap();
    for row in rows {
        let (family, _) = catalog.iter().find(|(_, family)| family.id() == row.family).unwrap();
        ledger.absorb(&row.into_portable(family).unwrap(), &catalog).unwrap();
    }
    let says = |row: &Value| {
        json!([
            row["family"],
            row["list_day"],
            row["source"],
            row["matches"],
            row["responses"],
            row["distinct_names"],
            row["known_collisions"],
            row["set_aside"],
            row["role"],
            row["verdict"],
            row["reader"],
            micros(&row["first_seen"]),
            micros(&row["last_seen"]),
        ])
    };
    let expected = sorted(of_one.iter().map(says).collect());
    let absorbed = ledger.into_sorted().into_iter().map(|(key, of)| {
        let micros = |time: Timestamp| time.as_nanos() / 1_000;
        json!([
            catalog.family(key.family).id(),
            key.list_day.to_string(),
            key.source,
            of.matches,
            of.responses,
            of.distinct_names(),
            of.collisions(),
            of.set_aside(),
            of.role().label(),
            Verdict::of(&of).label(),
            of.is_reader(),
            micros(of.first_seen),
            micros(of.last_seen),
        ])
    });
    same(&sorted(absorbed.collect()), &expected);

    // Sketches by their own library: those of seven unite to those of one.
    if let Some(python) = python("duckdb, datasketches", UNREAD) {
        let union = |folder: &str| -> BTreeMap<String, f64> {
            serde_json::from_str(&by_python(&python, "unite_sketches.py", &[path(folder).to_str().unwrap()])).unwrap()
        };
        let (seven, of_one) = (union("seven"), union("one"));
        for family in ["conficker-b", "conficker-c"] {
            let sources = one["sources"].as_array().unwrap().iter().filter(|row| row["family"] == family);
            let sources = sources.map(|row| row["source"].as_str().unwrap()).collect::<BTreeSet<_>>().len() as f64;
            let name = format!("{family} seen");
            assert!((seven[&name] / of_one[&name] - 1.0).abs() < 1e-6, "{name}: {seven:?} {of_one:?}");
            // Three standard errors of 1.6 %.
            assert!((seven[&name] / sources - 1.0).abs() < 0.05, "{name}: {seven:?} {sources}");
        }
    }

    // By ClickHouse's engine: once, and when it loads every file twice.
    let Some(python) = python("chdb", UNREAD) else { return };
    let (sql, seven) = (root().join("deploy/clickhouse"), path("seven"));
    let (sql, seven) = (sql.to_str().unwrap(), seven.to_str().unwrap());
    let once = by_python(&python, "clickhouse.py", &[sql, seven]);
    let answer: Value = serde_json::from_str(&once).unwrap();
    let by_sql = |row: &Value| {
        json!([
            row["family"],
            row["list_day"],
            row["source"],
            row["matches"],
            row["responses"],
            row["distinct_names"],
            row["known_collisions"],
            row["set_aside"],
            row["role"],
            row["verdict"],
            row["reader"],
            row["first_seen"],
            row["last_seen"],
        ])
    };
    same(&sorted(answer["verdicts"].as_array().unwrap().iter().map(by_sql).collect()), &expected);
    let twice: Value = serde_json::from_str(&by_python(&python, "clickhouse.py", &[sql, seven, seven])).unwrap();
    assert_eq!((&twice["verdicts"], &twice["queries"]), (&answer["verdicts"], &answer["queries"]));
    // Sketches within their bound: of so few sources they are exact to two percent.
    let mut sources: BTreeMap<(String, String), f64> = BTreeMap::new();
    for row in of_one {
        let text = |member: &str| row[member].as_str().unwrap().to_owned();
        *sources.entry((text("family"), text("list_day"))).or_default() += 1.0;
    }
    let counts = answer["source_counts"].as_array().unwrap();
    assert_eq!(counts.len(), sources.len());
    for count in counts {
        let exact = sources[&(count["family"].as_str().unwrap().to_owned(), count["list_day"].as_str().unwrap().to_owned())];
        assert!((count["seen"].as_f64().unwrap() - exact).abs() <= 0.02 * exact, "{count} {exact}");
    }
    // Totals of a day, as the first query has them.
    let totals = answer["queries"][0].as_array().unwrap();
    for of_day in totals {
        let same = |row: &&Value| row["family"] == of_day["family"] && row["list_day"] == of_day["list_day"];
        let infected = of_one.iter().filter(same).filter(|row| row["verdict"] == "infected").count();
        assert_eq!(of_day["infected"].as_u64(), Some(infected as u64), "{of_day}");
    }
    let nobody_alone = answer["queries"][3].as_array().unwrap();
    assert!(nobody_alone.len() > 10, "{nobody_alone:?}");
}

/// Rows that are the same; the first that differ are shown.
#[track_caller]
fn same(got: &[Value], expected: &[Value]) {
    let differing: Vec<String> =
        got.iter().filter(|row| !expected.contains(row)).take(5).map(|row| format!("got      {row}")).collect();
    let missing: Vec<String> =
        expected.iter().filter(|row| !got.contains(row)).take(5).map(|row| format!("expected {row}")).collect();
    assert!(differing.is_empty() && missing.is_empty(), "\n{}\n{}", differing.join("\n"), missing.join("\n"));
    assert_eq!(got.len(), expected.len());
}

#[test]
fn mistakes_are_told() {
    let place = TempDir::new().unwrap();
    let capture = watched(&place);
    let capture = capture.to_str().unwrap();
    let (_, err) = printed(&dgawatch(&["replay", "--parquet", "/dev/null", capture]), 1);
    assert!(err.contains("the evidence cannot be written: /dev/null/"), "{err}");
    let folder = place.path().join("lake");
    let (_, err) = printed(&dgawatch(&["replay", "--parquet", folder.to_str().unwrap(), "--sensor", "a\nb", capture]), 2);
    assert!(err.contains("give 1 to 64 letters"), "{err}");
    assert!(!folder.exists());
}

/// Where pseudonyms stand for sources they do so here.
#[test]
fn pseudonyms() {
    let place = TempDir::new().unwrap();
    let (capture, key, folder) = (watched(&place), place.path().join("key"), place.path().join("lake"));
    fs::write(&key, "0123456789abcdeffedcba9876543210").unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let report = replay(&capture, &folder, "north", &["--pseudonymise", key.to_str().unwrap()]);
    let expected = sorted(report["sources"].as_array().unwrap().iter().map(of_report).collect());
    let rows = evidence(&folder);
    assert_eq!(sorted(rows.iter().map(of_ours).collect()), expected);
    let mut addresses: Vec<String> =
        rows.iter().flat_map(|row| row.server.into_iter().chain([row.source])).map(|of| of.to_string()).collect();
    read_servers(&folder, &mut |row| {
        addresses.push(row.server.to_string());
        Ok(())
    })
    .unwrap();
    let open = |address: &String| ["192.0.2.", "198.51.100.", "2001:db8:"].iter().any(|network| address.starts_with(network));
    assert!(addresses.len() > 10 && !addresses.iter().any(open), "{addresses:?}");
    // Other evidence of the same sources by another key, or by none, is no part of a union.
    let (alone, err) = printed(&dgawatch(&["merge", "--format", "json", folder.to_str().unwrap()]), 0);
    let alone: Value = serde_json::from_str(&alone).unwrap();
    assert!(alone["masking"] == report["masking"] && alone["masking"].is_string(), "{err}");
    for (name, masking) in [("open", &[][..]), ("cut", &["--prefix", "24,56"])] {
        let other = place.path().join(name);
        replay(&capture, &other, "south", masking);
        for (first, second) in [(&folder, &other), (&other, &folder)] {
            let (_, err) = printed(&dgawatch(&["merge", first.to_str().unwrap(), second.to_str().unwrap()]), 1);
            assert!(err.contains("stands for sources in another way than the first"), "{err}");
        }
    }
    replay(&capture, &folder, "south", &[]);
    let (_, err) = printed(&dgawatch(&["merge", folder.to_str().unwrap()]), 1);
    assert!(err.contains("south") && err.contains("stands for sources in another way than the first"), "{err}");
}

#[cfg(feature = "live")]
mod live {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use dgawatch::day::Day;
    use dgawatch::decode::Config;
    use dgawatch::ledger::{CLIENTS, Masking};
    use dgawatch::pipeline::{Live, LiveState, ParquetConfig, Plan, Say, Sensor, Settings, StateConfig, Threads};
    use dgawatch::source::{Intake, LinkType, Record, TapCounts};
    use dgawatch::watchlist::{Patterns, SearchList};
    use support::names;
    use support::packets::{at, ethernet, query, udp};

    use super::*;

    /// Frames that come in turns, with a pause after each in which the sensor looks at what it has.
    struct Script {
        turns: Vec<Vec<(Timestamp, Vec<u8>)>>,
        next: Instant,
        done: Arc<AtomicBool>,
        taken: u64,
    }

    /// A sensor looks once a second.
    const PAUSE: Duration = Duration::from_millis(1_600);

    impl Intake for Script {
        fn take(&mut self, _: usize, mut each: impl FnMut(Record<'_>)) -> Result<usize, String> {
            if Instant::now() < self.next {
                return Ok(0);
            }
            if self.turns.is_empty() {
                self.done.store(true, Ordering::Relaxed);
                return Ok(0);
            }
            let turn = self.turns.remove(0);
            turn.iter().for_each(|(time, data)| each(Record { time: *time, link: LinkType::ETHERNET, data }));
            self.next = Instant::now() + PAUSE;
            self.taken += turn.len() as u64;
            Ok(turn.len())
        }

        fn wait(&mut self, most: Duration) {
            std::thread::sleep(most.min(Duration::from_millis(5)));
        }

        fn counts(&mut self) -> TapCounts {
            TapCounts { received: self.taken, ..TapCounts::default() }
        }

        fn notice(&mut self) -> Option<String> {
            None
        }
    }

    /// So many seconds after the beginning of 31 March 2009.
    fn second(seconds: u64) -> Timestamp {
        Timestamp::from_parts(Day::of(2009, 3, 31).number() as u64 * 86_400 + seconds, 0)
    }

    const DAY: u64 = 86_400;

    /// A host asks for names at these places of the list of 31 March.
    fn asks(seconds: u64, places: &[usize]) -> Vec<(Timestamp, Vec<u8>)> {
        let list = names("conficker-b", "2009-03-31");
        let ask = |place: &usize| ethernet(&[], &udp(at("192.0.2.1", 4_000), at("192.0.2.53", 53), &query(1, &list[*place], 1)));
        places.iter().map(|place| (second(seconds), ask(place))).collect()
    }

    /// Restarts, days that are over, packets that are late: whoever reads all files has each message once.
    #[test]
    fn each_message_is_there_once() {
        let place = TempDir::new().unwrap();
        let folder = place.path().join("lake");
        let mut catalog = Catalog::default();
        catalog.add("conficker-b").unwrap();
        let settings = Settings {
            clients: CLIENTS,
            skew: 1,
            max_sources: 1_000,
            decode: Config::new(&[], &[]),
            patterns: Arc::new(Patterns::default()),
            compiled: None,
            lost: 0.0,
            search_list: SearchList::default(),
            sinkholes: Arc::default(),
            masking: Masking::default(),
            networks: None,
            events: None,
            series: None,
            timeline: false,
            sketches: true,
        };
        let plan = Arc::new(Plan::new(catalog, settings, second(0)));
        let say: Arc<Say> = Arc::new(|sentence: &str| panic!("{sentence}"));
        let run = |started: u64, keep: bool, turns: Vec<Vec<(Timestamp, Vec<u8>)>>| {
            let now = second(started);
            let state = StateConfig { directory: place.path().to_owned(), interval: Duration::from_secs(60) };
            let done = Arc::new(AtomicBool::new(false));
            let script = Script { turns, next: Instant::now(), done: Arc::clone(&done), taken: 0 };
            let threads = Threads { clock: Arc::new(move || now), ..Threads::default() };
            let mut live = Live::of(Arc::clone(&plan), vec![("made-up".to_owned(), vec![script])], threads);
            let (mut sensor, _) = Sensor::new(Arc::new(move || now), Arc::default(), Arc::clone(&say));
            let restored = if keep { state.restore(&plan, &*say) } else { None };
            let began = ParquetConfig::began(keep.then_some(&state), restored.is_some(), now, &*say);
            if keep {
                live.go_on_from(restored);
                sensor.keep_state(&state, || Ok(())).unwrap();
            }
            let interval = Duration::from_secs(3_600);
            let config = ParquetConfig { folder: folder.clone(), sensor: "north".to_owned(), interval, began, now };
            sensor.write_parquet(&config, || Ok(())).unwrap();
            live.run(&done, None, &mut |state: &mut LiveState<'_, '_>| sensor.look(state));
        };
        // Matches of each file, in the order of names, and all names.
        let found = || {
            let mut rows = evidence(&folder);
            rows.sort_by_key(|row| row.matches);
            let mut all: Vec<u32> = rows.iter().flat_map(|row| row.names.clone()).collect();
            all.sort_unstable();
            all.dedup();
            (rows.iter().map(|row| row.matches).collect::<Vec<_>>(), all)
        };
        let hidden =
            |files: &[PathBuf]| files.iter().any(|file| file.strip_prefix(&folder).unwrap().to_str().unwrap().contains("/."));
        run(10, true, vec![asks(20, &[3, 5])]);
        assert_eq!(found(), (vec![2], vec![3, 5]));
        // Goes on with its files.
        run(100, true, vec![asks(200, &[5, 7])]);
        assert_eq!(found(), (vec![4], vec![3, 5, 7]));
        assert_eq!(evidence(&folder)[0].verdict, Verdict::Infected);
        assert_eq!(evidence(&folder)[0].capture_loss, Some(0.0));
        // Begins others.
        run(1_000, false, vec![asks(1_020, &[9])]);
        assert_eq!(found(), (vec![1, 4], vec![3, 5, 7, 9]));
        // The list day is over while it listens, and a packet comes for it later.
        let late = vec![asks(2_020, &[1; 6]), vec![(second(4 * DAY), asks(0, &[0]).remove(0).1)], asks(2_030, &[2; 7])];
        run(2_000, false, late);
        assert_eq!(found(), (vec![1, 4, 6, 7], vec![1, 2, 3, 5, 7, 9]));
        let files = files(&folder);
        assert!(!hidden(&files), "{files:?}");
        let further = files.iter().filter(|file| file.to_str().unwrap().ends_with("-20090331T003320Z-1.parquet")).count();
        assert_eq!(further, 2, "evidence and list of it: {files:?}");
        // Sketches unite: a process has its own.
        let mut sketches = vec![];
        read_sketches(&folder, &mut |row| {
            sketches.push((row.scope, row.estimate.round()));
            Ok(())
        })
        .unwrap();
        assert_eq!(sketches.iter().filter(|(scope, _)| scope == "seen").count(), 4, "{sketches:?}");
        assert!(sketches.iter().all(|(_, estimate)| *estimate == 1.0), "{sketches:?}");
    }
}
