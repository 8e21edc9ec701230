//! The pcap format: one header, then records of seconds, fraction, captured length, original length, octets.
//!
//! And its relatives: A. Kuznetzov's modified tcpdump of old Linux systems (FRITZ!Box routers write it to this day) has
//! eight octets more before each packet, IXIA's lcap has four more in front of all records, which count their octets.
//!
//! Sources: the IETF draft "PCAP Capture File Format" (draft-ietf-opsawg-pcap); for the relatives, libpcap's
//! `sf-pcap.c` and Wireshark's `wiretap/libpcap.c`.

use super::{LinkType, Record, Walk, u32_at};
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

/// Walks at once of [`Header::skip`], which cost about what one does as long as they wait for memory.
const WALKS: usize = 4;

/// Octets in which a boundary is looked for: a few packets.
const LOOKED_AT: usize = 8 << 10;

/// Seconds that packets of a block are hardly apart.
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

    /// Where a walk over `octets` may begin that is to find their end: at a boundary of records far in them.
    ///
    /// Each record tells where the next one begins, so that a walk waits for memory at each. Here several walks go on at
    /// once, from places that look like boundaries. Looks deceive; what counts is that a walk from the very start arrives
    /// there.
    pub(super) fn skip(&self, octets: &[u8]) -> usize {
        match (self.long, self.swapped) {
            (false, false) => self.skip_in::<false, RECORD_HEADER>(octets),
            (false, true) => self.skip_in::<true, RECORD_HEADER>(octets),
            (true, false) => self.skip_in::<false, LONG_RECORD_HEADER>(octets),
            (true, true) => self.skip_in::<true, LONG_RECORD_HEADER>(octets),
        }
    }

    fn skip_in<const SWAPPED: bool, const BEFORE: usize>(&self, octets: &[u8]) -> usize {
        let share = octets.len() / WALKS;
        if share < LOOKED_AT {
            return 0;
        }
        let first = u32_at(octets, 0, SWAPPED).unwrap_or(0);
        let behind = |at: usize| {
            let captured = u32_at(octets, at + 8, SWAPPED).filter(|captured| *captured <= MAX_PACKET)?;
            Some(at + BEFORE + captured as usize).filter(|behind| *behind <= octets.len())
        };
        let looks_like_one = |at: usize| {
            let header = [0, 4, 8, 12].map(|field| u32_at(octets, at + field, SWAPPED).unwrap_or(u32::MAX));
            let [seconds, fraction, captured, original] = header;
            seconds.abs_diff(first) < LONG && u64::from(fraction) * self.unit < 1_000_000_000 && captured <= original
        };
        let starts: [usize; WALKS] = std::array::from_fn(|walk| {
            let mut places = walk * share..walk * share + LOOKED_AT;
            let found = places.find(|at| looks_like_one(*at) && behind(*at).is_some_and(looks_like_one));
            if walk == 0 { 0 } else { found.unwrap_or(octets.len()) }
        });
        let mut places = starts;
        loop {
            let mut moved = false;
            for (walk, place) in places.iter_mut().enumerate() {
                let goal = starts.get(walk + 1).copied().unwrap_or(octets.len());
                if *place < goal
                    && let Some(behind) = behind(*place)
                {
                    *place = behind;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        // From walk to walk, as long as one arrives where the next began.
        starts.iter().zip(places).fold(0, |reached, (start, place)| if reached == *start { place } else { reached })
    }

    #[inline]
    fn walk_in<'o, const SWAPPED: bool, const BEFORE: usize>(&self, octets: &'o [u8], mut each: impl FnMut(Record<'o>)) -> Walk {
        let mut consumed = 0;
        while let Some((header, rest)) = octets[consumed..].split_first_chunk::<BEFORE>() {
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
                return Walk { consumed, wanted: BEFORE + captured as usize, damage: None };
            };
            // At most 2^32 seconds and 2^32 units of a microsecond: below 2^64 nanoseconds.
            let time = Timestamp::from_nanos(u64::from(field(0)) * 1_000_000_000 + u64::from(field(4)) * self.unit);
            each(Record { time, link: self.link, data });
            consumed += BEFORE + data.len();
        }
        Walk { consumed, wanted: BEFORE, damage: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record that claims `captured` octets.
    fn header(swapped: bool, long: bool, seconds: u32, captured: u32) -> Vec<u8> {
        let fields = [seconds, 7, captured, captured.max(60)];
        let mut octets: Vec<u8> =
            fields.iter().flat_map(|field| if swapped { field.to_be_bytes() } else { field.to_le_bytes() }).collect();
        octets.resize(if long { LONG_RECORD_HEADER } else { RECORD_HEADER }, 0);
        octets
    }

    proptest! {
        /// Walks from many places end where one from the start does, whatever packets hold that looks like a record.
        #[test]
        fn skipping_ends_where_walking_does(
            swapped: bool,
            long: bool,
            packets in prop::collection::vec((0_u32..1_500, 0_u32..3, any::<u16>()), 500..2_000),
            odd in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in 0_usize..2_000,
        ) {
            let file = Header { swapped, unit: 1_000, long, link: LinkType::ETHERNET };
            let mut octets = vec![];
            for (length, kind, other) in packets {
                let mut data = vec![0; length as usize];
                if kind > 0 {
                    // Packets full of records: such as lead astray, and such as lead back.
                    let fake = header(swapped, long, 1_238_500_000, if kind == 1 { other.into() } else { 0 });
                    data.iter_mut().zip(fake.iter().cycle()).for_each(|(octet, fake)| *octet = *fake);
                }
                octets.extend(header(swapped, long, 1_238_500_000 + u32::from(other), length));
                octets.extend(data);
            }
            for (place, value) in odd {
                let place = place.index(octets.len());
                octets[place] = value;
            }
            octets.truncate(octets.len().saturating_sub(cut));
            let skipped = file.skip(&octets);
            let (mut places, mut count) = (vec![0], 0);
            let whole = file.walk(&octets, |record| {
                count += record.data.len() + header(swapped, long, 0, 0).len();
                places.push(count);
            });
            prop_assert!(places.binary_search(&skipped).is_ok(), "{skipped} is no boundary");
            let rest = file.walk(&octets[skipped..], |_| {});
            prop_assert_eq!((skipped + rest.consumed, rest.wanted, rest.damage), (whole.consumed, whole.wanted, whole.damage));
        }
    }

    /// On what nearly all captures hold, hardly anything is left to walk.
    #[test]
    fn usual_captures_are_skipped() {
        let file = Header { swapped: false, unit: 1_000, long: false, link: LinkType::ETHERNET };
        let record = |place: u32| [header(false, false, 1_238_500_000 + place / 100, 90), vec![b'x'; 90]].concat();
        let octets: Vec<u8> = (0..5_000).flat_map(record).collect();
        assert_eq!(file.skip(&octets), octets.len());
    }
}
