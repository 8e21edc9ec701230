//! How to reach a sensor that asks for TLS or a password: YAML with the keys of Prometheus' HTTP client (`promtool
//! --http.config.file`), the counterpart of what `live --web.config.file` takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use crate::export::http::web::{authorities, identity, parse, versions};

/// As Prometheus names it. What is not here is an error, `insecure_skip_verify` among it: a sensor that anybody can pass
/// himself off as may as well be read without TLS.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    basic_auth: Option<BasicAuth>,
    tls_config: Option<Tls>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BasicAuth {
    username: String,
    password: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tls {
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    server_name: Option<String>,
    min_version: Option<String>,
}

/// How to reach a sensor.
#[derive(Default)]
pub(super) struct HttpConfig {
    /// What the sensor is told of who asks.
    pub(super) authorization: Option<HeaderValue>,
    /// The name that its certificate must have, where it is not that of the URL.
    pub(super) server_name: Option<String>,
    tls: Tls,
}

impl HttpConfig {
    /// Reads a file, and those it names, which are looked for beside it.
    ///
    /// # Errors
    /// One sentence when anything in it is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |why: String| format!("HTTP configuration {}: {why}", path.display());
        let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let file: File = parse(&text).map_err(wrong)?;
        let beside = path.parent().unwrap_or_else(|| Path::new("."));
        let authorization = file.basic_auth.map(|user| user.header(beside)).transpose().map_err(wrong)?;
        let mut tls = file.tls_config.unwrap_or_default();
        for file in [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file].into_iter().flatten() {
            *file = beside.join(&*file);
        }
        let config = Self { authorization, server_name: tls.server_name.clone(), tls };
        // What is wrong with certificates is told now, whatever the URL.
        config.tls().map_err(wrong)?;
        Ok(config)
    }

    /// What to speak TLS with: the authorities that the file names, or those of the system.
    ///
    /// # Errors
    /// One sentence when a file cannot be read or does not hold what it should.
    pub(super) fn tls(&self) -> Result<ClientConfig, String> {
        let Tls { ca_file, cert_file, key_file, min_version, .. } = &self.tls;
        let roots = match ca_file {
            Some(path) => authorities(path)?,
            None => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                roots
            }
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions(min_version.as_deref())?)
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(roots);
        match (cert_file, key_file) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => {
                let (chain, private) = identity(certificate, key)?;
                let shown = certificate.display();
                builder
                    .with_client_auth_cert(chain, private)
                    .map_err(|error| format!("{shown} and its key do not go together: {error}"))
            }
            _ => Err("tls_config needs both of cert_file and key_file, or neither".to_owned()),
        }
    }
}

impl BasicAuth {
    fn header(&self, beside: &Path) -> Result<HeaderValue, String> {
        let password = match (&self.password, &self.password_file) {
            (Some(password), None) => password.clone(),
            (None, Some(path)) => {
                let path = beside.join(path);
                let text = fs::read_to_string(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            _ => return Err("basic_auth needs one of password and password_file".to_owned()),
        };
        // RFC 7617 §2: the colon ends the name.
        if self.username.is_empty() || self.username.contains(':') {
            return Err("basic_auth needs a username, without a colon".to_owned());
        }
        let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{password}", self.username)));
        let mut header = HeaderValue::from_str(&value).map_err(|_| "basic_auth cannot be sent".to_owned())?;
        header.set_sensitive(true);
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HttpConfig, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("word"), "open sesame\n").unwrap();
        let path = folder.path().join("http.yml");
        fs::write(&path, text).unwrap();
        HttpConfig::read(&path)
    }

    #[test]
    fn passwords() {
        for text in ["password: open sesame", "password_file: word"] {
            let config = read(&format!("basic_auth:\n  username: Aladdin\n  {text}\n")).unwrap();
            // RFC 7617 §2 has this very pair.
            assert_eq!(config.authorization.unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        }
        assert!(read("").unwrap().authorization.is_none());
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, tells) in [
            ("basic_auth:\n  username: a\n", "one of password and password_file"),
            ("basic_auth:\n  username: a:b\n  password: c\n", "without a colon"),
            ("basic_auth:\n  username: a\n  password_file: none\n", "cannot be read"),
            ("tls_config:\n  insecure_skip_verify: true\n", "insecure_skip_verify"),
            ("tls_config:\n  ca_file: word\n", "no certificate in PEM"),
            ("tls_config:\n  cert_file: word\n", "both of cert_file and key_file"),
            ("tls_config:\n  min_version: SSL3\n", "SSL3"),
            ("bearer_token: x\n", "bearer_token"),
        ] {
            let why = read(text).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(why.contains(tells) && why.contains("http.yml"), "{text}: {why}");
        }
    }
}
