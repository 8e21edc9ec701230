//! An event as a message: the header and structured data of RFC 5424, then the event as JSON or in the Common Event Format.
//!
//! ```text
//! <132>1 2009-03-31T20:06:41.472765Z sensor.example dgawatch 815 infected [meta sequenceId="7"][dgawatch@32473 source="…" …] {…}
//! ```

use std::io;
use std::sync::Arc;

use syslog_fmt::v5424::{Config, Formatter, Msg};
use syslog_fmt::{Facility, Severity};

use super::SyslogQueue;
use crate::dga::Family;
use crate::export::report::Incident;
use crate::export::{Desk, Networks};
use crate::ledger::{Evidence, Key, Verdict};

/// The identifier of our structured data. A private one ends in an enterprise number (RFC 5424 §7), and dgawatch has none:
/// 32473 is the one that is kept for documents and examples (RFC 5612), which nobody else's data can be taken for.
const OURS: &str = "dgawatch@32473";

/// Where messages are numbered anew from 1 (RFC 5424 §7.3.1).
const MOST_SEQUENCE: u32 = 2_147_483_647;

/// The longest name of a host in a header (RFC 5424 §6).
const LONGEST_HOST: usize = 255;

/// How an event stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogPayload {
    /// As a JSON object, the same as in the log of events.
    Json,
    /// In ArcSight's Common Event Format.
    Cef,
}

/// Makes messages of events and puts them into a queue.
pub struct SyslogForm {
    payload: SyslogPayload,
    formatter: Formatter,
    desk: Desk,
    sequence: u32,
    queue: SyslogQueue,
    message: Vec<u8>,
}

impl SyslogForm {
    /// Of what a sensor on `host` tells; `desk` says from where it sees traffic, and whether suspects are spoken of.
    #[must_use]
    pub fn new(payload: SyslogPayload, host: &str, desk: Desk, queue: SyslogQueue) -> Self {
        // What is no printable ASCII would end the field, or mean another.
        let known = (1..=LONGEST_HOST).contains(&host.len()) && host.bytes().all(|octet| octet.is_ascii_graphic());
        let process = std::process::id().to_string();
        let config = Config {
            facility: Facility::Daemon,
            hostname: known.then_some(host),
            app_name: Some("dgawatch"),
            proc_id: Some(&process),
        };
        let formatter = config.into_formatter();
        Self { payload, formatter, desk, sequence: 0, queue, message: vec![] }
    }

    /// What its messages are put into.
    #[must_use]
    pub const fn queue(&self) -> &SyslogQueue {
        &self.queue
    }

    /// Tells of a source, by its key, evidence and verdict on a list of `family`, of which `names` are the first that it asked
    /// for. `json` is the event as the log has it.
    pub(in crate::export) fn source(
        &mut self,
        (key, evidence, verdict): (&Key, &Evidence, Verdict),
        family: &dyn Family,
        names: &[String],
        json: &str,
    ) {
        if verdict == Verdict::Suspect && !self.desk.suspects {
            return;
        }
        let sequence = self.next_sequence();
        let Self { payload, formatter, desk, message, queue, .. } = self;
        let origin = desk.networks.as_ref().map(|networks| networks.origin(key.source)).unwrap_or_default();
        let incident = Incident { key, evidence, family, verdict, names: names.to_vec(), origin, desk };
        let severity = if verdict == Verdict::Infected { Severity::Warning } else { Severity::Notice };
        let time = evidence.last_seen.to_string();
        let (address, port, list_day) = (key.source.to_string(), evidence.port.to_string(), key.list_day.to_string());
        let (distinct, asked, confidence) =
            (evidence.distinct_names().to_string(), names.join(" "), incident.confidence().to_string());
        let ours = [
            ("source", &*address),
            ("sourcePort", &port),
            ("transport", evidence.transport.label()),
            ("family", family.id()),
            ("listDay", &list_day),
            ("verdict", verdict.label()),
            ("confidence", &confidence),
            ("role", evidence.role().label()),
            ("distinctNames", &distinct),
            ("names", &asked),
            ("vantage", &desk.vantage),
        ];
        let mut cef = vec![];
        let text = match payload {
            SyslogPayload::Json => json,
            SyslogPayload::Cef => {
                incident.write_cef(&mut cef).expect("memory takes everything");
                std::str::from_utf8(&cef).expect("its parts are text").trim_end_matches('\n')
            }
        };
        let header = (severity, &*time, verdict.label());
        write(formatter, header, &sequence, Some(&ours), text, message).expect("memory takes everything");
        queue.put(message);
    }

    /// Tells of what is no source's verdict. There is no such event in the Common Event Format.
    pub(in crate::export) fn other(&mut self, severity: Severity, label: &str, json: &str) {
        if self.payload == SyslogPayload::Cef {
            return;
        }
        let sequence = self.next_sequence();
        let Self { formatter, message, queue, .. } = self;
        // Its time is that of packets, and stands in the text: no time.
        write(formatter, (severity, "-", label), &sequence, None, json, message).expect("memory takes everything");
        queue.put(message);
    }

    /// Where sources are from now on.
    pub(in crate::export) fn know(&mut self, networks: Option<&Arc<Networks>>) {
        self.desk.networks = networks.cloned();
    }

    /// The next number, by which a receiver sees what it did not get.
    fn next_sequence(&mut self) -> String {
        self.sequence = self.sequence % MOST_SEQUENCE + 1;
        self.sequence.to_string()
    }
}

/// Writes a message: severity, time and identifier, its number, our parameters, the text.
fn write(
    formatter: &Formatter,
    (severity, time, id): (Severity, &str, &str),
    sequence: &str,
    ours: Option<&[(&str, &str)]>,
    text: &str,
    message: &mut Vec<u8>,
) -> io::Result<()> {
    message.clear();
    let meta = ("meta", vec![("sequenceId", sequence)]);
    let elements = [Some(meta), ours.map(|params| (OURS, params.to_vec()))];
    // Text beyond ASCII has a mark in front that tells that it is UTF-8; ASCII is read more widely without (§6.4).
    let text = if text.is_ascii() { Msg::NonUnicodeBytes(text.as_bytes()) } else { Msg::Utf8Str(text) };
    formatter.write_with_data(message, severity, time, text, Some(id), elements.into_iter().flatten())
}

impl std::fmt::Debug for SyslogForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyslogForm").field("payload", &self.payload).field("counts", &self.queue.counts()).finish_non_exhaustive()
    }
}
