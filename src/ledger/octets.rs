//! Numbers and texts as octets, and back: what the form in which a ledger is written down is made of.
//!
//! Numbers take seven bits an octet, lowest first, the highest bit telling that more follow. Nothing that is read is
//! believed: a count sets nothing aside, and the end of the octets is the end.

use std::io::{self, Write};
use std::net::IpAddr;

/// Writes, and takes the checksum of what was written.
pub(super) struct Encoder<'w, W: Write> {
    out: &'w mut W,
    checksum: crc32fast::Hasher,
}

impl<'w, W: Write> Encoder<'w, W> {
    pub(super) fn new(out: &'w mut W) -> Self {
        Self { out, checksum: crc32fast::Hasher::new() }
    }

    pub(super) fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.checksum.update(octets);
        self.out.write_all(octets)
    }

    pub(super) fn number(&mut self, mut number: u64) -> io::Result<()> {
        let mut octets = [0; 10];
        let mut length = 0;
        loop {
            octets[length] = number as u8 & 0x7F;
            number >>= 7;
            length += 1;
            if number == 0 {
                return self.octets(&octets[..length]);
            }
            octets[length - 1] |= 0x80;
        }
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.number(text.len() as u64)?;
        self.octets(text.as_bytes())
    }

    pub(super) fn address(&mut self, address: IpAddr) -> io::Result<()> {
        match address {
            IpAddr::V4(address) => {
                self.octets(&[4])?;
                self.octets(&address.octets())
            }
            IpAddr::V6(address) => {
                self.octets(&[6])?;
                self.octets(&address.octets())
            }
        }
    }

    /// The checksum of all before.
    pub(super) fn finish(self) -> io::Result<()> {
        let checksum = self.checksum.finalize();
        self.out.write_all(&checksum.to_le_bytes())
    }
}

/// Reads what an [`Encoder`] wrote. `None` is the end, or what cannot be.
pub(super) struct Decoder<'o>(&'o [u8]);

impl<'o> Decoder<'o> {
    /// Over octets whose checksum fits.
    pub(super) fn new(octets: &'o [u8]) -> Option<Self> {
        let (rest, checksum) = octets.split_last_chunk::<4>()?;
        (crc32fast::hash(rest) == u32::from_le_bytes(*checksum)).then_some(Self(rest))
    }

    pub(super) const fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn octets(&mut self, count: usize) -> Option<&'o [u8]> {
        let (octets, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(octets)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (octets, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*octets)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [octet] = self.array()?;
            let bits = u64::from(octet & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number that fits into its type.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        self.number()?.try_into().ok()
    }

    pub(super) fn text(&mut self) -> Option<&'o str> {
        let length = self.small()?;
        std::str::from_utf8(self.octets(length)?).ok()
    }

    pub(super) fn address(&mut self) -> Option<IpAddr> {
        self.address_or_none()?
    }

    /// An address, or an octet of zero for none.
    pub(super) fn address_or_none(&mut self) -> Option<Option<IpAddr>> {
        match self.array()? {
            [0] => Some(None),
            [4] => Some(Some(self.array::<4>()?.into())),
            [6] => Some(Some(self.array::<16>()?.into())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, u64::MAX >> bit]);
        for number in numbers {
            let mut out = vec![];
            let mut encoder = Encoder::new(&mut out);
            encoder.number(number).unwrap();
            encoder.finish().unwrap();
            let mut decoder = Decoder::new(&out).unwrap();
            assert_eq!((decoder.number(), decoder.left()), (Some(number), 0));
        }
        for octets in [&[0x80; 3][..], &[0xFF; 11], &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02]] {
            assert_eq!(Decoder(octets).number(), None);
        }
    }
}
