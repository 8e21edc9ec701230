//! The sensor's page in a real browser: live, searched, in the dark, on a phone, by keyboard, and when strangers chose
//! what it shows. Pictures are left in target/screenshots.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dgawatch::day::Day;
use dgawatch::export::Snapshot;
use dgawatch::export::http::{Config, Listed};
use serde_json::Value;
use support::browser::{Browser, chromium};
use support::busy::{busy, evidence};
use support::captures::{Packet, USUAL};
use support::packets::{at, ethernet, query, udp};
use support::sensor::snapshot;
use support::web::{Running, Sensor};
use support::{dgawatch, names, printed, root};

fn running(snapshot: Snapshot) -> Running {
    let lists = vec![Listed { family: "conficker-b".to_owned(), list_day: Day::of(2009, 4, 1), index: 16 }];
    Running::start(
        Config::default(),
        Sensor { snapshot: Mutex::new(Arc::new(snapshot)), rows: evidence(), lists, ..Sensor::default() },
    )
}

fn home(server: &Running) -> String {
    format!("http://{}/", server.address)
}

/// What axe-core, the usual checker, finds wrong.
#[track_caller]
fn accessible(browser: &mut Browser, what: &str) {
    let Ok(axe) =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js"))
    else {
        let _ = writeln!(std::io::stderr(), "WARNING: axe-core is not installed: {what} was not checked for accessibility");
        return;
    };
    browser.eval(&format!("{axe}\n0"));
    let faults = browser.eval(
        "axe.run().then(found => found.violations.map(fault => fault.id + ': ' + fault.nodes.map(node => node.html).join(' ')))",
    );
    assert_eq!(faults, Value::Array(vec![]), "{what}");
}

#[track_caller]
fn fits(browser: &mut Browser) {
    let widths = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
    assert!(widths[0].as_u64() <= widths[1].as_u64(), "wider than the screen: {widths}");
}

#[track_caller]
fn content(browser: &Browser, server: &Running) {
    assert_eq!(browser.complaints, Vec::<String>::new());
    let home = home(server);
    let strange: Vec<&String> = browser.requests.iter().filter(|url| !url.starts_with(&home) && *url != "about:blank").collect();
    assert_eq!(strange, Vec::<&String>::new());
}

#[test]
fn looked_at() {
    let Some(program) = chromium() else { return };
    let server = running(busy());
    let mut browser = Browser::start(&program, 1280, 900, false);
    for (dark, name) in [(false, "page-light"), (true, "page-dark")] {
        browser.scheme(dark);
        browser.open(&home(&server));
        browser.picture(name);
        accessible(&mut browser, name);
        fits(&mut browser);
    }
    let colours = |browser: &mut Browser, dark| {
        browser.scheme(dark);
        browser.eval("getComputedStyle(document.body).backgroundColor")
    };
    assert_ne!(colours(&mut browser, true), colours(&mut browser, false));

    browser.resize(390, 844);
    browser.open(&home(&server));
    fits(&mut browser);
    browser.picture("phone");
    accessible(&mut browser, "phone");
    browser.scheme(true);
    browser.open(&format!("{}?q=192.0.2.20", home(&server)));
    fits(&mut browser);
    browser.picture("phone-source");
    content(&browser, &server);

    // All that a first visit costs.
    let octets: usize =
        ["/", "/page/style.css", "/page/live.js", "/page/icon.svg"].map(|path| server.get(path).body.len()).iter().sum();
    assert!(octets <= 150_000, "{octets} octets");
}

#[test]
fn alive() {
    let Some(program) = chromium() else { return };
    let server = running(Snapshot { interfaces: snapshot().interfaces, ..Snapshot::default() });
    let mut browser = Browser::start(&program, 1280, 900, true);
    browser.open(&home(&server));
    assert_eq!(browser.eval("document.querySelector('#lead .figure').textContent"), "0");
    browser.picture("empty");
    accessible(&mut browser, "empty");

    // From here on whatever comes comes by the stream.
    browser.eval("window.fetch = () => new Promise(() => {}); 0");
    *server.sensor.snapshot.lock().unwrap() = Arc::new(busy());
    browser.until("document.querySelector('#lead .figure').textContent === '12'");
    browser.until("document.querySelectorAll('#sources tbody tr').length === 23");
    // Whoever is in the middle of something stays there.
    browser.eval("document.getElementById('source-3').focus()");
    let mut later = busy();
    later.overview.infected_now = 13;
    later.overview.top[0].matches += 1;
    *server.sensor.snapshot.lock().unwrap() = Arc::new(later);
    browser.until("document.querySelector('#lead .figure').textContent === '13'");
    assert_eq!(browser.eval("document.activeElement.id"), "source-3");
    *server.sensor.not_ready.lock().unwrap() = Some("today's lists are not built".to_owned());
    browser.until("document.getElementById('state').textContent === \"Not ready: today's lists are not built\"");
    content(&browser, &server);
    assert!(browser.events >= 3 && browser.requests.contains(&format!("{}page/events", home(&server))), "{}", browser.events);
}

#[test]
fn without_a_stream() {
    let Some(program) = chromium() else { return };
    let server = running(Snapshot { interfaces: snapshot().interfaces, ..Snapshot::default() });
    // All places are taken, as docs/HTTP.md has them.
    let taken: Vec<TcpStream> = (0..32)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /page/events HTTP/1.1\r\nHost: sensor\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 64]).unwrap();
            stream
        })
        .collect();
    let mut browser = Browser::start(&program, 1280, 900, true);
    browser.open(&home(&server));
    *server.sensor.snapshot.lock().unwrap() = Arc::new(busy());
    browser.until("document.querySelector('#lead .figure').textContent === '12'");
    assert_eq!(browser.events, 0);
    drop(taken);
    browser.open(&home(&server));

    // A sensor that is gone is said to be gone.
    drop(server);
    browser.until("!document.getElementById('gone').hidden");
    browser.picture("gone");
}

#[test]
fn searched() {
    let Some(program) = chromium() else { return };
    let server = running(busy());
    let mut browser = Browser::start(&program, 1280, 900, false);
    browser.open(&home(&server));
    // One click from a source to its names.
    browser.eval("document.getElementById('source-0').click()");
    browser.event("Page.loadEventFired");
    assert_eq!(browser.eval("document.querySelector('h1').textContent"), "192.0.2.20");
    assert_eq!(browser.eval("document.querySelectorAll('#names-0 li').length"), 250);
    accessible(&mut browser, "source");
    browser.eval("document.querySelector('details').open = true");
    browser.picture("source");

    // By keyboard: `/`, a name, Enter.
    browser.press("/", "/");
    assert_eq!(browser.eval("document.activeElement.id"), "q");
    browser.eval("document.getElementById('q').select()");
    browser.write("Praat.org");
    browser.press("Enter", "\r");
    browser.event("Page.loadEventFired");
    let text = browser.eval("document.getElementById('main').textContent");
    let text = text.as_str().unwrap();
    for holds in ["praat.org", "Praat, speech analysis software", "conficker-b, list of 2009-04-01, as number 17", "192.0.2.20"] {
        assert!(text.contains(holds), "{holds}: {text}");
    }
    accessible(&mut browser, "name");
    browser.picture("name");
    for (asked, holds) in [("203.0.113.9", "Nothing is known of this source"), ("a..b", "no address, and as a name it")] {
        browser.open(&format!("{}?q={asked}", home(&server)));
        let text = browser.eval("document.getElementById('main').textContent");
        assert!(text.as_str().unwrap().contains(holds), "{text}");
    }

    // The same without scripts.
    browser.scripts(false);
    browser.open(&format!("{}?q=192.0.2.20", home(&server)));
    assert!(
        browser.eval(
            "document.querySelectorAll('#names-0 li').length === 250 && document.querySelector('h1').textContent === '192.0.2.20'"
        ) == true
    );
    content(&browser, &server);
}

#[test]
fn what_strangers_chose_is_text() {
    const EVIL: &str = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>\"'&`\u{202e}";
    let mut hostile = busy();
    hostile.interfaces[0].name = EVIL.to_owned();
    hostile.families[0].family = EVIL.to_owned();
    hostile.lists[0].family = EVIL.to_owned();
    hostile.version = EVIL.to_owned();
    hostile.overview.top[0].families = vec![EVIL.to_owned()];
    let mut row = evidence().remove(0);
    row.family = EVIL.to_owned();
    row.names = vec![EVIL.to_owned(); 30];
    let lists = vec![Listed { family: EVIL.to_owned(), list_day: Day::of(2009, 4, 1), index: 0 }];
    let sensor = Sensor { snapshot: Mutex::new(Arc::new(hostile)), rows: vec![row], lists, ..Sensor::default() };
    let server = Running::start(Config::default(), sensor);
    let asked = "%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D'pwned'%22%3E%3Cscript%3E";
    for path in [
        "/".to_owned(),
        "/?q=192.0.2.20".to_owned(),
        format!("/?q={asked}"),
        format!("/?q=%22{asked}%22"),
        "/?q=praat.org".to_owned(),
    ] {
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        let text = answer.text().replace("<script src=\"/page/live.js\" defer></script>", "");
        for markup in ["<img", "<script", "onerror=\"", " style=", "javascript:"] {
            assert!(!text.contains(markup), "{path} has {markup}: {text}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    let Some(program) = chromium() else { return };
    let mut browser = Browser::start(&program, 1280, 900, false);
    for path in ["", "?q=192.0.2.20", &format!("?q={asked}"), "?q=praat.org"] {
        browser.open(&format!("{}{path}", home(&server)));
        assert_eq!(
            browser.eval("[document.images.length, document.scripts.length, document.title === 'pwned']").to_string(),
            "[0,1,false]",
            "{path}"
        );
        fits(&mut browser);
    }
    browser.picture("hostile");
    content(&browser, &server);
}

/// Replays a capture and writes its page.
fn report(capture: &Path, page: &Path) {
    let [capture, page] = [capture, page].map(|path| path.to_str().unwrap());
    printed(&dgawatch(&["replay", "--quiet", "--format", "csv", "--html", page, capture]), 0);
}

#[test]
fn the_report_opens_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    // The name of a capture is as strange as its sender likes.
    let capture = folder.path().join("<img src=x onerror=document.title='pwned'>.pcap");
    std::fs::copy(root().join("pcaps/subscribers.pcap"), &capture).unwrap();
    let page = folder.path().join("report.html");
    report(&capture, &page);
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(!text.contains("<img") && !text.contains("http://") && !text.contains("https://"), "it names something to load");
    let again = folder.path().join("again.html");
    report(&capture, &again);
    assert!(text == std::fs::read_to_string(&again).unwrap(), "two pages of one capture differ");

    let Some(program) = chromium() else { return };
    let address = format!("file://{}", page.display());
    let mut browser = Browser::start(&program, 1280, 900, false);
    browser.open(&address);
    assert_eq!(
        browser
            .eval("[document.querySelector('.figure').textContent, document.querySelectorAll('#rows tbody tr').length]")
            .to_string(),
        "[\"7\",13]"
    );
    browser.picture("report-light");
    accessible(&mut browser, "report");
    fits(&mut browser);
    // Filter, sort, evidence.
    browser.eval(
        "{ const field = document.getElementById('filter'); field.value = 'praat'; field.dispatchEvent(new Event('input')); }",
    );
    assert_eq!(browser.eval("document.querySelector('#rows tbody').textContent.includes('192.0.2.99') && document.querySelectorAll('#rows tbody tr').length"), 1);
    browser
        .eval("{ const field = document.getElementById('filter'); field.value = ''; field.dispatchEvent(new Event('input')); }");
    browser.eval(
        "document.querySelectorAll('#rows thead button')[4].click(); document.querySelectorAll('#rows thead button')[4].click()",
    );
    assert_eq!(browser.eval("document.querySelector('#rows tbody summary').textContent"), "192.0.2.99");
    browser.scheme(true);
    browser.picture("report-dark");
    browser.resize(390, 844);
    fits(&mut browser);
    browser.picture("report-phone");
    assert_eq!(browser.eval("[document.images.length, document.title === 'pwned']").to_string(), "[0,false]");
    // Without scripts the weightiest are there.
    browser.scripts(false);
    browser.open(&address);
    assert_eq!(browser.eval("document.querySelectorAll('#rows tbody tr').length"), 13);
    assert_eq!(browser.complaints, Vec::<String>::new());
    assert!(browser.requests.iter().all(|url| *url == address || url == "about:blank"), "{:?}", browser.requests);
}

#[test]
fn a_hundred_thousand_sources_stay_usable() {
    let names = names("conficker-b", "2009-03-31");
    let packet = |n: u32| -> Packet {
        let source = format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
        let asked = query(1, &names[n as usize % 250], 1);
        (
            1_238_493_600_000_000_000 + u64::from(n) * 100_000_000,
            ethernet(&[], &udp(at(&source, 4_000), at("192.0.2.53", 53), &asked)),
        )
    };
    let packets: Vec<Packet> = (0..100_000).map(packet).collect();
    let folder = tempfile::tempdir().unwrap();
    let (capture, page) = (folder.path().join("many.pcap"), folder.path().join("many.html"));
    std::fs::write(&capture, USUAL.file(&packets)).unwrap();
    report(&capture, &page);
    let octets = std::fs::metadata(&page).unwrap().len();
    assert!(octets < 10_000_000, "{octets} octets");
    let Some(program) = chromium() else { return };
    let mut browser = Browser::start(&program, 1280, 900, false);
    browser.open(&format!("file://{}", page.display()));
    assert_eq!(browser.eval("document.getElementById('where').textContent"), "1 to 50 of 100,000");
    browser.eval("document.getElementById('after').click()");
    assert_eq!(browser.eval("document.getElementById('where').textContent"), "51 to 100 of 100,000");
    browser.eval("{ const field = document.getElementById('filter'); field.value = '10.1.134.159'; field.dispatchEvent(new Event('input')); }");
    assert_eq!(browser.eval("document.getElementById('where').textContent"), "1 to 1 of 1");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
