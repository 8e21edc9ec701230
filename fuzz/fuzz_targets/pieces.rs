//! Any sequence of packets: put together at once or from a shelf, the same messages, and nothing lost without a reason.

#![no_main]

use dgawatch::day::Timestamp;
use dgawatch::decode::{Assembler, Config, Decoder, Message, Pieces, Reading};
use dgawatch::source::{LinkType, Record};
use libfuzzer_sys::fuzz_target;

// A packet is a length octet, a time octet (a step of a third of a second, or back), and an IP packet.
fuzz_target!(|octets: &[u8]| {
    let config = Config::new(&[], &[]);
    let mut decoder = Decoder::new(config.clone());
    let (mut at_once, mut later) = (Assembler::new(config.clone()), Assembler::new(config));
    let (mut one, mut other) = (vec![], vec![]);
    let mut pieces = Pieces::default();
    let (mut rest, mut now, mut frame) = (octets, 1_u64 << 40, 0);
    while let [length, step, data @ ..] = rest {
        let (data, behind) = data.split_at(data.len().min((*length).into()));
        rest = behind;
        now = now.wrapping_add_signed(i64::from(*step as i8) * 333_333_333);
        frame += 1;
        if let Reading::Piece(piece) = decoder.read(Record { time: Timestamp::from_nanos(now), link: LinkType::RAW, data }) {
            pieces.push(&piece);
            at_once.take(frame, &piece, &mut |frame, message| one.push(shown(frame, message)));
        }
    }
    // Numbers that are others, in the same order.
    for (number, piece) in (1_000_000..).zip(pieces.iter()) {
        later.take(number, piece, &mut |_, message| other.push(shown(0, message)));
    }
    // What does not add up ends the run here: sums are asserted where streams and datagrams end.
    at_once.finish(&mut |frame, message| one.push(shown(frame, message)));
    later.finish(&mut |_, message| other.push(shown(0, message)));
    assert!(one.iter().map(|(_, message)| message).eq(other.iter().map(|(_, message)| message)));
    assert!(one.iter().all(|(of, _)| *of <= frame));
    assert_eq!(at_once.given_up(), later.given_up());
    assert_eq!(at_once.messages().total(), one.len() as u64);
});

fn shown(frame: u64, message: &Message<'_>) -> (u64, String) {
    (frame, format!("{message:?}"))
}
