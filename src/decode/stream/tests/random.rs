//! Random conversations against the naive way to put a stream together: an array of all its octets.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What a direction says, and how it is cut into segments and messed up on the way.
#[derive(Clone, Debug)]
struct Speech {
    messages: Vec<Vec<u8>>,
    syn: u32,
    handshake: bool,
    fin: bool,
    /// Places to cut at.
    cuts: Vec<Index>,
    /// Which segments change places with which later ones.
    swaps: Vec<(Index, usize)>,
    /// Stretches sent once more: whose turn, start, length, and whether with other octets.
    repeats: Vec<(Index, Index, usize, bool)>,
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let label = vec(any::<u8>(), 1..20);
    let length = prop_oneof![8 => 0_usize..200, 2 => 200_usize..5_000];
    (any::<[u8; 2]>(), any::<bool>(), vec(label, 0..4), length, any::<u8>()).prop_map(|(id, response, labels, more, seed)| {
        let mut octets = id.to_vec();
        octets.extend(if response { [0x81, 0x83] } else { [1, 0] });
        octets.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        labels.iter().for_each(|label| octets.extend([&[label.len() as u8], &label[..]].concat()));
        octets.extend([0, 0, 1, 0, 1]);
        // Without another message inside, which nobody could tell from a real one.
        octets.extend((0..more).map(|at| (at as u8).wrapping_mul(seed | 1) | 8));
        octets
    })
}

fn any_speech() -> impl Strategy<Value = Speech> {
    let syn = prop_oneof![any::<u32>(), (u32::MAX - 5_000)..=u32::MAX];
    (
        vec(any_message(), 1..12),
        (syn, any::<bool>(), any::<bool>()),
        vec(any::<Index>(), 0..60),
        vec((any::<Index>(), 1_usize..8), 0..20),
        vec((any::<Index>(), any::<Index>(), 1_usize..3_000, any::<bool>()), 0..10),
    )
        .prop_map(|(messages, (syn, handshake, fin), cuts, swaps, repeats)| Speech {
            messages,
            syn,
            handshake,
            fin,
            cuts,
            swaps,
            repeats,
        })
}

/// A stretch of a stream as a segment.
#[derive(Clone, Debug)]
struct Stretch {
    start: usize,
    octets: Vec<u8>,
    flags: u8,
    /// Whether it reaches the capture. It always reaches its receiver.
    seen: bool,
    again: bool,
}

impl Stretch {
    fn end(&self) -> usize {
        self.start + self.octets.len()
    }
}

impl Speech {
    fn stream(&self) -> Vec<u8> {
        self.messages.iter().flat_map(|message| prefixed(message)).collect()
    }

    /// Its segments in the order in which they are captured.
    fn stretches(&self) -> Vec<Stretch> {
        let stream = self.stream();
        let mut edges = BTreeSet::from([0, stream.len()]);
        edges.extend(self.cuts.iter().map(|cut| cut.index(stream.len())));
        let edges = Vec::from_iter(edges);
        let segment = |edge: &[usize]| Stretch {
            start: edge[0],
            octets: stream[edge[0]..edge[1]].to_vec(),
            flags: 0,
            seen: true,
            again: false,
        };
        let mut stretches: Vec<Stretch> = edges.windows(2).map(segment).collect();
        if let Some(last) = stretches.last_mut().filter(|_| self.fin) {
            last.flags = FIN;
        }
        // Without handshake the first octet seen is the first: what comes before it is not waited for.
        let settled = usize::from(!self.handshake);
        for (index, distance) in &self.swaps {
            let movable = &mut stretches[settled..];
            if !movable.is_empty() {
                let one = index.index(movable.len());
                let other = (one + distance).min(movable.len() - 1);
                movable.swap(one, other);
            }
        }
        for (turn, start, length, forged) in &self.repeats {
            let turn = settled + turn.index(stretches.len() + 1 - settled);
            let start = start.index(stream.len());
            let mut octets = stream[start..stream.len().min(start + length)].to_vec();
            // Only who sends it again can change it: what came first stands.
            let seen = naive(stream.len(), &stretches[..turn]);
            if *forged && seen[start..start + octets.len()].iter().all(Option::is_some) {
                octets.fill(0xEE);
            }
            stretches.insert(turn, Stretch { start, octets, flags: 0, seen: true, again: true });
        }
        if self.handshake {
            stretches.insert(0, Stretch { start: 0, octets: vec![], flags: SYN, seen: true, again: false });
        }
        stretches
    }
}

/// The octets of a stream, as far as they came; the first to come stands.
fn naive(length: usize, stretches: &[Stretch]) -> Vec<Option<u8>> {
    let mut stream = vec![None; length];
    for stretch in stretches.iter().filter(|stretch| stretch.seen) {
        for (place, octet) in stream[stretch.start..].iter_mut().zip(&stretch.octets) {
            place.get_or_insert(*octet);
        }
    }
    stream
}

/// The messages of a stream; those that lack an octet are left out.
fn naive_messages(stream: &[Option<u8>], messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut found = vec![];
    let mut at = 0;
    for message in messages {
        let octets: Option<Vec<u8>> = stream[at..at + 2 + message.len()].iter().copied().collect();
        at += 2 + message.len();
        found.extend(octets.map(|octets| octets[2..].to_vec()));
    }
    found
}

/// Both directions' segments, interleaved; each acknowledges what its sender has received by then.
fn conversation(speeches: [&Speech; 2], stretches: [&[Stretch]; 2], turns: &[bool]) -> Vec<Sent> {
    let flow = flow("192.0.2.1", 40_000, "192.0.2.53", 53);
    let mut received = speeches.map(|speech| vec![false; speech.stream().len()]);
    let mut taken = [0; 2];
    let mut sent = vec![];
    let mut turns = turns.iter().cycle();
    while taken[0] < stretches[0].len() || taken[1] < stretches[1].len() {
        let mut side = usize::from(*turns.next().unwrap());
        if taken[side] == stretches[side].len() {
            side = 1 - side;
        }
        let stretch = &stretches[side][taken[side]];
        taken[side] += 1;
        received[side][stretch.start..stretch.end()].fill(true);
        if !stretch.seen {
            continue;
        }
        let other = &received[1 - side];
        let front = other.iter().take_while(|seen| **seen).count() as u32;
        sent.push(Sent {
            flow: if side == 0 { flow } else { flow.reversed() },
            sequence: speeches[side].syn.wrapping_add(u32::from(stretch.flags & SYN == 0)).wrapping_add(stretch.start as u32),
            acknowledgment: speeches[1 - side].syn.wrapping_add(1 + front),
            flags: stretch.flags | ACK,
            payload: stretch.octets.clone(),
            missing: 0,
            // Each packet has a time of its own.
            seconds: sent.len() as u64 + 1,
        });
    }
    sent
}

/// A message and its frame.
type Framed = (Vec<u8>, u64);

/// For each message the frame that brought the last of its octets to come.
fn naive_frames(speech: &Speech, flow: Flow, sent: &[Sent]) -> Vec<Framed> {
    let mut frames: Vec<Option<u64>> = vec![None; speech.stream().len()];
    for (sent, frame) in sent.iter().zip(1..).filter(|(sent, _)| sent.flow == flow && sent.flags & SYN == 0) {
        let start = sent.sequence.wrapping_sub(speech.syn.wrapping_add(1)) as usize;
        for place in &mut frames[start..start + sent.payload.len()] {
            place.get_or_insert(frame);
        }
    }
    let mut at = 0;
    let mut latest = |message: &Vec<u8>| {
        let octets = &frames[at..at + 2 + message.len()];
        at += octets.len();
        (message.clone(), octets.iter().map(|frame| frame.unwrap()).max().unwrap())
    };
    sorted(speech.messages.iter().map(&mut latest).collect())
}

/// The whole messages found in the two directions with their frames, and what was lost.
fn found(sent: &[Sent]) -> ([Vec<Framed>; 2], Losses) {
    let mut streams = Streams::new(Limits { idle: u64::MAX, linger: u64::MAX, ..Limits::default() });
    let mut whole = [vec![], vec![]];
    let mut keep = |found: Found<'_>| {
        assert_eq!(found.time, Timestamp::from_parts(found.frame, 0));
        if found.whole {
            whole[usize::from(found.flow.source_port == 53)].push((found.octets.to_vec(), found.frame));
        }
    };
    take(&mut streams, sent, &mut keep);
    streams.finish(&mut keep);
    check_sums(&streams);
    assert_eq!((streams.held(), streams.waiting(), streams.memory()), (0, 0, 0));
    (whole.map(sorted), streams.losses().clone())
}

fn sorted<T: Ord>(mut messages: Vec<T>) -> Vec<T> {
    messages.sort();
    messages
}

/// Without their frames.
fn octets(messages: &[Framed]) -> Vec<Vec<u8>> {
    messages.iter().map(|(octets, _)| octets.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to a stream on its way, as long as all of it comes, all messages are found, once.
    #[test]
    fn all_that_came_is_found(one in any_speech(), other in any_speech(), turns in vec(any::<bool>(), 1..20)) {
        let stretches = [one.stretches(), other.stretches()];
        let sent = conversation([&one, &other], stretches.each_ref().map(Vec::as_slice), &turns);
        let (messages, losses) = found(&sent);
        prop_assert_eq!(shown_losses(&losses), "");
        let flow = flow("192.0.2.1", 40_000, "192.0.2.53", 53);
        for (side, (speech, flow)) in [(&one, flow), (&other, flow.reversed())].into_iter().enumerate() {
            let stream = naive(speech.stream().len(), &stretches[side]);
            prop_assert_eq!(&octets(&messages[side]), &sorted(naive_messages(&stream, &speech.messages)));
            prop_assert_eq!(&messages[side], &naive_frames(speech, flow, &sent));
        }
    }

    /// A segment that the capture lacks takes those messages with it that it touches, and no other.
    #[test]
    fn what_did_not_come_is_counted(one in any_speech(), other in any_speech(), turns in vec(any::<bool>(), 1..20), lost in any::<Index>()) {
        // The last octets of a stream leave no trace when they are lost, and the first are the handshake's.
        let mut one = Speech { handshake: true, fin: true, ..one };
        one.repeats.iter_mut().for_each(|(.., forged)| *forged = false);
        let mut stretches = one.stretches();
        let first_time = Vec::from_iter((1..stretches.len()).filter(|at| !stretches[*at].again));
        let lost = *lost.get(&first_time);
        let (start, end) = (stretches[lost].start, stretches[lost].end());
        stretches[lost].seen = false;
        // Its retransmissions might come in time or not.
        let later = stretches.split_off(lost + 1);
        stretches.extend(later.into_iter().filter(|stretch| stretch.end() <= start || stretch.start >= end));
        let has_fin = stretches.iter().any(|stretch| stretch.flags & FIN > 0 && stretch.seen);
        let stream = naive(one.stream().len(), &stretches);
        let (messages, losses) = found(&conversation([&one, &other], [&stretches, &other.stretches()], &turns));
        let expected = sorted(naive_messages(&stream, &one.messages));
        let missing = stream.iter().filter(|octet| octet.is_none()).count() as u64;
        let holes = losses.octets(StreamLoss::Hole);
        if has_fin {
            prop_assert_eq!((holes, losses.is_empty()), (missing, missing == 0));
        } else {
            prop_assert!(holes <= missing);
        }
        prop_assert_eq!(&octets(&messages[0]), &expected, "{}", shown_losses(&losses));
        prop_assert_eq!(&octets(&messages[1]), &sorted(other.messages.clone()));
    }
}
