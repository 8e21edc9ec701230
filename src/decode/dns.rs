//! Finds the question of a DNS message without allocating.
//!
//! ```text
//!      0      2      4      6      8      10     12
//!      +------+------+------+------+------+------+---- - -
//!      |  id  | flags|  qd  |  an  |  ns  |  ar  | name, type, class
//!      +------+------+------+------+------+------+---- - -
//! ```
//!
//! Reads the first question only: more than one means nothing that servers agree on (RFC 9619). Type, class, opcode,
//! reserved bits, and whatever stands behind the question, decide nothing here: a sensor that refuses what a
//! resolver answers is blind to it.
//!
//! Invariants
//! * Each octet of the question is read at most a few times, and none outside `message`.
//! * At most [`MAX_POINTERS`] compression pointers are followed, and a name never exceeds 255 octets.
//!
//! Sources: RFC 1035 §4.1.1 (header), §4.1.2 (question), §3.1 (name limits), §4.1.4 (pointers); RFC 9267 (what goes wrong).

use crate::name::{MAX_LABEL, MAX_OCTETS, RawName};

/// Octets of the header.
pub(super) const HEADER: usize = 12;

/// Octets of a question for the root: its name, type and class.
pub(super) const SHORTEST_QUESTION: usize = 1 + 2 + 2;

/// Each pointer of an honest name has a label before it, so there are fewer than labels in the longest name.
const MAX_POINTERS: usize = MAX_OCTETS / 2;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Links a response to its query.
    pub id: u16,
    /// The third and fourth octet.
    flags: u16,
    /// Questions claimed.
    questions: u16,
}

impl Header {
    /// The QR bit.
    #[inline]
    pub const fn is_response(self) -> bool {
        self.flags & 0x8000 > 0
    }

    /// The RD bit: whether the asker wants the answer, not a referral. Responses repeat it.
    #[inline]
    pub const fn wants_recursion(self) -> bool {
        self.flags & 0x0100 > 0
    }

    /// Kind of query, 0 to 15.
    pub const fn opcode(self) -> u8 {
        (self.flags >> 11 & 15) as u8
    }

    /// Kind of response, 0 to 15.
    pub const fn rcode(self) -> u8 {
        (self.flags & 15) as u8
    }
}

/// The first question of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The name asked for.
    pub name: RawName<'a>,
    /// QTYPE.
    pub kind: u16,
    /// QCLASS.
    pub class: u16,
}

/// A question that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Reads header and first question. `None` when there is not even a header.
///
/// A name in pieces is put together in `scratch`.
pub(super) fn message<'a>(
    message: &'a [u8],
    scratch: &'a mut [u8; MAX_OCTETS],
) -> Option<(Header, Result<Option<Question<'a>>, Unreadable>)> {
    if let Some((header, question)) = plain(message) {
        return Some((header, Ok(question)));
    }
    let (header, body) = header(message)?;
    let question = in_pieces(message, HEADER, scratch).and_then(|name| question(name.name, body.get(name.length..)?));
    Some((header, question.map(Some).ok_or(Unreadable)))
}

/// The same of a message like nearly all are: with a question whose name is in one piece, or with none. Nothing where it takes
/// [`message`] to tell.
#[inline(always)]
pub(super) fn plain(message: &[u8]) -> Option<(Header, Option<Question<'_>>)> {
    let (header, body) = header(message)?;
    if header.questions == 0 {
        return Some((header, None));
    }
    let name = RawName::take(body)?;
    Some((header, Some(question(name, body.get(name.as_wire().len()..)?)?)))
}

#[inline(always)]
fn header(message: &[u8]) -> Option<(Header, &[u8])> {
    let (head, body) = message.split_first_chunk::<HEADER>()?;
    let field = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    Some((Header { id: field(0), flags: field(2), questions: field(4) }, body))
}

/// The question of a name, which `rest` follows.
#[inline(always)]
fn question<'a>(name: RawName<'a>, rest: &[u8]) -> Option<Question<'a>> {
    let fixed = rest.first_chunk::<4>()?;
    Some(Question { name, kind: u16::from_be_bytes([fixed[0], fixed[1]]), class: u16::from_be_bytes([fixed[2], fixed[3]]) })
}

/// A name that was put together.
pub(super) struct InPieces<'a> {
    pub(super) name: RawName<'a>,
    /// Octets that it takes in its place.
    pub(super) length: usize,
    /// Pointers that were followed.
    pub(super) pointers: usize,
}

/// Reads the name at `start`, whatever pointers it has.
///
/// RFC 1035 means pointers to earlier names, and nothing comes before the first. Real resolvers answer questions that
/// point forwards all the same, so a sensor has to read them: pointers go anywhere, their number is the bound.
#[cold]
pub(super) fn in_pieces<'a>(message: &[u8], start: usize, scratch: &'a mut [u8; MAX_OCTETS]) -> Option<InPieces<'a>> {
    let (mut at, mut length, mut pointers) = (start, 0, 0);
    let mut in_place = None;
    loop {
        let first = *message.get(at)?;
        match first >> 6 {
            0 => {
                let label = message.get(at..=at + usize::from(first))?;
                debug_assert!(label.len() <= 1 + MAX_LABEL);
                scratch.get_mut(length..length + label.len())?.copy_from_slice(label);
                length += label.len();
                at += label.len();
                if first == 0 {
                    let name = RawName::take(&scratch[..length])?;
                    return Some(InPieces { name, length: in_place.unwrap_or(at) - start, pointers });
                }
            }
            3 => {
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
                let second = *message.get(at + 1)?;
                in_place.get_or_insert(at + 2);
                at = usize::from(first & 0x3F) << 8 | usize::from(second);
            }
            // 01 and 10 were never given a lasting meaning (RFC 6891 §5).
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(octets: &[u8]) -> String {
        match message(octets, &mut [0; MAX_OCTETS]) {
            None => "short".to_owned(),
            Some((_, Ok(None))) => "none".to_owned(),
            Some((_, Ok(Some(question)))) => format!("{} {} {}", question.name, question.kind, question.class),
            Some((_, Err(Unreadable))) => "unreadable".to_owned(),
        }
    }

    fn query(body: &[u8]) -> Vec<u8> {
        [&[0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0], body].concat()
    }

    #[test]
    fn questions() {
        let long = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4);
        let rows: [(&[u8], &str); 19] = [
            (b"\x05praat\x03org\0\0\x01\0\x01", "praat.org 1 1"),
            (b"\x05PrAaT\x03org\0\xff\x18\x80\x01trailing", "PrAaT.org 65304 32769"),
            (b"\0\0\x02\0\x01", ". 2 1"),
            (b"\x03a.\\\0\0\x01\0\x01", r"a\.\\ 1 1"),
            (b"\x02\x1b\xff\0\0\x01\0\x01", r"\027\255 1 1"),
            // Cut: in a label, before the root, in type and class.
            (b"\x05pra", "unreadable"),
            (b"\x05praat\x03org", "unreadable"),
            (b"\x05praat\x03org\0\0\x01\0", "unreadable"),
            (b"", "unreadable"),
            // Label types 01 and 10.
            (b"\x41a\0\0\x01\0\x01", "unreadable"),
            (b"\x81a\0\0\x01\0\x01", "unreadable"),
            // To itself, and to each other.
            (b"\xc0\x0c\0\x01\0\x01", "unreadable"),
            (b"\xc0\x0e\xc0\x0c\0\x01\0\x01", "unreadable"),
            (b"\x01a\xc0\x0c\0\x01\0\x01", "unreadable"),
            // Outside, and cut.
            (b"\xff\xff\0\x01\0\x01", "unreadable"),
            (b"\xc0", "unreadable"),
            // Forwards, as seen answered.
            (b"\xc0\x12\0\x01\0\x01\x01a\x02bc\0", "a.bc 1 1"),
            (b"\x01x\xc0\x14\0\x1c\0\x01\x01a\xc0\x18\x02bc\0", "x.a.bc 28 1"),
            // Too long.
            (&[&long[..], b"\0\0\x01\0\x01"].concat(), "unreadable"),
        ];
        for (body, expected) in rows {
            assert_eq!(shown(&query(body)), expected, "{}", body.escape_ascii());
        }
        for length in 0..12 {
            assert_eq!(shown(&query(b"")[..length]), "short");
        }
    }

    #[test]
    fn headers() {
        let mut octets = query(b"");
        octets[5] = 0;
        assert_eq!(shown(&octets), "none");
        octets[2] = 0xAC;
        octets[3] = 0xF3;
        let mut scratch = [0; MAX_OCTETS];
        let (header, _) = message(&octets, &mut scratch).unwrap();
        assert_eq!((header.id, header.is_response(), header.opcode(), header.rcode()), (0x1234, true, 5, 3));
    }

    /// A chain of pointers is followed to its bound and no further.
    #[test]
    fn long_chains_end() {
        for (pointers, expected) in [(MAX_POINTERS, "a 1 1"), (MAX_POINTERS + 1, "unreadable")] {
            let mut body = vec![];
            for step in 0..pointers {
                // The first stands in the question, the others behind its type and class.
                let target = HEADER + 6 + 2 * step;
                body.extend([0xC0 | (target >> 8) as u8, target as u8]);
                if step == 0 {
                    body.extend([0, 1, 0, 1]);
                }
            }
            body.extend(*b"\x01a\0");
            assert_eq!(shown(&query(&body)), expected);
        }
    }
}
