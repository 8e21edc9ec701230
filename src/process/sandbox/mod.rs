//! What a conquered sensor could not do: open other files, reach the network, start a program.
//!
//! Two walls of the kernel's: Landlock for paths and ports (`paths.rs`), seccomp for system calls (`calls.rs`, and `role.rs`
//! for who may call what). Whoever takes over the process by way of a packet has what is inside both and no more.

mod calls;
mod paths;
mod role;

use std::fmt::{self, Display, Formatter};

pub use self::paths::Access;
pub use self::role::Role;

/// How much of the sandbox there must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// All of it: what the kernel lacks is a failure.
    Require,
    /// What the kernel has; what it lacks is told.
    #[default]
    Try,
    /// None.
    Off,
}

impl Display for Sandbox {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Require => "require",
            Self::Try => "try",
            Self::Off => "off",
        })
    }
}

impl Sandbox {
    /// Lets the calling thread, and those that it starts later, open nothing but what `access` names, and neither bind
    /// a TCP socket nor connect one to another port. What is open stays open. Returns what the kernel lacks, a sentence each.
    ///
    /// # Errors
    /// One sentence: a path that must be there is not; or [`Sandbox::Require`] and something is lacking.
    pub fn confine_paths(self, access: &Access) -> Result<Vec<String>, String> {
        self.weigh(|| paths::confine(access))
    }

    /// Lets the calling thread, and those that it starts later, make the system calls of `role` and no others. A thread
    /// narrows what it had: it never gets more than the thread that started it. Returns what the kernel lacks.
    ///
    /// # Errors
    /// One sentence when [`Sandbox::Require`] and something is lacking.
    pub fn confine_calls(self, role: Role) -> Result<Vec<String>, String> {
        self.weigh(|| Ok(calls::confine(role).err().into_iter().collect()))
    }

    fn weigh(self, confine: impl FnOnce() -> Result<Vec<String>, String>) -> Result<Vec<String>, String> {
        if self == Self::Off {
            return Ok(vec![]);
        }
        let lacking = confine()?;
        if self == Self::Require && !lacking.is_empty() {
            return Err(format!("{} (--sandbox=try goes on without)", lacking.join("; ")));
        }
        Ok(lacking)
    }
}
