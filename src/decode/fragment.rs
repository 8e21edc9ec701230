//! IP datagrams that came in fragments, put together in bounded memory.
//!
//! Overlapping fragments are refused with all that belongs to them (RFC 5722, RFC 8200 §4.5): nobody sends them in
//! earnest, and which of two versions a host would believe is anybody's guess. The same fragment twice is no overlap:
//! a span port shows many packets two times.
//!
//! Sources: RFC 791, RFC 815 (IPv4); RFC 8200 §4.5 (IPv6); RFC 1122 §3.3.2 (time-out).

use std::collections::BTreeMap;
use std::net::IpAddr;

use etherparse::IpNumber;
use lru::LruCache;

use super::ip::{Ends, Fragment};
use super::outcome::{GivenUp, GivenUpCounts};
use crate::day::Timestamp;

/// Nanoseconds for which a datagram waits for its fragments (RFC 8200 §4.5: 60 s at a host; a sensor sees no queues).
const PATIENCE: u64 = 30_000_000_000;

/// Nanoseconds for which a datagram that came whole is remembered, for fragments shown twice. Short, because senders
/// use their 65,536 numbers again.
const MEMORY: u64 = 1_000_000_000;

/// The longest payload of a datagram.
const MAX_PAYLOAD: u32 = 65_535;

/// What a stored fragment costs beside its octets.
const OVERHEAD: usize = 96;

/// Datagrams that wait at a time, and octets that they hold.
const MAX_DATAGRAMS: usize = 16_384;
const MAX_OCTETS: usize = 32 << 20;

/// A part of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) time: Timestamp,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// What the datagram carries, as this part says.
    pub(super) protocol: IpNumber,
    pub(super) fragment: Fragment,
    /// IP packets that the datagram is in, its own among them.
    pub(super) packets: u8,
    /// What was captured.
    pub(super) payload: &'a [u8],
    /// Octets that the snap length cut off.
    pub(super) missing: u32,
}

/// A datagram: whole, or as much of its start as there is.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) time: Timestamp,
    pub(super) ends: Ends,
    pub(super) protocol: IpNumber,
    pub(super) packets: u8,
    pub(super) payload: Vec<u8>,
    pub(super) whole: bool,
}

/// Datagrams of which fragments came.
pub(super) struct Datagrams {
    /// In the order of their first fragments: nothing is moved to the front.
    table: LruCache<Key, Entry>,
    octets: usize,
    now: Timestamp,
    max_datagrams: usize,
    max_octets: usize,
    counts: Counts,
}

/// What became of fragments: each is in one of these, or waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    taken: u64,
    /// In datagrams that came whole.
    pub(super) joined: u64,
    /// Shown a second time.
    pub(super) repeated: u64,
    /// Of datagrams that are not DNS.
    pub(super) foreign: u64,
    pub(super) given_up: GivenUpCounts,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    /// IPv6 tells datagrams apart without it.
    protocol: Option<u8>,
}

struct Entry {
    since: Timestamp,
    state: State,
    /// By offset.
    parts: BTreeMap<u32, Box<[u8]>>,
    /// Octets in `parts`.
    stored: u32,
    /// Octets in all, known from the last fragment.
    length: Option<u32>,
    /// As the first fragment says.
    protocol: IpNumber,
    packets: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Came whole.
    Done,
    /// Is not DNS.
    Foreign,
    /// Will never be whole.
    Refused(GivenUp),
}

impl Default for Datagrams {
    fn default() -> Self {
        Self::new(MAX_DATAGRAMS, MAX_OCTETS)
    }
}

impl Datagrams {
    fn new(max_datagrams: usize, max_octets: usize) -> Self {
        let table = LruCache::unbounded();
        Self { table, octets: 0, now: Timestamp::default(), max_datagrams, max_octets, counts: Counts::default() }
    }

    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes a fragment; `each` gets the datagram that it makes whole, and the starts of those that were given up.
    /// `is_foreign` tells by its first octets whether a datagram is worth nothing.
    pub(super) fn take(&mut self, part: &Part<'_>, is_foreign: &dyn Fn(IpNumber, &[u8]) -> bool, each: &mut dyn FnMut(Joined)) {
        self.counts.taken += 1;
        self.now = self.now.max(part.time);
        self.expire(each);
        let Fragment { id, offset, more } = part.fragment;
        let protocol = part.source.is_ipv4().then_some(part.protocol.0);
        let key = Key { source: part.source, destination: part.destination, id, protocol };
        if self.table.peek(&key).is_some_and(|entry| entry.state == State::Done && entry.is_older(self.now, MEMORY)) {
            self.table.pop(&key);
        }
        if !self.table.contains(&key) {
            if self.table.len() == self.max_datagrams {
                self.evict(each);
            }
            self.table.put(key, Entry::new(part));
        }
        let entry = self.table.peek_mut(&key).expect("it was put there");
        let end = offset + part.payload.len() as u32 + part.missing;
        match entry.state {
            State::Done => self.counts.repeated += 1,
            State::Foreign => self.counts.foreign += 1,
            State::Refused(why) => {
                self.counts.given_up.add(why);
                // What asks may come behind what was cut.
                if why == GivenUp::FragmentCut && offset == 0 {
                    each(Joined::start(&key, part.time, part.protocol, part.packets, part.payload.to_vec()));
                }
            }
            State::Waiting if part.payload.is_empty() || end > MAX_PAYLOAD || entry.contradicts(end, more) => {
                self.refuse(&key, GivenUp::FragmentMalformed);
                self.counts.given_up.add(GivenUp::FragmentMalformed);
            }
            State::Waiting if offset == 0 && is_foreign(part.protocol, part.payload) => {
                self.counts.foreign += 1 + entry.parts.len() as u64;
                self.octets -= entry.clear(State::Foreign);
            }
            State::Waiting if part.missing > 0 => {
                let first = if offset == 0 { Some(part.payload.to_vec()) } else { entry.parts.get(&0).map(|part| part.to_vec()) };
                let (protocol, packets) =
                    if offset == 0 { (part.protocol, part.packets) } else { (entry.protocol, entry.packets) };
                self.refuse(&key, GivenUp::FragmentCut);
                self.counts.given_up.add(GivenUp::FragmentCut);
                if let Some(first) = first {
                    each(Joined::start(&key, part.time, protocol, packets, first));
                }
            }
            State::Waiting => match entry.place(offset, end) {
                Place::Same if *entry.parts[&offset] == *part.payload => self.counts.repeated += 1,
                Place::Same | Place::Overlap => {
                    self.refuse(&key, GivenUp::FragmentOverlap);
                    self.counts.given_up.add(GivenUp::FragmentOverlap);
                }
                Place::Free => {
                    if let Some(joined) = self.store(&key, part) {
                        each(joined);
                    }
                    while self.octets > self.max_octets {
                        self.evict(each);
                    }
                }
            },
        }
    }

    /// Gives up what waits.
    pub(super) fn finish(&mut self, each: &mut dyn FnMut(Joined)) {
        while let Some((key, entry)) = self.table.pop_lru() {
            self.give_up(&key, entry, GivenUp::FragmentUnfinished, each);
        }
        let Counts { taken, joined, repeated, foreign, given_up } = &self.counts;
        debug_assert_eq!(*taken, joined + repeated + foreign + given_up.total(), "a fragment was lost without a reason");
        debug_assert_eq!(self.octets, 0, "octets are held that nobody has");
    }

    fn store(&mut self, key: &Key, part: &Part<'_>) -> Option<Joined> {
        let entry = self.table.peek_mut(key).expect("it was put there");
        let Fragment { offset, more, .. } = part.fragment;
        let end = offset + part.payload.len() as u32;
        if offset == 0 {
            (entry.protocol, entry.packets) = (part.protocol, part.packets);
        }
        if !more {
            entry.length = Some(end);
        }
        entry.stored += part.payload.len() as u32;
        entry.parts.insert(offset, part.payload.into());
        self.octets += part.payload.len() + OVERHEAD;
        // They do not overlap, none is behind the end: when they are as long as the whole, they are the whole.
        if entry.length != Some(entry.stored) {
            return None;
        }
        let payload = entry.parts.values().flat_map(|part| part.iter().copied()).collect();
        self.counts.joined += entry.parts.len() as u64;
        let (protocol, packets) = (entry.protocol, entry.packets);
        self.octets -= entry.clear(State::Done);
        entry.since = part.time;
        Some(Joined { time: part.time, ends: key.ends(), protocol, packets, payload, whole: true })
    }

    /// Gives up those that waited too long.
    fn expire(&mut self, each: &mut dyn FnMut(Joined)) {
        while self.table.peek_lru().is_some_and(|(_, entry)| entry.is_older(self.now, PATIENCE)) {
            let (key, entry) = self.table.pop_lru().expect("there is one");
            self.give_up(&key, entry, GivenUp::FragmentTimeout, each);
        }
    }

    /// Makes room.
    fn evict(&mut self, each: &mut dyn FnMut(Joined)) {
        if let Some((key, entry)) = self.table.pop_lru() {
            self.give_up(&key, entry, GivenUp::FragmentEvicted, each);
        }
    }

    /// Counts what an entry that is gone held, and hands its start over.
    fn give_up(&mut self, key: &Key, mut entry: Entry, why: GivenUp, each: &mut dyn FnMut(Joined)) {
        if entry.state != State::Waiting {
            return;
        }
        self.counts.given_up.add_many(why, entry.parts.len() as u64);
        let first = entry.parts.get_mut(&0).map(|part| std::mem::take(part).into_vec());
        let octets = first.as_ref().map_or(0, Vec::len);
        self.octets -= octets + entry.clear(State::Done);
        if let Some(first) = first {
            each(Joined::start(key, entry.since, entry.protocol, entry.packets, first));
        }
    }

    /// Lets go of what an entry holds, and of what will come.
    fn refuse(&mut self, key: &Key, why: GivenUp) {
        let Some(entry) = self.table.peek_mut(key) else { return };
        self.counts.given_up.add_many(why, entry.parts.len() as u64);
        self.octets -= entry.clear(State::Refused(why));
    }
}

impl Key {
    fn ends(&self) -> Ends {
        Ends::new(self.source, self.destination)
    }
}

impl Joined {
    fn start(key: &Key, time: Timestamp, protocol: IpNumber, packets: u8, payload: Vec<u8>) -> Self {
        Self { time, ends: key.ends(), protocol, packets, payload, whole: false }
    }
}

/// Where a fragment falls among those that came.
enum Place {
    Free,
    /// Where one of the same length is.
    Same,
    Overlap,
}

impl Entry {
    const fn new(part: &Part<'_>) -> Self {
        Self {
            since: part.time,
            state: State::Waiting,
            parts: BTreeMap::new(),
            stored: 0,
            length: None,
            protocol: part.protocol,
            packets: part.packets,
        }
    }

    const fn is_older(&self, now: Timestamp, nanos: u64) -> bool {
        now.as_nanos().saturating_sub(self.since.as_nanos()) > nanos
    }

    /// Whether a fragment that ends there cannot belong to it.
    fn contradicts(&self, end: u32, more: bool) -> bool {
        match self.length {
            Some(length) => end > length || !more && end != length,
            None => !more && self.parts.last_key_value().is_some_and(|(offset, part)| offset + part.len() as u32 > end),
        }
    }

    fn place(&self, offset: u32, end: u32) -> Place {
        match self.parts.range(..end).next_back() {
            Some((&before, part)) if before + part.len() as u32 > offset => {
                if before == offset && before + part.len() as u32 == end { Place::Same } else { Place::Overlap }
            }
            _ => Place::Free,
        }
    }

    /// Lets go of its octets; returns how many that were, with what they cost.
    fn clear(&mut self, state: State) -> usize {
        self.state = state;
        std::mem::take(&mut self.parts).into_values().map(|part| part.len() + OVERHEAD).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// A table, and what it gave: whole datagrams, and starts in brackets.
    struct Trial {
        datagrams: Datagrams,
        given: Vec<String>,
    }

    impl Trial {
        fn new(max_datagrams: usize, max_octets: usize) -> Self {
            Self { datagrams: Datagrams::new(max_datagrams, max_octets), given: vec![] }
        }

        fn take(&mut self, second: u64, id: u32, offset: u32, payload: &[u8], more: bool) {
            self.take_cut(second, id, offset, payload, more, 0);
        }

        fn take_cut(&mut self, second: u64, id: u32, offset: u32, payload: &[u8], more: bool, missing: u32) {
            let source = Ipv4Addr::new(192, 0, 2, 1).into();
            let part = Part {
                time: Timestamp::from_parts(second, 0),
                source,
                destination: source,
                protocol: IpNumber::UDP,
                fragment: Fragment { id, offset, more },
                packets: 1,
                payload,
                missing,
            };
            let given = &mut self.given;
            self.datagrams.take(&part, &|_, start| start.starts_with(b"foreign"), &mut |joined| given.push(shown(&joined)));
        }

        /// Ends it; what was counted, where it is not 0.
        fn end(mut self) -> (Vec<String>, String) {
            let given = &mut self.given;
            self.datagrams.finish(&mut |joined| given.push(shown(&joined)));
            let Counts { joined, repeated, foreign, given_up, .. } = self.datagrams.counts();
            let mut counts = vec![("joined", *joined), ("repeated", *repeated), ("foreign", *foreign)];
            counts.extend(GivenUp::ALL.map(|why| (why.label(), given_up.of(why))));
            counts.retain(|(_, count)| *count > 0);
            let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
            (self.given, counts.join(", "))
        }
    }

    fn shown(joined: &Joined) -> String {
        let text = String::from_utf8_lossy(&joined.payload).into_owned();
        if joined.whole { text } else { format!("[{text}]") }
    }

    #[track_caller]
    fn check(parts: &[(u64, u32, u32, &str, bool)], given: &[&str], counts: &str) {
        let mut trial = Trial::new(100, 1 << 20);
        for (second, id, offset, payload, more) in parts {
            trial.take(*second, *id, *offset, payload.as_bytes(), *more);
        }
        assert_eq!(trial.end(), (given.iter().map(|text| (*text).to_owned()).collect(), counts.to_owned()));
    }

    #[test]
    fn datagrams_come_whole() {
        check(&[(0, 1, 0, "abcdefgh", true), (0, 1, 8, "ij", false)], &["abcdefghij"], "joined 2");
        check(&[(0, 1, 8, "ij", false), (0, 1, 0, "abcdefgh", true)], &["abcdefghij"], "joined 2");
        let two = [(0, 1, 8, "ij", false), (0, 2, 0, "klmnopqr", true), (0, 1, 0, "abcdefgh", true), (0, 2, 8, "st", false)];
        check(&two, &["abcdefghij", "klmnopqrst"], "joined 4");
        // Each shown twice, one behind the other or one after all.
        let twice = [(0, 1, 0, "abcdefgh", true), (0, 1, 0, "abcdefgh", true), (0, 1, 8, "ij", false), (0, 1, 8, "ij", false)];
        check(&twice, &["abcdefghij"], "joined 2, repeated 2");
        // The same number again, for another datagram.
        let again = [(0, 1, 0, "abcdefgh", true), (0, 1, 8, "ij", false), (2, 1, 0, "klmnopqr", true), (2, 1, 8, "st", false)];
        check(&again, &["abcdefghij", "klmnopqrst"], "joined 4");
    }

    #[test]
    fn what_is_given_up() {
        let overlap = [(0, 1, 0, "abcdefgh", true), (0, 1, 0, "XXXXXXXX", true), (0, 1, 8, "ij", false)];
        check(&overlap, &[], "fragment_overlap 3");
        check(&[(0, 1, 0, "abcdefghijklmnop", true), (0, 1, 8, "ijklmnopqr", false)], &[], "fragment_overlap 2");
        check(&[(0, 1, 8, "ijklmnopqr", false), (0, 1, 0, "abcdefghijklmnop", true)], &[], "fragment_overlap 2");
        check(&[(0, 1, 8, "ij", false), (0, 1, 8, "ijkl", false)], &[], "fragment_malformed 2");
        check(&[(0, 1, 8, "ij", false), (0, 1, 16, "kl", true)], &[], "fragment_malformed 2");
        check(&[(0, 1, 16, "kl", true), (0, 1, 8, "ij", false)], &[], "fragment_malformed 2");
        check(&[(0, 1, 65_528, "abcdefgh", true), (0, 1, 0, "abcdefgh", true)], &[], "fragment_malformed 2");
        check(&[(0, 1, 0, "", true), (0, 1, 0, "abcdefgh", true)], &[], "fragment_malformed 2");
        check(&[(0, 1, 0, "abcdefgh", true)], &["[abcdefgh]"], "fragment_unfinished 1");
        check(&[(0, 1, 8, "ij", false)], &[], "fragment_unfinished 1");
        let late = [(0, 1, 0, "abcdefgh", true), (31, 1, 8, "ij", false)];
        check(&late, &["[abcdefgh]"], "fragment_timeout 1, fragment_unfinished 1");
        // Time that goes back makes nobody wait longer.
        let back = [(40, 9, 8, "x", false), (0, 1, 0, "abcdefgh", true), (0, 1, 8, "ij", false)];
        check(&back, &["abcdefghij"], "joined 2, fragment_unfinished 1");
        check(&[(0, 1, 8, "ij", false), (0, 1, 0, "foreign!", true), (0, 1, 16, "kl", true)], &[], "foreign 3");
    }

    #[test]
    fn what_the_snap_length_cuts() {
        for first_is_cut in [true, false] {
            for order in [[0, 8], [8, 0]] {
                let mut trial = Trial::new(100, 1 << 20);
                for offset in order {
                    let missing = u32::from((offset == 0) == first_is_cut) * 4;
                    let payload: &[u8] = if missing > 0 { b"abcd" } else { b"abcdefgh" };
                    trial.take_cut(0, 1, offset, payload, offset == 0, missing);
                }
                let start = if first_is_cut { "[abcd]" } else { "[abcdefgh]" };
                assert_eq!(trial.end(), (vec![start.to_owned()], "fragment_cut 2".to_owned()), "{first_is_cut} {order:?}");
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut trial = Trial::new(10, 1 << 20);
        for id in 0..1_000 {
            trial.take(0, id, 8, b"x", false);
            assert!(trial.datagrams.table.len() <= 10);
        }
        assert_eq!(trial.end().1, "fragment_evicted 990, fragment_unfinished 10");
        let mut trial = Trial::new(100, 10_000);
        for place in 0..10_000 {
            trial.take(0, place / 2_000, 8 * (place % 2_000), b"abcdefgh", true);
            assert!(trial.datagrams.octets <= 10_000);
        }
        let (given, counts) = trial.end();
        assert!(given.len() == 5 && counts.contains("fragment_evicted"), "{counts}");
    }
}
