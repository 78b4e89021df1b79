//! One behavior, judged by one observation.
//!
//! **The one-sided rule.** A figure may be incomplete, as when it covers a shorter time than its behavior asks for or counts
//! a shortened list; then it is a lower bound. A figure that covers a longer time is an upper bound. Only verdicts that the
//! bound proves are given: a lower bound can prove that an upper limit is exceeded or that a list has an element that
//! offends, an upper bound the opposite. Otherwise the behavior is not judged.

use std::borrow::Cow;
use std::fmt;

use super::criterion::{Answer, Comparison, Criterion};
use super::measured::Measured;
use super::observation::Observation;
use super::profile::{Behavior, Meaning, Rule, span};

/// One part in so many that a figure may cover more than its window and still count as exact.
const TOLERANCE: u64 = 10;

/// What the reader of an assumed judgment must know.
pub(crate) const ASSUMED: &str =
    "a single report does not say what time its traffic covers; assumed to be durationSeconds";

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Conforms,
    /// Because of these elements; for a bound, the number itself.
    Violated(Measured),
    /// No verdict is possible, for this reason. Never counts as conforming.
    NotJudged(Cow<'static, str>),
    /// The behavior has the faults in [`Meaning::Invalid`].
    Invalid,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Judgment<'o> {
    pub verdict: Verdict,
    /// The measurement of the observation, or a sum.
    pub measured: Option<Cow<'o, Measured>>,
    /// The seconds that the figure of a delta metric covers, if known.
    pub covers: Option<u64>,
    /// Whether the figure is assumed to cover the behavior's whole `durationSeconds`.
    pub(crate) assumed: bool,
}

/// The time that the traffic of a report covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    Seconds(u64),
    /// Unknown, for this reason.
    Unknown(String),
    /// Nothing says; assumed to be each behavior's `durationSeconds`.
    Assumed,
}

/// Why a figure is only a bound of what its behavior asks for. Exact by default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds<'a> {
    /// Why it is a lower bound.
    incomplete: Option<Reason<'a>>,
    /// Why it is an upper bound.
    overlong: Option<Reason<'a>>,
}

/// Written only when it becomes the verdict.
#[derive(Debug, Clone, Copy)]
enum Reason<'a> {
    Text(&'a str),
    Covers { seconds: u64, wanted: u64 },
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text(text) => f.write_str(text),
            Self::Covers { seconds, wanted } => {
                let compared = if seconds < wanted { "less" } else { "more" };
                write!(f, "the figure covers {}, {compared} than {}", span(seconds), span(wanted))
            }
        }
    }
}

/// Whether a figure covers so much more than its window that it is only an upper bound.
pub(super) fn is_overlong(seconds: u64, wanted: u64) -> bool {
    seconds > wanted + wanted / TOLERANCE
}

impl<'a> Bounds<'a> {
    /// The bounds of a figure that covers `seconds` when the behavior asks for `wanted`.
    pub(super) fn of_time(seconds: u64, wanted: u64) -> Self {
        let reason = Reason::Covers { seconds, wanted };
        Self {
            incomplete: (seconds < wanted).then_some(reason),
            overlong: is_overlong(seconds, wanted).then_some(reason),
        }
    }

    /// Why an answer of `criterion` is not proven; `None` if it is.
    fn forbids(&self, criterion: &Criterion, conforms: bool) -> Option<Reason<'a>> {
        let more_is_worse =
            !matches!(criterion, Criterion::Bound(Comparison::GreaterThan | Comparison::GreaterThanEquals, _));
        if conforms == more_is_worse { self.incomplete } else { self.overlong }
    }
}

impl Verdict {
    /// Its name in JSON and in tables.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::Violated(_) => "violated",
            Self::NotJudged(_) => "not-judged",
            Self::Invalid => "invalid",
        }
    }
}

impl Judgment<'_> {
    fn without_measurement(verdict: Verdict) -> Self {
        Self { verdict, measured: None, covers: None, assumed: false }
    }

    pub(super) fn not_judged(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::without_measurement(Verdict::NotJudged(reason.into()))
    }

    pub(crate) fn is_violated(&self) -> bool {
        matches!(self.verdict, Verdict::Violated(_))
    }

    pub(crate) fn is_judged(&self) -> bool {
        matches!(self.verdict, Verdict::Conforms | Verdict::Violated(_))
    }
}

pub fn judge<'o>(behavior: &Behavior, observation: &'o Observation, coverage: &Coverage) -> Judgment<'o> {
    let rule = match &behavior.meaning {
        Meaning::Invalid(_) => return Judgment::without_measurement(Verdict::Invalid),
        Meaning::NotJudged(reason) => return Judgment::not_judged(*reason),
        Meaning::Rule(rule) => rule,
    };
    let partial = observation.partial(&rule.metric);
    let Some(measured) = observation.get(&rule.metric) else {
        return match (partial, coverage) {
            (Some(reason), _) => Judgment::not_judged(reason.to_owned()),
            (None, Coverage::Unknown(reason)) if rule.metric.is_delta() => Judgment::not_judged(reason.clone()),
            (None, _) => Judgment::not_judged("the report does not have this metric"),
        };
    };
    let mut bounds = match (coverage, rule.duration) {
        (Coverage::Seconds(seconds), Some(wanted)) => Bounds::of_time(*seconds, wanted),
        (Coverage::Unknown(why), Some(_)) => {
            let reason = Some(Reason::Text(why));
            Bounds { incomplete: reason, overlong: reason }
        }
        (Coverage::Assumed, Some(_)) | (_, None) => Bounds::default(),
    };
    if let Some(reason) = partial {
        bounds.incomplete = Some(Reason::Text(reason));
    }
    Judgment {
        covers: match coverage {
            Coverage::Seconds(seconds) if rule.metric.is_delta() => Some(*seconds),
            _ => None,
        },
        assumed: *coverage == Coverage::Assumed && rule.duration.is_some(),
        ..judge_measured(rule, Cow::Borrowed(measured), &bounds)
    }
}

/// Judges a figure that has these bounds.
pub(super) fn judge_measured<'o>(rule: &Rule, measured: Cow<'o, Measured>, bounds: &Bounds<'_>) -> Judgment<'o> {
    let answer = rule.criterion.answer(&measured);
    let forbidden = bounds.forbids(&rule.criterion, answer == Answer::Conforms);
    let verdict = match (answer, forbidden) {
        (Answer::OtherKind, _) => Verdict::NotJudged("the report has another type of value under this name".into()),
        (_, Some(reason)) => Verdict::NotJudged(reason.to_string().into()),
        (Answer::Conforms, None) => Verdict::Conforms,
        (Answer::Violated(offending), None) => Verdict::Violated(offending),
    };
    Judgment { measured: Some(measured), ..Judgment::without_measurement(verdict) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::metric::Metric;
    use crate::detect::profile::Profile;

    #[test]
    fn a_metric_that_could_not_be_read_says_why_it_is_not_judged() {
        let profile = br#"[{"name": "b", "metric": "aws:all-bytes-in",
            "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 300}}]"#;
        let behavior = &Profile::parse_all(profile).unwrap()[0].behaviors[0];
        let mut observation = Observation::default();
        observation.add_partial(Metric::BytesIn, "rows of net/dev were not understood".to_owned());
        for coverage in [Coverage::Seconds(300), Coverage::Unknown("no baseline".to_owned()), Coverage::Assumed] {
            let verdict = judge(behavior, &observation, &coverage).verdict;
            assert_eq!(verdict, Verdict::NotJudged("rows of net/dev were not understood".into()));
        }
    }
}
