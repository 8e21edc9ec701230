//! Sources by network: labels, autonomous systems and countries in reports, and what became of them between two reports.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use support::captures::USUAL;
use support::mmdb::{country, database, system};
use support::packets::{at, ethernet, query, udp};
use support::{dgawatch, expect_file, names, printed};
use tempfile::TempDir;

/// Captures of two days, labels and databases.
struct Place(TempDir);

const DAYS: [(&str, u64); 2] = [("2009-03-31", 1_238_493_600), ("2009-04-07", 1_239_098_400)];

/// Who asks for how many names on the first and the second day, where they are.
const CLIENTS: [(&str, [usize; 2], [&str; 3]); 8] = [
    ("192.0.2.1", [4, 4], ["north", "AS64500", "DE"]),
    ("192.0.2.2", [4, 0], ["north", "AS64500", "DE"]),
    ("192.0.2.200", [0, 4], ["north: business", "AS64500", "DE"]),
    ("192.0.2.201", [1, 4], ["north: business", "AS64500", "DE"]),
    ("198.51.100.1", [4, 1], ["other", "AS64501", "FR"]),
    ("203.0.113.1", [1, 1], ["other", "other", "other"]),
    ("2001:db8:1::1", [4, 0], ["six", "AS64502", "other"]),
    ("2001:db8:2::1", [0, 4], ["other", "AS64502", "other"]),
];

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        for (number, (day, seconds)) in DAYS.into_iter().enumerate() {
            let list = names("conficker-b", day);
            let mut packets = vec![];
            for (client, counts, _) in CLIENTS {
                let resolver = at(if client.contains(':') { "2001:db8:53::53" } else { "203.0.113.53" }, 53);
                for name in &list[..counts[number]] {
                    let packet = ethernet(&[], &udp(at(client, 4_000), resolver, &query(1, name, 1)));
                    packets.push((seconds * 1_000_000_000 + packets.len() as u64, packet));
                }
            }
            fs::write(place.path(day), USUAL.file(&packets)).unwrap();
        }
        fs::write(place.path("networks"), "192.0.2.0/24,north\n192.0.2.128/25,north: business\n2001:db8:1::/48,six\n").unwrap();
        let rows = [
            ("192.0.2.0/24", system(64_500, "North Net")),
            ("198.51.100.0/24", system(64_501, "\u{1b}[2J")),
            ("2001:db8::/32", system(64_502, "Six")),
        ];
        fs::write(place.path("asn"), database("Test-ASN", &rows)).unwrap();
        let rows = [("192.0.2.0/25", country("DE")), ("192.0.2.128/25", country("DE")), ("198.51.100.0/24", country("FR"))];
        fs::write(place.path("country"), database("Test-Country", &rows)).unwrap();
        place
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn replay(&self, day: &str, more: &[&str], code: i32) -> (String, String) {
        printed(&dgawatch(&[&["replay", "--family", "conficker-b", &*self.path(day)], more].concat()), code)
    }

    /// A report as JSON in a file.
    fn report(&self, day: &str, file: &str, more: &[&str]) -> String {
        let (out, _) = self.replay(day, &[&["--format", "json"], more].concat(), 0);
        fs::write(self.path(file), &out).unwrap();
        out
    }

    fn known(&self) -> [String; 6] {
        let flags = ["--networks", "networks", "--asn-db", "asn", "--country-db", "country"];
        flags.map(|word| if word.starts_with('-') { word.to_owned() } else { self.path(word) })
    }
}

#[test]
fn reports_tell_where_sources_are() {
    let place = Place::new();
    let known = place.known();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let report: Value = serde_json::from_str(&place.report(DAYS[0].0, "report", &known)).unwrap();
    let mut wanted: BTreeMap<(&str, &str), [u64; 2]> = BTreeMap::new();
    for (client, [count, _], origin) in CLIENTS.into_iter().filter(|(_, [count, _], _)| *count > 0) {
        for (by, name) in ["network", "asn", "country"].into_iter().zip(origin) {
            wanted.entry((by, name)).or_default()[usize::from(count >= 3)] += 1;
        }
        let row = report["sources"].as_array().unwrap().iter().find(|row| row["source"] == client).unwrap();
        let told = [&row["network"], &row["country"]].map(|value| value.as_str().unwrap_or("other"));
        assert_eq!(told, [origin[0], origin[2]], "{client}");
        assert_eq!(row["asn"].as_u64().map_or_else(|| "other".to_owned(), |number| format!("AS{number}")), origin[1]);
    }
    let rows = report["networks"].as_array().unwrap();
    let got: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let counts = [row["suspect"].as_u64().unwrap(), row["infected"].as_u64().unwrap()];
            assert_eq!(counts[0] + counts[1], row["sources"].as_u64().unwrap());
            ((row["by"].as_str().unwrap(), row["name"].as_str().unwrap()), counts)
        })
        .collect();
    assert_eq!((got, rows.len()), (wanted.clone(), wanted.len()));
    // Nothing of this without being asked.
    let plain: Value = serde_json::from_str(&place.report(DAYS[0].0, "plain", &[])).unwrap();
    assert!(plain.get("networks").is_none() && plain["sources"][0].get("network").is_none());

    let (text, _) = place.replay(DAYS[0].0, &known, 0);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let lines: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in ["Sources by network", "north conficker-b 2 0 8", "AS64500 North Net conficker-b 2 1 9", "FR conficker-b 1 0 4"] {
        assert!(lines.iter().any(|there| there == line), "{line} is not in\n{text}");
    }
}

#[test]
fn nothing_is_told_of_what_is_masked() {
    let place = Place::new();
    let known = place.known();
    fs::write(place.path("key"), "0123456789abcdeffedcba9876543210").unwrap();
    for flags in known.chunks(2) {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (out, err) = place.replay(DAYS[0].0, &[&["--pseudonymise", &*place.path("key")], &flags[..]].concat(), 2);
        assert!(out.is_empty() && err.contains("cannot be told of pseudonyms"), "{err}");
    }
    let (_, err) = place.replay(DAYS[0].0, &["--prefix", "24,56", &known[0], &known[1]], 1);
    assert!(err.contains("line 2: of sources only 24 bits are kept"), "{err}");
    // The database tells halves of a network apart, of which one could not say which it is.
    let prefix = ["--prefix", "24,56", "--asn-db", &known[3], "--country-db", &known[5]];
    let report: Value = serde_json::from_str(&place.report(DAYS[0].0, "report", &prefix)).unwrap();
    let row = &report["sources"][0];
    assert_eq!((row["source"].as_str(), row["asn"].as_u64(), row.get("country")), (Some("192.0.2.0"), Some(64_500), None));
}

#[test]
fn files_that_will_not_do() {
    let place = Place::new();
    let whole = fs::read(place.path("asn")).unwrap();
    fs::write(place.path("cut"), &whole[..whole.len() / 2]).unwrap();
    fs::write(place.path("empty"), "").unwrap();
    let mut broken = whole;
    // A record of the tree that leads out of the file.
    broken[..3].fill(0xFF);
    fs::write(place.path("broken"), broken).unwrap();
    for (flag, file, why) in [
        ("--asn-db", "cut", "is none in MaxMind's format"),
        ("--asn-db", "empty", "is none in MaxMind's format"),
        ("--asn-db", "broken", "is damaged"),
        ("--asn-db", "country", "is of type `test-country`, which has no asn"),
        ("--country-db", "asn", "which has no country"),
        ("--country-db", "nowhere", "cannot be read: No such file"),
        ("--networks", "asn", "line 1"),
        ("--networks", "nowhere", "cannot be read: No such file"),
    ] {
        let (out, err) = place.replay(DAYS[0].0, &[flag, &place.path(file)], 1);
        assert!(out.is_empty() && err.contains(why) && err.lines().count() == 1, "{flag} {file}: {err}");
    }
}

#[test]
fn what_became_of_them() {
    let place = Place::new();
    let known = place.known();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    DAYS.iter().for_each(|(day, _)| drop(place.report(day, &format!("{day}.json"), &known)));
    let (old, new) = (place.path("2009-03-31.json"), place.path("2009-04-07.json"));
    let diff = |more: &[&str], code| printed(&dgawatch(&[&["diff", &*old, &new], more].concat()), code);

    for (number, by) in ["network", "asn", "country"].into_iter().enumerate() {
        let mut wanted = BTreeSet::new();
        for (client, [before, after], origin) in CLIENTS {
            let state = match (before >= 3, after >= 3, after > 0) {
                (true, _, true) => "persisting",
                (true, ..) => "cleaned",
                (false, true, _) => "new",
                _ => continue,
            };
            wanted.insert([state, client, origin[number]].map(str::to_owned));
        }
        let (out, err) = diff(&["--by", by, "--format", "csv"], 0);
        let rows = csv::Reader::from_reader(out.as_bytes()).into_records().map(Result::unwrap);
        let got: Vec<_> = rows.map(|row| [0, 1, 3].map(|cell| row[cell].to_owned())).collect();
        assert_eq!((got.iter().cloned().collect::<BTreeSet<_>>(), got.len(), &*err), (wanted.clone(), wanted.len(), ""));

        let (out, _) = diff(&["--by", by, "--format", "json"], 0);
        let whole: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(whole["sources"].as_array().unwrap().len(), wanted.len());
        for row in whole["networks"].as_array().unwrap() {
            for state in ["new", "persisting", "cleaned"] {
                let count = wanted.iter().filter(|of| of[0] == state && row["network"] == of[2]).count() as u64;
                assert_eq!(row[state].as_u64(), Some(count), "{by} {row}");
            }
        }
    }
    let (text, _) = diff(&[], 0);
    let lines: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in ["network new persisting cleaned", "north 0 1 1", "north: business 2 0 0", "other 1 1 0", "all 3 2 2"] {
        assert!(lines.iter().any(|there| there == line), "{line} is not in\n{text}");
    }
    let (_, err) = printed(&dgawatch(&["diff", &new, &old]), 0);
    assert!(err.contains("is it the other way round?"), "{err}");
}

#[test]
fn reports_that_cannot_be_compared() {
    let place = Place::new();
    fs::write(place.path("key"), "0123456789abcdeffedcba9876543210").unwrap();
    fs::write(place.path("other key"), "0123456789abcdeffedcba9876543211").unwrap();
    let (key, other) = (place.path("key"), place.path("other key"));
    let day = DAYS[0].0;
    let ways: [(&str, &[&str]); 4] = [
        ("plain", &[]),
        ("prefix", &["--prefix", "24,56"]),
        ("one", &["--pseudonymise", &key]),
        ("other", &["--pseudonymise", &other]),
    ];
    ways.iter().for_each(|(file, flags)| drop(place.report(day, file, flags)));
    for (a, _) in ways {
        for (b, _) in ways {
            let (_, err) = printed(&dgawatch(&["diff", &place.path(a), &place.path(b)]), i32::from(a != b));
            assert!(a == b && err.is_empty() || err.contains("nobody can tell who is who"), "{a} {b}: {err}");
        }
    }
    for text in ["", "{}", "[1", r#"{"schema":1,"captures":[],"families":[],"sources":[{"source":"x"}]}"#, "\u{1b}[2J"] {
        fs::write(place.path("wrong"), text).unwrap();
        let (out, err) = printed(&dgawatch(&["diff", &place.path("plain"), &place.path("wrong")]), 1);
        assert!(out.is_empty() && err.contains("the second is no report") && !err.contains('\u{1b}'), "{err}");
    }
    let (_, err) = printed(&dgawatch(&["diff", "--by", "asn", &place.path("plain"), &place.path("plain")]), 1);
    assert!(err.contains("do not tell the asn of sources"), "{err}");
    // Whose names only one looked for is neither new nor gone.
    let (out, _) = printed(&dgawatch(&["replay", "--format", "json", "--family", "conficker-a", &place.path(day)]), 0);
    fs::write(place.path("of a"), out).unwrap();
    let (out, err) = printed(&dgawatch(&["diff", "--format", "json", &place.path("plain"), &place.path("of a")]), 0);
    assert!(out.contains(r#""families":[],"families_left_out":["conficker-a","conficker-b"]"#), "{out}");
    assert!(err.contains("only one of the reports looked for conficker-a, conficker-b"), "{err}");
}

/// Two reports compared, by label.
#[test]
fn comparisons_are_as_expected() {
    let place = Place::new();
    let known = place.known();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    DAYS.iter().for_each(|(day, _)| drop(place.report(day, &format!("{day}.json"), &known)));
    for format in ["text", "json", "csv"] {
        let arguments = ["diff", "--format", format, &place.path("2009-03-31.json"), &place.path("2009-04-07.json")];
        expect_file(&format!("diff/{format}"), printed(&dgawatch(&arguments), 0).0.as_bytes());
    }
}

/// A report is a file, and anybody may have written it.
#[test]
fn hostile_reports_stay_text() {
    let place = Place::new();
    let hostile = "=cmd|'x'!a0\u{1b}[2J\u{9b}1m\",;\n<b>";
    let row = |verdict: &str| {
        serde_json::json!({
            "source": "192.0.2.1", "family": hostile, "list_day": hostile, "first_seen": hostile, "last_seen": hostile,
            "verdict": verdict, "network": hostile,
        })
    };
    for (file, verdict) in [("before", "suspect"), ("after", "infected")] {
        let report = serde_json::json!({
            "schema": 1,
            "captures": [{"path": hostile, "first_packet": hostile, "last_packet": hostile}],
            "families": [{"family": hostile}],
            "networks": [{"by": "network", "name": hostile}],
            "sources": [row(verdict)],
        });
        fs::write(place.path(file), report.to_string()).unwrap();
    }
    for format in ["text", "json", "csv"] {
        let (out, _) = printed(&dgawatch(&["diff", "--format", format, &place.path("before"), &place.path("after")]), 0);
        assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{format}: {out:?}");
        match format {
            "csv" => {
                let rows: Vec<csv::StringRecord> =
                    csv::Reader::from_reader(out.as_bytes()).records().map(Result::unwrap).collect();
                assert_eq!((rows.len(), &rows[0][0], &rows[0][1]), (1, "new", "192.0.2.1"));
                assert!(rows[0].iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{out}");
            }
            "json" => {
                let whole: Value = serde_json::from_str(&out).unwrap();
                assert_eq!((&whole["sources"][0]["family"], &whole["sources"][0]["network"]), (&hostile.into(), &hostile.into()));
            }
            _ => assert!(out.lines().any(|line| line.contains(" 1          0        0")), "{out}"),
        }
    }
}
