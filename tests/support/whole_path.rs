//! A made-up population through the whole path: packets into a file, the file through `replay`, the report out, beside the truth.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::io::{BufWriter, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use dgawatch::decode;
use dgawatch::dga::Catalog;
use dgawatch::export::ReportFormat;
use dgawatch::ledger::Masking;
use dgawatch::pipeline::{Settings, replay};
use dgawatch::simulate::{Description, Population, Truth};
use dgawatch::source::{Input, Limits};
use dgawatch::watchlist::SearchList;
use serde_json::Value;

/// What the report says of a capture, and what is true.
pub struct Told {
    pub report: Value,
    pub truth: Truth,
}

/// A description: a day of 2009 and more of TOML.
pub fn day(more: &str) -> String {
    format!("start = \"2009-04-01\"\nduration = \"24h\"\n{more}")
}

/// A resolver of this name and address, and what is in view of it.
pub fn resolver(name: &str, address: &str, sees: &str, more: &str) -> String {
    format!("[[resolver]]\nname = \"{name}\"\naddresses = [\"{address}\"]\nsees = \"{sees}\"\n{more}\n")
}

/// So many hosts of a family, at addresses from the first of a network on.
pub fn infected(family: &str, count: u64, addresses: &str, resolver: &str, more: &str) -> String {
    format!(
        "[[infected]]\nfamily = \"{family}\"\ncount = {count}\naddresses = \"{addresses}\"\nresolver = \"{resolver}\"\n{more}\n"
    )
}

/// A capture in a file, and the truth about it.
pub struct Capture {
    file: tempfile::NamedTempFile,
    /// The start of each record, and its time in seconds since the first midnight.
    records: Vec<(u64, u64)>,
    pub truth: Truth,
}

/// pcap with nanoseconds, version 2.4, Ethernet.
const HEAD: [u32; 6] = [0xA1B2_3C4D, 0x0004_0002, 0, 0, 65_535, 1];

impl Capture {
    /// Makes the capture of a description.
    pub fn of(description: &str, seed: u64) -> Self {
        let description: Description = toml::from_str(description).expect("the description is well-formed");
        let population = Population::new(description).expect("the description makes sense");
        let midnight = population.window().0.parts().0;
        let file = tempfile::NamedTempFile::new().expect("there is room for a capture");
        let mut out = BufWriter::with_capacity(1 << 18, &file);
        HEAD.iter().for_each(|number| out.write_all(&number.to_le_bytes()).expect("there is room"));
        let (mut records, mut place) = (vec![], 4 * HEAD.len() as u64);
        let truth = population.simulate(seed, false, &mut |time, frame| {
            let (seconds, nanos) = time.parts();
            let length = frame.len() as u32;
            if records.last().is_none_or(|(_, before)| seconds - midnight > *before) {
                records.push((place, seconds - midnight));
            }
            place += 16 + u64::from(length);
            [seconds as u32, nanos, length, length].iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))?;
            out.write_all(frame)
        });
        let truth = truth.and_then(|truth| out.flush().map(|()| truth)).expect("there is room");
        drop(out);
        Self { file, records, truth }
    }

    /// What the report says of it, a share of packets being known to be lost.
    pub fn told(self, families: &[&str], lost: f64) -> Told {
        let report = read(self.file.path(), families, lost);
        Told { report: serde_json::from_slice(&report).expect("the report is JSON"), truth: self.truth }
    }

    /// The same without the rows of sources, which are many.
    pub fn told_without_sources(self, families: &[&str], lost: f64) -> Told {
        let report = String::from_utf8(read(self.file.path(), families, lost)).expect("the report is text");
        let (before, _) = report.split_once(",\n \"sources\"").expect("sources follow families");
        Told { report: serde_json::from_str(&format!("{before}}}")).expect("the rest is JSON"), truth: self.truth }
    }

    /// What the report says of a family in the part of the capture between two seconds.
    pub fn part(&self, from: u64, to: u64, family: &str) -> Value {
        let octets = std::fs::read(self.file.path()).expect("the capture is there");
        let at = |second: u64| {
            let record = self.records.partition_point(|(_, of_record)| *of_record < second);
            self.records.get(record).map_or(octets.len(), |(place, _)| *place as usize)
        };
        let part = tempfile::NamedTempFile::new().expect("there is room for a part");
        let head = &octets[..4 * HEAD.len()];
        std::fs::write(part.path(), [head, &octets[at(from)..at(to)]].concat()).expect("there is room for a part");
        let report: Value = serde_json::from_slice(&read(part.path(), &[family], 0.0)).expect("the report is JSON");
        report["families"][0].clone()
    }
}

/// Makes the capture of a description and has it read, a share of packets being known to be lost.
pub fn told(description: &str, seed: u64, families: &[&str], lost: f64) -> Told {
    Capture::of(description, seed).told(families, lost)
}

/// The report of a capture as JSON.
fn read(capture: &Path, families: &[&str], lost: f64) -> Vec<u8> {
    let mut catalog = Catalog::default();
    for family in families {
        catalog.add(family).expect("families are built in");
    }
    let settings = Settings {
        skew: 1,
        max_sources: 1 << 20,
        lost,
        decode: decode::Config::new(&[], &[]),
        patterns: Default::default(),
        series: None,
        compiled: None,
        timeline: false,
        sketches: false,
        search_list: SearchList::default(),
        sinkholes: Default::default(),
        masking: Masking::default(),
        networks: None,
        events: None,
    };
    let input = Input::file(capture.to_owned(), Limits::USUAL);
    let report = replay(&catalog, &[input], &settings, 1, &AtomicBool::new(false), &mut |_| {});
    let mut json = vec![];
    report.write(ReportFormat::Json, &mut json).expect("memory takes all");
    json
}

/// Low, best and high of hosts, as a report says them.
pub type Figures = (u64, u64, Option<u64>);

/// The figures of a row's hosts, if there are any.
pub fn figures(row: &Value) -> Option<Figures> {
    let hosts = row.get("hosts")?;
    Some((hosts["low"].as_u64()?, hosts["best"].as_u64()?, hosts["high"].as_u64()))
}

impl Told {
    /// Rows of a table that are of a family.
    pub fn rows<'t>(&'t self, table: &str, family: &'t str) -> impl Iterator<Item = &'t Value> {
        self.report[table].as_array().into_iter().flatten().filter(move |row| row["family"] == family)
    }

    /// The row of a family.
    pub fn family<'t>(&'t self, family: &'t str) -> &'t Value {
        self.rows("families", family).next().expect("each family has a row")
    }

    /// The row of a source for a family and list day.
    pub fn source<'t>(&'t self, family: &'t str, list_day: &str, source: &str) -> Option<&'t Value> {
        self.rows("sources", family).find(|row| row["source"] == source && row["list_day"] == list_day)
    }

    /// Hosts behind an address, as they are: how many asked, and how many were switched on, on average.
    pub fn behind(&self, family: &str, source: &str) -> (u64, f64) {
        let address: IpAddr = source.parse().expect("an address");
        let row = self.truth.sources.iter().find(|row| row.source == address);
        let behind = row.and_then(|row| row.behind.iter().find(|behind| behind.family == family));
        behind.map_or((0, 0.0), |behind| (behind.hosts, behind.hosts_on))
    }

    /// Rounds, in whole and in part, that hosts behind an address made of a list of so many names a round.
    pub fn rounds(&self, family: &str, list_day: &str, source: &str, names: f64) -> f64 {
        let address: IpAddr = source.parse().expect("an address");
        let row = self.truth.sources.iter().find(|row| row.source == address);
        let list = row.and_then(|row| row.lists.iter().find(|list| list.family == family && list.list_day == list_day));
        list.map_or(0.0, |list| list.names_asked_in_rounds as f64 / names)
    }
}
