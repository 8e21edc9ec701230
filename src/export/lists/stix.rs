//! A bundle of STIX 2.1 indicators, one a name (OASIS, "STIX Version 2.1", sections 4.7 and 9).
//!
//! Nothing in an indicator depends on when it is made: identifiers are UUIDs of version 5, and an indicator counts as created on
//! the day from which hosts with its family asked. The same name, list and window give the same object, always.

use std::io::{self, Write};

use serde::Serialize;
use uuid::Uuid;

use super::json::Array;
use super::misp::NAMESPACE;
use super::{About, Entry, Layout, text};
use crate::day::{Day, Timestamp};

#[derive(Default)]
pub(super) struct Stix {
    array: Array,
}

#[derive(Serialize)]
struct Indicator<'a> {
    r#type: &'a str,
    spec_version: &'a str,
    id: String,
    created: String,
    modified: String,
    name: String,
    indicator_types: [&'a str; 1],
    pattern: String,
    pattern_type: &'a str,
    valid_from: String,
    valid_until: String,
}

impl Layout for Stix {
    fn begin(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        let (first, last) = about.days;
        let part = about.part.as_deref().unwrap_or_default();
        let what = format!("stix bundle {} {first} {last} {} {part}", about.families.join(","), about.made);
        write!(out, "{{\"type\":\"bundle\",\"id\":\"bundle--{}\",\"objects\":[", Uuid::new_v5(&NAMESPACE, what.as_bytes()))
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        if !text::is_plain(entry.text) {
            return Ok(false);
        }
        let list = entry.list;
        let (from, after) = text::window(list);
        // A list may hold a name twice: the index tells the two apart.
        let what = format!("stix {} {} {} {from} {after}", list.family, list.day_text, entry.index);
        let created = moment(midnight(list.since));
        let indicator = Indicator {
            r#type: "indicator",
            spec_version: "2.1",
            id: format!("indicator--{}", Uuid::new_v5(&NAMESPACE, (what + entry.text).as_bytes())),
            modified: created.clone(),
            created,
            name: format!("{}, list of {}", list.family, list.day_text),
            indicator_types: ["malicious-activity"],
            // A plain name holds neither quotes nor backslashes.
            pattern: format!("[domain-name:value = '{}']", entry.text),
            pattern_type: "stix",
            valid_from: moment(from),
            valid_until: moment(after),
        };
        self.array.item(&indicator, out)?;
        Ok(true)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.array.end(out)?;
        out.write_all(b"}\n")
    }
}

fn midnight(day: Day) -> Timestamp {
    Timestamp::from_parts(u64::from(day.number().unsigned_abs()) * 86_400, 0)
}

/// With milliseconds, as most readers write it.
fn moment(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.get(..23).unwrap_or(&text))
}
