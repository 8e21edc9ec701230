//! Empty zones for named, one a name: for servers without response policy zones. Answers hold no data; names below are NXDOMAIN.

use std::io::{self, Write};

use super::{About, Entry, Layout, text};

pub(super) struct Bind;

/// How to use it, and the file that all the zones share.
const USE: [&str; 4] = [
    "For named.conf: include \"FILE\"; and in named's directory a file dgawatch-empty.zone of three lines:",
    "  $TTL 300",
    "  @ SOA localhost. hostmaster.invalid. 1 3600 600 2592000 300",
    "  @ NS localhost.",
];

impl Layout for Bind {
    fn begin(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        text::write_header("//", about, &USE, out)
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        if !text::is_plain(entry.text) {
            return Ok(false);
        }
        writeln!(out, "zone \"{}\" {{ type primary; file \"dgawatch-empty.zone\"; }};", entry.text)?;
        Ok(true)
    }
}
