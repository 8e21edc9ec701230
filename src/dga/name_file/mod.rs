//! Files of names in the layouts that others write: response policy zones, zones, hosts files, tables, plain lists.
//!
//! Read line by line, so that a file may be of any size. What dates a list has is the business of [`super::list`]; here a name is
//! a name.

mod zone;

use std::borrow::Cow;
use std::net::IpAddr;

use self::zone::Zone;
use crate::name::Name;

/// How names stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One name a line, ended by a comma, a space or `#`.
    List,
    /// A table separated by commas with the names in this column, counted from 0; a first line without a name there is its head.
    Table(usize),
    /// Addresses, each followed by names (hosts(5)).
    Hosts,
    /// A response policy zone: the names that it refuses or redirects, without the zone's own.
    Policy,
    /// A zone: the names that own its records.
    Zone,
}

impl Layout {
    /// What the first lines of a file look like. A zone counts as [`Self::Policy`] where one of its records says so.
    pub fn detect(head: &[u8]) -> Self {
        let lines =
            || head.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).map(|line| line.strip_prefix(BOM).unwrap_or(line));
        let mut significant = lines().filter(|line| !line.is_empty() && !line.starts_with(b"#") && !line.starts_with(b";"));
        let Some(first) = significant.next() else { return Self::List };
        let upper = first.to_ascii_uppercase();
        let words = || upper.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        if upper.starts_with(b"$") || words().skip(1).any(|word| matches!(word, b"SOA" | b"IN" | b"CNAME" | b"NS")) {
            return if lines().any(zone::is_policy) { Self::Policy } else { Self::Zone };
        }
        if words().count() > 1 && address(words().next().unwrap_or_default()).is_some() {
            return Self::Hosts;
        }
        let cells: Vec<&[u8]> = first.split(|octet| *octet == b',').map(<[u8]>::trim_ascii).collect();
        let titled = cells.iter().position(|cell| matches!(*cell, b"name" | b"domain" | b"Domain" | b"rrname"));
        match cells[..] {
            [_, _, ..] if titled.is_some() => Self::Table(titled.unwrap_or_default()),
            [rank, name, ..] if !rank.is_empty() && rank.iter().all(u8::is_ascii_digit) && name.contains(&b'.') => Self::Table(1),
            _ => Self::List,
        }
    }

    /// The layout that users call so: `rpz`, `zone`, `hosts`, `csv` (`rank,name`) or `list`.
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "rpz" => Self::Policy,
            "zone" => Self::Zone,
            "hosts" => Self::Hosts,
            "csv" => Self::Table(1),
            "list" => Self::List,
            _ => return None,
        })
    }

    /// The text of a file in this layout as [`super::Catalog::add_list`] takes it: itself where it is a list already.
    ///
    /// # Errors
    /// `line N: what is wrong`.
    pub fn to_list(self, text: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        if self == Self::List {
            return Ok(Cow::Borrowed(text));
        }
        let mut file = NameFile::new(self);
        let mut list = Vec::with_capacity(text.len() / 2);
        let mut room = [0; crate::name::MAX_TEXT];
        for line in text.split(|octet| *octet == b'\n') {
            file.line(line, &mut |name| {
                // What begins a comment in a list is written as a number.
                for octet in name.write_text(&mut room) {
                    match octet {
                        b'#' | b',' => list.extend_from_slice(if *octet == b'#' { br"\035" } else { br"\044" }),
                        _ => list.push(*octet),
                    }
                }
                list.push(b'\n');
            })?;
        }
        Ok(Cow::Owned(list))
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Names that hosts files give to the machine itself.
const OWN: [&str; 4] = ["localhost.localdomain", "localhost6.localdomain6", "localhost.local", "broadcasthost.local"];

/// A file that is being read.
pub struct NameFile {
    layout: Layout,
    zone: Zone,
    line: u64,
}

impl NameFile {
    /// From its first line.
    pub fn new(layout: Layout) -> Self {
        Self { layout, zone: Zone::default(), line: 0 }
    }

    /// Lines read.
    pub const fn lines(&self) -> u64 {
        self.line
    }

    /// Reads a further line, with or without its end, and reports the names in it.
    ///
    /// # Errors
    /// `line N: what is wrong`.
    pub fn line(&mut self, line: &[u8], each: &mut dyn FnMut(&Name)) -> Result<(), String> {
        self.line += 1;
        let line = if self.line == 1 { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let outcome = match self.layout {
            Layout::List => list(line, each),
            Layout::Table(column) => table(line, column, self.line == 1, each),
            Layout::Hosts => hosts(line, each),
            Layout::Policy => self.zone.policy(line, each),
            Layout::Zone => self.zone.owner(line, each),
        };
        outcome.map_err(|why| format!("line {}: {why}", self.line))
    }
}

fn list(line: &[u8], each: &mut dyn FnMut(&Name)) -> Result<(), String> {
    let end = line.iter().position(|octet| *octet == b'#').unwrap_or(line.len());
    let line = line[..end].trim_ascii();
    let end = line.iter().position(|octet| *octet == b',' || octet.is_ascii_whitespace()).unwrap_or(line.len());
    if end > 0 {
        each(&name(&line[..end])?);
    }
    Ok(())
}

fn table(line: &[u8], column: usize, first: bool, each: &mut dyn FnMut(&Name)) -> Result<(), String> {
    if line.trim_ascii().is_empty() || line.starts_with(b"#") {
        return Ok(());
    }
    let cell = cell(line, column).ok_or_else(|| format!("has no column {}", column + 1))?;
    match name(&cell) {
        // The head of a table of names has a title there.
        Ok(name) if !first || name.as_wire().iter().filter(|octet| **octet < 64).count() > 2 => each(&name),
        Err(why) if !first => return Err(why),
        _ => {}
    }
    Ok(())
}

/// A cell of a line of CSV (RFC 4180), without quotes. Cells with line breaks are none that hold names.
fn cell(line: &[u8], column: usize) -> Option<Vec<u8>> {
    let mut cell = vec![];
    let mut at = 0;
    let mut quoted = false;
    let mut octets = line.iter().peekable();
    while let Some(&octet) = octets.next() {
        match octet {
            b'"' if quoted && octets.next_if_eq(&&b'"').is_some() => cell.push(b'"'),
            b'"' => quoted = !quoted,
            b',' if !quoted && at == column => break,
            b',' if !quoted => {
                at += 1;
                cell.clear();
            }
            _ => cell.push(octet),
        }
    }
    // An apostrophe in front keeps spreadsheets from taking a name for a formula.
    let text = cell.trim_ascii();
    let text = text
        .strip_prefix(b"'")
        .filter(|rest| rest.starts_with(b"=") || b"+-@".contains(rest.first().unwrap_or(&0)))
        .unwrap_or(text);
    (at == column).then(|| text.to_vec())
}

fn hosts(line: &[u8], each: &mut dyn FnMut(&Name)) -> Result<(), String> {
    let end = line.iter().position(|octet| *octet == b'#').unwrap_or(line.len());
    let mut words = line[..end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return Ok(()) };
    if address(first).is_none() {
        return Err(format!("does not begin with an address: `{}`", first.escape_ascii()));
    }
    for word in words.filter(|word| address(word).is_none()) {
        let name = name(word)?;
        let single = name.as_raw().split_first().is_none_or(|(_, rest)| rest.len() == 1);
        // Told apart by their first letters: this runs for each of millions.
        let own_name = matches!(name.as_wire()[1], b'l' | b'b') && OWN.iter().any(|own| name.to_string() == *own);
        if !single && !own_name {
            each(&name);
        }
    }
    Ok(())
}

/// The address that a word is; a scope (`fe80::1%lo0`) is no part of it.
fn address(word: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(word).ok()?;
    text.split('%').next()?.parse().ok()
}

/// The name that a word is.
fn name(word: &[u8]) -> Result<Name, String> {
    let fault = |why: &str| format!("`{}` {why}", word.escape_ascii());
    let name = Name::parse(std::str::from_utf8(word).map_err(|_| fault("is not UTF-8 text"))?).map_err(fault)?;
    if name == Name::root() { Err(fault("is the root, and no name to list")) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a text, or the fault.
    fn read(layout: Layout, text: &str) -> Result<String, String> {
        let mut file = NameFile::new(layout);
        let mut names = vec![];
        for line in text.lines() {
            file.line(line.as_bytes(), &mut |name| names.push(name.to_string()))?;
        }
        Ok(names.join(" "))
    }

    #[test]
    fn layouts_are_told_by_content() {
        let rows = [
            ("", Layout::List),
            ("# 10.0.0.1 x\na.example,2009-04-01\n", Layout::List),
            ("a.example\n", Layout::List),
            ("1,google.com\n2,x.org\n", Layout::Table(1)),
            ("family,list_day,index,name,valid_from\n", Layout::Table(3)),
            ("# c\n127.0.0.1 localhost\n", Layout::Hosts),
            ("::1\tip6-localhost\n", Layout::Hosts),
            ("$TTL 300\n@ IN SOA a. b. 1 2 3 4 5\n@ IN NS localhost.\na.example CNAME .\n", Layout::Policy),
            ("; c\n@ SOA a. b. 1 2 3 4 5\n*.a.example IN CNAME rpz-drop.\n", Layout::Policy),
            ("$ORIGIN org.\n@ SOA a. b. 1 2 3 4 5\npraat NS ns.praat\n", Layout::Zone),
            ("praat.org.\t86400\tin\tns\tns1.example.\n", Layout::Zone),
        ];
        for (text, layout) in rows {
            assert_eq!(Layout::detect(text.as_bytes()), layout, "{text}");
        }
    }

    #[test]
    fn names_of_each_layout() {
        let rows = [
            (Layout::List, "\u{feff}A.example # x\r\n\nb.example,2009-04-01\nc.example 7\n", "a.example b.example c.example"),
            (Layout::Table(1), "rank,domain\n1,A.example\n2,\"b.example\"\n", "a.example b.example"),
            (Layout::Table(1), "1,a.example\n", "a.example"),
            (Layout::Table(0), "\"a,b.example\",x\n'-c.example\n", "a,b.example -c.example"),
            (
                Layout::Hosts,
                "127.0.0.1 localhost localhost.localdomain\n0.0.0.0 0.0.0.0 a.example B.example # c\nfe80::1%lo0 d.example\n",
                "a.example b.example d.example",
            ),
        ];
        for (layout, text, names) in rows {
            assert_eq!(read(layout, text).as_deref(), Ok(names), "{text}");
        }
        let faults = [
            (Layout::List, "a.example\na..b", "line 2: `a..b` has an empty label"),
            (Layout::Hosts, "example 10.0.0.1", "line 1: does not begin with an address: `example`"),
            (Layout::Table(1), "1,a.example\nx", "line 2: has no column 2"),
            (Layout::List, "\u{1b}[2J.x", r"line 1: `\x1b[2J.x` has a space or control character"),
        ];
        for (layout, text, fault) in faults {
            assert_eq!(read(layout, text).unwrap_err(), fault);
        }
    }

    /// Whatever a file holds, reading it ends, and what it gives are names that are read back as themselves.
    #[test]
    fn no_text_breaks_a_reader() {
        let words: [&[u8]; 24] = [
            b"a.example",
            b"*",
            b".",
            b"..",
            b"@",
            b" ",
            b"\t",
            b"(",
            b")",
            b"\"",
            b"\\",
            b"\\0",
            b";",
            b"#",
            b",",
            b"$ORIGIN",
            b"IN",
            b"300",
            b"CNAME",
            b"SOA",
            b"10.0.0.1",
            b"rpz-ip",
            b"\xff\0",
            b"'=x",
        ];
        let mut state = 7_u64;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % bound
        };
        let mut names = 0;
        for _ in 0..20_000 {
            let mut files = [Layout::List, Layout::Table(0), Layout::Table(2), Layout::Hosts, Layout::Policy, Layout::Zone]
                .map(NameFile::new);
            let mut text = vec![];
            for _ in 0..below(4) {
                let line: Vec<u8> = (0..below(9)).flat_map(|_| words[below(words.len())].iter().chain(b" ").copied()).collect();
                for file in &mut files {
                    let _ = file.line(&line, &mut |name| {
                        names += 1;
                        assert_eq!(Name::parse(&name.to_string()).unwrap(), *name);
                    });
                }
                text.extend(line);
                text.push(b'\n');
            }
            let _ = Layout::detect(&text).to_list(&text);
        }
        assert!(names > 10_000, "{names}");
    }

    #[test]
    fn as_a_list() {
        let list = Layout::Hosts.to_list(b"0.0.0.0 a.example b#c\n0.0.0.0 d\\035e.example f\\,g.example\n").unwrap();
        assert_eq!(&*list, b"a.example\nd\\035e.example\nf\\044g.example\n");
        let mut names = vec![];
        NameFile::new(Layout::List).line(b"d\\035e.example", &mut |name| names.push(name.clone())).unwrap();
        assert_eq!(names, [Name::parse("d#e.example").unwrap()]);
    }
}
