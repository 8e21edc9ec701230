//! What a captured packet begins with: from the link type of the capture to the first layer of the packet.
//!
//! Sources: tcpdump.org, "Link-layer header types"; for headers that came before it, tcpdump's own readers.

use super::wlan;
use super::{Layer, Outcome, u16_at};
use crate::source::LinkType;

/// Whether [`start`] reads this link type.
pub(super) fn known(link: LinkType) -> bool {
    !matches!(start(link, &[]), Err(Outcome::UnknownLink))
}

/// The first layer, and the octets that it begins with.
pub(super) fn start(link: LinkType, data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    let skip = |octets: usize, layer| Ok((layer, data.get(octets..).ok_or(Outcome::Short)?));
    match link {
        LinkType::ETHERNET => skip(0, Layer::Ethernet),
        LinkType::LINUX_SLL => skip(16, linux(u16_at(data, 2)?, u16_at(data, 14)?)),
        LinkType::LINUX_SLL2 => skip(20, linux(u16_at(data, 8)?, u16_at(data, 0)?)),
        LinkType::NULL | LinkType::LOOP | LinkType::ENC => {
            let family = data.first_chunk::<4>().ok_or(Outcome::Short)?;
            // In the byte order of the host that captured, which the file need not share: the value is small either
            // way round.
            let family = u32::from_le_bytes(*family);
            skip(if link == LinkType::ENC { 12 } else { 4 }, address_family(family.min(family.swap_bytes()))?)
        }
        LinkType::PFLOG => {
            let &[length, family, ..] = data else { return Err(Outcome::Short) };
            skip(usize::from(length).next_multiple_of(4), address_family(family.into())?)
        }
        LinkType::RAW | LinkType::RAW_DLT | LinkType::RAW_OPENBSD => skip(0, Layer::Ip),
        LinkType::IPV4 => skip(0, Layer::V4),
        LinkType::IPV6 => skip(0, Layer::V6),
        LinkType::MPLS => skip(0, Layer::Mpls),
        LinkType::PPP | LinkType::PPP_HDLC => match data {
            // Cisco's framing instead of that of RFC 1662.
            [0x0F | 0x8F, 0, ..] => skip(2, Layer::EtherType(u16_at(data, 2)?)).and_then(|(layer, _)| skip(4, layer)),
            _ => skip(0, Layer::Ppp),
        },
        LinkType::PPP_PPPD => skip(2, Layer::Ppp),
        LinkType::PPP_WITH_DIRECTION => skip(1, Layer::Ppp),
        LinkType::PPP_ETHER => skip(6, Layer::Ppp),
        LinkType::C_HDLC => skip(4, Layer::EtherType(u16_at(data, 2)?)),
        LinkType::C_HDLC_WITH_DIRECTION => skip(5, Layer::EtherType(u16_at(data, 3)?)),
        LinkType::FRAME_RELAY => frame_relay(data),
        LinkType::FRAME_RELAY_WITH_DIRECTION => frame_relay(data.get(1..).ok_or(Outcome::Short)?),
        LinkType::ATM_RFC1483 => skip(0, Layer::Llc),
        LinkType::SUNATM => skip(4, Layer::Llc),
        LinkType::IP_OVER_FC => skip(16, Layer::Llc),
        LinkType::FDDI => skip(13, Layer::Llc),
        LinkType::TOKEN_RING => {
            // The highest bit of the source tells of routing information, its length in the lower bits of its first octet.
            let routed = data.get(8).ok_or(Outcome::Short)? & 0x80 > 0;
            let routing = if routed { usize::from(data.get(14).ok_or(Outcome::Short)? & 0x1F) } else { 0 };
            skip(14 + routing, Layer::Llc)
        }
        LinkType::ARCNET => arcnet(data, 2),
        LinkType::ARCNET_LINUX => arcnet(data, 4),
        LinkType::NFLOG => nflog(data),
        LinkType::ETHERNET_MPACKET => skip(8, Layer::Ethernet),
        LinkType::NETANALYZER => skip(4, Layer::Ethernet),
        LinkType::NETANALYZER_TRANSPARENT => skip(12, Layer::Ethernet),
        LinkType::IEEE802_11 => wlan::frame(data),
        LinkType::IEEE802_11_RADIOTAP => wlan::radiotap(data),
        LinkType::IEEE802_11_AVS => wlan::avs(data),
        LinkType::IEEE802_11_PRISM => wlan::prism(data),
        LinkType::PPI => match data.get(4..8) {
            // Another link type behind its own header, but not itself again.
            Some(&[a, b, c, d]) if u32::from_le_bytes([a, b, c, d]) != LinkType::PPI.0 => {
                let length = usize::from(u16_at(data, 2)?.swap_bytes());
                inside_ppi(LinkType(u32::from_le_bytes([a, b, c, d])), data.get(length..).ok_or(Outcome::Short)?)
            }
            _ => Err(if data.is_empty() { Outcome::Short } else { Outcome::NotIp }),
        },
        _ => Err(Outcome::UnknownLink),
    }
}

/// PPI is in use for 802.11 alone.
fn inside_ppi(link: LinkType, data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    match link {
        LinkType::IEEE802_11 => wlan::frame(data),
        LinkType::ETHERNET => Ok((Layer::Ethernet, data)),
        _ => Err(Outcome::NotIp),
    }
}

/// What a Linux cooked header is in front of, by the kind of hardware (ARPHRD) and the protocol.
const fn linux(hardware: u16, protocol: u16) -> Layer<'static> {
    match (hardware, protocol) {
        // 802.11 frames with a radiotap header.
        (803, _) => Layer::Radiotap,
        // 802.2 frames.
        (_, 4) => Layer::Llc,
        (_, protocol) => Layer::EtherType(protocol),
    }
}

/// 24, 28 and 30 are the numbers of IPv6 in NetBSD, FreeBSD and Darwin; 10 that of Linux.
const fn address_family(family: u32) -> Result<Layer<'static>, Outcome> {
    match family {
        2 => Ok(Layer::V4),
        10 | 24 | 28 | 30 => Ok(Layer::V6),
        _ => Err(Outcome::NotIp),
    }
}

/// RFC 2427: an address of two to four octets, then what OSI calls a network layer protocol id; or Cisco's, an EtherType.
fn frame_relay(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    // The lowest bit is set in the last octet of the address.
    let address = 1 + data.iter().take(4).position(|octet| octet & 1 > 0).ok_or(Outcome::Short)?;
    let rest = &data[address..];
    let (layer, header) = match rest {
        [3, 0xCC, ..] => (Layer::V4, 2),
        [3, 0x8E, ..] => (Layer::V6, 2),
        // A pad octet may stand before 0x80, which announces SNAP.
        [3, 0, 0x80, _, _, _, a, b, ..] => (Layer::EtherType(u16::from_be_bytes([*a, *b])), 8),
        [3, 0x80, _, _, _, a, b, ..] => (Layer::EtherType(u16::from_be_bytes([*a, *b])), 7),
        [a, b, ..] => (Layer::EtherType(u16::from_be_bytes([*a, *b])), 2),
        _ => return Err(Outcome::Short),
    };
    Ok((layer, &rest[header..]))
}

/// RFC 1201 and RFC 1051; `at` is where the protocol stands.
fn arcnet(data: &[u8], at: usize) -> Result<(Layer<'_>, &[u8]), Outcome> {
    match data.get(at).ok_or(Outcome::Short)? {
        // RFC 1051.
        240 => Ok((Layer::V4, &data[at + 1..])),
        // RFC 1201: a flag that is 0 for a packet in one piece, and a sequence number.
        212 => match data[at + 1..] {
            [0, _, _, ref rest @ ..] => Ok((Layer::V4, rest)),
            [_, _, _, ..] => Err(Outcome::Encapsulated),
            _ => Err(Outcome::Short),
        },
        _ => Err(Outcome::NotIp),
    }
}

/// Linux netfilter log: family, version, resource, then attributes of which one is the packet.
fn nflog(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    const PAYLOAD: u16 = 9;
    let layer = address_family((*data.first().ok_or(Outcome::Short)?).into())?;
    let mut rest = data.get(4..).ok_or(Outcome::Short)?;
    loop {
        // In the byte order of the host that captured: all but certainly little-endian.
        let (length, kind) = (u16_at(rest, 0)?.swap_bytes(), u16_at(rest, 2)?.swap_bytes());
        let length = usize::from(length).max(4);
        // The upper bits tell about nesting and byte order.
        if kind & 0x3FFF == PAYLOAD {
            return Ok((layer, &rest[4..length.min(rest.len())]));
        }
        rest = rest.get(length.next_multiple_of(4)..).ok_or(Outcome::Short)?;
    }
}
