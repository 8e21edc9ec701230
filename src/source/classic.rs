//! The pcap format: one header, then records of seconds, fraction, captured length, original length, octets.
//!
//! Source: the IETF draft "PCAP Capture File Format" (draft-ietf-opsawg-pcap).

use super::{LinkType, Record, Walk, u32_at};
use crate::day::Timestamp;

/// Octets of the header of a file.
pub(super) const HEADER: usize = 24;

/// Octets before the packet in each record.
const RECORD_HEADER: usize = 16;

/// The longest packet that a record can claim: libpcap's `MAXIMUM_SNAPLEN`, which no common writer exceeds.
const MAX_PACKET: u32 = 262_144;

/// What the header of a file says about its records.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Whether numbers are big-endian.
    swapped: bool,
    /// Nanoseconds in a unit of the fraction.
    unit: u64,
    link: LinkType,
}

impl Header {
    /// Reads the header of a file, if it is one.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let octets = octets.first_chunk::<HEADER>()?;
        let (swapped, unit) = match u32_at(octets, 0, false)? {
            0xA1B2_C3D4 => (false, 1_000),
            0xA1B2_3C4D => (false, 1),
            0xD4C3_B2A1 => (true, 1_000),
            0x4D3C_B2A1 => (true, 1),
            _ => return None,
        };
        // The upper bits tell whether frames end with a checksum, which no reader of ours looks at.
        let link = LinkType(u32_at(octets, 20, swapped)? & 0x0FFF_FFFF);
        Some(Self { swapped, unit, link })
    }

    /// See [`super::Layout::walk`].
    #[inline]
    pub(super) fn walk(&self, octets: &[u8], each: impl FnMut(Record<'_>)) -> Walk {
        // Two loops, so that neither asks for each number how to read it.
        if self.swapped { self.walk_in::<true>(octets, each) } else { self.walk_in::<false>(octets, each) }
    }

    #[inline]
    fn walk_in<const SWAPPED: bool>(&self, octets: &[u8], mut each: impl FnMut(Record<'_>)) -> Walk {
        let mut consumed = 0;
        while let Some((header, rest)) = octets[consumed..].split_first_chunk::<RECORD_HEADER>() {
            let field = |at: usize| {
                let octets = [header[at], header[at + 1], header[at + 2], header[at + 3]];
                if SWAPPED { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
            };
            let captured = field(8);
            if captured > MAX_PACKET {
                let why = format!("a packet claims {captured} octets, more than {MAX_PACKET}");
                return Walk { consumed, wanted: 0, damage: Some(why) };
            }
            let Some(data) = rest.get(..captured as usize) else {
                return Walk { consumed, wanted: RECORD_HEADER + captured as usize, damage: None };
            };
            // At most 2^32 seconds and 2^32 units of a microsecond: below 2^64 nanoseconds.
            let time = Timestamp::from_nanos(u64::from(field(0)) * 1_000_000_000 + u64::from(field(4)) * self.unit);
            each(Record { time, link: self.link, data });
            consumed += RECORD_HEADER + data.len();
        }
        Walk { consumed, wanted: RECORD_HEADER, damage: None }
    }
}
