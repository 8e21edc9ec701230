//! Charts of a report: what was found by hour, by day, or by longer stretches, as it fits.

use super::super::{Report, Timeline};
use crate::day::Timestamp;
use crate::export::page::{Bar, drawn};

/// Bars of a chart at most: more would be hairs.
const MOST_BARS: u64 = 120;

/// Lengths of a bar in hours, and what they are called.
const LENGTHS: [(u64, &str); 8] = [
    (1, "hour"),
    (24, "day"),
    (24 * 7, "week"),
    (24 * 28, "four weeks"),
    (24 * 364, "year"),
    (24 * 3_640, "ten years"),
    (24 * 36_400, "hundred years"),
    (24 * 364_000, "thousand years"),
];

/// A chart.
pub(super) struct Chart {
    /// What its file is called.
    pub(super) file: &'static str,
    /// What it shows.
    pub(super) title: String,
    /// What its bars count.
    pub(super) unit: &'static str,
    /// Its bars.
    pub(super) bars: Vec<Bar>,
}

/// The charts of a report; none where nothing was found.
pub(super) fn charts(report: &Report) -> Vec<Chart> {
    let Some((timeline, (first, last))) = report.timeline.as_ref().and_then(|timeline| Some((timeline, timeline.span()?))) else {
        return vec![];
    };
    // The time of the packets, where it is not out of proportion: that nothing was found then is a finding too.
    let span = report.captures.iter().filter_map(|capture| capture.span);
    let hours = span.map(|(first, last)| (first.parts().0 / 3_600, last.parts().0 / 3_600));
    let (first, last) =
        hours.filter(|(begin, end)| end - begin <= 24 * 62).fold((first, last), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    let fits = |length: u64| last / length - first / length < MOST_BARS;
    let (length, name) = LENGTHS.into_iter().find(|(length, _)| fits(*length)).unwrap_or(LENGTHS[LENGTHS.len() - 1]);
    let bars = |of: &dyn Fn(u64) -> u64| bars(first, last, length, of);
    let mut charts = vec![Chart {
        file: "messages.svg",
        title: format!("DNS messages with listed names by {name}"),
        unit: "messages",
        bars: bars(&|start| timeline.found(start, length).hits),
    }];
    if timeline.found(first / length * length, length).sources.is_some() {
        charts.push(Chart {
            file: "sources.svg",
            title: format!("Sources that asked for them by {name}"),
            unit: "sources",
            bars: bars(&|start| timeline.found(start, length).sources.unwrap_or(0)),
        });
    }
    charts
}

fn bars(first: u64, last: u64, length: u64, of: &dyn Fn(u64) -> u64) -> Vec<Bar> {
    let count = last / length - first / length + 1;
    // At most eight labels, at round hours where there are hours.
    let step = [1, 2, 3, 6, 12, 24].into_iter().find(|step| count.div_ceil(*step) <= 8).unwrap_or_else(|| count.div_ceil(8));
    (first / length..=last / length)
        .map(|place| {
            let start = place * length;
            let (text, of_day) = (Timestamp::from_parts(start * 3_600, 0).day().to_string(), start % 24);
            let (label, tick) = match length {
                1 if of_day == 0 => (format!("{text} 00:00"), text[5..].to_owned()),
                1 => (format!("{text} {of_day:02}:00"), format!("{of_day:02}:00")),
                _ => (text.clone(), text),
            };
            let labelled = (if length == 1 { of_day } else { place }).is_multiple_of(step);
            Bar { label, value: Some(of(start)), tick: labelled.then_some(tick), midnight: length == 1 && of_day == 0 }
        })
        .collect()
}

/// Hits that the charts do not show, and whether they show all sources.
pub(super) fn incomplete(report: &Report) -> Option<String> {
    let timeline: &Timeline = report.timeline.as_ref()?;
    let mut parts = vec![];
    if timeline.left_out() > 0 {
        parts.push(format!("{} messages are left out: the capture's times are too many.", timeline.left_out()));
    }
    if timeline.crowded {
        parts.push("Sources are too many to tell all apart: the bars are what could be counted.".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The charts as files.
pub(in crate::export::report) fn plots(report: &Report) -> Vec<(&'static str, String)> {
    charts(report).iter().map(|chart| (chart.file, drawn(&format!("{} (UTC)", chart.title), chart.unit, &chart.bars))).collect()
}
