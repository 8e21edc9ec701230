//! Names watched beside the generated ones, and names with a client's suffix: against naive comparisons of text, and as
//! users meet them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;

use dgawatch::day::Timestamp;
use dgawatch::dga::Catalog;
use dgawatch::name::{Name, RawName};
use dgawatch::watchlist::{Found, Hasher, Patterns, SearchList, Watchlist};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::captures::{Packet, USUAL};
use support::lists::Fresh;
use support::packets::{at, ethernet, nxdomain, query, udp};
use support::{dgawatch, names, printed};
use tempfile::TempDir;

/// What is found for a name, its letters in upper case: indices of listed names, and patterns.
fn found(watchlist: &mut Watchlist<'_, ()>, patterns: &Patterns, name: &Name) -> (Vec<u32>, BTreeSet<String>) {
    let wire = name.as_wire().to_ascii_uppercase();
    let raw = RawName::take(&wire).unwrap();
    let (mut listed, mut sighted) = (vec![], vec![]);
    let mut found = |(), found| match found {
        Found::Listed(matched) | Found::Appended(matched) => listed.push(matched.index),
        Found::Watched(id) => sighted.push(id),
    };
    let time = Timestamp::from_parts(0, 0);
    if watchlist.opens(time, raw) {
        watchlist.find(time, raw, || (), &mut found);
        watchlist.flush(&mut found);
    }
    let set: BTreeSet<String> = sighted.iter().map(|id| patterns.pattern(*id).text.clone()).collect();
    assert_eq!(set.len(), sighted.len(), "a pattern is reported once");
    (listed, set)
}

/// What text says of a pattern and a name, both in lower case.
fn naive(pattern: &str, name: &str) -> bool {
    if let Some(text) = pattern.strip_prefix('*') {
        name.contains(text.strip_suffix('*').unwrap())
    } else if pattern.starts_with('.') {
        name == &pattern[1..] || name.ends_with(pattern)
    } else {
        name == pattern
    }
}

/// Few letters and few labels, so that chance makes matches.
fn a_name() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab0-]{1,3}|[a-c]{8,20}|com|example", 1..5).prop_map(|labels| labels.join("."))
}

fn a_pattern() -> impl Strategy<Value = String> {
    prop_oneof![a_name(), a_name().prop_map(|name| format!(".{name}")), "[ab0.-]{1,4}".prop_map(|text| format!("*{text}*"))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn patterns_say_what_text_says(given in prop::collection::vec(a_pattern(), 1..8), asked in prop::collection::vec(a_name(), 8)) {
        let catalog = Catalog::default();
        let lists = Fresh { catalog: &catalog, hasher: Hasher::default() };
        let mut patterns = Patterns::default();
        patterns.add_set("ours", given.join("\r\n").to_uppercase().as_bytes()).unwrap();
        let search_list = SearchList::default();
        let mut watchlist = Watchlist::new(&catalog, &lists, lists.hasher.clone(), 1, &patterns, &search_list);
        // The patterns themselves as names are matches that chance would hardly make.
        let near = given.iter().map(|pattern| pattern.trim_matches(['*', '.']).to_owned()).filter(|name| Name::parse(name).is_ok());
        for text in asked.iter().cloned().chain(near) {
            let expected: BTreeSet<String> = given.iter().filter(|pattern| naive(pattern, &text)).cloned().collect();
            prop_assert_eq!(found(&mut watchlist, &patterns, &Name::parse(&text).unwrap()).1, expected, "{}", text);
        }
    }

    #[test]
    fn suffixes_come_off_as_from_text(
        listed in prop::collection::vec(a_name(), 1..6),
        suffixes in prop::collection::vec(a_name(), 0..4),
        asked in prop::collection::vec(a_name(), 8),
    ) {
        let mut catalog = Catalog::default();
        catalog.add_list("ours", listed.join("\n").as_bytes()).unwrap();
        let lists = Fresh { catalog: &catalog, hasher: Hasher::default() };
        let mut patterns = Patterns::default();
        patterns.add_set("same", listed.join("\n").as_bytes()).unwrap();
        let mut search_list = SearchList::default();
        suffixes.iter().for_each(|suffix| search_list.add(suffix).unwrap());
        let mut watchlist = Watchlist::new(&catalog, &lists, lists.hasher.clone(), 1, &patterns, &search_list);
        let mut longest_first = suffixes.clone();
        longest_first.sort_by_key(|suffix| std::cmp::Reverse(suffix.len()));
        let appended = listed.iter().flat_map(|name| suffixes.iter().map(move |suffix| format!("{name}.{suffix}")));
        for text in asked.iter().cloned().chain(appended) {
            let bare = longest_first.iter().filter_map(|suffix| text.strip_suffix(&format!(".{suffix}")).map(str::to_owned));
            let expected = std::iter::once(text.clone()).chain(bare).find_map(|name| listed.iter().position(|known| *known == name));
            let (indices, sighted) = found(&mut watchlist, &patterns, &Name::parse(&text).unwrap());
            prop_assert_eq!(indices, expected.map(|index| index as u32).into_iter().collect::<Vec<_>>(), "{}", text);
            prop_assert_eq!(sighted, expected.map(|index| listed[index].clone()).into_iter().collect::<BTreeSet<_>>(), "{}", text);
        }
    }
}

/// What wire form tells apart and text does not.
#[test]
fn labels_are_labels() {
    let catalog = Catalog::default();
    let lists = Fresh { catalog: &catalog, hasher: Hasher::default() };
    let mut patterns = Patterns::default();
    patterns.add_set("ours", b".evil.example\nx\\.y\n*\\032*\n*.evil.*\n").unwrap();
    let search_list = SearchList::default();
    let mut watchlist = Watchlist::new(&catalog, &lists, lists.hasher.clone(), 1, &patterns, &search_list);
    let rows: [(&str, &[&str]); 7] = [
        // A text is looked for in what `decode` prints, whatever the dots mean there.
        (r"a\.evil.example", &["*.evil.*"]),
        (r"a\004evil.example", &[]),
        ("devil.example", &[]),
        ("a.evil.example", &["*.evil.*", ".evil.example"]),
        ("x.y", &[]),
        (r"x\.y", &[r"x\.y"]),
        (r"a\032b.c", &[r"*\032*"]),
    ];
    for (text, expected) in rows {
        let (_, sighted) = found(&mut watchlist, &patterns, &Name::parse(text).unwrap());
        assert_eq!(sighted.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
    }
}

const SECOND: u64 = 1_000_000_000;
/// 2009-03-31T12:00:00Z.
const NOON: u64 = 1_238_500_800 * SECOND;

/// A capture in which clients look for names, a second apart, each answered half a second later.
fn capture(folder: &TempDir, lookups: &[(&str, &str)]) -> String {
    let mut packets: Vec<Packet> = vec![];
    for (place, (client, name)) in (0..).zip(lookups) {
        let client = at(client, 5_000);
        let resolver = at(if client.is_ipv4() { "198.51.100.53" } else { "2001:db8::53" }, 53);
        let time = NOON + place * SECOND;
        packets.push((time, ethernet(&[], &udp(client, resolver, &query(1, name, 1)))));
        packets.push((time + SECOND / 2, ethernet(&[], &udp(resolver, client, &nxdomain(1, name, 1)))));
    }
    file(folder, "made.pcap", &USUAL.file(&packets))
}

fn file(folder: &TempDir, name: &str, octets: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, octets).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The report, which is the same for every number of threads.
#[track_caller]
fn report(arguments: &[&str]) -> Value {
    let run =
        |threads: &str| printed(&dgawatch(&[&["replay", "--format", "json", "--threads", threads], arguments].concat()), 0).0;
    let text = run("1");
    assert_eq!(run("2"), text);
    assert_eq!(run("5"), text);
    serde_json::from_str(&text).unwrap()
}

/// `source pattern queries responses` of each row.
fn rows(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows = report["indicators"].as_array().unwrap().iter();
    rows.map(|row| ["source", "pattern", "queries", "responses"].map(|column| text(&row[column])).join(" ")).collect()
}

/// The worm's other names stand beside its evidence, and nowhere else.
#[test]
fn indicators_are_context() {
    let folder = TempDir::new().unwrap();
    let b = names("conficker-b", "2009-03-31");
    let capture = capture(
        &folder,
        &[
            ("192.0.2.7", "CheckIP.dyndns.org"),
            ("192.0.2.7", &b[0]),
            ("192.0.2.8", "checkip.dyndns.org"),
            ("192.0.2.8", "trafficconverter.biz"),
            ("192.0.2.7", "trafficconverter.biz"),
            ("192.0.2.7", "www.trafficconverter.biz"),
            ("192.0.2.7", "checkip.dyndns.org"),
        ],
    );
    let with = report(&[&capture]);
    assert_eq!(rows(&with), ["192.0.2.7 trafficconverter.biz 1 1", "192.0.2.7 checkip.dyndns.org 2 2"]);
    let expected = json!({
        "source": "192.0.2.7", "set": "conficker-indicators", "pattern": "checkip.dyndns.org", "label": "public-address check",
        "queries": 2, "responses": 2, "first_seen": "2009-03-31T12:00:00.000000Z", "last_seen": "2009-03-31T12:00:06.500000Z",
    });
    assert_eq!(with["indicators"][1], expected);
    let (text, _) = printed(&dgawatch(&["replay", &capture]), 0);
    assert!(text.contains("\n    also asked for trafficconverter.biz, checkip.dyndns.org\n"), "{text}");
    assert!(!text.contains("192.0.2.8"), "{text}");

    // They change nothing else, and are not there for other families.
    for arguments in [&["--no-indicators"][..], &["--family", "synthetic:9"]] {
        let without = report(&[arguments, &[&capture]].concat());
        assert_eq!(rows(&without), Vec::<String>::new());
        if arguments.len() == 1 {
            assert_eq!((&without["sources"], &without["families"]), (&with["sources"], &with["families"]));
        }
    }
}

#[test]
fn patterns_of_ones_own() {
    let folder = TempDir::new().unwrap();
    let first = file(&folder, "first", b"\xef\xbb\xbf# watch\r\n.Evil.Example , ours\r\n*mine*\r\nnobody.example\r\n");
    let second = file(&folder, "second", b"evil.example\n");
    let capture = capture(
        &folder,
        &[
            ("192.0.2.9", "EVIL.example"),
            ("2001:db8::9", "a.b.evil.example"),
            ("192.0.2.8", "coinminer.mine.mine"),
            ("192.0.2.8", "honest.example"),
            ("192.0.2.10", "a.evil.example"),
            ("192.0.2.9", "x.evil.example"),
        ],
    );
    let both = ["--pattern", &first, "--pattern", &second];
    let all = report(&[&both[..], &[&capture]].concat());
    let expected = [
        "192.0.2.9 .evil.example 2 2",
        "192.0.2.10 .evil.example 1 1",
        "2001:db8::9 .evil.example 1 1",
        "192.0.2.8 *mine* 1 1",
        "192.0.2.9 evil.example 1 1",
    ];
    assert_eq!(rows(&all), expected);
    assert_eq!((&all["indicators"][0]["set"], &all["indicators"][0]["label"]), (&json!(first), &json!("ours")));
    assert_eq!((&all["indicators"][4]["set"], &all["indicators"][4]["label"]), (&json!(second), &Value::Null));
    assert_eq!(all["sources"], json!([]), "a pattern is no evidence");
    let (text, _) = printed(&dgawatch(&[&["replay", "--top", "1"], &both[..], &[&capture]].concat()), 0);
    assert!(text.contains("\n.evil.example (ours), pattern of "), "{text}");
    assert!(text.contains("\n  192.0.2.9                                    2       2 03-31 12:00 03-31 12:00\n"), "{text}");
    assert!(text.contains("\n  … and 2 more: --top 0 shows all"), "{text}");
    assert!(!text.contains("honest") && !text.contains("nobody"), "what does not match leaves no trace:\n{text}");

    // Room for two rows of each file: the first to come are kept, the rest is counted.
    let few = report(&[&both[..], &["--max-sources", "2", &capture]].concat());
    assert_eq!(rows(&few), [expected[0], expected[2], expected[4]]);
    assert_eq!(few["indicators_not_kept"], 4);
    let (text, _) = printed(&dgawatch(&[&["replay", "--max-sources", "2"], &both[..], &[&capture]].concat()), 0);
    assert!(text.contains("\n4 sightings of patterns were not kept"), "{text}");
    let (text, _) = printed(&dgawatch(&["replay", "--pattern", &first, "pcaps/loopback.pcap"]), 0);
    assert!(text.contains("\nNo source asked for a name of 3 patterns.\n"), "{text}");
}

/// What a client asked with its search list appended is the evidence that the bare name is.
#[test]
fn names_with_a_suffix_count_as_bare() {
    let folder = TempDir::new().unwrap();
    let b = names("conficker-b", "2009-03-31");
    let bare = ["trafficconverter.biz", &b[0], &b[1], "praat.org", "honest.example"];
    let asked: Vec<String> = bare.iter().map(|name| format!("{name}.Corp.Example")).collect();
    let lookups =
        |names: &[&str]| -> Vec<(&'static str, String)> { names.iter().map(|name| ("192.0.2.7", (*name).to_owned())).collect() };
    let made = |lookups: &[(&str, String)]| {
        capture(&folder, &lookups.iter().map(|(client, name)| (*client, name.as_str())).collect::<Vec<_>>())
    };
    let strip = |mut report: Value| {
        report["captures"] = Value::Null;
        report["packets"] = Value::Null;
        // What is said of a name with a suffix says nothing of the name without.
        report["families"].as_array_mut().unwrap().iter_mut().for_each(|family| family["answers"] = Value::Null);
        report
    };
    let expected = strip(report(&[&made(&lookups(&bare))]));
    assert_eq!(expected["sources"][0]["known_collisions"], 1);
    assert_eq!(expected["indicators"][0]["pattern"], "trafficconverter.biz");
    let capture = made(&lookups(&asked.iter().map(String::as_str).collect::<Vec<_>>()));
    for arguments in [
        &["--search-suffix", "corp.example"][..],
        &["--search-suffix", "example,CORP.example."],
        &["--search-suffix", "other.example", "--search-suffix", ".corp.example"],
    ] {
        assert_eq!(strip(report(&[arguments, &[&capture]].concat())), expected, "{arguments:?}");
    }
    for arguments in [&[][..], &["--search-suffix", "example"], &["--search-suffix", "orp.example"]] {
        assert_eq!(report(&[arguments, &[&capture]].concat())["sources"], json!([]), "{arguments:?}");
    }
}

#[test]
fn mistakes() {
    let folder = TempDir::new().unwrap();
    let bad = file(&folder, "bad", b"good.example\n*.bad.example\n");
    let empty = file(&folder, "empty", b"# nothing\n");
    let rows = [
        ("--pattern", &*bad, 1, format!("dgawatch: patterns {bad}: line 2: `*.bad.example` has an asterisk: write *text*")),
        ("--pattern", &empty, 1, format!("dgawatch: patterns {empty}: it holds no pattern")),
        ("--pattern", "/nowhere", 1, "dgawatch: patterns /nowhere cannot be read: No such file".to_owned()),
        ("--search-suffix", "", 2, "dgawatch: --search-suffix: `` is the root".to_owned()),
        ("--search-suffix", "a.example,.", 2, "dgawatch: --search-suffix: `.` is the root".to_owned()),
        ("--search-suffix", "a..b", 2, "dgawatch: --search-suffix: `a..b` has an empty label".to_owned()),
    ];
    for (option, value, code, expected) in rows {
        let (out, err) = printed(&dgawatch(&["replay", option, value, "pcaps/loopback.pcap"]), code);
        assert_eq!((out.as_str(), err.lines().count()), ("", 1), "{err}");
        assert!(err.starts_with(&expected), "{err}");
    }
}
