//! `--web.config.file`: TLS, passwords and headers, with the keys of Prometheus' exporter-toolkit. Read again when it or
//! a file that it names changes; what is wrong then changes nothing.

mod auth;
mod file;
mod tls;

pub(super) use self::auth::{Claim, Judged};
#[cfg(feature = "top")]
pub(super) use self::file::parse;
#[cfg(feature = "top")]
pub(super) use self::tls::{authorities, identity, versions};

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio_rustls::TlsAcceptor;

use self::auth::Users;

/// A web configuration in use.
#[derive(Default)]
pub(super) struct Web {
    tls: Option<TlsAcceptor>,
    users: Users,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What it was read from.
    files: Vec<PathBuf>,
}

impl Web {
    /// How to speak TLS, where it is wanted.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.clone()
    }

    /// Headers for every answer.
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Whether a request may be answered, as far as that can be told at once.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Judged {
        self.users.judge(headers)
    }

    /// Whether a password is right. Takes long, by intention.
    pub(super) fn verify(&self, claim: &Claim) -> bool {
        self.users.verify(claim)
    }
}

/// The web configuration over time.
pub(super) struct Webs {
    path: Option<PathBuf>,
    current: Arc<Web>,
    stamps: Vec<Stamp>,
    /// Why the files that are there now are not in use.
    refused: Option<String>,
}

/// What changes when a file does.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Webs {
    /// Reads the file, where there is one.
    ///
    /// # Errors
    /// One sentence when it is wrong.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, String> {
        let current = Arc::new(path.map_or_else(|| Ok(Web::default()), file::read)?);
        let stamps = stamps(&current.files);
        Ok(Self { path: path.map(Path::to_owned), current, stamps, refused: None })
    }

    /// The one in use.
    pub(super) fn current(&self) -> Arc<Web> {
        Arc::clone(&self.current)
    }

    /// Reads it again if something changed, and tells what the operator should know.
    pub(super) fn look_again(&mut self) -> Option<String> {
        let path = self.path.as_deref()?;
        let now = stamps(&self.current.files);
        if now == self.stamps && self.refused.is_none() {
            return None;
        }
        self.stamps = now;
        match file::read(path) {
            Ok(web) => {
                self.stamps = stamps(&web.files);
                self.current = Arc::new(web);
                self.refused = None;
                Some(format!("{} was read again", path.display()))
            }
            Err(why) if self.refused.as_ref() == Some(&why) => None,
            Err(why) => {
                self.refused = Some(why.clone());
                Some(format!("{why}; the web configuration from before stays in use"))
            }
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let about = fs::metadata(path).ok()?;
        Some((about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
    };
    files.iter().map(stamp).collect()
}
