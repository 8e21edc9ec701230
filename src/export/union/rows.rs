//! The sources of a JSON report, one after the other, so that their number costs no memory.

use std::fmt;
use std::io::{BufReader, Read};
use std::net::IpAddr;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::head::{AtMost, ListDay, Moment, Tally, Transport};
use crate::dga::FamilyId;
use crate::export::Origin;
use crate::ledger::{Key, Lookups, MOST_LOOKUPS, Portable};

/// A row of `sources`, as far as the union needs it.
#[derive(serde::Deserialize)]
pub(super) struct Row {
    source: IpAddr,
    pub(super) family: String,
    list_day: ListDay,
    matches: Tally,
    responses: Tally,
    distinct_names: u64,
    first_seen: Moment,
    last_seen: Moment,
    role: String,
    /// A list has no more names than there are numbers; what is beyond its end is refused with the record.
    indices: AtMost<u32, 33_554_432>,
    #[serde(default)]
    collisions: AtMost<u32, 1_024>,
    evidence: Carried,
    #[serde(flatten)]
    pub(super) origin: Origin,
}

#[derive(serde::Deserialize)]
struct Carried {
    port: u16,
    transport: Transport,
    recursive: u8,
    iterative: u8,
    #[serde(default)]
    server: Option<IpAddr>,
    #[serde(default)]
    most: Option<u32>,
    #[serde(default)]
    lookups: AtMost<u64, MOST_LOOKUPS>,
    #[serde(default)]
    lookups_lost: u64,
    #[serde(default)]
    starts: AtMost<u32, 256>,
    #[serde(default)]
    latest: u32,
    #[serde(default)]
    lifetimes: AtMost<u16, 64>,
}

impl Row {
    /// Whether sources are networks, of which nobody knows the role.
    pub(super) fn is_network(&self) -> bool {
        self.role == "unknown"
    }

    /// The record of it, of a family with this number.
    pub(super) fn record(self, family: FamilyId) -> Result<(Portable, Origin), String> {
        if self.indices.len() as u64 != self.distinct_names {
            return Err(format!("has {} distinct names and {} `indices`", self.distinct_names, self.indices.len()));
        }
        let Carried { lookups, lookups_lost, starts, latest, lifetimes, .. } = self.evidence;
        let mut time = 0_u64;
        let add = |more: u64| {
            time = time.checked_add(more)?;
            Some(time)
        };
        let times = lookups.0.into_iter().map(add).collect::<Option<Vec<u64>>>().ok_or("has `lookups` that cannot be")?;
        let trace = Lookups { times, lost: lookups_lost, starts: starts.0, latest, lifetimes: lifetimes.0 };
        let record = Portable {
            key: Key { family, list_day: self.list_day.0, source: self.source },
            matches: self.matches.0,
            responses: self.responses.0,
            first_seen: self.first_seen.0,
            last_seen: self.last_seen.0,
            names: self.indices.0,
            collisions: self.collisions.0,
            port: self.evidence.port,
            transport: self.evidence.transport.into(),
            recursive: self.evidence.recursive,
            iterative: self.evidence.iterative,
            // The report has a list of those.
            answers_others: false,
            most: self.evidence.most.unwrap_or(0),
            server: self.evidence.server,
            trace: self.evidence.most.map(|_| trace),
        };
        Ok((record, self.origin))
    }
}

/// Hands over each row of `sources` of a report, with its place.
pub(super) fn each_row(from: impl Read, take: &mut dyn FnMut(usize, Row) -> Result<(), String>) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(from));
    json.deserialize_map(Report(take)).map_err(|error| error.to_string())
}

struct Report<'t>(&'t mut dyn FnMut(usize, Row) -> Result<(), String>);

impl<'de> Visitor<'de> for Report<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        while let Some(member) = from.next_key::<String>()? {
            if member == "sources" {
                from.next_value_seed(Sources(&mut *self.0))?;
            } else {
                from.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Sources<'t>(&'t mut dyn FnMut(usize, Row) -> Result<(), String>);

impl<'de> DeserializeSeed<'de> for Sources<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Sources<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of sources")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let mut place = 0;
        while let Some(row) = from.next_element::<Row>()? {
            (self.0)(place, row).map_err(|why| de::Error::custom(format!("row {} of `sources` {why}", place + 1)))?;
            place += 1;
        }
        Ok(())
    }
}
