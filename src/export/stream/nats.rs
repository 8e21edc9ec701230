//! Records to a stream of NATS JetStream: each with an identifier by which the server knows those that it has, each
//! acknowledged when it is stored.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{Client, ConnectOptions, ServerAddr};
use rustls::ClientConfig;

use super::link::{Fate, Outcome, Outgoing};
use crate::export::SyslogTls;

/// How long connecting, and each acknowledgement, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Records that may be under way: more than a batch.
const UNDER_WAY: usize = 1_024;

/// The header that holds what a record is about.
const KEY: &str = "Dgawatch-Key";

/// Where records go.
#[derive(Clone, Debug, Default)]
pub struct NatsConfig {
    /// Servers of one cluster: `nats://host:4222`, or `tls://` where it must be encrypted.
    pub servers: Vec<String>,
    /// The subject of all records.
    pub subject: String,
    /// The stream that is to take them; any that takes the subject without.
    pub stream: Option<String>,
    /// A credentials file: a JWT and the seed of its key.
    pub credentials: Option<String>,
    /// A user and the password.
    pub user: Option<(String, String)>,
    /// Whom to trust, where it is encrypted.
    pub tls: SyslogTls,
}

/// A way to a server.
pub(super) struct NatsLink {
    servers: Vec<ServerAddr>,
    subject: String,
    stream: Option<String>,
    options: ConnectOptions,
    connected: Option<(Client, Context)>,
}

impl NatsLink {
    /// Reads certificates and credentials; connects to nobody.
    pub(super) fn prepare(config: &NatsConfig) -> Result<Self, String> {
        let NatsConfig { servers, subject, stream, credentials, user, tls } = config;
        let servers = servers.iter().map(|server| address(server)).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err("nats: no server is given".to_owned());
        }
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"*>".contains(c));
        if !word(subject) || subject.split('.').any(str::is_empty) {
            return Err(format!("nats: {subject:?} is no subject to publish to: write words with dots between them"));
        }
        if stream.as_ref().is_some_and(|stream| !word(stream) || stream.contains('.')) {
            return Err("nats: the name of a stream is a word without dots".to_owned());
        }
        let mut options = ConnectOptions::new()
            .name("dgawatch")
            .connection_timeout(PATIENCE)
            .ping_interval(PATIENCE)
            .max_reconnects(servers.len())
            // Its others may have ports that the sandbox keeps closed.
            .ignore_discovered_servers()
            .retain_servers_order();
        if servers.iter().any(ServerAddr::tls_required) {
            let client: ClientConfig = tls.client()?;
            options = options.require_tls(true).tls_client_config(client);
        }
        if let Some(text) = credentials {
            // It is read by its lines, of which the last may lack its end.
            let whole = options.credentials(&format!("{text}\n"));
            options = whole.map_err(|error| format!("nats: the credentials do not do: {error}"))?;
        }
        if let Some((user, password)) = user {
            options = options.user_and_password(user.clone(), password.clone());
        }
        Ok(Self { servers, subject: subject.clone(), stream: stream.clone(), options, connected: None })
    }

    /// The hosts and ports to connect to.
    pub(super) fn places(&self) -> Vec<(String, u16)> {
        self.servers.iter().map(|server| (server.host().to_owned(), server.port())).collect()
    }

    /// Whether there is a connection.
    pub(super) fn is_up(&self) -> bool {
        self.connected.as_ref().is_some_and(|(client, _)| client.connection_state() == State::Connected)
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = None;
    }

    pub(super) async fn connect(&mut self) -> Result<(), String> {
        self.disconnect();
        let client = self.options.clone().connect(&self.servers[..]).await.map_err(|error| whole(&error))?;
        let context = ContextBuilder::new().ack_timeout(PATIENCE).timeout(PATIENCE).max_ack_inflight(UNDER_WAY);
        self.connected = Some((client.clone(), context.build(client)));
        Ok(())
    }

    pub(super) async fn send(&mut self, batch: &[Outgoing<'_>]) -> Outcome {
        let Some((_, context)) = &self.connected else { return Outcome::failed("there is no connection".to_owned()) };
        let mut under_way = vec![];
        let mut failure = None;
        for record in batch {
            match context.send_publish(self.subject.clone(), message(record, self.stream.as_deref())).await {
                Ok(acknowledgement) => under_way.push(Some(acknowledgement)),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => under_way.push(None),
                Err(error) => {
                    failure = Some(whole(&error));
                    break;
                }
            }
        }
        let mut fates = vec![];
        for acknowledgement in under_way {
            let Some(acknowledgement) = acknowledgement else {
                fates.push(Fate::Refused);
                continue;
            };
            match acknowledgement.await {
                // One that it had already is as good.
                Ok(_) => fates.push(Fate::Taken),
                Err(error) => {
                    failure = Some(match error.kind() {
                        PublishErrorKind::StreamNotFound => format!("no stream takes the subject {}", self.subject),
                        _ => whole(&error),
                    });
                    break;
                }
            }
        }
        if failure.is_some() {
            self.connected = None;
        }
        Outcome { fates, failure }
    }
}

fn message(record: &Outgoing<'_>, stream: Option<&str>) -> PublishMessage {
    let message = PublishMessage::build().payload(record.json.clone().into());
    let message = message.message_id(&record.id).header(KEY, record.key);
    match stream {
        Some(stream) => message.expected_stream(stream),
        None => message,
    }
}

/// Reads where a server is. A password in it would be seen in the list of processes.
fn address(text: &str) -> Result<ServerAddr, String> {
    let wrong = || format!("nats: {text:?} is no server: write it as nats://HOST:4222 or tls://HOST:4222");
    if !text.starts_with("nats://") && !text.starts_with("tls://") {
        return Err(wrong());
    }
    let server: ServerAddr = text.parse().map_err(|_| wrong())?;
    if server.has_user_pass() {
        return Err("nats: no user or password in the address of a server: they belong in files".to_owned());
    }
    Ok(server)
}

/// An error with what led to it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
