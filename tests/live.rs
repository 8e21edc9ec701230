//! Listening to interfaces, for real: pairs of virtual interfaces in network namespaces of the tests' own.
//!
//! Needs root and iproute2; says aloud when it cannot run. Nothing leaves the namespaces.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dgawatch::day::Timestamp;
use dgawatch::decode::{Config, Decoder, Reading};
use dgawatch::dga::Catalog;
use dgawatch::ledger::Masking;
use dgawatch::pipeline::{InterfaceCounts, Live, Plan, Settings, Threads};
use dgawatch::source::{Filter, Intake, LiveConfig, Record, Tap, TapCounts};
use dgawatch::watchlist::SearchList;
use support::layers::{FOUND, FOUND_V6, encapsulations};
use support::namespace::{in_namespace, ip, pair};
use support::packets::{at, ethernet, fragments, nxdomain, query, tcp, udp};
use support::running::{Sensor, cpu_ticks, today, wire};
use support::{dgawatch, printed};

/// Packets sent of each kind.
const SENT: usize = 20_000;

#[test]
fn what_crosses_an_interface() {
    in_namespace("what_crosses_an_interface", || {
        for workers in ["1", "3"] {
            let mut sensor = Sensor::start(&["--format", "json", "--family", "conficker-b", "--workers", workers]);
            send_population(&today());
            let report = sensor.stop(0);
            let outcome = |label: &str| report["packets"]["outcomes"][label].as_u64().unwrap() as usize;
            // The kernel may add a packet of its own, of neighbour discovery for instance, but none of DNS.
            assert_eq!((outcome("dns_query"), outcome("dns_response")), (2 * SENT, SENT));
            let rows = report["sources"].as_array().unwrap();
            let row = |source: &str| rows.iter().find(|row| row["source"] == source).unwrap();
            assert_eq!(
                (&row("192.0.2.7")["verdict"], &row("192.0.2.7")["distinct_names"], &row("192.0.2.7")["matches"]),
                (&"infected".into(), &250.into(), &SENT.into())
            );
            assert_eq!((&row("2001:db8::7")["verdict"], &row("2001:db8::7")["responses"]), (&"infected".into(), &SENT.into()));
            assert_eq!(rows.len(), 2);
        }
        let (_, missing) = printed(&dgawatch(&["live", "--interface", "nowhere"]), 1);
        assert!(missing.starts_with("dgawatch: interface nowhere cannot be listened to: "), "{missing}");
        let (_, bad) = printed(&dgawatch(&["live", "--interface", "watched", "--filter", "port fifty"]), 1);
        assert!(bad.starts_with("dgawatch: interface watched does not take the filter `port fifty`: "), "{bad}");
        let (_, absent) = printed(&dgawatch(&["live", "--interface", "watched", "--cpu", "1000", "--seconds", "5"]), 1);
        assert!(absent.contains("processor 1000 cannot be used"), "{absent}");
    });
}

/// Each packet comes to one worker, both directions of a connection to the same.
#[test]
fn connections_stay_together() {
    in_namespace("connections_stay_together", || {
        let mut taps = open(&LiveConfig { workers: 4, ..config() });
        let mut wire = wire();
        for client in 0..2_000_u16 {
            let (client, server) = (at(&format!("192.0.2.{}", client % 250), 10_000 + client), at("198.51.100.53", 53));
            for (source, destination) in [(client, server), (server, client), (client, server), (server, client)] {
                wire.sendpacket(ethernet(&[], &tcp(source, destination, 1, 0x18, &[0; 30]))).unwrap();
            }
        }
        let mut homes: BTreeMap<u16, BTreeSet<usize>> = BTreeMap::new();
        let mut packets = 0;
        for (place, tap) in taps.iter_mut().enumerate() {
            take_all(tap, |record| {
                let port = |at: usize| u16::from_be_bytes([record.data[at], record.data[at + 1]]);
                homes.entry(port(34).max(port(36))).or_default().insert(place);
                packets += 1;
            });
        }
        assert_eq!((packets, homes.len()), (8_000, 2_000));
        assert!(homes.values().all(|places| places.len() == 1), "connections were torn apart");
        let shares: Vec<usize> = (0..4).map(|place| homes.values().filter(|places| places.contains(&place)).count()).collect();
        assert!(shares.iter().all(|share| *share > 200), "{shares:?}");
    });
}

/// What a tap gets before it is in the group is another's, and counted; each packet is one tap's.
#[test]
fn no_packet_twice_at_the_start() {
    in_namespace("no_packet_twice_at_the_start", || {
        // Where processors are busy, nothing may be sent in the moment that it is about.
        assert!((0..40).any(|_| discarded_at_the_start() > 0));
    });
}

/// Opens four taps while packets come, and checks each packet; returns how many were discarded.
fn discarded_at_the_start() -> u64 {
    let stop = AtomicBool::new(false);
    let (mut taps, sent) = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut wire = wire();
            let mut sent = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let client = at(&format!("192.0.2.{}", sent % 250), 1_024 + (sent % 60_000) as u16);
                let message = [&sent.to_be_bytes()[..], &[0; 20]].concat();
                wire.sendpacket(ethernet(&[], &udp(client, at("198.51.100.53", 53), &message))).unwrap();
                sent += 1;
            }
            sent
        });
        thread::sleep(Duration::from_millis(50));
        // What it takes to compile the filter makes the time in which packets come twice longer.
        let filter = Filter::Dns(Config::new(&[], &[]).capture_filter());
        let taps = open(&LiveConfig { workers: 4, filter, ring: 128 << 20, ..config() });
        thread::sleep(Duration::from_millis(50));
        stop.store(true, Ordering::Relaxed);
        (taps, sender.join().unwrap())
    });
    let mut seen = BTreeSet::new();
    let (mut offered, mut discarded, mut dropped) = (0, 0, 0);
    for tap in &mut taps {
        take_all(tap, |record| {
            let number = u64::from_be_bytes(record.data[42..50].try_into().unwrap());
            assert!(seen.insert(number), "packet {number} came twice");
        });
        let counts = tap.counts();
        (offered, discarded, dropped) =
            (offered + counts.received, discarded + counts.startup_discarded, dropped + counts.dropped_kernel);
    }
    assert_eq!(dropped, 0);
    assert_eq!(offered, seen.len() as u64 + discarded);
    // From the first to the last hardly any is missing: those that came while a worker was joining.
    let span = seen.last().unwrap() - seen.first().unwrap() + 1;
    assert!(*seen.last().unwrap() == sent - 1 && span - (seen.len() as u64) < 500, "{} of {span}", seen.len());
    discarded
}

/// What a full ring costs is counted to the packet.
#[test]
fn a_tiny_ring() {
    in_namespace("a_tiny_ring", || {
        let mut taps = open(&LiveConfig { workers: 2, ring: 1 << 20, ..config() });
        let mut wire = wire();
        for sent in 0..SENT {
            let client = at("192.0.2.7", 1_024 + sent as u16);
            wire.sendpacket(ethernet(&[], &udp(client, at("198.51.100.53", 53), &query(1, "a.example", 1)))).unwrap();
        }
        let (mut taken, mut dropped) = (0, 0);
        for tap in &mut taps {
            let mut mine = 0;
            take_all(tap, |_| mine += 1);
            let counts = tap.counts();
            assert_eq!(counts.received, mine + counts.dropped_kernel);
            (taken, dropped) = (taken + mine, dropped + counts.dropped_kernel);
        }
        assert_eq!(taken + dropped, SENT as u64);
        assert!(taken > 0 && dropped > 0, "{taken} taken, {dropped} dropped");
    });
}

/// A tap whose worker takes nothing until it may.
struct Slowed<'a>(Tap, &'a AtomicBool);

impl Intake for Slowed<'_> {
    fn take(&mut self, most: usize, each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        if self.1.load(Ordering::Relaxed) { self.0.take(most, each) } else { Ok(0) }
    }

    fn wait(&mut self, most: Duration) {
        // What is in the ring ends no wait while nobody may take it.
        if self.1.load(Ordering::Relaxed) { self.0.wait(most) } else { thread::sleep(most.min(Duration::from_millis(20))) }
    }

    fn counts(&mut self) -> TapCounts {
        self.0.counts()
    }

    fn notice(&mut self) -> Option<String> {
        self.0.notice()
    }
}

/// What the wire carried is what has an outcome, and what was lost on the way, by where: to the packet.
#[test]
fn nothing_is_unaccounted_for() {
    in_namespace("nothing_is_unaccounted_for", || {
        for (workers, ring, slow) in [(1, 64 << 20, false), (1, 1 << 20, true), (3, 1 << 20, true)] {
            let may_take = AtomicBool::new(!slow);
            let mut catalog = Catalog::default();
            catalog.add("conficker-b").unwrap();
            let (decode, patterns, search_list) = (Config::new(&[], &[]), Arc::default(), SearchList::default());
            let settings = Settings {
                skew: 1,
                max_sources: 100,
                decode,
                patterns,
                search_list,
                compiled: None,
                lost: 0.0,
                sinkholes: Arc::default(),
                masking: Masking::default(),
                networks: None,
                events: None,
                series: None,
                timeline: false,
                sketches: false,
            };
            let taps = open(&LiveConfig { workers, ring, ..config() }).into_iter().map(|tap| Slowed(tap, &may_take)).collect();
            let threads = Threads::default();
            let plan = Arc::new(Plan::new(catalog, settings, (threads.clock)()));
            let live = Live::of(plan, vec![("watched".to_owned(), taps)], threads);
            let stop = AtomicBool::new(false);
            let mut counts = InterfaceCounts::default();
            let mut outcomes = 0;
            thread::scope(|scope| {
                scope.spawn(|| {
                    let (list, mut wire) = (today(), wire());
                    for sent in 0..SENT {
                        let client = at("192.0.2.7", 1_024 + sent as u16);
                        let question = query(1, &list[sent % 250], 1);
                        wire.sendpacket(ethernet(&[], &udp(client, at("198.51.100.53", 53), &question))).unwrap();
                    }
                    may_take.store(true, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(500));
                    stop.store(true, Ordering::Relaxed);
                });
                live.run(&stop, None, &mut |state| {
                    outcomes = state.counts.total();
                    counts = state.interfaces[0].clone();
                });
            });
            let InterfaceCounts { received, dropped_nic, dropped_kernel, startup_discarded, offered, .. } = counts;
            assert_eq!((dropped_nic, startup_discarded, outcomes), (0, 0, received));
            assert_eq!((received + dropped_kernel, offered), (SENT as u64, SENT as u64));
            assert_eq!(dropped_kernel > 0, ring < 2 << 20, "{dropped_kernel} lost by a ring of {ring} octets");
        }
    });
}

/// Who gave up the right to open an interface is told so when one is gone.
#[test]
fn without_the_right_to_open() {
    in_namespace("without_the_right_to_open", || {
        let mut taps = open(&LiveConfig { workers: 2, reopen: Some(Duration::from_secs(1)), ..config() });
        let mut removal = Command::new("sh").args(["-c", "sleep 0.5; ip link del watched"]).spawn().unwrap();
        nix::unistd::setuid(65_534.into()).unwrap();
        let until = Instant::now() + Duration::from_secs(5);
        for tap in &mut taps {
            let error = loop {
                assert!(Instant::now() < until, "it goes on");
                match tap.take(100, |_| {}) {
                    Ok(_) => tap.wait(Duration::from_millis(20)),
                    Err(error) => break error,
                }
            };
            assert!(error.starts_with("is gone, and may not be opened again: "), "{error}");
        }
        removal.wait().unwrap();
    });
}

/// Everything that may hold DNS passes the kernel's filter, stripped of tags or not, and is decoded.
#[test]
fn every_layer_passes_the_kernel() {
    in_namespace("every_layer_passes_the_kernel", || {
        for workers in [1, 2] {
            let filter = Filter::Dns(Config::new(&[], &[]).capture_filter());
            let mut taps = open(&LiveConfig { workers, filter, ..config() });
            let mut wire = wire();
            let rows: Vec<_> = encapsulations().into_iter().filter(|(_, _, found)| [FOUND, FOUND_V6].contains(found)).collect();
            let mut sent = 0;
            for (what, frame, _) in &rows {
                // Cisco's own tagging stands where others would.
                let ways = if *what == "inter-switch link" { 1 } else { 3 };
                sent += ways;
                for tags in &[&[][..], &[0x81, 0, 0, 5], &[0x88, 0xA8, 0, 9, 0x81, 0, 0, 5]][..ways] {
                    wire.sendpacket([&frame[..12], *tags, &frame[12..]].concat()).unwrap();
                }
                wire.sendpacket(ethernet(&[], &tcp(at("192.0.2.1", 443), at("192.0.2.2", 50_000), 1, 0x18, &[0; 90]))).unwrap();
            }
            let mut decoder = Decoder::new(Config::new(&[], &[]));
            let (mut found, mut tagged) = (0, 0);
            for tap in &mut taps {
                take_all(tap, |record| {
                    if let Reading::Message(message) = decoder.read(record) {
                        assert_eq!(message.question.unwrap().name.to_string(), "praat.org");
                        found += 1;
                        tagged += usize::from(matches!(record.data[12..14], [0x81, 0] | [0x88, 0xA8]));
                    }
                });
                assert_eq!(tap.counts().dropped_kernel, 0);
            }
            assert_eq!(found, sent, "with {workers} workers");
            // Those that the kernel took off are there again.
            assert!(tagged >= 2 * rows.len() - 2, "{tagged}");
        }
    });
}

/// Fragments come together: by the kernel where workers share an interface and for IPv4, here otherwise.
#[test]
fn fragments_come_together() {
    in_namespace("fragments_come_together", || {
        for workers in ["1", "2"] {
            let mut sensor = Sensor::start(&["--format", "json", "--family", "conficker-b", "--workers", workers]);
            let list = today();
            let mut wire = wire();
            for (place, name) in list.iter().enumerate() {
                for (client, server) in
                    [(at("192.0.2.7", 4_000), at("192.0.2.53", 53)), (at("2001:db8::7", 4_000), at("2001:db8::53", 53))]
                {
                    for part in fragments(&udp(client, server, &query(1, name, 1)), place as u32 + 1, &[16, 24]) {
                        wire.sendpacket(ethernet(&[], &part)).unwrap();
                    }
                }
            }
            let report = sensor.stop(0);
            let matches = report["sources"].as_array().unwrap().iter().map(|row| row["matches"].as_u64().unwrap());
            assert_eq!(matches.collect::<Vec<_>>(), [250, 250], "with {workers} workers: {}", report["packets"]);
        }
    });
}

/// An interface that goes down and up, or is deleted and made anew, is listened to again.
#[test]
fn interfaces_come_and_go() {
    in_namespace("interfaces_come_and_go", || {
        for workers in ["1", "2"] {
            let reopen = ["--reopen", "30"];
            let mut sensor =
                Sensor::start(&[&["--format", "json", "--family", "conficker-b", "--workers", workers][..], &reopen].concat());
            let list = today();
            let ask = |count: usize| {
                let mut wire = wire();
                for (place, name) in list.iter().take(count).enumerate() {
                    let client = at("192.0.2.7", 4_000 + place as u16);
                    wire.sendpacket(ethernet(&[], &udp(client, at("192.0.2.53", 53), &query(1, name, 1)))).unwrap();
                }
            };
            ask(10);
            thread::sleep(Duration::from_millis(300));
            ip("link set watched down");
            thread::sleep(Duration::from_millis(500));
            let before = cpu_ticks(sensor.child.id());
            thread::sleep(Duration::from_millis(1_000));
            assert!(cpu_ticks(sensor.child.id()) - before < 20, "it spins while the interface is down");
            ip("link set watched up");
            thread::sleep(Duration::from_millis(300));
            ask(20);
            thread::sleep(Duration::from_millis(300));
            ip("link del watched");
            assert!(sensor.line().contains("interface watched is gone"));
            pair();
            assert!(sensor.line().contains("interface watched is back"));
            thread::sleep(Duration::from_millis(1_000));
            ask(100);
            let report = sensor.stop(0);
            assert_eq!(report["sources"][0]["matches"], 130, "with {workers} workers: {report}");
        }
        let mut sensor = Sensor::start(&["--format", "json"]);
        ip("link del watched");
        let report = sensor.wait(1);
        let error = report["captures"][0]["error"].as_str().unwrap();
        assert!(error.starts_with("cannot be listened to any more: "), "{error}");
    });
}

/// A link without a packet does not keep the sensor from stopping.
#[test]
fn a_quiet_link() {
    in_namespace("a_quiet_link", || {
        let mut sensor = Sensor::start(&["--format", "json", "--workers", "2"]);
        thread::sleep(Duration::from_millis(500));
        let before = cpu_ticks(sensor.child.id());
        let start = Instant::now();
        sensor.stop(0);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(before < 100);
    });
}

/// With the lists of all families and a thousand sources, memory is small beside ring and table.
#[test]
fn memory() {
    in_namespace("memory", || {
        let mut sensor = Sensor::start(&["--format", "json", "--ring-size", "4M", "--max-sources", "2000"]);
        let (list, mut wire) = (today(), wire());
        for number in 0..5_000_usize {
            let client = at(&format!("192.0.{}.{}", number / 5 / 250, number / 5 % 250), 4_000);
            wire.sendpacket(ethernet(&[], &udp(client, at("192.0.2.53", 53), &query(1, &list[number % 250], 1)))).unwrap();
            if number % 100 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
        }
        thread::sleep(Duration::from_millis(1_500));
        let status = std::fs::read_to_string(format!("/proc/{}/status", sensor.child.id())).unwrap();
        // Of its own: the kernel's ring and the program's text, which is 9 MiB of a release build and more of this one, are none.
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        let report = sensor.stop(0);
        assert_eq!(report["families"][1]["sources"], 1_000);
        assert!(kilobytes < 10 << 10, "{kilobytes} kB");
    });
}

/// Everything passes, and all is kept.
fn config() -> LiveConfig {
    LiveConfig { ring: 16 << 20, ..LiveConfig::default() }
}

fn open(config: &LiveConfig) -> Vec<Tap> {
    Tap::open("watched", config).unwrap()
}

/// What waits and what is on its way, but for what the kernel itself says.
fn take_all(tap: &mut Tap, mut each: impl FnMut(Record<'_>)) {
    let until = Instant::now() + 3 * Tap::HOLD;
    let none = Timestamp::default();
    loop {
        let taken = tap.take(100, |record| {
            assert!(record.time > none);
            each(record);
        });
        if taken.unwrap() == 0 {
            if Instant::now() > until {
                return;
            }
            tap.wait(Duration::from_millis(20));
        }
    }
}

/// Queries for listed names, tagged; responses to another host; queries for other names.
fn send_population(list: &[String]) {
    let mut wire = wire();
    let (client, client6) = (at("192.0.2.7", 4_000), at("2001:db8::7", 4_000));
    for (place, name) in (0..SENT).zip(list.iter().cycle()) {
        let id = place as u16;
        for frame in [
            ethernet(&[(0x8100, 7)], &udp(client, at("192.0.2.53", 53), &query(id, name, 1))),
            ethernet(&[], &udp(at("2001:db8::53", 53), client6, &nxdomain(id, name, 1))),
            ethernet(&[], &udp(at("192.0.2.8", 4_000), at("192.0.2.53", 53), &query(id, &format!("www.{name}"), 1))),
        ] {
            wire.sendpacket(frame).unwrap();
        }
    }
}
