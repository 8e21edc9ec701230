//! What the names of a list lead to, in figures: for those who sum up a list day.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{LiveName, Rendezvous};
use crate::day::Day;
use crate::dga::FamilyId;

/// What the names of a list lead to.
#[derive(Clone, Debug, Default)]
pub struct LiveList {
    /// Names that are the alarm that matters.
    pub rendezvous: u64,
    /// Those of them of which no answer has a query that was seen.
    pub unsolicited: u64,
    /// Who was told of one.
    pub exposed: BTreeSet<IpAddr>,
}

impl LiveList {
    /// Those of all lists.
    pub fn of_all<'a>(names: impl IntoIterator<Item = (LiveName, &'a Rendezvous)>) -> BTreeMap<(FamilyId, Day), Self> {
        let mut lists: BTreeMap<(FamilyId, Day), Self> = BTreeMap::new();
        for (name, rendezvous) in names.into_iter().filter(|(name, _)| name.is_alarming()) {
            let list = lists.entry((name.family, name.list_day)).or_default();
            list.rendezvous += 1;
            list.unsolicited += u64::from(rendezvous.is_unsolicited());
            list.exposed.extend(rendezvous.exposed().map(|(source, _)| source));
        }
        lists
    }
}
