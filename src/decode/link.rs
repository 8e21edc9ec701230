//! From the start of a captured packet to its IP header: link layers and VLAN tags.
//!
//! Sources: IEEE 802.3 and 802.1Q; tcpdump.org, "Link-layer header types" (NULL, LOOP, RAW, LINUX_SLL, LINUX_SLL2).

use etherparse::{EtherType, Ethernet2HeaderSlice, LinuxSllHeaderSlice, LinuxSllProtocolType, SingleVlanHeaderSlice};

use super::Outcome;
use crate::source::LinkType;

/// Tags that may follow each other before we give up.
const MAX_TAGS: usize = 8;

/// Octets of a LINUX_SLL2 header, and where its protocol stands.
const SLL2_HEADER: usize = 20;

/// What an IP packet is said to be by the layer above it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packet<'a> {
    V4(&'a [u8]),
    V6(&'a [u8]),
}

/// Whether [`packet`] reads this link type.
pub(super) const fn known(link: LinkType) -> bool {
    matches!(
        link,
        LinkType::ETHERNET
            | LinkType::LINUX_SLL
            | LinkType::LINUX_SLL2
            | LinkType::NULL
            | LinkType::LOOP
            | LinkType::RAW
            | LinkType::RAW_DLT
            | LinkType::RAW_OPENBSD
            | LinkType::IPV4
            | LinkType::IPV6
    )
}

/// Finds the IP packet in a captured one.
#[inline]
pub(super) fn packet(link: LinkType, data: &[u8]) -> Result<Packet<'_>, Outcome> {
    if link != LinkType::ETHERNET {
        return other(link, data);
    }
    let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
    payload(header.ether_type(), &data[header.slice().len()..])
}

/// Link types that are rarer than Ethernet.
fn other(link: LinkType, data: &[u8]) -> Result<Packet<'_>, Outcome> {
    match link {
        LinkType::LINUX_SLL => {
            let (header, rest) = data.split_at_checked(16).ok_or(Outcome::Short)?;
            // etherparse refuses packet types and hardware types it does not know, which say nothing about the packet.
            match LinuxSllHeaderSlice::from_slice(header).map(|header| header.protocol_type()) {
                Ok(LinuxSllProtocolType::EtherType(kind)) => payload(kind, rest),
                Ok(_) => Err(Outcome::NotIp),
                Err(_) => payload(EtherType(u16::from_be_bytes([header[14], header[15]])), rest),
            }
        }
        LinkType::LINUX_SLL2 => {
            let (header, rest) = data.split_at_checked(SLL2_HEADER).ok_or(Outcome::Short)?;
            payload(EtherType(u16::from_be_bytes([header[0], header[1]])), rest)
        }
        LinkType::NULL | LinkType::LOOP => {
            let (family, rest) = data.split_first_chunk::<4>().ok_or(Outcome::Short)?;
            // NULL is in the byte order of the host that captured, which the file need not share: the value is small
            // either way round. 24, 28 and 30 are the numbers of IPv6 in NetBSD, FreeBSD and Darwin.
            let family = u32::from_le_bytes(*family);
            match family.min(family.swap_bytes()) {
                2 => Ok(Packet::V4(rest)),
                24 | 28 | 30 => Ok(Packet::V6(rest)),
                _ => Err(Outcome::NotIp),
            }
        }
        LinkType::RAW | LinkType::RAW_DLT | LinkType::RAW_OPENBSD => match data.first().ok_or(Outcome::Short)? >> 4 {
            4 => Ok(Packet::V4(data)),
            6 => Ok(Packet::V6(data)),
            _ => Err(Outcome::NotIp),
        },
        LinkType::IPV4 => Ok(Packet::V4(data)),
        LinkType::IPV6 => Ok(Packet::V6(data)),
        _ => Err(Outcome::UnknownLink),
    }
}

/// Finds the IP packet behind an EtherType, through VLAN tags.
#[inline]
fn payload(mut kind: EtherType, mut data: &[u8]) -> Result<Packet<'_>, Outcome> {
    for _ in 0..=MAX_TAGS {
        match kind {
            EtherType::IPV4 => return Ok(Packet::V4(data)),
            EtherType::IPV6 => return Ok(Packet::V6(data)),
            EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING | EtherType::VLAN_DOUBLE_TAGGED_FRAME => {
                let tag = SingleVlanHeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
                kind = tag.ether_type();
                data = &data[tag.slice().len()..];
            }
            EtherType(kind) => return Err(if may_hold_ip(kind) { Outcome::Encapsulated } else { Outcome::NotIp }),
        }
    }
    Err(Outcome::Encapsulated)
}

/// Whether an EtherType announces something that may have IP inside: a length (IEEE 802.3, then LLC), Transparent
/// Ethernet, PPP, MPLS, PPPoE sessions, MACsec, provider backbone tags, ERSPAN.
const fn may_hold_ip(kind: u16) -> bool {
    matches!(kind, 0..=1500 | 0x6558 | 0x880B | 0x8847 | 0x8848 | 0x8864 | 0x88E5 | 0x88E7 | 0x88BE | 0x22EB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_types() {
        let rows: [(LinkType, Vec<u8>, &str); 22] = [
            (LinkType::ETHERNET, [&[0; 12][..], &[8, 0], b"x"].concat(), "4 x"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x86, 0xdd], b"x"].concat(), "6 x"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x81, 0, 0, 1, 8, 0], b"x"].concat(), "4 x"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0], b"x"].concat(), "4 x"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x91, 0, 0, 1, 0x81, 0, 0, 2, 8, 0], b"x"].concat(), "4 x"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x81, 0, 0, 1].repeat(8), &[8, 0], b"x"].concat(), "4 x"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x81, 0, 0, 1].repeat(9), &[8, 0], b"x"].concat(), "encapsulated"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x81, 0, 0]].concat(), "short"),
            (LinkType::ETHERNET, vec![0; 13], "short"),
            (LinkType::ETHERNET, [&[0; 12][..], &[8, 6], b"x"].concat(), "not_ip"),
            (LinkType::ETHERNET, [&[0; 12][..], &[0x88, 0x64], b"x"].concat(), "encapsulated"),
            (LinkType::LINUX_SLL, [&[0; 14][..], &[8, 0], b"x"].concat(), "4 x"),
            (LinkType::LINUX_SLL, [&[0, 9, 0xff, 0xff][..], &[0; 10], &[0x86, 0xdd], b"x"].concat(), "6 x"),
            (LinkType::LINUX_SLL2, [&[8, 0][..], &[0; 18], b"x"].concat(), "4 x"),
            (LinkType::LINUX_SLL2, vec![8; 19], "short"),
            (LinkType::NULL, b"\x02\0\0\0x".to_vec(), "4 x"),
            (LinkType::NULL, b"\0\0\0\x1ex".to_vec(), "6 x"),
            (LinkType::LOOP, b"\0\0\0\x18x".to_vec(), "6 x"),
            (LinkType::RAW, b"Ex".to_vec(), "4 Ex"),
            (LinkType::RAW_DLT, b"`x".to_vec(), "6 `x"),
            (LinkType::RAW, vec![], "short"),
            (LinkType(147), b"Ex".to_vec(), "unknown_link"),
        ];
        for (link, data, expected) in rows {
            let got = match packet(link, &data) {
                Ok(Packet::V4(rest)) => format!("4 {}", rest.escape_ascii()),
                Ok(Packet::V6(rest)) => format!("6 {}", rest.escape_ascii()),
                Err(outcome) => outcome.label().to_owned(),
            };
            assert_eq!(got, expected, "{link:?} {data:?}");
            assert_eq!(known(link), expected != "unknown_link");
        }
    }
}
