//! The sensor where it belongs: a network with hosts, a resolver, a span port, and Prometheus asking. A second sensor is told of
//! the same messages by the resolver itself (dnstap), and of those over TLS, to which a span port is blind.
//!
//! ```text
//!  hosts (infected, clean) ---.
//!                              switch that floods, as a span port shows all --- sensor, prometheus
//!  resolver (unbound) --------'
//! ```
//!
//! Each in a network namespace of the test's own, gone at the end; nothing leaves them. Needs root, iproute2, unbound and
//! prometheus; says aloud when it cannot run.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, process, thread};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use support::dashboards::{Expression, expressions};
use support::names;
use support::packets::query;
use tempfile::TempDir;

/// Set in processes inside a namespace, to what they are to do.
const ROLE: &str = "DGAWATCH_END_TO_END";

/// What this test is called.
const NAME: &str = "a_network_with_a_sensor";

const INFECTED: [&str; 2] = ["10.99.0.11", "10.99.0.12"];
const CLEAN: [&str; 2] = ["10.99.0.13", "10.99.0.14"];
const RESOLVER: &str = "10.99.0.53";

/// Infected too, and asks over TLS.
const HIDDEN: &str = "10.99.0.15";

/// Where the sensors serve: the one at the span port, and the one that the resolver tells.
const SPAN: &str = "127.0.0.1:9353";
const TOLD: &str = "127.0.0.1:9354";

#[test]
fn a_network_with_a_sensor() {
    match env::var(ROLE).as_deref() {
        Ok("sensor") => return sensor(),
        Ok("hosts") => return hosts(),
        Ok("burst") => return burst(),
        _ => {}
    }
    let network = Network(format!("dgawatch-e2e-{}", process::id()));
    if let Err(why) = network.create() {
        let _ = writeln!(std::io::stderr(), "WARNING: the sensor was not tested from end to end: {why}");
        return;
    }
    let status = network.inside("sensor", NAME).env("DGAWATCH_NETWORK", &network.0).status().unwrap();
    assert!(status.success());
}

/// What happens at the span port. This process is in the sensor's namespace, with loopback for the sensor and Prometheus.
fn sensor() {
    let network = env::var("DGAWATCH_NETWORK").unwrap();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let told = Command::new(env!("CARGO_BIN_EXE_dgawatch"))
        .args(["live", "--dnstap", &format!("unix:{}", path("dnstap.sock")), "--family", "conficker-b", "--format", "json"])
        .args(["--user", "nobody", "--web.listen-address", TOLD])
        .stdout(Stdio::null())
        .spawn();
    let told = Running(told.unwrap());
    wait("the sensor that is told is ready", || fetch(TOLD, "/-/ready").is_some_and(|(status, _)| status == 200));
    let resolver = Running(unbound(&network, folder.path()));
    wait("the resolver has connected", || series(TOLD, "dgawatch_dnstap_connections_total{") == 1);
    let state = path("state");
    fs::write(path("networks.csv"), "prefix,label\n10.99.0.0/24,hosts\n").unwrap();
    let parquet = ["--parquet", &path("lake"), "--parquet-interval", "1"].map(str::to_owned);
    let start = || {
        let child = Command::new(env!("CARGO_BIN_EXE_dgawatch"))
            .args(["live", "--interface", "span", "--family", "conficker-b", "--state-dir", &state, "--events", &path("events")])
            .args([
                "--ring-size",
                "1M",
                "--state-interval",
                "1",
                "--user",
                "nobody",
                "--format",
                "json",
                "--networks",
                &path("networks.csv"),
            ])
            .args(parquet.iter().filter(|_| cfg!(feature = "parquet")))
            .stdout(Stdio::null())
            .spawn();
        Running(child.unwrap())
    };
    let first = start();
    wait("the sensor is ready", || get("/-/ready").is_some_and(|(status, _)| status == 200));
    let prometheus = Running(prometheus(folder.path()));
    wait("Prometheus is up", || ask("up").is_some());

    // Hosts look up the names of today, and answers come from a real resolver that knows none of them.
    let from_hosts = |role| {
        let status = Command::new("ip")
            .args(["netns", "exec", &format!("{network}-hosts"), env::current_exe().unwrap().to_str().unwrap()])
            .args(["--exact", NAME, "--nocapture"])
            .env(ROLE, role)
            .env("DGAWATCH_CERTIFICATE", path("certificate.pem"))
            .status();
        assert!(status.unwrap().success());
    };
    from_hosts("hosts");

    // Through Prometheus: just the infected, and the alert about them.
    wait("two sources are infected", || ask(r#"dgawatch_sources{family="conficker-b",verdict="infected"}"#) == Some(vec![2.0]));
    wait("each has a series of its own", || {
        INFECTED.iter().all(|source| ask(&format!(r#"dgawatch_source_matches_total{{source="{source}"}}"#)) == Some(vec![40.0]))
    });
    #[cfg(feature = "parquet")]
    wait("the evidence is there as Parquet, from a process that is confined", || {
        let mut infected = vec![];
        let read = dgawatch::export::parquet::read_evidence(Path::new(&path("lake")), &mut |row| {
            infected.extend((row.verdict == dgawatch::ledger::Verdict::Infected).then(|| row.source.to_string()));
            Ok(())
        });
        read.is_ok() && INFECTED.iter().all(|source| infected.contains(&(*source).to_owned()))
    });
    for source in CLEAN.iter().chain(&[RESOLVER]) {
        assert_eq!(ask(&format!(r#"dgawatch_source_matches_total{{source="{source}"}}"#)), None, "{source}");
    }
    wait("the rule fires", || ask(r#"ALERTS{alertname="DgawatchNewInfections",alertstate="firing"}"#).is_some());
    // Every panel has something to show, and every variable something to choose.
    for Expression { place, query } in expressions() {
        wait(&format!("{place} shows: {query}"), || ask(&query).is_some());
    }
    let events: Vec<Value> =
        fs::read_to_string(path("events")).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for source in INFECTED {
        assert!(events.iter().any(|event| event["event"] == "infected" && event["source"] == source), "{source}: {events:?}");
    }

    // The resolver tells of the same hosts, and of the one that hides from a span port.
    let with_hidden: Vec<&str> = INFECTED.into_iter().chain([HIDDEN]).collect();
    wait("the resolver has told of all infected", || infected(TOLD) == with_hidden);
    assert_eq!(infected(SPAN), INFECTED);
    for source in INFECTED {
        assert_eq!(evidence(TOLD, source), evidence(SPAN, source), "{source}");
    }
    let messages = |sensor: &str, transports: &[&str], kind: &str| -> u64 {
        let of = |transport| series(sensor, &format!("dgawatch_dns_messages_total{{transport=\"{transport}\",kind=\"{kind}\"}}"));
        transports.iter().map(of).sum()
    };
    for kind in ["query", "response"] {
        // unbound 1.17 tells of TLS as of TCP, which nobody uses here without.
        assert_eq!(messages(TOLD, &["tcp", "tls"], kind), 40, "{kind}");
        assert_eq!(messages(SPAN, &["tcp", "tls"], kind), 0, "{kind}");
        assert_eq!(messages(TOLD, &["udp"], kind), messages(SPAN, &["udp"], kind), "{kind}");
    }
    for (outcome, bound) in [("dns_tls_start", 0), ("dns_tls", 40)] {
        let seen = series(SPAN, &format!("dgawatch_packet_outcomes_total{{outcome=\"{outcome}\"}}"));
        assert!(seen > bound, "the span port shows how blind it is: {seen} {outcome}");
    }
    assert_eq!(series(TOLD, "dgawatch_given_up_total{reason=\"dnstap_incomplete\"}"), 0);
    assert_eq!(series(TOLD, "dgawatch_given_up_total{reason=\"dnstap_malformed\"}"), 0);

    // Losses are seen where there are any: the sensor does nothing for a while, and its ring runs over.
    let loss: Vec<Expression> = expressions().into_iter().filter(|asked| asks_for_loss(&asked.query)).collect();
    assert_eq!(loss.len(), 3, "panels that show loss");
    assert!(loss.iter().all(|asked| ask(&asked.query).unwrap().iter().all(|value| *value == 0.0)), "something is lost already");
    signal(&first, "STOP");
    from_hosts("burst");
    signal(&first, "CONT");
    wait("loss is counted", || {
        let dropped = ask(r#"dgawatch_packets_dropped_total{stage="kernel"}"#);
        dropped.is_some_and(|values| values.iter().sum::<f64>() > 0.0)
    });
    for Expression { place, query } in loss {
        wait(&format!("{place} shows loss: {query}"), || {
            ask(&query).is_some_and(|values| values.iter().any(|value| *value > 0.0))
        });
    }

    // Killed outright and started again: the evidence of today is back.
    thread::sleep(Duration::from_millis(2_500));
    drop(first);
    let second = start();
    wait("the evidence is back", || {
        let found = get("/api/v1/sources?verdict=infected").filter(|(status, _)| *status == 200);
        found.is_some_and(|(_, body)| INFECTED.iter().all(|source| body.contains(source)))
    });
    wait("Prometheus sees it", || ask(r#"dgawatch_sources{family="conficker-b",verdict="infected"}"#) == Some(vec![2.0]));
    drop((second, prometheus, resolver, told));
}

/// The value of the first series of a sensor's that begins like this; nothing counts as 0.
fn series(sensor: &str, start: &str) -> u64 {
    let Some((200, text)) = fetch(sensor, "/metrics") else { return 0 };
    let line = text.lines().find(|line| line.starts_with(start));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Infected sources, in order.
fn infected(sensor: &str) -> Vec<String> {
    let Some((200, body)) = fetch(sensor, "/api/v1/sources?verdict=infected") else { return vec![] };
    let answer: Value = serde_json::from_str(&body).unwrap();
    let mut sources: Vec<String> =
        answer["sources"].as_array().unwrap().iter().map(|row| row["source"].as_str().unwrap().to_owned()).collect();
    sources.sort();
    sources
}

/// What a sensor knows of a source but for times, which packets and the resolver's clock have differently.
fn evidence(sensor: &str, source: &str) -> Vec<Value> {
    let (status, body) = fetch(sensor, &format!("/api/v1/sources?source={source}")).unwrap();
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&body).unwrap();
    let rows = answer["sources"].as_array().unwrap().iter().map(|row| {
        let mut row = row.clone();
        let members = row.as_object_mut().unwrap();
        members.retain(|name, _| !name.ends_with("_seen"));
        row
    });
    rows.collect()
}

/// What the hosts ask, each from its own address: some the worm's names of today, some honest ones.
fn hosts() {
    let (day, _) = support::printed(&Command::new("date").args(["-u", "+%F"]).output().unwrap(), 0);
    let list = names("conficker-b", day.trim());
    let lookup = |source: &str, name: &str| {
        let socket = UdpSocket::bind((source, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.send_to(&query(7, name, 1), (RESOLVER, 53)).unwrap();
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer).unwrap();
        assert!(length > 12);
        // Of whom is nobody's business here; names that are in no zone do not exist.
        answer[3] & 15
    };
    for source in INFECTED {
        for name in &list[..40] {
            assert_eq!(lookup(source, name), 3, "{name}");
        }
    }
    hidden(&list[..40]);
    for source in CLEAN {
        for name in ["www.example", "mail.example", "example"] {
            assert_eq!(lookup(source, name), 0, "{name}");
        }
    }
}

fn asks_for_loss(query: &str) -> bool {
    ["dgawatch_packets_dropped_total", "dgawatch_loss:ratio"].iter().any(|series| query.contains(series))
}

fn signal(program: &Running, name: &str) {
    assert!(Command::new("kill").arg(format!("-{name}")).arg(program.0.id().to_string()).status().unwrap().success());
}

/// Octets of datagrams that a sensor looks at, several times what its ring takes. They are for nobody: the port is closed.
fn burst() {
    let socket = UdpSocket::bind((CLEAN[0], 0)).unwrap();
    for _ in 0..10_000 {
        // The first answer that nobody is there is told by the next call.
        let _ = socket.send_to(&[0; 1_000], (RESOLVER, 5_353));
    }
}

/// Asks for names over TLS, from an address of its own.
fn hidden(names: &[String]) {
    let certificate = CertificateDer::from_pem_file(env::var("DGAWATCH_CERTIFICATE").unwrap()).unwrap();
    let mut authorities = RootCertStore::empty();
    authorities.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    // A route says from which address.
    let stream = TcpStream::connect((RESOLVER, 853)).unwrap();
    assert_eq!(stream.local_addr().unwrap().ip().to_string(), HIDDEN);
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("resolver.example").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    for name in names {
        let query = query(7, name, 1);
        stream.write_all(&[&(query.len() as u16).to_be_bytes(), &query[..]].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[3] & 15, 3, "{name}");
    }
}

/// A resolver with data of its own and nobody to ask, which tells of what it is asked.
fn unbound(network: &str, folder: &Path) -> Child {
    let config = folder.join("unbound.conf");
    let certified = rcgen::generate_simple_self_signed(["resolver.example".to_owned()]).unwrap();
    fs::write(folder.join("certificate.pem"), certified.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
    let text = format!(
        "server:\n  interface: {RESOLVER}\n  interface: {RESOLVER}@853\n  tls-service-pem: {0}/certificate.pem\n  tls-service-key: {0}/key.pem\n  access-control: 10.99.0.0/24 allow\n  do-daemonize: no\n  username: \"\"\n  chroot: \"\"\n  \
         directory: \"{0}\"\n  pidfile: \"{0}/unbound.pid\"\n  use-syslog: no\n  logfile: \"{0}/unbound.log\"\n  \
         local-zone: \".\" static\n  local-zone: \"example.\" transparent\n  local-data: \"example. IN A 192.0.2.1\"\n  \
         local-data: \"www.example. IN A 192.0.2.1\"\n  local-data: \"mail.example. IN A 192.0.2.1\"\nremote-control:\n  control-enable: no\n\
         dnstap:\n  dnstap-enable: yes\n  dnstap-socket-path: \"{0}/dnstap.sock\"\n  dnstap-log-client-query-messages: yes\n  \
         dnstap-log-client-response-messages: yes\n",
        folder.display()
    );
    fs::write(&config, text).unwrap();
    let inside =
        ["netns", "exec", &format!("{network}-resolver"), "unbound", "-d", "-c", config.to_str().unwrap()].map(str::to_owned);
    Command::new("ip").args(inside).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Prometheus with our rules, which asks the sensor every second.
fn prometheus(folder: &Path) -> Child {
    let rules = support::root().join("deploy/prometheus/rules.yml");
    let text = format!(
        "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: ['{}']\nscrape_configs:\n  - job_name: dgawatch\n    \
         static_configs:\n      - targets: ['127.0.0.1:9353']\n",
        rules.display()
    );
    let config = folder.join("prometheus.yml");
    fs::write(&config, text).unwrap();
    let storage = folder.join("prometheus");
    Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", storage.display()))
        .arg("--web.listen-address=127.0.0.1:9090")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The values that an expression has, as Prometheus says; nothing where it has none.
fn ask(expression: &str) -> Option<Vec<f64>> {
    let escaped: String = expression.bytes().map(|octet| format!("%{octet:02x}")).collect();
    let (status, body) = fetch("127.0.0.1:9090", &format!("/api/v1/query?query={escaped}"))?;
    let answer: Value = serde_json::from_str(&body).ok().filter(|_| status == 200)?;
    let values = answer["data"]["result"].as_array()?.iter().map(|row| row["value"][1].as_str().unwrap().parse().unwrap());
    Some(values.collect::<Vec<f64>>()).filter(|values| !values.is_empty())
}

/// What the sensor answers.
fn get(path: &str) -> Option<(u16, String)> {
    fetch(SPAN, path)
}

fn fetch(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Waits until something is so.
#[track_caller]
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A program that ends with the test, at once.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Four namespaces: the switch, and three joined to it.
struct Network(String);

impl Network {
    fn create(&self) -> Result<(), String> {
        for program in ["unbound", "prometheus"] {
            let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            found.map_err(|error| format!("{program}: {error}"))?;
        }
        let name = &self.0;
        let mut lines = vec![
            format!("netns add {name}-switch"),
            // Forgetting at once where anybody is, it sends everything to everybody.
            format!("-n {name}-switch link add switch type bridge ageing_time 0"),
            format!("-n {name}-switch link set switch up"),
        ];
        for (place, addresses) in
            [("sensor", &[][..]), ("resolver", &[RESOLVER]), ("hosts", &[&INFECTED[..], &CLEAN, &[HIDDEN]].concat())]
        {
            let port = if place == "sensor" { "span" } else { "net0" };
            lines.push(format!("netns add {name}-{place}"));
            lines.push(format!("-n {name}-switch link add {place} type veth peer name {port} netns {name}-{place}"));
            lines.push(format!("-n {name}-switch link set {place} master switch up"));
            lines.push(format!("-n {name}-{place} link set lo up"));
            lines.push(format!("-n {name}-{place} link set {port} up"));
            lines.extend(addresses.iter().map(|address| format!("-n {name}-{place} address add {address}/24 dev {port}")));
        }
        lines.push(format!("-n {name}-hosts route add {RESOLVER}/32 dev net0 src {HIDDEN}"));
        for line in lines {
            let output = Command::new("ip").args(line.split(' ')).output().map_err(|error| format!("ip (iproute2): {error}"))?;
            if !output.status.success() {
                return Err(format!("ip {line}: {}", String::from_utf8_lossy(&output.stderr).trim()));
            }
        }
        Ok(())
    }

    /// This test again, in a namespace.
    fn inside(&self, place: &str, test: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}-{place}", self.0), env::current_exe().unwrap().to_str().unwrap()]);
        command.args(["--exact", test, "--nocapture"]).env(ROLE, place);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for place in ["sensor", "resolver", "hosts", "switch"] {
            let _ = Command::new("ip").args(["netns", "del", &format!("{}-{place}", self.0)]).output();
        }
    }
}
