//! Addresses that change: how many are live at once, from counts of different addresses in windows of different lengths.
//!
//! A window shorter than a cycle misses hosts that sleep, a longer one counts hosts that change their address again and again.
//! The line through the counts, read at one cycle, has neither. The ratio of a day's count to an hour's is no measure of
//! change: it is 2.9 where nothing changes, as hosts ask every three hours.

/// Live addresses within one cycle of so many seconds: the weighted line through mean counts of different addresses, as
/// (window in seconds, count), read at the cycle's length. Each count weighs as much as its relative error says. Nothing
/// without two different windows.
pub fn live(windows: &[(f64, f64)], cycle: f64) -> Option<f64> {
    let counted = windows.iter().filter(|(_, count)| *count > 0.0);
    let (mut weight, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (window, count) in counted {
        let w = 1.0 / count;
        weight += w;
        x += w * window;
        y += w * count;
        xx += w * window * window;
        xy += w * window * count;
    }
    let spread = weight.mul_add(xx, -x * x);
    if spread <= 1e-9 * weight * xx {
        return None;
    }
    let slope = weight.mul_add(xy, -x * y) / spread;
    Some(slope.mul_add(cycle, slope.mul_add(-x, y) / weight))
}

/// How much addresses change: different addresses of a week for each of a day. About 1 where they stay, 2.5 to 7 where
/// hosts get new ones.
pub fn churn(week: f64, day: f64) -> Option<f64> {
    (day > 0.0).then_some(week / day)
}
