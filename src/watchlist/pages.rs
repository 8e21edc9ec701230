//! Memory for large tables, in pages of 2 MiB where the system has them, and parts of compiled files that are used in its place.
//!
//! A table that is probed at random costs a miss of the processor's page cache with nearly every probe where pages have
//! 4 KiB. Linux gives large ones to those who ask (`madvise`, MADV_HUGEPAGE); where it does not, all works as before.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};

/// Octets that a lookup reads, wherever they are.
pub(super) trait Memory {
    /// All of them.
    fn octets(&self) -> &[u8];

    /// The octets as groups of so many.
    #[inline(always)]
    fn groups<const SIZE: usize>(&self) -> &[[u8; SIZE]] {
        self.octets().as_chunks().0
    }
}

/// Octets, zero at first, that begin at a page.
pub(super) struct Pages(MmapMut);

impl Pages {
    /// A large page: smaller tables gain nothing from one.
    const LARGE: usize = 2 << 20;

    /// So many octets, at least one.
    ///
    /// # Panics
    /// When the system gives no memory, as any allocation does.
    pub(super) fn new(octets: usize) -> Self {
        let map = MmapMut::map_anon(octets).expect("without memory there is no going on");
        #[cfg(target_os = "linux")]
        if octets >= Self::LARGE {
            // A kernel built without them says so, and nothing is lost.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Self(map)
    }

    #[inline(always)]
    pub(super) fn groups_mut<const SIZE: usize>(&mut self) -> &mut [[u8; SIZE]] {
        self.0.as_chunks_mut().0
    }
}

impl Memory for Pages {
    #[inline(always)]
    fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// A part of a mapped file.
#[derive(Clone, Debug)]
pub(super) struct Part {
    map: Arc<Mmap>,
    range: Range<usize>,
}

impl Part {
    /// # Panics
    /// When the map does not reach so far.
    pub(super) fn new(map: &Arc<Mmap>, range: Range<usize>) -> Self {
        assert!(range.end <= map.len() && range.start <= range.end, "parts are checked when a file is opened");
        Self { map: Arc::clone(map), range }
    }
}

impl Memory for Part {
    #[inline(always)]
    fn octets(&self) -> &[u8] {
        &self.map[self.range.clone()]
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({})", self.0.len())
    }
}
