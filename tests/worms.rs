//! The families after Conficker against published lists and names, and the days on which their names are looked for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dgawatch::day::{Day, Timestamp};
use dgawatch::dga::{Catalog, Family, Period, Shape};
use dgawatch::name::Name;
use dgawatch::watchlist::{Found, Hasher, Patterns, SearchList, Watchlist};
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::lists::Fresh;
use support::{dgawatch, printed};

fn list(family: &dyn Family, day: Day) -> Vec<String> {
    let mut names = vec![];
    family.names(day, &mut |name| names.push(name.to_string()));
    names
}

/// What a file of tests/worms says of one day.
#[derive(Default)]
struct Published {
    day: Option<Day>,
    /// Days before and after whose lists follow: those before backwards, as hosts ask for them.
    window: (i32, i32),
    count: usize,
    sha256: String,
    /// Names in the published file, and its octets, where there is one.
    file: Option<(usize, usize)>,
    names: Vec<(usize, String)>,
}

fn published(text: &str) -> Vec<Published> {
    let mut days: Vec<Published> = vec![];
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["day", day] = words[..] {
            days.push(Published { day: Some(day.parse().unwrap()), ..Published::default() });
            continue;
        }
        let day = days.last_mut().unwrap();
        match words[..] {
            ["window", before, after] => day.window = (before.parse().unwrap(), after.parse().unwrap()),
            ["count", count] => day.count = count.parse().unwrap(),
            ["sha256", digest] => digest.clone_into(&mut day.sha256),
            ["published", names, octets] => day.file = Some((names.parse().unwrap(), octets.parse().unwrap())),
            ["name", place, name] => day.names.push((place.parse().unwrap(), name.to_owned())),
            _ => panic!("what is `{line}`?"),
        }
    }
    days
}

#[test]
fn published_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worms");
    let mut compared = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let id = path.file_stem().unwrap().to_str().unwrap();
        let mut catalog = Catalog::default();
        catalog.add(id).unwrap();
        let family = catalog.family(0);
        let days = published(&fs::read_to_string(&path).unwrap());
        assert!(days.iter().any(|day| !day.names.is_empty()), "{id}");
        for expected in days {
            let day = expected.day.unwrap();
            let (before, after) = expected.window;
            let mut names = list(family, day);
            (1..=before).for_each(|days| names.extend(list(family, day.plus(-days))));
            (1..=after).for_each(|days| names.extend(list(family, day.plus(days))));
            for (place, name) in expected.names {
                assert_eq!(names.get(place), Some(&name), "{id} {day} {place}");
            }
            assert_eq!(names.len(), expected.count, "{id} {day}");
            if let Some((count, octets)) = expected.file {
                assert_eq!(names[..count].iter().map(|name| name.len() + 1).sum::<usize>(), octets, "{id} {day}");
            }
            let mut digest = Sha256::new();
            names.iter().for_each(|name| digest.update(format!("{name}\n")));
            let digest: String = digest.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(digest, expected.sha256, "{id} {day}");
        }
        compared.insert(id.to_owned());
    }
    // Nothing is built in that was compared with nothing. Conficker has a test of its own.
    let built_in = Catalog::built_in();
    let known =
        built_in.iter().filter(|(_, family)| family.worm() != Some("conficker")).map(|(_, family)| family.id().to_owned());
    assert_eq!(compared, known.collect());
}

#[test]
fn lists_keep_what_families_say() {
    for (_, family) in Catalog::built_in().iter() {
        let (id, calendar) = (family.id(), family.calendar());
        assert!(matches!(family.shape(), Shape::Generated { .. }), "{id}");
        let about = family.about().unwrap();
        assert!(!about.verified.is_empty() && about.until.is_none_or(|until| until > family.since()), "{id}");
        // The first days of all, the end of a leap year, the last days of all.
        let starts = [Day::EPOCH, Day::of(2012, 2, 27), Day::of(2020, 12, 29), Day::LAST.plus(-2)];
        for day in starts.into_iter().flat_map(|start| start.through(start.plus(2))) {
            let mut count = 0;
            family.names(day, &mut |name| {
                count += 1;
                assert!(family.shape().holds(name), "{id} {name}");
            });
            assert_eq!(count, family.count(day), "{id} {day}");
        }
        // All days of a period have the list of its first.
        if calendar.period() != Period::Day {
            for day in Day::of(2016, 2, 9).through(Day::of(2016, 3, 13)) {
                assert!(list(family, day) == list(family, calendar.list_day(day)), "{id} {day}");
            }
        }
    }
}

/// A name is found on the days on which a host with a clock up to `skew` days wrong may ask for it, and on no other, and no
/// list is open twice.
#[test]
fn names_are_found_while_hosts_ask() {
    let middle = Day::of(2016, 2, 20);
    for (_, family) in Catalog::built_in().iter() {
        let mut catalog = Catalog::default();
        catalog.add(family.id()).unwrap();
        let (id, calendar) = (family.id(), family.calendar());
        let (before, after) = calendar.reach();
        let list_day = calendar.list_day(middle);
        let name = Name::parse(&list(family, list_day)[17]).unwrap();
        for skew in [0, 1, 3] {
            let hasher = Hasher::default();
            let lists = Fresh { catalog: &catalog, hasher: hasher.clone() };
            let (patterns, search_list) = (Patterns::default(), SearchList::default());
            let mut watchlist = Watchlist::new(&catalog, &lists, hasher, skew, &patterns, &search_list);
            for day in [-80, -40, -20, -11]
                .into_iter()
                .chain(-8..=8)
                .chain([11, 20, 34, 35, 36, 37, 38, 39, 80])
                .map(|days| middle.plus(days))
            {
                let clock = i32::from(skew);
                let asks = (-clock..=clock).any(|wrong| {
                    let host_day = day.plus(wrong);
                    (-before..=after).any(|days| calendar.list_day(host_day.plus(days)) == list_day)
                });
                let time = Timestamp::from_parts(day.number().unsigned_abs().into(), 0).as_nanos() * 86_400;
                let mut found = vec![];
                let mut take = |(), what| {
                    let Found::Listed(matched) = what else { panic!("nothing is watched") };
                    found.push((matched.list_day, matched.index));
                };
                if watchlist.opens(Timestamp::from_nanos(time), name.as_raw()) {
                    watchlist.find(Timestamp::from_nanos(time), name.as_raw(), || (), &mut take);
                }
                watchlist.flush(&mut take);
                let expected: Vec<_> = asks.then_some((list_day, 17)).into_iter().collect();
                assert_eq!(found, expected, "{id} {name} {day} skew {skew}");
            }
        }
    }
}

#[test]
fn listed_for_people_and_scripts() {
    let (out, _) = printed(&dgawatch(&["families", "--format", "json"]), 0);
    let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
    let names: BTreeMap<&str, (u64, &str)> = rows
        .iter()
        .map(|row| (row["family"].as_str().unwrap(), (row["names"].as_u64().unwrap(), row["period"].as_str().unwrap())))
        .collect();
    assert_eq!(names["conficker-c"], (50_000, "day"));
    assert_eq!(names["necurs-9"], (2_048, "4 days"));
    assert_eq!(names["qakbot"], (5_000, "third of a month"));
    let pushdo = rows.iter().find(|row| row["family"] == "pushdo").unwrap();
    assert_eq!((pushdo["days_before"].as_i64(), pushdo["days_after"].as_i64()), (Some(33), Some(15)));
    let (out, _) = printed(&dgawatch(&["families"]), 0);
    for (_, family) in Catalog::built_in().iter() {
        assert!(names.contains_key(family.id()) && out.lines().any(|line| line.starts_with(family.id())), "{}", family.id());
    }
    assert!(
        out.contains("pushdo               30 names per day, asked for from 15 days before to 33 days after, since 2019-01-01"),
        "{out}"
    );
    assert!(out.contains("until 2014-06-02"), "{out}");
}

/// A list that is current on several days is printed once, under its list day, and found under it.
#[test]
fn lists_of_several_days() {
    let names = |arguments: &[&str]| printed(&dgawatch(&[&["names", "--format", "csv"], arguments].concat()), 0).0;
    let out = names(&["--family", "necurs-9", "--date", "2015-08-30", "--days", "4"]);
    let rows: Vec<&str> = out.lines().collect();
    assert_eq!((rows.len(), rows[1]), (1 + 2 * 2_048, "necurs-9,2015-08-28,0,nccojqvabqvkiwhj.mx,2015-08-27,2015-09-01"));
    assert!(rows[1 + 2_048].starts_with("necurs-9,2015-09-01,0,"), "{}", rows[1 + 2_048]);

    let explain = ["explain", "--family", "necurs,zloader", "--from", "2015-08-29", "--to", "2015-09-02"];
    let (out, _) = printed(&dgawatch(&[&explain[..], &["nccojqvabqvkiwhj.mx"]].concat()), 0);
    assert_eq!(out, "nccojqvabqvkiwhj.mx: necurs-9, list of 2015-08-28, index 0\n");
    let (out, _) = printed(&dgawatch(&[&explain[..], &["praat.org"]].concat()), 1);
    assert!(
        out.contains(
            "on no list of necurs-5, necurs-7, necurs-9, necurs-11, zloader-q23, zloader-kzie, zloader-ts72 from 2015-08-29"
        ),
        "{out}"
    );
}
