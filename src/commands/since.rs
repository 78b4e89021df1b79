//! What traffic is counted from: the state of a thing, the baseline in it, a look at the counters before.

use std::path::Path;
use std::time::Duration;
use std::{env, thread};

use glob::Pattern;

use super::gather::{self, AWS_THING_NAME};
use crate::collector::counters::Interfaces;
use crate::collector::proc_root::Identity;
use crate::collector::{Collector, Sample};
use crate::exit::{Exit, Failure};
use crate::report::traffic::{self, NetworkStats};
use crate::state::{self, NoBaseline, State};
use crate::terminal::Terminal;
use crate::thing::{NotAThingName, ThingName};
use crate::time;

/// Reads the state that `--since report` counts from. A file that cannot be used is told, and is none.
///
/// # Errors
/// [`Exit::Settings`] when it is not clear whose state is meant.
pub(super) fn load_state(
    thing_name: Option<&ThingName>,
    state_dir: Option<&Path>,
    terminal: &Terminal,
) -> Result<Option<State>, Failure> {
    let dir = state::directory(state_dir, |name| env::var_os(name))
        .ok_or_else(|| Failure::new(Exit::Settings, "no state directory: HOME is not set").hint("give --state-dir"))?;
    let thing = match (thing_name, gather::aws_thing_name()) {
        (Some(thing), _) => thing.clone(),
        (None, Some(name)) => name.to_str().ok_or(NotAThingName).and_then(str::parse).map_err(|error| {
            let name = name.display();
            Failure::new(Exit::Settings, format!("environment variable {AWS_THING_NAME}: `{name}`: {error}"))
        })?,
        (None, None) => only_thing(&dir)?,
    };
    terminal.step(format_args!("thing {thing}, state in {}", dir.display()));
    match State::load(&dir, &thing) {
        Ok(Some(state)) => Ok(Some(state)),
        Ok(None) => {
            let dir = dir.display();
            terminal
                .warning(format_args!("no network_stats: no report of thing {thing} was sent yet (no state in {dir})"));
            Ok(None)
        }
        Err(error) => {
            terminal.warning(format_args!("no network_stats: {error}"));
            Ok(None)
        }
    }
}

/// The thing that has a state file, when there is just one.
fn only_thing(dir: &Path) -> Result<ThingName, Failure> {
    let found = match state::things(dir) {
        Err(e) => format!("{}: {e}", dir.display()),
        Ok(things) => match things.as_slice() {
            [thing] => return Ok(thing.clone()),
            [] => format!("no state in {}", dir.display()),
            [a, b] => format!("{} has the state of {a} and of {b}", dir.display()),
            [a, b, ..] => format!("{} has the state of {a}, of {b} and of others", dir.display()),
        },
    };
    let failure = Failure::new(Exit::Settings, format!("no thing name given, and {found}"));
    Err(failure.hint("give --thing-name, the name that reports are sent under"))
}

/// The counters at the last accepted report, of what is read now.
///
/// # Errors
/// [`NoBaseline`] when there are none to count from.
pub(super) fn baseline(state: &State, now: &Identity, terminal: &Terminal) -> Result<Interfaces, NoBaseline> {
    let counters = state.baseline(now)?;
    let taken_at = state.baseline.as_ref().map_or("an unknown time", |baseline| &baseline.taken_at);
    terminal.step(format_args!("network_stats: since the report accepted at {taken_at}"));
    Ok(counters)
}

/// The same of a state that may not be there; that there is nothing to count from is told.
pub(super) fn known_baseline(collector: &Collector, state: Option<&State>, terminal: &Terminal) -> Option<Interfaces> {
    let counters = baseline(state?, &collector.root.identity(), terminal);
    counters.map_err(|reason| terminal.warning(format_args!("no network_stats: {reason}"))).ok()
}

/// When the last report was sent, as the time since boot; `None` when it was not, in this boot.
pub(super) fn last_sent(state: &State) -> Option<Duration> {
    state.sent.as_ref()?.since_boot(time::boot_id()?, time::since_boot())
}

/// Looks at the counters and waits.
pub(super) fn first_look(collector: &Collector, duration: Duration, terminal: &Terminal) -> Sample {
    let mut before = collector.sample_counters();
    before.counters = before.all_counters().cloned();
    terminal.step(format_args!("waiting {}", humantime::format_duration(duration)));
    thread::sleep(duration);
    before
}

/// The traffic from `before` to `now`; `None` when either is unknown.
pub(super) fn network_stats(
    before: Option<&Interfaces>,
    now: Option<&Interfaces>,
    exclude: &[Pattern],
) -> Option<NetworkStats> {
    Some(NetworkStats::new(traffic::since(before?, now?), exclude))
}

/// Tells how many interfaces each pattern leaves out.
pub(super) fn tell_excluded(sample: &Sample, exclude: &[Pattern], terminal: &Terminal) {
    for pattern in exclude {
        let excluded = sample.counters.iter().flatten().filter(|(name, _)| pattern.matches(name)).count();
        terminal.step(format_args!("--exclude-interface {pattern}: {excluded} interfaces"));
    }
}
