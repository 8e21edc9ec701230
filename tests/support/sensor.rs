//! A sensor in mid-life: a snapshot in which every part says something.

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::{Counts, Kind, Messages, Outcome, Transport};
use dgawatch::export::Snapshot;
use dgawatch::export::snapshot::{
    Builds, EventLines, FamilyCounts, Interface, LiveName, NetworkSources, OpenList, Output, RecentSources, Reloads,
    SourceSeries, StreamCounts, Table, WindowCounts,
};

pub fn snapshot() -> Snapshot {
    let mut outcomes = Counts::default();
    let mut messages = Messages::default();
    for (count, outcome) in Outcome::ALL.into_iter().enumerate() {
        (0..=count).for_each(|_| outcomes.add(outcome));
    }
    messages.add(Transport::Udp, Kind::Query);
    messages.add(Transport::Tcp, Kind::Response);
    let family = "conficker-b".to_owned();
    let series = |source: &str, matches| SourceSeries { source: source.to_owned(), family: family.clone(), matches };
    Snapshot {
        version: "1.2.3".to_owned(),
        revision: "abcdef0".to_owned(),
        started: Timestamp::from_parts(1_238_493_600, 500_000_000),
        taken: Timestamp::from_parts(1_238_497_200, 0),
        interfaces: vec![Interface {
            name: "span0".to_owned(),
            packets: 120,
            dropped_by_nic: 1,
            dropped_by_kernel: 2,
            dropped_by_queue: 3,
            startup_discarded: 4,
            last_packet: Some(Timestamp::from_parts(1_238_497_199, 250_000_000)),
            connections: 3,
            connections_broken: 1,
        }],
        outcomes,
        messages,
        lists: vec![OpenList { family: family.clone(), list_day: Day::of(2009, 3, 31), names: 250 }],
        list_bytes: 16_384,
        list_builds: Builds { done: 3, failed: 0, seconds: 0.25 },
        families: vec![FamilyCounts {
            family: family.clone(),
            matches: 30,
            responses: 20,
            suspect: 2,
            infected: 1,
            hosts: Some((1, 2, Some(3))),
            hosts_refused: vec![("upstream", 1)],
            recent: RecentSources {
                windows: vec![WindowCounts { window: "24h", seen: [4, 4, 4], infected: [1, 1, 1] }],
                at_once: Some((1, 2)),
                growth: Some(1.25),
            },
            answers: vec![("nxdomain", 19), ("sinkhole", 1)],
            rendezvous: 2,
            unsolicited: 1,
            exposed: 1,
        }],
        networks: vec![NetworkSources { network: "pool north".to_owned(), family: family.clone(), suspect: 1, infected: 1 }],
        series: vec![series("192.0.2.7", 20), series("2001:db8::7", 5), series(SourceSeries::OTHER, 5)],
        rendezvous: vec![LiveName {
            family: family.clone(),
            list_day: Day::of(2009, 3, 31),
            name: "nrxkiyve.org".to_owned(),
            addresses: vec!["198.51.100.66".parse().unwrap()],
            ttl: 60,
            name_servers: vec!["ns1.example".to_owned()],
            first_seen: Timestamp::from_parts(1_238_497_000, 0),
            last_seen: Timestamp::from_parts(1_238_497_100, 0),
            answers: 2,
            unsolicited: 1,
            asked: 2,
            exposed: 2,
            infected: vec!["192.0.2.7".parse().unwrap()],
            infected_count: 1,
        }],
        answers_not_kept: (1, 2),
        table: Table { used: 3, capacity: 1_000_000, evicted: 1 },
        outputs: vec![Output {
            name: "events",
            written: 3,
            failed: 1,
            lines: Some(EventLines { told: 6, dropped: 2, waiting: 1 }),
        }],
        streams: vec![(
            "nats",
            StreamCounts {
                offered: 9,
                found: 2,
                sent: 6,
                dropped: 1,
                waiting: 4,
                failures: 3,
                spool_bytes: 2_000,
                is_connected: true,
            },
        )],
        clock_steps: 1,
        reloads: Reloads { done: 1, failed: 1 },
        ..Snapshot::default()
    }
}
