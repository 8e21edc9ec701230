//! A user's own names as a family: one `name[,from[,until]]` a line, days UTC and inclusive.
//!
//! The dates say on which days a name counts, so a packet is held against the list of its own day alone; the
//! neighbouring days that forgive a generator's host its wrong clock have no meaning here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Calendar, Draw, Family, Shape};
use crate::day::Day;
use crate::name::{MAX_LABEL, MAX_OCTETS, Name, RawName};

/// A list as loaded.
pub(super) struct List {
    id: String,
    lines: Arc<Lines>,
    /// Days on which the list changes, ascending, each with the number of names from then on; the first stands for all earlier days.
    editions: Vec<(Day, u32)>,
}

/// What its lines say.
#[derive(Default)]
struct Lines {
    /// The names in wire form, one behind the other.
    octets: Vec<u8>,
    rows: Vec<Row>,
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
        let mut lines = Lines::default();
        for (number, line) in text.split(|octet| *octet == b'\n').enumerate() {
            if !lines.add_plain(line) {
                lines.add(line).map_err(|fault| format!("line {}: {fault}", number + 1))?;
            }
        }
        if lines.rows.is_empty() {
            return Err("it holds no name".to_owned());
        }
        Ok(Self { id: id.to_owned(), editions: editions(&lines.rows), lines: Arc::new(lines) })
    }

    fn edition_of(&self, day: Day) -> (Day, u32) {
        let after = self.editions.partition_point(|(start, _)| *start <= day);
        self.editions[after.saturating_sub(1)]
    }
}

impl Lines {
    /// Adds what nearly all lines of long lists are: a name of letters, digits, `-` and `_`, and nothing else. Tells
    /// whether it did; every other line is [`Self::add`]'s.
    fn add_plain(&mut self, line: &[u8]) -> bool {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let before = self.octets.len();
        // The length octet of the first label and the root's stand for one dot more than the text has.
        let Ok(at) = u32::try_from(before) else { return false };
        if text.len() + 2 > MAX_OCTETS {
            return false;
        }
        self.octets.push(0);
        let mut start = before;
        for &octet in text {
            let plain = match octet {
                b'.' => close(&mut self.octets, &mut start),
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {
                    self.octets.push(octet);
                    true
                }
                b'A'..=b'Z' => {
                    self.octets.push(octet | 0x20);
                    true
                }
                _ => false,
            };
            if !plain {
                self.octets.truncate(before);
                return false;
            }
        }
        // What was opened behind the last label is the root.
        if !close(&mut self.octets, &mut start) {
            self.octets.truncate(before);
            return false;
        }
        self.rows.push(Row { at, from: Day::EPOCH, until: Day::LAST });
        true
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

    fn name(&self, row: &Row) -> RawName<'_> {
        RawName::take(&self.octets[row.at as usize..]).expect("only whole names are added")
    }
}

/// Ends the label whose length octet is at `start`, if it can be one, and opens the next.
#[inline]
fn close(octets: &mut Vec<u8>, start: &mut usize) -> bool {
    let length = octets.len() - *start - 1;
    octets[*start] = length as u8;
    *start = octets.len();
    octets.push(0);
    (1..=MAX_LABEL).contains(&length)
}

impl Family for List {
    fn id(&self) -> &str {
        &self.id
    }

    fn since(&self) -> Day {
        self.lines.rows.iter().map(|row| row.from).min().unwrap_or(Day::EPOCH)
    }

    fn count(&self, day: Day) -> u32 {
        self.edition_of(day).1
    }

    fn names(&self, day: Day, each: &mut dyn FnMut(&Name)) {
        let mut name = Name::root();
        for row in self.lines.rows.iter().filter(|row| row.holds_on(day)) {
            name.set(self.lines.name(row));
            each(&name);
        }
    }

    fn draw(&self, day: Day) -> Option<Box<dyn Draw>> {
        let lines = Arc::clone(&self.lines);
        if self.count(day) as usize == lines.rows.len() {
            return Some(Box::new(OfDay { lines, places: None }));
        }
        let places = (0..).zip(&lines.rows).filter(|(_, row)| row.holds_on(day)).map(|(place, _)| place).collect();
        Some(Box::new(OfDay { lines, places: Some(places) }))
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

impl Row {
    fn holds_on(&self, day: Day) -> bool {
        self.from <= day && day <= self.until
    }
}

/// The names of a day.
struct OfDay {
    lines: Arc<Lines>,
    /// The rows that are valid; without them, all are.
    places: Option<Vec<u32>>,
}

impl Draw for OfDay {
    fn draw(&self, index: u32, name: &mut Name) {
        let row = self.places.as_ref().map_or(index, |places| places[index as usize]);
        name.set(self.lines.name(&self.lines.rows[row as usize]));
    }
}

/// The days on which the valid names change, with their number.
fn editions(rows: &[Row]) -> Vec<(Day, u32)> {
    let mut changes = BTreeMap::from([(Day::EPOCH, 0_i64)]);
    // Rows with the same days stand together, mostly all of them.
    for same in rows.chunk_by(|a, b| (a.from, a.until) == (b.from, b.until)) {
        *changes.entry(same[0].from).or_default() += same.len() as i64;
        *changes.entry(same[0].until.plus(1)).or_default() -= same.len() as i64;
    }
    let mut valid = 0;
    let mut editions: Vec<(Day, u32)> = vec![];
    for (day, change) in changes {
        valid += change;
        // Never below zero: a name begins before it ends.
        editions.push((day, u32::try_from(valid).unwrap_or(0)));
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
            let (draw, mut drawn) = (list.draw(day).unwrap(), Name::root());
            for (index, name) in (0..).zip(&names) {
                draw.draw(index, &mut drawn);
                assert_eq!(drawn.to_string(), format!("{name}.example"));
            }
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

    /// The quick way reads what the other reads, or leaves it to that.
    #[test]
    fn plain_lines_are_read_alike() {
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        let tail = "e".repeat(64);
        let more = [
            long.clone(),
            format!("{long}e"),
            format!("{long}."),
            tail.clone(),
            format!("x.{tail}"),
            format!("{}.x", "f".repeat(63)),
        ];
        let texts = [
            "a",
            "A-b_9.Example\r",
            "a.b.",
            ".",
            "",
            "..",
            ".a",
            "a..b",
            "\r",
            " a",
            "a#b",
            "a,2009-04-01",
            "a\\.b",
            "\u{e9}",
            "*",
        ];
        let mut plain = 0;
        for text in texts.into_iter().chain(more.iter().map(String::as_str)) {
            let (mut quick, mut slow) = (Lines::default(), Lines::default());
            let slowly = slow.add(text.as_bytes());
            if quick.add_plain(text.as_bytes()) {
                plain += 1;
                assert_eq!((slowly, &quick.octets), (Ok(()), &slow.octets), "{text}");
                assert_eq!((quick.rows[0].from, quick.rows[0].until), (slow.rows[0].from, slow.rows[0].until));
            } else {
                assert!(quick.octets.is_empty() && quick.rows.is_empty(), "{text}");
            }
        }
        assert_eq!(plain, 4);
    }
}
