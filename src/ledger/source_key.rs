//! What stands for a source: its address, the network that it is in, or a pseudonym under a key. Applied once, where the
//! ledger takes what was found, so that nothing behind it has ever seen the address.
//!
//! ```text
//!  192.0.2.7 --prefix--> 192.0.2.0 --pseudonym--> 61.7.140.0
//! ```
//!
//! The pseudonyms are those of `ipcrypt` (draft-denis-ipcrypt): with a key of 32 octets addresses of one network have
//! pseudonyms of one network, IPv4 stays IPv4; with 16 octets nothing of an address can be told but equality, and every
//! pseudonym may be of either version. Whoever has the key can turn both back.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipcrypt_rs::{Ipcrypt, IpcryptPfx};

/// A key of pseudonyms.
#[derive(Clone)]
pub struct PseudonymKey(Cipher);

#[derive(Clone)]
enum Cipher {
    Deterministic([u8; Ipcrypt::KEY_BYTES]),
    PrefixPreserving([u8; IpcryptPfx::KEY_BYTES]),
}

impl PseudonymKey {
    /// Reads a key: 16 or 32 octets as they are, or as 32 or 64 hexadecimal digits, which a line end may follow.
    ///
    /// # Errors
    /// One clause that says what is wrong, and how to make a key.
    pub fn parse(file: &[u8]) -> Result<Self, String> {
        let text = file.trim_ascii();
        let octets = if matches!(text.len(), 32 | 64) { digits(text) } else { None };
        let octets = octets.unwrap_or_else(|| file.to_vec());
        if let Ok(key) = octets.as_slice().try_into() {
            return Ok(Self(Cipher::Deterministic(key)));
        }
        let key: [u8; IpcryptPfx::KEY_BYTES] = octets.as_slice().try_into().map_err(|_| {
            let length = file.len();
            format!("holds {length} octets and no key: write 32 octets (or 16) or twice as many hexadecimal digits, as `openssl rand -hex 32` does")
        })?;
        if key[..16] == key[16..] {
            return Err(
                "holds a key of two equal halves, which protects nothing: make one with `openssl rand -hex 32`".to_owned()
            );
        }
        Ok(Self(Cipher::PrefixPreserving(key)))
    }
}

/// Keys are never shown.
impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

fn digits(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    text.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Leading bits of addresses that are kept, of IPv4 and of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    v4: u8,
    v6: u8,
}

impl Prefix {
    /// Nothing is left out.
    pub const WHOLE: Self = Self { v4: 32, v6: 128 };
}

/// `24,56`: of IPv4, then of IPv6.
impl std::str::FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bits = |text: &str, most: u8| text.parse().ok().filter(|bits| (1..=most).contains(bits));
        let both = text.split_once(',').and_then(|(v4, v6)| Some(Self { v4: bits(v4, 32)?, v6: bits(v6, 128)? }));
        both.ok_or_else(|| "write the bits to keep of IPv4 (1 to 32) and of IPv6 (1 to 128), as 24,56".to_owned())
    }
}

/// Turns addresses into what is kept and shown of them.
#[derive(Clone)]
pub struct Masking {
    prefix: Prefix,
    pseudonyms: Option<Pseudonyms>,
}

#[derive(Clone)]
enum Pseudonyms {
    Deterministic(std::sync::Arc<Ipcrypt>),
    PrefixPreserving(std::sync::Arc<IpcryptPfx>),
}

impl Masking {
    /// Keeps `prefix` of addresses, as pseudonyms under `key` if there is one.
    pub fn new(prefix: Prefix, key: Option<&PseudonymKey>) -> Self {
        let pseudonyms = key.map(|key| match key.0 {
            Cipher::Deterministic(key) => Pseudonyms::Deterministic(Ipcrypt::new(key).into()),
            Cipher::PrefixPreserving(key) => Pseudonyms::PrefixPreserving(IpcryptPfx::new(key).into()),
        });
        Self { prefix, pseudonyms }
    }
    /// Whether each address stays one source.
    pub fn tells_hosts_apart(&self) -> bool {
        self.prefix == Prefix::WHOLE
    }

    /// Whether addresses stay as they are.
    pub fn is_none(&self) -> bool {
        self.prefix == Prefix::WHOLE && self.pseudonyms.is_none()
    }

    /// Whether pseudonyms stand for addresses.
    pub const fn has_pseudonyms(&self) -> bool {
        self.pseudonyms.is_some()
    }

    /// Leading bits of addresses that are kept, of IPv4 and of IPv6.
    pub const fn kept_bits(&self) -> (u8, u8) {
        (self.prefix.v4, self.prefix.v6)
    }

    /// What stands for a source.
    pub fn mask(&self, address: IpAddr) -> IpAddr {
        if self.is_none() {
            return address;
        }
        let network = self.network(address);
        match &self.pseudonyms {
            None => network,
            Some(Pseudonyms::Deterministic(cipher)) => cipher.encrypt_ipaddr(network),
            // The bits left out are not those of an address: they stay zero.
            Some(Pseudonyms::PrefixPreserving(cipher)) => self.network(cipher.encrypt_ipaddr(network)),
        }
    }

    /// A number that differs where anything is masked otherwise. What was masked in one way means nothing in another.
    pub fn tag(&self) -> u64 {
        let samples = [Ipv4Addr::new(192, 0, 2, 255).into(), Ipv6Addr::new(0x2001, 0xDB8, 1, 2, 3, 4, 5, 6).into()];
        let masked = samples.map(|address: IpAddr| crc32fast::hash(self.mask(address).to_string().as_bytes()));
        u64::from(masked[0]) << 32 | u64::from(masked[1])
    }

    /// [`Self::tag`], where anything is masked: what reports tell.
    pub fn told(&self) -> Option<u64> {
        (!self.is_none()).then(|| self.tag())
    }

    fn network(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => {
                let left_out = 32 - u32::from(self.prefix.v4);
                Ipv4Addr::from(u32::from(address) & u32::MAX << left_out).into()
            }
            IpAddr::V6(address) => {
                let left_out = 128 - u32::from(self.prefix.v6);
                Ipv6Addr::from(u128::from(address) & u128::MAX << left_out).into()
            }
        }
    }
}

impl Default for Masking {
    fn default() -> Self {
        Self::new(Prefix::WHOLE, None)
    }
}

impl fmt::Debug for Masking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pseudonyms = self.pseudonyms.is_some();
        f.debug_struct("Masking").field("prefix", &self.prefix).field("pseudonyms", &pseudonyms).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&[u8]; 3] = [
        b"0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301\n",
        b"0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452302",
        b"0123456789abcdeffedcba9876543210",
    ];

    fn masking(prefix: &str, key: Option<&[u8]>) -> Masking {
        Masking::new(prefix.parse().unwrap(), key.map(|key| PseudonymKey::parse(key).unwrap()).as_ref())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn keys_in_every_form() {
        let raw = digits(KEYS[0].trim_ascii()).unwrap();
        let mask = |key: &[u8]| masking("32,128", Some(key)).mask(address("192.0.2.7"));
        assert_eq!(mask(&raw), mask(KEYS[0]));
        assert_eq!(mask(&raw), mask(&KEYS[0].to_ascii_uppercase()));
        assert_eq!(mask(&raw[..16]), mask(KEYS[2]));
        // A key of octets may end in what looks like the end of a line.
        let odd = [&raw[..31], b"\n"].concat();
        assert_ne!(mask(&odd), mask(&raw));
        for (file, why) in [
            (&b""[..], "holds 0 octets and no key"),
            (b"secret\n", "holds 7 octets and no key"),
            (&raw[..31], "holds 31 octets and no key"),
            (&[KEYS[0], b"00"].concat(), "holds 67 octets and no key"),
            (&[7; 32], "holds a key of two equal halves"),
        ] {
            let refused = PseudonymKey::parse(file).unwrap_err();
            assert!(refused.starts_with(why), "{refused}");
        }
        assert_eq!(format!("{:?}", PseudonymKey::parse(KEYS[0]).unwrap()), "PseudonymKey");
    }

    /// The published vectors of ipcrypt-pfx and ipcrypt-deterministic.
    #[test]
    fn pseudonyms_of_the_specification() {
        for (key, plain, expected) in [
            (KEYS[0], "0.0.0.0", "151.82.155.134"),
            (KEYS[0], "192.0.2.1", "100.115.72.131"),
            (KEYS[0], "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
            (KEYS[2], "0.0.0.0", "bde9:6789:d353:824c:d7c6:f58a:6bd2:26eb"),
            (b"2b7e151628aed2a6abf7158809cf4f3c", "192.0.2.1", "1dbd:c1b9:fff1:7586:7d0b:67b4:e76e:4777"),
        ] {
            assert_eq!(masking("32,128", Some(key)).mask(address(plain)), address(expected), "{plain}");
        }
    }

    #[test]
    fn networks_stay_together() {
        let bits = |a: IpAddr, b: IpAddr| match (a, b) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
            _ => unreachable!("the version is kept"),
        };
        let (one, other) = (masking("32,128", Some(KEYS[0])), masking("32,128", Some(KEYS[1])));
        let samples = ["192.0.2.7", "192.0.2.8", "192.0.3.7", "10.0.0.1", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"];
        for a in samples.map(address) {
            assert!(one.mask(a) != a && one.mask(a) != other.mask(a) && one.mask(a) == one.mask(a));
            for b in samples.map(address).into_iter().filter(|b| b.is_ipv4() == a.is_ipv4()) {
                assert_eq!(bits(one.mask(a), one.mask(b)), bits(a, b), "{a} {b}");
            }
        }
    }

    #[test]
    fn prefixes() {
        for (prefix, plain, expected) in [
            ("24,56", "192.0.2.7", "192.0.2.0"),
            ("24,56", "2001:db8:1:2ff::7", "2001:db8:1:200::"),
            ("32,128", "192.0.2.7", "192.0.2.7"),
            ("1,1", "192.0.2.7", "128.0.0.0"),
            ("1,1", "2001:db8::1", "::"),
        ] {
            assert_eq!(masking(prefix, None).mask(address(plain)), address(expected));
        }
        let both = masking("24,56", Some(KEYS[0]));
        assert_eq!(both.mask(address("192.0.2.7")), both.mask(address("192.0.2.200")));
        assert_eq!(both.network(both.mask(address("192.0.2.7"))), both.mask(address("192.0.2.7")));
        for wrong in ["", "24", "24,", ",56", "0,56", "33,56", "24,0", "24,129", "24,56,1", "+ 4,56"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_way_has_its_tag() {
        let ways = [("32,128", None), ("24,128", None), ("32,56", None), ("32,128", Some(KEYS[0])), ("32,128", Some(KEYS[1]))];
        let tags: std::collections::BTreeSet<u64> = ways.map(|(prefix, key)| masking(prefix, key).tag()).into();
        assert_eq!(tags.len(), ways.len());
    }
}
