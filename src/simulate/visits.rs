//! Clean clients: honest questions at a constant rate, and visits to sites whose names are on a worm's list by chance.

use super::check::place;
use super::describe::Clean;
use super::holders::Sites;
use super::honest::{Popularity, kind};
use super::lists::{ListId, Lists};
use super::network::{Question, Subject};
use super::random::{Random, Shuffle, mix};
use super::truth::{Notes, Role, SourceId};
use super::value::{DAY, SECOND};
use crate::day::Day;
use crate::dga::{Catalog, FamilyId};

/// A group of clients. All of them together ask at random times, any of them next: nobody needs a place of its own.
pub(super) struct Clients {
    pub(super) resolver: usize,
    sources: Vec<SourceId>,
    count: u64,
    per_address: u64,
    /// Seconds between two queries of any of them.
    pause: f64,
    popularity: Popularity,
    resends: f64,
    collisions: Vec<Colliding>,
    random: Random,
}

/// Sites on a family's lists, and who visits them.
struct Colliding {
    family: FamilyId,
    listed: u32,
    key: u64,
    /// Share of clients a day for each.
    shares: Vec<f64>,
    stray: f64,
}

/// Visits on one day: to a site, each client once; or to random names.
pub(super) struct Visits {
    pub(super) group: usize,
    pub(super) list: ListId,
    aim: Aim,
    clients: Shuffle,
    made: u64,
    count: u64,
    end: u64,
    random: Random,
}

/// Which names are visited.
#[derive(Clone, Copy)]
enum Aim {
    /// The one of this index.
    Site(u32),
    /// Any of so many.
    Any(u32),
}

impl Clients {
    /// The clients of a group that was checked.
    pub(super) fn new(group: &Clean, resolver: usize, catalog: &Catalog, mut random: Random, notes: &mut Notes) -> Self {
        let addresses = group.count.div_ceil(group.per_address);
        let mut collisions = vec![];
        for described in &group.collisions {
            let family = place(catalog, &described.family).expect("families are loaded by the check");
            let (least, most) = described.other_shares.ends();
            let (least, most) = (libm::log(least), libm::log(most));
            let others = (0..described.others).map(|_| libm::exp(random.between((least, most))));
            collisions.push(Colliding {
                family,
                listed: catalog.family(family).count(Day::EPOCH),
                shares: described.shares.iter().copied().chain(others).collect(),
                key: random.bits(),
                stray: described.stray,
            });
        }
        Self {
            resolver,
            sources: (0..addresses).map(|number| notes.source(group.addresses.address(number), Role::CLEAN)).collect(),
            count: group.count,
            per_address: group.per_address,
            pause: 3_600.0 / (group.rate * group.count as f64),
            popularity: Popularity::new(group.names, group.missing),
            resends: group.retransmissions,
            collisions,
            random,
        }
    }

    /// The sites on lists.
    pub(super) fn sites(&self) -> impl Iterator<Item = Sites> {
        self.collisions.iter().map(Colliding::sites)
    }

    /// The address of a client by number.
    pub(super) fn source(&self, client: u64) -> SourceId {
        self.sources[(client / self.per_address) as usize]
    }

    /// When one of them asks next.
    pub(super) fn next(&mut self, now: u64) -> u64 {
        if !self.pause.is_finite() {
            return u64::MAX;
        }
        now.saturating_add((self.random.exponential(self.pause) * SECOND as f64) as u64)
    }

    /// Who asks for what, and whether twice.
    pub(super) fn query(&mut self) -> (SourceId, Question, bool) {
        let client = self.random.below(self.count);
        let rank = self.popularity.draw(&mut self.random);
        let subject = Subject::Honest(rank, self.popularity.exists(rank));
        let question = Question { subject, kind: kind(&mut self.random) };
        (self.source(client), question, self.random.chance(self.resends))
    }

    /// The visits of a day.
    pub(super) fn visits(&self, group: usize, day: Day, seed: u64, lists: &mut Lists) -> Vec<Visits> {
        let mut visits = vec![];
        let start = u64::from(day.number().unsigned_abs()) * DAY;
        for set in &self.collisions {
            let list = lists.id(set.family, day);
            let sites = set.sites();
            let mut add = |number: u32, aim: Aim, mean: f64, most: u64| {
                let mut random = Random::new(seed ^ set.key, &[u64::from(day.number().unsigned_abs()), u64::from(number)]);
                let count = random.poisson(mean).min(most);
                let clients = Shuffle::new(mix(random.bits()), self.count);
                visits.push(Visits { group, list, aim, clients, made: 0, count, end: start + DAY, random });
            };
            for (site, share) in (0..).zip(&set.shares) {
                add(site, Aim::Site(sites.index(day, site)), share * self.count as f64, self.count);
            }
            add(u32::MAX, Aim::Any(set.listed), set.stray * self.count as f64, u64::MAX);
        }
        visits.retain(|visits| visits.count > 0);
        visits
    }
}

impl Colliding {
    const fn sites(&self) -> Sites {
        Sites { family: self.family, count: self.shares.len() as u32, listed: self.listed, key: self.key }
    }
}

impl Visits {
    /// Which client visits which name.
    pub(super) fn visit(&mut self) -> (u64, u32) {
        let number = self.made;
        self.made += 1;
        match self.aim {
            Aim::Site(index) => (self.clients.at(number), index),
            Aim::Any(listed) => {
                (self.clients.at(self.random.below(self.clients.size())), self.random.below(listed.into()) as u32)
            }
        }
    }

    /// When the next visit is: of so many moments that are left, each anywhere until the end of the day, the first.
    pub(super) fn next(&mut self, now: u64) -> Option<u64> {
        let left = self.count.checked_sub(self.made).filter(|left| *left > 0)?;
        // The least of n uniform numbers is 1 - U^(1/n).
        let share = 1.0 - libm::exp(libm::log(1.0 - self.random.unit()) / left as f64);
        Some(now + (share * self.end.saturating_sub(now) as f64) as u64)
    }
}
