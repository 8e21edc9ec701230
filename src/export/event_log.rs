//! Where events are written, a line each: a file that may be rotated, or standard output; and who is sent them beside.
//!
//! A disk that is full or a reader that has gone must never stop whoever tells of events: a line that is not taken is kept
//! and tried again with the next, up to a bound, and counted beyond. A line of which only a part was taken is finished
//! before another begins, in the same file; in a new one it begins anew.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

#[cfg(feature = "stream")]
use super::StreamQueue;
use super::SyslogForm;
use super::snapshot::StreamCounts;

/// Octets kept of lines that were not taken.
const MOST_HELD: usize = 1 << 20;

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Lines that were to be written: the sum of those that were, those that were given up and those that wait.
    pub told: u64,
    /// Lines that were written.
    pub written: u64,
    /// Attempts to write, or to open the file again, that failed.
    pub failures: u64,
    /// Lines that were given up.
    pub lost: u64,
}

/// A place for lines.
pub struct EventLog {
    /// None is standard output, or nothing.
    path: Option<PathBuf>,
    /// None where lines are only sent.
    out: Option<Box<dyn Write + Send>>,
    /// Lines that are not written yet.
    held: Vec<u8>,
    /// How much of the first of them is.
    begun: usize,
    counts: EventCounts,
    syslog: Option<SyslogForm>,
    #[cfg(feature = "stream")]
    streams: Vec<(&'static str, StreamQueue)>,
}

impl EventLog {
    /// One that writes nothing.
    pub const fn unwritten() -> Self {
        let counts = EventCounts { told: 0, written: 0, failures: 0, lost: 0 };
        Self {
            path: None,
            out: None,
            held: vec![],
            begun: 0,
            counts,
            syslog: None,
            #[cfg(feature = "stream")]
            streams: vec![],
        }
    }

    /// Sends events as messages too.
    pub fn send_to(&mut self, syslog: SyslogForm) {
        self.syslog = Some(syslog);
    }

    /// Makes messages of events, where they are sent.
    pub const fn syslog(&mut self) -> Option<&mut SyslogForm> {
        self.syslog.as_mut()
    }

    /// Offers events to a stream too, which is known as `label`.
    #[cfg(feature = "stream")]
    pub fn stream_to(&mut self, label: &'static str, queue: StreamQueue) {
        self.streams.push((label, queue));
    }

    /// What became of records for streams, by the label of each.
    pub fn streams(&self) -> Vec<(&'static str, StreamCounts)> {
        #[cfg(feature = "stream")]
        let counts = self.streams.iter().map(|(label, queue)| (*label, queue.counts())).collect();
        #[cfg(not(feature = "stream"))]
        let counts = vec![];
        counts
    }

    /// Whether events are offered to a stream.
    #[cfg(feature = "stream")]
    pub(super) const fn is_streamed(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Offers an event, or other JSON, to whoever streams. `key` is what it is about.
    #[cfg(feature = "stream")]
    pub(super) fn stream(&self, key: impl FnOnce() -> String, json: &str) {
        if !self.streams.is_empty() {
            let key = key();
            self.streams.iter().for_each(|(_, queue)| queue.put(&key, json));
        }
    }

    /// Whether lines are written.
    pub const fn is_written(&self) -> bool {
        self.out.is_some()
    }

    /// Appends to a file, which is made if there is none, or to standard output for `-`.
    ///
    /// # Errors
    /// One sentence when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, String> {
        let path = Some(path.to_owned()).filter(|path| path.as_os_str() != "-");
        let out = match &path {
            Some(path) => open(path)?,
            // Its descriptor, because its buffer would hide what was taken.
            None => io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .map_err(|error| format!("standard output cannot be used: {error}"))?
                .into(),
        };
        Ok(Self { path, ..Self::over(Box::new(out)) })
    }

    fn over(out: Box<dyn Write + Send>) -> Self {
        Self { out: Some(out), ..Self::unwritten() }
    }

    /// Writes a line, which must not hold another, or keeps it for later.
    pub fn append(&mut self, line: &[u8]) {
        if self.out.is_none() {
            return;
        }
        self.counts.told += 1;
        if self.held.len() + line.len() < MOST_HELD {
            self.held.extend_from_slice(line);
            self.held.push(b'\n');
        } else {
            self.counts.lost += 1;
        }
        self.flush();
    }

    /// Tries once to write what was kept.
    pub fn flush(&mut self) {
        let Some(out) = &mut self.out else { return };
        while self.begun < self.held.len() {
            match out.write(&self.held[self.begun..]) {
                Ok(0) => return self.fail(),
                Ok(taken) => self.begun += taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.fail(),
            }
        }
        self.forget_written();
    }

    /// Opens the file again under its name, for when it was renamed. Standard output stays as it is.
    ///
    /// # Errors
    /// One sentence when it cannot be opened; the old one is still written to.
    pub fn reopen(&mut self) -> Result<(), String> {
        self.flush();
        let Some(path) = &self.path else { return Ok(()) };
        match open(path) {
            Ok(file) => {
                self.out = Some(Box::new(file));
                self.begun = 0;
                self.flush();
                Ok(())
            }
            Err(why) => {
                self.counts.failures += 1;
                Err(why)
            }
        }
    }

    /// What became of lines.
    pub const fn counts(&self) -> EventCounts {
        self.counts
    }

    /// Whether there are lines that wait to be written.
    pub const fn is_behind(&self) -> bool {
        !self.held.is_empty()
    }

    fn fail(&mut self) {
        self.counts.failures += 1;
        self.forget_written();
    }

    /// Drops the lines that were written to their end.
    fn forget_written(&mut self) {
        let written = &self.held[..self.begun];
        let Some(end) = written.iter().rposition(|octet| *octet == b'\n') else { return };
        self.counts.written += written.iter().filter(|octet| **octet == b'\n').count() as u64;
        self.held.drain(..=end);
        self.begun -= end + 1;
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("path", &self.path).field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// Opens a file to append to. A line that a run before left without its end is ended.
fn open(path: &Path) -> Result<File, String> {
    let name = path.display();
    if path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(format!(
            "events {name}: it is a pipe, and opening it would wait for a reader: use `--events -` and a shell's pipe"
        ));
    }
    let say = |error| format!("events {name} cannot be opened: {error}");
    // Who is infected is nobody else's business.
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path).map_err(say)?;
    let length = file.metadata().map_err(say)?.len();
    let mut last = [b'\n'];
    if length > 0 && file.read_at(&mut last, length - 1).is_ok() && last != *b"\n" {
        file.write_all(b"\n").map_err(say)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes so many octets, then fails.
    #[derive(Clone, Default)]
    struct Small(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Small {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let (taken, room) = &mut *self.0.lock().unwrap();
            if *room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            // Never more than a few at once.
            let count = octets.len().min(*room).min(7);
            taken.extend_from_slice(&octets[..count]);
            *room -= count;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_no_line_and_splits_none() {
        let small = Small::default();
        let mut log = EventLog::over(Box::new(small.clone()));
        let lines: Vec<String> = (0..40).map(|n| format!("line {n} {}", "x".repeat(n))).collect();
        for (n, line) in lines.iter().enumerate() {
            small.0.lock().unwrap().1 = if n % 3 == 0 { 2 * n } else { 0 };
            log.append(line.as_bytes());
        }
        assert!(log.is_behind() && log.counts().failures > 20, "{:?}", log.counts());
        small.0.lock().unwrap().1 = 10_000;
        log.flush();
        let counts = log.counts();
        assert_eq!((counts.written, counts.lost, log.is_behind()), (40, 0, false));
        assert_eq!(String::from_utf8_lossy(&small.0.lock().unwrap().0), lines.join("\n") + "\n");
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_lost_is_counted() {
        let small = Small::default();
        let mut log = EventLog::over(Box::new(small.clone()));
        (0..3_000).for_each(|_| log.append(&[b'x'; 999]));
        let kept = MOST_HELD as u64 / 1_000;
        assert_eq!(log.counts(), EventCounts { told: 3_000, written: 0, failures: 3_000, lost: 3_000 - kept });
        small.0.lock().unwrap().1 = usize::MAX;
        log.append(b"last");
        assert_eq!(log.counts().written + log.counts().lost, 3_001);
    }

    #[test]
    fn files_are_rotated_between_lines() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("events"), folder.path().join("events.1"));
        std::fs::write(&path, "cut by a cra").unwrap();
        let mut log = EventLog::open(&path).unwrap();
        log.append(b"one");
        std::fs::rename(&path, &old).unwrap();
        log.append(b"two");
        // Where there can be no file, the old one goes on.
        std::fs::create_dir(&path).unwrap();
        assert!(log.reopen().unwrap_err().contains("cannot be opened"));
        log.append(b"three");
        std::fs::remove_dir(&path).unwrap();
        log.reopen().unwrap();
        log.append(b"four");
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "cut by a cra\none\ntwo\nthree\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
        // A line begun in a file that is gone begins anew.
        let small = Small::default();
        small.0.lock().unwrap().1 = 3;
        log.out = Some(Box::new(small));
        log.append(b"five");
        log.reopen().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\nfive\n");
    }
}
