//! `dgawatch simulate`: what replay finds in a capture is what its truth says, the same seed gives the same octets, other
//! people's programs read it, and mistakes are told with their line.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};
use support::{dgawatch, printed, root};
use tempfile::TempDir;

/// All that a description may hold, in little.
const EVERYTHING: &str = r#"
start = "2009-03-31T20:00:00Z"
duration = "9h"
loss = 0.03
loss_burst = 4
watch = ["conficker-a"]

[answers]
negative_ttl = [60, 3600]
positive_ttl = 120
sinkhole = { share = 0.2, addresses = ["192.0.2.80", "192.0.2.81"] }
rendezvous = { share = 0.01, addresses = ["203.0.113.66"] }
live = [{ family = "conficker-b", list_day = "2009-03-31", place = 7, at = "2h", address = "203.0.113.67", ttl = 30 }]

[[resolver]]
name = "isp"
addresses = ["198.51.100.53", "2001:db8:ffff::53"]
sees = "both"
caches = 3
negative_ttl = [30, 1800]
mixes_case = true
blocks = { share = 0.05, with = "refused" }

[[resolver]]
name = "office"
addresses = ["192.0.2.1"]
upstream = "isp"
sees = "clients"

[[resolver]]
name = "quiet"
addresses = ["2001:db8:ffff::54"]
sees = "upstream"
caches = 0
responses = false

[[infected]]
family = "conficker-b"
count = 12
addresses = "10.1.0.0/16"
resolver = "isp"
clocks = [{ days = 1, share = 0.2 }, { days = -1, share = 0.2 }, { days = 5, share = 0.2 }]
retransmissions = 0.05

[[infected]]
family = "conficker-a"
behaviour = "literature"
count = 6
per_address = 3
addresses = "192.0.2.16/28"
resolver = "office"
requeries = 0.25

[[infected]]
family = "conficker-c"
count = 40
addresses = "2001:db8::/32"
resolver = "quiet"
completed = [0.1, 1]
renumber = { mean = "2h" }

[[infected]]
family = "conficker-c"
count = 20
addresses = "10.3.0.0/16"
resolver = "isp"
duty = { hours = 3, centre = 23, spread = 2 }
renumber = { boot = true }

# So dense that a name stands on the lists of several days, and twice on one.
[[infected]]
family = "synthetic:300000"
count = 5
names = 3000
order = "cut"
batch = 7
pace = [0.5, 2]
sleep = "30m"
jitter = "5m"
addresses = "10.1.0.0/16"
resolver = "isp"
renumber = { every = "3h" }

[[clean]]
count = 3000
addresses = "10.1.0.0/16"
resolver = "isp"
rate = 1
names = 500
retransmissions = 0.02

[[clean.collisions]]
family = "conficker-c"
shares = [0.05, 0.01, 0.002]
others = 20
stray = 0.01

[[clean.collisions]]
family = "conficker-b"
shares = [0.02]

[[reader]]
family = "conficker-c"
address = "192.0.2.99"
resolver = "office"
at = "4h"
names = 700
"#;

/// Source, family and list day to queries, responses and names.
type Rows = BTreeMap<(IpAddr, String, String), (u64, u64, Vec<String>)>;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn names(row: &Value) -> Vec<String> {
    let names: Vec<String> = row["names"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(row["distinct_names"].as_u64(), Some(names.len() as u64));
    names
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The rows of a report.
fn reported(report: &Value) -> Rows {
    let rows = report["sources"].as_array().unwrap().iter().map(|row| {
        let key = (text(&row["source"]).parse().unwrap(), text(&row["family"]), text(&row["list_day"]));
        (key, (number(&row["matches"]), number(&row["responses"]), names(row)))
    });
    rows.collect()
}

/// The rows that the truth says a report must have.
fn true_rows(truth: &Value) -> Rows {
    let mut rows = Rows::new();
    for source in truth["sources"].as_array().unwrap() {
        for list in source["lists"].as_array().unwrap() {
            let row = (number(&list["queries"]), number(&list["responses"]), names(list));
            if row.0 + row.1 > 0 {
                rows.insert((text(&source["source"]).parse().unwrap(), text(&list["family"]), text(&list["list_day"])), row);
            }
        }
    }
    rows
}

/// Simulates a description, replays the capture, holds the report against the truth in full, and returns both.
#[track_caller]
fn checked(folder: &TempDir, description: &Path, more: &[&str]) -> (Value, Value) {
    let (capture, truth) = (folder.path().join("made.pcap"), folder.path().join("truth.json"));
    let (description, capture) = (description.to_str().unwrap(), capture.to_str().unwrap());
    let arguments = ["simulate", description, "-o", capture, "--truth", truth.to_str().unwrap(), "--truth-names"];
    let (out, err) = printed(&dgawatch(&[&arguments[..], more].concat()), 0);
    assert_eq!((out.as_str(), err.as_str()), ("", ""));
    let truth = json(&truth);
    let families: Vec<String> = truth["families"].as_array().unwrap().iter().map(|row| text(&row["family"])).collect();
    let arguments = ["replay", "--strict", "--format", "json", "--family", &families.join(","), capture];
    let report: Value = serde_json::from_str(&printed(&dgawatch(&arguments), 0).0).unwrap();

    let (found, expected) = (reported(&report), true_rows(&truth));
    for (key, row) in &expected {
        assert_eq!(found.get(key), Some(row), "{key:?}");
    }
    assert_eq!(found.len(), expected.len());
    let packets = &truth["packets"];
    assert_eq!(report["packets"]["read"], packets["written"]);
    assert_eq!(report["messages"]["udp"]["query"], packets["queries"]);
    assert_eq!(report["messages"]["udp"]["response"], packets["responses"]);
    assert_eq!(report["messages"]["udp"]["unreadable"], 0);
    (truth, report)
}

fn write(folder: &TempDir, text: &str) -> std::path::PathBuf {
    let path = folder.path().join("description.toml");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn replay_finds_what_the_truth_says() {
    let folder = TempDir::new().unwrap();
    let (truth, _) = checked(&folder, &write(&folder, EVERYTHING), &["--seed", "7"]);
    let sources = truth["sources"].as_array().unwrap();
    let of = |address: &str| sources.iter().find(|source| source["source"] == address).unwrap();
    // Everything happened: several lists, names of several days, roles at one address, loss.
    let lists: usize = sources.iter().map(|source| source["lists"].as_array().unwrap().len()).sum();
    assert!(lists > 200, "{lists}");
    assert_eq!(of("10.1.0.1")["roles"], serde_json::json!(["clean", "infected"]));
    assert_eq!(of("192.0.2.99")["reader"], true);
    assert_eq!(of("192.0.2.99")["infected"], false);
    let nat = of("192.0.2.17");
    assert_eq!((&nat["behind"][0]["hosts"], &nat["behind"][0]["hosts_on"]), (&3.into(), &3.0.into()));
    let resolver = of("198.51.100.53");
    let behind: Vec<String> =
        resolver["behind"].as_array().unwrap().iter().map(|row| format!("{} {}", text(&row["family"]), row["hosts"])).collect();
    assert_eq!(behind.iter().filter(|row| *row == "conficker-b 12" || *row == "conficker-a 6").count(), 2, "{behind:?}");
    assert!(number(&resolver["queries"]) > 1_000);
    let packets = &truth["packets"];
    let (written, lost) = (number(&packets["written"]), number(&packets["lost"]));
    let share = lost as f64 / (written + lost) as f64;
    assert!((share - 0.03).abs() < 0.005, "{share}");
    assert!(truth["answers"].as_object().unwrap().values().all(|count| number(count) > 10), "{}", truth["answers"]);
    assert!(truth["rendezvous"].as_array().unwrap().len() > 5);
}

/// All that is shipped, as far as it can be run in little; what it says of itself is in tests/simulate_behaviour.rs.
#[test]
fn shipped_descriptions() {
    let folder = TempDir::new().unwrap();
    let rows = [
        ("press-2009", "0.1"),
        ("b-clients", "0.2"),
        ("b-above-cache", "1"),
        ("verdicts", "0.02"),
        ("tiers", "1"),
        ("churn", "0.005"),
    ];
    let shipped = fs::read_dir(root().join("examples/populations")).unwrap().count();
    assert_eq!(rows.len(), shipped, "each is tested");
    for (name, scale) in rows {
        let description = root().join(format!("examples/populations/{name}.toml"));
        let (truth, _) = checked(&folder, &description, &["--scale", scale, "--quiet"]);
        assert!(number(&truth["packets"]["written"]) > 1_000, "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_octets() {
    let folder = TempDir::new().unwrap();
    let description = write(&folder, EVERYTHING);
    let run = |seed: &str| {
        let output = dgawatch(&["simulate", description.to_str().unwrap(), "-o", "-", "--seed", seed]);
        assert!(output.status.success());
        output.stdout
    };
    let first = run("7");
    assert!(first == run("7") && first != run("8"));
    // On this machine and others: what a seed means does not change.
    let digest: String = Sha256::digest(&first).iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(digest, DIGEST);
}

const DIGEST: &str = "df89d72fdf9840b594fa5e7fce78bc3ffd02be6dccff410c70e1d6a30c2b1d1e";

/// Flags stand for a description, which is printed with --describe and gives the same capture.
#[test]
fn flags_are_a_description() {
    let folder = TempDir::new().unwrap();
    let flags = ["simulate", "--family", "conficker-b", "--hosts", "9", "--behind", "nat", "--clean", "30", "--hours", "4"];
    let (text, _) = printed(&dgawatch(&[&flags[..], &["--describe"]].concat()), 0);
    assert!(text.contains("per_address = 9"), "{text}");
    let description = write(&folder, &text);
    let by_file = dgawatch(&["simulate", description.to_str().unwrap(), "-o", "-"]);
    let by_flags = dgawatch(&[&flags[..], &["-o", "-"]].concat());
    assert!(by_file.status.success() && by_file.stdout.len() > 100_000 && by_file.stdout == by_flags.stdout);
    let (truth, _) = checked(&folder, &description, &[]);
    assert_eq!(truth["sources"][0]["behind"][0]["hosts"], 9);
}

/// Wireshark's dissectors and checks find nothing wrong, tcpdump as many packets.
#[test]
fn others_read_it() {
    let folder = TempDir::new().unwrap();
    let (truth, _) = checked(&folder, &write(&folder, EVERYTHING), &["--scale", "0.2"]);
    let capture = folder.path().join("made.pcap");
    let warn = |program: &str| {
        // Not through the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "WARNING: {program} is not installed: this test ran without it");
    };
    let checks = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"];
    let fields = ["-T", "fields", "-e", "dns.flags.response", "-e", "_ws.expert.message"];
    let mut tshark = Command::new("tshark");
    match tshark.arg("-n").arg("-r").arg(&capture).args(checks).args(fields).output() {
        Err(_) => warn("tshark"),
        Ok(output) => {
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(text.lines().count() as u64, number(&truth["packets"]["written"]));
            // A lost packet or an answer that nobody listens to is told of as a remark: what it says is that there is no
            // response or query, or one more.
            let remarks = ["DNS response missing", "DNS query retransmission", "DNS response retransmission"];
            for line in text.lines() {
                let (response, remark) = line.split_once('\t').unwrap();
                assert!(["0", "1", "False", "True"].contains(&response), "{line}");
                assert!(remark.is_empty() || remarks.iter().any(|known| remark.contains(known)), "{line}");
            }
        }
    }
    match Command::new("tcpdump").arg("-nvvr").arg(&capture).output() {
        Err(_) => warn("tcpdump"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let packets = text.lines().filter(|line| !line.starts_with(' ')).count() as u64;
            assert_eq!(packets, number(&truth["packets"]["written"]));
            for bad in ["[bad", " bad cksum", "[wrong", "invalid", "truncated", "[|domain]"] {
                assert!(!text.lines().any(|line| line.contains(bad)), "{bad}");
            }
        }
    }
}

/// One line: file, line, key, what is wrong.
#[test]
fn mistakes() {
    const GOOD: &str = "start = \"2009-04-01\"\nduration = \"1h\"\n\n[[resolver]]\nname = \"r\"\naddresses = [\"192.0.2.53\"]\nsees = \"clients\"\n\n[[infected]]\nfamily = \"conficker-b\"\ncount = 3\naddresses = \"10.0.0.0/24\"\nresolver = \"r\"\n";
    let folder = TempDir::new().unwrap();
    let rows = [
        ("duration = \"1h\"", "duration = 7", ":2: invalid type: integer `7`"),
        ("duration = \"1h\"", "duration = \"soon\"", ":2: `soon` is no span of time: write hours"),
        ("duration = \"1h\"", "duration = \"0s\"", ":2: duration: a capture lasts a second at least"),
        ("duration = \"1h\"", "duration = ", ":2: "),
        (
            "duration = \"1h\"",
            "duration = \"1h\"\nlos = 1",
            ":3: unknown field `los`, expected one of `start`, `duration`, `loss`",
        ),
        ("duration = \"1h\"", "duration = \"1h\"\nloss = 1.5", ":3: loss: 1.5 is no share: from 0 to 1"),
        ("duration = \"1h\"", "duration = \"1h\"\nloss = nan", ":3: loss: NaN is no share"),
        ("\"2009-04-01\"", "\"2096-01-01\"", ":1: `2096-01-01` is no moment"),
        ("\"clients\"", "\"all\"", ":7: unknown variant `all`, expected one of `clients`, `upstream`, `both`, `nothing`"),
        ("name = \"r\"", "name = \"r\"\nupstream = \"r\"", ":6: resolver[0].upstream: more than 8 resolvers in a row, or a ring"),
        ("resolver = \"r\"", "resolver = \"s\"", ":13: infected[0].resolver: there is no resolver `s`"),
        ("resolver = \"r\"", "resolver = \"\\u001b\"", ":13: infected[0].resolver: there is no resolver `\\u{1b}`"),
        ("10.0.0.0/24", "10.0.0.0/31", ":12: infected[0].addresses: 3 are needed, and the network has 2"),
        ("10.0.0.0/24", "2001:db8::/32", ":13: infected[0].resolver: it has no address of their version"),
        ("10.0.0.0/24", "10.0.0.1/24", ":12: `10.0.0.1/24` has bits set behind its prefix"),
        ("\"conficker-b\"", "\"stuxnet\"", ":10: infected[0].family: there is no family `stuxnet`"),
        ("\"conficker-b\"", "\"synthetic:10\"", ":10: infected[0].family: its habits are not known: give `names`"),
        ("count = 3", "count = 3\npace = [5, 1]", ":12: [5, 1] is no range"),
        ("count = 3", "count = 3\nnames = 251", ":12: infected[0].names: from 1 to the 250 names of a list"),
        ("count = 3", "count = 3\nduty = { hours = 25 }", ":12: infected[0].duty.hours: more than 0, 24 at most"),
        (
            "resolver = \"r\"",
            "resolver = \"r\"\n[[clean]]\ncount = 1000000\naddresses = \"10.0.0.0/8\"\nresolver = \"r\"\nrate = 1e6",
            ":18: clean[0].rate: all of them ask more than ten million times a second",
        ),
        ("count = 3", "count = 3000000000", ":11: infected[0].count: there are more than 200000000"),
        ("count = 3", "count = 3\nrenumber = { boot = true }", ":12: infected[0].renumber.boot: hosts without a `duty`"),
    ];
    for (old, new, expected) in rows {
        let text = GOOD.replacen(old, new, 1);
        assert_ne!(text, GOOD);
        let path = write(&folder, &text);
        let path = path.to_str().unwrap();
        let (out, err) = printed(&dgawatch(&["simulate", path, "-o", "-"]), 2);
        assert_eq!(out, "");
        assert!(err.starts_with(&format!("dgawatch: {path}{expected}")) && err.lines().count() == 1, "{new}: {err}");
    }
    let good = write(&folder, GOOD);
    let good = good.to_str().unwrap();
    let rows: [(&[&str], i32, &str); 8] = [
        (&["simulate"], 2, "error: the following required arguments were not provided"),
        (&["simulate", good], 2, "error: the following required arguments were not provided"),
        (&["simulate", good, "--family", "conficker-b", "-o", "-"], 2, "error: the argument '[FILE]' cannot be used with"),
        (&["simulate", "--family", "stuxnet", "-o", "-"], 2, "dgawatch: flags: infected[0].family: there is no family `stuxnet`"),
        (&["simulate", good, "--scale", "0", "-o", "-"], 2, "error: invalid value '0' for '--scale <FACTOR>'"),
        (&["simulate", "/nowhere", "-o", "-"], 1, "dgawatch: description /nowhere cannot be read: No such file"),
        (&["simulate", good, "-o", "/nowhere/x"], 1, "dgawatch: /nowhere/x cannot be written: No such file"),
        (&["simulate", good, "-o", "-", "--truth", "/nowhere/x"], 1, "dgawatch: /nowhere/x cannot be written: No such file"),
    ];
    for (arguments, code, expected) in rows {
        let (out, err) = printed(&dgawatch(arguments), code);
        assert_eq!(out, "");
        assert!(err.starts_with(expected), "{arguments:?}: {err}");
    }
    // A full disk is told of.
    if Path::new("/dev/full").exists() {
        let (_, err) = printed(&dgawatch(&["simulate", good, "-o", "/dev/full"]), 1);
        assert!(err.starts_with("dgawatch: /dev/full cannot be written: No space"), "{err}");
    }
}
