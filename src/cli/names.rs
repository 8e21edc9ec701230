//! `dgawatch names`: the names of list days, for people and for whoever blocks, registers or watches them.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, thread};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};
use dgawatch::day::{Day, Timestamp};
use dgawatch::dga::{Catalog, FamilyId, Shape};
use dgawatch::export::{About, NameCounts, NameList, NameWriter, NamesFormat, Part, Registry, RepeatFinder, Selection, Target};
use dgawatch::name::Name;
use dgawatch::pipeline::{self, TakeName};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::families::Families;
use super::name_files::name_set;
use super::{Failure, say};

/// Print the names that families generate for a day.
///
/// In the order in which they are generated, day by day, for each family. `plain` is one name a line and nothing else; `csv` and
/// `json` tell the family, list day and index of each, and the days on which hosts may ask for it. `rpz`, `unbound`, `dnsmasq`,
/// `hosts` and `bind` are for resolvers, `suricata` and `zeek` for sensors, `misp` and `stix` for exchanges of indicators;
/// docs/REGISTRIES.md shows how each is used. Where a list stays the same for some days,
/// its list day is the first of them. A name that a format cannot express is left out and told, and the exit code is 1.
#[derive(Args)]
#[command(group = ArgGroup::new("parts").args(["by_tld", "by_registry"]))]
pub(super) struct Arguments {
    #[command(flatten)]
    families: Families,

    /// The first day whose lists to print, UTC [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,

    /// How many days; a list that is current on several is printed once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    days: u32,

    /// Days before and after a list day on which hosts may ask for its names: they have wrong clocks
    #[arg(long, value_name = "DAYS", default_value = "1")]
    skew: u16,

    /// How to write them
    #[arg(long, default_value = "plain", value_parser = PossibleValuesParser::new(NamesFormat::ALL.map(|(_, name)| name)).map(|name| format_of(&name)))]
    format: NamesFormat,

    /// Only names that end in this suffix, as com or co.uk
    #[arg(long, value_name = "SUFFIX", value_delimiter = ',')]
    tld: Vec<String>,

    /// Only names under the suffixes of this operator, as the table of registries calls it
    #[arg(long, value_name = "NAME")]
    operator: Vec<String>,

    /// A table of who runs which suffixes: CSV with the columns operator, suffixes [default: one of 2009]
    #[arg(long, value_name = "FILE")]
    registry: Option<PathBuf>,

    /// Write into this folder, a file for each suffix
    #[arg(long, value_name = "DIR")]
    by_tld: Option<PathBuf>,

    /// Write into this folder, a file for each operator of the table of registries
    #[arg(long, value_name = "DIR")]
    by_registry: Option<PathBuf>,

    /// Write what has changed since an older output: names to add and names to release (plain, csv, json)
    #[arg(long, value_name = "OLD")]
    diff: Option<PathBuf>,

    /// Leave out the names in FILE, as `collisions --format plain` prints them
    #[arg(long, value_name = "FILE")]
    exclude: Vec<PathBuf>,

    /// Write into this file, which is replaced once all is written; for misp a folder, which becomes a feed
    #[arg(long, short, value_name = "FILE", conflicts_with = "parts")]
    output: Option<PathBuf>,

    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
}

/// Names that are remembered one by one where a format must hold each once: 25 octets each. Of more it is found out first which
/// come twice.
const FEW: u64 = 1 << 20;

/// The first and the last of so many list days, from today on unless told.
pub(super) fn range(date: Option<Day>, days: u32) -> Result<(Day, Day), Failure> {
    let first = date.unwrap_or_else(today);
    // At most 100,000.
    let last = first.plus(days as i32 - 1);
    if last > Day::LAST {
        return Err(Failure::Usage(format!("--days {days} from {first} goes beyond {}", Day::LAST)));
    }
    Ok((first, last))
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let days = range(arguments.date, arguments.days)?;
    if arguments.diff.is_some() && !matches!(arguments.format, NamesFormat::Plain | NamesFormat::Csv | NamesFormat::Json) {
        return Err(Failure::Usage("--diff is told as plain, csv or json".to_owned()));
    }
    let registries = registries(arguments.registry.as_deref())?;
    let selection = Selection {
        suffixes: suffixes(arguments, &registries)?,
        exclude: name_set(&arguments.exclude)?,
        older: arguments.diff.clone().map(|older| name_set(&[older])).transpose()?,
    };
    let target = match (&arguments.by_tld, &arguments.by_registry, &arguments.output) {
        (Some(folder), ..) => Target::Folder(folder.clone(), Part::Suffix(known_suffixes(&catalog))),
        (_, Some(folder), _) => Target::Folder(folder.clone(), Part::Registry(registries)),
        (.., Some(file)) => Target::File(file.clone()),
        _ => Target::Stream(Box::new(io::BufWriter::with_capacity(1 << 16, io::stdout().lock()))),
    };
    let families = catalog.iter().map(|(_, family)| family.id().to_owned()).collect();
    let about = About { families, days, made: made()?, part: None };
    let remembers = arguments.format.holds_once() || selection.older.is_some();
    let mut writer = NameWriter::new(arguments.format, about, selection, target)?;
    let total: u64 =
        days.0.through(days.1).map(|day| catalog.iter().map(|(_, family)| u64::from(family.count(day))).sum::<u64>()).sum();
    let walks_twice = remembers && total > FEW;
    let bar = progress_bar(total * if walks_twice { 2 } else { 1 }, arguments.quiet || arguments.writes_to_terminal());
    if walks_twice {
        let mut finder = RepeatFinder::new()?;
        each(&catalog, days, &mut |_, _, index, name| {
            if index % 65_536 == 0 {
                bar.inc(65_536);
            }
            finder.add(name)
        })?;
        writer.expect(finder.finish()?);
    }
    let mut list: Option<(FamilyId, Day, NameList<'_>)> = None;
    each(&catalog, days, &mut |family, day, index, name| {
        let current = match &mut list {
            Some((of, on, list)) if (*of, *on) == (family, day) => list,
            list => &mut list.insert((family, day, NameList::new(catalog.family(family), day, arguments.skew))).2,
        };
        if index % 65_536 == 0 {
            bar.inc(65_536);
        }
        writer.add(current, index, name)
    })?;
    let counts = writer.finish()?;
    bar.finish_and_clear();
    judge(arguments.format, counts)
}

/// Hands over the names of list days on all cores.
pub(super) fn each<E>(catalog: &Catalog, days: (Day, Day), each: &mut TakeName<'_, E>) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    pipeline::names(catalog, days, threads, each)
}

/// Tells what could not be written.
fn judge(format: NamesFormat, counts: NameCounts) -> Result<(), Failure> {
    if counts.inexpressible == 0 {
        return Ok(());
    }
    let name = NamesFormat::ALL.iter().find(|(known, _)| *known == format).map_or("", |(_, name)| name);
    let (left_out, written) = (counts.inexpressible, counts.written);
    say(&format!("{left_out} names were left out: {name} cannot express them; {written} were written"));
    Err(Failure::Reported)
}

impl Arguments {
    /// Whether names themselves show on a terminal, so that a bar would only be in their way.
    fn writes_to_terminal(&self) -> bool {
        self.output.is_none() && self.by_tld.is_none() && self.by_registry.is_none() && io::stdout().is_terminal()
    }
}

fn format_of(name: &str) -> NamesFormat {
    NamesFormat::ALL.iter().find(|(_, known)| *known == name).map_or(NamesFormat::Plain, |(format, _)| *format)
}

/// The table of a file, or the built-in one.
pub(super) fn registries(file: Option<&std::path::Path>) -> Result<Vec<Registry>, Failure> {
    let Some(path) = file else { return Ok(Registry::of_2009()) };
    let name = path.display();
    let file = File::open(path).map_err(|error| Failure::Said(format!("registries {name} cannot be read: {error}")))?;
    Registry::read(file).map_err(|why| Failure::Said(format!("registries {name}: {why}")))
}

/// The suffixes that were asked for.
fn suffixes(arguments: &Arguments, registries: &[Registry]) -> Result<Vec<Name>, Failure> {
    let mut suffixes = vec![];
    for text in &arguments.tld {
        let wrong = |why| Failure::Usage(format!("--tld: `{}` {why}", text.escape_debug()));
        suffixes.push(Name::parse(text.trim_start_matches('.')).map_err(wrong)?);
    }
    for operator in &arguments.operator {
        let known = registries.iter().find(|known| known.operator.eq_ignore_ascii_case(operator));
        let known = known.ok_or_else(|| {
            let names: Vec<&str> = registries.iter().map(|known| known.operator.as_str()).collect();
            Failure::Usage(format!("--operator: there is no `{}` in the table: {}", operator.escape_debug(), names.join(", ")))
        })?;
        suffixes.extend_from_slice(&known.suffixes);
    }
    Ok(suffixes)
}

/// The suffixes that the families generate names under.
fn known_suffixes(catalog: &Catalog) -> Vec<Name> {
    let shapes = catalog.iter().map(|(_, family)| family.shape());
    let suffixes = shapes.filter_map(|shape| match shape {
        Shape::Generated { suffixes, .. } => Some(suffixes.to_vec()),
        Shape::Any => None,
    });
    suffixes.flatten().collect()
}

/// On a terminal: how many names are done, how fast, how long it will take. Elsewhere nothing.
fn progress_bar(names: u64, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{bar:12} {percent:>3} % of {human_len} names  {per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::with_draw_target(Some(names), ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

/// When the output is made: now, or as SOURCE_DATE_EPOCH says, so that it can be made again (reproducible-builds.org).
fn made() -> Result<Timestamp, Failure> {
    let Some(text) = env::var_os("SOURCE_DATE_EPOCH") else { return Ok(now()) };
    let seconds = text.to_str().and_then(|text| text.parse::<u32>().ok());
    let seconds = seconds.ok_or_else(|| Failure::Usage("SOURCE_DATE_EPOCH holds no number of seconds since 1970".to_owned()))?;
    Ok(Timestamp::from_parts(seconds.into(), 0))
}

fn now() -> Timestamp {
    Timestamp::from_parts(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(), 0)
}

/// The UTC day by the machine's clock.
pub(super) fn today() -> Day {
    now().day()
}
