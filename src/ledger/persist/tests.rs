//! What is written comes back; what is cut, foreign or forged does not, and takes nothing.

use proptest::prelude::*;

use super::*;
use crate::decode::Reply;
use crate::ledger::source_key::{Prefix, PseudonymKey};
use crate::ledger::{Answer, CLIENTS, Hit, Sighting, Sinkholes};
use crate::watchlist::Match;

const FAMILIES: [&str; 4] = ["conficker-a", "conficker-b", "synthetic:100000", "ours"];

struct House {
    catalog: Catalog,
    patterns: Patterns,
    masking: Masking,
}

impl House {
    /// With these families, of which `ours` is a list of this text.
    fn of(families: &[&str], ours: &[u8]) -> Self {
        let mut catalog = Catalog::default();
        for family in families {
            if *family == "ours" { catalog.add_list("ours", ours) } else { catalog.add(family) }.unwrap();
        }
        let mut patterns = Patterns::default();
        patterns.add_indicators(&catalog);
        patterns.add_set("own", b"a.example\n.b.example\n*text*\n").unwrap();
        Self { catalog, patterns, masking: Masking::default() }
    }

    fn usual() -> Self {
        Self::of(&FAMILIES, b"x.example\ny.example\nz.example\n")
    }

    const fn context(&self) -> Context<'_> {
        Context { catalog: &self.catalog, patterns: &self.patterns, masking: &self.masking, clients: CLIENTS }
    }

    fn written(&self, ledger: &Ledger) -> Vec<u8> {
        let mut out = vec![];
        self.context().write(ledger, &mut out).unwrap();
        out
    }
}

fn shown(mut ledger: Ledger) -> String {
    let recent: Vec<_> = (0..4).map(|family| ledger.recent().within(family, 7 * 86_400)).collect();
    let recent = (recent, ledger.recent().watched());
    let (counts, refused) = (ledger.saturation(), ledger.sightings_refused());
    let sightings = ledger.take_sightings();
    let live = (ledger.learned(), ledger.unkept(), ledger.take_live_names());
    format!(
        "{counts:?} {refused} {sightings:?} {recent:?} {live:?} {:?}",
        ledger
            .into_sorted()
            .iter()
            .map(|(key, evidence)| {
                let Evidence { matches, responses, first_seen, last_seen, collisions, port, transport, .. } = evidence;
                let names: Vec<u32> = evidence.names().collect();
                format!("{key:?} {matches} {responses} {first_seen} {last_seen} {collisions} {port} {transport:?} {names:?}")
            })
            .collect::<Vec<_>>()
    )
}

fn hit(source: u32, family: FamilyId, index: u32, nanos: u64) -> Hit {
    let counts = [250, 250, 100_000, 3];
    let address = if source.is_multiple_of(3) { IpAddr::V6(u128::from(source).into()) } else { IpAddr::V4(source.into()) };
    Hit {
        source: address,
        time: Timestamp::from_nanos(nanos),
        response: nanos.is_multiple_of(2),
        port: nanos as u16,
        transport: Transport::ALL[nanos as usize / 2 % 2],
        id: 0,
        recursive: true,
        server: None,
        lifetime: None,
        told: None,
        matched: Match {
            family,
            list_day: Day::of(2009, 3, 30).plus((nanos % 3) as i32),
            index: index % counts[usize::from(family)],
            collision: index % 50 == 7,
        },
    }
}

/// A response of that source about that name, which leads to one of few addresses or many.
fn answer(source: u32, family: FamilyId, index: u32, nanos: u64) -> Answer {
    let Hit { source, port, transport, time, matched, .. } = hit(source, family, index, nanos);
    let address = IpAddr::V4([198, 51, 100, if index.is_multiple_of(3) { 9 } else { index as u8 }].into());
    let servers = vec![format!("ns{}.example", index % 3)];
    let reply = Reply { addresses: vec![address], left_out: 0, lifetime: nanos as u32, servers };
    Answer { source, port, transport, time, matched, reply }
}

fn some() -> Ledger {
    let mut ledger = Ledger::new(50);
    for n in 0..60_u32 {
        ledger.add(&hit(n % 8 * 3_333, n as FamilyId % 4, n * 7_919, u64::from(n) * 1_000_000_007));
    }
    for n in 0..40_u32 {
        ledger.answer(
            &answer(n % 9 * 3_333, n as FamilyId % 4, n * 7_919, u64::from(n) * 1_000_000_007),
            n % 3 == 0,
            &Sinkholes::default(),
        );
    }
    ledger.note_recent(Timestamp::from_parts(50, 0));
    ledger.note_recent(Timestamp::from_parts(70, 0));
    ledger
}

proptest! {
    #[test]
    fn what_is_written_comes_back(
        bound in 1_usize..40,
        hits in prop::collection::vec((0..30_u32, 0..4 as FamilyId, any::<u32>(), 0..1_u64 << 60), 0..300),
        seen in prop::collection::vec((0..30_u32, 0..7_usize, 0..1_u64 << 60), 0..30),
        answers in prop::collection::vec((0..30_u32, 0..4 as FamilyId, any::<u32>(), 0..1_u64 << 60), 0..60),
        more in prop::collection::vec((0..30_u32, 0..4 as FamilyId, any::<u32>(), 0..1_u64 << 60), 0..100),
    ) {
        let house = House::usual();
        let mut ids: Vec<PatternId> = house.patterns.ids().collect();
        ids.sort_unstable();
        let mut ledger = Ledger::new(bound);
        ledger.judge_by(Rule::of_all(&house.catalog), true);
        hits.iter().for_each(|(source, family, index, nanos)| { ledger.add(&hit(*source, *family, *index, *nanos)); });
        for (source, pattern, nanos) in seen {
            let Hit { source, time, response, .. } = hit(source, 0, 0, nanos);
            ledger.note(&Sighting { source, time, response, pattern: ids[pattern] });
        }
        for (source, family, index, nanos) in answers {
            ledger.answer(&answer(source, family, index, nanos), nanos % 3 == 0, &Sinkholes::default());
        }
        ledger.note_recent(Timestamp::from_nanos(1 << 60));
        let octets = house.written(&ledger);
        let mut restored = house.context().read(&octets, bound).unwrap();
        prop_assert_eq!(restored.left_out, Vec::<String>::new());
        prop_assert_eq!(restored.ledger.size(), ledger.size());
        // It goes on in the same way, as long as nothing was spared.
        if ledger.saturation().evicted == 0 && ledger.len() + more.len() <= bound {
            for (source, family, index, nanos) in more {
                let hit = hit(source, family, index, nanos);
                prop_assert_eq!(restored.ledger.add(&hit).map(|news| news.verdict), ledger.add(&hit).map(|news| news.verdict));
            }
        }
        prop_assert_eq!(shown(restored.ledger), shown(ledger));
    }

    #[test]
    fn octets_of_a_stranger_are_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let house = House::usual();
        // Behind a right beginning and before a right checksum.
        let mut forged = MAGIC.to_vec();
        forged.push(VERSION);
        forged.extend(house.masking.tag().to_le_bytes());
        forged.extend(&octets);
        forged.extend(crc32fast::hash(&forged).to_le_bytes());
        // What is empty is right.
        if let Ok(restored) = house.context().read(&forged, 10) {
            prop_assert!(restored.ledger.len() <= 10);
        }
        prop_assert!(house.context().read(&octets, 10).is_err());
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let house = House::usual();
    let octets = house.written(&some());
    assert!(house.context().read(&octets, 50).is_ok());
    for end in 0..octets.len() {
        assert!(house.context().read(&octets[..end], 50).is_err(), "cut at {end}");
    }
    let mut flipped = octets.clone();
    for bit in 0..8 * octets.len() {
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = house.context().read(&flipped, 50).err().unwrap();
        assert!(!refused.is_empty() && !refused.contains('\n'), "{refused}");
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(house.context().read(&[&octets[..], b"\0"].concat(), 50).is_err());
}

/// With the checksum put right, every octet in turn takes every value: no panic, no memory.
#[test]
fn forged_files_do_no_harm() {
    let house = House::usual();
    let octets = house.written(&some());
    for at in 17..octets.len() - 4 {
        for value in [0, 1, 0x7F, 0x80, 0xFF, octets[at] ^ 1, octets[at].wrapping_add(1)] {
            let mut forged = octets[..octets.len() - 4].to_vec();
            forged[at] = value;
            forged.extend(crc32fast::hash(&forged).to_le_bytes());
            if let Ok(mut restored) = house.context().read(&forged, 50) {
                assert!(restored.ledger.len() <= 50);
                restored.ledger.add(&hit(1, 0, 1, 1));
                house.written(&restored.ledger);
            }
        }
    }
    // Each count in turn claims 2^60.
    for at in 17..octets.len() - 4 {
        let mut forged = octets[..at].to_vec();
        forged.extend([0x80; 8]);
        forged.push(0x10);
        forged.extend(&octets[at + 1..octets.len() - 4]);
        forged.extend(crc32fast::hash(&forged).to_le_bytes());
        let _ = house.context().read(&forged, 50);
    }
}

#[test]
fn what_is_gone_is_left_out_and_told() {
    let house = House::usual();
    let mut ledger = some();
    let mut ids: Vec<PatternId> = house.patterns.ids().collect();
    ids.sort_unstable();
    let Hit { source, time, .. } = hit(1, 0, 0, 5);
    ids.iter().for_each(|pattern| ledger.note(&Sighting { source, time, response: false, pattern: *pattern }));
    let octets = house.written(&ledger);
    let left_out = |house: &House| house.context().read(&octets, 50).unwrap();

    // In another order, without one, with one that has changed.
    let other = House::of(&["ours", "conficker-b", "conficker-a"], b"x.example\nyy.example\nz.example\n");
    let restored = left_out(&other);
    let told = restored.left_out.join("\n");
    assert_eq!(restored.left_out.len(), 6, "{told}");
    assert!(told.contains("family synthetic:100000 is not looked for any more"), "{told}");
    assert!(told.contains("the list of ours for 2009-03-30 has changed"), "{told}");
    let rows: Vec<(Key, Evidence)> = restored.ledger.into_sorted();
    let mut of_worms = some().into_sorted();
    of_worms.retain(|(key, _)| key.family < 2);
    assert_eq!(rows.len(), of_worms.len());
    for (key, evidence) in of_worms {
        let moved = Key { family: [2, 1][usize::from(key.family)], ..key };
        let row = rows.iter().find(|(key, _)| *key == moved).unwrap();
        assert_eq!(format!("{:?}", row.1), format!("{evidence:?}"));
    }
    // Patterns that are watched no more.
    let mut fewer = House::of(&["ours"], b"x.example\ny.example\nz.example\n");
    fewer.patterns = Patterns::default();
    fewer.patterns.add_set("own", b"*text*\n").unwrap();
    let restored = left_out(&fewer);
    assert_eq!(restored.left_out.last().unwrap(), "6 sightings are left out: their patterns are not watched any more");
    assert_eq!(restored.ledger.sightings().count(), 1);
}

#[test]
fn other_masking_and_other_versions_are_refused() {
    let mut house = House::usual();
    let octets = house.written(&some());
    house.masking = Masking::new(Prefix::WHOLE, Some(&PseudonymKey::parse(&[7; 16]).unwrap()));
    let refused = house.context().read(&octets, 50).err().unwrap();
    assert!(refused.starts_with("was written with another key"), "{refused}");
    for (octets, why) in [
        (&b""[..], "is no evidence"),
        (b"dgawled", "is no evidence"),
        (b"GIF89a....", "is no evidence"),
        (b"dgawledg", "is cut or damaged"),
        (b"dgawledg\x01....", "is of version 1"),
    ] {
        let refused = house.context().read(octets, 50).err().unwrap();
        assert!(refused.starts_with(why), "{refused}");
    }
}
