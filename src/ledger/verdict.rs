//! The rule that turns evidence into a verdict, and nothing else.

use super::Evidence;

/// What the evidence of one source, family and list day says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub enum Verdict {
    /// It asked for listed names, but too few to be sure.
    Suspect,
    /// A host behind it runs the worm.
    Infected,
}

/// Distinct names of one family and list day from which chance is no explanation any more. An infected host asks for
/// all 250 (A and B) or 500 (C) within hours; whoever means one real site asks for one.
pub(super) const NAMES_TO_BE_SURE: u64 = 3;

impl Verdict {
    /// Judges evidence. Known collisions count for nothing: their visitors are honest.
    pub fn of(evidence: &Evidence) -> Self {
        if evidence.telling_names() >= NAMES_TO_BE_SURE { Self::Infected } else { Self::Suspect }
    }

    /// The word in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Infected => "infected",
        }
    }
}
