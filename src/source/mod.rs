//! Where packets come from: capture files and pipes in pcap, pcapng or snoop, compressed or not, folders that a capture
//! is being written to, and interfaces. And what resolvers say of messages themselves, by dnstap, in files and through sockets.
//!
//! An input is read in large blocks; [`Layout::walk`] hands over the records of a block without copying them. The
//! unread end of a block goes in front of the next. Several threads read [`Parts`] of one file, where that can be; else they have
//! [`Capture::walk`] find where the last whole record of a block ends, and take it with the layout as it was before.

mod ahead;
mod capture;
mod classic;
mod dnstap;
#[cfg(feature = "live")]
mod feed;
mod follow;
mod input;
#[cfg(feature = "live")]
mod live;
mod lookahead;
mod mapped;
mod memory;
mod packed;
mod parts;
mod pcapng;
#[cfg(feature = "live")]
mod ring;
mod snoop;

pub use self::capture::Capture;
#[cfg(feature = "live")]
pub use self::dnstap::{DnstapAddress, DnstapListener};
#[cfg(feature = "live")]
pub use self::feed::Feed;
pub use self::follow::{Follow, Followed};
pub use self::input::Input;
#[cfg(feature = "live")]
pub use self::live::{Filter, Intake, LiveConfig, Tap, TapCounts};
pub use self::mapped::map;
pub use self::parts::{Parts, Reached, Stretch};

use std::fmt;
use std::io;

use crate::day::Timestamp;

/// One packet as captured.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When, by the capture.
    pub time: Timestamp,
    /// What `data` begins with.
    pub link: LinkType,
    /// Octets captured.
    pub data: &'a [u8],
}

/// What a packet begins with: a number of the LINKTYPE registry (tcpdump.org, "Link-layer header types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IEEE 802.5.
    pub const TOKEN_RING: Self = Self(6);
    /// ARCNET, as BSD captures it.
    pub const ARCNET: Self = Self(7);
    /// PPP.
    pub const PPP: Self = Self(9);
    /// FDDI.
    pub const FDDI: Self = Self(10);
    /// IP, as most systems numbered it before the registry.
    pub const RAW_DLT: Self = Self(12);
    /// IP, as OpenBSD numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC framing, or Cisco's.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE session packets without their Ethernet header.
    pub const PPP_ETHER: Self = Self(51);
    /// LLC over ATM.
    pub const ATM_RFC1483: Self = Self(100);
    /// IP, version by its first four bits.
    pub const RAW: Self = Self(101);
    /// Cisco's HDLC.
    pub const C_HDLC: Self = Self(104);
    /// 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// Frame Relay.
    pub const FRAME_RELAY: Self = Self(107);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// OpenBSD IPsec.
    pub const ENC: Self = Self(109);
    /// Linux "any" interface.
    pub const LINUX_SLL: Self = Self(113);
    /// OpenBSD packet filter log.
    pub const PFLOG: Self = Self(117);
    /// 802.11 behind a Prism header.
    pub const IEEE802_11_PRISM: Self = Self(119);
    /// IP over Fibre Channel.
    pub const IP_OVER_FC: Self = Self(122);
    /// SunATM.
    pub const SUNATM: Self = Self(123);
    /// 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// ARCNET, as Linux captures it.
    pub const ARCNET_LINUX: Self = Self(129);
    /// 802.11 behind an AVS header.
    pub const IEEE802_11_AVS: Self = Self(163);
    /// PPP with the direction in place of the address.
    pub const PPP_PPPD: Self = Self(166);
    /// Per-packet information, then another link type.
    pub const PPI: Self = Self(192);
    /// PPP behind an octet of direction.
    pub const PPP_WITH_DIRECTION: Self = Self(204);
    /// Cisco's HDLC behind an octet of direction.
    pub const C_HDLC_WITH_DIRECTION: Self = Self(205);
    /// Frame Relay behind an octet of direction.
    pub const FRAME_RELAY_WITH_DIRECTION: Self = Self(206);
    /// MPLS.
    pub const MPLS: Self = Self(219);
    /// IPv4.
    pub const IPV4: Self = Self(228);
    /// IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log.
    pub const NFLOG: Self = Self(239);
    /// Hilscher netANALYZER: Ethernet behind four octets.
    pub const NETANALYZER: Self = Self(240);
    /// The same with a preamble.
    pub const NETANALYZER_TRANSPARENT: Self = Self(241);
    /// Ethernet with a preamble (IEEE 802.3br).
    pub const ETHERNET_MPACKET: Self = Self(274);
    /// Linux "any" interface, version 2.
    pub const LINUX_SLL2: Self = Self(276);
    /// A frame of dnstap: no packet, but a message and what a server says of it. A number that no file can have: pcap's
    /// have 28 bits, pcapng's 16.
    pub const DNSTAP: Self = Self(1 << 30);
}

/// Takes records one after the other. Where a closure would do but for one thing: what it does is copied into the loop that most
/// captures are read in, as a call for each record costs a thirtieth of all that is done for it.
pub trait Each<'o> {
    /// Takes the next. To be `inline(always)`.
    fn take(&mut self, record: Record<'o>);

    /// The same for a while: a loop that owns it keeps what it consists of in registers.
    fn lend(&mut self) -> impl Each<'o>;
}

/// How the records of an input are laid out, as far as it was read.
#[derive(Clone, Debug)]
pub struct Layout(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Classic(classic::Header),
    Blocks(pcapng::Section),
    Snoop(snoop::Header),
    Dnstap(dnstap::Stream),
}

/// How far a walk came.
#[derive(Debug)]
#[must_use]
pub struct Walk {
    /// Octets of whole records, from the start.
    pub consumed: usize,
    /// Octets that the record behind them takes, as far as is known.
    wanted: usize,
    /// Why nothing behind them can be read.
    damage: Option<String>,
}

impl Layout {
    /// Hands over the records of `octets` in their order, up to the first that is not whole.
    #[inline]
    pub fn walk<'o>(&mut self, octets: &'o [u8], each: impl FnMut(Record<'o>)) -> Walk {
        match &mut self.0 {
            Kind::Classic(header) => header.walk(octets, each),
            Kind::Blocks(section) => section.walk(octets, each),
            Kind::Snoop(header) => header.walk(octets, each),
            Kind::Dnstap(stream) => stream.walk(octets, each),
        }
    }

    /// The same, for the hot loop.
    #[inline]
    pub fn walk_into<'o>(&mut self, octets: &'o [u8], each: &mut impl Each<'o>) -> Walk {
        match &self.0 {
            Kind::Classic(header) if header.is_usual() => header.walk_usual(octets, each.lend()),
            _ => self.walk(octets, |record| each.take(record)),
        }
    }
}

/// What compressed input may unpack to, so that a small hostile file cannot keep us busy for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets.
    pub unpacked: u64,
    /// Times the octets of the file.
    pub ratio: u64,
}

impl Limits {
    /// A day of a busy link, and more than captures compress by: 5 to 20 times, a flood of one packet 100 times.
    pub const USUAL: Self = Self { unpacked: 1 << 40, ratio: 250 };
}

/// Why an input could not be read, or not further.
#[derive(Debug)]
pub enum Failure {
    /// The system refused.
    Read(io::Error),
    /// Nothing in it.
    Empty,
    /// In no format that we read.
    Unknown,
    /// Compressed with this program, which we do not undo.
    Compressed(&'static str),
    /// What it unpacks to is bad.
    Inside(Box<Self>),
    /// Why it could not be unpacked, or not further.
    Unpack(String),
    /// What follows this octet makes no sense, and why.
    Damaged(u64, String),
    /// It ends inside the record that begins at this octet.
    Cut(u64),
}

impl Failure {
    /// Whether this tells of something that is no capture, rather than of a bad one.
    const fn is_of_no_capture(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Inside(failure) => failure.is_of_no_capture(),
            _ => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot be read: {error}"),
            Self::Empty => f.write_str("is empty"),
            Self::Unknown => f.write_str("is not a capture: it begins like none of pcap, pcapng, snoop, dnstap"),
            Self::Compressed(program) => {
                write!(f, "is compressed: unpack it first, or pipe it in with `{program} -dc FILE | dgawatch replay -`")
            }
            Self::Inside(failure) => write!(f, "once unpacked {failure}"),
            Self::Unpack(why) => f.write_str(why),
            Self::Damaged(at, why) => write!(f, "is damaged at octet {at}: {why}; what came before was read"),
            Self::Cut(at) => write!(f, "is cut: it ends inside the record at octet {at}; what came before was read"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    /// What reads from compressed input hands its failures on in the system's form.
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Read)
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::other(failure)
    }
}

/// A number of 16 bits at an offset, if that many octets are there.
#[inline]
fn u16_at(octets: &[u8], at: usize, swapped: bool) -> Option<u16> {
    let value = u16::from_le_bytes(*octets.get(at..)?.first_chunk()?);
    Some(if swapped { value.swap_bytes() } else { value })
}

/// A number of 32 bits at an offset, if that many octets are there; little-endian unless `swapped`.
#[inline]
fn u32_at(octets: &[u8], at: usize, swapped: bool) -> Option<u32> {
    let value = u32::from_le_bytes(*octets.get(at..)?.first_chunk()?);
    Some(if swapped { value.swap_bytes() } else { value })
}
