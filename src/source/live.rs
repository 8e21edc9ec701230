//! An interface that is listened to, by any number of workers: opened, its packets dealt out among them, opened again when
//! it went away.
//!
//! Each worker has a [`Tap`] of its own. The first that opens founds a group of the kernel's, the others join it, so that
//! each packet comes to one of them, both directions of a connection to the same one. Until a tap joins it gets what the
//! others get; such copies are left out and counted. Nothing is lost in between: the founder takes all until it has company.
//!
//! When an interface is deleted, every tap of it finds that out for itself, and they gather again in a new group once the
//! interface is back. That needs the right to open it, which may have been given up by then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Record;
use super::ring::{Group, HOLD, Refused, Ring};

/// The first pause between attempts to open an interface again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How to listen.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// Workers that share an interface's packets.
    pub workers: usize,
    /// Octets of the ring that the kernel fills for each worker.
    pub ring: usize,
    /// Octets kept of a packet.
    pub snap_length: usize,
    /// Whether to ask for packets to other machines too.
    pub promiscuous: bool,
    /// What the kernel is to leave out.
    pub filter: Filter,
    /// The longest pause between attempts to open an interface again that was deleted; nothing to end instead.
    pub reopen: Option<Duration>,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            workers: 1,
            // A tenth of a second of a saturated 10 Gbit/s link.
            ring: 128 << 20,
            // The longest packet there is: the kernel puts datagrams together before it cuts them.
            snap_length: 65_535,
            promiscuous: true,
            filter: Filter::None,
            reopen: None,
        }
    }
}

/// What the kernel is to pass: expressions as in pcap-filter(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Everything.
    None,
    /// What may hold DNS. An interface of a kind that libpcap cannot look into passes everything.
    Dns(String),
    /// What the operator says.
    Own(String),
}

/// Packets of a tap by where they ended, since it was first opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapCounts {
    /// Handed to the ring, those lost there included.
    pub received: u64,
    /// Lost because the ring was full.
    pub dropped_kernel: u64,
    /// Lost by the network card or its driver: of the whole interface, so only one tap of it counts them. The kernel tells
    /// them to promiscuous captures alone.
    pub dropped_nic: u64,
    /// Copies of packets that another tap has, from before this one was in the group.
    pub startup_discarded: u64,
    /// Times the interface was opened again.
    pub reopened: u64,
    /// Connections of servers that send dnstap.
    pub connections: u64,
    /// Those of them that were broken off here, or in the middle of a frame.
    pub connections_broken: u64,
}

/// What packets can be taken from without end.
pub trait Intake: Send {
    /// Hands over packets that wait, `most` at most, and returns how many there were.
    ///
    /// # Errors
    /// When none can come any more: one clause.
    fn take(&mut self, most: usize, each: impl FnMut(Record<'_>)) -> Result<usize, String>;

    /// Waits until packets may be there, but no longer than `most`.
    fn wait(&mut self, most: Duration);

    /// What was counted, after a look at the kernel's counters. These have 32 bits: look every few seconds.
    fn counts(&mut self) -> TapCounts;

    /// What an operator should know and was not told yet: one clause about the interface.
    fn notice(&mut self) -> Option<String>;

    /// Whether it takes in connections: a thread that does may do nothing of what it takes to capture packets.
    fn accepts(&self) -> bool {
        false
    }
}

/// One worker's share of an interface.
pub struct Tap {
    shared: Arc<Interface>,
    state: State,
    counts: TapCounts,
    /// Whether this is the tap that counts what the network card lost.
    first: bool,
    notice: Option<String>,
}

/// What the taps of an interface have in common.
struct Interface {
    name: String,
    config: LiveConfig,
    /// Changes when a tap finds that the interface is gone.
    generation: AtomicU64,
    /// The last group that was founded, and in which generation. Held while a ring is opened.
    group: Mutex<Option<(u64, Group)>>,
}

enum State {
    Open { ring: Ring, generation: u64 },
    Gone { next: Instant, pause: Duration },
}

impl Tap {
    /// How long the kernel may hold a packet back, to hand over many at once.
    pub const HOLD: Duration = HOLD;

    /// Listens on `interface` with a tap for each worker. Sends nothing.
    ///
    /// # Errors
    /// One clause that says what failed and what to do.
    pub fn open(interface: &str, config: &LiveConfig) -> Result<Vec<Self>, String> {
        let shared = Interface {
            name: interface.to_owned(),
            config: config.clone(),
            generation: AtomicU64::new(0),
            group: Mutex::new(None),
        };
        let shared = Arc::new(shared);
        let taps = (0..config.workers.max(1)).map(|place| {
            let mut counts = TapCounts::default();
            let state = shared.open(&mut counts).map_err(|refused| refused.why)?;
            Ok(Self { shared: Arc::clone(&shared), state, counts, first: place == 0, notice: None })
        });
        taps.collect()
    }

    /// Lets go of a ring that fails, and opens another when it is time to.
    #[cold]
    #[inline(never)]
    fn recover(&mut self, why: String) -> Result<(), String> {
        let reopen = self.shared.config.reopen;
        match &mut self.state {
            State::Open { generation, .. } => {
                let (known, relaxed) = (*generation, Ordering::Relaxed);
                self.counts();
                // The first to notice sends the others off too.
                let _ = self.shared.generation.compare_exchange(known, known + 1, relaxed, relaxed);
                if reopen.is_none() {
                    return Err(format!("cannot be listened to any more{why} (--reopen would wait for it to come back)"));
                }
                self.tell(&format!("is gone{why}; waiting for it to come back"));
                self.state = State::Gone { next: Instant::now() + FIRST_PAUSE, pause: FIRST_PAUSE };
            }
            State::Gone { next, .. } if Instant::now() < *next => {}
            State::Gone { pause, .. } => {
                let pause = (*pause * 2).min(reopen.unwrap_or(*pause)).max(FIRST_PAUSE);
                match self.shared.open(&mut self.counts) {
                    Ok(state) => {
                        self.state = state;
                        self.counts.reopened += 1;
                        self.tell("is back, and is listened to again");
                    }
                    Err(Refused { forbidden: true, .. }) => {
                        let hint = "keep CAP_NET_RAW, or let the service manager start the sensor anew";
                        return Err(format!("is gone, and may not be opened again: {hint}"));
                    }
                    Err(_) => self.state = State::Gone { next: Instant::now() + pause, pause },
                }
            }
        }
        Ok(())
    }

    /// One tap speaks for all of an interface.
    fn tell(&mut self, what: &str) {
        if self.first {
            self.notice = Some(what.to_owned());
        }
    }
}

impl Intake for Tap {
    #[inline]
    fn take(&mut self, most: usize, each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        let mut why = None;
        if let State::Open { ring, generation } = &mut self.state
            && *generation == self.shared.generation.load(Ordering::Relaxed)
        {
            match ring.take(most, each) {
                Ok((taken, others)) => {
                    self.counts.startup_discarded += others;
                    return Ok(taken);
                }
                Err(error) => why = Some(error),
            }
        }
        self.recover(why.map_or_else(String::new, |error| format!(": {error}")))?;
        Ok(0)
    }

    fn wait(&mut self, most: Duration) {
        match &self.state {
            State::Open { ring, .. } => ring.wait(most),
            State::Gone { next, .. } => thread::sleep(most.min(next.saturating_duration_since(Instant::now()))),
        }
    }

    fn counts(&mut self) -> TapCounts {
        let Self { state, counts, first, .. } = self;
        if let State::Open { ring, .. } = state {
            let nic = counts.dropped_nic;
            // A failure shows when packets are taken.
            let _ = ring.count(counts);
            if !*first {
                counts.dropped_nic = nic;
            }
        }
        *counts
    }

    fn notice(&mut self) -> Option<String> {
        self.notice.take()
    }
}

impl Interface {
    /// A ring that shares packets with those that the other taps have open.
    fn open(&self, counts: &mut TapCounts) -> Result<State, Refused> {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation.load(Ordering::Relaxed);
        let mut ring = Ring::open(&self.name, &self.config)?;
        if self.config.workers > 1 {
            match *group {
                Some((of, known)) if of == generation => ring.join(known, counts)?,
                _ => *group = Some((generation, ring.found()?)),
            }
        }
        Ok(State::Open { ring, generation })
    }
}
