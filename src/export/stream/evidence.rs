//! Evidence that changed, as JSON: which rows of the ledger these are, and how they look.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::Serialize;

use crate::day::Day;
use crate::dga::{Catalog, Family, FamilyId};
use crate::export::{Networks, Origin};
use crate::ledger::{Evidence, Key, Ledger, Verdict};
use crate::watchlist::List;

/// Names of a source that are told: more than it takes to be sure.
const NAMES: usize = 20;

/// Rows that are told at a time: about 1.5 MB, which the queue has room for. The others come next.
const MOST: usize = 2_000;

/// Fingerprints that are kept, of 8 octets each.
const MOST_PRINTS: usize = 1 << 20;

/// Lists that are built, by family and edition.
type Built = BTreeMap<(FamilyId, Day), Arc<List>>;

/// Knows rows that were told by their fingerprints. Where two rows share a place, they are told again at each
/// look: nothing that changed is passed over.
#[derive(Debug, Default)]
pub(in crate::export) struct Changes {
    prints: Vec<u64>,
    /// Where the next look begins, so that rows which always change do not keep others waiting.
    next: usize,
}

/// A row of evidence, with the members of a report's `sources`.
#[derive(Serialize)]
struct Row<'a> {
    schema: u8,
    event: &'static str,
    time: String,
    source: String,
    source_port: u16,
    transport: &'static str,
    family: &'a str,
    list_day: String,
    matches: u64,
    responses: u64,
    distinct_names: u64,
    known_collisions: u32,
    first_seen: String,
    last_seen: String,
    verdict: &'static str,
    names_needed: u64,
    set_aside: u64,
    reader: bool,
    role: &'static str,
    names: Vec<String>,
    #[serde(flatten)]
    origin: Option<Origin>,
}

impl Changes {
    /// Calls `tell` with rows that changed since they were told, those of lists in `built`: no other can change. Tells whether
    /// these were all.
    pub(in crate::export) fn look(
        &mut self,
        (ledger, catalog, built): (&Ledger, &Catalog, &Built),
        networks: Option<&Networks>,
        tell: &mut dyn FnMut(&Key, &str, String),
    ) -> bool {
        if self.prints.is_empty() {
            self.prints = vec![0; ledger.bound().clamp(1, MOST_PRINTS)];
        }
        let start = if self.next < ledger.len() { self.next } else { 0 };
        let places = (start..ledger.len()).chain(0..start);
        let rows = ledger.rows().skip(start).chain(ledger.rows().take(start));
        let mut told = 0;
        for (place, (key, evidence)) in places.zip(rows) {
            let (slot, print) = self.print(key, evidence);
            if self.prints[slot] == print {
                continue;
            }
            let family = catalog.family(key.family);
            let Some(list) = built.get(&(key.family, family.edition(key.list_day))) else { continue };
            if told == MOST {
                self.next = place;
                return false;
            }
            told += 1;
            self.prints[slot] = print;
            tell(key, family.id(), row((key, evidence), family, list, networks));
        }
        self.next = 0;
        true
    }

    /// The place of a row's fingerprint, and the fingerprint of what it says now, which is never 0.
    fn print(&self, key: &Key, evidence: &Evidence) -> (usize, u64) {
        let mut hasher = DefaultHasher::new();
        (key.family, key.list_day, key.source).hash(&mut hasher);
        let slot = hasher.finish() as usize % self.prints.len();
        (evidence.matches, evidence.responses, evidence.first_seen, evidence.last_seen).hash(&mut hasher);
        (evidence.distinct_names(), evidence.names_needed(), evidence.set_aside(), evidence.is_reader()).hash(&mut hasher);
        evidence.role().label().hash(&mut hasher);
        (slot, hasher.finish() | 1)
    }
}

fn row((key, evidence): (&Key, &Evidence), family: &dyn Family, list: &List, networks: Option<&Networks>) -> String {
    let names = list.names();
    let row = Row {
        schema: 1,
        event: "evidence",
        time: evidence.last_seen.to_string(),
        source: key.source.to_string(),
        source_port: evidence.port,
        transport: evidence.transport.label(),
        family: family.id(),
        list_day: key.list_day.to_string(),
        matches: evidence.matches,
        responses: evidence.responses,
        distinct_names: evidence.distinct_names(),
        known_collisions: evidence.collisions(),
        first_seen: evidence.first_seen.to_string(),
        last_seen: evidence.last_seen.to_string(),
        verdict: Verdict::of(evidence).label(),
        names_needed: evidence.names_needed(),
        set_aside: evidence.set_aside(),
        reader: evidence.is_reader(),
        role: evidence.role().label(),
        names: evidence.names().take(NAMES).map(|place| names.name(place).to_string()).collect(),
        origin: networks.map(|networks| networks.origin(key.source)),
    };
    crate::export::events::line(&row)
}
