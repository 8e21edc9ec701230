//! docs/QUICKSTART.md, with its own configuration and names: three questions, and the alert is there.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use support::namespace::in_namespace;
use support::packets::{at, ethernet, query, udp};
use support::root;
use support::running::{Sensor, wire};

#[test]
fn three_questions_are_an_alert() {
    in_namespace("three_questions_are_an_alert", || {
        let manual = fs::read_to_string(root().join("docs/QUICKSTART.md")).unwrap();
        let block = |language: &str| {
            let (_, rest) = manual.split_once(&format!("```{language}\n")).unwrap();
            rest.split_once("```").unwrap().0.to_owned()
        };
        let (configuration, drill) = (block("toml"), block("text"));

        // The page's paths, below a folder of the test's own; the interface is the namespace's.
        let folder = tempfile::tempdir().unwrap();
        let at_home = |path: &str| folder.path().join(path);
        for directory in ["", "etc/dgawatch/lists", "var/lib/dgawatch", "var/log/dgawatch"] {
            fs::create_dir_all(at_home(directory)).unwrap();
            fs::set_permissions(at_home(directory), fs::Permissions::from_mode(0o777)).unwrap();
        }
        fs::write(at_home("etc/dgawatch/lists/drill.txt"), &drill).unwrap();
        let home = folder.path().to_str().unwrap();
        let configuration =
            configuration.replace("\"/", &format!("\"{home}/")).replace("=/", &format!("={home}/")).replace("eth1", "watched");
        let file = at_home("etc/dgawatch/dgawatch.toml");
        fs::write(&file, configuration).unwrap();

        let mut sensor = Sensor::start(&["--config", file.to_str().unwrap(), "--user", "nobody", "--format", "json"]);
        let mut wire = wire();
        for (id, name) in (1..).zip(drill.lines().take(3)) {
            let packet = udp(at("192.0.2.7", 40_000), at("192.0.2.53", 53), &query(id, name, 1));
            wire.sendpacket(ethernet(&[], &packet)).unwrap();
        }

        let infected = "dgawatch_sources{family=\"drill\",verdict=\"infected\"} 1\n";
        assert!((0..100).any(|_| get("/metrics").contains(infected) || pause()), "{}", get("/metrics"));
        assert!(get("/-/ready").starts_with("HTTP/1.1 200 "));
        assert!(get("/api/v1/explain?name=drill-1.example").contains("drill"));

        let report = sensor.stop(0);
        assert_eq!(
            (&report["sources"][0]["source"], &report["sources"][0]["verdict"]),
            (&"192.0.2.7".into(), &"infected".into())
        );
        let events = fs::read_to_string(at_home("var/log/dgawatch/events.json")).unwrap();
        let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let event = events.iter().find(|event| event["event"] == "infected").unwrap();
        assert_eq!((&event["source"], &event["source_port"]), (&"192.0.2.7".into(), &40_000.into()));
    });
}

fn get(path: &str) -> String {
    let mut stream = TcpStream::connect("127.0.0.1:9353").unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits a little; not what was waited for.
fn pause() -> bool {
    thread::sleep(Duration::from_millis(100));
    false
}
