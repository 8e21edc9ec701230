//! The parts of the first page, the most urgent first: who is infected, since when, which worm, and whether the sensor
//! can be believed.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::search::link;
use crate::day::{Day, Timestamp};
use crate::export::Snapshot;
use crate::export::http::losses::{Loss, Traffic, losses};
use crate::export::page::{self, Bar, FamilyRow, bars, counted, days, families, figure, second, share, verdict};
use crate::export::report::{grouped, size};
use crate::export::snapshot::{FamilyCounts, Hour, Interface};

/// Hours of a trend.
const HOURS: u64 = 48;

/// Hours from one label of the axis to the next.
const TICK: u64 = 6;

/// One packet lost among so many is worth a look (docs/OPERATIONS.md; the alert for loss).
const LOSS_THAT_MATTERS: u64 = 1_000;

/// Octets set aside for each row of evidence (docs/METRICS.md).
const ROW: u64 = 120;

pub(super) fn all(snapshot: &Snapshot) -> Markup {
    html! {
        h1.unseen { "Infected sources" }
        (lead(snapshot))
        (rendezvous(snapshot))
        (trend(snapshot))
        (sources(snapshot))
        (family_table(snapshot))
        (health(snapshot))
    }
}

fn lead(snapshot: &Snapshot) -> Markup {
    let overview = &snapshot.overview;
    html! {
        section.card.lead #lead data-live aria-label="Infected sources" {
            (figure(overview.infected_now, true, "infected now", "heard in the last hour"))
            (figure(overview.infected_today, false, "today", "since midnight UTC"))
            (figure(overview.infected, false, "in all", "on the list days that are open"))
            (figure(overview.suspect, false, "suspect", "too few names to be sure"))
        }
    }
}

/// Names that lead somewhere, and who was told: the alarm that matters. The section is always there, so that it can be filled.
fn rendezvous(snapshot: &Snapshot) -> Markup {
    let sum = |of: fn(&FamilyCounts) -> u64| snapshot.families.iter().map(of).sum::<u64>();
    let (names, unsolicited) = (sum(|family| family.rendezvous), sum(|family| family.unsolicited));
    let exposed = sum(|family| family.exposed);
    html! {
        div #rendezvous data-live {
            @if names > 0 {
                section.card {
                    h2 { "Rendezvous" }
                    p.note {
                        (counted(names, "generated name leads", "generated names lead")) " to no known sinkhole; "
                        (counted(exposed, "infected source was", "infected sources were")) " told so."
                        @if unsolicited > 0 { " Of " (grouped(unsolicited)) " no query was seen (unsolicited)." }
                    }
                    div.scroll tabindex="0" role="region" aria-label="Rendezvous" {
                        table {
                            thead { tr {
                                th scope="col" { "Name" }
                                th scope="col" { "Leads to" }
                                th.wide scope="col" { "Family" }
                                th.n scope="col" { "Told" }
                                th.n scope="col" { "Infected" }
                                th.t.wide scope="col" { "First seen" }
                                th.n.wide scope="col" { "Last seen" }
                            } }
                            tbody {
                                @for (at, name) in snapshot.rendezvous.iter().enumerate() {
                                    tr {
                                        th.src scope="row" { a.mono id={ "rendezvous-" (at) } href=(link(&name.name)) { (name.name) }
                                            span.under { (name.family) ", list of " (name.list_day)
                                                @if name.unsolicited == name.answers { ", unsolicited" } } }
                                        td.mono { (name.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                                        td.wide { (name.family) }
                                        td.n { (grouped(name.exposed)) }
                                        td.n { span class={ @if name.infected_count > 0 { "hot" } } { (grouped(name.infected_count)) } }
                                        td.t.wide { (second(name.first_seen)) }
                                        td.n.wide { (ago(name.last_seen, snapshot.taken)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn trend(snapshot: &Snapshot) -> Markup {
    let hours = &snapshot.overview.hours;
    let begun = snapshot.taken.parts().0.saturating_sub(HOURS * 3_600) < snapshot.started.parts().0;
    html! {
        div.two #trend data-live {
            @for (title, unit, value) in [
                ("Infected sources by hour", "infected sources", (|hour| hour.infected) as fn(&Hour) -> u64),
                ("Queries for listed names by hour", "queries", |hour| hour.matches),
            ] {
                section.card {
                    h2 { (title) }
                    p.note {
                        @if begun { "UTC; the sensor counts since " (second(snapshot.started)) }
                        @else { "UTC, the last " (HOURS) " hours" }
                    }
                    @if hours.is_empty() { p.empty { "Nothing was counted yet." } }
                    @else { (bars(title, unit, &by_hour(hours, snapshot.taken, value))) }
                }
            }
        }
    }
}

/// A bar for each of the last hours, counted or not.
fn by_hour(hours: &[Hour], now: Timestamp, value: fn(&Hour) -> u64) -> Vec<Bar> {
    let counted: BTreeMap<u64, u64> = hours.iter().map(|hour| (hour.start.parts().0 / 3_600, value(hour))).collect();
    let last = now.parts().0 / 3_600;
    let bar = |hour: u64| {
        let (day, of_day) = (Timestamp::from_parts(hour * 3_600, 0).day(), hour % 24);
        // The last label would be cut at the edge.
        let labelled = of_day.is_multiple_of(TICK) && hour + 3 <= last;
        let tick = if of_day == 0 { day.to_string()[5..].to_owned() } else { format!("{of_day:02}:00") };
        Bar {
            label: format!("{day} {of_day:02}:00"),
            value: counted.get(&hour).copied(),
            tick: labelled.then_some(tick),
            midnight: of_day == 0,
        }
    };
    ((last + 1).saturating_sub(HOURS)..=last).map(bar).collect()
}

fn sources(snapshot: &Snapshot) -> Markup {
    let top = &snapshot.overview.top;
    let all = snapshot.overview.infected + snapshot.overview.suspect;
    html! {
        section.card #sources data-live {
            h2 { "Sources" }
            @if top.is_empty() {
                p.empty { "No source asked for a listed name on the list days that are open." }
            } @else {
                p.note {
                    @if (top.len() as u64) < all { "The " (top.len()) " with the most evidence of " (counted(all, "source", "sources")) ". " }
                    "Follow one to its names."
                }
                div.scroll tabindex="0" role="region" aria-label="Sources" {
                    table {
                        thead { tr {
                            th scope="col" { "Source" }
                            th scope="col" { "Verdict" }
                            th.wide scope="col" { "Family" }
                            th.n scope="col" { "Names" }
                            th.n.wide scope="col" { "Queries" }
                            th.n.wide scope="col" { "Responses" }
                            th.t.wide scope="col" { "First seen" }
                            th.n.wide scope="col" { "Last seen" }
                        } }
                        tbody {
                            @for (at, source) in top.iter().enumerate() {
                                tr {
                                    th.src scope="row" { a.mono id={ "source-" (at) } href=(link(&source.source.to_string())) { (source.source) }
                                        span.under { (source.families.join(", ")) ", " (ago(source.last_seen, snapshot.taken)) } }
                                    td { (verdict(source.verdict)) }
                                    td.wide { (source.families.join(", ")) }
                                    td.n { (grouped(source.names)) }
                                    td.n.wide { (grouped(source.matches)) }
                                    td.n.wide { (grouped(source.responses)) }
                                    td.t.wide { (second(source.first_seen)) }
                                    td.n.wide { (ago(source.last_seen, snapshot.taken)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `3 min ago`, with the moment beside it.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> Markup {
    html! { span title={ (second(time)) " UTC" } { (page::ago(time, now)) } }
}

fn family_table(snapshot: &Snapshot) -> Markup {
    let today = snapshot.taken.day();
    let rows = snapshot.families.iter().map(|family| {
        let lists = snapshot.lists.iter().filter(|list| list.family == family.family);
        let lists: Vec<(Day, u64)> = lists.map(|list| (list.list_day, list.names)).collect();
        FamilyRow {
            family: &family.family,
            infected: family.infected,
            suspect: family.suspect,
            queries: family.matches,
            responses: family.responses,
            last: [names_today(&lists, today), days(lists.iter().map(|(day, _)| *day), "none yet")],
        }
    });
    html! {
        section.card #families data-live {
            h2 { "Families" }
            @if snapshot.families.is_empty() {
                p.empty { "No family is watched." }
            } @else {
                (families(["Names today", "Lists"], rows))
                p.note { "Queries and responses since the sensor started; sources on the list days that are open." }
            }
        }
    }
}

/// Of the list that is current: the latest that has begun.
fn names_today(lists: &[(Day, u64)], today: Day) -> String {
    let current = lists.iter().filter(|(day, _)| *day <= today).max();
    current.map_or_else(|| "not built".to_owned(), |(_, names)| grouped(*names))
}

fn health(snapshot: &Snapshot) -> Markup {
    let Traffic { packets, nic, kernel, messages, .. } = Traffic::of(snapshot);
    let offered = packets + nic + kernel;
    let table = &snapshot.table;
    let failed: Vec<_> = snapshot.outputs.iter().filter(|output| output.failed > 0).collect();
    html! {
        section.card #health data-live {
            h2 { "Health of the sensor" }
            dl.health {
                div {
                    dt { "Packets a second" }
                    dd {
                        (snapshot.overview.packet_rate.map_or_else(|| "–".to_owned(), |rate| grouped(rate.round() as u64)))
                        small { (grouped(packets)) " since " (second(snapshot.started)) }
                    }
                }
                div { dt { "DNS messages" } dd { (grouped(messages)) small { "queries and responses" } } }
                div {
                    dt { "Lost before the sensor" }
                    dd { span class={ @if (nic + kernel) * LOSS_THAT_MATTERS > offered { "hot" } } { (share(nic + kernel, offered)) } small { (grouped(nic + kernel)) " of " (counted(offered, "packet", "packets")) } }
                }
                div {
                    dt { "Last packet" }
                    dd {
                        @match snapshot.interfaces.iter().filter_map(|interface| interface.last_packet).max() {
                            Some(time) => { (ago(time, snapshot.taken)) small { (second(time)) " UTC" } }
                            None => { "none yet" }
                        }
                    }
                }
                div {
                    dt { "Table of sources" }
                    dd { (share(table.used, table.capacity)) small { (grouped(table.used)) " of " (grouped(table.capacity)) " rows; " (counted(table.evicted, "row", "rows")) " made room" } }
                }
                div {
                    dt { "Memory" }
                    dd { (size(table.capacity * ROW + snapshot.list_bytes)) small { "sources " (size(table.capacity * ROW)) ", lists " (size(snapshot.list_bytes)) } }
                }
                div {
                    dt { "Written" }
                    dd {
                        @if snapshot.outputs.is_empty() { "nothing" small { "neither events nor state are kept" } }
                        @else if failed.is_empty() { "all" small { (written(snapshot)) } }
                        @else { span.hot { (counted(failed.iter().map(|output| output.failed).sum(), "failure", "failures")) } small { (written(snapshot)) } }
                    }
                }
                div {
                    dt { "Reloads" }
                    dd { (grouped(snapshot.reloads.done)) small { (grouped(snapshot.reloads.failed)) " refused; " (counted(snapshot.clock_steps, "step", "steps")) " of the clock" } }
                }
            }
            h3 { "Loss by stage" }
            div.scroll tabindex="0" role="region" aria-label="Loss by stage" {
                table {
                    thead { tr { th scope="col" { "Stage" } th scope="col" { "What was lost" } th.n scope="col" { "Count" } th.n.wide scope="col" { "Share" } } }
                    tbody {
                        @for loss in losses(snapshot) { (stage(&loss)) }
                    }
                }
            }
            @if snapshot.interfaces.len() > 1 { (interfaces(&snapshot.interfaces)) }
        }
    }
}

fn stage(loss: &Loss) -> Markup {
    let Loss { stage, what, count, of } = *loss;
    html! {
        tr { th scope="row" { (stage) } td { (what) } td.n { span class={ @if count > 0 { "strong" } } { (grouped(count)) } } td.n.wide { (share(count, of)) } }
    }
}

fn written(snapshot: &Snapshot) -> String {
    let output = snapshot.outputs.iter().map(|output| format!("{} {}", output.name, grouped(output.written)));
    output.collect::<Vec<_>>().join(", ")
}

fn interfaces(interfaces: &[Interface]) -> Markup {
    html! {
        h3 { "Interfaces" }
        div.scroll tabindex="0" role="region" aria-label="Interfaces" {
            table {
                thead { tr { th scope="col" { "Interface" } th.n scope="col" { "Packets" } th.n scope="col" { "Lost by the card" } th.n scope="col" { "Lost by the kernel" } } }
                tbody {
                    @for interface in interfaces {
                        tr {
                            th.src scope="row" { (interface.name) }
                            td.n { (grouped(interface.packets)) }
                            td.n { (grouped(interface.dropped_by_nic)) }
                            td.n { (grouped(interface.dropped_by_kernel)) }
                        }
                    }
                }
            }
        }
    }
}
