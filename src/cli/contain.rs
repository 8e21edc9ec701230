//! `dgawatch contain`: how many hosts reach at least one name that somebody holds.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dgawatch::day::Day;
use dgawatch::dga::{Catalog, Containment, Family};
use dgawatch::export::{Blocking, ContainmentFormat, ContainmentReport, Registry, write_whole};
use dgawatch::name::RawName;

use super::Failure;
use super::names::{registries, today};

/// Tell how many hosts reach a name that somebody holds.
///
/// A host of Conficker C asks for 500 of 50,000 names, drawn at random: whoever holds 69 of them reaches half of the hosts in a
/// day. Says what a week and a month add, what blocking achieves, how many names it takes, and how many hosts made so many lookups.
#[derive(Args)]
pub(super) struct Arguments {
    /// The family: conficker-a, conficker-b, conficker-c, or synthetic:N with --lookups-per-host
    #[arg(long, value_name = "FAMILY", default_value = "conficker-c")]
    family: String,

    /// Names of a list that somebody holds
    #[arg(long, value_name = "M", default_value = "1")]
    held: u64,

    /// The share of all names that is blocked or registered by defenders, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    blocked: f64,

    /// Lookups at the held names in a day: tells the number of hosts that make as many
    #[arg(long, value_name = "L")]
    lookups: Option<u64>,

    /// Names that a host asks for in a day [default: what the family is known to do]
    #[arg(long, value_name = "S")]
    lookups_per_host: Option<u64>,

    /// The list day whose names are told apart by suffix, UTC [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,

    /// A table of who runs which suffixes: CSV with the columns operator, suffixes [default: one of 2009]
    #[arg(long, value_name = "FILE")]
    registry: Option<PathBuf>,

    /// Draw what is reached into this file, as SVG
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,

    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a person, with a plot
    Text,
    /// One object
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut catalog = Catalog::default();
    catalog.add(&arguments.family).map_err(Failure::Usage)?;
    let mut families = catalog.iter();
    let (Some((_, family)), None) = (families.next(), families.next()) else {
        return Err(Failure::Usage(format!("--family {}: choose one, their lists differ", arguments.family)));
    };
    let day = arguments.date.unwrap_or_else(today);
    let names = u64::from(family.count(day));
    let asked = arguments.lookups_per_host.or_else(|| family.asked().map(u64::from)).ok_or_else(|| {
        Failure::Usage(format!("how many names a host of {} asks for is not known: say it by --lookups-per-host", family.id()))
    })?;
    let model = Containment::new(names, asked).map_err(Failure::Usage)?;
    if arguments.held > names {
        return Err(Failure::Usage(format!("--held {}: the list has {names} names", arguments.held)));
    }
    let (operators, unassigned) = by_operator(family, day, &registries(arguments.registry.as_deref())?);
    let report = ContainmentReport {
        family: family.id().to_owned(),
        model,
        held: arguments.held,
        blocked: arguments.blocked,
        lookups: arguments.lookups,
        operators,
        unassigned,
    };
    if let Some(path) = &arguments.plot {
        write_whole(path, |out| report.svg(out))?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let format = match arguments.format {
        Format::Text => ContainmentFormat::Text,
        Format::Json => ContainmentFormat::Json,
    };
    report.write(format, &mut out)?;
    Ok(out.flush()?)
}

/// The names of a list day by who runs their suffix, most first, and those of nobody.
fn by_operator(family: &dyn Family, day: Day, registries: &[Registry]) -> (Vec<Blocking>, u64) {
    let place = |wire: &[u8]| registries.iter().position(|row| row.suffixes.iter().any(|suffix| suffix.as_wire() == wire));
    // Each suffix is looked for once; what names of a list end in are few.
    let mut known: HashMap<Box<[u8]>, (Option<usize>, u64)> = HashMap::new();
    family.names(day, &mut |name| {
        let Some((_, suffix)) = name.as_raw().split_first() else { return };
        match known.get_mut(suffix) {
            Some((_, count)) => *count += 1,
            None => {
                known.insert(suffix.into(), (endings(suffix).find_map(place), 1));
            }
        }
    });
    let mut operators: Vec<Blocking> =
        registries.iter().map(|row| Blocking { operator: row.operator.clone(), suffixes: vec![], names: 0 }).collect();
    let mut unassigned = 0;
    for (suffix, (place, count)) in known {
        match place {
            Some(place) => {
                operators[place].suffixes.extend(RawName::take(&suffix).map(|suffix| suffix.to_string()));
                operators[place].names += count;
            }
            None => unassigned += count,
        }
    }
    operators.retain(|row| row.names > 0);
    operators.iter_mut().for_each(|row| row.suffixes.sort());
    operators.sort_by(|one, other| other.names.cmp(&one.names).then_with(|| one.operator.cmp(&other.operator)));
    (operators, unassigned)
}

/// A suffix and what is left of it label by label.
fn endings(suffix: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(suffix), |rest| rest.get(1 + usize::from(*rest.first()?)..)).filter(|rest| rest.len() > 1)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1, as 0.99".to_owned())
}
