//! From an IP header to the payload of a UDP datagram on a DNS port.
//!
//! Sources: RFC 791 (IPv4), RFC 8200 (IPv6 and its extension headers), RFC 2675 (payload length 0), RFC 768 (UDP).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, UdpHeaderSlice};

use super::Outcome;
use super::link::Packet;

/// Extension headers that may follow each other: each kind once, destination options twice (RFC 8200 §4.1), and some to spare.
const MAX_EXTENSIONS: usize = 16;

/// A UDP datagram on a DNS port.
pub(super) struct Datagram<'a> {
    pub(super) addresses: Addresses<'a>,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    /// What was captured of it.
    pub(super) payload: &'a [u8],
}

/// Source and destination as they stand in the packet: most packets end before anyone asks for them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addresses<'a> {
    V4(&'a [u8; 8]),
    V6(&'a [u8; 32]),
}

impl Addresses<'_> {
    pub(super) fn source(self) -> IpAddr {
        match self {
            Self::V4(&[a, b, c, d, ..]) => Ipv4Addr::new(a, b, c, d).into(),
            Self::V6(octets) => Ipv6Addr::from(*octets.first_chunk::<16>().expect("32 octets begin with 16")).into(),
        }
    }

    pub(super) fn destination(self) -> IpAddr {
        match self {
            Self::V4(&[.., a, b, c, d]) => Ipv4Addr::new(a, b, c, d).into(),
            Self::V6(octets) => Ipv6Addr::from(*octets.last_chunk::<16>().expect("32 octets end with 16")).into(),
        }
    }
}

/// Reads a packet, down to the UDP payload if it has a port among `ports`.
#[inline]
pub(super) fn datagram<'a>(packet: Packet<'a>, ports: &[u16]) -> Result<Datagram<'a>, Outcome> {
    match packet {
        Packet::V4(data) => v4(data, ports),
        Packet::V6(data) => v6(data, ports),
    }
}

#[inline]
fn v4<'a>(data: &'a [u8], ports: &[u16]) -> Result<Datagram<'a>, Outcome> {
    let header = Ipv4HeaderSlice::from_slice(data).map_err(|error| match error {
        etherparse::err::ipv4::HeaderSliceError::Len(_) => Outcome::Short,
        etherparse::err::ipv4::HeaderSliceError::Content(_) => Outcome::Malformed,
    })?;
    let start = header.slice().len();
    let payload = match usize::from(header.total_len()) {
        // Segmentation offload: the length was left to the network card.
        0 => &data[start..],
        length if length < start => return Err(Outcome::Malformed),
        length => &data[start..length.min(data.len())],
    };
    if header.is_fragmenting_payload() {
        return Err(Outcome::Fragment);
    }
    let addresses = header.slice()[12..].first_chunk().ok_or(Outcome::Short)?;
    transport(header.protocol(), payload, ports, Addresses::V4(addresses))
}

#[inline]
fn v6<'a>(data: &'a [u8], ports: &[u16]) -> Result<Datagram<'a>, Outcome> {
    let header = Ipv6HeaderSlice::from_slice(data).map_err(|error| match error {
        etherparse::err::ipv6::HeaderSliceError::Len(_) => Outcome::Short,
        etherparse::err::ipv6::HeaderSliceError::Content(_) => Outcome::Malformed,
    })?;
    let rest = &data[header.slice().len()..];
    // 0 stands for a jumbogram or for segmentation offload.
    let payload = match usize::from(header.payload_length()) {
        0 => rest,
        length => &rest[..length.min(rest.len())],
    };
    let addresses = Addresses::V6(header.slice()[8..].first_chunk().ok_or(Outcome::Short)?);
    match header.next_header() {
        IpNumber::UDP => transport(IpNumber::UDP, payload, ports, addresses),
        next => {
            let (next, payload) = extensions(next, payload)?;
            transport(next, payload, ports, addresses)
        }
    }
}

/// Skips extension headers: what follows them, and its kind.
fn extensions(mut next: IpNumber, mut data: &[u8]) -> Result<(IpNumber, &[u8]), Outcome> {
    for _ in 0..MAX_EXTENSIONS {
        match next {
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6 => {
                let header = Ipv6RawExtHeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
                (next, data) = (header.next_header(), &data[header.slice().len()..]);
            }
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let header = Ipv6FragmentHeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
                // A fragment that is the whole datagram is none (RFC 6946).
                if header.is_fragmenting_payload() {
                    return Err(Outcome::Fragment);
                }
                (next, data) = (header.next_header(), &data[header.slice().len()..]);
            }
            _ => return Ok((next, data)),
        }
    }
    Err(Outcome::Malformed)
}

#[inline]
fn transport<'a>(protocol: IpNumber, data: &'a [u8], ports: &[u16], addresses: Addresses<'a>) -> Result<Datagram<'a>, Outcome> {
    let dns = |source: u16, destination: u16| ports.iter().any(|port| *port == source || *port == destination);
    match protocol {
        IpNumber::UDP => {
            let header = UdpHeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
            let (source_port, destination_port) = (header.source_port(), header.destination_port());
            if !dns(source_port, destination_port) {
                return Err(if [source_port, destination_port].iter().any(is_tunnel) {
                    Outcome::Encapsulated
                } else {
                    Outcome::NotDns
                });
            }
            let start = header.slice().len();
            let payload = match usize::from(header.length()) {
                // Segmentation offload again, or a jumbogram.
                0 => &data[start..],
                length if length < start => return Err(Outcome::Malformed),
                length => &data[start..length.min(data.len())],
            };
            Ok(Datagram { addresses, source_port, destination_port, payload })
        }
        IpNumber::TCP => match data {
            [a, b, c, d, ..] if dns(u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])) => Err(Outcome::DnsTcp),
            [_, _, _, _, ..] => Err(Outcome::NotDns),
            _ => Err(Outcome::Short),
        },
        IpNumber::IPV4
        | IpNumber::IPV6
        | IpNumber::GRE
        | IpNumber::AUTHENTICATION_HEADER
        | IpNumber::ETHER_IP
        | IpNumber::LAYER2_TUNNELING_PROTOCOL
        | IpNumber::MPLS_IN_IP => Err(Outcome::Encapsulated),
        _ => Err(Outcome::NotDns),
    }
}

/// The UDP ports of GTP-U, L2TP, Teredo, GRE-in-UDP, VXLAN, VXLAN-GPE and Geneve (IANA service name registry).
const fn is_tunnel(port: &u16) -> bool {
    matches!(*port, 2152 | 1701 | 3544 | 4754 | 4789 | 4790 | 6081)
}
