//! What `replay` and `live` share: how to match, and how to write the report.

use std::fs;
use std::io::{self, BufWriter, Write};
#[cfg(feature = "live")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use dgawatch::dga::Catalog;
use dgawatch::export::{Report, ReportFormat};
use dgawatch::pipeline::Settings;
use dgawatch::watchlist::{Patterns, SearchList};

use super::decoding::Decoding;
use super::{Failure, say};

#[derive(Args)]
pub(super) struct Matching {
    /// List days before and after a packet's own that count too: hosts have wrong clocks
    #[arg(long, value_name = "DAYS", default_value = "1")]
    skew: u16,

    /// Sources of each family and day to keep evidence of, and of each set of patterns; further ones are only counted
    #[arg(long, value_name = "N", default_value = "1000000")]
    max_sources: usize,

    #[command(flatten)]
    decoding: Decoding,

    /// Names to watch beside the generated ones, one a line: `a.example` that name, `.a.example` that and all below, `*text*`
    /// names that hold text; a label may follow a comma. Reported for every source that asked; never part of a verdict
    #[arg(long = "pattern", value_name = "FILE")]
    patterns: Vec<PathBuf>,

    /// Leave out what else infected hosts ask for (public-address checks, fixed names), shown beside their evidence
    #[arg(long)]
    no_indicators: bool,

    /// Domains that clients append to what they look for: with corp.example, abcde.com.corp.example counts as abcde.com
    #[arg(long = "search-suffix", value_name = "DOMAIN", value_delimiter = ',')]
    search_suffixes: Vec<String>,
}

impl Matching {
    /// The files of patterns.
    #[cfg(feature = "live")]
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.patterns.iter().map(PathBuf::as_path)
    }

    pub(super) fn settings(&self, catalog: &Catalog) -> Result<Settings, Failure> {
        let mut search_list = SearchList::default();
        for suffix in &self.search_suffixes {
            let wrong = |why| Failure::Usage(format!("--search-suffix: `{}` {why}", suffix.escape_debug()));
            search_list.add(suffix).map_err(wrong)?;
        }
        let mut patterns = Patterns::default();
        if !self.no_indicators {
            patterns.add_indicators(catalog);
        }
        for path in &self.patterns {
            let name = path.display().to_string();
            let text = fs::read(path).map_err(|error| Failure::Said(format!("patterns {name} cannot be read: {error}")))?;
            patterns.add_set(&name, &text).map_err(|why| Failure::Said(format!("patterns {name}: {why}")))?;
        }
        let (patterns, decode) = (Arc::new(patterns), self.decoding.config());
        Ok(Settings { skew: self.skew, max_sources: self.max_sources, decode, patterns, search_list })
    }
}

#[derive(Args)]
pub(super) struct Output {
    /// How to write the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// Sources shown of each family and day in the text report, the weightiest first; 0 for all
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// One object with everything
    Json,
    /// The sources, one a row
    Csv,
}

impl Output {
    /// Writes the report to standard output, and what could not be read to standard error; tells whether all was read.
    pub(super) fn write(&self, report: &Report<'_>) -> Result<bool, Failure> {
        let format = match self.format {
            Format::Text => ReportFormat::Text { top: self.top },
            Format::Json => ReportFormat::Json,
            Format::Csv => ReportFormat::Csv,
        };
        let captures = report.captures();
        // Where there was none to be read, the report says so.
        let nothing_read = !captures.is_empty() && captures.iter().all(|capture| capture.packets == 0 && capture.error.is_some());
        if self.format != Format::Text || !nothing_read {
            let mut out = BufWriter::new(io::stdout().lock());
            report.write(format, &mut out)?;
            out.flush()?;
        }
        let mut whole = true;
        for capture in report.captures() {
            if let Some(error) = &capture.error {
                say(&format!("{} {error}", capture.path));
                whole = false;
            }
        }
        Ok(whole)
    }
}
