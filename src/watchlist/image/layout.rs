//! Header, table and end of a file of lists as octets, and back.
//!
//! | part of the table | numbers |
//! | --- | --- |
//! | days | first and last day of packets (4 each), days that clocks may be wrong (2) |
//! | families | how many (2); of each 0 for one that is built in or 1 for a list of a user (1), the length of its name (1), the name |
//! | of users' lists | the first day on which a name counts (4), the number of editions (4); of each its first day (4) and how many names it holds (4), ascending, beginning on 1970-01-01 |
//! | lists | how many (4); of each the family's place (2), 0 for names that stand in the file or 1 for names that the family makes (1), the edition (4), how many names (4), octets of the names (8), the checksum of some names (4), that of the list (4) |
//!
//! Days are counted from 1970-01-01.

use super::DAMAGED;
use crate::day::Day;
use crate::watchlist::hasher::Key;

pub(super) const MAGIC: &[u8; 8] = b"dgalists";
pub(super) const END_MAGIC: &[u8; 4] = b"ends";

/// Of the format. Another number for every change of it, of the filter, the table or the hash.
pub(super) const VERSION: u32 = 1;

/// Octets of the header and of the end.
pub(super) const HEADER: usize = 64;
pub(super) const END: usize = 32;

/// The longest table: a year of all families takes a tenth of it. A bound on what opening a file takes.
pub(super) const MOST_TABLE: usize = 4 << 20;

/// Parts begin where a processor fetches memory.
const ALIGNMENT: usize = 64;

/// What a file says of itself.
pub(super) struct Contents {
    pub(super) key: Key,
    pub(super) days: (Day, Day),
    pub(super) skew: u16,
    pub(super) families: Vec<Member>,
    pub(super) lists: Vec<Entry>,
    /// Where the lists end.
    pub(super) table_at: usize,
}

/// A family of a file.
pub(super) struct Member {
    pub(super) id: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// The program knows it.
    BuiltIn,
    /// All that is known of it is in the file.
    List {
        since: Day,
        /// Days on which the list changes, ascending, each with the number of names from then on; the first is 1970-01-01.
        editions: Vec<(Day, u32)>,
    },
}

/// A list of a file.
#[derive(Clone)]
pub(super) struct Entry {
    /// The place of its family.
    pub(super) family: usize,
    /// Whether the family makes its names.
    pub(super) drawn: bool,
    pub(super) edition: Day,
    pub(super) count: u32,
    /// Octets of the names, where they stand in the file.
    pub(super) names: u64,
    /// CRC-32 of some names, where the family makes them.
    pub(super) samples: u32,
    /// CRC-32 of all of the list.
    pub(super) checksum: u32,
}

/// The end of a part that begins the next, if there can be one.
pub(super) fn filled_up(end: usize) -> Option<usize> {
    end.checked_next_multiple_of(ALIGNMENT)
}

/// The header.
pub(super) fn header(key: &Key) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..32].copy_from_slice(key);
    header
}

impl Contents {
    /// Reads what stands around the lists of a whole file.
    ///
    /// # Errors
    /// One clause.
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        let Some((header, _)) = file.split_first_chunk::<HEADER>().filter(|(header, _)| header.starts_with(MAGIC)) else {
            return Err("is no compiled watchlist, or no whole one".to_owned());
        };
        let version = u32::from_le_bytes(header[8..12].try_into().expect("four octets"));
        if version != VERSION {
            return Err(format!(
                "is a compiled watchlist of version {version}, and this program ({}) reads version {VERSION}: compile it with this program",
                env!("CARGO_PKG_VERSION")
            ));
        }
        let (rest, end) = file.split_last_chunk::<END>().ok_or(CUT)?;
        let (numbers, seal) = end.split_at(24);
        let number = |place: usize| u64::from_le_bytes(numbers[place..place + 8].try_into().expect("eight octets"));
        if !seal.ends_with(END_MAGIC) || number(16) != file.len() as u64 {
            return Err(CUT.to_owned());
        }
        let table_at = usize::try_from(number(0)).ok().filter(|at| (HEADER..=rest.len()).contains(at)).ok_or(DAMAGED)?;
        let table = &rest[table_at..];
        if table.len() as u64 != number(8) || table.len() > MOST_TABLE {
            return Err(DAMAGED.to_owned());
        }
        if seal[..4] != checksum(header, table, numbers).to_le_bytes() {
            return Err("is damaged: its checksum is wrong".to_owned());
        }
        let key = header[16..32].try_into().expect("16 octets");
        Self::read_table(table, key, table_at).ok_or_else(|| DAMAGED.to_owned())
    }

    fn read_table(table: &[u8], key: Key, table_at: usize) -> Option<Self> {
        let table = &mut Reader(table);
        let days = (table.day()?, table.day()?);
        let skew = table.u16()?;
        let families = (0..table.u16()?).map(|_| table.member()).collect::<Option<Vec<_>>>()?;
        let lists = (0..table.u32()?).map(|_| table.entry(families.len())).collect::<Option<_>>()?;
        (table.0.is_empty() && days.0 <= days.1).then_some(Self { key, days, skew, families, lists, table_at })
    }

    /// The table and the end, to be written behind the lists.
    pub(super) fn rest(&self) -> Vec<u8> {
        let mut table = vec![];
        let mut put = |octets: &[u8]| table.extend_from_slice(octets);
        put(&self.days.0.number().to_le_bytes());
        put(&self.days.1.number().to_le_bytes());
        put(&self.skew.to_le_bytes());
        put(&(self.families.len() as u16).to_le_bytes());
        for Member { id, kind } in &self.families {
            put(&[u8::from(matches!(kind, Kind::List { .. })), id.len() as u8]);
            put(id.as_bytes());
            let Kind::List { since, editions } = kind else { continue };
            put(&since.number().to_le_bytes());
            put(&(editions.len() as u32).to_le_bytes());
            for (day, count) in editions {
                put(&day.number().to_le_bytes());
                put(&count.to_le_bytes());
            }
        }
        put(&(self.lists.len() as u32).to_le_bytes());
        for Entry { family, drawn, edition, count, names, samples, checksum } in &self.lists {
            put(&(*family as u16).to_le_bytes());
            put(&[u8::from(*drawn)]);
            put(&edition.number().to_le_bytes());
            put(&count.to_le_bytes());
            put(&names.to_le_bytes());
            put(&samples.to_le_bytes());
            put(&checksum.to_le_bytes());
        }
        let length = self.table_at + table.len() + END;
        let numbers = [self.table_at, table.len(), length].map(|number| (number as u64).to_le_bytes()).concat();
        let checksum = checksum(&header(&self.key), &table, &numbers);
        [&table, &*numbers, &checksum.to_le_bytes(), END_MAGIC].concat()
    }
}

const CUT: &str = "is cut short, or longer than it was: copy it again";

fn checksum(header: &[u8], table: &[u8], numbers: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    [header, table, numbers].iter().for_each(|part| checksum.update(part));
    checksum.finalize()
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (octets, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(octets)
    }

    fn array<const SIZE: usize>(&mut self) -> Option<[u8; SIZE]> {
        self.octets(SIZE)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn day(&mut self) -> Option<Day> {
        let number = self.array().map(i32::from_le_bytes)?;
        (0..=Day::LAST.number() + 1).contains(&number).then(|| Day::EPOCH.plus(number))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn member(&mut self) -> Option<Member> {
        let is_list = self.flag()?;
        let [length] = self.array()?;
        let id = std::str::from_utf8(self.octets(length.into())?).ok()?.to_owned();
        if !is_list {
            return Some(Member { id, kind: Kind::BuiltIn });
        }
        let since = self.day()?;
        let editions = (0..self.u32()?).map(|_| Some((self.day()?, self.u32()?))).collect::<Option<Vec<_>>>()?;
        let ascending = editions.first().is_some_and(|(day, _)| *day == Day::EPOCH) && editions.is_sorted_by(|a, b| a.0 < b.0);
        ascending.then_some(Member { id, kind: Kind::List { since, editions } })
    }

    fn entry(&mut self, families: usize) -> Option<Entry> {
        let family = usize::from(self.u16()?);
        let drawn = self.flag()?;
        let (edition, count, names) = (self.day()?, self.u32()?, self.array().map(u64::from_le_bytes)?);
        let (samples, checksum) = (self.u32()?, self.u32()?);
        // Lists without names are not written.
        (family < families && count > 0).then_some(Entry { family, drawn, edition, count, names, samples, checksum })
    }
}
