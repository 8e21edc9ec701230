//! Where listed names lead: from packets to report, events and exit code, and against the truth of made-up networks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use support::answers::{Exchanges, address, each_kind, each_kind_and_a_crowd};
use support::captures::USUAL;
use support::simulated::frames;
use support::{dgawatch, names, printed};
use tempfile::TempDir;

/// What a replay of this capture says.
#[track_caller]
fn replayed(capture: &[u8], arguments: &[&str]) -> Value {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("capture");
    fs::write(&path, capture).unwrap();
    let common = ["replay", "--format", "json", path.to_str().unwrap()];
    let (report, errors) = printed(&dgawatch(&[&common, arguments].concat()), 0);
    assert_eq!(errors, "");
    serde_json::from_str(&report).unwrap()
}

fn answers(report: &Value, place: usize) -> BTreeMap<String, u64> {
    let answers = report["families"][place]["answers"].as_object().unwrap();
    answers.iter().filter(|(_, count)| **count != 0).map(|(kind, count)| (kind.clone(), count.as_u64().unwrap())).collect()
}

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[test]
fn each_kind_of_answer() {
    let report = replayed(&each_kind().file(), &["--family", "conficker-a,conficker-b"]);
    let expected =
        [("nxdomain", 1), ("sinkhole", 1), ("parking", 1), ("blocked", 1), ("failure", 1), ("nodata", 2), ("unknown", 4)];
    assert_eq!((answers(&report, 0), answers(&report, 1)), (BTreeMap::new(), counts(&expected)));
    let responses: u64 = expected.iter().map(|(_, count)| count).sum();
    assert_eq!(report["families"][1]["responses"], responses);

    let (today, tomorrow) = (names("conficker-b", "2009-03-31"), names("conficker-b", "2009-04-01"));
    let live = report["rendezvous"].as_array().unwrap();
    assert_eq!(live.len(), 2);
    let client = |source: &str, verdict: &str, first: &str, last: &str, answers: u64, port: u16| {
        let time = |second: &str| format!("2009-03-31T20:00:{second}.001000Z");
        json!({"source": source, "verdict": verdict, "role": "client", "first_seen": time(first), "last_seen": time(last),
               "answers": answers, "unsolicited": 0, "source_port": port, "transport": "udp"})
    };
    assert_eq!(
        live[0],
        json!({"family": "conficker-b", "list_day": "2009-03-31", "name": today[4], "index": 4, "kind": "unknown", "set_aside": false,
               "addresses": ["198.51.100.66", "2a00::66"], "addresses_left_out": 0, "ttl": 60,
               "name_servers": ["ns1.example", "ns2.example"], "first_seen": "2009-03-31T20:00:04.001000Z",
               "last_seen": "2009-03-31T20:00:09.001000Z", "answers": 3, "unsolicited": 0, "asked": 2,
               "exposed": [client("192.0.2.7", "infected", "04", "05", 2, 40_004),
                           client("192.0.2.8", "suspect", "09", "09", 1, 40_009)],
               "exposed_left_out": 0})
    );
    assert_eq!((&live[1]["name"], &live[1]["list_day"]), (&json!(tomorrow[0]), &json!("2009-04-01")));
    assert_eq!(live[1]["exposed"][0]["verdict"], "suspect");
    assert_eq!(report["families"][1]["exposed"], 1);
    let exposed: Vec<(&Value, &Value, &Value)> =
        report["sources"].as_array().unwrap().iter().map(|row| (&row["source"], &row["list_day"], &row["exposed"])).collect();
    let row = |source, day, exposed| (json!(source), json!(day), json!(exposed));
    let expected =
        [row("192.0.2.7", "2009-03-31", true), row("192.0.2.8", "2009-03-31", true), row("192.0.2.7", "2009-04-01", true)];
    assert_eq!(exposed, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    assert_eq!((&report["learned_sinkholes"], &report["answers_not_kept"]), (&json!([]), &json!({"names": 0, "exposed": 0})));
}

/// Exposure comes first.
#[test]
fn the_text_says_it_first() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("capture");
    fs::write(&path, each_kind_and_a_crowd().file()).unwrap();
    let html = folder.path().join("page.html");
    let arguments = ["replay", "--family", "conficker-b", "--html", html.to_str().unwrap(), path.to_str().unwrap()];
    let (text, _) = printed(&dgawatch(&arguments), 0);
    let today = names("conficker-b", "2009-03-31");
    let expected = format!(
        "\n\nRENDEZVOUS: 2 generated names lead to no known sinkhole; 1 infected source was\ntold so.\n  {}\n    \
         conficker-b, list of 2009-03-31, since 03-31 20:00\n    leads to 198.51.100.66, 2a00::66 for 60 s\n    \
         name servers ns1.example, ns2.example\n    asked for by 2 sources, told to 2, of these infected: 192.0.2.7\n",
        today[4]
    );
    assert!(text.contains(&expected), "{text}\n{expected}");
    assert!(text.find("RENDEZVOUS").unwrap() < text.find(" infected, ").unwrap(), "{text}");
    assert!(text.contains("\n203.0.113.80 is taken for a sinkhole: 8 names of conficker-b lead there.\n"), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("failure 1, blocked 1, sinkhole 1, parking 1, learned 2, unknown 12"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let page = fs::read_to_string(html).unwrap();
    let (section, sources) = (page.find("id=\"rendezvous\"").unwrap(), page.find("id=\"sources\"").unwrap());
    assert!(section < sources && page[section..sources].contains(&today[4]));
}

#[test]
fn a_table_of_ones_own() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("table"), "198.51.100.64/26,sinkhole,ours\n2a00::/16,parking\n").unwrap();
    let capture = each_kind().file();
    let report = replayed(&capture, &["--family", "conficker-b", "--sinkholes", &path("table")]);
    // Those that are built in are unknown now.
    let kinds = [("nxdomain", 1), ("sinkhole", 1), ("parking", 3), ("blocked", 1), ("failure", 1), ("nodata", 2), ("unknown", 2)];
    assert_eq!(answers(&report, 0), counts(&kinds));
    assert_eq!(report["rendezvous"].as_array().unwrap().len(), 2);
    for (text, why) in [
        ("198.51.100.0/24,tarpit\n", "line 1: the kind is none of sinkhole, parking, blocked"),
        ("x", "line 1: write prefix,kind"),
    ] {
        fs::write(path("table"), text).unwrap();
        let (_, errors) = printed(&dgawatch(&["replay", "--sinkholes", &path("table"), "pcaps/subscribers.pcap"]), 1);
        assert_eq!(errors, format!("dgawatch: sinkholes {}: {why}\n", path("table")));
    }
    let (_, errors) = printed(&dgawatch(&["replay", "--sinkholes", "/nowhere/table", "pcaps/subscribers.pcap"]), 1);
    assert!(errors.starts_with("dgawatch: sinkholes /nowhere/table cannot be read: No such file"), "{errors}");
}

#[test]
fn pseudonyms_and_networks_of_who_was_told() {
    let report = replayed(&each_kind().file(), &["--family", "conficker-b", "--prefix", "24,56"]);
    assert_eq!(report["rendezvous"][0]["exposed"][0]["source"], "192.0.2.0");
    assert_eq!(report["rendezvous"][0]["addresses"][0], "198.51.100.66");
}

/// A name with the client's suffix is another name, whose address says nothing about the listed one.
#[test]
fn suffixes_lead_nowhere() {
    let mut exchanges = Exchanges::default();
    for name in &names("conficker-b", "2009-03-31")[..3] {
        let name = format!("{name}.corp.test");
        exchanges.add("192.0.2.7", &name, 0, &[address(&name, "198.51.100.66")], &[]);
    }
    let report = replayed(&exchanges.file(), &["--family", "conficker-b", "--search-suffix", "corp.test"]);
    assert_eq!((&report["families"][0]["responses"], &report["rendezvous"]), (&json!(3), &json!([])));
    assert_eq!(answers(&report, 0), BTreeMap::new());
}

/// Names on large lists wait until some are together: what they were answered waits with them.
#[test]
fn names_that_wait() {
    let mut exchanges = Exchanges::default();
    for (place, name) in names("synthetic:100000", "2009-03-31").iter().take(40).enumerate() {
        let leads = [address(name, &format!("198.51.100.{place}"))];
        exchanges.add("192.0.2.7", name, 0, if place % 3 == 0 { &leads } else { &[] }, &[]);
    }
    let report = replayed(&exchanges.file(), &["--family", "synthetic:100000"]);
    assert_eq!(answers(&report, 0), counts(&[("nodata", 26), ("unknown", 14)]));
    let found: BTreeSet<(String, String)> = report["rendezvous"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap().to_owned(), row["addresses"][0].as_str().unwrap().to_owned()))
        .collect();
    let expected = names("synthetic:100000", "2009-03-31").into_iter().take(40).enumerate().step_by(3);
    assert_eq!(found, expected.map(|(place, name)| (name, format!("198.51.100.{place}"))).collect());
}

/// Responses without their queries: forged, or all that a tap shows. None is left out, each is labelled.
#[test]
fn responses_alone() {
    let Exchanges(packets) = each_kind();
    let responses = Exchanges(packets.iter().skip(1).step_by(2).cloned().collect());
    let report = replayed(&responses.file(), &["--family", "conficker-b"]);
    let whole = replayed(&each_kind().file(), &["--family", "conficker-b"]);
    for (alone, both) in report["rendezvous"].as_array().unwrap().iter().zip(whole["rendezvous"].as_array().unwrap()) {
        assert_eq!((&alone["name"], &alone["unsolicited"]), (&both["name"], &both["answers"]));
        assert_eq!((&both["unsolicited"], &alone["asked"]), (&json!(0), &both["asked"]));
        let unsolicited = |row: &Value| -> Vec<Value> {
            row["exposed"].as_array().unwrap().iter().map(|client| client["unsolicited"].clone()).collect()
        };
        assert!(
            unsolicited(alone).iter().all(|count| *count != json!(0)) && unsolicited(both).iter().all(|count| *count == json!(0))
        );
    }
    assert_eq!(report["families"][0]["exposed"], 1);
    let text = |exchanges: &Exchanges| {
        let folder = TempDir::new().unwrap();
        let (path, html) = (folder.path().join("capture"), folder.path().join("page.html"));
        fs::write(&path, exchanges.file()).unwrap();
        let arguments = ["replay", "--family", "conficker-b", "--html", html.to_str().unwrap(), path.to_str().unwrap()];
        let (text, _) = printed(&dgawatch(&arguments), 0);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        (text.split_whitespace().collect::<Vec<_>>().join(" "), fs::read_to_string(html).unwrap())
    };
    let (alone, page) = text(&responses);
    assert!(alone.contains("unsolicited: no query was seen that it answers"), "{alone}");
    assert!(alone.contains("None of these answers has a query that was seen."), "{alone}");
    assert!(page.contains(", unsolicited<") && page.contains("no query was seen (unsolicited)"), "{page}");
    let (both, page) = text(&each_kind());
    assert!(!both.contains("unsolicited") && !page.contains("unsolicited"), "{both}");

    // One that is forged among others: of this port, of this id, to this client, about this name nobody asked.
    let mut forged = each_kind();
    let name = &names("conficker-b", "2009-03-31")[4];
    forged.add("192.0.2.9", name, 0, &[address(name, "198.51.100.99")], &[]);
    let query = forged.0.len() - 2;
    forged.0.remove(query);
    let report = replayed(&forged.file(), &["--family", "conficker-b"]);
    let row = &report["rendezvous"][0];
    assert_eq!((&row["answers"], &row["unsolicited"]), (&json!(4), &json!(1)));
    assert_eq!((&row["exposed"][2]["source"], &row["exposed"][2]["unsolicited"]), (&json!("192.0.2.9"), &json!(1)));
    let (told, _) = text(&forged);
    assert!(told.contains("1 of 4 answers unsolicited") && !told.contains("None of these answers"), "{told}");
}

/// A name goes live in the middle of the day; one resolver looks it up, one says that there is none, one refuses, one says
/// 0.0.0.0. Who was told where, when and how often is exactly what the truth has, and nobody else was told anything.
#[test]
fn a_name_goes_live() {
    let hosts = |resolver: &str, network: &str| {
        format!("[[infected]]\nfamily = \"conficker-b\"\ncount = 6\naddresses = \"{network}\"\nresolver = \"{resolver}\"\n")
    };
    let resolver = |name: &str, last: u8, blocks: &str| {
        format!("[[resolver]]\nname = \"{name}\"\naddresses = [\"198.51.100.{last}\"]\nsees = \"clients\"\n{blocks}")
    };
    let description = [
        "start = \"2009-03-31\"\nduration = \"9h\"\n[answers]\nnegative_ttl = 900\n\
         sinkhole = { share = 0.2, addresses = [\"38.229.70.125\"] }\n\
         [[answers.live]]\nfamily = \"conficker-b\"\nlist_day = \"2009-03-31\"\nplace = 17\nat = \"4h\"\n\
         address = \"203.0.113.66\"\nttl = 60\n",
        &resolver("open", 53, ""),
        &resolver("policy", 54, "blocks = { with = \"nxdomain\" }\n"),
        &resolver("refuses", 55, "blocks = { share = 1.0, with = \"refused\" }\n"),
        &resolver("zero", 56, "blocks = { with = \"zero\" }\n"),
        &hosts("open", "192.0.2.0/28"),
        &hosts("policy", "192.0.2.32/28"),
        &hosts("refuses", "192.0.2.64/28"),
        &hosts("zero", "192.0.2.96/28"),
    ]
    .concat();
    let mut packets = vec![];
    let truth = serde_json::to_value(frames(&description, 3, &mut |time, frame| packets.push((time, frame.to_vec())))).unwrap();
    let report = replayed(&USUAL.file(&packets), &["--family", "conficker-b"]);
    let (found, expected) = (&report["rendezvous"].as_array().unwrap()[..], &truth["rendezvous"].as_array().unwrap()[..]);
    assert_eq!((found.len(), expected.len()), (1, 1), "{expected:?}");
    let (found, expected) = (&found[0], &expected[0]);
    for member in ["family", "list_day", "name", "answers", "first_seen", "last_seen"] {
        assert_eq!(found[member], expected[member], "{member}");
    }
    assert_eq!(found["name"], json!(names("conficker-b", "2009-03-31")[17]));
    assert!(found["first_seen"].as_str().unwrap() > "2009-03-31T04:00", "{found}");
    assert_eq!((&found["addresses"], &found["unsolicited"]), (&json!(["203.0.113.66"]), &json!(0)));
    assert!(found["ttl"].as_u64().unwrap() <= 60, "{found}");
    let told: Vec<Value> = found["exposed"].as_array().unwrap().iter().map(|client| client["source"].clone()).collect();
    assert_eq!(json!(told), expected["exposed"]);
    assert_eq!((told.len(), &report["families"][0]["exposed"]), (6, &json!(6)));
    assert!(found["exposed"].as_array().unwrap().iter().all(|client| client["verdict"] == "infected"), "{found}");
    // The three resolvers that block say each a third of what is blocked: their hosts ask for all names, alike often.
    let (of, found) = (|kind: &str| truth["answers"][kind].as_u64().unwrap(), answers(&report, 0));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["blocked", "failure", "nxdomain", "sinkhole", "unknown"]);
    assert_eq!((found["sinkhole"], found["unknown"]), (of("sinkhole"), of("rendezvous")));
    assert_eq!(found["blocked"] + found["failure"] + found["nxdomain"], of("blocked") + of("nxdomain"));
    assert!(
        [found["blocked"], found["failure"]].iter().all(|count| (of("blocked") / 4..of("blocked") / 2).contains(count)),
        "{found:?}"
    );
}

/// A day of hosts with B, of whose names defenders hold some and the worm's owner a few: names, clients and counts are those
/// of the truth, whatever the number of threads.
#[test]
fn as_the_truth_has_it() {
    let description = "start = \"2009-03-31\"\nduration = \"8h\"\n[answers]\n\
         sinkhole = { share = 0.3, addresses = [\"38.229.70.125\", \"136.161.101.53\"] }\n\
         rendezvous = { share = 0.02, addresses = [\"203.0.113.66\"] }\n\
         [[resolver]]\nname = \"isp\"\naddresses = [\"198.51.100.53\"]\nsees = \"clients\"\n\
         [[infected]]\nfamily = \"conficker-b\"\ncount = 12\naddresses = \"192.0.2.0/25\"\nresolver = \"isp\"\n";
    let mut packets = vec![];
    let truth = frames(description, 11, &mut |time, frame| packets.push((time, frame.to_vec())));
    let capture = USUAL.file(&packets);
    let report = replayed(&capture, &["--family", "conficker-b", "--threads", "1"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found: BTreeMap<(String, String), BTreeSet<String>> = report["rendezvous"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!(row["addresses"], json!(["203.0.113.66"]));
            let exposed = row["exposed"].as_array().unwrap().iter().map(|client| text(&client["source"]));
            ((text(&row["list_day"]), text(&row["name"])), exposed.collect())
        })
        .collect();
    let truth = serde_json::to_value(&truth).unwrap();
    let expected: BTreeMap<(String, String), BTreeSet<String>> = truth["rendezvous"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let exposed = row["exposed"].as_array().unwrap().iter().map(text);
            ((text(&row["list_day"]), text(&row["name"])), exposed.collect())
        })
        .collect();
    assert!(expected.len() > 2 && expected.len() < 8, "{expected:?}");
    assert_eq!(found, expected);
    let of = |kind: &str| truth["answers"][kind].as_u64().unwrap();
    let kinds = [("nxdomain", of("nxdomain")), ("sinkhole", of("sinkhole")), ("unknown", of("rendezvous"))];
    assert_eq!(answers(&report, 0), counts(&kinds));
    assert_eq!(report["families"][0]["exposed"], 12);
    for threads in ["2", "5"] {
        assert_eq!(replayed(&capture, &["--family", "conficker-b", "--threads", threads])["rendezvous"], report["rendezvous"]);
    }
}
