//! What one sensor contributes to a folder: rows made of its evidence, and by which files.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use super::{EvidenceRow, ListRow, ParquetFolder, ServerRow, SketchRow};
use crate::day::Day;
use crate::dga::{Catalog, FamilyId, Habit};
use crate::export::Networks;
use crate::ledger::{Evidence, Hosts, HourSketch, Key, Portable, Standard, Verdict};
use crate::watchlist::{Names, known_collision};

/// What a sensor knows.
pub struct Contribution<'a> {
    /// The sensor's name.
    pub sensor: &'a str,
    /// The families that numbers stand for.
    pub catalog: &'a Catalog,
    /// Evidence in the order of its keys, judged.
    pub rows: &'a [(Key, Evidence)],
    /// The hosts behind each.
    pub hosts: &'a [Hosts],
    /// What verdicts on each list rest on.
    pub standards: &'a BTreeMap<(FamilyId, Day), Standard>,
    /// Who was seen to answer, ascending.
    pub answering: &'a [IpAddr],
    /// Where sources are, if that is known.
    pub networks: Option<&'a Networks>,
    /// The share of packets that was lost, if that is known.
    pub capture_loss: Option<f64>,
    /// In which way sources are masked, if they are: see [`crate::ledger::Masking::tag`].
    pub masking: Option<u64>,
}

impl Contribution<'_> {
    /// Writes the evidence of each family and list day, what verdicts on it rest on, and who answers. `part` tells families and list days
    /// whose files are there already, of earlier evidence that is not in this: theirs stay, and these get a number.
    ///
    /// # Errors
    /// When a file cannot be written; the others are.
    pub fn write(&self, folder: &ParquetFolder, part: impl Fn(&str, Day) -> u32) -> io::Result<()> {
        let server = |server: &IpAddr| ServerRow { sensor: self.sensor.to_owned(), server: *server };
        let mut outcome = folder.write_servers(self.answering.iter().map(server));
        let mut first = 0;
        for rows in self.rows.chunk_by(|(a, _), (b, _)| (a.family, a.list_day) == (b.family, b.list_day)) {
            let Key { family, list_day, .. } = rows[0].0;
            let hosts = &self.hosts[first..first + rows.len()];
            first += rows.len();
            let standard = self.standards.get(&(family, list_day)).copied().unwrap_or_default();
            let id = self.catalog.family(family).id();
            let folder = folder.part(part(id, list_day));
            let written = folder.write_evidence(id, list_day, self.evidence(rows, hosts, &standard));
            let written = written.and_then(|()| folder.write_list(&self.list(id, list_day, &standard)));
            outcome = outcome.and(written);
        }
        outcome
    }

    /// The rows of one family and list day.
    fn evidence(&self, rows: &[(Key, Evidence)], hosts: &[Hosts], standard: &Standard) -> impl Iterator<Item = EvidenceRow> {
        let Key { family, list_day, .. } = rows[0].0;
        let family = self.catalog.family(family);
        let mut names = None;
        rows.iter().zip(hosts).map(move |((key, evidence), hosts)| {
            // Lists take milliseconds to compute, and few sources have met a collision.
            let names: Option<&Names> = match evidence.collisions() {
                0 => None,
                _ => Some(names.get_or_insert_with(|| Names::new(family, family.edition(list_day)))),
            };
            let owned = |index| names.is_some_and(|names| known_collision(&names.name(index)).is_some());
            let answers = self.answering.binary_search(&key.source).is_ok();
            let portable = Portable::of(key, evidence, answers, owned);
            let mut row = EvidenceRow::of(self.sensor, family.id(), portable);
            row.network = self.networks.and_then(|networks| networks.origin(key.source).network);
            row.role = evidence.role();
            row.verdict = Verdict::of(evidence);
            row.names_needed = standard.needed;
            row.names_needed_of_crowd = standard.needed_of_crowd;
            row.set_aside = evidence.set_aside() as u32;
            row.reader = evidence.is_reader();
            row.capture_loss = self.capture_loss;
            row.hosts = match hosts {
                Ok(estimate) => {
                    let (low, best, high) = estimate.figures();
                    let method = estimate.method().label().to_owned();
                    Ok((low as f64, best as f64, high.map(|high| high as f64), method))
                }
                Err(why) => Err(why.text().to_owned()),
            };
            row
        })
    }

    fn list(&self, family: &str, list_day: Day, standard: &Standard) -> ListRow {
        let (habit, habit_names, habit_pace) = match standard.habit {
            Some(Habit::Sample { names, pace }) => (Some("sample"), Some(names), Some(pace)),
            Some(Habit::All { .. }) => (Some("all"), None, None),
            None => (None, None, None),
        };
        ListRow {
            sensor: self.sensor.to_owned(),
            family: family.to_owned(),
            list_day,
            names: standard.names,
            names_needed: standard.needed,
            names_needed_of_crowd: standard.needed_of_crowd,
            background: standard.background,
            measured: standard.measured,
            habit: habit.map(str::to_owned),
            habit_names,
            habit_pace,
            masking: self.masking.map(|tag| format!("{tag:016x}")),
        }
    }
}

/// Writes sketches, those of a family and day into one file.
///
/// # Errors
/// When a file cannot be written; the others are.
pub fn write_sketches(folder: &ParquetFolder, sensor: &str, catalog: &Catalog, sketches: &[HourSketch]) -> io::Result<()> {
    let mut outcome = Ok(());
    for of_day in sketches.chunk_by(|a, b| (a.family, a.hour.day()) == (b.family, b.hour.day())) {
        let (family, date) = (catalog.family(of_day[0].family).id(), of_day[0].hour.day());
        let row = |sketch: &HourSketch| SketchRow {
            sensor: sensor.to_owned(),
            family: family.to_owned(),
            hour: sketch.hour,
            scope: sketch.scope.to_owned(),
            sketch: sketch.octets.clone(),
            estimate: sketch.estimate,
        };
        let written = folder.write_sketches(family, date, of_day.iter().map(row));
        outcome = outcome.and(written);
    }
    outcome
}
