//! The pcapng format: typed blocks, in sections that each have a byte order and interfaces of their own.
//!
//! Source: the IETF draft "PCAP Next Generation (pcapng) Capture File Format" (draft-ietf-opsawg-pcapng).

use std::sync::Arc;

use super::{LinkType, Record, Walk, u16_at, u32_at};
use crate::day::Timestamp;

/// The type of the block that opens a section, the same in both byte orders.
const SECTION: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const INTERFACE: u32 = 1;
/// Obsolete, but still found.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, length, and the length again at the end.
const FRAME: usize = 12;

/// The longest block, to bound what a false length can make us hold; libpcap's bound too.
const MAX_BLOCK: u32 = 16 << 20;

/// The most interfaces of a section, to bound what a file of nothing else can make us hold.
const MAX_INTERFACES: usize = 65_536;

/// The section that is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    swapped: bool,
    /// Shared, because the layout is copied with every block that is given away.
    interfaces: Arc<Vec<Interface>>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Octets kept of each packet, 0 for all.
    snap_length: u32,
    resolution: Resolution,
    /// Seconds to add to each time.
    offset: i64,
}

/// How long a tick lasts.
#[derive(Clone, Copy, Debug)]
enum Resolution {
    /// Nanoseconds.
    Multiple(u64),
    /// Parts of a nanosecond: so many make one.
    Fraction(u64),
    /// 2 to the power of minus this, in seconds.
    Binary(u32),
}

impl Section {
    /// Whether an input begins with a section.
    pub(super) fn begins(octets: &[u8]) -> bool {
        u32_at(octets, 0, false) == Some(SECTION)
            && u32_at(octets, 8, false).is_some_and(|magic| magic == BYTE_ORDER || magic.swap_bytes() == BYTE_ORDER)
    }

    /// See [`super::Layout::walk`].
    #[inline]
    pub(super) fn walk<'o>(&mut self, octets: &'o [u8], mut each: impl FnMut(Record<'o>)) -> Walk {
        let mut consumed = 0;
        loop {
            let rest = &octets[consumed..];
            let block = match self.block(rest) {
                Ok(Some(block)) => block,
                Ok(None) => return Walk { consumed, wanted: FRAME, damage: None },
                Err(why) => return Walk { consumed, wanted: 0, damage: Some(why) },
            };
            let Some(body) = rest.get(8..block.length - 4) else {
                return Walk { consumed, wanted: block.length, damage: None };
            };
            let Some(again) = u32_at(rest, block.length - 4, self.swapped) else {
                return Walk { consumed, wanted: block.length, damage: None };
            };
            let outcome = if again as usize == block.length {
                self.read(block.kind, body)
            } else {
                Err("a block gives two lengths".to_owned())
            };
            match outcome {
                Ok(Some(record)) => each(record),
                Ok(None) => {}
                Err(why) => return Walk { consumed, wanted: 0, damage: Some(why) },
            }
            consumed += block.length;
        }
    }

    /// Reads what frames a block: nothing when that is not whole. A new section sets the byte order.
    #[inline]
    fn block(&mut self, octets: &[u8]) -> Result<Option<Block>, String> {
        let (Some(kind), Some(mut length)) = (u32_at(octets, 0, self.swapped), u32_at(octets, 4, self.swapped)) else {
            return Ok(None);
        };
        if kind == SECTION {
            let Some(magic) = u32_at(octets, 8, false) else { return Ok(None) };
            self.swapped = match magic {
                BYTE_ORDER => false,
                _ if magic.swap_bytes() == BYTE_ORDER => true,
                _ => return Err(format!("a section has the byte-order mark {magic:#010x}")),
            };
            length = u32_at(octets, 4, self.swapped).unwrap_or(0);
        }
        if !(FRAME as u32..=MAX_BLOCK).contains(&length) || length % 4 > 0 {
            return Err(format!("a block claims {length} octets: not a multiple of 4 between {FRAME} and {MAX_BLOCK}"));
        }
        Ok(Some(Block { kind, length: length as usize }))
    }

    /// Reads the body of a block: its packet, if it holds one.
    #[inline]
    fn read<'a>(&mut self, kind: u32, body: &'a [u8]) -> Result<Option<Record<'a>>, String> {
        match kind {
            ENHANCED_PACKET => self.packet(body, u32_at(body, 0, self.swapped).unwrap_or(0)).map(Some),
            PACKET => self.packet(body, u16_at(body, 0, self.swapped).unwrap_or(0).into()).map(Some),
            SIMPLE_PACKET => self.simple_packet(body).map(Some),
            SECTION => {
                self.interfaces = Arc::default();
                Ok(None)
            }
            INTERFACE => self.interface(body).map(|()| None),
            _ => Ok(None),
        }
    }

    /// Both kinds of packet block with a time: interface (and drops), time high and low, captured and original length, octets.
    #[inline]
    fn packet<'a>(&self, body: &'a [u8], interface: u32) -> Result<Record<'a>, String> {
        let interface = self
            .interfaces
            .get(interface as usize)
            .ok_or_else(|| format!("a packet is of interface {interface}, which was not described"))?;
        let field = |at| u32_at(body, at, self.swapped).ok_or("a packet block is too short");
        let (high, low, captured) = (field(4)?, field(8)?, field(12)?);
        let data =
            body.get(20..).and_then(|octets| octets.get(..captured as usize)).ok_or("a packet is longer than its block")?;
        let ticks = u64::from(high) << 32 | u64::from(low);
        Ok(Record { time: interface.time(ticks), link: interface.link, data })
    }

    /// Original length and octets, of the first interface; it has no time.
    #[cold]
    fn simple_packet<'a>(&self, body: &'a [u8]) -> Result<Record<'a>, String> {
        let interface = self.interfaces.first().ok_or("a packet comes before any interface was described")?;
        let original = u32_at(body, 0, self.swapped).ok_or("a packet block is too short")?;
        let kept = if interface.snap_length == 0 { original } else { original.min(interface.snap_length) };
        // The rest of the block is padding; a writer that kept less than it claims is believed.
        let data = &body[4..];
        Ok(Record { time: Timestamp::default(), link: interface.link, data: &data[..data.len().min(kept as usize)] })
    }

    /// Link type, reserved, snap length, options.
    #[cold]
    fn interface(&mut self, body: &[u8]) -> Result<(), String> {
        let (link, snap_length) =
            u16_at(body, 0, self.swapped).zip(u32_at(body, 4, self.swapped)).ok_or("an interface block is too short")?;
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(format!("a section describes more than {MAX_INTERFACES} interfaces"));
        }
        let mut interface =
            Interface { link: LinkType(link.into()), snap_length, resolution: Resolution::Multiple(1_000), offset: 0 };
        let mut options = &body[8..];
        while let (Some(code @ 1..), Some(length)) = (u16_at(options, 0, self.swapped), u16_at(options, 2, self.swapped)) {
            let Some(value) = options.get(4..4 + usize::from(length)) else { break };
            match (code, value) {
                // if_tsresol: the highest bit chooses the base, the others are the negative exponent.
                (9, [exponent, ..]) => interface.resolution = Resolution::new(*exponent),
                (14, value) => {
                    let octets = value.first_chunk::<8>().copied().unwrap_or_default();
                    interface.offset = if self.swapped { i64::from_be_bytes(octets) } else { i64::from_le_bytes(octets) };
                }
                _ => {}
            }
            options = options.get(4 + usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        }
        Arc::make_mut(&mut self.interfaces).push(interface);
        Ok(())
    }
}

struct Block {
    kind: u32,
    length: usize,
}

impl Resolution {
    const fn new(octet: u8) -> Self {
        let exponent = (octet & 0x7F) as u32;
        match (octet >> 7, exponent) {
            (0, 0..=9) => Self::Multiple(10_u64.pow(9 - exponent)),
            // 10^19 is the highest power below 2^64; ticks shorter than that never add up to a nanosecond.
            (0, 10..=28) => Self::Fraction(10_u64.pow(exponent - 9)),
            (0, _) => Self::Fraction(u64::MAX),
            _ => Self::Binary(exponent),
        }
    }
}

impl Interface {
    #[inline]
    fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.resolution {
            Resolution::Multiple(nanos) => ticks.saturating_mul(nanos),
            Resolution::Fraction(parts) => ticks / parts,
            Resolution::Binary(exponent) => {
                let nanos = (u128::from(ticks) * 1_000_000_000).checked_shr(exponent).unwrap_or(0);
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        };
        if self.offset == 0 {
            return Timestamp::from_nanos(nanos);
        }
        let shift = i128::from(self.offset) * 1_000_000_000;
        let shifted = (i128::from(nanos) + shift).clamp(0, u64::MAX.into());
        // Within the bounds of u64.
        Timestamp::from_nanos(shifted as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_nanoseconds() {
        let rows = [
            (6, 0, 1_000_001, 1_000_001_000),
            (9, 0, 7, 7),
            (0, 0, 3, 3_000_000_000),
            (12, 0, 5_000, 5),
            (28, 0, u64::MAX, 1),
            (127, 0, u64::MAX, 1),
            (0x80, 0, 2, 2_000_000_000),
            (0x80 | 20, 0, 1 << 20, 1_000_000_000),
            (0x80 | 127, 0, u64::MAX, 0),
            (0, 0, u64::MAX, u64::MAX),
            (9, 1, 5, 1_000_000_005),
            (9, -1, 5, 0),
            (9, i64::MAX, 5, u64::MAX),
            (9, i64::MIN, u64::MAX, 0),
        ];
        for (exponent, offset, ticks, nanos) in rows {
            let interface = Interface { link: LinkType::RAW, snap_length: 0, resolution: Resolution::new(exponent), offset };
            assert_eq!(interface.time(ticks).as_nanos(), nanos, "{exponent} {offset} {ticks}");
        }
    }
}
