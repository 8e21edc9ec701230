//! 802.11 data frames, and the headers that captures put in front of them.
//!
//! Sources: IEEE 802.11-2020 §9.2.4 (frame fields), §9.3.2 (data frames); radiotap.org; the Prism and AVS headers of
//! the linux-wlan-ng project.

use super::{Layer, Outcome, u16_at};

/// The radiotap field `flags` says that the header is padded to a multiple of four octets.
const PADDED: u8 = 0x20;

/// An 802.11 frame: what a data frame carries.
pub(super) fn frame(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    body(data, false)
}

/// Radiotap: version, pad, length (little-endian), a word of which fields there are.
pub(super) fn radiotap(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    let length = usize::from(u16_at(data, 2)?.swap_bytes());
    let present = data.get(4..8).ok_or(Outcome::Short)?;
    let frame = data.get(length..).ok_or(Outcome::Short)?;
    // Bit 31 announces another word of fields; bit 0 is a time stamp of eight octets, aligned; bit 1 the flags.
    let mut fields = 8;
    let mut word = present;
    while word[3] & 0x80 > 0 {
        word = data.get(fields..fields + 4).ok_or(Outcome::Short)?;
        fields += 4;
    }
    if present[0] & 1 > 0 {
        fields = fields.next_multiple_of(8) + 8;
    }
    let flags = if present[0] & 2 > 0 { *data.get(fields).ok_or(Outcome::Short)? } else { 0 };
    body(frame, flags & PADDED > 0)
}

/// AVS: a magic number and the length, big-endian.
pub(super) fn avs(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    let length = data.get(4..8).and_then(|octets| octets.first_chunk()).ok_or(Outcome::Short)?;
    body(data.get(u32::from_be_bytes(*length) as usize..).ok_or(Outcome::Short)?, false)
}

/// Prism: 144 octets; some drivers write an AVS header instead, which begins with its magic number.
pub(super) fn prism(data: &[u8]) -> Result<(Layer<'_>, &[u8]), Outcome> {
    if data.starts_with(&[0x80, 0x21, 0x10]) {
        return avs(data);
    }
    body(data.get(144..).ok_or(Outcome::Short)?, false)
}

fn body(data: &[u8], padded: bool) -> Result<(Layer<'_>, &[u8]), Outcome> {
    let &[control, flags, ..] = data else { return Err(Outcome::Short) };
    // Type 2 is data; of its subtypes, bit 2 means that there is none.
    if control & 0x0C != 0x08 || control & 0x40 > 0 {
        return Err(Outcome::NotIp);
    }
    // Encrypted.
    if flags & 0x40 > 0 {
        return Err(Outcome::Encapsulated);
    }
    let between_stations = flags & 3 == 3;
    let mut header = if between_stations { 30 } else { 24 };
    let mut aggregated = false;
    if control & 0x80 > 0 {
        // Quality of service: two octets more, and four where the order bit announces HT control.
        aggregated = data.get(header).ok_or(Outcome::Short)? & 0x80 > 0;
        header += if flags & 0x80 > 0 { 6 } else { 2 };
    }
    // A fragment of a frame that is not the first, or not the last.
    let sequence = u16_at(data, 22)?.swap_bytes();
    if flags & 4 > 0 || sequence & 15 > 0 {
        return Err(Outcome::Encapsulated);
    }
    if padded {
        header = header.next_multiple_of(4);
    }
    // Several frames in one: each begins with addresses and a length. The first is read.
    if aggregated {
        header += 14;
    }
    Ok((Layer::Llc, data.get(header..).ok_or(Outcome::Short)?))
}
