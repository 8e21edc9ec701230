//! `dgawatch completions` and `dgawatch man`: the program about itself.

use std::io::{self, Write};
use std::iter;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

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
    /// Write the pages of the program and of every command into this directory instead, as packages have them
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    output: Option<PathBuf>,
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let mut script = vec![];
    clap_complete::generate(arguments.shell, &mut Cli::command(), "dgawatch", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

pub(super) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    if let Some(directory) = &arguments.output {
        let pages = iter::once(&command).chain(command.get_subcommands().filter(|command| command.get_name() != "help"));
        for page in pages {
            let page = page_of(page.clone());
            let path = directory.join(page.get_filename());
            page.generate_to(directory)
                .map_err(|error| Failure::Said(format!("{} cannot be written: {error}", path.display())))?;
        }
        return Ok(());
    }
    if let Some(name) = &arguments.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::Usage(format!("there is no command `{}`", name.escape_debug())))?;
    }
    let mut page = vec![];
    page_of(command).render(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}

/// The page of a command. It names the version alone: the same for all who build it.
fn page_of(command: Command) -> Man {
    let version = env!("CARGO_PKG_VERSION");
    let page = Man::new(command.version(version).long_version(None));
    // An empty date would be left out, and what follows taken for it.
    page.date(" ").source(format!("dgawatch {version}")).manual("Passive DNS sensor")
}
