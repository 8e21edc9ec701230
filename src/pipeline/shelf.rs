//! The lists that threads share: each built once, by the thread that first wants it, and few kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Settings;
use crate::day::Day;
use crate::dga::{Catalog, FamilyId};
use crate::export::Events;
use crate::watchlist::{Hasher, Image, List, Lists, Watchlist};

/// Octets of lists kept for later. A capture that jumps between days finds the last month of Conficker C here; one
/// in order of time needs four lists of a family.
const KEPT: usize = 48 << 20;

/// Built lists.
pub(super) struct Shelf {
    catalog: Catalog,
    hasher: Hasher,
    /// Lists that need no building.
    compiled: Option<Arc<Image>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Lists built or mapped, and the time that took.
    builds: u64,
    building: Duration,
    places: BTreeMap<(FamilyId, Day), Place>,
    /// Lists to keep whatever they take.
    reserved: BTreeSet<(FamilyId, Day)>,
    /// Counts uses, to tell which place was used longest ago.
    uses: u64,
    size: usize,
}

#[derive(Default)]
struct Place {
    list: Arc<OnceLock<Arc<List>>>,
    /// Whether somebody builds it, or did.
    begun: bool,
    last_use: u64,
    /// Octets of the list, known once it is built.
    size: usize,
}

impl Shelf {
    /// Lists that are built are hashed as those that are compiled, so that each name is hashed once.
    pub(super) fn new(catalog: &Catalog, compiled: Option<&Arc<Image>>) -> Self {
        let hasher = compiled.map_or_else(Hasher::default, |image| image.hasher());
        Self { catalog: catalog.clone(), hasher, compiled: compiled.cloned(), state: Mutex::default() }
    }

    /// A watchlist that takes its lists from here.
    pub(super) fn watchlist<'s, T: Copy>(&'s self, settings: &'s Settings) -> Watchlist<'s, T> {
        let Settings { skew, patterns, search_list, .. } = settings;
        Watchlist::new(&self.catalog, self, self.hasher.clone(), *skew, patterns, search_list)
    }

    /// Keeps these lists from now on, built or not, and others as far as there is room.
    #[cfg(feature = "live")]
    pub(super) fn reserve(&self, lists: BTreeSet<(FamilyId, Day)>) {
        self.state().reserved = lists;
    }

    /// The reserved lists that are built, by family, then by list day: how many names each holds and how many octets it takes.
    #[cfg(feature = "live")]
    pub(super) fn built(&self) -> Vec<(FamilyId, Day, usize, usize)> {
        let state = &*self.state();
        let lists = state.reserved.iter().filter_map(|key| {
            let list = state.places.get(key)?.list.get()?;
            Some((key.0, key.1, list.names().count(), list.size()))
        });
        lists.collect()
    }

    /// Lists that are here, by family and edition.
    pub(super) fn lists(&self) -> BTreeMap<(FamilyId, Day), Arc<List>> {
        let state = &*self.state();
        state.places.iter().filter_map(|(key, place)| Some((*key, Arc::clone(place.list.get()?)))).collect()
    }

    /// The families that it has lists of.
    pub(super) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What tells of events, if anything does, with names from here.
    pub(super) fn events(&self, settings: &Settings) -> Option<Events<'_>> {
        let log = settings.events.as_ref()?;
        Some(Events::new(&self.catalog, self, settings.networks.as_ref(), Arc::clone(log)))
    }

    /// How many lists were built or mapped, and how long that took in all.
    #[cfg(feature = "live")]
    pub(super) fn builds(&self) -> (u64, Duration) {
        let state = self.state();
        (state.builds, state.building)
    }

    fn note_builds(&self, count: usize, begun: Instant) {
        let state = &mut *self.state();
        (state.builds, state.building) = (state.builds + count as u64, state.building + begun.elapsed());
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing is left half done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists for Shelf {
    fn get(&self, family: FamilyId, edition: Day) -> Arc<List> {
        let key = (family, edition);
        let cell = {
            let state = &mut *self.state();
            state.uses += 1;
            let place = state.places.entry(key).or_default();
            (place.begun, place.last_use) = (true, state.uses);
            Arc::clone(&place.list)
        };
        // Built outside the lock: other lists can be built and taken meanwhile.
        let list = Arc::clone(cell.get_or_init(|| {
            let family = self.catalog.family(family);
            let begun = Instant::now();
            let compiled = self.compiled.as_ref().and_then(|image| image.list(family.id(), edition));
            let list = compiled.unwrap_or_else(|| List::build(family, edition, &self.hasher));
            self.note_builds(1, begun);
            Arc::new(list)
        }));
        let freed = self.state().make_room(key, list.size());
        // Large ones take a while to free: not under the lock.
        drop(freed);
        list
    }

    fn begin(&self, family: FamilyId, editions: &[Day]) {
        // What is mapped needs no building, and large lists are built by several threads.
        if self.compiled.is_some() || !List::are_made_together(self.catalog.family(family), editions) {
            for edition in editions {
                if !self.state().places.get(&(family, *edition)).is_some_and(|place| place.begun) {
                    self.get(family, *edition);
                }
            }
            return;
        }
        let claimed: Vec<(Day, Arc<OnceLock<Arc<List>>>)> = {
            let state = &mut *self.state();
            let claim = |edition: &Day| {
                let place = state.places.entry((family, *edition)).or_default();
                (!std::mem::replace(&mut place.begun, true)).then(|| (*edition, Arc::clone(&place.list)))
            };
            editions.iter().filter_map(claim).collect()
        };
        let Some(((_, cell), others)) = claimed.split_first() else { return };
        // Whoever wants the first meanwhile waits, and finds the others there.
        cell.get_or_init(|| {
            let begun = Instant::now();
            let days: Vec<Day> = claimed.iter().map(|(edition, _)| *edition).collect();
            let built = List::build_all(self.catalog.family(family), &days, &self.hasher);
            self.note_builds(built.len(), begun);
            let mut built = built.into_iter().map(Arc::new);
            let list = built.next().expect("a list is built for each day");
            // One that somebody built all the same stays.
            others.iter().zip(built).for_each(|((_, cell), list)| drop(cell.set(list)));
            list
        });
        claimed.iter().for_each(|(edition, _)| drop(self.get(family, *edition)));
    }
}

impl Place {
    fn is_in_use(&self) -> bool {
        self.list.get().is_some_and(|list| Arc::strong_count(list) > 1)
    }
}

impl State {
    /// Notes the size of a list and lets go of those used longest ago while they take too much. One that somebody looks
    /// into stays: to let go of it would free nothing, and who wants it next would build it again.
    fn make_room(&mut self, key: (FamilyId, Day), size: usize) -> Vec<Place> {
        if let Some(place) = self.places.get_mut(&key).filter(|place| place.size == 0) {
            place.size = size;
            self.size += size;
        }
        let mut freed = vec![];
        while self.size > KEPT {
            let others = self.places.iter().filter(|(other, place)| {
                **other != key && place.size > 0 && !self.reserved.contains(*other) && !place.is_in_use()
            });
            let Some((&oldest, _)) = others.min_by_key(|(_, place)| place.last_use) else { break };
            let place = self.places.remove(&oldest);
            self.size -= place.as_ref().map_or(0, |place| place.size);
            freed.extend(place);
        }
        freed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_kept_and_all_are_right() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-c").unwrap();
        let shelf = Shelf::new(&catalog, None);
        for day in (14_000..14_060).chain([14_000, 14_059]) {
            let list = shelf.get(0, Day::EPOCH.plus(day));
            let mut first = None;
            catalog.family(0).names(Day::EPOCH.plus(day), &mut |name| {
                first.get_or_insert_with(|| name.to_string());
            });
            assert_eq!(Some(list.names().name(0).to_string()), first);
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

    #[test]
    fn what_is_in_use_is_not_built_again() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-c").unwrap();
        let shelf = Shelf::new(&catalog, None);
        let days: Vec<Day> = (14_000..14_060).map(|day| Day::EPOCH.plus(day)).collect();
        let held: Vec<_> = days.iter().map(|day| shelf.get(0, *day)).collect();
        let state = |shelf: &Shelf| {
            let state = shelf.state();
            (state.builds, state.size > KEPT)
        };
        assert_eq!(state(&shelf), (60, true));
        days.iter().for_each(|day| drop(shelf.get(0, *day)));
        assert_eq!(state(&shelf), (60, true));
        drop(held);
        shelf.get(0, Day::EPOCH);
        assert_eq!(state(&shelf), (61, false));
    }
}
