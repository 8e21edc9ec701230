//! `dgawatch live`: interfaces in, report out.

use std::num::NonZero;
use std::time::Duration;

use clap::Args;
use dgawatch::pipeline;
use dgawatch::process::stop_on_signals;

use super::families::Families;
use super::report::{Matching, Output, all_told};
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
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let settings = arguments.matching.settings(&catalog)?;
    let stop = stop_on_signals().map_err(|error| Failure::Said(format!("signals cannot be handled: {error}")))?;
    let limit = arguments.seconds.map(|seconds| Duration::from_secs(seconds.get().into()));
    let ready = || say(&format!("listening on {}", arguments.interfaces.join(", ")));
    let report = pipeline::live(&catalog, &arguments.interfaces, &settings, limit, &stop, ready);
    let whole = arguments.output.write(&report.map_err(Failure::Said)?)? & all_told(&settings);
    if whole { Ok(()) } else { Err(Failure::Reported) }
}
