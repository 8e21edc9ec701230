//! Where a source is: the label that the operator gave its network, its autonomous system and its country.
//!
//! Asked when a report or a snapshot is made, never while packets are matched. Labels go by the longest prefix; systems and
//! countries come from databases in MaxMind's format (MaxMind DB File Format Specification, version 2.0).

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use maxminddb::{Reader, geoip2};
use prefix_trie::PrefixMap;
use serde::{Deserialize, Serialize};

use crate::ledger::Masking;

/// Labels that there may be: each has series of its own.
const MOST_LABELS: usize = 1_000;

/// Prefixes that there may be: as many as the whole Internet has routes.
const MOST_PREFIXES: usize = 2_000_000;

/// Octets of a file that are read: the largest databases have some hundred million.
const MOST_OCTETS: u64 = 1 << 30;

/// Characters of a label, and of the name of an autonomous system.
const LONGEST: usize = 100;

/// The networks that an operator knows.
#[derive(Default)]
pub struct Networks {
    v4: PrefixMap<Ipv4Network, u16>,
    v6: PrefixMap<Ipv6Network, u16>,
    /// In the order of the file.
    labels: Vec<String>,
    systems: Option<Reader<Vec<u8>>>,
    countries: Option<Reader<Vec<u8>>>,
    /// Leading bits that are left of addresses, of IPv4 and of IPv6.
    kept: (u8, u8),
    /// What reports tell of sources, where nothing else is known.
    told: Option<(Vec<Grouping>, BTreeMap<IpAddr, Origin>)>,
}

/// Where a source is, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The label of its network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The number of its autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Whose that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_name: Option<String>,
    /// Its country (ISO 3166-1, two letters).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A kind of network by which sources are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grouping {
    /// The operator's labels.
    Network,
    /// Autonomous systems.
    Asn,
    /// Countries.
    Country,
}

impl Grouping {
    /// All.
    pub const ALL: [Self; 3] = [Self::Network, Self::Asn, Self::Country];

    /// The word in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Asn => "asn",
            Self::Country => "country",
        }
    }
}

impl Origin {
    /// What two sensors know of one source; where they do not agree, what sorts first.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        fn first<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.into_iter().chain(other).min()
        }
        Self {
            network: first(self.network, other.network),
            asn: first(self.asn, other.asn),
            as_name: first(self.as_name, other.as_name),
            country: first(self.country, other.country),
        }
    }

    /// What it is called when sources are counted so; `other` where it is not known.
    pub fn name(&self, by: Grouping) -> String {
        let name = match by {
            Grouping::Network => self.network.clone(),
            Grouping::Asn => self.asn.map(|number| format!("AS{number}")),
            Grouping::Country => self.country.clone(),
        };
        name.unwrap_or_else(|| Networks::OTHER.to_owned())
    }
}

impl Networks {
    /// What stands where a source is in no network that is known.
    pub const OTHER: &'static str = "other";

    /// Networks of sources that are masked so; none are known yet.
    ///
    /// # Errors
    /// A sentence, when pseudonyms stand for sources: a pseudonym is in no network, and saying in which its owner is would
    /// tell what it is there to hide.
    pub fn new(masking: &Masking) -> Result<Self, String> {
        if masking.has_pseudonyms() {
            return Err("networks cannot be told of pseudonyms: they are there to hide them".to_owned());
        }
        Ok(Self { kept: masking.kept_bits(), ..Self::default() })
    }

    /// What reports tell of sources, which they count by these kinds.
    pub fn told(mut by: Vec<Grouping>, origins: BTreeMap<IpAddr, Origin>) -> Self {
        by.sort_unstable();
        by.dedup();
        Self { told: Some((by, origins)), ..Self::default() }
    }

    /// Takes the labels of a CSV file: `prefix,label` a line, `#` before comments, a line of headings or none.
    ///
    /// # Errors
    /// A sentence that says what is wrong, in which line.
    pub fn add_labels(&mut self, path: &Path) -> Result<(), String> {
        let file = format!("networks {}", path.display());
        let text = octets(path).map_err(|why| format!("{file} {why}"))?;
        self.read_labels(&text).map_err(|(line, why)| format!("{file}, line {line}: {why}"))
    }

    fn read_labels(&mut self, text: &[u8]) -> Result<(), (u64, String)> {
        let mut places: BTreeMap<String, u16> = BTreeMap::new();
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).comment(Some(b'#')).flexible(true).trim(csv::Trim::All).from_reader(text);
        let mut record = csv::StringRecord::new();
        let mut first = true;
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return Err((line, format!("this is no CSV in UTF-8: {error}"))),
            }
            let line = record.position().map_or(line, csv::Position::line);
            let (Some(prefix), Some(label), 2) = (record.get(0), record.get(1), record.len()) else {
                return Err((line, "write prefix,label".to_owned()));
            };
            if std::mem::take(&mut first) && prefix.eq_ignore_ascii_case("prefix") {
                continue;
            }
            self.add_label(prefix, label, &mut places).map_err(|why| (line, why))?;
        }
    }

    fn add_label(&mut self, prefix: &str, label: &str, places: &mut BTreeMap<String, u16>) -> Result<(), String> {
        let shown = prefix.escape_debug();
        let network: IpNetwork = prefix.parse().map_err(|_| format!("`{shown}` is no prefix such as 192.0.2.0/24"))?;
        if network.network() != network.ip() {
            return Err(format!(
                "`{shown}` has bits behind its length: did you mean {}/{}?",
                network.network(),
                network.prefix()
            ));
        }
        if label.is_empty() || label.chars().count() > LONGEST || !is_printable(label) || label == Self::OTHER {
            return Err(format!("a label has 1 to {LONGEST} printable characters and is not `{}`", Self::OTHER));
        }
        let kept = if network.is_ipv4() { self.kept.0 } else { self.kept.1 };
        if network.prefix() > kept {
            return Err(format!(
                "of sources only {kept} bits are kept (--prefix): {shown} could not be told from its neighbours"
            ));
        }
        if self.v4.len() + self.v6.len() >= MOST_PREFIXES {
            return Err(format!("there are more than {MOST_PREFIXES} prefixes"));
        }
        let place = match places.get(label) {
            Some(place) => *place,
            None if self.labels.len() == MOST_LABELS => {
                return Err(format!("there are more than {MOST_LABELS} labels, and each has series of its own"));
            }
            None => {
                let place = self.labels.len() as u16;
                self.labels.push(label.to_owned());
                places.insert(label.to_owned(), place);
                place
            }
        };
        let before = match network {
            IpNetwork::V4(network) => self.v4.insert(network, place),
            IpNetwork::V6(network) => self.v6.insert(network, place),
        };
        if before.is_some_and(|before| before != place) {
            return Err(format!("{shown} has two labels"));
        }
        Ok(())
    }

    /// Takes autonomous systems from a database, such as GeoLite2-ASN.
    ///
    /// # Errors
    /// A sentence.
    pub fn add_systems(&mut self, path: &Path) -> Result<(), String> {
        self.systems = Some(database(path, &["asn", "isp", "enterprise"])?);
        Ok(())
    }

    /// Takes countries from a database, such as GeoLite2-Country.
    ///
    /// # Errors
    /// A sentence.
    pub fn add_countries(&mut self, path: &Path) -> Result<(), String> {
        self.countries = Some(database(path, &["country", "city", "enterprise"])?);
        Ok(())
    }

    /// By what sources can be counted.
    pub fn groupings(&self) -> impl Iterator<Item = Grouping> {
        let told = |by| self.told.as_ref().is_some_and(|(told, _)| told.contains(&by));
        let known = [
            !self.labels.is_empty() || told(Grouping::Network),
            self.systems.is_some() || told(Grouping::Asn),
            self.countries.is_some() || told(Grouping::Country),
        ];
        Grouping::ALL.into_iter().zip(known).filter_map(|(grouping, known)| known.then_some(grouping))
    }

    /// The labels, in the order of the file.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The place among the labels of the longest prefix that holds a source.
    pub fn label(&self, source: IpAddr) -> Option<usize> {
        let found = match source {
            IpAddr::V4(source) => self.v4.get_lpm(&source.into()).map(|(_, place)| *place),
            IpAddr::V6(source) => self.v6.get_lpm(&source.into()).map(|(_, place)| *place),
        };
        found.map(usize::from)
    }

    /// All that is known of where a source is.
    pub fn origin(&self, source: IpAddr) -> Origin {
        if let Some((_, origins)) = &self.told {
            return origins.get(&source).cloned().unwrap_or_default();
        }
        let mut origin = Origin { network: self.label(source).map(|place| self.labels[place].clone()), ..Origin::default() };
        if let Some(found) = self.systems.as_ref().and_then(|database| self.look_up::<geoip2::Asn<'_>>(database, source)) {
            origin.asn = found.autonomous_system_number;
            let name = found.autonomous_system_organization.map(|name| name.chars().filter(|c| is_shown(*c)).take(LONGEST));
            origin.as_name = name.map(Iterator::collect);
        }
        if let Some(found) = self.countries.as_ref().and_then(|database| self.look_up::<geoip2::Country<'_>>(database, source)) {
            let code = found.country.iso_code.or(found.registered_country.iso_code);
            let is_code = |code: &&str| code.len() == 2 && code.bytes().all(|octet| octet.is_ascii_uppercase());
            origin.country = code.filter(is_code).map(str::to_owned);
        }
        origin
    }

    /// What a database has of a source; nothing where it tells apart more than is left of addresses.
    fn look_up<'d, T: Deserialize<'d>>(&self, database: &'d Reader<Vec<u8>>, source: IpAddr) -> Option<T> {
        let found = database.lookup(source).ok()?;
        let kept = if source.is_ipv4() { self.kept.0 } else { self.kept.1 };
        if found.network().ok()?.prefix() > kept {
            return None;
        }
        found.decode().ok().flatten()
    }
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groupings: Vec<&str> = self.groupings().map(Grouping::label).collect();
        f.debug_struct("Networks").field("labels", &self.labels.len()).field("by", &groupings).finish_non_exhaustive()
    }
}

/// Whether a text can be shown anywhere: nothing in it moves a cursor or turns the direction of writing.
pub(super) fn is_printable(text: &str) -> bool {
    text.chars().all(is_shown)
}

fn is_shown(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Opens a database whose type names one of `kinds`, and checks all of it.
fn database(path: &Path, kinds: &[&str]) -> Result<Reader<Vec<u8>>, String> {
    let file = format!("database {}", path.display());
    let octets = octets(path).map_err(|why| format!("{file} {why}"))?;
    let database = Reader::from_source(octets).map_err(|error| format!("{file} is none in MaxMind's format: {error}"))?;
    database.verify().map_err(|error| format!("{file} is damaged: {error}"))?;
    let of = database.metadata().database_type.to_lowercase();
    if !kinds.iter().any(|kind| of.contains(kind)) {
        let of: String = of.chars().filter(|c| is_shown(*c)).take(LONGEST).collect();
        return Err(format!("{file} is of type `{of}`, which has no {}", kinds[0]));
    }
    Ok(database)
}

fn octets(path: &Path) -> Result<Vec<u8>, String> {
    let say = |error| format!("cannot be read: {error}");
    let mut octets = vec![];
    File::open(path).map_err(say)?.take(MOST_OCTETS + 1).read_to_end(&mut octets).map_err(say)?;
    if octets.len() as u64 > MOST_OCTETS { Err(format!("is larger than {MOST_OCTETS} octets")) } else { Ok(octets) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn labels(text: &str) -> Result<Networks, (u64, String)> {
        let mut networks = Networks::new(&Masking::default()).unwrap();
        networks.read_labels(text.as_bytes()).map(|()| networks)
    }

    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 32
    }

    /// Against a search through all prefixes, on prefixes that lie in each other.
    #[test]
    fn the_longest_prefix_counts() {
        let mut state = 1;
        for round in 0..200 {
            let mut rows: BTreeMap<IpNetwork, String> = BTreeMap::new();
            for _ in 0..round % 40 {
                let (bits, length) = (next(&mut state) & 0x7, next(&mut state));
                let network: IpNetwork = if bits & 1 == 0 {
                    let address = Ipv4Addr::from_bits((next(&mut state) as u32 & 0x0F0F_00FF) | 0x0A00_0000);
                    IpNetwork::new(address.into(), (length % 33) as u8).unwrap()
                } else {
                    let address = Ipv6Addr::from_bits(0x2001_0DB8 << 96 | u128::from(next(&mut state) & 0xF0F));
                    IpNetwork::new(address.into(), (length % 129) as u8).unwrap()
                };
                rows.insert(IpNetwork::new(network.network(), network.prefix()).unwrap(), format!("n{bits}"));
            }
            let text: String = rows.iter().map(|(network, label)| format!("{network},{label}\n")).collect();
            let networks = labels(&text).unwrap();
            for _ in 0..100 {
                let bits = next(&mut state);
                let source: IpAddr = if bits & 1 == 0 {
                    Ipv4Addr::from_bits((next(&mut state) as u32 & 0x0F0F_00FF) | 0x0A00_0000).into()
                } else {
                    Ipv6Addr::from_bits(0x2001_0DB8 << 96 | u128::from(next(&mut state) & 0xF0F)).into()
                };
                let longest =
                    rows.iter().filter(|(network, _)| network.contains(source)).max_by_key(|(network, _)| network.prefix());
                let found = networks.label(source).map(|place| &networks.labels()[place]);
                assert_eq!(found, longest.map(|(_, label)| label), "{source} in\n{text}");
            }
        }
    }

    #[test]
    fn files_as_people_write_them() {
        let text =
            "Prefix,Label\r\n# pools\r\n192.0.2.0/24,\"north, cable\"\r\n192.0.2.7 , one host\r\n\r\n2001:db8::/32,north\r\n";
        let networks = labels(text).unwrap();
        assert_eq!(networks.labels(), ["north, cable", "one host", "north"]);
        let label = |source: &str| networks.label(source.parse().unwrap()).map(|place| networks.labels()[place].as_str());
        assert_eq!(label("192.0.2.6"), Some("north, cable"));
        assert_eq!(label("192.0.2.7"), Some("one host"));
        assert_eq!(label("2001:db8:ffff::1"), Some("north"));
        assert_eq!(label("192.0.3.1"), None);
        for (text, line, why) in [
            ("192.0.2.0/24\n", 1, "write prefix,label"),
            ("192.0.2.0/24,a,b\n", 1, "write prefix,label"),
            ("192.0.2.0/24,a\n192.0.2.1/24,b\n", 2, "did you mean 192.0.2.0/24?"),
            ("192.0.2.0/33,a\n", 1, "is no prefix"),
            ("\u{1b}[2J,a\n", 1, r"`\u{1b}[2J` is no prefix"),
            ("192.0.2.0/24,\n", 1, "a label has"),
            ("192.0.2.0/24,other\n", 1, "is not `other`"),
            ("192.0.2.0/24,\u{202e}a\n", 1, "printable"),
            ("192.0.2.0/24,a\n192.0.2.0/24,a\n192.0.2.0/24,b\n", 3, "has two labels"),
        ] {
            let (at, told) = labels(text).unwrap_err();
            assert!(at == line && told.contains(why), "{text:?}: {at} {told}");
        }
        let many: String = (0..=MOST_LABELS).map(|n| format!("10.{}.{}.0/24,n{n}\n", n / 256, n % 256)).collect();
        assert!(labels(&many).unwrap_err().1.contains("more than 1000 labels"));
    }

    #[test]
    fn nothing_is_told_of_what_is_masked() {
        use crate::ledger::PseudonymKey;
        let key = PseudonymKey::parse(b"0123456789abcdeffedcba9876543210").unwrap();
        let whole = "32,128".parse().unwrap();
        assert!(Networks::new(&Masking::new(whole, Some(&key))).unwrap_err().contains("pseudonyms"));
        let mut networks = Networks::new(&Masking::new("24,56".parse().unwrap(), None)).unwrap();
        networks.read_labels(b"192.0.2.0/24,a\n").unwrap();
        let (_, why) = networks.read_labels(b"192.0.2.0/25,a\n").unwrap_err();
        assert!(why.contains("only 24 bits are kept"), "{why}");
    }
}
