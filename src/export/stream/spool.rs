//! Records on disk, in order, until they are acknowledged: so many octets and no more.
//!
//! ```text
//!  DIR/acknowledged              who we are, and the first record that is not acknowledged
//!  DIR/00000000000000000001.log  records 1, 2, 3 …: [length][CRC-32][octets] each, numbers little-endian
//!  DIR/00000000000000004711.log  from record 4711 on: the last one is written to
//! ```
//!
//! A segment goes when all in it is acknowledged, or as the oldest when there is no room: what it held is counted then. The
//! last one stays, so that no number is given twice, even where the system dies between two writes. A record that is cut at
//! the end of a segment was never shown to anybody: records are synced before they are.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The length and the checksum in front of a record.
const HEAD: u64 = 8;

/// Who we are, the first record that is not acknowledged, and their checksum.
const MARK: usize = 20;

/// The smallest bound there may be, in octets: eight segments that hold any event.
pub(super) const LEAST: u64 = 1 << 20;

/// Segments that fill the bound: so much of it goes at once when there is no room.
const SEGMENTS: u64 = 8;

/// What is left free of numbers behind a segment with damage: whatever it held beyond has other numbers than what comes.
const GAP: u64 = 1 << 32;

/// A record and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) octets: Vec<u8>,
}

/// Records on disk.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    bound: u64,
    /// Told apart from all other spools, and from this one after its mark was lost.
    identity: u64,
    /// The file of the mark; locked, so that there is one of us.
    mark: File,
    /// The first record that is not acknowledged, and where in the first segment it begins.
    acknowledged: u64,
    offset: u64,
    /// The oldest first; never empty.
    segments: VecDeque<Segment>,
    /// The last one.
    out: File,
    /// Records that went for others.
    dropped: u64,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    records: u64,
    octets: u64,
}

impl Segment {
    /// The number behind its last record.
    const fn end(&self) -> u64 {
        self.first + self.records
    }
}

impl Spool {
    /// Opens or makes one that holds `bound` octets at most. What cannot be read of it is told, a sentence each.
    ///
    /// # Errors
    /// One sentence: the directory cannot be used, or somebody else uses it.
    pub(super) fn open(directory: &Path, bound: u64) -> Result<(Self, Vec<String>), String> {
        let failed = |error: io::Error| format!("spool {} cannot be used: {error}", directory.display());
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        // Who is infected is nobody else's business.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mark = options.open(directory.join("acknowledged")).map_err(failed)?;
        mark.try_lock().map_err(|_| format!("spool {} is used by another dgawatch", directory.display()))?;
        let mut told = vec![];
        let mut segments = VecDeque::new();
        for first in firsts(directory).map_err(failed)? {
            let path = path(directory, first);
            let (records, octets) = measure(&path).map_err(failed)?;
            let length = fs::metadata(&path).map_err(failed)?.len();
            if length > octets {
                told.push(format!(
                    "spool {}: {} octets at the end are no record, and are left out",
                    path.display(),
                    length - octets
                ));
            }
            segments.push_back((Segment { first, records, octets }, length > octets));
        }
        let (identity, acknowledged) = read_mark(&mark).unwrap_or_else(|| (new_identity(), 0));
        let damaged = segments.back().is_some_and(|(_, damaged)| *damaged);
        let mut segments: VecDeque<Segment> = segments.into_iter().map(|(segment, _)| segment).collect();
        let next = segments.back().map_or(1, Segment::end).max(acknowledged);
        if damaged || segments.back().is_none_or(|last| last.end() < next) {
            let first = if damaged { next + GAP } else { next };
            segments.push_back(Segment { first, records: 0, octets: 0 });
        }
        let last = segments.back().expect("one was made where there was none");
        let out = open_segment(directory, last.first).map_err(failed)?;
        let directory = directory.to_owned();
        let mut spool =
            Self { directory, bound: bound.max(LEAST), identity, mark, acknowledged: 0, offset: 0, segments, out, dropped: 0 };
        spool.acknowledged = spool.segments[0].first;
        spool.acknowledge(acknowledged);
        spool
            .write_mark()
            .and_then(|()| spool.mark.sync_all())
            .map_err(|error| format!("spool {} cannot be written: {error}", spool.directory.display()))?;
        Ok((spool, told))
    }

    /// What its records are told apart by from those of others.
    pub(super) const fn identity(&self) -> u64 {
        self.identity
    }

    /// Appends a record, which is on disk after [`sync`](Self::sync), and makes room for it: others may be
    /// [dropped](Self::dropped).
    ///
    /// # Errors
    /// When it cannot be written, or is too large: it is not there then.
    pub(super) fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        let length = HEAD + octets.len() as u64;
        if length > self.bound / SEGMENTS {
            return Err(io::Error::new(ErrorKind::FileTooLarge, "a record is larger than a segment of the spool"));
        }
        if self.last().octets + length > self.bound / SEGMENTS {
            self.begin(self.last().end())?;
        }
        while self.octets() + length > self.bound {
            self.drop_oldest()?;
        }
        let mut record = Vec::with_capacity(length as usize);
        record.extend((octets.len() as u32).to_le_bytes());
        record.extend(crc32fast::hash(octets).to_le_bytes());
        record.extend(octets);
        if let Err(error) = self.out.write_all(&record) {
            self.repair();
            return Err(error);
        }
        let last = self.last_mut();
        last.records += 1;
        last.octets += length;
        Ok(())
    }

    /// Has what was appended survive a loss of power.
    ///
    /// # Errors
    /// When the disk says so.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.out.sync_data()
    }

    /// The first records that are not acknowledged: so many, and so many octets, but one at least where there is one. Those
    /// that cannot be read any more are dropped.
    pub(super) fn first(&mut self, records: usize, octets: usize) -> Vec<Record> {
        let mut batch = vec![];
        let mut size = 0;
        let mut number = self.acknowledged;
        for place in 0..self.segments.len() {
            let segment = &self.segments[place];
            let offset = if place == 0 { self.offset } else { 0 };
            number = number.max(segment.first);
            if number >= segment.end() {
                continue;
            }
            let Ok(mut file) = open_at(&path(&self.directory, segment.first), offset) else { break };
            while number < segment.end() && batch.len() < records && size < octets {
                let Ok(Some(record)) = read_record(&mut file) else { break };
                size += record.len();
                batch.push(Record { number, octets: record });
                number += 1;
            }
            if number < segment.end() {
                break;
            }
        }
        if batch.is_empty() && self.waiting() > 0 {
            // A disk that gives nothing back must not hold up what comes after.
            self.dropped += self.segments[0].end() - self.acknowledged;
            self.forget_first();
        }
        batch
    }

    /// All records before `number` are where they should be. Returns how many of these were waiting.
    pub(super) fn acknowledge(&mut self, number: u64) -> u64 {
        let before = self.waiting();
        while self.segments.len() > 1 && self.segments[0].end() <= number {
            self.forget_first();
        }
        let segment = &self.segments[0];
        if number > self.acknowledged && self.acknowledged < segment.end() {
            let file = open_at(&path(&self.directory, segment.first), self.offset);
            let until = number.min(segment.end());
            if let Ok(mut file) = file {
                while self.acknowledged < until
                    && let Ok(Some(record)) = read_record(&mut file)
                {
                    self.offset += HEAD + record.len() as u64;
                    self.acknowledged += 1;
                }
            }
        }
        let taken = before - self.waiting();
        if taken > 0 {
            // What it does not say is sent again.
            let _ = self.write_mark();
        }
        taken
    }

    /// Records that are not acknowledged.
    pub(super) fn waiting(&self) -> u64 {
        let all: u64 = self.segments.iter().map(|segment| segment.records).sum();
        all - (self.acknowledged - self.segments[0].first)
    }

    /// Octets on disk.
    pub(super) fn octets(&self) -> u64 {
        self.segments.iter().map(|segment| segment.octets).sum()
    }

    /// Records that went for others, or could not be read again, since it was opened.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn last(&self) -> &Segment {
        self.segments.back().expect("never empty")
    }

    fn last_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("never empty")
    }

    /// Begins a segment with record `first`, once all before is on disk.
    fn begin(&mut self, first: u64) -> io::Result<()> {
        self.sync()?;
        self.out = open_segment(&self.directory, first)?;
        self.segments.push_back(Segment { first, records: 0, octets: 0 });
        if self.waiting() == 0 {
            while self.segments.len() > 1 {
                self.forget_first();
            }
        }
        Ok(())
    }

    /// Gives up what waits in the oldest segment.
    fn drop_oldest(&mut self) -> io::Result<()> {
        if self.segments.len() == 1 {
            self.begin(self.last().end())?;
        }
        if self.segments.len() > 1 {
            self.dropped += self.segments[0].end() - self.acknowledged;
            self.forget_first();
            self.write_mark()?;
        }
        Ok(())
    }

    /// Goes on with the second segment, or with what comes where there is none.
    fn forget_first(&mut self) {
        if self.segments.len() == 1 {
            let only = &self.segments[0];
            (self.acknowledged, self.offset) = (only.end(), only.octets);
            return;
        }
        if let Some(gone) = self.segments.pop_front() {
            // One that stays is read again after a restart, and what it holds is known to be acknowledged.
            let _ = fs::remove_file(path(&self.directory, gone.first));
        }
        (self.acknowledged, self.offset) = (self.segments[0].first, 0);
    }

    /// After a record was written in part: takes it back, or goes on elsewhere.
    fn repair(&mut self) {
        let good = self.last().octets;
        if self.out.set_len(good).is_err() {
            // Where that fails too, the next record fails, and so on until the disk is well.
            let _ = self.begin(self.last().end() + GAP);
        }
    }

    fn write_mark(&self) -> io::Result<()> {
        let mut mark = [self.identity.to_le_bytes(), self.acknowledged.to_le_bytes()].concat();
        mark.extend(crc32fast::hash(&mark).to_le_bytes());
        self.mark.write_all_at(&mark, 0)
    }
}

fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.log"))
}

/// Opens a segment to append to, and has its name on disk.
fn open_segment(directory: &Path, first: u64) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path(directory, first))?;
    File::open(directory)?.sync_all()?;
    Ok(file)
}

fn open_at(path: &Path, offset: u64) -> io::Result<BufReader<File>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(BufReader::new(file))
}

/// The first records of the segments that are there, ascending.
fn firsts(directory: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = vec![];
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok());
        firsts.extend(first.filter(|first| (1..u64::MAX - (GAP << 1)).contains(first)));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// How many whole records a segment begins with, and how many octets these are.
fn measure(path: &Path) -> io::Result<(u64, u64)> {
    let mut file = open_at(path, 0)?;
    let (mut records, mut octets) = (0, 0);
    while let Some(record) = read_record(&mut file)? {
        records += 1;
        octets += HEAD + record.len() as u64;
    }
    Ok((records, octets))
}

/// The next record; none at the end, where it is cut, or where it is not what was written.
fn read_record(file: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD as usize];
    match file.read_exact(&mut head) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let [length, checksum] = [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    // The length may be anything: no memory is set aside for it.
    let mut octets = vec![];
    file.take(length.into()).read_to_end(&mut octets)?;
    Ok(Some(octets).filter(|octets| octets.len() == length as usize && crc32fast::hash(octets) == checksum))
}

fn read_mark(file: &File) -> Option<(u64, u64)> {
    let mut mark = [0; MARK];
    file.read_exact_at(&mut mark, 0).ok()?;
    let (values, checksum) = mark.split_at(MARK - 4);
    let values = [0, 8].map(|at| values[at..at + 8].try_into().map(u64::from_le_bytes));
    let whole = crc32fast::hash(&mark[..MARK - 4]).to_le_bytes() == checksum;
    match values {
        [Ok(identity), Ok(acknowledged)] if whole => Some((identity, acknowledged)),
        _ => None,
    }
}

/// One that no other spool has: the hasher's keys are random.
fn new_identity() -> u64 {
    RandomState::new().hash_one((SystemTime::now(), std::process::id()))
}

#[cfg(test)]
mod tests;
