//! The seeds of the fuzz target `state`, which are state files of this version: it would get no further than the version
//! with others. `DGAWATCH_UPDATE=1 cargo test --test seeds` writes them anew.

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
        let path = support::root().join("fuzz/corpus/state").join(name);
        if env::var_os("DGAWATCH_UPDATE").is_some() {
            fs::write(&path, &octets).unwrap();
        }
        assert!(fs::read(&path).unwrap() == octets, "{name} is of another version: DGAWATCH_UPDATE=1 writes it anew");
    }
}
