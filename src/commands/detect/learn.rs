//! Prints a profile that this device, or saved reports, conform to.

use std::io::Write;
use std::path::Path;

use super::behaviors::ProfileBehavior;
use super::device::{Device, shown_name};
use super::stream::ReportStream;
use crate::cli::{DetectArgs, Since};
use crate::detect::judge::{Judgment, judge};
use crate::detect::learn::{LearnError, Learner, questions};
use crate::error::{Error, InputError};
use crate::exit::Exit;
use crate::files;
use crate::terminal::Terminal;
use crate::thing::ThingName;
use crate::warning::Warnings;

pub(super) fn run(
    args: &DetectArgs,
    since: Option<Since>,
    thing_name: Option<ThingName>,
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<Exit, Error> {
    let ask = |behavior| ProfileBehavior { profile: None, label: None, behavior };
    let questions: Vec<ProfileBehavior> = questions().map(ask).collect();
    let mut learner = Learner::new(args.learn_prefix.unwrap_or_default());
    let name = if args.report.is_some() { thing_name.clone() } else { shown_name(thing_name.as_ref()) };
    let (input, exit, remedy) = if let Some(path) = &args.report {
        let exit = learn_reports(path, args, thing_name.as_ref(), &questions, &mut learner, terminal)?;
        (format!("report: {}", files::input_name(path)), exit, "")
    } else {
        let device = Device::read(args, since, thing_name, &questions, terminal, warnings)?;
        let report = device.report(warnings);
        let observation = device.observe(&report);
        let judgments: Vec<Judgment<'_>> =
            questions.iter().map(|entry| judge(&entry.behavior, &observation, &device.covers)).collect();
        let input = device.collector.root.net.display().to_string();
        learner.add(&observation, &judgments.iter().collect::<Vec<_>>()).map_err(|error| failed(&input, &error))?;
        terminal.warn_all(warnings);
        let remedy = if device.collector.root.is_procfs { "; --since 300s measures it" } else { "" };
        // A profile that lacks what could not be read must not look like a whole one.
        let exit = if observation.has_partial() { Exit::NoInput } else { warnings.exit(args.source.strict) };
        (input, exit, remedy)
    };
    let name = name.as_ref().map(ThingName::as_str);
    let (profile, lacks) = learner.finish(name).map_err(|error| failed(&input, &error))?;
    for lack in lacks {
        terminal.warn(format_args!("{}{}", lack.text, if lack.is_about_traffic { remedy } else { "" }));
    }
    // A file to be edited, so it is indented in a pipe, too.
    terminal.write(|out| {
        serde_json::to_writer_pretty(&mut *out, &profile)?;
        out.write_all(b"\n")
    })?;
    Ok(exit)
}

fn learn_reports(
    path: &Path,
    args: &DetectArgs,
    thing_name: Option<&ThingName>,
    questions: &[ProfileBehavior],
    learner: &mut Learner,
    terminal: &Terminal,
) -> Result<Exit, Error> {
    let mut stream = ReportStream::open(path, args, thing_name, questions, None, terminal)?;
    let mut next = Ok(stream.first()?);
    while let Ok(received) = next {
        if let Some(outcomes) = stream.judge(&received) {
            let judgments: Vec<&Judgment<'_>> = outcomes.iter().map(|outcome| &outcome.judgment).collect();
            let input = format_args!("report: {}", stream.file);
            learner.add(&received.observation, &judgments).map_err(|error| failed(&input.to_string(), &error))?;
        }
        next = stream.next(None)?;
    }
    stream.warn_totals();
    Ok(stream.exit())
}

fn failed(input: &str, error: &LearnError) -> Error {
    Error::Input { errors: vec![InputError::invalid(input, error)], hint: error.hint() }
}
