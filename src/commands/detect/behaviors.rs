//! The behaviors of all profiles that were given.

use std::path::PathBuf;

use serde_json::Value;

use crate::detect::alarms::MAX_BEHAVIORS;
use crate::detect::measured::Measured;
use crate::detect::metric::{Metric, NAME_LENGTH};
use crate::detect::profile::{Behavior, Profile};
use crate::error::{Error, InputError, InputErrorKind};
use crate::files;
use crate::terminal::Terminal;
use crate::text::{escape, quote, truncate};

/// The most bytes of a profile that are read.
const MAX_PROFILE: u64 = 1 << 20;

pub(super) struct ProfileBehavior {
    pub(super) profile: Option<String>,
    /// The name of the profile, its resource in a template, or its file, if there are several profiles.
    pub(super) label: Option<String>,
    pub(super) behavior: Behavior,
}

/// Reads the behaviors of all profiles. The error names every file that is not a profile.
pub(super) fn read_profiles(paths: &[PathBuf], terminal: &Terminal) -> Result<Vec<ProfileBehavior>, Error> {
    let (mut profiles, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        let file = files::input_name(path);
        let input = format!("profile: {file}");
        let text = files::read_input(path, MAX_PROFILE).map_err(|error| InputError::unreadable(&input, &error));
        let parse = |text: Vec<u8>| Profile::parse_all(&text).map_err(|error| InputError::invalid(&input, error));
        match text.and_then(parse) {
            Err(error) => errors.push(error),
            Ok(found) => {
                for warning in found.iter().flat_map(|profile| &profile.warnings) {
                    terminal.warn(format_args!("{input}: {warning}"));
                }
                profiles.extend(found.into_iter().map(|profile| (file.clone(), profile)));
            }
        }
    }
    if errors.is_empty() {
        if profiles.iter().map(|(_, profile)| profile.behaviors.len()).sum::<usize>() > MAX_BEHAVIORS {
            let input = if paths.len() == 1 { "profile" } else { "profiles" };
            return Err(InputError::invalid(input, format!("more than {MAX_BEHAVIORS} behaviors")).into());
        }
        let are_several = profiles.iter().filter(|(_, profile)| !profile.behaviors.is_empty()).count() > 1;
        return Ok(profiles.into_iter().flat_map(|(file, profile)| of_profile(file, profile, are_several)).collect());
    }
    let hint = "give the output of `aws iot describe-security-profile --security-profile-name NAME`, a template as `cdk synth` \
                prints it, or a list of behaviors; as JSON or YAML";
    let invalid = errors.iter().any(|error| error.kind == InputErrorKind::Invalid);
    Err(Error::Input { errors, hint: invalid.then_some(hint) })
}

fn of_profile(file: String, profile: Profile, is_one_of_several: bool) -> impl Iterator<Item = ProfileBehavior> {
    let Profile { name, id, behaviors, .. } = profile;
    let label = is_one_of_several.then(|| name.clone().or(id).unwrap_or(file));
    behaviors.into_iter().map(move |behavior| ProfileBehavior { profile: name.clone(), label: label.clone(), behavior })
}

impl ProfileBehavior {
    /// The name of the behavior, or its place if it has none.
    pub(super) fn name(&self) -> &str {
        match self.behavior.name.as_str() {
            "" => &self.behavior.path,
            name => name,
        }
    }

    pub(super) fn metric(&self) -> Option<&Metric> {
        self.behavior.rule().map(|rule| &rule.metric)
    }

    pub(super) fn is_about_traffic(&self) -> bool {
        self.metric().is_some_and(Metric::is_delta)
    }

    /// AWS's `MetricValue`, in which the number of a custom metric is a `number`, and any other a `count`.
    pub(super) fn metric_value(&self, measured: &Measured) -> Value {
        measured.metric_value(!matches!(self.metric(), Some(Metric::Custom(_))))
    }

    /// The behavior, with its thing and profile if there are several, escaped. A device may have chosen the name of its thing,
    /// so that is in quotes unless it is a word.
    pub(super) fn full_name(&self, thing: Option<&str>) -> String {
        let thing = thing.map(|thing| quote(&truncate(thing, NAME_LENGTH)));
        let own = [self.label.as_deref(), Some(self.name())].into_iter().flatten().map(safe_name);
        thing.into_iter().chain(own).collect::<Vec<_>>().join(" ")
    }
}

/// A foreign name, escaped and shortened.
pub(super) fn safe_name(name: &str) -> String {
    escape(&truncate(name, NAME_LENGTH))
}
