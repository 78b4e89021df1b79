//! One behavior, judged by one observation.
//!
//! **The one-sided rule.** A figure may be incomplete, as when it covers a shorter time than its behavior asks for or counts
//! a shortened list; then it is a lower bound. A figure that covers a longer time is an upper bound. Only verdicts that the
//! bound proves are given: a lower bound can prove that an upper limit is exceeded or that a list has an element that
//! offends, an upper bound the opposite. Otherwise the behavior is not judged.

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
    NotJudged(String),
    /// The behavior has the faults in [`Meaning::Invalid`].
    Invalid,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Judgment {
    pub verdict: Verdict,
    pub measured: Option<Measured>,
    /// The seconds that the figure of a delta metric covers, if known.
    pub(crate) covers: Option<u64>,
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bounds {
    /// Why it is a lower bound.
    pub(super) incomplete: Option<String>,
    /// Why it is an upper bound.
    pub(super) overlong: Option<String>,
}

impl Bounds {
    /// The bounds of a figure that covers `seconds` when the behavior asks for `wanted`.
    pub(super) fn of_time(seconds: u64, wanted: u64) -> Self {
        let reason = |compared: &str| format!("the figure covers {}, {compared} than {}", span(seconds), span(wanted));
        Self {
            incomplete: (seconds < wanted).then(|| reason("less")),
            overlong: (seconds > wanted + wanted / TOLERANCE).then(|| reason("more")),
        }
    }

    /// Why an answer of `criterion` is not proven; `None` if it is.
    fn forbids(&self, criterion: &Criterion, conforms: bool) -> Option<&String> {
        let more_is_worse =
            !matches!(criterion, Criterion::Bound(Comparison::GreaterThan | Comparison::GreaterThanEquals, _));
        if conforms == more_is_worse { self.incomplete.as_ref() } else { self.overlong.as_ref() }
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

impl Judgment {
    fn without_measurement(verdict: Verdict) -> Self {
        Self { verdict, measured: None, covers: None, assumed: false }
    }

    pub(super) fn not_judged(reason: impl Into<String>) -> Self {
        Self::without_measurement(Verdict::NotJudged(reason.into()))
    }

    pub(crate) fn is_violated(&self) -> bool {
        matches!(self.verdict, Verdict::Violated(_))
    }

    pub(crate) fn is_judged(&self) -> bool {
        matches!(self.verdict, Verdict::Conforms | Verdict::Violated(_))
    }
}
pub fn judge(behavior: &Behavior, observation: &Observation, coverage: &Coverage) -> Judgment {
    let rule = match &behavior.meaning {
        Meaning::Invalid(_) => return Judgment::without_measurement(Verdict::Invalid),
        Meaning::NotJudged(reason) => return Judgment::not_judged(*reason),
        Meaning::Rule(rule) => rule,
    };
    let partial = observation.partial(&rule.metric);
    let Some(measured) = observation.get(&rule.metric) else {
        return Judgment::not_judged(match (partial, coverage) {
            (Some(reason), _) => reason,
            (None, Coverage::Unknown(reason)) if rule.metric.is_delta() => reason,
            (None, _) => "the report does not have this metric",
        });
    };
    let mut bounds = match (coverage, rule.duration) {
        (Coverage::Seconds(seconds), Some(wanted)) => Bounds::of_time(*seconds, wanted),
        (Coverage::Unknown(why), Some(_)) => Bounds { incomplete: Some(why.clone()), overlong: Some(why.clone()) },
        (Coverage::Assumed, Some(_)) | (_, None) => Bounds::default(),
    };
    if let Some(reason) = partial {
        bounds.incomplete = Some(reason.to_owned());
    }
    Judgment {
        covers: match coverage {
            Coverage::Seconds(seconds) if rule.metric.is_delta() => Some(*seconds),
            _ => None,
        },
        assumed: *coverage == Coverage::Assumed && rule.duration.is_some(),
        ..judge_measured(rule, measured, &bounds)
    }
}

/// Judges a figure that has these bounds.
pub(super) fn judge_measured(rule: &Rule, measured: &Measured, bounds: &Bounds) -> Judgment {
    let answer = rule.criterion.answer(measured);
    let forbidden = bounds.forbids(&rule.criterion, answer == Answer::Conforms);
    let verdict = match (answer, forbidden) {
        (Answer::OtherKind, _) => Verdict::NotJudged("the report has another type of value under this name".to_owned()),
        (_, Some(reason)) => Verdict::NotJudged(reason.clone()),
        (Answer::Conforms, None) => Verdict::Conforms,
        (Answer::Violated(offending), None) => Verdict::Violated(offending),
    };
    Judgment { measured: Some(measured.clone()), ..Judgment::without_measurement(verdict) }
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
            assert_eq!(verdict, Verdict::NotJudged("rows of net/dev were not understood".to_owned()));
        }
    }
}
