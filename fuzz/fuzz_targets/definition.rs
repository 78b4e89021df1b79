//! Any JSON as a connector definition, and any text on its way to a terminal: a verdict is about what is there, and no
//! control character gets through.
#![no_main]

mod alike;

use alike::alike;
use device_defender::escape::{escape, escape_json};
use device_defender::params::definition::Definition;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// A key by which serde_json passes JSON on as it stands; it is taken for that in any text.
const JSON_IN_DISGUISE: &str = "RawValue";

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
    let Ok(document) = serde_json::from_slice::<Value>(text) else { return };

    let pretty = serde_json::to_string_pretty(&document).unwrap();
    if !String::from_utf8_lossy(text).contains(JSON_IN_DISGUISE) {
        let again: Value = serde_json::from_str(&escape_json(&pretty)).unwrap();
        assert!(alike(&again, &document), "JSON for a terminal says the same");
    }

    let Ok(definition) = Definition::check(&document) else { return };
    let Definition { connectors, problems, warnings } = &definition;
    for finding in problems.iter().chain(warnings) {
        assert!(finding.connector.is_none_or(|index| index < connectors.len()), "{finding:?}");
        assert!(!finding.fault.message.is_empty() && !finding.fault.remedy.is_empty(), "{finding:?}");
    }
    for (index, connector) in connectors.iter().enumerate() {
        assert!(connector.checked || connector.values.is_empty());
        for (parameter, value) in &connector.values {
            let told = problems.iter().any(|problem| {
                problem.connector == Some(index)
                    && problem.parameter == Some(*parameter)
                    && problem.value.as_ref().and_then(Value::as_str) == Some(value)
            });
            assert_eq!(parameter.check(value).is_err(), told, "{parameter} {value:?}");
        }
    }
    if problems.is_empty() {
        assert!(connectors.iter().any(|connector| connector.checked && connector.values.len() == 3));
    }
    // What was found right in a definition is right when it is given alone.
    let alone = Definition::check_values(connectors.iter().flat_map(|connector| connector.values.clone()));
    assert!(!problems.is_empty() || alone.problems.is_empty());
});
