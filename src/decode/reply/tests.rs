//! Responses of every kind, made by hand; hostile ones; and each of the two readers against the other.

use proptest::prelude::*;

use super::*;

/// A response about a.com with these records, of types, lifetimes and data.
fn response(rcode: u8, answers: &[(u16, u32, &[u8])], authority: &[(u16, u32, &[u8])]) -> Vec<u8> {
    let mut message = vec![0, 1, 0x81, 0x80 | rcode, 0, 1, 0, answers.len() as u8, 0, authority.len() as u8, 0, 0];
    message.extend(b"\x01a\x03com\x00\x00\x01\x00\x01");
    for (kind, lifetime, data) in answers.iter().chain(authority) {
        message.extend(b"\xC0\x0C");
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message.extend(lifetime.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(*data);
    }
    message
}

/// Primary, mailbox, serial and three times, then this one.
fn soa(last: u32) -> Vec<u8> {
    [&b"\x01a\xC0\x0E\x01b\xC0\x0E"[..], &[9; 16], &last.to_be_bytes()].concat()
}

#[test]
fn answers_and_absence() {
    let soa = soa(900);
    for (message, expected) in [
        (response(3, &[], &[(SOA, 3_600, &soa)]), Some(900)),
        (response(3, &[], &[(SOA, 300, &soa)]), Some(300)),
        (response(0, &[], &[(2, 5, b"\x00"), (SOA, 3_600, &soa)]), Some(900)),
        (response(0, &[(1, 60, &[192, 0, 2, 1]), (1, 50, &[192, 0, 2, 2])], &[]), Some(50)),
        (response(3, &[(5, 70, b"\x00")], &[(SOA, 3_600, &soa)]), Some(70)),
        (response(3, &[], &[]), None),
        (response(2, &[], &[(SOA, 3_600, &soa)]), None),
        (response(3, &[], &[(SOA, 1 << 31, &soa)]), Some(0)),
        (response(3, &[], &[(SOA, 9, b"abc")]), None),
    ] {
        assert_eq!(lifetime(&message), expected, "{message:?}");
        // Wherever it is cut, it ends.
        for length in 0..message.len() {
            lifetime(&message[..length]);
        }
    }
    assert_eq!(lifetime(b"\0\x01\x81\x83\0\x01\0\0\0\x01\0\0\x81"), None);
}

/// A record: owner and data in wire form, class included.
struct Given(&'static [u8], u16, u16, u32, Vec<u8>);

const ASKED: &[u8] = b"\xC0\x0C";

/// A response about a.com in these flags.
fn message(flags: [u8; 2], sections: [&[Given]; 3]) -> Vec<u8> {
    let mut message = vec![0, 1, flags[0], flags[1], 0, 1];
    sections.iter().for_each(|section| message.extend((section.len() as u16).to_be_bytes()));
    message.extend(b"\x01A\x03com\x00\x00\x01\x00\x01");
    for Given(owner, kind, class, lifetime, data) in sections.into_iter().flatten() {
        message.extend(*owner);
        message.extend(kind.to_be_bytes());
        message.extend(class.to_be_bytes());
        message.extend(lifetime.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
    message
}

fn a(owner: &'static [u8], last: u8) -> Given {
    Given(owner, 1, 1, 300, vec![192, 0, 2, last])
}

fn alias(owner: &'static [u8], to: &[u8]) -> Given {
    Given(owner, 5, 1, 60, to.to_vec())
}

/// Told, or addresses, lifetime and servers in a word; the same by our walk and, where it reads the message, by
/// `dns-parser`, which must be so where `plain`.
#[track_caller]
fn check(message: &[u8], plain: bool, expected: &str) {
    let said = |reply: Result<Reply, Told>| match reply {
        Ok(Reply { addresses, left_out, lifetime, servers }) => format!("{addresses:?} {left_out} {lifetime} {servers:?}"),
        Err(told) => format!("{told:?}"),
    };
    let told = told(message);
    let found = if told == Told::Addresses { said(Reply::read(message)) } else { format!("{told:?}") };
    assert_eq!(found, expected, "{message:?}");
    if let Some(walk) = Walk::over(message) {
        let other = walk.by_dns_parser(message);
        assert_eq!(other.is_some(), plain, "{message:?}");
        other.into_iter().for_each(|other| assert_eq!(other, walk.records));
    }
    for length in 0..message.len() {
        let _ = (super::told(&message[..length]), Reply::read(&message[..length]));
    }
}

#[test]
fn what_responses_say() {
    const OK: [u8; 2] = [0x81, 0x80];
    let soa = || Given(b"\xC0\x0E", SOA, 1, 3_600, soa(900));
    let ns = |to: &[u8]| Given(b"\xC0\x0C", NS, 1, 3_600, to.to_vec());
    let opt = || Given(b"\x00", 41, 4_096, 0, vec![0, 8, 0, 4, 0, 1, 24, 0]);
    let https = || Given(ASKED, 65, 1, 60, b"\x00\x01\x00".to_vec());
    check(&message([0x81, 0x83], [&[], &[soa()], &[]]), true, "Missing");
    check(&message([0x81, 0x82], [&[], &[], &[]]), true, "Failed");
    check(&message(OK, [&[], &[soa()], &[]]), true, "Nothing");
    check(&message([0x80, 0], [&[], &[ns(b"\x01n\xC0\x0E"), ns(b"\x01m\xC0\x0E")], &[]]), true, "Referral");
    check(&message([0x84, 0], [&[], &[ns(b"\x01n\xC0\x0E")], &[]]), true, "Nothing");
    check(&message([0x83, 0x80], [&[], &[], &[]]), true, "Cut");
    check(&message(OK, [&[a(ASKED, 1)], &[], &[]]), true, "[192.0.2.1] 0 300 []");
    // Reserved bits, and an additional section with options, which dns-parser alone would not take.
    check(&message([0x81, 0xF0], [&[a(ASKED, 1)], &[], &[opt(), opt()]]), true, "[192.0.2.1] 0 300 []");
    check(
        &message(OK, [&[a(ASKED, 2), a(ASKED, 1), a(ASKED, 2)], &[ns(b"\x01N\xC0\x0E"), ns(b"\x01m\xC0\x0E")], &[opt()]]),
        true,
        r#"[192.0.2.2, 192.0.2.1] 0 300 ["n.com", "m.com"]"#,
    );
    let v6 = Given(ASKED, 28, 1, 30, [&[0; 10][..], &[0xFF, 0xFF, 192, 0, 2, 9]].concat());
    check(&message(OK, [&[v6], &[], &[]]), true, "[192.0.2.9] 0 30 []");
    // Aliases, in any order, and those that lead nowhere or round.
    let (b, c) = (b"\x01b\x03com\x00", b"\x01C\xC0\x0E");
    check(&message(OK, [&[a(b"\x01c\x03com\x00", 3), alias(b, c), alias(ASKED, b)], &[], &[]]), true, "[192.0.2.3] 0 60 []");
    check(&message(OK, [&[alias(ASKED, b)], &[], &[]]), true, "Nothing");
    check(&message(OK, [&[alias(ASKED, b), alias(b, ASKED)], &[], &[]]), true, "Nothing");
    // A pointer to the root, behind the last label: no other name.
    check(&message(OK, [&[a(b"\x01a\x03com\xC0\x12", 9)], &[], &[]]), true, "[192.0.2.9] 0 300 []");
    // About another name.
    check(&message(OK, [&[a(b, 3)], &[], &[]]), true, "Nothing");
    // What dns-parser refuses: types and classes that it does not know, addresses of another length, odd names.
    check(&message(OK, [&[https(), a(ASKED, 1)], &[], &[]]), false, "[192.0.2.1] 0 300 []");
    check(&message(OK, [&[https()], &[], &[]]), false, "Nothing");
    check(&message(OK, [&[Given(ASKED, 1, 9, 60, vec![1; 4]), a(ASKED, 1)], &[], &[]]), false, "[192.0.2.1] 0 300 []");
    check(&message(OK, [&[Given(ASKED, 1, 3, 60, vec![1; 4]), a(ASKED, 1)], &[], &[]]), true, "[192.0.2.1] 0 300 []");
    check(&message(OK, [&[Given(ASKED, 1, 1, 60, vec![1; 5]), a(ASKED, 1)], &[], &[]]), false, "[192.0.2.1] 0 300 []");
    check(&message(OK, [&[a(b"\x05a.com\x00", 1)], &[], &[]]), false, "Nothing");
    check(&message(OK, [&[alias(ASKED, b"\x03\x1B[m\xFF\x00"), a(b"\x03\x1B[M\xFF\x00", 7)], &[], &[]]), false, "Cut");
    check(
        &message(OK, [&[alias(ASKED, b"\x04\x1B[m\xFF\x00"), a(b"\x04\x1B[M\xFF\x00", 7)], &[ns(b"\x03\n \"\x00")], &[]]),
        false,
        r#"[192.0.2.7] 0 60 ["\\010\\032\""]"#,
    );
    // Pointers in a circle, and a long chain of them.
    check(&message(OK, [&[a(b"\xC0\x17", 1)], &[], &[]]), false, "Cut");
    let mut chained = message(OK, [&[], &[], &[]]);
    chained[7] = 1;
    for _ in 0..90 {
        let before = chained.len() as u16 - 2;
        chained.extend((0xC000 | before).to_be_bytes());
    }
    assert!(Reply::read(&chained).is_err());
}

#[test]
fn counts_that_lie_and_records_without_end() {
    let many: Vec<Given> = (0..200).map(|last| a(ASKED, last)).collect();
    let whole = message([0x81, 0x80], [&many, &[], &[]]);
    let reply = Reply::read(&whole).unwrap();
    assert_eq!((reply.addresses.len(), reply.left_out), (8, 56));
    assert!(Walk::over(&whole).unwrap().by_dns_parser(&whole).is_none());
    // It claims as many as there can be, and holds one.
    let mut lying = message([0x81, 0x80], [&[a(ASKED, 1)], &[], &[]]);
    lying[4..12].copy_from_slice(&[0xFF; 8]);
    assert_eq!(Reply::read(&lying), Err(Told::Cut));
    lying[4..6].copy_from_slice(&[0, 1]);
    assert_eq!(Reply::read(&lying).unwrap().addresses.len(), 1);
    assert!(Walk::over(&lying).unwrap().by_dns_parser(&lying).is_none());
    let none: [&[u8]; 3] = [&[], &[0; 12], &[0xFF; 600]];
    none.iter().for_each(|octets| assert_eq!(Reply::read(octets), Err(Told::Cut), "{octets:?}"));
}

proptest! {
    /// What `dns-parser` reads our walk has read as well; and nothing makes either fail.
    #[test]
    fn two_readers(
        flags in any::<[u8; 2]>(),
        records in prop::collection::vec((0..6_usize, 0..9_usize, 0..6_usize, any::<u32>(), prop::collection::vec(any::<u8>(), 0..20)), 0..20),
        change in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        const OWNERS: [&[u8]; 6] =
            [ASKED, b"\x01b\x03com\x00", b"\x01B\xC0\x0E", b"\x00", b"\xC0\x10", b"\x02\xC3\xA4\x00"];
        const KINDS: [u16; 9] = [1, 1, 28, 5, NS, SOA, 16, 65, 0];
        let record = |(owner, kind, data, lifetime, any): &(usize, usize, usize, u32, Vec<u8>)| {
            let data = match KINDS[*kind] {
                1 if *data > 0 => vec![192, 0, 2, *data as u8],
                28 if *data > 0 => vec![*data as u8; 16],
                5 | NS if *data > 0 => OWNERS[*data].to_vec(),
                SOA if *data > 0 => soa(*lifetime),
                _ => any.clone(),
            };
            Given(OWNERS[*owner], KINDS[*kind], 1, *lifetime, data)
        };
        let records: Vec<Given> = records.iter().map(record).collect();
        let (answers, rest) = records.split_at(records.len() / 2);
        let (authority, additional) = rest.split_at(rest.len() / 2);
        let mut message = message(flags, [answers, authority, additional]);
        for (place, octet) in change {
            let place = place.index(message.len());
            message[place] = octet;
        }
        let _ = (told(&message), Reply::read(&message), lifetime(&message));
        if let Some(walk) = Walk::over(&message)
            && let Some(records) = walk.by_dns_parser(&message)
        {
            prop_assert_eq!(records, walk.records);
        }
    }
}

/// A name of over 255 octets, which `dns-parser` reads: found by the fuzzer.
#[test]
fn names_that_are_none() {
    let message = include_bytes!("../../../fuzz/corpus/message/64531e6a4b95bf93021e8da9d8710016b91226ae");
    let reply = Reply::read(message).unwrap();
    assert_eq!((reply.addresses.len(), reply.servers.len()), (1, 0), "{reply:?}");
}

/// A denial with the gap of a signed zone, of either kind; with opt-out nothing follows from it, nor from half a message.
#[test]
fn denials_that_name_a_gap() {
    let denial = |records: &[(u16, &[u8])]| {
        let mut octets = vec![0, 7, 0x81, 0x83, 0, 1, 0, 0, 0, records.len() as u8, 0, 0];
        octets.extend(b"\x05abcde\x02ws\x00\x00\x01\x00\x01");
        for (kind, data) in records {
            octets.extend(b"\xC0\x12");
            octets.extend(kind.to_be_bytes());
            octets.extend([0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
            octets.extend(*data);
        }
        octets
    };
    let soa: (u16, &[u8]) = (SOA, b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x05");
    let nsec: (u16, &[u8]) = (NSEC, b"\x01b\x02ws\x00\x00\x01\x40");
    let [closed, open]: [(u16, &[u8]); 2] = [(NSEC3, b"\x01\x00\x00\x00\x00\x01x"), (NSEC3, b"\x01\x01\x00\x00\x00\x01x")];
    for (records, expected) in [
        (&[][..], Told::Missing),
        (&[soa], Told::Missing),
        (&[soa, nsec], Told::MissingInGap),
        (&[nsec, soa], Told::MissingInGap),
        (&[soa, closed, closed], Told::MissingInGap),
        (&[soa, closed, open], Told::Missing),
        (&[soa, (NSEC3, b"\x01")], Told::Missing),
    ] {
        let octets = denial(records);
        assert_eq!(told(&octets), expected, "{records:?}");
        // Cut, a message says no more than that there is no such name.
        for end in HEADER..octets.len() {
            assert_eq!(told(&octets[..end]), Told::Missing, "{records:?} up to {end}");
        }
    }
    // The same says nothing where the name exists.
    let mut exists = denial(&[soa, nsec]);
    exists[3] = 0x80;
    assert_eq!(told(&exists), Told::Nothing);
}
