//! Report after report of one device: windows of time, datapoints in a row, alarms.
//!
//! **Time** is the `report_id`, which is in seconds. A report that repeats the last id is passed over, as the service takes
//! it for a duplicate. So is one whose id is lower by no more than an hour, the longest window of the service, as one that
//! comes late. With an id that is lower still the device's clock was set back, and the windows begin anew.
//!
//! **Windows**: a delta metric with `durationSeconds` is summed over the reports of that many seconds up to the latest.
//! Each report covers the time since the one before it; the first covers nobody knows what. The sum is judged once the
//! window is covered without a gap, and a report without the metric is a gap, not zero. Nothing is scaled: the sum
//! may cover more than the window, by less than one report, and says what it covers.
//!
//! **Datapoints**: a behaviour that is not judged, or whose metric the report does not have, has no datapoint, and its
//! state and both counts stay as they are.

use std::collections::VecDeque;

use super::judge::{Covers, Judgement, Verdict, judge, judge_measured};
use super::measured::Measured;
use super::metric::Metric;
use super::observation::Observation;
use super::profile::{Behavior, Meaning, Rule, span};

/// How much lower an id is, in seconds, when its report comes late rather than the clock was set back.
const LATE: u64 = 3600;

/// The metrics that windows are about.
const DELTAS: [Metric; 4] = [Metric::BytesIn, Metric::BytesOut, Metric::PacketsIn, Metric::PacketsOut];

/// What is known of one device.
#[derive(Debug, Clone)]
pub struct Stream<'p> {
    behaviors: &'p [&'p Behavior],
    states: Vec<State>,
    window: Window,
}

/// Where a behaviour stands.
#[derive(Debug, Clone)]
pub struct State {
    /// What the latest report said.
    pub latest: Judgement,
    /// The report that the present alarm began with; `None` when there is none.
    pub alarm: Option<Option<u64>>,
    violating: u64,
    conforming: u64,
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
    /// The id of the report that the alarm began with.
    pub began: Option<u64>,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was judged, and these alarms began or ended.
    Judged(Vec<Event>),
    /// It was judged after the windows began anew, as its id is much lower than the last, this one.
    SetBack(u64, Vec<Event>),
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
        let state = State { latest: Judgement::not_judged("no report yet"), alarm: None, violating: 0, conforming: 0 };
        let durations = behaviors.iter().filter_map(|behavior| match &behavior.meaning {
            Meaning::Rule(rule) => rule.duration,
            _ => None,
        });
        let window = Window { longest: durations.max().unwrap_or_default(), ..Window::default() };
        Self { behaviors, states: vec![state; behaviors.len()], window }
    }

    /// Where every behaviour stands.
    #[must_use]
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// Takes the next report.
    pub fn take(&mut self, observation: &Observation) -> Outcome {
        let set_back = match (self.window.last, observation.report_id) {
            (Some(last), Some(id)) if id == last => return Outcome::Repeated,
            (Some(last), Some(id)) if id < last && last.saturating_sub(id) <= LATE => return Outcome::Late(last),
            (Some(last), Some(id)) if id < last => Some(last),
            _ => None,
        };
        if set_back.is_some() {
            self.window = Window { longest: self.window.longest, ..Window::default() };
        }
        self.window.add(observation);
        let mut events = Vec::new();
        for (place, (behavior, state)) in self.behaviors.iter().zip(&mut self.states).enumerate() {
            state.latest = match &behavior.meaning {
                Meaning::Rule(rule) if rule.metric.is_delta() => self.window.judge(rule, observation),
                _ => judge(behavior, observation, &Covers::Untold),
            };
            let Meaning::Rule(rule) = &behavior.meaning else { continue };
            let change = state.count(rule, observation.report_id);
            events.extend(change.map(|(change, began)| Event { behavior: place, change, began }));
        }
        match set_back {
            Some(last) => Outcome::SetBack(last, events),
            None => Outcome::Judged(events),
        }
    }
}

impl State {
    /// Counts the latest verdict; what happens to the alarm, and the report it began with.
    fn count(&mut self, rule: &Rule, report_id: Option<u64>) -> Option<(Change, Option<u64>)> {
        match self.latest.verdict {
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
                self.alarm = Some(report_id);
                Some((Change::InAlarm, report_id))
            }
            Some(began) if self.conforming >= rule.to_clear => {
                self.alarm = None;
                Some((Change::Cleared, began))
            }
            _ => None,
        }
    }
}

/// The traffic of the reports that a window can reach back to, the oldest first. Ids rise, so there are at most as many
/// as it has seconds.
#[derive(Debug, Clone, Default)]
struct Window {
    longest: u64,
    last: Option<u64>,
    /// Whether a report without an id came after the last: what it counted has no place in time.
    broken: bool,
    reports: VecDeque<Traffic>,
}

/// What one report counted.
#[derive(Debug, Clone)]
struct Traffic {
    /// The id of the report before; `None` when that is not known.
    since: Option<u64>,
    id: u64,
    /// In the order of [`DELTAS`].
    counted: [Option<u64>; 4],
}

impl Window {
    fn add(&mut self, observation: &Observation) {
        let Some(id) = observation.report_id else {
            self.broken = true;
            return;
        };
        let since = self.last.filter(|_| !self.broken);
        self.broken = false;
        self.last = Some(id);
        let oldest = id.saturating_sub(self.longest);
        while self.reports.front().is_some_and(|report| report.id <= oldest) {
            self.reports.pop_front();
        }
        if self.longest > 0 {
            self.reports.push_back(Traffic { since, id, counted: DELTAS.map(|metric| observation.count(&metric)) });
        }
    }

    fn judge(&self, rule: &Rule, observation: &Observation) -> Judgement {
        let latest = observation.get(&rule.metric);
        let (Some(duration), Some(_)) = (rule.duration, latest) else { return judge_measured(rule, latest, None) };
        let Some(place) = DELTAS.iter().position(|metric| *metric == rule.metric).filter(|_| !self.broken) else {
            return Judgement::not_judged("the report has no id, so it has no time");
        };
        match self.sum(place, duration) {
            Ok((sum, seconds)) => {
                let judgement = judge_measured(rule, Some(&Measured::count(sum)), None);
                Judgement { covers: Some(Covers::Seconds(seconds)), ..judgement }
            }
            Err(seconds) => {
                let reason = format!("the reports cover {} of {} so far", span(seconds), span(duration));
                Judgement { measured: latest.cloned(), ..Judgement::not_judged(reason) }
            }
        }
    }

    /// Sums over the last `duration` seconds: the sum, and how many seconds it covers. The error is how many seconds are
    /// covered without a gap, when these are too few.
    fn sum(&self, place: usize, duration: u64) -> Result<(u64, u64), u64> {
        let end = self.last.unwrap_or_default();
        let begin = end.saturating_sub(duration);
        let (mut sum, mut covered): (u64, u64) = (0, 0);
        for report in self.reports.iter().rev() {
            let (Some(Some(counted)), Some(since)) = (report.counted.get(place), report.since) else { break };
            sum = sum.saturating_add(*counted);
            covered = end.saturating_sub(since);
            // An id is cut to whole seconds: two reports that are 300 s apart may have ids that are 299 apart. A second
            // that is missing for this reason must not bring the whole report before into the sum.
            let rounded = since.saturating_sub(begin) == 1 && report.id.saturating_sub(since) > 2;
            if since <= begin || rounded {
                return Ok((sum, covered));
            }
        }
        Err(covered)
    }
}
