//! What it takes to be sure of a family: computed from how often chance, and honest sites, meet its names.

use std::collections::BTreeMap;

use super::estimate::threshold;
use crate::day::Day;
use crate::dga::{Catalog, Family, FamilyId, Habit};

/// False verdicts that are allowed a list day.
const ALLOWED: f64 = 0.01;

/// Clients that a network is taken to have where nobody says how many. Those who ask for no listed name are not counted.
pub const CLIENTS: u64 = 1_000_000;

/// Users that are taken to stand behind a resolver or forwarder, all clients at most; and clients for each of those.
const USERS: f64 = 1e4;
const CLIENTS_A_RESOLVER: f64 = 1e3;

/// Registered sites that a client asks for on a day, and how many there are in all.
const SITES_A_DAY: f64 = 300.0;
const SITES: f64 = 3.5e8;

/// The share of a generator's names of 4 to 11 letters that exist for other reasons: 150 to 200 of 50,000 a day of
/// Conficker C (Leder and Werner 2009, section 7.1), 28 of 7,750 of B (SophosLabs, March 2009).
const COLLIDING: f64 = 0.0035;

/// Names whose lookups are kept, where each host asks for all: enough, as names move together.
const WATCHED: u32 = 60;

/// Verdicts rest on no fewer names than this.
pub(super) const LEAST: u16 = 3;

/// The rule of one family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Clients that may give a false verdict.
    pub(super) clients: f64,
    /// Names that a source meets by chance on a list day.
    pub(super) background: f64,
    /// Distinct names that make a verdict.
    pub(super) needed: u16,
    /// The same for a resolver with many users.
    pub(super) needed_of_crowd: u16,
    /// Of which names lookups are kept: each so-manyth; 0 for none.
    pub(super) step: u32,
    /// Seconds in which distinct names are counted, to tell those who read lists from hosts.
    pub(super) window: u64,
    /// Names of the list.
    pub(super) list: u32,
    /// How hosts choose among them.
    pub(super) habit: Option<Habit>,
    /// The family that this one is a placebo of, and names for each of its. A placebo makes nobody infected.
    pub(super) placebo_of: Option<(FamilyId, u32)>,
}

impl Default for Rule {
    /// Of a short list of which nothing is known.
    fn default() -> Self {
        Self {
            clients: CLIENTS as f64,
            background: 0.0,
            needed: LEAST,
            needed_of_crowd: LEAST,
            step: 0,
            window: 10,
            list: 0,
            habit: None,
            placebo_of: None,
        }
    }
}

impl Rule {
    /// The rules of all families in a network of [`CLIENTS`].
    pub fn of_all(catalog: &Catalog) -> Vec<Self> {
        Self::of_network(catalog, CLIENTS)
    }

    /// The rules of all families in a network of so many clients.
    pub fn of_network(catalog: &Catalog, clients: u64) -> Vec<Self> {
        let id = |id: &str| catalog.iter().find(|(_, family)| family.id() == id).map(|(id, _)| id);
        let placebo_of = |family: &dyn Family| family.placebo_of().and_then(|(of, times)| Some((id(of)?, times)));
        catalog.iter().map(|(_, family)| Self { placebo_of: placebo_of(family), ..Self::of(family, clients as f64) }).collect()
    }

    fn of(family: &dyn Family, clients: f64) -> Self {
        let names = family.usual_count();
        let least = if matches!(family.habit(), Some(Habit::Sample { .. })) { LEAST + 1 } else { LEAST };
        let background = SITES_A_DAY * COLLIDING * f64::from(names) / SITES;
        let least = if family.placebo_of().is_some() { u16::MAX } else { least };
        let needed = |mu, sources| (threshold(mu, sources, ALLOWED) as u16).max(least);
        let (step, window) = match family.habit() {
            Some(Habit::All { .. }) => (names.div_ceil(WATCHED).max(1) - u32::from(names > WATCHED), 60),
            _ => (0, 10),
        };
        Self {
            clients,
            background,
            needed: needed(background, clients),
            needed_of_crowd: needed(background * USERS.min(clients), (clients / CLIENTS_A_RESOLVER).max(1.0)),
            step,
            window,
            list: names,
            habit: family.habit(),
            placebo_of: None,
        }
    }

    /// Of which names lookups are kept, and for how many seconds new ones are counted.
    pub(super) const fn pace(&self) -> (u32, u64) {
        (self.step, self.window)
    }

    /// The same where chance is seen to meet so many names of the list for each source.
    pub(super) fn measured(self, background: f64) -> Self {
        let needed = (threshold(background, self.clients, ALLOWED) as u16).max(self.needed);
        Self { background: background.max(self.background), needed, ..self }
    }

    /// The same where so many sources were seen, if these are more than it reckoned with.
    pub(super) fn among(self, sources: u64) -> Self {
        let clients = self.clients.max(sources as f64);
        Self { clients, ..self }.measured(self.background)
    }

    /// Whether a source that asked for so many distinct names, at most so many of them new within a window, in so many
    /// messages, expands lists: its pace implies more hosts than its names do.
    pub(super) fn is_reader(&self, distinct: u64, most: u32, messages: u64) -> bool {
        match self.habit {
            // Hosts ask for a name in `pace` seconds, windows last ten. A host has 500 names in the end, a reader may ask for
            // any number. None of 280 simulated groups of 1 to 600 hosts, boot storms included, comes near this bound.
            Some(Habit::Sample { names, pace }) => {
                let list = f64::from(self.list);
                let unseen = (list - distinct as f64).max(3.0);
                let hosts = libm::log(unseen / list) / libm::log1p(-f64::from(names) / list);
                f64::from(most) * pace / 10.0 > 5.0f64.mul_add(hosts, 5.0)
            }
            // A host takes over two minutes for a round, a reader a few seconds. Where many hosts make rounds at once, names
            // are asked for again.
            Some(Habit::All { .. }) => 5 * most >= 4 * self.list && messages < 3 * distinct,
            None => false,
        }
    }

    /// False verdicts to expect of a network on a list day.
    pub(super) fn expected_false(&self) -> f64 {
        super::estimate::expected_false(self.background, self.clients, self.needed.into())
    }
}

/// The rules of all families, and those of list days on which chance was measured.
pub(super) struct Rules {
    pub(super) measured: BTreeMap<(FamilyId, Day), Rule>,
    /// Sources with evidence, of lists that more have than clients were reckoned with.
    pub(super) sources: BTreeMap<(FamilyId, Day), u64>,
    pub(super) usual: Vec<Rule>,
}

impl Rules {
    /// The rule of a list.
    pub(super) fn of(&self, family: FamilyId, list_day: Day) -> Rule {
        let usual = || self.usual.get(usize::from(family)).copied().unwrap_or_default();
        let rule = self.measured.get(&(family, list_day)).copied().unwrap_or_else(usual);
        self.sources.get(&(family, list_day)).map_or(rule, |sources| rule.among(*sources))
    }

    pub(super) fn is_measured(&self, family: FamilyId, list_day: Day) -> bool {
        self.measured.contains_key(&(family, list_day))
    }
}

/// What verdicts on one list rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standard {
    /// Distinct names that make a verdict on a client.
    pub needed: u16,
    /// The same on a resolver or forwarder, which has many users.
    pub needed_of_crowd: u16,
    /// Names of the list.
    pub names: u32,
    /// Those of them that a source meets by chance.
    pub background: f64,
    /// How hosts choose among them, where that is known.
    pub habit: Option<Habit>,
    /// Clients that the network is taken to have.
    pub clients: u64,
    /// False verdicts to expect of them.
    pub expected_false: f64,
    /// Names that are set aside, because most who ask for them ask for hardly anything else of the list.
    pub set_aside: u32,
    /// Whether a placebo measured what chance does.
    pub measured: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_lists_take_more_names() {
        let mut catalog = Catalog::default();
        for id in ["conficker", "synthetic:25000000", "synthetic:300", "placebo:conficker-b"] {
            catalog.add(id).unwrap();
        }
        catalog.add_list("ours", b"a.example").unwrap();
        let rules = Rule::of_all(&catalog);
        let needed: Vec<(u16, u16)> = rules.iter().map(|rule| (rule.needed, rule.needed_of_crowd)).collect();
        assert_eq!(needed, [(3, 3), (3, 3), (4, 10), (6, 871), (3, 3), (u16::MAX, u16::MAX), (3, 3)]);
        assert!(rules.iter().all(|rule| rule.expected_false() <= ALLOWED));
        assert_eq!(rules.iter().map(|rule| rule.step).collect::<Vec<_>>(), [4, 4, 0, 0, 0, 0, 0]);
        // How many clients there are does not matter to the worm's own lists.
        for (rule, clients) in rules[..3].iter().flat_map(|rule| [1e3, 1e6, 1e8].map(|clients| (rule, clients))) {
            assert!(threshold(rule.background, clients, ALLOWED) <= u64::from(rule.needed), "{clients}");
        }
        // What the formula says: mu of 25 million names is 0.075, of 2.5 million a tenth of that.
        for (clients, long, short) in [(1, 2, 1), (1_000, 4, 3), (1_000_000, 6, 4), (100_000_000, 7, 5)] {
            let mut catalog = Catalog::default();
            ["synthetic:25000000", "synthetic:2500000"].iter().for_each(|id| catalog.add(id).unwrap());
            let rules = Rule::of_network(&catalog, clients);
            let term = |mu: f64, j: u16| (1..=j).fold(libm::exp(-mu), |term, j| term * mu / f64::from(j));
            let tail = |mu: f64, k: u16| 1.0 - (0..k).map(|j| term(mu, j)).sum::<f64>();
            for (rule, expected) in rules.iter().zip([long, short]) {
                let k = (1..).find(|k| clients as f64 * tail(rule.background, *k) <= 0.01).unwrap();
                assert_eq!([rule.needed; 2], [expected, k].map(|k| k.max(LEAST + 1)), "{clients}");
                assert!(rule.expected_false() <= ALLOWED);
            }
            // Who was seen counts, whoever is said to be there.
            assert_eq!(rules[0].among(1_000_000).needed, if clients > 1_000_000 { 7 } else { 6 });
        }
        // 0.1 names a source and day, of a million sources.
        assert_eq!(rules[2].measured(0.1).needed, 6);
        assert_eq!(rules[3].measured(0.0), rules[3]);
        assert_eq!((rules[1].placebo_of, rules[5].placebo_of), (None, Some((1, 40))));
    }

    #[test]
    fn readers_ask_faster_than_hosts() {
        let mut catalog = Catalog::default();
        catalog.add("conficker").unwrap();
        let rules = Rule::of_all(&catalog);
        // distinct names, new ones in a window, messages.
        for (distinct, most, messages, b, c) in [
            (500, 1, 500, false, false),
            (40, 40, 40, false, true),
            (50_000, 30_000, 50_000, true, true),
            // 100 hosts of C that start within five minutes, of B in three.
            (31_600, 60, 40_000, false, false),
            (250, 240, 25_000, false, true),
            (250, 240, 500, true, true),
            (250, 90, 250, false, true),
        ] {
            let is = |rule: &Rule| rule.is_reader(distinct, most, messages);
            assert_eq!((is(&rules[1]), is(&rules[2])), (b, c), "{distinct} {most} {messages}");
        }
    }
}
