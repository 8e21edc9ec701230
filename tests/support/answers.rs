//! Responses that lead somewhere, and a capture with one of each kind.

use super::captures::{Packet, USUAL};
use super::names;
use super::packets::{at, ethernet, query, udp, wire};

pub const NXDOMAIN: u8 = 3;
pub const SERVFAIL: u8 = 2;

/// A record: owner, type, seconds, data.
pub type Record = (String, u16, u32, Vec<u8>);

/// An address.
pub fn address(owner: &str, address: &str) -> Record {
    match address.parse().unwrap() {
        std::net::IpAddr::V4(v4) => (owner.to_owned(), 1, 300, v4.octets().to_vec()),
        std::net::IpAddr::V6(v6) => (owner.to_owned(), 28, 300, v6.octets().to_vec()),
    }
}

/// An alias.
pub fn alias(owner: &str, to: &str) -> Record {
    (owner.to_owned(), 5, 60, wire(to))
}

/// A name server.
pub fn server(owner: &str, name: &str) -> Record {
    (owner.to_owned(), 2, 3_600, wire(name))
}

/// A response to a question for an address.
pub fn response(id: u16, name: &str, rcode: u8, answers: &[Record], authority: &[Record]) -> Vec<u8> {
    let mut octets = super::packets::message(id, 0x8180 | u16::from(rcode), &wire(name), 1);
    octets[7] = answers.len() as u8;
    octets[9] = authority.len() as u8;
    for (owner, kind, ttl, data) in answers.iter().chain(authority) {
        octets.extend(wire(owner));
        octets.extend(kind.to_be_bytes());
        octets.extend(1_u16.to_be_bytes());
        octets.extend(ttl.to_be_bytes());
        octets.extend((data.len() as u16).to_be_bytes());
        octets.extend(data);
    }
    octets
}

/// Questions and their responses, one exchange a second from 2009-03-31 20:00 on.
#[derive(Default)]
pub struct Exchanges(pub Vec<Packet>);

impl Exchanges {
    /// The client asks for a name at the resolver 192.0.2.53, and is answered.
    pub fn add(&mut self, client: &str, name: &str, rcode: u8, answers: &[Record], authority: &[Record]) {
        let number = self.0.len() as u16 / 2;
        let time = 1_238_529_600_000_000_000 + u64::from(number) * 1_000_000_000;
        let (client, resolver) = (at(client, 40_000 + number), at("192.0.2.53", 53));
        self.0.push((time, ethernet(&[], &udp(client, resolver, &query(number, name, 1)))));
        let response = response(number, name, rcode, answers, authority);
        self.0.push((time + 1_000_000, ethernet(&[], &udp(resolver, client, &response))));
    }

    pub fn file(&self) -> Vec<u8> {
        USUAL.file(&self.0)
    }
}

/// Conficker B on 2009-03-31: 192.0.2.7 is told everything that there is to be told about listed names, the live address of
/// one twice; 192.0.2.8 asks for that one alone; and a name of the next day leads there too.
pub fn each_kind() -> Exchanges {
    let (today, tomorrow) = (names("conficker-b", "2009-03-31"), names("conficker-b", "2009-04-01"));
    let mut exchanges = Exchanges::default();
    let mut tell = |client: &str, name: &String, rcode, answers: &[Record], authority: &[Record]| {
        exchanges.add(client, name, rcode, answers, authority);
    };
    let (bot, other) = ("192.0.2.7", "192.0.2.8");
    tell(bot, &today[0], NXDOMAIN, &[], &[]);
    tell(bot, &today[1], 0, &[address(&today[1], "38.229.70.125")], &[]);
    tell(bot, &today[2], 0, &[address(&today[2], "91.195.240.7")], &[]);
    tell(bot, &today[3], 0, &[address(&today[3], "0.0.0.0"), address(&today[3], "::")], &[]);
    let live = [alias(&today[4], "cdn.example"), address("cdn.example", "198.51.100.66"), address("cdn.example", "2a00::66")];
    tell(bot, &today[4], 0, &live, &[server("example", "NS1.example"), server("example", "ns2.example")]);
    tell(bot, &today[4], 0, &live, &[]);
    tell(bot, &today[5], SERVFAIL, &[], &[]);
    tell(bot, &today[6], 0, &[], &[]);
    // About another name, which says nothing.
    tell(bot, &today[7], 0, &[address("cdn.example", "198.51.100.77")], &[]);
    tell(other, &today[4], 0, &live, &[]);
    tell(bot, &tomorrow[0], 0, &[address(&tomorrow[0], "198.51.100.66")], &[]);
    tell(other, &"www.example".to_owned(), 0, &[address("www.example", "198.51.100.66")], &[]);
    exchanges
}

/// The same, and ten names that lead to one address.
pub fn each_kind_and_a_crowd() -> Exchanges {
    let mut exchanges = each_kind();
    for name in &names("conficker-b", "2009-03-31")[20..30] {
        exchanges.add("192.0.2.7", name, 0, &[address(name, "203.0.113.80")], &[]);
    }
    exchanges
}
