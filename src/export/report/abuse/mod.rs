//! Sources of a report as abuse desks take them in: a row, or an object, for each source, family and list day.
//!
//! One file a format. Suspects are left out unless they are asked for: whoever gets such a row acts on it, and chance
//! explains a suspect.

mod cef;
mod intelmq;
mod shadowserver;
mod xarf;

use std::io::{self, Write};

use super::{Desk, Report};
use crate::dga::Family;
use crate::export::Origin;
use crate::ledger::{Evidence, Key, Verdict};

/// Names that a row shows: more than it takes to be sure.
const NAMES: usize = 20;

/// A format that abuse desks take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbuseFormat {
    /// CSV with the columns of Shadowserver's `event4_sinkhole_dns`.
    Shadowserver,
    /// Events of IntelMQ's data harmonisation, one JSON object a line.
    Intelmq,
    /// Reports of XARF 4, one JSON object a line.
    Xarf,
    /// ArcSight's Common Event Format, one event a line.
    Cef,
}

/// What a row tells of: one source and one list.
struct Incident<'r> {
    key: &'r Key,
    evidence: &'r Evidence,
    family: &'r dyn Family,
    verdict: Verdict,
    /// The first names of the evidence, in presentation form: printable ASCII without blanks.
    names: Vec<String>,
    origin: Origin,
    desk: &'r Desk,
}

impl Incident<'_> {
    /// The worm, or the family where it is no variant of one.
    fn malware(&self) -> &str {
        self.family.worm().unwrap_or_else(|| self.family.id())
    }

    /// How far the evidence goes, in percent, by the names that nobody owns. A scale for sorting, set by judgement: no share of
    /// hosts was measured to be infected.
    fn confidence(&self) -> u8 {
        match (self.verdict, self.evidence.telling_names()) {
            (Verdict::Infected, 31..) => 99,
            (Verdict::Infected, 7..) => 95,
            (Verdict::Infected, _) => 90,
            (Verdict::Suspect, 2..) => 30,
            (Verdict::Suspect, 1) => 10,
            (Verdict::Suspect, 0) => 0,
        }
    }

    /// Queries; where only what answered them was seen, responses.
    fn count(&self) -> u64 {
        if self.evidence.matches > 0 { self.evidence.matches } else { self.evidence.responses }
    }

    fn names(&self) -> String {
        self.names.join(" ")
    }

    /// What happened, in a sentence.
    fn sentence(&self) -> String {
        let (names, id) = (self.evidence.distinct_names(), self.family.id());
        let noun = if names == 1 { "name" } else { "names" };
        format!("{}: asked for {names} {noun} that {id} generated for {}", self.verdict.label(), self.key.list_day)
    }
}

impl Report {
    /// Writes its sources as abuse desks take them.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write_abuse(&self, format: AbuseFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            AbuseFormat::Shadowserver => shadowserver::write(self, out),
            AbuseFormat::Intelmq => self.incidents(&mut |incident| intelmq::write(incident, out)),
            AbuseFormat::Xarf => self.incidents(&mut |incident| xarf::write(incident, out)),
            AbuseFormat::Cef => self.incidents(&mut |incident| cef::write(incident, out)),
        }
    }

    fn incidents(&self, each: &mut dyn FnMut(&Incident<'_>) -> io::Result<()>) -> io::Result<()> {
        for group in self.groups() {
            for (key, evidence, _) in group.iter() {
                let verdict = Verdict::of(evidence);
                if verdict == Verdict::Suspect && !self.desk.suspects {
                    continue;
                }
                each(&Incident {
                    key,
                    evidence,
                    family: self.catalog.family(key.family),
                    verdict,
                    names: evidence.names().take(NAMES).map(|place| group.names.name(place).to_string()).collect(),
                    origin: self.origin(key.source).unwrap_or_default(),
                    desk: &self.desk,
                })?;
            }
        }
        Ok(())
    }
}

/// A JSON object as a line.
fn write_line(object: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}
