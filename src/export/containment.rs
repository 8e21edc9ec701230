//! What holding and blocking names achieves, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::json;
use super::plot::{self, Curve};
use super::report::grouped;
use crate::dga::{Containment, over_days};

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainmentFormat {
    /// For a person, with a plot.
    Text,
    /// An object.
    Json,
}

/// A family, what somebody holds of its names, and what is blocked.
pub struct ContainmentReport {
    /// The family.
    pub family: String,
    /// The arithmetic of its list.
    pub model: Containment,
    /// Names held.
    pub held: u64,
    /// The share of all names that is blocked.
    pub blocked: f64,
    /// Lookups at held names in a day, to tell the number of hosts.
    pub lookups: Option<u64>,
    /// Names of the list by who runs their suffix, most names first.
    pub operators: Vec<Blocking>,
    /// Names of the list that are under no suffix of the table.
    pub unassigned: u64,
}

/// What one operator could block.
pub struct Blocking {
    /// Who.
    pub operator: String,
    /// Suffixes that it runs and the list has names under.
    pub suffixes: Vec<String>,
    /// Names of the list under them.
    pub names: u64,
}

/// Shares of hosts that are asked about.
const SHARES: [(&str, f64); 4] = [("0.01", 0.01), ("0.1", 0.1), ("0.5", 0.5), ("0.9", 0.9)];

/// Why a family all of whose names are asked by every host gives no number of hosts.
const REFUSED: &str = "every host asks for every name, again and again: lookups tell rounds, not hosts";

const DAYS: [(&str, f64); 3] = [("day", 1.0), ("week", 7.0), ("month", 30.0)];

#[derive(Serialize)]
struct Object<'a> {
    family: &'a str,
    names: u64,
    lookups_per_host: u64,
    held: u64,
    blocked: f64,
    reach: serde_json::Map<String, serde_json::Value>,
    names_for: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lookups: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<Option<Estimate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    operators: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Estimate {
    low: u64,
    best: u64,
    high: u64,
    method: &'static str,
}

/// An operator, and what comes of it when it blocks, and when all before it in the table do too.
#[derive(Serialize)]
struct Row<'a> {
    operator: &'a str,
    suffixes: &'a [String],
    names: u64,
    share: f64,
    reach: f64,
    blocked_so_far: f64,
    reach_so_far: f64,
    reach_of_the_rest: f64,
}

impl ContainmentReport {
    /// Writes it.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write(&self, format: ContainmentFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ContainmentFormat::Text => self.text(out),
            ContainmentFormat::Json => {
                json::write(&self.object(), out)?;
                writeln!(out)
            }
        }
    }

    /// Draws what is reached as SVG.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn svg(&self, out: &mut dyn Write) -> io::Result<()> {
        let heading = format!("{}: hosts that reach a held name", self.family);
        self.curves(|curves| plot::svg(&heading, curves, self.model.names(), "names held", out))
    }

    fn curves(&self, draw: impl FnOnce(&[Curve<'_>]) -> io::Result<()>) -> io::Result<()> {
        let over = |days: f64| move |held| over_days(self.model.reach(held, self.blocked), days);
        let (day, week, month) = (over(1.0), over(7.0), over(30.0));
        draw(&[
            Curve { mark: '*', colour: "#b22222", title: "in a day", value: &day },
            Curve { mark: '+', colour: "#1f5fa8", title: "in a week", value: &week },
            Curve { mark: '.', colour: "#3a7d34", title: "in a month", value: &month },
        ])
    }

    fn reach(&self, days: f64) -> f64 {
        over_days(self.model.reach(self.held, self.blocked), days)
    }

    fn asks_all(&self) -> bool {
        self.model.asked() == self.model.names()
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let names = self.model.names() as f64;
        // Whoever blocks by suffix does so whatever is blocked already.
        let besides = |share: f64| 1.0 - (1.0 - self.blocked) * (1.0 - share);
        let mut gone = 0;
        let row = |blocking: &'_ Blocking| {
            gone += blocking.names;
            let (share, so_far) = (blocking.names as f64 / names, gone as f64 / names);
            (share, so_far, self.model.names().saturating_sub(gone))
        };
        let sums: Vec<_> = self.operators.iter().map(row).collect();
        let rows = self.operators.iter().zip(sums).map(|(blocking, (share, so_far, left))| Row {
            operator: &blocking.operator,
            suffixes: &blocking.suffixes,
            names: blocking.names,
            share,
            reach: self.model.reach(self.held, besides(share)),
            blocked_so_far: so_far,
            reach_so_far: self.model.reach(self.held, besides(so_far)),
            reach_of_the_rest: self.model.reach(left, self.blocked),
        });
        rows.collect()
    }

    fn object(&self) -> Object<'_> {
        let reach = DAYS.map(|(title, days)| (title.to_owned(), self.reach(days).into())).into_iter().collect();
        let names_for = SHARES
            .map(|(title, share)| (title.to_owned(), self.model.names_for(share, self.blocked).into()))
            .into_iter()
            .collect();
        let refused = (self.lookups.is_some() && self.asks_all()).then_some(REFUSED);
        let estimate = |lookups| {
            let hosts = self.model.hosts(lookups, self.held, self.blocked).filter(|_| refused.is_none())?;
            let whole = |number: f64| number.round() as u64;
            Some(Estimate { low: whole(hosts.low), best: whole(hosts.best), high: whole(hosts.high), method: "lookups per host" })
        };
        Object {
            family: &self.family,
            names: self.model.names(),
            lookups_per_host: self.model.asked(),
            held: self.held,
            blocked: self.blocked,
            reach,
            names_for,
            lookups: self.lookups,
            hosts: self.lookups.map(estimate),
            refused,
            operators: self.rows(),
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (names, asked) = (self.model.names(), self.model.asked());
        let each = if self.asks_all() {
            "every host asks for all of them".to_owned()
        } else {
            format!("a host asks for {}", grouped(asked))
        };
        writeln!(out, "{}: {} names a day, {each}", self.family, grouped(names))?;
        writeln!(out, "Held by somebody: {}. Blocked of all names: {}.\n", grouped(self.held), percent(self.blocked))?;
        writeln!(out, "Hosts that reach at least one held name")?;
        for (title, days) in DAYS {
            writeln!(out, "  in a {title:<6} {:>9}", percent(self.reach(days)))?;
        }
        writeln!(out, "\nNames to hold, to reach more than so many hosts in a day")?;
        for (_, share) in SHARES {
            let needed = self.model.names_for(share, self.blocked).map_or_else(|| "not with all".to_owned(), grouped);
            writeln!(out, "  {:>5.0} % {needed:>13}", 100.0 * share)?;
        }
        writeln!(
            out,
            "\nWhere hosts pass orders on among themselves, as Conficker C's do, the first few that are reached may be enough.\n"
        )?;
        self.curves(|curves| plot::terminal(curves, names, "names held", out))?;
        if let Some(lookups) = self.lookups {
            writeln!(out)?;
            self.write_hosts(lookups, out)?;
        }
        self.write_operators(out)
    }

    fn write_hosts(&self, lookups: u64, out: &mut dyn Write) -> io::Result<()> {
        let (names, asked, held) = (self.model.names(), self.model.asked(), self.held);
        writeln!(out, "{} lookups at {} held names", grouped(lookups), grouped(held))?;
        let hosts = self.model.hosts(lookups, held, self.blocked).filter(|_| !self.asks_all());
        let Some(hosts) = hosts else {
            return writeln!(out, "  hosts: refused, {}", if self.asks_all() { REFUSED } else { "no lookup could be expected" });
        };
        let whole = |number: f64| grouped(number.round() as u64);
        let expected = self.model.lookups_per_host(held, self.blocked);
        writeln!(
            out,
            "  a host makes {} x {} / {} = {expected:.4} of them a day",
            grouped(held),
            grouped(asked),
            grouped(names)
        )?;
        writeln!(out, "  hosts {} (95 %: {} to {}, by chance alone)", whole(hosts.best), whole(hosts.low), whole(hosts.high))?;
        let distinct = lookups as f64 / self.model.reach(held, self.blocked);
        writeln!(out, "  {} if each lookup was another host's", whole(distinct))?;
        if held > 1 {
            let factor = names as f64 / asked as f64;
            let wrong = whole(lookups as f64 * factor);
            writeln!(out, "  not {wrong}: the factor {factor:.0} is that of one held name, not of {}", grouped(held))?;
        }
        Ok(())
    }

    fn write_operators(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows = self.rows();
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nWhat blocking by suffix achieves, for {} names held before it began", grouped(self.held))?;
        let head = ["operator", "names", "share", "reach", "together", "reach", "the rest"];
        let line = |cells: [&str; 7]| {
            let [operator, names, share, alone, together, reach, rest] = cells;
            format!("  {operator:<28} {names:>11} {share:>9} {alone:>9} {together:>9} {reach:>9} {rest:>9}")
        };
        writeln!(out, "{}", line(head))?;
        for row in &rows {
            let operator: String = row.operator.chars().filter(|c| !c.is_control()).take(28).collect();
            let cells = [row.share, row.reach, row.blocked_so_far, row.reach_so_far, row.reach_of_the_rest].map(percent);
            let [share, alone, together, reach, rest] = &cells;
            writeln!(out, "{}", line([&operator, &grouped(row.names), share, alone, together, reach, rest]))?;
        }
        let share = percent(self.unassigned as f64 / self.model.names() as f64);
        writeln!(out, "{}", line(["in no row of the table", &grouped(self.unassigned), &share, "", "", "", ""]).trim_end())?;
        writeln!(out, "  together: with all rows above. the rest: reached by somebody who holds every name that is left.")
    }
}

/// A share with as many places as say something.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0 | 1.0.. => format!("{percent:.2} %"),
        0.01.. => format!("{percent:.3} %"),
        _ => format!("{percent:.1e} %"),
    }
}
