//! Gaps between the names of signed zones: who is told of one knows that no name in it exists (RFC 4034 §4, RFC 8198).

use super::describe::Signed;
use super::packet::Label;
use super::random::{mix, share_of};

/// Letters, and the end of a label before them in the order of names (RFC 4034 §6.1).
const DIGITS: f64 = 27.0;

/// The gap of a signed zone that a name falls into.
pub(super) struct Gap {
    /// A number that the zone is known by.
    pub(super) zone: u64,
    /// Of the gap, from that before the first name on.
    pub(super) number: u64,
    /// Names of the zone.
    held: f64,
}

impl Gap {
    /// The one of a name in wire form, if its zone is signed.
    pub(super) fn of(signed: Signed, seed: u64, wire: &[u8]) -> Option<Self> {
        let (label, zone) = wire.get(1..)?.split_at_checked(usize::from(wire[0]))?;
        let zone = zone.iter().fold(!seed, |sum, octet| mix(sum ^ u64::from(*octet)));
        if share_of(zone) >= signed.share {
            return None;
        }
        let (least, most) = signed.names.ends();
        let held = (most - least).mul_add(share_of(mix(zone)), least).floor();
        // Where the label stands in the order of names, between none and all.
        let digit = |octet: &u8| f64::from(octet.to_ascii_lowercase().saturating_sub(b'a' - 1).min(26));
        let place = label.iter().rev().fold(0.0, |place, octet| (place + digit(octet)) / DIGITS);
        let nearest = (place * held).floor();
        // Of each such part of the order one name exists.
        let exists = nearest + share_of(mix(zone ^ nearest as u64));
        let number = if place * held < exists { nearest as u64 } else { nearest as u64 + 1 };
        Some(Self { zone, number, held })
    }

    /// The names around it: the one before, which is the zone's own before the first, and the next, which is the zone's own after the
    /// last.
    pub(super) fn labels(&self) -> [Label; 2] {
        let place = |number: u64| (number as f64 + share_of(mix(self.zone ^ number))) / self.held;
        let before = self.number.checked_sub(1).map_or([0; 8], |number| label(place(number), false));
        let next = if self.number as f64 >= self.held { [0; 8] } else { label(place(self.number), true) };
        [before, next]
    }
}

/// The first letters of what stands at a place; where a label would end there, it goes on if it is to be `beyond`.
fn label(mut place: f64, beyond: bool) -> Label {
    let mut label = [0; 8];
    for letter in &mut label {
        place *= DIGITS;
        let digit = place.floor().min(DIGITS - 1.0);
        place -= digit;
        let digit = if beyond { digit.max(1.0) } else { digit };
        if digit < 1.0 {
            break;
        }
        *letter = b'a' + digit as u8 - 1;
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::value::Range;

    /// A name stands between those around its gap, and the zone's own stands for the ends.
    #[test]
    fn names_fall_into_their_gaps() {
        let signed = Signed { share: 1.0, names: Range(50.0, 50.0) };
        let mut numbers = std::collections::BTreeSet::new();
        let mut state = 1;
        for _ in 0..2_000 {
            let letters: Vec<u8> = (0..5 + state % 5).map(|place| b'a' + (mix(state ^ place) % 26) as u8).collect();
            state = mix(state);
            let wire = [&[letters.len() as u8][..], &letters, b"\x02ws\x00"].concat();
            let gap = Gap::of(signed, 7, &wire).unwrap();
            let [before, next] =
                gap.labels().map(|label| label.into_iter().take_while(|letter| *letter > 0).collect::<Vec<u8>>());
            assert!(before < letters && (next.is_empty() || letters < next), "{before:?} {letters:?} {next:?}");
            numbers.insert(gap.number);
        }
        assert!(numbers.len() > 45 && numbers.iter().all(|number| *number <= 50), "{numbers:?}");
        assert!(Gap::of(Signed { share: 0.0, ..signed }, 7, b"\x05abcde\x02ws\x00").is_none());
    }
}
