//! What leaves the house: reports for people and programs, lists of names, decoded messages, the sensor's metrics and pages.
//!
//! Everything is written as it goes, so that its size costs no memory. What a stranger chose (names, addresses) is
//! escaped where it would mean something to a terminal, a spreadsheet or a parser.

#[cfg(feature = "http")]
pub mod http;
mod messages;
#[cfg(feature = "http")]
mod metrics;
mod names;
mod report;
pub mod series;
pub mod snapshot;

pub use self::messages::write_message;
#[cfg(feature = "http")]
pub use self::metrics::metrics_text;
pub use self::names::{Format as NamesFormat, Names};
pub use self::report::{CaptureSummary, Format as ReportFormat, Found, Report};
pub use self::snapshot::Snapshot;
