//! `watch`: `publish` on a schedule, for years.
//!
//! No failure of a cycle ends the loop: whatever it is, it may be over by the next one. Only a failing clock does, because
//! without it the loop would never be due again.

mod cycle;
mod log;
mod notify;
mod plan;
mod print;
mod signals;
mod token;

use std::cell::Cell;
use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

use super::publisher::{Publisher, using_state};
use super::steps::Steps;
use super::{baseline, pipeline};
use crate::cli::WatchArgs;
use crate::config::{self, SettingError};
use crate::delivery::Settings;
use crate::delivery::transport::Keepalive;
use crate::error::Error;
use crate::exit::Exit;
use crate::schedule::{self, Schedule};
use crate::state::State;
use crate::terminal::Terminal;
use crate::warning::Warnings;
use cycle::Cycle;
use log::Log;
use plan::Plan;
use print::Printer;
use signals::Signals;
use token::TokenWatch;

/// The wait when another run was faster: by then its report is in the state file.
const A_MOMENT: Duration = Duration::from_secs(1);

pub(super) fn run(args: &WatchArgs, errors: Vec<SettingError>, terminal: &Terminal) -> Result<Exit, Error> {
    let signals = Signals::listen()?;
    let logging = terminal.clone();
    let timeout = config::delivery::timeout(&args.delivery);
    let steps = Steps::supervise(timeout, move |error| log::overdue(error, &logging))?;
    steps.start();
    steps.begin("reading the settings");
    let Plan { interval, splay, source, settings } = plan::make(args, errors, terminal)?;
    steps.pause();
    let options = pipeline::options(&args.report);
    let now = baseline::since_boot()?;
    let log = Log::start(terminal, &steps);
    let Some(settings) = settings else {
        let schedule = Schedule::new(interval, now.saturating_add(splay.unwrap_or_default()), None);
        log.first(schedule.due().saturating_sub(now), interval, &[]);
        let mut printer = Printer::new(&source, &options, terminal, &steps);
        let cycle = |warnings: &mut Warnings| printer.cycle(warnings);
        return run_cycles(schedule, args.count, &log, &signals, || Ok(None), cycle);
    };
    // When any run sent the last report in this boot, according to the state file, which is read without its lock.
    let last_publish = || {
        let Some(dir) = config::state_dir(args.delivery.state_dir.as_ref()) else { return Ok(None) };
        steps.start();
        steps.begin(using_state(&dir));
        let state = State::load(&dir, &settings.thing_name).ok().flatten();
        steps.pause();
        state.map_or(Ok(None), |state| baseline::last_sent(&state))
    };
    let last = last_publish()?;
    // A restart within an interval keeps to the old schedule; a fleet has its own times by then.
    let keeps_schedule = last.is_some_and(|last| last.saturating_add(interval) > now);
    let start = match splay {
        Some(splay) => now.saturating_add(splay),
        None if keeps_schedule => now,
        None => {
            let splay = schedule::default_splay(settings.thing_name.as_str(), interval);
            schedule::first_tick(now, splay, interval)
        }
    };
    let schedule = Schedule::new(interval, start, last);
    let wait = schedule.due().saturating_sub(now);
    let problems = if wait.is_zero() { Vec::new() } else { credential_problems(&settings, &steps) };
    log.first(wait, interval, &problems);
    let publisher = Publisher {
        source: &source,
        options: &options,
        delivery: &args.delivery,
        settings: &settings,
        terminal,
        keepalive: Keepalive { every: log.longest_wait(), call: &|| log.alive() },
        steps: &steps,
        interval: Some(interval),
        transport_limit: Cell::new(None),
    };
    let mut state = State::new(&settings.thing_name);
    let cycle = |warnings: &mut Warnings| cycle::publish(&publisher, &mut state, warnings).map(Some);
    run_cycles(schedule, args.count, &log, &signals, last_publish, cycle)
}

/// What is wrong with the credentials now: better known when the service starts than with the first report. The cycles read
/// them again, because they may be renewed or mended until then.
fn credential_problems(settings: &Settings, steps: &Steps) -> Vec<String> {
    steps.start();
    steps.begin("reading the certificates and the key");
    let loaded = settings.transport.load(SystemTime::now());
    steps.pause();
    match loaded {
        Ok(loaded) => loaded.warnings.into_iter().map(|warning| warning.text).collect(),
        Err(errors) => errors.into_iter().map(|error| SettingError::from(error).to_string()).collect(),
    }
}

/// Runs cycle after cycle, each when it is due, until a signal, the last of `count`, or a cycle returns `None`.
/// `last_publish` returns when the last report was sent, also by another run.
fn run_cycles(
    mut schedule: Schedule,
    count: Option<NonZeroU64>,
    log: &Log<'_>,
    signals: &Signals,
    last_publish: impl Fn() -> Result<Option<Duration>, Error>,
    mut cycle: impl FnMut(&mut Warnings) -> Result<Option<Cycle>, Error>,
) -> Result<Exit, Error> {
    let mut done = 0_u64;
    let mut token = TokenWatch::new(baseline::since_boot()?);
    loop {
        let waiting = log.waiting(if done == 0 { "first" } else { "next" }, schedule.due());
        while let Some(left) = schedule.due().checked_sub(baseline::since_boot()?).filter(|left| !left.is_zero()) {
            // Waits are short, because the clock that measures them stops while the machine is suspended.
            if signals.wait(left.min(log.longest_wait())) {
                return Ok(signals.end());
            }
            log.alive();
        }
        drop(waiting);
        if last_publish()?.is_some_and(|at| schedule.postpone(at)) {
            let now = baseline::since_boot()?;
            log.cycle(Err(&Error::TooSoon), &Warnings::default(), now, schedule.due().saturating_sub(now));
            continue;
        }
        log.alive();
        let mut warnings = Warnings::default();
        let Some(Cycle { published, exit, outcome }) = cycle(&mut warnings)? else { return Ok(Exit::Success) };
        if matches!(outcome, Err(Error::TooSoon)) {
            if signals.wait(A_MOMENT) {
                return Ok(signals.end());
            }
            continue;
        }
        let now = baseline::since_boot()?;
        match published {
            Some(at) => schedule.published(at, now),
            None => schedule.not_published(now, fastrand::f64()),
        }
        log.cycle(outcome.as_ref().copied(), &warnings, now, schedule.due().saturating_sub(now));
        let is_refused = matches!(&outcome, Err(Error::Delivery(error)) if error.is_token_refused());
        if token.cycle(is_refused, now) {
            log.leaving();
            return Ok(Exit::Unavailable);
        }
        done += 1;
        if count.is_some_and(|count| count.get() == done) {
            return Ok(exit);
        }
        if signals.wait(Duration::ZERO) {
            return Ok(signals.end());
        }
    }
}
