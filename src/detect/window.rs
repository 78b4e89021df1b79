//! The traffic of one metric of one device, summed over windows of time.
//!
//! The ends of the reports are points in time. Each has the running total of the traffic up to it, so the sum between two
//! points is one subtraction, and the point where a window begins is found by binary search. Up to [`MAX_POINTS`] reports
//! within the longest window are kept as they came. Of more, neighbors are merged by dropping the point between them: then
//! the sums from that point are missing, and the sums from the points before and after it remain exact.

/// The most points of a series, 8 KiB of memory.
pub(super) const MAX_POINTS: usize = 512;

/// The longest report that is part of a sum, in seconds, 68 years. Longer ones would not fit [`Point::time`].
const MAX_SECONDS: u64 = 1 << 31;

/// Consecutive reports that all have the metric, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    points: Vec<Point>,
}

/// The end of a report, and the beginning of the next. Their times rise.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// What was counted up to here since some point before; only differences mean something.
    total: u64,
    /// Seconds since 1970, modulo 2^32.
    time: u32,
    /// Whether the report that begins here covers more than 2 seconds.
    is_long: bool,
}

/// The traffic between a point and the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) count: u64,
    pub(super) seconds: u64,
}

impl Series {
    /// Adds a report that ends at `until`. `since` is the end of the report before, and `None` if unknown. `longest` is the
    /// longest window in seconds: what is older is dropped. `count` is `None` if the report does not have the metric.
    pub(super) fn add(&mut self, since: Option<u64>, until: u64, count: Option<u64>, longest: u64) {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "modulo 2^32")]
        let time = until as u32;
        let seconds = since.and_then(|since| until.checked_sub(since)).filter(|&seconds| seconds <= MAX_SECONDS);
        let total = seconds.zip(count).and_then(|(seconds, count)| self.total_after(seconds, count));
        if total.is_none() {
            self.points.clear();
        }
        let outside = self.points.partition_point(|point| u64::from(time.wrapping_sub(point.time)) >= longest);
        self.points.drain(..outside.saturating_sub(1));
        if self.points.capacity() == 0 {
            // Enough for one report in a window. A fleet has millions of series.
            self.points.reserve_exact(3);
        }
        self.points.push(Point { total: total.unwrap_or(0), time, is_long: false });
        if self.points.len() > MAX_POINTS {
            self.merge(time);
        }
    }

    pub(super) fn clear(&mut self) {
        self.points.clear();
    }

    /// The total after a report of so many seconds; `None` if the series is empty.
    fn total_after(&mut self, seconds: u64, count: u64) -> Option<u64> {
        self.points.last_mut()?.is_long = seconds > 2;
        loop {
            if let Some(total) = self.points.last()?.total.checked_add(count) {
                return Some(total);
            }
            // More than 2^64: totals count from the oldest point again, and without it if they did so already.
            if self.points.first()?.total == 0 {
                self.points.remove(0);
            }
            let before = self.points.first()?.total;
            self.points.iter_mut().for_each(|point| point.total -= before);
        }
    }

    /// Drops the point whose loss widens the sums least, in proportion to the time that they cover.
    fn merge(&mut self, now: u32) {
        let widening = |points: &[Point]| {
            let &[before, _, after] = points else { return f64::INFINITY };
            f64::from(after.time.wrapping_sub(before.time)) / f64::from(now.wrapping_sub(before.time))
        };
        let costs = self.points.windows(3).map(widening).enumerate();
        if let Some((before, _)) = costs.min_by(|(_, a), (_, b)| a.total_cmp(b)) {
            self.points.remove(before + 1);
        }
    }

    /// The longest sum that covers less than `wanted` seconds, and the shortest that does not.
    ///
    /// IDs are whole seconds: two reports that are 300 s apart may have IDs that are 299 apart. A second that is missing for
    /// this reason must not bring the whole report before into the sum, so then less is enough.
    pub(super) fn sums(&self, wanted: u64) -> [Option<Sum>; 2] {
        let Some((end, begins)) = self.points.split_last() else { return [None; 2] };
        let seconds = |begin: &Point| u64::from(end.time.wrapping_sub(begin.time));
        let sum = |begin: &Point| Sum { count: end.total - begin.total, seconds: seconds(begin) };
        let is_enough = |begin: &Point| seconds(begin) >= wanted || (begin.is_long && seconds(begin) + 1 == wanted);
        let (enough, less) = begins.split_at(begins.partition_point(is_enough));
        [less.first().map(sum), enough.last().map(sum)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 1_700_000_000;

    /// A series of one report with a count of 1 every second, and the most points that it had.
    fn dense(seconds: u64, longest: u64) -> (Series, usize) {
        let (mut series, mut most) = (Series::default(), 0);
        for until in BASE..=BASE + seconds {
            series.add((until > BASE).then(|| until - 1), until, Some(1), longest);
            most = most.max(series.points.len());
        }
        (series, most)
    }

    #[test]
    fn memory_is_bounded_and_a_sum_of_merged_reports_covers_at_most_a_20th_more() {
        for longest in [300, 3600, 9000] {
            let (series, most) = dense(10_000, longest);
            assert!(most <= MAX_POINTS, "{most}");
            assert!(series.points.capacity() <= 2 * MAX_POINTS, "{}", series.points.capacity());
            for wanted in (1..=longest).step_by(7) {
                let [_, enough] = series.sums(wanted);
                let Sum { count, seconds } = enough.unwrap();
                assert_eq!(count, seconds, "a sum is what was counted in its time");
                assert!((wanted..=wanted + wanted / 20).contains(&seconds), "{seconds} for {wanted}");
            }
        }
        assert_eq!(size_of::<Point>(), 16);
    }

    #[test]
    fn up_to_the_most_points_every_sum_is_exact() {
        let longest = u64::try_from(MAX_POINTS).unwrap() - 1;
        let (series, _) = dense(5000, longest);
        for wanted in 1..=longest {
            assert_eq!(series.sums(wanted)[1], Some(Sum { count: wanted, seconds: wanted }));
        }
    }

    #[test]
    fn a_sum_beyond_64_bits_covers_less() {
        let mut series = Series::default();
        let reports = [(1, 0), (2, u64::MAX - 1), (3, 1), (4, 1), (5, 7)];
        for (until, count) in reports {
            series.add((until > 1).then(|| BASE + until - 1), BASE + until, Some(count), 3600);
        }
        assert_eq!(series.sums(3600), [Some(Sum { count: 9, seconds: 3 }), None]);
    }
}
