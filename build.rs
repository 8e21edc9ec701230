//! What `dgawatch --version` says: the version, and for a release built from git the commit and the features.
//!
//! `DGAWATCH_REVISION` in the environment says which commit it is where git cannot; an archive of the source says nothing, and
//! the version stands alone. No clock is read, so that the same source gives the same program. Debug builds do not ask git:
//! each commit would build them anew.

use std::env;
use std::path::Path;
use std::process::Command;

/// What the program is made of; another commit with the same of these is the same program.
const SOURCE: [&str; 4] = ["src", "build.rs", "Cargo.toml", "Cargo.lock"];

/// What a build may do without, and who uses it may miss.
pub(crate) const FEATURES: [&str; 6] = ["http", "live", "top", "parquet", "nats", "kafka"];

fn main() {
    println!("cargo::rerun-if-env-changed=DGAWATCH_REVISION");
    println!("cargo::rerun-if-changed=build.rs");
    let told = env::var("DGAWATCH_REVISION").ok().filter(|told| !told.is_empty());
    let mut revision = told;
    if revision.is_none() && env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        SOURCE.iter().for_each(|path| println!("cargo::rerun-if-changed={path}"));
        let root = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
        for file in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(Path::new(&root), &["rev-parse", "--git-path", file]) {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        revision = commit(Path::new(&root));
    }
    let version = env::var("CARGO_PKG_VERSION").expect("cargo says which version it is");
    let features = FEATURES.into_iter().filter(|name| {
        println!("cargo::rerun-if-env-changed=CARGO_FEATURE_{}", name.to_uppercase());
        env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_some()
    });
    println!("cargo::rustc-env=DGAWATCH_VERSION={}", describe(&version, revision.as_deref(), features));
    if let Some(revision) = revision {
        println!("cargo::rustc-env=DGAWATCH_REVISION={revision}");
    }
}

/// `0.1.0`, or `0.1.0 (0123456789ab, http, live)`.
pub(crate) fn describe<'a>(version: &str, revision: Option<&'a str>, features: impl Iterator<Item = &'a str>) -> String {
    let Some(revision) = revision else { return version.to_owned() };
    let parts: Vec<&str> = std::iter::once(revision).chain(features).collect();
    format!("{version} ({})", parts.join(", "))
}

/// The commit that is checked out in `root`, with `+` where the program's source differs from it. None where `root` is not
/// itself a checkout: a source archive may be unpacked inside another repository.
pub(crate) fn commit(root: &Path) -> Option<String> {
    if !root.join(".git").exists() {
        return None;
    }
    let mut commit = git(root, &["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(root, &[&["status", "--porcelain", "--"][..], &SOURCE].concat())?;
    if !changed.is_empty() {
        commit.push('+');
    }
    Some(commit)
}

/// What git answers, if it does.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
