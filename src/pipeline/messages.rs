//! Every DNS message of some captures, in the order of their packets.

use std::io::{self, Write};

use crate::decode::{Assembler, Config, Decoder, Message, Reading};
use crate::export::write_message;
use crate::source::{Failure, Input};

/// Messages held back at most while an earlier one may still be completed.
const MAX_HELD: usize = 100_000;

/// Writes the messages of `inputs`, as `config` says; returns the inputs that could not be read to their end, and why.
/// Each input stands for itself: a message that goes on in the next is not put together.
///
/// # Errors
/// When `out` does not take a message.
pub fn messages(inputs: &[Input], config: &Config, out: &mut dyn Write) -> io::Result<Vec<(String, Failure)>> {
    let mut decoder = Decoder::new(config.clone());
    let mut failures = vec![];
    let mut block = vec![];
    for input in inputs {
        let mut frames = Frames { assembler: Assembler::new(config.clone()), frame: 0, held: vec![], out, written: Ok(()) };
        let mut read = || {
            let mut capture = input.open()?;
            while capture.fill(&mut block)? {
                let (_, outcome) = capture.walk(&block, |record| frames.take(&decoder.read(record)));
                if frames.written.is_err() {
                    break;
                }
                outcome?;
            }
            Ok(())
        };
        let outcome = read();
        frames.finish()?;
        failures.extend(outcome.err().map(|failure| (input.path(), failure)));
    }
    out.flush()?;
    Ok(failures)
}

/// Writes the messages of one input.
struct Frames<'o> {
    assembler: Assembler,
    /// The number of the packet.
    frame: u64,
    /// Lines that wait for one that may have to stand before them.
    held: Vec<(u64, Vec<u8>)>,
    out: &'o mut dyn Write,
    written: io::Result<()>,
}

impl Frames<'_> {
    fn take(&mut self, reading: &Reading<'_>) {
        self.frame += 1;
        match reading {
            Reading::Message(message) if self.held.is_empty() && !self.assembler.is_waiting() => {
                if self.written.is_ok() {
                    self.written = write_message(self.frame, message, self.out);
                }
            }
            Reading::Message(message) => hold(&mut self.held, self.frame, message),
            Reading::Piece(piece) => {
                let held = &mut self.held;
                self.assembler.take(self.frame, piece, &mut |frame, message| hold(held, frame, message));
            }
            Reading::Nothing(_) => {}
        }
        if !self.held.is_empty() && (!self.assembler.is_waiting() || self.held.len() > MAX_HELD) {
            self.release();
        }
    }

    /// Writes the lines held back, in the order of their packets.
    fn release(&mut self) {
        self.held.sort_by_key(|(frame, _)| *frame);
        for (_, line) in self.held.drain(..) {
            if self.written.is_ok() {
                self.written = self.out.write_all(&line);
            }
        }
    }

    fn finish(mut self) -> io::Result<()> {
        let held = &mut self.held;
        self.assembler.finish(&mut |frame, message| hold(held, frame, message));
        self.release();
        self.written
    }
}

/// A message without its end is evidence, but no packet completed it.
fn hold(held: &mut Vec<(u64, Vec<u8>)>, frame: u64, message: &Message<'_>) {
    if message.whole {
        let mut line = vec![];
        write_message(frame, message, &mut line).expect("memory takes everything");
        held.push((frame, line));
    }
}
