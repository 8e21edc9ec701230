//! TLS: our certificate, and whose certificates clients must show.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

/// `tls_server_config`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_ca_file: Option<PathBuf>,
    client_auth_type: Option<String>,
    min_version: Option<String>,
}

impl File {
    /// Reads the files, which are looked for `beside` the configuration, and tells which they were.
    ///
    /// # Errors
    /// One sentence when one cannot be read or does not hold what it should.
    pub(super) fn load(&self, beside: &Path) -> Result<(TlsAcceptor, Vec<PathBuf>), String> {
        let (Some(certificate), Some(key)) = (&self.cert_file, &self.key_file) else {
            return Err("tls_server_config needs cert_file and key_file".to_owned());
        };
        let (certificate, key) = (beside.join(certificate), beside.join(key));
        let client_ca = self.client_ca_file.as_ref().map(|path| beside.join(path));
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(self.min_version.as_deref())?)
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let builder = match self.verifier(client_ca.as_deref(), provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let (chain, private) = identity(&certificate, &key)?;
        let mut config = builder.with_single_cert(chain, private).map_err(|error| {
            format!("{} and {} do not make a certificate to serve with: {error}", certificate.display(), key.display())
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let files = [certificate, key].into_iter().chain(client_ca).collect();
        Ok((TlsAcceptor::from(Arc::new(config)), files))
    }

    fn verifier(
        &self,
        client_ca: Option<&Path>,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let required = match (self.client_auth_type.as_deref(), client_ca) {
            (None | Some("" | "NoClientCert"), None) => return Ok(None),
            (None | Some("" | "NoClientCert"), Some(_)) => {
                return Err("client_ca_file means nothing without client_auth_type: RequireAndVerifyClientCert".to_owned());
            }
            (Some("RequireAndVerifyClientCert"), Some(path)) => (true, path),
            (Some("VerifyClientCertIfGiven"), Some(path)) => (false, path),
            (Some("RequireAndVerifyClientCert" | "VerifyClientCertIfGiven"), None) => {
                return Err("client_auth_type needs client_ca_file".to_owned());
            }
            (Some(other), _) => {
                let other = other.escape_debug();
                return Err(format!(
                    "client_auth_type `{other}` is not offered, for it proves nothing: choose NoClientCert, \
                     VerifyClientCertIfGiven or RequireAndVerifyClientCert"
                ));
            }
        };
        let (required, path) = required;
        let roots = authorities(path)?;
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if required { builder } else { builder.allow_unauthenticated() };
        builder.build().map(Some).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// The versions of TLS from `min_version` on.
///
/// # Errors
/// One sentence when it names none that is offered.
pub(in crate::export::http) fn versions(min_version: Option<&str>) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    match min_version {
        None | Some("" | "TLS12") => Ok(vec![&version::TLS13, &version::TLS12]),
        Some("TLS13") => Ok(vec![&version::TLS13]),
        Some(other) => Err(format!("min_version `{}` is not offered: choose TLS12 or TLS13", other.escape_debug())),
    }
}

/// The authorities whose certificates are in a file.
///
/// # Errors
/// One sentence when it cannot be read, or holds none.
pub(in crate::export::http) fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots)
}

/// A certificate with those that lead to its authority, and its private key.
///
/// # Errors
/// One sentence when a file cannot be read or does not hold what it should.
pub(in crate::export::http) fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| format!("{} holds no private key in PEM: {error}", key.display()))?;
    Ok((chain, private))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let octets = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    let found = found.map_err(|error| format!("{} is not PEM: {error}", path.display()))?;
    if found.is_empty() { Err(format!("{} holds no certificate in PEM", path.display())) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
