//! The way to a receiver of records, whichever it is: opened when there is something to send, opened anew when it broke.

use std::net::ToSocketAddrs;

#[cfg(feature = "kafka")]
use super::kafka::{KafkaConfig, KafkaLink};
#[cfg(feature = "nats")]
use super::nats::{NatsConfig, NatsLink};

/// A record as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Outgoing<'a> {
    /// The same whenever it is sent.
    pub(super) id: String,
    /// What it is about.
    pub(super) key: &'a str,
    /// What it says, its identifier with it.
    pub(super) json: String,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The receiver has it.
    Taken,
    /// The receiver will never take it.
    Refused,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Of its first records; others are to be sent again.
    pub(super) fates: Vec<Fate>,
    /// Why others are.
    pub(super) failure: Option<String>,
}

impl Outcome {
    /// Nothing was sent.
    pub(super) const fn failed(why: String) -> Self {
        Self { fates: vec![], failure: Some(why) }
    }
}

/// A way to a receiver.
pub struct StreamLink {
    /// As it was given.
    shown: String,
    kind: Kind,
}

enum Kind {
    #[cfg(feature = "nats")]
    Nats(Box<NatsLink>),
    #[cfg(feature = "kafka")]
    Kafka(Box<KafkaLink>),
}

impl StreamLink {
    /// A way to NATS: reads certificates. A server that is not there is no failure.
    ///
    /// # Errors
    /// One sentence: what was given makes no sense, or a certificate or credentials do not do.
    #[cfg(feature = "nats")]
    pub fn nats(config: &NatsConfig) -> Result<Self, String> {
        let kind = Kind::Nats(Box::new(NatsLink::prepare(config)?));
        Ok(Self { shown: config.servers.join(","), kind })
    }

    /// A way to Kafka, likewise.
    ///
    /// # Errors
    /// As for [`nats`](Self::nats).
    #[cfg(feature = "kafka")]
    pub fn kafka(config: &KafkaConfig) -> Result<Self, String> {
        let kind = Kind::Kafka(Box::new(KafkaLink::prepare(config)?));
        Ok(Self { shown: config.brokers.join(","), kind })
    }

    /// Looks for the hosts: what the C library reads and loads for that, a sandbox would forbid later.
    ///
    /// # Errors
    /// One sentence when there is no such host.
    pub fn look_up(&self) -> Result<(), String> {
        for (host, port) in self.places() {
            let found = (&*host, port).to_socket_addrs();
            found.map_err(|error| format!("{} {}: {host} is not found: {error}", self.label(), self.shown))?;
        }
        Ok(())
    }

    /// What kind of receiver it leads to, as a label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match &self.kind {
            #[cfg(feature = "nats")]
            Kind::Nats(_) => "nats",
            #[cfg(feature = "kafka")]
            Kind::Kafka(_) => "kafka",
        }
    }

    /// Where it leads.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The hosts and TCP ports that have to be connected to.
    #[must_use]
    pub fn places(&self) -> Vec<(String, u16)> {
        match &self.kind {
            #[cfg(feature = "nats")]
            Kind::Nats(link) => link.places(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(link) => link.places(),
        }
    }

    /// Whether there is a connection, as far as is known.
    pub(super) fn is_up(&self) -> bool {
        match &self.kind {
            #[cfg(feature = "nats")]
            Kind::Nats(link) => link.is_up(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(link) => link.is_up(),
        }
    }

    /// Makes a connection, or says in a sentence why there is none.
    pub(super) async fn connect(&mut self) -> Result<(), String> {
        match &mut self.kind {
            #[cfg(feature = "nats")]
            Kind::Nats(link) => link.connect().await,
            #[cfg(feature = "kafka")]
            Kind::Kafka(link) => link.connect().await,
        }
    }

    /// Leaves a connection that is of no use.
    pub(super) fn disconnect(&mut self) {
        match &mut self.kind {
            #[cfg(feature = "nats")]
            Kind::Nats(link) => link.disconnect(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(link) => link.disconnect(),
        }
    }

    /// Sends a batch and waits until the receiver has said what became of it. After a failure there is no connection.
    pub(super) async fn send(&mut self, batch: &[Outgoing<'_>]) -> Outcome {
        match &mut self.kind {
            #[cfg(feature = "nats")]
            Kind::Nats(link) => link.send(batch).await,
            #[cfg(feature = "kafka")]
            Kind::Kafka(link) => link.send(batch).await,
        }
    }
}

impl std::fmt::Debug for StreamLink {
    /// Without what is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamLink").field("kind", &self.label()).field("shown", &self.shown).finish_non_exhaustive()
    }
}
