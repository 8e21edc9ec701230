//! What a response says about the name that it was asked for: whether there is one, where it leads, for how long.
//!
//! Only called for answers about listed names, which are few.

use std::net::IpAddr;

use super::dns::HEADER;
use super::records::{Data, MOST_SERVERS, Record as Answer, Walk};

/// The type of the record that names a zone's server, and of the one that speaks of the zone.
const NS: u16 = 2;
const SOA: u16 = 6;

/// Records that name the gap between two names of a signed zone (RFC 4034, section 4; RFC 5155, section 3), and the bit of the latter that
/// says that names may be missing in it (opt-out).
const NSEC: u16 = 47;
const NSEC3: u16 = 50;
const OPT_OUT: u8 = 1;

/// Addresses of a name that are kept.
const MOST_ADDRESSES: usize = 8;

/// Aliases of aliases that are followed: resolvers follow 8 to 16.
const MOST_ALIASES: usize = 16;

/// What a response says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// That it does not exist (NXDOMAIN).
    Missing,
    /// The same, with the gap of a signed zone that it falls into: whoever was told may deny the other names of the gap (RFC 8198).
    MissingInGap,
    /// Nothing that leads anywhere: no error, and no address.
    Nothing,
    /// Who is to be asked: its name servers, so that it is registered.
    Referral,
    /// That it could not be looked up (any other error).
    Failed,
    /// What it says is missing: cut by a snap length, or by the server, who wants to be asked over TCP.
    Cut,
    /// Addresses.
    Addresses,
}

/// Where a name leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Its addresses, those of its aliases too, in no particular order, each once.
    pub addresses: Vec<IpAddr>,
    /// Addresses beyond those.
    pub left_out: u16,
    /// For how many seconds that may be kept.
    pub lifetime: u32,
    /// Name servers that the response names, lower-cased and escaped.
    pub servers: Vec<String>,
}

/// What a response says as far as its header tells: [`Told::Addresses`] where [`Reply::read`] has to look.
pub fn told(message: &[u8]) -> Told {
    let Some(header) = message.first_chunk::<HEADER>() else { return Told::Cut };
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (authoritative, truncated) = (header[2] & 4 > 0, header[2] & 2 > 0);
    match header[3] & 15 {
        0 if count(6) > 0 => Told::Addresses,
        0 if truncated => Told::Cut,
        0 if count(8) > 0 && !authoritative && first_authority(message) == Some(NS) => Told::Referral,
        0 => Told::Nothing,
        3 if count(8) > 0 && names_gap(message).unwrap_or(false) => Told::MissingInGap,
        3 => Told::Missing,
        _ => Told::Failed,
    }
}

/// The type of the first record of a response without answers.
fn first_authority(message: &[u8]) -> Option<u16> {
    let at = after_name(message, HEADER)? + 4;
    Some(Record::at(message, at)?.kind)
}

/// Whether the authority section of a response names a gap in which no name exists. Where names may be missing nothing can be denied
/// by it (RFC 8198, section 5.2). Nothing where the message is damaged before its end.
fn names_gap(message: &[u8]) -> Option<bool> {
    let header = message.first_chunk::<HEADER>()?;
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let mut at = HEADER;
    for _ in 0..count(4) {
        at = after_name(message, at)? + 4;
    }
    for _ in 0..count(6) {
        at = Record::at(message, at)?.end;
    }
    let mut found = false;
    for _ in 0..count(8) {
        let record = Record::at(message, at)?;
        match record.kind {
            NSEC => found = true,
            // Algorithm, then flags.
            NSEC3 if record.data.get(1).is_none_or(|flags| flags & OPT_OUT > 0) => return Some(false),
            NSEC3 => found = true,
            _ => {}
        }
        at = record.end;
    }
    Some(found)
}

impl Reply {
    /// Reads where the name in the question of a response leads, aliases followed. Records about other names say nothing.
    ///
    /// # Errors
    /// What it says instead, where there is no address.
    pub fn read(message: &[u8]) -> Result<Self, Told> {
        let walk = Walk::over(message).ok_or(Told::Cut)?;
        let records = walk.by_dns_parser(message);
        let records = records.as_ref().unwrap_or(&walk.records);
        let mut reply = Self { lifetime: u32::MAX, ..Self::default() };
        let mut name = &records.asked;
        for _ in 0..=MOST_ALIASES {
            let of_name = records.answers.iter().filter(|record| record.owner == *name);
            of_name.clone().for_each(|record| reply.take(record));
            let mut aliases = of_name.filter_map(|record| if let Data::Alias(name) = &record.data { Some(name) } else { None });
            match aliases.next() {
                Some(alias) => name = alias,
                None => break,
            }
        }
        if reply.addresses.is_empty() {
            return Err(if walk.whole && message[2] & 2 == 0 { Told::Nothing } else { Told::Cut });
        }
        for record in records.authority.iter().chain(&records.answers) {
            if let Data::Server(server) = &record.data
                && reply.servers.len() < MOST_SERVERS
                && !reply.servers.contains(server)
            {
                reply.servers.push(server.clone());
            }
        }
        Ok(reply)
    }

    fn take(&mut self, record: &Answer) {
        match record.data {
            // An IPv4 address that is written as one of IPv6 is the IPv4 address.
            Data::Address(address) => match address.to_canonical() {
                address if self.addresses.contains(&address) => {}
                address if self.addresses.len() < MOST_ADDRESSES => self.addresses.push(address),
                _ => self.left_out = self.left_out.saturating_add(1),
            },
            Data::Alias(_) => {}
            Data::Server(_) | Data::Other => return,
        }
        self.lifetime = self.lifetime.min(record.lifetime);
    }
}

/// The seconds for which whoever gets this response may keep it: the shortest of the answers, where there are any; else of
/// the zone's SOA record the lesser of its lifetime and its last field (RFC 2308, section 5). Nothing when it does not tell,
/// or is damaged before it does.
pub(crate) fn lifetime(message: &[u8]) -> Option<u32> {
    const NOERROR: u8 = 0;
    const NXDOMAIN: u8 = 3;
    let (header, _) = message.split_first_chunk::<HEADER>()?;
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    if !matches!(header[3] & 15, NOERROR | NXDOMAIN) {
        return None;
    }
    let mut at = HEADER;
    for _ in 0..count(4) {
        at = after_name(message, at)? + 4;
    }
    let mut shortest: Option<u32> = None;
    for _ in 0..count(6) {
        let record = Record::at(message, at)?;
        shortest = Some(shortest.map_or(record.lifetime, |shortest| shortest.min(record.lifetime)));
        at = record.end;
    }
    // A chain of aliases that ends in nothing is kept by the SOA record's word too; the shortest counts.
    for _ in 0..count(8) {
        let record = Record::at(message, at)?;
        if record.kind == SOA {
            let last = record.data.last_chunk::<4>()?;
            let told = record.lifetime.min(u32::from_be_bytes(*last));
            return Some(shortest.map_or(told, |shortest| shortest.min(told)));
        }
        at = record.end;
    }
    shortest
}

struct Record<'a> {
    kind: u16,
    lifetime: u32,
    data: &'a [u8],
    end: usize,
}

impl<'a> Record<'a> {
    fn at(message: &'a [u8], at: usize) -> Option<Self> {
        let at = after_name(message, at)?;
        let fixed = message.get(at..)?.first_chunk::<10>()?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let end = at + fixed.len() + length;
        // The highest bit means zero (RFC 2181, section 8).
        let lifetime = i32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]).max(0).unsigned_abs();
        let data = message.get(at + fixed.len()..end)?;
        Some(Self { kind: u16::from_be_bytes([fixed[0], fixed[1]]), lifetime, data, end })
    }
}

/// Where the name at a place ends.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *message.get(at)?;
        match length >> 6 {
            0 if length == 0 => return Some(at + 1),
            0 => at += 1 + usize::from(length),
            3 => return Some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
