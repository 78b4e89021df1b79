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
//! and its count stay unchanged. The service invalidates an alarm after more than two days without a datapoint. Here the next
//! report of the device does so, because nothing else says what time it is there.
//!
//! **Memory**: what is the same for all devices is in [`AlarmRules`]. A [`DeviceState`] has the traffic within the windows,
//! and a [`BehaviorState`] only for behaviors that are in alarm or had a violating datapoint last.

use std::borrow::Cow;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use super::judge::{Bounds, Coverage, Judgment, Verdict, judge, judge_measured};
use super::measured::Measured;
use super::metric::Metric;
use super::observation::Observation;
use super::profile::{Behavior, Rule};
use super::window::{Series, Sum};

/// How much lower than the last id, in seconds, the id of a late report can be.
const MAX_LATENESS: u64 = 3600;

/// An alarm is invalid after more than this time without a datapoint, in seconds (AWS IoT Device Defender developer guide,
/// "Troubleshooting").
const MAX_SILENCE: u32 = 2 * 24 * 3600;

/// The most behaviors in all profiles, so that their places fit 16 bits. The service has 500 at most, 100 in each of 5
/// profiles.
pub(crate) const MAX_BEHAVIORS: usize = 65_535;

/// The behaviors that the reports of all devices are judged by.
#[derive(Debug, Clone)]
pub struct AlarmRules<'p> {
    /// Each with the place of its metric in `windows`, if it is summed over time.
    behaviors: Vec<(&'p Behavior, Option<usize>)>,
    /// The metrics that are summed over time, with the longest time in seconds.
    windows: Vec<(&'p Metric, u64)>,
}

/// What is remembered of one device between its reports.
#[derive(Debug, Clone, Default)]
pub struct DeviceState {
    /// The id of the last judged report that has one.
    last_id: Option<NonZeroU64>,
    /// How much lower than `last_id` the id of the report just before was, if that was late.
    lateness: Option<NonZeroU16>,
    /// The traffic of each metric in [`AlarmRules::windows`]. Empty if the last report has no time, so that nobody knows when
    /// its traffic was.
    traffic: Box<[Series]>,
    /// In the order of the behaviors, without those that are as in the beginning.
    behaviors: Box<[BehaviorState]>,
}

/// The alarm of one behavior of one device.
#[derive(Debug, Clone, Copy, Default)]
pub struct BehaviorState {
    /// The id or number of the report that the alarm began with.
    began: u64,
    /// The time of the last datapoint in seconds modulo 2^32, during an alarm, if known.
    datapoint: Option<NonZeroU32>,
    /// The place of the behavior in the rules.
    behavior: u16,
    /// The number of consecutive datapoints: violating ones without an alarm, conforming ones in alarm.
    count: u8,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    NoAlarm,
    /// In alarm; `began` is an id.
    SinceId,
    /// In alarm; `began` is a number.
    SinceNumber,
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
    /// There was no datapoint for more than two days.
    Invalidated,
}

/// An alarm that began or ended with the latest report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmEvent {
    pub change: AlarmChange,
    pub(crate) began: AlarmStart,
}

#[derive(Debug, Clone)]
pub struct BehaviorOutcome<'o> {
    pub judgment: Judgment<'o>,
    /// Two, if an alarm became invalid and the latest report begins the next.
    pub events: Vec<AlarmEvent>,
    /// The alarm after the report.
    pub state: BehaviorState,
}

#[derive(Debug, Clone)]
pub enum Processed<'o> {
    Judged {
        /// In the order of the behaviors.
        outcomes: Vec<BehaviorOutcome<'o>>,
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
            Self::Invalidated => "alarm-invalidated",
        }
    }
}

impl<'p> AlarmRules<'p> {
    /// Takes at most `MAX_BEHAVIORS`.
    pub fn new(behaviors: impl Iterator<Item = &'p Behavior>) -> Self {
        let mut windows: Vec<(&Metric, u64)> = Vec::new();
        let mut window = |behavior: &'p Behavior| {
            let rule = behavior.rule()?;
            let duration = rule.duration?;
            let place = windows.iter().position(|(metric, _)| **metric == rule.metric);
            match place.and_then(|place| windows.get_mut(place)) {
                Some((_, longest)) => *longest = duration.max(*longest),
                None => windows.push((&rule.metric, duration)),
            }
            Some(place.unwrap_or(windows.len() - 1))
        };
        let behaviors = behaviors.take(MAX_BEHAVIORS).map(|behavior| (behavior, window(behavior))).collect();
        Self { behaviors, windows }
    }
}

impl DeviceState {
    pub(crate) fn in_alarm(&self) -> usize {
        self.behaviors.iter().filter(|state| state.in_alarm()).count()
    }

    /// Judges a report, which is the `number`th of its stream.
    pub fn process<'o>(&mut self, rules: &AlarmRules<'_>, observation: &'o Observation, number: u64) -> Processed<'o> {
        let id = observation.report_id.and_then(NonZeroU64::new);
        let lateness = self.lateness.take();
        let set_back_from = match (self.last_id, id) {
            (Some(last), Some(id)) if id == last => return Processed::Duplicate,
            (Some(last), Some(id)) if id < last => {
                let late = last.get() - id.get();
                let rises = lateness.is_some_and(|before| late < u64::from(before.get()));
                if !rises && late <= MAX_LATENESS {
                    self.lateness = u16::try_from(late).ok().and_then(NonZeroU16::new);
                    return Processed::Late(last.get());
                }
                self.traffic.iter_mut().for_each(Series::clear);
                Some(last.get())
            }
            _ => None,
        };
        self.add_traffic(rules, observation);
        self.last_id = id.or(self.last_id);
        let report = ReportTime {
            start: id.map_or(AlarmStart::Number(number), |id| AlarmStart::Id(id.get())),
            seconds: observation.time().and_then(modulo_32),
            is_set_back: set_back_from.is_some(),
        };
        let mut before = std::mem::take(&mut self.behaviors).into_iter().peekable();
        let mut after = Vec::with_capacity(before.len());
        let mut outcomes = Vec::with_capacity(rules.behaviors.len());
        for (place, &(behavior, window)) in (0_u16..).zip(&rules.behaviors) {
            let start = BehaviorState { behavior: place, ..BehaviorState::default() };
            let mut state = before.next_if(|state| state.behavior == place).unwrap_or(start);
            let series = window.and_then(|window| self.traffic.get(window));
            let judgment = judge_with_series(behavior, series, observation);
            let events = behavior.rule().map_or_else(Vec::new, |rule| state.count(rule, &judgment.verdict, report));
            if state.in_alarm() || state.count > 0 {
                after.push(state);
            }
            outcomes.push(BehaviorOutcome { judgment, events, state });
        }
        self.behaviors = after.into_boxed_slice();
        Processed::Judged { outcomes, set_back_from }
    }

    fn add_traffic(&mut self, rules: &AlarmRules<'_>, observation: &Observation) {
        if self.traffic.len() != rules.windows.len() {
            self.traffic = rules.windows.iter().map(|_| Series::default()).collect();
        }
        for (series, (metric, longest)) in self.traffic.iter_mut().zip(&rules.windows) {
            match observation.time() {
                // A series that is not empty ends with the last report, which had a time.
                Some(until) => {
                    series.add(self.last_id.map(NonZeroU64::get), until, observation.count(metric), *longest);
                }
                None => series.clear(),
            }
        }
    }
}

/// The latest report, as its alarms see it.
#[derive(Debug, Clone, Copy)]
struct ReportTime {
    start: AlarmStart,
    /// Modulo 2^32; `None` if it has no time.
    seconds: Option<NonZeroU32>,
    /// Whether times from before mean nothing any more.
    is_set_back: bool,
}

/// Seconds modulo 2^32, enough for differences of less than 136 years. `None` for 0, which is one second in 136 years.
fn modulo_32(seconds: u64) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(seconds & u64::from(u32::MAX)).ok()?)
}

impl BehaviorState {
    /// The report that the present alarm began with; `None` without an alarm.
    pub fn alarm(&self) -> Option<AlarmStart> {
        match self.phase {
            Phase::NoAlarm => None,
            Phase::SinceId => Some(AlarmStart::Id(self.began)),
            Phase::SinceNumber => Some(AlarmStart::Number(self.began)),
        }
    }

    pub(crate) fn in_alarm(&self) -> bool {
        self.phase != Phase::NoAlarm
    }

    /// The number of consecutive violating datapoints without an alarm.
    pub(crate) fn violating(&self) -> u8 {
        if self.in_alarm() { 0 } else { self.count }
    }

    /// Counts a verdict of `report`.
    fn count(&mut self, rule: &Rule, verdict: &Verdict, report: ReportTime) -> Vec<AlarmEvent> {
        let mut events = Vec::new(); // allocates nothing without an event
        if let Some(began) = self.alarm() {
            if report.is_set_back {
                self.datapoint = self.datapoint.and(report.seconds);
            }
            let silence = report.seconds.zip(self.datapoint).map(|(now, last)| now.get().wrapping_sub(last.get()));
            if silence.is_some_and(|silence| silence > MAX_SILENCE) {
                events.push(AlarmEvent { change: AlarmChange::Invalidated, began });
                self.end_alarm();
            }
        }
        let is_violated = match verdict {
            Verdict::Violated(_) => true,
            Verdict::Conforms => false,
            Verdict::NotJudged(_) | Verdict::Invalid => return events,
        };
        // Violating datapoints bring an alarm closer, conforming ones its end.
        let alarm = self.alarm();
        self.count = if is_violated == alarm.is_some() { 0 } else { self.count.saturating_add(1) };
        match alarm {
            None if u64::from(self.count) >= rule.to_alarm => {
                (self.phase, self.began) = match report.start {
                    AlarmStart::Id(id) => (Phase::SinceId, id),
                    AlarmStart::Number(number) => (Phase::SinceNumber, number),
                };
                self.count = 0;
                events.push(AlarmEvent { change: AlarmChange::InAlarm, began: report.start });
            }
            Some(began) if u64::from(self.count) >= rule.to_clear => {
                events.push(AlarmEvent { change: AlarmChange::Cleared, began });
                self.end_alarm();
            }
            _ => {}
        }
        if self.in_alarm() {
            self.datapoint = report.seconds.or(self.datapoint);
        }
        events
    }

    fn end_alarm(&mut self) {
        *self = Self { behavior: self.behavior, ..Self::default() };
    }
}

/// Judges a behavior by the latest report, and by the series of its metric if it is summed over time.
fn judge_with_series<'o>(behavior: &Behavior, series: Option<&Series>, latest: &'o Observation) -> Judgment<'o> {
    if let (Some(series), Some(rule)) = (series, behavior.rule())
        && let (Some(wanted), Some(figure)) = (rule.duration, latest.get(&rule.metric))
    {
        return if latest.time().is_some() {
            judge_sum(rule, wanted, series)
                .unwrap_or_else(|| unknown(figure, "the time that the report covers is unknown"))
        } else {
            unknown(figure, "the report has no id that is a time in seconds")
        };
    }
    judge(behavior, latest, &Coverage::Assumed)
}

fn unknown<'o>(figure: &'o Measured, reason: &'static str) -> Judgment<'o> {
    Judgment { measured: Some(Cow::Borrowed(figure)), ..Judgment::not_judged(reason) }
}

/// Judges by the sum that covers `wanted` seconds, or by what the sums of less and of more time prove; `None` without a sum.
fn judge_sum(rule: &Rule, wanted: u64, series: &Series) -> Option<Judgment<'static>> {
    let [less, enough] = series.sums(wanted);
    let judge = |Sum { count, seconds }, bounds| {
        let measured = Cow::Owned(Measured::count(count));
        Judgment { covers: Some(seconds), ..judge_measured(rule, measured, &bounds) }
    };
    let enough = enough.map(|sum| judge(sum, Bounds::of_time(sum.seconds.max(wanted), wanted)));
    if enough.as_ref().is_some_and(Judgment::is_judged) {
        return enough;
    }
    let less = less.map(|sum| judge(sum, Bounds::of_time(sum.seconds, wanted)));
    match (less, enough) {
        (Some(less), Some(enough)) => Some(if less.is_judged() { less } else { enough }),
        (less, enough) => less.or(enough),
    }
}
