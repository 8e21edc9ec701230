//! The Conficker lists against published and held reference lists, in full.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use dgawatch::day::Day;
use dgawatch::dga::Catalog;
use sha2::{Digest, Sha256};

fn list(id: &str, day: &str) -> Vec<String> {
    let mut catalog = Catalog::default();
    catalog.add(id).unwrap();
    let mut names = vec![];
    catalog.family(0).names(day.parse().unwrap(), &mut |name| names.push(name.to_string()));
    names
}

#[test]
fn reference_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        match file.split_once('-') {
            Some((variant @ ("a" | "b"), day)) => {
                let expected: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
                assert_eq!(expected.len(), 250);
                assert_eq!(list(&format!("conficker-{variant}"), day), expected, "{file}");
            }
            Some(("c", day)) => compare_digest(day, &text),
            _ => continue,
        }
        compared += 1;
    }
    assert_eq!(compared, 21);
}

/// A file of C holds the first and last 50 names and facts of the whole list: their number, how many are distinct, a SHA-256.
fn compare_digest(day: &str, text: &str) {
    let names = list("conficker-c", day);
    let fact = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
    let mut digest = Sha256::new();
    for name in &names {
        digest.update(name);
        digest.update("\n");
    }
    let digest: String = digest.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(digest, fact("# sha256 of the full list, each name followed by \\n:"), "{day}");
    assert_eq!(names.len().to_string(), fact("# count"));
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len().to_string(), fact("# unique"));
    let shown: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(shown.len() >= 50);
    assert_eq!(shown[..50], names[..50]);
}

/// Names that honest people owned, as the press told it in March 2009, each on the day that was foretold.
#[test]
fn names_in_the_press() {
    for (name, day) in
        [("jogli.com", "2009-03-08"), ("wnsux.com", "2009-03-13"), ("qhflh.com", "2009-03-18"), ("praat.org", "2009-03-31")]
    {
        assert!(list("conficker-b", day).iter().any(|listed| listed == name), "{name} {day}");
    }
    assert_eq!(list("conficker-b", "2009-03-31")[159], "praat.org");
}

/// The days on which a correctly reduced sine gives another list than the worm's.
#[test]
fn days_of_the_sine_trap() {
    let mut days = 0;
    for line in include_str!("vectors/sin-trap-days.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [variant, day, index, right, wrong] = words[..] else { panic!("what is `{line}`?") };
        let names = list(&format!("conficker-{variant}"), day);
        let name = &names[index.parse::<usize>().unwrap()];
        assert_eq!(Some(name.as_str()), right.strip_prefix("fsin="), "{line}");
        assert_ne!(Some(name.as_str()), wrong.strip_prefix("exact="), "{line}");
        days += 1;
    }
    assert!(days > 150, "{days}");
}

#[test]
fn every_day_has_all_its_names() {
    for day in [Day::EPOCH, Day::of(2009, 4, 1), Day::LAST] {
        for (id, count) in [("conficker-a", 250), ("conficker-b", 250), ("conficker-c", 50_000)] {
            assert_eq!(list(id, &day.to_string()).len(), count);
        }
    }
}
