//! An event of MISP with an attribute a name (MISP core format, draft-dulaunoy-misp-core-format-17), and the manifest that makes a
//! folder of events a feed.
//!
//! Identifiers follow from what they identify (UUID version 5, RFC 9562), so that a later event of the same families and days
//! takes the place of the earlier one, whose time stamp is older.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::json::Array;
use super::{About, Entry, Layout, text};

#[derive(Default)]
pub(super) struct Misp {
    array: Array,
    made: String,
}

/// What identifiers of this program are made under: chosen once, at random.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x2f1c_5d8e_8a63_4b0e_9d57_0c3a_9e7b_41d6);

#[derive(Serialize)]
struct Attribute<'a> {
    uuid: Uuid,
    r#type: &'a str,
    category: &'a str,
    to_ids: bool,
    value: &'a str,
    comment: String,
    first_seen: String,
    last_seen: String,
    timestamp: &'a str,
}

impl Layout for Misp {
    fn begin(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        self.made = about.made.parts().0.to_string();
        // The event is an object whose last member is the array of attributes: what comes before is written as it is.
        let event = serde_json::to_string(&event(about))?;
        let open = event.strip_suffix('}').unwrap_or(&event);
        write!(out, "{{\"Event\":{open},\"Attribute\":[")
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        if !text::is_plain(entry.text) {
            return Ok(false);
        }
        let list = entry.list;
        let (from, after) = text::window(list);
        let what = format!("misp {} {} {}", list.family, list.day_text, entry.text);
        let attribute = Attribute {
            uuid: Uuid::new_v5(&NAMESPACE, what.as_bytes()),
            r#type: "domain",
            category: "Network activity",
            to_ids: true,
            value: entry.text,
            comment: format!("{}, list of {}", list.family, list.day_text),
            first_seen: from.to_string(),
            last_seen: after.to_string(),
            timestamp: &self.made,
        };
        self.array.item(&attribute, out)?;
        Ok(true)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.array.end(out)?;
        out.write_all(b"}}\n")
    }
}

/// The members of an event, those that its line in a manifest has too among them.
fn event(about: &About) -> serde_json::Value {
    let made = about.made.parts().0.to_string();
    json!({
        "uuid": event_id(about),
        "info": info(about),
        "date": about.made.day().to_string(),
        "timestamp": made,
        "publish_timestamp": made,
        "published": true,
        "analysis": "2",
        "threat_level_id": "2",
        "Orgc": maker(),
    })
}

/// The manifest of a feed of this one event: its identifier, and of its members what tells feeds apart.
pub(super) fn manifest(about: &About) -> serde_json::Value {
    let (date, made) = (about.made.day().to_string(), about.made.parts().0.to_string());
    let event = json!({
        "info": info(about), "date": date, "timestamp": made, "analysis": "2", "threat_level_id": "2", "Orgc": maker(), "Tag": [],
    });
    json!({ (event_id(about)): event })
}

/// The identifier of the event, and the name of its file in a feed.
pub(super) fn event_id(about: &About) -> String {
    let part = about.part.as_deref().unwrap_or_default();
    let what = format!("misp event {} {} {} {part}", about.families.join(","), about.days.0, about.days.1);
    Uuid::new_v5(&NAMESPACE, what.as_bytes()).to_string()
}

fn info(about: &About) -> String {
    let (first, last) = about.days;
    let part = about.part.iter().map(|part| format!(" ({part})")).collect::<String>();
    format!("Generated names of {}, lists of {first} to {last}{part}", about.families.join(", "))
}

fn maker() -> serde_json::Value {
    json!({ "name": "dgawatch", "uuid": Uuid::new_v5(&NAMESPACE, b"organisation").to_string() })
}
