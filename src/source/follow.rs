//! A capture that rotates through files, followed: which file to read next, and what of it was read before.
//!
//! Nothing tells when a file is finished, so none is ever taken to be: each is read as far as it goes, and again when it
//! has changed. A capture is known by its name, less what compression adds, together with the time of its first packet:
//! a name may be used again, and a file may be compressed after it was read. How far it was read is counted in records,
//! which are the same in whatever form it is found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::input::Beginning;
use super::memory::{self, Memory};
use super::{Capture, Failure, Input, Limits, Record};
use crate::day::Timestamp;

/// How long a compressed file must not have changed to be read: whoever writes it may still be at it.
const PACKED_AFTER: Duration = Duration::from_secs(2);

/// How long a file must not have changed to be closed; it is opened again should it change after all.
const CLOSED_AFTER: Duration = Duration::from_secs(60);

/// Captures remembered after their files have gone.
const GONE_KEPT: usize = 10_000;

/// What compression adds to names.
const ENDINGS: [&str; 5] = ["gz", "zst", "zstd", "xz", "lz4"];

/// Folders that captures are written to.
pub struct Follow {
    /// As given, and in full.
    folders: Vec<(PathBuf, PathBuf)>,
    limits: Limits,
    /// In the order in which to read them.
    captures: BTreeMap<(Timestamp, PathBuf), Followed>,
    /// What the beginnings of files told, so that only changed files are looked at again.
    looked: HashMap<PathBuf, Looked>,
    /// The folder that could not be read at the last scan, and why.
    unreadable: Option<(PathBuf, String)>,
}

/// What tells that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: Option<SystemTime>,
}

/// A file in a folder.
struct Listed {
    /// By the name given, and in full.
    path: PathBuf,
    full: PathBuf,
    stamp: Stamp,
}

/// A file with at least one packet.
#[derive(Clone, Copy, Debug)]
struct Found {
    first: Timestamp,
    packed: bool,
}

/// What the beginning of a file told, while the file was like this.
struct Looked {
    stamp: Stamp,
    found: Option<Found>,
    failure: Option<String>,
}

/// One capture of those followed.
pub struct Followed {
    memory: Memory,
    limits: Limits,
    /// The file that it is in now, if it is in any.
    file: Option<(PathBuf, Stamp, Found)>,
    /// What it was read from, open at where it ended.
    opened: Option<(u64, Capture<Box<dyn Read + Send>>)>,
    /// Records to pass over in what was opened: they were read before.
    skip: u64,
    /// The file as it was when it was read to its end, and as it was last seen.
    read: Option<Stamp>,
    seen: Option<Stamp>,
    /// Whether nothing can be read behind where it was read to.
    damaged: bool,
    /// Whether nothing begins later: then a cut record waits for its rest.
    newest: bool,
    failure: Option<String>,
    /// Its place in the report.
    place: Option<usize>,
}

impl Follow {
    /// Captures in `folders`, as far as they were not read according to the file `state`. Also says when that file
    /// cannot be trusted; it is set aside then.
    ///
    /// # Errors
    /// One sentence when a folder or the file cannot be read.
    pub fn new(folders: &[PathBuf], limits: Limits, state: Option<&Path>) -> Result<(Self, Option<String>), String> {
        let full = |folder: &PathBuf| {
            let full = fs::canonicalize(folder).and_then(|full| fs::read_dir(&full).map(|_| full));
            let full = full.map_err(|error| format!("{} cannot be followed: {error}", folder.display()))?;
            Ok((folder.clone(), full))
        };
        let folders = folders.iter().map(full).collect::<Result<_, String>>()?;
        let (memories, warning) = state.map_or_else(|| Ok((vec![], None)), recall)?;
        let captures = memories.into_iter().map(|memory| ((memory.first, memory.stem.clone()), Followed::new(memory, limits)));
        Ok((Self { folders, limits, captures: captures.collect(), looked: HashMap::new(), unreadable: None }, warning))
    }

    /// Writes down what was read.
    ///
    /// # Errors
    /// One sentence when the file cannot be written; the old one is still there.
    pub fn save(&self, state: &Path) -> Result<(), String> {
        let memories = self.captures.values().map(|capture| &capture.memory);
        memory::write(state, memories).map_err(|error| format!("state file {} cannot be written: {error}", state.display()))
    }

    /// Looks at what the folders hold now. One that cannot be read just now has not lost its files.
    pub fn scan(&mut self) {
        let files = match self.files() {
            Ok(files) => files,
            Err(unreadable) => return self.unreadable = Some(unreadable),
        };
        self.unreadable = None;
        let inodes: HashSet<u64> = files.iter().map(|file| file.stamp.inode).collect();
        let mut found = vec![];
        for file in files {
            found.extend(self.look(&file).map(|beginning| (beginning, file)));
        }
        // The plain file before its compressed copy, which may be in the making.
        found.sort_by(|(a, left), (b, right)| (a.packed, &left.full).cmp(&(b.packed, &right.full)));
        self.captures.values_mut().for_each(|capture| capture.file = None);
        for (beginning, file) in found {
            let key = (beginning.first, stem(&file.full));
            if !self.captures.contains_key(&key) {
                let capture = self.renamed(&key, file.stamp.inode);
                self.captures.insert(key.clone(), capture);
            }
            if let Some(capture) = self.captures.get_mut(&key).filter(|capture| capture.file.is_none()) {
                capture.is(file.path, file.stamp, beginning);
            }
        }
        let newest = self.captures.iter().rev().find(|(_, capture)| capture.file.is_some()).map(|(key, _)| key.clone());
        for (key, capture) in &mut self.captures {
            capture.newest = Some(key) == newest.as_ref();
            if capture.file.is_none() && capture.opened.as_ref().is_some_and(|(inode, _)| inodes.contains(inode)) {
                // Overwritten: what is open is another capture now.
                capture.finish();
            }
            if !capture.is_due() {
                capture.close_if_idle();
            }
        }
        self.looked.retain(|_, looked| inodes.contains(&looked.stamp.inode));
        self.forget();
    }

    /// The first capture with something to read.
    pub fn due(&mut self) -> Option<&mut Followed> {
        self.captures.values_mut().find(|capture| capture.is_due())
    }

    /// What could not be read: places in the report, paths, reasons. A file that may be in the making is not told of.
    pub fn failures(&self) -> impl Iterator<Item = (Option<usize>, String, &str)> {
        let captures = self.captures.values().map(|capture| (capture.place, capture.path(), capture.failure.as_deref()));
        let others = self.looked.iter().filter(|(_, looked)| looked.stamp.is_older_than(CLOSED_AFTER));
        let others = others.map(|(path, looked)| (None, path.display().to_string(), looked.failure.as_deref()));
        let folder = self.unreadable.iter().map(|(path, why)| (None, path.display().to_string(), Some(&**why)));
        captures.chain(others).chain(folder).filter_map(|(place, path, failure)| Some((place, path, failure?)))
    }

    /// The files in the folders that may be captures.
    fn files(&self) -> Result<Vec<Listed>, (PathBuf, String)> {
        let mut files = vec![];
        for (given, full) in &self.folders {
            let failure = |error: io::Error| (given.clone(), format!("cannot be followed any more: {error}"));
            for entry in fs::read_dir(full).map_err(failure)? {
                let name = entry.map_err(failure)?.file_name();
                // Hidden files are those of programs that will rename them.
                if name.as_bytes().starts_with(b".") {
                    continue;
                }
                let full = full.join(&name);
                if let Some(file) = fs::metadata(&full).ok().filter(Metadata::is_file) {
                    files.push(Listed { path: given.join(&name), full, stamp: Stamp::of(&file) });
                }
            }
        }
        Ok(files)
    }

    /// What the beginning of a file tells, if it is a capture with a packet.
    fn look(&mut self, file: &Listed) -> Option<Found> {
        if let Some(known) = self.looked.get(&file.full).filter(|known| known.stamp == file.stamp) {
            return known.found;
        }
        // What cannot be read, or is no capture, is so until it changes.
        let (found, failure) = match Input::file(file.full.clone(), self.limits).look() {
            Ok(Beginning { first, packed }) => (first.map(|first| Found { first, packed }), None),
            Err(failure) if failure.is_of_no_capture() || matches!(failure, Failure::Empty) => (None, None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        self.looked.insert(file.full.clone(), Looked { stamp: file.stamp, found, failure });
        found
    }

    /// The capture that was in a file of another name, or a new one.
    fn renamed(&mut self, key: &(Timestamp, PathBuf), inode: u64) -> Followed {
        let (first, stem) = key.clone();
        let others = self.captures.range((first, PathBuf::new())..).take_while(|((time, _), _)| *time == first);
        let mut others = others.filter(|(_, other)| other.memory.inode == inode && other.file.is_none());
        let old = others.next().map(|(key, _)| key.clone());
        let memory = Memory { stem: stem.clone(), first, inode, size: 0, records: 0, whole: false };
        let mut capture = old.and_then(|old| self.captures.remove(&old)).unwrap_or_else(|| Followed::new(memory, self.limits));
        capture.memory.stem = stem;
        capture
    }

    /// Bounds what is kept of files that are gone.
    fn forget(&mut self) {
        let gone = |capture: &Followed| capture.file.is_none() && capture.opened.is_none();
        let surplus = self.captures.values().filter(|capture| gone(capture)).count().saturating_sub(GONE_KEPT);
        let old: Vec<_> =
            self.captures.iter().filter(|(_, capture)| gone(capture)).take(surplus).map(|(key, _)| key.clone()).collect();
        old.iter().for_each(|key| drop(self.captures.remove(key)));
    }
}

impl Followed {
    fn new(memory: Memory, limits: Limits) -> Self {
        Self {
            memory,
            limits,
            file: None,
            opened: None,
            skip: 0,
            read: None,
            seen: None,
            damaged: false,
            newest: false,
            failure: None,
            place: None,
        }
    }

    /// Where it is, or was.
    pub fn path(&self) -> String {
        self.file.as_ref().map_or(&*self.memory.stem, |(path, ..)| path).display().to_string()
    }

    /// Its place in the report, asked for once.
    pub fn place(&mut self, give: impl FnOnce(String) -> usize) -> usize {
        let path = self.path();
        *self.place.get_or_insert_with(|| give(path))
    }

    /// Hands over the next records that were not read before, with `block` as room; false at the end for now.
    ///
    /// # Errors
    /// When it cannot be read further. It is due again when its file has changed.
    pub fn read(&mut self, block: &mut Vec<u8>, each: impl FnMut(Record<'_>)) -> Result<bool, Failure> {
        let outcome = self.read_block(block, each);
        match &outcome {
            Ok(true) => return outcome,
            Ok(false) => self.end(),
            Err(failure) => {
                self.failure = Some(failure.to_string());
                self.opened = None;
                self.damaged = matches!(failure, Failure::Damaged(..));
                self.mark();
            }
        }
        outcome
    }

    fn read_block(&mut self, block: &mut Vec<u8>, mut each: impl FnMut(Record<'_>)) -> Result<bool, Failure> {
        if self.opened.is_none() {
            let Some((path, stamp, found)) = &self.file else { return Ok(false) };
            let now = fs::metadata(path).map(|file| Stamp::of(&file));
            if !now.is_ok_and(|now| now.inode == stamp.inode && now.size >= stamp.size) {
                // Gone or overwritten since the last scan: the next will tell.
                self.file = None;
                return Ok(false);
            }
            let mut capture = Input::file(path.clone(), self.limits).open()?;
            if !found.packed {
                capture.wait_for_more();
                self.memory.whole = false;
            }
            (self.skip, self.failure, self.memory.inode) = (self.memory.records, None, stamp.inode);
            self.opened = Some((stamp.inode, capture));
        }
        let Some((_, capture)) = &mut self.opened else { return Ok(false) };
        if !capture.fill(block)? {
            return Ok(false);
        }
        self.memory.size = 0;
        let (skip, records) = (&mut self.skip, &mut self.memory.records);
        let (_, outcome) = capture.walk(block, |record| match skip {
            0 => {
                *records += 1;
                each(record);
            }
            _ => *skip -= 1,
        });
        outcome.map(|()| true)
    }

    /// Whether there is something to read, as far as the last scan told.
    fn is_due(&self) -> bool {
        let Some((_, stamp, found)) = &self.file else { return self.opened.is_some() };
        if self.opened.as_ref().is_some_and(|(inode, _)| *inode != stamp.inode) {
            // Its rest is in a file that is gone, but still open.
            return true;
        }
        let ready = !found.packed || !self.memory.whole && stamp.is_older_than(PACKED_AFTER);
        ready && !self.damaged && self.read != Some(*stamp)
    }

    /// Where it is now.
    fn is(&mut self, path: PathBuf, stamp: Stamp, found: Found) {
        let same = self.memory.inode == stamp.inode;
        if same && self.memory.size == stamp.size {
            // Also when that was in another run.
            self.read = Some(stamp);
        }
        if !same && found.packed && self.opened.is_none() {
            // Compressed when all that was seen had been read and was idle. Otherwise it may have grown in between.
            self.memory.whole |= self.read == self.seen && self.seen.is_some_and(|stamp| stamp.is_older_than(CLOSED_AFTER));
        }
        self.seen = Some(stamp);
        self.file = Some((path, stamp, found));
    }

    /// Notes that all of its file was read.
    fn end(&mut self) {
        let Some((_, stamp, found)) = &self.file else {
            return self.finish();
        };
        match &self.opened {
            Some((inode, _)) if *inode != stamp.inode => self.finish(),
            Some(_) if found.packed => {
                self.finish();
                self.mark();
            }
            _ => {
                self.mark();
                self.close_if_idle();
            }
        }
    }

    /// Nothing will follow: what is open is at its end for good.
    fn finish(&mut self) {
        if let Some((_, capture)) = self.opened.take() {
            self.memory.whole = true;
            self.failure = capture.cut().map(|failure| failure.to_string());
        }
    }

    fn mark(&mut self) {
        if let Some((_, stamp, _)) = &self.file {
            self.read = Some(*stamp);
            (self.memory.inode, self.memory.size) = (stamp.inode, stamp.size);
        }
    }

    /// Closes what is not written to any more, as far as can be told; a record that is cut there stays so.
    fn close_if_idle(&mut self) {
        let idle = self.file.as_ref().is_some_and(|(_, stamp, _)| stamp.is_older_than(CLOSED_AFTER));
        if idle
            && !self.newest
            && let Some((_, capture)) = self.opened.take()
        {
            self.failure = capture.cut().map(|failure| failure.to_string());
        }
    }
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        // Folders may be on several disks.
        Self { inode: file.ino() ^ file.dev().rotate_left(32), size: file.size(), changed: file.modified().ok() }
    }

    fn is_older_than(&self, age: Duration) -> bool {
        // A clock that is behind tells nothing.
        self.changed.and_then(|changed| changed.elapsed().ok()).is_none_or(|elapsed| elapsed >= age)
    }
}

/// What was read according to a file, or why that is not trusted: then the file is set aside.
fn recall(state: &Path) -> Result<(Vec<Memory>, Option<String>), String> {
    let why = match memory::read(state) {
        Ok(memories) => return Ok((memories, None)),
        Err(why) => format!("state file {} {why}", state.display()),
    };
    let mut aside = state.as_os_str().to_owned();
    aside.push(".bad");
    fs::rename(state, &aside).map_err(|error| format!("{why}, and cannot be set aside: {error}"))?;
    Ok((vec![], Some(format!("{why}: set aside as {}; all files are read again", Path::new(&aside).display()))))
}

/// A path less what compression adds to it.
fn stem(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    while path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
        path.set_extension("");
    }
    path
}
