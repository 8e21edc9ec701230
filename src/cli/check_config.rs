//! `dgawatch check-config`: what `live --config FILE` would do, without doing it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches};

use super::flag_file::{merge, origin};
use super::{Cli, Failure, live};

/// Check a configuration file, and say what `live` would do with it.
///
/// Reads the lists and patterns that the file names, and opens no interface and no socket. Exit codes: 0 it could start so;
/// 1 something that the file names cannot be read; 2 the file is wrong.
#[derive(Args)]
pub(super) struct Arguments {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = &arguments.file;
    let words: Vec<OsString> = vec!["dgawatch".into(), "live".into(), "--config".into(), file.into()];
    let mut program = Cli::command();
    let (words, settings) = merge(&program, words)?;
    let matches = program.try_get_matches_from_mut(words).map_err(|error| {
        let text = error.to_string();
        let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty() && !line.starts_with("Usage"));
        Failure::Usage(format!("{}: {}", file.display(), lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ")))
    })?;
    let matches = matches.subcommand_matches("live").expect("these words ask for live");
    let live = live::Arguments::from_arg_matches(matches).expect("these matches are of live");
    let effects = live.effects()?;

    let mut out = io::stdout().lock();
    writeln!(out, "{} is well-formed: `dgawatch live` would start so.\n\nSettings", file.display())?;
    let command = program.find_subcommand("live").expect("there is a command live");
    for (key, values, set) in effective(command, matches) {
        let from = if set { origin(file, &settings, &key) } else { None };
        writeln!(out, "  {key:24} {:24} {}", values, from.as_deref().unwrap_or("by default"))?;
    }
    writeln!(out, "\nEffect")?;
    for line in effects {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Flags that have a value or are set, and whether by the file.
fn effective(command: &Command, matches: &ArgMatches) -> Vec<(String, String, bool)> {
    let mut rows = vec![];
    for argument in command.get_arguments() {
        let (Some(key), id) = (argument.get_long(), argument.get_id().as_str()) else { continue };
        let set = matches.value_source(id) == Some(ValueSource::CommandLine);
        if !argument.get_action().takes_values() {
            if set {
                rows.push((key.to_owned(), "true".to_owned(), set));
            }
        } else if let (Some(values), false) = (matches.get_raw(id), key == "config") {
            let values: Vec<String> = values.map(|value| value.to_string_lossy().escape_debug().to_string()).collect();
            rows.push((key.to_owned(), values.join(", "), set));
        }
    }
    rows
}
