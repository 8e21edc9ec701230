//! The values of a description that are more than numbers and words: spans of time, moments, networks, ranges.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::SignedDuration;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::random::mix;
use crate::day::{Day, Timestamp};

/// Nanoseconds in a second.
pub(super) const SECOND: u64 = 1_000_000_000;

/// Nanoseconds in a day.
pub(super) const DAY: u64 = 86_400 * SECOND;

/// The longest span that a description may name: ten years.
const LONGEST: u64 = 3_653 * DAY;

/// The seconds of a pcap file end in 2106.
const LAST_START: Day = Day::of(2096, 1, 1);

/// A span of time, in nanoseconds: `24h`, `183m 30s`, `90s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub(super) u64);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.parse::<SignedDuration>().ok().and_then(|span| u64::try_from(span.as_nanos()).ok());
        parsed.filter(|nanos| *nanos <= LONGEST).map(Self).ok_or_else(|| {
            format!(
                "`{}` is no span of time: write hours, minutes and seconds as in `24h`, `183m 30s` or `15s`",
                text.escape_debug()
            )
        })
    }
}

/// A moment: `2009-04-01` for its midnight, `2009-04-01T06:00:00Z`, always UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub(super) Timestamp);

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let midnight = text.parse::<Day>().ok().map(|day| u64::from(day.number().unsigned_abs()) * DAY);
        let moment = || u64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok();
        let nanos = midnight.or_else(moment).filter(|nanos| Timestamp::from_nanos(*nanos).day() < LAST_START);
        nanos.map(|nanos| Self(Timestamp::from_nanos(nanos))).ok_or_else(|| {
            format!("`{}` is no moment: write 2009-04-01 or 2009-04-01T06:00:00Z, before 2096", text.escape_debug())
        })
    }
}

/// Addresses: `10.0.0.0/8`, `2001:db8::/32`, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    length: u8,
}

impl Network {
    /// One address.
    pub(super) const fn single(address: IpAddr) -> Self {
        Self { first: address, length: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// How many subscribers have room in it: in IPv4 all but the first and last address, in IPv6 each has a /64 where the
    /// network is larger than that.
    pub(super) const fn room(self) -> u64 {
        let bits = match self.first {
            IpAddr::V4(_) if self.length < 31 => return (1 << (32 - self.length)) - 2,
            IpAddr::V4(_) => 32 - self.length,
            IpAddr::V6(_) if self.length < 64 => 64 - self.length,
            IpAddr::V6(_) => 128 - self.length,
        };
        if bits >= 63 { 1 << 63 } else { 1 << bits }
    }

    /// The address of a subscriber by number, from 0; in IPv6 with an interface identifier of its own.
    pub(super) fn address(self, number: u64) -> IpAddr {
        let number = number % self.room();
        match self.first {
            IpAddr::V4(first) => Ipv4Addr::from(u32::from(first) | (number as u32 + u32::from(self.length < 31))).into(),
            IpAddr::V6(first) if self.length < 64 => {
                // Not zero, which would be the routers' address.
                let interface = u128::from(mix(number) | 1);
                Ipv6Addr::from(u128::from(first) | u128::from(number) << 64 | interface).into()
            }
            IpAddr::V6(first) => Ipv6Addr::from(u128::from(first) | u128::from(number)).into(),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (address, length) =
                text.split_once('/').map_or((text.as_str(), None), |(address, length)| (address, Some(length)));
            let whole = Self::single(address.parse().ok()?);
            let length = length.map_or(Some(whole.length), |length| length.parse().ok())?;
            (length <= whole.length).then_some(Self { first: whole.first, length })
        };
        let network: Self = parse()
            .ok_or_else(|| format!("`{}` is no network: write 10.0.0.0/8, 2001:db8::/32 or one address", text.escape_debug()))?;
        let first = match network.first {
            IpAddr::V4(first) => u128::from(u32::from(first)) << 96,
            IpAddr::V6(first) => first.into(),
        };
        if first.checked_shl(u32::from(network.length)).is_some_and(|rest| rest != 0) {
            return Err(format!("`{}` has bits set behind its prefix", text.escape_debug()));
        }
        Ok(network)
    }
}

/// A least and a most; one number stands for both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range(pub(super) f64, pub(super) f64);

impl Range {
    /// Both ends.
    pub(super) const fn ends(self) -> (f64, f64) {
        (self.0, self.1)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ends;
        impl<'de> Visitor<'de> for Ends {
            type Value = Range;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or [least, most]")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Range, E> {
                self.visit_f64(number as f64)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Range, E> {
                range(number, number).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Range, A::Error> {
                match (numbers.next_element()?, numbers.next_element()?, numbers.next_element::<f64>()?) {
                    (Some(least), Some(most), None) => range(least, most).map_err(A::Error::custom),
                    _ => Err(A::Error::invalid_length(0, &self)),
                }
            }
        }
        deserializer.deserialize_any(Ends)
    }
}

fn range(least: f64, most: f64) -> Result<Range, String> {
    // Not a number compares with nothing.
    if least >= 0.0 && most >= least && most <= 1e9 {
        return Ok(Range(least, most));
    }
    Err(format!("[{least}, {most}] is no range: the first number is the least, neither is negative or beyond 10^9"))
}

/// Nanoseconds of seconds that are not negative.
pub(super) fn seconds(seconds: f64) -> u64 {
    (seconds * SECOND as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments() {
        let rows = [("24h", 86_400), ("183m 30s", 11_010), ("2h21m", 8_460), ("15s", 15), ("0s", 0)];
        for (text, expected) in rows {
            assert_eq!(Span::try_from(text.to_owned()), Ok(Span(expected * SECOND)), "{text}");
        }
        for text in ["", "24", "-1h", "1 fortnight", "99999999h", "\u{1b}"] {
            assert!(Span::try_from(text.to_owned()).is_err(), "{text}");
        }
        for (text, expected) in [("2009-04-01", 14_335 * 86_400), ("2009-04-01T06:00:00Z", 14_335 * 86_400 + 21_600)] {
            assert_eq!(Moment::try_from(text.to_owned()), Ok(Moment(Timestamp::from_parts(expected, 0))), "{text}");
        }
        for text in ["", "yesterday", "1969-12-31", "2009-02-30", "2096-01-01", "2009-04-01T06:00"] {
            assert!(Moment::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn networks() {
        let rows = [
            ("10.0.0.0/8", (1 << 24) - 2, 258, "10.0.1.3"),
            ("192.0.2.7", 1, 0, "192.0.2.7"),
            ("192.0.2.0/24", 254, 253, "192.0.2.254"),
            ("192.0.2.6/31", 2, 3, "192.0.2.7"),
            ("2001:db8::7", 1, 0, "2001:db8::7"),
            ("2001:db8::/112", 1 << 16, 258, "2001:db8::102"),
            ("::/0", 1 << 63, 0, "::e220:a839:7b1d:cdaf"),
            ("2001:db8::/32", 1 << 32, 1, "2001:db8:0:1:910a:2dec:8902:5cc1"),
        ];
        for (text, room, number, expected) in rows {
            let network = Network::try_from(text.to_owned()).unwrap();
            assert_eq!(network.room(), room, "{text}");
            assert_eq!(network.address(number).to_string(), expected, "{text}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0.1/8", "2001:db8::1/32", "::/129", "host/8", "10.0.0.0/"] {
            assert!(Network::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
