//! What has changed since an older list: names to add, and names to release. Registries must unblock as well.

use std::io::{self, Write};

use serde::Serialize;

use super::json::Array;
use super::{About, Entry, Layout, csv};

/// `+name` and `-name`.
pub(super) struct Plain;

impl Layout for Plain {
    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        writeln!(out, "+{}", entry.text)?;
        Ok(true)
    }

    fn release(&mut self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "-{text}")
    }
}

/// The table of names with what to do in front. Of a name to release nothing but the name is known.
pub(super) struct Csv;

impl Layout for Csv {
    fn begin(&mut self, _: &About, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "action,{}", csv::COLUMNS)
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        out.write_all(b"add,")?;
        csv::row(entry, out)?;
        Ok(true)
    }

    fn release(&mut self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"release,,,,")?;
        csv::cell(text, out)?;
        out.write_all(b",,\n")
    }
}

/// The objects of names with an `action`.
#[derive(Default)]
pub(super) struct Json {
    array: Array,
}

#[derive(Serialize)]
struct Change<'a> {
    action: &'a str,
    name: &'a str,
    family: Option<&'a str>,
    list_day: Option<&'a str>,
    index: Option<u32>,
    valid_from: Option<&'a str>,
    valid_until: Option<&'a str>,
}

impl Layout for Json {
    fn begin(&mut self, _: &About, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"[")
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        let list = entry.list;
        let change = Change {
            action: "add",
            name: entry.text,
            family: Some(list.family),
            list_day: Some(&list.day_text),
            index: Some(entry.index),
            valid_from: Some(&list.from_text),
            valid_until: Some(&list.until_text),
        };
        self.array.item(&change, out)?;
        Ok(true)
    }

    fn release(&mut self, name: &str, out: &mut dyn Write) -> io::Result<()> {
        let nothing = (None, None, None, None);
        let (family, list_day, valid_from, valid_until) = nothing;
        self.array.item(&Change { action: "release", name, family, list_day, index: None, valid_from, valid_until }, out)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.array.end(out)?;
        out.write_all(b"\n")
    }
}
