//! Events and evidence sent to NATS JetStream and Kafka, as flags; and the threads that send them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[cfg(feature = "kafka")]
use clap::ValueEnum;
use clap::{ArgGroup, Args};
#[cfg(feature = "nats")]
use dgawatch::export::NatsConfig;
use dgawatch::export::{EventLog, StreamLink, StreamQueue, StreamSender, SyslogTls};
#[cfg(feature = "kafka")]
use dgawatch::export::{KafkaConfig, KafkaMechanism, KafkaSasl};
use dgawatch::process::{Access, host_name};

use super::live::octets;
use super::{Failure, say};

/// Where Debian and others keep the authorities that they trust.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where the client for NATS looks for these whether it needs them or not (the paths of openssl-probe).
#[cfg(feature = "nats")]
const TRUST: [&str; 5] =
    ["/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/pki/tls", "/etc/pki/ca-trust"];

/// How long what waits at the end has; the rest is sent after the next start.
const FAREWELL: Duration = Duration::from_secs(3);

#[derive(Args)]
#[command(next_help_heading = "Streams")]
#[command(group = ArgGroup::new("stream").multiple(true).requires("spool"))]
pub(super) struct StreamFlags {
    /// Send events and evidence to NATS JetStream: nats://HOST:4222, or tls://; several servers of a cluster with commas
    ///
    /// A stream that takes the subject must be there. Each record is acknowledged, and sent again until it is.
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "URL", value_delimiter = ',', group = "stream")]
    nats: Vec<String>,

    /// The subject of what is sent to NATS
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "SUBJECT", default_value = "dgawatch.events")]
    nats_subject: String,

    /// The stream that is to take it, and no other
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "NAME", requires = "nats")]
    nats_stream: Option<String>,

    /// Credentials for NATS: a file with a JWT and a seed, as `nsc` makes them
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_credentials: Option<PathBuf>,

    /// A user of NATS, where it goes by passwords
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "NAME", requires_all = ["nats", "nats_password_file"])]
    nats_user: Option<String>,

    /// The file with the user's password
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "FILE", requires = "nats_user")]
    nats_password_file: Option<PathBuf>,

    /// Send events and evidence to Kafka: brokers to ask first, as HOST:9092, with commas between them
    ///
    /// All brokers must listen on ports that are named here: the sandbox keeps others closed.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', group = "stream")]
    kafka: Vec<String>,

    /// The topic, which must be there
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "TOPIC", default_value = "dgawatch")]
    kafka_topic: String,

    /// Encrypt what is sent to Kafka
    #[cfg(feature = "kafka")]
    #[arg(long, requires = "kafka")]
    kafka_tls: bool,

    /// A user of Kafka, where it goes by passwords (SASL)
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "NAME", requires_all = ["kafka", "kafka_password_file"])]
    kafka_sasl_user: Option<String>,

    /// How the user logs in; `plain` only with --kafka-tls
    #[cfg(feature = "kafka")]
    #[arg(long, value_enum, default_value = "scram-sha-256")]
    kafka_sasl_mechanism: Mechanism,

    /// The file with the user's password
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "FILE", requires = "kafka_sasl_user")]
    kafka_password_file: Option<PathBuf>,

    /// Authorities that may vouch for servers and brokers, in PEM
    #[arg(long, value_name = "FILE", default_value = AUTHORITIES)]
    stream_ca: PathBuf,

    /// Our certificate, where they ask for one, in PEM
    #[arg(long, value_name = "FILE", requires = "stream_key")]
    stream_cert: Option<PathBuf>,

    /// Its key
    #[arg(long, value_name = "FILE", requires = "stream_cert")]
    stream_key: Option<PathBuf>,

    /// Where records wait until they are acknowledged, across outages and restarts
    #[arg(long, value_name = "DIR", requires = "stream")]
    spool: Option<PathBuf>,

    /// Room for those of each receiver: octets, or with k, M, G; when it is full, the oldest go, an eighth at a time, and are counted
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = spool_size)]
    spool_size: u64,
}

/// SASL mechanisms.
#[cfg(feature = "kafka")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mechanism {
    /// The password itself is sent
    Plain,
    /// SCRAM-SHA-256
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// SCRAM-SHA-512
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

fn spool_size(text: &str) -> Result<u64, String> {
    octets(text).filter(|size| *size >= StreamSender::least_bound()).ok_or_else(|| "give 1M or more".to_owned())
}

impl StreamFlags {
    /// Where records wait, where there are any.
    pub(super) fn spool(&self) -> Option<&Path> {
        self.spool.as_deref()
    }

    /// Reads credentials and certificates.
    pub(super) fn prepare(&self) -> Result<Streams, Failure> {
        let links = self.links().map_err(Failure::Said)?;
        let streams = links.into_iter().map(|link| (link, StreamQueue::default())).collect();
        Ok(Streams { streams, spool: self.spool.clone(), bound: self.spool_size })
    }

    /// What would be done, a line each.
    pub(super) fn effects(&self) -> Result<Vec<String>, Failure> {
        let Some(spool) = &self.spool else { return Ok(vec![]) };
        let links = self.links().map_err(Failure::Said)?.into_iter();
        let effect = |link: StreamLink| {
            let (label, shown, directory) = (link.label(), link.shown(), spool.join(link.label()));
            format!("send events to {label} {shown}; up to {} octets wait in {}", self.spool_size, directory.display())
        };
        Ok(links.map(effect).collect())
    }

    /// What must be reached when all is confined.
    pub(super) fn let_in(&self, access: &mut Access) {
        let Some(spool) = &self.spool else { return };
        access.write(spool);
        access.look_up();
        #[cfg(feature = "nats")]
        TRUST.iter().for_each(|path| access.read(*path));
        // Links that make no sense are told of where they are made.
        let links = self.links().unwrap_or_default();
        links.iter().flat_map(StreamLink::places).for_each(|(_, port)| access.connect(port));
    }

    fn links(&self) -> Result<Vec<StreamLink>, String> {
        let own = self.stream_cert.clone().zip(self.stream_key.clone());
        let tls = SyslogTls { authorities: self.stream_ca.clone(), own };
        let mut links = vec![];
        #[cfg(feature = "nats")]
        if !self.nats.is_empty() {
            if self.nats_credentials.is_some() && self.nats_user.is_some() {
                return Err("give --nats-credentials or --nats-user, not both".to_owned());
            }
            let password = self.nats_password_file.as_deref().map(secret).transpose()?;
            links.push(StreamLink::nats(&NatsConfig {
                servers: self.nats.clone(),
                subject: self.nats_subject.clone(),
                stream: self.nats_stream.clone(),
                credentials: self.nats_credentials.as_deref().map(secret).transpose()?,
                user: self.nats_user.clone().zip(password),
                tls: tls.clone(),
            })?);
        }
        #[cfg(feature = "kafka")]
        if !self.kafka.is_empty() {
            let mechanism = match self.kafka_sasl_mechanism {
                Mechanism::Plain if !self.kafka_tls && self.kafka_sasl_user.is_some() => {
                    return Err("--kafka-sasl-mechanism plain sends the password as it is: only with --kafka-tls".to_owned());
                }
                Mechanism::Plain => KafkaMechanism::Plain,
                Mechanism::ScramSha256 => KafkaMechanism::ScramSha256,
                Mechanism::ScramSha512 => KafkaMechanism::ScramSha512,
            };
            let password = self.kafka_password_file.as_deref().map(secret).transpose()?;
            let sasl = self.kafka_sasl_user.clone().zip(password);
            links.push(StreamLink::kafka(&KafkaConfig {
                brokers: self.kafka.clone(),
                topic: self.kafka_topic.clone(),
                tls: self.kafka_tls.then(|| tls.clone()),
                sasl: sasl.map(|(user, password)| KafkaSasl { mechanism, user, password }),
            })?);
        }
        Ok(links)
    }
}

/// What a file holds, without the end of its last line.
fn secret(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Receivers, and what is to be sent to each.
pub(super) struct Streams {
    streams: Vec<(StreamLink, StreamQueue)>,
    spool: Option<PathBuf>,
    bound: u64,
}

/// Threads that send.
pub(super) struct Sending(Vec<(&'static str, StreamQueue, JoinHandle<()>)>);

impl Streams {
    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Has them offered all events. A host that does not exist is told now.
    pub(super) fn listen(&self, events: &mut Option<Arc<Mutex<EventLog>>>) -> Result<(), Failure> {
        for (link, queue) in &self.streams {
            link.look_up().map_err(Failure::Said)?;
            let log = events.get_or_insert_with(|| Arc::new(Mutex::new(EventLog::unwritten())));
            log.lock().unwrap_or_else(PoisonError::into_inner).stream_to(link.label(), queue.clone());
        }
        Ok(())
    }

    /// Opens the spools, and sends on threads that do `begin` first.
    pub(super) fn start(self, begin: impl Fn() -> Result<(), String> + Clone + Send + 'static) -> Result<Sending, Failure> {
        let Self { streams, spool, bound } = self;
        let mut sending = vec![];
        for (link, queue) in streams {
            let (label, begin) = (link.label(), begin.clone());
            let directory = spool.as_deref().unwrap_or_else(|| Path::new("."));
            let opened = StreamSender::open(queue.clone(), link, &host_name(), directory, bound);
            let (sender, told) = opened.map_err(Failure::Said)?;
            told.iter().for_each(|sentence| say(sentence));
            let send = move || {
                if let Err(why) = begin().and_then(|()| sender.run(say)) {
                    say(&format!("nothing is sent to {label}: {why}"));
                }
            };
            let thread = thread::Builder::new().name(label.to_owned()).spawn(send);
            let thread = thread.map_err(|error| Failure::Said(format!("no thread for {label} can be started: {error}")))?;
            sending.push((label, queue, thread));
        }
        Ok(Sending(sending))
    }
}

impl Sending {
    /// Has the rest sent, as far as there is time; tells whether nothing was lost.
    pub(super) fn end(self) -> bool {
        self.0.iter().for_each(|(_, queue, _)| queue.close(FAREWELL));
        let mut whole = true;
        for (label, queue, thread) in self.0 {
            whole &= thread.join().is_ok();
            let counts = queue.counts();
            if counts.waiting > 0 {
                say(&format!("{label}: {} records wait in the spool for the next start", counts.waiting));
            }
            if counts.dropped > 0 {
                say(&format!("{label}: {} of {} records were dropped", counts.dropped, counts.offered + counts.found));
                whole = false;
            }
        }
        whole
    }
}
