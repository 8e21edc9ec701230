//! One report from the JSON reports of several sensors, or from their evidence in Parquet files: what adds up is added, what is one thing counts once.
//!
//! Reports are read twice: first what they say beside their sources, which tells whether they fit together, then their
//! sources, one after the other. The union depends on no order of reports, nor on how they are put together step by step.

#[cfg(feature = "parquet")]
mod folder;
mod head;
mod rows;

pub use self::head::ReportHead;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;

use self::head::{Capture, List, Tally};
use super::report::printable;
use super::{CaptureSummary, Desk, Found, Grouping, Networks, Origin, Report, SeenBy};
use crate::day::{Day, Timestamp};
use crate::decode::{Counts, GivenUp, GivenUpCounts, Kind, Messages, Outcome, Transport};
use crate::dga::{Catalog, FamilyId, Shape};
use crate::ledger::{AnswerCounts, AnswerKind, Exposure, Learned, Ledger, PortableName, Rule, Seen, Unkept, mark_of};
use crate::watchlist::{Pattern, Patterns};

/// Servers that a union knows, as one sensor does.
const MOST_SERVERS: usize = 1 << 14;

/// Why evidence cannot be united whose sources are masked by different keys, or some of them.
const MASKED_OTHERWISE: &str = "stands for sources in another way than the first (--prefix, --pseudonymise): nobody can tell who is \
                                who; sensors of one operator share the key";

/// Several reports on the way to be one.
pub struct ReportUnion {
    catalog: Catalog,
    heads: Vec<ReportHead>,
    /// Of each report, whether another one has the same captures.
    again: Vec<bool>,
    ledger: Ledger,
    origins: BTreeMap<IpAddr, Origin>,
    /// Whether a row is of a network.
    networks: bool,
    marks: BTreeMap<(FamilyId, Day), u64>,
}

impl ReportUnion {
    /// Begins with what reports say beside their sources; `catalog` has the families of all.
    ///
    /// # Errors
    /// The place of a report, and a clause that says why it does not go with those before, or is wrong.
    pub fn new(heads: Vec<ReportHead>, catalog: Catalog) -> Result<Self, (usize, String)> {
        let again = again(&heads)?;
        let kept = heads.iter().zip(&again).filter(|(_, again)| !**again).map(|(head, _)| head);
        let records = kept.map(|head| head.rows().max(head.indicators.len())).sum();
        let mut ledger = Ledger::for_union(records);
        ledger.judge_by(Rule::of_all(&catalog), true);
        let (origins, networks, marks) = (BTreeMap::new(), false, BTreeMap::new());
        let mut union = Self { catalog, heads, again, ledger, origins, networks, marks };
        for place in 0..union.heads.len() {
            union.check(place).map_err(|why| (place, why))?;
        }
        Ok(union)
    }

    /// Whether the report at a place is of the same captures as one before, and left out.
    pub fn is_again(&self, place: usize) -> bool {
        self.again[place]
    }

    /// Adds the sources of the report at a place.
    ///
    /// # Errors
    /// One clause that says what is wrong in it.
    pub fn add(&mut self, place: usize, from: impl Read) -> Result<(), String> {
        if self.again[place] {
            return Ok(());
        }
        let Self { catalog, ledger, origins, networks, .. } = self;
        rows::each_row(from, &mut |_, row| {
            let family = family_of(catalog, &row.family)?;
            *networks |= row.is_network();
            let (record, origin) = row.record(family)?;
            ledger.absorb(&record, catalog)?;
            if origin != Origin::default() {
                let known = origins.entry(record.key.source).or_default();
                *known = std::mem::take(known).or(origin);
            }
            Ok(())
        })
    }

    /// The report of all; `desk` says what is to be told beside what the reports tell.
    ///
    /// # Errors
    /// The place of a report, and a clause that says what is wrong in it.
    pub fn finish(mut self, mut desk: Desk) -> Result<Report, (usize, String)> {
        let heads = std::mem::take(&mut self.heads);
        let kept: Vec<(usize, ReportHead)> = heads.into_iter().enumerate().filter(|(place, _)| !self.again[*place]).collect();
        let alone = kept.len() == 1;
        let mut servers: BTreeSet<IpAddr> = kept.iter().flat_map(|(_, head)| head.servers.iter().copied()).collect();
        servers = servers.into_iter().take(MOST_SERVERS).collect();
        servers.into_iter().for_each(|server| self.ledger.absorb_answering(server));
        let mut found = Found {
            counts: Counts::default(),
            messages: Messages::default(),
            given_up: GivenUpCounts::default(),
            answers: vec![AnswerCounts::default(); self.catalog.iter().len()],
            lost: 0.0,
        };
        let (mut captures, mut lists, mut by) = (vec![], BTreeSet::new(), vec![]);
        for (place, head) in &kept {
            let at = |why: String| (*place, why);
            self.add_counts(head, &mut found).map_err(at)?;
            self.add_names(head).map_err(at)?;
            for list in head.lists.iter() {
                lists.insert((family_of(&self.catalog, &list.family).map_err(at)?, list.list_day.0));
            }
            let known = Grouping::ALL.into_iter().filter(|by| head.networks.iter().any(|row| row.by == by.label()));
            by.extend(known);
            captures.extend(head.captures.iter().map(|capture| summary(capture, (!alone).then_some(head))));
        }
        let patterns = self.add_sightings(&kept)?;
        found.lost = kept.first().map_or(0.0, |(_, head)| head.capture_loss);
        if !alone {
            captures.sort_by(|a, b| order(a).partial_cmp(&order(b)).expect("shares are numbers"));
            found.lost = lost(&captures, found.lost);
        }
        let together = if alone { BTreeSet::new() } else { self.ledger.learn() };
        self.ledger.judge_by(Rule::of_all(&self.catalog), !self.networks);
        let first = kept.first().map(|(_, head)| head);
        desk.masked = first.and_then(|head| u64::from_str_radix(head.masking.as_deref()?, 16).ok());
        desk.sensor = desk.sensor.or_else(|| first.filter(|_| alone).and_then(|head| head.sensor.clone()));
        if desk.networks.is_none() && !by.is_empty() {
            desk.networks = Some(Arc::new(Networks::told(by, self.origins)));
        }
        let mut report = Report::of_lists(&self.catalog, captures, found, lists, self.ledger, Arc::new(patterns));
        report.set_learned_together(together);
        Ok(report.with_desk(desk))
    }

    /// Whether a report speaks of the sources and lists that the others and this program speak of.
    fn check(&mut self, place: usize) -> Result<(), String> {
        let head = &self.heads[place];
        if head.masking != self.heads[0].masking {
            return Err(MASKED_OTHERWISE.to_owned());
        }
        if head.masking.as_ref().is_some_and(|tag| u64::from_str_radix(tag, 16).is_err()) {
            return Err("has a `masking` that is none".to_owned());
        }
        for List { family: id, list_day, names, mark } in head.lists.iter() {
            let key = (family_of(&self.catalog, id)?, list_day.0);
            let family = self.catalog.family(key.0);
            let edition = family.edition(key.1);
            let own = matches!(family.shape(), Shape::Any);
            let known = own.then(|| *self.marks.entry((key.0, edition)).or_insert_with(|| mark_of(family, edition)));
            let told = mark.as_deref().map(|mark| u64::from_str_radix(mark, 16).map_err(|_| "has a `mark` that is none"));
            if *names != family.count(key.1) || !head.by_name && told.transpose()? != known {
                return Err(format!(
                    "means other names by {id}, list of {}, than this program or --list does: sensors share their lists",
                    key.1
                ));
            }
        }
        Ok(())
    }

    /// Adds what became of packets.
    fn add_counts(&mut self, head: &ReportHead, found: &mut Found) -> Result<(), String> {
        for (label, Tally(count)) in &head.packets.outcomes {
            found.counts.add_many(labelled(&Outcome::ALL, Outcome::label, "outcome", label)?, *count);
        }
        for (transport, kinds) in &head.messages {
            let transport = labelled(&Transport::ALL, Transport::label, "transport", transport)?;
            for (kind, Tally(count)) in kinds {
                found.messages.add_many(transport, labelled(&Kind::ALL, Kind::label, "kind of message", kind)?, *count);
            }
        }
        for (why, Tally(count)) in &head.given_up {
            found.given_up.add_many(labelled(&GivenUp::ALL, GivenUp::label, "reason to give up", why)?, *count);
        }
        for row in head.families.iter() {
            let of_family = &mut found.answers[usize::from(family_of(&self.catalog, &row.family)?)];
            for (kind, Tally(count)) in &row.answers {
                of_family[labelled(&AnswerKind::ALL, AnswerKind::label, "kind of answer", kind)? as usize] += count;
            }
        }
        let unkept = Unkept { names: head.answers_not_kept.names.0, exposed: head.answers_not_kept.exposed.0 };
        let (hits, names) = (head.matches_not_kept.0, head.names_not_kept.0);
        self.ledger.absorb_counts(hits, names, head.indicators_not_kept.0, unkept);
        Ok(())
    }

    /// Adds where names lead.
    fn add_names(&mut self, head: &ReportHead) -> Result<(), String> {
        for (place, row) in head.rendezvous.iter().enumerate() {
            let exposed = row.exposed.iter().map(|client| {
                let (first_seen, last_seen, port) = (client.first_seen.0, client.last_seen.0, client.source_port);
                let (answers, unsolicited, transport) = (client.answers.0, client.unsolicited.0, client.transport.into());
                (client.source, Exposure { first_seen, last_seen, answers, unsolicited, port, transport })
            });
            let name = PortableName {
                family: family_of(&self.catalog, &row.family)?,
                list_day: row.list_day.0,
                index: row.index,
                first_seen: row.first_seen.0,
                last_seen: row.last_seen.0,
                answers: row.answers.0,
                unsolicited: row.unsolicited.0,
                addresses: row.addresses.to_vec(),
                addresses_left_out: row.addresses_left_out.0,
                lifetime: row.ttl,
                servers: row.name_servers.to_vec(),
                exposed: exposed.collect(),
                exposed_left_out: row.exposed_left_out.0,
            };
            let wrong = |why| format!("row {} of `rendezvous` {why}", place + 1);
            self.ledger.absorb_name(&name, &self.catalog).map_err(wrong)?;
        }
        // What only several sensors know together is found anew.
        for row in head.learned_sinkholes.iter().filter(|row| !row.together) {
            let family = family_of(&self.catalog, &row.family)?;
            let (names, answers, last_seen) = (row.names, row.answers.0, row.last_seen.0);
            self.ledger.absorb_learned(&Learned { family, address: row.address, names, answers, last_seen });
        }
        Ok(())
    }

    /// Adds what was noted of patterns: of one report in its order, of several by set and pattern.
    fn add_sightings(&mut self, kept: &[(usize, ReportHead)]) -> Result<Patterns, (usize, String)> {
        let mut labels: BTreeMap<(&str, &str), Option<&str>> = BTreeMap::new();
        let mut order: Vec<(&str, &str)> = vec![];
        for row in kept.iter().flat_map(|(_, head)| head.indicators.iter()) {
            let pattern = (&*row.set, &*row.pattern);
            let label = labels.entry(pattern).or_insert_with(|| {
                order.push(pattern);
                None
            });
            *label = label.iter().copied().chain(row.label.as_deref()).min();
        }
        if kept.len() > 1 {
            order.sort_unstable();
        }
        let (mut patterns, mut ids) = (Patterns::default(), BTreeMap::new());
        for (set, text) in order {
            let label = labels[&(set, text)].map(str::to_owned);
            let id = patterns.add_reported(set, Pattern { text: text.to_owned(), label }).map_err(|why| (0, why))?;
            ids.insert((set, text), id);
        }
        for (place, head) in kept {
            for row in head.indicators.iter() {
                let (queries, responses, first_seen, last_seen) =
                    (row.queries.0, row.responses.0, row.first_seen.0, row.last_seen.0);
                if first_seen > last_seen
                    || row.pattern.chars().chain(row.label.iter().flat_map(|label| label.chars())).any(char::is_control)
                {
                    return Err((*place, "has an indicator whose times or texts cannot be".to_owned()));
                }
                let seen = Seen { queries, responses, first_seen, last_seen };
                self.ledger.absorb_sighting(ids[&(&*row.set, &*row.pattern)], row.source, seen);
            }
        }
        Ok(patterns)
    }
}

/// The families of reports in one order: theirs where they have one, else that in which they are known, lists of users last.
pub fn families_of(heads: &[ReportHead]) -> Vec<String> {
    let orders: BTreeSet<Vec<&str>> = heads.iter().map(|head| head.families().collect()).collect();
    let own = |order: &[&str]| order.iter().map(|id| (*id).to_owned()).collect();
    if let [order] = orders.iter().collect::<Vec<_>>()[..] {
        return own(order);
    }
    let known = Catalog::built_in();
    let place = |id: &str| known.iter().position(|(_, family)| family.id() == id).unwrap_or(usize::MAX);
    let mut all: Vec<&str> = orders.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
    all.sort_by_key(|id| (place(id), *id));
    own(&all)
}

/// Which reports are of the same captures as one before.
fn again(heads: &[ReportHead]) -> Result<Vec<bool>, (usize, String)> {
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    let mut again = vec![];
    for (place, head) in heads.iter().enumerate() {
        let read = || head.captures.iter().filter(|capture| capture.packets.0 > 0);
        let key = |capture: &Capture| {
            let sensor = capture.sensor.as_ref().or(head.sensor.as_ref()).cloned();
            let (first, last) = (capture.first_packet.map(|at| at.0), capture.last_packet.map(|at| at.0));
            (sensor, capture.path.clone(), capture.packets.0, capture.bytes.0, first, last)
        };
        let common = read().filter(|capture| known.contains_key(&key(capture))).count();
        if common > 0 && common < read().count() {
            let shared = read().find(|capture| known.contains_key(&key(capture))).expect("there is one");
            return Err((
                place,
                format!(
                    "has capture {} of the same packets as a report before, and others beside: name sensors with \
                     --sensor if these are two, else leave one of the reports out",
                    shared.path
                ),
            ));
        }
        again.push(common > 0);
        if common == 0 {
            known.extend(read().map(|capture| (key(capture), place)));
        }
    }
    Ok(again)
}

fn family_of(catalog: &Catalog, id: &str) -> Result<FamilyId, String> {
    let known = catalog.iter().find(|(_, family)| family.id() == id).map(|(family, _)| family);
    known.ok_or_else(|| format!("speaks of family `{}`, which is none of its `families`", id.escape_debug()))
}

/// Which of them has a label.
fn labelled<T: Copy>(all: &[T], label_of: impl Fn(T) -> &'static str, what: &str, label: &str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| label_of(*one) == label);
    found.ok_or_else(|| format!("has the {what} `{}`, which this version does not know", label.escape_debug()))
}

/// What a report says of a capture; also of which sensor it is, where that report is one of several.
fn summary(capture: &Capture, one_of: Option<&ReportHead>) -> CaptureSummary {
    let told = capture.capture_loss.map(|lost| SeenBy { sensor: capture.sensor.clone(), lost });
    let sensor = |head: &ReportHead| SeenBy { sensor: head.sensor.clone(), lost: head.capture_loss };
    CaptureSummary {
        path: capture.path.clone(),
        packets: capture.packets.0,
        bytes: capture.bytes.0,
        span: capture.first_packet.zip(capture.last_packet).map(|(first, last)| (first.0, last.0)),
        error: capture.error.as_deref().map(printable),
        seen_by: told.or_else(|| one_of.map(sensor)),
    }
}

/// By what captures of several reports are sorted.
type CaptureOrder<'c> = (Option<&'c str>, Option<(Timestamp, Timestamp)>, &'c str, u64, u64, Option<&'c str>, f64);

fn order(capture: &CaptureSummary) -> CaptureOrder<'_> {
    let CaptureSummary { path, packets, bytes, span, error, seen_by } = capture;
    let (sensor, lost) = seen_by.as_ref().map_or((None, 0.0), |seen_by| (seen_by.sensor.as_deref(), seen_by.lost));
    (sensor, *span, path, *packets, *bytes, error.as_deref(), lost)
}

/// The share of the packets of all captures that is missing; `usual` where none has packets.
fn lost(captures: &[CaptureSummary], usual: f64) -> f64 {
    let of = |capture: &CaptureSummary| capture.seen_by.as_ref().map_or(0.0, |seen_by| seen_by.lost);
    let (mut read, mut missing) = (0.0, 0.0);
    for capture in captures {
        let packets = capture.packets as f64;
        read += packets;
        missing += packets * of(capture) / (1.0 - of(capture));
    }
    match captures.first().map(of) {
        Some(first) if captures.iter().all(|capture| of(capture).to_bits() == first.to_bits()) => first,
        _ if read > 0.0 => missing / (read + missing),
        _ => usual,
    }
}
