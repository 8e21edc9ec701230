//! Takes records from the queue to the spool, and from there to the receiver, whatever becomes of the receiver.
//!
//! Two tasks of one thread, so that records are stored while others are on their way. What is sent is acknowledged before
//! more is: a batch that failed is sent again, whole or from its first record that was not acknowledged.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::StreamQueue;
use super::link::{Fate, Outgoing, StreamLink};
use super::queue::Content;
use super::spool::{LEAST, Record, Spool};

/// The pause after a failure, twice as long after each further one.
const SHORTEST: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// How often whoever has nothing to send looks whether there is still a connection.
const LOOK: Duration = Duration::from_secs(1);

/// How long a batch may take, whatever the client's own patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// Records of a batch, and their octets: far less than the megabyte that servers take at a time.
const BATCH: usize = 256;
const BATCH_OCTETS: usize = 256 << 10;

/// What a thread is to do: nothing of it is done before [`run`](Self::run).
#[derive(Debug)]
pub struct StreamSender {
    queue: StreamQueue,
    spool: Spool,
    link: StreamLink,
    /// What identifiers begin with.
    sensor: String,
}

impl StreamSender {
    /// One that takes from `queue`, keeps what was not sent in `directory`, `bound` octets of it, and sends through `link`.
    /// `sensor` is the name of the machine. Returns also what cannot be read of the spool, a sentence each.
    ///
    /// # Errors
    /// One sentence when the spool cannot be used.
    pub fn open(
        queue: StreamQueue,
        link: StreamLink,
        sensor: &str,
        directory: &Path,
        bound: u64,
    ) -> Result<(Self, Vec<String>), String> {
        let (spool, told) = Spool::open(&directory.join(link.label()), bound)?;
        let plain = |c: &char| c.is_ascii_alphanumeric() || "-._".contains(*c);
        let sensor = format!("{}-{:016x}", sensor.chars().filter(plain).collect::<String>(), spool.identity());
        let (found, spool_bytes) = (spool.waiting(), spool.octets());
        queue.count(|counts| (counts.found, counts.waiting, counts.spool_bytes) = (found, counts.waiting + found, spool_bytes));
        Ok((Self { queue, spool, link, sensor }, told))
    }

    /// The smallest bound of a spool, in octets.
    #[must_use]
    pub const fn least_bound() -> u64 {
        LEAST
    }

    /// Sends until the queue is closed and all is sent, or its time is over: what waits stays in the spool. `say` is told when
    /// the receiver goes, and when it is back.
    ///
    /// # Errors
    /// One sentence when the system does not let it wait for the network.
    pub fn run(self, say: fn(&str)) -> Result<(), String> {
        let Self { queue, spool, link, sensor } = self;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| format!("{}: nothing can be sent: {error}", link.label()))?;
        let (spool, stored) = (Rc::new(RefCell::new(spool)), Rc::new(Notify::new()));
        let courier = Courier { queue: queue.clone(), spool: Rc::clone(&spool), stored: Rc::clone(&stored), link, sensor, say };
        LocalSet::new().block_on(&runtime, async move {
            let sending = spawn_local(courier.work());
            store(&queue, &spool, &stored).await;
            let left = queue.end().map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
            let abort = sending.abort_handle();
            if timeout(left, sending).await.is_err() {
                abort.abort();
            }
        });
        Ok(())
    }
}

/// Takes records from the queue to the spool until none will come any more.
async fn store(queue: &StreamQueue, spool: &RefCell<Spool>, stored: &Notify) {
    while let Some(records) = queue.take().await {
        let mut spool = spool.borrow_mut();
        let gone_before = spool.dropped();
        let refused = records.iter().filter(|record| spool.append(record).is_err()).count() as u64;
        let lost = refused + spool.dropped() - gone_before;
        // A disk that does not sync has taken them all the same: they survive us, if not a loss of power.
        let _ = spool.sync();
        count(queue, &spool, 0, lost);
        drop(spool);
        stored.notify_one();
    }
    stored.notify_one();
}

/// Counts records that went one way or the other.
fn count(queue: &StreamQueue, spool: &Spool, sent: u64, dropped: u64) {
    queue.count(|counts| {
        counts.sent += sent;
        counts.dropped += dropped;
        counts.waiting -= sent + dropped;
        counts.spool_bytes = spool.octets();
    });
}

/// Takes records from the spool to the receiver.
struct Courier {
    queue: StreamQueue,
    spool: Rc<RefCell<Spool>>,
    stored: Rc<Notify>,
    link: StreamLink,
    sensor: String,
    say: fn(&str),
}

impl Courier {
    /// Until there is nothing left to send and nothing more will come.
    async fn work(mut self) {
        let (mut pause, mut away) = (SHORTEST, false);
        loop {
            let outcome = match timeout(PATIENCE, self.turn()).await {
                Ok(Ok(Turn::Over)) => return,
                Ok(Ok(Turn::Idle)) => {
                    let _ = timeout(LOOK, self.stored.notified()).await;
                    continue;
                }
                Ok(outcome) => outcome.map(drop),
                Err(_) => {
                    self.link.disconnect();
                    Err("it does not answer".to_owned())
                }
            };
            let is_connected = outcome.is_ok();
            self.queue.count(|counts| {
                counts.is_connected = is_connected;
                counts.failures += u64::from(!is_connected);
            });
            let name = format!("{} {}", self.link.label(), self.link.shown());
            match outcome {
                Ok(()) => {
                    pause = SHORTEST;
                    if away {
                        away = false;
                        (self.say)(&format!("{name}: records are taken again"));
                    }
                }
                Err(why) => {
                    if !away {
                        away = true;
                        (self.say)(&format!("{name}: {why}; records wait in the spool, it is tried again, and counted"));
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }

    /// Connects where there is no connection, else sends a batch.
    async fn turn(&mut self) -> Result<Turn, String> {
        if !self.link.is_up() {
            self.queue.count(|counts| counts.is_connected = false);
            self.link.connect().await?;
            return Ok(Turn::Connected);
        }
        let dropped = self.spool.borrow().dropped();
        let batch = self.spool.borrow_mut().first(BATCH, BATCH_OCTETS);
        if batch.is_empty() {
            let spool = self.spool.borrow();
            // Those that the disk did not give back.
            count(&self.queue, &spool, 0, spool.dropped() - dropped);
            let is_over = spool.waiting() == 0 && self.queue.end().is_some() && self.queue.counts().waiting == 0;
            return Ok(if is_over { Turn::Over } else { Turn::Idle });
        }
        let sensible: Vec<Outgoing<'_>> = batch.iter().map_while(|record| outgoing(&self.sensor, record)).collect();
        if sensible.is_empty() {
            // One that makes no sense would hold up all others.
            let mut spool = self.spool.borrow_mut();
            let gone = spool.acknowledge(batch[0].number + 1);
            count(&self.queue, &spool, 0, gone);
            return Ok(Turn::Sent);
        }
        let outcome = self.link.send(&sensible).await;
        if let Some(last) = outcome.fates.len().checked_sub(1) {
            let mut spool = self.spool.borrow_mut();
            // Fewer than were taken, where some went meanwhile for want of room: those are counted.
            let gone = spool.acknowledge(batch[last].number + 1);
            let refused = outcome.fates.iter().filter(|fate| **fate == Fate::Refused).count() as u64;
            let dropped = refused.min(gone);
            count(&self.queue, &spool, gone - dropped, dropped);
        }
        outcome.failure.map_or(Ok(Turn::Sent), Err)
    }
}

/// What a turn came to.
#[derive(Debug)]
enum Turn {
    Connected,
    Sent,
    /// There is nothing to send.
    Idle,
    /// Nor will there be.
    Over,
}

/// A record as it is sent.
fn outgoing<'r>(sensor: &str, record: &'r Record) -> Option<Outgoing<'r>> {
    let Content { key, json } = Content::read(&record.octets)?;
    let id = format!("{sensor}-{}", record.number);
    let members = json.strip_prefix('{')?;
    Some(Outgoing { json: format!("{{\"id\":\"{id}\",{members}"), id, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_sent() {
        let octets = b"a/2009-03-31/192.0.2.7\xFF{\"schema\":1}".to_vec();
        let record = Record { number: 7, octets };
        let sent = outgoing("sensor-00ff", &record).unwrap();
        assert_eq!((sent.key, &*sent.json), ("a/2009-03-31/192.0.2.7", r#"{"id":"sensor-00ff-7","schema":1}"#));
        assert!(outgoing("sensor", &Record { number: 7, octets: b"nothing".to_vec() }).is_none());
    }
}
