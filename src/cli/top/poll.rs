//! The thread that asks the sensor: however long an answer takes, keys and drawing never wait for it.

use std::io;
use std::process::exit;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use dgawatch::export::http::client::{Client, EvidenceRow, State};
use dgawatch::process::terminal_is_gone;

use crate::cli::Failure;

/// What came of asking.
pub(super) struct Update {
    /// The sensor's state, or why there is none.
    pub(super) state: Result<State, String>,
    /// The source whose evidence was asked for, and what came.
    pub(super) evidence: Option<(String, Result<Vec<EvidenceRow>, String>)>,
}

/// The thread, which ends when this is dropped, once it has its answer.
pub(super) struct Poller {
    questions: Sender<Option<String>>,
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

    /// Asks for the evidence on a source from now on, at once; or for none.
    pub(super) fn ask(&self, source: Option<String>) {
        // A thread that is gone is told of by `next`.
        let _ = self.questions.send(source);
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

fn poll(client: &Client, interval: Duration, asked: &Receiver<Option<String>>, give: &Sender<Update>) {
    let mut source: Option<String> = None;
    loop {
        // Where it goes while a key is being read, the thread that reads hangs; nobody is left to be told.
        if terminal_is_gone() {
            exit(0);
        }
        match asked.recv_timeout(interval) {
            Ok(question) => source = asked.try_iter().last().unwrap_or(question),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let evidence = source.clone().map(|source| (source.clone(), client.evidence(&source)));
        if give.send(Update { state: client.look(), evidence }).is_err() {
            return;
        }
    }
}
