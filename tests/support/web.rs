//! A client that speaks HTTP as badly as a test wants, and a server to speak to.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dgawatch::day::{Day, Timestamp};
use dgawatch::export::Snapshot;
use dgawatch::export::http::{Board, Config, Listed, Server, SourcePage, SourceQuery, SourceRow};
use dgawatch::ledger::Verdict;
use dgawatch::name::Name;

/// Long enough for a busy machine; what comes in time costs nothing.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A pipeline that is not there.
#[derive(Default)]
pub struct Sensor {
    pub snapshot: Mutex<Arc<Snapshot>>,
    pub not_ready: Mutex<Option<String>>,
    pub reload_fails: AtomicBool,
    pub reloads: AtomicUsize,
    pub rows: Vec<SourceRow>,
    /// Where every name is.
    pub lists: Vec<Listed>,
    pub said: Mutex<Vec<String>>,
}

impl Board for Sensor {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap())
    }

    fn is_ready(&self) -> Result<(), String> {
        self.not_ready.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn reload(&self, force: bool) -> Result<String, String> {
        self.reloads.fetch_add(1, Ordering::SeqCst);
        if self.reload_fails.load(Ordering::SeqCst) && !force {
            Err("the list is bad".to_owned())
        } else {
            Ok("3 lists".to_owned())
        }
    }

    fn sources(&self, query: &SourceQuery) -> Option<SourcePage> {
        let wanted = |row: &&SourceRow| {
            query.family.as_ref().is_none_or(|family| *family == row.family)
                && query.verdict.is_none_or(|verdict| verdict == row.verdict)
                && query.source.is_none_or(|source| source.to_string() == row.source)
                && query.name.as_ref().is_none_or(|name| (&name.family, name.list_day) == (&row.family, row.list_day))
        };
        let rows: Vec<SourceRow> = self.rows.iter().filter(wanted).cloned().collect();
        Some(SourcePage { total: rows.len(), rows: rows.into_iter().skip(query.offset).take(query.limit).collect() })
    }

    fn explain(&self, _: &Name) -> Vec<Listed> {
        self.lists.clone()
    }

    fn say(&self, sentence: &str) {
        self.said.lock().unwrap().push(sentence.to_owned());
    }
}

/// Rows of evidence, every third of an infected source.
pub fn rows(count: u64, family: &str) -> Vec<SourceRow> {
    let row = |n: u64| SourceRow {
        source: format!("192.0.2.{n}"),
        family: family.to_owned(),
        list_day: Day::of(2009, 3, 31),
        matches: n,
        responses: 0,
        distinct_names: n.min(250),
        first_seen: Timestamp::from_parts(1_238_493_600, 0),
        last_seen: Timestamp::from_parts(1_238_493_600 + n, 0),
        names: vec![format!("name{n}.example")],
        verdict: if n.is_multiple_of(3) { Verdict::Infected } else { Verdict::Suspect },
    };
    (0..count).map(row).collect()
}

/// A server that runs until this goes.
pub struct Running {
    pub address: SocketAddr,
    pub sensor: Arc<Sensor>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Running {
    pub fn start(config: Config, sensor: Sensor) -> Self {
        Self::start_at("127.0.0.1:0", config, sensor)
    }

    /// Where another was before.
    pub fn start_at(listen: &str, config: Config, sensor: Sensor) -> Self {
        let server = Server::bind(Config { listen: vec![listen.to_owned()], ..config }).unwrap();
        let address = server.addresses()[0];
        let (sensor, stop) = (Arc::new(sensor), Arc::new(AtomicBool::new(false)));
        let (board, halt) = (Arc::clone(&sensor), Arc::clone(&stop));
        let thread = Some(thread::spawn(move || server.run(board, &halt)));
        Self { address, sensor, stop, thread }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(&mut self.connect(), method, path, headers)
    }

    /// Sends octets and reads until the server has had enough.
    pub fn shout(&self, octets: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // The server may hang up while it is being shouted at.
        let _ = stream.write_all(octets);
        let mut all = vec![];
        let _ = stream.read_to_end(&mut all);
        all
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let outcome = self.thread.take().unwrap().join();
        if !thread::panicking() {
            outcome.unwrap().unwrap();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Asks over a stream that is left open, and reads the one answer.
pub fn ask(stream: &mut (impl Read + Write), method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    try_ask(stream, method, path, headers).unwrap()
}

pub fn try_ask(stream: &mut (impl Read + Write), method: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: sensor\r\n");
    headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{request}\r\n").as_bytes())?;
    stream.flush()?;
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
    stream.read_exact(&mut body)?;
    Ok(Answer { status, headers, body })
}
