//! Lists and patterns change while the sensor runs: nothing that was counted, found or begun is lost.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::Config;
use dgawatch::dga::Catalog;
use dgawatch::export::http::Board;
use dgawatch::export::series::SeriesConfig;
use dgawatch::export::{ReportFormat, Snapshot};
use dgawatch::ledger::Masking;
use dgawatch::pipeline::{Live, Load, Plan, Say, Sensor, Settings, Threads};
use dgawatch::source::{Intake, LinkType, Record, TapCounts};
use dgawatch::watchlist::{Image, Patterns, SearchList, compile};
use memmap2::MmapMut;
use serde_json::Value;
use support::mmdb::{database, system};
use support::names;
use support::namespace::in_namespace;
use support::packets::{at, ethernet, query, tcp, udp};
use support::running::{Sensor as Program, today, wire};
use tempfile::TempDir;

/// A wire that frames are put on.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<VecDeque<Vec<u8>>>>);

struct Feed {
    wire: Wire,
    counts: TapCounts,
}

impl Intake for Feed {
    fn take(&mut self, most: usize, mut each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        let mut frames = self.wire.0.lock().unwrap();
        let taken = frames.len().min(most);
        for data in frames.drain(..taken) {
            each(Record { time: noon(), link: LinkType::ETHERNET, data: &data });
        }
        self.counts.received += taken as u64;
        Ok(taken)
    }

    fn wait(&mut self, most: Duration) {
        thread::sleep(most.min(Duration::from_millis(5)));
    }

    fn counts(&mut self) -> TapCounts {
        self.counts
    }

    fn notice(&mut self) -> Option<String> {
        None
    }
}

fn noon() -> Timestamp {
    Timestamp::from_parts(Day::of(2009, 3, 31).number() as u64 * 86_400 + 43_200, 0)
}

fn asks(client: &str, name: &str) -> Vec<u8> {
    ethernet(&[], &udp(at(client, 4_000), at("192.0.2.53", 53), &query(1, name, 1)))
}

fn settings(patterns: &str) -> Settings {
    let mut set = Patterns::default();
    set.add_set("ours.txt", patterns.as_bytes()).unwrap();
    Settings {
        skew: 1,
        max_sources: 1_000,
        decode: Config::new(&[], &[]),
        patterns: Arc::new(set),
        compiled: None,
        lost: 0.0,
        search_list: SearchList::default(),
        sinkholes: Arc::default(),
        masking: Masking::default(),
        networks: None,
        events: None,
        series: Some(SeriesConfig { max_sources: 10, prefix: None }),
        timeline: false,
        sketches: false,
    }
}

/// What is in the files at a moment.
#[derive(Clone, Default)]
struct Files {
    families: &'static [&'static str],
    list: Option<&'static str>,
    patterns: &'static str,
    /// Whether lists are taken from a compiled watchlist.
    compiled: bool,
}

impl Files {
    fn load(&self) -> Result<(Catalog, Settings), String> {
        let mut catalog = Catalog::default();
        self.families.iter().try_for_each(|family| catalog.add(family))?;
        if let Some(list) = self.list {
            catalog.add_list("ours", list.as_bytes())?;
        }
        if !self.compiled {
            return Ok((catalog, settings(self.patterns)));
        }
        let mut file = vec![];
        compile(&catalog, (noon().day(), noon().day()), 1, &mut file, &mut |_, _, _| {}).unwrap();
        let mut map = MmapMut::map_anon(file.len()).unwrap();
        map.copy_from_slice(&file);
        let image = Arc::new(Image::open(map.make_read_only().unwrap())?);
        let mut catalog = Catalog::default();
        image.add_to(&mut catalog)?;
        Ok((catalog, Settings { compiled: Some(image), ..settings(self.patterns) }))
    }
}

#[test]
fn nothing_is_lost() {
    let first = Files { families: &["conficker-b"], list: None, patterns: "a.example\n", compiled: false };
    let files = Arc::new(Mutex::new(first.clone()));
    let (catalog, start) = first.load().unwrap();
    let plan = Arc::new(Plan::new(catalog, start, noon()));
    let (wire, stop) = (Wire::default(), AtomicBool::new(false));
    // Two workers: each has half of what comes, and the stream is of one of them.
    let feeds = (0..2).map(|_| Feed { wire: wire.clone(), counts: TapCounts::default() }).collect();
    let threads = || Threads { clock: Arc::new(noon), ..Threads::default() };
    let feeds: Vec<Feed> = feeds;
    let stream = Wire::default();
    let alone = Feed { wire: stream.clone(), counts: TapCounts::default() };
    let live = Live::of(Arc::clone(&plan), vec![("a".to_owned(), feeds), ("b".to_owned(), vec![alone])], threads());
    let said = Arc::new(Mutex::new(vec![]));
    let say: Arc<Say> = {
        let said = Arc::clone(&said);
        Arc::new(move |sentence: &str| said.lock().unwrap().push(sentence.to_owned()))
    };
    let (mut sensor, board) = Sensor::new(threads().clock, Arc::default(), say);
    let load: Box<Load> = {
        let files = Arc::clone(&files);
        Box::new(move || files.lock().unwrap().load().map(|(catalog, settings)| (catalog, settings, vec!["aside".to_owned()])))
    };
    sensor.reload_with(plan, load, || Ok(())).unwrap();

    let list = names("conficker-b", "2009-03-31");
    let message = query(7, &list[20], 1);
    let framed = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let segment =
        |sequence, flags, data: &[u8]| ethernet(&[], &tcp(at("192.0.2.7", 4_000), at("192.0.2.53", 53), sequence, flags, data));
    let put = |on: &Wire, frames: Vec<Vec<u8>>| on.0.lock().unwrap().extend(frames);
    let of = |seen: &Snapshot, family: &str| {
        seen.families.iter().find(|counts| counts.family == family).map_or(0, |counts| counts.matches)
    };
    let series =
        |seen: &Snapshot, family: &str| seen.series.iter().filter(|row| row.family == family).map(|row| row.matches).sum::<u64>();
    let script = || {
        let wait = |until: &dyn Fn(&Snapshot) -> bool| {
            let late = Instant::now() + Duration::from_secs(60);
            while !until(&board.snapshot()) {
                assert!(Instant::now() < late, "{:?}", board.snapshot());
                thread::sleep(Duration::from_millis(5));
            }
        };
        put(&stream, vec![segment(99, 2, &[]), segment(100, 0x10, &framed[..20])]);
        put(&wire, list[..5].iter().map(|name| asks("192.0.2.7", name)).collect());
        put(&wire, vec![asks("192.0.2.8", "x.ours.example"), asks("192.0.2.8", "a.example"), asks("192.0.2.8", "b.example")]);
        wait(&|seen| seen.outcomes.total() == 10 && of(seen, "conficker-b") == 5);

        // A list, a family before the others, and a pattern more.
        let list_text = "x.ours.example\ny.ours.example\nz.ours.example\n";
        *files.lock().unwrap() = Files {
            families: &["conficker-a", "conficker-b"],
            list: Some(list_text),
            patterns: "b.example\na.example\n",
            compiled: false,
        };
        let told = board.reload(false).unwrap();
        let expected = "conficker-a (250 names today), conficker-b (250 names today), ours (3 names today), 2 patterns";
        assert_eq!(told, format!("looks for {expected} from now on"));
        wait(&|seen| seen.families.len() == 3);
        assert_eq!(board.snapshot().reloads.done, 1);
        // A list that is always the same is listed today as well.
        wait(&|_| board.is_ready().is_ok());
        // The stream goes on where it was; what the list holds is found.
        put(&stream, vec![segment(120, 0x18, &framed[20..])]);
        put(&wire, vec![asks("192.0.2.8", "x.ours.example"), asks("192.0.2.8", "a.example"), asks("192.0.2.8", "b.example")]);
        wait(&|seen| seen.outcomes.total() == 14 && of(seen, "conficker-b") == 6 && of(seen, "ours") == 1);
        let seen = board.snapshot();
        assert_eq!((series(&seen, "conficker-b"), series(&seen, "ours"), series(&seen, "conficker-a")), (6, 1, 0));

        // What is likely a mistake is refused, what is wrong as well: all goes on as it was.
        files.lock().unwrap().list = Some("y.ours.example\n");
        let refused = board.reload(false).unwrap_err();
        assert!(refused.starts_with("list ours shrinks from 3 to 1 names"), "{refused}");
        files.lock().unwrap().list = Some("not a name at all\n");
        assert!(board.reload(true).unwrap_err().contains("line 1"));
        put(&wire, vec![asks("192.0.2.9", "x.ours.example")]);
        wait(&|seen| of(seen, "ours") == 2);
        assert_eq!((board.snapshot().reloads.done, board.snapshot().reloads.failed), (1, 2));

        // Forced. Evidence of what the list held before means nothing now, and goes.
        files.lock().unwrap().list = Some("y.ours.example\n");
        board.reload(true).unwrap();
        wait(&|seen| seen.reloads.done == 2 && seen.table.used == 1);
        put(&wire, vec![asks("192.0.2.9", "x.ours.example"), asks("192.0.2.9", "y.ours.example")]);
        wait(&|seen| of(seen, "ours") == 3);

        // The same lists, compiled: evidence is kept, and more is found.
        files.lock().unwrap().compiled = true;
        board.reload(false).unwrap();
        wait(&|seen| seen.reloads.done == 3 && seen.table.used == 2);
        put(&wire, vec![asks("192.0.2.7", &list[6])]);
        wait(&|seen| of(seen, "conficker-b") == 7);
        stop.store(true, Ordering::Relaxed);
    };
    let report = thread::scope(|scope| {
        let script = scope.spawn(script);
        let mut latest = 0;
        let report = live.run(&stop, None, &mut |state| {
            sensor.look(state);
            if script.is_finished() {
                stop.store(true, Ordering::Relaxed);
            }
            let received: u64 = state.interfaces.iter().map(|interface| interface.received).sum();
            assert_eq!(state.counts.total(), received);
            assert!(received >= latest, "a counter goes back");
            latest = received;
        });
        script.join().unwrap();
        report
    });
    let mut out = vec![];
    report.write(ReportFormat::Json, &mut out).unwrap();
    let report: Value = serde_json::from_slice(&out).unwrap();
    let rows = report["sources"].as_array().unwrap();
    let row = |family: &str| rows.iter().find(|row| row["family"] == family).unwrap();
    assert_eq!((&row("conficker-b")["distinct_names"], &row("conficker-b")["verdict"]), (&7.into(), &"infected".into()));
    assert_eq!((&row("ours")["source"], rows.len()), (&"192.0.2.9".into(), 2));
    assert_eq!(report["packets"]["read"], 18);
    let text = String::from_utf8(out).unwrap();
    // The pattern that was there before keeps what was seen of it, and the new one begins.
    let sightings = report["indicators"].as_array().unwrap_or_else(|| panic!("{text}"));
    let seen = |pattern: &str| {
        sightings.iter().filter(|row| row["pattern"] == pattern).map(|row| row["queries"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((seen("a.example"), seen("b.example")), (2, 1), "{sightings:?}");
    let said = said.lock().unwrap();
    assert!(said.iter().any(|sentence| sentence == "aside"), "{said:?}");
    assert!(said.iter().any(|sentence| sentence.contains("the list of ours for 2009-03-31 has changed")), "{said:?}");
    assert_eq!(
        said.iter().filter(|sentence| sentence.starts_with("reload refused, all stays as it was: ")).count(),
        2,
        "{said:?}"
    );
}

/// By signal, while packets come, with the sandbox closed: a file of lists that was replaced is read, one that is wrong is not.
#[test]
fn by_signal() {
    in_namespace("by_signal", || {
        let folder = TempDir::new().unwrap();
        let (config, list) = (folder.path().join("dgawatch.toml"), folder.path().join("ours"));
        let replace = |file: &std::path::Path, text: &str| {
            let new = folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, file).unwrap();
        };
        replace(&config, "family = \"conficker-b\"\nworkers = 2\n");
        let words = ["--config", config.to_str().unwrap(), "--format", "json"];
        let mut sensor = Program::start(&words);
        let names = today();
        let done = AtomicBool::new(false);
        let (report, sent) = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut wire = wire();
                let mut sent = 0_u64;
                while !done.load(Ordering::Relaxed) {
                    for number in sent..sent + 100 {
                        let client = at("192.0.2.7", 1_024 + (number % 60_000) as u16);
                        let name = if number % 2 == 0 { &names[number as usize / 2 % 250] } else { "x.ours.example" };
                        wire.sendpacket(ethernet(&[], &udp(client, at("192.0.2.53", 53), &query(1, name, 1)))).unwrap();
                    }
                    sent += 100;
                    thread::sleep(Duration::from_millis(5));
                }
                sent
            });
            for round in 1..=3 {
                thread::sleep(Duration::from_millis(300));
                replace(&list, &"x.ours.example\n".repeat(round));
                replace(&config, &format!("family = \"conficker-b\"\nworkers = 3\nlist = [\"ours={}\"]\n", list.display()));
                sensor.signal("-HUP");
                assert_eq!(sensor.line(), "dgawatch: `workers` has changed too: that takes a restart\n");
                let line = sensor.line();
                assert_eq!(
                    line,
                    format!(
                        "dgawatch: reload: looks for conficker-b (250 names today), ours ({round} names today) from now on\n"
                    )
                );
                let of_ours = |line: &str| line.starts_with("dgawatch_watchlist_names{family=\"ours\"");
                let wanted = |line: &str| of_ours(line) && line.ends_with(&format!("}} {round}"));
                while !metrics().lines().any(wanted) {
                    thread::sleep(Duration::from_millis(50));
                }
                if round > 1 {
                    assert!(sensor.line().contains("the list of ours for "));
                }
            }
            replace(&config, "family = \"conficker-b\"\nlists = []\n");
            sensor.signal("-HUP");
            let line = sensor.line();
            assert!(line.starts_with("dgawatch: reload refused, all stays as it was: "), "{line}");
            assert!(line.contains("dgawatch.toml:2: there is no setting `lists`: did you mean `list`?"), "{line}");
            done.store(true, Ordering::Relaxed);
            let sent = sender.join().unwrap();
            (sensor.stop(0), sent)
        });
        // None is lost, and none that waited while lists were exchanged.
        assert_eq!(report["packets"]["outcomes"]["dns_query"], sent);
        let rows = report["sources"].as_array().unwrap();
        let matches = |family: &str| rows.iter().find(|row| row["family"] == family).unwrap()["matches"].as_u64().unwrap();
        assert_eq!(matches("conficker-b"), sent / 2);
        assert!((1..sent / 2).contains(&matches("ours")));
    });
}

/// Networks and databases are read again, by signal and over HTTP; one that will not do leaves all as it was.
#[test]
fn networks_by_signal_and_over_http() {
    in_namespace("networks_by_signal_and_over_http", || {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let replace = |name: &str, octets: &[u8]| {
            fs::write(path("new"), octets).unwrap();
            fs::rename(path("new"), path(name)).unwrap();
        };
        let config = |more: &str| {
            let networks = path("networks").display().to_string();
            replace("config.toml", format!("family = \"conficker-b\"\nnetworks = \"{networks}\"\n{more}").as_bytes());
        };
        replace("networks", b"192.0.2.0/24,north\n");
        config("");
        let mut sensor = Program::start(&["--config", path("config.toml").to_str().unwrap(), "--format", "json"]);
        let mut wire = wire();
        for name in &today()[..5] {
            wire.sendpacket(ethernet(&[], &udp(at("192.0.2.7", 4_000), at("192.0.2.253", 53), &query(1, name, 1)))).unwrap();
        }
        let label = |network: &str| {
            let series =
                format!("dgawatch_network_sources{{network=\"{network}\",family=\"conficker-b\",verdict=\"infected\"}} 1");
            let until = Instant::now() + Duration::from_secs(30);
            while !metrics().lines().any(|line| line == series) {
                assert!(Instant::now() < until, "{series}: {}", metrics());
                thread::sleep(Duration::from_millis(50));
            }
        };
        let labels = || metrics().lines().filter(|line| line.starts_with("dgawatch_network_sources{")).count();
        label("north");
        replace("networks", b"192.0.2.0/24,south\n198.51.100.0/24,west\n");
        sensor.signal("-HUP");
        let line = sensor.line();
        assert!(line.starts_with("dgawatch: reload: looks for conficker-b "), "{line}");
        label("south");
        assert_eq!(labels(), 6);

        replace("networks", b"192.0.2.0/99,north\n");
        sensor.signal("-HUP");
        let line = sensor.line();
        assert!(
            line.starts_with("dgawatch: reload refused, all stays as it was: networks ") && line.contains("line 1"),
            "{line}"
        );
        let answer = ask("POST /-/reload");
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("line 1"), "{answer}");
        let line = sensor.line();
        assert!(line.starts_with("dgawatch: reload refused"), "{line}");
        label("south");

        // A database that is none, beside labels that would do.
        replace("networks", b"192.0.2.0/24,east\n");
        replace("asn", b"nothing");
        let asn = format!("asn-db = \"{}\"\n", path("asn").display());
        config(&asn);
        let answer = ask("POST /-/reload");
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("is none in MaxMind's format"), "{answer}");
        let line = sensor.line();
        assert!(line.starts_with("dgawatch: reload refused"), "{line}");
        label("south");
        replace("asn", &database("Test-ASN", &[("192.0.2.0/24", system(64_500, "North Net"))]));
        let answer = ask("POST /-/reload");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        label("east");

        let report = sensor.stop(0);
        let row = &report["sources"][0];
        assert_eq!((&row["network"], &row["asn"]), (&"east".into(), &64_500.into()));
        let known: Vec<_> = report["networks"].as_array().unwrap().iter().map(|row| (&row["by"], &row["name"])).collect();
        assert_eq!(known, [(&"network".into(), &"east".into()), (&"asn".into(), &"AS64500".into())]);
    });
}

fn metrics() -> String {
    ask("GET /metrics")
}

/// The answer to a request.
fn ask(request: &str) -> String {
    let mut stream = TcpStream::connect("127.0.0.1:9353").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
