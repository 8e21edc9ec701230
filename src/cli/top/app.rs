//! What is shown and where in it the user is. Knows no terminal and asks no clock, so that tests can play it.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use dgawatch::export::http::client::{EvidenceRow, PAGE, Page, State, TopSource};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;

use super::poll::{Question, Update};

/// Rows that a page key goes.
const STEP: u16 = 10;

/// A part of what is shown, with a cursor of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Sources,
    Families,
    Health,
}

impl Pane {
    pub(super) const ALL: [Self; 3] = [Self::Sources, Self::Families, Self::Health];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Sources => "Sources",
            Self::Families => "Families",
            Self::Health => "Health",
        }
    }
}

/// By what sources are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As the sensor has them: the weightiest first.
    Evidence,
    Names,
    Queries,
    LastSeen,
    Source,
}

impl Order {
    const ALL: [Self; 5] = [Self::Evidence, Self::Names, Self::Queries, Self::LastSeen, Self::Source];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Names => "names",
            Self::Queries => "queries",
            Self::LastSeen => "last seen",
            Self::Source => "source",
        }
    }
}

/// Names asked for by one source.
pub(super) struct Evidence {
    pub(super) source: String,
    /// Nothing until it has come.
    pub(super) rows: Option<Result<Vec<EvidenceRow>, String>>,
    pub(super) scroll: u16,
}

/// The evidence on all sources, a page at a time.
pub(super) struct Pages {
    /// Rows before the page.
    pub(super) offset: u64,
    /// Rows in all, as far as is known.
    pub(super) total: u64,
    /// Nothing until it has come.
    pub(super) page: Option<Result<Page, String>>,
    pub(super) table: TableState,
}

impl Pages {
    fn new() -> Self {
        Self { offset: 0, total: 0, page: None, table: TableState::new().with_selected(0) }
    }

    /// Takes a page, if it is the one that is looked at.
    fn take(&mut self, offset: u64, page: Result<Page, String>) {
        if offset != self.offset || page.is_err() && matches!(self.page, Some(Ok(_))) {
            return;
        }
        if let Ok(page) = &page {
            self.total = page.total;
            // Rows may have gone since.
            if page.rows.is_empty() && self.offset > 0 {
                return self.go(self.total.saturating_sub(1));
            }
            let last = page.rows.len().saturating_sub(1);
            self.table.select(Some(self.selected().min(last)));
        }
        self.page = Some(page);
    }

    fn selected(&self) -> usize {
        self.table.selected().unwrap_or_default()
    }

    /// Puts the cursor on a row of all, on whichever page it is.
    fn go(&mut self, row: u64) {
        let row = row.min(self.total.saturating_sub(1));
        let offset = row - row % PAGE as u64;
        if offset != self.offset {
            (self.offset, self.page) = (offset, None);
        }
        self.table.select(Some((row - offset) as usize));
    }

    fn key(&mut self, code: KeyCode) {
        let at = self.offset + self.selected() as u64;
        let row = match code {
            KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => at + 1,
            KeyCode::PageUp => at.saturating_sub(STEP.into()),
            KeyCode::PageDown | KeyCode::Char(' ') => at + u64::from(STEP),
            KeyCode::Char('p') => self.offset.saturating_sub(PAGE as u64),
            // On the last page to its end.
            KeyCode::Char('n') => self.offset + PAGE as u64,
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => u64::MAX,
            _ => return,
        };
        self.go(row);
    }
}

/// All of it.
pub(super) struct App {
    pub(super) url: String,
    /// The latest that came.
    pub(super) state: State,
    /// When it came.
    came: Instant,
    /// Why nothing has come since.
    pub(super) trouble: Option<String>,
    pub(super) pane: Pane,
    pub(super) tables: [TableState; 3],
    pub(super) order: Order,
    pub(super) reversed: bool,
    /// In the place of the overview's sources, where all are looked at.
    pub(super) pages: Option<Pages>,
    pub(super) evidence: Option<Evidence>,
    pub(super) help: bool,
}

impl App {
    pub(super) fn new(url: String, state: State, now: Instant) -> Self {
        Self {
            url,
            state,
            came: now,
            trouble: None,
            pane: Pane::Sources,
            tables: Pane::ALL.map(|_| TableState::new().with_selected(0)),
            order: Order::Evidence,
            reversed: false,
            pages: None,
            evidence: None,
            help: false,
        }
    }

    /// How old what is shown is.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.came)
    }

    /// Takes what came of asking. Where nothing came, what is there stays.
    pub(super) fn take(&mut self, update: Update, now: Instant) {
        match update.state {
            Ok(state) => (self.state, self.came, self.trouble) = (state, now, None),
            Err(why) => self.trouble = Some(why),
        }
        // What was asked for may not be looked at any more.
        if let (Some(shown), Some((source, rows))) = (&mut self.evidence, update.evidence)
            && shown.source == source
            && (rows.is_ok() || !matches!(shown.rows, Some(Ok(_))))
        {
            shown.rows = Some(rows);
        }
        if let (Some(pages), Some((offset, page))) = (&mut self.pages, update.page) {
            pages.take(offset, page);
        }
    }

    /// What to ask for from now on.
    pub(super) fn question(&self) -> Question {
        let source = self.evidence.as_ref().map(|evidence| evidence.source.clone());
        // A page costs the sensor a look through all of its table: only for who looks at it.
        let offset = self.pages.as_ref().filter(|_| source.is_none() && self.pane == Pane::Sources).map(|pages| pages.offset);
        Question { source, offset }
    }

    /// The sources in the order that is wanted.
    pub(super) fn sources(&self) -> Vec<&TopSource> {
        let mut sources: Vec<&TopSource> = self.state.overview.top.iter().collect();
        match self.order {
            Order::Evidence => {}
            Order::Names => sources.sort_by_key(|source| Reverse(source.distinct_names)),
            Order::Queries => sources.sort_by_key(|source| Reverse(source.matches)),
            Order::LastSeen => sources.sort_by_key(|source| Reverse(source.last_seen)),
            // Addresses as numbers, IPv4 first; whatever else stands there behind them.
            Order::Source => sources.sort_by_key(|source| {
                let address = source.source.parse::<std::net::IpAddr>().ok();
                (address.is_none(), address, source.source.clone())
            }),
        }
        if self.reversed {
            sources.reverse();
        }
        sources
    }

    /// Does what a key says; breaks off where it says so.
    pub(super) fn key(&mut self, key: KeyEvent) -> ControlFlow<()> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        }
        if key.code == KeyCode::Char('q') {
            return ControlFlow::Break(());
        }
        if self.help {
            self.help = false;
        } else if key.code == KeyCode::Char('?') {
            self.help = true;
        } else if self.evidence.is_some() {
            self.key_in_evidence(key.code);
        } else {
            self.key_in_panes(key.code);
        }
        ControlFlow::Continue(())
    }

    fn key_in_evidence(&mut self, code: KeyCode) {
        let Some(evidence) = &mut self.evidence else { return };
        let scroll = &mut evidence.scroll;
        match code {
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left | KeyCode::Char('h') => {
                self.evidence = None;
            }
            KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => *scroll = scroll.saturating_add(1),
            KeyCode::PageUp => *scroll = scroll.saturating_sub(STEP),
            KeyCode::PageDown | KeyCode::Char(' ') => *scroll = scroll.saturating_add(STEP),
            KeyCode::Home | KeyCode::Char('g') => *scroll = 0,
            // Drawing knows where the end is.
            KeyCode::End | KeyCode::Char('G') => *scroll = u16::MAX,
            _ => {}
        }
    }

    fn key_in_panes(&mut self, code: KeyCode) {
        let at = self.pane as usize;
        match code {
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.pane = Pane::ALL[(at + 1) % 3],
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => self.pane = Pane::ALL[(at + 2) % 3],
            KeyCode::Char('1') => self.pane = Pane::Sources,
            KeyCode::Char('2') => self.pane = Pane::Families,
            KeyCode::Char('3') => self.pane = Pane::Health,
            KeyCode::Char('a') => {
                self.pane = Pane::Sources;
                self.pages = if self.pages.is_none() { Some(Pages::new()) } else { None };
            }
            KeyCode::Enter if self.pane == Pane::Sources => self.open(),
            _ => match &mut self.pages {
                Some(_) if matches!(code, KeyCode::Esc | KeyCode::Backspace) => self.pages = None,
                Some(pages) if self.pane == Pane::Sources => pages.key(code),
                _ => self.key_in_table(code),
            },
        }
    }

    fn key_in_table(&mut self, code: KeyCode) {
        let table = &mut self.tables[self.pane as usize];
        match code {
            KeyCode::Up | KeyCode::Char('k') => table.select_previous(),
            KeyCode::Down | KeyCode::Char('j') => table.select_next(),
            KeyCode::PageUp => table.scroll_up_by(STEP),
            KeyCode::PageDown | KeyCode::Char(' ') => table.scroll_down_by(STEP),
            KeyCode::Home | KeyCode::Char('g') => table.select_first(),
            KeyCode::End | KeyCode::Char('G') => table.select_last(),
            KeyCode::Char('s') => self.order = Order::ALL[(self.order as usize + 1) % Order::ALL.len()],
            KeyCode::Char('r') => self.reversed = !self.reversed,
            _ => {}
        }
    }

    /// Opens the source under the cursor.
    fn open(&mut self) {
        let source = match &self.pages {
            None => {
                let selected = self.tables[Pane::Sources as usize].selected().unwrap_or_default();
                let sources = self.sources();
                sources.get(selected.min(sources.len().saturating_sub(1))).map(|source| source.source.clone())
            }
            Some(Pages { page: Some(Ok(page)), table, .. }) => {
                page.rows.get(table.selected().unwrap_or_default()).map(|row| row.source.clone())
            }
            Some(_) => None,
        };
        if let Some(source) = source {
            self.evidence = Some(Evidence { source, rows: None, scroll: 0 });
        }
    }
}
