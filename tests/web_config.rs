//! `--web.config.file`: TLS, client certificates, passwords, headers, and what happens when the file changes.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dgawatch::export::http::{Config, Server};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};
use support::sensor::snapshot;
use support::web::{PATIENCE, Running, Sensor, ask, try_ask};
use tempfile::TempDir;

/// An authority that signs certificates, each a pair of PEM texts.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A directory with a web configuration.
struct Files(TempDir);

impl Files {
    fn new(config: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("web.yml", config);
        files
    }

    /// With a certificate for `localhost`.
    fn with_tls(authority: &Authority, more: &str) -> Self {
        let files = Self::new(&format!("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n{more}"));
        files.certify(authority);
        files
    }

    fn certify(&self, authority: &Authority) {
        let (certificate, key) = authority.sign("localhost");
        self.write("key.pem", &key);
        self.write("cert.pem", &certificate);
    }

    fn write(&self, name: &str, text: &str) {
        // As tools do it: whole or not at all.
        let (path, new) = (self.path(name), self.path("new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> Config {
        Config { web_config: Some(self.path("web.yml")), ..Config::default() }
    }

    fn serve(&self) -> Running {
        let sensor = Sensor { snapshot: Mutex::new(Arc::new(snapshot())), ..Sensor::default() };
        Running::start(self.config(), sensor)
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(
    server: &Running,
    trusted: &Authority,
    own: Option<(String, String)>,
    versions: &[&'static SupportedProtocolVersion],
) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.certificate.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), server.connect())
}

const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

fn status(stream: &mut Stream) -> io::Result<u16> {
    try_ask(stream, "GET", "/metrics", &[]).map(|answer| answer.status)
}

#[test]
fn tls_and_nothing_else() {
    let authority = Authority::new();
    let files = Files::with_tls(&authority, "");
    let server = files.serve();
    for version in BOTH {
        let mut stream = connect(&server, &authority, None, &[version]);
        // Many requests on one connection.
        (0..3).for_each(|_| assert_eq!(status(&mut stream).unwrap(), 200));
    }
    assert!(status(&mut connect(&server, &Authority::new(), None, &BOTH)).is_err(), "the client trusts somebody else");
    assert!(try_ask(&mut server.connect(), "GET", "/metrics", &[]).is_err(), "plain HTTP was answered");
}

#[test]
fn old_versions_are_refused() {
    let authority = Authority::new();
    let files = Files::with_tls(&authority, "  min_version: TLS13\n");
    let server = files.serve();
    assert!(status(&mut connect(&server, &authority, None, &[&version::TLS12])).is_err());
    assert_eq!(status(&mut connect(&server, &authority, None, &BOTH)).unwrap(), 200);
}

#[test]
fn certificates_of_clients() {
    let (authority, clients) = (Authority::new(), Authority::new());
    for (kind, without) in [("RequireAndVerifyClientCert", false), ("VerifyClientCertIfGiven", true)] {
        let files = Files::with_tls(&authority, &format!("  client_ca_file: clients.pem\n  client_auth_type: {kind}\n"));
        files.write("clients.pem", &clients.certificate);
        let server = files.serve();
        for version in BOTH {
            let ask = |own| status(&mut connect(&server, &authority, own, &[version]));
            assert_eq!(ask(Some(clients.sign("prometheus"))).unwrap(), 200, "{kind}");
            assert!(ask(Some(Authority::new().sign("prometheus"))).is_err(), "{kind}: a stranger's certificate was taken");
            assert_eq!(ask(None).is_ok(), without, "{kind}");
        }
    }
}

fn hash(password: &str, cost: u32) -> String {
    bcrypt::hash_with_salt(password, cost, *b"0123456789abcdef").unwrap().to_string()
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

#[test]
fn passwords() {
    let (ann, bob) = (hash("secret", 4), hash("pässword", 4).replacen("$2b$", "$2y$", 1));
    let files = Files::new(&format!("basic_auth_users:\n  ann: {ann}\n  bob: '{bob}'\n"));
    let server = files.serve();
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/summary", "/nothing"] {
        let refused = server.get(path);
        assert_eq!((refused.status, refused.text()), (401, "a user and a password are needed\n"), "{path}");
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic realm="));
    }
    assert_eq!(server.ask("POST", "/-/reload", &[]).status, 401);
    for (credentials, expected) in [
        ("ann:secret", 200),
        ("ann:secret", 200),
        ("bob:pässword", 200),
        ("ann:Secret", 401),
        ("ann:", 401),
        ("bob:secret", 401),
        ("eve:secret", 401),
        (":", 401),
        ("ann", 401),
    ] {
        let answer = server.ask("GET", "/metrics", &[("Authorization", &basic(credentials))]);
        assert_eq!(answer.status, expected, "{credentials}");
    }
    for wrong in ["Basic", "Basic !", "Bearer x", "Basic //79"] {
        assert_eq!(server.ask("GET", "/metrics", &[("Authorization", wrong)]).status, 401, "{wrong}");
    }
}

#[test]
fn guessing_holds_up_nobody_who_is_known() {
    // A guess costs about 100 ms.
    let files = Files::new(&format!("basic_auth_users:\n  ann: {}\n", hash("secret", 10)));
    let server = files.serve();
    let right = basic("ann:secret");
    let mut scrape = server.connect();
    assert_eq!(ask(&mut scrape, "GET", "/metrics", &[("Authorization", &right)]).status, 200);
    let (checked, turned_away) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for n in 0..40 {
            let (server, checked, turned_away) = (&server, &checked, &turned_away);
            scope.spawn(move || {
                let status = server.ask("GET", "/metrics", &[("Authorization", &basic(&format!("ann:{n}")))]).status;
                assert!([401, 503].contains(&status), "{status}");
                if status == 401 { checked } else { turned_away }.fetch_add(1, Ordering::SeqCst);
            });
        }
        // From now on a full queue of guesses waits.
        until("a guess is turned away", || turned_away.load(Ordering::SeqCst) > 0);
        let before = checked.load(Ordering::SeqCst);
        for _ in 0..20 {
            assert_eq!(ask(&mut scrape, "GET", "/metrics", &[("Authorization", &right)]).status, 200);
        }
        let meanwhile = checked.load(Ordering::SeqCst) - before;
        assert!(meanwhile < 14, "20 scrapes took as long as {meanwhile} guesses");
    });
    assert_eq!(checked.into_inner() + turned_away.into_inner(), 40);
}

#[test]
fn time_does_not_tell_which_users_there_are() {
    let files = Files::new(&format!("basic_auth_users:\n  ann: {}\n", hash("secret", 9)));
    let server = files.serve();
    let fastest = |credentials: &str| {
        let once = |_| {
            let begin = Instant::now();
            assert_eq!(server.ask("GET", "/metrics", &[("Authorization", &basic(credentials))]).status, 401);
            begin.elapsed()
        };
        (0..4).map(once).min().unwrap()
    };
    let (known, unknown) = (fastest("ann:wrong"), fastest("eve:wrong"));
    assert!(unknown * 4 > known && known * 4 > unknown, "{known:?} and {unknown:?}");
}

#[test]
fn headers_of_the_operator() {
    let files = Files::new(
        "http_server_config:\n  headers:\n    x-frame-options: SAMEORIGIN\n    Strict-Transport-Security: max-age=9\n",
    );
    let answer = files.serve().get("/");
    assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"));
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=9"));
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "x-frame-options").count(), 1);
}

#[test]
fn what_is_wrong_is_told_at_the_start() {
    let authority = Authority::new();
    for (config, tells) in [
        ("tls_server_config:\n  cert_file: cert.pem\n", "key_file"),
        ("tls_server_config:\n  cert_file: none.pem\n  key_file: key.pem\n", "none.pem"),
        ("tls_server_config:\n  cert_file: key.pem\n  key_file: key.pem\n", "no certificate"),
        ("tls_server_config:\n  cert_file: cert.pem\n  key_file: cert.pem\n", "no private key"),
        ("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  min_version: TLS10\n", "TLS12 or TLS13"),
        ("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  client_ca_file: cert.pem\n", "client_auth_type"),
        (
            "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  client_auth_type: RequireAndVerifyClientCert\n",
            "client_ca_file",
        ),
        (
            "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  client_auth_type: RequireAnyClientCert\n",
            "proves nothing",
        ),
        ("basic_auth_user:\n  ann: b\n", "basic_auth_user"),
        ("basic_auth_users:\n  ann: secret\n", "ann"),
        ("http_server_config:\n  headers:\n    Set-Cookie: a\n", "Set-Cookie"),
    ] {
        let files = Files::new(config);
        files.certify(&authority);
        let why = Server::bind(files.config()).err().unwrap_or_else(|| panic!("{config} was taken"));
        assert!(why.contains(tells) && why.contains("web.yml") && !why.contains("secret"), "{config}: {why}");
    }
    let gone = Config { web_config: Some("/nowhere/web.yml".into()), ..Config::default() };
    assert!(Server::bind(gone).err().unwrap().contains("/nowhere/web.yml"));
}

/// Waits until it is so.
fn until(what: &str, is: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_changed_file_is_read_again_and_a_wrong_one_is_not_used() {
    let files = Files::new("# nothing yet\n");
    let server = files.serve();
    let said = |part: &str| server.sensor.said.lock().unwrap().iter().filter(|sentence| sentence.contains(part)).count();
    assert_eq!(server.get("/metrics").status, 200);

    files.write("web.yml", &format!("basic_auth_users:\n  ann: {}\n", hash("one", 4)));
    until("a password is needed", || server.get("/metrics").status == 401);
    let allowed = |credentials: &str| server.ask("GET", "/metrics", &[("Authorization", &basic(credentials))]).status == 200;
    assert!(allowed("ann:one"));

    files.write("web.yml", "basic_auth_users: [\n");
    until("the fault is told", || said("stays in use") == 1);
    assert!(allowed("ann:one"));
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(said("stays in use"), 1, "told again and again");

    // The right password of before was remembered, and counts no more.
    files.write("web.yml", &format!("basic_auth_users:\n  ann: {}\n", hash("two", 4)));
    until("the new password", || allowed("ann:two"));
    assert!(!allowed("ann:one"));
}

#[test]
fn a_renewed_certificate_is_used() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::with_tls(&before, "");
    let server = files.serve();
    let mut old = connect(&server, &before, None, &BOTH);
    assert_eq!(status(&mut old).unwrap(), 200);
    files.certify(&after);
    until("the new certificate", || status(&mut connect(&server, &after, None, &BOTH)).is_ok());
    assert!(status(&mut connect(&server, &before, None, &BOTH)).is_err());
    assert_eq!(status(&mut old).unwrap(), 200, "a connection outlives its certificate");
}

/// What `dgawatch top` asks with.
#[cfg(feature = "top")]
#[test]
fn our_own_client() {
    use dgawatch::export::http::client::Client;
    let (authority, other) = (Authority::new(), Authority::new());
    let hash = bcrypt::hash("open sesame", 4).unwrap();
    let users = format!("basic_auth_users:\n  ali: {hash}\n");
    let ask = "  client_ca_file: clients.pem\n  client_auth_type: RequireAndVerifyClientCert\n";
    let files = Files::with_tls(&authority, &format!("{ask}{users}"));
    files.write("clients.pem", &authority.certificate);
    files.write("other.pem", &other.certificate);
    let (certificate, key) = authority.sign("ali");
    files.write("ali.pem", &certificate);
    files.write("ali.key", &key);
    let server = files.serve();
    let url = format!("https://localhost:{}", server.address.port());
    let look = |config: &str| {
        files.write("http.yml", config);
        Client::new(&url, Some(&files.path("http.yml"))).unwrap().look()
    };
    let user = "basic_auth:\n  username: ali\n  password: open sesame\n";
    let own = "  cert_file: ali.pem\n  key_file: ali.key\n";
    let state = look(&format!("tls_config:\n  ca_file: clients.pem\n{own}{user}")).unwrap();
    assert_eq!((state.summary.version.as_str(), state.families.len()), ("1.2.3", 1));
    let losses: Vec<u64> = state.overview.losses.iter().map(|loss| loss.count).collect();
    assert_eq!((losses[0], losses[1], losses.last()), (1, 2, Some(&3)));
    for (config, tells) in [
        (format!("tls_config:\n  ca_file: clients.pem\n{own}"), "wants a user and a password"),
        (format!("tls_config:\n  ca_file: clients.pem\n{own}{}", user.replace("open", "shut")), "does not know this user"),
        (format!("tls_config:\n  ca_file: other.pem\n{own}{user}"), "TLS do not agree"),
        (format!("tls_config:\n  ca_file: clients.pem\n  server_name: elsewhere\n{own}{user}"), "TLS do not agree"),
        (format!("tls_config:\n  ca_file: clients.pem\n{user}"), ""),
        (user.to_owned(), "TLS do not agree"),
    ] {
        let why = look(&config).unwrap_err();
        assert!(why.contains(tells) && why.contains(&url), "{config}: {why}");
    }
    let plain = format!("http://localhost:{}", server.address.port());
    assert!(Client::new(&plain, None).unwrap().look().is_err());
}
