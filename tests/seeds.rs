//! The seeds of the fuzz targets `state` and `folder`, which are state files and Parquet files of this version: they would get no
//! further than the version with others. `DGAWATCH_UPDATE=1 cargo test --test seeds` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{env, fs};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::{Reply, Told, Transport};
use dgawatch::dga::Catalog;
use dgawatch::ledger::{Answer, CLIENTS, Context, Hit, Ledger, Masking, Rule, Sighting, Sinkholes};
use dgawatch::watchlist::{Match, Patterns};

mod support;

/// A query of a source for a name of B's list.
fn query(source: IpAddr, index: u32, second: u64) -> Hit {
    Hit {
        source,
        time: Timestamp::from_parts(1_238_493_600 + second, 0),
        response: false,
        port: 4_000 + index as u16,
        transport: Transport::Udp,
        id: index as u16,
        recursive: true,
        server: None,
        lifetime: None,
        told: None,
        matched: Match { family: 1, list_day: Day::of(2009, 3, 31), index, collision: false },
    }
}

/// The response to it.
fn response(query: Hit) -> Hit {
    let server = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)));
    Hit { response: true, server, lifetime: Some(900), told: Some(Told::Missing), ..query }
}

#[test]
fn state_files_of_this_version() {
    let mut catalog = Catalog::default();
    for id in ["conficker-a", "conficker-b"] {
        catalog.add(id).unwrap();
    }
    let (mut patterns, masking) = (Patterns::default(), Masking::default());
    patterns.add_indicators(&catalog);
    let context = Context { catalog: &catalog, patterns: &patterns, masking: &masking, clients: CLIENTS };
    let ledger = || {
        let mut ledger = Ledger::new(1_000);
        ledger.judge_by(Rule::of_all(&catalog), true);
        ledger
    };
    let (bot, other) = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 7)));

    let empty = ledger();
    // One infected, with more names than stay in place, a trace, rounds and lifetimes; one suspect; and who answered.
    let mut sources = ledger();
    for round in 0..3 {
        for index in (0..40).map(|index| index * 4) {
            let query = query(bot, index, round * 11_010 + u64::from(index));
            sources.add(&query);
            sources.add(&response(query));
        }
    }
    sources.add(&query(other, 9, 5));
    let pattern = patterns.ids().min().unwrap();
    sources.note(&Sighting { source: bot, time: query(bot, 0, 7).time, response: false, pattern });
    sources.note_recent(query(bot, 0, 40_000).time);
    // Names that lead somewhere, told to both, asked for or not; and so many at one address that it is learned.
    let mut leads = ledger();
    for index in 0..12 {
        let query = query(if index % 3 > 0 { bot } else { other }, index, index.into());
        leads.add(&query);
        leads.add(&Hit { told: Some(Told::Addresses), ..response(query) });
        let Hit { source, port, transport, time, matched, .. } = query;
        let addresses = vec![Ipv4Addr::new(198, 51, 100, if index < 9 { 66 } else { index as u8 }).into()];
        let reply = Reply { addresses, left_out: 0, lifetime: 60, servers: vec!["ns1.example".to_owned()] };
        leads.answer(&Answer { source, port, transport, time, matched, reply }, index % 2 > 0, &Sinkholes::default());
    }
    assert!(leads.learned().len() == 1 && leads.live_names().count() == 11, "{}", leads.live_names().count());

    for (name, ledger) in [("empty", empty), ("two-sources", sources), ("rendezvous", leads)] {
        let mut octets = vec![];
        context.write(&ledger, &mut octets).unwrap();
        assert!(context.read(&octets, 1_000).unwrap().left_out.is_empty());
        seed(&format!("state/{name}"), &octets);
    }
}

/// Writes a seed anew where that is asked for, and holds it to what it should be.
#[track_caller]
fn seed(name: &str, octets: &[u8]) {
    let path = support::root().join("fuzz/corpus").join(name);
    if env::var_os("DGAWATCH_UPDATE").is_some() {
        fs::write(&path, octets).unwrap();
    }
    assert!(fs::read(&path).unwrap() == octets, "{name} is of another version: DGAWATCH_UPDATE=1 writes it anew");
}

/// The files of a folder one after the other: lists, servers, evidence. A file that is not there is left out.
#[cfg(feature = "parquet")]
#[test]
fn parquet_files_of_this_version() {
    use dgawatch::export::parquet::{EvidenceRow, ListRow, ParquetFolder, ServerRow};
    use dgawatch::ledger::{Role, Verdict};

    let row = |number: u32| EvidenceRow {
        sensor: "north".to_owned(),
        family: "conficker-b".to_owned(),
        list_day: Day::of(2009, 3, 31),
        source: Ipv4Addr::from_bits(0xC000_0200 + number).into(),
        network: (number > 1).then(|| "AS64496".to_owned()),
        matches: number.into(),
        responses: 1,
        names: (0..number).collect(),
        collisions: vec![],
        first_seen: Timestamp::from_parts(1_238_493_600, 0),
        last_seen: Timestamp::from_parts(1_238_493_600 + u64::from(number), 0),
        port: 4_000,
        transport: Transport::Udp,
        recursive: 1,
        iterative: 0,
        most: number,
        answers_others: false,
        server: Some(Ipv4Addr::new(192, 0, 2, 53).into()),
        lookups: vec![],
        starts: vec![],
        lifetimes: vec![],
        lookups_lost: None,
        latest_lookup: None,
        role: Role::Client,
        verdict: if number > 2 { Verdict::Infected } else { Verdict::Suspect },
        names_needed: 3,
        names_needed_of_crowd: 10,
        set_aside: 0,
        reader: false,
        hosts: Ok((1.0, 1.0, Some(1.0), "clients".to_owned())),
        capture_loss: Some(0.0),
    };
    let list = ListRow {
        sensor: "north".to_owned(),
        family: "conficker-b".to_owned(),
        list_day: Day::of(2009, 3, 31),
        names: 250,
        names_needed: 3,
        names_needed_of_crowd: 10,
        background: 0.0,
        measured: true,
        habit: None,
        habit_names: None,
        habit_pace: None,
        masking: None,
    };
    for (name, rows) in [("one", 1..2), ("several", 1..12)] {
        let place = tempfile::tempdir().unwrap();
        let from = Timestamp::from_parts(1_238_457_600, 0);
        let folder = ParquetFolder::new(place.path(), "north", from, None);
        folder.write_evidence("conficker-b", list.list_day, rows.map(row)).unwrap();
        folder.write_list(&list).unwrap();
        let server = ServerRow { sensor: "north".to_owned(), server: Ipv4Addr::new(192, 0, 2, 53).into() };
        folder.write_servers(std::iter::once(server)).unwrap();
        let file = "list_day=2009-03-31/family=conficker-b/north-20090331T000000Z.parquet";
        let files = [format!("lists/{file}"), "servers/north-20090331T000000Z.parquet".to_owned(), format!("evidence/{file}")];
        let octets: Vec<u8> = files.iter().flat_map(|file| fs::read(place.path().join(file)).unwrap()).collect();
        seed(&format!("folder/{name}"), &octets);
    }
}
