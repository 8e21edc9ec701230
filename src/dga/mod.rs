//! Which names will be asked for on which day: the generators, and lists that users bring.
//!
//! A family is a worm (or a user's list) seen as a function from a day to names in a fixed order; the place of a
//! name in that order is its index. A new family is one file here and one line in `WORMS`.

mod calendar;
mod conficker;
mod contain;
mod cryptolocker;
mod generator;
mod list;
mod monerodownloader;
mod murofet;
mod name_file;
mod necurs;
mod newgoz;
mod pushdo;
mod qakbot;
mod synthetic;
mod zloader;

use std::sync::Arc;

pub use self::calendar::{Calendar, Period};
pub use self::contain::{Containment, Hosts, MOST_NAMES, over_days};
pub use self::name_file::{Layout, NameFile};

use self::conficker::{Conficker, Variant};
use self::generator::{Generated, Generator};
use self::list::List;
use self::synthetic::Synthetic;
use crate::day::Day;
use crate::name::Name;

const CONFICKER: [&Variant; 3] = [&conficker::A, &conficker::B, &conficker::C];

/// The families after Conficker.
const WORMS: [&Generator; 16] = [
    &newgoz::NEWGOZ,
    &necurs::M5,
    &necurs::M7,
    &necurs::M9,
    &necurs::M11,
    &qakbot::QAKBOT,
    &murofet::V1,
    &murofet::V2,
    &murofet::V2_DEADC2DE,
    &murofet::V3,
    &pushdo::PUSHDO,
    &zloader::Q23,
    &zloader::KZIE,
    &zloader::TS72,
    &cryptolocker::CRYPTOLOCKER,
    &monerodownloader::MONERODOWNLOADER,
];

/// What generates names.
pub trait Family: Send + Sync {
    /// The identifier that users type and reports show.
    fn id(&self) -> &str;

    /// The first day on which its names were asked for, as far as is known.
    fn since(&self) -> Day;

    /// How many names it has on a list day, repeated ones included.
    fn count(&self, day: Day) -> u32;

    /// How many it has on days when it has names.
    fn usual_count(&self) -> u32 {
        self.count(self.since())
    }

    /// Hands over the names of a list day in generated order.
    fn names(&self, day: Day, each: &mut dyn FnMut(&Name));

    /// The same of several list days: those of one day in generated order, and those of others between them. Tells which of
    /// `days` each name is of.
    fn names_of(&self, days: &[Day], each: &mut dyn FnMut(usize, &Name)) {
        for (place, day) in days.iter().enumerate() {
            self.names(*day, &mut |name| each(place, name));
        }
    }

    /// What makes any name of a list day alone, where the family can: names of a large list are then not kept.
    fn draw(&self, _day: Day) -> Option<Box<dyn Draw>> {
        None
    }

    /// What its names look like on any day.
    fn shape(&self) -> Shape<'_>;

    /// How infected hosts choose among its names, where that is known.
    fn habit(&self) -> Option<Habit> {
        None
    }

    /// How many names of a list one host asks for in a round, where that is known.
    fn asked(&self) -> Option<u32> {
        self.habit().map(|habit| match habit {
            Habit::Sample { names, .. } => names,
            Habit::All { .. } => self.count(self.since()),
        })
    }

    /// The worm that it is a variant of, where it is one.
    fn worm(&self) -> Option<&'static str> {
        None
    }

    /// The identifier of the family that this one is a placebo of, which no host asks for on purpose, and how many names it has
    /// for each of that family's.
    fn placebo_of(&self) -> Option<(&'static str, u32)> {
        None
    }

    /// What is known of it, where it is a worm.
    fn about(&self) -> Option<&About> {
        None
    }

    /// When its lists are asked for.
    fn calendar(&self) -> Calendar {
        Calendar::DAILY
    }

    /// The first of the list days around `list_day` whose lists are the same, so that one is kept for all.
    fn edition(&self, list_day: Day) -> Day {
        list_day
    }

    /// Reports the days among `days` whose list holds `name`, each with the index of its first place.
    fn search(&self, name: &Name, days: &[Day], found: &mut dyn FnMut(Day, u32)) {
        if !self.shape().holds(name) {
            return;
        }
        for &day in days {
            let mut index = 0;
            let mut first = None;
            self.names(day, &mut |listed| {
                if first.is_none() && listed == name {
                    first = Some(index);
                }
                index += 1;
            });
            if let Some(index) = first {
                found(day, index);
            }
        }
    }
}

/// How infected hosts choose among the names of a list day. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Habit {
    /// Each host draws so many names at random and asks for them once.
    Sample {
        /// How many.
        names: u32,
        /// Time from one lookup to the next, at least.
        pace: f64,
    },
    /// Each host asks for all names, round after round.
    All {
        /// Time from the start of a round to that of the next.
        cycle: f64,
        /// The shortest and longest that it may be.
        range: (f64, f64),
        /// Time that a round takes.
        round: f64,
    },
}

/// What is known of a worm's names, for people.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The last day on which its operators were there to answer; `None` while they are, or where nothing is known.
    pub until: Option<Day>,
    /// What became of it.
    pub status: &'static str,
    /// What its lists were compared with, and found the same.
    pub verified: &'static str,
}

/// The names of one family and list day, each made without the others.
pub trait Draw: Send + Sync {
    /// Makes `name` the one at a place, which must be below the [count](Family::count) of the day.
    fn draw(&self, index: u32, name: &mut Name);
}

/// What a family's names look like, so that most others are told apart at a glance.
#[derive(Clone, Copy)]
pub enum Shape<'a> {
    /// One label of lower-case letters and digits, so many at least and at most, under one of these suffixes.
    Generated {
        /// Fewest and most of them.
        first_label: (usize, usize),
        /// What follows the first label.
        suffixes: &'a [Name],
    },
    /// Anything.
    Any,
}

impl Shape<'_> {
    /// Whether `name` looks like that.
    pub fn holds(&self, name: &Name) -> bool {
        let Self::Generated { first_label: (shortest, longest), suffixes } = self else { return true };
        name.as_raw().split_first().is_some_and(|(label, suffix)| {
            (*shortest..=*longest).contains(&label.len())
                && label.iter().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit())
                && suffixes.iter().any(|known| known.as_wire() == suffix)
        })
    }
}

/// A family of a [`Catalog`]: its place there.
pub type FamilyId = u16;

/// Families that can be in use at once: as many as a word has bits.
const MAX_FAMILIES: usize = 64;

/// The families in use, in the order in which they were asked for. A copy shares them.
#[derive(Clone, Default)]
pub struct Catalog {
    families: Vec<Arc<dyn Family>>,
}

impl Catalog {
    /// Adds built-in families: one by its identifier, all variants of a worm by the worm's, `synthetic:N`, and
    /// `placebo:conficker-a` and so on: names of the same kind that no worm asks for. One that is there already is not added
    /// again.
    ///
    /// # Errors
    /// One sentence when there is no such family.
    pub fn add(&mut self, id: &str) -> Result<(), String> {
        if let Some(number) = id.strip_prefix("synthetic:") {
            let names_a_day = number.parse().ok().filter(|number| (1..=100_000_000).contains(number));
            return self.insert(Synthetic::new(names_a_day.ok_or_else(|| no_family(id))?));
        }
        let mut found = false;
        for family in built_in().chain(placebos()).filter(|family| family.id() == id || family.worm() == Some(id)) {
            found = true;
            self.insert_shared(family)?;
        }
        if found { Ok(()) } else { Err(no_family(id)) }
    }

    /// All worms.
    pub fn built_in() -> Self {
        Self { families: built_in().collect() }
    }

    /// Adds the family `id` of a user's list, given as text.
    ///
    /// # Errors
    /// One clause that says which line is wrong and why, or that the name is taken.
    pub fn add_list(&mut self, id: &str, text: &[u8]) -> Result<(), String> {
        self.check_list_id(id)?;
        self.insert(List::parse(id, text)?)
    }

    /// Adds a family that somebody else made, unless there is one of its name.
    ///
    /// # Errors
    /// One sentence.
    pub fn add_family(&mut self, family: Arc<dyn Family>) -> Result<(), String> {
        if self.iter().any(|(_, known)| known.id() == family.id()) {
            return Err(format!("there is a family `{}` already", family.id()));
        }
        self.insert_shared(family)
    }

    /// Whether a list can have this name beside these families.
    ///
    /// # Errors
    /// One sentence that says why not.
    pub fn check_list_id(&self, id: &str) -> Result<(), String> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        if !id.starts_with(|first: char| first.is_ascii_alphanumeric()) || id.len() > 64 || !id.bytes().all(plain) {
            let id = id.escape_debug();
            return Err(format!(
                "`{id}` is no name for a list: use up to 64 letters, digits, `-`, `_` and `.`, a letter or digit first"
            ));
        }
        if self.iter().any(|(_, family)| family.id() == id) || built_in().any(|family| family.worm() == Some(id)) {
            return Err(format!("there is a family `{id}` already: give the list another name"));
        }
        Ok(())
    }

    /// The families with their places.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FamilyId, &dyn Family)> {
        self.families.iter().enumerate().map(|(id, family)| (id as FamilyId, &**family))
    }

    /// Their identifiers, in this order.
    pub fn ids(&self) -> Vec<String> {
        self.families.iter().map(|family| family.id().to_owned()).collect()
    }

    /// The family at a place.
    ///
    /// # Panics
    /// When the place is of another catalog.
    pub fn family(&self, id: FamilyId) -> &dyn Family {
        &*self.families[usize::from(id)]
    }

    /// The family at a place, to be kept.
    ///
    /// # Panics
    /// As [`Self::family`].
    pub fn shared(&self, id: FamilyId) -> Arc<dyn Family> {
        Arc::clone(&self.families[usize::from(id)])
    }

    fn insert(&mut self, family: impl Family + 'static) -> Result<(), String> {
        self.insert_shared(Arc::new(family))
    }

    fn insert_shared(&mut self, family: Arc<dyn Family>) -> Result<(), String> {
        if self.families.iter().any(|known| known.id() == family.id()) {
            return Ok(());
        }
        if self.families.len() == MAX_FAMILIES {
            return Err(format!("there are more than {MAX_FAMILIES} families and lists"));
        }
        self.families.push(family);
        Ok(())
    }
}

fn built_in() -> impl Iterator<Item = Arc<dyn Family>> {
    let conficker = CONFICKER.into_iter().map(|variant| Arc::new(Conficker::new(variant)) as Arc<dyn Family>);
    conficker.chain(WORMS.into_iter().map(|generator| Arc::new(Generated::new(generator)) as Arc<dyn Family>))
}

/// They measure what chance does, and are no worms.
fn placebos() -> impl Iterator<Item = Arc<dyn Family>> {
    CONFICKER.into_iter().map(|variant| Arc::new(Conficker::placebo(variant)) as Arc<dyn Family>)
}

fn no_family(id: &str) -> String {
    let known: Vec<_> = built_in().map(|family| family.id().to_owned()).collect();
    let (id, known) = (id.escape_debug(), known.join(", "));
    format!("there is no family `{id}`: choose from {known}, a worm for all of its variants, or synthetic:N (N up to 100000000)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_by_name() {
        let mut catalog = Catalog::default();
        for id in ["conficker-b", "conficker", "synthetic:7", "conficker-b"] {
            catalog.add(id).unwrap();
        }
        let ids: Vec<&str> = catalog.iter().map(|(_, family)| family.id()).collect();
        assert_eq!(ids, ["conficker-b", "conficker-a", "conficker-c", "synthetic:7"]);
        for id in ["", "conficker-d", "synthetic:", "synthetic:0", "synthetic:-1", "synthetic:100000001", "\u{1b}[m"] {
            assert!(catalog.add(id).unwrap_err().starts_with("there is no family"), "{id}");
        }
        for id in ["", "conficker", "conficker-a", "a b", "-a", "\n"] {
            assert!(catalog.add_list(id, b"a.example").is_err(), "{id}");
        }
        catalog.add_list("ours", b"a.example").unwrap();
        assert_eq!(catalog.family(4).count(Day::EPOCH), 1);
        (5..65).for_each(|n| catalog.add(&format!("synthetic:{n}")).unwrap());
        assert!(catalog.add("conficker-a").is_ok() && catalog.add("synthetic:65").is_err());
    }

    #[test]
    fn shapes_hold_their_names() {
        let mut catalog = Catalog::default();
        catalog.add("conficker").unwrap();
        catalog.add("synthetic:5000").unwrap();
        for (_, family) in catalog.iter() {
            let Shape::Generated { first_label: (shortest, longest), suffixes } = family.shape() else {
                panic!("{}", family.id())
            };
            let mut seen = [false; 64];
            for day in [14_334, 14_335, 20_780] {
                family.names(Day::EPOCH.plus(day), &mut |name| {
                    let (label, suffix) = name.as_raw().split_first().unwrap();
                    assert!(label.iter().all(u8::is_ascii_lowercase));
                    assert!(suffixes.iter().any(|known| known.as_wire() == suffix), "{name}");
                    seen[label.len()] = true;
                });
            }
            let lengths: Vec<usize> = (0..64).filter(|length| seen[*length]).collect();
            assert_eq!(lengths, (shortest..=longest).collect::<Vec<_>>(), "{}", family.id());
        }
    }

    #[test]
    fn several_days_together_are_the_days_alone() {
        let mut catalog = Catalog::default();
        for id in ["conficker", "placebo:conficker-c", "synthetic:300", "newgoz"] {
            catalog.add(id).unwrap();
        }
        for (_, family) in catalog.iter() {
            for count in 0..8 {
                let days: Vec<Day> = (0..count).map(|days| Day::of(2009, 3, 29).plus(days)).collect();
                let (mut together, mut alone) = (vec![vec![]; days.len()], vec![vec![]; days.len()]);
                family.names_of(&days, &mut |place, name| together[place].push(name.clone()));
                for (day, names) in days.iter().zip(&mut alone) {
                    family.names(*day, &mut |name| names.push(name.clone()));
                }
                assert!(together == alone, "{count} days of {}", family.id());
            }
        }
    }

    #[test]
    fn search_finds_what_the_lists_hold() {
        let mut catalog = Catalog::default();
        for id in ["conficker", "synthetic:300", "newgoz", "pushdo", "cryptolocker", "zloader"] {
            catalog.add(id).unwrap();
        }
        catalog.add_list("ours", b"praat.org,2009-03-31\nx.example").unwrap();
        let days: Vec<Day> = Day::of(2009, 3, 20).through(Day::of(2009, 4, 7)).collect();
        for (_, family) in catalog.iter() {
            let mut wanted = vec![Name::parse("praat.org").unwrap(), Name::parse("x.example").unwrap(), Name::root()];
            family.names(days[11], &mut |name| {
                if wanted.len() < 300 {
                    wanted.push(name.clone());
                }
            });
            family.names(days[17], &mut |name| wanted[0] = name.clone());
            for name in wanted.iter().step_by(60).chain(&wanted[..3]) {
                let mut expected = vec![];
                for &day in &days {
                    let mut list = vec![];
                    family.names(day, &mut |listed| list.push(listed == name));
                    expected.extend(list.iter().position(|same| *same).map(|index| (day, index as u32)));
                }
                let mut found = vec![];
                family.search(name, &days, &mut |day, index| found.push((day, index)));
                found.sort_unstable();
                assert_eq!(found, expected, "{} {name}", family.id());
            }
        }
    }
}
