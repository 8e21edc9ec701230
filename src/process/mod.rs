//! Our standing with the operating system.

mod signal;

pub use self::signal::stop_on_signals;
