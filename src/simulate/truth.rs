//! What there is to know of a capture: who is infected, and what a sensor can see of it. docs/SIMULATE.md has the members.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use roaring::RoaringBitmap;
use serde::Serialize;

use super::lists::{ListId, Lists};
use super::value::SECOND;
use crate::day::{Day, Timestamp};
use crate::dga::FamilyId;
use crate::name::Name;

/// A source address, by number.
pub(super) type SourceId = u32;

/// What is at an address, as bits.
#[derive(Clone, Copy)]
pub(super) struct Role(u8);

impl Role {
    pub(super) const CLEAN: Self = Self(1);
    pub(super) const INFECTED: Self = Self(2);
    pub(super) const READER: Self = Self(4);
    pub(super) const RESOLVER: Self = Self(8);

    fn names(self) -> Vec<&'static str> {
        let all = [(Self::CLEAN, "clean"), (Self::INFECTED, "infected"), (Self::READER, "reader"), (Self::RESOLVER, "resolver")];
        all.iter().filter(|(role, _)| self.has(*role)).map(|(_, name)| *name).collect()
    }

    const fn has(self, role: Self) -> bool {
        self.0 & role.0 != 0
    }
}

struct Source {
    address: IpAddr,
    roles: Role,
    queries: u64,
    responses: u64,
}

/// What hosts of a family did behind an address.
#[derive(Clone, Copy, Default)]
struct Behind {
    hosts: u64,
    /// Time that they were switched on, in nanoseconds.
    on: u128,
}

/// What is on the wire of an address's questions for a list.
#[derive(Default)]
struct Wire {
    queries: u64,
    responses: u64,
    names: RoaringBitmap,
}

/// What was done at a list behind an address.
#[derive(Clone, Copy, Default)]
struct Done {
    rounds: u64,
    names: u64,
}

/// Collects it while the capture is made.
#[derive(Default)]
pub(super) struct Notes {
    sources: Vec<Source>,
    by_address: HashMap<IpAddr, SourceId>,
    behind: BTreeMap<(SourceId, FamilyId), Behind>,
    wire: HashMap<(SourceId, FamilyId, Day), Wire>,
    done: HashMap<(SourceId, FamilyId, Day), Done>,
    /// Who was told an address that the worm's owner holds.
    exposed: BTreeMap<(ListId, u32), Exposed>,
    pub(super) lost: u64,
    pub(super) answers: AnswerCounts,
}

/// Who was told where a name leads, and when, in nanoseconds.
struct Exposed {
    sources: BTreeSet<SourceId>,
    answers: u64,
    first: u64,
    last: u64,
}

/// Responses for listed names, by what they say.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AnswerCounts {
    /// No such name.
    pub nxdomain: u64,
    /// An address that defenders hold.
    pub sinkhole: u64,
    /// An address that the worm's owner holds.
    pub rendezvous: u64,
    /// An honest site's.
    pub site: u64,
    /// What a resolver says in the place of an answer.
    pub blocked: u64,
}

impl Notes {
    /// The number of an address, at which there is something more.
    pub(super) fn source(&mut self, address: IpAddr, role: Role) -> SourceId {
        let next = self.sources.len() as SourceId;
        let id = *self.by_address.entry(address).or_insert(next);
        if id == next {
            self.sources.push(Source { address, roles: Role(0), queries: 0, responses: 0 });
        }
        self.sources[id as usize].roles.0 |= role.0;
        id
    }

    pub(super) fn address(&self, source: SourceId) -> IpAddr {
        self.sources[source as usize].address
    }

    /// A packet that the tap saw: a query of the source, or a response to it.
    pub(super) fn packet(&mut self, source: SourceId, response: bool) {
        let source = &mut self.sources[source as usize];
        *(if response { &mut source.responses } else { &mut source.queries }) += 1;
    }

    /// The same packet, for a list that a sensor finds its name on.
    pub(super) fn listed(&mut self, source: SourceId, (family, day, index): (FamilyId, Day, u32), response: bool) {
        let wire = self.wire.entry((source, family, day)).or_default();
        *(if response { &mut wire.responses } else { &mut wire.queries }) += 1;
        wire.names.insert(index);
    }

    pub(super) fn exposed(&mut self, source: SourceId, list: ListId, index: u32, time: u64) {
        let none = Exposed { sources: BTreeSet::new(), answers: 0, first: time, last: time };
        let exposed = self.exposed.entry((list, index)).or_insert(none);
        exposed.sources.insert(source);
        exposed.answers += 1;
        exposed.last = exposed.last.max(time);
    }

    /// A round that began behind an address.
    pub(super) fn round(&mut self, source: SourceId, family: FamilyId, day: Day) {
        self.done.entry((source, family, day)).or_default().rounds += 1;
    }

    /// A name of a round that was asked for behind an address, for the first time in the round.
    pub(super) fn asked(&mut self, source: SourceId, family: FamilyId, day: Day) {
        self.done.entry((source, family, day)).or_default().names += 1;
    }

    /// A host that is met behind an address for the first time.
    pub(super) fn host(&mut self, source: SourceId, family: FamilyId) {
        self.behind.entry((source, family)).or_default().hosts += 1;
    }

    /// Time that a host was switched on behind an address.
    pub(super) fn on(&mut self, source: SourceId, family: FamilyId, nanos: u64) {
        if nanos > 0 {
            self.behind.entry((source, family)).or_default().on += u128::from(nanos);
        }
    }

    /// Puts it in order.
    pub(super) fn finish(self, frame: &Frame<'_>, lists: &mut Lists) -> Truth {
        let text = |family: FamilyId, lists: &Lists| lists.catalog.family(family).id().to_owned();
        let names = if frame.names { self.names(lists) } else { HashMap::new() };
        let mut rows: BTreeMap<SourceId, BTreeMap<(FamilyId, Day), ListTruth>> = BTreeMap::new();
        let keys: BTreeSet<_> = self.wire.keys().chain(self.done.keys()).copied().collect();
        for key in keys {
            let (source, family, day) = key;
            let done = self.done.get(&key).copied().unwrap_or_default();
            let wire = self.wire.get(&key);
            let row = ListTruth {
                family: text(family, lists),
                list_day: day.to_string(),
                rounds_started: done.rounds,
                names_asked_in_rounds: done.names,
                queries: wire.map_or(0, |wire| wire.queries),
                responses: wire.map_or(0, |wire| wire.responses),
                distinct_names: wire.map_or(0, |wire| wire.names.len()),
                names: frame.names.then(|| {
                    let of_list = names.get(&(family, day));
                    wire.into_iter()
                        .flat_map(|wire| &wire.names)
                        .filter_map(|index| Some(of_list?.get(&index)?.clone()))
                        .collect()
                }),
            };
            rows.entry(source).or_default().insert((family, day), row);
        }
        let length = frame.end.as_nanos() - frame.start.as_nanos();
        let mut behind: BTreeMap<SourceId, Vec<BehindTruth>> = BTreeMap::new();
        for ((source, family), row) in &self.behind {
            let hosts_on = row.on as f64 / length as f64;
            behind.entry(*source).or_default().push(BehindTruth { family: text(*family, lists), hosts: row.hosts, hosts_on });
        }
        let queries = self.sources.iter().map(|source| source.queries).sum();
        let responses = self.sources.iter().map(|source| source.responses).sum();
        let asking = self.sources.iter().filter(|source| source.queries + source.responses > 0).count() as u64;
        let mut sources: Vec<SourceTruth> = vec![];
        for (id, source) in (0..).zip(&self.sources) {
            let (behind, lists) = (behind.remove(&id).unwrap_or_default(), rows.remove(&id).unwrap_or_default());
            let special = source.roles.has(Role::INFECTED) || source.roles.has(Role::READER) || source.roles.has(Role::RESOLVER);
            if special || !lists.is_empty() {
                sources.push(SourceTruth {
                    source: source.address,
                    roles: source.roles.names(),
                    infected: behind.iter().any(|behind| behind.hosts > 0),
                    reader: source.roles.has(Role::READER),
                    queries: source.queries,
                    responses: source.responses,
                    behind,
                    lists: lists.into_values().collect(),
                });
            }
        }
        sources.sort_by_key(|source| source.source);
        let rendezvous = self.rendezvous(lists);
        Truth {
            schema: 1,
            seed: frame.seed,
            start: frame.start.to_string(),
            end: frame.end.to_string(),
            skew: frame.skew,
            families: frame
                .families
                .iter()
                .map(|(family, truth)| FamilyTruth { family: text(*family, lists), ..truth.clone() })
                .collect(),
            packets: Packets { written: queries + responses, queries, responses, lost: self.lost },
            sources_seen: asking,
            answers: self.answers,
            rendezvous,
            sources,
        }
    }

    /// The names that were asked for, by list and index.
    fn names(&self, lists: &Lists) -> HashMap<(FamilyId, Day), HashMap<u32, String>> {
        let mut wanted: HashMap<(FamilyId, Day), RoaringBitmap> = HashMap::new();
        for ((_, family, day), wire) in &self.wire {
            *wanted.entry((*family, *day)).or_default() |= &wire.names;
        }
        let read = |(key, wanted): ((FamilyId, Day), RoaringBitmap)| {
            let (mut names, mut index) = (HashMap::new(), 0);
            lists.catalog.family(key.0).names(key.1, &mut |name: &Name| {
                if wanted.contains(index) {
                    names.insert(index, name.to_string());
                }
                index += 1;
            });
            (key, names)
        };
        wanted.into_iter().map(read).collect()
    }

    fn rendezvous(&self, lists: &mut Lists) -> Vec<Rendezvous> {
        let mut rows = vec![];
        for ((list, index), told) in &self.exposed {
            let (family, day) = lists.key(*list);
            let name = crate::name::RawName::take(lists.name(*list, *index)).map(|name| name.to_string());
            let mut exposed: Vec<IpAddr> = told.sources.iter().map(|source| self.address(*source)).collect();
            exposed.sort_unstable();
            let family = lists.catalog.family(family).id().to_owned();
            let [first_seen, last_seen] = [told.first, told.last].map(|nanos| Timestamp::from_nanos(nanos).to_string());
            let (name, list_day, answers) = (name.unwrap_or_default(), day.to_string(), told.answers);
            rows.push(Rendezvous { family, list_day, name, exposed, answers, first_seen, last_seen });
        }
        rows.sort_by(|one, other| (&one.family, &one.list_day, &one.name).cmp(&(&other.family, &other.list_day, &other.name)));
        rows
    }
}

/// What the truth says beside what was noted.
pub(super) struct Frame<'a> {
    pub(super) seed: u64,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) skew: u16,
    pub(super) names: bool,
    pub(super) families: &'a BTreeMap<FamilyId, FamilyTruth>,
}

/// The truth about a capture.
#[derive(Debug, Serialize)]
pub struct Truth {
    /// Members may be added as long as this is 1.
    pub schema: u32,
    /// What the capture was made from, beside the description.
    pub seed: u64,
    /// When the capture begins.
    pub start: String,
    /// When it ends.
    pub end: String,
    /// List days around a packet's own that `lists` knows.
    pub skew: u16,
    /// The families, in the order in which the description names them.
    pub families: Vec<FamilyTruth>,
    /// What the tap saw.
    pub packets: Packets,
    /// Addresses that asked or were answered in view.
    pub sources_seen: u64,
    /// Responses for listed names.
    pub answers: AnswerCounts,
    /// Names that led to the worm's owner, as far as somebody was told.
    pub rendezvous: Vec<Rendezvous>,
    /// Addresses of all but clean clients, and of those who asked for a listed name; sorted, IPv4 first.
    pub sources: Vec<SourceTruth>,
}

/// Packets at the tap.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Packets {
    /// In the capture.
    pub written: u64,
    /// Of these.
    pub queries: u64,
    /// Of these.
    pub responses: u64,
    /// Not in the capture.
    pub lost: u64,
}

/// One family.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FamilyTruth {
    /// Which.
    pub family: String,
    /// Hosts that have it.
    pub hosts: u64,
    /// Of these, how many asked for a name while the capture was made.
    pub hosts_active: u64,
    /// Hosts that were switched on, on average.
    pub hosts_on: f64,
    /// Rounds that began.
    pub rounds_started: u64,
}

/// A name that the worm's owner held.
#[derive(Debug, Serialize)]
pub struct Rendezvous {
    /// Whose list.
    pub family: String,
    /// Its day.
    pub list_day: String,
    /// The name.
    pub name: String,
    /// Who was told, in view.
    pub exposed: Vec<IpAddr>,
    /// How often, in view.
    pub answers: u64,
    /// The first time.
    pub first_seen: String,
    /// The last time.
    pub last_seen: String,
}

/// One address.
#[derive(Debug, Serialize)]
pub struct SourceTruth {
    /// The address.
    pub source: IpAddr,
    /// What is there: clean, infected, reader, resolver.
    pub roles: Vec<&'static str>,
    /// Whether an infected host asked from there, or through there.
    pub infected: bool,
    /// Whether a list was read from there.
    pub reader: bool,
    /// Of it, in view.
    pub queries: u64,
    /// To it, in view.
    pub responses: u64,
    /// Infected hosts by family.
    pub behind: Vec<BehindTruth>,
    /// What was asked, by list.
    pub lists: Vec<ListTruth>,
}

/// Infected hosts behind an address.
#[derive(Debug, Serialize)]
pub struct BehindTruth {
    /// What they have.
    pub family: String,
    /// Different hosts that asked from or through the address.
    pub hosts: u64,
    /// How many of them were switched on, on average over the capture.
    pub hosts_on: f64,
}

/// A list, as an address asked for it.
#[derive(Debug, Serialize)]
pub struct ListTruth {
    /// Whose list.
    pub family: String,
    /// Its day.
    pub list_day: String,
    /// Rounds that hosts behind the address began with it.
    pub rounds_started: u64,
    /// Names that they asked for in rounds, each once a round, seen or not.
    pub names_asked_in_rounds: u64,
    /// In view, of the address: what a sensor should report as `matches`.
    pub queries: u64,
    /// In view, to the address.
    pub responses: u64,
    /// Names in either.
    pub distinct_names: u64,
    /// These, in the order of the list, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
}

/// Nanoseconds as seconds.
pub(super) const fn as_seconds(nanos: u64) -> u32 {
    // A time to live, a week at most.
    (nanos / SECOND) as u32
}
