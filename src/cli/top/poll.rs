//! The thread that asks the sensor: however long an answer takes, keys and drawing never wait for it.

use std::io;
use std::process::exit;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use dgawatch::export::http::client::{Client, EvidenceRow, Page, State};
use dgawatch::process::terminal_is_gone;

use crate::cli::Failure;

/// What to ask for besides the sensor's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// The source whose evidence is looked at.
    pub(super) source: Option<String>,
    /// The page of all evidence that is looked at: how many rows are before it.
    pub(super) offset: Option<u64>,
}

/// What came of asking.
pub(super) struct Update {
    /// The sensor's state, or why there is none.
    pub(super) state: Result<State, String>,
    /// The source whose evidence was asked for, and what came.
    pub(super) evidence: Option<(String, Result<Vec<EvidenceRow>, String>)>,
    /// The page that was asked for, and what came.
    pub(super) page: Option<(u64, Result<Page, String>)>,
}

/// The thread, which ends when this is dropped, once it has its answer.
pub(super) struct Poller {
    questions: Sender<Question>,
    updates: Receiver<Update>,
}

impl Poller {
    /// Asks every `interval` from now on.
    pub(super) fn start(client: Client, interval: Duration) -> io::Result<Self> {
        let (questions, asked) = channel();
        let (give, updates) = channel();
        thread::Builder::new().name("poll".to_owned()).spawn(move || poll(&client, interval, &asked, &give))?;
        Ok(Self { questions, updates })
    }

    /// Asks for this from now on, at once.
    pub(super) fn ask(&self, question: Question) {
        // A thread that is gone is told of by `next`.
        let _ = self.questions.send(question);
    }

    /// What has come, if anything has.
    pub(super) fn next(&self) -> Result<Option<Update>, Failure> {
        match self.updates.try_recv() {
            Ok(update) => Ok(Some(update)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Failure::Said("the thread that asks the sensor has failed".to_owned())),
        }
    }
}

fn poll(client: &Client, interval: Duration, asked: &Receiver<Question>, give: &Sender<Update>) {
    let mut question = Question::default();
    loop {
        // Where it goes while a key is being read, the thread that reads hangs; nobody is left to be told.
        if terminal_is_gone() {
            exit(0);
        }
        match asked.recv_timeout(interval) {
            Ok(first) => question = asked.try_iter().last().unwrap_or(first),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let evidence = question.source.as_ref().map(|source| (source.clone(), client.evidence(source)));
        let page = question.offset.map(|offset| (offset, client.page(offset)));
        if give.send(Update { state: client.look(), evidence, page }).is_err() {
            return;
        }
    }
}
