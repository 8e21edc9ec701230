//! What is installed beside the program: the unit's exposure, the rules and what they say, a runbook row for each alert.
//!
//! Needs systemd-analyze (Debian: systemd) and promtool (Debian: prometheus): `deploy/setup --tests` installs them. Says
//! aloud what could not be run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write, stderr};
use std::process::{Command, Output};

use support::root;

/// As exposed as a unit may be, by systemd's own reckoning (0 to 10).
const EXPOSURE: f64 = 1.7;

#[test]
fn the_unit_is_hardened() {
    let Some(output) = run("systemd-analyze", &["security", "--offline=true", "deploy/dgawatch.service"]) else { return };
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    let Some((_, rest)) = text.split_once("Overall exposure level for dgawatch.service: ") else {
        return warn(&format!("the unit was not weighed: this systemd-analyze cannot do it without systemd: {text}"));
    };
    let exposure: f64 = rest.split(' ').next().unwrap().parse().unwrap();
    assert!(exposure <= EXPOSURE, "{text}");
    assert!(!text.contains("Unknown"), "{text}");
}

/// What the unit and the example promise each other.
#[test]
fn the_unit_starts_what_is_there() {
    let unit = read("deploy/dgawatch.service");
    for line in [
        "ExecStart=/usr/bin/dgawatch live --config /etc/dgawatch/dgawatch.toml",
        "Type=notify",
        "ConditionPathExists=/etc/dgawatch/dgawatch.toml",
        "AmbientCapabilities=CAP_NET_RAW",
        "CapabilityBoundingSet=CAP_NET_RAW",
        "StateDirectory=dgawatch",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn rules_do_as_they_say() {
    for arguments in [
        &["check", "config", "deploy/prometheus/prometheus.yml"][..],
        &["check", "rules", "deploy/prometheus/rules.yml"],
        &["test", "rules", "deploy/prometheus/rules_test.yml"],
    ] {
        let Some(output) = run("promtool", arguments) else { return };
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "promtool {arguments:?}\n{out}\n{err}");
    }
}

#[test]
fn every_alert_is_tested_and_has_its_row() {
    let after = |text: &str, mark: &str| -> BTreeSet<String> {
        let names = text.lines().filter_map(|line| Some(line.split_once(mark)?.1.trim_end_matches(['}', ' ']).to_owned()));
        names.collect()
    };
    let alerts = after(&read("deploy/prometheus/rules.yml"), "- alert: ");
    assert!(alerts.len() > 8, "{alerts:?}");
    assert_eq!(alerts, after(&read("deploy/prometheus/rules_test.yml"), "alertname: "));
    let manual = read("docs/OPERATIONS.md");
    let rows = manual.lines().filter_map(|line| Some(line.strip_prefix("| `Dgawatch")?.split_once('`')?.0));
    assert_eq!(alerts, rows.map(|name| format!("Dgawatch{name}")).collect());
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Runs a program in the repository, where there is such a program.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(root()).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            warn(&format!("{program} is not installed, so deploy/ was not checked with it: deploy/setup --tests"));
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn warn(line: &str) {
    // Not through the test harness, which would keep it to itself.
    let _ = writeln!(stderr(), "WARNING: {line}");
}
