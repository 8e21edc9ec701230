//! Simulated hosts behave as docs/SIMULATE.md says: cycles, pace, order, caches, churn, duty, loss, collisions. Packets are
//! read with other people's parsers; bounds are those of chance, for fixed seeds.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use support::names;
use support::simulated::{Seen, frames, simulate};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
/// 2009-04-01T00:00:00Z.
const START: u64 = 14_335 * 24 * HOUR;

/// A population at one resolver.
fn population(hours: u32, sees: &str, more: &str) -> String {
    format!(
        "start = \"2009-04-01\"\nduration = \"{hours}h\"\n[[resolver]]\nname = \"r\"\naddresses = [\"192.0.2.53\"]\nsees = \"{sees}\"\n{more}"
    )
}

fn infected(family: &str, count: u32, more: &str) -> String {
    format!("[[infected]]\nresolver = \"r\"\naddresses = \"10.0.0.0/9\"\nfamily = \"{family}\"\ncount = {count}\n{more}\n")
}

/// Queries by client.
fn queries(seen: &[Seen]) -> BTreeMap<IpAddr, Vec<&Seen>> {
    let mut clients: BTreeMap<IpAddr, Vec<&Seen>> = BTreeMap::new();
    seen.iter().filter(|seen| !seen.response).for_each(|seen| clients.entry(seen.client).or_default().push(seen));
    clients
}

/// Queries of a client, cut where it rests for ten minutes or longer.
fn rounds<'a>(queries: &[&'a Seen]) -> Vec<Vec<&'a Seen>> {
    queries.chunk_by(|one, next| next.time - one.time < 600 * SECOND).map(<[&Seen]>::to_vec).collect()
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / SECOND as f64
}

#[track_caller]
fn within(what: &str, got: f64, expected: f64, share: f64) {
    assert!((got / expected - 1.0).abs() <= share, "{what}: {got}, not {expected} or so");
}

#[test]
fn b_as_measured() {
    let (seen, truth) = simulate(&population(48, "clients", &infected("conficker-b", 20, "")), 1);
    let mut gaps = vec![];
    let mut orders = HashSet::new();
    for (client, queries) in queries(&seen) {
        let rounds = rounds(&queries);
        assert!((15..=17).contains(&rounds.len()), "{client}: {}", rounds.len());
        gaps.extend(rounds.windows(2).skip(1).map(|pair| seconds(pair[1][0].time - pair[0][0].time)));
        // The first and last may be cut by the capture's ends.
        for round in &rounds[1..rounds.len() - 1] {
            assert_eq!(round.len(), 250);
            assert_eq!(round.iter().map(|seen| &seen.name).collect::<BTreeSet<_>>().len(), 250);
            let length = seconds(round[249].time - round[0].time);
            assert!((170.0..180.0).contains(&length), "{length}");
            // Five names within ten seconds: what a verdict waits for.
            assert!(seconds(round[4].time - round[0].time) < 10.0);
            // Ten in a second, then a pause until 7.3 s are over.
            for batch in round.chunks(10) {
                assert!(seconds(batch[9].time - batch[0].time) < 1.0);
            }
            let pace = seconds(round[240].time - round[0].time) / 24.0;
            within("pace", pace, 7.3, 0.02);
            assert!(orders.insert(round.iter().map(|seen| seen.name.clone()).collect::<Vec<_>>()), "an order came twice");
            let day = dgawatch::day::Timestamp::from_nanos(round[0].time).day().to_string();
            let list: HashSet<String> = names("conficker-b", &day).into_iter().collect();
            assert!(round.iter().all(|seen| list.contains(&seen.name)), "{day}");
        }
    }
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((mean - 11_010.0).abs() < 4.0, "{mean}");
    assert_eq!(truth.families[0].hosts_active, 20);
    // Each starts a round every 183.5 min, and 1,962 queries a day are what that makes.
    within("rounds", truth.families[0].rounds_started as f64, 20.0 * 48.0 * 3_600.0 / 11_010.0, 0.02);
    within("queries", truth.packets.queries as f64, 20.0 * 2.0 * 1_962.0, 0.02);
}

#[test]
fn b_as_described() {
    let (seen, _) = simulate(&population(12, "clients", &infected("conficker-b", 3, "behaviour = \"literature\"")), 1);
    let list = names("conficker-b", "2009-04-01");
    for queries in queries(&seen).values() {
        let rounds = rounds(queries);
        let round = &rounds[1];
        assert_eq!(round.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(), list);
        within("pace", seconds(round[249].time - round[0].time) / 249.0, 5.0, 0.02);
        within("cycle", seconds(rounds[2][0].time - round[0].time), 8_450.0, 0.03);
    }
}

#[test]
fn c_asks_for_500_and_sleeps() {
    let (seen, truth) = simulate(&population(72, "clients", &infected("conficker-c", 30, "")), 2);
    let mut whole = 0;
    for queries in queries(&seen).values() {
        for round in queries.chunk_by(|one, next| next.time - one.time < HOUR).filter(|round| round.len() == 500) {
            whole += 1;
            assert_eq!(round.iter().map(|seen| &seen.name).collect::<BTreeSet<_>>().len(), 500);
            let paces: Vec<f64> = round.windows(2).map(|pair| seconds(pair[1].time - pair[0].time)).collect();
            assert!(paces.iter().all(|pace| (10.0..50.1).contains(pace)));
            within("round", paces.iter().sum(), 499.0 * 30.0, 0.07);
            // The list of the day on which it began, over midnight too.
            let day = dgawatch::day::Timestamp::from_nanos(round[0].time).day().to_string();
            let list: HashSet<String> = names("conficker-c", &day).into_iter().collect();
            assert!(round.iter().all(|seen| list.contains(&seen.name)), "{day}");
        }
    }
    assert!(whole > 60, "{whole}");
    // A cycle is a day and a round: 0.85 rounds a day.
    within("rounds", truth.families[0].rounds_started as f64, 30.0 * 72.0 / 28.17, 0.1);
}

/// Any other family, by its numbers; clocks that are wrong; rounds that are given up.
#[test]
fn habits_by_parameters() {
    let habits =
        "names = 50\norder = \"cut\"\nbatch = 5\npace = 20\ncycle = \"1h\"\ncompleted = 0.5\nclocks = [{ days = -3, share = 1 }]";
    let (seen, truth) = simulate(&population(6, "clients", &infected("synthetic:1000", 4, habits)), 1);
    let list = names("synthetic:1000", "2009-03-29");
    for queries in queries(&seen).values() {
        let rounds = rounds(queries);
        let round = &rounds[1];
        assert_eq!(round.len(), 25);
        let first = list.iter().position(|name| *name == round[0].name).unwrap();
        let expected: Vec<&str> = (0..25).map(|place| list[(first + place) % 1_000].as_str()).collect();
        assert_eq!(round.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(), expected);
        within("batches", seconds(round[20].time - round[0].time), 80.0, 0.02);
        within("cycle", seconds(rounds[2][0].time - round[0].time), 3_600.0, 0.001);
    }
    // No sensor with a skew of one day can see them.
    let wire: u64 = truth.sources.iter().flat_map(|source| &source.lists).map(|list| list.queries).sum();
    assert!(wire == 0 && truth.packets.queries > 400, "{wire}");
}

/// Passes a name and day above a cache: ESTIMATE's figures, which a simulation of another hand gave (n = 1: 7.85 with any
/// cache shorter than a cycle; n = 100: 785 without, 86 with 900 s, 24 with 3,600 s). Of four caches each has a quarter of
/// the questions: one every 440 s and 900 s in between, 258 a day in all.
#[test]
fn passes_above_a_cache() {
    let rows = [(1, 900, 1, 7.85), (100, 0, 1, 785.0), (100, 900, 1, 86.0), (100, 3_600, 1, 24.0), (100, 900, 4, 258.0)];
    for (count, ttl, caches, expected) in rows {
        let description = format!(
            "{}caches = {caches}\n[answers]\nnegative_ttl = {ttl}\n{}",
            population(24, "upstream", ""),
            infected("conficker-b", count, "")
        );
        let mut passes = 0;
        frames(&description, 5, &mut |_, frame| passes += u64::from(frame[36..38] == [0, 53]));
        within(&format!("{count} hosts, {ttl} s, {caches} caches"), passes as f64 / 250.0, expected, 0.08);
    }
}

/// What a cache says, how long it keeps it, what a forwarder makes of it.
#[test]
fn denials_age() {
    let description = format!(
        "{}[[resolver]]\nname = \"f\"\naddresses = [\"192.0.2.1\"]\nupstream = \"r\"\nsees = \"clients\"\nnegative_ttl = [0, 100]\n\
         [answers]\nnegative_ttl = [600, 3600]\n{}{}",
        population(24, "both", ""),
        infected("conficker-b", 20, ""),
        infected("conficker-b", 20, "").replace("\"r\"", "\"f\"").replace("10.0", "10.128"),
    );
    let (seen, _) = simulate(&description, 3);
    let (resolver, forwarder): (IpAddr, IpAddr) = ("192.0.2.53".parse().unwrap(), "192.0.2.1".parse().unwrap());
    let mut zones: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut told: HashMap<&str, u64> = HashMap::new();
    let mut aged = 0;
    for seen in seen.iter().filter(|seen| seen.response) {
        let (ttl, minimum) = seen.soa.unwrap();
        assert!(seen.nxdomain && (600..3_600).contains(&minimum) && ttl <= minimum);
        zones.entry(seen.name.split_once('.').unwrap().1.to_owned()).or_default().insert(minimum);
        if seen.server == forwarder {
            assert!(ttl <= 100);
        } else if seen.client == resolver {
            assert_eq!(ttl, minimum);
            // Asked for again when, and only when, what was told is over.
            if let Some(before) = told.insert(&seen.name, seen.time) {
                assert!(seen.time - before >= u64::from(minimum) * SECOND);
            }
        } else {
            // What was told before the capture began is not in it.
            let Some(told) = told.get(seen.name.as_str()) else { continue };
            let age = seconds(seen.time - told);
            assert!((f64::from(minimum - ttl) - age).abs() < 1.1, "{age} {ttl} {minimum}");
            aged += u64::from(age > 60.0);
        }
    }
    assert!(aged > 1_000, "{aged}");
    assert!(zones.len() == 8 && zones.values().all(|minimum| minimum.len() == 1), "{zones:?}");
}

/// Ids and ports of a query that is sent again are the same, a second later; without, nothing is.
#[test]
fn retransmissions_and_repeats() {
    let of = |more: &str| {
        let (seen, _) = simulate(&population(24, "clients", &infected("conficker-c", 20, more)), 4);
        let mut sent: HashMap<(IpAddr, u16, u16, String), Vec<u64>> = HashMap::new();
        let mut names: HashMap<(IpAddr, String), u64> = HashMap::new();
        for seen in seen.iter().filter(|seen| !seen.response) {
            sent.entry((seen.client, seen.port, seen.id, seen.name.clone())).or_default().push(seen.time);
            *names.entry((seen.client, seen.name.clone())).or_default() += 1;
        }
        assert!(sent.values().all(|times| times.len() == 1 || times.len() == 2 && times[1] - times[0] == SECOND));
        let resent = sent.values().filter(|times| times.len() == 2).count() as f64 / sent.len() as f64;
        (resent, sent.len() as f64 / names.len() as f64 - 1.0)
    };
    let (resent, repeated) = of("");
    assert!(resent == 0.0 && repeated < 0.01, "{resent} {repeated}");
    within("resent", of("retransmissions = 0.1").0, 0.1, 0.1);
    within("repeated", of("requeries = 0.25\nfirst_round_within = \"12h\"").1, 0.25, 0.1);
}

/// The scenarios of address churn: 200 hosts, figures of a simulation of another hand with 1,000.
#[test]
fn churn() {
    let rows = [
        ("", 1_000.0, 343.0),
        ("renumber = { every = \"24h\" }", 1_878.0, 344.0),
        ("renumber = { mean = \"72h\" }", 1_288.0, 343.0),
        ("renumber = { mean = \"12h\" }", 2_552.0, 344.0),
        ("duty = { hours = 8 }\nrenumber = { boot = true }", 853.0, 111.0),
        ("duty = { hours = 8 }", 850.0, 111.0),
    ];
    for (habits, a_day, an_hour) in rows {
        let mut windows: HashMap<(u64, u64), HashSet<IpAddr>> = HashMap::new();
        let description = population(96, "clients", &infected("conficker-b", 200, habits));
        let truth = frames(&description, 6, &mut |time, frame| {
            if frame[36..38] == [0, 53] {
                let client: IpAddr = <[u8; 4]>::try_from(&frame[26..30]).unwrap().into();
                for window in [1, 24] {
                    windows.entry((window, (time - START) / HOUR / window)).or_default().insert(client);
                }
            }
        });
        let mean = |hours: u64| {
            let all = windows.iter().filter(|((window, _), _)| *window == hours).map(|(_, clients)| clients.len());
            all.sum::<usize>() as f64 * 5.0 / (96 / hours) as f64
        };
        within(habits, mean(24), a_day, 0.05);
        within(habits, mean(1), an_hour, 0.08);
        let on = if habits.starts_with("duty") { 200.0 * 0.85 / 3.0 } else { 200.0 };
        within("on", truth.families[0].hosts_on, on, 0.04);
        // What hosts were on at addresses adds up, below the resolver as above.
        for resolver in [true, false] {
            let of = truth.sources.iter().filter(|source| source.roles.contains(&"resolver") == resolver);
            within(
                "sum",
                of.flat_map(|source| &source.behind).map(|behind| behind.hosts_on).sum(),
                truth.families[0].hosts_on,
                1e-9,
            );
        }
    }
}

/// Bursts are as long as they should be, and losses of their own independent.
#[test]
fn loss() {
    for (burst, expected) in [(1, 1.0 / 0.9), (8, 8.0)] {
        let description = population(12, "clients", &infected("conficker-b", 60, ""));
        let (mut all, mut left) = (vec![], HashSet::new());
        frames(&description, 9, &mut |time, frame| all.push((time, frame.to_vec())));
        let lossy = format!("loss = 0.1\nloss_burst = {burst}\n{description}");
        let truth = frames(&lossy, 9, &mut |time, frame| assert!(left.insert((time, frame.to_vec()))));
        assert_eq!(truth.packets.lost + truth.packets.written, all.len() as u64);
        within("loss", truth.packets.lost as f64 / all.len() as f64, 0.1, 0.1);
        let lost: Vec<bool> = all.iter().map(|packet| !left.contains(packet)).collect();
        let bursts = lost.chunk_by(|one, next| one == next).filter(|run| run[0]).count();
        within("burst", truth.packets.lost as f64 / bursts as f64, expected, 0.1);
    }
}

/// Honest visitors of names on a list, at the shares that were asked for, each once; the site answers.
#[test]
fn collisions() {
    let clean = "[[clean]]\ncount = 20000\naddresses = \"10.0.0.0/8\"\nresolver = \"r\"\nrate = 0\n[[clean.collisions]]\n\
                 family = \"conficker-c\"\nshares = [0.05, 0.01, 0.002]\nothers = 40\nother_shares = [1e-5, 1e-4]\nstray = 0.01\n";
    let (seen, truth) = simulate(&population(24, "clients", clean), 11);
    let list: HashSet<String> = names("conficker-c", "2009-04-01").into_iter().collect();
    let mut visitors: HashMap<&str, Vec<IpAddr>> = HashMap::new();
    let mut hours = [0_u32; 24];
    for seen in seen.iter().filter(|seen| !seen.response) {
        assert!(list.contains(&seen.name));
        visitors.entry(&seen.name).or_default().push(seen.client);
        hours[((seen.time - START) / HOUR) as usize] += 1;
    }
    let mut counts: Vec<usize> = visitors.values().map(Vec::len).collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    for (count, expected) in counts.iter().zip([1_000.0, 200.0, 40.0_f64]) {
        assert!((*count as f64 - expected).abs() < 4.0 * expected.sqrt(), "{counts:?}");
    }
    let popular = visitors.values().filter(|visitors| visitors.len() > 10);
    assert!(popular.clone().all(|visitors| visitors.iter().collect::<HashSet<_>>().len() == visitors.len()));
    // All day alike, and strays besides.
    assert!(hours.iter().all(|count| (35..90).contains(count)), "{hours:?}");
    assert!((150..260).contains(&counts.iter().filter(|count| **count < 10).sum::<usize>()), "{counts:?}");
    for seen in seen.iter().filter(|seen| seen.response) {
        assert_eq!(seen.address.is_some(), !seen.nxdomain);
        assert!(seen.address.is_some() || visitors[seen.name.as_str()].len() < 10, "{seen:?}");
    }
    assert!(truth.sources.iter().all(|source| !source.infected && !source.reader));
    assert!(truth.answers.site > 1_200 && truth.answers.nxdomain > 100);
}

/// Names that are held lead to where they should, always to the same place, and who was told is told of.
#[test]
fn names_that_are_held() {
    let answers = "[answers]\nsinkhole = { share = 0.3, addresses = [\"192.0.2.80\", \"192.0.2.81\"] }\n\
                   rendezvous = { share = 0.02, addresses = [\"203.0.113.66\"] }\n";
    let (seen, truth) = simulate(&population(12, "both", &format!("{answers}{}", infected("conficker-b", 30, ""))), 12);
    let mut led: BTreeMap<&str, BTreeSet<Option<IpAddr>>> = BTreeMap::new();
    let mut exposed: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.response) {
        led.entry(&seen.name).or_default().insert(seen.address);
        if seen.address == Some("203.0.113.66".parse().unwrap()) {
            exposed.entry(&seen.name).or_default().insert(seen.client);
        }
    }
    assert!(led.values().all(|addresses| addresses.len() == 1));
    let to = |address: &str| {
        let address = Some(address.parse().unwrap());
        led.values().filter(|addresses| addresses.contains(&address)).count() as f64 / led.len() as f64
    };
    within("sinkhole", to("192.0.2.80") + to("192.0.2.81"), 0.3, 0.2);
    assert!(to("192.0.2.80") > 0.1 && to("192.0.2.81") > 0.1 && to("203.0.113.66") > 0.003);
    let told: BTreeMap<&str, BTreeSet<IpAddr>> =
        truth.rendezvous.iter().map(|row| (row.name.as_str(), row.exposed.iter().copied().collect())).collect();
    assert_eq!(told, exposed);
}

/// A reader asks for its names once, as fast as it is told to.
#[test]
fn a_reader() {
    let reader = "[[reader]]\nfamily = \"conficker-b\"\naddress = \"192.0.2.99\"\nresolver = \"r\"\nat = \"1h\"\n";
    let (seen, truth) = simulate(&population(3, "clients", reader), 1);
    let asked: Vec<&str> = seen.iter().filter(|seen| !seen.response).map(|seen| seen.name.as_str()).collect();
    assert_eq!(asked, names("conficker-b", "2009-04-01"));
    assert_eq!(seen[0].time, START + HOUR);
    assert!(truth.sources.iter().any(|source| source.reader && !source.infected && source.lists[0].distinct_names == 250));
}

/// Two hosts are seen at five addresses, in two phases.
#[test]
fn tiers() {
    let description = std::fs::read_to_string(support::root().join("examples/populations/tiers.toml")).unwrap();
    let (seen, truth) = simulate(&description, 1);
    let lists = truth.sources.iter().filter(|source| source.lists.iter().any(|list| list.distinct_names >= 200));
    assert_eq!(lists.map(|source| source.behind[0].hosts).collect::<Vec<_>>(), [1, 1, 2, 1, 1]);
    assert_eq!(truth.families[0].hosts_active, 2);
    let starts: BTreeMap<IpAddr, u64> =
        queries(&seen).into_iter().map(|(client, queries)| (client, rounds(&queries)[1][0].time / SECOND)).collect();
    let start = |address: &str| starts[&address.parse::<IpAddr>().unwrap()] as i64;
    assert!((start("192.0.2.1") - start("192.0.2.10")).abs() <= 1 && (start("203.0.113.1") - start("203.0.113.10")).abs() <= 1);
    assert!((start("192.0.2.10") - start("203.0.113.10")).abs() > 60);
}

/// A resolver that knows the gaps of signed zones asks for less; hosts that ask for both types ask twice.
#[test]
fn gaps_and_types() {
    let names_asked_for = |of_resolver: &str| {
        let answers = "[answers]\nnegative_ttl = 3600\nsigned = { share = 1, names = [20, 20] }\n";
        let hosts = infected("conficker-c", 20, "first_round_within = \"1h\"");
        let text = population(12, "upstream", "").replace("sees", &format!("{of_resolver}\nsees")) + answers + &hosts;
        let (seen, _) = simulate(&text, 14);
        seen.iter().filter(|seen| !seen.response).map(|seen| seen.name.clone()).collect::<BTreeSet<String>>().len()
    };
    let (all, less) = (names_asked_for("aggressive_nsec = false"), names_asked_for("aggressive_nsec = true"));
    // 116 zones of 21 gaps, each asked about four times at most.
    assert!(all > 8_500 && less < 7_500 && less > 2_000, "{less} of {all}");

    let asked = |more: &str| {
        let (seen, _) = simulate(&population(12, "clients", &infected("conficker-b", 3, more)), 15);
        seen.iter().filter(|seen| !seen.response).count()
    };
    assert_eq!(asked("both_versions = true"), 2 * asked(""));
}
