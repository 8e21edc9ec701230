//! Any folder of Parquet files: refused in a sentence, or one report, the same each time; and never more memory than there is for it.

#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use dgawatch::dga::Catalog;
use dgawatch::export::{Desk, ReportFormat, ReportHead, ReportUnion, families_of};
use libfuzzer_sys::fuzz_target;

/// Octets of memory that a folder of some kilobytes may take: what the bounds of `export/parquet/groups.rs` come to.
const MOST: usize = 1 << 30;

/// Gives out so much and no more: the program ends where more is asked for, whether it would be used or not.
struct Bounded;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands everything through to the system's allocator, or gives nothing, which an allocator may.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if TAKEN.fetch_add(layout.size(), Ordering::Relaxed) + layout.size() > MOST {
            TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fuzz_target!(
    // The reader catches panics of the crate for the format, which are no findings; those that nobody catches end the process.
    init: panic::set_hook(Box::new(|why| if env::var_os("TOLD").is_some() { eprintln!("{why}") })),
    |octets: &[u8]| {
        let folder = env::temp_dir().join(format!("dgawatch-fuzz-{}", process::id()));
        let mut rest = octets;
        for kind in ["lists", "servers", "evidence"] {
            let length = if kind == "evidence" { rest.len() } else { first(rest) };
            let file = folder.join(kind).join("a.parquet");
            fs::create_dir_all(folder.join(kind)).expect("there is room");
            fs::write(file, &rest[..length]).expect("there is room");
            rest = &rest[length..];
        }
        let report = merge(&folder);
        if let Err(why) = &report {
            assert!(!why.is_empty() && !why.contains('\n'), "{why:?}");
        }
        assert!(merge(&folder) == report);
    }
);

/// The length of the first of several files: each begins with `PAR1`, and ends with it.
fn first(files: &[u8]) -> usize {
    files.windows(8).position(|octets| octets == b"PAR1PAR1").map_or(files.len(), |place| place + 4)
}

/// As `dgawatch merge --format json` does it.
fn merge(folder: &Path) -> Result<Vec<u8>, String> {
    let heads = vec![ReportHead::of_folder(folder)?];
    let mut catalog = Catalog::default();
    for id in families_of(&heads) {
        catalog.add(&id)?;
    }
    let mut union = ReportUnion::new(heads, catalog).map_err(|(_, why)| why)?;
    union.add_folder(folder)?;
    let report = union.finish(Desk::default()).map_err(|(_, why)| why)?;
    let mut text = vec![];
    report.write(ReportFormat::Json, &mut text).expect("memory takes everything");
    Ok(text)
}
