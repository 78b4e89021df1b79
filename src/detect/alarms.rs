//! Many reports of one device: windows of time, consecutive datapoints, alarms.
//!
//! **Time** is the `report_id`, if it is a time in seconds. A report with the same id as the last is a duplicate, as it is
//! for the service, and is skipped. An id that is lower by at most an hour, the service's longest window, is a late report
//! and is skipped, too. If the id is even lower, or if a second late report in a row has a higher id than the first, the
//! device's clock was set back, and the windows start over.
//!
//! **Windows**: a delta metric with `durationSeconds` is summed over the reports of that many seconds, up to the latest.
//! Each report covers the time since the report before it. The time that the first report covers is unknown. A report
//! without the metric is a gap, not a zero. Traffic is never scaled. If no sum covers exactly the window, a sum that covers
//! less and one that covers more may still prove a verdict ([`judge`](super::judge)).
//!
//! **Datapoints**: without a verdict, or without the metric in the report, a behavior has no datapoint, and its alarm
//! and both counts stay unchanged.

use std::collections::VecDeque;

use super::judge::{Bounds, Coverage, Judgment, Verdict, judge, judge_measured};
use super::measured::Measured;
use super::metric::{Metric, TRAFFIC};
use super::observation::Observation;
use super::profile::{Behavior, Rule};

/// How much lower than the last id, in seconds, the id of a late report can be.
const MAX_LATENESS: u64 = 3600;

#[derive(Debug, Clone)]
pub struct AlarmTracker<'p> {
    behaviors: Vec<(&'p Behavior, AlarmState)>,
    judged_reports: u64,
    /// The id of the last judged report that has one.
    last_id: Option<u64>,
    /// The id of the report just before, if that was late.
    late_id: Option<u64>,
    window: Window,
}

/// The alarm of one behavior.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlarmState {
    /// The report that the present alarm began with; `None` without an alarm.
    pub alarm: Option<AlarmStart>,
    /// The number of consecutive violating datapoints.
    pub(crate) violating: u64,
    conforming: u64,
}

/// The report that an alarm began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmStart {
    Id(u64),
    /// Its number among the judged reports, from 1, if it has no id.
    Number(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmChange {
    /// `consecutiveDatapointsToAlarm` datapoints in a row were violating.
    InAlarm,
    /// `consecutiveDatapointsToClear` datapoints in a row were conforming.
    Cleared,
}

/// An alarm that began or ended with the latest report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmEvent {
    pub change: AlarmChange,
    pub(crate) began: AlarmStart,
}

#[derive(Debug, Clone)]
pub struct BehaviorOutcome {
    pub(crate) judgment: Judgment,
    pub event: Option<AlarmEvent>,
    /// The alarm after the report.
    pub state: AlarmState,
}

#[derive(Debug, Clone)]
pub enum Processed {
    Judged {
        /// In the order of the behaviors.
        outcomes: Vec<BehaviorOutcome>,
        /// The id before, if the clock was set back and the windows started over.
        set_back_from: Option<u64>,
    },
    /// Skipped: its id is the last one.
    Duplicate,
    /// Skipped: its id is lower than the last one, which is this.
    Late(u64),
}

impl AlarmChange {
    /// The `violationEventType` of AWS's violation events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InAlarm => "in-alarm",
            Self::Cleared => "alarm-cleared",
        }
    }
}

impl<'p> AlarmTracker<'p> {
    pub fn new(behaviors: impl Iterator<Item = &'p Behavior>) -> Self {
        let behaviors: Vec<_> = behaviors.map(|behavior| (behavior, AlarmState::default())).collect();
        let durations = behaviors.iter().filter_map(|(behavior, _)| behavior.rule()?.duration);
        let window = Window { longest: durations.max().unwrap_or(0), ..Window::default() };
        Self { behaviors, judged_reports: 0, last_id: None, late_id: None, window }
    }

    pub(crate) fn in_alarm(&self) -> bool {
        self.behaviors.iter().any(|(_, state)| state.alarm.is_some())
    }

    pub fn process(&mut self, observation: &Observation) -> Processed {
        let id = observation.report_id;
        let late_id = self.late_id.take();
        let set_back_from = match (self.last_id, id) {
            (Some(last), Some(id)) if id == last => return Processed::Duplicate,
            (Some(last), Some(id)) if id < last => {
                let rises = late_id.is_some_and(|late| late < id);
                if !rises && last - id <= MAX_LATENESS {
                    self.late_id = Some(id);
                    return Processed::Late(last);
                }
                self.window = Window { longest: self.window.longest, ..Window::default() };
                Some(last)
            }
            _ => None,
        };
        self.last_id = id.or(self.last_id);
        self.judged_reports += 1;
        let now = id.map_or(AlarmStart::Number(self.judged_reports), AlarmStart::Id);
        self.window.add(observation);
        let outcome = |(behavior, state): &mut (&Behavior, AlarmState)| {
            let judgment = self.window.judge(behavior, observation);
            let event = behavior.rule().and_then(|rule| state.count(rule, &judgment.verdict, now));
            BehaviorOutcome { judgment, event, state: *state }
        };
        Processed::Judged { outcomes: self.behaviors.iter_mut().map(outcome).collect(), set_back_from }
    }
}

impl AlarmState {
    /// Counts a verdict of the report `now`.
    fn count(&mut self, rule: &Rule, verdict: &Verdict, now: AlarmStart) -> Option<AlarmEvent> {
        (self.violating, self.conforming) = match verdict {
            Verdict::Violated(_) => (self.violating + 1, 0),
            Verdict::Conforms => (0, self.conforming + 1),
            Verdict::NotJudged(_) | Verdict::Invalid => return None,
        };
        let (change, began) = match self.alarm {
            None if self.violating >= rule.to_alarm => (AlarmChange::InAlarm, now),
            Some(began) if self.conforming >= rule.to_clear => (AlarmChange::Cleared, began),
            _ => return None,
        };
        self.alarm = (change == AlarmChange::InAlarm).then_some(began);
        Some(AlarmEvent { change, began })
    }
}

/// The traffic of the reports within the longest window, oldest first. Their times rise, so there are at most as many
/// as the window has seconds.
#[derive(Debug, Clone, Default)]
struct Window {
    longest: u64,
    /// The time of the last report; `None` if it has none, so that nobody knows when its traffic was.
    last: Option<u64>,
    reports: VecDeque<ReportTraffic>,
}

#[derive(Debug, Clone)]
struct ReportTraffic {
    /// The time of the report before; `None` if unknown.
    since: Option<u64>,
    until: u64,
    /// The count of each metric in [`TRAFFIC`]; `None` if the report does not have it.
    counts: [Option<u64>; 4],
}

impl ReportTraffic {
    fn get(&self, metric: &Metric) -> Option<u64> {
        TRAFFIC.iter().zip(self.counts).find(|(counted, _)| *counted == metric)?.1
    }
}

impl Window {
    fn add(&mut self, observation: &Observation) {
        let since = std::mem::replace(&mut self.last, observation.time());
        let Some(until) = self.last else { return };
        while self.reports.front().is_some_and(|report| report.until + self.longest <= until) {
            self.reports.pop_front();
        }
        let counts = TRAFFIC.map(|metric| observation.count(&metric));
        self.reports.push_back(ReportTraffic { since, until, counts });
    }

    /// Judges a behavior by the latest report and those before it.
    fn judge(&self, behavior: &Behavior, latest: &Observation) -> Judgment {
        if let Some(rule) = behavior.rule()
            && let (Some(wanted), Some(counted)) = (rule.duration, latest.get(&rule.metric))
        {
            return self.judge_sum(rule, wanted, counted);
        }
        judge(behavior, latest, &Coverage::Assumed)
    }

    /// Judges by the sum that covers `wanted` seconds, or by what the sums of less and of more time prove. `latest` is the
    /// figure of the latest report.
    fn judge_sum(&self, rule: &Rule, wanted: u64, latest: &Measured) -> Judgment {
        let unknown = |reason| Judgment { measured: Some(latest.clone()), ..Judgment::not_judged(reason) };
        let Some(end) = self.last else { return unknown("the report has no id that is a time in seconds") };
        let mut sum: u64 = 0;
        let mut by_less: Option<Judgment> = None;
        for report in self.reports.iter().rev() {
            let (Some(counted), Some(since)) = (report.get(&rule.metric), report.since) else { break };
            sum = sum.saturating_add(counted); // foreign numbers
            let covered = end - since;
            // Ids are whole seconds: two reports that are 300 s apart may have ids that are 299 apart. A second
            // that is missing for this reason must not bring the whole report before into the sum.
            let rounded = covered + 1 == wanted && report.until - since > 2;
            let bounds = if rounded { Bounds::default() } else { Bounds::of_time(covered, wanted) };
            let judgment = Judgment { covers: Some(covered), ..judge_measured(rule, &Measured::count(sum), &bounds) };
            if bounds.incomplete.is_none() {
                let by_less = by_less.filter(|by_less| by_less.is_judged() && !judgment.is_judged());
                return by_less.unwrap_or(judgment);
            }
            by_less = Some(judgment);
        }
        by_less.unwrap_or_else(|| unknown("the time that the report covers is unknown"))
    }
}
