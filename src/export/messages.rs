//! DNS messages as tab-separated lines: frame, time, addresses, ports, header, question.

use std::fmt::Display;
use std::io::{self, Write};

use crate::decode::Message;

/// Writes messages, one a line.
pub struct Messages<W> {
    out: W,
}

impl<W: Write> Messages<W> {
    /// Writes to `out`, which should be buffered.
    pub const fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes the message of a frame, frames being counted from 1.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn write(&mut self, frame: u64, message: &Message<'_>) -> io::Result<()> {
        let Message { source_port, destination_port, header, question, .. } = message;
        let (source, destination) = (message.source(), message.destination());
        let (seconds, nanos) = message.time.parts();
        write!(
            self.out,
            "{frame}\t{seconds}.{nanos:09}\t{source}\t{source_port}\t{destination}\t{destination_port}\tudp\t{}\t{}\t{}\t{}",
            header.id,
            u8::from(header.is_response()),
            header.opcode(),
            header.rcode(),
        )?;
        let (name, kind): (&dyn Display, &dyn Display) = match question {
            Some(question) => (&question.name, &question.kind),
            None => (&"", &""),
        };
        writeln!(self.out, "\t{name}\t{kind}")
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
