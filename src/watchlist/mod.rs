//! Whether a name is one that a family generates for the packet's day or a day beside it.
//!
//! Three questions, each cheaper than the next, so that most names are done after the first:
//! 1. [`shape`]: could any family generate such a name on any day?
//! 2. Which list days are open for the packet's time? Usually those of the packet before.
//! 3. [`List`]: does the list of that family and day hold the name? Exact: the name itself is compared.
//!
//! Lists are built when the first name of a family's shape asks for them, by whoever runs the threads ([`Lists`]).
//!
//! Beside the generated names there are [`Patterns`] to watch, of which most names are told apart as early. Either is
//! looked for in the name as it was asked and, where nothing is found, in what is left of it without a suffix of the
//! client's [`SearchList`].

mod collision;
mod filter;
mod glance;
mod indicators;
mod list;
mod names;
mod outline;
mod pages;
mod pattern;
mod search_list;
mod shape;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

/// What lists are hashed with: keyed by a random seed of each.
pub use hashbrown::DefaultHashBuilder as Hasher;

pub use self::collision::{Collision, known_collision};
pub use self::list::{Form, List};
pub use self::names::Names;
pub use self::pattern::{Pattern, PatternId, PatternSet, Patterns};
pub use self::search_list::SearchList;

use self::glance::Glance;
use self::pattern::Scratch;
use self::shape::Gate;
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId};
use crate::name::{Name, RawName};

/// Where built lists come from.
pub trait Lists: Sync {
    /// The list of a family for a list day, built if nobody did so yet.
    fn get(&self, family: FamilyId, edition: Day) -> Arc<List>;
}

/// A listed name that was asked for or answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Whose name it is.
    pub family: FamilyId,
    /// The day whose list holds it.
    pub list_day: Day,
    /// Its first place in that list.
    pub index: u32,
    /// Whether honest people own the name too.
    pub collision: bool,
}

/// Matches names against the lists of the open days. Each thread has its own.
pub struct Watchlist<'a> {
    lists: OpenLists<'a>,
    /// The name that is looked for: kept, because clearing one costs as much as a lookup.
    name: Name,
    gate: Gate,
    glance: Box<Glance>,
    patterns: &'a Patterns,
    search_list: &'a SearchList,
    scratch: Scratch,
    /// List days before and after the packet's own that are open.
    skew: i32,
    /// The day of the last packet.
    today: Day,
    /// Days met.
    days: BTreeSet<Day>,
}

/// The lists of the open days.
struct OpenLists<'a> {
    catalog: &'a Catalog,
    source: &'a dyn Lists,
    hasher: Hasher,
    /// Those of each family, as far as they were used.
    open: Vec<Vec<Open>>,
}

struct Open {
    list_day: Day,
    list: Option<Arc<List>>,
}

impl<'a> Watchlist<'a> {
    /// Opens the lists of `skew` days around each packet's own. `hasher` must be the one that `lists` builds with.
    pub fn new(
        catalog: &'a Catalog,
        lists: &'a dyn Lists,
        hasher: Hasher,
        skew: u16,
        patterns: &'a Patterns,
        search_list: &'a SearchList,
    ) -> Self {
        let gate = Gate::new(catalog);
        Self {
            lists: OpenLists { catalog, source: lists, hasher, open: vec![] },
            name: Name::root(),
            glance: Box::new(Glance::new(&gate, patterns, search_list)),
            gate,
            patterns,
            search_list,
            scratch: Scratch::default(),
            skew: skew.into(),
            today: Day::EPOCH.plus(-1),
            days: BTreeSet::new(),
        }
    }

    /// Whether a name that a packet of `time` holds is worth [`Self::find`]: few are. Opens the lists of that time.
    #[inline(always)]
    pub fn opens(&mut self, time: Timestamp, name: RawName<'_>) -> bool {
        let day = time.day();
        if day != self.today {
            self.enter(day);
        }
        self.glance.opens(name)
    }

    /// Reports every open list that holds `name`, every pattern that matches it, and both for what is in front of a suffix
    /// that the client may have appended.
    ///
    /// Suffixes are tried from the longest on. The first after which something is found counts, and a name that is listed
    /// itself counts as that, so that no message counts twice. To be called after [`Self::opens`]; apart from it and never
    /// in its place, so that what few names need leaves no trace in the loop that all of them go through.
    #[inline(never)]
    pub fn find(&mut self, name: RawName<'_>, matched: &mut dyn FnMut(Match), sighted: &mut dyn FnMut(PatternId)) {
        let families = self.gate.families(name);
        let mut listed = false;
        if families > 0 {
            self.name.set(name);
            listed = self.lists.find(families, &self.name, matched);
        }
        if !self.glance.opens_for_others(name) {
            return;
        }
        let appended = self.search_list.may_end(name.as_wire());
        if !appended && !self.patterns.may_match(name.as_wire()) {
            return;
        }
        self.name.set(name);
        let name = &self.name;
        let mut watched = self.patterns.find(name, &mut self.scratch, sighted);
        if !appended {
            return;
        }
        for place in 0..self.search_list.len() {
            let Some(bare) = self.search_list.strip(place, name) else { continue };
            listed = listed || self.lists.find(self.gate.families(bare.as_raw()), &bare, matched);
            watched = watched || self.patterns.find(&bare, &mut self.scratch, sighted);
        }
    }

    /// Days of the packets looked at.
    pub const fn days(&self) -> &BTreeSet<Day> {
        &self.days
    }

    /// Opens the list days around `today`, keeping those that were open already.
    #[cold]
    fn enter(&mut self, today: Day) {
        self.today = today;
        self.days.insert(today);
        let OpenLists { catalog, open: lists, .. } = &mut self.lists;
        let mut before = std::mem::take(lists);
        before.resize_with(catalog.iter().len(), Vec::new);
        for ((_, family), mut before) in catalog.iter().zip(before) {
            let skew = if family.follows_host_clock() { self.skew } else { 0 };
            let open = today.plus(-skew).through(today.plus(skew)).filter(|day| *day >= Day::EPOCH).map(|list_day| {
                let kept = before.iter_mut().find(|open| open.list_day == list_day);
                Open { list_day, list: kept.and_then(|open| open.list.take()) }
            });
            lists.push(open.collect());
        }
    }
}

impl OpenLists<'_> {
    /// Looks into the lists of the families marked in `families`; tells whether one holds `name`.
    fn find(&mut self, families: u64, name: &Name, matched: &mut dyn FnMut(Match)) -> bool {
        let hash = List::hash(&self.hasher, name);
        let mut found = false;
        let mut left = families;
        while left > 0 {
            let family = left.trailing_zeros() as FamilyId;
            left &= left - 1;
            for open in &mut self.open[usize::from(family)] {
                let list = open.list.get_or_insert_with(|| {
                    let edition = self.catalog.family(family).edition(open.list_day);
                    self.source.get(family, edition)
                });
                if let Some(index) = list.find(hash, name) {
                    found = true;
                    matched(Match { family, list_day: open.list_day, index, collision: list.is_collision(index) });
                }
            }
        }
        found
    }
}
