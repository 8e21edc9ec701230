//! Who holds a listed name at a time: honest people, defenders, the worm's owner, or nobody.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use super::check;
use super::describe::{Answers, Block, Blocks, Held};
use super::honest::HonestNames;
use super::lists::{ListId, Lists};
use super::network::Answer;
use super::random::{Shuffle, mix, share_of};
use crate::day::Day;
use crate::dga::{Catalog, FamilyId};

/// Seconds for which what a resolver says in the place of a name may be kept.
const BLOCKED_FOR: u32 = 60;

/// Sites on a family's lists.
pub(super) struct Sites {
    pub(super) family: FamilyId,
    pub(super) count: u32,
    pub(super) listed: u32,
    pub(super) key: u64,
}

impl Sites {
    /// The index of a site on the list of a day.
    pub(super) fn index(&self, day: Day, place: u32) -> u32 {
        let key = mix(self.key ^ u64::from(day.number().unsigned_abs()));
        Shuffle::new(key, self.listed.into()).at(place.into()) as u32
    }
}

/// A name that is registered while the capture is made.
struct Opening {
    /// Nanoseconds.
    at: u64,
    address: Ipv4Addr,
    ttl: u32,
}

/// All who hold names.
pub(super) struct Holders {
    seed: u64,
    positive_ttl: u32,
    sinkhole: Option<Held>,
    rendezvous: Option<Held>,
    openings: HashMap<(FamilyId, Day, u32), Opening>,
    pub(super) sites: Vec<Sites>,
    sites_of: HashMap<ListId, HashSet<u32>>,
}

impl Holders {
    /// Those of a description that was checked, in a capture that begins at `start`.
    pub(super) fn new(answers: &Answers, seed: u64, start: u64, catalog: &Catalog) -> Self {
        let opening = |live: &super::describe::Live| {
            let family = check::place(catalog, &live.family).expect("families are loaded by the check");
            let opening = Opening { at: start + live.at.0, address: live.address, ttl: live.ttl };
            ((family, live.list_day.0.day(), live.place), opening)
        };
        Self {
            seed,
            positive_ttl: answers.positive_ttl,
            sinkhole: answers.sinkhole.clone(),
            rendezvous: answers.rendezvous.clone(),
            openings: answers.live.iter().map(opening).collect(),
            sites: vec![],
            sites_of: HashMap::new(),
        }
    }

    /// What the authorities say of a listed name, if somebody holds it.
    pub(super) fn of(&mut self, list: ListId, index: u32, lists: &Lists, now: u64) -> Option<Answer> {
        let (family, day) = lists.key(list);
        if let Some(opening) = self.openings.get(&(family, day, index)) {
            return (now >= opening.at).then_some(Answer::Rendezvous(opening.address, opening.ttl));
        }
        let number = self.number((family, day), index);
        let sites = self.sites_of.entry(list).or_insert_with(|| {
            let of_family = self.sites.iter().filter(|sites| sites.family == family);
            of_family.flat_map(|sites| (0..sites.count).map(|place| sites.index(day, place))).collect()
        });
        if sites.contains(&index) {
            return Some(Answer::Site(HonestNames::address(number)));
        }
        let held = |held: &Held| held.addresses[(mix(number) % held.addresses.len() as u64) as usize];
        let mut share = share_of(number);
        if let Some(sinkhole) = &self.sinkhole {
            if share < sinkhole.share {
                return Some(Answer::Sinkhole(held(sinkhole)));
            }
            share -= sinkhole.share;
        }
        let rendezvous = self.rendezvous.as_ref()?;
        (share < rendezvous.share).then(|| Answer::Rendezvous(held(rendezvous), self.positive_ttl))
    }

    /// What a resolver says in the place of a listed name that it blocks, and for how many seconds.
    pub(super) fn blocked(&self, blocks: &Blocks, list: ListId, index: u32, lists: &Lists) -> Option<(Answer, u32)> {
        let number = mix(self.number(lists.key(list), index) ^ 0xB10C);
        // A refusal is no answer that could be kept.
        let lifetime = if blocks.with == Block::Refused { 0 } else { BLOCKED_FOR };
        (share_of(number) < blocks.share).then_some((Answer::Blocked(blocks.with), lifetime))
    }

    fn number(&self, (family, day): (FamilyId, Day), index: u32) -> u64 {
        mix(u64::from(day.number().unsigned_abs()) << 32 | u64::from(index)) ^ mix(u64::from(family) ^ self.seed)
    }
}
