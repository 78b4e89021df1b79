//! `watch`: `publish --once` on a schedule, for years.
//!
//! Nothing that goes wrong in a cycle ends the loop: whatever it is, it may be over by the next one.

mod plan;
mod service;
mod signals;

use std::io::Write;
use std::time::{Duration, SystemTime};

use clap::ArgMatches;

use super::deliver::{self, Delivered, Job};
use super::gather;
use crate::cli::{ReportArgs, WatchArgs};
use crate::collector::counters::Interfaces;
use crate::delivery::settings::Settings;
use crate::delivery::{Outcome, tls};
use crate::exit::{Exit, Failure};
use crate::report::json::{self, Layout};
use crate::report::traffic::{self, NetworkStats};
use crate::report::{Encoding, Report};
use crate::schedule::Schedule;
use crate::state::{self, State};
use crate::terminal::{Reader, Terminal};
use crate::time;
use plan::Plan;
use service::{News, Service};
use signals::Signals;

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
    let start = now.saturating_add(splay);
    terminal.hold_warnings();
    let Some(settings) = settings else {
        let schedule = Schedule::new(interval, start, None);
        let mut printer = Printer { report: &report, terminal, last_report_id: 0, before: None };
        return run_cycles(schedule, args.count, &service, &signals, || None, || printer.cycle());
    };
    let last_publish = || last_publish(args, &settings);
    let schedule = Schedule::new(interval, start, last_publish());
    let wait = schedule.due().saturating_sub(now);
    if !wait.is_zero() {
        let wait = humantime::format_duration(Duration::from_secs(wait.as_secs().saturating_add(1)));
        terminal.notice(format_args!("first report in {wait}, then every {}", humantime::format_duration(interval)));
    }
    let job = Job {
        report: &report,
        delivery: &args.delivery,
        settings: &settings,
        runtime: deliver::runtime()?,
        terminal,
        pulse: &|| service.alive(),
        pulse_every: service.longest_wait(),
        needs_state: false,
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
            continue;
        }
        service.alive();
        let Cycle::Over { published, exit, news } = cycle() else { return Ok(Exit::Done) };
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
    state.sent?.since_boot(&time::boot_id()?, time::since_boot())
}

/// One cycle: read the credentials anew, and deliver.
fn deliver_once(job: &Job<'_>, state: &mut State) -> Cycle {
    let before = time::since_boot();
    let credentials =
        job.settings.files.as_ref().map(|files| {
            tls::load(files, job.settings.endpoint.port, SystemTime::now()).map_err(super::resolve::failure)
        });
    let delivered = match credentials.transpose() {
        Err(failure) => Err(failure),
        Ok(credentials) => {
            for warning in credentials.iter().flat_map(|credentials| &credentials.warnings) {
                job.terminal.warning(warning);
            }
            job.deliver(credentials.as_ref().map(|credentials| &credentials.config), state)
        }
    };
    let warnings = job.terminal.held();
    match delivered {
        Err(failure) => Cycle::Over { published: None, exit: failure.exit, news: News::failed(failure, warnings) },
        Ok(Delivered { ended, strict }) => {
            let now = time::since_boot();
            let published = ended.published.map(|at| now.saturating_sub(at.elapsed()).max(before));
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

/// `--print`: the reports as lines of JSON, with what one needs to know of the last one in memory.
struct Printer<'a> {
    report: &'a ReportArgs,
    terminal: &'a Terminal,
    last_report_id: u64,
    before: Option<Interfaces>,
}

impl Printer<'_> {
    fn cycle(&mut self) -> Cycle {
        let printed = self.print();
        let published = Some(time::since_boot());
        let warnings = self.terminal.held();
        match printed {
            Ok((Reader::Gone, _)) => Cycle::ReaderGone,
            Ok((Reader::There, exit)) => {
                Cycle::Over { published, exit, news: News::printed(self.last_report_id, warnings) }
            }
            Err(failure) => Cycle::Over { published, exit: failure.exit, news: News::failed(failure, warnings) },
        }
    }

    fn print(&mut self) -> Result<(Reader, Exit), Failure> {
        let (args, terminal) = (self.report, self.terminal);
        let collector = gather::open_collector(&args.source, terminal)?;
        let custom = gather::custom_metrics(&args.source)?;
        let sample = collector.sample();
        gather::tell(&sample, &collector, terminal)?;
        let now = sample.all_counters();
        let network_stats = match (&self.before, now) {
            (Some(before), Some(now)) => {
                Some(NetworkStats::new(traffic::since(before, now), &args.source.exclude_interface))
            }
            _ => None,
        };
        let report_id = gather::unix_time().max(self.last_report_id.saturating_add(1));
        let mut report = Report::build(&sample, gather::style(args), report_id, network_stats, custom);
        let names = gather::names(args);
        if let Some(max) = args.max_bytes {
            gather::fit(&mut report, Encoding::Json, args, max.saturating_sub(1), terminal)?; // and the line end
        }
        let reader = terminal.event(|out| {
            json::write(&report, names, Layout::Line, &mut *out)?;
            out.write_all(b"\n")
        })?;
        self.last_report_id = report_id;
        if let Some(now) = now {
            self.before = Some(now.clone());
        }
        Ok((reader, gather::exit_of(&sample, args.source.strict)))
    }
}
