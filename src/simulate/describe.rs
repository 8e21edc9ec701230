//! What a population is made of: the members of a description, as TOML or JSON would have them. docs/SIMULATE.md is the guide.

use std::net::IpAddr;

use serde::Deserialize;

use super::value::{Moment, Network, Range, Span};

/// A population, and what a tap sees of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// When the capture begins, UTC.
    #[serde(deserialize_with = "text")]
    pub start: Moment,
    /// How long it is.
    #[serde(deserialize_with = "text")]
    pub duration: Span,
    /// Share of packets that the tap loses.
    #[serde(default)]
    pub loss: f64,
    /// Packets lost in a row, on average.
    #[serde(default = "one")]
    pub loss_burst: f64,
    /// Families that the truth speaks of beside those that somebody asks for.
    #[serde(default)]
    pub watch: Vec<String>,
    /// List days before and after a packet's own that the truth counts, as `--skew` of a sensor.
    #[serde(default = "one")]
    pub skew: u16,
    /// What listed names resolve to.
    #[serde(default)]
    pub answers: Answers,
    /// Who is asked.
    pub resolver: Vec<Resolver>,
    /// Honest clients.
    #[serde(default)]
    pub clean: Vec<Clean>,
    /// Hosts with a worm.
    #[serde(default)]
    pub infected: Vec<Infected>,
    /// Addresses that read a list aloud.
    #[serde(default)]
    pub reader: Vec<Reader>,
}

impl Description {
    /// Multiplies the number of hosts and clients in every group; one that has any keeps one.
    pub fn scale(&mut self, factor: f64) {
        let scale = |count: &mut u64| *count = ((*count as f64 * factor).round() as u64).max(u64::from(*count > 0));
        self.clean.iter_mut().for_each(|group| scale(&mut group.count));
        self.infected.iter_mut().for_each(|group| scale(&mut group.count));
    }
}

/// What the authorities say of listed names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Seconds for which a denial may be kept: both the TTL and the MINIMUM of the zone's SOA, one for each zone.
    #[serde(default = "quarter_hour")]
    pub negative_ttl: Range,
    /// Seconds for which an address may be kept.
    #[serde(default = "five_minutes")]
    pub positive_ttl: u32,
    /// Zones that are signed.
    #[serde(default)]
    pub signed: Option<Signed>,
    /// Names that defenders hold.
    #[serde(default)]
    pub sinkhole: Option<Held>,
    /// Names that the worm's owner holds.
    #[serde(default)]
    pub rendezvous: Option<Held>,
    /// Names that he registers while the capture is made.
    #[serde(default)]
    pub live: Vec<Live>,
}

impl Default for Answers {
    fn default() -> Self {
        let (signed, sinkhole, rendezvous, live) = (None, None, None, vec![]);
        Self { negative_ttl: quarter_hour(), positive_ttl: five_minutes(), signed, sinkhole, rendezvous, live }
    }
}

/// Zones whose denials name the gap that a name falls into (NSEC, RFC 4034 §4).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Which part of the zones.
    pub share: f64,
    /// Names that a zone holds, one number for each.
    pub names: Range,
}

/// Listed names that somebody registered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Which part of each list.
    pub share: f64,
    /// Where they lead to; each name to one of these.
    pub addresses: Vec<std::net::Ipv4Addr>,
}

/// A listed name that does not exist, then leads somewhere.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    /// Whose.
    pub family: String,
    /// On the list of which day.
    #[serde(deserialize_with = "text")]
    pub list_day: Moment,
    /// Its place there, from 0.
    pub place: u32,
    /// From when on, after the start of the capture.
    #[serde(deserialize_with = "text")]
    pub at: Span,
    /// Where it leads.
    pub address: std::net::Ipv4Addr,
    /// For how many seconds that may be kept.
    #[serde(default = "five_minutes")]
    pub ttl: u32,
}

/// Listed names that a resolver does not look up.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Which part of each list.
    #[serde(default = "all")]
    pub share: f64,
    /// What it says instead.
    pub with: Block,
}

/// What resolvers say of names that they block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// That there is no such name, as response policy zones do.
    Nxdomain,
    /// That they will not say.
    Refused,
    /// 0.0.0.0, or `::`.
    Zero,
}

/// A resolver or forwarder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    /// How clients refer to it.
    pub name: String,
    /// One address, or one of each version.
    pub addresses: Vec<IpAddr>,
    /// The resolver that it forwards to; without, it asks the authorities.
    #[serde(default)]
    pub upstream: Option<String>,
    /// Which of its sides the tap sees.
    pub sees: Sees,
    /// Whether responses are in the capture.
    #[serde(default = "yes")]
    pub responses: bool,
    /// Caches behind the address; each query meets one of them. 0 for none.
    #[serde(default = "one")]
    pub caches: u64,
    /// Bounds on how long it keeps a denial, in seconds, whatever the zone says. BIND keeps one for 10,800 at most.
    #[serde(default = "three_hours")]
    pub negative_ttl: Range,
    /// Whether it mixes the case of the names that it asks for (draft-vixie-dnsext-dns0x20).
    #[serde(default)]
    pub mixes_case: bool,
    /// Whether it denies from its cache what falls into a gap of a signed zone that it knows (RFC 8198).
    #[serde(default)]
    pub aggressive_nsec: bool,
    /// Names that it blocks.
    #[serde(default)]
    pub blocks: Option<Blocks>,
}

/// Which sides of a resolver are in view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sees {
    /// Between clients and the resolver.
    Clients,
    /// Between the resolver and whom it asks.
    Upstream,
    /// Both.
    Both,
    /// Neither.
    Nothing,
}

impl Sees {
    pub(super) fn clients(self) -> bool {
        matches!(self, Self::Clients | Self::Both)
    }

    pub(super) fn upstream(self) -> bool {
        matches!(self, Self::Upstream | Self::Both)
    }
}

/// Honest clients that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clean {
    /// How many.
    pub count: u64,
    /// Their addresses, from the first of the network on.
    #[serde(deserialize_with = "text")]
    pub addresses: Network,
    /// How many share one.
    #[serde(default = "one")]
    pub per_address: u64,
    /// Whom they ask.
    pub resolver: String,
    /// Queries an hour, each.
    pub rate: f64,
    /// How many names there are to ask for; the n-th is asked for 1/n as often as the first.
    #[serde(default = "ten_thousand")]
    pub names: u32,
    /// Share of these that do not exist.
    #[serde(default = "twentieth")]
    pub missing: f64,
    /// Share of queries sent a second time, with the same id.
    #[serde(default)]
    pub retransmissions: f64,
    /// Sites whose names are on a list by chance.
    #[serde(default)]
    pub collisions: Vec<Collisions>,
}

/// Honest sites on a worm's list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collisions {
    /// Whose list.
    pub family: String,
    /// Shares of clients that visit one of them on the day of the list, for each.
    #[serde(default)]
    pub shares: Vec<f64>,
    /// How many more there are.
    #[serde(default)]
    pub others: u32,
    /// Least and largest share of clients that visit one of those; evenly spread by order of magnitude.
    #[serde(default = "rare")]
    pub other_shares: Range,
    /// Random names of the list that a client asks for on a day, on average: typing errors and the like.
    #[serde(default)]
    pub stray: f64,
}

/// Infected hosts that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Infected {
    /// What they have.
    pub family: String,
    /// How many.
    pub count: u64,
    /// Their addresses, from the first of the network on.
    #[serde(deserialize_with = "text")]
    pub addresses: Network,
    /// How many share one.
    #[serde(default = "one")]
    pub per_address: u64,
    /// Whom they ask.
    pub resolver: String,
    /// Where what is not said here is taken from. Families without known habits need names, pace, and cycle or sleep.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// Names in a round.
    #[serde(default)]
    pub names: Option<u32>,
    /// Which, and in which order.
    #[serde(default)]
    pub order: Option<Order>,
    /// Names asked for within a second, before the next pause.
    #[serde(default)]
    pub batch: Option<u32>,
    /// Seconds from one batch to the next.
    #[serde(default)]
    pub pace: Option<Range>,
    /// From the start of one round to the next.
    #[serde(default, deserialize_with = "some_text")]
    pub cycle: Option<Span>,
    /// From the end of one round to the next.
    #[serde(default, deserialize_with = "some_text")]
    pub sleep: Option<Span>,
    /// Standard deviation of cycle or sleep.
    #[serde(default, deserialize_with = "some_text")]
    pub jitter: Option<Span>,
    /// Which part of its names a host asks for before it gives a round up.
    #[serde(default = "whole")]
    pub completed: Range,
    /// Share of names asked for again within six hours.
    #[serde(default)]
    pub requeries: f64,
    /// Share of queries sent a second time, with the same id.
    #[serde(default)]
    pub retransmissions: f64,
    /// Whether they ask for addresses of both versions.
    #[serde(default)]
    pub both_versions: bool,
    /// When the first round begins, after the start of the capture. Without, hosts have been at it for long.
    #[serde(default, deserialize_with = "some_text")]
    pub first_round_within: Option<Span>,
    /// When they are switched on. Without, always.
    #[serde(default)]
    pub duty: Option<Duty>,
    /// Wrong clocks.
    #[serde(default)]
    pub clocks: Vec<Clock>,
    /// When they change addresses. Without, never.
    #[serde(default)]
    pub renumber: Option<Renumber>,
}

/// Known habits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Behaviour {
    /// As seen in traffic: Conficker A and B every 183.5 min, batches of ten in random order.
    #[default]
    Measured,
    /// As described in 2009: Conficker A and B every 2 h 21 min, a name each 5 s in the order of the list.
    Literature,
}

/// In which order names are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// A new random choice each round.
    Random,
    /// That of the list, from its first name.
    List,
    /// That of the list, from a random place on, the first following the last.
    Cut,
}

/// Hours of the day at which hosts are switched on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// How many.
    pub hours: f64,
    /// The middle of them, UTC, on average.
    #[serde(default = "afternoon")]
    pub centre: f64,
    /// Standard deviation of the middle from host to host, in hours.
    #[serde(default = "three")]
    pub spread: f64,
    /// The same from day to day.
    #[serde(default = "one")]
    pub wander: f64,
    /// Share of days on which a host is switched on at all.
    #[serde(default = "most")]
    pub days: f64,
}

/// Clocks that are wrong alike.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Days that they are ahead.
    pub days: i32,
    /// Share of hosts.
    pub share: f64,
}

/// When a host gets another address of its network, one that nobody had before.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renumber {
    /// Each time this is over.
    #[serde(default, deserialize_with = "some_text")]
    pub every: Option<Span>,
    /// After times that are exponentially distributed with this mean.
    #[serde(default, deserialize_with = "some_text")]
    pub mean: Option<Span>,
    /// When it is switched on.
    #[serde(default)]
    pub boot: bool,
}

/// One address that asks for each name of a list once: an analyst, or a gateway that expands published lists.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// Whose list.
    pub family: String,
    /// Who reads.
    pub address: IpAddr,
    /// Whom it asks.
    pub resolver: String,
    /// When it begins, after the start of the capture.
    #[serde(deserialize_with = "text")]
    pub at: Span,
    /// How many names; without, all.
    #[serde(default)]
    pub names: Option<u32>,
    /// Seconds from one name to the next.
    #[serde(default = "hundredth")]
    pub pace: Range,
}

/// Through text, so that a message speaks of the text and not of the type.
fn text<'de, D: serde::Deserializer<'de>, T: TryFrom<String, Error = String>>(deserializer: D) -> Result<T, D::Error> {
    T::try_from(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn some_text<'de, D: serde::Deserializer<'de>, T: TryFrom<String, Error = String>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    text(deserializer).map(Some)
}

fn one<T: From<u8>>() -> T {
    1.into()
}

const fn all() -> f64 {
    1.0
}

const fn yes() -> bool {
    true
}

const fn quarter_hour() -> Range {
    Range(900.0, 900.0)
}

const fn three_hours() -> Range {
    Range(0.0, 10_800.0)
}

const fn five_minutes() -> u32 {
    300
}

const fn ten_thousand() -> u32 {
    10_000
}

const fn twentieth() -> f64 {
    0.05
}

const fn hundredth() -> Range {
    Range(0.01, 0.01)
}

const fn rare() -> Range {
    Range(1e-8, 1e-4)
}

const fn whole() -> Range {
    Range(1.0, 1.0)
}

const fn afternoon() -> f64 {
    13.0
}

const fn three() -> f64 {
    3.0
}

const fn most() -> f64 {
    0.85
}
