//! Landlock: which files may be opened, and that no TCP socket is bound or, but to ports that are named, connected.
//!
//! A rule holds for a file or directory as it is now. A file that is replaced (written beside, then renamed) is another
//! file, so whoever wants to read it again needs a rule for its directory: [`Access::reload`].
//! Source: Documentation/userspace-api/landlock.rst.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
};

/// The newest version whose restrictions were tried with us. Later ones may forbid what we need.
const TRIED: ABI = ABI::V6;

/// Where libpcap reads what the network card lost; the first holds links into the second.
const STATISTICS: [&str; 2] = ["/sys/class/net", "/sys/devices"];

/// What the C library reads to find hosts.
const RESOLVER: [&str; 6] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"];

/// Directories that hold too much of other people's to be opened for the sake of one file.
const SHARED: [&str; 17] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr",
    "/var", "/var/lib",
];

/// Paths that may be opened still. Interface statistics always may.
#[derive(Clone, Debug, Default)]
pub struct Access {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    connect: Vec<u16>,
}

impl Access {
    /// Reading a file, or everything below a directory. Passed over where it does not exist.
    pub fn read(&mut self, path: impl Into<PathBuf>) {
        self.read.push(path.into());
    }

    /// Reading a file again after it was replaced: everything in its directory, unless that is one such as /etc, where only
    /// the file as it is now can be read again. Tells whether a replaced file can be.
    pub fn reload(&mut self, file: &Path) -> bool {
        let mut replaceable = true;
        // The link and what it leads to: either may be replaced.
        for file in [Some(file.to_owned()), file.canonicalize().ok()].into_iter().flatten() {
            let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
            let shared = directory.canonicalize().is_ok_and(|whole| SHARED.iter().any(|shared| Path::new(shared) == whole));
            replaceable &= !shared;
            self.read(if shared { file.clone() } else { directory.to_owned() });
        }
        replaceable
    }

    /// Connecting TCP sockets to a port, whatever the host.
    pub fn connect(&mut self, port: u16) {
        self.connect.push(port);
    }

    /// What the C library reads to find hosts (resolv.conf(5), nsswitch.conf(5), gai.conf(5)).
    pub fn look_up(&mut self) {
        RESOLVER.iter().for_each(|file| self.read(*file));
    }

    /// Everything but running programs, below a directory that exists.
    pub fn write(&mut self, directory: impl Into<PathBuf>) {
        self.write.push(directory.into());
    }
}

/// Confines the calling thread. Returns what the kernel lacks, a sentence each.
pub(super) fn confine(access: &Access) -> Result<Vec<String>, String> {
    let failed = |error: landlock::RulesetError| format!("Landlock: {error}");
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let ruleset = ruleset.handle_access(AccessFs::from_all(TRIED)).map_err(failed)?;
    let ruleset = ruleset.handle_access(AccessNet::from_all(TRIED)).map_err(failed)?;
    let mut ruleset = ruleset.scope(Scope::from_all(TRIED)).map_err(failed)?.create().map_err(failed)?;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing = AccessFs::from_all(TRIED) & !AccessFs::Execute & !AccessFs::MakeChar & !AccessFs::MakeBlock;
    let known = STATISTICS.map(PathBuf::from);
    let read = known.iter().chain(&access.read).filter(|path| path.exists()).map(|path| (path, reading));
    for (path, rights) in read.chain(access.write.iter().map(|path| (path, writing))) {
        ruleset = ruleset.add_rule(rule(path, rights)?).map_err(failed)?;
    }
    for port in &access.connect {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp)).map_err(failed)?;
    }
    let status = ruleset.restrict_self().map_err(failed)?;
    Ok(lacking(status.landlock))
}

fn rule(path: &Path, rights: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>, String> {
    let opened = PathFd::new(path).map_err(|error| format!("{} cannot be let into the sandbox: {error}", path.display()))?;
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(TRIED) };
    Ok(PathBeneath::new(opened, rights))
}

fn lacking(status: LandlockStatus) -> Vec<String> {
    let abi = match status {
        LandlockStatus::NotImplemented => ABI::Unsupported,
        LandlockStatus::NotEnabled => {
            return vec!["Landlock is switched off in this kernel (lsm= at boot): any file can be opened".to_owned()];
        }
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
    };
    let rows = [
        (ABI::V1, "Landlock (Linux 5.13) is not in this kernel: any file can be opened"),
        (ABI::V3, "Landlock before Linux 6.2: files can be cut short"),
        (ABI::V4, "Landlock before Linux 6.7: TCP is not confined"),
        (ABI::V6, "Landlock before Linux 6.12: signals and abstract sockets are not confined"),
    ];
    rows.iter().filter(|(since, _)| abi < *since).map(|(_, what)| (*what).to_owned()).collect()
}
