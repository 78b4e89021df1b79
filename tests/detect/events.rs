//! The events of alarms: what identifies an alarm, and alarms of devices that fall silent.

use std::collections::BTreeSet;

use serde_json::json;

use crate::detect::only_22;
use crate::detect::streams::{ndjson, ports, sent, shown};
use crate::schema::assert_valid;
use crate::support::Dir;

#[test]
fn violation_ids_fit_the_services_pattern_and_are_unique() {
    let dir =
        Dir::with_profile(&json!({"securityProfileName": "a", "behaviors": [only_22(1, 1)[0], only_22(1, 1)[0]]}));
    dir.write("other.json", json!({"securityProfileName": "b", "behaviors": only_22(1, 1)}).to_string());
    let mut ids = BTreeSet::new();
    for thing in ["gw", "gw_1", "site:gw", "é ü", &"w".repeat(128)] {
        let reports = [ports(300, &[23]), ports(600, &[22]), ports(900, &[23])];
        let events = dir.judge(ndjson(&reports), &["--thing-name", thing, "--profile", "other.json"]).code(1).lines();
        for event in &events {
            assert_valid("events", event);
        }
        let (first, rest) = events.split_at(3);
        let (second, third) = rest.split_at(3);
        for (began, ended) in first.iter().zip(second) {
            assert_eq!(began["violationId"], ended["violationId"]);
        }
        ids.extend(first.iter().chain(third).map(|event| event["violationId"].to_string()));
    }
    assert_eq!(ids.len(), 5 * 3 * 2);
}

#[test]
fn an_alarm_without_datapoints_for_more_than_two_days_is_invalidated() {
    const DAY: u64 = 86400;
    let reports = [ports(0, &[80]), ports(300, &[80]), ports(300 + 3 * DAY, &[80]), ports(600 + 3 * DAY, &[22])];
    let lines = Dir::with_profile(&only_22(1, 1)).judge(ndjson(&reports), &[]).lines();
    for event in &lines {
        assert_valid("events", event);
    }
    let kinds: Vec<_> = lines.iter().map(|event| event["violationEventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["in-alarm", "alarm-invalidated", "in-alarm", "alarm-cleared"]);
    let [began, invalidated, again, cleared] = [0, 1, 2, 3].map(|place: usize| &lines[place]["violationId"]);
    assert!(began == invalidated && again == cleared && began != again, "{lines:?}");
    assert_eq!(lines[1].get("metricValue"), None, "it is its absence");

    let none = |time| sent(time, None); // has no ports
    for (to_alarm, reports, expected) in [
        (1, vec![ports(0, &[80]), ports(2 * DAY, &[80])], "+0"),
        (1, vec![ports(0, &[80]), ports(2 * DAY + 1, &[80])], "+0 !172801 +172801"),
        (1, vec![ports(0, &[80]), none(DAY), none(2 * DAY + 1), ports(3 * DAY, &[22])], "+0 !172801"),
        (1, vec![ports(0, &[80]), ports(DAY, &[80]), none(2 * DAY + 1), ports(3 * DAY, &[22])], "+0 -259200"),
        // What was counted before the alarm became invalid does not count again.
        (
            2,
            vec![ports(0, &[80]), ports(1, &[80]), ports(3 * DAY, &[80]), ports(3 * DAY + 1, &[80])],
            "+1 !259200 +259201",
        ),
        // The time before the clock was set back means nothing.
        (
            1,
            vec![ports(9 * DAY, &[80]), ports(DAY, &[80]), ports(3 * DAY, &[80]), ports(5 * DAY + 1, &[80])],
            "+777600 !432001 +432001",
        ),
    ] {
        assert_eq!(shown(&only_22(to_alarm, 1), &reports), expected);
    }
}
