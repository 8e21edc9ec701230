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

impl Verdict {
    /// Judges evidence: names that nobody owns against the number that chance does not explain, see
    /// [`Rule`](super::Rule). Whoever reads lists is not infected.
    pub fn of(evidence: &Evidence) -> Self {
        let sure = evidence.telling_names() >= evidence.names_needed() && !evidence.is_reader();
        if sure { Self::Infected } else { Self::Suspect }
    }

    /// The word in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Infected => "infected",
        }
    }
}
