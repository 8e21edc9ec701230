//! Where listed names lead: to nobody, to defenders, or to whoever registered them, which is the alarm that matters.
//!
//! A name that leads to an address that nobody is known to hold for defence or trade is a [`Rendezvous`]. Addresses to which
//! many names of a family lead are learned to be sinkholes: a worm's owner needs a name or two, defenders take all they get.
//! That silences nothing: each of the names that taught it was told of before.
//!
//! Responses can be forged, so all of it is bounded, and what is over the bounds is counted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::asked::Asked;
use super::askers::{ListedName, Popularity};
use super::{Answer, AnswerKind, Sinkholes, Verdict};
use crate::day::{Day, Timestamp};
use crate::decode::Transport;
use crate::dga::FamilyId;
use crate::watchlist::Match;

/// Names that lead somewhere, over all lists.
pub(super) const MOST_NAMES: usize = 1 << 14;

/// Addresses and name servers of one name.
pub(super) const MOST_ADDRESSES: usize = 16;
pub(super) const MOST_SERVERS: usize = 8;

/// Clients that were told, over all names; so many of each name are noted however many there are.
pub(super) const MOST_EXPOSED: usize = 1 << 16;
pub(super) const ALWAYS_EXPOSED: usize = 4;

/// Addresses that are learned.
const MOST_LEARNED: usize = 1 << 12;

/// So many names of a family that lead to an address make it a sinkhole: of the names that were asked for one in so many, no
/// fewer and no more. In March 2009 3,861 of Conficker's names led to 42 addresses, 28 elsewhere (Sophos, "Passwords used by
/// the Conficker worm" and press of 2 March 2009).
const CROWD_SHARE: u32 = 100;
const LEAST_CROWD: u32 = 8;
const MOST_CROWD: u32 = 1 << 10;

/// Days after which a learned address that nothing led to is forgotten.
const REMEMBERED: i32 = 30;

/// A client that was told where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The first time.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// How often.
    pub answers: u64,
    /// Those of the answers whose query was not seen.
    pub unsolicited: u64,
    /// Its port the first time.
    pub port: u16,
    /// What carried the first response.
    pub transport: Transport,
}

/// A listed name that leads to somebody who is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendezvous {
    /// The first time that a response said so.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// How often.
    pub answers: u64,
    /// Those of the answers whose query was not seen: they may be forged, or queries take another way.
    pub unsolicited: u64,
    /// Where it leads, ascending.
    pub(super) addresses: Vec<IpAddr>,
    /// Answers with addresses beyond those that are kept.
    pub addresses_left_out: u64,
    /// For how many seconds it may be kept, the shortest that was told.
    pub lifetime: u32,
    /// Its name servers, as far as they were told.
    pub(super) servers: Vec<String>,
    /// Who was told.
    pub(super) exposed: BTreeMap<IpAddr, Exposure>,
    /// Answers to clients for which there was no room.
    pub exposed_left_out: u64,
}

impl Rendezvous {
    /// Where it leads, ascending.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Its name servers, as far as they were told: lower case, escaped.
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// Whether nobody who was told was seen to ask.
    pub const fn is_unsolicited(&self) -> bool {
        self.unsolicited == self.answers
    }

    /// Who was told where it leads, ascending.
    pub fn exposed(&self) -> impl ExactSizeIterator<Item = (IpAddr, &Exposure)> {
        self.exposed.iter().map(|(source, exposure)| (*source, exposure))
    }
}

/// What is known of a rendezvous beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveName {
    /// Whose name it is.
    pub family: FamilyId,
    /// The day whose list holds it.
    pub list_day: Day,
    /// Its place in the list.
    pub index: u32,
    /// [`AnswerKind::Learned`] where all its addresses have turned out to be taken for sinkholes, else
    /// [`AnswerKind::Unknown`].
    pub kind: AnswerKind,
    /// Sources that asked for it, or were answered, as far as evidence of them is kept.
    pub asked: u32,
    /// Whether most of them ask for hardly anything else of the list, so that it is somebody's.
    pub set_aside: bool,
}

impl LiveName {
    /// Whether it is the alarm that matters, and not somebody's name or a sinkhole.
    pub const fn is_alarming(&self) -> bool {
        matches!(self.kind, AnswerKind::Unknown) && !self.set_aside
    }
}

/// An address to which many names of a family lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Whose names.
    pub family: FamilyId,
    /// Where they lead.
    pub address: IpAddr,
    /// How many they were when that was enough.
    pub names: u32,
    /// Answers since.
    pub answers: u64,
    /// The latest.
    pub last_seen: Timestamp,
}

/// A response made something known.
pub struct Revelation<'a> {
    /// The name.
    pub name: LiveName,
    /// Where it leads.
    pub rendezvous: &'a Rendezvous,
    /// Whether it was not known to lead anywhere, or by answers alone that nobody was seen to ask for, and this one was.
    pub is_new: bool,
    /// Whether the query of the response was not seen.
    pub unsolicited: bool,
    /// Who was told for the first time, or the first time that it had asked.
    pub exposed: Option<(IpAddr, Exposure)>,
    /// What that one was known to be then.
    pub verdict: Option<Verdict>,
    /// The address that is taken for a sinkhole from now on.
    pub learned: Option<Learned>,
}

/// What was over the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unkept {
    /// Answers about names for which there was no room.
    pub names: u64,
    /// Answers to clients for which there was none.
    pub exposed: u64,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Crowd {
    /// Names that are kept and lead there.
    pub(super) names: u32,
    pub(super) learned: Option<(u32, u64, Timestamp)>,
}

/// All of them.
#[derive(Default)]
pub(super) struct LiveNames {
    pub(super) names: BTreeMap<ListedName, Rendezvous>,
    pub(super) crowds: HashMap<(FamilyId, IpAddr), Crowd>,
    learned: usize,
    pub(super) exposed: usize,
    pub(super) unkept: Unkept,
    pub(super) asked: Asked,
}

impl LiveNames {
    /// Takes a response, whose query was seen or not; says what it is, and what it makes known.
    pub(super) fn take(
        &mut self,
        answer: &Answer,
        solicited: bool,
        sinkholes: &Sinkholes,
        popularity: &Popularity,
        list: u32,
    ) -> (AnswerKind, Option<Revelation<'_>>) {
        let Match { family, list_day, index, collision } = answer.matched;
        let mut kind = AnswerKind::Nodata;
        let mut unknown = vec![];
        for address in &answer.reply.addresses {
            let of_address = match sinkholes.kind_of(*address) {
                Some(known) => known,
                None => self.hear_of(family, *address, answer.time),
            };
            if of_address == AnswerKind::Unknown {
                unknown.push(*address);
            }
            // The worst of them: who adds a sinkhole's address to his own hides nothing.
            kind = kind.max(of_address);
        }
        if kind != AnswerKind::Unknown {
            return (kind, None);
        }
        if collision {
            return (AnswerKind::Owned, None);
        }
        let name = (family, list_day, index);
        if self.names.len() >= MOST_NAMES && !self.names.contains_key(&name) {
            self.unkept.names += 1;
            return (kind, None);
        }
        let rendezvous = self.names.entry(name).or_insert_with(|| Rendezvous::before(answer.time));
        rendezvous.last_seen = rendezvous.last_seen.max(answer.time);
        rendezvous.first_seen = rendezvous.first_seen.min(answer.time);
        let is_new = rendezvous.answers == 0 || solicited && rendezvous.is_unsolicited();
        rendezvous.answers += 1;
        rendezvous.unsolicited += u64::from(!solicited);
        rendezvous.lifetime = rendezvous.lifetime.min(answer.reply.lifetime);
        for server in &answer.reply.servers {
            if rendezvous.servers.len() < MOST_SERVERS && !rendezvous.servers.contains(server) {
                rendezvous.servers.push(server.clone());
            }
        }
        let room = self.exposed < MOST_EXPOSED || rendezvous.exposed.len() < ALWAYS_EXPOSED;
        let exposed = match rendezvous.expose(answer, solicited, room) {
            Exposed::New(exposure) => {
                self.exposed += 1;
                Some((answer.source, exposure))
            }
            Exposed::Solicited(exposure) => Some((answer.source, exposure)),
            Exposed::Known => None,
            Exposed::NoRoom => {
                self.unkept.exposed += 1;
                None
            }
        };
        let mut learned = None;
        let mut left_out = answer.reply.left_out > 0;
        for address in unknown {
            let Err(place) = rendezvous.addresses.binary_search(&address) else { continue };
            if rendezvous.addresses.len() >= MOST_ADDRESSES {
                left_out = true;
                continue;
            }
            rendezvous.addresses.insert(place, address);
            let crowd = self.crowds.entry((family, address)).or_default();
            crowd.names += 1;
            if crowd.names >= Self::enough(popularity.names_of(family)) && crowd.learned.is_none() && self.learned < MOST_LEARNED
            {
                crowd.learned = Some((crowd.names, 0, answer.time));
                self.learned += 1;
                learned = Some(Learned { family, address, names: crowd.names, answers: 0, last_seen: answer.time });
            }
        }
        rendezvous.addresses_left_out += u64::from(left_out);
        if !is_new && exposed.is_none() && learned.is_none() {
            return (kind, None);
        }
        let name = self.facts(name, popularity, list);
        let rendezvous = &self.names[&(family, list_day, index)];
        (kind, Some(Revelation { name, rendezvous, is_new, unsolicited: !solicited, exposed, verdict: None, learned }))
    }

    /// Takes it that an answer about a name to `source`, which is kept as unsolicited, was asked for: its query came later.
    pub(super) fn solicit(
        &mut self,
        name: ListedName,
        source: IpAddr,
        popularity: &Popularity,
        list: u32,
    ) -> Option<Revelation<'_>> {
        let rendezvous = self.names.get_mut(&name).filter(|rendezvous| rendezvous.unsolicited > 0)?;
        let is_new = rendezvous.is_unsolicited();
        rendezvous.unsolicited -= 1;
        let exposure = rendezvous.exposed.get_mut(&source).filter(|exposure| exposure.unsolicited > 0);
        let exposed = exposure.and_then(|exposure| {
            let is_new = exposure.unsolicited == exposure.answers;
            exposure.unsolicited -= 1;
            is_new.then_some((source, *exposure))
        });
        if !is_new && exposed.is_none() {
            return None;
        }
        let facts = self.facts(name, popularity, list);
        let rendezvous = &self.names[&name];
        Some(Revelation { name: facts, rendezvous, is_new, unsolicited: false, exposed, verdict: None, learned: None })
    }

    /// How many names that lead to one address make it a sinkhole, where so many are asked for.
    pub(super) fn enough(asked: u32) -> u32 {
        (asked / CROWD_SHARE).clamp(LEAST_CROWD, MOST_CROWD)
    }

    /// Whether an address is learned, which has been heard of again.
    fn hear_of(&mut self, family: FamilyId, address: IpAddr, time: Timestamp) -> AnswerKind {
        match self.crowds.get_mut(&(family, address)).and_then(|crowd| crowd.learned.as_mut()) {
            Some((_, answers, last_seen)) => {
                *answers += 1;
                *last_seen = time.max(*last_seen);
                AnswerKind::Learned
            }
            None => AnswerKind::Unknown,
        }
    }

    fn facts(&self, name: ListedName, popularity: &Popularity, list: u32) -> LiveName {
        let (family, list_day, index) = name;
        let addresses = &self.names[&name].addresses;
        let all_learned = addresses.iter().all(|address| self.is_learned(family, *address));
        let kind = if all_learned { AnswerKind::Learned } else { AnswerKind::Unknown };
        let (asked, set_aside) = (popularity.askers(name), popularity.is_impure(name, list));
        LiveName { family, list_day, index, kind, asked, set_aside }
    }

    fn is_learned(&self, family: FamilyId, address: IpAddr) -> bool {
        self.crowds.get(&(family, address)).is_some_and(|crowd| crowd.learned.is_some())
    }

    /// All rendezvous, by family, list day and index; `list` is how long a family's lists are.
    pub(super) fn iter(
        &self,
        popularity: &Popularity,
        list: impl Fn(FamilyId) -> u32,
    ) -> impl Iterator<Item = (LiveName, &Rendezvous)> {
        self.names.iter().map(move |(name, rendezvous)| (self.facts(*name, popularity, list(name.0)), rendezvous))
    }

    /// The addresses that are learned, by family, then address.
    pub(super) fn learned(&self) -> Vec<Learned> {
        let learned = self.crowds.iter().filter_map(|((family, address), crowd)| {
            let (names, answers, last_seen) = crowd.learned?;
            Some(Learned { family: *family, address: *address, names, answers, last_seen })
        });
        let mut learned: Vec<Learned> = learned.collect();
        learned.sort_unstable_by_key(|learned| (learned.family, learned.address));
        learned
    }

    /// Forgets names of list days before those in `first_open`, one a family, and learned addresses of long before `before`.
    pub(super) fn retire(&mut self, first_open: &[Day], before: Day) {
        let over =
            |(family, list_day, _): &ListedName| first_open.get(usize::from(*family)).is_some_and(|first| list_day < first);
        let names: Vec<ListedName> = self.names.keys().filter(|name| over(name)).copied().collect();
        names.iter().for_each(|name| self.forget(name));
        let oldest = before.plus(-REMEMBERED);
        self.crowds.retain(|_, crowd| match crowd.learned {
            Some((_, _, last_seen)) if last_seen.day() < oldest => {
                self.learned -= 1;
                crowd.learned = None;
                crowd.names > 0
            }
            Some(_) => true,
            None => crowd.names > 0,
        });
    }

    /// Lets go of what is known now to lead to a sinkhole and the like: the table may have changed.
    pub(super) fn reconsider(&mut self, sinkholes: &Sinkholes) {
        let Self { names, crowds, learned, .. } = self;
        crowds.retain(|(_, address), crowd| {
            let known = sinkholes.kind_of(*address).is_some();
            *learned -= usize::from(known && crowd.learned.is_some());
            !known
        });
        for rendezvous in names.values_mut() {
            rendezvous.addresses.retain(|address| sinkholes.kind_of(*address).is_none());
        }
        let empty: Vec<ListedName> =
            names.iter().filter(|(_, rendezvous)| rendezvous.addresses.is_empty()).map(|(name, _)| *name).collect();
        empty.iter().for_each(|name| self.forget(name));
    }

    fn forget(&mut self, name: &ListedName) {
        let Some(rendezvous) = self.names.remove(name) else { return };
        self.exposed -= rendezvous.exposed.len();
        for address in rendezvous.addresses {
            if let Some(crowd) = self.crowds.get_mut(&(name.0, address)) {
                crowd.names -= 1;
            }
        }
    }

    /// Puts back a name that was written down; nothing when it is there, or cannot be.
    pub(super) fn restore(&mut self, name: ListedName, rendezvous: Rendezvous) -> Option<()> {
        if self.names.contains_key(&name) || !rendezvous.addresses.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let exposed = self.exposed + rendezvous.exposed.len();
        if self.names.len() >= MOST_NAMES || exposed > MOST_EXPOSED + MOST_NAMES * ALWAYS_EXPOSED {
            self.unkept.names += rendezvous.answers;
            return Some(());
        }
        self.exposed = exposed;
        for address in &rendezvous.addresses {
            self.crowds.entry((name.0, *address)).or_default().names += 1;
        }
        self.names.insert(name, rendezvous);
        Some(())
    }

    /// Puts back an address that was learned.
    pub(super) fn restore_learned(&mut self, learned: &Learned) {
        let crowd = self.crowds.entry((learned.family, learned.address)).or_default();
        if crowd.learned.is_none() && self.learned < MOST_LEARNED {
            crowd.learned = Some((learned.names, learned.answers, learned.last_seen));
            self.learned += 1;
        }
    }

    /// Takes all, in the order of [`Self::iter`].
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Rendezvous> + use<> {
        std::mem::take(&mut self.names).into_values()
    }

    /// The names as they are kept.
    pub(super) const fn kept(&self) -> &BTreeMap<ListedName, Rendezvous> {
        &self.names
    }
}

enum Exposed {
    New(Exposure),
    /// Known, by answers alone that it was not seen to ask for until now.
    Solicited(Exposure),
    Known,
    NoRoom,
}

impl Rendezvous {
    /// One to which an answer of this time is about to be added.
    pub(super) const fn before(time: Timestamp) -> Self {
        Self {
            first_seen: time,
            last_seen: time,
            answers: 0,
            unsolicited: 0,
            addresses: vec![],
            addresses_left_out: 0,
            lifetime: u32::MAX,
            servers: vec![],
            exposed: BTreeMap::new(),
            exposed_left_out: 0,
        }
    }

    fn expose(&mut self, answer: &Answer, solicited: bool, room: bool) -> Exposed {
        let Answer { source, port, transport, time, .. } = *answer;
        let unsolicited = u64::from(!solicited);
        if let Some(known) = self.exposed.get_mut(&source) {
            let was_unsolicited = known.unsolicited == known.answers;
            known.answers += 1;
            known.unsolicited += unsolicited;
            known.last_seen = known.last_seen.max(time);
            return if solicited && was_unsolicited { Exposed::Solicited(*known) } else { Exposed::Known };
        }
        if !room {
            self.exposed_left_out += 1;
            return Exposed::NoRoom;
        }
        let exposure = Exposure { first_seen: time, last_seen: time, answers: 1, unsolicited, port, transport };
        self.exposed.insert(source, exposure);
        Exposed::New(exposure)
    }
}

#[cfg(test)]
mod tests;
