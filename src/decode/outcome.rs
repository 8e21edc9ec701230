//! What is counted: what became of each packet, what each DNS message is, what was given up of those that are put together.

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
    /// A TCP segment to or from a DNS port; what becomes of it is counted by messages and [`GivenUp`].
    DnsTcp,
    /// A fragment of an IP datagram; what becomes of it is counted by messages and [`GivenUp`].
    Fragment,
    /// A frame of dnstap; what becomes of it is counted by messages and [`GivenUp`].
    Dnstap,
    /// In a tunnel that is not opened: nested too deep, encrypted, or to stay closed.
    Encapsulated,
    /// TCP that asks for a connection of DNS over TLS, which cannot be read.
    DnsTlsStart,
    /// All else to or from its port.
    DnsTls,
    /// UDP with what a client begins a connection of DNS over QUIC with, which cannot be read.
    DnsQuicStart,
    /// All else to or from its ports.
    DnsQuic,
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
    pub const ALL: [Self; 17] = [
        Self::DnsQuery,
        Self::DnsResponse,
        Self::DnsBadQuestion,
        Self::DnsShort,
        Self::DnsTcp,
        Self::Fragment,
        Self::Dnstap,
        Self::Encapsulated,
        Self::DnsTlsStart,
        Self::DnsTls,
        Self::DnsQuicStart,
        Self::DnsQuic,
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
            Self::Dnstap => "dnstap",
            Self::Encapsulated => "encapsulated",
            Self::DnsTlsStart => "dns_tls_start",
            Self::DnsTls => "dns_tls",
            Self::DnsQuicStart => "dns_quic_start",
            Self::DnsQuic => "dns_quic",
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
            Self::DnsQuery | Self::DnsResponse | Self::DnsTcp | Self::Fragment | Self::Dnstap | Self::NotDns | Self::NotIp => {
                None
            }
            Self::DnsBadQuestion => Some("DNS messages whose question cannot be read"),
            Self::DnsShort => Some("packets on a DNS port too short for DNS"),
            Self::Encapsulated => Some("packets in a tunnel that was not opened"),
            Self::DnsTlsStart => Some("beginnings of connections of DNS over TLS"),
            Self::DnsTls => Some("further packets of DNS over TLS"),
            Self::DnsQuicStart => Some("beginnings of connections of DNS over QUIC"),
            Self::DnsQuic => Some("further packets of DNS over QUIC"),
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

    /// Counts several packets.
    pub const fn add_many(&mut self, outcome: Outcome, count: u64) {
        self.0[outcome as usize] += count;
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

/// What carried a DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Transport {
    /// UDP, in one packet or in fragments.
    Udp,
    /// TCP.
    Tcp,
    /// TLS (RFC 7858), as dnstap tells.
    Tls,
    /// HTTPS (RFC 8484), as dnstap tells.
    Https,
    /// QUIC (RFC 9250), as dnstap tells.
    Quic,
}

impl Transport {
    /// All.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Https, Self::Quic];

    /// The label in reports and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Https => "https",
            Self::Quic => "quic",
        }
    }

    /// What IP carried, UDP or TCP: what a port is of, and what tells who was behind it. HTTPS is taken for TCP, because
    /// dnstap does not tell HTTP/3 from the others.
    #[must_use]
    pub const fn carrier(self) -> Self {
        match self {
            Self::Udp | Self::Quic => Self::Udp,
            Self::Tcp | Self::Tls | Self::Https => Self::Tcp,
        }
    }
}

/// What a DNS message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The response bit is clear.
    Query,
    /// The response bit is set.
    Response,
    /// Its question cannot be read: cut, or against RFC 1035.
    Unreadable,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 3] = [Self::Query, Self::Response, Self::Unreadable];

    /// The label in reports and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Response => "response",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How many DNS messages there were of each kind: every one is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages([[u64; Kind::ALL.len()]; Transport::ALL.len()]);

impl Messages {
    /// Those of the packets that held a whole one.
    pub const fn in_packets(counts: &Counts) -> Self {
        let of = [counts.of(Outcome::DnsQuery), counts.of(Outcome::DnsResponse), counts.of(Outcome::DnsBadQuestion)];
        let mut messages = [[0; Kind::ALL.len()]; Transport::ALL.len()];
        messages[Transport::Udp as usize] = of;
        Self(messages)
    }

    /// Counts one message.
    pub const fn add(&mut self, transport: Transport, kind: Kind) {
        self.add_many(transport, kind, 1);
    }

    /// Counts several messages.
    pub const fn add_many(&mut self, transport: Transport, kind: Kind, count: u64) {
        self.0[transport as usize][kind as usize] += count;
    }

    /// Adds those counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.0.as_flattened_mut().iter_mut().zip(other.0.as_flattened()).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Messages of a kind over a transport.
    pub const fn of(&self, transport: Transport, kind: Kind) -> u64 {
        self.0[transport as usize][kind as usize]
    }

    /// All messages.
    pub fn total(&self) -> u64 {
        self.0.as_flattened().iter().sum()
    }
}

/// Why a part of a message that took several packets, or a frame of dnstap, was given up. One variant is one label in every report, and one
/// row in docs/METRICS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum GivenUp {
    /// Fragments of a datagram of which two overlap (RFC 5722).
    FragmentOverlap,
    /// Fragments of a datagram that contradict each other, reach too far or are empty.
    FragmentMalformed,
    /// Fragments of a datagram of which the snap length cut one.
    FragmentCut,
    /// Fragments whose others did not come in time.
    FragmentTimeout,
    /// Fragments that went because the table was full.
    FragmentEvicted,
    /// Fragments that still waited when the input ended.
    FragmentUnfinished,
    /// Holes in TCP streams: octets that no packet brought though their neighbours came.
    StreamHole,
    /// TCP segments cut by the snap length.
    StreamCut,
    /// Messages over TCP with a hole in them.
    StreamTorn,
    /// Searches for the next message in a TCP stream.
    StreamDesync,
    /// Messages over TCP that the end of the connection or of the input broke off.
    StreamUnfinished,
    /// Messages over TCP whose connection fell silent.
    StreamIdle,
    /// TCP streams that went because a bound was reached.
    StreamEvicted,
    /// TCP segments that came when their place had been given up.
    StreamLate,
    /// Frames of dnstap that contradict themselves.
    DnstapMalformed,
    /// Frames of dnstap without a message, without who asked, or of a type that is not known.
    DnstapIncomplete,
}

impl GivenUp {
    /// All, in the order of reports.
    pub const ALL: [Self; 16] = [
        Self::FragmentOverlap,
        Self::FragmentMalformed,
        Self::FragmentCut,
        Self::FragmentTimeout,
        Self::FragmentEvicted,
        Self::FragmentUnfinished,
        Self::StreamHole,
        Self::StreamCut,
        Self::StreamTorn,
        Self::StreamDesync,
        Self::StreamUnfinished,
        Self::StreamIdle,
        Self::StreamEvicted,
        Self::StreamLate,
        Self::DnstapMalformed,
        Self::DnstapIncomplete,
    ];

    /// The label in reports and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::FragmentOverlap => "fragment_overlap",
            Self::FragmentMalformed => "fragment_malformed",
            Self::FragmentCut => "fragment_cut",
            Self::FragmentTimeout => "fragment_timeout",
            Self::FragmentEvicted => "fragment_evicted",
            Self::FragmentUnfinished => "fragment_unfinished",
            Self::StreamHole => "stream_hole",
            Self::StreamCut => "stream_cut",
            Self::StreamTorn => "stream_torn",
            Self::StreamDesync => "stream_desync",
            Self::StreamUnfinished => "stream_unfinished",
            Self::StreamIdle => "stream_idle",
            Self::StreamEvicted => "stream_evicted",
            Self::StreamLate => "stream_late",
            Self::DnstapMalformed => "dnstap_malformed",
            Self::DnstapIncomplete => "dnstap_incomplete",
        }
    }

    /// What was lost, for a person.
    pub const fn loss(self) -> &'static str {
        match self {
            Self::FragmentOverlap => "IP fragments that overlap",
            Self::FragmentMalformed => "IP fragments that contradict each other",
            Self::FragmentCut => "IP fragments cut by the snap length",
            Self::FragmentTimeout => "IP fragments whose others did not come",
            Self::FragmentEvicted => "IP fragments for which there was no room",
            Self::FragmentUnfinished => "IP fragments whose others had not come at the end",
            Self::StreamHole => "holes in DNS over TCP",
            Self::StreamCut => "segments of DNS over TCP cut by the snap length",
            Self::StreamTorn => "messages over TCP with a hole in them",
            Self::StreamDesync => "searches for a message in DNS over TCP",
            Self::StreamUnfinished => "messages over TCP that were broken off",
            Self::StreamIdle => "messages over TCP that were not finished in time",
            Self::StreamEvicted => "streams of DNS over TCP for which there was no room",
            Self::StreamLate => "segments of DNS over TCP that came too late",
            Self::DnstapMalformed => "frames of dnstap that contradict themselves",
            Self::DnstapIncomplete => "frames of dnstap that lack a message or who asked",
        }
    }
}

/// How much was given up, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUpCounts([u64; GivenUp::ALL.len()]);

impl GivenUpCounts {
    /// Counts one.
    pub(super) const fn add(&mut self, why: GivenUp) {
        self.add_many(why, 1);
    }

    /// Counts several.
    pub const fn add_many(&mut self, why: GivenUp, count: u64) {
        self.0[why as usize] += count;
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// How much was given up for a reason: fragments, segments, holes, messages, as it says.
    pub const fn of(&self, why: GivenUp) -> u64 {
        self.0[why as usize]
    }

    /// All that was given up.
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
        assert_eq!(counts.total(), (Outcome::ALL.len() * (Outcome::ALL.len() + 1)) as u64);
        let mut labels: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Outcome::ALL.len());
    }
}
