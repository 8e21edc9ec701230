//! What somebody searched for: an address and its evidence, or a name, the lists that hold it and who asked for it.

use std::net::IpAddr;

use maud::{Markup, html};

use super::sections::ago;
use crate::export::Snapshot;
use crate::export::http::api::NAMES_TOLD;
use crate::export::http::{Board, Listed, SourcePage, SourceQuery, SourceRow};
use crate::export::page::{counted, second, verdict};
use crate::export::report::grouped;
use crate::ledger::Verdict;
use crate::name::Name;
use crate::watchlist::known_collision;

/// Rows of evidence that are shown of a source, and sources that are shown of a name on a list.
const ROWS: usize = 100;

/// Lists that are shown of a name: it is seldom on two.
const LISTS: usize = 16;

/// What to look for.
#[derive(Clone, Debug)]
pub(in crate::export::http) enum Search {
    /// Evidence of a source.
    Source(IpAddr),
    /// A name.
    Name(Box<Name>),
    /// Nothing that can be looked for, and why.
    Neither(&'static str),
}

/// What was found.
pub(in crate::export::http) enum Found {
    /// Of a source; nothing when nobody had time to look.
    Source(Option<SourcePage>),
    /// Of a name: each list that holds it, and who asked for it there.
    Name(Box<Name>, Vec<(Listed, Option<SourcePage>)>),
    /// Why nothing was looked for.
    Neither(&'static str),
}

impl Search {
    /// What a person may have meant.
    pub(in crate::export::http) fn of(text: &str) -> Self {
        if let Ok(source) = text.trim_matches(['[', ']']).parse() {
            return Self::Source(source);
        }
        match Name::parse(text) {
            Ok(name) => Self::Name(Box::new(name)),
            Err(why) => Self::Neither(why),
        }
    }

    /// Looks. May take long.
    pub(in crate::export::http) fn run(self, board: &dyn Board) -> Found {
        match self {
            Self::Source(source) => {
                let query = SourceQuery { source: Some(source), names: NAMES_TOLD, limit: ROWS, ..SourceQuery::default() };
                Found::Source(board.sources(&query))
            }
            Self::Name(name) => {
                let lists = board.explain(&name).into_iter().take(LISTS).map(|list| {
                    let query = SourceQuery { name: Some(list.clone()), limit: ROWS, ..SourceQuery::default() };
                    let page = board.sources(&query);
                    (list, page)
                });
                let lists = lists.collect();
                Found::Name(name, lists)
            }
            Self::Neither(why) => Found::Neither(why),
        }
    }
}

/// Where a source or a name is looked for.
pub(super) fn link(text: &str) -> String {
    let mut link = "/?q=".to_owned();
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':' => link.push(char::from(octet)),
            _ => link.push_str(&format!("%{octet:02X}")),
        }
    }
    link
}

pub(super) fn shown(snapshot: &Snapshot, asked: &str, found: &Found) -> Markup {
    html! {
        p { a href="/" { "← All sources" } }
        div #found data-live {
            @match found {
                Found::Source(page) => (source(snapshot, asked, page.as_ref())),
                Found::Name(of, lists) => (name(snapshot, of, lists)),
                Found::Neither(why) => {
                    section.card {
                        h1 { (asked) }
                        p.empty { "This is no address, and as a name it " (why) "." }
                    }
                }
            }
        }
    }
}

fn busy() -> Markup {
    html! { p.empty { "The sensor had no time to look. Try again in a moment." } }
}

fn source(snapshot: &Snapshot, asked: &str, page: Option<&SourcePage>) -> Markup {
    let most = page.and_then(|page| page.rows.iter().map(|row| row.verdict).max());
    html! {
        section.card {
            h1.mono { (asked) }
            @match (page, most) {
                (None, _) => (busy()),
                (Some(page), Some(most)) => {
                    p { (verdict(most)) " " span.soft { "evidence of " (counted(page.total as u64, "list day", "list days")) } }
                    @if page.total > page.rows.len() { p.note { "The first " (page.rows.len()) " are shown." } }
                }
                (Some(_), None) => {
                    p.empty { "Nothing is known of this source: it asked for no listed name on the list days that are open." }
                    p.note { "Evidence of list days that are over is in events and reports. Where addresses are kept as networks or pseudonyms, search for these." }
                }
            }
        }
        @for (at, row) in page.iter().flat_map(|page| &page.rows).enumerate() { (evidence(snapshot, at, row)) }
    }
}

fn evidence(snapshot: &Snapshot, at: usize, row: &SourceRow) -> Markup {
    let names = html! {
        ul.names.mono { @for name in &row.names { li { a href=(link(name)) { (name) } } } }
        @if (row.names.len() as u64) < row.distinct_names {
            p.note { "The first " (row.names.len()) " of " (grouped(row.distinct_names)) "." }
        }
    };
    html! {
        section.card {
            h2 { (row.family) ", list of " (row.list_day) " " (verdict(row.verdict)) }
            dl.health {
                div { dt { "Distinct names" } dd { (grouped(row.distinct_names)) } }
                div { dt { "Queries" } dd { (grouped(row.matches)) } }
                div { dt { "Responses" } dd { (grouped(row.responses)) } }
                div { dt { "First seen" } dd { (ago(row.first_seen, snapshot.taken)) small { (second(row.first_seen)) " UTC" } } }
                div { dt { "Last seen" } dd { (ago(row.last_seen, snapshot.taken)) small { (second(row.last_seen)) " UTC" } } }
            }
            @if row.names.len() <= 24 { h3 { "Names asked for" } (names) }
            @else { details id={ "names-" (at) } { summary { (counted(row.distinct_names, "name", "names")) " asked for" } div { (names) } } }
        }
    }
}

fn name(snapshot: &Snapshot, name: &Name, lists: &[(Listed, Option<SourcePage>)]) -> Markup {
    let mut families: Vec<&str> = snapshot.families.iter().map(|family| family.family.as_str()).collect();
    families.dedup();
    html! {
        section.card {
            h1.mono { (name) }
            @if let Some(owned) = known_collision(name) {
                p { "Belongs to " span.strong { (owned.owner) } ": asking for it is no sign of a worm. " span.soft { "(" (owned.source) ")" } }
            }
            @if lists.is_empty() {
                p.empty { "On none of the lists that are open now." }
                p.note { "Looked at: " (families.join(", ")) ". For other days: dgawatch explain " (name) }
            } @else {
                @for (list, _) in lists {
                    p { "Generated by " span.strong { (list.family) } ", list of " (list.list_day) ", as number " (grouped(u64::from(list.index) + 1)) "." }
                }
            }
        }
        @for (list, page) in lists {
            section.card {
                h2 { "Who asked for it: " (list.family) ", list of " (list.list_day) }
                @match page {
                    None => (busy()),
                    Some(page) if page.rows.is_empty() => p.empty { "Nobody did." },
                    Some(page) => (askers(snapshot, page)),
                }
            }
        }
    }
}

fn askers(snapshot: &Snapshot, page: &SourcePage) -> Markup {
    let mut rows: Vec<&SourceRow> = page.rows.iter().collect();
    rows.sort_by_key(|row| (row.verdict == Verdict::Suspect, std::cmp::Reverse(row.distinct_names)));
    html! {
        @if page.total > rows.len() { p.note { (rows.len()) " of " (counted(page.total as u64, "source", "sources")) " are shown." } }
        div.scroll tabindex="0" role="region" aria-label="Who asked for it" {
            table {
                thead { tr { th scope="col" { "Source" } th scope="col" { "Verdict" } th.n scope="col" { "Names of the list" } th.n scope="col" { "Last seen" } } }
                tbody {
                    @for row in rows {
                        tr {
                            th.src scope="row" { a.mono href=(link(&row.source)) { (row.source) } }
                            td { (verdict(row.verdict)) }
                            td.n { (grouped(row.distinct_names)) }
                            td.n { (ago(row.last_seen, snapshot.taken)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_meant() {
        assert!(matches!(Search::of("192.0.2.7"), Search::Source(IpAddr::V4(_))));
        assert!(matches!(Search::of("[2001:db8::7]"), Search::Source(IpAddr::V6(_))));
        assert!(matches!(Search::of("PRAAT.org"), Search::Name(_)));
        for wrong in ["a..b", &"a".repeat(64), "\u{0}", "ä b"] {
            let _ = Search::of(wrong);
        }
        assert!(matches!(Search::of("a..b"), Search::Neither(_)));
    }

    #[test]
    fn links_mean_one_thing() {
        assert_eq!(link("2001:db8::7"), "/?q=2001:db8::7");
        assert_eq!(link("a&b=\"<x>\"\u{e4}"), "/?q=a%26b%3D%22%3Cx%3E%22%C3%A4");
    }
}
