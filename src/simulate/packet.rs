//! Octets: a DNS message in a UDP datagram in an IP packet in an Ethernet frame, lengths and checksums filled in.
//!
//! Sources: RFC 1035 §4.1 (messages), RFC 2308 §3 (the SOA of a denial), RFC 768, RFC 791, RFC 8200, RFC 1071 (checksum).

use std::net::{IpAddr, Ipv4Addr};

/// What a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// No such name, kept for so many seconds (`ttl`) out of as many as the zone allows (`minimum`).
    Missing {
        /// Of the SOA record.
        ttl: u32,
        /// Its MINIMUM.
        minimum: u32,
        /// The labels between which no name of a signed zone exists; empty for the zone itself.
        gap: Option<[Label; 2]>,
    },
    /// The name, but no record of the type that was asked for.
    Empty {
        /// As above.
        ttl: u32,
        /// As above.
        minimum: u32,
    },
    /// An address; to AAAA questions one that is made of it.
    Address(Ipv4Addr, u32),
    /// That it will not say (REFUSED).
    Refused,
}

/// A label of up to so many letters; the rest are 0.
pub(super) type Label = [u8; 8];

/// The question type A (RFC 1035 §3.2.2).
pub(super) const A: u16 = 1;
/// The question type AAAA (RFC 3596 §2.1).
pub(super) const AAAA: u16 = 28;
/// The question type HTTPS (RFC 9460 §14.1).
pub(super) const HTTPS: u16 = 65;

/// The record type SOA (RFC 1035 §3.2.2).
const SOA: u16 = 6;

/// The record type NSEC (RFC 4034 §4).
const NSEC: u16 = 47;

/// Ethernet, IPv4 and UDP headers of a frame take 42 octets, with IPv6 62.
const ETHERNET: usize = 14;

/// One message on its way.
pub(super) struct Message<'a> {
    /// Who asks, with the port.
    pub(super) client: (IpAddr, u16),
    /// Who is asked, of the same version; its port is 53.
    pub(super) server: IpAddr,
    pub(super) id: u16,
    /// The name in wire form, in lower case.
    pub(super) name: &'a [u8],
    /// One bit a letter for those in upper case, beginning with the lowest.
    pub(super) case: u64,
    pub(super) kind: u16,
    /// Whether recursion is wanted: not by those who ask authorities.
    pub(super) recursion: bool,
    /// Without, it is the query.
    pub(super) reply: Option<Reply>,
}

impl Message<'_> {
    /// Writes the frame, in place of what `frame` held.
    pub(super) fn write(&self, frame: &mut Vec<u8>) {
        frame.clear();
        // Made-up addresses, locally administered: the clients' side has 1, the servers' 2.
        let (to, from) = if self.reply.is_some() { (1, 2) } else { (2, 1) };
        frame.extend_from_slice(&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from]);
        let (source, destination) = match self.reply {
            None => (self.client, (self.server, 53)),
            Some(_) => ((self.server, 53), self.client),
        };
        let udp = match (source.0, destination.0) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                // Don't Fragment, so that the identification may be 0 (RFC 6864 §4.1).
                frame.extend_from_slice(&[8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0]);
                frame.extend_from_slice(&source.octets());
                frame.extend_from_slice(&destination.octets());
                ETHERNET + 20
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend_from_slice(&[0x86, 0xDD, 0x60, 0, 0, 0, 0, 0, 17, 64]);
                frame.extend_from_slice(&source.octets());
                frame.extend_from_slice(&destination.octets());
                ETHERNET + 40
            }
            _ => unreachable!("the check matches versions"),
        };
        frame.extend_from_slice(&source.1.to_be_bytes());
        frame.extend_from_slice(&destination.1.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        self.dns(frame);
        // A message of one question and one record is far below 65,535 octets.
        let length = ((frame.len() - udp) as u16).to_be_bytes();
        frame[udp + 4..udp + 6].copy_from_slice(&length);
        let addresses = if udp == ETHERNET + 20 {
            let total = ((frame.len() - ETHERNET) as u16).to_be_bytes();
            frame[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&total);
            let sum = checksum(add(0, &frame[ETHERNET..udp]));
            frame[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&sum);
            ETHERNET + 12..udp
        } else {
            frame[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&length);
            ETHERNET + 8..udp
        };
        // The pseudo header: addresses, protocol, length.
        let pseudo = add(17 + u64::from(u16::from_be_bytes(length)), &frame[addresses]);
        let sum = checksum(add(pseudo, &frame[udp..]));
        // Zero would mean that there is none.
        let sum = if sum == [0, 0] { [0xFF, 0xFF] } else { sum };
        frame[udp + 6..udp + 8].copy_from_slice(&sum);
    }

    fn dns(&self, frame: &mut Vec<u8>) {
        let code = match self.reply {
            Some(Reply::Missing { .. }) => 3,
            Some(Reply::Refused) => 5,
            _ => 0,
        };
        let [recursion, authority] = if self.recursion { [0x01, 0x81] } else { [0x00, 0x84] };
        let available = if self.recursion { 0x80 } else { 0 };
        let flags = match self.reply {
            None => [recursion, 0],
            Some(_) => [authority, available | code],
        };
        let (answers, authorities) = match self.reply {
            None | Some(Reply::Refused) => (0, 0),
            Some(Reply::Address(..)) => (1, 0),
            Some(Reply::Missing { gap, .. }) => (0, 1 + u8::from(gap.is_some())),
            Some(Reply::Empty { .. }) => (0, 1),
        };
        frame.extend_from_slice(&self.id.to_be_bytes());
        frame.extend_from_slice(&flags);
        frame.extend_from_slice(&[0, 1, 0, answers, 0, authorities, 0, 0]);
        let question = frame.len();
        frame.extend_from_slice(self.name);
        if self.case != 0 {
            upper_case(&mut frame[question..], self.case);
        }
        frame.extend_from_slice(&self.kind.to_be_bytes());
        frame.extend_from_slice(&[0, 1]);
        match self.reply {
            None | Some(Reply::Refused) => {}
            Some(Reply::Address(address, ttl)) => {
                frame.extend_from_slice(&[0xC0, 12]);
                frame.extend_from_slice(&self.kind.to_be_bytes());
                frame.extend_from_slice(&[0, 1]);
                frame.extend_from_slice(&ttl.to_be_bytes());
                if self.kind == AAAA {
                    // 2001:db8:80::/96 and the other address; nothing for nothing.
                    let prefix = if address.is_unspecified() { [0; 6] } else { [0x20, 0x01, 0x0D, 0xB8, 0, 0x80] };
                    frame.extend_from_slice(&[0, 16]);
                    frame.extend_from_slice(&prefix);
                    frame.extend_from_slice(&[0; 6]);
                } else {
                    frame.extend_from_slice(&[0, 4]);
                }
                frame.extend_from_slice(&address.octets());
            }
            Some(Reply::Empty { ttl, minimum }) => self.soa(frame, ttl, minimum),
            Some(Reply::Missing { ttl, minimum, gap }) => {
                self.soa(frame, ttl, minimum);
                if let Some(gap) = gap {
                    self.nsec(frame, ttl, gap);
                }
            }
        }
    }

    /// The gap of the zone that the name falls into: the name before it, and in the data the next one, which is not compressed.
    fn nsec(&self, frame: &mut Vec<u8>, ttl: u32, gap: [Label; 2]) {
        let [before, next] = gap.map(|label| {
            let letters = label.iter().take_while(|letter| **letter > 0).count();
            let length = if letters > 0 { vec![letters as u8] } else { vec![] };
            [length, label[..letters].to_vec()].concat()
        });
        frame.extend_from_slice(&before);
        frame.extend_from_slice(&[0xC0, 12 + 1 + self.name[0]]);
        frame.extend_from_slice(&NSEC.to_be_bytes());
        frame.extend_from_slice(&[0, 1]);
        frame.extend_from_slice(&ttl.to_be_bytes());
        let zone = &self.name[1 + usize::from(self.name[0])..];
        // The types of the name before: in window 0, an octet, A.
        let data = [&next, zone, &[0, 1, 0x40]].concat();
        frame.extend_from_slice(&(data.len() as u16).to_be_bytes());
        frame.extend_from_slice(&data);
    }

    /// The SOA of the zone, which is what follows the first label.
    fn soa(&self, frame: &mut Vec<u8>, ttl: u32, minimum: u32) {
        // The question begins behind the header; a first label has at most 63 octets.
        let zone = [0xC0, 12 + 1 + self.name[0]];
        frame.extend_from_slice(&zone);
        frame.extend_from_slice(&SOA.to_be_bytes());
        frame.extend_from_slice(&[0, 1]);
        frame.extend_from_slice(&ttl.to_be_bytes());
        let data = [&[0, 5 + 13 + 20, 2, b'n', b's'][..], &zone, b"\x0ahostmaster", &zone].concat();
        frame.extend_from_slice(&data);
        // SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM.
        for number in [1, 7_200, 900, 1_209_600, minimum] {
            frame.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Turns letters into upper case where the bits of `case` say so.
fn upper_case(wire: &mut [u8], mut case: u64) {
    for octet in wire.iter_mut().filter(|octet| octet.is_ascii_lowercase()) {
        if case & 1 == 1 {
            octet.make_ascii_uppercase();
        }
        case = case.rotate_right(1);
    }
}

/// Adds octets, two at a time.
fn add(sum: u64, octets: &[u8]) -> u64 {
    let (pairs, rest) = octets.as_chunks::<2>();
    let sum = pairs.iter().fold(sum, |sum, pair| sum + u64::from(u16::from_be_bytes(*pair)));
    sum + rest.first().map_or(0, |octet| u64::from(*octet) << 8)
}

/// The ones' complement of a sum.
fn checksum(mut sum: u64) -> [u8; 2] {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
