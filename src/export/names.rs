//! The names of list days, in generated order.

use std::io::{self, Write};

use serde::Serialize;

use crate::day::Day;
use crate::dga::{Catalog, Family};

/// How names are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One a line, nothing else.
    Plain,
    /// Family, list day, index, name.
    Csv,
    /// An array of objects of the same.
    Json,
}

/// Writes the names of some families and days.
pub struct Names<'a> {
    /// Whose.
    pub catalog: &'a Catalog,
    /// The first and the last day whose lists are wanted. A list that is current on several is written once.
    pub days: (Day, Day),
}

#[derive(Serialize)]
struct Row<'a> {
    family: &'a str,
    list_day: &'a str,
    index: u32,
    name: &'a str,
}

impl Names<'_> {
    /// Writes them by day, then by family, to `out`, which should be buffered.
    ///
    /// # Errors
    /// When `out` does not take them.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Plain => self.each(&mut |row| writeln!(out, "{}", row.name)),
            Format::Csv => {
                let mut table = csv::Writer::from_writer(out);
                self.each(&mut |row| Ok(table.serialize(row)?))?;
                table.flush()
            }
            Format::Json => {
                let mut before = "[\n";
                self.each(&mut |row| {
                    out.write_all(before.as_bytes())?;
                    before = ",\n";
                    Ok(serde_json::to_writer(&mut *out, row)?)
                })?;
                let end = if before == "[\n" { "[]\n" } else { "\n]\n" };
                out.write_all(end.as_bytes())
            }
        }
    }

    fn each(&self, write: &mut dyn FnMut(&Row<'_>) -> io::Result<()>) -> io::Result<()> {
        let first = self.days.0;
        for day in first.through(self.days.1) {
            for (_, family) in self.catalog.iter() {
                let list_day = family.calendar().list_day(day);
                if list_day == day || day == first {
                    list(family, list_day, &list_day.to_string(), write)?;
                }
            }
        }
        Ok(())
    }
}

fn list(family: &dyn Family, day: Day, list_day: &str, write: &mut dyn FnMut(&Row<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut outcome = Ok(());
    let mut index = 0;
    family.names(day, &mut |name| {
        if outcome.is_ok() {
            outcome = write(&Row { family: family.id(), list_day, index, name: &name.to_string() });
        }
        index += 1;
    });
    outcome
}
