//! Days and packet times, always UTC: the only calendar arithmetic in the house.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::Date;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_DAY: u64 = 86_400 * NANOS_PER_SECOND;

/// A moment of a capture: nanoseconds since 1970-01-01T00:00:00Z, up to the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment there is.
    pub const MAX: Self = Self(u64::MAX);

    /// From nanoseconds since 1970.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From seconds since 1970 and nanoseconds beside them, which may exceed a second; saturates.
    pub const fn from_parts(seconds: u64, nanos: u64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos))
    }

    /// Nanoseconds since 1970.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970, and the nanoseconds of the second.
    pub const fn parts(self) -> (u64, u32) {
        // The remainder is below 10^9.
        (self.0 / NANOS_PER_SECOND, (self.0 % NANOS_PER_SECOND) as u32)
    }

    /// The UTC day it falls on.
    pub const fn day(self) -> Day {
        // At most 213,503 days.
        Day((self.0 / NANOS_PER_DAY) as i32)
    }
}

/// RFC 3339 with microseconds: `2009-03-31T10:00:00.000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = self.parts();
        let of_day = seconds % 86_400;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}.{:06}Z", self.day(), nanos / 1_000)
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a moment: write YYYY-MM-DDTHH:MM:SSZ, from 1970 to 2554");
        let moment: jiff::Timestamp = text.parse().map_err(|_| refuse())?;
        u64::try_from(moment.as_nanosecond()).map(Self).map_err(|_| refuse())
    }
}

/// A UTC calendar day: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The last day that [`Timestamp`] and the text form can both hold: 2553-12-31.
    pub const LAST: Self = Self(213_301);

    /// 1970-01-01.
    pub const EPOCH: Self = Self(0);

    /// The day of a date, which must exist.
    pub const fn of(year: i32, month: i32, day: i32) -> Self {
        // Years are counted from 1 March, so that the leap day comes last and months follow a fixed rhythm of 153 days in five.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let before_year = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let before_month = (153 * month + 2) / 5;
        // From 0000-03-01 to 1970-01-01.
        Self(before_year + before_month + day - 1 - 719_468)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day `days` later (earlier when negative).
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Its year, its month (from 1) and its day of the month (from 1).
    pub fn date(self) -> (u16, u8, u8) {
        let date = self.civil();
        (date.year().unsigned_abs(), date.month().unsigned_abs(), date.day().unsigned_abs())
    }

    fn civil(self) -> Date {
        jiff::civil::date(1970, 1, 1).saturating_add(self.0.days())
    }

    /// The days from this one to `last`, both included.
    pub fn through(self, last: Self) -> impl DoubleEndedIterator<Item = Self> + Clone {
        (self.0..=last.0).map(Self)
    }

    /// Its midnight as a Windows FILETIME: 100 ns steps since 1601-01-01, which lies 134,774 days before 1970.
    pub const fn filetime(self) -> u64 {
        (self.0 as i64 + 134_774).unsigned_abs() * 864_000_000_000
    }
}

/// `2009-03-31`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.civil();
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a day: write YYYY-MM-DD, between 1970-01-01 and {}", Self::LAST);
        let plain = text.len() == 10
            && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        let date: Date = plain.then(|| text.parse().ok()).flatten().ok_or_else(refuse)?;
        let day = Self::of(date.year().into(), date.month().into(), date.day().into());
        (Self::EPOCH..=Self::LAST).contains(&day).then_some(day).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        for (text, number) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("2009-03-31", 14_334), ("2026-11-23", 20_780)] {
            let day: Day = text.parse().unwrap();
            assert_eq!(day.number(), number, "{text}");
            assert_eq!(day.to_string(), text);
        }
        for number in 0..=Day::LAST.number() {
            let day = Day(number);
            assert_eq!(day.to_string().parse(), Ok(day));
            let (year, month, of_month) = day.date();
            assert_eq!(Day::of(year.into(), month.into(), of_month.into()), day);
        }
        assert_eq!(Day::LAST.to_string(), "2553-12-31");
    }

    #[test]
    fn filetime_of_the_specification() {
        assert_eq!(Day::of(2009, 4, 1).filetime(), 128_830_176_000_000_000);
    }

    #[test]
    fn only_real_days_parse() {
        for text in [
            "",
            "2009-3-31",
            "2009-02-30",
            "2009-13-01",
            "20090331",
            "+009-03-31",
            "1969-12-31",
            "2554-01-01",
            "2009-03-31T00:00",
        ] {
            let refused = text.parse::<Day>().unwrap_err();
            assert!(refused.contains("YYYY-MM-DD"), "{text}: {refused}");
        }
    }

    #[test]
    fn moments() {
        let moment = Timestamp::from_parts(1_238_493_600, 123_456_789);
        assert_eq!(moment.to_string(), "2009-03-31T10:00:00.123456Z");
        assert_eq!(moment.to_string().parse(), Ok(Timestamp::from_parts(1_238_493_600, 123_456_000)));
        for wrong in ["", "2009-03-31", "1969-12-31T23:59:59Z", "2555-01-01T00:00:00Z", "2009-03-31T10:00:00"] {
            assert!(wrong.parse::<Timestamp>().unwrap_err().contains("not a moment"), "{wrong}");
        }
        assert_eq!(moment.day(), Day::of(2009, 3, 31));
        assert_eq!(moment.parts(), (1_238_493_600, 123_456_789));
        assert_eq!(Timestamp::from_parts(u64::MAX, 1).as_nanos(), u64::MAX);
        assert_eq!(Timestamp::from_nanos(u64::MAX).to_string(), "2554-07-21T23:34:33.709551Z");
        assert_eq!(Timestamp::from_nanos(NANOS_PER_DAY - 1).day(), Day::EPOCH);
        assert_eq!(Timestamp::from_nanos(NANOS_PER_DAY).day(), Day::EPOCH.plus(1));
    }
}
