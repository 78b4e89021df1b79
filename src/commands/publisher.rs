//! One delivery: lock the state, collect a report, send it, keep the state. What `publish` does, and `watch` in each
//! cycle.

use std::cell::Cell;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::steps::Steps;
use super::{baseline, pipeline};
use crate::cli::{DeliveryArgs, PayloadFormat, SourceArgs};
use crate::collector::counters::Interfaces;
use crate::collector::{Collector, Sample};
use crate::config;
use crate::delivery::greengrass::cause::LITE_MAX_BYTES;
use crate::delivery::transport::{Attempt, Confirmation, Keepalive, Message, Transport, WaitFor};
use crate::delivery::{self, Settings};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::budget::MAX_BYTES;
use crate::report::custom::CustomMetrics;
use crate::report::encode::Encoding;
use crate::report::{Options, Report};
use crate::state::store::{Store, StoreError};
use crate::state::{Baseline, Moment, NoBaseline, State};
use crate::terminal::Terminal;
use crate::time::{self, rfc3339};
use crate::warning::{WarningKind, Warnings};

/// How often a lock that another run holds is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What all deliveries of a process have in common.
pub(super) struct Publisher<'a> {
    pub(super) source: &'a SourceArgs,
    pub(super) options: &'a Options,
    pub(super) delivery: &'a DeliveryArgs,
    pub(super) settings: &'a Settings,
    pub(super) terminal: &'a Terminal,
    pub(super) keepalive: Keepalive<'a>,
    pub(super) steps: &'a Steps,
    /// In a loop, the shortest time between two reports; `None` for a single report. Only a single report fails when an
    /// explicit state directory cannot be used; a loop warns.
    pub(super) interval: Option<Duration>,
    /// The most bytes of a report, as the transport turned out to take them; `None`: no limit of its own is known.
    pub(super) transport_limit: Cell<Option<usize>>,
}

pub(super) struct Delivered {
    pub(super) report_id: u64,
    pub(super) confirmation: Confirmation,
    pub(super) published: Instant,
    /// What `--strict` makes of the sample.
    pub(super) strict: Exit,
}

/// What a report is made of.
struct Collected {
    sample: Sample,
    /// The counters that its traffic is counted from.
    since: Option<Interfaces>,
    /// What the next report is counted from, once this one is accepted.
    baseline: Option<Baseline>,
}

/// A report that can be encoded again, to be smaller.
struct Draft<'a> {
    report: Report<'a>,
    encoding: Encoding,
    options: &'a Options,
}

impl Draft<'_> {
    /// Encodes the report in at most `max` bytes.
    fn encode(&mut self, max: usize, warnings: &mut Warnings) -> Result<Message, Error> {
        let Self { report, encoding, options } = self;
        pipeline::fit(report, *encoding, options, (max, 0), warnings).map_err(|error| match error {
            Error::MaxBytes { .. } if options.max_bytes.is_none() => Error::TooLarge { max },
            error => error,
        })?;
        let mut payload = Vec::new();
        let written = encoding.write(report, options.names, &mut payload);
        written.map_err(|error| Error::Bug(format!("the report cannot be encoded: {error}")))?;
        Ok(Message { report_id: report.report_id, encoding: *encoding, payload })
    }

    /// Encodes the report in at most `max` bytes, which is less than it has, because of a limit of the other side. `None`: it
    /// cannot be cut that much.
    fn cut(&mut self, max: usize, limit: &str, warnings: &mut Warnings) -> Option<Message> {
        let mut cut = Warnings::default();
        let message = self.encode(max, &mut cut).ok()?;
        warnings.add(WarningKind::Cut, "transport", limit);
        warnings.append(cut);
        Some(message)
    }
}

impl Publisher<'_> {
    /// Collects, sends, waits for the answer, and keeps the state, in the file and in `state`. All of it is over by the
    /// deadline.
    pub(super) fn deliver(
        &self,
        transport: &dyn Transport,
        custom: Option<CustomMetrics>,
        state: &mut State,
        deadline: Instant,
        warnings: &mut Warnings,
    ) -> Result<Delivered, Error> {
        let _progress = self.steps.progress(self.terminal);
        let store = self.lock_state(deadline, state, warnings)?;
        if let Some(interval) = self.interval
            && let Some(last) = baseline::last_sent(state)?
            && last.saturating_add(interval) > baseline::since_boot()?
        {
            return Err(Error::TooSoon); // another run reported while the lock was waited for
        }
        let Collected { sample, since, baseline } = self.collect(state, warnings)?;
        let mut draft = self.draft(&sample, since.as_ref(), state.last_report_id, custom, warnings);
        let mut message = draft.encode(self.max_bytes(), warnings)?;
        let strict = warnings.exit(self.source.strict);
        let report_id = message.report_id;

        let trace = |line: &str| self.terminal.debug(line);
        let attempt = self.attempt(deadline, &trace);
        if self.interval.is_none() {
            self.terminal.warn_all(warnings); // connecting may take long; in a loop, the log has them with the outcome
        }
        let delivering = format!("sending to {}", self.settings.transport.destination());
        self.steps.begin(&delivering);
        let mut session = transport.connect(attempt).map_err(Error::Delivery)?;
        if let Some(max) = session.max_payload()
            && message.payload.len() > max
        {
            let limit = format!("the broker takes reports of at most {max} bytes");
            message = draft.cut(max, &limit, warnings).unwrap_or(message);
        }
        let sent_before = state.sent.clone();
        state.last_report_id = report_id;
        state.sent = moment(Instant::now());
        if let Some(Err(error)) = store.as_ref().map(|store| self.save(store, state)) {
            self.without_state(error, warnings)?;
        }
        self.steps.begin(&delivering);
        self.steps.set_sent(true); // nobody else could tell while it hangs there
        let mut sent = session.send(message);
        if sent.as_ref().is_err_and(delivery::Error::is_too_large) && self.options.max_bytes.is_none() {
            let limit = format!("the nucleus closed the connection; reports are now cut to {LITE_MAX_BYTES} bytes");
            if let Some(smaller) = draft.cut(LITE_MAX_BYTES, &limit, warnings) {
                self.transport_limit.set(Some(LITE_MAX_BYTES));
                sent = transport.connect(attempt).and_then(|another| {
                    session = another;
                    session.send(smaller)
                });
            }
        }
        let published = sent.as_ref().map_or_else(|error| error.published, |receipt| Some(receipt.published));
        self.steps.set_sent(published.is_some());
        // Later than in the file, because writing that took time.
        state.sent = published.map_or(sent_before, moment);
        if sent.is_ok() && baseline.is_some() {
            state.baseline = baseline;
        }
        if let Some(Err(error)) = store.as_ref().map(|store| self.save(store, state)) {
            let text = format!("{error}; a later run may count this report's traffic again");
            warnings.add(WarningKind::State, error.to_string(), text);
        }
        self.steps.begin(&delivering);
        session.close();
        let receipt = sent.map_err(Error::Delivery)?;
        Ok(Delivered { report_id, confirmation: receipt.confirmation, published: receipt.published, strict })
    }

    /// Does all that a delivery does but for the report: connects, subscribes if an answer would be waited for, disconnects. It
    /// changes no state, but waits for a delivery that is on its way: a broker would end that session, because the client ID is
    /// the same.
    pub(super) fn check(&self, transport: &dyn Transport, deadline: Instant) -> Result<(), Error> {
        let _progress = self.steps.progress(self.terminal);
        let _lock = match config::state_dir(self.delivery.state_dir.as_ref()) {
            None => None,
            Some(dir) => {
                self.steps.begin(using_state(&dir));
                let lock = || Store::lock_existing(&dir, &self.settings.thing_name);
                self.wait_for_lock(deadline, lock)?.ok().flatten()
            }
        };
        self.steps.begin(format!("connecting to {}", self.settings.transport.destination()));
        let trace = |line: &str| self.terminal.debug(line);
        let session = transport.connect(self.attempt(deadline, &trace)).map_err(Error::Delivery)?;
        let checked = session.check();
        session.close();
        checked.map_err(Error::Delivery)?;
        self.terminal.debug("not checked: the report itself, and whether this client may publish it");
        Ok(())
    }

    fn attempt<'s>(&'s self, deadline: Instant, trace: &'s dyn Fn(&str)) -> Attempt<'s> {
        Attempt {
            thing_name: &self.settings.thing_name,
            encoding: self.encoding(),
            wait_for: if self.delivery.no_wait.is_set() { WaitFor::Acknowledgment } else { WaitFor::Answer },
            timeout: self.settings.timeout,
            deadline,
            trace,
            keepalive: self.keepalive,
        }
    }

    /// The report as it would be sent, and what `--strict` makes of it.
    pub(super) fn message(
        &self,
        state: &State,
        custom: Option<CustomMetrics>,
        warnings: &mut Warnings,
    ) -> Result<(Message, Exit), Error> {
        let Collected { sample, since, .. } = self.collect(state, warnings)?;
        let mut draft = self.draft(&sample, since.as_ref(), state.last_report_id, custom, warnings);
        let message = draft.encode(self.max_bytes(), warnings)?;
        Ok((message, warnings.exit(self.source.strict)))
    }

    fn collect(&self, state: &State, warnings: &mut Warnings) -> Result<Collected, Error> {
        self.steps.begin(format!("reading {}", config::path(&self.source.proc).display()));
        let collector = pipeline::open(self.source, self.terminal, warnings)?;
        let sample = pipeline::sample_of_host(&collector, self.terminal, warnings)?;
        let since = self.baseline(state, &collector, warnings);
        let taken_at = rfc3339(SystemTime::now());
        let counters = sample.counters.clone();
        let baseline = counters.and_then(|counters| Baseline::new(collector.root.host_id(), taken_at, counters));
        Ok(Collected { sample, since, baseline })
    }

    fn draft<'s>(
        &'s self,
        sample: &'s Sample,
        since: Option<&Interfaces>,
        last_report_id: u64,
        custom: Option<CustomMetrics>,
        warnings: &mut Warnings,
    ) -> Draft<'s> {
        let report = pipeline::build(sample, since, last_report_id, custom, self.options, warnings);
        Draft { report, encoding: self.encoding(), options: self.options }
    }

    fn encoding(&self) -> Encoding {
        match self.delivery.format.valid() {
            None | Some(PayloadFormat::Json) => Encoding::Json,
            Some(PayloadFormat::Cbor) => Encoding::Cbor,
        }
    }

    fn max_bytes(&self) -> usize {
        self.options.max_bytes.or(self.transport_limit.get()).unwrap_or(MAX_BYTES)
    }

    /// The counters at the last accepted report; `None` when there are none to count from.
    fn baseline(&self, state: &State, collector: &Collector, warnings: &mut Warnings) -> Option<Interfaces> {
        match baseline::of_state(state, collector, self.terminal) {
            Ok(counters) => return Some(counters),
            // Normal for a first report.
            Err(reason @ NoBaseline::None) => self.terminal.debug(format_args!("no network_stats: {reason}")),
            Err(reason) => warnings.no_traffic(reason),
        }
        None
    }

    /// Locks the state file and reads it into `state`, unless that is newer. An unusable default directory only warns; an
    /// explicit one is an error, unless in a loop. What is readable in an unusable directory is used all the same.
    fn lock_state(
        &self,
        deadline: Instant,
        state: &mut State,
        warnings: &mut Warnings,
    ) -> Result<Option<Store>, Error> {
        let thing = &self.settings.thing_name;
        let Some(dir) = config::state_dir(self.delivery.state_dir.as_ref()) else {
            return self.without_state(StoreError::NoHome, warnings).map(|()| None);
        };
        self.steps.begin(using_state(&dir));
        let store = match self.wait_for_lock(deadline, || Store::lock(&dir, thing))? {
            Ok(store) => Some(store),
            Err(error) => {
                self.without_state(error, warnings)?;
                None
            }
        };
        let loaded = store.as_ref().map_or_else(|| State::load(&dir, thing), |store| store.load(thing));
        match loaded {
            Ok(Some(on_disk)) if on_disk.last_report_id > state.last_report_id => *state = on_disk,
            Ok(_) => {}
            Err(_) if store.is_none() => {} // there is a warning about the directory already
            Err(error) => warnings.add(WarningKind::State, error.to_string(), format!("{error}; starting over")),
        }
        self.terminal.debug(format_args!("state of {thing} in {}", dir.display()));
        if self.is_state_required()
            && let Some(store) = &store
            && let Err(error) = store.save(state)
        {
            return self.without_state(error, warnings).map(|()| None); // better known before the network than after
        }
        Ok(store)
    }

    /// Tries a lock until no other run holds it, or the deadline.
    fn wait_for_lock<T>(
        &self,
        deadline: Instant,
        lock: impl Fn() -> Result<T, StoreError>,
    ) -> Result<Result<T, StoreError>, Error> {
        loop {
            match lock() {
                Err(StoreError::Locked(_)) if Instant::now() < deadline => {
                    (self.keepalive.call)();
                    thread::sleep(LOCK_PAUSE);
                }
                Err(lock @ StoreError::Locked(_)) => {
                    return Err(Error::Locked { lock, timeout: self.settings.timeout });
                }
                result => return Ok(result),
            }
        }
    }

    fn save(&self, store: &Store, state: &State) -> Result<(), StoreError> {
        self.steps.begin("saving the state");
        store.save(state)
    }

    fn is_state_required(&self) -> bool {
        self.interval.is_none() && self.delivery.state_dir.is_some()
    }

    fn without_state(&self, error: StoreError, warnings: &mut Warnings) -> Result<(), Error> {
        if self.is_state_required() {
            return Err(Error::StateDir(error));
        }
        let text =
            format!("{error}; the state is not kept, so a later run may count traffic again, or not count it at all");
        warnings.add(WarningKind::State, error.to_string(), text);
        Ok(())
    }
}

/// The step that reads or locks the state.
pub(super) fn using_state(dir: &Path) -> String {
    format!("using the state in {}", dir.display())
}

/// A moment on the clock that a restart does not set back; `None` when that clock or the boot ID is unknown.
fn moment(at: Instant) -> Option<Moment> {
    let since_boot = time::since_boot_at(at).ok()?;
    Some(Moment::new(time::boot_id()?.to_owned(), since_boot))
}
