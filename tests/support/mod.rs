//! What several tests share: packets, captures, a made-up network, and running the program.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part, and may panic")]

pub mod answers;
pub mod browser;
#[cfg(feature = "http")]
pub mod busy;
pub mod captures;
pub mod dashboards;
pub mod dnstap;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod layers;
pub mod lists;
pub mod mmdb;
pub mod namespace;
#[cfg(feature = "nats")]
pub mod nats;
pub mod packets;
pub mod page;
pub mod population;
#[cfg(feature = "live")]
pub mod running;
#[cfg(feature = "http")]
pub mod sensor;
pub mod simulated;
#[cfg(feature = "http")]
pub mod syslog;
pub mod terminal;
#[cfg(feature = "http")]
pub mod web;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

/// A Python that has these libraries, as deploy/setup installs them or the system has them. None where there is none; then it is
/// said what is left undone.
pub fn python(libraries: &str, undone: &str) -> Option<PathBuf> {
    let has = |python: &PathBuf| {
        let mut command = Command::new(python);
        let command = command.args(["-c", &format!("import {libraries}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = [root().join("target/python/bin/python3"), PathBuf::from("python3")].into_iter().find(has);
    if found.is_none() {
        // Not through the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "WARNING: there is no Python with {libraries}, so {undone}: deploy/setup --tests");
    }
    found
}

/// SplitMix64: the same numbers everywhere, for made-up traffic.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn octets(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of a family's list day.
pub fn names(family: &str, day: &str) -> Vec<String> {
    let mut catalog = dgawatch::dga::Catalog::default();
    catalog.add(family).unwrap();
    let mut names = vec![];
    catalog.family(0).names(day.parse().unwrap(), &mut |name| names.push(name.to_string()));
    names
}

/// Runs the program in the repository.
pub fn dgawatch<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    dgawatch_with(arguments, b"")
}

/// Runs the program in the repository with something on standard input.
pub fn dgawatch_with<S: AsRef<OsStr>>(arguments: &[S], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dgawatch"));
    command.args(arguments).current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that has seen enough closes its end early.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

/// What the program printed, given that it ended with this code.
#[track_caller]
pub fn printed(output: &Output, code: i32) -> (String, String) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "standard output:\n{out}\nstandard error:\n{err}");
    (out, err)
}

/// Compares with a file under tests/expected, or writes it when `DGAWATCH_UPDATE` is set.
#[track_caller]
pub fn expect_file(name: &str, got: &[u8]) {
    expect(&root().join("tests/expected").join(name), got);
}

#[track_caller]
pub fn expect(path: &Path, got: &[u8]) {
    if env::var_os("DGAWATCH_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, got).unwrap();
        return;
    }
    let expected = fs::read(path).unwrap_or_default();
    assert!(
        expected == got,
        "{} is not what it should be (DGAWATCH_UPDATE=1 rewrites it); now:\n{}",
        path.display(),
        String::from_utf8_lossy(&got[..got.len().min(4_000)])
    );
}

/// The folder of real captures with truth files, where there is one. They belong to others and are in no repository.
pub fn corpus() -> Option<PathBuf> {
    let folder = env::var_os("DGAWATCH_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        // Not through the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "WARNING: DGAWATCH_CORPUS is not set: this test ran without real captures");
    }
    folder
}
