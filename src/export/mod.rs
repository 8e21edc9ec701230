//! What leaves the house: reports for people and programs, events, lists of names, decoded messages; the sensor's metrics
//! and pages; and the file in which state crosses restarts.
//!
//! Everything is written as it goes, so that its size costs no memory. What a stranger chose (names, addresses) is
//! escaped where it would mean something to a terminal, a spreadsheet or a parser.

mod cof;
mod collisions;
mod comparison;
mod containment;
mod event_log;
mod events;
#[cfg(feature = "http")]
pub mod http;
mod json;
mod lists;
mod messages;
#[cfg(feature = "http")]
mod metrics;
mod networks;
mod page;
#[cfg(feature = "parquet")]
pub mod parquet;
mod plot;
mod report;
pub mod series;
pub mod snapshot;
mod state;
mod syslog;
mod target;
mod union;

/// Figures and words for people, the same wherever they are shown.
pub mod figures {
    pub use super::page::{ago, second, share};
    pub use super::report::{grouped, printable, size};
}

pub use self::cof::{Resolution, write_cof};
pub use self::collisions::{Collision, Collisions, CollisionsFormat, Listing, Sight};
pub use self::comparison::{Comparison, ComparisonFormat};
pub use self::containment::{Blocking, ContainmentFormat, ContainmentReport};
pub use self::event_log::{EventCounts, EventLog};
pub use self::events::Events;
pub use self::lists::{
    About, NameCounts, NameList, NameWriter, NamesFormat, Part, Registry, RepeatFinder, Repeats, Selection, Target,
};
pub use self::messages::write_message;
#[cfg(feature = "http")]
pub use self::metrics::metrics_text;
pub use self::networks::{Grouping, Networks, Origin};
pub use self::report::{AbuseFormat, CaptureSummary, Desk, Format as ReportFormat, Found, Report, Reporter, SeenBy, Timeline};
pub use self::snapshot::Snapshot;
pub use self::state::StateFile;
pub use self::syslog::{
    SyslogCounts, SyslogForm, SyslogLink, SyslogPayload, SyslogQueue, SyslogReceiver, SyslogSender, SyslogTls,
};
pub use self::target::write_whole;
pub use self::union::{ReportHead, ReportUnion, families_of};
