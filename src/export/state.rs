//! The file in which state crosses restarts: replaced as a whole or not at all, and set aside when it cannot be used.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Files set aside that are kept; a further one takes the place of the last.
const MOST_ASIDE: usize = 5;

/// A file of state.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// At `path`, whether there is one or not. One process writes it, no more.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Replaces it by what `write` writes. When that fails, at whatever point, the file is what it was before.
    ///
    /// # Errors
    /// One sentence.
    pub fn save(&self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), String> {
        let new = self.beside(".new");
        let outcome = replace(&new, &self.path, write);
        if outcome.is_err() {
            // It was closed before, so that its room is free again.
            let _ = fs::remove_file(&new);
        }
        outcome.map_err(|error| format!("state {} cannot be written: {error}", self.path.display()))
    }

    /// What `read` makes of it, of at most `most` octets; nothing where there is no file. One that cannot be used is set
    /// aside, which is told in a sentence, and is no reason not to start.
    pub fn load<T>(&self, most: u64, read: impl FnOnce(&[u8]) -> Result<T, String>) -> (Option<T>, Option<String>) {
        let octets = match self.octets(most) {
            Ok(None) => return (None, None),
            Ok(Some(octets)) => Ok(octets),
            Err(why) => Err(why),
        };
        match octets.and_then(|octets| read(&octets)) {
            Ok(state) => (Some(state), None),
            Err(why) => (None, Some(self.set_aside(&why))),
        }
    }

    fn octets(&self, most: u64) -> Result<Option<Vec<u8>>, String> {
        let say = |error| format!("cannot be read: {error}");
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(say)?,
        };
        if !file.metadata().map_err(say)?.is_file() {
            return Err("is no file".to_owned());
        }
        let mut octets = vec![];
        file.take(most.saturating_add(1)).read_to_end(&mut octets).map_err(say)?;
        if octets.len() as u64 > most { Err(format!("is larger than {most} octets")) } else { Ok(Some(octets)) }
    }

    /// Renames it, so that a person can look at it.
    fn set_aside(&self, why: &str) -> String {
        let aside = |number| self.beside(&format!(".damaged-{number}"));
        let aside = (1..MOST_ASIDE).map(aside).find(|name| !name.exists()).unwrap_or_else(|| aside(MOST_ASIDE));
        let name = self.path.display();
        match fs::rename(&self.path, &aside) {
            Ok(()) => format!("state {name} {why}: it is set aside as {}, and this run starts without", aside.display()),
            Err(error) => format!("state {name} {why}, and cannot be set aside: {error}; this run starts without"),
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }
}

fn replace(new: &Path, path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    // Who is infected is nobody else's business.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let written = write(&mut out).and_then(|()| out.flush()).and_then(|()| out.get_ref().sync_all());
    // Closed without another attempt to write what is left, whatever came of it.
    drop(out.into_parts());
    written?;
    fs::rename(new, path)?;
    // The new name has to last too.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[expect(clippy::unnecessary_wraps, reason = "what is read may be refused")]
    fn text(octets: &[u8]) -> Result<String, String> {
        Ok(String::from_utf8(octets.to_vec()).unwrap())
    }

    #[test]
    fn it_is_replaced_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFile::new(&folder.path().join("state"));
        assert_eq!(state.load(10, text), (None, None));
        state.save(|out| out.write_all(b"one")).unwrap();
        // A failure in the middle, and one that only shows when the rest is flushed.
        let full = state.save(|out| {
            out.write_all(&[7; 100_000])?;
            Err(ErrorKind::StorageFull.into())
        });
        let full = full.unwrap_err();
        assert!(full.contains("state cannot be written: no storage space"), "{full}");
        assert_eq!((state.load(10, text), files(folder.path())), ((Some("one".to_owned()), None), vec!["state".to_owned()]));
        // What a run before left behind is no obstacle.
        fs::write(folder.path().join("state.new"), "half").unwrap();
        state.save(|out| out.write_all(b"two")).unwrap();
        assert_eq!((state.load(10, text).0, files(folder.path())), (Some("two".to_owned()), vec!["state".to_owned()]));
        let nowhere = StateFile::new(&folder.path().join("nowhere/state"));
        assert!(nowhere.save(|_| Ok(())).unwrap_err().contains("cannot be written"));
    }

    #[test]
    fn what_cannot_be_used_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFile::new(&folder.path().join("state"));
        for round in 1..=7 {
            state.save(|out| out.write_all(format!("round {round}").as_bytes())).unwrap();
            let (none, told) = state.load(10, |_| Err::<(), _>("is damaged".to_owned()));
            let told = told.unwrap();
            assert!(none.is_none() && told.contains(" is damaged: it is set aside as "), "{told}");
            assert_eq!(state.load(10, text), (None, None));
        }
        assert_eq!(files(folder.path()), (1..=5).map(|n| format!("state.damaged-{n}")).collect::<Vec<_>>());
        assert_eq!(fs::read(folder.path().join("state.damaged-5")).unwrap(), b"round 7");
        state.save(|out| out.write_all(&[b'x'; 11])).unwrap();
        assert!(state.load(10, text).1.unwrap().contains("is larger than 10 octets"));
        fs::create_dir(folder.path().join("state")).unwrap();
        assert!(state.load(10, text).1.unwrap().contains(" is no file"));
    }

    /// A disk that really is full.
    #[test]
    fn a_full_disk_leaves_the_old_state_and_no_rubbish() {
        use std::process::Command;
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"]).arg(folder.path()).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("NOT TESTED: a full disk, because this user may not mount one");
            return;
        }
        let state = StateFile::new(&folder.path().join("state"));
        let outcomes: Vec<Result<(), String>> =
            [60_000, 300_000, 300_000, 50_000].map(|size| state.save(|out| out.write_all(&vec![7; size]))).into();
        let (left, names) = (state.load(1 << 20, |octets| Ok(octets.len())), files(folder.path()));
        Command::new("umount").arg(folder.path()).status().unwrap();
        assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_err() && outcomes[3].is_ok(), "{outcomes:?}");
        assert_eq!((left, names), ((Some(50_000), None), vec!["state".to_owned()]));
    }
}
