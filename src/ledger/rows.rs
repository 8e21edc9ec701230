//! Rows that never move: allocated once, found by key, and queued by weight so that the weakest is at hand.
//!
//! ```text
//!  buckets  [ . | 7 | . | 2 | ... ]           hash of the key -> first row; each row knows the next of its bucket
//!  slots    [ row | row | free | row | ... ]  as many as there may ever be
//!  queues   weight 0: oldest <-> ... <-> youngest, weight 1: ...
//! ```
//!
//! Chained by hand, because a table of hashbrown marks what was taken out and cleans up when marks are many: at a million
//! rows that stops everything for a tenth of a second, again and again while a flood goes through. Here each step takes
//! the same time, however full it is: buckets are added one by one, each by splitting one (linear hashing, W. Litwin, VLDB
//! 1980), so that few rows lie close together. Untouched memory costs nothing: the system hands it over page by page.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::names::Names;
use super::{Evidence, Key};
use crate::decode::queue::{Linked, Links, NONE, Queue};

/// Weights that evidence can have; see [`weight`].
pub(super) const WEIGHTS: usize = 6;

/// The first weight of the infected.
pub(super) const INFECTED: usize = 3;

/// Rows that are spared in one search for a victim because something was heard of them since they were queued. The
/// bound keeps a search short when that is true of all.
const SPARED: usize = 8;

/// Buckets for each row: at most half of them hold one, so that chains are short.
const BUCKETS_A_ROW: usize = 2;

/// The weight of a free slot.
const FREE: u8 = u8::MAX;

/// The weight of evidence: names that tell, up to two, then whether they make a verdict, then in steps.
pub(super) fn weight(evidence: &Evidence) -> usize {
    match evidence.telling_names() {
        few if few < evidence.names_needed() => few.min(2) as usize,
        0..7 => INFECTED,
        7..31 => INFECTED + 1,
        _ => INFECTED + 2,
    }
}

pub(super) struct Rows {
    slots: Vec<Slot>,
    /// One more than the first row of each bucket, 0 for none: two of them for each row there ever was at once.
    buckets: Vec<u32>,
    /// Bits of a hash that tell its bucket, one less where there is no such bucket yet.
    mask: usize,
    queues: [Queue; WEIGHTS],
    /// The first free slot among those used before.
    free: u32,
    count: usize,
    bound: usize,
    hasher: DefaultHashBuilder,
}

/// Two lines of memory and not a part of a third.
#[repr(align(64))]
struct Slot {
    key: Key,
    evidence: Evidence,
    /// The next of its bucket, or the next free one.
    chained: u32,
    links: Links,
    weight: u8,
    /// Whether something was heard since it was queued.
    heard: bool,
}

impl Linked for Slot {
    #[inline]
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl Rows {
    /// Room for `bound` rows, and never more.
    pub(super) fn new(bound: usize) -> Self {
        let bound = bound.min(NONE as usize - 1);
        let mut buckets = Vec::with_capacity(BUCKETS_A_ROW * bound.max(1));
        buckets.push(0);
        Self {
            slots: Vec::with_capacity(bound),
            buckets,
            mask: 0,
            queues: [Queue::EMPTY; WEIGHTS],
            free: NONE,
            count: 0,
            bound,
            hasher: DefaultHashBuilder::default(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn bound(&self) -> usize {
        self.bound
    }

    pub(super) const fn is_full(&self) -> bool {
        self.count >= self.bound
    }

    /// Octets set aside, names beyond the first few left out.
    pub(super) const fn size(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.buckets.capacity() * size_of::<u32>()
    }

    pub(super) const fn queued(&self, weight: usize) -> usize {
        self.queues[weight].count
    }

    #[inline]
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        self.find_from(self.first(self.hash(key)), key)
    }

    /// The hash of a key, for [`Self::first`].
    #[inline]
    pub(super) fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The first row of a hash's bucket, with which [`Self::find_from`] begins.
    #[inline]
    pub(super) fn first(&self, hash: u64) -> u32 {
        self.buckets[self.bucket(hash)].wrapping_sub(1)
    }

    /// An octet of each line of memory in which a row lies, if there is one at a place.
    #[inline]
    pub(super) fn peek(&self, place: u32) -> u8 {
        self.slots.get(place as usize).map_or(0, |slot| slot.evidence.matches as u8 ^ slot.weight)
    }

    /// What [`Self::find_from`] looks at after the row at `place`, which is there; nothing where that is the one.
    #[inline]
    pub(super) fn after(&self, place: u32, key: &Key) -> u32 {
        self.slots.get(place as usize).map_or(NONE, |slot| if slot.key == *key { NONE } else { slot.chained })
    }

    /// The row of a key, looked for from the one at `place` on.
    #[inline]
    pub(super) fn find_from(&self, mut place: u32, key: &Key) -> Option<u32> {
        while place != NONE {
            let slot = &self.slots[place as usize];
            if slot.key == *key {
                return Some(place);
            }
            place = slot.chained;
        }
        None
    }

    /// Whether the row of a key is at a place.
    #[inline]
    pub(super) fn is_at(&self, place: u32, key: &Key) -> bool {
        let slot = &self.slots[place as usize];
        slot.key == *key && slot.weight != FREE
    }

    /// Puts in a row, for which there must be room and no other of the key.
    #[inline]
    pub(super) fn insert(&mut self, key: Key, evidence: Evidence) -> u32 {
        debug_assert!(!self.is_full(), "whoever inserts makes room");
        let bucket = self.bucket(self.hash(&key));
        let chained = self.buckets[bucket].wrapping_sub(1);
        let weight = weight(&evidence);
        let slot = Slot { key, evidence, chained, links: Links::NONE, weight: weight as u8, heard: false };
        let place = if self.free == NONE {
            self.slots.push(slot);
            self.slots.len() as u32 - 1
        } else {
            let place = self.free;
            self.free = self.slots[place as usize].chained;
            self.slots[place as usize] = slot;
            place
        };
        self.buckets[bucket] = place + 1;
        self.count += 1;
        self.queues[weight].push(&mut self.slots, place);
        for _ in 0..BUCKETS_A_ROW {
            if self.buckets.len() < BUCKETS_A_ROW * self.count {
                self.split();
            }
        }
        place
    }

    /// Adds a bucket, to which about half of the rows of another go.
    #[inline]
    fn split(&mut self) {
        let new = self.buckets.len();
        if new > self.mask {
            self.mask = 2 * self.mask + 1;
        }
        let old = new & self.mask >> 1;
        self.buckets.push(0);
        let mut next = std::mem::take(&mut self.buckets[old]).wrapping_sub(1);
        while next != NONE {
            let place = next;
            let bucket = self.bucket(self.hash(&self.slots[place as usize].key));
            let first = std::mem::replace(&mut self.buckets[bucket], place + 1);
            next = std::mem::replace(&mut self.slots[place as usize].chained, first.wrapping_sub(1));
        }
    }

    pub(super) fn row(&self, place: u32) -> (&Key, &Evidence) {
        let slot = &self.slots[place as usize];
        (&slot.key, &slot.evidence)
    }

    /// Evidence to add to, of which something is heard thereby.
    #[inline]
    pub(super) fn hear(&mut self, place: u32) -> &mut Evidence {
        let slot = &mut self.slots[place as usize];
        slot.heard = true;
        &mut slot.evidence
    }

    /// Evidence to judge, of which nothing is heard thereby.
    #[inline]
    pub(super) fn judge(&mut self, place: u32) -> (&Key, &mut Evidence) {
        let slot = &mut self.slots[place as usize];
        (&slot.key, &mut slot.evidence)
    }

    /// The weight by which a row is queued.
    pub(super) fn weight(&self, place: u32) -> usize {
        self.slots[place as usize].weight.into()
    }

    /// Puts a row into the queue of its weight, if that changed; returns the weight before and now.
    #[inline]
    pub(super) fn weigh(&mut self, place: u32) -> (usize, usize) {
        let slot = &mut self.slots[place as usize];
        let (before, now) = (usize::from(slot.weight), weight(&slot.evidence));
        if before != now {
            self.unqueue(place);
            let slot = &mut self.slots[place as usize];
            (slot.weight, slot.heard) = (now as u8, false);
            self.queues[now].push(&mut self.slots, place);
        }
        (before, now)
    }

    /// The row of a weight that was not heard of for longest, other than `but`. Those heard of go behind the others.
    pub(super) fn oldest(&mut self, weight: usize, but: Option<u32>) -> Option<u32> {
        for _ in 0..SPARED {
            let place = self.queues[weight].oldest;
            let slot = self.slots.get_mut(place as usize)?;
            if !slot.heard && Some(place) != but {
                return Some(place);
            }
            slot.heard = false;
            self.unqueue(place);
            self.queues[weight].push(&mut self.slots, place);
        }
        Some(self.queues[weight].oldest).filter(|place| Some(*place) != but)
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, place: u32) -> (Key, Evidence) {
        self.unqueue(place);
        let (key, chained) = (self.slots[place as usize].key, self.slots[place as usize].chained);
        let bucket = self.bucket(self.hash(&key));
        let first = self.buckets[bucket] - 1;
        if first == place {
            self.buckets[bucket] = chained.wrapping_add(1);
        } else {
            let mut before = first as usize;
            while self.slots[before].chained != place {
                before = self.slots[before].chained as usize;
            }
            self.slots[before].chained = chained;
        }
        let slot = &mut self.slots[place as usize];
        (slot.weight, slot.chained) = (FREE, self.free);
        // What takes memory of its own leaves with the row.
        let empty = Evidence { names: Names::NONE, trace: None, ..slot.evidence };
        let evidence = std::mem::replace(&mut slot.evidence, empty);
        self.free = place;
        self.count -= 1;
        (key, evidence)
    }

    /// Places that were ever used.
    pub(super) const fn places_used(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Whether there is a row at a place.
    pub(super) fn is_kept(&self, place: u32) -> bool {
        self.slots[place as usize].weight != FREE
    }

    /// The places of rows that are wanted, in no order that means anything.
    pub(super) fn places(&self, wanted: impl Fn(&Key) -> bool) -> Vec<u32> {
        let kept = self.slots.iter().enumerate().filter(|(_, slot)| slot.weight != FREE && wanted(&slot.key));
        kept.map(|(place, _)| place as u32).collect()
    }

    /// All, by weight, then by age: rows that are put in again in this order are queued as they were.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Evidence)> {
        self.queues.iter().flat_map(|queue| {
            let next = |place: &u32| Some(self.slots[*place as usize].links.younger).filter(|next| *next != NONE);
            std::iter::successors(Some(queue.oldest).filter(|oldest| *oldest != NONE), next).map(|place| self.row(place))
        })
    }

    /// All, in no order that means anything: that in which they lie in memory.
    pub(super) fn iter_as_they_lie(&self) -> impl Iterator<Item = (&Key, &Evidence)> {
        self.slots.iter().filter(|slot| slot.weight != FREE).map(|slot| (&slot.key, &slot.evidence))
    }

    /// All, in no order.
    pub(super) fn into_rows(self) -> Vec<(Key, Evidence)> {
        let kept = self.slots.into_iter().filter(|slot| slot.weight != FREE);
        kept.map(|slot| (slot.key, slot.evidence)).collect()
    }

    #[inline]
    fn bucket(&self, hash: u64) -> usize {
        let bucket = hash as usize & self.mask;
        if bucket < self.buckets.len() { bucket } else { bucket & self.mask >> 1 }
    }

    /// Takes a row out of the queue of its weight.
    fn unqueue(&mut self, place: u32) {
        let weight = self.weight(place);
        self.queues[weight].remove(&mut self.slots, place);
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn a_row_is_two_lines_which_a_peek_reads() {
        assert_eq!(size_of::<Slot>(), 128);
        let lines = [offset_of!(Slot, evidence) + offset_of!(Evidence, matches), offset_of!(Slot, weight)].map(|at| at / 64);
        assert_eq!(lines, [0, 1]);
    }
}
