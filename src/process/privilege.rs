//! Gives up what it took to open the captures: root, capabilities, the way back to either. Then looks whether all are gone.
//!
//! Source: capabilities(7), credentials(7), `PR_SET_NO_NEW_PRIVS` in prctl(2).

use std::fmt::{self, Display, Formatter};
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{self, Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid};

/// An account of the system's, looked up while its list of accounts can still be read.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl User {
    /// Looks up an account by name.
    ///
    /// # Errors
    /// One sentence when there is none, or it is root.
    pub fn find(name: &str) -> Result<Self, String> {
        let found = unistd::User::from_name(name).map_err(|error| format!("user {name} cannot be looked up: {error}"))?;
        let user = found.ok_or_else(|| format!("there is no user {name}: make one (useradd --system {name}) or name another"))?;
        if user.uid.is_root() {
            return Err(format!("user {name} is root: name one that has no rights, such as nobody"));
        }
        Ok(Self { name: user.name, uid: user.uid, gid: user.gid })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes it the owner of a file or directory.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }
}

/// What not to give up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Give up everything.
    #[default]
    Nothing,
    /// Keep `CAP_NET_RAW`, to open an interface again that went away.
    Capture,
}

/// What we are allowed to do after [`give_up`], read back from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    user: String,
    root: bool,
    capabilities: Vec<Capability>,
}

impl Standing {
    /// Whether files of root's are still ours: no `User` was given to a process of root's.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.root
    }
}

impl Display for Standing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kept: Vec<String> = self.capabilities.iter().map(ToString::to_string).collect();
        let kept = if kept.is_empty() { "no capabilities".to_owned() } else { kept.join(", ") };
        write!(f, "user {}, {kept}, no new privileges", self.user)
    }
}

/// Becomes `user`, leaves all groups, drops capabilities, forbids new ones. To be called before other threads are started.
///
/// # Errors
/// One sentence when anything cannot be given up, or is still there afterwards: do not go on then.
pub fn give_up(user: Option<&User>, keep: Keep) -> Result<Standing, String> {
    let kept: CapsHashSet = if keep == Keep::Capture { [Capability::CAP_NET_RAW].into() } else { [].into() };
    let before = read(CapSet::Permitted)?;
    if let Some(missing) = kept.difference(&before).next() {
        return Err(format!("{missing} cannot be kept: this process has not got it"));
    }
    if before.contains(&Capability::CAP_SETPCAP) {
        // What a program that we start could have. Without this right there is nothing to take away: see no_new_privs.
        caps::clear(None, CapSet::Bounding).map_err(|error| format!("the bounding set cannot be emptied: {error}"))?;
    }
    if let Some(user) = user {
        become_user(user).map_err(|error| {
            let name = &user.name;
            format!("cannot become user {name}: {error}; start as root, or as {name} with CAP_NET_RAW and without --user")
        })?;
    }
    // Effective before permitted: the one must never hold more than the other.
    for (set, value) in [
        (CapSet::Ambient, &CapsHashSet::new()),
        (CapSet::Inheritable, &CapsHashSet::new()),
        (CapSet::Effective, &kept),
        (CapSet::Permitted, &kept),
    ] {
        caps::set(None, set, value).map_err(|error| format!("capabilities cannot be dropped ({set:?}): {error}"))?;
    }
    prctl::set_keepcaps(false).and_then(|()| prctl::set_no_new_privs()).map_err(|error| format!("no_new_privs: {error}"))?;
    prove(user, &kept).map_err(|what| format!("privileges are not gone: {what}"))
}

fn become_user(user: &User) -> nix::Result<()> {
    let User { uid, gid, .. } = *user;
    if Uid::current() == uid && Gid::current() == gid && !Uid::effective().is_root() {
        return Ok(());
    }
    // Changing the user would drop what is to be kept.
    prctl::set_keepcaps(true)?;
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

/// Reads everything back, and tries to become root again.
fn prove(user: Option<&User>, kept: &CapsHashSet) -> Result<Standing, String> {
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        let expected = if matches!(set, CapSet::Effective | CapSet::Permitted) { kept } else { &CapsHashSet::new() };
        let now = read(set)?;
        if now != *expected {
            return Err(format!("{set:?} capabilities are {now:?}"));
        }
    }
    if !prctl::get_no_new_privs().map_err(|error| error.to_string())? {
        return Err("new ones can be had".to_owned());
    }
    let ids = (|| Ok::<_, Errno>((getresuid()?, getresgid()?, getgroups()?)))();
    let (uids, gids, groups) = ids.map_err(|error| format!("they cannot be read: {error}"))?;
    if let Some(user) = user {
        let others = groups.iter().any(|group| *group != user.gid);
        if [uids.real, uids.effective, uids.saved] != [user.uid; 3] || [gids.real, gids.effective, gids.saved] != [user.gid; 3] {
            return Err(format!("user ids are {uids:?}, group ids {gids:?}"));
        }
        if others {
            return Err(format!("groups are {groups:?}"));
        }
        let root = Uid::from_raw(0);
        if setresuid(root, root, root).is_ok() {
            return Err("root can be had back".to_owned());
        }
    }
    let user = user.map_or_else(|| uids.effective.to_string(), |user| format!("{} ({})", user.name, user.uid));
    Ok(Standing { user, root: uids.effective.is_root(), capabilities: kept.iter().copied().collect() })
}

fn read(set: CapSet) -> Result<CapsHashSet, String> {
    caps::read(None, set).map_err(|error| format!("capabilities cannot be read: {error}"))
}
