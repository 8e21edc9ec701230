//! From a packet to the DNS message in it: link, IP, UDP, DNS header, question.
//!
//! Packets are read leniently, as a span port delivers them: cut by the snap length, padded, with lengths that
//! disagree. What a length field claims beyond the octets captured is taken as missing, not as an error. A packet
//! that holds no DNS message is no error either, but an [`Outcome`], and every packet has exactly one.
//!
//! Invariants
//! * No allocation, no recursion; the work on a packet is bounded by its octets, and headers nest eight deep at most.
//! * DNS quoted inside an ICMP error is not looked at: it was sent by nobody.

mod dns;
mod ip;
mod link;
mod outcome;
#[cfg_attr(not(test), expect(dead_code, reason = "not wired in yet"))]
mod stream;

use std::net::IpAddr;

pub use self::dns::{Header, Question};
pub use self::outcome::{Counts, Outcome};

use crate::day::Timestamp;
use crate::name::MAX_OCTETS;
use crate::source::{LinkType, Record};

/// DNS (RFC 1035), multicast DNS (RFC 6762), link-local multicast name resolution (RFC 4795).
pub const PORTS: [u16; 3] = [53, 5353, 5355];

/// One DNS message and the packet that carried it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// When the packet was captured.
    pub time: Timestamp,
    addresses: ip::Addresses<'a>,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// The DNS header.
    pub header: Header,
    /// The first question: `None` when the message has none, or it cannot be read.
    pub question: Option<Question<'a>>,
    /// How the packet counts: [`Outcome::DnsQuery`], [`Outcome::DnsResponse`] or [`Outcome::DnsBadQuestion`].
    pub outcome: Outcome,
}

impl Message<'_> {
    /// Sender, by the innermost IP header.
    pub fn source(&self) -> IpAddr {
        self.addresses.source()
    }

    /// Receiver, by the innermost IP header.
    pub fn destination(&self) -> IpAddr {
        self.addresses.destination()
    }
}

/// Reads packets.
pub struct Decoder {
    ports: Vec<u16>,
    /// Holds a name that the message gives in pieces.
    scratch: [u8; MAX_OCTETS],
}

impl Decoder {
    /// Looks for DNS on [`PORTS`] and on `more` ports.
    pub fn new(more: &[u16]) -> Self {
        let mut ports = PORTS.to_vec();
        ports.extend_from_slice(more);
        ports.dedup();
        Self { ports, scratch: [0; MAX_OCTETS] }
    }

    /// Whether packets of this link type can be read.
    pub const fn reads(link: LinkType) -> bool {
        link::known(link)
    }

    /// Reads the DNS message of a packet.
    ///
    /// # Errors
    /// What the packet is instead.
    #[inline]
    pub fn message<'a>(&'a mut self, record: Record<'a>) -> Result<Message<'a>, Outcome> {
        let packet = link::packet(record.link, record.data)?;
        let datagram = ip::datagram(packet, &self.ports)?;
        let (header, question) = dns::message(datagram.payload, &mut self.scratch).ok_or(Outcome::DnsShort)?;
        let outcome = match &question {
            Err(_) => Outcome::DnsBadQuestion,
            Ok(_) if header.is_response() => Outcome::DnsResponse,
            Ok(_) => Outcome::DnsQuery,
        };
        Ok(Message {
            time: record.time,
            addresses: datagram.addresses,
            source_port: datagram.source_port,
            destination_port: datagram.destination_port,
            header,
            question: question.unwrap_or(None),
            outcome,
        })
    }
}
