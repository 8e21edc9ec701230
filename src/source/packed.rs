//! Compressed input: gzip, zstd, lz4 and xz, recognised by content, one inside another, members and frames in a row.
//!
//! ```text
//!  file -> Metered -> Lookahead -> Layer (a member at a time) -> Lookahead -> Layer ... -> the capture
//! ```
//!
//! A hostile file can unpack to anything. So there are bounds: on what comes out of each layer ([`Limits`]), on the
//! memory a layer may ask for, on the number of layers.
//!
//! Sources: RFC 1952 (gzip), RFC 8878 (zstd), the LZ4 frame format 1.6.1, the .xz file format 1.1.0.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use lz4_flex::frame::FrameDecoder;

use super::lookahead::Lookahead;
use super::{Failure, Limits};

/// Octets to look at to tell what something is: xz's are the longest.
const MAGIC: usize = 6;

/// Compressed things inside one another. Two happen (a `.gz` on a compressed file system's export), more are hostile.
const MAX_LAYERS: usize = 4;

/// Octets that a layer may give before the ratio is judged: zeros and tables at the head of a file compress well.
const RATIO_FROM: u64 = 16 << 20;

/// The logarithm of zstd's window: its own default bound in the outermost layer (`--ultra -22`, `--long`), what level 19
/// needs in further ones, so that all layers together stay within the memory of one and some.
const ZSTD_WINDOW_LOG: [u32; 2] = [27, 23];

/// Octets of memory for xz: `-9` needs 65 MiB, `-6` (its default) 9 MiB.
const XZ_MEMORY: [u64; 2] = [80 << 20, 10 << 20];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Gzip,
    Zstd,
    Lz4,
    Xz,
}

impl Program {
    /// What something that begins like this was compressed with.
    fn of(head: &[u8]) -> Option<Self> {
        let known = [
            (&[0x1F, 0x8B][..], Self::Gzip),
            (&[0x28, 0xB5, 0x2F, 0xFD], Self::Zstd),
            (&[0x04, 0x22, 0x4D, 0x18], Self::Lz4),
            (&[0xFD, b'7', b'z', b'X', b'Z', 0], Self::Xz),
        ];
        known.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, program)| *program)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }
}

/// Whether something that begins like this is compressed in a way that [`unpack`] undoes.
pub(super) fn is_packed(head: &[u8]) -> bool {
    Program::of(head).is_some() || is_skippable(head)
}

/// What lies in compressed `input`, of which `head` was read already. `meter` counts the octets of `input` that were read.
pub(super) fn unpack(
    head: Vec<u8>,
    input: impl Read + Send + 'static,
    limits: Limits,
    meter: &Arc<AtomicU64>,
) -> io::Result<Box<dyn Read + Send>> {
    let input = Metered { input: io::Cursor::new(head).chain(input), meter: Arc::clone(meter) };
    let mut inner: Lookahead<Box<dyn Read + Send>> = Lookahead::new(Box::new(input));
    for depth in 0.. {
        skip_skippable(&mut inner)?;
        let Some(program) = Program::of(inner.peek(MAGIC)?) else { break };
        if depth == MAX_LAYERS {
            let why = format!("is compressed more than {MAX_LAYERS} times over: unpack it first, if you trust it");
            return Err(Failure::Unpack(why).into());
        }
        let layer = Layer { program, depth, limits, meter: Arc::clone(meter), given: 0, member: Some(Member::Between(inner)) };
        inner = Lookahead::new(Box::new(layer));
    }
    Ok(Box::new(inner))
}

/// Counts what is read, and marks errors of the system as such: further in they could be taken for damage.
struct Metered<R> {
    input: R,
    meter: Arc<AtomicU64>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.input.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => Failure::Read(error).into(),
        })?;
        self.meter.fetch_add(octets as u64, Ordering::Relaxed);
        Ok(octets)
    }
}

/// One compression being undone.
struct Layer {
    program: Program,
    /// Layers around it.
    depth: usize,
    limits: Limits,
    meter: Arc<AtomicU64>,
    /// Octets that came out so far.
    given: u64,
    /// None after a failure.
    member: Option<Member>,
}

type Inner = Lookahead<Box<dyn Read + Send>>;

/// A gzip member, a zstd or lz4 frame, an xz stream: a file may be several in a row.
enum Member {
    /// In front of one.
    Between(Inner),
    Gzip(Box<GzDecoder<Inner>>),
    Zstd(zstd::Decoder<'static, Inner>),
    Lz4(Box<FrameDecoder<Inner>>),
    Xz(XzDecoder<Inner>),
}

impl Read for Layer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let Some(member) = &mut self.member else { return Ok(0) };
            let outcome = match member {
                Member::Between(_) => Ok(0),
                Member::Gzip(member) => member.read(buffer),
                Member::Zstd(member) => member.read(buffer),
                Member::Lz4(member) => member.read(buffer),
                Member::Xz(member) => member.read(buffer),
            };
            let octets = outcome.map_err(|error| self.failure(error))?;
            if octets > 0 {
                self.given += octets as u64;
                self.check_limits()?;
                return Ok(octets);
            }
            self.next_member()?;
        }
        Ok(0)
    }
}

impl Layer {
    /// Opens the next member; without one, nothing is left to be read.
    fn next_member(&mut self) -> io::Result<()> {
        let mut inner = match self.member.take() {
            Some(Member::Between(inner)) => inner,
            Some(Member::Gzip(member)) => member.into_inner(),
            Some(Member::Zstd(member)) => member.finish(),
            Some(Member::Lz4(member)) => member.into_inner(),
            Some(Member::Xz(member)) => member.into_inner(),
            None => return Ok(()),
        };
        // The lz4 decoder takes the end of its input for the end of a frame.
        if self.program == Program::Lz4 && inner.was_asked_for_more() {
            return Err(self.failure(io::ErrorKind::UnexpectedEof.into()));
        }
        let skipped = skip_skippable(&mut inner).and_then(|()| skip_zeros(&mut inner));
        skipped.map_err(|error| self.failure(error))?;
        let head = inner.peek(MAGIC).map_err(|error| self.failure(error))?;
        if head.is_empty() {
            return Ok(());
        }
        if Program::of(head) != Some(self.program) {
            let (program, given) = (self.program.name(), self.given);
            let why = format!(
                "holds something else behind its {program} data, which unpacked to {given} octets; what came before was read"
            );
            return Err(Failure::Unpack(why).into());
        }
        let nested = usize::from(self.depth > 0);
        self.member = Some(match self.program {
            Program::Gzip => Member::Gzip(Box::new(GzDecoder::new(inner))),
            Program::Zstd => {
                let mut member = zstd::Decoder::with_buffer(inner)?.single_frame();
                member.window_log_max(ZSTD_WINDOW_LOG[nested])?;
                Member::Zstd(member)
            }
            Program::Lz4 => Member::Lz4(Box::new(FrameDecoder::new(inner))),
            Program::Xz => Member::Xz(XzDecoder::new_stream(inner, Stream::new_stream_decoder(XZ_MEMORY[nested], 0)?)),
        });
        Ok(())
    }

    fn check_limits(&mut self) -> io::Result<()> {
        let (given, Limits { unpacked, ratio }) = (self.given, self.limits);
        let advice = "what came before was read; if you trust it, raise";
        let why = if given > unpacked {
            format!("unpacks to more than {unpacked} octets: {advice} --max-unpacked")
        } else if given > RATIO_FROM && given / self.meter.load(Ordering::Relaxed).max(1) >= ratio {
            format!("unpacks to over {ratio} times its size, as made to exhaust a reader: {advice} --max-ratio")
        } else {
            return Ok(());
        };
        self.member = None;
        Err(Failure::Unpack(why).into())
    }

    /// What a decoder's error means. Nothing can be read after it.
    fn failure(&mut self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        self.member = None;
        // The system's, or that of a layer further out.
        if error.get_ref().is_some_and(|inner| inner.is::<Failure>()) {
            return error;
        }
        let (program, given) = (self.program.name(), self.given);
        let text = error.to_string();
        let why = if error.kind() == io::ErrorKind::UnexpectedEof {
            format!("is cut: its {program} data end too early, {given} octets unpacked; what came before was read")
        } else if ["memory limit", "too much memory"].iter().any(|words| text.contains(words)) {
            let more = if self.program == Program::Zstd { " --long=31" } else { "" };
            format!("needs too much memory to unpack: try `{program} -dc{more} FILE | dgawatch replay -`")
        } else {
            format!("has damaged {program} data, {given} octets unpacked: {text}; what came before was read")
        };
        Failure::Unpack(why).into()
    }
}

/// Whether this begins a frame that zstd and lz4 alike pass over.
fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

/// Passes over such frames: four octets of magic, four of length, as many as that says.
fn skip_skippable(input: &mut Inner) -> io::Result<()> {
    while is_skippable(input.peek(MAGIC)?) {
        let [_, _, _, _, a, b, c, d, ..] = input.peek(8)? else { break };
        let length = 8 + u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
        if io::copy(&mut input.by_ref().take(length), &mut io::sink())? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Passes over what tapes and xz pad with.
fn skip_zeros(input: &mut Inner) -> io::Result<()> {
    loop {
        let octets = input.fill_buf()?;
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        input.consume(zeros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed() {
        let rows: [(&[u8], bool); 7] = [
            (b"\x1f\x8b\x08", true),
            (b"\x28\xb5\x2f\xfd", true),
            (b"\x04\x22\x4d\x18", true),
            (b"\xfd7zXZ\0", true),
            (b"\x5f\x2a\x4d\x18", true),
            (b"\x1f", false),
            (b"", false),
        ];
        for (head, expected) in rows {
            assert_eq!(is_packed(head), expected, "{head:?}");
        }
    }
}
