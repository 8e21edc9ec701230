//! The pcap format: one header, then records of seconds, fraction, captured length, original length, octets.
//!
//! And its relatives: A. Kuznetzov's modified tcpdump of old Linux systems (FRITZ!Box routers write it to this day) has
//! eight octets more before each packet, IXIA's lcap has four more in front of all records, which count their octets.
//!
//! Sources: the IETF draft "PCAP Capture File Format" (draft-ietf-opsawg-pcap); for the relatives, libpcap's
//! `sf-pcap.c` and Wireshark's `wiretap/libpcap.c`.

use super::{Each, LinkType, Record, Walk, u32_at};
use crate::day::Timestamp;

/// Octets of the header of a file.
const HEADER: usize = 24;

/// Octets more in IXIA's.
const IXIA: usize = 4;

/// Octets before the packet in each record.
const RECORD_HEADER: usize = 16;

/// The same, as modified.
const LONG_RECORD_HEADER: usize = 24;

/// The longest packet that a record can claim: libpcap's `MAXIMUM_SNAPLEN`, which no common writer exceeds.
pub(super) const MAX_PACKET: u32 = 262_144;

/// The longest record.
pub(super) const MAX_RECORD: usize = LONG_RECORD_HEADER + MAX_PACKET as usize;

/// Octets in which the beginning of a record is looked for: no packet of IP is longer.
const LOOKED_AT: usize = 64 << 10;

/// Records in a row that must look like some.
const IN_A_ROW: usize = 3;

/// Seconds that packets in a row are hardly apart.
const LONG: u32 = 1 << 16;

/// What the header of a file says about its records.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Whether numbers are big-endian.
    swapped: bool,
    /// Nanoseconds in a unit of the fraction.
    unit: u64,
    /// Whether records have the longer header.
    long: bool,
    link: LinkType,
}

impl Header {
    /// Reads the header of a file, if it is one, and tells how many octets it takes.
    pub(super) fn read(octets: &[u8]) -> Option<(Self, usize)> {
        let magic = u32_at(octets, 0, false)?;
        // The most significant octet, first in a big-endian file.
        let swapped = matches!(octets[0], 0xA1 | 0x1C);
        let (unit, long, length) = match if swapped { magic.swap_bytes() } else { magic } {
            0xA1B2_C3D4 => (1_000, false, HEADER),
            0xA1B2_3C4D => (1, false, HEADER),
            0xA1B2_CD34 => (1_000, true, HEADER),
            // By hardware and by software.
            0x1C00_01AC => (1, false, HEADER + IXIA),
            0x1C00_01AB => (1_000, false, HEADER + IXIA),
            _ => return None,
        };
        // The upper bits tell whether frames end with a checksum, which no reader of ours looks at.
        let link = LinkType(u32_at(octets.get(..length)?, 20, swapped)? & 0x0FFF_FFFF);
        Some((Self { swapped, unit, long, link }, length))
    }

    /// Whether it is laid out as nearly all are.
    pub(super) fn is_usual(&self) -> bool {
        !self.long && !self.swapped && self.link == LinkType::ETHERNET
    }

    /// See [`super::Layout::walk_into`]: of a file that is laid out so.
    #[inline(never)]
    pub(super) fn walk_usual<'o>(&self, octets: &'o [u8], mut each: impl Each<'o>) -> Walk {
        // A constant is asked for nothing.
        self.walk_in::<false, RECORD_HEADER>(octets, |record| each.take(Record { link: LinkType::ETHERNET, ..record }))
    }

    /// See [`super::Layout::walk`].
    #[inline]
    pub(super) fn walk<'o>(&self, octets: &'o [u8], each: impl FnMut(Record<'o>)) -> Walk {
        // Loops of their own, so that none asks for each number how to read it.
        match (self.long, self.swapped) {
            (false, false) => self.walk_in::<false, RECORD_HEADER>(octets, each),
            (false, true) => self.walk_in::<true, RECORD_HEADER>(octets, each),
            (true, false) => self.walk_in::<false, LONG_RECORD_HEADER>(octets, each),
            (true, true) => self.walk_in::<true, LONG_RECORD_HEADER>(octets, each),
        }
    }

    /// Octets of the record that `octets` begin with, as it tells.
    pub(super) fn first(&self, octets: &[u8]) -> Option<usize> {
        Some(self.before() + u32_at(octets, 8, self.swapped)? as usize)
    }

    /// Octets before a packet.
    const fn before(&self) -> usize {
        if self.long { LONG_RECORD_HEADER } else { RECORD_HEADER }
    }

    /// Where the first record seems to begin in octets from anywhere in a file.
    pub(super) fn look_for_one(&self, octets: &[u8]) -> Option<usize> {
        let field = |at: usize| u32_at(octets, at, self.swapped);
        // Where the next one begins, if one begins there.
        let behind = |at: usize, first: u32| {
            let (seconds, fraction, captured, original) = (field(at)?, field(at + 4)?, field(at + 8)?, field(at + 12)?);
            // What begins four octets into a header looks like one but for its last number.
            let is_one = (1..=original).contains(&captured)
                && original <= MAX_PACKET
                && u64::from(fraction) * self.unit < 1_000_000_000
                && seconds.abs_diff(first) < LONG;
            is_one.then_some(at + self.before() + captured as usize)
        };
        (0..octets.len().min(LOOKED_AT)).find(|at| {
            let first = field(*at).unwrap_or(0);
            let mut next = behind(*at, first);
            for _ in 1..IN_A_ROW {
                // What is cut by the end of the octets cannot be looked at.
                next = next.and_then(|at| if at + RECORD_HEADER > octets.len() { Some(at) } else { behind(at, first) });
            }
            next.is_some()
        })
    }

    #[inline]
    fn walk_in<'o, const SWAPPED: bool, const BEFORE: usize>(&self, octets: &'o [u8], mut each: impl FnMut(Record<'o>)) -> Walk {
        let mut left = octets;
        while let Some((header, rest)) = left.split_first_chunk::<BEFORE>() {
            let field = |at: usize| {
                let octets = [header[at], header[at + 1], header[at + 2], header[at + 3]];
                if SWAPPED { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
            };
            let captured = field(8);
            if captured > MAX_PACKET {
                return Walk { consumed: octets.len() - left.len(), wanted: 0, damage: Some(too_long(captured)) };
            }
            let Some((data, rest)) = rest.split_at_checked(captured as usize) else {
                return Walk { consumed: octets.len() - left.len(), wanted: BEFORE + captured as usize, damage: None };
            };
            // At most 2^32 seconds and 2^32 units of a microsecond: below 2^64 nanoseconds.
            let time = Timestamp::from_nanos(u64::from(field(0)) * 1_000_000_000 + u64::from(field(4)) * self.unit);
            each(Record { time, link: self.link, data });
            left = rest;
        }
        Walk { consumed: octets.len() - left.len(), wanted: BEFORE, damage: None }
    }
}

/// Apart, so that the loop need not keep the number in memory for it.
#[cold]
#[inline(never)]
fn too_long(captured: u32) -> String {
    format!("a packet claims {captured} octets, more than {MAX_PACKET}")
}
