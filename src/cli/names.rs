//! `dgawatch names`: the names of list days.

use std::io::{self, BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use dgawatch::day::{Day, Timestamp};
use dgawatch::export::{Names, NamesFormat};

use super::Failure;
use super::families::Families;

/// Print the names that families generate for a day.
///
/// In the order in which they are generated, day by day, for each family. `plain` is one name a line and nothing else. Where
/// a list stays the same for some days, its list day is the first of them.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    families: Families,

    /// The first day whose lists to print, UTC [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,

    /// How many days; a list that is current on several is printed once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    days: u32,

    /// How to write them
    #[arg(long, value_enum, default_value = "plain")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One lower-case name a line
    Plain,
    /// family, list_day, index, name
    Csv,
    /// An array of objects
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let first = arguments.date.unwrap_or_else(today);
    // At most 100,000.
    let last = first.plus(arguments.days as i32 - 1);
    if last > Day::LAST {
        return Err(Failure::Usage(format!("--days {} from {first} goes beyond {}", arguments.days, Day::LAST)));
    }
    let format = match arguments.format {
        Format::Plain => NamesFormat::Plain,
        Format::Csv => NamesFormat::Csv,
        Format::Json => NamesFormat::Json,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    Names { catalog: &catalog, days: (first, last) }.write(format, &mut out)?;
    Ok(out.flush()?)
}

/// The UTC day by the machine's clock.
pub(super) fn today() -> Day {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(since.as_secs(), 0).day()
}
