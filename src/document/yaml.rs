//! How YAML is read: bounded, because an alias can repeat a part of the document any number of times.

use std::fmt;

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Error, Options, RenderOptions, UserMessageFormatter};

/// The most values that aliases may add to a document, and that may be kept for them.
const MAX_REPEATED: usize = 10_000;

/// At most 64 levels, 150,000 values, 8 MiB of text, 1000 aliases, and [`MAX_REPEATED`] values from them.
pub(crate) fn yaml_options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: 150_000,
            max_total_scalar_bytes: 8 << 20,
            max_aliases: 1000,
            max_recorded_anchor_events: MAX_REPEATED,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPEATED,
        },
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

/// A YAML error in one line, without the part of the document that it is about, which may hold secrets.
pub(crate) struct YamlError<'e>(pub(crate) &'e Error);

impl fmt::Display for YamlError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(limit) = exceeded_limit(self.0) else {
            let text = self.0.render_with_options(RenderOptions::new(&UserMessageFormatter));
            return f.write_str(text.lines().next().unwrap_or_default());
        };
        match self.0.location() {
            Some(place) => write!(f, "{limit} at line {}, column {}", place.line(), place.column()),
            None => f.write_str(limit),
        }
    }
}

/// The limit of [`yaml_options`] that a document exceeds.
fn exceeded_limit(error: &Error) -> Option<&'static str> {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => exceeded_limit(error),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => Some("nested too deeply"),
        Error::Budget {
            breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } | BudgetBreach::ScalarBytes { .. },
            ..
        } => Some("too large"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => Some("too many anchors or aliases"),
        _ => None,
    }
}
