//! Bounds, order and verdicts of the ledger.

use super::*;
use crate::day::Timestamp;
use crate::decode::Transport;
use crate::watchlist::Match;

/// A hit of the source with this number.
fn by(source: u32, index: u32, second: u64) -> Hit {
    Hit {
        source: IpAddr::V4(source.into()),
        time: Timestamp::from_parts(second, 0),
        response: index.is_multiple_of(2),
        port: 1_000 + second as u16,
        transport: Transport::ALL[second as usize % 2],
        id: 0,
        recursive: true,
        server: None,
        lifetime: None,
        told: None,
        matched: Match { family: 0, list_day: Day::EPOCH, index, collision: index == 9 },
    }
}

fn hit(source: &str, index: u32, second: u64) -> Hit {
    Hit { source: source.parse().unwrap(), ..by(0, index, second) }
}

fn kept(ledger: Ledger) -> Vec<String> {
    let rows = ledger.into_sorted();
    rows.iter().map(|(key, evidence)| format!("{} {}", key.source, evidence.distinct_names())).collect()
}

#[test]
fn evidence_adds_up_in_any_order() {
    let mut hits: Vec<Hit> = (0..200).map(|n: u32| hit(&format!("192.0.2.{}", n % 7), n % 11, (n * 31 % 17).into())).collect();
    let report = |hits: &[Hit]| {
        let mut ledger = Ledger::new(100);
        hits.iter().for_each(|hit| {
            ledger.add(hit);
        });
        assert_eq!(ledger.saturation(), Saturation::default());
        // When a trace begins is a matter of order.
        let rows = ledger.into_sorted().into_iter().map(|(key, evidence)| (key, Evidence { trace: None, ..evidence }));
        format!("{:?}", rows.collect::<Vec<_>>())
    };
    let expected = report(&hits);
    hits.reverse();
    assert_eq!(report(&hits), expected);
}

#[test]
fn three_names_that_nobody_owns() {
    let rows: [(&[u32], Verdict); 6] = [
        (&[1], Verdict::Suspect),
        (&[1, 1, 1, 1], Verdict::Suspect),
        (&[1, 2], Verdict::Suspect),
        (&[1, 2, 3], Verdict::Infected),
        (&[1, 2, 9], Verdict::Suspect),
        (&[1, 2, 9, 3], Verdict::Infected),
    ];
    for (indices, expected) in rows {
        let mut ledger = Ledger::new(1);
        let mut news = vec![];
        for index in indices {
            news.extend(ledger.add(&hit("192.0.2.1", *index, 5)).map(|news| news.verdict));
        }
        let rows = ledger.into_sorted();
        assert_eq!(Verdict::of(&rows[0].1), expected, "{indices:?}");
        // Each verdict is news once.
        let told: &[Verdict] = &[Verdict::Suspect, Verdict::Infected];
        assert_eq!(news, told[..1 + usize::from(expected == Verdict::Infected)]);
    }
}

#[test]
fn the_weakest_makes_room() {
    let mut ledger = Ledger::new(2);
    for (source, index) in [("192.0.2.1", 1), ("2001:db8::1", 2), ("192.0.2.2", 3), ("192.0.2.2", 4), ("192.0.2.1", 5)] {
        ledger.add(&hit(source, index, 5));
    }
    // The second made room for the third's return, the first for the second time; what is lost is told.
    assert_eq!((ledger.not_kept(), ledger.saturation().evicted), (2, 2));
    assert_eq!(kept(ledger), ["192.0.2.1 1", "192.0.2.2 2"]);
    // The infected stay, and newcomers are only counted.
    let mut ledger = Ledger::new(2);
    for source in [1, 2, 3] {
        (0..3).for_each(|index| {
            ledger.add(&by(source, index, 5));
        });
    }
    assert_eq!((ledger.not_kept(), ledger.saturation().refused), (3, 3));
    assert_eq!(kept(ledger), ["0.0.0.1 3", "0.0.0.2 3"]);
}

#[test]
fn who_is_heard_of_is_not_the_oldest() {
    let mut ledger = Ledger::new(4);
    for source in [1, 2, 3, 4, 1, 1, 5, 6] {
        ledger.add(&by(source, 1, 5));
    }
    assert_eq!(kept(ledger), ["0.0.0.1 1", "0.0.0.4 1", "0.0.0.5 1", "0.0.0.6 1"]);
}

/// Sources of two names each, forged, in any number: who asks for one name after the other still gets past them.
#[test]
fn each_weight_keeps_its_share() {
    let bound = 1 << 12;
    let mut ledger = Ledger::new(bound);
    for forged in 0..10 * bound as u32 {
        (0..2).for_each(|index| {
            ledger.add(&by(1 << 24 | forged, forged % 200 + 100 * index, 1));
        });
        // Asks once in a while, slower than the forged come.
        if forged % 50 == 0 {
            ledger.add(&by(7, forged / 50, 1));
        }
    }
    // And forged ones of three names.
    for forged in 0..10 * bound as u32 {
        (0..3).for_each(|index| {
            ledger.add(&by(2 << 24 | forged, forged % 200 + 100 * index, 1));
        });
        if forged % 25 == 0 {
            ledger.add(&by(8, forged / 25, 1));
        }
    }
    assert!(ledger.len() >= bound - 1 && ledger.saturation().evicted_infected > 0);
    let rows = ledger.into_sorted();
    for source in [7, 8] {
        let row = rows.iter().find(|(key, _)| key.source == IpAddr::V4(source.into()));
        assert_eq!(row.map(|(_, evidence)| Verdict::of(evidence)), Some(Verdict::Infected), "{source}");
    }
}

#[test]
fn many_at_once_are_one_after_the_other() {
    let mut state = 3_u64;
    let hits = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Some sources ask for few names, others for so many that they are kept otherwise.
        let (source, names) = if state >> 40 & 1 == 0 { ((state >> 33) as u32 % 40, 6) } else { (state as u32 >> 30 & 3, 90) };
        by(source, (state >> 50) as u32 % names, state >> 60)
    });
    let hits: Vec<Hit> = hits.take(5_000).collect();
    // Full nearly always, so that rows are taken out and put in while they are looked for.
    for bound in [0, 1, 7, 30, 100] {
        let (mut one, mut all) = (Ledger::new(bound), Ledger::new(bound));
        let (mut told_one, mut told_all) = (vec![], vec![]);
        for hit in &hits {
            told_one.extend(one.add(hit).map(|news| (news.key, news.verdict)));
        }
        all.add_all(&hits, |news| told_all.push((news.key, news.verdict)));
        assert_eq!((told_one, one.saturation()), (told_all, all.saturation()));
        assert_eq!(format!("{:?}", one.into_sorted()), format!("{:?}", all.into_sorted()));
    }
}

#[test]
fn days_close() {
    let mut ledger = Ledger::new(100);
    for n in 0..60 {
        let mut hit = by(n % 20, n, 5);
        hit.matched.list_day = Day::EPOCH.plus(n as i32 % 3);
        ledger.add(&hit);
    }
    let retired = ledger.retire(&[Day::EPOCH.plus(2)], Day::EPOCH.plus(2));
    assert!(retired.is_sorted_by_key(|(key, _)| *key) && retired.iter().all(|(key, _)| key.list_day < Day::EPOCH.plus(2)));
    assert_eq!((retired.len(), ledger.len()), (40, 20));
    (0..80).for_each(|n| {
        ledger.add(&by(1_000 + n, 1, 5));
    });
    assert_eq!((ledger.len(), ledger.saturation()), (100, Saturation::default()));
    assert_eq!(ledger.retire(&[Day::LAST], Day::LAST).len(), 100);
    assert_eq!(ledger.size().1, 0);
}

/// Against a map that keeps all, with random sources, names and days to retire.
#[test]
fn rows_are_found_whatever_was_taken_out() {
    use std::collections::BTreeMap;
    let mut ledger = Ledger::new(300);
    let mut oracle: BTreeMap<Key, u64> = BTreeMap::new();
    let mut state = 7_u64;
    for step in 0..30_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut hit = by((state >> 33) as u32 % 90, (state >> 50) as u32 % 20, 5);
        hit.matched.list_day = Day::EPOCH.plus(step / 1_000 + (state >> 40) as i32 % 3);
        ledger.add(&hit);
        *oracle.entry(Key { family: 0, list_day: hit.matched.list_day, source: hit.source }).or_default() += 1;
        if step % 1_000 == 999 {
            let before = Day::EPOCH.plus(step / 1_000 + 1);
            for (key, evidence) in ledger.retire(&[before], before) {
                assert_eq!(oracle.remove(&key), Some(evidence.matches + evidence.responses));
            }
            assert!(oracle.keys().all(|key| key.list_day >= before));
        }
    }
    assert_eq!(ledger.not_kept(), 0);
    let rows: BTreeMap<Key, u64> = ledger.rows().map(|(key, row)| (*key, row.matches + row.responses)).collect();
    assert_eq!(rows, oracle);
}
