//! An array of objects, one a line.

use std::io::{self, Write};

use serde::Serialize;

use super::{About, Entry, Layout};

#[derive(Default)]
pub(super) struct Json {
    array: Array,
}

#[derive(Serialize)]
struct Row<'a> {
    family: &'a str,
    list_day: &'a str,
    index: u32,
    name: &'a str,
    valid_from: &'a str,
    valid_until: &'a str,
}

impl Layout for Json {
    fn begin(&mut self, _: &About, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"[")
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        let list = entry.list;
        self.array.item(
            &Row {
                family: list.family,
                list_day: &list.day_text,
                index: entry.index,
                name: entry.text,
                valid_from: &list.from_text,
                valid_until: &list.until_text,
            },
            out,
        )?;
        Ok(true)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.array.end(out)?;
        out.write_all(b"\n")
    }
}

/// The inside of an array, an item a line.
#[derive(Default)]
pub(super) struct Array {
    begun: bool,
    /// The item that is being written: made here first, because small pieces cost `out` more than they cost memory.
    item: Vec<u8>,
}

impl Array {
    pub(super) fn item(&mut self, item: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
        self.item.clear();
        self.item.extend_from_slice(if self.begun { b",\n" } else { b"\n" });
        self.begun = true;
        serde_json::to_writer(&mut self.item, item)?;
        out.write_all(&self.item)
    }

    /// Closes it.
    pub(super) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(if self.begun { b"\n]" } else { b"]" })
    }
}
