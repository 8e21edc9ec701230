//! Families of a file: as they are built in, with the names of the file where it has them; or a user's list, as far as it is there.

use std::sync::Arc;

use super::Image;
use super::layout::Kind;
use crate::day::Day;
use crate::dga::{About, Calendar, Draw, Family, Habit, Shape};
use crate::name::{Name, RawName};
use crate::watchlist::pages::{Memory, Part};

/// A family of a file.
pub(super) struct Compiled {
    image: Arc<Image>,
    place: usize,
}

impl Compiled {
    pub(super) fn new(image: &Arc<Image>, place: usize) -> Self {
        Self { image: Arc::clone(image), place }
    }

    /// The family that the program knows, if it is one of those.
    fn origin(&self) -> Option<&dyn Family> {
        self.image.built_in[self.place].as_deref()
    }

    /// How many names the list of a day has, if it is in the file.
    fn compiled(&self, edition: Day) -> Option<u32> {
        self.image.lists.get(&(self.place, edition)).map(|place| place.entry.count)
    }

    /// The edition of a user's list, and how many names it holds.
    fn edition_of(&self, day: Day) -> Option<(Day, u32)> {
        let Kind::List { editions, .. } = &self.image.contents.families[self.place].kind else { return None };
        let after = editions.partition_point(|(start, _)| *start <= day);
        editions.get(after.saturating_sub(1)).copied()
    }
}

impl Family for Compiled {
    fn id(&self) -> &str {
        &self.image.contents.families[self.place].id
    }

    fn since(&self) -> Day {
        match &self.image.contents.families[self.place].kind {
            Kind::List { since, .. } => *since,
            Kind::BuiltIn => self.origin().map_or(Day::EPOCH, Family::since),
        }
    }

    fn count(&self, day: Day) -> u32 {
        match self.origin() {
            Some(origin) => self.compiled(origin.edition(day)).unwrap_or_else(|| origin.count(day)),
            None => self.edition_of(day).map_or(0, |(_, count)| count),
        }
    }

    fn usual_count(&self) -> u32 {
        match &self.image.contents.families[self.place].kind {
            Kind::List { editions, .. } => editions.iter().map(|(_, count)| *count).max().unwrap_or(0),
            Kind::BuiltIn => self.origin().map_or(0, Family::usual_count),
        }
    }

    fn names(&self, day: Day, each: &mut dyn FnMut(&Name)) {
        if let (Some(origin), None) = (self.origin(), self.compiled(self.edition(day))) {
            return origin.names(day, each);
        }
        let Some(draw) = self.draw(day) else { return };
        let mut name = Name::root();
        for place in 0..self.count(day) {
            draw.draw(place, &mut name);
            each(&name);
        }
    }

    fn draw(&self, day: Day) -> Option<Box<dyn Draw>> {
        self.image.draw(self.place, self.edition(day)).or_else(|| self.origin()?.draw(day))
    }

    fn shape(&self) -> Shape<'_> {
        self.origin().map_or(Shape::Any, Family::shape)
    }

    fn asked(&self) -> Option<u32> {
        self.origin()?.asked()
    }

    fn habit(&self) -> Option<Habit> {
        self.origin()?.habit()
    }

    fn placebo_of(&self) -> Option<(&'static str, u32)> {
        self.origin()?.placebo_of()
    }

    fn worm(&self) -> Option<&'static str> {
        self.origin()?.worm()
    }

    fn about(&self) -> Option<&About> {
        self.origin()?.about()
    }

    fn calendar(&self) -> Calendar {
        self.origin().map_or(Calendar::DATED, Family::calendar)
    }

    fn edition(&self, list_day: Day) -> Day {
        match self.origin() {
            Some(origin) => origin.edition(list_day),
            None => self.edition_of(list_day).map_or(list_day, |(edition, _)| edition),
        }
    }
}

/// Names of a list that stand in a file.
pub(super) struct Written {
    pub(super) names: Part,
    /// Where each begins.
    pub(super) starts: Part,
}

impl Draw for Written {
    /// The root where the file is damaged.
    fn draw(&self, index: u32, name: &mut Name) {
        let start = self.starts.groups::<4>().get(index as usize).map(|start| u32::from_le_bytes(*start) as usize);
        match start.and_then(|start| RawName::take(self.names.octets().get(start..)?)) {
            Some(written) => name.set(written),
            None => *name = Name::root(),
        }
    }
}
