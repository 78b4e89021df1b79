//! Arbitrary bytes as a connector definition in JSON or YAML, and as text that is escaped for a terminal. Every problem names a connector
//! of the definition, a value is invalid exactly if it has a problem, and escaped text has no control characters.
#![no_main]

mod alike;

use alike::alike;
use device_defender::internals::params::{Definition, Parameter};
use device_defender::internals::{document, escape, escape_json};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Part of a key that serde_json uses internally to pass JSON through unparsed. A text with this key is not read as an
/// ordinary object.
const RAW_VALUE_KEY: &str = "RawValue";

fn check_escapes(text: &str) {
    let escaped = escape(text);
    assert!(!escaped.contains(char::is_control), "{escaped:?}");
    assert_eq!(escape(&escaped), escaped);
    let escaped = escape_json(text);
    assert!(!escaped.contains(|c: char| c.is_control() && c != '\n'), "{escaped:?}");
    assert_eq!(escape_json(&escaped), escaped);
}

fuzz_target!(|text: &[u8]| {
    check_escapes(&String::from_utf8_lossy(text));
    let Ok(document) = document::parse(text) else { return };

    let pretty = serde_json::to_string_pretty(&document).unwrap();
    if !pretty.contains(RAW_VALUE_KEY) {
        let again: Value = serde_json::from_str(&escape_json(&pretty)).unwrap();
        assert!(alike(&again, &document), "escaping JSON keeps its values");
    }

    let Ok(definition) = Definition::check(&document) else { return };
    let Definition { connectors, problems, warnings } = &definition;
    for finding in problems.iter().chain(warnings) {
        assert!(finding.connector.is_none_or(|index| index < connectors.len()), "{finding:?}");
        assert!(!finding.fault.message.is_empty() && !finding.fault.remedy.is_empty(), "{finding:?}");
    }
    for (index, connector) in connectors.iter().enumerate() {
        let broken = |wanted: Parameter| {
            problems.iter().any(|problem| problem.connector == Some(index) && problem.parameter == Some(wanted))
        };
        assert!(connector.sample_interval.is_none() || !broken(Parameter::SampleIntervalSeconds));
        assert!(connector.proc_destination_path.is_none() || !broken(Parameter::ProcDestinationPath));
        let has_values = connector.sample_interval.is_some() && connector.proc_destination_path.is_some();
        assert!(!problems.is_empty() || connector.checked == has_values);
    }
    if problems.is_empty() {
        assert!(definition.sample_interval().is_some() && definition.proc_destination_path().is_some());
    }
});
