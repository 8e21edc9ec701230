//! A thread for what would hold up the server: bcrypt, reloads, searches in the table of sources.
//!
//! It exists from the start, so that no thread has to be made once the process has given up the right to; its queue is
//! bounded, so that strangers with wrong passwords cannot fill memory.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use tokio::sync::oneshot;

/// Work that may wait.
const QUEUE: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

/// Hands work to the thread, which ends when this is dropped.
pub(super) struct Aside(SyncSender<Work>);

impl Aside {
    /// Starts the thread.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let (give, take) = sync_channel::<Work>(QUEUE);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            for work in take {
                // Whoever waits for it sees that no answer comes.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        })?;
        Ok(Self(give))
    }

    /// Does it there. Nothing when the queue is full, or the work failed badly.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (give, take) = oneshot::channel();
        let work = Box::new(move || {
            // Nobody waits any more where the connection is gone.
            let _ = give.send(work());
        });
        self.0.try_send(work).ok()?;
        take.await.ok()
    }
}
