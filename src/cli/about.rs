//! `dgawatch completions` and `dgawatch man`: the program about itself.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure};

/// Print the completion script of a shell.
///
/// For bash, say: dgawatch completions bash > /etc/bash_completion.d/dgawatch
#[derive(Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or that of a command.
///
/// To read it: dgawatch man | man -l -
#[derive(Args)]
pub(super) struct ManArguments {
    /// A command, such as replay
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let mut script = vec![];
    clap_complete::generate(arguments.shell, &mut Cli::command(), "dgawatch", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

pub(super) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    if let Some(name) = &arguments.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::Usage(format!("there is no command `{}`", name.escape_debug())))?;
    }
    let mut page = vec![];
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}
