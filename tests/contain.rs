//! `contain` as its users meet it: the worked examples, the press of 2009, plots, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{dgawatch, expect_file, printed};
use tempfile::TempDir;

fn object(arguments: &[&str]) -> Value {
    let (out, _) = printed(&dgawatch(&[&["contain", "--format", "json"], arguments].concat()), 0);
    serde_json::from_str(&out).unwrap()
}

/// Percent, with two places.
fn percent(value: &Value) -> String {
    format!("{:.2}", 100.0 * value.as_f64().unwrap())
}

#[test]
fn conficker_c() {
    for (held, day) in [("1", "1.00"), ("10", "9.56"), ("69", "50.04"), ("100", "63.43"), ("459", "99.03")] {
        assert_eq!(percent(&object(&["--family", "conficker-c", "--held", held])["reach"]["day"]), day, "{held}");
    }
    let one = object(&["--held", "1", "--date", "2009-04-01"]);
    assert_eq!((percent(&one["reach"]["week"]), percent(&one["reach"]["month"])), ("6.79".to_owned(), "26.03".to_owned()));
    assert_eq!(one["names_for"], json!({"0.01": 2, "0.1": 11, "0.5": 69, "0.9": 229}));
    let blocked = object(&["--held", "100", "--blocked", "0.99"]);
    assert_eq!(format!("{:.3}", 100.0 * blocked["reach"]["day"].as_f64().unwrap()), "0.995");
    assert_eq!(object(&["--blocked", "1"])["names_for"]["0.01"], Value::Null);
}

/// 13,841 lookups at six names: not 1,384,100 hosts.
#[test]
fn the_press_of_2009() {
    let arguments = ["--family", "conficker-c", "--held", "6", "--lookups", "13841"];
    let hosts = object(&arguments)["hosts"].clone();
    assert_eq!(hosts, json!({"low": 226_840, "best": 230_683, "high": 234_526, "method": "lookups per host"}));
    let (out, _) = printed(&dgawatch(&[&["contain", "--date", "2009-04-01"], &arguments[..]].concat()), 0);
    assert!(out.contains("  hosts 230,683 (95 %: 226,840 to 234,526, by chance alone)\n"), "{out}");
    assert!(out.contains("  not 1,384,100: the factor 100 is that of one held name, not of 6\n"), "{out}");
    expect_file("contain/press.txt", out.as_bytes());
    let (out, _) = printed(&dgawatch(&[&["contain", "--format", "json", "--date", "2009-04-01"], &arguments[..]].concat()), 0);
    expect_file("contain/press.json", out.as_bytes());
}

#[test]
fn hosts_that_ask_for_every_name() {
    for family in ["conficker-a", "conficker-b"] {
        let object = object(&["--family", family, "--held", "1", "--lookups", "500"]);
        assert_eq!((&object["reach"]["day"], &object["names_for"]["0.9"]), (&json!(1.0), &json!(1)), "{family}");
        assert!(object["hosts"].is_null() && object["refused"].as_str().unwrap().contains("again and again"));
    }
    assert_eq!(percent(&object(&["--family", "conficker-b", "--held", "2", "--blocked", "0.3"])["reach"]["day"]), "91.00");
}

#[test]
fn many_names() {
    let arguments = ["--family", "synthetic:1000000", "--lookups-per-host", "500", "--held", "20"];
    let many = object(&arguments);
    assert_eq!((percent(&many["reach"]["day"]), &many["names_for"]["0.01"]), ("1.00".to_owned(), &json!(21)));
    assert!(many["hosts"].is_null() && many.get("lookups").is_none());
}

/// The shares of operators and of nobody add up; whoever blocks all, lets nobody through.
#[test]
fn blocking_by_suffix() {
    let folder = TempDir::new().unwrap();
    let table = folder.path().join("table.csv");
    fs::write(&table, "operator,suffixes\nsome,com net ws\nothers,cc cn org info biz\nnobody,example\n").unwrap();
    let table = table.to_str().unwrap();
    let b = object(&["--family", "conficker-b", "--date", "2009-03-31", "--registry", table]);
    let rows = b["operators"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows.iter().map(|row| row["names"].as_u64().unwrap()).sum::<u64>(), 250);
    assert_eq!((&rows[0]["operator"], &rows[0]["suffixes"]), (&json!("others"), &json!(["biz", "cc", "cn", "info", "org"])));
    assert_eq!(
        (&rows[1]["blocked_so_far"], &rows[1]["reach_so_far"], &rows[1]["reach_of_the_rest"]),
        (&json!(1.0), &json!(0.0), &json!(0.0))
    );
    // The built-in table knows who ran the suffixes of Conficker B.
    let b = object(&["--family", "conficker-b", "--date", "2009-03-31"]);
    let names: u64 = b["operators"].as_array().unwrap().iter().map(|row| row["names"].as_u64().unwrap()).sum();
    assert_eq!(names, 250);
}

#[test]
fn a_picture() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("reach.svg");
    let (_, err) = printed(&dgawatch(&["contain", "--plot", path.to_str().unwrap(), "--date", "2009-04-01"]), 0);
    assert_eq!(err, "");
    expect_file("contain/reach.svg", &fs::read(&path).unwrap());
    printed(&dgawatch(&["contain", "--plot", "/nowhere/x.svg"]), 1);
}

/// Who runs a suffix is what a user's table says.
#[test]
fn hostile_operators_stay_text() {
    let folder = TempDir::new().unwrap();
    let table = folder.path().join("table.csv");
    let hostile = "=<b>\u{1b}[2J\u{9b}1m\"\n|";
    fs::write(&table, format!("operator,suffixes\n\"{}\",com net\n", hostile.replace('"', "\"\""))).unwrap();
    let arguments = ["contain", "--family", "conficker-b", "--date", "2009-03-31", "--registry", table.to_str().unwrap()];
    for format in ["text", "json"] {
        let (out, _) = printed(&dgawatch(&[&arguments[..], &["--format", format]].concat()), 0);
        assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{format}: {out:?}");
        if format == "json" {
            let object: Value = serde_json::from_str(&out).unwrap();
            assert_eq!(object["operators"][0]["operator"], hostile.trim());
        }
    }
}

#[test]
fn mistakes() {
    let rows: [(&[&str], &str); 7] = [
        (&["--family", "conficker"], "dgawatch: --family conficker: choose one, their lists differ"),
        (&["--family", "stuxnet"], "dgawatch: there is no family `stuxnet`"),
        (&["--family", "synthetic:100"], "dgawatch: how many names a host of synthetic:100 asks for is not known: say it by"),
        (&["--lookups-per-host", "50001"], "dgawatch: a host cannot ask for 50001 of 50000 names"),
        (&["--lookups-per-host", "0"], "dgawatch: a host cannot ask for 0 of 50000 names"),
        (&["--held", "50001"], "dgawatch: --held 50001: the list has 50000 names"),
        (&["--blocked", "1.5"], "error: invalid value '1.5' for '--blocked <SHARE>': write a share from 0 to 1"),
    ];
    for (arguments, expected) in rows {
        let (_, err) = printed(&dgawatch(&[&["contain"], arguments].concat()), 2);
        assert!(err.starts_with(expected), "{arguments:?}: {err}");
    }
}
