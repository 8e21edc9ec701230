//! dnstap: what a resolver says of the messages that it handles, in Frame Streams, from files and through sockets.
//!
//! A frame becomes a record of [`LinkType::DNSTAP`], with the time of the message that it speaks of. What the message
//! is, the room that decodes finds out.
//!
//! Sources: dnstap.info and its `dnstap.proto`; for Frame Streams, farsightsec/fstrm and its header `fstrm/control.h`.

#[cfg(feature = "live")]
mod address;
#[cfg(feature = "live")]
mod connection;
mod file;
mod frame;
#[cfg(feature = "live")]
mod listener;

#[cfg(feature = "live")]
pub use self::address::DnstapAddress;
pub(super) use self::file::Stream;
#[cfg(feature = "live")]
pub use self::listener::DnstapListener;

use prost::Message;

use super::{LinkType, Record};
use crate::day::Timestamp;

/// What the frames of a stream hold, as streams of dnstap say it.
const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";

/// The times of a frame. Protobuf passes over all other fields, and nothing is copied.
#[derive(Clone, PartialEq, Message)]
struct Frame {
    #[prost(message, optional, tag = "14")]
    message: Option<Times>,
}

#[derive(Clone, PartialEq, Message)]
struct Times {
    #[prost(uint32, optional, tag = "1")]
    kind: Option<u32>,
    #[prost(uint64, optional, tag = "8")]
    query_seconds: Option<u64>,
    #[prost(fixed32, optional, tag = "9")]
    query_nanos: Option<u32>,
    #[prost(uint64, optional, tag = "12")]
    response_seconds: Option<u64>,
    #[prost(fixed32, optional, tag = "13")]
    response_nanos: Option<u32>,
}

/// The record of a frame. Without a time that can be read it has none, as records of other captures may.
fn record(frame: &[u8]) -> Record<'_> {
    let times = Frame::decode(frame).ok().and_then(|frame| frame.message).unwrap_or_default();
    let of = |seconds: Option<u64>, nanos: Option<u32>| {
        seconds.map(|seconds| Timestamp::from_parts(seconds, nanos.unwrap_or(0).into()))
    };
    let query = of(times.query_seconds, times.query_nanos);
    let response = of(times.response_seconds, times.response_nanos);
    // Types come in pairs, a query's number is odd. The other time is close, where the one that counts was left out.
    let time = if times.kind.is_some_and(|kind| kind % 2 == 1) { query.or(response) } else { response.or(query) };
    Record { time: time.unwrap_or_default(), link: LinkType::DNSTAP, data: frame }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(times: Times) -> Vec<u8> {
        Frame { message: Some(times) }.encode_to_vec()
    }

    #[test]
    fn which_time_counts() {
        let both = Times { query_seconds: Some(7), query_nanos: Some(1), response_seconds: Some(9), ..Times::default() };
        let rows = [
            (Times { kind: Some(5), ..both.clone() }, 7_000_000_001),
            (Times { kind: Some(6), ..both.clone() }, 9_000_000_000),
            (Times { kind: Some(6), response_seconds: None, ..both.clone() }, 7_000_000_001),
            (Times { kind: Some(5), query_seconds: None, ..both.clone() }, 9_000_000_000),
            (Times { kind: Some(5), query_seconds: Some(u64::MAX), ..both }, u64::MAX),
            (Times::default(), 0),
        ];
        for (times, expected) in rows {
            let frame = frame(times);
            let record = record(&frame);
            assert_eq!((record.time.as_nanos(), record.link, record.data), (expected, LinkType::DNSTAP, &*frame));
        }
        assert_eq!(record(b"\xFF\xFF").time, Timestamp::default());
    }
}
