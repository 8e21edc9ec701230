//! Layers that a network may put around a packet.

use super::packets::{at, ethernet, ip, query, udp};

pub const FOUND: &str = "192.0.2.7 198.51.100.53 praat.org";
pub const FOUND_V6: &str = "2001:db8:1::7 2001:db8::53 praat.org";

pub fn inner() -> Vec<u8> {
    udp(at("192.0.2.7", 5_000), at("198.51.100.53", 53), &query(1, "praat.org", 1))
}

pub fn inner_v6() -> Vec<u8> {
    udp(at("2001:db8:1::7", 5_000), at("2001:db8::53", 53), &query(1, "praat.org", 1))
}

/// An outer packet.
pub fn outer(protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    ip("203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap(), protocol, payload)
}

pub fn outer_v6(protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    ip("2001:db8:ffff::1".parse().unwrap(), "2001:db8:ffff::2".parse().unwrap(), protocol, payload)
}

pub fn outer_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    udp(at("203.0.113.1", 49_152), at("203.0.113.2", port), payload)
}

pub fn frame(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), payload].concat()
}

pub fn join(header: &[u8], payload: &[u8]) -> Vec<u8> {
    [header, payload].concat()
}

pub const IPV4: u16 = 0x0800;

pub fn kind_of(packet: &[u8]) -> u16 {
    if packet[0] >> 4 == 4 { IPV4 } else { 0x86DD }
}

/// PPP in the long form of its protocol.
pub fn ppp(packet: &[u8]) -> Vec<u8> {
    join(&[0, if packet[0] >> 4 == 4 { 0x21 } else { 0x57 }], packet)
}

pub fn snap(packet: &[u8]) -> Vec<u8> {
    [&[0xAA, 0xAA, 3, 0, 0, 0][..], &kind_of(packet).to_be_bytes(), packet].concat()
}

pub fn length_frame(llc: &[u8]) -> Vec<u8> {
    // Padded, as short frames are.
    join(&frame(llc.len() as u16, llc), &[0; 9])
}

pub fn gre(flags: u16, kind: u16, fields: &[u8], payload: &[u8]) -> Vec<u8> {
    [&flags.to_be_bytes()[..], &kind.to_be_bytes(), fields, payload].concat()
}

/// GTP-U of version 1: a user's packet.
pub fn gtp(flags: u8, optional: &[u8], packet: &[u8]) -> Vec<u8> {
    let length = ((optional.len() + packet.len()) as u16).to_be_bytes();
    [&[0x30 | flags, 255, length[0], length[1], 0, 0, 0, 9][..], optional, packet].concat()
}

pub fn pppoe(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    frame(0x8864, &join(&[0x11, 0, 0, 7, length[0], length[1]], payload))
}

pub fn authenticated(next: u8, payload: &[u8]) -> Vec<u8> {
    // Four words and two, less two.
    join(&[next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9], payload)
}

/// Each alone, from the outermost packet of an Ethernet frame: what it is called, the frame, what is read in it.
pub fn encapsulations() -> Vec<(&'static str, Vec<u8>, &'static str)> {
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
    vec![
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
    ]
}

/// What a packet may be put into, to become an Ethernet frame again.
pub fn nested(way: u8, packet: &[u8]) -> Vec<u8> {
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
