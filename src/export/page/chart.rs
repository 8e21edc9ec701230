//! Bars over time: in a page, where labels are text that stays readable at any width, and as a picture by itself.

use maud::{Markup, PreEscaped, html};

use super::super::report::grouped;

/// One bar.
pub(in crate::export) struct Bar {
    /// What it stands for, in full.
    pub(in crate::export) label: String,
    /// How high it is; none where nothing was counted.
    pub(in crate::export) value: Option<u64>,
    /// What stands below it on the axis, if anything.
    pub(in crate::export) tick: Option<String>,
    /// Whether a day begins with it.
    pub(in crate::export) midnight: bool,
}

/// Units of the picture in a page; it is stretched.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 120.0;

/// The share of its place that a bar takes.
const FILLED: f64 = 0.78;

/// The top of an axis: 1, 2 or 5 times a power of ten, at least `most`, and even, so that its middle is a number too.
fn top(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [2, 4, 10] {
            if power.saturating_mul(step) >= most {
                return power.saturating_mul(step);
            }
        }
        power = power.saturating_mul(10);
    }
}

fn most(bars: &[Bar]) -> u64 {
    bars.iter().filter_map(|bar| bar.value).max().unwrap_or(0)
}

fn told(bar: &Bar, unit: &str) -> String {
    bar.value.map_or_else(|| format!("{}: not counted", bar.label), |value| format!("{}: {} {unit}", bar.label, grouped(value)))
}

/// A chart in a page, with the same numbers as a table for whoever does not see it.
pub(in crate::export) fn bars(title: &str, unit: &str, bars: &[Bar]) -> Markup {
    let top = top(most(bars));
    let place = WIDTH / bars.len().max(1) as f64;
    let number = |value: f64| PreEscaped(format!("{value:.2}"));
    html! {
        figure.chart {
            div.y aria-hidden="true" { span { (grouped(top)) } span { (grouped(top / 2)) } span { "0" } }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label={ (title) ". " (outline(unit, bars)) } {
                @for height in [0.0, HEIGHT / 2.0, HEIGHT] {
                    line.grid x1="0" x2=(WIDTH) y1=(height) y2=(height) {}
                }
                @for (at, bar) in bars.iter().enumerate() {
                    @let left = place * at as f64;
                    @let value = bar.value.unwrap_or(0);
                    // What is there is seen.
                    @let height = if value == 0 { 0.0 } else { (HEIGHT * value as f64 / top as f64).max(1.5) };
                    @if bar.midnight && at > 0 {
                        line.midnight x1=(number(left)) x2=(number(left)) y1="0" y2=(HEIGHT) {}
                    }
                    @if bar.value.is_none() {
                        rect.none x=(number(left)) y="0" width=(number(place)) height=(HEIGHT) {}
                    } @else if value > 0 {
                        rect.bar x=(number(left + place * (1.0 - FILLED) / 2.0)) y=(number(HEIGHT - height))
                            width=(number(place * FILLED)) height=(number(height)) {}
                    }
                    rect.hit x=(number(left)) y="0" width=(number(place)) height=(HEIGHT) { title { (told(bar, unit)) } }
                }
            }
            div.x aria-hidden="true" {
                @for (piece, rare) in ticks(bars) { span class={ @if rare { "rare" } } { (piece) } }
            }
        }
    }
}

/// Labels at even places of the axis: those of the bars that have one, and whether a narrow page does without it.
fn ticks(bars: &[Bar]) -> Vec<(&str, bool)> {
    // One element for each stretch from a label to the next would need widths in a style; equal stretches do not.
    let places: Vec<usize> = bars.iter().enumerate().filter(|(_, bar)| bar.tick.is_some()).map(|(at, _)| at).collect();
    let step = places.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(bars.len()).max(1);
    let first = places.first().map_or(0, |first| first % step);
    // Where the first label is not at the beginning, all places are told, most of them empty.
    let by = if first == 0 && bars.len().is_multiple_of(step) { step } else { 1 };
    let mut labels = 0;
    let label = |bar: &'_ Bar| bar.tick.is_some().then(|| labels += 1).is_some() && labels % 2 == 0;
    let rare: Vec<bool> = bars.iter().step_by(by).map(label).collect();
    bars.iter().step_by(by).map(|bar| bar.tick.as_deref().unwrap_or_default()).zip(rare).collect()
}

/// A chart in one sentence.
fn outline(unit: &str, bars: &[Bar]) -> String {
    let counted = || bars.iter().filter_map(|bar| Some((bar, bar.value?)));
    let Some((peak, most)) = counted().max_by_key(|(_, value)| *value).filter(|(_, most)| *most > 0) else {
        return format!("No {unit}.");
    };
    let latest = counted().next_back().map_or(0, |(_, value)| value);
    format!("Most: {} {unit} ({}); the latest: {}.", grouped(most), peak.label, grouped(latest))
}

/// The picture by itself, and the frame in it: left, top, width, height.
const PICTURE: (f64, f64) = (960.0, 360.0);
const FRAME: (f64, f64, f64, f64) = (72.0, 56.0, 864.0, 252.0);

/// A chart as an SVG file.
pub(in crate::export) fn drawn(title: &str, unit: &str, bars: &[Bar]) -> String {
    let (left, upper, width, height) = FRAME;
    let (top, place) = (top(most(bars)), width / bars.len().max(1) as f64);
    let number = |value: f64| PreEscaped(format!("{value:.2}"));
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (PICTURE.0) " " (PICTURE.1) } width=(PICTURE.0) height=(PICTURE.1)
            font-family="system-ui, sans-serif" font-size="13" role="img" {
            title { (title) }
            desc { (outline(unit, bars)) }
            rect width="100%" height="100%" fill="#ffffff" {}
            text x=(left) y="30" font-size="17" font-weight="600" fill="#16191d" { (title) }
            @for (share, value) in [(0.0, 0), (0.5, top / 2), (1.0, top)] {
                @let y = upper + height * (1.0 - share);
                line x1=(left) x2=(left + width) y1=(number(y)) y2=(number(y)) stroke="#e1e4e8" {}
                text x=(left - 10.0) y=(number(y + 4.5)) text-anchor="end" fill="#5a626c" { (grouped(value)) }
            }
            @for (at, bar) in bars.iter().enumerate() {
                @let x = left + place * at as f64;
                @let tall = height * bar.value.unwrap_or(0) as f64 / top as f64;
                @if bar.midnight && at > 0 {
                    line x1=(number(x)) x2=(number(x)) y1=(upper) y2=(upper + height) stroke="#9aa3ad" stroke-dasharray="3 3" {}
                }
                @if tall > 0.0 {
                    rect x=(number(x + place * (1.0 - FILLED) / 2.0)) y=(number(upper + height - tall.max(1.5)))
                        width=(number(place * FILLED)) height=(number(tall.max(1.5))) fill="#c9553b" { title { (told(bar, unit)) } }
                }
                @if let Some(tick) = &bar.tick {
                    text x=(number(x)) y=(upper + height + 22.0) fill="#5a626c" { (tick) }
                }
            }
        }
    };
    picture.into_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_any_height() {
        let tops = [0, 1, 2, 3, 5, 10, 11, 40, 41, 999, 1_001, u64::MAX].map(top);
        assert_eq!(tops, [2, 2, 2, 4, 10, 10, 20, 40, 100, 1_000, 2_000, u64::MAX]);
        assert!((0..10_000).all(|most| top(most) >= most && top(most).is_multiple_of(2) && top(most) <= (5 * most / 2).max(2)));
    }

    #[test]
    fn nothing_much_and_hostile() {
        let bar = |label: &str, value, tick: Option<&str>| Bar {
            label: label.to_owned(),
            value,
            tick: tick.map(str::to_owned),
            midnight: true,
        };
        for all in [
            vec![],
            vec![bar("a", None, None)],
            vec![bar("a", Some(0), Some("x")), bar("b", Some(0), None)],
            vec![bar("<script>", Some(u64::MAX), Some("<b>\"")), bar("]]>", Some(1), None), bar("'", None, Some("&"))],
        ] {
            for text in [bars("t <i>", "u <u>", &all).into_string(), drawn("t <i>", "u <u>", &all)] {
                assert!(!text.contains("NaN") && !text.contains("inf") && text.contains("t &lt;i&gt;"), "{text}");
                for markup in ["<script", "<b>", "<i>", "<u>", "style="] {
                    assert!(!text.contains(markup), "{markup}: {text}");
                }
            }
        }
        let chart = bars("t", "queries", &[bar("one", Some(3), None), bar("two", Some(1), None)]).into_string();
        assert!(chart.contains("Most: 3 queries (one); the latest: 1."), "{chart}");
        assert_eq!(chart.matches("class=\"bar\"").count(), 2);
        // Labels where they belong: at even places, or each with its bar.
        let hours: Vec<Bar> = (0..48).map(|at| bar("", Some(at), (at % 6 == 0).then_some("h"))).collect();
        assert_eq!(ticks(&hours), [("h", false), ("h", true)].repeat(4));
        assert_eq!(ticks(&hours[1..]).len(), 47);
        assert_eq!(ticks(&hours[1..]).iter().position(|(tick, _)| !tick.is_empty()), Some(5));
    }
}
