//! Windows of time, against a second implementation that adds up report by report and remembers all of them.

use device_defender::internals::detect::{AlarmRules, DeviceState, Measured, Observation, Processed, Profile, Verdict};
use proptest::prelude::*;
use serde_json::json;

use crate::support::cases;

const BASE: u64 = 1_700_000_000;

/// A report: the seconds since [`BASE`], `None` without an ID, and the bytes sent, `None` without traffic.
type Sent = (Option<u64>, Option<u64>);

/// What a window says: the verdict, and the figure with the seconds that it covers if there is one.
type Said = (&'static str, Option<(u64, u64)>);

fn observation((time, bytes): Sent) -> Observation {
    let mut report = json!({"metrics": {}});
    if let Some(time) = time {
        report["header"] = json!({"report_id": BASE + time});
    }
    if let Some(bytes) = bytes {
        report["metrics"]["network_stats"] = json!({"bytes_out": bytes});
    }
    Observation::from_json(report.to_string().as_bytes()).unwrap()
}

/// What the program says of each report and duration; `None` for a report that is skipped.
fn program(durations: &[u64], operator: &str, bound: u64, reports: &[Sent]) -> Vec<Option<Vec<Said>>> {
    let behavior = |duration: &u64| {
        json!({"name": "b", "metric": "aws:all-bytes-out", "criteria": {
            "comparisonOperator": operator, "value": {"count": bound}, "durationSeconds": duration}})
    };
    let behaviors: Vec<_> = durations.iter().map(behavior).collect();
    let profile = Profile::parse_all(json!(behaviors).to_string().as_bytes()).unwrap().remove(0);
    let rules = AlarmRules::new(profile.behaviors.iter());
    let mut device = DeviceState::default();
    let mut process = |report| match device.process(&rules, &observation(report), 1) {
        Processed::Judged { outcomes, .. } => Some(
            outcomes
                .into_iter()
                .map(|outcome| {
                    let judgment = outcome.judgment;
                    let figure = match judgment.measured.as_deref() {
                        Some(Measured::Number(number)) => number.as_u64().zip(judgment.covers),
                        _ => None,
                    };
                    (name(&judgment.verdict), figure)
                })
                .collect(),
        ),
        Processed::Duplicate | Processed::Late(_) => None,
    };
    reports.iter().map(|report| process(*report)).collect()
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Conforms => "conforms",
        Verdict::Violated(_) => "violated",
        Verdict::NotJudged(_) => "not judged",
        Verdict::Invalid => "invalid",
    }
}

/// The second implementation.
#[derive(Default)]
struct Reference {
    last_id: Option<u64>,
    late_id: Option<u64>,
    /// Since the clock was set back: the end of each report, and its bytes.
    reports: Vec<Sent>,
}

impl Reference {
    fn process(&mut self, durations: &[u64], operator: &str, bound: u64, report: Sent) -> Option<Vec<Said>> {
        let late_id = self.late_id.take();
        if let (Some(last), Some(id)) = (self.last_id, report.0) {
            if id == last {
                return None;
            }
            if id < last && last - id <= 3600 && late_id.is_none_or(|late| late >= id) {
                self.late_id = Some(id);
                return None;
            }
            if id < last {
                self.reports.clear();
            }
        }
        self.last_id = report.0.or(self.last_id);
        self.reports.push(report);
        Some(durations.iter().map(|wanted| self.judge(*wanted, operator, bound)).collect())
    }

    fn judge(&self, wanted: u64, operator: &str, bound: u64) -> Said {
        let at_most = operator == "less-than-equals";
        // What a figure proves that covers less, or more than a tenth more.
        let verdict = |sum: u64, too_little: bool, too_much: bool| {
            let conforms = if at_most { sum <= bound } else { sum >= bound };
            let more_may_change_it = conforms == at_most;
            match if more_may_change_it { too_little } else { too_much } {
                true => "not judged",
                false if conforms => "conforms",
                false => "violated",
            }
        };
        let Some((Some(end), Some(_))) = self.reports.last() else { return ("not judged", None) };
        let (mut sum, mut less) = (0, None);
        for pair in self.reports.windows(2).rev() {
            let &[(Some(since), _), (Some(until), Some(bytes))] = pair else { break };
            sum += bytes;
            let covers = end - since;
            let rounded = covers + 1 == wanted && until - since > 2;
            if covers < wanted && !rounded {
                less = Some((verdict(sum, true, false), Some((sum, covers))));
                continue;
            }
            let more = (verdict(sum, false, covers > wanted + wanted / 10), Some((sum, covers)));
            return if more.0 == "not judged" { less.filter(|less| less.0 != more.0).unwrap_or(more) } else { more };
        }
        less.unwrap_or(("not judged", None))
    }
}

/// Reports some seconds apart: mostly regular, with late ones, duplicates, clocks that are set back, and gaps.
fn stream() -> impl Strategy<Value = Vec<Sent>> {
    let step = prop_oneof![
        8 => prop::sample::select(vec![1_i64, 2, 3, 60, 100, 149, 150, 151, 299, 300, 301, 330, 331, 600]),
        2 => 1_i64..4000,
        1 => -5000_i64..=0,
    ];
    let bytes = prop_oneof![6 => (0_u64..200).prop_map(Some), 1 => Just(None)];
    let has_id = prop::bool::weighted(0.97);
    prop::collection::vec((step, bytes, has_id), 1..60).prop_map(|reports| {
        let mut time = 10_000_i64;
        let report = |(step, bytes, has_id): (i64, _, bool)| {
            time = (time + step).max(1);
            (has_id.then(|| time.unsigned_abs()), bytes)
        };
        reports.into_iter().map(report).collect()
    })
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn windows_say_what_adding_up_says(
        reports in stream(),
        durations in prop::collection::vec(prop::sample::select(vec![1_u64, 3, 120, 299, 300, 301, 600, 900, 3600]), 1..4),
        at_most in any::<bool>(),
        bound in 0_u64..1000,
    ) {
        let operator = if at_most { "less-than-equals" } else { "greater-than-equals" };
        let mut reference = Reference::default();
        let expected: Vec<_> =
            reports.iter().map(|report| reference.process(&durations, operator, bound, *report)).collect();
        for (place, (said, expected)) in program(&durations, operator, bound, &reports).into_iter().zip(expected).enumerate() {
            // Without a sum the figure is that of the report, whose time nobody knows.
            prop_assert_eq!(said, expected, "report {} of {:?}", place, reports);
        }
    }
}
