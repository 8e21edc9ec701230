//! What is kept of a source that is past suspicion: when it asked for some of the names, and how fast for new ones.
//!
//! Sixteen octets of a list day's lookups are two of them: time, message id and name in one word, sorted when they are
//! read, so that their order does not matter.

use std::net::IpAddr;

use super::{Hit, Lookups};
use crate::day::{Day, Timestamp};
use crate::decode::Told;

/// Octets that a trace takes without lookups.
pub(super) const TRACE: usize = size_of::<Trace>() + STARTS * size_of::<u32>();

/// Octets of a lookup.
const LOOKUP: usize = size_of::<u64>();

/// Room for lookups that is taken first; it doubles.
const FIRST: usize = 16;

/// A pause of so many seconds is between rounds; so many starts of rounds are kept.
pub(super) const PAUSE: u32 = 1_800;
const STARTS: usize = 16;

/// Starts that are kept of several sensors together: what is a start to one may be within a round to another.
pub(super) const MOST_STARTS: usize = 256;

/// Names whose lifetimes are kept, at most.
pub(super) const WATCHED: usize = 64;

/// The longest lifetime that counts.
const LONGEST: u32 = 10_800;

/// A lookup with the message id and name of one before it, so many seconds later at most, is the same sent again.
const RESENT: u64 = 30;

/// Times count hundredths of a second from the day before the list day's.
const TICKS: u64 = 100;
const TIME_BITS: u32 = 40;

/// The traces of one source. What nearly each hit changes stands first, in one or two lines of memory.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(super) struct Trace {
    /// The first second of a window in which new names are counted.
    window: u64,
    in_window: u32,
    /// The most names that were new in one window.
    pub(super) most: u32,
    /// Denials that it was told, and those of them that named the gap of a signed zone.
    denials: u64,
    in_gaps: u64,
    /// The latest lookup, in seconds since 1970.
    latest: u32,
    /// Who answered: of several the lowest address.
    pub(super) server: Option<IpAddr>,
    /// The watched names that were denied so: a bit each.
    gaps: u64,
    /// Time in ticks, id, name's place among those watched; from the highest bits on.
    lookups: Vec<u64>,
    /// Lookups for which there was no room.
    pub(super) lost: u64,
    /// When rounds started, in seconds since 1970: lookups after a pause.
    starts: Vec<u32>,
    /// The longest time for which answers let caches keep each watched name, in seconds; 0 where none told.
    lifetimes: Vec<u16>,
}

/// What traces are charged follows from it.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Trace>() == 144);

impl Trace {
    /// Notes a hit: whether its name was new, and the lookup itself if it is one of each `step`th name. `room` is what all
    /// traces may still take.
    pub(super) fn add(&mut self, hit: &Hit, is_new: bool, is_lookup: bool, (step, window): (u32, u64), room: &mut usize) {
        if let Some(server) = hit.server {
            self.server = Some(self.server.map_or(server, |other| other.min(server)));
        }
        if is_new {
            let (second, _) = hit.time.parts();
            if second.abs_diff(self.window) >= window {
                (self.window, self.in_window) = (second, 0);
            }
            self.in_window += 1;
            self.most = self.most.max(self.in_window);
        }
        if step > 0
            && hit.matched.index.is_multiple_of(step)
            && let Some(lifetime) = hit.lifetime
        {
            self.keep_lifetime(hit.matched.index / step, lifetime, room);
        }
        if let Some(told @ (Told::Missing | Told::MissingInGap)) = hit.told {
            self.deny(hit.matched.index, told == Told::MissingInGap, step);
        }
        if is_lookup && step > 0 {
            self.note_start(hit.time);
        }
        if !is_lookup || step == 0 || !hit.matched.index.is_multiple_of(step) {
            return;
        }
        if self.lookups.len() == self.lookups.capacity() {
            let more = self.lookups.capacity().max(FIRST);
            if *room < more * LOOKUP {
                self.lost += 1;
                return;
            }
            *room -= more * LOOKUP;
            self.lookups.reserve_exact(more);
        }
        self.lookups.push(pack(hit.time, hit.matched.list_day, hit.id, hit.matched.index / step));
    }

    /// Reads what [`Self::add`] would read.
    #[inline]
    pub(super) fn peek(&self) -> bool {
        self.lookups.last().is_some_and(|lookup| *lookup > 0) ^ (self.window > self.gaps)
    }

    fn deny(&mut self, index: u32, in_gap: bool, step: u32) {
        self.denials += 1;
        self.in_gaps += u64::from(in_gap);
        if in_gap && step > 0 && index.is_multiple_of(step) && index / step < u64::BITS {
            self.gaps |= 1 << (index / step);
        }
    }

    /// Whether most denials that it was told named the gap of a signed zone.
    pub(super) const fn is_told_gaps(&self) -> bool {
        2 * self.in_gaps > self.denials
    }

    /// Whether a watched name was denied by the gap of a signed zone that it falls into.
    pub(super) const fn is_in_gap(&self, name: usize) -> bool {
        name < u64::BITS as usize && self.gaps >> name & 1 > 0
    }

    /// Denials, those that named gaps, the watched names that were denied so.
    pub(super) const fn denials(&self) -> [u64; 3] {
        [self.denials, self.in_gaps, self.gaps]
    }

    /// Puts back what [`Self::denials`] says.
    pub(super) const fn restore_denials(&mut self, [denials, in_gaps, gaps]: [u64; 3]) {
        (self.denials, self.in_gaps, self.gaps) = (denials, in_gaps, gaps);
    }

    fn note_start(&mut self, time: Timestamp) {
        let second = time.parts().0.min(u32::MAX.into()) as u32;
        if second.saturating_sub(self.latest) > PAUSE && self.starts.len() < STARTS {
            if self.starts.is_empty() {
                self.starts.reserve_exact(STARTS);
            }
            self.starts.push(second);
        }
        self.latest = self.latest.max(second);
    }

    /// When rounds started, ascending.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Puts back when rounds started, and when the latest lookup was.
    pub(super) fn restore_starts(&mut self, starts: impl Iterator<Item = u32>, latest: u32) {
        self.starts.reserve_exact(STARTS);
        self.starts.extend(starts.take(STARTS));
        self.latest = latest;
    }

    /// When the latest lookup was.
    pub(super) const fn latest(&self) -> u32 {
        self.latest
    }

    /// Resolvers keep nothing that does not exist for longer than three hours (BIND's bound), so no name's lifetime needs
    /// more.
    fn keep_lifetime(&mut self, name: u32, lifetime: u32, room: &mut usize) {
        if self.lifetimes.capacity() == 0 {
            if *room < WATCHED * size_of::<u16>() {
                return;
            }
            *room -= WATCHED * size_of::<u16>();
            self.lifetimes.reserve_exact(WATCHED);
        }
        let name = name as usize;
        if name >= self.lifetimes.len() && name < WATCHED {
            self.lifetimes.resize(name + 1, 0);
        }
        if let Some(longest) = self.lifetimes.get_mut(name) {
            *longest = (*longest).max(lifetime.min(LONGEST) as u16);
        }
    }

    /// For how long each watched name is kept, 0 where that is not known.
    pub(super) fn lifetimes(&self) -> &[u16] {
        &self.lifetimes
    }

    /// Octets that lookups and lifetimes take.
    pub(super) fn charged(&self) -> usize {
        let starts = self.starts.capacity().saturating_sub(STARTS) * size_of::<u32>();
        TRACE + starts + self.lookups.capacity() * LOOKUP + self.lifetimes.capacity() * size_of::<u16>()
    }

    /// What was kept elsewhere; nothing when there is no room. `room` is what all traces may still take.
    pub(super) fn of(lookups: &Lookups, room: &mut usize) -> Option<Self> {
        *room = room.checked_sub(TRACE)?;
        let mut trace = Self::default();
        trace.absorb(lookups, room);
        Some(trace)
    }

    /// Adds what was kept elsewhere. A lookup that two sensors saw is one, as are their starts of a round.
    pub(super) fn absorb(&mut self, other: &Lookups, room: &mut usize) {
        self.lost = self.lost.saturating_add(other.lost);
        self.latest = self.latest.max(other.latest);
        let mut known = self.lookups.clone();
        known.sort_unstable();
        let mut new: Vec<u64> = other.times.iter().copied().filter(|lookup| known.binary_search(lookup).is_err()).collect();
        new.sort_unstable();
        new.dedup();
        new.into_iter().for_each(|lookup| self.restore(lookup, room));
        for (name, lifetime) in other.lifetimes.iter().enumerate().filter(|(_, lifetime)| **lifetime > 0) {
            self.restore_lifetime(name, *lifetime, room);
        }
        let mut starts: Vec<u32> = self.starts.iter().chain(&other.starts).copied().collect();
        starts.sort_unstable();
        starts.dedup();
        starts.truncate(MOST_STARTS);
        let beyond = |starts: usize| starts.saturating_sub(STARTS) * size_of::<u32>();
        let more = beyond(starts.len()).saturating_sub(beyond(self.starts.capacity()));
        if *room >= more && !starts.is_empty() {
            *room -= more;
            self.starts.reserve_exact(starts.len().max(STARTS) - self.starts.len());
            self.starts.clear();
            self.starts.extend(starts);
        }
    }

    /// The lookups as they are kept.
    pub(super) fn packed(&self) -> &[u64] {
        &self.lookups
    }

    /// Puts back lookups that were written down.
    pub(super) fn restore(&mut self, lookup: u64, room: &mut usize) {
        if self.lookups.len() == self.lookups.capacity() {
            let more = self.lookups.capacity().max(FIRST);
            if *room < more * LOOKUP {
                self.lost += 1;
                return;
            }
            *room -= more * LOOKUP;
            self.lookups.reserve_exact(more);
        }
        self.lookups.push(lookup);
    }

    /// Puts back a lifetime that was written down.
    pub(super) fn restore_lifetime(&mut self, name: usize, lifetime: u16, room: &mut usize) {
        self.keep_lifetime(name as u32, lifetime.into(), room);
    }

    /// Puts back where the counting of new names stood.
    pub(super) const fn restore_window(&mut self, window: u64, in_window: u32) {
        (self.window, self.in_window) = (window, in_window);
    }

    /// Where the counting of new names stands.
    pub(super) const fn window(&self) -> (u64, u32) {
        (self.window, self.in_window)
    }

    /// The lookups of each watched name, as ascending seconds since 1970; what was sent again left out.
    pub(super) fn times(&self, list_day: Day) -> Vec<Vec<f64>> {
        let mut lookups = self.lookups.clone();
        lookups.sort_unstable();
        let names = lookups.iter().map(|lookup| (lookup & 0xFF) as usize + 1).max().unwrap_or(0);
        let start = start(list_day) as f64;
        let mut times = vec![vec![]; names];
        let mut before: Vec<Vec<(u64, u64)>> = vec![vec![]; names];
        for lookup in lookups {
            let (ticks, id, name) = (lookup >> 24, lookup >> 8 & 0xFFFF, (lookup & 0xFF) as usize);
            let before = &mut before[name];
            before.retain(|(earlier, _)| ticks - earlier <= RESENT * TICKS);
            if before.iter().all(|(_, other)| *other != id) {
                times[name].push(start + ticks as f64 / TICKS as f64);
            }
            before.push((ticks, id));
        }
        times
    }
}

/// The second from which the times of a list day count.
fn start(list_day: Day) -> u64 {
    u64::from(list_day.plus(-1).number().max(0).unsigned_abs()) * 86_400
}

fn pack(time: Timestamp, list_day: Day, id: u16, name: u32) -> u64 {
    let ticks = (time.as_nanos() / (1_000_000_000 / TICKS)).saturating_sub(start(list_day) * TICKS);
    ticks.min((1 << TIME_BITS) - 1) << 24 | u64::from(id) << 8 | u64::from(name.min(0xFF))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Transport;
    use crate::watchlist::Match;

    fn hit(index: u32, id: u16, nanos: u64) -> Hit {
        let list_day = Day::of(2009, 3, 31);
        Hit {
            source: std::net::Ipv4Addr::LOCALHOST.into(),
            time: Timestamp::from_nanos(list_day.number().unsigned_abs() as u64 * 86_400_000_000_000 + nanos),
            response: false,
            port: 1,
            transport: Transport::Udp,
            id,
            recursive: true,
            server: None,
            lifetime: None,
            told: None,
            matched: Match { family: 0, list_day, index, collision: false },
        }
    }

    #[test]
    fn lookups_in_any_order_without_those_sent_again() {
        const SECOND: u64 = 1_000_000_000;
        let hits = [
            hit(0, 1, 5 * SECOND),
            hit(0, 1, 7 * SECOND),
            hit(0, 2, 6 * SECOND),
            hit(0, 1, 40 * SECOND),
            hit(8, 1, 5 * SECOND),
            hit(9, 1, 5 * SECOND),
        ];
        let read = |hits: &mut dyn Iterator<Item = &Hit>| {
            let (mut trace, mut room) = (Trace::default(), 10_000);
            hits.for_each(|hit| trace.add(hit, true, true, (4, 10), &mut room));
            assert_eq!(room + trace.charged() - TRACE, 10_000);
            trace.times(Day::of(2009, 3, 31))
        };
        let midnight = 1_238_457_600.0;
        let expected = [vec![midnight + 5.0, midnight + 6.0, midnight + 40.0], vec![], vec![midnight + 5.0]];
        assert_eq!(read(&mut hits.iter()), expected);
        assert_eq!(read(&mut hits.iter().rev()), expected);
    }

    #[test]
    fn without_room_it_is_known_what_is_missing() {
        let (mut trace, mut room) = (Trace::default(), FIRST * LOOKUP);
        (0..20).for_each(|n| trace.add(&hit(0, n, n.into()), n % 2 == 0, true, (1, 10), &mut room));
        assert_eq!((room, trace.lost, trace.packed().len(), trace.most), (0, 4, FIRST, 10));
    }

    #[test]
    fn denials_that_name_gaps_are_told_apart() {
        let (mut trace, mut room) = (Trace::default(), 10_000);
        for (index, told) in [(0, Told::Missing), (4, Told::MissingInGap), (6, Told::MissingInGap), (8, Told::Addresses)] {
            trace.add(&Hit { told: Some(told), ..hit(index, 1, 5) }, true, true, (4, 10), &mut room);
        }
        assert_eq!((trace.denials(), trace.is_told_gaps()), ([3, 2, 0b10], true));
        assert_eq!([0, 1, 2, 64, 500].map(|name| trace.is_in_gap(name)), [false, true, false, false, false]);
        trace.add(&Hit { told: Some(Told::Missing), ..hit(1, 1, 5) }, true, true, (4, 10), &mut room);
        let mut other = Trace::default();
        other.restore_denials(trace.denials());
        assert!(!other.is_told_gaps() && other.is_in_gap(1));
    }
}
