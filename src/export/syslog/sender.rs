//! Takes messages from the queue to the receiver, one after the other, whatever becomes of the receiver.

use std::time::Duration;

use super::{SyslogLink, SyslogQueue};

/// The pause after a failure, twice as long after each further one.
const SHORTEST: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// What a thread is to do: nothing of it is done before [`run`](Self::run).
#[derive(Debug)]
pub struct SyslogSender {
    queue: SyslogQueue,
    link: SyslogLink,
}

impl SyslogSender {
    /// One that takes from `queue` and sends through `link`.
    #[must_use]
    pub const fn new(queue: SyslogQueue, link: SyslogLink) -> Self {
        Self { queue, link }
    }

    /// Sends until the queue is closed and empty, or its time is over. `say` is told when the receiver goes, and when it is
    /// back.
    pub fn run(mut self, say: &dyn Fn(&str)) {
        let mut pause = SHORTEST;
        let mut away = false;
        while let Some(message) = self.queue.first() {
            match self.link.send(&message) {
                Ok(()) => {
                    self.queue.sent();
                    pause = SHORTEST;
                    // A datagram that was sent tells nothing of who is there.
                    if away && self.link.receiver().connects_to().is_some() {
                        away = false;
                        say(&format!("syslog {}: messages are taken again", self.link.receiver()));
                    }
                }
                Err(why) => {
                    if !away {
                        away = true;
                        say(&format!("syslog {}: {why}; it is tried again, and counted", self.link.receiver()));
                    }
                    self.queue.failed(pause);
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
        self.link.close();
    }
}
