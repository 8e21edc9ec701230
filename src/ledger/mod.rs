//! Who asked for listed names: evidence per source, family and list day, and the verdict drawn from it. Names of
//! patterns are noted beside it and change no verdict.
//!
//! Everything here can be added up in any order, as long as there is room; what is given up when there is none depends
//! on the order of hits, which is that of packets. So a capture read by many threads gives the report of one.

pub mod estimate;
mod evidence;
mod names;
mod octets;
mod persist;
mod rows;
mod sightings;
mod source_key;
mod table;
mod verdict;

pub use self::evidence::Evidence;
pub use self::persist::{Context, Restored};
pub use self::sightings::{Seen, Sighting};
pub use self::source_key::{Masking, Prefix, PseudonymKey};
pub use self::table::{Key, Ledger, News, Saturation};
pub use self::verdict::Verdict;

use std::net::IpAddr;

use crate::day::Timestamp;
use crate::decode::Transport;
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
    /// The port that it asked from, or was answered at.
    pub port: u16,
    /// What carried the message.
    pub transport: Transport,
    /// Which name.
    pub matched: Match,
}
