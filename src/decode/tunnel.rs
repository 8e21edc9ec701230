//! Headers that have another packet behind them: what it is and where it begins.
//!
//! Each reader takes the octets that its header begins with, and gives nothing when the header makes no sense.

use super::{Layer, u16_at};

/// What may carry packets inside packets. Each can be left closed: [`super::Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tunnel {
    /// Multiprotocol label switching, pseudowires included, also in IP and UDP (RFC 3032, 4385, 4023, 7510).
    Mpls,
    /// PPP over Ethernet (RFC 2516).
    Pppoe,
    /// MACsec without encryption (IEEE 802.1AE).
    Macsec,
    /// Provider backbone bridges (IEEE 802.1ah).
    Pbb,
    /// Network service header (RFC 8300).
    Nsh,
    /// IP in IP, all four combinations (RFC 2003, 2473, 4213).
    IpInIp,
    /// Generic routing encapsulation, also in UDP (RFC 2784, 2890, 2637, 8086).
    Gre,
    /// Mirrored frames in GRE, types I to III (Foschiano, draft-foschiano-erspan-03).
    Erspan,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// Layer two tunneling protocol, versions 2 and 3 (RFC 2661, 3931).
    L2tp,
    /// IP authentication header (RFC 4302).
    Ah,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// VXLAN with a protocol number (draft-ietf-nvo3-vxlan-gpe).
    VxlanGpe,
    /// Geneve (RFC 8926).
    Geneve,
    /// GPRS user plane (3GPP TS 29.281).
    GtpU,
    /// IPv6 over UDP through NATs (RFC 4380).
    Teredo,
}

impl Tunnel {
    /// All.
    pub const ALL: [Self; 16] = [
        Self::Mpls,
        Self::Pppoe,
        Self::Macsec,
        Self::Pbb,
        Self::Nsh,
        Self::IpInIp,
        Self::Gre,
        Self::Erspan,
        Self::EtherIp,
        Self::L2tp,
        Self::Ah,
        Self::Vxlan,
        Self::VxlanGpe,
        Self::Geneve,
        Self::GtpU,
        Self::Teredo,
    ];

    /// What it is called on the command line.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Macsec => "macsec",
            Self::Pbb => "pbb",
            Self::Nsh => "nsh",
            Self::IpInIp => "ipip",
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::L2tp => "l2tp",
            Self::Ah => "ah",
            Self::Vxlan => "vxlan",
            Self::VxlanGpe => "vxlan-gpe",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
            Self::Teredo => "teredo",
        }
    }
}

/// What is behind a header.
type Behind<'a> = Option<(Layer<'a>, &'a [u8])>;

/// The tunnel that a UDP port is registered for (IANA; 8472 is what Linux used for VXLAN before).
pub(super) const fn on_port(port: u16) -> Option<Tunnel> {
    match port {
        1701 => Some(Tunnel::L2tp),
        2152 => Some(Tunnel::GtpU),
        3544 => Some(Tunnel::Teredo),
        4754 => Some(Tunnel::Gre),
        4789 | 8472 => Some(Tunnel::Vxlan),
        4790 => Some(Tunnel::VxlanGpe),
        6081 => Some(Tunnel::Geneve),
        6635 => Some(Tunnel::Mpls),
        _ => None,
    }
}

/// What is behind the header of a tunnel over UDP, if that makes sense.
pub(super) fn over_udp(tunnel: Tunnel, data: &[u8]) -> Behind<'_> {
    let (layer, rest) = match tunnel {
        Tunnel::L2tp => l2tp_over_udp(data),
        Tunnel::GtpU => gtp_u(data),
        Tunnel::Teredo => teredo(data),
        Tunnel::Gre => gre(data).map(|(layer, rest, _)| (layer, rest)),
        Tunnel::Vxlan => vxlan(data),
        Tunnel::VxlanGpe => vxlan_gpe(data),
        Tunnel::Geneve => geneve(data),
        Tunnel::Mpls => Some((Layer::Mpls, data)),
        _ => None,
    }?;
    layer.is_sensible(rest).then_some((layer, rest))
}

/// Labels down to the bottom of the stack; what follows is told by its first four bits, and by what makes sense (RFC
/// 4928: an Ethernet pseudowire without a control word can begin with anything).
pub(super) fn mpls(data: &[u8]) -> Behind<'_> {
    let bottom = data.chunks_exact(4).position(|label| label[2] & 1 > 0)?;
    let rest = &data[4 * (bottom + 1)..];
    let behind_control_word = rest.get(4..);
    let is_ethernet = Layer::Ethernet.is_sensible(rest);
    match rest.first()? >> 4 {
        4 if Layer::V4.is_sensible(rest) && (!is_ethernet || has_checksum(rest)) => Some((Layer::V4, rest)),
        6 if Layer::V6.is_sensible(rest) && !is_ethernet => Some((Layer::V6, rest)),
        0 if behind_control_word.is_some_and(|rest| Layer::Ethernet.is_sensible(rest)) => {
            Some((Layer::Ethernet, behind_control_word?))
        }
        _ => Some((Layer::Ethernet, rest)),
    }
}

/// Whether an IPv4 header's checksum is right (RFC 1071): its words add up to all ones.
fn has_checksum(data: &[u8]) -> bool {
    let header = 4 * usize::from(data[0] & 15);
    let words = data.get(..header).unwrap_or_default().as_chunks::<2>().0;
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    (sum & 0xFFFF) + (sum >> 16) == 0xFFFF
}

/// Version and type, code, session, length.
pub(super) fn pppoe(data: &[u8]) -> Behind<'_> {
    let (header, rest) = data.split_first_chunk::<6>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // Code 0 is data. The length leaves out the padding of the frame.
    (header[1] == 0).then(|| (Layer::Ppp, &rest[..length.min(rest.len())]))
}

/// Control information, short length, packet number, and eight octets of channel where the control information says so.
pub(super) fn macsec(data: &[u8]) -> Behind<'_> {
    const ENCRYPTED_OR_CHANGED: u8 = 0x0C;
    const CHANNEL: u8 = 0x20;
    let control = *data.first()?;
    let header = if control & CHANNEL > 0 { 14 } else { 6 };
    let kind = u16_at(data, header).ok()?;
    (control & ENCRYPTED_OR_CHANGED == 0).then(|| (Layer::EtherType(kind), &data[header + 2..]))
}

/// Service instance, then the customer's frame.
pub(super) fn pbb(data: &[u8]) -> Behind<'_> {
    Some((Layer::Ethernet, data.get(4..)?))
}

/// Flags and length in words, type of metadata, next protocol.
pub(super) fn nsh(data: &[u8]) -> Behind<'_> {
    let header = data.first_chunk::<8>()?;
    let length = 4 * usize::from(header[1] & 0x3F);
    Some((next_protocol(header[3])?, data.get(length.max(8)..)?))
}

/// Numbers that NSH and VXLAN-GPE share.
const fn next_protocol(number: u8) -> Option<Layer<'static>> {
    match number {
        1 => Some(Layer::V4),
        2 => Some(Layer::V6),
        3 => Some(Layer::Ethernet),
        4 => Some(Layer::EtherType(0x894F)),
        5 => Some(Layer::Mpls),
        _ => None,
    }
}

/// Flags and version, EtherType, then what the flags announce. Also tells whether mirrored frames are inside.
pub(super) fn gre(data: &[u8]) -> Option<(Layer<'_>, &[u8], bool)> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGED: u16 = 0x0080;
    let (flags, kind) = (u16_at(data, 0).ok()?, u16_at(data, 2).ok()?);
    let set = |flag: u16| usize::from(flags & flag > 0);
    let mut header = 4 + 4 * (set(CHECKSUM | ROUTING) + set(KEY) + set(SEQUENCE));
    match flags & 7 {
        0 => {
            // Source routes end with one of length 0.
            let mut routes = flags & ROUTING > 0;
            while routes {
                let length = usize::from(*data.get(header + 3)?);
                header += 4 + length;
                routes = length > 0;
            }
        }
        // RFC 2637.
        1 => header += 4 * set(ACKNOWLEDGED),
        _ => return None,
    }
    let rest = data.get(header..)?;
    match kind {
        0x88BE => {
            // Type I has no header of its own, and GRE then no sequence number.
            Some((Layer::Ethernet, rest.get(8 * set(SEQUENCE)..)?, true))
        }
        0x22EB => {
            let ours = rest.first_chunk::<12>()?;
            let rest = rest.get(12 + 8 * usize::from(ours[11] & 1)..)?;
            // The type of what was mirrored: 2 is IP.
            let layer = if u16::from_be_bytes([ours[10], ours[11]]) >> 10 & 0x1F == 2 { Layer::Ip } else { Layer::Ethernet };
            Some((layer, rest, true))
        }
        // WCCP: version 2 puts four octets in front, which do not begin like IPv4.
        0x883E => Some((Layer::V4, if rest.first()? >> 4 == 4 { rest } else { rest.get(4..)? }, false)),
        kind => Some((Layer::EtherType(kind), rest, false)),
    }
}

/// A version, twelve reserved bits.
pub(super) fn etherip(data: &[u8]) -> Behind<'_> {
    (data.first()? >> 4 == 3).then_some((Layer::Ethernet, data.get(2..)?))
}

/// Flags and version, then the fields that the flags announce, of version 2; a session of version 3.
fn l2tp_over_udp(data: &[u8]) -> Behind<'_> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    let flags = u16_at(data, 0).ok()?;
    if flags & CONTROL > 0 {
        return None;
    }
    match flags & 15 {
        2 => {
            let mut header = 6 + if flags & LENGTH > 0 { 2 } else { 0 } + if flags & SEQUENCE > 0 { 4 } else { 0 };
            if flags & OFFSET > 0 {
                header += 2 + usize::from(u16_at(data, header).ok()?);
            }
            Some((Layer::Ppp, data.get(header..)?))
        }
        3 => l2tp_session(data.get(4..)?),
        _ => None,
    }
}

/// A session of L2TP version 3, not 0, which is control. How long the cookie is (0, 4 or 8 octets) and whether a
/// sublayer of four octets follows was agreed upon elsewhere: what makes sense first is taken.
pub(super) fn l2tp_session(data: &[u8]) -> Behind<'_> {
    let (session, rest) = data.split_first_chunk::<4>()?;
    if *session == [0; 4] {
        return None;
    }
    let layers = [Layer::Ethernet, Layer::Ppp, Layer::Ip];
    (0..=12).step_by(4).find_map(|at| {
        let rest = rest.get(at..)?;
        layers.into_iter().find(|layer| layer.is_sensible(rest)).map(|layer| (layer, rest))
    })
}

/// Flags, of which one must be set, and the network's number.
fn vxlan(data: &[u8]) -> Behind<'_> {
    (data.first()? & 0x08 > 0).then_some((Layer::Ethernet, data.get(8..)?))
}

/// The same with a flag that announces a protocol.
fn vxlan_gpe(data: &[u8]) -> Behind<'_> {
    let header = data.first_chunk::<8>()?;
    let layer = if header[0] & 0x04 > 0 { next_protocol(header[3])? } else { Layer::Ethernet };
    (header[0] & 0x08 > 0).then_some((layer, &data[8..]))
}

/// Version and length of the options in words, flags, EtherType, the network's number.
fn geneve(data: &[u8]) -> Behind<'_> {
    let header = data.first_chunk::<8>()?;
    let options = 4 * usize::from(header[0] & 0x3F);
    let kind = u16::from_be_bytes([header[2], header[3]]);
    (header[0] >> 6 == 0).then_some((Layer::EtherType(kind), data.get(8 + options..)?))
}

/// Flags, message type (255 is a user's packet), length, tunnel; then, if any of three flags is set, four octets of
/// which the last names an extension header. Each of these begins with its length in words and ends with the next.
fn gtp_u(data: &[u8]) -> Behind<'_> {
    let header = data.first_chunk::<8>()?;
    // Version 1, not GTP prime.
    if header[0] >> 4 != 3 || header[1] != 255 {
        return None;
    }
    let mut rest = &data[8..];
    if header[0] & 7 > 0 {
        let optional;
        (optional, rest) = rest.split_first_chunk::<4>()?;
        let mut next = if header[0] & 4 > 0 { optional[3] } else { 0 };
        while next > 0 {
            let length = 4 * usize::from(*rest.first()?);
            next = *rest.get(..length)?.last()?;
            rest = &rest[length..];
        }
    }
    Some((Layer::Ip, rest))
}

/// Perhaps authentication, perhaps the address of origin, then IPv6.
fn teredo(mut data: &[u8]) -> Behind<'_> {
    if let [0, 1, client, authentication, ..] = *data {
        // Two lengths, both values, a nonce of eight octets and a confirmation.
        data = data.get(4 + usize::from(client) + usize::from(authentication) + 9..)?;
    }
    if data.starts_with(&[0, 0]) {
        data = data.get(8..)?;
    }
    Some((Layer::V6, data))
}
