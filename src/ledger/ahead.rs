//! What hits will be added to comes from memory before they are.
//!
//! Rows lie anywhere in a large table, what hangs on them elsewhere again, and who asks for each name in a third place.
//! Fetching one takes longer than all else that is done for a hit. A processor waits for many at once, as long as it does
//! not have to guess which way to go by what it waits for: so each step is done for some hits before the next one is, and
//! decides nothing by what it reads.

use std::hint::black_box;

use super::{Hit, Key, Ledger};

/// Hits that are made ready together.
pub(super) const AHEAD: usize = 16;

impl Ledger {
    /// Has all that hits, [`AHEAD`] at most, will be added to come from memory. Where the row of each is, if there is one
    /// and until one moves.
    pub(super) fn fetch(&self, hits: &[Hit]) -> [Option<u32>; AHEAD] {
        let mut firsts = [0; AHEAD];
        for (first, hit) in firsts.iter_mut().zip(hits) {
            *first = self.rows.first(&Key::of(hit));
        }
        black_box(firsts.iter().zip(hits).fold(0, |all, (first, hit)| {
            let asked = self.popularity.knows((hit.matched.family, hit.matched.list_day, hit.matched.index));
            all ^ self.rows.peek(*first) ^ u8::from(asked)
        }));
        let mut places = [None; AHEAD];
        for (place, (first, hit)) in places.iter_mut().zip(firsts.iter().zip(hits)) {
            *place = self.rows.find_from(*first, &Key::of(hit));
        }
        black_box(places.iter().flatten().fold(false, |all, place| all ^ self.rows.row(*place).1.peek()));
        places
    }
}
