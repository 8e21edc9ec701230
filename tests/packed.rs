//! Compressed captures: the report of the plain file, whatever it was packed with; and what is hostile is stopped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use liblzma::write::XzEncoder;
use lz4_flex::frame::{FrameEncoder, FrameInfo};
use serde_json::Value;
use support::captures::{Packet, USUAL};
use support::packets::{at, ethernet, query, udp};
use support::population::Network;
use support::{Rng, dgawatch, dgawatch_with, names, printed};
use tempfile::TempDir;

const SAMPLE: &str = "pcaps/subscribers.pcap";

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(vec![], Compression::default());
    out.write_all(octets).unwrap();
    out.finish().unwrap()
}

fn zstd(octets: &[u8]) -> Vec<u8> {
    let mut out = zstd::Encoder::new(vec![], 3).unwrap();
    out.include_checksum(true).unwrap();
    out.write_all(octets).unwrap();
    out.finish().unwrap()
}

fn lz4(octets: &[u8]) -> Vec<u8> {
    // Checksums are left out by default.
    let mut out = FrameEncoder::with_frame_info(FrameInfo::new().block_checksums(true).content_checksum(true), vec![]);
    out.write_all(octets).unwrap();
    out.finish().unwrap()
}

fn xz(octets: &[u8]) -> Vec<u8> {
    let mut out = XzEncoder::new(vec![], 6);
    out.write_all(octets).unwrap();
    out.finish().unwrap()
}

/// A frame that zstd and lz4 pass over.
fn skippable(octets: &[u8]) -> Vec<u8> {
    [&0x184D_2A53_u32.to_le_bytes()[..], &(octets.len() as u32).to_le_bytes(), octets].concat()
}

type Pack = fn(&[u8]) -> Vec<u8>;
const PACKERS: [(&str, Pack); 4] = [("gzip", gzip), ("zstd", zstd), ("lz4", lz4), ("xz", xz)];

fn sample() -> Vec<u8> {
    fs::read(support::root().join(SAMPLE)).unwrap()
}

fn file(folder: &TempDir, name: &str, octets: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, octets).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The report, without the path of the one capture.
#[track_caller]
fn report(arguments: &[&str], path: &str, input: &[u8], code: i32) -> Value {
    let output = dgawatch_with(&[&["replay", "--format", "json"], arguments, &[path]].concat(), input);
    let mut report: Value = serde_json::from_str(&printed(&output, code).0).unwrap();
    report["captures"][0]["path"].take();
    report
}

#[test]
fn every_packing_gives_the_report_of_the_plain_file() {
    let folder = TempDir::new().unwrap();
    let plain = sample();
    let expected = report(&[], SAMPLE, b"", 0);
    let (messages, _) = printed(&dgawatch(&["decode", SAMPLE]), 0);
    let mut packings: Vec<(String, Vec<u8>)> = vec![];
    for (outer, pack) in PACKERS {
        packings.push((outer.to_owned(), pack(&plain)));
        for (inner, first) in PACKERS {
            packings.push((format!("{inner} in {outer}"), pack(&first(&plain))));
        }
        // Members that end anywhere, one of nothing.
        let members: Vec<u8> = [0..7, 7..7, 7..100_000, 100_000..plain.len()].map(|part| pack(&plain[part])).concat();
        packings.push((format!("{outer} members in {outer}"), pack(&members)));
        packings.push((format!("{outer} members"), members));
        // As tapes and xz pad, in fours.
        packings.push((format!("{outer} and zeros"), [pack(&plain), vec![0; 512]].concat()));
    }
    let (half, rest) = plain.split_at(plain.len() / 2);
    for (name, pack) in [("zstd", zstd as Pack), ("lz4", lz4)] {
        let frames = [skippable(b"who"), pack(half), skippable(&[7; 100_000]), skippable(b""), pack(rest), skippable(b"x")];
        packings.push((format!("{name} among frames to skip"), frames.concat()));
    }
    packings.push(("four layers".to_owned(), gzip(&zstd(&lz4(&xz(&plain))))));
    for (name, octets) in packings {
        let path = file(&folder, "packed", &octets);
        for threads in ["1", "3"] {
            assert!(report(&["--threads", threads], &path, b"", 0) == expected, "{name}, {threads} threads");
        }
        assert!(report(&[], "-", &octets, 0) == expected, "{name} through a pipe");
        assert!(printed(&dgawatch(&["decode", &path]), 0).0 == messages, "{name}, decoded");
    }
}

/// Other programs' files: other block sizes, checks, headers.
#[test]
fn files_of_the_usual_programs() {
    let folder = TempDir::new().unwrap();
    let expected = report(&[], SAMPLE, b"", 0);
    for line in [
        "gzip -1c",
        "gzip -9c",
        "zstd -1c",
        "zstd --ultra -22 -c",
        "zstd --long -c",
        "zstd --no-check -c",
        "lz4 -1c",
        "lz4 -B4 -BD -c",
        "lz4 -B7 --content-size -c",
        "lz4 -BX --no-frame-crc -c",
        "xz -0c",
        "xz -9ec",
        "xz -C none -c",
        "xz --block-size=4096 -T2 -c",
    ] {
        let Ok(output) = Command::new("sh").args(["-c", &format!("{line} {SAMPLE}")]).current_dir(support::root()).output()
        else {
            continue;
        };
        if !output.status.success() {
            let _ = writeln!(io::stderr(), "WARNING: `{line}` was not tested: {}", String::from_utf8_lossy(&output.stderr));
            continue;
        }
        assert!(report(&[], &file(&folder, "packed", &output.stdout), b"", 0) == expected, "{line}");
    }
}

/// All that could be unpacked is read, and a line says what is missing.
#[test]
fn cut_and_damaged() {
    let folder = TempDir::new().unwrap();
    let plain = sample();
    let whole = report(&[], SAMPLE, b"", 0)["packets"]["read"].as_u64().unwrap();
    for (name, pack) in PACKERS {
        // Frames of their own, so that something comes out of each format before the cut.
        let packed: Vec<u8> = plain.chunks(50_000).flat_map(pack).collect();
        let mut last = 0;
        for share in [0, 3, 5, 9] {
            let cut = report(&[], &file(&folder, "packed", &packed[..10 + packed.len() * share / 10]), b"", 1);
            let error = cut["captures"][0]["error"].as_str().unwrap();
            assert!(error.starts_with(&format!("is cut: its {name} data end too early, ")), "{name}: {error}");
            let read = cut["packets"]["read"].as_u64().unwrap();
            assert!(if share == 0 { read == 0 } else { read > last && read < whole }, "{name}: {read} of {whole}");
            last = read;
        }
        // Near the checksum of the last member: noticed there, or where octets that are wrong make no record.
        let mut damaged = packed.clone();
        let at = damaged.len() - 9;
        damaged[at] ^= 0x55;
        let damaged = report(&[], &file(&folder, "packed", &damaged), b"", 1);
        assert!(damaged["packets"]["read"].as_u64().unwrap() > last * 9 / 10, "{name}");
        let error = damaged["captures"][0]["error"].as_str().unwrap();
        let noticed = error.contains(&format!("{name} data, ")) || error.starts_with("once unpacked is damaged at octet");
        assert!(noticed && error.ends_with("; what came before was read"), "{name}: {error}");
        let junk = report(&[], &file(&folder, "packed", &[pack(&plain), b"\nGARBAGE".to_vec()].concat()), b"", 1);
        assert_eq!(junk["packets"]["read"], whole);
        let error = junk["captures"][0]["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("holds something else behind its {name} data")), "{error}");
        // What is bad inside is told as such.
        for (inside, expected) in [
            (&plain[..20_000], "once unpacked is cut: it ends inside the record at octet 19930"),
            (b"no capture, but a text", "once unpacked is not a capture"),
            (b"", "once unpacked is empty"),
        ] {
            let bad = report(&[], &file(&folder, "packed", &pack(inside)), b"", 1);
            let error = bad["captures"][0]["error"].as_str().unwrap();
            assert!(error.starts_with(expected), "{name}: {error}");
        }
    }
    let mut deep = plain;
    (0..5).for_each(|_| deep = gzip(&deep));
    let (_, error) = printed(&dgawatch(&["replay", &file(&folder, "packed", &deep)]), 1);
    assert!(error.contains("is compressed more than 4 times over"), "{error}");
}

/// Progress is that of the file, not of what it unpacks to.
#[test]
fn progress() {
    use dgawatch::source::{Input, Limits};
    let folder = TempDir::new().unwrap();
    let noise = Rng(9).octets(60_000);
    let packets: Vec<Packet> = (0..100).map(|number| (number, noise[number as usize..].to_vec())).collect();
    let plain = USUAL.file(&packets);
    for (name, octets) in [("gzip", gzip(&plain)), ("zstd", zstd(&plain)), ("plain", plain)] {
        let input = Input::file(file(&folder, name, &octets).into(), Limits::USUAL);
        let (mut capture, mut block, mut steps) = (input.open().unwrap(), vec![], vec![]);
        while capture.fill(&mut block).unwrap() {
            let (octets, outcome) = capture.walk(&block, |_| {});
            outcome.unwrap();
            steps.push(capture.advanced(octets));
        }
        let (sum, size) = (steps.iter().sum::<u64>(), octets.len() as u64);
        assert!(steps.len() > 10 && sum <= size && sum + 100 >= size, "{name}: {sum} of {size} in {} steps", steps.len());
    }
}

/// Every cut of a small file, and every octet of it damaged: an end, no panic, and an error where packets are missing.
#[test]
fn hostile_octets() {
    use dgawatch::source::{Input, Limits};
    let folder = TempDir::new().unwrap();
    let plain = USUAL.file(&Network::watched()[..40]);
    let path = folder.path().join("packed");
    let read = |octets: &[u8]| {
        fs::write(&path, octets).unwrap();
        let (mut packets, mut block) = (0, vec![]);
        let mut read = || {
            let mut capture = Input::file(path.clone(), Limits::USUAL).open()?;
            while capture.fill(&mut block)? {
                capture.walk(&block, |_| packets += 1).1?;
            }
            Ok::<(), dgawatch::source::Failure>(())
        };
        (read().is_ok(), packets)
    };
    let mut rng = Rng(3);
    for (name, pack) in PACKERS {
        let packed = [pack(&plain[..1_000]), pack(&plain[1_000..])].concat();
        assert_eq!(read(&packed), (true, 40), "{name}");
        for length in (0..packed.len()).step_by(3) {
            let (whole, packets) = read(&packed[..length]);
            // Between two members there is no telling, but the record that is cut tells. A checksum may be all that misses.
            assert!(!whole && packets <= 40, "{name} of {length} octets: {packets}");
        }
        for at in (0..packed.len()).step_by(3) {
            let mut damaged = packed.clone();
            damaged[at] ^= 1 << rng.below(8);
            let (whole, packets) = read(&damaged);
            assert!(!whole || packets == 40, "{name} damaged at {at}: {packets}");
        }
    }
}

/// A file of zeros is a capture of empty packets: a few thousand octets would keep a reader busy for hours.
#[test]
fn bombs() {
    let folder = TempDir::new().unwrap();
    let bomb = |pack: &dyn Fn(Box<dyn Read>) -> Vec<u8>| {
        let zeros = io::repeat(0).take(48 << 20);
        pack(Box::new(Read::chain(io::Cursor::new(sample()), zeros)))
    };

    let bombs = [
        (
            "gzip",
            bomb(&|mut input| {
                let mut out = GzEncoder::new(vec![], Compression::default());
                io::copy(&mut input, &mut out).unwrap();
                out.finish().unwrap()
            }),
        ),
        ("zstd", bomb(&|input| zstd::encode_all(input, 1).unwrap())),
        (
            "xz",
            bomb(&|mut input| {
                let mut out = XzEncoder::new(vec![], 0);
                io::copy(&mut input, &mut out).unwrap();
                out.finish().unwrap()
            }),
        ),
    ];
    // How many hosts there are depends on how long was watched, and the zeros are packets of 1970.
    let found = |report: &Value| {
        let mut families = report["families"].clone();
        for family in families.as_array_mut().unwrap() {
            family.as_object_mut().unwrap().remove("hosts");
        }
        families
    };
    let honest = report(&[], SAMPLE, b"", 0);
    for (name, octets) in &bombs {
        let path = file(&folder, "bomb", octets);
        let stopped = report(&[], &path, b"", 1);
        let error = stopped["captures"][0]["error"].as_str().unwrap();
        assert!(error.starts_with("unpacks to over 250 times its size") && error.ends_with("--max-ratio"), "{name}: {error}");
        assert_eq!(found(&stopped), found(&honest), "{name}: what was read is kept");
        // Also where only a layer further in is one, and through a pipe.
        let nested = report(&[], "-", &gzip(octets), 1);
        assert_eq!(nested["captures"][0]["error"], error);
        let stopped = report(&["--max-ratio", "0", "--max-unpacked", "20M"], &path, b"", 1);
        let error = stopped["captures"][0]["error"].as_str().unwrap();
        assert!(error.starts_with("unpacks to more than 20971520 octets: ") && error.ends_with("--max-unpacked"), "{error}");
        assert_eq!(found(&stopped), found(&honest));
        let (_, error) = printed(&dgawatch(&["decode", "--max-unpacked", "20M", &path]), 1);
        assert!(error.contains("unpacks to more than 20971520 octets"), "{error}");
    }
}

/// Dictionaries and windows that no capture needs are refused before they are made.
#[test]
fn memory() {
    let folder = TempDir::new().unwrap();
    let mut options = LzmaOptions::new_preset(0).unwrap();
    options.dict_size(1_536 << 20);
    let stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), Check::Crc64).unwrap();
    let mut out = XzEncoder::new_stream(vec![], stream);
    out.write_all(&sample()).unwrap();
    let xz = out.finish().unwrap();
    let mut out = zstd::Encoder::new(vec![], 1).unwrap();
    out.window_log(31).unwrap();
    out.write_all(&sample()).unwrap();
    let zst = out.finish().unwrap();
    for (program, octets) in [("xz", xz), ("zstd", zst)] {
        let path = file(&folder, "packed", &octets);
        let (_, error) = limited(&path, 1);
        assert!(error.contains("needs too much memory to unpack: try `"), "{program}: {error}");
        assert!(error.contains(&format!("`{program} -dc")), "{error}");
    }
    // The most that is granted, inside one another, fits.
    let large = |octets: &[u8]| {
        let mut out = zstd::Encoder::new(vec![], 1).unwrap();
        out.window_log(27).unwrap();
        out.write_all(octets).unwrap();
        out.finish().unwrap()
    };
    let path = file(&folder, "packed", &large(&zstd(&zstd(&zstd(&sample())))));
    assert!(limited(&path, 0).0.contains("7 sources infected"));
}

/// Replays with 200 MB of memory, of which the table of sources takes none worth mention.
#[track_caller]
fn limited(path: &str, code: i32) -> (String, String) {
    let limited = ["-c", "ulimit -v 195000 && MALLOC_ARENA_MAX=1 exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_dgawatch")];
    printed(
        &Command::new("sh").args(limited).args(["replay", "--threads", "2", "--max-sources", "1000", path]).output().unwrap(),
        code,
    )
}

/// State goes from one file to the next, so their order is that of time, not that of the command line.
#[test]
fn files_in_the_order_of_their_packets() {
    let folder = TempDir::new().unwrap();
    let list = names("conficker-b", "2009-04-01");
    let start = dgawatch::day::Timestamp::from_nanos(14_335 * 86_400 * 1_000_000_000);
    // More sources than are kept: which ones depends on the order.
    let packets: Vec<Packet> = (0..600_u64)
        .map(|place| {
            let client = at(&format!("10.0.{}.{}", place / 250, place % 250), 4_000);
            let packet = udp(client, at("192.0.2.53", 53), &query(1, &list[place as usize % 250], 1));
            (start.as_nanos() + place * 1_000_000, ethernet(&[], &packet))
        })
        .collect();
    let parts: Vec<String> = packets
        .chunks(100)
        .enumerate()
        .map(|(place, part)| {
            let octets = USUAL.file(part);
            // Names against the order of time.
            let (name, pack) = PACKERS[place % 4];
            file(&folder, &format!("{}.{name}", 9 - place), &if place == 5 { octets } else { pack(&octets) })
        })
        .collect();
    let run = |paths: &[&str]| {
        let few = ["replay", "--format", "json", "--max-sources", "150", "--family", "conficker-b"];
        printed(&dgawatch(&[&few[..], paths].concat()), 0).0
    };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let expected = run(&parts);
    let reversed: Vec<&str> = parts.iter().rev().copied().collect();
    assert_eq!(run(&reversed), expected);
    assert_eq!(run(&[folder.path().to_str().unwrap()]), expected);
    let report: Value = serde_json::from_str(&expected).unwrap();
    let read: Vec<&str> =
        report["captures"].as_array().unwrap().iter().map(|capture| capture["path"].as_str().unwrap()).collect();
    assert_eq!(read, parts);
    let decoded = |paths: &[&str]| printed(&dgawatch(&[&["decode"], paths].concat()), 0).0;
    assert_eq!(decoded(&reversed), decoded(&parts));
}

/// A named pipe is read once, from its beginning.
#[test]
fn a_named_pipe() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        let _ = writeln!(io::stderr(), "WARNING: without mkfifo no named pipe was tested");
        return;
    }
    let feeder = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, zstd(&sample())).unwrap()
    });
    assert_eq!(report(&[], path(&pipe), b"", 0), report(&[], SAMPLE, b"", 0));
    feeder.join().unwrap();
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
