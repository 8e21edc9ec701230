//! Any DNS message: the question that a plain reader finds, which nobody can doubt; and where its answers lead.

#![no_main]

use dgawatch::day::Timestamp;
use std::net::IpAddr;

use dgawatch::decode::{Config, Decoder, Kind, Outcome, Reading, Reply, Told, told};
use dgawatch::source::{LinkType, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    // More does not fit into one datagram.
    if octets.len() > 60_000 {
        return;
    }
    leads(octets);
    let frame = frame(octets);
    let mut decoder = Decoder::new(Config::new(&[], &[]));
    let reading = decoder.read(Record { time: Timestamp::default(), link: LinkType::ETHERNET, data: &frame });
    let Some(header) = octets.first_chunk::<12>() else {
        assert_eq!(reading.outcome(), Outcome::DnsShort);
        return;
    };
    let Reading::Message(message) = reading else { panic!("there is a header") };
    assert_eq!(message.header.id.to_be_bytes(), header[..2]);
    assert_eq!(message.header.is_response(), header[2] >= 0x80);
    assert_eq!(message.header.opcode(), header[2] >> 3 & 15);
    assert_eq!(message.header.rcode(), header[3] & 15);
    let found = message.question.map(|question| (question.name.as_wire().to_vec(), question.kind, question.class));
    if header[4..6] == [0, 0] {
        assert_eq!(found, None);
        assert_ne!(message.kind, Kind::Unreadable);
    } else {
        assert_eq!(found, plainly(octets));
        assert_eq!(found.is_none(), message.kind == Kind::Unreadable);
    }
});

/// Whatever the answers say: bounds hold, and an address stands in the message.
fn leads(octets: &[u8]) {
    let told = told(octets);
    match Reply::read(octets) {
        Err(instead) => assert_ne!(instead, Told::Addresses),
        Ok(Reply { addresses, servers, .. }) => {
            let header = octets.first_chunk::<12>().expect("no answer without a header");
            assert!(told == Told::Addresses || header[3] & 15 > 0);
            assert!((1..=8).contains(&addresses.len()) && servers.len() <= 4);
            for address in addresses {
                let raw = match address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                assert!(octets.windows(raw.len()).any(|window| window == raw), "{address}");
            }
            assert!(servers.iter().all(|server| server.bytes().all(|octet| octet.is_ascii_graphic())));
        }
    }
}

/// Name in wire form, type and class of the question at octet 12.
fn plainly(message: &[u8]) -> Option<(Vec<u8>, u16, u16)> {
    let mut labels: Vec<Vec<u8>> = vec![];
    let (mut at, mut behind, mut pointers) = (12, None, 0);
    loop {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => break,
            1..=63 => {
                labels.push(message.get(at + 1..at + 1 + length)?.to_vec());
                at += 1 + length;
            }
            64..192 => return None,
            _ => {
                behind = behind.or(Some(at + 2));
                at = (length - 192) * 256 + usize::from(*message.get(at + 1)?);
                pointers += 1;
                if pointers > 127 {
                    return None;
                }
            }
        }
    }
    let mut wire = vec![];
    for label in labels {
        wire.push(label.len() as u8);
        wire.extend(label);
    }
    wire.push(0);
    if wire.len() > 255 {
        return None;
    }
    let fixed = message.get(behind.unwrap_or(at + 1)..)?.first_chunk::<4>()?;
    Some((wire, u16::from_be_bytes([fixed[0], fixed[1]]), u16::from_be_bytes([fixed[2], fixed[3]])))
}

/// Ethernet, IPv4 and UDP around a message.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((28 + length).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17]);
    // The checksum: all other words of the header but the length add up to 0x0916 (RFC 1071).
    frame.extend((!(0x0916 + 28 + length)).to_be_bytes());
    frame.extend([192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 0, 53]);
    frame.extend((8 + length).to_be_bytes());
    // UDP over IPv4 may go without one.
    frame.extend([0, 0]);
    frame.extend_from_slice(payload);
    frame
}
