//! A file of Zeek's intelligence framework: columns separated by tabs, named in the first line (Book of Zeek, "Intelligence
//! Framework", loading intelligence).

use std::io::{self, Write};

use super::{About, Entry, Layout, text};

pub(super) struct Zeek;

impl Layout for Zeek {
    fn begin(&mut self, _: &About, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc")
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        if !text::is_plain(entry.text) {
            return Ok(false);
        }
        let list = entry.list;
        writeln!(out, "{}\tIntel::DOMAIN\tdgawatch\t{}, list of {}", entry.text, list.family, list.day_text)?;
        Ok(true)
    }
}
