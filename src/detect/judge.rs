//! One behaviour against one observation.
//!
//! **The one-sided rule.** A figure may lack some of what its behaviour is about, as that of a shorter time or of a list
//! that is cut, or hold more than that, as that of a longer time. What is lacking can only make more of it: it cannot save
//! what is over an upper bound, or holds an element that offends, but it may be what a lower bound waits for. For what is
//! too much it is the other way round. So half of the verdicts stand all the same, and the other half is not judged.

use super::criterion::{Answer, Comparison, Criterion};
use super::measured::Measured;
use super::observation::Observation;
use super::profile::{Behavior, Meaning, Rule, span};

/// How much longer than its window a figure may be and still count as that of the window: a tenth.
const TOLERANCE: u64 = 10;

/// What is said of a behaviour.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The measurement is normal.
    Conforms,
    /// It is not, because of these elements; the number itself for a bound.
    Violated(Measured),
    /// It cannot be told, for this reason. Never counted as conforming.
    NotJudged(String),
    /// The behaviour is wrong; its faults are in [`Meaning::Invalid`].
    Invalid,
}

/// A verdict and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What is said.
    pub verdict: Verdict,
    /// What was measured, if anything was.
    pub measured: Option<Measured>,
    /// How many seconds the figure of a delta metric covers, if that is known.
    pub covers: Option<u64>,
    /// Whether the figure was taken to be that of the whole window, as nothing tells what it covers.
    pub assumed: bool,
}

/// What the traffic of a report covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covers {
    /// So many seconds.
    Seconds(u64),
    /// It cannot be told, for this reason.
    Unknown(String),
    /// Nothing tells; it is taken to be what each behaviour wants.
    Assumed,
}

/// What keeps a figure from being just what its behaviour is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doubt {
    /// Why it may lack something.
    pub lacks: Option<String>,
    /// Why it may hold more.
    pub exceeds: Option<String>,
}

impl Doubt {
    /// That of a figure that covers `seconds` where `wanted` are asked for.
    #[must_use]
    pub fn of_time(seconds: u64, wanted: u64) -> Self {
        let says =
            |compared: &str| Some(format!("the figure covers {}, {compared} than {}", span(seconds), span(wanted)));
        let most = wanted.saturating_add(wanted.checked_div(TOLERANCE).unwrap_or_default());
        Self {
            lacks: if seconds < wanted { says("less") } else { None },
            exceeds: if seconds > most { says("more") } else { None },
        }
    }

    /// Both doubts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { lacks: self.lacks.or(other.lacks), exceeds: self.exceeds.or(other.exceeds) }
    }

    /// Why an answer of `criterion` does not stand; `None` when it does.
    fn forbids(&self, criterion: &Criterion, conforms: bool) -> Option<&String> {
        let more_is_worse =
            !matches!(criterion, Criterion::Bound(Comparison::GreaterThan | Comparison::GreaterThanEquals, _));
        if conforms == more_is_worse { self.lacks.as_ref() } else { self.exceeds.as_ref() }
    }
}

impl Verdict {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::Violated(_) => "violated",
            Self::NotJudged(_) => "not-judged",
            Self::Invalid => "invalid",
        }
    }
}

impl Judgement {
    fn without_measurement(verdict: Verdict) -> Self {
        Self { verdict, measured: None, covers: None, assumed: false }
    }

    /// It cannot be told, for this reason.
    #[must_use]
    pub fn not_judged(reason: impl Into<String>) -> Self {
        Self::without_measurement(Verdict::NotJudged(reason.into()))
    }

    /// Whether it says that the behaviour is violated, or that it is not.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        matches!(self.verdict, Verdict::Conforms | Verdict::Violated(_))
    }
}

/// Judges a behaviour by one report, the traffic of which covers what `covers` says.
#[must_use]
pub fn judge(behavior: &Behavior, observation: &Observation, covers: &Covers) -> Judgement {
    let rule = match &behavior.meaning {
        Meaning::Invalid(_) => return Judgement::without_measurement(Verdict::Invalid),
        Meaning::NotJudged(reason) => return Judgement::not_judged(*reason),
        Meaning::Rule(rule) => rule,
    };
    let Some(measured) = observation.get(&rule.metric) else {
        return Judgement::not_judged(match covers {
            Covers::Unknown(reason) if rule.metric.is_delta() => reason,
            _ => "the report does not have this metric",
        });
    };
    let partial = observation.doubt(&rule.metric);
    let doubt = match (covers, rule.duration) {
        (Covers::Seconds(seconds), Some(wanted)) => partial.and(Doubt::of_time(*seconds, wanted)),
        (Covers::Unknown(reason), Some(_)) => Doubt { lacks: Some(reason.clone()), exceeds: Some(reason.clone()) },
        (Covers::Assumed, Some(_)) | (_, None) => partial,
    };
    Judgement {
        covers: match covers {
            Covers::Seconds(seconds) if rule.metric.is_delta() => Some(*seconds),
            _ => None,
        },
        assumed: *covers == Covers::Assumed && rule.duration.is_some(),
        ..judge_measured(rule, measured, &doubt)
    }
}

/// Judges a measurement, with what doubt there is of it.
#[must_use]
pub fn judge_measured(rule: &Rule, measured: &Measured, doubt: &Doubt) -> Judgement {
    let answer = rule.criterion.answer(measured);
    let forbidden = doubt.forbids(&rule.criterion, answer == Answer::Conforms);
    let verdict = match (answer, forbidden) {
        (Answer::OtherKind, _) => Verdict::NotJudged("the report has another type of value under this name".to_owned()),
        (_, Some(reason)) => Verdict::NotJudged(reason.clone()),
        (Answer::Conforms, None) => Verdict::Conforms,
        (Answer::Violated(offending), None) => Verdict::Violated(offending),
    };
    Judgement { measured: Some(measured.clone()), ..Judgement::without_measurement(verdict) }
}
