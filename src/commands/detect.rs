//! `detect`: judge this device, or reports of any, against security profiles.

mod columns;
mod device;
mod event;
mod received;
mod table;
mod verdict;

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::gather;
use crate::cli::{DetectArgs, DetectFormat};
use crate::detect::judge::{Judgement, Verdict};
use crate::detect::metric::Metric;
use crate::detect::profile::{Behavior, Meaning, Profile};
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// A behaviour, and the profile it is from.
struct Judged {
    /// The name of the profile, if it has one.
    profile: Option<String>,
    /// What the profile is called among several: by its name, else by its file.
    label: Option<String>,
    behavior: Behavior,
}

/// Runs `detect`.
///
/// # Errors
/// [`Failure`] with what keeps anything from being judged.
pub(super) fn run(args: &DetectArgs, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, Failure> {
    check_usage(args, matches)?;
    let judged = read_profiles(&args.profile, terminal)?;
    match &args.report {
        None => device::run(args, &judged, terminal),
        Some(path) => received::run(path, args, &judged, terminal),
    }
}

/// Refuses combinations of flags that make no sense together.
fn check_usage(args: &DetectArgs, matches: &ArgMatches) -> Result<(), Failure> {
    let files = args.profile.iter().chain(&args.report).chain(&args.source.custom_metrics);
    if files.filter(|path| path.as_path() == Path::new("-")).count() > 1 {
        return Err(usage("standard input can be read only once, so only one file can be `-`"));
    }
    if args.processes && args.format == DetectFormat::Json {
        return Err(usage("--processes is for --format table"));
    }
    // These have variables, which may be set for other commands: only flags are refused.
    for (id, flag) in [("proc", "--proc"), ("state_dir", "--state-dir")] {
        if args.report.is_some() && matches.value_source(id) == Some(ValueSource::CommandLine) {
            return Err(usage(&format!("{flag} is about this device, of which --report reads nothing")));
        }
    }
    Ok(())
}

/// A failure that says how the command is used.
fn usage(text: &str) -> Failure {
    Failure::new(Exit::Usage, text).hint("see device-defender detect --help")
}

/// Reads every profile.
///
/// # Errors
/// Every file that is none: [`Exit::NoInput`] when one cannot be opened, else [`Exit::Input`].
fn read_profiles(paths: &[PathBuf], terminal: &Terminal) -> Result<Vec<Judged>, Failure> {
    let mut judged = Vec::new();
    let mut failure = Failure { exit: Exit::Input, messages: Vec::new(), hint: None };
    for path in paths {
        let file = gather::input_name(path);
        let text = match gather::read(path) {
            Ok(text) => text,
            Err(error) => {
                failure.exit = Exit::NoInput;
                failure.messages.push(format!("profile: {file}: {error}"));
                continue;
            }
        };
        match Profile::parse(&text) {
            Ok(profile) => {
                for warning in &profile.warnings {
                    terminal.warning(format_args!("profile: {file}: {warning}"));
                }
                let label = profile.name.clone().unwrap_or(file);
                judged.extend(profile.behaviors.into_iter().map(|behavior| Judged {
                    profile: profile.name.clone(),
                    label: (paths.len() > 1).then(|| label.clone()),
                    behavior,
                }));
            }
            Err(error) => {
                let hint = "wanted is what `aws iot describe-security-profile` prints, or its list of behaviors";
                failure.hint = Some(hint.to_owned());
                failure.messages.push(format!("profile: {file}: {error}"));
            }
        }
    }
    if failure.messages.is_empty() { Ok(judged) } else { Err(failure) }
}

/// Shows the verdicts on one report.
///
/// # Errors
/// [`Exit::Output`] when they cannot be written.
fn show(
    report_id: Option<u64>,
    judged: &[Judged],
    judgements: &[Judgement],
    whose: Option<&table::Whose<'_>>,
    format: DetectFormat,
    terminal: &Terminal,
) -> Result<(), Failure> {
    match format {
        DetectFormat::Json => verdict::print(report_id, judged, judgements, terminal),
        DetectFormat::Table => {
            let width = terminal.width();
            terminal.result(|out| table::write(report_id, judged, judgements, whose, width, out))
        }
    }
}

/// How a run ends: a violation counts before all else, then what is wrong with the input, then with a behaviour.
fn exit_of(violated: bool, input: Exit, judged: &[Judged]) -> Exit {
    let is_invalid = judged.iter().any(|judged| matches!(judged.behavior.meaning, Meaning::Invalid(_)));
    match (violated, input, is_invalid) {
        (true, _, _) => Exit::No,
        (false, Exit::Done, true) => Exit::Input,
        (false, input, _) => input,
    }
}

/// Whether any of these is a violation.
fn is_any_violated(judgements: &[Judgement]) -> bool {
    judgements.iter().any(|judgement| matches!(judgement.verdict, Verdict::Violated(_)))
}

impl Judged {
    /// The metric that is measured; `None` when nothing is.
    fn metric(&self) -> Option<&Metric> {
        match &self.behavior.meaning {
            Meaning::Rule(rule) => Some(&rule.metric),
            Meaning::NotJudged(_) | Meaning::Invalid(_) => None,
        }
    }

    /// Whether it is about traffic.
    fn is_about_traffic(&self) -> bool {
        self.metric().is_some_and(Metric::is_delta)
    }

    /// Whether its number is a `count` of AWS's `MetricValue`, rather than a `number`.
    fn is_counted(&self) -> bool {
        !matches!(self.metric(), Some(Metric::Custom(_)))
    }
}
