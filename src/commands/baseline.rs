//! What traffic is counted from: the counters at the last accepted report, at an earlier moment of this run, or zero.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::pipeline;
use crate::cli::Since;
use crate::collector::Collector;
use crate::collector::counters::Interfaces;
use crate::config::{self, SettingError, aws_thing_name};
use crate::error::Error;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::sourced::Sourced;
use crate::state::{self, State};
use crate::terminal::Terminal;
use crate::thing::ThingName;
use crate::time;
use crate::warning::Warnings;

/// The counters to count from, according to `--since`; `None`, with a warning, when there are none. `state` is what
/// [`load_state`] found.
pub(super) fn counters(
    since: Since,
    collector: &Collector,
    state: Option<&State>,
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Option<Interfaces> {
    match since {
        Since::Boot => {
            terminal.debug("network_stats: everything the counters show, since each interface appeared");
            Some(Interfaces::new())
        }
        Since::Report => match of_state(state?, collector, terminal) {
            Ok(counters) => Some(counters),
            Err(reason) => {
                warnings.no_traffic(reason);
                None
            }
        },
        Since::Ago(duration) => {
            let before = collector.sample_counters();
            pipeline::warn_of(&before.problems, warnings);
            terminal.warn_all(warnings);
            terminal.debug(format_args!("waiting {}", humantime::format_duration(duration)));
            let _progress = Progress::lasting(terminal, "measuring traffic", duration);
            thread::sleep(duration);
            before.counters
        }
    }
}

pub(super) fn of_state(
    state: &State,
    collector: &Collector,
    terminal: &Terminal,
) -> Result<Interfaces, state::NoBaseline> {
    let counters = state.baseline(&collector.root.host_id())?;
    let taken_at = state.baseline.as_ref().map_or("an unknown time", |baseline| &baseline.taken_at);
    terminal.debug(format_args!("network_stats: since the report accepted at {taken_at}"));
    Ok(counters)
}

/// Reads the state that `--since report` counts from. A file that cannot be used is a warning, and counts as none.
pub(super) fn load_state(
    thing_name: Option<ThingName>,
    state_dir: Option<&Sourced<PathBuf>>,
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<Option<State>, Error> {
    let Some(dir) = config::state_dir(state_dir) else {
        let error = SettingError::new(Exit::Settings, "--state-dir", "no state directory: HOME is not set");
        return Err(Error::Settings(vec![error.with_hint("give --state-dir")]));
    };
    let thing = match (thing_name, aws_thing_name()) {
        (Some(thing), _) => thing,
        (None, Some(given)) => config::checked_alone("thing name", given)?,
        (None, None) => only_thing(&dir)?,
    };
    terminal.debug(format_args!("thing {thing}, state in {}", dir.display()));
    let reason = match State::load(&dir, &thing) {
        Ok(Some(state)) => return Ok(Some(state)),
        Ok(None) => format!("no report of thing {thing} was sent yet (no state in {})", dir.display()),
        Err(error) => error.to_string(),
    };
    warnings.no_traffic(reason);
    Ok(None)
}

/// The thing that has a state file, when there is exactly one.
fn only_thing(dir: &Path) -> Result<ThingName, Error> {
    let found = match state::things(dir) {
        Err(e) => format!("{}: {e}", dir.display()),
        Ok(things) => match things.as_slice() {
            [thing] => return Ok(thing.clone()),
            [] => format!("no state in {}", dir.display()),
            [a, b] => format!("{} has the state of {a} and of {b}", dir.display()),
            [a, b, ..] => format!("{} has the state of {a}, of {b} and of others", dir.display()),
        },
    };
    let error = SettingError::new(Exit::Settings, "--thing-name", format!("no thing name given, and {found}"));
    Err(Error::Settings(vec![error.with_hint("give --thing-name, the name that reports are sent under")]))
}

/// When the last report was sent, as the time since boot; `None` when none was sent in this boot.
pub(super) fn last_sent(state: &State) -> Result<Option<Duration>, Error> {
    let now = since_boot()?;
    Ok(state.sent.as_ref().zip(time::boot_id()).and_then(|(sent, boot_id)| sent.since_boot(boot_id, now)))
}

pub(super) fn since_boot() -> Result<Duration, Error> {
    time::since_boot().map_err(clock_failed)
}

pub(super) fn clock_failed(source: std::io::Error) -> Error {
    Error::System { what: "clock CLOCK_BOOTTIME", source }
}
