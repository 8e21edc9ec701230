//! The table of families: on the sensor's page and in the report it differs in its last two columns.

use maud::{Markup, html};

use crate::day::Day;
use crate::export::report::grouped;

/// What is told of one family.
pub(in crate::export) struct FamilyRow<'a> {
    pub(in crate::export) family: &'a str,
    pub(in crate::export) infected: u64,
    pub(in crate::export) suspect: u64,
    pub(in crate::export) queries: u64,
    pub(in crate::export) responses: u64,
    /// What its last two columns say.
    pub(in crate::export) last: [String; 2],
}

/// The table; `last` are the heads of its last two columns.
pub(in crate::export) fn families<'a>(last: [&str; 2], rows: impl Iterator<Item = FamilyRow<'a>>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Families" {
            table {
                thead { tr {
                    th scope="col" { "Family" }
                    th.n scope="col" { "Infected" }
                    th.n scope="col" { "Suspect" }
                    th.n scope="col" { "Queries" }
                    th.n.wide scope="col" { "Responses" }
                    th.n.wide scope="col" { (last[0]) }
                    th.t.wide scope="col" { (last[1]) }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            th.src scope="row" { (row.family) }
                            td.n { span class={ @if row.infected > 0 { "hot" } } { (grouped(row.infected)) } }
                            td.n { (grouped(row.suspect)) }
                            td.n { (grouped(row.queries)) }
                            td.n.wide { (grouped(row.responses)) }
                            td.n.wide { (row.last[0]) }
                            td.t.wide { (row.last[1]) }
                        }
                    }
                }
            }
        }
    }
}

/// `2009-03-30 to 2009-04-01`, or `none` where there is no day.
pub(in crate::export) fn days(days: impl Iterator<Item = Day> + Clone, none: &str) -> String {
    match (days.clone().min(), days.max()) {
        (Some(first), Some(last)) if first == last => first.to_string(),
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => none.to_owned(),
    }
}
