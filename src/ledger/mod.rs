//! Who asked for listed names: evidence per source, family and list day, and the verdict drawn from it. Names of
//! patterns are noted beside it and change no verdict.
//!
//! Everything here can be added up in any order, so a capture read by many threads gives the report of one.

mod evidence;
mod sightings;
mod table;
mod verdict;

pub use self::evidence::Evidence;
pub use self::sightings::{Seen, Sighting};
pub use self::table::{Key, Ledger};
pub use self::verdict::Verdict;

use std::net::IpAddr;

use crate::day::Timestamp;
use crate::watchlist::Match;

/// A listed name met in traffic.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Who asked, or was answered.
    pub source: IpAddr,
    /// When.
    pub time: Timestamp,
    /// Whether the message was a response.
    pub response: bool,
    /// Which name.
    pub matched: Match,
}
