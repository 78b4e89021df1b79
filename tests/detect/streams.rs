//! Report after report: windows of time, gaps and restarts, datapoints in a row, the events.

use crate::detect::only_22;
use crate::schema::assert_valid;
use crate::support::Dir;
use serde_json::{Value, json};

/// When the streams begin, in seconds since 1970; times below are counted from here.
const BASE: u64 = 1_700_000_000;

/// A report of this time with these bytes sent; `None` without traffic.
pub(super) fn sent(time: u64, bytes: Option<u64>) -> Value {
    let metrics = bytes.map_or_else(|| json!({}), |bytes| json!({"network_stats": {"bytes_out": bytes}}));
    json!({"header": {"report_id": BASE + time, "version": "1.0"}, "metrics": metrics})
}

/// A report of this time with these listening TCP ports.
pub(super) fn ports(time: u64, ports: &[u16]) -> Value {
    let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
    json!({"header": {"report_id": BASE + time, "version": "1.0"},
           "metrics": {"listening_tcp_ports": {"total": ports.len(), "ports": ports}}})
}

/// At most 100 bytes sent in so many seconds.
fn at_most_100(seconds: u64) -> Value {
    json!([{"name": "out", "metric": "aws:all-bytes-out", "criteria": {
        "comparisonOperator": "less-than-equals", "value": {"count": 100}, "durationSeconds": seconds}}])
}

pub(super) fn ndjson(reports: &[Value]) -> String {
    reports.iter().flat_map(|report| [report.to_string(), "\n".to_owned()]).collect()
}

/// What happens, as type and time.
fn events(profile: &Value, reports: &[Value]) -> Vec<(String, u64)> {
    let output = Dir::with_profile(profile).judge(ndjson(reports), &["-q"]).finish();
    let text = String::from_utf8(output.stdout).unwrap();
    let events = text.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_valid("events", &event);
        (
            event["violationEventType"].as_str().unwrap().to_owned(),
            event["violationEventTime"].as_u64().unwrap() / 1000 - BASE,
        )
    });
    let events: Vec<(String, u64)> = events.collect();
    let in_alarm = events.last().is_some_and(|(kind, _)| kind == "in-alarm");
    assert_eq!(output.status.code(), Some(i32::from(in_alarm)), "1 exactly when the last state is an alarm");
    events
}

/// The same in a short form: `+` and a time for in-alarm, `-` for alarm-cleared, `!` for alarm-invalidated.
pub(super) fn shown(profile: &Value, reports: &[Value]) -> String {
    let sign = |kind: &str| match kind {
        "in-alarm" => '+',
        "alarm-cleared" => '-',
        "alarm-invalidated" => '!',
        other => panic!("{other}"),
    };
    let events: Vec<String> = events(profile, reports).iter().map(|(kind, id)| format!("{}{id}", sign(kind))).collect();
    events.join(" ")
}

/// What it is about, the duration, the reports' ids and bytes, and what happens.
type Case<'a> = (&'a str, u64, &'a [(u64, Option<u64>)], &'a str);

#[test]
fn deltas_are_summed_over_the_window_once_it_is_covered() {
    let cases: &[Case<'_>] = &[
        ("the first report covers nobody knows what", 300, &[(300, Some(999)), (600, Some(1))], ""),
        ("one report fills the window", 300, &[(300, None), (600, Some(101))], "+600"),
        ("at the bound", 300, &[(300, None), (600, Some(100))], ""),
        ("two reports fill it", 600, &[(300, None), (600, Some(50)), (900, Some(51))], "+900"),
        ("two at the bound", 600, &[(300, None), (600, Some(50)), (900, Some(50))], ""),
        ("not covered yet", 600, &[(300, None), (600, Some(100))], ""),
        ("not covered yet, but too much already", 600, &[(300, None), (600, Some(101))], "+600"),
        (
            "what leaves the window leaves the sum",
            600,
            &[(300, None), (600, Some(99)), (900, Some(2)), (1200, Some(1)), (1500, Some(1))],
            "+900 -1200",
        ),
        ("a report exactly at the beginning is out", 300, &[(300, None), (600, Some(90)), (900, Some(20))], ""),
        (
            "intervals that do not divide the window",
            300,
            &[(0, None), (200, Some(40)), (400, Some(40)), (600, Some(61)), (800, Some(101)), (1000, Some(1))],
            "+800", // 101 in 400 s may be less in 300, 101 in 200 s is more; then 102 in 400 s, 1 in 200
        ),
        (
            "which may conform all the same",
            300,
            &[(0, None), (200, Some(101)), (400, Some(50)), (600, Some(50))],
            "+200 -600",
        ),
        ("a late report covers more", 300, &[(300, None), (1000, Some(101))], ""),
        ("which may conform all the same", 300, &[(0, None), (300, Some(101)), (1000, Some(100))], "+300 -1000"),
        ("a tenth more counts as the window", 300, &[(300, None), (630, Some(101))], "+630"),
        ("a second more than that does not", 300, &[(300, None), (631, Some(101))], ""),
        ("a gap is not zero", 600, &[(300, None), (600, Some(99)), (900, None), (1200, Some(2))], ""),
        (
            "covered again after the gap",
            600,
            &[(300, None), (600, Some(99)), (900, None), (1200, Some(2)), (1500, Some(99))],
            "+1500",
        ),
        ("ids are cut to seconds: 299 is 300", 300, &[(300, None), (600, Some(60)), (899, Some(60))], ""),
        ("298 is not", 300, &[(300, None), (600, Some(60)), (898, Some(60))], ""),
        ("a report a second", 3, &[(1, None), (2, Some(50)), (3, Some(1)), (4, Some(50)), (5, Some(50))], "+4"),
        (
            "a duplicate does not count twice",
            600,
            &[(300, None), (600, Some(60)), (600, Some(60)), (900, Some(40))],
            "",
        ),
        ("a late one neither", 600, &[(300, None), (900, Some(60)), (600, Some(60)), (1200, Some(40))], ""),
        (
            "a clock set back begins anew",
            600,
            &[(9000, None), (9300, Some(60)), (300, Some(60)), (600, Some(50)), (900, Some(51))],
            "+900",
        ),
        (
            "also one set back a little, with the second report",
            600,
            &[(9000, None), (9300, Some(60)), (8700, Some(60)), (9000, Some(60)), (9300, Some(60)), (9600, Some(60))],
            "+9600",
        ),
    ];
    for (what, seconds, reports, expected) in cases {
        let reports: Vec<Value> = reports.iter().map(|(time, bytes)| sent(*time, *bytes)).collect();
        assert_eq!(shown(&at_most_100(*seconds), &reports), *expected, "{what}");
    }
}

#[test]
fn without_a_duration_the_latest_delta_counts() {
    let mut profile = at_most_100(1);
    profile[0]["criteria"].as_object_mut().unwrap().remove("durationSeconds");
    let reports = [sent(300, Some(101)), sent(600, Some(100)), sent(900, None), sent(1200, Some(101))];
    assert_eq!(shown(&profile, &reports), "+300 -600 +1200");
}

#[test]
fn alarms_take_so_many_datapoints_in_a_row() {
    // v: violating, c: conforming, x: no datapoint; then what happens, by place counted from 1.
    for (to_alarm, to_clear, datapoints, expected) in [
        (1, 1, "vc", "+1 -2"),
        (1, 1, "vvv", "+1"),
        (1, 1, "ccc", ""),
        (2, 1, "vcvcvc", ""),
        (2, 1, "vvc", "+2 -3"),
        (2, 1, "vxv", "+3"),
        (3, 1, "vvcvvv", "+6"),
        (1, 2, "vcvcc", "+1 -5"),
        (1, 2, "vcxc", "+1 -4"),
        (1, 3, "vccvccc", "+1 -7"),
        (10, 1, "vvvvvvvvvv", "+10"),
        (10, 10, "vvvvvvvvvvcccccccccc", "+10 -20"),
        (2, 2, "vvccvvcc", "+2 -4 +6 -8"),
        (1, 1, "xvx", "+2"),
    ] {
        let report = |(place, datapoint)| match datapoint {
            'v' => ports(place, &[22, 23]),
            'c' => ports(place, if place % 2 == 0 { &[22] } else { &[] }),
            _ => sent(place, None),
        };
        let reports: Vec<Value> = (1..).zip(datapoints.chars()).map(report).collect();
        assert_eq!(shown(&only_22(to_alarm, to_clear), &reports), expected, "{to_alarm} {to_clear} {datapoints}");
    }
}

/// The events with `ID` for the digest in each `violationId`, which is the same in all of them.
fn without_digests(mut events: Vec<Value>) -> Vec<Value> {
    let ids: Vec<String> = events.iter().map(|event| event["violationId"].as_str().unwrap().to_owned()).collect();
    let (_, digest) = ids[0].split_once('-').unwrap();
    for (event, id) in events.iter_mut().zip(&ids) {
        event["violationId"] = json!(id.replace(digest, "ID"));
    }
    events
}

#[test]
fn an_event_has_the_shape_of_the_services_own() {
    let profile = json!({"securityProfileName": "edge", "behaviors": only_22(1, 1)});
    let reports = [ports(300, &[22, 80]), ports(600, &[22])];
    let lines = Dir::with_profile(&profile).judge(ndjson(&reports), &["--thing-name", "gw"]).lines();
    let event = |seconds: u64, kind: &str, ports: Value| {
        json!({
            "version": 1,
            "violationEventTime": seconds * 1000,
            "thingName": "gw",
            "behavior": {"name": "b", "metric": "aws:listening-tcp-ports", "criteria": profile["behaviors"][0]["criteria"]},
            "violationEventType": kind,
            "metricValue": {"ports": ports},
            "violationId": "1700000300-ID",
            "securityProfileName": "edge",
        })
    };
    let expected = [event(BASE + 300, "in-alarm", json!([22, 80])), event(BASE + 600, "alarm-cleared", json!([22]))];
    assert_eq!(without_digests(lines), expected);

    let lines = Dir::with_profile(&only_22(1, 1)).judge(ndjson(&reports), &[]).lines();
    assert_eq!(lines[0].get("thingName"), None, "not known");
    assert_eq!(lines[0].get("securityProfileName"), None, "a bare list has none");
    assert_eq!(without_digests(lines)[0]["violationId"], "1700000300-ID");
}

#[test]
fn what_is_no_report_is_reported_and_passed_over() {
    let garbage = ["nonsense", "{\"header\": {\"report", "{\"a\": 1}", "[]", "{} {}", "\u{feff}{", "null"];
    for garbage in garbage {
        let stream = format!("{}\n{garbage}\n\n{}\n", ports(300, &[23]), ports(600, &[22]));
        let output = Dir::with_profile(&only_22(1, 1)).judge(stream, &[]).finish();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(65), "{garbage}: {told}");
        assert!(told.starts_with("device-defender: warning: report: standard input: line 2: "), "{garbage}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2, "the alarm began and ended");
    }
    let stream = format!("{}\nnonsense\n{}\n", ports(300, &[22]), ports(600, &[23]));
    assert_eq!(Dir::with_profile(&only_22(1, 1)).judge(stream, &[]).code(1).may_warn().lines().len(), 1, "1 beats 65");
}

#[test]
fn duplicates_late_reports_and_set_back_clocks_are_reported() {
    let reports = [ports(9000, &[22]), ports(9000, &[23]), ports(5400, &[23]), ports(5399, &[23])];
    let merged = "; without topics (mosquitto_sub -F %j), all reports count as one device";
    let last = BASE + 9000;
    let tells = |merged: &str| {
        format!(
            "warning: report: standard input: line 2: its report_id equals the last one; skipped as a duplicate{merged}\n\
             warning: report: standard input: line 3: its report_id is lower than the last one, {last}; skipped as late{merged}\n\
             warning: report: standard input: line 4: its report_id is lower than the last one, {last}: the clock was set back; \
             windows start over{merged}"
        )
    };
    let dir = Dir::with_profile(&only_22(1, 1));
    let lines = dir.judge(ndjson(&reports), &[]).code(1).stderr(&tells(merged)).lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["violationEventTime"], (BASE + 5399) * 1000);
    dir.judge(ndjson(&reports), &["--thing-name", "gw"]).code(1).stderr(&tells("")).lines();
    // A second late report above the first is no late one.
    let reports = [ports(9000, &[22]), ports(8000, &[23]), ports(8300, &[23]), ports(8600, &[22])];
    assert_eq!(shown(&only_22(1, 1), &reports), "+8300 -8600");
    // One below or the same may well be.
    let reports = [ports(9000, &[22]), ports(8300, &[23]), ports(8300, &[23]), ports(8000, &[23]), ports(9300, &[22])];
    assert_eq!(shown(&only_22(1, 1), &reports), "");
}

#[test]
fn ids_that_are_no_time_make_no_windows() {
    let mut profile = at_most_100(300);
    profile.as_array_mut().unwrap().push(only_22(1, 1)[0].clone());
    let report = |id: u64| {
        json!({"header": {"report_id": id, "version": "1.0"}, "metrics": {
            "network_stats": {"bytes_out": 101}, "listening_tcp_ports": {"ports": [{"port": 23}]}}})
    };
    // Milliseconds, of a monotonic clock and since 1970; and what is before 2001 or after 5138.
    for first in [86_400_000, 1_700_000_000_000, 999_999_000, 100_000_000_000] {
        let reports: Vec<Value> = [0, 300, 600].map(|after| report(first + after)).to_vec();
        let tells = format!(
            "warning: report: standard input: line 1: its report_id {first} is not a time in seconds; traffic is not judged over durationSeconds"
        );
        let lines = Dir::with_profile(&profile).judge(ndjson(&reports), &[]).code(1).stderr(&tells).lines();
        assert_eq!(lines.len(), 1, "{first}");
        assert_eq!((&lines[0]["behavior"]["name"], lines[0].get("violationEventTime")), (&json!("b"), None));
    }
    for first in [1_000_000_000, 99_999_999_000] {
        let reports: Vec<Value> = [0, 300, 600].map(|after| report(first + after)).to_vec();
        assert_eq!(Dir::with_profile(&profile).judge(ndjson(&reports), &[]).code(1).lines().len(), 2, "{first}");
    }
}

#[test]
fn a_report_without_an_id_has_no_time_but_is_judged() {
    let mut nameless = ports(1, &[23]);
    nameless["header"] = json!({"version": "1.0"});
    let tells =
        "warning: report: standard input: line 2: has no `report_id` in its header; the service rejects such reports";
    let dir = Dir::with_profile(&only_22(1, 1));
    let lines = dir.judge(ndjson(&[ports(300, &[22]), nameless]), &[]).code(1).stderr(tells).lines();
    assert_eq!(lines[0].get("violationEventTime"), None);
    assert_eq!(without_digests(lines)[0]["violationId"], "number2-ID");

    let mut traffic = sent(1, Some(999));
    traffic.as_object_mut().unwrap().remove("header");
    let reports = [sent(300, None), sent(600, Some(1)), traffic, sent(900, Some(999)), sent(1200, Some(101))];
    assert_eq!(shown(&at_most_100(300), &reports), "+1200", "what it counted has no place in time");
}

#[test]
fn what_no_report_will_be_judged_by_is_reported_when_a_stream_begins() {
    let profile = json!({"securityProfileName": "edge", "behaviors": [
        {"name": "b", "metric": "aws:listening-tcp-ports", "criteria": {"comparisonOperator": "in-port-set"}},
        {"name": "c", "metric": "aws:num-disconnects",
         "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}}},
        only_22(1, 1)[0],
    ]});
    let tells = "warning: profile: .behaviors[0].criteria.value: missing; expected `ports`; the behavior is never judged\n\
                 warning: profile: .behaviors[1]: never judged: only the service measures this metric";
    let stream = ndjson(&[ports(300, &[22]), ports(600, &[22])]);
    let dir = Dir::with_profile(&profile);
    let behavior = |number: usize, verdict: &str, reason: Value, faults: Value| {
        let Value::Object(given) = &profile["behaviors"][number] else { panic!("{profile}") };
        json!({"profile": "edge", "behavior": given["name"], "metric": given["metric"], "criteria": given["criteria"],
               "verdict": verdict, "observed": null, "offending": null, "covers_seconds": null, "reason": reason,
               "faults": faults})
    };
    let fault = json!([{"path": ".behaviors[0].criteria.value", "message": "missing; expected `ports`"}]);
    let never = [
        behavior(0, "invalid", json!(null), fault),
        behavior(1, "not-judged", json!("only the service measures this metric"), json!([])),
    ];
    let lines = dir.judge(stream.clone(), &[]).code(65).stderr(tells).lines();
    assert_eq!(lines, [json!({"version": 1, "neverJudged": never})], "once");
    assert_valid("events", &lines[0]);
    dir.write("reports", stream);
    dir.detect(&["--report", "reports"]).code(65).stderr(tells).text();
}

#[test]
fn a_kind_of_warning_is_reported_five_times_and_then_counted() {
    let mut stream: Vec<Value> = vec![ports(1, &[22])];
    stream.extend((1..=250).map(|_| ports(1, &[22])));
    let output = Dir::with_profile(&only_22(1, 1)).judge(ndjson(&stream), &[]).finish();
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 8, "{told}");
    for (line, place) in lines.iter().zip([2, 3, 4, 5, 6, 101, 201]) {
        assert!(line.contains(&format!(": line {place}: its report_id equals the last one; ")), "{line}");
    }
    assert!(lines[4].ends_with("; from here on, only every 100th warning of this kind is printed"), "{told}");
    assert!(lines[6].ends_with("; warning 200 of this kind"), "{told}");
    assert!(lines[7].ends_with(": 250 reports were skipped as duplicates"), "{told}");
}
