//! The other end of the sensor's API: asks a sensor for what it knows, over HTTP/1.1, with TLS and a password where it asks for
//! them.
//!
//! What answers may be anything. An answer is bounded in octets and time, a redirection is not followed, and no word of it
//! gets into an error.

mod config;
mod state;

pub use self::state::{
    EvidenceRow, Family, Hosts, Hour, Interface, Loss, Output, Overview, Page, Reloads, State, Summary, Table, TopSource,
};

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use self::config::HttpConfig;

/// Rows of a page of evidence.
pub const PAGE: usize = 100;

/// Octets of an answer at most: a thousand times what a sensor says.
const MAX_OCTETS: usize = 8 << 20;

/// How long all answers of a look may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who asks one sensor.
pub struct Client {
    runtime: Runtime,
    target: Target,
    authorization: Option<HeaderValue>,
}

/// Where to ask.
struct Target {
    /// As it was given, in full.
    url: String,
    host: String,
    port: u16,
    /// Host and port as the sensor is told (RFC 9110 §7.2).
    authority: String,
    /// In front of the sensor's own paths, where something stands between.
    prefix: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// An answer of `/api/v1/families`.
#[derive(Deserialize)]
struct Families {
    families: Vec<Family>,
}

impl Client {
    /// Gets ready to ask the sensor at `url`, such as `http://127.0.0.1:9353`, by an HTTP configuration. Asks nothing yet.
    ///
    /// # Errors
    /// One sentence when the URL cannot be meant, or the configuration is wrong.
    pub fn new(url: &str, config: Option<&Path>) -> Result<Self, String> {
        let config = config.map_or_else(|| Ok(HttpConfig::default()), HttpConfig::read)?;
        let target = Target::of(url, &config)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| format!("the HTTP client cannot start: {error}"))?;
        Ok(Self { runtime, target, authorization: config.authorization })
    }

    /// Where it asks.
    pub fn url(&self) -> &str {
        &self.target.url
    }

    /// Asks for all but evidence. Waits for the answer, 10 s at most.
    ///
    /// # Errors
    /// One sentence when nothing answers, or not as a sensor does.
    pub fn look(&self) -> Result<State, String> {
        let answers = self.fetch(&["/api/v1/summary", "/api/v1/overview", "/api/v1/families"])?;
        let [summary, overview, families] = answers.as_slice() else { return Err(self.strange()) };
        let families: Families = self.read(families)?;
        Ok(State { summary: self.read(summary)?, overview: self.read(overview)?, families: families.families })
    }

    /// Asks for the evidence on a source, with names. Waits as well.
    ///
    /// # Errors
    /// One sentence when nothing answers, or not as a sensor does.
    pub fn evidence(&self, source: &str) -> Result<Vec<EvidenceRow>, String> {
        let escaped: String = source.bytes().map(|octet| format!("%{octet:02X}")).collect();
        Ok(self.fetch_page(&format!("/api/v1/sources?source={escaped}&limit=100"))?.rows)
    }

    /// Asks for the evidence on all sources, the weightiest first: [`PAGE`] rows after so many. Waits as well.
    ///
    /// # Errors
    /// One sentence when nothing answers, or not as a sensor does.
    pub fn page(&self, offset: u64) -> Result<Page, String> {
        let mut page = self.fetch_page(&format!("/api/v1/sources?order=weight&limit={PAGE}&offset={offset}"))?;
        page.rows.truncate(PAGE);
        Ok(page)
    }

    fn fetch_page(&self, path: &str) -> Result<Page, String> {
        let answers = self.fetch(&[path])?;
        self.read(answers.first().ok_or_else(|| self.strange())?)
    }

    fn read<T: DeserializeOwned>(&self, octets: &[u8]) -> Result<T, String> {
        serde_json::from_slice(octets).map_err(|_| self.strange())
    }

    fn strange(&self) -> String {
        format!("{} answers, but not as dgawatch does: is this the address of `dgawatch live`?", self.target.url)
    }

    /// Asks for paths one after the other, on one connection.
    fn fetch(&self, paths: &[&str]) -> Result<Vec<Bytes>, String> {
        let late = || format!("{} does not answer in {} s", self.target.url, PATIENCE.as_secs());
        self.runtime.block_on(async { timeout(PATIENCE, self.connect(paths)).await }).unwrap_or_else(|_| Err(late()))
    }

    async fn connect(&self, paths: &[&str]) -> Result<Vec<Bytes>, String> {
        let Target { url, host, port, tls, .. } = &self.target;
        let refuse = |error: io::Error| format!("{url} does not answer: {error}");
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(refuse)?;
        match tls {
            None => self.converse(stream, paths).await,
            Some((connector, name)) => {
                let refuse = |error: io::Error| format!("{url} and TLS do not agree: {error}");
                self.converse(connector.connect(name.clone(), stream).await.map_err(refuse)?, paths).await
            }
        }
    }

    async fn converse<S>(&self, stream: S, paths: &[&str]) -> Result<Vec<Bytes>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| format!("{} breaks off: {error}", self.target.url);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let mut answers = vec![];
        for path in paths {
            let mut request = Request::get(format!("{}{path}", self.target.prefix)).header(header::HOST, &self.target.authority);
            if let Some(authorization) = &self.authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let request = request.body(Empty::<Bytes>::new()).map_err(|error| format!("{}: {error}", self.target.url))?;
            let answer = sender.send_request(request).await.map_err(|error| {
                // A parser that got something else than HTTP says so at length.
                if error.is_parse() { self.strange() } else { broken(error) }
            })?;
            self.check(answer.status())?;
            let body = Limited::new(answer.into_body(), MAX_OCTETS).collect().await;
            answers.push(body.map_err(|error| format!("{} breaks off: {error}", self.target.url))?.to_bytes());
        }
        connection.abort();
        Ok(answers)
    }

    fn check(&self, status: StatusCode) -> Result<(), String> {
        let url = &self.target.url;
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::UNAUTHORIZED if self.authorization.is_none() => {
                Err(format!("{url} wants a user and a password: see --http.config.file"))
            }
            StatusCode::UNAUTHORIZED => Err(format!("{url} does not know this user and password: see --http.config.file")),
            StatusCode::SERVICE_UNAVAILABLE => Err(format!("{url} is busy")),
            other => Err(format!("{} It said {}.", self.strange(), other.as_u16())),
        }
    }
}

impl Target {
    fn of(url: &str, config: &HttpConfig) -> Result<Self, String> {
        let refuse = |why: &str| format!("`{}` {why}: write http://127.0.0.1:9353", url.escape_debug());
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = full.parse().map_err(|_| refuse("is no URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(refuse("is no URL")) };
        if authority.as_str().contains('@') {
            return Err(refuse("shows a password to everybody on this machine: use --http.config.file"));
        }
        if uri.query().is_some() {
            return Err(refuse("has a query, of which nothing is known"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let encrypted = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(refuse("is neither http nor https")),
        };
        let tls = if encrypted {
            let name = config.server_name.as_ref().unwrap_or(&host).clone();
            let name = ServerName::try_from(name).map_err(|_| refuse("names no host that a certificate could be of"))?;
            Some((TlsConnector::from(Arc::new(config.tls()?)), name))
        } else {
            None
        };
        // A number that is no port's is told like none.
        let port = match (authority.port_u16(), authority.as_str().strip_prefix(authority.host())) {
            (Some(port), _) => port,
            (None, Some("" | ":")) => {
                if encrypted {
                    443
                } else {
                    80
                }
            }
            _ => return Err(refuse("has no port that there is")),
        };
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { url: full, host, port, authority: authority.to_string(), prefix, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, port, prefix, encrypted) in [
            ("http://127.0.0.1:9353", "127.0.0.1", 9353, "", false),
            ("127.0.0.1:9353", "127.0.0.1", 9353, "", false),
            ("sensor", "sensor", 80, "", false),
            ("https://sensor.example/", "sensor.example", 443, "", true),
            ("https://[2001:db8::7]:1/watch/one/", "2001:db8::7", 1, "/watch/one", true),
        ] {
            let target = Target::of(url, &HttpConfig::default()).unwrap();
            assert_eq!(
                (target.host.as_str(), target.port, target.prefix.as_str(), target.tls.is_some()),
                (host, port, prefix, encrypted),
                "{url}"
            );
        }
        for (url, tells) in [
            ("", "is no URL"),
            ("http://", "is no URL"),
            ("ftp://a", "neither http nor https"),
            ("http://a:b@c", "--http.config.file"),
            ("http://a/?x", "query"),
            ("http://a:99999", ""),
            ("http://\u{1b}[2J", "\\u{1b}"),
        ] {
            let why = Target::of(url, &HttpConfig::default()).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(why.contains(tells) && why.contains("http://127.0.0.1:9353"), "{url}: {why}");
        }
    }
}
