//! `collisions` as its users meet it: names in use in the layouts that they come in, against a search by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use support::{dgawatch, expect_file, names, printed};
use tempfile::TempDir;

const MARCH: [&str; 7] = ["collisions", "--family", "conficker-b", "--date", "2009-03-01", "--days", "31"];

fn run(arguments: &[&str]) -> String {
    let (out, err) = printed(&dgawatch(&[&MARCH, arguments].concat()), 0);
    assert_eq!(err, "");
    out
}

/// The four of March 2009 that the press named, with their days.
#[test]
fn what_is_built_in() {
    assert_eq!(run(&["--format", "plain"]), "jogli.com\nwnsux.com\nqhflh.com\npraat.org\n");
    let object: Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
    assert_eq!((&object["generated"], &object["first_day"]), (&json!(7_750), &json!("2009-03-01")));
    let airline = &object["collisions"][1];
    assert_eq!((&airline["name"], &airline["owner"]), (&json!("wnsux.com"), &json!("Southwest Airlines")));
    assert_eq!(
        (&airline["lists"][0]["valid_from"], &airline["lists"][0]["valid_until"]),
        (&json!("2009-03-12"), &json!("2009-03-14"))
    );
}

/// A name is in use where it stands itself or one below it does; one above it, or beside it, says nothing.
#[test]
fn names_in_use_in_every_layout() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let list = names("conficker-b", "2009-03-05");
    let org: Vec<&String> = list.iter().filter(|name| name.ends_with(".org")).take(3).collect();
    let [first, second, third] = org[..] else { panic!("{org:?}") };
    let label = |name: &str| name.split('.').next().unwrap().to_owned();
    let files = [
        file("plain", format!("{first}\nwww.a.{second}\n{third}x\nx{third}\norg\n")),
        file("top.csv", format!("1,google.com\n2,{first}\n3,www.{second}\n")),
        file("pdns.csv", format!("count,rrname,rrtype\n5,{first}.,A\n7,MAIL.{second}.,A\n")),
        file(
            "org.zone",
            format!(
                "$ORIGIN org.\n$TTL 900\n@ IN SOA a. b. 1 2 3 4 5\n{} NS ns1.x.\n\tNS ns2.x.\n{}.org. NS x.\n",
                label(first),
                label(second)
            ),
        ),
        file("hosts", format!("192.0.2.1 {first} www.{second}\n")),
    ];
    for file in &files {
        let out = run(&["--format", "plain", "--in-use", file]);
        let found: BTreeSet<&str> = out.lines().collect();
        let wanted = BTreeSet::from([first, second, "jogli.com", "wnsux.com", "qhflh.com", "praat.org"]);
        assert_eq!(found, wanted, "{file}");
    }
    // All together: each once, with the first places where it was seen.
    let uses: Vec<&str> = files.iter().flat_map(|file| ["--in-use", file]).collect();
    let object: Value = serde_json::from_str(&run(&[&["--format", "json"], &uses[..]].concat())).unwrap();
    let collision = object["collisions"].as_array().unwrap().iter().find(|row| row["name"] == json!(first)).unwrap();
    assert_eq!((&collision["sights"], collision["seen"].as_array().unwrap().len()), (&json!(6), 3));
    assert_eq!((&collision["lists"][0]["list_day"], &collision["owner"]), (&json!("2009-03-05"), &Value::Null));
    // And not blocked.
    let keep = file("keep", run(&[&["--format", "plain"], &uses[..]].concat()));
    let (out, _) = printed(&dgawatch(&["names", "--family", "conficker-b", "--date", "2009-03-05", "--exclude", &keep]), 0);
    assert!(out.lines().count() == 248 && !out.contains(&**first) && !out.contains(&**second));
}

/// What strangers wrote into a file, or a file's own name, orders nothing about.
#[test]
fn hostile_input_stays_text() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("=1+1\u{1b}[2J,\"x\n");
    fs::write(&path, "=cmd\\027.\\034\\044x.praat.org\n").unwrap();
    let path = path.to_str().unwrap();
    for format in ["text", "csv", "json", "plain"] {
        let out = run(&["--format", format, "--in-use", path]);
        assert!(out.bytes().all(|octet| matches!(octet, b'\n' | b' '..=b'~')), "{format}: {out}");
    }
    let out = run(&["--format", "csv", "--in-use", path]);
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(out.as_bytes()).records().map(Result::unwrap).collect();
    let praat = rows.iter().find(|row| &row[0] == "praat.org").unwrap();
    assert_eq!((rows.len(), &praat[10]), (4, "'=cmd\\027.\",x.praat.org"));
    let (_, err) = printed(&dgawatch(&["collisions", "--days", "1", "--in-use", "/nowhere"]), 1);
    assert!(err.starts_with("dgawatch: /nowhere cannot be read"), "{err}");
}

#[test]
fn reports_are_as_expected() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("top.csv");
    fs::write(&file, "1,praat.org\n2,www.wnsux.com\n").unwrap();
    let place = folder.path().to_str().unwrap();
    for format in ["text", "csv", "json", "plain"] {
        let out = run(&["--format", format, "--in-use", file.to_str().unwrap()]);
        expect_file(&format!("collisions/{format}"), out.replace(place, "FOLDER").as_bytes());
    }
}
