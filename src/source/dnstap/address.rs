//! Where servers are to send dnstap: a socket of this machine's, or a port.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::listener::Socket;

/// Who may send to a socket: its owner and its group, which is the directory's where that has the setgid bit. Whoever can
/// send can accuse anyone.
const MODE: u32 = 0o660;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnstapAddress {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port of this machine's.
    Tcp(SocketAddr),
}

impl FromStr for DnstapAddress {
    type Err = String;

    /// `unix:PATH`, `tcp:ADDRESS:PORT`, or `tcp:PORT` on loopback.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let tcp = text.strip_prefix("tcp:").and_then(|address| {
            let port = address.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
            port.or_else(|| address.parse().ok())
        });
        let advice = "write unix:PATH, tcp:PORT or tcp:ADDRESS:PORT, as tcp:127.0.0.1:6000; files are read by `dgawatch replay`";
        tcp.map(Self::Tcp).ok_or_else(|| advice.to_owned())
    }
}

impl Display for DnstapAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl DnstapAddress {
    /// Begins to listen.
    ///
    /// # Errors
    /// One clause: what is wrong and what to do.
    pub(super) fn listen(&self) -> Result<Socket, String> {
        let refuse = |error: io::Error| format!("cannot be listened to: {error}");
        match self {
            Self::Unix(path) => {
                let listener = match UnixListener::bind(path) {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {
                        remove_stale(path)?;
                        UnixListener::bind(path).map_err(refuse)?
                    }
                    listener => listener.map_err(refuse)?,
                };
                fs::set_permissions(path, fs::Permissions::from_mode(MODE)).map_err(refuse)?;
                listener.set_nonblocking(true).map_err(refuse)?;
                Ok(Socket::Unix(listener))
            }
            Self::Tcp(address) => {
                let listener = TcpListener::bind(address).map_err(refuse)?;
                listener.set_nonblocking(true).map_err(refuse)?;
                Ok(Socket::Tcp(listener))
            }
        }
    }
}

/// Removes a socket that nobody listens to any more, and nothing else.
fn remove_stale(path: &Path) -> Result<(), String> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket());
    if !is_socket {
        return Err("cannot be listened to: there is something else of that name, which is no socket".to_owned());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| format!("cannot be listened to: the old socket cannot be removed: {error}"))
        }
        _ => Err("cannot be listened to: another program does".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let rows = [
            ("unix:/run/dnstap.sock", Ok("unix:/run/dnstap.sock")),
            ("unix:relative", Ok("unix:relative")),
            ("tcp:6000", Ok("tcp:127.0.0.1:6000")),
            ("tcp:192.0.2.1:6000", Ok("tcp:192.0.2.1:6000")),
            ("tcp:[::1]:6000", Ok("tcp:[::1]:6000")),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<DnstapAddress>().map(|address| address.to_string()), expected.map(str::to_owned), "{text}");
        }
        for text in ["", "unix:", "tcp:", "tcp:70000", "tcp:resolver:6000", "udp:6000", "/run/dnstap.sock", "dnstap.fstrm"] {
            assert!(text.parse::<DnstapAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_stale_socket_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dnstap.sock");
        let address = DnstapAddress::Unix(path.clone());
        let listening = address.listen().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(address.listen().unwrap_err().contains("another program"), "not while it is listened to");
        drop(listening);
        assert!(path.exists(), "it stays behind");
        drop(address.listen().unwrap());
        // What is no socket stays, and so does what a link leads to.
        let file = folder.path().join("file");
        fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        for name in ["file", "link"] {
            let address = DnstapAddress::Unix(folder.path().join(name));
            assert!(address.listen().unwrap_err().contains("no socket"), "{name}");
        }
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        assert!(path.exists());
        let nowhere = DnstapAddress::Unix(folder.path().join("no/such/directory"));
        assert!(nowhere.listen().is_err());
    }
}
