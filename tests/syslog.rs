//! Events as syslog messages: as RFC 5424 has them, over UDP, TCP and TLS, whatever the names, and whatever becomes of the
//! receiver.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dgawatch::export::{SyslogLink, SyslogQueue, SyslogReceiver, SyslogSender, SyslogTls};
use dgawatch::name::Name;
use serde_json::Value;
use support::captures::USUAL;
use support::namespace::in_namespace;
use support::packets::{at, ethernet, query, udp};
use support::running::{Sensor, today, wire};
use support::syslog::{Carrier, Identity, Message, PATIENCE, Receiver};
use support::{dgawatch, expect_file, printed};
use tempfile::TempDir;

const CARRIERS: [(Carrier, &str); 3] = [(Carrier::Udp, "udp"), (Carrier::Tcp, "tcp"), (Carrier::Tls, "tls")];

const OURS: &str = "dgawatch@32473";

/// What `replay` sends to a receiver, and prints.
fn replay(carrier: Carrier, word: &str, messages: usize, arguments: &[&str]) -> (Vec<Message>, String) {
    let identity = Identity::of("127.0.0.1");
    let folder = TempDir::new().unwrap();
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, &identity.authority).unwrap();
    let receiver = Receiver::at("127.0.0.1:0", carrier, &identity);
    let address = format!("{word}://{}", receiver.address());
    let take = thread::spawn(move || {
        let mut incoming = receiver.accept();
        let taken = incoming.take(messages);
        if carrier != Carrier::Udp {
            assert!(incoming.next().is_none(), "more than {messages}");
        }
        taken
    });
    let common = ["replay", "--syslog", &*address, "--syslog-ca", authority.to_str().unwrap()];
    let (out, err) = printed(&dgawatch(&[&common, arguments].concat()), 0);
    assert_eq!(err, "");
    (take.join().unwrap().iter().map(|message| Message::read(message)).collect(), out)
}

const SAMPLE: [&str; 5] = ["--family", "conficker-b,conficker-c", "--vantage", "client side", "pcaps/subscribers.pcap"];

/// Each source of the report has its message, over each carrier, in each form; and the form is the expected one.
#[test]
fn a_report_is_sent() {
    for (carrier, word) in CARRIERS {
        let wanted = printed(&dgawatch(&[&["replay", "--format", "cef"], &SAMPLE[..]].concat()), 0).0;
        let count = wanted.lines().count();
        assert!(count > 5);
        let (messages, out) =
            replay(carrier, word, count, &[&["--syslog-format", "cef", "--format", "cef"], &SAMPLE[..]].concat());
        assert_eq!(out, wanted);
        assert_eq!(messages.iter().map(|message| &*message.text).collect::<Vec<_>>(), wanted.lines().collect::<Vec<_>>());
        let (told, out) = replay(carrier, word, count, &[&["--format", "json"], &SAMPLE[..]].concat());
        let report: Value = serde_json::from_str(&out).unwrap();
        let rows = report["sources"].as_array().unwrap().iter().filter(|row| row["verdict"] == "infected");
        for (number, (message, row)) in told.iter().zip(rows).enumerate() {
            assert_eq!((message.priority, &*message.id, message.sequence()), (3 * 8 + 4, "infected", number as u64 + 1));
            assert_eq!((&*message.program, &*message.time), ("dgawatch", row["last_seen"].as_str().unwrap()));
            let event: Value = serde_json::from_str(&message.text).unwrap();
            for member in ["source", "family", "list_day", "distinct_names", "matches", "responses", "first_seen", "last_seen"] {
                assert_eq!(event[member], row[member], "{member}");
            }
            for (param, member) in [("source", "source"), ("family", "family"), ("listDay", "list_day"), ("role", "role")] {
                assert_eq!(message.param(OURS, param), row[member].as_str().unwrap());
            }
            assert_eq!(message.param(OURS, "sourcePort"), event["source_port"].to_string());
            let names: Vec<&str> = event["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(message.param(OURS, "names"), names.join(" "));
            assert_eq!((message.param(OURS, "vantage"), message.param(OURS, "confidence")), ("client side", "99"));
        }
        // Suspects where they are asked for, as notices.
        let all = report["sources"].as_array().unwrap().len();
        let (told, _) = replay(carrier, word, all, &[&["--suspects"], &SAMPLE[..]].concat());
        let suspects: Vec<&Message> = told.iter().filter(|message| message.id == "suspect").collect();
        assert_eq!((suspects.len(), suspects[0].priority), (all - count, 3 * 8 + 5));
    }
}

/// The octets of a message, but for who sent it.
#[test]
fn as_expected() {
    for format in ["json", "cef"] {
        let receiver = Receiver::at("127.0.0.1:0", Carrier::Udp, &Identity::of("127.0.0.1"));
        let address = format!("udp://{}", receiver.address());
        let arguments = ["replay", "--syslog", &address, "--syslog-format", format, "--suspects"];
        printed(&dgawatch(&[&arguments, &SAMPLE[..]].concat()), 0);
        let mut incoming = receiver.accept();
        let mut text = String::new();
        for octets in incoming.take(10) {
            let message = Message::read(&octets);
            let sender = format!(" {} dgawatch {} ", message.host, message.process);
            let version = format!("|dgawatch|{}|", env!("CARGO_PKG_VERSION"));
            let line = String::from_utf8(octets).unwrap().replacen(&sender, " HOST dgawatch PROCESS ", 1);
            text.push_str(&line.replace(&version, "|dgawatch|VERSION|"));
            text.push('\n');
        }
        expect_file(&format!("syslog/{format}"), text.as_bytes());
    }
}

/// In presentation form; each means something in a message, in JSON or in CEF.
const HOSTILE: [&str; 8] = [
    "ok.evil",
    r#"a"]b.evil"#,
    r"a][x@1\032y=\034z\034]b.evil",
    r"a\\b.evil",
    r"a\013\010b.evil",
    r"\027[2J.evil",
    r"\000\255.evil",
    r"a|b=c]\093.evil",
];

const VANTAGE: &str = r#"a]"b\c=|é"#;

#[test]
fn nothing_breaks_out() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("list"), HOSTILE.join("\n")).unwrap();
    let names = HOSTILE.map(|name| Name::parse(name).unwrap());
    let packets: Vec<_> = (0_u64..)
        .zip(&names)
        .map(|(step, name)| {
            let mut payload = query(1, "x", 1);
            // The header, then the name as it is on the wire, type and class.
            payload.truncate(12);
            payload.extend_from_slice(name.as_wire());
            payload.extend_from_slice(&[0, 1, 0, 1]);
            let packet = ethernet(&[], &udp(at("192.0.2.7", 4_000), at("198.51.100.53", 53), &payload));
            (1_238_493_600_000_000_000 + step * 1_000_000, packet)
        })
        .collect();
    fs::write(path("capture"), USUAL.file(&packets)).unwrap();
    let shown = names.map(|name| name.to_string());
    for (carrier, word) in CARRIERS {
        for format in ["json", "cef"] {
            let list = format!("evil={}", path("list"));
            let arguments = ["--family", "conficker-a", "--list", &list, "--vantage", VANTAGE, "--syslog-format", format];
            let (messages, _) = replay(carrier, word, 1, &[&arguments[..], &[&*path("capture")]].concat());
            let message = &messages[0];
            assert_eq!(message.data.len(), 2, "{message:?}");
            assert_eq!(message.param(OURS, "names"), shown.join(" "));
            assert_eq!(message.param(OURS, "vantage"), VANTAGE);
            if format == "json" {
                let event: Value = serde_json::from_str(&message.text).unwrap();
                assert_eq!(event["names"], Value::from(shown.to_vec()));
            }
            // The vantage is in CEF alone, and beyond ASCII.
            assert_eq!(message.marked, format == "cef");
        }
    }
}

/// A sender at work, and what it says.
struct Work {
    queue: SyslogQueue,
    thread: thread::JoinHandle<()>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Work {
    fn start(address: &str, authority: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let authorities = folder.path().join("ca.pem");
        fs::write(&authorities, authority).unwrap();
        let receiver: SyslogReceiver = address.parse().unwrap();
        let link = SyslogLink::prepare(receiver, &SyslogTls { authorities, own: None }).unwrap();
        let (queue, said) = (SyslogQueue::default(), Arc::new(Mutex::new(vec![])));
        let sender = SyslogSender::new(queue.clone(), link);
        let told = Arc::clone(&said);
        let thread = thread::spawn(move || sender.run(&|sentence| told.lock().unwrap().push(sentence.to_owned())));
        Self { queue, thread, said }
    }

    fn put(&self, numbers: std::ops::Range<u32>) {
        numbers.for_each(|number| self.queue.put(format!("message {number}").as_bytes()));
    }

    /// Waits until the counts are as they should be.
    #[track_caller]
    fn wait(&self, what: &str, until: impl Fn(dgawatch::export::SyslogCounts) -> bool) {
        let begun = Instant::now();
        while !until(self.queue.counts()) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", self.queue.counts());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn numbered(numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbers.map(|number| format!("message {number}").into_bytes()).collect()
}

/// Down at the start, gone mid-way, back again: what was not taken is sent, once, in order.
#[test]
fn a_receiver_that_comes_and_goes() {
    let identity = Identity::of("127.0.0.1");
    for (carrier, word) in &CARRIERS[1..] {
        let address = Receiver::at("127.0.0.1:0", *carrier, &identity).address().to_string();
        let work = Work::start(&format!("{word}://{address}"), &identity.authority);
        work.put(0..10);
        work.wait("it tries", |counts| counts.failures > 1);
        assert_eq!(work.queue.counts().waiting(), 10);

        let receiver = Receiver::at(&address, *carrier, &identity);
        let mut incoming = receiver.accept();
        assert_eq!(incoming.take(10), numbered(0..10));
        incoming.say(b"who are you?");
        work.put(10..12);
        assert_eq!(incoming.take(2), numbered(10..12));
        work.wait("all are sent", |counts| counts.sent == 12);

        drop((incoming, receiver));
        let failures = work.queue.counts().failures;
        work.put(12..20);
        work.wait("it tries again", |counts| counts.failures > failures);
        let receiver = Receiver::at(&address, *carrier, &identity);
        let mut incoming = receiver.accept();
        assert_eq!(incoming.take(8), numbered(12..20));
        work.put(20..30);
        work.queue.close(PATIENCE);
        assert_eq!(incoming.take(10), numbered(20..30));
        assert!(incoming.next().is_none());
        work.thread.join().unwrap();
        let counts = work.queue.counts();
        assert_eq!((counts.told, counts.sent, counts.dropped, counts.waiting()), (30, 30, 0, 0));
        let said = work.said.lock().unwrap();
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].ends_with("it is tried again, and counted") && said[1].ends_with("messages are taken again"), "{said:?}");
    }
}

/// Nobody says that a datagram came; where nobody listens, the system tells with the next.
#[test]
fn datagrams_to_nobody() {
    let identity = Identity::of("127.0.0.1");
    let address = Receiver::at("127.0.0.1:0", Carrier::Udp, &identity).address().to_string();
    let work = Work::start(&format!("udp://{address}"), &identity.authority);
    work.put(0..3);
    work.wait("all are sent", |counts| counts.sent == 3);
    assert!(work.queue.counts().failures > 0);
    let receiver = Receiver::at(&address, Carrier::Udp, &identity);
    let mut incoming = receiver.accept();
    work.put(3..1_000);
    work.wait("all are sent", |counts| counts.sent == 1_000);
    let first = incoming.next().unwrap();
    // The socket may hold the news of one that nobody took: it is tried again.
    assert_eq!(first, b"message 3");
    drop((incoming, receiver));
    work.put(1_000..1_010);
    work.queue.close(Duration::from_secs(1));
    work.thread.join().unwrap();
    let counts = work.queue.counts();
    assert_eq!((counts.told, counts.waiting()), (1_010, 0));
    assert_eq!(counts.sent + counts.dropped, counts.told);
}

/// Who cannot show that it is the one gets nothing.
#[test]
fn a_receiver_that_is_another() {
    let (identity, other) = (Identity::of("127.0.0.1"), Identity::of("127.0.0.1"));
    let elsewhere = Identity::of("log.example");
    for (shown, trusted) in [(&other, &identity), (&elsewhere, &elsewhere)] {
        let receiver = Receiver::at("127.0.0.1:0", Carrier::Tls, shown);
        let work = Work::start(&format!("tls://{}", receiver.address()), &trusted.authority);
        let serve = thread::spawn(move || {
            let mut incoming = receiver.accept();
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| incoming.next())).is_err()
        });
        work.put(0..1);
        work.wait("it is refused", |counts| counts.failures > 0);
        assert!(serve.join().unwrap(), "it got something");
        work.queue.close(Duration::ZERO);
        work.thread.join().unwrap();
        let counts = work.queue.counts();
        assert_eq!((counts.sent, counts.dropped), (0, 1));
        assert!(work.said.lock().unwrap()[0].contains("certificate"), "{:?}", work.said);
    }
    let folder = TempDir::new().unwrap();
    let authorities = folder.path().join("none.pem");
    fs::write(&authorities, "nothing").unwrap();
    let why = SyslogLink::prepare("tls://127.0.0.1:1".parse().unwrap(), &SyslogTls { authorities, own: None }).unwrap_err();
    assert!(why.contains("holds no certificate"), "{why}");
}

/// Who is no receiver, and what must not be sent to one.
#[test]
fn what_cannot_be_sent_to() {
    let address = Receiver::at("127.0.0.1:0", Carrier::Tcp, &Identity::of("127.0.0.1")).address();
    let key = TempDir::new().unwrap();
    let key = key.path().join("key");
    fs::write(&key, "0123456789abcdeffedcba9876543210").unwrap();
    let to = format!("tcp://{address}");
    let masked = ["replay", "--syslog", &to, "--syslog-format", "cef", "--pseudonymise", key.to_str().unwrap()];
    let (_, err) = printed(&dgawatch(&[&masked[..], &SAMPLE].concat()), 2);
    assert!(err.contains("would accuse others"), "{err}");
    for wrong in ["tcp://", "http://a", "tcp://a b", "syslog"] {
        let (_, err) = printed(&dgawatch(&[&["replay", "--syslog", wrong][..], &SAMPLE].concat()), 2);
        assert!(err.contains("write it as udp://HOST:514"), "{err}");
    }
    let (_, err) = printed(&dgawatch(&[&["replay", "--syslog", "tcp://no.such.host.invalid"][..], &SAMPLE].concat()), 1);
    assert!(err.contains("syslog tcp://no.such.host.invalid:601: "), "{err}");
}

/// The sensor with its sandbox closed: a receiver that is not there at the start, then is, then goes and comes back. What was told,
/// sent, dropped and waits adds up all the while.
#[test]
fn beside_the_capture() {
    in_namespace("beside_the_capture", || {
        let identity = Identity::of("localhost");
        let folder = TempDir::new().unwrap();
        let authority = folder.path().join("ca.pem");
        fs::write(&authority, &identity.authority).unwrap();
        for (port, (carrier, word)) in (6_001..).zip(CARRIERS) {
            let address = format!("{word}://127.0.0.1:{port}");
            // Named as certificates name it; the namespace has no names but this.
            let address = if carrier == Carrier::Tls { format!("tls://localhost:{port}") } else { address };
            let place = format!("127.0.0.1:{port}");
            let held = (carrier == Carrier::Udp).then(|| Receiver::at(&place, carrier, &identity));
            let arguments = ["--family", "conficker-b", "--format", "json", "--syslog", &address, "--suspects"];
            let mut sensor = Sensor::start(&[&arguments[..], &["--syslog-ca", authority.to_str().unwrap()]].concat());
            let (names, mut wire) = (today(), wire());
            // A suspect at the first name, infected at the third.
            let mut infect = |host: u8| {
                for name in &names[..5] {
                    let client = at(&format!("192.0.2.{host}"), 4_000);
                    wire.sendpacket(ethernet(&[], &udp(client, at("192.0.2.253", 53), &query(1, name, 1)))).unwrap();
                }
            };
            (1..=10).for_each(&mut infect);
            wait(|counts| {
                counts["told"] == 20.0 && (carrier == Carrier::Udp || counts["failure"] > 0.0 && counts["waiting"] == 20.0)
            });
            let receiver = held.unwrap_or_else(|| Receiver::at(&place, carrier, &identity));
            let mut incoming = receiver.accept();
            let messages: Vec<Message> = incoming.take(20).iter().map(|message| Message::read(message)).collect();
            assert_eq!(messages.iter().map(Message::sequence).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
            assert_eq!(messages.iter().filter(|message| message.id == "infected").count(), 10);
            wait(|counts| counts["success"] == 20.0 && counts["waiting"] == 0.0);
            // Whoever is there at the end gets the summaries of the days.
            let _at_the_end = if carrier == Carrier::Udp {
                (incoming, receiver)
            } else {
                drop((incoming, receiver));
                (11..=15).for_each(&mut infect);
                wait(|counts| counts["told"] == 30.0 && counts["waiting"] > 0.0);
                let receiver = Receiver::at(&place, carrier, &identity);
                let mut incoming = receiver.accept();
                let messages: Vec<Message> = incoming.take(10).iter().map(|message| Message::read(message)).collect();
                assert_eq!(messages.iter().map(Message::sequence).collect::<Vec<_>>(), (21..=30).collect::<Vec<_>>());
                wait(|counts| counts["success"] == 30.0);
                (incoming, receiver)
            };
            let report = sensor.stop(0);
            assert_eq!(report["packets"]["outcomes"]["dns_query"], if carrier == Carrier::Udp { 50 } else { 75 });
        }
    });
}

/// Waits until what became of messages is so; it adds up whenever it is looked at.
#[track_caller]
fn wait(until: impl Fn(&BTreeMap<&str, f64>) -> bool) {
    let begun = Instant::now();
    loop {
        let text = metrics();
        let value = |line: &str| -> f64 {
            let line = text.lines().find_map(|text| text.strip_prefix(line)).unwrap_or("0");
            line.trim().parse().unwrap()
        };
        let counts: BTreeMap<&str, f64> = [
            ("told", value(r#"dgawatch_output_events_total{output="syslog"}"#)),
            ("dropped", value(r#"dgawatch_output_events_dropped_total{output="syslog"}"#)),
            ("waiting", value(r#"dgawatch_output_events_waiting{output="syslog"}"#)),
            ("success", value(r#"dgawatch_output_writes_total{output="syslog",result="success"}"#)),
            ("failure", value(r#"dgawatch_output_writes_total{output="syslog",result="failure"}"#)),
        ]
        .into();
        assert_eq!(counts["told"], counts["success"] + counts["dropped"] + counts["waiting"], "{counts:?}");
        if until(&counts) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{counts:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn metrics() -> String {
    let mut stream = TcpStream::connect("127.0.0.1:9353").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
