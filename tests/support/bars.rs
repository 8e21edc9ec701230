//! The bars that estimates have to clear, each with what was measured: run in full by `make accept`, in part by the tests.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::Transport;
use dgawatch::dga::Catalog;
use dgawatch::ledger::{Distinct, EXACT, Hit, Ledger, Rule, Verdict};
use dgawatch::watchlist::Match;

use dgawatch::ledger::estimate::{Caches, Caveat, Method, Refused, Sampling, churn, floor, hazard, live, occupancy};

use super::hosts::{DAY, Errors, LITERATURE, MEASURED, Random, Rounds, pass, passes, sampling};

/// One measured bar.
pub struct Bar {
    /// Which it is.
    pub number: u32,
    /// What was asked.
    pub asked: String,
    /// What was measured.
    pub measured: String,
    /// Whether it is cleared.
    pub cleared: bool,
}

impl Bar {
    pub fn new(number: u32, asked: impl Into<String>, measured: impl Into<String>, cleared: bool) -> Self {
        Self { number, asked: asked.into(), measured: measured.into(), cleared }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

const C: Sampling = Sampling { list: 50_000, drawn: 500, seen: 1.0 };

/// Bars 1 and 2: occupancy of a sampling worm, without loss and with a tenth lost.
pub fn occupancy_bars(runs: u64, hosts: &[usize]) -> Vec<Bar> {
    let mut bars = vec![];
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
        let (median, far, coverage) = if n <= 300 { (0.01, 0.02, 0.97) } else { (0.03, f64::INFINITY, 0.93) };
        let far_text = if far.is_finite() { ", 95 % of errors at most 2 %" } else { "" };
        bars.push(Bar::new(
            1,
            format!(
                "C, {n} hosts: median error at most {}{far_text}, coverage at least {}, same behind caches",
                percent(median),
                percent(coverage)
            ),
            format!(
                "median {}, 95 % below {}, coverage {}, {}",
                percent(whole.median()),
                percent(whole.quantile(0.95)),
                percent(whole.coverage()),
                if same { "same" } else { "NOT the same" }
            ),
            same && whole.median() <= median && whole.quantile(0.95) <= far && whole.coverage() >= coverage,
        ));
        if n <= 300 {
            // Rounded to whole hosts, so that few hosts cannot be told to half a per cent.
            bars.push(Bar::new(
                2,
                format!("C, {n} hosts, a tenth lost: bias at most 0.5 %, coverage at least 95 %"),
                format!("bias {}, coverage {}", percent(thinned.bias()), percent(thinned.coverage())),
                thinned.bias().abs() <= 0.005 && thinned.coverage() >= 0.95,
            ));
        }
    }
    bars
}

/// Bar 3: lookups of one name within a cycle.
pub fn floor_bar(runs: u64, hosts: &[usize]) -> Bar {
    let (mut above, mut least, mut all) = (0, f64::INFINITY, 0);
    for &n in hosts {
        for run in 0..runs {
            let random = &mut Random::of([21, n as u64, run]);
            let starts = MEASURED.always_on(random, n);
            let names = MEASURED.lookups(random, &starts, 20);
            let (low, ..) = floor(&names, DAY, &MEASURED.known()).figures();
            above += u32::from(low > n as u64);
            least = f64::min(least, low as f64 / n as f64);
            all += 1;
        }
    }
    let measured = format!("{above} of {all} above, least {least:.3} of the truth");
    Bar::new(3, "B, no cache: the floor is never above the truth, at least 0.97 of it", measured, above == 0 && least >= 0.97)
}

/// Bar 4: lookups that pass caches.
pub fn hazard_bars(runs: u64, hosts: &[usize]) -> Vec<Bar> {
    let mut bars = vec![];
    let mut measure = |what: &str, rounds: &Rounds, n: usize, lifetime: f64, caches: u64, asked: [f64; 2]| {
        let runs = if n > 100 { runs.div_ceil(4) } else { runs };
        let mut errors = Errors::default();
        for run in 0..runs {
            let random = &mut Random::of([31, n as u64, run]);
            let starts = rounds.always_on(random, n);
            let names = rounds.lookups(random, &starts, 60);
            let names = pass(random, &names, lifetime, caches);
            let estimate = hazard(&names, DAY, &rounds.known(), &Caches { lifetime, error: 1.0 });
            errors.add(n as f64, estimate.expect("short lifetimes are counted").figures());
        }
        errors.allow(0.5 / n as f64);
        bars.push(Bar::new(
            4,
            format!(
                "{what}, {n} hosts: median error beyond rounding at most {}, coverage at least {}",
                percent(asked[0]),
                percent(asked[1])
            ),
            format!("median {}, coverage {}", percent(errors.median()), percent(errors.coverage())),
            errors.median() <= asked[0] && errors.coverage() >= asked[1],
        ));
    };
    for &n in hosts {
        let most = if n <= 30 { 0.3 } else { 0.1 };
        measure("B above a cache of 300 s", &MEASURED, n, 300.0, 1, [most, 0.95]);
        measure("B above a cache of 900 s", &MEASURED, n, 900.0, 1, [most, 0.95]);
        measure("B above 4 caches of 900 s", &MEASURED, n, 900.0, 4, [f64::INFINITY, 0.95]);
        measure("B as described in 2009, cache of 900 s", &LITERATURE, n, 900.0, 1, [f64::INFINITY, 0.93]);
    }
    for &n in hosts.iter().filter(|n| **n >= 10) {
        let mut errors = Errors::default();
        for run in 0..runs.div_ceil(2) {
            let random = &mut Random::of([61, n as u64, run]);
            let starts = MEASURED.by_day(random, n);
            let rounds = starts.iter().flatten().filter(|start| (0.0..DAY).contains(*start)).count();
            let names = MEASURED.lookups(random, &starts, 60);
            let names = pass(random, &names, 900.0, 1);
            let estimate = hazard(&names, DAY, &MEASURED.known(), &Caches { lifetime: 900.0, error: 1.0 });
            let truth = rounds as f64 * MEASURED.cycle / DAY;
            errors.add(truth, estimate.expect("short lifetimes are counted").figures());
        }
        bars.push(Bar::new(
            4,
            format!("B above a cache of 900 s, {n} hosts on for 8 hours: bias at most 25 %, coverage at least 95 %"),
            format!("bias {}, coverage {}", percent(errors.bias()), percent(errors.coverage())),
            errors.bias().abs() <= 0.25 && errors.coverage() >= 0.95,
        ));
    }
    bars
}

/// Bars 5 and 6: what has no honest number.
pub fn silence_bars() -> [Bar; 2] {
    let random = &mut Random::of([41, 0, 0]);
    let starts = MEASURED.always_on(random, 30);
    let names = MEASURED.lookups(random, &starts, 60);
    let names = pass(random, &names, 7_200.0, 1);
    let refused = hazard(&names, DAY, &MEASURED.known(), &Caches { lifetime: 7_200.0, error: 1.0 });
    let all = occupancy(C.list, &C);
    let text = all.to_string();
    let open = all.figures().2.is_none() && all.caveats().contains(&Caveat::Saturated) && all.method() == Method::Occupancy;
    [
        Bar::new(
            5,
            "B above a cache of more than half a cycle: no count",
            format!("{refused:?}"),
            refused == Err(Refused::LongLifetime),
        ),
        Bar::new(6, "C, every name seen: at least 967", text.clone(), open && text == "at least 967 (occupancy)"),
    ]
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
pub fn verdict_bar(family: &str, list: u64, colliding: usize, days: u64) -> Bar {
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
    Bar::new(
        7,
        format!("{family}, a million clients, {days} days: at most 0.05 false verdicts a day, no host missed, the reader told"),
        format!("{wrong} false, {missed} of {} missed, {readers} of {days} readers told", u64::from(HOSTS) * days),
        f64::from(wrong) <= 0.05 * days as f64 && missed == 0 && u64::from(readers) == days,
    )
}

/// Bar 8: from the first lookup to the verdict, all packets seen.
pub fn delay_bars(runs: u32) -> [Bar; 2] {
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
    [
        Bar::new(8, "B: a verdict within 10 s of the first lookup", format!("{b:.1} s at most"), b > 0.0 && b <= 10.0),
        Bar::new(8, "C: a verdict within 5 minutes", format!("{c:.0} s at most"), c > 0.0 && c <= 300.0),
    ]
}

/// Bar 9: counts of different addresses.
pub fn distinct_bar(seeds: u64, counts: &[u32]) -> Bar {
    let (mut worst, mut spread) = (f64::default(), f64::default());
    let of = |key, exact, range: std::ops::Range<u32>| {
        let mut distinct = Distinct::new(key, exact);
        range.for_each(|n| distinct.add(IpAddr::V4(Ipv4Addr::from(n.wrapping_mul(2_654_435_761)))));
        distinct
    };
    for &count in counts {
        let seeds = if count > 100_000 { seeds.div_ceil(10) } else { seeds };
        let mut squares = 0.0;
        for key in 0..seeds {
            let error = of(key, 0, 0..count).count().best / f64::from(count) - 1.0;
            worst = worst.max(error.abs());
            squares += error * error;
        }
        spread = spread.max((squares / seeds as f64).sqrt());
    }
    let mut merged = of(1, 0, 0..300_000);
    let same_key = merged.merge(&of(1, 0, 200_000..500_000)).is_ok();
    let same = same_key && merged.count() == of(1, 0, 0..500_000).count();
    let exact = of(1, EXACT, 0..EXACT as u32);
    let exact = exact.is_exact() && exact.count().best == f64::from(1 << 18);
    Bar::new(
        9,
        "different addresses: root of mean squared errors at most 1 %, none above 3.5 %, merged as one, exact up to 262,144",
        format!("{:.2} %, {:.2} %, {}", 100.0 * spread, 100.0 * worst, if same && exact { "so" } else { "NOT so" }),
        spread <= 0.01 && worst <= 0.035 && same && exact,
    )
}

/// Bar 10: addresses that change, of 1,000 hosts of B over eight days.
pub fn churn_bars() -> [Bar; 2] {
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
    let (still, leases, short) = (measure(1, 0.0, false, false), measure(2, 72.0, false, false), measure(3, 12.0, false, false));
    let (boot, duty) = (measure(4, 0.0, true, true), measure(5, 0.0, true, false));
    let on = [still.0, leases.0, short.0].iter().fold(0.0, |worst: f64, error| worst.max(error.abs()));
    let by_day = f64::max(boot.0.abs(), duty.0.abs());
    [
        Bar::new(
            10,
            "live addresses by the line at one cycle: within 3 % of always-on hosts, 10 % of hosts on for 8 hours",
            format!("within {}, {}", percent(on), percent(by_day)),
            on <= 0.03 && by_day <= 0.1,
        ),
        Bar::new(
            10,
            "week by day: below 1.3 where hosts on for 8 hours keep their address, above 5 where each boot brings a new one",
            format!("{:.2}, {:.2}", duty.1, boot.1),
            duty.1 < 1.3 && boot.1 > 5.0,
        ),
    ]
}
