//! seccomp: which system calls a thread may make. Three filters, of which the strictest answer counts:
//!
//! ```text
//!   the role's list    others fail with EPERM         a call forgotten is an error that can be handled, not a dead sensor
//!   DEADLY             the process is killed          nothing of ours ever calls them: whoever does has taken us over
//!   clone3             fails with ENOSYS              its flags lie in memory, where no filter sees them; glibc takes clone
//! ```
//!
//! Source: seccomp(2); Documentation/userspace-api/seccomp_filter.rst.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};

use super::role::{Arguments, Role};

/// Confines the calling thread, or says in a sentence why it is not.
pub(super) fn confine(role: Role) -> Result<(), String> {
    let failed = |why: String| format!("seccomp does not work here: any system call can be made ({why})");
    let filters = filters(role).map_err(failed)?;
    filters.iter().try_for_each(|filter| apply_filter(filter).map_err(|error| failed(error.to_string())))
}

/// The role's list last: the others must not depend on what it lets through.
fn filters(role: Role) -> Result<[BpfProgram; 3], String> {
    let list =
        role.calls().into_iter().map(|(call, arguments)| Ok((call, rules(&arguments).map_err(|error| error.to_string())?)));
    let list = list.collect::<Result<_, String>>()?;
    let every = |calls: &[c_long]| calls.iter().map(|call| (*call, vec![])).collect();
    Ok([
        compile(every(&DEADLY), SeccompAction::Allow, SeccompAction::KillProcess)?,
        compile(every(&[libc::SYS_clone3]), SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?,
        compile(list, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)?,
    ])
}

fn compile(rules: BTreeMap<i64, Vec<SeccompRule>>, others: SeccompAction, these: SeccompAction) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(ARCH).map_err(|error| error.to_string())?;
    let filter = SeccompFilter::new(rules, others, these, arch).map_err(|error| error.to_string())?;
    filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())
}

/// Alternatives, of which one must hold; none for a call with any arguments.
fn rules(arguments: &[Arguments]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    if arguments.contains(&Arguments::Any) {
        return Ok(vec![]);
    }
    let rules = arguments.iter().map(|arguments| alternatives(*arguments)).collect::<Result<Vec<_>, _>>()?;
    Ok(rules.into_iter().flatten().collect())
}

/// Each a row of conditions, all of which must hold.
fn alternatives(arguments: Arguments) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq};
    /// Of SOCK_STREAM and the like, without SOCK_CLOEXEC and SOCK_NONBLOCK (include/linux/net.h).
    const KIND: u64 = 0xF;
    let stream = (1, Dword, MaskedEq(KIND), libc::SOCK_STREAM as u64);
    let domain = |domain| (0, Dword, Eq, domain as u64);
    let rows = match arguments {
        Arguments::Any => vec![],
        Arguments::ReadOnly => {
            vec![vec![(2, Dword, MaskedEq((libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64), libc::O_RDONLY as u64)]]
        }
        Arguments::Capture => vec![vec![domain(libc::AF_PACKET)], vec![domain(libc::AF_NETLINK)]],
        Arguments::Internet => vec![vec![domain(libc::AF_INET), stream.clone()], vec![domain(libc::AF_INET6), stream]],
        Arguments::Question => {
            let datagrams = || (1, Dword, MaskedEq(KIND), libc::SOCK_DGRAM as u64);
            vec![
                vec![domain(libc::AF_INET), datagrams()],
                vec![domain(libc::AF_INET6), datagrams()],
                vec![domain(libc::AF_NETLINK), (2, Dword, Eq, libc::NETLINK_ROUTE as u64)],
            ]
        }
        Arguments::Thread => vec![vec![(0, Qword, MaskedEq(libc::CLONE_THREAD as u64), libc::CLONE_THREAD as u64)]],
        Arguments::Data => vec![vec![(2, Dword, MaskedEq(libc::PROT_EXEC as u64), 0)]],
        Arguments::Ask => vec![vec![(2, Qword, Eq, 0)]],
    };
    let condition = |(place, length, compare, value)| SeccompCondition::new(place, length, compare, value);
    let rule = |row: Vec<_>| SeccompRule::new(row.into_iter().map(condition).collect::<Result<_, _>>()?);
    rows.into_iter().map(rule).collect()
}

/// Starting programs, watching other processes, changing the kernel, the machine, its mounts and its name spaces; and what
/// does other calls' work unseen by filters.
const DEADLY: [c_long; 26] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_settimeofday,
];
