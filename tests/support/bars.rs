//! The bars that estimates have to clear, measured on the estimators alone, with many runs: run in full by `make accept`, in
//! part by the tests.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::Transport;
use dgawatch::dga::Catalog;
use dgawatch::ledger::{Distinct, EXACT, Hit, Ledger, Rule, Verdict};
use dgawatch::watchlist::Match;

use dgawatch::ledger::estimate::{Caches, Caveat, Method, Refused, Sampling, churn, floor, hazard, live, occupancy, threshold};

use super::sections::{Row, percent};

use super::hosts::{DAY, Errors, LITERATURE, MEASURED, Random, pass, passes, sampling};

/// Where a row was measured.
const ARRAYS: &str = "estimator";

const C: Sampling = Sampling { list: 50_000, drawn: 500, seen: 1.0, among: 50_000 };

/// Bars 1 and 2: occupancy of a sampling worm, without loss and with a tenth lost.
pub fn occupancy_bars(runs: u64, hosts: &[usize]) -> [Vec<Row>; 2] {
    let (mut bars, mut with_loss) = (vec![], vec![]);
    for &n in hosts {
        let runs = if n > 300 { runs.div_ceil(4) } else { runs };
        let (mut whole, mut thinned) = (Errors::default(), Errors::default());
        let mut same = true;
        for run in 0..runs {
            let random = &mut Random::of([11, n as u64, run]);
            let lookups = sampling(random, n);
            let names: BTreeSet<u32> = lookups.iter().map(|(name, _)| *name).collect();
            whole.add(n as f64, occupancy(names.len() as u64, &C).figures());
            let seen: BTreeSet<u32> = lookups.iter().filter(|_| random.unit() > 0.1).map(|(name, _)| *name).collect();
            thinned.add(n as f64, occupancy(seen.len() as u64, &Sampling { seen: 0.9, ..C }).figures());
            if run % 20 == 0 {
                let mut again = lookups.clone();
                for (name, time) in lookups {
                    if random.unit() < 0.25 {
                        again.push((name, time + random.between(0.0, 6.0 * 3_600.0)));
                    }
                }
                let lifetime = |name: u32| [900.0, 900.0, 3_600.0, 10_800.0][name as usize % 4];
                same &= passes(again, lifetime).into_iter().map(|(name, _)| name).collect::<BTreeSet<u32>>() == names;
            }
        }
        bars.push(occupancy_row(ARRAYS, n, &whole, same));
        if n <= 300 {
            with_loss.push(loss_row(ARRAYS, n, &thinned, true));
        }
    }
    [bars, with_loss]
}

/// A row of bar 1.
pub fn occupancy_row(through: &str, n: usize, errors: &Errors, same: bool) -> Row {
    let (median, far, coverage) = if n <= 300 { (0.01, 0.02, 0.97) } else { (0.03, f64::INFINITY, 0.93) };
    let same_text = if same { "the same" } else { "NOT the same" };
    let [middle, most, covered] = [errors.median(), errors.quantile(0.95), errors.coverage()].map(percent);
    Row::new(
        [through.to_owned(), n.to_string(), errors.runs().to_string(), middle, most, covered, same_text.to_owned()],
        same && errors.median() <= median && errors.quantile(0.95) <= far && errors.coverage() >= coverage,
    )
}

/// A row of bar 2.
pub fn loss_row(through: &str, n: usize, errors: &Errors, told: bool) -> Row {
    let [bias, covered] = [errors.bias(), errors.coverage()].map(percent);
    Row::new(
        [through.to_owned(), n.to_string(), errors.runs().to_string(), bias, covered],
        told && errors.bias().abs() <= 0.005 && errors.coverage() >= 0.95,
    )
}

/// Bar 3: lookups of one name within a cycle.
pub fn floor_bar(runs: u64, hosts: &[usize]) -> Vec<Row> {
    let of = |n: usize| {
        let (mut above, mut least) = (0, f64::INFINITY);
        for run in 0..runs {
            let random = &mut Random::of([21, n as u64, run]);
            let starts = MEASURED.always_on(random, n);
            let names = MEASURED.lookups(random, &starts, 20);
            let (low, ..) = floor(&names, DAY, &MEASURED.known(), 1.0).figures();
            above += u32::from(low > n as u64);
            least = f64::min(least, low as f64 / n as f64);
        }
        floor_row(ARRAYS, n, runs, above, least)
    };
    hosts.iter().map(|n| of(*n)).collect()
}

/// A row of bar 3.
pub fn floor_row(through: &str, n: usize, runs: u64, above: u32, least: f64) -> Row {
    let cells = [through.to_owned(), n.to_string(), runs.to_string(), above.to_string(), format!("{least:.3}")];
    Row::new(cells, above == 0 && least >= 0.97)
}

/// What stands between hosts and sensor in bar 4.
#[derive(Clone, Copy)]
pub struct Above {
    pub what: &'static str,
    pub lifetime: u32,
    pub caches: u64,
    /// Whether hosts behave as described in 2009.
    pub literature: bool,
    /// The median error that is allowed of few and of many hosts, and the least coverage.
    pub asked: [f64; 3],
}

pub const ABOVE: [Above; 6] = [
    Above { what: "one of 300 s", lifetime: 300, caches: 1, literature: false, asked: [0.3, 0.1, 0.95] },
    Above { what: "one of 900 s", lifetime: 900, caches: 1, literature: false, asked: [0.3, 0.1, 0.95] },
    Above { what: "four of 900 s", lifetime: 900, caches: 4, literature: false, asked: [f64::INFINITY, f64::INFINITY, 0.95] },
    Above {
        what: "one of 900 s, hosts as described in 2009",
        lifetime: 900,
        caches: 1,
        literature: true,
        asked: [f64::INFINITY, f64::INFINITY, 0.93],
    },
    Above { what: "one of 3,600 s", lifetime: 3_600, caches: 1, literature: false, asked: [f64::INFINITY, f64::INFINITY, 0.9] },
    Above {
        what: "one of 4,200 s, hosts as described in 2009",
        lifetime: 4_200,
        caches: 1,
        literature: true,
        asked: [f64::INFINITY, f64::INFINITY, 0.9],
    },
];

/// Bar 4: lookups that pass caches.
pub fn hazard_bars(runs: u64, hosts: &[usize]) -> Vec<Row> {
    let mut bars = vec![];
    for above in ABOVE {
        let (lifetime, rounds) = (f64::from(above.lifetime), if above.literature { &LITERATURE } else { &MEASURED });
        for &n in hosts {
            let mut errors = Errors::default();
            for run in 0..if n > 100 { runs.div_ceil(4) } else { runs } {
                let random = &mut Random::of([31, n as u64, run]);
                let starts = rounds.always_on(random, n);
                let names = rounds.lookups(random, &starts, 60);
                let names = pass(random, &names, lifetime, above.caches);
                let estimate = hazard(&names, DAY, &rounds.known(), &Caches { lifetime, error: 1.0, seen: 1.0 });
                errors.add(n as f64, estimate.expect("short lifetimes are counted").figures());
            }
            bars.push(hazard_row(ARRAYS, &above, n, &errors));
        }
    }
    bars
}

/// A row of bar 4.
pub fn hazard_row(through: &str, above: &Above, n: usize, errors: &Errors) -> Row {
    let [few, many, coverage] = above.asked;
    let asked = if n <= 30 { few } else { many };
    let [median, covered] = [errors.median(), errors.coverage()].map(percent);
    Row::new(
        [through.to_owned(), above.what.to_owned(), n.to_string(), errors.runs().to_string(), median, covered],
        errors.median() <= asked + 1e-9 && errors.coverage() >= coverage,
    )
}

/// Bar 4 of hosts that are on for eight hours.
pub fn rhythm_bars(runs: u64, hosts: &[usize]) -> Vec<Row> {
    let of = |n: usize| {
        let mut errors = Errors::default();
        for run in 0..runs {
            let random = &mut Random::of([61, n as u64, run]);
            let starts = MEASURED.by_day(random, n);
            let rounds = starts.iter().flatten().filter(|start| (0.0..DAY).contains(*start)).count();
            let names = MEASURED.lookups(random, &starts, 60);
            let names = pass(random, &names, 900.0, 1);
            let estimate = hazard(&names, DAY, &MEASURED.known(), &Caches { lifetime: 900.0, error: 1.0, seen: 1.0 });
            let truth = rounds as f64 * MEASURED.cycle / DAY;
            errors.add(truth, estimate.expect("short lifetimes are counted").figures());
        }
        rhythm_row(ARRAYS, n, &errors)
    };
    hosts.iter().filter(|n| **n >= 10).map(|n| of(*n)).collect()
}

/// A row of that.
pub fn rhythm_row(through: &str, n: usize, errors: &Errors) -> Row {
    let [bias, covered] = [errors.bias(), errors.coverage()].map(percent);
    Row::new(
        [through.to_owned(), n.to_string(), errors.runs().to_string(), bias, covered],
        errors.bias().abs() <= 0.25 && errors.coverage() >= 0.95,
    )
}

/// Bars 5 and 6: what has no honest number.
pub fn silence_bars() -> [Row; 2] {
    let random = &mut Random::of([41, 0, 0]);
    let starts = MEASURED.always_on(random, 30);
    let names = MEASURED.lookups(random, &starts, 60);
    let names = pass(random, &names, 7_200.0, 1);
    let refused = hazard(&names, DAY, &MEASURED.known(), &Caches { lifetime: 7_200.0, error: 1.0, seen: 1.0 });
    let said = refused.as_ref().map_or_else(|why| why.text().to_owned(), ToString::to_string);
    let all = occupancy(C.list, &C);
    let open = all.figures().2.is_none() && all.caveats().contains(&Caveat::Saturated) && all.method() == Method::Occupancy;
    [
        silence_row(ARRAYS, "30", &said, refused == Err(Refused::LongLifetime)),
        silence_row(ARRAYS, "any", &all.to_string(), open && all.to_string() == "at least 967 (occupancy)"),
    ]
}

/// A row of bars 5 and 6.
pub fn silence_row(through: &str, hosts: &str, said: &str, cleared: bool) -> Row {
    Row::new([through, hosts, said].map(str::to_owned), cleared)
}

/// A query of the source with this number for a name of the list of 1 April 2009.
fn asks(source: u32, index: u32, seconds: f64) -> Hit {
    let list_day = Day::of(2009, 4, 1);
    Hit {
        source: IpAddr::V4(Ipv4Addr::from(source)),
        time: Timestamp::from_nanos((1_238_544_000.0 * 1e9 + seconds * 1e9) as u64),
        response: false,
        port: 1_024,
        transport: Transport::Udp,
        id: (seconds * 7.0) as u16,
        recursive: true,
        server: None,
        lifetime: None,
        told: None,
        matched: Match { family: 0, list_day, index, collision: false },
    }
}

/// A ledger that judges one family.
fn ledger_of(family: &str) -> Ledger {
    let mut catalog = Catalog::default();
    catalog.add(family).expect("the family is built in");
    let mut ledger = Ledger::new(1 << 18);
    ledger.judge_by(Rule::of_all(&catalog), true);
    ledger
}

/// Bar 7: a million honest clients of which many ask for names that somebody owns, 200 hosts that make a part of their
/// round, one that reads a list.
pub fn verdict_bar(family: &str, list: u64, colliding: usize, days: u64) -> Row {
    const CLIENTS: u64 = 1_000_000;
    const HOSTS: u32 = 200;
    let (mut wrong, mut missed, mut readers) = (0, 0, 0);
    for day in 0..days {
        let random = &mut Random::of([71, list, day]);
        let mut hits = vec![];
        for (place, index) in random.sample(colliding, list).into_iter().enumerate() {
            let share = [0.05, 0.01, 0.002].get(place).copied().unwrap_or_else(|| 10f64.powf(random.between(-8.0, -4.0)));
            for _ in 0..random.poisson(CLIENTS as f64 * share) {
                hits.push(asks(random.below(CLIENTS) as u32, index, random.between(0.0, DAY)));
            }
        }
        // Typing errors, crawlers.
        for _ in 0..random.poisson(CLIENTS as f64 * 1e-5) {
            hits.push(asks(random.below(CLIENTS) as u32, random.below(list) as u32, random.between(0.0, DAY)));
        }
        let reader = CLIENTS as u32;
        hits.extend(random.sample(40, list).into_iter().map(|index| asks(reader, index, 500.0)));
        for host in 1..=HOSTS {
            let names = (500.0 * random.between(0.05, 1.0)) as usize;
            let mut time = random.between(0.0, DAY / 2.0);
            for index in random.sample(names, list) {
                time += random.between(10.0, 50.0);
                hits.push(asks(reader + host, index, time));
            }
        }
        hits.sort_by_key(|hit| hit.time);
        let mut ledger = ledger_of(family);
        ledger.add_all(&hits, |_| {});
        for (key, evidence) in ledger.into_sorted() {
            let IpAddr::V4(source) = key.source else { continue };
            let infected = Verdict::of(&evidence) == Verdict::Infected;
            match u32::from(source) {
                source if source < reader => wrong += u32::from(infected),
                source if source == reader => readers += u32::from(evidence.is_reader() && !infected),
                _ => missed += u32::from(!infected),
            }
        }
    }
    verdict_row("ledger", family, days, (wrong.into(), missed.into(), u64::from(HOSTS) * days, readers.into()))
}

/// A row of bar 7: false verdicts, hosts missed of how many, readers told.
pub fn verdict_row(through: &str, family: &str, days: u64, (wrong, missed, hosts, readers): (u64, u64, u64, u64)) -> Row {
    let cells = [through.to_owned(), family.to_owned(), days.to_string(), wrong.to_string()];
    let more = [format!("{missed} of {hosts}"), format!("{readers} of {days}")];
    Row::new(cells.into_iter().chain(more), wrong as f64 <= 0.05 * days as f64 && missed == 0 && readers == days)
}

/// Bar 7: names that make a verdict, against the table of the design: by mean, for 10,000 to 10 million sources.
pub fn threshold_rows() -> Vec<Row> {
    let rows = [(1e-4, [2, 2, 2, 3]), (1e-3, [2, 3, 3, 3]), (1e-2, [3, 4, 4, 4]), (0.1, [5, 5, 6, 7]), (1.0, [10, 11, 12, 12])];
    let of = |(mean, expected): (f64, [u64; 4])| {
        let is = [1e4, 1e5, 1e6, 1e7].map(|sources| threshold(mean, sources, 0.01));
        Row::new([mean.to_string()].into_iter().chain(is.map(|names| names.to_string())), is == expected)
    };
    rows.into_iter().map(of).collect()
}

/// Bar 8: from the first lookup to the verdict, all packets seen.
pub fn delay_bars(runs: u32) -> [Row; 2] {
    let worst = |family: &str, list: u64, gap: (f64, f64)| {
        let mut worst = f64::default();
        for run in 0..runs {
            let random = &mut Random::of([81, list, run.into()]);
            let mut ledger = ledger_of(family);
            let (mut time, mut first) = (1_000.0, None);
            for index in random.sample(50, list) {
                time += random.between(gap.0, gap.1);
                let first = *first.get_or_insert(time);
                if ledger.add(&asks(run, index, time)).is_some_and(|news| news.verdict == Verdict::Infected) {
                    worst = f64::max(worst, time - first);
                    break;
                }
            }
        }
        worst
    };
    let (b, c) = (worst("conficker-b", 250, (0.4, 1.06)), worst("conficker-c", 50_000, (10.0, 50.0)));
    let row = |family: &str, worst: f64, most: f64| delay_row("ledger", family, runs.into(), worst, most, worst > 0.0);
    [row("B", b, 10.0), row("C", c, 300.0)]
}

/// A row of bar 8.
pub fn delay_row(through: &str, family: &str, hosts: u64, worst: f64, most: f64, all: bool) -> Row {
    let cells = [through.to_owned(), family.to_owned(), hosts.to_string(), format!("{worst:.1} s"), format!("{most:.0} s")];
    Row::new(cells, all && worst <= most)
}

/// Bar 9: counts of different addresses.
pub fn distinct_bar(seeds: u64, counts: &[u32]) -> Vec<Row> {
    let of = |key, exact, range: std::ops::Range<u32>| {
        let mut distinct = Distinct::new(key, exact);
        range.for_each(|n| distinct.add(IpAddr::V4(Ipv4Addr::from(n.wrapping_mul(2_654_435_761)))));
        distinct
    };
    let mut rows = vec![];
    for &count in counts {
        let seeds = if count > 100_000 { seeds.div_ceil(10) } else { seeds };
        let (mut worst, mut squares) = (f64::default(), 0.0);
        for key in 0..seeds {
            let error = of(key, 0, 0..count).count().best / f64::from(count) - 1.0;
            worst = worst.max(error.abs());
            squares += error * error;
        }
        let spread = (squares / seeds as f64).sqrt();
        let cells = ["sketch".to_owned(), count.to_string(), seeds.to_string()];
        let said = format!("root of mean squares {:.2} %, worst {:.2} %", 100.0 * spread, 100.0 * worst);
        rows.push(Row::new(cells.into_iter().chain([said]), spread <= 0.01 && worst <= 0.035));
    }
    let mut merged = of(1, 0, 0..300_000);
    let same_key = merged.merge(&of(1, 0, 200_000..500_000)).is_ok();
    let same = same_key && merged.count() == of(1, 0, 0..500_000).count();
    let exact = of(1, EXACT, 0..EXACT as u32);
    let exact = exact.is_exact() && exact.count().best == f64::from(1 << 18);
    let row = |count: &str, said: &str, cleared| Row::new(["sketch", count, "1", said].map(str::to_owned), cleared);
    rows.push(row("500000", if same { "merged as one" } else { "NOT merged as one" }, same));
    rows.push(row("262144", if exact { "exact" } else { "NOT exact" }, exact));
    rows
}

/// Bar 10: addresses that change, of 1,000 hosts of B over eight days.
pub fn churn_bars() -> Vec<Row> {
    const HOUR: f64 = 3_600.0;
    let days = 8.0;
    // Address and time of lookups: of hosts that change their address at these times and are on in these spans.
    let lookups = |random: &mut Random, lease: f64, by_day: bool, at_boot: bool| {
        let (mut lookups, mut next, mut on) = (vec![], 0_u32, 0.0);
        for _ in 0..1_000 {
            let base = random.normal(13.0, 3.0);
            let mut spans = vec![(0.0, days * DAY)];
            if by_day {
                spans.clear();
                for day in 0..8 {
                    let start = f64::from(day).mul_add(DAY, (base + random.normal(0.0, 1.0) - 4.0) * HOUR);
                    if random.unit() < 0.85 {
                        spans.push((start.max(0.0), (start + 8.0 * HOUR).min(days * DAY)));
                    }
                }
            }
            let mut changes = vec![];
            let mut at = 0.0;
            while lease > 0.0 && at < days * DAY {
                at -= lease * (1.0 - random.unit()).ln();
                changes.push(at);
            }
            if at_boot {
                changes = spans.iter().map(|span| span.0).collect();
            }
            for (start, end) in spans {
                on += end - start;
                let mut time = start + random.between(0.0, if by_day { 600.0 } else { MEASURED.cycle });
                while time < end {
                    for part in [0.0, 88.0, 175.0] {
                        let address = changes.partition_point(|change| *change <= time + part) as u32;
                        lookups.push((next + address, time + part));
                    }
                    time += MEASURED.cycle;
                }
            }
            next += changes.len() as u32 + 1;
        }
        (lookups, on / (days * DAY))
    };
    let mean = |lookups: &[(u32, f64)], window: f64| {
        let windows = ((days - 1.0) * DAY / window) as usize;
        let mut seen = vec![BTreeSet::new(); windows];
        for (address, time) in lookups.iter().filter(|(_, time)| *time >= DAY) {
            if let Some(seen) = seen.get_mut(((time - DAY) / window) as usize) {
                seen.insert(*address);
            }
        }
        seen.iter().map(BTreeSet::len).sum::<usize>() as f64 / windows as f64
    };
    let measure = |seed, lease: f64, by_day: bool, at_boot: bool| {
        let (lookups, on) = lookups(&mut Random::of([101, seed, 0]), lease * HOUR, by_day, at_boot);
        let windows = [4.0, 6.0, 12.0, 24.0].map(|hours| (hours * HOUR, mean(&lookups, hours * HOUR)));
        let truth = if by_day { on * (1.0 + MEASURED.cycle / HOUR / 8.0) } else { on };
        let line = live(&windows, MEASURED.cycle).map_or(f64::NAN, |live| live / truth - 1.0);
        (line, churn(mean(&lookups, 7.0 * DAY), windows[3].1).unwrap_or(f64::NAN))
    };
    let rows = [
        (CHURN[0], measure(1, 0.0, false, false)),
        (CHURN[1], measure(2, 72.0, false, false)),
        (CHURN[2], measure(3, 12.0, false, false)),
        (CHURN[3], measure(4, 0.0, true, true)),
        (CHURN[4], measure(5, 0.0, true, false)),
    ];
    rows.into_iter().map(|(what, (line, growth))| churn_row(ARRAYS, &what, line, growth)).collect()
}

/// How addresses change in bar 10: what it is called, what a description says, how far the line may be off, and between
/// which bounds a week has so many times the addresses of a day.
pub type Changing = (&'static str, &'static str, f64, (f64, f64));
pub const CHURN: [Changing; 5] = [
    ("always on, never", "", 0.03, (0.9, 1.3)),
    ("always on, after 72 h on average", "renumber = { mean = \"72h\" }", 0.03, (1.3, 5.0)),
    ("always on, after 12 h on average", "renumber = { mean = \"12h\" }", 0.03, (2.5, 7.0)),
    ("on for 8 h, at each boot", "duty = { hours = 8 }\nrenumber = { boot = true }", 0.1, (5.0, 8.0)),
    ("on for 8 h, never", "duty = { hours = 8 }", 0.1, (0.9, 1.3)),
];

/// A row of bar 10: the line's error, and a week's addresses for each of a day.
pub fn churn_row(through: &str, (what, _, error, (least, most)): &Changing, line: f64, growth: f64) -> Row {
    let cells = [through.to_owned(), (*what).to_owned(), percent(line), format!("{growth:.2}")];
    Row::new(cells, line.abs() <= *error && (*least..*most).contains(&growth))
}
