//! The lists that threads share: each built once, by the thread that first wants it, and few kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Settings;
use crate::day::Day;
use crate::dga::{Catalog, FamilyId};
use crate::export::Events;
use crate::watchlist::{Hasher, List, Lists, Watchlist};

/// Octets of lists kept for later. A capture that jumps between days finds the last month of Conficker C here; one
/// in order of time needs four lists of a family.
const KEPT: usize = 48 << 20;

/// Built lists.
pub(super) struct Shelf<'a> {
    catalog: &'a Catalog,
    hasher: Hasher,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    places: BTreeMap<(FamilyId, Day), Place>,
    /// Counts uses, to tell which place was used longest ago.
    uses: u64,
    size: usize,
}

#[derive(Default)]
struct Place {
    list: Arc<OnceLock<Arc<List>>>,
    last_use: u64,
    /// Octets of the list, known once it is built.
    size: usize,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, hasher: Hasher::default(), state: Mutex::default() }
    }

    /// A watchlist that takes its lists from here.
    pub(super) fn watchlist<'s>(&'s self, settings: &'s Settings) -> Watchlist<'s> {
        let Settings { skew, patterns, search_list, .. } = settings;
        Watchlist::new(self.catalog, self, self.hasher.clone(), *skew, patterns, search_list)
    }

    /// What tells of events, if anything does, with names from here.
    pub(super) fn events(&self, settings: &Settings) -> Option<Events<'_>> {
        settings.events.as_ref().map(|log| Events::new(self.catalog, self, Arc::clone(log)))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing is left half done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists for Shelf<'_> {
    fn get(&self, family: FamilyId, edition: Day) -> Arc<List> {
        let key = (family, edition);
        let cell = {
            let state = &mut *self.state();
            state.uses += 1;
            let place = state.places.entry(key).or_default();
            place.last_use = state.uses;
            Arc::clone(&place.list)
        };
        // Built outside the lock: other lists can be built and taken meanwhile.
        let list = Arc::clone(cell.get_or_init(|| Arc::new(List::build(self.catalog.family(family), edition, &self.hasher))));
        self.state().make_room(key, list.size());
        list
    }
}

impl State {
    /// Notes the size of a list and lets go of those used longest ago while they take too much.
    fn make_room(&mut self, key: (FamilyId, Day), size: usize) {
        if let Some(place) = self.places.get_mut(&key).filter(|place| place.size == 0) {
            place.size = size;
            self.size += size;
        }
        while self.size > KEPT {
            let others = self.places.iter().filter(|(other, place)| **other != key && place.size > 0);
            let Some((&oldest, _)) = others.min_by_key(|(_, place)| place.last_use) else { return };
            self.size -= self.places.remove(&oldest).map_or(0, |place| place.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_kept_and_all_are_right() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-c").unwrap();
        let shelf = Shelf::new(&catalog);
        for day in (14_000..14_060).chain([14_000, 14_059]) {
            let list = shelf.get(0, Day::EPOCH.plus(day));
            let mut first = None;
            catalog.family(0).names(Day::EPOCH.plus(day), &mut |name| {
                first.get_or_insert_with(|| name.to_string());
            });
            assert_eq!(Some(list.name(0).to_string()), first);
        }
        let state = shelf.state();
        assert!(
            state.size <= KEPT && (20..60).contains(&state.places.len()),
            "{} octets, {} lists",
            state.size,
            state.places.len()
        );
        assert_eq!(state.size, state.places.values().map(|place| place.size).sum::<usize>());
    }
}
