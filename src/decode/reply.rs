//! For how long a cache keeps an answer.
//!
//! Only called for answers about listed names, which are few; reads each record once and follows no pointer.

/// Octets of the header.
const HEADER: usize = 12;

/// The type of the record that speaks of a zone.
const SOA: u16 = 6;

/// The seconds for which whoever gets this response may keep it: the shortest of the answers, where there are any; else of
/// the zone's SOA record the lesser of its lifetime and its last field (RFC 2308, section 5). Nothing when it does not tell,
/// or is damaged before it does.
pub(crate) fn lifetime(message: &[u8]) -> Option<u32> {
    const NOERROR: u8 = 0;
    const NXDOMAIN: u8 = 3;
    let (header, _) = message.split_first_chunk::<HEADER>()?;
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    if !matches!(header[3] & 15, NOERROR | NXDOMAIN) {
        return None;
    }
    let mut at = HEADER;
    for _ in 0..count(4) {
        at = after_name(message, at)? + 4;
    }
    let mut shortest: Option<u32> = None;
    for _ in 0..count(6) {
        let record = Record::at(message, at)?;
        shortest = Some(shortest.map_or(record.lifetime, |shortest| shortest.min(record.lifetime)));
        at = record.end;
    }
    // A chain of aliases that ends in nothing is kept by the SOA record's word too; the shortest counts.
    for _ in 0..count(8) {
        let record = Record::at(message, at)?;
        if record.kind == SOA {
            let last = record.data.last_chunk::<4>()?;
            let told = record.lifetime.min(u32::from_be_bytes(*last));
            return Some(shortest.map_or(told, |shortest| shortest.min(told)));
        }
        at = record.end;
    }
    shortest
}

struct Record<'a> {
    kind: u16,
    lifetime: u32,
    data: &'a [u8],
    end: usize,
}

impl<'a> Record<'a> {
    fn at(message: &'a [u8], at: usize) -> Option<Self> {
        let at = after_name(message, at)?;
        let fixed = message.get(at..)?.first_chunk::<10>()?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let end = at + fixed.len() + length;
        // The highest bit means zero (RFC 2181, section 8).
        let lifetime = i32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]).max(0).unsigned_abs();
        let data = message.get(at + fixed.len()..end)?;
        Some(Self { kind: u16::from_be_bytes([fixed[0], fixed[1]]), lifetime, data, end })
    }
}

/// Where the name at a place ends.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *message.get(at)?;
        match length >> 6 {
            0 if length == 0 => return Some(at + 1),
            0 => at += 1 + usize::from(length),
            3 => return Some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response about a.com with these records, of types, lifetimes and data.
    fn response(rcode: u8, answers: &[(u16, u32, &[u8])], authority: &[(u16, u32, &[u8])]) -> Vec<u8> {
        let mut message = vec![0, 1, 0x81, 0x80 | rcode, 0, 1, 0, answers.len() as u8, 0, authority.len() as u8, 0, 0];
        message.extend(b"\x01a\x03com\x00\x00\x01\x00\x01");
        for (kind, lifetime, data) in answers.iter().chain(authority) {
            message.extend(b"\xC0\x0C");
            message.extend(kind.to_be_bytes());
            message.extend([0, 1]);
            message.extend(lifetime.to_be_bytes());
            message.extend((data.len() as u16).to_be_bytes());
            message.extend(*data);
        }
        message
    }

    /// Primary, mailbox, serial and three times, then this one.
    fn soa(last: u32) -> Vec<u8> {
        [&b"\x01a\xC0\x0E\x01b\xC0\x0E"[..], &[9; 16], &last.to_be_bytes()].concat()
    }

    #[test]
    fn answers_and_absence() {
        let soa = soa(900);
        for (message, expected) in [
            (response(3, &[], &[(SOA, 3_600, &soa)]), Some(900)),
            (response(3, &[], &[(SOA, 300, &soa)]), Some(300)),
            (response(0, &[], &[(2, 5, b"\x00"), (SOA, 3_600, &soa)]), Some(900)),
            (response(0, &[(1, 60, &[192, 0, 2, 1]), (1, 50, &[192, 0, 2, 2])], &[]), Some(50)),
            (response(3, &[(5, 70, b"\x00")], &[(SOA, 3_600, &soa)]), Some(70)),
            (response(3, &[], &[]), None),
            (response(2, &[], &[(SOA, 3_600, &soa)]), None),
            (response(3, &[], &[(SOA, 1 << 31, &soa)]), Some(0)),
            (response(3, &[], &[(SOA, 9, b"abc")]), None),
        ] {
            assert_eq!(lifetime(&message), expected, "{message:?}");
            // Wherever it is cut, it ends.
            for length in 0..message.len() {
                lifetime(&message[..length]);
            }
        }
        assert_eq!(lifetime(b"\0\x01\x81\x83\0\x01\0\0\0\x01\0\0\x81"), None);
    }
}
