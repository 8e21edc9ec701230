//! A response policy zone: each name an alias of the root, which means NXDOMAIN (draft-vixie-dnsop-dns-rpz, section 3.1).
//!
//! Owners are relative, so that the zone may have any name. Just the names are listed, not what lies below them: hosts ask for
//! nothing below, and where a name belongs to honest people, less of theirs is hit.

use std::io::{self, Write};

use super::{About, Entry, Layout, text};

pub(super) struct Rpz;

/// The longest name on the wire: 255 octets less what the name of the zone may take, 64.
const LONGEST: usize = 191;

impl Layout for Rpz {
    fn begin(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        text::write_header(";", about, &["A response policy zone: BIND, response-policy { zone \"...\"; }; unbound, rpz:"], out)?;
        // Newer zones have higher serial numbers: seconds since 1970.
        let serial = about.made.parts().0 as u32;
        writeln!(out, "$TTL 300\n@ SOA localhost. hostmaster.invalid. {serial} 3600 600 2592000 300\n@ NS localhost.")
    }

    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        if !is_trigger(entry) {
            return Ok(false);
        }
        text::write_for_zone(entry.text, out)?;
        out.write_all(b" CNAME .\n")?;
        Ok(true)
    }
}

/// Whether the zone can hold a name as that and nothing else: `*` would be a wildcard, and what ends in `rpz-ip` and the like
/// stands for addresses or servers.
fn is_trigger(entry: &Entry<'_>) -> bool {
    let last = entry.text.rsplit('.').next().unwrap_or_default();
    let wildcard = entry.text.split('.').any(|label| label == "*");
    entry.name.as_wire().len() <= LONGEST && !wildcard && !last.starts_with("rpz-")
}
