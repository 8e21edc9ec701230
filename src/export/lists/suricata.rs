//! A dataset of Suricata, type string: each line a name in base64 (Suricata User Guide, "Datasets", file formats). The file has
//! no place for comments. To be matched in lower case: `dns.query; to_lowercase; dataset:isset,conficker,type string,load FILE;`

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Entry, Layout};

#[derive(Default)]
pub(super) struct Suricata {
    /// Labels and dots, as Suricata has them.
    dotted: Vec<u8>,
    line: String,
}

impl Layout for Suricata {
    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        self.dotted.clear();
        let mut rest = entry.name.as_raw().as_wire();
        while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
            let (label, after) = after.split_at(usize::from(length));
            // Written with dots, it would be another name.
            if label.contains(&b'.') {
                return Ok(false);
            }
            if !self.dotted.is_empty() {
                self.dotted.push(b'.');
            }
            self.dotted.extend_from_slice(label);
            rest = after;
        }
        self.line.clear();
        STANDARD.encode_string(&self.dotted, &mut self.line);
        self.line.push('\n');
        out.write_all(self.line.as_bytes())?;
        Ok(true)
    }
}
