//! Names that never reach a sensor above a resolver: what a zone's signed gaps (RFC 8198) deny, the resolver answers itself.
//!
//! Zones differ in how they are signed and in how many names they hold, and a worm draws from all suffixes alike. So a
//! suffix of whose names distinctly fewer are asked for than of others' has lost some on the way.

use std::collections::{HashMap, HashSet};

use crate::day::Day;
use crate::dga::Family;

/// Longer lists are not looked at: it takes all their names in memory.
const LONGEST: u32 = 1 << 20;

/// How many standard deviations a suffix lacks that has lost names: of a hundred suffixes by chance once in 3,000 lists.
const LACKING: f64 = 4.5;

/// What the normal distribution, by which that is reckoned, neglects where few names are missing.
const SMALL: f64 = 6.0;

/// The mean of the better half is so many standard deviations better than that of all.
const BETTER: f64 = 0.8;

/// Suffixes that are complete must hold one name in so many of the list.
const ENOUGH: u64 = 2;

/// The suffixes of the names of a list.
pub(super) struct Suffixes {
    /// By place on the list: which suffix, by number.
    of: Vec<u16>,
    /// How many different names each has.
    names: Vec<u64>,
}

/// Of names of suffixes that are complete: how many were seen, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Complete {
    pub(super) seen: u64,
    pub(super) names: u64,
}

impl Suffixes {
    /// Those of a family's list of a day; nothing where it is too long.
    pub(super) fn of(family: &dyn Family, list_day: Day) -> Option<Self> {
        if family.count(list_day) > LONGEST {
            return None;
        }
        let mut known: HashMap<Vec<u8>, u16> = HashMap::new();
        let mut met: HashSet<Vec<u8>> = HashSet::new();
        let mut suffixes = Self { of: vec![], names: vec![] };
        family.names(list_day, &mut |name| {
            let wire = name.as_wire();
            let suffix = wire.get(1 + usize::from(wire[0])..).unwrap_or_default();
            let next = suffixes.names.len().min(usize::from(u16::MAX)) as u16;
            let number = *known.entry(suffix.to_vec()).or_insert(next);
            if usize::from(number) == suffixes.names.len() {
                suffixes.names.push(0);
            }
            suffixes.names[usize::from(number)] += u64::from(met.insert(wire.to_vec()));
            suffixes.of.push(number);
        });
        Some(suffixes)
    }

    /// Different names of the list.
    pub(super) fn distinct(&self) -> u64 {
        self.names.iter().sum()
    }

    /// What was seen of complete suffixes, names being given by their places; nothing where too few are.
    pub(super) fn complete(&self, seen: impl Iterator<Item = u32>) -> Option<Complete> {
        let mut counts = vec![0_u64; self.names.len()];
        for place in seen {
            if let Some(count) = self.of.get(place as usize).and_then(|suffix| counts.get_mut(usize::from(*suffix))) {
                *count += 1;
            }
        }
        let unseen = |place: usize| self.names[place] - counts[place].min(self.names[place]);
        let share = |place: usize| unseen(place) as f64 / self.names[place] as f64;
        let mut places: Vec<usize> = (0..counts.len()).collect();
        places.sort_unstable_by(|a, b| share(*a).total_cmp(&share(*b)));
        // What is usual is told by the better half, which chance has made look better than it is.
        let half = &places[..places.len().div_ceil(2)];
        let names = half.iter().map(|place| self.names[*place]).sum::<u64>().max(1) as f64;
        let usual = half.iter().map(|place| unseen(*place)).sum::<u64>() as f64 / names;
        let each = names / half.len() as f64;
        let usual = (usual + BETTER * ((usual * (1.0 - usual)).max(1.0 / each) / each).sqrt()).min(1.0);
        let lacks = |place: usize| {
            let expected = usual * self.names[place] as f64;
            unseen(place) as f64 > expected + LACKING * (expected * (1.0 - usual)).sqrt() + SMALL
        };
        let kept = places.into_iter().filter(|place| !lacks(*place));
        let all = Complete { seen: 0, names: 0 };
        let complete =
            kept.fold(all, |sum, place| Complete { seen: sum.seen + counts[place], names: sum.names + self.names[place] });
        (complete.names * ENOUGH >= self.distinct()).then_some(complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dga::Catalog;

    #[test]
    fn suffixes_that_lack_names_are_told() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-c").unwrap();
        let suffixes = Suffixes::of(catalog.family(0), Day::of(2009, 4, 1)).unwrap();
        assert_eq!((suffixes.of.len(), suffixes.names.len()), (50_000, 116));
        // Three tenths of the list; of the first suffixes every other one of these.
        for lacking in [0, 1, 40, 100] {
            let mut turn = 0_u32;
            let seen = (0..50_000_u32).filter(|place| {
                let asked = ((u64::from(*place) * 2_654_435_761) >> 7) % 1_000 < 300;
                turn += u32::from(asked);
                asked && (usize::from(suffixes.of[*place as usize]) >= lacking || turn.is_multiple_of(2))
            });
            let found = suffixes.complete(seen);
            let expected: u64 = suffixes.names[lacking..].iter().sum();
            // Where most suffixes lack names, none can be told from the others.
            let near = |found: Complete| found.names.abs_diff(expected) <= 5_000;
            assert!(lacking > 58 || found.is_some_and(near), "{lacking}: {found:?} of {expected}");
        }
        // Of a list that was nearly seen whole a few names are missing anywhere.
        let nearly = suffixes.complete((0..50_000).filter(|place| place % 5_003 != 7)).unwrap();
        assert_eq!(nearly.names, suffixes.distinct());
        assert_eq!(suffixes.complete(std::iter::empty()), Some(Complete { seen: 0, names: suffixes.distinct() }));
    }
}
