//! The rows of files, and how each becomes columns and is read back.

use std::net::IpAddr;

use super::columns::Row;
use super::groups::Cursor;
use crate::day::{Day, Timestamp};
use crate::decode::Transport;
use crate::dga::FamilyId;
use crate::ledger::{Key, Lookups, Portable, Role, Verdict};

/// What a sensor knows of one source in one family and list day.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceRow {
    /// The sensor's name.
    pub sensor: String,
    /// The family.
    pub family: String,
    /// The day of the list.
    pub list_day: Day,
    /// An address, the first of a network, or a pseudonym.
    pub source: IpAddr,
    /// The label of the network that it is in, where one is known.
    pub network: Option<String>,
    /// Queries for names of the list.
    pub matches: u64,
    /// Responses about them.
    pub responses: u64,
    /// Places of the names in the list, ascending, each once.
    pub names: Vec<u32>,
    /// Those of them that are known collisions.
    pub collisions: Vec<u32>,
    /// When the first message was, to the microsecond.
    pub first_seen: Timestamp,
    /// When the latest was.
    pub last_seen: Timestamp,
    /// The source's port in the latest.
    pub port: u16,
    /// What carried the latest.
    pub transport: Transport,
    /// Messages that wanted recursion, up to 255.
    pub recursive: u8,
    /// Those that did not, up to 255.
    pub iterative: u8,
    /// Names that were new within one window, at most.
    pub most: u32,
    /// Whether it was seen to answer for names of lists.
    pub answers_others: bool,
    /// Who answered it: of several the lowest address.
    pub server: Option<IpAddr>,
    /// Traces of families whose hosts ask for all names: lookups, starts of rounds, lifetimes of names.
    pub lookups: Vec<u64>,
    /// As above.
    pub starts: Vec<u64>,
    /// As above.
    pub lifetimes: Vec<u64>,
    /// Lookups for which there was no room; nothing where no traces are kept.
    pub lookups_lost: Option<u64>,
    /// When the latest lookup was, in seconds since 1970.
    pub latest_lookup: Option<u64>,
    /// What it is in the DNS.
    pub role: Role,
    /// What this sensor judged by itself.
    pub verdict: Verdict,
    /// Names that make a verdict on a client.
    pub names_needed: u16,
    /// The same for a resolver or forwarder.
    pub names_needed_of_crowd: u16,
    /// Names that were set aside.
    pub set_aside: u32,
    /// Whether it reads lists.
    pub reader: bool,
    /// Hosts behind it, low, best, high, and the method; high is none where there is no upper bound.
    pub hosts: Result<(f64, f64, Option<f64>, String), String>,
    /// The share of packets that the sensor lost, where it knows.
    pub capture_loss: Option<f64>,
}

impl EvidenceRow {
    /// What a record says, before anything is judged.
    pub fn of(sensor: &str, family: &str, record: Portable) -> Self {
        let trace = record.trace;
        let (lookups_lost, latest_lookup) = (trace.as_ref().map(|of| of.lost), trace.as_ref().map(|of| of.latest.into()));
        let Lookups { times, starts, lifetimes, .. } = trace.unwrap_or_default();
        Self {
            sensor: sensor.to_owned(),
            family: family.to_owned(),
            list_day: record.key.list_day,
            source: record.key.source,
            network: None,
            matches: record.matches,
            responses: record.responses,
            names: record.names,
            collisions: record.collisions,
            first_seen: record.first_seen,
            last_seen: record.last_seen,
            port: record.port,
            transport: record.transport,
            recursive: record.recursive,
            iterative: record.iterative,
            most: record.most,
            answers_others: record.answers_others,
            server: record.server,
            lookups: times,
            starts: starts.into_iter().map(u64::from).collect(),
            lifetimes: lifetimes.into_iter().map(u64::from).collect(),
            lookups_lost,
            latest_lookup,
            role: Role::Unknown,
            verdict: Verdict::Suspect,
            names_needed: 0,
            names_needed_of_crowd: 0,
            set_aside: 0,
            reader: false,
            hosts: Err(String::new()),
            capture_loss: None,
        }
    }

    /// The record, for a ledger to absorb: `family` is the number of its family there.
    ///
    /// # Errors
    /// When lookups are out of their range.
    pub fn into_portable(self, family: FamilyId) -> Result<Portable, String> {
        fn narrow<T: TryFrom<u64>>(numbers: Vec<u64>) -> Result<Vec<T>, String> {
            let narrow = numbers.into_iter().map(T::try_from).collect::<Result<_, _>>();
            narrow.map_err(|_| "is damaged: lookups are out of their range".to_owned())
        }
        let trace = match (self.lookups_lost, self.latest_lookup) {
            (Some(lost), Some(latest)) => Some(Lookups {
                times: self.lookups,
                lost,
                starts: narrow(self.starts)?,
                latest: narrow(vec![latest])?[0],
                lifetimes: narrow(self.lifetimes)?,
            }),
            _ => None,
        };
        Ok(Portable {
            key: Key { family, list_day: self.list_day, source: self.source },
            matches: self.matches,
            responses: self.responses,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            names: self.names,
            collisions: self.collisions,
            port: self.port,
            transport: self.transport,
            recursive: self.recursive,
            iterative: self.iterative,
            answers_others: self.answers_others,
            most: self.most,
            server: self.server,
            trace,
        })
    }
}

/// What verdicts on a list rest on: all of the rule but the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct ListRow {
    /// The sensor's name.
    pub sensor: String,
    /// The family.
    pub family: String,
    /// The day of the list.
    pub list_day: Day,
    /// Names of the list.
    pub names: u32,
    /// Names that make a verdict on a client.
    pub names_needed: u16,
    /// The same for a resolver or forwarder.
    pub names_needed_of_crowd: u16,
    /// Names that a source meets by chance.
    pub background: f64,
    /// Whether a placebo measured that.
    pub measured: bool,
    /// How hosts choose names: `sample`, `all`, or nothing where it is not known.
    pub habit: Option<String>,
    /// How many a host draws, where it draws.
    pub habit_names: Option<u32>,
    /// Seconds from one lookup of a host to its next, at least.
    pub habit_pace: Option<f64>,
    /// In which way the sensor's sources are masked, where they are: see [`crate::ledger::Masking::tag`].
    pub masking: Option<String>,
}

/// Different sources of an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct SketchRow {
    /// The sensor's name.
    pub sensor: String,
    /// The family.
    pub family: String,
    /// When the hour begins.
    pub hour: Timestamp,
    /// `seen` or `infected`.
    pub scope: String,
    /// A sketch of Apache DataSketches.
    pub sketch: Vec<u8>,
    /// What it says.
    pub estimate: f64,
}

/// An address that was seen to answer for names of lists.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerRow {
    /// The sensor's name.
    pub sensor: String,
    /// The address.
    pub server: IpAddr,
}

/// A row of one kind of file.
pub(super) trait Fields: Sized {
    /// In the order of the schema.
    fn put(&self, row: &mut Row<'_>);
    fn get(cursor: &mut Cursor) -> Result<Self, String>;
}

impl Fields for EvidenceRow {
    fn put(&self, row: &mut Row<'_>) {
        row.text(Some(&self.sensor));
        row.text(Some(&self.family));
        row.int32(Some(self.list_day.number()));
        row.text(Some(&self.source.to_string()));
        row.text(self.network.as_deref());
        row.int64(Some(count(self.matches)));
        row.int64(Some(count(self.responses)));
        row.list32(&self.names);
        row.list32(&self.collisions);
        row.int64(Some(micros(self.first_seen)));
        row.int64(Some(micros(self.last_seen)));
        row.int32(Some(self.port.into()));
        row.text(Some(self.transport.label()));
        row.int32(Some(self.recursive.into()));
        row.int32(Some(self.iterative.into()));
        row.int32(Some(self.most.min(i32::MAX as u32).cast_signed()));
        row.flag(Some(self.answers_others));
        row.text(self.server.map(|server| server.to_string()).as_deref());
        row.list64(&self.lookups);
        row.list64(&self.starts);
        row.list64(&self.lifetimes);
        row.int64(self.lookups_lost.map(count));
        row.int64(self.latest_lookup.map(count));
        row.text(Some(self.role.label()));
        row.text(Some(self.verdict.label()));
        row.int32(Some(self.names_needed.into()));
        row.int32(Some(self.names_needed_of_crowd.into()));
        row.int32(Some(self.set_aside.min(i32::MAX as u32).cast_signed()));
        row.flag(Some(self.reader));
        let hosts = self.hosts.as_ref();
        row.double(hosts.ok().map(|hosts| hosts.0));
        row.double(hosts.ok().map(|hosts| hosts.1));
        row.double(hosts.ok().and_then(|hosts| hosts.2));
        row.text(hosts.ok().map(|hosts| hosts.3.as_str()));
        row.text(hosts.err().map(String::as_str));
        row.double(self.capture_loss);
    }

    fn get(cursor: &mut Cursor) -> Result<Self, String> {
        // In the order of the schema, which is that of the fields up to `reader`.
        let row = Self {
            sensor: needed(cursor.text()?)?,
            family: needed(cursor.text()?)?,
            list_day: day(needed(cursor.int32()?)?)?,
            source: address(&needed(cursor.text()?)?)?,
            network: cursor.text()?,
            matches: number(cursor.int64()?)?,
            responses: number(cursor.int64()?)?,
            names: ascending(cursor.list32()?)?,
            collisions: ascending(cursor.list32()?)?,
            first_seen: time(cursor.int64()?)?,
            last_seen: time(cursor.int64()?)?,
            port: number(cursor.int32()?)?,
            transport: one_of(&Transport::ALL, |transport| transport.label(), cursor)?,
            recursive: number(cursor.int32()?)?,
            iterative: number(cursor.int32()?)?,
            most: number(cursor.int32()?)?,
            answers_others: needed(cursor.flag()?)?,
            server: cursor.text()?.as_deref().map(address).transpose()?,
            lookups: cursor.list64()?,
            starts: cursor.list64()?,
            lifetimes: cursor.list64()?,
            lookups_lost: cursor.int64()?.map(|lost| number(Some(lost))).transpose()?,
            latest_lookup: cursor.int64()?.map(|latest| number(Some(latest))).transpose()?,
            role: one_of(&[Role::Client, Role::Forwarder, Role::Resolver, Role::Unknown], |role| role.label(), cursor)?,
            verdict: one_of(&[Verdict::Suspect, Verdict::Infected], |verdict| verdict.label(), cursor)?,
            names_needed: number(cursor.int32()?)?,
            names_needed_of_crowd: number(cursor.int32()?)?,
            set_aside: number(cursor.int32()?)?,
            reader: needed(cursor.flag()?)?,
            hosts: {
                let (low, best, high) = (cursor.double()?, cursor.double()?, cursor.double()?);
                match (low, best, cursor.text()?, cursor.text()?) {
                    (Some(low), Some(best), Some(method), None) => Ok((low, best, high, method)),
                    (None, None, None, Some(refused)) => Err(refused),
                    _ => return Err("is damaged: hosts are neither counted nor refused".to_owned()),
                }
            },
            capture_loss: cursor.double()?,
        };
        if row.first_seen > row.last_seen || row.collisions.iter().any(|place| row.names.binary_search(place).is_err()) {
            return Err("is damaged: what a row says does not fit together".to_owned());
        }
        Ok(row)
    }
}

impl Fields for ListRow {
    fn put(&self, row: &mut Row<'_>) {
        row.text(Some(&self.sensor));
        row.text(Some(&self.family));
        row.int32(Some(self.list_day.number()));
        row.int32(Some(self.names.min(i32::MAX as u32).cast_signed()));
        row.int32(Some(self.names_needed.into()));
        row.int32(Some(self.names_needed_of_crowd.into()));
        row.double(Some(self.background));
        row.flag(Some(self.measured));
        row.text(self.habit.as_deref());
        row.int32(self.habit_names.map(|names| names.min(i32::MAX as u32).cast_signed()));
        row.double(self.habit_pace);
        row.text(self.masking.as_deref());
    }

    fn get(cursor: &mut Cursor) -> Result<Self, String> {
        Ok(Self {
            sensor: needed(cursor.text()?)?,
            family: needed(cursor.text()?)?,
            list_day: day(needed(cursor.int32()?)?)?,
            names: number(cursor.int32()?)?,
            names_needed: number(cursor.int32()?)?,
            names_needed_of_crowd: number(cursor.int32()?)?,
            background: needed(cursor.double()?)?,
            measured: needed(cursor.flag()?)?,
            habit: cursor.text()?,
            habit_names: cursor.int32()?.map(|names| number(Some(names))).transpose()?,
            habit_pace: cursor.double()?,
            masking: cursor.text()?,
        })
    }
}

impl Fields for SketchRow {
    fn put(&self, row: &mut Row<'_>) {
        row.text(Some(&self.sensor));
        row.text(Some(&self.family));
        row.int64(Some(micros(self.hour)));
        row.text(Some(&self.scope));
        row.octets(Some(self.sketch.clone().into()));
        row.double(Some(self.estimate));
    }

    fn get(cursor: &mut Cursor) -> Result<Self, String> {
        Ok(Self {
            sensor: needed(cursor.text()?)?,
            family: needed(cursor.text()?)?,
            hour: time(cursor.int64()?)?,
            scope: needed(cursor.text()?)?,
            sketch: needed(cursor.octets()?)?.data().to_vec(),
            estimate: needed(cursor.double()?)?,
        })
    }
}

impl Fields for ServerRow {
    fn put(&self, row: &mut Row<'_>) {
        row.text(Some(&self.sensor));
        row.text(Some(&self.server.to_string()));
    }

    fn get(cursor: &mut Cursor) -> Result<Self, String> {
        Ok(Self { sensor: needed(cursor.text()?)?, server: address(&needed(cursor.text()?)?)? })
    }
}

/// Counts of messages do not come near the bound.
fn count(messages: u64) -> i64 {
    i64::try_from(messages).unwrap_or(i64::MAX)
}

fn micros(time: Timestamp) -> i64 {
    (time.as_nanos() / 1_000).cast_signed()
}

fn needed<T>(value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| "is damaged: a value is missing".to_owned())
}

fn number<N: TryInto<T>, T>(value: Option<N>) -> Result<T, String> {
    needed(value)?.try_into().map_err(|_| "is damaged: a number is out of its range".to_owned())
}

fn day(number: i32) -> Result<Day, String> {
    let day = Day::EPOCH.plus(number);
    (Day::EPOCH..=Day::LAST).contains(&day).then_some(day).ok_or_else(|| "is damaged: a list day is out of its range".to_owned())
}

fn time(micros: Option<i64>) -> Result<Timestamp, String> {
    let nanos = u64::try_from(needed(micros)?).ok().and_then(|micros| micros.checked_mul(1_000));
    nanos.map(Timestamp::from_nanos).ok_or_else(|| "is damaged: a time is out of its range".to_owned())
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("is damaged: `{}` is no address", text.escape_debug()))
}

fn ascending(places: Vec<u32>) -> Result<Vec<u32>, String> {
    let sorted = places.is_sorted_by(|a, b| a < b);
    if sorted { Ok(places) } else { Err("is damaged: places of names do not ascend".to_owned()) }
}

fn one_of<T: Copy>(all: &[T], label: fn(&T) -> &'static str, cursor: &mut Cursor) -> Result<T, String> {
    let text = needed(cursor.text()?)?;
    let found = all.iter().copied().find(|one| label(one) == text);
    found.ok_or_else(|| format!("is damaged: there is no `{}`", text.escape_debug()))
}
