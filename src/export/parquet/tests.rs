//! Files written and read back, whole and damaged.

use std::net::Ipv4Addr;
use std::panic;
use std::time::Duration;

use super::*;
use crate::decode::Transport;
use crate::ledger::{Role, Verdict};

/// A row of which everything follows from a number.
fn row(number: u32) -> EvidenceRow {
    let names: Vec<u32> = (0..number % 9 * 7).map(|place| place * 3 + number % 2).collect();
    let hosts = Ok((1.0, f64::from(number), number.is_multiple_of(2).then_some(9e9), "occupancy".to_owned()));
    EvidenceRow {
        sensor: "north 1".to_owned(),
        family: "conficker-b".to_owned(),
        list_day: "2009-03-31".parse().unwrap(),
        source: Ipv4Addr::from_bits(0xC000_0200 + number).into(),
        network: (!number.is_multiple_of(3)).then(|| format!("net \u{e9} {number}")),
        matches: u64::from(number) << 33,
        responses: number.into(),
        collisions: names.iter().copied().step_by(5).collect(),
        names,
        first_seen: Timestamp::from_parts(1_238_457_600 + u64::from(number), 123_456_000),
        last_seen: Timestamp::from_parts(1_238_500_000 + u64::from(number), 0),
        port: (number * 997) as u16,
        transport: Transport::ALL[number as usize % 2],
        recursive: number as u8,
        iterative: 255,
        most: number % 77,
        answers_others: number.is_multiple_of(4),
        server: number.is_multiple_of(2).then(|| "2001:db8::53".parse().unwrap()),
        lookups: (0..u64::from(number % 4)).map(|place| u64::MAX - place).collect(),
        starts: vec![7; number as usize % 3],
        lifetimes: vec![],
        lookups_lost: (!number.is_multiple_of(4)).then_some(number.into()),
        latest_lookup: (!number.is_multiple_of(4)).then_some(1_238_457_600),
        role: [Role::Client, Role::Forwarder, Role::Resolver, Role::Unknown][number as usize % 4],
        verdict: [Verdict::Suspect, Verdict::Infected][number as usize % 2],
        names_needed: 4,
        names_needed_of_crowd: 10,
        set_aside: number % 5,
        reader: number.is_multiple_of(7),
        hosts: if number.is_multiple_of(5) { Err("not infected".to_owned()) } else { hosts },
        capture_loss: number.is_multiple_of(2).then_some(0.25),
    }
}

fn folder(place: &Path) -> ParquetFolder {
    ParquetFolder::new(place, "north 1", Timestamp::from_parts(1_238_457_600, 5), Some(Timestamp::from_parts(1_238_543_999, 0)))
}

fn read_back(path: &Path) -> Result<Vec<EvidenceRow>, String> {
    let mut rows = vec![];
    read_evidence(path, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

#[test]
fn evidence_is_read_as_it_was_written() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path());
    let (family, day) = ("a/b:.c", "2009-03-31".parse().unwrap());
    // More than one group of rows.
    let rows: Vec<EvidenceRow> = (0..70_000).map(row).collect();
    folder.write_evidence(family, day, rows.iter().cloned()).unwrap();
    let file =
        place.path().join("evidence/list_day=2009-03-31/family=a%2Fb%3A.c/north%201-20090331T000000Z-20090331T235959Z.parquet");
    assert!(file.is_file());
    assert!(read_back(place.path()).unwrap() == rows);
    // Replaced, not added to; what others left is passed over.
    fs::write(file.with_file_name(".half.parquet.7.new"), "half").unwrap();
    folder.write_evidence(family, day, rows[..3].iter().cloned()).unwrap();
    assert_eq!(read_back(place.path()).unwrap(), rows[..3]);
    assert_eq!(read_back(&file).unwrap(), rows[..3]);
    folder.write_evidence("none", day, std::iter::empty()).unwrap();
    assert!(!place.path().join("evidence/list_day=2009-03-31/family=none").exists());
}

#[test]
fn lists_and_sketches_too() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path());
    let list = |day: i32| ListRow {
        sensor: "north 1".to_owned(),
        family: "conficker-c".to_owned(),
        list_day: Day::EPOCH.plus(day),
        names: 50_000,
        names_needed: 4,
        names_needed_of_crowd: 10,
        background: 0.000_15,
        measured: day % 2 > 0,
        habit: Some("sample".to_owned()),
        habit_names: (day > 3).then_some(500),
        habit_pace: (day > 3).then_some(0.5),
        masking: (day > 5).then(|| "0123456789abcdef".to_owned()),
    };
    let sketch = |hour: u64| SketchRow {
        sensor: "north 1".to_owned(),
        family: "conficker-c".to_owned(),
        hour: Timestamp::from_parts(hour * 3_600, 0),
        scope: "seen".to_owned(),
        sketch: vec![0xFF; hour as usize],
        estimate: 7.5,
    };
    let (lists, sketches): (Vec<_>, Vec<_>) = ((0..9).map(list).collect(), (0..9).map(sketch).collect());
    lists.iter().for_each(|list| folder.write_list(list).unwrap());
    folder.part(1).write_list(&lists[0]).unwrap();
    folder.write_sketches("conficker-c", Day::EPOCH, sketches.iter().cloned()).unwrap();
    let (mut read, mut read_sketch) = (vec![], vec![]);
    read_lists(place.path(), &mut |row| {
        read.push(row);
        Ok(())
    })
    .unwrap();
    read_sketches(place.path(), &mut |row| {
        read_sketch.push(row);
        Ok(())
    })
    .unwrap();
    assert_eq!(read_sketch, sketches);
    assert_eq!((&read[0], &read[1..]), (&lists[0], &lists[..]));
    let server = ServerRow { sensor: "north 1".to_owned(), server: "2001:db8::53".parse().unwrap() };
    folder.write_servers([&server; 2].into_iter().cloned()).unwrap();
    let mut servers = vec![];
    read_servers(place.path(), &mut |row| {
        servers.push(row);
        Ok(())
    })
    .unwrap();
    assert_eq!(servers, [server.clone(), server]);
    let wrong = read_back(&place.path().join("lists")).unwrap_err();
    assert!(wrong.contains("has no column source (text) as docs/PARQUET.md describes it"), "{wrong}");
    fs::write(place.path().join("lists/other.parquet"), "PAR1").unwrap();
    let wrong = read_lists(place.path(), &mut |_| Ok(())).unwrap_err();
    assert!(wrong.contains("other.parquet cannot be read"), "{wrong}");
    assert!(read_back(&place.path().join("nowhere")).unwrap_err().contains("nowhere cannot be opened"));
}

/// Every cut, and thousands of changes, are an error or rows, and nothing else.
#[test]
fn damage_is_an_error_and_no_panic() {
    let place = tempfile::tempdir().unwrap();
    folder(place.path()).write_evidence("b", Day::EPOCH, (0..4).map(row)).unwrap();
    let file = place.path().join("evidence/list_day=1970-01-01/family=b/north%201-20090331T000000Z-20090331T235959Z.parquet");
    let whole = fs::read(&file).unwrap();
    let rows = read_back(&file).unwrap();
    let damaged = place.path().join("damaged.parquet");
    let judge = |octets: &[u8], what: &str| {
        fs::write(&damaged, octets).unwrap();
        let outcome = panic::catch_unwind(|| read_back(&damaged));
        outcome.unwrap_or_else(|_| panic!("{what} panics"))
    };
    for cut in 0..whole.len() {
        assert!(judge(&whole[..cut], &format!("cut {cut}")).is_err(), "{cut}");
    }
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut refused, mut changed) = (0, 0);
    for round in 0..2_000 {
        let mut octets = whole.clone();
        for _ in 0..=random(3) {
            let place = random(octets.len());
            octets[place] = [random(256) as u8, 0, 0xFF, octets[place] ^ 1 << random(8)][random(4)];
        }
        match judge(&octets, &format!("round {round}")) {
            Err(_) => refused += 1,
            Ok(read) => changed += usize::from(read != rows),
        }
    }
    assert!(refused > 500 && changed > 5, "{refused} {changed}");
}

/// What a file says of itself may hold lists without end in a few octets: here four of two thousand million flags each, which
/// the crate takes to be of no octets, in a field that it does not know. That takes it many seconds; thousands would fit as well.
#[test]
fn a_file_that_would_take_for_ever() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file.parquet");
    // In Thrift's compact protocol: field 15, a list (9) of 4 lists (9), of 2^31 - 1 flags (1) each; and the end.
    let mut footer = vec![0xF9, 0x49];
    (0..4).for_each(|_| footer.extend([0xF1, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]));
    footer.push(0);
    let length = (footer.len() as u32).to_le_bytes();
    fs::write(&file, [&b"PAR1"[..], &footer, &length, b"PAR1"].concat()).unwrap();
    let patience = Duration::from_millis(100);
    let read = groups::read_within(patience, &file, EVIDENCE, VERSION, &mut |_, _| panic!("there are no rows"));
    assert_eq!(read, Err("takes longer than 0 seconds to read: it is damaged".to_owned()));
}
