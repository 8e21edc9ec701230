//! `dgawatch replay`: captures in, report out.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;

use clap::{Args, ValueEnum};
use dgawatch::export::ReportFormat;
use dgawatch::pipeline::{self, Options, Progress};
use dgawatch::process::stop_on_signals;
use dgawatch::source::Input;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::families::Families;
use super::{Failure, say};

/// Read captures and report who asks for generated names.
///
/// Reads pcap and pcapng files, directories of them, and standard input. A packet is held against the names of its own
/// UTC day and the days beside it, by the time in the capture. A source is `infected` from three distinct names of one
/// family and day, `suspect` below; names that honest people own count for nothing.
#[derive(Args)]
pub(super) struct Arguments {
    /// Captures: files, directories (read in the order of their names), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    families: Families,

    /// How to write the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// Sources shown of each family and day in the text report, the weightiest first; 0 for all
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,

    /// Threads that read packets [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,

    /// List days before and after a packet's own that count too: hosts have wrong clocks
    #[arg(long, value_name = "DAYS", default_value = "1")]
    skew: u16,

    /// Sources of each family and day to keep evidence of; hits of further ones are only counted
    #[arg(long, value_name = "N", default_value = "1000000")]
    max_sources: usize,

    /// Further ports to look for DNS on, beside 53, 5353 and 5355
    #[arg(long = "port", value_name = "PORT", value_delimiter = ',')]
    ports: Vec<u16>,

    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
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

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalog = arguments.families.load()?;
    let (inputs, others) = Input::expand(&arguments.paths);
    if others > 0 {
        say(&format!("passed over {others} {} that hold no capture", if others == 1 { "file" } else { "files" }));
    }
    let cores = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let options = Options {
        threads: arguments.threads.unwrap_or_else(cores).get().min(MAX_THREADS),
        skew: arguments.skew,
        max_sources: arguments.max_sources,
        ports: arguments.ports.clone(),
    };
    let stop = stop_on_signals().map_err(|error| Failure::Said(format!("signals cannot be handled: {error}")))?;

    let bar = progress_bar(&inputs, arguments.quiet);
    let mut shown = 0;
    let report = pipeline::replay(&catalog, &inputs, &options, &stop, &mut |Progress { octets, packets }| {
        // A block takes a tenth of a millisecond; a person sees ten pictures a second.
        if packets - shown > 500_000 || shown == 0 {
            shown = packets.max(1);
            bar.set_message(format!("{packets} packets"));
        }
        bar.set_position(octets);
    });
    bar.finish_and_clear();

    let format = match arguments.format {
        Format::Text => ReportFormat::Text { top: arguments.top },
        Format::Json => ReportFormat::Json,
        Format::Csv => ReportFormat::Csv,
    };
    let nothing_read = report.captures().iter().all(|capture| capture.packets == 0 && capture.error.is_some());
    if arguments.format != Format::Text || !nothing_read {
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
    if stop.load(Ordering::Relaxed) {
        say("stopped by a signal: the report covers what was read until then");
        whole = false;
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
        Some(_) => "{bar:24} {percent:>3} %  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}",
        None => "{spinner} {bytes}  {bytes_per_sec}  {elapsed}  {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the templates are well-formed");
    ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}
