//! What the machine is called.

use nix::unistd::gethostname;

/// The name of this machine, as it calls itself; empty where that is no text.
#[must_use]
pub fn host_name() -> String {
    gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}
