//! Our standing with the operating system.

mod affinity;
mod signal;

pub use self::affinity::pin;
pub use self::signal::stop_on_signals;
