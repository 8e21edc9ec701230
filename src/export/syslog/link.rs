//! The way to a receiver: opened when there is something to send, opened anew when it broke.
//!
//! TCP tells a sender late that a receiver has gone, so each message is preceded by a look whether it closed its end. What the
//! system took is sent as far as we can tell: plain syslog knows no answer.

#[cfg(feature = "http")]
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
#[cfg(feature = "http")]
use std::path::Path;
use std::path::PathBuf;
#[cfg(feature = "http")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "http")]
use rustls::crypto::ring;
#[cfg(feature = "http")]
use rustls::pki_types::pem::PemObject;
#[cfg(feature = "http")]
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
#[cfg(feature = "http")]
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::SyslogReceiver;
use super::receiver::Transport;

/// How long connecting, and each read and write, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a receiver says is read and thrown away, so much of it before a message.
const MOST_READ: usize = 16;

/// Certificates for TLS, as files in PEM.
#[derive(Clone, Debug, Default)]
pub struct SyslogTls {
    /// Who may vouch for the receiver.
    pub authorities: PathBuf,
    /// Our certificate and its key, where the receiver asks for one.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// A way to a receiver.
#[derive(Debug)]
pub struct SyslogLink {
    receiver: SyslogReceiver,
    addresses: Vec<SocketAddr>,
    state: State,
    #[cfg(feature = "http")]
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

#[derive(Debug)]
enum State {
    Datagrams(UdpSocket),
    Closed,
    Plain(TcpStream),
    #[cfg(feature = "http")]
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl SyslogLink {
    /// Finds the receiver's addresses, reads the certificates and opens what takes no answer: what a sandbox would forbid
    /// later. A receiver that is not there is no failure.
    ///
    /// # Errors
    /// One sentence: there is no such host, or a certificate does not do.
    pub fn prepare(receiver: SyslogReceiver, tls: &SyslogTls) -> Result<Self, String> {
        let failed = |why: io::Error| format!("syslog {receiver}: {why}");
        let addresses = receiver.addresses().map_err(failed)?;
        let first = *addresses.first().ok_or_else(|| format!("syslog {receiver}: the host has no address"))?;
        let state = match receiver.transport {
            Transport::Udp => State::Datagrams(datagrams(first).map_err(failed)?),
            Transport::Tcp | Transport::Tls => State::Closed,
        };
        #[cfg(feature = "http")]
        let tls = receiver.is_encrypted().then(|| identity(&receiver, tls)).transpose()?;
        #[cfg(not(feature = "http"))]
        if receiver.is_encrypted() {
            let _ = tls;
            return Err(format!("syslog {receiver}: TLS is not in this build (feature `http`)"));
        }
        Ok(Self {
            receiver,
            addresses,
            state,
            #[cfg(feature = "http")]
            tls,
        })
    }

    /// Where it leads.
    #[must_use]
    pub const fn receiver(&self) -> &SyslogReceiver {
        &self.receiver
    }

    /// Sends a message, over a new connection where there is none. After a failure it is to be sent again, as a whole: the
    /// receiver throws away what came of it.
    ///
    /// # Errors
    /// When there is no connection, or the system did not take all of it in time.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if let State::Datagrams(socket) = &self.state {
            return socket.send(message).map(drop);
        }
        if self.is_gone() {
            self.state = State::Closed;
        }
        if matches!(self.state, State::Closed) {
            self.state = self.connect()?;
        }
        // In one piece, so that a small message is a small packet.
        let frame = [format!("{} ", message.len()).as_bytes(), message].concat();
        let sent = match &mut self.state {
            State::Plain(stream) => stream.write_all(&frame),
            #[cfg(feature = "http")]
            State::Encrypted(stream) => stream.write_all(&frame).and_then(|()| stream.flush()),
            State::Closed | State::Datagrams(_) => Ok(()),
        };
        if sent.is_err() {
            self.state = State::Closed;
        }
        sent
    }

    /// Says good-bye, as RFC 5425 §4.4 asks.
    pub fn close(&mut self) {
        #[cfg(feature = "http")]
        if let State::Encrypted(stream) = &mut self.state {
            stream.conn.send_close_notify();
            // Who has gone does not hear it.
            let _ = stream.flush();
        }
        if !matches!(self.state, State::Datagrams(_)) {
            self.state = State::Closed;
        }
    }

    /// Whether the receiver closed its end.
    fn is_gone(&mut self) -> bool {
        let socket = match &self.state {
            State::Closed | State::Datagrams(_) => return false,
            State::Plain(stream) => stream,
            #[cfg(feature = "http")]
            State::Encrypted(stream) => &stream.sock,
        };
        if socket.set_nonblocking(true).is_err() {
            return true;
        }
        let mut heard = Ok(1);
        for _ in 0..MOST_READ {
            heard = self.hear();
            if !heard.as_ref().is_ok_and(|octets| *octets > 0) {
                break;
            }
        }
        let socket = match &self.state {
            State::Plain(stream) => stream,
            #[cfg(feature = "http")]
            State::Encrypted(stream) => &stream.sock,
            State::Closed | State::Datagrams(_) => return false,
        };
        let silent = heard.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        socket.set_nonblocking(false).is_err() || !(silent || heard.is_ok_and(|octets| octets > 0))
    }

    /// Throws away what the receiver says; 0 when it says nothing any more.
    fn hear(&mut self) -> io::Result<usize> {
        let mut room = [0; 1 << 12];
        match &mut self.state {
            State::Plain(stream) => stream.read(&mut room),
            #[cfg(feature = "http")]
            State::Encrypted(stream) => {
                let octets = stream.conn.read_tls(&mut stream.sock)?;
                let state = stream.conn.process_new_packets().map_err(io::Error::other)?;
                if state.peer_has_closed() {
                    return Ok(0);
                }
                while stream.conn.reader().read(&mut room).is_ok_and(|octets| octets > 0) {}
                Ok(octets)
            }
            State::Closed | State::Datagrams(_) => Ok(0),
        }
    }

    fn connect(&self) -> io::Result<State> {
        let mut failure = io::Error::from(ErrorKind::NotFound);
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, PATIENCE).and_then(|stream| self.dress(stream)) {
                Ok(state) => return Ok(state),
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }

    /// Makes of a connection what messages are written to.
    fn dress(&self, stream: TcpStream) -> io::Result<State> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        #[cfg(feature = "http")]
        if let Some((config, name)) = &self.tls {
            let mut stream = stream;
            let mut connection = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            return Ok(State::Encrypted(Box::new(StreamOwned::new(connection, stream))));
        }
        Ok(State::Plain(stream))
    }
}

/// Connected, so that the system tells when nobody listens there.
fn datagrams(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Whom to trust, whom to expect, and who we are.
#[cfg(feature = "http")]
fn identity(receiver: &SyslogReceiver, tls: &SyslogTls) -> Result<(Arc<ClientConfig>, ServerName<'static>), String> {
    let name =
        ServerName::try_from(receiver.host.clone()).map_err(|_| format!("syslog {receiver}: no certificate can name it"))?;
    Ok((Arc::new(tls.client()?), name))
}

#[cfg(feature = "http")]
impl SyslogTls {
    /// How a client trusts, and shows who it is.
    pub(in crate::export) fn client(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        let authorities = certificates(&self.authorities)?;
        // Systems' collections hold some that nobody can use any more.
        let (usable, _) = roots.add_parsable_certificates(authorities);
        if usable == 0 {
            return Err(format!("{} holds no certificate of an authority", self.authorities.display()));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(roots);
        match &self.own {
            None => Ok(builder.with_no_client_auth()),
            Some((certificate, key)) => {
                let private = PrivateKeyDer::from_pem_slice(&read(key)?)
                    .map_err(|error| format!("{} holds no private key in PEM: {error}", key.display()))?;
                builder.with_client_auth_cert(certificates(certificate)?, private).map_err(|error| {
                    format!("{} and {} do not make a certificate: {error}", certificate.display(), key.display())
                })
            }
        }
    }
}

#[cfg(feature = "http")]
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = found.map_err(|error| format!("{} is not PEM: {error}", path.display()))?;
    if found.is_empty() { Err(format!("{} holds no certificate in PEM", path.display())) } else { Ok(found) }
}

#[cfg(feature = "http")]
fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
