//! Which names of an output may come twice, without keeping the names: a first walk over all of them leaves a hash of each in
//! temporary files, parted by the hash; one part after the other is sorted, and what stands there twice is remembered. In
//! the second walk, which writes, only names with such a hash have to be kept and compared.
//!
//! Memory: the buffers, one part, and the names that do repeat. Disk: 8 octets a name.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::env;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

use crate::name::Name;

/// Files that hashes are parted into: of 13.5 million names (Conficker of 90 days and its like) a part has half a megabyte.
const PARTS: usize = 256;

/// Octets gathered for each before they are written.
const BUFFER: usize = 1 << 14;

/// Takes the names of the first walk.
pub struct RepeatFinder {
    hasher: RandomState,
    parts: Vec<BufWriter<File>>,
}

/// The hashes that came more than once.
pub struct Repeats {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl RepeatFinder {
    /// With files in the directory for temporary ones: `TMPDIR`, or /var/tmp, which unlike /tmp is on a disk. They have no names
    /// and are gone with the process, however it ends.
    ///
    /// # Errors
    /// When they cannot be made; the error says where.
    pub fn new() -> io::Result<Self> {
        let directory = env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let file = || {
            let file = tempfile::tempfile_in(&directory).map_err(|error| crate::export::target::at(&directory, &error))?;
            Ok(BufWriter::with_capacity(BUFFER, file))
        };
        let parts = (0..PARTS).map(|_| file()).collect::<io::Result<_>>()?;
        Ok(Self { hasher: RandomState::new(), parts })
    }

    /// Takes the next name.
    ///
    /// # Errors
    /// When there is no room for its hash.
    pub fn add(&mut self, name: &Name) -> io::Result<()> {
        let hash = self.hasher.hash_one(name.as_wire());
        self.parts[hash as usize % PARTS].write_all(&hash.to_ne_bytes())
    }

    /// What came more than once.
    ///
    /// # Errors
    /// When the files cannot be read back.
    pub fn finish(self) -> io::Result<Repeats> {
        let mut found = HashSet::new();
        let (mut octets, mut hashes) = (vec![], vec![]);
        for part in self.parts {
            let mut file = part.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            octets.clear();
            file.read_to_end(&mut octets)?;
            hashes.clear();
            hashes.extend(octets.as_chunks().0.iter().map(|hash| u64::from_ne_bytes(*hash)));
            hashes.sort_unstable();
            found.extend(hashes.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]));
        }
        Ok(Repeats { hasher: self.hasher, hashes: found })
    }
}

impl Repeats {
    /// Whether a name may come, or have come, again. One that does not for sure is never kept.
    pub(super) fn may_hold(&self, name: &Name) -> bool {
        self.hashes.contains(&self.hasher.hash_one(name.as_wire()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_come_again_and_hardly_others() {
        let name = |number: u32| Name::parse(&format!("n{number}.example")).unwrap();
        let mut finder = RepeatFinder::new().unwrap();
        let again = |number: &u32| number.is_multiple_of(97);
        (0..50_000).chain((0..50_000).filter(again)).chain((0..50_000).filter(again)).for_each(|n| finder.add(&name(n)).unwrap());
        let repeats = finder.finish().unwrap();
        assert_eq!(repeats.hashes.len(), (0..50_000).filter(again).count());
        assert!((0..50_000).all(|number| repeats.may_hold(&name(number)) == again(&number)));
    }
}
