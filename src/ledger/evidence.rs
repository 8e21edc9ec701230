//! What one source did with one list.

use super::askers::Popularity;
use super::names::{Inserted, Names};
use super::role::Servers;
use super::rule::Rule;
use super::trace::Trace;
use super::{Hit, Key, Role};
use crate::day::Timestamp;
use crate::decode::Transport;

/// Names that are looked at one by one to see which are set aside: of whoever has more the others are enough.
pub(super) const FEW_TO_SET_ASIDE: u64 = 64;

/// The traces of one source in the names of one family and list day.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Queries for a listed name, repeated ones included.
    pub matches: u64,
    /// Responses with a listed name that were sent to the source.
    pub responses: u64,
    /// The earliest of them all.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// Indices of the names in either.
    pub(super) names: Names,
    /// How many of these are known collisions.
    pub(super) collisions: u32,
    /// The source's port in the latest: with it and the time an access provider finds the subscriber behind an address
    /// that many share.
    pub port: u16,
    /// What carried the latest.
    pub transport: Transport,
    /// Distinct names that make a verdict.
    pub(super) needed: u16,
    /// Names that others mean for their own sake, up to so many.
    pub(super) aside: u16,
    /// Messages in which recursion was wanted, and was not, up to so many.
    pub(super) recursive: u8,
    pub(super) iterative: u8,
    /// What it is in the DNS, as far as it was judged.
    pub(super) role: Role,
    /// Whether it asks faster for more names than the hosts that could be behind it.
    pub(super) reader: bool,
    /// Kept once there is a verdict.
    pub(super) trace: Option<Box<Trace>>,
}

impl Evidence {
    /// Evidence of nothing, to which `hit` is about to be added.
    pub(super) const fn before(hit: &Hit, rule: &Rule) -> Self {
        Self {
            needed: rule.needed,
            aside: 0,
            recursive: 0,
            iterative: 0,
            role: Role::Client,
            reader: false,
            trace: None,
            matches: 0,
            responses: 0,
            first_seen: hit.time,
            last_seen: hit.time,
            names: Names::NONE,
            collisions: 0,
            port: hit.port,
            transport: hit.transport,
        }
    }

    /// Reads what adding a name would read, so that it comes from memory along with that of others; what it tells means nothing.
    #[inline]
    pub(super) fn peek(&self) -> bool {
        self.trace.as_ref().is_some_and(|trace| trace.peek()) ^ self.names.peek()
    }

    /// Adds a hit; `room` is what the names of all evidence may still take.
    #[inline]
    pub(super) fn add(&mut self, hit: &Hit, room: &mut usize) -> Inserted {
        *(if hit.response { &mut self.responses } else { &mut self.matches }) += 1;
        let wanted = if hit.recursive { &mut self.recursive } else { &mut self.iterative };
        *wanted = wanted.saturating_add(1);
        self.first_seen = self.first_seen.min(hit.time);
        self.hear_latest(hit.time, hit.port, hit.transport);
        let inserted = self.names.insert(hit.matched.index, room);
        if inserted == Inserted::New {
            self.collisions += u32::from(hit.matched.collision);
        }
        inserted
    }

    /// Notes a message that may be the latest.
    #[inline]
    pub(super) fn hear_latest(&mut self, time: Timestamp, port: u16, transport: Transport) {
        // Of two at the same time it is the higher port, so that their order does not matter.
        let latest = |time, port, transport| (time, port, transport == Transport::Tcp);
        if latest(time, port, transport) > latest(self.last_seen, self.port, self.transport) {
            (self.last_seen, self.port, self.transport) = (time, port, transport);
        }
    }

    /// Sets names aside and finds what the source is, by what is known of others now.
    pub(super) fn judge(&mut self, key: &Key, rule: &Rule, popularity: &Popularity, servers: &Servers, forwards: bool) {
        self.role = servers.role(key.source, (self.recursive, self.iterative), forwards);
        self.needed = match self.role {
            Role::Client | Role::Unknown => rule.needed,
            Role::Forwarder | Role::Resolver => rule.needed_of_crowd,
        };
        let distinct = self.distinct_names();
        self.aside = 0;
        if distinct <= FEW_TO_SET_ASIDE && popularity.set_aside(key.family, key.list_day, rule.list) > 0 {
            let impure = self.names().filter(|index| popularity.is_impure((key.family, key.list_day, *index), rule.list));
            self.aside = impure.count() as u16;
        }
        let most = self.trace.as_ref().map_or(0, |trace| trace.most);
        self.reader = rule.is_reader(distinct, most, self.matches.max(self.responses));
    }

    /// Names in queries and responses, each counted once.
    pub fn distinct_names(&self) -> u64 {
        self.names.len()
    }

    /// Those of them that honest people own.
    pub const fn collisions(&self) -> u32 {
        self.collisions
    }

    /// Those of them that others ask for without anything else of the list.
    pub fn set_aside(&self) -> u64 {
        self.aside.into()
    }

    /// Those of them that nobody owns, and that tell.
    pub fn telling_names(&self) -> u64 {
        self.distinct_names().saturating_sub(u64::from(self.collisions) + self.set_aside())
    }

    /// Telling names that make a verdict: chance gives so many to hardly anybody.
    pub const fn names_needed(&self) -> u64 {
        self.needed as u64
    }

    /// Whether the source expands lists: it asks for more names at once than the hosts behind it could.
    pub const fn is_reader(&self) -> bool {
        self.reader
    }

    /// What the source is in the DNS.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether the name at a place of the list is one of them.
    pub fn holds(&self, index: u32) -> bool {
        self.names.contains(index)
    }

    /// Indices of the names, ascending.
    pub fn names(&self) -> impl Iterator<Item = u32> {
        self.names.iter()
    }
}
