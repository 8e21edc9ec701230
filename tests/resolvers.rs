//! Lists in the programs that they are made for: BIND, unbound and dnsmasq refuse a name of today's list and answer one that is not
//! in it; the STIX library and PyMISP read the indicators. On loopback, from local data, with no word to anybody else.
//!
//! Needs named, unbound, dnsmasq and the Python packages stix2 and pymisp: `deploy/setup --tests` installs them. Says aloud what
//! could not be run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Write, stderr};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dgawatch::dga::{Layout, NameFile};
use dgawatch::name::Name;
use support::{dgawatch, printed, python};
use tempfile::TempDir;

/// Not on any list, and answered from local data.
const HONEST: &str = "www.honest.example";
const ADDRESS: [u8; 4] = [192, 0, 2, 1];

const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

/// Today's names in a format, in a file of the folder; and a name of them.
fn list(folder: &Path, format: &str) -> (PathBuf, String) {
    let path = folder.join(format!("{format}.list"));
    let arguments = ["names", "--family", "conficker", "--format", format, "--output", path.to_str().unwrap()];
    printed(&dgawatch(&arguments), 0);
    let (names, _) = printed(&dgawatch(&["names", "--family", "conficker-c"]), 0);
    (path, names.lines().nth(40_000).unwrap().to_owned())
}

#[test]
fn bind_takes_the_policy_zone() {
    let folder = TempDir::new().unwrap();
    let (zone, listed) = list(folder.path(), "rpz");
    let zone = zone.to_str().unwrap();
    let Some((out, err)) = check("named-checkzone", &["rpz.test", zone]) else { return };
    assert!(err.is_empty() && out.lines().count() == 2, "a warning: {out}{err}");
    assert!(out.starts_with("zone rpz.test/IN: loaded serial ") && out.ends_with("\nOK\n"), "{out}");
    // The listed name has an address as well, so that it is the policy that refuses it.
    let data = format!(
        "zone \"rpz.test\" {{ type primary; file \"{zone}\"; }};\n{}{}",
        bind_zone(folder.path(), "honest.example", "www A 192.0.2.1"),
        bind_zone(folder.path(), &listed, "@ A 192.0.2.1")
    );
    let policy = "response-policy { zone \"rpz.test\"; } qname-wait-recurse no;";
    for (policy, answer) in [("", NOERROR), (policy, NXDOMAIN)] {
        let port = free_port();
        let configuration = bind(folder.path(), port, policy, &data);
        let Some(server) = Server::start("named", &["-g", "-c", &configuration]) else { return };
        assert_eq!(server.ask(port, HONEST), (NOERROR, vec![ADDRESS]));
        // A policy zone takes effect some time after it is loaded.
        let until = Instant::now() + Duration::from_secs(60);
        while server.ask(port, &listed).0 != answer && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(server.ask(port, &listed).0, answer, "{listed} {policy}: {}", server.said());
    }
}

/// Every octet there is, in names of a user's own list: BIND reads the zone without a word, and has the same names.
#[test]
fn bind_reads_any_octet() {
    let folder = TempDir::new().unwrap();
    let (own, zone) = (folder.path().join("own"), folder.path().join("zone"));
    let names: Vec<String> = (0..=255).map(|octet| format!("a\\{octet:03}b.evil")).collect();
    fs::write(&own, names.join("\n")).unwrap();
    let (own, zone) = (format!("own={}", own.display()), zone.to_str().unwrap());
    let arguments = ["names", "--family", "conficker-a", "--list", &own, "--tld", "evil", "--format", "rpz", "--output", zone];
    printed(&dgawatch(&arguments), 0);
    let Some((out, err)) = check("named-checkzone", &["-q", "-D", "-o", "-", "rpz.test", zone]) else { return };
    assert_eq!(err, "");
    let mut file = NameFile::new(Layout::Policy);
    let mut read = BTreeSet::new();
    for line in out.lines() {
        file.line(line.as_bytes(), &mut |name| _ = read.insert(name.to_string())).unwrap();
    }
    // Capital letters are the small ones.
    assert_eq!(read, names.iter().map(|name| Name::parse(name).unwrap().to_string()).collect());
    assert_eq!(read.len(), 256 - 26);
}

#[test]
fn bind_takes_empty_zones() {
    let folder = TempDir::new().unwrap();
    // One family: a zone a name is dear.
    let path = folder.path().join("zones.conf");
    printed(&dgawatch(&["names", "--family", "conficker-b", "--format", "bind", "--output", path.to_str().unwrap()]), 0);
    let text = fs::read_to_string(&path).unwrap();
    let empty: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("//   ")).collect();
    fs::write(folder.path().join("dgawatch-empty.zone"), empty.join("\n") + "\n").unwrap();
    let (names, _) = printed(&dgawatch(&["names", "--family", "conficker-b"]), 0);
    let listed = names.lines().next().unwrap();
    let data = format!("include \"{}\";\n{}", path.display(), bind_zone(folder.path(), "honest.example", "www A 192.0.2.1"));
    let port = free_port();
    let configuration = bind(folder.path(), port, "", &data);
    let Some((out, err)) = check("named-checkconf", &["-z", &configuration]) else { return };
    assert!(err.is_empty() && out.lines().all(|line| line.contains(": loaded serial ")), "a warning: {out}{err}");
    let Some(server) = Server::start("named", &["-g", "-c", &configuration]) else { return };
    assert_eq!(server.ask(port, HONEST), (NOERROR, vec![ADDRESS]));
    assert_eq!(server.ask(port, listed), (NOERROR, vec![]), "{listed}");
    assert_eq!(server.ask(port, &format!("www.{listed}")), (NXDOMAIN, vec![]), "{listed}");
}

#[test]
fn unbound_takes_both() {
    let folder = TempDir::new().unwrap();
    let (zones, listed) = list(folder.path(), "unbound");
    let (policy, _) = list(folder.path(), "rpz");
    let clause = format!("rpz:\n name: rpz.test\n zonefile: \"{}\"\n", policy.display());
    // Local data come before a policy zone in unbound: there the listed name has none, and is refused without anybody being asked.
    for (clause, modules) in [(format!("include: \"{}\"\n", zones.display()), "iterator"), (clause, "respip iterator")] {
        let port = free_port();
        let path = folder.path().join("unbound.conf");
        let text = format!(
            "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{}\"\n pidfile: \"\"\n use-syslog: no\n module-config: \"{modules}\"\n local-zone: \"honest.example.\" static\n local-data: \"{HONEST}. A 192.0.2.1\"\nremote-control:\n control-enable: no\n{clause}",
            folder.path().display()
        );
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let Some((out, err)) = check("unbound-checkconf", &[path]) else { return };
        assert!(err.is_empty() && out.lines().count() == 1 && out.contains("no errors"), "a warning: {out}{err}");
        let Some(mut server) = Server::start("unbound", &["-d", "-c", path]) else { return };
        assert_eq!(server.ask(port, HONEST), (NOERROR, vec![ADDRESS]));
        assert_eq!(server.ask(port, &listed), (NXDOMAIN, vec![]), "{listed}");
        let log = server.stop();
        assert!(!log.contains("warning") && !log.contains("error"), "{log}");
    }
}

#[test]
fn dnsmasq_takes_both() {
    let folder = TempDir::new().unwrap();
    let (domains, listed) = list(folder.path(), "dnsmasq");
    let (hosts, _) = list(folder.path(), "hosts");
    let (domains, hosts) = (format!("--conf-file={}", domains.display()), format!("--addn-hosts={}", hosts.display()));
    let Some((out, err)) = check("dnsmasq", &["--test", &domains]) else { return };
    assert_eq!((&*out, err.trim_end()), ("", "dnsmasq: syntax check OK."));
    let rows = [(&*domains, (NXDOMAIN, vec![])), (&*hosts, (NOERROR, vec![[0; 4]]))];
    for (flag, answer) in rows {
        let port = free_port();
        let (port_flag, data) = (format!("--port={port}"), format!("--address=/honest.example/{}", Ipv4Addr::from(ADDRESS)));
        let mut flags = vec!["-k", "--no-resolv", "--no-hosts", "--no-poll", "--bind-interfaces", "--listen-address=127.0.0.1"];
        flags.extend(["--pid-file=", "--user=", "--log-facility=-", &port_flag, &data, flag]);
        if !flag.starts_with("--conf-file") {
            flags.push("--conf-file=");
        }
        let Some(server) = Server::start("dnsmasq", &flags) else { return };
        assert_eq!(server.ask(port, HONEST), (NOERROR, vec![ADDRESS]));
        assert_eq!(server.ask(port, &listed), answer, "{listed} {flag}");
    }
}

/// What the libraries of both exchanges make of our indicators.
const READ_STIX: &str = "
import stix2, sys
bundle = stix2.parse(open(sys.argv[1]).read(), allow_custom=False)
for indicator in bundle.objects:
    assert indicator.type == 'indicator' and indicator.spec_version == '2.1'
    assert str(indicator.valid_from) == '2009-03-30 00:00:00+00:00', indicator.valid_from
    assert str(indicator.valid_until) == '2009-04-02 00:00:00+00:00', indicator.valid_until
    print(stix2.pattern_visitor.create_pattern_object(indicator.pattern, version='2.1').operand.rhs.value)
";

const READ_MISP: &str = "
import json, pathlib, pymisp, sys
folder = pathlib.Path(sys.argv[1])
manifest = json.load(open(folder / 'manifest.json'))
assert len(manifest) == 1
for uuid, about in manifest.items():
    assert {'Orgc', 'Tag', 'info', 'date', 'analysis', 'threat_level_id', 'timestamp'} <= set(about)
    event = pymisp.MISPEvent()
    event.load_file(folder / (uuid + '.json'))
    assert event.uuid == uuid and event.info == about['info'] and event.published
    assert set(event.to_feed()['Event']) >= {'uuid', 'info', 'date', 'timestamp', 'Attribute', 'Orgc'}
    for attribute in event.attributes:
        assert attribute.type == 'domain' and attribute.category == 'Network activity' and attribute.to_ids
        assert attribute.first_seen.isoformat() == '2009-03-30T00:00:00+00:00', attribute.first_seen
        print(attribute.value)
";

#[test]
fn exchanges_read_our_indicators() {
    let folder = TempDir::new().unwrap();
    let wanted = support::names("conficker-b", "2009-03-31").join("\n") + "\n";
    for (format, library, script) in [("stix", "stix2", READ_STIX), ("misp", "pymisp", READ_MISP)] {
        let path = folder.path().join(format);
        let path = path.to_str().unwrap();
        let arguments = ["names", "--family", "conficker-b", "--date", "2009-03-31", "--format", format, "--output", path];
        printed(&dgawatch(&arguments), 0);
        let Some(python) = python(library, "its indicators were not read by it") else { continue };
        let output = Command::new(python).args(["-c", script, path]).output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && out == wanted, "{format}: {out}{err}");
    }
}

/// A zone of BIND with one record.
fn bind_zone(folder: &Path, name: &str, record: &str) -> String {
    let path = folder.join(format!("{name}.zone"));
    let text = format!("$TTL 60\n@ SOA localhost. hostmaster.invalid. 1 3600 600 86400 60\n@ NS localhost.\n{record}\n");
    fs::write(&path, text).unwrap();
    format!("zone \"{name}\" {{ type primary; file \"{}\"; }};\n", path.display())
}

/// A configuration of BIND that asks nobody.
fn bind(folder: &Path, port: u16, policy: &str, data: &str) -> String {
    let path = folder.join("named.conf");
    let place = folder.display();
    let text = format!(
        "options {{ directory \"{place}\"; pid-file none; session-keyfile none; lock-file none; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion yes; dnssec-validation no; notify no; {policy} }};\ncontrols {{ }};\nzone \".\" {{ type hint; file \"/dev/null\"; }};\n{data}"
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    log: TempDir,
}

impl Server {
    fn start(program: &str, arguments: &[&str]) -> Option<Self> {
        let log = TempDir::new().unwrap();
        let file = fs::File::create(log.path().join("log")).unwrap();
        let child = Command::new(found(program)?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn();
        Some(Self { child: child.unwrap(), log })
    }

    /// The code of the answer and the addresses in it; waits until there is one.
    fn ask(&self, port: u16, name: &str) -> (u8, Vec<[u8; 4]>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // Recursion desired, one question: A, IN.
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend_from_slice(Name::parse(name).unwrap().as_wire());
        query.extend_from_slice(&[0, 1, 0, 1]);
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            let _ = socket.send(&query);
            let mut answer = [0; 1_232];
            if let Ok(length) = socket.recv(&mut answer) {
                assert!(length >= query.len() && answer[..2] == query[..2]);
                let code = answer[3] & 15;
                // A server may listen before it has loaded its zones.
                if code != SERVFAIL {
                    return (code, addresses(&answer[..length]));
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no answer for {name}: {}", self.said());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log.path().join("log")).unwrap()
    }

    /// Ends it; what it said.
    fn stop(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.said()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The addresses of an answer, read by another library.
fn addresses(message: &[u8]) -> Vec<[u8; 4]> {
    let message = domain::base::Message::from_octets(message).unwrap();
    let records = message.answer().unwrap().limit_to::<domain::rdata::A>();
    records.map(|record| record.unwrap().data().addr().octets()).collect()
}

/// A port of loopback that nobody listens on, in UDP or TCP.
fn free_port() -> u16 {
    loop {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What a program that checks something says, if it ends well.
fn check(program: &str, arguments: &[&str]) -> Option<(String, String)> {
    let output = Command::new(found(program)?).args(arguments).output().unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {out}{err}");
    Some((out, err))
}

/// Where a program is; servers are not always on everybody's path.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let found = places.map(|place| place.join(program)).find(|path| path.is_file());
    if found.is_none() {
        warn(&format!("{program} is not installed, so no list was given to it: deploy/setup --tests"));
    }
    found
}

fn warn(line: &str) {
    // Not through the test harness, which would keep it to itself.
    let _ = writeln!(stderr(), "WARNING: {line}");
}
