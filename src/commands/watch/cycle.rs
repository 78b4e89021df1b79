//! One cycle of the loop.

use std::time::{Duration, SystemTime};

use crate::commands::publisher::Publisher;
use crate::commands::{baseline, pipeline};
use crate::config::SettingError;
use crate::delivery::transport::Confirmation;
use crate::error::Error;
use crate::exit::Exit;
use crate::state::State;
use crate::time;
use crate::warning::Warnings;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Sent(Confirmation),
    Printed,
}

pub(super) struct Cycle {
    /// When the report was sent, as the time since boot; `None`: it was not, and is tried again soon.
    pub(super) published: Option<Duration>,
    pub(super) exit: Exit,
    /// What was done, and the report's id.
    pub(super) outcome: Result<(Done, u64), Error>,
}

pub(super) fn publish(publisher: &Publisher<'_>, state: &mut State, warnings: &mut Warnings) -> Result<Cycle, Error> {
    let start = baseline::since_boot()?;
    let deadline = publisher.steps.start();
    publisher.steps.begin("reading the certificates and the key");
    let transport = publisher.settings.transport.load(SystemTime::now());
    let transport = transport.map_err(|errors| Error::Settings(errors.into_iter().map(SettingError::from).collect()));
    let outcome = transport.and_then(|loaded| {
        warnings.extend(loaded.warnings);
        publisher.steps.begin("reading the custom metrics");
        let custom = pipeline::custom_metrics_without_waiting(publisher.source)?;
        publisher.deliver(loaded.transport.as_ref(), custom, state, deadline, warnings)
    });
    publisher.steps.pause();
    let sent_at = outcome.as_ref().map_or_else(Error::published, |report| Some(report.published));
    let mut sent = None;
    if let Some(at) = sent_at {
        let at = time::since_boot_at(at).map_err(baseline::clock_failed)?;
        // Rounds up to the state file's resolution of 1 ms; otherwise the next cycle could start too early.
        let in_file = baseline::last_sent(state)?.unwrap_or_default().saturating_add(Duration::from_millis(1));
        sent = Some(at.max(start).max(in_file));
    }
    let exit = outcome.as_ref().map_or_else(Error::exit, |report| report.strict);
    let outcome = outcome.map(|report| (Done::Sent(report.confirmation), report.report_id));
    Ok(Cycle { published: sent, exit, outcome })
}
