//! Frames of dnstap: what a server says of a message that it received or sent, with the message itself.
//!
//! A frame is taken for a packet from sender to receiver. Its type says whether the query or the response counts where a
//! frame holds both; the bit in the message says who sent it, so that the asker is always the one whom the frame names.
//! Types differ in who that is: of CLIENT and AUTH messages a client, of the others the server that tells.
//!
//! Source: `dnstap.proto` of dnstap.info.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use prost::Message as _;

use super::ip::Ends;
use super::outcome::{GivenUp, Transport};

/// `dnstap.Dnstap`, as far as it is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct Dnstap {
    #[prost(message, optional, tag = "14")]
    message: Option<Message>,
}

/// `dnstap.Message`, as far as it is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint32, tag = "3")]
    socket_protocol: u32,
    #[prost(bytes = "vec", tag = "4")]
    query_address: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    response_address: Vec<u8>,
    #[prost(uint32, tag = "6")]
    query_port: u32,
    #[prost(uint32, tag = "7")]
    response_port: u32,
    #[prost(bytes = "vec", tag = "10")]
    query_message: Vec<u8>,
    #[prost(bytes = "vec", tag = "14")]
    response_message: Vec<u8>,
}

/// AUTH, RESOLVER, CLIENT, FORWARDER, STUB, TOOL and UPDATE: of each pair the query has the odd number, the response the next.
const KINDS: std::ops::RangeInclusive<u32> = 1..=14;

/// A message of DNS, as a server tells of it.
#[derive(Debug)]
pub(super) struct Tapped {
    /// Sender and receiver.
    pub(super) ends: Ends,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) transport: Transport,
    pub(super) octets: Vec<u8>,
}

impl Tapped {
    /// Reads a frame; or says what it lacks.
    pub(super) fn read(frame: &[u8]) -> Result<Self, GivenUp> {
        let frame = Dnstap::decode(frame).map_err(|_| GivenUp::DnstapMalformed)?;
        let Message {
            kind,
            socket_protocol,
            query_address,
            response_address,
            query_port,
            response_port,
            query_message,
            response_message,
        } = frame.message.ok_or(GivenUp::DnstapIncomplete)?;
        if !KINDS.contains(&kind) {
            return Err(GivenUp::DnstapIncomplete);
        }
        let octets = if kind % 2 == 1 { query_message } else { response_message };
        // The bit that tells responses from queries (RFC 1035 §4.1.1).
        let is_response = octets.get(2).ok_or(GivenUp::DnstapIncomplete)? & 0x80 > 0;
        // Evidence is of who asks. Who is asked may be left out.
        let asker = address(&query_address)?.ok_or(GivenUp::DnstapIncomplete)?;
        let server = address(&response_address)?.unwrap_or_else(|| match asker {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        });
        let [asker_port, server_port] = [query_port, response_port].map(|port| u16::try_from(port).unwrap_or(0));
        let transport = transport(socket_protocol);
        let (ends, source_port, destination_port) = if is_response {
            (Ends::new(server, asker), server_port, asker_port)
        } else {
            (Ends::new(asker, server), asker_port, server_port)
        };
        Ok(Self { ends, source_port, destination_port, transport, octets })
    }
}

/// An address, if it is not left out.
fn address(octets: &[u8]) -> Result<Option<IpAddr>, GivenUp> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        Ok(Some(octets.into()))
    } else if let Ok(octets) = <[u8; 16]>::try_from(octets) {
        Ok(Some(octets.into()))
    } else if octets.is_empty() {
        Ok(None)
    } else {
        Err(GivenUp::DnstapMalformed)
    }
}

/// `SocketProtocol`: UDP, TCP, DOT, DOH, DNSCryptUDP, DNSCryptTCP, DOQ. What is not said or not known counts as UDP, which
/// nearly all messages come by.
const fn transport(protocol: u32) -> Transport {
    match protocol {
        2 | 6 => Transport::Tcp,
        3 => Transport::Tls,
        4 => Transport::Https,
        7 => Transport::Quic,
        _ => Transport::Udp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: [u8; 12] = [0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const RESPONSE: [u8; 12] = [0, 7, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];

    fn message(kind: u32) -> Message {
        Message {
            kind,
            socket_protocol: 1,
            query_address: vec![192, 0, 2, 7],
            response_address: vec![192, 0, 2, 53],
            query_port: 4_711,
            response_port: 53,
            query_message: QUERY.to_vec(),
            response_message: RESPONSE.to_vec(),
        }
    }

    fn read(message: Message) -> Result<Tapped, GivenUp> {
        Tapped::read(&Dnstap { message: Some(message) }.encode_to_vec())
    }

    #[test]
    fn every_type_has_its_message_and_its_ends() {
        let (asker, server) = ([192, 0, 2, 7].into(), [192, 0, 2, 53].into());
        for kind in KINDS {
            let tapped = read(message(kind)).unwrap();
            let (octets, from, to) =
                if kind % 2 == 1 { (QUERY, (asker, 4_711), (server, 53)) } else { (RESPONSE, (server, 53), (asker, 4_711)) };
            let addresses = tapped.ends.addresses();
            assert_eq!((addresses.source(), tapped.source_port), from, "{kind}");
            assert_eq!((addresses.destination(), tapped.destination_port), to, "{kind}");
            assert_eq!(tapped.octets, octets, "{kind}");
        }
        // Who asked is who asked, whatever a server says of a message.
        let odd = read(Message { query_message: RESPONSE.to_vec(), ..message(5) }).unwrap();
        assert_eq!((odd.ends.addresses().destination(), odd.destination_port), (asker, 4_711));
    }

    #[test]
    fn transports() {
        use Transport::{Https, Quic, Tcp, Tls, Udp};
        for (protocol, expected) in [Udp, Udp, Tcp, Tls, Https, Udp, Tcp, Quic, Udp].into_iter().enumerate() {
            let message = Message { socket_protocol: protocol as u32, ..message(5) };
            assert_eq!(read(message).unwrap().transport, expected, "{protocol}");
        }
    }

    #[test]
    fn addresses_and_what_is_left_out() {
        let wide = |last| [&[0x20, 1, 0x0D, 0xB8][..], &[0; 11], &[last]].concat();
        let tapped = read(Message { query_address: wide(7), response_address: vec![], ..message(5) }).unwrap();
        assert_eq!(tapped.ends.addresses().source().to_string(), "2001:db8::7");
        assert_eq!(tapped.ends.addresses().destination().to_string(), "::");
        let tapped = read(Message { response_address: vec![], query_port: 70_000, ..message(5) }).unwrap();
        assert_eq!((tapped.ends.addresses().destination().to_string().as_str(), tapped.source_port), ("0.0.0.0", 0));

        let incomplete = [
            message(0),
            message(15),
            Message { query_message: vec![], ..message(5) },
            Message { response_message: vec![0, 7], ..message(6) },
            Message { query_address: vec![], ..message(5) },
        ];
        for message in incomplete {
            assert_eq!(read(message.clone()).unwrap_err(), GivenUp::DnstapIncomplete, "{message:?}");
        }
        for message in
            [Message { query_address: vec![1; 5], ..message(5) }, Message { response_address: vec![1; 17], ..message(5) }]
        {
            assert_eq!(read(message.clone()).unwrap_err(), GivenUp::DnstapMalformed, "{message:?}");
        }
        assert_eq!(Tapped::read(b"").unwrap_err(), GivenUp::DnstapIncomplete);
        assert_eq!(Tapped::read(b"\xFF").unwrap_err(), GivenUp::DnstapMalformed);
    }
}
