//! What of a profile is accepted with a warning.

use serde_json::{Value, json};

use crate::detect::behavior;
use crate::support::{Dir, Outcome, assert_snapshot};

/// Judges a report of nothing by a profile, and compares what is said of the profile with a snapshot.
#[track_caller]
fn warns(profile: &Value, expected: impl snapbox::IntoData) {
    let report = json!({"header": {"report_id": 1, "version": "1.0"}, "metrics": {}}).to_string();
    let outcome = Outcome::of(Dir::with_profile(profile).judge(report, &[]));
    assert_eq!(outcome.code, Some(0));
    assert_snapshot(outcome.stderr, expected);
}

#[test]
fn misspelled_fields_and_metrics() {
    let mut wrong = behavior("all-bytes-in", "less-than", &json!({"number": 5}));
    wrong["criteria"]["durationSecond"] = json!(300);
    wrong["criteria"]["consecutiveDatapointToAlarm"] = json!(3);
    wrong["suppressAlert"] = json!(true);
    wrong["x-note"] = json!("of ours");
    let other = behavior("AWS:all-bytes-in", "less-than", &json!({"number": 5}));
    let custom = behavior("cpu_usage", "less-than", &json!({"number": 5}));
    warns(
        &json!([wrong, other, custom]),
        snapbox::str![[r#"
device-defender: warning: profile: profile.json: .[0].suppressAlert: unknown field `suppressAlert`, ignored; did you mean `suppressAlerts`?
device-defender: warning: profile: profile.json: .[0]["x-note"]: unknown field `x-note`, ignored
device-defender: warning: profile: profile.json: .[0].metric: all-bytes-in is taken as the name of a custom metric; did you mean `aws:all-bytes-in`?
device-defender: warning: profile: profile.json: .[0].criteria.consecutiveDatapointToAlarm: unknown field `consecutiveDatapointToAlarm`, ignored; did you mean `consecutiveDatapointsToAlarm`?
device-defender: warning: profile: profile.json: .[0].criteria.durationSecond: unknown field `durationSecond`, ignored; did you mean `durationSeconds`?
device-defender: warning: profile: profile.json: .[1].metric: AWS:all-bytes-in is taken as the name of a custom metric; did you mean `aws:all-bytes-in`?

"#]],
    );
}

#[test]
fn values_that_are_accepted_with_a_warning() {
    let mut networks =
        behavior("aws:destination-ip-addresses", "in-cidr-set", &json!({"cidrs": ["10.1.2.3/8", "10.1.2.3"]}));
    networks["criteria"]["durationSeconds"] = json!(300);
    let mut bytes = behavior("aws:all-bytes-in", "less-than", &json!({"count": 5}));
    bytes["criteria"]["durationSeconds"] = json!(60);
    warns(
        &json!([networks, bytes]),
        snapbox::str![[r#"
device-defender: warning: profile: profile.json: .[0].criteria.durationSeconds: has no effect on a set; the latest report counts
device-defender: warning: profile: profile.json: .[0].criteria.value.cidrs[0]: 10.1.2.3/8 has host bits set; read as 10.0.0.0/8
device-defender: warning: profile: profile.json: .[1].criteria.durationSeconds: the service accepts only 300, 600, 900, 1800 and 3600, found 60

"#]],
    );
}

/// A profile without behaviors is legal. Beside one with behaviors it is said to be there, and takes no part in the rest.
#[test]
fn a_profile_without_behaviors_is_warned_about() {
    let behaviors = json!([behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [22]}))]);
    let resource = |properties: Value| json!({"Type": "AWS::IoT::SecurityProfile", "Properties": properties});
    let full = resource(json!({"Behaviors": behaviors}));
    for (document, path) in [
        (json!({"Resources": {"A": resource(json!({"SecurityProfileName": "a"})), "B": full}}), ".Resources.A"),
        (json!({"Resources": {"A": {"Type": "AWS::IoT::SecurityProfile"}, "B": full}}), ".Resources.A"),
        (
            json!({"Resources": {"A": resource(json!({"Behaviors": []})), "B": full}}),
            ".Resources.A.Properties.Behaviors",
        ),
        (json!([{"behaviors": behaviors}, {"securityProfileName": "b", "behaviors": null}]), ".[1]"),
    ] {
        let warning =
            format!("warning: profile: profile.json: {path}: this profile has no behaviors, so nothing can violate it");
        let report = json!({"header": {"report_id": 1, "version": "1.0"},
                            "metrics": {"listening_tcp_ports": {"ports": [{"port": 22}], "total": 1}}});
        let dir = Dir::with_profile(&document);
        let verdicts = dir.judge(report.to_string(), &[]).stderr(&warning).json()["behaviors"].clone();
        assert_eq!((verdicts.as_array().unwrap().len(), &verdicts[0]["verdict"]), (1, &json!("conforms")));
    }
}
