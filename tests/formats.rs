//! Every way of writing a capture, read like libpcap reads it.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use dgawatch::source::Capture;
use pcap::Precision;
use support::captures::{Packet, Pcap, Section, USUAL, kuznetzov, lcap, snoop};
use support::{Rng, corpus};
use tempfile::TempDir;

/// Seconds, nanoseconds, octets of each record; then whether the end was reached in good order.
type Records = (Vec<(i64, i64, Vec<u8>)>, bool);

fn ours(input: impl Read) -> Option<Records> {
    let mut capture = Capture::new(input).ok()?;
    let mut records = vec![];
    let mut block = vec![];
    let mut read = || {
        while capture.fill(&mut block)? {
            let (_, outcome) = capture.walk(&block, |record| {
                let (seconds, nanos) = record.time.parts();
                records.push((seconds as i64, nanos.into(), record.data.to_vec()));
            });
            outcome?;
        }
        Ok::<(), dgawatch::source::Failure>(())
    };
    let whole = read().is_ok();
    Some((records, whole))
}

fn by_libpcap(path: &Path) -> Option<Records> {
    let mut capture = pcap::Capture::from_file_with_precision(path, Precision::Nano).ok()?;
    let mut records = vec![];
    loop {
        match capture.next_packet() {
            Ok(packet) => records.push((packet.header.ts.tv_sec, packet.header.ts.tv_usec, packet.data.to_vec())),
            Err(pcap::Error::NoMorePackets) => return Some((records, true)),
            Err(_) => return Some((records, false)),
        }
    }
}

fn packets(rng: &mut Rng) -> Vec<Packet> {
    let mut packets = vec![];
    // libpcap takes seconds beyond 2^31 for negative in a file of the other byte order.
    for _ in 0..rng.below(400) {
        let length = if rng.below(50) == 0 { rng.below(65_000) } else { rng.below(200) };
        packets.push((rng.below(2_000_000_000) * 1_000_000_000 + rng.below(1_000_000_000), rng.octets(length as usize)));
    }
    packets
}

#[test]
fn pcap_in_all_forms() {
    let folder = TempDir::new().unwrap();
    let mut rng = Rng(1);
    let mut compared = 0;
    for round in 0..40 {
        let form = Pcap { link: 1, nanoseconds: round % 2 == 0, big_endian: round % 4 < 2 };
        let mut octets = form.file(&packets(&mut rng));
        if round % 5 == 4 {
            octets.truncate(24 + rng.below(octets.len() as u64 - 23) as usize);
        }
        let path = folder.path().join("capture");
        fs::write(&path, &octets).unwrap();
        let expected = by_libpcap(&path).unwrap();
        assert_eq!(ours(&octets[..]).unwrap(), expected, "round {round}");
        assert_eq!(ours(Trickle(&octets)).unwrap(), expected, "round {round}, in small pieces");
        compared += expected.0.len();
    }
    assert!(compared > 3_000);
}

#[test]
fn pcapng_in_all_forms() {
    let folder = TempDir::new().unwrap();
    let mut rng = Rng(2);
    for round in 0..40 {
        // libpcap reads neither mixed link types nor sections of two byte orders; pcaps/sections.pcapng has these.
        let exponent = [6, 9, 3, 0, 0x80 | 20, 0x80 | 10][round % 6];
        let mut section = Section::new(round % 2 == 0).interface(1, 0, &[(2, b"eth0"), (9, &[exponent])]).interface(1, 0, &[]);
        for (time, octets) in packets(&mut rng) {
            let seconds = time / 1_000_000_000 % 100_000;
            section = match rng.below(6) {
                0 => section.other(5, &[0; 20]).old_packet(1, time / 1_000, &octets),
                1 => section.packet(1, time / 1_000, &octets).other(0x0BAD, &rng.octets(7)),
                _ if exponent & 0x80 > 0 => {
                    section.packet(0, seconds << (exponent & 0x7F) | rng.below(1 << (exponent & 0x7F)), &octets)
                }
                _ => section.packet(0, seconds * 10_u64.pow(exponent.into()), &octets),
            };
        }
        let octets = section.finish();
        let path = folder.path().join("capture");
        fs::write(&path, &octets).unwrap();
        let expected = by_libpcap(&path).unwrap();
        assert!(expected.1);
        assert_eq!(ours(&octets[..]).unwrap(), expected, "round {round}");
        assert_eq!(ours(Trickle(&octets)).unwrap(), expected, "round {round}, in small pieces");
    }
}

/// Formats beside pcap and pcapng, against the same packets in these. libpcap reads one of them.
#[test]
fn relatives_of_pcap() {
    let folder = TempDir::new().unwrap();
    let mut rng = Rng(4);
    for round in 0..20 {
        let packets = packets(&mut rng);
        let nanoseconds = round % 2 == 0;
        let micros = ours(&USUAL.file(&packets)[..]).unwrap();
        let files = [
            (true, kuznetzov(nanoseconds, &packets)),
            (false, snoop([0, 4][round % 2], &packets)),
            (false, lcap(false, &packets)),
        ];
        for (known, mut octets) in files {
            assert_eq!(ours(&octets[..]).unwrap(), micros, "round {round}");
            assert_eq!(ours(Trickle(&octets)).unwrap(), micros, "round {round}, in small pieces");
            let path = folder.path().join("capture");
            fs::write(&path, &octets).unwrap();
            assert_eq!(by_libpcap(&path), known.then(|| micros.clone()));
            if packets.is_empty() {
                continue;
            }
            octets.pop();
            let (records, whole) = ours(&octets[..]).unwrap();
            assert_eq!((&records[..], whole), (&micros.0[..packets.len() - 1], false));
        }
        let nanos = ours(&Pcap { nanoseconds: true, ..USUAL }.file(&packets)[..]).unwrap();
        assert_eq!(ours(&lcap(true, &packets)[..]).unwrap(), nanos);
    }
    // Lengths that contradict one another end the reading; of other links than Ethernet packets are counted, not read.
    let packet = (0, vec![7; 60]);
    let good = snoop(4, std::slice::from_ref(&packet));
    for (at, length) in [(16 + 8, 83_u32), (16 + 8, u32::MAX), (16 + 4, u32::MAX), (16 + 4, 61), (16 + 8, 0)] {
        let mut octets = good.clone();
        octets[at..at + 4].copy_from_slice(&length.to_be_bytes());
        assert_eq!(ours(&octets[..]), Some((vec![], false)), "{length} at {at}");
    }
    assert!(ours(&snoop(8, &[packet])[..]).unwrap().1);
    assert_eq!(ours(&good[..15]), None);
}

/// Where libpcap reads a real capture at all, we read the same of it.
#[test]
fn real_captures() {
    let Some(folder) = corpus() else { return };
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(expected) = by_libpcap(&path) else { continue };
        let Some(got) = ours(fs::File::open(&path).unwrap()) else { panic!("{} was not recognised", path.display()) };
        for (mut expected, got) in expected.0.into_iter().zip(&got.0) {
            // libpcap leaves a fraction of over a second alone, and takes seconds from 2^31 on for negative.
            expected.0 = (expected.0 + expected.1 / 1_000_000_000).rem_euclid(1 << 32);
            expected.1 %= 1_000_000_000;
            assert_eq!(expected, *got, "{}", path.display());
            compared += 1;
        }
    }
    assert!(compared > 2_000, "{compared}");
}

/// Gives a few octets at a time, as a pipe may.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.0.len()).min(1_000);
        let (now, later) = self.0.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}
