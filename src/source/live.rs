//! Packets from a network interface, through libpcap.
//!
//! The capture never blocks: libpcap's own time-out starts only with the first packet on most systems, so a quiet
//! link would keep us from stopping. Whoever calls waits between empty batches instead.

use std::time::Duration;

use pcap::{Active, Capture, Precision};

use super::{LinkType, Record};
use crate::day::Timestamp;

/// Octets of the ring that the kernel fills: a tenth of a second of a saturated 10 Gbit/s link.
const RING: i32 = 128 << 20;

/// Octets kept of a packet: the longest there is.
const SNAP_LENGTH: i32 = 65_535;

/// An interface being listened to.
pub struct Live {
    capture: Capture<Active>,
    link: LinkType,
}

/// Packets by where they ended, since the capture was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Handed to the ring, those lost there included.
    pub received: u32,
    /// Lost because the ring was full.
    pub dropped: u32,
    /// Lost by the network card or its driver.
    pub dropped_by_interface: u32,
}

impl Live {
    /// How long the kernel may hold a packet back, to hand over many at once.
    pub const HOLD: Duration = Duration::from_millis(100);

    /// Listens on `interface`, to packets for other machines too. Sends nothing.
    ///
    /// # Errors
    /// One clause that says what failed and what to do.
    pub fn open(interface: &str) -> Result<Self, String> {
        let open = || {
            let capture = Capture::from_device(interface)?
                .promisc(true)
                .snaplen(SNAP_LENGTH)
                .buffer_size(RING)
                .timeout(Self::HOLD.as_millis() as i32);
            capture.precision(Precision::Nano).open()?.setnonblock()
        };
        let capture = open().map_err(|error| {
            let hint = "it needs an interface that is up, and root or CAP_NET_RAW";
            format!("cannot be listened to: {error} ({hint})")
        })?;
        // Never negative for an interface.
        let link = LinkType(capture.get_datalink().0.unsigned_abs());
        Ok(Self { capture, link })
    }

    /// Hands over the packets that wait, and returns how many there were.
    ///
    /// # Errors
    /// When the interface is gone.
    pub fn take(&mut self, mut each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        let link = self.link;
        let taken = self.capture.dispatch(None, |packet| {
            let time = &packet.header.ts;
            // With nanosecond precision the field for microseconds holds nanoseconds. Neither is ever negative.
            let time = Timestamp::from_parts(time.tv_sec.unsigned_abs(), time.tv_usec.unsigned_abs());
            each(Record { time, link, data: packet.data });
        });
        taken.map_err(|error| format!("cannot be listened to any more: {error}"))
    }

    /// What the kernel counted.
    ///
    /// # Errors
    /// When the interface is gone.
    pub fn counts(&mut self) -> Result<LiveCounts, String> {
        let counts = self.capture.stats().map_err(|error| format!("its losses are not known: {error}"))?;
        Ok(LiveCounts { received: counts.received, dropped: counts.dropped, dropped_by_interface: counts.if_dropped })
    }
}
