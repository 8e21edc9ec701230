//! Lines of a hosts file: each name at 0.0.0.0, which leads nowhere. There is no NXDOMAIN there.

use std::io::{self, Write};

use super::{About, Entry, Layout, text};

pub(super) struct Hosts;

impl Layout for Hosts {
    fn begin(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        text::write_header("#", about, &[], out)
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        // Whoever writes a name here takes it away from its owner: not from the machine itself.
        if !text::is_plain(entry.text) || entry.text.starts_with("localhost.") {
            return Ok(false);
        }
        writeln!(out, "0.0.0.0 {}", entry.text)?;
        Ok(true)
    }
}
