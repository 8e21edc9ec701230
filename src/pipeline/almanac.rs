//! Has the lists of the days around now built before anybody asks for a name on them.
//!
//! ```text
//!      21:00       22:00          midnight         01:00
//!   -----+-----------+---------------+---------------+-----
//!    D-1 D D+1  +D+2 is built    D+1 is today     D-1 goes
//! ```
//!
//! Workers open lists by the time of their packets and find them here, so the change of the day costs them a look. A
//! packet of another time, after a clock was set or from a capture, still finds its lists: they are built when asked for.
//! So nothing depends on this but the time that it takes.

use std::collections::BTreeSet;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::shelf::Shelf;
use crate::day::{Day, Timestamp};
use crate::dga::{Catalog, FamilyId};
use crate::watchlist::Lists;

/// What the time is.
pub type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// How long before its first moment a day's lists are built, and how long after its last they are kept.
const AHEAD: u64 = 2 * HOUR;
const BEHIND: u64 = HOUR;

/// In nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

/// How often to look at the clock.
const PAUSE: Duration = Duration::from_secs(1);

/// The lists that packets of about `now` are held against.
fn wanted(catalog: &Catalog, skew: u16, now: Timestamp) -> BTreeSet<(FamilyId, Day)> {
    let now = now.as_nanos();
    let first = Timestamp::from_nanos(now.saturating_sub(BEHIND)).day();
    let last = Timestamp::from_nanos(now.saturating_add(AHEAD)).day();
    let mut lists = BTreeSet::new();
    for (id, family) in catalog.iter() {
        lists.extend(family.calendar().open(first, last, skew).map(|list_day| (id, family.edition(list_day))));
    }
    lists
}

/// Builds what is wanted now, unless told to stop.
pub(super) fn prepare(shelf: &Shelf, catalog: &Catalog, skew: u16, now: Timestamp, stopped: &dyn Fn() -> bool) {
    let lists = wanted(catalog, skew, now);
    shelf.reserve(lists.clone());
    for (family, edition) in lists {
        if stopped() {
            break;
        }
        shelf.get(family, edition);
    }
}

/// Goes on doing so until the other end of `until` is gone.
pub(super) fn keep_ahead(shelf: &Shelf, catalog: &Catalog, skew: u16, clock: &Clock, until: &Receiver<()>) {
    let stopped = || !matches!(until.try_recv(), Err(crossbeam_channel::TryRecvError::Empty));
    while until.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        prepare(shelf, catalog, skew, clock(), &stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        // Seconds of 2009-03-31 and the day after, hours counted on.
        let (hours, rest) = text.split_once(':').unwrap();
        let (minutes, seconds) = rest.split_once(':').unwrap();
        let number = |text: &str| text.parse::<u64>().unwrap();
        let midnight = Day::of(2009, 3, 31).number() as u64 * 86_400;
        Timestamp::from_parts(midnight + number(hours) * 3_600 + number(minutes) * 60 + number(seconds), 0)
    }

    #[test]
    fn around_midnight() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-b").unwrap();
        let today = Day::of(2009, 3, 31);
        let rows = [
            ("00:30:00", 1, -2, 1),
            ("01:00:00", 1, -1, 1),
            ("21:59:59", 1, -1, 1),
            ("22:00:00", 1, -1, 2),
            ("23:59:59", 1, -1, 2),
            ("24:00:00", 1, -1, 2),
            ("24:59:59", 1, -1, 2),
            ("25:00:00", 1, 0, 2),
            ("12:00:00", 0, 0, 0),
            ("23:00:00", 3, -3, 4),
        ];
        for (time, skew, first, last) in rows {
            let days: Vec<Day> = wanted(&catalog, skew, at(time)).into_iter().map(|(_, day)| day).collect();
            let expected: Vec<Day> = today.plus(first).through(today.plus(last)).collect();
            assert_eq!(days, expected, "{time}, skew {skew}");
        }
        // Before there was a day.
        assert_eq!(wanted(&catalog, 1, Timestamp::default()).len(), 2);
    }

    #[test]
    fn what_is_reserved_is_there_and_stays() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-c").unwrap();
        let shelf = Shelf::new(&catalog, None);
        prepare(&shelf, &catalog, 1, at("12:00:00"), &|| false);
        let built = |shelf: &Shelf| shelf.built().into_iter().map(|(_, day, names, _)| (day, names)).collect::<Vec<_>>();
        let today = Day::of(2009, 3, 31);
        let expected: Vec<_> = today.plus(-1).through(today.plus(1)).map(|day| (day, 50_000)).collect();
        assert_eq!(built(&shelf), expected);
        // A clock gone wild asks for many others.
        (0..60).for_each(|day| drop(shelf.get(0, Day::EPOCH.plus(day))));
        assert_eq!(built(&shelf), expected);
        prepare(&shelf, &catalog, 1, at("22:00:00"), &|| false);
        assert_eq!(built(&shelf).len(), 4);
        prepare(&shelf, &catalog, 1, at("25:00:00"), &|| false);
        assert_eq!(built(&shelf).first(), Some(&(today, 50_000)));
        assert_eq!(built(&shelf).len(), 3);
    }
}
