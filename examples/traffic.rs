//! Makes a capture like an ISP's span port sees, of any size, with the truth beside it; and checks a report against it.
//!
//! ```text
//! cargo run --release --example traffic -- make PACKETS OUT.pcap [CLIENTS [LISTED]]    writes OUT.pcap and OUT.pcap.truth
//! dgawatch replay --format json OUT.pcap | cargo run --release --example traffic -- check OUT.pcap.truth
//! ```
//!
//! UDP queries and responses of 100,000 clients (or CLIENTS), an eighth of them IPv6, a tenth behind VLAN tags; 200,000 honest
//! names of which few are asked often; 20 of 10,000 lookups (or LISTED) for names that Conficker A, B and C generate for
//! 2009-04-01, by 500 of the clients, or by all where all lookups are; 8 % of other traffic.

#![allow(clippy::unwrap_used, reason = "a tool for measuring may panic")]

#[path = "../tests/support/captures.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "made for tests, of which this uses a part")]
mod captures;
#[path = "../tests/support/packets.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "made for tests, of which this uses a part")]
mod packets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::net::SocketAddr;

use captures::USUAL;
use dgawatch::dga::Catalog;
use packets::{at, ethernet, message, nxdomain, query, udp, wire};

/// 2009-04-01T06:00:00Z, in nanoseconds.
const START: u64 = 1_238_565_600_000_000_000;

/// Queries for listed names by source, and the names.
type Truth = BTreeMap<String, (u64, BTreeSet<String>)>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", packets, path] => make(packets.parse().unwrap(), path, Traffic::new(100_000, 20)),
        ["make", packets, path, clients] => make(packets.parse().unwrap(), path, Traffic::new(clients.parse().unwrap(), 20)),
        ["make", packets, path, clients, listed] => {
            make(packets.parse().unwrap(), path, Traffic::new(clients.parse().unwrap(), listed.parse().unwrap()));
        }
        ["check", path] => check(path),
        _ => panic!("say `make PACKETS OUT.pcap [CLIENTS [LISTED]]`, or `check OUT.pcap.truth` with a report on standard input"),
    }
}

fn make(packets: usize, path: &str, mut traffic: Traffic) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(&USUAL.file(&[])).unwrap();
    for place in 0..packets as u64 {
        // 100,000 packets a second; a file of one packet is its header and a record.
        let packet = (START + place * 10_000, traffic.next());
        out.write_all(&USUAL.file(&[packet])[24..]).unwrap();
    }
    out.flush().unwrap();
    let mut out = BufWriter::new(File::create(format!("{path}.truth")).unwrap());
    for (source, (queries, names)) in &traffic.truth {
        writeln!(out, "{source} {queries} {}", names.len()).unwrap();
    }
    out.flush().unwrap();
}

fn check(path: &str) {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut found = Truth::new();
    for row in report["sources"].as_array().unwrap() {
        let (queries, names) = found.entry(row["source"].as_str().unwrap().to_owned()).or_default();
        *queries += row["matches"].as_u64().unwrap();
        names.extend(row["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
    }
    let lines: Vec<String> =
        found.iter().map(|(source, (queries, names))| format!("{source} {queries} {}", names.len())).collect();
    let truth = fs::read_to_string(path).unwrap();
    assert!(truth.lines().eq(lines.iter().map(String::as_str)), "the report is not what {path} says");
    println!("{} sources as they should be", lines.len());
}

struct Traffic {
    random: u64,
    clients: u64,
    /// Lookups of 10,000 that are for listed names.
    listed_share: u64,
    honest: Vec<String>,
    listed: Vec<String>,
    /// Responses on their way.
    waiting: Vec<Vec<u8>>,
    truth: Truth,
}

impl Traffic {
    fn new(clients: u64, listed_share: u64) -> Self {
        let mut catalog = Catalog::default();
        catalog.add("conficker").unwrap();
        let (mut listed, mut lists) = (vec![], BTreeMap::<String, u8>::new());
        for (_, family) in catalog.iter() {
            for day in ["2009-03-31", "2009-04-01", "2009-04-02"] {
                family.names(day.parse().unwrap(), &mut |name| {
                    *lists.entry(name.to_string()).or_default() += 1;
                    if day == "2009-04-01" {
                        listed.push(name.to_string());
                    }
                });
            }
        }
        // One that several lists hold counts several times.
        listed.retain(|name| lists[name] == 1);
        let (honest, waiting) = (vec![], vec![]);
        let mut traffic = Self { random: 1, clients, listed_share, honest, listed, waiting, truth: Truth::new() };
        traffic.honest = (0..200_000).map(|_| traffic.honest_name()).collect();
        traffic
    }

    /// The next packet.
    fn next(&mut self) -> Vec<u8> {
        match self.below(100) {
            0..8 => self.other(),
            _ if self.waiting.len() > 64 || !self.waiting.is_empty() && self.below(2) == 0 => {
                let place = self.below(self.waiting.len() as u64) as usize;
                self.waiting.swap_remove(place)
            }
            _ => self.lookup(),
        }
    }

    fn lookup(&mut self) -> Vec<u8> {
        let listed = self.below(10_000) < self.listed_share;
        // Few of the infected ask for most of the listed names.
        let few = listed && self.listed_share < 10_000;
        let number = if few { self.below(500) * (self.clients / 500) } else { self.below(self.clients) };
        let (client, tags) = client(number, 1_024 + self.below(60_000) as u16);
        let resolver = at(if client.is_ipv4() { "192.0.2.53" } else { "2001:db8:ffff::53" }, 53);
        let name = if listed {
            let place = self.below(self.listed.len() as u64) as usize;
            self.listed[place].clone()
        } else {
            // The cube of a share: half of all queries go to an eighth of the names.
            let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
            self.honest[(share.powi(3) * self.honest.len() as f64) as usize].clone()
        };
        if listed {
            let (queries, names) = self.truth.entry(client.ip().to_string()).or_default();
            *queries += 1;
            names.insert(name.clone());
        }
        let (id, kind) = (self.below(65_536) as u16, [1, 1, 1, 1, 28, 28, 65, 12][self.below(8) as usize]);
        let answers = if listed { 0 } else { self.below(4) as u16 };
        let response = if answers == 0 { nxdomain(id, &name, kind) } else { response(id, &name, kind, answers) };
        self.waiting.push(ethernet(tags, &udp(resolver, client, &response)));
        let mut question = query(id, &name, kind);
        if self.below(10) < 6 {
            // EDNS: an OPT record in the additional section.
            question[11] = 1;
            question.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        }
        ethernet(tags, &udp(client, resolver, &question))
    }

    fn other(&mut self) -> Vec<u8> {
        let (number, port) = (self.below(self.clients), 1_024 + self.below(60_000) as u16);
        let (client, tags) = client(number, port);
        let server = at(if client.is_ipv4() { "203.0.113.80" } else { "2001:db8:eeee::80" }, 443);
        let length = if self.below(2) == 0 { 40 + self.below(60) } else { 300 + self.below(900) };
        let payload: Vec<u8> = (0..length / 8).flat_map(|_| self.next_number().to_le_bytes()).collect();
        ethernet(tags, &udp(client, server, &payload))
    }

    fn honest_name(&mut self) -> String {
        let length = 4 + self.below(10);
        let site: String = (0..length).map(|_| char::from(b"eariotnslcudpmhgbfywkvxzjq"[self.below(26) as usize % 20])).collect();
        let suffix = ["com", "com", "com", "net", "org", "de", "fr", "co.uk", "com.br", "io"][self.below(10) as usize];
        let service = ["www", "api", "cdn", "mail", "static", "img"][self.below(6) as usize];
        match self.below(20) {
            0..5 => format!("{site}.{suffix}"),
            5..16 => format!("{service}.{site}.{suffix}"),
            _ => format!(
                "{service}{}.{}.{site}.{suffix}",
                self.below(32),
                ["eu-west-1", "us-east-1", "fra", "edge"][self.below(4) as usize]
            ),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next_number() % bound
    }

    /// SplitMix64.
    fn next_number(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// A client by number, and the tags its packets wear.
fn client(number: u64, port: u16) -> (SocketAddr, &'static [(u16, u16)]) {
    let tags: &[(u16, u16)] = match number % 20 {
        0 => &[(0x8100, 100)],
        1 => &[(0x88A8, 10), (0x8100, 200)],
        _ => &[],
    };
    let address = match number % 8 {
        0 => format!("2001:db8:{:x}::{:x}", number >> 8, number & 255),
        _ => format!("100.{}.{}.{}", 64 + (number >> 16), number >> 8 & 255, number & 255),
    };
    (at(&address, port), tags)
}

/// A response with some addresses, the name being pointed at.
fn response(id: u16, name: &str, kind: u16, answers: u16) -> Vec<u8> {
    let mut octets = message(id, 0x8180, &wire(name), kind);
    octets[7] = answers as u8;
    for place in 0..answers {
        octets.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 203, 0, 113, place as u8]);
    }
    octets
}
