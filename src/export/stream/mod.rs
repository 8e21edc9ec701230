//! Events and evidence sent to NATS JetStream and to Kafka. docs/STREAMS.md describes what arrives.
//!
//! ```text
//!  clerk --> Queue: bounded, never waits --> Sender, a thread of its own: --> Spool: bounded, on disk
//!                                                   ^ acknowledged            |
//!                                                   `---- Link: NATS, Kafka <-'
//! ```
//!
//! Whoever tells of an event never waits for a disk or the network. A record is on disk before it is sent and goes when the
//! receiver has acknowledged it, so that it arrives at least once, whoever dies in between; its number and the spool's
//! identity are its identifier, by which a receiver knows what it has.

#[cfg(not(any(feature = "nats", feature = "kafka")))]
compile_error!("feature `stream` is what `nats` and `kafka` share: enable one of these");

mod evidence;
#[cfg(feature = "kafka")]
mod kafka;
mod link;
#[cfg(feature = "nats")]
mod nats;
mod queue;
mod sender;
mod spool;

pub(super) use self::evidence::Changes;
#[cfg(feature = "kafka")]
pub use self::kafka::{KafkaConfig, KafkaMechanism, KafkaSasl};
pub use self::link::StreamLink;
#[cfg(feature = "nats")]
pub use self::nats::NatsConfig;
pub use self::queue::StreamQueue;
pub use self::sender::StreamSender;
