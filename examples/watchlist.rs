//! Measures the matching of names at 250 to 25 million names a day, after holding it against sets of strings.
//!
//! ```text
//! cargo run --release --example watchlist -- check                   10 million names against a set of strings, each size
//! cargo run --release --example watchlist -- steps                   each step alone
//! cargo run --release --example watchlist -- replay CAPTURE ROUNDS   whole replays, one size after the other in each round
//! cargo run --release --example watchlist -- plot OUT.svg            the curve of `replay`, read from standard input
//! ```
//!
//! Results are CSV. All work is done on one core at a time; `benches/watchlist` pins it.

#![allow(clippy::unwrap_used, reason = "a tool for measuring may panic")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Instant;
use std::{fmt::Write, fs, io, thread};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode;
use dgawatch::dga::Catalog;
use dgawatch::ledger::Masking;
use dgawatch::name::Name;
use dgawatch::pipeline::{self, Settings};
use dgawatch::source::{Input, Limits};
use dgawatch::watchlist::{Form, Hasher, List, Lists, Patterns, SearchList, Watchlist};

/// Names a day.
const SIZES: [u32; 5] = [250, 50_000, 1_000_000, 10_000_000, 25_000_000];

/// Names that each size is held against its set with.
const CHECKED: u64 = 10_000_000;

/// Rounds of a step.
const ROUNDS: usize = 15;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => SIZES.iter().for_each(|size| check(*size)),
        ["steps"] => steps(),
        ["lists"] => lists(),
        ["replay", capture, rounds] => replay(Path::new(capture), rounds.parse().unwrap()),
        ["plot", path] => plot(path),
        _ => panic!("say `check`, `steps`, `lists`, `replay CAPTURE ROUNDS` or `plot OUT.svg`"),
    }
}

fn today() -> Day {
    Day::of(2009, 4, 1)
}

fn catalog(size: u32) -> Catalog {
    let mut catalog = Catalog::default();
    catalog.add(&format!("synthetic:{size}")).unwrap();
    catalog
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Holds a list, in each form, against a map of strings: listed names in either case and near misses of each kind.
fn check(size: u32) {
    let catalog = catalog(size);
    let (family, hasher) = (catalog.family(0), Hasher::default());
    let (mut oracle, mut place) = (HashMap::<String, u32>::with_capacity(size as usize), 0);
    family.names(today(), &mut |name| {
        oracle.entry(name.to_string()).or_insert(place);
        place += 1;
    });
    let (draw, yesterday) = (family.draw(today()).unwrap(), family.draw(today().plus(-1)).unwrap());
    for form in [Form::Held, Form::Drawn] {
        let list = List::build_as(form, family, today(), &hasher);
        let (mut rng, mut listed, mut name) = (Rng(size.into()), 0_u64, Name::root());
        for number in 0..CHECKED {
            let place = rng.below(size.into()) as u32;
            if number % 7 == 0 {
                yesterday.draw(place, &mut name)
            } else {
                draw.draw(place, &mut name)
            }
            let mut text = name.to_string();
            let letter = char::from(b'a' + rng.below(26) as u8);
            match number % 7 {
                1 => text = text.to_uppercase(),
                2 => text = format!("{letter}.{text}"),
                3 => text = text.split_once('.').unwrap().1.to_owned(),
                4 => text = format!("{text}.{letter}"),
                5 => {
                    let at = rng.below(5) as usize;
                    text.replace_range(at..=at, &letter.to_string());
                }
                _ => {}
            }
            let asked = Name::parse(&text).unwrap();
            let found = list.find(List::hash(&hasher, &asked), &asked);
            text.make_ascii_lowercase();
            assert_eq!(found, oracle.get(&text).copied(), "{text} in {form:?} of {size}");
            listed += u64::from(found.is_some());
        }
        assert!(listed > CHECKED / 4 && listed < CHECKED / 2, "{listed}");
        println!("{size} {form:?}: {CHECKED} names as the set has them, {listed} of them listed");
    }
}

/// The lists of three days, and what they are asked for.
struct Days {
    lists: Vec<std::sync::Arc<List>>,
}

impl Lists for Days {
    fn get(&self, _: dgawatch::dga::FamilyId, edition: Day) -> std::sync::Arc<List> {
        self.lists[(edition.number() - today().number() + 1) as usize].clone()
    }
}

fn steps() {
    println!(
        "names_a_day,form,build_cpu_seconds_a_day,octets_a_name,shape_ns,filter_ns_3_days,table_ns_listed,find_ns_other,find_ns_listed"
    );
    for size in SIZES {
        for form in [Form::Held, Form::Drawn] {
            steps_of(size, form);
        }
    }
}

/// Nanoseconds for one of `count` runs, the median of some rounds.
fn time(count: usize, mut run: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed().as_secs_f64() * 1e9 / count as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn steps_of(size: u32, form: Form) {
    const COUNT: usize = 1 << 18;
    let catalog = catalog(size);
    let (family, hasher) = (catalog.family(0), Hasher::default());
    let begun = cpu_time();
    let lists: Vec<_> = today()
        .plus(-1)
        .through(today().plus(1))
        .map(|day| std::sync::Arc::new(List::build_as(form, family, day, &hasher)))
        .collect();
    let build = (cpu_time() - begun) / 3e9;
    let octets = lists[0].size() as f64 / f64::from(size);

    let (mut rng, draw) = (Rng(7), family.draw(today()).unwrap());
    let mut named = |draw: &dyn dgawatch::dga::Draw| {
        let mut names = vec![Name::root(); COUNT];
        names.iter_mut().for_each(|name| draw.draw(rng.below(size.into()) as u32, name));
        names
    };
    let listed = named(&*draw);
    // No name of this day is listed on the others, but for a few by chance.
    let others = named(&*family.draw(today().plus(1_000)).unwrap());
    let plain: Vec<Name> = (0..COUNT).map(|number| Name::parse(&format!("www.site{number}.example.com")).unwrap()).collect();
    let hashes = |names: &[Name]| names.iter().map(|name| List::hash(&hasher, name)).collect::<Vec<_>>();
    let (listed_hashes, other_hashes) = (hashes(&listed), hashes(&others));

    let filter = time(COUNT, || {
        let passed = other_hashes.iter().map(|hash| lists.iter().filter(|list| list.may_hold(*hash)).count()).sum::<usize>();
        assert!(form == Form::Held || passed < COUNT / 10 || size > 1_000_000 && passed < COUNT / 4, "{passed}");
    });
    let table = time(COUNT, || {
        let found = listed_hashes.iter().zip(&listed).filter(|(hash, name)| lists[1].find(**hash, name).is_some()).count();
        assert_eq!(found, COUNT);
    });

    let (patterns, search_list) = (Patterns::default(), SearchList::default());
    let days = Days { lists };
    let mut watchlist = Watchlist::new(&catalog, &days, hasher.clone(), 1, &patterns, &search_list);
    let noon = Timestamp::from_parts(today().number() as u64 * 86_400 + 43_200, 0);
    watchlist.find(noon, listed[0].as_raw(), || (), &mut |(), _| {});
    let shape = time(COUNT, || {
        assert_eq!(plain.iter().filter(|name| watchlist.opens(noon, name.as_raw())).count(), 0);
    });
    let mut find = |names: &[Name], fewest: usize| {
        time(COUNT, || {
            let mut found = 0;
            for name in names {
                if watchlist.opens(noon, name.as_raw()) {
                    watchlist.find(noon, name.as_raw(), || (), &mut |(), _| found += 1);
                }
            }
            watchlist.flush(&mut |(), _| found += 1);
            assert!(found >= fewest, "{found}");
        })
    };
    let (other, all) = (find(&others, 0), find(&listed, COUNT));
    let filter = if form == Form::Held { String::new() } else { format!("{filter:.1}") };
    println!("{size},{form:?},{build:.3},{octets:.1},{shape:.1},{filter},{table:.1},{other:.1},{all:.1}");
}

/// Loads lists of a user's own, and builds what looks names up in them.
fn lists() {
    println!("names,load_ns_a_name,build_ns_a_name,octets_a_name_for_matching");
    for size in [50_000, 1_000_000, 10_000_000] {
        let (mut text, mut name) = (String::new(), Name::root());
        let draw = catalog(size).family(0).draw(today()).unwrap();
        for place in 0..size {
            draw.draw(place, &mut name);
            writeln!(text, "{name}").unwrap();
        }
        let begun = cpu_time();
        let mut catalog = Catalog::default();
        catalog.add_list("ours", text.as_bytes()).unwrap();
        let loaded = cpu_time();
        assert_eq!(catalog.family(0).count(today()), size);
        let list = List::build(catalog.family(0), today(), &Hasher::default());
        let built = cpu_time();
        let each = |total: f64| total / f64::from(size);
        println!("{size},{:.0},{:.0},{:.1}", each(loaded - begun), each(built - loaded), each(list.size() as f64));
    }
}

/// CPU time of this thread in nanoseconds: what others do on a shared machine disturbs it less than a clock.
/// The kernel counts it in steps of some milliseconds: too coarse for a step of its own.
fn cpu_time() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Replays a capture again and again with each size in turn, so that what disturbs one round disturbs all sizes.
fn replay(capture: &Path, rounds: usize) {
    let (inputs, _) = Input::expand(&[capture.to_owned()], Limits::USUAL);
    let mut packets = 0;
    let mut open = inputs[0].open().unwrap();
    let mut block = vec![];
    while open.fill(&mut block).unwrap() {
        let (octets, outcome) = open.walk(&block, |_| packets += 1);
        outcome.unwrap();
        open.advanced(octets);
    }
    let (give_time, take_time) = mpsc::channel::<f64>();
    let mut times = vec![vec![]; SIZES.len()];
    thread::scope(|scope| {
        let turns: Vec<_> = SIZES
            .iter()
            .map(|size| {
                let (give_turn, take_turn) = mpsc::channel::<()>();
                let give_time = give_time.clone();
                scope.spawn(move || {
                    let catalog = catalog(*size);
                    // Once to build the lists, then once a round.
                    let inputs: Vec<Input> =
                        (0..=rounds).flat_map(|_| Input::expand(&[capture.to_owned()], Limits::USUAL).0).collect();
                    let mut begun = cpu_time();
                    take_turn.recv().unwrap();
                    let mut progress = |so_far: pipeline::Progress| {
                        if so_far.packets.is_multiple_of(packets) {
                            give_time.send((cpu_time() - begun) / packets as f64).unwrap();
                            // After the last round nobody gives turns.
                            let _ = take_turn.recv();
                            begun = cpu_time();
                        }
                    };
                    let report = pipeline::replay(&catalog, &inputs, &settings(), 1, &AtomicBool::new(false), &mut progress);
                    (report.found().counts.total(), report.captures().len())
                });
                give_turn
            })
            .collect();
        for round in 0..=rounds {
            for (turn, times) in turns.iter().zip(&mut times) {
                turn.send(()).unwrap();
                let time = take_time.recv().unwrap();
                if round > 0 {
                    times.push(time);
                }
            }
        }
    });
    println!("names_a_day,packets,rounds,ns_a_packet_median,least,most,rate_of_smallest");
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let smallest = median(&mut times[0]);
    for (size, times) in SIZES.iter().zip(&mut times) {
        let median = median(times);
        println!("{size},{packets},{rounds},{median:.1},{:.1},{:.1},{:.3}", times[0], times[rounds - 1], smallest / median);
    }
}

fn settings() -> Settings {
    Settings {
        skew: 1,
        max_sources: 100_000,
        decode: decode::Config::new(&[], &[]),
        patterns: Default::default(),
        series: None,
        compiled: None,
        lost: 0.0,
        timeline: false,
        sketches: false,
        search_list: SearchList::default(),
        sinkholes: Default::default(),
        masking: Masking::default(),
        networks: None,
        events: None,
    }
}

/// Draws nanoseconds a packet over names a day, both read as `replay` wrote them.
fn plot(path: &str) {
    let text = io::read_to_string(io::stdin()).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    let most = rows.iter().map(|row| row[5]).fold(0.0, f64::max).max(10.0);
    let step = if most > 100.0 { 50.0 } else { 10.0 };
    let top = (most / step).ceil() * step;
    // 250 to 25 million are five decades, on 500 units.
    let x = |names: f64| 60.0 + 100.0 * (names / 250.0).log10();
    let y = |ns: f64| 260.0 - 220.0 * ns / top;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"320\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"640\" height=\"320\" fill=\"white\"/>\n\
         <text x=\"60\" y=\"24\">CPU time of a packet in ns, by names a day on three open days; least, median and most of each size</text>\n",
    );
    let mut line = 0.0;
    while line <= top {
        let at = y(line);
        writeln!(
            svg,
            "<path d=\"M60 {at:.0}H580\" stroke=\"#ddd\"/><text x=\"52\" y=\"{:.0}\" text-anchor=\"end\">{line}</text>",
            at + 4.0
        )
        .unwrap();
        line += step;
    }
    let mut curve = String::new();
    for row in &rows {
        let (at, median) = (x(row[0]), y(row[3]));
        write!(curve, "{}{at:.0} {median:.1}", if curve.is_empty() { "M" } else { "L" }).unwrap();
        writeln!(
            svg,
            "<path d=\"M{at:.0} {:.1}V{:.1}\" stroke=\"#999\"/><circle cx=\"{at:.0}\" cy=\"{median:.1}\" r=\"3\"/>\
             <text x=\"{at:.0}\" y=\"280\" text-anchor=\"middle\">{}</text>",
            y(row[4]),
            y(row[5]),
            row[0]
        )
        .unwrap();
    }
    writeln!(svg, "<path d=\"{curve}\" fill=\"none\" stroke=\"black\"/>\n</svg>").unwrap();
    fs::write(path, svg).unwrap();
}
