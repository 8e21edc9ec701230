//! Pages of evidence for whoever asks over HTTP: the clerk picks the rows, whoever asks makes the names.

use super::live_state::LiveState;
use super::overview::weight;
use crate::day::Day;
use crate::dga::{Catalog, FamilyId};
use crate::export::http::{Listed, SourcePage, SourceQuery, SourceRow};
use crate::ledger::{Evidence, Key, Verdict};
use crate::name::Name;
use crate::watchlist::Names;

/// A page whose names are places on lists still: to make them takes longer than the clerk has.
pub(super) struct Unnamed {
    page: SourcePage,
    /// Of each row.
    places: Vec<(FamilyId, Vec<u32>)>,
    catalog: Catalog,
}

/// The rows that a query asks for.
pub(super) fn page(state: &LiveState<'_, '_>, query: &SourceQuery) -> Unnamed {
    let catalog = &state.plan.catalog;
    let id = |key: &Key| catalog.family(key.family).id();
    let mut rows: Vec<(&Key, &Evidence)> = state
        .ledger()
        .rows()
        .filter(|(key, _)| query.source.is_none_or(|source| source == key.source))
        .filter(|(key, _)| query.family.as_deref().is_none_or(|family| id(key) == family))
        .filter(|(_, evidence)| query.verdict.is_none_or(|verdict| Verdict::of(evidence) == verdict))
        .filter(|(key, evidence)| {
            query
                .name
                .as_ref()
                .is_none_or(|name| evidence.holds(name.index) && key.list_day == name.list_day && id(key) == name.family)
        })
        .collect();
    let total = rows.len();
    let order = |(a, of_a): &(&Key, &Evidence), (b, of_b): &(&Key, &Evidence)| {
        if query.weightiest_first { weight(b, of_b).cmp(&weight(a, of_a)) } else { a.cmp(b) }
    };
    // Rows behind the page need no order among themselves.
    let end = query.offset.saturating_add(query.limit);
    if end < total {
        rows.select_nth_unstable_by(end, order);
        rows.truncate(end);
    }
    rows.sort_unstable_by(order);
    let shown = || rows.iter().skip(query.offset).take(query.limit);
    let places = shown().map(|(key, evidence)| (key.family, evidence.names().take(query.names).collect())).collect();
    let page = shown().map(|(key, evidence)| SourceRow {
        source: key.source.to_string(),
        family: id(key).to_owned(),
        list_day: key.list_day,
        matches: evidence.matches,
        responses: evidence.responses,
        distinct_names: evidence.distinct_names(),
        first_seen: evidence.first_seen,
        last_seen: evidence.last_seen,
        verdict: Verdict::of(evidence),
        names: vec![],
    });
    Unnamed { page: SourcePage { total, rows: page.collect() }, places, catalog: catalog.clone() }
}

impl Unnamed {
    /// With the names.
    pub(super) fn named(self) -> SourcePage {
        let Self { mut page, places, catalog } = self;
        // Rows of one list follow one another.
        let mut list = None;
        for (row, (id, places)) in page.rows.iter_mut().zip(places) {
            if places.is_empty() {
                continue;
            }
            let family = catalog.family(id);
            let day = family.edition(row.list_day);
            if list.as_ref().is_none_or(|(of, _)| *of != (id, day)) {
                list = Some(((id, day), Names::new(family, day)));
            }
            if let Some((_, names)) = &list {
                row.names = places.into_iter().map(|place| names.name(place).to_string()).collect();
            }
        }
        page
    }
}

/// The lists among `open` that hold `name`.
pub(super) fn explain(catalog: &Catalog, open: &[(FamilyId, Day)], name: &Name) -> Vec<Listed> {
    let mut found = vec![];
    for (id, family) in catalog.iter() {
        let days: Vec<_> = open.iter().filter(|(of, _)| *of == id).map(|(_, day)| *day).collect();
        family.search(name, &days, &mut |list_day, index| {
            found.push(Listed { family: family.id().to_owned(), list_day, index });
        });
    }
    found
}
