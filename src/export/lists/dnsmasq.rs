//! Domains that dnsmasq answers itself, with NXDOMAIN: each name and all below it (dnsmasq(8), --local).

use std::io::{self, Write};

use super::{About, Entry, Layout, text};

pub(super) struct Dnsmasq;

impl Layout for Dnsmasq {
    fn begin(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        text::write_header("#", about, &["For dnsmasq: conf-file=FILE, or --conf-file"], out)
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        if !text::is_plain(entry.text) {
            return Ok(false);
        }
        writeln!(out, "local=/{}/", entry.text)?;
        Ok(true)
    }
}
