//! Arbitrary bytes as a security profile and, after a zero byte, as reports. Every behavior gets a verdict that its meaning
//! allows, and an alarm starts before it ends.
#![no_main]

use device_defender::internals::detect::{
    AlarmChange, AlarmRules, Coverage, DeviceState, Meaning, Processed, Profile, Reports, Verdict, judge,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|&b| b == 0).unwrap_or(input.len());
    let (profile, reports) = input.split_at(end);
    let reports = reports.strip_prefix(b"\0").unwrap_or_default();
    let received: Vec<_> = Reports::new(reports).collect();
    assert!(received.len() <= reports.len());

    let Ok(profiles) = Profile::parse_all(profile) else { return };
    assert!(profiles.iter().any(|profile| !profile.behaviors.is_empty()));
    let behaviors: Vec<_> = profiles.iter().flat_map(|profile| &profile.behaviors).collect();
    let rules = AlarmRules::new(behaviors.iter().copied());
    let mut device = DeviceState::default();
    let mut in_alarm = vec![false; behaviors.len()];
    for (number, received) in (1..).zip(received.into_iter().flatten()) {
        for behavior in behaviors.iter().copied() {
            let judgment = judge(behavior, &received.observation, &Coverage::Assumed);
            let verdict = &judgment.verdict;
            match &behavior.meaning {
                Meaning::Invalid(faults) => assert!(*verdict == Verdict::Invalid && !faults.is_empty()),
                Meaning::NotJudged(_) => assert!(matches!(verdict, Verdict::NotJudged(_))),
                Meaning::Rule(rule) => {
                    assert!(*verdict != Verdict::Invalid && !behavior.in_words().is_empty());
                    let unknown = received.observation.get(&rule.metric).is_none();
                    assert!(!unknown || matches!(verdict, Verdict::NotJudged(_)));
                }
            }
            if let (Verdict::Violated(offending), Some(measured)) = (verdict, &judgment.measured) {
                assert!(!offending.is_empty() && offending.len() <= measured.len());
            }
        }
        if let Processed::Judged { outcomes, .. } = device.process(&rules, &received.observation, number) {
            assert_eq!(outcomes.len(), in_alarm.len());
            for (outcome, in_alarm) in outcomes.iter().zip(&mut in_alarm) {
                for event in &outcome.events {
                    assert_eq!(*in_alarm, event.change != AlarmChange::InAlarm);
                    *in_alarm = !*in_alarm;
                }
                assert_eq!(outcome.state.alarm().is_some(), *in_alarm);
            }
        }
    }
});
