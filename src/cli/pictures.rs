//! The report as a page and as pictures, beside what goes to standard output.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use dgawatch::export::{Report, write_whole};

use super::Failure;

#[derive(Args)]
pub(super) struct Pictures {
    /// Write the report as one HTML page to FILE as well: it opens from disk and loads nothing
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write its charts as SVG files into DIR as well
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

impl Pictures {
    /// Whether there are any.
    pub(super) const fn wanted(&self) -> bool {
        self.html.is_some() || self.plots.is_some()
    }

    /// Writes them, each as a whole.
    pub(super) fn write(&self, report: &Report) -> Result<(), Failure> {
        let refuse = |error: io::Error| Failure::Said(format!("the report cannot be written: {error}"));
        if let Some(path) = &self.html {
            write_whole(path, |out| report.write_html(out)).map_err(refuse)?;
        }
        if let Some(folder) = &self.plots {
            fs::create_dir_all(folder).map_err(|error| Failure::Said(format!("{} cannot be made: {error}", folder.display())))?;
            for (name, picture) in report.plots() {
                write_whole(&folder.join(name), |out| out.write_all(picture.as_bytes())).map_err(refuse)?;
            }
        }
        Ok(())
    }
}
