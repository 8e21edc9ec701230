//! Capture files, as their writers would make them.

/// A packet to be captured: nanoseconds since 1970, octets.
pub type Packet = (u64, Vec<u8>);

/// How a pcap file is written.
#[derive(Clone, Copy)]
pub struct Pcap {
    pub link: u32,
    pub nanoseconds: bool,
    pub big_endian: bool,
}

/// Microseconds, little-endian, Ethernet: what tcpdump writes.
pub const USUAL: Pcap = Pcap { link: 1, nanoseconds: false, big_endian: false };

impl Pcap {
    pub fn file(self, packets: &[Packet]) -> Vec<u8> {
        let mut file = vec![];
        let magic = if self.nanoseconds { 0xA1B2_3C4D } else { 0xA1B2_C3D4 };
        self.put(&mut file, &[magic, if self.big_endian { 0x0002_0004 } else { 0x0004_0002 }, 0, 0, 65_535, self.link]);
        for (time, octets) in packets {
            let (second, nanos) = (time / 1_000_000_000, time % 1_000_000_000);
            let fraction = if self.nanoseconds { nanos } else { nanos / 1_000 };
            let length = octets.len() as u32;
            self.put(&mut file, &[second as u32, fraction as u32, length, length]);
            file.extend_from_slice(octets);
        }
        file
    }

    fn put(self, file: &mut Vec<u8>, numbers: &[u32]) {
        for number in numbers {
            file.extend(if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
        }
    }
}

/// A file as A. Kuznetzov's modified tcpdump writes it: eight octets more before each packet.
pub fn kuznetzov(big_endian: bool, packets: &[Packet]) -> Vec<u8> {
    let form = Pcap { big_endian, ..USUAL };
    let mut file = form.file(&[]);
    let magic: u32 = 0xA1B2_CD34;
    file[..4].copy_from_slice(&if big_endian { magic.to_be_bytes() } else { magic.to_le_bytes() });
    for packet in packets {
        let record = &form.file(std::slice::from_ref(packet))[24..];
        file.extend_from_slice(&record[..16]);
        // Interface, protocol, packet type, padding.
        file.extend([0, 0, 0, 2, 8, 0, 4, 0]);
        file.extend_from_slice(&record[16..]);
    }
    file
}

/// IXIA's lcap: the octets of all records, then these.
pub fn lcap(nanoseconds: bool, packets: &[Packet]) -> Vec<u8> {
    let plain = Pcap { nanoseconds, ..USUAL }.file(packets);
    let magic: u32 = if nanoseconds { 0x1C00_01AC } else { 0x1C00_01AB };
    [&magic.to_le_bytes()[..], &plain[4..24], &(plain.len() as u32 - 24).to_le_bytes(), &plain[24..]].concat()
}

/// A snoop file; each record is padded to a multiple of four.
pub fn snoop(datalink: u32, packets: &[Packet]) -> Vec<u8> {
    let mut file = [&b"snoop\0\0\0"[..], &2_u32.to_be_bytes(), &datalink.to_be_bytes()].concat();
    for (time, octets) in packets {
        let (length, padded) = (octets.len() as u32, octets.len().next_multiple_of(4));
        let (second, micros) = (time / 1_000_000_000, time % 1_000_000_000 / 1_000);
        for number in [length, length, 24 + padded as u32, 0, second as u32, micros as u32] {
            file.extend(number.to_be_bytes());
        }
        file.extend_from_slice(octets);
        file.resize(file.len() + padded - octets.len(), 0);
    }
    file
}

/// One section of a pcapng file.
pub struct Section {
    big_endian: bool,
    octets: Vec<u8>,
}

impl Section {
    pub fn new(big_endian: bool) -> Self {
        let mut section = Self { big_endian, octets: vec![] };
        let body = [section.u32(0x1A2B_3C4D), section.u16(1), section.u16(0), vec![0xFF; 8]].concat();
        section.block(0x0A0D_0D0A, &body);
        section
    }

    /// An interface; `options` are codes and values.
    pub fn interface(mut self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> Self {
        let mut body = [self.u16(link), self.u16(0), self.u32(snap_length)].concat();
        for (code, value) in options {
            body.extend(self.u16(*code));
            body.extend(self.u16(value.len() as u16));
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body);
        self
    }

    /// An enhanced packet, its time in ticks of its interface.
    pub fn packet(mut self, interface: u32, ticks: u64, octets: &[u8]) -> Self {
        let length = octets.len() as u32;
        let numbers = [interface, (ticks >> 32) as u32, ticks as u32, length, length];
        let body = [numbers.map(|number| self.u32(number)).concat(), octets.to_vec()].concat();
        self.block(6, &body);
        self
    }

    /// A packet block, the obsolete kind.
    pub fn old_packet(mut self, interface: u16, ticks: u64, octets: &[u8]) -> Self {
        let length = octets.len() as u32;
        let numbers = [(ticks >> 32) as u32, ticks as u32, length, length];
        let body = [self.u16(interface), self.u16(0), numbers.map(|number| self.u32(number)).concat(), octets.to_vec()].concat();
        self.block(2, &body);
        self
    }

    /// A simple packet: no time, the first interface.
    pub fn simple_packet(mut self, original: u32, octets: &[u8]) -> Self {
        let body = [self.u32(original), octets.to_vec()].concat();
        self.block(3, &body);
        self
    }

    /// A block of any kind.
    pub fn other(mut self, kind: u32, body: &[u8]) -> Self {
        self.block(kind, body);
        self
    }

    pub fn finish(self) -> Vec<u8> {
        self.octets
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32(12 + padded as u32);
        let block = [self.u32(kind), length.clone(), body.to_vec(), vec![0; padded - body.len()], length].concat();
        self.octets.extend(block);
    }

    fn u16(&self, number: u16) -> Vec<u8> {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }.to_vec()
    }

    fn u32(&self, number: u32) -> Vec<u8> {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }.to_vec()
    }
}
