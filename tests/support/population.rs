//! A made-up subscriber network in the night of 31 March 2009, when Conficker C was about to wake.
//!
//! ```text
//!  subscribers 192.0.2.0/24, 2001:db8:1::/64 --- span port --- resolver 198.51.100.53 --- span port --- authorities
//! ```
//!
//! Everybody asks the resolver; what it has no answer for it asks the authorities, in sight of the same sensor.
//! Addresses and honest names are those set aside for documentation (RFC 5737, 3849, 2606).

use std::collections::HashSet;
use std::net::IpAddr;

use super::captures::Packet;
use super::packets::{at, ethernet, ip, nxdomain, query, udp, wire};
use super::{Rng, names};

const SECOND: u64 = 1_000_000_000;
/// 2009-03-31T20:00:00Z, midnight being four hours later.
const START: u64 = 1_238_529_600 * SECOND;
const MIDNIGHT: u64 = START + 4 * 3_600 * SECOND;

pub const RESOLVER: &str = "198.51.100.53";
const RESOLVER6: &str = "2001:db8:53::53";
const AUTHORITY: &str = "203.0.113.10";

/// A network being watched.
pub struct Network {
    rng: Rng,
    packets: Vec<Packet>,
    /// Names that the resolver has asked for already.
    cached: HashSet<String>,
}

/// One who asks.
#[derive(Clone, Copy)]
struct Host {
    address: &'static str,
    tags: &'static [(u16, u16)],
    /// Whether it mixes the case of what it asks (draft-vixie-dnsext-dns0x20).
    mixes_case: bool,
}

const fn host(address: &'static str) -> Host {
    Host { address, tags: &[], mixes_case: false }
}

impl Network {
    /// Traffic from 20:00 to 04:00, in order of time.
    pub fn watched() -> Vec<Packet> {
        let mut network = Self { rng: Rng(20_090_331), packets: vec![], cached: HashSet::new() };
        network.infected();
        network.honest();
        network.noise();
        network.packets.sort_by_key(|(time, _)| *time);
        network.packets
    }

    fn infected(&mut self) {
        let (a, b) = (names("conficker-a", "2009-03-31"), names("conficker-b", "2009-03-31"));
        // Two rounds of B three hours apart, of one host, and one of another that has only IPv6 and mixes case.
        self.round(host("192.0.2.7"), &b, START + 400 * SECOND, 170);
        self.round(host("192.0.2.7"), &b, START + 11_380 * SECOND, 170);
        self.round(Host { mixes_case: true, ..host("2001:db8:1::b") }, &b, START + 7_000 * SECOND, 175);
        // A behind a VLAN, and behind two, cut short by the evening's end of business.
        self.round(Host { tags: &[(0x8100, 100)], ..host("192.0.2.20") }, &a, START + 2_500 * SECOND, 180);
        self.round(Host { tags: &[(0x88A8, 10), (0x8100, 200)], ..host("192.0.2.21") }, &a[..40], START + 5_000 * SECOND, 30);
        // C: one name every 40 to 50 seconds, 500 of the 50,000 in all, here the part that falls around midnight.
        let (before, after) = (names("conficker-c", "2009-03-31"), names("conficker-c", "2009-04-01"));
        let mut time = MIDNIGHT - 3_000 * SECOND;
        for _ in 0..150 {
            let list = if time < MIDNIGHT { &before } else { &after };
            let name = list[self.rng.below(50_000) as usize].clone();
            self.lookup(host("192.0.2.30"), &name, 1, time);
            time += (40 + self.rng.below(11)) * SECOND + self.rng.below(SECOND);
        }
        // A clock a day fast: B asks for tomorrow's names.
        let tomorrow = names("conficker-b", "2009-04-01");
        self.round(host("192.0.2.44"), &tomorrow[..60], START + 1_200 * SECOND, 45);
    }

    fn honest(&mut self) {
        // A phonetician, who has never heard of the worm.
        for (name, kind, after) in [("www.praat.org", 1, 0), ("praat.org", 1, 1), ("praat.org", 28, 1), ("praat.org", 1, 5_400)] {
            self.lookup(host("192.0.2.99"), name, kind, START + (8_000 + after) * SECOND);
        }
        const CLIENTS: [&str; 8] = [
            "192.0.2.50",
            "192.0.2.51",
            "192.0.2.52",
            "192.0.2.53",
            "192.0.2.54",
            "2001:db8:1::51",
            "2001:db8:1::52",
            "2001:db8:1::53",
        ];
        const HOSTS: [&str; 8] = ["www", "mail", "cdn", "api", "img", "ns1", "static", "login"];
        const DOMAINS: [&str; 6] = ["example.com", "example.net", "example.org", "shop.example", "news.example", "bank.example"];
        for _ in 0..500 {
            let client = CLIENTS[self.rng.below(8) as usize];
            let domain = DOMAINS[self.rng.below(6) as usize];
            let name = if self.rng.below(4) == 0 {
                domain.to_owned()
            } else {
                format!("{}.{domain}", HOSTS[self.rng.below(8) as usize])
            };
            let kind = [1, 1, 1, 28, 28, 65, 15, 16][self.rng.below(8) as usize];
            let time = START + self.rng.below(8 * 3_600 * SECOND);
            self.lookup(host(client), &name, kind, time);
        }
    }

    /// What else a span port shows, and a sensor must account for.
    fn noise(&mut self) {
        let (client, server): (IpAddr, IpAddr) = ("192.0.2.50".parse().unwrap(), "203.0.113.80".parse().unwrap());
        let resolver: IpAddr = RESOLVER.parse().unwrap();
        let minute = |minute: u64| START + minute * 60 * SECOND;
        let arp = [&[0xFF; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 28]].concat();
        self.packets.push((minute(1), arp));
        for number in 2..40 {
            let octets = self.rng.octets(60);
            let quic = udp((client, 40_000).into(), (server, 443).into(), &octets);
            self.packets.push((minute(number), ethernet(&[], &quic)));
        }
        // A response cut by a switch, too short for a header; a question that points to itself; DNS over TCP; a fragment.
        let short = udp((resolver, 53).into(), (client, 40_001).into(), &[0x12, 0x34, 0x81]);
        self.packets.push((minute(41), ethernet(&[], &short)));
        let mut looped = query(7, "", 1);
        looped.splice(12..13, [0xC0, 0x0C]);
        self.packets.push((minute(42), ethernet(&[], &udp((client, 40_002).into(), (resolver, 53).into(), &looped))));
        let syn = [&[0x9C, 0x43, 0, 53][..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xFF, 0xFF, 0, 0, 0, 0]].concat();
        self.packets.push((minute(43), ethernet(&[], &ip(client, resolver, 6, syn))));
        let mut fragment = ip(resolver, client, 17, vec![0; 64]);
        fragment[6..8].copy_from_slice(&[0x20, 0xB9]);
        self.packets.push((minute(44), ethernet(&[], &fragment)));
        // GRE, and an ICMP error that quotes a query for a listed name: nobody asked for it here.
        self.packets.push((minute(45), ethernet(&[], &ip(client, server, 47, [&[0, 0, 8, 0][..], &[0x45; 24]].concat()))));
        let quoted = udp((client, 40_003).into(), (resolver, 53).into(), &query(9, "praat.org", 1));
        self.packets
            .push((minute(46), ethernet(&[], &ip(resolver, client, 1, [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat()))));
    }

    /// A round of the worm: all names in an order of its own, in bursts.
    fn round(&mut self, host: Host, list: &[String], start: u64, seconds: u64) {
        let mut list = list.to_vec();
        for place in (1..list.len()).rev() {
            list.swap(place, self.rng.below(place as u64 + 1) as usize);
        }
        for (place, name) in list.iter().enumerate() {
            let time = start + seconds * SECOND * place as u64 / list.len() as u64 + self.rng.below(SECOND / 4);
            self.lookup(host, name, 1, time);
        }
    }

    /// A query, its response, and what the resolver asks in between.
    fn lookup(&mut self, host: Host, name: &str, kind: u16, time: u64) {
        let (id, port) = (self.rng.next() as u16, 1_024 + self.rng.below(64_000) as u16);
        let client = at(host.address, port);
        let resolver = at(if client.is_ipv4() { RESOLVER } else { RESOLVER6 }, 53);
        let sent = if host.mixes_case { self.mix_case(name) } else { name.to_owned() };
        self.put(time, host.tags, udp(client, resolver, &query(id, &sent, kind)));
        let mut answered = time + SECOND / 1_000;
        if self.cached.insert(name.to_owned()) {
            let (up_id, up_port) = (self.rng.next() as u16, 1_024 + self.rng.below(64_000) as u16);
            let (up, authority) = (at(RESOLVER, up_port), at(AUTHORITY, 53));
            answered += SECOND / 40;
            self.put(time + SECOND / 2_000, &[], udp(up, authority, &query(up_id, name, kind)));
            self.put(answered - SECOND / 2_000, &[], udp(authority, up, &nxdomain(up_id, name, kind)));
        }
        debug_assert!(wire(&sent).len() <= 255);
        self.put(answered, host.tags, udp(resolver, client, &nxdomain(id, &sent, kind)));
    }

    fn put(&mut self, time: u64, tags: &[(u16, u16)], packet: Vec<u8>) {
        // Whole microseconds: what the file can hold.
        self.packets.push((time / 1_000 * 1_000, ethernet(tags, &packet)));
    }

    fn mix_case(&mut self, name: &str) -> String {
        name.chars().map(|c| if self.rng.below(2) == 0 { c.to_ascii_uppercase() } else { c }).collect()
    }
}
