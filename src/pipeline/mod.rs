//! Threads, channels, order and stopping: joins the rooms into a flow. Holds no rule of its own.

#[cfg(feature = "live")]
mod almanac;
mod book;
mod clerk;
#[cfg(feature = "live")]
mod figures;
mod follow;
#[cfg(feature = "live")]
mod keeper;
#[cfg(feature = "live")]
mod listener;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "live")]
mod live_state;
mod messages;
mod names;
#[cfg(feature = "live")]
mod networks;
#[cfg(feature = "live")]
mod overview;
#[cfg(feature = "live")]
mod pages;
#[cfg(all(feature = "live", feature = "parquet"))]
mod parquet_writer;
#[cfg(feature = "live")]
mod plan;
#[cfg(feature = "live")]
mod reload;
mod replay;
mod search;
#[cfg(feature = "live")]
mod sensor;
mod shelf;
mod shortlist;
#[cfg(feature = "live")]
mod tally;
mod worker;

#[cfg(feature = "live")]
pub use self::almanac::Clock;
pub use self::clerk::Progress;
pub use self::follow::follow;
#[cfg(feature = "live")]
pub use self::keeper::StateConfig;
#[cfg(feature = "live")]
pub use self::live::{Live, Thread, Threads};
#[cfg(feature = "live")]
pub use self::live_state::{InterfaceCounts, LiveState, OpenList};
pub use self::messages::messages;
pub use self::names::{TakeName, names};
#[cfg(all(feature = "live", feature = "parquet"))]
pub use self::parquet_writer::ParquetConfig;
#[cfg(feature = "live")]
pub use self::plan::Plan;
#[cfg(feature = "live")]
pub use self::reload::Load;
pub use self::replay::replay;
pub use self::search::search;
#[cfg(feature = "live")]
pub use self::sensor::{Board, Say, Sensor};

use std::sync::{Arc, Mutex};

use crate::decode;
use crate::export::series::SeriesConfig;
use crate::export::{EventLog, Networks};
use crate::ledger::{Masking, Sinkholes};
use crate::watchlist::{Image, Patterns, SearchList};

/// What to look for, and how much of it to keep.
#[derive(Clone, Debug)]
pub struct Settings {
    /// List days before and after a packet's own that it is held against.
    pub skew: u16,
    /// Sources of a family and list day whose evidence is kept.
    pub max_sources: usize,
    /// The share of packets that captures are known to lack.
    pub lost: f64,
    /// How many clients the network has: what chance may do is reckoned for all of them.
    pub clients: u64,
    /// Where to look for DNS.
    pub decode: decode::Config,
    /// What to watch beside the generated names. The report speaks of them too.
    pub patterns: Arc<Patterns>,
    /// Which sources have metrics of their own, if any.
    pub series: Option<SeriesConfig>,
    /// Lists that were compiled before, for the families that they were [added](Image::add_to) to.
    pub compiled: Option<Arc<Image>>,
    /// What clients may append to the names that they look for.
    pub search_list: SearchList,
    /// Where names may lead without alarm.
    pub sinkholes: Arc<Sinkholes>,
    /// What is kept and shown of sources.
    pub masking: Masking,
    /// Whether to count matches by hour, for the report as a page.
    pub timeline: bool,
    /// Whether to keep sketches of the sources of each hour, for Parquet.
    pub sketches: bool,
    /// Where sources are, for events and metrics.
    pub networks: Option<Arc<Networks>>,
    /// Where to tell of events. Whoever rotates files opens it again.
    pub events: Option<Arc<Mutex<EventLog>>>,
}
