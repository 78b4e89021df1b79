//! The phases of a delivery, and how long each may take.

use std::fmt;
use std::time::Duration;

use humantime::format_duration;
use tokio::time::Instant;

/// The longest that a phase before the PUBLISH may take, unless the timeout is long.
const PHASE_LIMIT: Duration = Duration::from_secs(10);

/// The part of a long timeout that a phase before the PUBLISH may take: slow links need longer than [`PHASE_LIMIT`].
const PHASE_PART: u32 = 3;

/// A part of a delivery. Every message about a delivery names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The socket of a Greengrass nucleus.
    Socket,
    Lookup,
    Tcp,
    Tls,
    Connect,
    Subscribe,
    Publish,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "IPC",
            Self::Lookup => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Connect => "CONNECT",
            Self::Subscribe => "SUBSCRIBE",
            Self::Publish => "PUBLISH",
        })
    }
}

/// Measures and limits a running phase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PhaseTimer {
    pub(crate) phase: Phase,
    start: Instant,
    pub(crate) deadline: Instant,
    /// The most that the whole delivery may take.
    timeout: Duration,
    /// Whether the phase may take all that is left of the timeout.
    is_last: bool,
}

impl PhaseTimer {
    /// Starts a phase of a delivery that may take `timeout`, and must be over at `deadline`.
    pub(crate) fn start(phase: Phase, timeout: Duration, deadline: Instant) -> Self {
        let start = Instant::now();
        let limit = start.checked_add(limit(timeout)).unwrap_or(start);
        let is_last = phase == Phase::Publish || limit >= deadline;
        Self { phase, start, deadline: if is_last { deadline } else { limit }, timeout, is_last }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// The time since the start, for people.
    pub(crate) fn took(self) -> String {
        format_elapsed(self.elapsed())
    }

    /// That the phase is over without an answer: how long it was waited for, and which limit ended it.
    pub(crate) fn timed_out(self) -> String {
        let timeout = format_duration(self.timeout);
        if self.had_no_time() {
            format!("no time was left for it; --timeout {timeout} is over")
        } else if self.is_last {
            format!("no answer within {}; --timeout {timeout} is over", self.took())
        } else {
            format!("no answer within {}, the limit of a phase with --timeout {timeout}", self.took())
        }
    }

    /// Whether the deadline was over before the phase began.
    pub(crate) fn had_no_time(self) -> bool {
        self.deadline <= self.start
    }
}

/// The longest that a phase before the PUBLISH may take; the answer gets what is left of the timeout.
fn limit(timeout: Duration) -> Duration {
    PHASE_LIMIT.max(timeout / PHASE_PART)
}

/// A measured time, for people: to the millisecond, from 10 s on to the second.
pub(crate) fn format_elapsed(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".to_owned(),
        milliseconds @ 1..=9_999 => format!("{milliseconds} ms"),
        _ => format!("{} s", duration.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_may_take_10_s_or_a_third_of_the_timeout() {
        let start = Instant::now();
        for (timeout, expected) in [(1, 10), (30, 10), (31, 10), (60, 20), (120, 40), (600, 200)] {
            let limit = limit(Duration::from_secs(timeout));
            assert_eq!(limit.as_secs(), expected, "--timeout {timeout}s");
        }
        let timer = |phase, left| {
            let deadline = start.checked_add(Duration::from_secs(left)).unwrap();
            let timer = PhaseTimer::start(phase, Duration::from_secs(120), deadline);
            (timer.deadline == deadline, timer.timed_out())
        };
        assert!(!timer(Phase::Tls, 100).0, "the phase ends first");
        assert!(timer(Phase::Tls, 30).0, "no phase may exceed the timeout");
        assert!(timer(Phase::Publish, 100).0, "the answer may take all that is left");
    }

    #[test]
    fn the_limit_that_ended_a_phase_is_named_with_its_flag() {
        let start = Instant::now().checked_sub(Duration::from_secs(40)).unwrap();
        let timeout = Duration::from_secs(120);
        let timer = |is_last| PhaseTimer { phase: Phase::Tls, start, deadline: Instant::now(), timeout, is_last };
        assert_eq!(timer(false).timed_out(), "no answer within 40 s, the limit of a phase with --timeout 2m");
        assert_eq!(timer(true).timed_out(), "no answer within 40 s; --timeout 2m is over");
    }
}
