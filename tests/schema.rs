//! The schemas of the JSON output in `man/schema`, against real output.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

use crate::support::{Dir, Run, fixtures};

const NAMES: [&str; 4] = ["report", "verdicts", "events", "validate-params"];

/// Every schema by name.
static SCHEMAS: LazyLock<BTreeMap<&str, Value>> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/schema");
    let read = |name| fs::read(dir.join(format!("{name}.json"))).unwrap();
    NAMES.map(|name| (name, serde_json::from_slice(&read(name)).unwrap())).into()
});

static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    // The events refer to the verdicts.
    let verdicts =
        Registry::new().add("urn:device-defender:verdicts:1", &SCHEMAS["verdicts"]).unwrap().prepare().unwrap();
    let validator = |schema| jsonschema::options().with_registry(&verdicts).build(schema).unwrap();
    SCHEMAS.iter().map(|(name, schema)| (*name, validator(schema))).collect()
});

/// Asserts that an output is as its schema says.
pub(crate) fn assert_valid(name: &str, output: &Value) {
    let errors: Vec<String> =
        VALIDATORS[name].iter_errors(output).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{output:#}");
}

#[test]
fn the_schemas_are_valid_and_describe_no_other_fields() {
    for (name, schema) in &*SCHEMAS {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(!VALIDATORS[name].is_valid(&json!({})), "{name}");
    }
    let mut report = json!({"header": {"report_id": 1, "version": "1.0"}, "metrics": {}});
    assert_valid("report", &report);
    report["met"] = json!({});
    assert!(!VALIDATORS["report"].is_valid(&report), "a mix of long and short names");
}

#[test]
fn reports_are_as_their_schema_says() {
    let dir = Dir::new();
    dir.write(
        "custom.json",
        r#"{"a": 1.5, "b": {"ip_list": ["192.0.2.1"]}, "c": {"number_list": [1]}, "d": {"string_list": []}}"#,
    );
    let custom = dir.root().join("custom.json");
    for host in ["idle", "busy", "container", "ipv6-off", "odd-names", "vlan-bridge"] {
        let proc = format!("{host}/proc");
        for flags in [&[][..], &["--names", "short"], &["--compat", "connector"], &["--max-bytes", "2000"]] {
            let args =
                [&["collect", "-q", "--proc", &proc, "--custom-metrics", custom.to_str().unwrap()], flags].concat();
            let report = Run::new(&fixtures(), &args).json();
            assert_valid("report", &report);
        }
    }
}

#[cfg(feature = "detect")]
#[test]
fn verdicts_and_events_are_as_their_schemas_say() {
    let profile = ["--profile", "profile.json", "--format", "json"];
    let detect = |code, args: &[&str]| {
        let args = [&["detect"], &profile[..], args].concat();
        Run::new(&fixtures(), &args).code(code).may_warn()
    };
    for (host, code) in [("idle", 1), ("busy", 1), ("ipv6-off", 1)] {
        for since in ["boot", "report"] {
            let proc = format!("{host}/proc");
            let verdicts = detect(code, &["--proc", &proc, "--since", since, "--thing-name", "gw"]).json();
            assert_valid("verdicts", &verdicts);
            assert_eq!(verdicts["thingName"], "gw");
        }
    }
    let events = detect(0, &["--report", "reports.ndjson", "--thing-name", "gw"]).lines();
    assert_eq!(events.len(), 5);
    for event in &events {
        assert_valid("events", event);
    }
    assert!(events[0].get("neverJudged").is_some());
}

#[test]
fn results_of_validate_params_are_as_their_schema_says() {
    let run = |args: &[&str]| {
        let output = Run::new(&fixtures(), &[&["validate-params", "--format", "json"], args].concat()).command.output();
        serde_json::from_slice::<Value>(&output.unwrap().stdout).unwrap()
    };
    for args in [
        &["connector.json"][..],
        &["connector.json", "--probe"],
        &["--sample-interval-seconds", "0300", "--proc-destination-path", "/a/b"],
        &["--proc-destination-path", "/proc", "--probe"],
        &["--proc-destination-path", "/none", "--probe"],
    ] {
        let result = run(args);
        assert_valid("validate-params", &result);
        assert_eq!(result["version"], 1);
    }
}
