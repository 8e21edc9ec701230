//! What can be seen of a sensor while it listens, and what its report says of interfaces.

use std::sync::Arc;
use std::time::Duration;

use super::book::Book;
use super::plan::Plan;
use super::tally::Tally;
use crate::day::{Day, Timestamp};
use crate::decode::{Counts, GivenUpCounts, Messages};
use crate::dga::FamilyId;
use crate::export::CaptureSummary;
use crate::export::series::Series;
use crate::export::snapshot::Interface;
use crate::ledger::{AnswerCounts, Evidence, Key, Ledger};
use crate::source::TapCounts;

/// What there is to be known at a moment.
pub struct LiveState<'s, 'b> {
    /// What is looked for.
    pub plan: &'s Plan,
    /// All evidence.
    pub(super) book: &'s mut Book<'b>,
    /// What is to be looked for instead.
    pub(super) next: &'s mut Option<Arc<Plan>>,
    /// Set when nothing more will come.
    pub last: bool,
    /// Packets by interface, in the order in which they were asked for.
    pub interfaces: Vec<InterfaceCounts>,
    /// Packets by outcome. They sum to `received` of all interfaces.
    pub counts: Counts,
    /// Messages by kind.
    pub messages: Messages,
    /// What was given up of messages in several packets.
    pub given_up: GivenUpCounts,
    /// The lists around now that are built.
    pub lists: Vec<OpenList>,
    /// How many lists were built, and how long that took in all.
    pub builds: (u64, Duration),
    /// What an operator should know, one sentence each; told once.
    pub notices: Vec<String>,
}

impl LiveState<'_, '_> {
    /// All evidence.
    pub fn ledger(&self) -> &Ledger {
        &self.book.ledger
    }

    /// Matching queries and responses of each family of the catalog.
    pub fn matched(&self) -> &[(u64, u64)] {
        &self.book.matched
    }

    /// What responses said about the names of each family of the catalog.
    pub fn answers(&self) -> &[AnswerCounts] {
        &self.book.answers
    }

    /// Matches by source, where they are counted.
    pub fn series(&mut self) -> Option<&mut Series> {
        self.book.series.as_mut()
    }

    /// Judges all sources by what is known now.
    pub fn judge(&mut self) {
        self.book.ledger.judge();
    }

    /// The time of the latest packet.
    pub fn latest(&self) -> Option<Timestamp> {
        self.interfaces.iter().filter_map(|interface| interface.last_packet).max()
    }

    /// Notes who asked lately, before evidence of it goes.
    pub fn note_recent(&mut self) {
        if let Some(latest) = self.latest() {
            self.book.ledger.note_recent(latest);
        }
    }

    /// Has `plan` followed from now on. No packet is lost for it, nor what waits to be put together; evidence and counts go on
    /// as far as families, lists and patterns are the same.
    pub fn replace_plan(&mut self, plan: Arc<Plan>) {
        *self.next = Some(plan);
    }

    /// Takes out the evidence of list days before those in `first_open`, one for each family, which sums it up as events,
    /// and lets go of what was noted of patterns before the day `before`.
    pub fn retire(&mut self, first_open: &[Day], before: Day) -> Vec<(Key, Evidence)> {
        self.book.retire(first_open, before)
    }
}

/// Packets of an interface by where they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounts {
    /// As asked for.
    pub name: String,
    /// Handed to us: each has an outcome.
    pub received: u64,
    /// Octets of them.
    pub octets: u64,
    /// Lost by the network card or its driver.
    pub dropped_nic: u64,
    /// Lost because a ring was full.
    pub dropped_kernel: u64,
    /// Findings, not packets, that were lost because the clerk was behind.
    pub dropped_queue: u64,
    /// Copies of packets that another worker has, from before a worker was in the group.
    pub startup_discarded: u64,
    /// Counted by the kernel: `received`, `dropped_kernel`, `startup_discarded` and what still waits in rings.
    pub offered: u64,
    /// Times it was opened again, by all workers.
    pub reopened: u64,
    /// The latest packet.
    pub last_packet: Option<Timestamp>,
}

/// A list that packets are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenList {
    /// Whose.
    pub family: FamilyId,
    /// The day.
    pub list_day: Day,
    /// Names in it.
    pub names: usize,
    /// Octets of memory.
    pub octets: usize,
}

impl InterfaceCounts {
    /// As a snapshot has it.
    pub(super) fn shown(&self) -> Interface {
        Interface {
            name: self.name.clone(),
            packets: self.received,
            dropped_by_nic: self.dropped_nic,
            dropped_by_kernel: self.dropped_kernel,
            dropped_by_queue: self.dropped_queue,
            startup_discarded: self.startup_discarded,
            last_packet: self.last_packet,
        }
    }

    pub(super) fn add(&mut self, tally: &Tally) {
        let TapCounts { received, dropped_kernel, dropped_nic, startup_discarded, reopened } = tally.tap;
        self.received += tally.packets;
        self.octets += tally.octets;
        self.dropped_nic += dropped_nic;
        self.dropped_kernel += dropped_kernel;
        self.dropped_queue += tally.dropped_queue;
        self.startup_discarded += startup_discarded;
        self.offered += received;
        self.reopened += reopened;
        self.last_packet = self.last_packet.max(tally.span.map(|(_, last)| last));
    }
}

/// What all workers counted.
#[derive(Default)]
pub(super) struct Total {
    pub(super) counts: Counts,
    pub(super) messages: Messages,
    pub(super) given_up: GivenUpCounts,
    /// The share of packets that was lost before it was looked at.
    pub(super) lost: f64,
}

impl Total {
    pub(super) fn of(tallies: &[Tally]) -> Self {
        let mut total = Self::default();
        let mut all = InterfaceCounts::default();
        for tally in tallies {
            all.add(tally);
            total.counts.merge(&tally.counts);
            total.messages.merge(&tally.messages);
            total.given_up.merge(&tally.given_up);
        }
        total.lost = lost(&[all]);
        total
    }
}

/// The share of the packets of interfaces that were lost before they were looked at.
pub(super) fn lost(interfaces: &[InterfaceCounts]) -> f64 {
    let sum = |of: fn(&InterfaceCounts) -> u64| interfaces.iter().map(of).sum::<u64>() as f64;
    let lost = sum(|counts| counts.dropped_nic + counts.dropped_kernel + counts.dropped_queue);
    lost / (lost + sum(|counts| counts.received)).max(1.0)
}

/// What the report says of an interface.
pub(super) fn summary<'t>(name: String, error: Option<String>, tallies: impl Iterator<Item = &'t Tally>) -> CaptureSummary {
    let mut counts = InterfaceCounts::default();
    let mut capture = CaptureSummary { path: name, error, ..CaptureSummary::default() };
    for tally in tallies {
        counts.add(tally);
        capture.span = match (capture.span, tally.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        if let Some(link) = tally.unknown_link {
            capture.error.get_or_insert_with(|| format!("has packets of link type {}, which are not read", link.0));
        }
    }
    (capture.packets, capture.bytes) = (counts.received, counts.octets);
    capture.error = capture.error.or_else(|| losses(&counts));
    capture
}

/// An error where something was lost.
fn losses(counts: &InterfaceCounts) -> Option<String> {
    let InterfaceCounts { offered, dropped_kernel, dropped_nic, dropped_queue, .. } = counts;
    let mut parts = vec![];
    if *dropped_kernel > 0 || *dropped_nic > 0 {
        parts.push(format!("{dropped_kernel} of {offered} packets in the kernel and {dropped_nic} in the network card"));
    }
    if *dropped_queue > 0 {
        parts.push(format!("{dropped_queue} findings for which there was no time"));
    }
    (!parts.is_empty()).then(|| format!("lost {}", parts.join(", and ")))
}
