//! The parameters of one connection attempt, and the errors that need them.

use super::settings::Settings;
use super::tls::Tls;
use crate::delivery::error::{Cause, Error, Wait};
use crate::delivery::phase::{Phase, PhaseTimer};
use crate::delivery::transport::Attempt;

#[derive(Clone, Copy)]
pub(super) struct ConnectContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) tls: Option<&'a Tls>,
    pub(super) attempt: Attempt<'a>,
}

impl ConnectContext<'_> {
    /// An error before the PUBLISH.
    pub(super) fn error(self, phase: Phase, cause: Cause) -> Error {
        Error { phase, destination: self.settings.endpoint.to_string(), published: None, cause }
    }

    /// That a phase before the PUBLISH took too long.
    pub(super) fn timed_out(self, timer: PhaseTimer) -> Error {
        self.timed_out_after(timer, Wait::Other)
    }

    pub(super) fn timed_out_after(self, timer: PhaseTimer, wait: Wait) -> Error {
        let wait = if timer.had_no_time() { Wait::None } else { wait };
        let (reason, plaintext) = (timer.timed_out(), self.tls.is_none());
        self.error(timer.phase, Cause::TimedOut { reason, plaintext, wait })
    }
}
