//! dnstap: files, sockets, and what servers of a hostile mind send to them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use dgawatch::decode::{Assembler, Config, Counts, Decoder, GivenUp, Outcome, Reading};
use dgawatch::source::{Capture, Failure};
use proptest::prelude::*;
use serde_json::Value;
use support::captures::USUAL;
use support::dnstap::{CLIENT_QUERY, CLIENT_RESPONSE, RESOLVER_QUERY, Told, file, frame, number, octets};
use support::packets::{at, ethernet, ip, nxdomain, query, tcp, udp};
use support::{Rng, corpus, dgawatch, dgawatch_with, names, printed};
use tempfile::TempDir;

const DAY: &str = "2009-03-31";

/// Noon of that day.
const NOON: u64 = 1_238_500_800;

const RESOLVER: &str = "192.0.2.53";

/// Files of real servers, held against what another program says of them.
#[test]
fn files_of_real_servers() {
    let Some(folder) = corpus() else { return };
    let mut rows = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let truth = entry.unwrap().path();
        let Some(capture) = truth.to_str().unwrap().strip_suffix(".dnstap.truth.tsv") else { continue };
        let (out, _) = printed(&dgawatch(&["decode", capture]), 0);
        let got: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
        let text = fs::read_to_string(&truth).unwrap();
        let mut lines = text.lines();
        let header: HashMap<&str, usize> =
            lines.next().unwrap().split('\t').enumerate().map(|(place, name)| (name, place)).collect();
        let expected: Vec<&str> = lines.collect();
        assert_eq!(got.len(), expected.len(), "{capture}");
        for (got, expected) in got.iter().zip(expected) {
            let fields: Vec<&str> = expected.split('\t').collect();
            let field = |name: &str| fields[header[name]];
            let is_query = field("type").ends_with('Q');
            let (asker, server) = ([field("query_addr"), field("qport")], [field("resp_addr"), field("rport")]);
            let ends = if is_query { [asker, server] } else { [server, asker] }.concat();
            assert_eq!(got[0], field("n"));
            // The truth has the seconds of queries.
            assert!(!is_query || got[1].split('.').next() == Some(field("qtime")), "{expected}");
            assert_eq!(got[2..6], ends, "{expected}");
            assert_eq!(got[6], field("proto").to_lowercase());
            assert_eq!(got[8], if is_query { "0" } else { "1" });
            assert!(is_query || got[10] == field("rcode"), "{expected}");
            assert_eq!([got[11], got[12]], [field("qname"), field("qtype")]);
            rows += 1;
        }
    }
    assert!(rows >= 2, "no files of dnstap in {}", folder.display());
}

/// Each type of message over each transport, IPv4 and IPv6, in order.
fn everything() -> (Vec<Vec<u8>>, Vec<String>) {
    let transports = ["udp", "udp", "tcp", "tls", "https", "udp", "tcp", "quic"];
    let (mut frames, mut lines) = (vec![], vec![]);
    for kind in 1..=14 {
        for (protocol, transport) in transports.iter().enumerate() {
            for (asker, server) in [("198.51.100.7", RESOLVER), ("2001:db8::7", "2001:db8::53")] {
                let count = frames.len() as u16;
                let (asker, server) = ((asker, 40_000 + count), (server, 53));
                let is_query = kind % 2 == 1;
                let message = if is_query { query(count, "praat.org", 28) } else { nxdomain(count, "praat.org", 28) };
                let time = (NOON + u64::from(count), 123_456_789);
                frames.push(frame(&Told { kind, protocol: protocol as u64, asker, server, time, message: &message }));
                let (from, to) = if is_query { (asker, server) } else { (server, asker) };
                let (response, rcode) = if is_query { (0, 0) } else { (1, 3) };
                lines.push(format!(
                    "{}\t{}.123456789\t{}\t{}\t{}\t{}\t{transport}\t{count}\t{response}\t0\t{rcode}\tpraat.org\t28",
                    count + 1,
                    time.0,
                    from.0,
                    from.1,
                    to.0,
                    to.1
                ));
            }
        }
    }
    (frames, lines)
}

#[test]
fn every_type_over_every_transport() {
    let (frames, lines) = everything();
    let octets = file(&frames);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("all.fstrm");
    fs::write(&path, &octets).unwrap();
    let packed = folder.path().join("all.fstrm.zst");
    fs::write(&packed, compressed(&octets)).unwrap();
    for arguments in [&["decode", path.to_str().unwrap()][..], &["decode", "--dnstap", packed.to_str().unwrap()]] {
        let (out, _) = printed(&dgawatch(arguments), 0);
        assert_eq!(out.lines().collect::<Vec<_>>(), lines, "{arguments:?}");
    }
    // A pipe, and one stream behind another.
    let (out, _) = printed(&dgawatch_with(&["decode", "-"], &octets.repeat(2)), 0);
    assert_eq!(out.lines().count(), 2 * lines.len());
    // What a stream was cut in is not lost with its end: files of servers that are killed end without STOP.
    let (out, err) = printed(&dgawatch_with(&["decode", "-"], &octets[..octets.len() - 12]), 0);
    assert_eq!((out.lines().count(), err.as_str()), (lines.len(), ""));
    let (out, err) = printed(&dgawatch_with(&["decode", "-"], &octets[..octets.len() - 13]), 1);
    assert_eq!(out.lines().count(), lines.len() - 1);
    assert!(err.contains("is cut"), "{err}");

    let report = replay(&["--dnstap", path.to_str().unwrap()]);
    let each = frames.len() as u64 / 8;
    assert_eq!(report["packets"]["outcomes"]["dnstap"], frames.len());
    for (transport, share) in [("udp", 3), ("tcp", 2), ("tls", 1), ("https", 1), ("quic", 1)] {
        for kind in ["query", "response"] {
            assert_eq!(report["messages"][transport][kind], share * each / 2, "{transport} {kind}");
        }
    }
}

/// As zstd stores it: one frame with raw blocks.
fn compressed(octets: &[u8]) -> Vec<u8> {
    let mut file = vec![0x28, 0xB5, 0x2F, 0xFD, 0, 0x58];
    let blocks = octets.chunks(100_000);
    let last = blocks.len() - 1;
    for (place, block) in blocks.enumerate() {
        let header = (block.len() as u32) << 3 | u32::from(place == last);
        file.extend(&header.to_le_bytes()[..3]);
        file.extend(block);
    }
    file
}

fn replay(arguments: &[&str]) -> Value {
    let whole = [&["replay", "--quiet", "--format", "json"], arguments].concat();
    serde_json::from_str(&printed(&dgawatch(&whole), 0).0).unwrap()
}

/// Second, query or response, the client's end, the message.
type Exchanged = (u64, &'static str, (String, u16), Vec<u8>);

/// Who asked for what: made-up hosts, one of four infected, over a resolver that asks on.
fn traffic() -> Vec<Exchanged> {
    let list = names("conficker-b", DAY);
    let mut random = Rng(7);
    (0..4_000_u64)
        .map(|number| {
            let host = random.below(40);
            let port = 1_024 + random.below(60_000) as u16;
            let name = match host % 4 {
                0 => list[random.below(list.len() as u64) as usize].clone(),
                _ => format!("www{}.example", random.below(900)),
            };
            let (id, response) = (random.next() as u16, random.below(2) > 0);
            let message = if response { nxdomain(id, &name, 1) } else { query(id, &name, 1) };
            let kind = if response { "response" } else { "query" };
            (NOON + number, kind, (format!("10.0.0.{host}"), port), message)
        })
        .collect()
}

/// The same messages, in packets and as a resolver tells of them, are the same evidence.
#[test]
fn the_same_as_packets() {
    let traffic = traffic();
    let (mut packets, mut frames) = (vec![], vec![]);
    for (time, kind, (host, port), message) in &traffic {
        let (client, server) = (at(host, *port), at(RESOLVER, 53));
        let (from, to) = if *kind == "query" { (client, server) } else { (server, client) };
        packets.push((time * 1_000_000_000, ethernet(&[], &udp(from, to, message))));
        let kind = if *kind == "query" { CLIENT_QUERY } else { CLIENT_RESPONSE };
        let (asker, server) = ((host.as_str(), *port), (RESOLVER, 53));
        frames.push(frame(&Told { kind, protocol: 1, asker, server, time: (*time, 0), message }));
    }
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("packets"), USUAL.file(&packets)).unwrap();
    fs::write(path("frames"), file(&frames)).unwrap();
    let family = ["--family", "conficker-b"];
    let packets = replay(&[&family[..], &[&path("packets")]].concat());
    assert_eq!(packets["sources"].as_array().unwrap().len(), 10);
    for threads in ["1", "3"] {
        let frames = replay(&[&family[..], &["--threads", threads, "--dnstap", &path("frames")]].concat());
        for part in ["sources", "families", "messages", "lists", "rendezvous"] {
            assert_eq!(frames[part], packets[part], "{part} with {threads} threads");
        }
        assert_eq!(frames["packets"]["read"], packets["packets"]["read"]);
        assert_eq!(frames["captures"][0]["first_packet"], packets["captures"][0]["first_packet"]);
        assert_eq!(frames["captures"][0]["last_packet"], packets["captures"][0]["last_packet"]);
    }
}

/// What becomes of the frames of a file, as far as it can be read: each is a message or is given up.
fn outcomes(octets: &[u8]) -> Result<(u64, Option<Failure>), Failure> {
    let mut capture = Capture::new(octets)?;
    let config = Config::new(&[], &[]);
    let (mut decoder, mut assembler) = (Decoder::new(config.clone()), Assembler::new(config));
    let (mut counts, mut handed, mut block) = (Counts::default(), 0, vec![]);
    let failure = loop {
        match capture.fill(&mut block) {
            Ok(true) => {}
            Ok(false) => break None,
            Err(failure) => break Some(failure),
        }
        let (_, outcome) = capture.walk(&block, |record| {
            let reading = decoder.read(record);
            counts.add(reading.outcome());
            let Reading::Piece(piece) = reading else { panic!("a frame that is no piece") };
            assembler.take(counts.total(), &piece, &mut |_, message| {
                // Whoever tells, evidence is of an address.
                assert_eq!(message.source().is_ipv4(), message.destination().is_ipv4());
                handed += 1;
            });
        });
        if let Err(failure) = outcome {
            break Some(failure);
        }
    };
    assert!(!assembler.is_waiting());
    let given_up = assembler.given_up();
    let lost = given_up.of(GivenUp::DnstapMalformed) + given_up.of(GivenUp::DnstapIncomplete);
    assert_eq!(given_up.total(), lost);
    assert_eq!(handed, assembler.messages().total());
    assert_eq!(counts.of(Outcome::Dnstap), counts.total());
    assert_eq!(counts.total(), handed + lost, "each frame is a message or given up");
    Ok((counts.total(), failure))
}

#[test]
fn files_cut_anywhere() {
    let octets = file(&everything().0[..3]);
    let whole: Vec<usize> = {
        let mut ends = vec![42];
        while ends.last().unwrap() + 12 < octets.len() {
            let at = *ends.last().unwrap();
            let length = u32::from_be_bytes(*octets[at..].first_chunk().unwrap()) as usize;
            ends.push(at + 4 + length);
        }
        ends
    };
    assert_eq!(whole.len(), 4);
    for length in 0..=octets.len() {
        let expected = whole.iter().filter(|end| **end <= length).count();
        match outcomes(&octets[..length]) {
            Err(failure) => assert!(length < 42, "{length}: {failure}"),
            Ok((frames, failure)) => {
                assert_eq!(frames as usize + 1, expected, "{length}");
                let between = whole.contains(&length) || length == octets.len();
                assert_eq!(failure.is_none(), between, "{length}: {failure:?}");
            }
        }
    }
}

#[test]
fn what_is_no_dnstap() {
    let start = support::dnstap::control(2);
    let huge = [start.clone(), 300_000_u32.to_be_bytes().to_vec()].concat();
    let (_, failure) = outcomes(&huge).unwrap();
    assert!(failure.unwrap().to_string().contains("a frame of 300000 octets"));
    let endless = [start.clone(), vec![0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]].concat();
    assert!(outcomes(&endless).unwrap().1.is_some());
    let mut foreign = start;
    foreign[20] ^= 1;
    assert!(matches!(outcomes(&foreign), Err(Failure::Unknown)));
    // Where to listen is no file.
    let (_, err) = printed(&dgawatch(&["replay", "--dnstap", "unix:/run/dnstap.sock"]), 2);
    assert!(err.contains("dgawatch live --dnstap"), "{err}");
}

/// A file of frames of which some are odd.
fn odd_file() -> impl Strategy<Value = Vec<u8>> {
    let field = (0..17_u64, any::<u64>(), proptest::collection::vec(any::<u8>(), 0..30), any::<bool>())
        .prop_map(|(tag, value, content, is_number)| if is_number { number(tag, value) } else { octets(tag, &content) });
    let inner = proptest::collection::vec(field, 0..8).prop_map(|fields| octets(14, &fields.concat()));
    let odd = prop_oneof![inner, proptest::collection::vec(any::<u8>(), 1..60)];
    let plain = (0..224_usize).prop_map(|place| everything().0[place].clone());
    proptest::collection::vec(prop_oneof![odd, plain], 0..12).prop_map(|frames| {
        let frames: Vec<Vec<u8>> = frames.into_iter().filter(|frame| !frame.is_empty()).collect();
        file(&frames)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    /// Octets changed anywhere end in counts, or in one sentence.
    #[test]
    fn damaged_files(file in odd_file(), changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6)) {
        let mut file = file;
        prop_assert!(matches!(outcomes(&file), Ok((_, None))));
        for (place, octet) in changes {
            let length = file.len();
            file[place % length] = octet;
        }
        let _ = outcomes(&file);
    }
}

/// A resolver's own questions are a source's like any other: seen from upstream it is the one who asks.
#[test]
fn a_resolver_that_asks_on() {
    let list = names("conficker-b", DAY);
    let mut frames = vec![];
    for (number, name) in list[..60].iter().enumerate() {
        let (time, port) = ((NOON + number as u64, 0), 5_000 + number as u16);
        let message = query(7, name, 1);
        let client =
            Told { kind: CLIENT_QUERY, protocol: 1, asker: ("10.0.0.7", port), server: (RESOLVER, 53), time, message: &message };
        let upstream = Told { kind: RESOLVER_QUERY, asker: (RESOLVER, port), server: ("198.51.100.1", 53), ..client.clone() };
        let answer = nxdomain(7, name, 1);
        let answered = Told { kind: CLIENT_RESPONSE, message: &answer, ..client.clone() };
        frames.extend([frame(&client), frame(&upstream), frame(&answered)]);
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("frames");
    fs::write(&path, file(&frames)).unwrap();
    let report = replay(&["--family", "conficker-b", path.to_str().unwrap()]);
    let sources = report["sources"].as_array().unwrap();
    let of = |address: &str| sources.iter().find(|row| row["source"] == address).unwrap_or_else(|| panic!("{report}"));
    assert_eq!(of("10.0.0.7")["role"], "client");
    assert_ne!(of(RESOLVER)["role"], "client", "it answers others");
    assert!(Path::new(&path).exists());
}

/// What a span port cannot read is counted by its port, plain, tagged or in a tunnel, and an operator's own port comes first.
#[test]
fn encrypted_dns_on_a_wire() {
    let (mut packets, mut expected) = (vec![], HashMap::new());
    for (client, server) in [("192.0.2.7", RESOLVER), ("2001:db8::7", "2001:db8::53")] {
        // Version 1, version 2, which numbers kinds anew, and an offer of versions; behind the first octet of an Initial packet.
        let initial = |first: u8, version: u32| [&[first][..], &version.to_be_bytes(), &[8; 55]].concat();
        let (one, two, none) = (initial(0xC3, 1), initial(0xD0, 0x6B33_43CF), initial(0xC0, 0));
        let (syn, data, short) = (2, 0x18, vec![0x40; 60]);
        for (port, outcome, answered, flags, payload) in [
            (853, "dns_tls", "dns_tls", Some(data), &short),
            (853, "dns_tls_start", "dns_tls_start", Some(syn), &vec![]),
            (853, "dns_tls", "dns_tls", Some(syn | 16), &vec![]),
            (853, "dns_quic", "dns_quic", None, &short),
            (853, "dns_quic_start", "dns_quic", None, &one),
            (784, "dns_quic_start", "dns_quic", None, &two),
            (784, "dns_quic", "dns_quic", None, &initial(0xD0, 1)),
            (8_853, "dns_quic", "dns_quic", None, &none),
            (8_853, "dns_quic", "dns_quic", None, &vec![0xC0; 4]),
            (784, "not_dns", "not_dns", Some(data), &short),
            (443, "not_dns", "not_dns", Some(syn), &vec![]),
            (443, "not_dns", "not_dns", None, &one),
        ] {
            let (client, server) = (at(client, 40_000), at(server, port));
            for (from, to, outcome) in [(client, server, outcome), (server, client, answered)] {
                let packet = flags.map_or_else(|| udp(from, to, payload), |flags| tcp(from, to, 1, flags, payload));
                let version = if from.is_ipv4() { 4 } else { 41 };
                let tunnel = ip(at("198.51.100.1", 0).ip(), at("198.51.100.2", 0).ip(), version, packet.clone());
                for frame in [ethernet(&[], &packet), ethernet(&[(0x8100, 7)], &packet), ethernet(&[], &tunnel)] {
                    packets.push((NOON * 1_000_000_000, frame));
                    *expected.entry(outcome).or_insert(0) += 1;
                }
            }
        }
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("packets");
    fs::write(&path, USUAL.file(&packets)).unwrap();
    let path = path.to_str().unwrap();
    let outcomes = &replay(&[path])["packets"]["outcomes"];
    assert_eq!(outcomes.as_object().unwrap().values().filter(|count| **count != 0).count(), 5, "{outcomes}");
    for (outcome, count) in expected {
        assert_eq!(outcomes[outcome], count, "{outcome}");
    }
    let (_, err) = printed(&dgawatch(&["replay", "--quiet", "--strict", path]), 1);
    assert!(err.contains("--strict"), "{err}");
    let own = &replay(&["--port", "853", path])["packets"]["outcomes"];
    assert_eq!([&own["dns_tls_start"], &own["dns_tls"], &own["dns_tcp"]], [0, 0, 36].map(Value::from).each_ref(), "{own}");
}

#[cfg(feature = "live")]
mod live {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use serde_json::Value;
    use tempfile::TempDir;

    use super::support::dnstap::{CLIENT_QUERY, Told, control, data, frame};
    use super::support::packets::query;
    use super::support::{names, printed};

    /// The program, without an interface.
    struct Sensor {
        child: Child,
        web: String,
    }

    impl Drop for Sensor {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    impl Sensor {
        fn start(addresses: &[&str]) -> Self {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dgawatch"));
            command.args(["live", "--family", "conficker-b", "--format", "json", "--web.listen-address", "127.0.0.1:0"]);
            for address in addresses {
                command.args(["--dnstap", address]);
            }
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let mut said = vec![];
            loop {
                let line = lines.next().unwrap_or_else(|| panic!("{said:?}")).unwrap();
                let ready = line.contains("listening on dnstap:");
                said.push(line);
                if ready {
                    break;
                }
            }
            let web = said.iter().find_map(|line| line.strip_prefix("dgawatch: serving http://")).unwrap().to_owned();
            // What it says later must not stop it.
            thread::spawn(move || lines.for_each(drop));
            Self { child, web }
        }

        /// The value of a metric with these labels.
        fn metric(&self, line: &str) -> u64 {
            let mut stream = TcpStream::connect(&self.web).unwrap();
            write!(stream, "GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", self.web).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            let found = text.lines().find_map(|there| there.strip_prefix(line)?.strip_prefix(' '));
            found.unwrap_or_else(|| panic!("{line} is not in\n{text}")).parse().unwrap()
        }

        #[track_caller]
        fn wait(&self, line: &str, value: u64) {
            let until = Instant::now() + Duration::from_secs(60);
            while self.metric(line) != value {
                assert!(Instant::now() < until, "{line} is {}, not {value}", self.metric(line));
                thread::sleep(Duration::from_millis(100));
            }
        }

        fn stop(mut self) -> Value {
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
            let mut out = String::new();
            self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            assert_eq!(self.child.wait().unwrap().code(), Some(0), "{out}");
            serde_json::from_str(&out).unwrap()
        }
    }

    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// Queries of a host for names of today, of this protocol.
    fn queries(host: &str, protocol: u64, count: usize) -> Vec<Vec<u8>> {
        let (day, _) = printed(&Command::new("date").args(["-u", "+%F"]).output().unwrap(), 0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let frames = names("conficker-b", day.trim()).into_iter().take(count).map(|name| {
            let message = query(7, &name, 1);
            let told = Told {
                kind: CLIENT_QUERY,
                protocol,
                asker: (host, 4_000),
                server: ("192.0.2.53", 53),
                time: (now.as_secs(), now.subsec_nanos()),
                message: &message,
            };
            data(&frame(&told))
        });
        frames.collect()
    }

    fn read(from: &mut impl Read, length: usize) -> Vec<u8> {
        let mut octets = vec![0; length];
        from.read_exact(&mut octets).unwrap();
        octets
    }

    /// Sends a stream as one that is answered: READY, ACCEPT, START, frames, STOP, FINISH.
    fn both_ways(stream: &mut (impl Read + Write), frames: &[Vec<u8>]) {
        stream.write_all(&control(4)).unwrap();
        assert_eq!(read(stream, 42), control(1));
        stream.write_all(&[control(2), frames.concat(), control(3)].concat()).unwrap();
        assert_eq!(read(stream, 12), control(5));
    }

    #[test]
    fn servers_of_both_kinds() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("dnstap.sock");
        let (unix, tcp) = (format!("unix:{}", path.display()), format!("tcp:{}", free_port()));
        let sensor = Sensor::start(&[&unix, &tcp]);
        let tcp = format!("tcp:127.0.0.1:{}", &tcp[4..]);
        both_ways(&mut UnixStream::connect(&path).unwrap(), &queries("192.0.2.7", 1, 40));
        both_ways(&mut TcpStream::connect(&tcp[4..]).unwrap(), &queries("192.0.2.8", 3, 50));
        // One that expects no answer, in pieces, and is killed in the end: what came whole counts.
        let mut oneway = UnixStream::connect(&path).unwrap();
        let octets = [control(2), queries("2001:db8::9", 7, 60).concat()].concat();
        for piece in octets.chunks(97) {
            oneway.write_all(piece).unwrap();
        }
        drop(oneway);
        sensor.wait(&format!("dgawatch_packets_total{{interface=\"dnstap:{unix}\"}}"), 100);
        sensor.wait(&format!("dgawatch_packets_total{{interface=\"dnstap:{tcp}\"}}"), 50);
        sensor.wait("dgawatch_packet_outcomes_total{outcome=\"dnstap\"}", 150);
        sensor.wait("dgawatch_dns_messages_total{transport=\"tls\",kind=\"query\"}", 50);
        sensor.wait("dgawatch_dns_messages_total{transport=\"quic\",kind=\"query\"}", 60);
        sensor.wait(&format!("dgawatch_dnstap_connections_total{{interface=\"dnstap:{unix}\"}}"), 2);
        sensor.wait(&format!("dgawatch_dnstap_connections_broken_total{{interface=\"dnstap:{unix}\"}}"), 0);
        sensor.wait("dgawatch_sources{family=\"conficker-b\",verdict=\"infected\"}", 3);
        let report = sensor.stop();
        assert_eq!(report["packets"]["read"], 150);
        let mut infected: Vec<(&str, u64)> = report["sources"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["verdict"] == "infected")
            .map(|row| (row["source"].as_str().unwrap(), row["matches"].as_u64().unwrap()))
            .collect();
        infected.sort_unstable();
        assert_eq!(infected, [("192.0.2.7", 40), ("192.0.2.8", 50), ("2001:db8::9", 60)]);
        assert!(path.exists(), "the socket stays, and the next one takes its place");
        drop(Sensor::start(&[&unix]));
    }

    /// Strangers cost the honest nothing: not with nonsense, not with silence, not by their number.
    #[test]
    fn hostile_connections() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("dnstap.sock");
        let unix = format!("unix:{}", path.display());
        let sensor = Sensor::start(&[&unix]);
        let connect = || UnixStream::connect(&path).unwrap();
        let mut honest = connect();
        honest.write_all(&control(4)).unwrap();
        assert_eq!(read(&mut honest, 42), control(1));
        honest.write_all(&control(2)).unwrap();
        let start = control(2);
        let nonsense: [Vec<u8>; 6] = [
            vec![0xFF; 4],
            vec![0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            [start.clone(), vec![0xFF; 64]].concat(),
            [start.clone(), start.clone()].concat(),
            control(3),
        ];
        for octets in &nonsense {
            let mut stream = connect();
            stream.write_all(octets).unwrap();
            let mut rest = vec![];
            // It is closed, perhaps with octets of ours unread.
            let _ = stream.read_to_end(&mut rest);
            assert!(rest.is_empty(), "{octets:?}");
        }
        let broken = format!("dgawatch_dnstap_connections_broken_total{{interface=\"dnstap:{unix}\"}}");
        sensor.wait(&broken, 6);
        // Frames of nobody's, times of any year: each is counted once, and the honest go on.
        let odd = [data(b"\xFF\xFF\xFF"), data(&[8, 1])];
        honest.write_all(&odd.concat()).unwrap();
        sensor.wait("dgawatch_given_up_total{reason=\"dnstap_malformed\"}", 1);
        sensor.wait("dgawatch_given_up_total{reason=\"dnstap_incomplete\"}", 1);
        let message = query(7, "www.example", 1);
        for year in 0..50 {
            let time = (year * 31_556_952, 0);
            let told =
                Told { kind: 5, protocol: 1, asker: ("192.0.2.9", 1), server: ("192.0.2.53", 53), time, message: &message };
            honest.write_all(&data(&frame(&told))).unwrap();
        }
        sensor.wait("dgawatch_packet_outcomes_total{outcome=\"dnstap\"}", 52);
        // So many that they must make room for each other; half of a frame each.
        let crowd: Vec<UnixStream> = (0..80)
            .map(|_| {
                let mut stream = connect();
                stream.write_all(&[start.clone(), 200_000_u32.to_be_bytes().to_vec(), vec![0; 1_000]].concat()).unwrap();
                stream
            })
            .collect();
        let total = format!("dgawatch_dnstap_connections_total{{interface=\"dnstap:{unix}\"}}");
        sensor.wait(&total, 7 + 80);
        let mut last = connect();
        both_ways(&mut last, &queries("192.0.2.7", 1, 40));
        sensor.wait("dgawatch_sources{family=\"conficker-b\",verdict=\"infected\"}", 1);
        // Who has told of a message before is not among those that go.
        honest.write_all(&queries("192.0.2.8", 1, 30).concat()).unwrap();
        sensor.wait("dgawatch_sources{family=\"conficker-b\",verdict=\"infected\"}", 2);
        drop(crowd);
        let report = sensor.stop();
        assert_eq!(report["packets"]["read"], 2 + 50 + 40 + 30);
        let days: Vec<&Value> = report["lists"].as_array().unwrap().iter().map(|list| &list["list_day"]).collect();
        assert!(days.len() <= 4, "lists are of days around now: {days:?}");
    }

    /// A program that ends with the test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// dnsdist tells which transport a client used: plain, TLS and HTTPS, each with a host of its own that is infected.
    #[test]
    fn dnsdist_tells_of_every_transport() {
        for program in ["dnsdist", "kdig"] {
            if Command::new(program).arg("--version").output().is_err() {
                let why = "dnsdist was not tested (Debian: dnsdist, knot-dnsutils)";
                let _ = writeln!(std::io::stderr(), "WARNING: {why}: there is no {program}");
                return;
            }
        }
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let certified = rcgen::generate_simple_self_signed(["resolver.example".to_owned()]).unwrap();
        std::fs::write(path("certificate.pem"), certified.cert.pem()).unwrap();
        std::fs::write(path("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        let (unix, port) = (format!("unix:{}", path("dnstap.sock")), free_port());
        let tcp = format!("tcp:127.0.0.1:{port}");
        let sensor = Sensor::start(&[&unix, &tcp]);
        let (plain, tls, https) = (free_port(), free_port(), free_port());
        let both = format!("\"{}\", \"{}\"", path("certificate.pem"), path("key.pem"));
        // It tells of queries through one socket, of its answers through the other.
        let config = format!(
            "setSecurityPollSuffix('')\nsetLocal('127.0.0.1:{plain}')\naddTLSLocal('127.0.0.1:{tls}', {both})\naddDOHLocal('127.0.0.1:{https}', {both})\n\
             queries = newFrameStreamUnixLogger('{}')\nanswers = newFrameStreamTcpLogger('127.0.0.1:{port}')\n\
             addAction(AllRule(), DnstapLogAction('dnsdist', queries))\n\
             addSelfAnsweredResponseAction(AllRule(), DnstapLogResponseAction('dnsdist', answers))\n\
             addAction(AllRule(), RCodeAction(DNSRCode.NXDOMAIN))\n",
            path("dnstap.sock")
        );
        std::fs::write(path("dnsdist.conf"), config).unwrap();
        let mut dnsdist = Command::new("dnsdist");
        dnsdist.args(["--supervised", "--disable-syslog", "-C", &path("dnsdist.conf")]);
        let dnsdist = Running(dnsdist.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", https)).is_err() {
            assert!(Instant::now() < until, "dnsdist does not begin");
            thread::sleep(Duration::from_millis(100));
        }
        let (day, _) = printed(&Command::new("date").args(["-u", "+%F"]).output().unwrap(), 0);
        let list = &names("conficker-b", day.trim())[..10];
        let hosts = ["127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"];
        let ways = [("udp", "+notcp", plain), ("tcp", "+tcp", plain), ("tls", "+tls", tls), ("https", "+https", https)];
        for (host, (transport, way, port)) in hosts.into_iter().zip(ways) {
            let mut kdig = Command::new("kdig");
            let output = kdig.args(["@127.0.0.1", "-p", &port.to_string(), "-b", host, way]).args(list).output().unwrap();
            let (out, _) = printed(&output, 0);
            assert_eq!(out.matches("NXDOMAIN").count(), list.len(), "{transport}: {out}");
        }
        for (transport, ..) in ways {
            for kind in ["query", "response"] {
                sensor.wait(&format!("dgawatch_dns_messages_total{{transport=\"{transport}\",kind=\"{kind}\"}}"), 10);
            }
        }
        sensor.wait("dgawatch_sources{family=\"conficker-b\",verdict=\"infected\"}", 4);
        drop(dnsdist);
        let report = sensor.stop();
        let sources = report["sources"].as_array().unwrap();
        let mut found: Vec<_> = sources
            .iter()
            .map(|row| (row["source"].as_str().unwrap(), row["matches"].as_u64().unwrap(), row["responses"].as_u64().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, hosts.map(|host| (host, 10, 10)));
        assert_eq!(report["given_up"]["dnstap_malformed"], 0);
        assert_eq!(report["given_up"]["dnstap_incomplete"], 0);
    }

    #[test]
    fn addresses_that_cannot_be() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "mine").unwrap();
        let program =
            |address: &str| Command::new(env!("CARGO_BIN_EXE_dgawatch")).args(["live", "--dnstap", address]).output().unwrap();
        let (_, err) = printed(&program(&format!("unix:{}", file.display())), 1);
        assert!(err.contains("which is no socket"), "{err}");
        let (_, err) = printed(&program("/run/dnstap.fstrm"), 2);
        assert!(err.contains("dgawatch replay"), "{err}");
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_, err) = printed(&program(&format!("tcp:{}", taken.local_addr().unwrap())), 1);
        assert!(err.contains("cannot be listened to"), "{err}");
    }
}
