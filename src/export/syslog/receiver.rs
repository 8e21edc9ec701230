//! Where messages go, as it is written: `udp://host:514`, `tcp://host:601`, `tls://host:6514`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// A datagram a message (RFC 5426).
    Udp,
    /// Messages with their lengths in front (RFC 6587 §3.4.1).
    Tcp,
    /// The same inside TLS (RFC 5425).
    Tls,
}

impl Transport {
    /// The word in front, and the port that the standards give it: RFC 5426 §3.3, RFC 6587's registration of 601 and
    /// RFC 5425 §4.1.
    const ALL: [(Self, &'static str, u16); 3] = [(Self::Udp, "udp", 514), (Self::Tcp, "tcp", 601), (Self::Tls, "tls", 6514)];
}

/// Somebody who takes syslog messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogReceiver {
    pub(super) transport: Transport,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl SyslogReceiver {
    /// The TCP port that has to be connected to, if any.
    #[must_use]
    pub const fn connects_to(&self) -> Option<u16> {
        match self.transport {
            Transport::Udp => None,
            Transport::Tcp | Transport::Tls => Some(self.port),
        }
    }

    /// Whether it must show a certificate.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.transport == Transport::Tls
    }

    /// Its addresses.
    pub(super) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        (&*self.host, self.port).to_socket_addrs().map(Iterator::collect)
    }
}

impl fmt::Display for SyslogReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, host, port } = self;
        let word = Transport::ALL.iter().find(|(known, ..)| known == transport).map_or("", |(_, word, _)| word);
        if host.contains(':') { write!(f, "{word}://[{host}]:{port}") } else { write!(f, "{word}://{host}:{port}") }
    }
}

impl FromStr for SyslogReceiver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as udp://HOST:514, tcp://HOST:601 or tls://HOST:6514".to_owned();
        let (word, place) = text.split_once("://").ok_or_else(wrong)?;
        let known = Transport::ALL.into_iter().find(|(_, known, _)| *known == word);
        let (transport, _, usual) = known.ok_or_else(wrong)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
            Some((host, rest)) => (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(wrong)?) }),
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let brackets = place.starts_with('[');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c) || brackets && c == ':';
        let port = port.map_or(Ok(usual), |port| port.parse::<u16>().map_err(|_| wrong()))?;
        if host.is_empty() || host.len() > 253 || !host.chars().all(plain) || port == 0 {
            return Err(wrong());
        }
        Ok(Self { transport, host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_written() {
        for (text, shown, connects) in [
            ("udp://192.0.2.1", "udp://192.0.2.1:514", None),
            ("tcp://log.example/", "tcp://log.example:601", Some(601)),
            ("tls://[2001:db8::1]", "tls://[2001:db8::1]:6514", Some(6514)),
            ("tls://[::1]:7000", "tls://[::1]:7000", Some(7000)),
        ] {
            let receiver: SyslogReceiver = text.parse().unwrap();
            assert_eq!((receiver.to_string(), receiver.connects_to()), (shown.to_owned(), connects));
            assert_eq!(shown.parse::<SyslogReceiver>().unwrap(), receiver);
        }
        let wrong =
            ["", "192.0.2.1:514", "http://a", "udp://", "udp://a:0", "udp://a:x", "udp://a b", "udp://::1", "tcp://[::1]x"];
        for text in wrong {
            assert!(text.parse::<SyslogReceiver>().is_err(), "{text}");
        }
    }
}
