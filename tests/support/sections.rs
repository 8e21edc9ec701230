//! A bar with its rows, as docs/ACCURACY.md shows it: what was asked once, what was measured in a compact table.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::fmt::Write;

/// One bar: what it asks for and what was measured.
pub struct Section {
    /// Which it is; 0 for what no bar asks for.
    pub number: u32,
    pub title: &'static str,
    pub asked: &'static str,
    /// The heads of the columns.
    pub columns: &'static [&'static str],
    pub rows: Vec<Row>,
}

/// One measurement.
pub struct Row {
    pub cells: Vec<String>,
    pub cleared: bool,
}

impl Row {
    pub fn new(cells: impl IntoIterator<Item = String>, cleared: bool) -> Self {
        Self { cells: cells.into_iter().collect(), cleared }
    }
}

/// Where the tables stand in the document.
const BEGIN: &str = "<!-- measured: `make accept` writes this -->\n";
const END: &str = "<!-- end of what was measured -->\n";

impl Section {
    /// Its heading and what it asks: what does not change from one measurement to the next.
    pub fn head(&self) -> String {
        let heading = if self.number > 0 { format!("{}. {}", self.number, self.title) } else { self.title.to_owned() };
        format!("### {heading}\n\n{}\n", self.asked)
    }

    pub fn is_cleared(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.cleared)
    }

    /// What was missed.
    pub fn missed(&self) -> String {
        let mut text = String::new();
        for row in self.rows.iter().filter(|row| !row.cleared) {
            let cells: Vec<String> =
                self.columns.iter().zip(&row.cells).map(|(column, cell)| format!("{column} {cell}")).collect();
            let _ = writeln!(text, "bar {}, {}: {}", self.number, self.title, cells.join(", "));
        }
        text
    }

    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "{}", self.head());
        let _ = writeln!(text, "| {} | |\n|{}", self.columns.join(" | "), " --- |".repeat(self.columns.len() + 1));
        for row in &self.rows {
            let _ = writeln!(text, "| {} | {} |", row.cells.join(" | "), if row.cleared { "cleared" } else { "MISSED" });
        }
        text.push('\n');
    }
}

/// The document with the tables of these sections in place of those that it had.
pub fn put(document: &str, sections: &[Section]) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let mut text = format!("{before}{BEGIN}\n");
    sections.iter().for_each(|section| section.write(&mut text));
    Some(format!("{text}{END}{after}"))
}

/// A share as text.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
