//! `dgawatch decode`: every DNS message as a line.

use std::io::{self, BufWriter};
use std::path::PathBuf;

use clap::Args;
use dgawatch::pipeline;
use dgawatch::source::Input;

use super::decoding::Decoding;
use super::{Failure, say};

/// Print every DNS message of captures, one a line.
///
/// Tab-separated, no header: frame, time, src, src_port, dst, dst_port, transport, id, qr, opcode, rcode, qname, qtype.
/// Frames count from 1 in each file; the name keeps its case, octets that could harm a terminal are written \DDD.
#[derive(Args)]
pub(super) struct Arguments {
    /// Captures: files, directories (read in the order of their names), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    decoding: Decoding,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (inputs, others) = Input::expand(&arguments.paths);
    if others > 0 {
        say(&format!("passed over {others} files that hold no capture"));
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let failures = pipeline::messages(&inputs, &arguments.decoding.config(), &mut out)?;
    for (path, failure) in &failures {
        say(&format!("{path} {failure}"));
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}
