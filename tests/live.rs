//! Listening to an interface, for real: a pair of virtual interfaces in a network namespace of the test's own.
//!
//! Needs root and iproute2; says aloud when it cannot run. Nothing leaves the namespace.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, process, thread};

use pcap::{Active, Capture};
use serde_json::Value;
use support::packets::{at, ethernet, nxdomain, query, udp};
use support::{dgawatch, names, printed};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "DGAWATCH_INSIDE_NAMESPACE";

/// Packets sent of each kind.
const SENT: usize = 20_000;

#[test]
fn what_crosses_an_interface() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let namespace = Namespace(format!("dgawatch-{}", process::id()));
    if let Err(why) = namespace.create() {
        let _ = writeln!(std::io::stderr(), "WARNING: live capture was not tested: {why}");
        return;
    }
    let this_test =
        [env::current_exe().unwrap().to_str().unwrap(), "--exact", "what_crosses_an_interface", "--nocapture"].map(str::to_owned);
    let status = Command::new("ip").args(["netns", "exec", &namespace.0]).args(this_test).env(INSIDE, "1").status().unwrap();
    assert!(status.success());
}

/// Listens on one end of the pair while the other sends.
fn inside() {
    let mut sensor = Command::new(env!("CARGO_BIN_EXE_dgawatch"))
        .args(["live", "--interface", "watched", "--format", "json", "--family", "conficker-b"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(sensor.stderr.take().unwrap());
    let mut said = String::new();
    while !said.ends_with("dgawatch: listening on watched\n") {
        assert!(errors.read_line(&mut said).unwrap() > 0, "{said}");
    }
    assert!(said.contains(", no capabilities, no new privileges; sandbox: try\n"), "{said}");
    send(&today());
    thread::sleep(Duration::from_millis(100));
    Command::new("kill").args(["-TERM", &sensor.id().to_string()]).status().unwrap();
    let mut out = String::new();
    sensor.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert_eq!(sensor.wait().unwrap().code(), Some(0), "{rest}");

    let report: Value = serde_json::from_str(&out).unwrap();
    let outcome = |label: &str| report["packets"]["outcomes"][label].as_u64().unwrap() as usize;
    // The kernel may add a packet of its own, of neighbour discovery for instance, but none of DNS.
    assert_eq!((outcome("dns_query"), outcome("dns_response")), (2 * SENT, SENT));
    let rows = report["sources"].as_array().unwrap();
    let row = |source: &str| rows.iter().find(|row| row["source"] == source).unwrap();
    assert_eq!(
        (&row("192.0.2.7")["verdict"], &row("192.0.2.7")["distinct_names"], &row("192.0.2.7")["matches"]),
        (&"infected".into(), &250.into(), &SENT.into())
    );
    assert_eq!((&row("2001:db8::7")["verdict"], &row("2001:db8::7")["responses"]), (&"infected".into(), &SENT.into()));
    assert_eq!(rows.len(), 2);

    let (_, missing) = printed(&dgawatch(&["live", "--interface", "nowhere"]), 1);
    assert!(missing.starts_with("dgawatch: interface nowhere cannot be listened to: "), "{missing}");
}

/// Queries for listed names, tagged; responses to another host; queries for other names.
fn send(list: &[String]) {
    let mut wire: Capture<Active> = Capture::from_device("sending").unwrap().open().unwrap();
    let (client, client6) = (at("192.0.2.7", 4_000), at("2001:db8::7", 4_000));
    for (place, name) in (0..SENT).zip(list.iter().cycle()) {
        let id = place as u16;
        for frame in [
            ethernet(&[(0x8100, 7)], &udp(client, at("192.0.2.53", 53), &query(id, name, 1))),
            ethernet(&[], &udp(at("2001:db8::53", 53), client6, &nxdomain(id, name, 1))),
            ethernet(&[], &udp(at("192.0.2.8", 4_000), at("192.0.2.53", 53), &query(id, &format!("www.{name}"), 1))),
        ] {
            wire.sendpacket(frame).unwrap();
        }
    }
}

fn today() -> Vec<String> {
    let (day, _) = printed(&Command::new("date").args(["-u", "+%F"]).output().unwrap(), 0);
    names("conficker-b", day.trim())
}

/// A namespace with two interfaces joined to each other, removed at the end.
struct Namespace(String);

impl Namespace {
    fn create(&self) -> Result<(), String> {
        let name = &self.0;
        for line in [
            format!("netns add {name}"),
            format!("-n {name} link add watched type veth peer name sending"),
            format!("-n {name} link set watched up"),
            format!("-n {name} link set sending up"),
        ] {
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
