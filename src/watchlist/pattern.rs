//! Names that are watched besides the generated ones: whole names, suffixes, and texts that a name holds.
//!
//! | pattern | matches | how |
//! | --- | --- | --- |
//! | `evil.example` | that name | one probe of a hash table |
//! | `.evil.example` | that name and all below | a probe for each label of a name |
//! | `*evil*` | names that hold `evil` in presentation form | one automaton for all (Aho and Corasick) |
//!
//! Names and suffixes are equalities, which a hash answers in the same time for four patterns and for a million; an
//! automaton over them would grow with their letters and read each name octet by octet. Texts are what it is for.
//! Before anything is lower-cased, [`Glance`](super::glance) and [`Outlines`] tell whether to look at all: only texts
//! make every name be read.

use std::fmt;

use aho_corasick::AhoCorasick;
use hashbrown::HashMap;

use super::indicators::BUILT_IN;
use super::outline::Outlines;
use crate::dga::Catalog;
use crate::name::{MAX_TEXT, Name};

/// A pattern of [`Patterns`]; sorts in the order in which they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId {
    /// The place of its set.
    pub set: u16,
    /// Its own place among all.
    pub row: u32,
}

/// One pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As users write it, in lower case.
    pub text: String,
    /// What users call it.
    pub label: Option<String>,
}

/// Patterns of one origin.
#[derive(Clone, Debug)]
pub struct PatternSet {
    /// What reports call it.
    pub name: String,
    /// The worm to whose evidence it is context, and nothing by itself; `None` for a user's own.
    pub context_of: Option<&'static str>,
}

/// All patterns in use. Shared by threads, changed by none.
#[derive(Debug, Default)]
pub struct Patterns {
    sets: Vec<PatternSet>,
    rows: Vec<Pattern>,
    names: Index,
    suffixes: Index,
    texts: Index,
    /// Finds the texts, and the patterns of each of its own patterns.
    automaton: Option<(AhoCorasick, Vec<Vec<PatternId>>)>,
    outlines: Outlines,
}

/// Patterns by what is compared: a name in wire form, or text.
type Index = HashMap<Box<[u8]>, Vec<PatternId>>;

/// What a thread needs to look for patterns, kept so that nothing is allocated for a name.
pub(super) struct Scratch {
    text: Box<[u8; MAX_TEXT]>,
    found: Vec<PatternId>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { text: Box::new([0; MAX_TEXT]), found: vec![] }
    }
}

impl Patterns {
    /// Adds the built-in sets of the worms whose families are in use.
    pub fn add_indicators(&mut self, catalog: &Catalog) {
        for indicators in BUILT_IN {
            if catalog.iter().any(|(_, family)| family.worm() == Some(indicators.worm)) {
                self.add(indicators.set, Some(indicators.worm), indicators.text.as_bytes())
                    .expect("built-in sets are well-formed");
            }
        }
    }

    /// Adds a user's patterns, given as text: one a line, with a label behind a comma or none, `#` comments.
    ///
    /// # Errors
    /// One clause that says which line is wrong and why.
    pub fn add_set(&mut self, name: &str, text: &[u8]) -> Result<(), String> {
        self.add(name, None, text)
    }

    /// Adds a pattern that a report speaks of and that nothing is looked for by; those of a set follow each other.
    ///
    /// # Errors
    /// One clause, when there are too many.
    pub fn add_reported(&mut self, set: &str, pattern: Pattern) -> Result<PatternId, String> {
        if self.sets.last().is_none_or(|last| last.name != set) {
            self.sets.push(PatternSet { name: set.to_owned(), context_of: None });
        }
        let too_many = || "has too many patterns".to_owned();
        let set = u16::try_from(self.sets.len() - 1).map_err(|_| too_many())?;
        let row = u32::try_from(self.rows.len()).map_err(|_| too_many())?;
        self.rows.push(pattern);
        Ok(PatternId { set, row })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many patterns users gave.
    pub fn own(&self) -> usize {
        let own = |index: &Index| index.values().flatten().filter(|id| self.set(**id).context_of.is_none()).count();
        own(&self.names) + own(&self.suffixes) + own(&self.texts)
    }

    /// All patterns, in no order.
    pub fn ids(&self) -> impl Iterator<Item = PatternId> {
        [&self.names, &self.suffixes, &self.texts].into_iter().flat_map(|index| index.values().flatten().copied())
    }

    /// The set of a pattern.
    ///
    /// # Panics
    /// When the pattern is of others.
    pub fn set(&self, id: PatternId) -> &PatternSet {
        &self.sets[usize::from(id.set)]
    }

    /// A pattern.
    ///
    /// # Panics
    /// When it is of others.
    pub fn pattern(&self, id: PatternId) -> &Pattern {
        &self.rows[id.row as usize]
    }

    fn add(&mut self, name: &str, context_of: Option<&'static str>, text: &[u8]) -> Result<(), String> {
        let set = u16::try_from(self.sets.len()).map_err(|_| "there are too many sets of patterns".to_owned())?;
        let before = self.rows.len();
        self.sets.push(PatternSet { name: name.to_owned(), context_of });
        for (number, line) in text.split(|octet| *octet == b'\n').enumerate() {
            self.add_line(set, line).map_err(|fault| format!("line {}: {fault}", number + 1))?;
        }
        if self.rows.len() == before {
            return Err("it holds no pattern".to_owned());
        }
        self.build().map_err(|error| format!("its texts are too many: {error}"))
    }

    fn add_line(&mut self, set: u16, line: &[u8]) -> Result<(), String> {
        let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8 text".to_owned())?;
        let line = line.trim_start_matches('\u{feff}').split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return Ok(());
        }
        let (text, label) = line.split_once(',').map_or((line, ""), |(text, label)| (text.trim_end(), label.trim_start()));
        if label.contains(char::is_control) {
            return Err("has a control character in its label".to_owned());
        }
        let key = Key::parse(text).map_err(|fault| format!("`{}` {fault}", text.escape_debug()))?;
        let row = u32::try_from(self.rows.len()).map_err(|_| "is one pattern too many".to_owned())?;
        let (index, octets) = match &key {
            Key::Name(name) => (&mut self.names, name.as_wire()),
            Key::Suffix(name) => (&mut self.suffixes, name.as_wire()),
            Key::Text(text) => (&mut self.texts, text.as_bytes()),
        };
        let ids = index.entry(Box::from(octets)).or_default();
        // What a set holds twice counts once, as first written.
        if ids.iter().all(|id| id.set != set) {
            ids.push(PatternId { set, row });
            self.rows.push(Pattern { text: key.to_string(), label: Some(label.to_owned()).filter(|label| !label.is_empty()) });
        }
        Ok(())
    }

    /// Makes ready what looks at names.
    fn build(&mut self) -> Result<(), aho_corasick::BuildError> {
        if !self.texts.is_empty() {
            let automaton = AhoCorasick::new(self.texts.keys())?;
            self.automaton = Some((automaton, self.texts.values().cloned().collect()));
        }
        self.outlines = Outlines::new(self);
        Ok(())
    }

    /// Whole names, in wire form.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.keys().map(|wire| &**wire)
    }

    /// Suffixes, in wire form.
    pub(super) fn suffixes(&self) -> impl Iterator<Item = &[u8]> {
        self.suffixes.keys().map(|wire| &**wire)
    }

    /// Whether there are texts, which any name could hold.
    pub(super) const fn has_texts(&self) -> bool {
        self.automaton.is_some()
    }

    /// Whether a name of wire form, in any case, is worth [`Self::find`].
    #[inline]
    pub(super) fn may_match(&self, wire: &[u8]) -> bool {
        self.outlines.fit(wire)
    }

    /// Reports each pattern that matches `name` once, and tells whether there was one.
    pub(super) fn find(&self, name: &Name, scratch: &mut Scratch, sighted: &mut dyn FnMut(PatternId)) -> bool {
        let found = &mut scratch.found;
        found.clear();
        found.extend(self.names.get(name.as_wire()).into_iter().flatten());
        if !self.suffixes.is_empty() {
            let mut rest = name.as_wire();
            while let [label @ 1..=u8::MAX, ..] = *rest {
                found.extend(self.suffixes.get(rest).into_iter().flatten());
                rest = &rest[1 + usize::from(label)..];
            }
        }
        if let Some((automaton, ids)) = &self.automaton {
            let text = name.write_text(&mut scratch.text);
            found.extend(automaton.find_overlapping_iter(text).flat_map(|text| &ids[text.pattern().as_usize()]));
            // A name can hold a text several times.
            found.sort_unstable();
            found.dedup();
        }
        found.iter().for_each(|id| sighted(*id));
        !found.is_empty()
    }
}

/// What a pattern compares.
enum Key {
    Name(Name),
    Suffix(Name),
    Text(String),
}

impl Key {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(text) = text.strip_prefix('*').and_then(|text| text.strip_suffix('*')) {
            return match text {
                "" => Err("has nothing between its asterisks"),
                _ if text.contains('*') => Err("has an asterisk inside: one stands at either end, and nowhere else"),
                _ if !text.bytes().all(|octet| octet.is_ascii_graphic()) => {
                    Err("has a space, a control character or a letter outside ASCII")
                }
                _ => Ok(Self::Text(text.to_ascii_lowercase())),
            };
        }
        if text.contains('*') {
            return Err("has an asterisk: write *text* for names that hold a text, .example.com for a name and all below");
        }
        let name = match text.strip_prefix('.') {
            Some("") => Name::root(),
            suffix => Name::parse(suffix.unwrap_or(text))?,
        };
        if name == Name::root() {
            return Err("is the root, which is no name to watch");
        }
        Ok(if text.starts_with('.') { Self::Suffix(name) } else { Self::Name(name) })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Suffix(name) => write!(f, ".{name}"),
            Self::Text(text) => write!(f, "*{text}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_users_write_them() {
        let text = "\u{feff}# ours\r\nEvil.Example , a label, with a comma\r\n\r\n.evil.example # why\n*EVIL*,x\n*eV\\.il*\nevil.example\n";
        let mut patterns = Patterns::default();
        patterns.add_set("a", text.as_bytes()).unwrap();
        patterns.add_set("b", b"evil.example").unwrap();
        let rows: Vec<String> =
            patterns.rows.iter().map(|row| format!("{} {}", row.text, row.label.as_deref().unwrap_or("-"))).collect();
        let expected = ["evil.example a label, with a comma", ".evil.example -", "*evil* x", r"*ev\.il* -", "evil.example -"];
        assert_eq!(rows, expected);
        assert_eq!(patterns.own(), 5);
    }

    #[test]
    fn wrong_lines_are_named() {
        let rows = [
            ("", "it holds no pattern"),
            ("# nothing", "it holds no pattern"),
            ("a.b\n\n**", "line 3: `**` has nothing between its asterisks"),
            ("*.example.com", "line 1: `*.example.com` has an asterisk: write *text*"),
            ("evil*", "line 1: `evil*` has an asterisk: write *text*"),
            ("*", "line 1: `*` has an asterisk: write *text*"),
            ("*a*b*", "line 1: `*a*b*` has an asterisk inside"),
            ("*é*", "line 1: `*é*` has a space, a control character or a letter outside ASCII"),
            (".", "line 1: `.` is the root"),
            ("..", "line 1: `..` is the root"),
            ("a b", "line 1: `a b` has a space"),
            ("a..b", "line 1: `a..b` has an empty label"),
            (", label", "line 1: `` has an empty label"),
            ("a.b, x\u{1b}[2J", "line 1: has a control character in its label"),
        ];
        for (text, expected) in rows {
            let error = Patterns::default().add_set("a", text.as_bytes()).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        assert_eq!(Patterns::default().add_set("a", b"\xff"), Err("line 1: is not UTF-8 text".to_owned()));
    }

    #[test]
    fn indicators_come_with_their_worm() {
        let mut catalog = Catalog::default();
        catalog.add("synthetic:5").unwrap();
        let mut patterns = Patterns::default();
        patterns.add_indicators(&catalog);
        assert!(patterns.is_empty());
        catalog.add("conficker-b").unwrap();
        patterns.add_indicators(&catalog);
        assert_eq!((patterns.rows.len(), patterns.own()), (4, 0));
        // Of ordinary names nearly none is looked at closer.
        let wire = |text: &str| Name::parse(text).unwrap().as_wire().to_ascii_uppercase();
        assert!(patterns.rows.iter().all(|row| patterns.may_match(&wire(&row.text))));
        for text in ["www.example.com", "example.org", "www.getmyip.org", "dyndns.org", "www.trafficconverter.biz", "."] {
            assert!(!patterns.may_match(&wire(text)), "{text}");
        }
    }
}
