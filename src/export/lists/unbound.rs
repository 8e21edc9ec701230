//! Local zones of unbound: NXDOMAIN for each name and all below it (unbound.conf(5), local-zone, always_nxdomain).

use std::io::{self, Write};

use super::{About, Entry, Layout, text};

pub(super) struct Unbound;

impl Layout for Unbound {
    fn begin(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        text::write_header("#", about, &["For unbound.conf: include: \"FILE\""], out)?;
        writeln!(out, "server:")
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        if !text::is_plain(entry.text) {
            return Ok(false);
        }
        writeln!(out, "local-zone: \"{}.\" always_nxdomain", entry.text)?;
        Ok(true)
    }
}
