//! The HTTP port under attack while packets come: none is lost for it, and scrapes are still answered.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::namespace::in_namespace;
use support::packets::{at, ethernet, query, udp};
use support::running::{Sensor, today, wire};

/// Clients that ask at the same time.
const CLIENTS: usize = 1_000;

/// Clients that send an octet now and then, and never finish.
const SLOW: usize = 500;

/// The longest that Prometheus waits for a scrape by default.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn capture_goes_on() {
    in_namespace("capture_goes_on", || {
        let mut sensor = Sensor::start(&["--family", "conficker-b", "--workers", "2", "--format", "json"]);
        let names = today();
        let (done, answered, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let sent = thread::scope(|scope| {
            let sender = scope.spawn(|| send(&names, &done));
            let slow = scope.spawn(|| drip(&done));
            thread::sleep(Duration::from_millis(500));
            let scrapes = scope.spawn(|| {
                let mut scrapes = 0;
                while !done.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    // One that is told to come back does so.
                    while ask() != Some(200) {
                        assert!(begun.elapsed() < SCRAPE_TIMEOUT, "no scrape is answered");
                        thread::sleep(Duration::from_millis(100));
                    }
                    scrapes += 1;
                    thread::sleep(Duration::from_millis(200));
                }
                scrapes
            });
            thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    let client = || match ask() {
                        Some(200) => answered.fetch_add(1, Ordering::Relaxed),
                        _ => refused.fetch_add(1, Ordering::Relaxed),
                    };
                    thread::Builder::new().stack_size(1 << 17).spawn_scoped(scope, client).unwrap();
                }
            });
            thread::sleep(Duration::from_secs(1));
            done.store(true, Ordering::Relaxed);
            assert!(scrapes.join().unwrap() > 2);
            slow.join().unwrap();
            sender.join().unwrap()
        });
        let (answered, refused) = (answered.into_inner(), refused.into_inner());
        assert!(answered > 0 && answered + refused == CLIENTS as u64, "{answered} answered, {refused} refused");
        let report = sensor.stop(0);
        assert_eq!((&report["packets"]["outcomes"]["dns_query"], &report["captures"][0]["error"]), (&sent.into(), &().into()));
        assert_eq!(report["sources"][0]["matches"], sent);
    });
}

/// Queries for names of today, as many as come until it is done.
fn send(names: &[String], done: &AtomicBool) -> u64 {
    let (mut wire, mut sent) = (wire(), 0);
    while !done.load(Ordering::Relaxed) {
        for number in sent..sent + 50 {
            let client = at("192.0.2.7", 1_024 + (number % 60_000) as u16);
            let question = query(1, &names[number as usize % 250], 1);
            wire.sendpacket(ethernet(&[], &udp(client, at("192.0.2.53", 53), &question))).unwrap();
        }
        sent += 50;
        thread::sleep(Duration::from_millis(5));
    }
    sent
}

/// Holds connections open with requests that never end (slowloris), and opens them again when they are closed.
fn drip(done: &AtomicBool) {
    let mut streams: Vec<Option<TcpStream>> = (0..SLOW).map(|_| None).collect();
    while !done.load(Ordering::Relaxed) {
        for stream in &mut streams {
            let alive = stream.as_mut().is_some_and(|stream| stream.write_all(b"x").is_ok());
            if !alive {
                *stream = TcpStream::connect("127.0.0.1:9353").ok();
                stream.as_mut().map(|stream| stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: "));
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Asks for metrics; returns the status, unless the connection is closed.
fn ask() -> Option<u16> {
    let mut stream = TcpStream::connect("127.0.0.1:9353").ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\n\r\n").ok()?;
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = vec![];
    stream.read_to_end(&mut answer).ok()?;
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}
