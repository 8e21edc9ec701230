//! What evidence is kept by.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use super::Hit;
use crate::day::Day;
use crate::dga::FamilyId;

/// Whose evidence it is; sorts as reports do: family, list day, then source by number, IPv4 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The family's place in the catalog.
    pub family: FamilyId,
    /// The day whose list was met.
    pub list_day: Day,
    /// Who asked, or was answered.
    pub source: IpAddr,
}

/// Two words at once: field after field takes several times as long.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.family) << 32 | u64::from(self.list_day.number().cast_unsigned()));
        match self.source {
            IpAddr::V4(address) => state.write_u32(address.to_bits()),
            IpAddr::V6(address) => state.write_u128(address.to_bits()),
        }
    }
}

impl Key {
    pub(super) const fn of(hit: &Hit) -> Self {
        Self { family: hit.matched.family, list_day: hit.matched.list_day, source: hit.source }
    }
}
