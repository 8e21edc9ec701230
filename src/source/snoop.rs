//! The snoop format of Solaris: one header, then records, all numbers big-endian.
//!
//! Source: RFC 1761, with the data link types of its section "Datalink Type".

use super::classic::MAX_PACKET;
use super::{LinkType, Record, Walk, u32_at};
use crate::day::Timestamp;

/// Octets of the header of a file: eight that are the same in each, version, data link.
const HEADER: usize = 16;

/// Octets before the packet in each record: original, included and record length, drops, seconds, microseconds.
const RECORD_HEADER: usize = 24;

/// The longest record: the longest packet and as much padding.
const MAX_RECORD: u32 = 2 * MAX_PACKET;

/// What the header of a file says about its records.
#[derive(Clone, Debug)]
pub(super) struct Header {
    link: LinkType,
}

impl Header {
    /// Reads the header of a file, if it is one, and tells how many octets it takes.
    pub(super) fn read(octets: &[u8]) -> Option<(Self, usize)> {
        let (version, link) = (u32_at(octets, 8, true)?, u32_at(octets, 12, true)?);
        if !octets.starts_with(b"snoop\0\0\0") || version != 2 {
            return None;
        }
        let link = match link {
            // IEEE 802.3 and Ethernet differ in the use of the length field, which is told from the frame.
            0 | 4 => LinkType::ETHERNET,
            // A number that the registry will not have.
            other => LinkType(1 << 31 | other),
        };
        Some((Self { link }, HEADER))
    }

    /// See [`super::Layout::walk`].
    #[inline]
    pub(super) fn walk<'o>(&self, octets: &'o [u8], mut each: impl FnMut(Record<'o>)) -> Walk {
        let mut consumed = 0;
        while let Some((header, rest)) = octets[consumed..].split_first_chunk::<RECORD_HEADER>() {
            let field = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let (captured, length) = (field(4), field(8));
            if captured > MAX_PACKET || length > MAX_RECORD || u64::from(length) < RECORD_HEADER as u64 + u64::from(captured) {
                let why = format!("a record of {length} octets claims a packet of {captured}");
                return Walk { consumed, wanted: 0, damage: Some(why) };
            }
            let length = length as usize;
            let Some(body) = rest.get(..length - RECORD_HEADER) else {
                return Walk { consumed, wanted: length, damage: None };
            };
            // At most 2^32 seconds and 2^32 microseconds: below 2^64 nanoseconds.
            let time = Timestamp::from_nanos(u64::from(field(16)) * 1_000_000_000 + u64::from(field(20)) * 1_000);
            each(Record { time, link: self.link, data: &body[..captured as usize] });
            consumed += length;
        }
        Walk { consumed, wanted: RECORD_HEADER, damage: None }
    }
}
