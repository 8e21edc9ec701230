//! The names of one family's list day by their places: held, or made again each time one is wanted.

use crate::day::Day;
use crate::dga::{Draw, Family};
use crate::name::{Name, RawName};

/// Names of a list day, in generated order.
pub enum Names {
    /// The family can make each without the others.
    Drawn {
        /// What makes them.
        draw: Box<dyn Draw>,
        /// How many there are.
        count: u32,
    },
    /// The family makes them one after the other.
    Held(Held),
}

/// Names that are held in memory.
#[derive(Default)]
pub struct Held {
    /// In wire form, one behind the other.
    octets: Vec<u8>,
    /// Where each begins.
    starts: Vec<u32>,
}

impl Names {
    /// The names of a list day.
    ///
    /// # Panics
    /// When those that must be held take over 4 GiB.
    pub fn new(family: &dyn Family, day: Day) -> Self {
        if let Some(draw) = family.draw(day) {
            return Self::Drawn { draw, count: family.count(day) };
        }
        let mut held = Held::with_capacity(family.count(day) as usize);
        family.names(day, &mut |name| {
            held.push(name);
        });
        Self::Held(held)
    }

    /// The name at a place.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn name(&self, place: u32) -> Name {
        match self {
            Self::Drawn { draw, count } => {
                assert!(place < *count, "a list has no place beyond its count");
                let mut name = Name::root();
                draw.draw(place, &mut name);
                name
            }
            Self::Held(held) => RawName::take(held.wire(place)).expect("only names were put in").into(),
        }
    }

    /// Hands over each in wire form.
    pub(super) fn each(&self, each: &mut impl FnMut(&[u8])) {
        for place in 0..self.count() as u32 {
            match self {
                Self::Drawn { .. } => each(self.name(place).as_wire()),
                Self::Held(held) => each(held.wire(place)),
            }
        }
    }

    /// How many there are, repeated ones included.
    pub const fn count(&self) -> usize {
        match self {
            Self::Drawn { count, .. } => *count as usize,
            Self::Held(held) => held.starts.len(),
        }
    }

    /// Octets that they take in memory.
    pub(super) const fn size(&self) -> usize {
        match self {
            Self::Drawn { .. } => 0,
            Self::Held(held) => held.octets.capacity() + 4 * held.starts.capacity(),
        }
    }
}

impl Held {
    /// Room for so many.
    pub(super) fn with_capacity(count: usize) -> Self {
        // Generated names take 9 to 18 octets, 13 on average.
        Self { octets: Vec::with_capacity(14 * count), starts: Vec::with_capacity(count) }
    }

    /// Puts a name behind the others and returns its place.
    pub(super) fn push(&mut self, name: &Name) -> u32 {
        let (place, start) = (self.starts.len() as u32, self.octets.len());
        self.starts.push(u32::try_from(start).expect("a list of over 4 GiB of names was asked for"));
        match name.as_wire_and_more() {
            Some(octets) => {
                self.octets.extend_from_slice(octets);
                self.octets.truncate(start + name.as_wire().len());
            }
            None => self.octets.extend_from_slice(name.as_wire()),
        }
        place
    }

    /// The name at a place, in wire form.
    #[inline]
    pub(super) fn wire(&self, place: u32) -> &[u8] {
        let place = place as usize;
        let end = self.starts.get(place + 1).map_or(self.octets.len(), |end| *end as usize);
        &self.octets[self.starts[place] as usize..end]
    }

    /// Whether the name at a place has this wire form. Most are of 9 to 16 octets, which two words hold.
    #[inline]
    pub(super) fn is(&self, place: u32, wire: &[u8]) -> bool {
        let held = self.wire(place);
        match (held.first_chunk::<8>(), held.last_chunk::<8>(), wire.first_chunk::<8>(), wire.last_chunk::<8>()) {
            (Some(held_first), Some(held_last), Some(first), Some(last)) if held.len() <= 16 => {
                held.len() == wire.len() && held_first == first && held_last == last
            }
            _ => held == wire,
        }
    }

    /// Some of what [`Self::wire`] reads.
    #[inline]
    pub(super) fn peek_start(&self, place: u32) -> u8 {
        self.starts[place as usize] as u8
    }

    /// Some of the octets of a name, from each line of memory that it is likely to touch.
    #[inline]
    pub(super) fn peek(&self, place: u32) -> u8 {
        let wire = self.wire(place);
        wire.first().zip(wire.last()).map_or(0, |(first, last)| first ^ last)
    }
}
