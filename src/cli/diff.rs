//! `dgawatch diff`: what became of infected sources between two reports.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dgawatch::export::{Comparison, ComparisonFormat, Grouping};

use super::{Failure, say};

/// Compare two reports: which infected sources are new, persist or are gone.
///
/// Counts by family and network. Takes reports of `replay --format json` or `live --format json`, the earlier first. A source is `new` when it is infected in the later
/// report and was not in the earlier, `persisting` when it was infected and is still seen with listed names, `cleaned` when it was
/// infected and nothing is seen of it any more. Reports whose sources are masked in different ways are refused.
#[derive(Args)]
pub(super) struct Arguments {
    /// The earlier report
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The later report
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// By what to count [default: what the reports tell: labels, else systems, else countries]
    #[arg(long, value_enum)]
    by: Option<By>,

    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// Labels of --networks
    Network,
    /// Autonomous systems
    Asn,
    /// Countries
    Country,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a person: counts
    Text,
    /// One object: counts and sources
    Json,
    /// The sources, one a row
    Csv,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let by = arguments.by.map(|by| match by {
        By::Network => Grouping::Network,
        By::Asn => Grouping::Asn,
        By::Country => Grouping::Country,
    });
    let (old, new) = (open(&arguments.old)?, open(&arguments.new)?);
    let comparison = Comparison::new(old, new, by).map_err(|why| Failure::Said(format!("diff: {why}")))?;
    if comparison.is_backwards() {
        say("the first report ends after the second: is it the other way round?");
    }
    if !comparison.families_left_out().is_empty() {
        let families = comparison.families_left_out().join(", ");
        say(&format!("only one of the reports looked for {families}: left out"));
    }
    let format = match arguments.format {
        Format::Text => ComparisonFormat::Text,
        Format::Json => ComparisonFormat::Json,
        Format::Csv => ComparisonFormat::Csv,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    comparison.write(format, &mut out)?;
    out.flush()?;
    Ok(())
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::Said(format!("report {} cannot be read: {error}", path.display())))
}
