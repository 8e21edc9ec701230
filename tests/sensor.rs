//! The live pipeline on packets from nowhere: what it does when days change, clocks step, queues fill and workers die.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::{Config, Outcome};
use dgawatch::dga::Catalog;
use dgawatch::export::http::{Board, Listed, SourceQuery};
use dgawatch::export::series::SeriesConfig;
use dgawatch::export::snapshot::RecentSources;
use dgawatch::export::{EventLog, Report, ReportFormat, metrics_text};
use dgawatch::ledger::{Masking, Verdict};
use dgawatch::name::Name;
use dgawatch::pipeline::{InterfaceCounts, Live, LiveState, Plan, Say, Sensor, Settings, StateConfig, Threads};
use dgawatch::source::{Intake, LinkType, Record, TapCounts};
use dgawatch::watchlist::{Image, Patterns, SearchList, compile};
use memmap2::MmapMut;
use serde_json::Value;
use support::names;
use support::packets::{at, ethernet, query, tcp, udp};
use tempfile::TempDir;

/// Frames and when they come. An end of the world by packets: one without octets.
struct Script {
    frames: Vec<(Timestamp, Vec<u8>)>,
    next: usize,
    /// Raised once all were taken.
    done: Arc<AtomicBool>,
    error: Option<&'static str>,
    counts: TapCounts,
}

impl Intake for Script {
    fn take(&mut self, most: usize, mut each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        let rest = &self.frames[self.next..];
        let taken = rest.len().min(most);
        for (time, data) in &rest[..taken] {
            assert!(!data.is_empty(), "what a worker may meet");
            each(Record { time: *time, link: LinkType::ETHERNET, data });
        }
        self.next += taken;
        self.counts.received += taken as u64;
        if taken == 0 {
            self.error.map_or(Ok(()), |error| Err(error.to_owned()))?;
            self.done.store(true, Ordering::Relaxed);
        }
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

fn settings() -> Settings {
    Settings {
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
        sketches: false,
    }
}

/// Runs a worker for each script on one interface, until the first ends; returns the report and the last counts.
fn run(
    scripts: Vec<Vec<(Timestamp, Vec<u8>)>>,
    error: Option<&'static str>,
    now: Timestamp,
    observer: &mut dyn FnMut(&mut LiveState<'_, '_>),
) -> (Value, InterfaceCounts) {
    run_by(settings(), scripts, error, now, observer)
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.add("conficker-b").unwrap();
    catalog
}

/// The same by other settings.
fn run_by(
    settings: Settings,
    scripts: Vec<Vec<(Timestamp, Vec<u8>)>>,
    error: Option<&'static str>,
    now: Timestamp,
    observer: &mut dyn FnMut(&mut LiveState<'_, '_>),
) -> (Value, InterfaceCounts) {
    let done: Vec<Arc<AtomicBool>> = scripts.iter().map(|_| Arc::default()).collect();
    let taps = scripts.into_iter().zip(&done).map(|(frames, done)| Script {
        frames,
        next: 0,
        done: Arc::clone(done),
        error,
        counts: TapCounts::default(),
    });
    let threads = Threads { clock: Arc::new(move || now), ..Threads::default() };
    let plan = Arc::new(Plan::new(catalog(), settings, now));
    let live = Live::of(plan, vec![("made-up".to_owned(), taps.collect())], threads);
    let stop = AtomicBool::new(false);
    let mut counts = InterfaceCounts::default();
    let report = thread::scope(|scope| {
        scope.spawn(|| {
            // In a test that ends by itself the flag is of no use, and does no harm.
            for _ in 0..1_000 {
                thread::sleep(Duration::from_millis(10));
                if done.iter().all(|done| done.load(Ordering::Relaxed)) {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        let report = live.run(&stop, None, &mut |state| {
            // At any moment, all of a worker's counters are of the same moment.
            assert_eq!(state.counts.total(), state.interfaces[0].received);
            counts = state.interfaces[0].clone();
            observer(state);
        });
        done.iter().for_each(|done| done.store(true, Ordering::Relaxed));
        report
    });
    (json(&report), counts)
}

fn json(report: &Report) -> Value {
    let mut out = vec![];
    report.write(ReportFormat::Json, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// So many seconds after the beginning of 31 March 2009.
fn second(seconds: u64) -> Timestamp {
    Timestamp::from_parts(Day::of(2009, 3, 31).number() as u64 * 86_400 + seconds, 0)
}

fn asks(client: &str, name: &str) -> Vec<u8> {
    ethernet(&[], &udp(at(client, 4_000), at("192.0.2.53", 53), &query(1, name, 1)))
}

const DAY: u64 = 86_400;

/// Days change by the packets' time, whatever the clock says that lists are built by.
#[test]
fn midnight() {
    let lists = ["2009-03-30", "2009-03-31", "2009-04-01", "2009-04-02"].map(|day| names("conficker-b", day));
    for now in [second(DAY - 1), second(DAY), second(12 * 3_600), Timestamp::default(), second(40_000 * DAY)] {
        let mut frames = vec![];
        for moment in [DAY - 2, DAY - 1, DAY, DAY + 1, DAY - 1, DAY + 2] {
            // The clock steps back and forth over midnight; each client asks for a name of each list.
            for (list, names) in lists.iter().enumerate() {
                frames.push((second(moment), asks(&format!("192.0.2.{}", list + 1), &names[frames.len() % 250])));
            }
        }
        let (report, counts) = run(vec![frames], None, now, &mut |_| {});
        let rows: Vec<(&str, &str, u64)> = report["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["source"].as_str().unwrap(), row["list_day"].as_str().unwrap(), row["matches"].as_u64().unwrap()))
            .collect();
        // Before midnight the last list is not open yet, after it the first no more.
        let expected = [
            ("192.0.2.1", "2009-03-30", 3),
            ("192.0.2.2", "2009-03-31", 6),
            ("192.0.2.3", "2009-04-01", 6),
            ("192.0.2.4", "2009-04-02", 3),
        ];
        assert_eq!(rows, expected, "at {now}");
        assert_eq!((counts.received, counts.last_packet), (24, Some(second(DAY + 2))));
    }
}

/// What comes in pieces is put together by the worker that has them.
#[test]
fn streams_of_a_worker() {
    let message = query(7, &names("conficker-b", "2009-03-31")[3], 1);
    let framed = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let frames = |client: &str| {
        let (client, server) = (at(client, 4_000), at("192.0.2.53", 53));
        let segment = |sequence, flags, data: &[u8]| (second(9), ethernet(&[], &tcp(client, server, sequence, flags, data)));
        vec![segment(99, 2, &[]), segment(100, 0x10, &framed[..20]), segment(120, 0x18, &framed[20..])]
    };
    let (report, counts) = run(vec![frames("192.0.2.1"), frames("192.0.2.2")], None, second(9), &mut |_| {});
    assert_eq!(report["messages"]["tcp"]["query"], 2, "{report}");
    assert_eq!(report["sources"].as_array().unwrap().len(), 2);
    assert_eq!(counts.received, 6);
}

/// A clerk that is kept busy costs findings, which are counted, and no packets.
#[test]
fn a_full_queue() {
    const PACKETS: usize = 200_000;
    let list = names("conficker-b", "2009-03-31");
    let frames = (0..PACKETS).map(|place| (second(9), asks("192.0.2.1", &list[place % 250]))).collect();
    let mut calls = 0;
    let (report, counts) = run(vec![frames], None, second(9), &mut |_| {
        calls += 1;
        if calls == 1 {
            thread::sleep(Duration::from_secs(2));
        }
    });
    assert_eq!((counts.received, counts.offered), (PACKETS as u64, PACKETS as u64));
    assert_eq!(report["packets"]["outcomes"]["dns_query"], PACKETS);
    assert!(counts.dropped_queue > 0);
    assert_eq!(report["sources"][0]["matches"].as_u64().unwrap() + counts.dropped_queue, PACKETS as u64);
    let error = report["captures"][0]["error"].as_str().unwrap();
    assert_eq!(error, format!("lost {} findings for which there was no time", counts.dropped_queue));
}

/// A worker that dies takes all down, and what was found until then is told.
#[test]
fn a_worker_dies() {
    let list = names("conficker-b", "2009-03-31");
    let mut frames: Vec<_> = (0..5_000).map(|place| (second(9), asks("192.0.2.1", &list[place % 250]))).collect();
    let healthy = frames[..10].to_vec();
    frames.push((second(9), vec![]));
    let (report, _) = run(vec![healthy, frames], None, second(9), &mut |_| {});
    let error = report["captures"][0]["error"].as_str().unwrap();
    assert!(error.contains("worker 1 died"), "{error}");
    assert!(report["sources"][0]["matches"].as_u64().unwrap() >= 10);
}

/// An interface that is gone for good ends it too, in good order.
#[test]
fn an_interface_goes() {
    let list = names("conficker-b", "2009-03-31");
    let frames = vec![(second(9), asks("192.0.2.1", &list[0]))];
    let (report, _) = run(vec![frames], Some("is gone"), second(9), &mut |_| {});
    assert_eq!((&report["captures"][0]["error"], &report["sources"][0]["matches"]), (&"is gone".into(), &1.into()));
}

/// Lists of the days around are there from the start, and the observer is told of them.
#[test]
fn lists_are_built_ahead() {
    let most = AtomicU64::new(0);
    run(vec![vec![]], None, second(23 * 3_600), &mut |state| {
        most.store(state.lists.len() as u64, Ordering::Relaxed);
        assert!(state.lists.iter().all(|list| list.names == 250 && list.octets > 0));
        assert_eq!(state.counts.of(Outcome::DnsQuery), 0);
    });
    assert_eq!(most.load(Ordering::Relaxed), 4);
}

/// Lists that were compiled into a file are mapped, not built, and find the same.
#[test]
fn lists_of_a_file() {
    let days = (Day::of(2009, 3, 30), Day::of(2009, 4, 1));
    let mut octets = vec![];
    compile(&catalog(), days, 1, &mut octets, &mut |_, _, _| {}).unwrap();
    let mut map = MmapMut::map_anon(octets.len()).unwrap();
    map.copy_from_slice(&octets);
    let image = Arc::new(Image::open(map.make_read_only().unwrap()).unwrap());
    let asked = |day: &str, client: &str| {
        let list = names("conficker-b", day);
        list.into_iter().step_by(40).map(|name| asks(client, &name)).collect::<Vec<_>>()
    };
    let frames: Vec<_> = ["2009-03-30", "2009-03-31", "2009-04-01", "2009-04-09"]
        .map(|day| asked(day, &format!("192.0.2.{}", &day[9..])))
        .concat();
    let script: Vec<_> = frames.into_iter().map(|frame| (second(DAY / 2), frame)).collect();
    let runs = [None, Some(image)].map(|compiled| {
        let mut sizes = vec![];
        let settings = Settings { compiled, ..settings() };
        let (report, _) = run_by(settings, vec![script.clone()], None, second(DAY / 2), &mut |state| {
            sizes = state.lists.iter().map(|list| (list.names, list.octets)).collect();
        });
        (report, sizes)
    });
    assert_eq!(runs[0].0, runs[1].0);
    assert_eq!(runs[1].0["sources"].as_array().unwrap().len(), 3);
    // Held in memory a name takes 25 octets and more, in a file 6.
    let least = runs.each_ref().map(|(_, sizes)| sizes.iter().map(|(names, octets)| octets / names).min().unwrap());
    assert!(least[0] >= 25 && least[1] < 12, "{least:?}");
}

/// List days that no packet is held against any more are let go and summed up; those that are open come back at the next
/// start, and what is seen of the sensor says so.
#[test]
fn days_that_are_over() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("events");
    let state = StateConfig { directory: folder.path().to_owned(), interval: Duration::from_secs(60) };
    let mut catalog = Catalog::default();
    catalog.add("conficker-b").unwrap();
    let events = Some(Arc::new(Mutex::new(EventLog::open(&log).unwrap())));
    let series = Some(SeriesConfig { max_sources: 10, prefix: None });
    let settings = Settings { events, series, ..settings() };
    let say: Arc<Say> = Arc::new(|sentence: &str| panic!("{sentence}"));
    let now = || second(3 * DAY + 60);
    let plan = Arc::new(Plan::new(catalog, settings, now()));
    let run = |frames: Vec<(Timestamp, Vec<u8>)>| {
        let done = Arc::new(AtomicBool::new(false));
        let script = Script { frames, next: 0, done: Arc::clone(&done), error: None, counts: TapCounts::default() };
        let threads = Threads { clock: Arc::new(now), ..Threads::default() };
        let mut live = Live::of(Arc::clone(&plan), vec![("made-up".to_owned(), vec![script])], threads);
        live.go_on_from(state.restore(&plan, &*say));
        let (mut sensor, board) = Sensor::new(Arc::new(now), Arc::default(), Arc::clone(&say));
        sensor.keep_state(&state, || Ok(())).unwrap();
        let mut was_ready = false;
        live.run(&done, None, &mut |state| {
            sensor.look(state);
            was_ready |= board.is_ready().is_ok();
        });
        assert!(was_ready && board.is_ready().is_err(), "it is ready while it runs");
        board.snapshot()
    };
    let (old, new) = (names("conficker-b", "2009-03-31"), names("conficker-b", "2009-04-03"));
    let mut frames: Vec<_> = old[..5].iter().map(|name| (second(7), asks("192.0.2.7", name))).collect();
    frames.extend(new[..4].iter().map(|name| (second(3 * DAY), asks("192.0.2.8", name))));
    let seen = run(frames);
    assert_eq!((seen.table.used, seen.families[0].infected, seen.families[0].matches), (1, 1, 9));
    let matches = |source: &str| seen.series.iter().find(|row| row.source == source).map(|row| row.matches);
    assert_eq!((matches("192.0.2.7"), matches("192.0.2.8"), matches("other")), (Some(5), Some(4), Some(0)));

    // Started again, without a packet: one more name is enough for what was seen before.
    let seen = run(vec![(second(3 * DAY + 1), asks("192.0.2.8", &new[9]))]);
    assert_eq!((seen.table.used, seen.families[0].infected, seen.families[0].matches), (1, 1, 1));
    // The evidence of three days before is gone, and the source still one of this week's.
    let RecentSources { windows, at_once, growth } = &seen.families[0].recent;
    let infected: Vec<_> = windows.iter().map(|window| (window.window, window.infected)).collect();
    assert_eq!(infected, [("1h", [1; 3]), ("cycle", [1; 3]), ("24h", [1; 3]), ("7d", [2; 3])]);
    assert_eq!((at_once, growth), (&Some((1, 1)), &None));
    let page = state.restore(&plan, &*say).unwrap();
    let rows: Vec<_> = page.rows().map(|(key, evidence)| (key.source.to_string(), evidence.distinct_names())).collect();
    assert_eq!(rows, [("192.0.2.8".to_owned(), 5)]);

    let told = std::fs::read_to_string(&log).unwrap();
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str, source: &str| events.iter().filter(|event| event["event"] == kind && event["source"] == source).count();
    assert_eq!((of("infected", "192.0.2.7"), of("infected", "192.0.2.8")), (1, 1));
    let over = events.iter().find(|event| event["event"] == "daily_summary" && event["list_day"] == "2009-03-31").unwrap();
    assert_eq!((&over["infected"], &over["matches"]), (&1.into(), &5.into()));
    assert!(!events.iter().any(|event| event["event"] == "daily_summary" && event["list_day"] == "2009-04-03"), "it goes on");
}

/// What a person sees first, and searches for: the names of a source, the lists that hold a name and who asked for it.
#[test]
fn what_people_ask() {
    let say: Arc<Say> = Arc::new(|sentence: &str| panic!("{sentence}"));
    let now = || second(7_200);
    let mut catalog = Catalog::default();
    catalog.add("conficker-b").unwrap();
    let plan = Arc::new(Plan::new(catalog, settings(), now()));
    let list = names("conficker-b", "2009-03-31");
    let mut frames: Vec<_> = list[..5].iter().map(|name| (second(7_100), asks("192.0.2.7", name))).collect();
    // Heard too long ago to be infected now.
    frames.extend(list[..4].iter().map(|name| (second(7), asks("192.0.2.8", name))));
    frames.push((second(7_150), asks("192.0.2.9", &list[3])));
    let script = Script { frames, next: 0, done: Arc::default(), error: None, counts: TapCounts::default() };
    let threads = Threads { clock: Arc::new(now), ..Threads::default() };
    let live = Live::of(plan, vec![("made-up".to_owned(), vec![script])], threads);
    let (mut sensor, board) = Sensor::new(Arc::new(now), Arc::default(), say);
    let stop = Arc::new(AtomicBool::new(false));
    let (asker, over) = (Arc::clone(&board), Arc::clone(&stop));
    let wanted = Name::parse(&list[3]).unwrap();
    let ask = thread::spawn(move || {
        while asker.snapshot().overview.suspect == 0 {
            thread::sleep(Duration::from_millis(10));
        }
        let source = Some("192.0.2.7".parse().unwrap());
        let of_source = asker.sources(&SourceQuery { source, names: 4, limit: 9, ..SourceQuery::default() });
        let lists = asker.explain(&wanted);
        let name = lists.first().cloned();
        let of_name = asker.sources(&SourceQuery { name, limit: 9, ..SourceQuery::default() });
        let none = asker.explain(&Name::parse("nobody.example").unwrap());
        over.store(true, Ordering::Relaxed);
        (asker.snapshot(), of_source.unwrap(), lists, of_name.unwrap(), none)
    });
    live.run(&stop, Some(Duration::from_secs(60)), &mut |state| sensor.look(state));
    let (snapshot, of_source, lists, of_name, none) = ask.join().unwrap();

    let overview = &snapshot.overview;
    assert_eq!((overview.infected_now, overview.infected_today, overview.infected, overview.suspect), (1, 2, 2, 1));
    let top: Vec<_> = overview.top.iter().map(|source| (source.source.to_string(), source.names, source.verdict)).collect();
    let expected = [("192.0.2.7", 5, Verdict::Infected), ("192.0.2.8", 4, Verdict::Infected), ("192.0.2.9", 1, Verdict::Suspect)];
    assert_eq!(top, expected.map(|(source, names, verdict)| (source.to_owned(), names, verdict)));
    let hours: Vec<_> = overview.hours.iter().map(|hour| (hour.packets, hour.matches, hour.infected)).collect();
    assert_eq!(hours, [(10, 10, 1)]);

    // In the order of the list, which is not that of the queries' names.
    assert_eq!((of_source.total, &of_source.rows[0].names[..]), (1, &list[..4]));
    let listed = Listed { family: "conficker-b".to_owned(), list_day: Day::of(2009, 3, 31), index: 3 };
    assert_eq!((lists, none), (vec![listed], vec![]));
    let askers: Vec<_> = of_name.rows.iter().map(|row| row.source.as_str()).collect();
    assert_eq!(askers, ["192.0.2.7", "192.0.2.8", "192.0.2.9"]);
}

/// A message in two segments is of the packet that came last, in whatever order they lie in the stream, and whatever the
/// clock did meanwhile.
#[test]
fn times_of_messages_in_segments() {
    let name = &names("conficker-b", "2009-03-31")[0];
    let message = query(1, name, 1);
    let stream = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let (client, server) = (at("192.0.2.7", 4_000), at("192.0.2.53", 53));
    let segment = |from: usize, to: usize| ethernet(&[], &tcp(client, server, 8 + from as u32, 24, &stream[from..to]));
    for (order, times) in [([0, 1], [3, 7]), ([1, 0], [3, 7]), ([0, 1], [7, 3]), ([1, 0], [7, 3])] {
        let parts = [segment(0, 20), segment(20, stream.len())];
        let mut frames = vec![(second(1), ethernet(&[], &tcp(client, server, 7, 2, b"")))];
        frames.extend(order.iter().zip(times).map(|(part, time)| (second(time), parts[*part].clone())));
        let (report, _) = run(vec![frames], None, second(60), &mut |_| {});
        let expected = format!("2009-03-31T00:00:0{}.000000Z", times[1]);
        assert_eq!(report["sources"][0]["first_seen"], *expected, "{order:?} {times:?}");
    }
}

/// Packets that are made when they are taken, so many that a memory that grew with them would show.
struct Hours {
    list: Box<dyn Fn(Day) -> Vec<String> + Send>,
    names: (Day, Vec<String>),
    next: u64,
    /// Calls since the interface was deleted.
    gone: u32,
    counts: TapCounts,
    /// What the clock says: the time of the latest packet.
    now: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Hours {
    /// A packet every 400 ms.
    const STEP: u64 = 400_000_000;
    const HOURS: u64 = 74;
    const PACKETS: u64 = Self::HOURS * 3_600_000_000_000 / Self::STEP;
}

impl Intake for Hours {
    fn take(&mut self, most: usize, mut each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        if self.next > Self::PACKETS / 2 && self.counts.reopened == 0 {
            // The interface is gone, for some calls, and comes back.
            self.gone += 1;
            if self.gone == 50 {
                self.counts.reopened = 1;
            }
            thread::sleep(Duration::from_millis(5));
            return Ok(0);
        }
        let until = (self.next + most as u64).min(Self::PACKETS);
        for number in self.next..until {
            let time = Timestamp::from_nanos(second(20 * 3_600).as_nanos() + number * Self::STEP);
            if time.day() != self.names.0 {
                self.names = (time.day(), (self.list)(time.day()));
            }
            // Every tenth asks for a name of its day, from one of 100 hosts; the others for what nobody generates.
            let name = if number % 10 == 0 { &self.names.1[number as usize / 10 % 250] } else { "www.example.com" };
            let data = asks(&format!("192.0.2.{}", number % 100), name);
            each(Record { time, link: LinkType::ETHERNET, data: &data });
            self.now.store(time.as_nanos(), Ordering::Relaxed);
        }
        let taken = until - self.next;
        (self.next, self.counts.received) = (until, self.counts.received + taken);
        self.done.store(taken == 0, Ordering::Relaxed);
        // So that the clerk sees hours go by, not days.
        thread::sleep(Duration::from_millis(4));
        Ok(taken as usize)
    }

    fn wait(&mut self, most: Duration) {
        thread::sleep(most.min(Duration::from_millis(5)));
    }

    fn counts(&mut self) -> TapCounts {
        self.counts
    }

    fn notice(&mut self) -> Option<String> {
        match (self.gone, self.counts.reopened) {
            (1..50, 0) => Some("is gone".to_owned()),
            _ => None,
        }
    }
}

/// Three days in seconds, over three midnights, asked for metrics all the while, with the interface gone for a time and lists
/// read anew: every packet is accounted for, every match found, what is over is let go, and memory stays what it is.
#[test]
fn three_days() {
    let mut catalog = Catalog::default();
    catalog.add("conficker").unwrap();
    let settings = Settings { series: Some(SeriesConfig { max_sources: 10, prefix: None }), ..settings() };
    let (now, done) = (Arc::new(AtomicU64::new(second(20 * 3_600).as_nanos())), Arc::new(AtomicBool::new(false)));
    let clock = || {
        let now = Arc::clone(&now);
        Arc::new(move || Timestamp::from_nanos(now.load(Ordering::Relaxed)))
    };
    let list = Box::new(|day: Day| names("conficker-b", &day.to_string()));
    let first = second(0).day();
    let hours = Hours {
        names: (first, list(first)),
        list,
        next: 0,
        gone: 0,
        counts: TapCounts::default(),
        now: Arc::clone(&now),
        done: Arc::clone(&done),
    };
    let threads = Threads { clock: clock(), ..Threads::default() };
    let again = (catalog.clone(), settings.clone());
    let plan = Arc::new(Plan::new(catalog, settings, clock()()));
    let live = Live::of(Arc::clone(&plan), vec![("made-up".to_owned(), vec![hours])], threads);
    let (mut sensor, board) = Sensor::new(clock(), Arc::default(), Arc::new(|_: &str| {}));
    let load = move || {
        let (mut catalog, settings) = again.clone();
        catalog.add("synthetic:100").map(|()| (catalog, settings, vec![]))
    };
    sensor.reload_with(plan, Box::new(load), || Ok(())).unwrap();
    let mut memory = vec![];
    live.run(&done, None, &mut |state| {
        sensor.look(state);
        metrics_text(&board.snapshot()).unwrap();
        memory.push(resident());
        if memory.len() == 3 {
            sensor.reload();
        }
        assert_eq!(state.counts.total(), state.interfaces[0].received);
    });
    let seen = board.snapshot();
    assert_eq!((seen.interfaces[0].packets, seen.outcomes.total()), (Hours::PACKETS, Hours::PACKETS));
    assert_eq!((seen.families[1].matches, seen.interfaces[0].dropped_by_queue), (Hours::PACKETS / 10, 0));
    assert_eq!((seen.families.len(), seen.reloads.done, seen.reloads.failed), (4, 1, 0));
    // Ten hosts ask on each of four days; of these the first is gone.
    assert_eq!((seen.families[1].infected, seen.table.used), (10, 30));
    // Six days of three families, and those since the reload of four; each once or, where it was let go and asked for again, a
    // little more often.
    assert!((18..48).contains(&seen.list_builds.done) && seen.list_builds.seconds > 0.0, "{:?}", seen.list_builds);
    let (early, late) = (memory[memory.len() / 4], *memory.last().unwrap());
    // Less than 50 octets for each packet in between; other tests of this process take some of it.
    assert!(memory.len() >= 8 && late < early + (24 << 20), "{early} octets after a quarter, {late} at the end");
}

/// Octets of memory in use.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    4_096 * pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
}

/// Evidence stays while packets are held against its list, however long the list stays the same or hosts ask for it.
#[test]
fn each_family_has_days_of_its_own() {
    let asked = [("conficker-b", "2009-03-30"), ("necurs-9", "2009-03-28"), ("pushdo", "2009-03-10")];
    let mut catalog = Catalog::default();
    asked.iter().for_each(|(id, _)| catalog.add(id).unwrap());
    let plan = Arc::new(Plan::new(catalog, settings(), second(60)));
    let say: Arc<Say> = Arc::new(|sentence: &str| panic!("{sentence}"));
    let run = |state: &StateConfig, frames: Vec<(Timestamp, Vec<u8>)>| {
        let (done, now) = (Arc::new(AtomicBool::new(false)), || second(60));
        let script = Script { frames, next: 0, done: Arc::clone(&done), error: None, counts: TapCounts::default() };
        let threads = Threads { clock: Arc::new(now), ..Threads::default() };
        let mut live = Live::of(Arc::clone(&plan), vec![("made-up".to_owned(), vec![script])], threads);
        live.go_on_from(state.restore(&plan, &*say));
        let (mut sensor, board) = Sensor::new(Arc::new(now), Arc::default(), Arc::clone(&say));
        sensor.keep_state(state, || Ok(())).unwrap();
        live.run(&done, None, &mut |state| sensor.look(state));
        board.snapshot().table.used
    };
    let kept_on = |day: u64| {
        let folder = TempDir::new().unwrap();
        let state = StateConfig { directory: folder.path().to_owned(), interval: Duration::from_secs(60) };
        let frames = asked.iter().map(|(id, day)| (second(7), asks("192.0.2.7", &names(id, day)[3]))).collect();
        assert_eq!(run(&state, frames), 3);
        // All evidence is there before the packet that ends days.
        run(&state, vec![(second(day * DAY), asks("192.0.2.1", "an.example"))])
    };
    // A day later than the lists close: packets of two interfaces need not come in order. Conficker's goes first, Necurs'
    // stays as long as its last day is open, Pushdo's for 33 days.
    assert_eq!([1, 2, 3, 14, 15].map(kept_on), [3, 2, 1, 1, 0]);
}
