//! Whether a name is one that a family generates for the packet's day or a day beside it.
//!
//! Three questions, each cheaper than the next, so that most names are done after the first:
//! 1. [`shape`]: could any family generate such a name on any day?
//! 2. Which list days are open for the packet's time? Usually those of the packet before.
//! 3. [`List`]: does the list of that family and day hold the name? Exact: the name itself is compared.
//!
//! Lists are built when the first name of a family's shape asks for them, by whoever runs the threads ([`Lists`]).
//!
//! Names that pass the first question wait until some are together: what large lists need from memory for them then
//! comes at once, not one after the other.
//!
//! Beside the generated names there are [`Patterns`] to watch, of which most names are told apart as early. Either is
//! looked for in the name as it was asked and, where nothing is found, in what is left of it without a suffix of the
//! client's [`SearchList`].
//!
//! Lists may also come from a file that they were compiled into before: an [`Image`].

mod collision;
mod filter;
mod front;
mod glance;
mod hasher;
mod image;
mod indicators;
mod list;
mod name_set;
mod names;
mod outline;
mod pages;
mod pattern;
mod search_list;
mod shape;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::collision::{Collision, known_collision, known_collisions};
pub use self::hasher::Hasher;
pub use self::image::{Image, compile};
pub use self::list::{Form, List};
pub use self::name_set::NameSet;
pub use self::names::Names;
pub use self::pattern::{Pattern, PatternId, PatternSet, Patterns};
pub use self::search_list::SearchList;

use self::front::Front;
use self::glance::Glance;
use self::pages::touch;
use self::pattern::Scratch;
use self::shape::Gate;
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId};
use crate::name::{Name, RawName};

/// Where built lists come from.
pub trait Lists: Sync {
    /// The list of a family for a list day, built if nobody did so yet.
    fn get(&self, family: FamilyId, edition: Day) -> Arc<List>;

    /// Builds some unless somebody does: whoever wants several lists finds some of them built by others meanwhile.
    fn begin(&self, _family: FamilyId, _editions: &[Day]) {}
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

/// What is found for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A list holds it.
    Listed(Match),
    /// A list holds what stands before a suffix that the client may have appended: what is answered is about another name.
    Appended(Match),
    /// A pattern matches it.
    Watched(PatternId),
}

/// Matches names against the lists of the open days. Each thread has its own. Who asked for a name is a `T`.
pub struct Watchlist<'a, T> {
    lists: OpenLists<'a>,
    /// Names that wait, and further places, kept because clearing one costs as much as a lookup.
    waiting: Vec<Waiting<T>>,
    /// How many of these wait.
    count: usize,
    luck: Luck,
    gate: Gate,
    glance: Box<Glance>,
    patterns: &'a Patterns,
    search_list: &'a SearchList,
    scratch: Scratch,
    /// How many days a host's clock may be wrong.
    skew: u16,
    /// The day of the last packet.
    today: Day,
    /// Days met.
    days: BTreeSet<Day>,
}

/// Names that are looked up together: 16 names and three days fill the misses that a processor core waits for at once.
pub const TOGETHER: usize = 16;

/// Whether most names that could be listed lately were.
///
/// Then what lists of any size need for them is worth fetching for some at once. Else most are not found, which one look
/// tells, and who asked for them should not be read out of each message.
#[derive(Default)]
struct Luck(u8);

impl Luck {
    /// A name was looked for in lists: one that is on none outweighs some that are.
    #[inline(always)]
    const fn note(&mut self, found: bool) {
        self.0 = if found { if self.0 < 64 { self.0 + 1 } else { 64 } } else { self.0.saturating_sub(4) };
    }

    #[inline(always)]
    const fn lasts(&self) -> bool {
        self.0 >= 32
    }
}

/// A name that may be listed or watched.
struct Waiting<T> {
    name: Name,
    hash: u64,
    /// Families that could generate it.
    families: u64,
    /// Whether it is worth a look for patterns, and for what clients append.
    others: bool,
    /// None before the first waits here.
    asker: Option<T>,
}

/// The lists of the open days.
struct OpenLists<'a> {
    catalog: &'a Catalog,
    source: &'a dyn Lists,
    hasher: Hasher,
    /// Those of each family.
    open: Vec<OpenFamily>,
    /// Families of which a list was large enough that it must come from memory.
    large: u64,
}

/// The lists of one family.
#[derive(Default)]
struct OpenFamily {
    lists: Vec<Open>,
    /// Names that were looked for in them. From the first on they are all there.
    used: usize,
    /// How many will have been when a front pays: days may change with every packet.
    front_from: usize,
    /// What is looked into before them.
    front: Option<Front>,
}

struct Open {
    list_day: Day,
    /// Kept from the days before, where it was used.
    list: Option<Arc<List>>,
}

impl<'a, T: Copy> Watchlist<'a, T> {
    /// Opens the lists that hosts ask for at each packet's time when their clocks are up to `skew` days wrong. `hasher` must be the one that `lists` builds with.
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
            lists: OpenLists { catalog, source: lists, hasher, open: vec![], large: 0 },
            waiting: vec![],
            count: 0,
            luck: Luck::default(),
            glance: Box::new(Glance::new(&gate, patterns, search_list)),
            gate,
            patterns,
            search_list,
            scratch: Scratch::default(),
            skew,
            today: Day::EPOCH.plus(-1),
            days: BTreeSet::new(),
        }
    }

    /// Whether a name that a packet of `time` holds is worth [`Self::find`]: few are, and the first of a day.
    #[inline(always)]
    pub fn opens(&self, time: Timestamp, name: RawName<'_>) -> bool {
        time.day() != self.today || self.glance.opens(name)
    }

    /// Has a name that a packet of `time` holds looked up, at once or with later ones, which [`Self::flush`] ends. Then
    /// `found` is told of every open list that holds it, every pattern that matches it, and of both for what is in front
    /// of a suffix that the client may have appended; in the order in which names came.
    ///
    /// Suffixes are tried from the longest on. The first after which something is found counts, and a name that is listed
    /// itself counts as that, so that no message counts twice. To be called where [`Self::opens`] says so; apart from it
    /// and never in its place, so that what few names need leaves no trace in the loop that all of them go through.
    ///
    /// `asker` is called for names that are found, and for those that wait, [`TOGETHER`] at most: it may take a while.
    #[inline(never)]
    pub fn find(&mut self, time: Timestamp, name: RawName<'_>, asker: impl Fn() -> T, found: &mut dyn FnMut(T, Found)) {
        if time.day() != self.today {
            // Those that wait are of the days that were open until now.
            self.flush(found);
            self.enter(time.day());
        }
        let families = self.gate.families(name);
        let wire = name.as_wire();
        let others = self.glance.opens_for_others(name) && (self.search_list.may_end(wire) || self.patterns.may_match(wire));
        if families == 0 && !others {
            return;
        }
        if self.count == self.waiting.len() {
            self.waiting.push(Waiting { name: Name::root(), hash: 0, families: 0, others: false, asker: None });
        }
        let waiting = &mut self.waiting[self.count];
        waiting.name.set(name);
        waiting.hash = List::hash(&self.lists.hasher, &waiting.name);
        if self.count == 0 && !others && families & self.lists.large == 0 && !self.luck.lasts() {
            // Little would come from memory earlier, and nobody is before it.
            let matched = &mut |matched| found(asker(), Found::Listed(matched));
            self.luck.note(self.lists.find(families, waiting.hash, &waiting.name, matched));
            return;
        }
        (waiting.families, waiting.others, waiting.asker) = (families, others, Some(asker()));
        self.count += 1;
        if self.count == TOGETHER {
            self.flush(found);
        }
    }

    /// Looks up the names that wait.
    pub fn flush(&mut self, found: &mut dyn FnMut(T, Found)) {
        let waiting = std::mem::take(&mut self.waiting);
        let names = &waiting[..std::mem::take(&mut self.count)];
        self.lists.fetch(names);
        for name in names {
            let asker = name.asker.expect("who waits has an asker");
            let listed = self.lists.find(name.families, name.hash, &name.name, &mut |matched| {
                found(asker, Found::Listed(matched));
            });
            if name.families > 0 {
                self.luck.note(listed);
            }
            if name.others {
                self.find_others(listed, &name.name, &mut |what| found(asker, what));
            }
        }
        self.waiting = waiting;
    }

    /// Looks for patterns in a name, and for both in what is in front of suffixes.
    #[inline(never)]
    fn find_others(&mut self, mut listed: bool, name: &Name, found: &mut dyn FnMut(Found)) {
        let mut watched = self.patterns.find(name, &mut self.scratch, &mut |id| found(Found::Watched(id)));
        if !self.search_list.may_end(name.as_wire()) {
            return;
        }
        for place in 0..self.search_list.len() {
            let Some(bare) = self.search_list.strip(place, name) else { continue };
            let (families, hash) = (self.gate.families(bare.as_raw()), List::hash(&self.lists.hasher, &bare));
            listed = listed || self.lists.find(families, hash, &bare, &mut |matched| found(Found::Appended(matched)));
            watched = watched || self.patterns.find(&bare, &mut self.scratch, &mut |id| found(Found::Watched(id)));
        }
    }

    /// Days of the packets looked at.
    pub const fn days(&self) -> &BTreeSet<Day> {
        &self.days
    }

    /// Opens the lists that are asked for on `today`, keeping those that were open already.
    #[cold]
    fn enter(&mut self, today: Day) {
        self.today = today;
        self.days.insert(today);
        let OpenLists { catalog, open: lists, .. } = &mut self.lists;
        let mut before = std::mem::take(lists);
        before.resize_with(catalog.iter().len(), OpenFamily::default);
        for ((_, family), mut before) in catalog.iter().zip(before) {
            let open = family.calendar().open(today, today, self.skew).map(|list_day| {
                let kept = before.lists.iter_mut().find(|open| open.list_day == list_day);
                Open { list_day, list: kept.and_then(|open| open.list.take()) }
            });
            lists.push(OpenFamily { lists: open.collect(), ..OpenFamily::default() });
        }
    }
}

impl OpenLists<'_> {
    /// Has what lists need for these names come from memory.
    #[inline]
    fn fetch<T>(&self, names: &[Waiting<T>]) {
        if self.large > 0 {
            let lists = names.iter().flat_map(|name| {
                let families = self.open.iter().enumerate().filter(|(family, _)| name.families & self.large & 1 << family > 0);
                families.flat_map(|(_, open)| &open.lists).filter_map(|open| Some((open.list.as_ref()?, name.hash)))
            });
            touch(lists.map(|(list, hash)| list.peek(hash)));
        }
        if names.len() > 1 {
            self.fetch_held(names);
        }
    }

    /// The same for lists that are held behind a front: each step for all names before the next.
    fn fetch_held<T>(&self, names: &[Waiting<T>]) {
        let fronts = |families: u64| families_in(families).filter_map(|family| Some(self.open.get(family)?.front.as_ref()?));
        touch(names.iter().flat_map(|name| fronts(name.families).map(|front| front.peek(name.hash))));
        let lists = names.iter().flat_map(|name| {
            let open = families_in(name.families).filter_map(|family| {
                let OpenFamily { lists, front, .. } = self.open.get(family)?;
                front.as_ref().filter(|front| front.may_hold(name.hash)).map(|front| (lists, front))
            });
            open.flat_map(move |(lists, front)| {
                let may_be_on = lists.iter().enumerate().filter(|(place, _)| front.may_be_on(*place, name.hash));
                may_be_on.filter_map(|(_, open)| open.list.as_ref()?.held(name.hash))
            })
        });
        // One for each name, as a rule.
        let mut held = [None; TOGETHER];
        held.iter_mut().zip(lists).for_each(|(held, list)| *held = Some(list));
        touch(held.iter().flatten().map(|(names, place)| names.peek_start(*place)));
        touch(held.iter().flatten().map(|(names, place)| names.wire(*place).first().copied().unwrap_or_default()));
    }

    /// Takes all lists of a family; when they were used so much that it pays, makes what is looked into before them.
    #[cold]
    fn open_all(&mut self, family: FamilyId) {
        let Self { catalog, source, hasher, open, large } = self;
        let OpenFamily { lists, used, front_from, front } = &mut open[usize::from(family)];
        let edition = |list_day| catalog.family(family).edition(list_day);
        let missing: Vec<Day> = lists.iter().filter(|open| open.list.is_none()).map(|open| edition(open.list_day)).collect();
        source.begin(family, &missing);
        for open in lists.iter_mut() {
            let edition = edition(open.list_day);
            let list = open.list.get_or_insert_with(|| source.get(family, edition));
            *large |= u64::from(list.is_large()) << family;
        }
        let lists: Vec<&List> = lists.iter().filter_map(|open| open.list.as_deref()).collect();
        // A name takes ten times as long to put in as a look into a list takes.
        *front_from = 2 + lists.iter().map(|list| list.names().count()).sum::<usize>() / 4;
        if *used >= *front_from {
            *front = Front::of(&lists, hasher);
        }
    }

    /// Looks into the lists of the families marked in `families`; tells whether one holds `name`.
    fn find(&mut self, families: u64, hash: u64, name: &Name, matched: &mut dyn FnMut(Match)) -> bool {
        let mut found = false;
        for family in families_in(families) {
            let family = family as FamilyId;
            let OpenFamily { used, front_from, .. } = &mut self.open[usize::from(family)];
            *used += 1;
            if *used == 1 || *used == *front_from {
                self.open_all(family);
            }
            let OpenFamily { lists, front, .. } = &self.open[usize::from(family)];
            if front.as_ref().is_some_and(|front| !front.may_hold(hash)) {
                continue;
            }
            let may_be_on = |place| front.as_ref().is_none_or(|front| front.may_be_on(place, hash));
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

/// The families that are marked.
#[inline(always)]
fn families_in(mut marked: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let family = marked.trailing_zeros() as usize;
        (marked > 0).then(|| {
            marked &= marked - 1;
            family
        })
    })
}
