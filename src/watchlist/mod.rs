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
mod fetch;
mod filter;
mod front;
mod glance;
mod hasher;
mod image;
mod indicators;
mod list;
mod name_set;
mod names;
mod open;
mod outline;
mod pages;
mod pattern;
mod search_list;
mod shape;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::collision::{Collision, known_collision, known_collisions};
pub(crate) use self::fetch::touch;
pub use self::hasher::Hasher;
pub use self::image::{Image, compile};
pub use self::list::{Form, List};
pub use self::name_set::NameSet;
pub use self::names::Names;
pub(crate) use self::open::ones;
pub use self::pattern::{Pattern, PatternId, PatternSet, Patterns};
pub use self::search_list::SearchList;

use self::front::gist;
use self::glance::Glance;
use self::open::OpenLists;
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
    /// Names that were listed since one was not.
    luck: u32,
    /// Families whose names wait as if their lists were large: all, or none.
    lucky: u64,
    gate: Gate,
    glance: Box<Glance>,
    patterns: &'a Patterns,
    search_list: &'a SearchList,
    scratch: Scratch,
    /// How many days a host's clock may be wrong.
    skew: u16,
    /// The day of the last packet, if its day was noted.
    today: Day,
    /// The day whose lists are open.
    opened_for: Day,
    /// Days met.
    days: BTreeSet<Day>,
}

/// Names that are looked up together: 16 names and three days fill the misses that a processor core waits for at once.
pub const TOGETHER: usize = 16;

/// Names that are [sifted](Watchlist::sift) together, at most.
pub const SIFTED: usize = u64::BITS as usize;

/// From so many listed names on, with no other one between, most are taken to be listed: then what lists of any size need for
/// them is worth fetching for some at once. Else most are not found, which one look tells, and who asked for them should not be
/// read out of each message.
const LUCK: u32 = 8;

/// Before all that packets have.
const NO_DAY: Day = Day::EPOCH.plus(-1);

/// A name that may be listed or watched.
struct Waiting<T> {
    name: Name,
    gist: u64,
    hash: u64,
    /// Families that could generate it.
    families: u64,
    /// Whether it is worth a look for patterns, and for what clients append.
    others: bool,
    /// None before the first waits here.
    asker: Option<T>,
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
            lists: OpenLists::new(catalog, lists, hasher),
            waiting: vec![],
            count: 0,
            luck: 0,
            lucky: 0,
            glance: Box::new(Glance::new(&gate, patterns, search_list)),
            gate,
            patterns,
            search_list,
            scratch: Scratch::default(),
            skew,
            today: NO_DAY,
            opened_for: NO_DAY,
            days: BTreeSet::new(),
        }
    }

    /// Whether a name that a packet of `time` holds is worth [`Self::find`]: few are, and the first of a day.
    #[inline(always)]
    pub fn opens(&self, time: Timestamp, name: RawName<'_>) -> bool {
        (time.day() != self.today) | self.glance.opens(name)
    }

    /// Which of some names, [`SIFTED`] at most, that packets of a time hold are worth [`Self::find`] after a second look: a bit
    /// each. All are to be such as [`Self::opens`] lets pass.
    pub fn sift<'n>(&mut self, names: impl ExactSizeIterator<Item = (Timestamp, RawName<'n>)> + Clone) -> u64 {
        let all = u64::MAX.unbounded_shr(u64::BITS - names.len() as u32);
        if self.lucky > 0 {
            return all;
        }
        // Where nothing waits that is of another day. Else all names of a new day would be worth it, until one is looked up.
        if let Some((time, _)) = names.clone().next()
            && self.count == 0
            && time.day() != self.today
        {
            self.enter(time.day());
        }
        let Self { lists, gate, today, .. } = &*self;
        let (mut worth, mut large) = (0, 0);
        let mut looks = [(0, 0); SIFTED];
        let mut lower = Name::root();
        for ((number, (time, name)), look) in names.enumerate().zip(&mut looks) {
            let families = lists.may_hold(gate.families(name), gist(name.as_wire()));
            let already = self.is_for_others(name) | (time.day() != *today) | (families & !lists.large > 0);
            worth |= u64::from(already) << number;
            if families & lists.large > 0 && !already {
                lower.set(name);
                *look = (families, List::hash(&lists.hasher, &lower));
                lists.fetch(families, look.1);
                large |= 1 << number;
            }
        }
        // What they read is on its way by now.
        for number in ones(large) {
            let (families, hash) = looks[number];
            worth |= u64::from(lists.large_may_hold(families, hash)) << number;
        }
        if worth < all {
            (self.luck, self.lucky) = (0, 0);
        }
        worth
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
        let (possible, others) = (self.gate.families(name), self.is_for_others(name));
        if possible == 0 && !others {
            return;
        }
        let gist = gist(name.as_wire());
        // Of those that are likely to be listed, this is asked for several at once.
        let families = if possible & self.lucky > 0 { possible } else { self.lists.may_hold(possible, gist) };
        if families == 0 && !others {
            (self.luck, self.lucky) = (0, 0);
            return;
        }
        if self.count == self.waiting.len() {
            self.waiting.push(Waiting { name: Name::root(), gist: 0, hash: 0, families: 0, others: false, asker: None });
        }
        let waiting = &mut self.waiting[self.count];
        waiting.name.set(name);
        waiting.hash = List::hash(&self.lists.hasher, &waiting.name);
        if self.count == 0 && !others && families & (self.lists.large | self.lucky) == 0 {
            // Little would come from memory earlier, and nobody is before it.
            let matched = &mut |matched| found(asker(), Found::Listed(matched));
            if self.lists.find(families, gist, waiting.hash, &waiting.name, matched) {
                self.luck += 1;
                self.lucky = if self.luck < LUCK { 0 } else { u64::MAX };
            } else {
                self.luck = 0;
            }
            return;
        }
        (waiting.gist, waiting.families) = (gist, families);
        (waiting.others, waiting.asker) = (others, Some(asker()));
        self.lists.fetch(families, waiting.hash);
        self.count += 1;
        if self.count == TOGETHER {
            self.flush(found);
        }
    }

    /// Whether a name is worth a look for patterns, and for what clients append.
    #[inline(always)]
    fn is_for_others(&self, name: RawName<'_>) -> bool {
        let wire = name.as_wire();
        self.glance.opens_for_others(name) && (self.search_list.may_end(wire) || self.patterns.may_match(wire))
    }

    /// Looks up the names that wait.
    pub fn flush(&mut self, found: &mut dyn FnMut(T, Found)) {
        let waiting = std::mem::take(&mut self.waiting);
        let names = &waiting[..std::mem::take(&mut self.count)];
        let mut looks = self.lists.look(names);
        for (number, name) in names.iter().enumerate() {
            let asker = name.asker.expect("who waits has an asker");
            let take = &mut |matched| found(asker, Found::Listed(matched));
            let listed = match looks.of(number, name.families) {
                Some(looks) => self.lists.confirm(looks, name.hash, &name.name, take),
                None => self.lists.find(name.families, name.gist, name.hash, &name.name, take),
            };
            if !listed && name.families > 0 {
                (self.luck, self.lucky) = (0, 0);
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
            let (gist, hash) = (gist(bare.as_wire()), List::hash(&self.lists.hasher, &bare));
            let families = self.lists.may_hold(self.gate.families(bare.as_raw()), gist);
            listed = listed || self.lists.find(families, gist, hash, &bare, &mut |matched| found(Found::Appended(matched)));
            watched = watched || self.patterns.find(&bare, &mut self.scratch, &mut |id| found(Found::Watched(id)));
        }
    }

    /// Days of the packets looked at since the last call.
    pub fn take_days(&mut self) -> BTreeSet<Day> {
        // So that the next packet is one of a new day.
        self.today = NO_DAY;
        std::mem::take(&mut self.days)
    }

    /// Opens the lists that are asked for on `today`, keeping those that were open already.
    #[cold]
    fn enter(&mut self, today: Day) {
        self.today = today;
        self.days.insert(today);
        if self.opened_for != today {
            self.opened_for = today;
            self.lists.enter(today, self.skew);
        }
    }
}
