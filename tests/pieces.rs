//! Messages in fragments and over TCP, from packets to messages: what is cut in any way comes out as it was.
//!
//! The oracle is the message itself, before it was cut. `src/decode/stream` and `src/decode/fragment.rs` test the parts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::net::{IpAddr, SocketAddr};

use dgawatch::day::Timestamp;
use dgawatch::decode::{Assembler, Config, Decoder, GivenUpCounts, Outcome, Reading};
use dgawatch::source::{LinkType, Record};
use proptest::prelude::*;
use proptest::sample::Index;
use support::packets::{at, ethernet, fragments, ip, message, query, tcp, udp, wire};

/// Source, name asked for, whether it is whole; in their order.
type Found = Vec<(IpAddr, String, bool)>;

/// Reads packets, a millisecond apart; also what was given up, and the outcomes of the packets.
fn read(packets: &[Vec<u8>]) -> (Found, GivenUpCounts, Vec<Outcome>) {
    let config = Config::new(&[], &[]);
    let (mut decoder, mut assembler) = (Decoder::new(config.clone()), Assembler::new(config));
    let (mut found, mut outcomes) = (vec![], vec![]);
    let name =
        |message: &dgawatch::decode::Message<'_>| message.question.map_or_else(String::new, |question| question.name.to_string());
    for (place, data) in packets.iter().enumerate() {
        let time = Timestamp::from_nanos(1_000_000 * place as u64);
        let reading = decoder.read(Record { time, link: LinkType::ETHERNET, data });
        outcomes.push(reading.outcome());
        match reading {
            Reading::Message(message) => found.push((message.source(), name(&message), message.whole)),
            Reading::Piece(piece) => assembler.take(place as u64, &piece, &mut |_, message| {
                found.push((message.source(), name(message), message.whole));
            }),
            Reading::Nothing(_) => {}
        }
    }
    assembler.finish(&mut |_, message| found.push((message.source(), name(message), message.whole)));
    (found, assembler.given_up(), outcomes)
}

/// A message with a long answer behind the question.
fn long(id: u16, name: &str, length: usize) -> Vec<u8> {
    let mut octets = message(id, 0x8180, &wire(name), 16);
    octets.resize(octets.len().max(length), 0xAA);
    octets
}

fn ends(v6: bool, host: u8) -> (SocketAddr, SocketAddr) {
    if v6 {
        (at("2001:db8::53", 53), at(&format!("2001:db8:1::{host:x}"), 5_000))
    } else {
        (at("198.51.100.53", 53), at(&format!("192.0.2.{host}"), 5_000))
    }
}

/// Puts rows in an order that indices choose.
fn shuffled<T>(mut rows: Vec<T>, order: &[Index]) -> Vec<T> {
    for (place, index) in order.iter().enumerate().take(rows.len().saturating_sub(1)) {
        let other = place + index.index(rows.len() - place);
        rows.swap(place, other);
    }
    rows
}

fn sorted(mut found: Found) -> Found {
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Datagrams in any fragments, in any order, some twice; in a tunnel that is fragmented itself, too.
    #[test]
    fn datagrams(
        datagrams in proptest::collection::vec((30_usize..6_000, proptest::collection::vec(0_usize..6_000, 1..6), any::<bool>()), 1..8),
        order in proptest::collection::vec(any::<Index>(), 100),
        repeated in proptest::collection::vec(any::<Index>(), 0..10),
        tunnel in any::<bool>(),
        lost in proptest::option::of(any::<Index>()),
    ) {
        let mut packets = vec![];
        let mut expected = vec![];
        for (place, (length, cuts, v6)) in datagrams.iter().enumerate() {
            let (source, destination) = ends(*v6, 1 + place as u8);
            let name = format!("n{place}.example");
            let mut packet = udp(source, destination, &long(1, &name, *length));
            if tunnel {
                let gre = [&[0, 0][..], if *v6 { &[0x86, 0xDD] } else { &[8, 0] }, &packet].concat();
                packet = ip(IpAddr::from([203, 0, 113, 1]), IpAddr::from([203, 0, 113, 2]), 47, gre);
            }
            for fragment in fragments(&packet, 7 + place as u32, cuts) {
                packets.push((place, ethernet(&[], &fragment)));
            }
            expected.push((source.ip(), name, true));
        }
        if let Some(index) = lost {
            // Without one fragment its datagram is not whole, and at most its start is there.
            let (place, _) = packets.remove(index.index(packets.len()));
            let others_of_it = packets.iter().filter(|(of, _)| *of == place).count() as u64;
            let left: Vec<Vec<u8>> = shuffled(packets, &order).into_iter().map(|(_, packet)| packet).collect();
            let (found, given_up, _) = read(&left);
            let (gone, others): (Found, Found) = sorted(found).into_iter().partition(|row| !row.2);
            // The name may be cut as well.
            prop_assert!(gone.len() <= 1 && gone.iter().all(|row| row.0 == expected[place].0));
            expected.remove(place);
            prop_assert_eq!(others, sorted(expected));
            prop_assert_eq!(given_up.total(), others_of_it);
        } else {
            for index in repeated {
                let again = packets[index.index(packets.len())].clone();
                packets.push(again);
            }
            // In order, so that what is shown again comes while it is remembered.
            let packets: Vec<Vec<u8>> = shuffled(packets, &order).into_iter().map(|(_, packet)| packet).collect();
            let (found, given_up, outcomes) = read(&packets);
            prop_assert_eq!(given_up.total(), 0, "{:?}", given_up);
            let whole: Found = sorted(found.clone());
            if outcomes.iter().all(|outcome| *outcome == Outcome::Fragment) {
                prop_assert_eq!(whole, sorted(expected));
            } else {
                // One that was not cut is shown as often as its packet.
                let mut once = whole;
                once.dedup();
                prop_assert_eq!(once, sorted(expected));
            }
        }
    }

    /// Messages over TCP in any segments, in any order, some twice, in fragments or not, both directions at a time.
    #[test]
    fn streams(
        lengths in proptest::collection::vec(0_usize..3_000, 1..10),
        cuts in proptest::collection::vec(any::<Index>(), 0..20),
        order in proptest::collection::vec(any::<Index>(), 100),
        repeated in proptest::collection::vec(any::<Index>(), 0..10),
        start in any::<u32>(),
        v6 in any::<bool>(),
        fragmented in any::<bool>(),
    ) {
        let (server, client) = ends(v6, 7);
        let mut packets = vec![];
        let mut expected = vec![];
        for (source, destination) in [(client, server), (server, client)] {
            let mut stream = vec![];
            for (place, length) in lengths.iter().enumerate() {
                let name = format!("n{place}.example");
                let message = if source == client { query(1, &name, 1) } else { long(1, &name, *length) };
                stream.extend((message.len() as u16).to_be_bytes());
                stream.extend(message);
                expected.push((source.ip(), name, true));
            }
            packets.push(tcp(source, destination, start, 2, b""));
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            ends.extend([0, stream.len()]);
            ends.sort_unstable();
            ends.dedup();
            let mut segments: Vec<Vec<u8>> = ends
                .windows(2)
                .map(|ends| tcp(source, destination, start.wrapping_add(1 + ends[0] as u32), 16, &stream[ends[0]..ends[1]]))
                .collect();
            for index in &repeated {
                segments.push(segments[index.index(segments.len())].clone());
            }
            packets.extend(shuffled(segments, &order));
        }
        if fragmented {
            packets = packets.iter().enumerate().flat_map(|(id, packet)| fragments(packet, id as u32, &[48, 512])).collect();
        }
        let packets: Vec<Vec<u8>> = packets.iter().map(|packet| ethernet(&[], packet)).collect();
        let (found, given_up, _) = read(&packets);
        prop_assert_eq!(given_up.total(), 0, "{:?}", given_up);
        prop_assert_eq!(sorted(found), sorted(expected));
    }
}

/// A first fragment alone tells what was asked, and is told apart.
#[test]
fn the_first_fragment_alone() {
    let (source, destination) = ends(false, 7);
    let mut parts = fragments(&udp(source, destination, &long(1, "praat.org", 3_000)), 9, &[1_480]);
    parts.truncate(1);
    let (found, given_up, outcomes) = read(&[ethernet(&[], &parts[0])]);
    assert_eq!(found, [(source.ip(), "praat.org".to_owned(), false)]);
    assert_eq!(outcomes, [Outcome::Fragment]);
    assert_eq!(given_up.total(), 1);
}
