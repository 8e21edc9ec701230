//! A cluster of Kafka: librdkafka's mock, which speaks the protocol and keeps what it is sent in memory. No broker of Kafka's.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use super::root;
use super::syslog::PATIENCE;

/// A cluster with one topic.
pub struct Cluster {
    child: Child,
    /// Where its brokers are.
    pub brokers: Vec<String>,
    pub partitions: u64,
    records: Receiver<Value>,
}

impl Cluster {
    /// None where there is none to be had, which is said.
    pub fn start(topic: &str) -> Option<Self> {
        let has = |python: &PathBuf| {
            let mut command = Command::new(python);
            let command = command.args(["-c", "import confluent_kafka"]).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let found = [root().join("target/python/bin/python3"), PathBuf::from("python3")].into_iter().find(has);
        let Some(python) = found else {
            let why = "no confluent_kafka in Python (deploy/setup --tests installs it)";
            let _ = writeln!(std::io::stderr(), "WARNING: Kafka was not tested: {why}");
            return None;
        };
        let mut command = Command::new(python);
        command.arg(root().join("tests/support/kafka_mock.py")).arg(topic);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let brokers = first["brokers"].as_array().unwrap().iter().map(|broker| broker.as_str().unwrap().to_owned()).collect();
        let (give, records) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if give.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Some(Self { child, brokers, partitions: first["partitions"].as_u64().unwrap(), records })
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

    /// Has it answer nobody, or again.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
