//! What a sensor looks for: families, patterns and the lists of the days around now. A reload replaces it as a whole.

use super::Settings;
use super::almanac;
use super::shelf::Shelf;
use crate::day::{Day, Timestamp};
use crate::dga::Catalog;
use crate::ledger::Context;

/// What to look for, ready to be looked for.
pub struct Plan {
    pub(super) catalog: Catalog,
    pub(super) settings: Settings,
    pub(super) shelf: Shelf,
}

impl Plan {
    /// Builds the lists that packets of about `now` are held against.
    pub fn new(catalog: Catalog, settings: Settings, now: Timestamp) -> Self {
        let shelf = Shelf::new(&catalog, settings.compiled.as_ref());
        almanac::prepare(&shelf, &catalog, settings.skew, now, &|| false);
        Self { catalog, settings, shelf }
    }

    /// The families.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How to look.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What evidence that was found by it speaks of.
    pub(super) fn context(&self) -> Context<'_> {
        let Settings { patterns, masking, clients, .. } = &self.settings;
        Context { catalog: &self.catalog, patterns, masking, clients: *clients }
    }

    /// What is looked for on `today`, in a few words.
    pub(super) fn describe(&self, today: Day) -> String {
        let families = self.catalog.iter().map(|(_, family)| format!("{} ({} names today)", family.id(), family.count(today)));
        let mut parts: Vec<String> = families.collect();
        match self.settings.patterns.own() {
            0 => {}
            1 => parts.push("a pattern".to_owned()),
            patterns => parts.push(format!("{patterns} patterns")),
        }
        parts.join(", ")
    }

    /// Why `next` is likely a mistake: a list or the patterns hold less than half of what they held, on `today`.
    pub(super) fn shrinks_to(&self, next: &Self, today: Day) -> Option<String> {
        let halved = |what: String, before: u64, after: u64| {
            (2 * after < before).then(|| format!("{what} shrinks from {before} to {after} names, which may be a mistake"))
        };
        let families = self.catalog.iter().filter_map(|(_, family)| {
            let (_, same) = next.catalog.iter().find(|(_, same)| same.id() == family.id())?;
            halved(format!("list {}", family.id()), family.count(today).into(), same.count(today).into())
        });
        let (before, after) = (self.settings.patterns.own() as u64, next.settings.patterns.own() as u64);
        let patterns = halved("what the patterns watch".to_owned(), before, after);
        families.chain(patterns).next()
    }
}
