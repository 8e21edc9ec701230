//! Any frame of dnstap: one message or one reason why there is none, the same each time.

#![no_main]

use dgawatch::day::Timestamp;
use dgawatch::decode::{Assembler, Config, Decoder, GivenUp, Outcome, Reading};
use dgawatch::source::{LinkType, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let first = read(octets);
    assert_eq!(read(octets), first);
    let (messages, malformed, incomplete) = first;
    assert_eq!(messages.len() as u64 + malformed + incomplete, 1);
});

/// The messages as text, and the frames that were given up by reason.
fn read(octets: &[u8]) -> (Vec<String>, u64, u64) {
    let config = Config::new(&[], &[]);
    let (mut decoder, mut assembler) = (Decoder::new(config.clone()), Assembler::new(config));
    let reading = decoder.read(Record { time: Timestamp::from_parts(1, 2), link: LinkType::DNSTAP, data: octets });
    assert_eq!(reading.outcome(), Outcome::Dnstap);
    let Reading::Piece(piece) = reading else { panic!("a frame is a piece") };
    let mut messages = vec![];
    assembler.take(1, &piece, &mut |_, message| {
        assert_eq!(message.source().is_ipv4(), message.destination().is_ipv4());
        messages.push(format!("{message:?}"));
    });
    assert!(!assembler.is_waiting());
    assert_eq!(assembler.messages().total(), messages.len() as u64);
    let given_up = assembler.given_up();
    let of = [GivenUp::DnstapMalformed, GivenUp::DnstapIncomplete].map(|why| given_up.of(why));
    assert_eq!(given_up.total(), of[0] + of[1]);
    (messages, of[0], of[1])
}
