//! `dgawatch collisions`: generated names that honest people own, before hosts ask for them.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dgawatch::day::Day;
use dgawatch::dga::FamilyId;
use dgawatch::export::{Collision, Collisions, CollisionsFormat, Listing, NameList, Sight};
use dgawatch::name::{Name, RawName};
use dgawatch::watchlist::{NameSet, known_collision, known_collisions};

use super::Failure;
use super::families::Families;
use super::name_files::each_name;
use super::names;

/// Find generated names that honest people own.
///
/// They must be warned, and the names must never be blocked. A worm that makes up names hits real ones sooner or later. The names of the coming days are looked for among those that are known
/// to be in use: in files of yours, and in what is built in (four names of 2009). A name below a generated one counts as well.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    families: Families,

    /// The first list day, UTC [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,

    /// How many list days; their names are kept in memory, about 25 octets each
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    days: u32,

    /// Days before and after a list day on which hosts may ask for its names
    #[arg(long, value_name = "DAYS", default_value = "1")]
    skew: u16,

    /// Names in use: a zone file, a top list (`rank,name`), a CSV with a column name, domain or rrname, a hosts file, or one name a line
    ///
    /// Told by what it holds; zone:FILE, csv:, hosts: and list: say it. Read line by line, so that it may be of any size.
    #[arg(long = "in-use", value_name = "FILE")]
    in_use: Vec<PathBuf>,

    /// How to write what is found; plain is for `names --exclude`
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// A row for each name and list
    Csv,
    /// One object
    Json,
    /// The names alone
    Plain,
}

/// Places that are kept of where a name was seen.
const MOST_SIGHTS: usize = 3;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let days = names::range(arguments.date, arguments.days)?;
    let mut generated = NameSet::default();
    let count = |_: FamilyId, _: Day, _: u32, name: &Name| generated.insert(name).map(|_| ());
    names::each(&catalog, days, &mut { count }).map_err(Failure::Said)?;

    let mut found: BTreeMap<u32, (Vec<Sight>, u64)> = BTreeMap::new();
    for file in &arguments.in_use {
        let title = file.display().to_string();
        each_name(file, true, &mut |line, name| {
            look_up(&generated, name, |place| {
                let (sights, count) = found.entry(place).or_default();
                *count += 1;
                if sights.len() < MOST_SIGHTS {
                    sights.push(Sight { file: title.clone(), line, name: name.to_string() });
                }
            });
            Ok(())
        })?;
    }
    for known in known_collisions() {
        if let Some(place) = Name::parse(known.name).ok().and_then(|name| generated.place(&name)) {
            found.entry(place).or_default();
        }
    }

    // The lists again, for those that hold what was found.
    let mut lists: BTreeMap<u32, Vec<Listing>> = BTreeMap::new();
    if !found.is_empty() {
        names::each::<String>(&catalog, days, &mut |id, list_day, index, name| {
            if let Some(place) = generated.place(name).filter(|place| found.contains_key(place)) {
                let family = catalog.family(id);
                let (valid_from, valid_until) = NameList::new(family, list_day, arguments.skew).window();
                let family = family.id().to_owned();
                lists.entry(place).or_default().push(Listing { family, list_day, index, valid_from, valid_until });
            }
            Ok(())
        })
        .map_err(Failure::Said)?;
    }
    let collisions = found.into_iter().map(|(place, (seen, sights))| {
        let name = Name::from(generated.name(place));
        let known = known_collision(&name);
        Collision {
            name: name.to_string(),
            owner: known.map(|known| known.owner),
            source: known.map(|known| known.source),
            seen,
            sights,
            lists: lists.remove(&place).unwrap_or_default(),
        }
    });
    // Places go up as names come: by the first day.
    let report = Collisions {
        families: catalog.iter().map(|(_, family)| family.id().to_owned()).collect(),
        first_day: days.0,
        last_day: days.1,
        generated: generated.len() as u64,
        collisions: collisions.collect(),
    };
    let format = match arguments.format {
        Format::Text => CollisionsFormat::Text,
        Format::Csv => CollisionsFormat::Csv,
        Format::Json => CollisionsFormat::Json,
        Format::Plain => CollisionsFormat::Plain,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    report.write(format, &mut out)?;
    Ok(out.flush()?)
}

/// Reports the places of the generated names that `name` is or lies below.
fn look_up(generated: &NameSet, name: &Name, mut found: impl FnMut(u32)) {
    let mut above = Name::root();
    let mut rest = name.as_wire();
    while let Some(raw) = RawName::take(rest).filter(|raw| raw.as_wire().len() > 1) {
        above.set(raw);
        generated.place(&above).into_iter().for_each(&mut found);
        rest = &rest[1 + usize::from(rest[0])..];
    }
}
