//! Captures that rotate through files, followed: each packet is read once, whatever becomes of the files and of us.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use dgawatch::source::{Failure, Follow, Limits};
use serde_json::Value;
use support::captures::{Packet, Section, USUAL, kuznetzov};
use support::packets::{at, ethernet, query, udp};
use support::{Rng, dgawatch, names, printed};
use tempfile::TempDir;

const SECOND: u64 = 1_000_000_000;
/// 2009-04-01T00:00:00Z.
const START: u64 = 14_335 * 86_400 * SECOND;

/// Packets whose octets are their numbers.
fn numbered(from: u32, count: u32) -> Vec<Packet> {
    (from..from + count).map(|number| (START + u64::from(number) * 1_000_000, number.to_be_bytes().to_vec())).collect()
}

/// Reads all there is, and the failures.
fn drain(follow: &mut Follow) -> (Vec<u32>, Vec<Failure>) {
    let (mut numbers, mut failures, mut block) = (vec![], vec![], vec![]);
    follow.scan();
    while let Some(capture) = follow.due() {
        loop {
            match capture.read(&mut block, |record| numbers.push(u32::from_be_bytes(record.data.try_into().unwrap()))) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    failures.push(failure);
                    break;
                }
            }
        }
    }
    (numbers, failures)
}

fn open(folder: &Path, state: &Path) -> Follow {
    let (follow, warning) = Follow::new(&[folder.to_owned()], Limits::USUAL, Some(state)).unwrap();
    assert_eq!(warning, None);
    follow
}

/// Long unchanged, for all that can be told.
fn age(path: &Path) {
    File::options().append(true).open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(600)).unwrap();
}

fn append(path: &Path, octets: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(octets).unwrap();
}

fn compress(path: &Path, rng: &mut Rng) -> PathBuf {
    let (ending, level) = [("zst", 1), ("zst", 9), ("zstd", 3)][rng.below(3) as usize];
    let packed = PathBuf::from(format!("{}.{ending}", path.display()));
    fs::write(&packed, zstd::encode_all(&fs::read(path).unwrap()[..], level).unwrap()).unwrap();
    if rng.below(4) > 0 {
        age(&packed);
    }
    packed
}

/// Some; `DGAWATCH_SEEDS=FROM-TO` tries others.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("DGAWATCH_SEEDS").ok();
    let range = given.as_deref().and_then(|text| text.split_once('-'));
    range.map_or(0..40, |(from, to)| from.parse().unwrap()..to.parse().unwrap())
}

/// Any sequence of what a rotating capture, its keeper and its reader do.
#[test]
fn each_packet_once() {
    for seed in seeds() {
        let mut rng = Rng(seed);
        let home = TempDir::new().unwrap();
        let (folder, state) = (home.path().join("captures"), home.path().join("state"));
        fs::create_dir(&folder).unwrap();
        let mut follow = open(&folder, &state);
        let (mut next, mut files, mut read) = (0, 0_u32, vec![]);
        // What is yet to be written to the current file, and earlier files.
        let mut current: (PathBuf, Vec<u8>) = (PathBuf::new(), vec![]);
        let mut old: Vec<PathBuf> = vec![];
        for _ in 0..120 {
            match rng.below(9) {
                // Some more octets, ending anywhere.
                0..3 if !current.1.is_empty() => {
                    let rest = current.1.split_off(1 + rng.below(current.1.len() as u64) as usize);
                    append(&current.0, &current.1);
                    current.1 = rest;
                }
                // The next file; names go against the order of time, and are used again.
                0..4 => {
                    if !current.1.is_empty() {
                        append(&current.0, &current.1);
                    }
                    if files > 0 {
                        old.push(current.0.clone());
                    }
                    let packets = numbered(next, 1 + rng.below(30) as u32);
                    next += packets.len() as u32;
                    let octets = match rng.below(3) {
                        0 => USUAL.file(&packets),
                        1 => kuznetzov(true, &packets),
                        _ => packets
                            .iter()
                            .fold(Section::new(false).interface(1, 0, &[]), |section, (time, octets)| {
                                section.packet(0, time / 1_000, octets)
                            })
                            .finish(),
                    };
                    files += 1;
                    current = (folder.join(format!("c{:03}.pcap", 500 - files)), octets);
                }
                // Compressed, as gzip(1) does it: for a while both are there.
                4 if !old.is_empty() => {
                    let path = old.swap_remove(rng.below(old.len() as u64) as usize);
                    compress(&path, &mut rng);
                    if rng.below(2) == 0 {
                        read.extend(drain(&mut follow).0);
                    }
                    fs::remove_file(&path).unwrap();
                }
                // Renamed, or removed after it was read.
                5 if !old.is_empty() => {
                    let place = rng.below(old.len() as u64) as usize;
                    let name = folder.join(format!("renamed{files}-{}", rng.next()));
                    fs::rename(&old[place], &name).unwrap();
                    old[place] = name;
                    // What is renamed and compressed between two looks is another capture to us.
                    read.extend(drain(&mut follow).0);
                }
                6 if !old.is_empty() => {
                    read.extend(drain(&mut follow).0);
                    fs::remove_file(old.swap_remove(rng.below(old.len() as u64) as usize)).unwrap();
                }
                7 => {
                    follow.save(&state).unwrap();
                    follow = open(&folder, &state);
                }
                8 if !old.is_empty() => age(&old[rng.below(old.len() as u64) as usize]),
                _ => {
                    let (numbers, failures) = drain(&mut follow);
                    assert!(failures.is_empty(), "seed {seed}: {failures:?}");
                    read.extend(numbers);
                }
            }
        }
        append(&current.0, &current.1);
        for entry in fs::read_dir(&folder).unwrap() {
            age(&entry.unwrap().path());
        }
        read.extend(drain(&mut follow).0);
        read.extend(drain(&mut follow).0);
        read.sort_unstable();
        assert_eq!(read, (0..next).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(follow.failures().count(), 0);
    }
}

/// A ring of files (`tcpdump -W`), and a capture that is started anew under the same name.
#[test]
fn names_used_again() {
    let home = TempDir::new().unwrap();
    let (folder, state) = (home.path().join("captures"), home.path().join("state"));
    fs::create_dir(&folder).unwrap();
    let mut follow = open(&folder, &state);
    let mut read = vec![];
    for round in 0..12 {
        // The same file, cut to nothing and written again.
        fs::write(folder.join(format!("ring{}", round % 3)), USUAL.file(&numbered(round * 10, 10))).unwrap();
        if round % 4 != 2 {
            read.extend(drain(&mut follow).0);
        }
        if round % 5 == 4 {
            follow.save(&state).unwrap();
            follow = open(&folder, &state);
        }
    }
    read.extend(drain(&mut follow).0);
    assert_eq!(read, (0..120).collect::<Vec<_>>());
}

/// What is gone between the look at the folder and its turn is not taken to have been read.
#[test]
fn compressed_before_its_turn() {
    let home = TempDir::new().unwrap();
    let (folder, state) = (home.path().join("captures"), home.path().join("state"));
    fs::create_dir(&folder).unwrap();
    let mut follow = open(&folder, &state);
    let path = folder.join("a.pcap");
    fs::write(&path, USUAL.file(&numbered(0, 10))).unwrap();
    age(&path);
    follow.scan();
    fs::write(folder.join("a.pcap.zst"), zstd::encode_all(&fs::read(&path).unwrap()[..], 3).unwrap()).unwrap();
    age(&folder.join("a.pcap.zst"));
    fs::remove_file(&path).unwrap();
    assert!(!follow.due().unwrap().read(&mut vec![], |_| ()).unwrap());
    assert!(follow.due().is_none());
    assert_eq!(drain(&mut follow).0, (0..10).collect::<Vec<_>>());
    // A folder that cannot be read for a while has not lost its files.
    fs::rename(&folder, home.path().join("elsewhere")).unwrap();
    assert_eq!(drain(&mut follow).0, [0; 0]);
    assert_eq!(follow.failures().count(), 1);
    fs::rename(home.path().join("elsewhere"), &folder).unwrap();
    assert_eq!(drain(&mut follow).0, [0; 0]);
    assert_eq!(follow.failures().count(), 0);
}

/// What is cut or damaged for good is told; what may be completed is not.
#[test]
fn bad_files() {
    let home = TempDir::new().unwrap();
    let (folder, state) = (home.path().join("captures"), home.path().join("state"));
    fs::create_dir(&folder).unwrap();
    let mut follow = open(&folder, &state);
    let whole = |number: u32| USUAL.file(&numbered(number, 10));
    let cut = |number: u32| whole(number)[..24 + 9 * 20 + 7].to_vec();
    // Empty, only a header, no capture, hidden, a cut record in each of three.
    for (name, octets) in [("empty", &b""[..]), ("header", &whole(0)[..24]), ("text", b"a text"), (".hidden", &whole(90))] {
        fs::write(folder.join(name), octets).unwrap();
    }
    fs::write(folder.join("a"), cut(10)).unwrap();
    fs::write(folder.join("b"), cut(20)).unwrap();
    fs::write(folder.join("c"), cut(30)).unwrap();
    age(&folder.join("a"));
    let mut damaged = whole(40);
    damaged[24 + 5 * 20 + 11] = 0x7F;
    fs::write(folder.join("d"), damaged).unwrap();
    let packed: Vec<u8> = whole(50).chunks(124).flat_map(|part| zstd::encode_all(part, 3).unwrap()).collect();
    fs::write(folder.join("f.zst"), &packed[..20]).unwrap();
    age(&folder.join("f.zst"));
    fs::write(folder.join("e.zst"), &packed[..packed.len() - 3]).unwrap();
    let (numbers, failures) = drain(&mut follow);
    assert_eq!(numbers, [(10..19), (20..29), (30..39), (40..45)].into_iter().flatten().collect::<Vec<_>>());
    assert!(matches!(failures[..], [Failure::Damaged(124, _)]), "{failures:?}");
    // A compressed file is waited for, as it may be in the making; and taken up again when it is complete.
    age(&folder.join("e.zst"));
    let (numbers, failures) = drain(&mut follow);
    assert_eq!(numbers, (50..55).collect::<Vec<_>>());
    assert!(matches!(failures[..], [Failure::Unpack(_)]), "{failures:?}");
    let told: Vec<String> = follow.failures().map(|(_, path, failure)| format!("{path} {failure}")).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[3].contains("/f.zst is cut: its zstd data end too early, 0 octets"), "{told:?}");
    assert!(told[0].contains("/a is cut: it ends inside the record at octet 204"), "{told:?}");
    append(&folder.join("a"), &whole(10)[24 + 9 * 20 + 7..]);
    append(&folder.join("e.zst"), &packed[packed.len() - 3..]);
    age(&folder.join("e.zst"));
    let (numbers, _) = drain(&mut follow);
    assert_eq!(numbers, [19].into_iter().chain(55..60).collect::<Vec<_>>());
    assert_eq!(follow.failures().count(), 2);

    // State that is none is set aside.
    fs::write(&state, "what is this").unwrap();
    let (mut follow, warning) = Follow::new(std::slice::from_ref(&folder), Limits::USUAL, Some(&state)).unwrap();
    assert!(warning.unwrap().ends_with("state.bad; all files are read again"));
    assert_eq!(fs::read(home.path().join("state.bad")).unwrap(), b"what is this");
    assert_eq!(drain(&mut follow).0.len(), 10 + 9 + 9 + 5 + 10);
    assert!(Follow::new(&[folder.join("none")], Limits::USUAL, None).is_err());
}

/// The program itself, stopped and started while files are written, rotated, compressed and removed.
#[test]
fn a_sensor_that_is_restarted() {
    const FILES: u32 = 12;
    const PACKETS: u32 = 400;
    let home = TempDir::new().unwrap();
    let (folder, state) = (home.path().join("captures"), home.path().join("state"));
    fs::create_dir(&folder).unwrap();
    let list = names("conficker-b", "2009-04-01");
    let packets = move |number: u32| -> Vec<Packet> {
        let client = |place: u32| at(&format!("10.{number}.{}.{}", place / 250, place % 250), 4_000);
        let packet =
            |place: u32| ethernet(&[], &udp(client(place), at("192.0.2.53", 53), &query(1, &list[place as usize % 250], 1)));
        (0..PACKETS).map(|place| (START + u64::from(number * PACKETS + place) * 1_000_000, packet(place))).collect()
    };
    let mut sensor = Sensor::start(&folder, &state);
    let mut sources: BTreeMap<String, u64> = BTreeMap::new();
    let mut total = 0;
    let mut take = |report: Value| {
        let read = report["packets"]["read"].as_u64().unwrap();
        assert_eq!(report["packets"]["outcomes"]["dns_query"].as_u64(), Some(read));
        for row in report["sources"].as_array().unwrap() {
            *sources.entry(row["source"].as_str().unwrap().to_owned()).or_default() += row["matches"].as_u64().unwrap();
        }
        total += read;
        read
    };
    let writer = thread::spawn({
        let folder = folder.clone();
        move || {
            let mut before: Option<PathBuf> = None;
            for number in 0..FILES {
                let path = folder.join(format!("span-{number}.pcap"));
                let mut file = File::create(&path).unwrap();
                // As stdio flushes: without regard to records.
                for part in USUAL.file(&packets(number)).chunks(4_096) {
                    file.write_all(part).unwrap();
                    thread::sleep(Duration::from_millis(20));
                }
                if let Some(before) = before.replace(path).filter(|_| number % 3 > 0) {
                    compress(&before, &mut Rng(1));
                    fs::remove_file(before).unwrap();
                }
            }
        }
    });
    while !writer.is_finished() {
        thread::sleep(Duration::from_millis(900));
        take(sensor.stop());
        sensor = Sensor::start(&folder, &state);
    }
    writer.join().unwrap();
    // However slow this machine is: runs until one finds nothing more, once compressed files count as complete.
    thread::sleep(Duration::from_secs(2));
    loop {
        thread::sleep(Duration::from_millis(900));
        let read = take(sensor.stop());
        if read == 0 {
            break;
        }
        sensor = Sensor::start(&folder, &state);
    }
    assert_eq!(total, u64::from(FILES * PACKETS));
    assert_eq!(sources.len(), (FILES * PACKETS) as usize);
    assert!(sources.values().all(|matches| *matches == 1));
}

#[test]
fn wrong_words() {
    let (_, error) = printed(&dgawatch(&["replay", "--follow", "Cargo.toml"]), 2);
    assert!(error.starts_with("dgawatch: --follow Cargo.toml: name a directory"), "{error}");
    let (_, error) = printed(&dgawatch(&["replay", "--follow", "/nowhere"]), 1);
    assert!(error.starts_with("dgawatch: /nowhere cannot be followed: "), "{error}");
    let _ = printed(&dgawatch(&["replay", "--follow-state", "x", "pcaps"]), 2);
}

struct Sensor(Child, BufReader<std::process::ChildStderr>);

impl Sensor {
    fn start(folder: &Path, state: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dgawatch"))
            .args(["replay", "--follow", "--format", "json", "--family", "conficker-b", "--follow-state"])
            .args([state, folder])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert_eq!(line, format!("dgawatch: following {}\n", folder.display()));
        Self(child, errors)
    }

    /// Ends it in good order; its report.
    fn stop(mut self) -> Value {
        Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        let (mut out, mut errors) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.1.read_to_string(&mut errors).unwrap();
        assert_eq!((self.0.wait().unwrap().code(), &*errors), (Some(0), ""));
        serde_json::from_str(&out).unwrap()
    }
}
