//! `dgawatch explain`: which family and day generates a name; what the verdict on a source rests on.

use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::{Args, ValueEnum};
use dgawatch::day::Day;
use dgawatch::name::Name;
use dgawatch::pipeline;
use dgawatch::watchlist::known_collision;
use serde::Serialize;

use super::families::Families;
use super::names::today;
use super::{Failure, explain_source};

/// Tell which family, list day and index generates a name.
///
/// Looks from the day a family was first seen to a year from now, unless told otherwise. Exit code 0 when every name
/// was found, 1 when one was not.
///
/// With --report, tell what the verdicts on sources in a JSON report rest on.
#[derive(Args)]
pub(super) struct Arguments {
    /// Names, in any case; with --report sources, as written there
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// A report that `replay --format json` or `live` wrote
    #[arg(long, value_name = "REPORT.json", conflicts_with_all = ["families", "lists", "from", "to", "format"])]
    report: Option<PathBuf>,

    #[command(flatten)]
    families: Families,

    /// First day whose lists to look at [default: the day each family was first seen]
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Day>,

    /// Last day whose lists to look at [default: a year from today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Day>,

    /// How to write what is found
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// One object a line
    Json,
}

/// Days ahead that are looked at: a name may be on a list still to come.
const DAYS_AHEAD: i32 = 366;

#[derive(Serialize)]
struct Found<'a> {
    name: &'a str,
    family: &'a str,
    list_day: String,
    index: u32,
    owner: Option<&'a str>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(report) = &arguments.report {
        return explain_source::run(report, &arguments.names);
    }
    let catalog = arguments.families.load()?;
    let parse = |text: &String| Name::parse(text).map_err(|why| Failure::Usage(format!("`{text}` {why}")));
    let names = arguments.names.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let to = arguments.to.unwrap_or_else(|| today().plus(DAYS_AHEAD).min(Day::LAST));
    if arguments.from.is_some_and(|from| from > to) {
        return Err(Failure::Usage("--from lies after --to".to_owned()));
    }
    let days: Vec<_> = catalog.iter().map(|(_, family)| arguments.from.unwrap_or_else(|| family.since())..=to).collect();
    let threads = thread::available_parallelism().map_or(1, NonZero::get);

    let mut out = io::stdout().lock();
    let mut all = true;
    for name in &names {
        let text = name.to_string();
        let found = pipeline::search(&catalog, name, &days, threads);
        all &= !found.is_empty();
        let collision = known_collision(name);
        for (family, list_day, index) in &found {
            let family = catalog.family(*family).id();
            match arguments.format {
                Format::Text => writeln!(out, "{text}: {family}, list of {list_day}, index {index}")?,
                Format::Json => {
                    let owner = collision.map(|collision| collision.owner);
                    let row = Found { name: &text, family, list_day: list_day.to_string(), index: *index, owner };
                    serde_json::to_writer(&mut out, &row).map_err(io::Error::from)?;
                    writeln!(out)?;
                }
            }
        }
        if arguments.format == Format::Text {
            if let Some(collision) = collision {
                writeln!(out, "  belongs to {} ({}): asking for it is no sign of the worm", collision.owner, collision.source)?;
            }
            if found.is_empty() {
                let first = days.iter().map(|days| *days.start()).min().unwrap_or(to);
                let families: Vec<_> = catalog.iter().map(|(_, family)| family.id()).collect();
                writeln!(out, "{text}: on no list of {} from {first} to {to}", families.join(", "))?;
            }
        }
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
