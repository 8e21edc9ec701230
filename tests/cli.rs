//! The program as its users meet it: words in, output, exit code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{dgawatch, names, printed};

#[test]
fn names_of_a_day() {
    let (out, _) = printed(&dgawatch(&["names", "--family", "conficker-b", "--date", "2009-03-31"]), 0);
    assert_eq!(out.lines().nth(159), Some("praat.org"));
    assert_eq!(out.lines().collect::<Vec<_>>(), names("conficker-b", "2009-03-31"));

    let (out, _) = printed(&dgawatch(&["names", "--date", "2009-03-31", "--days", "2"]), 0);
    assert_eq!(out.lines().count(), 2 * 50_500);

    let arguments = ["names", "--family", "conficker-a,conficker-b", "--date", "2009-03-31", "--days", "2", "--format"];
    let (out, _) = printed(&dgawatch(&[&arguments[..], &["csv"]].concat()), 0);
    let rows: Vec<&str> = out.lines().collect();
    assert_eq!(
        (rows.len(), rows[0], rows[1 + 250 + 159]),
        (
            1_001,
            "family,list_day,index,name,valid_from,valid_until",
            "conficker-b,2009-03-31,159,praat.org,2009-03-30,2009-04-01"
        )
    );
    let (out, _) = printed(&dgawatch(&[&arguments[..], &["json"]].concat()), 0);
    let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(rows.len(), 1_000);
    assert_eq!(
        rows[250 + 159],
        serde_json::json!({
            "family": "conficker-b", "list_day": "2009-03-31", "index": 159, "name": "praat.org",
            "valid_from": "2009-03-30", "valid_until": "2009-04-01"
        })
    );

    // Today's, by the machine's clock: as many as every day has.
    let (out, _) = printed(&dgawatch(&["names", "--family", "conficker-a"]), 0);
    assert_eq!(out.lines().count(), 250);
}

#[test]
fn verdicts_explained() {
    let (report, _) = printed(&dgawatch(&["replay", "--format", "json", "pcaps/subscribers.pcap"]), 0);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &report).unwrap();
    let path = file.path().to_str().unwrap();
    let (out, _) = printed(&dgawatch(&["explain", "--report", path, "192.0.2.7"]), 0);
    assert!(
        out.starts_with("192.0.2.7, conficker-b, list of 2009-03-31: infected\n  It asked for 250 of 250 names in 500 queries"),
        "{out}"
    );
    for sentence in ["A verdict takes 3 names: as many as that are there.", "behind it are 1 to 3 hosts, likely 1 (floor)."] {
        assert!(out.contains(sentence), "{out}");
    }
    let (out, _) = printed(&dgawatch(&["explain", "--report", path, "192.0.2.99", "203.0.113.9\u{1b}"]), 1);
    assert!(out.contains("suspect") && out.contains("A verdict takes 3 names: fewer are there."), "{out}");
    assert!(out.ends_with("203.0.113.9\\u{1b}: asked for no listed name\n"), "{out}");

    // Names that belong to somebody, and a report that somebody forged.
    let forged = report.replace("\"known_collisions\":", "\"known_collisions\":99999").replace("client", "\\u001b[2J");
    fs::write(file.path(), forged).unwrap();
    let (out, _) = printed(&dgawatch(&["explain", "--report", path, "192.0.2.7"]), 0);
    assert!(out.contains("honest people own: 999991;") && out.contains("that count: 0.") && !out.contains('\u{1b}'), "{out}");
    for (text, why) in [("{}", "is none that"), (&*report.replace("\"schema\": 1", "\"schema\": 2"), "is of schema 2")] {
        fs::write(file.path(), text).unwrap();
        let (_, error) = printed(&dgawatch(&["explain", "--report", path, "192.0.2.7"]), 1);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn names_explained() {
    let (out, _) = printed(&dgawatch(&["explain", "PRAAT.org."]), 0);
    assert!(out.starts_with("praat.org: conficker-b, list of 2009-03-31, index 159\n"), "{out}");
    assert!(out.contains("belongs to Praat"), "{out}");
    let (out, _) = printed(&dgawatch(&["explain", "www.praat.org"]), 1);
    assert!(out.starts_with("www.praat.org: on no list of conficker-a, conficker-b, conficker-c from 2008-11-26 to 20"), "{out}");
    let (out, _) = printed(
        &dgawatch(&[
            "explain",
            "--from",
            "2009-03-01",
            "--to",
            "2009-04-30",
            "--format",
            "json",
            "gzyh.nl",
            "praat.org",
            "mpfef.net",
        ]),
        0,
    );
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<String> =
        rows.iter().map(|row| format!("{} {} {} {}", row["name"], row["family"], row["list_day"], row["index"])).collect();
    let expected = [
        r#""gzyh.nl" "conficker-c" "2009-04-01" 1"#,
        r#""praat.org" "conficker-b" "2009-03-31" 159"#,
        r#""mpfef.net" "conficker-a" "2009-04-01" 1"#,
    ];
    assert_eq!(found, expected);
}

/// One line that says what, where and what to do; the exit code tells wrong usage from failure.
#[test]
fn mistakes() {
    let rows: [(&[&str], i32, &str); 13] = [
        (&["names", "--family", "stuxnet"], 2, "dgawatch: there is no family `stuxnet`: choose from conficker-a, "),
        (
            &["names", "--date", "2009-02-30"],
            2,
            "error: invalid value '2009-02-30' for '--date <YYYY-MM-DD>': `2009-02-30` is not a day: write YYYY-MM-DD",
        ),
        (&["names", "--date", "2553-12-31", "--days", "2"], 2, "dgawatch: --days 2 from 2553-12-31 goes beyond 2553-12-31"),
        (&["names", "--list", "x"], 2, "dgawatch: --list x: write NAME=FILE"),
        (&["names", "--list", "x=/nowhere"], 1, "dgawatch: list /nowhere cannot be read: No such file"),
        (&["names", "--list", "x=Cargo.toml"], 1, "dgawatch: list Cargo.toml: line 2: `name = \\\"dgawatch\\\"` has a space"),
        (&["names", "--list", "conficker=Cargo.toml"], 1, "dgawatch: list Cargo.toml: there is a family `conficker` already"),
        (&["explain", "a..b"], 2, "dgawatch: `a..b` has an empty label"),
        (&["explain", "a.b", "--from", "2009-04-01", "--to", "2009-03-01"], 2, "dgawatch: --from lies after --to"),
        (&["replay", "/nowhere"], 1, "dgawatch: /nowhere cannot be read: No such file"),
        (&["replay", "Cargo.toml"], 1, "dgawatch: Cargo.toml is not a capture"),
        (&["decode", "Cargo.toml"], 1, "dgawatch: Cargo.toml is not a capture"),
        (&["replay"], 2, "error: the following required arguments were not provided"),
    ];
    for (arguments, code, expected) in rows {
        let (out, err) = printed(&dgawatch(arguments), code);
        assert_eq!(out, "", "{arguments:?}");
        assert!(err.starts_with(expected), "{arguments:?}: {err}");
        assert!(err.lines().count() == 1 || err.starts_with("error: "), "{err}");
    }
}

#[test]
fn every_command_teaches() {
    let (help, _) = printed(&dgawatch(&["--help"]), 0);
    let commands: BTreeSet<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(
        commands.is_superset(&BTreeSet::from(["replay", "names", "explain", "decode", "completions", "man"])),
        "{commands:?}"
    );
    for command in &commands {
        let (help, _) = printed(&dgawatch(&[command, "--help"]), 0);
        assert!(help.contains("Usage: dgawatch"), "{help}");
        let (page, _) = printed(&dgawatch(&["man", command]), 0);
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (script, _) = printed(&dgawatch(&["completions", shell]), 0);
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
    }
    // The same pages as files, one a command and the program's own.
    let pages = tempfile::tempdir().unwrap();
    printed(&dgawatch(&["man", "--output", pages.path().to_str().unwrap()]), 0);
    let found: BTreeSet<String> =
        fs::read_dir(pages.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let expected = commands.iter().map(|command| format!("dgawatch-{command}.1")).chain(["dgawatch.1".to_owned()]);
    assert_eq!(found, expected.collect());
    for command in &commands {
        let page = fs::read_to_string(pages.path().join(format!("dgawatch-{command}.1"))).unwrap();
        assert_eq!(page, printed(&dgawatch(&["man", command]), 0).0);
    }
    let (_, error) = printed(&dgawatch(&["man", "--output", "/nowhere"]), 1);
    assert!(error.starts_with("dgawatch: /nowhere/dgawatch.1 cannot be written: "), "{error}");

    let version = concat!("dgawatch ", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(&dgawatch(&["-V"]), 0).0, format!("{version}\n"));
    // With the commit where it is known: tests/version.rs.
    let (long, _) = printed(&dgawatch(&["--version"]), 0);
    let rest = long.strip_prefix(version).unwrap().strip_suffix('\n').unwrap();
    assert!(rest.is_empty() || rest.starts_with(" (") && rest.ends_with(')'), "{long}");
}

/// Whoever reads may stop reading.
#[test]
fn a_closed_pipe_is_no_failure() {
    for arguments in [&["names", "--date", "2009-03-31"][..], &["decode", "pcaps/subscribers.pcap"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dgawatch"))
            .args(arguments)
            .current_dir(support::root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(printed(&output, 0).1, "");
    }
}

/// What was given up ends a strict replay with 1, once all is reported; nothing given up, with 0.
#[test]
fn strict() {
    let (out, err) = printed(&dgawatch(&["replay", "--strict", "pcaps/subscribers.pcap"]), 1);
    assert!(out.contains("\nNot read\n") && out.contains("7 sources infected"), "{out}");
    assert!(err.contains("(--strict)") && err.lines().count() == 1, "{err}");
    let (out, err) = printed(&dgawatch(&["replay", "--strict", "pcaps/carried.pcap"]), 0);
    assert!(!out.contains("Not read") && err.is_empty(), "{out}{err}");
}

/// Tunnels that are to stay closed are given up, and told.
#[test]
fn closed_tunnels() {
    let (out, _) = printed(&dgawatch(&["replay", "--strict", "--no-tunnel", "gre,vxlan", "pcaps/carried.pcap"]), 1);
    assert!(out.contains("5 sources infected") && out.contains("16  26.23 %  packets in a tunnel that was not opened"), "{out}");
    let (_, err) = printed(&dgawatch(&["decode", "--no-tunnel", "wormhole", "pcaps/carried.pcap"]), 2);
    assert!(err.contains("wormhole") && err.contains("gtp-u"), "{err}");
}
