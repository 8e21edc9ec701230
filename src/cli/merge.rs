//! `dgawatch merge`: the reports of several sensors, or folders of their evidence, in; one report out.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use dgawatch::dga::Catalog;
use dgawatch::export::{ReportHead, ReportUnion, families_of};
use dgawatch::ledger::Masking;

use super::families::load_list;
use super::report::Output;
use super::syslog::send_report;
use super::{Failure, say};

/// Make one report of the JSON reports of several sensors, or of several days.
///
/// The verdicts and the numbers of sources and names are those of one sensor that saw everything: reports carry which names each
/// source asked for, so a source that two sensors saw counts once. Packets and messages add up. Sensors share the key of
/// --pseudonymise, --prefix and --list. The same report given twice counts once. A folder that `--parquet` wrote holds the evidence of
/// its sensors, and nothing of packets, nor of where names lead: give a sensor's reports or its folder, not both.
#[derive(Args)]
pub(super) struct Arguments {
    /// Reports of `replay --format json`, `live --format json` or `merge --format json`; folders of `--parquet`
    #[arg(value_name = "REPORT", required = true)]
    reports: Vec<PathBuf>,

    /// A list of your own that the reports speak of, as the sensors had it
    #[arg(long = "list", value_name = "NAME=FILE")]
    lists: Vec<String>,

    /// Where to write the report instead of standard output: as a whole, or not at all
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    how: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let reports = &arguments.reports;
    let wrong = |path: &Path, why: &str| Failure::Said(format!("report {} {why}", path.display()));
    let open = |path: &Path| File::open(path).map_err(|error| wrong(path, &format!("cannot be read: {error}")));
    let mut heads = vec![];
    let mut folders = BTreeSet::new();
    for path in reports {
        if path.is_dir() {
            let place = path.canonicalize().map_err(|error| wrong(path, &format!("cannot be read: {error}")))?;
            if !folders.insert(place) {
                return Err(Failure::Usage(format!("folder {} is given twice: its messages would count twice", path.display())));
            }
            heads.push(head_of(path)?);
        } else {
            heads.push(ReportHead::read(open(path)?).map_err(|why| wrong(path, &why))?);
        }
    }
    let catalog = arguments.catalog(&families_of(&heads))?;
    let masked = heads.iter().any(ReportHead::is_masked);
    let desk = arguments.how.desk_of_reports(masked)?;
    let syslog = arguments.how.syslog.open(&desk, &Masking::default())?;
    if syslog.is_some() && masked {
        return Err(Failure::Usage("--syslog names sources; what stands for them in these reports is no address".to_owned()));
    }
    let refuse = |(place, why): (usize, String)| wrong(&reports[place], &why);
    let mut union = ReportUnion::new(heads, catalog).map_err(refuse)?;
    for (place, path) in reports.iter().enumerate() {
        if union.is_again(place) {
            say(&format!("report {} is of the same captures as one before: left out", path.display()));
        }
        if path.is_dir() {
            #[cfg(feature = "parquet")]
            union.add_folder(path).map_err(|why| Failure::Said(format!("{why}, so it cannot be merged")))?;
        } else {
            union.add(place, open(path)?).map_err(|why| wrong(path, &format!("cannot be merged: {why}")))?;
        }
    }
    let report = union.finish(desk).map_err(refuse)?;
    let whole = match &arguments.output {
        Some(path) => arguments.how.write_file(&report, path)?,
        None => arguments.how.write(&report)?,
    };
    if whole & send_report(syslog, &report)? { Ok(()) } else { Err(Failure::Reported) }
}

#[cfg(feature = "parquet")]
fn head_of(folder: &Path) -> Result<ReportHead, Failure> {
    ReportHead::of_folder(folder).map_err(|why| Failure::Said(format!("{why}, so it cannot be merged")))
}

#[cfg(not(feature = "parquet"))]
fn head_of(folder: &Path) -> Result<ReportHead, Failure> {
    Err(Failure::Said(format!("{} is a folder, and this program was built without Parquet", folder.display())))
}

impl Arguments {
    /// These families, of which users' own come from --list.
    fn catalog(&self, families: &[String]) -> Result<Catalog, Failure> {
        let mut catalog = Catalog::default();
        let own = |list: &&String, id: &str| list.split_once('=').is_some_and(|(name, _)| name == id);
        for id in families {
            if let Some(list) = self.lists.iter().find(|list| own(list, id)) {
                load_list(list, &mut catalog)?;
                continue;
            }
            catalog.add(id).map_err(|why| {
                Failure::Said(format!("{why}; where it is a list of your own, give it as the sensors had it: --list {id}=FILE"))
            })?;
        }
        let unknown = |list: &&String| list.split_once('=').is_none_or(|(name, _)| families.iter().all(|id| id != name));
        match self.lists.iter().find(unknown) {
            Some(list) => Err(Failure::Usage(format!("--list {list}: write NAME=FILE, NAME as in the reports"))),
            None => Ok(catalog),
        }
    }
}
