//! What a JSON report says beside its sources.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::day::{Day, Timestamp};
use crate::export::Desk;

/// What a report says beside its sources.
#[derive(Default, serde::Deserialize)]
pub struct ReportHead {
    pub(super) schema: u32,
    /// Whether lists of users are known by their names alone, as in Parquet files.
    #[serde(skip)]
    pub(super) by_name: bool,
    #[serde(default)]
    pub(super) sensor: Option<String>,
    pub(super) capture_loss: f64,
    pub(super) captures: AtMost<Capture, 1_048_576>,
    pub(super) packets: Packets,
    pub(super) messages: BTreeMap<String, BTreeMap<String, Tally>>,
    pub(super) given_up: BTreeMap<String, Tally>,
    pub(super) matches_not_kept: Tally,
    pub(super) names_not_kept: Tally,
    pub(super) rendezvous: AtMost<Name, 16_384>,
    pub(super) learned_sinkholes: AtMost<Learned, 4_096>,
    pub(super) answers_not_kept: NotKept,
    pub(super) lists: AtMost<List, 1_048_576>,
    pub(super) families: AtMost<Family, 65_536>,
    /// How many there are.
    pub(super) sources: Rows,
    pub(super) servers: AtMost<IpAddr, 16_384>,
    pub(super) indicators_not_kept: Tally,
    pub(super) indicators: AtMost<Indicator, 100_000_000>,
    #[serde(default)]
    pub(super) masking: Option<String>,
    #[serde(default)]
    pub(super) networks: Vec<By>,
}

#[derive(serde::Deserialize)]
pub(super) struct Capture {
    pub(super) path: String,
    pub(super) packets: Tally,
    pub(super) bytes: Tally,
    pub(super) first_packet: Option<Moment>,
    pub(super) last_packet: Option<Moment>,
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) sensor: Option<String>,
    #[serde(default)]
    pub(super) capture_loss: Option<f64>,
}

#[derive(Default, serde::Deserialize)]
pub(super) struct Packets {
    pub(super) outcomes: BTreeMap<String, Tally>,
}

#[derive(serde::Deserialize)]
pub(super) struct List {
    pub(super) family: String,
    pub(super) list_day: ListDay,
    pub(super) names: u32,
    #[serde(default)]
    pub(super) mark: Option<String>,
}

#[derive(serde::Deserialize)]
pub(super) struct Family {
    pub(super) family: String,
    pub(super) answers: BTreeMap<String, Tally>,
}

#[derive(serde::Deserialize)]
pub(super) struct By {
    pub(super) by: String,
}

#[derive(serde::Deserialize)]
pub(super) struct Name {
    pub(super) family: String,
    pub(super) list_day: ListDay,
    pub(super) index: u32,
    pub(super) addresses: AtMost<IpAddr, 16>,
    pub(super) addresses_left_out: Tally,
    pub(super) ttl: u32,
    pub(super) name_servers: AtMost<String, 8>,
    pub(super) first_seen: Moment,
    pub(super) last_seen: Moment,
    pub(super) answers: Tally,
    pub(super) unsolicited: Tally,
    pub(super) exposed: AtMost<Client, 131_072>,
    pub(super) exposed_left_out: Tally,
}

#[derive(serde::Deserialize)]
pub(super) struct Client {
    pub(super) source: IpAddr,
    pub(super) first_seen: Moment,
    pub(super) last_seen: Moment,
    pub(super) answers: Tally,
    pub(super) unsolicited: Tally,
    pub(super) source_port: u16,
    pub(super) transport: Transport,
}

#[derive(serde::Deserialize)]
pub(super) struct Learned {
    pub(super) family: String,
    pub(super) address: IpAddr,
    pub(super) names: u32,
    pub(super) answers: Tally,
    pub(super) last_seen: Moment,
    #[serde(default)]
    pub(super) together: bool,
}

#[derive(Default, serde::Deserialize)]
pub(super) struct NotKept {
    pub(super) names: Tally,
    pub(super) exposed: Tally,
}

#[derive(serde::Deserialize)]
pub(super) struct Indicator {
    pub(super) source: IpAddr,
    pub(super) set: String,
    pub(super) pattern: String,
    pub(super) label: Option<String>,
    pub(super) queries: Tally,
    pub(super) responses: Tally,
    pub(super) first_seen: Moment,
    pub(super) last_seen: Moment,
}

/// What carried a message.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    Udp,
    Tcp,
}

impl From<Transport> for crate::decode::Transport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
        }
    }
}

impl ReportHead {
    /// Reads it, to the end of the report.
    ///
    /// # Errors
    /// One clause that says why this is no report that can be merged.
    pub fn read(from: impl Read) -> Result<Self, String> {
        let head: Self = serde_json::from_reader(BufReader::new(from)).map_err(|error| {
            format!("is no whole report that `dgawatch replay --format json` of this version writes: {error}")
        })?;
        if head.schema != 1 {
            return Err(format!("is of schema {}, and this program reads schema 1", head.schema));
        }
        let losses = head.captures.iter().filter_map(|capture| capture.capture_loss).chain([head.capture_loss]);
        if !losses.into_iter().all(|loss| (0.0..1.0).contains(&loss)) {
            return Err("has a `capture_loss` that is no share from 0 up to 1".to_owned());
        }
        let sensors = head.captures.iter().filter_map(|capture| capture.sensor.as_ref()).chain(&head.sensor);
        if !sensors.into_iter().all(|sensor| Desk::is_sensor(sensor)) {
            return Err("has a `sensor` that cannot be one".to_owned());
        }
        Ok(head)
    }

    /// The families that it looked for, in its order.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.iter().map(|row| &*row.family)
    }

    /// Whether its sources are masked.
    pub const fn is_masked(&self) -> bool {
        self.masking.is_some()
    }

    /// How many rows of sources it has.
    pub(super) const fn rows(&self) -> usize {
        self.sources.0
    }
}

/// A count to which others can be added.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally(pub(super) u64);

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let count = u64::deserialize(from)?;
        if count < 1 << 48 { Ok(Self(count)) } else { Err(de::Error::custom(format!("{count} is too much to be counted"))) }
    }
}

/// A moment in RFC 3339.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// A list day.
#[derive(Clone, Copy)]
pub(super) struct ListDay(pub(super) Day);

impl<'de> Deserialize<'de> for ListDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// An array of so many members at most.
pub(super) struct AtMost<T, const MOST: usize>(pub(super) Vec<T>);

impl<T, const MOST: usize> Default for AtMost<T, MOST> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<T, const MOST: usize> std::ops::Deref for AtMost<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Members<T, MOST> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of at most {MOST} members")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
                let mut members = vec![];
                while let Some(member) = from.next_element()? {
                    if members.len() >= MOST {
                        return Err(de::Error::invalid_length(MOST + 1, &self));
                    }
                    members.push(member);
                }
                Ok(members)
            }
        }

        from.deserialize_seq(Members::<T, MOST>(PhantomData)).map(Self)
    }
}

/// An array of which only the length is read.
#[derive(Default)]
pub(super) struct Rows(pub(super) usize);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Count;

        impl<'de> Visitor<'de> for Count {
            type Value = usize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<usize, A::Error> {
                let mut count = 0;
                while from.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(count)
            }
        }

        from.deserialize_seq(Count).map(Self)
    }
}
