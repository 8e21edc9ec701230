//! From a client's question to packets at the tap: resolvers and their caches, what the authorities say, what is lost.
//!
//! ```text
//!  client --query--> forwarder --query--> resolver --query--> authority
//!         <-response-          <-response-         <-response-
//! ```
//!
//! A question goes up until somebody has the answer in a cache, and comes down from there. All packets of it are known
//! when it is asked; they wait in a heap until it is their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr};

use super::check::MAX_TIERS;
use super::describe::{Answers, Block, Blocks, Description};
use super::gap::Gap;
use super::holders::Holders;
use super::honest::HonestNames;
use super::lists::{ListId, Lists};
use super::packet::{Message, Reply};
use super::random::{Random, mix, share_of};
use super::truth::{Notes, Role, SourceId, as_seconds};
use super::value::{Range, SECOND, seconds};
use crate::day::Timestamp;
use crate::dga::Catalog;

/// The authorities of all zones (RFC 5737, RFC 3849).
const AUTHORITY: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 53)), IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xDB8, 0x53, 0, 0, 0, 0, 0x53))];

/// Seconds that a resolver takes to answer from its cache, and to hear from the next one.
const HIT: (f64, f64) = (0.000_3, 0.003);
const HOP: (f64, f64) = (0.008, 0.08);

/// How long a client waits for a response before it asks again.
const PATIENCE: u64 = SECOND;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A name that honest people use, by rank, and whether it exists.
    Honest(u32, bool),
    /// A name of a list, by index.
    Listed(ListId, u32),
}

/// A question: subject and type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) subject: Subject,
    pub(super) kind: u16,
}

/// What is known of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Missing(u32),
    Empty(u32),
    Site(Ipv4Addr),
    Sinkhole(Ipv4Addr),
    /// With the seconds for which it may be kept.
    Rendezvous(Ipv4Addr, u32),
    /// What a resolver says in the place of an answer.
    Blocked(Block),
}

/// A resolver, with what others are to it.
struct Node {
    addresses: Vec<IpAddr>,
    upstream: Option<usize>,
    sees_clients: bool,
    sees_upstream: bool,
    responses: bool,
    caches: u64,
    first_cache: u64,
    negative_ttl: Range,
    mixes_case: bool,
    aggressive_nsec: bool,
    blocks: Option<Blocks>,
    /// Where its own questions come from.
    source: SourceId,
}

/// What a cache holds.
struct Cached {
    answer: Answer,
    /// The question type that it was asked with.
    kind: u16,
    /// From when on, and until when.
    from: u64,
    until: u64,
}

/// A packet that is to pass the tap.
struct Flight {
    time: u64,
    number: u64,
    exchange: Exchange,
    /// What is answered and for how many seconds, if it is a response.
    answer: Option<(Answer, u32)>,
}

/// What a query and its response have in common.
#[derive(Clone, Copy)]
struct Exchange {
    client: SourceId,
    /// The resolver that is asked; none for the authorities.
    server: Option<u32>,
    port: u16,
    id: u16,
    case: u64,
    question: Question,
    /// Whether its query and its response are in view.
    seen: (bool, bool),
}

/// All of it.
pub(super) struct Network {
    nodes: Vec<Node>,
    cache: hashbrown::HashMap<(u64, u64), Cached>,
    /// So many entries are looked through for those that are over.
    sweep_at: usize,
    flights: BinaryHeap<Reverse<Flight>>,
    flown: u64,
    random: Random,
    answers: Answers,
    seed: u64,
    pub(super) holders: Holders,
    honest: HonestNames,
    tap: Tap,
    window: (u64, u64),
}

/// Loses packets, several in a row.
struct Tap {
    random: Random,
    loss: f64,
    burst: f64,
    losing: bool,
}

impl Tap {
    fn loses(&mut self) -> bool {
        if self.loss <= 0.0 {
            return false;
        }
        // A chain of two states (E. Gilbert, 1960) that spends `loss` of its time in the bad one. Of itself, a loss has
        // 1 / (1 - loss) in a row: no shorter ones.
        let burst = self.burst.max(1.0 / (1.0 - self.loss).max(1e-9));
        let enter = self.loss / (burst * (1.0 - self.loss).max(1e-9));
        self.losing = if self.losing { !self.random.chance(1.0 / burst) } else { self.random.chance(enter) };
        self.losing
    }
}

impl Network {
    /// The network of a description that was checked.
    pub(super) fn new(description: &Description, seed: u64, window: (u64, u64), catalog: &Catalog, notes: &mut Notes) -> Self {
        let resolvers = &description.resolver;
        let mut nodes: Vec<Node> = vec![];
        let mut first_cache = 0;
        for resolver in resolvers {
            let upstream = resolver.upstream.as_ref().and_then(|name| resolvers.iter().position(|other| other.name == *name));
            let reaches = |address: &&IpAddr| upstream.is_none_or(|next| resolvers[next].address(**address).is_some());
            let source = resolver.addresses.iter().filter(reaches).min_by_key(|address| !address.is_ipv4());
            nodes.push(Node {
                addresses: resolver.addresses.clone(),
                upstream,
                sees_clients: resolver.sees.clients(),
                sees_upstream: resolver.sees.upstream(),
                responses: resolver.responses,
                caches: resolver.caches,
                first_cache,
                negative_ttl: resolver.negative_ttl,
                mixes_case: resolver.mixes_case,
                aggressive_nsec: resolver.aggressive_nsec,
                blocks: resolver.blocks,
                source: notes.source(*source.expect("the check finds a way up"), Role::RESOLVER),
            });
            first_cache += resolver.caches;
        }
        let holders = Holders::new(&description.answers, seed, window.0, catalog);
        let names = description.clean.iter().map(|group| group.names).max().unwrap_or(0);
        Self {
            nodes,
            cache: hashbrown::HashMap::new(),
            sweep_at: 1 << 16,
            flights: BinaryHeap::new(),
            flown: 0,
            random: Random::new(seed, &[1]),
            answers: description.answers.clone(),
            seed,
            holders,
            honest: HonestNames::new(names),
            tap: Tap { random: Random::new(seed, &[2]), loss: description.loss, burst: description.loss_burst, losing: false },
            window,
        }
    }

    /// The sources of a resolver and of those above it.
    pub(super) fn chain(&self, resolver: usize) -> Vec<SourceId> {
        std::iter::successors(Some(resolver), |place| self.nodes[*place].upstream).map(|place| self.nodes[place].source).collect()
    }

    /// When the next packet passes the tap.
    pub(super) fn next(&self) -> Option<u64> {
        self.flights.peek().map(|Reverse(flight)| flight.time)
    }

    /// Asks a resolver; `resend` if the first query goes unheard.
    pub(super) fn ask(
        &mut self,
        mut now: u64,
        mut client: SourceId,
        resolver: usize,
        question: Question,
        resend: bool,
        lists: &mut Lists,
    ) {
        let mut open: Vec<(Exchange, usize, u64)> = Vec::with_capacity(MAX_TIERS);
        let mut at = resolver;
        let gap = self.gap(now, question, lists);
        // Whether who asks shows its own questions, and how it writes them.
        let (mut shown, mut mixes_case) = (false, false);
        let (answer, mut from, mut until, hit) = loop {
            let Node { sees_clients, responses, first_cache, caches, .. } = self.nodes[at];
            let seen = shown || sees_clients;
            let exchange = self.exchange(client, Some(at as u32), question, (seen, seen && responses), mixes_case);
            let cache = first_cache + self.random.below(caches);
            self.fly(now, exchange, None);
            if resend && open.is_empty() {
                now += PATIENCE;
                self.fly(now, exchange, None);
            }
            open.push((exchange, at, cache));
            if let Some((answer, ttl)) = self.blocked(at, question, lists) {
                break (answer, now, now + u64::from(ttl) * SECOND, true);
            }
            let node = &self.nodes[at];
            let of_gap = gap.filter(|_| node.aggressive_nsec);
            let mut known = [Some(key(question)), of_gap].into_iter().flatten().filter_map(|key| self.cache.get(&(cache, key)));
            if caches > 0
                && let Some(cached) =
                    known.find(|cached| now < cached.until && (now >= cached.from || cached.kind == question.kind))
            {
                break (cached.answer, now.max(cached.from), cached.until, true);
            }
            (client, shown, mixes_case) = (node.source, node.sees_upstream, node.mixes_case);
            now += seconds(self.random.between(HIT));
            if let Some(next) = self.nodes[at].upstream {
                at = next;
                continue;
            }
            let exchange = self.exchange(client, None, question, (shown, shown && responses), mixes_case);
            self.fly(now, exchange, None);
            now += seconds(self.random.between(HOP));
            let (answer, ttl) = self.authority(now, question, lists);
            self.fly(now, exchange, Some((answer, ttl)));
            break (answer, now, now + u64::from(ttl) * SECOND, false);
        };
        let last = open.len() - 1;
        for (depth, (exchange, at, cache)) in open.into_iter().enumerate().rev() {
            let node = &self.nodes[at];
            if node.caches > 0 && !(hit && depth == last) {
                if matches!(answer, Answer::Missing(_) | Answer::Empty(_)) {
                    let ttl = until.saturating_sub(from) as f64 / SECOND as f64;
                    until = from + seconds(ttl.clamp(node.negative_ttl.0, node.negative_ttl.1));
                }
                self.cache.insert((cache, key(question)), Cached { answer, kind: question.kind, from, until });
                if let Some(gap) = gap.filter(|_| node.aggressive_nsec) {
                    self.cache.insert((cache, gap), Cached { answer, kind: question.kind, from, until });
                }
            }
            from += seconds(self.random.between(HIT));
            self.fly(from, exchange, Some((answer, as_seconds(until.saturating_sub(from)))));
        }
        self.sweep(from);
    }

    fn exchange(
        &mut self,
        client: SourceId,
        server: Option<u32>,
        question: Question,
        seen: (bool, bool),
        mixes_case: bool,
    ) -> Exchange {
        let bits = self.random.bits();
        // From the range of ephemeral ports (RFC 6335 §6).
        let port = 49_152 + (bits as u16 & 0x3FFF);
        let case = if mixes_case { mix(bits) } else { 0 };
        Exchange { client, server, port, id: (bits >> 16) as u16, case, question, seen }
    }

    fn fly(&mut self, time: u64, exchange: Exchange, answer: Option<(Answer, u32)>) {
        let seen = if answer.is_some() { exchange.seen.1 } else { exchange.seen.0 };
        if seen && (self.window.0..self.window.1).contains(&time) {
            self.flown += 1;
            self.flights.push(Reverse(Flight { time, number: self.flown, exchange, answer }));
        }
    }

    /// What the authorities say, and for how many seconds.
    fn authority(&mut self, now: u64, question: Question, lists: &mut Lists) -> (Answer, u32) {
        let negative = |wire: &[u8]| {
            let zone = wire.get(1 + usize::from(wire[0])..).unwrap_or(&[0]);
            let number = zone.iter().fold(self.seed, |sum, octet| mix(sum ^ u64::from(*octet)));
            let (least, most) = self.answers.negative_ttl.ends();
            (least + (most - least) * share_of(number)) as u32
        };
        let answer = match question.subject {
            Subject::Honest(rank, exists) => {
                let ttl = negative(self.honest.get(rank));
                match question.kind {
                    _ if !exists => Answer::Missing(ttl),
                    super::packet::HTTPS => Answer::Empty(ttl),
                    _ => Answer::Site(HonestNames::address(rank.into())),
                }
            }
            Subject::Listed(list, index) => {
                let ttl = negative(lists.name(list, index));
                self.holders.of(list, index, lists, now).unwrap_or(Answer::Missing(ttl))
            }
        };
        let ttl = match answer {
            Answer::Missing(ttl) | Answer::Empty(ttl) | Answer::Rendezvous(_, ttl) => ttl,
            _ => self.answers.positive_ttl,
        };
        (answer, ttl)
    }

    /// What a resolver says itself, if it blocks a name.
    fn blocked(&self, at: usize, question: Question, lists: &Lists) -> Option<(Answer, u32)> {
        let (Some(blocks), Subject::Listed(list, index)) = (&self.nodes[at].blocks, question.subject) else { return None };
        self.holders.blocked(blocks, list, index, lists)
    }

    /// What a cache knows the gap by that denies a listed name, if its zone is signed and nobody holds the name.
    fn gap(&mut self, now: u64, question: Question, lists: &mut Lists) -> Option<u64> {
        let (Some(signed), Subject::Listed(list, index)) = (self.answers.signed, question.subject) else { return None };
        if self.holders.of(list, index, lists, now).is_some() {
            return None;
        }
        let gap = Gap::of(signed, self.seed, lists.name(list, index))?;
        Some(1 << 62 | (gap.zone & 0x3FFF_FFFF) << 32 | gap.number)
    }

    /// Lets go of what no cache holds any more.
    fn sweep(&mut self, now: u64) {
        if self.cache.len() > self.sweep_at {
            self.cache.retain(|_, cached| cached.until > now);
            self.sweep_at = (2 * self.cache.len()).max(1 << 16);
        }
    }

    /// Takes the next packet past the tap: writes its frame and notes it, unless it is lost. Gives its time.
    pub(super) fn pass(&mut self, frame: &mut Vec<u8>, lists: &mut Lists, notes: &mut Notes) -> Option<u64> {
        let Reverse(Flight { time, exchange, answer, .. }) = self.flights.pop()?;
        if self.tap.loses() {
            notes.lost += 1;
            return None;
        }
        let Exchange { client, server, question, .. } = exchange;
        notes.packet(client, answer.is_some());
        if let Subject::Listed(list, index) = question.subject {
            let today = Timestamp::from_nanos(time).day();
            lists.places(list, index, today, &mut |place| notes.listed(client, place, answer.is_some()));
            match answer {
                None => {}
                Some((Answer::Missing(_) | Answer::Empty(_), _)) => notes.answers.nxdomain += 1,
                Some((Answer::Site(_), _)) => notes.answers.site += 1,
                Some((Answer::Sinkhole(_), _)) => notes.answers.sinkhole += 1,
                Some((Answer::Blocked(_), _)) => notes.answers.blocked += 1,
                Some((Answer::Rendezvous(..), _)) => {
                    notes.answers.rendezvous += 1;
                    notes.exposed(client, list, index, time);
                }
            }
        }
        let address = notes.address(client);
        let addresses = server.map_or(&AUTHORITY[..], |server| &self.nodes[server as usize].addresses);
        let server_address = addresses.iter().find(|server| server.is_ipv4() == address.is_ipv4());
        let name = match question.subject {
            Subject::Honest(rank, _) => self.honest.get(rank),
            Subject::Listed(list, index) => lists.name(list, index),
        };
        // Authorities alone name gaps: resolvers here keep that to themselves.
        let signed = self.answers.signed.filter(|_| server.is_none() && matches!(question.subject, Subject::Listed(..)));
        let gap = signed.and_then(|signed| Some(Gap::of(signed, self.seed, name)?.labels()));
        let message = Message {
            client: (address, exchange.port),
            server: *server_address.expect("the check matches versions"),
            id: exchange.id,
            name,
            case: exchange.case,
            kind: question.kind,
            recursion: server.is_some(),
            reply: answer.map(|(answer, ttl)| match answer {
                Answer::Missing(minimum) => Reply::Missing { ttl, minimum, gap },
                Answer::Empty(minimum) => Reply::Empty { ttl, minimum },
                Answer::Site(address) | Answer::Sinkhole(address) | Answer::Rendezvous(address, _) => {
                    Reply::Address(address, ttl)
                }
                Answer::Blocked(Block::Nxdomain) => Reply::Missing { ttl, minimum: ttl, gap: None },
                Answer::Blocked(Block::Refused) => Reply::Refused,
                Answer::Blocked(Block::Zero) => Reply::Address(Ipv4Addr::UNSPECIFIED, ttl),
            }),
        };
        message.write(frame);
        Some(time)
    }
}

/// What a cache knows a question by. Listed names are denied, or asked for with one type.
fn key(question: Question) -> u64 {
    match question.subject {
        Subject::Honest(rank, exists) => {
            1 << 63 | u64::from(exists) << 62 | u64::from(if exists { question.kind } else { 0 }) << 32 | u64::from(rank)
        }
        Subject::Listed(list, index) => u64::from(list.0) << 32 | u64::from(index),
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Flight {}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// In order of time, then of when they were made: so that it is always the same.
impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}
