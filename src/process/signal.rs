//! Signals as flags: SIGINT and SIGTERM to stop, SIGHUP to read again, SIGUSR1 to open outputs again.
//!
//! The first that stops asks for good order, the second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

/// A flag that a signal raises.
///
/// # Errors
/// When the system does not let signals be handled.
pub fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Order matters: a signal that finds the flag raised ends the process, then it is raised.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// What an operator may ask of a process that goes on running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// SIGHUP: read configuration and lists again.
    Reload,
    /// SIGUSR1: open output files again, which were renamed.
    Rotate,
}

/// A flag that the request's signal raises, for whoever serves it to lower (`swap(false)`) before doing so.
///
/// # Errors
/// When the system does not let signals be handled.
pub fn request_on_signal(request: Request) -> io::Result<Arc<AtomicBool>> {
    let signal = match request {
        Request::Reload => SIGHUP,
        Request::Rotate => SIGUSR1,
    };
    let asked = Arc::new(AtomicBool::new(false));
    flag::register(signal, Arc::clone(&asked))?;
    Ok(asked)
}
