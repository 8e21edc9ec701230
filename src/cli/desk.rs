//! What abuse desks add to a report, as flags: from where traffic is seen, who reports, in which networks sources are.

#[cfg(feature = "live")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dgawatch::export::{Desk, Networks, Reporter};
use dgawatch::ledger::Masking;

use super::Failure;

#[derive(Args)]
#[command(next_help_heading = "Abuse desk")]
pub(super) struct DeskFlags {
    /// Where the sensor sees traffic, told in abuse formats, such as "client side, POP Berlin"
    ///
    /// Say whether it sees clients or resolvers: behind a resolver each source is the resolver, with many hosts or none.
    #[arg(long, value_name = "NAME", default_value = Desk::UNTOLD, value_parser = vantage)]
    vantage: String,

    /// What this sensor is called in its JSON report, for `dgawatch merge`: letters, digits, `.`, `-`, `_`
    ///
    /// [default: none for replay, the name of the host for live]
    #[arg(long, value_name = "NAME", value_parser = sensor)]
    sensor: Option<String>,

    /// Who reports, and can be asked, for XARF: "Example ISP <abuse@isp.example>"
    #[arg(long, value_name = "WHO")]
    reporter: Option<Reporter>,

    /// Suspects too in abuse formats: whoever gets them must not take them for infected
    #[arg(long)]
    suspects: bool,

    /// Labels of networks, such as pools of customers: prefix,label a line
    ///
    /// The longest prefix counts. Shown in reports, abuse formats and dgawatch_network_sources. Not with
    /// --pseudonymise. A reload reads it and the databases again.
    #[arg(long, value_name = "FILE")]
    networks: Option<PathBuf>,

    /// Autonomous systems of sources, from a database in MaxMind's format such as GeoLite2-ASN
    #[arg(long, value_name = "FILE")]
    asn_db: Option<PathBuf>,

    /// Countries of sources, from a database in MaxMind's format such as GeoLite2-Country
    #[arg(long, value_name = "FILE")]
    country_db: Option<PathBuf>,
}

impl DeskFlags {
    /// What is known of networks, read from the files as they are now. `masking` is what becomes of sources.
    pub(super) fn networks(&self, masking: &Masking) -> Result<Option<Arc<Networks>>, Failure> {
        let Self { networks, asn_db, country_db, .. } = self;
        if networks.is_none() && asn_db.is_none() && country_db.is_none() {
            return Ok(None);
        }
        let mut known = Networks::new(masking).map_err(Failure::Usage)?;
        networks.iter().try_for_each(|path| known.add_labels(path)).map_err(Failure::Said)?;
        asn_db.iter().try_for_each(|path| known.add_systems(path)).map_err(Failure::Said)?;
        country_db.iter().try_for_each(|path| known.add_countries(path)).map_err(Failure::Said)?;
        Ok(Some(Arc::new(known)))
    }

    /// The files.
    #[cfg(feature = "live")]
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.networks, &self.asn_db, &self.country_db].into_iter().flatten().map(PathBuf::as_path)
    }

    /// All of it.
    pub(super) fn read(&self, masking: &Masking) -> Result<Desk, Failure> {
        let networks = self.networks(masking)?;
        Ok(Desk {
            vantage: self.vantage.clone(),
            sensor: self.sensor.clone(),
            reporter: self.reporter.clone(),
            suspects: self.suspects,
            networks,
            masked: masking.told(),
        })
    }
}

/// What can be part of a file's name.
fn sensor(text: &str) -> Result<String, String> {
    if Desk::is_sensor(text) {
        Ok(text.to_owned())
    } else {
        Err("give 1 to 64 letters, digits, dots, hyphens and underscores".to_owned())
    }
}

/// What can be shown anywhere, and is no novel.
fn vantage(text: &str) -> Result<String, String> {
    let text = text.trim();
    if Desk::is_vantage(text) { Ok(text.to_owned()) } else { Err("give 1 to 200 printable characters".to_owned()) }
}
