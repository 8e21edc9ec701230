//! How many sources ask for each name, and how many of them ask for others too: names that people mean for their own sake
//! are told apart from those that only worms ask for.

use std::hash::{BuildHasher, Hasher};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::day::Day;
use crate::dga::FamilyId;

/// Names that are counted at most, over all lists; further ones are never set aside.
const BOUND: usize = 1 << 20;

/// From so many askers on a name can be told to be somebody's.
const ENOUGH: u32 = 5;

/// One name of a list: family, list day, index.
pub(super) type ListedName = (FamilyId, Day, u32);

/// Names of a list that can be set aside at most: so many, or a hundredth of the list. Few sites are in every mouth; where
/// more names look like it, sources are forged, or so little was watched that hosts have asked for few names each.
const FEW: u32 = 5;
const SHARE: u32 = 100;

#[derive(Clone, Copy, Default)]
pub(super) struct Askers {
    pub(super) all: u32,
    /// Those who asked for as many names of the list as make a verdict.
    of_many: u32,
}

impl Askers {
    /// Whether most ask for hardly anything else.
    const fn are_visitors(self) -> bool {
        self.all >= ENOUGH && 2 * self.of_many < self.all
    }
}

/// Who asks for names, by name.
#[derive(Default)]
pub(super) struct Popularity {
    names: HashTable<(ListedName, Askers)>,
    hasher: DefaultHashBuilder,
    /// How many names of a list are somebody's, by family and list day.
    impure: HashMap<(FamilyId, Day), u32>,
    /// How many names of a family are asked for.
    asked: HashMap<FamilyId, u32>,
}

impl Popularity {
    /// The hash of a name: two words at once, as of [`Key`](super::Key).
    #[inline]
    pub(super) fn hash(&self, name: ListedName) -> u64 {
        hash(&self.hasher, name)
    }

    /// Reads where a name of this hash may be counted; what is there is not read yet.
    #[inline]
    pub(super) fn place(&self, hash: u64) -> Option<&(ListedName, Askers)> {
        self.names.find(hash, |_| true)
    }

    /// One more asker of a name, who is one of many or not.
    pub(super) fn add(&mut self, name: ListedName, of_many: bool) {
        let is_full = self.names.len() >= BOUND;
        let hasher = &self.hasher;
        let askers = match self.names.entry(hash(hasher, name), |(other, _)| *other == name, |(other, _)| hash(hasher, *other)) {
            Entry::Occupied(known) => &mut known.into_mut().1,
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(place) => &mut place.insert((name, Askers::default())).into_mut().1,
        };
        let before = *askers;
        if before.all == 0 {
            *self.asked.entry(name.0).or_default() += 1;
        }
        askers.all += 1;
        askers.of_many += u32::from(of_many);
        let now = *askers;
        self.turn(name, before, now);
    }

    /// An asker of a name has become one of many.
    pub(super) fn promote(&mut self, name: ListedName) {
        let Some((_, askers)) = self.names.find_mut(hash(&self.hasher, name), |(other, _)| *other == name) else { return };
        let before = *askers;
        askers.of_many = askers.all.min(askers.of_many + 1);
        let now = *askers;
        self.turn(name, before, now);
    }

    /// One asker less.
    pub(super) fn remove(&mut self, name: ListedName, of_many: bool) {
        let Ok(mut known) = self.names.find_entry(hash(&self.hasher, name), |(other, _)| *other == name) else { return };
        let askers = &mut known.get_mut().1;
        let before = *askers;
        askers.all -= 1;
        askers.of_many = askers.all.min(askers.of_many.saturating_sub(of_many.into()));
        let now = *askers;
        if now.all == 0 {
            known.remove();
            if let Some(asked) = self.asked.get_mut(&name.0) {
                *asked -= 1;
            }
        }
        self.turn(name, before, now);
    }

    /// Whether a name of a list of so many tells nothing: most of its askers ask for hardly anything else, so that it is
    /// somebody's.
    ///
    /// Never fixed: after midnight all infected hosts have few names.
    pub(super) fn is_impure(&self, name: ListedName, list: u32) -> bool {
        let (family, list_day, _) = name;
        self.set_aside(family, list_day, list) > 0 && self.of(name).is_some_and(Askers::are_visitors)
    }

    fn of(&self, name: ListedName) -> Option<Askers> {
        self.names.find(self.hash(name), |(other, _)| *other == name).map(|(_, askers)| *askers)
    }

    /// How many names of a list of so many are set aside.
    pub(super) fn set_aside(&self, family: FamilyId, list_day: Day, list: u32) -> u32 {
        let impure = self.impure.get(&(family, list_day)).copied().unwrap_or(0);
        if impure <= (list / SHARE).max(FEW) { impure } else { 0 }
    }

    /// How many ask for a name.
    pub(super) fn askers(&self, name: ListedName) -> u32 {
        self.of(name).map_or(0, |askers| askers.all)
    }

    /// How many names of a family are asked for, as far as they are counted.
    pub(super) fn names_of(&self, family: FamilyId) -> u32 {
        self.asked.get(&family).copied().unwrap_or(0)
    }

    /// Counts a name that has become somebody's, or is not any more.
    fn turn(&mut self, (family, list_day, _): ListedName, before: Askers, now: Askers) {
        let (before, now) = (before.are_visitors(), now.are_visitors());
        if before != now {
            let impure = self.impure.entry((family, list_day)).or_default();
            *impure = if now { *impure + 1 } else { impure.saturating_sub(1) };
            if *impure == 0 {
                self.impure.remove(&(family, list_day));
            }
        }
    }
}

#[inline]
fn hash(hasher: &DefaultHashBuilder, (family, list_day, index): ListedName) -> u64 {
    let mut state = hasher.build_hasher();
    state.write_u64(u64::from(family) << 32 | u64::from(list_day.number().cast_unsigned()));
    state.write_u32(index);
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_mean_are_impure() {
        let mut popularity = Popularity::default();
        let name = |index| (0, Day::EPOCH, index);
        (0..4).for_each(|_| popularity.add(name(1), false));
        assert!(!popularity.is_impure(name(1), 250));
        popularity.add(name(1), false);
        assert_eq!((popularity.askers(name(1)), popularity.names_of(0), popularity.names_of(1)), (5, 1, 0));
        assert!(popularity.is_impure(name(1), 250) && !popularity.is_impure(name(2), 250));
        assert_eq!((popularity.set_aside(0, Day::EPOCH, 250), popularity.set_aside(1, Day::EPOCH, 250)), (1, 0));
        (0..3).for_each(|_| popularity.promote(name(1)));
        assert!(!popularity.is_impure(name(1), 250));
        popularity.remove(name(1), true);
        (0..3).for_each(|_| popularity.add(name(1), false));
        assert!(popularity.is_impure(name(1), 250));
        (0..7).for_each(|_| popularity.remove(name(1), false));
        popularity.remove(name(1), false);
        assert!(popularity.names.is_empty() && popularity.impure.is_empty() && popularity.names_of(0) == 0);
    }

    #[test]
    fn nobody_can_have_a_whole_list_set_aside() {
        let mut popularity = Popularity::default();
        for index in 0..6 {
            (0..9).for_each(|_| popularity.add((0, Day::EPOCH, index), false));
            assert_eq!(popularity.is_impure((0, Day::EPOCH, 0), 250), index < 5, "{index}");
        }
        assert!(popularity.is_impure((0, Day::EPOCH, 0), 50_000));
    }
}
