//! Sources of a report as abuse desks take them in: a row, or an object, for each source, family and list day.
//!
//! One file a format. Suspects are left out unless they are asked for: whoever gets such a row acts on it, and chance
//! explains a suspect.

mod cef;
mod intelmq;
mod shadowserver;
mod xarf;

use std::io::{self, Write};
use std::time::Duration;

use super::{Desk, Report};
use crate::dga::Family;
use crate::export::events::source_event;
use crate::export::{Origin, SyslogForm, json};
use crate::ledger::{Evidence, Key, Verdict};

/// Names that a row shows: more than it takes to be sure.
const NAMES: usize = 20;

/// How long a receiver of messages may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

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
pub(in crate::export) struct Incident<'r> {
    pub(in crate::export) key: &'r Key,
    pub(in crate::export) evidence: &'r Evidence,
    pub(in crate::export) family: &'r dyn Family,
    pub(in crate::export) verdict: Verdict,
    /// The first names of the evidence, in presentation form: printable ASCII without blanks.
    pub(in crate::export) names: Vec<String>,
    pub(in crate::export) origin: Origin,
    pub(in crate::export) desk: &'r Desk,
}

impl Incident<'_> {
    /// The worm, or the family where it is no variant of one.
    fn malware(&self) -> &str {
        self.family.worm().unwrap_or_else(|| self.family.id())
    }

    /// How far the evidence goes, in percent, by the names that nobody owns. A scale for sorting, set by judgement: no share of
    /// hosts was measured to be infected.
    pub(in crate::export) fn confidence(&self) -> u8 {
        match (self.verdict, self.evidence.telling_names()) {
            (Verdict::Infected, 31..) => 99,
            (Verdict::Infected, 7..) => 95,
            (Verdict::Infected, _) => 90,
            (Verdict::Suspect, 2..) => 30,
            (Verdict::Suspect, 1) => 10,
            (Verdict::Suspect, 0) => 0,
        }
    }

    /// Writes it as a line in the Common Event Format.
    pub(in crate::export) fn write_cef(&self, out: &mut dyn Write) -> io::Result<()> {
        cef::write(self, out)
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

    /// Sends its sources as messages, waiting for the receiver as long as it takes some.
    ///
    /// # Errors
    /// When the receiver took nothing for half a minute: what waits then, and what was not told, is not sent.
    pub fn send(&self, syslog: &mut SyslogForm) -> io::Result<()> {
        self.incidents(&mut |incident| {
            let Incident { key, evidence, family, verdict, names, .. } = incident;
            if !syslog.queue().has_room(PATIENCE) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the receiver takes nothing any more"));
            }
            syslog.source((key, evidence, *verdict), *family, names, &source_event(key, evidence, *verdict, *family, names));
            Ok(())
        })
    }

    fn incidents(&self, each: &mut dyn FnMut(&Incident<'_>) -> io::Result<()>) -> io::Result<()> {
        for group in self.groups() {
            for (key, evidence) in group.rows {
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
    json::write(object, out)?;
    writeln!(out)
}
