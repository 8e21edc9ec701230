//! What hits will be added to comes from memory before they are.
//!
//! Rows lie anywhere in a large table, what hangs on them elsewhere again, and who asks for each name in a third place.
//! Fetching one takes longer than all else that is done for a hit. A processor waits for many at once, as long as they are
//! not many instructions apart and it does not have to guess which way to go by what it waits for: so places are worked out
//! for some hits together, then read together, and nothing is decided by what was read before the next step.

use super::{Hit, Key, Ledger};
use crate::watchlist::touch;

/// Hits that are made ready together.
pub(super) const AHEAD: usize = 32;

impl Ledger {
    /// Has all that hits, [`AHEAD`] at most, will be added to come from memory. Where the row of each is, if there is one
    /// and until one moves.
    pub(super) fn fetch(&self, hits: &[Hit]) -> [Option<u32>; AHEAD] {
        let hits = &hits[..hits.len().min(AHEAD)];
        let mut hashes = [(0, 0); AHEAD];
        for (hashes, hit) in hashes.iter_mut().zip(hits) {
            let name = (hit.matched.family, hit.matched.list_day, hit.matched.index);
            *hashes = (self.rows.hash(&Key::of(hit)), self.popularity.hash(name));
        }
        let hashes = &hashes[..hits.len()];
        let mut firsts = [0; AHEAD];
        for (first, (row, _)) in firsts.iter_mut().zip(hashes) {
            *first = self.rows.first(*row);
        }
        let firsts = &firsts[..hits.len()];
        let mut asked = [None; AHEAD];
        for (asked, (_, name)) in asked.iter_mut().zip(hashes) {
            *asked = self.popularity.place(*name);
        }
        touch(asked.iter().flatten().map(|((family, _, index), askers)| (u32::from(*family) ^ index ^ askers.all) as u8));
        touch(firsts.iter().map(|first| self.rows.peek(*first)));
        // One of four is second in its bucket, or later.
        let mut seconds = [0; AHEAD];
        for ((second, first), hit) in seconds.iter_mut().zip(firsts).zip(hits) {
            *second = self.rows.after(*first, &Key::of(hit));
        }
        touch(seconds[..hits.len()].iter().map(|second| self.rows.peek(*second)));
        let mut places = [None; AHEAD];
        for ((place, first), hit) in places.iter_mut().zip(firsts).zip(hits) {
            *place = self.rows.find_from(*first, &Key::of(hit));
        }
        touch(places.iter().flatten().map(|place| self.rows.row(*place).1.peek().into()));
        places
    }
}
