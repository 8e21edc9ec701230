//! `decode` against truth files made with another program, on real captures of many writers.
//!
//! Compared is every message on a DNS port that is not quoted in an ICMP error. The captures are other people's and in
//! no repository: `DGAWATCH_CORPUS` names their folder.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use support::{corpus, dgawatch, printed};

/// Rows that differ, by file and frame, and the column, each with the reason.
const KNOWN: [(&str, &str, usize, &str); 1] = [
    // The fraction of the second is 0x20202020 microseconds. The truth has its nanoseconds modulo 2^32 as a decimal
    // fraction of ten digits, which is no time; ours is the second plus that many microseconds.
    ("6d8422b295", "1", 1, "538976826.976288000"),
];

#[test]
fn messages_of_real_captures() {
    let Some(folder) = corpus() else { return };
    let (mut files, mut rows) = (0, 0);
    let mut faults = vec![];
    for truth in sorted(&folder).iter().filter(|path| path.ends_with(".truth.tsv") && !path.contains(".dnstap.")) {
        let capture = truth.strip_suffix(".truth.tsv").unwrap();
        let output = dgawatch(&["decode", capture]);
        let code = output.status.code();
        let got = String::from_utf8(output.stdout).unwrap();
        let expected = expected(&fs::read_to_string(truth).unwrap());
        let short = Path::new(capture).file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
        let got: Vec<Vec<String>> = got.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        if got.len() != expected.len() {
            faults.push(format!("{short}: {} rows, expected {} (exit code {code:?})", got.len(), expected.len()));
            continue;
        }
        for (mut got, mut expected) in got.into_iter().zip(expected) {
            rows += 1;
            if expected[10].is_empty() {
                // The truth has a response code for responses alone.
                got[10].clear();
            }
            for (file, frame, column, ours) in KNOWN {
                if short == file && got[0] == frame && got[column] == ours {
                    expected[column] = ours.to_owned();
                }
            }
            if got != expected {
                faults.push(format!("{short}:\n  got      {got:?}\n  expected {expected:?}"));
            }
        }
        files += 1;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(files >= 80 && rows >= 2_000, "only {files} files with {rows} rows in {}", folder.display());
}

/// No file, capture or not, ends a command otherwise than with exit code 0 or 1, or takes more than 200 MB.
#[test]
fn every_file_is_survived() {
    let Some(folder) = corpus() else { return };
    for path in sorted(&folder) {
        for arguments in [&["decode", &*path][..], &["replay", "--threads", "2", "--format", "json", &path]] {
            // The limit is on addresses, of which memory is a part; one arena, for each would reserve 64 MB of them.
            let limited = ["-c", "ulimit -v 195000 && MALLOC_ARENA_MAX=1 exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_dgawatch")];
            let output = Command::new("sh").args(limited).args(arguments).output().unwrap();
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{path}: {:?} {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
            if arguments[0] == "replay" {
                let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
                let outcomes = report["packets"]["outcomes"].as_object().unwrap();
                let sum: u64 = outcomes.values().map(|count| count.as_u64().unwrap()).sum();
                assert_eq!(Some(sum), report["captures"][0]["packets"].as_u64(), "{path}");
            }
        }
    }
}

/// The columns of `decode`, for the rows that count here.
fn expected(truth: &str) -> Vec<Vec<String>> {
    let mut lines = truth.lines();
    let header: HashMap<&str, usize> = lines.next().unwrap().split('\t').enumerate().map(|(place, name)| (name, place)).collect();
    let mut rows = vec![];
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let field = |name: &str| fields[header[name]];
        let (from, to) = (field("sport"), field("dport"));
        let port = |port: &str| ["53", "5353", "5355"].contains(&port);
        if field("in_icmp") != "0" || !(port(from) || port(to)) {
            continue;
        }
        let id = u16::from_str_radix(field("dns_id").trim_start_matches("0x"), 16).unwrap().to_string();
        // Several questions stand apart by bars; ours is the first.
        let first = |name: &str| field(name).split('|').next().unwrap().to_owned();
        let columns = ["frame", "time", "inner_src", "sport", "inner_dst", "dport", "l4"].map(|name| field(name).to_owned());
        let mut row = columns.to_vec();
        row.extend([id, field("response").to_owned(), field("opcode").to_owned(), field("rcode").to_owned()]);
        row.extend([presentation(&first("qname")), first("qtype")]);
        rows.push(row);
    }
    rows
}

/// The truth writes the root in words, and does not escape: the one name that holds a dot inside a label.
fn presentation(name: &str) -> String {
    match name {
        "<Root>" => ".".to_owned(),
        ",." => r",\.".to_owned(),
        name => name.to_owned(),
    }
}

fn sorted(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<String> = entries.filter(|path| path.is_file()).map(|path| path.to_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

#[test]
fn truth_files_are_understood() {
    let header = "frame\ttime\tproto\tencap\touter_src\touter_dst\tinner_src\tinner_dst\tl4\tsport\tdport\tin_icmp\tdns_id\tresponse\topcode\trcode\tqdcount\tqname\tqtype\tqclass\tmalformed\tip_frag_reasm\ttcp_reasm\tvlan\tmulti";
    let row = "1\t1.000000000\tdns\tvlan\ta\tb\t192.0.2.1\t192.0.2.2\tudp\t5\t53\t0\t0x00ff\t0\t0\t\t2\ta.b|c.d\t1|2\t0x0001\t0\t0\t0\t7\tq2";
    let quoted = row.replace("\t0\t0x00ff", "\t1\t0x00ff");
    assert_eq!(
        expected(&[header, row, &quoted].join("\n")),
        [["1", "1.000000000", "192.0.2.1", "5", "192.0.2.2", "53", "udp", "255", "0", "0", "", "a.b", "1"]]
    );
    let _ = printed(&dgawatch(&["decode", "pcaps/loopback.pcap"]), 0);
}
