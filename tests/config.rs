//! The file of flags: what it may say, what it is told when it is wrong, and what `check-config` makes of it.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use support::{dgawatch, printed, root};
use tempfile::TempDir;

/// Checks a file of this text. The path in messages is `FILE`.
#[track_caller]
fn check(text: &str, code: i32) -> (String, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("dgawatch.toml");
    fs::write(&file, text.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
    fs::write(folder.path().join("list.txt"), "a.example\nb.example\n").unwrap();
    fs::write(folder.path().join("watch.txt"), ".evil.example\n").unwrap();
    let file = file.to_str().unwrap();
    let (out, err) = printed(&dgawatch(&["check-config", file]), code);
    (out.replace(file, "FILE"), err.replace(file, "FILE"))
}

#[test]
fn what_would_be_done() {
    let (out, err) = check(
        r#"# A comment
interface = ["eth1", "eth2"]
family = "conficker-b"
list = ["mine=FOLDER/list.txt"]
pattern = "FOLDER/watch.txt"
skew = 0x2
no-indicators = true
max-sources = 50_000
sandbox = "require"
"#,
        0,
    );
    assert_eq!(err, "");
    let words: Vec<String> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "FILE is well-formed: `dgawatch live` would start so.",
        "interface eth1, eth2 FILE:2",
        "family conficker-b FILE:3",
        "skew 2 FILE:6",
        "no-indicators true FILE:7",
        "max-sources 50000 FILE:8",
        "top 20 by default",
        "listen on eth1, eth2",
        "hold packets against the lists of 2 days before and after their own",
        "watch 1 patterns of yours",
        "run as whoever started it, give up all capabilities, sandbox: require",
    ] {
        assert!(words.iter().any(|line| line == expected), "{expected}: {out}");
    }
    assert!(out.contains("look for conficker-b: 250 names on the list of 20"), "{out}");
    assert!(out.contains("look for mine: 2 names on the list of 20"), "{out}");
    assert!(!out.contains("conficker-a"), "{out}");
}

/// One line: which file, which line, what, and what to do.
#[test]
fn mistakes() {
    let rows = [
        ("\nintreface = \"eth1\"", "2: there is no setting `intreface`: did you mean `interface`?"),
        ("[max]\nsource = 3", "2: there is no setting `max.source`: did you mean `max-sources`?"),
        ("[quite]\nelsewhere = 3", "2: there is no setting `quite.elsewhere`: `dgawatch live --help` lists them"),
        ("skew = \"many\"", "1: invalid value 'many' for '--skew <DAYS>': invalid digit found in string"),
        ("skew = -1", "1: invalid value '-1' for '--skew <DAYS>': -1 is not in 0..=65535"),
        ("skew = 1.5", "1: invalid value '1.5' for '--skew <DAYS>': invalid digit found in string"),
        ("skew = true", "1: `skew` has a value of its own, not true or false"),
        ("skew = [1, 2]", "1: `skew` has one value, not a list"),
        ("interface = [[\"eth1\"]]", "1: `interface` holds a list in a list"),
        ("no-indicators = \"yes\"", "1: `no-indicators` is true or false"),
        ("sandbox = \"maybe\"", "1: invalid value 'maybe' for '--sandbox <SANDBOX>' [possible values: require, try, off]"),
        ("config = \"other.toml\"", "1: `config` belongs on the command line"),
        ("help = true", "1: `help` belongs on the command line"),
        ("interface = eth1", "1: this is not TOML: "),
        ("interface = \"eth1\"\n\ninterface = \"eth2\"", "3: this is not TOML: duplicate key"),
        ("skew = 1", " the following required arguments were not provided: --interface <INTERFACE>"),
        ("interface = \"eth1\"\nfamily = \"stuxnet\"", "there is no family `stuxnet`"),
    ];
    for (text, expected) in rows {
        let (out, err) = check(text, 2);
        assert_eq!(out, "");
        assert!(err.contains(expected), "{text}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    let (_, err) = check("interface = \"eth1\"\nlist = \"mine=FOLDER/none.txt\"", 1);
    assert!(err.contains("none.txt cannot be read: No such file"), "{err}");
    let (_, err) = check("interface = \"eth1\"\nuser = \"nobody-of-that-name\"", 1);
    assert!(err.contains("there is no user nobody-of-that-name"), "{err}");
    let (_, err) = printed(&dgawatch(&["check-config", "/nowhere"]), 1);
    assert!(err.starts_with("dgawatch: configuration /nowhere cannot be read: "), "{err}");
}

/// What stands on the command line goes before what the file says.
#[test]
fn the_command_line_overrules_the_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("dgawatch.toml");
    fs::write(&file, "interface = [\"nowhere1\", \"nowhere2\"]\nskew = 7\n").unwrap();
    let file = file.to_str().unwrap();
    let (_, err) = printed(&dgawatch(&["live", "--config", file]), 1);
    assert!(err.starts_with("dgawatch: interface nowhere1 cannot be listened to"), "{err}");
    let (_, err) = printed(&dgawatch(&["live", "--skew", "1", "-i", "nowhere3", "--config", file]), 1);
    assert!(err.starts_with("dgawatch: interface nowhere3 cannot be listened to"), "{err}");
    // The words that are wrong are still told by the command line.
    let (_, err) = printed(&dgawatch(&["live", "--nonsense", "--config", file]), 2);
    assert!(err.starts_with("error: unexpected argument '--nonsense'"), "{err}");
    let (help, _) = printed(&dgawatch(&["live", "--config", file, "--help"]), 0);
    assert!(help.contains("--config <FILE>"), "{help}");
}

/// The example that is installed says what is so by default, and nothing that is not known.
#[test]
fn the_example_is_well_formed() {
    let example = "deploy/dgawatch.toml";
    let (out, _) = printed(&dgawatch(&["check-config", example]), 0);
    assert!(out.contains("is well-formed"), "{out}");
    // Uncommented, every line is one that a file may have: `#key = value`, where prose has a blank behind the sign.
    let text = fs::read_to_string(root().join(example)).unwrap();
    let all: Vec<&str> =
        text.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line)).collect();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("all.toml");
    fs::write(&file, all.join("\n")).unwrap();
    let err = String::from_utf8(dgawatch(&["check-config", file.to_str().unwrap()]).stderr).unwrap();
    // The lists that the example names are not here, nor the user.
    assert!(err.contains(" cannot be read: ") || err.contains("there is no user") || err.is_empty(), "{err}");
    // Every flag is in it.
    let (help, _) = printed(&dgawatch(&["live", "--help"]), 0);
    for flag in help.lines().filter_map(|line| line.trim_start().split_once("--").filter(|(before, _)| before.len() <= 4)) {
        let key = flag.1.split([' ', ',']).next().unwrap().trim_end_matches('.');
        // In a table of its own, a key stands without the table's name.
        let mut ends = key.match_indices('.').map(|(at, _)| &key[at + 1..]).chain([key]);
        let there = ends.any(|end| all.iter().any(|line| line.starts_with(&format!("{end} = "))));
        assert!(there || ["config", "filter", "help", "seconds", "format", "top"].contains(&key), "{key} is not in {example}");
    }
}
