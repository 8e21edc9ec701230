//! Frame Streams: a length of four octets and so many octets; a length of 0 announces a control frame, with its own
//! length. All numbers are big-endian.
//!
//! ```text
//!  data     | length | payload ...
//!  control  | 0 | length | type | field type, length, value | ...
//! ```
//!
//! A file, or a stream of a sender that expects no answer: START, data frames, STOP. With a receiver that answers: READY
//! (ACCEPT), START, data frames, STOP (FINISH).

use super::super::u32_at;
use super::CONTENT_TYPE;

/// The longest data frame. One message of DNS has 65,535 octets at most and a frame may hold a query and its response;
/// the rest is for what the server says of itself.
pub(super) const MAX_FRAME: usize = 256 << 10;

/// The longest control frame: `FSTRM_CONTROL_FRAME_LENGTH_MAX`.
const MAX_CONTROL: usize = 512;

/// The only field that control frames have: `FSTRM_CONTROL_FIELD_CONTENT_TYPE`.
const FIELD_CONTENT_TYPE: u32 = 1;

/// Types of control frames, as numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Accept = 1,
    Start,
    Stop,
    Ready,
    Finish,
}

impl Control {
    const ALL: [Self; 5] = [Self::Accept, Self::Start, Self::Stop, Self::Ready, Self::Finish];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Start => "START",
            Self::Stop => "STOP",
            Self::Ready => "READY",
            Self::Finish => "FINISH",
        }
    }

    /// As it is sent; those that agree on what is sent say that it is dnstap.
    #[cfg(any(feature = "live", test))]
    pub(super) fn octets(self) -> Vec<u8> {
        let mut body = (self as u32).to_be_bytes().to_vec();
        if matches!(self, Self::Accept | Self::Start | Self::Ready) {
            body.extend(FIELD_CONTENT_TYPE.to_be_bytes());
            body.extend((CONTENT_TYPE.len() as u32).to_be_bytes());
            body.extend(CONTENT_TYPE);
        }
        [&[0; 4][..], &(body.len() as u32).to_be_bytes(), &body].concat()
    }
}

/// What comes next in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A frame, and the octets that it takes with its length.
    Data(&'a [u8], usize),
    /// A control frame, whether what it says of content goes with dnstap, and the octets that it takes.
    Control(Control, bool, usize),
    /// Something of which so many octets are needed to know more, or to have all.
    Wanted(usize),
    /// Nothing that can be, and why.
    Damage(String),
}

/// Reads what `octets` begin with.
pub(super) fn next(octets: &[u8]) -> Part<'_> {
    let Some(length) = u32_at(octets, 0, true) else { return Part::Wanted(4) };
    if length > 0 {
        let length = length as usize;
        if length > MAX_FRAME {
            return Part::Damage(format!("a frame of {length} octets, more than {MAX_FRAME}"));
        }
        return octets.get(4..4 + length).map_or(Part::Wanted(4 + length), |data| Part::Data(data, 4 + length));
    }
    let Some(length) = u32_at(octets, 4, true) else { return Part::Wanted(8) };
    let length = length as usize;
    if !(4..=MAX_CONTROL).contains(&length) {
        return Part::Damage(format!("a control frame of {length} octets, which none has"));
    }
    let Some(body) = octets.get(8..8 + length) else { return Part::Wanted(8 + length) };
    let Some((kind, fits)) = control(body) else {
        return Part::Damage("a control frame that contradicts itself or is not known".to_owned());
    };
    Part::Control(kind, fits, 8 + length)
}

/// The type of a control frame, and whether dnstap is among the types of content that it names, if it names any.
fn control(body: &[u8]) -> Option<(Control, bool)> {
    let kind = u32_at(body, 0, true)?;
    let kind = Control::ALL.into_iter().find(|known| *known as u32 == kind)?;
    let (mut rest, mut named, mut ours) = (&body[4..], false, false);
    while !rest.is_empty() {
        let (field, length) = (u32_at(rest, 0, true)?, u32_at(rest, 4, true)? as usize);
        let value = rest.get(8..)?.get(..length)?;
        if field != FIELD_CONTENT_TYPE {
            return None;
        }
        named = true;
        ours |= value == CONTENT_TYPE;
        rest = &rest[8 + length..];
    }
    Some((kind, ours || !named))
}

/// Whether a file begins like this: a START that names dnstap.
pub(super) fn begins(octets: &[u8]) -> bool {
    // Without a name it could be anybody's.
    matches!(next(octets), Part::Control(Control::Start, true, length) if length > 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A control frame with these fields.
    fn control_frame(kind: u32, fields: &[(u32, &[u8])]) -> Vec<u8> {
        let mut body = kind.to_be_bytes().to_vec();
        for (field, value) in fields {
            body.extend(field.to_be_bytes());
            body.extend((value.len() as u32).to_be_bytes());
            body.extend(*value);
        }
        [&[0; 4][..], &(body.len() as u32).to_be_bytes(), &body].concat()
    }

    #[test]
    fn what_is_written_is_read() {
        for kind in Control::ALL {
            let octets = kind.octets();
            assert_eq!(next(&octets), Part::Control(kind, true, octets.len()), "{}", kind.name());
            for length in 0..octets.len() {
                let Part::Wanted(wanted) = next(&octets[..length]) else { panic!("{} cut at {length}", kind.name()) };
                assert!(wanted > length && wanted <= octets.len());
            }
            assert_eq!(begins(&octets), kind == Control::Start);
        }
        assert_eq!(Control::Start.octets(), control_frame(2, &[(1, b"protobuf:dnstap.Dnstap")]));
        assert_eq!(Control::Finish.octets(), [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5]);
    }

    #[test]
    fn content_types() {
        let rows = [
            (vec![], true),
            (vec![&b"other"[..]], false),
            (vec![b"other", b"protobuf:dnstap.Dnstap"], true),
            (vec![b"protobuf:dnstap.Dnstap2"], false),
        ];
        for (types, fits) in rows {
            let fields: Vec<(u32, &[u8])> = types.iter().map(|content| (1, *content)).collect();
            let octets = control_frame(4, &fields);
            assert_eq!(next(&octets), Part::Control(Control::Ready, fits, octets.len()), "{types:?}");
        }
        // A START without a name is no file of ours.
        assert!(!begins(&control_frame(2, &[])) && !begins(&control_frame(2, &[(1, b"other")])));
    }

    #[test]
    fn damage() {
        let mut endless = control_frame(2, &[(1, b"x")]);
        // A field longer than what it is in.
        endless[19] = 200;
        let rows = [
            control_frame(0, &[]),
            control_frame(6, &[]),
            control_frame(2, &[(2, b"x")]),
            control_frame(2, &[(1, &[0; 600])]),
            vec![0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0],
            vec![0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            vec![0xFF, 0xFF, 0xFF, 0xFF],
            ((MAX_FRAME + 1) as u32).to_be_bytes().to_vec(),
            [&[0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 2][..], &[0, 0]].concat(),
            endless,
        ];
        for octets in rows {
            assert!(matches!(next(&octets), Part::Damage(_)), "{octets:?}");
        }
        assert_eq!(next(&(MAX_FRAME as u32).to_be_bytes()), Part::Wanted(4 + MAX_FRAME));
        assert_eq!(next(b"\0\0\0\x02ab?"), Part::Data(b"ab", 6));
    }
}
