//! How fast the ledger takes hits on one thread: sources by the hundred thousand, a hundredth of them infected.
//!
//! ```text
//! cargo run --release --example hits
//! ```

use std::net::Ipv4Addr;
use std::time::Instant;

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::Transport;
use dgawatch::dga::Catalog;
use dgawatch::ledger::{Hit, Ledger, Rule};
use dgawatch::watchlist::Match;

fn main() {
    const SOURCES: u32 = 200_000;
    let list_day = Day::of(2009, 4, 1);
    let mut hits = vec![];
    let mut state = 1_u64;
    for n in 0..4_000_000_u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 33) as u32;
        // Two of three hits are of infected sources, which ask for any name; others ask for one of two.
        let infected = !random.is_multiple_of(3);
        let source = if infected { random % (SOURCES / 100) } else { random % SOURCES };
        let index = if infected { random / 7 % 250 } else { 20 * (random & 1) };
        hits.push(Hit {
            source: Ipv4Addr::from(source).into(),
            time: Timestamp::from_nanos(1_238_544_000_000_000_000 + n * 20_000_000),
            response: n % 2 == 1,
            port: 1_024,
            transport: Transport::Udp,
            id: n as u16,
            recursive: true,
            server: (n % 2 == 1).then(|| Ipv4Addr::new(198, 51, 100, 53).into()),
            lifetime: None,
            told: None,
            matched: Match { family: 0, list_day, index, collision: false },
        });
    }
    let mut catalog = Catalog::default();
    catalog.add("conficker-b").expect("it is built in");
    let mut rates = vec![];
    for _ in 0..9 {
        let mut ledger = Ledger::new(1_000_000);
        ledger.judge_by(Rule::of_all(&catalog), true);
        let begin = Instant::now();
        ledger.add_all(&hits, |_| {});
        rates.push(hits.len() as f64 / begin.elapsed().as_secs_f64() / 1e6);
        assert_eq!(ledger.not_kept(), 0);
    }
    rates.sort_unstable_by(f64::total_cmp);
    println!("{:.2} million hits a second (median of 9; {:.2} to {:.2})", rates[4], rates[0], rates[8]);
}
