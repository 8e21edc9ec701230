//! A sensor with much to show, for pages and screens.

use dgawatch::day::{Day, Timestamp};
use dgawatch::export::Snapshot;
use dgawatch::export::http::SourceRow;
use dgawatch::export::snapshot::{FamilyCounts, Hour, Interface, OpenList, Overview, TopSource};
use dgawatch::ledger::Verdict;

use super::sensor::snapshot;

const NOW: u64 = 1_238_547_840;

/// A sensor that has been at work for thirty hours.
pub fn busy() -> Snapshot {
    let list = |family: &str, day, names| OpenList { family: family.to_owned(), list_day: Day::of(2009, 4, day), names };
    let family = |family: &str, matches, suspect, infected| FamilyCounts {
        family: family.to_owned(),
        matches,
        responses: matches - matches / 50,
        suspect,
        infected,
        ..FamilyCounts::default()
    };
    let hour = |n: u64| Hour {
        start: Timestamp::from_parts(NOW / 3_600 * 3_600 - n * 3_600, 0),
        packets: 9_000_000,
        matches: 900 + 37 * (n * n % 23) + if n % 24 < 9 { 1_400 } else { 0 },
        infected: 9 + n * 7 % 5 + if n % 24 < 9 { 8 } else { 0 },
    };
    let source = |n: u64| TopSource {
        source: if n % 5 == 3 { format!("2001:db8:7:{n:x}::b") } else { format!("192.0.2.{}", 20 + n) }.parse().unwrap(),
        verdict: if n < 17 { Verdict::Infected } else { Verdict::Suspect },
        families: if n == 2 {
            vec!["conficker-b".to_owned(), "conficker-a".to_owned()]
        } else {
            vec![format!("conficker-{}", ["b", "a", "c"][n as usize % 3])]
        },
        names: if n < 17 { 500 - 13 * n } else { 25 - n.min(23) },
        matches: if n < 17 { 1_250 - 41 * n } else { 4 },
        responses: if n < 17 { 1_230 - 41 * n } else { 4 },
        first_seen: Timestamp::from_parts(NOW - 90_000 + n * 777, 0),
        last_seen: Timestamp::from_parts(NOW - 11 - n * n * 97, 0),
    };
    Snapshot {
        started: Timestamp::from_parts(NOW - 108_000, 0),
        taken: Timestamp::from_parts(NOW, 0),
        interfaces: vec![Interface {
            name: "span0".to_owned(),
            packets: 268_113_402,
            dropped_by_kernel: 1_204,
            last_packet: Some(Timestamp::from_parts(NOW, 0)),
            ..Interface::default()
        }],
        lists: (31..=33)
            .flat_map(|day| {
                [("conficker-a", 250), ("conficker-b", 250), ("conficker-c", 50_000)].map(|(family, names)| (family, day, names))
            })
            .map(|(family, day, names)| list(family, day - 30, names))
            .collect(),
        list_bytes: 1_620_000,
        families: vec![
            family("conficker-a", 11_204, 0, 6),
            family("conficker-b", 48_530, 5, 9),
            family("conficker-c", 2_977, 1, 2),
        ],
        overview: Overview {
            infected_now: 12,
            infected_today: 15,
            infected: 17,
            suspect: 6,
            packet_rate: Some(2_481.7),
            hours: (0..30).rev().map(hour).collect(),
            top: (0..23).map(source).collect(),
        },
        ..snapshot()
    }
}

/// What it has on one of its sources.
pub fn evidence() -> Vec<SourceRow> {
    let row = |day, count: u64| SourceRow {
        source: "192.0.2.20".to_owned(),
        family: "conficker-b".to_owned(),
        list_day: Day::of(2009, 4, day),
        matches: 2 * count,
        responses: 2 * count,
        distinct_names: count,
        first_seen: Timestamp::from_parts(NOW - 7_200, 0),
        last_seen: Timestamp::from_parts(NOW - 40, 0),
        verdict: if count > 2 { Verdict::Infected } else { Verdict::Suspect },
        names: (0..count).map(|n| format!("{}q{n}ab.example", ["xw", "pl", "zt"][n as usize % 3])).collect(),
    };
    vec![row(1, 250), row(2, 2)]
}
