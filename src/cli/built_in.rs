//! `dgawatch families`: what worms are known, and how well.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use dgawatch::dga::{About, Catalog, Family, Period};
use serde::Serialize;

use super::Failure;

/// List the worms that are known, and how well.
///
/// For each family: how many names a list has, how long it stays the same, since when hosts ask, and what published names it
/// was compared with. Days are UTC. A name of a worm, such as `murofet`, stands for all of its families wherever one is asked for.
#[derive(Args)]
pub(super) struct Arguments {
    /// How to write them
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// An array of objects
    Json,
}

#[derive(Serialize)]
struct Row<'a> {
    family: &'a str,
    worm: Option<&'a str>,
    names: u32,
    /// How long a list stays the same.
    period: String,
    /// Days before and after its own whose lists a host asks for as well.
    days_before: i32,
    days_after: i32,
    since: String,
    until: Option<String>,
    status: &'a str,
    verified: &'a str,
}

impl<'a> Row<'a> {
    fn new(family: &'a dyn Family, about: &'a About) -> Self {
        let calendar = family.calendar();
        let (days_before, days_after) = calendar.reach();
        Self {
            family: family.id(),
            worm: family.worm(),
            names: family.count(family.since()),
            period: match calendar.period() {
                Period::Day => "day".to_owned(),
                Period::Days(days) => format!("{days} days"),
                Period::ThirdOfMonth => "third of a month".to_owned(),
            },
            days_before,
            days_after,
            since: family.since().to_string(),
            until: about.until.map(|day| day.to_string()),
            status: about.status,
            verified: about.verified,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = Catalog::built_in();
    let rows: Vec<Row<'_>> =
        catalog.iter().filter_map(|(_, family)| family.about().map(|about| Row::new(family, about))).collect();
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Text => rows.iter().try_for_each(|row| text(row, &mut out))?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &rows).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn text(row: &Row<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Row { family, names, period, since, status, verified, .. } = row;
    let until = row.until.as_ref().map_or_else(String::new, |until| format!(" until {until}"));
    write!(out, "{family:<20} {names} names per {period}")?;
    if row.days_before + row.days_after > 0 {
        write!(out, ", asked for from {} days before to {} days after", row.days_after, row.days_before)?;
    }
    writeln!(out, ", since {since}{until}: {status}")?;
    writeln!(out, "{:<20} verified: {verified}", "")
}
