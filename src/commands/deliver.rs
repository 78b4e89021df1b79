//! One delivery: collect a report, send it, and keep the state. What `publish --once` does, and `watch` in each cycle.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{env, thread};

use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::{gather, since};
use crate::cli::{DeliveryArgs, PayloadFormat, ReportArgs};
use crate::collector::counters::Interfaces;
use crate::collector::proc_root::Identity;
use crate::delivery::session::{Message, Session};
use crate::delivery::settings::Settings;
use crate::delivery::{Ended, Outcome, Way};
use crate::exit::{Exit, Failure};
use crate::report::budget::MAX_BYTES;
use crate::report::custom::CustomMetrics;
use crate::report::json::Layout;
use crate::report::{Encoding, Report, cbor, json};
use crate::state::store::{Store, StoreError};
use crate::state::{self, Baseline, Moment, NoBaseline, State};
use crate::terminal::Terminal;
use crate::time::{self, rfc3339};

/// How often a lock that another run holds is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What is the same for every delivery of a run.
pub(super) struct Job<'a> {
    pub(super) report: &'a ReportArgs,
    pub(super) delivery: &'a DeliveryArgs,
    pub(super) settings: &'a Settings,
    pub(super) runtime: Runtime,
    pub(super) terminal: &'a Terminal,
    /// Called again and again while a delivery waits.
    pub(super) pulse: &'a dyn Fn(),
    /// How often.
    pub(super) pulse_every: Duration,
    /// Whether a state directory that was given by name and cannot be used keeps a report from being sent.
    pub(super) needs_state: bool,
    /// The least time between two reports, where it is kept.
    pub(super) spacing: Option<Duration>,
}

/// What came of a delivery.
pub(super) enum Delivered {
    /// It got as far as the network.
    Ended {
        /// How it ended.
        ended: Ended,
        /// What `--strict` makes of the sample.
        strict: Exit,
    },
    /// It was not begun, as the last report was sent too short a time ago.
    TooSoon,
}

/// A report, ready to be sent.
pub(super) struct Prepared {
    pub(super) message: Message,
    /// What the next report is counted from, once this one is accepted.
    baseline: Option<Baseline>,
    /// What `--strict` makes of the sample.
    pub(super) strict: Exit,
}

/// The runtime that sessions run in: this thread, and no other.
///
/// # Errors
/// [`Exit::Unavailable`] when the system has no more descriptors for it.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    runtime.map_err(|error| Failure::new(Exit::Unavailable, format!("network: {error}")))
}

impl Job<'_> {
    /// Collects, sends, waits for the answer, and keeps the state, in the file and in `state`. All of it ends by the
    /// timeout.
    ///
    /// # Errors
    /// [`Failure`] with what kept the report from being made or sent.
    pub(super) fn deliver(
        &self,
        tls: Option<&Arc<ClientConfig>>,
        custom: Option<CustomMetrics>,
        state: &mut State,
    ) -> Result<Delivered, Failure> {
        let start = Instant::now();
        let deadline = start.checked_add(self.settings.timeout).unwrap_or(start);
        let store = self.lock_state(deadline, state)?;
        if self.spacing.is_some_and(|spacing| is_within(spacing, state)) {
            return Ok(Delivered::TooSoon); // another run was at it while the lock was waited for
        }
        let Prepared { message, baseline, strict } = self.prepare(state, custom)?;

        let tell = |text: &str| self.terminal.step(text);
        let way = Way { settings: self.settings, tls, deadline: deadline.into(), tell: &tell };
        let mut session = match self.wait(Session::open(way, message.encoding, !self.delivery.no_wait)) {
            Ok(session) => session,
            Err(ended) => return Ok(Delivered::Ended { ended, strict }),
        };
        state.last_report_id = message.report_id;
        state.sent = moment(Instant::now());
        if let Some(Err(error)) = store.as_ref().map(|store| store.save(state)) {
            self.without_state(&error.to_string())?;
        }
        let ended = self.wait(session.publish(message));
        if let Some(at) = ended.published {
            state.sent = moment(at); // it came after the file was written, which takes its time
        }
        if let (Outcome::Accepted | Outcome::Acknowledged, Some(baseline)) = (ended.outcome, baseline) {
            state.baseline = Some(baseline);
        }
        if let Some(Err(error)) = store.as_ref().map(|store| store.save(state)) {
            self.terminal.warning(format_args!("{error}; a later run may count this report's traffic again"));
        }
        self.wait(session.close());
        Ok(Delivered::Ended { ended, strict })
    }

    /// Waits for a session, and gives signs of life.
    fn wait<T>(&self, session: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            let mut session = pin!(session);
            loop {
                match timeout(self.pulse_every, session.as_mut()).await {
                    Ok(done) => return done,
                    Err(_) => (self.pulse)(),
                }
            }
        })
    }

    /// Samples, and makes the report.
    ///
    /// # Errors
    /// [`Failure`] when nothing can be read, or what there is does not fit.
    pub(super) fn prepare(&self, state: &State, custom: Option<CustomMetrics>) -> Result<Prepared, Failure> {
        let (args, terminal) = (self.report, self.terminal);
        let collector = gather::open_collector(&args.source, terminal)?;
        let sample = collector.sample();
        let now = gather::unix_time();
        gather::tell(&sample, &collector, terminal)?;
        let counters = sample.all_counters();
        if sample.missed_interfaces > 0 {
            terminal.warning("no network_stats: not all interfaces are known");
        }
        let identity = collector.root.identity();
        let before = counters.and_then(|_| before(state, &identity, terminal));
        let network_stats = since::network_stats(before.as_ref(), counters, &args.source.exclude_interface);
        let report_id = state::next_report_id(state.last_report_id, now);
        let mut report = Report::build(&sample, gather::style(args), report_id, network_stats, custom);
        let payload = self.encode(&mut report)?;
        let message = Message { report_id, encoding: encoding(self.delivery), payload };
        let taken_at = rfc3339(SystemTime::now());
        let baseline = counters.cloned().and_then(|counters| Baseline::new(identity, taken_at, counters));
        Ok(Prepared { message, baseline, strict: gather::exit_of(&sample, args.source.strict) })
    }

    /// The report's bytes, cut to size.
    fn encode(&self, report: &mut Report<'_>) -> Result<Vec<u8>, Failure> {
        let names = gather::names(self.report);
        let max = self.report.max_bytes.unwrap_or(MAX_BYTES);
        gather::fit(report, encoding(self.delivery), self.report, (max, 0), self.terminal).map_err(
            |failure| match self.report.max_bytes {
                Some(_) => failure,
                None => Failure::new(
                    Exit::Input,
                    format!("the report takes more than {MAX_BYTES} bytes with its lists empty"),
                )
                .hint("send fewer or shorter custom metrics"),
            },
        )?;
        let mut payload = Vec::new();
        let written = match encoding(self.delivery) {
            Encoding::Json => json::write(report, names, Layout::Line, &mut payload),
            Encoding::Cbor => cbor::write(report, names, &mut payload),
        };
        written.map_err(|error| Failure::new(Exit::Bug, format!("the report cannot be written: {error}")))?;
        Ok(payload)
    }

    /// Locks the state file and reads it into `state`, unless that is newer. A directory that was not asked for by name
    /// may be unusable: that is told, and it is done without.
    ///
    /// # Errors
    /// [`Exit::State`] when the directory that was given cannot be used, [`Exit::TryLater`] when another run has the lock.
    fn lock_state(&self, deadline: Instant, state: &mut State) -> Result<Option<Store>, Failure> {
        let thing = &self.settings.thing_name;
        let given = self.delivery.state_dir.as_deref();
        let Some(dir) = state::directory(given, |name| env::var_os(name)) else {
            return self.without_state("no state directory: HOME is not set").map(|()| None);
        };
        let store = loop {
            match Store::lock(&dir, thing) {
                Ok(store) => break store,
                Err(StoreError::Locked(_)) if Instant::now() < deadline => {
                    (self.pulse)();
                    thread::sleep(LOCK_PAUSE);
                }
                Err(error @ StoreError::Locked(_)) => {
                    let after = humantime::format_duration(self.settings.timeout);
                    let failure =
                        Failure::new(Exit::TryLater, format!("{error}, still after {after}; nothing was sent"));
                    return Err(failure.hint("wait for the other run to end, or give --timeout more time"));
                }
                Err(error @ StoreError::Unusable { .. }) => {
                    return self.without_state(&error.to_string()).map(|()| None);
                }
            }
        };
        match State::load(&dir, thing) {
            Ok(Some(on_disk)) if on_disk.last_report_id > state.last_report_id => *state = on_disk,
            Ok(_) => {}
            Err(error) => self.terminal.warning(format_args!("{error}; beginning anew")),
        }
        self.terminal.step(format_args!("state of {thing} in {}", dir.display()));
        if self.needs_state
            && given.is_some()
            && let Err(error) = store.save(state)
        {
            return self.without_state(&error.to_string()).map(|()| None); // better known before the network than after
        }
        Ok(Some(store))
    }

    /// Tells that the state cannot be kept; a failure if it was asked for by name.
    fn without_state(&self, reason: &str) -> Result<(), Failure> {
        if self.needs_state && self.delivery.state_dir.is_some() {
            let hint = "give a --state-dir that this user can write to, and that has room";
            return Err(Failure::new(Exit::State, format!("{reason}; nothing was sent")).hint(hint));
        }
        self.terminal.warning(format_args!(
            "{reason}; the state is not kept, so a later run may count traffic again or not at all"
        ));
        Ok(())
    }
}

/// The counters at the last accepted report; `None` when there are none to count from, which is told.
fn before(state: &State, now: &Identity, terminal: &Terminal) -> Option<Interfaces> {
    match since::baseline(state, now, terminal) {
        Ok(before) => return Some(before),
        // That of a first report is as it should be.
        Err(reason @ NoBaseline::None) => terminal.step(format_args!("no network_stats: {reason}")),
        Err(reason) => terminal.warning(format_args!("no network_stats: {reason}")),
    }
    None
}

/// Whether the last report was sent less than `spacing` ago.
fn is_within(spacing: Duration, state: &State) -> bool {
    since::last_sent(state).is_some_and(|last| last.saturating_add(spacing) > time::since_boot())
}

/// When that was, on the clock that a restart does not set back; `None` when it is not known which boot this is.
fn moment(at: Instant) -> Option<Moment> {
    time::boot_id().map(|boot_id| Moment::new(boot_id.to_owned(), time::of(at)))
}

/// The encoding the flags ask for.
pub(super) fn encoding(args: &DeliveryArgs) -> Encoding {
    match args.format {
        PayloadFormat::Json => Encoding::Json,
        PayloadFormat::Cbor => Encoding::Cbor,
    }
}
