//! What makes a result less than it could be, as data: each command prints it once, and `watch` only when it changes.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::exit::Exit;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WarningKind {
    /// Another network namespace is shown than the one asked for.
    Namespace,
    /// A table of the report is unknown.
    TableUnknown,
    RowSkipped,
    /// Interface names may be missing.
    Names,
    NoTraffic,
    Cut,
    /// Processes are hidden from this user.
    Processes,
    /// The state file cannot be read or kept.
    State,
    /// Reports are not what the endpoint is for.
    Endpoint,
    /// A certificate or key works, but not well or not for long.
    Credentials,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) kind: WarningKind,
    /// What it is about, and what is wrong with it, as far as that distinguishes it from others of its kind: nothing that changes
    /// from one cycle to the next while the cause is the same. Empty where the kind says it all.
    pub(crate) subject: String,
    /// The message. May quote foreign text.
    pub(crate) text: String,
}

/// The warnings of one run or cycle, in order, each once.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    all: Vec<Warning>,
    /// How many of them were printed.
    printed: usize,
}

/// What makes the warnings of two cycles the same to a reader of the log.
pub(crate) type WarningKey = BTreeSet<(WarningKind, String)>;

impl Warnings {
    pub(crate) fn add(&mut self, kind: WarningKind, subject: impl Into<String>, text: impl Into<String>) {
        self.extend([Warning { kind, subject: subject.into(), text: text.into() }]);
    }

    /// Notes why the report has no traffic. The reason is also what distinguishes the warning from others.
    pub(crate) fn no_traffic(&mut self, reason: impl Display) {
        self.add(WarningKind::NoTraffic, reason.to_string(), format!("no network_stats: {reason}"));
    }

    pub(crate) fn extend(&mut self, warnings: impl IntoIterator<Item = Warning>) {
        for warning in warnings {
            if !self.all.contains(&warning) {
                self.all.push(warning);
            }
        }
    }

    pub(crate) fn append(&mut self, others: Self) {
        self.extend(others.all);
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|warning| warning.text.as_str())
    }

    /// The warnings that this function has not returned yet.
    pub(crate) fn take_new(&mut self) -> impl Iterator<Item = &str> {
        let printed = std::mem::replace(&mut self.printed, self.all.len());
        self.texts().skip(printed)
    }

    /// The exit code that they make, with `strict`.
    pub(crate) fn exit(&self, strict: bool) -> Exit {
        let has = |kind| strict && self.all.iter().any(|warning| warning.kind == kind);
        if has(WarningKind::TableUnknown) || has(WarningKind::Namespace) {
            Exit::NoInput
        } else if has(WarningKind::RowSkipped) {
            Exit::Input
        } else {
            Exit::Success
        }
    }

    pub(crate) fn key(&self) -> WarningKey {
        self.all.iter().map(|warning| (warning.kind, warning.subject.clone())).collect()
    }
}
