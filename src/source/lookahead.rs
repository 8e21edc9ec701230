//! A buffered reader that shows what comes next, however small the pieces in which it arrives.

use std::io::{self, BufRead, Read};

/// Octets read at a time.
const ROOM: usize = 64 << 10;

pub(super) struct Lookahead<R> {
    input: R,
    buffer: Box<[u8]>,
    /// What of the buffer is not given away yet.
    from: usize,
    to: usize,
    /// Whether somebody wanted more when nothing was left.
    hungry: bool,
}

impl<R: Read> Lookahead<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; ROOM].into_boxed_slice(), from: 0, to: 0, hungry: false }
    }

    /// The next `octets` octets, fewer only at the end of the input, and maybe some more. They stay.
    pub(super) fn peek(&mut self, octets: usize) -> io::Result<&[u8]> {
        if self.to - self.from < octets {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        while self.to - self.from < octets {
            match self.input.read(&mut self.buffer[self.to..]) {
                Ok(0) => break,
                Ok(read) => self.to += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.from..self.to])
    }

    /// Whether a read or a look at the buffer met the end of the input; [`Self::peek`] does not count.
    pub(super) const fn was_asked_for_more(&self) -> bool {
        self.hungry
    }
}

impl<R: Read> BufRead for Lookahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.hungry |= self.peek(1)?.is_empty();
        Ok(&self.buffer[self.from..self.to])
    }

    fn consume(&mut self, octets: usize) {
        self.from = self.to.min(self.from + octets);
    }
}

impl<R: Read> Read for Lookahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What is large need not come through here.
        if self.from == self.to && buffer.len() >= ROOM {
            return self.input.read(buffer).inspect(|read| self.hungry |= *read == 0);
        }
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
