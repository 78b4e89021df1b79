//! The layers of settings: a flag comes before its environment variable (clap sees to that), both before the config file,
//! and these before a Greengrass core's configuration. Every value knows where it came from, and everything that is missing
//! or wrong is reported at once.

pub(crate) mod cores;
pub(crate) mod delivery;
pub(crate) mod entries;
pub(crate) mod file;
#[cfg_attr(not(feature = "greengrass"), path = "without_greengrass.rs")]
pub(crate) mod greengrass;
#[cfg(feature = "greengrass")]
mod nucleus;
pub(crate) mod report;
pub(crate) mod variables;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::delivery::transport::{CredentialError, CredentialErrorKind, CredentialFile};
use crate::exit::Exit;
use crate::sourced::{Origin, Sourced, from_str};
use crate::state;
use crate::thing::ThingName;
use cores::CoreError;

/// The variable in which a Greengrass nucleus passes the thing name to components.
const AWS_IOT_THING_NAME: &str = "AWS_IOT_THING_NAME";

/// A setting that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SettingError {
    pub(crate) exit: Exit,
    /// The setting or file.
    subject: String,
    message: String,
    pub(crate) hint: Option<&'static str>,
}

impl SettingError {
    /// An error in a value from `origin`.
    pub(crate) fn value(name: &str, origin: &Origin, shown: &str, reason: &str) -> Self {
        Self::of_origin(origin, name, format!("{name} `{shown}` ({origin}): {reason}"))
    }

    /// An error in what came from `origin`: on the command line it is a usage error.
    fn of_origin(origin: &Origin, subject: impl Into<String>, message: impl Into<String>) -> Self {
        let exit = if matches!(origin, Origin::Flag(_)) { Exit::Usage } else { Exit::Settings };
        Self::new(exit, subject, message)
    }

    pub(crate) fn new(exit: Exit, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { exit, subject: subject.into(), message: message.into(), hint: None }
    }

    /// An error in a Greengrass core's configuration. `instead` is what to do to get along without it.
    pub(crate) fn of_core(error: &CoreError, instead: &str) -> Self {
        let exit = if matches!(error, CoreError::Unreadable { .. }) { Exit::NoInput } else { Exit::Settings };
        let remedy = match error {
            CoreError::None(_) => {
                "give the directory that Greengrass is installed in, or /etc/greengrass for nucleus lite".to_owned()
            }
            CoreError::Unreadable { .. } => format!("{instead} to do without it"),
            CoreError::Broken { .. } => format!("correct the file, or {instead}"),
            CoreError::NotBuilt(_) => format!("use a build with all features, or {instead}"),
        };
        Self::new(exit, "Greengrass core", format!("{error}; {remedy}"))
    }

    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    pub(crate) fn is_about(&self, subject: &str) -> bool {
        self.subject == subject
    }

    /// The setting or file that the error is about, with its exit code: two errors with the same subject are the same to a
    /// reader of the log.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.exit.code(), self.subject)
    }
}

impl From<CredentialError> for SettingError {
    fn from(error: CredentialError) -> Self {
        let exit = match error.kind {
            CredentialErrorKind::Unreadable(_) => Exit::NoInput,
            _ => Exit::Settings,
        };
        let (file, message) = match error.file {
            Some(CredentialFile { path, setting }) => {
                let path = path.display().to_string();
                let message = format!("{path} ({setting}): {}", error.reason);
                (path, message)
            }
            None => (String::new(), error.reason),
        };
        Self::new(exit, format!("{:?} {file}", error.kind), message)
    }
}

/// The value of a setting, or a note of what is wrong with it.
pub(crate) fn checked<T>(name: &str, given: Sourced<T>, errors: &mut Vec<SettingError>) -> Option<T> {
    let shown = given.shown();
    given.value.map_err(|reason| errors.push(SettingError::value(name, &given.origin, &shown, &reason))).ok()
}

/// The value of a setting that no other setting is reported with.
pub(crate) fn checked_alone<T>(name: &str, given: Sourced<T>) -> Result<T, Vec<SettingError>> {
    let mut errors = Vec::new();
    checked(name, given, &mut errors).ok_or(errors)
}

/// An environment variable; empty counts as not set.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The thing name as a Greengrass nucleus passes it to components; `None` when it does not.
pub(crate) fn aws_thing_name() -> Option<Sourced<ThingName>> {
    let text = variable(AWS_IOT_THING_NAME)?;
    Some(Sourced::parse(&text, Origin::Environment(AWS_IOT_THING_NAME.to_owned()), from_str))
}

/// The thing name as it was given, by anything that comes before [`aws_thing_name`].
pub(crate) fn given_thing_name(given: Option<&Sourced<ThingName>>) -> Option<Sourced<ThingName>> {
    given.filter(|given| given.is_explicit() || variable(AWS_IOT_THING_NAME).is_none()).cloned()
}

/// Where the state is kept: the directory given, else that of the environment or the user. `None`: this user has no home.
pub(crate) fn state_dir(given: Option<&Sourced<PathBuf>>) -> Option<PathBuf> {
    state::directory(given.map(path), |name| env::var_os(name))
}

/// A path that was given: any text is one.
pub(crate) fn path(given: &Sourced<PathBuf>) -> &Path {
    given.value.as_deref().unwrap_or(Path::new(""))
}

/// Where the state is kept and which /proc is read, with their origins, for people.
pub(crate) fn describe_paths(state_dir: Option<&Sourced<PathBuf>>, proc: &Sourced<PathBuf>) -> [String; 2] {
    let origin = match state_dir {
        Some(given) => &given.origin,
        None if variable("STATE_DIRECTORY").is_some() => &Origin::Environment("STATE_DIRECTORY".to_owned()),
        None => &Origin::Default,
    };
    let dir = match self::state_dir(state_dir) {
        None => "none, as HOME is not set".to_owned(),
        Some(dir) => format!("{} ({origin})", dir.display()),
    };
    [format!("state directory: {dir}"), format!("/proc path: {} ({})", path(proc).display(), proc.origin)]
}
