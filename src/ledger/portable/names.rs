//! Where names lead, as other ledgers know it: the union of that, and of what did not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::MOST;
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId};
use crate::ledger::rendezvous::{ALWAYS_EXPOSED, LiveNames, MOST_ADDRESSES, MOST_EXPOSED, MOST_NAMES, MOST_SERVERS};
use crate::ledger::sightings::Seen;
use crate::ledger::{Exposure, Learned, Ledger, Rendezvous, Saturation, Unkept};
use crate::watchlist::PatternId;

/// A listed name that leads somewhere, as one sensor knows it, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableName {
    /// Whose name it is.
    pub family: FamilyId,
    /// The day whose list holds it.
    pub list_day: Day,
    /// Its place in the list.
    pub index: u32,
    /// The first time that a response said so.
    pub first_seen: Timestamp,
    /// The latest.
    pub last_seen: Timestamp,
    /// How often.
    pub answers: u64,
    /// In how many of these to no query that the same sensor saw.
    pub unsolicited: u64,
    /// Where it leads.
    pub addresses: Vec<IpAddr>,
    /// Answers with addresses beyond those that are kept.
    pub addresses_left_out: u64,
    /// For how many seconds it may be kept, the shortest that was told.
    pub lifetime: u32,
    /// Its name servers: lower case, escaped.
    pub servers: Vec<String>,
    /// Who was told.
    pub exposed: Vec<(IpAddr, Exposure)>,
    /// Answers to clients for which there was no room.
    pub exposed_left_out: u64,
}

impl PortableName {
    /// Why this cannot be, if it cannot.
    fn fault(&self, catalog: &Catalog) -> Option<&'static str> {
        let known = usize::from(self.family) < catalog.iter().len() && (Day::EPOCH..=Day::LAST).contains(&self.list_day);
        if !known || self.index >= catalog.family(self.family).count(self.list_day) {
            return Some("is of no list that there is");
        }
        let times = |first: Timestamp, last: Timestamp| first <= last;
        let counts = [self.answers, self.addresses_left_out, self.exposed_left_out];
        let unsolicited = self.unsolicited > self.answers || self.exposed.iter().any(|(_, of)| of.unsolicited > of.answers);
        let exposed = self.exposed.iter().all(|(_, of)| of.answers < MOST && times(of.first_seen, of.last_seen));
        if !exposed || unsolicited || counts.iter().any(|count| *count >= MOST) || !times(self.first_seen, self.last_seen) {
            return Some("has counts or times that cannot be");
        }
        let text = |server: &String| server.len() <= 1_024 && server.bytes().all(|octet| octet.is_ascii_graphic());
        let kept = (1..=MOST_ADDRESSES).contains(&self.addresses.len()) && self.servers.len() <= MOST_SERVERS;
        (!kept || !self.servers.iter().all(text)).then_some("has more addresses or name servers than are kept, or none")
    }
}

impl Ledger {
    /// Adds what another ledger knows of a name that leads somewhere.
    ///
    /// # Errors
    /// One clause that says why it cannot be so; nothing is added then.
    pub fn absorb_name(&mut self, name: &PortableName, catalog: &Catalog) -> Result<(), String> {
        match name.fault(catalog) {
            Some(fault) => Err(fault.to_owned()),
            None => {
                self.live.absorb(name);
                Ok(())
            }
        }
    }

    /// Adds an address that another ledger takes for a sinkhole.
    pub fn absorb_learned(&mut self, learned: &Learned) {
        self.live.absorb_learned(learned);
    }

    /// Takes addresses for sinkholes to which enough names lead by what is known now; tells which were not known before.
    pub fn learn(&mut self) -> BTreeSet<(FamilyId, IpAddr)> {
        let Self { live, popularity, .. } = self;
        live.learn(|family| popularity.names_of(family))
    }

    /// Adds what another ledger noted of a pattern.
    pub fn absorb_sighting(&mut self, pattern: PatternId, source: IpAddr, seen: Seen) {
        self.sightings.absorb(pattern, source, seen);
    }

    /// Adds what did not fit elsewhere: hits that no row speaks of, names of evidence, sightings, answers.
    pub const fn absorb_counts(&mut self, hits: u64, names: u64, sightings: u64, unkept: Unkept) {
        let none = Saturation { refused: 0, evicted: 0, evicted_infected: 0, evicted_hits: 0, names_refused: 0 };
        self.restore_counts(Saturation { refused: hits, names_refused: names, ..none }, sightings);
        self.live.unkept.names += unkept.names;
        self.live.unkept.exposed += unkept.exposed;
    }
}

impl LiveNames {
    fn absorb(&mut self, record: &PortableName) {
        let name = (record.family, record.list_day, record.index);
        if !self.names.contains_key(&name) && self.names.len() >= MOST_NAMES {
            self.unkept.names += record.answers;
            return;
        }
        let rendezvous = self.names.entry(name).or_insert_with(|| Rendezvous::before(record.first_seen));
        rendezvous.first_seen = rendezvous.first_seen.min(record.first_seen);
        rendezvous.last_seen = rendezvous.last_seen.max(record.last_seen);
        rendezvous.answers = rendezvous.answers.saturating_add(record.answers);
        rendezvous.unsolicited = rendezvous.unsolicited.saturating_add(record.unsolicited);
        rendezvous.lifetime = rendezvous.lifetime.min(record.lifetime);
        rendezvous.exposed_left_out = rendezvous.exposed_left_out.saturating_add(record.exposed_left_out);
        rendezvous.addresses_left_out = rendezvous.addresses_left_out.saturating_add(record.addresses_left_out);

        // Of more than are kept the lowest, so that the order of sensors does not matter.
        let before: BTreeSet<IpAddr> = rendezvous.addresses.iter().copied().collect();
        let mut addresses: BTreeSet<IpAddr> = before.iter().chain(&record.addresses).copied().collect();
        if addresses.len() > MOST_ADDRESSES {
            rendezvous.addresses_left_out = rendezvous.addresses_left_out.max(1);
            addresses = addresses.into_iter().take(MOST_ADDRESSES).collect();
        }
        for address in addresses.difference(&before) {
            self.crowds.entry((record.family, *address)).or_default().names += 1;
        }
        for address in before.difference(&addresses) {
            if let Some(crowd) = self.crowds.get_mut(&(record.family, *address)) {
                crowd.names -= 1;
            }
        }
        rendezvous.addresses = addresses.into_iter().collect();
        let servers: BTreeSet<&String> = rendezvous.servers.iter().chain(&record.servers).collect();
        rendezvous.servers = servers.into_iter().take(MOST_SERVERS).cloned().collect();

        for (source, exposure) in &record.exposed {
            if let Some(known) = rendezvous.exposed.get_mut(source) {
                known.absorb(exposure);
            } else if self.exposed < MOST_EXPOSED || rendezvous.exposed.len() < ALWAYS_EXPOSED {
                self.exposed += 1;
                rendezvous.exposed.insert(*source, *exposure);
            } else {
                rendezvous.exposed_left_out += exposure.answers;
                self.unkept.exposed += exposure.answers;
            }
        }
    }

    fn absorb_learned(&mut self, learned: &Learned) {
        let Learned { family, address, names, answers, last_seen } = *learned;
        self.restore_learned(&Learned { names: 0, answers: 0, ..*learned });
        if let Some((known, sum, latest)) = self.crowds.get_mut(&(family, address)).and_then(|crowd| crowd.learned.as_mut()) {
            (*known, *sum, *latest) = ((*known).max(names), sum.saturating_add(answers), (*latest).max(last_seen));
        }
    }

    fn learn(&mut self, asked: impl Fn(FamilyId) -> u32) -> BTreeSet<(FamilyId, IpAddr)> {
        let mut latest: BTreeMap<(FamilyId, IpAddr), Timestamp> = BTreeMap::new();
        for ((family, ..), rendezvous) in &self.names {
            for address in &rendezvous.addresses {
                let latest = latest.entry((*family, *address)).or_default();
                *latest = rendezvous.last_seen.max(*latest);
            }
        }
        let mut new = BTreeSet::new();
        for (of, last_seen) in latest {
            let (family, address) = of;
            let Some(crowd) = self.crowds.get(&of) else { continue };
            if crowd.learned.is_none() && crowd.names >= Self::enough(asked(family)) {
                let names = crowd.names;
                self.restore_learned(&Learned { family, address, names, answers: 0, last_seen });
                new.insert(of);
            }
        }
        new
    }
}

impl Exposure {
    fn absorb(&mut self, other: &Self) {
        // What carried the first; of two at the same time the lower port.
        let first = |of: &Self| (of.first_seen, of.port, of.transport as u8);
        if first(other) < first(self) {
            (self.first_seen, self.port, self.transport) = (other.first_seen, other.port, other.transport);
        }
        self.last_seen = self.last_seen.max(other.last_seen);
        self.answers = self.answers.saturating_add(other.answers);
        self.unsolicited = self.unsolicited.saturating_add(other.unsolicited);
    }
}
