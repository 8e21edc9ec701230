//! The first look at a name, which leaves most alone: two octets that the decoder has in its registers, one load.

use super::shape::Gate;
use super::{Patterns, SearchList};
use crate::name::RawName;

/// For each length of a name in wire form the lengths of first labels, as bits.
pub(super) type Shapes = [u64; 256];

/// Which names are worth a closer look; wrong in one direction only.
///
/// One table answers for families and for all else, so that patterns cost names nothing that families have no use for.
pub(super) struct Glance {
    any: Shapes,
    others: Shapes,
}

impl Glance {
    /// Whole names to be watched are told by their length and their first label's: of a hundred honest names one or two
    /// share both with a built-in indicator. Nothing of the kind is known of what ends in a suffix or holds a text: where
    /// there are such patterns, all names are worth it.
    pub(super) fn new(gate: &Gate, patterns: &Patterns, search_list: &SearchList) -> Self {
        let all = patterns.has_texts() || patterns.suffixes().next().is_some() || search_list.len() > 0;
        let mut others = [if all { u64::MAX } else { 0 }; 256];
        for wire in patterns.names() {
            others[wire.len()] |= 1 << wire[0];
        }
        let mut any = gate.shapes();
        any.iter_mut().zip(&others).for_each(|(any, other)| *any |= other);
        Self { any, others }
    }

    /// Whether a name is worth anything.
    #[inline]
    pub(super) fn opens(&self, name: RawName<'_>) -> bool {
        Self::look(&self.any, name)
    }

    /// Whether it is worth a look for patterns, and for what clients append.
    #[inline]
    pub(super) fn opens_for_others(&self, name: RawName<'_>) -> bool {
        Self::look(&self.others, name)
    }

    #[inline]
    fn look(shapes: &Shapes, name: RawName<'_>) -> bool {
        let wire = name.as_wire();
        // A name has at most 255 octets and a label at most 63, so nothing is cut off here.
        shapes[wire.len() & 255] >> (wire[0] & 63) & 1 > 0
    }
}
