//! Events as syslog messages (RFC 5424), sent to a receiver over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).
//!
//! ```text
//!  clerk --> Form: a message --> Queue: bounded, never waits --> Sender: a thread of its own --> receiver
//! ```
//!
//! Whoever tells of an event never waits for the network: a message that finds no room is dropped and counted. One that
//! could not be sent is kept and tried again, on a new connection, after pauses that grow.

mod form;
mod link;
mod queue;
mod receiver;
mod sender;

pub use self::form::{SyslogForm, SyslogPayload};
pub use self::link::{SyslogLink, SyslogTls};
pub use self::queue::{SyslogCounts, SyslogQueue};
pub use self::receiver::SyslogReceiver;
pub use self::sender::SyslogSender;
