//! A table (RFC 4180), one row a name. Written by hand, because a name is the only cell that could need quotes and there are
//! millions; the `csv` crate reads it back in the tests.

use std::io::{self, Write};

use super::{About, Entry, Layout};

pub(super) const COLUMNS: &str = "family,list_day,index,name,valid_from,valid_until";

pub(super) struct Csv;

impl Layout for Csv {
    fn begin(&mut self, _: &About, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{COLUMNS}")
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        row(entry, out)?;
        Ok(true)
    }
}

/// The cells of a name and the end of the row. Families and days hold nothing that would need quotes.
pub(super) fn row(entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<()> {
    let list = entry.list;
    write!(out, "{},{},{},", list.family, list.day_text, entry.index)?;
    cell(entry.text, out)?;
    writeln!(out, ",{},{}", list.from_text, list.until_text)
}

/// A name as a cell: in quotes where it holds a comma or quotes, behind an apostrophe where a spreadsheet would take it for a
/// formula. Only a user's own list can bring either.
pub(super) fn cell(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if text.contains([',', '"']) {
        write!(out, "\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(guard.as_bytes())?;
        out.write_all(text.as_bytes())
    }
}
