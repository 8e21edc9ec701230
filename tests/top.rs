//! `dgawatch top` in a terminal (tmux), asking a sensor: what it shows, what keys do, and that the terminal is given back.
//! Needs tmux; says aloud when it cannot run. Screens are left in target/screenshots.

#![cfg(feature = "top")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dgawatch::export::http::Config;
use dgawatch::export::http::client::Client;
use support::busy::{busy, evidence};
use support::terminal::Terminal;
use support::web::{Running, Sensor, rows};
use support::{dgawatch, printed};

fn sensor() -> Sensor {
    Sensor { snapshot: Mutex::new(Arc::new(busy())), rows: evidence(), ..Sensor::default() }
}

/// Shows what a sensor knows.
fn start(terminal: &Terminal, server: &Running) {
    let program = env!("CARGO_BIN_EXE_dgawatch");
    terminal.start(&format!("{program} top {} --interval 1", server.address), "infected now");
}

#[test]
fn looked_at() {
    let Some(terminal) = Terminal::open("looked-at", 80, 24) else { return };
    let server = Running::start(Config::default(), sensor());
    start(&terminal, &server);
    let screen = terminal.until("192.0.2.20");
    for holds in ["listening on span0", "12 infected now   15 today   17 in all   6 suspect", "2,482 packets/s", "conficker-b"] {
        assert!(screen.contains(holds), "{holds}\n{screen}");
    }
    terminal.picture("top");

    // Another order, the other way round.
    terminal.press(&["s", "s", "s", "s"]);
    terminal.until("by source");
    terminal.press(&["r"]);
    let screen = terminal.until("by source, reversed");
    let at = |text| screen.find(text).unwrap_or_else(|| panic!("{text}\n{screen}"));
    assert!(at("2001:db8:7:12::b") < at("192.0.2.42") && at("192.0.2.42") < at("192.0.2.41"), "{screen}");
    terminal.press(&["s", "r"]);
    terminal.until("by evidence ");

    // To the names of the first source and back.
    terminal.press(&["End", "Home", "Enter"]);
    let screen = terminal.until("xwq0ab.example");
    assert!(screen.contains("Evidence on 192.0.2.20") && screen.contains("conficker-b, list of 2009-04-01"), "{screen}");
    terminal.picture("top-names");
    terminal.press(&["Escape"]);
    terminal.until("Verdict");

    terminal.press(&["2"]);
    assert!(terminal.until("48,530").contains("conficker-c"));
    terminal.press(&["Tab"]);
    assert!(terminal.until("packets for which the ring had no room").contains("1,204"));
    terminal.picture("top-health");
    terminal.press(&["?"]);
    terminal.until("names that a source asked for");
    terminal.picture("top-help");
    terminal.press(&["x", "1"]);

    // Small, and large enough for everything.
    for (columns, lines) in [(40, 10), (20, 5), (2, 2)] {
        terminal.resize(columns, lines);
        thread::sleep(Duration::from_millis(300));
        if columns == 40 {
            terminal.until("192.0.2.20");
        }
    }
    terminal.resize(160, 50);
    let screen = terminal.wait("all panes", |screen| screen.contains("packets its driver dropped") && screen.contains("48,530"));
    assert!(screen.contains("192.0.2.20"), "{screen}");
    terminal.picture("top-large");
    terminal.press(&["q"]);
    terminal.given_back(0);
}

/// More than the overview's sources: a page at a time, to the last.
#[test]
fn all_evidence() {
    let Some(terminal) = Terminal::open("all-evidence", 100, 30) else { return };
    let server = Running::start(Config::default(), Sensor { rows: rows(250, "conficker-b"), ..sensor() });
    start(&terminal, &server);
    terminal.until("192.0.2.20");
    terminal.press(&["a"]);
    let screen = terminal.until("1 to 100 of 250, the weightiest first");
    assert!(screen.contains("192.0.2.0 ") && screen.contains("2009-03-31"), "{screen}");
    terminal.picture("top-all");
    terminal.press(&["n"]);
    assert!(terminal.until("101 to 200 of 250").contains("192.0.2.100 "));
    terminal.press(&["End"]);
    terminal.wait("the last row", |screen| screen.contains("201 to 250 of 250") && screen.contains("192.0.2.249 "));
    terminal.press(&["Enter"]);
    assert!(terminal.until("name249.example").contains("Evidence on 192.0.2.249"));
    terminal.press(&["Escape"]);
    terminal.until("201 to 250 of 250");
    terminal.press(&["a"]);
    terminal.until("Sources: 23, by evidence");
    terminal.press(&["q"]);
    terminal.given_back(0);
}

#[test]
fn the_sensor_goes_and_comes_back() {
    let Some(terminal) = Terminal::open("comes-back", 80, 24) else { return };
    let server = Running::start(Config::default(), sensor());
    start(&terminal, &server);
    terminal.until("192.0.2.20");
    let address = server.address.to_string();
    drop(server);
    // What is known stays, with its age.
    let screen = terminal.until("What you see is");
    assert!(screen.contains("12 infected now") && screen.contains("192.0.2.20"), "{screen}");
    terminal.wait("it grows old", |screen| !screen.contains("What you see is 0 s") && !screen.contains("What you see is 1 s"));
    terminal.picture("top-gone");
    let mut later = busy();
    later.overview.infected_now = 13;
    let _server = Running::start_at(&address, Config::default(), Sensor { snapshot: Mutex::new(Arc::new(later)), ..sensor() });
    let screen = terminal.until("13 infected now");
    assert!(!screen.contains("What you see is"), "{screen}");
    terminal.press(&["C-c"]);
    terminal.given_back(0);
}

#[test]
fn told_to_end() {
    let Some(terminal) = Terminal::open("told-to-end", 80, 24) else { return };
    let server = Running::start(Config::default(), sensor());
    start(&terminal, &server);
    let shell = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]);
    let children = printed(&Command::new("pgrep").args(["-P", shell.trim()]).output().unwrap(), 0).0;
    assert_eq!(children.lines().count(), 1, "{children}");
    assert!(Command::new("kill").arg(children.trim()).status().unwrap().success());
    terminal.given_back(0);
}

/// Even where nobody sends it the signal that says so.
#[test]
fn the_terminal_goes() {
    let Some(terminal) = Terminal::open("terminal-goes", 80, 24) else { return };
    let server = Running::start(Config::default(), sensor());
    terminal.line("trap '' HUP");
    start(&terminal, &server);
    let shell = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]);
    let child = printed(&Command::new("pgrep").args(["-P", shell.trim()]).output().unwrap(), 0).0;
    drop(terminal);
    let until = Instant::now() + Duration::from_secs(30);
    while Path::new("/proc").join(child.trim()).exists() {
        assert!(Instant::now() < until, "it lives on");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn strangers_command_no_terminal() {
    const EVIL: &str = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\r\n\u{202e}x";
    let Some(terminal) = Terminal::open("strangers", 120, 50) else { return };
    let mut hostile = busy();
    hostile.interfaces[0].name = EVIL.to_owned();
    hostile.families[0].family = EVIL.to_owned();
    hostile.version = EVIL.to_owned();
    hostile.overview.top[0].families = vec![EVIL.to_owned()];
    let mut row = evidence().remove(0);
    row.family = EVIL.to_owned();
    row.names = vec![EVIL.to_owned(); 3];
    let server = Running::start(
        Config::default(),
        Sensor { snapshot: Mutex::new(Arc::new(hostile)), rows: vec![row], ..Sensor::default() },
    );
    start(&terminal, &server);
    let escaped = "\\u{1b}]0;pwned\\u{7}\\u{1b}[2J\\u{9b}31m\\r\\n\\u{202e}x";
    let screen = terminal.until(&format!("listening on {escaped}"));
    assert!(!screen.contains('\u{202e}'), "{screen}");
    terminal.press(&["Enter"]);
    terminal.until(&format!("  {escaped}"));
    assert!(!terminal.tmux(&["display-message", "-p", "#{pane_title}"]).contains("pwned"));
    terminal.press(&["q"]);
    terminal.given_back(0);
}

#[test]
fn what_cannot_be_shown_is_said() {
    let server = Running::start(Config::default(), sensor());
    let address = server.address.to_string();
    let fails = |arguments: &[&str], tells: &str| {
        let (out, err) = printed(&dgawatch(&[&["top"], arguments].concat()), 1);
        assert!(out.is_empty() && err.starts_with("dgawatch: ") && err.contains(tells) && err.lines().count() == 1, "{err}");
    };
    fails(&[&address], "input and output are no terminal; scripts ask http://127.0.0.1:");
    fails(&["ftp://sensor"], "neither http nor https");
    fails(&["--http.config.file", "none.yml"], "none.yml: cannot be read");

    let look = |url: &str| Client::new(url, None).unwrap().look().unwrap_err();
    drop(server);
    assert!(look(&address).contains("does not answer: "), "{}", look(&address));
    for (answer, tells) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not as dgawatch does"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "not as dgawatch does"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "It said 404"),
        ("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", "It said 302"),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "wants a user and a password: see --http.config.file"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "not as dgawatch does"),
        ("", "breaks off"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stranger = thread::spawn(move || {
            // As often as it is asked on this connection.
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            while stream.read(&mut asked).unwrap_or(0) > 0 && stream.write_all(answer.as_bytes()).is_ok() {
                if !answer.starts_with("HTTP") {
                    break;
                }
            }
        });
        let why = look(&url);
        assert!(why.contains(tells) && why.contains(&url), "{answer:?}: {why}");
        stranger.join().unwrap();
    }
    // One that never stops is cut off.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stranger = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let zeros = vec![b'0'; 1 << 16];
        while stream.write_all(&zeros).is_ok() {}
    });
    assert!(look(&url).contains("breaks off"));
    stranger.join().unwrap();
}
