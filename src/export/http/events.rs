//! `/page/events`: the page as it changes, by server-sent events (the HTML standard, §9.2).
//!
//! ```text
//!  Board -> broadcaster: makes the page every two seconds at most, while somebody listens
//!             `-> watch (the latest, and no other) -> stream -> stream -> ... (32 at most)
//! ```
//!
//! Invariants
//! * The page is made once for all who listen, on the server's thread, and never when nobody does.
//! * Whoever is slow misses what came meanwhile and gets the latest: nothing queues up. Whoever takes nothing for as long
//!   as an answer may take is cut, like any client.
//! * A stream ends after [`LIFE`]; the browser then comes again, and shows its password anew.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Channel;
use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::connection::Slot;
use super::page::Frame;
use super::reply::Reply;
use super::server::Site;
use crate::export::Snapshot;

/// Where it is.
pub(super) const PATH: &str = "/page/events";

/// Streams at a time; whoever comes later asks for the page again and again.
const STREAMS: usize = 32;

/// How often to look whether there is anything new.
const TURN: Duration = Duration::from_secs(2);

/// How often to say that we are there, where there is nothing new.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a stream lives.
const LIFE: Duration = Duration::from_secs(600);

/// A heartbeat: a line that means nothing.
const BEAT: &[u8] = b":\n\n";

/// Who listens, and what they are told.
pub(super) struct Events {
    latest: watch::Sender<Bytes>,
    places: Arc<Semaphore>,
}

impl Events {
    /// Nobody listens yet; half of so many connections may.
    pub(super) fn new(max_connections: usize) -> Self {
        let places = STREAMS.min(max_connections / 2);
        Self { latest: watch::Sender::new(Bytes::new()), places: Arc::new(Semaphore::new(places)) }
    }

    /// Tells those who listen what is new, for ever.
    pub(super) async fn broadcast(site: Arc<Site>) {
        let mut told: Option<(Arc<Snapshot>, Result<(), String>)> = None;
        loop {
            sleep(TURN).await;
            let latest = &site.events.latest;
            if latest.receiver_count() == 0 {
                // Whoever comes gets what is true then, not what was.
                if told.take().is_some() {
                    latest.send_replace(Bytes::new());
                }
                continue;
            }
            let now = (site.board.snapshot(), site.board.is_ready());
            if told.as_ref().is_some_and(|(snapshot, ready)| Arc::ptr_eq(snapshot, &now.0) && *ready == now.1) {
                continue;
            }
            let frame = Frame { snapshot: &now.0, ready: now.1.clone(), telemetry_path: &site.config.telemetry_path };
            latest.send_replace(event(&frame.live()));
            told = Some(now);
        }
    }

    /// Lets somebody listen, where there is a place.
    pub(super) fn listen(&self, slot: &Arc<Slot>) -> Option<Channel<Bytes>> {
        slot.stream(Arc::clone(&self.places).try_acquire_owned().ok()?);
        let (mut give, body) = Channel::new(1);
        let (mut latest, slot) = (self.latest.subscribe(), Arc::clone(slot));
        // What others were told last is news here.
        latest.mark_changed();
        tokio::spawn(async move {
            let end = Instant::now() + LIFE;
            // The headers alone do not tell that the stream is open.
            let mut next = Bytes::from_static(BEAT);
            while give.send_data(next).await.is_ok() && Instant::now() < end {
                next = match timeout(HEARTBEAT, latest.changed()).await {
                    Ok(_) => latest.borrow_and_update().clone(),
                    Err(_) => Bytes::new(),
                };
                if next.is_empty() {
                    next = Bytes::from_static(BEAT);
                }
                slot.writing();
            }
            slot.streamed();
        });
        Some(body)
    }

    /// The answer in front of a stream.
    pub(super) fn reply() -> Reply {
        Reply::new(StatusCode::OK, "text/event-stream", vec![])
    }
}

/// A text as an event: each of its lines is a line of data, whatever ends lines in it.
fn event(text: &str) -> Bytes {
    let mut event = String::with_capacity(text.len() + 64);
    for line in text.replace("\r\n", "\n").split(['\r', '\n']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Bytes::from(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_gets_out_of_its_event() {
        assert_eq!(event("a\nb\r\nc\rd\n\nevent: x"), "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: event: x\n\n");
        assert_eq!(event(""), "data: \n\n");
    }
}
