//! Every DNS message of some captures, in their order.

use std::io;

use crate::decode::Decoder;
use crate::export::Messages;
use crate::source::{Failure, Input};

/// Writes the messages of `inputs`, looking for DNS on `ports` beside the usual; returns the inputs that could not be
/// read to their end, and why.
///
/// # Errors
/// When `out` does not take a message.
pub fn messages(inputs: &[Input], ports: &[u16], out: &mut Messages<impl io::Write>) -> io::Result<Vec<(String, Failure)>> {
    let mut decoder = Decoder::new(ports);
    let mut failures = vec![];
    let mut block = vec![];
    for input in inputs {
        let mut frame = 0;
        let mut written = Ok(());
        let mut read = || {
            let mut capture = input.open()?;
            while capture.fill(&mut block)? {
                let (_, outcome) = capture.walk(&block, |record| {
                    frame += 1;
                    if written.is_ok()
                        && let Ok(message) = decoder.message(record)
                    {
                        written = out.write(frame, &message);
                    }
                });
                if written.is_err() {
                    break;
                }
                outcome?;
            }
            Ok(())
        };
        let outcome = read();
        written?;
        failures.extend(outcome.err().map(|failure| (input.path(), failure)));
    }
    out.flush()?;
    Ok(failures)
}
