//! Records to a topic of Kafka: keyed, so that a compacted topic keeps the latest of each thing, and acknowledged by all
//! replicas that are in step.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use rskafka::{BackoffConfig, ConnectionError};

use super::link::{Fate, Outcome, Outgoing};
use crate::export::SyslogTls;

/// How long the client tries again by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read: lists of topics may be long.
const MOST_READ: usize = 16 << 20;

/// The header that holds the identifier.
const ID: &str = "id";

/// Where records go.
#[derive(Clone, Debug, Default)]
pub struct KafkaConfig {
    /// Brokers to ask for the others, each `host:port`.
    pub brokers: Vec<String>,
    /// The topic, which must be there.
    pub topic: String,
    /// Whom to trust, where it is encrypted.
    pub tls: Option<SyslogTls>,
    /// How to log in.
    pub sasl: Option<KafkaSasl>,
}

/// How to log in.
#[derive(Clone, Debug)]
pub struct KafkaSasl {
    /// By which mechanism.
    pub mechanism: KafkaMechanism,
    /// Who.
    pub user: String,
    /// With which password.
    pub password: String,
}

/// SASL mechanisms (RFC 4616, RFC 7677).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaMechanism {
    /// The password as it is: only inside TLS.
    Plain,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

/// A way to a topic.
pub(super) struct KafkaLink {
    brokers: Vec<String>,
    topic: String,
    tls: Option<Arc<rustls::ClientConfig>>,
    sasl: Option<SaslConfig>,
    connected: Option<Topic>,
}

/// A topic that was found, its partitions ascending.
struct Topic {
    client: Client,
    partitions: Vec<(i32, Option<PartitionClient>)>,
}

impl KafkaLink {
    /// Reads certificates; connects to nobody.
    pub(super) fn prepare(config: &KafkaConfig) -> Result<Self, String> {
        let KafkaConfig { brokers, topic, tls, sasl } = config;
        if let Some(wrong) = brokers.iter().find(|broker| place(broker).is_none()) {
            return Err(format!("kafka: {wrong:?} is no broker: write it as HOST:9092"));
        }
        // As brokers name them (org.apache.kafka.common.internals.Topic).
        let word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if brokers.is_empty() || !(1..=249).contains(&topic.len()) || !word(topic) {
            return Err(format!("kafka: {topic:?} is no topic"));
        }
        let tls = tls.as_ref().map(|tls| tls.client().map(Arc::new)).transpose()?;
        let sasl = sasl.as_ref().map(|KafkaSasl { mechanism, user, password }| {
            let credentials = Credentials::new(user.clone(), password.clone());
            match mechanism {
                KafkaMechanism::Plain => SaslConfig::Plain(credentials),
                KafkaMechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
                KafkaMechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
            }
        });
        Ok(Self { brokers: brokers.clone(), topic: topic.clone(), tls, sasl, connected: None })
    }

    /// The hosts and ports to connect to first.
    pub(super) fn places(&self) -> Vec<(String, u16)> {
        self.brokers.iter().filter_map(|broker| place(broker)).map(|(host, port)| (host.to_owned(), port)).collect()
    }

    /// Whether the topic was found, and nothing failed since.
    pub(super) const fn is_up(&self) -> bool {
        self.connected.is_some()
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = None;
    }

    pub(super) async fn connect(&mut self) -> Result<(), String> {
        self.disconnect();
        let backoff = BackoffConfig { deadline: Some(PATIENCE), max_backoff: PATIENCE, ..BackoffConfig::default() };
        let mut builder =
            ClientBuilder::new(self.brokers.clone()).client_id("dgawatch").max_message_size(MOST_READ).backoff_config(backoff);
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(Arc::clone(tls));
        }
        if let Some(sasl) = &self.sasl {
            builder = builder.sasl_config(sasl.clone());
        }
        let client = builder.build().await.map_err(|error| sentence(&error))?;
        let topics = client.list_topics().await.map_err(|error| sentence(&error))?;
        let topic = topics.into_iter().find(|topic| topic.name == self.topic);
        let partitions: Vec<_> = topic.into_iter().flat_map(|topic| topic.partitions).map(|number| (number, None)).collect();
        if partitions.is_empty() {
            return Err(format!("there is no topic {}", self.topic));
        }
        self.connected = Some(Topic { client, partitions });
        Ok(())
    }

    /// Sends a batch, the records of each partition together. Where one of these fails, the whole is to be sent again.
    pub(super) async fn send(&mut self, batch: &[Outgoing<'_>]) -> Outcome {
        let Some(Topic { client, partitions }) = &mut self.connected else {
            return Outcome::failed("there is no connection".to_owned());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut shares: BTreeMap<usize, Vec<Record>> = BTreeMap::new();
        for record in batch {
            let headers = [(ID.to_owned(), record.id.clone().into_bytes())].into();
            let timestamp = <_ as Default>::default();
            let record = Record {
                key: Some(record.key.as_bytes().to_vec()),
                value: Some(record.json.clone().into_bytes()),
                headers,
                timestamp,
            };
            let place = partition(record.key.as_deref().unwrap_or_default(), partitions.len());
            shares.entry(place).or_default().push(Record { timestamp: record.timestamp + now, ..record });
        }
        for (place, records) in shares {
            let (number, partition) = &mut partitions[place];
            let sent = match partition {
                Some(partition) => partition.produce(records, Compression::NoCompression).await,
                None => match client.partition_client(&self.topic, *number, UnknownTopicHandling::Error).await {
                    Ok(opened) => partition.insert(opened).produce(records, Compression::NoCompression).await,
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = sent {
                if is_too_large(&error) && batch.len() == 1 {
                    return Outcome { fates: vec![Fate::Refused], failure: None };
                }
                let failure = Some(sentence(&error));
                self.connected = None;
                return Outcome { fates: vec![], failure };
            }
        }
        Outcome { fates: vec![Fate::Taken; batch.len()], failure: None }
    }
}

/// What went wrong, without how often it was tried, and without the page of a manual that rustls names.
fn sentence(error: &Error) -> String {
    let cause = match error {
        Error::RetryFailed(tried) | Error::Connection(ConnectionError::RetryFailed(tried)) => tried.source(),
        _ => None,
    };
    let text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    text.split_once(": https://").map_or(text.as_str(), |(before, _)| before).to_owned()
}

fn is_too_large(error: &Error) -> bool {
    let large = [ProtocolError::MessageTooLarge, ProtocolError::RecordListTooLarge];
    matches!(error, Error::ServerError { protocol_error, .. } if large.contains(protocol_error))
}

/// The partition of a key, as librdkafka's default for keyed records has it: CRC-32 of the key.
fn partition(key: &[u8], partitions: usize) -> usize {
    crc32fast::hash(key) as usize % partitions
}

fn place(broker: &str) -> Option<(&str, u16)> {
    let (host, port) = broker.rsplit_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some((host, port)).filter(|(host, _)| (1..=253).contains(&host.len()) && host.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_librdkafka_deals_keys_out() {
        // CRC-32 of "123456789" is 0xCBF43926 (the check value of the CRC catalogue).
        assert_eq!([partition(b"123456789", 1), partition(b"123456789", 10)], [0, (0xCBF4_3926_u32 % 10) as usize]);
    }

    #[test]
    fn what_is_no_broker_and_no_topic() {
        let config = |broker: &str, topic: &str| KafkaConfig {
            brokers: vec![broker.to_owned()],
            topic: topic.to_owned(),
            ..KafkaConfig::default()
        };
        assert_eq!(
            KafkaLink::prepare(&config("b.example:9092", "dga.watch-1")).unwrap().places(),
            [("b.example".to_owned(), 9092)]
        );
        for broker in ["", "a", "a:", "a:0", "a:65536", ":1", "a b:1", "[::1]:9092"] {
            assert!(KafkaLink::prepare(&config(broker, "t")).is_err(), "{broker}");
        }
        for topic in ["", "a/b", "a b", &"t".repeat(250)] {
            assert!(KafkaLink::prepare(&config("a:1", topic)).is_err(), "{topic}");
        }
    }
}
