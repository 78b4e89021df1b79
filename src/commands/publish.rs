//! `publish --once`: one report, delivered and confirmed.

use std::env;
use std::io::Write;
use std::time::SystemTime;

use clap::ArgMatches;

use super::deliver::{self, Delivered, Job, Prepared};
use super::{gather, resolve};
use crate::cli::{PayloadFormat, PublishArgs};
use crate::delivery::settings::Settings;
use crate::delivery::tls;
use crate::escape::escape_json;
use crate::exit::{Exit, Failure};
use crate::report::Encoding;
use crate::state::{self, State};
use crate::terminal::Terminal;

/// Runs `publish`.
///
/// # Errors
/// [`Failure`] with what keeps the report from being made, sent, or accepted.
pub(super) fn run(args: &PublishArgs, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, Failure> {
    if !args.once && !args.dry_run {
        let failure = Failure::new(Exit::Usage, "publish sends one report and ends: say so with --once");
        return Err(failure.hint("for a report every 5 minutes there is device-defender watch"));
    }
    if args.dry_run && args.delivery.format == PayloadFormat::Cbor && terminal.stdout_is_terminal() {
        let failure = Failure::new(Exit::Usage, "CBOR is not for terminals");
        return Err(failure.hint("redirect it, as in --dry-run --format cbor > report.cbor"));
    }
    let mut faults = Vec::new();
    let inputs = resolve::inputs(&args.delivery, matches, terminal, &mut faults);
    let (settings, files) = inputs.check(&mut faults);
    let port = settings.as_ref().map_or(0, |settings| settings.endpoint.port);
    let credentials =
        files.and_then(|files| tls::load(&files, port, SystemTime::now()).map_err(|found| faults.extend(found)).ok());
    let Some(settings) = settings.filter(|_| faults.is_empty()) else { return Err(resolve::failure(faults)) };
    let (warnings, summary) = credentials
        .as_ref()
        .map_or_else(Default::default, |credentials| (credentials.warnings.as_slice(), credentials.summary.as_slice()));
    for warning in warnings {
        terminal.warning(warning);
    }
    let places = resolve::places(&args.delivery, &args.report.source, matches);
    for line in settings.summary.iter().chain(&places).chain(summary) {
        if args.dry_run { terminal.notice(line) } else { terminal.step(line) }
    }

    let runtime = deliver::runtime()?;
    let job = Job {
        report: &args.report,
        delivery: &args.delivery,
        settings: &settings,
        runtime,
        terminal,
        pulse: &|| (),
        pulse_every: settings.timeout,
        needs_state: true,
        spacing: None,
    };
    if args.dry_run {
        return show(&job);
    }
    let tls = credentials.as_ref().map(|credentials| &credentials.config);
    let custom = gather::custom_metrics(&args.report.source)?; // a pipe may keep us waiting, but nobody else yet
    match job.deliver(tls, custom, &mut State::new(&settings.thing_name))? {
        Delivered::Ended { ended, strict } => ended.failure().map_or(Ok(strict), Err),
        Delivered::TooSoon => Ok(Exit::TryLater),
    }
}

/// `--dry-run`: the report on standard output, and where it would go on standard error.
fn show(job: &Job<'_>) -> Result<Exit, Failure> {
    let Settings { endpoint, thing_name, .. } = job.settings;
    let dir = state::directory(job.delivery.state_dir.as_deref(), |name| env::var_os(name));
    let state = match dir.map(|dir| State::load(&dir, thing_name)) {
        Some(Ok(Some(state))) => state,
        Some(Err(error)) => {
            job.terminal.warning(format_args!("{error}; beginning anew"));
            State::new(thing_name)
        }
        Some(Ok(None)) | None => State::new(thing_name),
    };
    let Prepared { message, strict, .. } = job.prepare(&state, gather::custom_metrics(&job.report.source)?)?;
    let bytes = message.payload.len();
    let topic = job.settings.topic(message.encoding);
    job.terminal.notice(format_args!("not sent: {bytes} bytes to {endpoint}, topic {topic}"));
    job.terminal.result(|out| match (message.encoding, std::str::from_utf8(&message.payload)) {
        (Encoding::Json, Ok(text)) if job.terminal.stdout_is_terminal() => writeln!(out, "{}", escape_json(text)),
        (Encoding::Json, _) => {
            out.write_all(&message.payload)?;
            out.write_all(b"\n")
        }
        (Encoding::Cbor, _) => out.write_all(&message.payload),
    })?;
    Ok(strict)
}
