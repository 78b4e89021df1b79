//! The definition in the platform's documentation, in every shape in which an operator may have it.

use std::fs;

use serde_json::{Value, json};

use crate::params::messages::{golden, input};
use crate::params::{ARN, connector, definition, right_parameters, validate};

/// Every shape that this connector can come in.
fn shapes(connector: &Value) -> [(&'static str, Value); 13] {
    let version = definition(std::slice::from_ref(connector));
    [
        ("given to create-connector-definition --initial-version", version.clone()),
        (
            "given to create-connector-definition --cli-input-json",
            json!({ "Name": "my-definition", "InitialVersion": version, "tags": { "a": "b" } }),
        ),
        (
            "given to create-connector-definition-version --cli-input-json",
            json!({ "ConnectorDefinitionId": "22b8ed33", "Connectors": version["Connectors"] }),
        ),
        (
            "answer of get-connector-definition-version",
            json!({
                "Arn": "arn:aws:greengrass:us-west-2:123456789012:/greengrass/definition/connectors/22b8ed33/versions/8",
                "CreationTimestamp": "2019-06-19T19:30:01.300Z",
                "Definition": version,
                "Id": "22b8ed33",
                "Version": "8dbd7ccd",
            }),
        ),
        (
            "AWS::Greengrass::ConnectorDefinition in a template",
            json!({
                "Parameters": { "Name": { "Type": "String" } },
                "Resources": { "Topic": { "Type": "AWS::SNS::Topic" }, "Connectors": {
                    "Type": "AWS::Greengrass::ConnectorDefinition",
                    "Properties": { "Name": "edge", "InitialVersion": version },
                }},
            }),
        ),
        (
            "AWS::Greengrass::ConnectorDefinitionVersion in a template",
            json!({ "Resources": { "Version": {
                "Type": "AWS::Greengrass::ConnectorDefinitionVersion",
                "Properties": { "ConnectorDefinitionId": { "Ref": "Definition" }, "Connectors": version["Connectors"] },
            }}}),
        ),
        ("its properties", json!({ "Name": "edge", "InitialVersion": version, "Tags": { "a": "b" } })),
        ("a list of connectors", version["Connectors"].clone()),
        ("a group and its definitions", json!({ "GroupDefinitions": [{ "ConnectorDefinition": version }] })),
        (
            "names as the SDKs have them",
            json!({ "connectors": [{ "id": connector["Id"], "connectorArn": connector["ConnectorArn"],
                "parameters": connector["Parameters"] }] }),
        ),
        ("a single connector", connector.clone()),
        ("a connector's Parameters, with their name", json!({ "Parameters": connector["Parameters"] })),
        ("a bare Parameters object", connector["Parameters"].clone()),
    ]
}

/// Checks a document that must be valid, from a file and from standard input, spaced and not, as text and as JSON.
fn is_valid(what: &str, document: &Value, connectors: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("connector.json");
    let verdict =
        json!({ "version": 1, "valid": true, "connectors": connectors, "problems": [], "warnings": [], "probe": null });
    let spaced = serde_json::to_string_pretty(document).unwrap();
    for text in [document.to_string(), spaced.replace('\n', "\r\n"), format!("\n\t {spaced}\n\n")] {
        fs::write(&path, &text).unwrap();
        let path = path.to_str().unwrap();
        for args in [&[path][..], &["--", path], &["-"], &["-v", "-"], &["-", "--quiet"]] {
            let said = validate(args).stdin(text.as_str()).text();
            assert_eq!(said, "valid: no problems, no warnings\n", "{what}: {args:?}");
            let args = [args, &["--format", "json"]].concat();
            if args.first() != Some(&"--") {
                assert_eq!(validate(&args).stdin(text.as_str()).json(), verdict, "{what}: {args:?}");
            }
        }
    }
}

#[test]
fn the_definition_in_the_platforms_documentation_is_valid_in_every_shape() {
    for version in 1..=3 {
        for place in ["::", "us-west-2::", "us-west-2:123456789012:"] {
            let arn = format!("arn:aws:greengrass:{place}/connectors/DeviceDefender/versions/{version}");
            let ours = connector(&arn, &right_parameters());
            for (what, document) in shapes(&ours) {
                let connectors = if what.contains("Parameters") {
                    json!([{ "id": null, "arn": null, "checked": true }])
                } else {
                    json!([{ "id": "my-connector", "arn": arn, "checked": true }])
                };
                if place == "::" || what.starts_with("answer") {
                    is_valid(&format!("version {version}, {what}"), &document, &connectors);
                }
            }
        }
    }
}

#[cfg(feature = "yaml")]
#[test]
fn yaml_templates_are_checked() {
    let text = "\
AWSTemplateFormatVersion: 2010-09-09
Resources:
  Definition:
    Type: AWS::Greengrass::ConnectorDefinition
    Properties:
      Name: !Sub '${AWS::StackName}-connectors'
  Version:
    Type: AWS::Greengrass::ConnectorDefinitionVersion
    Properties:
      ConnectorDefinitionId: !Ref Definition
      Connectors:
        - Id: topic
          ConnectorArn: !Sub 'arn:aws:greengrass:${AWS::Region}::/connectors/SNS/versions/4'
          Parameters: {DefaultSNSArn: !Ref Topic}
        - Id: defender
          ConnectorArn: !Join ['', ['arn:aws:greengrass:', !Ref AWS::Region, '::/connectors/DeviceDefender/versions/3']]
          Parameters:
            SampleIntervalSeconds: '600'
            ProcDestinationPath: /host_proc
            ProcDestinationPath-ResourceId: my-proc-resource
";
    let connectors = json!([
        { "id": "topic", "arn": "arn:aws:greengrass:${AWS::Region}::/connectors/SNS/versions/4", "checked": false },
        { "id": "defender", "arn": "arn:aws:greengrass:${AWS::Region}::/connectors/DeviceDefender/versions/3", "checked": true },
    ]);
    for text in [text.to_owned(), format!("\u{feff}---\n{text}"), text.replace('\n', "\r\n")] {
        let verdict = validate(&["-", "--format", "json"]).stdin(text).json();
        assert_eq!((&verdict["valid"], &verdict["connectors"]), (&json!(true), &connectors));
    }
    let number = text.replace("'600'", "0600");
    let verdict = validate(&["-", "--format", "json"]).stdin(number).code(1).json();
    assert_eq!(verdict["problems"][0]["message"], "is a number, not a string");
    let parameters =
        "SampleIntervalSeconds: '600'\nProcDestinationPath: /host_proc\nProcDestinationPath-ResourceId: a\n";
    assert_eq!(validate(&["-"]).stdin(parameters).text(), "valid: no problems, no warnings\n");
    let flow = format!("{{{}}}", parameters.trim_end().replace('\n', ",\n "));
    for flow in
        [flow.clone(), flow.replace("{S", "{ # every 10 minutes\n S"), flow.replace("{S", "{'S").replace("s:", "s':")]
    {
        assert_eq!(validate(&["-"]).stdin(flow).text(), "valid: no problems, no warnings\n");
    }
}

#[test]
fn all_definitions_of_a_template_are_checked() {
    let version = definition(&[connector(ARN, &right_parameters())]);
    let template = json!({ "Resources": { "A": { "Properties": version }, "B": { "Properties": version } } });
    let told = validate(&["-"]).stdin(template.to_string()).text();
    assert!(told.ends_with("watch --params uses the first\nvalid: no problems, 1 warning\n"), "{told}");
}

#[test]
fn other_partitions_have_connectors_too() {
    for partition in ["aws-cn", "aws-us-gov", "aws-iso-b"] {
        let arn = ARN.replacen(":aws:", &format!(":{partition}:"), 1);
        let ours = connector(&arn, &right_parameters());
        let connectors = json!([{ "id": "my-connector", "arn": arn, "checked": true }]);
        is_valid(partition, &definition(&[ours]), &connectors);
    }
}

#[test]
fn flags_are_checked_for_what_they_give_and_nothing_is_missed() {
    let flags = [
        ["--sample-interval-seconds", "600"],
        ["--proc-destination-path", "/host_proc"],
        ["--proc-destination-path-resource-id", "my-proc-resource"],
    ];
    for wanted in 1..8_u8 {
        let given = flags.iter().enumerate().filter(|(place, _)| wanted & (1 << place) != 0);
        let args: Vec<&str> = given.flat_map(|(_, flag)| *flag).collect();
        assert_eq!(validate(&args).text(), "valid: no problems, no warnings\n", "{args:?}");
        let verdict = validate(&[&args[..], &["--format", "json"]].concat()).json();
        assert_eq!((&verdict["valid"], &verdict["probe"]), (&json!(true), &json!(null)), "{args:?}");
    }
}

#[test]
fn messages_about_functions() {
    let join = json!({ "Fn::Join": ["", ["arn:aws:greengrass:", { "Ref": "AWS::Region" }, "::/connectors/DeviceDefender/versions/4"]] });
    let with = |arn: Value, parameters: Value| definition(&[json!({ "ConnectorArn": arn, "Parameters": parameters })]);
    let sub = json!({ "Fn::Sub": "arn:aws:greengrass:${AWS::Region}::/connectors/SNS/versions/4" });
    golden(
        "functions",
        vec![
            input("a version that is not known, in an ARN that is partly known", with(join, right_parameters())),
            input("another connector", with(sub, right_parameters())),
            input("an ARN of which nothing is known", with(json!({ "Ref": "Arn" }), right_parameters())),
            input(
                "the same, and parameters of another connector",
                with(json!({ "Ref": "Arn" }), json!({ "DefaultSNSArn": "a" })),
            ),
            input(
                "connectors that are set when the stack is deployed, and one that is known",
                json!({ "Connectors": [
                    connector(ARN, &right_parameters()),
                    { "Fn::If": ["Prod", { "Id": "x" }, { "Ref": "AWS::NoValue" }] },
                    { "Ref": "AWS::NoValue" },
                ]}),
            ),
            input("a list of connectors that is set then", json!({ "Connectors": { "Ref": "All" } })),
            input(
                "values that are set when the stack is deployed, and one that is known",
                json!({
                    "SampleIntervalSeconds": { "Ref": "Interval" },
                    "ProcDestinationPath": { "Fn::Sub": "/host/proc" },
                    "ProcDestinationPath-ResourceId": { "Fn::If": ["Prod", "a", "b"] },
                }),
            ),
        ],
    );
}
