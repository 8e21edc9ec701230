//! What leaves the house: reports for people and programs, events, lists of names, decoded messages; and the file in which
//! state crosses restarts.
//!
//! Everything is written as it goes, so that its size costs no memory. What a stranger chose (names, addresses) is
//! escaped where it would mean something to a terminal, a spreadsheet or a parser.

mod event_log;
mod events;
mod messages;
mod names;
mod report;
mod state;

pub use self::event_log::{EventCounts, EventLog};
pub use self::events::Events;
pub use self::messages::write_message;
pub use self::names::{Format as NamesFormat, Names};
pub use self::report::{CaptureSummary, Format as ReportFormat, Found, Report};
pub use self::state::StateFile;
