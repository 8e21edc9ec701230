//! Every layer that a network may put around a packet, alone and in each other: the message inside is found, with the
//! addresses of the innermost packet.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use dgawatch::day::Timestamp;
use dgawatch::decode::{Config, Decoder, Outcome, Reading, Tunnel};
use dgawatch::source::{LinkType, Record};
use proptest::prelude::*;
use support::packets::{at, ethernet, ip, query, udp};

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

const FOUND: &str = "192.0.2.7 198.51.100.53 praat.org";
const FOUND_V6: &str = "2001:db8:1::7 2001:db8::53 praat.org";

fn inner() -> Vec<u8> {
    udp(at("192.0.2.7", 5_000), at("198.51.100.53", 53), &query(1, "praat.org", 1))
}

fn inner_v6() -> Vec<u8> {
    udp(at("2001:db8:1::7", 5_000), at("2001:db8::53", 53), &query(1, "praat.org", 1))
}

/// An outer packet.
fn outer(protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    ip("203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap(), protocol, payload)
}

fn outer_v6(protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    ip("2001:db8:ffff::1".parse().unwrap(), "2001:db8:ffff::2".parse().unwrap(), protocol, payload)
}

fn outer_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    udp(at("203.0.113.1", 49_152), at("203.0.113.2", port), payload)
}

fn frame(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), payload].concat()
}

fn join(header: &[u8], payload: &[u8]) -> Vec<u8> {
    [header, payload].concat()
}

const IPV4: u16 = 0x0800;

fn kind_of(packet: &[u8]) -> u16 {
    if packet[0] >> 4 == 4 { IPV4 } else { 0x86DD }
}

/// PPP in the long form of its protocol.
fn ppp(packet: &[u8]) -> Vec<u8> {
    join(&[0, if packet[0] >> 4 == 4 { 0x21 } else { 0x57 }], packet)
}

fn snap(packet: &[u8]) -> Vec<u8> {
    [&[0xAA, 0xAA, 3, 0, 0, 0][..], &kind_of(packet).to_be_bytes(), packet].concat()
}

fn length_frame(llc: &[u8]) -> Vec<u8> {
    // Padded, as short frames are.
    join(&frame(llc.len() as u16, llc), &[0; 9])
}

fn gre(flags: u16, kind: u16, fields: &[u8], payload: &[u8]) -> Vec<u8> {
    [&flags.to_be_bytes()[..], &kind.to_be_bytes(), fields, payload].concat()
}

/// GTP-U of version 1: a user's packet.
fn gtp(flags: u8, optional: &[u8], packet: &[u8]) -> Vec<u8> {
    let length = ((optional.len() + packet.len()) as u16).to_be_bytes();
    [&[0x30 | flags, 255, length[0], length[1], 0, 0, 0, 9][..], optional, packet].concat()
}

fn pppoe(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    frame(0x8864, &join(&[0x11, 0, 0, 7, length[0], length[1]], payload))
}

fn authenticated(next: u8, payload: &[u8]) -> Vec<u8> {
    // Four words and two, less two.
    join(&[next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9], payload)
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
fn encapsulations() {
    let (v4, v6) = (inner(), inner_v6());
    let inside = ethernet(&[(0x8100, 5)], &v4);
    let tags: Vec<(u16, u16)> = (0..20).map(|id| ([0x8100, 0x88A8, 0x9100, 0x9200][id % 4], id as u16)).collect();
    let label = [0, 1, 0xF0, 64];
    let bottom = [0, 1, 0xF1, 64];
    let plain = |packet: Vec<u8>| ethernet(&[], &packet);
    let erspan3 = |kind: u16, optional: &[u8]| {
        let word = kind << 10 | u16::from(!optional.is_empty());
        [&[0x20, 1, 0, 1, 0, 0, 0, 9, 0, 0][..], &word.to_be_bytes(), optional].concat()
    };
    let l2tp = |flags: u16, fields: &[u8]| [&flags.to_be_bytes()[..], fields, &[0, 1, 0, 2]].concat();
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("twenty VLAN tags", ethernet(&tags, &v4), FOUND),
        ("SNAP", length_frame(&snap(&v4)), FOUND),
        ("SNAP in a VLAN", frame(0x8100, &[&[0, 5][..], &length_frame(&snap(&v6))[12..]].concat()), FOUND_V6),
        ("LLC with an IP service access point", length_frame(&join(&[6, 6, 3], &v4)), FOUND),
        ("LLC of OSI", length_frame(&join(&[0xFE, 0xFE, 3, 0x8E], &v6)), FOUND_V6),
        ("spanning tree", length_frame(&[0x42, 0x42, 3, 0, 0, 0, 0]), "not_ip"),
        ("Ethernet to a receiver like it", [&[1, 0, 0x0C, 0, 0, 0][..], &plain(v4.clone())[6..]].concat(), FOUND),
        (
            "inter-switch link",
            join(&[1, 0, 0x0C, 0, 0, 0], &[&[0; 8][..], &[0xAA, 0xAA, 3], &[0; 9], &plain(v4.clone())].concat()),
            FOUND,
        ),
        ("PPPoE", pppoe(&ppp(&v4)), FOUND),
        ("PPPoE of IPv6, padded", join(&pppoe(&ppp(&v6)), &[0; 7]), FOUND_V6),
        ("PPPoE discovery", frame(0x8863, &[0x11, 9, 0, 0, 0, 0]), "not_ip"),
        ("PPP in Ethernet", frame(0x880B, &ppp(&v4)), FOUND),
        ("multilink", frame(0x880B, &join(&[0, 0x3D, 0xC0, 0, 0, 1], &ppp(&v4))), FOUND),
        ("a part of multilink", frame(0x880B, &join(&[0, 0x3D, 0x80, 0, 0, 1], &ppp(&v4))), "encapsulated"),
        ("MPLS", frame(0x8847, &[&label[..], &label, &bottom, &v4].concat()), FOUND),
        ("MPLS multicast", frame(0x8848, &join(&bottom, &v6)), FOUND_V6),
        ("MPLS pseudowire with a control word", frame(0x8847, &[&bottom[..], &[0; 4], &inside].concat()), FOUND),
        ("MPLS pseudowire", frame(0x8847, &[&bottom[..], &inside].concat()), FOUND),
        ("MPLS pseudowire to 45:00", frame(0x8847, &[&bottom[..], &[0x45], &inside[1..]].concat()), FOUND),
        ("MACsec", frame(0x88E5, &[&[0, 0, 0, 0, 0, 1][..], &[8, 0], &v4, &[0; 16]].concat()), FOUND),
        ("MACsec with a channel", frame(0x88E5, &[&[0x20, 0][..], &[0; 12], &[8, 0], &v4].concat()), FOUND),
        ("MACsec, encrypted", frame(0x88E5, &[&[0x2C, 0][..], &[0; 12], &[8, 0], &v4].concat()), "encapsulated"),
        ("backbone bridge", frame(0x88E7, &join(&[0, 0, 0, 9], &inside)), FOUND),
        ("NSH", frame(0x894F, &join(&[0, 6, 1, 3, 0, 0, 1, 255], &[&[0; 16][..], &inside].concat())), FOUND),
        ("4 in 4", plain(outer(4, v4.clone())), FOUND),
        ("6 in 4", plain(outer(41, v6.clone())), FOUND_V6),
        ("4 in 6", plain(outer_v6(4, v4.clone())), FOUND),
        ("6 in 6", plain(outer_v6(41, v6.clone())), FOUND_V6),
        ("destination options", plain(outer_v6(60, join(&[4, 0, 1, 4, 0, 0, 0, 0], &v4))), FOUND),
        ("GRE", plain(outer(47, gre(0, IPV4, &[], &v4))), FOUND),
        (
            "GRE with all fields",
            plain(outer(47, gre(0xF000, IPV4, &join(&[0; 12], &[8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0]), &v4))),
            FOUND,
        ),
        ("GRE with a key", plain(outer_v6(47, gre(0x2000, 0x86DD, &[0; 4], &v6))), FOUND_V6),
        ("transparent Ethernet", plain(outer(47, gre(0, 0x6558, &[], &inside))), FOUND),
        ("MPLS in GRE", plain(outer(47, gre(0, 0x8847, &[], &join(&bottom, &v4)))), FOUND),
        ("PPTP", plain(outer(47, gre(0x3081, 0x880B, &[0; 12], &join(&[0xFF, 3], &ppp(&v4))))), FOUND),
        ("WCCP", plain(outer(47, gre(0, 0x883E, &[0; 4], &v4))), FOUND),
        ("GRE of version 2", plain(outer(47, gre(2, IPV4, &[], &v4))), "malformed"),
        ("ERSPAN I", plain(outer(47, gre(0, 0x88BE, &[], &inside))), FOUND),
        ("ERSPAN II", plain(outer(47, gre(0x1000, 0x88BE, &[0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0], &inside))), FOUND),
        ("ERSPAN III", plain(outer(47, gre(0x1000, 0x22EB, &join(&[0; 4], &erspan3(0, &[])), &inside))), FOUND),
        ("ERSPAN III, with more", plain(outer(47, gre(0x1000, 0x22EB, &join(&[0; 4], &erspan3(0, &[0; 8])), &inside))), FOUND),
        ("ERSPAN III of IP", plain(outer(47, gre(0x1000, 0x22EB, &join(&[0; 4], &erspan3(2, &[])), &v4))), FOUND),
        ("EtherIP", plain(outer(97, join(&[0x30, 0], &inside))), FOUND),
        ("MPLS in IP", plain(outer(137, join(&bottom, &v4))), FOUND),
        ("AH", plain(outer(51, authenticated(17, &v4[20..]))), "203.0.113.1 203.0.113.2 praat.org"),
        ("AH around a tunnel", plain(outer_v6(51, authenticated(4, &v4))), FOUND),
        ("ESP", plain(outer(50, v4.clone())), "not_dns"),
        ("VXLAN", plain(outer_udp(4789, &join(&[8, 0, 0, 0, 0, 0, 9, 0], &inside))), FOUND),
        ("VXLAN on the port before", plain(outer_udp(8472, &join(&[8, 0, 0, 0, 0, 0, 9, 0], &inside))), FOUND),
        ("VXLAN without its flag", plain(outer_udp(4789, &join(&[0, 0, 0, 0, 0, 0, 9, 0], &inside))), "not_dns"),
        ("VXLAN of nonsense", plain(outer_udp(4789, &[8; 60])), "not_dns"),
        ("VXLAN-GPE", plain(outer_udp(4790, &join(&[0x0C, 0, 0, 2, 0, 0, 9, 0], &v6))), FOUND_V6),
        ("VXLAN-GPE of Ethernet", plain(outer_udp(4790, &join(&[0x0C, 0, 0, 3, 0, 0, 9, 0], &inside))), FOUND),
        (
            "VXLAN-GPE of NSH",
            plain(outer_udp(4790, &[&[0x0C, 0, 0, 4, 0, 0, 9, 0][..], &[0, 2, 2, 1, 0, 0, 1, 255], &v4].concat())),
            FOUND,
        ),
        ("Geneve", plain(outer_udp(6081, &[&[1, 0, 0x65, 0x58, 0, 0, 9, 0][..], &[0; 4], &inside].concat())), FOUND),
        ("Geneve of IP", plain(outer_udp(6081, &join(&[0, 0, 8, 0, 0, 0, 9, 0], &v4))), FOUND),
        ("GTP-U", plain(outer_udp(2152, &gtp(0, &[], &v4))), FOUND),
        ("GTP-U with a sequence number", plain(outer_udp(2152, &gtp(2, &[0, 1, 0, 0], &v6))), FOUND_V6),
        (
            "GTP-U with extensions",
            plain(outer_udp(2152, &gtp(4, &[0, 0, 0, 0x85, 1, 0, 1, 0x40, 2, 0, 0, 0, 0, 0, 0, 0], &v4))),
            FOUND,
        ),
        ("GTP-U echo", plain(outer_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0])), "not_dns"),
        ("L2TP", plain(outer_udp(1701, &join(&l2tp(0x0002, &[]), &join(&[0xFF, 3], &ppp(&v4))))), FOUND),
        (
            "L2TP with all fields",
            plain(outer_udp(1701, &[&[0x4A, 2, 0, 99, 0, 1, 0, 2, 0, 1, 0, 0, 0, 2, 7, 7][..], &ppp(&v4)].concat())),
            FOUND,
        ),
        ("L2TP control", plain(outer_udp(1701, &join(&l2tp(0xC802, &[0, 20]), &[0; 8]))), "not_dns"),
        ("L2TPv3", plain(outer(115, join(&[0, 0, 0, 9], &inside))), FOUND),
        (
            "L2TPv3 with cookie and sublayer",
            plain(outer(115, [&[0, 0, 0, 9][..], &[7; 8], &[0x40, 0, 0, 1], &inside].concat())),
            FOUND,
        ),
        (
            "L2TPv3 of PPP over UDP",
            plain(outer_udp(1701, &[&[0, 3, 0, 0, 0, 0, 0, 9][..], &[7; 4], &[0xFF, 3], &ppp(&v4)].concat())),
            FOUND,
        ),
        ("L2TPv3 control", plain(outer(115, join(&[0, 0, 0, 0], &inside))), "not_dns"),
        ("GRE in UDP", plain(outer_udp(4754, &gre(0, IPV4, &[], &v4))), FOUND),
        ("MPLS in UDP", plain(outer_udp(6635, &join(&bottom, &v4))), FOUND),
        ("Teredo", plain(outer_udp(3544, &v6)), FOUND_V6),
        (
            "Teredo with all headers",
            plain(outer_udp(3544, &[&[0, 1, 2, 1, 9, 9, 9][..], &[0; 9], &[0, 0, 1, 2, 3, 4, 5, 6], &v6].concat())),
            FOUND_V6,
        ),
        ("ICMP error", plain(outer(1, [&[3, 3, 0, 0, 0, 0, 0, 0][..], &v4].concat())), "not_dns"),
        ("ICMPv6 error", plain(outer_v6(58, [&[1, 4, 0, 0, 0, 0, 0, 0][..], &v6].concat())), "not_dns"),
        ("ICMP error in a tunnel", plain(outer(4, outer(1, [&[3, 3, 0, 0, 0, 0, 0, 0][..], &v4].concat()))), "not_dns"),
        // The client's port is a tunnel's.
        (
            "DNS from a tunnel's port",
            plain(udp(at("192.0.2.7", 4789), at("198.51.100.53", 53), &query(1, "praat.org", 1))),
            FOUND,
        ),
    ];
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

/// What a packet may be put into, to become an Ethernet frame again.
fn nested(way: u8, packet: &[u8]) -> Vec<u8> {
    let kind = kind_of(packet);
    let inside = ethernet(&[(0x8100, u16::from(way))], packet);
    match way % 14 {
        0 => outer(if kind == IPV4 { 4 } else { 41 }, packet.to_vec()),
        1 => outer_v6(if kind == IPV4 { 4 } else { 41 }, packet.to_vec()),
        2 => outer(47, gre(0x3000, kind, &[0; 8], packet)),
        3 => outer_v6(47, gre(0, 0x6558, &[], &inside)),
        4 => outer(47, gre(0x1000, 0x88BE, &[0; 12], &inside)),
        5 => outer_udp(4789, &join(&[8, 0, 0, 0, 0, 0, 9, 0], &inside)),
        6 => outer_udp(6081, &[&[1, 0][..], &kind.to_be_bytes(), &[0; 8], packet].concat()),
        7 => outer_udp(2152, &gtp(2, &[0, 0, 0, 0], packet)),
        8 => outer(115, join(&[0, 0, 0, 9, 1, 2, 3, 4], &inside)),
        9 => outer_udp(1701, &join(&[0, 2, 0, 1, 0, 2], &ppp(packet))),
        10 => outer(137, join(&[0, 1, 0xF1, 64], packet)),
        11 => outer(97, join(&[0x30, 0], &pppoe(&ppp(packet)))),
        12 => outer_v6(51, authenticated(if kind == IPV4 { 4 } else { 41 }, packet)),
        _ => outer_udp(4754, &gre(0, 0x8847, &[], &[&[0, 1, 0xF1, 64, 0, 0, 0, 0][..], &length_frame(&snap(packet))].concat())),
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
