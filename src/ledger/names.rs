//! Which names of a list a source asked for: a few in place, some in a row of their own, many in a bitmap. What takes memory of
//! its own is accounted for as if it were a bitmap.

use roaring::RoaringBitmap;

/// Names kept in place. Whoever is not infected seldom asks for more, so a forged source costs no allocation.
pub(super) const FEW: usize = 7;

/// Names kept in a row, which is read at once where a bitmap of as many lies in three pieces of memory. A row whose room was
/// doubled takes no more than what a bitmap is charged.
const SOME: usize = 56;
const _: () = assert!(2 * SOME * size_of::<u32>() <= BITMAP + SOME * INDEX);

/// What a bitmap and the container of the first 65,536 indices take, and each further container; what an index in one takes
/// at most, room that a vector keeps in reserve included. An upper bound is enough.
const BITMAP: usize = 224;
const CONTAINER: usize = 96;
const INDEX: usize = 4;

/// A set of indices.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// So many, ascending.
    Few(u8, [u32; FEW]),
    /// More, up to [`SOME`], ascending.
    Some(Vec<u32>),
    /// More than those.
    Many(RoaringBitmap),
}

/// What became of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It is new.
    New,
    /// It was there.
    Known,
    /// It is new, but there is no room for more of them.
    NoRoom,
}

impl Names {
    pub(super) const NONE: Self = Self::Few(0, [0; FEW]);

    /// Puts in an index; `room` is what all sets together may still take.
    #[inline]
    pub(super) fn insert(&mut self, index: u32, room: &mut usize) -> Inserted {
        match self {
            Self::Few(count, few) => {
                let kept = usize::from(*count);
                let place = few[..kept].partition_point(|other| *other < index);
                if place < kept && few[place] == index {
                    return Inserted::Known;
                }
                if kept == FEW {
                    return self.grow(index, room);
                }
                few.copy_within(place..kept, place + 1);
                few[place] = index;
                *count += 1;
                Inserted::New
            }
            Self::Some(some) => {
                let place = some.partition_point(|other| *other < index);
                if some.get(place) == Some(&index) {
                    return Inserted::Known;
                }
                if *room < CONTAINER + INDEX {
                    return Inserted::NoRoom;
                }
                if some.len() == some.capacity() {
                    if some.len() == SOME {
                        self.spread();
                        return self.insert(index, room);
                    }
                    some.reserve_exact((2 * some.len()).min(SOME) - some.len());
                }
                some.insert(place, index);
                let is_beside = |other: Option<&u32>| other.is_some_and(|other| other / SPAN == index / SPAN);
                let alone =
                    !is_beside(place.checked_sub(1).and_then(|before| some.get(before))) && !is_beside(some.get(place + 1));
                *room -= if index >= SPAN && alone { CONTAINER + INDEX } else { INDEX };
                Inserted::New
            }
            Self::Many(bitmap) => {
                // Asked first only where it may have to be refused.
                if *room < CONTAINER + INDEX {
                    return if bitmap.contains(index) { Inserted::Known } else { Inserted::NoRoom };
                }
                if !bitmap.insert(index) {
                    return Inserted::Known;
                }
                *room -= cost(bitmap, index);
                Inserted::New
            }
        }
    }

    #[cold]
    fn grow(&mut self, index: u32, room: &mut usize) -> Inserted {
        let Self::Few(_, few) = *self else { unreachable!("only few names grow to many") };
        // As much as they can take if each has a container.
        if *room < BITMAP + (FEW + 1) * (CONTAINER + INDEX) {
            return Inserted::NoRoom;
        }
        *room -= BITMAP;
        let mut some = Vec::with_capacity(2 * (FEW + 1));
        some.extend(few);
        some.insert(few.partition_point(|other| *other < index), index);
        *room -= charged(&some);
        *self = Self::Some(some);
        Inserted::New
    }

    /// Puts names that were in a row into a bitmap.
    #[cold]
    fn spread(&mut self) {
        let Self::Some(some) = self else { unreachable!("only some names become many") };
        *self = Self::Many(some.iter().collect());
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Few(count, _) => (*count).into(),
            Self::Some(some) => some.len() as u64,
            Self::Many(bitmap) => bitmap.len(),
        }
    }

    pub(super) fn contains(&self, index: u32) -> bool {
        match self {
            Self::Few(count, few) => few[..usize::from(*count)].contains(&index),
            Self::Some(some) => some.binary_search(&index).is_ok(),
            Self::Many(bitmap) => bitmap.contains(index),
        }
    }

    /// Reads where [`Self::insert`] would read, and decides nothing by it.
    #[inline]
    pub(super) fn peek(&self) -> bool {
        match self {
            Self::Few(..) => false,
            Self::Some(some) => some.first().is_some_and(|least| *least > 0),
            Self::Many(bitmap) => bitmap.min().is_some_and(|least| least > 0),
        }
    }

    /// What was charged for it.
    pub(super) fn charged(&self) -> usize {
        match self {
            Self::Few(..) => 0,
            Self::Some(some) => BITMAP + charged(some),
            Self::Many(bitmap) => {
                let first = usize::from(bitmap.min().is_some_and(|index| index < SPAN));
                let further = bitmap.statistics().n_containers as usize - first;
                BITMAP + further * CONTAINER + bitmap.len() as usize * INDEX
            }
        }
    }

    /// The indices, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (few, many): (&[u32], _) = match self {
            Self::Few(count, few) => (&few[..usize::from(*count)], None),
            Self::Some(some) => (some, None),
            Self::Many(bitmap) => (&[], Some(bitmap.iter())),
        };
        few.iter().copied().chain(many.into_iter().flatten())
    }
}

/// Indices that share a container.
const SPAN: u32 = 1 << 16;

/// What a bitmap of these, ascending, is charged without itself.
fn charged(indices: &[u32]) -> usize {
    let containers = indices.chunk_by(|a, b| a / SPAN == b / SPAN);
    indices.len() * INDEX + containers.filter(|of_one| of_one[0] >= SPAN).count() * CONTAINER
}

/// What `index`, which was just put in, adds to `bitmap`. All names of a worm's list are below the first bound.
#[inline]
fn cost(bitmap: &RoaringBitmap, index: u32) -> usize {
    let container = index & !(SPAN - 1)..=index | (SPAN - 1);
    if index >= SPAN && bitmap.range_cardinality(container) == 1 { CONTAINER + INDEX } else { INDEX }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn few_and_many_are_sets() {
        let mut names = Names::NONE;
        let (mut oracle, mut room) = (BTreeSet::new(), 1 << 20);
        for step in 0..400_u32 {
            let index = step.wrapping_mul(2_654_435_761) >> (step % 3 * 8) & 0x000F_FFFF;
            for expected in [if oracle.insert(index) { Inserted::New } else { Inserted::Known }, Inserted::Known] {
                assert_eq!(names.insert(index, &mut room), expected);
            }
            assert!(names.iter().eq(oracle.iter().copied()), "{names:?}");
            assert!(oracle.iter().all(|index| names.contains(*index)) && !names.contains(0x0010_0000), "{names:?}");
            assert_eq!((names.len(), room + names.charged()), (oracle.len() as u64, 1 << 20));
        }
        assert_eq!(size_of::<Names>(), 32);
    }

    #[test]
    fn without_room_the_first_few_are_kept() {
        let (mut names, mut room) = (Names::NONE, 1_000);
        for index in 0..FEW as u32 {
            assert_eq!(names.insert(index, &mut room), Inserted::New);
        }
        assert_eq!((names.insert(7, &mut room), names.insert(4, &mut room)), (Inserted::NoRoom, Inserted::Known));
        room = 1_100;
        let mut kept = FEW as u32;
        while names.insert(kept, &mut room) == Inserted::New {
            kept += 1;
        }
        assert!(kept > 50 && room < CONTAINER + INDEX, "{kept} {room}");
        assert_eq!((names.insert(kept, &mut room), names.insert(9, &mut room)), (Inserted::NoRoom, Inserted::Known));
    }
}
