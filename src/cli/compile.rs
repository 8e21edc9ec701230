//! `dgawatch compile`: lists into one file, which `replay` and `live` map instead of building them.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use dgawatch::day::Day;
use dgawatch::export::write_whole;
use dgawatch::watchlist::compile;

use super::Failure;
use super::families::{Families, open};
use super::names::range;

/// Put lists into a file that `replay` and `live` map instead of building them.
///
/// For `--watchlist`: mapped at once, whatever its size. Holds all lists that packets of the days are held against. The file is
/// replaced as a whole, so that sensors that have the old one mapped go on with it until they reload. docs/WATCHLISTS.md says which
/// versions fit together and what a forger could do.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    families: Families,

    /// The first day of packets, UTC [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,

    /// How many days
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=MOST_DAYS))]
    days: u32,

    /// List days before and after a packet's own that count too, as given to `replay` and `live`
    #[arg(long, value_name = "DAYS", default_value = "1")]
    skew: u16,

    /// Write into this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Instead, read all of a file that was compiled before, and tell what it holds or that it is damaged
    #[arg(long, value_name = "FILE", conflicts_with_all = ["families", "lists", "date", "days", "skew", "output"])]
    check: Option<PathBuf>,
}

/// A year and a day.
const MOST_DAYS: i64 = 366;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match (&arguments.check, &arguments.output) {
        (Some(file), _) => check(file),
        (None, Some(output)) => write(arguments, output),
        (None, None) => Err(Failure::Usage("--output FILE is missing".to_owned())),
    }
}

fn write(arguments: &Arguments, output: &Path) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let days = range(arguments.date, arguments.days)?;
    let (mut lists, mut names) = (0_u64, 0_u64);
    let outcome = write_whole(output, |out| {
        compile(&catalog, days, arguments.skew, out, &mut |_, _, count| {
            lists += 1;
            names += u64::from(count);
        })
    });
    outcome.and_then(|()| protect(output)).map_err(|error| Failure::Said(format!("the watchlist cannot be written: {error}")))?;
    let (first, last) = days;
    writeln!(io::stdout().lock(), "{lists} lists with {names} names for packets from {first} to {last}: {}", output.display())?;
    Ok(())
}

/// Lets nobody but the owner write into the file: otherwise nobody would map it.
fn protect(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(metadata.permissions().mode() & !0o022))
}

fn check(path: &Path) -> Result<(), Failure> {
    let image = open(path)?;
    image.check().map_err(|why| Failure::Said(format!("watchlist {} {why}", path.display())))?;
    let mut out = io::stdout().lock();
    let (first, last, skew) = image.days();
    writeln!(out, "packets from {first} to {last}, clocks up to {skew} days wrong; {} octets, all as written", image.size())?;
    for (family, edition, count, octets) in image.lists() {
        writeln!(out, "{family} {edition} {count} names {octets} octets")?;
    }
    Ok(())
}
