//! Made-up populations: their packets, read with other people's parsers, and the truth about them.

use std::convert::Infallible;
use std::net::IpAddr;

use dgawatch::simulate::{Description, Population, Truth};
use domain::base::Message;
use domain::base::iana::{Rcode, Rtype};
use domain::rdata::{A, Nsec, Soa};
use etherparse::{NetHeaders, PacketHeaders, TransportHeader};

/// A DNS message of a capture.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// Who asked.
    pub client: IpAddr,
    pub server: IpAddr,
    pub port: u16,
    pub id: u16,
    pub response: bool,
    /// As sent.
    pub name: String,
    pub nxdomain: bool,
    /// Of the SOA: its TTL and its MINIMUM.
    pub soa: Option<(u32, u32)>,
    pub address: Option<IpAddr>,
}

/// Makes a population of TOML, and reads every packet.
#[track_caller]
pub fn simulate(description: &str, seed: u64) -> (Vec<Seen>, Truth) {
    let mut seen = vec![];
    let truth = frames(description, seed, &mut |time, frame| seen.push(read(time, frame)));
    assert!(seen.is_sorted_by_key(|packet| packet.time));
    (seen, truth)
}

/// Makes a population of TOML.
#[track_caller]
pub fn frames(description: &str, seed: u64, each: &mut dyn FnMut(u64, &[u8])) -> Truth {
    let description: Description = toml::from_str(description).unwrap();
    let population = Population::new(description).unwrap();
    let made = population.simulate(seed, true, &mut |time, frame| {
        each(time.as_nanos(), frame);
        Ok::<(), Infallible>(())
    });
    made.unwrap()
}

/// Reads a frame; lengths and checksums must be right.
#[track_caller]
fn read(time: u64, frame: &[u8]) -> Seen {
    let packet = PacketHeaders::from_ethernet_slice(frame).unwrap();
    let Some(TransportHeader::Udp(udp)) = packet.transport else { panic!("no UDP") };
    let payload = packet.payload.slice();
    assert_eq!(usize::from(udp.length), 8 + payload.len());
    let (sum, source, destination): (u16, IpAddr, IpAddr) = match packet.net.unwrap() {
        NetHeaders::Ipv4(ip, _) => {
            assert_eq!(ip.calc_header_checksum(), ip.header_checksum);
            (udp.calc_checksum_ipv4(&ip, payload).unwrap(), ip.source.into(), ip.destination.into())
        }
        NetHeaders::Ipv6(ip, _) => (udp.calc_checksum_ipv6(&ip, payload).unwrap(), ip.source.into(), ip.destination.into()),
        NetHeaders::Arp(_) => panic!("no IP"),
    };
    assert_eq!(sum, udp.checksum);
    let dns = Message::from_octets(payload).unwrap();
    let (header, question) = (dns.header(), dns.sole_question().unwrap());
    let response = header.qr();
    let (client, server, port) =
        if response { (destination, source, udp.destination_port) } else { (source, destination, udp.source_port) };
    assert_eq!(if response { udp.source_port } else { udp.destination_port }, 53);
    // Recursion is what clients want and resolvers offer; authorities answer for themselves.
    assert_eq!(header.ra(), response && header.rd());
    assert_eq!(header.aa(), response && !header.rd());
    let records = dns.authority().unwrap().map(|record| record.unwrap());
    let soa = records.filter_map(|record| {
        let (owner, ttl) = (record.owner().to_string().to_lowercase(), record.ttl().as_secs());
        if record.rtype() == Rtype::NSEC {
            // The name stands behind the one and before the next, or that is the zone's own.
            let next = record.to_record::<Nsec<_, _>>().unwrap().unwrap().data().next_name().to_string();
            let name = question.qname().to_string().to_lowercase();
            let (label, zone) = name.split_once('.').unwrap();
            let of_zone = |name: &str| name.strip_suffix(zone).map(|rest| rest.trim_end_matches('.').to_owned());
            let (before, next) = (of_zone(&owner).unwrap(), of_zone(&next).unwrap());
            assert!(*before < *label && (next.is_empty() || *label < *next), "{before} {label} {next}");
            return None;
        }
        let record = record.to_record::<Soa<_>>().unwrap().unwrap();
        let zone = question.qname().to_string().to_lowercase();
        assert!(zone.ends_with(&format!(".{owner}")), "{zone} {owner}");
        assert_eq!(record.data().mname().to_string().to_lowercase(), format!("ns.{owner}"));
        assert_eq!(record.data().rname().to_string().to_lowercase(), format!("hostmaster.{owner}"));
        Some((ttl, record.data().minimum().as_secs()))
    });
    let soa = soa.last();
    let address = dns.answer().unwrap().map(|record| {
        let record = record.unwrap();
        assert_eq!(record.owner().to_string(), question.qname().to_string());
        record.to_record::<A>().unwrap().map(|record| IpAddr::from(record.data().addr()))
    });
    let (answered, address) = (dns.header_counts().ancount(), address.last().flatten());
    assert_eq!(u32::from(answered) + u32::from(soa.is_some()), u32::from(response), "one record in each response");
    Seen {
        time,
        client,
        server,
        port,
        id: header.id(),
        response,
        name: question.qname().to_string(),
        nxdomain: header.rcode() == Rcode::NXDOMAIN,
        soa,
        address,
    }
}
