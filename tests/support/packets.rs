//! Packets, from the DNS message outwards.

use std::net::{IpAddr, SocketAddr};

/// An address and a port.
pub fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port)
}

/// A name in wire form, its letters as given.
pub fn wire(name: &str) -> Vec<u8> {
    let mut octets = vec![];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(label.len() as u8);
        octets.extend_from_slice(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// A message with one question and nothing else.
pub fn message(id: u16, flags: u16, name: &[u8], kind: u16) -> Vec<u8> {
    let mut octets = vec![];
    for number in [id, flags, 1, 0, 0, 0] {
        octets.extend(number.to_be_bytes());
    }
    octets.extend_from_slice(name);
    octets.extend(kind.to_be_bytes());
    octets.extend(1_u16.to_be_bytes());
    octets
}

/// A recursive query.
pub fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x0100, &wire(name), kind)
}

/// A response that the name does not exist.
pub fn nxdomain(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x8183, &wire(name), kind)
}

/// An IP packet with a UDP datagram.
pub fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![];
    for number in [source.port(), destination.port(), 8 + payload.len() as u16, 0] {
        datagram.extend(number.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    ip(source.ip(), destination.ip(), 17, datagram)
}

/// An IP packet; fills in the checksum of a UDP datagram.
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, mut payload: Vec<u8>) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let (addresses, mut header) = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let addresses = [source.octets(), destination.octets()].concat();
            let total = (20 + payload.len() as u16).to_be_bytes();
            let header = [&[0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0][..], &addresses].concat();
            (addresses, header)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let addresses = [source.octets(), destination.octets()].concat();
            let header = [&[0x60, 0, 0, 0, length[0], length[1], protocol, 64][..], &addresses].concat();
            (addresses, header)
        }
        _ => panic!("addresses of two versions"),
    };
    if header.len() == 20 {
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum);
    }
    if protocol == 17 && payload.len() >= 8 {
        let sum = checksum(&[&addresses, &[0, protocol], &length, &payload]);
        payload[6..8].copy_from_slice(&sum);
    }
    [header, payload].concat()
}

/// An Ethernet frame around an IP packet, with VLAN tags from the outside in.
pub fn ethernet(tags: &[(u16, u16)], packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    for (kind, id) in tags {
        frame.extend(kind.to_be_bytes());
        frame.extend(id.to_be_bytes());
    }
    let kind: u16 = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86DD };
    frame.extend(kind.to_be_bytes());
    frame.extend_from_slice(packet);
    frame
}

/// The Internet checksum (RFC 1071).
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let octets = parts.concat();
    let sum: u32 = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))).sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    (!((folded & 0xFFFF) + (folded >> 16)) as u16).to_be_bytes()
}

/// An IP packet with a TCP segment; flags as in the header's octet.
pub fn tcp(source: SocketAddr, destination: SocketAddr, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![];
    segment.extend(source.port().to_be_bytes());
    segment.extend(destination.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend([0, 0, 0, 0, 0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    ip(source.ip(), destination.ip(), 6, segment)
}

/// The fragments of an IP packet, cut at these octets of its payload, rounded to eight.
pub fn fragments(packet: &[u8], id: u32, cuts: &[usize]) -> Vec<Vec<u8>> {
    let v4 = packet[0] >> 4 == 4;
    let (header, payload) = packet.split_at(if v4 { 20 } else { 40 });
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut / 8 * 8).filter(|cut| (1..payload.len()).contains(cut)).collect();
    cuts.extend([0, payload.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    let parts = cuts.windows(2).map(|ends| {
        let (start, end) = (ends[0], ends[1]);
        let more = u16::from(end < payload.len());
        let mut header = header.to_vec();
        let part = if v4 {
            header[2..4].copy_from_slice(&(20 + (end - start) as u16).to_be_bytes());
            header[4..6].copy_from_slice(&(id as u16).to_be_bytes());
            header[6..8].copy_from_slice(&(more << 13 | (start / 8) as u16).to_be_bytes());
            payload[start..end].to_vec()
        } else {
            header[4..6].copy_from_slice(&(8 + (end - start) as u16).to_be_bytes());
            let next = std::mem::replace(&mut header[6], 44);
            let place = (start as u16 | more).to_be_bytes();
            [&[next, 0, place[0], place[1]][..], &id.to_be_bytes(), &payload[start..end]].concat()
        };
        [header, part].concat()
    });
    parts.collect()
}
