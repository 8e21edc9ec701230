//! `synthetic:N`: our own family of N names a day, to ask how the sensor fares with millions.
//!
//! Names look like Conficker B's (5 to 11 letters, eight suffixes), so they meet real names as often as a worm's
//! would. The name of an index is computed from the index alone. Like C's lists, a list may hold a name twice.

use super::{Draw, Family, Habit, Shape};
use crate::day::Day;
use crate::name::Name;

const SUFFIXES: [&str; 8] = ["cc", "cn", "ws", "com", "net", "org", "info", "biz"];
const LENGTHS: (usize, usize) = (5, 11);

/// Names that a host is taken to draw.
const DRAWN: u32 = 500;

/// The family of a number of names a day.
pub(super) struct Synthetic {
    id: String,
    names_a_day: u32,
    suffixes: Vec<Name>,
}

impl Synthetic {
    pub(super) fn new(names_a_day: u32) -> Self {
        let suffixes = SUFFIXES.iter().map(|text| Name::parse(text).expect("the built-in suffixes are names")).collect();
        Self { id: format!("synthetic:{names_a_day}"), names_a_day, suffixes }
    }
}

impl Family for Synthetic {
    fn id(&self) -> &str {
        &self.id
    }

    fn since(&self) -> Day {
        Day::EPOCH
    }

    fn count(&self, _: Day) -> u32 {
        self.names_a_day
    }

    fn names(&self, day: Day, each: &mut dyn FnMut(&Name)) {
        let seed = seed(day);
        let mut name = Name::root();
        for index in 0..self.names_a_day {
            draw(seed, &self.suffixes, index, &mut name);
            each(&name);
        }
    }

    /// Like Conficker C's, where there is enough to draw from.
    fn habit(&self) -> Option<Habit> {
        (self.names_a_day >= 10 * DRAWN).then_some(Habit::Sample { names: DRAWN, pace: 10.0 })
    }

    /// There is no such worm: whoever asks says how many.
    fn asked(&self) -> Option<u32> {
        None
    }

    fn draw(&self, day: Day) -> Option<Box<dyn Draw>> {
        Some(Box::new(OfDay { seed: seed(day), suffixes: self.suffixes.clone() }))
    }

    fn shape(&self) -> Shape<'_> {
        Shape::Generated { first_label: LENGTHS, suffixes: &self.suffixes }
    }
}

/// The names of a day.
struct OfDay {
    seed: u64,
    suffixes: Vec<Name>,
}

impl Draw for OfDay {
    fn draw(&self, index: u32, name: &mut Name) {
        draw(self.seed, &self.suffixes, index, name);
    }
}

const fn seed(day: Day) -> u64 {
    mix(day.number().unsigned_abs() as u64)
}

/// Makes `name` the one at a place.
#[inline]
fn draw(seed: u64, suffixes: &[Name], index: u32, name: &mut Name) {
    let mut number = mix(seed.wrapping_add(u64::from(index)));
    // Each draw takes a digit of the number in a base of its own: 7 lengths, 8 suffixes, 26 letters.
    let mut draw = |base: u64| {
        let digit = number % base;
        number /= base;
        digit as usize
    };
    let length = LENGTHS.0 + draw(7);
    let suffix = draw(8);
    let mut label = [0; LENGTHS.1];
    let label = &mut label[..length];
    label.fill_with(|| b'a' + draw(26) as u8);
    name.compose(label, &suffixes[suffix]);
}

/// SplitMix64's output function (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014).
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn same_day_same_names_other_day_others() {
        let family = Synthetic::new(10_000);
        let list = |day: i32| {
            let mut names = vec![];
            family.names(Day::EPOCH.plus(day), &mut |name| names.push(name.to_string()));
            names
        };
        let (today, again, tomorrow) = (list(20_000), list(20_000), list(20_001));
        assert_eq!(today, again);
        let distinct: HashSet<_> = today.iter().collect();
        assert!(distinct.len() > 9_990, "{}", distinct.len());
        assert!(tomorrow.iter().filter(|name| distinct.contains(name)).count() < 10);
        // A longer list begins with the shorter one.
        let mut longer = vec![];
        Synthetic::new(10_001).names(Day::EPOCH.plus(20_000), &mut |name| longer.push(name.to_string()));
        assert_eq!(longer[..10_000], today[..]);
    }
}
