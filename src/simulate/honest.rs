//! What honest clients ask for: made-up names under `example` (RFC 2606), few of them often, so that no worm's list has one.

use std::net::Ipv4Addr;

use super::packet::{A, AAAA, HTTPS};
use super::random::{Random, mix, share_of};

/// All honest names, by popularity.
#[derive(Default)]
pub(super) struct HonestNames {
    octets: Vec<u8>,
    starts: Vec<u32>,
}

impl HonestNames {
    /// So many.
    pub(super) fn new(count: u32) -> Self {
        let mut names = Self::default();
        for rank in 0..count {
            // At most a million names of at most 40 octets.
            names.starts.push(names.octets.len() as u32);
            let chosen = mix(u64::from(rank));
            let service = ["", "www", "www", "api", "cdn", "mail", "static", "img"][(chosen % 8) as usize];
            let site = format!("{}{}", ["shop", "news", "bank", "play", "map", "blog"][(chosen >> 8) as usize % 6], rank);
            for label in [service, &site, "example"].iter().filter(|label| !label.is_empty()) {
                names.octets.push(label.len() as u8);
                names.octets.extend_from_slice(label.as_bytes());
            }
            names.octets.push(0);
        }
        names
    }

    /// A name in wire form.
    pub(super) fn get(&self, rank: u32) -> &[u8] {
        let start = self.starts[rank as usize] as usize;
        let end = self.starts.get(rank as usize + 1).map_or(self.octets.len(), |end| *end as usize);
        &self.octets[start..end]
    }

    /// Where a site is.
    pub(super) fn address(number: u64) -> Ipv4Addr {
        // 198.51.100.0/24, for documentation (RFC 5737).
        [198, 51, 100, mix(number) as u8].into()
    }
}

/// Draws names: the n-th is n times as rare as the first (G. Zipf). In constant time, by M. Vose, "A Linear Algorithm for
/// Generating Random Numbers with a Given Distribution", 1991.
pub(super) struct Popularity {
    /// For each place, how likely it is itself, and what else it stands for.
    places: Vec<(f64, u32)>,
    missing: f64,
}

impl Popularity {
    /// Of so many names, of which a share does not exist.
    pub(super) fn new(count: u32, missing: f64) -> Self {
        let sum: f64 = (1..=count).map(|rank| 1.0 / f64::from(rank)).sum();
        let mut places: Vec<(f64, u32)> = (0..count).map(|rank| (f64::from(count) / (f64::from(rank + 1) * sum), rank)).collect();
        let (mut large, mut small): (Vec<u32>, Vec<u32>) = (0..count).partition(|rank| places[*rank as usize].0 >= 1.0);
        while let (Some(few), Some(many)) = (small.pop(), large.last().copied()) {
            places[few as usize].1 = many;
            places[many as usize].0 -= 1.0 - places[few as usize].0;
            if places[many as usize].0 < 1.0 {
                large.pop();
                small.push(many);
            }
        }
        // Roundings are left.
        for rank in large.into_iter().chain(small) {
            places[rank as usize].0 = 1.0;
        }
        Self { places, missing }
    }

    /// A name, by rank.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        let place = random.below(self.places.len() as u64) as u32;
        let (itself, other) = self.places[place as usize];
        if random.unit() < itself { place } else { other }
    }

    /// Whether a name exists.
    pub(super) fn exists(&self, rank: u32) -> bool {
        share_of(u64::from(rank) ^ 0x5EED) >= self.missing
    }
}

/// A type to ask for.
pub(super) fn kind(random: &mut Random) -> u16 {
    [A, A, A, A, A, AAAA, AAAA, HTTPS][random.below(8) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::RawName;

    #[test]
    fn names_are_names() {
        let names = HonestNames::new(1_000);
        let mut seen: Vec<String> = (0..1_000)
            .map(|rank| RawName::take(names.get(rank)).filter(|name| name.as_wire() == names.get(rank)).unwrap().to_string())
            .collect();
        assert!(seen.iter().all(|name| name.ends_with(".example")));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1_000);
    }

    #[test]
    fn the_second_is_half_as_popular() {
        let (popularity, mut random) = (Popularity::new(100, 0.1), Random::new(1, &[]));
        let mut counts = vec![0_u32; 100];
        (0..520_000).for_each(|_| counts[popularity.draw(&mut random) as usize] += 1);
        // The hundredth harmonic number is 5.187.
        for (rank, count) in counts.iter().enumerate() {
            let expected = 520_000.0 / 5.187_378 / (rank as f64 + 1.0);
            assert!((f64::from(*count) - expected).abs() < 5.0 * expected.sqrt(), "{rank}: {count}, not {expected}");
        }
        let missing = (0..10_000).filter(|rank| !popularity.exists(*rank)).count();
        assert!((900..1_100).contains(&missing), "{missing}");
    }
}
