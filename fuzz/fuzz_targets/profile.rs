//! Any bytes as a security profile and, after a zero byte, as reports: every behaviour gets the verdict its meaning allows,
//! an alarm begins before it ends, and nothing harmful is left once it is escaped.
#![no_main]

use device_defender::detect::judge::{Covers, Verdict, judge};
use device_defender::detect::profile::{Behavior, Meaning, Profile};
use device_defender::detect::reports::Reports;
use device_defender::detect::stream::{Change, Outcome, Stream};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|&b| b == 0).unwrap_or(input.len());
    let (profile, reports) = input.split_at(end);
    let reports = reports.strip_prefix(b"\0").unwrap_or_default();
    let received: Vec<_> = Reports::new(reports).collect();
    assert!(received.len() <= reports.len());

    let Ok(profile) = Profile::parse(profile) else { return };
    assert!(!profile.behaviors.is_empty());
    let behaviors: Vec<&Behavior> = profile.behaviors.iter().collect();
    let mut stream = Stream::new(&behaviors);
    let mut in_alarm = vec![false; behaviors.len()];
    for received in received.into_iter().flatten() {
        for behavior in &behaviors {
            let judgement = judge(behavior, &received.observation, &Covers::Assumed);
            let verdict = &judgement.verdict;
            match &behavior.meaning {
                Meaning::Invalid(faults) => assert!(*verdict == Verdict::Invalid && !faults.is_empty()),
                Meaning::NotJudged(_) => assert!(matches!(verdict, Verdict::NotJudged(_))),
                Meaning::Rule(rule) => {
                    assert!(*verdict != Verdict::Invalid && !behavior.in_words().is_empty());
                    let unknown = received.observation.get(&rule.metric).is_none();
                    assert!(!unknown || matches!(verdict, Verdict::NotJudged(_)));
                }
            }
            if let (Verdict::Violated(offending), Some(measured)) = (verdict, &judgement.measured) {
                assert!(!offending.is_empty() && offending.len() <= measured.len());
            }
        }
        if let Outcome::Judged { events, .. } = stream.take(&received.observation) {
            for event in events {
                assert_eq!(in_alarm[event.behavior], event.change == Change::Cleared);
                in_alarm[event.behavior] = !in_alarm[event.behavior];
            }
        }
        for (state, in_alarm) in stream.states().iter().zip(&in_alarm) {
            assert_eq!(state.alarm.is_some(), *in_alarm);
        }
    }
});
