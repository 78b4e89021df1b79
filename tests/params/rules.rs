//! Whole definitions, made up: judged as a plain restatement of the rules judges them, and never a reason to panic.

use std::path::Path;
use std::sync::LazyLock;

use device_defender::internals::params::{Definition, Finding, Parameter, ProcDestinationPath, UnknownShape};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::params::patterns::check_value;
use crate::params::{ARN, oracles};
use crate::support::cases;

/// Whether a connector's parameters are right: all three there, under their very names, strings that match.
fn parameters_are_right(parameters: Option<&Value>) -> bool {
    oracles().iter().all(|(parameter, pattern)| {
        let value = parameters.and_then(|parameters| parameters.get(parameter.name())?.as_str());
        value.is_some_and(|value| {
            let waitable = *parameter != Parameter::SampleIntervalSeconds || value.parse::<u32>().is_ok();
            pattern.is_match(value) && waitable
        })
    })
}

/// What the rules say about a connector: whether it is Device Defender's, and whether it is right.
///
/// One that is not in a list may be cut out of a definition, and have no ARN.
fn judge(connector: &Value, in_list: bool) -> (bool, bool) {
    const ARN: &str = r"\Aarn:aws[a-z0-9-]*:greengrass:[a-z0-9-]*:[0-9]*:/connectors/([^/]+)/versions/([0-9]{1,19})\z";
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(ARN).unwrap());
    let field = |name| connector.get(name).filter(|value| !value.is_null());
    let parameters = field("Parameters");
    let Some(arn) = field("ConnectorArn") else {
        return (parameters.is_some(), !in_list && parameters_are_right(parameters));
    };
    let text = arn.as_str().unwrap_or_default();
    match SHAPE.captures(text) {
        Some(parts) if &parts[1] == "DeviceDefender" => (true, parameters_are_right(parameters)),
        Some(_) => (false, true),
        None => (text.contains("DeviceDefender"), false),
    }
}

/// Whether the rules find no problem: every connector is right, and there is one of Device Defender.
fn is_valid(connectors: &[Value], in_list: bool) -> bool {
    let judged: Vec<(bool, bool)> = connectors.iter().map(|connector| judge(connector, in_list)).collect();
    judged.iter().all(|(_, right)| *right) && judged.iter().any(|(ours, _)| *ours)
}

/// Mostly right names, some misspelled, some of nothing known.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => select(&Parameter::ALL[..]).prop_map(|parameter| parameter.name().to_owned()),
        1 => select(&["SampleIntervalSecond", "procdestinationpath", "ProcDestinationPathResourceId"][..]).prop_map_into(),
        1 => select(&["IsolationMode", "", "Id"][..]).prop_map_into(),
    ]
}

/// Mostly values that are right somewhere.
fn value() -> impl Strategy<Value = Value> {
    let texts = [
        "300", "600", "00600", "4294967295", "4294967296", "299", "300\n", "/host_proc", "/proc", "/a/b", "/", "my-id",
        "_", "", " ", "a:b", "\u{663}00",
    ];
    prop_oneof![
        20 => select(texts.to_vec()).prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => select(vec![Value::Null, json!(true), json!([]), json!(["300"]), json!({}), json!(600.5)]),
    ]
}

/// A `Parameters` object, right in about half of the cases.
fn parameters() -> impl Strategy<Value = Value> {
    let right = |parameter: Parameter| match parameter {
        Parameter::SampleIntervalSeconds => select(&["300", "600", "0301", "86400"][..]),
        Parameter::ProcDestinationPathResourceId => select(&["my-proc-resource", "-", "0"][..]),
        Parameter::ProcDestinationPath => select(&["/host_proc", "/proc", "/_"][..]),
    };
    let all = Parameter::ALL.map(right);
    let changes = prop_oneof![Just(0..1_usize), Just(1..4_usize)]
        .prop_flat_map(|many| prop::collection::vec((name(), prop::option::weighted(0.8, value())), many));
    (all, changes).prop_map(|(right, changes)| {
        let mut object: Map<String, Value> = Parameter::ALL
            .into_iter()
            .zip(right)
            .map(|(parameter, value)| (parameter.name().to_owned(), value.into()))
            .collect();
        for (name, value) in changes {
            match value {
                Some(value) => drop(object.insert(name, value)),
                None => drop(object.remove(&name)),
            }
        }
        Value::Object(object)
    })
}

/// Mostly the ARNs of connectors, ours and others.
fn arn() -> impl Strategy<Value = Value> {
    let made = (
        prop_oneof![8 => Just("aws"), 1 => select(&["aws-cn", "aws-us-gov", "", "AWS", "gcp", "aws:"][..])],
        prop_oneof![8 => Just("greengrass"), 1 => select(&["iot", "", "Greengrass"][..])],
        prop_oneof![8 => select(&["", "us-west-2"][..]), 1 => select(&["US-WEST-2", "us west", "\n"][..])],
        prop_oneof![8 => select(&["", "123456789012"][..]), 1 => select(&["me", "12-34"][..])],
        prop_oneof![8 => Just("DeviceDefender"), 2 => select(&["SNS", "devicedefender", "DeviceDefender2", "", "a/b", "a:b"][..])],
        prop_oneof![8 => select(&["1", "2", "3"][..]), 2 => select(&["0", "4", "03", "", "x", "-3", "+3", "3\n", "3/"][..])],
    );
    let made = made.prop_map(|(partition, service, region, account, name, version)| {
        Value::from(format!("arn:{partition}:{service}:{region}:{account}:/connectors/{name}/versions/{version}"))
    });
    prop_oneof![8 => made, 16 => Just(Value::from(ARN)), 1 => any::<String>().prop_map(Value::from), 1 => value()]
}

/// A connector, with an ARN.
fn connector() -> impl Strategy<Value = Value> {
    let parameters = prop_oneof![12 => parameters().prop_map(Some), 1 => Just(None), 1 => value().prop_map(Some)];
    (arn(), parameters, prop::option::of(value())).prop_map(|(arn, parameters, id)| {
        let fields = [("ConnectorArn", Some(arn)), ("Parameters", parameters), ("Id", id)];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    })
}

/// The connectors of a definition, mostly one.
fn connectors() -> impl Strategy<Value = Vec<Value>> {
    let many = prop_oneof![1 => Just(0_usize), 8 => Just(1), 4 => 2..4_usize];
    many.prop_flat_map(|many| prop::collection::vec(connector(), many))
}

/// Any JSON whose names are often those that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let names = ["Connectors", "Definition", "InitialVersion", "ConnectorArn", "Parameters", "Id"];
    let name = move || prop_oneof![4 => select(names.to_vec()).prop_map_into(), 2 => name(), 1 => any::<String>()];
    let leaf = prop_oneof![value(), arn(), any::<f64>().prop_map(Value::from)];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..5).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Checks what must hold for whatever was found.
fn check_findings(definition: &Definition) -> Result<(), TestCaseError> {
    let place = |finding: &&Finding| (finding.connector.unwrap_or(usize::MAX), finding.parameter);
    for findings in [&definition.problems, &definition.warnings] {
        for finding in findings {
            prop_assert!(finding.connector.is_none_or(|place| place < definition.connectors.len()), "{:?}", finding);
            prop_assert!(!finding.fault.message.is_empty() && !finding.fault.remedy.is_empty(), "{:?}", finding);
        }
    }
    let about_parameters = definition.problems.iter().filter(|finding| finding.parameter.is_some());
    prop_assert!(about_parameters.is_sorted_by_key(|finding| place(&finding)), "{:?}", &definition.problems);
    let checked = definition.connectors.iter().filter(|connector| connector.checked).count();
    prop_assert_eq!(checked == 0, definition.problems.iter().any(|finding| finding.connector.is_none()));
    Ok(())
}

/// Holds the verdict on a document against the verdict on the connectors that are in it.
fn check(document: &Value, connectors: &[Value]) -> Result<(), TestCaseError> {
    let in_list = !connectors.contains(document);
    let definition = Definition::check(document).unwrap();
    prop_assert_eq!(definition.problems.is_empty(), is_valid(connectors, in_list), "{}: {:?}", document, &definition);
    prop_assert_eq!(definition.connectors.len(), connectors.len());
    for (found, given) in definition.connectors.iter().zip(connectors) {
        prop_assert_eq!(found.checked, judge(given, in_list).0, "{}", given);
        prop_assert_eq!(found.id.as_deref(), given.get("Id").and_then(Value::as_str));
        prop_assert_eq!(found.arn.as_deref(), given.get("ConnectorArn").and_then(Value::as_str));
    }
    let first = connectors.iter().find(|connector| judge(connector, in_list).0);
    let valid = |parameter: Parameter| {
        let value = first?.get("Parameters")?.get(parameter.name())?.as_str()?;
        check_value(parameter, value).is_ok().then_some(value)
    };
    if let Some(seconds) = valid(Parameter::SampleIntervalSeconds) {
        let found = definition.sample_interval().map(|interval| interval.duration().as_secs());
        prop_assert_eq!(found, seconds.parse().ok(), "{}", document);
    }
    if let Some(path) = valid(Parameter::ProcDestinationPath) {
        let found = definition.proc_destination_path().map(ProcDestinationPath::as_path);
        prop_assert_eq!(found, Some(Path::new(path)), "{}", document);
    }
    check_findings(&definition)
}

#[test]
fn what_is_made_up_is_often_right_and_often_wrong() {
    let mut runner = TestRunner::new(cases(1));
    let definitions = connectors();
    let right = (0..1000).filter(|_| is_valid(&definitions.new_tree(&mut runner).unwrap().current(), true)).count();
    assert!((100..900).contains(&right), "{right} of 1000");
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn any_definition_is_judged_by_the_rules(connectors in connectors()) {
        let version = json!({ "Connectors": connectors });
        check(&version, &connectors)?;
        check(&json!({ "Name": "a", "InitialVersion": version }), &connectors)?;
        check(&json!({ "Arn": "a", "Definition": version, "Id": "b", "Version": "c" }), &connectors)?;
        match connectors.as_slice() {
            // `null` counts as missing.
            [connector] if connector["ConnectorArn"].is_null() && connector["Parameters"].is_null() => {
                prop_assert_eq!(Definition::check(connector), Err(UnknownShape));
            }
            [connector] => check(connector, &connectors)?,
            _ => {}
        }
    }

    #[test]
    fn any_parameters_are_judged_by_the_rules(parameters in parameters()) {
        let connectors = [json!({ "Parameters": parameters })];
        check(&connectors[0], &connectors)?;
        let strange = ["IsolationMode", "", "Id"];
        if parameters.as_object().unwrap().keys().all(|name| strange.contains(&name.as_str())) {
            prop_assert_eq!(Definition::check(&parameters), Err(UnknownShape));
        } else {
            let definition = Definition::check(&parameters).unwrap();
            prop_assert_eq!(definition.problems.is_empty(), parameters_are_right(Some(&parameters)), "{}", parameters);
            check_findings(&definition)?;
        }
    }

    #[test]
    fn any_json_is_judged_or_refused(document in any_json()) {
        if let Ok(definition) = Definition::check(&document) {
            check_findings(&definition)?;
        }
    }
}
