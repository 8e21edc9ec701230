//! The manuals, held against the program: commands run, flags exist, links lead somewhere, promises have their tests.
//!
//! Every block of `sh` in README.md and docs/ runs as it stands, in a folder with what a reader is taken to have; blocks of one
//! document run one after the other. A block of `console` runs too, and prints what the document says it does (a line `…` stands
//! for any). What cannot run here says so in a line before it: `<!-- needs: root and a span port -->`.

// The manuals are of the whole program.
#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::{dgawatch, printed, root};

/// Documents whose commands are run.
fn manuals() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    paths.push(root().join("README.md"));
    paths.sort();
    assert!(paths.len() > 10, "{paths:?}");
    paths
}

/// Documents whose links are followed.
fn documents() -> Vec<PathBuf> {
    let others = ["CHANGELOG.md", "benches/README.md", "deploy/spark/README.md", "fuzz/README.md", "pcaps/README.md"];
    manuals().into_iter().chain(others.map(|path| root().join(path))).collect()
}

/// A fenced block.
struct Block {
    line: usize,
    language: String,
    text: String,
    /// What it needs that is not here.
    needs: Option<String>,
}

fn blocks(path: &Path) -> Vec<Block> {
    let text = fs::read_to_string(path).unwrap();
    let mut found = vec![];
    let mut needs = None;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            let text = body.join("\n") + "\n";
            found.push(Block { line: number + 1, language: language.to_owned(), text, needs: needs.take() });
        } else if !line.is_empty() {
            needs = line.strip_prefix("<!-- needs: ").and_then(|rest| rest.strip_suffix(" -->")).map(str::to_owned);
        }
    }
    found
}

#[test]
fn blocks_say_what_they_are() {
    for path in manuals() {
        for Block { line, language, needs, .. } in blocks(&path) {
            let place = format!("{}:{line}", path.display());
            assert!(
                ["sh", "console", "text", "toml", "yaml", "json", "python", "sql"].contains(&&*language),
                "{place}: a block of `{language}`"
            );
            assert!(needs.is_none() || language == "sh", "{place}: nothing runs a block of `{language}`");
        }
    }
}

#[test]
fn commands_run() {
    let mut ran = 0;
    for path in manuals() {
        let desk = Desk::new();
        for Block { line, language, text, needs } in blocks(&path) {
            let place = format!("{}:{line}", path.display());
            match &*language {
                "sh" if needs.is_none() => {
                    let output = desk.run(&text);
                    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                    assert!(output.status.success(), "{place}: {:?}\n{text}\n{out}\n{err}", output.status);
                    ran += 1;
                }
                "console" => {
                    desk.compare(&text, &place);
                    ran += 1;
                }
                _ => {}
            }
        }
    }
    assert!(ran > 10, "only {ran} blocks ran");
}

/// Where a reader sits: the program on the path, the repository's samples, and files that every site has.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["bin", "target/release", "captures", "last-week", "this-week", "out"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in ["bin/dgawatch", "target/release/dgawatch"] {
            symlink(env!("CARGO_BIN_EXE_dgawatch"), at(path)).unwrap();
        }
        for path in ["pcaps", "examples", "deploy", "docs", "benches", "tests"] {
            symlink(root().join(path), at(path)).unwrap();
        }
        for path in ["capture.pcap", "captures/a.pcap", "last-week/a.pcap"] {
            fs::copy(root().join("pcaps/subscribers.pcap"), at(path)).unwrap();
        }
        fs::copy(root().join("pcaps/carried.pcap"), at("this-week/b.pcap")).unwrap();
        for (path, text) in [
            ("watch.txt", ".example,ours\n"),
            ("names.txt", "one.example\ntwo.example,2009-03-30,2009-04-02\n"),
            ("networks.csv", "192.0.2.0/24,cable north\n192.0.2.32/27,cable north: business\n"),
            ("top.csv", "1,example.com\n2,praat.org\n"),
            ("top-1m.csv", "1,example.com\n2,praat.org\n"),
            ("org.zone", "praat.org. 3600 IN NS ns.example.\n"),
        ] {
            fs::write(at(path), text).unwrap();
        }
        Self(folder)
    }

    fn run(&self, commands: &str) -> Output {
        let path = format!("{}:{}", self.0.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("timeout");
        shell.args(["300", "bash", "-euo", "pipefail", "-c", commands]).current_dir(self.0.path()).stdin(Stdio::null());
        shell.env("PATH", path).env("LC_ALL", "C.UTF-8").output().unwrap()
    }

    /// Runs the commands of a console, and compares what it shows.
    fn compare(&self, console: &str, place: &str) {
        let mut rest = console.strip_prefix("$ ").unwrap_or_else(|| panic!("{place}: a console begins with `$ `"));
        loop {
            let (step, next) = rest.split_once("\n$ ").map_or((rest, None), |(step, next)| (step, Some(next)));
            let (command, shown) = step.split_once('\n').unwrap_or((step, ""));
            let (out, _) = printed(&self.run(command), 0);
            let (mut said, mut skip) = (out.lines(), false);
            for line in shown.lines() {
                match line {
                    "…" => skip = true,
                    _ if skip => {
                        assert!(
                            said.any(|said| said == line),
                            "{place}: `{command}` does not say `{line}`, or not there:\n{out}"
                        );
                        skip = false;
                    }
                    _ => assert_eq!(said.next(), Some(line), "{place}: `{command}` says:\n{out}"),
                }
            }
            assert!(skip || said.next().is_none(), "{place}: `{command}` says more:\n{out}");
            let Some(next) = next else { return };
            rest = next;
        }
    }
}

/// Flags of other programs that stand alone in a sentence.
const NOT_OURS: [&str; 3] = ["--locked", "--no-default-features", "--read-only"];

#[test]
fn flags_exist() {
    let (help, _) = printed(&dgawatch(&["--help"]), 0);
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .filter(|command| *command != "help");
    let flags: BTreeMap<&str, BTreeSet<String>> = commands.map(|command| (command, flags_of(command))).collect();
    assert!(flags["replay"].contains("--max-ratio") && flags["live"].contains("--web.listen-address"), "{flags:?}");
    let all: BTreeSet<&String> = flags.values().flatten().collect();
    let mut faults = vec![];
    for path in manuals() {
        for (line, code) in code_of(&path) {
            let mut fault = |what: String| faults.push(format!("{}:{line}: {what}: {code}", path.display()));
            let mut words = code.split([' ', '(', ')']).filter(|word| !word.is_empty()).peekable();
            if words.peek().is_some_and(|word| word.starts_with("--")) {
                let flag = flag_in(words.next().unwrap());
                if !all.contains(&flag) && !NOT_OURS.contains(&&*flag) {
                    fault(format!("no command has {flag}"));
                }
                continue;
            }
            while let Some(word) = words.next() {
                let program = word.rsplit('/').next().unwrap() == "dgawatch";
                let command = words.next_if(|next| program && next.starts_with(|c: char| c.is_ascii_lowercase()));
                let Some(command) = command else { continue };
                let Some(known) = flags.get(command) else {
                    if command.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                        fault(format!("there is no command {command}"));
                    }
                    continue;
                };
                while let Some(word) = words.next_if(|word| !["|", "&&", "||", ";", "&"].contains(word)) {
                    let flag = flag_in(word);
                    if word.starts_with("--") && word.len() > 2 && !known.contains(&flag) {
                        fault(format!("{command} has no {flag}"));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The flags that the help of a command lists.
fn flags_of(command: &str) -> BTreeSet<String> {
    let (help, _) = printed(&dgawatch(&[command, "--help"]), 0);
    let words = help.lines().filter_map(|line| line.split_whitespace().find(|word| !word.ends_with(',')));
    words.filter(|word| word.starts_with("--")).map(flag_in).chain(["--help".to_owned()]).collect()
}

/// `--sandbox` of `--sandbox=off`.
fn flag_in(word: &str) -> String {
    word.chars().take_while(|c| c.is_ascii_alphanumeric() || ['-', '.'].contains(c)).collect::<String>()
}

/// What stands in a document as code: commands of blocks, with continued lines put together, and spans in sentences.
fn code_of(path: &Path) -> Vec<(usize, String)> {
    let mut code = vec![];
    for block in blocks(path) {
        let continued = block.text.replace("\\\n", " ");
        let lines = continued.lines().map(|line| line.split(" # ").next().unwrap());
        match &*block.language {
            "sh" => code.extend(lines.map(|line| (block.line, line.to_owned()))),
            "console" => code.extend(lines.filter_map(|line| Some((block.line, line.strip_prefix("$ ")?.to_owned())))),
            _ => {}
        }
    }
    let text = fs::read_to_string(path).unwrap();
    let mut inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        inside ^= line.trim_start().starts_with("```");
        if !inside {
            code.extend(line.split('`').skip(1).step_by(2).map(|span| (number, span.to_owned())));
        }
    }
    code
}

#[test]
fn links_lead_somewhere() {
    let mut followed = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let link = rest.split(')').next().unwrap();
            if link.starts_with("https://") || link.contains(char::is_whitespace) {
                continue;
            }
            followed += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", path.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let found = text.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(found, "{}: {link}: there is no such heading", path.display());
            }
        }
    }
    assert!(followed > 50, "only {followed} links");
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Every document is in the index.
#[test]
fn the_index_is_whole() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    for path in manuals() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "docs/README.md does not name {name}");
    }
}

/// Each row of docs/SPECIFICATION.md ends with what holds it: `file` or `file::test`, all there.
#[test]
fn promises_are_held() {
    let text = fs::read_to_string(root().join("docs/SPECIFICATION.md")).unwrap();
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| promise"))
    {
        rows += 1;
        let last = line.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        let holders: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!holders.is_empty(), "nothing holds this: {line}");
        for holder in holders {
            let (file, test) = holder.split_once("::").unwrap_or((holder, ""));
            let held = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}: {line}"));
            assert!(test.is_empty() || held.contains(&format!("fn {test}(")), "{file} has no {test}: {line}");
        }
    }
    assert!(rows > 20, "only {rows} promises");
}
