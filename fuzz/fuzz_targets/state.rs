//! Any state file: refused in a sentence, or a ledger that is written and read back as it is.

#![no_main]

use dgawatch::dga::Catalog;
use dgawatch::ledger::{CLIENTS, Context, Ledger, Masking};
use dgawatch::watchlist::Patterns;
use libfuzzer_sys::fuzz_target;

/// Rows that there is room for.
const BOUND: usize = 1_000;

fuzz_target!(|octets: &[u8]| {
    let mut catalog = Catalog::default();
    for id in ["conficker-a", "conficker-b"] {
        catalog.add(id).expect("it is built in");
    }
    let (mut patterns, masking) = (Patterns::default(), Masking::default());
    patterns.add_indicators(&catalog);
    let context = Context { catalog: &catalog, patterns: &patterns, masking: &masking, clients: CLIENTS };
    // The checksum keeps nearly everything out: what would come behind it is tried with a right one too.
    for octets in [octets.to_vec(), with_checksum(octets)] {
        match context.read(&octets, BOUND) {
            Err(why) => assert!(!why.is_empty() && !why.contains('\n')),
            Ok(restored) => {
                assert!(restored.ledger.len() <= BOUND);
                let written = write(&context, &restored.ledger);
                let again = context.read(&written, BOUND).unwrap_or_else(|why| panic!("it reads what it wrote: {why}"));
                assert!(again.left_out.is_empty(), "{:?}", again.left_out);
                assert_eq!(write(&context, &again.ledger), written);
            }
        }
    }
});

fn write(context: &Context<'_>, ledger: &Ledger) -> Vec<u8> {
    let mut octets = vec![];
    context.write(ledger, &mut octets).expect("memory takes everything");
    octets
}

/// CRC-32 as in ISO 3309, octet by octet.
fn with_checksum(octets: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for octet in octets {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = if crc & 1 > 0 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    [octets, &(!crc).to_le_bytes()].concat()
}
