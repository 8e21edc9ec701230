//! `dgawatch live`: interfaces in, report out.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dgawatch::pipeline;
use dgawatch::process::{Access, stop_on_signals};

use super::confinement::Confinement;
use super::families::Families;
use super::names::today;
use super::report::{Matching, Output};
use super::{Failure, say};

/// Listen to interfaces, and report who asked for generated names when stopped.
///
/// Listens until SIGINT (Ctrl-C) or SIGTERM, or for so many seconds, then prints the report. Needs root or CAP_NET_RAW.
/// Sends nothing. Packets lost before they were seen are told, and make the exit code 1.
#[derive(Args)]
pub(super) struct Arguments {
    /// An interface, such as a span port; may repeat
    #[arg(long = "interface", short, value_name = "INTERFACE", required = true)]
    interfaces: Vec<String>,

    /// Stop by itself after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<NonZero<u32>>,

    #[command(flatten)]
    families: Families,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    matching: Matching,

    #[command(flatten)]
    confinement: Confinement,

    /// Flags from a file, in TOML: `interface = ["eth1"]` for --interface eth1; those given here go before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    /// What would be done, a line each; reads what it takes to say so.
    pub(super) fn effects(&self) -> Result<Vec<String>, Failure> {
        let catalog = self.families.load()?;
        let settings = self.matching.settings(&catalog)?;
        let mut lines = vec![format!("listen on {}", self.interfaces.join(", "))];
        let today = today();
        for (_, family) in catalog.iter() {
            lines.push(format!("look for {}: {} names on the list of {today}", family.id(), family.count(today)));
        }
        lines.push(format!("hold packets against the lists of {} days before and after their own", settings.skew));
        lines.push(format!("watch {} patterns of yours", settings.patterns.own()));
        lines.push(format!("keep evidence of up to {} sources of each family and day", settings.max_sources));
        lines.push(self.confinement.prepare()?.to_string());
        Ok(lines)
    }

    /// What may still be opened when the captures are open.
    fn access(&self) -> Access {
        let mut access = Access::default();
        for file in self.families.files().chain(self.matching.files()).chain(self.config.as_deref()) {
            if !access.reload(file) {
                say(&format!("{} cannot be read again once it is replaced: put it in a directory of its own", file.display()));
            }
        }
        access
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let settings = arguments.matching.settings(&catalog)?;
    let stop = stop_on_signals().map_err(|error| Failure::Said(format!("signals cannot be handled: {error}")))?;
    let limit = arguments.seconds.map(|seconds| Duration::from_secs(seconds.get().into()));
    let (prepared, access) = (arguments.confinement.prepare()?, arguments.access());
    let ready = || {
        let sandbox = prepared.enter(&access)?;
        say(&format!("listening on {}", arguments.interfaces.join(", ")));
        Ok(sandbox)
    };
    let report = pipeline::live(&catalog, &arguments.interfaces, &settings, limit, &stop, ready);
    let whole = arguments.output.write(&report.map_err(Failure::Said)?)?;
    if whole { Ok(()) } else { Err(Failure::Reported) }
}
