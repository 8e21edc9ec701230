//! What abuse desks take in: against expected files, with names and labels that try to break out, and read by the libraries of
//! the formats where they are there.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use dgawatch::name::Name;
use serde_json::Value;
use support::captures::USUAL;
use support::packets::{at, ethernet, message, udp};
use support::{dgawatch, expect_file, printed, python};
use tempfile::TempDir;

const FORMATS: [&str; 4] = ["shadowserver", "intelmq", "xarf", "cef"];

const REPORTER: &str = "Example ISP <abuse@isp.example>";

/// Runs `replay` on the sample of subscribers.
fn subscribers(format: &str, more: &[&str], code: i32) -> (String, String) {
    let common = ["replay", "--format", format, "--family", "conficker-b,conficker-c", "pcaps/subscribers.pcap"];
    printed(&dgawatch(&[&common[..], more].concat()), code)
}

#[test]
fn each_format_is_as_expected() {
    let folder = TempDir::new().unwrap();
    let networks = folder.path().join("networks");
    fs::write(&networks, "192.0.2.0/24,cable north\n192.0.2.32/27,cable north: business\n").unwrap();
    for format in FORMATS {
        let more = ["--vantage", "client side", "--reporter", REPORTER, "--suspects", "--networks", networks.to_str().unwrap()];
        let (out, err) = subscribers(format, &more, 0);
        assert_eq!(err, "", "{format}");
        let version = format!("|dgawatch|{}|", env!("CARGO_PKG_VERSION"));
        expect_file(&format!("abuse/{format}"), out.replace(&version, "|dgawatch|VERSION|").as_bytes());
    }
}

/// Every row of the report has its row, and says the same.
#[test]
fn rows_are_those_of_the_report() {
    let report: Value = serde_json::from_str(&subscribers("json", &[], 0).0).unwrap();
    let sources = report["sources"].as_array().unwrap();
    let infected: Vec<&Value> = sources.iter().filter(|row| row["verdict"] == "infected").collect();
    assert!(infected.len() > 3 && infected.len() < sources.len());
    for (more, wanted) in [(&[][..], infected), (&["--suspects"], sources.iter().collect())] {
        let key = |source: &Value, family: &Value, day: &Value, verdict: &Value| {
            [source, family, day, verdict].map(|value| value.as_str().unwrap().to_owned())
        };
        let wanted: Vec<_> =
            wanted.iter().map(|row| key(&row["source"], &row["family"], &row["list_day"], &row["verdict"])).collect();
        let of = |format: &str| subscribers(format, more, 0).0.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rows: Vec<Value> = of("xarf");
        let got: Vec<_> =
            rows.iter().map(|row| key(&row["source_identifier"], &row["family"], &row["list_day"], &row["verdict"])).collect();
        assert_eq!(got, wanted);
        let rows: Vec<Value> = of("intelmq");
        let family = "classification.identifier";
        let got: Vec<_> =
            rows.iter().map(|row| key(&row["source.ip"], &row[family], &row["extra.list_day"], &row["extra.verdict"])).collect();
        assert_eq!(got, wanted);
        assert_eq!(subscribers("cef", more, 0).0.lines().count(), wanted.len());
        assert_eq!(subscribers("shadowserver", more, 0).0.lines().count(), wanted.len() + 1);
    }
}

/// In presentation form; each means something to a format.
const HOSTILE: [&str; 12] = [
    "ok.evil",
    r#"a"b.evil"#,
    r"a\044b.evil",
    "=cmd|'c'!a0.evil",
    "@sum.evil",
    "a;b.evil",
    "a|b=c.evil",
    r"a\\b.evil",
    r"a\013\010b.evil",
    r"\027[2J.evil",
    r"\000\255.evil",
    r"a\032cs9=x.evil",
];

const HOSTILE_VANTAGE: &str = r#"a;b|c=d"e,f\g cs1=x"#;
const HOSTILE_LABEL: &str = r#"=x;"y",z|w\ n=1"#;

/// A capture in which one host asks for all hostile names, and a report of it in each format.
struct Place(TempDir, Vec<String>);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap(), HOSTILE.map(|name| Name::parse(name).unwrap().to_string()).to_vec());
        fs::write(place.path("list"), HOSTILE.join("\n")).unwrap();
        let quoted = HOSTILE_LABEL.replace('"', "\"\"");
        fs::write(place.path("networks"), format!("192.0.2.0/24,\"{quoted}\"\n2001:db8::/32,six\n")).unwrap();
        let mut packets = vec![];
        for (client, resolver) in [("192.0.2.7", "198.51.100.53"), ("2001:db8::7", "2001:db8::53")] {
            for (step, name) in HOSTILE.into_iter().enumerate() {
                let name = Name::parse(name).unwrap();
                let payload = message(1, 0x0100, &wire(&name.to_string()), 1);
                let packet = ethernet(&[], &udp(at(client, 4_000 + step as u16), at(resolver, 53), &payload));
                packets.push((1_238_493_600_000_000_000 + packets.len() as u64 * 1_000_000, packet));
            }
        }
        fs::write(place.path("capture"), USUAL.file(&packets)).unwrap();
        place
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn report(&self, format: &str) -> String {
        let (list, networks) = (format!("evil={}", self.path("list")), self.path("networks"));
        let capture = self.path("capture");
        let arguments = ["replay", "--family", "conficker-a", "--list", &list, "--format", format, "--vantage", HOSTILE_VANTAGE];
        let arguments = [&arguments[..], &["--reporter", REPORTER, "--networks", &networks, &capture]].concat();
        let (out, _) = printed(&dgawatch(&arguments), 0);
        assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{format}: {out:?}");
        out
    }
}

/// The wire form of a name in presentation form.
fn wire(name: &str) -> Vec<u8> {
    let (mut labels, mut octets) = (vec![vec![]], name.bytes());
    while let Some(octet) = octets.next() {
        match octet {
            b'.' => labels.push(vec![]),
            b'\\' => {
                let first = octets.next().unwrap();
                let octet = if first.is_ascii_digit() {
                    let digits = [first, octets.next().unwrap(), octets.next().unwrap()];
                    std::str::from_utf8(&digits).unwrap().parse().unwrap()
                } else {
                    first
                };
                labels.last_mut().unwrap().push(octet);
            }
            _ => labels.last_mut().unwrap().push(octet),
        }
    }
    labels.push(vec![]);
    labels.iter().flat_map(|label| [&[label.len() as u8], &**label].concat()).collect()
}

#[test]
fn nothing_breaks_out() {
    let place = Place::new();
    let names = place.1.clone();

    let out = place.report("shadowserver");
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(out.as_bytes()).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row.len(), 21);
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{row:?}");
        assert_eq!(row.get(19).unwrap().trim_start_matches('\'').split(' ').collect::<Vec<_>>(), names);
        assert_eq!(row.get(17).unwrap().split(';').count(), 10, "{row:?}");
    }

    for (format, key, network) in [("intelmq", "extra.dns_query", "extra.network"), ("xarf", "names", "network")] {
        let out = place.report(format);
        let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 2);
        for row in &rows {
            assert_eq!(row[key], Value::from(names.clone()));
        }
        assert_eq!((&rows[0][network], &rows[1][network]), (&Value::from(HOSTILE_LABEL), &Value::from("six")));
    }

    let out = place.report("cef");
    let events: Vec<(Vec<String>, BTreeMap<String, String>)> = out.lines().map(cef).collect();
    assert_eq!(events.len(), 2);
    for (header, values) in &events {
        assert_eq!((header.len(), &*header[0], &*header[6]), (7, "CEF:0", "8"));
        assert_eq!(values["cs2"], names.join(" "));
        assert_eq!((&*values["cs3"], &*values["cs1"], &*values["cn1"]), (HOSTILE_VANTAGE, "evil", "95"));
    }
    assert_eq!((&*events[0].1["src"], &*events[0].1["cs5"]), ("192.0.2.7", HOSTILE_LABEL));
    assert_eq!((&*events[1].1["c6a2"], events[1].1.get("src")), ("2001:db8::7", None));
}

/// Reads an event as the format's documentation has it: seven fields up to bars, then keys up to equals signs.
fn cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut header, mut field, mut escaped, mut rest) = (vec![], String::new(), false, line.len());
    for (place, c) in line.char_indices() {
        match c {
            _ if escaped => {
                field.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '|' => {
                header.push(std::mem::take(&mut field));
                if header.len() == 7 {
                    rest = place + 1;
                    break;
                }
            }
            _ => field.push(c),
        }
    }
    // Where an unescaped equals sign is, the word before it is a key.
    let extension = &line[rest..];
    let mut signs = vec![];
    let mut before = 0;
    for (place, c) in extension.char_indices() {
        if c == '=' && before % 2 == 0 {
            signs.push(place);
        }
        before = if c == '\\' { before + 1 } else { 0 };
    }
    let key = |sign: usize| extension[..sign].rfind(' ').map_or(0, |blank| blank + 1);
    let mut values = BTreeMap::new();
    for (number, &sign) in signs.iter().enumerate() {
        let end = signs.get(number + 1).map_or(extension.len(), |next| key(*next) - 1);
        let (mut value, mut escaped) = (String::new(), false);
        for c in extension[sign + 1..end].chars() {
            if escaped || c != '\\' {
                value.push(c);
                escaped = false;
            } else {
                escaped = true;
            }
        }
        assert!(values.insert(extension[key(sign)..sign].to_owned(), value).is_none(), "a key twice: {line}");
    }
    (header, values)
}

/// Whoever gets a row acts on it.
#[test]
fn nobody_is_accused_in_the_place_of_another() {
    let key = TempDir::new().unwrap();
    let key = key.path().join("key");
    fs::write(&key, "0123456789abcdeffedcba9876543210").unwrap();
    for format in FORMATS {
        for masking in [["--prefix", "24,56"], ["--pseudonymise", key.to_str().unwrap()]] {
            let (out, err) = subscribers(format, &masking, 2);
            assert!(out.is_empty() && err.contains("would accuse others"), "{err}");
        }
    }
    let (_, err) = subscribers("xarf", &[], 0);
    assert!(err.contains("name nobody who can be asked"), "{err}");
    for (flag, wrong) in [("--vantage", "a\u{1b}[2J"), ("--vantage", ""), ("--reporter", "Example")] {
        subscribers("cef", &[flag, wrong], 2);
    }
}

const READ_INTELMQ: &str = r#"
import json, os, sys, intelmq
from intelmq.lib.message import MessageFactory
rules = json.load(open(os.path.join(os.path.dirname(intelmq.__file__), "etc", "harmonization.conf")))
for line in open(sys.argv[1]):
    event = MessageFactory.unserialize(line, harmonization=rules)
    assert type(event).__name__ == "Event"
    print(event["source.ip"], event["source.port"], event["time.source"], event["classification.type"], event["malware.name"])
"#;

const READ_XARF: &str = r#"
import json, sys, warnings, xarf
warnings.simplefilter("ignore")
for line in open(sys.argv[1]):
    row = json.loads(line)
    found = xarf.parse(row)
    assert not found.errors, found.errors
    assert xarf.parse({name: row[name] for name in row if name != "reporter"}).errors, "a row without reporter passes"
    # The schema has confidence from 0 to 1; the model of xarf 1.0 takes whole numbers alone.
    report = xarf.parse({name: row[name] for name in row if name != "confidence"}).report
    assert type(report).__name__ == "BotnetReport", type(report)
    print(report.source_identifier, report.source_port, report.timestamp, report.type, report.malware_family)
"#;

/// The libraries of IntelMQ and XARF read every row, hostile ones included.
#[test]
fn the_libraries_agree() {
    let place = Place::new();
    for (format, library, script) in [("intelmq", "intelmq", READ_INTELMQ), ("xarf", "xarf", READ_XARF)] {
        let Some(python) = python(library, "its reports were not read by it") else { continue };
        for text in [subscribers(format, &["--suspects", "--reporter", REPORTER], 0).0, place.report(format)] {
            let path = place.path("rows");
            fs::write(&path, &text).unwrap();
            let output = Command::new(&python).args(["-c", script, &path]).output().unwrap();
            let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
            assert!(output.status.success(), "{format}: {out}{err}");
            assert_eq!(out.lines().count(), text.lines().count());
            for (line, row) in out.lines().zip(text.lines()) {
                let row: Value = serde_json::from_str(row).unwrap();
                let source = row.get("source.ip").or_else(|| row.get("source_identifier")).unwrap().as_str().unwrap();
                assert_eq!(line.split(' ').next(), Some(source));
            }
        }
    }
}
