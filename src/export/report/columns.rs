//! The report as Parquet files, one of evidence for each family and list day.

use std::io;
use std::path::Path;

use super::Report;
use crate::export::parquet::{Contribution, ParquetFolder, write_sketches};

impl Report {
    /// Writes its evidence into a folder: again for the same captures it replaces what is there. `unnamed` is the name of a
    /// sensor that has none; `capture_loss` the share of packets that was lost, where that is known.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_parquet(&self, folder: &Path, unnamed: &str, capture_loss: Option<f64>) -> io::Result<()> {
        // Without a packet there is no evidence either.
        let Some((from, to)) = self.span() else { return Ok(()) };
        let sensor = self.desk.sensor.as_deref().unwrap_or(unnamed);
        let folder = ParquetFolder::new(folder, sensor, from, Some(to));
        let contribution = Contribution {
            sensor,
            catalog: &self.catalog,
            rows: &self.rows,
            hosts: &self.census.rows,
            standards: &self.standards,
            answering: &self.servers,
            networks: self.desk.networks.as_deref(),
            capture_loss,
            masking: self.desk.masked,
        };
        contribution.write(&folder, |_, _| 0)?;
        write_sketches(&folder, sensor, &self.catalog, &self.sketches)
    }
}
