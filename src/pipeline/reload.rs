//! Reads again, while the sensor goes on, what it is to look for. Nothing changes unless all of it is right.
//!
//! ```text
//!  SIGHUP, POST /-/reload --> desk --> loader: reads, checks, builds lists --> next plan --> clerk
//! ```
//!
//! The loader is a thread of its own: files may be long and disks slow, and neither packets nor findings wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Settings;
use super::almanac::Clock;
use super::plan::Plan;
use super::sensor::Say;
use crate::dga::Catalog;

/// Requests that can wait: what the second finds is what the first read.
const REQUESTS: usize = 2;

/// How long somebody waits to hear what came of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads families, lists and patterns again, as they are asked for now, and says what else has changed: a sentence each.
/// Fails with a sentence.
pub type Load = dyn Fn() -> Result<(Catalog, Settings, Vec<String>), String> + Send;

/// What came of a request, as one sentence either way.
type Outcome = Result<String, String>;

struct Request {
    force: bool,
    answer: Sender<Outcome>,
}

/// Where reloads are asked for, and plans lie until the clerk takes them.
pub(super) struct Desk {
    give: Sender<Request>,
    tray: Arc<Tray>,
}

#[derive(Default)]
struct Tray {
    next: Mutex<Option<Arc<Plan>>>,
    asked: AtomicU64,
    done: AtomicU64,
    refused: AtomicU64,
}

/// The other side of a [`Desk`].
pub(super) struct Loader {
    take: Receiver<Request>,
    tray: Arc<Tray>,
}

impl Desk {
    pub(super) fn new() -> (Self, Loader) {
        let (give, take) = bounded(REQUESTS);
        let tray = Arc::<Tray>::default();
        (Self { give, tray: Arc::clone(&tray) }, Loader { take, tray })
    }

    /// Has all read again. `force` takes lists that shrank. The outcome comes to whoever waits, and to the operator.
    pub(super) fn ask(&self, force: bool) -> Option<Receiver<Outcome>> {
        let (answer, outcome) = bounded(1);
        self.tray.asked.fetch_add(1, Ordering::Relaxed);
        let asked = self.give.try_send(Request { force, answer });
        if asked.is_err() {
            self.tray.asked.fetch_sub(1, Ordering::Relaxed);
        }
        asked.ok().map(|()| outcome)
    }

    /// Asks and waits.
    pub(super) fn ask_and_wait(&self, force: bool) -> Outcome {
        let outcome = self.ask(force).ok_or("others have asked for it, and wait")?;
        outcome.recv_timeout(PATIENCE).unwrap_or_else(|_| Ok("it takes long: the log will say what came of it".to_owned()))
    }

    /// The plan to follow from now on, if there is a new one.
    pub(super) fn next(&self) -> Option<Arc<Plan>> {
        self.tray.next().take()
    }

    /// How many took effect and how many were refused.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.tray.done.load(Ordering::Relaxed), self.tray.refused.load(Ordering::Relaxed))
    }

    /// Whether somebody asked, and it is not decided what comes of it.
    pub(super) fn is_busy(&self) -> bool {
        let (done, refused) = self.counts();
        self.tray.asked.load(Ordering::Relaxed) > done + refused
    }
}

impl Tray {
    fn next(&self) -> std::sync::MutexGuard<'_, Option<Arc<Plan>>> {
        // A plan is put in or taken out: nothing is left half done.
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loader {
    /// Serves requests until nobody is left to ask. `plan` is what is followed now.
    pub(super) fn serve(&self, mut plan: Arc<Plan>, load: &Load, clock: &Clock, say: &Say) {
        for Request { force, answer } in &self.take {
            let outcome = match read_again(&plan, load, clock, force) {
                Ok((next, remarks)) => {
                    plan = Arc::new(next);
                    *self.tray.next() = Some(Arc::clone(&plan));
                    self.tray.done.fetch_add(1, Ordering::Relaxed);
                    remarks.iter().for_each(|remark| say(remark));
                    Ok(format!("looks for {} from now on", plan.describe(clock().day())))
                }
                Err(why) => {
                    self.tray.refused.fetch_add(1, Ordering::Relaxed);
                    Err(why)
                }
            };
            match &outcome {
                Ok(what) => say(&format!("reload: {what}")),
                Err(why) => say(&format!("reload refused, all stays as it was: {why}")),
            }
            // Whoever asked may have gone.
            let _ = answer.send(outcome);
        }
    }
}

fn read_again(plan: &Plan, load: &Load, clock: &Clock, force: bool) -> Result<(Plan, Vec<String>), String> {
    let (catalog, settings, remarks) = load()?;
    let next = Plan::new(catalog, settings, clock());
    match plan.shrinks_to(&next, clock().day()) {
        Some(why) if !force => Err(format!("{why}: to have it so, POST /-/reload?force=true")),
        _ => Ok((next, remarks)),
    }
}
