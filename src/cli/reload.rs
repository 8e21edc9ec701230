//! Reads again what `live` was told to look for, while it runs.

use std::env;

use dgawatch::dga::Catalog;
use dgawatch::pipeline::Settings;

use super::Failure;
use super::families::gap;
use super::flag_file::Flags;
use super::names::today;

/// Flags that a reload has take effect. All others take a restart.
const RELOADED: [&str; 12] = [
    "family",
    "list",
    "watchlist",
    "skew",
    "clients",
    "pattern",
    "no-indicators",
    "search-suffix",
    "sinkholes",
    "networks",
    "asn-db",
    "country-db",
];

/// How the sensor runs.
pub(super) struct Running {
    flags: Vec<(String, String, bool)>,
    settings: Settings,
}

impl Running {
    /// By the command line of this process.
    pub(super) fn new(settings: Settings) -> Result<Self, Failure> {
        Ok(Self { flags: flags()?.effective(), settings })
    }

    /// What is to be looked for from now on, and what else has changed.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn read_again(&self) -> Result<(Catalog, Settings, Vec<String>), String> {
        let read = || {
            let flags = flags()?;
            let arguments = flags.arguments();
            let (catalog, settings) = arguments.look_for(&self.settings)?;
            let mut remarks = self.other_changes(&flags);
            remarks.extend(gap(settings.compiled.as_ref(), [today()].into_iter()));
            Ok((catalog, settings, remarks))
        };
        read().map_err(|failure| match failure {
            Failure::Said(sentence) | Failure::Usage(sentence) => sentence,
            Failure::Output(error) => error.to_string(),
            Failure::Reported => "that was said already".to_owned(),
        })
    }

    /// Flags that differ and wait for a restart, a sentence each.
    fn other_changes(&self, flags: &Flags) -> Vec<String> {
        let now = flags.effective();
        let others = |flags: &[(String, String, bool)], than: &[(String, String, bool)]| {
            let other = flags.iter().filter(|flag| !than.contains(flag)).map(|(key, ..)| key.clone());
            other.filter(|key| !RELOADED.contains(&&**key)).collect::<Vec<_>>()
        };
        let mut keys = others(&self.flags, &now);
        keys.extend(others(&now, &self.flags));
        keys.sort();
        keys.dedup();
        keys.into_iter().map(|key| format!("`{key}` has changed too: that takes a restart")).collect()
    }
}

fn flags() -> Result<Flags, Failure> {
    Flags::of_live(env::args_os().collect(), &"the command line")
}
