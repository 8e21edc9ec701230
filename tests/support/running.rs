//! The program at work on an interface of a test's own, and what a test does to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use pcap::{Active, Capture};
use serde_json::Value;

use super::{names, printed};

/// The program at work on `watched`.
pub struct Sensor {
    pub child: Child,
    errors: BufReader<ChildStderr>,
    /// What nobody had read of what it said, once it has ended.
    pub rest: String,
}

/// However a test ends, its sensor does too.
impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sensor {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dgawatch"));
        command.args(["live", "--interface", "watched"]).args(arguments);
        Self::of(command)
    }

    /// One that is started in a way of its own.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let mut sensor = Self { child, errors, rest: String::new() };
        let mut said = String::new();
        while !said.ends_with("dgawatch: listening on watched\n") {
            let line = sensor.line();
            assert!(!line.is_empty(), "{said}");
            said.push_str(&line);
        }
        assert!(said.contains(", no new privileges; sandbox: try\n"), "{said}");
        sensor
    }

    /// The next line that it says.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.errors.read_line(&mut line).unwrap();
        line
    }

    /// Asks it to stop; returns the report.
    pub fn stop(&mut self, code: i32) -> Value {
        thread::sleep(Duration::from_millis(100));
        self.signal("-TERM");
        self.wait(code)
    }

    pub fn signal(&self, signal: &str) {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
    }

    pub fn wait(&mut self, code: i32) -> Value {
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.errors.read_to_string(&mut self.rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{}", self.rest);
        serde_json::from_str(&out).unwrap()
    }
}

/// Hundredths of a second that a process has worked.
pub fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Where packets are put on the wire.
pub fn wire() -> Capture<Active> {
    Capture::from_device("sending").unwrap().open().unwrap()
}

/// The names of today.
pub fn today() -> Vec<String> {
    let (day, _) = printed(&Command::new("date").args(["-u", "+%F"]).output().unwrap(), 0);
    names("conficker-b", day.trim())
}
