//! Streams, case by case: what was sent, what is found, what is lost. Others beside: at random, and with ill will.

mod hostile;
mod random;

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;

/// The sequence number of both SYNs: streams wrap around soon after.
const ISN: u32 = u32::MAX - 20;

/// A segment, and how it is written down in a test.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) flow: Flow,
    pub(super) sequence: u32,
    pub(super) acknowledgment: u32,
    pub(super) flags: u8,
    pub(super) payload: Vec<u8>,
    pub(super) missing: u32,
    pub(super) seconds: u64,
}

impl Sent {
    fn back(mut self) -> Self {
        self.flow = self.flow.reversed();
        self
    }

    fn flags(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    /// Acknowledges so many octets of the other direction.
    fn acks(mut self, octets: u32) -> Self {
        self.acknowledgment = ISN.wrapping_add(1 + octets);
        self.flags(ACK)
    }

    /// Captured with `octets` octets of payload only.
    fn cut(mut self, octets: usize) -> Self {
        self.missing = (self.payload.len() - octets) as u32;
        self.payload.truncate(octets);
        self
    }

    fn at(mut self, seconds: u64) -> Self {
        self.seconds = seconds;
        self
    }
}

pub(super) fn flow(source: &str, source_port: u16, destination: &str, destination_port: u16) -> Flow {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    Flow { source: address(source), destination: address(destination), source_port, destination_port }
}

fn client() -> Flow {
    flow("192.0.2.1", 40_000, "192.0.2.53", 53)
}

/// Octets of the client's stream from `offset` on.
fn data(offset: u32, payload: &[u8]) -> Sent {
    let sequence = ISN.wrapping_add(1).wrapping_add(offset);
    Sent { flow: client(), sequence, acknowledgment: 0, flags: 0, payload: payload.to_vec(), missing: 0, seconds: 0 }
}

fn syn() -> Sent {
    Sent { sequence: ISN, ..data(0, b"") }.flags(SYN)
}

/// A query for the one-letter name `name`, filled up to `length` octets, which stand in its ID.
pub(super) fn message(name: u8, length: usize) -> Vec<u8> {
    let mut octets = (length as u16).to_be_bytes().to_vec();
    octets.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, name, 0, 0, 1, 0, 1]);
    octets.extend((octets.len()..length).map(|at| 0xA0 | at as u8 & 15));
    octets
}

pub(super) fn prefixed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// The messages `a`, `b`, … of these lengths, as a stream.
fn stream(lengths: &[usize]) -> Vec<u8> {
    lengths.iter().zip(b'a'..).flat_map(|(length, name)| prefixed(&message(name, *length))).collect()
}

/// `a` for a whole message, `a:20` when 20 octets of it are there, `a:20?` when it is given up; and its frame.
fn shown(found: &Found<'_>) -> String {
    let octets = found.octets;
    let Some(&name) = octets.get(13) else { return format!("-:{}?{}", octets.len(), found.frame) };
    let sent = message(name, u16::from_be_bytes([octets[0], octets[1]]).into());
    assert!(sent.starts_with(octets), "changed on the way: {}", octets.escape_ascii());
    let name = char::from(name);
    let length = if octets.len() < sent.len() { format!(":{}", octets.len()) } else { String::new() };
    format!("{name}{length}{}{}", if found.whole { "@" } else { "?" }, found.frame)
}

/// Events and octets of each loss.
pub(super) fn shown_losses(losses: &Losses) -> String {
    let lost =
        StreamLoss::ALL.into_iter().map(|loss| (format!("{loss:?}").to_lowercase(), losses.events(loss), losses.octets(loss)));
    let lost = lost.filter(|(_, events, octets)| events + octets > 0);
    lost.map(|(label, events, octets)| format!("{label} {events}/{octets}")).collect::<Vec<_>>().join(", ")
}

/// Every octet taken is delivered, repeated, given up or held.
#[track_caller]
pub(super) fn check_sums(streams: &Streams) {
    let Octets { taken, delivered, repeated } = *streams.octets();
    assert_eq!(taken, delivered + repeated + streams.losses().seen_octets() + streams.held() as u64, "octets went astray");
}

/// Takes the segments as frames 1, 2, …
pub(super) fn take(streams: &mut Streams, sent: &[Sent], found: &mut dyn FnMut(Found<'_>)) {
    for (sent, frame) in sent.iter().zip(1..) {
        let Sent { flow, sequence, acknowledgment, flags, missing, seconds, .. } = *sent;
        let time = Timestamp::from_parts(seconds, 0);
        let payload = &sent.payload;
        streams.take(&Segment { time, frame, flow: &flow, sequence, acknowledgment, flags, payload, missing }, found);
        check_sums(streams);
    }
}

#[track_caller]
fn check_within(limits: Limits, sent: &[Sent], expected: &str, lost: &str) {
    let mut streams = Streams::new(limits);
    let mut found = vec![];
    take(&mut streams, sent, &mut |message| found.push(shown(&message)));
    found.push("|".to_owned());
    streams.finish(&mut |message| found.push(shown(&message)));
    assert_eq!((found.join(" ").as_str(), shown_losses(streams.losses()).as_str()), (expected, lost));
    check_sums(&streams);
    assert_eq!((streams.held(), streams.waiting(), streams.memory()), (0, 0, 0));
}

/// What is found as the segments come, then `|`, then what is found at the end; and what is lost.
#[track_caller]
fn check(sent: &[Sent], expected: &str, lost: &str) {
    check_within(Limits::default(), sent, expected, lost);
}

#[test]
fn in_order() {
    let three = stream(&[30, 40, 50]);
    check(&[syn(), data(0, &three)], "a@2 b@2 c@2 |", "");
    // Between messages, in a length, behind a length, in a header, octet by octet.
    for cuts in [vec![32], vec![33], vec![34, 75], vec![40, 41, 80], (1..three.len()).collect()] {
        let edges = [&[0], &cuts[..], &[three.len()]].concat();
        let sent: Vec<Sent> = edges.windows(2).map(|edge| data(edge[0] as u32, &three[edge[0]..edge[1]])).collect();
        let frame = |end: usize| cuts.iter().filter(|cut| **cut < end).count() + 2;
        let expected = format!("a@{} b@{} c@{} |", frame(32), frame(74), frame(126));
        check(&[&[syn()], &sent[..]].concat(), &expected, "");
    }
    // Read where they lie, not from a copy.
    let mut streams = Streams::new(Limits::default());
    for sent in [syn(), data(0, &three), data(126, &three)] {
        let Sent { ref flow, sequence, acknowledgment, flags, ref payload, missing, .. } = sent;
        let segment = Segment { time: Timestamp::default(), frame: 1, flow, sequence, acknowledgment, flags, payload, missing };
        streams.take(&segment, &mut |found| assert!(payload.as_ptr_range().contains(&found.octets.as_ptr())));
        assert_eq!(streams.held(), 0);
    }
    // The longest, and the shortest.
    let longest = prefixed(&message(b'a', 65_535));
    check(&[syn(), data(0, &longest[..40_000]), data(40_000, &longest[40_000..])], "a@3 |", "");
    check(&[syn(), data(0, &prefixed(&[0; 12]))], "-:12?2 |", "");
}

#[test]
fn both_directions_and_families() {
    let query = data(0, &stream(&[30]));
    let answer = data(0, &stream(&[300])).back();
    check(&[syn(), syn().back().acks(0), query.clone(), answer.clone().acks(32)], "a@3 a@4 |", "");
    let v6 = |sent: Sent| Sent { flow: flow("2001:db8::1", 40_000, "2001:db8::53", 53), ..sent };
    let other_port = |sent: Sent| Sent { flow: Flow { source_port: 40_001, ..client() }, ..sent };
    check(&[syn(), v6(syn()), other_port(syn()), v6(query.clone()), query.clone(), other_port(query)], "a@4 a@5 a@6 |", "");
    let turned = client().reversed();
    assert_eq!((turned.source_port, turned.destination_port), (53, 40_000));
    assert_eq!((turned.source, turned.reversed()), (client().destination, client()));
}

/// A message tells the frame of its own last octets, not of the segment that set it free.
#[test]
fn out_of_order() {
    let three = stream(&[30, 40, 50]);
    let [a, b, c] = [data(0, &three[..32]), data(32, &three[32..74]), data(74, &three[74..])];
    check(&[syn(), c.clone(), b.clone(), a.clone()], "a@4 b@3 c@2 |", "");
    check(&[syn(), b.clone(), a.clone(), c.clone()], "a@3 b@2 c@4 |", "");
    // Over boundaries.
    check(&[syn(), data(60, &three[60..]), data(0, &three[..20]), data(20, &three[20..60])], "a@4 b@4 c@2 |", "");
    // A FIN waits as well.
    check(&[syn(), c.clone().flags(FIN), a.clone(), b.clone()], "a@3 b@4 c@2 |", "");
    check(&[syn(), data(126, b"").flags(FIN), a, b, c], "a@3 b@4 c@5 |", "");
}

#[test]
fn repeated_and_overlapping() {
    let three = stream(&[30, 40, 50]);
    let part = |start: usize, end: usize| data(start as u32, &three[start..end]);
    let forged = |start: usize, end: usize| data(start as u32, &vec![0xEE; end - start]);
    let all = part(0, 126);
    check(&[syn(), all.clone(), all.clone(), part(10, 50), part(125, 126)], "a@2 b@2 c@2 |", "");
    // What came first stands: before, behind, around, inside, and over several.
    check(&[syn(), part(0, 50), forged(0, 50), forged(10, 50), part(32, 126)], "a@2 b@5 c@5 |", "");
    check(&[syn(), part(40, 60), part(0, 50), part(60, 126)], "a@3 b@4 c@4 |", "");
    check(&[syn(), part(40, 60), forged(40, 50), part(50, 80), part(0, 40), part(70, 126)], "a@5 b@5 c@6 |", "");
    check(&[syn(), part(40, 60), part(80, 100), part(30, 126), part(0, 30)], "a@5 b@4 c@4 |", "");
    check(&[syn(), part(30, 126), forged(40, 60), part(0, 32)], "a@4 b@2 c@2 |", "");
    check(&[syn(), part(40, 60), part(80, 100), all], "a@4 b@4 c@4 |", "");
    // One octet before the next, any octet: a keep-alive probe.
    check(&[syn(), part(0, 32), data(31, b"\xFF"), part(32, 126), data(125, b"\0")], "a@2 b@4 c@4 |", "");
    check(&[syn(), data(u32::MAX, b"\0"), part(0, 126)], "a@3 b@3 c@3 |", "");
}

#[test]
fn without_handshake() {
    let three = stream(&[30, 40, 50]);
    check(&[data(0, &three)], "a@1 b@1 c@1 |", "");
    check(&[data(0, &three[..1]), data(1, &three[1..20]), data(20, &three[20..])], "a@3 b@3 c@3 |", "");
    // In the middle of a message; a length there would be garbage.
    check(&[data(10, &three[10..])], "b@1 c@1 |", "desync 1/22");
    check(&[data(27, &three[27..60]), data(60, &three[60..])], "b@2 c@2 |", "desync 1/5");
    // Octet by octet.
    let octets: Vec<Sent> = (5..126).map(|at| data(at, &three[at as usize..][..1])).collect();
    check(&octets, "b@69 c@121 |", "desync 1/27");
    // What lies before comes too late; a keep-alive probe is no loss.
    check(&[data(32, &three[32..]), data(0, &three[..32]), data(125, b"\0")], "b@1 c@1 |", "late 1/32");
    check(&[data(0, &three[..32]), data(u32::MAX, b"\0"), data(32, &three[32..])], "a@1 b@3 c@3 |", "late 1/1");
    // The SYN was overtaken; data came with it.
    check(&[data(0, &three[..32]), syn(), data(32, &three[32..])], "a@1 b@3 c@3 |", "");
    // A search over segments out of order.
    let one = stream(&[30]);
    let scattered = [data(0, &[0; 10]), data(20, &one[..20]), data(40, &one[20..]), data(10, &[0; 10])];
    check(&scattered, "a@3 |", "desync 1/20");
    // What may be the beginning of a message has no part in what is behind a hole.
    check(&[data(0, &one[..10]), data(20, &one[10..]), data(0, b"").back().acks(20)], "|", "hole 1/10, desync 1/32");
    // Acknowledgments alone are nothing to remember.
    check(&[data(0, b"").acks(9), data(0, b"").flags(FIN), data(0, b"").flags(RST)], "|", "");
    // Nothing but noise.
    check(&[data(0, &[0xAB; 1_000]), data(1_000, &[0; 1_000])], "|", "desync 1/2000");
}

#[test]
fn holes() {
    let five = stream(&[30, 40, 50, 60, 70]);
    let part = |start: usize, end: usize| data(start as u32, &five[start..end]);
    // Ends of messages: 32, 74, 126, 188, 260. A whole message; inside one; the end of one; over a boundary.
    let rows = [
        (32, 74, "a@2 | c@3 d@3 e@3", "hole 1/42"),
        (50, 60, "a@2 | b:16?2 c@3 d@3 e@3", "hole 1/10, torn 1/14"),
        (50, 74, "a@2 | b:16?2 c@3 d@3 e@3", "hole 1/24, torn 1/0"),
        (50, 80, "a@2 | b:16?2 d@3 e@3", "hole 1/30, torn 1/0, desync 1/46"),
        // Less than a header, a length, half a length.
        (45, 60, "a@2 | c@3 d@3 e@3", "hole 1/15, torn 1/27"),
        (34, 60, "a@2 | c@3 d@3 e@3", "hole 1/26, torn 1/16"),
        (33, 60, "a@2 | c@3 d@3 e@3", "hole 1/27, torn 1/1, desync 1/14"),
        (32, 60, "a@2 | c@3 d@3 e@3", "hole 1/28, desync 1/14"),
        (0, 60, "| c@2 d@2 e@2", "hole 1/60, desync 1/14"),
    ];
    for (start, end, expected, lost) in rows {
        let before = if start > 0 { vec![part(0, start)] } else { vec![] };
        let sent = [&[syn()], &before[..], &[part(end, 260)]].concat();
        check(&sent, expected, lost);
        // Final as soon as the receiver acknowledges what is behind it, not before.
        let now = format!("{} |", expected.replace("| ", ""));
        let acked = |octets: usize| data(0, b"").back().acks(octets as u32);
        check(&[&sent[..], &[acked(end - 1)]].concat(), expected, lost);
        check(&[&sent[..], &[acked(start), acked(end)]].concat(), &now, lost);
        // At a RST from either side.
        check(&[&sent[..], &[data(260, b"").flags(RST)]].concat(), &now, lost);
        check(&[&sent[..], &[data(0, b"").back().flags(RST)]].concat(), &now, lost);
        // When the direction was silent for long.
        check(&[&sent[..], &[data(0, b"").back().at(120)]].concat(), expected, lost);
        check(&[&sent[..], &[data(0, b"").back().at(121)]].concat(), &now, lost);
        // At another connection between the same ports.
        check(&[&sent[..], &[Sent { sequence: 77, ..syn() }]].concat(), &now, lost);
        // When there is no room to wait.
        check_within(Limits { connection_octets: 100, ..Limits::default() }, &sent, &now, lost);
        // What comes then comes late.
        let late = [&sent[..], &[acked(end), part(start, end)]].concat();
        check(&late, &now, &format!("{lost}, late 1/{}", end - start));
    }
    // Two holes, the second in the rest of a message that the first tore.
    check(&[syn(), part(0, 50), part(55, 60), part(70, 260)], "a@2 | b:16?2 c@4 d@4 e@4", "hole 2/15, torn 1/9");
    // Of two, only one is acknowledged.
    let two = [syn(), part(32, 74), part(126, 188), data(0, b"").back().acks(74)];
    check(&two, "b@2 | d@3", "hole 2/84");
    // The last octets before an acknowledged FIN.
    check(&[syn(), part(0, 50), data(74, b"").flags(FIN), data(0, b"").back().acks(74)], "a@2 b:16?2 |", "hole 1/24, torn 1/0");
    check(&[syn(), part(0, 50), data(74, b"").flags(FIN), data(0, b"").back().acks(73)], "a@2 | b:16?2", "hole 1/24, torn 1/0");
    // A number where the flag is clear says nothing.
    let unsaid = Sent { flags: 0, ..data(0, b"").back().acks(74) };
    check(&[syn(), part(0, 32), part(74, 126), unsaid], "a@2 | c@3", "hole 1/42");
}

#[test]
fn unfinished() {
    let two = stream(&[30, 40]);
    let part = |start: usize, end: usize| data(start as u32, &two[start..end]);
    check(&[syn(), part(0, 74).flags(FIN), data(74, b"").flags(FIN)], "a@2 b@2 |", "");
    check(&[syn(), part(0, 60).flags(FIN)], "a@2 b:26?2 |", "unfinished 1/0");
    check(&[syn(), part(0, 60), data(60, b"").flags(FIN)], "a@2 b:26?2 |", "unfinished 1/0");
    check(&[syn(), part(0, 45).flags(FIN)], "a@2 |", "unfinished 1/13");
    check(&[syn(), part(0, 60), data(60, b"no more").flags(RST)], "a@2 b:26?2 |", "unfinished 1/0");
    check(&[syn(), part(0, 60)], "a@2 | b:26?2", "unfinished 1/0");
    check(&[syn(), part(0, 60), data(0, b"").back().at(500)], "a@2 b:26?2 |", "idle 1/0");
    check(&[syn(), part(0, 40), data(0, b"").back().at(500)], "a@2 |", "idle 1/8");
    // A forged RST costs one message.
    check(
        &[syn(), part(0, 40), data(9, b"").flags(RST), part(40, 74), data(74, &two)],
        "a@2 a@5 b@5 |",
        "desync 1/34, unfinished 1/8",
    );
    // At rest, nothing is lost.
    check(&[syn(), part(0, 74), data(74, b"").flags(RST)], "a@2 b@2 |", "");
    check(&[syn(), part(0, 74), data(0, b"").back().at(500)], "a@2 b@2 |", "");
}

#[test]
fn another_connection() {
    let one = stream(&[30]);
    let again = |sequence: u32| [Sent { sequence, ..syn() }, Sent { sequence: sequence.wrapping_add(1), ..data(0, &one) }];
    for sequence in [0, 5, 1 << 31, ISN + 1] {
        check(&[&[syn(), data(0, &one)], &again(sequence)[..]].concat(), "a@2 a@4 |", "");
        check(&[&[syn(), data(0, &one[..20])], &again(sequence)[..]].concat(), "a:18?2 a@4 |", "unfinished 1/0");
    }
    // The same SYN is a retransmission, but not after the end.
    check(&[&[syn(), data(0, &one), syn()], &again(ISN)[..]].concat(), "a@2 |", "");
    check(&[&[syn(), data(0, &one).flags(FIN)], &again(ISN)[..]].concat(), "a@2 a@4 |", "");
    // Its SYN was not seen, but its numbers are far away.
    check(&[syn(), data(0, &one), again(1 << 31)[1].clone()], "a@2 a@3 |", "");
    // Data with the SYN, refused at first and sent again.
    let open = Sent { payload: one.clone(), ..syn() };
    check(&[open.clone(), syn().back().acks(0), data(0, &one), data(32, &one)], "a@1 a@4 |", "");
    check(&[open.clone(), open], "a@1 |", "");
}

/// As cut messages over UDP: what is there is delivered, and counted.
#[test]
fn snap_length() {
    let three = stream(&[300, 40, 50]);
    let part = |start: usize, end: usize| data(start as u32, &three[start..end]);
    check(&[syn(), part(0, 302).cut(96), part(302, 396)], "a:94@2 b@3 c@3 |", "cut 1/206");
    check(&[syn(), part(0, 200).cut(96), part(200, 396)], "a:94@2 b@3 c@3 |", "cut 1/104, torn 0/102");
    check(
        &[syn(), part(0, 50), part(50, 200).cut(96), part(200, 302).cut(96), part(302, 396)],
        "a:144@3 b@5 c@5 |",
        "cut 2/60, torn 0/96",
    );
    // Over a boundary: the next message is searched for.
    check(&[syn(), part(0, 310).cut(96), part(310, 396)], "a:94@2 c@3 |", "cut 1/214, desync 1/34");
    check(&[syn(), part(0, 396).cut(302), data(396, &three)], "a@2 a@3 b@3 c@3 |", "cut 1/94");
    // Not even a header.
    check(&[syn(), part(0, 302).cut(13), part(302, 396)], "b@3 c@3 |", "cut 1/289, torn 1/13");
    check(&[syn(), part(0, 302).cut(1), part(302, 396)], "b@3 c@3 |", "cut 1/301, torn 1/1");
    check(&[syn(), part(0, 302).cut(0), part(302, 396)], "b@3 c@3 |", "cut 1/302");
    // Out of order, without handshake, twice, with a FIN.
    check(&[syn(), part(302, 396), part(0, 302).cut(96)], "a:94@3 b@2 c@2 |", "cut 1/206");
    check(&[syn(), part(2, 302).cut(96), part(302, 396), part(0, 2)], "a:96@4 b@3 c@3 |", "cut 1/204");
    check(&[part(0, 302).cut(96), part(302, 396), part(0, 302).cut(96)], "a:94@1 b@2 c@2 |", "cut 1/206");
    check(&[syn(), part(0, 302).cut(96).flags(FIN), part(0, 302).cut(96)], "a:94@2 |", "cut 1/206");
    // Cut parts that overlap ahead of a hole.
    check(&[syn(), part(302, 396), part(100, 350).cut(50), part(0, 100)], "a:148@4 b@2 c@2 |", "cut 1/152");
}

#[test]
fn lengths_out_of_sync() {
    let one = stream(&[30]);
    for length in 0..12_u8 {
        let garbage = [&[0, length][..], &vec![0xEE; length.into()]].concat();
        let lost = format!("desync 1/{}", garbage.len());
        check(&[syn(), data(0, &[&garbage[..], &one].concat())], "a@2 |", &lost);
        let at = garbage.len() as u32;
        check(&[syn(), data(0, &garbage[..1]), data(1, &garbage[1..]), data(at, &one)], "a@4 |", &lost);
    }
}

#[test]
fn only_messages_are_plausible() {
    let good = message(b'a', 40);
    // Where, what, and whether the message is still one.
    let rows: [(usize, &[u8], bool); 17] = [
        (2, &[0x85, 0x83], true),
        (2, &[0xA8, 0x00], true),
        (2, &[0x08, 0x00], false),
        (2, &[0x30, 0x00], false),
        (2, &[0x01, 0x03], false),
        (4, &[0, 0], false),
        (4, &[0, 2], false),
        (6, &[0, 2], true),
        (6, &[0, 3], false),
        (10, &[0, 1], true),
        (6, &[0, 1, 0, 1, 0, 1], false),
        (12, &[0x40], false),
        (12, &[0xC0], false),
        (12, &[27], false),
        (12, &[0, 0, 2, 0, 1], true),
        (15, &[0, 0], false),
        (17, &[0, 2], false),
    ];
    for (at, change, expected) in rows {
        let mut octets = good.clone();
        octets[at..at + change.len()].copy_from_slice(change);
        let mut streams = Streams::new(Limits::default());
        let mut found = 0;
        let sent = data(0, &prefixed(&octets));
        take(&mut streams, &[sent], &mut |message| found += usize::from(message.octets == octets));
        assert_eq!(found > 0, expected, "{at}: {change:?}");
    }
    // Its question does not fit into its length.
    check(&[data(0, &[&[0, 18], &message(b'a', 19)[..]].concat())], "|", "desync 1/21");
}

#[test]
fn bounds() {
    let one = stream(&[300]);
    let from = |port: u16, sent: Sent| Sent { flow: Flow { source_port: port, ..client() }, ..sent };
    let begun: Vec<Sent> = (1..=3).flat_map(|port| [from(port, syn()), from(port, data(0, &one[..200]))]).collect();
    let ended: Vec<Sent> = (1..=3).map(|port| from(port, data(200, &one[200..]))).collect();
    let sent = [begun, ended].concat();
    check(&sent, "a@7 a@8 a@9 |", "");
    // The first goes; its rest opens a new one, for which the second goes, and so on.
    let two = Limits { connections: 2, ..Limits::default() };
    check_within(two, &sent, "a:198?2 a:198?4 a:198?6 |", "desync 3/306, evicted 4/0");
    let little = Limits { total_octets: 2_000, ..Limits::default() };
    let mut streams = Streams::new(little);
    for sent in &sent {
        take(&mut streams, std::slice::from_ref(sent), &mut |_| {});
        assert!(streams.memory() <= 2_000);
    }
    // One that has ended is no loss.
    let ended = [from(1, syn()), from(1, data(0, &one).flags(FIN)), from(2, syn())];
    check_within(Limits { connections: 1, ..Limits::default() }, &ended, "a@2 |", "");
    check_within(Limits { connections: 1, ..Limits::default() }, &[from(1, syn()), from(2, syn())], "|", "evicted 1/0");
    // A message that has no room: what is there, and the next one is found by its length.
    let narrow = Limits { connection_octets: 100, ..Limits::default() };
    check_within(
        narrow,
        &[syn(), data(0, &one[..200]), data(200, &one[200..]), data(302, &one)],
        "a:198?2 a@4 |",
        "torn 0/102, evicted 1/0",
    );
    // Half a length.
    let none = Limits { connection_octets: 0, ..Limits::default() };
    let one = stream(&[30]);
    let sent = [syn(), data(0, &one[..1]), data(1, &one[1..]), data(32, &one)];
    check_within(none, &sent, "a@4 |", "desync 1/31, evicted 1/1");
    let none = Limits { connection_octets: 0, connections: 0, total_octets: 0, idle: 0, linger: 0 };
    check_within(none, &[syn(), data(0, &one), data(302, &one[..20])], "a@2 |", "desync 1/20, evicted 3/0");
}

/// A clock that jumps ahead ends what waits; one that jumps back harms nobody.
#[test]
fn times() {
    let two = stream(&[30, 40]);
    let part = |start: usize, end: usize, seconds: u64| data(start as u32, &two[start..end]).at(seconds);
    check(&[syn().at(1_000), part(0, 10, 5), part(10, 74, 990)], "a@3 b@3 |", "");
    check(&[syn(), part(0, 40, 100), part(40, 74, 220)], "a@2 b@3 |", "");
    check(&[syn(), part(0, 50, 100), part(50, 74, 221)], "a@2 b:16?2 |", "desync 1/24, idle 1/0");
    check(&[syn().at(u64::MAX), part(0, 74, 0), part(0, 74, u64::MAX)], "a@2 b@2 |", "");
}

#[test]
fn losses_have_their_own_labels() {
    let labels: BTreeSet<String> = StreamLoss::ALL.into_iter().map(|loss| format!("{loss:?}")).collect();
    assert_eq!(labels.len(), StreamLoss::ALL.len());
    for (place, loss) in StreamLoss::ALL.into_iter().enumerate() {
        assert_eq!(loss as usize, place);
    }
    assert!(Losses::default().is_empty());
}

/// A closed direction is forgotten after a while: what is sent again until then counts for nothing.
#[test]
fn closed_directions_linger() {
    let (limits, message) = (Limits::default(), message(b'a', 30));
    let whole = prefixed(&message);
    for (again, expected) in [(1, 1), (8, 1), (9, 2), (130, 2)] {
        let mut streams = Streams::new(limits);
        let mut found = 0;
        let sent = [syn(), data(0, &whole).flags(FIN), data(0, &whole).at(again)];
        take(&mut streams, &sent, &mut |_| found += 1);
        assert_eq!(found, expected, "after {again} s");
        check_sums(&streams);
        streams.finish(&mut |_| {});
        assert_eq!(streams.memory(), 0);
    }
    // As long as it is heard of it stays, and a new connection of the same ends is not forgotten with the old one.
    let mut streams = Streams::new(limits);
    let mut found = 0;
    let heard = (0..20).map(|place| data(0, &whole).at(place * 7));
    let sent: Vec<Sent> = [syn(), data(0, &whole).flags(FIN)].into_iter().chain(heard).collect();
    take(&mut streams, &sent, &mut |_| found += 1);
    assert_eq!(found, 1);
    check_sums(&streams);
}
