//! A NATS server with JetStream, as Debian has it, and what is in its stream.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, stream};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::syslog::PATIENCE;

/// Whether there is one to be started. Says so when there is none.
pub fn is_there() -> bool {
    let there = program().is_some();
    if !there {
        let _ = writeln!(std::io::stderr(), "WARNING: NATS was not tested: no nats-server (deploy/setup --tests installs it)");
    }
    there
}

fn program() -> Option<PathBuf> {
    let places = ["/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"];
    places.into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// A server on loopback, with its store, which it keeps when it is killed.
pub struct Server {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    runtime: Runtime,
    /// How we connect to it.
    options: ConnectOptions,
    scheme: &'static str,
}

/// A message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub key: String,
    pub text: String,
}

impl Server {
    /// One that is not started; `more` is for its configuration.
    pub fn at(port: u16, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("store");
        let jetstream = format!("jetstream {{ store_dir: {:?} }}\n", store.to_str().unwrap());
        fs::write(folder.path().join("config"), format!("listen: 127.0.0.1:{port}\n{jetstream}{more}")).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, port, child: None, runtime, options: ConnectOptions::new(), scheme: "nats" }
    }

    /// Has us connect inside TLS, and otherwise as it is said.
    pub fn encrypted(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self.scheme = "tls";
        self
    }

    pub fn start(&mut self) {
        let mut command = Command::new(program().unwrap());
        let log = self.folder.path().join("log");
        command.arg("-c").arg(self.folder.path().join("config")).arg("-l").arg(&log);
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{}", fs::read_to_string(&log).unwrap_or_default());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn context(&self) -> jetstream::Context {
        let address = format!("{}://localhost:{}", self.scheme, self.port);
        // It starts a task.
        let _inside = self.runtime.enter();
        jetstream::new(self.runtime.block_on(self.options.clone().connect(address)).unwrap())
    }

    /// Makes a stream of all that is published below `dgawatch`.
    pub fn make_stream(&self, name: &str) {
        let (name, subjects) = (name.to_owned(), vec!["dgawatch.>".to_owned()]);
        let config = stream::Config { name, subjects, ..stream::Config::default() };
        let context = self.context();
        self.runtime.block_on(context.create_stream(config)).unwrap();
    }

    /// All messages of a stream, in order.
    pub fn messages(&self, name: &str) -> Vec<Message> {
        let context = self.context();
        self.runtime.block_on(async {
            let mut stream = context.get_stream(name).await.unwrap();
            let state = stream.info().await.unwrap().state.clone();
            let mut messages = vec![];
            // Numbers begin at 1; one that is empty says 0.
            for sequence in state.first_sequence.max(1)..=state.last_sequence {
                let message = stream.get_raw_message(sequence).await.unwrap();
                let header = |name: &str| message.headers.get(name).unwrap().to_string();
                let text = String::from_utf8(message.payload.to_vec()).unwrap();
                messages.push(Message { id: header("Nats-Msg-Id"), key: header("Dgawatch-Key"), text });
            }
            assert_eq!(messages.len() as u64, state.messages);
            messages
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Who signs for users, in the way of NATS: an operator for its accounts, an account for its users.
pub struct Operator {
    operator: KeyPair,
    account: KeyPair,
    system: KeyPair,
}

impl Operator {
    pub fn new() -> Self {
        Self { operator: KeyPair::new_operator(), account: KeyPair::new_account(), system: KeyPair::new_account() }
    }

    /// What a server is to know: the operator, its account with JetStream, and the one of the system.
    pub fn config(&self) -> String {
        let everything = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
            "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        });
        let mut nothing_stored = everything.clone();
        for kind in ["mem_storage", "disk_storage", "streams", "consumer"] {
            nothing_stored[kind] = json!(0);
        }
        let account =
            |key: &KeyPair, limits: &Value| self.token(&self.operator, key, "account", json!({ "limits": limits }), None);
        let operator = self.token(&self.operator, &self.operator, "operator", json!({}), None);
        let (ours, system) = (account(&self.account, &everything), account(&self.system, &nothing_stored));
        let (our_key, system_key) = (self.account.public_key(), self.system.public_key());
        format!(
            "operator: {operator}\nsystem_account: {system_key}\nresolver: MEMORY\n\
             resolver_preload {{\n{our_key}: {ours}\n{system_key}: {system}\n}}\n"
        )
    }

    /// The credentials file of a user with these permissions, until so many seconds after 1970.
    pub fn user(&self, permissions: &Value, until: Option<u64>) -> String {
        let user = KeyPair::new_user();
        let mut claims = json!({ "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {} });
        claims.as_object_mut().unwrap().extend(permissions.as_object().unwrap().clone());
        let token = self.token(&self.account, &user, "user", claims, until);
        let seed = user.seed().unwrap();
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }

    /// A JWT with claims of version 2.
    fn token(&self, signer: &KeyPair, about: &KeyPair, kind: &str, mut nats: Value, until: Option<u64>) -> String {
        nats["type"] = kind.into();
        nats["version"] = 2.into();
        let key = about.public_key();
        let mut claims =
            json!({ "jti": key, "iat": 1_600_000_000, "iss": signer.public_key(), "name": kind, "sub": key, "nats": nats });
        if let Some(until) = until {
            claims["exp"] = until.into();
        }
        let head = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
        let parts = [head, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        let signature = signer.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}
