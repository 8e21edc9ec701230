//! What a source is to the others: told from who answers, and from what is asked for.

use std::net::IpAddr;

use hashbrown::HashSet;

/// Addresses that are remembered to answer; further ones are taken for clients.
const BOUND: usize = 1 << 14;

/// Addresses that are known at a glance.
const KNOWN: usize = 16;

/// What a source does in the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It asks for itself, or for a few behind an address that they share.
    Client,
    /// It answers, and has others resolve, who were seen to ask for it.
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
    /// Some of them by their lowest bits: most answers come from few, which need not be put in again.
    known: [Option<IpAddr>; KNOWN],
    /// Set where sources are networks.
    pub(super) blind: bool,
}

impl Servers {
    #[inline]
    pub(super) fn add(&mut self, server: IpAddr) {
        let lowest = match server {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(address) => address.octets()[15],
        };
        let known = &mut self.known[usize::from(lowest) % KNOWN];
        if *known == Some(server) || self.blind {
            return;
        }
        if self.answered.len() < BOUND || self.answered.contains(&server) {
            self.answered.insert(server);
            *known = Some(server);
        }
    }

    /// Whether an address was seen to answer.
    pub(super) fn has(&self, server: IpAddr) -> bool {
        self.answered.contains(&server)
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &IpAddr> {
        self.answered.iter()
    }

    /// The role of a source of whose messages so many wanted recursion, and others not; `forwards` where whoever answers it
    /// asks too.
    pub(super) fn role(&self, source: IpAddr, (recursive, iterative): (u8, u8), forwards: bool) -> Role {
        if self.blind {
            Role::Unknown
        } else if iterative > recursive {
            Role::Resolver
        } else if !self.answered.contains(&source) {
            Role::Client
        } else if forwards {
            Role::Forwarder
        } else {
            Role::Resolver
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn roles_by_who_answers_and_how_is_asked() {
        let address = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let mut servers = Servers::default();
        servers.add(address(53));
        for (last, asked, forwards, expected) in [
            (1, (9, 0), false, Role::Client),
            (1, (9, 0), true, Role::Client),
            (1, (2, 9), false, Role::Resolver),
            (53, (9, 0), false, Role::Resolver),
            (53, (9, 0), true, Role::Forwarder),
            (53, (0, 9), true, Role::Resolver),
        ] {
            assert_eq!(servers.role(address(last), asked, forwards), expected, "{last} {asked:?} {forwards}");
        }
        // Further ones than can be remembered are clients.
        (0..=BOUND as u32).for_each(|n| servers.add(IpAddr::V4(n.into())));
        assert_eq!((servers.iter().len(), servers.role(address(54), (1, 0), false)), (BOUND, Role::Client));
        servers.blind = true;
        assert_eq!(servers.role(address(53), (0, 9), false), Role::Unknown);
    }
}
