//! The Conficker worm (Downadup), 2008: variants A and B with 250 names a day, C with 50,000.
//!
//! Every variant runs one generator ([`rng`]) from a seed made of the UTC day, and turns its numbers into names by
//! rules of its own ([`ab`], [`c`]): one number for the length, one a letter, one for the suffix.
//!
//! Sources: F. Leder and T. Werner, "Know Your Enemy: Containing Conficker", The Honeynet Project, 2009 (constants,
//! order of calls); lists published from 2008 to 2021 (lengths, signs and the sine, see [`rng`]). "C" is the name
//! that SRI and the Conficker Working Group use; Microsoft calls the same variant ".D".

mod ab;
mod c;
mod rng;

use self::rng::{Rng, Seed};
use super::{About, Family, Habit, Shape};
use crate::day::Day;
use crate::name::{Name, RawName};

pub(super) use self::ab::{A, B};
pub(super) use self::c::C;

const STATUS: &str = "spreads by itself, its operators are gone";

/// What sets one variant apart.
pub(super) struct Variant {
    id: &'static str,
    seed: Seed,
    names_a_day: u32,
    /// Letters of the first label, from a number of the generator.
    length: fn(i32) -> usize,
    /// Shortest and longest of these.
    lengths: (usize, usize),
    /// Position in `suffixes`, from a number of the generator.
    suffix: fn(i32) -> usize,
    suffixes: &'static [&'static str],
    /// First day on which hosts asked.
    since: Day,
    habit: Habit,
    /// What the placebo of the variant is called, and its names for each of the variant's: short lists have long placebos, so
    /// that chance has something to meet.
    placebo: (&'static str, u32),
    about: About,
}

/// One variant, ready to generate.
pub(super) struct Conficker {
    variant: &'static Variant,
    suffixes: Vec<Name>,
    id: &'static str,
    seed: Seed,
    names_a_day: u32,
}

impl Conficker {
    pub(super) fn new(variant: &'static Variant) -> Self {
        let suffixes = variant.suffixes.iter().map(|text| Name::parse(text).expect("the built-in suffixes are names")).collect();
        Self { variant, suffixes, id: variant.id, seed: variant.seed, names_a_day: variant.names_a_day }
    }

    /// The generator with another constant: names of the same kind that no host of the worm asks for. Other days of the
    /// worm itself would not do, as hosts with wrong clocks ask for those.
    pub(super) fn placebo(variant: &'static Variant) -> Self {
        let (id, times) = variant.placebo;
        let seed = Seed { addend: variant.seed.addend ^ 0x0055_5555, ..variant.seed };
        Self { id, seed, names_a_day: variant.names_a_day * times, ..Self::new(variant) }
    }

    fn is_placebo(&self) -> bool {
        self.id != self.variant.id
    }

    fn names_in_step<const LANES: usize>(&self, days: [Day; LANES], each: &mut dyn FnMut(usize, &Name)) {
        /// Numbers of each day for a name that is read: a little more than it takes, so that a block is made when one is read.
        const AHEAD: usize = 3;
        let mut lanes = Lanes::new(&self.seed, days);
        let mut name = Name::root();
        while lanes.turn(self) {
            let Lanes { makers, read } = &mut lanes;
            for (place, lane) in read.iter_mut().enumerate() {
                while let Some((_, numbers, length)) = lane.next(self) {
                    // How many letters it is cannot be guessed, and a wrong guess takes as long as all of them.
                    let mut letters = [0; 16];
                    letters.iter_mut().zip(&numbers[1..]).for_each(|(octet, number)| *octet = letter(*number));
                    name.compose_of(&letters, length, &self.suffixes[(self.variant.suffix)(numbers[1 + length])]);
                    each(place, &name);
                    makers.make(AHEAD);
                }
            }
        }
    }
}

impl Family for Conficker {
    fn id(&self) -> &str {
        self.id
    }

    fn since(&self) -> Day {
        self.variant.since
    }

    fn count(&self, _: Day) -> u32 {
        self.names_a_day
    }

    fn worm(&self) -> Option<&'static str> {
        (!self.is_placebo()).then_some("conficker")
    }

    fn habit(&self) -> Option<Habit> {
        (!self.is_placebo()).then_some(self.variant.habit)
    }

    fn placebo_of(&self) -> Option<(&'static str, u32)> {
        self.is_placebo().then_some((self.variant.id, self.variant.placebo.1))
    }

    fn about(&self) -> Option<&About> {
        (!self.is_placebo()).then_some(&self.variant.about)
    }

    fn names(&self, day: Day, each: &mut dyn FnMut(&Name)) {
        let variant = self.variant;
        let mut rng = Rng::new(&self.seed, day);
        let mut name = Name::root();
        let mut label = [0; 16];
        for _ in 0..self.names_a_day {
            let length = (variant.length)(rng.next());
            let label = &mut label[..length];
            label.fill_with(|| letter(rng.next()));
            name.compose(label, &self.suffixes[(variant.suffix)(rng.next())]);
            each(&name);
        }
    }

    fn names_of(&self, days: &[Day], each: &mut dyn FnMut(usize, &Name)) {
        const LANES: usize = 3;
        let (lanes, rest) = days.as_chunks::<LANES>();
        for (chunk, days) in lanes.iter().enumerate() {
            self.names_in_step(*days, &mut |lane, name| each(LANES * chunk + lane, name));
        }
        for (place, day) in rest.iter().enumerate() {
            self.names(*day, &mut |name| each(LANES * lanes.len() + place, name));
        }
    }

    fn shape(&self) -> Shape<'_> {
        Shape::Generated { first_label: self.variant.lengths, suffixes: &self.suffixes }
    }

    /// Runs the generators of several days in step: one alone waits for its own arithmetic most of the time.
    fn search(&self, name: &Name, days: &[Day], found: &mut dyn FnMut(Day, u32)) {
        const LANES: usize = 8;
        let Some(wanted) = Wanted::new(self, name.as_raw()) else { return };
        let (lanes, rest) = days.as_chunks::<LANES>();
        for days in lanes {
            wanted.search(*days, found);
        }
        for day in rest {
            wanted.search([*day], found);
        }
    }
}

/// A letter from a number of the generator.
#[inline]
fn letter(number: i32) -> u8 {
    // Below 26.
    b'a' + (number.unsigned_abs() % 26) as u8
}

/// A name to look for among a variant's.
struct Wanted<'a> {
    family: &'a Conficker,
    variant: &'static Variant,
    label: &'a [u8],
    /// Positions in the suffix table that stand for the name's suffix: C has some twice.
    suffixes: Vec<usize>,
}

impl<'a> Wanted<'a> {
    /// Nothing when the variant cannot generate such a name on any day.
    fn new(family: &'a Conficker, name: RawName<'a>) -> Option<Self> {
        let (label, suffix) = name.split_first()?;
        let (shortest, longest) = family.variant.lengths;
        let suffixes: Vec<usize> = (0..family.suffixes.len()).filter(|&at| family.suffixes[at].as_wire() == suffix).collect();
        let possible =
            (shortest..=longest).contains(&label.len()) && label.iter().all(u8::is_ascii_lowercase) && !suffixes.is_empty();
        possible.then_some(Self { family, variant: family.variant, label, suffixes })
    }

    fn search<const LANES: usize>(&self, days: [Day; LANES], found: &mut dyn FnMut(Day, u32)) {
        let Self { family, variant, label, suffixes } = self;
        let mut lanes = Lanes::new(&family.seed, days);
        while lanes.turn(family) {
            for (lane, day) in lanes.read.iter_mut().zip(days) {
                while let Some((index, numbers, length)) = lane.next(family) {
                    let same = length == label.len()
                        && numbers[1..].iter().zip(*label).all(|(&number, &wanted)| letter(number) == wanted)
                        && suffixes.contains(&(variant.suffix)(numbers[1 + length]));
                    if same {
                        found(day, index);
                        // As generated, the first place of a name is its index.
                        lane.index = u32::MAX;
                    }
                }
            }
        }
    }
}

/// Numbers of a generator that are read together.
const BLOCK: usize = 512;

/// Numbers that a name takes at most: its length, its letters (A's and B's are the longest), its suffix.
const MOST_NUMBERS: usize = 1 + 11 + 1;

/// Several days whose generators run in step: one alone waits for its own arithmetic most of the time. All of them still wait
/// for some of it, so that names can be read meanwhile.
struct Lanes<const LANES: usize> {
    makers: Makers<LANES>,
    read: [Lane; LANES],
}

/// The generators, and the blocks that they are making.
struct Makers<const LANES: usize> {
    generators: [Rng; LANES],
    numbers: [[i32; BLOCK]; LANES],
    /// How many there are of each.
    made: usize,
}

/// The block of a day that is read.
struct Lane {
    /// What was left of the one before, at the end of the room for it, then the block.
    numbers: [i32; MOST_NUMBERS + BLOCK],
    /// What is read next: at the end of the block too little to be surely all of a name is left.
    at: usize,
    /// Names read.
    index: u32,
}

impl<const LANES: usize> Lanes<LANES> {
    fn new(seed: &Seed, days: [Day; LANES]) -> Self {
        let generators = days.map(|day| Rng::new(seed, day));
        let lane = |_| Lane { numbers: [0; MOST_NUMBERS + BLOCK], at: MOST_NUMBERS + BLOCK, index: 0 };
        Self { makers: Makers { generators, numbers: [[0; BLOCK]; LANES], made: 0 }, read: days.map(lane) }
    }

    /// Has the next block read, when the one before is; false when all names are.
    fn turn(&mut self, family: &Conficker) -> bool {
        let Self { makers, read } = self;
        if read.iter().all(|lane| lane.index >= family.names_a_day) {
            return false;
        }
        makers.make(BLOCK);
        makers.made = 0;
        for (lane, numbers) in read.iter_mut().zip(&makers.numbers) {
            lane.numbers.copy_within(BLOCK.., 0);
            lane.numbers[MOST_NUMBERS..].copy_from_slice(numbers);
            lane.at -= BLOCK;
        }
        true
    }
}

impl<const LANES: usize> Makers<LANES> {
    /// Makes so many more numbers of each, up to the end of the block.
    #[inline(always)]
    fn make(&mut self, count: usize) {
        let Self { generators, numbers, made } = self;
        // Copies, which stay in registers: what is written to memory and read again takes a fifth longer.
        let (mut making, mut place) = (*generators, *made);
        for _ in 0..count.min(BLOCK - place) {
            making.iter_mut().zip(&mut *numbers).for_each(|(generator, numbers)| numbers[place % BLOCK] = generator.next());
            place += 1;
        }
        (*generators, *made) = (making, place);
    }
}

impl Lane {
    /// Reads a name: its index, the numbers that it begins with and the count of its letters.
    #[inline(always)]
    fn next(&mut self, family: &Conficker) -> Option<(u32, &[i32; MOST_NUMBERS], usize)> {
        if self.index >= family.names_a_day {
            // Whatever is left of the block.
            self.at = self.numbers.len();
            return None;
        }
        let numbers = self.numbers[self.at..].first_chunk()?;
        let (index, length) = (self.index, (family.variant.length)(numbers[0]));
        self.index += 1;
        self.at += length + 2;
        Some((index, numbers, length))
    }
}
