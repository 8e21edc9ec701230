//! Any packet of any link type: one outcome, the same each time, and a name that is one.

#![no_main]

use dgawatch::day::Timestamp;
use dgawatch::decode::{Config, Decoder, Message, Outcome, Reading};
use dgawatch::name::{MAX_OCTETS, Name, RawName};
use dgawatch::source::{LinkType, Record};
use libfuzzer_sys::fuzz_target;

/// All that are read, the usual ones more often, and two that are not.
const LINKS: [u32; 48] = [
    1, 1, 1, 1, 113, 276, 0, 108, 101, 12, 14, 228, 229, 147, 148, 6, 7, 9, 10, 50, 51, 100, 104, 105, 107, 109, 117, 119, 122,
    123, 127, 129, 163, 166, 192, 204, 205, 206, 219, 239, 240, 241, 274, 105, 127, 1, 1, 1,
];

fuzz_target!(|octets: &[u8]| {
    let Some((&choice, data)) = octets.split_first() else { return };
    let link = LinkType(LINKS[usize::from(choice) % LINKS.len()]);
    let record = |data| Record { time: Timestamp::from_parts(1, 2), link, data };
    let mut decoder = Decoder::new(Config::new(&[], &[]));
    let reading = decoder.read(record(data));
    let shown = format!("{reading:?}");
    let outcome = reading.outcome();
    let asked = match reading {
        Reading::Message(message) => {
            assert!(Decoder::reads(link));
            check(&message);
            asked(&message)
        }
        Reading::Piece(_) => {
            assert!(matches!(outcome, Outcome::DnsTcp | Outcome::Fragment));
            None
        }
        Reading::Nothing(_) => {
            assert!(!matches!(outcome, Outcome::DnsQuery | Outcome::DnsResponse | Outcome::DnsBadQuestion));
            assert_eq!(outcome == Outcome::UnknownLink, !Decoder::reads(link));
            None
        }
    };
    // Where the quick way knows an answer, the thorough way gives the same.
    if let Some(quick) = decoder.quick(record(data)) {
        let quick = format!("{quick:?}");
        assert_eq!(quick, format!("{:?}", decoder.thorough(record(data))));
    }
    if let Some(segment) = decoder.segment(record(data)) {
        let segment = format!("{segment:?}");
        assert_eq!(segment, format!("{:?}", decoder.thorough(record(data))));
    }
    // Another port to look at changes nothing for a packet in which that port does not stand.
    let again = Decoder::new(Config::new(&[5_300], &[])).read(record(data)).outcome();
    assert!(outcome == again || data.windows(2).any(|octets| octets == 5_300_u16.to_be_bytes()));
    // A packet cut short is read as far as it goes: what it still asks, the whole one asks too, unless what was cut is
    // what told one encapsulation from another.
    if let Some((_, cut)) = data.split_last()
        && let Reading::Message(message) = decoder.read(record(cut))
    {
        check(&message);
        let guessed = outcome != message.outcome();
        assert!(message.question.is_none() || self::asked(&message) == asked || guessed);
    }
    // The decoder has a buffer for names, which the packet between may have written to.
    assert_eq!(format!("{:?}", decoder.read(record(data))), shown);
});

/// Name in wire form, type and class.
fn asked(message: &Message<'_>) -> Option<(Vec<u8>, u16, u16)> {
    message.question.map(|question| (question.name.as_wire().to_vec(), question.kind, question.class))
}

fn check(message: &Message<'_>) {
    let expected = if message.header.is_response() { Outcome::DnsResponse } else { Outcome::DnsQuery };
    assert!(message.outcome() == expected || message.outcome() == Outcome::DnsBadQuestion && message.question.is_none());
    assert_eq!(message.source().is_ipv4(), message.destination().is_ipv4());
    let Some(question) = message.question else { return };
    let wire = question.name.as_wire();
    assert!(wire.len() <= MAX_OCTETS);
    assert_eq!(RawName::take(wire), Some(question.name));
    let lower = Name::from(question.name);
    assert_eq!(lower.as_wire(), wire.to_ascii_lowercase());
    for shown in [question.name.to_string(), lower.to_string()] {
        assert!(shown.bytes().all(|octet| (0x21..=0x7e).contains(&octet)), "{shown}");
        assert_eq!(Name::parse(&shown).as_ref(), Ok(&lower));
    }
}
