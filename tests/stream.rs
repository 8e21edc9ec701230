//! Events sent to NATS JetStream and Kafka: all arrive and none twice, whoever is killed in between, within the bound of the
//! spool; and the capture knows nothing of it.

#![cfg(any(feature = "nats", feature = "kafka"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pcap::{Active, Capture};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;
use support::namespace::in_namespace;
use support::packets::{at, ethernet, query, udp};
use support::running::{Sensor, today, wire};
use support::syslog::PATIENCE;
use support::{dgawatch, printed};
use tempfile::TempDir;

/// What became of records, by outcome, with `waiting`, `failures`, `spool_bytes` and `connected`.
type Counts = BTreeMap<&'static str, u64>;

/// A network with infected hosts, and a sensor's metrics.
struct Network {
    names: Vec<String>,
    wire: Capture<Active>,
    queries: u64,
}

impl Network {
    fn new() -> Self {
        Self { names: today(), wire: wire(), queries: 0 }
    }

    /// Two events a host: a suspect at the first name, infected at the third.
    fn infect(&mut self, hosts: impl IntoIterator<Item = u16>) {
        for host in hosts {
            let [high, low] = host.to_be_bytes();
            for name in &self.names[..3] {
                let client = at(&format!("10.0.{high}.{low}"), 4_000);
                self.wire.sendpacket(ethernet(&[], &udp(client, at("192.0.2.253", 53), &query(1, name, 1)))).unwrap();
                self.queries += 1;
            }
        }
    }

    /// Nothing of the traffic was lost.
    #[track_caller]
    fn all_seen(&self, report: &Value) {
        assert_eq!(report["packets"]["outcomes"]["dns_query"], self.queries);
    }
}

/// Waits until what became of records is so; it adds up whenever it is looked at.
#[track_caller]
fn wait(sink: &str, until: impl Fn(&Counts) -> bool) -> Counts {
    let begun = Instant::now();
    loop {
        let counts = counts(sink);
        assert_eq!(counts["offered"] + counts["found"], counts["sent"] + counts["dropped"] + counts["waiting"], "{counts:?}");
        if until(&counts) {
            return counts;
        }
        assert!(begun.elapsed() < PATIENCE * 2, "{counts:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn counts(sink: &str) -> Counts {
    let text = metrics();
    let value = |line: String| text.lines().find_map(|text| text.strip_prefix(&line)?.trim().parse().ok()).unwrap_or(0);
    let of = |outcome| value(format!("dgawatch_stream_records_total{{sink=\"{sink}\",outcome=\"{outcome}\"}}"));
    let mut counts: Counts = ["offered", "found", "sent", "dropped"].into_iter().map(|outcome| (outcome, of(outcome))).collect();
    let gauges = [
        ("waiting", "waiting_records"),
        ("failures", "failures_total"),
        ("spool_bytes", "spool_bytes"),
        ("connected", "connected"),
    ];
    counts.extend(gauges.map(|(name, metric)| (name, value(format!("dgawatch_stream_{metric}{{sink=\"{sink}\"}}")))));
    counts
}

fn metrics() -> String {
    let mut stream = TcpStream::connect("127.0.0.1:9353").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The lines of a log of events.
fn lines(log: &Path) -> Vec<String> {
    fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
}

/// A record's identifier, and what it says without it.
fn parted(record: &str) -> (String, String) {
    let (id, rest) = record.strip_prefix(r#"{"id":""#).unwrap().split_once(r#"","#).unwrap();
    (id.to_owned(), format!("{{{rest}"))
}

/// The key that an event is to have.
fn key(event: &str) -> String {
    let event: Value = serde_json::from_str(event).unwrap();
    let parts = ["family", "list_day", "source"].map(|member| event[member].as_str().unwrap().to_owned());
    parts.join("/")
}

/// Files of an authority, `ca.pem`; of this machine and of a client, which it vouches for: `cert.pem` and `own.pem`, with their
/// keys; and of another authority, `other.pem`, which vouches for nobody.
fn certificates(folder: &Path) {
    let authority = || {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    };
    let ((pem, issuer), (other, _)) = (authority(), authority());
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    for (name, key_name, names) in
        [("cert.pem", "key.pem", &["localhost", "127.0.0.1"][..]), ("own.pem", "own.key", &["sensor"][..])]
    {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        // One that is called as its authority is, OpenSSL takes for an authority.
        params.distinguished_name.push(DnType::CommonName, names[0]);
        write(name, &params.signed_by(&key, &issuer).unwrap().pem());
        write(key_name, &key.serialize_pem());
    }
    write("other.pem", &other);
    write("ca.pem", &pem);
}

/// A sensor that its receiver does not let in says why, once, and not by which password; it stays up, and keeps what it has.
#[track_caller]
fn kept_out(mut sensor: Sensor, sink: &str, why: &str) {
    let told = "records wait in the spool, it is tried again, and counted\n";
    let line = std::iter::repeat_with(|| sensor.line()).find(|line| line.is_empty() || line.ends_with(told)).unwrap();
    assert!(line.contains(why) && line.len() < 300 && !line.contains("wrong one"), "{line}");
    let counts = wait(sink, |counts| counts["failures"] > 1 && counts["offered"] >= 10);
    assert_eq!((counts["sent"], counts["dropped"], counts["connected"]), (0, 0, 0));
    sensor.stop(0);
    assert!(!sensor.rest.contains(told), "{}", sensor.rest);
}

#[cfg(feature = "nats")]
mod nats {
    use std::process::Command;

    use super::*;
    use crate::support::nats::{Message, Operator, Server, is_there};
    use async_nats::ConnectOptions;
    use serde_json::json;

    const STREAM: &str = "DGAWATCH";

    /// The events of a stream, which are those of the log in their order, each once, under its own key; evidence beside them says
    /// in the end what the report says.
    #[track_caller]
    fn same(messages: &[Message], log: &[String], report: &Value) {
        let ids: BTreeSet<&String> = messages.iter().map(|message| &message.id).collect();
        assert_eq!(ids.len(), messages.len());
        let (mut told, mut evidence) = (vec![], BTreeMap::new());
        for message in messages {
            let (id, event) = parted(&message.text);
            assert_eq!(id, message.id);
            let is = |kind: &str| event.contains(&format!(r#""event":"{kind}""#));
            if !is("daily_summary") {
                assert_eq!(message.key, key(&event));
            }
            if is("evidence") {
                evidence.insert(message.key.clone(), serde_json::from_str::<Value>(&event).unwrap());
            } else {
                told.push(event);
            }
        }
        assert_eq!(told, log);
        let rows = report["sources"].as_array().unwrap();
        assert_eq!(evidence.len(), rows.len());
        for row in rows {
            let sent = &evidence[&key(&row.to_string())];
            for member in ["verdict", "matches", "responses", "distinct_names", "first_seen", "last_seen", "names", "role"] {
                assert_eq!(sent[member], row[member], "{member}");
            }
        }
    }

    /// The server is not there at the start, is killed and stays away for a minute, and is killed while records are on their
    /// way.
    #[test]
    fn a_server_that_is_killed() {
        in_namespace("nats::a_server_that_is_killed", || {
            if !is_there() {
                return;
            }
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            let mut server = Server::at(4_222, "");
            let arguments = ["--family", "conficker-b", "--format", "json", "--nats", "nats://localhost:4222"];
            let mut sensor = Sensor::start(&[&arguments[..], &["--spool", &path("spool"), "--events", &path("log")]].concat());
            let mut network = Network::new();
            network.infect(0..10);
            wait("nats", |counts| counts["waiting"] >= 20 && counts["failures"] > 1 && counts["connected"] == 0);
            server.start();
            // Nobody takes the subject yet: that is no reason to lose what is told. It connects, fails, and tries again.
            let failures = wait("nats", |_| true)["failures"];
            wait("nats", |counts| counts["failures"] > failures + 3);
            server.make_stream(STREAM);
            wait("nats", |counts| counts["sent"] >= 20 && counts["waiting"] == 0);
            // Down for a minute, while hosts go on asking.
            server.kill();
            wait("nats", |counts| counts["connected"] == 0);
            for first in (10..300).step_by(5) {
                network.infect(first..first + 5);
                thread::sleep(Duration::from_secs(1));
            }
            wait("nats", |counts| counts["offered"] >= 600 && counts["waiting"] >= 580);
            server.start();
            wait("nats", |counts| counts["sent"] >= 600 && counts["waiting"] == 0 && counts["connected"] == 1);
            // And in the middle of the flow.
            for round in 1..=3_u16 {
                network.infect(round * 300..round * 300 + 150);
                server.kill();
                network.infect(round * 300 + 150..round * 300 + 300);
                server.start();
            }
            wait("nats", |counts| counts["sent"] >= 2_400 && counts["waiting"] == 0);
            let report = sensor.stop(0);
            network.all_seen(&report);
            let log = lines(Path::new(&path("log")));
            assert!(log.len() >= 2_400);
            same(&server.messages(STREAM), &log, &report);
        });
    }

    /// The sensor is killed while the server is away: what it told is sent by the next one, under the same identifiers, and what
    /// was sent already is not taken twice.
    #[test]
    fn a_sensor_that_is_killed() {
        in_namespace("nats::a_sensor_that_is_killed", || {
            if !is_there() {
                return;
            }
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            let mut server = Server::at(4_222, "");
            server.start();
            server.make_stream(STREAM);
            let (spool, log) = (path("spool"), path("log"));
            let arguments = ["--family", "conficker-b", "--format", "json", "--nats", "nats://127.0.0.1:4222"];
            let arguments = [&arguments[..], &["--nats-stream", STREAM, "--spool", &spool, "--events", &log]].concat();
            let mut network = Network::new();
            {
                let _sensor = Sensor::start(&arguments);
                network.infect(0..50);
                wait("nats", |counts| counts["sent"] >= 100);
                server.kill();
                network.infect(50..100);
                wait("nats", |counts| counts["offered"] >= 200 && counts["spool_bytes"] > 50_000);
                // On disk is what is counted; a look more, and it is all there.
                thread::sleep(Duration::from_millis(500));
            }
            // It was killed as it went out of scope.
            let mut sensor = Sensor::start(&arguments);
            assert!(wait("nats", |counts| counts["found"] > 0)["found"] >= 100);
            server.start();
            wait("nats", |counts| counts["waiting"] == 0 && counts["connected"] == 1);
            network.infect(100..110);
            wait("nats", |counts| counts["offered"] >= 20 && counts["waiting"] == 0);
            sensor.stop(0);
            let messages = server.messages(STREAM);
            let ids: BTreeSet<&String> = messages.iter().map(|message| &message.id).collect();
            assert_eq!(ids.len(), messages.len());
            let events = messages.iter().map(|message| parted(&message.text).1);
            let events: Vec<String> = events.filter(|event| !event.contains(r#""event":"evidence""#)).collect();
            assert_eq!(events, lines(Path::new(&log)));
        });
    }

    /// The server stays away: the spool keeps to its bound, the oldest go and are counted, and the newest arrive in the end.
    #[test]
    fn a_spool_that_is_full() {
        in_namespace("nats::a_spool_that_is_full", || {
            if !is_there() {
                return;
            }
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            let mut server = Server::at(4_222, "");
            let arguments = ["--family", "conficker-b", "--format", "json", "--nats", "nats://127.0.0.1:4222"];
            let more = ["--spool", &path("spool"), "--spool-size", "1M", "--events", &path("log")];
            let mut sensor = Sensor::start(&[&arguments[..], &more].concat());
            let mut network = Network::new();
            network.infect(0..3_000);
            let counts = wait("nats", |counts| counts["offered"] >= 6_000 && counts["dropped"] > 2_000);
            assert!((900_000..=1 << 20).contains(&counts["spool_bytes"]), "{counts:?}");
            let on_disk = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().metadata().unwrap().len();
            let on_disk: u64 = fs::read_dir(path("spool/nats")).unwrap().map(on_disk).sum();
            assert!(on_disk <= (1 << 20) + 20, "{on_disk}");
            server.start();
            server.make_stream(STREAM);
            let counts = wait("nats", |counts| counts["waiting"] == 0 && counts["sent"] > 0);
            // What was dropped makes the exit code 1.
            let report = sensor.stop(1);
            network.all_seen(&report);
            let messages = server.messages(STREAM);
            let events: Vec<String> = messages.iter().map(|message| parted(&message.text).1).collect();
            let log = lines(Path::new(&path("log")));
            let kept = events.iter().filter(|event| !event.contains(r#""event":"evidence""#)).cloned().collect::<Vec<_>>();
            assert!(counts["sent"] as usize <= messages.len() && kept.len() < log.len());
            assert!(log.ends_with(&kept));
        });
    }

    /// TLS and a password: the right ones; a certificate of somebody else's; a wrong password.
    #[test]
    fn encrypted_and_known() {
        in_namespace("nats::encrypted_and_known", || {
            if !is_there() {
                return;
            }
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            certificates(folder.path());
            let tls = format!("tls {{ cert_file: {:?}, key_file: {:?} }}\n", path("cert.pem"), path("key.pem"));
            let users = "authorization { user: dgawatch, password: \"right one\" }\n";
            let options = ConnectOptions::with_user_and_password("dgawatch".to_owned(), "right one".to_owned());
            let options = options.add_root_certificates(path("ca.pem").into());
            let mut server = Server::at(4_223, &format!("{tls}{users}")).encrypted(options);
            server.start();
            server.make_stream(STREAM);
            fs::write(path("right"), "right one\n").unwrap();
            fs::write(path("wrong"), "wrong one\n").unwrap();
            let mut network = Network::new();
            for (password, authority, refused) in [
                ("wrong", "ca.pem", Some("authorization violation")),
                ("right", "other.pem", Some("invalid peer certificate")),
                ("right", "ca.pem", None),
            ] {
                let arguments = ["--family", "conficker-b", "--format", "json", "--nats", "tls://localhost:4223"];
                let (password, authority, spool) = (path(password), path(authority), path("spool"));
                let access = ["--nats-user", "dgawatch", "--nats-password-file", &password, "--stream-ca", &authority];
                let sensor = Sensor::start(&[&arguments[..], &access, &["--spool", &spool]].concat());
                network.infect(0..5);
                let_in(sensor, refused, &server, 20);
            }
        });
    }

    /// Credentials files of users that may publish and hear who takes it, and a certificate of the sensor's own: of somebody else's
    /// user, of one whose time is over, without the certificate, and as it should be.
    #[test]
    fn credentials_and_certificates() {
        in_namespace("nats::credentials_and_certificates", || {
            if !is_there() {
                return;
            }
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            certificates(folder.path());
            let files = ["cert.pem", "key.pem", "ca.pem"].map(path);
            let tls =
                format!("tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}\n", files[0], files[1], files[2]);
            let (ours, theirs) = (Operator::new(), Operator::new());
            let options = ConnectOptions::with_credentials(&ours.user(&json!({}), None)).unwrap();
            let options = options.add_root_certificates(path("ca.pem").into());
            let options = options.add_client_certificate(path("own.pem").into(), path("own.key").into());
            let mut server = Server::at(4_223, &format!("{tls}{}", ours.config())).encrypted(options);
            server.start();
            server.make_stream(STREAM);
            let least = json!({ "pub": { "allow": ["dgawatch.events"] }, "sub": { "allow": ["_INBOX.>"] } });
            for (name, credentials) in [
                ("theirs", theirs.user(&least, None)),
                ("over", ours.user(&least, Some(1_700_000_000))),
                ("right", ours.user(&least, None)),
            ] {
                fs::write(path(name), credentials).unwrap();
            }
            let mut network = Network::new();
            for (credentials, shows, refused) in [
                ("theirs", true, Some("authorization violation")),
                ("over", true, Some("authorization violation")),
                ("right", false, Some("fatal alert")),
                ("right", true, None),
            ] {
                let arguments = ["--family", "conficker-b", "--format", "json", "--nats", "tls://localhost:4223"];
                let (credentials, authority, spool) = (path(credentials), path("ca.pem"), path("spool"));
                let access = ["--nats-credentials", &credentials, "--stream-ca", &authority, "--spool", &spool];
                let own = [path("own.pem"), path("own.key")];
                let own = ["--stream-cert", &own[0], "--stream-key", &own[1]];
                let sensor = Sensor::start(&[&arguments[..], &access, if shows { &own } else { &[] }].concat());
                network.infect(0..5);
                let_in(sensor, refused, &server, 30);
            }
        });
    }

    /// A sensor that is refused for a reason, or has what it and `found` records before it told taken.
    #[track_caller]
    fn let_in(mut sensor: Sensor, refused: Option<&str>, server: &Server, found: u64) {
        if let Some(why) = refused {
            kept_out(sensor, "nats", why);
            assert_eq!(server.messages(STREAM), []);
            return;
        }
        let counts = wait("nats", |counts| counts["offered"] >= 10 && counts["waiting"] == 0 && counts["connected"] == 1);
        assert!(counts["found"] >= found && counts["sent"] >= found + 10, "{counts:?}");
        sensor.stop(0);
        assert!(server.messages(STREAM).len() as u64 >= found + 10);
    }

    /// What is refused before anything is opened, each in a sentence.
    #[test]
    fn what_makes_no_sense() {
        for (arguments, code, why) in [
            (&["--nats", "nats://a:4222"][..], 2, "--spool"),
            (&["--nats", "http://a", "--spool", "/tmp"], 1, "write it as nats://HOST:4222"),
            (&["--nats", "nats://me:secret@a", "--spool", "/tmp"], 1, "belong in files"),
            (&["--nats", "nats://a", "--nats-subject", "a..b", "--spool", "/tmp"], 1, "is no subject"),
            (&["--nats", "nats://a", "--nats-stream", "a.b", "--spool", "/tmp"], 1, "a word without dots"),
            (&["--nats", "nats://a", "--nats-credentials", "/nonexistent", "--spool", "/tmp"], 1, "cannot be read"),
            (&["--nats", "nats://a", "--nats-credentials", "Cargo.toml", "--spool", "/tmp"], 1, "the credentials do not do"),
            (&["--nats", "nats://a", "--spool", "/tmp", "--spool-size", "1k"], 2, "give 1M or more"),
            (&["--nats", "nats://no.such.host.invalid", "--spool", "/tmp"], 1, "no.such.host.invalid is not found"),
        ] {
            let (_, err) = printed(&dgawatch(&[&["live", "--interface", "lo"], arguments].concat()), code);
            assert!(err.contains(why), "{arguments:?}: {err}");
        }
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("config.toml");
        fs::write(&config, "interface = [\"lo\"]\nnats = [\"nats://a:1\"]\nspool = \"/var/spool/x\"\nspool-size = \"2M\"\n")
            .unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_dgawatch")).arg("check-config").arg(&config).output().unwrap();
        let (out, _) = printed(&output, 0);
        assert!(out.contains("send events to nats nats://a:1; up to 2097152 octets wait in /var/spool/x/nats"), "{out}");
    }
}

/// librdkafka's mock cluster, and Tansu, a broker.
#[cfg(feature = "kafka")]
mod kafka {
    use super::*;
    use crate::support::kafka::{Broker, Gate, PORT, Reader};

    const TOPIC: &str = "dgawatch";

    /// The events of records, each at least once, with its key, in the partition of its key; the first `once` of them once.
    #[track_caller]
    fn events(records: &[Value], partitions: u64, once: usize) -> BTreeSet<String> {
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for (place, record) in records.iter().enumerate() {
            let (id, event) = parted(record["value"].as_str().unwrap());
            assert_eq!(record["headers"]["id"], *id);
            if !event.contains("daily_summary") {
                assert_eq!(record["key"], key(&event));
            }
            let partition = crc32fast::hash(record["key"].as_str().unwrap().as_bytes()) as u64 % partitions;
            assert_eq!(record["partition"], partition);
            let before = told.insert(id, event.clone());
            assert!(before.is_none_or(|before| place >= once && before == event));
        }
        told.into_values().filter(|event| !event.contains(r#""event":"evidence""#)).collect()
    }

    /// Each event once where nothing fails; and at least once where the brokers answer nobody for a while.
    fn brokers_that_stop(reader: &Reader, signal: &dyn Fn(&str)) {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (brokers, log) = (reader.brokers.join(","), path("log"));
        let arguments = ["--family", "conficker-b", "--format", "json", "--kafka", &brokers];
        let mut sensor = Sensor::start(&[&arguments[..], &["--spool", &path("spool"), "--events", &log]].concat());
        let mut network = Network::new();
        network.infect(0..100);
        wait("kafka", |counts| counts["sent"] >= 200 && counts["waiting"] == 0);
        let mut records: Vec<Value> = (0..200).map(|_| reader.next()).collect();
        signal("-STOP");
        network.infect(100..200);
        wait("kafka", |counts| counts["offered"] >= 400 && counts["failures"] > 0);
        assert!(wait("kafka", |_| true)["waiting"] >= 200);
        signal("-CONT");
        wait("kafka", |counts| counts["sent"] >= 400 && counts["waiting"] == 0);
        let report = sensor.stop(0);
        network.all_seen(&report);
        thread::sleep(Duration::from_secs(1));
        records.extend(reader.rest());
        assert_eq!(events(&records, reader.partitions, 200), lines(Path::new(&log)).into_iter().collect());
    }

    #[test]
    fn a_cluster_that_stops() {
        in_namespace("kafka::a_cluster_that_stops", || {
            let Some(cluster) = Reader::of_mock(TOPIC) else { return };
            brokers_that_stop(&cluster, &|signal| cluster.signal(signal));
        });
    }

    #[test]
    fn a_broker_that_stops() {
        in_namespace("kafka::a_broker_that_stops", || {
            let Some(mut broker) = Broker::at(PORT) else { return };
            broker.start();
            let reader = Reader::of(TOPIC, &["bootstrap.servers=127.0.0.1:9092"]);
            brokers_that_stop(&reader, &|signal| broker.signal(signal));
        });
    }

    /// The broker is killed and comes back without its topic, which is made later: what was not taken before is taken then.
    #[test]
    fn a_broker_that_is_killed() {
        in_namespace("kafka::a_broker_that_is_killed", || {
            let Some(mut broker) = Broker::at(PORT) else { return };
            broker.start();
            let told = ["bootstrap.servers=127.0.0.1:9092"];
            let reader = Reader::of(TOPIC, &told);
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            let (spool, log) = (path("spool"), path("log"));
            let arguments = ["--family", "conficker-b", "--format", "json", "--kafka", "localhost:9092"];
            let mut sensor = Sensor::start(&[&arguments[..], &["--spool", &spool, "--events", &log]].concat());
            let mut network = Network::new();
            network.infect(0..50);
            wait("kafka", |counts| counts["sent"] >= 100 && counts["waiting"] == 0);
            let mut records: Vec<Value> = (0..100).map(|_| reader.next()).collect();
            broker.kill();
            network.infect(50..100);
            wait("kafka", |counts| counts["waiting"] >= 100 && counts["failures"] > 0 && counts["connected"] == 0);
            let line = sensor.line();
            assert!(line.starts_with("dgawatch: kafka localhost:9092: ") && line.contains("records wait in the spool"), "{line}");
            drop(reader);
            broker.start();
            let failures = wait("kafka", |_| true)["failures"];
            wait("kafka", |counts| counts["failures"] > failures + 1);
            let reader = Reader::of(TOPIC, &told);
            wait("kafka", |counts| counts["waiting"] == 0 && counts["connected"] == 1);
            assert_eq!(sensor.line(), "dgawatch: kafka localhost:9092: records are taken again\n");
            let report = sensor.stop(0);
            network.all_seen(&report);
            thread::sleep(Duration::from_secs(1));
            records.extend(reader.rest());
            assert_eq!(events(&records, reader.partitions, 100), lines(Path::new(&log)).into_iter().collect());
        });
    }

    /// TLS and each way to log in: with a wrong password, with a certificate of somebody else's, and as it should be. librdkafka reads
    /// it by the same gate.
    #[test]
    fn encrypted_and_known() {
        in_namespace("kafka::encrypted_and_known", || {
            let Some(mut broker) = Broker::at(9_093) else { return };
            broker.start();
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            certificates(folder.path());
            let _gate = Gate::open(&broker, folder.path(), false, Some(("dgawatch", "right one")));
            let login = ["sasl.mechanism=SCRAM-SHA-256", "sasl.username=dgawatch", "sasl.password=right one"];
            let authority = format!("ssl.ca.location={}", path("ca.pem"));
            let told = [&["bootstrap.servers=127.0.0.1:9093", "security.protocol=SASL_SSL", &authority][..], &login].concat();
            let reader = Reader::of(TOPIC, &told);
            fs::write(path("right"), "right one\n").unwrap();
            fs::write(path("wrong"), "wrong one\n").unwrap();
            let mut network = Network::new();
            for (mechanism, password, authority, refused) in [
                ("scram-sha-256", "wrong", "ca.pem", Some("SaslAuthenticationFailed")),
                ("plain", "wrong", "ca.pem", Some("SaslAuthenticationFailed")),
                ("scram-sha-256", "right", "other.pem", Some("invalid peer certificate")),
                ("scram-sha-256", "right", "ca.pem", None),
                ("scram-sha-512", "right", "ca.pem", None),
                ("plain", "right", "ca.pem", None),
            ] {
                let (password, authority) = (path(password), path(authority));
                let access = ["--kafka-tls", "--stream-ca", &authority, "--kafka-sasl-mechanism", mechanism];
                let login = ["--kafka-sasl-user", "dgawatch", "--kafka-password-file", &password];
                let_in(&mut network, &reader, &[&access[..], &login].concat(), &path("spool"), refused);
            }
        });
    }

    /// A broker that asks for a certificate of the sensor's own.
    #[test]
    fn a_certificate_of_our_own() {
        in_namespace("kafka::a_certificate_of_our_own", || {
            let Some(mut broker) = Broker::at(9_093) else { return };
            broker.start();
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            certificates(folder.path());
            let _gate = Gate::open(&broker, folder.path(), true, None);
            let files = [("ca", "ca.pem"), ("certificate", "own.pem"), ("key", "own.key")];
            let files = files.map(|(what, file)| format!("ssl.{what}.location={}", path(file)));
            let told = ["bootstrap.servers=127.0.0.1:9093", "security.protocol=SSL", &files[0], &files[1], &files[2]];
            let reader = Reader::of(TOPIC, &told);
            let mut network = Network::new();
            let [authority, certificate, key] = ["ca.pem", "own.pem", "own.key"].map(path);
            let access = ["--kafka-tls", "--stream-ca", &authority];
            let_in(&mut network, &reader, &access, &path("spool"), Some("peer closed connection"));
            let own = [&access[..], &["--stream-cert", &certificate, "--stream-key", &key]].concat();
            let_in(&mut network, &reader, &own, &path("spool"), None);
        });
    }

    /// A sensor that is refused for a reason, or has what it and those before it told taken.
    #[track_caller]
    fn let_in(network: &mut Network, reader: &Reader, access: &[&str], spool: &str, refused: Option<&str>) {
        let arguments = ["--family", "conficker-b", "--format", "json", "--kafka", "localhost:9093", "--spool", spool];
        let mut sensor = Sensor::start(&[&arguments, access].concat());
        network.infect(0..5);
        if let Some(why) = refused {
            kept_out(sensor, "kafka", why);
            assert!(reader.rest().is_empty());
            return;
        }
        let counts = wait("kafka", |counts| counts["offered"] >= 10 && counts["waiting"] == 0 && counts["connected"] == 1);
        sensor.stop(0);
        let records: Vec<Value> = (0..counts["sent"]).map(|_| reader.next()).collect();
        assert!(counts["sent"] >= counts["found"] + 10);
        events(&records, reader.partitions, records.len());
        // What it tells at its end.
        thread::sleep(Duration::from_millis(500));
        reader.rest();
    }

    /// What is refused before anything is opened, each in a sentence.
    #[test]
    fn what_makes_no_sense() {
        for (arguments, code, why) in [
            (&["--kafka", "a:9092"][..], 2, "--spool"),
            (&["--kafka", "a", "--spool", "/tmp"], 1, "write it as HOST:9092"),
            (&["--kafka", "a:1", "--kafka-topic", "a/b", "--spool", "/tmp"], 1, "is no topic"),
            (&["--kafka", "a:1", "--kafka-sasl-user", "me", "--spool", "/tmp"], 2, "--kafka-password-file"),
        ] {
            let (_, err) = printed(&dgawatch(&[&["live", "--interface", "lo"], arguments].concat()), code);
            assert!(err.contains(why), "{arguments:?}: {err}");
        }
        let plain = ["--kafka-sasl-mechanism", "plain", "--kafka-sasl-user", "me", "--kafka-password-file", "Cargo.toml"];
        let arguments = [&["live", "--interface", "lo", "--kafka", "a:1", "--spool", "/tmp"], &plain[..]].concat();
        let (_, err) = printed(&dgawatch(&arguments), 1);
        assert!(err.contains("only with --kafka-tls"), "{err}");
    }
}
