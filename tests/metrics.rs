//! `/metrics` and docs/METRICS.md name the same metrics, and Prometheus' own checker finds nothing to say.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{fs, io};

use dgawatch::export::series::{Series, SeriesConfig};
use dgawatch::export::snapshot::{FamilyCounts, Interface, SourceSeries};
use dgawatch::export::{Snapshot, metrics_text};
use support::sensor::snapshot;

#[test]
fn documents_and_metrics_agree() {
    let text = metrics_text(&Arc::new(snapshot())).unwrap();
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md")).unwrap();
    let rows = docs.lines().filter(|line| line.starts_with("| `dgawatch_"));
    let documented: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let mut cells = row.split('|').map(str::trim).skip(1);
            let name = cells.next().unwrap().trim_matches('`').to_owned();
            let labels = cells.next().unwrap().split(", ").map(|label| label.trim_matches('`').to_owned());
            assert!(cells.next().is_some_and(|meaning| !meaning.is_empty()), "{name} has no meaning");
            (name, labels.filter(|label| !label.is_empty()).collect())
        })
        .collect();
    let mut served: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = parse(line);
        let labels = labels.into_keys().collect();
        let before = served.entry(name).or_insert_with(|| BTreeSet::clone(&labels));
        assert_eq!(*before, labels, "{line}: labels change");
    }
    assert_eq!(served, documented);
}

#[test]
fn promtool_is_content() {
    for snapshot in [Snapshot::default(), snapshot(), many(1_000), hostile()] {
        let text = metrics_text(&Arc::new(snapshot)).unwrap();
        let checker = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut checker = match checker {
            Ok(checker) => checker,
            Err(why) => {
                let _ = writeln!(io::stderr(), "WARNING: metrics were not checked by promtool (Debian: prometheus): {why}");
                return;
            }
        };
        let mut give = checker.stdin.take().unwrap();
        give.write_all(text.as_bytes()).unwrap();
        drop(give);
        let said = checker.wait_with_output().unwrap();
        let words = [said.stdout, said.stderr].concat();
        assert!(said.status.success() && words.is_empty(), "{}", String::from_utf8_lossy(&words));
    }
}

#[test]
fn what_is_known_beforehand_is_there_with_zero() {
    let empty = Snapshot {
        interfaces: vec![Interface { name: "span0".to_owned(), ..Interface::default() }],
        families: vec![FamilyCounts { family: "f".to_owned(), ..FamilyCounts::default() }],
        series: Series::new(SeriesConfig { max_sources: 5, prefix: None }, vec!["f".to_owned()]).settle(),
        ..Snapshot::default()
    };
    let text = metrics_text(&Arc::new(empty)).unwrap();
    for line in [
        r#"dgawatch_packets_total{interface="span0"} 0"#,
        r#"dgawatch_packets_dropped_total{interface="span0",stage="nic"} 0"#,
        r#"dgawatch_packets_dropped_total{interface="span0",stage="kernel"} 0"#,
        r#"dgawatch_packets_dropped_total{interface="span0",stage="queue"} 0"#,
        r#"dgawatch_packet_outcomes_total{outcome="malformed"} 0"#,
        r#"dgawatch_dns_messages_total{transport="tcp",kind="response"} 0"#,
        r#"dgawatch_given_up_total{reason="stream_late"} 0"#,
        r#"dgawatch_matches_total{family="f"} 0"#,
        r#"dgawatch_sources{family="f",verdict="infected"} 0"#,
        r#"dgawatch_source_matches_total{source="other",family="f"} 0"#,
        r#"dgawatch_last_packet_timestamp_seconds{interface="span0"} 0"#,
        "dgawatch_clock_steps_total 0",
    ] {
        assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("dgawatch_hosts_estimate"));
}

#[test]
fn every_series_is_there_once_and_exact() {
    let text = metrics_text(&Arc::new(many(1_000))).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("dgawatch_source_matches_total{")).map(parse).collect();
    assert_eq!(lines.len(), 1_000);
    assert_eq!(lines.iter().map(|(_, labels)| labels.clone()).collect::<BTreeSet<_>>().len(), 1_000);
    // Whole up to 2^53, which is what Prometheus can hold.
    assert!(text.contains(" 9007199254740992\n"));
}

#[test]
fn a_million_sources_are_a_thousand_series() {
    let mut series = Series::new(SeriesConfig { max_sources: 1_000, prefix: None }, vec!["f".to_owned()]);
    (0..1_000_000_u32).for_each(|n| series.add(std::net::Ipv4Addr::from_bits(n).into(), 0, 1));
    let text = metrics_text(&Arc::new(Snapshot { series: series.settle(), ..snapshot() })).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("dgawatch_source_matches_total{")).count(), 1_001);
    assert!(text.contains("dgawatch_source_matches_total{source=\"other\",family=\"f\"} 999000\n"));
    assert!(text.len() < 200_000, "{} octets", text.len());
}

fn many(sources: u32) -> Snapshot {
    let row = |n: u32| SourceSeries {
        source: std::net::Ipv4Addr::from_bits(0xC000_0200 + n).to_string(),
        family: "conficker-b".to_owned(),
        matches: if n == 0 { 1 << 53 } else { n.into() },
    };
    Snapshot { series: (0..sources).map(row).collect(), ..snapshot() }
}

/// Names that an operator could have chosen.
fn hostile() -> Snapshot {
    let family = "a\"b\\c\nd\u{1b}[31m{}\u{2028}".to_owned();
    Snapshot {
        series: vec![SourceSeries { source: "192.0.2.1".to_owned(), family: family.clone(), matches: 1 }],
        families: vec![FamilyCounts { family, ..FamilyCounts::default() }],
        interfaces: vec![Interface { name: "\"}\n# HELP".to_owned(), ..Interface::default() }],
        ..snapshot()
    }
}

/// Name and labels of a line whose values hold no quotes.
fn parse(line: &str) -> (String, BTreeMap<String, String>) {
    let (series, _) = line.rsplit_once(' ').unwrap();
    let Some((name, labels)) = series.split_once('{') else { return (series.to_owned(), BTreeMap::new()) };
    let pairs = labels.trim_end_matches('}').split(',').map(|pair| pair.split_once('=').unwrap());
    (name.to_owned(), pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
}
