//! When `watch` reports: pure, with the time and the random numbers given to it.
//!
//! - The service wants an interval between two arrivals ("Sending metrics from devices": one report every 5 minutes). So a
//!   cycle never begins within an interval of the last PUBLISH.
//! - Apart from that, reports are due at ticks one interval apart, which move when a report was sent late. Ticks that were
//!   missed are skipped.
//! - A cycle that ended before its PUBLISH is tried again after a random time, which grows with every try ("exponential
//!   backoff and jitter"), but never beyond the next tick. A cycle that sent its PUBLISH waits for the next tick, whatever
//!   the answer was.
//!
//! Times are durations on a clock that never steps and counts the time the machine is suspended (`CLOCK_BOOTTIME`).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::time::parse_duration;

/// The shortest time to the next try.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest time to the next try.
const LONGEST: Duration = Duration::from_secs(128);

/// Parses the time between two reports, at least 1 ms: seconds, as the connector had them, or a duration.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        interval if interval < Duration::from_millis(1) => Err("an interval is at least 1ms".to_owned()),
        interval => Ok(interval),
    }
}

/// The first moment from `now` on that is `splay` after a multiple of `interval`. A restart thus keeps the ticks it had,
/// although nothing was sent that the state file could have.
pub fn first_tick(now: Duration, splay: Duration, interval: Duration) -> Duration {
    let ahead = splay.checked_sub(now).unwrap_or_else(|| {
        let passed = now.saturating_sub(splay).as_nanos().checked_rem(interval.as_nanos()).unwrap_or_default();
        let passed = u64::try_from(passed).map_or(Duration::ZERO, Duration::from_nanos);
        if passed.is_zero() { Duration::ZERO } else { interval.saturating_sub(passed) }
    });
    now.saturating_add(ahead)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
    /// The tick that the present or next cycle belongs to.
    tick: Duration,
    /// When the next cycle begins: at the tick, or between two for another try.
    due: Duration,
    /// How often it was tried since the last PUBLISH.
    tries: u32,
}

impl Schedule {
    /// Begins at `start`, or an interval after `last_publish` if that is later. An interval of 0 counts as a nanosecond.
    pub fn new(interval: Duration, start: Duration, last_publish: Option<Duration>) -> Self {
        let interval = interval.max(Duration::from_nanos(1));
        let earliest = last_publish.map_or(Duration::ZERO, |last| last.saturating_add(interval));
        let tick = start.max(earliest);
        Self { interval, tick, due: tick, tries: 0 }
    }

    pub fn due(&self) -> Duration {
        self.due
    }

    /// Another run's PUBLISH was written at `at`. Whether the next cycle has to wait for it.
    pub fn postpone(&mut self, at: Duration) -> bool {
        let earliest = at.saturating_add(self.interval);
        let is_early = self.due < earliest;
        if is_early {
            (self.tick, self.due) = (earliest, earliest);
        }
        is_early
    }

    /// A cycle ended at `now`, and its PUBLISH was written at `at`.
    pub fn published(&mut self, at: Duration, now: Duration) {
        self.tries = 0;
        self.tick = self.tick_after(now).max(at.saturating_add(self.interval));
        self.due = self.tick;
    }

    /// A cycle ended at `now` before its PUBLISH was written. `random` is anything from 0 up to, not including, 1.
    pub fn not_published(&mut self, now: Duration, random: f64) {
        let most = SHORTEST.saturating_mul(2_u32.saturating_pow(self.tries.saturating_add(1))).min(LONGEST);
        let jitter = most.saturating_sub(SHORTEST).mul_f64(random.clamp(0.0, 1.0));
        self.tries = self.tries.saturating_add(1);
        let again = now.saturating_add(SHORTEST).saturating_add(jitter);
        let next_tick = self.tick_after(now);
        self.due = again.min(next_tick);
        if self.due == next_tick {
            self.tick = next_tick;
        }
    }

    fn tick_after(&self, now: Duration) -> Duration {
        let Some(passed) = now.checked_sub(self.tick) else { return self.tick };
        let ticks = passed.as_nanos().checked_div(self.interval.as_nanos()).unwrap_or_default().saturating_add(1);
        let ahead = self.interval.as_nanos().saturating_mul(ticks);
        self.tick.saturating_add(u64::try_from(ahead).map_or(Duration::MAX, Duration::from_nanos))
    }
}

/// The default splay: less than an interval, the same for a thing at every start of one version of this program, and spread
/// evenly over many things, so that a fleet that boots together does not report together.
pub fn default_splay(thing_name: &str, interval: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    thing_name.hash(&mut hasher);
    let spread = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(hasher.finish().checked_rem(spread).unwrap_or_default())
}
