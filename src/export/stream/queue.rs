//! Records on their way to the spool: so many octets and no more, so that a disk that hangs costs records, not memory; and
//! what became of all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::export::snapshot::StreamCounts;

/// Octets of records that wait to be stored, at most: some thousand of them.
const ROOM: usize = 4 << 20;

/// Where records are put and never waited for.
#[derive(Clone, Debug, Default)]
pub struct StreamQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Vec<u8>>,
    octets: usize,
    /// Until when what waits is to be sent, once nothing more comes.
    end: Option<Instant>,
    counts: StreamCounts,
}

impl StreamQueue {
    /// Puts a record at the end, or drops and counts it where there is no room. `json` is one object with members; records of
    /// the same `key` are of the same thing.
    pub(in crate::export) fn put(&self, key: &str, json: &str) {
        let record = Content { key, json }.write();
        let mut state = self.state();
        state.counts.offered += 1;
        if state.octets + record.len() > ROOM || state.end.is_some() {
            state.counts.dropped += 1;
            return;
        }
        state.octets += record.len();
        state.counts.waiting += 1;
        state.records.push_back(record);
        drop(state);
        self.0.changed.notify_one();
    }

    /// Takes no more; what waits is still sent, for so long.
    pub fn close(&self, farewell: Duration) {
        self.state().end = Some(Instant::now() + farewell);
        self.0.changed.notify_one();
    }

    /// What became of records until now.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        self.state().counts
    }

    /// Counts anew what a change of records comes to.
    pub(super) fn count(&self, change: impl FnOnce(&mut StreamCounts)) {
        change(&mut self.state().counts);
    }

    /// Until when what waits is to be sent, once nothing more comes.
    pub(super) fn end(&self) -> Option<Instant> {
        self.state().end
    }

    /// Waits for records and takes all that are there; none when none will come any more.
    pub(super) async fn take(&self) -> Option<VecDeque<Vec<u8>>> {
        loop {
            {
                let mut state = self.state();
                if !state.records.is_empty() {
                    state.octets = 0;
                    return Some(std::mem::take(&mut state.records));
                }
                if state.end.is_some() {
                    return None;
                }
            }
            // One who is notified before it waits does not wait.
            self.0.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a record is about, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content<'a> {
    pub(super) key: &'a str,
    pub(super) json: &'a str,
}

impl<'a> Content<'a> {
    /// The key, an octet that no text holds, the object.
    fn write(self) -> Vec<u8> {
        [self.key.as_bytes(), &[0xFF], self.json.as_bytes()].concat()
    }

    /// None where it is none: the checksum of the spool was right by chance, or somebody else wrote there.
    pub(super) fn read(record: &'a [u8]) -> Option<Self> {
        let at = record.iter().position(|octet| *octet == 0xFF)?;
        let [key, json] = [&record[..at], &record[at + 1..]].map(|part| std::str::from_utf8(part).ok());
        Some(Self { key: key?, json: json.filter(|json| json.starts_with('{'))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_all_adds_up() {
        let queue = StreamQueue::default();
        let json = format!("{{{}}}", "x".repeat(996));
        (0..5_000).for_each(|_| queue.put("k", &json));
        let room = (ROOM / 1_000) as u64;
        let counts = queue.counts();
        assert_eq!((counts.offered, counts.waiting, counts.dropped), (5_000, room, 5_000 - room));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let taken = runtime.block_on(queue.take()).unwrap();
        assert_eq!(taken.len() as u64, room);
        assert_eq!(Content::read(&taken[0]), Some(Content { key: "k", json: &json }));
        queue.close(Duration::ZERO);
        queue.put("k", "{}");
        assert_eq!(runtime.block_on(queue.take()), None);
        assert_eq!(queue.counts().dropped, 5_000 - room + 1);
    }

    #[test]
    fn what_is_no_record() {
        for octets in [&b""[..], b"\xFF", b"key", b"key{}", b"key\xFF", b"key\xFF[]", b"k\xC3\xFF{}", b"k\xFF{\xC3}"] {
            assert_eq!(Content::read(octets), None, "{octets:?}");
        }
        let content = Content { key: "conficker-b/2009-03-31/192.0.2.7", json: "{\"schema\":1}" };
        assert_eq!(Content::read(&content.write()), Some(content));
    }
}
