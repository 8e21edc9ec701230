//! Keeps a thread on one processor.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Pins the calling thread to a processor, counted from 0 as the kernel does.
///
/// # Errors
/// One sentence when there is no such processor, or it is not ours to use.
pub fn pin(cpu: usize) -> Result<(), String> {
    let mut set = CpuSet::new();
    let pinned = set.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    pinned.map_err(|error| format!("processor {cpu} cannot be used: {error}; `nproc --all` tells how many there are, from 0 on"))
}
