//! Containment: how many hosts reach at least one name that somebody holds, and how many hosts made so many lookups at them.
//!
//! A host asks for `asked` names of a list of `names`, drawn at random without repetition; somebody holds `held` of the list.
//! How many held names the host asks for is then hypergeometric, and it reaches one unless it asks for none:
//! reach = 1 - C(names - held, asked) / C(names, asked). Where a share of names is blocked, each held name is of use with
//! the rest of the probability.
//!
//! No factorials are computed, so that nothing overflows or cancels: the distribution is summed outwards from its mode, where
//! each term follows from its neighbour by a ratio of four integers.

/// The arithmetic of one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containment {
    names: u64,
    asked: u64,
}

/// Hosts, from their lookups at held names: a 95 % interval and the most likely number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hosts {
    /// Lower end.
    pub low: f64,
    /// Lookups over lookups a host.
    pub best: f64,
    /// Upper end.
    pub high: f64,
}

/// The longest list that is reckoned with.
pub const MOST_NAMES: u64 = 1_000_000_000;

/// Quantile of the normal distribution for a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Terms below this share of the sum so far are left out: less than the last bit of a sum.
const NEGLIGIBLE: f64 = 1e-18;

impl Containment {
    /// Of a list of `names` of which a host asks for `asked`.
    ///
    /// # Errors
    /// One sentence when a host would ask for no name or more names than there are, or there are more than [`MOST_NAMES`].
    pub fn new(names: u64, asked: u64) -> Result<Self, String> {
        if !(1..=MOST_NAMES).contains(&names) {
            return Err(format!("a list of {names} names is not reckoned with: 1 to {MOST_NAMES}"));
        }
        if !(1..=names).contains(&asked) {
            return Err(format!("a host cannot ask for {asked} of {names} names"));
        }
        Ok(Self { names, asked })
    }

    /// Names of the list.
    pub const fn names(&self) -> u64 {
        self.names
    }

    /// Names that a host asks for in a day.
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    /// The share of hosts that reach at least one of `held` names in a day, when a share `blocked` of all names is of no use.
    ///
    /// Between 0 and 1 whatever is asked: more names than there are count as all, shares outside 0 to 1 as its ends.
    pub fn reach(&self, held: u64, blocked: f64) -> f64 {
        let (names, asked, held) = (self.names, self.asked, held.min(self.names));
        let blocked = if blocked.is_nan() { 0.0 } else { blocked.clamp(0.0, 1.0) };
        // All three are at most 10^9: no sum or product of two of them is over 64 bits.
        let (least, most) = ((held + asked).saturating_sub(names), held.min(asked));
        let mode = ((held + 1) * (asked + 1) / (names + 2)).clamp(least, most);
        // The probability of `count` + 1 held names over that of `count`.
        let step = |count: u64| {
            let more = ((held - count) * (asked - count)) as f64;
            more / ((count + 1) as f64 * (names + count + 1 - held - asked) as f64)
        };
        // That not all of `count` held names are blocked.
        let useful = |count: u64| match count {
            0 => 0.0,
            _ => -libm::expm1(count as f64 * libm::log(blocked)),
        };
        let mut sum = 1.0;
        let mut reached = useful(mode);
        let mut add = |count, term: f64| {
            sum += term;
            reached += term * useful(count);
            term > sum * NEGLIGIBLE
        };
        let mut term = 1.0;
        for count in mode..most {
            term *= step(count);
            if !add(count + 1, term) {
                break;
            }
        }
        term = 1.0;
        for count in (least..mode).rev() {
            term /= step(count);
            if !add(count, term) {
                break;
            }
        }
        (reached / sum).clamp(0.0, 1.0)
    }

    /// The fewest held names by which more than `share` of the hosts reach one in a day; nothing where all names are too few.
    pub fn names_for(&self, share: f64, blocked: f64) -> Option<u64> {
        // What is reached by a number of names exactly is not more than that, whatever the last bits say.
        let enough = |held: u64| self.reach(held, blocked) > share + 1e-12;
        if !enough(self.names) {
            return None;
        }
        let (mut few, mut enough_of) = (0, self.names);
        while enough_of - few > 1 {
            let middle = few + (enough_of - few) / 2;
            if enough(middle) {
                enough_of = middle;
            } else {
                few = middle;
            }
        }
        Some(enough_of)
    }

    /// Lookups at `held` names that a host makes in a day, on average.
    pub fn lookups_per_host(&self, held: u64, blocked: f64) -> f64 {
        let held = held.min(self.names) as f64;
        held * (1.0 - blocked.clamp(0.0, 1.0)) * (self.asked as f64 / self.names as f64)
    }

    /// The hosts that make so many lookups at `held` names in a day, each host asking once for each name it drew; nothing
    /// where no lookup can be expected. The interval is that of chance alone: caches, lost packets and shared addresses are not in it.
    pub fn hosts(&self, lookups: u64, held: u64, blocked: f64) -> Option<Hosts> {
        let each = self.lookups_per_host(held, blocked);
        if each <= 0.0 {
            return None;
        }
        let (low, high) = poisson(lookups);
        Some(Hosts { low: low / each, best: lookups as f64 / each, high: high / each })
    }
}

/// What is reached in so many days, a new list each, when `reach` is reached in one.
pub fn over_days(reach: f64, days: f64) -> f64 {
    -libm::expm1(days * libm::log1p(-reach.clamp(0.0, 1.0)))
}

/// 95 % interval of the mean of a Poisson distribution that gave `count`.
///
/// From 100 on the normal approximation, below it Byar's, which is close to the exact limits even at one (N. Breslow and N.
/// Day, "Statistical Methods in Cancer Research", volume II, 1987, formula 2.13).
fn poisson(count: u64) -> (f64, f64) {
    let n = count as f64;
    if count >= 100 {
        return (n - Z * n.sqrt(), n + Z * n.sqrt());
    }
    let cube = |root: f64| root * root * root;
    let byar = |n: f64, z: f64| n * cube(1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt()));
    (if count == 0 { 0.0 } else { byar(n, -Z) }, byar(n + 1.0, Z))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: u64, asked: u64) -> Containment {
        Containment::new(names, asked).unwrap()
    }

    /// As the formula says it: a product over the smaller of the two numbers.
    fn naive(names: u64, asked: u64, held: u64) -> f64 {
        let (few, many) = (asked.min(held), asked.max(held));
        if few + many > names {
            return 1.0;
        }
        1.0 - (0..few).map(|i| (names - many - i) as f64 / (names - i) as f64).product::<f64>()
    }

    /// Conficker C: 500 of 50,000.
    #[test]
    fn worked_examples() {
        let c = of(50_000, 500);
        for (held, percent) in [(1, "1.00"), (10, "9.56"), (69, "50.04"), (100, "63.43"), (459, "99.03")] {
            assert_eq!(format!("{:.2}", 100.0 * c.reach(held, 0.0)), percent, "{held}");
        }
        let needed = [0.01, 0.1, 0.5, 0.9].map(|share| c.names_for(share, 0.0).unwrap());
        assert_eq!(needed, [2, 11, 69, 229]);
        assert_eq!(format!("{:.3}", 100.0 * c.reach(100, 0.99)), "0.995");
        let day = c.reach(1, 0.0);
        assert_eq!(format!("{:.1} {:.0}", 100.0 * over_days(day, 7.0), 100.0 * over_days(day, 30.0)), "6.8 26");
        // 25 million names: what an attacker needs for 1 % and 50 %.
        for (asked, one, half) in [(500, 503, 34_634), (5_000, 51, 3_466), (50_000, 6, 347), (250_000, 2, 69)] {
            let family = of(25_000_000, asked);
            let near = |got: Option<u64>, wanted: u64| got.unwrap().abs_diff(wanted) <= 1 + wanted / 1_000;
            assert!(near(family.names_for(0.01, 0.0), one) && near(family.names_for(0.5, 0.0), half), "{asked}");
        }
    }

    /// Bkis, 1 April 2009: 13,841 lookups at six held names of Conficker C, which the press multiplied by 100.
    #[test]
    fn the_press_of_2009() {
        let c = of(50_000, 500);
        let hosts = c.hosts(13_841, 6, 0.0).unwrap();
        assert_eq!(hosts.best.round(), 230_683.0);
        let hundreds = |number: f64| (number / 100.0).round() * 100.0;
        assert_eq!((hundreds(hosts.low), hundreds(hosts.high)), (226_800.0, 234_500.0));
    }

    #[test]
    fn as_the_naive_product() {
        for names in [1, 2, 3, 10, 57, 1_000, 50_000] {
            for asked in [1, 2, names / 2, names - 1, names].into_iter().filter(|asked| (1..=names).contains(asked)) {
                for held in [0, 1, 2, names / 3, names - 1, names].into_iter().filter(|held| *held <= names) {
                    let (got, wanted) = (of(names, asked).reach(held, 0.0), naive(names, asked, held));
                    assert!((got - wanted).abs() < 1e-9, "{names} {asked} {held}: {got} {wanted}");
                }
            }
        }
    }

    /// Blocking, by going through every way to draw.
    #[test]
    fn blocked_as_counted_out() {
        let (names, asked, held) = (12_u32, 5, 4);
        for blocked in [0.0, 0.25, 0.9, 1.0] {
            let (mut draws, mut reached) = (0.0, 0.0);
            for draw in 0_u32..1 << names {
                if draw.count_ones() == asked {
                    draws += 1.0;
                    reached += 1.0 - f64::powi(blocked, (draw & ((1 << held) - 1)).count_ones() as i32);
                }
            }
            let got = of(names.into(), asked.into()).reach(held, blocked);
            assert!((got - reached / draws).abs() < 1e-12, "{blocked}: {got}");
        }
    }

    #[test]
    fn no_size_breaks_it() {
        for names in [1, 2, 250, 50_000, 25_000_000, MOST_NAMES] {
            for asked in [1, names / 1_000, names / 2, names].into_iter().filter(|asked| *asked > 0) {
                let family = of(names, asked);
                let mut before = 0.0;
                for held in [0, 1, 2, 1_000, names / 7, names / 2, names - 1, names, u64::MAX] {
                    for blocked in [0.0, 1e-12, 0.5, 0.999_999, 1.0, f64::NAN, -1.0, 2.0] {
                        let reach = family.reach(held, blocked);
                        assert!((0.0..=1.0).contains(&reach), "{names} {asked} {held} {blocked}: {reach}");
                    }
                    if held >= 1_000 && held <= names {
                        let reach = family.reach(held, 0.0);
                        assert!(reach + 1e-9 >= before, "{names} {asked} {held}");
                        before = reach;
                    }
                }
                assert_eq!((family.reach(0, 0.0), family.reach(1, 1.0)), (0.0, 0.0));
                assert!((family.reach(names, 0.0) - 1.0).abs() < 1e-12);
                assert_eq!(family.names_for(0.5, 1.0), None);
            }
        }
        // One chance in a thousand million is not lost in the sum.
        assert!((of(MOST_NAMES, 1).reach(1, 0.0) * 1e9 - 1.0).abs() < 1e-9);
        assert!(Containment::new(0, 0).is_err() && Containment::new(10, 11).is_err() && Containment::new(10, 0).is_err());
    }

    #[test]
    fn all_names_asked() {
        let a = of(250, 250);
        assert_eq!((a.reach(1, 0.0), a.names_for(0.9, 0.0)), (1.0, Some(1)));
        assert!((a.reach(1, 0.3) - 0.7).abs() < 1e-12 && (a.reach(2, 0.3) - 0.91).abs() < 1e-12);
    }

    /// Exact limits from tables of the Poisson distribution.
    #[test]
    fn intervals_of_few() {
        for (count, low, high) in [(0, 0.0, 3.69), (1, 0.025, 5.57), (10, 4.80, 18.39), (99, 80.46, 120.53), (100, 80.4, 119.6)] {
            let got = poisson(count);
            assert!((got.0 - low).abs() < 0.05 && (got.1 - high).abs() < 0.1, "{count}: {got:?}");
        }
        assert_eq!(of(50_000, 500).hosts(0, 0, 0.0), None);
        assert_eq!(over_days(1.0, 7.0), 1.0);
    }
}
