//! The thorough way from a captured packet to what is in it, through every layer that a network may put around it.
//!
//! One loop, one layer a turn, no recursion. Each turn consumes octets or ends, packets nest [`MAX_PACKETS`] deep.

use etherparse::{IpNumber, UdpHeaderSlice};

use super::ip::{self, Addresses, Fragment, Packet};
use super::tunnel::{self, Tunnel};
use super::{Config, Outcome, u16_at, wlan};

/// IP packets in one another before we give up: the outermost and eight in it.
pub(super) const MAX_PACKETS: u8 = 9;

/// Headers of all kinds: far above what nests in earnest.
const MAX_LAYERS: usize = 64;

/// What octets are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer<'a> {
    /// An Ethernet frame.
    Ethernet,
    /// What an EtherType announces; up to 1500 it is a length (IEEE 802.3), and LLC follows.
    EtherType(u16),
    /// IEEE 802.2 logical link control.
    Llc,
    /// A PPP frame, with address and control field or without.
    Ppp,
    /// A stack of MPLS labels.
    Mpls,
    /// Radiotap and an 802.11 frame.
    Radiotap,
    /// IPv4 or IPv6.
    Ip,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// What an IP packet carries: the octets are its payload.
    Inside(Packet<'a>),
}

/// What a packet comes down to.
#[derive(Clone, Copy, Debug)]
pub(super) enum End<'a> {
    /// A UDP datagram on a DNS port.
    Datagram(Datagram<'a>),
    /// A TCP segment on a DNS port.
    Segment(Packet<'a>),
    /// A fragment of what may be either, or a tunnel.
    Fragment(Packet<'a>, Fragment),
    /// Something else.
    Nothing(Outcome),
}

/// A UDP datagram on a DNS port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) addresses: Addresses<'a>,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    /// What was captured of it.
    pub(super) payload: &'a [u8],
}

/// Goes through layers. `packets` are the IP packets that this one is in; also returns how many it comes to.
pub(super) fn walk<'a>(config: &Config, layer: Layer<'a>, data: &'a [u8], packets: u8) -> (End<'a>, u8) {
    let mut walk = Walk { config, packets };
    let mut at = (layer, data);
    for _ in 0..MAX_LAYERS {
        match walk.step(at.0, at.1) {
            Ok(Step::Further(layer, data)) => at = (layer, data),
            Ok(Step::End(end)) => return (end, walk.packets),
            Err(outcome) => return (End::Nothing(outcome), walk.packets),
        }
    }
    (End::Nothing(Outcome::Encapsulated), walk.packets)
}

enum Step<'a> {
    Further(Layer<'a>, &'a [u8]),
    End(End<'a>),
}

struct Walk<'c> {
    config: &'c Config,
    packets: u8,
}

impl Walk<'_> {
    fn step<'a>(&mut self, layer: Layer<'a>, data: &'a [u8]) -> Result<Step<'a>, Outcome> {
        let (layer, data) = match layer {
            Layer::Ethernet => ethernet(data)?,
            Layer::EtherType(kind) => self.ether_type(kind, data)?,
            Layer::Llc => llc(data)?,
            Layer::Ppp => self.ppp(data)?,
            Layer::Mpls => self.open(Tunnel::Mpls, tunnel::mpls(data), Outcome::Short)?,
            Layer::Radiotap => wlan::radiotap(data)?,
            Layer::Ip => match data.first().ok_or(Outcome::Short)? >> 4 {
                4 => (Layer::V4, data),
                6 => (Layer::V6, data),
                _ => return Err(Outcome::NotIp),
            },
            Layer::V4 => (Layer::Inside(self.packet(ip::v4(data)?)?), data),
            Layer::V6 => (Layer::Inside(self.packet(ip::v6(data)?)?), data),
            Layer::Inside(packet) => return self.inside(packet),
        };
        Ok(Step::Further(layer, data))
    }

    fn packet<'a>(&mut self, packet: Packet<'a>) -> Result<Packet<'a>, Outcome> {
        self.packets += 1;
        if self.packets > MAX_PACKETS { Err(Outcome::Encapsulated) } else { Ok(packet) }
    }

    /// What is in a tunnel, unless that is to stay closed; `otherwise` when there is nothing that makes sense.
    fn open<'a>(
        &self,
        tunnel: Tunnel,
        behind: Option<(Layer<'a>, &'a [u8])>,
        otherwise: Outcome,
    ) -> Result<(Layer<'a>, &'a [u8]), Outcome> {
        if self.config.closed.contains(&tunnel) { Err(Outcome::Encapsulated) } else { behind.ok_or(otherwise) }
    }

    fn ether_type<'a>(&self, mut kind: u16, mut data: &'a [u8]) -> Result<(Layer<'a>, &'a [u8]), Outcome> {
        while is_tag(kind) {
            (kind, data) = (u16_at(data, 2)?, &data[4..]);
        }
        match kind {
            0x0800 => Ok((Layer::V4, data)),
            0x86DD => Ok((Layer::V6, data)),
            // A length counts what follows; the rest pads the frame.
            0..=1500 => Ok((Layer::Llc, &data[..usize::from(kind).min(data.len())])),
            // Jumbo frames with LLC (draft-ietf-isis-ext-eth-01).
            0x8870 => Ok((Layer::Llc, data)),
            0x6558 => Ok((Layer::Ethernet, data)),
            0x880B => Ok((Layer::Ppp, data)),
            0x8847 | 0x8848 => Ok((Layer::Mpls, data)),
            0x8864 => self.open(Tunnel::Pppoe, tunnel::pppoe(data), Outcome::NotIp),
            0x88E5 => self.open(Tunnel::Macsec, tunnel::macsec(data), Outcome::Encapsulated),
            0x88E7 => self.open(Tunnel::Pbb, tunnel::pbb(data), Outcome::Short),
            0x894F => self.open(Tunnel::Nsh, tunnel::nsh(data), Outcome::NotIp),
            _ => Err(Outcome::NotIp),
        }
    }

    fn ppp<'a>(&self, data: &'a [u8]) -> Result<(Layer<'a>, &'a [u8]), Outcome> {
        let (protocol, data) = ppp_protocol(data)?;
        match protocol {
            0x0021 => Ok((Layer::V4, data)),
            0x0057 => Ok((Layer::V6, data)),
            0x0281 | 0x0283 => Ok((Layer::Mpls, data)),
            // Multilink (RFC 1990) of a packet in one piece: begin and end bit, sequence number.
            0x003D if data.first().is_some_and(|flags| flags & 0xC0 == 0xC0) => {
                Ok((Layer::Ppp, data.get(4..).ok_or(Outcome::Short)?))
            }
            0x003D => Err(Outcome::Encapsulated),
            _ => Err(Outcome::NotIp),
        }
    }

    fn inside<'a>(&self, packet: Packet<'a>) -> Result<Step<'a>, Outcome> {
        let data = packet.payload;
        if let Some(fragment) = packet.fragment {
            let end = if may_hold_dns(packet.protocol) { End::Fragment(packet, fragment) } else { End::Nothing(Outcome::NotDns) };
            return Ok(Step::End(end));
        }
        let (layer, data) = match packet.protocol {
            IpNumber::UDP => return self.udp(packet),
            IpNumber::TCP => {
                let end = match (u16_at(data, 0)?, u16_at(data, 2)?) {
                    (source, destination) if self.config.is_dns(source, destination) => End::Segment(packet),
                    (source, destination) => End::Nothing(super::not_dns(true, source, destination, data)),
                };
                return Ok(Step::End(end));
            }
            IpNumber::IPV4 => self.open(Tunnel::IpInIp, Some((Layer::V4, data)), Outcome::Short)?,
            IpNumber::IPV6 => self.open(Tunnel::IpInIp, Some((Layer::V6, data)), Outcome::Short)?,
            IpNumber::GRE => {
                let (layer, rest, mirrored) = tunnel::gre(data).ok_or(Outcome::Malformed)?;
                self.open(if mirrored { Tunnel::Erspan } else { Tunnel::Gre }, Some((layer, rest)), Outcome::Malformed)?
            }
            IpNumber::ETHER_IP => self.open(Tunnel::EtherIp, tunnel::etherip(data), Outcome::Malformed)?,
            IpNumber::MPLS_IN_IP => (Layer::Mpls, data),
            IpNumber::LAYER2_TUNNELING_PROTOCOL => self.open(Tunnel::L2tp, tunnel::l2tp_session(data), Outcome::NotDns)?,
            IpNumber::AUTHENTICATION_HEADER => {
                // Next header and its own length in words, less two.
                let &[next, words, ..] = data else { return Err(Outcome::Short) };
                let rest = data.get(4 * (usize::from(words) + 2)..).ok_or(Outcome::Short)?;
                let behind = Packet { protocol: next.into(), payload: rest, ..packet };
                self.open(Tunnel::Ah, Some((Layer::Inside(behind), rest)), Outcome::Short)?
            }
            // Behind an authentication header, or where a datagram was put together.
            protocol if ip::is_extension(protocol) => (Layer::Inside(ip::extensions(packet)?), data),
            _ => return Err(Outcome::NotDns),
        };
        Ok(Step::Further(layer, data))
    }

    /// RFC 768.
    fn udp<'a>(&self, packet: Packet<'a>) -> Result<Step<'a>, Outcome> {
        let data = packet.payload;
        let header = UdpHeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
        let (source_port, destination_port) = (header.source_port(), header.destination_port());
        let is_dns = self.config.is_dns(source_port, destination_port);
        // The receiver's port counts most; answers of some tunnels come from it.
        let tunnel = tunnel::on_port(destination_port).or_else(|| tunnel::on_port(source_port));
        if !is_dns && tunnel.is_none() {
            return Err(super::not_dns(false, source_port, destination_port, data));
        }
        let start = header.slice().len();
        let payload = match usize::from(header.length()) {
            // Segmentation offload, or a jumbogram.
            0 => &data[start..],
            length if length < start => return Err(Outcome::Malformed),
            length => &data[start..length.min(data.len())],
        };
        match tunnel {
            Some(tunnel) if !is_dns => {
                let behind = tunnel::over_udp(tunnel, payload).ok_or(Outcome::NotDns)?;
                self.open(tunnel, Some(behind), Outcome::NotDns).map(|(layer, data)| Step::Further(layer, data))
            }
            _ => Ok(Step::End(End::Datagram(Datagram { addresses: packet.addresses, source_port, destination_port, payload }))),
        }
    }
}

/// Whether a fragment of such a packet is worth keeping.
fn may_hold_dns(protocol: IpNumber) -> bool {
    matches!(
        protocol,
        IpNumber::UDP
            | IpNumber::TCP
            | IpNumber::IPV4
            | IpNumber::IPV6
            | IpNumber::GRE
            | IpNumber::ETHER_IP
            | IpNumber::MPLS_IN_IP
            | IpNumber::LAYER2_TUNNELING_PROTOCOL
            | IpNumber::AUTHENTICATION_HEADER
    ) || ip::is_extension(protocol)
}

fn ethernet(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    // Cisco's inter-switch link puts a header of its own in front, with this receiver and SNAP at this place.
    if matches!(data, [0x01 | 0x03, 0, 0x0C, 0, 0, ..]) && data.get(14..17) == Some(&[0xAA, 0xAA, 3]) {
        return Ok((Layer::Ethernet, data.get(26..).ok_or(Outcome::Short)?));
    }
    let kind = u16_at(data, 12)?;
    Ok((Layer::EtherType(kind), &data[14..]))
}

/// Service access points and control; SNAP has an EtherType behind an organization's number.
fn llc(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    match *data {
        // Encapsulated Ethernet (RFC 1042), and the same through old bridges (IEEE 802.1H).
        [0xAA, 0xAA, 3, 0, 0, 0 | 0xF8, a, b, ref rest @ ..] => Ok((Layer::EtherType(u16::from_be_bytes([a, b])), rest)),
        // Bridged Ethernet (RFC 2684), with a checksum behind it or without, two octets of padding in front.
        [0xAA, 0xAA, 3, 0, 0x80, 0xC2, 0, 1 | 7, 0, 0, ref rest @ ..] => Ok((Layer::Ethernet, rest)),
        [0x06, 0x06, 3, ref rest @ ..] => Ok((Layer::V4, rest)),
        [0xFE, 0xFE, 3, 0xCC, ref rest @ ..] => Ok((Layer::V4, rest)),
        [0xFE, 0xFE, 3, 0x8E, ref rest @ ..] => Ok((Layer::V6, rest)),
        [_, _, _, ..] => Err(Outcome::NotIp),
        _ => Err(Outcome::Short),
    }
}

/// The protocol of a PPP frame (RFC 1661 §2, RFC 1662 §3.1): an odd first octet is all of it.
fn ppp_protocol(data: &[u8]) -> Result<(u16, &[u8]), Outcome> {
    let data = data.strip_prefix(&[0xFF, 0x03]).unwrap_or(data);
    match *data {
        [protocol, ref rest @ ..] if protocol & 1 > 0 => Ok((protocol.into(), rest)),
        [a, b, ref rest @ ..] => Ok((u16::from_be_bytes([a, b]), rest)),
        _ => Err(Outcome::Short),
    }
}

/// VLAN tags: IEEE 802.1Q, 802.1ad, and what came before that.
pub(super) const fn is_tag(kind: u16) -> bool {
    matches!(kind, 0x8100 | 0x88A8 | 0x9100 | 0x9200 | 0x9300)
}

impl Layer<'_> {
    /// Whether octets could be this: what a port number says is believed only then.
    pub(super) fn is_sensible(&self, data: &[u8]) -> bool {
        match *self {
            Layer::V4 | Layer::V6 | Layer::Ip => match *data {
                [first @ 0x45..=0x4F, _, a, b, ..] if !matches!(self, Layer::V6) => {
                    let (header, length) = (4 * usize::from(first & 15), usize::from(u16::from_be_bytes([a, b])));
                    data.len() >= header && (length == 0 || length >= header)
                }
                [0x60..=0x6F, ..] => !matches!(self, Layer::V4) && data.len() >= 40,
                _ => false,
            },
            Layer::Ethernet => u16_at(data, 12).is_ok_and(|kind| Layer::EtherType(kind).is_sensible(&data[14..])),
            Layer::EtherType(mut kind) => {
                let mut data = data;
                while is_tag(kind) {
                    let Ok(next) = u16_at(data, 2) else { return false };
                    (kind, data) = (next, &data[4..]);
                }
                match kind {
                    0x0800 => Layer::V4.is_sensible(data),
                    0x86DD => Layer::V6.is_sensible(data),
                    0..=1500 => matches!(data, [0xAA, 0xAA, 3, ..] | [0x42, 0x42, 3, ..] | [0xFE, 0xFE, 3, ..]),
                    // ARP, Ethernet, PPP, MPLS, PPPoE, MACsec, backbone bridges, NSH, link discovery.
                    0x0806 | 0x6558 | 0x880B | 0x8847 | 0x8848 | 0x8863 | 0x8864 | 0x88E5 | 0x88E7 | 0x894F | 0x88CC => true,
                    _ => false,
                }
            }
            Layer::Ppp => match ppp_protocol(data) {
                Ok((0x0021, rest)) => Layer::V4.is_sensible(rest),
                Ok((0x0057, rest)) => Layer::V6.is_sensible(rest),
                Ok((protocol, _)) => matches!(protocol, 0x003D | 0x0281 | 0x0283),
                Err(_) => false,
            },
            Layer::Mpls => tunnel::mpls(data).is_some_and(|(layer, rest)| layer.is_sensible(rest)),
            Layer::Llc | Layer::Radiotap | Layer::Inside(_) => true,
        }
    }
}
