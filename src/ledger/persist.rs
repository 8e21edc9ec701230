//! The ledger written down and read back: what crosses a restart.
//!
//! | part | what it is |
//! | --- | --- |
//! | magic, version | `dgawledg`, an octet |
//! | masking | 8 octets: in which way sources are masked, see [`Masking::tag`] |
//! | counts | what did not fit, of evidence and of sightings |
//! | lists | how many; of each the family's id, the list day, what the list is known by |
//! | rows | how many; of each its list's place, the source, what [`Evidence`] holds, the names as gaps, the lookups |
//! | servers | how many; who was seen to answer |
//! | recent | first and latest packet; how many families; of each its id, how many sources (0: too many), each with when it was heard of |
//! | rendezvous | how many; of each its list's place, its index, what [`Rendezvous`](super::Rendezvous) holds |
//! | learned | how many; of each the family's id, what [`Learned`](super::Learned) holds; how many answers were not kept |
//! | patterns | how many; of each the set's name and the pattern's text |
//! | sightings | how many; of each its pattern's place, the source, what [`Seen`] holds |
//! | checksum | CRC-32 of all before, lowest octet first |
//!
//! Numbers are as [`octets`](super::octets) says, which is the same on every machine. Rows are in the order in which they
//! would make room. Families, lists and patterns are known by name, so that they may change from run to run: what is not
//! looked for any more is left out, and told.

mod live;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use super::names::Names;
use super::octets::{Decoder, Encoder};
use super::recent::Heard;
use super::trace::Trace;
use super::{Evidence, Key, Ledger, Masking, Recent, Role, Rule, Saturation, Seen};
use crate::day::{Day, Timestamp};
use crate::decode::Transport;
use crate::dga::{Catalog, Family, FamilyId, Shape};
use crate::watchlist::{PatternId, Patterns};

const MAGIC: &[u8; 8] = b"dgawledg";
const VERSION: u8 = 5;

/// What a ledger speaks of by number.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The families.
    pub catalog: &'a Catalog,
    /// The patterns.
    pub patterns: &'a Patterns,
    /// How sources are masked.
    pub masking: &'a Masking,
    /// Clients that the network has.
    pub clients: u64,
}

/// A ledger that was read back.
pub struct Restored {
    /// It.
    pub ledger: Ledger,
    /// What was left out, a sentence each.
    pub left_out: Vec<String>,
}

impl Context<'_> {
    /// Writes a ledger to `out`, which should be buffered.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write(&self, ledger: &Ledger, out: &mut impl Write) -> io::Result<()> {
        let mut out = Encoder::new(out);
        out.octets(MAGIC)?;
        out.octets(&[VERSION])?;
        out.octets(&self.masking.tag().to_le_bytes())?;
        let Saturation { refused, evicted, evicted_infected, evicted_hits, names_refused } = ledger.saturation();
        for count in [refused, evicted, evicted_infected, evicted_hits, names_refused, ledger.sightings_refused()] {
            out.number(count)?;
        }

        let mut lists: BTreeMap<(FamilyId, Day), u64> = BTreeMap::new();
        for (key, _) in ledger.rows() {
            lists.insert((key.family, key.list_day), 0);
        }
        lists.extend(ledger.live.kept().keys().map(|(family, list_day, _)| ((*family, *list_day), 0)));
        out.number(lists.len() as u64)?;
        for (place, ((family, list_day), number)) in lists.iter_mut().enumerate() {
            *number = place as u64;
            out.text(self.catalog.family(*family).id())?;
            out.number(list_day.number().unsigned_abs().into())?;
            out.octets(&self.mark(*family, *list_day).to_le_bytes())?;
        }
        out.number(ledger.len() as u64)?;
        for (key, evidence) in ledger.rows() {
            out.number(lists[&(key.family, key.list_day)])?;
            write_row(&mut out, key.source, evidence)?;
        }

        let mut servers: Vec<IpAddr> = ledger.answered().copied().collect();
        servers.sort_unstable();
        out.number(servers.len() as u64)?;
        servers.into_iter().try_for_each(|server| out.address(server))?;
        self.write_recent(&mut out, ledger.recent())?;
        self.write_live(&mut out, ledger, &lists)?;

        let mut patterns: BTreeMap<PatternId, u64> = ledger.sightings().map(|(pattern, _, _)| (pattern, 0)).collect();
        out.number(patterns.len() as u64)?;
        for (place, (pattern, number)) in patterns.iter_mut().enumerate() {
            *number = place as u64;
            out.text(&self.patterns.set(*pattern).name)?;
            out.text(&self.patterns.pattern(*pattern).text)?;
        }
        out.number(ledger.sightings().count() as u64)?;
        for (pattern, source, seen) in ledger.sightings() {
            let Seen { queries, responses, first_seen, last_seen } = *seen;
            out.number(patterns[&pattern])?;
            out.address(source)?;
            out.number(queries)?;
            out.number(responses)?;
            write_times(&mut out, first_seen, last_seen)?;
        }
        out.finish()
    }

    /// Reads a ledger back, with room for `bound` sources.
    ///
    /// # Errors
    /// One clause that says why these octets are no such ledger.
    pub fn read(&self, octets: &[u8], bound: usize) -> Result<Restored, String> {
        let Some(rest) = octets.strip_prefix(MAGIC) else {
            return Err("is no evidence of dgawatch".to_owned());
        };
        if rest.first().is_some_and(|version| *version != VERSION) {
            return Err(format!("is of version {}, and this program reads version {VERSION}", rest[0]));
        }
        let mut from = Decoder::new(octets).ok_or("is cut or damaged: its checksum does not fit")?;
        from.octets(MAGIC.len() + 1);
        if from.array() != Some(self.masking.tag().to_le_bytes()) {
            return Err(
                "was written with another key of pseudonyms or another prefix, which makes its sources mean nothing".to_owned()
            );
        }
        self.read_parts(&mut from, bound)
            .ok_or_else(|| format!("is damaged {} octets before its end, though its checksum fits", from.left() + 4))
    }

    fn read_parts(&self, from: &mut Decoder<'_>, bound: usize) -> Option<Restored> {
        let mut ledger = Ledger::new(bound);
        ledger.judge_by(Rule::of_network(self.catalog, self.clients), self.masking.tells_hosts_apart());
        let (mut left_out, mut lists) = (vec![], vec![]);
        let mut numbers = [0; 6];
        for number in &mut numbers {
            *number = read_count(from)?;
        }
        let [refused, evicted, evicted_infected, evicted_hits, names_refused, sightings_refused] = numbers;

        for _ in 0..from.number()? {
            lists.push(self.read_list(from)?);
        }
        for _ in 0..from.number()? {
            let list = lists.get_mut(from.small::<usize>()?)?;
            let source = from.address()?;
            let rule = list.key.as_ref().map_or_else(|_| Rule::default(), |(family, _)| ledger.rule(*family));
            let evidence = read_row(from, list.names, &rule, &mut ledger)?;
            list.rows += 1;
            match list.key {
                Ok((family, list_day)) => ledger.restore(Key { family, list_day, source }, evidence)?,
                Err(_) => ledger.release(&evidence),
            }
        }
        for list in lists.iter().filter(|list| list.rows > 0) {
            left_out.extend(list.key.as_ref().err().map(|why| format!("evidence is left out ({} rows): {why}", list.rows)));
        }

        for _ in 0..from.number()? {
            let server = from.address()?;
            ledger.servers().add(server);
        }
        self.read_recent(from, ledger.recent_mut(), &mut left_out)?;
        self.read_live(from, &mut ledger, &lists)?;
        ledger.judge();

        let named = |id| ((&*self.patterns.set(id).name, &*self.patterns.pattern(id).text), id);
        let known: BTreeMap<(&str, &str), PatternId> = self.patterns.ids().map(named).collect();
        let mut patterns = vec![];
        for _ in 0..from.number()? {
            patterns.push((known.get(&(from.text()?, from.text()?)).copied(), 0_u64));
        }
        for _ in 0..from.number()? {
            let (pattern, unknown) = patterns.get_mut(from.small::<usize>()?)?;
            let source = from.address()?;
            let (queries, responses) = (read_count(from)?, read_count(from)?);
            let (first_seen, last_seen) = read_times(from)?;
            match pattern {
                Some(pattern) => ledger.restore_sighting(*pattern, source, Seen { queries, responses, first_seen, last_seen }),
                None => *unknown += 1,
            }
        }
        let unknown: u64 = patterns.iter().map(|(_, unknown)| unknown).sum();
        if unknown > 0 {
            left_out.push(format!("{unknown} sightings are left out: their patterns are not watched any more"));
        }
        ledger.restore_counts(Saturation { refused, evicted, evicted_infected, evicted_hits, names_refused }, sightings_refused);
        (from.left() == 0).then_some(Restored { ledger, left_out })
    }

    fn write_recent<W: Write>(&self, out: &mut Encoder<'_, W>, recent: &Recent) -> io::Result<()> {
        let (first, latest) = recent.span().unwrap_or((0, 0));
        for number in [first, latest - first, recent.kept().count() as u64] {
            out.number(number)?;
        }
        for (family, sources) in recent.kept() {
            out.text(self.catalog.family(family).id())?;
            out.number(sources.map_or(0, |sources| sources.len() as u64))?;
            // In an order of their own: the same evidence is the same octets.
            let mut sources: Vec<_> = sources.into_iter().flatten().collect();
            sources.sort_unstable_by_key(|(source, _)| **source);
            for (source, heard) in sources {
                out.address(*source)?;
                out.number(heard.seen.into())?;
                out.number(heard.infected.into())?;
            }
        }
        Ok(())
    }

    fn read_recent(&self, from: &mut Decoder<'_>, recent: &mut Recent, left_out: &mut Vec<String>) -> Option<()> {
        let first = from.number()?;
        let latest = first.checked_add(from.number()?)?;
        if latest > 0 {
            recent.restore_span((first, latest));
        }
        for _ in 0..from.number()? {
            let id = from.text()?;
            let known = self.catalog.iter().find(|(_, family)| family.id() == id).map(|(family, _)| family);
            let sources = from.number()?;
            if sources == 0 && known.is_some() {
                left_out.push(format!("different sources of {id} are counted anew: there were too many to keep each"));
            }
            for _ in 0..sources {
                let (source, heard) = (from.address()?, Heard { seen: from.small()?, infected: from.small()? });
                if let Some(family) = known {
                    recent.add(family, source, heard);
                }
            }
        }
        Some(())
    }

    fn read_list(&self, from: &mut Decoder<'_>) -> Option<WrittenList> {
        let id = from.text()?;
        let list_day = Day::EPOCH.plus(from.small()?);
        let mark = u64::from_le_bytes(from.array()?);
        let known = self.catalog.iter().find(|(_, family)| family.id() == id);
        let key = match known {
            None => Err(format!("family {} is not looked for any more", id.escape_debug())),
            Some(_) if list_day > Day::LAST => return None,
            Some((family, _)) if self.mark(family, list_day) != mark => {
                Err(format!("the list of {id} for {list_day} has changed"))
            }
            Some((family, _)) => Ok((family, list_day)),
        };
        let names = key.as_ref().map_or(u32::MAX, |(family, list_day)| self.catalog.family(*family).count(*list_day));
        Some(WrittenList { key, names, rows: 0 })
    }

    fn mark(&self, family: FamilyId, list_day: Day) -> u64 {
        mark_of(self.catalog.family(family), list_day)
    }
}

/// What a list is known by: its length and, where users make it, its names. Evidence holds places in lists, which mean
/// other names in another list.
pub fn mark_of(family: &dyn Family, list_day: Day) -> u64 {
    let mut checksum = crc32fast::Hasher::new();
    if matches!(family.shape(), Shape::Any) {
        family.names(list_day, &mut |name| checksum.update(name.as_wire()));
    }
    u64::from(family.count(list_day)) << 32 | u64::from(checksum.finalize())
}

/// A list that rows are of.
struct WrittenList {
    /// What it is now, or why it is not.
    key: Result<(FamilyId, Day), String>,
    names: u32,
    rows: u64,
}

fn read_transport(from: &mut Decoder<'_>) -> Option<Transport> {
    match from.array()? {
        [0] => Some(Transport::Udp),
        [1] => Some(Transport::Tcp),
        _ => None,
    }
}

fn write_row<W: Write>(out: &mut Encoder<'_, W>, source: IpAddr, evidence: &Evidence) -> io::Result<()> {
    let Evidence { matches, responses, first_seen, last_seen, collisions, port, transport, .. } = evidence;
    out.address(source)?;
    out.number(*matches)?;
    out.number(*responses)?;
    write_times(out, *first_seen, *last_seen)?;
    out.number((*port).into())?;
    out.octets(&[u8::from(*transport == Transport::Tcp)])?;
    out.number((*collisions).into())?;
    out.number(evidence.distinct_names())?;
    let mut next = 0;
    for index in evidence.names() {
        out.number((index - next).into())?;
        next = index + 1;
    }
    out.octets(&[evidence.recursive, evidence.iterative])?;
    let Some(trace) = &evidence.trace else { return out.octets(&[0]) };
    out.octets(&[1])?;
    let (window, in_window) = trace.window();
    for number in [window, in_window.into(), trace.most.into(), trace.lost, trace.packed().len() as u64] {
        out.number(number)?;
    }
    match trace.server {
        None => out.octets(&[0])?,
        Some(server) => out.address(server)?,
    }
    trace.denials().into_iter().try_for_each(|number| out.number(number))?;
    out.number(trace.latest().into())?;
    out.number(trace.starts().len() as u64)?;
    trace.starts().iter().try_for_each(|start| out.octets(&start.to_le_bytes()))?;
    trace.packed().iter().try_for_each(|lookup| out.octets(&lookup.to_le_bytes()))?;
    out.number(trace.lifetimes().len() as u64)?;
    trace.lifetimes().iter().try_for_each(|lifetime| out.octets(&lifetime.to_le_bytes()))
}

/// Reads a row of a list with so many names and this rule. Names for which the ledger has no room are left out, and counted.
fn read_row(from: &mut Decoder<'_>, names_of_list: u32, rule: &Rule, ledger: &mut Ledger) -> Option<Evidence> {
    let (matches, responses) = (read_count(from)?, read_count(from)?);
    let (first_seen, last_seen) = read_times(from)?;
    let port = from.small()?;
    let transport = read_transport(from)?;
    let collisions: u32 = from.small()?;
    let count: u32 = from.small()?;
    if collisions > count {
        return None;
    }
    let mut names = Names::NONE;
    let mut next = 0_u32;
    for _ in 0..count {
        let index = next.checked_add(from.small()?).filter(|index| *index < names_of_list)?;
        ledger.restore_name(&mut names, index);
        next = index + 1;
    }
    let collisions = collisions.min(names.len() as u32);
    let [recursive, iterative] = from.array()?;
    let trace = match from.array()? {
        [0] => None,
        [1] => read_trace(from, ledger)?,
        _ => return None,
    };
    let (needed, aside, role, reader) = (rule.needed, 0, Role::Client, false);
    Some(Evidence {
        matches,
        responses,
        first_seen,
        last_seen,
        names,
        collisions,
        port,
        transport,
        needed,
        aside,
        recursive,
        iterative,
        role,
        reader,
        trace,
    })
}

/// Reads a trace; there is none when the ledger has no room for it.
fn read_trace(from: &mut Decoder<'_>, ledger: &mut Ledger) -> Option<Option<Box<Trace>>> {
    let mut trace = Trace::default();
    let (window, in_window) = (from.number()?, from.small()?);
    trace.restore_window(window, in_window);
    (trace.most, trace.lost) = (from.small()?, read_count(from)?);
    let count = from.small::<usize>()?.checked_mul(size_of::<u64>())?;
    trace.server = from.address_or_none()?;
    trace.restore_denials([read_count(from)?, read_count(from)?, from.number()?]);
    let (latest, starts) = (from.small()?, from.small::<usize>()?.checked_mul(size_of::<u32>())?);
    trace.restore_starts(from.octets(starts)?.as_chunks().0.iter().map(|octets| u32::from_le_bytes(*octets)), latest);
    let lookups = from.octets(count)?.as_chunks().0.iter().map(|octets| u64::from_le_bytes(*octets));
    let count = from.small::<usize>()?.checked_mul(size_of::<u16>())?;
    let lifetimes = from.octets(count)?.as_chunks().0.iter().map(|octets| u16::from_le_bytes(*octets));
    Some(ledger.restore_trace(trace, lookups, lifetimes))
}

/// A count that others can be added to.
fn read_count(from: &mut Decoder<'_>) -> Option<u64> {
    from.number().filter(|count| *count < 1 << 48)
}

/// Writes the first time and how long it is to the last.
fn write_times<W: Write>(out: &mut Encoder<'_, W>, first: Timestamp, last: Timestamp) -> io::Result<()> {
    out.number(first.as_nanos())?;
    out.number(last.as_nanos() - first.as_nanos())
}

fn read_times(from: &mut Decoder<'_>) -> Option<(Timestamp, Timestamp)> {
    let first = from.number()?;
    Some((Timestamp::from_nanos(first), Timestamp::from_nanos(first.checked_add(from.number()?)?)))
}

#[cfg(test)]
mod tests;
