//! Report after report of one device: windows of time, datapoints in a row, alarms.
//!
//! **Time** is the `report_id`, where it is one in seconds. A report that repeats the last id is passed over, as the service
//! takes it for a duplicate. So is one whose id is lower by no more than an hour, the longest window of the service, as one
//! that comes late. With an id that is lower still, or with a second low one in a row that is above the first, the device's
//! clock was set back, and the windows begin anew.
//!
//! **Windows**: a delta metric with `durationSeconds` is summed over the reports of that many seconds up to the latest.
//! Each report covers the time since the one before it; the first covers nobody knows what, and a report without the
//! metric is a gap, not zero. Nothing is scaled. Where no sum is that of the window, there may be one of less and one of
//! more, and what they tell for certain ([`judge`](super::judge)) is the verdict.
//!
//! **Datapoints**: a behaviour that is not judged, or whose metric the report does not have, has no datapoint, and its
//! state and both counts stay as they are.

use std::collections::VecDeque;

use super::judge::{Covers, Doubt, Judgement, Verdict, judge, judge_measured};
use super::measured::Measured;
use super::metric::Metric;
use super::observation::Observation;
use super::profile::{Behavior, Meaning, Rule};

/// How much lower an id is, in seconds, when its report comes late rather than the clock was set back.
const LATE: u64 = 3600;

/// The metrics that windows are about.
const DELTAS: [Metric; 4] = [Metric::BytesIn, Metric::BytesOut, Metric::PacketsIn, Metric::PacketsOut];

/// What is known of one device.
#[derive(Debug, Clone)]
pub struct Stream<'p> {
    behaviors: &'p [&'p Behavior],
    states: Vec<State>,
    /// How many reports were judged.
    reports: u64,
    /// The id of the last of them that has one.
    last: Option<u64>,
    /// The id of the report that was passed over as late just now.
    late: Option<u64>,
    window: Window,
}

/// Where a behaviour stands.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The report that the present alarm began with; `None` when there is none.
    pub alarm: Option<Began>,
    /// How many datapoints in a row violate it.
    pub violating: u64,
    conforming: u64,
}

/// The report that an alarm began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Began {
    /// Its id.
    Id(u64),
    /// Which one it was, counted from 1, as it has no id.
    Number(u64),
}

/// What an alarm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// As many datapoints in a row were violating as its criterion says.
    InAlarm,
    /// As many in a row were conforming.
    Cleared,
}

/// An alarm that began or ended with the latest report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which behaviour, counted from 0.
    pub behavior: usize,
    /// What happened.
    pub change: Change,
    /// The report that the alarm began with.
    pub began: Began,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was judged.
    Judged {
        /// What it said of every behaviour.
        judgements: Vec<Judgement>,
        /// The alarms that began or ended with it.
        events: Vec<Event>,
        /// The id before, where that shows that the clock was set back, so that the windows began anew.
        set_back: Option<u64>,
    },
    /// It was passed over: its id is the last one.
    Repeated,
    /// It was passed over: its id is lower than the last, this one.
    Late(u64),
}

impl Change {
    /// Its name, as AWS's violation events have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InAlarm => "in-alarm",
            Self::Cleared => "alarm-cleared",
        }
    }
}

impl<'p> Stream<'p> {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(behaviors: &'p [&'p Behavior]) -> Self {
        let durations = behaviors.iter().filter_map(|behavior| match &behavior.meaning {
            Meaning::Rule(rule) => rule.duration,
            _ => None,
        });
        let window = Window { longest: durations.max().unwrap_or_default(), ..Window::default() };
        Self { behaviors, states: vec![State::default(); behaviors.len()], reports: 0, last: None, late: None, window }
    }

    /// Where every behaviour stands.
    #[must_use]
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// Takes the next report.
    pub fn take(&mut self, observation: &Observation) -> Outcome {
        let id = observation.report_id;
        let late = self.late.take();
        let set_back = match (self.last, id) {
            (Some(last), Some(id)) if id == last => return Outcome::Repeated,
            (Some(last), Some(id)) if id < last => {
                let rises = late.is_some_and(|late| late < id);
                if !rises && last.saturating_sub(id) <= LATE {
                    self.late = Some(id);
                    return Outcome::Late(last);
                }
                self.window = Window { longest: self.window.longest, ..Window::default() };
                Some(last)
            }
            _ => None,
        };
        self.last = id.or(self.last);
        self.reports = self.reports.saturating_add(1);
        let began = id.map_or(Began::Number(self.reports), Began::Id);
        self.window.add(observation);
        let window = &self.window;
        let judgements: Vec<Judgement> =
            self.behaviors.iter().map(|behavior| window.judge(behavior, observation)).collect();
        let mut events = Vec::new();
        for (place, (judgement, state)) in judgements.iter().zip(&mut self.states).enumerate() {
            let Some(Meaning::Rule(rule)) = self.behaviors.get(place).map(|behavior| &behavior.meaning) else {
                continue;
            };
            let change = state.count(rule, &judgement.verdict, began);
            events.extend(change.map(|(change, began)| Event { behavior: place, change, began }));
        }
        Outcome::Judged { judgements, events, set_back }
    }
}

impl State {
    /// Counts a verdict; what happens to the alarm, and the report it began with.
    fn count(&mut self, rule: &Rule, verdict: &Verdict, began: Began) -> Option<(Change, Began)> {
        match verdict {
            Verdict::Violated(_) => {
                self.violating = self.violating.saturating_add(1);
                self.conforming = 0;
            }
            Verdict::Conforms => {
                self.conforming = self.conforming.saturating_add(1);
                self.violating = 0;
            }
            Verdict::NotJudged(_) | Verdict::Invalid => return None,
        }
        match self.alarm {
            None if self.violating >= rule.to_alarm => {
                self.alarm = Some(began);
                Some((Change::InAlarm, began))
            }
            Some(began) if self.conforming >= rule.to_clear => {
                self.alarm = None;
                Some((Change::Cleared, began))
            }
            _ => None,
        }
    }
}

/// The traffic of the reports that a window can reach back to, the oldest first. Times rise, so there are at most as many
/// as it has seconds.
#[derive(Debug, Clone, Default)]
struct Window {
    longest: u64,
    last: Option<u64>,
    /// Whether a report without a time came after the last: what it counted belongs nowhere.
    broken: bool,
    reports: VecDeque<Traffic>,
}

/// What one report counted.
#[derive(Debug, Clone)]
struct Traffic {
    /// The time of the report before; `None` when that is not known.
    since: Option<u64>,
    until: u64,
    /// In the order of [`DELTAS`].
    counted: [Option<u64>; 4],
}

impl Window {
    fn add(&mut self, observation: &Observation) {
        let Some(until) = observation.time() else {
            self.broken = true;
            return;
        };
        let since = self.last.filter(|_| !self.broken);
        self.broken = false;
        self.last = Some(until);
        let oldest = until.saturating_sub(self.longest);
        while self.reports.front().is_some_and(|report| report.until <= oldest) {
            self.reports.pop_front();
        }
        if self.longest > 0 {
            self.reports.push_back(Traffic { since, until, counted: DELTAS.map(|metric| observation.count(&metric)) });
        }
    }

    /// Judges a behaviour by the latest report and those before it.
    fn judge(&self, behavior: &Behavior, latest: &Observation) -> Judgement {
        if let Meaning::Rule(rule) = &behavior.meaning
            && let (Some(wanted), Some(counted)) = (rule.duration, latest.get(&rule.metric))
        {
            return self.judge_sum(rule, wanted, counted);
        }
        judge(behavior, latest, &Covers::Assumed)
    }

    /// Judges by the sum over the last `wanted` seconds, where there is one; else by those of less and of more. `latest`
    /// is what the latest report counted.
    fn judge_sum(&self, rule: &Rule, wanted: u64, latest: &Measured) -> Judgement {
        let unknown = |reason| Judgement { measured: Some(latest.clone()), ..Judgement::not_judged(reason) };
        if self.broken {
            return unknown("the report has no id that is a time in seconds");
        }
        let place = DELTAS.iter().position(|metric| *metric == rule.metric).unwrap_or_default();
        let end = self.last.unwrap_or_default();
        let mut sum: u64 = 0;
        let mut of_less: Option<Judgement> = None;
        for report in self.reports.iter().rev() {
            let (Some(Some(counted)), Some(since)) = (report.counted.get(place), report.since) else { break };
            sum = sum.saturating_add(*counted);
            let covered = end.saturating_sub(since);
            // An id is cut to whole seconds: two reports that are 300 s apart may have ids that are 299 apart. A second
            // that is missing for this reason must not bring the whole report before into the sum.
            let rounded = wanted.saturating_sub(covered) == 1 && report.until.saturating_sub(since) > 2;
            let doubt = if rounded { Doubt::default() } else { Doubt::of_time(covered, wanted) };
            let judgement = Judgement { covers: Some(covered), ..judge_measured(rule, &Measured::count(sum), &doubt) };
            if doubt.lacks.is_none() {
                return if judgement.is_judged() {
                    judgement
                } else {
                    of_less.filter(Judgement::is_judged).unwrap_or(judgement)
                };
            }
            of_less = Some(judgement);
        }
        of_less.unwrap_or_else(|| unknown("what the report covers is not known"))
    }
}
