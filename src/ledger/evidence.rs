//! What one source did with one list.

use roaring::RoaringBitmap;

use super::Hit;
use crate::day::Timestamp;

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
    names: RoaringBitmap,
    /// How many of these are known collisions.
    collisions: u32,
}

impl Evidence {
    /// Evidence of nothing, to which `hit` is about to be added.
    pub(super) fn before(hit: &Hit) -> Self {
        Self { matches: 0, responses: 0, first_seen: hit.time, last_seen: hit.time, names: RoaringBitmap::new(), collisions: 0 }
    }

    pub(super) fn add(&mut self, hit: &Hit) {
        *(if hit.response { &mut self.responses } else { &mut self.matches }) += 1;
        self.first_seen = self.first_seen.min(hit.time);
        self.last_seen = self.last_seen.max(hit.time);
        if self.names.insert(hit.matched.index) {
            self.collisions += u32::from(hit.matched.collision);
        }
    }

    /// Names in queries and responses, each counted once.
    pub fn distinct_names(&self) -> u64 {
        self.names.len()
    }

    /// Those of them that honest people own.
    pub const fn collisions(&self) -> u32 {
        self.collisions
    }

    /// Indices of the names, ascending.
    pub fn names(&self) -> impl Iterator<Item = u32> {
        self.names.iter()
    }
}
