//! From a packet, or a frame of dnstap, to the DNS messages in it: link, tunnels, IP, UDP or TCP, DNS header, question.
//!
//! ```text
//!  Record -- quick way (Ethernet, VLAN, IP, UDP) ------------> Message
//!     \                                                          ^
//!      `---- thorough way (every layer, tunnels) --------------- |
//!                         \                                      |
//!                          `--> Piece (segment, fragment, frame) --> Assembler
//! ```
//!
//! Packets are read leniently, as a span port delivers them: cut by the snap length, padded, with lengths that
//! disagree. What a length field claims beyond the octets captured is taken as missing, not as an error. A packet
//! that holds no DNS message is no error either, but an [`Outcome`], and every packet has exactly one.
//!
//! Invariants
//! * A [`Decoder`] allocates nothing and remembers nothing; the work on a packet is bounded by its octets, and packets
//!   nest eight deep at most. What takes more than one packet is an [`Assembler`]'s, whose memory is bounded.
//! * DNS quoted inside an ICMP error is not looked at: it was sent by nobody.

mod assemble;
mod capture_filter;
mod dns;
mod dnstap;
mod fragment;
mod ip;
mod link;
mod outcome;
pub(crate) mod queue;
mod records;
mod reply;
mod stream;
mod tunnel;
mod walk;
mod wlan;

use std::net::IpAddr;

pub use self::assemble::{Assembler, Piece, PieceRef, Pieces};
pub use self::dns::{Header, Question};
pub use self::outcome::{Counts, GivenUp, GivenUpCounts, Kind, Messages, Outcome, Transport};
pub(crate) use self::reply::lifetime;
pub use self::reply::{Reply, Told, told};
pub use self::tunnel::Tunnel;

use etherparse::IpNumber;

use self::stream::{ACK, SYN};
use self::walk::{Datagram, End, Layer};
use crate::day::Timestamp;
use crate::name::MAX_OCTETS;
use crate::source::{LinkType, Record};

/// DNS (RFC 1035), multicast DNS (RFC 6762), link-local multicast name resolution (RFC 4795).
pub const PORTS: [u16; 3] = [53, 5353, 5355];

/// What to look for.
#[derive(Clone, Debug)]
pub struct Config {
    /// Ports that are DNS's, a bit each: one look, however many there are.
    ports: Box<[u64; 1024]>,
    /// Tunnels not to look into.
    closed: Vec<Tunnel>,
}

impl Config {
    /// DNS on [`PORTS`] and on `more` ports, in all tunnels but those to stay `closed`.
    pub fn new(more: &[u16], closed: &[Tunnel]) -> Self {
        let mut ports = Box::new([0; 1024]);
        for port in PORTS.iter().chain(more) {
            ports[usize::from(port / 64)] |= 1 << (port % 64);
        }
        Self { ports, closed: closed.to_vec() }
    }

    #[inline(always)]
    fn is_dns(&self, source: u16, destination: u16) -> bool {
        let is = |port: u16| self.ports[usize::from(port / 64)] >> (port % 64) & 1 > 0;
        // Nearly always one is the first, and which cannot be guessed: a product, so that nobody tries.
        u32::from(source ^ PORTS[0]) * u32::from(destination ^ PORTS[0]) == 0 || is(source) | is(destination)
    }
}

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
    /// What carried it.
    pub transport: Transport,
    /// Set unless its end is known to be missing, and will stay so.
    pub whole: bool,
    /// The DNS header.
    pub header: Header,
    /// The first question: `None` when the message has none, or it cannot be read.
    pub question: Option<Question<'a>>,
    /// What it is.
    pub kind: Kind,
    /// All of it.
    octets: &'a [u8],
}

impl<'a> Message<'a> {
    /// All of it, for [`lifetime`].
    #[inline]
    pub(crate) const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Sender, by the innermost IP header.
    pub fn source(&self) -> IpAddr {
        self.addresses.source()
    }

    /// Receiver, by the innermost IP header.
    pub fn destination(&self) -> IpAddr {
        self.addresses.destination()
    }

    /// How a packet counts that holds it.
    #[inline]
    pub const fn outcome(&self) -> Outcome {
        match self.kind {
            Kind::Query => Outcome::DnsQuery,
            Kind::Response => Outcome::DnsResponse,
            Kind::Unreadable => Outcome::DnsBadQuestion,
        }
    }
}

/// What a packet is.
#[derive(Debug)]
pub enum Reading<'a> {
    /// A DNS message, all in this packet.
    Message(Message<'a>),
    /// A part of what may be one, or a frame of dnstap: for an [`Assembler`].
    Piece(Piece<'a>),
    /// Something else.
    Nothing(Outcome),
}

impl<'a> Reading<'a> {
    #[inline(always)]
    fn segment(time: Timestamp, packet: ip::Packet<'a>) -> Self {
        Piece::segment(time, packet).map_or_else(Self::Nothing, Self::Piece)
    }

    /// How the packet counts.
    #[inline]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Message(message) => message.outcome(),
            Self::Piece(piece) => piece.outcome(),
            Self::Nothing(outcome) => *outcome,
        }
    }
}

/// Reads packets.
pub struct Decoder {
    config: Config,
    /// Holds a name that the message gives in pieces.
    scratch: [u8; MAX_OCTETS],
}

impl Decoder {
    /// Looks for what `config` says.
    pub const fn new(config: Config) -> Self {
        Self { config, scratch: [0; MAX_OCTETS] }
    }

    /// Whether packets of this link type can be read.
    pub fn reads(link: LinkType) -> bool {
        link == LinkType::DNSTAP || link::known(link)
    }

    /// Reads a packet.
    pub fn read<'a>(&'a mut self, record: Record<'a>) -> Reading<'a> {
        self.quick(record).or_else(|| self.segment(record)).unwrap_or_else(|| self.thorough(record))
    }

    /// Reads a packet of the kind that nearly all are; nothing when it takes [`Self::thorough`] to know what it is. What it
    /// reads stands in the record alone.
    ///
    /// Two ways in two methods, because one result for both would have to go through memory.
    #[inline(always)]
    pub fn quick<'a>(&self, record: Record<'a>) -> Option<Reading<'a>> {
        match quick(record, &self.config) {
            Ok(datagram) => {
                let (header, question) = dns::plain(datagram.payload)?;
                let kind = if header.is_response() { Kind::Response } else { Kind::Query };
                Some(Reading::Message(datagram.message(record.time, Transport::Udp, header, question, kind)))
            }
            Err(outcome) => outcome.map(Reading::Nothing),
        }
    }

    /// Reads a TCP segment on a port of DNS, of the kind that nearly all are: what is most of what [`Self::quick`] leaves.
    #[inline(always)]
    pub fn segment<'a>(&self, record: Record<'a>) -> Option<Reading<'a>> {
        segment(record, &self.config)
    }

    /// Reads a packet by the layers it begins with, whatever they are.
    #[inline(never)]
    pub fn thorough<'a>(&'a mut self, record: Record<'a>) -> Reading<'a> {
        if record.link == LinkType::DNSTAP {
            return Reading::Piece(Piece::dnstap(record));
        }
        match link::start(record.link, record.data) {
            Ok((layer, data)) => self.layers(record.time, layer, data, 0),
            Err(outcome) => Reading::Nothing(outcome),
        }
    }

    /// Reads on from a layer inside `packets` IP packets.
    fn layers<'a>(&'a mut self, time: Timestamp, layer: Layer<'a>, data: &'a [u8], packets: u8) -> Reading<'a> {
        let (end, packets) = walk::walk(&self.config, layer, data, packets);
        match end {
            End::Datagram(datagram) => self.datagram(time, &datagram),
            End::Segment(packet) => Reading::segment(time, packet),
            End::Fragment(packet, fragment) => Reading::Piece(Piece::fragment(time, packet, fragment, packets)),
            End::Nothing(outcome) => Reading::Nothing(outcome),
        }
    }

    fn datagram<'a>(&'a mut self, time: Timestamp, datagram: &Datagram<'a>) -> Reading<'a> {
        let message = self.message(time, datagram, Transport::Udp);
        message.map_or(Reading::Nothing(Outcome::DnsShort), Reading::Message)
    }

    /// Reads a message, if that is one.
    fn message<'a>(&'a mut self, time: Timestamp, datagram: &Datagram<'a>, transport: Transport) -> Option<Message<'a>> {
        let (header, question) = dns::message(datagram.payload, &mut self.scratch)?;
        let kind = match &question {
            Err(_) => Kind::Unreadable,
            Ok(_) if header.is_response() => Kind::Response,
            Ok(_) => Kind::Query,
        };
        Some(datagram.message(time, transport, header, question.unwrap_or(None), kind))
    }
}

impl<'a> Datagram<'a> {
    /// The message that it holds.
    #[inline(always)]
    const fn message(
        &self,
        time: Timestamp,
        transport: Transport,
        header: Header,
        question: Option<Question<'a>>,
        kind: Kind,
    ) -> Message<'a> {
        let Self { addresses, source_port, destination_port, payload } = *self;
        Message {
            time,
            addresses,
            source_port,
            destination_port,
            transport,
            whole: true,
            header,
            question,
            kind,
            octets: payload,
        }
    }
}

/// Reads what nearly every packet is: Ethernet, VLAN tags, one IP header without options, UDP or TCP. No outcome means
/// that it takes the thorough way to know, which also judges whatever is irregular.
#[inline(always)]
fn quick<'a>(record: Record<'a>, config: &Config) -> Result<Datagram<'a>, Option<Outcome>> {
    /// Several fields as one number, to be asked for at once: octets in the order in which they lie.
    const fn word(octets: [u8; 4]) -> u32 {
        u32::from_ne_bytes(octets)
    }
    /// EtherType, version 4 and five words of header.
    const V4: u32 = word([0x08, 0x00, 0x45, 0]);
    const KIND_V4: u32 = word([0xFF, 0xFF, 0xFF, 0]);
    /// EtherType and version 6.
    const V6: u32 = word([0x86, 0xDD, 0x60, 0]);
    const KIND_V6: u32 = word([0xFF, 0xFF, 0xF0, 0]);
    /// More fragments, and the offset; the protocol (RFC 791).
    const WHOLE_AND_PROTOCOL: u32 = word([0x3F, 0xFF, 0, 0xFF]);
    const UDP: u32 = 17;
    const TCP: u32 = 6;
    /// The header of UDP and that of DNS; no header of TCP is shorter.
    const HEADERS: usize = 8 + dns::HEADER;

    if record.link != LinkType::ETHERNET {
        return Err(None);
    }
    let mut frame = record.data.get(12..).ok_or(None)?;
    let (protocol, addresses, data) = loop {
        let head = frame.first_chunk::<22>().ok_or(None)?;
        let word = |at: usize| word([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
        if head[0] & 0x84 == 0x80 {
            // Of the EtherTypes that are read here, so begin those of tags alone: that there is one is guessed once.
            if !walk::is_tag(u16::from_be_bytes([head[0], head[1]])) {
                return Err(None);
            }
            frame = &frame[4..];
        } else if word(0) & KIND_V4 == V4 {
            let packet = &frame[2..];
            let data = packet.get(20..length(4).min(packet.len())).ok_or(None)?;
            // The protocol of what is no fragment.
            let protocol = u32::from_be(word(8) & WHOLE_AND_PROTOCOL);
            break (protocol, ip::Addresses::v4(head.last_chunk().ok_or(None)?), data);
        } else if word(0) & KIND_V6 == V6 {
            let (header, rest) = frame.split_first_chunk::<42>().ok_or(None)?;
            // A length of 0 tells nothing: as no octets it takes the thorough way.
            let data = &rest[..length(6).min(rest.len())];
            break (head[8].into(), ip::Addresses::v6(header.last_chunk().ok_or(None)?), data);
        } else {
            return Err(None);
        }
    };
    let head = data.first_chunk::<HEADERS>().ok_or(None)?;
    let field = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (source_port, destination_port) = (field(0), field(2));
    match protocol {
        UDP if config.is_dns(source_port, destination_port) => {
            let end = usize::from(field(4)).min(data.len());
            if end < HEADERS + dns::SHORTEST_QUESTION {
                return Err(None);
            }
            Ok(Datagram { addresses, source_port, destination_port, payload: &data[8..end] })
        }
        UDP if tunnel::on_port(destination_port).is_none() && tunnel::on_port(source_port).is_none() => {
            Err(Some(not_dns(false, source_port, destination_port, data)))
        }
        TCP if !config.is_dns(source_port, destination_port) => Err(Some(not_dns(true, source_port, destination_port, data))),
        _ => Err(None),
    }
}

/// Reads a segment behind what [`quick`] reads.
#[inline(always)]
fn segment<'a>(record: Record<'a>, config: &Config) -> Option<Reading<'a>> {
    if record.link != LinkType::ETHERNET {
        return None;
    }
    let mut rest = record.data.get(12..)?;
    let packet = loop {
        let (kind, packet) = rest.split_first_chunk::<2>()?;
        match u16::from_be_bytes(*kind) {
            0x0800 | 0x86DD => break packet,
            kind if walk::is_tag(kind) => rest = packet.get(2..)?,
            _ => return None,
        }
    };
    let packet = if rest[0] == 0x08 { ip::plain_v4(packet)? } else { ip::plain_v6(packet)? };
    let ports = packet.payload.first_chunk::<4>()?;
    let (source, destination) = (u16::from_be_bytes([ports[0], ports[1]]), u16::from_be_bytes([ports[2], ports[3]]));
    let is = packet.protocol == IpNumber::TCP && config.is_dns(source, destination);
    is.then(|| Reading::segment(record.time, packet))
}

/// DNS over TLS (RFC 7858).
const TLS_PORT: u16 = 853;

/// DNS over QUIC (RFC 9250), and before that was one (draft-ietf-dprive-dnsoquic): 784, 8853.
const QUIC_PORTS: [u16; 3] = [TLS_PORT, 784, 8853];

/// What TCP or UDP without a DNS port is: encrypted DNS by its port, as far as that tells, or none. `data` begins with the
/// header that has the ports.
#[inline]
fn not_dns(tcp: bool, source: u16, destination: u16, data: &[u8]) -> Outcome {
    if tcp {
        return match source == TLS_PORT || destination == TLS_PORT {
            true if starts_connection(data) => Outcome::DnsTlsStart,
            true => Outcome::DnsTls,
            false => Outcome::NotDns,
        };
    }
    let is = |port: u16| QUIC_PORTS.contains(&port);
    match is(source) || is(destination) {
        true if is(destination) && starts_quic(data) => Outcome::DnsQuicStart,
        true => Outcome::DnsQuic,
        false => Outcome::NotDns,
    }
}

/// A SYN that acknowledges nothing (RFC 9293 §3.5).
fn starts_connection(segment: &[u8]) -> bool {
    segment.get(13).is_some_and(|flags| flags & (SYN | ACK) == SYN)
}

/// An Initial packet (RFC 9000 §17.2.2; RFC 9369 §3.2, which numbers kinds of packets anew).
fn starts_quic(datagram: &[u8]) -> bool {
    const VERSION_2: [u8; 4] = [0x6B, 0x33, 0x43, 0xCF];
    let Some(&[first, ref version @ ..]) = datagram.get(8..).and_then(<[u8]>::first_chunk::<5>) else { return false };
    // A version of 0 negotiates one.
    first & 0xF0 == if *version == VERSION_2 { 0xD0 } else { 0xC0 } && *version != [0; 4]
}

/// A number of 16 bits in network byte order.
#[inline]
fn u16_at(octets: &[u8], at: usize) -> Result<u16, Outcome> {
    octets.get(at..).and_then(|octets| octets.first_chunk()).map(|octets| u16::from_be_bytes(*octets)).ok_or(Outcome::Short)
}
