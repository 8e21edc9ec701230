//! The records of a response, as our own walk finds them and as `dns-parser` does.
//!
//! Only called for answers about listed names, which are few. Our walk reads any message, as far as it goes: cut, with types
//! that nobody knows, with any octet in a name. `dns-parser` refuses whole messages for that, sets memory aside by the counts
//! of the header, and writes names by recursion, a pointer each; so it gets the messages that the walk finds plain, with no
//! more records than are there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dns_parser::{Class, Packet, RData};

use super::dns::{HEADER, in_pieces};
use crate::name::{MAX_OCTETS, Name};

/// Answers that are read; an honest response has one to a few dozen.
const MOST_ANSWERS: usize = 64;

/// Name servers that are read.
pub(super) const MOST_SERVERS: usize = 4;

/// Questions that are passed over to find the answers; more than one means nothing (RFC 9619).
const MOST_QUESTIONS: u16 = 4;

/// The longest message that `dns-parser` gets, its most records, and the most pointers in one of their names.
const PLAIN_OCTETS: usize = 1_500;
const PLAIN_ANSWERS: usize = 16;
const PLAIN_POINTERS: usize = 4;

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const IN: u16 = 1;

/// The cache-flush bit of multicast DNS (RFC 6762 §10.2).
const CLASS: u16 = 0x7FFF;

/// What a record says; names in lower case and presentation form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Address(IpAddr),
    Alias(String),
    Server(String),
    Other,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) owner: String,
    /// Seconds.
    pub(super) lifetime: u32,
    pub(super) data: Data,
}

/// What there is of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// The name that was asked for.
    pub(super) asked: String,
    pub(super) answers: Vec<Record>,
    /// Of the authority section, those before the first that could not be read.
    pub(super) authority: Vec<Record>,
}

/// What our walk finds.
pub(super) struct Walk {
    pub(super) records: Records,
    /// Unset where answers are missing: the message ends before them, or there are too many.
    pub(super) whole: bool,
    /// Set where `dns-parser` can be trusted with it.
    plain: bool,
}

impl Walk {
    /// Walks over a message; nothing when it has no question that can be read.
    pub(super) fn over(message: &[u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER>()?;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let (questions, answers, authority) = (count(4), usize::from(count(6)), usize::from(count(8)));
        let mut reader = Reader { message, at: HEADER, plain: questions == 1 };
        let asked = reader.name()?;
        reader.at += 4;
        for _ in 1..questions.min(MOST_QUESTIONS) {
            reader.name()?;
            reader.at += 4;
        }
        let mut records = Records { asked, ..Records::default() };
        if questions <= MOST_QUESTIONS {
            records.answers.extend((0..answers.min(MOST_ANSWERS)).map_while(|_| reader.record()));
        }
        let whole = records.answers.len() == answers;
        if whole {
            records.authority.extend((0..authority.min(MOST_SERVERS)).map_while(|_| reader.record()));
        }
        let plain = reader.plain
            && whole
            && records.authority.len() == authority.min(MOST_SERVERS)
            && answers <= PLAIN_ANSWERS
            && message.len() <= PLAIN_OCTETS;
        Some(Self { records, whole, plain })
    }

    /// The same by `dns-parser`; nothing where it refuses, or may not be asked.
    pub(super) fn by_dns_parser(&self, message: &[u8]) -> Option<Records> {
        if !self.plain {
            return None;
        }
        let mut message = message.to_vec();
        // Reserved bits, which it would refuse, say nothing here; nor does what stands behind these records.
        message[3] &= 0x0F;
        message[8..HEADER].copy_from_slice(&[0, self.records.authority.len() as u8, 0, 0]);
        let packet = Packet::parse(&message).ok()?;
        let asked = text(&packet.questions.first()?.qname)?;
        let records = |records: &[dns_parser::ResourceRecord<'_>]| {
            let record = |record: &dns_parser::ResourceRecord<'_>| {
                let data = match &record.data {
                    _ if record.cls != Class::IN => Data::Other,
                    RData::A(address) => Data::Address(address.0.into()),
                    RData::AAAA(address) => Data::Address(address.0.into()),
                    RData::CNAME(name) => Data::Alias(text(&name.0)?),
                    RData::NS(name) => Data::Server(text(&name.0)?),
                    _ => Data::Other,
                };
                Some(Record { owner: text(&record.name)?, lifetime: record.ttl, data })
            };
            records.iter().map(record).collect::<Option<Vec<_>>>()
        };
        Some(Records { asked, answers: records(&packet.answers)?, authority: records(&packet.nameservers)? })
    }
}

/// A plain name. It may be another than was read before: pointers may lead into the header, of which a part is changed.
fn text(name: &dns_parser::Name<'_>) -> Option<String> {
    let mut text = name.to_string().to_ascii_lowercase();
    // It ends the last label with a dot where a pointer leads from there to the root.
    if text.ends_with('.') {
        text.pop();
    }
    let plain = text.split('.').all(|label| label.bytes().all(is_plain));
    plain.then(|| if text.is_empty() { ".".to_owned() } else { text })
}

/// Whether all readers take an octet of a label for the same.
const fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')
}

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
    /// Unset by a name that other readers may take for another, or that takes long to read.
    plain: bool,
}

impl Reader<'_> {
    fn name(&mut self) -> Option<String> {
        let mut scratch = [0; MAX_OCTETS];
        let Some(read) = in_pieces(self.message, self.at, &mut scratch) else {
            self.plain = false;
            return None;
        };
        self.at += read.length;
        let mut rest = Some(read.name);
        while let Some((label, after)) = rest.and_then(crate::name::RawName::split_first) {
            self.plain &= label.iter().copied().all(is_plain);
            rest = crate::name::RawName::take(after);
        }
        self.plain &= read.pointers <= PLAIN_POINTERS;
        Some(Name::from(read.name).to_string())
    }

    fn record(&mut self) -> Option<Record> {
        let owner = self.name()?;
        let fixed = self.message.get(self.at..)?.first_chunk::<10>()?;
        let number = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        // The highest bit means zero (RFC 2181 §8).
        let lifetime = i32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]).max(0).unsigned_abs();
        let start = self.at + fixed.len();
        let end = start + usize::from(number(8));
        let data = self.message.get(start..end)?;
        self.at = start;
        let data = match number(0) {
            _ if number(2) & CLASS != IN => Data::Other,
            A => <[u8; 4]>::try_from(data).map_or(Data::Other, |octets| Data::Address(Ipv4Addr::from(octets).into())),
            AAAA => <[u8; 16]>::try_from(data).map_or(Data::Other, |octets| Data::Address(Ipv6Addr::from(octets).into())),
            CNAME => self.name().map_or(Data::Other, Data::Alias),
            NS => self.name().map_or(Data::Other, Data::Server),
            _ => Data::Other,
        };
        self.at = end;
        Some(Record { owner, lifetime, data })
    }
}
