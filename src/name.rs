//! Domain names in wire form: as a packet carries them, and lower-cased to be compared.
//!
//! | type | letters | where it lives | use |
//! | --- | --- | --- | --- |
//! | [`RawName`] | as sent | in the packet | what was asked |
//! | [`Name`] | lower case | on the stack | what is listed, looked up, compared |
//!
//! Both are proof of RFC 1035 §3.1 and §2.3.4: labels of 1 to 63 octets, the root label last and only there,
//! 255 octets at most. Nobody who holds one checks again.

use std::fmt;

/// The longest name on the wire, its length octets and root label included (RFC 1035 §2.3.4).
pub const MAX_OCTETS: usize = 255;

/// The longest label (RFC 1035 §2.3.4).
pub const MAX_LABEL: usize = 63;

/// Labels that most names on the wire have at most, the root's not counted.
const USUAL_LABELS: usize = 4;

/// More than the longest presentation form: every octet escaped.
pub const MAX_TEXT: usize = 4 * MAX_OCTETS;

/// A name in wire form, uncompressed, with its letters as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawName<'a> {
    wire: &'a [u8],
}

impl<'a> RawName<'a> {
    /// The root.
    pub const ROOT: Self = Self { wire: &[0] };

    /// Takes the name that `octets` begin with, if one does.
    #[inline(always)]
    pub fn take(octets: &'a [u8]) -> Option<Self> {
        let (mut at, mut lengths) = (0, 0);
        // Which label is the last cannot be guessed, and a wrong guess costs as much as all of these: the last is read again.
        for _ in 0..USUAL_LABELS {
            let length = *octets.get(at)?;
            lengths |= length;
            at += usize::from(length) + usize::from(length > 0);
        }
        loop {
            let length = *octets.get(at)?;
            lengths |= length;
            at += 1 + usize::from(length);
            // Beyond the longest name there is none, however many labels a stranger has sent.
            if length == 0 || at > MAX_OCTETS {
                break;
            }
        }
        // The longest label has all bits that a length may have.
        (usize::from(lengths) <= MAX_LABEL && at <= MAX_OCTETS).then(|| Self { wire: &octets[..at] })
    }

    /// The octets, from the first length octet to the root label.
    #[inline]
    pub const fn as_wire(self) -> &'a [u8] {
        self.wire
    }

    /// Splits off the first label; what follows is a name in wire form too. `None` for the root.
    #[inline]
    pub fn split_first(self) -> Option<(&'a [u8], &'a [u8])> {
        let length = usize::from(self.wire[0]);
        (length > 0).then(|| self.wire[1..].split_at(length))
    }
}

/// Presentation form without the final dot, the root as `.`; see [`write_wire`].
impl fmt::Display for RawName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wire(self.wire, f)
    }
}

/// A name in wire form, uncompressed, in lower case.
#[derive(Clone)]
pub struct Name {
    /// Octets in use, at least the root label.
    length: u8,
    octets: [u8; MAX_OCTETS],
}

impl Name {
    /// The root.
    pub const fn root() -> Self {
        Self { length: 1, octets: [0; MAX_OCTETS] }
    }

    /// Reads presentation form: dots between labels, a final dot or none, `\DDD` and `\X` escapes (RFC 1035 §5.1).
    ///
    /// # Errors
    /// One clause that says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut name = Self::root();
        if text == "." {
            return Ok(name);
        }
        let mut label = [0; MAX_LABEL];
        let mut length = 0;
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            let octet = match first {
                b'.' => {
                    name.push(&label[..length])?;
                    length = 0;
                    continue;
                }
                b'\\' => unescape(&mut rest)?,
                0x21..=0x7e => first,
                0x80.. => return Err("has a letter outside ASCII: write it in its xn-- form"),
                _ => return Err("has a space or control character"),
            };
            *label.get_mut(length).ok_or("has a label over 63 octets")? = octet;
            length += 1;
        }
        // A final dot was consumed with the label before it.
        if length > 0 || name.length == 1 {
            name.push(&label[..length])?;
        }
        Ok(name)
    }

    /// Makes it `label` under `above`, both of which a generator knows to be lower case and short.
    ///
    /// # Panics
    /// When they are not one name of at most 255 octets.
    #[inline]
    pub fn compose(&mut self, label: &[u8], above: &Self) {
        debug_assert!(label.len() <= MAX_LABEL);
        self.octets[1..=label.len()].copy_from_slice(label);
        self.finish(label.len(), above);
    }

    /// The same of the first `count` of some letters. How many cannot be guessed, so all are copied: octets behind a name mean
    /// nothing.
    ///
    /// # Panics
    /// As [`Self::compose`].
    #[inline]
    pub fn compose_of(&mut self, letters: &[u8; 16], count: usize, above: &Self) {
        debug_assert!(count <= letters.len());
        self.octets[1..=letters.len()].copy_from_slice(letters);
        self.finish(count, above);
    }

    /// Puts the length of the first label, whose letters are there, in front of it and `above` behind.
    #[inline(always)]
    fn finish(&mut self, count: usize, above: &Self) {
        debug_assert!(count > 0 && !self.octets[1..=count].iter().any(u8::is_ascii_uppercase));
        let parent = above.as_wire();
        self.octets[0] = count as u8;
        // Always so many take one instruction.
        let behind = &mut self.octets[1 + count..];
        match parent.len() {
            0..=8 => behind[..8].copy_from_slice(&above.octets[..8]),
            _ => behind[..parent.len()].copy_from_slice(parent),
        }
        self.length = (1 + count + parent.len()) as u8;
    }

    /// The wire form and octets behind it that mean nothing, for whoever copies many: always so many take a few instructions.
    /// Nothing where the name takes more.
    #[inline]
    pub fn as_wire_and_more(&self) -> Option<&[u8; 32]> {
        self.octets.first_chunk().filter(|some| usize::from(self.length) <= some.len())
    }

    /// The octets, from the first length octet to the root label.
    #[inline]
    pub fn as_wire(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// The same name, seen as one from a packet.
    #[inline]
    pub fn as_raw(&self) -> RawName<'_> {
        RawName { wire: self.as_wire() }
    }

    /// Makes it `raw` in lower case: [`From`] without the octets that nobody will look at.
    #[inline]
    pub fn set(&mut self, raw: RawName<'_>) {
        self.length = raw.wire.len() as u8;
        self.octets[..raw.wire.len()].copy_from_slice(raw.wire);
        // Length octets stay: they are at most 63, below `A`. Octets behind a name mean nothing, and always so many take a few
        // instructions.
        match raw.wire.len() {
            0..=32 => self.octets[..32].make_ascii_lowercase(),
            length => self.octets[..length].make_ascii_lowercase(),
        }
    }

    /// What stands before `suffix`, as a name of its own: `a.b` of `a.b.c` before `c`. `None` where it ends otherwise, or
    /// is no more than the suffix.
    pub fn strip_suffix(&self, suffix: &Self) -> Option<Self> {
        let (wire, suffix) = (self.as_wire(), suffix.as_wire());
        let end = wire.len().checked_sub(suffix.len()).filter(|end| *end > 0 && wire.ends_with(suffix))?;
        // The same octets inside a label are no suffix: labels must meet there.
        let mut at = 0;
        while at < end {
            at += 1 + usize::from(wire[at]);
        }
        if at > end {
            return None;
        }
        let mut name = self.clone();
        name.octets[end] = 0;
        name.length = end as u8 + 1;
        Some(name)
    }

    /// Writes presentation form into `text`, as [`fmt::Display`] does, and returns what of it is in use.
    #[inline]
    pub fn write_text<'t>(&self, text: &'t mut [u8; MAX_TEXT]) -> &'t [u8] {
        let length = present(self.as_wire(), text);
        &text[..length]
    }

    /// Puts `label` behind the labels it has, in lower case.
    fn push(&mut self, label: &[u8]) -> Result<(), &'static str> {
        if label.is_empty() {
            return Err("has an empty label");
        }
        let root = usize::from(self.length) - 1;
        let length = root + 1 + label.len() + 1;
        let free = self.octets.get_mut(root..length).ok_or("is longer than 255 octets")?;
        free[0] = label.len() as u8;
        free[1..=label.len()].copy_from_slice(label);
        free[1..].make_ascii_lowercase();
        free[label.len() + 1] = 0;
        self.length = length as u8;
        Ok(())
    }
}

/// In lower case, whatever the case was: DNS compares names without it (RFC 4343).
impl From<RawName<'_>> for Name {
    #[inline]
    fn from(raw: RawName<'_>) -> Self {
        let mut name = Self::root();
        name.set(raw);
        name
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_wire() == other.as_wire()
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wire(self.as_wire(), f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Writes a name of wire form as [`present`] makes it, at once.
fn write_wire(wire: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0; MAX_TEXT];
    let length = present(wire, &mut text);
    f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
}

/// Presentation form in which no octet can harm a terminal or break a column: octets outside 0x21 to 0x7e become
/// `\DDD`, a dot or backslash inside a label is escaped (RFC 1035 §5.1). Returns how long it is.
fn present(wire: &[u8], text: &mut [u8; MAX_TEXT]) -> usize {
    let mut length = 0;
    let mut put = |octet: u8| {
        text[length] = octet;
        length += 1;
    };
    let mut rest = wire;
    while let Some((&label, after)) = rest.split_first().filter(|(label, _)| **label > 0) {
        if rest.len() < wire.len() {
            put(b'.');
        }
        let (label, after) = after.split_at(usize::from(label));
        rest = after;
        for &octet in label {
            match octet {
                b'.' | b'\\' => [b'\\', octet].into_iter().for_each(&mut put),
                0x21..=0x7e => put(octet),
                _ => [b'\\', b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10].into_iter().for_each(&mut put),
            }
        }
    }
    if length == 0 {
        text[0] = b'.';
        length = 1;
    }
    length
}

/// The octet of an escape whose backslash was read.
fn unescape(rest: &mut &[u8]) -> Result<u8, &'static str> {
    const BAD: &str = "has a backslash that escapes nothing";
    if let Some((digits, after)) = rest.split_first_chunk::<3>()
        && digits.iter().all(u8::is_ascii_digit)
    {
        *rest = after;
        let value = digits.iter().fold(0_u16, |value, digit| value * 10 + u16::from(digit - b'0'));
        return u8::try_from(value).map_err(|_| BAD);
    }
    let (&octet, after) = rest.split_first().ok_or(BAD)?;
    *rest = after;
    (0x21..=0x7e).contains(&octet).then_some(octet).ok_or(BAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_wire_agree() {
        let rows: [(&str, &[u8], &str); 7] = [
            ("praat.org", b"\x05praat\x03org\0", "praat.org"),
            ("PrAaT.oRg.", b"\x05praat\x03org\0", "praat.org"),
            (".", b"\0", "."),
            ("a", b"\x01a\0", "a"),
            (r"a\.b\\c.\032\200", b"\x05a.b\\c\x02 \xc8\0", r"a\.b\\c.\032\200"),
            (r"\065", b"\x01a\0", "a"),
            ("x.co.uk", b"\x01x\x02co\x02uk\0", "x.co.uk"),
        ];
        for (text, wire, shown) in rows {
            let name = Name::parse(text).unwrap();
            assert_eq!(name.as_wire(), wire, "{text}");
            assert_eq!(name.to_string(), shown);
            assert_eq!(RawName::take(wire).map(Name::from), Some(name));
        }
    }

    #[test]
    fn bad_text_is_refused() {
        let long_label = "a".repeat(64);
        let long_name = [&*"a".repeat(63); 4].join(".");
        for text in ["", "..", ".a", "a..b", "a b", "é.fr", r"a\", r"\256", &long_label, &long_name] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
        // 255 octets exactly: three labels of 63 and one of 61.
        let longest = [&*"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(61)].join(".");
        assert_eq!(Name::parse(&longest).unwrap().as_wire().len(), MAX_OCTETS);
        assert!(Name::parse(&format!("{longest}e")).is_err());
    }

    #[test]
    fn suffixes_are_whole_labels() {
        let rows = [
            ("abcde.com.corp.example", "corp.example", Some("abcde.com")),
            ("ABCDE.com.Corp.Example", "corp.example", Some("abcde.com")),
            ("a.b", "b", Some("a")),
            ("corp.example", "corp.example", None),
            ("example", "corp.example", None),
            ("a.xcorp.example", "corp.example", None),
            ("a.corp.example.org", "corp.example", None),
            // The octets of the suffix, but inside a label.
            (r"a\004corp.example", "corp.example", None),
        ];
        for (text, suffix, expected) in rows {
            let stripped = Name::parse(text).unwrap().strip_suffix(&Name::parse(suffix).unwrap());
            assert_eq!(stripped, expected.map(|text| Name::parse(text).unwrap()), "{text} {suffix}");
        }
    }

    #[test]
    fn only_whole_names_are_taken() {
        for wire in [&b""[..], b"\x01", b"\x01a", b"\x05praat", b"\x40", b"\xc0\x0c"] {
            assert_eq!(RawName::take(wire), None, "{wire:?}");
        }
        let mut wire = vec![];
        for _ in 0..127 {
            wire.extend_from_slice(b"\x01a");
        }
        wire.push(0);
        assert_eq!(RawName::take(&wire).map(|name| name.as_wire().len()), Some(MAX_OCTETS));
        wire.splice(0..2, *b"\x02aa");
        assert_eq!(RawName::take(&wire), None);
    }

    proptest! {
        /// Names are taken as label after label is, each asked for what RFC 1035 demands.
        #[test]
        fn taken_as_label_by_label(
            labels in prop::collection::vec((0_u8..=66, any::<bool>()), 0..12),
            octet: u8,
            cut in 0_usize..300,
        ) {
            // Mostly short ones, and what stands behind a label type that is none.
            let lengths = labels.iter().map(|(length, short)| if *short { length % 8 } else { *length });
            let mut octets: Vec<u8> = lengths.flat_map(|length| [vec![length], vec![octet; length.into()]].concat()).collect();
            octets.extend([0, octet, 0]);
            octets.truncate(cut);
            let naive = || {
                let mut at = 0;
                loop {
                    let length = usize::from(*octets.get(at)?);
                    at += 1 + length;
                    if length > MAX_LABEL || at > MAX_OCTETS {
                        return None;
                    }
                    if length == 0 {
                        return Some(&octets[..at]);
                    }
                }
            };
            prop_assert_eq!(RawName::take(&octets).map(RawName::as_wire), naive());
        }
    }

    #[test]
    fn composed_like_parsed() {
        let mut name = Name::root();
        name.compose(b"abcd", &Name::parse("com.tw").unwrap());
        assert_eq!(name, Name::parse("abcd.com.tw").unwrap());
        name.compose(b"x", &Name::parse("cc").unwrap());
        assert_eq!(name, Name::parse("x.cc").unwrap());
        assert_eq!(name.as_raw().split_first(), Some((&b"x"[..], &b"\x02cc\0"[..])));
        assert_eq!(Name::root().as_raw().split_first(), None);
    }
}
