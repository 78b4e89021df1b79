//! Every shape in which an operator has a profile, and its verdict.

use serde_json::{Value, json};

use crate::support::{Dir, Outcome};

/// A report of the ports 22 and 4444.
fn report() -> String {
    json!({"header": {"report_id": 300, "version": "1.0"},
           "metrics": {"listening_tcp_ports": {"ports": [{"port": 22}, {"port": 4444}], "total": 2}}})
    .to_string()
}

/// The lines `PROFILE BEHAVIOR VERDICT`, and standard error.
#[track_caller]
fn verdicts(text: &str) -> (Vec<String>, String) {
    let dir = Dir::new();
    dir.write("profile.json", text);
    let outcome = Outcome::of(dir.judge(report(), &[]));
    let document: Value =
        serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{text}\n{}", outcome.stderr));
    let line = |said: &Value| {
        let text = |name: &str| said[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("profile"), text("behavior"), text("verdict"))
    };
    (document["behaviors"].as_array().unwrap().iter().map(line).collect(), outcome.stderr)
}

/// A behavior that the report violates.
const ONE: &str = r#"{"name": "ports", "metric": "aws:listening-tcp-ports",
    "criteria": {"comparisonOperator": "in-port-set", "value": {"ports": [22]}}}"#;

/// The same as in a template, and one that the report conforms to.
const TWO: &str = r#"[{"Name": "Ports", "Metric": "aws:listening-tcp-ports", "SuppressAlerts": true,
        "Criteria": {"ComparisonOperator": "in-port-set", "ConsecutiveDatapointsToAlarm": 1, "Value": {"Ports": [22]}}},
    {"Name": "Count", "Metric": "aws:num-listening-tcp-ports",
        "Criteria": {"ComparisonOperator": "less-than-equals", "DurationSeconds": 300, "Value": {"Count": "50000"}}}]"#;

#[test]
fn every_shape_of_a_profile_is_judged() {
    let properties = format!(
        r#"{{"SecurityProfileName": "edge", "Behaviors": {TWO},
        "Tags": [{{"Key": "a", "Value": "b"}}], "AlertTargets": {{"SNS": {{"RoleArn": "r", "AlertTargetArn": "t"}}}}}}"#
    );
    let resource = format!(r#"{{"Type": "AWS::IoT::SecurityProfile", "Properties": {properties}}}"#);
    let template = format!(r#"{{"Resources": {{"Topic": {{"Type": "AWS::SNS::Topic"}}, "Edge": {resource}}}}}"#);
    let (ports, count) = (" Ports violated", " Count conforms");
    let [named, unnamed] = ["edge", "-"].map(|profile| [format!("{profile}{ports}"), format!("{profile}{count}")]);
    for (what, text, expected) in [
        ("a behavior", ONE.to_owned(), vec!["- ports violated".to_owned()]),
        ("a list of behaviors", format!("[{ONE}]"), vec!["- ports violated".to_owned()]),
        ("a profile with one behavior", format!(r#"{{"behaviors": {ONE}}}"#), vec!["- ports violated".to_owned()]),
        ("a list in PascalCase", TWO.to_owned(), unnamed.to_vec()),
        ("properties", properties.clone(), named.to_vec()),
        ("a resource", resource.clone(), named.to_vec()),
        ("a template", template.clone(), named.to_vec()),
        ("the answer of get-template", format!(r#"{{"TemplateBody": {template}}}"#), named.to_vec()),
        ("a list of profiles", format!("[{properties}]"), named.to_vec()),
        ("a byte order mark", format!("\u{feff}\r\n{template}"), named.to_vec()),
    ] {
        assert_eq!(verdicts(&text), (expected, String::new()), "{what}");
    }
}

#[test]
fn every_profile_of_a_template_is_judged() {
    let edge = format!(r#"{{"Properties": {{"SecurityProfileName": "edge", "Behaviors": [{ONE}]}}}}"#);
    let other = format!(r#"{{"Properties": {{"SecurityProfileName": {{"Ref": "Name"}}, "Behaviors": [{ONE}]}}}}"#);
    let template = format!(r#"{{"Resources": {{"Edge": {edge}, "Other": {other}, "Third": {{"Behaviors": []}}}}}}"#);
    let expected = vec!["edge ports violated".to_owned(), "Other ports violated".to_owned()];
    let warning = "device-defender: warning: profile: profile.json: .Resources.Third.Behaviors: this profile has no behaviors, so \
                   nothing can violate it\n";
    assert_eq!(verdicts(&template), (expected, warning.to_owned()));
}

#[test]
fn yaml_is_judged_as_the_cli_prints_it() {
    let text = "\
behaviors:
- criteria:
    comparisonOperator: in-port-set
    consecutiveDatapointsToAlarm: 1
    value:
      ports:
      - 22
  metric: aws:listening-tcp-ports
  name: ports
  suppressAlerts: false
- criteria:
    mlDetectionConfig:
      confidenceLevel: HIGH
  metric: aws:num-listening-tcp-ports
  name: learned
creationDate: '2023-11-14T22:13:20.123000+00:00'
securityProfileName: edge
version: 3
";
    let expected = vec!["edge ports violated".to_owned(), "edge learned not-judged".to_owned()];
    for text in [text.to_owned(), format!("---\n{text}...\n"), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        assert_eq!(verdicts(&text), (expected.clone(), String::new()));
    }
}

#[test]
fn yaml_templates_may_have_tags_anchors_and_functions() {
    let text = "\
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Env: {Type: String}
Conditions:
  Prod: !Equals [!Ref Env, prod]
Resources:
  Edge:
    Type: AWS::IoT::SecurityProfile
    Condition: Prod
    Properties:
      SecurityProfileName: !Sub '${Env}-edge'
      TargetArns: [!Sub 'arn:aws:iot:${AWS::Region}:${AWS::AccountId}:all/things', !GetAtt Group.Arn]
      Behaviors:
        - &ports
          Name: !Join ['-', [ports, !Ref Env]]
          Metric: aws:listening-tcp-ports
          Criteria:
            ComparisonOperator: in-port-set
            Value: {Ports: ['22']}
        - <<: *ports
          Name: Again
        - Name: Deployed
          Metric: aws:num-listening-tcp-ports
          MetricDimension: !Ref AWS::NoValue
          Criteria: {ComparisonOperator: less-than, Value: {Count: !Ref Max}}
        - !If [Prod, {Name: a}, {Name: b}]
";
    let expected =
        ["- ports-${Env} violated", "- Again violated", "- Deployed invalid", "-  invalid"].map(str::to_owned);
    assert_eq!(verdicts(text), (expected.to_vec(), String::new()));

    let dir = Dir::new();
    dir.write("profile.json", text);
    let said = dir.judge(report(), &[]).code(1).json();
    let fault = json!({"path": ".Resources.Edge.Properties.Behaviors[2].Criteria.Value.Count",
        "message": "Ref sets this when the stack is deployed; check what aws iot describe-security-profile prints"});
    assert_eq!(said["behaviors"][2]["faults"], json!([fault]));
    assert_eq!(said["behaviors"][3]["faults"][0]["path"], ".Resources.Edge.Properties.Behaviors[3]");
    let criteria = json!({"comparisonOperator": "in-port-set", "value": {"ports": ["22"]}});
    assert_eq!(said["behaviors"][0]["criteria"], criteria, "in the API's case");
}

#[test]
fn a_fault_and_a_warning_have_the_names_of_the_file() {
    let (said, stderr) = verdicts(
        r#"[{"Name": "b", "Metric": "aws:listening-tcp-ports", "name": "c", "SuppressAlert": true,
        "Criteria": {"ComparisonOperator": "in-port-set", "Value": {"Ports": [22, -1]}}}, {"Name": "c"}]"#,
    );
    assert_eq!(said, ["- c invalid", "- c invalid"]);
    assert_eq!(
        stderr,
        "device-defender: warning: profile: profile.json: .[0].Name: ignored, because `name` is given, too\n\
         device-defender: warning: profile: profile.json: .[0].SuppressAlert: unknown field `SuppressAlert`, ignored; did you \
         mean `SuppressAlerts`?\n"
    );
}

/// Behaviors of the kinds in the developer guide, with other names and values.
#[test]
fn the_behaviors_of_the_developer_guide_are_understood() {
    let number = |name: &str, metric: &str, operator: &str, value: Value| {
        json!({"name": name, "metric": metric, "suppressAlerts": true,
            "criteria": {"comparisonOperator": operator, "value": value, "durationSeconds": 600,
                "consecutiveDatapointsToAlarm": 1, "consecutiveDatapointsToClear": 2}})
    };
    let set = |name: &str, metric: &str, operator: &str, value: Value| {
        json!({"name": name, "metric": metric,
            "criteria": {"comparisonOperator": operator, "value": value, "consecutiveDatapointsToAlarm": 3}})
    };
    let percentile = |metric: &str, operator: &str, statistic: &str| {
        json!({"name": format!("{metric} over {statistic}"), "metric": metric,
            "criteria": {"comparisonOperator": operator, "statisticalThreshold": {"statistic": statistic},
                "durationSeconds": 900, "consecutiveDatapointsToAlarm": 1}})
    };
    let learned = |metric: &str| {
        json!({"name": "Learned", "metric": metric, "suppressAlerts": false,
            "criteria": {"consecutiveDatapointsToAlarm": 2, "mlDetectionConfig": {"confidenceLevel": "MEDIUM"}}})
    };
    for (behavior, verdict) in [
        (number("Bytes sent by TCP", "aws:all-bytes-out", "less-than-equals", json!({"count": 8192})), "not-judged"),
        (percentile("aws:all-bytes-out", "less-than-equals", "p50"), "not-judged"),
        (learned("aws:all-bytes-out"), "not-judged"),
        (number("Open ports", "aws:num-listening-tcp-ports", "less-than-equals", json!({"count": 5})), "conforms"),
        (percentile("aws:num-listening-udp-ports", "less-than", "p99.9"), "not-judged"),
        (set("Only SSH", "aws:listening-tcp-ports", "in-port-set", json!({"ports": [22]})), "violated"),
        (set("No telnet", "aws:listening-tcp-ports", "not-in-port-set", json!({"ports": [23]})), "conforms"),
        (set("Peers", "aws:destination-ip-addresses", "in-cidr-set", json!({"cidrs": ["192.0.2.0/24"]})), "not-judged"),
        (
            set("Sources", "aws:source-ip-address", "not-in-cidr-set", json!({"cidrs": ["198.51.100.0/24"]})),
            "not-judged",
        ),
        (number("Sign-in failures", "aws:num-authorization-failures", "less-than", json!({"count": 7})), "not-judged"),
        (number("Heat", "temperature", "less-than-equals", json!({"number": 71.5})), "not-judged"),
        (set("Modes", "modes", "in-set", json!({"strings": ["idle", "run"]})), "not-judged"),
        (set("Levels", "levels", "not-in-set", json!({"numbers": [1, 2.5]})), "not-judged"),
        (set("Peers of ours", "our_peers", "in-cidr-set", json!({"cidrs": ["2001:db8::/32"]})), "not-judged"),
        (learned("temperature"), "not-judged"),
    ] {
        let name = behavior["name"].as_str().unwrap();
        let warned = name.contains([' ', '.']);
        let (said, stderr) = verdicts(&behavior.to_string());
        assert_eq!(said, [format!("- {name} {verdict}")]);
        assert_eq!(stderr.lines().count(), usize::from(warned), "{name}: {stderr}");
    }
}

#[test]
fn what_would_take_much_memory_is_refused() {
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, \
                *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d, *d, *d, *d, *d, *d]\n";
    for (text, message) in [
        (bomb.to_owned(), "read as YAML: too many anchors or aliases at line 5, column 5"),
        (format!("a: {}{}", "[".repeat(100), "]".repeat(100)), "read as YAML: nested too deeply at line 1, column 67"),
        (format!("a: [{}]", "0,".repeat(200_000)), "read as YAML: too large at line 1, column 299999"),
        (
            format!("a: &a {}\nb: [{}]", "x".repeat(100_000), "*a,".repeat(99)),
            "read as YAML: too large at line 2, column 251",
        ),
        (format!("[{}{{}}]", "{},".repeat(50_000)), "too large: more than 50000 objects"),
        ("[".repeat(200), "not JSON: recursion limit exceeded at line 1 column 128"),
    ] {
        let dir = Dir::new();
        dir.write("profile.json", &text);
        let outcome = Outcome::of(dir.detect(&[]));
        let expected = format!("device-defender: profile: profile.json: {message}\n");
        assert!(outcome.stderr.starts_with(&expected), "{}", outcome.stderr);
        assert_eq!(outcome.code, Some(65));
    }
}

#[cfg(feature = "yaml")]
#[test]
fn the_flow_style_of_yaml() {
    let behavior =
        "{name: a, metric: aws:num-listening-tcp-ports, criteria: {comparisonOperator: less-than, value: {count: 5}}}";
    for text in [format!("[{behavior}]"), format!("{{behaviors: [{behavior}]}}"), format!("[ # one\n {behavior}\n]\n")]
    {
        let (verdicts, stderr) = verdicts(&text);
        assert_eq!((verdicts, stderr.as_str()), (vec!["- a conforms".to_owned()], ""), "{text}");
    }
}
