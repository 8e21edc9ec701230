//! A receiver of syslog messages, and a reader of them by the letter of RFC 5424.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long anything may take that has to come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Udp,
    Tcp,
    Tls,
}

/// Who is trusted, and what the receiver shows.
pub struct Identity {
    /// In PEM.
    pub authority: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// Of a receiver that is called `name`.
    pub fn of(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap().pem();
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let private = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .unwrap();
        Self { authority, config: Arc::new(config) }
    }
}

/// Takes messages at an address; gone when it is dropped.
pub enum Receiver {
    Datagrams(UdpSocket),
    Streams(TcpListener, Option<Arc<ServerConfig>>),
}

/// One sender's messages.
pub enum Incoming {
    Datagrams(UdpSocket),
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Receiver {
    pub fn at(address: &str, carrier: Carrier, identity: &Identity) -> Self {
        match carrier {
            Carrier::Udp => Self::Datagrams(UdpSocket::bind(address).unwrap()),
            Carrier::Tcp => Self::Streams(TcpListener::bind(address).unwrap(), None),
            Carrier::Tls => Self::Streams(TcpListener::bind(address).unwrap(), Some(Arc::clone(&identity.config))),
        }
    }

    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Datagrams(socket) => socket.local_addr().unwrap(),
            Self::Streams(listener, _) => listener.local_addr().unwrap(),
        }
    }

    /// Waits for a sender.
    pub fn accept(&self) -> Incoming {
        let (listener, config) = match self {
            Self::Datagrams(socket) => {
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                return Incoming::Datagrams(socket.try_clone().unwrap());
            }
            Self::Streams(listener, config) => (listener, config),
        };
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match config {
            None => Incoming::Plain(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                Incoming::Encrypted(Box::new(StreamOwned::new(connection, stream)))
            }
        }
    }
}

impl Incoming {
    /// The next message; none when the sender has ended.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let reader: &mut dyn Read = match self {
            Self::Datagrams(socket) => {
                let mut room = [0; 1 << 16];
                let length = socket.recv(&mut room).unwrap();
                return Some(room[..length].to_vec());
            }
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => stream,
        };
        let mut length = String::new();
        loop {
            let mut octet = [0];
            match reader.read(&mut octet) {
                Ok(0) => {
                    assert_eq!(length, "", "ended within a message");
                    return None;
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
                read => read.unwrap(),
            };
            if octet == *b" " {
                break;
            }
            // RFC 6587 §3.4.1: no leading zero.
            assert!(octet[0].is_ascii_digit() && (!length.is_empty() || octet != *b"0"), "{length}{octet:?}");
            length.push(octet[0].into());
        }
        let mut message = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut message).unwrap();
        Some(message)
    }

    /// So many messages.
    pub fn take(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.next().expect("more messages")).collect()
    }

    /// Says something, which no sender cares for.
    pub fn say(&mut self, text: &[u8]) {
        match self {
            Self::Datagrams(_) => {}
            Self::Plain(stream) => stream.write_all(text).unwrap(),
            Self::Encrypted(stream) => stream.write_all(text).and_then(|()| stream.flush()).unwrap(),
        }
    }
}

/// A message as RFC 5424 §6 has it.
#[derive(Debug)]
pub struct Message {
    pub priority: u8,
    pub time: String,
    pub host: String,
    pub program: String,
    pub process: String,
    pub id: String,
    /// Elements with their parameters, unescaped.
    pub data: Vec<(String, Vec<(String, String)>)>,
    /// Without the mark of UTF-8.
    pub text: String,
    pub marked: bool,
}

impl Message {
    /// Panics where a letter is not as the standard has it.
    pub fn read(octets: &[u8]) -> Self {
        let whole = std::str::from_utf8(octets).unwrap();
        assert!(whole.chars().all(|c| !c.is_control()), "{whole:?}");
        let rest = whole.strip_prefix('<').unwrap();
        let (priority, rest) = rest.split_once('>').unwrap();
        let priority: u8 = priority.parse().unwrap();
        assert!(priority < 192);
        let mut fields = rest.splitn(7, ' ');
        let mut field = |most: usize| {
            let field = fields.next().unwrap().to_owned();
            assert!((1..=most).contains(&field.len()) && field.bytes().all(|octet| octet.is_ascii_graphic()), "{field:?}");
            field
        };
        assert_eq!(field(1), "1");
        let (time, host, program, process, id) = (field(32), field(255), field(48), field(128), field(32));
        let rest = fields.next().unwrap();
        let (data, rest) = structured(rest);
        let text = rest.strip_prefix(' ').unwrap();
        let marked = text.starts_with('\u{feff}');
        Self { priority, time, host, program, process, id, data, text: text.trim_start_matches('\u{feff}').to_owned(), marked }
    }

    /// A parameter of an element.
    #[track_caller]
    pub fn param(&self, element: &str, name: &str) -> &str {
        let (_, params) = self.data.iter().find(|(id, _)| id == element).unwrap();
        &params.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    /// Its number.
    pub fn sequence(&self) -> u64 {
        self.param("meta", "sequenceId").parse().unwrap()
    }
}

/// Elements in brackets: identifiers, and parameters with their values.
type Elements = Vec<(String, Vec<(String, String)>)>;

/// Elements in brackets, and what comes after the last.
fn structured(text: &str) -> (Elements, &str) {
    if let Some(rest) = text.strip_prefix('-') {
        return (vec![], rest);
    }
    let name = |text: &str| {
        let plain = |octet: u8| octet.is_ascii_graphic() && !b"=]\"".contains(&octet);
        assert!((1..=32).contains(&text.len()) && text.bytes().all(plain), "{text:?}");
        text.to_owned()
    };
    let (mut elements, mut rest) = (vec![], text);
    while let Some(inside) = rest.strip_prefix('[') {
        let end = inside.find([' ', ']']).unwrap();
        let (id, mut inside) = (name(&inside[..end]), &inside[end..]);
        let mut params = vec![];
        while let Some(param) = inside.strip_prefix(' ') {
            let (key, value) = param.split_once("=\"").unwrap();
            let (mut text, mut chars) = (String::new(), value.char_indices());
            let end = loop {
                match chars.next().unwrap() {
                    (end, '"') => break end,
                    (_, '\\') => text.push(chars.next().unwrap().1),
                    (_, c) => {
                        assert_ne!(c, ']', "an unescaped bracket: {value}");
                        text.push(c);
                    }
                }
            };
            params.push((name(key), text));
            inside = &value[end + 1..];
        }
        elements.push((id, params));
        rest = inside.strip_prefix(']').unwrap();
    }
    assert!(!elements.is_empty(), "{text:?}");
    (elements, rest)
}
