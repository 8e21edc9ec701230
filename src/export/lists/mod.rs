//! The names of list days for those who use them: registries, resolvers, sensors, exchanges of indicators.
//!
//! One file a format, each a [`Layout`]: it writes a name or says that it cannot. Which names, once or as often as they come, and
//! into which file, is the business of [`NameWriter`]. Names leave in the order in which they come and nothing of them is kept,
//! except where an older list is compared, or a format must not hold a name twice: then those that come twice are, which a
//! [`RepeatFinder`] knows beforehand.

mod bind;
mod csv;
mod diff;
mod dnsmasq;
mod hosts;
mod json;
mod misp;
mod plain;
mod registry;
mod repeats;
mod rpz;
mod stix;
mod suricata;
mod text;
mod unbound;
mod writer;
mod zeek;

use std::io::{self, Write};

pub use self::registry::Registry;
pub use self::repeats::{RepeatFinder, Repeats};
pub use self::writer::{NameCounts, NameWriter, Part, Selection, Target};

use crate::day::{Day, Timestamp};
use crate::dga::Family;
use crate::name::Name;

/// How names are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesFormat {
    /// One a line, nothing else.
    Plain,
    /// Family, list day, index, name, first and last day on which hosts may ask for it.
    Csv,
    /// An array of objects of the same.
    Json,
    /// A response policy zone that answers NXDOMAIN (draft-vixie-dnsop-dns-rpz).
    Rpz,
    /// Local zones of unbound that answer NXDOMAIN.
    Unbound,
    /// Local domains of dnsmasq that answer NXDOMAIN.
    Dnsmasq,
    /// Lines of a hosts file with an address that leads nowhere.
    Hosts,
    /// Empty zones for named.
    Bind,
    /// A dataset of Suricata.
    Suricata,
    /// A file of Zeek's intelligence framework.
    Zeek,
    /// An event of MISP.
    Misp,
    /// A bundle of STIX 2.1 indicators.
    Stix,
}

impl NamesFormat {
    /// All, with the names that users call them by.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Plain, "plain"),
        (Self::Csv, "csv"),
        (Self::Json, "json"),
        (Self::Rpz, "rpz"),
        (Self::Unbound, "unbound"),
        (Self::Dnsmasq, "dnsmasq"),
        (Self::Hosts, "hosts"),
        (Self::Bind, "bind"),
        (Self::Suricata, "suricata"),
        (Self::Zeek, "zeek"),
        (Self::Misp, "misp"),
        (Self::Stix, "stix"),
    ];

    /// How a file of it ends.
    const fn extension(self) -> &'static str {
        match self {
            Self::Plain => "txt",
            Self::Csv => "csv",
            Self::Json | Self::Misp | Self::Stix => "json",
            Self::Rpz => "rpz",
            Self::Unbound | Self::Dnsmasq | Self::Bind => "conf",
            Self::Hosts => "hosts",
            Self::Suricata => "lst",
            Self::Zeek => "intel",
        }
    }

    /// Whether it must not hold a name twice: who reads it would warn or refuse.
    pub const fn holds_once(self) -> bool {
        !matches!(self, Self::Plain | Self::Csv | Self::Json | Self::Stix)
    }

    fn layout(self) -> Box<dyn Layout> {
        match self {
            Self::Plain => Box::new(plain::Plain),
            Self::Csv => Box::new(csv::Csv),
            Self::Json => Box::new(json::Json::default()),
            Self::Rpz => Box::new(rpz::Rpz),
            Self::Unbound => Box::new(unbound::Unbound),
            Self::Dnsmasq => Box::new(dnsmasq::Dnsmasq),
            Self::Hosts => Box::new(hosts::Hosts),
            Self::Bind => Box::new(bind::Bind),
            Self::Suricata => Box::new(suricata::Suricata::default()),
            Self::Zeek => Box::new(zeek::Zeek),
            Self::Misp => Box::new(misp::Misp::default()),
            Self::Stix => Box::new(stix::Stix::default()),
        }
    }

    /// The same for what an older list lacks or has too much.
    fn changes(self) -> Option<Box<dyn Layout>> {
        match self {
            Self::Plain => Some(Box::new(diff::Plain)),
            Self::Csv => Some(Box::new(diff::Csv)),
            Self::Json => Some(Box::new(diff::Json::default())),
            _ => None,
        }
    }
}

/// What a whole output is about.
#[derive(Clone, Debug)]
pub struct About {
    /// Identifiers of the families.
    pub families: Vec<String>,
    /// The first and the last list day.
    pub days: (Day, Day),
    /// When it is made: what tells a newer zone or event from an older one.
    pub made: Timestamp,
    /// The part of the names that it holds, where there are several.
    pub part: Option<String>,
}

/// The list that names belong to.
pub struct NameList<'a> {
    family: &'a str,
    since: Day,
    day_text: String,
    from: Day,
    from_text: String,
    until: Day,
    until_text: String,
}

impl<'a> NameList<'a> {
    /// Of a family and a list day. Hosts with wrong clocks may ask for its names `skew` days early or late.
    pub fn new(family: &'a dyn Family, day: Day, skew: u16) -> Self {
        let (from, until) = family.calendar().asked(day, skew);
        Self {
            family: family.id(),
            since: family.since(),
            day_text: day.to_string(),
            from,
            from_text: from.to_string(),
            until,
            until_text: until.to_string(),
        }
    }

    /// The first and the last day on which hosts may ask for its names.
    pub const fn window(&self) -> (Day, Day) {
        (self.from, self.until)
    }
}

/// A name of a list.
struct Entry<'a> {
    list: &'a NameList<'a>,
    index: u32,
    name: &'a Name,
    /// Its presentation form: octets from 0x21 to 0x7e.
    text: &'a str,
}

/// A format of names.
trait Layout {
    /// What comes before the first name.
    fn begin(&mut self, _about: &About, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Writes a name, or tells by `false` that the format has no way to.
    fn name(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<bool>;

    /// Writes that a name, in presentation form, is no longer listed.
    fn release(&mut self, _text: &str, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// What comes after the last name.
    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
