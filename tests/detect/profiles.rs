//! Security profiles: as the AWS CLI exports them, wrong ones, and what only the cloud can judge.

use serde_json::{Value, json};

use crate::detect::{behavior, verdict_on, verdicts_on};
use crate::support::Dir;

/// A report with one TCP port, 22, and no traffic.
fn report() -> Value {
    json!({"header": {"report_id": 300, "version": "1.0"}, "metrics": {"listening_tcp_ports": {"ports": [{"port": 22}], "total": 1}}})
}

#[test]
fn an_export_with_every_field_is_judged() {
    let profile = json!({
        "securityProfileName": "edge",
        "securityProfileArn": "arn:aws:iot:eu-west-1:123456789012:securityprofile/edge",
        "securityProfileDescription": "what edge devices do",
        "behaviors": [{
            "name": "ports",
            "metric": "aws:listening-tcp-ports",
            "metricDimension": null,
            "criteria": {
                "comparisonOperator": "in-port-set",
                "value": {"ports": [22, 443]},
                "consecutiveDatapointsToAlarm": 1,
                "consecutiveDatapointsToClear": 1,
                "statisticalThreshold": null,
            },
            "suppressAlerts": true,
            "exportMetric": false,
        }, {
            "name": "old",
            "metric": "aws:num-listening-tcp-ports",
            "criteria": {
                "comparisonOperator": "less-than",
                "value": {"count": "2"},
                "durationSeconds": "300",
                "consecutiveDatapointsToAlarm": "1",
            },
        }],
        "alertTargets": {"SNS": {"alertTargetArn": "arn:aws:sns:eu-west-1:1:t", "roleArn": "arn:aws:iam::1:role/r"}},
        "additionalMetricsToRetain": ["aws:num-messages-sent"],
        "additionalMetricsToRetainV2": [{"metric": "aws:num-messages-sent",
                                         "metricDimension": {"dimensionName": "d", "operator": "NOT_IN"}}],
        "metricsExportConfig": {"mqttTopic": "t", "roleArn": "arn:aws:iam::1:role/r"},
        "version": 3,
        "creationDate": "2023-11-14T22:13:20.123000+00:00",
        "lastModifiedDate": 1_700_000_000.123,
    });
    let bare = profile["behaviors"].clone();
    for (profile, name) in [(profile, json!("edge")), (bare, Value::Null)] {
        let verdicts = Dir::with_profile(&profile).judge(report().to_string(), &[]).json();
        assert_eq!((&verdicts["report_id"], &verdicts["violated"]), (&json!(300), &json!(false)));
        for said in verdicts["behaviors"].as_array().unwrap() {
            assert_eq!((&said["verdict"], &said["profile"]), (&json!("conforms"), &name), "{said}");
        }
    }
}

#[test]
fn an_event_has_every_field_of_its_behavior() {
    let mut behavior = behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [80]}));
    behavior["suppressAlerts"] = json!(true);
    behavior["exportMetric"] = json!(false);
    let reports = [report().to_string(), report().to_string().replace("300", "600")].join("\n");
    let events = Dir::with_profile(&json!([behavior])).judge(reports, &[]).code(1).lines();
    assert_eq!(events[0]["behavior"], behavior);
}

#[test]
fn every_line_names_its_profile_when_there_are_several() {
    let dir = Dir::new();
    let behaviors = json!([behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [22]}))]);
    dir.write("profile.json", json!({"securityProfileName": "first", "behaviors": behaviors}).to_string());
    dir.write("second.json", behaviors.to_string());
    for args in [&["second.json"][..], &["--profile", "second.json"]] {
        let verdicts = dir.detect(&[args, &["--report", "-", "--format", "json"]].concat());
        let verdicts = verdicts.stdin(report().to_string()).json();
        let names: Vec<&Value> =
            verdicts["behaviors"].as_array().unwrap().iter().map(|said| &said["profile"]).collect();
        assert_eq!(names, ["first", "second.json"]);
    }
}

/// The faults of a behavior as `path: message`.
fn faults(behavior: Value) -> Vec<String> {
    let said = verdict_on(behavior, &report());
    assert_eq!((&said["verdict"], &said["observed"], &said["reason"]), (&json!("invalid"), &Value::Null, &Value::Null));
    let fault = |fault: &Value| format!("{}: {}", fault["path"].as_str().unwrap(), fault["message"].as_str().unwrap());
    said["faults"].as_array().unwrap().iter().map(fault).collect()
}

#[test]
fn operators_and_values_that_do_not_fit_are_reported_with_their_place() {
    let comparisons = "less-than, less-than-equals, greater-than, greater-than-equals";
    let operator = |name: &str, fitting: &str| {
        format!(".[0].criteria.comparisonOperator: must be one of {fitting} for this metric; found \"{name}\"")
    };
    let value = |kind: &str, wanted: &str| {
        format!(".[0].criteria.value.{kind}: does not fit the operator and the metric; expected {wanted}")
    };
    let ports = "in-port-set, not-in-port-set";
    let cidrs = "in-cidr-set, not-in-cidr-set";
    for (metric, name, given, expected) in [
        ("aws:all-bytes-out", "in-port-set", json!({"ports": []}), operator("in-port-set", comparisons)),
        ("aws:all-bytes-out", "in-set", json!({"count": 1}), operator("in-set", comparisons)),
        ("aws:listening-tcp-ports", "less-than", json!({"count": 1}), operator("less-than", ports)),
        ("aws:listening-udp-ports", "in-set", json!({"ports": [1]}), operator("in-set", ports)),
        ("aws:destination-ip-addresses", "in-port-set", json!({"ports": [1]}), operator("in-port-set", cidrs)),
        ("aws:source-ip-address", "less-than", json!({"count": 1}), operator("less-than", cidrs)),
        (
            "custom",
            "in-port-set",
            json!({"ports": [1]}),
            operator("in-port-set", &format!("{comparisons}, {cidrs}, in-set, not-in-set")),
        ),
        ("aws:all-bytes-out", "less-than", json!({"number": 1}), value("number", "`count`")),
        ("aws:listening-tcp-ports", "in-port-set", json!({"cidrs": []}), value("cidrs", "`ports`")),
        ("aws:destination-ip-addresses", "in-cidr-set", json!({"ports": []}), value("ports", "`cidrs`")),
        ("custom", "in-set", json!({"cidrs": []}), value("cidrs", "`strings` or `numbers`")),
        ("custom", "less-than", json!({"numbers": [1]}), value("numbers", "`number` or `count`")),
        ("aws:all-bytes-out", "equals", json!({"count": 1}), operator("equals", comparisons)),
        (
            "aws:all-bytes-out",
            "less-than",
            json!({"count": 1, "number": 1}),
            ".[0].criteria.value: expected only `count`, found {\"count\":1,\"number\":1}".to_owned(),
        ),
        (
            "aws:all-bytes-out",
            "less-than",
            json!({}),
            ".[0].criteria.value: expected only `count`, found {}".to_owned(),
        ),
        ("aws:all-bytes-out", "less-than", json!(5), ".[0].criteria.value: expected an object, found 5".to_owned()),
        ("aws:all-bytes-out", "less-than", json!(null), ".[0].criteria.value: missing; expected `count`".to_owned()),
    ] {
        assert_eq!(faults(behavior(metric, name, &given)), [expected], "{metric} {name} {given}");
    }
}

#[test]
fn values_out_of_range_are_reported_each() {
    let integer = "expected an integer from 0 to 18446744073709551615";
    for count in [json!(-1), json!(1.5), json!(1e3), json!("x"), json!("-1"), json!([1]), json!(true)] {
        let expected = format!(".[0].criteria.value.count: {integer}, found {count}");
        assert_eq!(faults(behavior("aws:all-bytes-in", "less-than", &json!({ "count": count }))), [expected]);
    }
    assert_eq!(
        faults(behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [22, -1, 65536, "ssh", 443]}))),
        [
            ".[0].criteria.value.ports[1]: expected an integer from 0 to 65535, found -1",
            ".[0].criteria.value.ports[2]: expected an integer from 0 to 65535, found 65536",
            ".[0].criteria.value.ports[3]: expected an integer from 0 to 65535, found \"ssh\"",
        ]
    );
    let wrong = [
        "10.0.0.0/33", "2001:db8::/129", "10.0.0/8", "10.0.0.0/", "/8", "", "10.0.0.0/-1", "10.0.0.0/8 ", "::1%lo",
        "010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/+8", "010.0.0.1",
    ];
    let said = faults(behavior("aws:destination-ip-addresses", "not-in-cidr-set", &json!({ "cidrs": wrong })));
    let expected: Vec<String> = wrong
        .iter()
        .enumerate()
        .map(|(place, cidr)| {
            format!(
                ".[0].criteria.value.cidrs[{place}]: expected a network such as 10.0.0.0/8 or 2001:db8::/32, or an address, found {cidr:?}"
            )
        })
        .collect();
    assert_eq!(said, expected);
    for (kind, value) in [("strings", json!([1])), ("numbers", json!(["x"]))] {
        assert_eq!(faults(behavior("c", "in-set", &json!({ kind: value }))).len(), 1);
    }
    assert_eq!(
        faults(behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": 22}))),
        [".[0].criteria.value.ports: expected a list, found 22"]
    );
}

#[test]
fn every_other_fault_of_a_behavior_is_reported_and_the_others_are_judged() {
    let right = behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [22]}));
    let count = behavior("aws:num-listening-tcp-ports", "less-than", &json!({"count": 5}));
    let with = |base: &Value, field: &str, value: Value| {
        let mut behavior = base.clone();
        match field.split_once('.') {
            Some((outer, inner)) => behavior[outer][inner] = value,
            None => behavior[field] = value,
        }
        behavior
    };
    let service = "is not a metric of the service, and not a valid custom metric name";
    let numbers = ": applies only to numbers, and this metric is a set";
    let statistics = "p0, p0.1, p0.01, p1, p10, p50, p90, p99, p99.9, p99.99, p100";
    // A field, its value, and what follows the path of the field in the fault.
    for (base, field, value, fault) in [
        (&right, "name", Value::Null, ": missing"),
        (&right, "name", json!(5), ": expected a string, found 5"),
        (&right, "metric", Value::Null, ": missing"),
        (&right, "metric", json!(1), ": expected a string, found 1"),
        (
            &right,
            "metric",
            json!("aws:listening-tcp-port"),
            &format!(": \"aws:listening-tcp-port\" {service}; did you mean `aws:listening-tcp-ports`?"),
        ),
        (&right, "metric", json!("cpu usage"), &format!(": \"cpu usage\" {service}")),
        (&right, "criteria", Value::Null, ": missing"),
        (&right, "criteria", json!([]), ": expected an object, found []"),
        (&right, "criteria", json!({}), ".comparisonOperator: missing"),
        (&right, "criteria.durationSeconds", json!(0), ": expected an integer from 1 to 86400, found 0"),
        (&right, "criteria.durationSeconds", json!("5m"), ": expected an integer from 1 to 86400, found \"5m\""),
        (&right, "criteria.consecutiveDatapointsToAlarm", json!(0), ": expected an integer from 1 to 10, found 0"),
        (&right, "criteria.consecutiveDatapointsToClear", json!(11), ": expected an integer from 1 to 10, found 11"),
        (
            &count,
            "criteria.mlDetectionConfig",
            json!({}),
            ".confidenceLevel: must be one of LOW, MEDIUM, HIGH; found null",
        ),
        (
            &count,
            "criteria.statisticalThreshold",
            json!({"statistic": "p42"}),
            &format!(".statistic: must be one of {statistics}; found \"p42\""),
        ),
        (&right, "criteria.statisticalThreshold", json!({"statistic": "p90"}), numbers),
        (&right, "criteria.mlDetectionConfig", json!({"confidenceLevel": "HIGH"}), numbers),
        (&right, "metricDimension", json!(5), ": expected an object with the string `dimensionName`, found 5"),
        (
            &right,
            "metricDimension",
            json!({"dimensionName": "d", "operator": "in"}),
            ".operator: must be one of IN, NOT_IN; found \"in\"",
        ),
        (&json!("ports"), "", Value::Null, ": expected an object, found \"ports\""),
    ] {
        let (wrong, path) = match field {
            "" => (base.clone(), ".[1]".to_owned()),
            field => (with(base, field, value), format!(".[1].{field}")),
        };
        let said = verdicts_on(&[right.clone(), wrong.clone(), right.clone()], &report());
        let said = said["behaviors"].as_array().unwrap();
        assert_eq!((&said[0]["verdict"], &said[2]["verdict"]), (&json!("conforms"), &json!("conforms")));
        let found = &said[1]["faults"][0];
        let text = format!("{}: {}", found["path"].as_str().unwrap(), found["message"].as_str().unwrap());
        assert_eq!(text, format!("{path}{fault}"), "{wrong}");
        assert_eq!(said[1]["faults"].as_array().unwrap().len(), 1, "{wrong}");
    }
    let long = format!("aws:{}", "n".repeat(129));
    let fault = &faults(with(&right, "metric", json!(long)))[0];
    assert!(fault.chars().count() < 200, "foreign text is cut: {fault}");
    let twice = json!({"metric": "aws:all-bytes-in", "criteria": {"comparisonOperator": "less-than", "value": {"count": -1},
                       "durationSeconds": -1}});
    assert_eq!(faults(twice).len(), 3, "every fault of a behavior is told");
}

#[test]
fn what_the_cloud_judges_is_checked_all_the_same() {
    let cloud = [
        ("statisticalThreshold", json!({"statistic": "p90"})),
        ("mlDetectionConfig", json!({"confidenceLevel": "LOW"})),
    ];
    for (field, value) in cloud {
        for (operator, given, path) in [
            (json!("foo"), Value::Null, "comparisonOperator"),
            (json!("in-cidr-set"), Value::Null, "comparisonOperator"),
            (json!("less-than"), json!({"ports": [5]}), "value.ports"),
            (json!("less-than"), json!({"count": -1}), "value.count"),
        ] {
            let criteria = json!({"comparisonOperator": operator, "value": given, field: value});
            let said = faults(json!({"name": "b", "metric": "aws:num-listening-tcp-ports", "criteria": criteria}));
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].starts_with(&format!(".[0].criteria.{path}: ")), "{said:?}");
        }
    }
}

#[test]
fn a_path_is_one_that_jq_takes() {
    for (name, path) in
        [("cou-t", "[\"cou-t\"]"), ("a\"b", "[\"a\\\"b\"]"), ("5", "[\"5\"]"), ("", "[\"\"]"), ("n_1", ".n_1")]
    {
        let said = faults(behavior("aws:all-bytes-in", "less-than", &json!({ name: 1 })));
        let text = "does not fit the operator and the metric; expected `count`";
        assert_eq!(said, [format!(".[0].criteria.value{path}: {text}")]);
    }
}

#[test]
fn what_only_the_cloud_can_judge_is_reported_and_never_conforms() {
    let criteria = json!({"comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 300});
    let cloud = "only the service measures this metric";
    let mut cases: Vec<(Value, &str)> = [
        "aws:num-messages-sent",
        "aws:num-messages-received",
        "aws:num-authorization-failures",
        "aws:num-connection-attempts",
        "aws:num-disconnects",
        "aws:disconnect-duration",
    ]
    .map(|metric| (json!({"name": "b", "metric": metric, "criteria": criteria}), cloud))
    .to_vec();
    cases.push((behavior("aws:source-ip-address", "in-cidr-set", &json!({"cidrs": ["0.0.0.0/0"]})), cloud));
    cases.push((
        json!({"name": "b", "metric": "aws:num-listening-tcp-ports",
               "criteria": {"comparisonOperator": "less-than", "statisticalThreshold": {"statistic": "p99.9"}}}),
        "a percentile is computed over all devices, which only the service knows",
    ));
    cases.push((
        json!({"name": "b", "metric": "aws:num-listening-tcp-ports",
               "criteria": {"mlDetectionConfig": {"confidenceLevel": "LOW"}, "consecutiveDatapointsToAlarm": 1}}),
        "only the service has the machine learning model of this metric",
    ));
    cases.push((
        json!({"name": "b", "metric": "aws:num-listening-tcp-ports", "criteria": criteria,
               "metricDimension": {"dimensionName": "topics", "operator": "IN"}}),
        "only the service knows the dimensions of a metric",
    ));
    for (behavior, reason) in cases {
        let said = verdict_on(behavior.clone(), &report());
        assert_eq!((&said["verdict"], &said["reason"]), (&json!("not-judged"), &json!(reason)), "{behavior}");
    }
}

#[test]
fn a_set_has_no_percentile_and_a_custom_metric_no_dimension() {
    let percentile = json!({"comparisonOperator": "in-cidr-set", "statisticalThreshold": {"statistic": "p90"}});
    assert_eq!(
        faults(json!({"name": "b", "metric": "temp", "criteria": percentile})),
        [".[0].criteria.statisticalThreshold: applies only to numbers, but the operator compares sets"]
    );
    let mut dimension = behavior("temp", "less-than", &json!({"number": 5}));
    dimension["metricDimension"] = json!({"dimensionName": "room"});
    assert_eq!(faults(dimension), [".[0].metricDimension: does not apply to a custom metric"]);
}

#[test]
fn a_file_that_is_no_profile_ends_the_run() {
    let hint = "hint: give the output of `aws iot describe-security-profile --security-profile-name NAME`, a template as `cdk \
                synth` prints it, or a list of behaviors; as JSON or YAML";
    let shape = "not a security profile: expected an object with `behaviors`, a template, or a list of behaviors";
    let deployed = "sets this when the stack is deployed; check what aws iot describe-security-profile prints";
    for (text, message) in [
        ("", "empty"),
        (" \n", "empty"),
        ("{\"behaviors\": [", "not JSON: EOF while parsing a list at line 1 column 15"),
        ("[1,]", "not JSON: trailing comma at line 1 column 4"),
        ("{\"behaviors\": [], \"behaviors\": []}", "`behaviors` is given more than once at line 1 column 34"),
        ("behaviors: [", "read as YAML: unclosed bracket '[' at line 1, column 12"),
        ("a: 1\na: 2", "read as YAML: duplicate mapping key `a` is not allowed here at line 2, column 1"),
        (
            "new iot.CfnSecurityProfile(this, 'edge', {\n  behaviors: []\n});",
            "read as YAML: mapping values are not allowed in this context at line 2, column 12",
        ),
        ("{}", shape),
        ("5", shape),
        ("nonsense", shape),
        ("BEHAVIORS\tports\taws:listening-tcp-ports", shape),
        ("{\"behaviors\": {}}", shape),
        ("Behaviors: !If [a, [], []]", &format!(".Behaviors: Fn::If {deployed}")),
        ("securityProfileIdentifiers: [{name: edge}]", "a list of security profiles, without their behaviors"),
        ("[]", "the profile has no behaviors"),
        ("{\"behaviors\": []}", "the profile has no behaviors"),
        ("<!DOCTYPE html><html>", "an HTML page, such as a login or error page, instead of the file"),
        ("\0[\0]", "UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8"),
        ("\0\u{ff}", "not text: it contains bytes of value 0"),
        ("{securityProfileName: edge}", "the profile has no behaviors"),
        ("Resources: {P: {Type: AWS::IoT::SecurityProfile}}", "the profile has no behaviors"),
        ("{activeViolations: [{securityProfileName: edge, behavior: {name: a}}]}", shape),
    ] {
        let dir = Dir::new();
        dir.write("profile.json", text);
        let tells = format!("profile: profile.json: {message}\n{hint}");
        assert_eq!(dir.detect(&[]).code(65).stderr(&tells).text(), "", "{text}");
    }
    let dir = Dir::new();
    dir.write("profile.json", "{nonsense");
    let tells = format!(
        "profile: profile.json: read as YAML: unclosed bracket '{{' at line 1, column 1\n\
         profile: none.json: No such file or directory (os error 2)\n{hint}"
    );
    dir.detect(&["none.json"]).code(66).stderr(&tells).text();
}
