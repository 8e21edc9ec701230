//! What is installed beside the program: the unit's exposure, the rules and what they say, a page for each alert, dashboards.
//!
//! Needs systemd-analyze (Debian: systemd) and promtool (Debian: prometheus): `deploy/setup --tests` installs them. Says
//! aloud what could not be run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write, stderr};
use std::process::{Command, Output};

use support::dashboards::{Expression, dashboards, expressions};
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
fn every_alert_is_tested_and_has_its_page() {
    let rules = read("deploy/prometheus/rules.yml");
    let alerts = after(&rules, "- alert: ");
    assert!(alerts.len() > 8, "{alerts:?}");
    assert_eq!(alerts, after(&read("deploy/prometheus/rules_test.yml"), "alertname: "));
    let manual = read("docs/OPERATIONS.md");
    let rows = manual.lines().filter_map(|line| Some(line.strip_prefix("| `Dgawatch")?.split_once('`')?.0));
    assert_eq!(alerts, rows.map(|name| format!("Dgawatch{name}")).collect());

    let files = fs::read_dir(root().join("docs/runbooks")).unwrap();
    let pages: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(pages, alerts.iter().map(|name| format!("{name}.md")).collect());
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        assert!(rule.contains(&format!("runbook: \"docs/runbooks/{name}.md\"\n")), "{rule}");
        let page = read(&format!("docs/runbooks/{name}.md"));
        let heads: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(heads, [&format!("# {name}"), "## Look", "## Do", "## When it is nothing"], "{name}");
    }
}

#[test]
fn every_recording_is_tested() {
    let tests = read("deploy/prometheus/rules_test.yml");
    for recording in after(&read("deploy/prometheus/rules.yml"), "- record: ") {
        assert!(tests.lines().any(|line| line.contains("- expr: ") && line.contains(&recording)), "{recording}");
    }
}

/// That they have data is shown against Prometheus: tests/end_to_end.rs.
#[test]
fn dashboards_can_be_provisioned_anywhere() {
    let known = known_series();
    let mut seen = BTreeSet::new();
    for (name, board) in dashboards() {
        assert!(board["id"].is_null() && board["uid"].as_str().unwrap().starts_with("dgawatch-"), "{name}");
        let text = board.to_string();
        let sources = text.matches("\"datasource\":").count();
        assert_eq!(text.matches("\"uid\":\"${datasource}\"").count(), sources, "{name}: a data source of somebody's");
        for link in ["http://", "https://"] {
            assert!(!text.contains(link), "{name} loads something");
        }
        let panels = board["panels"].as_array().unwrap();
        let numbers: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(numbers.len(), panels.len(), "{name}: two panels of one number");
        assert!(board["schemaVersion"].as_u64().unwrap() >= 39, "{name}: Grafana would have to guess");
        let mut taken = BTreeSet::new();
        for panel in panels {
            let title = &panel["title"];
            // Panels of Grafana itself, which need no plugin.
            assert!(["stat", "timeseries", "table", "row"].contains(&panel["type"].as_str().unwrap()), "{name}: {title}");
            // A screen has 24 columns, and two panels are not in one place.
            let place = &panel["gridPos"];
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| place[side].as_u64().unwrap());
            assert!(w > 0 && h > 0 && x + w <= 24, "{name}: {title} at {place}");
            for (column, line) in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
                assert!(taken.insert((column, line)), "{name}: {title} lies on another panel");
            }
            let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
            let letters: BTreeSet<&str> = targets.iter().map(|target| target["refId"].as_str().unwrap()).collect();
            assert_eq!(letters.len(), targets.len(), "{name}: {title} has two queries of one letter");
            assert_eq!(targets.is_empty(), panel["type"] == "row", "{name}: {title}");
        }
    }
    for Expression { place, query } in expressions() {
        let words: Vec<&str> = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).collect();
        let series = words.into_iter().filter(|word| word.contains("dgawatch_")).map(str::to_owned);
        for word in series {
            assert!(known.contains(&word), "{place}: `{word}` is served by nobody");
            seen.insert(word);
        }
    }
    // What is there only after a day or a week of watching, or not yet, could not be shown to work.
    let left: BTreeSet<&str> = ["dgawatch_live_sources", "dgawatch_address_growth_ratio"].into();
    // These are looked at through what is recorded of them.
    let recorded: BTreeSet<&str> = ["dgawatch_packets_total"].into();
    let unseen: BTreeSet<&str> = known.iter().filter(|name| !seen.contains(*name)).map(String::as_str).collect();
    // Nothing moves there where no resolver sends dnstap.
    let dnstap = ["dgawatch_dnstap_connections_total", "dgawatch_dnstap_connections_broken_total"];
    // Nor where nothing is streamed; the alert speaks of that, and a look at docs/METRICS.md of the rest.
    let stream = |name: &&str| name.starts_with("dgawatch_stream_");
    // Beside those of all names, which are shown.
    let part = ["dgawatch_rendezvous_unsolicited_names"];
    let expected: BTreeSet<&str> = left.union(&recorded).copied().chain(dnstap).chain(part).collect();
    assert_eq!(unseen.into_iter().filter(|name| !stream(name)).collect::<BTreeSet<_>>(), expected);
}

/// What the sensor serves, and what the rules record.
fn known_series() -> BTreeSet<String> {
    let manual = read("docs/METRICS.md");
    let served = manual.lines().filter_map(|line| Some(line.strip_prefix("| `dgawatch_")?.split_once('`')?.0));
    let served = served.map(|name| format!("dgawatch_{name}"));
    served.chain(after(&read("deploy/prometheus/rules.yml"), "- record: ")).collect()
}

/// What follows a mark, in each line that has it.
fn after(text: &str, mark: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| Some(line.split_once(mark)?.1.trim_end_matches(['}', ' ']).to_owned()));
    names.collect()
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
