//! All bars, as docs/ACCURACY.md shows them: measured in full by `make accept`, in part by the tests.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use super::bars::{self, floor_bar, hazard_bars, occupancy_bars, rhythm_bars};
use super::bars_whole as whole;
use super::sections::Section;

/// How much is measured.
pub struct Effort {
    /// Runs of estimators alone, and hosts of them.
    pub runs: u64,
    pub hosts: &'static [usize],
    /// Hosts in captures, of how many in all in each capture.
    pub through: &'static [u64],
    pub all: u64,
    /// Days of a million clients: in the ledger, and in captures; the population's scale in captures.
    pub days: (u64, u64),
    pub scale: f64,
    /// Counts of addresses, and seeds for each.
    pub addresses: &'static [u32],
    pub seeds: u64,
    pub visitors: &'static [u64],
    /// Hosts whose addresses change.
    pub changing: u64,
    /// Whether populations are counted that no bar asks for.
    pub others: bool,
}

pub const FULL: Effort = Effort {
    runs: 400,
    hosts: &[1, 3, 10, 30, 100, 300, 1_000],
    through: &[1, 3, 10, 30, 100, 300, 1_000],
    all: 3_000,
    days: (20, 5),
    scale: 1.0,
    addresses: &[1_000, 10_000, 100_000, 1_000_000],
    seeds: 300,
    visitors: &[100_000, 400_000],
    changing: 1_000,
    others: true,
};

pub const PART: Effort = Effort {
    runs: 40,
    hosts: &[1, 10, 100],
    through: &[1, 30],
    all: 120,
    days: (2, 1),
    scale: 0.05,
    addresses: &[1_000, 30_000],
    seeds: 20,
    visitors: &[2_000],
    changing: 200,
    others: false,
};

/// A population that is shipped, made larger or smaller.
fn shipped(name: &str, scale: f64) -> String {
    let path = format!("{}/examples/populations/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("populations are shipped");
    let clients = (1e6 * scale) as u64;
    text.replace("count = 1_000_000", &format!("count = {clients}"))
}

/// Every bar, measured with some effort.
pub fn sections(effort: &Effort) -> Vec<Section> {
    let Effort { runs, hosts, through, all, .. } = *effort;
    let of_rounds: Vec<usize> = if runs > 100 { vec![1, 3, 10, 30, 100, 300, 600, 850] } else { hosts.to_vec() };
    let up_to = |most: u64| through.iter().copied().filter(|n| *n <= most).collect::<Vec<u64>>();
    let [mut occupancy, mut loss] = occupancy_bars(runs, &of_rounds);
    let rounds: Vec<u64> = if through.len() > 2 { vec![1, 3, 10, 30, 100, 300, 850] } else { through.to_vec() };
    occupancy.extend(whole::occupancy_rows(&rounds, all));
    loss.extend(whole::loss_rows(&up_to(300), all));
    let mut floor = floor_bar(runs.div_ceil(3), hosts);
    floor.extend(whole::floor_rows(through, all));
    let mut hazard = hazard_bars(runs, hosts);
    hazard.extend(whole::hazard_rows(through, all));
    let mut rhythm = rhythm_bars(runs.div_ceil(2), hosts);
    rhythm.extend(whole::rhythm_rows(through, all));
    let ([long, saturated], [long_whole, saturated_whole]) = (bars::silence_bars(), whole::silence_rows());
    let mut verdicts = vec![
        bars::verdict_bar("conficker-c", 50_000, 175, effort.days.0),
        bars::verdict_bar("synthetic:25000000", 25_000_000, if runs > 100 { 87_500 } else { 2_000 }, effort.days.0.div_ceil(7)),
    ];
    verdicts.extend(whole::verdict_rows(&shipped("verdicts", effort.scale), effort.days.1));
    let mut delays: Vec<_> = bars::delay_bars(5 * runs as u32).into();
    delays.extend(whole::delay_rows(runs.min(200)));
    let mut distinct = bars::distinct_bar(effort.seeds, effort.addresses);
    distinct.extend(whole::distinct_rows(effort.visitors));
    let mut churn = bars::churn_bars();
    churn.extend(whole::churn_rows(effort.changing));
    let [press, reach] = whole::containment_rows();
    let mut sections = vec![
        Section {
            number: 1,
            title: "C: rounds behind one address",
            asked: "Up to 300 hosts the median error is 1 % at most, 95 % of errors are 2 % at most, and the printed interval holds the \
                    truth in 97 % of cases; up to 850 hosts 3 % and 93 %. Names are the same behind caches and with a quarter asked \
                    for again.",
            columns: &["through", "hosts", "runs", "median error", "95 % within", "held", "behind a cache"],
            rows: occupancy,
        },
        Section {
            number: 2,
            title: "C: a tenth of packets lost",
            asked: "Where the loss is known the bias is 0.5 % at most, the interval holds the truth in 95 % of cases, and it is said.",
            columns: &["through", "hosts", "runs", "bias", "held"],
            rows: loss,
        },
        Section {
            number: 3,
            title: "B: hosts behind one address, no cache",
            asked: "Low is never above the truth, and at least 0.97 of it up to 1,000 hosts.",
            columns: &["through", "hosts", "runs", "above", "least share"],
            rows: floor,
        },
        Section {
            number: 4,
            title: "B: hosts above caches",
            asked: "Above one cache of up to 900 s the median error is 30 % at most up to 30 hosts, 10 % from 100 on; intervals hold the \
                    truth in 95 % of cases, with four caches too, and in 93 % where hosts behave as described in 2009, in 90 % where \
                    caches keep names for over half an hour. Errors are those of whole hosts: of three, one is a third.",
            columns: &["through", "cache", "hosts", "runs", "median error", "held"],
            rows: hazard,
        },
        Section {
            number: 4,
            title: "B: hosts that are on for eight hours, above a cache of 900 s",
            asked: "The bias is 25 % at most, the interval holds the average in 95 % of cases.",
            columns: &["through", "hosts", "runs", "bias", "held"],
            rows: rhythm,
        },
        Section {
            number: 5,
            title: "B: above a cache that keeps names for more than half a cycle",
            asked: "There is no number.",
            columns: &["through", "hosts", "said"],
            rows: vec![long, long_whole],
        },
        Section {
            number: 6,
            title: "C: all names seen",
            asked: "At least 967, and no upper bound.",
            columns: &["through", "hosts", "said"],
            rows: vec![saturated, saturated_whole],
        },
        Section {
            number: 7,
            title: "Verdicts among a million clients",
            asked: "With three popular sites on the list there are 0.05 false verdicts a day at most, no host that made a twentieth of a \
                    round is missed, and whoever reads the list is told.",
            columns: &["through", "list", "days", "false", "missed", "readers told"],
            rows: verdicts,
        },
        Section {
            number: 7,
            title: "Names that make a verdict",
            asked: "So many that chance gives them to 0.01 sources a day, by how many names a source meets and how many sources there \
                    are: as in the design.",
            columns: &["names met", "10,000 sources", "100,000", "1,000,000", "10,000,000"],
            rows: bars::threshold_rows(),
        },
        Section {
            number: 8,
            title: "From the first lookup to the verdict",
            asked: "10 s at B's pace, five minutes at C's. Captures that end a second after that have all verdicts.",
            columns: &["through", "family", "hosts", "within", "of"],
            rows: delays,
        },
        Section {
            number: 9,
            title: "Different addresses",
            asked: "Exact up to 262,144; beyond, the root of mean squared errors is 1 % at most, no error is above 3.5 %, and merged \
                    sketches are those of the whole.",
            columns: &["through", "addresses", "runs", "counted"],
            rows: distinct,
        },
        Section {
            number: 10,
            title: "Addresses that change",
            asked: "The line through counts, read at one cycle, is within 3 % of always-on hosts and 10 % of those on for eight hours. A \
                    week has less than 1.3 times the addresses of a day where hosts keep theirs, and above 5 times where each boot \
                    brings a new one.",
            columns: &["through", "hosts, and when their addresses change", "line", "week by day"],
            rows: churn,
        },
        Section {
            number: 11,
            title: "The press of 2009",
            asked: "13,841 lookups at six held names of C are 230,683 hosts, 226,800 to 234,500 by chance alone, not 1,384,100. \
                    `tests/contain.rs` holds what `dgawatch contain` prints.",
            columns: &["held names", "lookups", "hosts", "95 %"],
            rows: press,
        },
        Section {
            number: 12,
            title: "Five addresses, two infections",
            asked: "Two hosts of B seen at stubs, forwarders and a resolver count as two, and their cycle is 183 to 185 minutes.",
            columns: &["through", "packets missing", "infected addresses", "hosts", "cycle"],
            rows: whole::tier_rows(&shipped("tiers", 1.0)),
        },
        Section {
            number: 13,
            title: "Reach of held names of C",
            asked: "1.00, 9.56, 50.04, 63.43 and 99.03 % a day for 1, 10, 69, 100 and 459 names. `tests/contain.rs` holds what \
                    `dgawatch contain` prints.",
            columns: &["held names", "reached"],
            rows: reach,
        },
    ];
    if effort.others {
        sections.push(Section {
            number: 0,
            title: "What no bar asks for",
            asked: "One capture each through the whole path, counted for the family: the truth lies between low and high. An interval \
                    of 95 % may miss one in twenty.",
            columns: &["population", "hosts", "counted"],
            rows: whole::other_rows(),
        });
    }
    sections
}
