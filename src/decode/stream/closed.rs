//! Directions that closed a while ago and hold nothing: remembered so that what is sent again is not taken for something new.
//!
//! Most directions that are known at a time are such, and nothing comes of them any more. So they are kept apart, small, and
//! forgotten together: in two tables, of which the older is emptied at once. One by one each would have to come from memory
//! first, for nothing else.

use hashbrown::{DefaultHashBuilder, HashMap};

use super::Flow;
use super::half::Closed;

/// Directions that closed.
#[derive(Debug)]
pub(super) struct ClosedDirections {
    /// Nanoseconds after which they are forgotten.
    linger: u64,
    /// Those that came since `since`. Strangers choose the keys: hashed with a random seed.
    younger: HashMap<Flow, Closed>,
    /// Those that came before, in the time of one linger or more.
    older: HashMap<Flow, Closed>,
    since: u64,
}

impl ClosedDirections {
    pub(super) fn new(linger: u64) -> Self {
        let hasher = DefaultHashBuilder::default();
        Self { linger, younger: HashMap::with_hasher(hasher.clone()), older: HashMap::with_hasher(hasher), since: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }

    /// Adds one.
    pub(super) fn insert(&mut self, flow: Flow, closed: Closed) {
        self.younger.insert(flow, closed);
    }

    /// Takes one out, unless its time is over.
    pub(super) fn take(&mut self, flow: &Flow, now: u64) -> Option<Closed> {
        let Self { younger, older, linger, .. } = self;
        let closed = younger.remove(flow).or_else(|| older.remove(flow))?;
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
