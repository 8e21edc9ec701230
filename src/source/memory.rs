//! What was read of the files of a rotating capture, kept in a file from one run to the next.
//!
//! ```text
//! dgawatch follow 1
//! WHOLE FIRST INODE SIZE RECORDS PATH      for each capture
//! end COUNT
//! ```

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::day::Timestamp;

const TITLE: &str = "dgawatch follow 1";

/// What was read of one capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Its path, without what compression adds.
    pub(super) stem: PathBuf,
    /// Its first packet. With the stem, this is what tells captures apart: names are used again, and compressing makes
    /// another file of it.
    pub(super) first: Timestamp,
    /// What tells the file that was read from others.
    pub(super) inode: u64,
    /// Octets of that file, when it was read to its end; else 0.
    pub(super) size: u64,
    /// Records that were read.
    pub(super) records: u64,
    /// Whether all there will ever be was read: a compressed file that appears later holds nothing else.
    pub(super) whole: bool,
}

/// Writes the file anew: who reads it meanwhile, or after a crash, finds the old or the new.
pub(super) fn write<'m>(path: &Path, memories: impl Iterator<Item = &'m Memory>) -> io::Result<()> {
    let mut text = format!("{TITLE}\n");
    let mut count = 0;
    for Memory { stem, first, inode, size, records, whole } in memories {
        let (whole, first, stem) = (u8::from(*whole), first.as_nanos(), escaped(stem));
        text.push_str(&format!("{whole} {first} {inode} {size} {records} {stem}\n"));
        count += 1;
    }
    text.push_str(&format!("end {count}\n"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
    name.push(".new");
    let new = folder.join(name);
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

/// Reads the file; without one, nothing was read.
///
/// # Errors
/// One clause, when it cannot be read, or is not what [`write()`] wrote.
pub(super) fn read(path: &Path) -> Result<Vec<Memory>, String> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        text => text.map_err(|error| format!("cannot be read: {error}"))?,
    };
    parse(&text).ok_or_else(|| "is damaged, or no such file".to_owned())
}

fn parse(text: &str) -> Option<Vec<Memory>> {
    let mut lines = text.strip_suffix('\n')?.lines();
    if lines.next()? != TITLE {
        return None;
    }
    let mut memories = vec![];
    for line in &mut lines {
        if let Some(count) = line.strip_prefix("end ") {
            return (count.parse() == Ok(memories.len()) && lines.next().is_none()).then_some(memories);
        }
        let fields: Vec<&str> = line.split(' ').collect();
        let [whole, first, inode, size, records, stem] = fields[..] else { return None };
        let number = |text: &str| text.parse::<u64>().ok();
        memories.push(Memory {
            stem: plain(stem)?,
            first: Timestamp::from_nanos(number(first)?),
            inode: number(inode)?,
            size: number(size)?,
            records: number(records)?,
            whole: number(whole)? == 1,
        });
    }
    None
}

/// A path as one word: octets that are no visible ASCII as %XX.
fn escaped(path: &Path) -> String {
    let octets = path.as_os_str().as_bytes().iter();
    octets
        .map(
            |octet| {
                if octet.is_ascii_graphic() && *octet != b'%' { char::from(*octet).to_string() } else { format!("%{octet:02X}") }
            },
        )
        .collect()
}

fn plain(text: &str) -> Option<PathBuf> {
    let mut octets = vec![];
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(if octet == b'%' {
            let digits = [rest.next()?, rest.next()?];
            u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            octet
        });
    }
    Some(OsString::from_vec(octets).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(read(&path), Ok(vec![]));
        let memories: Vec<Memory> = [&b"/a/b.pcap"[..], b"/with space%20/\n", b"/\xff\xc3\xa9"]
            .iter()
            .zip(0..)
            .map(|(stem, number)| Memory {
                stem: OsString::from_vec(stem.to_vec()).into(),
                first: Timestamp::from_nanos(u64::MAX - number),
                inode: number,
                size: 1 << number,
                records: number * 7,
                whole: number == 1,
            })
            .collect();
        for count in [0, 3] {
            write(&path, memories[..count].iter()).unwrap();
            assert_eq!(read(&path).unwrap(), memories[..count]);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        // Cut anywhere, or with anything behind it, it is not trusted.
        let text = fs::read_to_string(&path).unwrap();
        for length in 0..text.len() {
            assert_eq!(parse(&text[..length]), None, "{length}");
        }
        assert_eq!(parse(&format!("{text}x\n")), None);
    }
}
