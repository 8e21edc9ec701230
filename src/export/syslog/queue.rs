//! Messages that wait to be sent: so many octets and no more, so that a receiver that is away costs messages, not memory.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Octets of messages that wait, at most: some thousand of them.
const ROOM: usize = 4 << 20;

/// How often whoever waits for room looks.
const LOOK: Duration = Duration::from_millis(10);

/// What became of messages. `told` is the sum of `sent`, `dropped` and those that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyslogCounts {
    /// Messages that were to be sent.
    pub told: u64,
    /// Messages that the system took for the receiver.
    pub sent: u64,
    /// Attempts to send one, or to connect, that failed.
    pub failures: u64,
    /// Messages for which there was no room, or no time at the end.
    pub dropped: u64,
}

impl SyslogCounts {
    /// Messages that wait.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.told.saturating_sub(self.sent + self.dropped)
    }
}

/// Where messages are put and never waited for.
#[derive(Clone, Debug, Default)]
pub struct SyslogQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Arc<[u8]>>,
    octets: usize,
    /// Until when what waits is to be sent, once nothing more comes.
    end: Option<Instant>,
    counts: SyslogCounts,
}

impl SyslogQueue {
    /// Puts a message at the end, or drops and counts it where there is no room.
    pub fn put(&self, message: &[u8]) {
        let mut state = self.state();
        state.counts.told += 1;
        if state.octets + message.len() > ROOM || state.end.is_some() {
            state.counts.dropped += 1;
            return;
        }
        state.octets += message.len();
        state.messages.push_back(message.into());
        drop(state);
        self.0.changed.notify_one();
    }

    /// Takes no more; what waits is still sent, for so long.
    pub fn close(&self, farewell: Duration) {
        self.state().end = Some(Instant::now() + farewell);
        self.0.changed.notify_one();
    }

    /// Waits until there is room for any message, for so long at most; tells whether there is.
    pub(in crate::export) fn has_room(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        // Half of it: a message has some kilobytes.
        while self.state().octets > ROOM / 2 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// What became of messages until now.
    #[must_use]
    pub fn counts(&self) -> SyslogCounts {
        self.state().counts
    }

    /// Waits for a message, which stays the first until it is [sent](Self::sent). None when none will come any more, or the
    /// time for it is over: what still waits is then dropped.
    pub(super) fn first(&self) -> Option<Arc<[u8]>> {
        let mut state = self.state();
        loop {
            let over = state.end.is_some_and(|end| state.messages.is_empty() || Instant::now() >= end);
            if over {
                state.counts.dropped += state.messages.len() as u64;
                state.messages.clear();
                return None;
            }
            if let Some(message) = state.messages.front() {
                return Some(Arc::clone(message));
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first message is on its way.
    pub(super) fn sent(&self) {
        let mut state = self.state();
        if let Some(message) = state.messages.pop_front() {
            state.octets -= message.len();
            state.counts.sent += 1;
        }
    }

    /// The first message stays where it is: waits for `pause`, or until the time for it is over.
    pub(super) fn failed(&self, pause: Duration) {
        let mut state = self.state();
        state.counts.failures += 1;
        let until = Instant::now() + pause;
        loop {
            let until = state.end.map_or(until, |end| end.min(until));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // Messages that come wake it too.
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_all_adds_up() {
        let queue = SyslogQueue::default();
        let message = vec![b'x'; 1_000];
        (0..5_000).for_each(|_| queue.put(&message));
        let room = (ROOM / message.len()) as u64;
        assert_eq!(queue.counts(), SyslogCounts { told: 5_000, sent: 0, failures: 0, dropped: 5_000 - room });
        for _ in 0..10 {
            assert_eq!(&*queue.first().unwrap(), &*message);
            queue.sent();
        }
        queue.failed(Duration::ZERO);
        queue.put(b"fits again");
        let counts = queue.counts();
        assert_eq!((counts.sent, counts.failures, counts.waiting()), (10, 1, room - 10 + 1));
        // A pause ends with the time that is left.
        queue.close(Duration::from_millis(20));
        let begun = Instant::now();
        queue.failed(Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert_eq!(queue.first(), None);
        queue.put(b"too late");
        let counts = queue.counts();
        assert_eq!((counts.waiting(), counts.sent + counts.dropped), (0, counts.told));
    }
}
