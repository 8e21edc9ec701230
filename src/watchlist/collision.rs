//! Generated names that honest people own: asking for one is no sign of the worm.
//!
//! A worm that makes up names hits real ones sooner or later. Whoever asks for such a name and nothing else is a visitor.

use crate::name::Name;

/// A name that a generator made and somebody owns.
#[derive(Debug)]
pub struct Collision {
    /// The name.
    pub name: &'static str,
    /// The list day that made it known.
    pub list_day: &'static str,
    /// Whose it was.
    pub owner: &'static str,
    /// Who told.
    pub source: &'static str,
}

/// The collision at `name`, if one is known.
pub fn known_collision(name: &Name) -> Option<&'static Collision> {
    let (label, suffix) = name.as_raw().split_first()?;
    if label.len() != 5 {
        return None;
    }
    KNOWN.iter().find(|collision| {
        let (first, rest) = collision.name.as_bytes().split_at(5);
        first == label && rest[1..] == suffix[1..suffix.len() - 1]
    })
}

/// The collisions that are known, by list day.
pub const fn known_collisions() -> &'static [Collision] {
    &KNOWN
}

/// All of Conficker B in March 2009, found by SophosLabs among that month's 7,750 names.
pub(super) const KNOWN: [Collision; 4] = [
    Collision { name: "jogli.com", list_day: "2009-03-08", owner: "Big Web Great Music", source: PRESS },
    Collision { name: "wnsux.com", list_day: "2009-03-13", owner: "Southwest Airlines", source: PRESS },
    Collision { name: "qhflh.com", list_day: "2009-03-18", owner: "Women's Net in Qinghai Province", source: PRESS },
    Collision { name: "praat.org", list_day: "2009-03-31", owner: "Praat, speech analysis software", source: PRESS },
];

const PRESS: &str = "The Register, \"Conficker call-backs threaten to swamp legit domains\", 2 March 2009";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dga::Catalog;

    #[test]
    fn each_is_known_and_generated_on_its_day() {
        let mut catalog = Catalog::default();
        catalog.add("conficker-b").unwrap();
        for collision in &KNOWN {
            let name = Name::parse(collision.name).unwrap();
            assert_eq!(known_collision(&name).map(|known| known.owner), Some(collision.owner));
            let mut listed = false;
            catalog.family(0).names(collision.list_day.parse().unwrap(), &mut |generated| listed |= *generated == name);
            assert!(listed, "{}", collision.name);
        }
        for other in ["praat.com", "praatorg", "praat.org.uk", "www.praat.org", "praax.org", "."] {
            assert!(known_collision(&Name::parse(other).unwrap()).is_none(), "{other}");
        }
    }
}
