//! Who asked for listed names: evidence per source, family and list day, and the verdict drawn from it. Names of
//! patterns are noted beside it and change no verdict.
//!
//! Everything that verdicts rest on can be added up in any order, as long as there is room; what is given up when there is
//! none, and from when on a trace is kept, depends on the order of hits, which is that of packets. So a capture read by many threads gives the report of one.

mod ahead;
mod answers;
mod asked;
mod askers;
mod census;
mod distinct;
pub mod estimate;
mod evidence;
mod hourly;
mod key;
mod live_list;
mod names;
mod octets;
mod persist;
mod portable;
mod recent;
mod rendezvous;
mod role;
mod rows;
mod rule;
mod sightings;
mod sinkholes;
mod source_key;
mod suffixes;
mod table;
mod tiers;
mod trace;
mod verdict;

pub use self::answers::{Answer, AnswerCounts, AnswerKind};
pub use self::census::{Census, Hosts, Watched};
pub use self::distinct::{Count, Distinct, EXACT, OtherKey};
pub use self::evidence::Evidence;
pub use self::hourly::{HourSketch, Hourly, SHARED_KEY};
pub use self::key::Key;
pub use self::live_list::LiveList;
pub use self::persist::{Context, Restored, mark_of};
pub use self::portable::{Lookups, MOST_LOOKUPS, Portable, PortableName};
pub use self::recent::{Recent, Within};
pub use self::rendezvous::{Exposure, Learned, LiveName, Rendezvous, Revelation, Unkept};
pub use self::role::Role;
pub use self::rule::{CLIENTS, Rule, Standard};
pub use self::sightings::{Seen, Sighting};
pub use self::sinkholes::Sinkholes;
pub use self::source_key::{Masking, Prefix, PseudonymKey};
pub use self::table::{Ledger, News, Saturation};
pub use self::verdict::Verdict;

use std::net::IpAddr;

use crate::day::Timestamp;
use crate::decode::{Told, Transport};
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
    /// The message's id: the same in what is sent again.
    pub id: u16,
    /// Whether recursion was wanted: clients do, resolvers mostly do not.
    pub recursive: bool,
    /// Who answered, where that is known.
    pub server: Option<IpAddr>,
    /// For how many seconds the answer may be kept, where it tells.
    pub lifetime: Option<u32>,
    /// What a response says about the name; nothing of queries, and of responses about the name with a suffix.
    pub told: Option<Told>,
    /// Which name.
    pub matched: Match,
}
