//! What became of infected sources between two reports: new, persisting, cleaned; by family and network.
//!
//! Read from the JSON reports alone. `cleaned` means that nothing of the source was seen any more: it may have been cleaned,
//! switched off, given another address, or the later capture may have seen less.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::report::printable;
use super::{Grouping, Networks, Origin, json};

/// How a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonFormat {
    /// For a person: counts.
    Text,
    /// One object: counts and sources.
    Json,
    /// The sources.
    Csv,
}

/// What of a report matters here.
#[derive(Deserialize)]
struct Report {
    schema: u32,
    captures: Vec<Capture>,
    families: Vec<Family>,
    sources: Vec<Source>,
    masking: Option<String>,
    networks: Option<Vec<Network>>,
}

#[derive(Deserialize)]
struct Capture {
    first_packet: Option<String>,
    last_packet: Option<String>,
}

#[derive(Deserialize)]
struct Family {
    family: String,
}

#[derive(Deserialize)]
struct Network {
    by: String,
}

#[derive(Deserialize)]
struct Source {
    source: IpAddr,
    family: String,
    first_seen: String,
    last_seen: String,
    verdict: String,
    #[serde(flatten)]
    origin: Place,
}

#[derive(Deserialize)]
struct Place {
    network: Option<String>,
    asn: Option<u32>,
    country: Option<String>,
}

/// A source in one of the reports, over all its list days.
#[derive(Clone)]
struct Seen {
    infected: bool,
    first_seen: String,
    last_seen: String,
    network: String,
}

impl Seen {
    const fn verdict(&self) -> &'static str {
        if self.infected { "infected" } else { "suspect" }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    New,
    Persisting,
    Cleaned,
}

impl State {
    const ALL: [Self; 3] = [Self::New, Self::Persisting, Self::Cleaned];

    const fn label(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Persisting => "persisting",
            Self::Cleaned => "cleaned",
        }
    }
}

#[derive(Serialize)]
struct Row {
    state: State,
    source: IpAddr,
    family: String,
    network: String,
    old_verdict: Option<&'static str>,
    new_verdict: Option<&'static str>,
    first_seen: String,
    last_seen: String,
}

#[derive(Serialize)]
struct Totals<'a> {
    network: &'a str,
    family: &'a str,
    new: u64,
    persisting: u64,
    cleaned: u64,
}

#[derive(Serialize)]
struct Span {
    first_packet: Option<String>,
    last_packet: Option<String>,
}

/// Two reports compared.
#[derive(Serialize)]
pub struct Comparison {
    schema: u32,
    old: Span,
    new: Span,
    by: Option<&'static str>,
    families: Vec<String>,
    families_left_out: Vec<String>,
    #[serde(skip)]
    rows: Vec<Row>,
}

impl Comparison {
    /// Compares an earlier with a later report, counting by networks of a kind; by what the reports know, if none is given.
    ///
    /// # Errors
    /// A sentence: when one is no report, or they speak of different sources.
    pub fn new(old: impl Read, new: impl Read, by: Option<Grouping>) -> Result<Self, String> {
        let (old, new) = (read(old, "the first")?, read(new, "the second")?);
        if old.masking != new.masking {
            return Err(
                "the reports stand for sources in different ways (--prefix, --pseudonymise): nobody can tell who is who".into()
            );
        }
        let known = |by: &Grouping| [&old, &new].iter().any(|report| report.knows(*by));
        let by = match by {
            Some(by) if !known(&by) => {
                return Err(format!("the reports do not tell the {} of sources: see --networks of replay", by.label()));
            }
            Some(by) => Some(by),
            None => Grouping::ALL.into_iter().find(known),
        };
        let asked = |report: &Report| report.families.iter().map(|row| row.family.clone()).collect::<BTreeSet<_>>();
        let (of_old, of_new) = (asked(&old), asked(&new));
        // Whose names were not looked for is not gone.
        let families: Vec<String> =
            new.families.iter().map(|row| row.family.clone()).filter(|family| of_old.contains(family)).collect();
        let families_left_out = of_old.symmetric_difference(&of_new).cloned().collect();
        let (old_span, new_span) = (old.span(), new.span());
        let (mut before, mut after) = (old.sources(by), new.sources(by));
        let mut rows = vec![];
        for family in &families {
            let (before, after) = (before.remove(family).unwrap_or_default(), after.remove(family).unwrap_or_default());
            let all: BTreeSet<&IpAddr> = before.keys().chain(after.keys()).collect();
            let mut of_family: Vec<Row> =
                all.into_iter().filter_map(|source| row(family, *source, before.get(source), after.get(source))).collect();
            of_family.sort_by(|a, b| {
                let order = |row: &Row| (row.network == Networks::OTHER, row.network.clone(), row.state, row.source);
                order(a).cmp(&order(b))
            });
            rows.append(&mut of_family);
        }
        let by = by.map(Grouping::label);
        Ok(Self { schema: 1, old: old_span, new: new_span, by, families, families_left_out, rows })
    }

    /// Whether the first report ends after the second: perhaps they were given the wrong way round.
    pub fn is_backwards(&self) -> bool {
        matches!((&self.old.last_packet, &self.new.last_packet), (Some(old), Some(new)) if old > new)
    }

    /// Families that only one of the reports looked for.
    pub fn families_left_out(&self) -> &[String] {
        &self.families_left_out
    }

    /// Writes it.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write(&self, format: ComparisonFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ComparisonFormat::Text => self.write_text(out),
            ComparisonFormat::Json => self.write_json(out),
            ComparisonFormat::Csv => self.write_csv(out),
        }
    }

    /// Counts of each network and family, in the order of rows.
    fn totals(&self) -> Vec<Totals<'_>> {
        let networks = self.rows.chunk_by(|a, b| (&a.family, &a.network) == (&b.family, &b.network));
        networks.map(|rows| totals(&rows[0].network, &rows[0].family, rows.iter())).collect()
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (what, Span { first_packet, last_packet }) in [("Before", &self.old), ("After ", &self.new)] {
            match (first_packet, last_packet) {
                (Some(first), Some(last)) => writeln!(out, "{what}  {} to {}", printable(first), printable(last))?,
                _ => writeln!(out, "{what}  no packets")?,
            }
        }
        let heading = |out: &mut dyn Write, family: &str| {
            writeln!(
                out,
                "\n{}\n  {:<40} {:>8} {:>10} {:>8}",
                printable(family),
                self.by.unwrap_or(""),
                "new",
                "persisting",
                "cleaned"
            )
        };
        let networks = self.totals();
        for family in &self.families {
            heading(out, family)?;
            let line = |out: &mut dyn Write, name: &str, row: &Totals<'_>| {
                writeln!(out, "  {:<40} {:>8} {:>10} {:>8}", printable(name), row.new, row.persisting, row.cleaned)
            };
            if self.by.is_some() {
                for row in networks.iter().filter(|row| row.family == family) {
                    line(out, row.network, row)?;
                }
            }
            line(out, "all", &totals("", family, self.rows.iter().filter(|row| row.family == *family)))?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            about: &'a Comparison,
            networks: Vec<Totals<'a>>,
            sources: &'a [Row],
        }
        json::write(&Whole { about: self, networks: self.totals(), sources: &self.rows }, out)?;
        writeln!(out)
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = csv::Writer::from_writer(out);
        table.write_record(["state", "source", "family", "network", "old_verdict", "new_verdict", "first_seen", "last_seen"])?;
        for row in &self.rows {
            let source = row.source.to_string();
            let verdict = |verdict: Option<&'static str>| verdict.unwrap_or_default();
            let cells = [
                row.state.label(),
                &source,
                &row.family,
                &row.network,
                verdict(row.old_verdict),
                verdict(row.new_verdict),
                &row.first_seen,
                &row.last_seen,
            ];
            // A spreadsheet would take such a cell for a formula.
            table.write_record(cells.map(|cell| {
                let cell = printable(cell);
                if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell }
            }))?;
        }
        table.flush()
    }
}

fn totals<'a>(network: &'a str, family: &'a str, rows: impl Iterator<Item = &'a Row> + Clone) -> Totals<'a> {
    let [new, persisting, cleaned] = State::ALL.map(|state| rows.clone().filter(|row| row.state == state).count() as u64);
    Totals { network, family, new, persisting, cleaned }
}

/// What became of a source; nothing where it was never infected.
fn row(family: &str, source: IpAddr, before: Option<&Seen>, after: Option<&Seen>) -> Option<Row> {
    let infected = |seen: Option<&Seen>| seen.is_some_and(|seen| seen.infected);
    let state = match (infected(before), after) {
        (true, None) => State::Cleaned,
        // Seen less of, but not gone.
        (true, Some(_)) => State::Persisting,
        (false, after) if infected(after) => State::New,
        (false, _) => return None,
    };
    let latest = after.or(before)?;
    Some(Row {
        state,
        source,
        family: family.to_owned(),
        network: latest.network.clone(),
        old_verdict: before.map(Seen::verdict),
        new_verdict: after.map(Seen::verdict),
        first_seen: before.or(after)?.first_seen.clone(),
        last_seen: latest.last_seen.clone(),
    })
}

fn read(from: impl Read, which: &str) -> Result<Report, String> {
    let report: Report = serde_json::from_reader(io::BufReader::new(from))
        .map_err(|error| format!("{which} is no report of `replay --format json`: {error}"))?;
    if report.schema == 1 { Ok(report) } else { Err(format!("{which} has schema {}, not 1", report.schema)) }
}

impl Report {
    fn span(&self) -> Span {
        let packets = |of: fn(&Capture) -> &Option<String>| self.captures.iter().filter_map(move |capture| of(capture).clone());
        Span { first_packet: packets(|of| &of.first_packet).min(), last_packet: packets(|of| &of.last_packet).max() }
    }

    fn knows(&self, by: Grouping) -> bool {
        self.networks.iter().flatten().any(|network| network.by == by.label())
    }

    /// Sources by family, each once.
    fn sources(self, by: Option<Grouping>) -> BTreeMap<String, BTreeMap<IpAddr, Seen>> {
        let mut sources: BTreeMap<String, BTreeMap<IpAddr, Seen>> = BTreeMap::new();
        for Source { source, family, first_seen, last_seen, verdict, origin } in self.sources {
            let infected = verdict == "infected";
            let Place { network, asn, country } = origin;
            let origin = Origin { network, asn, as_name: None, country };
            let network = by.map_or_else(|| "all".to_owned(), |by| origin.name(by));
            let of_family = sources.entry(family).or_default();
            let seen = Seen { infected, first_seen, last_seen, network };
            // Times of one form sort as texts.
            of_family
                .entry(source)
                .and_modify(|known| {
                    known.infected |= seen.infected;
                    known.first_seen = known.first_seen.clone().min(seen.first_seen.clone());
                    known.last_seen = known.last_seen.clone().max(seen.last_seen.clone());
                })
                .or_insert(seen);
        }
        sources
    }
}
