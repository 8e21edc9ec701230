//! Queues through slots that are kept elsewhere and never move: each slot knows its neighbours by their places.

/// No place.
pub(crate) const NONE: u32 = u32::MAX;

/// A slot's neighbours in its queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    older: u32,
    pub(crate) younger: u32,
}

impl Links {
    /// Those of a slot that is in no queue.
    pub(crate) const NONE: Self = Self { older: NONE, younger: NONE };
}

/// A slot that can be in a queue, one at a time.
pub(crate) trait Linked {
    /// Its neighbours.
    fn links(&mut self) -> &mut Links;
}

/// A queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    pub(crate) oldest: u32,
    pub(crate) youngest: u32,
    pub(crate) count: usize,
}

impl Queue {
    /// One without slots.
    pub(crate) const EMPTY: Self = Self { oldest: NONE, youngest: NONE, count: 0 };

    /// Puts the slot at a place, which is in no queue, behind the others.
    #[inline]
    pub(crate) fn push(&mut self, slots: &mut [impl Linked], place: u32) {
        let older = std::mem::replace(&mut self.youngest, place);
        self.count += 1;
        match slots.get_mut(older as usize) {
            Some(older) => older.links().younger = place,
            None => self.oldest = place,
        }
        *slots[place as usize].links() = Links { older, younger: NONE };
    }

    /// Takes out the slot at a place, which is in this queue.
    #[inline]
    pub(crate) fn remove(&mut self, slots: &mut [impl Linked], place: u32) {
        let Links { older, younger } = *slots[place as usize].links();
        self.count -= 1;
        match slots.get_mut(older as usize) {
            Some(older) => older.links().younger = younger,
            None => self.oldest = younger,
        }
        match slots.get_mut(younger as usize) {
            Some(younger) => younger.links().older = older,
            None => self.youngest = older,
        }
    }
}
