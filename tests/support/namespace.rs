//! A network namespace of a test's own, with two interfaces joined to each other.

use std::io::Write;
use std::process::Command;
use std::{env, process};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "DGAWATCH_INSIDE_NAMESPACE";

/// Runs `test` again in a namespace with `watched` and `sending`, joined to each other.
pub fn in_namespace(test: &str, inside: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let namespace = Namespace(format!("dgawatch-{}-{test}", process::id()));
    if let Err(why) = namespace.create() {
        let _ = writeln!(std::io::stderr(), "WARNING: live capture was not tested: {why}");
        return;
    }
    let this_test = [env::current_exe().unwrap().to_str().unwrap(), "--exact", test, "--nocapture"].map(str::to_owned);
    let status = Command::new("ip").args(["netns", "exec", &namespace.0]).args(this_test).env(INSIDE, "1").status().unwrap();
    assert!(status.success());
}

/// Runs `ip` in the namespace that we are in.
pub fn ip(line: &str) {
    assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "ip {line}");
}

/// Makes the two interfaces, without addresses: so the kernel has nothing to say on them.
const PAIR: [&str; 5] = [
    "link add watched type veth peer name sending",
    "link set watched addrgenmode none",
    "link set sending addrgenmode none",
    "link set watched up",
    "link set sending up",
];

pub fn pair() {
    PAIR.iter().for_each(|line| ip(line));
}

/// A namespace with two interfaces joined to each other, removed at the end.
struct Namespace(String);

impl Namespace {
    fn create(&self) -> Result<(), String> {
        let name = &self.0;
        let lines = PAIR.iter().map(|line| format!("-n {name} {line}"));
        // The sensor serves HTTP on loopback.
        let first = [format!("netns add {name}"), format!("-n {name} link set lo up")];
        for line in first.into_iter().chain(lines) {
            let output = Command::new("ip").args(line.split(' ')).output().map_err(|error| format!("ip (iproute2): {error}"))?;
            if !output.status.success() {
                return Err(format!("ip {line}: {}", String::from_utf8_lossy(&output.stderr).trim()));
            }
        }
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}
