//! A stream of dnstap in a file: START, frames, STOP. Several may follow each other, as `cat` puts them together.

use super::super::{Record, Walk};
use super::frame::{self, Control, Part};
use super::record;
use crate::day::Timestamp;

/// Where in a stream the reading is.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Stream {
    /// Between a START and its STOP.
    open: bool,
    /// The time of the last frame: that of frames without one.
    last: Timestamp,
}

impl Stream {
    /// Whether a file that begins like this is one.
    pub(in super::super) fn begins(octets: &[u8]) -> bool {
        frame::begins(octets)
    }

    /// See [`super::super::Layout::walk`].
    pub(in super::super) fn walk<'o>(&mut self, octets: &'o [u8], mut each: impl FnMut(Record<'o>)) -> Walk {
        let mut consumed = 0;
        loop {
            let damage = match (frame::next(&octets[consumed..]), self.open) {
                (Part::Wanted(wanted), _) => return Walk { consumed, wanted, damage: None },
                (Part::Data(data, length), true) => {
                    let record = record(data);
                    self.last = if record.time == Timestamp::default() { self.last } else { record.time };
                    each(Record { time: self.last, ..record });
                    consumed += length;
                    continue;
                }
                (Part::Control(Control::Start, true, length), false) | (Part::Control(Control::Stop, _, length), true) => {
                    self.open = !self.open;
                    consumed += length;
                    continue;
                }
                (Part::Damage(why), _) => why,
                (Part::Data(..), false) => "a frame behind the end of the stream".to_owned(),
                (Part::Control(Control::Start, false, _), _) => "a stream of something else than dnstap".to_owned(),
                (Part::Control(control, ..), _) => format!("{} where no file has it", control.name()),
            };
            return Walk { consumed, wanted: 0, damage: Some(damage) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these payloads.
    fn data(payloads: &[&[u8]]) -> Vec<u8> {
        payloads.iter().flat_map(|payload| [&(payload.len() as u32).to_be_bytes(), *payload].concat()).collect()
    }

    fn walked(octets: &[u8]) -> (Vec<Vec<u8>>, Walk) {
        let mut found = vec![];
        let walk = Stream::default().walk(octets, |record| found.push(record.data.to_vec()));
        (found, walk)
    }

    #[test]
    fn streams_that_end_and_begin_again() {
        let (start, stop) = (Control::Start.octets(), Control::Stop.octets());
        let once = [start.clone(), data(&[b"a", b"bc"]), stop].concat();
        let (found, walk) = walked(&once.repeat(2));
        assert_eq!(found, [&b"a"[..], b"bc", b"a", b"bc"]);
        assert_eq!((walk.consumed, walk.damage), (2 * once.len(), None));
        // Whoever walks a block again begins where the first walk began, in the middle of a stream too.
        let mut stream = Stream::default();
        assert_eq!(stream.walk(&start, |_| panic!("no frame yet")).consumed, start.len());
        let mut count = 0;
        let walk = stream.clone().walk(&once[start.len()..], |_| count += 1);
        assert_eq!((count, walk.consumed), (2, once.len() - start.len()));
    }

    /// A frame that nobody can read does not make a capture begin in 1970.
    #[test]
    fn frames_without_a_time() {
        // A message with a type and a time in seconds.
        let timed = [114, 4, 8, 5, 64, 9];
        let octets = [Control::Start.octets(), data(&[&timed, b"\xFF", &timed])].concat();
        let mut times = vec![];
        let _ = Stream::default().walk(&octets, |record| times.push(record.time.as_nanos() / 1_000_000_000));
        assert_eq!(times, [9, 9, 9]);
    }

    #[test]
    fn what_no_file_has() {
        let start = Control::Start.octets();
        let rows = [
            data(&[b"a"]),
            [start.clone(), start.clone()].concat(),
            [start.clone(), Control::Stop.octets(), data(&[b"a"])].concat(),
            [start.clone(), Control::Ready.octets()].concat(),
            [start, Control::Finish.octets()].concat(),
        ];
        for octets in rows {
            let (found, walk) = walked(&octets);
            assert!(found.is_empty() && walk.damage.is_some() && walk.consumed < octets.len(), "{octets:?}");
        }
    }
}
