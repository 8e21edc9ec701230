//! `dgawatch top`: the sensor's page in a terminal. One thread asks the sensor, this one draws and listens to keys.

mod app;
mod draw;
mod evidence;
mod poll;
#[cfg(test)]
#[path = "../../../tests/support/terminal.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "made for tests of the whole program, of which this uses a part"
)]
mod terminal;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use dgawatch::export::http::client::Client;
use dgawatch::process::{stop_on_signals, terminal_is_gone};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::terminal::is_raw_mode_enabled;

use self::app::App;
use self::poll::{Poller, Question};
use super::Failure;

/// How long to wait for a key before looking at everything else.
const TURN: Duration = Duration::from_millis(100);

/// How often to draw though nothing came: ages grow.
const REDRAW: Duration = Duration::from_secs(1);

/// Show in a terminal what a sensor knows: sources, families, rate, loss.
///
/// The page of `dgawatch live`, read over its HTTP API. `q` ends it, `?` tells the keys.
#[derive(Args)]
pub(super) struct Arguments {
    /// Where the sensor is
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:9353")]
    url: String,

    /// How to reach it with a password or over TLS: YAML with basic_auth and tls_config of Prometheus' HTTP client
    #[arg(long = "http.config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// Ask it again every so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    interval: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.url, arguments.config_file.as_deref()).map_err(Failure::Said)?;
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let why = format!("input and output are no terminal; scripts ask {}/api/v1/overview", client.url());
        return Err(Failure::Said(why));
    }
    let stop = stop_on_signals().map_err(|error| Failure::Said(format!("signals cannot be handled: {error}")))?;
    let url = client.url().to_owned();
    // What is wrong at the start is said where it stays to be read.
    let state = client.look().map_err(Failure::Said)?;
    let poller = Poller::start(client, Duration::from_secs(arguments.interval))
        .map_err(|error| Failure::Said(format!("no thread can be started: {error}")))?;
    let mut screen = Screen::enter().map_err(|error| Failure::Said(format!("the terminal cannot be used: {error}")))?;
    let outcome = show(&mut screen.0, App::new(url, state, Instant::now()), &poller, &stop);
    drop(screen);
    outcome
}

fn show(terminal: &mut DefaultTerminal, mut app: App, poller: &Poller, stop: &AtomicBool) -> Result<(), Failure> {
    let lost = |error: io::Error| Failure::Said(format!("the terminal is gone: {error}"));
    let mut drawn: Option<Instant> = None;
    let mut asked = Question::default();
    while !stop.load(Ordering::Relaxed) {
        let mut fresh = drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW);
        while let Some(update) = poller.next()? {
            app.take(update, Instant::now());
            fresh = true;
        }
        let question = app.question();
        if question != asked {
            poller.ask(question.clone());
            asked = question;
        }
        if fresh {
            terminal.draw(|frame| draw::draw(frame, &mut app, Instant::now())).map_err(lost)?;
            drawn = Some(Instant::now());
        }
        // The library would read from what is not there, again and again.
        if terminal_is_gone() {
            return Ok(());
        }
        if !event::poll(TURN).map_err(lost)? {
            continue;
        }
        match event::read().map_err(lost)? {
            Event::Key(key) if key.kind != KeyEventKind::Release && app.key(key).is_break() => return Ok(()),
            _ => {}
        }
        // A key or another size: at once.
        drawn = None;
    }
    Ok(())
}

/// The terminal in its other screen, for as long as this lives. Ratatui's own hook gives it back before a panic is told; who
/// did so once more would put the cursor on what is told.
struct Screen(DefaultTerminal);

impl Screen {
    fn enter() -> io::Result<Self> {
        ratatui::try_init().inspect_err(|_| ratatui::restore()).map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !terminal_is_gone() && is_raw_mode_enabled().unwrap_or(true) {
            ratatui::restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::terminal::Terminal;
    use super::*;

    /// Set in the process that runs inside the terminal.
    const INSIDE: &str = "DGAWATCH_INSIDE_TERMINAL";

    #[test]
    fn a_panic_gives_the_terminal_back() {
        if env::var_os(INSIDE).is_some() {
            let mut screen = Screen::enter().unwrap();
            screen.0.draw(|frame| frame.render_widget("drawing", frame.area())).unwrap();
            // Long enough to be looked at.
            std::thread::sleep(Duration::from_secs(1));
            let _ = screen.0.draw(|_| panic!("drawing has failed"));
            return;
        }
        let Some(terminal) = Terminal::open("panic", 80, 24) else { return };
        let this = env::current_exe().unwrap();
        let test = "cli::top::tests::a_panic_gives_the_terminal_back";
        terminal.start(&format!("env {INSIDE}=1 RUST_BACKTRACE=0 {} --exact {test} --nocapture", this.display()), "drawing");
        // 101 is what a test that panics ends with; what it panicked of stands where it can be read.
        let screen = terminal.given_back(101);
        assert!(screen.contains("drawing has failed"), "{screen}");
    }
}
