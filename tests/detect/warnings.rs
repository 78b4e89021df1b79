//! What of a profile is put up with, and told.

use serde_json::json;

use crate::{Dir, behavior};

/// A report of nothing.
fn report() -> String {
    json!({"metrics": {}}).to_string()
}

#[test]
fn misspelt_fields_and_metrics_are_told() {
    let mut wrong = behavior("all-bytes-in", "less-than", &json!({"number": 5}));
    wrong["criteria"]["durationSecond"] = json!(300);
    wrong["criteria"]["consecutiveDatapointToAlarm"] = json!(3);
    wrong["suppressAlert"] = json!(true);
    wrong["x-note"] = json!("of ours");
    let other = behavior("AWS:all-bytes-in", "less-than", &json!({"number": 5}));
    let custom = behavior("cpu_usage", "less-than", &json!({"number": 5}));
    Dir::with_profile(&json!([wrong, other, custom]))
        .judge(report(), &[])
        .tells(
            "warning: profile: profile.json: .[0].suppressAlert: `suppressAlert` is no field here, and passed over; \
             is `suppressAlerts` meant?\n\
             warning: profile: profile.json: .[0][\"x-note\"]: `x-note` is no field here, and passed over\n\
             warning: profile: profile.json: .[0].metric: all-bytes-in is taken as the name of a custom metric; \
             is `aws:all-bytes-in` meant?\n\
             warning: profile: profile.json: .[0].criteria.consecutiveDatapointToAlarm: `consecutiveDatapointToAlarm` is no \
             field here, and passed over; is `consecutiveDatapointsToAlarm` meant?\n\
             warning: profile: profile.json: .[0].criteria.durationSecond: `durationSecond` is no field here, and passed \
             over; is `durationSeconds` meant?\n\
             warning: profile: profile.json: .[1].metric: AWS:all-bytes-in is taken as the name of a custom metric; \
             is `aws:all-bytes-in` meant?",
        )
        .json();
}

#[test]
fn what_is_put_up_with_is_told() {
    let mut networks =
        behavior("aws:destination-ip-addresses", "in-cidr-set", &json!({"cidrs": ["10.1.2.3/8", "10.1.2.3"]}));
    networks["criteria"]["durationSeconds"] = json!(300);
    let mut bytes = behavior("aws:all-bytes-in", "less-than", &json!({"count": 5}));
    bytes["criteria"]["durationSeconds"] = json!(60);
    Dir::with_profile(&json!([networks, bytes]))
        .judge(report(), &[])
        .tells(
            "warning: profile: profile.json: .[0].criteria.durationSeconds: means nothing for a set, of which the latest counts\n\
             warning: profile: profile.json: .[0].criteria.value.cidrs[0]: 10.1.2.3/8 has bits set beyond its length; \
             taken as 10.0.0.0/8\n\
             warning: profile: profile.json: .[1].criteria.durationSeconds: 60 is none of 300, 600, 900, 1800 and 3600, \
             which the service takes",
        )
        .json();
}
