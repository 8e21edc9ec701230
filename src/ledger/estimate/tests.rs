//! Against the numpy prototype's numbers, and at the ends of what can be.

use super::hazard::rate;
use super::*;

#[test]
fn occupancy_as_in_the_prototype() {
    // distinct, list, drawn, seen; low, best, high.
    let rows = [
        (500, 50_000, 500, 1.0, 0.999_999_936, 1.0, 1.000_038_670),
        (1_495, 50_000, 500, 1.0, 3.005_090_608, 3.020_408_517, 3.035_921_120),
        (13_012, 49_998, 500, 1.0, 29.800_559_349, 29.992_174_174, 30.186_066_531),
        (31_600, 50_000, 500, 1.0, 98.734_111_235, 99.466_560_659, 100.206_651_943),
        (45_100, 50_000, 500, 0.9, 254.349_303_052, 256.924_389_493, 259.518_124_347),
        (49_990, 50_000, 500, 1.0, 786.828_230_420, 847.453_589_170, 908.143_395_275),
        (49_993, 50_000, 500, 1.0, 811.015_348_865, 882.942_447_367, 973.603_515_394),
        (49_999, 50_000, 500, 1.0, 905.650_155_717, 1_076.558_877_447, 1_442.342_400_659),
        (120_000, 25_000_000, 500, 1.0, 240.509_729_177, 240.575_444_075, 240.641_198_004),
        (40, 50_000, 500, 1.0, 0.079_631_124, 0.079_631_187, 0.079_631_250),
    ];
    for (distinct, list, drawn, seen, low, best, high) in rows {
        let estimate = occupancy(distinct, &Sampling { list, drawn, seen, among: list });
        for (is, expected) in [(estimate.low, low), (estimate.best, best), (estimate.high, high)] {
            assert!((is - expected).abs() < 1e-6 * f64::max(expected, 0.01), "{distinct} of {list}: {is} for {expected}");
        }
    }
}

/// Numbers from 0 to 1, as the prototype's vectors were made with.
struct Congruent(u64);

impl Congruent {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const CYCLE: Cycle = Cycle { length: 11_010.0, range: (11_010.0, 11_010.0), once: 10_700.0, learned: true };

#[test]
fn hazard_as_in_the_prototype() {
    // seed, hosts, lifetime; best, low, high; passes.
    let rows = [
        (1, 1, 900.0, 1.027_197_538, 1, 3, 480),
        (2, 3, 900.0, 2.633_874_923, 1, 6, 1_022),
        (3, 10, 300.0, 10.725_016_147, 7, 16, 3_829),
        (4, 30, 900.0, 29.982_726_975, 17, 51, 4_082),
        (5, 300, 900.0, 311.729_288_883, 223, 435, 5_570),
        (6, 100, 1_800.0, 109.953_887_745, 70, 172, 2_755),
    ];
    let span = 86_400.0;
    for (seed, hosts, lifetime, best, low, high, passed) in rows {
        let mut random = Congruent(seed);
        let phases: Vec<f64> = (0..hosts).map(|_| random.next() * CYCLE.length).collect();
        let names: Vec<Vec<f64>> = (0..60)
            .map(|_| {
                let mut times = vec![];
                for phase in &phases {
                    for round in -1..=8 {
                        times.push(f64::from(round) * CYCLE.length + phase + (random.next() * 25.0).floor() * 7.3);
                    }
                }
                times.retain(|time| (0.0..span).contains(time));
                times.sort_unstable_by(f64::total_cmp);
                let mut last = f64::NEG_INFINITY;
                times.retain(|time| {
                    let passes = *time >= last + lifetime;
                    last = if passes { *time } else { last };
                    passes
                });
                times
            })
            .collect();
        assert_eq!(names.iter().map(Vec::len).sum::<usize>(), passed, "{seed}");
        let is = rate(&names, span, CYCLE.length, 1.0, &Caches { lifetime, error: 1.0, seen: 1.0 });
        assert!((is - best).abs() < 1e-6, "{seed}: {is} for {best}");
        let estimate = hazard(&names, span, &CYCLE, &Caches { lifetime, error: 1.0, seen: 1.0 }).unwrap();
        assert_eq!(estimate.figures(), (low, f64::round(best) as u64, Some(high)), "{seed}");
    }
}

#[test]
fn hazard_knows_when_to_be_silent() {
    let names = [vec![5.0, 11_015.0]];
    let with = |lifetime| hazard(&names, 86_400.0, &CYCLE, &Caches { lifetime, error: 1.0, seen: 1.0 });
    assert_eq!(with(5_506.0), Err(Refused::LongLifetime));
    assert_eq!(with(3_600.0).unwrap().caveats(), [Caveat::OrderOfMagnitude]);
    assert_eq!(with(900.0).unwrap().caveats(), []);
}

/// The table of section 3.1 of the design: rows by mean, columns by sources.
#[test]
fn thresholds_by_background_and_sources() {
    let rows = [
        (1e-5, [2, 2, 2, 2]),
        (1e-4, [2, 2, 2, 3]),
        (1e-3, [2, 3, 3, 3]),
        (1e-2, [3, 4, 4, 4]),
        (0.1, [5, 5, 6, 7]),
        (1.0, [10, 11, 12, 12]),
        (10.0, [29, 31, 33, 35]),
    ];
    for (mu, expected) in rows {
        assert_eq!([1e4, 1e5, 1e6, 1e7].map(|sources| threshold(mu, sources, 0.01)), expected, "{mu}");
    }
    for (mu, tail) in [(1e-5, 1.666_654_166_716_664e-16), (0.01, 1.654_216_528_074_875_7e-7), (10.0, 0.997_230_604_284_488_5)] {
        assert!((poisson_tail(mu, 3) / tail - 1.0).abs() < 1e-9, "{mu}");
    }
    assert_eq!((poisson_tail(0.0, 1), poisson_tail(0.0, 0), poisson_tail(5.0, 0)), (0.0, 1.0, 1.0));
    // 300 clear standard deviations apart, on either side.
    assert!(poisson_tail(1e4, 9_000) > 0.999 && poisson_tail(1e4, 11_000) < 1e-20);
}

#[test]
fn what_is_saturated_has_no_upper_bound() {
    let all = Sampling { list: 50_000, drawn: 500, seen: 1.0, among: 50_000 };
    let estimate = occupancy(50_000, &all);
    assert_eq!(estimate.to_string(), "at least 967 (occupancy)");
    assert_eq!((estimate.figures(), estimate.caveats()), ((967, 967, None), &[Caveat::Saturated, Caveat::Rounds][..]));
    assert_eq!(occupancy(60_000, &all), estimate);
    // Whatever is put in, something finite comes out.
    for list in [1, 2, 250, 500, 501, 50_000, 100_000_000] {
        for distinct in [0, 1, 3, 249, 250, 500, 49_999, 50_000] {
            for seen in [1.0, 0.5, 0.01] {
                let estimate = occupancy(distinct, &Sampling { list, drawn: 500, seen, among: list });
                let text = estimate.to_string();
                assert!(!text.contains("inf") && !text.contains("NaN"), "{distinct} of {list}: {text}");
                let (low, best, high) = estimate.figures();
                assert!(low >= 1 && low <= best && high.is_none_or(|high| best <= high), "{distinct} of {list}: {text}");
            }
        }
    }
}

#[test]
fn one_name_s_lookups_within_a_cycle() {
    let names = [vec![0.0, 10.0, 20.0, 10_700.0, 10_705.0], vec![5.0]];
    let estimate = floor(&names, 12_000.0, &CYCLE, 1.0);
    assert_eq!((estimate.low, estimate.best, estimate.caveats()), (4.0, 4.0, &[][..]));
    let short = floor(&names, 600.0, &Cycle { learned: false, ..CYCLE }, 1.0);
    assert_eq!(short.to_string(), "at least 4 (floor)");
    assert_eq!(short.caveats(), [Caveat::AssumedCycle, Caveat::ShortSpan]);
    assert_eq!(floor(&[], 86_400.0, &CYCLE, 1.0).figures(), (1, 1, Some(1)));
}

#[test]
fn totals_keep_what_is_shared() {
    let part = Estimate::new(Method::Occupancy, (90.0, 100.0, 110.0)).shared(1.0, 1.5).with(Caveat::Rounds);
    let total = Estimate::total(&vec![part.clone(); 4]).unwrap();
    // 4 distances of 10 are one of 20; the factor stays one.
    assert_eq!((total.figures(), total.caveats()), ((380, 400, Some(630)), &[Caveat::Rounds][..]));
    assert_eq!(total.to_string(), "380 to 630, likely 400 (occupancy)");
    let other = Estimate::new(Method::Floor, (1.0, 1.0, f64::INFINITY));
    let mixed = Estimate::total([&part, &other]).unwrap();
    assert_eq!((mixed.method(), mixed.figures()), (Method::Sum, (91, 101, None)));
    assert_eq!(Estimate::total([]), None);
    assert_eq!(part.at_least(105.0).figures(), (105, 105, Some(165)));
}

#[test]
fn reasons_are_told_apart() {
    let texts: std::collections::BTreeSet<_> = Refused::ALL.iter().flat_map(|why| [why.text(), why.label()]).collect();
    assert_eq!(texts.len(), 2 * Refused::ALL.len());
}
