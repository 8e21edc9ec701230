//! Domains that clients append to what they look for, so that `abcde.com` is asked for as `abcde.com.corp.example`.
//!
//! Windows may try a name that was not found again under each domain of its search list (policy
//! AppendToMultiLabelName). Seen from the network's edge only that second name may be left.

use super::shape::word;
use crate::name::Name;

/// The suffixes of a network's search lists, the longest first.
#[derive(Clone, Debug, Default)]
pub struct SearchList {
    suffixes: Vec<Suffix>,
}

#[derive(Clone, Debug)]
struct Suffix {
    name: Name,
    /// Its last octets, at most eight, as a number; and the octets of a name that are to be compared with them.
    tail: u64,
    mask: u64,
}

impl SearchList {
    /// Adds a suffix, with a dot in front or without.
    ///
    /// # Errors
    /// One clause that says what is wrong with `text`.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let name = match text.strip_prefix('.').unwrap_or(text) {
            "" | "." => Name::root(),
            text => Name::parse(text)?,
        };
        if name == Name::root() {
            return Err("is the root, in which every name ends: write the domain that clients append, as corp.example".to_owned());
        }
        let octets = name.as_wire().len();
        let reach = octets.min(8);
        let suffix = Suffix { tail: word(name.as_wire(), reach), mask: u64::MAX >> (64 - 8 * reach), name };
        let place = self.suffixes.partition_point(|longer| longer.name.as_wire().len() >= octets);
        if self.suffixes[..place].iter().all(|known| known.name != suffix.name) {
            self.suffixes.insert(place, suffix);
        }
        Ok(())
    }

    /// Whether a name of wire form may end in a suffix: one comparison for each, and certain enough to look closer.
    #[inline]
    pub(super) fn may_end(&self, wire: &[u8]) -> bool {
        if self.suffixes.is_empty() {
            return false;
        }
        let tail = word(wire, 8);
        self.suffixes.iter().any(|suffix| tail & suffix.mask == suffix.tail)
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.suffixes.len()
    }

    /// What a client looked for if it appended the suffix at a place and got `name`.
    pub(super) fn strip(&self, place: usize, name: &Name) -> Option<Name> {
        name.strip_suffix(&self.suffixes[place].name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::RawName;

    #[test]
    fn longest_first_and_never_the_root() {
        let mut list = SearchList::default();
        for text in ["example", ".Corp.Example", "a.very.long.corp.example", "b", "CORP.example."] {
            list.add(text).unwrap();
        }
        let names: Vec<String> = list.suffixes.iter().map(|suffix| suffix.name.to_string()).collect();
        assert_eq!(names, ["a.very.long.corp.example", "corp.example", "example", "b"]);
        for text in ["", ".", "..", "a..b", "a b"] {
            assert!(list.add(text).is_err(), "{text}");
        }
    }

    #[test]
    fn may_end_never_overlooks_one() {
        let mut list = SearchList::default();
        assert!(!list.may_end(b"\0"));
        list.add("corp.example").unwrap();
        list.add("b").unwrap();
        for (text, expected) in [
            ("abcde.com.CORP.Example", true),
            ("corp.example", true),
            ("x.b", true),
            ("b", true),
            ("x.c", false),
            ("abcde.com", false),
            (".", false),
        ] {
            let mut wire = Name::parse(text).unwrap().as_wire().to_vec();
            wire.make_ascii_uppercase();
            assert_eq!(list.may_end(RawName::take(&wire).unwrap().as_wire()), expected, "{text}");
        }
    }
}
