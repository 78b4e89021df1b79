//! Formats readings as rows of a Markdown table.

use std::time::Duration;

use crate::measure::Reading;
use crate::scale::Scale;

/// The two header lines.
pub(crate) const HEAD: &str = "\
| scale | sockets | hash | command | runs | cpu | to cat | middle half | wall | peak |
|---|--:|--:|---|--:|--:|--:|--:|--:|--:|";

/// What the rows of a scale have in common.
pub(crate) struct RowContext<'r> {
    pub(crate) scale: &'r Scale,
    /// The number of buckets of the connection hash.
    pub(crate) hash: Option<u32>,
    /// The runs of `cat`.
    pub(crate) cat: &'r [Reading],
    /// The memory peak of the measuring process; a lower one cannot be measured.
    pub(crate) least_peak_kib: u32,
}

/// The row of a command.
pub(crate) fn row(name: &str, readings: &[Reading], context: &RowContext<'_>) -> String {
    let RowContext { scale, hash, cat, least_peak_kib } = context;
    let milliseconds = |time: fn(&Reading) -> Duration| {
        let median = Spread::of(readings.iter().map(|reading| time(reading).as_secs_f64())).median * 1e3;
        format!("{median:.*} ms", if median < 100.0 { 2 } else { 0 })
    };
    let cpu = milliseconds(|reading| reading.cpu);
    let wall = milliseconds(|reading| reading.wall);
    let ratio = Spread::of(readings.iter().zip(*cat).map(|(ours, cat)| ours.cpu.div_duration_f64(cat.cpu)));
    let peak = Spread::of(readings.iter().map(|reading| f64::from(reading.peak_kib))).median;
    let least = f64::from(*least_peak_kib);
    let at_most = if peak > least * 1.05 { "" } else { "≤ " };
    let peak = peak.max(least) * 1024.0 / 1e6;
    let hash = hash.map_or_else(|| "?".to_owned(), |buckets| buckets.to_string());
    let (scale, sockets, runs) = (scale.name, scale.sockets(), readings.len());
    let Spread { lower, median, upper } = ratio;
    format!(
        "| {scale} | {sockets} | {hash} | {name} | {runs} | {cpu} | {median:.2} | {lower:.2} to {upper:.2} | {wall} \
         | {at_most}{peak:.1} MB |"
    )
}

/// Median and quartiles.
struct Spread {
    lower: f64,
    median: f64,
    upper: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self {
            lower: at(last / 4),
            median: f64::midpoint(at(last / 2), at(last - last / 2)),
            upper: at(last - last / 4),
        }
    }
}
