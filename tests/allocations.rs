//! Nothing on the way of a packet takes memory, once the lists of its day are open: counted by the allocator.

#![allow(clippy::unwrap_used, unsafe_code, reason = "a test may panic, and an allocator can only be unsafe")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use dgawatch::day::{Day, Timestamp};
use dgawatch::decode::{Config, Decoder, Reading};
use dgawatch::dga::Catalog;
use dgawatch::source::{LinkType, Record};
use dgawatch::watchlist::{Found, Hasher, Patterns, SearchList, Watchlist};
use support::lists::Fresh;
use support::names;
use support::packets::{at, ethernet, nxdomain, query, udp};

/// Counts calls.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands everything through to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Queries and responses, over IPv4 and IPv6, tagged and in tunnels, listed names, near misses and names that are neither.
#[test]
fn none_for_a_packet() {
    let mut catalog = Catalog::default();
    catalog.add("conficker").unwrap();
    // Large enough for the form of 25 million.
    catalog.add("synthetic:100000").unwrap();
    let mut patterns = Patterns::default();
    patterns.add_indicators(&catalog);
    let (hasher, search_list) = (Hasher::default(), SearchList::default());
    let lists = Fresh { catalog: &catalog, hasher: hasher.clone() };
    let mut watchlist = Watchlist::new(&catalog, &lists, hasher, 1, &patterns, &search_list);
    let mut decoder = Decoder::new(Config::new(&[], &[]));

    let mut packets = vec![];
    let listed: Vec<String> = ["conficker-a", "conficker-b", "conficker-c", "synthetic:100000"]
        .iter()
        .flat_map(|family| names(family, "2009-04-01").into_iter().take(50))
        .collect();
    for (place, name) in listed.iter().enumerate() {
        for name in [name.clone(), format!("x{name}"), format!("www.{name}"), name.to_uppercase(), "getmyip.org".to_owned()] {
            let (v6, client) = (place % 3 == 0, 1_024 + place as u16);
            let (host, resolver) = if v6 { ("2001:db8::7", "2001:db8::53") } else { ("192.0.2.7", "198.51.100.53") };
            let (host, resolver) = (at(host, client), at(resolver, 53));
            let asked = udp(host, resolver, &query(7, &name, 1));
            let tags: &[(u16, u16)] = if place % 2 == 0 { &[] } else { &[(0x88A8, 5), (0x8100, 6)] };
            packets.push(ethernet(tags, &asked));
            packets.push(ethernet(tags, &udp(resolver, host, &nxdomain(7, &name, 28))));
            let vxlan = [&[8, 0, 0, 0, 0, 0, 9, 0][..], &ethernet(&[], &asked)].concat();
            packets.push(ethernet(&[], &udp(at("203.0.113.1", 49_152), at("203.0.113.2", 4789), &vxlan)));
            packets.push(ethernet(&[], &udp(host, at(if v6 { "2001:db8::80" } else { "203.0.113.80" }, 443), &[0x45; 60])));
        }
    }
    let time = Timestamp::from_parts(Day::of(2009, 4, 1).number() as u64 * 86_400 + 7, 0);
    let mut pass = || {
        let (mut messages, mut hits, mut sightings) = (0, 0, 0);
        let mut found = |(), found| match found {
            Found::Listed(_) | Found::Appended(_) => hits += 1,
            Found::Watched(_) => sightings += 1,
        };
        for data in &packets {
            let record = Record { time, link: LinkType::ETHERNET, data };
            let Reading::Message(message) = decoder.read(record) else { continue };
            messages += 1;
            let name = message.question.unwrap().name;
            if watchlist.opens(message.time, name) && watchlist.sift(std::iter::once((message.time, name))) > 0 {
                watchlist.find(message.time, name, || (), &mut found);
            }
        }
        watchlist.flush(&mut found);
        (messages, hits, sightings)
    };
    let first = pass();
    let before = CALLS.load(Ordering::Relaxed);
    let second = pass();
    let calls = CALLS.load(Ordering::Relaxed) - before;
    assert_eq!(calls, 0, "allocations for {} packets", packets.len());
    assert_eq!(first, second);
    let (messages, hits, sightings) = first;
    assert_eq!(messages, packets.len() / 4 * 3);
    assert!(hits >= 2 * 3 * listed.len() && sightings >= 3 * listed.len(), "{hits} hits, {sightings} sightings");
}
