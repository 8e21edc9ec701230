//! What a sensor gives up once its captures and sockets are open, as flags.

use std::fmt::{self, Display, Formatter};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use clap::{Args, ValueEnum};
use dgawatch::process::{Access, Keep, Role, Sandbox, User, give_up};

use super::{Failure, say};

#[derive(Args)]
pub(super) struct Confinement {
    /// The user to become when interfaces and sockets are open; needs root. All capabilities are dropped, with it or without
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Confine the process to the files, ports and system calls that it needs
    #[arg(long, value_enum, default_value = "try")]
    sandbox: Mode,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Do not start where the kernel lacks a part of it
    Require,
    /// Say what the kernel lacks, and go on
    Try,
    /// Not at all
    Off,
}

impl Confinement {
    /// Looks up the user, while that can be done. To open an interface again takes a capability that is kept then.
    pub(super) fn prepare(&self, reopen: bool) -> Result<Prepared, Failure> {
        let user = self.user.as_deref().map(User::find).transpose().map_err(Failure::Said)?;
        let keep = if reopen { Keep::Capture } else { Keep::Nothing };
        let sandbox = match self.sandbox {
            Mode::Require => Sandbox::Require,
            Mode::Try => Sandbox::Try,
            Mode::Off => Sandbox::Off,
        };
        Ok(Prepared { user, keep, sandbox })
    }
}

impl Display for Prepared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map_or("whoever started it", User::name);
        let keep = if self.keep == Keep::Capture { "all capabilities but CAP_NET_RAW" } else { "all capabilities" };
        write!(f, "run as {user}, give up {keep}, sandbox: {}", self.sandbox)
    }
}

/// What to give up, and how.
pub(super) struct Prepared {
    user: Option<User>,
    keep: Keep,
    sandbox: Sandbox,
}

impl Prepared {
    /// Makes a directory that is to be written to when everything is given up, where it is missing.
    pub(super) fn make_directory(&self, directory: &Path) -> Result<(), Failure> {
        if directory.is_dir() {
            return Ok(());
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        let made = made.and_then(|()| self.user.as_ref().map_or(Ok(()), |user| user.give(directory)));
        made.map_err(|error| Failure::Said(format!("directory {} cannot be made: {error}", directory.display())))
    }

    /// Gives everything up, says what stands, and returns how threads confine themselves; `connect` has one of them connect TCP
    /// sockets, `stream` others send records to streams. Before other threads are started, after everything is open.
    ///
    /// # Errors
    /// A sentence: do not go on then.
    pub(super) fn enter(&self, access: &Access, connect: bool, stream: bool) -> Result<Sandbox, String> {
        let standing = give_up(self.user.as_ref(), self.keep)?;
        let mut lacking = self.sandbox.confine_paths(access)?;
        lacking.extend(self.sandbox.confine_calls(Role::Main { reopen: self.keep == Keep::Capture, connect, stream })?);
        say(&format!("runs as {standing}; sandbox: {}", self.sandbox));
        lacking.iter().for_each(|lacking| say(lacking));
        if standing.is_root() {
            say("runs as root without capabilities: --user NAME takes root's files from it as well");
        }
        Ok(self.sandbox)
    }
}
