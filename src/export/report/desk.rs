//! What a report is told beside what was found: from where that was seen, who reports it, and in which networks sources are.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::Report;
use super::text::{grouped, printable};
use crate::dga::FamilyId;
use crate::export::networks::is_printable;
use crate::export::{Grouping, Networks, Origin};
use crate::ledger::Verdict;

/// The widest name of a network that leaves room for its figures on a line.
const NAME_WIDTH: usize = 30;

/// Characters of a vantage and of an organisation: what XARF allows an organisation.
const LONGEST: usize = 200;

/// Whom a report speaks for, and what it says of sources beside their evidence.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Where the sensor sees traffic, in the operator's words: before or behind a resolver.
    pub vantage: String,
    /// What the sensor is called among those of its operator.
    pub sensor: Option<String>,
    /// Who can be asked about it.
    pub reporter: Option<Reporter>,
    /// Whether abuse reports speak of suspects as well.
    pub suspects: bool,
    /// The networks that sources are counted by.
    pub networks: Option<Arc<Networks>>,
    /// How sources are masked, if they are: reports that differ here speak of different sources.
    pub masked: Option<u64>,
}

impl Desk {
    /// What stands for a vantage that nobody told.
    pub const UNTOLD: &'static str = "unspecified";

    /// Whether a text can name a sensor: 1 to 64 letters, digits, dots, hyphens and underscores of ASCII, of which the first is
    /// no dot, so that it can be part of a file's name.
    pub fn is_sensor(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        (1..=64).contains(&text.len()) && !text.starts_with('.') && text.chars().all(plain)
    }

    /// Whether a text can name a vantage: 1 to 200 printable characters.
    pub fn is_vantage(text: &str) -> bool {
        !text.is_empty() && text.chars().count() <= LONGEST && is_printable(text)
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self { vantage: Self::UNTOLD.to_owned(), sensor: None, reporter: None, suspects: false, networks: None, masked: None }
    }
}

/// An organisation that reports abuse, with an address for questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporter {
    /// Its name.
    pub organisation: String,
    /// Its e-mail address.
    pub contact: String,
}

impl Reporter {
    /// The domain of its address.
    pub fn domain(&self) -> &str {
        self.contact.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// `Example ISP <abuse@isp.example>`.
impl std::str::FromStr for Reporter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<'));
        let (organisation, contact) = parts.ok_or("write it as `Example ISP <abuse@isp.example>`")?;
        let (organisation, contact) = (organisation.trim(), contact.trim());
        let (local, domain) = contact.rsplit_once('@').unwrap_or_default();
        let plain = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c)) && text.len() <= 253
        };
        if !plain(local, ".!#$%&'*+-/=?^_`{|}~") || !plain(domain, ".-") || !domain.contains('.') {
            return Err(format!("`{}` is no e-mail address", contact.escape_debug()));
        }
        if organisation.is_empty() || organisation.chars().count() > LONGEST || !is_printable(organisation) {
            return Err(format!("an organisation has 1 to {LONGEST} printable characters"));
        }
        Ok(Self { organisation: organisation.to_owned(), contact: contact.to_owned() })
    }
}

/// The sources of a family in one network.
#[derive(Serialize)]
struct NetworkTotals {
    by: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_name: Option<String>,
    family: String,
    sources: usize,
    infected: usize,
    suspect: usize,
    matches: u64,
    responses: u64,
}

impl Report {
    /// Tells whom it speaks for, and where sources are.
    #[must_use]
    pub fn with_desk(mut self, desk: Desk) -> Self {
        self.desk = desk;
        self
    }

    /// Where a source is, if networks are known.
    pub(super) fn origin(&self, source: IpAddr) -> Option<Origin> {
        self.desk.networks.as_ref().map(|networks| networks.origin(source))
    }

    /// Sources by network: first by label, then by system, then by country; each by name, unknown ones last.
    fn network_totals(&self) -> Vec<NetworkTotals> {
        let Some(networks) = &self.desk.networks else { return vec![] };
        let mut sources: BTreeMap<(FamilyId, IpAddr), (Verdict, u64, u64)> = BTreeMap::new();
        for (key, evidence) in &self.rows {
            let of = sources.entry((key.family, key.source)).or_insert((Verdict::Suspect, 0, 0));
            *of = (of.0.max(Verdict::of(evidence)), of.1 + evidence.matches, of.2 + evidence.responses);
        }
        let mut totals: BTreeMap<(Grouping, bool, String, FamilyId), NetworkTotals> = BTreeMap::new();
        for ((id, source), (verdict, matches, responses)) in sources {
            let origin = networks.origin(source);
            for by in networks.groupings() {
                let name = origin.name(by);
                let row = totals.entry((by, name == Networks::OTHER, name.clone(), id)).or_insert_with(|| NetworkTotals {
                    by: by.label(),
                    name,
                    as_name: origin.as_name.clone().filter(|_| by == Grouping::Asn),
                    family: self.catalog.family(id).id().to_owned(),
                    sources: 0,
                    infected: 0,
                    suspect: 0,
                    matches: 0,
                    responses: 0,
                });
                row.sources += 1;
                *(if verdict == Verdict::Infected { &mut row.infected } else { &mut row.suspect }) += 1;
                row.matches += matches;
                row.responses += responses;
            }
        }
        totals.into_values().collect()
    }

    /// Members of the JSON report that there are only where something was told.
    pub(super) fn write_desk_members(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(masked) = self.desk.masked {
            write!(out, ",\n \"masking\": \"{masked:016x}\"")?;
        }
        if self.desk.networks.is_some() {
            write!(out, ",\n \"networks\": [")?;
            super::json::rows(out, self.network_totals().iter())?;
            write!(out, "]")?;
        }
        Ok(())
    }

    /// The same for a person, the most infected first; at most `top` rows of each table, 0 for all.
    pub(super) fn write_network_tables(&self, top: usize, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = self.network_totals();
        rows.sort_by_key(|row| std::cmp::Reverse((row.infected, row.suspect)));
        for by in Grouping::ALL {
            let rows: Vec<&NetworkTotals> = rows.iter().filter(|row| row.by == by.label()).collect();
            if rows.is_empty() {
                continue;
            }
            let headings = ["family", "infected", "suspect", "queries"];
            writeln!(out, "\nSources by {}", by.label())?;
            let [family, infected, suspect, queries] = headings;
            writeln!(out, "  {:<NAME_WIDTH$} {family:<16} {infected:>8} {suspect:>7} {queries:>9}", by.label())?;
            let shown = if top == 0 { rows.len() } else { top.min(rows.len()) };
            for row in &rows[..shown] {
                let name = row.as_name.iter().fold(row.name.clone(), |name, owner| format!("{name} {owner}"));
                let name = printable(&name);
                let name = if name.chars().count() > NAME_WIDTH { format!("{name}\n  {:NAME_WIDTH$}", "") } else { name };
                let (family, matches) = (&row.family, grouped(row.matches));
                writeln!(out, "  {name:<NAME_WIDTH$} {family:<16} {:>8} {:>7} {matches:>9}", row.infected, row.suspect)?;
            }
            if shown < rows.len() {
                writeln!(out, "  … and {} more: --top 0 shows all, --format json lists all", rows.len() - shown)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reporters() {
        let reporter: Reporter = " Example ISP, Abuse <abuse+dns@isp.example> ".parse().unwrap();
        let Reporter { organisation, contact } = &reporter;
        assert_eq!(
            (&**organisation, &**contact, reporter.domain()),
            ("Example ISP, Abuse", "abuse+dns@isp.example", "isp.example")
        );
        for wrong in ["", "Example", "Example <abuse>", "Example <@isp.example>", "Example <a b@isp.example>", "<a@isp.example>"]
        {
            assert!(wrong.parse::<Reporter>().is_err(), "{wrong}");
        }
        assert!("a\u{1b}[2J <a@isp.example>".parse::<Reporter>().is_err());
    }
}
