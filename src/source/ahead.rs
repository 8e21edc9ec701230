//! Reads on a thread of its own, so that unpacking goes on beside what is done with the octets.
//!
//! Full blocks come through a bounded channel, emptied ones go back through another.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Octets of a block, as [`super::Capture`] reads them.
const BLOCK: usize = 256 << 10;

/// Blocks in the round: one being filled, one being read, some between them to even out.
const BLOCKS: usize = 4;

/// Octets of the thread's stack. No decoder of ours needs a quarter of it.
const STACK: usize = 512 << 10;

/// What another thread reads.
pub(super) struct Ahead {
    take: Receiver<Message>,
    give_back: SyncSender<Vec<u8>>,
    block: Vec<u8>,
    /// Octets of the block that were given away.
    given: usize,
    ended: bool,
}

enum Message {
    Block(Vec<u8>),
    End(io::Result<()>),
}

impl Ahead {
    /// Starts to read what `open` opens, on the new thread: that may read too.
    pub(super) fn start<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<Self> {
        // Room for all blocks and the end: neither side ever waits for room, only for blocks.
        let (give, take) = sync_channel(BLOCKS + 1);
        let (give_back, take_back) = sync_channel(BLOCKS);
        // The last is in the reader's hands.
        for _ in 1..BLOCKS {
            give_back.send(vec![]).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        thread::Builder::new().name("unpack".to_owned()).stack_size(STACK).spawn(move || {
            let outcome = open().and_then(|input| read(input, &take_back, &give));
            // Nobody listens when the reader had enough.
            let _ = give.send(Message::End(outcome));
        })?;
        Ok(Self { take, give_back, block: vec![], given: 0, ended: false })
    }
}

/// Fills the blocks that come back until the input ends, or none come any more.
fn read(mut input: impl Read, take_back: &Receiver<Vec<u8>>, give: &SyncSender<Message>) -> io::Result<()> {
    for mut block in take_back {
        block.resize(BLOCK, 0);
        let mut filled = 0;
        let outcome = loop {
            if filled == BLOCK {
                break Ok(());
            }
            match input.read(&mut block[filled..]) {
                Ok(0) => break Ok(()),
                Ok(octets) => filled += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let ended = filled < BLOCK;
        block.truncate(filled);
        if give.send(Message::Block(block)).is_err() || ended {
            return outcome;
        }
    }
    Ok(())
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() && !self.ended {
            // Not taken back when the other side has ended.
            let _ = self.give_back.send(std::mem::take(&mut self.block));
            self.given = 0;
            match self.take.recv() {
                Ok(Message::Block(block)) => self.block = block,
                Ok(Message::End(outcome)) => {
                    self.ended = true;
                    outcome?;
                }
                Err(_) => {
                    self.ended = true;
                    return Err(io::Error::other("the thread that unpacks has ended"));
                }
            }
        }
        let octets = (&self.block[self.given..]).read(buffer)?;
        self.given += octets;
        Ok(octets)
    }
}
