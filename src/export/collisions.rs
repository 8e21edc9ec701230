//! Generated names that somebody uses: who is to be warned, and what must never be blocked.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::json;
use crate::day::Day;

/// How they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollisionsFormat {
    /// For a person.
    Text,
    /// A row a name and list.
    Csv,
    /// An object.
    Json,
    /// The names alone, for `names --exclude`.
    Plain,
}

/// What was found, by the first day on which hosts may ask for a name.
#[derive(Serialize)]
pub struct Collisions {
    /// Families that were looked at.
    pub families: Vec<String>,
    /// The first list day.
    #[serde(serialize_with = "as_text")]
    pub first_day: Day,
    /// The last.
    #[serde(serialize_with = "as_text")]
    pub last_day: Day,
    /// Distinct names that the families generate.
    pub generated: u64,
    /// Those of them that somebody uses.
    pub collisions: Vec<Collision>,
}

/// A generated name that somebody uses.
#[derive(Serialize)]
pub struct Collision {
    /// The name.
    pub name: String,
    /// Whose it is, where that is known.
    pub owner: Option<&'static str>,
    /// Who says so.
    pub source: Option<&'static str>,
    /// Where it, or a name below it, was seen: the first few places.
    pub seen: Vec<Sight>,
    /// Places in all.
    pub sights: u64,
    /// The lists that hold it.
    pub lists: Vec<Listing>,
}

/// Where a name in use was seen.
#[derive(Clone, Serialize)]
pub struct Sight {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The name that stands there.
    pub name: String,
}

/// A list that holds a name.
#[derive(Serialize)]
pub struct Listing {
    /// Whose list.
    pub family: String,
    /// Of which day.
    #[serde(serialize_with = "as_text")]
    pub list_day: Day,
    /// The name's place in it.
    pub index: u32,
    /// The first day on which hosts may ask.
    #[serde(serialize_with = "as_text")]
    pub valid_from: Day,
    /// The last.
    #[serde(serialize_with = "as_text")]
    pub valid_until: Day,
}

impl Collisions {
    /// Writes them.
    ///
    /// # Errors
    /// When `out` does not take them.
    pub fn write(&self, format: CollisionsFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            CollisionsFormat::Text => self.text(out),
            CollisionsFormat::Csv => self.csv(out),
            CollisionsFormat::Json => {
                json::write_pretty(self, out)?;
                writeln!(out)
            }
            CollisionsFormat::Plain => self.collisions.iter().try_for_each(|collision| writeln!(out, "{}", collision.name)),
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { families, first_day, last_day, generated, collisions } = self;
        writeln!(out, "{generated} names of {}, lists of {first_day} to {last_day}:", families.join(", "))?;
        if collisions.is_empty() {
            return writeln!(out, "none is known to be in use");
        }
        writeln!(out, "{} are in use. Their owners are to be warned, and they must never be blocked.", collisions.len())?;
        for Collision { name, owner, source, seen, sights, lists } in collisions {
            writeln!(out, "\n{name}")?;
            if let (Some(owner), Some(source)) = (owner, source) {
                writeln!(out, "  owner   {owner} ({source})")?;
            }
            for Sight { file, line, name } in seen {
                writeln!(out, "  in use  {name} ({}, line {line})", file.escape_debug())?;
            }
            if *sights > seen.len() as u64 {
                writeln!(out, "          and {} more", sights - seen.len() as u64)?;
            }
            for Listing { family, list_day, index, valid_from, valid_until } in lists {
                writeln!(out, "  hit     {valid_from} to {valid_until}: {family}, list of {list_day}, index {index}")?;
            }
        }
        Ok(())
    }

    fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = csv::Writer::from_writer(out);
        table.write_record([
            "name",
            "family",
            "list_day",
            "index",
            "valid_from",
            "valid_until",
            "owner",
            "source",
            "seen_file",
            "seen_line",
            "seen_name",
        ])?;
        for Collision { name, owner, source, seen, lists, .. } in &self.collisions {
            let sight = seen.first();
            for list in lists {
                table.write_record([
                    &guarded(name),
                    &list.family,
                    &list.list_day.to_string(),
                    &list.index.to_string(),
                    &list.valid_from.to_string(),
                    &list.valid_until.to_string(),
                    owner.unwrap_or_default(),
                    source.unwrap_or_default(),
                    &sight.map_or_else(String::new, |sight| guarded(&sight.file)),
                    &sight.map_or_else(String::new, |sight| sight.line.to_string()),
                    &sight.map_or_else(String::new, |sight| guarded(&sight.name)),
                ])?;
            }
        }
        table.flush()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn as_text<S: Serializer>(day: &Day, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

/// A cell that no spreadsheet takes for a formula and no terminal for an order.
fn guarded(text: &str) -> String {
    let text: String = text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}
