//! The sensor's page in a real browser: live, searched, in the dark, on a phone, by keyboard, and when strangers chose
//! what it shows. Pictures are left in target/screenshots.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dgawatch::day::{Day, Timestamp};
use dgawatch::export::Snapshot;
use dgawatch::export::figures::grouped;
use dgawatch::export::http::{Config, Listed};
use serde_json::Value;
use support::browser::{Browser, chromium};
use support::busy::{busy, evidence};
use support::captures::{Packet, USUAL};
use support::packets::{at, ethernet, query, udp};
use support::page::columns;
use support::sensor::snapshot;
use support::web::{Running, Sensor};
use support::{Rng, dgawatch, names, printed, root};

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
    accessible(&mut browser, "source, dark, on a phone");
    browser.open(&format!("{}?q=praat.org", home(&server)));
    fits(&mut browser);
    accessible(&mut browser, "name, dark, on a phone");
    browser.picture("phone-name");
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
    accessible(&mut browser, "gone");
    browser.scheme(true);
    accessible(&mut browser, "gone, dark");
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
        accessible(&mut browser, asked);
    }
    browser.scheme(true);
    for asked in ["192.0.2.20", "praat.org", "a..b"] {
        browser.open(&format!("{}?q={asked}", home(&server)));
        accessible(&mut browser, &format!("{asked}, dark"));
        browser.picture(&format!("dark-{asked}"));
    }
    browser.scheme(false);

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
    browser.until("!document.getElementById('pager').hidden");
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
    accessible(&mut browser, "report, dark");
    browser.eval("document.querySelector('#rows details').open = true");
    accessible(&mut browser, "report, dark, with names");
    browser.resize(390, 844);
    fits(&mut browser);
    browser.picture("report-phone");
    accessible(&mut browser, "report, dark, on a phone");
    assert_eq!(browser.eval("[document.images.length, document.title === 'pwned']").to_string(), "[0,false]");
    // Without scripts the weightiest are there.
    browser.scripts(false);
    browser.open(&address);
    assert_eq!(browser.eval("document.querySelectorAll('#rows tbody tr').length"), 13);
    assert_eq!(browser.complaints, Vec::<String>::new());
    assert!(browser.requests.iter().all(|url| *url == address || url == "about:blank"), "{:?}", browser.requests);
}

/// As many rows as five million packets can give where all clients are infected: 100,000 sources, an eighth of them IPv6, over
/// six hours, each with one to nine names of Conficker B or C.
fn many() -> Vec<Packet> {
    let lists = ["conficker-b", "conficker-c"].map(|family| names(family, "2009-04-01"));
    let mut random = Rng(1);
    let mut packets = vec![];
    for n in 0..100_000_u64 {
        let (source, resolver) = if n % 8 == 0 {
            (format!("2001:db8:{:x}:{:x}::{:x}", n >> 8, n & 255, random.below(65_536)), "2001:db8:ffff::53")
        } else {
            let host = 10 << 24 | (n * 167 + random.below(167)) as u32;
            (std::net::Ipv4Addr::from(host).to_string(), "192.0.2.53")
        };
        let list = &lists[random.below(2) as usize];
        for _ in 0..=random.below(9) {
            let name = &list[random.below(list.len() as u64) as usize];
            let time = 1_238_565_600_000_000_000 + random.below(21_600_000_000) * 1_000;
            let asked = query(1, name, 1);
            packets.push((time, ethernet(&[], &udp(at(&source, 4_000), at(resolver, 53), &asked))));
        }
    }
    packets.sort_unstable();
    packets
}

/// The rows of a page, unpacked as its script does: source, family, list day, verdict, names, queries, responses, minutes since
/// 1970 of first and last, the names that are told.
fn unpacked(page: &str) -> Vec<Value> {
    let data = columns(page);
    let mut row = 0;
    let mut rows = vec![];
    let column = |name: &str, row: usize| data[name][row].as_u64().unwrap();
    for list in data["lists"].as_array().unwrap() {
        for _ in 0..list[3].as_u64().unwrap() {
            let first = data["since"].as_u64().unwrap() + column("first", row);
            let mut place = 0;
            let told = data["told"][row].as_array().unwrap().iter().map(|distance| {
                place += distance.as_u64().unwrap() as usize;
                list[2][place].clone()
            });
            let told: Vec<Value> = told.collect();
            let verdict = ["suspect", "infected"][column("infected", row) as usize];
            rows.push(serde_json::json!([
                data["source"][row],
                list[0],
                list[1],
                verdict,
                column("names", row),
                column("queries", row),
                column("responses", row),
                first,
                first + column("last", row),
                told
            ]));
            row += 1;
        }
    }
    for name in ["source", "infected", "names", "queries", "responses", "first", "last", "collisions", "told"] {
        assert_eq!(data[name].as_array().unwrap().len(), row, "{name}");
    }
    rows
}

/// The same rows of the report as JSON.
fn reported(report: &Value) -> Vec<Value> {
    let minute = |time: &Value| time.as_str().unwrap().parse::<Timestamp>().unwrap().parts().0 / 60;
    let row = |row: &Value| {
        let told: Vec<Value> = row["names"].as_array().unwrap().iter().take(3).cloned().collect();
        serde_json::json!([
            row["source"],
            row["family"],
            row["list_day"],
            row["verdict"],
            row["distinct_names"],
            row["matches"],
            row["responses"],
            minute(&row["first_seen"]),
            minute(&row["last_seen"]),
            told
        ])
    };
    report["sources"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_hundred_thousand_sources_stay_usable() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, page) = (folder.path().join("many.pcap"), folder.path().join("many.html"));
    let packets = many();
    std::fs::write(&capture, USUAL.file(&packets)).unwrap();
    let [from, to] = [&capture, &page].map(|path| path.to_str().unwrap());
    let (report, _) = printed(&dgawatch(&["replay", "--quiet", "--format", "json", "--html", to, from]), 0);
    let rows = reported(&serde_json::from_str(&report).unwrap());
    assert!(rows.len() >= 100_000, "{} rows", rows.len());
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(rows == unpacked(&text), "the page and the report differ");
    assert!(text.len() <= 2_000_000, "{} octets", text.len());

    let Some(program) = chromium() else { return };
    let mut browser = Browser::start(&program, 1280, 900, false);
    let address = format!("file://{}", page.display());
    let mut times = vec![];
    for _ in 0..3 {
        browser.open(&address);
        let loaded = browser.eval("performance.timing.loadEventEnd - performance.timing.navigationStart");
        browser.until("!document.getElementById('pager').hidden");
        let ready = browser.eval("Math.round(performance.now())");
        times.push(format!("loaded after {loaded} ms, all rows there within {ready} ms"));
    }
    let _ = writeln!(
        std::io::stderr(),
        "a report of {} packets: {} rows, {} octets; {}",
        packets.len(),
        rows.len(),
        text.len(),
        times.join("; ")
    );
    let of = |first: usize, last: usize| format!("{first} to {last} of {}", grouped(rows.len() as u64));
    let place = |browser: &mut Browser| browser.eval("document.getElementById('where').textContent");
    assert_eq!(place(&mut browser), of(1, 50));
    browser.eval("document.getElementById('after').click()");
    assert_eq!(place(&mut browser), of(51, 100));
    accessible(&mut browser, "report, its second page");
    browser.picture("report-many");

    // One source of all, with the names that the report has.
    let row = &rows[rows.len() / 2];
    browser.eval(&format!(
        "{{ const field = document.getElementById('filter'); field.value = {}; field.dispatchEvent(new Event('input')); }}",
        row[0]
    ));
    browser.eval("document.querySelectorAll('#rows details').forEach(details => details.open = true)");
    let told = browser.eval(&format!(
        "[...document.querySelectorAll('#rows tbody tr')].filter(row => row.querySelector('summary').textContent === {})\
         .map(row => [...row.querySelectorAll('li')].map(name => name.textContent))",
        row[0]
    ));
    assert!(told.as_array().unwrap().contains(&row[9]), "{row}: {told}");
    accessible(&mut browser, "report, filtered");
    browser.eval("{ const field = document.getElementById('filter'); field.value = 'no such name'; field.dispatchEvent(new Event('input')); }");
    assert_eq!(place(&mut browser), "No source is like that.");
    accessible(&mut browser, "report, nothing found");
    browser.scheme(true);
    browser.resize(390, 844);
    // Some pages of a network, by source, to the last.
    browser.eval(
        "{ const field = document.getElementById('filter'); field.value = '10.10.'; field.dispatchEvent(new Event('input')); }",
    );
    browser.eval("[...document.querySelectorAll('#rows thead button')][0].click()");
    browser.eval("while (!document.getElementById('after').disabled) document.getElementById('after').click()");
    let shown = place(&mut browser);
    let (_, numbers) = shown.as_str().unwrap().split_once(" to ").unwrap();
    let (last, all) = numbers.split_once(" of ").unwrap();
    assert!(last == all && last != "0", "{shown}");
    fits(&mut browser);
    accessible(&mut browser, "report, dark, on a phone, its last page");
    browser.picture("report-many-phone");
    assert_eq!(browser.complaints, Vec::<String>::new());
    assert!(browser.requests.iter().all(|url| *url == address || url == "about:blank"), "{:?}", browser.requests);
}

/// A browser that cannot unpack what is packed has the table all the same.
#[test]
fn the_report_in_an_older_browser() {
    let Some(program) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    report(&root().join("pcaps/subscribers.pcap"), &page);
    let mut browser = Browser::start(&program, 1280, 900, false);
    browser.before("delete window.DecompressionStream");
    browser.open(&format!("file://{}", page.display()));
    browser.until("!document.getElementById('old').hidden");
    assert_eq!(
        browser.eval("[document.querySelectorAll('#rows tbody tr').length, document.getElementById('pager').hidden]").to_string(),
        "[13,true]"
    );
    accessible(&mut browser, "report in an older browser");
}
