//! The report for a person at a terminal: what was read, who is infected, what was lost. At most 80 columns.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::{CaptureSummary, FamilyTotals, Group, Report, caveats, rendezvous};
use crate::day::Timestamp;
use crate::decode::{Kind, Transport};
use crate::dga::FamilyId;
use crate::ledger::estimate::{Cycle, Refused};
use crate::ledger::{AnswerKind, Evidence, Hosts, Key, Role, Seen, Verdict};
use crate::watchlist::{Names, PatternId, known_collision};

/// The widest source that leaves room for its figures on a line.
const SOURCE_WIDTH: usize = 23;

/// Names shown of a source that asked for few.
const NAMES_SHOWN: usize = 3;

pub(super) fn write(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    captures(report, out)?;
    rendezvous::write_text(report, top, out)?;
    summary(report, out)?;
    let context = context(report);
    for rows in report.groups() {
        group(report, &rows, &context, top, out)?;
    }
    report.write_network_tables(top, out)?;
    patterns(report, top, out)?;
    losses(report, out)
}

fn captures(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for capture in &report.captures {
        let CaptureSummary { path, packets, bytes, span, error, seen_by } = capture;
        let sensor = seen_by.as_ref().and_then(|seen_by| seen_by.sensor.as_ref());
        let sensor = sensor.map_or_else(String::new, |sensor| format!("{}: ", printable(sensor)));
        writeln!(out, "Read {sensor}{}", printable(path))?;
        writeln!(
            out,
            "  {}, {}{}",
            count(*packets, "packet"),
            size(*bytes),
            span.map_or_else(String::new, |span| format!(", {}", during(span)))
        )?;
        if let Some(error) = error {
            wrapped(2, &format!("but it {error}"), out)?;
        }
    }
    if report.captures.len() > 1 {
        writeln!(out, "Together {}", count(report.found.counts.total(), "packet"))?;
    }
    let messages = |kind| Transport::ALL.map(|transport| report.found.messages.of(transport, kind)).iter().sum::<u64>();
    let (queries, responses) = (messages(Kind::Query), messages(Kind::Response));
    writeln!(
        out,
        "  {} ({}, {})",
        count(queries + responses, "DNS message"),
        counted(queries, "query", "queries"),
        count(responses, "response")
    )
}

/// The one line that matters, and what it rests on.
fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    // Of each source the worst.
    let mut verdicts: Vec<(IpAddr, Reverse<Verdict>)> =
        report.rows.iter().map(|(key, evidence)| (key.source, Reverse(Verdict::of(evidence)))).collect();
    // Rows of each list are in order already, which this sort makes use of.
    verdicts.sort();
    verdicts.dedup_by_key(|(source, _)| *source);
    let infected = verdicts.iter().filter(|(_, verdict)| *verdict == Reverse(Verdict::Infected)).count() as u64;
    let suspect = verdicts.len() as u64 - infected;
    writeln!(out)?;
    if verdicts.is_empty() {
        writeln!(out, "No source asked for a listed name.")?;
    } else {
        writeln!(out, "{} infected, {} suspect.", count(infected, "source"), suspect)?;
    }
    for (id, family) in report.catalog.iter() {
        let totals = report.family_totals(id);
        let days: Vec<_> = report.lists.iter().filter(|(family, _)| *family == id).map(|(_, day)| *day).collect();
        let (Some(first), Some(last)) = (days.first(), days.last()) else { continue };
        let lists = if first == last {
            format!("list of {first}")
        } else if first.through(*last).eq(days.iter().copied()) {
            format!("lists of {first} to {last}")
        } else {
            format!("{}, {first} to {last}", count(days.len() as u64, "list"))
        };
        writeln!(
            out,
            "  {:<12} {:>5} infected {:>5} suspect  {lists}",
            family.id(),
            totals.infected,
            totals.sources - totals.infected
        )?;
        match report.hosts_of(id) {
            Ok(hosts) => {
                wrapped(4, &format!("hosts: {hosts}"), out)?;
                for caveat in caveats(hosts) {
                    wrapped(6, caveat, out)?;
                }
            }
            Err(Refused::NoSource) => {}
            Err(why) => wrapped(4, &format!("hosts: not counted: {}", why.text()), out)?,
        }
        particulars(report.cycle_of(id), &totals, out)?;
        answers(report, id, out)?;
    }
    Ok(())
}

/// What there is to say of a family's infected sources: what else than clients they are, whose clocks are wrong, and how
/// often they ask where that was seen.
fn particulars(cycle: Option<&Cycle>, totals: &FamilyTotals, out: &mut dyn Write) -> io::Result<()> {
    if totals.roles.keys().any(|role| *role != Role::Client) {
        let roles = totals.roles.iter().map(|(role, sources)| count(*sources as u64, role.label()));
        wrapped(4, &format!("infected: {}", roles.collect::<Vec<_>>().join(", ")), out)?;
    }
    if totals.ahead.keys().any(|days| *days != 0) {
        let clocks = totals.ahead.iter().map(|(days, sources)| match days {
            0 => format!("on the day of the list {}", grouped(*sources as u64)),
            1.. => format!("{} early {}", count(days.unsigned_abs().into(), "day"), grouped(*sources as u64)),
            _ => format!("{} late {}", count(days.unsigned_abs().into(), "day"), grouped(*sources as u64)),
        });
        wrapped(4, &format!("infected sources asked: {}", clocks.collect::<Vec<_>>().join(", ")), out)?;
    }
    if let Some(cycle) = cycle.filter(|cycle| cycle.learned) {
        wrapped(4, &format!("a cycle takes {:.1} minutes, seen here", cycle.length / 60.0), out)?;
    }
    Ok(())
}

/// What responses said, where some lead somewhere.
fn answers(report: &Report, id: FamilyId, out: &mut dyn Write) -> io::Result<()> {
    let answers = report.answers_of(id).filter(|(_, count)| *count > 0);
    let leads = AnswerKind::ALL.map(AnswerKind::label).into_iter().skip(AnswerKind::Blocked as usize);
    if leads.clone().any(|label| answers.clone().any(|(kind, _)| kind == label)) {
        let answers = answers.map(|(kind, count)| format!("{kind} {}", grouped(count)));
        wrapped(4, &format!("responses: {}", answers.collect::<Vec<_>>().join(", ")), out)?;
    }
    Ok(())
}

/// The first `top` rows of a group by weight, all where it is 0; and how many of all are infected.
fn weightiest<'r>(group: &'r Group<'_>, top: usize) -> (Vec<(&'r Key, &'r Evidence, &'r Hosts)>, usize) {
    let weight = |(key, evidence, _): &(&Key, &Evidence, &Hosts)| {
        let messages = evidence.matches + evidence.responses;
        (Reverse(Verdict::of(evidence)), Reverse(evidence.distinct_names()), Reverse(messages), key.source)
    };
    let mut rows: Vec<_> = group.iter().map(|row| (weight(&row), row)).collect();
    let infected = rows.iter().filter(|((verdict, ..), _)| *verdict == Reverse(Verdict::Infected)).count();
    if (1..rows.len()).contains(&top) {
        rows.select_nth_unstable_by_key(top, |(weight, _)| *weight);
        rows.truncate(top);
    }
    // No two are of one source.
    rows.sort_unstable_by_key(|(weight, _)| *weight);
    (rows.into_iter().map(|(_, row)| row).collect(), infected)
}

/// One family and list day: its sources by weight.
fn group(report: &Report, group: &Group<'_>, context: &Context<'_>, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let key = group.rows[0].0;
    let family = report.catalog.family(key.family);
    let (rows, infected) = weightiest(group, top);
    let all = group.rows.len();

    writeln!(out, "\n{}, list of {}: {infected} infected, {} suspect", family.id(), key.list_day, all - infected)?;
    if let Some(standard) = group.standard.filter(|_| infected > 0) {
        let aside = match standard.set_aside {
            0 => String::new(),
            names => format!("; {} set aside, which people ask for", count(names.into(), "name")),
        };
        let needed = format!("  a verdict takes {} names{aside}", standard.needed);
        wrapped(2, needed.trim_start(), out)?;
    }
    if let Some(rounds) = report.census.rounds.get(&(key.family, key.list_day)) {
        wrapped(2, &format!("rounds of infected hosts: {rounds}"), out)?;
    }
    let figures = ["verdict ", "names", "queries", "replies", "first seen ", "last seen  "];
    writeln!(
        out,
        "  {:<SOURCE_WIDTH$} {} {} {} {} {} {}",
        "source",
        figures[0],
        figures[1],
        figures[2],
        figures[3],
        figures[4],
        figures[5].trim_end()
    )?;
    for (key, evidence, hosts) in &rows {
        let source = source_column(key.source);
        let verdict = Verdict::of(evidence);
        let Evidence { matches, responses, first_seen, last_seen, .. } = evidence;
        writeln!(
            out,
            "  {source} {:<8} {:>5} {matches:>7} {responses:>7} {} {}",
            verdict.label(),
            evidence.distinct_names(),
            minute(*first_seen),
            minute(*last_seen)
        )?;
        if evidence.is_reader() {
            wrapped(4, "reads lists: asks for more names at once than infected hosts do", out)?;
        } else if verdict == Verdict::Suspect {
            suspicion(evidence, &group.names, out)?;
        } else if let Some(hosts) = hosts_behind(evidence.role(), hosts) {
            wrapped(4, &hosts, out)?;
        }
        if let Some(asked) = family.worm().and_then(|worm| context.get(&(worm, key.source))) {
            wrapped(4, &format!("also asked for {}", asked.join(", ")), out)?;
        }
    }
    if rows.len() < all {
        writeln!(out, "  … and {} more: --top 0 shows all, --format csv or json lists all", all - rows.len())?;
    }
    Ok(())
}

/// The hosts behind an infected source, unless it is a client that stands for itself.
fn hosts_behind(role: Role, hosts: &Hosts) -> Option<String> {
    match hosts {
        Ok(estimate) if role == Role::Client && estimate.figures().1 == 1 => None,
        Ok(estimate) => Some(format!("{}, {estimate} hosts behind it", role.label())),
        Err(why) => Some(format!("{}: {}", role.label(), why.text())),
    }
}

/// What else the sources with evidence of a worm asked for.
type Context<'a> = BTreeMap<(&'a str, IpAddr), Vec<&'a str>>;

fn context(report: &Report) -> Context<'_> {
    let mut context = Context::new();
    for (id, source, _) in &report.sightings {
        if let Some(worm) = report.patterns.set(*id).context_of {
            context.entry((worm, *source)).or_default().push(&report.patterns.pattern(*id).text);
        }
    }
    context
}

/// Each of the user's patterns that somebody asked for, and who did.
fn patterns(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let own = |(id, _, _): &&(PatternId, IpAddr, Seen)| report.patterns.set(*id).context_of.is_none();
    let mut sightings: Vec<&(PatternId, IpAddr, Seen)> = report.sightings.iter().filter(own).collect();
    let given = report.patterns.own() as u64;
    if given > 0 && sightings.is_empty() {
        writeln!(out, "\nNo source asked for a name of {}.", count(given, "pattern"))?;
    }
    // The order of patterns stays.
    sightings.sort_by_key(|(id, source, seen)| (*id, Reverse(seen.queries + seen.responses), *source));
    for rows in sightings.chunk_by(|(a, _, _), (b, _, _)| a == b) {
        let (pattern, set) = (report.patterns.pattern(rows[0].0), report.patterns.set(rows[0].0));
        let label = pattern.label.as_ref().map_or_else(String::new, |label| format!(" ({label})"));
        let sources = count(rows.len() as u64, "source");
        writeln!(out)?;
        wrapped(0, &format!("{}{label}, pattern of {}: {sources}", pattern.text, printable(&set.name)), out)?;
        writeln!(out, "  {:<SOURCE_WIDTH$}                queries replies first seen  last seen", "source")?;
        let shown = if top == 0 { rows.len() } else { top.min(rows.len()) };
        for (_, source, seen) in &rows[..shown] {
            writeln!(
                out,
                "  {} {:>22} {:>7} {} {}",
                source_column(*source),
                seen.queries,
                seen.responses,
                minute(seen.first_seen),
                minute(seen.last_seen)
            )?;
        }
        if shown < rows.len() {
            writeln!(out, "  … and {} more: --top 0 shows all, --format json lists all", rows.len() - shown)?;
        }
    }
    Ok(())
}

/// A source as wide as its column. An address too long for it stands on a line of its own.
fn source_column(source: IpAddr) -> String {
    let source = source.to_string();
    if source.len() > SOURCE_WIDTH { format!("{source}\n  {:SOURCE_WIDTH$}", "") } else { format!("{source:<SOURCE_WIDTH$}") }
}

/// The few names of a suspect, which a person can judge.
fn suspicion(evidence: &Evidence, list: &Names, out: &mut dyn Write) -> io::Result<()> {
    for place in evidence.names().take(NAMES_SHOWN) {
        let name = list.name(place);
        match known_collision(&name) {
            Some(collision) => writeln!(out, "    {name}: belongs to {}, no sign of the worm", collision.owner)?,
            None => writeln!(out, "    {name}")?,
        }
    }
    Ok(())
}

/// What could not be read, only where there is something.
fn losses(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let total = report.found.counts.total();
    let mut heading = "\nNot read\n";
    for (count, what) in report.found.losses() {
        let share = 100.0 * count as f64 / total as f64;
        writeln!(out, "{heading}  {:>12} {share:>6.2} %  {what}", grouped(count))?;
        heading = "";
    }
    if report.refused > 0 {
        writeln!(
            out,
            "\n{} were not kept: the table of sources was full (--max-sources).",
            counted(report.refused, "match", "matches")
        )?;
    }
    if report.sightings_refused > 0 {
        writeln!(
            out,
            "\n{} of patterns were not kept: their table was full (--max-sources).",
            count(report.sightings_refused, "sighting")
        )?;
    }
    Ok(())
}

/// A sentence over as many lines as it takes, each behind so many spaces.
pub(super) fn wrapped(indent: usize, sentence: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut column = 0;
    for word in sentence.split(' ') {
        let width = word.chars().count();
        if column == 0 || column + 1 + width > 80 {
            write!(out, "{}{:indent$}{word}", if column > 0 { "\n" } else { "" }, "")?;
            column = indent + width;
        } else {
            write!(out, " {word}")?;
            column += 1 + width;
        }
    }
    writeln!(out)
}

/// `1 packet`, `2,000 packets`.
pub(super) fn count(number: u64, noun: &str) -> String {
    counted(number, noun, &format!("{noun}s"))
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Thousands apart: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of octets: `1.6 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => count(bytes, "octet"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// `2009-03-31 22:00:00 to 2009-04-01 01:59:59 UTC`.
fn during((first, last): (Timestamp, Timestamp)) -> String {
    format!("{} to {} UTC", second(first), second(last))
}

fn second(time: Timestamp) -> String {
    time.to_string()[..19].replace('T', " ")
}

/// `03-31 22:00`.
pub(super) fn minute(time: Timestamp) -> String {
    second(time)[5..16].to_owned()
}

/// A text as a terminal may show it: what would command it is escaped, and what would turn the direction of writing.
pub fn printable(text: &str) -> String {
    let commands = |c: char| c.is_control() || TURNS.iter().any(|turns| turns.contains(&c));
    text.chars()
        .flat_map(|c| if commands(c) { c.escape_default().to_string() } else { c.to_string() }.chars().collect::<Vec<_>>())
        .collect()
}

/// Characters that order the direction of writing (Unicode Standard Annex #9 §2).
const TURNS: [RangeInclusive<char>; 4] =
    ['\u{61c}'..='\u{61c}', '\u{200e}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}\r\u{202e}ä"), "a\\u{1b}[2J\\u{9b}\\r\\u{202e}ä");
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!((count(1, "packet"), count(2, "packet")), ("1 packet".to_owned(), "2 packets".to_owned()));
        assert_eq!((size(900), size(1_234_567)), ("900 octets".to_owned(), "1234.6 kB".to_owned()));
        assert_eq!(printable("a\u{1b}[2J\u{9b}b"), "a\\u{1b}[2J\\u{9b}b");
    }
}
