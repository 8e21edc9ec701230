//! What the sensor's page and the report as HTML share: the look, charts, figures for people.
//!
//! All markup is made by maud, which escapes whatever is put into it. Nothing has a style or a script of its own: both are
//! files, or elements whose digest the page's Content-Security-Policy names.

mod chart;
mod families;

pub(super) use self::chart::{Bar, bars, drawn};
pub(super) use self::families::{FamilyRow, days, families};

use maud::{Markup, html};

use super::report::grouped;
use crate::day::Timestamp;
use crate::ledger::Verdict;

/// The look.
pub(super) const STYLE: &str = include_str!("page.css");

/// A share for people: `0.02 %`; what is there is never shown as nothing, and a share of nothing is none.
pub fn share(part: u64, whole: u64) -> String {
    if part == 0 {
        return "0 %".to_owned();
    }
    if whole == 0 {
        return "–".to_owned();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    match percent {
        ..0.01 => "under 0.01 %".to_owned(),
        ..10.0 => format!("{percent:.2} %"),
        _ => format!("{percent:.0} %"),
    }
}

/// `2009-03-31 20:41:07`, UTC.
pub fn second(time: Timestamp) -> String {
    time.to_string()[..19].replace('T', " ")
}

/// `3 min ago`.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.parts().0.saturating_sub(time.parts().0);
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// `2009-03-31 20:41`, UTC.
pub(super) fn minute(time: Timestamp) -> String {
    second(time)[..16].to_owned()
}

/// `1 source`, `2,000 sources`.
pub(super) fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { more })
}

/// A verdict, as it stands out.
pub(super) fn verdict(verdict: Verdict) -> Markup {
    let infected = verdict == Verdict::Infected;
    html! { span class={ "verdict" @if infected { " infected" } } { (verdict.label()) } }
}

/// A large figure and what it counts.
pub(super) fn figure(count: u64, alarm: bool, what: &str, more: &str) -> Markup {
    html! {
        div {
            span class={ "figure" @if count == 0 { " zero" } @else if alarm { " alarm" } } { (grouped(count)) }
            span.what { (what) }
            span.note { (more) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        let shares = [(0, 0), (1, 0), (0, 5), (1, 1_000_000), (1, 5_000), (1, 3), (9, 100), (10, 100), (5, 5)]
            .map(|(part, whole)| share(part, whole));
        assert_eq!(shares, ["0 %", "–", "0 %", "under 0.01 %", "0.02 %", "33 %", "9.00 %", "10 %", "100 %"]);
        assert_eq!(second(Timestamp::from_parts(1_238_493_600, 5)), "2009-03-31 10:00:00");
        assert_eq!((counted(1, "a", "as"), counted(2_000, "a", "as")), ("1 a".to_owned(), "2,000 as".to_owned()));
        let shown = figure(3, true, "<b>", "&").into_string();
        assert!(shown.contains("figure alarm") && shown.contains("&lt;b&gt;") && shown.contains("&amp;"), "{shown}");
    }
}
