//! JSON that no terminal takes for orders: the control characters beyond ASCII (U+007F to U+009F, of which U+009B begins a
//! sequence) are escaped as well as those that JSON asks for.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a value, without blanks and without an end of line.
pub(super) fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Inert))?)
}

/// The same over lines, indented, for people. All of it is in memory first.
pub(super) fn write_pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    write_inert(out, &serde_json::to_string_pretty(value)?)
}

/// Such characters stand in JSON inside texts only.
fn write_inert(out: &mut (impl Write + ?Sized), text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some((place, c)) = rest.char_indices().find(|(_, c)| ('\u{7f}'..='\u{9f}').contains(c)) {
        out.write_all(&rest.as_bytes()[..place])?;
        write!(out, "\\u{:04x}", u32::from(c))?;
        rest = &rest[place + c.len_utf8()..];
    }
    out.write_all(rest.as_bytes())
}

struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        write_inert(out, fragment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_for_readers_and_inert() {
        let hostile: String = (0..=0x2100).filter_map(char::from_u32).collect();
        let mut out = vec![];
        write(&[&*hostile, "\u{9b}", "é\u{7f}"], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.chars().all(|c| !c.is_control()));
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [&*hostile, "\u{9b}", "é\u{7f}"]);
        assert!(text.ends_with(r#""\u009b","é\u007f"]"#), "{text}");
        let mut out = vec![];
        write_pretty(&["\u{9b}", "é\u{7f}"], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[\n  \"\\u009b\",\n  \"é\\u007f\"\n]");
    }
}
