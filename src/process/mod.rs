//! Our standing with the operating system: signals, privileges, what may still be called and opened, the service manager.
//!
//! The order that works: open captures and sockets, [`give_up`], [`Sandbox::confine_paths`], [`Sandbox::confine_calls`]
//! as [`Role::Main`], start the threads, and first in each of them [`pin`] and [`Sandbox::confine_calls`] with its role.
//! All but `pin` and roles bind the calling thread and those that it starts later: call them before there are others.

mod affinity;
mod host;
mod notify;
mod privilege;
mod sandbox;
mod signal;
mod terminal;

pub use self::affinity::pin;
pub use self::host::host_name;
pub use self::notify::Notifier;
pub use self::privilege::{Keep, Standing, User, give_up};
pub use self::sandbox::{Access, Role, Sandbox};
pub use self::signal::{Request, request_on_signal, stop_on_signals};
pub use self::terminal::terminal_is_gone;
