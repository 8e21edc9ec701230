//! Evidence: on one source with its names, and on all sources, a page at a time.

use dgawatch::day::Timestamp;
use dgawatch::export::figures::{ago, grouped, printable, second};
use dgawatch::export::http::client::{EvidenceRow, PAGE};
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table};

use super::app::{Evidence, Pages};
use super::draw::{by_verdict, framed, number, of_sources, table};

/// What stands above a page.
const ALL: &str = "All evidence";

/// Draws the page that is looked at.
pub(super) fn draw_pages(frame: &mut Frame<'_>, pages: &mut Pages, taken: Timestamp, here: bool, area: Rect) {
    let (first, last) = (pages.offset + 1, (pages.offset + PAGE as u64).min(pages.total));
    let (title, sentence) = match &pages.page {
        None => (String::new(), Line::from("Asking…").dim()),
        Some(Err(why)) => (String::new(), Line::from(printable(why)).fg(Color::Red)),
        Some(Ok(page)) if page.rows.is_empty() => (": none".to_owned(), Line::default()),
        Some(Ok(page)) => {
            let rows = format!(": {} to {} of {}, the weightiest first", grouped(first), grouped(last), grouped(pages.total));
            let table = framed(evidence_table(&page.rows, taken, area.width), &format!("{ALL}{rows}"), here);
            return frame.render_stateful_widget(table, area, &mut pages.table);
        }
    };
    // Not with the cursor, which would be put on this line and stay there.
    let table = Table::new([Row::new([sentence])], [Constraint::Fill(1)]);
    frame.render_widget(framed(table, &format!("{ALL}{title}"), here), area);
}

fn evidence_table(rows: &[EvidenceRow], taken: Timestamp, width: u16) -> Table<'static> {
    let columns = [
        ("Source", of_sources(rows.iter().map(|row| &*row.source), width), 0),
        ("Verdict", Constraint::Length(8), 0),
        (">Names", Constraint::Length(6), 0),
        (">Queries", Constraint::Length(9), 72),
        (">Responses", Constraint::Length(9), 110),
        ("Family", Constraint::Fill(1), 56),
        ("List day", Constraint::Length(10), 90),
        ("First seen", Constraint::Length(19), 130),
        (">Last seen", Constraint::Length(12), 44),
    ];
    let cells = |row: &EvidenceRow| {
        let cells = vec![
            Line::from(printable(&row.source)),
            Line::from(Span::styled(printable(&row.verdict), by_verdict(&row.verdict))),
            number(row.distinct_names),
            number(row.matches),
            number(row.responses),
            Line::from(printable(&row.family)),
            Line::from(printable(&row.list_day)),
            Line::from(second(row.first_seen)),
            Line::from(ago(row.last_seen, taken)).right_aligned(),
        ];
        (cells, Style::new())
    };
    table(&columns, rows.iter().map(cells).collect(), width)
}

pub(super) fn draw_evidence(frame: &mut Frame<'_>, evidence: &mut Evidence, area: Rect) {
    let title = format!("Evidence on {} ", printable(&evidence.source)).bold();
    let block = Block::new().borders(Borders::TOP).border_style(Style::new().add_modifier(Modifier::DIM)).title(title);
    let inside = block.inner(area);
    let lines = match &evidence.rows {
        None => vec![Line::from("Asking…").dim()],
        Some(Err(why)) => vec![Line::from(printable(why)).fg(Color::Red)],
        Some(Ok(rows)) if rows.is_empty() => vec![Line::from("Nothing is known of this source any more.")],
        Some(Ok(rows)) => rows.iter().flat_map(|row| evidence_lines(row, inside.width)).collect(),
    };
    let last = (lines.len() as u16).saturating_sub(inside.height);
    evidence.scroll = evidence.scroll.min(last);
    frame.render_widget(Paragraph::new(lines).block(block).scroll((evidence.scroll, 0)), area);
}

/// What a row of evidence says, and its names in as many columns as fit.
fn evidence_lines(row: &EvidenceRow, width: u16) -> Vec<Line<'static>> {
    let head = vec![
        Span::styled(printable(&row.verdict), by_verdict(&row.verdict).bold()),
        format!(" {}, list of {}", printable(&row.family), printable(&row.list_day)).bold(),
    ];
    let told = format!(
        "{} names, {} queries, {} responses, {} to {}",
        grouped(row.distinct_names),
        grouped(row.matches),
        grouped(row.responses),
        second(row.first_seen),
        &second(row.last_seen)[5..]
    );
    let names: Vec<String> = row.names.iter().map(|name| printable(name)).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default() + 2;
    let columns = (usize::from(width) / widest).max(1);
    let lines = names.chunks(columns).map(|names| {
        let text: String = names.iter().map(|name| format!("{name:widest$}")).collect();
        Line::from(format!("  {}", text.trim_end()))
    });
    let mut lines: Vec<Line<'static>> = [Line::from(head), Line::from(told).dim()].into_iter().chain(lines).collect();
    let left = row.distinct_names.saturating_sub(names.len() as u64);
    if left > 0 {
        lines.push(Line::from(format!("  and {} more", grouped(left))).dim());
    }
    lines.push(Line::default());
    lines
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::time::Instant;

    use dgawatch::export::http::client::Page;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use serde_json::{from_value, json};

    use crate::cli::top::app::{App, Pane};
    use crate::cli::top::draw::tests::{EVIL, drawn, state, text};
    use crate::cli::top::poll::{Question, Update};

    /// What a sensor with so many rows says of those behind `offset`.
    fn page(total: u64, offset: u64, word: &str) -> Page {
        let rows = (offset..total.min(offset + 100)).map(|n| {
            json!({"source": format!("s{n}{word}"), "family": word, "list_day": "2009-03-31", "matches": n, "responses": 0,
                "distinct_names": 9, "first_seen": "2009-03-31T10:00:00Z", "last_seen": "2009-03-31T10:00:00Z", "verdict": "infected"})
        });
        from_value(json!({"total": total, "sources": rows.collect::<Vec<_>>()})).unwrap()
    }

    fn press(app: &mut App, code: KeyCode) {
        assert_eq!(app.key(KeyEvent::new(code, KeyModifiers::NONE)), ControlFlow::Continue(()));
    }

    /// Answers what is asked for, until nothing else is.
    fn answer(app: &mut App, total: u64) {
        loop {
            let question = app.question();
            let page = question.offset.map(|offset| (offset, Ok(page(total, offset, ""))));
            app.take(Update { state: Ok(state("", 3)), evidence: None, page }, Instant::now());
            if app.question() == question {
                break;
            }
        }
    }

    #[test]
    fn all_evidence_by_the_page() {
        let now = Instant::now();
        let mut app = App::new("http://sensor".to_owned(), state("", 3), now);
        press(&mut app, KeyCode::Char('a'));
        assert_eq!(app.question(), Question { source: None, offset: Some(0) });
        assert!(text(&drawn(&mut app, 120, 30, now)).contains("Asking…"));
        // The row under the cursor, which the title and Enter must agree on.
        for (key, offset, source) in [
            (KeyCode::Down, 0, "s1"),
            (KeyCode::Char('n'), 100, "s100"),
            (KeyCode::Up, 0, "s99"),
            (KeyCode::PageDown, 100, "s109"),
            (KeyCode::End, 200, "s249"),
            (KeyCode::Down, 200, "s249"),
            (KeyCode::Char('n'), 200, "s249"),
            (KeyCode::Char('p'), 100, "s100"),
            (KeyCode::PageUp, 0, "s90"),
            (KeyCode::Home, 0, "s0"),
            (KeyCode::Up, 0, "s0"),
            (KeyCode::Char('G'), 200, "s249"),
        ] {
            answer(&mut app, 250);
            press(&mut app, key);
            // Drawn while nothing has come yet as well.
            drawn(&mut app, 120, 130, now);
            answer(&mut app, 250);
            let screen = text(&drawn(&mut app, 120, 130, now));
            let title = format!(": {} to {} of 250, the weightiest first", offset + 1, (offset + 100).min(250));
            assert!(screen.contains(&title) && screen.contains(source), "{key:?} {title}\n{screen}");
            press(&mut app, KeyCode::Enter);
            assert_eq!(app.question(), Question { source: Some(source.to_owned()), offset: None }, "{key:?}");
            press(&mut app, KeyCode::Esc);
            assert_eq!(app.question().offset, Some(offset), "{key:?}");
        }
        // Rows went while the last page was looked at.
        answer(&mut app, 120);
        assert_eq!(app.question().offset, Some(100));
        assert!(text(&drawn(&mut app, 120, 30, now)).contains(": 101 to 120 of 120"));
        answer(&mut app, 0);
        assert!(text(&drawn(&mut app, 120, 30, now)).contains(": none"));
        // Nobody asks for what nobody looks at.
        press(&mut app, KeyCode::Tab);
        assert_eq!((app.pane, app.question()), (Pane::Families, Question::default()));
        press(&mut app, KeyCode::Char('1'));
        press(&mut app, KeyCode::Char('a'));
        assert_eq!(app.question(), Question::default());
        assert!(text(&drawn(&mut app, 120, 30, now)).contains("Sources: the 3 with the most evidence of 11"));
    }

    #[test]
    fn what_came_stays_and_strangers_are_escaped() {
        let now = Instant::now();
        let mut app = App::new("http://sensor".to_owned(), state("", 3), now);
        press(&mut app, KeyCode::Char('a'));
        let take = |app: &mut App, came| {
            app.take(Update { state: Ok(state("", 3)), evidence: None, page: Some(came) }, now);
            text(&drawn(app, 160, 60, now))
        };
        assert!(take(&mut app, (0, Err(format!("gone {EVIL}")))).contains("gone \\u{1b}[2J"));
        assert!(take(&mut app, (0, Ok(page(7, 0, EVIL)))).contains("s6\\u{1b}[2J"));
        // Nothing came this time; and something of another page, too late.
        assert!(take(&mut app, (0, Err("gone".to_owned()))).contains("1 to 7 of 7"));
        assert!(take(&mut app, (100, Ok(page(700, 100, "")))).contains("1 to 7 of 7"));
    }
}
