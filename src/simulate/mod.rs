//! Captures of a made-up population, with the truth about it, from a seed: what estimates and verdicts are held against.
//!
//! ```text
//!  Description -> Population -> hosts, clients, readers --questions--> network --packets in order of time--> sink
//!                                      `------------------- notes ---------'--------------------------> Truth
//! ```
//!
//! Knows no clock and no file: the same description and seed give the same octets on every machine. Who asks waits in one
//! heap, packets in another; memory grows with the population and with what it asked of lists, not with the length of the
//! capture. Every host and group has a stream of random numbers of its own.

mod check;
mod describe;
mod gap;
mod holders;
mod honest;
mod host;
mod lists;
mod network;
mod packet;
mod random;
mod truth;
mod value;
mod visits;

pub use self::check::Fault;
pub use self::describe::Description;
pub use self::truth::Truth;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use self::check::Habits;
use self::describe::{Infected, Reader};
use self::host::{Asks, Host, NEVER};
use self::lists::{ListId, Lists};
use self::network::{Network, Question, Subject};
use self::packet::{A, AAAA};
use self::random::Random;
use self::truth::{FamilyTruth, Frame, Notes, Role, SourceId};
use self::value::{DAY, seconds};
use self::visits::{Clients, Visits};
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId};

/// Names are asked for again within so long.
const AGAIN_WITHIN: u64 = 6 * 3_600 * value::SECOND;

/// Who asks for addresses of both versions asks for the second so much later: at once, to whom resolvers look alike.
const TYPES_APART: u64 = value::SECOND / 10_000;

/// Takes packets, until it fails.
pub type Sink<'a, E> = dyn FnMut(Timestamp, &[u8]) -> Result<(), E> + 'a;

/// A description that makes sense.
pub struct Population {
    description: Description,
    catalog: Catalog,
}

impl Population {
    /// Checks a description.
    ///
    /// # Errors
    /// The key at fault, and why.
    pub fn new(description: Description) -> Result<Self, Fault> {
        let catalog = check::check(&description)?;
        Ok(Self { description, catalog })
    }

    /// When its capture begins and ends.
    pub fn window(&self) -> (Timestamp, Timestamp) {
        let start = self.description.start.0.as_nanos();
        (self.description.start.0, Timestamp::from_nanos(start + self.description.duration.0))
    }

    /// Makes the capture: hands each packet to `sink`, in order of time, and tells the truth at the end, with the names
    /// that were asked for if `names` is set.
    ///
    /// # Errors
    /// The first of the sink.
    pub fn simulate<E>(self, seed: u64, names: bool, sink: &mut Sink<'_, E>) -> Result<Truth, E> {
        let (start, end) = self.window();
        let mut simulation = Simulation::new(self, seed);
        let mut packet = vec![];
        loop {
            let who = simulation.actors.peek().map(|Reverse((time, _))| *time);
            let now = match (simulation.network.next(), who) {
                (Some(time), who) if who.is_none_or(|who| time <= who) => {
                    if let Some(time) = simulation.network.pass(&mut packet, &mut simulation.lists, &mut simulation.notes) {
                        sink(Timestamp::from_nanos(time), &packet)?;
                    }
                    continue;
                }
                (_, Some(who)) => who,
                (_, None) => break,
            };
            simulation.act(now);
        }
        simulation.settle_all();
        let Simulation { notes, mut lists, families, skew, .. } = simulation;
        Ok(notes.finish(&Frame { seed, start, end, skew, names, families: &families }, &mut lists))
    }
}

/// Who does something at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    /// A day begins.
    Midnight(Day),
    /// Clean clients of a group.
    Clients(u32),
    /// Clients that visit a site on a list.
    Visitors(u32),
    /// An infected host.
    Host(u32),
    /// A host that asks once more.
    Again(u32, ListId, u32),
    /// A reader, at a name.
    Reader(u32, u32),
}

/// A group of infected hosts.
struct Group {
    description: Infected,
    habits: Habits,
    resolver: usize,
    /// The sources of the resolvers above it.
    chain: Vec<SourceId>,
    /// Addresses that were given away.
    given: u64,
}

/// A reader, with what it needs.
struct Reading {
    description: Reader,
    source: SourceId,
    resolver: usize,
    list: ListId,
    names: u32,
    random: Random,
}

struct Simulation {
    window: (u64, u64),
    skew: u16,
    seed: u64,
    lists: Lists,
    notes: Notes,
    network: Network,
    groups: Vec<Group>,
    hosts: Vec<Host>,
    clients: Vec<Clients>,
    visits: Vec<Visits>,
    readers: Vec<Reading>,
    families: BTreeMap<FamilyId, FamilyTruth>,
    actors: BinaryHeap<Reverse<(u64, Actor)>>,
}

impl Simulation {
    fn new(population: Population, seed: u64) -> Self {
        let window = population.window();
        let window = (window.0.as_nanos(), window.1.as_nanos());
        let Population { description, catalog } = population;
        let mut notes = Notes::default();
        let network = Network::new(&description, seed, window, &catalog, &mut notes);
        let families = catalog.iter().map(|(family, _)| (family, FamilyTruth::default())).collect();
        let mut simulation = Self {
            window,
            skew: description.skew,
            seed,
            lists: Lists::new(catalog, description.skew),
            notes,
            network,
            groups: vec![],
            hosts: vec![],
            clients: vec![],
            visits: vec![],
            readers: vec![],
            families,
            actors: BinaryHeap::new(),
        };
        let resolver = |name: &str| description.resolver.iter().position(|resolver| resolver.name == name).unwrap_or(0);
        for (number, group) in (0..).zip(&description.clean) {
            let random = Random::new(seed, &[3, u64::from(number)]);
            let mut clients =
                Clients::new(group, resolver(&group.resolver), &simulation.lists.catalog, random, &mut simulation.notes);
            simulation.network.holders.sites.extend(clients.sites());
            let first = clients.next(window.0);
            simulation.clients.push(clients);
            simulation.at(first, Actor::Clients(number));
        }
        for (number, group) in (0..).zip(&description.infected) {
            simulation.add_hosts(number, group, resolver(&group.resolver));
        }
        for (number, reader) in (0..).zip(&description.reader) {
            let family = check::place(&simulation.lists.catalog, &reader.family).expect("families are loaded by the check");
            let at = window.0 + reader.at.0;
            let list = simulation.lists.id(family, Timestamp::from_nanos(at).day());
            let listed = simulation.lists.catalog.family(family).count(Day::EPOCH);
            simulation.readers.push(Reading {
                description: reader.clone(),
                source: simulation.notes.source(reader.address, Role::READER),
                resolver: resolver(&reader.resolver),
                list,
                names: reader.names.unwrap_or(listed),
                random: Random::new(seed, &[4, u64::from(number)]),
            });
            simulation.at(at, Actor::Reader(number, 0));
        }
        let today = Timestamp::from_nanos(window.0).day();
        simulation.at(midnight(today), Actor::Midnight(today));
        simulation
    }

    fn add_hosts(&mut self, number: u32, group: &Infected, resolver: usize) {
        let habits = Habits::of(group, &self.lists.catalog);
        if let Some(family) = self.families.get_mut(&habits.family) {
            family.hosts += group.count;
        }
        for member in 0..group.count {
            let random = Random::new(self.seed, &[5, u64::from(number), member]);
            let address = self.notes.source(group.addresses.address(member / group.per_address), Role::INFECTED);
            let (host, first) = Host::new(random, number, address, (group, &habits), self.window.0);
            let place = self.hosts.len() as u32;
            self.hosts.push(host);
            self.at(first, Actor::Host(place));
        }
        let given = group.count.div_ceil(group.per_address);
        let chain = self.network.chain(resolver);
        self.groups.push(Group { description: group.clone(), habits, resolver, chain, given });
    }

    /// Lets somebody act later, if that is before the end.
    fn at(&mut self, time: u64, actor: Actor) {
        if time < self.window.1 {
            self.actors.push(Reverse((time, actor)));
        }
    }

    /// Lets act whose turn it is.
    fn act(&mut self, now: u64) {
        let Some(Reverse((_, actor))) = self.actors.pop() else { return };
        match actor {
            Actor::Midnight(day) => self.begin_day(day),
            Actor::Clients(number) => {
                let clients = &mut self.clients[number as usize];
                let (client, question, resend) = clients.query();
                self.network.ask(now, client, clients.resolver, question, resend, &mut self.lists);
                let next = clients.next(now);
                self.at(next, actor);
            }
            Actor::Visitors(number) => {
                let visits = &mut self.visits[number as usize];
                let clients = &self.clients[visits.group];
                let (client, index) = visits.visit();
                let question = Question { subject: Subject::Listed(visits.list, index), kind: A };
                self.network.ask(now, clients.source(client), clients.resolver, question, false, &mut self.lists);
                if let Some(next) = visits.next(now) {
                    self.at(next, actor);
                }
            }
            Actor::Host(number) => self.host(number, now),
            Actor::Again(number, list, index) => {
                let host = &self.hosts[number as usize];
                if host.on_since.is_some() {
                    let question = Question { subject: Subject::Listed(list, index), kind: A };
                    let resolver = self.groups[host.group as usize].resolver;
                    self.network.ask(now, host.address, resolver, question, false, &mut self.lists);
                }
            }
            Actor::Reader(number, index) => {
                let reader = &mut self.readers[number as usize];
                if index < reader.names {
                    let question = Question { subject: Subject::Listed(reader.list, index), kind: A };
                    self.network.ask(now, reader.source, reader.resolver, question, false, &mut self.lists);
                    let next = now + seconds(reader.random.between(reader.description.pace.ends()));
                    self.at(next, Actor::Reader(number, index + 1));
                }
            }
        }
    }

    fn begin_day(&mut self, day: Day) {
        self.lists.tidy(day);
        // Those of the day before are over.
        self.visits.clear();
        self.actors.retain(|Reverse((_, actor))| !matches!(actor, Actor::Visitors(_)));
        for (group, clients) in self.clients.iter().enumerate() {
            self.visits.extend(clients.visits(group, day, self.seed, &mut self.lists));
        }
        for number in 0..self.visits.len() {
            if let Some(first) = self.visits[number].next(midnight(day)) {
                self.at(first, Actor::Visitors(number as u32));
            }
        }
        self.at(midnight(day.plus(1)), Actor::Midnight(day.plus(1)));
    }

    fn host(&mut self, number: u32, now: u64) {
        while self.hosts[number as usize].renumbered_at <= now {
            let at = self.hosts[number as usize].renumbered_at;
            self.renumber(number, at);
            let host = &mut self.hosts[number as usize];
            host.renumbered(&self.groups[host.group as usize].description);
        }
        let host = &mut self.hosts[number as usize];
        let group = &self.groups[host.group as usize];
        let deed = host.step(now, &group.description, &group.habits);
        match deed.switched {
            Some(true) => {
                // At the first time it has an address already, which nobody had before.
                let again = host.met && group.description.renumber.is_some_and(|renumber| renumber.boot);
                if again {
                    self.renumber(number, now);
                }
                self.hosts[number as usize].on_since = Some(now);
            }
            Some(false) => {
                self.settle(number, now);
                self.hosts[number as usize].on_since = None;
            }
            None => {}
        }
        if let Some(asks) = deed.asks {
            self.host_asks(number, now, asks);
        }
        if deed.next < NEVER {
            self.at(deed.next, Actor::Host(number));
        }
    }

    fn host_asks(&mut self, number: u32, now: u64, asks: Asks) {
        let host = &mut self.hosts[number as usize];
        let group = &self.groups[host.group as usize];
        let family = group.habits.family;
        let list = self.lists.id(family, asks.day);
        if now >= self.window.0 {
            let here = std::iter::once(host.address);
            let truth = self.families.entry(family).or_default();
            if !std::mem::replace(&mut host.met, true) {
                truth.hosts_active += 1;
                group.chain.iter().for_each(|source| self.notes.host(*source, family));
            }
            if !std::mem::replace(&mut host.met_here, true) {
                self.notes.host(host.address, family);
            }
            truth.rounds_started += u64::from(asks.first);
            for source in here.chain(group.chain.iter().copied()) {
                if asks.first {
                    self.notes.round(source, family, asks.day);
                }
                self.notes.asked(source, family, asks.day);
            }
        }
        let question = Question { subject: Subject::Listed(list, asks.index), kind: A };
        let resend = host.random.chance(group.description.retransmissions);
        let again = host.random.chance(group.description.requeries).then(|| now + host.random.below(AGAIN_WITHIN));
        self.network.ask(now, host.address, group.resolver, question, resend, &mut self.lists);
        if group.description.both_versions {
            let question = Question { kind: AAAA, ..question };
            self.network.ask(now + TYPES_APART, host.address, group.resolver, question, resend, &mut self.lists);
        }
        if let Some(again) = again {
            self.at(again, Actor::Again(number, list, asks.index));
        }
    }

    /// Gives a host another address.
    fn renumber(&mut self, number: u32, now: u64) {
        self.settle(number, now);
        let host = &mut self.hosts[number as usize];
        let group = &mut self.groups[host.group as usize];
        host.address = self.notes.source(group.description.addresses.address(group.given), Role::INFECTED);
        host.met_here = false;
        group.given += 1;
    }

    /// Notes the time that a host was switched on at its address, up to now.
    fn settle(&mut self, number: u32, now: u64) {
        let host = &mut self.hosts[number as usize];
        let Some(since) = host.on_since else { return };
        let (from, until) = (since.max(self.window.0), now.min(self.window.1));
        let nanos = until.saturating_sub(from);
        host.on_since = Some(now.max(since));
        let group = &self.groups[host.group as usize];
        let family = group.habits.family;
        for source in std::iter::once(host.address).chain(group.chain.iter().copied()) {
            self.notes.on(source, family, nanos);
        }
        if let Some(truth) = self.families.get_mut(&family) {
            truth.hosts_on += nanos as f64 / (self.window.1 - self.window.0) as f64;
        }
    }

    fn settle_all(&mut self) {
        (0..self.hosts.len() as u32).for_each(|number| self.settle(number, self.window.1));
    }
}

/// When a day begins.
fn midnight(day: Day) -> u64 {
    u64::from(day.number().unsigned_abs()) * DAY
}
