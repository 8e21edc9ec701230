//! The report as one HTML page that opens from disk: for a person, a ticket, a manager. It loads nothing, and its policy
//! lets it load nothing.
//!
//! Sources are in it twice: the weightiest as a table that needs no script, all of them packed, which a script shows a page at a
//! time.

mod data;
mod parts;
mod time;

pub(super) use self::time::plots;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::Report;
use crate::export::page::STYLE;

const SCRIPT: &str = include_str!("report.js");

/// Writes the page.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    let head = html! {
        (DOCTYPE)
        meta charset="utf-8";
        meta http-equiv="Content-Security-Policy" content=(policy);
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        meta name="referrer" content="no-referrer";
        title { "dgawatch report" }
        // Both are ours, and hold nothing that ends them.
        style { (PreEscaped(STYLE)) }
    };
    out.write_all(b"<!DOCTYPE html>\n<html lang=\"en\">\n<head>")?;
    out.write_all(head.into_string().trim_start_matches("<!DOCTYPE html>").as_bytes())?;
    out.write_all(b"</head>\n<body>\n")?;
    out.write_all(parts::all(report).into_string().as_bytes())?;
    out.write_all(b"\n<script type=\"text/plain\" id=\"data\">")?;
    data::write(report, out)?;
    write!(out, "</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_parts_do_not_end_their_elements() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }
}
