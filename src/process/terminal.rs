//! Whether the terminal that we talk to is still there.

use std::io::stdin;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Whether the terminal on standard input has gone: its window was closed, its connection lost. Whoever goes on to read from
/// it reads nothing for ever.
pub fn terminal_is_gone() -> bool {
    let stdin = stdin();
    let mut input = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    poll(&mut input, PollTimeout::ZERO).is_ok() && input[0].revents().is_some_and(|events| events.intersects(gone))
}
