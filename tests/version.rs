//! What the build says of itself: the commit from git, nothing from an archive of the source.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "the build runs `main`")]
#[path = "../build.rs"]
mod build;

use std::fs;
use std::path::Path;
use std::process::Command;

fn git(root: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    let output = Command::new("git").args(who).args(arguments).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Features that are there for others alone.
const OF_NO_USE_ALONE: [&str; 1] = ["stream"];

#[test]
fn all_features_are_told() {
    let manifest: toml::Table =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap().parse().unwrap();
    let known: Vec<&str> = build::FEATURES.into_iter().chain(OF_NO_USE_ALONE).chain(["default"]).collect();
    let features = manifest["features"].as_table().unwrap();
    assert!(features.keys().all(|feature| known.contains(&feature.as_str())), "{features:?}");
}

#[test]
fn the_commit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert_eq!(build::commit(root), None);

    git(root, &["init", "--quiet"]);
    assert_eq!(build::commit(root), None, "nothing is committed");
    fs::create_dir(root.join("src")).unwrap();
    fs::write(root.join("src/main.rs"), "fn main() {}").unwrap();
    git(root, &["add", "."]);
    git(root, &["commit", "--quiet", "--message", "First"]);
    let commit = git(root, &["rev-parse", "HEAD"])[..12].to_owned();
    assert_eq!(build::commit(root), Some(commit.clone()));

    // What the program is not made of changes nothing.
    fs::write(root.join("notes"), "").unwrap();
    assert_eq!(build::commit(root), Some(commit.clone()));
    fs::write(root.join("src/main.rs"), "fn main() { panic!() }").unwrap();
    assert_eq!(build::commit(root), Some(format!("{commit}+")));

    // An archive of the source that was unpacked in somebody's repository.
    let archive = root.join("archive");
    fs::create_dir(&archive).unwrap();
    assert_eq!(build::commit(&archive), None);
}

#[test]
fn the_line_is_one() {
    let line = |revision, features: &[&'static str]| build::describe("1.2.3", revision, features.iter().copied());
    assert_eq!(line(None, &["http", "live"]), "1.2.3");
    assert_eq!(line(Some("0123456789ab"), &["http", "live"]), "1.2.3 (0123456789ab, http, live)");
    assert_eq!(line(Some("0123456789ab+"), &[]), "1.2.3 (0123456789ab+)");
}
