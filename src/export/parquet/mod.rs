//! Evidence, lists and hourly sketches as Parquet files, for merging sensors and for DuckDB, ClickHouse and Spark.
//! docs/PARQUET.md describes the columns, and which files stand for which.

mod columns;
mod contribution;
mod groups;
mod rows;
mod schemas;

pub use self::contribution::{Contribution, write_sketches};
pub use self::rows::{EvidenceRow, ListRow, ServerRow, SketchRow};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::target::{at, replace_file};
use crate::day::{Day, Timestamp};

use self::columns::{Table, schema};
use self::groups::Cursor;
use self::schemas::{EVIDENCE, LISTS, SERVERS, SKETCHES, VERSION};

/// A folder of Parquet files, and which of them one run of a sensor writes.
///
/// A run writes one file of evidence a family and list day, under a name that is always the same, and replaces it as a
/// whole. So whoever reads all files has each message of a run once, whenever that is.
#[derive(Clone, Debug)]
pub struct ParquetFolder {
    folder: PathBuf,
    /// The name of its files.
    file: String,
}

impl ParquetFolder {
    /// For the run of a sensor that began with a time, and for one of captures that ended with another.
    pub fn new(folder: &Path, sensor: &str, from: Timestamp, to: Option<Timestamp>) -> Self {
        // `2009-03-31T20:00:00Z` without what Windows and globs trip over, and without fractions.
        let compact = |time: Timestamp| {
            let text = Timestamp::from_parts(time.parts().0, 0).to_string();
            let digits: String =
                text.split('.').next().unwrap_or_default().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
            format!("-{}Z", digits.trim_end_matches('Z'))
        };
        let file = format!("{}{}{}.parquet", plain(sensor), compact(from), to.map_or_else(String::new, compact));
        Self { folder: folder.to_owned(), file }
    }

    /// The same with a further file for each of its files: the number of the part is in the name, but for that of the first, 0.
    pub fn part(&self, number: u32) -> Self {
        let mut part = self.clone();
        if number > 0 {
            part.file = format!("{}-{number}.parquet", self.file.trim_end_matches(".parquet"));
        }
        part
    }

    /// Writes the evidence of a family and list day; nothing where there is none.
    ///
    /// # Errors
    /// When the file cannot be written; it is then what it was before.
    pub fn write_evidence(&self, family: &str, list_day: Day, rows: impl Iterator<Item = EvidenceRow>) -> io::Result<()> {
        self.write::<EvidenceRow>(
            &["evidence", &format!("list_day={list_day}"), &format!("family={}", plain(family))],
            EVIDENCE,
            rows,
        )
    }

    /// Writes what verdicts on a list rest on.
    ///
    /// # Errors
    /// As above.
    pub fn write_list(&self, list: &ListRow) -> io::Result<()> {
        let (list_day, family) = (format!("list_day={}", list.list_day), format!("family={}", plain(&list.family)));
        self.write::<ListRow>(&["lists", &list_day, &family], LISTS, std::iter::once(list))
    }

    /// Writes the sketches of a family and day.
    ///
    /// # Errors
    /// As above.
    pub fn write_sketches(&self, family: &str, date: Day, rows: impl Iterator<Item = SketchRow>) -> io::Result<()> {
        self.write::<SketchRow>(&["sketches", &format!("date={date}"), &format!("family={}", plain(family))], SKETCHES, rows)
    }

    /// Writes who was seen to answer.
    ///
    /// # Errors
    /// As above.
    pub fn write_servers(&self, rows: impl Iterator<Item = ServerRow>) -> io::Result<()> {
        self.write::<ServerRow>(&["servers"], SERVERS, rows)
    }

    fn write<R: rows::Fields>(
        &self,
        below: &[&str],
        text: &str,
        rows: impl Iterator<Item = impl std::borrow::Borrow<R>>,
    ) -> io::Result<()> {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut folder = self.folder.clone();
        folder.extend(below);
        fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
        replace_file(&folder.join(&self.file), |out| {
            let mut table = Table::new(out, schema(text), VERSION)?;
            rows.try_for_each(|row| table.add(|fields| row.borrow().put(fields)))?;
            Ok(table.finish()?)
        })
    }
}

/// What may stand in the name of a file, all else as `%2F`: what Hive, Spark and DuckDB read.
fn plain(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'.' | b'_' | b'-' => (octet as char).to_string(),
        octet if octet.is_ascii_alphanumeric() => (octet as char).to_string(),
        octet => format!("%{octet:02X}"),
    };
    let mut name: String = text.bytes().map(octet).collect();
    // Hidden files are passed over by those who read folders.
    if name.starts_with(['.', '_']) {
        name = format!("%{:02X}{}", name.as_bytes()[0], &name[1..]);
    }
    name
}

/// Reads all evidence of a file, or of a folder of files as [`ParquetFolder`] writes it, in the order of their names.
///
/// # Errors
/// One sentence, with the file: it is none of ours, it is damaged, or `take` refused a row.
pub fn read_evidence(path: &Path, take: &mut dyn FnMut(EvidenceRow) -> Result<(), String>) -> Result<(), String> {
    read_all(path, "evidence", EVIDENCE, take)
}

/// The same for lists.
///
/// # Errors
/// The same.
pub fn read_lists(path: &Path, take: &mut dyn FnMut(ListRow) -> Result<(), String>) -> Result<(), String> {
    read_all(path, "lists", LISTS, take)
}

/// The same for who was seen to answer.
///
/// # Errors
/// The same.
pub fn read_servers(path: &Path, take: &mut dyn FnMut(ServerRow) -> Result<(), String>) -> Result<(), String> {
    read_all(path, "servers", SERVERS, take)
}

/// The same for sketches.
///
/// # Errors
/// The same.
pub fn read_sketches(path: &Path, take: &mut dyn FnMut(SketchRow) -> Result<(), String>) -> Result<(), String> {
    read_all(path, "sketches", SKETCHES, take)
}

/// Folders below the one of a kind: days, families.
const DEEPEST: usize = 2;

fn read_all<R: rows::Fields>(
    path: &Path,
    kind: &str,
    text: &'static str,
    take: &mut dyn FnMut(R) -> Result<(), String>,
) -> Result<(), String> {
    let below = path.join(kind);
    let mut files = vec![];
    collect(if below.is_dir() { &below } else { path }, DEEPEST, &mut files)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    for file in files {
        let mut of_group = |rows: usize, columns| {
            let mut cursor = Cursor::new(columns);
            (0..rows).try_for_each(|_| take(R::get(&mut cursor)?))
        };
        groups::read(&file, text, VERSION, &mut of_group).map_err(|why| format!("{} {why}", file.display()))?;
    }
    Ok(())
}

/// The files at a path, or in the folders below it, in the order of their names.
fn collect(path: &Path, deeper: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut folders = vec![(path.to_owned(), deeper)];
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    while let Some((folder, deeper)) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name();
            // What is being written is hidden.
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                if deeper > 0 {
                    folders.push((path, deeper - 1));
                }
            } else if path.extension().is_some_and(|ending| ending == "parquet") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(())
}

#[cfg(test)]
mod tests;
