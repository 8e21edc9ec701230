//! The building code: which room may know which, what each may hold, and that the documents agree with the code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in the order in which data passes through them. A room may import rooms to its left only.
const FLOW: [&str; 11] =
    ["day", "name", "process", "dga", "simulate", "source", "decode", "watchlist", "ledger", "export", "pipeline"];

/// Outside crates and the rooms that may name them.
const HOME: &[(&str, &[&str])] = &[
    ("aho_corasick", &["watchlist"]),
    ("async_nats", &["export"]),
    ("base64", &["export"]),
    ("bcrypt", &["export"]),
    ("caps", &["process"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("crc32fast", &["dga", "watchlist", "ledger", "export"]),
    ("crossbeam_channel", &["pipeline"]),
    ("csv", &["export"]),
    ("datasketches", &["ledger"]),
    ("dns_parser", &["decode"]),
    ("etherparse", &["decode"]),
    ("flate2", &["source", "export"]),
    ("hashbrown", &["simulate", "decode", "watchlist", "ledger"]),
    ("http_body_util", &["export"]),
    ("hyper", &["export"]),
    ("hyper_util", &["export"]),
    ("indicatif", &["cli"]),
    ("ipcrypt_rs", &["ledger"]),
    ("ipnetwork", &["export"]),
    ("jiff", &["day", "simulate"]),
    ("landlock", &["process"]),
    ("liblzma", &["source"]),
    ("libm", &["dga", "simulate", "ledger"]),
    ("lru", &["decode"]),
    ("lz4_flex", &["source"]),
    ("maud", &["export"]),
    ("maxminddb", &["export"]),
    ("md5", &["dga"]),
    ("memmap2", &["source", "watchlist"]),
    ("nix", &["process", "source"]),
    ("parquet", &["export"]),
    ("pcap", &["source"]),
    ("prefix_trie", &["export"]),
    ("prometheus", &["export"]),
    ("prost", &["source", "decode"]),
    ("rand_mt", &["dga"]),
    ("rand_pcg", &["simulate"]),
    ("ratatui", &["cli"]),
    ("rc4", &["dga"]),
    ("roaring", &["simulate", "ledger"]),
    ("rskafka", &["export"]),
    ("rustls", &["export"]),
    ("rustls_native_certs", &["export"]),
    ("seccompiler", &["process"]),
    ("serde", &["simulate", "export", "cli"]),
    ("serde_json", &["export", "cli"]),
    ("serde_saphyr", &["export"]),
    ("sha2", &["export"]),
    ("signal_hook", &["process"]),
    ("siphasher", &["watchlist"]),
    ("syslog_fmt", &["export"]),
    // In the tests of the others.
    ("tempfile", &["source", "export", "pipeline"]),
    ("tokio", &["export"]),
    ("tokio_rustls", &["export"]),
    ("toml", &["cli"]),
    ("uuid", &["export"]),
    ("zstd", &["source"]),
];

/// Rooms that know no clock, thread, file or terminal: the same packets give the same result, always.
const PURE: [&str; 7] = ["day", "name", "dga", "simulate", "decode", "watchlist", "ledger"];
const IMPURE: [&str; 9] =
    ["std::time", "std::thread", "std::fs", "std::env", "std::process", "Mutex", "RwLock", "print!", "println!"];

const MAX_LINES: usize = 500;

/// The files that do what the compiler cannot prove.
const UNSAFE: [&str; 2] = ["src/source/mapped.rs", "src/watchlist/fetch.rs"];

#[test]
fn rooms_import_upstream_only() {
    check(|file| {
        let Some(here) = FLOW.iter().position(|room| *room == file.room) else { return vec![] };
        let later = |to: &String| FLOW.iter().position(|room| room == to).is_none_or(|there| there > here);
        crate_paths(&file.code).into_iter().filter(later).map(|to| format!("`{}` may not import `{to}`", file.room)).collect()
    });
}

#[test]
fn outside_crates_have_one_home() {
    check(|file| {
        let strays = HOME.iter().filter(|(name, homes)| !homes.contains(&file.room.as_str()) && mentions_path(&file.code, name));
        strays.map(|(name, homes)| format!("`{name}` belongs in {homes:?}")).collect()
    });
    let known: BTreeSet<String> = HOME.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(dependencies("[dependencies]").iter().map(|name| name.replace('-', "_")).collect::<BTreeSet<_>>(), known);
}

#[test]
fn pure_rooms_stay_pure() {
    check(|file| {
        // Their tests may do what they like.
        let code = file.code.split("#[cfg(test)]").next().unwrap();
        let faults = IMPURE.iter().filter(|word| PURE.contains(&file.room.as_str()) && code.contains(**word));
        faults.map(|word| format!("`{word}` in a pure room")).collect()
    });
}

#[test]
fn files_introduce_themselves_and_stay_small() {
    check(|file| {
        let mut faults = vec![];
        if !file.text.starts_with("//! ") {
            faults.push("the first line must say what the file is for".to_owned());
        }
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("{lines} lines, more than {MAX_LINES}"));
        }
        if file.code.contains("unsafe ") && !UNSAFE.iter().any(|path| file.path.ends_with(path)) {
            faults.push(format!("only {UNSAFE:?} need unsafe"));
        }
        faults
    });
}

#[test]
fn every_dependency_is_explained() {
    let text = fs::read_to_string(root().join("docs/DEPENDENCIES.md")).unwrap();
    let explained: BTreeSet<String> = rows(&text);
    let mut used = dependencies("[dependencies]");
    used.append(&mut dependencies("[dev-dependencies]"));
    assert_eq!(used.difference(&explained).collect::<Vec<_>>(), Vec::<&String>::new(), "used, not explained");
    // Crates that were rejected are named there too, but not at the head of a row.
    assert_eq!(explained.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "explained, not used");
}

#[test]
fn every_outcome_is_documented() {
    let text = fs::read_to_string(root().join("docs/METRICS.md")).unwrap();
    let outcomes = dgawatch::decode::Outcome::ALL.iter().map(|outcome| outcome.label().to_owned());
    let given_up = dgawatch::decode::GivenUp::ALL.iter().map(|why| why.label().to_owned());
    let answers = dgawatch::ledger::AnswerKind::ALL.iter().map(|kind| kind.label().to_owned());
    let outcomes: BTreeSet<String> = outcomes.chain(given_up).chain(answers).collect();
    // Names of metrics are held against what is served, by tests/metrics.rs.
    let documented: BTreeSet<String> = rows(&text).into_iter().filter(|row| !row.starts_with("dgawatch_")).collect();
    assert_eq!(documented, outcomes);
}

/// The first cells of tables, where they are code.
fn rows(text: &str) -> BTreeSet<String> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(cell, _)| cell.to_owned()).collect()
}

/// The crates of a section of Cargo.toml.
fn dependencies(section: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
}

struct SourceFile {
    path: PathBuf,
    room: String,
    text: String,
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn check(faults_of: impl Fn(&SourceFile) -> Vec<String>) {
    let root = root().join("src");
    let mut found = vec![];
    let mut files = 0;
    visit(&root, &mut |path| {
        files += 1;
        let text = fs::read_to_string(path).unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        let room = Path::new(&first).file_stem().unwrap().to_str().unwrap().to_owned();
        let file = SourceFile { path: path.to_owned(), room, text, code };
        found.extend(faults_of(&file).into_iter().map(|fault| format!("{}: {fault}", file.path.display())));
    });
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    assert!(files > 30, "only {files} files were looked at");
}

fn visit(dir: &Path, each: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, each);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            each(&path);
        }
    }
}

/// First segments after `crate::`, braces included: `crate::{a::B, c}` gives `a` and `c`.
fn crate_paths(code: &str) -> Vec<String> {
    let mut out = vec![];
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            out.push(word(rest));
            continue;
        };
        let mut depth = 1;
        let mut item = 0;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || depth == 1 && c == ',' {
                out.push(word(list[item..at].trim_start()));
                item = at + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    out.retain(|word| !word.is_empty());
    out
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn mentions_path(code: &str, name: &str) -> bool {
    let needle = format!("{name}::");
    code.match_indices(&needle).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

#[test]
fn paths_are_found() {
    let code = "use crate::day::Day; use crate::{name::{Name, RawName}, dga,\n ledger::Hit};";
    assert_eq!(crate_paths(code), ["day", "name", "dga", "ledger"]);
    assert!(
        mentions_path("let x = csv::Writer", "csv")
            && !mentions_path("self::csv::write", "csv")
            && !mentions_path("my_csv::x", "csv")
    );
}
