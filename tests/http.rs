//! The HTTP server as its clients meet it: Prometheus, people, scripts, and whoever means harm.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dgawatch::export::Snapshot;
use dgawatch::export::http::{Config, Server, Timeouts};
use dgawatch::export::snapshot::{FamilyCounts, SourceSeries};
use support::sensor::snapshot;
use support::web::{Running, Sensor, ask, rows, try_ask};

fn sensor() -> Sensor {
    Sensor { snapshot: Mutex::new(Arc::new(snapshot())), rows: rows(250, "conficker-b"), ..Sensor::default() }
}

fn running() -> Running {
    Running::start(Config::default(), sensor())
}

#[test]
fn every_path() {
    let server = running();
    for (path, kind, holds) in [
        ("/", "text/html; charset=utf-8", "<a href=\"/metrics\">"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "dgawatch_packets_total{interface=\"span0\"} 120\n"),
        ("/-/healthy", "text/plain; charset=utf-8", "healthy\n"),
        ("/-/ready", "text/plain; charset=utf-8", "ready\n"),
        ("/api/v1/summary", "application/json", "\"version\":\"1.2.3\""),
        (
            "/api/v1/overview",
            "application/json",
            "{\"stage\":\"Kernel\",\"what\":\"packets for which the ring had no room\",\"count\":2,\"of\":123}",
        ),
        ("/api/v1/families", "application/json", "\"family\":\"conficker-b\""),
        ("/api/v1/rendezvous", "application/json", "\"addresses\":[\"198.51.100.66\"],\"ttl\":60"),
        ("/", "text/html; charset=utf-8", "2 generated names lead to no known sinkhole; 1 infected source was told so."),
        ("/api/v1/sources", "application/json", "\"source\":\"192.0.2.0\""),
        ("/api/v1/sources?source=192.0.2.8", "application/json", "\"names\":[\"name8.example\"]}]"),
        ("/api/v1/explain?name=praat.org", "application/json", "{\"name\":\"praat.org\",\"lists\":[],\"owner\":\"Praat"),
        ("/?q=192.0.2.8", "text/html; charset=utf-8", "name8.example"),
        ("/page/style.css", "text/css; charset=utf-8", "prefers-color-scheme"),
        ("/page/live.js", "text/javascript; charset=utf-8", "use strict"),
        ("/page/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert!(answer.text().contains(holds), "{path}: {}", answer.text());
        for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("x-frame-options", "DENY")] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));

        let head = server.ask("HEAD", path, &[]);
        assert_eq!((head.status, head.header("content-length")), (200, answer.header("content-length")), "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let refused = server.ask(method, path, &[]);
            assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    for path in ["", "?", "?name", "?name=a..b", "?name=%zz", "?x=a.example"] {
        assert_eq!(server.get(&format!("/api/v1/explain{path}")).status, 400, "{path}");
    }
    for path in ["/metrics/", "/nothing", "//", "/-/", "/api/v1", "/API/v1/summary", "/%2e%2e/etc/passwd", "/../../etc/passwd"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

#[test]
fn another_path_for_metrics() {
    let server = Running::start(Config { telemetry_path: "/x/scrape".to_owned(), ..Config::default() }, sensor());
    assert_eq!((server.get("/x/scrape").status, server.get("/metrics").status), (200, 404));
    assert!(server.get("/").text().contains("<a href=\"/x/scrape\">"));
    let refused = Server::bind(Config { telemetry_path: "/-/ready".to_owned(), ..Config::default() }).err().unwrap();
    assert!(refused.contains("/-/ready"), "{refused}");
}

#[test]
fn an_address_that_is_taken() {
    let server = running();
    let config = Config { listen: vec![server.address.to_string()], ..Config::default() };
    let refused = Server::bind(config).err().unwrap();
    assert!(refused.contains(&server.address.to_string()) && refused.contains("--web.listen-address"), "{refused}");
    for wrong in ["", "x", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999"] {
        assert!(Server::bind(Config { listen: vec![wrong.to_owned()], ..Config::default() }).is_err(), "{wrong}");
    }
    let two = Config { listen: vec!["127.0.0.1:0".to_owned(), "127.0.0.2:0".to_owned()], ..Config::default() };
    assert_eq!(Server::bind(two).unwrap().addresses().len(), 2);
    let any = Server::bind(Config { listen: vec![":0".to_owned()], ..Config::default() }).unwrap().addresses();
    assert!(any.len() == 1 && any[0].ip().is_unspecified(), "{any:?}");
}

#[test]
fn ready_and_why_not() {
    let server = running();
    *server.sensor.not_ready.lock().unwrap() = Some("today's lists are not built yet".to_owned());
    let answer = server.get("/-/ready");
    assert_eq!((answer.status, answer.text()), (503, "not ready: today's lists are not built yet\n"));
    assert_eq!(server.get("/-/healthy").status, 200);
    let summary = server.get("/api/v1/summary").json();
    assert_eq!((&summary["ready"], &summary["not_ready"]), (&false.into(), &"today's lists are not built yet".into()));
}

#[test]
fn reloading() {
    let server = running();
    let refused = server.get("/-/reload");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
    assert_eq!(server.ask("HEAD", "/-/reload", &[]).status, 405);
    // A web page that somebody on this machine looks at.
    assert_eq!(server.ask("POST", "/-/reload", &[("Origin", "https://elsewhere.example")]).status, 403);
    assert_eq!(server.ask("POST", "/-/reload", &[("Origin", "null")]).status, 403);
    assert_eq!(server.sensor.reloads.load(Ordering::SeqCst), 0);
    let done = server.ask("POST", "/-/reload", &[]);
    assert_eq!((done.status, done.text()), (200, "3 lists\n"));
    assert_eq!(server.ask("POST", "/-/reload", &[("Origin", "http://sensor")]).status, 200);
    server.sensor.reload_fails.store(true, Ordering::SeqCst);
    let failed = server.ask("POST", "/-/reload", &[]);
    assert_eq!((failed.status, failed.text()), (500, "all stays as it was: the list is bad\n"));
    assert_eq!(server.sensor.reloads.load(Ordering::SeqCst), 3);
}

#[test]
fn pages_of_sources() {
    let server = running();
    let mut seen = vec![];
    let mut offset = 0;
    loop {
        let page = server.get(&format!("/api/v1/sources?limit=70&offset={offset}")).json();
        assert_eq!((&page["total"], &page["limit"]), (&250.into(), &70.into()));
        seen.extend(page["sources"].as_array().unwrap().iter().map(|row| row["source"].as_str().unwrap().to_owned()));
        match page["next_offset"].as_u64() {
            Some(next) => offset = next,
            None => break,
        }
    }
    assert_eq!(seen, (0..250).map(|n| format!("192.0.2.{n}")).collect::<Vec<_>>());

    let infected = server.get("/api/v1/sources?family=conficker-b&verdict=infected&limit=1").json();
    assert_eq!(infected["total"], 84);
    let expected = serde_json::json!({
        "source": "192.0.2.0", "family": "conficker-b", "list_day": "2009-03-31", "matches": 0, "responses": 0,
        "distinct_names": 0, "first_seen": "2009-03-31T10:00:00.000000Z", "last_seen": "2009-03-31T10:00:00.000000Z",
        "verdict": "infected",
    });
    assert_eq!(infected["sources"], serde_json::json!([expected]));

    assert_eq!(server.get("/api/v1/sources?family=nobody").json()["total"], 0);
    let beyond = server.get("/api/v1/sources?offset=18446744073709551615").json();
    assert_eq!((beyond["sources"].as_array().unwrap().len(), beyond["next_offset"].as_u64()), (0, None));
    for wrong in
        ["limit=0", "limit=1001", "limit=-1", "offset=x", "verdict=dead", "order=up", "family=%ff", "limit=1&limit=2", "a=b"]
    {
        let refused = server.get(&format!("/api/v1/sources?{wrong}"));
        assert_eq!(refused.status, 400, "{wrong}");
        assert!(refused.json()["error"].is_string());
    }
}

#[test]
fn what_strangers_chose_is_escaped() {
    let family = "</script>\"\\\u{1b}[31m\u{0}\n".to_owned();
    let families = vec![FamilyCounts { family: family.clone(), ..FamilyCounts::default() }];
    let snapshot = Snapshot { families, ..snapshot() };
    let server = Running::start(
        Config::default(),
        Sensor { snapshot: Mutex::new(Arc::new(snapshot)), rows: rows(1, &family), ..Sensor::default() },
    );
    for (path, list) in [("/api/v1/families", "families"), ("/api/v1/sources", "sources")] {
        let answer = server.get(path);
        assert_eq!(answer.json()[list][0]["family"], family.as_str());
        let text = answer.text().trim_end_matches('\n');
        assert!(text.chars().all(|c| !c.is_control()), "{text}");
    }
}

#[test]
fn gzip_for_those_who_take_it() {
    let server = running();
    let plain = server.get("/metrics");
    assert_eq!(plain.header("content-encoding"), None);
    let packed = server.ask("GET", "/metrics", &[("Accept-Encoding", "deflate, gzip")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() * 3 < plain.body.len());
    let mut text = vec![];
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    // Too short to gain by it.
    assert_eq!(server.ask("GET", "/-/ready", &[("Accept-Encoding", "gzip")]).header("content-encoding"), None);
}

#[test]
fn one_connection_for_many_requests() {
    let server = running();
    let mut stream = server.connect();
    for _ in 0..100 {
        assert_eq!(ask(&mut stream, "GET", "/metrics", &[]).status, 200);
    }
}

const SHORT: Timeouts =
    Timeouts { header: Duration::from_millis(400), idle: Duration::from_millis(1_500), write: Duration::from_millis(800) };

/// How long it takes until the other side hangs up.
fn until_cut(stream: &mut TcpStream) -> Duration {
    let begin = Instant::now();
    let _ = stream.read_to_end(&mut vec![]);
    begin.elapsed()
}

#[test]
fn whoever_dribbles_a_header_is_cut() {
    let server = Running::start(Config { timeouts: SHORT, ..Config::default() }, sensor());
    // An octet at a time, for ever.
    let mut stream = server.connect();
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < Duration::from_secs(20) {
        if stream
            .write_all(
                &b"GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[sent % 80..]
                    [..1],
            )
            .is_err()
        {
            break;
        }
        sent += 1;
        thread::sleep(Duration::from_millis(50));
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "still open after {sent} octets");
    // Nothing at all.
    assert!(until_cut(&mut server.connect()) < Duration::from_secs(10));
    // A whole request, then a piece.
    let mut stream = server.connect();
    ask(&mut stream, "GET", "/-/ready", &[]);
    stream.write_all(b"GET /").unwrap();
    assert!(until_cut(&mut stream) < Duration::from_secs(10));
}

#[test]
fn idle_connections_live_longer_and_not_for_ever() {
    let server = Running::start(Config { timeouts: SHORT, ..Config::default() }, sensor());
    let mut stream = server.connect();
    ask(&mut stream, "GET", "/-/ready", &[]);
    thread::sleep(SHORT.header + Duration::from_millis(300));
    ask(&mut stream, "GET", "/-/ready", &[]);
    let idle = until_cut(&mut stream);
    assert!(idle >= SHORT.idle && idle < Duration::from_secs(15), "{idle:?}");
}

/// More than the buffers of two sockets hold.
fn huge() -> Sensor {
    let series = |n: u32| SourceSeries { source: n.to_string(), family: "f".repeat(200), matches: 1 };
    let snapshot = Snapshot { series: (0..80_000).map(series).collect(), ..snapshot() };
    Sensor { snapshot: Mutex::new(Arc::new(snapshot)), ..Sensor::default() }
}

#[test]
fn whoever_does_not_read_is_cut_and_gives_its_place_back() {
    let server = Running::start(Config { timeouts: SHORT, max_requests: 1, ..Config::default() }, huge());
    let mut stuck = server.connect();
    stuck.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut first = [0; 9];
    stuck.read_exact(&mut first).unwrap();
    // One answer is on its way: no further one is made, but what costs nothing is there.
    let busy = server.get("/metrics");
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("5")));
    assert_eq!(server.get("/api/v1/summary").status, 503);
    assert_eq!(server.get("/-/healthy").status, 200);
    let begin = Instant::now();
    while server.get("/metrics").status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(20), "the place was never given back");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn hostile_requests_end_in_an_error_and_nothing_else() {
    let server = running();
    let long = "a".repeat(100_000);
    let many: String = (0..500).map(|n| format!("X-{n}: y\r\n")).collect();
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{many}\r\n"),
        "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\0\u{5}hello".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "POST /-/reload HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        "POST /-/reload HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /api/v1/sources?family=%00%0a&limit=%31 HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        "GET http://[::1/ HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        "CONNECT a:1 HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        server.shout(request.as_bytes());
    }
    let mut chance = support::Rng(4);
    for _ in 0..200 {
        let length = chance.below(300) as usize;
        let mut octets = b"GET /metrics?".to_vec();
        octets.extend(chance.octets(length));
        octets.extend(b" HTTP/1.1\r\nConnection: close\r\n\r\n\r\n\r\n");
        server.shout(&octets);
    }
    assert_eq!(server.get("/metrics").status, 200);
    assert_eq!(server.sensor.said.lock().unwrap().len(), 0);
}

#[test]
fn a_body_that_is_not_wanted_is_not_waited_for() {
    let server = running();
    let mut stream = server.connect();
    let answer = try_ask(&mut stream, "POST", "/-/reload", &[("Content-Length", "1000000000")]).unwrap();
    assert_eq!(answer.status, 200);
}

/// A stream of events, and what has come of it so far.
struct Stream {
    connection: TcpStream,
    got: String,
}

impl Stream {
    fn open(server: &Running) -> Self {
        let mut connection = server.connect();
        connection.write_all(b"GET /page/events HTTP/1.1\r\nHost: sensor\r\n\r\n").unwrap();
        let mut stream = Self { connection, got: String::new() };
        stream.until("\r\n\r\n");
        stream
    }

    /// Reads until a text has come.
    fn until(&mut self, holds: &str) -> &str {
        let mut some = [0; 4096];
        while !self.got.contains(holds) {
            let length = self.connection.read(&mut some).unwrap();
            assert!(length > 0, "ended before {holds}: {}", self.got);
            self.got.push_str(&String::from_utf8_lossy(&some[..length]));
        }
        &self.got
    }
}

/// Places for streams, as events.rs has them.
const STREAMS: usize = 32;

#[test]
fn the_page_as_it_changes() {
    let timeouts = Timeouts { idle: Duration::from_millis(300), ..Timeouts::default() };
    let server = Running::start(Config { timeouts, ..Config::default() }, sensor());
    let mut stream = Stream::open(&server);
    let head = stream.until("\r\n\r\n").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    for header in ["content-type: text/event-stream", "cache-control: no-store", "x-content-type-options: nosniff"] {
        assert!(head.contains(header), "{head}");
    }
    // At once that it is open, then what is true now.
    stream.until("\r\n:\n\n\r\n");
    stream.until("data: <p id=\"state\" data-live class=\"state\"><span>Listening on span0");
    stream.until("</footer>\n\n");
    // Idle for longer than others may be, and still there when something is new.
    thread::sleep(Duration::from_secs(1));
    *server.sensor.not_ready.lock().unwrap() = Some("no\nlist\r\rtoday".to_owned());
    stream.until("Not ready: no\ndata: list\ndata: \ndata: today");
    let mut later = snapshot();
    later.interfaces[0].name = "span1\n\ndata: forged".to_owned();
    *server.sensor.snapshot.lock().unwrap() = Arc::new(later);
    *server.sensor.not_ready.lock().unwrap() = None;
    stream.until("Listening on span1\ndata: \ndata: data: forged");

    for method in ["POST", "DELETE"] {
        assert_eq!(server.ask(method, "/page/events", &[]).status, 405);
    }
    assert_eq!(server.ask("HEAD", "/page/events", &[]).status, 200);
}

#[test]
fn so_many_streams_and_no_more() {
    let server = running();
    let streams: Vec<Stream> = (0..STREAMS).map(|_| Stream::open(&server)).collect();
    let refused = server.get("/page/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    // They take no place of others', and give theirs back when they go.
    assert_eq!(server.get("/metrics").status, 200);
    drop(streams);
    let until = Instant::now() + Duration::from_secs(10);
    let mut connection = server.connect();
    loop {
        connection.write_all(b"GET /page/events HTTP/1.1\r\nHost: sensor\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap();
        if answer.ends_with(b"200") {
            break;
        }
        assert!(Instant::now() < until, "places are not given back");
        connection = server.connect();
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whoever_does_not_take_events_is_cut() {
    let timeouts = Timeouts { write: Duration::from_millis(500), ..Timeouts::default() };
    let mut large = snapshot();
    // More than all buffers on the way.
    large.interfaces[0].name = "x".repeat(20_000_000);
    let sensor = Sensor { snapshot: Mutex::new(Arc::new(large)), ..Sensor::default() };
    let server = Running::start(Config { timeouts, max_connections: 2, ..Config::default() }, sensor);
    // The only place there is.
    let _stream = Stream::open(&server);
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let mut connection = server.connect();
        connection.write_all(b"GET /page/events HTTP/1.1\r\nHost: sensor\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap();
        if answer.ends_with(b"200") {
            break;
        }
        assert!(Instant::now() < until, "it keeps its place");
        thread::sleep(Duration::from_millis(50));
    }
}
