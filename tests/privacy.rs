//! With pseudonyms or prefixes no output of any kind holds an address of the capture.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use support::captures::USUAL;
use support::packets::{at, ethernet, nxdomain, query, udp};
use support::page::columns;
use support::{dgawatch, names, printed};
use tempfile::TempDir;

const KEYS: [&str; 2] = [
    "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301\n",
    "77cdab896745230177cdab8967452301ef0123456789abcdef0123456789abcd\n",
];

/// A capture, keys, patterns; clients of both versions in two networks each.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let list = names("conficker-b", "2009-03-31");
        let mut packets = vec![];
        for (place, client) in clients().iter().enumerate() {
            let resolver = at(if client.is_ipv4() { "203.0.113.53" } else { "2001:db8:53::53" }, 53);
            for step in 0..4 {
                let client = at(&client.to_string(), 4_000 + step as u16);
                for name in [&*list[40 * place + step], "checkip.dyndns.org", "www.watched.example"] {
                    packets.push((0, ethernet(&[], &udp(client, resolver, &query(1, name, 1)))));
                    packets.push((0, ethernet(&[], &udp(resolver, client, &nxdomain(1, name, 1)))));
                }
            }
        }
        for (step, packet) in packets.iter_mut().enumerate() {
            packet.0 = 1_238_493_600_000_000_000 + step as u64 * 1_000_000;
        }
        fs::write(place.path("capture"), USUAL.file(&packets)).unwrap();
        fs::write(place.path("patterns"), "*watched*\n").unwrap();
        for (number, key) in KEYS.iter().enumerate() {
            place.key(&format!("key{number}"), key.as_bytes(), 0o600);
        }
        place
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn key(&self, name: &str, octets: &[u8], mode: u32) -> String {
        fs::write(self.path(name), octets).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        self.path(name)
    }

    /// Every output that names sources, one behind the other.
    fn everything(&self, arguments: &[&str]) -> String {
        let mut all = String::new();
        for format in ["text", "json", "csv"] {
            let (capture, patterns, events) =
                (self.path("capture"), self.path("patterns"), self.path(&format!("events.{format}")));
            let page = self.path("page.html");
            let common = ["replay", "--top", "0", "--format", format, "--pattern", &patterns, &capture];
            let files = ["--events", &events, "--html", &page];
            let (output, errors) = printed(&dgawatch(&[&common, &files[..], arguments].concat()), 0);
            all.push_str(&output);
            all.push_str(&errors);
            all.push_str(&fs::read_to_string(&events).unwrap());
            // As it is, and what is packed in it.
            let page = fs::read_to_string(&page).unwrap();
            all.push_str(&columns(&page).to_string());
            all.push_str(&page);
            fs::remove_file(events).unwrap();
        }
        all
    }

    fn sources(&self, arguments: &[&str]) -> Vec<IpAddr> {
        let common = ["replay", "--format", "json"];
        let (output, _) = printed(&dgawatch(&[&common, arguments, &[&*self.path("capture")]].concat()), 0);
        let report: Value = serde_json::from_str(&output).unwrap();
        report["sources"].as_array().unwrap().iter().map(|row| row["source"].as_str().unwrap().parse().unwrap()).collect()
    }
}

fn clients() -> Vec<IpAddr> {
    let clients = ["192.0.2.71", "192.0.2.72", "198.51.100.7", "2001:db8:1:200::71", "2001:db8:1:200::72", "2001:db8:2::7"];
    clients.iter().map(|client| client.parse().unwrap()).collect()
}

#[test]
fn no_address_in_any_output() {
    let place = Place::new();
    let (key, other) = (place.path("key0"), place.path("key1"));
    let open = place.everything(&[]);
    assert!(clients().iter().all(|client| open.matches(&client.to_string()).count() >= 5), "{open}");
    let short = place.key("short", b"0123456789abcdeffedcba9876543210", 0o600);
    for arguments in [
        &["--pseudonymise", &*key][..],
        &["--pseudonymise", &other],
        &["--pseudonymise", &short],
        &["--pseudonymise", &key, "--prefix", "24,56"],
        &["--prefix", "24,56"],
    ] {
        let masked = place.everything(arguments);
        assert!(masked.len() > 5_000);
        for client in clients() {
            assert!(!masked.contains(&client.to_string()), "{arguments:?}: {client} in\n{masked}");
        }
        if arguments[0] == "--pseudonymise" {
            assert!(!["192.0.2.", "198.51.100.", "2001:db8:"].iter().any(|network| masked.contains(network)), "{masked}");
        }
        assert_eq!(place.everything(arguments), masked, "the same key gives the same pseudonyms");
    }
}

#[test]
fn what_stands_for_whom() {
    let place = Place::new();
    let (key, other) = (place.path("key0"), place.path("key1"));
    let of = |arguments: &[&str]| place.sources(arguments).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(of(&[]), clients().into_iter().collect());
    let (one, two) = (of(&["--pseudonymise", &key]), of(&["--pseudonymise", &other]));
    assert_eq!((one.len(), two.len(), one.intersection(&two).count()), (6, 6, 0));
    // Networks stay together, and versions apart.
    let networks = |sources: &BTreeSet<IpAddr>| {
        let network = |source: &IpAddr| match source {
            IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
            IpAddr::V6(v6) => v6.octets()[..7].to_vec(),
        };
        sources.iter().map(network).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((networks(&one), one.iter().filter(|source| source.is_ipv4()).count()), (4, 3));
    let expected = ["192.0.2.0", "198.51.100.0", "2001:db8:1:200::", "2001:db8:2::"].map(|network| network.parse().unwrap());
    assert_eq!(of(&["--prefix", "24,56"]), expected.into());
    assert_eq!(of(&["--prefix", "24,56", "--pseudonymise", &key]).len(), 4);
}

#[test]
fn keys_that_will_not_do() {
    let place = Place::new();
    let run = |key: &str, code| printed(&dgawatch(&["replay", "--pseudonymise", key, &place.path("capture")]), code).1;
    for (octets, why) in
        [(&b""[..], "holds 0 octets and no key"), (b"secret\n", "holds 7 octets and no key"), (&[7; 32], "two equal halves")]
    {
        let error = run(&place.key("bad", octets, 0o600), 1);
        assert!(error.starts_with("dgawatch: key ") && error.contains(why) && error.lines().count() == 1, "{error}");
    }
    assert!(run("/nowhere/key", 1).contains("key /nowhere/key cannot be opened: No such file"));
    assert!(run("/dev/zero", 1).contains("holds 4096 octets"));
    assert_eq!(run(&place.key("good", KEYS[0].as_bytes(), 0o400), 0), "");
    let warned = run(&place.key("open", KEYS[0].as_bytes(), 0o644), 0);
    assert!(warned.contains("is open to others than its owner: `chmod 600` it"), "{warned}");
    let (_, error) = printed(&dgawatch(&["replay", "--prefix", "24", &place.path("capture")]), 2);
    assert!(error.contains("as 24,56"), "{error}");
}
