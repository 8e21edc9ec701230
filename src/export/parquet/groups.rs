//! Files read back, a group of rows at a time. What is in them is not believed: a count sets no memory aside.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use parquet::basic::Type as Physical;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;

use super::columns::{Column, Values, columns, schema};

/// The longest file that is read, in octets.
const MOST_OCTETS: u64 = 4 << 30;

/// Rows of a group, and values of all its columns, that are read at most: more than is written.
const MOST_ROWS: i64 = 1 << 20;
const MOST_VALUES: u64 = 1 << 25;

/// How long a group, or what a file says of itself, may take: honest ones take seconds at most. The crate passes over lists of flags
/// that it does not know one flag at a time, two thousand million in six octets: some megabytes keep it busy for weeks.
const PATIENCE: Duration = Duration::from_secs(60);

/// A group: its rows, and their columns.
type Group = (usize, Vec<Column>);

/// Reads the groups of a file that has this schema, in this version.
///
/// # Errors
/// When the file is not like that, takes too long, or `take` refuses a group.
pub(super) fn read(
    path: &Path,
    text: &'static str,
    said: (&'static str, &'static str),
    take: &mut dyn FnMut(usize, Vec<Column>) -> Result<(), String>,
) -> Result<(), String> {
    read_within(PATIENCE, path, text, said, take)
}

/// The same in so much time for each step. Nobody can stop a thread: one that takes longer goes on until the program ends.
pub(super) fn read_within(
    patience: Duration,
    path: &Path,
    text: &'static str,
    said: (&'static str, &'static str),
    take: &mut dyn FnMut(usize, Vec<Column>) -> Result<(), String>,
) -> Result<(), String> {
    let ((ask, asked), (give, given)) = (channel(), channel());
    let path = path.to_owned();
    let work = move || {
        let end = read_asked(&path, text, said, &asked, &give).map(|()| None);
        // Whoever gave up does not hear it.
        let _ = give.send(end);
    };
    let reader = thread::Builder::new().name("parquet".to_owned()).spawn(work);
    reader.map_err(|error| format!("cannot be read: no thread can be started: {error}"))?;
    loop {
        // One at a time, so that no more is in memory. A reader that has ended has said why.
        let _ = ask.send(());
        match given.recv_timeout(patience) {
            Ok(Ok(Some((rows, columns)))) => take(rows, columns)?,
            Ok(end) => return end.map(drop),
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("takes longer than {} seconds to read: it is damaged", patience.as_secs()));
            }
            // Damage makes the crate panic here and there, in decoders that are not ours to mend: its thread ends then, and
            // nothing else was touched.
            Err(RecvTimeoutError::Disconnected) => return Err("cannot be read: it is damaged".to_owned()),
        }
    }
}

/// Gives a group whenever it is asked, until there are none.
fn read_asked(
    path: &Path,
    text: &str,
    (key, version): (&str, &str),
    asked: &Receiver<()>,
    give: &Sender<Result<Option<Group>, String>>,
) -> Result<(), String> {
    let damaged = |error: ParquetError| format!("cannot be read: {error}");
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let metadata = file.metadata().map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    if metadata.len() > MOST_OCTETS {
        return Err(format!("is larger than {MOST_OCTETS} octets"));
    }
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let of_file = reader.metadata().file_metadata();
    let pairs = of_file.key_value_metadata().into_iter().flatten();
    let said = pairs.filter(|pair| pair.key == key).find_map(|pair| pair.value.as_deref());
    match said {
        Some(said) if said == version => {}
        Some(said) => return Err(format!("has schema {}, and this program reads {version}", said.escape_debug())),
        None => return Err(format!("was not written by dgawatch: its metadata has no {key}")),
    }
    let expected = SchemaDescriptor::new(schema(text));
    let places = places(&expected, of_file.schema_descr())?;
    let mut groups = 0..reader.num_row_groups();
    while asked.recv().is_ok() {
        let Some(group) = groups.next() else { return Ok(()) };
        let rows = reader.metadata().row_group(group).num_rows();
        if !(0..=MOST_ROWS).contains(&rows) {
            return Err(format!("has a group of {rows} rows: at most {MOST_ROWS} are read"));
        }
        let read = read_group(&reader, group, &expected, &places).map_err(damaged)?;
        if give.send(Ok(Some((rows as usize, read)))).is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads the columns at these places.
fn read_group(
    reader: &SerializedFileReader<File>,
    group: usize,
    expected: &SchemaDescriptor,
    places: &[usize],
) -> Result<Vec<Column>> {
    let group = reader.get_row_group(group)?;
    let rows = group.metadata().num_rows() as usize;
    let mut read = columns(expected);
    let mut left = MOST_VALUES;
    for (column, place) in read.iter_mut().zip(places) {
        let of_file = group.metadata().column(*place);
        // It panics at these, and would tell so.
        let offsets = [of_file.data_page_offset(), of_file.compressed_size(), of_file.dictionary_page_offset().unwrap_or(0)];
        if offsets.iter().any(|offset| *offset < 0) {
            return Err(ParquetError::General("a column begins before the file".to_owned()));
        }
        let pages = Bounded { pages: group.get_column_page_reader(*place)?, left };
        let descriptor = reader.metadata().file_metadata().schema_descr().column(*place);
        fill(column, get_column_reader(descriptor, Box::new(pages)), rows)?;
        left = left.saturating_sub(column.definition.len().max(rows) as u64);
    }
    Ok(read)
}

/// Where the file has each column: further ones are passed over.
fn places(expected: &SchemaDescriptor, of_file: &SchemaDescriptor) -> Result<Vec<usize>, String> {
    let place = |column: &parquet::schema::types::ColumnDescPtr| {
        let same = |other: &parquet::schema::types::ColumnDescPtr| {
            let shape = |of: &parquet::schema::types::ColumnDescPtr| (of.physical_type(), of.max_def_level(), of.max_rep_level());
            other.path() == column.path() && shape(other) == shape(column)
        };
        let found = of_file.columns().iter().position(same);
        found.ok_or_else(|| {
            let kind = match column.physical_type() {
                Physical::BYTE_ARRAY => "text".to_owned(),
                other => other.to_string(),
            };
            format!("has no column {} ({kind}) as docs/PARQUET.md describes it", column.path().string())
        })
    };
    expected.columns().iter().map(place).collect()
}

fn fill(column: &mut Column, reader: ColumnReader, rows: usize) -> Result<()> {
    fn all<T: DataType>(
        mut reader: ColumnReaderImpl<T>,
        rows: usize,
        (definition, repetition): (&mut Vec<i16>, &mut Vec<i16>),
        values: &mut Vec<T::T>,
    ) -> Result<usize> {
        let mut records = 0;
        while records < rows {
            match reader.read_records(rows - records, Some(definition), Some(repetition), values)? {
                (0, _, _) => break,
                (more, _, _) => records += more,
            }
        }
        Ok(records)
    }
    let levels = (&mut column.definition, &mut column.repetition);
    let records = match (reader, &mut column.values) {
        (ColumnReader::BoolColumnReader(reader), Values::Bool(values)) => all(reader, rows, levels, values),
        (ColumnReader::Int32ColumnReader(reader), Values::Int32(values)) => all(reader, rows, levels, values),
        (ColumnReader::Int64ColumnReader(reader), Values::Int64(values)) => all(reader, rows, levels, values),
        (ColumnReader::DoubleColumnReader(reader), Values::Double(values)) => all(reader, rows, levels, values),
        (ColumnReader::ByteArrayColumnReader(reader), Values::Octets(values)) => all(reader, rows, levels, values),
        _ => Err(ParquetError::General("a column is of another type than it was".to_owned())),
    }?;
    if records == rows { Ok(()) } else { Err(ParquetError::General(format!("a column ends after {records} of {rows} rows"))) }
}

/// Pages of a column, up to as many values as are left for it: a few octets can claim billions.
struct Bounded {
    pages: Box<dyn PageReader>,
    left: u64,
}

impl Iterator for Bounded {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Bounded {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            let left = self.left.checked_sub(page.num_values().into());
            self.left = left.ok_or_else(|| ParquetError::General(format!("a group has more than {MOST_VALUES} values")))?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

/// The columns of a group, read row by row: each call takes the next value of the next column.
pub(super) struct Cursor {
    columns: Vec<(Column, Places)>,
    next: usize,
}

/// How far a column is read.
#[derive(Default)]
struct Places {
    level: usize,
    value: usize,
}

/// What one call of [`Cursor`] does for a type.
macro_rules! get {
    ($name:ident, $kind:ident, $type:ty) => {
        pub(super) fn $name(&mut self) -> Result<Option<$type>, String> {
            let (column, places) = self.column();
            let Values::$kind(values) = &column.values else { return Err(MIXED.to_owned()) };
            if column.is_optional {
                let level = column.definition.get(places.level).ok_or(SHORT)?;
                places.level += 1;
                if *level == 0 {
                    return Ok(None);
                }
            }
            let value = values.get(places.value).ok_or(SHORT)?.clone();
            places.value += 1;
            Ok(Some(value))
        }
    };
}

const SHORT: &str = "is damaged: a column is shorter than the others";
const MIXED: &str = "is damaged: a column is of another type";

impl Cursor {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns: columns.into_iter().map(|column| (column, Places::default())).collect(), next: 0 }
    }

    fn column(&mut self) -> (&Column, &mut Places) {
        let place = self.next;
        self.next = (place + 1) % self.columns.len();
        let (column, places) = &mut self.columns[place];
        (column, places)
    }

    get!(flag, Bool, bool);
    get!(int32, Int32, i32);
    get!(int64, Int64, i64);
    get!(double, Double, f64);
    get!(octets, Octets, ByteArray);

    pub(super) fn text(&mut self) -> Result<Option<String>, String> {
        let octets = self.octets()?;
        let text = octets.map(|octets| String::from_utf8(octets.data().to_vec()));
        text.transpose().map_err(|_| "is damaged: a text is not UTF-8".to_owned())
    }

    pub(super) fn list32(&mut self) -> Result<Vec<u32>, String> {
        let (column, places) = self.column();
        let range = list(column, places)?;
        let Values::Int32(values) = &column.values else { return Err(MIXED.to_owned()) };
        Ok(values.get(range).ok_or(SHORT)?.iter().map(|value| value.cast_unsigned()).collect())
    }

    pub(super) fn list64(&mut self) -> Result<Vec<u64>, String> {
        let (column, places) = self.column();
        let range = list(column, places)?;
        let Values::Int64(values) = &column.values else { return Err(MIXED.to_owned()) };
        Ok(values.get(range).ok_or(SHORT)?.iter().map(|value| value.cast_unsigned()).collect())
    }
}

/// The places of the values of the next list.
fn list(column: &Column, places: &mut Places) -> Result<std::ops::Range<usize>, String> {
    let levels = column.repetition.get(places.level..).ok_or(SHORT)?;
    let more = levels.iter().skip(1).take_while(|level| **level > 0).count();
    let length = levels.first().map(|_| more + 1).ok_or(SHORT)?;
    let definition = column.definition.get(places.level..places.level + length).ok_or(SHORT)?;
    let values = definition.iter().filter(|level| **level > 0).count();
    let first = places.value;
    places.level += length;
    places.value += values;
    Ok(first..first + values)
}
