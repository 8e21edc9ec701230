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

    /// Has us connect with a password, and trust whom a file names.
    pub fn with(mut self, user: &str, password: &str, authority: PathBuf) -> Self {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
        self.options = options.add_root_certificates(authority);
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
