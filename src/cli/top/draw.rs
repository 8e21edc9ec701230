//! The screen: what matters most at the top, then sources, families and health; all at once where there is room, one of
//! them where there is little. Colours are the terminal's own sixteen. Whatever the sensor says is made printable first.

use std::time::Instant;

use dgawatch::export::figures::{ago, grouped, printable, second, share, size};
use dgawatch::export::http::client::{Hour, Summary, TopSource};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Sparkline, Table, Wrap};

use super::app::{App, Pane};
use super::evidence::{draw_evidence, draw_pages};

/// Lines from which on all panes are there at once.
const TALL: u16 = 38;

/// Lines from which on the trend is three lines high.
const ROOMY: u16 = 30;

/// One packet lost among so many is worth a look, as on the sensor's page.
const LOSS_THAT_MATTERS: u64 = 1_000;

const KEYS: &str = "q quit  ? help  ↑↓ move  Tab pane  s sort  r reverse  a all  Enter names";

const HELP: [(&str, &str); 11] = [
    ("q, Ctrl-C", "quit"),
    ("↑ ↓, j k", "move"),
    ("PgUp PgDn, Space", "move by ten"),
    ("Home End, g G", "first, last"),
    ("Tab, ← →", "next pane, previous"),
    ("1 2 3", "sources, families, health"),
    ("s", "sort sources by the next column"),
    ("r", "the other way round"),
    ("a", "all evidence, by the page: n p"),
    ("Enter", "names that a source asked for"),
    ("Esc, ←", "back"),
];

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, now: Instant) {
    let area = frame.area();
    let trend = if area.height >= ROOMY { 3 } else { 1 };
    let [title, trouble, lead, rates, hours, body, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(app.trouble.is_some().into()),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(trend),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(title_line(app, title.width), title);
    if let Some(why) = &app.trouble {
        let text = format!(" What you see is {} s old. {}", app.age(now).as_secs(), printable(why));
        frame.render_widget(Line::from(text).style(Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED)), trouble);
    }
    frame.render_widget(lead_line(app), lead);
    frame.render_widget(rate_line(app), rates);
    draw_hours(frame, &app.state.overview.hours, hours);
    match app.evidence.take() {
        Some(mut evidence) => {
            draw_evidence(frame, &mut evidence, body);
            app.evidence = Some(evidence);
        }
        None => panes(frame, app, body),
    }
    let hint = match (&app.evidence, &app.pages) {
        (Some(_), _) => "q quit  ? help  ↑↓ scroll  Esc back",
        (None, Some(_)) => "q quit  ? help  ↑↓ move  n p page  Tab pane  Enter names  a back",
        (None, None) => KEYS,
    };
    frame.render_widget(Line::from(hint).style(Style::new().add_modifier(Modifier::DIM)), keys);
    if app.help {
        draw_help(frame, area);
    }
}

fn title_line(app: &App, width: u16) -> Line<'static> {
    let Summary { interfaces, not_ready, taken, .. } = &app.state.summary;
    let mut spans = vec!["dgawatch ".bold()];
    match not_ready {
        Some(why) => spans.push(format!("Not ready: {}", printable(why)).fg(Color::Red).bold()),
        None => {
            let names: Vec<String> = interfaces.iter().map(|interface| printable(&interface.interface)).collect();
            spans.push(format!("listening on {}", names.join(", ")).into());
        }
    }
    if width >= 60 {
        spans.push(format!("  as of {}", &second(*taken)[11..]).dim());
    }
    if width >= 100 {
        spans.push(format!("  {}  version {}", printable(&app.url), printable(&app.state.summary.version)).dim());
    }
    Line::from(spans)
}

fn lead_line(app: &App) -> Line<'static> {
    let overview = &app.state.overview;
    let alarm = if overview.infected_now > 0 { Style::new().fg(Color::Red).bold() } else { Style::new() };
    let mut spans = vec![Span::styled(format!("{} infected now", grouped(overview.infected_now)), alarm)];
    for (count, what) in [(overview.infected_today, "today"), (overview.infected, "in all"), (overview.suspect, "suspect")] {
        spans.push(format!("   {}", grouped(count)).bold());
        spans.push(format!(" {what}").into());
    }
    Line::from(spans)
}

fn rate_line(app: &App) -> Line<'static> {
    let Summary { interfaces, source_table, taken, .. } = &app.state.summary;
    let overview = &app.state.overview;
    let rate = overview.packets_per_second.map_or_else(|| "–".to_owned(), |rate| grouped(rate.round() as u64));
    // Before the sensor: the card and the kernel are the first of the way.
    let (lost, offered) = overview.losses.iter().take(2).fold((0, 0), |(lost, _), loss| (lost + loss.count, loss.of));
    let hot = if lost.saturating_mul(LOSS_THAT_MATTERS) > offered { Style::new().fg(Color::Red).bold() } else { Style::new() };
    let last = interfaces.iter().filter_map(|interface| interface.last_packet).max();
    Line::from(vec![
        rate.bold(),
        " packets/s   lost ".into(),
        Span::styled(share(lost, offered), hot.bold()),
        "   last packet ".into(),
        last.map_or_else(|| "none yet".to_owned(), |last| ago(last, *taken)).bold(),
        "   table ".into(),
        share(source_table.used, source_table.capacity).bold(),
    ])
}

fn draw_hours(frame: &mut Frame<'_>, hours: &[Hour], area: Rect) {
    let most = hours.iter().map(|hour| hour.infected).max().unwrap_or_default();
    let label = format!("infected by hour, {} at most ", grouped(most));
    let [left, bars] = Layout::horizontal([Constraint::Length(label.len() as u16), Constraint::Min(0)]).areas(area);
    frame.render_widget(Line::from(label).dim(), left);
    let fit = hours.len().saturating_sub(bars.width.into());
    let data: Vec<u64> = hours[fit..].iter().map(|hour| hour.infected).collect();
    frame.render_widget(Sparkline::default().data(data).max(most.max(1)).style(Style::new().fg(Color::Red)), bars);
}

fn panes(frame: &mut Frame<'_>, app: &mut App, body: Rect) {
    if body.height + 7 < TALL {
        let [tabs, below] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(body);
        let tab = |(at, pane): (usize, Pane)| {
            let text = format!(" {} {} ", at + 1, pane.title());
            if pane == app.pane { text.reversed() } else { text.dim() }
        };
        frame.render_widget(Line::from_iter(Pane::ALL.into_iter().enumerate().map(tab)), tabs);
        return draw_pane(frame, app, app.pane, below);
    }
    let lines = |rows: usize, most: u16| Constraint::Length((rows as u16).saturating_add(2).min(most));
    let health = health(app).len();
    let [sources, families, losses] =
        Layout::vertical([Constraint::Min(10), lines(app.state.families.len(), 12), lines(health, 12)]).areas(body);
    draw_pane(frame, app, Pane::Sources, sources);
    draw_pane(frame, app, Pane::Families, families);
    draw_pane(frame, app, Pane::Health, losses);
}

fn draw_pane(frame: &mut Frame<'_>, app: &mut App, pane: Pane, area: Rect) {
    let here = pane == app.pane;
    if let (Pane::Sources, Some(pages)) = (pane, &mut app.pages) {
        return draw_pages(frame, pages, app.state.summary.taken, here, area);
    }
    let (title, table) = match pane {
        Pane::Sources => (sources_title(app), sources(app, area.width)),
        Pane::Families => ("Families".to_owned(), families(app, area.width)),
        Pane::Health => ("Health of the sensor, loss by stage".to_owned(), losses(app, area.width)),
    };
    frame.render_stateful_widget(framed(table, &title, here), area, &mut app.tables[pane as usize]);
}

/// A table under its title, with its cursor where the user is.
pub(super) fn framed<'a>(table: Table<'a>, title: &str, here: bool) -> Table<'a> {
    let title = format!("{title} ");
    let title = if here { title.bold() } else { title.dim() };
    let block = Block::new().borders(Borders::TOP).border_style(Style::new().add_modifier(Modifier::DIM)).title(title);
    let cursor = if here { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    table.block(block).row_highlight_style(cursor)
}

fn sources_title(app: &App) -> String {
    let overview = &app.state.overview;
    let (shown, all) = (overview.top.len() as u64, overview.infected + overview.suspect);
    let which = if shown < all { format!("the {shown} with the most evidence of {}", grouped(all)) } else { grouped(all) };
    format!("Sources: {which}, by {}{}", app.order.title(), if app.reversed { ", reversed" } else { "" })
}

/// A column: its head, its width, and from which width of the screen on it is there.
pub(super) type Column = (&'static str, Constraint, u16);

/// Puts a table together of those columns for which there is room.
pub(super) fn table(columns: &[Column], rows: Vec<(Vec<Line<'static>>, Style)>, width: u16) -> Table<'static> {
    let there: Vec<bool> = columns.iter().map(|(_, _, from)| width >= *from).collect();
    let kept = |cells: Vec<Line<'static>>| cells.into_iter().zip(&there).filter(|(_, there)| **there).map(|(cell, _)| cell);
    let right = |(head, _, _): &Column| {
        let (head, right) = head.strip_prefix('>').map_or((*head, false), |head| (head, true));
        let line = Line::from(head);
        if right { line.right_aligned() } else { line }
    };
    let head = Row::new(kept(columns.iter().map(right).collect())).style(Style::new().add_modifier(Modifier::BOLD));
    let widths = columns.iter().zip(&there).filter(|(_, there)| **there).map(|((_, width, _), _)| *width);
    let rows = rows.into_iter().map(|(cells, style)| Row::new(kept(cells)).style(style));
    Table::new(rows, widths).header(head).column_spacing(1)
}

pub(super) fn number(count: u64) -> Line<'static> {
    Line::from(grouped(count)).right_aligned()
}

pub(super) fn by_verdict(verdict: &str) -> Style {
    match verdict {
        "infected" => Style::new().fg(Color::Red),
        _ => Style::new().fg(Color::Yellow),
    }
}

fn sources(app: &App, width: u16) -> Table<'static> {
    let sources = app.sources();
    if sources.is_empty() {
        return Table::new(
            [Row::new(["No source asked for a listed name on the list days that are open."])],
            [Constraint::Fill(1)],
        );
    }
    let columns = [
        ("Source", of_sources(sources.iter().map(|source| &*source.source), width), 0),
        ("Verdict", Constraint::Length(8), 0),
        (">Names", Constraint::Length(6), 0),
        (">Queries", Constraint::Length(9), 72),
        (">Responses", Constraint::Length(9), 110),
        ("Family", Constraint::Fill(1), 56),
        ("First seen", Constraint::Length(19), 130),
        (">Last seen", Constraint::Length(12), 44),
    ];
    let taken = app.state.summary.taken;
    let cells = |source: &&TopSource| {
        let families: Vec<String> = source.families.iter().map(|family| printable(family)).collect();
        let cells = vec![
            Line::from(printable(&source.source)),
            Line::from(Span::styled(printable(&source.verdict), by_verdict(&source.verdict))),
            number(source.distinct_names),
            number(source.matches),
            number(source.responses),
            Line::from(families.join(", ")),
            Line::from(second(source.first_seen)),
            Line::from(ago(source.last_seen, taken)).right_aligned(),
        ];
        (cells, Style::new())
    };
    table(&columns, sources.iter().map(cells).collect(), width)
}

/// Width of a column of sources: of the widest, as far as it leaves room.
pub(super) fn of_sources<'a>(sources: impl Iterator<Item = &'a str>, width: u16) -> Constraint {
    let widest = sources.map(|source| printable(source).chars().count()).max().unwrap_or_default();
    Constraint::Length((widest.clamp(6, 39) as u16).min(width / 2))
}

fn families(app: &App, width: u16) -> Table<'static> {
    if app.state.families.is_empty() {
        return Table::new([Row::new(["No family is watched."])], [Constraint::Fill(1)]);
    }
    let columns = [
        ("Family", Constraint::Fill(1), 0),
        (">Infected", Constraint::Length(8), 0),
        (">Suspect", Constraint::Length(7), 44),
        (">Queries", Constraint::Length(11), 0),
        (">Responses", Constraint::Length(11), 72),
        (">Hosts", Constraint::Length(23), 60),
    ];
    let cells = app.state.families.iter().map(|family| {
        let hosts = family.hosts.map_or_else(
            || "–".to_owned(),
            |hosts| {
                let high = hosts.high.map_or_else(|| "more".to_owned(), grouped);
                format!("{} ({} to {high})", grouped(hosts.best), grouped(hosts.low))
            },
        );
        let infected = if family.infected > 0 { by_verdict("infected") } else { Style::new() };
        let cells = vec![
            Line::from(printable(&family.family)),
            number(family.infected).style(infected),
            number(family.suspect),
            number(family.matches),
            number(family.responses),
            Line::from(hosts).right_aligned(),
        ];
        (cells, Style::new())
    });
    table(&columns, cells.collect(), width)
}

/// Stage, what, how much, which share of all; whether it is bad.
fn health(app: &App) -> Vec<(String, String, String, String, bool)> {
    let Summary { source_table, outputs, reloads, clock_steps, list_bytes, started, .. } = &app.state.summary;
    let losses = app.state.overview.losses.iter();
    let mut rows: Vec<_> = losses
        .map(|loss| {
            let bad = loss.count.saturating_mul(LOSS_THAT_MATTERS) > loss.of;
            (printable(&loss.stage), printable(&loss.what), grouped(loss.count), share(loss.count, loss.of), bad)
        })
        .collect();
    let mut row = |stage: &str, what: &str, count: String, share: String, bad| {
        rows.push((stage.to_owned(), what.to_owned(), count, share, bad));
    };
    let (used, capacity, evicted) = (source_table.used, source_table.capacity, source_table.evicted);
    row("Table", "rows of evidence in use", grouped(used), share(used, capacity), false);
    row("Table", "rows that made room for others", grouped(evicted), String::new(), evicted > 0);
    row("Lists", "memory", size(*list_bytes), String::new(), false);
    for output in outputs {
        let name = printable(&output.output);
        row("Written", &name, grouped(output.written), String::new(), false);
        row("Written", &format!("{name}, failures"), grouped(output.failed), String::new(), output.failed > 0);
    }
    row("Reloads", "that took effect", grouped(reloads.done), String::new(), false);
    row("Reloads", "that were refused", grouped(reloads.failed), String::new(), reloads.failed > 0);
    row("Clock", "steps", grouped(*clock_steps), String::new(), *clock_steps > 0);
    row("Started", &format!("{} UTC", second(*started)), String::new(), String::new(), false);
    rows
}

fn losses(app: &App, width: u16) -> Table<'static> {
    let columns = [
        ("Stage", Constraint::Length(12), 36),
        ("What", Constraint::Fill(1), 0),
        (">Count", Constraint::Length(13), 0),
        (">Share", Constraint::Length(12), 50),
    ];
    let rows = health(app).into_iter().map(|(stage, what, count, share, bad)| {
        let right = |text: String| Line::from(text).right_aligned();
        let style = if bad { Style::new().fg(Color::Red) } else { Style::new() };
        (vec![Line::from(stage), Line::from(what), right(count), right(share)], style)
    });
    table(&columns, rows.collect(), width)
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (54.min(area.width), (HELP.len() as u16 + 2).min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let lines = HELP.map(|(keys, what)| Line::from(vec![format!(" {keys:<17} ").bold(), what.into()]));
    let block = Block::bordered().title(" Keys ".bold());
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines.to_vec()).wrap(Wrap { trim: false }).block(block), place);
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use dgawatch::export::http::client::State;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;
    use serde_json::{Value, from_value, json};

    use super::*;
    use crate::cli::top::app::Evidence;
    use crate::cli::top::poll::Update;

    pub(in crate::cli::top) const EVIL: &str = "\u{1b}[2J\u{9b}\r\n\u{202e}";
    const ESCAPED: &str = "\\u{1b}[2J\\u{9b}\\r\\n\\u{202e}";

    pub(in crate::cli::top) fn state(word: &str, sources: u64) -> State {
        let moment = "2009-03-31T10:00:00.000000Z";
        let top: Vec<Value> = (0..sources)
            .map(|n| {
                json!({"source": format!("192.0.2.{n}{word}"), "verdict": "infected", "families": [word], "distinct_names": 9 + n,
                    "matches": n, "responses": n, "first_seen": moment, "last_seen": moment})
            })
            .collect();
        State {
            summary: from_value(json!({"version": word, "started": moment, "taken": "2009-03-31T10:05:00Z", "not_ready": null,
                "interfaces": [{"interface": word, "packets": 7, "last_packet": moment}], "list_bytes": 5,
                "source_table": {"used": 1, "capacity": 4, "evicted": 0},
                "outputs": [{"output": word, "written": 1, "failed": 1}], "reloads": {"done": 0, "failed": 0}, "clock_steps": 0}))
            .unwrap(),
            overview: from_value(json!({"infected_now": 3, "infected_today": 4, "infected": 5, "suspect": 6,
                "packets_per_second": 1234.4, "hours": [{"start": moment, "matches": 1, "infected": 2}], "top": top,
                "losses": [{"stage": "Network card", "what": word, "count": 1, "of": 99},
                    {"stage": "Kernel", "what": word, "count": 0, "of": 99}]}))
            .unwrap(),
            families: vec![
                from_value(json!({"family": word, "matches": 1, "responses": 1, "infected": 1, "suspect": 0,
                    "hosts": {"low": 1, "best": 2, "high": null}}))
                .unwrap(),
            ],
        }
    }

    pub(in crate::cli::top) fn drawn(app: &mut App, width: u16, height: u16, now: Instant) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app, now)).unwrap();
        terminal.backend().buffer().clone()
    }

    pub(in crate::cli::top) fn text(buffer: &Buffer) -> String {
        let width = buffer.area.width.into();
        let lines = buffer.content.chunks(width).map(|cells| cells.iter().map(|cell| cell.symbol()).collect::<String>());
        lines.map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn eighty_columns() {
        let now = Instant::now();
        let mut app = App::new("http://sensor".to_owned(), state("conficker-b", 2), now);
        app.tables[0].select(None);
        let expected = "\
dgawatch listening on conficker-b  as of 10:05:00
3 infected now   4 today   5 in all   6 suspect
1,234 packets/s   lost 1.01 %   last packet 5 min ago   table 25 %
infected by hour, 2 at most █
 1 Sources  2 Families  3 Health
Sources: the 2 with the most evidence of 11, by evidence ───────────────────────
Source               Verdict   Names   Queries Family                  Last seen
192.0.2.0conficker-b infected      9         0 conficker-b             5 min ago
192.0.2.1conficker-b infected     10         1 conficker-b             5 min ago

q quit  ? help  ↑↓ move  Tab pane  s sort  r reverse  a all  Enter names
";
        assert_eq!(text(&drawn(&mut app, 80, 11, now)), expected);
        // Nothing came for a while.
        app.take(Update { state: Err(format!("gone {EVIL}")), evidence: None, page: None }, now);
        let later = text(&drawn(&mut app, 80, 12, now + Duration::from_secs(75)));
        assert!(later.contains(&format!(" What you see is 75 s old. gone {ESCAPED}")), "{later}");
        assert!(later.contains("192.0.2.1conficker-b"), "{later}");
        app.take(Update { state: Ok(state("conficker-c", 0)), evidence: None, page: None }, now);
        let again = text(&drawn(&mut app, 80, 12, now));
        assert!(again.contains("No source asked for a listed name") && !again.contains("What you see"), "{again}");
    }

    #[test]
    fn every_size_and_whatever_is_said() {
        let now = Instant::now();
        for (help, open) in [(false, false), (true, false), (false, true)] {
            for pane in Pane::ALL {
                let mut app = App::new(EVIL.to_owned(), state(EVIL, 40), now);
                (app.pane, app.help) = (pane, help);
                app.state.summary.not_ready = Some(EVIL.to_owned());
                app.trouble = Some(EVIL.to_owned());
                let moment = "2009-03-31T10:00:00Z";
                let row = json!({"source": EVIL, "family": EVIL, "list_day": EVIL, "matches": 1, "responses": 1, "distinct_names": 300,
                    "first_seen": moment, "last_seen": moment, "verdict": EVIL, "names": [EVIL, EVIL]});
                let rows = Some(Ok(vec![from_value(row).unwrap()]));
                app.evidence = open.then(|| Evidence { source: EVIL.to_owned(), rows, scroll: u16::MAX });
                for (width, height) in (1..=40).map(|n| (n, n)).chain([(80, 24), (40, 10), (200, 60), (1, 60), (300, 1)]) {
                    let buffer = drawn(&mut app, width, height, now);
                    let strange = |c: char| c.is_control() || c == '\u{202e}';
                    assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(strange)), "{width}×{height}");
                }
                assert!(text(&drawn(&mut app, 200, 60, now)).contains(ESCAPED));
            }
        }
    }
}
