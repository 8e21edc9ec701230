//! Events as JSON lines: a source became suspect or infected, a name leads somewhere and somebody was told, a list day is over.
//! docs/EVENTS.md describes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use syslog_fmt::Severity;

use super::Networks;
use super::event_log::EventLog;
use super::json;
#[cfg(feature = "stream")]
use super::stream::Changes;
use crate::day::Day;
use crate::dga::{Catalog, Family, FamilyId};
#[cfg(feature = "stream")]
use crate::ledger::Ledger;
use crate::ledger::{Evidence, Exposure, Key, Learned, LiveList, News, Rendezvous, Revelation, Verdict};
#[cfg(feature = "stream")]
use crate::watchlist::List;
use crate::watchlist::Lists;

/// Names of a source that an event shows: more than it takes to be sure.
const NAMES: usize = 20;

/// Events of each verdict, family and list day that are told: forged sources come by the million.
const MOST_TOLD: u64 = 100_000;

/// Tells of what happens. Each source is told of once a family, list day and verdict.
pub struct Events<'a> {
    catalog: &'a Catalog,
    lists: &'a dyn Lists,
    log: Arc<Mutex<EventLog>>,
    told: BTreeMap<(FamilyId, Day), Told>,
    #[cfg(feature = "stream")]
    networks: Option<Arc<Networks>>,
    /// Evidence that was streamed.
    #[cfg(feature = "stream")]
    changes: Changes,
}

#[derive(Clone, Copy, Default)]
struct Told {
    suspect: u64,
    infected: u64,
    rendezvous: u64,
    exposed: u64,
}

impl Told {
    /// Events beyond the bound.
    fn left_out(self) -> u64 {
        [self.suspect, self.infected, self.rendezvous, self.exposed].map(|told| told.saturating_sub(MOST_TOLD)).iter().sum()
    }
}

/// A name leads somewhere, or somebody was told so.
#[derive(Serialize)]
struct RendezvousEvent<'a> {
    schema: u8,
    event: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    family: &'a str,
    list_day: String,
    name: String,
    addresses: Vec<String>,
    ttl: u32,
    name_servers: &'a [String],
    asked: u32,
    unsolicited: bool,
    set_aside: bool,
    first_seen: String,
}

#[derive(Serialize)]
struct LearnedEvent<'a> {
    schema: u8,
    event: &'static str,
    time: String,
    family: &'a str,
    address: String,
    names_there: u32,
}

#[derive(Serialize)]
struct SourceEvent<'a> {
    schema: u8,
    event: &'static str,
    time: String,
    source: String,
    source_port: u16,
    transport: &'static str,
    family: &'a str,
    list_day: String,
    matches: u64,
    responses: u64,
    distinct_names: u64,
    known_collisions: u32,
    first_seen: String,
    last_seen: String,
    names: &'a [String],
}

#[derive(Serialize)]
struct DailySummary<'a> {
    schema: u8,
    event: &'static str,
    family: &'a str,
    list_day: String,
    sources: u64,
    infected: u64,
    suspect: u64,
    matches: u64,
    responses: u64,
    rendezvous: u64,
    unsolicited: u64,
    exposed: u64,
    events_left_out: u64,
}

impl<'a> Events<'a> {
    /// Writes to `log`; names come from `lists`, and where sources are from `networks`.
    pub fn new(catalog: &'a Catalog, lists: &'a dyn Lists, networks: Option<&Arc<Networks>>, log: Arc<Mutex<EventLog>>) -> Self {
        let events = Self {
            catalog,
            lists,
            log,
            told: BTreeMap::new(),
            #[cfg(feature = "stream")]
            networks: networks.cloned(),
            #[cfg(feature = "stream")]
            changes: Changes::default(),
        };
        if let Some(syslog) = events.log().syslog() {
            syslog.know(networks);
        }
        events
    }

    /// Tells that a source has a verdict.
    pub fn news(&mut self, news: &News<'_>) {
        let News { key, verdict, evidence } = news;
        let told = self.told.entry((key.family, key.list_day)).or_default();
        let count = match verdict {
            Verdict::Suspect => &mut told.suspect,
            Verdict::Infected => &mut told.infected,
        };
        *count += 1;
        if *count > MOST_TOLD {
            return;
        }
        let family = self.catalog.family(key.family);
        let list = self.lists.get(key.family, family.edition(key.list_day));
        let names: Vec<String> = evidence.names().take(NAMES).map(|place| list.names().name(place).to_string()).collect();
        let json = source_event(key, evidence, *verdict, family, &names);
        let log = &mut *self.log();
        log.append(json.as_bytes());
        if let Some(syslog) = log.syslog() {
            syslog.source((key, evidence, *verdict), family, &names, &json);
        }
        #[cfg(feature = "stream")]
        log.stream(|| subject::source(family.id(), key), &json);
    }

    /// Tells what a response made known: a name that leads somewhere, who was told, where so many lead that it is taken for a
    /// sinkhole.
    pub fn revelation(&mut self, revelation: &Revelation<'_>) {
        let Revelation { name, is_new, exposed, verdict, learned, .. } = revelation;
        let told = self.told.entry((name.family, name.list_day)).or_default();
        told.rendezvous += u64::from(*is_new);
        told.exposed += u64::from(exposed.is_some());
        let (rendezvous_told, exposed_told) = (told.rendezvous <= MOST_TOLD, told.exposed <= MOST_TOLD);
        if *is_new && rendezvous_told {
            let event = self.rendezvous(revelation, "rendezvous");
            self.write(Severity::Warning, event.event, &event, || subject::name(event.family, name.list_day, &event.name));
        }
        if let Some((source, Exposure { first_seen, port, transport, .. })) = exposed
            && exposed_told
        {
            let event = RendezvousEvent {
                time: first_seen.to_string(),
                source: Some(source.to_string()),
                source_port: Some(*port),
                transport: Some(transport.label()),
                verdict: verdict.map(Verdict::label),
                ..self.rendezvous(revelation, "exposed")
            };
            let key = Key { family: name.family, list_day: name.list_day, source: *source };
            self.write(Severity::Warning, event.event, &event, || subject::exposed(event.family, &key, &event.name));
        }
        if let Some(Learned { family, address, names, last_seen, .. }) = learned {
            let event = LearnedEvent {
                schema: 1,
                event: "sinkhole_learned",
                time: last_seen.to_string(),
                family: self.catalog.family(*family).id(),
                address: address.to_string(),
                names_there: *names,
            };
            self.write(Severity::Info, event.event, &event, || subject::sinkhole(event.family, &event.address));
        }
    }

    fn rendezvous<'r>(&'r self, revelation: &Revelation<'r>, event: &'static str) -> RendezvousEvent<'r> {
        let Revelation { name, rendezvous, .. } = revelation;
        let rendezvous: &'r Rendezvous = rendezvous;
        let family = self.catalog.family(name.family);
        let list = self.lists.get(name.family, family.edition(name.list_day));
        RendezvousEvent {
            schema: 1,
            event,
            time: rendezvous.last_seen.to_string(),
            source: None,
            source_port: None,
            transport: None,
            verdict: None,
            family: family.id(),
            list_day: name.list_day.to_string(),
            name: list.names().name(name.index).to_string(),
            addresses: rendezvous.addresses().iter().map(ToString::to_string).collect(),
            ttl: rendezvous.lifetime,
            name_servers: rendezvous.servers(),
            asked: name.asked,
            unsolicited: revelation.unsolicited,
            set_aside: name.set_aside,
            first_seen: rendezvous.first_seen.to_string(),
        }
    }

    /// Sums up lists that are over. `rows` is their evidence, in the order of its keys, `live` where their names lead.
    pub fn summaries(
        &mut self,
        lists: impl IntoIterator<Item = (FamilyId, Day)>,
        rows: &[(Key, Evidence)],
        live: &BTreeMap<(FamilyId, Day), LiveList>,
    ) {
        let none = LiveList::default();
        for list in lists {
            let live = live.get(&list).unwrap_or(&none);
            let of = |(key, _): &(Key, Evidence)| (key.family, key.list_day);
            let start = rows.partition_point(|row| of(row) < list);
            let rows = rows[start..].iter().take_while(|row| of(row) == list);
            let told = self.told.remove(&list).unwrap_or_default();
            let mut summary = DailySummary {
                schema: 1,
                event: "daily_summary",
                family: self.catalog.family(list.0).id(),
                list_day: list.1.to_string(),
                sources: 0,
                infected: 0,
                suspect: 0,
                matches: 0,
                responses: 0,
                rendezvous: live.rendezvous,
                unsolicited: live.unsolicited,
                exposed: 0,
                events_left_out: told.left_out(),
            };
            for (key, evidence) in rows {
                let infected = Verdict::of(evidence) == Verdict::Infected;
                summary.sources += 1;
                *(if infected { &mut summary.infected } else { &mut summary.suspect }) += 1;
                summary.exposed += u64::from(infected && live.exposed.contains(&key.source));
                summary.matches += evidence.matches;
                summary.responses += evidence.responses;
            }
            self.write(Severity::Info, summary.event, &summary, || subject::list(summary.family, list.1));
        }
    }

    /// Streams evidence that changed since it was streamed, that of lists in `built`, where anybody streams; it is not in the
    /// log. Tells whether that was all.
    #[cfg(feature = "stream")]
    pub fn evidence(&mut self, ledger: &Ledger, built: &BTreeMap<(FamilyId, Day), Arc<List>>) -> bool {
        let Self { catalog, changes, networks, log, .. } = self;
        let log = log.lock().unwrap_or_else(PoisonError::into_inner);
        !log.is_streamed()
            || changes.look((ledger, catalog, built), networks.as_deref(), &mut |key, family, json| {
                log.stream(|| subject::source(family, key), &json);
            })
    }

    /// Writes what is no source's verdict. `about` is its key for whoever streams.
    fn write(&self, severity: Severity, label: &str, event: &impl Serialize, about: impl FnOnce() -> String) {
        let json = line(event);
        let log = &mut *self.log();
        log.append(json.as_bytes());
        if let Some(syslog) = log.syslog() {
            syslog.other(severity, label, &json);
        }
        #[cfg(feature = "stream")]
        log.stream(about, &json);
        #[cfg(not(feature = "stream"))]
        let _ = about;
    }

    fn log(&self) -> MutexGuard<'_, EventLog> {
        // Nothing is left half done under the lock.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is told of a source, as JSON: its verdict on a list of `family`, of which `names` are the first that it asked for.
pub(super) fn source_event(key: &Key, evidence: &Evidence, verdict: Verdict, family: &dyn Family, names: &[String]) -> String {
    line(&SourceEvent {
        schema: 1,
        event: verdict.label(),
        time: evidence.last_seen.to_string(),
        source: key.source.to_string(),
        source_port: evidence.port,
        transport: evidence.transport.label(),
        family: family.id(),
        list_day: key.list_day.to_string(),
        matches: evidence.matches,
        responses: evidence.responses,
        distinct_names: evidence.distinct_names(),
        known_collisions: evidence.collisions(),
        first_seen: evidence.first_seen.to_string(),
        last_seen: evidence.last_seen.to_string(),
        names,
    })
}

/// What records are about: the same for all of the same thing, so that the latest says how it is. A word in place of the
/// source tells others from sources.
mod subject {
    use super::{Day, Key};

    /// A source's evidence and verdict.
    #[cfg(feature = "stream")]
    pub(super) fn source(family: &str, key: &Key) -> String {
        format!("{family}/{}/{}", key.list_day, key.source)
    }

    /// A source that was told where a name leads.
    pub(super) fn exposed(family: &str, key: &Key, name: &str) -> String {
        format!("{family}/{}/{}/{name}", key.list_day, key.source)
    }

    /// A name that leads somewhere.
    pub(super) fn name(family: &str, list_day: Day, name: &str) -> String {
        format!("{family}/{list_day}/rendezvous/{name}")
    }

    /// An address that is a sinkhole.
    pub(super) fn sinkhole(family: &str, address: &str) -> String {
        format!("{family}/sinkhole/{address}")
    }

    /// A list that is over.
    pub(super) fn list(family: &str, list_day: Day) -> String {
        format!("{family}/{list_day}")
    }
}

pub(super) fn line(event: &impl Serialize) -> String {
    let mut line = vec![];
    json::write(event, &mut line).expect("texts and numbers are JSON, and memory takes everything");
    String::from_utf8(line).expect("JSON is text")
}
