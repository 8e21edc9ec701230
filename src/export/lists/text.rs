//! What names look like where others read them.

use std::io::{self, Write};

use super::NameList;
use crate::day::Timestamp;

/// Whether a name in presentation form is one that every program takes: two labels at least, of letters, digits, `-` and `_`.
///
/// One label alone would be a top-level domain: what blocks names with all below them would block all of it.
pub(super) fn is_plain(text: &str) -> bool {
    let plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_' | b'.');
    text.bytes().all(plain) && text.contains('.')
}

/// Writes a name as zone files take it (RFC 1035 §5.1): whatever means something there as `\DDD`.
pub(super) fn write_for_zone(text: &str, out: &mut dyn Write) -> io::Result<()> {
    if is_plain(text) {
        return out.write_all(text.as_bytes());
    }
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.write_all(&[octet])?,
            // An escape that is one already: `\DDD`, or `\.` and `\\`.
            b'\\' => match octets.next().unwrap_or(b'\\') {
                digit @ b'0'..=b'9' => write!(out, "\\{}", char::from(digit))?,
                other => write!(out, "\\{other:03}")?,
            },
            _ => write!(out, "\\{octet:03}")?,
        }
    }
    Ok(())
}

/// Lines of comment that say what a file holds, each behind `mark`.
pub(super) fn write_header(mark: &str, about: &super::About, use_it: &[&str], out: &mut dyn Write) -> io::Result<()> {
    let (first, last) = about.days;
    let days = if first == last { first.to_string() } else { format!("{first} to {last}") };
    writeln!(out, "{mark} Names that hosts with {} ask for: lists of {days}, UTC.", about.families.join(", "))?;
    use_it.iter().try_for_each(|line| writeln!(out, "{mark} {line}"))
}

/// The first moment of a list's window and the first after it.
pub(super) fn window(list: &NameList<'_>) -> (Timestamp, Timestamp) {
    let midnight = |number: i32| Timestamp::from_parts(u64::from(number.unsigned_abs()) * 86_400, 0);
    (midnight(list.from.number()), midnight(list.until.number() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    /// Nothing but what cannot mean anything, and the same name when read again.
    #[test]
    fn zone_text_is_inert_and_whole() {
        for octet in 0..=255_u8 {
            let text = format!(r"a\{octet:03}b.\036x.example");
            let name = Name::parse(&text).unwrap();
            let mut out = vec![];
            write_for_zone(&name.to_string(), &mut out).unwrap();
            let written = String::from_utf8(out).unwrap();
            assert!(
                written.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || br"-_.\".contains(&octet)),
                "{written}"
            );
            assert_eq!(Name::parse(&written).unwrap(), name, "{written}");
        }
    }

    #[test]
    fn plain_names() {
        for (text, plain) in [("a.b", true), ("a-_9.b", true), ("com", false), (r"a\.b.c", false), ("a;.b", false), (".", true)] {
            assert_eq!(is_plain(text), plain, "{text}");
        }
    }
}
