//! Directions that are open, the least recently used at hand.
//!
//! ```text
//!   places  hash of the flow -> slot
//!   slots   [ half | half | free | half | ... ]   never move; each knows its neighbours in the order of use
//! ```
//!
//! By hand, because a table of boxes takes memory for each connection and gives it back, and hashes its flow again for each
//! question: a sixth of what a segment costs.

use hashbrown::HashTable;

use super::Flow;
use super::half::Half;
use crate::decode::queue::{Linked, Links, NONE, Queue};

/// Directions that are open.
#[derive(Debug)]
pub(super) struct OpenDirections {
    places: HashTable<u32>,
    slots: Vec<Slot>,
    /// In the order of use.
    queue: Queue,
    /// The first free slot among those used before; the next one is its younger.
    free: u32,
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    flow: Flow,
    half: Half,
    links: Links,
}

impl Linked for Slot {
    #[inline]
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl OpenDirections {
    /// Room for so many, untouched: they need not move when there are more.
    pub(super) fn new(bound: usize) -> Self {
        Self { places: HashTable::new(), slots: Vec::with_capacity(bound), queue: Queue::EMPTY, free: NONE }
    }

    pub(super) const fn len(&self) -> usize {
        self.queue.count
    }

    /// Where the direction of a flow with this hash is.
    #[inline]
    pub(super) fn find(&self, hash: u64, flow: &Flow) -> Option<u32> {
        self.places.find(hash, |place| self.slots[*place as usize].flow == *flow).copied()
    }

    /// The direction at a place, with its hash.
    #[inline]
    pub(super) fn at(&mut self, place: u32) -> (u64, &Flow, &mut Half) {
        let Slot { hash, flow, half, .. } = &mut self.slots[place as usize];
        (*hash, flow, half)
    }

    /// The least recently used.
    #[inline]
    pub(super) fn oldest(&self) -> Option<(u32, &Half)> {
        self.slots.get(self.queue.oldest as usize).map(|slot| (self.queue.oldest, &slot.half))
    }

    /// The next to be used after the one at a place.
    pub(super) fn after(&self, place: u32) -> Option<u32> {
        Some(self.slots[place as usize].links.younger).filter(|younger| *younger != NONE)
    }

    /// Makes the one at a place the latest used.
    #[inline]
    pub(super) fn hear(&mut self, place: u32) {
        if place != self.queue.youngest {
            self.queue.remove(&mut self.slots, place);
            self.queue.push(&mut self.slots, place);
        }
    }

    /// Puts in a direction that is not there, as the latest used.
    pub(super) fn insert(&mut self, hash: u64, flow: Flow, half: Half) -> u32 {
        let slot = Slot { hash, flow, half, links: Links::NONE };
        let place = if self.free == NONE {
            self.slots.push(slot);
            self.slots.len() as u32 - 1
        } else {
            let place = self.free;
            self.free = self.slots[place as usize].links.younger;
            self.slots[place as usize] = slot;
            place
        };
        let Self { places, slots, queue, .. } = self;
        places.insert_unique(hash, place, |place| slots[*place as usize].hash);
        queue.push(slots, place);
        place
    }

    /// Takes out the one at a place, which holds nothing any more.
    pub(super) fn remove(&mut self, place: u32) {
        self.queue.remove(&mut self.slots, place);
        let slot = &mut self.slots[place as usize];
        if let Ok(known) = self.places.find_entry(slot.hash, |other| *other == place) {
            known.remove();
        }
        slot.links.younger = std::mem::replace(&mut self.free, place);
    }

    /// Takes out all.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.slots.clear();
        (self.queue, self.free) = (Queue::EMPTY, NONE);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::hash::{BuildHasher, RandomState};
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::day::Timestamp;
    use crate::decode::stream::Segment;

    fn flow(number: u8) -> Flow {
        let address = Ipv4Addr::new(192, 0, 2, number).into();
        Flow { source: address, destination: address, source_port: 53, destination_port: 4_000 }
    }

    fn half(flow: &Flow) -> Half {
        let time = Timestamp::default();
        Half::new(&Segment { time, frame: 1, flow, sequence: 7, acknowledgment: 0, flags: 0, payload: &[], missing: 0 })
    }

    proptest! {
        /// Against a queue that is searched from one end to the other; some hashes are the same.
        #[test]
        fn as_a_queue_would_have_it(steps in prop::collection::vec((0_u8..3, 0_u8..12), 0..300)) {
            let keyed = RandomState::new();
            let hash = |number: u8| keyed.hash_one(number / 2);
            let (mut open, mut queue) = (OpenDirections::new(4), VecDeque::new());
            for (step, number) in steps {
                let place = open.find(hash(number), &flow(number));
                prop_assert_eq!(place.is_some(), queue.contains(&number));
                let other = queue.iter().copied().filter(|other| *other != number);
                match (step, place) {
                    (0, Some(place)) => {
                        open.remove(place);
                        queue = other.collect();
                    }
                    (_, Some(place)) => {
                        open.hear(place);
                        queue = other.chain([number]).collect();
                    }
                    (_, None) => {
                        open.insert(hash(number), flow(number), half(&flow(number)));
                        queue.push_back(number);
                    }
                }
                let mut order = vec![];
                let mut next = open.oldest().map(|(place, _)| place);
                while let Some(place) = next {
                    let (hash, flow, _) = open.at(place);
                    order.push((hash, *flow));
                    next = open.after(place);
                }
                let expected: Vec<_> = queue.iter().map(|number| (hash(*number), flow(*number))).collect();
                prop_assert_eq!(order, expected);
                prop_assert!(open.len() == queue.len() && open.slots.len() <= 12);
            }
            open.clear();
            prop_assert!(open.len() == 0 && open.oldest().is_none() && open.find(hash(1), &flow(1)).is_none());
        }
    }
}
