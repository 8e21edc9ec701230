//! The Debian package: made of the program as built for tests, looked at by lintian, installed, removed and purged.
//!
//! Needs cargo-deb and cargo-cyclonedx, and root for an overlay of this system, where the package is really installed and nothing
//! of it stays: `deploy/setup --tests` installs them. Says aloud what could not be run.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::Value;
use support::root;

/// Runs a program with SOURCE_DATE_EPOCH set, without a network.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // What cargo sets for tests is not what a user's shell has.
    command.env("CARGO_NET_OFFLINE", "true").env("SOURCE_DATE_EPOCH", "1238544000").env_remove("CARGO_MANIFEST_DIR");
    command.output().ok()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn warn(line: &str) {
    // Not through the test harness, which would keep it to itself.
    let _ = writeln!(stderr(), "WARNING: {line}");
}

/// Makes the package in this folder, where the tools are.
fn package(folder: &Path) -> Option<PathBuf> {
    for tool in ["deb", "cyclonedx"] {
        if !run("cargo", &[tool, "--version"]).is_some_and(|output| output.status.success()) {
            warn(&format!("cargo-{tool} is not installed, so the package was not tested: deploy/setup --tests"));
            return None;
        }
    }
    let folder = folder.to_str().unwrap();
    let output = run("deploy/package", &["--program", env!("CARGO_BIN_EXE_dgawatch"), "--output", folder]).unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let package =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.extension() == Some("deb".as_ref()));
    Some(package.unwrap())
}

/// What is done inside the overlay: `$1` is the package.
const INSIDE: &str = r#"
say() { echo "not so: $*"; exit 1; }
dpkg --install "$1" 2>&1 | grep -F 'set interface in /etc/dgawatch/dgawatch.toml'
test "$(id -nG dgawatch)" = dgawatch
test "$(getent passwd dgawatch | cut -d: -f6,7)" = /:/usr/sbin/nologin
dpkg --verify dgawatch
test "$(dpkg-query -W -f '${Conffiles}' dgawatch | grep -c /etc/)" = 2
# Neither enabled nor started.
! ls /etc/systemd/system/*.wants/dgawatch.service 2>/dev/null || say enabled
dgawatch check-config /etc/dgawatch/dgawatch.toml
dgawatch replay --format json --quiet "$2/pcaps/subscribers.pcap" | grep -Eq '"infected": ?4\b'
for page in dgawatch dgawatch-live dgawatch-replay; do test -f "/usr/share/man/man1/$page.1.gz" || say "$page"; done
bash -c '. /usr/share/bash-completion/completions/dgawatch && complete -p dgawatch'
! command -v zsh >/dev/null || zsh -n /usr/share/zsh/vendor-completions/_dgawatch
! command -v fish >/dev/null || fish --no-execute /usr/share/fish/vendor_completions.d/dgawatch.fish
! command -v systemd-analyze >/dev/null || systemd-analyze verify --man=no /usr/lib/systemd/system/dgawatch.service
! command -v logrotate >/dev/null || logrotate --debug /etc/logrotate.d/dgawatch

# As the unit would have made them.
install -d -o dgawatch -g dgawatch -m 700 /var/lib/dgawatch /var/log/dgawatch
touch /var/lib/dgawatch/state /var/log/dgawatch/events.json
echo '# mine' >> /etc/dgawatch/dgawatch.toml
echo secret > /etc/dgawatch/pseudonym.key
dpkg --force-confold --install "$1"
grep -q '# mine' /etc/dgawatch/dgawatch.toml || say 'the configuration was overwritten'

dpkg --remove dgawatch
test ! -e /usr/bin/dgawatch || say 'the program is there'
test -e /etc/dgawatch/dgawatch.toml && test -e /var/lib/dgawatch/state || say 'what is kept on removal is gone'
dpkg --purge dgawatch
test -e /etc/dgawatch/pseudonym.key || say "the operator's key is gone"
rm -r /etc/dgawatch
! getent passwd dgawatch || say 'the user is there'
! getent group dgawatch || say 'the group is there'
"#;

#[test]
fn installed_removed_and_purged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(package) = package(folder.path()) else { return };
    let package = package.to_str().unwrap();

    materials(&folder.path().join("dgawatch.cdx.json"));
    contents(package);
    notices(package, &folder.path().join("dgawatch.cdx.json"));
    match run("lintian", &["--fail-on", "error,warning", "--tag-display-limit", "0", package]) {
        Some(output) => assert!(output.status.success(), "{}", said(&output)),
        None => warn("lintian is not installed: deploy/setup --tests"),
    }

    // `$0` is a folder of the overlay's own, in memory.
    let overlay = r#"
set -eu
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root" || exit 77
mount --rbind /proc "$0/root/proc"
mount --rbind /dev "$0/root/dev"
cp "$1" "$0/root/tmp/package.deb"
chroot "$0/root" sh -eu -c "$3" sh /tmp/package.deb "$2"
echo "=== left"
cd "$0/upper"
find . -name '*dgawatch*'
grep -rl dgawatch etc || true
"#;
    let inside = tempfile::tempdir().unwrap();
    let (inside, home) = (inside.path().to_str().unwrap(), root().to_str().unwrap());
    let arguments = ["--mount", "--propagation", "private", "sh", "-c", overlay, inside, package, home, INSIDE];
    let output = run("unshare", &arguments).unwrap();
    if output.status.code() == Some(77) || said(&output).contains("unshare failed") {
        return warn(&format!("the package was made, not installed: no overlay can be mounted here: {}", said(&output)));
    }
    assert!(output.status.success(), "{}", said(&output));
    let out = String::from_utf8_lossy(&output.stdout);
    let (_, left) = out.split_once("=== left\n").unwrap();
    let left: Vec<&str> = left.lines().filter(|path| !path.starts_with("etc/") || !path.ends_with('-')).collect();
    assert_eq!(left, Vec::<&str>::new(), "{out}");
}

/// The bill of materials names every crate that is built in, and no time of its making but the commit's.
fn materials(path: &Path) {
    let bill: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["timestamp"].as_str().unwrap()[..19], *"2009-04-01T00:00:00");
    assert!(bill["serialNumber"].is_null(), "a random number");
    let components = bill["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1).take_while(|line| !line.starts_with('['));
    let used = lines.filter_map(|line| Some(line.split_once(" = ")?.0)).map(|name| if name == "md5" { "md-5" } else { name });
    assert_eq!(used.filter(|name| !names.contains(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    for component in components {
        assert!(component["version"].is_string() && component["licenses"][0].is_object(), "{component}");
    }
    assert!(!names.contains("proptest"), "tests are not built in");
}

/// Texts as the lawyers mean them: however lines are broken.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every crate that the program has code of is there with its licence, and with each text that it brings.
fn notices(package: &str, bill: &Path) {
    let extract = "dpkg-deb --fsys-tarfile \"$1\" | tar -xO ./usr/share/doc/dgawatch/THIRD-PARTY.gz | gunzip";
    let output = run("sh", &["-c", extract, "sh", package]).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (list, _) = text.split_once("\n----").unwrap();
    let list: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once(": ")).collect();

    let bill: Value = serde_json::from_slice(&fs::read(bill).unwrap()).unwrap();
    let materials: BTreeMap<String, String> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| {
            let [name, version] = [&component["name"], &component["version"]].map(|value| value.as_str().unwrap());
            (format!("{name} {version}"), component["licenses"][0]["expression"].as_str().unwrap().replace('/', " OR "))
        })
        .collect();
    let listed: BTreeMap<&str, &str> = list.iter().copied().filter(|(of, _)| materials.contains_key(*of)).collect();
    assert!(listed.len() > 150, "{list:?}");
    for (of, licence) in &listed {
        assert_eq!(words(&licence.replace('/', " OR ")), words(&materials[*of]), "{of}");
    }

    // The compiler wrote down whose code it is: …/registry/src/…/NAME-VERSION/src/….
    let output = run("grep", &["-aohE", "registry/src/[^/]+/[A-Za-z0-9_.+-]+", env!("CARGO_BIN_EXE_dgawatch")]).unwrap();
    let home = env::var_os("CARGO_HOME").map_or_else(|| Path::new(&env::var_os("HOME").unwrap()).join(".cargo"), PathBuf::from);
    let folders: BTreeSet<PathBuf> =
        String::from_utf8(output.stdout).unwrap().lines().map(|path| home.join(path)).filter(|path| path.is_dir()).collect();
    assert!(folders.len() > 50, "the program tells of {folders:?} only");
    let all = words(&text);
    let mut texts = 0;
    for folder in folders {
        let crate_of = folder.file_name().unwrap().to_str().unwrap();
        assert!(listed.keys().any(|of| of.replace(' ', "-") == crate_of), "{crate_of} is built in and not listed");
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
            if name.starts_with("license") && entry.path().is_file() {
                let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
                assert!(all.contains(&words(&text)), "{crate_of}: {name} is missing");
                texts += 1;
            }
        }
    }
    assert!(texts > 100, "{texts} texts");
}

/// Files are root's, and none may be written by others.
fn contents(package: &str) {
    let output = run("dpkg-deb", &["--contents", package]).unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    for path in [
        "./usr/bin/dgawatch",
        "./usr/lib/systemd/system/dgawatch.service",
        "./etc/dgawatch/dgawatch.toml",
        "./usr/share/man/man1/dgawatch-live.1.gz",
        "./usr/share/bash-completion/completions/dgawatch",
        "./usr/share/zsh/vendor-completions/_dgawatch",
        "./usr/share/fish/vendor_completions.d/dgawatch.fish",
        "./usr/share/doc/dgawatch/dgawatch.cdx.json",
        "./usr/share/doc/dgawatch/THIRD-PARTY",
        "./usr/share/doc/dgawatch/docs/QUICKSTART.md",
    ] {
        assert!(
            listing.lines().any(|line| line.trim_end_matches(".gz").ends_with(path.trim_end_matches(".gz"))),
            "{path}\n{listing}"
        );
    }
    for line in listing.lines() {
        assert!(line.contains(" root/root ") || line.contains(" 0/0 "), "{line}");
        assert!(line.starts_with('l') || &line[8..9] == "-", "others may write: {line}");
    }
}
