//! The parts of the page, in the order in which they matter: who, when, which worm, what was read and what was lost.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use maud::{Markup, html};

use super::super::{Report, grouped, size};
use super::time::{charts, incomplete};
use crate::decode::{Kind, Transport};
use crate::export::page::{FamilyRow, bars, counted, days, families, figure, minute, second, share, verdict};
use crate::ledger::{Evidence, Key, Verdict};

/// Sources in the table that needs no script; the script shows as many on a page.
const SHOWN: usize = 50;

/// Rows of indicators and captures that are shown.
const ROWS: usize = 200;

pub(super) fn all(report: &Report) -> Markup {
    html! {
        a.skip href="#main" { "Skip to the content" }
        header.bar { div.wrap { span.brand { "dgawatch" } span.soft { "Report of a replay" } } }
        main.wrap #main {
            (lead(report))
            (rendezvous(report))
            (timeline(report))
            (family_table(report))
            (sources(report))
            (indicators(report))
            (read(report))
            (losses(report))
            (method())
        }
        footer { div.wrap { span { "dgawatch " (env!("CARGO_PKG_VERSION")) } span { "All times are UTC" } } }
    }
}

fn lead(report: &Report) -> Markup {
    let mut verdicts: BTreeMap<IpAddr, Verdict> = BTreeMap::new();
    for (key, evidence) in &report.rows {
        let verdict = verdicts.entry(key.source).or_insert(Verdict::Suspect);
        *verdict = (*verdict).max(Verdict::of(evidence));
    }
    let infected = verdicts.values().filter(|verdict| **verdict == Verdict::Infected).count() as u64;
    let suspect = verdicts.len() as u64 - infected;
    let messages: u64 = Transport::ALL
        .iter()
        .flat_map(|transport| [Kind::Query, Kind::Response].map(|kind| report.found.messages.of(*transport, kind)))
        .sum();
    let span = report.captures.iter().filter_map(|capture| capture.span).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let title = match infected {
        0 if suspect == 0 => "No source asked for a listed name".to_owned(),
        0 => "No source is infected".to_owned(),
        1 => "1 source is infected".to_owned(),
        _ => format!("{} sources are infected", grouped(infected)),
    };
    html! {
        div {
            h1 { (title) }
            @if let Some((first, last)) = span { p.soft { (second(first)) " to " (second(last)) } }
        }
        section.card.lead aria-label="Summary" {
            (figure(infected, true, "infected", "more names of one list than chance explains"))
            (figure(suspect, false, "suspect", "too few names to be sure"))
            (figure(messages, false, "DNS messages", "queries and responses"))
            (figure(report.found.counts.total(), false, "packets", "in all captures"))
        }
    }
}

/// Names that lead somewhere, and who was told: the alarm that matters.
fn rendezvous(report: &Report) -> Markup {
    let (alarms, _) = report.alarms();
    let exposed = report.infected_and_exposed(None);
    let unsolicited = alarms.iter().filter(|row| row.rendezvous.is_unsolicited()).count() as u64;
    let joined = |texts: Vec<String>| texts.join(", ");
    html! {
        @if !alarms.is_empty() {
            section.card #rendezvous {
                h2 { "Rendezvous" }
                p.note {
                    (counted(alarms.len() as u64, "generated name leads", "generated names lead")) " to no known sinkhole; "
                    (counted(exposed, "infected source was", "infected sources were")) " told so."
                    @if unsolicited > 0 { " Of " (grouped(unsolicited)) " no query was seen (unsolicited)." }
                    @if alarms.len() > ROWS { " The first " (ROWS) " are here; the JSON report lists all." }
                }
                div.scroll tabindex="0" role="region" aria-label="Rendezvous" {
                    table {
                        thead { tr {
                            th scope="col" { "Name" }
                            th scope="col" { "Leads to" }
                            th.wide scope="col" { "Name servers" }
                            th.n scope="col" { "Told" }
                            th scope="col" { "Infected of these" }
                            th.t.wide scope="col" { "First seen" }
                        } }
                        tbody {
                            @for row in alarms.iter().take(ROWS) {
                                tr {
                                    th.src scope="row" { span.mono { (row.name) }
                                        span.under { (row.family) ", list of " (row.list_day)
                                            @if row.rendezvous.is_unsolicited() { ", unsolicited" } } }
                                    td.mono { (joined(row.rendezvous.addresses().iter().map(ToString::to_string).collect())) }
                                    td.wide { (row.rendezvous.servers().join(", ")) }
                                    td.n { (grouped(row.exposed.len() as u64)) }
                                    td.mono { (joined(row.infected().take(SHOWN).map(|source| source.to_string()).collect())) }
                                    td.t.wide { (second(row.rendezvous.first_seen)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn timeline(report: &Report) -> Markup {
    let charts = charts(report);
    html! {
        @for chart in &charts {
            section.card { h2 { (chart.title) } (bars(&chart.title, chart.unit, &chart.bars)) }
        }
        @if let Some(incomplete) = incomplete(report) { p.note { (incomplete) } }
    }
}

fn family_table(report: &Report) -> Markup {
    let rows = report.catalog.iter().map(|(id, family)| {
        let totals = report.family_totals(id);
        let list_days = report.lists.iter().filter(move |(of, _)| *of == id).map(|(_, day)| *day);
        FamilyRow {
            family: family.id(),
            infected: totals.infected as u64,
            suspect: (totals.sources - totals.infected) as u64,
            queries: totals.matches,
            responses: totals.responses,
            last: [grouped(list_days.clone().count() as u64), days(list_days, "none")],
        }
    });
    html! {
        section.card {
            h2 { "Families" }
            (families(["Lists", "List days"], rows))
        }
    }
}

fn sources(report: &Report) -> Markup {
    let mut weightiest: Vec<&(Key, Evidence)> = report.rows.iter().collect();
    let weight = |(key, evidence): &&(Key, Evidence)| {
        (Reverse(Verdict::of(evidence)), Reverse(evidence.distinct_names()), Reverse(evidence.matches), *key)
    };
    if weightiest.len() > SHOWN {
        weightiest.select_nth_unstable_by_key(SHOWN, weight);
        weightiest.truncate(SHOWN);
    }
    weightiest.sort_unstable_by_key(weight);
    html! {
        section.card #sources {
            h2 { "Sources" }
            @if weightiest.is_empty() {
                p.empty { "No source asked for a listed name." }
            } @else {
                p.note {
                    "One row a source, family and list day: " (counted(report.rows.len() as u64, "row", "rows")) "."
                    @if report.refused > 0 { " The table of sources was full: " (counted(report.refused, "message", "messages")) " of others are not in it." }
                    noscript { " The " (weightiest.len()) " with the most names are shown; a browser with scripts shows all." }
                    span #old hidden { " The " (weightiest.len()) " with the most names are shown; a newer browser shows all." }
                }
                div.tools #tools hidden {
                    label.unseen for="filter" { "Only sources, families, days or names with" }
                    input #filter type="search" placeholder="Filter: source, family, day or name" autocomplete="off" spellcheck="false";
                    label.unseen for="only" { "Verdict" }
                    select #only { option value="" { "All verdicts" } option value="1" { "Infected" } option value="0" { "Suspect" } }
                }
                div.scroll tabindex="0" role="region" aria-label="Sources" {
                    table #rows {
                        thead { tr {
                            th scope="col" { "Source" }
                            th scope="col" { "Verdict" }
                            th.wide scope="col" { "Family" }
                            th.t.wide scope="col" { "List day" }
                            th.n scope="col" { "Names" }
                            th.n.wide scope="col" { "Queries" }
                            th.n.wide scope="col" { "Responses" }
                            th.t.wide scope="col" { "First seen" }
                            th.t.wide scope="col" { "Last seen" }
                        } }
                        tbody { @for (key, evidence) in weightiest { (row(report, key, evidence)) } }
                    }
                }
                div.pager #pager hidden {
                    span #where.soft role="status" {}
                    div { button #before type="button" { "Previous" } button #after type="button" { "Next" } }
                }
            }
        }
    }
}

fn row(report: &Report, key: &Key, evidence: &Evidence) -> Markup {
    let family = report.catalog.family(key.family).id();
    html! {
        tr {
            th.src scope="row" { span.mono { (key.source) } span.under { (family) ", " (key.list_day) } }
            td { (verdict(Verdict::of(evidence))) }
            td.wide { (family) }
            td.t.wide { (key.list_day) }
            td.n { (grouped(evidence.distinct_names())) }
            td.n.wide { (grouped(evidence.matches)) }
            td.n.wide { (grouped(evidence.responses)) }
            td.t.wide { (minute(evidence.first_seen)) }
            td.t.wide { (minute(evidence.last_seen)) }
        }
    }
}

fn indicators(report: &Report) -> Markup {
    let shown = report.sightings.iter().take(ROWS);
    html! {
        @if !report.sightings.is_empty() {
            section.card {
                h2 { "Names watched beside the generated ones" }
                p.note {
                    "They change no verdict."
                    @if report.sightings.len() > ROWS { " The first " (ROWS) " of " (grouped(report.sightings.len() as u64)) " are shown; the report as JSON has all." }
                }
                div.scroll tabindex="0" role="region" aria-label="Names watched" {
                    table {
                        thead { tr {
                            th scope="col" { "Source" } th scope="col" { "Name" } th.wide scope="col" { "Label" } th.n scope="col" { "Queries" }
                            th.n.wide scope="col" { "Responses" } th.t.wide scope="col" { "First seen" } th.t.wide scope="col" { "Last seen" }
                        } }
                        tbody {
                            @for (id, source, seen) in shown {
                                @let pattern = report.patterns.pattern(*id);
                                tr {
                                    th.src scope="row" { span.mono { (source) } }
                                    td.src { (pattern.text) }
                                    td.wide { (pattern.label.as_deref().unwrap_or(&report.patterns.set(*id).name)) }
                                    td.n { (grouped(seen.queries)) }
                                    td.n.wide { (grouped(seen.responses)) }
                                    td.t.wide { (minute(seen.first_seen)) }
                                    td.t.wide { (minute(seen.last_seen)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn read(report: &Report) -> Markup {
    html! {
        section.card {
            h2 { "What was read" }
            @if report.captures.len() > ROWS { p.note { "The first " (ROWS) " of " (grouped(report.captures.len() as u64)) " captures; the report as JSON has all." } }
            div.scroll tabindex="0" role="region" aria-label="What was read" {
                table {
                    thead { tr {
                        th scope="col" { "Capture" } th.n scope="col" { "Packets" } th.n scope="col" { "Size" }
                        th.t.wide scope="col" { "First packet" } th.t.wide scope="col" { "Last packet" }
                    } }
                    tbody {
                        @for capture in report.captures.iter().take(ROWS) {
                            tr {
                                th.src scope="row" {
                                    (capture.path)
                                    @if let Some(error) = &capture.error { div.hot { "It " (error) } }
                                }
                                td.n { (grouped(capture.packets)) }
                                td.n { (size(capture.bytes)) }
                                td.t.wide { (capture.span.map_or_else(|| "–".to_owned(), |(first, _)| second(first))) }
                                td.t.wide { (capture.span.map_or_else(|| "–".to_owned(), |(_, last)| second(last))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn losses(report: &Report) -> Markup {
    let losses: Vec<(u64, &str)> = report.found.losses().collect();
    let packets = report.found.counts.total();
    html! {
        section.card {
            h2 { "Not read" }
            @if losses.is_empty() {
                p.empty { "Nothing was given up that could have held a DNS message." }
            } @else {
                p.note { "What may have held a DNS message that was missed, and its share of all packets." }
                div.scroll tabindex="0" role="region" aria-label="Not read" {
                    table {
                        thead { tr { th scope="col" { "What" } th.n scope="col" { "Count" } th.n scope="col" { "Share" } } }
                        tbody {
                            @for (count, what) in losses { tr { th.src scope="row" { (what) } td.n { (grouped(count)) } td.n { (share(count, packets)) } } }
                        }
                    }
                }
            }
        }
    }
}

fn method() -> Markup {
    html! {
        section.card.method {
            h2 { "How to read this" }
            p { "A worm of these families computes the names it asks for from the date. The same names were computed here, and every DNS message "
                "in the captures was held against those of its own UTC day and the days beside it, by the time in the capture." }
            p { span.strong { "Infected" } " means as many distinct names of one family and list day as chance does not explain: three of Conficker A and B, four of C, more of longer lists and of resolvers. "
                span.strong { "Suspect" } " means fewer. Names that honest people own count for nothing." }
            p { "A source is an address as the capture shows it. Behind a resolver or a NAT it stands for all hosts there. Hosts that use encrypted "
                "DNS, or were switched off, are not seen: the numbers are what was seen, not an estimate of what there is." }
        }
    }
}
