//! Threads, channels, order and stopping: joins the rooms into a flow. Holds no rule of its own.

mod messages;
mod replay;
mod search;
mod shelf;
mod worker;

pub use self::messages::messages;
pub use self::replay::{Options, Progress, replay};
pub use self::search::search;
