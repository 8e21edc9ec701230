//! Clusters of Kafka: librdkafka's mock, which speaks the protocol and is no broker; Tansu, which is one; and a gate in front of it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::Value;

use super::syslog::PATIENCE;
use super::{python, root};

/// Where [`Broker`] listens, on loopback.
pub const PORT: u16 = 9_092;

/// A process of a test's own, which ends with it.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const UNTESTED: &str = "Kafka was not tested";

fn warn(why: &str) {
    let _ = writeln!(std::io::stderr(), "WARNING: {UNTESTED}: {why} (deploy/setup --tests installs it)");
}

/// Runs a script of this folder; gives its lines.
fn script(python: &Path, name: &str, arguments: &[&str]) -> (Ours, impl Iterator<Item = String> + Send + use<>) {
    let mut command = Command::new(python);
    command.arg(root().join("tests/support").join(name)).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (Ours(child), lines.map_while(Result::ok))
}

/// The records of a topic.
pub struct Reader {
    script: Ours,
    /// Where its brokers are.
    pub brokers: Vec<String>,
    pub partitions: u64,
    records: Receiver<Value>,
}

impl Reader {
    /// Of librdkafka's mock cluster, which is this process too. None where there is none to be had, which is said.
    pub fn of_mock(topic: &str) -> Option<Self> {
        Some(Self::run(&python("confluent_kafka", UNTESTED)?, "kafka_mock.py", &[topic]))
    }

    /// Of a broker, found as librdkafka is told to. The topic is made where it is not there.
    pub fn of(topic: &str, told: &[&str]) -> Self {
        Self::run(&python("confluent_kafka", UNTESTED).unwrap(), "kafka_read.py", &[&[topic], told].concat())
    }

    fn run(python: &Path, name: &str, arguments: &[&str]) -> Self {
        let (script, mut lines) = script(python, name, arguments);
        let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        let brokers = first["brokers"].as_array().unwrap().iter().map(|broker| broker.as_str().unwrap().to_owned()).collect();
        let (give, records) = channel();
        thread::spawn(move || {
            for line in lines {
                if give.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { script, brokers, partitions: first["partitions"].as_u64().unwrap(), records }
    }

    /// The next record that came.
    #[track_caller]
    pub fn next(&self) -> Value {
        self.records.recv_timeout(PATIENCE * 2).unwrap()
    }

    /// Records that are there already.
    pub fn rest(&self) -> Vec<Value> {
        self.records.try_iter().collect()
    }

    /// Has a mock answer nobody, or again.
    pub fn signal(&self, signal: &str) {
        send(&self.script, signal);
    }
}

fn send(process: &Ours, signal: &str) {
    assert!(Command::new("kill").args([signal, &process.0.id().to_string()]).status().unwrap().success());
}

/// Tansu, a broker that keeps its topics in memory, on [`PORT`].
pub struct Broker {
    program: PathBuf,
    /// The port at which clients are told it is.
    told: u16,
    running: Option<Ours>,
}

impl Broker {
    /// One that is not started, and tells clients that it is at the port `told` of 127.0.0.1. None where there is none to be had,
    /// which is said.
    pub fn at(told: u16) -> Option<Self> {
        let own = env::var_os("DGAWATCH_TANSU").map(PathBuf::from);
        let places = [root().join("target/python/bin/tansu")]
            .into_iter()
            .chain(env::var_os("PATH").iter().flat_map(env::split_paths).map(|folder| folder.join("tansu")).collect::<Vec<_>>());
        let Some(program) = own.or_else(|| places.into_iter().find(|path| path.is_file())) else {
            warn("no broker: no tansu in target/python/bin, PATH or DGAWATCH_TANSU");
            return None;
        };
        python("confluent_kafka, scramp", UNTESTED)?;
        Some(Self { program, told, running: None })
    }

    pub fn start(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["broker", "--listener-url", &format!("tcp://127.0.0.1:{PORT}")]);
        command.args(["--advertised-listener-url", &format!("tcp://127.0.0.1:{}", self.told)]);
        command.args(["--storage-engine", "memory://tansu/"]).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(Ours(command.spawn().unwrap()));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{} does not listen", self.program.display());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// kill -9: its topics are gone.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Has it answer nobody, or again.
    pub fn signal(&self, signal: &str) {
        send(self.running.as_ref().unwrap(), signal);
    }
}

/// TLS, certificates of clients and SASL in front of a [`Broker`], at the port that it tells.
pub struct Gate {
    _script: Ours,
}

impl Gate {
    /// With `cert.pem`, `key.pem` and, where clients are to show certificates of their own, the authority `ca.pem` of a folder;
    /// and with a user and a password, where it goes by these.
    pub fn open(broker: &Broker, folder: &Path, asks_for_certificate: bool, user: Option<(&str, &str)>) -> Self {
        let path = |name: &str| Value::from(fs::canonicalize(folder.join(name)).unwrap().to_str().unwrap());
        let mut told = serde_json::json!({
            "port": broker.told, "broker": PORT, "certificate": path("cert.pem"), "key": path("key.pem"),
        });
        if asks_for_certificate {
            told["clients"] = path("ca.pem");
        }
        if let Some((user, password)) = user {
            (told["user"], told["password"]) = (user.into(), password.into());
        }
        let python = python("confluent_kafka, scramp", UNTESTED).unwrap();
        let (script, mut lines) = script(&python, "kafka_gate.py", &[&told.to_string()]);
        assert_eq!(lines.next().as_deref(), Some("open"));
        Self { _script: script }
    }
}
