//! Compiled watchlists: they find what built lists find, are there at once, and no octet of them can do harm.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use dgawatch::day::Day;
use dgawatch::dga::Catalog;
use dgawatch::name::Name;
use dgawatch::watchlist::{Image, List, compile};
use memmap2::MmapMut;
use support::captures::{Packet, USUAL};
use support::packets::{at, ethernet, query, udp};
use support::{Rng, dgawatch, names, printed};
use tempfile::TempDir;

const DAY: Day = Day::of(2009, 3, 31);
const END: usize = 32;

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.add("conficker-b").unwrap();
    catalog.add("synthetic:300").unwrap();
    catalog.add_list("ours", b"praat.org\nx.y.example\nold.example,,2009-03-30\npraat.org\nz.example,2009-03-31\n").unwrap();
    catalog
}

fn file(catalog: &Catalog, days: (Day, Day), skew: u16) -> Vec<u8> {
    let mut file = vec![];
    compile(catalog, days, skew, &mut file, &mut |_, _, _| {}).unwrap();
    file
}

fn open(octets: &[u8]) -> Result<Image, String> {
    let mut map = MmapMut::map_anon(octets.len()).unwrap();
    map.copy_from_slice(octets);
    Image::open(map.make_read_only().unwrap())
}

/// With the checksum of header, table and end as it should be.
fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    let end = file.len() - END;
    let table = u64::from_le_bytes(file[end..end + 8].try_into().unwrap());
    if let Some(table) = usize::try_from(table).ok().filter(|table| *table <= end) {
        let octets = [&file[..64], &file[table..end + 24]].concat();
        file[end + 24..end + 28].copy_from_slice(&crc32fast::hash(&octets).to_le_bytes());
    }
    file
}

/// Names of each list, with their places.
fn oracles(catalog: &Catalog) -> Vec<HashMap<String, Vec<u32>>> {
    let of = |(_, family): (_, &dyn dgawatch::dga::Family)| {
        let mut places: HashMap<String, Vec<u32>> = HashMap::new();
        let mut place = 0;
        family.names(DAY, &mut |name| {
            places.entry(name.to_string()).or_default().push(place);
            place += 1;
        });
        places
    };
    catalog.iter().map(of).collect()
}

/// Looks up every `step`th name of the lists of a day, and others.
fn look_up(image: &Image, catalog: &Catalog, step: usize, check: &mut dyn FnMut(usize, &str, Option<u32>)) {
    let hasher = image.hasher();
    for (place, (_, family)) in catalog.iter().enumerate() {
        let mut texts: Vec<String> = ["honest.example", "praat.org", "a.b.c", ".", "x"].map(str::to_owned).to_vec();
        let mut index = 0;
        family.names(DAY, &mut |name| {
            if index % step == 0 {
                texts.push(name.to_string());
                texts.push(format!("x{name}"));
            }
            index += 1;
        });
        let Some(list) = image.list(family.id(), DAY) else { panic!("no list of {}", family.id()) };
        for text in texts {
            let name = Name::parse(&text).unwrap();
            check(place, &text, list.find(List::hash(&hasher, &name), &name));
        }
    }
}

#[test]
fn finds_what_the_lists_hold() {
    let catalog = catalog();
    let days = (DAY.plus(-2), DAY.plus(2));
    let image = Arc::new(open(&file(&catalog, days, 1)).unwrap());
    assert_eq!(image.days(), (days.0, days.1, 1));
    image.check().unwrap();
    // Two families of a list a day, a day before and after; the user's list changes once.
    assert_eq!(image.lists().count(), 7 + 7 + 2);
    let oracles = oracles(&catalog);
    let mut found_some = 0;
    look_up(&image, &catalog, 1, &mut |place, text, found| {
        assert_eq!(found, oracles[place].get(text).map(|places| places[0]), "{text}");
        found_some += u32::from(found.is_some());
    });
    assert_eq!(found_some, 250 + 300 + 4 + 1 + 1);
    // As families, they are what they were made of; on other days too, but for the user's list.
    let mut compiled = Catalog::default();
    image.add_to(&mut compiled).unwrap();
    assert!(image.add_to(&mut compiled).unwrap_err().contains("already"));
    for ((_, built), (_, from_file)) in catalog.iter().zip(compiled.iter()) {
        assert_eq!((built.id(), built.since(), built.worm()), (from_file.id(), from_file.since(), from_file.worm()));
        for day in DAY.plus(-6).through(DAY.plus(6)) {
            let all = |family: &dyn dgawatch::dga::Family| {
                let mut all = vec![];
                family.names(day, &mut |name| all.push(name.to_string()));
                assert_eq!(all.len(), family.count(day) as usize);
                all
            };
            let is_lost = built.id() == "ours" && !(days.0..=days.1).contains(&day);
            assert_eq!(all(from_file), if is_lost { vec![] } else { all(built) }, "{} {day}", built.id());
            assert_eq!(image.gap(day).is_some(), !(days.0..=days.1).contains(&day));
        }
    }
}

/// Opening takes header, table and end alone: what is between may be anything, and of any size.
#[test]
fn lists_are_not_read_when_opened() {
    let mut file = file(&catalog(), (DAY, DAY), 0);
    let table = u64::from_le_bytes(file[file.len() - END..][..8].try_into().unwrap()) as usize;
    let whole = open(&file).unwrap();
    file[64..table].fill(0);
    let empty = open(&file).unwrap();
    assert!(whole.lists().eq(empty.lists()) && whole.check().is_ok());
    assert!(empty.check().unwrap_err().starts_with("is damaged: the list of conficker-b of 2009-03-31"));
    look_up(&empty, &catalog(), 1, &mut |_, _, found| assert_eq!(found, None));
}

#[test]
fn any_octet_may_be_wrong() {
    let catalog = catalog();
    let file = file(&catalog, (DAY, DAY), 0);
    let table = u64::from_le_bytes(file[file.len() - END..][..8].try_into().unwrap()) as usize;
    let oracles = oracles(&catalog);
    for at in 0..file.len() {
        for bits in [0x01, 0x80, 0xFF] {
            let mut wrong = file.clone();
            wrong[at] ^= bits;
            if !(64..table).contains(&at) {
                let why = open(&wrong).err().unwrap_or_else(|| panic!("octet {at} is not missed"));
                assert!(!why.contains('\n'), "{why}");
                continue;
            }
            if bits != 0xFF && at % 16 != 0 {
                continue;
            }
            let image = open(&wrong).unwrap();
            assert!(image.check().is_err(), "octet {at}");
            look_up(&image, &catalog, 23, &mut |place, text, found| {
                let Some(found) = found else { return };
                assert!(oracles[place].get(text).is_some_and(|places| places.contains(&found)), "octet {at}: {text} at {found}");
            });
        }
    }
    for length in 1..file.len() {
        assert!(open(&file[..length]).is_err(), "{length} octets");
    }
    assert!(open(&[&file[..], b"\0"].concat()).is_err());
}

/// Who makes the checksum right has the file opened, and gets no further.
#[test]
fn forgeries_end_in_a_sentence_or_a_lookup() {
    let catalog = catalog();
    let file = file(&catalog, (DAY, DAY), 0);
    let table = u64::from_le_bytes(file[file.len() - END..][..8].try_into().unwrap()) as usize;
    let (mut rng, mut opened, mut refused) = (Rng(1), 0, 0);
    for round in 0..20_000 {
        let mut forged = file.clone();
        for _ in 0..=rng.below(3) {
            let at = match round % 3 {
                0 => rng.below(forged.len() as u64) as usize,
                _ => table + rng.below((forged.len() - table) as u64) as usize,
            };
            forged[at] = [0, 1, 0x7F, 0xFF, rng.next() as u8][rng.below(5) as usize];
        }
        match open(&sealed(forged)) {
            Ok(image) => {
                opened += 1;
                let _ = image.check();
                let hasher = image.hasher();
                for (family, edition, count, _) in image.lists() {
                    let Some(list) = image.list(family, edition) else { continue };
                    for place in [0, count / 2, count - 1] {
                        let name = list.names().name(place);
                        if let Some(found) = list.find(List::hash(&hasher, &name), &name) {
                            assert_eq!(list.names().name(found), name);
                        }
                    }
                }
            }
            Err(why) => {
                refused += 1;
                assert!(!why.is_empty() && !why.contains('\n'), "{why}");
            }
        }
    }
    assert!(opened > 1_000 && refused > 1_000, "{opened} {refused}");
}

#[test]
fn what_is_refused() {
    let file = file(&catalog(), (DAY, DAY), 0);
    let with = |at: usize, octets: &[u8]| {
        let mut file = file.clone();
        file[at..at + octets.len()].copy_from_slice(octets);
        open(&sealed(file)).err().unwrap()
    };
    let find = |text: &[u8]| file.windows(text.len()).rposition(|window| window == text).unwrap();
    assert!(with(0, b"DGALISTS").starts_with("is no compiled watchlist"));
    assert!(with(8, &[2]).starts_with("is a compiled watchlist of version 2, and this program ("));
    assert!(with(find(b"conficker-b"), b"stuxnet-xyz").starts_with("holds names of `stuxnet-xyz`, a family that this version ("));
    assert!(with(find(b"conficker-b"), b"\x1b[2Jicker-b").starts_with("holds names of `\\u{1b}[2Jicker-b`"));
    assert!(with(find(b"ours"), b"a b ").contains("is no name for a list"));
    // Another generator: the checksum of samples is the one before the last of an entry's 27 octets. Conficker's has none.
    let second = file.len() - END - 2 * 27;
    assert!(
        with(second + 19, &[1, 2, 3, 4]).starts_with("holds another list of synthetic:300 of 2009-03-31 than this version makes")
    );
}

fn lines(path: &Path, lines: &[String]) -> String {
    fs::write(path, lines.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_replay_is_the_same() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let conficker = names("conficker-b", "2009-03-31");
    let dated: Vec<String> = conficker[..60]
        .iter()
        .enumerate()
        .map(|(n, name)| format!("{name}{}", ["", ",2009-04-01", ",,2009-03-31"][n % 3]))
        .collect();
    let list = format!("ours={}", lines(&folder.path().join("list"), &dated));
    let families = ["--family", "synthetic:1000000,conficker", "--list", &list];
    let watchlist = path("watchlist");
    let compile = ["compile", "--date", "2009-03-31", "--days", "2", "--output", &watchlist];
    let (out, err) = printed(&dgawatch(&[&compile[..], &families].concat()), 0);
    assert_eq!(err, "");
    // Four days of four families; the list is another on either of the two days.
    assert!(out.starts_with("18 lists with 4"), "{out}");
    assert_eq!(fs::metadata(&watchlist).unwrap().permissions().mode() & 0o022, 0);
    let (out, _) = printed(&dgawatch(&["compile", "--check", &watchlist]), 0);
    assert!(out.starts_with("packets from 2009-03-31 to 2009-04-01, clocks up to 1 days wrong; "), "{out}");
    assert!(out.contains("\nsynthetic:1000000 2009-03-30 1000000 names "), "{out}");

    // Beside the sample, a capture of names of all lists.
    let mut packets: Vec<Packet> = vec![];
    let second = 1_000_000_000;
    for (number, name) in names("synthetic:1000000", "2009-03-31").iter().step_by(9_973).chain(&conficker[..90]).enumerate() {
        let client = format!("10.0.{}.{}", number % 7, number % 50);
        let time = (DAY.number() as u64 * 86_400 + 80_000 + 100 * number as u64) * second;
        packets.push((time, ethernet(&[], &udp(at(&client, 4_000), at("192.0.2.53", 53), &query(1, name, 1)))));
    }
    let capture = path("made.pcap");
    fs::write(&capture, USUAL.file(&packets)).unwrap();
    let replay = |options: &[&str]| {
        let arguments = [&["replay", "--quiet", "--format", "json", "pcaps/subscribers.pcap", &capture], options].concat();
        printed(&dgawatch(&arguments), 0)
    };
    let built = replay(&families);
    for id in ["synthetic:1000000", "conficker-b", "ours"] {
        assert!(built.0.contains(&format!("\"family\":\"{id}\"")), "{id}: {}", built.0);
    }
    for threads in ["1", "2"] {
        let mapped = replay(&["--watchlist", &watchlist, "--threads", threads]);
        // How often chance meets a list depends on its usual length, and the file has only some of its days.
        let same = |line: &&str| !(line.contains("\"family\":\"ours\"") && line.contains("\"expected_false\":"));
        let lines = |out: &str| out.lines().filter(same).map(str::to_owned).collect::<Vec<_>>();
        for (mapped, built) in lines(&mapped.0).iter().zip(&lines(&built.0)) {
            assert_eq!(mapped, built, "{threads} threads");
        }
        assert_eq!((mapped.0.lines().count(), mapped.1), (built.0.lines().count(), built.1.clone()), "{threads} threads");
    }

    // A list of the same name is no other.
    let (_, err) = printed(&dgawatch(&["replay", "--watchlist", &watchlist, "--list", &list, &capture]), 1);
    assert!(err.contains("there is a family `ours` already"), "{err}");
    // Damage inside is found by whoever asks for it; a cut file by anybody.
    let mut octets = fs::read(&watchlist).unwrap();
    octets[5_000_000] ^= 1;
    fs::write(path("damaged"), &octets).unwrap();
    let (_, err) = printed(&dgawatch(&["compile", "--check", &path("damaged")]), 1);
    assert!(err.contains("is damaged: the list of synthetic:1000000 of 2009-03-30 is not what was written"), "{err}");
    fs::write(path("cut"), &octets[..octets.len() - 1]).unwrap();
    let (_, err) = printed(&dgawatch(&["replay", "--watchlist", &path("cut"), &capture]), 1);
    assert_eq!(err, format!("dgawatch: watchlist {} is cut short, or longer than it was: copy it again\n", path("cut")));
    fs::set_permissions(path("cut"), fs::Permissions::from_mode(0o666)).unwrap();
    let (_, err) = printed(&dgawatch(&["replay", "--watchlist", &path("cut"), &capture]), 1);
    assert!(err.contains("can be written by others than its owner"), "{err}");
    let (_, err) = printed(&dgawatch(&["replay", "--watchlist", "Cargo.toml", &capture]), 1);
    assert_eq!(err, "dgawatch: watchlist Cargo.toml is no compiled watchlist, or no whole one\n");
}

#[test]
fn days_that_nobody_can_build_are_told() {
    let folder = TempDir::new().unwrap();
    let watchlist = folder.path().join("watchlist").to_str().unwrap().to_owned();
    let list = format!("ours={}", lines(&folder.path().join("list"), &["a.example".to_owned()]));
    let compile = ["compile", "--family", "conficker-a", "--list", &list, "--date", "2009-04-30", "--output", &watchlist];
    printed(&dgawatch(&compile), 0);
    let replay = ["replay", "--quiet", "--watchlist", &watchlist, "--family", "conficker"];
    let (out, err) = printed(&dgawatch(&[&replay[..], &["pcaps/subscribers.pcap"]].concat()), 0);
    let told = "holds ours for packets from 2009-04-30 to 2009-04-30, and none of it for 2009-03-31";
    assert_eq!(err, format!("dgawatch: the watchlist {told}: `dgawatch compile` it for those days\n"));
    // Built-in families are built for days that the file has not.
    assert!(out.contains("infected"), "{out}");
    let (_, err) = printed(&dgawatch(&["compile", "--date", "2009-03-31"]), 2);
    assert!(err.contains("--output FILE is missing"), "{err}");
}
