//! What `replay` and `live` share: how to match, and how to write the report.

use std::io::{self, BufWriter, Write};

use clap::{Args, ValueEnum};
use dgawatch::export::{Report, ReportFormat};
use dgawatch::pipeline::Settings;

use super::{Failure, say};

#[derive(Args)]
pub(super) struct Matching {
    /// List days before and after a packet's own that count too: hosts have wrong clocks
    #[arg(long, value_name = "DAYS", default_value = "1")]
    skew: u16,

    /// Sources of each family and day to keep evidence of; hits of further ones are only counted
    #[arg(long, value_name = "N", default_value = "1000000")]
    max_sources: usize,

    /// Further ports to look for DNS on, beside 53, 5353 and 5355
    #[arg(long = "port", value_name = "PORT", value_delimiter = ',')]
    ports: Vec<u16>,
}

impl Matching {
    pub(super) fn settings(&self) -> Settings {
        Settings { skew: self.skew, max_sources: self.max_sources, ports: self.ports.clone() }
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
