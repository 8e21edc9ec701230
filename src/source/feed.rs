//! What a worker of the sensor takes from: an interface or a socket for dnstap.

use std::time::Duration;

use super::{DnstapListener, Intake, Record, Tap, TapCounts};

/// Either.
pub enum Feed {
    /// A share of an interface.
    Tap(Tap),
    /// Servers that send dnstap.
    Dnstap(Box<DnstapListener>),
}

impl Intake for Feed {
    #[inline]
    fn take(&mut self, most: usize, each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        match self {
            Self::Tap(tap) => tap.take(most, each),
            Self::Dnstap(listener) => listener.take(most, each),
        }
    }

    fn wait(&mut self, most: Duration) {
        match self {
            Self::Tap(tap) => tap.wait(most),
            Self::Dnstap(listener) => listener.wait(most),
        }
    }

    fn counts(&mut self) -> TapCounts {
        match self {
            Self::Tap(tap) => tap.counts(),
            Self::Dnstap(listener) => listener.counts(),
        }
    }

    fn notice(&mut self) -> Option<String> {
        match self {
            Self::Tap(tap) => tap.notice(),
            Self::Dnstap(listener) => listener.notice(),
        }
    }

    fn accepts(&self) -> bool {
        matches!(self, Self::Dnstap(_))
    }
}
