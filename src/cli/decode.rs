//! `dgawatch decode`: every DNS message as a line.

use std::io::{self, BufWriter};

use clap::Args;
use dgawatch::pipeline;

use super::captures::Captures;
use super::decoding::Decoding;
use super::{Failure, say};

/// Print every DNS message of captures and of dnstap, one a line.
///
/// Tab-separated, no header: frame, time, src, src_port, dst, dst_port, transport, id, qr, opcode, rcode, qname, qtype.
/// Frames count from 1 in each file; the name keeps its case, octets that could harm a terminal are written \DDD.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    captures: Captures,

    #[command(flatten)]
    decoding: Decoding,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let inputs = arguments.captures.inputs();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let failures = pipeline::messages(&inputs, &arguments.decoding.config(), &mut out)?;
    for (path, failure) in &failures {
        say(&format!("{path} {failure}"));
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}
