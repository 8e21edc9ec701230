//! The watchlist against a map of strings: small and large lists mixed, near misses, days that change in between, and names
//! that wait for others without losing their place.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;

use dgawatch::day::{Day, Timestamp};
use dgawatch::dga::Catalog;
use dgawatch::name::RawName;
use dgawatch::watchlist::{Found, Hasher, List, Lists, Match, Patterns, SIFTED, SearchList, Watchlist};
use support::Rng;
use support::lists::Fresh;
use support::packets::wire;

const NAMES: u32 = 400_000;

/// Builds each list once.
struct Kept<'a> {
    fresh: Fresh<'a>,
    lists: std::sync::Mutex<HashMap<(u16, Day), std::sync::Arc<List>>>,
}

impl Lists for Kept<'_> {
    fn get(&self, family: u16, edition: Day) -> std::sync::Arc<List> {
        let mut lists = self.lists.lock().unwrap();
        lists.entry((family, edition)).or_insert_with(|| self.fresh.get(family, edition)).clone()
    }
}

#[test]
fn as_a_map_of_strings_has_it() {
    let mut rng = Rng(5);
    let days: Vec<Day> = Day::of(2009, 3, 30).through(Day::of(2009, 4, 3)).collect();
    let mut catalog = Catalog::default();
    for id in ["conficker", "synthetic:250", "synthetic:70000"] {
        catalog.add(id).unwrap();
    }
    // A text list that is large on some days only, with names of the others and one that it holds twice.
    let mut text = String::from("twice.example\n");
    catalog.family(4).names(days[2], &mut |name| text += &format!("{name}\n"));
    catalog.family(1).names(days[2], &mut |name| text += &format!("{name},2009-04-01,2009-04-01\n"));
    text += "twice.example\n";
    catalog.add_list("ours", text.as_bytes()).unwrap();

    let mut oracle: HashMap<(String, Day), Vec<(u16, u32)>> = HashMap::new();
    let mut listed = vec![];
    for (id, family) in catalog.iter() {
        for &day in &days {
            let mut index = 0;
            family.names(day, &mut |name| {
                let places = oracle.entry((name.to_string(), day)).or_default();
                if places.iter().all(|(family, _)| *family != id) {
                    places.push((id, index));
                }
                if index % 37 == 0 {
                    listed.push(name.to_string());
                }
                index += 1;
            });
        }
    }
    let naive = |name: &str, today: Day| {
        let mut matches = vec![];
        for (family, made) in catalog.iter() {
            for list_day in made.calendar().open(today, today, 1) {
                let places = oracle.get(&(name.to_owned(), list_day));
                if let Some((_, index)) = places.and_then(|places| places.iter().find(|(id, _)| *id == family)) {
                    matches.push((family, list_day, *index));
                }
            }
        }
        matches
    };

    let (mut asked, mut expected) = (vec![], vec![]);
    for asker in 0..NAMES {
        let mut name = listed[rng.below(listed.len() as u64) as usize].clone();
        let letter = char::from(b'a' + rng.below(26) as u8);
        // Few are on no list in every other stretch: then names wait for lists of any size.
        match rng.below(if asker / 10_000 % 2 == 0 { 8 } else { 80 }) {
            0 => name.insert(0, letter),
            1 => name = format!("{letter}.{name}"),
            2 => name = format!("{name}.{letter}"),
            3 => name = name.split_once('.').unwrap().1.to_owned(),
            4 => name.replace_range(1..2, &letter.to_string()),
            5 => name = "twice.example".to_owned(),
            _ => {}
        }
        // The day changes now and then, back as well as on, also while names wait. Later it stays, so that fronts pay.
        let today = days[if asker < NAMES / 2 { 1 + (asker / 999 % 3) as usize } else { 2 }];
        expected.extend(naive(&name, today).into_iter().map(|matched| (asker, matched)));
        let mut octets = wire(&name);
        if rng.below(3) == 0 {
            octets.make_ascii_uppercase();
        }
        asked.push((Timestamp::from_parts(today.number() as u64 * 86_400 + 5, 0), octets));
    }

    let hasher = Hasher::default();
    let lists = Kept { fresh: Fresh { catalog: &catalog, hasher: hasher.clone() }, lists: Default::default() };
    let (patterns, search_list) = (Patterns::default(), SearchList::default());
    // One by one, and after a second look at some together.
    for together in [1, SIFTED as u64] {
        let mut watchlist = Watchlist::new(&catalog, &lists, hasher.clone(), 1, &patterns, &search_list);
        let mut found = vec![];
        let mut take = |asker: usize, what: Found| match what {
            Found::Listed(Match { family, list_day, index, .. }) => found.push((asker as u32, (family, list_day, index))),
            Found::Appended(_) | Found::Watched(_) => panic!("there are no patterns, and no suffixes"),
        };
        let mut looked_for = 0;
        let mut rest = asked.iter().map(|(time, octets)| (*time, RawName::take(octets).unwrap())).enumerate().peekable();
        while rest.peek().is_some() {
            let count = if together > 1 { 1 + rng.below(together) as usize } else { 1 };
            let names: Vec<_> = rest.by_ref().take(count).filter(|(_, (time, name))| watchlist.opens(*time, *name)).collect();
            let worth = if together > 1 { watchlist.sift(names.iter().map(|(_, name)| *name)) } else { u64::MAX };
            for (place, (asker, (time, name))) in names.into_iter().enumerate() {
                if worth >> place & 1 > 0 {
                    looked_for += 1;
                    watchlist.find(time, name, || asker, &mut take);
                }
            }
            if rng.below(100) == 0 {
                watchlist.flush(&mut take);
            }
        }
        watchlist.flush(&mut take);
        assert!(found.len() > NAMES as usize / 3, "{}", found.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.len(), expected.len());
        assert!(watchlist.take_days().iter().eq(&days[1..4]));
        println!("{looked_for} of {NAMES} looked for, {} found", found.len());
    }
}

/// Who asked is read for names that are found, not for those that only look like one: of responses it takes a walk through
/// their records.
#[test]
fn who_asks_is_read_late() {
    let mut catalog = Catalog::default();
    catalog.add("conficker").unwrap();
    let hasher = Hasher::default();
    let lists = Kept { fresh: Fresh { catalog: &catalog, hasher: hasher.clone() }, lists: Default::default() };
    let (patterns, search_list) = (Patterns::default(), SearchList::default());
    let mut watchlist: Watchlist<'_, ()> = Watchlist::new(&catalog, &lists, hasher, 1, &patterns, &search_list);
    let time = Timestamp::from_parts(1_238_500_000, 0);
    for name in ["example.org", "another.info", "something.net"] {
        let octets = wire(name);
        let raw = RawName::take(&octets).unwrap();
        assert!(watchlist.opens(time, raw), "{name}");
        watchlist.find(time, raw, || panic!("{name} is on no list"), &mut |(), _| panic!("{name} is on no list"));
    }
    watchlist.flush(&mut |(), _| panic!("nobody waits"));
}
