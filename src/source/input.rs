//! The inputs that a user names: files, directories, standard input.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ahead::Ahead;
use super::capture::head;
use super::packed::{is_packed, unpack};
use super::{Capture, Failure, Limits, Parts};
use crate::day::Timestamp;

/// A capture to be read, not yet opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    place: Place,
    limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Written `-`.
    Stdin,
    File(PathBuf),
}

/// What the beginning of a file tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    /// Whether it is compressed.
    pub(super) packed: bool,
    /// When its first packet was captured, if it has one yet.
    pub(super) first: Option<Timestamp>,
}

impl Input {
    /// A file. What it unpacks to, should it be compressed, is held to `limits`.
    pub const fn file(path: PathBuf, limits: Limits) -> Self {
        Self { place: Place::File(path), limits }
    }

    /// The inputs that `paths` stand for: a directory stands for the captures in it and below. Also returns how many
    /// other files such directories hold, which are passed over.
    ///
    /// They come in the order of their first packets, whatever the order of `paths`, because state is carried from one to
    /// the next. What cannot be looked into beforehand keeps its place: pipes, and what will fail when it is opened.
    pub fn expand(paths: &[PathBuf], limits: Limits) -> (Vec<Self>, usize) {
        let (mut inputs, mut others) = (vec![], 0);
        for path in paths {
            if path.as_os_str() == "-" {
                inputs.push((None, Self { place: Place::Stdin, limits }));
                continue;
            }
            let known = inputs.len();
            match path.is_dir().then(|| collect(path, limits, &mut inputs)) {
                Some(Ok(passed)) => others += passed,
                Some(Err(_)) | None => {
                    inputs.truncate(known);
                    let input = Self::file(path.clone(), limits);
                    inputs.push((input.first_time().unwrap_or(None), input));
                }
            }
        }
        (in_order(inputs), others)
    }

    /// As the user named it.
    pub fn path(&self) -> String {
        match &self.place {
            Place::Stdin => "-".to_owned(),
            Place::File(path) => path.display().to_string(),
        }
    }

    /// Octets in it, when that can be known beforehand.
    pub fn size(&self) -> Option<u64> {
        match &self.place {
            Place::Stdin => None,
            Place::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len()),
        }
    }

    /// Whether it is compressed, where that can be known without taking from a pipe.
    pub fn is_packed(&self) -> bool {
        self.size().is_some() && self.raw().is_ok_and(|(head, _)| is_packed(&head))
    }

    /// Opens it and recognises its format. Compressed input is unpacked on a thread of its own.
    ///
    /// # Errors
    /// When it cannot be read or is no capture.
    pub fn open(&self) -> Result<Capture<Box<dyn Read + Send>>, Failure> {
        let (head, input) = self.raw()?;
        if !is_packed(&head) {
            return Capture::begun(head, input);
        }
        let (limits, meter) = (self.limits, Arc::default());
        let count = Arc::clone(&meter);
        let unpacked = Ahead::start(move || unpack(head, input, limits, &count))?;
        Capture::unpacked(Box::new(unpacked), meter)
    }

    /// The parts of which several threads read one each: nothing where its records can be found only one after the other, and
    /// where [`Self::open`] tells what is wrong with it.
    pub fn parts(&self) -> Option<Parts> {
        let Place::File(path) = &self.place else { return None };
        // Nothing is taken from a pipe.
        let octets = self.size()?;
        let mut file = File::open(path).ok()?;
        Parts::of(&head(&mut file).ok()?, file, octets)
    }

    /// When the first packet was captured: nothing where it has no time, or where that cannot be known without taking
    /// from a pipe.
    fn first_time(&self) -> Result<Option<Timestamp>, Failure> {
        let first = if self.size().is_some() { self.look()?.first } else { None };
        Ok(first.filter(|time| *time != Timestamp::default()))
    }

    /// Looks at its beginning.
    ///
    /// # Errors
    /// When it cannot be read or is no capture.
    pub(super) fn look(&self) -> Result<Beginning, Failure> {
        let (head, input) = self.raw()?;
        let packed = is_packed(&head);
        if !packed {
            return Ok(Beginning { packed, first: Capture::begun(head, input)?.first_time() });
        }
        // Only the first blocks are unpacked: not worth a thread.
        let meter = Arc::default();
        let unpacked = unpack(head, input, self.limits, &meter)?;
        Ok(Beginning { packed, first: Capture::unpacked(unpacked, meter)?.first_time() })
    }

    /// Its first octets, and the others.
    fn raw(&self) -> Result<(Vec<u8>, Box<dyn Read + Send>), Failure> {
        let mut input: Box<dyn Read + Send> = match &self.place {
            Place::Stdin => Box::new(io::stdin()),
            Place::File(path) => Box::new(File::open(path)?),
        };
        Ok((head(&mut input)?, input))
    }
}

/// Adds the captures in a directory and below, and when they begin; returns how many files there are none.
fn collect(directory: &Path, limits: Limits, inputs: &mut Vec<(Option<Timestamp>, Input)>) -> io::Result<usize> {
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
            let input = Input::file(path, limits);
            match input.first_time() {
                Err(failure) if failure.is_of_no_capture() => others += 1,
                // Empty, damaged and unreadable files stay, so that what is not read is told.
                first => inputs.push((first.unwrap_or(None), input)),
            }
        }
    }
    Ok(others)
}

/// Sorts inputs by their first packets; those without stay where they are.
fn in_order(inputs: Vec<(Option<Timestamp>, Input)>) -> Vec<Input> {
    let (mut dated, mut order) = (vec![], vec![]);
    for (time, input) in inputs {
        order.push(time.is_none().then(|| input.clone()));
        dated.extend(time.map(|time| (time, input)));
    }
    dated.sort_by_key(|(time, _)| *time);
    let mut dated = dated.into_iter().map(|(_, input)| input);
    order.into_iter().filter_map(|fixed| fixed.or_else(|| dated.next())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_time_is_sorted_around_what_has_none() {
        let rows: [(&[Option<u64>], &[usize]); 4] = [
            (&[], &[]),
            (&[Some(3), Some(1), Some(2)], &[1, 2, 0]),
            (&[Some(3), None, Some(1), None, Some(1)], &[2, 1, 4, 3, 0]),
            (&[None, None], &[0, 1]),
        ];
        for (times, expected) in rows {
            let input = |place: usize| Input::file(place.to_string().into(), Limits::USUAL);
            let inputs = times.iter().enumerate().map(|(place, time)| (time.map(Timestamp::from_nanos), input(place)));
            let sorted = in_order(inputs.collect());
            assert_eq!(sorted, expected.iter().map(|place| input(*place)).collect::<Vec<_>>(), "{times:?}");
        }
    }
}
