//! The question reader against two others: the `domain` crate, which checks like RFC 9267 asks, and `dns-parser`.
//!
//! Known differences, each with its reason:
//! * Pointers forwards: `domain` refuses them, as RFC 1035 means; we follow them, because resolvers answer such
//!   questions (tests/decode_corpus.rs holds one with its answer). `dns-parser` follows them as we do.
//! * Names over 255 octets: `dns-parser` accepts them, we and `domain` do not.
//! * `dns-parser` refuses whole messages for a type or class it does not know, a reserved bit, letters outside ASCII,
//!   and for anything wrong behind the question; where it refuses, nothing is compared.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::Cursor;

use dgawatch::decode::{Config, Decoder, Reading};
use dgawatch::source::{Capture, LinkType, Record};
use domain::base::Message;
use proptest::prelude::*;
use support::packets::{at, message, udp, wire};
use support::{Rng, corpus};

/// Name in lower case, type, class.
type Question = Option<(String, u16, u16)>;

/// Ours: `None` when there is no header, `Some(None)` when no question can be read.
fn ours(octets: &[u8]) -> Option<Question> {
    let packet = udp(at("192.0.2.1", 5_000), at("192.0.2.2", 53), octets);
    let mut decoder = Decoder::new(Config::new(&[], &[]));
    let record = Record { time: Default::default(), link: LinkType::RAW, data: &packet };
    let Reading::Message(message) = decoder.read(record) else { return None };
    Some(message.question.map(|question| (question.name.to_string().to_lowercase(), question.kind, question.class)))
}

fn by_domain(octets: &[u8]) -> Option<Question> {
    let message = Message::from_octets(octets).ok()?;
    let question = message.question().next().and_then(Result::ok);
    Some(question.map(|question| {
        (
            presentation(question.qname().iter().map(|label| label.as_slice().to_vec())),
            question.qtype().to_int(),
            question.qclass().to_int(),
        )
    }))
}

fn by_dns_parser(octets: &[u8]) -> Question {
    let packet = dns_parser::Packet::parse(octets).ok()?;
    let question = packet.questions.first()?;
    // It keeps no labels apart: a dot inside one looks like any other. A pointer to the root leaves a dot at the end.
    Some((
        question.qname.to_string().to_lowercase().trim_end_matches('.').to_owned(),
        question.qtype as u16,
        question.qclass as u16,
    ))
}

/// Our presentation form, from labels.
fn presentation(labels: impl Iterator<Item = Vec<u8>>) -> String {
    let escape = |octet: u8| match octet {
        b'.' | b'\\' => format!("\\{}", char::from(octet)),
        0x21..=0x7e => char::from(octet).to_ascii_lowercase().to_string(),
        _ => format!("\\{octet:03}"),
    };
    let labels: Vec<String> =
        labels.filter(|label| !label.is_empty()).map(|label| label.into_iter().map(escape).collect()).collect();
    if labels.is_empty() { ".".to_owned() } else { labels.join(".") }
}

/// Presentation form without its escapes, the root as nothing.
fn unescaped(name: &str) -> String {
    let mut rest = name.strip_suffix('.').filter(|rest| rest.is_empty()).unwrap_or(name).chars();
    let mut plain = String::new();
    while let Some(c) = rest.next() {
        let digits: String = rest.clone().take(3).take_while(char::is_ascii_digit).collect();
        match (c, digits.len()) {
            ('\\', 3) => {
                plain.push(char::from(digits.parse::<u8>().unwrap()));
                rest.nth(2);
            }
            ('\\', _) => plain.extend(rest.next()),
            (c, _) => plain.push(c),
        }
    }
    plain
}

/// Whether the name at octet 12 uses a pointer that leads forwards or to itself, by a walk of its own.
fn points_forwards(octets: &[u8]) -> bool {
    let (mut at, mut steps) = (12, 0);
    while let Some(&first) = octets.get(at) {
        steps += 1;
        match first {
            0 => return false,
            1..=63 => at += 1 + usize::from(first),
            0xC0.. => {
                let Some(second) = octets.get(at + 1) else { return false };
                let target = usize::from(first & 0x3F) << 8 | usize::from(*second);
                if target >= at || steps > 300 {
                    return true;
                }
                at = target;
            }
            _ => return false,
        }
    }
    false
}

/// Compares the three readers on one message; tells whether `dns-parser` had something to say.
fn compare(octets: &[u8]) -> bool {
    let got = ours(octets);
    let expected = by_domain(octets);
    if !points_forwards(octets) {
        assert_eq!(got, expected, "{}", octets.escape_ascii());
    }
    let Some((name, kind, class)) = by_dns_parser(octets) else { return false };
    if let Some(Some(question)) = &got {
        let plain = (unescaped(&question.0).trim_end_matches('.').to_owned(), question.1, question.2 & 0x7FFF);
        assert_eq!(plain, (name, kind, class & 0x7FFF), "{}", octets.escape_ascii());
        return true;
    }
    // It sees a question where we see none: a name that is too long.
    assert!(name.len() > 253, "{name}: {}", octets.escape_ascii());
    true
}

#[test]
fn made_messages() {
    let mut rng = Rng(12);
    let mut heard = 0;
    for _ in 0..20_000 {
        let labels = 1 + rng.below(6);
        let mut name = vec![];
        for _ in 0..labels {
            let most = if rng.below(20) == 0 { 70 } else { 14 };
            let length = 1 + rng.below(most);
            name.push(length as u8);
            // Mostly letters of either case, rarely anything, never a dot: dns-parser does not escape them.
            let octet =
                |rng: &mut Rng| if rng.below(200) == 0 { rng.next() as u8 } else { b"abcXYZ019-_"[rng.below(11) as usize] };
            name.extend((0..length).map(|_| octet(&mut rng)).map(|octet| if b".\\".contains(&octet) { b'x' } else { octet }));
        }
        if rng.below(10) == 0 {
            name.extend([0xC0 | rng.below(2) as u8, rng.below(60) as u8]);
        } else {
            name.push(0);
        }
        let kind = [1, 2, 5, 6, 12, 15, 16, 28, 33, 43, 64, 65, 255, 65_280][rng.below(14) as usize];
        let flags = if rng.below(4) == 0 { rng.next() as u16 } else { 0x0100 };
        let mut octets = message(rng.next() as u16, flags, &name, kind);
        if rng.below(8) == 0 {
            octets.truncate(rng.below(octets.len() as u64) as usize);
        }
        heard += usize::from(compare(&octets));
    }
    assert!(heard > 4_000, "{heard}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets(head in prop::array::uniform4(any::<u8>()), body in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..12, Just(0xC0), Just(0)], 0..80)) {
        let octets = [&head[..], &[0, 1, 0, 0, 0, 0, 0, 0], &body].concat();
        compare(&octets);
    }
}

#[test]
fn the_limit_of_a_name() {
    for (last, readable) in [(61, true), (62, false), (63, false)] {
        let name = [63, 63, 63, last].map(|length| "a".repeat(length)).join(".");
        let octets = message(1, 0x0100, &wire(&name), 1);
        assert_eq!(ours(&octets).unwrap().is_some(), readable, "{last}");
        compare(&octets);
    }
}

#[test]
fn messages_of_real_captures() {
    let Some(folder) = corpus() else { return };
    let (mut messages, mut heard) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let Ok(mut capture) = Capture::new(Cursor::new(fs::read(entry.unwrap().path()).unwrap())) else { continue };
        let mut block = vec![];
        while let Ok(true) = capture.fill(&mut block) {
            let (_, outcome) = capture.walk(&block, |record| {
                let Ok(packet) = etherparse::LaxSlicedPacket::from_ethernet(record.data) else { return };
                let Some(etherparse::TransportSlice::Udp(udp)) = packet.transport else { return };
                let dns = [udp.source_port(), udp.destination_port()].iter().any(|port| [53, 5353, 5355].contains(port));
                if record.link == LinkType::ETHERNET && dns {
                    messages += 1;
                    // mDNS and odd names hold dots and escapes that dns-parser writes otherwise; real names do not.
                    heard += usize::from(compare(udp.payload()));
                }
            });
            if outcome.is_err() {
                break;
            }
        }
    }
    assert!(messages > 1_800 && heard > 1_000, "{messages} messages, {heard} of them read by dns-parser");
}
