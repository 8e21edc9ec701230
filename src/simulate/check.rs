//! Whether a description makes sense, before anything is made of it; what is wrong is told with the key that says it.

use std::net::IpAddr;

use super::describe::{Answers, Behaviour, Clean, Description, Infected, Order, Reader, Resolver};
use super::value::{DAY, Network, SECOND};
use crate::dga::{Catalog, FamilyId};

/// More hosts and clients than a description may hold in all: each takes some octets of memory.
const MAX_POPULATION: u64 = 200_000_000;

/// Forwarders in a row.
pub(super) const MAX_TIERS: usize = 8;

/// What a description says that cannot be.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: `infected[1].resolver`.
    pub key: String,
    /// One clause.
    pub why: String,
}

/// What `key` says is wrong.
fn fault(key: impl Into<String>, why: impl Into<String>) -> Fault {
    Fault { key: key.into(), why: why.into() }
}

type Verdict = Result<(), Fault>;

/// Checks all of it, and loads the families.
///
/// # Errors
/// The first fault.
pub(super) fn check(description: &Description) -> Result<Catalog, Fault> {
    let mut catalog = Catalog::default();
    for (place, id) in description.watch.iter().enumerate() {
        catalog.add(id).map_err(|why| fault(format!("watch[{place}]"), why))?;
    }
    if description.duration.0 < SECOND {
        return Err(fault("duration", "a capture lasts a second at least"));
    }
    share("loss", description.loss)?;
    at_least("loss_burst", description.loss_burst, 1.0)?;
    if description.skew > 30 {
        return Err(fault("skew", "30 days at most"));
    }
    answers(&description.answers, &mut catalog)?;
    resolvers(&description.resolver)?;
    let mut population = 0_u64;
    let mut count = |key: String, more: u64| {
        population = population.saturating_add(more);
        if population > MAX_POPULATION {
            return Err(fault(key, format!("there are more than {MAX_POPULATION} hosts and clients in all")));
        }
        Ok(())
    };
    for (place, group) in description.clean.iter().enumerate() {
        let key = |member: &str| format!("clean[{place}].{member}");
        count(key("count"), group.count)?;
        clean(group, &description.resolver, &mut catalog, &key)?;
    }
    for (place, group) in description.infected.iter().enumerate() {
        let key = |member: &str| format!("infected[{place}].{member}");
        count(key("count"), group.count)?;
        infected(group, &description.resolver, &mut catalog, &key)?;
    }
    for (place, group) in description.reader.iter().enumerate() {
        reader(group, &description.resolver, &mut catalog, &|member| format!("reader[{place}].{member}"))?;
    }
    Ok(catalog)
}

fn answers(answers: &Answers, catalog: &mut Catalog) -> Verdict {
    for (place, live) in answers.live.iter().enumerate() {
        let key = |member: &str| format!("answers.live[{place}].{member}");
        let listed = family(catalog, &live.family, key("family"))?;
        if live.place >= listed {
            return Err(fault(key("place"), format!("the list has {listed} names, the first at 0")));
        }
    }
    if let Some(signed) = answers.signed {
        share("answers.signed.share", signed.share)?;
        at_least("answers.signed.names", signed.names.0, 1.0)?;
    }
    let held = [("sinkhole", &answers.sinkhole), ("rendezvous", &answers.rendezvous)];
    let mut sum = 0.0;
    for (name, held) in held {
        let Some(held) = held else { continue };
        share(&format!("answers.{name}.share"), held.share)?;
        if held.addresses.is_empty() {
            return Err(fault(format!("answers.{name}.addresses"), "there must be an address"));
        }
        sum += held.share;
    }
    share("answers.rendezvous.share", sum)
}

fn resolvers(resolvers: &[Resolver]) -> Verdict {
    if resolvers.is_empty() || resolvers.len() > 10_000 {
        return Err(fault("resolver", "there must be one at least, and 10,000 at most"));
    }
    for (place, resolver) in resolvers.iter().enumerate() {
        let key = |member: &str| format!("resolver[{place}].{member}");
        if resolvers[..place].iter().any(|other| other.name == resolver.name) {
            return Err(fault(key("name"), "there is a resolver of that name already"));
        }
        match resolver.addresses[..] {
            [_] => {}
            [one, other] if one.is_ipv4() != other.is_ipv4() => {}
            _ => return Err(fault(key("addresses"), "give one address, or one of each version")),
        }
        if let Some(blocks) = resolver.blocks {
            share(&key("blocks.share"), blocks.share)?;
        }
        if resolver.caches > 10_000 {
            return Err(fault(key("caches"), "10,000 at most"));
        }
        // Follows forwarders to the end; a ring has none.
        let mut last = resolver;
        let mut tiers = 1;
        while let Some(name) = &last.upstream {
            let next = find(resolvers, name, &key("upstream"))?;
            if last.addresses.iter().all(|address| resolvers[next].address(*address).is_none()) {
                return Err(fault(key("upstream"), "its addresses are all of another version"));
            }
            last = &resolvers[next];
            tiers += 1;
            if tiers > MAX_TIERS {
                return Err(fault(key("upstream"), format!("more than {MAX_TIERS} resolvers in a row, or a ring of them")));
            }
        }
    }
    Ok(())
}

impl Resolver {
    /// The address that somebody with this one talks to.
    pub(super) fn address(&self, like: IpAddr) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| address.is_ipv4() == like.is_ipv4())
    }
}

/// The place of a resolver.
fn find(resolvers: &[Resolver], name: &str, key: &str) -> Result<usize, Fault> {
    let place = resolvers.iter().position(|resolver| resolver.name == name);
    place.ok_or_else(|| fault(key, format!("there is no resolver `{}`", name.escape_debug())))
}

type KeyOf<'a> = &'a dyn Fn(&str) -> String;

/// Members that all groups have.
fn members(
    (count, network, per_address, resolver): (u64, Network, u64, &str),
    resolvers: &[Resolver],
    key: KeyOf<'_>,
) -> Verdict {
    let asked = &resolvers[find(resolvers, resolver, &key("resolver"))?];
    if asked.address(network.address(0)).is_none() {
        return Err(fault(key("resolver"), "it has no address of their version"));
    }
    if per_address == 0 {
        return Err(fault(key("per_address"), "one at least"));
    }
    let addresses = count.div_ceil(per_address);
    if addresses > network.room() {
        let room = network.room();
        return Err(fault(key("addresses"), format!("{addresses} are needed, and the network has {room}")));
    }
    Ok(())
}

/// Loads a family and gives its place and how many names its lists have.
fn family(catalog: &mut Catalog, id: &str, key: String) -> Result<u32, Fault> {
    if id == "conficker" {
        return Err(fault(key, "say which: conficker-a, conficker-b or conficker-c"));
    }
    catalog.add(id).map_err(|why| fault(key, why))?;
    Ok(place(catalog, id).map_or(0, |family| catalog.family(family).count(crate::day::Day::EPOCH)))
}

/// The place of a family that was added.
pub(super) fn place(catalog: &Catalog, id: &str) -> Option<FamilyId> {
    // `synthetic:07` is known as `synthetic:7`.
    let number = |id: &str| id.strip_prefix("synthetic:").and_then(|number| number.parse::<u32>().ok());
    let same = |known: &str| known == id || number(known).is_some_and(|names| number(id) == Some(names));
    catalog.iter().find(|(_, family)| same(family.id())).map(|(place, _)| place)
}

fn clean(group: &Clean, resolvers: &[Resolver], catalog: &mut Catalog, key: KeyOf<'_>) -> Verdict {
    members((group.count, group.addresses, group.per_address, &group.resolver), resolvers, key)?;
    if !(group.rate >= 0.0 && group.rate <= 1e9) {
        return Err(fault(key("rate"), "a number of queries an hour"));
    }
    // Beyond, time between two queries would vanish.
    if group.rate * group.count as f64 > 3.6e10 {
        return Err(fault(key("rate"), "all of them ask more than ten million times a second"));
    }
    if !(1..=1_000_000).contains(&group.names) {
        return Err(fault(key("names"), "from 1 to 1,000,000"));
    }
    share(&key("missing"), group.missing)?;
    share(&key("retransmissions"), group.retransmissions)?;
    for (place, collisions) in group.collisions.iter().enumerate() {
        let key = |member: &str| key(&format!("collisions[{place}].{member}"));
        let listed = family(catalog, &collisions.family, key("family"))?;
        for (place, visitors) in collisions.shares.iter().enumerate() {
            share(&key(&format!("shares[{place}]")), *visitors)?;
        }
        share(&key("other_shares"), collisions.other_shares.1)?;
        if collisions.other_shares.0 <= 0.0 {
            return Err(fault(key("other_shares"), "the least must be more than 0"));
        }
        if !(collisions.stray >= 0.0 && collisions.stray <= 1e4) {
            return Err(fault(key("stray"), "a number of names a day"));
        }
        if collisions.shares.len() as u64 + u64::from(collisions.others) > u64::from(listed) {
            return Err(fault(key("others"), format!("the list has {listed} names")));
        }
    }
    Ok(())
}

fn infected(group: &Infected, resolvers: &[Resolver], catalog: &mut Catalog, key: KeyOf<'_>) -> Verdict {
    members((group.count, group.addresses, group.per_address, &group.resolver), resolvers, key)?;
    let listed = family(catalog, &group.family, key("family"))?;
    let known = ["conficker-a", "conficker-b", "conficker-c"].contains(&group.family.as_str());
    if !known {
        let given = [("names", group.names.is_some()), ("pace", group.pace.is_some())];
        if let Some((member, _)) = given.iter().find(|(_, given)| !given) {
            return Err(fault(key("family"), format!("its habits are not known: give `{member}`")));
        }
        if group.cycle.is_none() && group.sleep.is_none() {
            return Err(fault(key("family"), "its habits are not known: give `cycle` or `sleep`"));
        }
    }
    if group.behaviour == Behaviour::Literature && !["conficker-a", "conficker-b"].contains(&group.family.as_str()) {
        return Err(fault(key("behaviour"), "only conficker-a and conficker-b have this one"));
    }
    if group.names.is_some_and(|names| names == 0 || names > listed) {
        return Err(fault(key("names"), format!("from 1 to the {listed} names of a list")));
    }
    if group.batch == Some(0) {
        return Err(fault(key("batch"), "one at least"));
    }
    if group.cycle.is_some() && group.sleep.is_some() {
        return Err(fault(key("sleep"), "there is a `cycle` already: give one of them"));
    }
    for (member, span) in [("cycle", group.cycle), ("sleep", group.sleep)] {
        if span.is_some_and(|span| span.0 < SECOND) {
            return Err(fault(key(member), "a second at least"));
        }
    }
    if group.completed.1 > 1.0 {
        return Err(fault(key("completed"), "a share: from 0 to 1"));
    }
    share(&key("requeries"), group.requeries)?;
    share(&key("retransmissions"), group.retransmissions)?;
    habits_in_time(group, key)
}

/// Duty, clocks, addresses.
fn habits_in_time(group: &Infected, key: KeyOf<'_>) -> Verdict {
    if let Some(duty) = group.duty {
        if !(duty.hours > 0.0 && duty.hours <= 24.0) {
            return Err(fault(key("duty.hours"), "more than 0, 24 at most"));
        }
        for (member, hours) in [("centre", duty.centre), ("spread", duty.spread), ("wander", duty.wander)] {
            if !(0.0..=24.0).contains(&hours) {
                return Err(fault(key(&format!("duty.{member}")), "from 0 to 24 hours"));
            }
        }
        share(&key("duty.days"), duty.days)?;
        if group.first_round_within.is_some() {
            return Err(fault(key("first_round_within"), "hosts with a `duty` begin a round when they are switched on"));
        }
    }
    let mut sum = 0.0;
    for (place, clock) in group.clocks.iter().enumerate() {
        share(&key(&format!("clocks[{place}].share")), clock.share)?;
        sum += clock.share;
        share(&key(&format!("clocks[{place}].share")), sum)?;
        if clock.days.unsigned_abs() > 3_650 {
            return Err(fault(key(&format!("clocks[{place}].days")), "ten years at most"));
        }
    }
    let Some(renumber) = group.renumber else { return Ok(()) };
    if group.per_address != 1 {
        return Err(fault(key("renumber"), "hosts that share an address keep it: leave out `per_address`"));
    }
    if renumber.every.is_some() && renumber.mean.is_some() {
        return Err(fault(key("renumber.mean"), "there is an `every` already: give one of them"));
    }
    for (member, span) in [("every", renumber.every), ("mean", renumber.mean)] {
        if span.is_some_and(|span| span.0 < 60 * SECOND || span.0 > 366 * DAY) {
            return Err(fault(key(&format!("renumber.{member}")), "from a minute to a year"));
        }
    }
    if renumber.boot && group.duty.is_none() {
        return Err(fault(key("renumber.boot"), "hosts without a `duty` are never switched on"));
    }
    Ok(())
}

fn reader(group: &Reader, resolvers: &[Resolver], catalog: &mut Catalog, key: KeyOf<'_>) -> Verdict {
    members((1, Network::single(group.address), 1, &group.resolver), resolvers, key)?;
    let listed = family(catalog, &group.family, key("family"))?;
    if group.names.is_some_and(|names| names > listed) {
        return Err(fault(key("names"), format!("the list has {listed}")));
    }
    Ok(())
}

fn share(key: &str, share: f64) -> Verdict {
    if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(fault(key, format!("{share} is no share: from 0 to 1"))) }
}

fn at_least(key: &str, number: f64, least: f64) -> Verdict {
    if number >= least && number <= 1e6 { Ok(()) } else { Err(fault(key, format!("from {least} to 1000000"))) }
}

/// How hosts of a group ask, with what their family is known for filled in.
pub(super) struct Habits {
    pub(super) family: FamilyId,
    pub(super) names: u32,
    pub(super) listed: u32,
    pub(super) order: Order,
    pub(super) batch: u32,
    /// Seconds.
    pub(super) pace: (f64, f64),
    /// Nanoseconds to the next round, and whether from the end of the last one instead of its start.
    pub(super) rest: (u64, bool),
    /// Nanoseconds.
    pub(super) jitter: f64,
}

impl Habits {
    /// Those of a group that was checked.
    pub(super) fn of(group: &Infected, catalog: &Catalog) -> Self {
        let family = place(catalog, &group.family).expect("families are loaded by the check");
        let listed = catalog.family(family).count(crate::day::Day::EPOCH);
        // Names in a round, order, batch, pace in seconds, cycle or sleep in seconds, jitter in seconds.
        type Known = (u32, Order, u32, (f64, f64), (u64, bool), f64);
        let known: Known = match (group.family.as_str(), group.behaviour) {
            // docs/SIMULATE.md has the sources.
            ("conficker-a" | "conficker-b", Behaviour::Measured) => (250, Order::Random, 10, (7.1, 7.5), (11_010, false), 12.0),
            ("conficker-a" | "conficker-b", Behaviour::Literature) => (250, Order::List, 1, (4.75, 5.25), (8_450, false), 60.0),
            // Conficker C and, where a family is not known, what its group does not say.
            _ => (500, Order::Random, 1, (10.0, 50.0), (86_400, true), 0.0),
        };
        let rest = match (group.cycle, group.sleep) {
            (Some(cycle), _) => (cycle.0, false),
            (None, Some(sleep)) => (sleep.0, true),
            (None, None) => (known.4.0 * SECOND, known.4.1),
        };
        Self {
            family,
            names: group.names.unwrap_or(known.0).min(listed),
            listed,
            order: group.order.unwrap_or(known.1),
            batch: group.batch.unwrap_or(known.2),
            pace: group.pace.map_or(known.3, super::value::Range::ends),
            rest,
            jitter: group.jitter.map_or(known.5 * SECOND as f64, |jitter| jitter.0 as f64),
        }
    }
}
