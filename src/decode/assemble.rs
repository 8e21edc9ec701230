//! DNS messages that took more than one packet: TCP streams, and datagrams in fragments. And those in frames of dnstap, whose
//! octets have to be taken out of what is around them.
//!
//! A decoder remembers nothing, so that any thread can read any packet. What must be seen in order goes to the one
//! assembler, as [`Piece`]s: few packets are such.

use std::net::IpAddr;
use std::ops::Range;

use etherparse::{IpNumber, TcpHeaderSlice};

use super::dnstap::Tapped;
use super::fragment::{self, Datagrams, Joined};
use super::ip::{Ends, Fragment, Packet};
use super::outcome::{GivenUp, GivenUpCounts};
use super::stream::{Flow, Found, Limits, Segment, StreamLoss, Streams};
use super::walk::{Datagram, Layer};
use super::{Config, Decoder, Message, Messages, Outcome, Reading, Transport, tunnel};
use crate::day::Timestamp;
use crate::source::Record;

/// A packet that may be a part of a DNS message.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    time: Timestamp,
    header: Header,
    payload: &'a [u8],
}

/// What the headers of a piece said.
#[derive(Clone, Copy, Debug)]
enum Header {
    Segment { flow: Flow, sequence: u32, acknowledgment: u32, flags: u8, missing: u32 },
    Fragment { source: IpAddr, destination: IpAddr, protocol: IpNumber, fragment: Fragment, packets: u8, missing: u32 },
    Dnstap,
}

impl<'a> Piece<'a> {
    /// A TCP segment (RFC 9293 §3.1).
    #[inline(always)]
    pub(super) fn segment(time: Timestamp, packet: Packet<'a>) -> Result<Self, Outcome> {
        let data = packet.payload;
        let header = TcpHeaderSlice::from_slice(data).map_err(|error| match error {
            etherparse::err::tcp::HeaderSliceError::Len(_) => Outcome::Short,
            etherparse::err::tcp::HeaderSliceError::Content(_) => Outcome::Malformed,
        })?;
        let flow = Flow {
            source: packet.addresses.source(),
            destination: packet.addresses.destination(),
            source_port: header.source_port(),
            destination_port: header.destination_port(),
        };
        let (sequence, acknowledgment) = (header.sequence_number(), header.acknowledgment_number());
        let header_octets = header.slice();
        let header = Header::Segment { flow, sequence, acknowledgment, flags: header_octets[13], missing: packet.missing };
        Ok(Self { time, header, payload: &data[header_octets.len()..] })
    }

    /// A fragment, in so many IP packets.
    pub(super) fn fragment(time: Timestamp, packet: Packet<'a>, fragment: Fragment, packets: u8) -> Self {
        let header = Header::Fragment {
            source: packet.addresses.source(),
            destination: packet.addresses.destination(),
            protocol: packet.protocol,
            fragment,
            packets,
            missing: packet.missing,
        };
        Self { time, header, payload: packet.payload }
    }

    /// A frame of dnstap.
    pub(super) const fn dnstap(record: Record<'a>) -> Self {
        Self { time: record.time, header: Header::Dnstap, payload: record.data }
    }

    /// How the packet counts.
    #[inline]
    pub(crate) const fn outcome(&self) -> Outcome {
        match self.header {
            Header::Dnstap => Outcome::Dnstap,
            Header::Segment { .. } => Outcome::DnsTcp,
            Header::Fragment { .. } => Outcome::Fragment,
        }
    }
}

/// Pieces kept for later, in their order.
#[derive(Debug, Default)]
pub struct Pieces {
    rows: Vec<(Timestamp, Header, Range<usize>)>,
    octets: Vec<u8>,
}

impl Pieces {
    /// Keeps a copy.
    #[inline(always)]
    pub fn push(&mut self, piece: &Piece<'_>) {
        let start = self.octets.len();
        self.octets.extend_from_slice(piece.payload);
        self.rows.push((piece.time, piece.header, start..self.octets.len()));
    }

    /// Forgets them, and keeps the room.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.octets.clear();
    }

    /// Those kept.
    pub fn iter(&self) -> impl Iterator<Item = PieceRef<'_>> {
        self.rows.iter().map(|(time, header, range)| PieceRef { time: *time, header, payload: &self.octets[range.clone()] })
    }
}

/// A piece whose headers lie elsewhere: to copy them takes as long as to find the stream that they belong to.
#[derive(Clone, Copy, Debug)]
pub struct PieceRef<'a> {
    time: Timestamp,
    header: &'a Header,
    payload: &'a [u8],
}

impl<'a> From<&'a Piece<'_>> for PieceRef<'a> {
    fn from(piece: &'a Piece<'_>) -> Self {
        Self { time: piece.time, header: &piece.header, payload: piece.payload }
    }
}

/// Puts pieces together, in bounded memory.
pub struct Assembler {
    config: Config,
    decoder: Decoder,
    streams: Streams,
    datagrams: Datagrams,
    messages: Messages,
    /// Frames of dnstap that hold no message.
    frames: GivenUpCounts,
}

/// Takes a message, and the number of the packet that completed it.
type Each<'e> = &'e mut dyn FnMut(u64, &Message<'_>);

impl Assembler {
    /// For pieces that decoders of this configuration found.
    pub fn new(config: Config) -> Self {
        Self {
            decoder: Decoder::new(config.clone()),
            config,
            streams: Streams::new(Limits::default()),
            datagrams: Datagrams::default(),
            messages: Messages::default(),
            frames: GivenUpCounts::default(),
        }
    }

    /// Takes the next piece, which was the packet of number `frame`, and hands over the messages that it completes.
    pub fn take<'a>(&mut self, frame: u64, piece: impl Into<PieceRef<'a>>, each: Each<'_>) {
        let Self { config, decoder, streams, datagrams, messages, frames } = self;
        let PieceRef { time, mut header, mut payload } = piece.into();
        let mut inner;
        // A datagram put together may hold a segment, or in a tunnel a fragment: one more IP packet each time.
        loop {
            let mut next = None;
            match *header {
                Header::Segment { ref flow, sequence, acknowledgment, flags, missing } => {
                    let segment = Segment { time, frame, flow, sequence, acknowledgment, flags, payload, missing };
                    streams.take(&segment, &mut |found| found_in_stream(decoder, messages, &found, each));
                }
                Header::Dnstap => {
                    if let Err(why) = read_tapped(decoder, messages, frame, (time, payload), each) {
                        frames.add(why);
                    }
                }
                Header::Fragment { source, destination, protocol, fragment, packets, missing } => {
                    let part = fragment::Part { time, source, destination, protocol, fragment, packets, payload, missing };
                    let is_foreign = |protocol, start: &[u8]| is_foreign(config, protocol, start);
                    datagrams.take(&part, &is_foreign, &mut |joined| {
                        let piece = read_joined(decoder, messages, frame, &joined, each);
                        // Of a datagram that is given up, a message is read if it begins there, nothing else.
                        if let Some(piece) = piece.filter(|_| joined.whole) {
                            next = Some((piece.header, piece.payload.to_vec()));
                        }
                    });
                }
            }
            let Some(next) = next else { break };
            inner = next;
            (header, payload) = (&inner.0, &inner.1);
        }
    }

    /// Gives up what waits: nothing more will come.
    pub fn finish(&mut self, each: Each<'_>) {
        let Self { decoder, streams, datagrams, messages, .. } = self;
        streams.finish(&mut |found| found_in_stream(decoder, messages, &found, each));
        datagrams.finish(&mut |joined| {
            read_joined(decoder, messages, 0, &joined, each);
        });
    }

    /// Whether a message may still come whose packet is not the last one taken.
    pub fn is_waiting(&self) -> bool {
        self.streams.waiting() > 0
    }

    /// Messages handed over.
    pub const fn messages(&self) -> &Messages {
        &self.messages
    }

    /// What was given up.
    pub fn given_up(&self) -> GivenUpCounts {
        let mut given_up = self.datagrams.counts().given_up.clone();
        given_up.merge(&self.frames);
        for loss in StreamLoss::ALL {
            given_up.add_many(reason(loss), self.streams.losses().events(loss));
        }
        given_up
    }
}

/// What a loss of a stream counts as.
const fn reason(loss: StreamLoss) -> GivenUp {
    match loss {
        StreamLoss::Hole => GivenUp::StreamHole,
        StreamLoss::Cut => GivenUp::StreamCut,
        StreamLoss::Torn => GivenUp::StreamTorn,
        StreamLoss::Desync => GivenUp::StreamDesync,
        StreamLoss::Unfinished => GivenUp::StreamUnfinished,
        StreamLoss::Idle => GivenUp::StreamIdle,
        StreamLoss::Evicted => GivenUp::StreamEvicted,
        StreamLoss::Late => GivenUp::StreamLate,
    }
}

/// Reads a message out of a stream.
fn found_in_stream(decoder: &mut Decoder, messages: &mut Messages, found: &Found<'_>, each: Each<'_>) {
    let Flow { source, destination, source_port, destination_port } = *found.flow;
    let ends = Ends::new(source, destination);
    let datagram = Datagram { addresses: ends.addresses(), source_port, destination_port, payload: found.octets };
    if let Some(mut message) = decoder.message(found.time, &datagram, Transport::Tcp) {
        message.whole = found.whole;
        messages.add(message.transport, message.kind);
        each(found.frame, &message);
    }
}

/// Reads a frame of dnstap of a time; or says why there is no message in it.
fn read_tapped(
    decoder: &mut Decoder,
    messages: &mut Messages,
    frame: u64,
    (time, payload): (Timestamp, &[u8]),
    each: Each<'_>,
) -> Result<(), GivenUp> {
    let Tapped { ends, source_port, destination_port, transport, octets } = Tapped::read(payload)?;
    let datagram = Datagram { addresses: ends.addresses(), source_port, destination_port, payload: &octets };
    let message = decoder.message(time, &datagram, transport).ok_or(GivenUp::DnstapIncomplete)?;
    messages.add(message.transport, message.kind);
    each(frame, &message);
    Ok(())
}

/// Reads what a datagram holds: a message for `each`, or a piece.
fn read_joined<'a>(
    decoder: &'a mut Decoder,
    messages: &mut Messages,
    frame: u64,
    joined: &'a Joined,
    each: Each<'_>,
) -> Option<Piece<'a>> {
    let packet = Packet {
        addresses: joined.ends.addresses(),
        protocol: joined.protocol,
        payload: &joined.payload,
        missing: 0,
        fragment: None,
    };
    match decoder.layers(joined.time, Layer::Inside(packet), &joined.payload, joined.packets) {
        Reading::Message(mut message) => {
            message.whole = joined.whole;
            messages.add(message.transport, message.kind);
            each(frame, &message);
            None
        }
        Reading::Piece(piece) => Some(piece),
        Reading::Nothing(_) => None,
    }
}

/// Whether a datagram that begins like this holds neither DNS nor a tunnel.
fn is_foreign(config: &Config, protocol: IpNumber, start: &[u8]) -> bool {
    let &[a, b, c, d, ..] = start else { return false };
    let (source, destination) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match protocol {
        IpNumber::UDP => {
            let tunnel = tunnel::on_port(source).is_some() || tunnel::on_port(destination).is_some();
            !tunnel && !config.is_dns(source, destination)
        }
        IpNumber::TCP => !config.is_dns(source, destination),
        _ => false,
    }
}
