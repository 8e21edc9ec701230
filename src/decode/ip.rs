//! IP headers: addresses, what the packet carries, and whether it is a fragment.
//!
//! Sources: RFC 791 (IPv4), RFC 8200 (IPv6 and its extension headers), RFC 2675 (payload length 0), RFC 6946 (atomic
//! fragments).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice};

use super::Outcome;

/// Extension headers that may follow each other: each kind once, destination options twice (RFC 8200 §4.1), and some to spare.
const MAX_EXTENSIONS: usize = 16;

/// Source and destination as they stand in a header, 8 octets or 32: most packets end before anyone asks for them, and a
/// slice is all that has to be carried until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses<'a>(&'a [u8]);

impl<'a> Addresses<'a> {
    pub(super) const fn v4(octets: &'a [u8; 8]) -> Self {
        Self(octets)
    }

    pub(super) const fn v6(octets: &'a [u8; 32]) -> Self {
        Self(octets)
    }

    pub(super) fn source(self) -> IpAddr {
        address(self.0.split_at(self.0.len() / 2).0)
    }

    pub(super) fn destination(self) -> IpAddr {
        address(self.0.split_at(self.0.len() / 2).1)
    }
}

fn address(octets: &[u8]) -> IpAddr {
    match <[u8; 16]>::try_from(octets) {
        Ok(octets) => Ipv6Addr::from(octets).into(),
        Err(_) => Ipv4Addr::from(*octets.first_chunk::<4>().expect("addresses take 4 octets or 16")).into(),
    }
}

/// Source and destination of a packet that is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    octets: [u8; 32],
    length: usize,
}

impl Ends {
    /// Of two addresses of one version, as one header had them.
    pub(super) fn new(source: IpAddr, destination: IpAddr) -> Self {
        let (mut octets, mut length) = ([0; 32], 8);
        if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) {
            octets[..4].copy_from_slice(&source.octets());
            octets[4..8].copy_from_slice(&destination.octets());
        } else {
            let wide = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            octets[..16].copy_from_slice(&wide(source));
            octets[16..].copy_from_slice(&wide(destination));
            length = 32;
        }
        Self { octets, length }
    }

    pub(super) fn addresses(&self) -> Addresses<'_> {
        Addresses(&self.octets[..self.length])
    }
}

/// An IP packet without its headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) addresses: Addresses<'a>,
    /// What the payload is.
    pub(super) protocol: IpNumber,
    /// What was captured of it.
    pub(super) payload: &'a [u8],
    /// Octets of it that the snap length cut off.
    pub(super) missing: u32,
    /// Set when the payload is a part of a datagram's.
    pub(super) fragment: Option<Fragment>,
}

/// Which part of a datagram a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Equal for all fragments of a datagram.
    pub(super) id: u32,
    /// Octets of the datagram's payload before this part.
    pub(super) offset: u32,
    /// Whether others follow.
    pub(super) more: bool,
}

#[inline(always)]
pub(super) fn v4(data: &[u8]) -> Result<Packet<'_>, Outcome> {
    let header = Ipv4HeaderSlice::from_slice(data).map_err(|error| match error {
        etherparse::err::ipv4::HeaderSliceError::Len(_) => Outcome::Short,
        etherparse::err::ipv4::HeaderSliceError::Content(_) => Outcome::Malformed,
    })?;
    let start = header.slice().len();
    let (payload, missing) = match usize::from(header.total_len()) {
        // Segmentation offload: the length was left to the network card.
        0 => (&data[start..], 0),
        length if length < start => return Err(Outcome::Malformed),
        length => (&data[start..length.min(data.len())], length.saturating_sub(data.len()) as u32),
    };
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: header.identification().into(),
        offset: u32::from(header.fragments_offset().value()) * 8,
        more: header.more_fragments(),
    });
    let addresses = Addresses::v4(header.slice()[12..].first_chunk().ok_or(Outcome::Short)?);
    Ok(Packet { addresses, protocol: header.protocol(), payload, missing, fragment })
}

#[inline(always)]
pub(super) fn v6(data: &[u8]) -> Result<Packet<'_>, Outcome> {
    let header = Ipv6HeaderSlice::from_slice(data).map_err(|error| match error {
        etherparse::err::ipv6::HeaderSliceError::Len(_) => Outcome::Short,
        etherparse::err::ipv6::HeaderSliceError::Content(_) => Outcome::Malformed,
    })?;
    let rest = &data[header.slice().len()..];
    let (payload, missing) = match usize::from(header.payload_length()) {
        // A jumbogram or segmentation offload.
        0 => (rest, 0),
        length => (&rest[..length.min(rest.len())], length.saturating_sub(rest.len()) as u32),
    };
    let addresses = Addresses::v6(header.slice()[8..].first_chunk().ok_or(Outcome::Short)?);
    let packet = Packet { addresses, protocol: header.next_header(), payload, missing, fragment: None };
    if packet.protocol == IpNumber::UDP { Ok(packet) } else { extensions(packet) }
}

/// A packet of version 4 without options that is no fragment and tells its length; nothing of others.
#[inline(always)]
pub(super) fn plain_v4(data: &[u8]) -> Option<Packet<'_>> {
    /// More fragments, and the offset (RFC 791).
    const FRAGMENT: u16 = 0x3FFF;
    let (header, rest) = data.split_first_chunk::<20>()?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let length = usize::from(word(2)).checked_sub(20)?;
    if header[0] != 0x45 || word(6) & FRAGMENT > 0 {
        return None;
    }
    Some(Packet::plain(Addresses::v4(header.last_chunk()?), header[9], length, rest))
}

/// A packet of version 6 without other headers that tells its length; nothing of others.
#[inline(always)]
pub(super) fn plain_v6(data: &[u8]) -> Option<Packet<'_>> {
    let (header, rest) = data.split_first_chunk::<40>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || length == 0 || is_extension(IpNumber(header[6])) {
        return None;
    }
    Some(Packet::plain(Addresses::v6(header.last_chunk()?), header[6], length, rest))
}

impl<'a> Packet<'a> {
    #[inline(always)]
    fn plain(addresses: Addresses<'a>, protocol: u8, length: usize, rest: &'a [u8]) -> Self {
        let missing = length.saturating_sub(rest.len()) as u32;
        Self { addresses, protocol: IpNumber(protocol), payload: &rest[..length.min(rest.len())], missing, fragment: None }
    }
}

/// Whether a header of IPv6 stands between the first and what the packet carries.
pub(super) const fn is_extension(protocol: IpNumber) -> bool {
    matches!(
        protocol,
        IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::IPV6_FRAGMENTATION_HEADER
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6
    )
}

/// Skips extension headers, down to what they are in front of or to a fragment.
pub(super) fn extensions(mut packet: Packet<'_>) -> Result<Packet<'_>, Outcome> {
    for _ in 0..MAX_EXTENSIONS {
        let data = packet.payload;
        match packet.protocol {
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let header = Ipv6FragmentHeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
                (packet.protocol, packet.payload) = (header.next_header(), &data[header.slice().len()..]);
                // A fragment that is the whole datagram is none (RFC 6946).
                if header.is_fragmenting_payload() {
                    let offset = u32::from(header.fragment_offset().value()) * 8;
                    packet.fragment = Some(Fragment { id: header.identification(), offset, more: header.more_fragments() });
                    return Ok(packet);
                }
            }
            protocol if is_extension(protocol) => {
                let header = Ipv6RawExtHeaderSlice::from_slice(data).map_err(|_| Outcome::Short)?;
                (packet.protocol, packet.payload) = (header.next_header(), &data[header.slice().len()..]);
            }
            _ => return Ok(packet),
        }
    }
    Err(Outcome::Malformed)
}
