//! What names resolved to, in the Common Output Format of passive DNS: against an expected file, with names that try to break
//! out, and by the rules of its schema.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use dgawatch::day::Timestamp;
use dgawatch::export::{Resolution, write_cof};
use dgawatch::name::Name;
use serde_json::Value;
use support::expect_file;

fn resolution(name: &str, addresses: &[&str], servers: &[&str]) -> Resolution {
    let shown = |name: &str| Name::parse(name).unwrap().to_string();
    Resolution {
        name: shown(name),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        servers: servers.iter().map(|server| shown(server)).collect(),
        first_seen: Timestamp::from_parts(1_238_493_600, 128_732_000),
        last_seen: Timestamp::from_parts(1_238_541_149, 999_999_999),
        answers: 1_203,
    }
}

/// A row for each type of record that there is.
const ROWS: [(&str, &[&str], &[&str]); 4] = [
    ("praat.org", &["192.0.2.1", "198.51.100.2", "2001:db8::1"], &["ns1.example", "ns2.example"]),
    ("jogli.com", &["2001:db8::2"], &[]),
    ("wnsux.com", &["192.0.2.3"], &["."]),
    ("nothing.example", &[], &[]),
];

#[test]
fn as_expected() {
    let rows = ROWS.map(|(name, addresses, servers)| resolution(name, addresses, servers));
    let mut out = vec![];
    write_cof(&rows, "client side, POP Berlin", &mut out).unwrap();
    expect_file("cof", &out);
    let lines: Vec<Value> = out.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).map(by_the_rules).collect();
    let types: Vec<&str> = lines.iter().map(|line| line["rrtype"].as_str().unwrap()).collect();
    assert_eq!(types, ["A", "AAAA", "NS", "AAAA", "A", "NS"]);
}

/// In presentation form; each means something to JSON, a terminal or a zone file.
const HOSTILE: [&str; 7] =
    [r#"a"}b.evil"#, r"a\\b.evil", r"a\013\010b.evil", r"\027[2J.evil", r"\000\255.evil", r"a\.b.evil", r"a\032b;c.evil"];

#[test]
fn nothing_breaks_out() {
    let rows = HOSTILE.map(|name| resolution(name, &["192.0.2.1"], &HOSTILE));
    let mut out = vec![];
    write_cof(&rows, "a\"b\n\u{1b}[2J", &mut out).unwrap();
    assert!(out.iter().all(|octet| matches!(octet, b'\n' | b' '..=b'~')), "{}", String::from_utf8_lossy(&out));
    let lines: Vec<Value> = out.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).map(by_the_rules).collect();
    assert_eq!(lines.len(), 2 * HOSTILE.len());
    let shown = HOSTILE.map(|name| format!("{}.", Name::parse(name).unwrap()));
    for (two, name) in lines.chunks(2).zip(&shown) {
        assert_eq!((&two[0]["rrname"], &two[1]["rrname"]), (&Value::from(&**name), &Value::from(&**name)));
        assert_eq!(two[1]["rdata"], Value::from(shown.to_vec()));
        // Read by a zone file's rules, it is the same name again.
        assert_eq!(Name::parse(name.strip_suffix('.').unwrap()).unwrap().to_string() + ".", *name);
    }
}

/// What the draft's schema (adulau/pdns-qof, schema/schema.json) asks for.
fn by_the_rules(line: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(line).unwrap();
    for member in ["rrname", "rrtype"] {
        assert!(value[member].is_string(), "{value}");
    }
    for member in ["time_first", "time_last", "time_first_ms", "time_last_ms"] {
        assert!(value[member].is_u64(), "{value}");
    }
    assert!(value["rdata"].as_array().unwrap().iter().all(Value::is_string) && !value["rdata"].as_array().unwrap().is_empty());
    assert!(value.get("count").is_none_or(Value::is_u64));
    assert_eq!(value["time_first_ms"].as_u64().unwrap() / 1_000, value["time_first"].as_u64().unwrap());
    assert!(value["time_first"].as_u64() <= value["time_last"].as_u64());
    value
}
