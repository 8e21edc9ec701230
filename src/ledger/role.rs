//! What a source is to the others: told from who answers, and from what is asked for.

use std::net::IpAddr;

use hashbrown::HashSet;

/// Addresses that are remembered to answer; further ones are taken for clients.
const BOUND: usize = 1 << 14;

/// What a source does in the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It asks for itself, or for a few behind an address that they share.
    Client,
    /// It answers, and has others resolve.
    Forwarder,
    /// It resolves for others.
    Resolver,
    /// Addresses are cut to networks, which hold all kinds.
    Unknown,
}

impl Role {
    /// The word in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Forwarder => "forwarder",
            Self::Resolver => "resolver",
            Self::Unknown => "unknown",
        }
    }
}

/// Who was seen to answer.
#[derive(Default)]
pub(super) struct Servers {
    answered: HashSet<IpAddr>,
    /// Set where sources are networks.
    pub(super) blind: bool,
}

impl Servers {
    pub(super) fn add(&mut self, server: IpAddr) {
        if !self.blind && (self.answered.len() < BOUND || self.answered.contains(&server)) {
            self.answered.insert(server);
        }
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &IpAddr> {
        self.answered.iter()
    }

    /// The role of a source of whose messages so many wanted recursion, and others not.
    pub(super) fn role(&self, source: IpAddr, recursive: u8, iterative: u8) -> Role {
        if self.blind {
            Role::Unknown
        } else if iterative > recursive {
            Role::Resolver
        } else if self.answered.contains(&source) {
            Role::Forwarder
        } else {
            Role::Client
        }
    }
}
