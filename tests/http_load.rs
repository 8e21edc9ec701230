//! The HTTP server under many clients. A process of its own: the descriptors are all needed.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;

use dgawatch::export::http::Config;
use support::sensor::snapshot;
use support::web::{Running, Sensor};

fn sensor() -> Sensor {
    Sensor { snapshot: Mutex::new(Arc::new(snapshot())), ..Sensor::default() }
}

#[test]
fn a_thousand_idle_connections_keep_no_scrape_out() {
    // Both ends are in this process, and descriptors are few in places.
    let server = Running::start(Config { max_connections: 100, ..Config::default() }, sensor());
    let mut idle = vec![];
    for n in 0..1_000 {
        let Ok(mut stream) = TcpStream::connect(server.address) else { break };
        // Some say nothing, some begin to.
        if n % 2 == 0 {
            let _ = stream.write_all(b"GET /metrics HT");
        }
        if n % 50 == 0 {
            assert_eq!(server.get("/metrics").status, 200, "with {n} idle connections");
        }
        idle.push(stream);
    }
    assert!(idle.len() >= 800, "only {} connections could be made", idle.len());
    for _ in 0..20 {
        assert_eq!(server.get("/metrics").status, 200);
    }
}

#[test]
fn many_at_once() {
    let server = Running::start(Config { max_requests: 1_000, ..Config::default() }, sensor());
    let answered: usize = thread::scope(|scope| {
        let client = || (0..25).filter(|_| server.get("/metrics").status == 200).count();
        let clients: Vec<_> = (0..40).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(answered, 1_000);
}
