//! `watch`: `publish --once` on a schedule, for years.
//!
//! Nothing that goes wrong in a cycle ends the loop: whatever it is, it may be over by the next one.

mod notify;
mod plan;
mod print;
mod service;
mod signals;

use std::time::{Duration, SystemTime};

use clap::ArgMatches;

use super::deliver::{self, Delivered, Job};
use super::{gather, resolve, since};
use crate::cli::WatchArgs;
use crate::delivery::settings::Settings;
use crate::delivery::{Outcome, tls};
use crate::exit::{Exit, Failure};
use crate::schedule::{self, Schedule};
use crate::state::{self, State};
use crate::terminal::Terminal;
use crate::time;
use plan::Plan;
use print::Printer;
use service::{News, Service};
use signals::Signals;

/// The wait when another run was faster: its report is in the state file by then.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What came of a cycle.
enum Cycle {
    /// It ended, with news.
    Over {
        /// When the PUBLISH was written, on the clock of the schedule; `None` when it was not.
        published: Option<Duration>,
        /// The exit code it means.
        exit: Exit,
        news: News,
    },
    /// Another run's PUBLISH was less than an interval ago.
    TooSoon,
    /// Nobody reads standard output any more.
    ReaderGone,
}

/// Runs `watch`.
///
/// # Errors
/// [`Failure`] with what can never heal by itself: settings that are wrong.
pub(super) fn run(args: &WatchArgs, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, Failure> {
    let Plan { interval, splay, report, settings } = plan::make(args, matches, terminal)?;
    let signals = Signals::listen()?;
    let service = Service::begin(terminal);
    let now = time::since_boot();
    terminal.hold_warnings();
    let Some(settings) = settings else {
        let schedule = Schedule::new(interval, now.saturating_add(splay.unwrap_or_default()), None);
        service.first(schedule.due().saturating_sub(now), interval);
        let mut printer = Printer::new(&report, terminal);
        return run_cycles(schedule, args.count, &service, &signals, || None, || printer.cycle());
    };
    let last_publish = || last_publish(args, &settings);
    let last = last_publish();
    // After a restart within an interval it goes on as it would have; a fleet has its own times then already.
    let goes_on = last.is_some_and(|last| last.saturating_add(interval) > now);
    let start = match splay {
        Some(splay) => now.saturating_add(splay),
        None if goes_on => now,
        None => now.saturating_add(schedule::splay(settings.thing_name.as_str(), interval)),
    };
    let schedule = Schedule::new(interval, start, last);
    service.first(schedule.due().saturating_sub(now), interval);
    let job = Job {
        report: &report,
        delivery: &args.delivery,
        settings: &settings,
        runtime: deliver::runtime()?,
        terminal,
        pulse: &|| service.alive(),
        pulse_every: service.longest_wait(),
        needs_state: false,
        spacing: Some(interval),
    };
    let mut state = State::new(&settings.thing_name);
    run_cycles(schedule, args.count, &service, &signals, last_publish, || deliver_once(&job, &mut state))
}

/// Runs cycle after cycle, each when it is due, until a signal, the last of `count`, or nobody reads any more.
/// `last_publish` tells when the last PUBLISH was written, also by another run.
fn run_cycles(
    mut schedule: Schedule,
    count: Option<u64>,
    service: &Service<'_>,
    signals: &Signals,
    last_publish: impl Fn() -> Option<Duration>,
    mut cycle: impl FnMut() -> Cycle,
) -> Result<Exit, Failure> {
    let mut done = 0_u64;
    loop {
        while let Some(left) = schedule.due().checked_sub(time::since_boot()).filter(|left| !left.is_zero()) {
            // Waits are short, as the clock they are measured by does not go on while the machine is suspended.
            if signals.wait(left.min(service.longest_wait())) {
                return Ok(signals.end());
            }
            service.alive();
        }
        if last_publish().is_some_and(|at| schedule.postpone(at)) {
            service.postponed(schedule.due().saturating_sub(time::since_boot()));
            continue;
        }
        service.alive();
        let (published, exit, news) = match cycle() {
            Cycle::Over { published, exit, news } => (published, exit, news),
            Cycle::TooSoon if signals.wait(A_MOMENT) => return Ok(signals.end()),
            Cycle::TooSoon => continue,
            Cycle::ReaderGone => return Ok(Exit::Done),
        };
        let now = time::since_boot();
        match published {
            Some(at) => schedule.published(at, now),
            None => schedule.not_published(now, fastrand::f64()),
        }
        service.tell(&news, schedule.due().saturating_sub(now));
        done = done.saturating_add(1);
        if Some(done) == count {
            return Ok(exit);
        }
        if signals.wait(Duration::ZERO) {
            return Ok(signals.end());
        }
    }
}

/// When the last report was sent, by whomever, since this boot; as the state file tells, which is read without its lock.
fn last_publish(args: &WatchArgs, settings: &Settings) -> Option<Duration> {
    let dir = state::directory(args.delivery.state_dir.as_deref(), |name| std::env::var_os(name))?;
    let state = State::load(&dir, &settings.thing_name).ok().flatten()?;
    since::last_sent(&state)
}

/// The end of the millisecond that the state has for the last PUBLISH, so that the schedule and the file agree.
fn as_in_file(state: &State) -> Duration {
    since::last_sent(state).unwrap_or_default().saturating_add(Duration::from_millis(1))
}

/// One cycle: read the credentials anew, and deliver.
fn deliver_once(job: &Job<'_>, state: &mut State) -> Cycle {
    let before = time::since_boot();
    let credentials = job
        .settings
        .files
        .as_ref()
        .map(|files| tls::load(files, job.settings.endpoint.port, SystemTime::now()).map_err(resolve::failure));
    let delivered = match credentials.transpose() {
        Err(failure) => Err(failure),
        Ok(credentials) => {
            for warning in credentials.iter().flat_map(|credentials| &credentials.warnings) {
                job.terminal.warning(warning);
            }
            let tls = credentials.as_ref().map(|credentials| &credentials.config);
            gather::custom_metrics_of_file(&job.report.source).and_then(|custom| job.deliver(tls, custom, state))
        }
    };
    let warnings = job.terminal.held();
    match delivered {
        Err(failure) => Cycle::Over { published: None, exit: failure.exit, news: News::failed(failure, warnings) },
        Ok(Delivered::TooSoon) => Cycle::TooSoon,
        Ok(Delivered::Ended { ended, strict }) => {
            let published = ended.published.map(|at| time::of(at).max(before).max(as_in_file(state)));
            let exit = match ended.outcome.exit() {
                Exit::Done => strict,
                exit => exit,
            };
            let news = match ended.failure() {
                Some(failure) => News::failed(failure, warnings),
                None => News::went_well(state.last_report_id, ended.outcome == Outcome::Accepted, warnings),
            };
            Cycle::Over { published, exit, news }
        }
    }
}
