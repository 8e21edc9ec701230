//! Where a watchlist takes its lists from in tests.

use std::sync::Arc;

use dgawatch::day::Day;
use dgawatch::dga::{Catalog, FamilyId};
use dgawatch::watchlist::{Hasher, List, Lists};

/// Builds each list anew: few are asked for.
pub struct Fresh<'a> {
    pub catalog: &'a Catalog,
    pub hasher: Hasher,
}

impl Lists for Fresh<'_> {
    fn get(&self, family: FamilyId, edition: Day) -> Arc<List> {
        Arc::new(List::build(self.catalog.family(family), edition, &self.hasher))
    }
}
