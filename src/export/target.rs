//! A file that takes the place of an older one as a whole, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Octets gathered before they are written.
const BUFFER: usize = 1 << 16;

/// Where a format writes to.
pub(super) enum Out {
    /// What the caller gave, such as standard output.
    Given(Box<dyn Write>),
    /// A file.
    File(Replacement),
}

impl Out {
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        Replacement::new(path).map(Self::File)
    }

    /// Makes what was written last.
    pub(super) fn commit(self) -> io::Result<()> {
        match self {
            Self::Given(mut out) => out.flush(),
            Self::File(file) => file.commit(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Given(out) => out.write(octets),
            Self::File(file) => file.out.write(octets).map_err(|error| at(&file.path, &error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Given(out) => out.flush(),
            Self::File(file) => file.out.flush(),
        }
    }
}

/// A new file beside the one whose place it will take. Given up, it is removed.
pub(super) struct Replacement {
    path: PathBuf,
    /// The new file, unless `path` is no file (a pipe, a device) and is written to itself.
    new: Option<PathBuf>,
    out: BufWriter<File>,
}

impl Replacement {
    fn new(path: &Path) -> io::Result<Self> {
        let special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        if special {
            let file = File::options().write(true).open(path).map_err(|error| at(path, &error))?;
            return Ok(Self { path: path.to_owned(), new: None, out: BufWriter::with_capacity(BUFFER, file) });
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().ok_or_else(|| io::Error::other(format!("{} is no name of a file", path.display())))?);
        name.push(format!(".{}.new", std::process::id()));
        let new = path.with_file_name(name);
        let file = File::create(&new).map_err(|error| at(path, &error))?;
        Ok(Self { path: path.to_owned(), new: Some(new), out: BufWriter::with_capacity(BUFFER, file) })
    }

    fn commit(mut self) -> io::Result<()> {
        let mut commit = || {
            self.out.flush()?;
            let Some(new) = &self.new else { return Ok(()) };
            self.out.get_ref().sync_all()?;
            fs::rename(new, &self.path)
        };
        commit().map_err(|error: io::Error| at(&self.path, &error))?;
        self.new = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(new) = &self.new {
            // Nothing depends on it: whoever finds it sees by its name what it is.
            let _ = fs::remove_file(new);
        }
    }
}

/// Writes a file as a whole.
///
/// # Errors
/// When it cannot be written; the error says where. The file is then what it was before.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = Out::file(path)?;
    write(&mut out)?;
    out.commit()
}

/// The same for what writes to the file itself.
#[cfg(feature = "parquet")]
pub(super) fn replace_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut file = Replacement::new(path)?;
    write(&mut file.out).map_err(|error| at(path, &error))?;
    file.commit()
}

/// An error that says where.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let files = || fs::read_dir(folder.path()).unwrap().count();
        let mut out = Out::file(&path).unwrap();
        out.write_all(b"one").unwrap();
        assert!(!path.exists());
        out.commit().unwrap();
        assert_eq!((fs::read(&path).unwrap(), files()), (b"one".to_vec(), 1));
        let mut out = Out::file(&path).unwrap();
        out.write_all(b"half").unwrap();
        drop(out);
        assert_eq!((fs::read(&path).unwrap(), files()), (b"one".to_vec(), 1));
        assert!(
            Out::file(&folder.path().join("nowhere/list"))
                .is_err_and(|error| error.to_string().contains("nowhere/list: No such"))
        );
        let mut out = Out::file(Path::new("/dev/null")).unwrap();
        out.write_all(b"gone").unwrap();
        out.commit().unwrap();
    }
}
