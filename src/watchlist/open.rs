//! The lists of the open days, opened when a name asks for them, and looked into for one name or for some together.

use std::sync::Arc;

use super::fetch::touch;
use super::front::Front;
use super::{Hasher, List, Lists, Match, TOGETHER, Waiting};
use crate::day::Day;
use crate::dga::{Catalog, FamilyId};
use crate::name::Name;

/// The lists of the open days.
pub(super) struct OpenLists<'a> {
    catalog: &'a Catalog,
    source: &'a dyn Lists,
    pub(super) hasher: Hasher,
    /// Those of each family.
    open: Vec<OpenFamily>,
    /// Families of which a list was large enough that it must come from memory.
    pub(super) large: u64,
    /// Families with a front.
    fronted: u64,
}

/// A list that may hold one of some names.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    /// Which of the names.
    name: u8,
    family: u8,
    /// The list's place among the open ones of its family.
    list: u32,
    /// The only place where it may hold the name, unless that is held elsewhere by chance of the hash.
    place: u32,
}

/// Lists that may hold one of some names, by the name: one for each, as a rule.
pub(super) struct Looks {
    looks: [Look; MOST_LOOKS],
    /// Those of later names begin here.
    next: usize,
    count: usize,
    /// Names that were looked at.
    names: usize,
    /// Families of which lists were looked for.
    families: u64,
}

const MOST_LOOKS: usize = 2 * TOGETHER;

/// The lists of one family.
#[derive(Default)]
struct OpenFamily {
    lists: Vec<Open>,
    /// Names that were looked for in them. From the first on they are all there.
    used: usize,
    /// How many will have been when there is something to make: lists at first, then a front where it pays, as days may
    /// change with every packet.
    makes_at: usize,
    /// What is looked into before them.
    front: Option<Front>,
}

struct Open {
    list_day: Day,
    /// Kept from the days before, where it was used.
    list: Option<Arc<List>>,
}

impl<'a> OpenLists<'a> {
    pub(super) fn new(catalog: &'a Catalog, source: &'a dyn Lists, hasher: Hasher) -> Self {
        Self { catalog, source, hasher, open: vec![], large: 0, fronted: 0 }
    }

    /// Opens the lists that are asked for on `today` by hosts whose clocks are up to `skew` days wrong, keeping those that were
    /// open already.
    pub(super) fn enter(&mut self, today: Day, skew: u16) {
        self.fronted = 0;
        let mut before = std::mem::take(&mut self.open);
        before.resize_with(self.catalog.iter().len(), OpenFamily::default);
        for ((_, family), mut before) in self.catalog.iter().zip(before) {
            let open = family.calendar().open(today, today, skew).map(|list_day| {
                let kept = before.lists.iter_mut().find(|open| open.list_day == list_day);
                Open { list_day, list: kept.and_then(|open| open.list.take()) }
            });
            self.open.push(OpenFamily { lists: open.collect(), ..OpenFamily::default() });
        }
    }

    /// Begins to fetch what large lists need for a name of this hash that is soon looked up.
    #[inline]
    pub(super) fn fetch(&self, families: u64, hash: u64) {
        for family in ones(families & self.large) {
            self.open[family].lists.iter().filter_map(|open| open.list.as_ref()).for_each(|list| list.fetch(hash));
        }
    }

    /// Whether large lists of these families may hold a name of this hash; wrong in this direction only.
    #[inline]
    pub(super) fn large_may_hold(&self, families: u64, hash: u64) -> bool {
        let lists = ones(families).flat_map(|family| &self.open[family].lists);
        // Not decided one by one, which could not be guessed. What is not open yet may hold anything.
        lists.fold(false, |any, open| any | open.list.as_ref().is_none_or(|list| list.may_hold(hash)))
    }

    /// Looks where lists behind a front may hold names, [`TOGETHER`] at most. Each step is done for all of them before the next
    /// one, which needs what it reads: so memory is waited for once a step, and not once a name.
    pub(super) fn look<T>(&self, names: &[Waiting<T>]) -> Looks {
        let families = self.fronted;
        let mut looks = Looks { looks: [Look::default(); MOST_LOOKS], next: 0, count: 0, names: names.len(), families };
        let fronts = |name: &Waiting<T>| {
            let wanted = if name.families & !families == 0 { name.families } else { 0 };
            ones(wanted).filter_map(|family| Some((family, &self.open[family].lists, self.open[family].front.as_ref()?)))
        };
        touch(names.iter().flat_map(|name| fronts(name).map(|(.., front)| front.peek(name.gist))));
        let mut lists: [Option<(&List, u64)>; MOST_LOOKS] = [None; MOST_LOOKS];
        'names: for (number, name) in names.iter().enumerate() {
            for (family, open, front) in fronts(name).filter(|(.., front)| front.may_hold(name.gist)) {
                for (place, open) in open.iter().enumerate().filter(|(place, _)| front.may_be_on(*place, name.gist)) {
                    if looks.count == MOST_LOOKS {
                        looks.names = number;
                        break 'names;
                    }
                    lists[looks.count] = open.list.as_deref().map(|list| (list, name.hash));
                    looks.looks[looks.count] = Look { name: number as u8, family: family as u8, list: place as u32, place: 0 };
                    looks.count += 1;
                }
            }
        }
        let mut places = [None; MOST_LOOKS];
        for (place, list) in places.iter_mut().zip(&lists[..looks.count]) {
            *place = list.and_then(|(list, hash)| list.held(hash));
        }
        let places = &places[..looks.count];
        for (look, place) in looks.looks.iter_mut().zip(places) {
            look.place = place.map_or(u32::MAX, |(_, place)| *place);
        }
        touch(places.iter().flatten().map(|(names, place)| names.peek_start(**place)));
        touch(places.iter().flatten().map(|(names, place)| names.peek(**place)));
        looks
    }

    /// Looks into the lists that may hold `name`; tells whether one does.
    pub(super) fn confirm(&self, looks: &[Look], hash: u64, name: &Name, matched: &mut dyn FnMut(Match)) -> bool {
        let mut found = false;
        for look in looks {
            let family = FamilyId::from(look.family);
            let Open { list_day, list } = &self.open[usize::from(family)].lists[look.list as usize];
            let list = list.as_ref().expect("only lists that are there were looked at");
            let is_there = list.is_at(look.place, name);
            if let Some(index) = if is_there { Some(look.place) } else { list.find(hash, name) } {
                found = true;
                matched(Match { family, list_day: *list_day, index, collision: list.is_collision(index) });
            }
        }
        found
    }

    /// Takes all lists of a family; when they were used so much that it pays, makes what is looked into before them.
    #[cold]
    fn open_all(&mut self, family: FamilyId) {
        let Self { catalog, source, open, large, fronted, .. } = self;
        let OpenFamily { lists, used, makes_at, front } = &mut open[usize::from(family)];
        let edition = |list_day| catalog.family(family).edition(list_day);
        let missing: Vec<Day> = lists.iter().filter(|open| open.list.is_none()).map(|open| edition(open.list_day)).collect();
        source.begin(family, &missing);
        for open in lists.iter_mut() {
            let edition = edition(open.list_day);
            let list = open.list.get_or_insert_with(|| source.get(family, edition));
            *large |= u64::from(list.is_large()) << family;
        }
        let lists: Vec<&List> = lists.iter().filter_map(|open| open.list.as_deref()).collect();
        // To put in sixteen names takes as long as to look one up in three lists that lie in no cache.
        let pays_at = 1 + lists.iter().map(|list| list.names().count()).sum::<usize>() / 16;
        *makes_at = pays_at;
        if *used >= pays_at {
            *makes_at = usize::MAX;
            *front = Front::of(&lists);
            *fronted |= u64::from(front.is_some()) << family;
        }
    }

    /// The families of these whose lists may hold a name of this gist; wrong in this direction only.
    #[inline]
    pub(super) fn may_hold(&self, families: u64, gist: u64) -> u64 {
        let fronts = ones(families & self.fronted).filter_map(|family| Some((family, self.open[family].front.as_ref()?)));
        fronts.fold(families, |families, (family, front)| families & !(u64::from(!front.may_hold(gist)) << family))
    }

    /// Looks into the lists of the families marked in `families`; tells whether one holds `name`.
    pub(super) fn find(&mut self, families: u64, gist: u64, hash: u64, name: &Name, matched: &mut dyn FnMut(Match)) -> bool {
        let mut found = false;
        for family in ones(families) {
            let family = family as FamilyId;
            let OpenFamily { used, makes_at, .. } = &mut self.open[usize::from(family)];
            if *used == *makes_at {
                self.open_all(family);
            }
            let OpenFamily { lists, used, front, .. } = &mut self.open[usize::from(family)];
            *used += 1;
            let may_be_on = |place| front.as_ref().is_none_or(|front| front.may_be_on(place, gist));
            for (_, open) in lists.iter().enumerate().filter(|(place, _)| may_be_on(*place)) {
                let list = open.list.as_ref().expect("all lists of a family are opened at once");
                if let Some(index) = list.find(hash, name) {
                    found = true;
                    matched(Match { family, list_day: open.list_day, index, collision: list.is_collision(index) });
                }
            }
        }
        found
    }
}

impl Looks {
    /// Those of a name by its number, to be asked for in the order of names; nothing where not all lists of its families were
    /// looked at.
    #[inline]
    pub(super) fn of(&mut self, name: usize, families: u64) -> Option<&[Look]> {
        let begin = self.next;
        let looks = &self.looks[begin..self.count];
        let count = looks.iter().take_while(|look| usize::from(look.name) == name).count();
        self.next += count;
        (name < self.names && families & !self.families == 0).then(|| &self.looks[begin..begin + count])
    }
}

/// The places of bits that are set.
#[inline(always)]
pub(crate) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        (bits > 0).then(|| {
            bits &= bits - 1;
            place
        })
    })
}
