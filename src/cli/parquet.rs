//! `--parquet DIR`: evidence as Parquet files, beside the report.

use std::path::PathBuf;

use clap::Args;
use dgawatch::export::{Desk, Report};
#[cfg(feature = "live")]
use dgawatch::pipeline::{ParquetConfig, StateConfig, Threads};
use dgawatch::process::host_name;

use super::Failure;
#[cfg(feature = "live")]
use super::say;

#[derive(Args)]
#[command(next_help_heading = "Parquet")]
pub(super) struct ParquetFlags {
    /// Write the evidence into DIR as well, as Parquet files for ClickHouse, DuckDB, Spark and `dgawatch merge`
    ///
    /// The name of the sensor there is --sensor, or else that of the host. A file for each family and list day, and sketches of the sources of each hour. Files of one run replace each other, files of
    /// others stay: whoever reads all has each message once.
    #[arg(long = "parquet", value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
}

impl ParquetFlags {
    /// Whether there are to be files.
    pub(super) const fn wanted(&self) -> bool {
        self.folder.is_some()
    }

    /// Writes a report of captures that are known to lack a share of their packets, if that is known.
    pub(super) fn write(&self, report: &Report, lost: Option<f64>) -> Result<(), Failure> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let written = report.write_parquet(folder, &host(), lost);
        written.map_err(|error| Failure::Said(format!("the evidence cannot be written: {error}")))
    }
}

/// The name of the host, where it has one that can be part of a file's name.
fn host() -> String {
    Some(host_name()).filter(|name| Desk::is_sensor(name)).unwrap_or_else(|| "unnamed".to_owned())
}

#[cfg(feature = "live")]
#[derive(Args)]
#[command(next_help_heading = "Parquet")]
pub(super) struct LiveParquet {
    #[command(flatten)]
    pub(super) flags: ParquetFlags,

    /// Write list days that are open so often, in seconds; a list day that is over, and all at the end, is written at once
    #[arg(long = "parquet-interval", value_name = "SECONDS", default_value = "3600", value_parser = clap::value_parser!(u32).range(1..))]
    interval: u32,
}

#[cfg(feature = "live")]
impl LiveParquet {
    /// What would be done.
    pub(super) fn effect(&self) -> Option<String> {
        let folder = self.flags.folder.as_ref()?.display();
        Some(format!("write the evidence as Parquet to {folder} every {} s", self.interval))
    }

    /// Where the files of a sensor go. `restored` says whether the run goes on with evidence that was kept as state.
    pub(super) fn config(&self, desk: &Desk, state: Option<&StateConfig>, restored: bool) -> Option<ParquetConfig> {
        let now = (Threads::default().clock)();
        let interval = std::time::Duration::from_secs(self.interval.into());
        let folder = self.flags.folder.clone()?;
        let began = ParquetConfig::began(state, restored, now, &say);
        let sensor = desk.sensor.clone().unwrap_or_else(host);
        Some(ParquetConfig { folder, sensor, interval, began, now })
    }
}
