//! What one source did with one list.

use super::Hit;
use super::names::{Inserted, Names};
use crate::day::Timestamp;
use crate::decode::Transport;

/// The traces of one source in the names of one family and list day.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Queries for a listed name, repeated ones included.
    pub matches: u64,
    /// Responses with a listed name that were sent to the source.
    pub responses: u64,
    /// The earliest of them all.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// Indices of the names in either.
    pub(super) names: Names,
    /// How many of these are known collisions.
    pub(super) collisions: u32,
    /// The source's port in the latest: with it and the time an access provider finds the subscriber behind an address
    /// that many share.
    pub port: u16,
    /// What carried the latest.
    pub transport: Transport,
}

impl Evidence {
    /// Evidence of nothing, to which `hit` is about to be added.
    pub(super) const fn before(hit: &Hit) -> Self {
        Self {
            matches: 0,
            responses: 0,
            first_seen: hit.time,
            last_seen: hit.time,
            names: Names::NONE,
            collisions: 0,
            port: hit.port,
            transport: hit.transport,
        }
    }

    /// Adds a hit; `room` is what the names of all evidence may still take.
    #[inline]
    pub(super) fn add(&mut self, hit: &Hit, room: &mut usize) -> Inserted {
        *(if hit.response { &mut self.responses } else { &mut self.matches }) += 1;
        self.first_seen = self.first_seen.min(hit.time);
        // Of two at the same time it is the higher port, so that their order does not matter.
        let latest = |time, port, transport| (time, port, transport == Transport::Tcp);
        if latest(hit.time, hit.port, hit.transport) > latest(self.last_seen, self.port, self.transport) {
            (self.last_seen, self.port, self.transport) = (hit.time, hit.port, hit.transport);
        }
        let inserted = self.names.insert(hit.matched.index, room);
        if inserted == Inserted::New {
            self.collisions += u32::from(hit.matched.collision);
        }
        inserted
    }

    /// Names in queries and responses, each counted once.
    pub fn distinct_names(&self) -> u64 {
        self.names.len()
    }

    /// Those of them that honest people own.
    pub const fn collisions(&self) -> u32 {
        self.collisions
    }

    /// Those of them that nobody owns, and that tell.
    pub fn telling_names(&self) -> u64 {
        self.distinct_names() - u64::from(self.collisions)
    }

    /// Whether the name at a place of the list is one of them.
    pub fn holds(&self, index: u32) -> bool {
        self.names.contains(index)
    }

    /// Indices of the names, ascending.
    pub fn names(&self) -> impl Iterator<Item = u32> {
        self.names.iter()
    }
}
