//! What is shown and where in it the user is. Knows no terminal and asks no clock, so that tests can play it.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use dgawatch::export::http::client::{EvidenceRow, State, TopSource};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;

use super::poll::Update;

/// Rows that a page key goes.
const PAGE: u16 = 10;

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

/// What a key leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stay,
    Quit,
    /// Ask for the evidence on this source from now on, or for none.
    Ask(Option<String>),
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

    /// Does what a key says.
    pub(super) fn key(&mut self, key: KeyEvent) -> Step {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Step::Quit } else { Step::Stay };
        }
        if key.code == KeyCode::Char('q') {
            return Step::Quit;
        }
        if self.help {
            self.help = false;
        } else if key.code == KeyCode::Char('?') {
            self.help = true;
        } else if self.evidence.is_some() {
            return self.key_in_evidence(key.code);
        } else {
            return self.key_in_panes(key.code);
        }
        Step::Stay
    }

    fn key_in_evidence(&mut self, code: KeyCode) -> Step {
        let Some(evidence) = &mut self.evidence else { return Step::Stay };
        let scroll = &mut evidence.scroll;
        match code {
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left | KeyCode::Char('h') => {
                self.evidence = None;
                return Step::Ask(None);
            }
            KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => *scroll = scroll.saturating_add(1),
            KeyCode::PageUp => *scroll = scroll.saturating_sub(PAGE),
            KeyCode::PageDown | KeyCode::Char(' ') => *scroll = scroll.saturating_add(PAGE),
            KeyCode::Home | KeyCode::Char('g') => *scroll = 0,
            // Drawing knows where the end is.
            KeyCode::End | KeyCode::Char('G') => *scroll = u16::MAX,
            _ => {}
        }
        Step::Stay
    }

    fn key_in_panes(&mut self, code: KeyCode) -> Step {
        let at = self.pane as usize;
        let table = &mut self.tables[at];
        match code {
            KeyCode::Up | KeyCode::Char('k') => table.select_previous(),
            KeyCode::Down | KeyCode::Char('j') => table.select_next(),
            KeyCode::PageUp => table.scroll_up_by(PAGE),
            KeyCode::PageDown | KeyCode::Char(' ') => table.scroll_down_by(PAGE),
            KeyCode::Home | KeyCode::Char('g') => table.select_first(),
            KeyCode::End | KeyCode::Char('G') => table.select_last(),
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.pane = Pane::ALL[(at + 1) % 3],
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => self.pane = Pane::ALL[(at + 2) % 3],
            KeyCode::Char('1') => self.pane = Pane::Sources,
            KeyCode::Char('2') => self.pane = Pane::Families,
            KeyCode::Char('3') => self.pane = Pane::Health,
            KeyCode::Char('s') => self.order = Order::ALL[(self.order as usize + 1) % Order::ALL.len()],
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Enter if self.pane == Pane::Sources => return self.open(),
            _ => {}
        }
        Step::Stay
    }

    /// Opens the source under the cursor.
    fn open(&mut self) -> Step {
        let selected = self.tables[Pane::Sources as usize].selected().unwrap_or_default();
        let sources = self.sources();
        let Some(source) = sources.get(selected.min(sources.len().saturating_sub(1))) else { return Step::Stay };
        let source = source.source.clone();
        self.evidence = Some(Evidence { source: source.clone(), rows: None, scroll: 0 });
        Step::Ask(Some(source))
    }
}
