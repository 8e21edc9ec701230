//! What responses about listed names say, and what the ledger does with those that lead somewhere.

use std::net::IpAddr;

use super::ahead::AHEAD;
use super::rendezvous::LiveNames;
use super::{Evidence, Hit, Key, Learned, Ledger, LiveName, Rendezvous, Revelation, Sinkholes, Unkept, Verdict};
use crate::day::Timestamp;
use crate::decode::{Reply, Told, Transport};
use crate::watchlist::Match;

/// What a response about a listed name says. One variant is one label in metrics and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AnswerKind {
    /// The name does not exist.
    Nxdomain,
    /// It has no address.
    Nodata,
    /// Other servers are to be asked: it is registered.
    Referral,
    /// It could not be looked up.
    Failure,
    /// The answer is missing from the message.
    Cut,
    /// A resolver answered in its place: with an address that leads nowhere, or to a page of its own.
    Blocked,
    /// A known sinkhole.
    Sinkhole,
    /// A known page of traders in names.
    Parking,
    /// An address to which so many names lead that it is taken for a sinkhole.
    Learned,
    /// An address, of a name that honest people are known to own.
    Owned,
    /// An address that nothing is known about: a rendezvous.
    Unknown,
}

impl AnswerKind {
    /// All, in the order of reports.
    pub const ALL: [Self; 11] = [
        Self::Nxdomain,
        Self::Nodata,
        Self::Referral,
        Self::Failure,
        Self::Cut,
        Self::Blocked,
        Self::Sinkhole,
        Self::Parking,
        Self::Learned,
        Self::Owned,
        Self::Unknown,
    ];

    /// What a response without an address says.
    pub const fn of(told: Told) -> Self {
        match told {
            Told::Missing | Told::MissingInGap => Self::Nxdomain,
            Told::Nothing | Told::Addresses => Self::Nodata,
            Told::Referral => Self::Referral,
            Told::Failed => Self::Failure,
            Told::Cut => Self::Cut,
        }
    }

    /// The label in reports and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Nxdomain => "nxdomain",
            Self::Nodata => "nodata",
            Self::Referral => "referral",
            Self::Failure => "failure",
            Self::Cut => "cut",
            Self::Blocked => "blocked",
            Self::Sinkhole => "sinkhole",
            Self::Parking => "parking",
            Self::Learned => "learned",
            Self::Owned => "owned",
            Self::Unknown => "unknown",
        }
    }
}

/// Answers by kind.
pub type AnswerCounts = [u64; AnswerKind::ALL.len()];

/// A response that leads somewhere.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who was answered.
    pub source: IpAddr,
    /// The port that it was answered at.
    pub port: u16,
    /// What carried the response.
    pub transport: Transport,
    /// When.
    pub time: Timestamp,
    /// Which name.
    pub matched: Match,
    /// Where it leads.
    pub reply: Reply,
}

impl Ledger {
    /// Notes hits, once each, so that answers are known to be asked for. Calls `each` with every hit in its order, and whether
    /// the other message of its pair came before: of a response with addresses its query; of a query such a response, which
    /// waits to be [solicited](Self::solicit).
    pub fn pair<'h>(&mut self, hits: &'h [Hit], mut each: impl FnMut(&'h Hit, bool)) {
        for hits in hits.chunks(AHEAD) {
            for (hit, place) in hits.iter().zip(self.live.asked.places(hits)) {
                let is_second = match (hit.response, hit.told) {
                    (false, _) => self.live.asked.query(place),
                    (true, Some(Told::Addresses)) => self.live.asked.has_query(place),
                    (true, _) => false,
                };
                each(hit, is_second);
            }
        }
    }

    /// Takes back that an answer was unsolicited: its query came after it. Says what that makes known.
    pub fn solicit(&mut self, query: &Hit) -> Option<Revelation<'_>> {
        let Match { family, list_day, index, .. } = query.matched;
        let list = self.rule(family).list;
        let verdict = self.evidence(&Key::of(query)).map(Verdict::of);
        let Self { live, popularity, .. } = self;
        let revelation = live.solicit((family, list_day, index), query.source, popularity, list)?;
        Some(Revelation { verdict, ..revelation })
    }

    /// Takes a response with addresses, after the hits that it is one of; `solicited` where its query was seen. Says what it
    /// is, and what it makes known.
    pub fn answer(&mut self, answer: &Answer, solicited: bool, sinkholes: &Sinkholes) -> (AnswerKind, Option<Revelation<'_>>) {
        let Match { family, list_day, .. } = answer.matched;
        let list = self.rule(family).list;
        let verdict = self.evidence(&Key { family, list_day, source: answer.source }).map(Verdict::of);
        let Self { live, popularity, .. } = self;
        let (kind, revelation) = live.take(answer, solicited, sinkholes, popularity, list);
        (kind, revelation.map(|revelation| Revelation { verdict, ..revelation }))
    }

    /// Names that lead to somebody who is not known, by family, list day and place in the list.
    pub fn live_names(&self) -> impl Iterator<Item = (LiveName, &Rendezvous)> {
        self.live.iter(&self.popularity, |family| self.rule(family).list)
    }

    /// Addresses that are taken for sinkholes because many names lead there, by family, then address.
    pub fn learned(&self) -> Vec<Learned> {
        self.live.learned()
    }

    /// Answers that were not noted because bounds were reached.
    pub const fn unkept(&self) -> Unkept {
        self.live.unkept
    }

    /// Lets go of names that are known now to lead to sinkholes and the like: another table may say so.
    pub fn reconsider(&mut self, sinkholes: &Sinkholes) {
        self.live.reconsider(sinkholes);
    }

    /// What is known of a source.
    pub fn evidence(&self, key: &Key) -> Option<&Evidence> {
        self.rows.find(key).map(|place| self.rows.row(place).1)
    }

    /// Takes what [`Self::live_names`] says.
    pub fn take_live_names(&mut self) -> Vec<(LiveName, Rendezvous)> {
        let facts: Vec<LiveName> = self.live_names().map(|(name, _)| name).collect();
        let mut live: LiveNames = std::mem::take(&mut self.live);
        facts.into_iter().zip(live.take_all()).collect()
    }
}
