//! The union over sensors against one ledger that had all hits; what cannot be is refused.

use proptest::prelude::*;

use super::*;
use crate::dga::FamilyId;
use crate::ledger::{Hit, Rule, Verdict};
use crate::watchlist::Match;

const DAY: Day = Day::of(2009, 3, 31);

/// A second of the list day.
fn second(second: u64) -> Timestamp {
    Timestamp::from_parts(u64::from(DAY.number().unsigned_abs()) * 86_400 + second, 0)
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for family in ["conficker-b", "conficker-c", "synthetic:100000"] {
        catalog.add(family).unwrap();
    }
    catalog
}

/// B's list of 31 March 2009 has one known collision; the places of others are taken for some, too, where tests say so.
fn is_collision(index: u32) -> bool {
    index.is_multiple_of(17)
}

fn ledger(catalog: &Catalog) -> Ledger {
    let mut ledger = Ledger::new(1_000);
    ledger.judge_by(Rule::of_all(catalog), true);
    ledger
}

/// What a message was, drawn at random: source, family, index, second, and what else is told by its number.
type Drawn = (u32, FamilyId, u32, u64, u32);

fn hit((source, family, index, at, more): Drawn) -> Hit {
    let counts = [250, 50_000, 100_000];
    let index = index % counts[usize::from(family)];
    let address = |n: u32| if n.is_multiple_of(5) { IpAddr::V6(u128::from(n).into()) } else { IpAddr::V4(n.into()) };
    Hit {
        source: address(source),
        time: second(at),
        response: more.is_multiple_of(2),
        port: more as u16 % 7,
        transport: Transport::ALL[more as usize / 2 % 2],
        id: more as u16,
        recursive: !source.is_multiple_of(4) || more.is_multiple_of(9),
        server: more.is_multiple_of(3).then(|| address(90 + more % 11)),
        lifetime: None,
        told: None,
        matched: Match { family, list_day: DAY.plus((source % 2).cast_signed()), index, collision: is_collision(index) },
    }
}

/// What sensors may not differ in.
fn shown(ledger: Ledger) -> Vec<String> {
    let standards = format!("{:?}", ledger.standards());
    let rows = ledger.into_sorted().into_iter().map(|(key, evidence)| {
        // Who answers a source is told from its trace, which begins later where a source is spread over sensors.
        let role = if evidence.role() == Role::Forwarder { Role::Resolver } else { evidence.role() };
        let verdict = Verdict::of(&evidence);
        let evidence = Evidence { trace: None, role: Role::Client, ..evidence };
        format!("{key:?} {verdict:?} {role:?} {:?} {evidence:?}", evidence.names().collect::<Vec<_>>())
    });
    std::iter::once(standards).chain(rows).collect()
}

fn records(ledger: &Ledger) -> Vec<Portable> {
    let servers = ledger.answering();
    let of = |(key, evidence): (&Key, &Evidence)| {
        Portable::of(key, evidence, servers.binary_search(&key.source).is_ok(), is_collision)
    };
    let mut records: Vec<Portable> = ledger.rows().map(of).collect();
    records.sort_by_key(|record| record.key);
    records
}

/// The union of ledgers, in their order.
fn union<'l>(ledgers: impl IntoIterator<Item = &'l Ledger>, catalog: &Catalog) -> Ledger {
    let mut union = Ledger::for_union(1_000);
    union.judge_by(Rule::of_all(catalog), true);
    for ledger in ledgers {
        ledger.answering().into_iter().for_each(|server| union.absorb_answering(server));
        records(ledger).iter().for_each(|record| union.absorb(record, catalog).unwrap());
    }
    union
}

proptest! {
    /// Whichever sensor saw which message, the union is the ledger that had them all; however it is put together.
    #[test]
    fn as_one_ledger_that_had_all(
        hits in prop::collection::vec(((0..14_u32, 0..3 as FamilyId, 0..60_u32, 0..86_400_u64, any::<u32>()), 0..5_usize), 0..400),
    ) {
        let catalog = catalog();
        let mut one = ledger(&catalog);
        let mut sensors: Vec<Ledger> = (0..5).map(|_| ledger(&catalog)).collect();
        for (drawn, sensor) in hits {
            one.add(&hit(drawn));
            sensors[sensor].add(&hit(drawn));
        }
        let flat = union(&sensors, &catalog);
        let halves = [union(&sensors[..2], &catalog), union(&sensors[2..], &catalog)];
        let nested = union(halves.iter().rev(), &catalog);
        prop_assert_eq!(records(&flat), records(&nested));
        prop_assert_eq!(shown(flat), shown(one));
        // Of one it is the same, traces and all.
        let again = union([&sensors[0]], &catalog);
        prop_assert_eq!(records(&again), records(&sensors[0]));
    }

    /// No record makes a ledger panic, and none that is refused changes it.
    #[test]
    fn any_numbers(
        family in any::<FamilyId>(),
        day in any::<i32>(),
        names in prop::collection::vec(prop_oneof![0..300_u32, any::<u32>()], 0..8),
        collisions in prop::collection::vec(0..300_u32, 0..3),
        counts in any::<[u64; 4]>(),
        times in prop::collection::vec(any::<u64>(), 0..20),
        starts in prop::collection::vec(any::<u32>(), 0..300),
        lifetimes in prop::collection::vec(any::<u16>(), 0..70),
    ) {
        let catalog = catalog();
        let mut ledger = union([], &catalog);
        let base = records(&some(&catalog)).remove(0);
        ledger.absorb(&base, &catalog).unwrap();
        let before = records(&ledger);
        let plausible = Portable { names: vec![1, 2, 200], collisions: vec![2], ..base.clone() };
        let lookups = Lookups { times, lost: counts[3], starts, latest: day.cast_unsigned(), lifetimes };
        let all = Portable {
            key: Key { family: family % 5, list_day: Day::EPOCH.plus(day), ..base.key },
            matches: counts[0],
            first_seen: Timestamp::from_nanos(counts[1]),
            last_seen: Timestamp::from_nanos(counts[2]),
            names,
            collisions,
            trace: Some(lookups.clone()),
            ..base
        };
        for record in [all, Portable { trace: Some(lookups), ..plausible }] {
            if ledger.absorb(&record, &catalog).is_err() {
                prop_assert_eq!(&records(&ledger), &before);
            }
        }
        ledger.judge();
        let rows = ledger.into_sorted();
        let refs: Vec<_> = rows.iter().map(|(key, evidence)| (key, evidence)).collect();
        let _ = crate::ledger::Census::take(&refs, &catalog, &crate::ledger::Watched::default());
    }
}

/// One source of B with the names 0 to 9, in ten seconds.
fn some(catalog: &Catalog) -> Ledger {
    let mut ledger = ledger(catalog);
    (0..10).for_each(|n| {
        ledger.add(&hit((8, 0, n, n.into(), 1)));
    });
    ledger
}

/// What is changed in a record.
type Change<'c> = &'c dyn Fn(&mut Portable);

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let catalog = catalog();
    let good = records(&some(&catalog)).remove(0);
    let with = |change: &dyn Fn(&mut Portable)| {
        let mut record = good.clone();
        change(&mut record);
        union([], &catalog).absorb(&record, &catalog)
    };
    assert_eq!(with(&|_| {}), Ok(()));
    let lookups = |lookups: Lookups| move |record: &mut Portable| record.trace = Some(lookups.clone());
    let cases: [(Change<'_>, &str); 10] = [
        (&|record| record.key.family = 3, "is of a family or a day that there is not"),
        (&|record| record.key.list_day = Day::LAST.plus(1), "is of a family or a day that there is not"),
        (&|record| record.key.list_day = Day::EPOCH.plus(-1), "is of a family or a day that there is not"),
        (&|record| record.names = vec![250], "has name 250 of conficker-b, whose list of 2009-03-31 has 250"),
        (&|record| record.names = vec![], "has no names, or not in ascending order"),
        (&|record| record.names = vec![3, 3], "has no names, or not in ascending order"),
        (&|record| record.collisions = vec![99], "has collision 99, which is none of its names"),
        (&|record| record.matches = 1 << 48, "has counts or times that cannot be"),
        (&|record| record.first_seen = Timestamp::MAX, "has counts or times that cannot be"),
        (&lookups(Lookups { lifetimes: vec![1; 65], ..Lookups::default() }), "has more lookups than are kept of a source"),
    ];
    for (change, why) in cases {
        assert_eq!(with(change), Err(why.to_owned()));
    }
}

#[test]
fn collisions_are_known_by_name() {
    let catalog = catalog();
    let mut place = None;
    catalog.family(0).search(&crate::name::Name::parse("praat.org").unwrap(), &[DAY], &mut |_, index| place = Some(index));
    let mut ledger = ledger(&catalog);
    for index in [place.unwrap(), 0, 1, 2] {
        let drawn = hit((8, 0, index, 5, 1));
        ledger.add(&Hit { matched: Match { collision: Some(index) == place, ..drawn.matched }, ..drawn });
    }
    let records: Vec<Portable> = ledger.portable(&catalog).collect();
    assert_eq!(records[0].collisions, [place.unwrap()]);
    assert_eq!(records[0].names.len(), 4);
}

/// A reader that one sensor saw whole is one in the union; who is spread over sensors may not be told.
#[test]
fn readers_stay_readers() {
    let catalog = catalog();
    let reader = (0..400).map(|n| (8, 1, n * 100, u64::from(n) / 50, 1));
    let mut sensors = [ledger(&catalog), ledger(&catalog)];
    reader.for_each(|drawn| {
        sensors[0].add(&hit(drawn));
    });
    sensors[1].add(&hit((8, 1, 49_999, 80_000, 1)));
    let rows = union(&sensors, &catalog).into_sorted();
    assert!(rows[0].1.is_reader() && Verdict::of(&rows[0].1) == Verdict::Suspect);
    assert_eq!(rows[0].1.distinct_names(), 401);
}

/// Lookups that two sensors saw are one, rounds that began at one sensor are not begun again at another.
#[test]
fn traces_are_a_union() {
    let catalog = catalog();
    let mut sensors = [ledger(&catalog), ledger(&catalog)];
    let mut one = ledger(&catalog);
    for round in 0..7_u64 {
        for n in 0..250_u32 {
            let drawn = (8, 0, n, 600 + round * 10_800 + u64::from(n), 2 * n + 1 + 1_000 * round as u32);
            one.add(&hit(drawn));
            let both = n % 5 == 3;
            (0..2).filter(|sensor| both || n % 2 == *sensor).for_each(|sensor| {
                sensors[sensor as usize].add(&hit(drawn));
            });
        }
    }
    let union = records(&union(&sensors, &catalog)).remove(0).trace.unwrap();
    let whole = records(&one).remove(0).trace.unwrap();
    // The first names of each are before its verdict.
    let missing: Vec<_> = whole.times.iter().filter(|lookup| !union.times.contains(lookup)).collect();
    assert!(missing.len() <= 3 && union.times.iter().all(|lookup| whole.times.contains(lookup)), "{missing:?}");
    assert!(whole.starts.len() == 7 && whole.starts.iter().skip(1).all(|start| union.starts.contains(start)));
    assert!(union.starts.len() > 7, "the sensors saw rounds begin at different times");
}
