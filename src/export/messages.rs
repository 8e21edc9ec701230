//! DNS messages as tab-separated lines: frame, time, addresses, ports, header, question.

use std::fmt::Display;
use std::io::{self, Write};

use crate::decode::Message;

/// Writes the message of a frame, frames being counted from 1, as one line to `out`, which should be buffered.
///
/// # Errors
/// When the output does not take it.
pub fn write_message(frame: u64, message: &Message<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Message { source_port, destination_port, header, question, .. } = message;
    let (source, destination) = (message.source(), message.destination());
    let (seconds, nanos) = message.time.parts();
    write!(
        out,
        "{frame}\t{seconds}.{nanos:09}\t{source}\t{source_port}\t{destination}\t{destination_port}\t{}\t{}\t{}\t{}\t{}",
        message.transport.label(),
        header.id,
        u8::from(header.is_response()),
        header.opcode(),
        header.rcode(),
    )?;
    let (name, kind): (&dyn Display, &dyn Display) = match question {
        Some(question) => (&question.name, &question.kind),
        None => (&"", &""),
    };
    writeln!(out, "\t{name}\t{kind}")
}
