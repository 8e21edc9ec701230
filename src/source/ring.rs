//! One capture handle: the ring that the kernel fills for one worker, and what the kernel counts about it.
//!
//! libpcap opens and reads it. Two things it does not offer are done on its descriptor: joining a group whose members
//! share an interface's packets, and waiting with a time-out of our own (libpcap's starts with the first packet, so a
//! quiet link would keep us from stopping).
//!
//! Sources: packet(7), `net/packet/af_packet.c` for the group's identifiers, libpcap's `pcap-linux.c` for its counters.

use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, setsockopt, socket};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
use pcap::{Active, Capture, Precision};

use super::live::{Filter, LiveConfig, TapCounts};
use super::{LinkType, Record};
use crate::day::Timestamp;

/// How long the kernel may hold a packet back, to hand over many at once.
pub(super) const HOLD: Duration = Duration::from_millis(100);

sockopt_impl!(
    /// The group that a capture is a member of: its identifier, then how packets are dealt out.
    Fanout,
    Both,
    libc::SOL_PACKET,
    libc::PACKET_FANOUT,
    u32
);

/// By a hash of addresses and ports that is the same in both directions, IPv4 datagrams put together before.
const DEAL: u32 = (libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG) << 16;

/// Lets the kernel choose an identifier that no group has (Linux 4.12).
const UNUSED: u32 = libc::PACKET_FANOUT_FLAG_UNIQUEID << 16;

/// A group, by the kernel's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group(u16);

/// Why an interface cannot be opened.
pub(super) struct Refused {
    /// One clause.
    pub(super) why: String,
    /// Whether that is so for want of a right.
    pub(super) forbidden: bool,
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self { why, forbidden: false }
    }
}

/// An open capture.
pub(super) struct Ring {
    capture: Capture<Active>,
    link: LinkType,
    /// When the group was joined, and how many packets may still be from before.
    joined: Option<(Timestamp, u64)>,
    /// libpcap's counters at the last look: 32 bits that wrap.
    seen: [u32; 3],
}

impl Ring {
    /// Listens on `interface`. Sends nothing.
    pub(super) fn open(interface: &str, config: &LiveConfig) -> Result<Self, Refused> {
        let open = || {
            let capture = Capture::from_device(interface)?
                .promisc(config.promiscuous)
                .snaplen(i32::try_from(config.snap_length).unwrap_or(i32::MAX))
                .buffer_size(i32::try_from(config.ring).unwrap_or(i32::MAX))
                // Blocks of many packets, not one by one.
                .immediate_mode(false)
                .timeout(HOLD.as_millis() as i32);
            capture.precision(Precision::Nano).open()?.setnonblock()
        };
        let mut capture = open().map_err(|error| {
            let hint = "it needs an interface that is up, and root or CAP_NET_RAW";
            let forbidden =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).is_err_and(|why| why == Errno::EPERM);
            Refused { why: format!("cannot be listened to: {error} ({hint})"), forbidden }
        })?;
        match &config.filter {
            Filter::None => {}
            Filter::Own(text) => {
                capture.filter(text, true).map_err(|error| format!("does not take the filter `{text}`: {error}"))?
            }
            // libpcap cannot look into every link type: then all packets are ours to look at.
            Filter::Dns(text) => drop(capture.filter(text, true)),
        }
        // Never negative for an interface.
        let link = LinkType(capture.get_datalink().0.unsigned_abs());
        Ok(Self { capture, link, joined: None, seen: [0; 3] })
    }

    /// Starts a group that other rings of the interface may join.
    pub(super) fn found(&mut self) -> Result<Group, String> {
        let started = setsockopt(&self.capture, Fanout, &(DEAL | UNUSED)).and_then(|()| getsockopt(&self.capture, Fanout));
        let group = started.map_err(|error| not_shared(&error))?;
        Ok(Group(group as u16))
    }

    /// Becomes a member of a group. What this ring got until then, another member got too.
    pub(super) fn join(&mut self, group: Group, counts: &mut TapCounts) -> Result<(), String> {
        setsockopt(&self.capture, Fanout, &(DEAL | u32::from(group.0))).map_err(|error| not_shared(&error))?;
        let joined = now();
        let before = *counts;
        self.count(counts).map_err(|error| format!("cannot be listened to: {error}"))?;
        let waiting = (counts.received - before.received).saturating_sub(counts.dropped_kernel - before.dropped_kernel);
        self.joined = Some((joined, waiting));
        Ok(())
    }

    /// Hands over packets that wait, `most` at most, and returns how many there were, and how many were another's.
    pub(super) fn take(&mut self, most: usize, each: impl FnMut(Record<'_>)) -> Result<(usize, u64), pcap::Error> {
        match self.joined {
            None => Ok((self.hand_over(most, each)?, 0)),
            Some((joined, waiting)) => self.take_first(joined, waiting, most, each),
        }
    }

    /// The same for the first packets of a member. Time alone would not do: a clock that is set back must not blind us.
    #[cold]
    fn take_first(
        &mut self,
        joined: Timestamp,
        mut waiting: u64,
        most: usize,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(usize, u64), pcap::Error> {
        let mut others = 0;
        let taken = self.hand_over(most, |record| {
            if waiting == 0 || record.time > joined {
                each(record);
            } else {
                others += 1;
            }
            waiting = waiting.saturating_sub(1);
        })?;
        self.joined = (waiting > 0).then_some((joined, waiting));
        Ok((taken, others))
    }

    #[inline(always)]
    fn hand_over(&mut self, most: usize, mut each: impl FnMut(Record<'_>)) -> Result<usize, pcap::Error> {
        let link = self.link;
        self.capture.dispatch(Some(most), |packet| {
            let time = &packet.header.ts;
            // With nanosecond precision the field for microseconds holds nanoseconds. Neither is ever negative.
            let time = Timestamp::from_parts(time.tv_sec.unsigned_abs(), time.tv_usec.unsigned_abs());
            each(Record { time, link, data: packet.data });
        })
    }

    /// Waits until packets may be there, or the interface is gone, but no longer than `most`.
    pub(super) fn wait(&self, most: Duration) {
        let mut descriptors = [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)];
        let most = PollTimeout::try_from(most).unwrap_or(PollTimeout::ZERO);
        // A signal ends it early; any other failure shows when packets are taken.
        let _ = poll(&mut descriptors, most);
    }

    /// Adds what the kernel counted since the last look.
    pub(super) fn count(&mut self, counts: &mut TapCounts) -> Result<(), pcap::Error> {
        let stat = self.capture.stats()?;
        let now = [stat.received, stat.dropped, stat.if_dropped];
        let [received, dropped_kernel, dropped_nic] = risen(self.seen, now);
        self.seen = now;
        counts.received += received;
        counts.dropped_kernel += dropped_kernel;
        counts.dropped_nic += dropped_nic;
        Ok(())
    }
}

/// How far counters of 32 bits went up, wrapping.
fn risen(before: [u32; 3], now: [u32; 3]) -> [u64; 3] {
    std::array::from_fn(|place| match now[place].wrapping_sub(before[place]) {
        // Down: the driver's counters begin anew when it does, and are not there once the interface is gone.
        fell if fell > u32::MAX / 2 => 0,
        rose => rose.into(),
    })
}

fn not_shared(error: &nix::Error) -> String {
    format!("cannot be shared by several workers: {error} (it needs Linux 4.12 or newer; else use --workers 1)")
}

/// The clock that the kernel stamps packets with.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(since.as_secs(), since.subsec_nanos().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_wrap() {
        let rows = [
            ([0, 0, 0], [5, 0, 1], [5, 0, 1]),
            ([u32::MAX - 1, 7, u32::MAX], [3, 7, 0], [5, 0, 1]),
            // Two thousand million a look is more than any interface brings.
            ([0, 0, 900], [i32::MAX as u32, 0, 0], [i32::MAX as u64, 0, 0]),
        ];
        for (before, now, expected) in rows {
            assert_eq!(risen(before, now), expected, "{before:?} {now:?}");
        }
    }
}
