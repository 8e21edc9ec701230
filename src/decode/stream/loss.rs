//! What became of the octets of streams: those lost, by reason, and the sums that must agree.

/// Why octets or messages were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in crate::decode) enum StreamLoss {
    /// A hole: octets that no packet brought, though their neighbours came. Its octets were never seen.
    Hole,
    /// The snap length cut a segment. Its octets were never seen.
    Cut,
    /// A message with a hole in it, or cut before its header ended: its octets that were of no use.
    Torn,
    /// Octets passed over in search of the next message.
    Desync,
    /// A message that a FIN, a RST, a new connection or the end of input broke off.
    Unfinished,
    /// A message whose connection fell silent.
    Idle,
    /// A connection or message that went because a bound was reached.
    Evicted,
    /// Octets that came when their place had been given up, or lay before the first ones seen.
    Late,
}

impl StreamLoss {
    /// All, in the order of reports.
    pub(in crate::decode) const ALL: [Self; 8] =
        [Self::Hole, Self::Cut, Self::Torn, Self::Desync, Self::Unfinished, Self::Idle, Self::Evicted, Self::Late];

    /// Whether its octets were captured: those of the others are missing from the capture itself.
    pub(in crate::decode) const fn was_seen(self) -> bool {
        !matches!(self, Self::Hole | Self::Cut)
    }
}

/// How often each loss happened, and how many octets it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::decode) struct Losses {
    events: [u64; StreamLoss::ALL.len()],
    octets: [u64; StreamLoss::ALL.len()],
}

impl Losses {
    /// Holes, cut segments, messages, connections: whatever the reason names.
    pub(in crate::decode) const fn events(&self, loss: StreamLoss) -> u64 {
        self.events[loss as usize]
    }

    /// Octets of payload, length octets included.
    pub(in crate::decode) const fn octets(&self, loss: StreamLoss) -> u64 {
        self.octets[loss as usize]
    }

    /// Octets that were captured and given up.
    pub(in crate::decode) fn seen_octets(&self) -> u64 {
        StreamLoss::ALL.into_iter().filter(|loss| loss.was_seen()).map(|loss| self.octets(loss)).sum()
    }

    /// Whether nothing was lost.
    #[cfg(test)]
    pub(in crate::decode) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) const fn add_event(&mut self, loss: StreamLoss) {
        self.events[loss as usize] += 1;
    }

    /// More octets of an event that was counted already.
    pub(super) const fn add_octets(&mut self, loss: StreamLoss, octets: u64) {
        self.octets[loss as usize] += octets;
    }
}

/// Where the octets of payload went: `taken` = `delivered` + `repeated` + [`Losses::seen_octets`] + those still held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::decode) struct Octets {
    /// Captured payload that came in.
    pub(in crate::decode) taken: u64,
    /// Given out as messages, whole or not, length octets included.
    pub(in crate::decode) delivered: u64,
    /// No news: retransmissions, keep-alive probes, the text of a RST.
    pub(in crate::decode) repeated: u64,
}
