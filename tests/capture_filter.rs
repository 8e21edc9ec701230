//! The kernel passes all that may hold DNS, and little else: the expression, compiled by libpcap, asked about frames.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use dgawatch::decode::{Config, PORTS, Tunnel};
use pcap::{BpfProgram, Capture, Linktype};
use proptest::prelude::*;
use support::layers::{FOUND, FOUND_V6, encapsulations, frame, inner, inner_v6, nested};
use support::packets::{at, ethernet, fragments, query, tcp, udp};

fn program(link: i32, more: &[u16]) -> BpfProgram {
    let expression = Config::new(more, &[]).capture_filter();
    Capture::dead(Linktype(link)).unwrap().compile(&expression, true).unwrap_or_else(|error| panic!("{link}: {error}"))
}

/// As the kernel sees a frame: without the outermost tag.
fn untagged(frame: &[u8]) -> Option<Vec<u8>> {
    matches!(frame[12..14], [0x81, 0] | [0x88, 0xA8]).then(|| [&frame[..12], &frame[16..]].concat())
}

#[test]
fn every_encapsulation_passes() {
    let program = program(1, &[]);
    for (what, frame, found) in encapsulations() {
        if found != FOUND && found != FOUND_V6 && found != "203.0.113.1 203.0.113.2 praat.org" {
            continue;
        }
        assert!(program.filter(&frame), "{what}");
        let mut bare = frame;
        while let Some(next) = untagged(&bare) {
            bare = next;
            assert!(program.filter(&bare), "{what}, untagged");
        }
        // Whatever it is, it may be in a customer's tag and a provider's, of which the kernel takes one off.
        assert!(program.filter(&[&bare[..12], &[0x81, 0, 0, 5], &bare[12..]].concat()), "{what}, tagged");
    }
}

#[test]
fn ports_and_pieces() {
    let program = program(1, &[5300]);
    let (v4, v6) = (at("192.0.2.7", 4_000), at("2001:db8::7", 4_000));
    let message = query(1, &format!("{}.com", "long.label.".repeat(20)), 1);
    for port in PORTS.into_iter().chain([5300]) {
        for (client, server) in [(v4, at("192.0.2.53", port)), (v6, at("2001:db8::53", port))] {
            for (source, destination) in [(client, server), (server, client)] {
                let packet = udp(source, destination, &message);
                assert!(program.filter(&ethernet(&[], &packet)), "udp {port}");
                assert!(program.filter(&ethernet(&[], &tcp(source, destination, 1, 0x18, &message))), "tcp {port}");
                for (place, part) in fragments(&packet, 9, &[64, 128]).iter().enumerate() {
                    assert!(program.filter(&ethernet(&[], part)), "fragment {place} of {port}");
                }
            }
        }
    }
    // Encrypted DNS is passed to be counted.
    for (server, passes) in [(853, [true, true]), (784, [true, false]), (8_853, [true, false]), (443, [false, false])] {
        let server = at("2001:db8::53", server);
        assert_eq!(program.filter(&ethernet(&[], &udp(server, v6, &[0x40; 60]))), passes[0], "udp {server}");
        assert_eq!(program.filter(&ethernet(&[], &tcp(v6, server, 1, 0x18, &[0; 60]))), passes[1], "tcp {server}");
    }
    // With options behind the header.
    let mut optional = udp(v4, at("192.0.2.53", 53), &message);
    optional[0] = 0x46;
    optional.splice(20..20, [1, 1, 1, 0]);
    assert!(program.filter(&ethernet(&[], &optional)));
}

#[test]
fn the_rest_of_the_link_stays_out() {
    let program = program(1, &[]);
    let icmp = [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2][..], &[8, 0, 0, 0, 0, 0, 0, 0]].concat();
    for (what, frame) in [
        ("a web page", ethernet(&[], &tcp(at("192.0.2.1", 443), at("192.0.2.2", 50_000), 1, 0x18, &[0; 900]))),
        ("a web page over IPv6", ethernet(&[], &tcp(at("2001:db8::1", 443), at("2001:db8::2", 50_000), 1, 0x18, &[0; 900]))),
        ("QUIC", ethernet(&[], &udp(at("192.0.2.1", 443), at("192.0.2.2", 50_000), &[0x40; 900]))),
        ("a ping", ethernet(&[], &icmp)),
        ("ARP", frame(0x0806, &[0; 46])),
        ("nothing", vec![]),
    ] {
        assert!(!program.filter(&frame), "{what}");
    }
    // A tunnel's port counts for UDP alone.
    assert!(!program.filter(&ethernet(&[], &tcp(at("192.0.2.1", 4789), at("192.0.2.2", 50_000), 1, 0x18, &[0; 90]))));
}

/// What an interface can be, besides Ethernet: SLL, PPP, IP, 802.11, HDLC.
#[test]
fn other_links() {
    let (v4, v6) = (inner(), inner_v6());
    assert!(program(12, &[]).filter(&v4) && program(12, &[]).filter(&v6));
    assert!(program(113, &[]).filter(&[&[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], &v4[..]].concat()));
    assert!(program(276, &[]).filter(&[&[0x86, 0xDD][..], &[0; 18], &v6].concat()));
    assert!(program(9, &[]).filter(&[&[0xFF, 3, 0, 0x21], &v4[..]].concat()));
    for link in [0, 50, 104, 105, 127] {
        program(link, &[]);
    }
    // In the kernel's words it is short: it runs for every packet.
    assert!(program(1, &[]).get_instructions().len() <= 100);
}

proptest! {
    /// In any order, eight deep.
    #[test]
    fn in_each_other(ways in proptest::collection::vec(any::<u8>(), 0..=8), v6 in any::<bool>(), tags in 0..3_usize) {
        let program = program(1, &[]);
        let packet = ways.iter().fold(if v6 { inner_v6() } else { inner() }, |packet, way| nested(*way, &packet));
        let frame = ethernet(&[(0x88A8, 7), (0x8100, 9)][..tags], &packet);
        prop_assert!(program.filter(&frame));
        if let Some(bare) = untagged(&frame) {
            prop_assert!(program.filter(&bare));
        }
    }
}

/// A closed tunnel's packets still come, to be counted as such.
#[test]
fn closed_tunnels_are_seen() {
    assert_eq!(Config::new(&[], &Tunnel::ALL).capture_filter(), Config::new(&[], &[]).capture_filter());
}
