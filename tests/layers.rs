//! Every layer that a network may put around a packet, alone and in each other: the message inside is found, with the
//! addresses of the innermost packet.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use dgawatch::day::Timestamp;
use dgawatch::decode::{Config, Decoder, Outcome, Reading, Tunnel};
use dgawatch::source::{LinkType, Record};
use proptest::prelude::*;
use support::layers::*;
use support::packets::ethernet;

/// What a packet says, for comparison.
fn read(link: u32, data: &[u8], closed: &[Tunnel]) -> String {
    let mut decoder = Decoder::new(Config::new(&[], closed));
    match decoder.read(Record { time: Timestamp::from_parts(1, 2), link: LinkType(link), data }) {
        Reading::Message(message) => {
            let name = message.question.map_or_else(String::new, |question| question.name.to_string());
            format!("{} {} {name}", message.source(), message.destination())
        }
        reading => reading.outcome().label().to_owned(),
    }
}

#[test]
fn link_types() {
    let (v4, v6) = (inner(), inner_v6());
    let nflog = [&[2, 0, 0, 0][..], &[8, 0, 1, 0, 8, 0, 1, 0], &[5, 0, 10, 0, b'x', 0, 0, 0], &[0, 0, 9, 0], &v4].concat();
    let length = (4 + v4.len()) as u16;
    let nflog = [&nflog[..20], &length.to_le_bytes(), &nflog[22..]].concat();
    let wlan = |control: [u8; 2], more: &[u8]| [&control[..], &[0; 22], more, &snap(&inner())].concat();
    let radiotap = join(&[0, 0, 16, 0, 0x2E, 0x40, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0], &wlan([8, 1], &[]));
    // Flags behind two words of fields and a time stamp: the 802.11 header is padded from 26 to 28 octets.
    let padded = [&[0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0][..], &[0; 8], &[0x20], &wlan([0x88, 1], &[0, 0, 0, 0])];
    let rows: Vec<(u32, Vec<u8>, &str)> = vec![
        (0, join(&[2, 0, 0, 0], &v4), FOUND),
        (0, join(&[0, 0, 0, 30], &v6), FOUND_V6),
        (1, ethernet(&[], &v4), FOUND),
        (6, [&[0x10, 0x40, 1, 1, 1, 1, 1, 1, 0x82, 2, 2, 2, 2, 2, 6, 0, 1, 1, 1, 2][..], &snap(&v4)].concat(), FOUND),
        (7, join(&[1, 2, 212, 0, 0, 1], &v4), FOUND),
        (7, join(&[1, 2, 240], &v4), FOUND),
        (7, join(&[1, 2, 212, 1, 0, 1], &v4), "encapsulated"),
        (9, join(&[0xFF, 3], &ppp(&v4)), FOUND),
        (9, ppp(&v6), FOUND_V6),
        (9, join(&[0x21], &v4), FOUND),
        (9, join(&[0x0F, 0, 8, 0], &v4), FOUND),
        (9, vec![0xC0, 0x21, 1, 1], "not_ip"),
        (10, join(&[0x50, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2], &snap(&v4)), FOUND),
        (12, v4.clone(), FOUND),
        (14, v6.clone(), FOUND_V6),
        (50, join(&[0xFF, 3], &ppp(&v4)), FOUND),
        (51, pppoe(&ppp(&v4))[14..].to_vec(), FOUND),
        (100, snap(&v6), FOUND_V6),
        (101, v4.clone(), FOUND),
        (101, v6.clone(), FOUND_V6),
        (101, vec![0x15, 0], "not_ip"),
        (104, join(&[0x0F, 0, 0x86, 0xDD], &v6), FOUND_V6),
        (105, wlan([8, 1], &[]), FOUND),
        (105, wlan([8, 3], &[0; 6]), FOUND),
        (105, wlan([0x88, 1], &[0, 0]), FOUND),
        (105, wlan([0x88, 0x81], &[0; 6]), FOUND),
        (105, wlan([0x88, 1], &join(&[0x80, 0], &[0; 14])), FOUND),
        (105, wlan([8, 0x41], &[]), "encapsulated"),
        (105, wlan([0x48, 1], &[]), "not_ip"),
        (105, wlan([0x80, 0], &[]), "not_ip"),
        (107, join(&[0x18, 0x41, 3, 0xCC], &v4), FOUND),
        (107, [&[0x18, 0x41, 3, 0][..], &[0x80, 0, 0, 0, 8, 0], &v4].concat(), FOUND),
        (107, join(&[0x18, 0x41, 8, 0], &v4), FOUND),
        (108, join(&[0, 0, 0, 24], &v6), FOUND_V6),
        (109, join(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &v4), FOUND),
        (113, join(&[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], &v4), FOUND),
        (113, join(&[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4], &snap(&v4)), FOUND),
        (113, join(&[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0], &[&[0, 7, 8, 0][..], &v4].concat()), FOUND),
        (113, join(&[0, 0, 3, 35, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &radiotap), FOUND),
        (117, [&[61, 2][..], &[0; 62], &v4].concat(), FOUND),
        (119, [&[0; 144][..], &wlan([8, 1], &[])].concat(), FOUND),
        (122, join(&[0; 16], &snap(&v4)), FOUND),
        (123, join(&[2, 0, 0, 1], &snap(&v4)), FOUND),
        (127, radiotap, FOUND),
        (127, padded.concat(), FOUND),
        (129, join(&[1, 2, 0, 0, 212, 0, 0, 1], &v4), FOUND),
        (163, [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56], &wlan([8, 1], &[])].concat(), FOUND),
        (166, join(&[1, 3], &ppp(&v4)), FOUND),
        (192, [&[0, 0, 8, 0, 105, 0, 0, 0][..], &wlan([8, 1], &[])].concat(), FOUND),
        (192, vec![0, 0, 8, 0, 192, 0, 0, 0, 0, 0, 8, 0, 192, 0, 0, 0], "not_ip"),
        (204, join(&[0, 0xFF, 3], &ppp(&v4)), FOUND),
        (205, join(&[0, 0x0F, 0, 8, 0], &v4), FOUND),
        (206, join(&[0, 0x18, 0x41, 3, 0xCC], &v4), FOUND),
        (219, join(&[0, 1, 0xF1, 64], &v4), FOUND),
        (228, v4.clone(), FOUND),
        (229, v6.clone(), FOUND_V6),
        (239, nflog, FOUND),
        (240, join(&[0; 4], &ethernet(&[], &v4)), FOUND),
        (241, join(&[0; 12], &ethernet(&[], &v4)), FOUND),
        (274, join(&[0; 8], &ethernet(&[], &v4)), FOUND),
        (276, [&[8, 0][..], &[0; 18], &v4].concat(), FOUND),
        (147, v4, "unknown_link"),
    ];
    for (link, data, expected) in &rows {
        assert_eq!(read(*link, data, &[]), *expected, "link type {link}");
        // However it is cut, it is read without a panic, and a name is never another.
        for length in 0..data.len() {
            let cut = read(*link, &data[..length], &[]);
            assert!(!cut.contains(' ') || cut == *expected || cut.ends_with(' '), "link type {link}, {length} octets: {cut}");
        }
        assert_eq!(Decoder::reads(LinkType(*link)), *expected != "unknown_link");
    }
}

/// Each alone, from the outermost packet of an Ethernet frame.
#[test]
fn each_alone() {
    let rows = encapsulations();
    for (what, data, expected) in &rows {
        assert_eq!(read(1, data, &[]), *expected, "{what}");
        for length in 0..data.len() {
            let cut = read(1, &data[..length], &[]);
            assert!(!cut.contains(' ') || cut == *expected || cut.ends_with(' '), "{what}, {length} octets: {cut}");
        }
    }
}

/// Each tunnel can be left closed, and others stay open.
#[test]
fn closed_tunnels() {
    let v4 = inner();
    let rows = [
        (Tunnel::Vxlan, ethernet(&[], &outer_udp(4789, &join(&[8, 0, 0, 0, 0, 0, 9, 0], &ethernet(&[], &v4))))),
        (Tunnel::Gre, ethernet(&[], &outer(47, gre(0, IPV4, &[], &v4)))),
        (Tunnel::Erspan, ethernet(&[], &outer(47, gre(0, 0x88BE, &[], &ethernet(&[], &v4))))),
        (Tunnel::IpInIp, ethernet(&[], &outer(4, v4.clone()))),
        (Tunnel::Mpls, frame(0x8847, &join(&[0, 1, 0xF1, 64], &v4))),
        (Tunnel::Pppoe, pppoe(&ppp(&v4))),
    ];
    for (tunnel, data) in &rows {
        for closed in Tunnel::ALL {
            let expected = if closed == *tunnel { "encapsulated" } else { FOUND };
            assert_eq!(read(1, data, &[closed]), expected, "{} with {} closed", tunnel.label(), closed.label());
        }
    }
}

proptest! {
    /// In any order, eight deep and no deeper.
    #[test]
    fn in_each_other(ways in proptest::collection::vec(any::<u8>(), 0..12), v6 in any::<bool>()) {
        let mut packet = if v6 { inner_v6() } else { inner() };
        for way in &ways {
            packet = nested(*way, &packet);
        }
        let expected = match (ways.len(), v6) {
            (0..=8, false) => FOUND,
            (0..=8, true) => FOUND_V6,
            _ => Outcome::Encapsulated.label(),
        };
        prop_assert_eq!(read(1, &ethernet(&[], &packet), &[]), expected);
    }

    /// Anything behind any header has one outcome.
    #[test]
    fn noise(link in 0_u32..300, start in proptest::collection::vec(any::<u8>(), 0..300), kind in any::<u16>()) {
        read(link, &start, &[]);
        read(1, &frame(kind, &start), &[]);
        for (protocol, port) in [(4, 1701), (41, 2152), (47, 3544), (51, 4754), (97, 4789), (115, 4790), (137, 6081), (60, 6635)] {
            read(1, &ethernet(&[], &outer_v6(protocol, start.clone())), &[]);
            read(1, &ethernet(&[], &outer_udp(port, &start)), &[]);
        }
    }
}
