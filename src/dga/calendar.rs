//! When a list is asked for: how long it stays the same, and how far from its own days hosts ask for it.
//!
//! A list is known by its list day, the first of the days on which it is the same. Most families have a list a day
//! and ask for that of today:
//!
//! ```text
//!                 list days       a host asks on day D for    with a clock up to S days wrong
//! Conficker       every day       D                           D-S to D+S
//! Necurs          1, 4, 8, 12 ..  the one that D falls into   those that D-S to D+S fall into
//! Pushdo          every day       D-33 to D+15                D-33-S to D+15+S
//! ```

use crate::day::Day;

/// How long a list stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// So many days: those whose day of the month has the same quotient by it. The first and the last of a month are shorter.
    Days(u8),
    /// A third of a month: from the 1st, from the 11th, from the 21st.
    ThirdOfMonth,
}

/// When a family's lists are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    period: Period,
    /// Days before and after a host's own whose lists it asks for as well.
    reach: (i32, i32),
    /// Whether hosts choose the list by their own clock, so that a wrong one makes them ask for another day's.
    host_clock: bool,
}

impl Calendar {
    /// A list a day, asked for on that day by hosts' clocks.
    pub const DAILY: Self = Self::of(Period::Day);

    /// As [`Self::DAILY`], by the time of packets: lists whose dates are a user's own.
    pub const DATED: Self = Self { host_clock: false, ..Self::DAILY };

    /// A list a period.
    pub const fn of(period: Period) -> Self {
        Self { period, reach: (0, 0), host_clock: true }
    }

    /// The same with hosts that ask for the lists of so many days before and after their own as well.
    pub const fn reaching(self, before: i32, after: i32) -> Self {
        Self { reach: (before, after), ..self }
    }

    /// How long a list stays the same.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// How many days a host asks for names of one list, from its first name to its last, where its clock is right.
    pub const fn reach(&self) -> (i32, i32) {
        self.reach
    }

    /// The list day of the list that is current on `day`.
    pub fn list_day(&self, day: Day) -> Day {
        let of_month = |first: &dyn Fn(i32) -> i32| {
            let (_, _, day_of_month) = day.date();
            let day_of_month = i32::from(day_of_month);
            day.plus(first(day_of_month) - day_of_month)
        };
        match self.period {
            Period::Day => day,
            Period::Days(length) => of_month(&|today| (today - today % i32::from(length)).max(1)),
            Period::ThirdOfMonth => of_month(&|today| 1 + 10 * ((today - 1) / 10).min(2)),
        }
    }

    /// The list days of the lists that are current on days from `first` to `last`, each once, ascending.
    pub fn list_days(self, first: Day, last: Day) -> impl Iterator<Item = Day> {
        let mut before = None;
        let list_days = first.max(Day::EPOCH).through(last).map(move |day| self.list_day(day));
        list_days.filter(move |list_day| before.replace(*list_day) != Some(*list_day))
    }

    /// The list days that packets of days from `first` to `last` are held against, ascending, when hosts' clocks may be
    /// `skew` days wrong.
    pub fn open(self, first: Day, last: Day, skew: u16) -> impl Iterator<Item = Day> {
        let skew = if self.host_clock { i32::from(skew) } else { 0 };
        let (before, after) = self.reach;
        self.list_days(first.plus(-before - skew), last.plus(after + skew))
    }

    /// The first and the last day on which hosts ask for the list of `list_day`, when their clocks may be `skew` days wrong.
    pub fn asked(self, list_day: Day, skew: u16) -> (Day, Day) {
        let skew = if self.host_clock { i32::from(skew) } else { 0 };
        let (before, after) = self.reach;
        let current = |day: &Day| self.list_day(*day) == list_day;
        let last = list_day.through(Day::LAST).take_while(current).last().unwrap_or(list_day);
        (list_day.plus(-after - skew).max(Day::EPOCH), last.plus(before + skew).min(Day::LAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(list_days: impl Iterator<Item = Day>) -> Vec<String> {
        list_days.map(|day| day.to_string()).collect()
    }

    #[test]
    fn periods() {
        let (first, last) = (Day::of(2016, 2, 19), Day::of(2016, 3, 12));
        let rows = [
            (Period::Days(4), vec!["02-16", "02-20", "02-24", "02-28", "03-01", "03-04", "03-08", "03-12"]),
            (Period::Days(7), vec!["02-14", "02-21", "02-28", "03-01", "03-07"]),
            (Period::ThirdOfMonth, vec!["02-11", "02-21", "03-01", "03-11"]),
        ];
        for (period, expected) in rows {
            let found = days(Calendar::of(period).list_days(first, last));
            assert_eq!(found, expected.iter().map(|day| format!("2016-{day}")).collect::<Vec<_>>(), "{period:?}");
        }
        assert_eq!(days(Calendar::DAILY.list_days(first, last)).len(), 23);
    }

    /// Every list day is that of itself and of nothing before it, and no period is longer than it says.
    #[test]
    fn list_days_begin_their_periods() {
        for (period, longest) in [(Period::Day, 1), (Period::Days(4), 4), (Period::Days(7), 7), (Period::ThirdOfMonth, 11)] {
            let calendar = Calendar::of(period);
            for day in Day::EPOCH.through(Day::of(2105, 1, 1)) {
                let list_day = calendar.list_day(day);
                assert_eq!(calendar.list_day(list_day), list_day, "{period:?} {day}");
                assert!((0..longest).contains(&(day.number() - list_day.number())), "{period:?} {day}");
                assert!(list_day <= calendar.list_day(day.plus(1)), "{period:?} {day}");
            }
        }
    }

    /// A list is asked for on just the days on which it is open.
    #[test]
    fn asked_while_open() {
        let (days, middle) = (Day::of(2015, 6, 1).through(Day::of(2015, 10, 31)).collect::<Vec<_>>(), Day::of(2015, 8, 31));
        let calendars = [
            Calendar::DAILY,
            Calendar::DATED,
            Calendar::of(Period::Days(4)),
            Calendar::of(Period::ThirdOfMonth),
            Calendar::DAILY.reaching(30, 14),
        ];
        for (calendar, skew) in calendars.into_iter().flat_map(|calendar| [(calendar, 0), (calendar, 3)]) {
            let list_day = calendar.list_day(middle);
            let open: Vec<Day> =
                days.iter().copied().filter(|day| calendar.open(*day, *day, skew).any(|open| open == list_day)).collect();
            assert_eq!(calendar.asked(list_day, skew), (open[0], open[open.len() - 1]), "{calendar:?} {skew}");
        }
    }

    #[test]
    fn open_around_a_day() {
        let day = Day::of(2015, 8, 31);
        let open = |calendar: Calendar, skew| days(calendar.open(day, day, skew));
        assert_eq!(open(Calendar::DAILY, 1), ["2015-08-30", "2015-08-31", "2015-09-01"]);
        assert_eq!(open(Calendar::DATED, 1), ["2015-08-31"]);
        assert_eq!(open(Calendar::of(Period::Days(4)), 1), ["2015-08-28", "2015-09-01"]);
        assert_eq!(open(Calendar::of(Period::Days(4)), 0), ["2015-08-28"]);
        let reaching = open(Calendar::DAILY.reaching(30, 14), 1);
        assert_eq!((reaching.len(), &*reaching[0], &*reaching[46]), (47, "2015-07-31", "2015-09-15"));
        // Before there was a day.
        assert_eq!(days(Calendar::DAILY.reaching(30, 0).open(Day::EPOCH, Day::EPOCH, 1)), ["1970-01-01", "1970-01-02"]);
    }
}
