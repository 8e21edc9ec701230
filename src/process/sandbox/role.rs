//! Who may make which system calls: one list a kind of thread, on top of what every thread needs.
//!
//! A list holds what the thread was seen to call (`strace -f`), what the C library calls instead elsewhere, and nothing
//! that opens a way out. `tests/process.rs` runs each role's work inside its list, and tries what it must not do.

use std::collections::BTreeMap;

use nix::libc::{self, c_long};

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All that any thread may do, and starting threads: for the thread that starts the others, before it does.
    Main {
        /// Interfaces may be opened again: there is a [`Role::Opener`], or a worker that is one.
        reopen: bool,
        /// Events are sent over TCP: there is a [`Role::Sender`] that connects.
        connect: bool,
        /// Events are sent to a stream: there is a [`Role::Streamer`].
        stream: bool,
    },
    /// Takes packets: waits for them, reads them, reads the counts of what was lost. Writes to nothing that is not open.
    Worker,
    /// Takes in connections on sockets that listen already, and dnstap from them.
    Receiver,
    /// A worker that may open an interface again. Needs `CAP_NET_RAW` for that.
    Opener,
    /// Computes lists, in memory, and starts nothing.
    Builder,
    /// Owns the ledger: reads lists and settings, writes state and events, talks to the service manager, starts threads.
    Clerk,
    /// Sends events to a receiver: through a socket that is open, or one that it connects.
    Sender {
        /// It connects sockets of the internet's. Landlock says to which ports.
        connect: bool,
    },
    /// Sends records to a stream, from files of its own: connects TCP sockets, to ports that Landlock knows, and asks name servers
    /// for hosts, on threads that it starts.
    Streamer,
    /// Serves HTTP on sockets that are open, reads its own settings and certificates, starts threads.
    Http,
}

impl Role {
    /// The calls of this role, each with what its arguments must be: one of these.
    pub(super) fn calls(self) -> BTreeMap<c_long, Vec<Arguments>> {
        let parts: &[&[(c_long, Arguments)]] = match self {
            Self::Main { reopen, connect, stream } => &[
                EVERY,
                WORKER,
                FILES,
                THREADS,
                HTTP,
                MAIN,
                if reopen { OPENER } else { &[] },
                if connect || stream { SENDER } else { &[] },
                if stream { LOOKUP } else { &[] },
            ],
            Self::Worker => &[EVERY, WORKER],
            Self::Receiver => &[EVERY, RECEIVER],
            Self::Opener => &[EVERY, WORKER, OPENER],
            Self::Builder => &[EVERY],
            Self::Clerk => &[EVERY, FILES, THREADS],
            Self::Sender { connect: false } => &[EVERY],
            Self::Sender { connect: true } => &[EVERY, SENDER],
            Self::Streamer => &[EVERY, FILES, THREADS, HTTP, SENDER, LOOKUP],
            Self::Http => &[EVERY, HTTP, THREADS],
        };
        let mut calls: BTreeMap<c_long, Vec<Arguments>> = BTreeMap::new();
        for (call, arguments) in parts.iter().flat_map(|part| part.iter()) {
            calls.entry(*call).or_default().push(*arguments);
        }
        calls
    }
}

/// What the arguments of an allowed call must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    Any,
    /// `openat` that does not write, create or cut.
    ReadOnly,
    /// `socket` for packets, or to ask the kernel about interfaces (netlink): none that leads elsewhere.
    Capture,
    /// `socket` for TCP over IPv4 or IPv6: what other sockets there are is of no use to whoever sends.
    Internet,
    /// `socket` for UDP over IPv4 or IPv6, or to ask the kernel about addresses: what getaddrinfo(3) asks with.
    Question,
    /// `clone` of a thread, not of a process.
    Thread,
    /// `mmap` and `mprotect` of memory that holds no program.
    Data,
    /// `prlimit64` that asks and does not set.
    Ask,
}

use Arguments::{Any, Ask, Capture, Data, Internet, Question, ReadOnly, Thread};

/// Memory, time, locks, signals that arrive, descriptors that are open, and the end.
const EVERY: &[(c_long, Arguments)] = &[
    (libc::SYS_read, Any),
    (libc::SYS_readv, Any),
    (libc::SYS_write, Any),
    (libc::SYS_writev, Any),
    (libc::SYS_close, Any),
    (libc::SYS_futex, Any),
    (libc::SYS_mmap, Data),
    (libc::SYS_munmap, Any),
    (libc::SYS_mremap, Any),
    (libc::SYS_mprotect, Data),
    (libc::SYS_madvise, Any),
    (libc::SYS_brk, Any),
    (libc::SYS_clock_gettime, Any),
    (libc::SYS_clock_nanosleep, Any),
    (libc::SYS_nanosleep, Any),
    (libc::SYS_gettimeofday, Any),
    (libc::SYS_sched_yield, Any),
    (libc::SYS_sched_getaffinity, Any),
    (libc::SYS_getrandom, Any),
    (libc::SYS_getpid, Any),
    (libc::SYS_gettid, Any),
    // The panic of a thread, which ends the process: abort() sends a signal to itself. Landlock keeps it in the family.
    (libc::SYS_tgkill, Any),
    (libc::SYS_rt_sigaction, Any),
    (libc::SYS_rt_sigprocmask, Any),
    (libc::SYS_rt_sigreturn, Any),
    (libc::SYS_sigaltstack, Any),
    (libc::SYS_restart_syscall, Any),
    (libc::SYS_set_robust_list, Any),
    (libc::SYS_rseq, Any),
    (libc::SYS_exit, Any),
    (libc::SYS_exit_group, Any),
    // A signal wakes its waiter through a socket pair.
    (libc::SYS_sendto, Any),
    (libc::SYS_recvfrom, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, Any),
    (libc::SYS_ppoll, Any),
    // A narrower list for itself. That of the thread which started it lets through no more than it had.
    (libc::SYS_seccomp, Any),
    (libc::SYS_prctl, Any),
];

/// The ring, its counters, and the files from which libpcap reads those of the network card.
const WORKER: &[(c_long, Arguments)] = &[
    (libc::SYS_recvmsg, Any),
    (libc::SYS_getsockopt, Any),
    (libc::SYS_openat, ReadOnly),
    (libc::SYS_fstat, Any),
    (libc::SYS_newfstatat, Any),
    (libc::SYS_statx, Any),
    (libc::SYS_lseek, Any),
];

/// Connections to a socket that is open.
const RECEIVER: &[(c_long, Arguments)] = &[(libc::SYS_accept4, Any)];

/// Files and directories, where Landlock lets them be reached.
const FILES: &[(c_long, Arguments)] = &[
    (libc::SYS_openat, Any),
    (libc::SYS_fstat, Any),
    (libc::SYS_newfstatat, Any),
    (libc::SYS_statx, Any),
    (libc::SYS_fstatfs, Any),
    (libc::SYS_lseek, Any),
    (libc::SYS_pread64, Any),
    (libc::SYS_pwrite64, Any),
    (libc::SYS_fsync, Any),
    (libc::SYS_fdatasync, Any),
    (libc::SYS_ftruncate, Any),
    (libc::SYS_fallocate, Any),
    (libc::SYS_flock, Any),
    (libc::SYS_fcntl, Any),
    (libc::SYS_getdents64, Any),
    (libc::SYS_getcwd, Any),
    (libc::SYS_readlinkat, Any),
    (libc::SYS_faccessat, Any),
    (libc::SYS_faccessat2, Any),
    (libc::SYS_mkdirat, Any),
    (libc::SYS_unlinkat, Any),
    (libc::SYS_renameat2, Any),
    (libc::SYS_fchmod, Any),
    (libc::SYS_umask, Any),
    (libc::SYS_copy_file_range, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_renameat, Any),
    // renameat, for which libc has no name there.
    #[cfg(target_arch = "aarch64")]
    (38, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_access, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, Any),
];

/// Threads of our own: lists are built beside the work, passwords are weighed beside the answering.
const THREADS: &[(c_long, Arguments)] = &[
    (libc::SYS_clone, Thread),
    // Never lets anything through itself, its arguments being in memory: see `calls.rs`.
    (libc::SYS_clone3, Any),
    (libc::SYS_prlimit64, Ask),
    (libc::SYS_sched_setaffinity, Any),
];

/// Sockets that listen already, and what tokio waits with.
const HTTP: &[(c_long, Arguments)] = &[
    (libc::SYS_accept4, Any),
    (libc::SYS_shutdown, Any),
    (libc::SYS_sendmsg, Any),
    (libc::SYS_recvmsg, Any),
    (libc::SYS_getpeername, Any),
    (libc::SYS_getsockname, Any),
    (libc::SYS_getsockopt, Any),
    (libc::SYS_setsockopt, Any),
    (libc::SYS_socketpair, Any),
    (libc::SYS_fcntl, Any),
    (libc::SYS_ioctl, Any),
    (libc::SYS_pipe2, Any),
    (libc::SYS_eventfd2, Any),
    (libc::SYS_epoll_create1, Any),
    (libc::SYS_epoll_ctl, Any),
    (libc::SYS_epoll_pwait, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_wait, Any),
    // Its settings, certificates and passwords, read again when they changed.
    (libc::SYS_openat, ReadOnly),
    (libc::SYS_fstat, Any),
    (libc::SYS_newfstatat, Any),
    (libc::SYS_statx, Any),
    (libc::SYS_lseek, Any),
    (libc::SYS_pread64, Any),
    (libc::SYS_getcwd, Any),
    (libc::SYS_readlinkat, Any),
];

/// Connecting to a receiver, and looking whether it is still there.
const SENDER: &[(c_long, Arguments)] = &[
    (libc::SYS_socket, Internet),
    (libc::SYS_connect, Any),
    (libc::SYS_getsockopt, Any),
    (libc::SYS_setsockopt, Any),
    (libc::SYS_ioctl, Any),
];

/// What the C library does to find a host: reads its files, asks name servers, sorts addresses by what reaches them.
const LOOKUP: &[(c_long, Arguments)] =
    &[(libc::SYS_socket, Question), (libc::SYS_bind, Any), (libc::SYS_sendmmsg, Any), (libc::SYS_uname, Any)];

/// What the first thread does beside: asks who we are and how many processors there are.
const MAIN: &[(c_long, Arguments)] = &[
    (libc::SYS_openat, Any),
    (libc::SYS_getuid, Any),
    (libc::SYS_geteuid, Any),
    (libc::SYS_getgid, Any),
    (libc::SYS_getegid, Any),
    (libc::SYS_capget, Any),
    (libc::SYS_uname, Any),
    (libc::SYS_sysinfo, Any),
    (libc::SYS_dup, Any),
    (libc::SYS_dup3, Any),
];

/// What libpcap does to open an interface.
const OPENER: &[(c_long, Arguments)] = &[
    (libc::SYS_socket, Capture),
    (libc::SYS_bind, Any),
    (libc::SYS_setsockopt, Any),
    (libc::SYS_getsockname, Any),
    (libc::SYS_ioctl, Any),
    (libc::SYS_fcntl, Any),
    (libc::SYS_eventfd2, Any),
    (libc::SYS_sendmsg, Any),
    (libc::SYS_readlinkat, Any),
    (libc::SYS_faccessat, Any),
    (libc::SYS_getuid, Any),
    (libc::SYS_geteuid, Any),
    (libc::SYS_uname, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, Any),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_access, Any),
];
