//! A user's own names as a family: one `name[,from[,until]]` a line, days UTC and inclusive.
//!
//! The dates say on which days a name counts, so a packet is held against the list of its own day alone; the
//! neighbouring days that forgive a generator's host its wrong clock have no meaning here.

use super::{Calendar, Family, Shape};
use crate::day::Day;
use crate::name::{Name, RawName};

/// A list as loaded.
pub(super) struct List {
    id: String,
    /// The names in wire form, one behind the other.
    octets: Vec<u8>,
    rows: Vec<Row>,
    /// Days on which the list changes, ascending, each with the number of names from then on; the first stands for all earlier days.
    editions: Vec<(Day, u32)>,
}

struct Row {
    /// Where the name begins in `octets`.
    at: u32,
    from: Day,
    until: Day,
}

impl List {
    /// Reads the text of a list.
    ///
    /// # Errors
    /// `line N: what is wrong`.
    pub(super) fn parse(id: &str, text: &[u8]) -> Result<Self, String> {
        let mut list = Self { id: id.to_owned(), octets: vec![], rows: vec![], editions: vec![] };
        for (number, line) in text.split(|octet| *octet == b'\n').enumerate() {
            list.add(line).map_err(|fault| format!("line {}: {fault}", number + 1))?;
        }
        if list.rows.is_empty() {
            return Err("it holds no name".to_owned());
        }
        list.editions = editions(&list.rows);
        Ok(list)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), String> {
        let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8 text".to_owned())?;
        let line = line.trim_start_matches('\u{feff}').split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return Ok(());
        }
        let mut fields = line.split(',').map(str::trim);
        let text = fields.next().unwrap_or_default();
        let name = Name::parse(text).map_err(|fault| format!("`{}` {fault}", text.escape_debug()))?;
        if name == Name::root() {
            return Err("the root is no name to watch".to_owned());
        }
        let mut day = |default| fields.next().filter(|text| !text.is_empty()).map_or(Ok(default), str::parse);
        let (from, until) = (day(Day::EPOCH)?, day(Day::LAST)?);
        if fields.next().is_some() {
            return Err("has more than name, from and until".to_owned());
        }
        if from > until {
            return Err(format!("ends on {until}, before it begins on {from}"));
        }
        let at = u32::try_from(self.octets.len()).map_err(|_| "the list is over 4 GiB".to_owned())?;
        self.octets.extend_from_slice(name.as_wire());
        self.rows.push(Row { at, from, until });
        Ok(())
    }

    fn edition_of(&self, day: Day) -> (Day, u32) {
        let after = self.editions.partition_point(|(start, _)| *start <= day);
        self.editions[after.saturating_sub(1)]
    }
}

impl Family for List {
    fn id(&self) -> &str {
        &self.id
    }

    fn since(&self) -> Day {
        self.rows.iter().map(|row| row.from).min().unwrap_or(Day::EPOCH)
    }

    fn count(&self, day: Day) -> u32 {
        self.edition_of(day).1
    }

    fn names(&self, day: Day, each: &mut dyn FnMut(&Name)) {
        for row in self.rows.iter().filter(|row| row.from <= day && day <= row.until) {
            let raw = RawName::take(&self.octets[row.at as usize..]).expect("only whole names are added");
            each(&Name::from(raw));
        }
    }

    fn shape(&self) -> Shape<'_> {
        Shape::Any
    }

    fn edition(&self, day: Day) -> Day {
        self.edition_of(day).0
    }

    fn calendar(&self) -> Calendar {
        Calendar::DATED
    }
}

/// The days on which the valid names change, with their number.
fn editions(rows: &[Row]) -> Vec<(Day, u32)> {
    let mut changes: Vec<(Day, i64)> = rows.iter().flat_map(|row| [(row.from, 1), (row.until.plus(1), -1)]).collect();
    changes.push((Day::EPOCH, 0));
    changes.sort_unstable();
    let mut valid = 0;
    let mut editions: Vec<(Day, u32)> = vec![];
    for (day, change) in changes {
        valid += change;
        // Never below zero: a name begins before it ends, and ties are settled by the last change of a day.
        let count = u32::try_from(valid).unwrap_or(0);
        match editions.last_mut() {
            Some(last) if last.0 == day => last.1 = count,
            _ => editions.push((day, count)),
        }
    }
    editions
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}# ours\r\nAlways.example\r\nfrom.example , 2009-04-01\r\n\r\nbetween.example,2009-03-31,2009-04-01 # why\nuntil.example,,2009-03-31\nalways.example\n";

    #[test]
    fn names_of_a_day() {
        let list = List::parse("ours", TEXT.as_bytes()).unwrap();
        let rows = [
            ("2009-03-30", "always until always", "1970-01-01"),
            ("2009-03-31", "always between until always", "2009-03-31"),
            ("2009-04-01", "always from between always", "2009-04-01"),
            ("2009-04-02", "always from always", "2009-04-02"),
            ("2026-11-23", "always from always", "2009-04-02"),
        ];
        for (day, expected, edition) in rows {
            let day: Day = day.parse().unwrap();
            let mut names = vec![];
            list.names(day, &mut |name| names.push(name.to_string().replace(".example", "")));
            assert_eq!(names.join(" "), expected, "{day}");
            assert_eq!(list.count(day) as usize, names.len(), "{day}");
            assert_eq!(list.edition(day).to_string(), edition);
        }
    }

    #[test]
    fn faults_name_the_line() {
        let rows = [
            ("a.example\nb..example", "line 2: `b..example` has an empty label"),
            ("a.example,2009-02-30", "line 1: `2009-02-30` is not a day"),
            ("a.example,2009-04-02,2009-04-01", "line 1: ends on 2009-04-01, before it begins on 2009-04-02"),
            ("a.example,,,x", "line 1: has more than"),
            (".", "line 1: the root"),
            ("# nothing\n", "it holds no name"),
            ("\u{1b}[2J", r"line 1: `\u{1b}[2J` has a space or control character"),
        ];
        for (text, expected) in rows {
            let fault = List::parse("x", text.as_bytes()).err().unwrap();
            assert!(fault.starts_with(expected), "{fault}");
        }
        assert!(List::parse("x", b"\xff\xfe").is_err());
    }
}
