//! One connection of a server that sends dnstap: the handshake, frames, the end.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::frame::{self, Control, Part};

/// How long a connection may take to begin its stream.
const OPENING: Duration = Duration::from_secs(10);

/// Octets of room that an empty buffer keeps.
const KEPT: usize = 64 << 10;

/// A connection. It holds as many octets as one frame may have and one reading may give, no more.
pub(super) struct Connection<S> {
    pub(super) stream: S,
    /// What came; taken up to `start`.
    buffer: Vec<u8>,
    start: usize,
    stage: Stage,
    since: Instant,
    /// Whether a frame ever came.
    pub(super) told: bool,
    /// When anything came last.
    pub(super) heard: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// READY or START is to come.
    New,
    /// START is to come: READY was answered.
    Ready,
    /// Frames come; whether the sender waits for an answer at the end.
    Open { answers: bool },
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As agreed upon, or by the sender without a word: a server that is killed has no time for one.
    Over,
    /// It is of no use, and why.
    Broken(String),
}

impl<S: Read + Write> Connection<S> {
    pub(super) fn new(stream: S, now: Instant) -> Self {
        Self { stream, buffer: vec![], start: 0, stage: Stage::New, since: now, told: false, heard: now }
    }

    /// Hands over frames that came, `most` at most, and how many; and how it ended, if it did. `room` is what to read into.
    pub(super) fn take(
        &mut self,
        most: usize,
        now: Instant,
        room: &mut [u8],
        each: &mut impl FnMut(&[u8]),
    ) -> (usize, Option<End>) {
        let mut taken = 0;
        while taken < most {
            match frame::next(&self.buffer[self.start..]) {
                Part::Data(data, length) if matches!(self.stage, Stage::Open { .. }) => {
                    each(data);
                    taken += 1;
                    self.told = true;
                    self.start += length;
                }
                Part::Data(..) => return (taken, broken("a frame before its stream began")),
                Part::Control(control, fits, length) => {
                    self.start += length;
                    if let Some(end) = self.control(control, fits) {
                        return (taken, Some(end));
                    }
                }
                Part::Damage(why) => return (taken, Some(End::Broken(why))),
                Part::Wanted(_) => match self.receive(room) {
                    Ok(0) if self.buffer.is_empty() => return (taken, Some(End::Over)),
                    Ok(0) => return (taken, broken("its end in the middle of a frame")),
                    Ok(_) => self.heard = now,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        let late = !matches!(self.stage, Stage::Open { .. }) && now.duration_since(self.since) >= OPENING;
                        return (taken, late.then(|| End::Broken("no stream begun in time".to_owned())));
                    }
                    Err(error) => return (taken, Some(End::Broken(error.to_string()))),
                },
            }
        }
        (taken, None)
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(KEPT);
        }
        let octets = self.stream.read(room)?;
        self.buffer.extend_from_slice(&room[..octets]);
        Ok(octets)
    }

    /// Does what a control frame asks for.
    fn control(&mut self, control: Control, fits: bool) -> Option<End> {
        match (control, self.stage) {
            (Control::Ready | Control::Start, _) if !fits => broken("a stream of something else than dnstap"),
            (Control::Ready, Stage::New) => {
                self.stage = Stage::Ready;
                let answer = Control::Accept.octets();
                // The first octets in this direction: there is room for them.
                match self.stream.write(&answer) {
                    Ok(octets) if octets == answer.len() => None,
                    Ok(_) => broken("no room for an answer"),
                    Err(error) => Some(End::Broken(error.to_string())),
                }
            }
            (Control::Start, Stage::New | Stage::Ready) => {
                self.stage = Stage::Open { answers: self.stage == Stage::Ready };
                None
            }
            (Control::Stop, Stage::Open { answers }) => {
                if answers {
                    // Whether anybody waits for it makes no difference here.
                    let _ = self.stream.write(&Control::Finish.octets());
                }
                Some(End::Over)
            }
            (control, _) => Some(End::Broken(format!("{} out of turn", control.name()))),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is an end where there may be none")]
fn broken(why: &str) -> Option<End> {
    Some(End::Broken(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives octets in these pieces, and keeps what it is given. Without pieces, more may come, or nothing.
    #[derive(Default)]
    struct Wire {
        pieces: VecDeque<Vec<u8>>,
        closed: bool,
        answers: Vec<u8>,
    }

    impl Read for Wire {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.pieces.pop_front() else {
                return if self.closed { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
            };
            let octets = piece.len().min(room.len());
            room[..octets].copy_from_slice(&piece[..octets]);
            if octets < piece.len() {
                self.pieces.push_front(piece.split_off(octets));
            }
            Ok(octets)
        }
    }

    impl Write for Wire {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.answers.extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn data(payload: &[u8]) -> Vec<u8> {
        [&(payload.len() as u32).to_be_bytes(), payload].concat()
    }

    /// What comes of octets in pieces of a length: the frames, the answers, the end.
    fn talk(octets: &[u8], length: usize, closed: bool) -> (Vec<Vec<u8>>, Vec<u8>, Option<End>) {
        let pieces = octets.chunks(length).map(<[u8]>::to_vec).collect();
        let now = Instant::now();
        let mut connection = Connection::new(Wire { pieces, closed, answers: vec![] }, now);
        let (mut frames, mut room) = (vec![], [0; 16]);
        // Two at a time, as a listener with little time would.
        let end = loop {
            let (taken, end) = connection.take(2, now, &mut room, &mut |frame| frames.push(frame.to_vec()));
            assert!(taken <= 2);
            if end.is_some() || taken == 0 {
                break end;
            }
        };
        (frames, connection.stream.answers, end)
    }

    fn control(kinds: &[Control]) -> Vec<u8> {
        kinds.iter().flat_map(|kind| kind.octets()).collect()
    }

    #[test]
    fn both_handshakes() {
        use Control::{Accept, Finish, Ready, Start, Stop};
        let frames = [b"one".to_vec(), vec![7; 1_000], b"3".to_vec()];
        let body: Vec<u8> = frames.iter().flat_map(|frame| data(frame)).collect();
        for length in [1, 2, 3, 7, 41, 42, 43, 5_000] {
            let octets = [control(&[Start]), body.clone(), control(&[Stop])].concat();
            assert_eq!(talk(&octets, length, false), (frames.to_vec(), vec![], Some(End::Over)), "one way, {length}");
            let octets = [control(&[Ready, Start]), body.clone(), control(&[Stop])].concat();
            let answers = control(&[Accept, Finish]);
            assert_eq!(talk(&octets, length, false), (frames.to_vec(), answers, Some(End::Over)), "both ways, {length}");
            // A server that is killed, and one that is there still.
            let octets = [control(&[Ready, Start]), body.clone()].concat();
            assert_eq!(talk(&octets, length, true), (frames.to_vec(), control(&[Accept]), Some(End::Over)));
            assert_eq!(talk(&octets, length, false), (frames.to_vec(), control(&[Accept]), None));
        }
    }

    #[test]
    fn what_is_refused() {
        use Control::{Accept, Finish, Ready, Start, Stop};
        let foreign = {
            let mut octets = Ready.octets();
            let last = octets.len() - 1;
            octets[last] ^= 1;
            octets
        };
        let rows = [
            data(b"a"),
            control(&[Stop]),
            control(&[Accept]),
            control(&[Finish]),
            control(&[Ready, Ready]),
            control(&[Ready, Stop]),
            control(&[Start, Ready]),
            control(&[Start, Start]),
            foreign.clone(),
            foreign.iter().enumerate().map(|(at, octet)| if at == 11 { 2 } else { *octet }).collect(),
            [control(&[Ready]), data(b"a")].concat(),
            [control(&[Start]), vec![0xFF; 4]].concat(),
            [control(&[Start]), vec![0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]].concat(),
        ];
        for octets in rows {
            for length in [1, 5_000] {
                let (frames, _, end) = talk(&octets, length, false);
                assert!(frames.is_empty() && matches!(end, Some(End::Broken(_))), "{octets:?}: {end:?}");
            }
        }
        let cut = [control(&[Start]), data(b"abc")].concat();
        let (frames, _, end) = talk(&cut[..cut.len() - 1], 5_000, true);
        assert!(frames.is_empty() && matches!(end, Some(End::Broken(_))), "{end:?}");
        // Who looks whether anybody listens says nothing.
        assert_eq!(talk(b"", 1, true), (vec![], vec![], Some(End::Over)));
    }

    #[test]
    fn who_never_begins_is_not_waited_for() {
        let now = Instant::now();
        for (octets, stays) in [
            (vec![], false),
            (control(&[Control::Ready]), false),
            (control(&[Control::Ready])[..20].to_vec(), false),
            (control(&[Control::Start]), true),
        ] {
            let pieces = [octets].into_iter().filter(|piece| !piece.is_empty()).collect();
            let mut connection = Connection::new(Wire { pieces, ..Wire::default() }, now);
            let mut take = |at| connection.take(9, at, &mut [0; 64], &mut |_| panic!("no frame")).1;
            assert_eq!(take(now), None);
            assert_eq!(take(now + OPENING).is_none(), stays);
        }
    }

    #[test]
    fn a_frame_that_never_ends_takes_no_more_than_a_frame() {
        let now = Instant::now();
        let mut connection = Connection::new(Wire::default(), now);
        let head = [control(&[Control::Start]), (frame::MAX_FRAME as u32).to_be_bytes().to_vec()].concat();
        connection.stream.pieces.push_back(head);
        connection.stream.pieces.extend(std::iter::repeat_n(vec![0; 65_536], 4));
        let mut frames = 0;
        let (_, end) = connection.take(9, now, &mut [0; 4_096], &mut |frame| {
            assert_eq!(frame.len(), frame::MAX_FRAME);
            frames += 1;
        });
        assert_eq!((frames, end), (1, None));
        assert!(connection.buffer.capacity() <= 2 * frame::MAX_FRAME + KEPT);
        // Quiet again, it gives the room back.
        assert!(connection.buffer.is_empty() && connection.buffer.capacity() <= KEPT);
    }
}
