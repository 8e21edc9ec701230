//! The bars that estimates have to clear, measured through the whole path: captures of made-up populations, read by `replay`.
//!
//! A capture holds many networks at once, each behind an address of its own, so that one has as many measurements.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::collections::BTreeMap;

use dgawatch::dga::Containment;
use dgawatch::ledger::estimate::{churn, live};
use serde_json::Value;

use super::bars::{
    ABOVE, CHURN, Changing, churn_row, delay_row, floor_row, hazard_row, loss_row, occupancy_row, rhythm_row, silence_row,
    verdict_row,
};
use super::hosts::{DAY, Errors, MEASURED};
use super::sections::Row;
use super::whole_path::{Capture, Told, day, figures, infected, resolver, told};

const WHOLE: &str = "whole path";
const LIST_DAY: &str = "2009-04-01";
const B: &str = "conficker-b";
const C: &str = "conficker-c";

/// Names of a round of C and of B.
const ROUND_OF_C: f64 = 500.0;
const ROUND_OF_B: f64 = 250.0;

/// How many networks of so many hosts are in one capture, for so many hosts in all.
fn networks(hosts: u64, all: u64) -> u64 {
    (all / hosts).clamp(2, 40)
}

/// The same of C, whose hosts ask for less.
fn networks_of_c(hosts: u64, all: u64) -> u64 {
    networks(hosts, 12 * all)
}

fn address(network: u64) -> String {
    format!("192.0.2.{}", network + 1)
}

/// Networks that are alike: a resolver each, of which this is in view, and hosts behind one address that ask it.
fn alike(family: &str, (hosts, networks): (u64, u64), sees: &str, of_resolver: &str, of_hosts: &str) -> String {
    let network = |network: u64| {
        let name = format!("r{network}");
        let habits = format!("per_address = {hosts}\n{of_hosts}");
        let hosts = infected(family, hosts, &format!("10.{}.0.0/16", network + 1), &name, &habits);
        resolver(&name, &address(network), sees, of_resolver) + &hosts
    };
    (0..networks).map(network).collect()
}

/// The first address of the hosts of a network.
fn nat(network: u64) -> String {
    format!("10.{}.0.1", network + 1)
}

/// Bar 1: rounds of C, counted at the hosts' address; the same names above the resolver's cache, some asked for again.
pub fn occupancy_rows(hosts: &[u64], all: u64) -> Vec<Row> {
    let of = |n: u64| {
        let networks = networks_of_c(n, all);
        let habits = "first_round_within = \"17h\"\nrequeries = 0.25";
        let told = told(&day(&alike(C, (n, networks), "both", "responses = false", habits)), 11, &[C], 0.0);
        let (mut errors, mut same) = (Errors::default(), true);
        for network in 0..networks {
            let (inside, outside) = (told.source(C, LIST_DAY, &nat(network)), told.source(C, LIST_DAY, &address(network)));
            let distinct = |row: Option<&Value>| row.map_or(0, |row| row["distinct_names"].as_u64().unwrap_or(0));
            same &= distinct(inside) == distinct(outside) && distinct(inside) > 0;
            let Some(counted) = inside.and_then(rounds) else { return occupancy_row(WHOLE, n as usize, &errors, false) };
            errors.add(told.rounds(C, LIST_DAY, &nat(network), ROUND_OF_C), counted);
        }
        occupancy_row(WHOLE, n as usize, &errors, same)
    };
    hosts.iter().map(|n| of(*n)).collect()
}

/// What a row of C counts: rounds. Its upper figure allows for hosts that began none.
fn rounds(row: &Value) -> Option<(u64, u64, Option<u64>)> {
    let (low, best, high) = figures(row)?;
    Some((low, best, high.map(|high| (high as f64 * 0.79).ceil() as u64)))
}

/// Bar 2: the same with a tenth of packets lost, which is known, and said.
pub fn loss_rows(hosts: &[u64], all: u64) -> Vec<Row> {
    let of = |n: u64| {
        let networks = networks_of_c(n, all);
        let networks_of = alike(C, (n, networks), "clients", "responses = false", "first_round_within = \"17h\"");
        let told = told(&format!("loss = 0.1\n{}", day(&networks_of)), 12, &[C], 0.1);
        let (mut errors, mut is_said) = (Errors::default(), true);
        for network in 0..networks {
            let row = told.source(C, LIST_DAY, &nat(network));
            let Some((row, counted)) = row.and_then(|row| Some((row, rounds(row)?))) else {
                return loss_row(WHOLE, n as usize, &errors, false);
            };
            is_said &= caveats(row).iter().any(|caveat| caveat.contains("packets were lost"));
            errors.add(told.rounds(C, LIST_DAY, &nat(network), ROUND_OF_C), counted);
        }
        loss_row(WHOLE, n as usize, &errors, is_said)
    };
    hosts.iter().map(|n| of(*n)).collect()
}

fn caveats(row: &Value) -> Vec<&str> {
    row["hosts"]["caveats"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Bar 3: hosts of B behind one address, nothing between.
pub fn floor_rows(hosts: &[u64], all: u64) -> Vec<Row> {
    let of = |n: u64| {
        let networks = networks(n, all);
        let told = told(&day(&alike(B, (n, networks), "clients", "responses = false", "")), 13, &[B], 0.0);
        let (mut above, mut least) = (0, f64::INFINITY);
        for network in 0..networks {
            let counted = told.source(B, LIST_DAY, &nat(network)).and_then(figures);
            let (low, ..) = counted.unwrap_or((0, 0, None));
            above += u32::from(low > n);
            least = f64::min(least, low as f64 / n as f64);
        }
        floor_row(WHOLE, n as usize, networks, above, least)
    };
    hosts.iter().map(|n| of(*n)).collect()
}

/// Bar 4: hosts of B above caches. Hosts of 2009 keep another time; a few clients in view show which.
pub fn hazard_rows(hosts: &[u64], all: u64) -> Vec<Row> {
    let mut rows = vec![];
    // Beside those of many others, resolvers above long-lived caches look like tiers of them: that is for one at a time.
    for above in &ABOVE[..4] {
        for &n in hosts {
            let networks = networks(n, all);
            let caches = format!("caches = {}", above.caches);
            let habits = if above.literature { "behaviour = \"literature\"" } else { "" };
            let mut text = format!("[answers]\nnegative_ttl = {}\n", above.lifetime);
            text += &alike(B, (n, networks), "upstream", &caches, habits);
            if above.literature {
                text += &resolver("beside", "198.51.100.1", "clients", "responses = false");
                text += &infected(B, 12, "172.16.0.0/16", "beside", habits);
            }
            let told = told(&day(&text), 14, &[B], 0.0);
            let mut errors = Errors::default();
            for network in 0..networks {
                let counted = told.source(B, LIST_DAY, &address(network)).and_then(figures);
                errors.add(n as f64, counted.unwrap_or((0, 0, Some(0))));
            }
            rows.push(hazard_row(WHOLE, above, n as usize, &errors));
        }
    }
    rows
}

/// Bar 4 of hosts that are on for eight hours.
pub fn rhythm_rows(hosts: &[u64], all: u64) -> Vec<Row> {
    let of = |n: u64| {
        let networks = networks(n, all);
        let habits = "duty = { hours = 8, spread = 2, wander = 0, days = 1 }";
        let text = "[answers]\nnegative_ttl = 900\n".to_owned() + &alike(B, (n, networks), "upstream", "", habits) + AROUND;
        let told = told(&day(&text), 15, &[B], 0.0);
        let mut errors = Errors::default();
        for network in 0..networks {
            let truth = told.rounds(B, LIST_DAY, &address(network), ROUND_OF_B) * MEASURED.cycle / DAY;
            let counted = told.source(B, LIST_DAY, &address(network)).and_then(figures);
            errors.add(truth, counted.unwrap_or((0, 0, Some(0))));
        }
        rhythm_row(WHOLE, n as usize, &errors)
    };
    hosts.iter().filter(|n| **n >= 10).map(|n| of(*n)).collect()
}

/// Somebody who is there all day: a capture is as long as what is in it.
const AROUND: &str = "[[resolver]]\nname = \"around\"\naddresses = [\"198.51.100.9\"]\nsees = \"clients\"\n\
                      [[clean]]\ncount = 10\naddresses = \"172.31.0.0/24\"\nresolver = \"around\"\nrate = 30\n";

/// Bars 5 and 6: no count above a cache that keeps names for two hours; "at least" where all names are seen.
pub fn silence_rows() -> [Row; 2] {
    let text = "[answers]\nnegative_ttl = 7200\n".to_owned() + &alike(B, (30, 1), "upstream", "", "");
    let told_b = told(&day(&text), 16, &[B], 0.0);
    let refused = told_b.source(B, LIST_DAY, &address(0)).map(|row| row["refused"].clone()).unwrap_or_default();
    let refused = refused.as_str().unwrap_or("a number").to_owned();
    let text = alike(C, (2_500, 1), "clients", "responses = false", "first_round_within = \"17h\"");
    let told_c = told(&day(&text), 16, &[C], 0.0);
    let counted = told_c.source(C, LIST_DAY, &nat(0)).and_then(figures);
    let said = match counted {
        Some((low, _, None)) => format!("at least {low}"),
        other => format!("{other:?}"),
    };
    [
        silence_row(WHOLE, "30", &refused, refused == "caches keep the names for more than half a cycle"),
        silence_row(WHOLE, "2500", &said, said == "at least 967"),
    ]
}

/// Bar 7: the shipped population, on so many days.
pub fn verdict_rows(description: &str, days: u64) -> Vec<Row> {
    let (mut wrong, mut missed, mut hosts, mut readers) = (0, 0, 0, 0);
    for seed in 0..days {
        let told = told(description, seed, &[C], 0.0);
        // A source may have met names of several list days.
        let mut rows: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
        for row in told.rows("sources", C) {
            let (infected, reader) = rows.entry(row["source"].as_str().unwrap_or_default()).or_default();
            *infected |= row["verdict"] == "infected";
            *reader |= row["reader"] == true;
        }
        for source in told.truth.sources.iter().filter(|source| !source.roles.contains(&"resolver")) {
            let (infected, reader) = rows.get(source.source.to_string().as_str()).copied().unwrap_or_default();
            match source {
                _ if source.reader => readers += u64::from(reader && !infected),
                _ if source.infected => missed += u64::from(!infected),
                _ => wrong += u64::from(infected),
            }
            hosts += u64::from(source.infected);
        }
    }
    vec![verdict_row(WHOLE, C, days, (wrong, missed, hosts, readers))]
}

/// Bar 8: captures that end so soon after the first lookups have all verdicts.
pub fn delay_rows(hosts: u64) -> [Row; 2] {
    let of = |family: &str, name: &str, seconds: f64| {
        let habits = "first_round_within = \"1s\"";
        let text =
            resolver("r", "192.0.2.53", "clients", "responses = false") + &infected(family, hosts, "10.0.0.0/16", "r", habits);
        let duration = seconds as u64 + 1;
        let text = format!("start = \"2009-04-01T06:00:00Z\"\nduration = \"{duration}s\"\n{text}");
        let told = told(&text, 18, &[family], 0.0);
        let infected = told.family(family)["infected"].as_u64();
        delay_row(WHOLE, name, hosts, duration as f64, seconds + 1.0, infected == Some(hosts))
    };
    [of(B, "B", 10.0), of(C, "C", 300.0)]
}

/// Bar 9: visitors of a site on a list, so many that they are counted by a sketch, and so few that they are not.
pub fn distinct_rows(counts: &[u64]) -> Vec<Row> {
    let of = |count: u64| {
        let text = resolver("r", "192.0.2.53", "clients", "responses = false")
            + &format!("[[clean]]\ncount = {count}\naddresses = \"10.0.0.0/8\"\nresolver = \"r\"\nrate = 0\n")
            + &format!("[[clean.collisions]]\nfamily = \"{B}\"\nshares = [0.9]\n");
        let told = Capture::of(&day(&text), 19).told_without_sources(&[B], 0.0);
        let seen = told.truth.sources.iter().filter(|source| !source.lists.is_empty() && source.queries > 0).count();
        let distinct = &told.family(B)["distinct"]["seen"];
        let bound = |name: &str| distinct[name].as_u64().unwrap_or(0);
        let error = bound("best") as f64 / seen as f64 - 1.0;
        let exact = bound("low") == bound("high");
        let said = if exact { "exact".to_owned() } else { format!("off by {:.2} %", 100.0 * error.abs()) };
        let cleared = if seen > 1 << 18 { error.abs() <= 0.035 && !exact } else { exact && error == 0.0 };
        Row::new([WHOLE.to_owned(), seen.to_string(), "1".to_owned(), said], cleared)
    };
    counts.iter().map(|count| of(*count)).collect()
}

/// Bar 10: so many hosts of B over eight days, counted in windows of the last seven.
pub fn churn_rows(hosts: u64) -> Vec<Row> {
    let of = |changing: &Changing| {
        let (_, habits, ..) = changing;
        let habits = format!("names = 10\n{habits}");
        let text = resolver("r", "192.0.2.53", "clients", "responses = false") + &infected(B, hosts, "10.0.0.0/9", "r", &habits);
        let capture = Capture::of(&format!("start = \"2009-04-01\"\nduration = \"192h\"\n{text}"), 20);
        let hour = 3_600;
        let mean = |hours: u64| {
            let windows = 7 * 24 / hours;
            let counts = (0..windows).map(|window| {
                let from = (24 + window * hours) * hour;
                let told = capture.part(from, from + hours * hour, B);
                told["distinct"]["seen"]["best"].as_f64().unwrap_or(f64::NAN)
            });
            counts.sum::<f64>() / windows as f64
        };
        let windows = [4, 6, 12, 24].map(|hours| ((hours * hour) as f64, mean(hours)));
        let on = capture.truth.families[0].hosts_on;
        let truth = if habits.contains("duty") { on * (1.0 + MEASURED.cycle / 3_600.0 / 8.0) } else { on };
        let line = live(&windows, MEASURED.cycle).map_or(f64::NAN, |live| live / truth - 1.0);
        churn_row(WHOLE, changing, line, churn(mean(7 * 24), windows[3].1).unwrap_or(f64::NAN))
    };
    CHURN.iter().map(of).collect()
}

/// Bar 12: the shipped population of two hosts at five addresses, whole and with most packets missing.
pub fn tier_rows(description: &str) -> Vec<Row> {
    let of = |missing: &str, text: &str| {
        let told = told(text, 1, &[B], 0.0);
        let family = told.family(B);
        let infected = family["infected"].as_u64().unwrap_or(0);
        let best = family["hosts"]["best"].as_u64().unwrap_or(0);
        let minutes = family["cycle"]["seconds"].as_f64().unwrap_or(0.0) / 60.0;
        let cells = [WHOLE.to_owned(), missing.to_owned(), infected.to_string(), best.to_string(), format!("{minutes:.1} min")];
        Row::new(cells, infected == 5 && best == 2 && (183.0..185.0).contains(&minutes))
    };
    vec![of("none", description), of("five of six", &format!("loss = 0.83\n{description}"))]
}

/// Bars 11 and 13: the arithmetic of containment.
pub fn containment_rows() -> [Vec<Row>; 2] {
    let c = Containment::new(50_000, 500).expect("the list is long enough");
    let hosts = c.hosts(13_841, 6, 0.0).expect("lookups can be expected");
    let [low, best, high] = [hosts.low, hosts.best, hosts.high].map(|hosts| hosts.round() as u64);
    let near = |is: u64, expected: u64| is.abs_diff(expected) <= 100;
    let press = Row::new(
        ["6".to_owned(), "13841".to_owned(), best.to_string(), format!("{low} to {high}")],
        best == 230_683 && near(low, 226_800) && near(high, 234_500),
    );
    let reach = [(1, "1.00"), (10, "9.56"), (100, "63.43"), (459, "99.03"), (69, "50.04")].map(|(held, expected)| {
        let reached = format!("{:.2}", 100.0 * c.reach(held, 0.0));
        Row::new([held.to_string(), format!("{reached} %")], reached == expected)
    });
    [vec![press], reach.into()]
}

/// What no bar asks for: populations of other sizes and habits. The truth is to lie between low and high.
pub fn other_rows() -> Vec<Row> {
    let mut rows = vec![];
    let mut add = |what: &str, told: &Told, family: &str, truth: u64| {
        let counted = figures(told.family(family)).unwrap_or((0, 0, Some(0)));
        let (low, best, high) = counted;
        let text = high.map_or_else(|| format!("at least {low}"), |high| format!("{low} to {high}, likely {best}"));
        let held = low <= truth && high.is_none_or(|high| truth <= high);
        rows.push(Row::new([what.to_owned(), truth.to_string(), text], held));
    };
    let mut text = "[answers]\nnegative_ttl = 900\n".to_owned() + &resolver("r", "192.0.2.53", "upstream", "");
    for (number, (family, hosts)) in [("conficker-a", 17), (B, 40), (C, 70)].into_iter().enumerate() {
        text += &infected(family, hosts, &format!("10.{number}.0.0/16"), "r", "");
    }
    let mixed = told(&day(&text), 21, &["conficker-a", B, C], 0.0);
    add("A beside B and C behind one resolver", &mixed, "conficker-a", 17);
    add("B beside A and C", &mixed, B, 40);
    add("C beside A and B", &mixed, C, 70);
    for lifetime in [60, 600, 1_800, 3_600] {
        for hosts in [2, 5, 20, 50, 170, 2_000] {
            let text = format!("[answers]\nnegative_ttl = {lifetime}\n") + &alike(B, (hosts, 1), "upstream", "", "");
            add(&format!("B above a cache of {lifetime} s"), &told(&day(&text), 22, &[B], 0.0), B, hosts);
        }
    }
    let behind_nat: [(&str, u64, &str, &str); 7] = [
        ("B behind a NAT", 2_000, "", ""),
        ("B behind a NAT, as described in 2009", 30, "behaviour = \"literature\"", ""),
        ("B behind a NAT, addresses of both versions", 30, "both_versions = true", ""),
        ("B behind a NAT, a fifth sent again", 30, "retransmissions = 0.2", ""),
        ("B behind a NAT, a tenth of clocks a day ahead", 30, "clocks = [{ days = 1, share = 0.1 }]", ""),
        ("B behind a NAT, a twentieth lost unnoticed", 30, "", "loss = 0.05\n"),
        ("B behind a NAT, three tenths lost unnoticed", 30, "", "loss = 0.3\n"),
    ];
    for (what, hosts, habits, head) in behind_nat {
        let text = format!("{head}{}", day(&alike(B, (hosts, 1), "clients", "", habits)));
        add(what, &told(&text, 23, &[B], 0.0), B, hosts);
    }
    for hosts in [5, 50, 850, 2_000] {
        let told = told(&day(&alike(C, (hosts, 1), "upstream", "", "")), 24, &[C], 0.0);
        add("C above a cache, at it for long", &told, C, hosts);
    }
    for (share, hosts) in [(0.2, 300), (0.4, 100)] {
        let text = format!("[answers]\nnegative_ttl = 10800\nsigned = {{ share = {share}, names = [100, 2000] }}\n")
            + &alike(C, (hosts, 1), "upstream", "aggressive_nsec = true", "first_round_within = \"17h\"");
        add(&format!("C, {share} of zones denied from signed gaps"), &told(&day(&text), 25, &[C], 0.0), C, hosts);
    }
    // Nothing to compare with, and the resolver makes use of it.
    let text = "[answers]\nnegative_ttl = 10800\nsigned = { share = 1, names = [300, 300] }\n".to_owned()
        + &alike(C, (300, 1), "upstream", "aggressive_nsec = true", "first_round_within = \"17h\"");
    add("C, all zones alike, denied from signed gaps", &told(&day(&text), 25, &[C], 0.0), C, 300);
    let chain = "[answers]\nnegative_ttl = 900\n".to_owned()
        + &resolver("far", "192.0.2.53", "both", "")
        + &resolver("middle", "192.0.2.54", "both", "upstream = \"far\"")
        + &resolver("near", "192.0.2.55", "both", "upstream = \"middle\"")
        + &infected(B, 25, "10.0.0.0/16", "near", "");
    add("B, clients of a forwarder of a forwarder, all in view", &told(&day(&chain), 26, &[B], 0.0), B, 25);
    rows
}
