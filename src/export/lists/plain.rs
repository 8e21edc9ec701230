//! One name a line, nothing else.

use std::io::{self, Write};

use super::{Entry, Layout};

pub(super) struct Plain;

impl Layout for Plain {
    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool> {
        out.write_all(entry.text.as_bytes())?;
        out.write_all(b"\n")?;
        Ok(true)
    }
}
