//! What an infected host does next: is switched on and off, rests, begins rounds, asks for names one after the other.

use super::check::Habits;
use super::describe::{Infected, Order};
use super::random::{Random, Shuffle};
use super::truth::SourceId;
use super::value::{DAY, SECOND, seconds};
use crate::day::{Day, Timestamp};

/// Never.
pub(super) const NEVER: u64 = u64::MAX;

/// Nanoseconds in an hour.
const HOUR: f64 = 3_600.0 * SECOND as f64;

/// How long after it is switched on a host begins a round, at most.
const AFTER_BOOT: u64 = 600 * SECOND;

/// Days that a host may stay switched off before it is given up.
const LONGEST_PAUSE: u32 = 4_000;

/// An infected host.
pub(super) struct Host {
    pub(super) random: Random,
    pub(super) group: u32,
    pub(super) address: SourceId,
    /// Whether it was met at this address, and at all.
    pub(super) met_here: bool,
    pub(super) met: bool,
    /// When it gets another address.
    pub(super) renumbered_at: u64,
    /// Since when it is switched on at this address.
    pub(super) on_since: Option<u64>,
    off_at: u64,
    /// The next day on which it may be switched on, and the hour that is the middle of its day.
    boots_on: Day,
    centre: f64,
    clock: i32,
    asking: bool,
    round: Round,
}

/// A round, as far as it is.
struct Round {
    day: Day,
    key: u64,
    began: u64,
    batch_began: u64,
    /// Names asked for, of how many.
    place: u32,
    last: u32,
}

/// What a host does.
#[derive(Debug, Default)]
pub(super) struct Deed {
    pub(super) switched: Option<bool>,
    pub(super) asks: Option<Asks>,
    /// When it does something again.
    pub(super) next: u64,
}

/// For which name a host asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asks {
    pub(super) day: Day,
    pub(super) index: u32,
    /// Whether a round begins with it.
    pub(super) first: bool,
}

impl Host {
    /// A host of a group, and when it does something for the first time: before the start, if it has been at it for long.
    pub(super) fn new(
        mut random: Random,
        number: u32,
        address: SourceId,
        (group, habits): (&Infected, &Habits),
        start: u64,
    ) -> (Self, u64) {
        let mut share = random.unit();
        let clock = group.clocks.iter().find(|clock| {
            share -= clock.share;
            share < 0.0
        });
        let mut host = Self {
            group: number,
            address,
            met_here: false,
            met: false,
            renumbered_at: NEVER,
            on_since: None,
            off_at: NEVER,
            boots_on: Timestamp::from_nanos(start).day().plus(-1),
            centre: 0.0,
            clock: clock.map_or(0, |clock| clock.days),
            asking: false,
            round: Round { day: Day::EPOCH, key: 0, began: 0, batch_began: 0, place: 0, last: 0 },
            random,
        };
        let first = if let Some(duty) = group.duty {
            host.centre = host.random.normal(duty.centre, duty.spread);
            host.next_boot(group, 0)
        } else {
            host.on_since = Some(start);
            host.first_round(group, habits, start)
        };
        if let Some(renumber) = group.renumber {
            let wait = match (renumber.every, renumber.mean) {
                // At it for long: anywhere between two changes.
                (Some(every), _) => host.random.below(every.0),
                (_, Some(mean)) => host.random.exponential(mean.0 as f64) as u64,
                (None, None) => NEVER,
            };
            host.renumbered_at = start.saturating_add(wait);
        }
        (host, first)
    }

    fn first_round(&mut self, group: &Infected, habits: &Habits, start: u64) -> u64 {
        if let Some(within) = group.first_round_within {
            return start + self.random.below(within.0);
        }
        let (rest, after_round) = habits.rest;
        let batches = f64::from(habits.names.div_ceil(habits.batch));
        let round = if after_round { seconds(batches * (habits.pace.0 + habits.pace.1) / 2.0) } else { 0 };
        start.saturating_sub(self.random.below(rest + round))
    }

    /// The address changes: when next?
    pub(super) fn renumbered(&mut self, group: &Infected) {
        let wait = group.renumber.and_then(|renumber| match (renumber.every, renumber.mean) {
            (Some(every), _) => Some(every.0),
            (_, Some(mean)) => Some(self.random.exponential(mean.0 as f64) as u64),
            (None, None) => None,
        });
        self.renumbered_at = wait.map_or(NEVER, |wait| self.renumbered_at.saturating_add(wait));
    }

    /// What it does now.
    pub(super) fn step(&mut self, now: u64, group: &Infected, habits: &Habits) -> Deed {
        if now >= self.off_at {
            self.off_at = NEVER;
            self.asking = false;
            let next = self.next_boot(group, now);
            return Deed { switched: Some(false), asks: None, next };
        }
        if group.duty.is_some() && self.on_since.is_none() {
            let hours = group.duty.map_or(24.0, |duty| duty.hours);
            self.off_at = now + (hours * HOUR) as u64;
            return Deed { switched: Some(true), asks: None, next: (now + self.random.below(AFTER_BOOT)).min(self.off_at) };
        }
        if !self.asking {
            self.begin(now, group, habits);
        }
        let round = &mut self.round;
        let asks = Asks { day: round.day, index: index(round, habits), first: round.place == 0 };
        round.place += 1;
        let next = if round.place < round.last { self.next_name(habits) } else { self.next_round(now, habits) };
        // Time does not stand still.
        Deed { switched: None, asks: Some(asks), next: next.max(now + 1).min(self.off_at) }
    }

    fn begin(&mut self, now: u64, group: &Infected, habits: &Habits) {
        let completed = self.random.between(group.completed.ends());
        let day = Timestamp::from_nanos(now).day().plus(self.clock);
        self.round = Round {
            day: day.clamp(Day::EPOCH, Day::LAST),
            key: self.random.bits(),
            began: now,
            batch_began: now,
            place: 0,
            last: ((completed * f64::from(habits.names)) as u32).clamp(1, habits.names),
        };
        self.asking = true;
    }

    /// When the next name of the round follows.
    fn next_name(&mut self, habits: &Habits) -> u64 {
        let in_batch = self.round.place % habits.batch;
        if in_batch == 0 {
            self.round.batch_began += seconds(self.random.between(habits.pace));
        }
        // A batch takes a second, or as long as there is until the next one.
        let length = habits.pace.0.min(1.0);
        let share = (f64::from(in_batch) + self.random.unit()) / f64::from(habits.batch);
        self.round.batch_began + if habits.batch > 1 { seconds(length * share) } else { 0 }
    }

    fn next_round(&mut self, now: u64, habits: &Habits) -> u64 {
        self.asking = false;
        let (rest, after_round) = habits.rest;
        let from = if after_round { now } else { self.round.began };
        let wait = if habits.jitter > 0.0 { self.random.normal(rest as f64, habits.jitter).max(0.0) as u64 } else { rest };
        from + wait
    }

    /// When it is switched on for the next time.
    fn next_boot(&mut self, group: &Infected, now: u64) -> u64 {
        let Some(duty) = group.duty else { return NEVER };
        for _ in 0..LONGEST_PAUSE {
            let day = self.boots_on;
            self.boots_on = day.plus(1);
            let hour = self.random.normal(self.centre, duty.wander) - duty.hours / 2.0;
            let boot = (f64::from(day.number()) * DAY as f64 + hour * HOUR).max(0.0) as u64;
            if self.random.chance(duty.days) && boot + (duty.hours * HOUR) as u64 > now {
                return boot.max(now);
            }
        }
        NEVER
    }
}

/// The name at the place where a round is.
fn index(round: &Round, habits: &Habits) -> u32 {
    let listed = u64::from(habits.listed);
    let index = match habits.order {
        Order::Random => Shuffle::new(round.key, listed).at(round.place.into()),
        Order::List => u64::from(round.place),
        Order::Cut => (round.key % listed + u64::from(round.place)) % listed,
    };
    // Below the number of names.
    index as u32
}
