//! A file as octets in memory, without reading it: a compiled watchlist of any size is there at once, and shared by all who map it.
//!
//! The one place with `unsafe`. Why it is needed: a file of 450 MB is read in 300 ms at best and held by each process anew; mapped,
//! it is there in less than one. Why it is sound, as far as a program can see to it:
//!
//! | what could happen | what stands against it |
//! | --- | --- |
//! | somebody writes into the file, so that octets change under a reference | a file that others than its owner may write is refused; its owner is told to replace it by `rename`, as `dgawatch compile` does, which leaves what is mapped as it was |
//! | the file is cut while mapped, and the kernel ends the process (SIGBUS) | the same; files under 4 MiB, which people edit and copy over, are copied into memory |
//! | the octets are anything | they are octets: whoever reads them checks what they say, at every access |

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use memmap2::{Mmap, MmapMut};

/// Files below are copied: that takes a millisecond.
const COPIED: u64 = 4 << 20;

/// Maps a file, to be read.
///
/// # Errors
/// One clause.
pub fn map(path: &Path) -> Result<Mmap, String> {
    let unread = |error| format!("cannot be read: {error}");
    // Before it is opened: opening a pipe waits for whoever writes to it.
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err("is no file".to_owned());
    }
    let file = File::open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err(
            "can be written by others than its owner: `chmod go-w` it, for who writes into it can end whoever maps it".to_owned()
        );
    }
    match metadata.len() {
        0 => Err("is empty".to_owned()),
        length if length < COPIED => copied(&file, length).map_err(unread),
        _ => mapped(&file).map_err(unread),
    }
}

fn copied(file: &File, length: u64) -> std::io::Result<Mmap> {
    // Shorter than a few MiB.
    let mut copy = MmapMut::map_anon(length as usize)?;
    let mut file = file;
    file.read_exact(&mut copy)?;
    copy.make_read_only()
}

#[expect(unsafe_code, reason = "no safe call maps a file: see above")]
fn mapped(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read only, and nobody but the file's owner can write into the file, who is told to replace it instead.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small files are copied, large ones mapped, and either is what is in the file.
    #[test]
    fn holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for length in [1, COPIED as usize - 1, COPIED as usize, COPIED as usize + 1] {
            let octets: Vec<u8> = (0..length).map(|place| (place * 7 % 251) as u8).collect();
            fs::write(&path, &octets).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let map = map(&path).unwrap();
            assert!(map[..] == octets);
            // What takes its place leaves what was mapped as it was.
            fs::write(folder.path().join("new"), b"other").unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            assert!(map[..] == octets);
            // What was copied stands even when the file is cut under it.
            if length < COPIED as usize {
                fs::write(&path, b"").unwrap();
                assert!(map[..] == octets);
            }
        }
    }

    #[test]
    fn refuses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let why = |path: &Path| map(path).unwrap_err();
        assert!(why(&path).starts_with("cannot be read: No such file"));
        assert_eq!(why(folder.path()), "is no file");
        fs::write(&path, b"").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(why(&path), "is empty");
        for mode in [0o620, 0o602, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(why(&path).starts_with("can be written by others"), "{mode:o}");
        }
    }
}
