//! The whole path, packets in and report out: against a naive oracle, for every number of threads, over months, with
//! the sums of what was counted.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::net::{IpAddr, SocketAddr};

use domain::base::Message;
use etherparse::{LaxSlicedPacket, TransportSlice};
use serde_json::Value;
use support::captures::{Packet, Section, USUAL};
use support::packets::{at, ethernet, nxdomain, query, udp};
use support::population::Network;
use support::{Rng, dgawatch, dgawatch_with, names, printed};
use tempfile::TempDir;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// 2009-03-31T00:00:00Z.
const START: u64 = 14_334 * DAY;

/// Source, family, list day to queries, responses, names.
type Rows = BTreeMap<(IpAddr, String, String), (u64, u64, BTreeSet<String>)>;

/// The rows of a report.
fn rows(report: &Value) -> Rows {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = report["sources"].as_array().unwrap().iter().map(|row| {
        let key = (text(&row["source"]).parse().unwrap(), text(&row["family"]), text(&row["list_day"]));
        let names: BTreeSet<String> = row["names"].as_array().unwrap().iter().map(text).collect();
        assert_eq!(row["distinct_names"].as_u64(), Some(names.len() as u64));
        (key, (row["matches"].as_u64().unwrap(), row["responses"].as_u64().unwrap(), names))
    });
    rows.collect()
}

/// The rows that packets should give, found with other people's parsers and maps of strings.
fn naive(packets: &[Packet], families: &[&str]) -> Rows {
    let mut lists: HashMap<u64, Vec<(String, String, BTreeSet<String>)>> = HashMap::new();
    let mut rows = Rows::new();
    for (time, packet) in packets {
        let Ok(packet) = LaxSlicedPacket::from_ethernet(packet) else { continue };
        let Some(TransportSlice::Udp(udp)) = &packet.transport else { continue };
        if ![udp.source_port(), udp.destination_port()].contains(&53) {
            continue;
        }
        let (source, destination): (IpAddr, IpAddr) = match packet.net.unwrap() {
            etherparse::LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            etherparse::LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            _ => continue,
        };
        let Ok(message) = Message::from_octets(udp.payload()) else { continue };
        let Some(Ok(question)) = message.question().next() else { continue };
        let name = question.qname().to_string().to_lowercase();
        let (day, response) = (time / DAY, message.header().qr());
        let lists = lists.entry(day).or_insert_with(|| {
            let days = (day - 1..=day + 1).map(|day| dgawatch::day::Timestamp::from_nanos(day * DAY).day().to_string());
            days.flat_map(|day| {
                families.iter().map(move |id| ((*id).to_owned(), day.clone(), names(id, &day).into_iter().collect()))
            })
            .collect()
        });
        for (family, list_day, list) in lists {
            if list.contains(&name) {
                let client = if response { destination } else { source };
                let row = rows.entry((client, family.clone(), list_day.clone())).or_default();
                *(if response { &mut row.1 } else { &mut row.0 }) += 1;
                row.2.insert(name.clone());
            }
        }
    }
    rows
}

/// Replays, and checks what is true of every report: the sums, and one report for every number of threads.
#[track_caller]
fn replay(arguments: &[&str], paths: &[&str], code: i32) -> Value {
    let run = |threads: &str| {
        let output = dgawatch(&[&["replay", "--format", "json", "--threads", threads], arguments, paths].concat());
        printed(&output, code).0
    };
    let text = run("1");
    for threads in ["2", "3", "8"] {
        assert!(run(threads) == text, "{threads} threads report otherwise than one");
    }
    let report: Value = serde_json::from_str(&text).unwrap();
    let sum = |members: Vec<&Value>| members.into_iter().map(|member| member.as_u64().unwrap()).sum::<u64>();
    let read = report["packets"]["read"].as_u64().unwrap();
    assert_eq!(sum(report["packets"]["outcomes"].as_object().unwrap().values().collect()), read);
    assert_eq!(sum(report["captures"].as_array().unwrap().iter().map(|capture| &capture["packets"]).collect()), read);
    for family in report["families"].as_array().unwrap() {
        let of_family = |column: &str| {
            sum(report["sources"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["family"] == family["family"])
                .map(|row| &row[column])
                .collect())
        };
        assert_eq!(family["matches"].as_u64(), Some(of_family("matches")));
        assert_eq!(family["responses"].as_u64(), Some(of_family("responses")));
        assert_eq!(family["sources"].as_u64(), Some(sum(vec![&family["infected"], &family["suspect"]])));
    }
    report
}

fn file(folder: &TempDir, name: &str, octets: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, octets).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_night_of_subscribers() {
    let report = replay(&[], &["pcaps/subscribers.pcap"], 0);
    assert_eq!(rows(&report), naive(&Network::watched(), &["conficker-a", "conficker-b", "conficker-c"]));
}

/// Many blocks of random traffic, where listed names and near misses are common, over three days and in no order.
#[test]
fn random_traffic() {
    let mut rng = Rng(31);
    let mut pool: Vec<String> = (0..5)
        .flat_map(|day| ["conficker-a", "conficker-b"].map(|id| names(id, &format!("2009-04-0{}", 1 + day))))
        .flatten()
        .collect();
    pool.extend(names("conficker-c", "2009-04-03").into_iter().step_by(100));
    let listed = pool.len() as u64;
    for place in 0..500 {
        let name = pool[place * 3].clone();
        pool.extend([format!("x{name}"), format!("{name}.example"), name[1..].to_owned(), format!("www.{name}")]);
    }
    let mut packets = vec![];
    for _ in 0..60_000 {
        let near = rng.below(2) == 0;
        let name = &pool[if near { listed + rng.below(pool.len() as u64 - listed) } else { rng.below(listed) } as usize];
        let client = if rng.below(3) == 0 {
            at(&format!("2001:db8::{:x}", rng.below(300)), 7_000)
        } else {
            at(&format!("10.0.0.{}", rng.below(250)), 7_000)
        };
        let resolver = at(if client.is_ipv4() { "192.0.2.53" } else { "2001:db8::53" }, 53);
        let name: String = name.chars().map(|c| if rng.below(2) == 0 { c.to_ascii_uppercase() } else { c }).collect();
        let id = rng.next() as u16;
        let packet = if rng.below(2) == 0 {
            udp(client, resolver, &query(id, &name, 1))
        } else {
            udp(resolver, client, &nxdomain(id, &name, 28))
        };
        let tags: &[(u16, u16)] = [&[][..], &[(0x8100, 5)], &[(0x88A8, 5), (0x8100, 6)]][rng.below(3) as usize];
        packets.push((START + DAY + rng.below(3 * DAY) / 1_000 * 1_000, ethernet(tags, &packet)));
    }
    let folder = TempDir::new().unwrap();
    let whole = file(&folder, "whole.pcap", &USUAL.file(&packets));
    let report = replay(&[], &[&whole], 0);
    let expected = naive(&packets, &["conficker-a", "conficker-b", "conficker-c"]);
    assert!(expected.len() > 1_000, "{}", expected.len());
    assert_eq!(rows(&report), expected);

    // The same in three files of a directory, in one of pcapng, and through standard input.
    let parts = TempDir::new().unwrap();
    for (place, part) in packets.chunks(25_000).enumerate() {
        file(&parts, &format!("{place}.pcap"), &USUAL.file(part));
    }
    let directory = parts.path().to_str().unwrap().to_owned();
    file(&parts, "README", b"not a capture, and passed over");
    let split = replay(&[], &[&directory], 0);
    assert_eq!(split["captures"].as_array().unwrap().len(), 3);
    // In another order: from which lookup on those of an infected source are kept is a matter of order, and so may its hosts be,
    // and what the report carries of its traces.
    let without_hosts = |report: &Value| {
        let mut sources = report["sources"].clone();
        for row in sources.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|member, _| !["hosts", "refused", "evidence"].contains(&&**member));
        }
        sources
    };
    assert_eq!(without_hosts(&split), without_hosts(&report));
    let section = packets
        .iter()
        .fold(Section::new(true).interface(1, 0, &[]), |section, (time, octets)| section.packet(0, time / 1_000, octets));
    let blocks = section.finish();
    let next_generation = replay(&[], &[&file(&folder, "whole.pcapng", &blocks)], 0);
    assert_eq!(next_generation["sources"], report["sources"]);
    let (piped, _) = printed(&dgawatch_with(&["replay", "--format", "json", "-"], &blocks), 0);
    let piped: Value = serde_json::from_str(&piped).unwrap();
    assert_eq!(piped["sources"], report["sources"]);

    // With room for some sources only, the strongest evidence is kept, whoever reads; what was given up is told.
    let few = replay(&["--max-sources", "100"], &[&whole], 0);
    assert!((99..=100).contains(&few["sources"].as_array().unwrap().len()));
    let kept = rows(&few);
    // A source that made room and came back begins anew.
    let part_of = |row: &(u64, u64, BTreeSet<String>), whole: &(u64, u64, BTreeSet<String>)| {
        row.0 <= whole.0 && row.1 <= whole.1 && row.2.is_subset(&whole.2)
    };
    assert!(kept.iter().all(|(key, row)| part_of(row, &expected[key])));
    let hits = |rows: &Rows| rows.values().map(|row| row.0 + row.1).sum::<u64>();
    assert_eq!(few["matches_not_kept"].as_u64(), Some(hits(&expected) - hits(&kept)));
    let infected = few["sources"].as_array().unwrap().iter().filter(|row| row["verdict"] == "infected").count();
    assert!(infected >= 90, "{infected}");
}

/// Packets that carry captures, as those of somebody who sends one away, whose records look like the file's own: none of them is
/// taken for one, whoever reads them from wherever.
#[test]
fn captures_within_packets() {
    let client = at("192.0.2.7", 4_000);
    let asked = |client: SocketAddr, name: &str| ethernet(&[], &udp(client, at("192.0.2.53", 53), &query(1, name, 1)));
    let (own, others) = (names("conficker-b", "2009-04-01"), names("conficker-b", "2009-06-01"));
    let mut packets = vec![];
    for place in 0..3_000_u64 {
        let inside: Vec<_> = (0..12).map(|name| (START + 61 * DAY, asked(client, &others[name]))).collect();
        let carried = &USUAL.file(&inside)[24 + place as usize % 16..];
        packets.push((START + DAY + place * 1_000, ethernet(&[], &udp(client, at("192.0.2.99", 9_999), carried))));
        if place.is_multiple_of(7) {
            let client = at(&format!("10.0.0.{}", place % 50), 7_000);
            packets.push((START + DAY + place * 1_000, asked(client, &own[place as usize % 250])));
        }
    }
    let folder = TempDir::new().unwrap();
    let octets = USUAL.file(&packets);
    assert!(octets.len() > 5 << 19, "{}", octets.len());
    let report = replay(&["--family", "conficker-b"], &[&file(&folder, "carriers.pcap", &octets)], 0);
    assert_eq!(rows(&report), naive(&packets, &["conficker-b"]));
    assert_eq!(report["lists"].as_array().unwrap().len(), 3, "those of the packets' day and of the days beside it");
    // Cut within the last.
    let cut = file(&folder, "cut.pcap", &octets[..octets.len() - 50]);
    let report = replay(&["--family", "conficker-b"], &[&cut], 1);
    let expected = format!("is cut: it ends inside the record at octet {}", octets.len() - 16 - packets.last().unwrap().1.len());
    let error = report["captures"][0]["error"].as_str().unwrap();
    assert!(error.starts_with(&expected), "{error}");
}

/// Days are opened and closed as a capture goes through years, forwards and back.
#[test]
fn years_of_packets() {
    let mut packets = vec![];
    let client = at("192.0.2.7", 4_000);
    for step in 0..120_u64 {
        // A month apart, the second half backwards.
        let month = if step < 60 { step } else { 119 - step };
        let time = START + month * 30 * DAY + 3_600 * SECOND;
        let day = dgawatch::day::Timestamp::from_nanos(time).day();
        for shift in -2..=2 {
            let list = names("conficker-b", &day.plus(shift).to_string());
            packets.push((time, ethernet(&[], &udp(client, at("192.0.2.53", 53), &query(1, &list[step as usize], 1)))));
        }
    }
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "years.pcap", &USUAL.file(&packets));
    let families = &["--family", "conficker-b,conficker-a"];
    let report = replay(families, &[&path], 0);
    assert_eq!(rows(&report), naive(&packets, &["conficker-a", "conficker-b"]));
    assert_eq!(report["sources"].as_array().unwrap().len(), 180);
    assert_eq!(report["lists"].as_array().unwrap().len(), 60 * 3 * 2);
    // Without skew only the packet's own day counts, with more its neighbours' do.
    for (skew, count) in [("0", 60), ("2", 300)] {
        assert_eq!(replay(&[&families[..], &["--skew", skew]].concat(), &[&path], 0)["sources"].as_array().unwrap().len(), count);
    }
}

#[test]
fn a_list_of_ones_own() {
    let folder = TempDir::new().unwrap();
    let list =
        file(&folder, "list", b"always.example\r\nmonday.example,2009-03-30,2009-03-30 # over\nwednesday.example,2009-04-01\n");
    let client = at("192.0.2.7", 4_000);
    let mut packets = vec![];
    for name in ["ALWAYS.example", "monday.example", "wednesday.example", "www.always.example", "praat.org"] {
        for day in 0..2 {
            packets.push((START + day * DAY, ethernet(&[], &udp(client, at("192.0.2.53", 53), &query(1, name, 1)))));
        }
    }
    let path = file(&folder, "list.pcap", &USUAL.file(&packets));
    let own = format!("own={list}");
    let report = replay(&["--family", "conficker-b", "--list", &own], &[&path], 0);
    let got: Vec<String> =
        rows(&report).iter().map(|((_, family, day), row)| format!("{family} {day} {} {:?}", row.0, row.2)).collect();
    let expected = [
        r#"conficker-b 2009-03-31 2 {"praat.org"}"#,
        r#"own 2009-03-31 1 {"always.example"}"#,
        r#"own 2009-04-01 2 {"always.example", "wednesday.example"}"#,
    ];
    assert_eq!(got, expected);
    assert_eq!(report["families"][0]["suspect"], 1, "a visitor of a name that honest people own");
}

/// What can be read of a bad file counts, and the good files beside it count too.
#[test]
fn good_files_beside_bad_ones() {
    let folder = TempDir::new().unwrap();
    let garbage = file(&folder, "garbage", &Rng(5).octets(500));
    let empty = file(&folder, "empty", b"");
    let packed = file(&folder, "packed.bz2", b"BZh91AY&SY");
    let odd = file(&folder, "odd.pcap", &support::captures::Pcap { link: 147, ..USUAL }.file(&[(START, vec![0; 60])]));
    let paths =
        [&*odd, &garbage, "pcaps/loopback.pcap", &empty, "/nowhere/at.all", &packed, "pcaps/cut.pcap", "pcaps/damaged.pcap"];
    let report = replay(&[], &paths, 1);
    let errors: Vec<Option<&str>> =
        report["captures"].as_array().unwrap().iter().map(|capture| capture["error"].as_str()).collect();
    let expected = [
        Some("holds packets of link type 147"),
        Some("is not a capture"),
        None,
        Some("is empty"),
        Some("cannot be read: No such file"),
        Some("is compressed: unpack it first, or pipe it in with `bzip2 -dc"),
        Some("is cut: it ends inside the record at octet 19930"),
        Some("is damaged at octet 20019: a packet claims 2147483647 octets"),
    ];
    for (got, expected) in errors.iter().zip(expected) {
        match (got, expected) {
            (Some(got), Some(expected)) => assert!(got.starts_with(expected), "{got}"),
            (got, expected) => assert_eq!(*got, expected),
        }
    }
    assert_eq!(report["packets"]["outcomes"]["unknown_link"], 1);
    assert_eq!(report["families"][1]["infected"], 3);
    let output = dgawatch(&[&["replay"], &paths[..]].concat());
    let (_, errors) = printed(&output, 1);
    assert_eq!(errors.lines().count(), 7, "{errors}");
    assert!(errors.lines().all(|line| line.starts_with("dgawatch: ")), "{errors}");
}

/// False verdicts are reckoned for the clients that there are; more sources than that count themselves.
#[test]
fn clients_of_the_network() {
    let verdicts = |clients: &[&str]| {
        let report = replay(&[clients, &["--family", "conficker-b"]].concat(), &["pcaps/subscribers.pcap"], 0);
        let sources = report["sources"].as_array().unwrap().iter().filter(|row| row["list_day"] == "2009-03-31").count();
        let list = report["lists"].as_array().unwrap().iter().find(|list| list["list_day"] == "2009-03-31").unwrap().clone();
        let of = |member: &str| list["verdicts"][member].as_f64().unwrap();
        (of("clients"), of("names_needed"), of("expected_false"), sources as f64)
    };
    let (clients, needed, expected, sources) = verdicts(&[]);
    assert_eq!((clients, needed), (1e6, 3.0));
    let (many, needed, more, _) = verdicts(&["--clients", "50000000"]);
    assert_eq!((many, needed), (5e7, 3.0));
    assert!((more / expected - 50.0).abs() < 1e-6, "{more} {expected}");
    let (one, _, fewer, _) = verdicts(&["--clients", "1"]);
    assert!(one == sources && sources > 1.0, "{one} {sources}");
    assert!((expected / fewer * sources / 1e6 - 1.0).abs() < 1e-6, "{fewer} {expected}");
    let (_, errors) = printed(&dgawatch(&["replay", "--clients", "0", "pcaps/subscribers.pcap"]), 2);
    assert!(errors.contains("--clients"), "{errors}");
}
