//! `dgawatch replay`: captures in, report out.

use std::io::{self, IsTerminal};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use clap::Args;
use dgawatch::dga::Catalog;
use dgawatch::export::Report;
use dgawatch::pipeline::{self, Progress, Settings};
use dgawatch::process::stop_on_signals;
use dgawatch::source::{Follow, Input};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::captures::Captures;
use super::families::{Watched, gap};
#[cfg(feature = "parquet")]
use super::parquet::ParquetFlags;
use super::pictures::Pictures;
use super::report::{Matching, Output, all_told};
use super::syslog::send_report;
use super::{Failure, say};

/// Read captures and report who asks for generated names.
///
/// Reads pcap, pcapng, snoop and dnstap files, compressed or not, directories of them, and standard input. A packet is held against the names of its own
/// UTC day and the days beside it, by the time in the capture. A source is `infected` from so many distinct
/// names of one family and day that chance does not explain them, `suspect` below; names that honest people own count for
/// nothing. Of the hosts behind infected sources it says how many there are, low, best and high, or why that cannot be told.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    captures: Captures,

    #[command(flatten)]
    watched: Watched,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    pictures: Pictures,

    #[cfg(feature = "parquet")]
    #[command(flatten)]
    parquet: ParquetFlags,

    /// Threads that read packets [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,

    #[command(flatten)]
    matching: Matching,

    /// Which share of packets the captures lack, as whoever captured them was told (`tcpdump`: dropped by kernel), from 0 up to 1
    ///
    /// Numbers of hosts reckon with it [default: 0].
    #[arg(long, value_name = "SHARE", value_parser = lost)]
    lost: Option<f64>,

    /// Exit with code 1 if anything was given up that could have held a DNS message: what the text report has under "Not read"
    #[arg(long)]
    strict: bool,
    /// Follow directories that a capture is being written to, until SIGINT or SIGTERM; then report
    ///
    /// For `tcpdump -G` or `-C` and the like: files are read once each, in the order of their first packets; one that still
    /// grows is read as it grows; one that is compressed, renamed or removed after it was read is not read again.
    /// Subdirectories and hidden files are not looked at. One thread reads.
    #[arg(long)]
    follow: bool,

    /// Where --follow remembers what it has read, so that the next run goes on from there
    ///
    /// Written when the report is out: each packet is in one report. The evidence itself is not remembered: the next report
    /// is of what came since. A run that is killed leaves the file as it was.
    #[arg(long, value_name = "FILE", requires = "follow")]
    follow_state: Option<PathBuf>,

    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (catalog, compiled) = arguments.watched.load()?;
    let timeline = arguments.pictures.wanted();
    #[cfg(feature = "parquet")]
    let sketches = arguments.parquet.wanted();
    #[cfg(not(feature = "parquet"))]
    let sketches = false;
    let lost = arguments.lost.unwrap_or(0.0);
    let settings = Settings { compiled, timeline, sketches, lost, ..arguments.matching.settings(&catalog)? };
    if arguments.follow {
        return follow(arguments, &catalog, &settings);
    }
    let desk = arguments.output.desk(&settings.masking)?;
    let syslog = arguments.output.syslog.open(&desk, &settings.masking)?;
    let inputs = arguments.captures.inputs();
    let cores = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let threads = arguments.threads.unwrap_or_else(cores).get().min(MAX_THREADS);
    let stop = stop()?;
    let bar = progress_bar(&inputs, arguments.quiet);
    let mut shown = 0;
    let report = pipeline::replay(&catalog, &inputs, &settings, threads, &stop, &mut |Progress { octets, packets }| {
        // A block takes a tenth of a millisecond; a person sees ten pictures a second.
        if packets - shown > 500_000 || shown == 0 {
            shown = packets.max(1);
            bar.set_message(format!("{:.1} M packets", packets as f64 / 1e6));
        }
        bar.set_position(octets);
    });
    bar.finish_and_clear();

    let report = report.with_desk(desk);
    let whole = arguments.output.write(&report)? & all_told(&settings) & send_report(syslog, &report)?;
    arguments.pictures.write(&report)?;
    #[cfg(feature = "parquet")]
    arguments.parquet.write(&report, arguments.lost)?;
    if stop.load(Ordering::Relaxed) {
        say("stopped by a signal: the report covers what was read until then");
        return Err(Failure::Reported);
    }
    let judged = arguments.judge(&report, &settings, whole);
    // The process ends: what a report of many sources holds goes back to the system at once, and not row by row.
    std::mem::forget(report);
    judged
}

impl Arguments {
    /// Whether what was read is enough, and was looked for.
    fn judge(&self, report: &Report, settings: &Settings, whole: bool) -> Result<(), Failure> {
        let ends =
            report.captures().iter().filter_map(|capture| capture.span).flat_map(|(first, last)| [first.day(), last.day()]);
        if let Some(gap) = gap(settings.compiled.as_ref(), ends) {
            say(&gap);
        }
        if self.strict && report.found().losses().next().is_some() {
            say("not all packets could be read: the report has what was given up, and why (--strict)");
            return Err(Failure::Reported);
        }
        if whole { Ok(()) } else { Err(Failure::Reported) }
    }
}

/// Reads what is written to directories until a signal comes.
fn follow(arguments: &Arguments, catalog: &Catalog, settings: &Settings) -> Result<(), Failure> {
    let folders = &arguments.captures.paths;
    if let Some(other) = folders.iter().find(|path| path.is_file() || path.as_os_str() == "-") {
        return Err(Failure::Usage(format!("--follow {}: name a directory", other.display())));
    }
    let state = arguments.follow_state.as_deref();
    let (mut follow, warning) = Follow::new(folders, arguments.captures.limits(), state).map_err(Failure::Said)?;
    warning.iter().for_each(|warning| say(warning));
    let stop = stop()?;
    say(&format!("following {}", folders.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")));
    let desk = arguments.output.desk(&settings.masking)?;
    let syslog = arguments.output.syslog.open(&desk, &settings.masking)?;
    let report = pipeline::follow(catalog, &mut follow, settings, &stop).with_desk(desk);
    let whole = arguments.output.write(&report)? & all_told(settings) & send_report(syslog, &report)?;
    arguments.pictures.write(&report)?;
    #[cfg(feature = "parquet")]
    arguments.parquet.write(&report, arguments.lost)?;
    state.map_or(Ok(()), |state| follow.save(state)).map_err(Failure::Said)?;
    arguments.judge(&report, settings, whole)
}

/// A share of packets that leaves some.
fn lost(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 up to 1, as 0.02".to_owned())
}

/// A flag that the first signal raises.
fn stop() -> Result<Arc<AtomicBool>, Failure> {
    stop_on_signals().map_err(|error| Failure::Said(format!("signals cannot be handled: {error}")))
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
