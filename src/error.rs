//! Why a command failed: one variant for each way, with its message, its hint and, in one place, its exit code.

use std::fmt::Display;
use std::io;
use std::mem::{Discriminant, discriminant};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use humantime::format_duration;
use procfs::ProcError;

use crate::collector::Refusal;
use crate::collector::proc::root::RootError;
use crate::config::SettingError;
use crate::delivery;
use crate::delivery::error::{Cause, Kind};
use crate::delivery::phase::Phase;
use crate::exit::Exit;
use crate::sourced::Origin;
use crate::state::store::StoreError;
use crate::terminal::StdoutError;

/// Why a command failed. Texts may quote foreign text, so they are escaped where they are shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Flags that do not fit together.
    #[error("{message}")]
    Usage { message: String, hint: String },
    /// Settings that are missing or wrong, credentials included.
    #[error("{}", self.messages().join("; "))]
    Settings(Vec<SettingError>),
    /// Files that could not be read or used.
    #[error("{}", self.messages().join("; "))]
    Input { errors: Vec<InputError>, hint: Option<&'static str> },
    /// There is nothing to read below the /proc path.
    #[error("{error}")]
    Root { error: RootError, origin: Origin },
    /// The kernel refuses what `--source netlink` asks for.
    #[error("--source netlink: {0}")]
    Netlink(Refusal),
    /// The sockets of another namespace, or of a copy, are asked for with `--source netlink`.
    #[error("--source netlink shows only the network namespace of this process, but {reason}")]
    NetlinkElsewhere { reason: String },
    #[error("{}: no table of the report could be read", net.display())]
    NoTable { net: PathBuf },
    #[error("{}: processes cannot be listed: {source}", root.display())]
    Processes { root: PathBuf, source: ProcError },
    #[error("--max-bytes {max} is too small: the report takes {needed} bytes with its lists empty")]
    MaxBytes { max: usize, needed: usize },
    /// The report does not fit into a message even without its lists.
    #[error("the report takes more than {max} bytes with its lists empty")]
    TooLarge { max: usize },
    /// The directory given with `--state-dir` cannot be used.
    #[error("{0}; nothing was sent")]
    StateDir(StoreError),
    /// Another run held the lock for the whole timeout.
    #[error("{lock}, still after {}; nothing was sent", format_duration(*timeout))]
    Locked { lock: StoreError, timeout: Duration },
    /// The main thread does not get on, most likely in a file system that does not respond.
    #[error("{step}: not done within --timeout {}; {}", format_duration(*timeout), if *is_sent { "the report was sent" } else { "nothing was sent" })]
    Overdue { step: String, timeout: Duration, is_sent: bool },
    #[error("another run reported less than an interval ago")]
    TooSoon,
    /// The report was not delivered, or not confirmed.
    #[error("{0}")]
    Delivery(delivery::Error),
    /// The system refused a resource that this program needs.
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("{target}: {source}")]
    Output { target: String, source: io::Error },
    /// Files to be written are there already, and differ.
    #[error("{}", self.messages().join("; "))]
    Exists(Vec<PathBuf>),
    #[error("bug: {0}")]
    Bug(String),
}

/// An input that could not be read or used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputError {
    /// What the input is, and the file: `custom metrics: m.json`.
    pub(crate) input: String,
    pub(crate) kind: InputErrorKind,
    /// What is wrong: the part of the input, which may be empty, and the reason.
    pub(crate) faults: Vec<(String, String)>,
}

/// Why an input could not be read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputErrorKind {
    Unreadable(io::ErrorKind),
    Json(serde_json::error::Category),
    Invalid,
}

impl InputError {
    pub(crate) fn unreadable(input: impl Into<String>, error: &io::Error) -> Self {
        Self { kind: InputErrorKind::Unreadable(error.kind()), ..Self::invalid(input, error) }
    }

    pub(crate) fn invalid(input: impl Into<String>, reason: impl Display) -> Self {
        let faults = vec![(String::new(), reason.to_string())];
        Self { input: input.into(), kind: InputErrorKind::Invalid, faults }
    }

    fn messages(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(|(part, reason)| match part.as_str() {
            "" => format!("{}: {reason}", self.input),
            part => format!("{}: {part}: {reason}", self.input),
        })
    }
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        Self::Input { errors: vec![error], hint: None }
    }
}

impl From<Vec<SettingError>> for Error {
    fn from(errors: Vec<SettingError>) -> Self {
        Self::Settings(errors)
    }
}

impl From<StdoutError> for Error {
    fn from(StdoutError(source): StdoutError) -> Self {
        Self::Output { target: "standard output".to_owned(), source }
    }
}

/// What makes two errors the same to a reader of the log: never their words, which hold times, addresses and counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorKey {
    kind: Discriminant<Error>,
    delivery: Option<(Discriminant<Cause>, Phase)>,
    subjects: Vec<String>,
}

impl Error {
    /// A command line whose flags do not fit together.
    pub(crate) fn usage(command: &str, message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: format!("see device-defender {command} --help") }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::MaxBytes { .. } => Exit::Usage,
            Self::Settings(errors) => Exit::first(errors.iter().map(|error| error.exit)).unwrap_or(Exit::Settings),
            Self::Input { errors, .. }
                if errors.iter().any(|error| matches!(error.kind, InputErrorKind::Unreadable(_))) =>
            {
                Exit::NoInput
            }
            Self::Input { .. } | Self::TooLarge { .. } => Exit::Input,
            Self::Root { .. }
            | Self::Netlink(_)
            | Self::NetlinkElsewhere { .. }
            | Self::NoTable { .. }
            | Self::Processes { .. } => Exit::NoInput,
            Self::StateDir(_) | Self::Overdue { is_sent: false, .. } => Exit::State,
            Self::Locked { .. } | Self::Overdue { is_sent: true, .. } | Self::TooSoon => Exit::TryLater,
            Self::Delivery(error) => match error.kind() {
                Kind::NotSent => Exit::Unavailable,
                Kind::NotAuthorized => Exit::NotAuthorized,
                Kind::Rejected => Exit::Rejected,
                Kind::TryLater | Kind::Throttled | Kind::Unanswered => Exit::TryLater,
            },
            Self::System { .. } => Exit::Unavailable,
            Self::Output { .. } | Self::Exists(_) => Exit::Output,
            Self::Bug(_) => Exit::Bug,
        }
    }

    /// What failed, where and why, a line each.
    pub(crate) fn messages(&self) -> Vec<String> {
        match self {
            Self::Settings(errors) => errors.iter().map(ToString::to_string).collect(),
            Self::Input { errors, .. } => errors.iter().flat_map(InputError::messages).collect(),
            Self::Exists(paths) => paths
                .iter()
                .map(|path| format!("{}: exists and is different; nothing was written", path.display()))
                .collect(),
            error => vec![error.to_string()],
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Usage { hint, .. } => hint,
            Self::Settings(errors) => {
                let mut hints: Vec<&str> = errors.iter().filter_map(|error| error.hint).collect();
                hints.dedup();
                return Some(hints.join("; ")).filter(|hints| !hints.is_empty());
            }
            Self::Input { hint, .. } => (*hint)?,
            Self::Root { error, origin: origin @ (Origin::Environment(_) | Origin::Config { .. }) } => {
                return Some(format!("{}; the path is from {origin}", error.hint()));
            }
            Self::Root { error, .. } => error.hint(),
            Self::Netlink(_) | Self::NetlinkElsewhere { .. } => {
                "--source auto reads the files where the kernel cannot be asked"
            }
            Self::MaxBytes { .. } => "give a larger --max-bytes, or fewer custom metrics",
            Self::TooLarge { .. } => "send fewer or shorter custom metrics",
            Self::StateDir(error) if error.is_unsafe_path() => {
                "give a --state-dir below directories that only root or its owner can change"
            }
            Self::StateDir(_) => "give a --state-dir that this user can write to, and that has room",
            Self::Locked { .. } => "wait for the other run to end, or give --timeout more time",
            Self::Overdue { .. } => "is a network mount or a disk there not responding?",
            Self::Delivery(error) => return Some(error.hint()),
            Self::Exists(_) => "--force replaces what is different",
            Self::Bug(_) => "please report this, with the command line",
            Self::NoTable { .. }
            | Self::Processes { .. }
            | Self::TooSoon
            | Self::System { .. }
            | Self::Output { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// When the PUBLISH of a failed delivery was written; `None` when it was not.
    pub(crate) fn published(&self) -> Option<Instant> {
        if let Self::Delivery(error) = self { error.published } else { None }
    }

    /// The key by which the log recognizes an error that goes on.
    pub(crate) fn key(&self) -> ErrorKey {
        let (mut delivery, mut subjects) = (None, Vec::new());
        match self {
            Self::Settings(errors) => subjects.extend(errors.iter().map(SettingError::subject)),
            Self::Input { errors, .. } => {
                for InputError { input, kind, faults } in errors {
                    subjects.push(format!("{kind:?} {input}"));
                    subjects.extend(faults.iter().map(|(part, _)| part.clone()));
                }
            }
            Self::Delivery(error) => {
                delivery = Some((discriminant(&error.cause), error.phase));
                subjects.extend([error.destination.clone(), error.cause.detail()]);
            }
            Self::Root { error, .. } => subjects.push(error.to_string()),
            Self::System { what, source } => subjects.push(format!("{what} {:?}", source.kind())),
            Self::Output { target, source } => subjects.push(format!("{target} {:?}", source.kind())),
            _ => {}
        }
        ErrorKey { kind: discriminant(self), delivery, subjects }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::ErrorKind::{ConnectionRefused, NetworkUnreachable};

    use super::*;
    use crate::delivery::error::{Acknowledgment, Wait};
    use crate::delivery::mqtt::reason::{Carrier, Reason, Refusal};
    use crate::delivery::mqtt::version::Version;
    use crate::delivery::reply::Rejection;

    fn key(cause: Cause) -> ErrorKey {
        let destination = "broker.test:8883".to_owned();
        Error::Delivery(delivery::Error { phase: Phase::Connect, destination, published: None, cause }).key()
    }

    #[test]
    fn another_fault_has_another_key() {
        let reason = |code| Reason { code, carrier: Carrier::ConnAck, version: Version::V5, text: None, server: None };
        let refused = |code| {
            let (client_id, topic) = (String::new(), String::new());
            Cause::Refused(Box::new(Refusal {
                reason: reason(code),
                client_id,
                topic,
                acknowledgment: Acknowledgment::None,
            }))
        };
        let unreachable = |error| Cause::Unreachable { attempts: String::new(), errors: BTreeSet::from([error]) };
        let rejected = |message: &str| {
            let rejection = Rejection { code: "InvalidPayload".to_owned(), message: message.to_owned() };
            Cause::Rejected { report_id: 1, rejection }
        };
        let unconfirmed = |answers: &str| {
            let (answers, topic) = (answers.to_owned(), String::new());
            Cause::Unconfirmed { answers, topic, reason: None, acknowledgment: Acknowledgment::Received }
        };
        let alert = |alert: &str| Cause::TlsAlert { alert: alert.to_owned(), hint: "" };
        for (one, other) in [
            (refused(0x88), refused(0x87)),
            (refused(0x87), refused(0x85)),
            (unreachable(ConnectionRefused), unreachable(NetworkUnreachable)),
            (rejected("Malformed"), rejected("Too many")),
            (unconfirmed(".../accepted"), unconfirmed(".../rejected")),
            (alert("handshake failure (40)"), alert("unrecognised name (112)")),
            (Cause::Lookup("try again".to_owned()), Cause::Lookup("unknown name".to_owned())),
        ] {
            let pair = format!("{one:?}, {other:?}");
            assert_ne!(key(one), key(other), "{pair}");
        }
    }

    #[test]
    fn the_same_fault_has_the_same_key_at_another_time() {
        let timed_out =
            |reason: &str| Cause::TimedOut { reason: reason.to_owned(), plaintext: false, wait: Wait::Other };
        let unreachable = |attempts: &str| {
            let errors = BTreeSet::from([ConnectionRefused]);
            Cause::Unreachable { attempts: attempts.to_owned(), errors }
        };
        let rejected = |report_id| {
            let rejection = Rejection { code: "InvalidPayload".to_owned(), message: String::new() };
            Cause::Rejected { report_id, rejection }
        };
        assert_eq!(key(timed_out("1 s")), key(timed_out("2 s")));
        assert_eq!(key(unreachable("192.0.2.1: refused")), key(unreachable("192.0.2.2: refused")));
        assert_eq!(key(rejected(1)), key(rejected(2)));
    }
}
