//! `dgawatch replay`: captures in, report out.

use std::io::{self, IsTerminal};
use std::num::NonZero;
use std::sync::atomic::Ordering;
use std::thread;

use clap::Args;
use dgawatch::pipeline::{self, Progress};
use dgawatch::process::stop_on_signals;
use dgawatch::source::Input;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::captures::Captures;
use super::families::Families;
use super::report::{Matching, Output};
use super::{Failure, say};

/// Read captures and report who asks for generated names.
///
/// Reads pcap, pcapng and snoop files, compressed or not, directories of them, and standard input. A packet is held against the names of its own
/// UTC day and the days beside it, by the time in the capture. A source is `infected` from three distinct names of one
/// family and day, `suspect` below; names that honest people own count for nothing.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    captures: Captures,

    #[command(flatten)]
    families: Families,

    #[command(flatten)]
    output: Output,

    /// Threads that read packets [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,

    #[command(flatten)]
    matching: Matching,

    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let inputs = arguments.captures.inputs();
    let cores = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let threads = arguments.threads.unwrap_or_else(cores).get().min(MAX_THREADS);
    let stop = stop_on_signals().map_err(|error| Failure::Said(format!("signals cannot be handled: {error}")))?;

    let bar = progress_bar(&inputs, arguments.quiet);
    let mut shown = 0;
    let report = pipeline::replay(
        &catalog,
        &inputs,
        &arguments.matching.settings(),
        threads,
        &stop,
        &mut |Progress { octets, packets }| {
            // A block takes a tenth of a millisecond; a person sees ten pictures a second.
            if packets - shown > 500_000 || shown == 0 {
                shown = packets.max(1);
                bar.set_message(format!("{:.1} M packets", packets as f64 / 1e6));
            }
            bar.set_position(octets);
        },
    );
    bar.finish_and_clear();

    let whole = arguments.output.write(&report)?;
    if stop.load(Ordering::Relaxed) {
        say("stopped by a signal: the report covers what was read until then");
        return Err(Failure::Reported);
    }
    if whole { Ok(()) } else { Err(Failure::Reported) }
}

/// More than any machine has; a slip of the finger would otherwise ask for as much memory.
const MAX_THREADS: usize = 1024;

/// On a terminal: how much is read, how fast, how long it will take. Elsewhere nothing.
fn progress_bar(inputs: &[Input], quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let size: Option<u64> = inputs.iter().map(Input::size).sum();
    let template = match size {
        Some(_) => "{bar:12} {percent:>3} % of {total_bytes}  {bytes_per_sec}  {eta} left  {msg}",
        None => "{spinner} {bytes}  {bytes_per_sec}  {elapsed}  {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the templates are well-formed");
    ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}
