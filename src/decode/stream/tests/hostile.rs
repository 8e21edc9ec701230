//! Streams with ill will: whatever is sent, memory stays bounded, work stays in proportion, no octet goes astray.
//!
//! Sizes here are such that work growing with their square would not end in an hour.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Takes segments made on the way, too many to keep, and looks at the bounds after each.
struct Attack {
    streams: Streams,
    limits: Limits,
    frame: u64,
    found: usize,
}

impl Attack {
    fn new(limits: Limits) -> Self {
        Self { streams: Streams::new(limits), limits, frame: 0, found: 0 }
    }

    fn send(&mut self, flow: Flow, flags: u8, sequence: u32, payload: &[u8]) {
        self.frame += 1;
        let (time, acknowledgment) = (Timestamp::default(), 0);
        let segment = Segment { time, frame: self.frame, flow: &flow, sequence, acknowledgment, flags, payload, missing: 0 };
        self.streams.take(&segment, &mut |_| self.found += 1);
        assert!(self.streams.memory() <= self.limits.total_octets, "{} octets", self.streams.memory());
        assert!(self.streams.open.len() <= self.limits.connections);
        assert!(self.streams.waiting() <= self.limits.connection_octets / 100 * self.streams.open.len());
    }

    /// Ends the input, and returns what was lost.
    fn end(&mut self) -> String {
        check_sums(&self.streams);
        self.streams.finish(&mut |_| self.found += 1);
        check_sums(&self.streams);
        assert_eq!((self.streams.held(), self.streams.waiting(), self.streams.memory()), (0, 0, 0));
        shown_losses(self.streams.losses())
    }
}

fn many(number: u32) -> Flow {
    let [_, a, b, c] = number.to_be_bytes();
    Flow { source: IpAddr::from([10, a, b, c]), ..client() }
}

#[test]
fn the_longest_message_octet_by_octet() {
    let octets = prefixed(&message(b'a', 65_535));
    let single = |at: usize| &octets[at..=at];
    // Forwards, twenty times in a row.
    let mut attack = Attack::new(Limits::default());
    attack.send(client(), SYN, 0, b"");
    for at in 0..20 * octets.len() {
        attack.send(client(), ACK, at as u32 + 1, single(at % octets.len()));
        assert!(attack.streams.memory() < 150_000);
    }
    assert_eq!((attack.end().as_str(), attack.found), ("", 20));
    // Backwards, where all fits.
    let wide = Limits { connection_octets: 32 << 20, ..Limits::default() };
    let mut attack = Attack::new(wide);
    attack.send(client(), SYN, 0, b"");
    for at in (0..octets.len()).rev() {
        attack.send(client(), ACK, at as u32 + 1, single(at));
    }
    assert_eq!((attack.end().as_str(), attack.found), ("", 1));
    // Backwards, where it does not: all but the oldest octet is torn in the end.
    let mut attack = Attack::new(Limits::default());
    attack.send(client(), SYN, 0, b"");
    for at in (0..octets.len()).rev() {
        attack.send(client(), ACK, at as u32 + 1, single(at));
    }
    attack.end();
    assert_eq!(attack.found, 0);
    assert!(attack.streams.losses().octets(StreamLoss::Late) > 60_000);
}

#[test]
fn many_connections_of_one_octet() {
    let mut attack = Attack::new(Limits::default());
    for number in 0..200_000 {
        attack.send(many(number), SYN, 7, b"");
        attack.send(many(number), ACK, 8, &[0]);
    }
    let kept = attack.streams.open.len() as u64;
    assert!(kept > 50_000, "only {kept} were kept");
    let gone = 200_000 - kept;
    assert_eq!(attack.end(), format!("unfinished {kept}/{kept}, evicted {gone}/{gone}"));
    // Each with a segment ahead of a hole, too.
    let mut attack = Attack::new(Limits::default());
    for number in 0..200_000 {
        attack.send(many(number), SYN, 7, b"");
        attack.send(many(number), ACK, 9, &[0]);
    }
    assert!(attack.end().starts_with("hole 200000/200000, desync 200000/200000"));
}

#[test]
fn a_hole_with_a_million_segments_behind() {
    // Side by side, and with a hole before each.
    for step in [1, 2] {
        let mut attack = Attack::new(Limits::default());
        attack.send(client(), SYN, 0, b"");
        for number in 0..1_000_000 {
            attack.send(client(), ACK, 2 + step * number, &[0xEE]);
        }
        let holes = if step == 1 { 1 } else { 1_000_000 };
        assert_eq!(attack.end(), format!("hole {holes}/{holes}, desync 1/1000000"));
    }
    // The same ones again and again, whole and in parts.
    let mut attack = Attack::new(Limits::default());
    attack.send(client(), SYN, 0, b"");
    for number in 0..300_000 {
        attack.send(client(), ACK, 2 + 2 * (number % 1_000), &[0xEE]);
    }
    for _ in 0..1_000 {
        attack.send(client(), ACK, 2, &[0xEE; 1_500]);
    }
    attack.end();
    // Segments of which the snap length left nothing, over all of them.
    let mut attack = Attack::new(Limits::default());
    attack.send(client(), SYN, 0, b"");
    for number in 0..1_000 {
        attack.send(client(), ACK, 3 + 2 * number, &[0xEE]);
    }
    for number in 0..1_000_000 {
        let flow = client();
        let sequence = 2 + number % 2;
        let (time, flags, acknowledgment) = (Timestamp::default(), ACK, 0);
        let segment =
            Segment { time, frame: number.into(), flow: &flow, sequence, acknowledgment, flags, payload: &[], missing: 65_000 };
        attack.streams.take(&segment, &mut |_| {});
    }
    attack.end();
}

/// Candidates that are refused at their very end, or never decided.
#[test]
fn endless_searches() {
    // A header that is good at every second place, and whose name never ends in time.
    let mut candidate = vec![0xFF, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    candidate.extend([1, 0xEE].repeat(127));
    candidate.extend([1, 0xEE]);
    let patterns = [candidate, vec![0, 1], vec![0xEE, 0], vec![0], vec![0, 20, 0, 0, 0, 0, 0, 1]];
    for pattern in patterns {
        let garbage: Vec<u8> = pattern.iter().copied().cycle().take(2_000_000).collect();
        for size in [1, 100, 1_400] {
            let mut attack = Attack::new(Limits::default());
            let mut at = 0;
            for chunk in garbage.chunks(size) {
                attack.send(client(), ACK, at, chunk);
                at += chunk.len() as u32;
                assert!(attack.streams.held() < 600);
            }
            assert_eq!(attack.end(), "desync 1/2000000");
            assert_eq!(attack.found, 0);
        }
    }
}

/// What a stranger's packets may say.
fn any_segment() -> impl Strategy<Value = Sent> {
    let near = prop_oneof![8 => 0_u32..400, 1 => any::<u32>(), 1 => (1_u32 << 24) - 5..(1 << 24) + 5];
    let garbage = prop_oneof![vec(any::<u8>(), 0..80), vec(prop_oneof![Just(0), Just(1), Just(12), Just(20)], 0..200)];
    let payload = prop_oneof![
        garbage,
        (12_usize..60, 0_usize..60).prop_map(|(length, cut)| {
            let mut octets = prefixed(&message(b'a', length.max(19)));
            octets.truncate(octets.len().saturating_sub(cut / 2));
            octets
        })
    ];
    let missing = prop_oneof![6 => Just(0), 1 => 1_u32..100, 1 => any::<u32>()];
    let flags = prop_oneof![6 => Just(ACK), 1 => any::<u8>()];
    (0_u32..6, any::<bool>(), (near.clone(), near), flags, payload, missing, prop_oneof![0_u64..300, any::<u64>()]).prop_map(
        |(number, back, (sequence, acknowledgment), flags, payload, missing, seconds)| {
            let flow = if back { many(number).reversed() } else { many(number) };
            Sent { flow, sequence, acknowledgment, flags, payload, missing, seconds }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// `take` checks the sums after each segment.
    #[test]
    fn nothing_goes_astray(
        sent in vec(any_segment(), 0..400),
        connection_octets in prop_oneof![Just(0), 0_usize..3_000, Just(1 << 20)],
        connections in prop_oneof![0_usize..8, Just(100)],
        total_octets in prop_oneof![Just(0), 0_usize..10_000, Just(1 << 20)],
        idle in prop_oneof![Just(0), Just(50_000_000_000), Just(u64::MAX)],
        linger in prop_oneof![Just(0), Just(8_000_000_000), Just(u64::MAX)],
    ) {
        let limits = Limits { connection_octets, connections, total_octets, idle, linger };
        let mut streams = Streams::new(limits);
        for sent in sent {
            take(&mut streams, &[sent], &mut |found| assert!(found.octets.len() >= 12));
            prop_assert!(streams.memory() <= total_octets);
            prop_assert!(streams.open.len() + streams.closed.len() <= connections.max(1));
            let mut place = streams.open.oldest().map(|(place, _)| place);
            while let Some(at) = place {
                prop_assert!(streams.open.at(at).2.load().octets <= connection_octets);
                place = streams.open.after(at);
            }
        }
        streams.finish(&mut |_| {});
        check_sums(&streams);
        prop_assert_eq!((streams.held(), streams.waiting(), streams.memory()), (0, 0, 0));
    }
}
