//! The connections that are open: how many, what each waits for, and which must go.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use super::Timeouts;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client, to send the rest of a header.
    Header,
    /// The client, to ask again.
    Idle,
    /// Us.
    Answering,
    /// The client, to take the answer.
    Writing,
    /// Us, to have something new.
    Streaming,
}

/// The state of one connection.
pub(super) struct Slot(Mutex<State>);

struct State {
    phase: Phase,
    since: Instant,
    /// Held until the answer is on its way.
    permit: Option<OwnedSemaphorePermit>,
    /// Held as long as the answer is a stream.
    place: Option<OwnedSemaphorePermit>,
}

impl Slot {
    fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Header, since: Instant::now(), permit: None, place: None }))
    }

    /// A request is there.
    pub(super) fn answering(&self) {
        self.enter(Phase::Answering);
    }

    /// Its answer is ready.
    pub(super) fn writing(&self) {
        self.enter(Phase::Writing);
    }

    /// Keeps the permit until the answer has been taken or the connection ends.
    pub(super) fn hold(&self, permit: OwnedSemaphorePermit) {
        lock(&self.0).permit = Some(permit);
    }

    /// The answer is a stream: once it has taken what there is, the client does not keep us waiting.
    pub(super) fn stream(&self, place: OwnedSemaphorePermit) {
        lock(&self.0).place = Some(place);
    }

    /// The stream has ended, or nobody is there to take it.
    pub(super) fn streamed(&self) {
        lock(&self.0).place = None;
    }

    fn enter(&self, phase: Phase) {
        let mut state = lock(&self.0);
        (state.phase, state.since) = (phase, Instant::now());
    }

    fn heard(&self) {
        if lock(&self.0).phase == Phase::Idle {
            self.enter(Phase::Header);
        }
    }

    fn flushed(&self) {
        let mut state = lock(&self.0);
        if state.phase == Phase::Writing || state.phase == Phase::Streaming && state.place.is_none() {
            state.phase = if state.place.is_some() { Phase::Streaming } else { Phase::Idle };
            (state.since, state.permit) = (Instant::now(), None);
        }
    }
}

/// All connections.
pub(super) struct Connections {
    max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    tasks: HashMap<u64, (Arc<Slot>, AbortHandle)>,
}

impl Connections {
    /// None yet, and so many at most.
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), open: Mutex::default() }
    }

    /// Makes room for one more: where there is none, the one that has waited longest for its client goes. Whether there
    /// is room now.
    pub(super) fn make_room(&self) -> bool {
        let mut open = lock(&self.open);
        if open.tasks.len() < self.max {
            return true;
        }
        let waiting = open.tasks.iter().filter_map(|(number, (slot, _))| {
            let state = lock(&slot.0);
            matches!(state.phase, Phase::Header | Phase::Idle).then_some((state.since, *number))
        });
        let longest = waiting.min();
        let gone = longest.and_then(|(_, number)| open.tasks.remove(&number));
        // Its farewell takes the same lock.
        drop(open);
        gone.inspect(|(_, task)| task.abort()).is_some()
    }

    /// Serves one more.
    pub(super) fn add<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, serve: impl FnOnce(Arc<Slot>) -> F) {
        let slot = Arc::new(Slot::new());
        let mut open = lock(&self.open);
        let number = open.next;
        open.next += 1;
        let farewell = Farewell { connections: Arc::clone(self), number };
        let serving = serve(Arc::clone(&slot));
        let task = tokio::spawn(async move {
            let _farewell = farewell;
            serving.await;
        });
        open.tasks.insert(number, (slot, task.abort_handle()));
    }

    /// Cuts those whose clients are too slow.
    pub(super) fn sweep(&self, timeouts: &Timeouts) {
        let now = Instant::now();
        let too_slow = |(slot, _): &&(Arc<Slot>, AbortHandle)| {
            let state = lock(&slot.0);
            let patience = match state.phase {
                Phase::Header => timeouts.header,
                Phase::Idle => timeouts.idle,
                Phase::Writing => timeouts.write,
                Phase::Answering | Phase::Streaming => return false,
            };
            now.saturating_duration_since(state.since) > patience
        };
        let gone: Vec<AbortHandle> = lock(&self.open).tasks.values().filter(too_slow).map(|(_, task)| task.clone()).collect();
        gone.iter().for_each(AbortHandle::abort);
    }

    /// Whether an answer is in the making or on its way.
    pub(super) fn busy(&self) -> bool {
        let open = lock(&self.open);
        open.tasks.values().any(|(slot, _)| matches!(lock(&slot.0).phase, Phase::Answering | Phase::Writing))
    }
}

/// Takes a connection off the list, however it ends.
struct Farewell {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let gone = lock(&self.connections.open).tasks.remove(&self.number);
        // Whatever feeds a stream has not seen yet that it ended.
        gone.inspect(|(slot, _)| slot.streamed());
    }
}

/// A stream that notes what its connection waits for.
pub(super) struct Watched<S> {
    stream: S,
    slot: Arc<Slot>,
}

impl<S> Watched<S> {
    pub(super) const fn new(stream: S, slot: Arc<Slot>) -> Self {
        Self { stream, slot }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.slot.heard();
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.slot.flushed();
        Poll::Ready(outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What a panic elsewhere left is consistent: all changes here are of one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
