//! What most worms' families have in common: names of one label under one of a few suffixes, in lists of one length.
//!
//! A file of a worm is a [`Generator`] for each variant: facts, and the function from a list day to labels.

use super::{About, Calendar, Family, Shape};
use crate::day::Day;
use crate::name::Name;

/// A family as a table of facts.
pub(super) struct Generator {
    pub(super) id: &'static str,
    /// The worm that it is a variant of.
    pub(super) worm: &'static str,
    /// The first day on which its names were asked for.
    pub(super) since: Day,
    pub(super) calendar: Calendar,
    pub(super) about: About,
    /// Names of a list.
    pub(super) count: u32,
    /// Fewest and most letters and digits of the first label.
    pub(super) first_label: (usize, usize),
    pub(super) suffixes: &'static [&'static str],
    /// Hands over the names of a list in their order.
    pub(super) labels: fn(Day, Each<'_>),
}

/// Takes a name: its first label, and the place of what follows it in [`Generator::suffixes`].
pub(super) type Each<'a> = &'a mut dyn FnMut(&[u8], usize);

/// One family, ready to generate.
pub(super) struct Generated {
    generator: &'static Generator,
    suffixes: Vec<Name>,
}

impl Generated {
    pub(super) fn new(generator: &'static Generator) -> Self {
        let suffixes =
            generator.suffixes.iter().map(|text| Name::parse(text).expect("the built-in suffixes are names")).collect();
        Self { generator, suffixes }
    }
}

impl Family for Generated {
    fn id(&self) -> &str {
        self.generator.id
    }

    fn since(&self) -> Day {
        self.generator.since
    }

    fn count(&self, _: Day) -> u32 {
        self.generator.count
    }

    fn worm(&self) -> Option<&'static str> {
        Some(self.generator.worm)
    }

    fn about(&self) -> Option<&About> {
        Some(&self.generator.about)
    }

    fn calendar(&self) -> Calendar {
        self.generator.calendar
    }

    fn names(&self, day: Day, each: &mut dyn FnMut(&Name)) {
        let mut name = Name::root();
        (self.generator.labels)(day, &mut |label, suffix| {
            name.compose(label, &self.suffixes[suffix]);
            each(&name);
        });
    }

    fn shape(&self) -> Shape<'_> {
        Shape::Generated { first_label: self.generator.first_label, suffixes: &self.suffixes }
    }
}
