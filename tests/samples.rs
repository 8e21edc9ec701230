//! The captures in pcaps/ are what the code here makes, and every command says of them what tests/expected holds.
//!
//! `DGAWATCH_UPDATE=1 cargo test --test samples` writes both anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use support::captures::{Packet, Pcap, Section, USUAL};
use support::packets::{at, ethernet, fragments, ip, message, nxdomain, query, tcp, udp, wire};
use support::population::Network;
use support::{dgawatch, expect, expect_file, names, printed, root};

const SECOND: u64 = 1_000_000_000;
/// 2009-03-31T12:00:00Z.
const NOON: u64 = 1_238_500_800 * SECOND;

/// All samples, whether they can be read to their end, and their contents.
fn samples() -> Vec<(&'static str, bool, Vec<u8>)> {
    let subscribers = USUAL.file(&Network::watched());
    let cut = subscribers[..20_000].to_vec();
    let mut damaged = subscribers[..30_000].to_vec();
    // The length of the packet whose record begins behind the first 20,000 octets or so.
    let record = record_after(&damaged, 20_000);
    damaged[record + 8..record + 12].copy_from_slice(&0x7FFF_FFFF_u32.to_le_bytes());
    vec![
        ("subscribers.pcap", true, subscribers),
        ("nanoseconds.pcap", true, nanoseconds()),
        ("loopback.pcap", true, loopback()),
        ("sections.pcapng", true, sections()),
        ("carried.pcap", true, carried()),
        ("hostile.pcap", true, hostile()),
        ("cut.pcap", false, cut),
        ("damaged.pcap", false, damaged),
    ]
}

#[test]
fn samples_are_ours() {
    for (name, _, octets) in samples() {
        expect(&root().join("pcaps").join(name), &octets);
    }
}

#[test]
fn reports() {
    for (name, whole, octets) in samples() {
        expect(&root().join("pcaps").join(name), &octets);
        let path = format!("pcaps/{name}");
        for (format, ending) in [("text", "txt"), ("json", "json"), ("csv", "csv")] {
            let output = dgawatch(&["replay", "--format", format, &path]);
            let (out, err) = printed(&output, i32::from(!whole));
            expect_file(&format!("{name}.{ending}"), out.as_bytes());
            assert_eq!(err.lines().count(), usize::from(!whole), "{err}");
            if format == "text" {
                let longest = out.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(longest <= 80, "{name}: a line has {longest} columns:\n{out}");
            }
        }
        let (out, _) = printed(&dgawatch(&["decode", &path]), i32::from(!whole));
        // The whole night would be a megabyte of lines that say the same.
        let lines: Vec<&str> = out.lines().take(100).collect();
        expect_file(&format!("{name}.tsv"), (lines.join("\n") + "\n").as_bytes());
    }
}

/// What the README shows is what the program says, with lines left out where it says so.
#[test]
fn the_readme_shows_a_real_screen() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (readme, report) = (read("README.md"), read("tests/expected/subscribers.pcap.txt"));
    let (_, screen) = readme.split_once("```text\n").unwrap();
    let (screen, _) = screen.split_once("```").unwrap();
    let mut lines = report.lines();
    for line in screen.lines().filter(|line| *line != "…") {
        assert!(lines.any(|said| said == line), "the program does not say `{line}`, or not there");
    }
}

/// Where the first record at or behind `from` begins.
fn record_after(file: &[u8], from: usize) -> usize {
    let mut at = 24;
    while at < from {
        at += 16 + u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    at
}

/// Four names of B, asked by one host and answered, as IP packets.
fn lookups(client: &str, resolver: &str) -> Vec<Packet> {
    let (client, resolver) = (at(client, 5_000), at(resolver, 53));
    let mut packets = vec![];
    for (place, name) in (1..).zip(&names("conficker-b", "2009-03-31")[..4]) {
        let time = NOON + place * SECOND + place;
        packets.push((time, udp(client, resolver, &query(place as u16, name, 1))));
        packets.push((time + 1_000_000, udp(resolver, client, &nxdomain(place as u16, name, 1))));
    }
    packets
}

fn nanoseconds() -> Vec<u8> {
    let cooked = |packet: &[u8]| [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0][..], packet].concat();
    let packets: Vec<Packet> =
        lookups("192.0.2.7", "198.51.100.53").iter().map(|(time, packet)| (*time, cooked(packet))).collect();
    Pcap { link: 113, nanoseconds: true, big_endian: true }.file(&packets)
}

fn loopback() -> Vec<u8> {
    let family = |packet: &[u8]| [&[30, 0, 0, 0][..], packet].concat();
    let packets: Vec<Packet> =
        lookups("2001:db8:1::7", "2001:db8:53::53").iter().map(|(time, packet)| (*time, family(packet))).collect();
    Pcap { link: 0, ..USUAL }.file(&packets)
}

/// The same lookups by seven hosts, each carried in another way: over TCP in segments, with answers in fragments, in PPPoE,
/// MPLS, GRE, VXLAN and GTP-U.
fn carried() -> Vec<u8> {
    let mut packets: Vec<Packet> = vec![];
    let (client, resolver) = (at("192.0.2.31", 5_000), at("198.51.100.53", 53));
    let mut asked = vec![];
    for (place, name) in (1..).zip(&names("conficker-b", "2009-03-31")[..4]) {
        let message = query(place, name, 1);
        asked.extend((message.len() as u16).to_be_bytes());
        asked.extend(message);
    }
    packets.push((NOON, ethernet(&[], &tcp(client, resolver, 7, 2, b""))));
    // The second segment comes last.
    let segments = [(0, 1), (1, 40), (40, 90), (90, asked.len())]
        .map(|(start, end)| tcp(client, resolver, 8 + start as u32, 24, &asked[start..end]));
    for (place, segment) in [0, 2, 3, 1].iter().enumerate() {
        packets.push((NOON + (place as u64 + 1) * SECOND, ethernet(&[], &segments[*segment])));
    }
    for (place, (time, packet)) in lookups("192.0.2.32", "198.51.100.53").iter().enumerate() {
        for fragment in fragments(packet, place as u32, &[24]) {
            packets.push((*time, ethernet(&[], &fragment)));
        }
    }
    let frame = |kind: u16, payload: &[u8]| [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), payload].concat();
    let (one, other) = (at("203.0.113.1", 49_152), |port| at("203.0.113.2", port));
    let mut carry = |client: &str, way: &dyn Fn(&[u8]) -> Vec<u8>| {
        packets.extend(lookups(client, "198.51.100.53").iter().map(|(time, packet)| (*time, way(packet))));
    };
    carry("192.0.2.33", &|packet| {
        let length = (packet.len() as u16 + 2).to_be_bytes();
        frame(0x8864, &[&[0x11, 0, 0, 7, length[0], length[1], 0, 0x21][..], packet].concat())
    });
    carry("192.0.2.34", &|packet| frame(0x8847, &[&[0, 1, 0xF0, 64, 0, 2, 0xF1, 64][..], packet].concat()));
    carry("192.0.2.35", &|packet| ethernet(&[], &ip(one.ip(), other(0).ip(), 47, [&[0, 0, 8, 0][..], packet].concat())));
    carry("192.0.2.36", &|packet| {
        let vxlan = [&[8, 0, 0, 0, 0, 0, 9, 0][..], &ethernet(&[(0x8100, 5)], packet)].concat();
        ethernet(&[], &udp(one, other(4789), &vxlan))
    });
    carry("192.0.2.37", &|packet| {
        let length = (packet.len() as u16).to_be_bytes();
        ethernet(&[], &udp(one, other(2152), &[&[0x30, 255, length[0], length[1], 0, 0, 0, 9][..], packet].concat()))
    });
    USUAL.file(&packets)
}

/// Two sections of either byte order, four link types, four resolutions of time, every kind of packet block.
fn sections() -> Vec<u8> {
    let packets = lookups("192.0.2.7", "198.51.100.53");
    let cooked = |packet: &[u8]| [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], packet].concat();
    let mut first = Section::new(false).interface(1, 0, &[]).interface(276, 0, &[(9, &[9]), (2, b"any")]).other(4, &[0; 8]);
    for (time, packet) in &packets[..3] {
        first = first.packet(0, time / 1_000, &ethernet(&[(0x9100, 7), (0x8100, 8)], packet)).packet(1, *time, &cooked(packet));
    }
    // Without a time it belongs to no day that could be listed.
    let frame = ethernet(&[], &packets[0].1);
    first = first.simple_packet(frame.len() as u32, &frame);
    let hour_before = (-3_600_i64).to_be_bytes();
    let mut second =
        Section::new(true).interface(101, 0, &[(9, &[3])]).interface(228, 0, &[(9, &[0x80 | 10]), (14, &hour_before)]);
    for (time, packet) in &packets[3..6] {
        second = second.packet(0, time / 1_000_000, packet);
    }
    for (time, packet) in &packets[6..] {
        second = second.old_packet(1, (time / SECOND + 3_600) << 10, packet);
    }
    [first.finish(), second.finish()].concat()
}

/// Messages that mean harm to parsers, terminals and spreadsheets.
fn hostile() -> Vec<u8> {
    let (client, resolver) = (at("192.0.2.66", 5_000), at("198.51.100.53", 53));
    let question = |body: &[u8]| [&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], body].concat();
    let longest = [&[&[63][..], &[b'a'; 63]].concat().repeat(3)[..], &[61], &[b'b'; 61], &[0]].concat();
    let too_long = [&[&[63][..], &[b'a'; 63]].concat().repeat(4)[..], &[0, 0, 1, 0, 1]].concat();
    let messages = [
        query(1, "=cmd|' /C calc'!A0.example.com", 1),
        message(2, 0x0100, b"\x08\x1b[2J\x07\r\n\t\x03org\0", 1),
        message(3, 0x0100, b"\x05a.b\\c\x03\xe2\x80\xae\0", 1),
        message(4, 0x0100, &longest, 1),
        question(&too_long),
        question(b"\xc0\x0c\0\x01\0\x01"),
        question(b"\xc0\x12\0\x01\0\x01\x05praat\x03org\0"),
        question(b"\xff\xff\0\x01\0\x01"),
        question(b"\x41a\0\0\x01\0\x01"),
        question(b"\x05praat\x03org\0"),
        question(b""),
        // 65,535 questions, answers, authorities, additional records, and none there.
        [&[0, 1, 1, 0][..], &[0xFF; 8]].concat(),
        // No question; every bit of the flags.
        [&[0, 2, 0xFF, 0xFF][..], &[0; 8]].concat(),
        // Types that some parsers refuse: HTTPS, a private one, ANY; class ANY, opcode UPDATE.
        message(5, 0x0100, &wire("https.example"), 65),
        message(6, 0x0100, &wire("private.example"), 65_280),
        message(7, 0x2800, &wire("update.example"), 6),
        message(8, 0x0170, &wire("z-bits.example"), 255),
        vec![0; 11],
        vec![],
    ];
    let mut packets: Vec<Packet> = vec![];
    for (place, message) in (0..).zip(&messages) {
        packets.push((NOON + place * SECOND, ethernet(&[], &udp(client, resolver, message))));
    }
    // Names of the list with letters of either case, and the times of a clock that jumps.
    for (place, name) in (0..).zip(&names("conficker-b", "2009-03-31")[..4]) {
        packets.push((NOON + (100 - place) * SECOND, ethernet(&[], &udp(client, resolver, &query(9, &name.to_uppercase(), 1)))));
    }
    packets.push((4_294_967_295 * SECOND, ethernet(&[], &udp(client, resolver, &query(10, "end.of.time.example", 1)))));
    USUAL.file(&packets)
}
