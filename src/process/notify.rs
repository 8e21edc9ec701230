//! Tells systemd that we are ready, alive, what we do (`Type=notify`, `WatchdogSec=`): a datagram of `NAME=value` lines.
//!
//! The socket is connected once, at start: the sandbox lets no other be reached later.
//! Without systemd nothing is sent. Source: sd_notify(3), sd_watchdog_enabled(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, process};

/// The way to the service manager, where there is one.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    interval: Option<Duration>,
}

impl Notifier {
    /// Connects to the service manager that the environment names, if it names one.
    ///
    /// # Errors
    /// One sentence when it names one that cannot be reached.
    pub fn connect() -> Result<Self, String> {
        let Some(path) = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Ok(Self { socket: None, interval: None });
        };
        let failed = |error| format!("NOTIFY_SOCKET={} cannot be reached: {error}", path.display());
        let address = match path.as_encoded_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&path),
        };
        let socket = UnixDatagram::unbound().map_err(failed)?;
        address.and_then(|address| socket.connect_addr(&address)).map_err(failed)?;
        // A manager that does not read must not stop us.
        socket.set_nonblocking(true).map_err(failed)?;
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let patience = number("WATCHDOG_USEC").filter(|&patience| ours && patience > 0).map(Duration::from_micros);
        Ok(Self { socket: Some(socket), interval: patience.map(|patience| patience / 2) })
    }

    /// How often to call [`Notifier::alive`]: twice in the time after which we are taken for dead.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Capture runs, lists are in. Also ends a reload.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// Lists and configuration are being read again.
    pub fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// Draining, then writing what is left.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Still at work.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// A line for `systemctl status`.
    pub fn status(&self, line: &str) {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.send(&format!("STATUS={line}"));
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            // Nothing depends on it: a manager that is not told will act by itself.
            let _ = socket.send(message.as_bytes());
        }
    }
}
