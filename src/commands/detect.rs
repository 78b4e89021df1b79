//! `detect`: judge this device, or reports of any, against security profiles.

mod device;
mod event;
mod received;
mod table;
mod verdict;

use std::path::{Path, PathBuf};

use super::gather;
use crate::cli::{DetectArgs, DetectFormat};
use crate::detect::judge::{Judgement, Verdict};
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
pub(super) fn run(args: &DetectArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    check_usage(args)?;
    let judged = read_profiles(&args.profile, terminal)?;
    match &args.report {
        None => device::run(args, &judged, terminal),
        Some(path) => received::run(path, args, &judged, terminal),
    }
}

/// Refuses combinations of flags that make no sense together.
fn check_usage(args: &DetectArgs) -> Result<(), Failure> {
    let files = args.profile.iter().chain(&args.report).chain(&args.source.custom_metrics);
    if files.filter(|path| path.as_path() == Path::new("-")).count() > 1 {
        return Err(usage("standard input can be read only once, so only one file can be `-`"));
    }
    if args.processes && args.format == DetectFormat::Json {
        return Err(usage("--processes is for --format table"));
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

/// How a run ends that judged these.
fn exit_of(judgements: &[Judgement]) -> Exit {
    let mut exit = Exit::Done;
    for judgement in judgements {
        match judgement.verdict {
            Verdict::Violated(_) => return Exit::No,
            Verdict::Invalid => exit = Exit::Input,
            Verdict::Conforms | Verdict::NotJudged(_) => {}
        }
    }
    exit
}

/// Whether a behaviour about traffic is among these, and the longest time that one is about, in seconds.
fn traffic_wanted(judged: &[Judged]) -> Option<u64> {
    let durations = judged.iter().filter_map(|judged| match &judged.behavior.meaning {
        Meaning::Rule(rule) if rule.metric.is_delta() => Some(rule.duration.unwrap_or_default()),
        _ => None,
    });
    durations.max()
}
