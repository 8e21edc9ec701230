//! What leaves the house: reports for people and programs, lists of names, decoded messages.
//!
//! Everything is written as it goes, so that its size costs no memory. What a stranger chose (names, addresses) is
//! escaped where it would mean something to a terminal, a spreadsheet or a parser.

mod messages;
mod names;
mod report;

pub use self::messages::write_message;
pub use self::names::{Format as NamesFormat, Names};
pub use self::report::{CaptureSummary, Format as ReportFormat, Found, Report};
