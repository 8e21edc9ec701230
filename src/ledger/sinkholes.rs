//! Addresses to which a listed name may lead without alarm: sinkholes of defenders, pages of traders, dead ends of resolvers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::AnswerKind;

/// The table that is built in.
const BUILT_IN: &str = include_str!("sinkholes.csv");

/// Rows of a table, at most.
const MOST_ROWS: usize = 1 << 17;

/// Leading bits of an IPv4 address among those of IPv6.
const V4: u8 = 96;

/// Addresses that are known, by prefix; of several the longest counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sinkholes {
    rows: BTreeMap<(u8, u128), AnswerKind>,
    /// The lengths of prefixes that there are, the longest first.
    lengths: Vec<u8>,
}

impl Default for Sinkholes {
    /// Those that are built in.
    fn default() -> Self {
        Self::parse(BUILT_IN.as_bytes()).expect("a test reads the same text")
    }
}

impl Sinkholes {
    /// Reads a table: `prefix,kind` a line, of which the kind is `sinkhole`, `parking` or `blocked`; what follows a further comma,
    /// and lines that begin with `#`, are for people.
    ///
    /// # Errors
    /// One clause with the line that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8")?;
        let mut rows = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| format!("line {}: {why}", number + 1);
            let mut cells = line.split(',').map(str::trim);
            let (Some(prefix), Some(kind)) = (cells.next(), cells.next()) else {
                return Err(wrong("write prefix,kind"));
            };
            let prefix = prefix_of(prefix).map_err(wrong)?;
            let kinds = [AnswerKind::Sinkhole, AnswerKind::Parking, AnswerKind::Blocked];
            let kind = kinds.into_iter().find(|known| known.label() == kind);
            let kind = kind.ok_or_else(|| wrong("the kind is none of sinkhole, parking, blocked"))?;
            if rows.insert(prefix, kind).is_some_and(|before| before != kind) {
                return Err(wrong("the prefix has another kind in a line before"));
            }
            if rows.len() > MOST_ROWS {
                return Err(wrong("there are more rows than can be held, 131,072"));
            }
        }
        let mut lengths: Vec<u8> = rows.keys().map(|(length, _)| *length).rev().collect();
        lengths.dedup();
        Ok(Self { rows, lengths })
    }

    /// What an address is; nothing where that is not known. What leads nowhere on the Internet was blocked by a resolver.
    pub(super) fn kind_of(&self, address: IpAddr) -> Option<AnswerKind> {
        let address = embedded(address);
        let bits = bits(address);
        let row = self.lengths.iter().find_map(|length| self.rows.get(&(*length, bits & mask(*length))));
        row.copied().or_else(|| leads_nowhere(address).then_some(AnswerKind::Blocked))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Length and bits of a prefix.
fn prefix_of(text: &str) -> Result<(u8, u128), &'static str> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().map_err(|_| "the prefix has no address")?;
    let (least, most) = if address.is_ipv4() { (V4, 32) } else { (0, 128) };
    let length = length.map_or(Ok(most), str::parse).ok().filter(|length| *length <= most);
    let length = length.ok_or("the prefix has no length, or too long a one")? + least;
    let bits = bits(address);
    if bits & !mask(length) > 0 { Err("the address has bits beyond its prefix") } else { Ok((length, bits)) }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}

const fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - length as u32) }
}

/// The IPv4 address in one of IPv6, where it is one that a resolver made for hosts without IPv4 (RFC 6052).
fn embedded(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xFF9B, 0, 0, 0, 0] => Ipv4Addr::from(u128::from(v6) as u32).into(),
        address => address.to_canonical(),
    }
}

/// Whether an address is of no host that the Internet reaches: unspecified, loopback, private, link-local, shared, for
/// benchmarks, multicast or reserved (RFC 6890). Addresses of documents are none of these: examples need some that are reached.
fn leads_nowhere(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private()
                || matches!((first, second), (0 | 127 | 224.., _) | (100, 64..=127) | (169, 254) | (198, 18..=19))
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            address.is_unspecified()
                || address.is_loopback()
                || first & 0xFE00 == 0xFC00
                || first & 0xFFC0 == 0xFE80
                || first & 0xFF00 == 0xFF00
                // Discard-only (RFC 6666).
                || address.segments()[..4] == [0x100, 0, 0, 0]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_addresses_are() {
        let own = b"# own\n192.0.2.0/24,sinkhole,ours\n 192.0.2.128/25 , parking\n2001:db8::/32,blocked\n10.1.2.3,sinkhole,lab\n";
        let own = Sinkholes::parse(own).unwrap();
        let built_in = Sinkholes::default();
        assert_eq!((own.len(), own.is_empty()), (4, false));
        for (address, in_own, in_built_in) in [
            ("192.0.2.127", "sinkhole", ""),
            ("192.0.2.128", "parking", ""),
            ("::ffff:192.0.2.128", "parking", ""),
            ("64:ff9b::192.0.2.1", "sinkhole", ""),
            ("2001:db8::1", "blocked", ""),
            ("10.1.2.3", "sinkhole", "blocked"),
            ("10.1.2.4", "blocked", "blocked"),
            ("38.229.70.125", "", "sinkhole"),
            ("38.229.70.126", "", ""),
            ("91.195.241.7", "", "parking"),
            ("91.195.242.7", "", ""),
            ("146.112.61.110", "", "blocked"),
            ("0.0.0.0", "blocked", "blocked"),
            ("127.0.0.53", "blocked", "blocked"),
            ("172.31.0.1", "blocked", "blocked"),
            ("172.32.0.1", "", ""),
            ("100.127.0.1", "blocked", "blocked"),
            ("100.128.0.1", "", ""),
            ("169.254.1.1", "blocked", "blocked"),
            ("198.19.0.1", "blocked", "blocked"),
            ("224.0.0.1", "blocked", "blocked"),
            ("255.255.255.255", "blocked", "blocked"),
            ("223.255.255.255", "", ""),
            ("::", "blocked", "blocked"),
            ("::1", "blocked", "blocked"),
            ("64:ff9b::127.0.0.1", "blocked", "blocked"),
            ("fd00::1", "blocked", "blocked"),
            ("fe80::1", "blocked", "blocked"),
            ("ff02::1", "blocked", "blocked"),
            ("100::1", "blocked", "blocked"),
            ("2a00::1", "", ""),
        ] {
            let kind = |table: &Sinkholes| table.kind_of(address.parse().unwrap()).map_or("", AnswerKind::label);
            assert_eq!((kind(&own), kind(&built_in)), (in_own, in_built_in), "{address}");
        }
        assert!(Sinkholes::parse(b"").unwrap().is_empty());
        assert_eq!(Sinkholes::parse(b"0.0.0.0/0,parking").unwrap().kind_of([9; 4].into()), Some(AnswerKind::Parking));
    }

    #[test]
    fn rows_that_are_wrong_are_named() {
        for (text, expected) in [
            (&b"192.0.2.0/24"[..], "line 1: write prefix,kind"),
            (b"#\n\n192.0.2.1/24,sinkhole", "line 3: the address has bits beyond its prefix"),
            (b"192.0.2.0/33,sinkhole", "line 1: the prefix has no length, or too long a one"),
            (b"192.0.2.0/-1,sinkhole", "line 1: the prefix has no length, or too long a one"),
            (b"a.example,sinkhole", "line 1: the prefix has no address"),
            (b"192.0.2.1,tarpit", "line 1: the kind is none of sinkhole, parking, blocked"),
            (b"192.0.2.1,parking\n192.0.2.1/32,blocked", "line 2: the prefix has another kind in a line before"),
            (b"\xFF", "is not UTF-8"),
        ] {
            assert_eq!(Sinkholes::parse(text), Err(expected.to_owned()), "{text:?}");
        }
    }

    /// Rows that are shipped say whose address it is, who says so, and of when that is.
    #[test]
    fn built_in_rows_have_their_sources() {
        let rows: Vec<&str> = BUILT_IN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(rows.len(), Sinkholes::default().len());
        for row in rows {
            let cells: Vec<&str> = row.split(',').collect();
            let [_, _, who, source, when] = cells[..] else { panic!("{row}") };
            assert!(who.len() > 3 && source.len() > 8 && when.contains("20"), "{row}");
        }
    }
}
