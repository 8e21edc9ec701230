//! Frames of dnstap and streams of them, written octet by octet from `dnstap.proto` and `fstrm/control.h`.

/// `dnstap.Message.Type`: CLIENT and RESOLVER messages.
pub const CLIENT_QUERY: u64 = 5;
pub const CLIENT_RESPONSE: u64 = 6;
pub const RESOLVER_QUERY: u64 = 3;

/// What a server says of a message.
#[derive(Clone)]
pub struct Told<'a> {
    pub kind: u64,
    pub protocol: u64,
    pub asker: (&'a str, u16),
    pub server: (&'a str, u16),
    /// Seconds and nanoseconds.
    pub time: (u64, u32),
    pub message: &'a [u8],
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut octets = vec![];
    while number > 127 {
        octets.push(number as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
    octets
}

/// Of wire type 0.
pub fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

/// Of wire type 2.
pub fn octets(tag: u64, value: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// Of wire type 5.
fn fixed(tag: u64, value: u32) -> Vec<u8> {
    [varint(tag << 3 | 5), value.to_le_bytes().to_vec()].concat()
}

pub fn address(text: &str) -> Vec<u8> {
    match text.parse().unwrap() {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A frame.
pub fn frame(told: &Told<'_>) -> Vec<u8> {
    let Told { kind, protocol, asker, server, time, message } = told;
    let (seconds, nanos, octets_of) = if kind % 2 == 1 { (8, 9, 10) } else { (12, 13, 14) };
    let inner = [
        number(1, *kind),
        number(2, if asker.0.contains(':') { 2 } else { 1 }),
        number(3, *protocol),
        octets(4, &address(asker.0)),
        octets(5, &address(server.0)),
        number(6, asker.1.into()),
        number(7, server.1.into()),
        number(seconds, time.0),
        fixed(nanos, time.1),
        octets(octets_of, message),
    ];
    // Who speaks, with which program, and what it says: the type MESSAGE.
    [octets(1, b"server"), octets(2, b"program 1"), octets(14, &inner.concat()), number(15, 1)].concat()
}

/// A control frame: ACCEPT 1, START 2, STOP 3, READY 4, FINISH 5; the first, second and fourth with a type of content.
pub fn control(kind: u32) -> Vec<u8> {
    let content: &[u8] = b"protobuf:dnstap.Dnstap";
    let mut body = kind.to_be_bytes().to_vec();
    if matches!(kind, 1 | 2 | 4) {
        body.extend([1_u32.to_be_bytes(), (content.len() as u32).to_be_bytes()].concat());
        body.extend(content);
    }
    [&[0; 4][..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

/// A frame with its length before it.
pub fn data(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

/// A file.
pub fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    let body = frames.iter().flat_map(|frame| data(frame));
    control(2).into_iter().chain(body).chain(control(3)).collect()
}
