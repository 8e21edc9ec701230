//! What became of a packet: each is counted under exactly one of these.

/// What a packet was. One variant is one label in every report, and one row in docs/METRICS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// A DNS message with the response bit clear.
    DnsQuery,
    /// A DNS message with the response bit set.
    DnsResponse,
    /// A DNS header whose question cannot be read: cut, or against RFC 1035.
    DnsBadQuestion,
    /// UDP to or from a DNS port with fewer octets than a DNS header.
    DnsShort,
    /// TCP to or from a DNS port; streams are not put together.
    DnsTcp,
    /// A fragment of an IP datagram; datagrams are not put together.
    Fragment,
    /// A tunnel or label stack that is not opened.
    Encapsulated,
    /// IP without DNS.
    NotDns,
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// It ends inside the headers in front of the DNS message.
    Short,
    /// A header in front of the DNS message contradicts itself.
    Malformed,
    /// Of a link type that cannot be read.
    UnknownLink,
}

impl Outcome {
    /// All, in the order of reports.
    pub const ALL: [Self; 12] = [
        Self::DnsQuery,
        Self::DnsResponse,
        Self::DnsBadQuestion,
        Self::DnsShort,
        Self::DnsTcp,
        Self::Fragment,
        Self::Encapsulated,
        Self::NotDns,
        Self::NotIp,
        Self::Short,
        Self::Malformed,
        Self::UnknownLink,
    ];

    /// The label in reports and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::DnsQuery => "dns_query",
            Self::DnsResponse => "dns_response",
            Self::DnsBadQuestion => "dns_bad_question",
            Self::DnsShort => "dns_short",
            Self::DnsTcp => "dns_tcp",
            Self::Fragment => "fragment",
            Self::Encapsulated => "encapsulated",
            Self::NotDns => "not_dns",
            Self::NotIp => "not_ip",
            Self::Short => "short",
            Self::Malformed => "malformed",
            Self::UnknownLink => "unknown_link",
        }
    }

    /// What was lost, for a person: nothing when such packets cannot hold a DNS message that we missed.
    pub const fn loss(self) -> Option<&'static str> {
        match self {
            Self::DnsQuery | Self::DnsResponse | Self::NotDns | Self::NotIp => None,
            Self::DnsBadQuestion => Some("DNS messages whose question cannot be read"),
            Self::DnsShort => Some("packets on a DNS port too short for DNS"),
            Self::DnsTcp => Some("TCP segments on a DNS port, not put together"),
            Self::Fragment => Some("IP fragments, not put together"),
            Self::Encapsulated => Some("packets in a tunnel that is not opened"),
            Self::Short => Some("packets cut inside their headers"),
            Self::Malformed => Some("packets with contradictory headers"),
            Self::UnknownLink => Some("packets of a link type that is not read"),
        }
    }
}

/// How many packets had each outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Outcome::ALL.len()]);

impl Counts {
    /// Counts one packet.
    #[inline]
    pub const fn add(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    /// Adds those counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Packets with this outcome.
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// All packets.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_count_and_label() {
        let mut counts = Counts::default();
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
            (0..=place).for_each(|_| counts.add(outcome));
        }
        let twice = counts.clone();
        counts.merge(&twice);
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(counts.of(outcome), 2 * (place as u64 + 1));
        }
        assert_eq!(counts.total(), 12 * 13);
        let mut labels: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Outcome::ALL.len());
    }
}
