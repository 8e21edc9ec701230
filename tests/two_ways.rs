//! The quick ways through a packet against the thorough one: where they know an answer, it is the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use dgawatch::decode::{Config, Decoder};
use dgawatch::source::{LinkType, Record};
use support::Rng;
use support::packets::{at, ethernet, fragments, message, query, tcp, udp, wire};

/// Of each kind that the quick ways read, and of some that they leave.
fn frames() -> Vec<Vec<u8>> {
    let (client, server) = (at("192.0.2.7", 5_000), at("192.0.2.53", 53));
    let (client6, server6) = (at("2001:db8::7", 5_000), at("2001:db8::53", 53));
    let question = query(7, "praat.org", 1);
    let prefixed: Vec<u8> = (question.len() as u16).to_be_bytes().into_iter().chain(question.clone()).collect();
    let packets = [
        udp(client, server, &question),
        udp(server6, client6, &message(7, 0x8180, &wire("Praat.ORG"), 28)),
        udp(client, at("192.0.2.1", 4_000), b"no DNS at all"),
        udp(client, at("192.0.2.1", 4_000), b"short"),
        udp(client, server, &[0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        udp(client6, at("2001:db8::1", 853), &[0xC0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8]),
        tcp(client6, at("2001:db8::1", 853), 1, 2, b""),
        udp(client, at("192.0.2.1", 4_789), &[8, 0, 0, 0, 0, 0, 1, 0]),
        tcp(client, server, 1, 2, b""),
        tcp(client, server, 2, 24, &prefixed),
        tcp(client6, server6, 2, 25, &prefixed),
        tcp(client, server, 40, 16, b""),
        tcp(client, at("192.0.2.1", 443), 2, 24, b"hello"),
        fragments(&udp(client, server, &[question, vec![0; 2_000]].concat()), 9, &[800])[0].clone(),
    ];
    let tags: [&[(u16, u16)]; 3] = [&[], &[(0x8100, 10)], &[(0x88A8, 20), (0x8100, 10)]];
    packets.iter().flat_map(|packet| tags.map(|tags| ethernet(tags, packet))).collect()
}

#[test]
fn quick_and_thorough_agree() {
    let mut decoder = Decoder::new(Config::new(&[], &[]));
    let mut rng = Rng(7);
    let (mut quick_ones, mut segments) = (0, 0);
    for frame in frames() {
        for change in 0..3_000_u64 {
            let mut data = frame.clone();
            // As it is, cut, and with octets changed.
            for _ in 0..change % 4 {
                let place = rng.below(data.len() as u64) as usize;
                data[place] = rng.next() as u8;
            }
            if change % 5 == 4 {
                data.truncate(rng.below(data.len() as u64 + 1) as usize);
            }
            let record = || Record { time: Default::default(), link: LinkType::ETHERNET, data: &data };
            let quick = decoder.quick(record()).map(|reading| format!("{reading:?}"));
            let segment = decoder.segment(record()).map(|reading| format!("{reading:?}"));
            let thorough = format!("{:?}", decoder.thorough(record()));
            let read = format!("{:?}", decoder.read(record()));
            quick_ones += u32::from(quick.is_some());
            segments += u32::from(segment.is_some());
            for other in quick.into_iter().chain(segment).chain([read]) {
                assert_eq!(other, thorough, "{data:02x?}");
            }
        }
    }
    assert!(quick_ones > 20_000 && segments > 10_000, "{quick_ones} and {segments} were read quickly");
}
