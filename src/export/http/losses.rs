//! What was lost on the way from the wire to a verdict, stage by stage: the page and the API tell the same.

use serde::Serialize;

use crate::decode::{GivenUp, Kind, Outcome, Transport};
use crate::export::Snapshot;
use crate::export::snapshot::Interface;

/// What came, on all interfaces together.
pub(super) struct Traffic {
    /// Packets handed to us.
    pub(super) packets: u64,
    /// Packets that network cards lost.
    pub(super) nic: u64,
    /// Packets for which the kernel had no room.
    pub(super) kernel: u64,
    /// Findings that were lost between our threads.
    pub(super) queue: u64,
    /// Queries and responses that could be read.
    pub(super) messages: u64,
}

impl Traffic {
    /// Adds it up.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let sum = |of: fn(&Interface) -> u64| snapshot.interfaces.iter().map(of).sum::<u64>();
        let kinds = |transport| [Kind::Query, Kind::Response].map(|kind| snapshot.messages.of(transport, kind));
        Self {
            packets: sum(|interface| interface.packets),
            nic: sum(|interface| interface.dropped_by_nic),
            kernel: sum(|interface| interface.dropped_by_kernel),
            queue: sum(|interface| interface.dropped_by_queue),
            messages: Transport::ALL.into_iter().flat_map(kinds).sum(),
        }
    }
}

/// One kind of loss.
#[derive(Serialize)]
pub(super) struct Loss {
    /// Where, as people say it.
    pub(super) stage: &'static str,
    /// What was lost.
    pub(super) what: &'static str,
    /// How much.
    pub(super) count: u64,
    /// Of how much.
    pub(super) of: u64,
}

/// Every kind of loss in the order of the way: those before and behind decoding always, those of decoding where there are any.
pub(super) fn losses(snapshot: &Snapshot) -> Vec<Loss> {
    let Traffic { packets, nic, kernel, queue, messages } = Traffic::of(snapshot);
    let of = packets + nic + kernel;
    let before = [
        Loss { stage: "Network card", what: "packets its driver dropped", count: nic, of },
        Loss { stage: "Kernel", what: "packets for which the ring had no room", count: kernel, of },
    ];
    let outcomes = Outcome::ALL.into_iter().filter_map(|outcome| Some((snapshot.outcomes.of(outcome), outcome.loss()?)));
    let pieces = GivenUp::ALL.into_iter().map(|why| (snapshot.given_up.of(why), why.loss()));
    let decoding = outcomes.chain(pieces).filter(|(count, _)| *count > 0);
    let decoding = decoding.map(|(count, what)| Loss { stage: "Decoding", what, count, of: packets });
    let behind = [Loss { stage: "Queue", what: "findings for which there was no time", count: queue, of: messages }];
    before.into_iter().chain(decoding).chain(behind).collect()
}
