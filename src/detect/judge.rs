//! One behaviour against one observation.

use super::criterion::Answer;
use super::measured::Measured;
use super::observation::Observation;
use super::profile::{Behavior, Meaning, Rule, span};

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
    /// What the figure of a delta metric covers; `None` for other metrics.
    pub covers: Option<Covers>,
}

/// What the traffic of a report covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covers {
    /// So many seconds.
    Seconds(u64),
    /// The report does not tell; taken to be so many seconds, as the behaviour wants.
    Assumed(u64),
    /// It cannot be told, for this reason.
    Unknown(String),
    /// The report is the only one and says nothing of it.
    Untold,
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
        Self { verdict, measured: None, covers: None }
    }

    /// It cannot be told, for this reason.
    #[must_use]
    pub fn not_judged(reason: impl Into<String>) -> Self {
        Self::without_measurement(Verdict::NotJudged(reason.into()))
    }
}

/// Judges a behaviour by one report, the traffic of which covers what `covers` says.
#[must_use]
pub fn judge(behavior: &Behavior, observation: &Observation, covers: &Covers) -> Judgement {
    match &behavior.meaning {
        Meaning::Invalid(_) => Judgement::without_measurement(Verdict::Invalid),
        Meaning::NotJudged(reason) => Judgement::not_judged(*reason),
        Meaning::Rule(rule) if rule.metric.is_delta() => judge_traffic(rule, observation, covers),
        Meaning::Rule(rule) => judge_measured(rule, observation.get(&rule.metric), observation.partial(&rule.metric)),
    }
}

/// Judges a measurement. One that is not all there is can violate, but never conform.
#[must_use]
pub fn judge_measured(rule: &Rule, measured: Option<&Measured>, partial: Option<&str>) -> Judgement {
    let Some(measured) = measured else { return Judgement::not_judged("the report does not have this metric") };
    let verdict = match (rule.criterion.answer(measured), partial) {
        (Answer::Violated(offending), _) => Verdict::Violated(offending),
        (Answer::Conforms, None) => Verdict::Conforms,
        (Answer::Conforms, Some(reason)) => Verdict::NotJudged(reason.to_owned()),
        (Answer::OtherKind, _) => Verdict::NotJudged("the report has another type of value under this name".to_owned()),
    };
    Judgement { verdict, measured: Some(measured.clone()), covers: None }
}

fn judge_traffic(rule: &Rule, observation: &Observation, covers: &Covers) -> Judgement {
    let measured = observation.get(&rule.metric);
    let covers = match (covers, rule.duration) {
        (Covers::Unknown(reason), _) if measured.is_none() => return Judgement::not_judged(reason),
        (Covers::Unknown(reason), Some(_)) => Err(reason.clone()),
        (Covers::Seconds(seconds), Some(duration)) if *seconds < duration => {
            Err(format!("the figure covers {} of {}", span(*seconds), span(duration)))
        }
        (Covers::Untold, Some(duration)) => Ok(Covers::Assumed(duration)),
        (covers, _) => Ok(covers.clone()),
    };
    match covers {
        Err(reason) => Judgement { measured: measured.cloned(), ..Judgement::not_judged(reason) },
        Ok(covers) => {
            let judgement = judge_measured(rule, measured, None);
            Judgement { covers: judgement.measured.is_some().then_some(covers), ..judgement }
        }
    }
}
