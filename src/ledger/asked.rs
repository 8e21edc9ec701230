//! Whether an answer was asked for. A response can be forged by whoever can send a packet past the sensor; one that
//! belongs to a query was asked for, or its sender saw or guessed port and id of the query (RFC 5452, section 4).
//!
//! A table of fixed size holds what the latest queries are known by. A query in whose place another came since leaves its answer
//! unsolicited, which is a label and silences nothing.

use super::Hit;
use super::ahead::AHEAD;
use crate::watchlist::touch;

/// Queries that are remembered, at most: an answer follows within seconds.
const PLACES: usize = 1 << 16;

/// Set where an answer came first, and waits for its query: networks that are tapped in each direction by itself hand them
/// over in any order.
const WAITS: u32 = 1 << 31;

/// The latest queries, and answers without one.
#[derive(Default)]
pub(super) struct Asked {
    /// Nothing before the first; 0 where nothing was put.
    marks: Vec<u32>,
}

/// Where a message is kept, and as what.
#[derive(Clone, Copy, Default)]
pub(super) struct AskedPlace {
    place: u32,
    mark: u32,
}

impl Asked {
    /// Where messages are kept, [`AHEAD`] at most, and has that come from memory.
    pub(super) fn places(&mut self, hits: &[Hit]) -> [AskedPlace; AHEAD] {
        if self.marks.is_empty() {
            self.marks.resize(PLACES, 0);
        }
        let mut places = [AskedPlace::default(); AHEAD];
        for (place, hit) in places.iter_mut().zip(hits) {
            *place = AskedPlace::of(hit);
        }
        touch(places.iter().map(|place| self.marks[place.place as usize % PLACES] as u8));
        places
    }

    /// Notes a query; tells whether an answer to it has come already.
    #[inline]
    pub(super) fn query(&mut self, AskedPlace { place, mark }: AskedPlace) -> bool {
        std::mem::replace(&mut self.marks[place as usize % PLACES], mark) == mark | WAITS
    }

    /// Whether the query of an answer was seen. If not, it may come yet.
    pub(super) fn has_query(&mut self, AskedPlace { place, mark }: AskedPlace) -> bool {
        let place = &mut self.marks[place as usize % PLACES];
        if *place == mark {
            return true;
        }
        *place = mark | WAITS;
        false
    }
}

impl AskedPlace {
    /// That of a message: the same for a query and its answer. Mixed in one way only, so that the report of a capture is the
    /// same each time.
    #[inline]
    fn of(hit: &Hit) -> Self {
        let source = match hit.source {
            std::net::IpAddr::V4(address) => address.to_bits().into(),
            std::net::IpAddr::V6(address) => address.to_bits(),
        };
        let name = u64::from(hit.matched.index) << 32 | u64::from(hit.matched.list_day.number().cast_unsigned());
        let message = u64::from(hit.port) << 32 | u64::from(hit.id) << 16 | u64::from(hit.matched.family);
        let source = (source as u64 ^ ((source >> 64) as u64).rotate_left(32)).wrapping_mul(GOLDEN);
        let mixed = mix(mix(source ^ name) ^ message);
        Self { place: (mixed % PLACES as u64) as u32, mark: (mixed >> 32) as u32 & !WAITS | 1 }
    }
}

/// The golden ratio as a fraction of 64 bits.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A step of the generator SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): each bit of it depends on each of `word`.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(GOLDEN);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::day::{Day, Timestamp};
    use crate::decode::Transport;
    use crate::dga::FamilyId;
    use crate::watchlist::Match;

    fn hit(source: IpAddr, port: u16, id: u16, index: u32, day: i32, family: FamilyId) -> Hit {
        Hit {
            source,
            time: Timestamp::from_parts(5, 0),
            response: false,
            port,
            transport: Transport::Udp,
            id,
            recursive: true,
            server: None,
            lifetime: None,
            told: None,
            matched: Match { family, list_day: Day::EPOCH.plus(day), index, collision: false },
        }
    }

    /// Each part of what a query is known by, changed alone, makes it another.
    #[test]
    fn an_answer_belongs_to_its_query_alone() {
        let v4 = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        let asked = hit(v4, 4_000, 9, 4, 3, 1);
        let others = [
            hit(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8)), 4_000, 9, 4, 3, 1),
            hit(IpAddr::V6(Ipv6Addr::from_bits(0xC000_0207 | 1 << 64)), 4_000, 9, 4, 3, 1),
            hit(v4, 4_001, 9, 4, 3, 1),
            hit(v4, 4_000, 8, 4, 3, 1),
            hit(v4, 4_000, 9, 5, 3, 1),
            hit(v4, 4_000, 9, 4, 2, 1),
            hit(v4, 4_000, 9, 4, 3, 0),
        ];
        let mut table = Asked::default();
        let [asked, ..] = table.places(&[asked]);
        assert!(!table.has_query(asked));
        assert!(table.query(asked) && !table.query(asked));
        assert!(table.has_query(asked) && table.has_query(asked));
        for (other, place) in others.iter().zip(table.places(&others)) {
            assert!(!table.has_query(place), "{other:?}");
        }
        assert_eq!(table.marks.len(), PLACES);
    }

    /// Against a table without bound: nothing is taken for asked for that was not, and of queries a moment ago none is forgotten
    /// but where another has its place.
    #[test]
    fn a_flood_forgets_and_invents_nothing() {
        let mut table = Asked::default();
        let (mut oracle, mut places) = (HashSet::new(), HashMap::new());
        let mut state = 7_u64;
        let mut forgotten = 0;
        for _ in 0..200_000 {
            state = mix(state);
            let source = IpAddr::V4((state as u32 % 50).into());
            let message =
                hit(source, 1_024 + (state >> 8) as u16 % 64, (state >> 24) as u16 % 64, (state >> 40) as u32 % 4, 0, 0);
            let key = (message.source, message.port, message.id, message.matched.index);
            let [asked, ..] = table.places(&[message]);
            let place = asked.place;
            if state >> 63 == 0 {
                table.query(asked);
                oracle.insert(key);
                places.insert(place, key);
            } else {
                let known = table.has_query(asked);
                assert!(!known || oracle.contains(&key), "{key:?}");
                assert!(known || places.get(&place) != Some(&key), "{key:?}");
                forgotten += u32::from(!known && oracle.contains(&key));
                if !known {
                    places.remove(&place);
                }
            }
        }
        assert!(forgotten > 0 && table.marks.len() == PLACES, "{forgotten}");
    }
}
