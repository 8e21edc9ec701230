//! Columns as they are gathered row by row, and written a group of rows at a time.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescriptor, Type};

/// Rows, and elements of their lists, that are gathered before they are written: what a reader has in memory at once.
const ROWS: usize = 1 << 16;
const ELEMENTS: usize = 1 << 22;

/// What a column holds, without what is null.
pub(super) enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    Octets(Vec<ByteArray>),
}

impl Values {
    /// None, of the type of a column.
    pub(super) fn none(of: parquet::basic::Type) -> Self {
        use parquet::basic::Type;
        match of {
            Type::BOOLEAN => Self::Bool(vec![]),
            Type::INT32 => Self::Int32(vec![]),
            Type::INT64 => Self::Int64(vec![]),
            Type::DOUBLE => Self::Double(vec![]),
            Type::BYTE_ARRAY => Self::Octets(vec![]),
            other => unreachable!("no schema of ours has a column of type {other}"),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Bool(values) => values.clear(),
            Self::Int32(values) => values.clear(),
            Self::Int64(values) => values.clear(),
            Self::Double(values) => values.clear(),
            Self::Octets(values) => values.clear(),
        }
    }
}

/// A column: values, and the levels that say what is null or an empty list, and where lists begin ("Nested Encoding" of the
/// format's documentation).
pub(super) struct Column {
    pub(super) values: Values,
    /// Whether there are such levels, which is to say whether it may be null, or is a list.
    pub(super) is_optional: bool,
    pub(super) is_list: bool,
    pub(super) definition: Vec<i16>,
    pub(super) repetition: Vec<i16>,
}

/// The columns of a schema, empty.
pub(super) fn columns(schema: &SchemaDescriptor) -> Vec<Column> {
    let column = |descriptor: &Arc<parquet::schema::types::ColumnDescriptor>| Column {
        values: Values::none(descriptor.physical_type()),
        is_optional: descriptor.max_def_level() > 0,
        is_list: descriptor.max_rep_level() > 0,
        definition: vec![],
        repetition: vec![],
    };
    schema.columns().iter().map(column).collect()
}

/// A schema, from its text.
pub(super) fn schema(text: &str) -> Arc<Type> {
    Arc::new(parse_message_type(text).expect("our own schemas are well-formed"))
}

/// A file that is being written.
pub(super) struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
    elements: usize,
}

/// One row of it: each call fills the next column.
pub(super) struct Row<'t> {
    columns: std::slice::IterMut<'t, Column>,
    elements: &'t mut usize,
}

impl<W: Write + Send> Table<W> {
    /// Begins a file with a version of its schema.
    pub(super) fn new(out: W, schema: Arc<Type>, (key, version): (&str, &str)) -> Result<Self> {
        let version = KeyValue::new(key.to_owned(), version.to_owned());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by(concat!("dgawatch ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![version]))
            .build();
        let columns = columns(&SchemaDescriptor::new(Arc::clone(&schema)));
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        Ok(Self { file, columns, rows: 0, elements: 0 })
    }

    /// Adds a row.
    pub(super) fn add(&mut self, fill: impl FnOnce(&mut Row<'_>)) -> Result<()> {
        let mut row = Row { columns: self.columns.iter_mut(), elements: &mut self.elements };
        fill(&mut row);
        debug_assert!(row.columns.len() == 0, "a row fills each column");
        self.rows += 1;
        if self.rows >= ROWS || self.elements >= ELEMENTS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        let mut columns = self.columns.iter_mut();
        while let (Some(mut writer), Some(column)) = (group.next_column()?, columns.next()) {
            let Column { values, is_optional, is_list, definition, repetition } = column;
            let levels = (is_optional.then_some(&**definition), is_list.then_some(&**repetition));
            match (writer.untyped(), &*values) {
                (ColumnWriter::BoolColumnWriter(writer), Values::Bool(values)) => writer.write_batch(values, levels.0, levels.1),
                (ColumnWriter::Int32ColumnWriter(writer), Values::Int32(values)) => {
                    writer.write_batch(values, levels.0, levels.1)
                }
                (ColumnWriter::Int64ColumnWriter(writer), Values::Int64(values)) => {
                    writer.write_batch(values, levels.0, levels.1)
                }
                (ColumnWriter::DoubleColumnWriter(writer), Values::Double(values)) => {
                    writer.write_batch(values, levels.0, levels.1)
                }
                (ColumnWriter::ByteArrayColumnWriter(writer), Values::Octets(values)) => {
                    writer.write_batch(values, levels.0, levels.1)
                }
                _ => unreachable!("columns are made from the schema that the file is written by"),
            }?;
            writer.close()?;
            values.clear();
            definition.clear();
            repetition.clear();
        }
        group.close()?;
        (self.rows, self.elements) = (0, 0);
        Ok(())
    }

    /// Writes what is left, and the end of the file.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.file.close().map(drop)
    }
}

/// What one call of [`Row`] does for a type.
macro_rules! put {
    ($(#[$about:meta])* $name:ident, $kind:ident, $type:ty) => {
        $(#[$about])*
        pub(super) fn $name(&mut self, value: Option<$type>) {
            let column = self.next();
            if column.is_optional {
                column.definition.push(value.is_some().into());
            }
            match (&mut column.values, value) {
                (Values::$kind(values), Some(value)) => values.push(value),
                (Values::$kind(_), None) if column.is_optional => {}
                _ => unreachable!("rows are filled in the order of the schema, and what is required is there"),
            }
        }
    };
}

impl Row<'_> {
    fn next(&mut self) -> &mut Column {
        self.columns.next().expect("a row has as many values as there are columns")
    }

    put!(flag, Bool, bool);
    put!(int32, Int32, i32);
    put!(int64, Int64, i64);
    put!(double, Double, f64);
    put!(octets, Octets, ByteArray);

    pub(super) fn text(&mut self, text: Option<&str>) {
        self.octets(text.map(|text| text.as_bytes().to_vec().into()));
    }

    pub(super) fn list32(&mut self, elements: &[u32]) {
        let Values::Int32(values) = &mut self.begin_list(elements.len()).values else {
            unreachable!("rows are filled in the order of the schema")
        };
        values.extend(elements.iter().map(|element| element.cast_signed()));
    }

    pub(super) fn list64(&mut self, elements: &[u64]) {
        let Values::Int64(values) = &mut self.begin_list(elements.len()).values else {
            unreachable!("rows are filled in the order of the schema")
        };
        values.extend(elements.iter().map(|element| element.cast_signed()));
    }

    /// The levels of a list of so many.
    fn begin_list(&mut self, length: usize) -> &mut Column {
        *self.elements += length;
        let column = self.next();
        column.definition.extend(std::iter::repeat_n(i16::from(length > 0), length.max(1)));
        column.repetition.extend((0..length.max(1)).map(|place| i16::from(place > 0)));
        column
    }
}
