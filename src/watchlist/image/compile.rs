//! Writes lists into a file, one after the other: what is in memory is one list at a time.

use std::io::{self, Write};

use super::layout::{Contents, Entry, HEADER, Kind, MOST_TABLE, Member, filled_up, header};
use super::samples;
use crate::day::Day;
use crate::dga::{Catalog, Family, Shape};
use crate::watchlist::hasher::{Hasher, random_key};
use crate::watchlist::list::index;

/// Octets of names that are gathered before they are written.
const BLOCK: usize = 1 << 16;

/// Writes the lists that packets of days from the first to the last of `days` are held against, when clocks of hosts are up to `skew` days wrong.
/// `each` is called with the family, the edition and the names of each list that is done.
///
/// # Errors
/// When `out` does not take it, or there are more lists or names than a file can hold.
pub fn compile(
    catalog: &Catalog,
    days: (Day, Day),
    skew: u16,
    out: &mut dyn Write,
    each: &mut dyn FnMut(&str, Day, u32),
) -> io::Result<()> {
    let key = random_key();
    let hasher = Hasher::of(&key);
    let mut out = Output { out, written: 0, checksum: crc32fast::Hasher::new() };
    out.part(&header(&key))?;
    let mut contents = Contents { key, days, skew, families: vec![], lists: vec![], table_at: 0 };
    for (place, (_, family)) in catalog.iter().enumerate() {
        let editions = editions(family, days, skew);
        for &(edition, count) in editions.iter().filter(|(_, count)| *count > 0) {
            let entry = list(family, place, edition, &hasher, &mut out)?;
            contents.lists.push(entry);
            each(family.id(), edition, count);
        }
        let kind =
            if is_list(family) { Kind::List { since: family.since(), editions: dated(editions, days) } } else { Kind::BuiltIn };
        contents.families.push(Member { id: family.id().to_owned(), kind });
    }
    contents.table_at = out.written;
    let rest = contents.rest();
    if rest.len() > MOST_TABLE {
        return Err(io::Error::other("these are more lists than a file can hold: take fewer days"));
    }
    out.out.write_all(&rest)
}

/// Whether the program that reads the file will not know the family.
fn is_list(family: &dyn Family) -> bool {
    matches!(family.shape(), Shape::Any)
}

/// The lists of the days, each once, with how many names they hold. What a user's list holds is known by the first of the days
/// on which it is so.
fn editions(family: &dyn Family, (first, last): (Day, Day), skew: u16) -> Vec<(Day, u32)> {
    let mut editions: Vec<(Day, u32)> = vec![];
    let mut before = None;
    for list_day in family.calendar().open(first, last, skew) {
        let edition = family.edition(list_day);
        if before.replace(edition) != Some(edition) {
            editions.push((if is_list(family) { list_day } else { edition }, family.count(list_day)));
        }
    }
    editions
}

/// The editions of a user's list on all days: it is empty on days that are not written.
fn dated(mut editions: Vec<(Day, u32)>, (first, last): (Day, Day)) -> Vec<(Day, u32)> {
    if first > Day::EPOCH {
        editions.insert(0, (Day::EPOCH, 0));
    }
    editions.push((last.plus(1), 0));
    editions
}

/// Writes a list.
fn list(family: &dyn Family, place: usize, edition: Day, hasher: &Hasher, out: &mut Output<'_>) -> io::Result<Entry> {
    out.checksum.reset();
    let count = family.count(edition);
    {
        let (filter, table) = index(family, edition, hasher);
        let (ends, entries) = table.octets();
        [filter.octets(), ends, entries].into_iter().try_for_each(|part| out.part(part))?;
    }
    let samples = if is_list(family) { None } else { samples(family, edition) };
    let mut names = 0;
    if samples.is_none() {
        let mut starts = Vec::with_capacity(4 * count as usize);
        let (mut block, mut outcome) = (vec![], Ok(()));
        family.names(edition, &mut |name| {
            starts.extend_from_slice(&(names as u32).to_le_bytes());
            names += name.as_wire().len() as u64;
            block.extend_from_slice(name.as_wire());
            if block.len() >= BLOCK && outcome.is_ok() {
                outcome = out.octets(&block);
            }
            if block.len() >= BLOCK {
                block.clear();
            }
        });
        outcome.and_then(|()| out.octets(&block))?;
        if names > u32::MAX.into() {
            return Err(io::Error::other(format!("the list of {} of {edition} is longer than 4 GiB", family.id())));
        }
        out.fill_up()?;
        out.part(&starts)?;
    }
    let checksum = out.checksum.clone().finalize();
    let (drawn, samples) = (samples.is_some(), samples.unwrap_or_default());
    Ok(Entry { family: place, drawn, edition, count, names, samples, checksum })
}

/// Where lists are written to.
struct Output<'w> {
    out: &'w mut dyn Write,
    written: usize,
    /// Of the list that is being written.
    checksum: crc32fast::Hasher,
}

impl Output<'_> {
    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.written += octets.len();
        self.checksum.update(octets);
        self.out.write_all(octets)
    }

    fn fill_up(&mut self) -> io::Result<()> {
        let end = filled_up(self.written).ok_or_else(|| io::Error::other("the file is too long for this machine"))?;
        self.octets(&[0; HEADER][..end - self.written])
    }

    fn part(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets(octets)?;
        self.fill_up()
    }
}
