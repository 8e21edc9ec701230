//! The command line: one file a command, each from words to the typed settings of the rooms.

mod about;
mod built_in;
mod captures;
#[cfg(feature = "live")]
mod check_config;
mod collisions;
mod compile;
#[cfg(feature = "live")]
mod confinement;
mod contain;
mod decode;
mod decoding;
mod desk;
mod diff;
mod explain;
mod explain_source;
mod families;
#[cfg(feature = "live")]
mod flag_file;
#[cfg(feature = "live")]
mod live;
mod merge;
mod name_files;
mod names;
#[cfg(feature = "parquet")]
mod parquet;
mod pictures;
#[cfg(feature = "live")]
mod reload;
mod replay;
mod report;
mod simulate;
mod syslog;
#[cfg(feature = "top")]
mod top;
#[cfg(feature = "live")]
mod web;

use std::ffi::OsString;
use std::process::ExitCode;
use std::{env, io};

#[cfg(feature = "live")]
use clap::CommandFactory;
use clap::{Parser, Subcommand};

/// Tells which sources ask for the names that a worm generates.
///
/// Every machine infected with Conficker computes, from the date, the names it will ask for orders; other worms do the
/// same. dgawatch computes the same names and finds, in DNS traffic, who asks for them. It only listens.
#[derive(Parser)]
#[command(name = "dgawatch", version, long_version = env!("DGAWATCH_VERSION"), max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  dgawatch replay capture.pcap            who in this capture is infected
  dgawatch replay --format json captures/ the same for scripts, for every capture below
  tcpdump -w - port 53 | dgawatch replay -
  dgawatch names --date 2009-04-01        the names of that day
  dgawatch explain praat.org              which worm generates a name, and when
  dgawatch families                       what worms are known

Exit codes: 0 done, 1 failed or read only in part, 2 wrong usage.";

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it, and it does not live long")]
enum Command {
    Replay(replay::Arguments),
    #[cfg(feature = "live")]
    Live(live::Arguments),
    #[cfg(feature = "top")]
    Top(top::Arguments),
    #[cfg(feature = "live")]
    CheckConfig(check_config::Arguments),
    Names(names::Arguments),
    Collisions(collisions::Arguments),
    Contain(contain::Arguments),
    Compile(compile::Arguments),
    Diff(diff::Arguments),
    Merge(merge::Arguments),
    Explain(explain::Arguments),
    Families(built_in::Arguments),
    Decode(decode::Arguments),
    Simulate(simulate::Arguments),
    Completions(about::CompletionsArguments),
    Man(about::ManArguments),
}

/// Why a command did not succeed.
pub(crate) enum Failure {
    /// One sentence for standard error.
    Said(String),
    /// Wrong usage, in one sentence.
    Usage(String),
    /// All was said already.
    Reported,
    /// The output was not taken.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs the command that the arguments of the process ask for.
pub(crate) fn run() -> ExitCode {
    let words = match words() {
        Ok(words) => words,
        Err(failure) => return fail(failure),
    };
    let outcome = match Cli::parse_from(words).command {
        Command::Replay(arguments) => replay::run(&arguments),
        #[cfg(feature = "live")]
        Command::Live(arguments) => live::run(&arguments),
        #[cfg(feature = "top")]
        Command::Top(arguments) => top::run(&arguments),
        #[cfg(feature = "live")]
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::Names(arguments) => names::run(&arguments),
        Command::Collisions(arguments) => collisions::run(&arguments),
        Command::Contain(arguments) => contain::run(&arguments),
        Command::Compile(arguments) => compile::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Explain(arguments) => return explain::run(&arguments).unwrap_or_else(fail),
        Command::Families(arguments) => built_in::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Completions(arguments) => about::completions(&arguments),
        Command::Man(arguments) => about::man(&arguments),
    };
    outcome.map_or_else(fail, |()| ExitCode::SUCCESS)
}

/// The command line, with what the file of flags says where it names one.
fn words() -> Result<Vec<OsString>, Failure> {
    let words = env::args_os().collect();
    #[cfg(feature = "live")]
    let (words, _) = flag_file::merge(&Cli::command(), words)?;
    Ok(words)
}

fn fail(failure: Failure) -> ExitCode {
    match failure {
        Failure::Said(sentence) => say(&sentence),
        Failure::Usage(sentence) => {
            say(&format!("{sentence} (see --help)"));
            return ExitCode::from(2);
        }
        Failure::Reported => {}
        // Whoever read our output has seen enough.
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Failure::Output(error) => say(&format!("the output cannot be written: {error}")),
    }
    ExitCode::FAILURE
}

/// Says one line on standard error, safe for a terminal whatever is in it.
fn say(line: &str) {
    let safe: String = line.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    eprintln!("dgawatch: {safe}");
}
