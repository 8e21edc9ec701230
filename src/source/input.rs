//! The inputs that a user names: files, directories, standard input.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Capture, Failure};

/// A capture to be read, not yet opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input, written `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// The inputs that `paths` stand for, in their order: a directory stands for the captures in it and below, sorted
    /// by name. Also returns how many other files such directories hold, which are passed over. A path that cannot be
    /// looked into stays, to fail when it is opened.
    pub fn expand(paths: &[PathBuf]) -> (Vec<Self>, usize) {
        let (mut inputs, mut others) = (vec![], 0);
        for path in paths {
            if path.as_os_str() == "-" {
                inputs.push(Self::Stdin);
                continue;
            }
            let known = inputs.len();
            match path.is_dir().then(|| collect(path, &mut inputs)) {
                Some(Ok(passed)) => others += passed,
                Some(Err(_)) | None => {
                    inputs.truncate(known);
                    inputs.push(Self::File(path.clone()));
                }
            }
        }
        (inputs, others)
    }

    /// As the user named it.
    pub fn path(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Octets in it, when that can be known beforehand.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len()),
        }
    }

    /// Opens it and recognises its format.
    ///
    /// # Errors
    /// When it cannot be read or is no capture.
    pub fn open(&self) -> Result<Capture<Box<dyn Read + Send>>, Failure> {
        let input: Box<dyn Read + Send> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::File(path) => Box::new(File::open(path).map_err(Failure::Read)?),
        };
        Capture::new(input)
    }
}

/// Adds the captures in a directory and below; returns how many files there are none.
fn collect(directory: &Path, inputs: &mut Vec<Input>) -> io::Result<usize> {
    let mut waiting = vec![directory.to_owned()];
    let mut others = 0;
    // The last is taken first, so what is sorted goes in backwards.
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            // A link could lead back to where it came from.
            if path != directory && path.is_symlink() {
                continue;
            }
            let entries: io::Result<Vec<_>> = fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect();
            let mut entries = entries?;
            entries.sort_unstable_by(|a, b| b.cmp(a));
            waiting.append(&mut entries);
        } else if path.is_file() {
            let input = Input::File(path);
            // Compressed, empty and unreadable files stay, so that what is not read is told.
            if matches!(input.open(), Err(Failure::Unknown)) { others += 1 } else { inputs.push(input) }
        }
    }
    Ok(others)
}
