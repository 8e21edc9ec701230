//! What a row of `sources` carries so that the reports of several sensors can be made one.

use serde::Serialize;

use crate::ledger::Portable;

/// The members of a row beside those for people; docs/REPORT.md describes them.
#[derive(Serialize)]
pub(super) struct Carried {
    indices: Vec<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    collisions: Vec<u32>,
    evidence: EvidenceMember,
}

#[derive(Serialize)]
struct EvidenceMember {
    port: u16,
    transport: &'static str,
    recursive: u8,
    iterative: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
    /// The first as it is, the others as what they are more than the one before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lookups: Vec<u64>,
    #[serde(skip_serializing_if = "is_none")]
    lookups_lost: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    starts: Vec<u32>,
    #[serde(skip_serializing_if = "is_none")]
    latest: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lifetimes: Vec<u16>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Carried {
    pub(super) fn of(record: Portable) -> Self {
        let is_traced = record.trace.is_some();
        let trace = record.trace.unwrap_or_default();
        let mut before = 0;
        let lookups = trace.times.into_iter().map(|lookup| lookup - std::mem::replace(&mut before, lookup)).collect();
        let evidence = EvidenceMember {
            port: record.port,
            transport: record.transport.label(),
            recursive: record.recursive,
            iterative: record.iterative,
            server: record.server.map(|server| server.to_string()),
            most: is_traced.then_some(record.most),
            lookups,
            lookups_lost: trace.lost,
            starts: trace.starts,
            latest: trace.latest.into(),
            lifetimes: trace.lifetimes,
        };
        Self { indices: record.names, collisions: record.collisions, evidence }
    }
}
