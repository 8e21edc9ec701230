//! Directions that closed a while ago and hold nothing: remembered so that what is sent again is not taken for something new.
//!
//! Most directions that are known at a time are such, and nothing comes of them any more. So they are kept apart, small, and
//! forgotten together: in two tables, of which the older is emptied at once. One by one each would have to come from memory
//! first, for nothing else.

use hashbrown::HashTable;

use super::Flow;
use super::half::Closed;

/// Directions that closed.
#[derive(Debug)]
pub(super) struct ClosedDirections {
    /// Nanoseconds after which they are forgotten.
    linger: u64,
    /// Those that came since `since`, by the hash of their flows.
    younger: HashTable<Row>,
    /// Those that came before, in the time of one linger or more.
    older: HashTable<Row>,
    since: u64,
}

#[derive(Debug)]
struct Row {
    hash: u64,
    flow: Flow,
    closed: Closed,
}

impl ClosedDirections {
    pub(super) fn new(linger: u64) -> Self {
        Self { linger, younger: HashTable::new(), older: HashTable::new(), since: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }

    /// Adds one that is not there.
    pub(super) fn insert(&mut self, hash: u64, flow: Flow, closed: Closed) {
        self.younger.insert_unique(hash, Row { hash, flow, closed }, |row| row.hash);
    }

    /// Takes out the one of a flow with this hash, unless its time is over.
    pub(super) fn take(&mut self, hash: u64, flow: &Flow, now: u64) -> Option<Closed> {
        let Self { younger, older, linger, .. } = self;
        let known = [younger, older].into_iter().find_map(|table| table.find_entry(hash, |row| row.flow == *flow).ok())?;
        let (Row { closed, .. }, _) = known.remove();
        (now - closed.used <= *linger).then_some(closed)
    }

    /// Forgets some whose time is over, if it is time to.
    #[inline]
    pub(super) fn forget_old(&mut self, now: u64) {
        if now - self.since > self.linger {
            self.since = now;
            self.forget_older();
        }
    }

    /// Forgets the older half of them, or, where there is none, makes it so that the next call does.
    pub(super) fn forget_older(&mut self) {
        self.older.clear();
        std::mem::swap(&mut self.younger, &mut self.older);
    }
}
