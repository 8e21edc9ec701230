//! What answers come to: kinds, alarms, the learner, bounds under flood.

use super::*;
use crate::decode::{Reply, Told};
use crate::ledger::{Hit, Ledger};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The source of this number is told at this second that a name of family 0 leads to these addresses.
fn answer(source: u32, index: u32, second: u64, addresses: &[&str]) -> Answer {
    Answer {
        source: IpAddr::V4(source.into()),
        port: 1_000 + second as u16,
        transport: Transport::Udp,
        time: Timestamp::from_parts(second, 0),
        matched: Match { family: 0, list_day: Day::EPOCH, index, collision: index == 9 },
        reply: Reply {
            addresses: addresses.iter().map(|text| address(text)).collect(),
            left_out: 0,
            lifetime: 300 - second as u32 % 300,
            servers: vec![format!("ns{}.example", second % 3)],
        },
    }
}

/// The hit that goes with it.
fn hit(answer: &Answer) -> Hit {
    let Answer { source, port, transport, time, matched, .. } = *answer;
    let (response, id, recursive, server, lifetime, told) = (true, 0, true, None, None, Some(Told::Addresses));
    Hit { source, time, response, port, transport, id, recursive, server, lifetime, told, matched }
}

fn table() -> Sinkholes {
    Sinkholes::parse(b"203.0.113.0/25,sinkhole\n203.0.113.128/25,parking\n").unwrap()
}

#[test]
fn the_worst_address_decides() {
    let mut ledger = Ledger::new(10);
    for (index, addresses, expected) in [
        (1, &["203.0.113.1"][..], AnswerKind::Sinkhole),
        (1, &["203.0.113.1", "0.0.0.0"], AnswerKind::Sinkhole),
        (1, &["127.0.0.1"], AnswerKind::Blocked),
        (1, &["203.0.113.1", "203.0.113.200"], AnswerKind::Parking),
        (2, &["203.0.113.1", "198.51.100.7"], AnswerKind::Unknown),
        (9, &["198.51.100.7"], AnswerKind::Owned),
        (3, &["2a00::7", "203.0.113.1"], AnswerKind::Unknown),
    ] {
        let (kind, revelation) = ledger.answer(&answer(1, index, 5, addresses), true, &table());
        assert_eq!(kind, expected, "{addresses:?}");
        assert_eq!(revelation.is_some(), kind == AnswerKind::Unknown, "{addresses:?}");
    }
    let names: Vec<(u32, &[IpAddr])> =
        ledger.live_names().map(|(name, rendezvous)| (name.index, rendezvous.addresses())).collect();
    assert_eq!(names, [(2, &[address("198.51.100.7")][..]), (3, &[address("2a00::7")])]);
}

#[test]
fn what_is_known_of_a_name() {
    let mut ledger = Ledger::new(10);
    let mut told = vec![];
    for (source, second, addresses) in [
        (1, 50, &["198.51.100.7"][..]),
        (1, 40, &["198.51.100.9"]),
        (2, 60, &["198.51.100.7", "198.51.100.8"]),
        (1, 70, &["198.51.100.7"]),
    ] {
        let answer = answer(source, 4, second, addresses);
        ledger.add(&hit(&answer));
        let (_, revelation) = ledger.answer(&answer, true, &table());
        told.push(revelation.map(|revelation| {
            let Revelation { name, is_new, exposed, verdict, learned, .. } = revelation;
            (name.asked, is_new, exposed.map(|(source, _)| source), verdict, learned)
        }));
    }
    let suspect = Some(Verdict::Suspect);
    let first = Some((1, true, Some(IpAddr::V4(1.into())), suspect, None));
    assert_eq!(told, [first, None, Some((2, false, Some(IpAddr::V4(2.into())), suspect, None)), None]);
    let (name, rendezvous) = ledger.live_names().next().unwrap();
    assert_eq!((name.asked, name.kind, name.set_aside), (2, AnswerKind::Unknown, false));
    let seconds = |time: Timestamp| time.parts().0;
    assert_eq!((seconds(rendezvous.first_seen), seconds(rendezvous.last_seen), rendezvous.answers), (40, 70, 4));
    assert_eq!(rendezvous.addresses(), [address("198.51.100.7"), address("198.51.100.8"), address("198.51.100.9")]);
    assert_eq!(
        (rendezvous.lifetime, rendezvous.servers()),
        (230, &["ns2.example", "ns1.example", "ns0.example"].map(str::to_owned)[..])
    );
    let exposed: Vec<(IpAddr, u64)> = rendezvous.exposed().map(|(source, exposure)| (source, exposure.answers)).collect();
    assert_eq!(exposed, [(IpAddr::V4(1.into()), 3), (IpAddr::V4(2.into()), 1)]);
}

#[test]
fn many_names_at_one_address_are_a_sinkhole_and_told_of_first() {
    let mut ledger = Ledger::new(1_000);
    // Of 2,000 names that are asked for, 20 are one in a hundred.
    for index in 0..2_000 {
        let mut hit = hit(&answer(1, index + 10, 5, &[]));
        (hit.response, hit.told) = (false, None);
        ledger.add(&hit);
    }
    let mut told = 0;
    for index in 10..60 {
        let (kind, revelation) = ledger.answer(&answer(index % 5, index, u64::from(index), &["198.51.100.7"]), true, &table());
        let learned = revelation.as_ref().and_then(|revelation| revelation.learned);
        told += usize::from(revelation.is_some_and(|revelation| revelation.is_new));
        assert_eq!(kind, if index < 30 { AnswerKind::Unknown } else { AnswerKind::Learned }, "{index}");
        assert_eq!(learned.is_some(), index == 29, "{index}");
    }
    assert_eq!(told, 20);
    // Another address in the same response is no sinkhole for that.
    assert_eq!(ledger.answer(&answer(1, 90, 99, &["198.51.100.7", "198.51.100.8"]), true, &table()).0, AnswerKind::Unknown);
    let learned = ledger.learned();
    assert_eq!((learned.len(), learned[0].names, learned[0].answers), (1, 20, 31));
    let kinds: Vec<AnswerKind> = ledger.live_names().map(|(name, _)| name.kind).collect();
    assert_eq!(kinds[..20], [AnswerKind::Learned; 20]);
    assert_eq!(kinds[20..], [AnswerKind::Unknown]);
    // It is remembered when the names are gone, and forgotten a month after it was last heard of.
    let day = |days: i32| Day::EPOCH.plus(days);
    ledger.retire(&[day(1)], day(1));
    assert_eq!((ledger.live_names().count(), ledger.learned().len()), (0, 1));
    assert_eq!(ledger.answer(&answer(1, 300, 100, &["198.51.100.7"]), true, &table()).0, AnswerKind::Learned);
    ledger.retire(&[day(40)], day(40));
    assert!(ledger.learned().is_empty());
    assert_eq!(ledger.answer(&answer(1, 300, 100, &["198.51.100.7"]), true, &table()).0, AnswerKind::Unknown);
}

#[test]
fn few_names_at_one_address_stay_an_alarm() {
    let mut ledger = Ledger::new(10);
    for index in 20..27 {
        assert_eq!(ledger.answer(&answer(1, index, 5, &["198.51.100.7"]), true, &table()).0, AnswerKind::Unknown);
        assert_eq!(ledger.answer(&answer(2, index, 5, &["198.51.100.7"]), true, &table()).0, AnswerKind::Unknown);
    }
    assert!(ledger.learned().is_empty());
    assert_eq!(ledger.live_names().filter(|(name, _)| name.kind == AnswerKind::Unknown).count(), 7);
}

/// Forged responses about every name, each to another address and another client.
#[test]
fn floods_are_bounded_and_counted() {
    let mut live = LiveNames::default();
    let popularity = Popularity::default();
    let (names, clients) = (20_000, 6);
    for n in 0..names * clients {
        let mut forged = answer(n, n % names, 5, &[]);
        forged.matched.index += 10;
        forged.matched.collision = false;
        forged.reply.addresses = (0..8).map(|place| IpAddr::V4((0xC633_0000_u32 + 8 * n + place).into())).collect();
        forged.reply.servers = (0..4).map(|place| format!("ns{n}-{place}.example")).collect();
        assert_eq!(live.take(&forged, true, &table(), &popularity, 250).0, AnswerKind::Unknown);
    }
    assert_eq!(live.kept().len(), MOST_NAMES);
    assert!(live.kept().values().all(|name| name.addresses.len() <= MOST_ADDRESSES && name.servers.len() <= MOST_SERVERS));
    let exposed: usize = live.kept().values().map(|name| name.exposed.len()).sum();
    assert_eq!((exposed, live.exposed), (MOST_EXPOSED, MOST_EXPOSED));
    let over = u64::from(names) - MOST_NAMES as u64;
    assert_eq!(live.unkept.names, over * u64::from(clients));
    assert_eq!(live.unkept.exposed, MOST_NAMES as u64 * u64::from(clients) - MOST_EXPOSED as u64);
    assert!(live.crowds.len() <= MOST_NAMES * MOST_ADDRESSES);
    // One name alone takes what is left to all, and others are still noted for a few.
    let mut live = LiveNames::default();
    for source in 0..MOST_EXPOSED as u32 + 10 {
        live.take(&answer(source, 1, 5, &["198.51.100.7"]), true, &table(), &popularity, 250);
    }
    for source in 0..9 {
        live.take(&answer(source, 2, 5, &["198.51.100.8"]), true, &table(), &popularity, 250);
    }
    let exposed: Vec<(usize, u64)> = live.kept().values().map(|name| (name.exposed.len(), name.exposed_left_out)).collect();
    assert_eq!(exposed, [(MOST_EXPOSED, 10), (ALWAYS_EXPOSED, 5)]);
    live.retire(&[Day::EPOCH.plus(1)], Day::EPOCH.plus(1));
    assert_eq!((live.kept().len(), live.exposed, live.crowds.len()), (0, 0, 0));
}

#[test]
fn another_table_takes_alarms_back() {
    let mut ledger = Ledger::new(10);
    for index in 10..18 {
        ledger.answer(&answer(1, index, 5, &["198.51.100.7"]), true, &table());
    }
    ledger.answer(&answer(1, 30, 5, &["198.51.100.7", "198.51.100.8"]), true, &table());
    ledger.answer(&answer(1, 31, 5, &["198.51.100.9"]), true, &table());
    assert_eq!((ledger.live_names().count(), ledger.learned().len()), (10, 1));
    ledger.reconsider(&Sinkholes::parse(b"198.51.100.7,sinkhole").unwrap());
    let left: Vec<(u32, &[IpAddr])> =
        ledger.live_names().map(|(name, rendezvous)| (name.index, rendezvous.addresses())).collect();
    assert_eq!(left, [(30, &[address("198.51.100.8")][..]), (31, &[address("198.51.100.9")])]);
    assert!(ledger.learned().is_empty());
}

/// Answers that nobody was seen to ask for are told of as such, and once more when one is that was.
#[test]
fn unsolicited_answers_are_told_apart() {
    let mut ledger = Ledger::new(10);
    let query = |source: u32, id: u16| {
        let mut hit = hit(&answer(source, 4, 40, &[]));
        (hit.response, hit.told, hit.id) = (false, None, id);
        hit
    };
    // Source 1 is told unasked twice, asks and is told; then source 2 unasked.
    let mut told = vec![];
    for (source, solicited) in [(1, false), (1, false), (1, true), (1, true), (2, false), (2, true)] {
        let (_, revelation) = ledger.answer(&answer(source, 4, 40, &["198.51.100.7"]), solicited, &table());
        told.push(revelation.map(|revelation| {
            (revelation.is_new, revelation.unsolicited, revelation.exposed.map(|(_, exposure)| exposure.unsolicited))
        }));
    }
    let first = [Some((true, true, Some(1))), None, Some((true, false, Some(2))), None];
    assert_eq!(told, [&first[..], &[Some((false, true, Some(1))), Some((false, false, Some(1)))]].concat());
    let (_, rendezvous) = ledger.live_names().next().unwrap();
    let counts: Vec<(u64, u64)> = rendezvous.exposed().map(|(_, exposure)| (exposure.answers, exposure.unsolicited)).collect();
    assert_eq!((rendezvous.answers, rendezvous.unsolicited, rendezvous.is_unsolicited()), (6, 3, false));
    assert_eq!(counts, [(4, 2), (2, 1)]);

    // The query of one comes after it, over another wire.
    let mut ledger = Ledger::new(10);
    let response = hit(&answer(3, 4, 40, &[]));
    let is_second = |ledger: &mut Ledger, hit: Hit| {
        let mut told = vec![];
        ledger.pair(&[hit], |_, is_second| told.push(is_second));
        told == [true]
    };
    let solicited = is_second(&mut ledger, response);
    let (_, revelation) = ledger.answer(&answer(3, 4, 40, &["198.51.100.7"]), solicited, &table());
    assert!(revelation.is_some_and(|revelation| revelation.unsolicited));
    assert!(!is_second(&mut ledger, query(3, 1)), "another id is another query");
    assert!(!is_second(&mut ledger, response) && is_second(&mut ledger, query(3, 0)) && is_second(&mut ledger, response));
    let solicit = |ledger: &mut Ledger, source| {
        let revelation = ledger.solicit(&query(source, 0));
        revelation.map(|revelation| (revelation.is_new, revelation.unsolicited, revelation.exposed.map(|(source, _)| source)))
    };
    assert_eq!(solicit(&mut ledger, 3), Some((true, false, Some(IpAddr::V4(3.into())))));
    assert_eq!((solicit(&mut ledger, 3), solicit(&mut ledger, 4)), (None, None));
    assert!(ledger.live_names().all(|(_, rendezvous)| rendezvous.unsolicited == 0 && rendezvous.answers == 1));
}
