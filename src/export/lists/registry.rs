//! Who runs which suffixes: a table that users may bring, and one of 2009 in which each row has its source.

use std::io::Read;

use serde::Deserialize;

use crate::name::Name;

/// An operator and what it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Registry {
    /// Who.
    pub operator: String,
    /// Suffixes under which names are registered with it.
    pub suffixes: Vec<Name>,
    /// Who says so.
    pub source: String,
}

/// As of spring 2009, as far as sources were at hand: not all suffixes that worms use are in it.
const OF_2009: &str = include_str!("registries.csv");

#[derive(Deserialize)]
struct Row {
    operator: String,
    suffixes: String,
    #[serde(default)]
    source: String,
}

impl Registry {
    /// The table of 2009.
    pub fn of_2009() -> Vec<Self> {
        Self::read(OF_2009.as_bytes()).expect("the built-in table is in order")
    }

    /// Reads a table: CSV with the columns `operator`, `suffixes` (separated by spaces) and, if you like, `source`.
    ///
    /// # Errors
    /// One clause that says which line is wrong and why.
    pub fn read(text: impl Read) -> Result<Vec<Self>, String> {
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(text);
        let mut registries: Vec<Self> = vec![];
        for (number, row) in table.deserialize().enumerate() {
            let row: Row = row.map_err(|error| error.to_string())?;
            let fault = |why: String| format!("row {}: {why}", number + 1);
            if row.operator.is_empty() {
                return Err(fault("has no operator".to_owned()));
            }
            let mut suffixes = vec![];
            for text in row.suffixes.split_whitespace() {
                let suffix = Name::parse(text.trim_start_matches('.'));
                let suffix = suffix.map_err(|why| fault(format!("`{}` {why}", text.escape_debug())))?;
                if let Some(other) = registries.iter().find(|other| other.suffixes.contains(&suffix)) {
                    return Err(fault(format!("`{suffix}` belongs to {} already", other.operator.escape_debug())));
                }
                suffixes.push(suffix);
            }
            registries.push(Self { operator: row.operator, suffixes, source: row.source });
        }
        if registries.is_empty() {
            return Err("it holds no operator".to_owned());
        }
        Ok(registries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table() {
        let table = Registry::of_2009();
        assert!(table.len() > 9 && table.iter().all(|row| !row.source.is_empty() && !row.suffixes.is_empty()));
        let org = Name::parse("org").unwrap();
        let operator = table.iter().find(|row| row.suffixes.contains(&org)).unwrap();
        assert_eq!(operator.operator, "Public Interest Registry");
    }

    #[test]
    fn tables_of_users() {
        let table = Registry::read(&b"# ours\nsuffixes,operator\n.com net , V\nco.uk,N\n"[..]).unwrap();
        assert_eq!((table.len(), &*table[0].operator, table[0].suffixes.len(), &*table[1].source), (2, "V", 2, ""));
        for (text, fault) in [
            ("operator,suffixes\nA,a..b\n", "row 1: `a..b` has an empty label"),
            ("operator,suffixes\nA,com\nB,COM\n", "row 2: `com` belongs to A already"),
            ("operator,suffixes\n,com\n", "row 1: has no operator"),
            ("operator,suffixes\n", "it holds no operator"),
        ] {
            assert_eq!(Registry::read(text.as_bytes()).unwrap_err(), fault);
        }
        assert!(Registry::read(&b"x\ny\n"[..]).is_err());
    }
}
