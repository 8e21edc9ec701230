//! The names of list days in every format: against expected files, with names that try to break out of them, and what is chosen,
//! parted and compared on the way.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use dgawatch::dga::{Layout, NameFile};
use dgawatch::export::NamesFormat;
use dgawatch::name::Name;
use serde_json::Value;
use support::{dgawatch, expect_file, names, printed, root};
use tempfile::TempDir;

/// Runs `names` as of a fixed time.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dgawatch"));
    command.arg("names").args(arguments).current_dir(root()).env("SOURCE_DATE_EPOCH", "1238457600");
    command.output().unwrap()
}

#[test]
fn each_format_is_as_expected() {
    for (_, format) in NamesFormat::ALL {
        let arguments =
            ["--family", "conficker-b", "--date", "2009-03-31", "--days", "2", "--tld", "cc,co.uk", "--format", format];
        let (out, err) = printed(&run(&arguments), 0);
        assert_eq!(err, "", "{format}");
        expect_file(&format!("names/{format}"), out.as_bytes());
    }
    let folder = TempDir::new().unwrap();
    let arguments = ["--family", "conficker-b", "--date", "2009-03-31", "--tld", "cc", "--format", "misp", "--output"];
    printed(&run(&[&arguments[..], &[folder.path().to_str().unwrap()]].concat()), 0);
    expect_file("names/manifest.json", &fs::read(folder.path().join("manifest.json")).unwrap());
}

/// Names that mean something to whoever reads the formats, in presentation form; all end in `evil`.
const HOSTILE: [&str; 25] = [
    "ok.evil",
    r#"a"b.evil"#,
    r"a\044b.evil",
    r"\035x.evil",
    "=cmd|'/c_calc'!a0.evil",
    "+1.evil",
    "-x.evil",
    "@sum.evil",
    "@.evil",
    "$ttl.evil",
    "a;b.evil",
    "(a.evil",
    "a).evil",
    "a'b.evil",
    "a/b.evil",
    "{a}.evil",
    r"a\\b.evil",
    r"a\.b.evil",
    r"a\010b.evil",
    r"a\013\010evil.evil",
    r"\027[2J.evil",
    r"\000.evil",
    r"\255\254.evil",
    r"a\032b\009c.evil",
    "*.evil",
];

/// What each format writes of them is what stands there: nothing else, and nothing that a reader takes for something else.
#[test]
fn hostile_names_stay_names() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list");
    // The longest name there is goes nowhere but where a name may be of any length.
    let longest = format!("{}.evil", vec!["x".repeat(61); 4].join("."));
    let given: Vec<&str> = HOSTILE.into_iter().chain([&*longest]).collect();
    fs::write(&list, given.join("\n")).unwrap();
    let list = format!("hostile={}", list.display());
    let output = |format: &str| {
        let output =
            run(&["--family", "conficker-a", "--list", &list, "--date", "2009-03-31", "--tld", "evil", "--format", format]);
        let (code, err) = (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap());
        let inert = |octet: &u8| matches!(octet, b'\n' | b' '..=b'~') || *octet == b'\t' && format == "zeek";
        assert!(output.stdout.iter().all(inert), "{format}");
        (String::from_utf8(output.stdout).unwrap(), code, err)
    };
    let shown: Vec<String> = given.iter().map(|name| Name::parse(name).unwrap().to_string()).collect();
    let unguarded = |text: &str| text.strip_prefix('\'').unwrap_or(text).to_owned();

    let (out, code, _) = output("plain");
    assert_eq!((out.lines().collect::<Vec<_>>(), code), (shown.iter().map(String::as_str).collect(), 0));

    let (out, code, _) = output("csv");
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(out.as_bytes()).records().map(Result::unwrap).collect();
    let cells: Vec<&str> = rows.iter().map(|row| row.get(3).unwrap()).collect();
    assert!(rows.iter().all(|row| row.len() == 6) && cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
    assert_eq!((cells.iter().map(|cell| unguarded(cell)).collect::<Vec<_>>(), code), (shown.clone(), 0));

    let (out, code, _) = output("json");
    let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), code), (shown.clone(), 0));

    // The wildcard would refuse all of `evil`, the longest leaves no room for the name of the zone.
    let (out, code, err) = output("rpz");
    let mut file = NameFile::new(Layout::Policy);
    let mut read = vec![];
    for line in out.lines() {
        assert!(line.starts_with([';', '$', '@']) || line.ends_with(" CNAME .") && line.matches(' ').count() == 2, "{line}");
        file.line(line.as_bytes(), &mut |name| read.push(name.to_string())).unwrap();
    }
    let wanted: Vec<String> = shown.iter().filter(|name| *name != "*.evil" && **name != longest).cloned().collect();
    assert_eq!((read, code), (wanted, 1));
    assert_eq!(err, "dgawatch: 2 names were left out: rpz cannot express them; 24 were written\n");

    let (out, code, err) = output("suricata");
    let decoded: Vec<Vec<u8>> = out.lines().map(|line| base64::engine::general_purpose::STANDARD.decode(line).unwrap()).collect();
    assert!(decoded.contains(&b"a\"b.evil".to_vec()) && decoded.contains(&b"a\nb.evil".to_vec()));
    assert_eq!((decoded.len(), code), (given.len() - 1, 1));
    assert!(err.starts_with("dgawatch: 1 names were left out: suricata"), "{err}");

    for format in ["unbound", "dnsmasq", "hosts", "bind", "zeek", "misp", "stix"] {
        let (out, code, err) = output(format);
        let lines: Vec<&str> = out.lines().filter(|line| line.contains("evil")).collect();
        // What is left is plain: `ok.evil`, `-x.evil` and the longest.
        assert_eq!((lines.len(), code), (3, 1), "{format}: {out}");
        assert_eq!(err, format!("dgawatch: 23 names were left out: {format} cannot express them; 3 were written\n"));
    }
    for format in ["misp", "stix"] {
        serde_json::from_str::<Value>(&output(format).0).unwrap();
    }
}

/// One label would take a whole top-level domain with it; triggers of addresses are no names.
#[test]
fn names_that_would_block_more() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list");
    fs::write(&list, "com\n24.0.2.0.192.rpz-ip\nlocalhost.localdomain\nonly-1.com\nONLY-1.com\n").unwrap();
    let list = format!("x={}", list.display());
    for (format, left_out) in [("rpz", 1), ("unbound", 1), ("dnsmasq", 1), ("bind", 1), ("hosts", 2)] {
        let arguments = ["--family", "conficker-a", "--list", &list, "--date", "2009-03-31", "--format", format];
        let (out, err) = printed(&run(&arguments), 1);
        assert!(err.contains(&format!(" {left_out} names were left out")), "{format}: {err}");
        assert_eq!(out.lines().filter(|line| line.contains("only-1.com")).count(), 1, "{format}");
    }
}

/// As `names` prints them, of the days of a file.
fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// Files by suffix hold each name once where it belongs, in order, and add up to the whole.
#[test]
fn parts_add_up() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let days = ["--date", "2009-03-31", "--days", "2"];
    let (whole, _) = printed(&run(&days), 0);
    printed(&run(&[&days[..], &["--by-tld", &path("tld")]].concat()), 0);
    printed(&run(&[&days[..], &["--by-registry", &path("registry")]].concat()), 0);
    let mut by_suffix: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in whole.lines() {
        by_suffix.entry(name.split_once('.').unwrap().1.to_owned()).or_default().push(name.to_owned());
    }
    let files = |folder: &str| -> BTreeMap<String, Vec<String>> {
        let entries = fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), lines(&path))).collect()
    };
    let tld = files("tld");
    assert!(tld == by_suffix && tld.len() == 123, "{:?}", tld.keys());
    let registry = files("registry");
    assert_eq!(registry.values().map(Vec::len).sum::<usize>(), whole.lines().count());
    let of = |suffixes: &[&str]| -> BTreeSet<String> { suffixes.iter().flat_map(|suffix| by_suffix[*suffix].clone()).collect() };
    assert_eq!(registry["switch"].iter().cloned().collect::<BTreeSet<_>>(), of(&["ch", "li"]));
    assert!(
        registry.contains_key("unassigned") && registry["public-interest-registry"].iter().all(|name| name.ends_with(".org"))
    );

    // The same names when asked for one by one.
    let (out, _) = printed(&run(&[&days[..], &["--tld", "tw"]].concat()), 0);
    assert_eq!(out.lines().map(str::to_owned).collect::<BTreeSet<_>>(), of(&["tw", "com.tw"]));
    let (out, _) = printed(&run(&[&days[..], &["--operator", "switch"]].concat()), 0);
    assert_eq!(out.lines().map(str::to_owned).collect::<BTreeSet<_>>(), of(&["ch", "li"]));
    let table = path("table.csv");
    fs::write(&table, "operator,suffixes\nOurs: ../../etc,com ws\n").unwrap();
    let arguments = ["--registry", &table, "--by-registry", &path("ours"), "--format", "rpz"];
    printed(&run(&[&days[..], &arguments].concat()), 0);
    assert!(Path::new(&path("ours")).join("ours-etc.rpz").is_file());
    let (_, err) = printed(&run(&["--operator", "nobody"]), 2);
    assert!(err.contains("there is no `nobody` in the table: VeriSign, "), "{err}");
}

/// Suffixes of a user's list are no paths.
#[test]
fn parts_stay_in_their_folder() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list");
    fs::write(&list, "a.b/c\na.\\.\\.\nx.y.org\nb\n").unwrap();
    let out = folder.path().join("out");
    let list = format!("x={}", list.display());
    let arguments = ["--family", "conficker-a", "--list", &list, "--date", "2009-03-31", "--by-tld", out.to_str().unwrap()];
    printed(&run(&arguments), 0);
    let files: BTreeSet<String> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let wanted = ["b.txt", "biz.txt", "com.txt", "info.txt", "net.txt", "org.txt", "other.txt"];
    assert_eq!(files, wanted.map(str::to_owned).into());
    assert!(lines(&out.join("org.txt")).contains(&"x.y.org".to_owned()));
    assert_eq!(lines(&out.join("other.txt")), ["a.b/c", r"a.\.\."]);
}

/// Old and changes give the new list, whatever the format of the old one.
#[test]
fn changes_lead_from_old_to_new() {
    let folder = TempDir::new().unwrap();
    let family = ["--family", "conficker-b"];
    let old_days = ["--date", "2009-03-30", "--days", "2"];
    let new_days = ["--date", "2009-03-31", "--days", "2"];
    let of = |day: &str| names("conficker-b", day).into_iter().collect::<BTreeSet<_>>();
    for format in ["plain", "csv", "rpz", "hosts"] {
        let old = folder.path().join(format);
        let old = old.to_str().unwrap();
        printed(&run(&[&family[..], &old_days, &["--format", format, "--output", old]].concat()), 0);
        let (out, _) = printed(&run(&[&family[..], &new_days, &["--diff", old]].concat()), 0);
        let part = |mark| out.lines().filter_map(|line| Some(line.strip_prefix(mark)?.to_owned())).collect::<BTreeSet<_>>();
        assert_eq!((part('+'), part('-')), (of("2009-04-01"), of("2009-03-30")), "{format}");
        let (out, _) = printed(&run(&[&family[..], &new_days, &["--diff", old, "--format", "json"]].concat()), 0);
        let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
        let of_action = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
        assert_eq!((of_action("add"), of_action("release"), rows.len()), (250, 250, 500));
        // What is no longer wanted is released too; what was not asked about is not.
        let (out, _) = printed(&run(&[&family[..], &old_days, &["--diff", old, "--tld", "ws", "--exclude", old]].concat()), 0);
        assert!(out.lines().count() > 20 && out.lines().all(|line| line.starts_with('-') && line.ends_with(".ws")), "{out}");
    }
    let old = folder.path().join("csv");
    let (out, _) = printed(&run(&[&family[..], &new_days, &["--diff", old.to_str().unwrap(), "--format", "csv"]].concat()), 0);
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(out.as_bytes()).records().map(Result::unwrap).collect();
    assert!(rows.len() == 500 && rows.iter().all(|row| row.len() == 7));
    let (_, err) = printed(&run(&["--diff", old.to_str().unwrap(), "--format", "rpz"]), 2);
    assert!(err.contains("--diff is told as plain, csv or json"), "{err}");
}

/// Names to add and to release, hostile ones of both kinds among them.
#[test]
fn changes_are_as_expected() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (old, new) = HOSTILE.split_at(HOSTILE.len() / 2);
    fs::write(path("old"), format!("{}\nnrxkiyve.org\n*.old.evil\n", old.join("\n"))).unwrap();
    fs::write(path("new"), format!("ok.evil\n{}", new.join("\n"))).unwrap();
    let list = format!("hostile={}", path("new"));
    let arguments = ["--family", "conficker-b", "--list", &list, "--date", "2009-03-31", "--tld", "evil,org,cc"];
    for format in ["plain", "csv", "json"] {
        let (out, err) = printed(&run(&[&arguments[..], &["--diff", &path("old"), "--format", format]].concat()), 0);
        assert_eq!(err, "");
        assert!(out.bytes().all(|octet| matches!(octet, b'\n' | b' '..=b'~')), "{format}: {out:?}");
        expect_file(&format!("names/diff-{format}"), out.as_bytes());
        let shown = |names: &[&str]| -> BTreeSet<String> {
            names.iter().map(|name| Name::parse(name).unwrap().to_string()).filter(|name| name != "ok.evil").collect()
        };
        let evil = |names: Vec<(String, String)>, what: &str| -> BTreeSet<String> {
            names.into_iter().filter(|(action, name)| action == what && name.ends_with("evil")).map(|(_, name)| name).collect()
        };
        let changes: Vec<(String, String)> = match format {
            "plain" => {
                out.lines().map(|line| (line[..1].replace('+', "add").replace('-', "release"), line[1..].to_owned())).collect()
            }
            "csv" => {
                let rows: Vec<csv::StringRecord> =
                    csv::Reader::from_reader(out.as_bytes()).records().map(Result::unwrap).collect();
                assert!(rows.iter().all(|row| row.len() == 7 && !row[4].starts_with(['=', '+', '-', '@'])));
                let bare = |cell: &str| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
                rows.iter().map(|row| (row[0].to_owned(), bare(&row[4]))).collect()
            }
            _ => {
                let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
                let text = |row: &Value, member: &str| row[member].as_str().unwrap().to_owned();
                rows.iter().map(|row| (text(row, "action"), text(row, "name"))).collect()
            }
        };
        assert_eq!(evil(changes.clone(), "add"), shown(new), "{format}");
        assert_eq!(evil(changes, "release"), shown(&[old, &["*.old.evil"]].concat()), "{format}");
    }
}

#[test]
fn excluded_names_are_left_out() {
    let folder = TempDir::new().unwrap();
    let keep = folder.path().join("keep");
    fs::write(&keep, "PRAAT.org\n# a comment\nnot.listed.example\n").unwrap();
    let arguments = ["--family", "conficker-b", "--date", "2009-03-31", "--exclude", keep.to_str().unwrap()];
    let (out, _) = printed(&run(&arguments), 0);
    assert!(out.lines().count() == 249 && !out.contains("praat.org"));
    let (_, err) = printed(&run(&["--exclude", "/nowhere"]), 1);
    assert!(err.starts_with("dgawatch: /nowhere cannot be read: "), "{err}");
}

/// A file is replaced once all is written, or not at all.
#[test]
fn output_is_whole() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("list");
    fs::write(&file, "old").unwrap();
    let path = file.to_str().unwrap();
    printed(&run(&["--family", "conficker-b", "--date", "2009-03-31", "--output", path]), 0);
    assert_eq!(lines(&file), names("conficker-b", "2009-03-31"));
    let (_, err) = printed(&run(&["--output", folder.path().join("no/where").to_str().unwrap()]), 1);
    assert!(err.contains("no/where: No such file"), "{err}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Windows grow with the skew; a user's list has the days that it has.
#[test]
fn windows() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list");
    fs::write(&list, "x.example,2009-03-31,2009-03-31\n").unwrap();
    let list = format!("x={}", list.display());
    let arguments = ["--family", "conficker-b", "--list", &list, "--date", "2009-03-30", "--days", "3", "--format", "csv"];
    let (out, _) = printed(&run(&[&arguments[..], &["--skew", "2"]].concat()), 0);
    assert!(out.contains("conficker-b,2009-03-31,159,praat.org,2009-03-29,2009-04-02\n"));
    let rows: Vec<&str> = out.lines().filter(|line| line.starts_with("x,")).collect();
    assert_eq!(rows, ["x,2009-03-31,0,x.example,2009-03-31,2009-03-31"]);
}

/// Lists of users in the layouts of others: the same names as in a plain list, by packet time where days are given.
#[test]
fn lists_in_other_layouts() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rpz = file(
        "rpz",
        "$TTL 1h\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\nA.example CNAME .\n*.a.example CNAME .\nok.example CNAME rpz-passthru.\nb.example CNAME *.\n",
    );
    let hosts = file("hosts", "127.0.0.1 localhost\n0.0.0.0 a.example b.example\n");
    let top = file("top", "1,a.example\n2,b.example\n");
    let lists = [rpz.clone(), format!("rpz:{rpz}"), hosts.clone(), format!("hosts:{hosts}"), format!("csv:{top}")];
    for list in lists {
        let list = format!("x={list}");
        let (out, _) = printed(&run(&["--family", "conficker-a", "--list", &list, "--tld", "example"]), 0);
        assert_eq!(out, "a.example\nb.example\n", "{list}");
    }
    let list = format!("x=hosts:{rpz}");
    let (_, err) = printed(&dgawatch(&["names", "--list", &list]), 1);
    assert!(err.contains("rpz: line 1: does not begin with an address"), "{err}");
}
