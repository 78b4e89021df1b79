//! How much traffic is normal, and within which time.

use crate::detect::criterion::{Comparison, Criterion};
use crate::detect::judge::{Judgment, is_overlong};
use crate::detect::measured::Measured;
use crate::detect::metric::TRAFFIC;
use crate::detect::profile::{Behavior, DURATIONS, Rule, span};

/// The least that a limit is above what was seen.
const LEAST_HEADROOM: u64 = 5;

/// The behaviors that [`Learner::add`](super::Learner::add) wants judged: each traffic metric over each time that the
/// service accepts, violated by any traffic.
pub(crate) fn questions() -> impl Iterator<Item = Behavior> {
    TRAFFIC.into_iter().flat_map(|metric| {
        DURATIONS.map(|duration| {
            let criterion = Criterion::Bound(Comparison::LessThanEquals, 0.into());
            Behavior::of_rule(Rule {
                metric: metric.clone(),
                criterion,
                duration: Some(duration),
                to_alarm: 1,
                to_clear: 1,
            })
        })
    })
}

/// The sums of one traffic metric over each time in [`DURATIONS`].
#[derive(Debug, Default)]
pub(super) struct Traffic([Sums; DURATIONS.len()]);

/// The sums of traffic over a time.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// The longest that a sum covers, in seconds.
    longest: Option<u64>,
    /// The most in the time, or in less. More could not violate a limit.
    most: u64,
    /// Whether a sum covers the time.
    is_covered: bool,
    /// The most of a report that covers more than the time, but less than twice.
    overlong: Option<u64>,
}

impl Traffic {
    /// Takes in the judgments of [`questions`] on this metric.
    pub(super) fn add(&mut self, judgments: &[&Judgment<'_>]) {
        for ((sums, duration), judgment) in self.0.iter_mut().zip(DURATIONS).zip(judgments) {
            sums.add(judgment, duration);
        }
    }

    /// The most traffic and the time that it is in: the shortest time that a sum covers, otherwise the longest that a report
    /// exceeds by less than twice.
    pub(super) fn most(&self) -> Option<(u64, u64)> {
        let sums = || self.0.iter().zip(DURATIONS);
        let covered = sums().find(|(sums, _)| sums.is_covered).map(|(sums, duration)| (sums.most, duration));
        let overlong =
            || sums().filter_map(|(sums, duration)| Some((sums.overlong?.max(sums.most), duration))).next_back();
        covered.or_else(overlong)
    }

    /// Why no time that the service accepts fits the reports; `None` if it is not known what time they cover.
    pub(super) fn wrong_time(&self) -> Option<String> {
        let [shortest, .., longest] = DURATIONS;
        let covered = span(self.0.iter().filter_map(|sums| sums.longest).max()?);
        let [first, ..] = &self.0;
        Some(if first.longest < Some(shortest) {
            format!("the traffic is known for only {covered}, less than {}", span(shortest))
        } else {
            format!(
                "the traffic is known only for {covered} at once; the service sums it over {} at most",
                span(longest)
            )
        })
    }
}

impl Sums {
    /// Takes in the judgment on a limit of 0 within `duration`. What violates it could violate any limit.
    fn add(&mut self, judgment: &Judgment<'_>, duration: u64) {
        let Some(Measured::Number(number)) = judgment.measured.as_deref() else { return };
        let (Some(count), Some(seconds)) = (number.as_u64(), judgment.covers) else { return };
        self.longest = self.longest.max(Some(seconds));
        if !is_overlong(seconds, duration) {
            self.most = self.most.max(count);
            self.is_covered |= seconds + 1 >= duration; // IDs are whole seconds, so one may be missing
        } else if seconds < 2 * duration {
            self.overlong = self.overlong.max(Some(count));
        }
    }
}

/// A limit above a number: half as much again and at least 5 more, rounded up to two digits.
pub(super) fn headroom(most: u64) -> u64 {
    let limit = most.saturating_add((most / 2).max(LEAST_HEADROOM));
    let mut unit = 1_u64;
    while limit / unit >= 100 {
        unit *= 10;
    }
    limit.div_ceil(unit).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_above_what_was_seen() {
        for (most, limit) in [(0, 5), (1, 6), (7, 12), (10, 15), (66, 99), (67, 100), (100, 150), (12_345, 19_000)] {
            assert_eq!(headroom(most), limit, "{most}");
        }
        for most in [u64::MAX, u64::MAX - 1, u64::MAX / 2, u64::MAX / 3 * 2] {
            assert!(headroom(most) >= most, "{most}");
        }
    }
}
