//! `dgawatch check-config`: what `live --config FILE` would do, without doing it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::flag_file::{Flags, origin};

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
    let words = vec!["dgawatch".into(), "live".into(), "--config".into(), file.into()];
    let flags = Flags::of_live(words, &file.display())?;
    let effects = flags.arguments().effects()?;

    let mut out = io::stdout().lock();
    writeln!(out, "{} is well-formed: `dgawatch live` would start so.\n\nSettings", file.display())?;
    for (key, values, set) in flags.effective() {
        let from = if set { origin(file, &flags.settings, &key) } else { None };
        writeln!(out, "  {key:24} {:24} {}", values, from.as_deref().unwrap_or("by default"))?;
    }
    writeln!(out, "\nEffect")?;
    for line in effects {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}
