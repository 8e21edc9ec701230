//! Curves of shares over numbers, drawn with letters and as SVG: a logarithmic axis from 1 on, and one from 0 to 100 %.

use std::io::{self, Write};

/// A curve: its mark on a terminal, its colour, what it is, and its value at a number.
pub(super) struct Curve<'a> {
    pub(super) mark: char,
    pub(super) colour: &'a str,
    pub(super) title: &'a str,
    pub(super) value: &'a dyn Fn(u64) -> f64,
}

/// Columns and rows on a terminal.
const COLUMNS: usize = 61;
const ROWS: usize = 10;

/// The number at a place of the axis, both ends included.
fn number(place: usize, places: usize, most: u64) -> u64 {
    let share = place as f64 / (places - 1) as f64;
    ((most as f64).powf(share).round() as u64).clamp(1, most)
}

/// The powers of ten of the axis, with their place from 0 to 1.
fn ticks(most: u64) -> impl Iterator<Item = (u64, f64)> {
    let whole = (most.max(2) as f64).ln();
    (0..).map(|power| 10_u64.pow(power)).take_while(move |tick| *tick <= most).map(move |tick| (tick, (tick as f64).ln() / whole))
}

/// Draws with letters; where curves meet, the first is seen.
pub(super) fn terminal(curves: &[Curve<'_>], most: u64, axis: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![[' '; COLUMNS]; ROWS + 1];
    for curve in curves.iter().rev() {
        for (column, place) in (0..COLUMNS).map(|column| (column, number(column, COLUMNS, most))) {
            let height = ((curve.value)(place).clamp(0.0, 1.0) * ROWS as f64).round() as usize;
            rows[ROWS - height][column] = curve.mark;
        }
    }
    for (row, marks) in rows.iter().enumerate() {
        let line: String = marks.iter().collect();
        writeln!(out, "{:>5} % |{}", 100 - 100 * row / ROWS, line.trim_end())?;
    }
    let mut labels = [b' '; COLUMNS + 12];
    for (tick, place) in ticks(most) {
        let at = (place * (COLUMNS - 1) as f64).round() as usize;
        let text = tick.to_string();
        labels[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let labels = String::from_utf8_lossy(&labels).into_owned();
    let keys: Vec<String> = curves.iter().map(|curve| format!("{} {}", curve.mark, curve.title)).collect();
    writeln!(out, "        +{}\n         {}\n         {axis}; {}", "-".repeat(COLUMNS), labels.trim_end(), keys.join(", "))
}

/// The picture, and the frame in it: left, top, width, height.
const PICTURE: (u32, u32) = (720, 420);
const FRAME: (f64, f64, f64, f64) = (60.0, 50.0, 630.0, 310.0);
const STEPS: usize = 181;

/// Draws as SVG. Titles are of this program's own making or plain identifiers; all the same they are escaped.
pub(super) fn svg(heading: &str, curves: &[Curve<'_>], most: u64, axis: &str, out: &mut dyn Write) -> io::Result<()> {
    let (left, top, width, height) = FRAME;
    let (bottom, right) = (top + height, left + width);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">",
        PICTURE.0, PICTURE.1
    )?;
    writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>")?;
    writeln!(out, "<text x=\"{left}\" y=\"24\" font-size=\"15\">{}</text>", escaped(heading))?;
    for percent in (0..=100).step_by(20) {
        let y = bottom - height * f64::from(percent) / 100.0;
        writeln!(out, "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>")?;
        writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>", left - 8.0, y + 4.0)?;
    }
    for (tick, place) in ticks(most) {
        let x = left + width * place;
        writeln!(out, "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>")?;
        writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>", bottom + 18.0)?;
    }
    for (row, curve) in curves.iter().enumerate() {
        let points = (0..STEPS).map(|step| {
            let x = left + width * step as f64 / (STEPS - 1) as f64;
            let y = bottom - height * (curve.value)(number(step, STEPS, most)).clamp(0.0, 1.0);
            format!("{x:.1},{y:.1}")
        });
        let (points, colour) = (points.collect::<Vec<_>>().join(" "), escaped(curve.colour));
        writeln!(out, "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>")?;
        let (x, title) = (left + 110.0 * row as f64, escaped(curve.title));
        writeln!(out, "<text x=\"{x:.1}\" y=\"42\" fill=\"{colour}\">{title}</text>")?;
    }
    let middle = left + width / 2.0;
    writeln!(out, "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n</svg>", bottom + 42.0, escaped(axis))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_any_length() {
        let share = |number: u64| number as f64 / 1e9;
        for most in [1, 2, 9, 10, 250, 50_000, 1_000_000_000] {
            let curves = [Curve { mark: '*', colour: "red", title: "a <day>", value: &share }];
            let mut out = vec![];
            terminal(&curves, most, "names", &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.lines().count(), ROWS + 4, "{text}");
            assert!(text.contains("100 % |") && text.contains("\n         1"), "{text}");
            let mut out = vec![];
            svg("x & y", &curves, most, "names", &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n") && text.contains("a &lt;day&gt;"), "{text}");
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
        assert_eq!((number(0, 61, 50_000), number(60, 61, 50_000)), (1, 50_000));
    }
}
