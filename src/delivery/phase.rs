//! The phases of a delivery, and how long each may take.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// The longest that a phase before the PUBLISH may take; the answer gets what is left of the whole.
const PHASE_LIMIT: Duration = Duration::from_secs(10);

/// A part of a delivery. Every message about a delivery names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
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
}

impl PhaseTimer {
    /// Starts a phase of a delivery that must be over at `deadline`.
    pub(crate) fn start(phase: Phase, deadline: Instant) -> Self {
        let start = Instant::now();
        let limit = if phase == Phase::Publish { deadline } else { start.checked_add(PHASE_LIMIT).unwrap_or(start) };
        Self { phase, start, deadline: deadline.min(limit) }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// The time since the start, for people.
    pub(crate) fn took(self) -> String {
        format_elapsed(self.elapsed())
    }
}

/// A measured time, for people: to the millisecond, from 10 s on to the second.
pub(crate) fn format_elapsed(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".to_owned(),
        milliseconds @ 1..=9_999 => format!("{milliseconds} ms"),
        _ => format!("{} s", duration.as_secs()),
    }
}
