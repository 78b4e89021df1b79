//! `publish`: one report, delivered and confirmed.

use std::cell::Cell;
use std::io::Write;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};
use std::{process, thread};

use super::publisher::{Publisher, using_state};
use super::steps::Steps;
use super::{pipeline, report};
use crate::cli::{PayloadFormat, PublishArgs, SourceArgs};
use crate::config::{self, SettingError};
use crate::delivery::transport::{Keepalive, topic};
use crate::error::Error;
use crate::exit::Exit;
use crate::files;
use crate::report::custom::CustomMetrics;
use crate::report::encode::Encoding;
use crate::state::State;
use crate::terminal::Terminal;
use crate::text::escape_json;
use crate::warning::{WarningKind, Warnings};

/// How long the last message may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(super) fn run(
    args: &PublishArgs,
    mut errors: Vec<SettingError>,
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<Exit, Error> {
    if args.dry_run && args.delivery.format.valid() == Some(&PayloadFormat::Cbor) && terminal.is_interactive {
        return Err(Error::Usage {
            message: "CBOR is not printed to a terminal".to_owned(),
            hint: "redirect it, as in --dry-run --format cbor > report.cbor".to_owned(),
        });
    }
    let printing = terminal.clone();
    let steps =
        Steps::supervise(config::delivery::timeout(&args.delivery), move |error| end_process(error, &printing))?;
    let deadline = steps.start();
    steps.begin("reading the settings");
    config::report::check_report(&args.report, &mut errors);
    let config = config::delivery::resolve(&args.delivery, &mut errors);
    for note in &config.notes {
        terminal.debug(note);
    }
    let print = |line: &String| if args.dry_run { terminal.notice(line) } else { terminal.debug(line) };
    let paths = config::describe_paths(args.delivery.state_dir.as_ref(), &args.report.source.proc);
    config.summary.iter().chain(&paths).for_each(print);
    steps.begin("reading the certificates and the key");
    let loaded = config.load(SystemTime::now()).unwrap_or_else(|found| {
        errors.extend(found.into_iter().map(SettingError::from));
        None
    });
    let (Some(settings), Some(loaded)) = (config.settings, loaded) else { return Err(Error::Settings(errors)) };

    warnings.extend(config.warnings.into_iter().chain(loaded.warnings));
    terminal.warn_all(warnings);
    loaded.summary.iter().for_each(print);
    let options = pipeline::options(&args.report);
    let publisher = Publisher {
        source: &args.report.source,
        options: &options,
        delivery: &args.delivery,
        settings: &settings,
        terminal,
        keepalive: Keepalive { every: settings.timeout, call: &|| () },
        steps: &steps,
        interval: None,
        transport_limit: Cell::new(None),
    };
    if args.check {
        publisher.check(loaded.transport.as_ref(), deadline)?;
        steps.pause();
        return Ok(Exit::Success);
    }
    let (custom, deadline) = custom_metrics(&args.report.source, &steps, deadline)?;
    if args.dry_run {
        return show(&publisher, custom, warnings);
    }
    let mut state = State::new(&settings.thing_name);
    let delivered = publisher.deliver(loaded.transport.as_ref(), custom, &mut state, deadline, warnings);
    steps.pause();
    delivered.map(|delivered| delivered.strict)
}

/// Reads the custom metrics. A pipe may make this process wait, though no other run yet, and restarts the timeout: how long
/// a report's metrics take to be made is not about its delivery.
fn custom_metrics(
    source: &SourceArgs,
    steps: &Steps,
    deadline: Instant,
) -> Result<(Option<CustomMetrics>, Instant), Error> {
    let Some(path) = source.custom_metrics.as_ref().map(config::path) else { return Ok((None, deadline)) };
    steps.begin(format!("reading the custom metrics from {}", files::input_name(path)));
    if !files::is_stdin(path) && path.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok((pipeline::custom_metrics(source)?, deadline));
    }
    steps.pause();
    let custom = pipeline::custom_metrics(source)?;
    Ok((custom, steps.start()))
}

/// Ends the process while its main thread hangs. Standard error may be what it hangs in, so it is not waited for.
fn end_process(error: &Error, terminal: &Terminal) {
    let exit = error.exit();
    thread::scope(|scope| {
        let (done, printed) = channel();
        let print = move || {
            report(error, terminal);
            let _nobody_waits_any_more = done.send(());
        };
        if thread::Builder::new().name("last words".to_owned()).spawn_scoped(scope, print).is_ok() {
            let _in_vain = printed.recv_timeout(LAST_WORDS);
        }
        #[expect(clippy::exit, reason = "the main thread does not get on")]
        process::exit(i32::from(exit.code()));
    });
}

/// `--dry-run`: the report to standard output, its destination to standard error.
fn show(publisher: &Publisher<'_>, custom: Option<CustomMetrics>, warnings: &mut Warnings) -> Result<Exit, Error> {
    let Publisher { settings, terminal, .. } = publisher;
    let thing_name = &settings.thing_name;
    let dir = config::state_dir(publisher.delivery.state_dir.as_ref());
    if let Some(dir) = &dir {
        publisher.steps.begin(using_state(dir));
    }
    let loaded = dir.map_or(Ok(None), |dir| State::load(&dir, thing_name)).unwrap_or_else(|error| {
        warnings.add(WarningKind::State, "load", format!("{error}; starting over"));
        None
    });
    let state = loaded.unwrap_or_else(|| State::new(thing_name));
    let (message, strict) = publisher.message(&state, custom, warnings)?;
    publisher.steps.pause();
    terminal.warn_all(warnings);
    let topic = topic(thing_name, message.encoding);
    let (bytes, destination) = (message.payload.len(), settings.transport.destination());
    terminal.notice(format_args!("not sent: {bytes} bytes to {destination}, topic {topic}"));
    terminal.write(|out| match (message.encoding, std::str::from_utf8(&message.payload)) {
        (Encoding::Json, Ok(text)) if terminal.is_interactive => writeln!(out, "{}", escape_json(text)),
        (Encoding::Json, _) => {
            out.write_all(&message.payload)?;
            out.write_all(b"\n")
        }
        (Encoding::Cbor, _) => out.write_all(&message.payload),
    })?;
    Ok(strict)
}
