//! Where listed names lead, and who was told: what a report says first.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::json::rows;
use super::text::{count, minute, wrapped};
use super::{ListNames, Report};
use crate::day::Day;
use crate::dga::FamilyId;
use crate::export::{Resolution, write_cof};
use crate::ledger::{AnswerKind, Evidence, Exposure, Key, Learned, Ledger, LiveName, Rendezvous, Unkept, Verdict};

/// Clients and addresses of a name that the text shows.
const SHOWN: usize = 10;

/// Where names lead.
pub(super) struct Live {
    names: Vec<(LiveName, Rendezvous)>,
    learned: Vec<Learned>,
    unkept: Unkept,
    /// Who was told where a name leads that is not taken for somebody's, nor its address for a sinkhole.
    exposed: BTreeSet<Key>,
}

impl Live {
    pub(super) fn take(ledger: &mut Ledger) -> Self {
        let (learned, unkept, names) = (ledger.learned(), ledger.unkept(), ledger.take_live_names());
        let alarming = names.iter().filter(|(name, _)| is_alarming(name));
        let keys = alarming.flat_map(|(name, rendezvous)| {
            let (family, list_day) = (name.family, name.list_day);
            rendezvous.exposed().map(move |(source, _)| Key { family, list_day, source })
        });
        Self { exposed: keys.collect(), names, learned, unkept }
    }
}

const fn is_alarming(name: &LiveName) -> bool {
    matches!(name.kind, AnswerKind::Unknown) && !name.set_aside
}

/// A name that leads somewhere.
pub(super) struct Row<'r> {
    pub(super) family: &'r str,
    pub(super) list_day: Day,
    pub(super) name: String,
    pub(super) facts: &'r LiveName,
    pub(super) rendezvous: &'r Rendezvous,
    /// Who was told, and what is known of each.
    pub(super) exposed: Vec<(IpAddr, &'r Exposure, Option<&'r Evidence>)>,
}

impl Row<'_> {
    fn resolution(&self) -> Resolution {
        let Rendezvous { first_seen, last_seen, answers, .. } = *self.rendezvous;
        let (addresses, servers) = (self.rendezvous.addresses().to_vec(), self.rendezvous.servers().to_vec());
        Resolution { name: self.name.clone(), addresses, servers, first_seen, last_seen, answers }
    }

    /// Whether it is the alarm that matters, and not somebody's name or a sinkhole.
    pub(super) const fn is_alarming(&self) -> bool {
        is_alarming(self.facts)
    }

    /// Infected sources that were told.
    pub(super) fn infected(&self) -> impl Iterator<Item = IpAddr> {
        let infected = |(source, _, evidence): &(IpAddr, &Exposure, Option<&Evidence>)| {
            evidence.is_some_and(|evidence| Verdict::of(evidence) == Verdict::Infected).then_some(*source)
        };
        self.exposed.iter().filter_map(infected)
    }
}

impl Report {
    /// Writes what names resolved to that lead to no known sinkhole.
    pub(super) fn write_cof(&self, out: &mut dyn Write) -> io::Result<()> {
        let resolutions: Vec<Resolution> = self.rendezvous().map(|row| row.resolution()).collect();
        write_cof(&resolutions, &self.desk.vantage, out)
    }

    /// Names that lead to somebody who is not known, by family, list day and place.
    pub(super) fn rendezvous(&self) -> impl Iterator<Item = Row<'_>> {
        let mut list: Option<((FamilyId, Day), ListNames)> = None;
        self.live.names.iter().map(move |(facts, rendezvous)| {
            let LiveName { family: id, list_day, index, .. } = *facts;
            let family = self.catalog.family(id);
            if list.as_ref().is_none_or(|(of, _)| *of != (id, list_day)) {
                list = Some(((id, list_day), self.names_of(id, list_day)));
            }
            let name = list.as_ref().map_or_else(String::new, |(_, names)| names.name(index).to_string());
            let exposed = rendezvous.exposed().map(|(source, exposure)| {
                let key = Key { family: id, list_day, source };
                let row = self.rows.binary_search_by_key(&key, |(key, _)| *key).ok();
                (source, exposure, row.map(|row| &self.rows[row].1))
            });
            Row { family: family.id(), list_day, name, facts, rendezvous, exposed: exposed.collect() }
        })
    }

    /// Names that are the alarm that matters, those that most infected sources were told of first; and others.
    pub(super) fn alarms(&self) -> (Vec<Row<'_>>, Vec<Row<'_>>) {
        let (mut alarms, others): (Vec<_>, Vec<_>) = self.rendezvous().partition(Row::is_alarming);
        alarms.sort_by_cached_key(|row| (Reverse(row.infected().count()), Reverse(row.exposed.len()), row.rendezvous.first_seen));
        (alarms, others)
    }

    /// Whether a source was told where a name of a list leads.
    pub(super) fn is_exposed(&self, key: &Key) -> bool {
        self.live.exposed.contains(key)
    }

    /// Infected sources that were told where a name leads; of one family or of all.
    pub(super) fn infected_and_exposed(&self, family: Option<FamilyId>) -> u64 {
        let infected = self.rows.iter().filter(|(key, evidence)| {
            family.is_none_or(|family| key.family == family) && self.is_exposed(key) && Verdict::of(evidence) == Verdict::Infected
        });
        infected.map(|(key, _)| key.source).collect::<BTreeSet<IpAddr>>().len() as u64
    }

    /// What responses said about the names of a family, by kind.
    pub(super) fn answers_of(&self, family: FamilyId) -> impl Iterator<Item = (&'static str, u64)> + Clone {
        let counts = self.found.answers.get(usize::from(family)).copied().unwrap_or_default();
        AnswerKind::ALL.into_iter().map(move |kind| (kind.label(), counts[kind as usize]))
    }

    /// Addresses that are taken for sinkholes.
    pub(super) fn learned(&self) -> impl Iterator<Item = (&str, &Learned)> {
        self.live.learned.iter().map(|learned| (self.catalog.family(learned.family).id(), learned))
    }
}

#[derive(Serialize)]
struct Json<'a> {
    family: &'a str,
    list_day: String,
    name: String,
    index: u32,
    kind: &'static str,
    set_aside: bool,
    addresses: Vec<String>,
    addresses_left_out: u64,
    ttl: u32,
    name_servers: Vec<&'a String>,
    first_seen: String,
    last_seen: String,
    answers: u64,
    asked: u32,
    exposed: Vec<Client>,
    exposed_left_out: u64,
}

#[derive(Serialize)]
struct Client {
    source: String,
    verdict: Option<&'static str>,
    role: Option<&'static str>,
    first_seen: String,
    last_seen: String,
    answers: u64,
    source_port: u16,
    transport: &'static str,
}

#[derive(Serialize)]
struct LearnedJson<'a> {
    family: &'a str,
    address: String,
    names: u32,
    answers: u64,
    last_seen: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    together: bool,
}

/// The members of the JSON report.
pub(super) fn write_json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    write!(out, ",\n \"rendezvous\": [")?;
    let names = report.rendezvous().map(|row| Json {
        family: row.family,
        list_day: row.list_day.to_string(),
        index: row.facts.index,
        kind: row.facts.kind.label(),
        set_aside: row.facts.set_aside,
        addresses: row.rendezvous.addresses().iter().map(ToString::to_string).collect(),
        addresses_left_out: row.rendezvous.addresses_left_out,
        ttl: row.rendezvous.lifetime,
        name_servers: row.rendezvous.servers().iter().collect::<BTreeSet<_>>().into_iter().collect(),
        first_seen: row.rendezvous.first_seen.to_string(),
        last_seen: row.rendezvous.last_seen.to_string(),
        answers: row.rendezvous.answers,
        asked: row.facts.asked,
        exposed: row.exposed.iter().map(client).collect(),
        exposed_left_out: row.rendezvous.exposed_left_out,
        name: row.name,
    });
    rows(out, names)?;
    write!(out, "],\n \"learned_sinkholes\": [")?;
    let learned = report.learned().map(|(family, learned)| LearnedJson {
        family,
        address: learned.address.to_string(),
        names: learned.names,
        answers: learned.answers,
        last_seen: learned.last_seen.to_string(),
        together: report.learned_together.contains(&(learned.family, learned.address)),
    });
    rows(out, learned)?;
    let Unkept { names, exposed } = report.live.unkept;
    write!(out, "],\n \"answers_not_kept\": {{\"names\": {names}, \"exposed\": {exposed}}}")
}

fn client((source, exposure, evidence): &(IpAddr, &Exposure, Option<&Evidence>)) -> Client {
    Client {
        source: source.to_string(),
        verdict: evidence.map(|evidence| Verdict::of(evidence).label()),
        role: evidence.map(|evidence| evidence.role().label()),
        first_seen: exposure.first_seen.to_string(),
        last_seen: exposure.last_seen.to_string(),
        answers: exposure.answers,
        source_port: exposure.port,
        transport: exposure.transport.label(),
    }
}

/// The part of the text that comes first; `top` names at most, 0 for all.
pub(super) fn write_text(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let (alarms, others) = report.alarms();
    if !alarms.is_empty() {
        let exposed = report.infected_and_exposed(None);
        let lead = match exposed {
            0 => "no infected source was told so".to_owned(),
            1 => "1 infected source was told so".to_owned(),
            _ => format!("{} were told so", count(exposed, "infected source")),
        };
        let names = count(alarms.len() as u64, "generated name");
        let verb = if alarms.len() == 1 { "leads" } else { "lead" };
        writeln!(out)?;
        wrapped(0, &format!("RENDEZVOUS: {names} {verb} to no known sinkhole; {lead}."), out)?;
    }
    let shown = if top == 0 { alarms.len() } else { top.min(alarms.len()) };
    alarms[..shown].iter().try_for_each(|row| alarm(row, out))?;
    if shown < alarms.len() {
        writeln!(out, "  … and {} more: --top 0 shows all, --format json lists all", alarms.len() - shown)?;
    }
    let set_aside = others.iter().filter(|row| row.facts.kind == AnswerKind::Unknown).count();
    if set_aside > 0 {
        let names = count(set_aside as u64, "name");
        wrapped(0, &format!("\n{names} set aside, which people ask for, too: --format json lists them."), out)?;
    }
    for (family, Learned { address, names, .. }) in report.learned() {
        wrapped(
            0,
            &format!("\n{address} is taken for a sinkhole: {} of {family} lead there.", count((*names).into(), "name")),
            out,
        )?;
    }
    let Unkept { names, exposed } = report.live.unkept;
    if names + exposed > 0 {
        let why = "not all names and clients could be kept: responses may be forged";
        wrapped(0, &format!("\n{} that lead somewhere were not noted: {why}.", count(names + exposed, "response")), out)?;
    }
    Ok(())
}

fn alarm(row: &Row<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rendezvous = row.rendezvous;
    writeln!(out, "  {}\n    {}, list of {}, since {}", row.name, row.family, row.list_day, minute(rendezvous.first_seen))?;
    let addresses = some(rendezvous.addresses().iter().map(ToString::to_string), rendezvous.addresses_left_out > 0);
    wrapped(4, &format!("leads to {addresses} for {} s", rendezvous.lifetime), out)?;
    if !rendezvous.servers().is_empty() {
        wrapped(4, &format!("name servers {}", rendezvous.servers().join(", ")), out)?;
    }
    let infected: Vec<String> = row.infected().map(|source| source.to_string()).collect();
    let told = format!("asked for by {}, told to {}", count(row.facts.asked.into(), "source"), row.exposed.len());
    match infected.len() {
        0 => wrapped(4, &format!("{told}, none of them infected"), out),
        _ => wrapped(4, &format!("{told}, of these infected: {}", some(infected.into_iter(), false)), out),
    }
}

/// The first of them, and that there are more.
fn some(of: impl ExactSizeIterator<Item = String>, more: bool) -> String {
    let beyond = of.len().saturating_sub(SHOWN);
    let mut text = of.take(SHOWN).collect::<Vec<_>>().join(", ");
    match beyond {
        0 if more => text.push_str(" and others"),
        0 => {}
        _ => text.push_str(&format!(" and {beyond} others")),
    }
    text
}
