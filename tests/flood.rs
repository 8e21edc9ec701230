//! Forged sources by the million: memory stays below its ceiling, who is infected is found, no step takes long.

#![allow(clippy::unwrap_used, unsafe_code, reason = "a test may panic, and an allocator can only be unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::Transport;
use dgawatch::dga::Catalog;
use dgawatch::ledger::{CLIENTS, Context, Hit, Ledger, Masking, Verdict};
use dgawatch::watchlist::{Match, Patterns};

/// Counts what is taken and not given back.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands everything through to the system's allocator and only adds up sizes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(taken, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    // Zeroed memory comes from the system untouched.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(taken, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time: they share the counter.
static ALONE: Mutex<()> = Mutex::new(());

const FORGED: u32 = 14_000_000;

fn hit(source: IpAddr, index: u32, second: u64) -> Hit {
    Hit {
        source,
        time: Timestamp::from_parts(second, 0),
        response: false,
        port: 4_000,
        transport: Transport::Udp,
        id: 0,
        recursive: true,
        server: None,
        lifetime: None,
        told: None,
        matched: Match { family: 0, list_day: Day::EPOCH, index, collision: false },
    }
}

#[test]
fn fourteen_million_forged_sources() {
    let _alone = ALONE.lock();
    let at_first = TAKEN.load(Ordering::Relaxed);
    let infected: Vec<IpAddr> = (0..3).map(|n| Ipv4Addr::new(192, 0, 2, n).into()).collect();
    let mut ledger = Ledger::new(1_000_000);
    let ceiling = TAKEN.load(Ordering::Relaxed);
    let aside = ceiling - at_first;
    // 128 octets a row and two places of 4 in the index, up to the next power of two.
    assert!(aside < 137_000_000, "{aside} octets are set aside");
    MOST.store(ceiling, Ordering::Relaxed);
    let mut longest = Duration::ZERO;
    let mut step = |hit: &Hit| {
        let before = Instant::now();
        ledger.add(hit);
        longest = longest.max(before.elapsed());
    };
    (0..250).for_each(|index| step(&hit(infected[0], index, 1)));
    for n in 0..FORGED {
        // Every source once: an odd factor reaches each number.
        let source = Ipv4Addr::from(n.wrapping_mul(2_654_435_761)).into();
        step(&hit(source, n % 250, 2));
        // Slowly, as the worm asks: a name in 40,000 forged ones.
        if n % 40_000 == 0 {
            step(&hit(infected[1], n / 40_000 % 250, 2));
        }
    }
    (0..250).for_each(|index| step(&hit(infected[2], index, 3)));

    let most = MOST.load(Ordering::Relaxed);
    assert!(most < ceiling + 100_000, "{} octets beyond those set aside", most - ceiling);
    assert_eq!(ledger.len(), 1_000_000);
    let saturation = ledger.saturation();
    assert_eq!((saturation.refused, saturation.evicted_infected, saturation.names_refused), (0, 0, 0));
    assert!(saturation.evicted > u64::from(FORGED) - 1_000_100);
    let kept: u64 = ledger.rows().map(|(_, evidence)| evidence.matches).sum();
    assert_eq!(kept + ledger.not_kept(), 500 + u64::from(FORGED) + 350);
    for source in infected {
        let row = ledger.rows().find(|(key, _)| key.source == source).map(|(_, evidence)| Verdict::of(evidence));
        assert_eq!(row, Some(Verdict::Infected), "{source}");
    }
    // A table that grows stops for 873 ms at this size. Other programs run beside this one, so the bound is generous.
    assert!(longest < Duration::from_millis(400), "a step took {longest:?}");
}

/// Forged sources that each ask for all names of a list: what names take is bounded too, and verdicts stay right.
#[test]
fn names_have_a_bound() {
    let _alone = ALONE.lock();
    let mut ledger = Ledger::new(20_000);
    for n in 0..20_000 {
        for index in 0..500 {
            ledger.add(&hit(Ipv4Addr::from(n).into(), index * 100, 1));
        }
    }
    let (_, names) = ledger.size();
    assert!((5_000_000..=6_400_000).contains(&names) && ledger.saturation().names_refused > 0, "{names}");
    let infected = ledger.rows().filter(|(_, evidence)| Verdict::of(evidence) == Verdict::Infected).count();
    assert!(infected >= 18_700, "{infected}");
}

/// A million sources, some infected, are written and read back in bounded time and room.
#[test]
fn a_million_sources_cross_a_restart() {
    let _alone = ALONE.lock();
    let mut catalog = Catalog::default();
    catalog.add("synthetic:1000").unwrap();
    let (patterns, masking) = (Patterns::default(), Masking::default());
    let context = Context { catalog: &catalog, patterns: &patterns, masking: &masking, clients: CLIENTS };
    let mut ledger = Ledger::new(1_000_000);
    for n in 0..1_000_000 {
        for index in 0..if n % 10 == 0 { 20 } else { 1 } {
            ledger.add(&hit(Ipv4Addr::from(n).into(), (n + index * 7) % 1_000, 1_238_565_600));
        }
    }
    let mut octets = Vec::with_capacity(100 << 20);
    let start = Instant::now();
    context.write(&ledger, &mut octets).unwrap();
    let (written, start) = (start.elapsed(), Instant::now());
    drop(ledger);
    let taken = TAKEN.load(Ordering::Relaxed);
    MOST.store(taken, Ordering::Relaxed);
    let restored = context.read(&octets, 1_000_000).unwrap();
    let read = start.elapsed();
    println!("{} octets, written in {written:?}, read in {read:?}", octets.len());
    assert_eq!((restored.ledger.len(), restored.left_out.len()), (1_000_000, 0));
    assert!(octets.len() < 40_000_000, "{} octets", octets.len());
    assert!(written < Duration::from_secs(5) && read < Duration::from_secs(10), "{written:?} {read:?}");
    let most = MOST.load(Ordering::Relaxed) - taken;
    assert!(most < 137_000_000 + restored.ledger.size().1 + 100_000, "{most} octets to read it");
    let infected = restored.ledger.rows().filter(|(_, evidence)| Verdict::of(evidence) == Verdict::Infected).count();
    assert_eq!(infected, 100_000);
}
