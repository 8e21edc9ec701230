//! Has memory come to the processor before it is needed.
//!
//! The one place with `unsafe` beside `source/mapped.rs`. Why it is needed: nothing that is safe begins a fetch and goes on; a
//! load must end before what comes some hundred instructions after it can. With loads in its place a packet costs 13 % more where
//! lists have 25 million names, 25 ns for 22 (benches/README.md). Why it is sound: a fetch is a hint that reads nothing, wherever it
//! points (AMD64 Architecture Programmer's Manual, volume 3, "PREFETCHlevel"; Intel SDM, volume 2, "PREFETCHh"), and it points to an
//! octet that is there.

/// Begins to fetch what an octet lies in, and goes on at once.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "see above")]
pub(super) fn fetch(octet: &u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    // SAFETY: see above.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(octet).cast()) }
}

/// Loads an octet: other processors have no call that is stable in Rust.
#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn fetch(octet: &u8) {
    std::hint::black_box(*octet);
}

/// Has octets fetched from memory beside each other, where one after the other would be written to next.
///
/// A processor that misses its caches goes on with other loads, but finishes its stores in their order.
#[inline(always)]
pub(crate) fn touch(octets: impl Iterator<Item = u8>) {
    std::hint::black_box(octets.fold(0, |all, octet| all ^ octet));
}
