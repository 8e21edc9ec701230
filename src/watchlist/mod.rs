//! Whether a name is one that a family generates for the packet's day or a day beside it.
//!
//! Three questions, each cheaper than the next, so that most names are done after the first:
//! 1. [`shape`]: could any family generate such a name on any day?
//! 2. Which list days are open for the packet's time? Usually those of the packet before.
//! 3. [`List`]: does the list of that family and day hold the name? Exact: the name itself is compared.
//!
//! Lists are built when the first name of a family's shape asks for them, by whoever runs the threads ([`Lists`]).

mod collision;
mod list;
mod shape;

use std::collections::BTreeSet;
use std::sync::Arc;

/// What lists are hashed with: keyed by a random seed of each.
pub use hashbrown::DefaultHashBuilder as Hasher;

pub use self::collision::{Collision, known_collision};
pub use self::list::List;

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

/// Families that could generate a name.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Candidates(u64);

impl Candidates {
    /// Whether there are none.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Matches names against the lists of the open days. Each thread has its own.
pub struct Watchlist<'a> {
    catalog: &'a Catalog,
    lists: &'a dyn Lists,
    hasher: Hasher,
    gate: Gate,
    /// List days before and after the packet's own that are open.
    skew: i32,
    /// The day of the last packet.
    today: Day,
    /// The open lists of each family, those used so far.
    open: Vec<Vec<Open>>,
    /// Days met.
    days: BTreeSet<Day>,
}

struct Open {
    list_day: Day,
    list: Option<Arc<List>>,
}

impl<'a> Watchlist<'a> {
    /// Opens the lists of `skew` days around each packet's own. `hasher` must be the one that `lists` builds with.
    pub fn new(catalog: &'a Catalog, lists: &'a dyn Lists, hasher: Hasher, skew: u16) -> Self {
        Self {
            catalog,
            lists,
            hasher,
            gate: Gate::new(catalog),
            skew: skew.into(),
            today: Day::EPOCH.plus(-1),
            open: vec![],
            days: BTreeSet::new(),
        }
    }

    /// Tells which families could generate `name` for a packet of `time`; nearly always none.
    #[inline(always)]
    pub fn candidates(&mut self, time: Timestamp, name: RawName<'_>) -> Candidates {
        let day = time.day();
        if day != self.today {
            self.enter(day);
        }
        Candidates(self.gate.families(name))
    }

    /// Days of the packets looked at.
    pub const fn days(&self) -> &BTreeSet<Day> {
        &self.days
    }

    /// Reports every list of the candidates that holds `name` and is open for the packet they were told for, the last.
    ///
    /// Apart from [`Self::candidates`], so that a packet that ends there needs nothing of what this does.
    #[inline(never)]
    pub fn find(&mut self, candidates: Candidates, name: RawName<'_>, mut matched: impl FnMut(Match)) {
        let name = Name::from(name);
        let hash = List::hash(&self.hasher, &name);
        let mut left = candidates.0;
        while left > 0 {
            let family = left.trailing_zeros() as FamilyId;
            left &= left - 1;
            for open in &mut self.open[usize::from(family)] {
                let list = open.list.get_or_insert_with(|| {
                    let edition = self.catalog.family(family).edition(open.list_day);
                    self.lists.get(family, edition)
                });
                if let Some(index) = list.find(hash, &name) {
                    matched(Match { family, list_day: open.list_day, index, collision: list.is_collision(index) });
                }
            }
        }
    }

    /// Opens the list days around `today`, keeping those that were open already.
    #[cold]
    fn enter(&mut self, today: Day) {
        self.today = today;
        self.days.insert(today);
        let mut before = std::mem::take(&mut self.open);
        before.resize_with(self.catalog.iter().len(), Vec::new);
        for ((_, family), mut before) in self.catalog.iter().zip(before) {
            let skew = if family.follows_host_clock() { self.skew } else { 0 };
            let open = today.plus(-skew).through(today.plus(skew)).filter(|day| *day >= Day::EPOCH).map(|list_day| {
                let kept = before.iter_mut().find(|open| open.list_day == list_day);
                Open { list_day, list: kept.and_then(|open| open.list.take()) }
            });
            self.open.push(open.collect());
        }
    }
}
